/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold: frames that outlive their vector: those that wait for a neighbour, and those that the gateway sends later.
 *
 * What.  A frame is copied whole, GSO included, into a place of its own, and is a frame again there: snapshot, one piece of body,
 * metadata.  Whoever takes a place gives it back.  Threads: one at a time, which the gateway's lock sees to; the
 * bytes of a place belong to who holds it.
 *
 * Limits.  HOLD_PLACES frames and HOLD_BYTES in all.  Pages are touched on first use and then kept: 18 MiB at worst.
 */
#ifndef VFAB_SWITCH_HOLD_H
#define VFAB_SWITCH_HOLD_H

#include "switch/base/frame.h"

enum { HOLD_PLACES = 256, HOLD_BYTES = 4 << 20, HOLD_NONE = 0xffff };

/* What is to be known of a frame later. */
struct hold_origin {
	uint16_t vid; /* of the leg that it came in by */
	uint8_t way;  /* the gateway's word for what was done with it */
};

struct hold;

struct hold *hold_create(void); /* NULL without memory */
void hold_destroy(struct hold *h);

/* Copies f; HOLD_NONE: no room. */
uint16_t hold_put(struct hold *h, const struct frame *f, struct hold_origin from);
/* The frame in that place; it may be rewritten, and lies there until hold_free(). */
struct frame *hold_frame(struct hold *h, uint16_t place, struct hold_origin *from);
void hold_free(struct hold *h, uint16_t place);
unsigned hold_count(const struct hold *h);

#endif
