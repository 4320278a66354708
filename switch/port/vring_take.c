/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vring_take: frames out of a guest's transmit ring, and their descriptors back.
 *
 * The header and the first bytes of a frame are copied once, and that copy is all that is parsed; the rest is described by
 * iovecs into the guest's memory and stays there until vring_return().
 *
 * Trust.  The guest may change its frame while it is held: what we decide by is our copy, and what it changes is its own
 * payload.
 */
#include "switch/port/gso.h"
#include "switch/port/vring_batch.h"
#include "switch/port/vring_copy.h"
#include "switch/port/vring_fetch.h"

enum { HEAD_LONG = 512 }; /* bytes of a frame with offloads, whose headers must all be among them */

/* flags and gso_type of a virtio-net header, in its first eight bytes. */
#define HEADER_ASKS htole64(0xffff)

/* A frame that is none: forward() counts it as that drop. */
static void set_bad(struct frame *f, uint32_t len, enum drop why)
{
	f->len = len;
	f->snap_len = 0;
	f->body = NULL;
	f->body_cnt = 0;
	f->off = (struct offload){0};
	f->drop = (uint8_t)why;
}

/* May the guest ask for this?  What it did not negotiate is no frame of it. */
static bool may_ask(const struct vring *r, const struct offload *o)
{
	unsigned need = 0;

	if (o->flags & OFFLOAD_NEEDS_CSUM)
		need |= CAN_CSUM;
	if (o->gso_type & GSO_ECN)
		need |= CAN_ECN;
	switch (o->gso_type & ~GSO_ECN) {
	case GSO_NONE:
		break;
	case GSO_TCPV4:
		need |= CAN_TSO4;
		break;
	case GSO_TCPV6:
		need |= CAN_TSO6;
		break;
	case GSO_UDP_L4:
		need |= CAN_USO;
		break;
	default:
		return false;
	}
	return (r->can & need) == need;
}

/* Takes the offload fields of a header that has any; returns how much of the frame is to be looked at, 0: it is dropped. */
static __attribute__((noinline)) unsigned take_offload(const struct vring *r, struct frame *f,
						       const struct vnet_header *h)
{
	f->off = h->off;
	/* DATA_VALID is a word of devices to drivers, and unknown bits are to be ignored (5.1.6.2). */
	f->off.flags &= OFFLOAD_NEEDS_CSUM;
	if (!may_ask(r, &f->off))
		return 0;
	if (f->off.flags || f->off.gso_type)
		return HEAD_LONG;
	f->off = (struct offload){0};
	return HEAD_BYTES;
}

/* Frame i keeps n bytes of its head; where more than most do, in the other place for them. */
INLINE void set_head(struct scratch *s, struct frame *f, unsigned i, uint32_t n)
{
	if (unlikely(n > HEAD_BYTES))
		f->snap = s->head_long + (size_t)i * HEAD_LONG_STRIDE + FRAME_HEADROOM;
	f->snap_len = (uint16_t)n;
}

/* Copies n bytes from the front of the iovecs and moves it on; false when there are fewer. */
static bool cut(struct iovec **iov, unsigned *n, uint8_t *dst, size_t bytes)
{
	while (bytes > 0 && *n > 0) {
		size_t now = (*iov)->iov_len < bytes ? (*iov)->iov_len : bytes;

		memcpy(dst, (*iov)->iov_base, now);
		dst += now;
		bytes -= now;
		(*iov)->iov_base = (uint8_t *)(*iov)->iov_base + now;
		(*iov)->iov_len -= now;
		if ((*iov)->iov_len == 0) {
			(*iov)++;
			(*n)--;
		}
	}
	return bytes == 0;
}

/* A frame that lies in several pieces. */
static __attribute__((noinline)) void take_chain(struct vring *r, struct scratch *s,
						 const struct window *w, unsigned i,
						 struct frame *f)
{
	struct iovec *iov = &s->iov[w->iov[i]];
	unsigned n = w->iovs[i], want = HEAD_BYTES;
	struct vnet_header h = {0};
	uint32_t len = w->bytes[i] - r->header;

	if (n == 0 || w->bytes[i] <= r->header || !cut(&iov, &n, (uint8_t *)&h, r->header)) {
		set_bad(f, 0, DROP_BAD_DESCRIPTOR);
		return;
	}
	if (len > FRAME_MAX) {
		set_bad(f, len, DROP_TOO_BIG);
		return;
	}
	f->off = (struct offload){0};
	if (h.off.flags | h.off.gso_type)
		want = take_offload(r, f, &h);
	if (want == 0) {
		set_bad(f, len, DROP_BAD_OFFLOAD);
		return;
	}
	f->len = len;
	set_head(s, f, i, len < want ? len : want);
	if (!cut(&iov, &n, f->snap, f->snap_len)) {
		set_bad(f, 0, DROP_BAD_DESCRIPTOR);
		return;
	}
	f->body = n ? iov : NULL;
	f->body_cnt = (uint16_t)n;
	f->drop = DROP_NONE;
}

/* Frame i in one piece that is more than it seems: too short, too long, or with offloads; `first` was read of its header. */
static __attribute__((noinline)) void take_odd(const struct vring *r, struct scratch *s,
					       const uint8_t *at, uint32_t len, uint64_t first,
					       struct frame *f, unsigned i)
{
	struct vnet_header h;
	uint32_t want;

	memcpy(&h, &first, sizeof(first));
	memcpy((uint8_t *)&h + sizeof(first), at + sizeof(first), sizeof(h.off) - sizeof(first));
	at += r->header;
	if (len > FRAME_MAX) {
		set_bad(f, len, DROP_TOO_BIG);
		return;
	}
	f->off = (struct offload){0};
	want = h.off.flags | h.off.gso_type ? take_offload(r, f, &h) : HEAD_BYTES;
	if (want == 0) {
		set_bad(f, len, DROP_BAD_OFFLOAD);
		return;
	}
	want = len < want ? len : want;
	set_head(s, f, i, want);
	memcpy(f->snap, at, want);
	f->len = len;
	f->drop = DROP_NONE;
	f->body = NULL;
	f->body_cnt = 0;
	if (len > want) {
		f->body = &s->iov[s->iovs++];
		f->body_cnt = 1;
		*f->body = (struct iovec){(void *)(uintptr_t)(at + want), len - want};
	}
}

/* Frame i in one piece, `bytes` with its header. */
INLINE void take_plain(const struct vring *r, struct scratch *s, const uint8_t *at, uint32_t bytes,
		       struct frame *f, unsigned i)
{
	uint32_t header = r->header, len = bytes - header, want = HEAD_BYTES;
	uint64_t first;

	if (unlikely(bytes <= header)) {
		set_bad(f, 0, DROP_BAD_DESCRIPTOR);
		return;
	}
	__builtin_memcpy(&first, at, sizeof(first));
	if (unlikely((first & HEADER_ASKS) || len > FRAME_MAX)) {
		take_odd(r, s, at, len, first, f, i);
		return;
	}
	at += header;
	f->body = NULL;
	f->body_cnt = 0;
	f->off = (struct offload){0};
	f->drop = DROP_NONE;
	f->len = len;
	if (len <= HEAD_BYTES) {
		want = len;
	} else {
		f->body = &s->iov[s->iovs++];
		f->body_cnt = 1;
		*f->body = (struct iovec){(void *)(uintptr_t)(at + want), len - want};
	}
	f->snap_len = (uint16_t)want;
	copy_bytes(f->snap, at, want);
}

/* The position behind the chains of a window. */
INLINE void move_on(struct vring *r, const struct window *w, bool packed)
{
	unsigned next = r->taken;

	if (!packed) {
		r->taken = (uint16_t)(next + w->n);
		return;
	}
	for (unsigned i = 0; i < w->n; i++)
		next += w->span[i];
	if (next >= r->size) {
		next -= r->size;
		r->taken_wrap = !r->taken_wrap;
	}
	r->taken = (uint16_t)next;
}

/* Keeps what vring_return() needs of a window. */
INLINE void hold(struct vring *r, const struct window *w, bool packed)
{
	memcpy(r->held_id, w->id, w->n * sizeof(w->id[0]));
	if (packed)
		memcpy(r->held_span, w->span, w->n * sizeof(w->span[0]));
	r->n_held = w->n;
}

/* The chains to take now: those that were fetched ahead, or what there is. */
INLINE struct window *next_window(struct vring *r, struct scratch *s, unsigned max, bool packed)
{
	struct window *w = &r->window[r->turn & 1];

	if (w->n == 0 || unlikely(w->n > max))
		fetch(r, s, w, max, FETCH_TAKE, packed);
	return w;
}

/*
 * A full window is a sign of more.  The next is fetched now, and while this one is decided on its frames travel here: what
 * another processor wrote last comes slowly, and only so many lines at once.
 */
INLINE void fetch_ahead(struct vring *r, struct vec *v, unsigned max, bool packed)
{
	struct window *w = &r->window[++r->turn & 1];

	w->n = 0;
	if (v->n == max)
		fetch(r, NULL, w, max, FETCH_AHEAD, packed);
	v->n_ahead = w->n;
	v->ahead = w->at;
}

INLINE unsigned take(struct vring *r, struct scratch *s, struct vec *v, unsigned max, bool packed)
{
	bool discards = atomic_load_explicit(&r->mode, memory_order_relaxed) == RING_DISCARD;
	uint8_t *snap = s->head + FRAME_HEADROOM;
	struct window *w;

	STAGE(IDLE);
	s->iovs = 0;
	w = next_window(r, s, max, packed);
	v->n = w->n;
	if (w->n == 0)
		return 0;
	hold(r, w, packed);
	move_on(r, w, packed);
	/* From here on nobody sends them twice. */
	atomic_store_explicit(&r->place->taken,
			      packed ? with_wrap(r->taken, r->taken_wrap) : r->taken,
			      memory_order_release);
	if (unlikely(!r->is_quiet))
		vring_hush(r);
	fetch_ahead(r, v, max, packed);
	STAGE(FETCH);
	for (unsigned i = 0; i < v->n; i++, snap += HEAD_STRIDE) {
		struct frame *f = &v->f[i];

		vec_call_ahead(v, i);
		f->snap = snap;
		if (unlikely(discards))
			set_bad(f, 0, DROP_PORT_DOWN);
		else if (unlikely(!w->at[i]))
			take_chain(r, s, w, i, f);
		else
			take_plain(r, s, w->at[i], w->bytes[i], f, i);
	}
	w->n = 0;
	STAGE(TAKE);
	return v->n;
}

/*
 * With IN_ORDER one used entry, of the last chain, says it for all (virtio 1.2, 2.7.9, 2.8.10): the guest's lines of the
 * others stay clean.
 */
INLINE bool give_back(struct vring *r, bool packed)
{
	struct batch b = batch_begin(r);
	unsigned n = r->n_held;

	r->n_held = 0;
	if (r->is_in_order && n > 1) {
		uint16_t span = 0;

		for (unsigned i = 0; packed && i < n; i++)
			span = (uint16_t)(span + r->held_span[i]);
		batch_add(r, &b, r->held_id[n - 1], 0, packed ? span : 1, false, packed);
		if (!packed)
			b.next = (uint16_t)(r->used + n);
	} else {
		for (unsigned i = 0; i < n; i++)
			batch_add(r, &b, r->held_id[i], 0, r->held_span[i], false, packed);
	}
	return batch_end(r, &b, packed);
}

unsigned PATH(vring_take)(struct vring *r, struct scratch *s, struct vec *v, unsigned max);
bool PATH(vring_give_back)(struct vring *r);

unsigned PATH(vring_take)(struct vring *r, struct scratch *s, struct vec *v, unsigned max)
{
	return r->is_packed ? take(r, s, v, max, true) : take(r, s, v, max, false);
}

bool PATH(vring_give_back)(struct vring *r)
{
	return r->is_packed ? give_back(r, true) : give_back(r, false);
}

PATH_CHOICE(unsigned, vring_take,
	    (struct vring * r, struct scratch *s, struct vec *v, unsigned max), (r, s, v, max))
PATH_CHOICE(bool, vring_give_back, (struct vring * r), (r))
