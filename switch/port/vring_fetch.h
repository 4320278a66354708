/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vring_fetch: reads chains of descriptors out of a ring into a window, for the files of vring alone.  Inline: the format of
 * the ring and the direction are constants to the compiler.
 */
#ifndef VFAB_PORT_VRING_FETCH_H
#define VFAB_PORT_VRING_FETCH_H

#include "switch/port/vring_window.h"

/* What is done with the chains of a window. */
enum fetch {
	FETCH_TAKE,  /* transmit, now: buffers are asked for at once */
	FETCH_AHEAD, /* transmit, later: plain ones only; somebody else asks for their buffers in time */
	FETCH_PUT,   /* receive: vring_put.c asks for them */
};

/* A plain descriptor becomes a pointer.  span: the guest's memory that had the last one, in registers. */
INLINE bool look_up(struct vring *r, struct guest_span *span, struct window *w, unsigned i,
		    const struct desc *d, enum fetch how)
{
	uint16_t want = how == FETCH_PUT ? DESC_WRITE : 0;
	uint64_t off = d->addr - span->gpa;
	uint8_t *at;

	w->bytes[i] = d->len;
	w->at[i] = NULL;
	if (unlikely((d->flags & (DESC_NEXT | DESC_WRITE | DESC_INDIRECT)) != want))
		return false;
	if (unlikely(off >= span->size || d->len > span->size - off)) {
		if (!guest_mem_at(r->mem, d->addr, d->len, &r->hint))
			return false;
		*span = r->mem->span[r->hint];
		off = d->addr - span->gpa;
	}
	at = span->host + off;
	w->at[i] = at;
	if (how == FETCH_TAKE) {
		__builtin_prefetch(at);
		__builtin_prefetch(at + LINE);
	}
	return true;
}

/* More iovecs than a chain may need are there. */
INLINE bool has_room(const struct scratch *s)
{
	return s->iovs + VRING_CHAIN_MAX <= SCRATCH_IOVS;
}

INLINE void fetch_split(struct vring *r, struct scratch *s, struct window *w, unsigned max,
			enum fetch how)
{
	const uint16_t *avail = (const uint16_t *)(const void *)r->driver;
	struct guest_span span = r->mem->span[r->hint];
	uint16_t mask = (uint16_t)(r->size - 1), from = r->taken, size = r->size;
	unsigned n = (uint16_t)(load16_acquire(&avail[1]) - from);

	w->n = 0;
	if (n == 0)
		return;
	if (unlikely(n > size)) {
		ring_break(r, "more descriptors are available than the ring has");
		return;
	}
	if (n > max)
		n = max;
	for (unsigned i = 0; i < n; i++) {
		uint16_t head = load16(&avail[2 + ((from + i) & mask)]);

		if (unlikely(head >= size)) {
			ring_break(r, "an available descriptor that is not there");
			return;
		}
		w->id[i] = head;
		__builtin_prefetch(slot_of(r, head));
	}
	for (unsigned i = 0; i < n; i++) {
		struct desc d = load_desc(slot_of(r, w->id[i]), false);

		if (unlikely(!look_up(r, &span, w, i, &d, how))) {
			if (how == FETCH_AHEAD || !has_room(s)) {
				n = i;
				break;
			}
			gather_split(r, s, w, i, d);
		}
	}
	w->n = n;
}

INLINE void fetch_packed(struct vring *r, struct scratch *s, struct window *w, unsigned max,
			 enum fetch how)
{
	struct guest_span span = r->mem->span[r->hint];
	unsigned slot = r->taken, n = 0, slots = 0;
	bool wrap = r->taken_wrap;

	for (; n < max; n++) {
		const uint8_t *at = slot_of(r, slot);
		struct desc d = load_desc(at, true);

		if (!is_available(d.flags, wrap))
			break;
		__builtin_prefetch(at + 8 * LINE);
		w->id[n] = d.id;
		w->span[n] = 1;
		if (unlikely(!look_up(r, &span, w, n, &d, how))) {
			if (how == FETCH_AHEAD || !has_room(s))
				break;
			if (!gather_packed(r, s, w, n, slot, d)) {
				ring_break(r, "a chain of descriptors without end");
				n = 0;
				break;
			}
		}
		/* Chains that overlap, with heads that become available under us. */
		slots += w->span[n];
		if (unlikely(slots > r->size)) {
			ring_break(r, "more descriptors are available than the ring has");
			n = 0;
			break;
		}
		slot += w->span[n];
		if (slot >= r->size) {
			slot -= r->size;
			wrap = !wrap;
		}
	}
	w->n = n;
}

INLINE void fetch(struct vring *r, struct scratch *s, struct window *w, unsigned max, enum fetch how,
		  bool packed)
{
	if (packed)
		fetch_packed(r, s, w, max, how);
	else
		fetch_split(r, s, w, max, how);
}

#endif
