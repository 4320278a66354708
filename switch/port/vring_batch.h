/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vring_batch: how chains are marked used, and when the guest is called; for the files of vring alone. */
#ifndef VFAB_PORT_VRING_BATCH_H
#define VFAB_PORT_VRING_BATCH_H

#include "switch/port/inflight.h"
#include "switch/port/vring_window.h"

enum { WRAP = 0x8000 };
enum { NO_INTERRUPT = 1, NO_NOTIFY = 1 }; /* split: flags of the available and of the used ring */
enum { EVENT_ENABLE = 0, EVENT_DISABLE = 1, EVENT_DESC = 2 }; /* packed */

/* The word of a struct vring_place. */
#define PLACE_KNOWN   (1ULL << 48)
#define PLACE_PENDING (1ULL << 49)

INLINE uint16_t with_wrap(uint16_t slot, bool wrap)
{
	return (uint16_t)(slot | (wrap ? WRAP : 0));
}

/*
 * Chains on their way to being marked used; the guest sees none before publish().  Packed: until then their slots stay as the
 * guest made them, so that a process that comes after us finds either all of them used or none.  But for the length of a plain
 * receive buffer, which by then says how much of it is filled: read by who finishes the marking, and harmless else.
 */
struct batch {
	uint16_t next; /* split: index.  packed: slot */
	bool wrap;
	bool old_wrap; /* where it began */
	uint16_t old;
	unsigned n; /* not published yet */
};

INLINE struct batch batch_begin(const struct vring *r)
{
	return (struct batch){r->used, r->used_wrap, r->used_wrap, r->used, 0};
}

/* Notes what is to be written to a slot. */
INLINE void note_mark(struct vring *r, unsigned n, uint16_t slot, bool wrap, uint16_t id,
		      uint32_t bytes)
{
	/* WRITE says that the length means something (virtio 1.2, 2.8.21). */
	uint16_t flags =
		(uint16_t)((wrap ? DESC_AVAIL | DESC_USED : 0) | (r->is_transmit ? 0 : DESC_WRITE));

	r->mark_slot[n] = with_wrap(slot, wrap);
	r->mark_word[n] = bytes | (uint64_t)id << 32 | (uint64_t)flags << 48;
}

/* From the last to the first, which is the one that the guest looks at; who finds this half done can go on (vring.c). */
INLINE void mark_used(struct vring *r, unsigned n)
{
	while (n-- > 0)
		store64_release(slot_of(r, r->mark_slot[n] & (WRAP - 1)) + 8, r->mark_word[n]);
}

/* is_plain: a receive buffer of one descriptor. */
INLINE void batch_add(struct vring *r, struct batch *b, uint16_t id, uint32_t bytes, uint16_t span,
		      bool is_plain, bool packed)
{
	if (packed) {
		note_mark(r, b->n, b->next, b->wrap, id, bytes);
		if (is_plain)
			store32(slot_of(r, b->next) + 8, bytes);
		b->next = (uint16_t)(b->next + span);
		if (b->next >= r->size) {
			b->next = (uint16_t)(b->next - r->size);
			b->wrap = !b->wrap;
		}
	} else {
		uint16_t mask = (uint16_t)(r->size - 1);

		store64(r->device + 4 + 8 * (size_t)(b->next & mask), id | (uint64_t)bytes << 32);
		b->next++;
	}
	b->n++;
}

/* The same for who comes after both of our processes, where the front-end keeps memory for that. */
INLINE void inflight_set(struct vring *r, const struct batch *b, bool packed)
{
	struct inflight_head *in = r->inflight;

	if (!packed) {
		atomic_store_explicit(&in->split.used_idx, b->next, memory_order_relaxed);
		return;
	}
	atomic_store_explicit(&in->packed.old_used_idx, r->used, memory_order_relaxed);
	atomic_store_explicit(&in->packed.old_used_wrap_counter, r->used_wrap,
			      memory_order_relaxed);
	atomic_store_explicit(&in->packed.used_idx, b->next, memory_order_relaxed);
	atomic_store_explicit(&in->packed.used_wrap_counter, b->wrap, memory_order_relaxed);
}

/* The guest sees the batch; the place says so before. */
INLINE void publish(struct vring *r, const struct batch *b, bool packed)
{
	uint64_t known = PLACE_KNOWN | (packed ? with_wrap(b->next, b->wrap) : b->next);

	if (packed)
		known |= PLACE_PENDING | (uint64_t)r->mark_slot[0] << 16;
	atomic_store_explicit(&r->place->used, known, memory_order_release);
	if (unlikely(r->inflight))
		inflight_set(r, b, packed);
	if (packed)
		mark_used(r, b->n);
	else
		store16_release(r->device + 2, b->next);
	r->used = b->next;
	r->used_wrap = b->wrap;
}

/* Room for n chains of the batch, which are published together; n is at most VEC_SIZE. */
INLINE void batch_room(struct vring *r, struct batch *b, unsigned n, bool packed)
{
	if (!packed || likely(b->n + n <= VEC_SIZE))
		return;
	publish(r, b, packed);
	b->n = 0;
}

/* Did the guest ask to be told of one of the entries from old to new? */
INLINE bool is_due(uint16_t event, uint16_t new, uint16_t old)
{
	return (uint16_t)(new - event - 1) < (uint16_t)(new - old);
}

INLINE bool wants_call_packed(const struct vring *r, const struct batch *b)
{
	uint32_t both = le32toh(
		__atomic_load_n((const uint32_t *)(const void *)r->driver, __ATOMIC_RELAXED));
	uint16_t flags = (uint16_t)(both >> 16) & 3, at = (uint16_t)both & (WRAP - 1);
	uint16_t old = b->old;

	if (flags != EVENT_DESC || !r->has_event_idx)
		return flags != EVENT_DISABLE;
	if ((both & WRAP ? 1 : 0) != b->wrap)
		at = (uint16_t)(at - r->size);
	if (b->old_wrap != b->wrap)
		old = (uint16_t)(old - r->size);
	return is_due(at, b->next, old);
}

INLINE bool wants_call(const struct vring *r, const struct batch *b, bool packed)
{
	/* The guest stores what it wants to be told and then looks once more at what is used; see "Order" above. */
	__sync_synchronize(); /* ThreadSanitizer refuses the C11 fence */
	if (packed)
		return wants_call_packed(r, b);
	if (!r->has_event_idx)
		return !(load16(r->driver) & NO_INTERRUPT);
	return is_due(load16(r->driver + 4 + 2 * (size_t)r->size), b->next, b->old);
}

/* Publishes, and moves on.  True: the guest is to be called. */
INLINE bool batch_end(struct vring *r, const struct batch *b, bool packed)
{
	if (b->n == 0)
		return false;
	publish(r, b, packed);
	return wants_call(r, b, packed);
}

/* The parts of vring_return() and vring_put() that are compiled twice.  True, *call: the guest is to be called. */
bool vring_give_back(struct vring *r);
unsigned vring_put_all(struct vring *r, struct scratch *s, struct tx_frame *t, unsigned n,
		       bool *call);

#endif
