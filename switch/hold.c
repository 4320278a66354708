/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold: places for frames that outlive their vector.
 *
 * neigh.c keeps frames here that wait for an answer, gateway_made.c those that a worker is to send after it gave the lock
 * back.  A place is as large as the largest frame, address space until it is used; the lowest free one is taken, so that few
 * pages are ever touched, and the bytes in use are counted against a limit of their own.
 *
 *      | FRAME_HEADROOM | snapshot, up to SNAP_MAX | body ... |
 *
 * Trust.  The bytes are a guest's or the outside's: they are copied, not read.
 */
#include "switch/hold.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { PLACE_BYTES = (FRAME_HEADROOM + FRAME_MAX + 4095) & ~4095, WORDS = HOLD_PLACES / 64 };

struct hold {
	uint8_t *mem; /* HOLD_PLACES of PLACE_BYTES */
	uint64_t used[WORDS];
	uint32_t bytes;
	unsigned n;
	struct hold_origin from[HOLD_PLACES];
	struct iovec body[HOLD_PLACES];
	struct frame f[HOLD_PLACES] __attribute__((aligned(64)));
};

struct hold *hold_create(void)
{
	struct hold *h = aligned_alloc(64, sizeof(*h));

	if (!h)
		return NULL;
	*h = (struct hold){0};
	h->mem = mmap(NULL, (size_t)HOLD_PLACES * PLACE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (h->mem == MAP_FAILED) {
		free(h);
		return NULL;
	}
	return h;
}

void hold_destroy(struct hold *h)
{
	if (!h)
		return;
	munmap(h->mem, (size_t)HOLD_PLACES * PLACE_BYTES);
	free(h);
}

static unsigned lowest_free(const struct hold *h)
{
	for (unsigned w = 0; w < WORDS; w++)
		if (~h->used[w])
			return w * 64 + (unsigned)__builtin_ctzll(~h->used[w]);
	return HOLD_NONE;
}

uint16_t hold_put(struct hold *h, const struct frame *f, struct hold_origin from)
{
	unsigned place = lowest_free(h);
	struct frame *to;
	uint8_t *mem;

	if (place == HOLD_NONE || f->len > FRAME_MAX || f->len > HOLD_BYTES - h->bytes)
		return HOLD_NONE;
	mem = h->mem + (size_t)place * PLACE_BYTES + FRAME_HEADROOM;
	if (frame_copy(f, 0, mem, f->len) != f->len)
		return HOLD_NONE;
	h->used[place / 64] |= 1ULL << (place & 63);
	h->bytes += f->len;
	h->n++;
	h->from[place] = from;
	to = &h->f[place];
	*to = *f;
	to->snap = mem;
	to->snap_len = f->len < SNAP_MAX ? (uint16_t)f->len : SNAP_MAX;
	to->body = NULL;
	to->body_cnt = 0;
	to->traced = 0;
	if (f->len > SNAP_MAX) {
		h->body[place] = (struct iovec){mem + SNAP_MAX, f->len - SNAP_MAX};
		to->body = &h->body[place];
		to->body_cnt = 1;
	}
	return (uint16_t)place;
}

struct frame *hold_frame(struct hold *h, uint16_t place, struct hold_origin *from)
{
	assert(place < HOLD_PLACES && h->used[place / 64] >> (place & 63) & 1);
	if (from)
		*from = h->from[place];
	return &h->f[place];
}

void hold_free(struct hold *h, uint16_t place)
{
	assert(place < HOLD_PLACES && h->used[place / 64] >> (place & 63) & 1);
	h->used[place / 64] &= ~(1ULL << (place & 63));
	h->bytes -= h->f[place].len;
	h->n--;
}

unsigned hold_count(const struct hold *h)
{
	return h->n;
}
