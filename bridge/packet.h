/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet: a port over a network interface of the host, by AF_PACKET: a TPACKET_V3 ring in, plain sends out, virtio-net headers both
 * ways (PACKET_VNET_HDR), so that segments of 64 KiB pass whole.  packet(7), Documentation/networking/packet_mmap.rst.
 *
 *    wire ----> NIC ----(ring)----> port          host's own frames on that NIC come in as outgoing ones (PACKET_OUTGOING)
 *    wire <---- NIC <---(send)----- port
 *    host <---- NIC <---(tc: ingress of the helper tap is redirected to the NIC's ingress)---- port
 *
 * What.  To the switch the NIC is one port, behind which are the real segment and this host.  A frame to the NIC's own MAC
 * goes to the host through the helper, a group frame to both, any other to the wire.  Tags that the kernel took off are put
 * back (tp_vlan_tci).  Frames that this socket sent are not received again.
 *
 * The broker makes and keeps the socket, its ring and the helper; the port gets their descriptors and maps the ring.
 *
 * Trust.  The ring is shared with the kernel, which is trusted; frames in it are anybody's.
 */
#ifndef VFAB_BRIDGE_PACKET_H
#define VFAB_BRIDGE_PACKET_H

#include "switch/port/port.h"

enum {
	PACKET_BLOCK_BYTES = 1 << 20, /* of the ring; holds the largest frame */
	PACKET_BLOCKS = 8,
	PACKET_RETIRE_MS = 1, /* the kernel gives a block that is not full after this */
};

/* Makes p a port without a socket: state PORT_WAITING, tx drops.  0 or -ENOMEM. */
int packet_open(struct port *p);
/* Gives it a socket with its ring, and the helper tap (-1: none: the host is not reached).  Takes both.  mac: of the NIC.
 * can_gso: what the NIC takes, enum offload_can of gso.h.  0 or -errno (mmap). */
int packet_attach(struct port *p, int sock, int helper, const struct mac *mac, unsigned can_gso);
/* Workers no longer use them; the caller waits a grace period before packet_release() closes and unmaps. */
void packet_detach(struct port *p);
void packet_release(struct port *p);
/* Frames that the kernel dropped because the ring was full, ever. */
uint64_t packet_lost(const struct port *p);

/* The broker's half: a socket on interface ifindex with its ring, ready to be attached; outgoing: the host's own frames too.
 * Descriptor or -errno. */
int packet_socket(int ifindex, bool outgoing);
int packet_promisc(int sock, int ifindex, bool on);			   /* while frames for other MACs are needed */
int packet_listen_mac(int sock, int ifindex, const struct mac *mac, bool on); /* PACKET_MR_UNICAST */

#endif
