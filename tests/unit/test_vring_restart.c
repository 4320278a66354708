/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A death of the switch at any instruction, and the process that comes after it (vring.h, "Restart").
 *
 * An operation runs one instruction at a time.  Each time that the ring or its place changed, an image of both is kept: that is
 * what the next process and the guest find if this was the last instruction.  From every image the ring goes on, and
 *
 *   transmit   what was handed out before is not handed out again; every chain is returned once
 *   receive    the guest finds all frames of the dead process or none, whole; then all of the new one's
 *
 * and for three rounds of the ring nothing else is lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/isa.h"
#include "switch/port/inflight.h"
#include "tests/lib/ring_rx.h"
#include "tests/lib/stepper.h"

enum { IMAGES_MAX = 600, LEN = 100, FRAMES = 5, BUFFER = 300, PART_MAX = 176, MEMORY = 16384 };

/* Where in the ring an operation begins: a step of instrumented code takes its time. */
#ifdef VFAB_SANITIZED
enum { TURNS = 1 };
#else
enum { TURNS = 7 };
#endif

static const struct lab_shape shapes[] = {
	{.size = 8, .base = 65530, .header = 12},
	{.size = 8, .header = 12, .is_in_order = true},
	{.size = 11, .header = 12, .is_packed = true},
	{.size = 11, .header = 12, .is_packed = true, .is_in_order = true},
};
enum { SHAPES = sizeof(shapes) / sizeof(shapes[0]) };

/* What is left after a death. */
struct image {
	uint8_t part[3][PART_MAX];
	struct vring_place place;
	struct inflight_head head; /* where the front-end has one */
	unsigned handed;	   /* frames that were handed out before */
};

static struct image images[IMAGES_MAX];
static struct inflight_head head;
static unsigned n_images, handed;
static struct ring_lab *l, before; /* the guest, when the operation began */
static struct lab_out outs[16];
static uint8_t memory[MEMORY]; /* of the guest, when it ended */

/* --- images ------------------------------------------------------------------------------ */

static bool is_same(const struct image *i)
{
	for (unsigned k = 0; k < 3; k++)
		if (memcmp(i->part[k], l->part[k], l->part_bytes[k]) != 0)
			return false;
	return memcmp(&i->place, &l->place, sizeof(i->place)) == 0 &&
	       memcmp(&i->head, &head, sizeof(head)) == 0;
}

static void keep_image(void *arg)
{
	struct image *i = &images[n_images];

	(void)arg;
	if (n_images == IMAGES_MAX || (n_images && i[-1].handed == handed && is_same(i - 1)))
		return;
	for (unsigned k = 0; k < 3; k++)
		memcpy(i->part[k], l->part[k], l->part_bytes[k]);
	memcpy(&i->place, &l->place, sizeof(i->place));
	memcpy(&i->head, &head, sizeof(head));
	i->handed = handed;
	n_images++;
}

static void record(void (*operation)(void *))
{
	for (unsigned k = 0; k < 3; k++)
		assert_true(l->part_bytes[k] <= PART_MAX);
	n_images = handed = 0;
	before = *l;
	memcpy(outs, l->out, l->shape.size * sizeof(outs[0]));
	keep_image(NULL);
	stepper_run(operation, keep_image, NULL);
	assert_true(n_images > 3 && n_images < IMAGES_MAX);
	assert_true(l->brk - LAB_GPA <= MEMORY);
	memcpy(memory, lab_at(l, LAB_GPA), MEMORY);
}

/* The guest as it was, the ring as the image has it, and a new process. */
static void restart_from(const struct image *i)
{
	*l = before;
	memcpy(l->out, outs, l->shape.size * sizeof(outs[0]));
	for (unsigned k = 0; k < 3; k++)
		memcpy(l->part[k], i->part[k], l->part_bytes[k]);
	memcpy(&l->place, &i->place, sizeof(i->place));
	memcpy(&head, &i->head, sizeof(head));
	memcpy(lab_at(l, LAB_GPA), memory, MEMORY);
	lab_restart(l);
	assert_true(atomic_load(&l->r.owes_call));
}

/* --- transmit ---------------------------------------------------------------------------- */

/* Frame of a number, in one descriptor or two. */
static void send_frame(unsigned number)
{
	struct lab_part part[2];
	uint64_t at = lab_alloc(l, 12 + LEN);

	memset(lab_at(l, at), 0, 12);
	lab_fill((uint8_t *)lab_at(l, at) + 12, LEN, number);
	part[0] = (struct lab_part){at, 12 + LEN, 0};
	if (number % 3 == 1) {
		part[0].len = 50;
		part[1] = (struct lab_part){at + 50, 12 + LEN - 50, 0};
	}
	assert_true(lab_put(l, part, number % 3 == 1 ? 2 : 1) >= 0);
}

static void expect_frame(const struct frame *f, unsigned number)
{
	uint8_t want[LEN], got[LEN];

	lab_fill(want, LEN, number);
	assert_int_equal(f->drop, DROP_NONE);
	assert_int_equal(frame_copy(f, 0, got, LEN), LEN);
	assert_memory_equal(got, want, LEN);
}

static void go_around(unsigned vectors)
{
	for (unsigned i = 0; i < vectors; i++) {
		unsigned n = i % 4 + 1;

		lab_alloc_all(l);
		for (unsigned k = 0; k < n; k++)
			send_frame(i + k);
		assert_int_equal(lab_take(l), n);
		for (unsigned k = 0; k < n; k++)
			expect_frame(&l->vec.f[k], i + k);
		lab_return(l);
		assert_int_equal(lab_used_all(l), n);
	}
}

static void take_and_return(void *arg)
{
	(void)arg;
	vring_take(&l->r, &l->scratch, &l->vec, VEC_SIZE);
	handed = l->vec.n;
	vring_return(&l->r, &l->scratch);
}

static void expect_goes_on(const struct image *i)
{
	unsigned n;

	restart_from(i);
	n = lab_take(l);
	/* All that were available, or none. */
	if (n)
		assert_int_equal(n, FRAMES);
	for (unsigned k = 0; k < n; k++) {
		assert_int_equal(i->handed, 0);
		expect_frame(&l->vec.f[k], k);
	}
	lab_return(l);
	assert_int_equal(lab_used_all(l), FRAMES);
	assert_int_equal(l->n_free, l->shape.size);
	go_around(12);
}

static void check_transmit(const struct lab_shape *shape, unsigned turns)
{
	l = lab_create(shape, true);
	go_around(turns);
	lab_alloc_all(l);
	for (unsigned i = 0; i < FRAMES; i++)
		send_frame(i);
	record(take_and_return);
	for (unsigned i = 0; i < n_images; i++)
		expect_goes_on(&images[i]);
	lab_destroy(l);
}

static void transmit_dies(void **state)
{
	(void)state;
	if (!stepper_works())
		skip();
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned turns = 0; turns < TURNS; turns += 2)
			check_transmit(&shapes[i], turns + 3);
}

/* --- receive ----------------------------------------------------------------------------- */

static const uint32_t lens[FRAMES] = {60, 100, 64, 280, 61};

static void make_frames(unsigned n, bool is_long)
{
	for (unsigned i = 0; i < n; i++)
		rx_make_plain(i, is_long && i == 1 ? BUFFER + 200 : lens[i]);
}

/* Buffers, some of two parts. */
static void post_some(unsigned n, bool all_plain)
{
	static const uint32_t parts[] = {30, BUFFER - 30};

	for (unsigned i = 0; i < n; i++)
		if (i % 3 == 1 && !all_plain)
			rx_post_chain(parts, 2, false);
		else
			rx_post(BUFFER, 1);
}

static void put_frames(void *arg)
{
	(void)arg;
	vring_put(&l->r, &l->scratch, rx_tx, FRAMES);
}

/* Frames that the guest has, from the first on: how many.  One that lay in a chain may be lost, its buffer comes back. */
static unsigned expect_frames(bool is_long)
{
	unsigned k = 0;

	for (; lab_has_used(l); k++) {
		uint32_t want = is_long && k == 1 ? BUFFER + 200 : lens[k];
		uint32_t len = rx_receive();

		assert_true(len == want || (len == 0 && k % 3 == 1));
		assert_memory_equal(rx_got, rx_bytes[k], len);
	}
	return k;
}

/* All buffers that are there, and one more round of them. */
static void drain(uint32_t len)
{
	while (rx_make_plain(0, len), lab_tx(l, rx_tx, 1) == 0)
		rx_expect_plain(0, len);
	rx_expect_none();
}

static void expect_receives_on(const struct image *i, bool has_mrg)
{
	unsigned n;

	restart_from(i);
	rx_go_back();
	make_frames(FRAMES, has_mrg);
	n = expect_frames(has_mrg);
	assert_true(n == 0 || n == FRAMES);
	/* A buffer that the dead had begun with may be as long as its frame was. */
	drain(40);
	for (unsigned turn = 0; turn < 20; turn++) {
		lab_alloc_all(l);
		assert_int_equal(l->n_free, l->shape.size);
		post_some(turn % 6 + 1, has_mrg);
		drain(BUFFER - 12);
	}
}

static void check_receive(const struct lab_shape *shape, unsigned turns, bool has_mrg)
{
	struct lab_shape s = *shape;

	s.has_mrg = has_mrg;
	rx_has_canaries = false;
	rx_start(&s);
	l = rx_lab;
	for (unsigned i = 0; i < turns; i++) {
		rx_post(BUFFER, 2);
		make_frames(2, false);
		assert_int_equal(lab_tx(l, rx_tx, 2), 0);
		assert_int_equal(expect_frames(false), 2);
	}
	post_some(FRAMES + 1, has_mrg);
	make_frames(FRAMES, has_mrg);
	l->scratch.iovs = 0;
	rx_keep();
	record(put_frames);
	for (unsigned i = 0; i < n_images; i++)
		expect_receives_on(&images[i], has_mrg);
	rx_stop();
}

static void receive_dies(void **state)
{
	(void)state;
	if (!stepper_works())
		skip();
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned turns = 0; turns < TURNS; turns += 3) {
			check_receive(&shapes[i], turns + 3, false);
			check_receive(&shapes[i], turns + 3, true);
		}
}

/* --- what else a ring starts from -------------------------------------------------------- */

/* Taken and not returned: returned by the next process, as many vectors as there may be. */
static void held_are_returned(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		l = lab_create(&shapes[i], true);
		for (unsigned turn = 0; turn < 30; turn++) {
			lab_alloc_all(l);
			for (unsigned k = 0; k < FRAMES; k++)
				send_frame(k);
			assert_int_equal(lab_take(l), FRAMES);
			lab_restart(l);
			assert_int_equal(lab_used_all(l), FRAMES);
			assert_int_equal(lab_take(l), 0);
			go_around(turn % 3);
		}
		lab_destroy(l);
	}
}

/* The place is of another ring, or of a switch that a guest had in its hands: any word does no harm. */
static void wild_places(void **state)
{
	(void)state;
	srand(7);
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned turn = 0; turn < 300; turn++) {
			uint64_t used =
				(uint64_t)rand() << 33 ^ (uint64_t)rand() << 12 ^ (unsigned)rand();

			l = lab_create(&shapes[i], turn % 2);
			lab_alloc_all(l);
			for (unsigned k = 0; k < FRAMES && turn % 2; k++)
				send_frame(k);
			atomic_store(&l->place.used, turn % 4 < 2 ? used : used & 0x3000f000f000f);
			atomic_store(&l->place.taken, (uint32_t)rand() >> (turn % 5) * 5);
			lab_restart(l);
			if (l->is_transmit) {
				lab_take(l);
				lab_return(l);
			}
			if (l->shape.is_packed) {
				assert_true(l->r.used < l->shape.size);
				assert_true(l->r.taken < l->shape.size);
			}
			lab_destroy(l);
		}
}

/* A packed ring goes by the front-end's memory of it where nothing else is known. */
static void packed_inflight(void **state)
{
	unsigned marked = 0;

	(void)state;
	if (!stepper_works())
		skip();
	for (unsigned turns = 5; turns < 12; turns++) {
		memset(&head, 0, sizeof(head));
		l = lab_create(&shapes[2], true);
		l->inflight = l->r.inflight = &head;
		go_around(turns);
		lab_alloc_all(l);
		send_frame(turns);
		record(take_and_return);
		for (unsigned i = 0; i < n_images; i++) {
			bool is_marked;

			images[i].place.used = 0;
			restart_from(&images[i]);
			is_marked = lab_has_used(l);
			marked += is_marked;
			assert_int_equal(lab_take(l), !is_marked);
			lab_return(l);
			assert_int_equal(lab_used_all(l), 1);
			go_around(20);
		}
		lab_destroy(l);
	}
	assert_true(marked > 0);
}

/* A split ring begins at what the guest sees as used, unless that makes no sense. */
static void split_begins_at_used(void **state)
{
	uint16_t used = 3, avail = 5;

	(void)state;
	l = lab_create(&shapes[0], true);
	memcpy(l->part[1] + 2, &avail, 2);
	memcpy(l->part[2] + 2, &used, 2);
	atomic_store(&l->r.mode, RING_STOPPED);
	vring_start(&l->r, 1000, false);
	assert_int_equal(vring_base(&l->r), 3);
	used = 9;
	memcpy(l->part[2] + 2, &used, 2);
	vring_start(&l->r, 1000, false);
	assert_int_equal(vring_base(&l->r), 1000);
	lab_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transmit_dies),     cmocka_unit_test(receive_dies),
		cmocka_unit_test(held_are_returned), cmocka_unit_test(wild_places),
		cmocka_unit_test(packed_inflight),   cmocka_unit_test(split_begins_at_used),
	};

	/* The version of this processor, and the one for any. */
	int failed = cmocka_run_group_tests_name("processor", tests, NULL, NULL);

	isa_wide = false;
	return failed + cmocka_run_group_tests_name("any", tests, NULL, NULL);
}
