/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net: what a configuration says of one network to its DHCP servers: immutable, made by switch/lessor.c, read by server.c and
 * server6.c.
 *
 * Ownership.  dhcp_net_create() copies all that it is given.
 */
#ifndef VFAB_DHCP_NET_H
#define VFAB_DHCP_NET_H

#include "dhcp/lease.h"

enum { DHCP_NET_DNS = 4, DHCP_NET_RELAYS = 4, DHCP_ARCH_MAX = 8 };
enum { DHCP_VENDOR_SIZE = 64, DHCP_NET_DOMAIN = 256 };

/* One option as it goes on the wire: DHCPv4's code and value. */
struct dhcp_opt {
	uint8_t code, len;
	uint8_t bytes[255];
};
/* What a network, a class or a reservation says; the narrower wins, option by option: reservation, class, network. */
struct dhcp_opts {
	struct dhcp_opt *opt; /* by code, each once; code 66 and 67 also fill sname and file where asked (RFC 2132 9.4, 9.5) */
	uint16_t n;
	struct ip next_server; /* siaddr; zero: none */
};

/* Who has asked in a certain way: option 60 begins with vendor, and option 93 is one of arch, if there are any (RFC 4578). */
struct dhcp_class {
	char vendor[DHCP_VENDOR_SIZE]; /* "": any */
	uint16_t arch[DHCP_ARCH_MAX];
	uint8_t n_arch;
	struct dhcp_opts opts;
};

/* An address, of one client; by one of mac, client id and port, whichever is set. */
struct dhcp_reservation {
	struct mac mac;				/* zero: not by it */
	uint16_t id_len;			/* 0: not by it; option 61 or a DUID */
	uint8_t id[LEASE_ID_MAX];
	char port[PORT_NAME_SIZE];		/* "": not by it */
	struct ip ip, ip6;			/* zero: none of that family */
	char name[LEASE_NAME_SIZE];		/* "": none */
	struct dhcp_opts opts;
};

enum dhcp6_mode { DHCP6_OFF, DHCP6_STATELESS, DHCP6_STATEFUL };

struct dhcp_net {
	char name[LEASE_NET_SIZE];
	uint16_t vid;
	bool serves_v4;
	enum dhcp6_mode v6_mode;
	struct prefix v4, v6;	/* the network; ip is ours: server identifier, gateway */
	struct mac mac;		/* of the gateway */
	bool is_router;		/* option 3 is told: there is a way on */
	uint32_t lease_s;	/* UINT32_MAX: for ever */
	uint16_t mtu;		/* option 26 and RA; 0: not told */
	struct ip dns[DHCP_NET_DNS], dns6[DHCP_NET_DNS];
	uint8_t n_dns, n_dns6;
	struct ip ntp6[DHCP_NET_DNS]; /* time servers, told by DHCPv6; those of DHCPv4 are in opts */
	uint8_t n_ntp6;
	struct ip relays[DHCP_NET_RELAYS]; /* that may ask for this network from another one */
	uint8_t n_relays;
	char domain[DHCP_NET_DOMAIN]; /* "": none; is also the first of the search list */
	uint16_t probes;	/* conflict probes a second; 0: none are sent */
	struct dhcp_opts opts;
	struct dhcp_class *classes;
	uint16_t n_classes;
	struct dhcp_reservation *reservations;
	uint32_t n_reservations;
	struct lease_pool *pool4, *pool6; /* NULL: none */
	struct dhcp_net_index *index;	  /* net.c's own */
};

/* A copy with its index; NULL without memory. */
struct dhcp_net *dhcp_net_create(const struct dhcp_net *from);
void dhcp_net_destroy(struct dhcp_net *n); /* NULL is fine */

/* The reservation of a client: by client id or DUID first, then by MAC, then by port; NULL: none.  id: a lease_id; may be NULL. */
const struct dhcp_reservation *dhcp_net_reservation(const struct dhcp_net *n, const struct lease_id *id, const struct mac *mac,
						    const char *port);
/* Whose that address is; NULL: nobody's. */
const struct dhcp_reservation *dhcp_net_reserved(const struct dhcp_net *n, const struct ip *ip);
/* For lease_range: arg is the dhcp_net: reserved, the gateway's, or an edge of the IPv4 network. */
bool dhcp_net_is_taken(void *net, const struct ip *ip);

#endif
