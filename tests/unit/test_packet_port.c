/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_packet_port: bridge/packet.c on one end of a veth pair, a raw socket on the other, in a network namespace of their own.
 *
 *    port --(ring, writev)-- [ nic | wire ] -- far
 *      '---(writev)--- helper tap [ vhelp ] -- host: a raw socket there, or redirected into nic
 *
 * Without the right to make a namespace all of it is skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "bridge/bpf.h"
#include "bridge/packet.h"
#include "bridge/packet_socket.h"
#include "bridge/tc.h"
#include "switch/base/csum.h"
#include "switch/port/gso.h"
#include "switch/port/scratch.h"

enum {
	VNET = 10,
	TCP_HEADERS = 14 + 20 + 20,
	BULK = 60000, /* payload of a long segment */
	MSS = 1400,
	ALL = CAN_CSUM | CAN_TSO4 | CAN_TSO6 | CAN_ECN | CAN_USO,
};

static const struct mac nic_mac = {{0x02, 0, 0, 0, 0, 0x01}};
static const struct mac guest_mac = {{0x02, 0, 0, 0, 0, 0x02}};
static const struct mac far_mac = {{0x02, 0, 0, 0, 0, 0x03}};
static const struct mac everybody = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static struct scratch scratch;
static struct vec vec;

struct lab {
	struct port port;
	int far, host; /* raw sockets; host: on the helper's device, -1: none */
};

static struct {
	uint8_t bytes[VNET + FRAME_MAX];
} buffer;

static void must(const char *command)
{
	if (system(command) != 0)
		fail_msg("%s", command);
}

/* The kernel learns that a carrier is there a little later, and drops what is sent before. */
static void wait_running(const char *ifname)
{
	struct ifreq r = {.ifr_flags = 0};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	for (unsigned i = 0; i < 2000 && !(r.ifr_flags & IFF_RUNNING); i++) {
		assert_int_equal(ioctl(sock, SIOCGIFFLAGS, &r), 0);
		poll(NULL, 0, 1);
	}
	assert_true(r.ifr_flags & IFF_RUNNING);
	close(sock);
}

static int raw_socket(const char *ifname)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htobe16(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifname),
	};
	int one = 1, bytes = 64 << 20, sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	assert_true(sock >= 0);
	assert_int_equal(setsockopt(sock, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	setsockopt(sock, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return sock;
}

static int open_helper(void)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), vnet_bytes = 12;

	assert_true(fd >= 0);
	strcpy(r.ifr_name, "vhelp");
	assert_int_equal(ioctl(fd, TUNSETIFF, &r), 0);
	assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &vnet_bytes), 0);
	must("ip link set vhelp arp off up");
	return fd;
}

/* A user namespace gives no right to load programs. */
static bool can_filter(void)
{
	int filter = bpf_frames_filter(BPF_FRAMES_ALL, &nic_mac);

	if (filter >= 0)
		close(filter);
	return filter >= 0;
}

/* What a lab is made of: bits. */
enum { OUTGOING = 1, HELPER = 2, FILTER = 4 };

static struct lab *lab_create(unsigned with, unsigned can)
{
	struct lab *l = calloc(1, sizeof(*l));
	int sock, helper = -1, filter = -1, nic;

	assert_non_null(l);
	must("ip link add nic address 02:00:00:00:00:01 type veth peer name wire address "
	     "02:00:00:00:00:03");
	must("ip link set nic up && ip link set wire up");
	wait_running("nic");
	wait_running("wire");
	nic = (int)if_nametoindex("nic");
	l->far = raw_socket("wire");
	l->host = -1;
	if (with & HELPER) {
		helper = open_helper();
		l->host = raw_socket("vhelp");
	}
	if (with & FILTER)
		filter = bpf_frames_filter(BPF_FRAMES_ALL, &nic_mac);
	sock = packet_socket(nic, with & OUTGOING, filter);
	assert_true(sock >= 0);
	if (filter >= 0)
		close(filter);
	assert_int_equal(packet_promisc(sock, nic, true), 0);
	l->port.queues = 1;
	assert_int_equal(packet_open(&l->port), 0);
	assert_int_equal(packet_attach(&l->port, sock, helper, &nic_mac, can), 0);
	return l;
}

static void lab_destroy(struct lab *l)
{
	l->port.ops->close(&l->port);
	close(l->far);
	if (l->host >= 0)
		close(l->host);
	free(l);
	must("ip link del nic 2>/dev/null || true");
}

static unsigned rx(struct lab *l, unsigned max)
{
	return l->port.ops->rx(&l->port, 0, &scratch, &vec, max);
}

static void rx_done(struct lab *l)
{
	l->port.ops->rx_done(&l->port, 0, &scratch);
}

/* --- Frames --- */

/* Of n bytes, with a number in it. */
static uint32_t make_plain(uint8_t *p, const struct mac *dst, const struct mac *src, uint32_t n,
			   uint32_t number)
{
	memset(p, 0x5a, n);
	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	p[12] = 0x88;
	p[13] = 0xb6;
	memcpy(p + 14, &number, sizeof(number));
	return n;
}

static uint32_t number_of(const uint8_t *frame)
{
	uint32_t n;

	memcpy(&n, frame + 14, sizeof(n));
	return n;
}

/* A TCP segment with a partial checksum, as a stack leaves it to offloads; l3 is 14, or 18 with a tag in the bytes. */
static uint32_t make_tcp(uint8_t *p, const struct mac *dst, const struct mac *src, uint32_t payload,
			 uint16_t vid, struct offload *off)
{
	unsigned l3 = vid ? 18 : 14;
	uint8_t *ip = p + l3, *tcp = ip + 20;
	uint32_t bytes = 40 + payload;
	uint16_t sum;

	memcpy(p, dst, 6);
	memcpy(p + 6, src, 6);
	if (vid)
		tag_write(p + 12, (struct tag){0x8100, vid});
	p[l3 - 2] = 0x08;
	p[l3 - 1] = 0x00;
	memset(ip, 0, 40);
	ip[0] = 0x45;
	ip[2] = (uint8_t)(bytes >> 8);
	ip[3] = (uint8_t)bytes;
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, "\x0a\x01\x01\x01\x0a\x01\x01\x02", 8);
	sum = csum_fold(csum_add(0, ip, 20));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	tcp[1] = 80;
	tcp[3] = 81;
	tcp[12] = 5 << 4;
	tcp[13] = 0x18;
	sum = (uint16_t)~csum_fold(csum_pseudo(ip + 12, ip + 16, 4, 6, 20 + payload));
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
	for (uint32_t i = 0; i < payload; i++)
		tcp[20 + i] = (uint8_t)(i * 31 + (i >> 8));
	*off = (struct offload){
		.flags = OFFLOAD_NEEDS_CSUM,
		.csum_start = (uint16_t)(l3 + 20),
		.csum_offset = 16,
	};
	if (payload > MSS) {
		off->gso_type = GSO_TCPV4;
		off->gso_size = MSS;
		off->hdr_len = (uint16_t)(l3 + 40);
	}
	return l3 + bytes;
}

/* The far end sends what is in the buffer behind its vnet header. */
static void far_send(int sock, uint32_t len, const struct offload *off)
{
	memset(buffer.bytes, 0, VNET);
	if (off)
		memcpy(buffer.bytes, off, VNET);
	assert_int_equal(send(sock, buffer.bytes, VNET + len, 0), VNET + len);
}

static void far_send_plain(struct lab *l, uint32_t n, uint32_t number)
{
	make_plain(buffer.bytes + VNET, &guest_mac, &far_mac, n, number);
	far_send(l->far, n, NULL);
}

static uint32_t far_send_tcp(struct lab *l, uint32_t payload, uint16_t vid)
{
	struct offload off;
	uint32_t len = make_tcp(buffer.bytes + VNET, &guest_mac, &far_mac, payload, vid, &off);

	far_send(l->far, len, &off);
	return len;
}

/* Bytes of the next frame at a raw socket, 0: none; it is in the buffer then. */
static uint32_t far_take(int sock)
{
	ssize_t n = recv(sock, buffer.bytes, sizeof(buffer.bytes), MSG_DONTWAIT);

	return n < VNET ? 0 : (uint32_t)n - VNET;
}

static struct tx_frame send_frame(struct lab *l, uint8_t *bytes, uint32_t len,
				  const struct offload *off, struct tag tag)
{
	struct iovec body = {bytes + SNAP_MIN, len - SNAP_MIN};
	struct frame f = {.snap = bytes, .len = len, .snap_len = (uint16_t)len};
	struct tx_frame t = {.f = &f, .frames = 1, .tag = tag};
	unsigned odd;

	if (off)
		f.off = *off;
	if (len > SNAP_MAX) {
		f.snap_len = SNAP_MIN;
		f.body = &body;
		f.body_cnt = 1;
	}
	scratch.iovs = 0;
	odd = l->port.ops->tx(&l->port, 0, &scratch, &t, 1);
	assert_int_equal(odd, t.drop || t.frames != 1);
	return t;
}

static struct tx_frame send_plain(struct lab *l, const struct mac *dst, uint32_t number)
{
	uint8_t bytes[100];

	make_plain(bytes, dst, &guest_mac, sizeof(bytes), number);
	return send_frame(l, bytes, sizeof(bytes), NULL, (struct tag){0});
}

/* --- rx --- */

static void takes_what_comes(void **state)
{
	struct lab *l = lab_create(0, ALL);

	(void)state;
	assert_int_equal(rx(l, VEC_SIZE), 0);
	for (uint32_t i = 0; i < 5; i++)
		far_send_plain(l, i == 0 ? 14 + 4 : 60 + 350 * i, i);
	for (uint32_t i = 0; i < 5;) {
		unsigned n = rx(l, 3);

		assert_int_equal(n, i == 0 ? 3 : 2);
		for (unsigned j = 0; j < n; j++, i++) {
			const struct frame *f = &vec.f[j];

			assert_int_equal(f->drop, DROP_NONE);
			assert_int_equal(f->len, i == 0 ? 18 : 60 + 350 * i);
			assert_int_equal(f->snap_len, f->len);
			assert_int_equal(f->body_cnt, 0);
			assert_int_equal(number_of(f->snap), i);
			assert_int_equal(f->off.flags | f->off.gso_type, 0);
			memset(f->snap - FRAME_HEADROOM, 0xee, FRAME_HEADROOM);
		}
		rx_done(l);
	}
	assert_int_equal(rx(l, VEC_SIZE), 0);
	assert_true(l->port.ops->arm(&l->port, 0));
	far_send_plain(l, 60, 9);
	assert_false(l->port.ops->arm(&l->port, 0));
	assert_int_equal(rx(l, VEC_SIZE), 1);
	rx_done(l);
	assert_int_equal(packet_lost(&l->port), 0);
	lab_destroy(l);
}

static void check_tcp(const struct frame *f, uint32_t payload, uint16_t vid)
{
	static uint8_t got[FRAME_MAX], want[FRAME_MAX];
	struct offload off;
	uint32_t len = make_tcp(want, &guest_mac, &far_mac, payload, vid, &off);

	assert_int_equal(f->drop, DROP_NONE);
	assert_int_equal(f->len, len);
	assert_in_range(f->snap_len, SNAP_MIN - 10, SNAP_MAX);
	assert_int_equal(frame_copy(f, 0, got, f->len), len);
	assert_memory_equal(got, want, len);
	assert_int_equal(f->off.flags, off.flags);
	assert_int_equal(f->off.csum_start, off.csum_start);
	assert_int_equal(f->off.csum_offset, off.csum_offset);
	assert_int_equal(f->off.gso_type, off.gso_type);
	assert_int_equal(f->off.gso_size, off.gso_size);
	if (off.gso_type)
		assert_in_range(f->off.hdr_len, off.hdr_len, f->len);
}

static void takes_long_ones_in_turn(void **state)
{
	static const uint32_t payload[] = {10, BULK, 1448, 20000, 12, BULK, BULK, 0};
	struct lab *l = lab_create(0, ALL);

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		far_send_tcp(l, payload[i], 0);
	assert_int_equal(rx(l, VEC_SIZE), 8);
	for (unsigned i = 0; i < 8; i++)
		check_tcp(&vec.f[i], payload[i], 0);
	rx_done(l);
	assert_int_equal(rx(l, VEC_SIZE), 0);
	/* No more of them in a vector than there are buffers. */
	for (unsigned i = 0; i < RX_BURST + 1; i++)
		far_send_tcp(l, 4000, 0);
	assert_int_equal(rx(l, VEC_SIZE), RX_BURST);
	rx_done(l);
	assert_int_equal(rx(l, VEC_SIZE), 1);
	rx_done(l);
	lab_destroy(l);
}

static void puts_tags_back(void **state)
{
	static const uint32_t payload[] = {10, BULK, 1448, BULK};
	static const uint16_t vid[] = {100, 200, 300, 0};
	struct lab *l = lab_create(0, ALL);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		far_send_tcp(l, payload[i], vid[i]);
	assert_int_equal(rx(l, VEC_SIZE), 4);
	for (unsigned i = 0; i < 4; i++)
		check_tcp(&vec.f[i], payload[i], vid[i]);
	rx_done(l);
	lab_destroy(l);
}

static void counts_what_the_ring_lost(void **state)
{
	struct lab *l = lab_create(0, ALL);
	unsigned n, all = 0;

	(void)state;
	for (uint32_t i = 0; i < PACKET_SLOTS + 100; i++)
		far_send_plain(l, 60, i);
	/* Which was the first of a full ring cannot be known at first: they are given up. */
	assert_int_equal(rx(l, VEC_SIZE), 0);
	far_send_plain(l, 60, 0);
	assert_int_equal(rx(l, VEC_SIZE), 1);
	rx_done(l);
	for (uint32_t i = 0; i < PACKET_SLOTS + 100; i++)
		far_send_plain(l, 60, i);
	for (; (n = rx(l, VEC_SIZE)) > 0; all += n) {
		for (unsigned i = 0; i < n; i++)
			assert_int_equal(number_of(vec.f[i].snap), all + i);
		rx_done(l);
	}
	assert_int_equal(all, PACKET_SLOTS);
	assert_int_equal(packet_lost(&l->port), 200);
	assert_int_equal(packet_lost(&l->port), 200);
	lab_destroy(l);
}

static void drops_what_its_queue_lost(void **state)
{
	enum { MANY = 1000 };
	struct lab *l = lab_create(0, ALL);
	unsigned n, taken = 0, dropped = 0;

	(void)state;
	far_send_tcp(l, BULK, 0);
	assert_int_equal(rx(l, VEC_SIZE), 1);
	rx_done(l);
	for (unsigned i = 0; i < MANY; i++)
		far_send_tcp(l, BULK, 0);
	while ((n = rx(l, VEC_SIZE)) > 0) {
		for (unsigned i = 0; i < n; i++) {
			dropped += vec.f[i].drop == DROP_NO_MEMORY;
			taken += vec.f[i].drop == DROP_NONE;
		}
		rx_done(l);
	}
	assert_int_equal(taken + dropped, MANY);
	assert_in_range(dropped, 1, MANY - 50);
	/* And ring and queue are still in step. */
	far_send_tcp(l, BULK, 0);
	far_send_tcp(l, 20000, 0);
	assert_int_equal(rx(l, VEC_SIZE), 2);
	check_tcp(&vec.f[0], BULK, 0);
	check_tcp(&vec.f[1], 20000, 0);
	rx_done(l);
	lab_destroy(l);
}

static void goes_on_with_a_used_ring(void **state)
{
	struct lab *l = lab_create(0, ALL);
	struct port next = {.queues = 1};
	int sock;

	(void)state;
	for (uint32_t i = 0; i < 7; i++)
		far_send_plain(l, 60, i);
	for (uint32_t i = 0; i < 7; i++)
		far_send_tcp(l, 4000 + i, 0);
	assert_int_equal(rx(l, 3), 3); /* and these are held for ever */
	sock = dup(atomic_load(&l->port.fd[0]));
	assert_int_equal(packet_open(&next), 0);
	assert_int_equal(packet_attach(&next, sock, -1, &nic_mac, ALL), 0);
	assert_int_equal(next.ops->rx(&next, 0, &scratch, &vec, VEC_SIZE), 0);
	far_send_plain(l, 60, 77);
	far_send_tcp(l, BULK, 0);
	assert_int_equal(next.ops->rx(&next, 0, &scratch, &vec, VEC_SIZE), 2);
	assert_int_equal(number_of(vec.f[0].snap), 77);
	check_tcp(&vec.f[1], BULK, 0);
	next.ops->rx_done(&next, 0, &scratch);
	next.ops->close(&next);
	lab_destroy(l);
}

/* --- tx --- */

static void check_segment(uint32_t len, uint16_t vid)
{
	const uint8_t *p = buffer.bytes + VNET, *ip = p + (vid ? 18 : 14);
	uint32_t l4_bytes = len - (uint32_t)(ip + 20 - p);
	uint64_t sum = csum_pseudo(ip + 12, ip + 16, 4, 6, l4_bytes);

	assert_int_equal(csum_fold(csum_add(0, ip, 20)), 0);
	assert_int_equal(csum_fold(csum_add(sum, ip + 20, l4_bytes)), 0);
}

static void sends(void **state)
{
	static uint8_t bytes[FRAME_MAX];
	struct lab *l = lab_create(0, ALL);
	struct offload off, far_off;
	uint32_t len;

	(void)state;
	assert_int_equal(send_plain(l, &far_mac, 5).drop, DROP_NONE);
	assert_int_equal(far_take(l->far), 100);
	assert_int_equal(number_of(buffer.bytes + VNET), 5);

	len = make_tcp(bytes, &far_mac, &guest_mac, BULK, 0, &off);
	assert_int_equal(send_frame(l, bytes, len, &off, (struct tag){0}).drop, DROP_NONE);
	assert_int_equal(far_take(l->far), len);
	assert_memory_equal(buffer.bytes + VNET, bytes, len);
	memcpy(&far_off, buffer.bytes, VNET);
	assert_int_equal(far_off.gso_type, GSO_TCPV4);
	assert_int_equal(far_off.gso_size, MSS);
	assert_int_equal(far_off.csum_start, off.csum_start);

	/* Longer than the MTU of the NIC. */
	make_plain(bytes, &far_mac, &guest_mac, 1600, 0);
	assert_int_equal(send_frame(l, bytes, 1600, NULL, (struct tag){0}).drop, DROP_TOO_BIG);
	lab_destroy(l);
}

/* A tag arrives beside the bytes, at the ring of another port. */
static void sends_tags(void **state)
{
	static uint8_t bytes[FRAME_MAX];
	static const struct tag tag = {0x8100, 0x6123};
	static const uint32_t payload[] = {10, 1446, BULK};
	struct lab *l = lab_create(0, ALL);
	int wire = (int)if_nametoindex("wire"), sock = packet_socket(wire, false, -1);
	struct port peer = {.queues = 1};
	struct offload off;

	(void)state;
	assert_true(sock >= 0);
	assert_int_equal(packet_open(&peer), 0);
	assert_int_equal(packet_attach(&peer, sock, -1, &far_mac, ALL), 0);
	for (unsigned i = 0; i < 3; i++) {
		uint32_t len = make_tcp(bytes, &guest_mac, &far_mac, payload[i], 0, &off);

		assert_int_equal(send_frame(l, bytes, len, &off, tag).drop, DROP_NONE);
		assert_int_equal(peer.ops->rx(&peer, 0, &scratch, &vec, VEC_SIZE), 1);
		check_tcp(&vec.f[0], payload[i], tag.tci);
		peer.ops->rx_done(&peer, 0, &scratch);
	}
	peer.ops->close(&peer);
	lab_destroy(l);
}

static void segments_for_who_cannot(void **state)
{
	static uint8_t bytes[FRAME_MAX];
	struct lab *l = lab_create(0, 0);
	uint32_t len, got, all = 0;
	struct tx_frame t;
	struct offload off;
	unsigned n = 0;

	(void)state;
	len = make_tcp(bytes, &far_mac, &guest_mac, BULK, 0, &off);
	t = send_frame(l, bytes, len, &off, (struct tag){0});
	assert_int_equal(t.drop, DROP_NONE);
	assert_int_equal(t.frames, (BULK + MSS - 1) / MSS);
	for (; (got = far_take(l->far)) > 0; n++, all += got) {
		assert_int_equal(buffer.bytes[0] & OFFLOAD_NEEDS_CSUM, 0);
		check_segment(got, 0);
	}
	assert_int_equal(n, t.frames);
	assert_int_equal(all, t.bytes);
	lab_destroy(l);
}

static void set_tso(const char *ifname, bool on)
{
	struct ethtool_value v = {.cmd = ETHTOOL_STSO, .data = on};
	struct ifreq r = {.ifr_data = (void *)&v};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	assert_int_equal(ioctl(sock, SIOCETHTOOL, &r), 0);
	close(sock);
}

/* The host's own frames come in, and none of ours: not whole, and not the segments that the kernel makes of them. */
static void hears_the_host_but_not_itself(void **state)
{
	static uint8_t bytes[FRAME_MAX];
	struct offload off;
	struct lab *l;
	uint32_t len;
	int host;

	(void)state;
	if (!can_filter())
		skip();
	l = lab_create(OUTGOING | FILTER, ALL);
	host = raw_socket("nic");
	send_plain(l, &far_mac, 1);
	len = make_tcp(bytes, &far_mac, &guest_mac, BULK, 0, &off);
	send_frame(l, bytes, len, &off, (struct tag){0});
	assert_int_equal(rx(l, VEC_SIZE), 0);
	set_tso("nic", false);
	assert_int_equal(send_frame(l, bytes, len, &off, (struct tag){0}).drop, DROP_NONE);
	assert_int_equal(rx(l, VEC_SIZE), 0);
	make_plain(buffer.bytes + VNET, &guest_mac, &nic_mac, 60, 3);
	far_send(host, 60, NULL);
	assert_int_equal(rx(l, VEC_SIZE), 1);
	assert_int_equal(number_of(vec.f[0].snap), 3);
	rx_done(l);
	close(host);
	lab_destroy(l);
}

static void reaches_the_host_by_its_helper(void **state)
{
	struct lab *l = lab_create(HELPER, ALL);

	(void)state;
	assert_int_equal(send_plain(l, &nic_mac, 1).drop, DROP_NONE);
	assert_int_equal(far_take(l->host), 100);
	assert_int_equal(far_take(l->far), 0);
	assert_int_equal(send_plain(l, &far_mac, 2).drop, DROP_NONE);
	assert_int_equal(far_take(l->host), 0);
	assert_int_equal(far_take(l->far), 100);
	assert_int_equal(send_plain(l, &everybody, 3).drop, DROP_NONE);
	assert_int_equal(far_take(l->host), 100);
	assert_int_equal(number_of(buffer.bytes + VNET), 3);
	assert_int_equal(far_take(l->far), 100);
	lab_destroy(l);
}

/* What the helper gives to the NIC is not received as if the wire had sent it. */
static void helper_reflects_nothing(void **state)
{
	struct rtnl *r;
	struct lab *l;
	int program, host;

	(void)state;
	if (!can_filter())
		skip();
	r = rtnl_create();
	assert_non_null(r);
	l = lab_create(OUTGOING | HELPER | FILTER, ALL);
	program = bpf_redirect_into((int)if_nametoindex("nic"));
	assert_true(program >= 0);
	assert_int_equal(tc_ingress(r, (int)if_nametoindex("vhelp"), program), 0);
	close(program);
	host = raw_socket("nic");
	send_plain(l, &nic_mac, 1);
	send_plain(l, &everybody, 2);
	assert_int_equal(far_take(host), 100);
	assert_int_equal(far_take(host), 100);
	assert_int_equal(rx(l, VEC_SIZE), 0);
	close(host);
	lab_destroy(l);
	rtnl_destroy(r);
}

/* --- Links --- */

static void link_goes_and_comes(void **state)
{
	struct lab *l = lab_create(0, ALL);
	struct pollfd watch = {.fd = atomic_load(&l->port.fd[0]), .events = POLLIN};

	(void)state;
	must("ip link set nic down");
	assert_int_equal(send_plain(l, &far_mac, 1).drop, DROP_PORT_DOWN);
	assert_int_equal(rx(l, VEC_SIZE), 0);
	assert_true(l->port.ops->arm(&l->port, 0));
	assert_int_equal(poll(&watch, 1, 0), 0);
	must("ip link set nic up");
	wait_running("wire");
	assert_int_equal(send_plain(l, &far_mac, 2).drop, DROP_NONE);
	far_send_plain(l, 60, 3);
	assert_int_equal(poll(&watch, 1, 0), 1);
	assert_int_equal(rx(l, VEC_SIZE), 1);
	assert_int_equal(number_of(vec.f[0].snap), 3);
	rx_done(l);
	must("ip link del nic");
	assert_int_equal(send_plain(l, &far_mac, 4).drop, DROP_PORT_DOWN);
	assert_int_equal(rx(l, VEC_SIZE), 0);
	lab_destroy(l);
}

static void waits_without_a_socket(void **state)
{
	struct lab l = {.port = {.queues = 1}};

	(void)state;
	assert_int_equal(packet_open(&l.port), 0);
	assert_int_equal(rx(&l, VEC_SIZE), 0);
	rx_done(&l);
	assert_true(l.port.ops->arm(&l.port, 0));
	assert_int_equal(send_plain(&l, &far_mac, 1).drop, DROP_PORT_DOWN);
	assert_int_equal(packet_lost(&l.port), 0);
	packet_detach(&l.port);
	packet_release(&l.port);
	l.port.ops->close(&l.port);
}

static int enter(void **state)
{
	(void)state;
	return scratch_init(&scratch);
}

static int leave(void **state)
{
	(void)state;
	scratch_fini(&scratch);
	return 0;
}

static bool has_namespace(void)
{
	int fd;

	if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return false;
	/* Nothing but what the tests send. */
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, "1", 1);
		close(fd);
	}
	fd = packet_socket(1, false, -1);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

int main(void)
{
	const struct CMUnitTest alone[] = {
		cmocka_unit_test(waits_without_a_socket),
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_without_a_socket),
		cmocka_unit_test(takes_what_comes),
		cmocka_unit_test(takes_long_ones_in_turn),
		cmocka_unit_test(puts_tags_back),
		cmocka_unit_test(counts_what_the_ring_lost),
		cmocka_unit_test(drops_what_its_queue_lost),
		cmocka_unit_test(goes_on_with_a_used_ring),
		cmocka_unit_test(sends),
		cmocka_unit_test(sends_tags),
		cmocka_unit_test(segments_for_who_cannot),
		cmocka_unit_test(hears_the_host_but_not_itself),
		cmocka_unit_test(reaches_the_host_by_its_helper),
		cmocka_unit_test(helper_reflects_nothing),
		cmocka_unit_test(link_goes_and_comes),
	};

	if (!has_namespace())
		return cmocka_run_group_tests(alone, enter, leave);
	return cmocka_run_group_tests(tests, enter, leave);
}
