/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy_device: frames from ring to ring, and nothing else; see copy_device.h.
 *
 * A batch is worked on in stages, so that the misses of a stage are in flight together: descriptors, first lines of source and
 * destination, copies, used rings.
 */
#include "tests/lib/copy_device.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

enum { PAIRS_MAX = 16, BATCH_MAX = 256, LINE = 64 };

struct pair {
	struct fe_ring *from, *to;
	uint16_t taken, filled; /* of the transmit ring; of the receive ring */
};

struct copy_device {
	pthread_t thread;
	struct pair pair[PAIRS_MAX];
	unsigned n, batch;
	_Atomic int stops;
	_Atomic uint64_t busy, frames;
};

static uint8_t *at(const struct fe_ring *r, const struct fe_desc *d)
{
	return fe_at(r->fe, d->addr);
}

/* The next buffer of the receive ring; its used element is filled in. */
static uint8_t *next_buffer(struct pair *p, uint32_t *room)
{
	uint16_t slot = p->filled & (p->to->size - 1U);
	uint16_t id = p->to->avail->ring[slot];

	p->to->used->ring[slot] = (struct fe_used_elem){id, 0};
	p->filled++;
	*room = p->to->desc[id].len;
	return at(p->to, &p->to->desc[id]);
}

/* One chain into as many buffers as it takes. */
static void copy_frame(struct pair *p, const struct fe_desc *d)
{
	uint16_t slot = p->filled & (p->to->size - 1U), buffers = 1;
	uint32_t room = 0, done = 0;
	uint8_t *first = next_buffer(p, &room), *dst = first;

	for (;; d = &p->from->desc[d->next]) {
		const uint8_t *src = at(p->from, d);

		for (uint32_t left = d->len; left > 0;) {
			uint32_t n = left < room - done ? left : room - done;

			if (n == 0) {
				p->to->used->ring[slot].len = done;
				slot = p->filled & (p->to->size - 1U);
				dst = next_buffer(p, &room);
				done = 0;
				buffers++;
				continue;
			}
			memcpy(dst + done, src, n);
			src += n;
			done += n;
			left -= n;
		}
		if (!(d->flags & FE_DESC_NEXT))
			break;
	}
	p->to->used->ring[slot].len = done;
	if (memcmp(first + FE_HEADER - sizeof(buffers), &buffers, sizeof(buffers)) != 0)
		memcpy(first + FE_HEADER - sizeof(buffers), &buffers, sizeof(buffers));
}

/* Buffers that the longest of n chains could need are posted, or there is no copying. */
static unsigned how_many(const struct pair *p, unsigned batch)
{
	uint16_t idx = __atomic_load_n(&p->from->avail->idx, __ATOMIC_ACQUIRE);
	uint16_t there = __atomic_load_n(&p->to->avail->idx, __ATOMIC_ACQUIRE);
	unsigned n = (uint16_t)(idx - p->taken), room = (uint16_t)(there - p->filled);
	const struct fe_desc *d =
		&p->from->desc[p->from->avail->ring[p->taken & (p->from->size - 1U)]];
	uint32_t bytes = 0, buffer = p->to->desc[0].len;

	if (n == 0)
		return 0;
	for (; d->flags & FE_DESC_NEXT; d = &p->from->desc[d->next])
		bytes += d->len;
	room /= (bytes + d->len + buffer - 1) / buffer;
	n = n < batch ? n : batch;
	return n < room ? n : room;
}

/* A line that will be written: fetched as ours at once. */
static void prefetch_write(const void *line)
{
	__asm__ volatile("prefetchw %0" : : "m"(*(const uint8_t *)line));
}

static unsigned copy_batch(struct pair *p, unsigned batch)
{
	const struct fe_desc *d[BATCH_MAX], *to[BATCH_MAX];
	unsigned n = how_many(p, batch);
	uint32_t from_mask = p->from->size - 1U, to_mask = p->to->size - 1U;

	for (unsigned i = 0; i < n; i++) {
		d[i] = &p->from->desc[p->from->avail->ring[(p->taken + i) & from_mask]];
		to[i] = &p->to->desc[p->to->avail->ring[(p->filled + i) & to_mask]];
		_mm_prefetch(d[i], _MM_HINT_T0);
		_mm_prefetch(to[i], _MM_HINT_T0);
	}
	for (unsigned i = 0; i < n; i++) {
		_mm_prefetch(at(p->from, d[i]), _MM_HINT_T0);
		_mm_prefetch(at(p->from, d[i]) + FE_HEADER, _MM_HINT_T0);
		/* Fetched to be read, a line that is written costs a second trip: 80 cycles a frame became 120. */
		prefetch_write(at(p->to, to[i]));
		prefetch_write(at(p->to, to[i]) + FE_HEADER);
	}
	for (unsigned i = 0; i < n; i++)
		copy_frame(p, d[i]);
	if (n == 0)
		return 0;
	__atomic_store_n(&p->to->used->idx, p->filled, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < n; i++, p->taken++) {
		uint16_t slot = p->taken & from_mask;

		p->from->used->ring[slot] = (struct fe_used_elem){p->from->avail->ring[slot], 0};
	}
	__atomic_store_n(&p->from->used->idx, p->taken, __ATOMIC_RELEASE);
	return n;
}

static void *copy_loop(void *arg)
{
	struct copy_device *d = arg;
	uint64_t last = __rdtsc();

	while (!d->stops) {
		unsigned n = 0;
		uint64_t now;

		for (unsigned i = 0; i < d->n; i++)
			n += copy_batch(&d->pair[i], d->batch);
		now = __rdtsc();
		if (n > 0) {
			d->busy += now - last;
			d->frames += n;
		}
		last = now;
	}
	return NULL;
}

struct copy_device *copy_device_start(struct fe_ring *const *from, struct fe_ring *const *to,
				      unsigned n, unsigned batch, int cpu)
{
	struct copy_device *d = calloc(1, sizeof(*d));
	pthread_attr_t attr;
	cpu_set_t set;

	if (!d)
		return NULL;
	d->n = n;
	d->batch = batch;
	for (unsigned i = 0; i < n; i++) {
		d->pair[i] = (struct pair){from[i], to[i], 0, 0};
		from[i]->used->flags = to[i]->used->flags = FE_QUIET;
	}
	/* Not by the thread itself: it would begin on the CPU of its maker, which may be busy for good. */
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	errno = pthread_create(&d->thread, &attr, copy_loop, d);
	pthread_attr_destroy(&attr);
	if (errno == 0)
		return d;
	free(d);
	return NULL;
}

void copy_device_read(const struct copy_device *d, uint64_t *busy, uint64_t *frames)
{
	*busy = d->busy;
	*frames = d->frames;
}

void copy_device_stop(struct copy_device *d)
{
	d->stops = 1;
	pthread_join(d->thread, NULL);
	free(d);
}
