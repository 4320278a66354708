/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring: records of any length from one producer thread to one consumer thread.
 *
 * A worker writes what it recorded, the control thread reads it.  head and tail count bytes and
 * never wrap; only their low bits are positions.  A record is a word with its length and then its
 * bytes, rounded up to 8.  One that does not fit before the end is preceded by a gap:
 *
 *      0                      tail                    head      size
 *      |  free                | len record | len record | free    |
 *
 *      0           head       tail                                size
 *      | len record | free    | len record | len record | GAP .... |
 *
 * The producer stores head with release after the bytes, the consumer loads it with acquire before
 * it reads them; tail does the same the other way, for the space.
 */
#include "switch/base/ring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GAP UINT64_MAX /* the length of the unused rest before the end */

enum { HEADER = sizeof(uint64_t), SIZE_MIN = 64 };

static size_t record_bytes(size_t bytes)
{
	return HEADER + ((bytes + 7) & ~(size_t)7);
}

static void put_length(struct ring *ring, size_t pos, uint64_t bytes)
{
	memcpy(ring->mem + pos, &bytes, sizeof(bytes));
}

static uint64_t get_length(const struct ring *ring, size_t pos)
{
	uint64_t bytes;

	memcpy(&bytes, ring->mem + pos, sizeof(bytes));
	return bytes;
}

struct ring *ring_create(size_t size)
{
	struct ring *ring;

	if (size < SIZE_MIN || (size & (size - 1)) != 0)
		return NULL;
	ring = aligned_alloc(_Alignof(struct ring), sizeof(*ring));
	if (!ring)
		return NULL;
	memset(ring, 0, sizeof(*ring));
	ring->size = size;
	ring->mem = aligned_alloc(SIZE_MIN, size);
	if (!ring->mem) {
		free(ring);
		return NULL;
	}
	return ring;
}

void ring_destroy(struct ring *ring)
{
	if (!ring)
		return;
	free(ring->mem);
	free(ring);
}

void *ring_reserve(struct ring *ring, size_t bytes)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	/* Acquire: the consumer is done with the bytes that we are about to overwrite. */
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	size_t pos = head & (ring->size - 1), to_end = ring->size - pos;
	size_t need, gap;

	ring->reserved = 0;
	if (bytes > ring->size / 2 - HEADER)
		goto no_room;
	need = record_bytes(bytes);
	gap = need > to_end ? to_end : 0;
	if (gap + need > ring->size - (head - tail))
		goto no_room;
	if (gap > 0) {
		put_length(ring, pos, GAP);
		pos = 0;
	}
	ring->reserved = gap + need;
	return ring->mem + pos + HEADER;

no_room:
	atomic_fetch_add_explicit(&ring->lost, 1, memory_order_relaxed);
	return NULL;
}

void ring_commit(struct ring *ring, size_t bytes)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t pos = head & (ring->size - 1), to_end = ring->size - pos;
	/* A reservation reaches past the end only when it begins with a gap. */
	size_t gap = ring->reserved > to_end ? to_end : 0;

	assert(gap + record_bytes(bytes) <= ring->reserved);
	put_length(ring, gap > 0 ? 0 : pos, bytes);
	ring->reserved = 0;
	/* Release: whoever sees the new head sees the record. */
	atomic_store_explicit(&ring->head, head + gap + record_bytes(bytes), memory_order_release);
}

const void *ring_peek(struct ring *ring, size_t *bytes)
{
	/* Acquire: pairs with ring_commit(). */
	size_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	size_t pos = tail & (ring->size - 1);

	if (tail == head)
		return NULL;
	if (get_length(ring, pos) == GAP) {
		/* A gap is never the last thing before head: its record was committed with it. */
		atomic_store_explicit(&ring->tail, tail + ring->size - pos, memory_order_release);
		pos = 0;
	}
	*bytes = (size_t)get_length(ring, pos);
	return ring->mem + pos + HEADER;
}

void ring_pop(struct ring *ring)
{
	size_t bytes = 0, tail;
	const void *record = ring_peek(ring, &bytes); /* steps over a gap */

	assert(record);
	(void)record;
	tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	/* Release: our reads of the record come before the producer may overwrite it. */
	atomic_store_explicit(&ring->tail, tail + record_bytes(bytes), memory_order_release);
}
