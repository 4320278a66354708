/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vring: a virtqueue at its start, at rest, and when it breaks.  Its data path is beside it:
 *
 *   vring_take.c    transmit: frames out, descriptors back          vring_chain.c   chains that are not one plain descriptor
 *   vring_put.c     receive: frames in
 *
 * A call of the path works on a window of chains, in short loops, so that the cache misses of a stage are in flight
 * together:
 *
 *   1 fetch     ring entries, then descriptors, each read once into the window; addresses looked up, buffers prefetched
 *   2 take      header and first bytes of each frame into the worker's memory; the rest stays where it is
 *     put       header and frame into the guest's buffers
 *   3 publish   used entries, the place for a restart, then the one store by which the guest sees them all
 *   4 signal    one fence, one look at what the guest asked for, one call at most
 *
 * Order.  The index or flags that make a descriptor available are loaded with acquire before it; those that mark it used
 * are stored with release after everything they cover; between that store and the load of what the guest wants to be told
 * lies a full fence, since the guest stores and loads the same two in the other order.  The same holds when we arm.
 *
 * Trust.  See vring.h.  A length or an address of the guest is never used but through guest_mem_at() and our own copy.
 */
#include "switch/port/vring.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "switch/port/vring_batch.h"

void ring_break(struct vring *r, const char *why)
{
	atomic_store_explicit(&r->why, why, memory_order_relaxed);
	atomic_store_explicit(&r->owes_error, true, memory_order_relaxed);
	atomic_store_explicit(&r->mode, RING_BROKEN, memory_order_release);
	atomic_store_explicit(r->trouble, true, memory_order_release);
	guest_guard_tell();
}

/* The counter may be full, and the guest may have made it wait for room: the watchdog ends that, and it is an EINTR. */
static ssize_t ring_up(struct vring *r, struct scratch *s, int fd)
{
	uint64_t one = 1;
	ssize_t done;

	atomic_fetch_add_explicit(&s->calls, 1, memory_order_relaxed);
	atomic_store(&s->calling, (uintptr_t)r);
	if (s->on_call)
		s->on_call();
	done = write(fd, &one, sizeof(one));
	if (done < 0 && errno != EINTR)
		done = 0; /* full: the guest has not looked at the last one yet */
	atomic_store_explicit(&s->calling, 0, memory_order_release);
	return done;
}

void tell_guest(struct vring *r, struct scratch *s)
{
	int fd = atomic_load_explicit(r->err, memory_order_acquire);

	if (s->calls_guests && atomic_exchange(&r->owes_error, false) && fd >= 0 &&
	    ring_up(r, s, fd) < 0)
		ring_break(r, VRING_STUCK);
}

void call_guest(struct vring *r, struct scratch *s)
{
	int fd = atomic_load_explicit(r->call, memory_order_acquire);

	if (fd < 0)
		return;
	if (!s->calls_guests) {
		atomic_store(&r->owes_call, true);
		return;
	}
	if (ring_up(r, s, fd) < 0)
		ring_break(r, VRING_STUCK);
}

void vring_return(struct vring *r, struct scratch *s)
{
	STAGE(IDLE);
	if (vring_give_back(r))
		call_guest(r, s);
	STAGE(RETURN);
}

unsigned vring_put(struct vring *r, struct scratch *s, struct tx_frame *t, unsigned n)
{
	bool call = false;
	unsigned odd;

	while (atomic_flag_test_and_set_explicit(&r->lock, memory_order_acquire))
		sched_yield();
	odd = vring_put_all(r, s, t, n, &call);
	atomic_flag_clear_explicit(&r->lock, memory_order_release);
	/* Not under the lock: a call may hang for a while. */
	if (call)
		call_guest(r, s);
	return odd;
}

/* --- notifications of the guest ---------------------------------------------------------- */

void vring_hush(struct vring *r)
{
	r->is_quiet = true;
	if (r->is_packed)
		store16(r->device + 2, EVENT_DISABLE);
	else if (!r->has_event_idx) /* with it, an event that lies behind is enough */
		store16(r->device, NO_NOTIFY);
}

static bool has_more(const struct vring *r)
{
	if (r->is_packed)
		return is_available(load16_acquire(slot_of(r, r->taken) + 14), r->taken_wrap);
	return load16_acquire(r->driver + 2) != r->taken;
}

bool vring_arm(struct vring *r)
{
	if (r->is_packed && r->has_event_idx) {
		store16(r->device, with_wrap(r->taken, r->taken_wrap));
		store16_release(r->device + 2, EVENT_DESC);
	} else if (r->is_packed) {
		store16(r->device + 2, EVENT_ENABLE);
	} else if (r->has_event_idx) {
		store16(r->device + 4 + 8 * (size_t)r->size, r->taken);
	} else {
		store16(r->device, 0);
	}
	r->is_quiet = false;
	__sync_synchronize();
	if (!has_more(r))
		return true;
	vring_hush(r);
	return false;
}

/* --- start ------------------------------------------------------------------------------- */

/* Chains that a former process took and did not return are returned: their frames are lost. */
static void return_lost_split(struct vring *r, uint16_t taken)
{
	const uint16_t *avail = (const uint16_t *)(const void *)r->driver;
	uint16_t n = (uint16_t)(taken - r->used), mask = (uint16_t)(r->size - 1);
	struct batch b = batch_begin(r);

	for (uint16_t i = 0; n <= r->size && i < n; i++) {
		uint16_t head = load16(&avail[2 + ((r->used + i) & mask)]);

		if (head < r->size)
			batch_add(r, &b, head, 0, 1, false, false);
	}
	batch_end(r, &b, false);
	r->taken = r->used;
}

/* Slots of the chain at `slot`, whose last descriptor has its id; 0: there is none, or no end to it. */
static uint16_t span_at(const struct vring *r, unsigned slot, bool wrap, uint16_t *id)
{
	uint16_t span = 0;
	struct desc d;

	if (!is_available(load16_acquire(slot_of(r, slot) + 14), wrap))
		return 0;
	do {
		d = load_desc(slot_of(r, slot), true);
		slot = slot + 1 == r->size ? 0 : slot + 1;
		span++;
	} while ((d.flags & DESC_NEXT) && span < r->size);
	*id = d.id;
	return d.flags & DESC_NEXT ? 0 : span;
}

static void return_lost_packed(struct vring *r, uint16_t taken)
{
	struct batch b = batch_begin(r);
	uint16_t span, id = 0;
	unsigned n = 0;

	while (with_wrap(b.next, b.wrap) != taken && n++ < r->size) {
		span = span_at(r, b.next, b.wrap, &id);
		if (span == 0)
			break;
		batch_room(r, &b, 1, true);
		batch_add(r, &b, id, 0, span, false, true);
	}
	batch_end(r, &b, true);
	r->taken = r->used;
	r->taken_wrap = r->used_wrap;
}

/*
 * Marks the chains from `first` up to `next`: those that are marked already are the last ones, the others are as the guest
 * made them.  How much of a chain was filled is not known any more: its frame is lost, as one without a byte.
 */
static void finish_marking(struct vring *r, uint16_t first, uint16_t next)
{
	uint16_t at = first & (WRAP - 1), id;
	bool wrap = first & WRAP;
	unsigned n = 0;

	while (at < r->size && with_wrap(at, wrap) != next && n < VEC_SIZE) {
		struct desc head = load_desc(slot_of(r, at), true);
		uint16_t span = span_at(r, at, wrap, &id);
		bool is_plain = !r->is_transmit && span == 1 && !(head.flags & DESC_INDIRECT);

		if (span == 0)
			break;
		note_mark(r, n++, at, wrap, id, is_plain ? head.len : 0);
		at = (uint16_t)(at + span);
		if (at >= r->size) {
			at = (uint16_t)(at - r->size);
			wrap = !wrap;
		}
	}
	mark_used(r, n);
}

/* Goes on where a former process was: what it was about to mark used is marked. */
static void resume(struct vring *r, uint64_t known)
{
	uint16_t next = (uint16_t)known, first = (uint16_t)(known >> 16);
	uint16_t taken = (uint16_t)atomic_load(&r->place->taken);

	if (!r->is_packed) {
		store16_release(r->device + 2, next);
		r->used = next;
		return_lost_split(r, r->is_transmit ? taken : next);
		return;
	}
	if (known & PLACE_PENDING)
		finish_marking(r, first, next);
	r->used = (uint16_t)((next & (WRAP - 1)) % r->size);
	r->used_wrap = next & WRAP;
	return_lost_packed(r, r->is_transmit ? taken : next);
}

/* By what the guest itself sees, and where it says to begin: another device may have served the ring before. */
static void begin(struct vring *r, uint16_t base)
{
	uint16_t seen;

	r->used = r->taken = base;
	if (r->is_packed) {
		r->used = r->taken = (uint16_t)((base & (WRAP - 1)) % r->size);
		r->used_wrap = r->taken_wrap = base & WRAP;
		return;
	}
	seen = load16(r->device + 2);
	if ((uint16_t)(load16_acquire(r->driver + 2) - seen) <= r->size)
		r->used = r->taken = seen;
}

/* A packed ring's place in the memory that the front-end keeps; false: there is none. */
static bool begin_inflight(struct vring *r)
{
	struct inflight_head *in = r->inflight;
	uint16_t slot, old;
	bool wrap, old_wrap;

	if (!in || !r->is_packed)
		return false;
	slot = atomic_load(&in->packed.used_idx);
	old = atomic_load(&in->packed.old_used_idx);
	wrap = atomic_load(&in->packed.used_wrap_counter) & 1;
	old_wrap = atomic_load(&in->packed.old_used_wrap_counter) & 1;
	if (slot >= r->size || old >= r->size)
		return false;
	if (is_available(load16(slot_of(r, old) + 14), old_wrap)) { /* not marked any more */
		slot = old;
		wrap = old_wrap;
	}
	r->used = r->taken = slot;
	r->used_wrap = r->taken_wrap = wrap;
	return true;
}

void vring_start(struct vring *r, uint16_t base, bool known)
{
	uint64_t used = atomic_load(&r->place->used);

	r->hint = 0;
	r->n_held = 0;
	r->window[0].n = r->window[1].n = 0;
	atomic_flag_clear(&r->lock);
	if (known && (used & PLACE_KNOWN))
		resume(r, used);
	else if (!begin_inflight(r))
		begin(r, base);
	atomic_store(&r->place->used, PLACE_KNOWN | vring_base(r));
	atomic_store(&r->place->taken, vring_base(r));
	atomic_store(&r->owes_call, known);
	vring_hush(r);
}

uint16_t vring_base(const struct vring *r)
{
	return r->is_packed ? with_wrap(r->used, r->used_wrap) : r->used;
}
