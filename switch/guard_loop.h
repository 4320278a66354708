/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_loop: finds ports that are cabled together, and caps what they send.
 *
 * Addresses that move to and from a port faster than LOOP_MOVES a tick make it suspect.  Only then a probe goes out
 * of it: a frame with a random nonce that nobody else knows.  When it comes back by another port (or the same)
 * the two are in a loop: one event names both, what they had learned is forgotten, and for LOOP_HOLD_S seconds
 * nothing is learned from them and frames that come in by them are limited to LOOP_CAP_PPS each (drop reason
 * `loop`).  While capped they are probed again, so the cap lasts as long as
 * the loop.  Other ports are not touched.
 */
#ifndef VFAB_SWITCH_GUARD_LOOP_H
#define VFAB_SWITCH_GUARD_LOOP_H

#include <stdint.h>

struct daemon;
struct guard_loop;

enum { LOOP_MOVES = 20, LOOP_HOLD_S = 10, LOOP_PROBE_S = 3 };

struct guard_loop *guard_loop_create(void); /* NULL without memory */
void guard_loop_destroy(struct guard_loop *g);

/* Control thread, a few times a second. */
void guard_loop_tick(struct guard_loop *g, struct daemon *d, uint64_t now_ms);

#endif
