/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * neigh: who has which address on a VLAN: the table of ARP (RFC 826) and neighbour discovery (RFC 4861) of the gateway,
 * and the packets that wait for an answer.
 *
 * States after RFC 4861 7.3.2, for both families:
 *
 *      INCOMPLETE --answer--> REACHABLE --30 s--> STALE --used--> PROBE --answer--> REACHABLE
 *      (frames wait)              '---- another claims it ------->'
 *
 * INCOMPLETE and PROBE ask NEIGH_ASK_MAX times, one a second, and are gone after that.  PROBE asks the MAC it has first, then
 * everybody, and frames go to that MAC meanwhile: who only claims an address does not get it while its holder answers.
 *
 * Threads.  One at a time, which the gateway's lock sees to.  Memory.  Entries lie in the state region, bounds-checked when it is
 * mapped; frames that wait are private and are lost with the process.
 *
 * Limits.  NEIGH_MAX entries, NEIGH_VLAN_MAX of one VLAN, NEIGH_ASKING_VLAN of it INCOMPLETE, so that nobody who scans a prefix
 * takes the place of others; the oldest INCOMPLETE one goes before a new one is refused, then one that was not used for
 * NEIGH_STALE_S.  NEIGH_WAIT frames wait for each, NEIGH_WAIT_VLAN on a VLAN, and what struct hold takes in all; of those
 * for one entry the oldest goes first (RFC 1122 2.3.2.2).  A frame that waited and went so is counted in neigh_lost().
 *
 * Trust.  Answers come from guests and from the outside: only the address that was asked, or that speaks to us, is learned.  The
 * caller has checked that it lies within the prefixes of the VLAN and is not our own.
 */
#ifndef VFAB_SWITCH_NEIGH_H
#define VFAB_SWITCH_NEIGH_H

#include "switch/base/addr.h"
#include "switch/base/frame.h"
#include "switch/hold.h"

enum {
	NEIGH_MAX = 16384,
	NEIGH_VLAN_MAX = 4096,
	NEIGH_ASKING_VLAN = 256,
	NEIGH_WAIT = 64,
	NEIGH_WAIT_VLAN = 128,
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

/* fresh: the table is cleared; else each entry is checked, and is STALE.  Frames wait in h.  NULL without memory. */
struct neigh *neigh_create(struct neigh_table *table, bool fresh, const uint64_t seed[2], struct hold *h, uint64_t now_ns);
void neigh_destroy(struct neigh *n); /* NULL is fine */

/* What neigh_resolve() says. */
enum neigh_answer {
	NEIGH_KNOWN, /* *mac; with *ask: ask there whether it still is */
	NEIGH_WAITS, /* the frame was copied and waits; the caller asks everybody when *ask */
	NEIGH_FULL,  /* no place for the entry or the frame */
};
struct neigh_wish {
	struct ip ip;
	uint16_t vid;
	struct hold_origin from; /* of f */
	const struct frame *f;	 /* waits, whole, if the MAC is not known; NULL: nothing waits */
};
enum neigh_answer neigh_resolve(struct neigh *n, const struct neigh_wish *w, uint64_t now_ns, struct mac *mac, bool *ask);

/* Somebody said that ip is at mac. */
struct neigh_claim {
	struct ip ip;
	uint16_t vid;
	struct mac mac;
	bool is_answer; /* to a question, or to us alone: it confirms what was asked */
	bool may_make;	/* it speaks to us: an entry is made for it */
};
void neigh_learn(struct neigh *n, const struct neigh_claim *c, uint64_t now_ns);
/* Who was confirmed to have that address, not longer ago than that?  Asks nobody, and leaves the entry as it is. */
bool neigh_confirmed(struct neigh *n, uint16_t vid, const struct ip *ip, uint32_t within_s, uint64_t now_ns, struct mac *mac);

/* A frame that waits for an entry that is known now: where to send it, and its place in the hold, the caller's then. */
struct neigh_ready {
	uint16_t vid, place;
	struct mac mac;
};
bool neigh_released(struct neigh *n, struct neigh_ready *out); /* false: no more */

/* A question that is due; or, with failed, a frame that waited for an entry that nobody answered for and that is gone, so that the
 * caller can send an ICMP error: its place in the hold, the caller's then. */
struct neigh_due {
	struct ip ip;
	uint16_t vid;
	struct mac mac; /* where to ask; zero: everybody */
	bool failed;
	uint16_t place;
};
bool neigh_due(struct neigh *n, struct neigh_due *out, uint64_t now_ns);
uint64_t neigh_next_ns(const struct neigh *n); /* when neigh_due() may have something; UINT64_MAX: never */

uint64_t neigh_lost(const struct neigh *n);
void neigh_flush(struct neigh *n, uint16_t vid, const struct ip *ip); /* 0: all VLANs; NULL: all addresses */
/* Up to max entries from place *cursor on, which moves; UINT64_MAX: the end.  Those that are forgotten are left out. */
unsigned neigh_list(const struct neigh *n, uint64_t *cursor, struct neigh_entry *out, unsigned max);

#endif
