/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnet: frames written with a virtio-net header in front.
 *
 * How it fits.  tx of tap.c and of bridge/packet.c calls it for each frame; gso.c cuts what the kernel does not take whole.
 *
 * Theory of operation.  A tag goes between the addresses and the EtherType, so a tagged frame is written in three pieces:
 *
 *      | virtio-net header | addresses | tag |   EtherType ... snapshot |   body ... |
 *      '------------- struct head -----------'
 *
 * Trust.  Anybody's frames: but for the addresses, which are copied, nothing here reads them.
 */
#include "switch/port/vnet.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "switch/port/gso.h"

enum { MAC_PAIR = 12 };

_Static_assert(sizeof(struct offload) == VNET_SOCKET_BYTES, "the fields of struct virtio_net_hdr");

struct head {
	uint8_t bytes[VNET_TAP_BYTES + MAC_PAIR + TAG_BYTES];
};

static enum drop drop_of_errno(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return DROP_TX_FULL;
	case EIO:      /* a tap is set down */
	case ENETDOWN: /* an interface is */
	case ENXIO:    /* or gone */
	case ENODEV:
	case EBADFD:
	case EBADF:
		return DROP_PORT_DOWN;
	case EMSGSIZE:
		return DROP_TOO_BIG;
	default:
		return DROP_TX_ERROR;
	}
}

/*
 * The vnet header, and the addresses and the tag when there is one; returns how many bytes that are.  The frame goes on at *skip.
 */
static size_t write_head(struct head *head, const struct vnet_way *w, struct offload off,
			 const uint8_t *macs, size_t *skip)
{
	size_t n = w->vnet_bytes;

	memset(head->bytes, 0, VNET_TAP_BYTES);
	*skip = 0;
	if (w->tag.tpid) {
		if (off.flags & OFFLOAD_NEEDS_CSUM)
			off.csum_start += TAG_BYTES;
		if (off.hdr_len)
			off.hdr_len += TAG_BYTES;
		memcpy(head->bytes + n, macs, MAC_PAIR);
		tag_write(head->bytes + n + MAC_PAIR, w->tag);
		*skip = MAC_PAIR;
		n += MAC_PAIR + TAG_BYTES;
	}
	memcpy(head->bytes, &off, sizeof(off));
	return n;
}

static bool send_segment(const struct segment *seg, void *arg)
{
	struct vnet_way *w = arg;
	struct head head;
	size_t skip, n = write_head(&head, w, seg->off, seg->bytes, &skip);
	struct iovec iov[2] = {
		{head.bytes, n},
		{(void *)(uintptr_t)(seg->bytes + skip), seg->len - skip},
	};

	if (writev(w->fd, iov, 2) < 0) {
		w->drop = drop_of_errno(errno);
		return false;
	}
	w->frames++;
	w->bytes += seg->len + (w->tag.tpid ? TAG_BYTES : 0);
	return true;
}

static void send_whole(struct vnet_way *w, struct scratch *s, const struct frame *f)
{
	struct iovec *iov = &s->iov[s->iovs]; /* behind the bodies of the vector in hand */
	int room = SCRATCH_IOVS - (int)s->iovs, used;
	struct head head;
	size_t skip;

	if (room > IOV_MAX)
		room = IOV_MAX;
	iov[0] = (struct iovec){head.bytes, write_head(&head, w, f->off, f->snap, &skip)};
	used = frame_iov(f, (uint32_t)skip, iov + 1, room - 1);
	if (used < 0) { /* too many pieces for one call: gather */
		iov[1].iov_base = s->segment;
		iov[1].iov_len = frame_copy(f, (uint32_t)skip, s->segment, SEGMENT_BYTES);
		used = 1;
	}
	if (writev(w->fd, iov, 1 + used) < 0)
		w->drop = drop_of_errno(errno);
	else
		w->frames = 1;
}

void vnet_send(struct vnet_way *w, struct scratch *s, const struct tx_frame *t, unsigned can)
{
	w->tag = t->tag;
	if (w->fd < 0) {
		w->drop = DROP_PORT_DOWN;
	} else if (t->f->off.gso_type && !gso_passes(t->f, can)) {
		w->drop = DROP_NO_MEMORY;
		gso_segment(t->f, can, s->segment, SEGMENT_BYTES, send_segment, w);
	} else {
		send_whole(w, s, t->f);
	}
}

bool vnet_answer(const struct vnet_way *w, struct tx_frame *t)
{
	if (!w->frames) {
		t->drop = (uint8_t)w->drop;
	} else if (w->bytes) {
		t->frames = w->frames;
		t->bytes = w->bytes;
	}
	return t->drop || t->frames != 1;
}
