/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server: the DHCPv4 server of all networks: a datagram in, at most one answer out.  No sockets, no clocks.
 *
 *   DISCOVER --> an address of the pool or the reservation --> OFFER (and an ARP probe of it, while the offer is out)
 *   REQUEST  --> of ours by option 54: bind --> ACK, or NAK;   of another server's: the offer is free again, silence
 *                INIT-REBOOT (option 50, no 54): known and right: ACK; wrong network or wrong address: NAK to all; unknown: silence
 *                RENEW, REBIND (ciaddr): ACK, or NAK where it is not his
 *   DECLINE  --> by its owner: quarantine      RELEASE --> by its owner: free       INFORM --> ACK without an address or times
 *
 * RFC 2131 4.1-4.3, RFC 2132, RFC 3046 (option 82 echoed whole, last before END), RFC 3396, RFC 3442, RFC 3527 (link selection),
 * RFC 4361, RFC 4578 (93), RFC 5107 (sub-option 11: server id override), RFC 6842, RFC 3397 (119), RFC 8910 not.
 * Not done: BOOTP without option 53, FORCERENEW, leasequery, option 80 rapid commit.
 *
 * Who asks.  A client is its option 61, else its MAC.  A datagram that was not relayed must come from the MAC in chaddr, else it is
 * ignored (D17).  A live lease belongs to the port by which it was asked for: RELEASE and DECLINE by another port are ignored;
 * REQUEST and DISCOVER by another port move it, unless that port `is_tied` (guard strict), or the lease is bound, that port
 * `is_there`, and the MAC is not the one that has it: a client id is no secret.  These are ignored.
 * A reserved address goes from one client id to the next of the same MAC (firmware, then the system), or of the port that it is
 * reserved for.  While somebody else uses it, its client gets another one.  What a client has it can renew, though another one is
 * reserved for it by now: that comes with the next DISCOVER or INIT-REBOOT.
 *
 * Relays.  From another network only those that the client's network names, both giaddr and the source of the datagram; what
 * others send is ignored.  In the client's own network any guest may be one, with a giaddr of its own.
 *
 * The cap of a port counts what comes through a relay in the client's own network, not through one in another, nor what is
 * `is_shared`.  A relayed client may renew through a router, from whose MAC that comes, when its lease came by that port.
 *
 * The answer is at most what the client can take (option 57, else 576 bytes of IP), padded to 300 bytes, every byte of it written.
 * Options that did not fit go into file and sname (52) when these are not used; option 82 never does; the least wanted by option 55
 * are left out.
 */
#ifndef VFAB_DHCP_SERVER_H
#define VFAB_DHCP_SERVER_H

#include "dhcp/net.h"
#include "dhcp/wire.h"

struct dhcp_server;

/* What the server wants to know of the world. */
struct dhcp_world {
	void *arg;
	/* The network of a relayed client: whose prefix holds `link` and which may be asked for by way of `from`; NULL: none. */
	const struct dhcp_net *(*net_of_link)(void *arg, const struct dhcp_net *from, const struct ip *link);
	/* Is what this port has tied to it: another port cannot take it over? */
	bool (*is_tied)(void *arg, const char *port);
	/* Is there such a port, and is it up? */
	bool (*is_there)(void *arg, const char *port);
};

/* Borrows s and what the world's arg is; copies the rest. */
struct dhcp_server *dhcp_server_create(struct leases *s, const struct dhcp_world *world);
void dhcp_server_destroy(struct dhcp_server *v); /* NULL is fine */

/* A datagram for UDP port 67. */
struct dhcp_ask {
	const uint8_t *payload;
	size_t len;
	struct mac src_mac;
	struct ip src, dst;
	const char *port; /* it came in by */
	bool is_shared;	  /* trunk or uplink: many clients are behind that port: its cap does not count them */
};

struct dhcp_answer {
	uint16_t len; /* 0: silence */
	uint8_t payload[DHCP_MAX_BYTES];
	struct dhcp_ends ends; /* of the frame; src is the gateway */
	bool has_probe;	       /* ask by ARP whether somebody has `probe`; what comes goes to dhcp_server_conflict() */
	struct ip probe;
};
/* net: of the VLAN that it came in by.  Fills all of out. */
void dhcp_server_receive(struct dhcp_server *v, const struct dhcp_net *net, const struct dhcp_ask *ask, uint64_t now_ms,
			 struct dhcp_answer *out);
/* Somebody with that MAC answered by ARP.  If we probed that address within 3 s, and he is not the client himself, it is not given
 * (D14); else nothing happens, whoever says it. */
void dhcp_server_conflict(struct dhcp_server *v, const struct dhcp_net *net, const struct ip *ip, const struct mac *mac,
			  uint64_t now_ms);

/* What came and what became of it, ever, of all networks: X(name). */
#define DHCP_COUNTERS(X)                                                             \
	X(discover) X(request) X(decline) X(release) X(inform) X(offer) X(ack) X(nak) \
	X(malformed)  /* no DHCP message, none that a server takes, or one that leaves no room for an answer */ \
	X(spoofed)    /* chaddr is not the sender's, the lease is another's, or no relay that may ask */      \
	X(other_server) X(unknown) /* not ours to answer */                                                   \
	X(none_free) X(port_cap) X(conflict) X(relayed)
struct dhcp_counters {
#define X(name) uint64_t name;
	DHCP_COUNTERS(X)
#undef X
};
const struct dhcp_counters *dhcp_server_counters(const struct dhcp_server *v);

#endif
