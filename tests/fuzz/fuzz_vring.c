/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_vring: a hostile guest's ring, split or packed, of either direction (PROMISES F07).
 *
 * Input: what was negotiated, the ring's size, where it begins (2 bytes), what offloads the guest may, bytes of its memory (2) and
 * these; then what happens, step by step: a take, a put, a restart, or the guest writes.  All numbers are little-endian.
 *
 * The guest's memory holds the ring too, so that buffers may lie in it; it is one allocation of its exact size, and so is the
 * scrap of another region behind it.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/isa.h"
#include "switch/port/vring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	MEMORY = 32768,
	SCRAP = 100,
	DRIVER_AT = 0x400,
	DEVICE_AT = 0x800,
	SIZE_MAX_PACKED = 48,
	STEPS_MAX = 64,
	FRAMES_MAX = 8,
	TCP = 34,
};
#define GPA 0x1000ULL

enum {
	IS_PACKED = 1,
	IN_ORDER = 2,
	EVENT_IDX = 4,
	MRG = 8,
	INDIRECT = 16,
	LEGACY = 32,
	RECEIVES = 64,
	NARROW = 128
};
enum step {
	TAKE,
	TAKE_SOME,
	DISCARD,
	PUT,
	PUT_MANY,
	ARM,
	RESTART,
	RESTART_NEW,
	PLACE,
	WRITE,
	MOVE,
	STEPS
};

struct input {
	const uint8_t *p;
	size_t left;
};

/* The guest, and the ring as the switch has it. */
struct world {
	struct input in;
	uint8_t knobs, *memory;
	struct vring r;
	struct vring_place place;
	struct guest_mem mem;
	struct vec vec;
	_Atomic bool trouble;
	_Atomic int call, err;
};

static struct scratch scratch;
static uint8_t bytes[FRAME_HEADROOM + SNAP_MAX], body[4 * SNAP_MAX];

static unsigned take8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static unsigned take16(struct input *in)
{
	unsigned low = take8(in);

	return low | take8(in) << 8;
}

static uint64_t take64(struct input *in)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++)
		v |= (uint64_t)take8(in) << 8 * i;
	return v;
}

static void write_memory(struct world *w, unsigned at, unsigned n)
{
	for (; n > 0 && w->in.left > 0; n--, at++)
		w->memory[at % MEMORY] = (uint8_t)take8(&w->in);
}

static void set_up(struct world *w, uint16_t ring_size, uint8_t can)
{
	struct vring *r = &w->r;

	memset(r, 0, sizeof(*r));
	r->is_transmit = !(w->knobs & RECEIVES);
	r->is_packed = w->knobs & IS_PACKED;
	r->has_event_idx = w->knobs & EVENT_IDX;
	r->is_in_order = w->knobs & IN_ORDER;
	r->has_mrg = w->knobs & MRG;
	r->has_indirect = w->knobs & INDIRECT;
	r->header = (w->knobs & LEGACY) && !r->has_mrg ? 10 : 12;
	r->can = can;
	r->size = ring_size;
	r->desc = w->memory;
	r->driver = w->memory + DRIVER_AT;
	r->device = w->memory + DEVICE_AT;
	r->mem = &w->mem;
	r->place = &w->place;
	r->trouble = &w->trouble;
	r->call = &w->call;
	r->err = &w->err;
}

static void start(struct world *w, uint16_t base, bool known)
{
	set_up(w, w->r.size, w->r.can);
	vring_start(&w->r, base, known);
	atomic_store(&w->r.mode, RING_ON);
}

/* Where it is lies in the ring; one that broke says why. */
static void check_ring(const struct world *w)
{
	const struct vring *r = &w->r;

	if (r->is_packed)
		assert(r->used < r->size && r->taken < r->size);
	assert(r->n_held <= VEC_SIZE && scratch.iovs <= SCRATCH_IOVS);
	if (atomic_load(&r->mode) == RING_BROKEN)
		assert(atomic_load(&r->why) && atomic_load(&w->trouble));
}

static bool is_inside(const struct world *w, const struct iovec *v)
{
	for (unsigned i = 0; i < w->mem.n; i++) {
		uint64_t off = (uint64_t)((uint8_t *)v->iov_base - w->mem.span[i].host);

		if (off < w->mem.span[i].size && v->iov_len <= w->mem.span[i].size - off)
			return true;
	}
	return false;
}

static void check_frame(const struct world *w, const struct frame *f)
{
	uint64_t n = f->snap_len;

	assert(f->drop < DROP_COUNT);
	if (f->drop) {
		assert(f->snap_len == 0 && f->body_cnt == 0);
		return;
	}
	assert(f->len > 0 && f->len <= FRAME_MAX && f->snap_len <= SNAP_MAX);
	assert(f->snap_len == f->len || f->snap_len >= SNAP_MIN);
	for (unsigned i = 0; i < f->body_cnt; i++) {
		assert(is_inside(w, &f->body[i]));
		n += f->body[i].iov_len;
	}
	assert(n == f->len);
	assert(!(f->off.flags & ~OFFLOAD_NEEDS_CSUM));
}

/* Takes a vector; the guest may write before it goes back.  What was taken is no more than the ring has. */
static void take_frames(struct world *w, unsigned max)
{
	struct vring *r = &w->r;
	unsigned slots = 0, n = vring_take(r, &scratch, &w->vec, max);
	static uint8_t sink[FRAME_MAX];

	assert(n == w->vec.n && n <= max && n == r->n_held);
	for (unsigned i = 0; i < n; i++) {
		slots += r->is_packed ? r->held_span[i] : 1;
		check_frame(w, &w->vec.f[i]);
	}
	assert(slots <= r->size);
	write_memory(w, take16(&w->in), take8(&w->in) % 16);
	for (unsigned i = 0; i < n; i++)
		if (!w->vec.f[i].drop)
			assert(frame_copy(&w->vec.f[i], 0, sink, FRAME_MAX) == w->vec.f[i].len);
	vring_return(r, &scratch);
}

/* A TCP frame with the offload fields of the input, if they pass. */
static bool make_frame(struct world *w, struct frame *f, struct iovec *rest)
{
	static const uint8_t start_of[] = {2, 0,    0, 0, 0, 1, 2, 0,	 0, 0,	0, 2, 8,
					   0, 0x45, 0, 5, 0, 0, 7, 0x40, 0, 64, 6, 0, 0};
	uint64_t low = take64(&w->in);

	memset(bytes, 0x50, sizeof(bytes));
	memcpy(bytes + FRAME_HEADROOM, start_of, sizeof(start_of));
	*f = (struct frame){.snap = bytes + FRAME_HEADROOM};
	f->len = ETH_HEADER + (take16(&w->in) & 0x1fff);
	f->snap_len = (uint16_t)(f->len < 200 ? f->len : 200);
	*rest = (struct iovec){body, f->len - f->snap_len};
	f->body = rest;
	f->body_cnt = rest->iov_len > 0;
	f->off = (struct offload){(uint8_t)low,
				  (uint8_t)(low >> 8),
				  (uint16_t)(low >> 16),
				  (uint16_t)(low >> 32),
				  TCP,
				  16};
	return !(f->off.flags | f->off.gso_type) || frame_check_offload(f) == DROP_NONE;
}

static void put_frames(struct world *w, unsigned n)
{
	static const struct tag tag = {ETYPE_8021Q, 100};
	struct iovec rest[FRAMES_MAX];
	struct frame f[FRAMES_MAX];
	struct tx_frame t[FRAMES_MAX];
	unsigned good = 0, odd, seen = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!make_frame(w, &f[good], &rest[good]))
			continue;
		t[good] = (struct tx_frame){.f = &f[good], .frames = 1};
		if (take8(&w->in) & 1)
			t[good].tag = tag;
		good++;
	}
	scratch.iovs = take8(&w->in);
	odd = vring_put(&w->r, &scratch, t, good);
	for (unsigned i = 0; i < good; i++) {
		assert(t[i].drop < DROP_COUNT && t[i].frames > 0);
		seen += t[i].drop || t[i].frames != 1;
	}
	assert(odd == seen);
}

static void run_step(struct world *w, enum step step)
{
	bool runs = atomic_load(&w->r.mode) == RING_ON;

	switch (step) {
	case TAKE:
	case TAKE_SOME:
	case DISCARD:
		if (!runs || !w->r.is_transmit)
			return;
		if (step == DISCARD)
			atomic_store(&w->r.mode, RING_DISCARD);
		take_frames(w, step == TAKE_SOME ? 1 + take8(&w->in) % VEC_SIZE : VEC_SIZE);
		if (atomic_load(&w->r.mode) == RING_DISCARD)
			atomic_store(&w->r.mode, RING_ON);
		return;
	case PUT:
	case PUT_MANY:
		if (runs && !w->r.is_transmit)
			put_frames(w, step == PUT ? 1 : FRAMES_MAX);
		return;
	case ARM:
		if (runs && !vring_arm(&w->r))
			vring_hush(&w->r);
		return;
	case PLACE:
		atomic_store(&w->place.used, take64(&w->in));
		atomic_store(&w->place.taken, (uint32_t)take64(&w->in));
		start(w, 0, true);
		return;
	case RESTART:
	case RESTART_NEW:
		start(w, (uint16_t)take16(&w->in), step == RESTART);
		return;
	case WRITE:
		write_memory(w, take16(&w->in), take8(&w->in));
		return;
	default: /* MOVE: the available index of a split ring */
		w->memory[DRIVER_AT + 2] = (uint8_t)(w->memory[DRIVER_AT + 2] + take8(&w->in) % 8);
		return;
	}
}

static struct world *create(const uint8_t *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));
	uint16_t ring_size;
	unsigned sizes, base;

	assert(w);
	w->in = (struct input){data, size};
	w->memory = calloc(1, MEMORY);
	w->mem.n = 2;
	w->mem.span[0] = (struct guest_span){GPA, MEMORY, w->memory};
	w->mem.span[1] = (struct guest_span){GPA + MEMORY, SCRAP, calloc(1, SCRAP)};
	assert(w->memory && w->mem.span[1].host);
	atomic_store(&w->call, -1);
	atomic_store(&w->err, -1);
	w->knobs = (uint8_t)take8(&w->in);
	sizes = take8(&w->in);
	ring_size =
		(uint16_t)(w->knobs & IS_PACKED ? 1 + sizes % SIZE_MAX_PACKED : 1u << sizes % 6);
	base = take16(&w->in);
	set_up(w, ring_size, (uint8_t)take8(&w->in));
	write_memory(w, 0, take16(&w->in));
	vring_start(&w->r, (uint16_t)base, false);
	atomic_store(&w->r.mode, RING_ON);
	return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool has_wide;
	struct world *w;

	if (!scratch.head) {
		has_wide = isa_wide;
		if (scratch_init(&scratch) < 0)
			abort();
		scratch.calls_guests = true;
	}
	w = create(data, size);
	isa_wide = has_wide && !(w->knobs & NARROW);
	for (unsigned i = 0; i < STEPS_MAX && w->in.left > 0; i++) {
		run_step(w, take8(&w->in) % STEPS);
		check_ring(w);
	}
	free(w->mem.span[1].host);
	free(w->memory);
	free(w);
	return 0;
}
