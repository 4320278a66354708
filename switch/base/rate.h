/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rate: a policer, the generic cell rate algorithm (ITU-T I.371): one word of state, the time at
 * which the bucket is full again.  Lock-free, so workers may share it.  Cost and rate are in any
 * unit that fits (bits, frames).
 */
#ifndef VFAB_BASE_RATE_H
#define VFAB_BASE_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rate {
	_Atomic uint64_t full_ns; /* monotonic time at which the bucket is full again */
	uint64_t per_s;           /* units a second; 0: no limit */
	uint64_t burst;           /* units that may pass at once */
};

void rate_init(struct rate *r, uint64_t per_s, uint64_t burst);

/* True when cost units conform at now_ns; they are then taken. */
bool rate_take(struct rate *r, uint64_t cost, uint64_t now_ns);

#endif
