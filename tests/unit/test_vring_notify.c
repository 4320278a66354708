/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is told what, and when: row G11 of what has to hold, with EVENT_IDX and without, split and packed.
 *
 * The guest's word is checked against its definition by a twin that asks it of every entry one by one; that no wake-up is lost,
 * by two threads that sleep whenever they may.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/base/isa.h"
#include "tests/lib/ring_lab.h"

enum { LEN = 60, VECTORS = 20000, FLOW = 8000, ROUNDS = 30000, PATIENCE_MS = 5000 };
enum {
	QUIET = 1,
	ENABLE = 0,
	DISABLE = 1,
	AT = 2
}; /* split: flags.  packed: words of an event structure */

static const struct lab_shape shapes[] = {
	{.size = 16, .base = 65500, .header = 12},
	{.size = 16, .base = 65500, .header = 12, .is_in_order = true},
	{.size = 16, .base = 65500, .header = 12, .has_event_idx = true},
	{.size = 16, .base = 65500, .header = 12, .has_event_idx = true, .is_in_order = true},
	{.size = 13, .base = 7, .header = 12, .is_packed = true},
	{.size = 13, .base = 7, .header = 12, .is_packed = true, .is_in_order = true},
	{.size = 13, .base = 7, .header = 12, .is_packed = true, .has_event_idx = true},
	{.size = 13,
	 .base = 7,
	 .header = 12,
	 .is_packed = true,
	 .has_event_idx = true,
	 .is_in_order = true},
};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static struct ring_lab *l;
static int kick_fd;
static unsigned window; /* chains that may be out */

static uint16_t *driver_event(void)
{
	return (uint16_t *)(void *)l->part[1];
}

static uint16_t *device_event(void)
{
	return (uint16_t *)(void *)l->part[2];
}

/* One chain: of one part or of two. */
static void make_available(bool is_long)
{
	struct lab_part part[2] = {{LAB_GPA, 12 + LEN, 0}, {LAB_GPA, 30, 0}};

	if (!l->is_transmit)
		part[0].flags = part[1].flags = LAB_WRITE;
	assert_true(lab_put(l, part, is_long ? 2 : 1) >= 0);
}

static unsigned calls(void)
{
	uint64_t n = 0;

	return read(atomic_load(&l->call), &n, sizeof(n)) == sizeof(n) ? (unsigned)n : 0;
}

static void start(const struct lab_shape *shape, bool is_transmit)
{
	l = lab_create(shape, is_transmit);
	atomic_store(&l->call, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	assert_true(atomic_load(&l->call) >= 0);
}

static void stop(void)
{
	close(atomic_load(&l->call));
	lab_destroy(l);
}

/* --- is the guest called? ---------------------------------------------------------------- */

/* What the guest asks for: a random word, near where the ring is. */
static void ask_randomly(void)
{
	unsigned size = l->shape.size;

	if (!l->shape.is_packed) {
		driver_event()[0] = (uint16_t)(rand() & (l->shape.has_event_idx ? 3 : QUIET));
		if (l->shape.has_event_idx)
			*lab_used_event(l) = (uint16_t)(l->used_next + (unsigned)rand() % 24 - 4);
		return;
	}
	driver_event()[0] = (uint16_t)((unsigned)rand() % size | (rand() % 2 ? LAB_WRAP : 0));
	driver_event()[1] = (uint16_t)(rand() % (l->shape.has_event_idx ? 3 : 2));
}

/* Whether one of the descriptors from where the guest reads, span of them, is the one it waits for. */
static bool is_passed(unsigned span)
{
	unsigned at = l->used_next, size = l->shape.size;
	bool wrap = l->used_wrap;

	for (unsigned i = 0; i < span; i++) {
		if (!l->shape.is_packed && (uint16_t)(at + i) == *lab_used_event(l))
			return true;
		if (l->shape.is_packed && driver_event()[0] == (at | (wrap ? LAB_WRAP : 0)))
			return true;
		if (l->shape.is_packed && ++at == size) {
			at = 0;
			wrap = !wrap;
		}
	}
	return false;
}

static bool is_due(unsigned chains, unsigned span)
{
	if (l->shape.is_packed) {
		if (driver_event()[1] == AT)
			return is_passed(span);
		return driver_event()[1] == ENABLE;
	}
	return l->shape.has_event_idx ? is_passed(chains) : !(driver_event()[0] & QUIET);
}

/* Vectors of all lengths; at most one call for each, and exactly when it was asked for. */
static void check_calls(bool is_transmit)
{
	static uint8_t frame[FRAME_HEADROOM + LEN];
	struct frame f = {.snap = frame + FRAME_HEADROOM, .len = LEN, .snap_len = LEN};

	for (unsigned i = 0; i < VECTORS; i++) {
		unsigned n = (unsigned)rand() % 6, span = 0;
		struct tx_frame t[6];

		for (unsigned k = 0; k < n; k++) {
			bool is_long = rand() % 4 == 0;

			make_available(is_long);
			span += is_long ? 2 : 1;
			t[k] = (struct tx_frame){.f = &f, .frames = 1};
		}
		ask_randomly();
		if (is_transmit) {
			assert_int_equal(lab_take(l), n);
			assert_int_equal(calls(), 0);
			lab_return(l);
		} else {
			assert_int_equal(lab_tx(l, t, n), 0);
		}
		assert_int_equal(calls(), n > 0 && is_due(n, span));
		assert_int_equal(lab_used_all(l), n);
	}
}

static void G11_calls(void **state)
{
	(void)state;
	srand(3);
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned is_transmit = 0; is_transmit < 2; is_transmit++) {
			start(&shapes[i], is_transmit);
			check_calls(is_transmit);
			stop();
		}
}

/* Whose scratch does not call leaves it to the worker of the queue. */
static void G11_owed(void **state)
{
	(void)state;
	start(&shapes[0], true);
	make_available(false);
	assert_int_equal(lab_take(l), 1);
	l->scratch.calls_guests = false;
	lab_return(l);
	assert_int_equal(calls(), 0);
	assert_true(atomic_load(&l->r.owes_call));
	l->scratch.calls_guests = true;
	call_guest(&l->r, &l->scratch);
	assert_int_equal(calls(), 1);
	stop();
}

/* --- is the device kicked? --------------------------------------------------------------- */

/* Whether an honest driver that made one chain available at `at` (and wrap) would kick. */
static bool would_kick(unsigned at, bool wrap)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!l->shape.is_packed && l->shape.has_event_idx)
		return __atomic_load_n(lab_avail_event(l), __ATOMIC_RELAXED) == (uint16_t)at;
	if (!l->shape.is_packed)
		return !(__atomic_load_n(&device_event()[0], __ATOMIC_RELAXED) & QUIET);
	switch (__atomic_load_n(&device_event()[1], __ATOMIC_RELAXED)) {
	case ENABLE:
		return true;
	case AT:
		return __atomic_load_n(&device_event()[0], __ATOMIC_RELAXED) ==
		       (at | (wrap ? LAB_WRAP : 0));
	default:
		return false;
	}
}

static unsigned next_at(void)
{
	return l->shape.is_packed ? l->next : l->avail_idx;
}

/* Armed, it is kicked for the next chain; hushed it is not; armed in vain, it says so and is not kicked. */
static void G11_arm(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		start(&shapes[i], true);
		for (unsigned turn = 0; turn < 200; turn++) {
			/* With the index of an event that lies behind, it is as good as quiet. */
			vring_hush(&l->r);
			if (turn)
				assert_false(would_kick(next_at(), l->avail_wrap));
			assert_true(vring_arm(&l->r));
			assert_true(would_kick(next_at(), l->avail_wrap));
			make_available(turn % 3 == 0);
			assert_int_equal(lab_take(l), 1);
			assert_false(would_kick(next_at(), l->avail_wrap));
			lab_return(l);
			make_available(false);
			assert_false(vring_arm(&l->r));
			if (!l->shape.has_event_idx || l->shape.is_packed)
				assert_false(would_kick(next_at(), l->avail_wrap));
			assert_int_equal(lab_take(l), 1);
			lab_return(l);
			assert_int_equal(lab_used_all(l), 2);
		}
		stop();
	}
}

/* The guest: sends FLOW chains, kicks when it is asked to, and sleeps while so many are out. */
static void *drive(void *arg)
{
	unsigned *late = arg, sent = 0, seen = 0;

	while (seen < FLOW) {
		struct pollfd p = {atomic_load(&l->call), POLLIN, 0};
		uint64_t one = 1;

		while (sent < FLOW && sent - seen < window) {
			unsigned at = next_at();
			bool wrap = l->avail_wrap;

			make_available(false);
			sent++;
			if (would_kick(at, wrap) && write(kick_fd, &one, sizeof(one)) < 0)
				return NULL;
		}
		seen += lab_used_all(l);
		if (sent < FLOW && sent - seen < window)
			continue;
		/* Asks for a call at the next, looks once more, sleeps. */
		if (!l->shape.is_packed && l->shape.has_event_idx)
			__atomic_store_n(lab_used_event(l), l->used_next, __ATOMIC_RELAXED);
		if (l->shape.is_packed && l->shape.has_event_idx) {
			__atomic_store_n(&driver_event()[0],
					 (uint16_t)(l->used_next | (l->used_wrap ? LAB_WRAP : 0)),
					 __ATOMIC_RELAXED);
			__atomic_store_n(&driver_event()[1], AT, __ATOMIC_RELEASE);
		}
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (lab_has_used(l) || seen == FLOW)
			continue;
		if (poll(&p, 1, PATIENCE_MS) == 0)
			*late += 1;
		calls();
	}
	return NULL;
}

static void flow(const struct lab_shape *shape)
{
	unsigned late = 0, n = 0, slept = 0;
	pthread_t guest;

	start(shape, true);
	kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(pthread_create(&guest, NULL, drive, &late), 0);
	while (n < FLOW) {
		struct pollfd p = {kick_fd, POLLIN, 0};
		unsigned now = lab_take(l);
		uint64_t kicks;

		n += now;
		lab_return(l);
		if (now || n == FLOW || !vring_arm(&l->r))
			continue;
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		assert_int_equal(read(kick_fd, &kicks, sizeof(kicks)), sizeof(kicks));
		slept++;
	}
	pthread_join(guest, NULL);
	assert_int_equal(late, 0);
	assert_true(slept > 0);
	close(kick_fd);
	stop();
}

static void G11_no_lost_wakeup(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		window = i % 2 ? 2 : 12;
		flow(&shapes[i]);
	}
}

/*
 * Both sides store and then look at what the other stores, at the same moment, again and again: at least one of them sees it.
 * The guest's half of a round is `meets`; it tells the other what it saw.
 */
static atomic_uint rounds[2]; /* guest's, device's: begun, by half */
static atomic_bool has_seen;

static void wait_for(unsigned side, unsigned half)
{
	atomic_store(&rounds[side], half);
	for (unsigned spins = 0; atomic_load(&rounds[1 - side]) < half; spins++)
		if (spins > 1000)
			sched_yield();
}

/* Makes a chain available, and looks whether the device wants to be told. */
static bool meet_kick(void)
{
	unsigned at = next_at();
	bool wrap = l->avail_wrap;

	make_available(false);
	return would_kick(at, wrap);
}

/* Asks for a call, and looks whether a chain is used. */
static bool meet_call(void)
{
	if (l->shape.is_packed && l->shape.has_event_idx) {
		__atomic_store_n(&driver_event()[0],
				 (uint16_t)(l->used_next | (l->used_wrap ? LAB_WRAP : 0)),
				 __ATOMIC_RELAXED);
		__atomic_store_n(&driver_event()[1], AT, __ATOMIC_RELEASE);
	} else if (l->shape.is_packed) {
		__atomic_store_n(&driver_event()[1], ENABLE, __ATOMIC_RELAXED);
	} else if (l->shape.has_event_idx) {
		__atomic_store_n(lab_used_event(l), l->used_next, __ATOMIC_RELAXED);
	} else {
		__atomic_store_n(&driver_event()[0], 0, __ATOMIC_RELAXED);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return lab_has_used(l);
}

/* Asks for no call. */
static void be_quiet(void)
{
	if (l->shape.is_packed)
		driver_event()[1] = DISABLE;
	else if (l->shape.has_event_idx)
		*lab_used_event(l) = (uint16_t)(l->used_next - 1);
	else
		driver_event()[0] = QUIET;
}

static void *meet(void *arg)
{
	bool (*const meets)(void) = *(bool (**)(void))arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		wait_for(0, 2 * i + 1);
		atomic_store_explicit(&has_seen, meets(), memory_order_relaxed);
		wait_for(0, 2 * i + 2);
	}
	return NULL;
}

static void check_meeting(bool is_kick)
{
	bool (*meets)(void) = is_kick ? meet_kick : meet_call;
	unsigned lost = 0;
	pthread_t guest;

	atomic_store(&rounds[0], 0);
	atomic_store(&rounds[1], 0);
	assert_int_equal(pthread_create(&guest, NULL, meet, &meets), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		bool sleeps = true;

		/* The guest waits: its ring is ours. */
		if (!is_kick) {
			make_available(false);
			lab_take(l);
			be_quiet();
		}
		wait_for(1, 2 * i + 1);
		if (is_kick)
			sleeps = vring_arm(&l->r);
		else
			lab_return(l);
		wait_for(1, 2 * i + 2);
		if (is_kick) {
			lost += sleeps && !atomic_load(&has_seen);
			lab_take(l);
			lab_return(l);
		} else {
			lost += !calls() && !atomic_load(&has_seen);
		}
		lab_used_all(l);
	}
	pthread_join(guest, NULL);
	assert_int_equal(lost, 0);
}

static void G11_at_the_same_time(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned is_kick = 0; is_kick < 2; is_kick++) {
			start(&shapes[i], true);
			check_meeting(is_kick);
			stop();
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(G11_calls),
		cmocka_unit_test(G11_owed),
		cmocka_unit_test(G11_arm),
		cmocka_unit_test(G11_no_lost_wakeup),
		cmocka_unit_test(G11_at_the_same_time),
	};

	/* The version of this processor, and the one for any. */
	int failed = cmocka_run_group_tests_name("processor", tests, NULL, NULL);

	isa_wide = false;
	return failed + cmocka_run_group_tests_name("any", tests, NULL, NULL);
}
