/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames into a guest's receive ring, into whatever buffers it has: rows G08 to G10 of what has to hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/isa.h"
#include "tests/lib/ring_rx.h"

enum {
	FEW = 4, /* buffers at hand, where frames come one by one */
};

/* Those whose buffers merge, or those whose do not. */
static void for_mrg(bool has_mrg, void (*check)(void))
{
	for (unsigned i = 0; i < RX_SHAPES; i++) {
		if (rx_shapes[i].has_mrg != has_mrg)
			continue;
		rx_start(&rx_shapes[i]);
		check();
		rx_stop();
	}
}

/* --- plain frames ------------------------------------------------------------------------ */

static void check_plain(void)
{
	static const uint32_t lens[] = {14,  15,  31,  32,  60,	 63,   64,   127, 128,
					129, 511, 512, 513, 640, 1500, 1514, 4000};
	enum { N = sizeof(lens) / sizeof(lens[0]) };

	for (unsigned turn = 0; turn < 200; turn++) {
		unsigned n = turn % N + 1;

		lab_alloc_all(rx_lab);
		rx_post(rx_lab->r.header + 4000, n);
		for (unsigned i = 0; i < n; i++)
			rx_make_plain(i, lens[(turn + i) % N]);
		assert_int_equal(lab_tx(rx_lab, rx_tx, n), 0);
		for (unsigned i = 0; i < n; i++)
			rx_expect_plain(i, lens[(turn + i) % N]);
		rx_expect_none();
	}
}

static void G10_plain(void **state)
{
	(void)state;
	rx_for_shapes(check_plain);
}

/* A buffer of exactly the frame's size, and one that lacks a byte. */
static void check_exact(void)
{
	uint32_t header = rx_lab->r.header;

	for (uint32_t len = 14; len < 700; len += 17) {
		lab_alloc_all(rx_lab);
		rx_post(header + len, 1);
		rx_make_plain(0, len);
		assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
		rx_expect_plain(0, len);
	}
	lab_alloc_all(rx_lab);
	rx_post(header + 99, 1);
	rx_make_plain(0, 100);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 1);
	assert_int_equal(rx_tx[0].drop, rx_lab->shape.has_mrg ? DROP_TX_FULL : DROP_TOO_BIG);
	rx_expect_none();
	/* It takes none: the next frame has the buffer. */
	rx_make_plain(0, 99);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
	rx_expect_plain(0, 99);
}

static void G10_exact(void **state)
{
	(void)state;
	rx_for_shapes(check_exact);
}

/* Buffers of several pieces, the header on its own or over some of them, direct and in a table. */
static void check_chains(void)
{
	static const uint32_t layouts[][8] = {
		{10, 1514}, {12, 1514},	     {1, 1, 1, 1, 1, 1, 1, 4000}, {12, 14, 20, 20, 3000},
		{0, 2000},  {5, 0, 0, 2000}, {600, 600, 600, 600},	  {11, 1, 1, 4000},
	};

	for (unsigned k = 0; k < sizeof(layouts) / sizeof(layouts[0]); k++)
		for (unsigned in_table = 0; in_table <= rx_lab->shape.has_indirect; in_table++) {
			unsigned n = 8;

			while (layouts[k][n - 1] == 0)
				n--;
			lab_alloc_all(rx_lab);
			for (unsigned i = 0; i < 3; i++) {
				rx_post_chain(layouts[k], n, in_table);
				rx_make_plain(i, 1400 + i);
			}
			assert_int_equal(lab_tx(rx_lab, rx_tx, 3), 0);
			for (unsigned i = 0; i < 3; i++)
				rx_expect_plain(i, 1400 + i);
			rx_expect_none();
		}
}

static void G10_chains(void **state)
{
	(void)state;
	rx_for_shapes(check_chains);
}

/* --- merged buffers ---------------------------------------------------------------------- */

static void merge(uint32_t len, uint32_t buffer)
{
	unsigned n = (len + rx_lab->r.header + buffer - 1) / buffer;

	lab_alloc_all(rx_lab);
	rx_post(buffer, n);
	rx_make_plain(0, len);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
	rx_expect_plain(0, len);
	rx_expect_none();
}

static void check_merged(void)
{
	merge(65535, 1526);
	merge(65535, 1024);
	merge(FRAME_MAX, 1526);
	merge(FRAME_MAX, 515);
	merge(128 * 512 - 12, 512); /* as many as may be */
	merge(1514, 1525);
	merge(1514, 100);
	merge(1514, 13);
	merge(100, 12);
	merge(100, 1);
	merge(14, 1);
}

static void G10_merged(void **state)
{
	(void)state;
	for_mrg(true, check_merged);
}

/* Frames of one vector whose buffers end in the middle of a window. */
static void check_windows(void)
{
	enum { N = 6, LEN = 9000, EACH = (LEN + 12 + 99) / 100 };

	for (unsigned turn = 0; turn < 10; turn++) {
		lab_alloc_all(rx_lab);
		rx_post(100, N * EACH);
		for (unsigned i = 0; i < N; i++)
			rx_make_plain(i, LEN);
		assert_int_equal(lab_tx(rx_lab, rx_tx, N), 0);
		for (unsigned i = 0; i < N; i++)
			rx_expect_plain(i, LEN);
		rx_expect_none();
	}
}

static void G10_windows(void **state)
{
	(void)state;
	for_mrg(true, check_windows);
}

/* Long and short frames in turn, into buffers of which some are chains. */
static void check_mixed(void)
{
	static const uint32_t lens[] = {60, 4000, 64, 1514, 9000, 14};
	static const uint32_t chain[] = {12, 300, 0, 700};

	for (unsigned turn = 0; turn < 20; turn++) {
		lab_alloc_all(rx_lab);
		for (unsigned i = 0; i < 20; i++) {
			rx_post(1526, 1);
			rx_post_chain(chain, 4, i % 2 && rx_lab->shape.has_indirect);
		}
		for (unsigned i = 0; i < 6; i++)
			rx_make_plain(i, lens[(i + turn) % 6]);
		assert_int_equal(lab_tx(rx_lab, rx_tx, 6), 0);
		for (unsigned i = 0; i < 6; i++)
			rx_expect_plain(i, lens[(i + turn) % 6]);
		/* What they left is found by others. */
		while (rx_make_plain(0, 500), lab_tx(rx_lab, rx_tx, 1) == 0)
			rx_expect_plain(0, 500);
		rx_expect_none();
		assert_int_equal(rx_lab->n_free, rx_lab->shape.size);
	}
}

static void G10_mixed(void **state)
{
	(void)state;
	for_mrg(true, check_mixed);
}

/* --- starvation -------------------------------------------------------------------------- */

static void check_starved(void)
{
	for (unsigned turn = 0; turn < 3; turn++) {
		lab_alloc_all(rx_lab);
		for (unsigned i = 0; i < 10; i++)
			rx_make_plain(i, 60);
		assert_int_equal(lab_tx(rx_lab, rx_tx, 10), 10);
		for (unsigned i = 0; i < 10; i++)
			assert_int_equal(rx_tx[i].drop, DROP_TX_FULL);
		/* Some: as many frames as buffers, the first ones. */
		rx_post(2000, FEW);
		for (unsigned i = 0; i < 10; i++)
			rx_make_plain(i, 60);
		assert_int_equal(lab_tx(rx_lab, rx_tx, 10), 10 - FEW);
		for (unsigned i = 0; i < 10; i++)
			assert_int_equal(rx_tx[i].drop, i < FEW ? DROP_NONE : DROP_TX_FULL);
		for (unsigned i = 0; i < FEW; i++)
			rx_expect_plain(i, 60);
		rx_expect_none();
	}
	assert_false(lab_is_broken(rx_lab));
}

static void G09_no_buffers(void **state)
{
	(void)state;
	rx_for_shapes(check_starved);
}

/* The guest reads nothing until its ring is full, and then goes on. */
static void check_stopped(void)
{
	unsigned n = 0;

	rx_post(200, rx_lab->shape.size);
	while (rx_make_plain(0, 64), lab_tx(rx_lab, rx_tx, 1) == 0)
		n++;
	assert_int_equal(rx_tx[0].drop, DROP_TX_FULL);
	assert_int_equal(n, rx_lab->shape.size);
	for (unsigned i = 0; i < n; i++)
		rx_expect_plain(0, 64);
	lab_alloc_all(rx_lab);
	rx_post(200, 1);
	rx_make_plain(0, 70);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
	rx_expect_plain(0, 70);
}

static void G09_guest_stops(void **state)
{
	(void)state;
	rx_for_shapes(check_stopped);
}

/* Too few for a long frame: it takes none, a short one behind it passes. */
static void check_too_few(void)
{
	rx_post(100, 12);
	rx_make_plain(0, 4000);
	rx_make_plain(1, 60);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 2), 1);
	assert_int_equal(rx_tx[0].drop, DROP_TX_FULL);
	rx_expect_plain(1, 60);
	rx_expect_none();
	/* More buffers than one frame may have. */
	rx_post(100, 700);
	rx_make_plain(0, 65000);
	rx_make_plain(1, 60);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 2), 1);
	assert_int_equal(rx_tx[0].drop, DROP_TX_FULL);
	rx_expect_plain(1, 60);
	rx_expect_none();
}

static void G09_too_few(void **state)
{
	(void)state;
	for_mrg(true, check_too_few);
}

static void check_too_small(void)
{
	uint32_t two[] = {12, 30};

	rx_post(60, 1);
	rx_make_plain(0, 100);
	rx_make_plain(1, 40);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 2), 1);
	assert_int_equal(rx_tx[0].drop, DROP_TOO_BIG);
	rx_expect_plain(1, 40);
	rx_post_chain(two, 2, false);
	rx_make_plain(0, 60);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 1);
	assert_int_equal(rx_tx[0].drop, DROP_TOO_BIG);
	rx_post(1, 10);
	rx_expect_none();
	assert_false(lab_is_broken(rx_lab));
}

static void G09_too_small(void **state)
{
	(void)state;
	for_mrg(false, check_too_small);
}

/* Buffers of one byte, of none, and of all memory. */
static void check_odd_sizes(void)
{
	struct lab_part all = {LAB_GPA, (uint32_t)LAB_BYTES, LAB_WRITE};
	uint32_t len;
	uint16_t id;

	rx_post(1, 30);
	rx_post(0, 20);
	rx_post(300, 1);
	rx_make_plain(0, 100);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
	rx_expect_plain(0, 100);
	rx_expect_none();
	assert_true(lab_put(rx_lab, &all, 1) >= 0);
	rx_make_plain(0, 100);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 0);
	assert_true(lab_used(rx_lab, &id, &len));
	assert_int_equal(len, 112);
	assert_memory_equal((uint8_t *)lab_at(rx_lab, LAB_GPA) + 12, rx_bytes[0], 100);
}

static void G09_odd_sizes(void **state)
{
	(void)state;
	for_mrg(true, check_odd_sizes);
}

/* --- G02, G03, G08 on this side ---------------------------------------------------------- */

/* A good buffer, then that chain: it ends the ring, and nothing was written by it. */
static void expect_broken(struct lab_part bad)
{
	lab_alloc_all(rx_lab);
	rx_post(2000, 1);
	assert_true(lab_put(rx_lab, &bad, 1) >= 0);
	rx_make_plain(0, 60);
	rx_make_plain(1, 60);
	assert_int_equal(lab_tx(rx_lab, rx_tx, 2), 1);
	assert_int_equal(rx_tx[1].drop, DROP_TX_FULL);
	rx_expect_plain(0, 60);
	rx_expect_none();
	assert_true(lab_is_broken(rx_lab));
	assert_true(atomic_load(&rx_lab->trouble));
}

static void G08_bad_buffers(void **state)
{
	static const struct lab_part bad[] = {
		{LAB_FAR, 4000, 0},
		{LAB_ADJACENT - 1, 4000, LAB_WRITE},
		{LAB_HOLE - 1, 4000, LAB_WRITE},
		{0, 4000, LAB_WRITE},
		{UINT64_MAX, 4000, LAB_WRITE},
		{LAB_GPA, UINT32_MAX, LAB_WRITE},
		{LAB_FAR, 4000,
		 LAB_WRITE | LAB_INDIRECT}, /* a table of descriptors without bytes */
		{LAB_FAR, 4001, LAB_INDIRECT},
		{LAB_HOLE, 32, LAB_INDIRECT},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		for (unsigned k = 0; k < RX_SHAPES; k++) {
			rx_start(&rx_shapes[k]);
			memset(lab_at(rx_lab, LAB_FAR), RX_CANARY, LAB_SMALL_BYTES);
			if (bad[i].flags & LAB_INDIRECT)
				memset(lab_at(rx_lab, LAB_FAR), 0, LAB_SMALL_BYTES);
			expect_broken(bad[i]);
			for (unsigned n = 0; n < LAB_SMALL_BYTES; n++)
				assert_int_equal(((uint8_t *)lab_at(rx_lab, LAB_FAR))[n],
						 bad[i].flags & LAB_INDIRECT ? 0 : RX_CANARY);
			rx_stop();
		}
}

/* A chain whose second part is read-only is none, though its first would do. */
static void G08_mixed_directions(void **state)
{
	(void)state;
	for (unsigned k = 0; k < RX_SHAPES; k++) {
		struct lab_part two[2];

		rx_start(&rx_shapes[k]);
		two[0] = rx_canary(2000);
		two[1] = rx_canary(2000);
		two[1].flags = 0;
		assert_true(lab_put(rx_lab, two, 2) >= 0);
		rx_make_plain(0, 60);
		assert_int_equal(lab_tx(rx_lab, rx_tx, 1), 1);
		assert_true(lab_is_broken(rx_lab));
		for (unsigned i = 0; i < 2000; i++)
			assert_int_equal(((uint8_t *)lab_at(rx_lab, two[0].gpa))[i], RX_CANARY);
		rx_stop();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(G10_plain),
		cmocka_unit_test(G10_exact),
		cmocka_unit_test(G10_chains),
		cmocka_unit_test(G10_merged),
		cmocka_unit_test(G10_windows),
		cmocka_unit_test(G10_mixed),
		cmocka_unit_test(G09_no_buffers),
		cmocka_unit_test(G09_guest_stops),
		cmocka_unit_test(G09_too_few),
		cmocka_unit_test(G09_too_small),
		cmocka_unit_test(G09_odd_sizes),
		cmocka_unit_test(G08_bad_buffers),
		cmocka_unit_test(G08_mixed_directions),
	};

	/* The version of this processor, and the one for any. */
	int failed = cmocka_run_group_tests_name("processor", tests, NULL, NULL);

	isa_wide = false;
	return failed + cmocka_run_group_tests_name("any", tests, NULL, NULL);
}
