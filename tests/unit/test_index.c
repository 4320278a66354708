/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of nat/index and nat/places: a naive twin under random operations, growth through many sizes with records found
 * at each, R05 records whose hashes fall together, places taken lowest first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nat/index.h"
#include "nat/places.h"

enum { RECORDS = 200000 };

static uint64_t hashes[RECORDS]; /* by place */
static uint64_t rng_state = 1;

static uint64_t rng64(void)
{
	uint64_t x = rng_state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static uint32_t rng(uint32_t below)
{
	return (uint32_t)((rng64() >> 32) * below >> 32);
}

static uint64_t rehash(const void *arg, uint32_t place)
{
	(void)arg;
	return hashes[place];
}

static bool has(const struct index *x, uint32_t place)
{
	uint32_t found[2 * INDEX_WAYS];
	unsigned n = index_candidates(x, hashes[place], found), times = 0;

	for (unsigned i = 0; i < n; i++)
		times += found[i] == place;
	assert_true(times < 2);
	return times;
}

static void growth(void **state)
{
	static const unsigned fills[] = {10, 11, 14};

	(void)state;
	for (unsigned f = 0; f < 3; f++) {
		struct index x;
		unsigned guessed = 0;

		assert_true(index_init(&x, RECORDS, fills[f], rehash, NULL));
		for (uint32_t i = 0; i < RECORDS; i++) {
			hashes[i] = rng64();
			assert_true(index_add(&x, hashes[i], i));
			assert_true(has(&x, rng(i + 1)));
		}
		assert_false(index_add(&x, 1, 0));
		assert_true(x.lines <= RECORDS * 2 / fills[f] + INDEX_BUCKETS_MIN);
		for (uint32_t i = 0; i < RECORDS; i++) {
			assert_true(has(&x, i));
			guessed += index_guess(&x, index_first(&x, hashes[i]), hashes[i]) == i;
		}
		assert_true(guessed > RECORDS - RECORDS / 1000);
		for (uint32_t i = 0; i < RECORDS; i++) {
			index_del(&x, hashes[i], i);
			assert_false(has(&x, i));
		}
		assert_int_equal(x.n, 0);
		index_fini(&x);
	}
}

static void twin(void **state)
{
	static bool is_in[RECORDS];
	uint32_t n = 0, few = 1000;
	struct index x;

	(void)state;
	assert_true(index_init(&x, RECORDS, 14, rehash, NULL));
	index_expect(&x, 3000);
	for (unsigned i = 0; i < 1000000; i++) {
		uint32_t place = rng(few);

		if (i % 100000 == 0)
			few = few * 3 > RECORDS ? RECORDS : few * 3;
		assert_int_equal(has(&x, place), is_in[place]);
		if (is_in[place]) {
			index_del(&x, hashes[place], place);
			n--;
		} else {
			hashes[place] = rng64();
			assert_true(index_add(&x, hashes[place], place));
			n++;
		}
		is_in[place] = !is_in[place];
		assert_int_equal(x.n, n);
	}
	index_fini(&x);
}

/* Equal hashes: twenty fit, or fewer where one bucket is both; the next is refused, and nothing else suffers. */
static void collisions(void **state)
{
	struct index x;
	uint32_t n = 1000;

	(void)state;
	assert_true(index_init(&x, RECORDS, 10, rehash, NULL));
	for (uint32_t i = 0; i < n; i++) {
		hashes[i] = rng64();
		assert_true(index_add(&x, hashes[i], i));
	}
	for (hashes[n] = rng64(); index_add(&x, hashes[n], n); n++)
		hashes[n + 1] = hashes[n];
	assert_in_range(n, 1010, 1020);
	for (uint32_t i = 0; i < n; i++)
		assert_true(has(&x, i));
	index_fini(&x);
}

static void places(void **state)
{
	static bool is_used[5000];
	struct places p;
	uint32_t seen, n = 0;

	(void)state;
	assert_true(places_init(&p, 4500));
	for (unsigned i = 0; i < 300000; i++) {
		uint32_t place = rng(4500), lowest = 0;

		if (rng(100) < (i / 50000 % 2 ? 40 : 60)) {
			while (is_used[lowest])
				lowest++;
			place = places_take(&p);
			assert_int_equal(place, lowest < 4500 ? lowest : PLACES_NONE);
			if (place != PLACES_NONE)
				is_used[place] = true;
		} else if (is_used[place]) {
			places_give(&p, place);
			is_used[place] = false;
		}
	}
	for (uint32_t at = 0; at < 4500; at++) {
		uint32_t place = places_next(&p, at, &seen);

		n += is_used[at];
		assert_int_equal(place == at, is_used[at]);
	}
	assert_int_equal(p.n, n);
	assert_int_equal(places_next(&p, 5000, &seen), PLACES_NONE);
	assert_int_equal(seen, 5000 / 64 * 64 + 64 * 64);
	places_claim(&p, PLACES_MAX - 1);
	assert_int_equal(places_next(&p, PLACES_MAX - 5, &seen), PLACES_MAX - 1);
	places_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growth),
		cmocka_unit_test(twin),
		cmocka_unit_test(collisions),
		cmocka_unit_test(places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
