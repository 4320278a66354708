/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet_cross: all that comes in by one port leaves by the other, without a switch between: what the port of an interface
 * uplink costs, and the most that it carries.
 *
 *   packet_cross A B SECONDS        A, B: an interface of this namespace, or tap:NAME, which is made
 *
 *      sender -- veth -- [ A  packet_cross  B ] -- veth -- receiver
 *
 * It rests as a worker does: 50 us of polling after the last frame, then epoll.  Prints one line for each port when it ends:
 *   port  rx_frames  vector (frames of one, on average)  rx_cycles  tx_cycles (both of a frame; what the kernel does in the call
 *   included, with the receiver's stack behind a veth)  lost (by the ring)  dropped
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <x86intrin.h>

#include "bridge/packet.h"
#include "bridge/packet_socket.h"
#include "switch/base/loop.h"
#include "switch/port/gso.h"
#include "switch/port/scratch.h"
#include "switch/port/tap.h"

enum {
	IDLE_NS = 50000,
	LOOK_MS = 100,
	VNET_BYTES = 12,
	ALL = CAN_CSUM | CAN_TSO4 | CAN_TSO6 | CAN_ECN,
};

struct side {
	struct port port;
	uint64_t rx_frames, vectors, rx_cycles, tx_frames, tx_cycles, dropped;
};

static struct side side[2];
static struct scratch scratch;
static struct vec vec;

static void die(const char *what, int error)
{
	fprintf(stderr, "packet_cross: %s: %s\n", what, strerror(error));
	exit(1);
}

static void open_tap(struct port *p, const char *name)
{
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), bytes = VNET_BYTES;

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETVNETHDRSZ, &bytes) < 0 ||
	    ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) < 0)
		die(name, errno);
	if (tap_open(p) < 0)
		die(name, ENOMEM);
	tap_attach(p, &fd, 1, ALL);
}

static void open_interface(struct port *p, const char *name)
{
	static const struct mac nobody = {{0x02}};
	int ifindex = (int)if_nametoindex(name), sock = packet_socket(ifindex, false, -1);
	int rc = sock < 0 ? sock : packet_promisc(sock, ifindex, true);

	if (rc == 0)
		rc = packet_open(p);
	if (rc == 0)
		rc = packet_attach(p, sock, -1, &nobody, ALL);
	if (rc < 0)
		die(name, -rc);
}

static void open_side(struct side *s, const char *what, int epfd, uint32_t number)
{
	struct epoll_event ev = {.data.u32 = number};

	s->port.queues = 1;
	snprintf(s->port.name, sizeof(s->port.name), "%s", what);
	if (strncmp(what, "tap:", 4) == 0)
		open_tap(&s->port, what + 4);
	else
		open_interface(&s->port, what);
	ev.events = s->port.ops->arm ? EPOLLIN | EPOLLET : EPOLLIN;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, atomic_load(&s->port.fd[0]), &ev) < 0)
		die(what, errno);
}

/* One vector from one side to the other; its frames. */
static unsigned cross(struct side *from, struct side *to)
{
	static struct tx_frame t[VEC_SIZE];
	uint64_t start = __rdtsc(), taken, sent;
	unsigned n = from->port.ops->rx(&from->port, 0, &scratch, &vec, VEC_SIZE), good = 0;

	if (n == 0)
		return 0;
	taken = __rdtsc();
	for (unsigned i = 0; i < n; i++) {
		struct frame *f = &vec.f[i];

		if (f->drop == DROP_NONE && (f->off.flags || f->off.gso_type))
			f->drop = (uint8_t)frame_check_offload(f);
		if (f->drop == DROP_NONE)
			t[good++] = (struct tx_frame){.f = f, .frames = 1};
	}
	to->port.ops->tx(&to->port, 0, &scratch, t, good);
	sent = __rdtsc();
	if (from->port.ops->rx_done)
		from->port.ops->rx_done(&from->port, 0, &scratch);
	from->dropped += n - good;
	for (unsigned i = 0; i < good; i++)
		to->dropped += t[i].drop != DROP_NONE;
	from->rx_frames += n;
	from->vectors++;
	from->rx_cycles += taken - start + __rdtsc() - sent;
	to->tx_frames += good;
	to->tx_cycles += sent - taken;
	return n;
}

static bool may_sleep(void)
{
	bool all = true;

	for (unsigned i = 0; i < 2; i++)
		if (side[i].port.ops->arm && !side[i].port.ops->arm(&side[i].port, 0))
			all = false;
	return all;
}

static void run(int epfd, uint64_t end_ns)
{
	uint64_t now_ns = clock_ns(), last_ns = now_ns;
	struct epoll_event ev;

	for (; now_ns < end_ns; now_ns = clock_ns()) {
		unsigned n = cross(&side[0], &side[1]) + cross(&side[1], &side[0]);

		if (n > 0)
			last_ns = now_ns;
		else if (now_ns - last_ns > IDLE_NS && may_sleep())
			epoll_wait(epfd, &ev, 1, LOOK_MS);
	}
}

static void print(struct side *s)
{
	bool has_ring = strncmp(s->port.name, "tap:", 4) != 0;

	printf("port=%s rx_frames=%lu vector=%.1f rx_cycles=%lu tx_cycles=%lu lost=%lu "
	       "dropped=%lu\n",
	       s->port.name, s->rx_frames,
	       s->vectors ? (double)s->rx_frames / (double)s->vectors : 0.0,
	       s->rx_frames ? s->rx_cycles / s->rx_frames : 0,
	       s->tx_frames ? s->tx_cycles / s->tx_frames : 0, has_ring ? packet_lost(&s->port) : 0,
	       s->dropped);
	s->port.ops->close(&s->port);
}

int main(int argc, char **argv)
{
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 4) {
		fprintf(stderr, "usage: packet_cross A B SECONDS\n");
		return 2;
	}
	if (epfd < 0 || scratch_init(&scratch) < 0)
		die("no memory", ENOMEM);
	for (unsigned i = 0; i < 2; i++)
		open_side(&side[i], argv[1 + i], epfd, i);
	puts("ready");
	fflush(stdout);
	run(epfd, clock_ns() + strtoul(argv[3], NULL, 10) * UINT64_C(1000000000));
	print(&side[0]);
	print(&side[1]);
	scratch_fini(&scratch);
	return 0;
}
