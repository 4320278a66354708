/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of vlan/tag: bytes, lengths and offload offsets of a frame whose outer tag is taken off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "switch/port/port.h"
#include "vlan/tag.h"

static uint8_t memory[FRAME_HEADROOM + 256];

/* A frame of len bytes 0, 1, 2, ..., all of it in the snapshot. */
static struct frame make(uint32_t len)
{
	struct frame f = {.snap = memory + FRAME_HEADROOM, .len = len, .snap_len = (uint16_t)len};

	for (uint32_t i = 0; i < len; i++)
		f.snap[i] = (uint8_t)i;
	return f;
}

static void bytes(void **state)
{
	struct frame f = make(64);
	uint8_t *was = f.snap;
	uint16_t tci;

	(void)state;
	f.len = 1000; /* most of it is in the body */
	assert_true(tag_pop(&f, &tci));
	assert_int_equal(tci, 0x0e0f);
	assert_ptr_equal(f.snap, was + 4);
	assert_int_equal(f.snap_len, 60);
	assert_int_equal(f.len, 996);
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(f.snap[i], i);
	for (unsigned i = 12; i < 60; i++)
		assert_int_equal(f.snap[i], i + 4);
}

static void too_short(void **state)
{
	uint16_t tci = 0x1234;

	(void)state;
	for (uint32_t len = 0; len < 18; len++) {
		struct frame f = make(len), was = f;

		assert_false(tag_pop(&f, &tci));
		assert_memory_equal(&f, &was, sizeof(f));
		assert_int_equal(tci, 0x1234);
	}
	struct frame f = make(18);

	assert_true(tag_pop(&f, &tci));
	assert_int_equal(f.len, ETH_HEADER);
	assert_int_equal(f.snap_len, ETH_HEADER);
}

/* Offsets that lie before the payload end as 0, which is refused later. */
static void offsets(void **state)
{
	static const struct {
		uint16_t in, out;
	} offset[] = {{38, 34}, {18, 14}, {17, 13}, {5, 1}, {4, 0}, {3, 0}, {0, 0}, {65535, 65531}};

	(void)state;
	for (unsigned i = 0; i < sizeof(offset) / sizeof(offset[0]); i++) {
		struct frame f = make(64);
		uint16_t tci;

		f.off.flags = OFFLOAD_NEEDS_CSUM;
		f.off.csum_start = offset[i].in;
		f.off.csum_offset = 16;
		f.off.hdr_len = offset[i].in;
		f.off.gso_size = 1400;
		assert_true(tag_pop(&f, &tci));
		assert_int_equal(f.off.csum_start, offset[i].out);
		assert_int_equal(f.off.hdr_len, offset[i].out);
		assert_int_equal(f.off.csum_offset, 16);
		assert_int_equal(f.off.gso_size, 1400);
	}
}

/* A tower of tags: each pop takes one, and the room in front of the snapshot only grows. */
static void tower(void **state)
{
	struct frame f = make(200);
	uint16_t tci;
	unsigned pops = 0;

	(void)state;
	for (unsigned at = 12; at + 4 <= 196; at += 4)
		tag_write(f.snap + at, (struct tag){ETYPE_8021Q, (uint16_t)at});
	while (frame_etype(&f) == ETYPE_8021Q && tag_pop(&f, &tci))
		assert_int_equal(tci, 12 + 4 * pops++);
	assert_int_equal(pops, 46);
	assert_int_equal(f.len, 200 - 4 * 46);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes),
		cmocka_unit_test(too_short),
		cmocka_unit_test(offsets),
		cmocka_unit_test(tower),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
