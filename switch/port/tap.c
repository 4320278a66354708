/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap: bursts of plain read(2) and writev(2) (vnet.c), which measure faster here than io_uring.
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
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/port/scratch.h"
#include "switch/port/vnet.h"

enum { VNET_BYTES = VNET_TAP_BYTES }; /* little-endian as x86 and arm64 taps have it */

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

static unsigned tap_tx(struct port *p, unsigned q, struct scratch *s, struct tx_frame *t,
		       unsigned n)
{
	const struct tap *tap = p->priv;
	int fd = atomic_load_explicit(&p->fd[q % p->queues], memory_order_acquire);
	unsigned can = atomic_load_explicit(&tap->can, memory_order_relaxed);
	unsigned odd = 0;

	for (unsigned i = 0; i < n; i++) {
		struct vnet_way w = {.fd = fd, .vnet_bytes = VNET_BYTES};

		vnet_send(&w, s, &t[i], can);
		odd += vnet_answer(&w, &t[i]);
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
	port_open(p, &tap_ops, tap);
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
