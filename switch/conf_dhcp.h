/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_dhcp: the part of a configuration that is about addresses and names: `dhcp`, `dns`, `domain` of a network, and the
 * section `dns`.
 * conf.h includes it and says who owns what.
 *
 *   networks:
 *     office: {mode: nat, ipv4: 10.10.0.0/24, dns: [10.10.0.1], domain: office.example,
 *              dhcp: {range: 10.10.0.100-10.10.0.199, lease: 1h, per-port: 4, ipv6: stateful, range6: fd00::1000-fd00::1fff,
 *                     options: {ntp: 10.10.0.1, search: "a.example,b.example", routes: "10.9.0.0/16 10.10.0.7",
 *                               150: "ip:10.10.0.9"},
 *                     classes: [{vendor: PXEClient, arch: [0], options: {tftp-server: 10.10.0.5, boot-file: pxelinux.0}}],
 *                     reservations: [{mac: "02:00:00:00:00:0a", ip: 10.10.0.10, name: web, options: {...}},
 *                                    {client-id: "01:02:...", ip: ...}, {port: c1, ip: ..., ip6: ...}]}}
 *     lab:    {mode: nat, ipv4: 10.20.0.0/24, dhcp: 10.20.0.50-10.20.0.99}      the range alone
 *     quiet:  {mode: nat, ipv4: 10.30.0.0/24, no-dhcp: true}
 *   dns: {servers: [192.0.2.53, "[2001:db8::53]:5353"], domains: {corp.example: [10.1.1.1]}}
 */
#ifndef VFAB_SWITCH_CONF_DHCP_H
#define VFAB_SWITCH_CONF_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"
#include "switch/conf_limits.h"

enum {
	CONF_RESERVATIONS_MAX = 16384, /* of one network */
	CONF_CLASSES_MAX = 16,
	CONF_OPTIONS_MAX = 32, /* of one network, class or reservation */
	CONF_DNS_MAX = 4,
	CONF_RELAYS_MAX = 4,
	CONF_DOMAINS_MAX = 32,
	CONF_DOMAIN_SIZE = 254, /* text of a domain, terminated, without a dot at the end */
	CONF_LABEL_SIZE = 64,
	CONF_VENDOR_SIZE = 64,
	CONF_ARCHS_MAX = 8,
	CONF_CLIENT_ID_SIZE = 255,
};

enum conf_dhcp6 { CONF_DHCP6_STATELESS, CONF_DHCP6_STATEFUL, CONF_DHCP6_OFF };

/* An option of DHCPv4, encoded: a name of the table in conf_option.c, or a number with "hex:", "text:" or "ip:" before it. */
enum conf_option_form { CONF_OPTION_NAMED, CONF_OPTION_HEX, CONF_OPTION_AS_TEXT, CONF_OPTION_IP };
struct conf_option {
	uint8_t code, len;
	uint8_t bytes[255];
	uint8_t form; /* enum conf_option_form: how it was written, and is printed again */
};
struct conf_options {
	struct conf_option *list; /* by code, each once; malloc'd */
	size_t n;
	struct ip next_server; /* key next-server; zero: none */
};

struct conf_class {
	char vendor[CONF_VENDOR_SIZE]; /* option 60 begins with it; "": any */
	uint16_t arch[CONF_ARCHS_MAX]; /* option 93 is one of them */
	uint8_t n_arch;		       /* 0: any */
	struct conf_options options;
	int line, column;
};

struct conf_reservation {
	struct mac mac;				   /* zero: none; one of mac, client-id and port is given */
	uint8_t client_id[CONF_CLIENT_ID_SIZE];	   /* of option 61 or a DUID; bytes in hex with colons */
	uint8_t client_id_len;
	char port[CONF_NAME_SIZE];
	struct ip ip, ip6; /* zero: none; at least one */
	char name[CONF_LABEL_SIZE];
	struct conf_options options;
	int line, column;
};

struct conf_dhcp {
	bool is_asked;	     /* the key is there, or a range was given */
	bool is_off;	     /* no-dhcp */
	struct ip first, last;	 /* key range; zero: the upper half of the prefix */
	struct ip first6, last6; /* key range6; zero: low 32 bits from 1000:0 on, or the upper half of a longer prefix than /96 */
	uint64_t lease_ms;   /* 1 h by default; 0: for ever */
	uint32_t per_port;   /* live leases of an access port; 0: default, half of the range but at most 64 */
	uint8_t ipv6;	     /* enum conf_dhcp6 */
	struct ip ntp6[CONF_DNS_MAX]; /* time servers that DHCPv6 tells; IPv6 */
	uint8_t n_ntp6;
	struct ip relays[CONF_RELAYS_MAX]; /* that may ask for this network from another one; IPv4 */
	uint8_t n_relays;
	struct conf_options options;
	struct conf_class *classes;
	size_t n_classes;
	struct conf_reservation *reservations;
	size_t n_reservations;
};

struct conf_server {
	struct ip ip;
	uint16_t port; /* 53 */
};
struct conf_domain {
	char name[CONF_DOMAIN_SIZE];
	struct conf_server server[CONF_DNS_MAX];
	uint8_t n;
};
/* Section `dns`: whom the switch asks; none: the host's servers. */
struct conf_dns {
	struct conf_server server[CONF_DNS_MAX];
	uint8_t n;
	struct conf_domain *domains; /* malloc'd */
	size_t n_domains;
};

struct conf_network;
/* Does the network serve DHCPv4: nat and host-only with an IPv4 prefix unless no-dhcp, internal if asked; and what it gives out. */
bool conf_network_dhcp(const struct conf_network *n, struct ip *first, struct ip *last);
/* And DHCPv6: of a network with an IPv6 prefix that is advertised; off where `dhcp: {ipv6: off}` or no-dhcp. */
enum conf_dhcp6 conf_network_dhcp6(const struct conf_network *n, struct ip *first, struct ip *last);
/* Does our DNS answer there: where DHCP of either family is served and no `dns` list names others. */
bool conf_network_dns(const struct conf_network *n);
/* Its zone: `domain`, else NETWORK.vfab (a name that is no label: made one). */
const char *conf_network_zone(const struct conf_network *n, char buf[static CONF_DOMAIN_SIZE]);

/* --- conf_option.c --- */

/* One option by its name and text; false: why says it. */
bool conf_option_parse(const char *key, const char *text, struct conf_option *out, char *why, size_t why_size);
/* Back to key and text; each buf of CONF_OPTION_TEXT bytes. */
enum { CONF_OPTION_TEXT = 2048 };
void conf_option_text(const struct conf_option *o, char *key, char *text);

#endif
