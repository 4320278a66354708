/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_state: slots, the ring of events, and a region that a hostile process wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "switch/state.h"

static int region_create(size_t bytes)
{
	int fd = memfd_create("state", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	return fd;
}

static void test_sizes(void **state)
{
	bool fresh;
	int fd;

	(void)state;
	fd = region_create(sizeof(struct state) - 1);
	assert_null(state_map(fd, &fresh));
	assert_int_equal(errno, EINVAL);
	close(fd);
	fd = region_create(sizeof(struct state) + 1);
	assert_null(state_map(fd, &fresh));
	close(fd);
	assert_null(state_map(-1, &fresh));
	state_unmap(NULL);
}

static void test_slots_outlive_the_process(void **state)
{
	int fd = region_create(sizeof(struct state));
	struct state *s;
	bool fresh;

	(void)state;
	s = state_map(fd, &fresh);
	assert_true(fresh);
	assert_int_equal(state_slot_take(s, "a"), 0);
	assert_int_equal(state_slot_take(s, "b"), 1);
	assert_int_equal(state_slot_take(s, "c"), 2);
	assert_int_equal(state_slot_take(s, "b"), 1);
	state_slot_put(s, 0);
	state_unmap(s);

	s = state_map(fd, &fresh);
	assert_false(fresh);
	assert_int_equal(state_slot_take(s, "c"), 2);
	assert_int_equal(state_slot_take(s, "new"), 0);
	assert_int_equal(state_slot_take(s, "newer"), 3);
	state_unmap(s);
	close(fd);
}

static void test_slots_end(void **state)
{
	int fd = region_create(sizeof(struct state));
	struct state *s;
	char name[PORT_NAME_SIZE];
	bool fresh;
	int i;

	(void)state;
	s = state_map(fd, &fresh);
	for (i = 0; i < SLOT_MAX; i++) {
		snprintf(name, sizeof(name), "port%d", i);
		assert_int_equal(state_slot_take(s, name), i);
	}
	assert_int_equal(state_slot_take(s, "one-more"), -ENOSPC);
	state_slot_put(s, 17);
	state_slot_put(s, 0xffff);
	assert_int_equal(state_slot_take(s, "one-more"), 17);
	state_unmap(s);
	close(fd);
}

static void count_event(const struct event *e, void *arg)
{
	uint64_t *last = arg;

	*last = e->serial;
}

static void test_events_are_a_ring(void **state)
{
	int fd = region_create(sizeof(struct state));
	struct event e;
	struct state *s;
	uint64_t last = 0;
	bool fresh;
	int i;

	(void)state;
	s = state_map(fd, &fresh);
	assert_false(state_event_get(s, 0, &e));
	assert_false(state_event_get(s, 1, &e));
	state_event_hook(count_event, &last);
	for (i = 1; i <= EVENTS_KEPT + 5; i++) {
		state_event(s, "port_up", "port web", "event number %d", i);
		assert_int_equal(last, i);
	}
	state_event_hook(NULL, NULL);
	assert_false(state_event_get(s, 5, &e));
	assert_true(state_event_get(s, 6, &e));
	assert_string_equal(e.text, "event number 6");
	assert_true(state_event_get(s, EVENTS_KEPT + 5, &e));
	assert_string_equal(e.kind, "port_up");
	assert_string_equal(e.object, "port web");
	assert_true(e.time_ms > 1600000000000);
	assert_false(state_event_get(s, EVENTS_KEPT + 6, &e));
	state_unmap(s);

	s = state_map(fd, &fresh);
	assert_false(fresh);
	assert_true(state_event_get(s, 6, &e));
	state_event(s, "x", "", "%0500d", 7);
	assert_true(state_event_get(s, EVENTS_KEPT + 6, &e));
	assert_int_equal(strlen(e.text), EVENT_TEXT_SIZE - 1);
	state_event(s, "x", "", "a\nb\033c\xff");
	assert_true(state_event_get(s, EVENTS_KEPT + 7, &e));
	assert_string_equal(e.text, "a?b?c?");
	state_unmap(s);
	close(fd);
}

/* Each field that a hostile switch may have written. */
static void test_hostile_region(void **state)
{
	int fd = region_create(sizeof(struct state));
	struct event e;
	struct state *s;
	bool fresh;

	(void)state;
	s = state_map(fd, &fresh);
	memset(s->port_name[0], 'x', PORT_NAME_SIZE); /* no end */
	strcpy(s->port_name[1], "a/../b");
	strcpy(s->port_name[2], "twice");
	strcpy(s->port_name[3], "good");
	strcpy(s->port_name[4], "twice");
	s->event_serial = 7;
	s->event[5].serial = 6; /* not its place */
	s->event[7].serial = 7;
	memset(s->event[7].text, 0xff, EVENT_TEXT_SIZE); /* neither text nor end */
	memset(s->event[7].kind, 'k', EVENT_KIND_SIZE);
	s->event[8].serial = 8; /* of the future */
	state_unmap(s);

	s = state_map(fd, &fresh);
	assert_false(fresh);
	assert_string_equal(s->port_name[0], "");
	assert_string_equal(s->port_name[1], "");
	assert_string_equal(s->port_name[3], "good");
	assert_int_equal((s->port_name[2][0] != '\0') + (s->port_name[4][0] != '\0'), 1);
	assert_int_equal(s->event[5].serial, 0);
	assert_int_equal(s->event[8].serial, 0);
	assert_true(state_event_get(s, 7, &e));
	assert_int_equal(strlen(e.kind), EVENT_KIND_SIZE - 1);
	assert_int_equal(e.text[0], '?');
	s->event_serial = UINT64_MAX; /* would wrap */
	state_unmap(s);

	s = state_map(fd, &fresh);
	assert_int_equal(s->event_serial, 0);
	assert_false(state_event_get(s, 7, &e));
	state_event(s, "k", "", "t");
	assert_true(state_event_get(s, 1, &e));
	s->version++;
	state_unmap(s);

	s = state_map(fd, &fresh);
	assert_true(fresh);
	assert_int_equal(s->event_serial, 0);
	assert_string_equal(s->port_name[3], "");
	state_unmap(s);
	close(fd);
}

/* Random bytes behind a good head: nothing to crash on, and every promise of the file head holds. */
static void test_random_regions(void **state)
{
	int fd = region_create(sizeof(struct state));
	struct state *s;
	struct event e;
	bool fresh;
	int round, i;
	size_t at;

	(void)state;
	srandom(1);
	for (round = 0; round < 20; round++) {
		s = state_map(fd, &fresh);
		for (i = 0; i < 20000; i++) {
			at = offsetof(struct state, event_serial) +
			     (size_t)random() % (offsetof(struct state, fdb) -
						 offsetof(struct state, event_serial));
			((unsigned char *)s)[at] = (unsigned char)random();
		}
		s->event_serial = (uint64_t)random() % 3000;
		state_unmap(s);
		s = state_map(fd, &fresh);
		assert_false(fresh);
		for (i = 0; i < SLOT_MAX; i++)
			assert_true(strnlen(s->port_name[i], PORT_NAME_SIZE) < PORT_NAME_SIZE);
		for (i = 0; i < 3000; i++) {
			if (state_event_get(s, (uint64_t)i, &e))
				assert_true(strnlen(e.text, EVENT_TEXT_SIZE) < EVENT_TEXT_SIZE);
		}
		state_unmap(s);
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_slots_outlive_the_process),
		cmocka_unit_test(test_slots_end),
		cmocka_unit_test(test_events_are_a_ring),
		cmocka_unit_test(test_hostile_region),
		cmocka_unit_test(test_random_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
