/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of nat/wheel: a naive twin under random operations and jumps of the clock: nothing is visited before its second
 * unless that is too far away to file, nothing is missed after it, and wheel_due() is never late.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nat/wheel.h"

enum { RECORDS = 300, FAR = WHEEL_SLOTS * (WHEEL_TURNS - 1) };

static struct wheel_link links[RECORDS];
static uint32_t due[RECORDS]; /* 0: not filed */
static uint32_t rng_state = 1;

static uint32_t rng(uint32_t below)
{
	rng_state = rng_state * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)rng_state * below) >> 32);
}

static uint32_t earliest(void)
{
	uint32_t first = UINT32_MAX;

	for (unsigned i = 0; i < RECORDS; i++)
		if (due[i] != 0 && due[i] < first)
			first = due[i];
	return first;
}

static void file(struct wheel *w, uint32_t place, uint32_t now_s)
{
	static const uint32_t delays[] = {2, 100, 511, 512, 513, 1024, 7440, 32000, 33000, 200000};

	due[place] = now_s + rng(delays[rng(10)]) + rng(2);
	wheel_file(w, place, due[place]);
}

/* All that is due by now_s. */
static unsigned visit(struct wheel *w, uint32_t now_s)
{
	unsigned steps = WHEEL_STEPS, n = 0;
	uint32_t place;

	while ((place = wheel_next(w, now_s, &steps)) != WHEEL_NONE) {
		assert_true(due[place] != 0);
		n++;
		if (due[place] > now_s) /* on its way */
			wheel_file(w, place, due[place]);
		else
			due[place] = 0;
		assert_true(n < 20 * RECORDS);
	}
	return steps;
}

static void twin(void **state)
{
	uint32_t now_s = 1000;
	struct wheel w;

	(void)state;
	wheel_init(&w, now_s, links, sizeof(links[0]));
	for (unsigned i = 0; i < RECORDS; i++)
		links[i].prev = WHEEL_NONE;
	assert_int_equal(wheel_due(&w), UINT32_MAX);
	for (unsigned i = 0; i < 300000; i++) {
		uint32_t place = rng(RECORDS), first;

		if (rng(3) == 0) {
			now_s += rng(20) ? rng(3) : rng(rng(20) ? 2000 : 100000);
			while (visit(&w, now_s) == 0)
				;
			first = earliest();
			assert_true(first > now_s);
			assert_int_equal(w.done_s, now_s);
		} else if (due[place] == 0) {
			file(&w, place, now_s);
		} else if (rng(2)) {
			wheel_remove(&w, place);
			wheel_remove(&w, place); /* in no list: nothing */
			due[place] = 0;
		}
		assert_true(wheel_due(&w) <= earliest());
	}
}

/* A jump takes WHEEL_STEPS seconds a call when there is something to come, none when there is not. */
static void jump(void **state)
{
	unsigned calls = 1;
	struct wheel w;

	(void)state;
	wheel_init(&w, 0, links, sizeof(links[0]));
	memset(due, 0, sizeof(due));
	assert_int_equal(visit(&w, 1000000), WHEEL_STEPS);
	due[0] = 1000000 + FAR;
	wheel_file(&w, 0, due[0]);
	while (visit(&w, 1000000 + FAR) == 0)
		calls++;
	assert_int_equal(due[0], 0);
	assert_in_range(calls, FAR / WHEEL_STEPS, FAR / WHEEL_STEPS + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twin),
		cmocka_unit_test(jump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
