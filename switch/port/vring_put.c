/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vring_put: frames into a guest's receive ring: the one copy.
 *
 * Most frames fit one plain buffer and are written there from the snapshot and the body.  The others, out of line: into
 * several buffers (MRG_RXBUF), into chains, in segments, or with a checksum to complete.  A frame for which the guest
 * has too few buffers is dropped, and takes none.
 *
 * The header that a guest sees is ours, field by field: what the sender wrote went through frame_check_offload(), and only
 * what this guest negotiated passes (gso_passes).
 */
#include "switch/port/gso.h"
#include "switch/port/vring_batch.h"
#include "switch/port/vring_copy.h"
#include "switch/port/vring_fetch.h"

enum {
	MAC_PAIR = 12,
	TOUCH_AHEAD = 16, /* buffers asked for before they are written */
};

/* One call of vring_put(). */
struct put {
	struct vring *r;
	struct scratch *s;
	struct window w;
	unsigned k;	     /* the next chain of the window */
	unsigned asked;	     /* chains that the window may hold */
	bool is_dry;	     /* the guest had no more: it is not asked again in this call */
	unsigned first_iovs; /* of the scratch, that are the source's */
	struct batch b;
};

/* A window of chains that start where the last one ended. */
INLINE void refill(struct put *p, unsigned max, bool packed)
{
	/* What was used is what was taken: a receive ring holds nothing. */
	p->r->taken = p->b.next;
	p->r->taken_wrap = p->b.wrap;
	p->s->iovs = p->first_iovs;
	p->k = 0;
	p->asked = max;
	fetch(p->r, p->s, &p->w, max, FETCH_PUT, packed);
	p->is_dry = p->w.n < max;
}

/* The next chain of the window has bytes of a frame. */
INLINE void use(struct put *p, struct batch *b, unsigned k, uint32_t bytes, bool packed)
{
	batch_add(p->r, b, p->w.id[k], bytes, packed ? p->w.span[k] : 1, p->w.at[k] != NULL,
		  packed);
}

/* The header, where it is not what the guest's memory holds already: its line then stays as it is. */
INLINE void write_plain_header(uint8_t *at, unsigned bytes)
{
	uint64_t first;
	uint32_t rest = 0;

	__builtin_memcpy(&first, at, 8);
	if (unlikely(first != 0))
		memset(at, 0, 8);
	if (bytes == HEADER_MAX) {
		const uint32_t one_buffer = htole32(1U << 16);

		__builtin_memcpy(&rest, at + 8, 4);
		if (unlikely(rest != one_buffer))
			__builtin_memcpy(at + 8, &one_buffer, 4);
	} else {
		__builtin_memcpy(at + 8, &rest, 2);
	}
}

/* The header of a frame with offloads; a tag of ours moves what its offsets count. */
static struct vnet_header header_of(const struct offload *off, struct tag tag, unsigned can)
{
	struct vnet_header h = {.off = *off, .num_buffers = htole16(1)};

	if (!(can & CAN_CSUM)) /* virtio 1.2, 5.1.6.4.1: without GUEST_CSUM no flags at all */
		h.off.flags = 0;
	if (tag.tpid) {
		if (h.off.flags & OFFLOAD_NEEDS_CSUM)
			h.off.csum_start += TAG_BYTES;
		if (h.off.hdr_len)
			h.off.hdr_len += TAG_BYTES;
	}
	return h;
}

/* Lines of a long frame's source, and of where it will go, are asked for while another is copied. */
INLINE void prefetch_long(const struct window *w, unsigned k, const struct frame *f)
{
	const uint8_t *from, *to;
	uint32_t n = f->len < 2048 ? f->len : 2048;

	if (f->body_cnt != 1 || k >= w->n || !w->at[k])
		return;
	from = f->body[0].iov_base;
	to = w->at[k];
	for (uint32_t i = 2 * LINE; i < n; i += LINE) {
		__builtin_prefetch(from + i - 2 * LINE);
		__builtin_prefetch(to + i, 1);
	}
}

/* The frame into one buffer that has room for it. */
INLINE void put_plain(const struct tx_frame *t, const struct frame *f, uint8_t *at, unsigned header,
		      unsigned can)
{

	if (unlikely(f->off.flags | f->off.gso_type)) {
		struct vnet_header h = header_of(&f->off, t->tag, can);

		memcpy(at, &h, header);
	} else {
		write_plain_header(at, header);
	}
	at += header;
	if (unlikely(t->tag.tpid)) {
		__builtin_memcpy(at, f->snap, MAC_PAIR);
		tag_write(at + MAC_PAIR, t->tag);
		at += MAC_PAIR + TAG_BYTES;
		copy_bytes(at, f->snap + MAC_PAIR, f->snap_len - MAC_PAIR);
		at += f->snap_len - MAC_PAIR;
	} else {
		copy_bytes(at, f->snap, f->snap_len);
		at += f->snap_len;
	}
	for (unsigned i = 0; i < f->body_cnt; i++) {
		copy_bytes(at, f->body[i].iov_base, (uint32_t)f->body[i].iov_len);
		at += f->body[i].iov_len;
	}
}

/* Bytes on their way into the chains of a window. */
struct pour {
	struct put *p;
	unsigned chain, piece; /* where it is */
	size_t inside;	       /* bytes of that piece that are full */
};

/* Room from where it is, in one piece; 0: the chain is full. */
static size_t pour_room(const struct pour *q, uint8_t **at)
{
	const struct window *w = &q->p->w;
	const struct iovec *iov;

	if (w->at[q->chain]) {
		*at = w->at[q->chain] + q->inside;
		return q->piece ? 0 : w->bytes[q->chain] - q->inside;
	}
	if (q->piece >= w->iovs[q->chain])
		return 0;
	iov = &q->p->s->iov[w->iov[q->chain] + q->piece];
	*at = (uint8_t *)iov->iov_base + q->inside;
	return iov->iov_len - q->inside;
}

/* Room for n bytes was made sure of. */
static void pour(struct pour *q, struct frame_reader *from, const uint8_t *bytes, uint32_t n)
{
	uint8_t *at = NULL;

	while (n > 0) {
		size_t room = pour_room(q, &at), now = room < n ? room : n;

		if (room == 0) {
			q->inside = 0;
			if (q->p->w.at[q->chain] || ++q->piece >= q->p->w.iovs[q->chain]) {
				q->chain++;
				q->piece = 0;
			}
			continue;
		}
		if (bytes) {
			memcpy(at, bytes, now);
			bytes += now;
		} else {
			frame_read(from, at, (uint32_t)now);
		}
		q->inside += now;
		n -= (uint32_t)now;
	}
}

/* A longer window that starts at the next chain; false: there is none. */
static bool look_further(struct put *p, bool packed)
{
	if (p->is_dry || (p->k == 0 && p->asked == VEC_SIZE))
		return false;
	refill(p, VEC_SIZE, packed);
	return p->w.n > 0;
}

/* How many chains, from the next one, hold `bytes`; 0: too few (*drop says why). */
static unsigned chains_for(struct put *p, uint32_t bytes, bool packed, enum drop *drop)
{
	uint64_t room = 0;
	unsigned n = 0;

	*drop = DROP_TX_FULL;
	while (room < bytes) {
		unsigned i = p->k + n;

		if (i >= p->w.n) {
			if (!look_further(p, packed))
				return 0;
			room = 0;
			n = 0;
			continue;
		}
		if (!p->w.at[i] && !p->w.iovs[i]) {
			ring_break(p->r, "a receive descriptor that nothing can be written to");
			return 0;
		}
		room += p->w.bytes[i];
		n++;
		if (!p->r->has_mrg && room < bytes) {
			*drop = DROP_TOO_BIG;
			return 0;
		}
	}
	return n;
}

/* A frame into several buffers, or into the pieces of one. */
static enum drop put_pieces(struct put *p, const struct frame *f, struct tag tag, bool packed)
{
	struct vnet_header h = header_of(&f->off, tag, p->r->can);
	uint32_t skip = tag.tpid ? MAC_PAIR : 0, extra = tag.tpid ? TAG_BYTES : 0;
	uint32_t left = p->r->header + f->len + extra;
	uint8_t head[HEADER_MAX + MAC_PAIR + TAG_BYTES];
	struct pour q = {.p = p};
	struct frame_reader from;
	enum drop drop;
	unsigned n = chains_for(p, left, packed, &drop);

	if (n == 0)
		return drop;
	batch_room(p->r, &p->b, n, packed);
	h.num_buffers = htole16((uint16_t)n);
	memcpy(head, &h, p->r->header);
	if (tag.tpid) {
		memcpy(head + p->r->header, f->snap, MAC_PAIR);
		tag_write(head + p->r->header + MAC_PAIR, tag);
	}
	q.chain = p->k;
	pour(&q, NULL, head, p->r->header + skip + extra);
	frame_reader_init(&from, f, skip);
	pour(&q, &from, NULL, f->len - skip);
	for (; n > 0; n--) {
		uint32_t room = p->w.bytes[p->k], now = room < left ? room : left;

		left -= now;
		use(p, &p->b, p->k++, now, packed);
	}
	return DROP_NONE;
}

/* A frame that is segmented, or whose checksum is completed, on its way. */
struct put_segments {
	struct put *p;
	struct tag tag;
	bool packed;
	uint16_t frames;
	uint32_t bytes;
	enum drop drop;
};

static bool put_segment(const struct segment *seg, void *arg)
{
	struct put_segments *o = arg;
	struct frame f = {
		.snap = (uint8_t *)(uintptr_t)seg->bytes,
		.len = seg->len,
		.snap_len = (uint16_t)(seg->len < SNAP_MAX ? seg->len : SNAP_MAX),
		.off = seg->off,
	};
	struct iovec rest = {f.snap + f.snap_len, seg->len - f.snap_len};

	f.body = &rest;
	f.body_cnt = rest.iov_len > 0;
	o->drop = put_pieces(o->p, &f, o->tag, o->packed);
	if (o->drop)
		return false;
	o->frames++;
	o->bytes += seg->len + (o->tag.tpid ? TAG_BYTES : 0);
	return true;
}

static __attribute__((noinline)) void put_segmented(struct put *p, struct tx_frame *t, bool packed)
{
	struct put_segments o = {.p = p, .tag = t->tag, .packed = packed, .drop = DROP_NO_MEMORY};

	gso_segment(t->f, p->r->can, p->s->segment, SEGMENT_BYTES, put_segment, &o);
	if (!o.frames) {
		t->drop = (uint8_t)o.drop;
		return;
	}
	t->frames = o.frames;
	t->bytes = o.bytes;
}

/* What is not one plain buffer. */
static __attribute__((noinline)) bool put_odd(struct put *p, struct tx_frame *t, bool packed)
{
	const struct offload *o = &t->f->off;

	if ((o->flags | o->gso_type) && !gso_passes(t->f, p->r->can))
		put_segmented(p, t, packed);
	else
		t->drop = (uint8_t)put_pieces(p, t->f, t->tag, packed);
	return t->drop || t->frames != 1;
}

/*
 * Asks for the lines that a short frame will be written to, and for that of the header, which is compared first and seldom
 * written: it may stay shared with the guest.
 */
INLINE void touch_room(const struct window *w, unsigned k)
{
	const uint8_t *at;

	if (k >= w->n || !w->at[k])
		return;
	at = w->at[k];
	__builtin_prefetch(at);
	__builtin_prefetch(at + HEADER_MAX, 1);
	__builtin_prefetch(at + HEADER_MAX + LINE - 1, 1);
}

/* Frames that fit the next buffer, each, until one does not; how many. */
INLINE unsigned put_run(struct put *p, const struct tx_frame *t, unsigned n, bool packed)
{
	const struct window *w = &p->w;
	unsigned header = p->r->header, can = p->r->can, k = p->k, i = 0;
	struct batch b = p->b;

	for (unsigned first = k; first < k + TOUCH_AHEAD; first++)
		touch_room(w, first);
	for (; i < n && k < w->n; i++, k++) {
		const struct frame *f = t[i].f;
		uint32_t need = header + f->len + (t[i].tag.tpid ? TAG_BYTES : 0);
		uint16_t offloads;

		__builtin_memcpy(&offloads, &f->off, sizeof(offloads)); /* flags and gso_type */
		if (unlikely(!w->at[k] || w->bytes[k] < need || (offloads && !gso_passes(f, can))))
			break;
		touch_room(w, k + TOUCH_AHEAD);
		if (i + 2 < n && t[i + 2].f->len > 4 * LINE)
			prefetch_long(w, k + 2, t[i + 2].f);
		put_plain(&t[i], f, w->at[k], header, can);
		batch_room(p->r, &b, 1, packed);
		use(p, &b, k, need, packed);
	}
	p->k = k;
	p->b = b;
	return i;
}

INLINE unsigned put(struct vring *r, struct scratch *s, struct tx_frame *t, unsigned n, bool packed,
		    bool *call)
{
	struct put p;
	unsigned odd = 0;

	p.r = r;
	p.s = s;
	p.first_iovs = s->iovs;
	p.b = batch_begin(r);
	refill(&p, n, packed);
	STAGE(ROOM);
	for (unsigned i = 0; i < n; i++) {
		i += put_run(&p, t + i, n - i, packed);
		if (i < n)
			odd += put_odd(&p, &t[i], packed);
	}
	STAGE(PUT);
	*call = batch_end(r, &p.b, packed);
	STAGE(PUBLISH);
	r->taken = r->used;
	r->taken_wrap = r->used_wrap;
	s->iovs = p.first_iovs;
	return odd;
}

unsigned PATH(vring_put_all)(struct vring *r, struct scratch *s, struct tx_frame *t, unsigned n,
			     bool *call);

unsigned PATH(vring_put_all)(struct vring *r, struct scratch *s, struct tx_frame *t, unsigned n,
			     bool *call)
{
	return r->is_packed ? put(r, s, t, n, true, call) : put(r, s, t, n, false, call);
}

PATH_CHOICE(unsigned, vring_put_all,
	    (struct vring * r, struct scratch *s, struct tx_frame *t, unsigned n, bool *call),
	    (r, s, t, n, call))
