/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest: the inside addresses that have sessions: how many, how fast, and by which outside address they leave. */
#ifndef VFAB_NAT_GUEST_H
#define VFAB_NAT_GUEST_H

#include "nat/nat.h"
#include "nat/places.h"

enum { GUEST_NO_ADDRESS = 0xffff };

struct guest {
	uint64_t full_ns; /* when its budget of new sessions is whole again (GCRA, as rate.h, but of one thread) */
	struct ip ip;
	uint16_t vid;
	uint16_t slot;	  /* of the port behind which it was seen last; SLOT_MAX: never */
	uint16_t address; /* the outside address that it has (paired pooling); GUEST_NO_ADDRESS: none yet */
	uint32_t sessions;
	uint32_t forwards; /* of these: that others began, by a rule; they have a quota of their own */
	uint32_t next; /* in its bucket; PLACES_NONE: the last */
};

struct guests {
	struct guest *guest; /* by place */
	uint32_t *bucket;    /* first place plus 1 */
	struct places places;
	uint64_t seed[2];
};

bool guests_init(struct guests *g, const uint64_t seed[2]); /* false: no memory */
void guests_fini(struct guests *g);

struct guest *guest_find(const struct guests *g, uint16_t vid, const struct ip *ip);
struct guest *guest_make(struct guests *g, uint16_t vid, const struct ip *ip); /* NULL: NAT_GUESTS_MAX are there */
void guest_forget(struct guests *g, struct guest *guest);

/* May it begin a session now, of so many a second, with a burst of one second?  If so that is taken.  0: no limit. */
bool guest_may_begin(struct guest *guest, uint32_t per_s, uint64_t now_ns);

static inline uint16_t guest_place(const struct guests *g, const struct guest *guest)
{
	return (uint16_t)(guest - g->guest);
}

#endif
