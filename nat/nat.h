/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat: the translator between inside networks and outside addresses: stateful, for IPv4 and IPv6 by the same code.
 *
 * What.  A mapping ties (network, protocol, inside address:port) to one outside address:port for as long as it has sessions, whoever
 * the remote end is (endpoint-independent mapping, RFC 4787 4.1, RFC 5382 4.1, RFC 5508 3).  A session is one remote end of a
 * mapping; by default only remote ends that the inside has spoken to get in (address and port-dependent filtering, RFC 4787 5).
 * A rule (static forward) lets the outside begin.  A session can also be routed: between two networks, or to an exempt
 * destination, without translation, so that answers come back and nothing else does.
 *
 *      inside 10.0.0.5:4000 --- mapping --- outside 192.0.2.1:51734
 *                                  |-- session 198.51.100.7:53
 *                                  '-- session 198.51.100.8:53
 *
 * Behaviour.  Ports are random (RFC 6056) in the class of the inside port (0-1023, 1024-65535), never shared, at rest for
 * NAT_QUIET_S after use while others are free (RFC 6888 REQ-8), and never one that a rule names; one guest keeps one outside
 * address (paired pooling).  Hairpin works, with the outside address as source.  When something is full the new session is
 * refused with its own drop reason; nothing that lives is ever evicted, and behaviour is the same at any load.
 * RFC 4787, 5382, 5508, 6888, 7857.  Deliberately missing: ALGs, PCP, NAT64.
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

#include "switch/base/packet.h"

enum {
	NAT_SESSIONS_MAX = 1 << 24, /* in all; also mappings */
	NAT_OUTSIDE_MAX = 64,	    /* uplinks */
	NAT_POOL_MAX = 256,	    /* outside addresses in all, both families */
	NAT_GUESTS_MAX = 65536,	    /* inside addresses with sessions */
	NAT_RULES_MAX = 4096,
	NAT_ALLOW_MAX = 16,  /* prefixes of one rule */
	NAT_EXEMPT_MAX = 16, /* prefixes of one network */
	NAT_ID_SIZE = 160,
	NAT_QUIET_S = 120,
	NAT_TICK_VISITS = 256, /* of sessions in one nat_tick() */
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

/* --- Configuration --- */

enum nat_log { NAT_LOG_OFF, NAT_LOG_ON, NAT_LOG_DESTINATIONS };

/* An inside network. */
struct nat_net {
	uint16_t vid;		   /* its VLAN, 1-4094 */
	uint16_t outside;	   /* index of the outside that it leaves by */
	bool is_open;		   /* filtering: endpoint-independent */
	bool routes_v6;		   /* its IPv6 passes untranslated (and unfiltered) */
	uint32_t udp_s, tcp_s, tcp_transitory_s, icmp_s;
	uint32_t sessions, per_guest; /* limits; per_guest also holds for all guests behind one access port */
	uint32_t rate;		   /* new sessions a second of one guest, burst of one second; 0: no limit */
	uint8_t log;		   /* enum nat_log */
	struct prefix exempt[NAT_EXEMPT_MAX]; /* destinations that are not translated */
	unsigned n_exempt;
};

/* The outside of an uplink: its addresses, of which the first of each family is the gateway's own. */
struct nat_outside {
	uint16_t vid; /* its VLAN */
	struct ip pool[16];
	unsigned n_pool;
};

/* A static forward of one protocol.  first-last on bind go to guest_first... on guest. */
struct nat_rule {
	char id[NAT_ID_SIZE]; /* NETWORK/PROTO/BIND:PORT: the same rule in two configurations has the same */
	uint16_t vid;	      /* of the guest's network */
	uint16_t outside;
	struct ip bind; /* all zero: every address of the outside, of the guest's family */
	uint8_t proto;
	uint16_t first, last, guest_first;
	struct ip guest;
	struct prefix allow[NAT_ALLOW_MAX];
	unsigned n_allow; /* 0: everybody */
};

struct nat_conf {
	const struct nat_net *nets;
	const struct nat_outside *outsides;
	const struct nat_rule *rules; /* no two of them overlap */
	unsigned n_nets, n_outsides, n_rules;
};

/* Everything that a configuration needs, prepared by the control thread; conf is copied.  NULL without memory. */
struct nat_plan *nat_plan_create(const struct nat_conf *conf);
/*
 * Makes it the running one in time that does not grow with sessions and returns the one before (NULL: there was none), whose counters of rules have gone over.
 * Sessions of networks, addresses and rules that are gone pass nothing from now on and end within seconds, in nat_tick().
 */
struct nat_plan *nat_commit(struct nat *n, struct nat_plan *plan);
void nat_plan_destroy(struct nat_plan *plan); /* NULL is fine */

/* --- Data --- */

/* One packet on its way through.  The caller fills the first part. */
struct nat_job {
	struct packet *k;
	uint16_t vid;	/* out: the network it came from; in: the VLAN of the uplink.  Afterwards: where it goes */
	uint16_t slot;	/* out: the port it came in by, for its quota; SLOT_MAX: none */
	uint16_t to_vid; /* nat_route(): the network it wants to */
	/* nat.c's own, between the steps */
	uint64_t hash;
	const void *line;
	uint32_t session;
	uint8_t way;
};

/*
 * For a vector in steps, so that the cache misses of a step overlap: all seek, all fetch, then one verb for each.
 * Both may be left out.
 */
enum nat_way { NAT_OUT, NAT_IN, NAT_ROUTE };
void nat_seek(struct nat *n, struct nat_job *j, enum nat_way way); /* hash; asks for the line of the index */
void nat_fetch(struct nat *n, struct nat_job *j);		   /* reads it; asks for the session's lines */

/*
 * Out: a packet of an inside network to an address outside, or to an outside address of ours (hairpin: then it is translated
 * twice).  In: a packet from an uplink to an address of its pool.  Both rewrite the packet, and set j->vid to the VLAN
 * in which it goes on.  TTL, MAC addresses and MTU are the caller's.
 *
 * DROP_NONE; or why not.  DROP_NO_SERVICE from nat_in: nothing translates it, it may be for the gateway itself (ICMP echo,
 * a service).  Errors about packets (ICMP types 3, 4, 5 no, 11, 12; ICMPv6 1-4) are translated with the packet that they hold,
 * and neither refresh nor end a session (RFC 5508 4).
 *
 * Fragments wait for their first one, within limits (frag.h); the packet is taken then: *held is true, the frame is copied,
 * and comes back by nat_held() when its time has come.
 */
enum drop nat_out(struct nat *n, struct nat_job *j, uint64_t now_ns, bool *held);
enum drop nat_in(struct nat *n, struct nat_job *j, uint64_t now_ns, bool *held);
/* From network j->vid to j->to_vid without translation: begins a session, if the route allows that way (may_begin), or
 * belongs to one of either way. */
enum drop nat_route(struct nat *n, struct nat_job *j, bool may_begin, uint64_t now_ns, bool *held);

/*
 * Fragments that waited and whose session is known now: translated.  f and k are the memory of the next one; it lives until the next
 * call.  *vid: where it goes.  False: no more.
 */
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
	const char *state; /* udp: new, answered; tcp: syn_sent, syn_received, established, closing, closed, reset; icmp: new, answered */
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
	uint64_t fragment_bytes;
	unsigned n_pool;
	struct {
		struct ip ip;
		uint32_t ports[3]; /* in use: tcp, udp, icmp */
	} pool[NAT_POOL_MAX];
};
void nat_stats(const struct nat *n, struct nat_stats *out);
bool nat_net_stats(const struct nat *n, uint16_t vid, struct nat_net_stats *out); /* false: no such network */

/* Of the rule with that id: sessions now, frames ever.  Any thread; false: no such rule. */
bool nat_rule_stats(const struct nat_plan *plan, const char *id, uint32_t *sessions, uint64_t *frames);

/* Session log: records for the control thread, in a ring that loses when it is full (RFC 6888 4). */
struct nat_log_record {
	uint64_t time_ns; /* monotonic */
	bool is_end;
	struct nat_entry e; /* the remote is zero unless the network logs destinations */
};
bool nat_log_read(struct nat *n, struct nat_log_record *out); /* control thread; false: none waits */

#endif
