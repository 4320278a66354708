/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ring_lab: both sides of one ring; see ring_lab.h.  virtio 1.2: 2.7 (split), 2.8 (packed), 2.7.9 and 2.8.12 (in order). */
#include "tests/lib/ring_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	uint64_t gpa, bytes;
} regions[] = {
	{LAB_GPA, LAB_BYTES},
	{LAB_ADJACENT, LAB_SMALL_BYTES},
	{LAB_FAR, LAB_SMALL_BYTES},
};
enum { REGIONS = sizeof(regions) / sizeof(regions[0]) };

static void *new_bytes(size_t n)
{
	void *p = calloc(1, n);

	assert_non_null(p);
	return p;
}

static void set_up(struct ring_lab *l)
{
	const struct lab_shape *s = &l->shape;

	memset(&l->r, 0, sizeof(l->r));
	l->r.is_transmit = l->is_transmit;
	l->r.is_packed = s->is_packed;
	l->r.has_event_idx = s->has_event_idx;
	l->r.is_in_order = s->is_in_order;
	l->r.has_mrg = s->has_mrg;
	l->r.has_indirect = s->has_indirect;
	l->r.header = s->header;
	l->r.can = s->can;
	l->r.size = s->size;
	l->r.desc = l->part[0];
	l->r.driver = l->part[1];
	l->r.device = l->part[2];
	l->r.mem = &l->mem;
	l->r.place = &l->place;
	l->r.inflight = l->inflight;
	l->r.trouble = &l->trouble;
	l->r.call = &l->call;
	l->r.err = &l->err;
}

static void make_driver(struct ring_lab *l)
{
	const struct lab_shape *s = &l->shape;

	l->order = new_bytes(s->size * sizeof(*l->order));
	l->out = new_bytes(s->size * sizeof(*l->out));
	for (unsigned i = 0; i < s->size; i++)
		l->order[i] = (uint16_t)i;
	l->next = (uint16_t)(s->base % s->size);
	l->n_free = s->size;
	l->avail_idx = l->used_next = s->base;
	l->avail_wrap = l->used_wrap = true;
	if (s->is_packed) {
		/* The places before the first are used in this round, the others in the one before. */
		for (unsigned i = 0; i < s->base; i++)
			lab_desc(l, i)->last = LAB_AVAIL | LAB_USED;
		return;
	}
	memcpy(l->part[1] + 2, &s->base, 2);
	memcpy(l->part[2] + 2, &s->base, 2);
}

struct ring_lab *lab_create(const struct lab_shape *shape, bool is_transmit)
{
	struct ring_lab *l = new_bytes(sizeof(*l));
	size_t n = shape->size;

	l->shape = *shape;
	l->is_transmit = is_transmit;
	atomic_store(&l->call, -1);
	atomic_store(&l->err, -1);
	l->part_bytes[0] = 16 * n;
	l->part_bytes[1] = shape->is_packed ? 4 : 6 + 2 * n;
	l->part_bytes[2] = shape->is_packed ? 4 : 6 + 8 * n;
	for (unsigned i = 0; i < 3; i++)
		l->part[i] = new_bytes(l->part_bytes[i]);
	for (unsigned i = 0; i < REGIONS; i++)
		l->mem.span[i] = (struct guest_span){regions[i].gpa, regions[i].bytes,
						     new_bytes(regions[i].bytes)};
	l->mem.n = REGIONS;
	lab_alloc_all(l);
	assert_int_equal(scratch_init(&l->scratch), 0);
	l->scratch.calls_guests = true;
	make_driver(l);
	set_up(l);
	vring_start(&l->r, (uint16_t)(shape->base | (shape->is_packed ? LAB_WRAP : 0)), false);
	atomic_store(&l->r.mode, RING_ON);
	return l;
}

void lab_destroy(struct ring_lab *l)
{
	for (unsigned i = 0; i < 3; i++)
		free(l->part[i]);
	for (unsigned i = 0; i < REGIONS; i++)
		free(l->mem.span[i].host);
	scratch_fini(&l->scratch);
	free(l->order);
	free(l->out);
	free(l);
}

void lab_restart(struct ring_lab *l)
{
	set_up(l);
	vring_start(&l->r, 0, true);
	atomic_store(&l->r.mode, RING_ON);
}

uint64_t lab_alloc(struct ring_lab *l, uint32_t bytes)
{
	uint64_t at = l->brk;

	assert_true(bytes <= LAB_GPA + LAB_BYTES - at);
	l->brk += bytes;
	return at;
}

void lab_alloc_all(struct ring_lab *l)
{
	l->brk = LAB_GPA;
}

void *lab_at(const struct ring_lab *l, uint64_t gpa)
{
	for (unsigned i = 0; i < REGIONS; i++)
		if (gpa - regions[i].gpa < regions[i].bytes)
			return l->mem.span[i].host + (gpa - regions[i].gpa);
	fail_msg("no guest memory at %llx", (unsigned long long)gpa);
	return NULL;
}

/* --- the driver -------------------------------------------------------------------------- */

struct lab_desc *lab_desc(const struct ring_lab *l, unsigned at)
{
	return (struct lab_desc *)(void *)l->part[0] + at;
}

uint16_t *lab_used_event(const struct ring_lab *l)
{
	return (uint16_t *)(void *)l->part[1] + 2 + l->shape.size;
}

uint16_t *lab_avail_event(const struct ring_lab *l)
{
	return (uint16_t *)(void *)(l->part[2] + 4 + 8 * (size_t)l->shape.size);
}

static unsigned place_after(const struct ring_lab *l, unsigned n)
{
	return (l->next + n) % l->shape.size;
}

static void put_split(struct ring_lab *l, const struct lab_part *part, unsigned n)
{
	uint16_t *avail = (uint16_t *)(void *)l->part[1];

	for (unsigned i = 0; i < n; i++)
		*lab_desc(l, l->order[place_after(l, i)]) =
			(struct lab_desc){part[i].gpa, part[i].len,
					  (uint16_t)(part[i].flags | (i + 1 < n ? LAB_NEXT : 0)),
					  l->order[place_after(l, i + 1)]};
	avail[2 + l->avail_idx % l->shape.size] = l->order[l->next];
	__atomic_store_n(&avail[1], ++l->avail_idx, __ATOMIC_RELEASE);
}

static void put_packed(struct ring_lab *l, const struct lab_part *part, unsigned n)
{
	uint16_t head = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned at = place_after(l, i);
		bool wrap = at >= l->next ? l->avail_wrap : !l->avail_wrap;
		uint16_t flags = (uint16_t)(part[i].flags | (i + 1 < n ? LAB_NEXT : 0) |
					    (wrap ? LAB_AVAIL : LAB_USED));
		struct lab_desc *d = lab_desc(l, at);

		d->addr = part[i].gpa;
		d->len = part[i].len;
		d->third = l->order[l->next];
		if (i > 0)
			d->last = flags;
		else
			head = flags;
	}
	__atomic_store_n(&lab_desc(l, l->next)->last, head, __ATOMIC_RELEASE);
	if (l->next + n >= l->shape.size)
		l->avail_wrap = !l->avail_wrap;
}

int lab_put(struct ring_lab *l, const struct lab_part *part, unsigned n)
{
	uint16_t id = l->order[l->next];

	if (n > l->n_free)
		return -1;
	if (l->shape.is_packed)
		put_packed(l, part, n);
	else
		put_split(l, part, n);
	l->out[l->out_end++ % l->shape.size] = (struct lab_out){id, (uint16_t)n};
	l->n_free = (uint16_t)(l->n_free - n);
	l->next = (uint16_t)place_after(l, n);
	return id;
}

struct lab_part lab_table(struct ring_lab *l, const struct lab_part *part, unsigned n)
{
	uint64_t gpa;
	struct lab_desc *d;

	l->brk = (l->brk + 15) & ~15ULL;
	gpa = lab_alloc(l, 16 * n);
	d = lab_at(l, gpa);
	for (unsigned i = 0; i < n; i++) {
		uint16_t flags = (uint16_t)(part[i].flags | (i + 1 < n ? LAB_NEXT : 0));

		d[i] = (struct lab_desc){part[i].gpa, part[i].len, flags, (uint16_t)(i + 1)};
		if (l->shape.is_packed) {
			d[i].third = 0;
			d[i].last = part[i].flags;
		}
	}
	return (struct lab_part){gpa, 16 * n, LAB_INDIRECT};
}

/* The entry at used_next; false: there is none. */
static bool read_used(struct ring_lab *l, uint16_t *id, uint32_t *len)
{
	const struct lab_desc *d;
	uint32_t entry[2];
	uint16_t flags;

	if (!l->shape.is_packed) {
		if (__atomic_load_n((uint16_t *)(void *)(l->part[2] + 2), __ATOMIC_ACQUIRE) ==
		    l->used_next)
			return false;
		memcpy(entry, l->part[2] + 4 + 8 * (size_t)(l->used_next % l->shape.size), 8);
		assert_true(entry[0] < l->shape.size);
		*id = (uint16_t)entry[0];
		*len = entry[1];
		return true;
	}
	d = lab_desc(l, l->used_next);
	flags = __atomic_load_n(&d->last, __ATOMIC_ACQUIRE);
	if (!!(flags & LAB_AVAIL) != l->used_wrap || !!(flags & LAB_USED) != l->used_wrap)
		return false;
	*id = d->third;
	*len = flags & LAB_WRITE ? d->len : 0;
	return true;
}

bool lab_has_used(struct ring_lab *l)
{
	uint32_t len;
	uint16_t id;

	return l->n_batch || read_used(l, &id, &len);
}

static void step_used(struct ring_lab *l, unsigned span)
{
	if (!l->shape.is_packed) {
		l->used_next++;
		return;
	}
	if (l->used_next + span >= l->shape.size)
		l->used_wrap = !l->used_wrap;
	l->used_next = (uint16_t)((l->used_next + span) % l->shape.size);
}

bool lab_used(struct ring_lab *l, uint16_t *id, uint32_t *len)
{
	const struct lab_out *out = &l->out[l->out_first % l->shape.size];

	if (l->n_batch == 0) {
		if (!read_used(l, id, &l->batch_len))
			return false;
		for (unsigned i = l->out_first; i != l->out_end && l->n_batch == 0; i++)
			if (l->out[i % l->shape.size].id == *id)
				l->n_batch = i - l->out_first + 1;
		assert_true(l->n_batch == 1 || (l->n_batch > 1 && l->shape.is_in_order));
	}
	*id = out->id;
	*len = l->n_batch == 1 ? l->batch_len : UINT32_MAX;
	l->n_batch--;
	l->out_first++;
	l->n_free = (uint16_t)(l->n_free + out->span);
	step_used(l, out->span);
	return true;
}

unsigned lab_used_all(struct ring_lab *l)
{
	unsigned n = 0;
	uint32_t len;
	uint16_t id;

	while (lab_used(l, &id, &len))
		n++;
	return n;
}

/* --- the device -------------------------------------------------------------------------- */

unsigned lab_take(struct ring_lab *l)
{
	l->vec.n = 0;
	return vring_take(&l->r, &l->scratch, &l->vec, VEC_SIZE);
}

void lab_return(struct ring_lab *l)
{
	vring_return(&l->r, &l->scratch);
}

unsigned lab_tx(struct ring_lab *l, struct tx_frame *t, unsigned n)
{
	l->scratch.iovs = 0;
	return vring_put(&l->r, &l->scratch, t, n);
}

bool lab_is_broken(const struct ring_lab *l)
{
	return atomic_load(&l->r.mode) == RING_BROKEN;
}

void lab_fill(uint8_t *bytes, uint32_t n, unsigned number)
{
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(number * 131 + i * 7 + (i >> 8) * 13);
}

uint64_t lab_write_frame(struct ring_lab *l, unsigned number, uint32_t len)
{
	uint64_t at = lab_alloc(l, l->r.header + len);

	memset(lab_at(l, at), 0, l->r.header);
	lab_fill((uint8_t *)lab_at(l, at) + l->r.header, len, number);
	return at;
}

void lab_expect_frame(const struct frame *f, unsigned number, uint32_t len)
{
	static uint8_t want[FRAME_MAX], got[FRAME_MAX];

	assert_int_equal(f->drop, DROP_NONE);
	assert_int_equal(f->len, len);
	assert_true(f->snap_len <= len);
	assert_true(f->snap_len == len || f->snap_len >= SNAP_MIN);
	lab_fill(want, len, number);
	assert_int_equal(frame_copy(f, 0, got, len), len);
	assert_memory_equal(got, want, len);
}
