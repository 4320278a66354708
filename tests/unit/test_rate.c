/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/base/rate: how much passes, at rates from a few to 100 Gbit, time by hand. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/base/rate.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define SECOND	    1000000000ULL

/* Offers cost units every gap ps from start on; how many units passed in span_ns. */
static uint64_t offer(struct rate *r, uint64_t cost, uint64_t gap_ps, uint64_t start_ns,
		      uint64_t span_ns)
{
	uint64_t passed = 0, ps;

	for (ps = 0; ps < span_ns * 1000; ps += gap_ps)
		passed += rate_take(r, cost, start_ns + ps / 1000) ? cost : 0;
	return passed;
}

/* PROMISES: --rate within 5 % over 2 s; the policer itself stays within 1 %. */
static void keeps_rate(void **state)
{
	static const struct {
		uint64_t per_s, burst, cost, span_ns;
	} t[] = {
		{10, 10, 1, 20 * SECOND},
		{1000, 100, 1, 2 * SECOND},
		{512000, 1 << 20, 12144, 20 * SECOND},
		{10000000, 1 << 20, 12144, 2 * SECOND},
		{1000000000, 10000000, 12144, 2 * SECOND},
		{1000000000, 10000000, 512, 2 * SECOND},
		{10000000000, 100000000, 524288, 2 * SECOND},
		{100000000000, 1000000000, 12144, SECOND / 10},
		{100000000000, 1000000, 512, SECOND / 200},
	};
	uint64_t full, want, got;
	struct rate r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++) {
		rate_init(&r, t[i].per_s, t[i].burst);
		/* Empty the bucket; then what passes is the rate alone. */
		full = 5 * SECOND;
		while (rate_take(&r, t[i].cost, full))
			;
		want = (uint64_t)((unsigned __int128)t[i].per_s * t[i].span_ns / SECOND);
		/* Offered: three times the rate. */
		got = offer(&r, t[i].cost, t[i].cost * 1000 * SECOND / t[i].per_s / 3, full,
			    t[i].span_ns);
		assert_in_range(got, want - want / 100 - t[i].cost, want + want / 100 + t[i].cost);
	}
}

static void passes_below(void **state)
{
	struct rate r;

	(void)state;
	/* 9 of 10 Mbit/s: nothing is dropped. */
	rate_init(&r, 10000000, 1 << 20);
	assert_int_equal(offer(&r, 9000, SECOND, SECOND, 2 * SECOND), 2000 * 9000);
}

static void burst_at_once(void **state)
{
	struct rate r;
	unsigned i;

	(void)state;
	rate_init(&r, 1000, 100);
	for (i = 0; i < 100; i++)
		assert_true(rate_take(&r, 1, SECOND));
	assert_false(rate_take(&r, 1, SECOND));
	assert_false(rate_take(&r, 1, SECOND + 999999));
	assert_true(rate_take(&r, 1, SECOND + 1000000));
	/* After a pause the bucket is full, and not fuller. */
	for (i = 0; i < 100; i++)
		assert_true(rate_take(&r, 1, 100 * SECOND));
	assert_false(rate_take(&r, 1, 100 * SECOND));
}

/* A large frame passes into debt, a small one after it does not; the average holds. */
static void large_frames(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, 1000, 800);
	assert_true(rate_take(&r, 700, SECOND));
	assert_true(rate_take(&r, 700, SECOND)); /* 100 left: an eighth of the bucket */
	assert_false(rate_take(&r, 700, SECOND));
	assert_false(rate_take(&r, 1, SECOND + SECOND / 2));
	assert_false(rate_take(&r, 700, SECOND + SECOND / 2 + SECOND / 5 - 1000));
	assert_true(rate_take(&r, 700, SECOND + SECOND / 2 + SECOND / 5 + 1000));
}

static void edges(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, 0, 0); /* no limit */
	assert_true(rate_take(&r, UINT64_MAX, 0));
	rate_init(&r, 1, 0); /* nothing passes */
	assert_false(rate_take(&r, 1, SECOND));
	rate_init(&r, 1000, 10);
	assert_false(rate_take(&r, 11, SECOND));
	assert_true(rate_take(&r, 10, SECOND));
	rate_init(&r, 1, UINT64_MAX); /* the burst is capped, not overflowed */
	assert_true(rate_take(&r, 1, SECOND));
	assert_true(rate_take(&r, UINT64_MAX / 2, 2 * SECOND) ||
		    !rate_take(&r, UINT64_MAX / 2, 2 * SECOND));
	rate_init(&r, 1, UINT64_MAX);
	assert_true(rate_take(&r, 1, UINT64_MAX));
	rate_init(&r, UINT64_MAX, UINT64_MAX);
	assert_true(rate_take(&r, UINT64_MAX, SECOND));
	assert_false(rate_take(&r, UINT64_MAX, SECOND));
	assert_true(rate_take(&r, UINT64_MAX, 3 * SECOND));
}

/* The ticks wrap at 2^58 ns, and a fresh state must not look like a debt at any uptime. */
static void wrap(void **state)
{
	static const uint64_t at[] = {0,
				      1,
				      1ULL << 56,
				      1ULL << 57,
				      (1ULL << 57) + 1,
				      3ULL << 56,
				      (1ULL << 58) - 3 * SECOND / 2};
	uint64_t got;
	struct rate r;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(at); i++) {
		rate_init(&r, 1000000, 1000);
		got = offer(&r, 100, 50000000, at[i], 2 * SECOND);
		assert_in_range(got, 1990000, 2010000);
	}
}

/* A slow policer in debt that becomes a fast one lets frames pass at once. */
static void change(void **state)
{
	struct rate r;

	(void)state;
	rate_init(&r, 1, 1000000);
	assert_true(rate_take(&r, 1000000, SECOND));
	rate_init(&r, 1000, 10);
	assert_true(rate_take(&r, 10, SECOND));
	assert_false(rate_take(&r, 10, SECOND));
}

struct shared {
	struct rate rate;
	_Atomic uint64_t now_ns, passed;
};

static void *take_shared(void *arg)
{
	struct shared *s = arg;
	uint64_t now, passed = 0;

	do {
		now = atomic_fetch_add(&s->now_ns, 300);
		passed += rate_take(&s->rate, 1000, now) ? 1000 : 0;
	} while (now < 101 * SECOND / 100);
	atomic_fetch_add(&s->passed, passed);
	return NULL;
}

/* Three threads on one policer pass together what one would. */
static void shared_by_threads(void **state)
{
	static struct shared s;
	pthread_t t[3];
	size_t i;

	(void)state;
	/* 1 Gbit/s for 10 ms, offered 3.3 Gbit/s, in frames of 1000 bits. */
	rate_init(&s.rate, 1000000000, 100000);
	s.now_ns = SECOND;
	for (i = 0; i < COUNT_OF(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, take_shared, &s), 0);
	for (i = 0; i < COUNT_OF(t); i++)
		pthread_join(t[i], NULL);
	assert_in_range(s.passed, 9800000, 10300000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_rate),	 cmocka_unit_test(passes_below),
		cmocka_unit_test(burst_at_once), cmocka_unit_test(large_frames),
		cmocka_unit_test(edges),	 cmocka_unit_test(wrap),
		cmocka_unit_test(change),	 cmocka_unit_test(shared_by_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
