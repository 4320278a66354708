/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rate: a policer, the generic cell rate algorithm (ITU-T I.371): one word of state, the time at
 * which the bucket is full again.  Lock-free, so workers may share it.  Cost and rate are in any
 * unit that fits (bits, frames).
 *
 * Limits.  Time counts in 1/64 ns, so that a 64-byte frame at 100 Gbit/s is charged to 0.3 %.  A cost
 * over the burst never passes; a burst of 0 with any rate lets nothing pass.
 */
#ifndef VFAB_BASE_RATE_H
#define VFAB_BASE_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rate {
	_Atomic uint64_t full;        /* monotonic time, in ticks, at which the bucket is full again */
	_Atomic uint64_t per_s;       /* units a second; 0: no limit */
	_Atomic uint64_t burst;       /* units that may pass at once */
	_Atomic uint64_t burst_ticks; /* the time in which an empty bucket fills */
};

/* The bucket is full then.  Also on a policer that workers use: each frame meets the old or the new limit. */
void rate_init(struct rate *r, uint64_t per_s, uint64_t burst);

/* True when cost units conform at now_ns; they are then taken. */
bool rate_take(struct rate *r, uint64_t cost, uint64_t now_ns);

#endif
