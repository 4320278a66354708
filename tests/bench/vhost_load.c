/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost_load: guests that saturate a switch through vhost-user, all driven by one thread (tests/lib/load_station.h).
 *
 *   vhost_load [options] SOCKET SOCKET...         one guest each; every guest sends to all others, in turn
 *   vhost_load --copy CPU [options]               no switch: a thread there copies between the rings of two guests
 *     --listen          waits for the back-end at the sockets instead of connecting to them
 *     --packed          packed rings instead of split ones         --no-in-order    IN_ORDER is not accepted
 *     --size BYTES      of a frame with the FCS, whose 4 bytes no virtual port carries: 64 is 60 bytes in memory
 *     --tso             TCP segments of 64 KiB with the header instead
 *     --ring N  --batch N  --rx-buffer BYTES        descriptors, frames; powers of 2 but for the batch
 *     -n MACS           so many pairs of addresses a guest, each frame of a random one
 *     --tag GUEST=VID   guest GUEST, from 0, is behind a trunk: its frames carry a tag
 *     --seconds S  --cpu N
 *     --watch TID,TID   threads of the switch, whose time on a CPU is told
 *     --fifo            this thread and those run before all others while it measures: for shared machines
 *     --verify          numbers and fills every frame, compares it on arrival; slow
  *     --no-touch        does not write and read the lines of a frame (--tso: writes all, reads the first of a buffer)
 *
 * Addresses are learned first, by broadcasts.  Prints one line of key=value:
 *   sent received seconds mpps (received by all guests)   tsc_mhz (measured)   in_order (as agreed)
 *   gen_busy   share of the time in turns of the loop that moved a frame
 *   waited     share of the time in which the thread had no CPU though it wanted it: above 0.01 the sample is void
 *   full       share of looks at a transmit ring that found no room for a batch: near 1, the switch is what limits
 *   odd        frames received that are not of the load's length
 *   switch_cpu with --watch: CPUs that those threads were on
 *   cycles     with --copy: of the thread that copies, a frame
 * and with --verify: lost misdelivered disorder (older than the one of the same sender before, or that again) corrupt
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "tests/lib/copy_device.h"
#include "tests/lib/load_station.h"

enum {
	FCS = 4,
	SIZE_MIN = 64,
	PAGE = 4096,
	TSO_TX_RING = 64, /* 32 segments under way: as much as a window of TCP */
	TSO_TX_BATCH = 4,
	RANDOM_MAX = 65536,
	WARM_MS = 300,
	SETTLE_MS = 30,
	THREAD_SIZE = 16,
	ANNOUNCE_US = 50, /* between two addresses, so that a slow path keeps up */
};

#define START_NS 5000000000ULL

static struct {
	bool listens, no_in_order, verifies, is_fifo;
	uint32_t size, ring, batch, macs;
	double seconds;
	int cpu, copy; /* -1: any; none */
	const char *watched;
} opt = {.size = 64, .ring = 1024, .batch = 64, .macs = 1, .seconds = 1, .cpu = -1, .copy = -1};

static struct load load = {.is_touched = true, .rx_buffer = STATION_ROOM};
static struct station station[STATIONS_MAX];
static struct copy_device *copier; /* --copy */
static uint64_t tsc_hz;

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("vhost_load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

/* Time. */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static uint64_t find_tsc_hz(void)
{
	uint64_t ns = now_ns(), tsc = __rdtsc();

	while (now_ns() - ns < 20000000)
		;
	tsc = __rdtsc() - tsc;
	return (uint64_t)((double)tsc * 1e9 / (double)(now_ns() - ns));
}

/* Of a thread: time on a CPU, and time in which it was ready to run and did not; 0 where the kernel does not say. */
static void add_times(const char *thread, uint64_t *ran, uint64_t *waited)
{
	unsigned long long a = 0, b = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", thread);
	f = fopen(path, "r");
	if (!f)
		return;
	if (fscanf(f, "%llu %llu", &a, &b) == 2) {
		*ran += a;
		*waited += b;
	}
	fclose(f);
}

/* The first of a list of threads, and where the others begin; NULL: the list is empty. */
static const char *next_watched(const char *list, char thread[static THREAD_SIZE])
{
	int n;

	if (!list || sscanf(list, "%15[0-9]%n", thread, &n) != 1)
		return NULL;
	return list + n + (list[n] == ',');
}

static void set_policy(int policy)
{
	struct sched_param param = {.sched_priority = policy == SCHED_FIFO};
	char thread[THREAD_SIZE];

	/* The kernel leaves others a little of each second. */
	for (const char *p = opt.watched; (p = next_watched(p, thread)) != NULL;)
		sched_setscheduler(atoi(thread), policy, &param);
	sched_setscheduler(0, policy, &param);
}

/* A moment of the measurement. */
struct moment {
	uint64_t ns, tsc;
	uint64_t waited, switch_ran; /* this thread; those that are watched */
	uint64_t spent, copied;	     /* --copy */
};

static struct moment take_moment(void)
{
	struct moment m = {0};
	uint64_t other = 0;
	char thread[THREAD_SIZE];

	add_times("thread-self", &other, &m.waited);
	for (const char *p = opt.watched; (p = next_watched(p, thread)) != NULL;)
		add_times(thread, &m.switch_ran, &other);
	if (copier)
		copy_device_read(copier, &m.spent, &m.copied);
	m.ns = now_ns();
	m.tsc = __rdtsc();
	return m;
}

/* Running. */

/* For so many TSC cycles; those of the turns that moved something. */
static uint64_t run(uint64_t cycles, bool sends)
{
	uint64_t start = __rdtsc(), last = start, busy = 0;

	while (last - start < cycles) {
		unsigned moved = 0;
		uint64_t now;

		for (unsigned i = 0; i < load.stations; i++)
			moved += station_turn(&station[i], sends);
		now = __rdtsc();
		if (moved)
			busy += now - last;
		last = now;
	}
	return busy;
}

/* Receives until nothing comes. */
static void drain(void)
{
	while (run(tsc_hz / 1000 * SETTLE_MS, false) > 0)
		;
}

/* Every address of every guest is heard of. */
static void learn(void)
{
	for (unsigned f = 0; f < load.flows; f++) {
		for (unsigned i = 0; i < load.stations; i++) {
			uint64_t start = now_ns();

			/* A switch may be slow to find out that it has a guest. */
			while (!station_announce(&station[i], f) && now_ns() - start < START_NS)
				run(tsc_hz / 1000 * SETTLE_MS, false);
			if (now_ns() - start >= START_NS)
				die("the switch takes no frames");
			run(tsc_hz / 1000000 * ANNOUNCE_US, false);
		}
	}
	drain();
	for (unsigned i = 0; i < load.stations; i++)
		station_refill(&station[i]);
}

static struct station_counts sum_counts(void)
{
	struct station_counts sum = {0};

	for (unsigned i = 0; i < load.stations; i++) {
		const struct station_counts *c = &station[i].count;

		sum.sent += c->sent;
		sum.received += c->received;
		sum.odd += c->odd;
		sum.looks += c->looks;
		sum.full += c->full;
		sum.misdelivered += c->misdelivered;
		sum.disorder += c->disorder;
		sum.corrupt += c->corrupt;
	}
	return sum;
}

static void print(const struct moment *a, const struct moment *b, uint64_t busy)
{
	struct station_counts sum = sum_counts();
	double ns = (double)(b->ns - a->ns), tsc = (double)(b->tsc - a->tsc);

	printf("sent=%llu received=%llu seconds=%.3f mpps=%.3f tsc_mhz=%.1f in_order=%d "
	       "gen_busy=%.3f waited=%.4f full=%.3f odd=%llu",
	       (unsigned long long)sum.sent, (unsigned long long)sum.received, ns / 1e9,
	       (double)sum.received / ns * 1e3, tsc / ns * 1e3, station[0].is_in_order,
	       (double)busy / tsc, (double)(b->waited - a->waited) / ns,
	       sum.looks ? (double)sum.full / (double)sum.looks : 0, (unsigned long long)sum.odd);
	if (opt.watched)
		printf(" switch_cpu=%.4f", (double)(b->switch_ran - a->switch_ran) / ns);
	if (b->copied > a->copied)
		printf(" cycles=%.1f",
		       (double)(b->spent - a->spent) / (double)(b->copied - a->copied));
	if (opt.verifies)
		printf(" lost=%lld misdelivered=%llu disorder=%llu corrupt=%llu",
		       (long long)(sum.sent - sum.received), (unsigned long long)sum.misdelivered,
		       (unsigned long long)sum.disorder, (unsigned long long)sum.corrupt);
	putchar('\n');
}

static void measure(void)
{
	struct moment start, end;
	uint64_t busy;

	if (opt.is_fifo)
		set_policy(SCHED_FIFO);
	if (!opt.verifies)
		run(tsc_hz / 1000 * WARM_MS, true);
	for (unsigned i = 0; i < load.stations; i++) {
		station[i].count = (struct station_counts){0};
		station[i].checks = opt.verifies;
	}
	start = take_moment();
	busy = run((uint64_t)(opt.seconds * (double)tsc_hz), true);
	end = take_moment();
	if (opt.is_fifo)
		set_policy(SCHED_OTHER);
	if (opt.verifies)
		drain();
	print(&start, &end, busy);
}

/* Set-up. */

static void attach_all(char **path)
{
	for (unsigned i = 0; i < load.stations && opt.listens; i++) {
		int err = fe_listen(station[i].fe, path[i]);

		if (err < 0)
			die("%s: %s", path[i], strerror(-err));
	}
	for (unsigned i = 0; i < load.stations; i++) {
		int err =
			opt.listens ? fe_accept(station[i].fe) : fe_connect(station[i].fe, path[i]);

		if (err == 0)
			err = station_start(&station[i], !opt.no_in_order);
		if (err < 0)
			die("%s: %s (offered: %#llx)", path[i], strerror(-err),
			    (unsigned long long)station[i].fe->offered);
	}
}

static void start_copying(void)
{
	struct fe_ring *from[] = {station[0].out, station[1].out};
	struct fe_ring *to[] = {station[1].in, station[0].in};

	if (load.is_packed)
		die("only split rings are copied");
	station[0].is_in_order = station[1].is_in_order = true;
	if (opt.is_fifo) /* which the thread inherits */
		set_policy(SCHED_FIFO);
	copier = copy_device_start(from, to, 2, opt.batch, opt.copy);
	if (!copier)
		die("no thread: %s", strerror(errno));
}

static bool is_power(uint32_t n)
{
	return n > 0 && (n & (n - 1)) == 0;
}

static bool take_tag(const char *text)
{
	unsigned guest, vid;

	if (sscanf(text, "%u=%u", &guest, &vid) != 2 || guest >= STATIONS_MAX)
		return false;
	load.vid[guest] = vid;
	return vid > 0 && vid < 4095;
}

static bool take_option(int c)
{
	switch (c) {
	case 'l':
		return opt.listens = true;
	case 'p':
		return load.is_packed = true;
	case 'o':
		return opt.no_in_order = true;
	case 't':
		return load.is_tso = true;
	case 'v':
		return opt.verifies = true;
	case 'f':
		return opt.is_fifo = true;
	case 'T':
		load.is_touched = false;
		return true;
	case 's':
		opt.size = (uint32_t)atoi(optarg);
		return opt.size >= SIZE_MIN && opt.size <= STATION_ROOM - FE_HEADER;
	case 'r':
		opt.ring = (uint32_t)atoi(optarg);
		return is_power(opt.ring) && opt.ring >= 16 && opt.ring <= 32768;
	case 'b':
		opt.batch = (uint32_t)atoi(optarg);
		return opt.batch > 0 && opt.batch <= STATION_BATCH_MAX;
	case 'R':
		load.rx_buffer = (uint32_t)atoi(optarg);
		return is_power(load.rx_buffer) && load.rx_buffer >= STATION_ROOM &&
		       load.rx_buffer <= STATION_TSO_BYTES;
	case 'n':
		opt.macs = (uint32_t)atoi(optarg);
		return opt.macs > 0 && opt.macs <= RANDOM_MAX;
	case 'g':
		return take_tag(optarg);
	case 'S':
		opt.seconds = atof(optarg);
		return opt.seconds > 0;
	case 'w':
		opt.watched = optarg;
		return true;
	case 'c':
		opt.cpu = atoi(optarg);
		return opt.cpu >= 0 && opt.cpu < CPU_SETSIZE;
	case 'C':
		opt.copy = atoi(optarg);
		return opt.copy >= 0 && opt.copy < CPU_SETSIZE;
	default:
		return false;
	}
}

/* What follows from several options. */
static void make_load(void)
{
	load.bytes = load.is_tso ? STATION_TSO_BYTES - FE_HEADER : opt.size - FCS;
	for (unsigned i = 0; i < load.stations; i++) {
		/* Long frames are of the length asked for where they carry a tag, so shorter where they do not. */
		if (load.vid[i] && load.bytes > SIZE_MIN) {
			load.bytes -= LOAD_TAG;
			break;
		}
	}
	if (load.is_tso && load.rx_buffer < PAGE)
		load.rx_buffer = PAGE;
	else if (!load.is_tso)
		load.rx_buffer = STATION_ROOM;
	load.rx_ring = opt.ring;
	load.tx_ring = load.is_tso ? TSO_TX_RING : opt.ring;
	load.rx_batch = opt.batch;
	load.tx_batch = load.is_tso ? TSO_TX_BATCH : opt.batch;
	if (load.tx_batch > load.tx_ring / 2)
		load.tx_batch = load.tx_ring / 2;
	load.is_random = opt.macs > 1;
	load.flows = opt.macs > load.stations - 1 ? opt.macs : load.stations - 1;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("CPU %d: %s", cpu, strerror(errno));
}

static int usage(void)
{
	fputs("usage: vhost_load [--listen] [--packed] [--no-in-order] [--size BYTES | --tso] "
	      "[--ring N]\n"
	      "                  [--batch N] [--rx-buffer BYTES] [-n MACS] [--tag GUEST=VID]...\n"
	      "                  [--seconds S] [--cpu N] [--watch TID,... [--fifo]] [--verify] "
	      "[--no-touch]\n"
	      "                  SOCKET SOCKET... | --copy CPU\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"listen", 0, NULL, 'l'},
		{"packed", 0, NULL, 'p'},
		{"no-in-order", 0, NULL, 'o'},
		{"size", 1, NULL, 's'},
		{"tso", 0, NULL, 't'},
		{"ring", 1, NULL, 'r'},
		{"batch", 1, NULL, 'b'},
		{"tag", 1, NULL, 'g'},
		{"seconds", 1, NULL, 'S'},
		{"cpu", 1, NULL, 'c'},
		{"verify", 0, NULL, 'v'},
		{"no-touch", 0, NULL, 'T'},
		{"rx-buffer", 1, NULL, 'R'},
		{"copy", 1, NULL, 'C'},
		{"fifo", 0, NULL, 'f'},
		{"watch", 1, NULL, 'w'},
		{NULL, 0, NULL, 0},
	};
	uint64_t sink = 0;

	for (int c; (c = getopt_long(argc, argv, "n:", options, NULL)) != -1;)
		if (!take_option(c))
			return usage();
	load.stations = (unsigned)(argc - optind);
	if (opt.copy >= 0 && load.stations == 0)
		load.stations = 2;
	else if (opt.copy >= 0 || load.stations < 2 || load.stations > STATIONS_MAX)
		return usage();
	make_load();
	if (opt.cpu >= 0)
		pin(opt.cpu);
	for (unsigned i = 0; i < load.stations; i++)
		if (station_init(&station[i], &load, i) < 0)
			die("no memory");
	if (opt.copy < 0)
		attach_all(argv + optind);
	for (unsigned i = 0; i < load.stations; i++)
		station_open(&station[i]);
	if (opt.copy >= 0)
		start_copying();
	tsc_hz = find_tsc_hz();
	learn();
	measure();
	if (copier)
		copy_device_stop(copier);
	for (unsigned i = 0; i < load.stations; i++) {
		sink += station[i].sink;
		station_fini(&station[i]);
	}
	return sink == 1; /* the compiler must not know that nobody needs it */
}
