/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet_socket: the broker's half of packet.h: the socket on an interface of the host, ready to be attached.
 *
 * TPACKET_V2 with the ring of packet.h; PACKET_VNET_HDR both ways, with the header of 10
 * bytes (struct virtio_net_hdr): that of 12 exists since Linux 6.5 only, and says nothing more here.  In the ring it ends where
 * the frame begins (tp_mac).  packet(7), Documentation/networking/packet_mmap.rst.
 *
 * Trust.  Who has such a socket may send on every interface of its namespace (sendto with an address).  No option takes that
 * away, so a switch that has an interface uplink and is taken over can do it.  It cannot bind or set anything: seccomp.
 */
#ifndef VFAB_BRIDGE_PACKET_SOCKET_H
#define VFAB_BRIDGE_PACKET_SOCKET_H

#include <stdbool.h>

#include "switch/base/addr.h"

enum { PACKET_VNET_BYTES = 10 };

/*
 * A socket on interface ifindex that passes what filter (bpf_frames_filter(); -1: everything) passes, from its first frame on.
 * outgoing: the host's own frames too.  Frames that it sent itself never come back.  Descriptor or -errno.
 */
int packet_socket(int ifindex, bool outgoing, int filter);
int packet_filter(int sock, int filter); /* another one; 0 or -errno, as below */
/* The interface takes frames for other MACs, or for one more.  Both end with the last descriptor of the socket. */
int packet_promisc(int sock, int ifindex, bool on);
int packet_listen_mac(int sock, int ifindex, const struct mac *mac, bool on); /* PACKET_MR_UNICAST */

#endif
