/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames out of a guest's transmit ring, and what a hostile guest writes there: rows G01 to G05 and G08 of what has to hold.
 *
 * Wherever a row says that a chain is bad, good frames stand before and after it in the same vector and have to pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/isa.h"
#include "tests/lib/ring_lab.h"

enum { LEN = 200, PARTS = 4200, RING = 64, RING_LONG = 4096 };

/* Sizes of packed rings are no powers of 2; each begins where it soon wraps. */
static const struct lab_shape shapes[] = {
	{.size = RING, .base = 65530, .header = 12, .has_indirect = true},
	{.size = RING, .base = 65530, .header = 10, .has_indirect = true, .is_in_order = true},
	{.size = 61, .base = 55, .header = 12, .has_indirect = true, .is_packed = true},
	{.size = 67,
	 .base = 60,
	 .header = 10,
	 .has_indirect = true,
	 .is_packed = true,
	 .is_in_order = true},
};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

static struct ring_lab *l;
static struct lab_part parts[PARTS];
static unsigned n_parts;

/* --- what the guest does ----------------------------------------------------------------- */

static void add(uint64_t gpa, uint32_t len, uint16_t flags)
{
	assert_true(n_parts < PARTS);
	parts[n_parts++] = (struct lab_part){gpa, len, flags};
}

static void send_parts(void)
{
	assert_true(lab_put(l, parts, n_parts) >= 0);
	n_parts = 0;
}

static void send_frame(unsigned number)
{
	n_parts = 0;
	add(lab_write_frame(l, number, LEN), l->r.header + LEN, 0);
	send_parts();
}

/* --- what came out ----------------------------------------------------------------------- */

static void expect_all_used(unsigned n)
{
	lab_return(l);
	assert_int_equal(lab_used_all(l), n);
	assert_int_equal(l->n_free, l->shape.size);
	lab_alloc_all(l);
}

/* Frame 1, the chain in parts[], frame 2: the chain is that drop. */
static void expect_drop(enum drop drop)
{
	struct lab_part bad[PARTS];
	unsigned n = n_parts;

	memcpy(bad, parts, n * sizeof(bad[0]));
	send_frame(1);
	memcpy(parts, bad, n * sizeof(bad[0]));
	n_parts = n;
	send_parts();
	send_frame(2);
	assert_int_equal(lab_take(l), 3);
	lab_expect_frame(&l->vec.f[0], 1, LEN);
	assert_int_equal(l->vec.f[1].drop, drop);
	assert_int_equal(l->vec.f[1].snap_len, 0);
	lab_expect_frame(&l->vec.f[2], 2, LEN);
	expect_all_used(3);
	assert_false(lab_is_broken(l));
}

static void expect_broken(void)
{
	assert_int_equal(lab_take(l), 0);
	assert_true(lab_is_broken(l));
	assert_true(atomic_load(&l->trouble));
	assert_non_null(atomic_load(&l->r.why));
	lab_return(l);
	assert_int_equal(lab_used_all(l), 0);
}

static void start(const struct lab_shape *shape)
{
	l = lab_create(shape, true);
	n_parts = 0;
}

static void for_shapes(void (*check)(void))
{
	for (unsigned i = 0; i < SHAPES; i++) {
		start(&shapes[i]);
		check();
		lab_destroy(l);
	}
}

/* The row's ring is one of the first two shapes, or of the last two. */
static void for_format(bool is_packed, void (*check)(void))
{
	for (unsigned i = 0; i < SHAPES; i++) {
		if (shapes[i].is_packed != is_packed)
			continue;
		start(&shapes[i]);
		check();
		lab_destroy(l);
	}
}

/* --- frames ------------------------------------------------------------------------------ */

/* Vectors of all lengths go around the ring; what is held is not used yet. */
static void check_plain(void)
{
	unsigned sent = 0, seen = 0;

	for (unsigned turn = 0; turn < 300; turn++) {
		unsigned n = turn % 9;

		for (unsigned i = 0; i < n; i++)
			send_frame(sent++);
		assert_int_equal(lab_take(l), n);
		for (unsigned i = 0; i < n; i++)
			lab_expect_frame(&l->vec.f[i], seen++, LEN);
		assert_int_equal(lab_used_all(l), 0);
		expect_all_used(n);
	}
}

static void frames_go_around(void **state)
{
	(void)state;
	for_shapes(check_plain);
}

/* More than a vector takes, with chains among them; the guest goes on meanwhile. */
static void check_bursts(void)
{
	unsigned sent = 0, seen = 0;

	for (unsigned turn = 0; turn < 400; turn++) {
		unsigned max = turn % 5 ? VEC_SIZE : turn % VEC_SIZE + 1;

		if (sent == seen)
			lab_alloc_all(l);
		while (turn % 40 < 30 && l->n_free > 2) {
			uint64_t at = lab_write_frame(l, sent, LEN);
			uint32_t first = sent++ % 50 == 7 ? 60 : l->r.header + LEN;

			add(at, first, 0);
			if (first == 60)
				add(at + first, l->r.header + LEN - first, 0);
			send_parts();
		}
		vring_take(&l->r, &l->scratch, &l->vec, max);
		assert_true(l->vec.n <= max && (l->vec.n > 0 || sent == seen));
		for (unsigned i = 0; i < l->vec.n; i++)
			lab_expect_frame(&l->vec.f[i], seen++, LEN);
		lab_return(l);
		assert_int_equal(lab_used_all(l), l->vec.n);
	}
	assert_true(seen > 10000 && sent == seen);
}

static void more_than_a_vector(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		struct lab_shape shape = shapes[i];

		shape.size = shape.is_packed ? 509 : 512;
		start(&shape);
		check_bursts();
		lab_destroy(l);
	}
}

static void check_long(void)
{
	static const uint32_t lens[] = {1, 13, 127, 128, 129, 1514, 65535, FRAME_MAX};

	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		add(lab_write_frame(l, i, lens[i]), l->r.header + lens[i], 0);
		send_parts();
	}
	assert_int_equal(lab_take(l), sizeof(lens) / sizeof(lens[0]));
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		lab_expect_frame(&l->vec.f[i], i, lens[i]);
	expect_all_used(sizeof(lens) / sizeof(lens[0]));
	/* One byte more than a frame may have: in one piece, and in two. */
	add(lab_write_frame(l, 9, FRAME_MAX + 1), l->r.header + FRAME_MAX + 1, 0);
	expect_drop(DROP_TOO_BIG);
	add(lab_write_frame(l, 9, 100), l->r.header + 100, 0);
	add(LAB_GPA, FRAME_MAX - 99, 0);
	expect_drop(DROP_TOO_BIG);
	/* All of the guest's memory, again and again. */
	for (unsigned k = 0; k < 40; k++)
		add(LAB_GPA, LAB_BYTES, 0);
	expect_drop(DROP_TOO_BIG);
}

static void long_frames(void **state)
{
	(void)state;
	for_shapes(check_long);
}

static void check_discard(void)
{
	atomic_store(&l->r.mode, RING_DISCARD);
	send_frame(1);
	send_frame(2);
	assert_int_equal(lab_take(l), 2);
	assert_int_equal(l->vec.f[0].drop, DROP_PORT_DOWN);
	assert_int_equal(l->vec.f[1].drop, DROP_PORT_DOWN);
	expect_all_used(2);
	atomic_store(&l->r.mode, RING_ON);
	send_frame(3);
	assert_int_equal(lab_take(l), 1);
	lab_expect_frame(&l->vec.f[0], 3, LEN);
	expect_all_used(1);
}

static void V05_discard(void **state)
{
	(void)state;
	for_shapes(check_discard);
}

/* --- G01 --------------------------------------------------------------------------------- */

/* Makes a chain of n whose descriptor `from` goes on at `to`, whatever it was. */
static void split_loop(unsigned n, unsigned from, unsigned to)
{
	unsigned first, size = l->shape.size;
	struct lab_desc *d;

	send_frame(1);
	first = l->next;
	for (unsigned i = 0; i < n; i++)
		add(LAB_GPA, 100, 0);
	send_parts();
	send_frame(2);
	d = lab_desc(l, (first + from) % size);
	d->third |= LAB_NEXT;
	d->last = (uint16_t)(to < n ? (first + to) % size : to);
	assert_int_equal(lab_take(l), 3);
	lab_expect_frame(&l->vec.f[0], 1, LEN);
	assert_int_equal(l->vec.f[1].drop, DROP_BAD_DESCRIPTOR);
	lab_expect_frame(&l->vec.f[2], 2, LEN);
	expect_all_used(3);
}

static void check_split_loops(void)
{
	split_loop(1, 0, 0);
	split_loop(3, 2, 0);
	split_loop(3, 2, 1);
	split_loop(62, 61, 0);
	split_loop(2, 1, l->shape.size); /* and on to one that is not there */
	split_loop(2, 1, 65535);
}

static void G01_split_loop(void **state)
{
	(void)state;
	for_format(false, check_split_loops);
}

static void G01_packed_without_end(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		if (!shapes[i].is_packed)
			continue;
		start(&shapes[i]);
		for (unsigned k = 0; k < l->shape.size; k++)
			add(LAB_GPA, 100, 0);
		send_parts();
		for (unsigned k = 0; k < l->shape.size; k++)
			lab_desc(l, k)->last |= LAB_NEXT;
		expect_broken();
		lab_destroy(l);
	}
}

/*
 * Chains that overlap, each with a head that is available where it is met: 3 0 1, then 2 3 0 1; and 3, then 0 1 2 3, which is one
 * descriptor more than there are.  The place where the ring goes on must not leave it.
 */
static void G01_packed_more_than_the_ring(void **state)
{
	static const uint16_t flags[2][4] = {
		{LAB_NEXT | LAB_USED, LAB_USED, LAB_NEXT | LAB_USED, LAB_NEXT | LAB_AVAIL},
		{LAB_NEXT | LAB_USED, LAB_NEXT | LAB_USED, LAB_NEXT | LAB_USED, LAB_AVAIL},
	};
	struct lab_shape shape = {.size = 4, .base = 3, .header = 12, .is_packed = true};

	(void)state;
	for (unsigned k = 0; k < 4; k++) {
		shape.is_in_order = k % 2;
		start(&shape);
		for (unsigned i = 0; i < 4; i++)
			*lab_desc(l, i) = (struct lab_desc){LAB_GPA, 50, 0, flags[k / 2][i]};
		for (unsigned turn = 0; turn < 20; turn++) {
			lab_take(l);
			lab_return(l);
			assert_true(l->r.used < l->shape.size);
			assert_true(l->r.taken < l->shape.size);
		}
		assert_true(lab_is_broken(l));
		lab_destroy(l);
	}
}

/* As many as may be, and one more, in a ring that has them. */
static void G01_too_long(void **state)
{
	struct lab_shape shape = {.header = 12, .has_indirect = true};
	uint64_t at;

	(void)state;
	for (unsigned packed = 0; packed < 2; packed++) {
		shape.is_packed = packed;
		shape.size = packed ? RING_LONG - 3 : RING_LONG;
		start(&shape);
		at = lab_write_frame(l, 7, VRING_CHAIN_MAX - 1);
		add(at, 12, 0);
		for (unsigned i = 0; i < VRING_CHAIN_MAX - 1; i++)
			add(at + 12 + i, 1, 0);
		send_parts();
		assert_int_equal(lab_take(l), 1);
		lab_expect_frame(&l->vec.f[0], 7, VRING_CHAIN_MAX - 1);
		expect_all_used(1);
		at = lab_write_frame(l, 7, RING_LONG);
		for (unsigned i = 0; i < VRING_CHAIN_MAX + 1; i++)
			add(at + i, 1, 0);
		expect_drop(DROP_BAD_DESCRIPTOR);
		for (unsigned i = 0; i < RING_LONG - 10; i++)
			add(LAB_GPA + i, 1, 0);
		expect_drop(DROP_BAD_DESCRIPTOR);
		/* Three of them at once, without a byte. */
		for (unsigned k = 0; k < 3; k++) {
			for (unsigned i = 0; i < VRING_CHAIN_MAX + 1; i++)
				add(LAB_GPA + i, 0, 0);
			send_parts();
		}
		assert_int_equal(lab_take(l), 3);
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(l->vec.f[k].drop, DROP_BAD_DESCRIPTOR);
		expect_all_used(3);
		lab_destroy(l);
	}
}

/* --- G02 --------------------------------------------------------------------------------- */

static const struct lab_part outside[] = {
	{0, 100, 0},
	{0, 0, 0},
	{LAB_GPA - 1, 100, 0},
	{LAB_GPA - 1, 0, 0},
	{LAB_GPA, UINT32_MAX, 0},
	{LAB_GPA + 1, (uint32_t)LAB_BYTES, 0},
	{LAB_ADJACENT - 1, 2, 0},
	{LAB_ADJACENT - 50, 100, 0},
	{LAB_HOLE - 1, 2, 0},
	{LAB_HOLE, 100, 0},
	{LAB_HOLE, 0, 0},
	{LAB_HOLE - 100, LAB_HOLE_BYTES + 200, 0},
	{LAB_FAR - 100, 200, 0},
	{LAB_FAR + LAB_SMALL_BYTES - 1, 2, 0},
	{LAB_FAR + LAB_SMALL_BYTES, 0, 0},
	{UINT64_MAX, 1, 0},
	{UINT64_MAX, UINT32_MAX, 0},
	{UINT64_MAX - 63, 64, 0},
	{UINT64_MAX - 63, 65, 0},
	{UINT64_MAX - 99, 200, 0},
	{1ULL << 63, 100, 0},
	{LAB_GPA + (1ULL << 32), 100, 0},
};

static void check_outside(void)
{
	for (unsigned i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		struct lab_part bad = outside[i];
		uint64_t at = lab_write_frame(l, 3, LEN);

		/* Alone, after good ones, before good ones, and out of a table. */
		add(bad.gpa, bad.len, 0);
		expect_drop(DROP_BAD_DESCRIPTOR);
		add(at, 50, 0);
		add(bad.gpa, bad.len, 0);
		expect_drop(DROP_BAD_DESCRIPTOR);
		add(bad.gpa, bad.len, 0);
		add(at, 50, 0);
		expect_drop(DROP_BAD_DESCRIPTOR);
		parts[n_parts++] = lab_table(l, (struct lab_part[]){{at, 50, 0}, bad}, 2);
		expect_drop(DROP_BAD_DESCRIPTOR);
	}
}

static void G02_outside(void **state)
{
	(void)state;
	for_shapes(check_outside);
}

/* The last bytes of each region are inside. */
static void check_edges(void)
{
	static const uint64_t ends[] = {LAB_ADJACENT, LAB_HOLE, LAB_FAR + LAB_SMALL_BYTES};
	static const uint64_t starts[] = {LAB_GPA, LAB_ADJACENT, LAB_FAR};

	for (unsigned i = 0; i < 3; i++) {
		uint32_t len = LEN + l->r.header;

		memset(lab_at(l, ends[i] - len), 0, l->r.header);
		lab_fill((uint8_t *)lab_at(l, ends[i] - len) + l->r.header, LEN, i);
		add(ends[i] - len, len, 0);
		send_parts();
		memset(lab_at(l, starts[i]), 0, l->r.header);
		lab_fill((uint8_t *)lab_at(l, starts[i]) + l->r.header, LEN, i + 10);
		add(starts[i], len, 0);
		send_parts();
	}
	assert_int_equal(lab_take(l), 6);
	for (unsigned i = 0; i < 6; i++)
		lab_expect_frame(&l->vec.f[i], i / 2 + i % 2 * 10, LEN);
	expect_all_used(6);
}

static void G02_edges(void **state)
{
	(void)state;
	for_shapes(check_edges);
}

/* --- G03 --------------------------------------------------------------------------------- */

static struct lab_part good_table(unsigned number)
{
	uint64_t at = lab_write_frame(l, number, LEN);

	return lab_table(l, (struct lab_part[]){{at, 20, 0}, {at + 20, l->r.header + LEN - 20, 0}},
			 2);
}

static void check_indirect(void)
{
	uint64_t at;

	parts[n_parts++] = good_table(5);
	send_parts();
	/* A direct chain that ends in an indirect one; its WRITE says nothing (2.7.5.3.1). */
	at = lab_write_frame(l, 6, LEN);
	add(at, l->r.header, 0);
	parts[n_parts++] = lab_table(l, (struct lab_part[]){{at + l->r.header, LEN, 0}}, 1);
	parts[1].flags |= LAB_WRITE;
	send_parts();
	if (l->shape.is_packed) { /* DPDK's driver says WRITE of a header in a table */
		at = lab_write_frame(l, 7, LEN);
		parts[n_parts++] = lab_table(l,
					     (struct lab_part[]){{at, l->r.header, LAB_WRITE},
								 {at + l->r.header, LEN, 0}},
					     2);
		send_parts();
	}
	assert_int_equal(lab_take(l), 2u + l->shape.is_packed);
	for (unsigned i = 0; i < l->vec.n; i++)
		lab_expect_frame(&l->vec.f[i], 5 + i, LEN);
	expect_all_used(l->vec.n);
}

static void G03_legal(void **state)
{
	(void)state;
	for_shapes(check_indirect);
}

static void check_bad_tables(void)
{
	static const uint32_t lens[] = {
		0, 1, 15, 17, 31, 33, 1 << 20, UINT32_MAX & ~15u, (VRING_CHAIN_MAX + 1) * 16};
	static const uint64_t places[] = {0,
					  LAB_GPA - 16,
					  LAB_ADJACENT - 16,
					  LAB_HOLE - 16,
					  LAB_HOLE,
					  LAB_FAR + LAB_SMALL_BYTES - 16,
					  UINT64_MAX - 15,
					  UINT64_MAX - 31};
	struct lab_part table;

	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		table = good_table(4);
		table.len = lens[i];
		parts[n_parts++] = table;
		expect_drop(DROP_BAD_DESCRIPTOR);
	}
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		add(places[i], 32, LAB_INDIRECT);
		expect_drop(DROP_BAD_DESCRIPTOR);
	}
	/* A table of tables, and a table in the middle of a chain. */
	table = good_table(4);
	parts[n_parts++] = lab_table(l, &table, 1);
	expect_drop(DROP_BAD_DESCRIPTOR);
	parts[n_parts++] = good_table(4);
	add(LAB_GPA, 100, 0);
	expect_drop(DROP_BAD_DESCRIPTOR);
}

static void G03_bad_tables(void **state)
{
	(void)state;
	for_shapes(check_bad_tables);
}

/* Split tables are linked: to themselves, beyond their end, to an end that never comes. */
static void check_linked_tables(void)
{
	static const uint16_t next[] = {0, 1, 2, 3, 65535};

	for (unsigned i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		struct lab_part table = good_table(4);
		struct lab_desc *d = lab_at(l, table.gpa);

		d[1].third |= LAB_NEXT;
		d[1].last = next[i];
		parts[n_parts++] = table;
		expect_drop(DROP_BAD_DESCRIPTOR);
	}
}

static void G03_linked_tables(void **state)
{
	(void)state;
	for_format(false, check_linked_tables);
}

static void G03_not_negotiated(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		struct lab_shape shape = shapes[i];

		shape.has_indirect = false;
		start(&shape);
		parts[n_parts++] = good_table(4);
		expect_drop(DROP_BAD_DESCRIPTOR);
		lab_destroy(l);
	}
}

/* --- G04 --------------------------------------------------------------------------------- */

static void jump(uint16_t by)
{
	uint16_t *avail = (uint16_t *)(void *)l->part[1];

	start(&shapes[0]);
	avail = (uint16_t *)(void *)l->part[1];
	send_frame(1);
	avail[1] = (uint16_t)(avail[1] + by);
	expect_broken();
	lab_destroy(l);
}

static void G04_index_jumps(void **state)
{
	static const uint16_t by[] = {RING, RING + 1, 1000, 32768, 65533, 65534};

	(void)state;
	for (unsigned i = 0; i < sizeof(by) / sizeof(by[0]); i++)
		jump(by[i]);
}

static void G04_head_outside(void **state)
{
	static const uint16_t heads[] = {RING, RING + 1, 32768, 65535};

	(void)state;
	for (unsigned i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		uint16_t *avail;

		start(&shapes[0]);
		avail = (uint16_t *)(void *)l->part[1];
		send_frame(1);
		send_frame(2);
		avail[2 + (uint16_t)(l->avail_idx - 1) % RING] = heads[i];
		expect_broken();
		lab_destroy(l);
	}
}

/* The used index is ours: what the guest writes there is not read while the ring runs. */
static void G04_used_index_rewritten(void **state)
{
	(void)state;
	start(&shapes[0]);
	for (unsigned i = 0; i < 100; i++) {
		uint16_t wild = (uint16_t)(i * 997);

		send_frame(i);
		memcpy(l->part[2] + 2, &wild, 2);
		assert_int_equal(lab_take(l), 1);
		lab_expect_frame(&l->vec.f[0], i, LEN);
		memcpy(l->part[2] + 2, &wild, 2);
		expect_all_used(1);
	}
	lab_destroy(l);
}

/* --- G05 --------------------------------------------------------------------------------- */

/* The header over k descriptors, with descriptors of no bytes between them; the frame over more. */
static void header_over(unsigned k, bool with_empty)
{
	uint64_t at = lab_write_frame(l, k, LEN);
	uint32_t from = 0;

	for (unsigned i = 1; i <= k; i++) {
		uint32_t to = l->r.header * i / k;

		add(at + from, to - from, 0);
		if (with_empty)
			add(LAB_GPA, 0, 0);
		from = to;
	}
	add(at + from, 100, 0);
	add(at + from + 100, LEN - 100, 0);
	send_parts();
	assert_int_equal(lab_take(l), 1);
	lab_expect_frame(&l->vec.f[0], k, LEN);
	expect_all_used(1);
	/* Its last bytes and the frame's first in one. */
	at = lab_write_frame(l, k, LEN);
	add(at, k - 1, 0);
	add(at + k - 1, LEN + l->r.header - (k - 1), 0);
	send_parts();
	assert_int_equal(lab_take(l), 1);
	lab_expect_frame(&l->vec.f[0], k, LEN);
	expect_all_used(1);
}

static void check_header_split(void)
{
	for (unsigned k = 1; k <= l->r.header; k++) {
		header_over(k, false);
		header_over(k, true);
	}
}

static void G05_header_split(void **state)
{
	(void)state;
	for_shapes(check_header_split);
}

static void check_header_short(void)
{
	for (unsigned n = 0; n <= l->r.header; n++) {
		add(LAB_GPA, n, 0);
		expect_drop(DROP_BAD_DESCRIPTOR);
		add(LAB_GPA, n / 2, 0);
		add(LAB_GPA, n - n / 2, 0);
		expect_drop(DROP_BAD_DESCRIPTOR);
	}
	for (unsigned i = 0; i < 50; i++)
		add(LAB_GPA, 0, 0);
	expect_drop(DROP_BAD_DESCRIPTOR);
}

static void G05_header_short(void **state)
{
	(void)state;
	for_shapes(check_header_short);
}

/* --- G08 --------------------------------------------------------------------------------- */

static void check_direction(void)
{
	uint64_t at = lab_write_frame(l, 1, LEN);

	add(at, l->r.header + LEN, LAB_WRITE);
	expect_drop(DROP_BAD_DESCRIPTOR);
	at = lab_write_frame(l, 1, LEN);
	add(at, l->r.header, 0);
	add(at + l->r.header, LEN, LAB_WRITE);
	expect_drop(DROP_BAD_DESCRIPTOR);
	add(LAB_GPA, 100, LAB_WRITE);
	add(LAB_GPA, 100, 0);
	expect_drop(DROP_BAD_DESCRIPTOR);
	/* Some guests say so in tables of packed rings, and mean nothing by it. */
	if (l->shape.is_packed)
		return;
	parts[n_parts++] =
		lab_table(l, (struct lab_part[]){{LAB_GPA, 50, 0}, {LAB_GPA, 100, LAB_WRITE}}, 2);
	expect_drop(DROP_BAD_DESCRIPTOR);
}

static void G08_writable(void **state)
{
	(void)state;
	for_shapes(check_direction);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_around),
		cmocka_unit_test(more_than_a_vector),
		cmocka_unit_test(long_frames),
		cmocka_unit_test(V05_discard),
		cmocka_unit_test(G01_split_loop),
		cmocka_unit_test(G01_packed_without_end),
		cmocka_unit_test(G01_packed_more_than_the_ring),
		cmocka_unit_test(G01_too_long),
		cmocka_unit_test(G02_outside),
		cmocka_unit_test(G02_edges),
		cmocka_unit_test(G03_legal),
		cmocka_unit_test(G03_bad_tables),
		cmocka_unit_test(G03_linked_tables),
		cmocka_unit_test(G03_not_negotiated),
		cmocka_unit_test(G04_index_jumps),
		cmocka_unit_test(G04_head_outside),
		cmocka_unit_test(G04_used_index_rewritten),
		cmocka_unit_test(G05_header_split),
		cmocka_unit_test(G05_header_short),
		cmocka_unit_test(G08_writable),
	};

	/* The version of this processor, and the one for any. */
	int failed = cmocka_run_group_tests_name("processor", tests, NULL, NULL);

	isa_wide = false;
	return failed + cmocka_run_group_tests_name("any", tests, NULL, NULL);
}
