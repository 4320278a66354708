/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wheel: when which record is to be visited.  512 slots of one second, then 64 of 512 s; what is further away is visited once
 * on the way (Varghese, Lauck, SOSP 1987).  Filing, removing and finding the next one are a few stores each, whatever the
 * number of records.
 *
 * Time may jump: seconds that were missed are gone through one by one, WHEEL_STEPS empty ones a call.
 */
#ifndef VFAB_NAT_WHEEL_H
#define VFAB_NAT_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

enum { WHEEL_SLOTS = 512, WHEEL_TURNS = 64, WHEEL_STEPS = 4096, WHEEL_NONE = 0xffffffff };

/* The links of a record, which its owner keeps: an array by place, or a member of one. */
struct wheel_link {
	uint32_t next, prev; /* prev of the first: which list; WHEEL_NONE: in no list */
};

struct wheel {
	uint32_t list[WHEEL_SLOTS + WHEEL_TURNS + 1]; /* the last: those that are visited now */
	uint8_t *links; /* of place 0 */
	uint32_t stride; /* bytes from one to the next */
	uint32_t done_s; /* all that was due then or before has been given out */
	uint32_t n;
	bool is_turned; /* the turn that begins with the next second has been given out */
};

void wheel_init(struct wheel *w, uint32_t now_s, struct wheel_link *first, uint32_t stride);
/* In no list yet; to be visited in that second, or at once if that is past. */
void wheel_file(struct wheel *w, uint32_t place, uint32_t due_s);
void wheel_remove(struct wheel *w, uint32_t place); /* it may be in no list */
/* The next one to visit, which is in no list then; WHEEL_NONE: none by now_s, or *steps (from WHEEL_STEPS) are used up. */
uint32_t wheel_next(struct wheel *w, uint32_t now_s, unsigned *steps);
/* The second in which the next visit is due, at the earliest; UINT32_MAX: none. */
uint32_t wheel_due(const struct wheel *w);

#endif
