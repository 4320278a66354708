/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet: a port over a network interface of the host, by AF_PACKET: a ring in, plain sends out, virtio-net headers both
 * ways (PACKET_VNET_HDR), so that segments of 64 KiB pass whole.  packet(7), Documentation/networking/packet_mmap.rst.
 *
 *    wire ----> NIC ----(ring)----> port          host's own frames on that NIC come in as outgoing ones (PACKET_OUTGOING)
 *    wire <---- NIC <---(send)----- port
 *    host <---- NIC <---(tc: ingress of the helper tap is redirected to the NIC's ingress)---- port
 *
 * What.  To the switch the NIC is one port, behind which are the real segment and this host.  A frame to the NIC's own MAC
 * goes to the host through the helper, a group frame to both, any other to the wire.  Tags that the kernel took off are put
 * back (tp_vlan_tci).  Frames that this socket or the helper sent are not received again.
 *
 * The ring is of TPACKET_V2, a slot for each frame of an ordinary size: what came can be taken at once, while TPACKET_V3 keeps
 * frames until a block is full or a millisecond old.  A frame that is longer than a slot is named in the ring, in its place, and
 * waits whole in the socket's queue (PACKET_COPY_THRESH).
 *
 * The broker makes (packet_socket.h) and keeps the socket, its ring and the helper; the port gets their descriptors and maps the
 * ring.  A port that
 * is attached to a ring which somebody used before drops what waits in it.
 *
 * Trust.  The ring is shared with the kernel, which is trusted; frames in it are anybody's.
 */
#ifndef VFAB_BRIDGE_PACKET_H
#define VFAB_BRIDGE_PACKET_H

#include "switch/port/port.h"

/* The ring: tpacket_req of packet_socket().  Its slots lie one behind the other, an odd number of cache lines apart. */
enum {
	PACKET_SLOT_BYTES = 27 * 64,	  /* a frame of 1522 bytes, behind its headers and PACKET_HEADROOM */
	PACKET_BLOCK_SLOTS = 64,	  /* fill 27 pages */
	PACKET_SLOTS = 2048,		  /* 1 ms at 2 Mpps; 3.4 MiB */
	PACKET_HEADROOM = FRAME_HEADROOM, /* PACKET_RESERVE */
	PACKET_QUEUE_BYTES = 16 << 20,	  /* SO_RCVBUFFORCE, SO_SNDBUFFORCE: for long frames */
};

/* Makes p a port without a socket: state PORT_WAITING, tx drops.  0 or -ENOMEM. */
int packet_open(struct port *p);
/* Gives it a socket with its ring, and the helper tap (-1: none: the host is not reached).  Takes both, also on error.
 * mac: of the NIC.  can: enum offload_can of the kernel, as of a tap; it does itself what the NIC cannot.  0 or -errno (mmap). */
int packet_attach(struct port *p, int sock, int helper, const struct mac *mac, unsigned can);
/* Workers no longer use them; the caller waits a grace period before packet_release() closes and unmaps. */
void packet_detach(struct port *p);
void packet_release(struct port *p);
/* Frames that the kernel dropped because the ring was full, ever.  Control thread. */
uint64_t packet_lost(struct port *p);

#endif

