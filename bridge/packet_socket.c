/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet_socket: the socket on an interface of the host.
 *
 * How it fits.  broker_link.c makes one for each interface uplink and sends it to the switch, where
 * packet.c maps the ring.
 *
 * Theory of operation.  A socket of protocol 0 receives nothing; options, ring and filter are set
 * first, and bind() then opens it, so that no frame of another interface, and none that the filter
 * would have refused, is ever in the ring.  The qdisc of the NIC is not bypassed: a full queue of
 * the NIC would lose frames instead of holding them, and tcpdump on the host would not see them.
 */
#include "bridge/packet_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/bpf.h"
#include "bridge/packet.h"

/* Of Linux 4.20. */
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

static int set_ring(int sock)
{
	const struct tpacket_req ring = {
		.tp_block_size = PACKET_BLOCK_SLOTS * PACKET_SLOT_BYTES,
		.tp_block_nr = PACKET_SLOTS / PACKET_BLOCK_SLOTS,
		.tp_frame_size = PACKET_SLOT_BYTES,
		.tp_frame_nr = PACKET_SLOTS,
	};

	return setsockopt(sock, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring));
}

/* Without the right to force it (in a namespace for users) there is as much as anybody may have. */
static int set_buffer(int sock, int forced, int plain)
{
	int bytes = PACKET_QUEUE_BYTES;

	if (setsockopt(sock, SOL_SOCKET, forced, &bytes, sizeof(bytes)) == 0)
		return 0;
	return setsockopt(sock, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

static int set_buffers(int sock)
{
	int priority = BPF_OWN_PRIORITY;

	if (setsockopt(sock, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority)) < 0 ||
	    set_buffer(sock, SO_RCVBUFFORCE, SO_RCVBUF) < 0)
		return -1;
	return set_buffer(sock, SO_SNDBUFFORCE, SO_SNDBUF);
}

static int set_options(int sock, bool outgoing)
{
	const struct {
		int name, value;
	} option[] = {
		{PACKET_VERSION, TPACKET_V2},
		{PACKET_VNET_HDR, 1}, /* with a ring the kernel would refuse it */
		{PACKET_AUXDATA, 1},
		{PACKET_RESERVE, PACKET_HEADROOM},
		{PACKET_COPY_THRESH,
		 1}, /* a frame that is longer than a slot is also queued, whole */
		{PACKET_IGNORE_OUTGOING, !outgoing},
	};

	for (unsigned i = 0; i < sizeof(option) / sizeof(option[0]); i++)
		if (setsockopt(sock, SOL_PACKET, option[i].name, &option[i].value,
			       sizeof(option[i].value)) < 0)
			return -1;
	return set_buffers(sock) < 0 ? -1 : set_ring(sock);
}

int packet_socket(int ifindex, bool outgoing, int filter)
{
	const struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = ifindex,
	};
	int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int err;

	if (sock < 0)
		return -errno;
	err = set_options(sock, outgoing) < 0 ? -errno : 0;
	if (!err && filter >= 0)
		err = packet_filter(sock, filter);
	if (!err && bind(sock, (const struct sockaddr *)&addr, sizeof(addr)) < 0)
		err = -errno;
	if (!err)
		return sock;
	close(sock);
	return err;
}

int packet_filter(int sock, int filter)
{
	if (setsockopt(sock, SOL_SOCKET, SO_ATTACH_BPF, &filter, sizeof(filter)) < 0)
		return -errno;
	return 0;
}

static int membership(int sock, int ifindex, unsigned short type, const struct mac *mac, bool on)
{
	struct packet_mreq m = {.mr_ifindex = ifindex, .mr_type = type};

	if (mac) {
		m.mr_alen = sizeof(*mac);
		memcpy(m.mr_address, mac, sizeof(*mac));
	}
	if (setsockopt(sock, SOL_PACKET, on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP, &m,
		       sizeof(m)) < 0)
		return -errno;
	return 0;
}

int packet_promisc(int sock, int ifindex, bool on)
{
	return membership(sock, ifindex, PACKET_MR_PROMISC, NULL, on);
}

int packet_listen_mac(int sock, int ifindex, const struct mac *mac, bool on)
{
	return membership(sock, ifindex, PACKET_MR_UNICAST, mac, on);
}
