/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/base/ring: a naive twin over random records, limits, and two threads. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/ring.h"

enum { TWIN_MAX = 1024 };

/* The twin: lengths and first bytes of what should be in the ring. */
struct twin {
	size_t bytes[TWIN_MAX];
	uint8_t fill[TWIN_MAX];
	size_t first, n;
	uint64_t lost;
};

static void sizes(void **state)
{
	static const size_t bad[] = {0, 1, 32, 63, 65, 96, 1000};
	struct ring *ring;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(ring_create(bad[i]));
	ring = ring_create(64);
	assert_non_null(ring);
	ring_destroy(ring);
	ring_destroy(NULL);
}

static void put(struct ring *ring, struct twin *t, size_t want, size_t bytes, uint8_t fill)
{
	uint8_t *p = ring_reserve(ring, want);

	if (!p) {
		t->lost++;
		return;
	}
	assert_int_equal((uintptr_t)p % 8, 0);
	memset(p, 0xee, want);
	memset(p, fill, bytes);
	ring_commit(ring, bytes);
	assert_true(t->n < TWIN_MAX);
	t->bytes[(t->first + t->n) % TWIN_MAX] = bytes;
	t->fill[(t->first + t->n) % TWIN_MAX] = fill;
	t->n++;
}

static void get(struct ring *ring, struct twin *t)
{
	size_t bytes = 0, i;
	const uint8_t *p = ring_peek(ring, &bytes);

	if (t->n == 0) {
		assert_null(p);
		return;
	}
	assert_non_null(p);
	assert_int_equal(bytes, t->bytes[t->first]);
	for (i = 0; i < bytes; i++)
		assert_int_equal(p[i], t->fill[t->first]);
	/* Looking twice changes nothing. */
	assert_ptr_equal(ring_peek(ring, &bytes), p);
	ring_pop(ring);
	t->first = (t->first + 1) % TWIN_MAX;
	t->n--;
}

static void twins(void **state)
{
	static struct twin t;
	struct ring *ring = ring_create(1024);
	size_t want;
	unsigned i;

	(void)state;
	assert_non_null(ring);
	srandom(1);
	for (i = 0; i < 100000; i++) {
		/* Phases of filling and of draining. */
		if (random() % 8 < (i / 500 % 2 ? 2 : 6)) {
			want = (size_t)random() % (i % 10 ? 60 : 600);
			put(ring, &t, want, want ? (size_t)random() % want : 0, (uint8_t)random());
		} else {
			get(ring, &t);
		}
		assert_true(atomic_load(&ring->lost) == t.lost);
	}
	assert_true(t.lost > 0);
	ring_destroy(ring);
}

static void largest(void **state)
{
	struct ring *ring = ring_create(256);
	size_t bytes, start;
	void *p;

	(void)state;
	assert_non_null(ring);
	/* The largest record fits an empty ring wherever that begins. */
	for (start = 0; start < 64; start++) {
		p = ring_reserve(ring, 128 - 8);
		assert_non_null(p);
		memset(p, 1, 128 - 8);
		ring_commit(ring, 128 - 8);
		assert_non_null(ring_peek(ring, &bytes));
		assert_int_equal(bytes, 128 - 8);
		ring_pop(ring);
		assert_non_null(ring_reserve(ring, start % 24));
		ring_commit(ring, start % 24);
		ring_pop(ring);
		assert_null(ring_peek(ring, &bytes));
	}
	assert_int_equal(atomic_load(&ring->lost), 0);
	assert_null(ring_reserve(ring, 128 - 7));
	assert_null(ring_reserve(ring, SIZE_MAX));
	assert_null(ring_reserve(ring, SIZE_MAX - 8));
	assert_int_equal(atomic_load(&ring->lost), 3);
	ring_destroy(ring);
}

/* A reservation that is not committed leaves nothing behind. */
static void given_up(void **state)
{
	struct ring *ring = ring_create(128);
	size_t bytes;
	unsigned i;

	(void)state;
	assert_non_null(ring);
	for (i = 0; i < 100; i++)
		assert_non_null(ring_reserve(ring, 40));
	assert_null(ring_peek(ring, &bytes));
	ring_destroy(ring);
}

enum { RECORDS = 200000 };

static void *produce(void *arg)
{
	struct ring *ring = arg;
	uint32_t i, *p;

	for (i = 0; i < RECORDS;) {
		p = ring_reserve(ring, 8 + i % 100);
		if (!p) {
			sched_yield();
			continue;
		}
		p[0] = i++;
		p[1] = ~p[0];
		ring_commit(ring, 8 + p[0] % 100);
	}
	return NULL;
}

static void two_threads(void **state)
{
	struct ring *ring = ring_create(4096);
	const uint32_t *p;
	uint32_t next = 0;
	pthread_t t;
	size_t bytes;

	(void)state;
	assert_non_null(ring);
	assert_int_equal(pthread_create(&t, NULL, produce, ring), 0);
	while (next < RECORDS) {
		p = ring_peek(ring, &bytes);
		if (!p) {
			sched_yield();
			continue;
		}
		if (p[0] != next || p[1] != ~next || bytes != 8 + next % 100)
			fail();
		ring_pop(ring);
		next++;
	}
	pthread_join(t, NULL);
	assert_null(ring_peek(ring, &bytes));
	ring_destroy(ring);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes),       cmocka_unit_test(twins),
		cmocka_unit_test(largest),     cmocka_unit_test(given_up),
		cmocka_unit_test(two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
