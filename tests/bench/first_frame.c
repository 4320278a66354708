/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * first_frame: how long from the start of a switch to the first frame that it forwards.
 *
 *   first_frame NS_A IFNAME_A NS_B IFNAME_B -- COMMAND [ARG...]
 *
 * Runs COMMAND and sends a broadcast of EtherType 0x88b6 (IEEE 802 local experimental 2) on A each PERIOD_NS, until B
 * receives one; then ends COMMAND with SIGTERM.  NS_x: path of a network namespace, "-" for its own.  Prints
 * key=value: ms to both devices being there, ms to the frame, ms of the end; status 1 when nothing came in LIMIT_NS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NS = 200000, ETYPE = 0x88b6, FRAME_BYTES = 60, ARGS = 6 };

#define SECOND_NS 1000000000ULL
#define LIMIT_NS  (20 * SECOND_NS)

struct end {
	const char *ifname;
	int fd;
	bool is_bound;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

static double ms_since(uint64_t start)
{
	return (double)(now_ns() - start) / 1e6;
}

/* A packet socket of that namespace, for a device that need not be there yet. */
static int open_end(struct end *e, const char *ns, const char *ifname, int home)
{
	e->ifname = ifname;
	if (strcmp(ns, "-") != 0) {
		int fd = open(ns, O_RDONLY | O_CLOEXEC), failed;

		if (fd < 0)
			return -1;
		failed = setns(fd, CLONE_NEWNET);
		close(fd);
		if (failed)
			return -1;
	}
	e->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	return e->fd < 0 || setns(home, CLONE_NEWNET) < 0 ? -1 : 0;
}

static void try_bind(struct end *e)
{
	struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETYPE)};
	struct ifreq req = {0};

	strncpy(req.ifr_name, e->ifname, IFNAMSIZ - 1);
	if (ioctl(e->fd, SIOCGIFINDEX, &req) < 0)
		return;
	ll.sll_ifindex = req.ifr_ifindex;
	e->is_bound = bind(e->fd, (struct sockaddr *)&ll, sizeof(ll)) == 0;
}

/* A device that changes its namespace takes its packet sockets' binding with it: ENODEV, ENXIO, ENETDOWN. */
static void check_lost(struct end *e, ssize_t result)
{
	if (result < 0 && errno != EAGAIN && errno != ENETDOWN && errno != ENOBUFS)
		e->is_bound = false;
}

static bool exchange(struct end *a, struct end *b)
{
	uint8_t out[FRAME_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
				    0,	  0,	0,    0,    0xa1, 0x88, 0xb6};
	uint8_t in[FRAME_BYTES];
	ssize_t got;

	if (!a->is_bound)
		try_bind(a);
	if (!b->is_bound)
		try_bind(b);
	if (!a->is_bound || !b->is_bound)
		return false;
	check_lost(a, send(a->fd, out, sizeof(out), 0));
	got = recv(b->fd, in, sizeof(in), 0);
	check_lost(b, got);
	return got == sizeof(in) && memcmp(in, out, sizeof(in)) == 0;
}

static pid_t start(char **command)
{
	pid_t pid = fork();

	if (pid == 0) {
		execvp(command[0], command);
		perror(command[0]);
		_exit(127);
	}
	return pid;
}

int main(int argc, char **argv)
{
	struct timespec period = {.tv_nsec = PERIOD_NS};
	struct end a = {0}, b = {0};
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), status = 0;
	double devices_ms = -1, frame_ms = -1;
	uint64_t began;
	pid_t pid;

	if (argc <= ARGS || strcmp(argv[5], "--") != 0) {
		fprintf(stderr, "usage: first_frame NS_A IF_A NS_B IF_B -- COMMAND [ARG...]\n");
		return 2;
	}
	if (open_end(&a, argv[1], argv[2], home) < 0 || open_end(&b, argv[3], argv[4], home) < 0) {
		perror("first_frame");
		return 1;
	}
	began = now_ns();
	pid = start(argv + ARGS);
	while (pid > 0 && now_ns() - began < LIMIT_NS && waitpid(pid, &status, WNOHANG) == 0) {
		if (exchange(&a, &b)) {
			frame_ms = ms_since(began);
			break;
		}
		if (devices_ms < 0 && a.is_bound && b.is_bound)
			devices_ms = ms_since(began);
		nanosleep(&period, NULL);
	}
	began = now_ns();
	if (frame_ms >= 0 || (pid > 0 && kill(pid, 0) == 0)) {
		kill(pid, SIGTERM);
		waitpid(pid, &status, 0);
	}
	printf("devices_ms=%.1f first_frame_ms=%.1f end_ms=%.1f status=%d\n", devices_ms, frame_ms,
	       ms_since(began), WIFEXITED(status) ? WEXITSTATUS(status) : -1);
	return frame_ms < 0;
}
