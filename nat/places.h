/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * places: which records of a table are in use.  The lowest free one is taken, so that memory follows use; taking, giving and
 * finding are a few words each: a bitmap of four levels, where a bit above says that the 64 below are all in use.
 */
#ifndef VFAB_NAT_PLACES_H
#define VFAB_NAT_PLACES_H

#include <stdbool.h>
#include <stdint.h>

enum { PLACES_LEVELS = 4, PLACES_MAX = 1 << 24 /* 64 to the 4th */, PLACES_NONE = 0xffffffff };

struct places {
	uint64_t *level[PLACES_LEVELS]; /* [0]: one bit for each place */
	uint32_t limit, n;		/* n: in use */
};

bool places_init(struct places *p, uint32_t limit); /* false: no memory */
void places_fini(struct places *p);

uint32_t places_take(struct places *p); /* the lowest; PLACES_NONE: all are in use */
void places_claim(struct places *p, uint32_t place); /* that one, which is free */
void places_give(struct places *p, uint32_t place);
/* The first in use at from or behind it, or PLACES_NONE.  Looks at 64 words at most: *seen is where to go on. */
uint32_t places_next(const struct places *p, uint32_t from, uint32_t *seen);

#endif
