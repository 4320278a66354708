/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rate: a policer, the generic cell rate algorithm (ITU-T I.371, the virtual scheduling form).
 *
 * Called by forward.c for each frame of a policed port, from any worker.  The state is the time
 * at which the bucket is full again.  A frame moves it on by the time that its cost takes at the
 * rate; if that would be further from now than a whole burst takes, the frame does not conform.
 *
 *        now                    full             now + burst
 *      ---|-----------------------|-----------------|------> time
 *         |<-- debt: was taken -->|<-- may pass --->|
 *
 * Times are in ticks of 1/64 ns and may wrap (after nine years), so they are compared by
 * difference.  A debt larger than any that can have been taken is a state from before a change of
 * limits, or half a wrap old: the bucket is full.
 */
#include "switch/base/rate.h"

enum { TICKS_PER_NS = 64 };

#define TICKS_PER_S (1000000000ULL * TICKS_PER_NS)
#define TICKS_MAX   (1ULL << 60) /* half a year: sums of a few stay far from the sign */

/* The time in which units flow at per_s. */
static uint64_t ticks_of(uint64_t units, uint64_t per_s)
{
	unsigned __int128 wide;

	/* Every real frame takes the first way: a 128-bit division costs tens of ns. */
	if (units <= UINT64_MAX / TICKS_PER_S)
		return units * TICKS_PER_S / per_s;
	wide = (unsigned __int128)units * TICKS_PER_S / per_s;
	return wide < TICKS_MAX ? (uint64_t)wide : TICKS_MAX;
}

static uint64_t cap_ticks(uint64_t ticks)
{
	return ticks < TICKS_MAX ? ticks : TICKS_MAX;
}

void rate_init(struct rate *r, uint64_t per_s, uint64_t burst)
{
	uint64_t ticks = per_s ? cap_ticks(ticks_of(burst, per_s)) : 0;

	/* No order among them: a frame that meets a mixture is judged a little wrong, once. */
	atomic_store_explicit(&r->full, 0, memory_order_relaxed);
	atomic_store_explicit(&r->burst, burst, memory_order_relaxed);
	atomic_store_explicit(&r->burst_ticks, ticks, memory_order_relaxed);
	atomic_store_explicit(&r->per_s, per_s, memory_order_relaxed);
}

bool rate_take(struct rate *r, uint64_t cost, uint64_t now_ns)
{
	uint64_t per_s = atomic_load_explicit(&r->per_s, memory_order_relaxed);
	uint64_t burst_ticks = atomic_load_explicit(&r->burst_ticks, memory_order_relaxed);
	uint64_t now = now_ns * TICKS_PER_NS;
	uint64_t full, debt, need, least;

	if (per_s == 0)
		return true;
	if (cost > atomic_load_explicit(&r->burst, memory_order_relaxed))
		return false;
	need = cap_ticks(ticks_of(cost, per_s));
	/*
	 * A large frame (64 KiB of TCP that is segmented later) passes when there is room for a part of it, and leaves a debt:
	 * else it would wait for a bucket that small ones keep empty, and TCP would get a tenth of the rate.
	 */
	least = burst_ticks / 8;
	if (least < ticks_of(1, per_s))
		least = ticks_of(1, per_s);
	if (least > need)
		least = need;
	full = atomic_load_explicit(&r->full, memory_order_relaxed);
	do {
		debt = (int64_t)(full - now) > 0 ? full - now : 0;
		/* A second of grace: another worker's now may be a little later than ours. */
		if (debt > 2 * burst_ticks + TICKS_PER_S)
			debt = 0;
		if (debt + least > burst_ticks)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&r->full, &full, now + debt + need, memory_order_relaxed, memory_order_relaxed));
	return true;
}
