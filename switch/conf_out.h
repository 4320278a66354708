/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_out: the part of a configuration that is about the way out and the way in: uplinks, NAT, static forwards, routes.
 * conf.h includes it and says who owns what.
 */
#ifndef VFAB_SWITCH_CONF_OUT_H
#define VFAB_SWITCH_CONF_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"
#include "switch/conf_limits.h"

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
	struct ip bind;		   /* has_bind; else every address of the uplink, of the guest's family */
	bool has_bind;
	uint8_t proto;
	uint16_t first, last, guest_first; /* as many ports on both sides */
	struct ip guest;
	struct prefix allow[CONF_ALLOW_MAX]; /* of the guest's family */
	uint8_t n_allow;		     /* 0: everybody */
	int line, column;
};

/* `nat` of a network.  Durations in ms, as all of conf. */
struct conf_nat {
	bool is_open; /* filtering: endpoint-independent; else address-and-port-dependent */
	/*
	 * 300 s, 7440 s, 240 s, 60 s by default; RFC 4787 REQ-5, RFC 5382 REQ-5 and RFC 5508 REQ-2 ask for at least 120 s, 7440 s,
	 * 240 s, 60 s; less, down to 1 s, is the operator's choice.
	 */
	uint64_t udp_ms, tcp_ms, tcp_transitory_ms, icmp_ms;
	uint32_t sessions;  /* 262144 */
	uint32_t per_guest; /* 32768 */
	uint32_t rate;	    /* new sessions a second of one guest; 0: no limit; 10000 */
	uint8_t log;	    /* enum conf_log */
	uint8_t ipv6;	    /* enum conf_ipv6_out */
	struct prefix exempt[CONF_EXEMPT_MAX];
	uint8_t n_exempt;
};

/* An uplink is also a port, of its own name. */
struct conf_uplink {
	char name[CONF_NAME_SIZE];
	int line, column;
	struct conf_mark at[CONF_KEYS_MAX];
	uint8_t kind;			  /* enum conf_uplink_kind */
	char interface[CONF_IFNAME_SIZE]; /* of kind interface */
	uint8_t driver;			  /* enum conf_driver */
	/* Static.  Of a host uplink: the switch's end of its link, chosen by conf_validate() when not given. */
	struct prefix address, address6;
	struct prefix more[CONF_ADDRESSES_MAX]; /* key `addresses`: further ones, for the NAT */
	uint8_t n_more;
	struct ip gateway, gateway6;
	bool has_gateway, has_gateway6;
	bool dhcp;			/* our own client asks for address and gateway (IPv4) */
	uint8_t mac_mode;		/* enum conf_uplink_mac; key `mac`: auto, interface or an address */
	struct mac mac;			/* UPLINK_MAC_GIVEN; else zero */
	bool leaves_forwarding;		/* host: forwarding: leave */
	char ifname[CONF_IFNAME_SIZE];	/* host: its tap; default vu-NAME cut to 15 */
	/* Of the untagged bridged network on it; else its own: given, or one from 4094 down.  0 only before conf_validate(). */
	uint16_t vlan;
	bool vlan_auto; /* the fabric chose it */
};

struct conf_route {
	char from[CONF_NAME_SIZE], to[CONF_NAME_SIZE]; /* networks: from may begin to speak to to */
	int line, column;
};

struct conf;
const struct conf_uplink *conf_find_uplink(const struct conf *c, const char *name);
/*
 * The two ends of the link between a host uplink's tap in the host and the switch, of that family: far is the switch's, `address`
 * (`address6`), by default 169.254.118.(16n+2)/28 and fd76:6661:6200:n::2/64 with the first free n; own is the first other
 * host of that prefix.  Each different bind of the forwards on it has a far address of its own, far + 1, far + 2 ..., for which
 * there is room.  False: no host uplink, not validated, or no network on it has IPv6.
 */
bool conf_uplink_ends(const struct conf *c, const struct conf_uplink *u, bool is_v6,
		      struct prefix *own, struct prefix *far);
/* The tap of a host uplink, the interface of another. */
const char *conf_uplink_ifname(const struct conf_uplink *u, char buf[static CONF_IFNAME_SIZE]);
/* The bits of all VLANs that a trunk without `trunks` does not carry: chosen by the fabric, or an uplink's own. */
void conf_hidden_vlans(const struct conf *c, uint64_t vids[static 4096 / 64]);

/*
 * The id of a forward: NETWORK/PROTO/BIND:PORT: PROTO tcp, udp or both; BIND 0.0.0.0 or [::] for every address, by the family
 * of the guest; PORT the first.
 */
const char *conf_forward_id(const char *network, const struct conf_forward *f,
			    char buf[static CONF_SPEC_SIZE]);
/* Parses the grammar of a forward; allow and marks are empty then.  False: why says it in words. */
bool conf_forward_parse(const char *text, struct conf_forward *out, char *why, size_t why_size);

#endif
