/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap: bursts of plain read(2) and writev(2), which measure faster here than io_uring.
 *
 * A frame is read with its virtio-net header right in front of it into one buffer of the worker; its
 * first SNAP_MAX bytes are the snapshot, the rest is the body.  The kernel filled the buffer and nobody
 * else can reach it, so the snapshot need not be a copy.
 *
 *      buffer + FRAME_HEADROOM - VNET_BYTES    + FRAME_HEADROOM
 *      | virtio-net header, 12 bytes           | frame ...
 *
 * Trust.  The device's other side may be any container: the virtio-net header is made by our kernel out of
 * its frames, and frame_check_offload() looks at it all the same before it decides anything.
 */
#include "switch/port/tap.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/port/gso.h"
#include "switch/port/scratch.h"

enum { VNET_BYTES = 12, MAC_PAIR = 12 };

/* struct virtio_net_hdr_mrg_rxbuf, little-endian as x86 and arm64 taps have it. */
struct vnet_header {
	struct offload off;
	uint16_t num_buffers;
};
_Static_assert(sizeof(struct vnet_header) == VNET_BYTES, "what TUNSETVNETHDRSZ says");

struct tap {
	_Atomic unsigned can; /* enum offload_can of the kernel */
};

static unsigned tap_rx(struct port *p, unsigned q, struct scratch *s, struct vec *v, unsigned max)
{
	int fd = atomic_load_explicit(&p->fd[q], memory_order_acquire);
	unsigned n = 0;

	if (max > RX_BURST)
		max = RX_BURST;
	s->iovs = 0;
	while (fd >= 0 && n < max) {
		uint8_t *buf = s->rx + (size_t)n * RX_STRIDE + FRAME_HEADROOM;
		ssize_t got = read(fd, buf - VNET_BYTES, VNET_BYTES + FRAME_MAX);
		struct frame *f = &v->f[n];

		if (got <= VNET_BYTES)
			break;
		f->snap = buf;
		f->len = (uint32_t)got - VNET_BYTES;
		memcpy(&f->off, buf - VNET_BYTES, sizeof(f->off));
		f->snap_len = f->len < SNAP_MAX ? (uint16_t)f->len : SNAP_MAX;
		f->body_cnt = 0;
		f->body = NULL;
		f->drop = DROP_NONE;
		if (f->len > SNAP_MAX) {
			struct iovec *iov = &s->iov[s->iovs++];

			*iov = (struct iovec){buf + SNAP_MAX, f->len - SNAP_MAX};
			f->body = iov;
			f->body_cnt = 1;
		}
		n++;
	}
	v->n = n;
	return n;
}

static enum drop drop_of_errno(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_TX_FULL;
	case EIO:    /* the interface is set down */
	case EBADFD: /* the device is gone */
	case EBADF:
		return DROP_PORT_DOWN;
	default:
		return DROP_TX_ERROR;
	}
}

/* What one frame becomes on its way out; the state of a segmentation. */
struct tap_out {
	int fd;
	struct tag tag;
	uint16_t frames;
	uint32_t bytes;
	enum drop drop;
};

/*
 * Fills head with the vnet header, and with the addresses and the tag when there is one; returns how
 * many bytes that are.  The frame goes on at *skip.
 */
static size_t write_head(uint8_t head[static VNET_BYTES + MAC_PAIR + TAG_BYTES], struct offload off,
			 struct tag tag, const uint8_t *macs, size_t *skip)
{
	struct vnet_header h = {.off = off};
	size_t n = VNET_BYTES;

	*skip = 0;
	if (tag.tpid) {
		if (h.off.flags & OFFLOAD_NEEDS_CSUM)
			h.off.csum_start += TAG_BYTES;
		if (h.off.hdr_len)
			h.off.hdr_len += TAG_BYTES;
		memcpy(head + VNET_BYTES, macs, MAC_PAIR);
		tag_write(head + VNET_BYTES + MAC_PAIR, tag);
		n += MAC_PAIR + TAG_BYTES;
		*skip = MAC_PAIR;
	}
	memcpy(head, &h, sizeof(h));
	return n;
}

static bool tap_emit(const struct segment *seg, void *arg)
{
	struct tap_out *o = arg;
	uint8_t head[VNET_BYTES + MAC_PAIR + TAG_BYTES];
	size_t skip;
	size_t n = write_head(head, seg->off, o->tag, seg->bytes, &skip);
	struct iovec iov[2] = {
		{head, n},
		{(void *)(uintptr_t)(seg->bytes + skip), seg->len - skip},
	};

	if (writev(o->fd, iov, 2) < 0) {
		o->drop = drop_of_errno(errno);
		return false;
	}
	o->frames++;
	o->bytes += seg->len + (o->tag.tpid ? TAG_BYTES : 0);
	return true;
}

/* A frame that the kernel does not take as it is. */
static void tap_tx_segmented(int fd, struct scratch *s, struct tx_frame *t, unsigned can)
{
	struct tap_out o = {.fd = fd, .tag = t->tag, .drop = DROP_NO_MEMORY};

	gso_segment(t->f, can, s->segment, SEGMENT_BYTES, tap_emit, &o);
	if (!o.frames) {
		t->drop = o.drop;
		return;
	}
	t->frames = o.frames;
	t->bytes = o.bytes;
}

static void tap_tx_one(int fd, struct scratch *s, struct tx_frame *t)
{
	const struct frame *f = t->f;
	uint8_t head[VNET_BYTES + MAC_PAIR + TAG_BYTES];
	size_t skip;
	struct iovec *iov = &s->iov[s->iovs]; /* behind the bodies of the vector in hand */
	int room = SCRATCH_IOVS - (int)s->iovs, used;

	if (room > IOV_MAX)
		room = IOV_MAX;
	iov[0] = (struct iovec){head, write_head(head, f->off, t->tag, f->snap, &skip)};
	used = frame_iov(f, (uint32_t)skip, iov + 1, room - 1);
	if (used < 0) { /* too many pieces for one call: gather */
		uint32_t n = frame_copy(f, (uint32_t)skip, s->segment, SEGMENT_BYTES);

		iov[1] = (struct iovec){s->segment, n};
		used = 1;
	}
	if (writev(fd, iov, 1 + used) < 0)
		t->drop = (uint8_t)drop_of_errno(errno);
}

static unsigned tap_tx(struct port *p, unsigned q, struct scratch *s, struct tx_frame *t,
		       unsigned n)
{
	const struct tap *tap = p->priv;
	int fd = atomic_load_explicit(&p->fd[q % p->queues], memory_order_acquire);
	unsigned can = atomic_load_explicit(&tap->can, memory_order_relaxed);
	unsigned odd = 0;

	for (unsigned i = 0; i < n; i++) {
		if (fd < 0)
			t[i].drop = DROP_PORT_DOWN;
		else if (t[i].f->off.gso_type && !gso_passes(t[i].f, can))
			tap_tx_segmented(fd, s, &t[i], can);
		else
			tap_tx_one(fd, s, &t[i]);
		odd += t[i].drop || t[i].frames != 1;
	}
	return odd;
}

static void tap_close(struct port *p)
{
	int fds[PORT_QUEUES_MAX];
	unsigned n = tap_detach(p, fds);

	while (n > 0)
		close(fds[--n]);
	free(p->priv);
	p->priv = NULL;
}

static const struct port_ops tap_ops = {
	.kind = "tap",
	.rx = tap_rx,
	.tx = tap_tx,
	.close = tap_close,
};

int tap_open(struct port *p)
{
	struct tap *tap = calloc(1, sizeof(*tap));

	if (!tap)
		return -ENOMEM;
	p->ops = &tap_ops;
	p->priv = tap;
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++)
		atomic_store_explicit(&p->fd[q], -1, memory_order_relaxed);
	return 0;
}

void tap_attach(struct port *p, const int *fds, unsigned n, unsigned can)
{
	struct tap *tap = p->priv;

	atomic_store_explicit(&tap->can, can, memory_order_relaxed);
	for (unsigned q = 0; q < n && q < PORT_QUEUES_MAX; q++)
		atomic_store_explicit(&p->fd[q], fds[q], memory_order_release);
}

unsigned tap_detach(struct port *p, int fds[static PORT_QUEUES_MAX])
{
	unsigned n = 0;

	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		int fd = atomic_exchange_explicit(&p->fd[q], -1, memory_order_acq_rel);

		if (fd >= 0)
			fds[n++] = fd;
	}
	return n;
}
