/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/base/loop: watches, watches removed by a neighbour, timers. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/base/loop.h"

/* What the callbacks of one test share. */
struct bed {
	struct loop *loop;
	int fd[2];
	int timer[4];
	char log[64]; /* a letter for each call */
	uint64_t fired_ns;
};

static int setup(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	if (!b)
		return -1;
	b->loop = loop_create();
	b->fd[0] = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	b->fd[1] = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	*state = b;
	return b->loop && b->fd[0] >= 0 && b->fd[1] >= 0 ? 0 : -1;
}

static int teardown(void **state)
{
	struct bed *b = *state;

	loop_destroy(b->loop);
	close(b->fd[0]);
	close(b->fd[1]);
	free(b);
	return 0;
}

static void note_call(struct bed *b, char c)
{
	size_t n = strlen(b->log);

	assert_true(n + 1 < sizeof(b->log));
	b->log[n] = c;
}

static void stop(void *arg, uint32_t events)
{
	struct bed *b = arg;

	assert_int_equal(events, 0);
	note_call(b, '.');
	loop_stop(b->loop);
}

static void run_for(struct bed *b, uint32_t ms)
{
	assert_true(loop_after(b->loop, ms, stop, b) > 0);
	assert_int_equal(loop_run(b->loop), 0);
}

static void drain_first(void *arg, uint32_t events)
{
	struct bed *b = arg;
	uint64_t v;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(b->fd[0], &v, sizeof(v)), sizeof(v));
	note_call(b, 'a');
}

static void watches(void **state)
{
	struct bed *b = *state;

	assert_int_equal(loop_add(b->loop, b->fd[0], EPOLLIN, drain_first, b), 0);
	assert_int_equal(loop_add(b->loop, b->fd[0], EPOLLIN, drain_first, b), -EEXIST);
	assert_int_equal(loop_add(b->loop, -1, EPOLLIN, drain_first, b), -EBADF);
	assert_int_equal(loop_mod(b->loop, b->fd[1], EPOLLIN), -ENOENT);
	assert_int_equal(loop_mod(b->loop, -1, EPOLLIN), -ENOENT);
	loop_del(b->loop, b->fd[1]);
	loop_del(b->loop, -1);
	loop_del(b->loop, 1 << 20);
	run_for(b, 5);
	assert_string_equal(b->log, "a.");
	/* Silenced, then listened to again. */
	assert_int_equal(eventfd_write(b->fd[0], 1), 0);
	assert_int_equal(loop_mod(b->loop, b->fd[0], 0), 0);
	run_for(b, 5);
	assert_string_equal(b->log, "a..");
	assert_int_equal(loop_mod(b->loop, b->fd[0], EPOLLIN), 0);
	run_for(b, 5);
	assert_string_equal(b->log, "a..a.");
}

static void removes_both(void *arg, uint32_t events)
{
	struct bed *b = arg;

	(void)events;
	note_call(b, 'r');
	loop_del(b->loop, b->fd[0]);
	loop_del(b->loop, b->fd[1]);
}

/* Both are ready in one batch; whoever comes first removes the other, which is then not called. */
static void removed_in_batch(void **state)
{
	struct bed *b = *state;

	assert_int_equal(loop_add(b->loop, b->fd[0], EPOLLIN, removes_both, b), 0);
	assert_int_equal(loop_add(b->loop, b->fd[1], EPOLLIN, removes_both, b), 0);
	run_for(b, 5);
	assert_string_equal(b->log, "r.");
}

static void never(void *arg, uint32_t events)
{
	(void)events;
	note_call(arg, '!');
}

static void replaces_both(void *arg, uint32_t events)
{
	struct bed *b = arg;
	int i, old;

	(void)events;
	note_call(b, 'r');
	for (i = 0; i < 2; i++) {
		old = b->fd[i];
		loop_del(b->loop, old);
		close(old);
		b->fd[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		assert_int_equal(b->fd[i], old);
		assert_int_equal(loop_add(b->loop, b->fd[i], EPOLLIN, never, b), 0);
	}
}

/* The same with a new watch on a new file under the old number. */
static void replaced_in_batch(void **state)
{
	struct bed *b = *state;

	assert_int_equal(loop_add(b->loop, b->fd[0], EPOLLIN, replaces_both, b), 0);
	assert_int_equal(loop_add(b->loop, b->fd[1], EPOLLIN, replaces_both, b), 0);
	run_for(b, 5);
	assert_string_equal(b->log, "r.");
}

/* The array of watches grows under the callback that makes it grow. */
static void adds_far(void *arg, uint32_t events)
{
	struct bed *b = arg;
	int fd = fcntl(b->fd[0], F_DUPFD_CLOEXEC, 700);

	drain_first(arg, events);
	assert_true(fd >= 700);
	assert_int_equal(loop_add(b->loop, fd, EPOLLIN, never, b), 0);
	loop_del(b->loop, fd);
	close(fd);
}

static void grows(void **state)
{
	struct bed *b = *state;

	assert_int_equal(loop_add(b->loop, b->fd[0], EPOLLIN, adds_far, b), 0);
	run_for(b, 5);
	assert_string_equal(b->log, "a.");
}

static void fire_a(void *arg, uint32_t events)
{
	struct bed *b = arg;

	assert_int_equal(events, 0);
	note_call(b, 'a');
	b->fired_ns = clock_ns();
}

static void fire_b(void *arg, uint32_t events)
{
	struct bed *b = arg;

	(void)events;
	note_call(b, 'b');
	/* Its own id is gone already, the others still run. */
	loop_cancel(b->loop, b->timer[1]);
	loop_cancel(b->loop, b->timer[2]);
	loop_cancel(b->loop, b->timer[2]);
}

static void timers(void **state)
{
	struct bed *b = *state;
	uint64_t start = clock_ns();

	b->timer[0] = loop_after(b->loop, 20, fire_a, b);
	b->timer[1] = loop_after(b->loop, 10, fire_b, b);
	b->timer[2] = loop_after(b->loop, 15, fire_a, b);
	b->timer[3] = loop_after(b->loop, 1, fire_a, b);
	assert_true(b->timer[0] > 0 && b->timer[1] > b->timer[0]);
	loop_cancel(b->loop, b->timer[3]);
	loop_cancel(b->loop, 0);
	loop_cancel(b->loop, -5);
	loop_cancel(b->loop, 12345);
	run_for(b, 25);
	assert_string_equal(b->log, "ba.");
	assert_true(b->fired_ns - start >= 20000000);
}

static void again(void *arg, uint32_t events)
{
	struct bed *b = arg;

	(void)events;
	if (strlen(b->log) < 20)
		note_call(b, 't');
	loop_after(b->loop, 0, again, b);
}

/* A timer that starts itself anew at once does not keep descriptors waiting. */
static void no_starving(void **state)
{
	struct bed *b = *state;

	loop_after(b->loop, 0, again, b);
	assert_int_equal(loop_add(b->loop, b->fd[0], EPOLLIN, drain_first, b), 0);
	run_for(b, 5);
	assert_non_null(strchr(b->log, 'a'));
	assert_non_null(strchr(b->log, '.'));
}

static void stops(void **state)
{
	struct bed *b = *state;

	/* Asked before it ran: it does not run.  Once. */
	loop_stop(b->loop);
	assert_int_equal(loop_run(b->loop), 0);
	assert_string_equal(b->log, "");
	run_for(b, 0);
	assert_string_equal(b->log, ".");
	/* Destroyed with a timer and a watch. */
	assert_true(loop_after(b->loop, 1000, never, b) > 0);
	assert_int_equal(loop_add(b->loop, b->fd[0], EPOLLIN, never, b), 0);
	loop_destroy(NULL);
}

static void clocks(void **state)
{
	uint64_t ns = clock_ns(), ms = clock_ms();

	(void)state;
	assert_true(clock_ns() >= ns);
	assert_in_range(ms, ns / 1000000, ns / 1000000 + 10000);
}

#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LOOP_TEST(watches), LOOP_TEST(removed_in_batch), LOOP_TEST(replaced_in_batch),
		LOOP_TEST(grows),   LOOP_TEST(timers),		 LOOP_TEST(no_starving),
		LOOP_TEST(stops),   cmocka_unit_test(clocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
