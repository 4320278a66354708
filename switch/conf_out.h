/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_out: the part of a configuration that is about the way out and the way in: uplinks, NAT, static forwards, routes.  conf.h
 * includes it and says who owns what. */
#ifndef VFAB_SWITCH_CONF_OUT_H
#define VFAB_SWITCH_CONF_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"

enum {
	CONF_UPLINKS_MAX = 64,
	CONF_FORWARDS_MAX = 4096, /* in all */
	CONF_ROUTES_MAX = 4096,
	CONF_ALLOW_MAX = 16,
	CONF_EXEMPT_MAX = 16,
	CONF_ADDRESSES_MAX = 15, /* further addresses of an uplink */
	CONF_SPEC_SIZE = 160,
};

enum conf_uplink_kind { UPLINK_HOST, UPLINK_INTERFACE };
enum conf_driver { DRIVER_AUTO, DRIVER_AF_PACKET };
enum conf_uplink_mac { UPLINK_MAC_AUTO, UPLINK_MAC_INTERFACE, UPLINK_MAC_GIVEN };
enum conf_log { CONF_LOG_OFF, CONF_LOG_ON, CONF_LOG_DESTINATIONS };
enum conf_ipv6_out { IPV6_NAT66, IPV6_ROUTED };

/* Bits of a forward's protocol. */
enum { FORWARD_TCP = 1, FORWARD_UDP = 2 };

/* A static forward: "[BIND:]PORT[-END]:GUEST:PORT[-END][/tcp|/udp|/both]". */
struct conf_forward {
	char spec[CONF_SPEC_SIZE]; /* as it is printed: the shortest spelling */
	struct ip bind;		   /* has_bind */
	bool has_bind;
	uint8_t proto;
	uint16_t first, last, guest_first; /* as many ports on both sides */
	struct ip guest;
	struct prefix allow[CONF_ALLOW_MAX];
	uint8_t n_allow; /* 0: everybody */
	int line, column;
};

/* `nat` of a network.  Durations in ms, as all of conf. */
struct conf_nat {
	bool is_open; /* filtering: endpoint-independent; address-and-port-dependent by default */
	uint64_t udp_ms, tcp_ms, tcp_transitory_ms, icmp_ms; /* 300 s, 7440 s, 240 s, 60 s; at least 120 s (RFC 4787 5), 7440 s, 240 s, 60 s are advised; from 1 s on accepted */
	uint32_t sessions;  /* 262144 */
	uint32_t per_guest; /* 32768 */
	uint32_t rate;	    /* new sessions a second of a guest; 0: no limit; 10000 */
	uint8_t log;	    /* enum conf_log */
	uint8_t ipv6;	    /* enum conf_ipv6_out: nat66, routed */
	struct prefix exempt[CONF_EXEMPT_MAX];
	uint8_t n_exempt;
};

/* Which of its VLANs the fabric chose itself is in vlan. */
struct conf_uplink {
	char name[64];
	int line, column;
	struct {
		int line, column;
	} at[24];
	uint8_t kind;	    /* enum conf_uplink_kind */
	char interface[16]; /* of kind interface */
	uint8_t driver;	    /* enum conf_driver; af_xdp and dpdk are "not yet" */
	struct prefix address, address6; /* static; a host uplink: those of its link, chosen when not given */
	struct prefix more[CONF_ADDRESSES_MAX]; /* key `addresses`: further ones, for the NAT */
	uint8_t n_more;
	struct ip gateway, gateway6;
	bool has_gateway, has_gateway6;
	bool dhcp;		/* our own client asks for address, gateway, MTU */
	uint8_t mac_mode;	/* enum conf_uplink_mac; key `mac`: auto, interface or an address */
	struct mac mac;
	bool leaves_forwarding; /* host: forwarding: leave */
	char ifname[16];	/* host: its tap, default vu-NAME cut to 15 */
	uint16_t vlan;		/* of the fabric; made by conf_validate(): of the untagged bridged network on it, else one from 4094 down */
};

struct conf_route {
	char from[64], to[64]; /* networks: from may begin to speak to to */
	int line, column;
};

/*
 * The two ends of the link between a host uplink's tap in the host and the switch, of that family; false: it has none.  far is
 * `address` (`address6`) of the uplink, by default for the n-th host uplink 169.254.118.(4n+2)/30 and fd76:6661:6200:n::2/64; own is
 * the other host of that prefix.
 */
struct conf;
bool conf_uplink_ends(const struct conf *c, const struct conf_uplink *u, bool is_v6, struct prefix *own, struct prefix *far);
const char *conf_uplink_ifname(const struct conf_uplink *u, char buf[static 16]);
/* The id of a forward: NETWORK/PROTO/BIND:PORT, PROTO tcp, udp or both; BIND 0.0.0.0 or [::] for every address, by the family of
 * the guest. */
const char *conf_forward_id(const char *network, const struct conf_forward *f, char buf[static CONF_SPEC_SIZE]);
/* Parses the grammar of a forward.  False: why says it in words. */
bool conf_forward_parse(const char *text, struct conf_forward *out, char *why, size_t why_size);

#endif
