/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server6: the DHCPv6 server of all networks: stateful addresses (IA_NA) and stateless configuration.  As server.h.
 *
 *   SOLICIT --> ADVERTISE, with rapid commit (option 14) REPLY      REQUEST, RENEW, REBIND --> REPLY
 *   CONFIRM --> REPLY: on link or not      RELEASE, DECLINE --> REPLY      INFORMATION-REQUEST --> REPLY
 *
 * RFC 8415 (16, 18.3, 18.4, 20; status codes 21.13), RFC 3646 (DNS, search list), RFC 4704 (FQDN: the label is read), RFC 5908
 * (NTP). Stateless networks answer INFORMATION-REQUEST alone, and to SOLICIT that no addresses are available.  Not done: prefix
 * delegation (answered by NoPrefixAvail), IA_TA, relays, RECONFIGURE, authentication.
 *
 * Our DUID is DUID-LL of the gateway's MAC.  Identity of a lease: IAID and DUID.  Times: T1 half, T2 4/5 of the lease.
 */
#ifndef VFAB_DHCP_SERVER6_H
#define VFAB_DHCP_SERVER6_H

#include "dhcp/server.h"

enum { DHCP6_SERVER_PORT = 547, DHCP6_CLIENT_PORT = 546, DHCP6_MAX_BYTES = 1232 };

struct dhcp6_answer {
	uint16_t len; /* 0: silence; goes to the asker: its address, its MAC, UDP port 546, from our link-local address */
	uint8_t payload[DHCP6_MAX_BYTES];
};

struct dhcp6_server;
struct dhcp6_server *dhcp6_server_create(struct leases *s, const struct dhcp_world *world);
void dhcp6_server_destroy(struct dhcp6_server *v); /* NULL is fine */
/* ask: its src is the client's link-local address; dst ff02::1:2 or ours (RFC 8415 18.4: unicast is refused by UseMulticast). */
void dhcp6_server_receive(struct dhcp6_server *v, const struct dhcp_net *net, const struct dhcp_ask *ask, uint64_t now_ms,
			  struct dhcp6_answer *out);

#define DHCP6_COUNTERS(X) \
	X(solicit) X(request) X(confirm) X(renew) X(rebind) X(release) X(decline) X(information) \
	X(advertise) X(reply) \
	X(malformed)  /* no message that a server takes, or by unicast what must not be */ \
	X(spoofed)    /* the lease is another port's, or another MAC's */ \
	X(other_server) X(unknown) /* no binding */ \
	X(none_free) X(port_cap)
struct dhcp6_counters {
#define X(name) uint64_t name;
	DHCP6_COUNTERS(X)
#undef X
};
const struct dhcp6_counters *dhcp6_server_counters(const struct dhcp6_server *v);

#endif
