/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session: the table of the NAT: guests, mappings, sessions, their indexes and their ends.  It knows what is stored, found
 * and when it expires; what a packet means for a session is nat.c's and tcp.c's.
 *
 *   guest --------* mapping ------------------------* session
 *   (vid, ip)       (vid, proto, inside ip:port)      (remote ip:port)
 *                   <-> (outside ip:port)
 *
 *   out-index: (vid, proto, inside, remote)     -> session      one cache line with 10 tags and places, two choices
 *   in-index:  (side, proto, outside, remote)   -> session      likewise
 *   map-index: (vid, proto, inside)             -> mapping      likewise
 *   ports:     [outside address][proto][port]   -> mapping, free, or at rest since
 *   wheel:     1 s x 512, then 512 s x 64; a packet writes only seen_s, a visit files what still lives anew (O(1) a tick)
 *
 * Memory.  96 bytes a session and 32 a mapping in the region, 3 x about 8 in the indexes: under 160 for each session that has
 * a mapping of its own.  Records are taken lowest first.  The indexes are private; they grow by halves, a few buckets with each
 * new session, and no call ever waits for all of it.
 *
 * Trust.  The region may have been written by a crashed switch: session_table_create() keeps a record only if every
 * field of it is within bounds and agrees with its mapping.
 */
#ifndef VFAB_NAT_SESSION_H
#define VFAB_NAT_SESSION_H

#include "nat/nat.h"

enum session_state {
	SESSION_FREE, /* the record is not in use */
	SESSION_NEW,  /* udp, icmp: one way so far */
	SESSION_ANSWERED,
	SESSION_SYN_SENT, /* tcp, after RFC 5382 and RFC 7857 2: the first SYN came from inside */
	SESSION_SYN_RECEIVED, /* from outside */
	SESSION_ESTABLISHED,
	SESSION_CLOSING, /* a FIN */
	SESSION_CLOSED,	 /* FINs of both sides, acknowledged */
	SESSION_RESET,	 /* an acceptable RST */
	SESSION_DEAD,	 /* flushed, or its network, rule or address is gone: passes nothing, the wheel ends it */
};

enum { SESSION_OPEN = 1 /* flags: any remote may use it */, SESSION_HAIRPIN = 2 };

enum { SESSION_NONE = 0xffffffff };

/* One remote end.  The first line is all that a packet of an established UDP session touches. */
struct session {
	struct ip inside, remote;
	uint16_t inside_port, outside_port, remote_port; /* host order; icmp: identifier, identifier, 0 */
	uint8_t proto, state;
	uint16_t vid;	  /* of the inside network */
	uint16_t outside; /* place of the outside address in the pool; routed: VLAN of the other network */
	uint16_t csum_l3, csum_l4; /* what translation out adds to the IPv4 header's and the L4 checksum (RFC 1624) */
	uint32_t seen_s;
	uint32_t mapping;   /* SESSION_NONE: routed */
	uint32_t rx_frames, tx_frames; /* the lower half of each; from the inside, to the inside */
	/* second line: tcp, and what is seldom needed */
	uint32_t seq[2], window[2]; /* tcp: highest end of data, window: [0] from inside, [1] from outside */
	uint32_t next_of_mapping, next_of_wheel;
	uint16_t rx_high, tx_high; /* of the counters */
	uint16_t rule;	       /* place of the rule in the plan plus 1; 0: none */
	uint8_t kind;	       /* enum nat_kind */
	uint8_t flags;
};
_Static_assert(sizeof(struct session) == 96, "SPECIFICATION.md promises what a session costs");

struct mapping {
	struct ip inside;
	uint16_t inside_port, outside_port;
	uint16_t vid, outside;
	uint32_t first; /* session; SESSION_NONE: the record is free */
	uint8_t proto, reserved;
	uint16_t slot; /* of the port behind which its guest is; SLOT_MAX: none */
};
_Static_assert(sizeof(struct mapping) == 32, "as above");

/* Both ends of a packet as the index has them.  out: side is the VLAN of the inside network, near is the inside; in: side is the
 * VLAN that the packet came in by, near is its destination.  far is the remote. */
struct session_key {
	struct ip near, far;
	uint16_t near_port, far_port, side;
	uint8_t proto;
};

struct session_table;

/* region, fresh, seed, now_ns: as nat_create().  NULL without memory. */
struct session_table *session_table_create(void *region, bool fresh, uint64_t now_ns, const uint64_t seed[2]);
void session_table_destroy(struct session_table *t);

/* The outside addresses: places 0 to n - 1 and the VLAN of the uplink of each.  A place whose address is another now has its
 * sessions marked SESSION_DEAD in time (session_sweep). */
struct session_pool {
	struct ip ip;
	uint16_t vid;
};
/* ... and which ports of each no mapping may take: what rules name; proto 0 tcp, 1 udp. */
void session_set_pool(struct session_table *t, const struct session_pool *pool, unsigned n);
void session_reserve(struct session_table *t, unsigned place, unsigned proto, uint16_t first, uint16_t last);

/* Look up in three steps: hash, line, session. */
uint64_t session_hash(const struct session_table *t, const struct session_key *k);
const void *session_line(const struct session_table *t, enum nat_way way, uint64_t hash); /* prefetches it */
uint32_t session_guess(const struct session_table *t, const void *line, uint64_t hash);	/* prefetches the session, or SESSION_NONE */
/* The session of the key, or NULL.  guess may be SESSION_NONE. */
struct session *session_find(struct session_table *t, enum nat_way way, const struct session_key *k, uint64_t hash,
			     uint32_t guess);

struct mapping *mapping_find_inside(struct session_table *t, uint16_t vid, uint8_t proto, const struct ip *ip,
				    uint16_t port);
struct mapping *mapping_find_outside(struct session_table *t, unsigned place, uint8_t proto, uint16_t port);
/* The place of that address of that uplink, or -1. */
int session_place(const struct session_table *t, const struct ip *ip, uint16_t vid);

/* What a new session is asked for.  DROP_NONE, or the limit that it meets: NAT_FULL, NAT_GUEST_FULL, NAT_RATE, NAT_PORTS. */
struct session_wish {
	uint16_t vid, slot;	 /* as in struct nat_job */
	uint8_t proto, kind, flags, state;
	struct ip inside, remote;
	uint16_t inside_port, remote_port;
	const struct nat_net *net; /* limits and the uplink; guests get one of the places [place, place + n_places) */
	unsigned place, n_places;
	uint16_t outside_port; /* a rule's, with place: fixed; 0: any free one of the class of inside_port */
	uint16_t other_vid;    /* NAT_ROUTED */
	uint16_t rule;
};
enum drop session_add(struct session_table *t, const struct session_wish *w, uint64_t now_ns, struct session **out);
void session_end(struct session_table *t, struct session *s, uint64_t now_ns); /* its mapping, guest and port with the last one */

/* Seconds that a session in that state of that network lives when nothing comes, which nat.c knows. */
typedef uint32_t (*session_lifetime)(const struct session *s, void *arg);
/* Told before one ends (log, counters). */
typedef void (*session_ending)(const struct session *s, void *arg);
void session_set_callbacks(struct session_table *t, session_lifetime lifetime, session_ending ending, void *arg);
/* A session whose lifetime became shorter is filed anew (TCP that closes). */
void session_file(struct session_table *t, struct session *s, uint64_t now_ns);
uint64_t session_tick(struct session_table *t, uint64_t now_ns); /* as nat_tick() */

struct session *session_at(struct session_table *t, uint32_t place); /* NULL: out of range or not in use */
uint32_t session_places(const struct session_table *t);		     /* all in use are below */
struct session_counts {
	uint32_t sessions, mappings, guests;
};
struct session_counts session_counts_all(const struct session_table *t);
struct session_counts session_counts_net(const struct session_table *t, uint16_t vid);

#endif
