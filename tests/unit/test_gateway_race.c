/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway: two workers and the control thread at once; what a worker was given stays its own until it calls again. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/gateway_lab.h"

enum { TURNS = 3000, WAITING = 40 };

/* A worker: its own vector and made frames, the same gateway. */
struct worker {
	pthread_t thread;
	struct lab *l;
	struct gate_frame in, out;
	unsigned host; /* of network a */
	unsigned sent;
};

static atomic_bool done;

/* Sends to neighbours that are not known, and says then where they are: what waited must come out whole. */
static void *work(void *arg)
{
	struct worker *w = arg;
	struct lab *l = w->l;
	char src[32], dst[32];

	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct gate_say say = {.vid = VID_A, .src = src, .dst = dst};
		unsigned far = 2 + turn % WAITING;

		snprintf(src, sizeof(src), "10.10.0.%u", w->host);
		snprintf(dst, sizeof(dst), "10.20.0.%u", far);
		gate_clear(l);
		gate_udp(&w->in, &say, 1000, 53, 1000);
		gate_give(l, VID_A, &w->in, 64);
		gate_run(l);
		snprintf(src, sizeof(src), "10.20.0.%u", far);
		gate_clear(l);
		gate_arp(&w->in, VID_B, 2, gate_host(VID_B, (uint8_t)far), src, "10.20.0.1",
			 gate_leg(VID_B));
		gate_give(l, VID_B, &w->in, 64);
		gate_run(l);
		/* Outside the lock, while the other one works. */
		for (unsigned i = 0; i < l->made.vec.n; i++, w->sent++)
			gate_made(l, i, &w->out);
		if (turn % WAITING == 0) { /* all have to be asked again */
			gateway_lock(l->g);
			neigh_flush(gateway_neigh(l->g), VID_B, NULL);
			gateway_unlock(l->g);
		}
		l->call.now_ns += 100000;
		l->made.vec.n = 0;
		gateway_tick(l->g, &l->call);
		for (unsigned i = 0; i < l->made.vec.n; i++)
			gate_made(l, i, &w->out);
	}
	return NULL;
}

static void *control(void *arg)
{
	static uint8_t frame[60] = {2, 0, 0, 0, 10, 9};
	static struct gateway_datagram d;
	struct lab *l = arg;

	while (!atomic_load(&done)) {
		gateway_send(l->g, VID_A, frame, sizeof(frame));
		gateway_service_read(l->g, &d);
		sched_yield();
	}
	return NULL;
}

static void test_race(void **state)
{
	struct lab *first = gate_create(), *second = gate_create();
	struct worker *w = calloc(2, sizeof(*w));
	struct gateway *own = second->g;
	pthread_t thread;

	(void)state;
	assert_non_null(w);
	second->g = first->g;
	w[0].l = first;
	w[0].host = 5;
	w[1].l = second;
	w[1].host = 6;
	gateway_announce(first->g, first->conf, first->call.now_ns);
	assert_int_equal(pthread_create(&thread, NULL, control, first), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&w[i].thread, NULL, work, &w[i]), 0);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(w[i].thread, NULL);
	atomic_store(&done, true);
	pthread_join(thread, NULL);
	assert_true(w[0].sent + w[1].sent >= WAITING);
	second->g = own;
	gate_destroy(second);
	gate_destroy(first);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_race)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
