/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * neigh: who has which address on a VLAN: the table of ARP (RFC 826) and neighbour discovery (RFC 4861) of the gateway,
 * and the packets that wait for an answer.
 *
 * States after RFC 4861 7.3.2, for both families: INCOMPLETE (asked, frames wait) -> REACHABLE -> STALE -> PROBE -> gone.
 *
 * Threads.  One at a time, which the gateway's lock sees to.  Memory.  Entries lie in the state region, bounds-checked when it is
 * mapped; frames that wait are private and are lost with the process.
 *
 * Limits.  NEIGH_MAX entries, NEIGH_VLAN_MAX of one VLAN, so that nobody who scans a prefix takes the place of others; an
 * INCOMPLETE entry goes before a new one is refused.  NEIGH_WAIT frames wait for each, NEIGH_WAIT_ALL in all; the oldest
 * goes first (RFC 1122 2.3.2.2).  Three questions, one a second.
 *
 * Trust.  Answers come from guests and from the outside: only the address that was asked, or that speaks to us, is learned, only within the
 * prefixes of the VLAN, never our own address, and a claim to ours is an event.
 */
#ifndef VFAB_SWITCH_NEIGH_H
#define VFAB_SWITCH_NEIGH_H

#include "switch/base/addr.h"
#include "switch/base/frame.h"

enum {
	NEIGH_MAX = 16384,
	NEIGH_VLAN_MAX = 4096,
	NEIGH_WAIT = 4,
	NEIGH_WAIT_ALL = 256,
	NEIGH_REACHABLE_S = 30,
	NEIGH_STALE_S = 600, /* forgotten when it was not used for so long */
	NEIGH_ASK_MAX = 3,
	NEIGH_ASK_S = 1,
};

enum neigh_state { NEIGH_NONE, NEIGH_INCOMPLETE, NEIGH_REACHABLE, NEIGH_STALE, NEIGH_PROBE };

struct neigh_entry {
	struct ip ip;
	uint16_t vid;
	uint8_t state; /* enum neigh_state */
	uint8_t asked; /* questions without an answer */
	struct mac mac;
	uint16_t reserved;
	uint32_t seen_s; /* confirmed */
	uint32_t used_s; /* last looked up */
	uint32_t reserved2;
};
_Static_assert(sizeof(struct neigh_entry) == 40, "the region's layout");

struct neigh_table { /* in the state region */
	struct neigh_entry entry[NEIGH_MAX];
};

struct neigh;

/* fresh: the table is cleared; else each entry is checked.  NULL without memory. */
struct neigh *neigh_create(struct neigh_table *table, bool fresh, const uint64_t seed[2]);
void neigh_destroy(struct neigh *n);

/* What neigh_resolve() says. */
enum neigh_answer {
	NEIGH_KNOWN, /* *mac */
	NEIGH_WAITS, /* the frame was copied and waits; the caller asks when *ask */
	NEIGH_FULL,  /* no place for the entry or the frame */
};
/* The MAC of ip on that VLAN.  f waits, whole, if it is not known (NULL: nothing waits).  *ask: a question is to be sent now. */
enum neigh_answer neigh_resolve(struct neigh *n, uint16_t vid, const struct ip *ip, const struct frame *f, uint64_t now_ns,
				struct mac *mac, bool *ask);

/*
 * Somebody said that ip is at mac.  is_answer: to a question, or to us alone: it confirms; else (a gratuitous ARP, a question
 * of his) it changes an entry that there is, and makes one only with may_make.
 */
void neigh_learn(struct neigh *n, uint16_t vid, const struct ip *ip, const struct mac *mac, bool is_answer, bool may_make,
		 uint64_t now_ns);

/* Frames that wait for entries that are known now, one by one: f and *mac.  f lives until the next call.  False: no more. */
bool neigh_released(struct neigh *n, struct frame *f, struct mac *mac);

/* A question that is due; or, with *failed, an entry that nobody answered for and that is gone, with one of its frames each time
 * (f->len 0: none waited), so that the caller can send an ICMP error. */
struct neigh_due {
	struct ip ip;
	uint16_t vid;
	struct mac mac; /* where to probe; zero: ask everybody */
	bool failed;
};
bool neigh_due(struct neigh *n, struct neigh_due *out, struct frame *f, uint64_t now_ns);
uint64_t neigh_next_ns(const struct neigh *n, uint64_t now_ns); /* when neigh_due() may have something; UINT64_MAX: never */

void neigh_flush(struct neigh *n, uint16_t vid, const struct ip *ip); /* 0: all VLANs; NULL: all addresses */
/* Up to max entries from place *cursor on, which moves; UINT64_MAX: the end. */
unsigned neigh_list(const struct neigh *n, uint64_t *cursor, struct neigh_entry *out, unsigned max);

#endif
