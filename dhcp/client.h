/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client: asks for the address of an uplink.  A state machine without sockets, clocks or memory of its own.
 *
 *            .--> INIT --> SELECTING --> REQUESTING --.            known lease
 *            |  wait    discover     request          v ack             |
 *   nak, end |                                      BOUND <-- ack -- REBOOTING
 *            |                                    T1 |  ^ ack           request
 *            |                                       v  |
 *            '---------------- REBINDING <-- T2 -- RENEWING
 *                              request to all      request to our server
 *
 * What.  The caller gives it what arrives on UDP port 68 of the uplink, and calls dhcp_client_tick() when it is due; it gets back
 * a payload to send and an event.  dhcp_client_frame() makes the whole Ethernet frame of it:
 *
 *      dhcp_client_tick(&c, now_ms, &out);            or _receive, _conflict, _link, _release
 *      if (out.len > 0)
 *              gateway_send(g, vid, frame, (uint16_t)dhcp_client_frame(&c, &out, frame));
 *      if (out.event == DHCP_EVENT_BOUND) ... c.lease holds ...
 *      else if (out.event == DHCP_EVENT_LOST) ... take the address away ...
 *      call again at c.due_ms
 *
 * A lease may be kept and given to dhcp_client_init() after a restart: it is in use at once (DHCP_EVENT_BOUND comes with the first
 * tick), and the server is asked whether it holds.  While it has no address the client asks for answers by broadcast; in both
 * cases they are for the MAC of the leg or for all, UDP port 68.
 *
 * RFC 2131 4.4, RFC 2132, RFC 3396, RFC 3442, RFC 4361 (client id: DUID-LL of the leg's MAC).  Not done: BOOTP servers, FORCERENEW,
 * choice among several offers (the first good one wins), more than the default of the routes offered.
 *
 * Trust.  A lease out of the state region may be anything: dhcp_client_init() checks it.
 */
#ifndef VFAB_DHCP_CLIENT_H
#define VFAB_DHCP_CLIENT_H

#include "dhcp/wire.h"

enum {
	DHCP_DNS_MAX = 4,
	DHCP_DOMAIN_SIZE = 64,
	DHCP_NAME_SIZE = 64,
	DHCP_LEASE_MIN_S = 10, /* a shorter one is not accepted */
	DHCP_ASK_BYTES = 320,  /* the longest message that the client writes */
};

enum dhcp_state {
	DHCP_INIT,
	DHCP_SELECTING,
	DHCP_REQUESTING,
	DHCP_REBOOTING,
	DHCP_BOUND,
	DHCP_RENEWING,
	DHCP_REBINDING,
	DHCP_STOPPED, /* released */
};

enum dhcp_event {
	DHCP_EVENT_NONE,
	DHCP_EVENT_BOUND, /* lease is in use from now on, or something in it changed; the caller probes a new address (RFC 5227) */
	DHCP_EVENT_RENEWED, /* only its times changed */
	DHCP_EVENT_LOST,    /* expired, refused, declined or released: nothing may use the address any more */
};

/* No pointers: may be kept in the state region.  Times are of the monotonic clock. */
struct dhcp_lease {
	struct prefix address;
	struct ip gateway, server; /* gateway: zero, 0.0.0.0: none */
	struct mac server_mac;	   /* that its answers come from: its own, or its relay's */
	uint16_t mtu;		   /* 0: none told */
	uint8_t n_dns;
	struct ip dns[DHCP_DNS_MAX];
	char domain[DHCP_DOMAIN_SIZE];
	uint64_t renew_ms, rebind_ms, end_ms; /* T1, T2, its end; UINT64_MAX: never */
};

struct dhcp_client {
	char name[DHCP_NAME_SIZE]; /* of the uplink, for the log */
	struct mac mac;
	enum dhcp_state state;
	bool has_address;	/* lease is in use */
	bool is_known;		/* it came from before a restart, and nobody was told yet */
	struct dhcp_lease lease; /* in use, or about to be requested */
	uint64_t due_ms;	/* when dhcp_client_tick() is to be called; UINT64_MAX: not */
	uint32_t xid;
	uint64_t began_ms; /* of this exchange: `secs` */
	uint64_t asked_ms; /* of the first request of this exchange: leases count from it */
	unsigned tries;	   /* retransmissions in this state */
	unsigned refusals; /* in a row: how long INIT waits */
	uint64_t random;
};

/* What is to be done now. */
struct dhcp_out {
	enum dhcp_event event;
	uint16_t len; /* of the payload; 0: nothing is to be sent */
	uint8_t payload[DHCP_ASK_BYTES];
	struct ip src, dst; /* 0.0.0.0 and 255.255.255.255, or our address and the server's */
	struct mac dst_mac;
};

/* What arrived on UDP port 68: as in struct gateway_datagram. */
struct dhcp_in {
	const uint8_t *payload;
	size_t len;
	struct mac src_mac;
};

/* known: a lease from before, or NULL; one that expired or makes no sense is ignored.  seed: of its randomness. */
void dhcp_client_init(struct dhcp_client *c, const char *name, const struct mac *mac, const struct dhcp_lease *known,
		      uint64_t seed, uint64_t now_ms);
/* Each fills all of out. */
void dhcp_client_tick(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out);
void dhcp_client_receive(struct dhcp_client *c, const struct dhcp_in *in, uint64_t now_ms, struct dhcp_out *out);
/* Somebody else has the address (ARP): it is declined, and another one asked for ten seconds later. */
void dhcp_client_conflict(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out);
/* The interface has its carrier back, may be on another segment: asks at once. */
void dhcp_client_link(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out);
/* The uplink goes: gives the lease back and stops. */
void dhcp_client_release(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out);

/* The Ethernet frame of out; its bytes. */
size_t dhcp_client_frame(const struct dhcp_client *c, const struct dhcp_out *out, uint8_t frame[static DHCP_FRAME_MAX]);

const char *dhcp_state_word(enum dhcp_state state);

#endif
