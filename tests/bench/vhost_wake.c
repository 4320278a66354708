/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost_wake: what an idle switch costs with guests connected, and how soon it has the first frame.
 *
 *   vhost_wake CPU SWITCH_CPU IDLE_SECONDS PID,PID SOCKET SOCKET...
 *
 * One guest a socket.  First nothing is sent for IDLE_SECONDS, and the CPU time of the processes is taken before and after.  Then,
 * ROUNDS times: a pause of PAUSE_US, a frame from the first guest with its kick, and the time until it lies in the memory of
 * the second.  In turn with it the same for the least that can be: a thread on the CPU of the switch that sleeps in
 * epoll_wait() on an eventfd and sets a flag.  Prints key=value; times in us, median and 99th of 100.
 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/lib/front_end.h"

enum {
	ROUNDS = 1000,
	PAUSE_US = 2000,
	GUESTS_MAX = 16,
	RING = 256,
	BUFFER = 2048,
	MEMORY = 4 << 20,
	FRAME = 60,
	SETTLE_MS = 300,
};

/* The least that can be woken. */
struct bare {
	int fd, cpu;
	_Atomic unsigned seen; /* wake-ups so far */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "vhost_wake: %s\n", what);
	exit(1);
}

static void bind_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("no such CPU");
}

/* Time on a CPU of all threads of a process (proc(5), schedstat). */
static uint64_t cpu_ns_of(const char *pid)
{
	char path[300];
	uint64_t sum = 0, ns;
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir))) {
		FILE *f;

		snprintf(path, sizeof(path), "/proc/%s/task/%.20s/schedstat", pid, d->d_name);
		f = d->d_name[0] == '.' ? NULL : fopen(path, "r");
		if (!f)
			continue;
		if (fscanf(f, "%lu", &ns) == 1)
			sum += ns;
		fclose(f);
	}
	if (dir)
		closedir(dir);
	return sum;
}

static uint64_t cpu_ns(const char *pids)
{
	char copy[256], *rest = copy, *pid;
	uint64_t sum = 0;

	snprintf(copy, sizeof(copy), "%s", pids);
	while ((pid = strsep(&rest, ",")))
		sum += cpu_ns_of(pid);
	return sum;
}

static void *bare_main(void *arg)
{
	struct bare *b = arg;
	struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
	int epfd = epoll_create1(EPOLL_CLOEXEC);

	bind_cpu(b->cpu);
	if (epfd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, b->fd, &ev) < 0)
		die("epoll");
	for (;;)
		if (epoll_wait(epfd, &ev, 1, -1) == 1)
			b->seen++;
	return NULL;
}

static double bare_us(struct bare *b)
{
	unsigned before = b->seen;
	uint64_t one = 1, start = now_ns();

	if (write(b->fd, &one, sizeof(one)) < 0)
		die("eventfd");
	while (b->seen == before && now_ns() - start < 1000000000)
		;
	return (double)(now_ns() - start) / 1e3;
}

static struct fe *connect_guest(const char *path)
{
	struct fe *fe = fe_create(MEMORY);
	struct fe_ring *rx, *tx;

	if (!fe || fe_connect(fe, path) < 0 ||
	    fe_negotiate(fe, FE_FEATURES | FEATURE(VIRTIO_NET_F_MRG_RXBUF),
			 FEATURE(VHOST_PROTOCOL_REPLY_ACK)) < 0)
		die("a guest cannot connect");
	rx = fe_ring_add(fe, 0, RING, false, BUFFER);
	tx = fe_ring_add(fe, 1, RING, false, BUFFER);
	if (!rx || !tx || fe_ring_start(rx, false) < 0 || fe_ring_start(tx, false) < 0)
		die("a ring does not start");
	fe_post_rx(rx, RING);
	return fe;
}

/* From the first guest to the second. */
static double frame_us(struct fe **fe)
{
	uint8_t frame[FE_HEADER + FRAME] = {0}, in[BUFFER];
	uint16_t id;
	uint32_t len;
	uint64_t start;

	memset(frame + FE_HEADER, 0xff, 6);
	frame[FE_HEADER + 6] = 0x02;
	frame[FE_HEADER + 12] = 0x08;
	while (fe_reap(fe[0]->ring[1], &id, &len) == 1)
		;
	start = now_ns();
	if (fe_send(fe[0]->ring[1], frame, sizeof(frame), NULL, 0) < 0)
		die("a frame cannot be sent");
	while (fe_receive(fe[1]->ring[0], in, sizeof(in)) == 0)
		if (now_ns() - start > 1000000000)
			die("a frame did not arrive");
	return (double)(now_ns() - start) / 1e3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double wake[ROUNDS], frame[ROUNDS];
	struct fe *fe[GUESTS_MAX];
	int guests = argc - 5;
	uint64_t start, spent;
	struct bare bare;
	double idle;
	pthread_t thread;

	if (guests < 2 || guests > GUESTS_MAX)
		die("CPU SWITCH_CPU IDLE_SECONDS PID,PID SOCKET SOCKET...");
	for (int i = 0; i < guests; i++)
		fe[i] = connect_guest(argv[5 + i]);
	usleep(SETTLE_MS * 1000);
	spent = cpu_ns(argv[4]);
	start = now_ns();
	usleep((unsigned)(atof(argv[3]) * 1e6));
	idle = 100.0 * (double)(cpu_ns(argv[4]) - spent) / (double)(now_ns() - start);
	bare = (struct bare){.fd = eventfd(0, EFD_CLOEXEC), .cpu = atoi(argv[2])};
	if (bare.fd < 0 || pthread_create(&thread, NULL, bare_main, &bare) != 0)
		die("no thread");
	bind_cpu(atoi(argv[1]));
	for (unsigned i = 0; i < ROUNDS; i++) {
		usleep(PAUSE_US);
		wake[i] = bare_us(&bare);
		usleep(PAUSE_US);
		frame[i] = frame_us(fe);
		for (int k = 1; k < guests;
		     k++) { /* it was flooded: every guest gives its buffer back */
			uint8_t in[BUFFER];

			while (fe_receive(fe[k]->ring[0], in, sizeof(in)) > 0)
				;
			fe_post_rx(fe[k]->ring[0], 1);
		}
	}
	qsort(wake, ROUNDS, sizeof(wake[0]), by_value);
	qsort(frame, ROUNDS, sizeof(frame[0]), by_value);
	printf("guests=%d idle_percent=%.3f bare_us=%.1f bare_p99_us=%.1f frame_us=%.1f "
	       "frame_p99_us=%.1f above_us=%.1f\n",
	       guests, idle, wake[ROUNDS / 2], wake[ROUNDS * 99 / 100], frame[ROUNDS / 2],
	       frame[ROUNDS * 99 / 100], frame[ROUNDS / 2] - wake[ROUNDS / 2]);
	return 0;
}
