/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit test of switch/base/rcu: readers never see what was freed; shows its worth under sanitizers. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "switch/base/rcu.h"

enum { READERS = 2, SWAPS = 300 };

struct conf {
	uint64_t a, b; /* b is the complement of a */
};

static struct conf *published;
static _Atomic int is_over, torn;

static struct conf *make(uint64_t a)
{
	struct conf *c = malloc(sizeof(*c));

	assert_non_null(c);
	c->a = a;
	c->b = ~a;
	return c;
}

static void *reader(void *arg)
{
	const struct conf *c;
	uint64_t turns = 0;

	(void)arg;
	rcu_thread_start();
	while (!is_over) {
		c = rcu_get(&published);
		if (c->b != ~c->a)
			torn++;
		rcu_quiet();
		if (++turns % 64 == 0) {
			rcu_offline();
			sched_yield();
			rcu_online();
		}
	}
	rcu_thread_stop();
	return NULL;
}

static void swaps(void **state)
{
	pthread_t t[READERS];
	struct conf *old;
	int i;

	(void)state;
	published = make(0);
	for (i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, reader, NULL), 0);
	for (i = 1; i <= SWAPS; i++) {
		old = published;
		rcu_set(&published, make((uint64_t)i));
		rcu_wait();
		old->b = old->a; /* a reader that still looked would see this */
		free(old);
	}
	is_over = 1;
	for (i = 0; i < READERS; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(torn, 0);
	free(published);
}

/* Sleepers and threads that are gone hold nobody up; nor does the writer itself when it is a reader. */
static void waits_for_nobody(void **state)
{
	(void)state;
	rcu_wait();
	rcu_thread_start();
	rcu_wait();
	rcu_offline();
	rcu_wait();
	rcu_online();
	rcu_thread_stop();
	rcu_wait();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(swaps),
		cmocka_unit_test(waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
