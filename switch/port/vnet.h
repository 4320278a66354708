/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnet: a frame on its way out through a descriptor that takes virtio-net headers, of a tap or of a packet socket: one
 * writev(2), or one for each segment where the kernel does not take the frame as it is.  Virtio 1.2, 5.1.6.
 */
#ifndef VFAB_PORT_VNET_H
#define VFAB_PORT_VNET_H

#include "switch/port/port.h"
#include "switch/port/scratch.h"

enum {
	VNET_SOCKET_BYTES = 10, /* struct virtio_net_hdr */
	VNET_TAP_BYTES = 12,	/* with num_buffers, as TUNSETVNETHDRSZ says of every tap */
};

/* One way out, and what became of a frame there. */
struct vnet_way {
	int fd;		   /* -1: none */
	size_t vnet_bytes; /* of its header */
	struct tag tag;
	uint16_t frames;   /* that it became */
	uint32_t bytes;	   /* of all segments; 0: it went as one */
	enum drop drop;	   /* why, when frames is 0 */
};

/* Sends; w has fd and vnet_bytes, all else 0.  can: enum offload_can.  Uses what of the scratch lies behind the bodies in hand. */
void vnet_send(struct vnet_way *w, struct scratch *s, const struct tx_frame *t, unsigned can);

/* Notes in t what became of it, as port_ops.tx() does; whether it was not simply taken as one frame. */
bool vnet_answer(const struct vnet_way *w, struct tx_frame *t);

#endif
