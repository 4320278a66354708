/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_internal: what guard.c, which keeps the table, and guard_check.c, which asks it of each frame, share.
 *
 *   claim   (VLAN, address) -> port and place; chains of a keyed hash, under the lock: who has what in a VLAN
 *   place   what a worker reads: one line of memory holds two; those of a port lie side by side, the bound ones first
 *
 * A place is read without a lock.  Whoever changes its address or MAC, under the lock, first makes it dead with another
 * generation and then writes; a reader that finds it alive, and after the words are read the generation unchanged, has words that
 * belong together.
 */
#ifndef VFAB_SWITCH_GUARD_INTERNAL_H
#define VFAB_SWITCH_GUARD_INTERNAL_H

#include <stdatomic.h>
#include <string.h>

#include "switch/base/fdb.h"
#include "switch/guard.h"

enum {
	GUARD_PLACES = GUARD_BINDINGS + GUARD_LEARNED,
	GUARD_CLAIMS = 65536, /* of all ports */
	GUARD_HEADS = 32768,
	GUARD_VLANS = 4096,
};

/* life: end, or of a learned one last use, in s, 32 bits | generation 24 bits | flags 8 bits. */
enum { PLACE_LIVE = 1, PLACE_FIXED = 2 };
#define PLACE_TIME_SHIFT 32
#define PLACE_GENERATION 0xffffff00u

struct guard_place {
	_Atomic uint64_t life;
	_Atomic uint64_t who; /* fdb_key; MAC 0: any that the port may have */
	_Atomic uint64_t ip[2];
};

struct guard_port {
	_Atomic uint32_t n_bound, n_learned; /* places from here on are dead */
	uint64_t reserved[3];
	struct guard_place place[GUARD_PLACES]; /* bound ones, then learned ones */
} __attribute__((aligned(64)));

struct guard_claim {
	uint64_t ip[2];
	uint16_t vid;	 /* 0: free */
	uint16_t slot;
	uint8_t at;	 /* its place */
	uint32_t next;	 /* in its chain, or of the free ones; 0: the last */
};

struct guard {
	atomic_flag lock; /* claims, nets, and writing of places */
	uint64_t secret[2];
	void *memory;
	guard_others *is_others; /* NULL: nobody is asked */
	void *others_arg;
	struct guard_net *net[GUARD_VLANS];
	uint32_t free, n_used; /* claims: the first free one; those above n_used never were in use */
	uint32_t head[GUARD_HEADS];
	struct guard_claim claim[GUARD_CLAIMS + 1]; /* 0 is none */
	struct guard_port port[SLOT_MAX];
};

static inline uint32_t guard_time(uint64_t life)
{
	return (uint32_t)(life >> PLACE_TIME_SHIFT);
}

/* A learned address that others may take. */
static inline bool guard_is_idle(uint64_t life, uint32_t now_s)
{
	uint32_t used_s = guard_time(life);

	return now_s > used_s && now_s - used_s >= GUARD_IDLE_S;
}

/* The words of a place; false: it is dead, or was changed meanwhile. */
static inline bool guard_read(const struct guard_place *p, uint64_t *life, uint64_t *who, uint64_t ip[static 2])
{
	uint64_t again;

	*life = atomic_load_explicit(&p->life, memory_order_acquire);
	*who = atomic_load_explicit(&p->who, memory_order_acquire);
	ip[0] = atomic_load_explicit(&p->ip[0], memory_order_acquire);
	ip[1] = atomic_load_explicit(&p->ip[1], memory_order_acquire);
	again = atomic_load_explicit(&p->life, memory_order_relaxed);
	return (*life & PLACE_LIVE) && !((*life ^ again) & PLACE_GENERATION);
}

/* Somebody on a port shows an address that is not bound to it. */
struct guard_wish {
	uint16_t slot;
	uint32_t now_s;
	fdb_key who; /* MAC and VLAN; that the port may have it, the caller has checked */
	struct ip ip;
};
enum guard_answer {
	GUARD_YES,   /* learned; or, of guard_free_for: nobody else's */
	GUARD_OTHER, /* another port's */
	GUARD_NEVER, /* the switch's own, or none that is learned on this VLAN */
	GUARD_FULL,  /* the port, or the table */
	GUARD_BUSY,  /* somebody else held the lock for long: the next frame will do */
};
enum guard_answer guard_learn(struct guard *g, const struct guard_wish *w);
/* Is the address bound to another port, or learned there, or of others? */
enum guard_answer guard_free_for(struct guard *g, const struct guard_wish *w);

#endif
