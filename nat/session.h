/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session: the table of the NAT: guests, mappings, sessions, their indexes and their ends.  It knows what is stored, found
 * and when it expires; what a packet means for a session is nat.c's and tcp.c's.
 *
 *   guest --------* mapping ------------------------* session
 *   (vid, ip)       (vid, proto, inside ip:port)      (remote ip:port)
 *                   <-> (outside ip:port)
 *
 *   out-index: (vid, proto, inside, remote)     -> session      index.h
 *   in-index:  (side, proto, outside, remote)   -> session
 *   map-index: (vid, proto, inside)             -> mapping
 *   ports:     [outside address][proto][port]   =  mapping, free, at rest since, or reserved: ports.h
 *   wheel:     wheel.h; a packet writes only seen_s, a visit files what still lives anew (O(1) a tick)
 *
 * A session of a rule (fixed outside port) and a routed one have no mapping: the session says all.
 *
 * Over.  A session is over when nothing came for its lifetime, or its lifetime is 0 (its network or rule is gone, flushed), or
 * its outside address left the pool.  session_find() never returns one that is over, whether it was swept or not; while the
 * wheel is up to date and nothing was changed, which is nearly always, that costs one comparison.  session_add() ends one that
 * is in its way.
 *
 * Memory.  96 bytes a session in the region, 12 in each of three indexes, 8 for each port of outside addresses: under 160 for
 * each session that has a mapping of its own.  Records are taken lowest first.  The indexes grow by a bucket of ten at a time
 * and no call ever waits for more.  Nothing is allocated after create.
 *
 * Trust.  The region may have been written by a crashed switch: session_table_create() keeps a record only if every
 * field of it is within bounds and agrees with the others; all else is made again from the records.  Ports that were at rest are
 * free then (RFC 6888 REQ-8 c).  A session whose outside address is not in the first pool ends: leases come first.
 */
#ifndef VFAB_NAT_SESSION_H
#define VFAB_NAT_SESSION_H

#include "nat/nat.h"
#include "nat/wheel.h"

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
	SESSION_STATES,
};

enum { SESSION_OPEN = 1 /* flags, nat.c's */, SESSION_HAIRPIN = 2 };

enum { SESSION_NONE = 0xffffffff };
enum { SESSION_ROUTED = 0x8000 }; /* in outside */

/* One remote end: all that a packet of an established UDP session touches, one cache line. */
struct session {
	struct ip inside, remote;
	uint16_t inside_port, outside_port, remote_port; /* host order; icmp: identifier, identifier, 0 */
	uint8_t proto, state;
	uint16_t vid;	  /* of the inside network */
	uint16_t outside; /* session_outside() knows; or SESSION_ROUTED | VLAN of the other network */
	/* What translation out changes: sum of new words and complements of old ones, HC' = ~(~HC + csum) of RFC 1624; in: its
	 * complement.  l3: addresses; l4: ports, and addresses where there is a pseudo header (not ICMP of IPv4).  session_add()
	 * sets them. */
	uint16_t csum_l3, csum_l4;
	uint32_t seen_s;
	uint32_t rx_frames, tx_frames; /* the lower half of each; from the inside, to the inside */
	uint16_t rule;		       /* place of the rule in the plan plus 1; 0: none */
	uint8_t kind;		       /* enum nat_kind */
	uint8_t flags;
};
_Static_assert(sizeof(struct session) == 64, "one line");

/* The rest of it: tcp, and what is seldom needed; session_more(). */
struct session_more {
	uint32_t seq[2], window[2]; /* tcp: highest end of data, window: [0] from inside, [1] from outside */
	struct wheel_link wheel;    /* which visit is its next */
	uint16_t rx_high, tx_high; /* of the counters */
	uint16_t slot;		   /* of the port behind which its guest is; SLOT_MAX: none */
	uint16_t generation;	   /* goes up when the record is taken: with its place, a serial */
};
_Static_assert(sizeof(struct session_more) == 32, "SPECIFICATION.md promises what a session costs");

/* What is known of a mapping; a copy. */
struct mapping {
	struct ip inside;
	uint16_t inside_port, outside_port;
	uint16_t vid, place; /* place: of the outside address in the pool */
	uint16_t slot;	     /* of the port behind which its guest was last; SLOT_MAX: none */
	uint8_t proto;
	uint32_t sessions;
};

/* Both ends of a packet as the index has them.  out: side is the VLAN of the inside network, near is the inside; in: side is the
 * VLAN that the packet came in by, near is its destination.  far is the remote. */
struct session_key {
	struct ip near, far;
	uint16_t near_port, far_port, side;
	uint8_t proto;
};

struct session_table;

/* Of region; aligned to 64. */
size_t session_region_bytes(void);
/* region, fresh, seed, now_ns: as nat_create().  NULL without memory.  Nothing is found before session_set_pool(). */
struct session_table *session_table_create(void *region, bool fresh, uint64_t now_ns, const uint64_t seed[2]);
void session_table_destroy(struct session_table *t);
/* Control thread, some times a second while there are more than a million sessions: touches memory that new ones will soon need, so
 * that no worker waits for a huge page to be cleared.  Needs no lock; may be left out. */
void session_table_touch(const struct session_table *t);

/* Seconds that a session lives when nothing comes, which nat.c knows; 0: it is over. */
typedef uint32_t (*session_lifetime)(const struct session *s, void *arg);
/* Told before one ends (log, counters). */
typedef void (*session_ending)(const struct session *s, void *arg);
void session_set_callbacks(struct session_table *t, session_lifetime lifetime, session_ending ending, void *arg);

/* A new configuration: session_set_pool(), session_reserve() for all that the rules name, session_commit().
 * The outside addresses: places 0 to n - 1 and the VLAN of the uplink of each; no two are equal.  One that was there before, at
 * whatever place, keeps its sessions; those of addresses that are gone are over. */
struct session_pool {
	struct ip ip;
	uint16_t vid;
};
void session_set_pool(struct session_table *t, const struct session_pool *pool, unsigned n);
/* Ports that no new mapping may take; proto PROTO_TCP, PROTO_UDP or PROTO_ICMP. */
void session_reserve(struct session_table *t, unsigned place, uint8_t proto, uint16_t first, uint16_t last);
/* From now on each session is judged anew by its lifetime, in session_find(); session_tick() ends those that are over and
 * files the others anew, in its usual steps. */
void session_commit(struct session_table *t);

/* Look up in three steps: hash, line, session. */
uint64_t session_hash(const struct session_table *t, const struct session_key *k);
const void *session_line(const struct session_table *t, enum nat_way way, uint64_t hash); /* prefetches it */
/* Prefetches the session, if there seems to be one, else SESSION_NONE. */
uint32_t session_guess(const struct session_table *t, enum nat_way way, const void *line, uint64_t hash);
/* The session of the key, or NULL.  guess may be SESSION_NONE: it is only a hint.  NAT_ROUTE counts as NAT_OUT. */
struct session *session_find(struct session_table *t, enum nat_way way, const struct session_key *k, uint64_t hash,
			     uint32_t guess, uint32_t now_s);
/* A packet of that key from inside has no session (the guess says so) and may be the first of a new one: prefetches for
 * session_add(). */
void session_expect(const struct session_table *t, const struct session_key *k);
struct session_more *session_more(const struct session_table *t, const struct session *s);
/* The outside address of one that is not routed. */
const struct session_pool *session_outside(const struct session_table *t, const struct session *s);
/* The place of that address of that uplink, or -1. */
int session_place(const struct session_table *t, const struct ip *ip, uint16_t vid);

/* The mapping of an inside end that has its outside address in places [place, place + n_places); false: none. */
bool mapping_find_inside(const struct session_table *t, const struct session_key *k, unsigned place, unsigned n_places,
			 struct mapping *out); /* near, near_port, side and proto of k */
bool mapping_find_outside(const struct session_table *t, unsigned place, uint8_t proto, uint16_t port, struct mapping *out);

/* What a new session is asked for. */
struct session_wish {
	uint16_t vid, slot;	 /* as in struct nat_job; SLOT_MAX: that of its guest, if it is known */
	uint8_t proto, kind, flags, state;
	struct ip inside, remote;
	uint16_t inside_port, remote_port;
	const struct nat_net *net; /* limits; is_open */
	unsigned place, n_places;  /* guests get one of the places [place, place + n_places) */
	uint16_t outside_port;	   /* NAT_FORWARD: the rule's, on place; NAT_DYNAMIC: 0, any free one of the class of inside_port */
	uint16_t other_vid;	   /* NAT_ROUTED */
	uint16_t rule;
};
/*
 * DROP_NONE; or the limit that it meets: NAT_FULL (network, or table), NAT_GUEST_FULL (guest, or access port), NAT_RATE,
 * NAT_PORTS (no port free, no such place, or another session has these very ends outside).  NAT_FULL as well if the key is
 * there and not over: who adds has looked before.  A mapping of the inside end is used, or made.
 *
 * Ports are random in their class (1-1023, and where none is free the others; 1024-65535; icmp: 0-65535).  A port at rest
 * (NAT_QUIET_S) is taken only when no other is free, the longest at rest first, and where RFC 6888 REQ-8 allows: tcp, whose
 * sessions we track (a), and networks that filter by remote address and port (c), not those that are open.
 */
enum drop session_add(struct session_table *t, const struct session_wish *w, uint64_t now_ns, struct session **out);
void session_end(struct session_table *t, struct session *s, uint64_t now_ns); /* its mapping and guest with the last one */
/* A session whose lifetime became shorter (TCP that closes) is filed anew.  Longer: nothing to do. */
void session_file(struct session_table *t, struct session *s, uint64_t now_ns);
/* As nat_tick().  UINT64_MAX: nothing can expire before another session is added, so ask again after that. */
uint64_t session_tick(struct session_table *t, uint64_t now_ns);

struct session *session_at(const struct session_table *t, uint32_t place); /* NULL: out of range or not in use */
uint32_t session_places(const struct session_table *t);			   /* all in use are below */
struct session_counts {
	uint32_t sessions, mappings, guests;
};
struct session_counts session_counts_all(const struct session_table *t);
struct session_counts session_counts_net(const struct session_table *t, uint16_t vid);
uint32_t session_ports(const struct session_table *t, unsigned place, uint8_t proto); /* in use */

#endif
