/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat: the translator between inside networks and outside addresses: stateful, for IPv4 and IPv6 by the same code.
 *
 * What.  A mapping ties (network, protocol, inside address:port) to one outside address:port as long as it has sessions, whoever
 * the remote end is (endpoint-independent mapping, RFC 4787 REQ-1, RFC 5382 REQ-1, RFC 5508 REQ-1).  A session is one remote end of
 * a mapping; by default only remote ends that the inside has spoken to get in (address and port-dependent filtering), for TCP and
 * UDP alike; a network may be open instead (RFC 4787 REQ-8, RFC 5382 REQ-3).
 * A rule (static forward) lets the outside begin.  A session can also be routed: between two networks, or to an exempt
 * destination, without translation, so that answers come back and nothing else does.
 *
 *      inside 10.0.0.5:4000 --- mapping --- outside 192.0.2.1:51734
 *                                  |-- session 198.51.100.7:53
 *                                  '-- session 198.51.100.8:53
 *
 * Behaviour.  Ports are random (RFC 6888 REQ-15, RFC 7857 9) in the class of the inside port (1-1023, 1024-65535), their parity
 * is not kept (RFC 7857 8), never shared (RFC 4787 REQ-3, RFC 5382 REQ-7), at rest for NAT_QUIET_S after use while others are
 * free (RFC 6888 REQ-8, REQ-13), and never one that a rule names.  One guest keeps one outside address for all protocols, out
 * of a pool of any shape (RFC 4787 REQ-2, RFC 6888 REQ-2, REQ-3, RFC 7857 4); protocols share nothing else (RFC 7857
 * 5).  Hairpin works for TCP, UDP and errors, with the outside address as source (RFC 4787 REQ-9, RFC 5382 REQ-8, RFC 5508
 * REQ-7).  What leaves keeps a session alive; what comes in does so once the inside has answered; errors and RSTs never do (RFC
 * 4787 REQ-6, RFC 7857 7.1).  A query ends with its session (RFC 7857 11).  A SYN that nobody asked for is dropped in silence
 * (RFC 5382 REQ-4).  Identifications of packets that may be fragmented are made unique (RFC 7857 10).  When something is full
 * the new session is refused with its own drop reason, and its guest hears of it; nothing that lives is ever evicted (RFC 6888
 * REQ-4, REQ-5, REQ-11), and behaviour is the same at any load (RFC 4787 REQ-11).  Deliberately missing: ALGs (RFC 4787 REQ-10,
 * RFC 5382 REQ-6), PCP, NAT64.
 *
 * Threads.  Data verbs, nat_tick(), nat_commit(), nat_list(), nat_flush() and nat_stats() are called by one thread at a time, which
 * the gateway's lock sees to; nat_plan_create() and nat_plan_destroy() are the control thread's and touch nothing of it.
 *
 * Time.  Monotonic, in ns; it may jump ahead by hours (suspend, test clock) and never goes back.
 *
 * Memory.  Sessions and mappings lie in the region that the caller gives, without pointers, and survive the process; the
 * indexes are private and made again from them.  Every page is touched on first use only.
 */
#ifndef VFAB_NAT_NAT_H
#define VFAB_NAT_NAT_H

#include <stddef.h>

#include "nat/plan.h"
#include "switch/base/packet.h"

enum {
	NAT_SESSIONS_MAX = 1 << 24, /* in all; also mappings */
	NAT_GUESTS_MAX = 65536,	    /* inside addresses with sessions */
	NAT_QUIET_S = 120,
	NAT_TICK_VISITS = 256, /* of sessions in one nat_tick() */
	NAT_ERROR_SNAP = 256, /* bytes of an ICMP error that the snapshot must hold, or all of it */
};

struct nat;

/* The bytes that a region must have; most of them stay address space. */
size_t nat_region_bytes(void);
/*
 * fresh: the region is cleared; else each record in it is checked and kept, or dropped.  region is 64-byte aligned and stays the
 * caller's.  seed: random.  NULL without memory.
 */
struct nat *nat_create(void *region, bool fresh, uint64_t now_ns, const uint64_t seed[2]);
void nat_destroy(struct nat *n); /* the region stays; NULL is fine */

/*
 * Makes it the running one and returns the one before (NULL: there was none), whose counters have gone over; the time does not grow
 * with sessions, but for the first one after a restart.  Sessions of networks, addresses and rules that are gone or say
 * something else now pass nothing any more and end within seconds, in nat_tick().
 */
struct nat_plan *nat_commit(struct nat *n, struct nat_plan *plan);

/* --- Data --- */

/* One packet on its way through.  The caller fills the first part; the rest is 0 and nat.c's own. */
struct nat_job {
	struct packet *k;
	uint16_t vid;	/* out: the network it came from; in: the VLAN of the uplink.  Afterwards: where it goes */
	uint16_t slot;	/* out: the port it came in by, for its quota; SLOT_MAX: none */
	uint16_t to_vid; /* nat_route(): the network it wants to */
	uint8_t sought;	 /* enum nat_way plus 1 */
	uint32_t session;
	uint64_t hash;
};

/* For a vector in steps, so that the cache misses of a step overlap: all seek, all fetch, then one verb for each; both may be left
 * out.  Nothing of a packet that the hash knows may change in between. */
enum nat_way { NAT_OUT, NAT_IN, NAT_ROUTE };
void nat_seek(struct nat *n, struct nat_job *j, enum nat_way way); /* hash; asks for the line of the index */
void nat_fetch(struct nat *n, struct nat_job *j);		   /* reads it; asks for the session's lines */
/* The same for many at once, of UDP or TCP, no fragments, on their way out; then neither may be left out. */
void nat_seek_out(struct nat *n, struct nat_job *const *j, unsigned count);
void nat_fetch_out(struct nat *n, struct nat_job *const *j, unsigned count);

/*
 * Out: a packet of an inside network to an address outside, or to an outside address of ours (hairpin: then it is translated
 * twice).  In: a packet from an uplink to an address of its pool, or of a session that is exempt.  Both rewrite the packet, and
 * set j->vid to the VLAN in which it goes on.  TTL, MAC addresses and MTU are the caller's.
 *
 * DROP_NONE; or why not, and then the packet is as it was, except after a hairpin.  DROP_NO_SERVICE: for an outside address of
 * ours, nothing translates it, and it may be for the gateway itself: an ICMP request, DHCP (UDP 67, 68, 546, 547, which no
 * mapping takes), a protocol that is not translated.  Errors (packet_is_error) are translated with the packet that they hold,
 * whoever sends them, and neither refresh nor end a session (RFC 5508 4).  They come with NAT_ERROR_SNAP bytes in the snapshot.
 *
 * Fragments wait for their first one, within limits (frag.h); the packet is taken then: *held is true, the frame is copied,
 * and comes back by nat_held() when its time has come.
 */
enum drop nat_out(struct nat *n, struct nat_job *j, uint64_t now_ns, bool *held);
enum drop nat_in(struct nat *n, struct nat_job *j, uint64_t now_ns, bool *held);
/* From network j->vid to j->to_vid without translation: begins a session or goes on with one, if the route allows that
 * way (may_begin), or is the answer of one that the other way began. */
enum drop nat_route(struct nat *n, struct nat_job *j, bool may_begin, uint64_t now_ns, bool *held);

/* Fragments that waited and whose session is known now: translated.  f and k become the next one, which lives until the next
 * call; *vid: where it goes.  False: no more. */
bool nat_held(struct nat *n, struct packet *k, struct frame *f, uint16_t *vid, uint64_t now_ns);

/* --- Time --- */

/* Ends what has expired, at most NAT_TICK_VISITS visits.  Returns when it wants to be called again: now_ns: at once, there is
 * more; UINT64_MAX: there is nothing that could expire. */
uint64_t nat_tick(struct nat *n, uint64_t now_ns);

/* --- Seeing --- */

enum nat_kind { NAT_DYNAMIC, NAT_FORWARD, NAT_ROUTED };

struct nat_entry {
	uint16_t vid, outside_vid; /* of a routed one: the other network */
	uint8_t proto, kind;	   /* enum nat_kind */
	struct ip inside_ip, outside_ip, remote_ip;
	uint16_t inside_port, outside_port, remote_port;
	const char *state; /* udp, icmp: new, answered; tcp: syn_sent, syn_received, established, closing, closed, reset */
	uint32_t idle_s, expires_s;
	uint64_t rx_frames, tx_frames; /* rx: from the inside (into the switch); tx: to the inside */
	uint64_t serial;
};

/* Which sessions: 0 and zero addresses mean any. */
struct nat_filter {
	uint16_t vid;
	uint16_t slot_plus_1; /* of the port behind which the guest is; 0: any */
	uint8_t proto;	      /* PROTO_TCP, PROTO_UDP, PROTO_ICMP (both families) */
};

/*
 * Copies up to max sessions that match, from place *cursor (0 at first) on, and moves it; looks at no more than 4096 records.
 * *cursor is UINT64_MAX after the last.  Returns how many were copied.
 */
unsigned nat_list(const struct nat *n, const struct nat_filter *filter, uint64_t *cursor, struct nat_entry *out,
		  unsigned max, uint64_t now_ns);
/* Ends those that match, likewise in steps of at most 1024 records.  Returns how many ended. */
unsigned nat_flush(struct nat *n, const struct nat_filter *filter, uint64_t *cursor, uint64_t now_ns);

struct nat_net_stats {
	uint16_t vid;
	uint32_t sessions, mappings, guests, limit;
	uint64_t created, expired;
	uint64_t refused[DROP_COUNT]; /* by reason; only those of NAT count */
};
struct nat_stats {
	uint32_t sessions, mappings, guests, fragments; /* now; fragments: that wait */
	uint64_t fragment_bytes, fragments_lost;	/* lost: waited in vain, or had to go for younger ones */
	uint64_t log_lost;
	unsigned n_pool;
	struct {
		struct ip ip;
		uint32_t ports[3]; /* in use: tcp, udp, icmp */
	} pool[NAT_POOL_MAX];
};
void nat_stats(const struct nat *n, struct nat_stats *out);
bool nat_net_stats(const struct nat *n, uint16_t vid, struct nat_net_stats *out); /* false: no such network */

/* Session log: records for the control thread, in a ring that loses when it is full (RFC 6888 4). */
struct nat_log_record {
	uint64_t time_ns; /* monotonic */
	bool is_end;
	struct nat_entry e; /* of NAT_LOG_ON: begin and end of a mapping, without remote end */
};
bool nat_log_read(struct nat *n, struct nat_log_record *out); /* control thread; false: none waits */

#endif
