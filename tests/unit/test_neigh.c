/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The neighbour table: states, questions, what waits, limits, what survives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/neigh.h"

enum { VID = 10, SECONDS = 1000000000 };

static const uint64_t seed[2] = {3, 5};
static struct neigh_table *table;
static struct hold *hold;
static struct neigh *n;
static uint64_t now_ns;

static int setup(void **state)
{
	(void)state;
	table = calloc(1, sizeof(*table));
	hold = hold_create();
	assert_non_null(table);
	assert_non_null(hold);
	now_ns = 1000ULL * SECONDS;
	n = neigh_create(table, true, seed, hold, now_ns);
	assert_non_null(n);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	neigh_destroy(n);
	hold_destroy(hold);
	free(table);
	return 0;
}

static struct ip host(unsigned i)
{
	return (struct ip){{[10] = 0xff, 0xff, 10, 0, (uint8_t)(i >> 8), (uint8_t)i}};
}

static struct mac mac(uint8_t last)
{
	return (struct mac){{2, 0, 0, 0, 0, last}};
}

/* Looks host i up; len bytes wait, 0: nothing. */
static enum neigh_answer look(unsigned i, uint32_t len, uint8_t *last, bool *ask)
{
	static uint8_t bytes[FRAME_MAX];
	struct iovec body = {bytes, len > 64 ? len - 64 : 0};
	struct frame f = {.snap = bytes,
			  .len = len,
			  .snap_len = (uint16_t)(len < 64 ? len : 64),
			  .body = &body,
			  .body_cnt = len > 64};
	struct neigh_wish w = {.ip = host(i), .vid = VID, .f = len ? &f : NULL, .from = {7, 1}};
	enum neigh_answer answer;
	struct mac m = {{0}};

	for (unsigned k = 0; k < len; k++)
		bytes[k] = (uint8_t)(k * 5);
	answer = neigh_resolve(n, &w, now_ns, &m, ask);
	*last = m.b[5];
	return answer;
}

static void claim(unsigned i, uint8_t last, bool is_answer, bool may_make)
{
	struct neigh_claim c = {host(i), VID, mac(last), is_answer, may_make};

	neigh_learn(n, &c, now_ns);
}

static void assert_known(unsigned i, uint8_t last, bool asks)
{
	uint8_t got;
	bool ask;

	assert_int_equal(look(i, 0, &got, &ask), NEIGH_KNOWN);
	assert_int_equal(got, last);
	assert_int_equal(ask, asks);
}

static void test_waits(void **state)
{
	struct neigh_ready r;
	struct hold_origin from;
	struct frame *f;
	uint8_t last;
	bool ask;

	(void)state;
	assert_int_equal(look(1, 1000, &last, &ask), NEIGH_WAITS);
	assert_true(ask);
	assert_int_equal(look(1, 65000, &last, &ask), NEIGH_WAITS);
	assert_false(ask);
	assert_false(neigh_released(n, &r));
	claim(1, 9, true, false);
	assert_true(neigh_released(n, &r));
	assert_int_equal(r.mac.b[5], 9);
	assert_int_equal(r.vid, VID);
	assert_int_equal(hold_frame(hold, r.place, NULL)->len, 1000);
	hold_free(hold, r.place);
	assert_true(neigh_released(n, &r));
	f = hold_frame(hold, r.place, &from);
	assert_int_equal(from.vid, 7);
	assert_int_equal(f->len, 65000);
	assert_int_equal(f->snap_len, SNAP_MAX);
	for (unsigned k = SNAP_MAX; k < f->len; k++)
		assert_int_equal(((uint8_t *)f->body[0].iov_base)[k - SNAP_MAX],
				 k < 64 ? (uint8_t)(k * 5) : (uint8_t)((k - 64) * 5));
	hold_free(hold, r.place);
	assert_false(neigh_released(n, &r));
	assert_int_equal(hold_count(hold), 0);
	assert_known(1, 9, false);
}

/* The oldest goes first; more than the hold takes is refused. */
static void test_wait_limits(void **state)
{
	struct neigh_ready r;
	uint8_t last;
	bool ask;

	(void)state;
	for (unsigned k = 0; k < NEIGH_WAIT + 6; k++)
		assert_int_equal(look(1, 100 + k, &last, &ask), NEIGH_WAITS);
	assert_int_equal(neigh_lost(n), 6);
	claim(1, 9, true, false);
	for (unsigned k = 6; k < NEIGH_WAIT + 6; k++) {
		assert_true(neigh_released(n, &r));
		assert_int_equal(hold_frame(hold, r.place, NULL)->len, 100 + k);
		hold_free(hold, r.place);
	}
	for (unsigned i = 0; i < NEIGH_WAIT_VLAN; i++)
		assert_int_equal(look(10 + i, 100, &last, &ask), NEIGH_WAITS);
	assert_int_equal(look(200, 100, &last, &ask), NEIGH_FULL);
	assert_int_equal(hold_count(hold), NEIGH_WAIT_VLAN);
	neigh_flush(n, 0, NULL);
	assert_int_equal(hold_count(hold), 0);
}

static void test_hold_bytes(void **state)
{
	static uint8_t bytes[64];
	struct iovec body = {bytes, 0};
	struct frame f = {.snap = bytes, .len = 64, .snap_len = 64, .body = &body};
	unsigned k = 0;

	(void)state;
	while (hold_put(hold, &f, (struct hold_origin){0}) != HOLD_NONE)
		k++;
	assert_int_equal(k, HOLD_PLACES);
	while (k > 0)
		hold_free(hold, (uint16_t)--k);
	body.iov_base = malloc(65000);
	assert_non_null(body.iov_base);
	memset(body.iov_base, 7, 65000);
	body.iov_len = 65000;
	f.body_cnt = 1;
	f.len = 65064;
	while (hold_put(hold, &f, (struct hold_origin){0}) != HOLD_NONE)
		k++;
	assert_int_equal(k, HOLD_BYTES / 65064);
	free(body.iov_base);
}

static void test_unanswered(void **state)
{
	struct neigh_due due;
	uint8_t last;
	bool ask;

	(void)state;
	assert_true(neigh_next_ns(n) == UINT64_MAX);
	look(1, 100, &last, &ask);
	assert_true(neigh_next_ns(n) == now_ns + SECONDS);
	assert_false(neigh_due(n, &due, now_ns));
	for (unsigned k = 0; k < 2; k++) {
		now_ns += SECONDS;
		assert_true(neigh_due(n, &due, now_ns));
		assert_false(due.failed);
		assert_true(mac_is_zero(&due.mac));
		assert_false(neigh_due(n, &due, now_ns));
	}
	now_ns += SECONDS;
	assert_true(neigh_due(n, &due, now_ns));
	assert_true(due.failed);
	assert_int_equal(due.vid, VID);
	hold_free(hold, due.place);
	assert_false(neigh_due(n, &due, now_ns));
	assert_true(neigh_next_ns(n) == UINT64_MAX);
}

static void test_states(void **state)
{
	struct neigh_due due;
	uint8_t last;
	bool ask;

	(void)state;
	claim(1, 9, true, false); /* nobody asked */
	assert_int_equal(look(1, 0, &last, &ask), NEIGH_WAITS);
	claim(1, 9, true, false);
	assert_known(1, 9, false);
	now_ns += 31ULL * SECONDS; /* STALE: used, and asked where it was */
	assert_known(1, 9, true);
	assert_known(1, 9, false);
	claim(1, 8, true, false); /* who was not asked does not count */
	assert_known(1, 9, false);
	now_ns += SECONDS;
	assert_true(neigh_due(n, &due, now_ns)); /* now everybody is */
	assert_true(mac_is_zero(&due.mac));
	claim(1, 8, true, false);
	assert_known(1, 8, false);
	/* a claim against one that is confirmed */
	now_ns += 2ULL * SECONDS;
	claim(1, 7, false, false);
	assert_true(neigh_due(n, &due, now_ns));
	assert_int_equal(due.mac.b[5], 8);
	claim(1, 8, true, false);
	assert_known(1, 8, false);
	assert_true(neigh_next_ns(n) == UINT64_MAX);
	/* one that speaks to us */
	claim(2, 5, false, true);
	assert_known(2, 5, true);
}

static bool is_confirmed(unsigned i, uint32_t within_s, uint8_t last)
{
	struct ip ip = host(i);
	struct mac m = {{0}};
	bool is_so = neigh_confirmed(n, VID, &ip, within_s, now_ns, &m);

	assert_int_equal(m.b[5], is_so ? last : 0);
	assert_false(neigh_confirmed(n, VID + 1, &ip, within_s, now_ns, &m));
	return is_so;
}

/* Who answered, and for how long that counts; asking for it asks nobody. */
static void test_confirmed(void **state)
{
	uint8_t last;
	bool ask;

	(void)state;
	assert_false(is_confirmed(1, 300, 9));
	look(1, 0, &last, &ask);
	assert_false(is_confirmed(1, 300, 9)); /* asked for */
	claim(1, 9, true, false);
	claim(2, 5, false, true); /* speaks, and never answered */
	assert_true(is_confirmed(1, 300, 9));
	assert_false(is_confirmed(2, 300, 5));
	now_ns += 40ULL * SECONDS;
	assert_true(is_confirmed(1, 300, 9));
	assert_false(is_confirmed(1, 39, 9));
	claim(1, 8, false, false); /* a claim is no answer */
	assert_true(is_confirmed(1, 300, 9));
	now_ns += 261ULL * SECONDS;
	assert_false(is_confirmed(1, 300, 9));
}

/* Who scans a prefix does not take the place of what is known, nor of other VLANs. */
static void test_scan(void **state)
{
	struct neigh_claim other = {host(1), VID + 1, mac(3), true, true};
	struct neigh_wish w = {.ip = host(1), .vid = VID + 1};
	struct neigh_due due;
	struct mac m;
	uint8_t last;
	bool ask;

	(void)state;
	neigh_learn(n, &other, now_ns);
	claim(1, 9, false, true);
	claim(1, 9, true, false);
	for (unsigned i = 2; i < 60000; i++)
		look(i, 60, &last, &ask);
	assert_known(1, 9, false);
	assert_int_equal(neigh_resolve(n, &w, now_ns, &m, &ask), NEIGH_KNOWN);
	now_ns += SECONDS;
	for (unsigned i = 0; neigh_due(n, &due, now_ns); i++)
		assert_true(i < NEIGH_ASKING_VLAN);
	/* nor who speaks with many addresses */
	for (unsigned i = 2; i < 60000; i++)
		claim(i, 4, false, true);
	assert_known(1, 9, false);
	now_ns += 10ULL * SECONDS;
	while (neigh_due(n, &due, now_ns))
		if (due.failed)
			hold_free(hold, due.place);
	assert_true(hold_count(hold) <= NEIGH_WAIT_VLAN);
}

static void test_list_and_flush(void **state)
{
	struct neigh_entry e[3];
	uint64_t cursor = 0;
	struct ip ip = host(2);
	unsigned got = 0, k;

	(void)state;
	for (unsigned i = 1; i <= 5; i++)
		claim(i, (uint8_t)i, false, true);
	while (cursor != UINT64_MAX) {
		k = neigh_list(n, &cursor, e, 3);
		got += k;
	}
	assert_int_equal(got, 5);
	neigh_flush(n, VID, &ip);
	cursor = 0;
	assert_int_equal(neigh_list(n, &cursor, e, 3), 3);
	neigh_flush(n, VID + 1, NULL);
	assert_int_equal(neigh_list(n, &cursor, e, 3), 1);
	neigh_flush(n, VID, NULL);
	cursor = 0;
	assert_int_equal(neigh_list(n, &cursor, e, 3), 0);
	assert_true(cursor == UINT64_MAX);
}

static void test_restart(void **state)
{
	struct neigh_entry *e = table->entry;
	uint64_t cursor = 0;
	struct neigh_entry out[8];
	uint8_t last;
	bool ask;

	(void)state;
	claim(1, 9, false, true);
	claim(1, 9, true, false);
	look(2, 100, &last, &ask);
	for (unsigned i = 10; i < 18; i++)
		claim(i, 4, false, true);
	e[2].vid = 4095;
	e[3].vid = 60000;
	e[4].state = 77;
	e[5].mac.b[0] = 1;
	memset(&e[6].mac, 0, 6);
	memset(&e[7].ip, 0, 16);
	e[8] = e[9]; /* twice the same */
	neigh_destroy(n);
	hold_destroy(hold);
	hold = hold_create();
	n = neigh_create(table, false, seed, hold, now_ns);
	assert_non_null(n);
	assert_int_equal(neigh_list(n, &cursor, out, 8), 2);
	assert_known(1, 9, true); /* stale */
	/* bytes of any kind */
	neigh_destroy(n);
	for (size_t i = 0; i < sizeof(*table); i++)
		((uint8_t *)table)[i] = (uint8_t)rand();
	n = neigh_create(table, false, seed, hold, now_ns);
	assert_non_null(n);
	for (unsigned i = 0; i < 5000; i++)
		look(i, 0, &last, &ask);
}

/* Random steps: never more waits than the hold has, and in the end all places are free. */
static void test_random(void **state)
{
	struct neigh_ready r;
	struct neigh_due due;
	uint8_t last;
	bool ask;

	(void)state;
	srand(7);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned i = (unsigned)rand() % 400;

		switch (rand() % 6) {
		case 0:
		case 1:
			look(i, 60 + (unsigned)rand() % 100, &last, &ask);
			break;
		case 2:
			claim(i, (uint8_t)rand(), rand() & 1, rand() & 1);
			break;
		case 3:
			now_ns += (uint64_t)rand() % (40ULL * SECONDS);
			break;
		case 4:
			if (neigh_due(n, &due, now_ns) && due.failed)
				hold_free(hold, due.place);
			break;
		default:
			if (neigh_released(n, &r))
				hold_free(hold, r.place);
			if (rand() % 100 == 0)
				neigh_flush(n, 0, NULL);
			break;
		}
	}
	neigh_flush(n, 0, NULL);
	while (neigh_released(n, &r))
		hold_free(hold, r.place);
	while (neigh_due(n, &due, now_ns))
		if (due.failed)
			hold_free(hold, due.place);
	assert_int_equal(hold_count(hold), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wait_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hold_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unanswered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_confirmed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list_and_flush, setup, teardown),
		cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
