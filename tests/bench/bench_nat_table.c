/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_nat_table: the session table of the NAT alone, in memory, one thread.  Prints key=value lines; asserts nothing.
 *
 *   bench_nat_table hit N     cycles of a hit (hash, line, guess, find, count) in a table of N sessions, random, vectors of 128
 *   bench_nat_table memory    growth of resident memory over 1 M sessions, each with its own mapping
 *   bench_nat_table churn     new sessions a second while as many expire, and the longest tick
 *   bench_nat_table expire N  N sessions end in one second: the longest tick
 *   bench_nat_table restore N time to make a table again from N records
 *
 * Cycles are those of the time stamp counter, times those of the thread.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "nat/session.h"

enum { VECTOR = 128, VID = 10, OUTSIDE_VID = 4000, PORTS_OF_GUEST = 20000, FIRST_PORT = 2000 };

static const uint64_t SECOND = 1000000000;
static const uint64_t seed[2] = {0x9e3779b97f4a7c15, 0xd1b54a32d192ed03};
static const struct nat_net net = {
	.vid = VID, .sessions = NAT_SESSIONS_MAX, .per_guest = NAT_SESSIONS_MAX};
static uint32_t lifetime_s = 300;
static unsigned n_pool = 256;

static struct ip ip4(uint32_t a)
{
	struct ip ip = {{[10] = 0xff, [11] = 0xff}};

	for (unsigned i = 0; i < 4; i++)
		ip.b[12 + i] = (uint8_t)(a >> (24 - 8 * i));
	return ip;
}

/* Time of this thread: what others do on the machine does not count. */
static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec;
}

static uint32_t lifetime(const struct session *s, void *arg)
{
	(void)s;
	(void)arg;
	return lifetime_s;
}

/* At an address where huge pages of the memfd can be mapped. */
static void *make_region(void)
{
	int fd = memfd_create("nat", MFD_CLOEXEC);
	size_t bytes = session_region_bytes(), huge = 2 << 20;
	uint8_t *room = mmap(NULL, bytes + huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 || room == MAP_FAILED)
		exit(1);
	room += huge - (uintptr_t)room % huge;
	room = mmap(room, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	close(fd);
	return room == MAP_FAILED ? NULL : room;
}

static void configure(struct session_table *t)
{
	struct session_pool pool[NAT_POOL_MAX];

	for (unsigned i = 0; i < n_pool; i++)
		pool[i] = (struct session_pool){ip4(0xcb007100 + i), OUTSIDE_VID};
	session_set_callbacks(t, lifetime, NULL, NULL);
	session_set_pool(t, pool, n_pool);
	session_commit(t);
}

/* The i-th session: every one its own mapping; guests have PORTS_OF_GUEST each. */
static struct session_key key_of(uint32_t i)
{
	return (struct session_key){
		.near = ip4(0x0a000000 + i / PORTS_OF_GUEST),
		.far = ip4(0xc6336400 + i % 251),
		.near_port = (uint16_t)(FIRST_PORT + i % PORTS_OF_GUEST),
		.far_port = 53,
		.side = VID,
		.proto = i & 1 ? PROTO_UDP : PROTO_TCP,
	};
}

static struct session *add_key(struct session_table *t, const struct session_key *k,
			       uint64_t now_ns)
{
	struct session_wish w = {
		.vid = VID,
		.slot = k->near.b[15] % 64,
		.proto = k->proto,
		.kind = NAT_DYNAMIC,
		.state = SESSION_NEW,
		.inside = k->near,
		.remote = k->far,
		.inside_port = k->near_port,
		.remote_port = k->far_port,
		.net = &net,
		.n_places = n_pool,
	};
	struct session *s;
	enum drop why = session_add(t, &w, now_ns, &s);

	if (why == DROP_NONE)
		return s;
	fprintf(stderr, "bench_nat_table: a new session: %s\n", drop_word(why));
	exit(1);
}

static struct session *add(struct session_table *t, uint32_t i, uint64_t now_ns)
{
	struct session_key k = key_of(i);

	return add_key(t, &k, now_ns);
}

static struct session_table *make(void)
{
	struct session_table *t = session_table_create(make_region(), true, SECOND, seed);

	if (!t)
		exit(1);
	configure(t);
	return t;
}

static uint64_t hit_vector(struct session_table *t, enum nat_way way, const struct session_key *k)
{
	uint64_t hash[VECTOR], start = __rdtsc();
	const void *line[VECTOR];
	uint32_t guess[VECTOR];
	unsigned missed = 0;

	for (unsigned i = 0; i < VECTOR; i++) {
		hash[i] = session_hash(t, &k[i]);
		line[i] = session_line(t, way, hash[i]);
	}
	for (unsigned i = 0; i < VECTOR; i++)
		guess[i] = session_guess(t, way, line[i], hash[i]);
	for (unsigned i = 0; i < VECTOR; i++) {
		struct session *s = session_find(t, way, &k[i], hash[i], guess[i], 1);

		if (s)
			s->rx_frames++;
		missed += !s;
	}
	if (missed)
		exit(1);
	return __rdtsc() - start;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void hit(uint32_t n)
{
	enum { ROUNDS = 20001 };
	struct session_table *t = make();
	struct session_key *in = malloc(n * sizeof(*in));
	static uint64_t cycles[2][ROUNDS];

	if (!in)
		exit(1);
	for (uint32_t i = 0; i < n; i++) {
		struct session *s = add(t, i, SECOND);

		if (i % 65536 == 0)
			session_table_touch(t);
		in[i] = key_of(i);
		in[i].near = session_outside(t, s)->ip;
		in[i].near_port = s->outside_port;
		in[i].side = OUTSIDE_VID;
	}
	session_tick(t, SECOND);
	for (unsigned r = 0; r < ROUNDS; r++) {
		struct session_key k[2][VECTOR];

		for (unsigned i = 0; i < VECTOR; i++) {
			k[0][i] = key_of((uint32_t)(random() % n));
			k[1][i] = in[random() % n];
		}
		cycles[0][r] = hit_vector(t, NAT_OUT, k[0]);
		cycles[1][r] = hit_vector(t, NAT_IN, k[1]);
	}
	for (unsigned i = 0; i < 2; i++)
		qsort(cycles[i], ROUNDS, sizeof(cycles[i][0]), by_value);
	for (unsigned i = 0; i < 2; i++)
		printf("bench=nat_table_hit way=%s sessions=%u cycles_min=%.1f cycles_median=%.1f "
		       "cycles_p99=%.1f\n",
		       i == 0 ? "out" : "in", n, (double)cycles[i][0] / VECTOR,
		       (double)cycles[i][ROUNDS / 2] / VECTOR,
		       (double)cycles[i][ROUNDS * 99 / 100] / VECTOR);
}

static uint64_t resident(void)
{
	unsigned long size = 0, pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f || fscanf(f, "%lu %lu", &size, &pages) != 2)
		exit(1);
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void memory(void)
{
	enum { N = 1000000 };
	struct session_table *t;
	uint64_t before, start, took, longest = 0;

	n_pool = 16; /* two protocols: half of the ports are in use */
	t = make();
	before = resident();
	for (uint32_t i = 0; i < N; i++) {
		start = now();
		add(t, i, SECOND);
		took = now() - start;
		if (took > longest)
			longest = took;
	}
	printf("bench=nat_table_memory sessions=%u bytes_a_session=%.1f longest_add_us=%.1f\n", N,
	       (double)(resident() - before) / N, (double)longest / 1000);
}

static uint64_t tick(struct session_table *t, uint64_t now_ns, uint64_t *longest)
{
	uint64_t start = now(), next = session_tick(t, now_ns), took = now() - start;

	if (took > *longest)
		*longest = took;
	return next;
}

/* As nat.c does for each packet of a vector before it learns that there is no session. */
static void seek(struct session_table *t, const struct session_key *k, uint32_t n)
{
	uint64_t hash[VECTOR];
	const void *line[VECTOR];

	for (uint32_t i = 0; i < n; i++) {
		hash[i] = session_hash(t, &k[i]);
		line[i] = session_line(t, NAT_OUT, hash[i]);
	}
	for (uint32_t i = 0; i < n; i++)
		if (session_guess(t, NAT_OUT, line[i], hash[i]) == SESSION_NONE)
			session_expect(t, &k[i]);
}

/* Sessions begin at 2.5 M a second of the table's clock and live one; a loop of a worker is 64 of them and, if it wants
 * one, a tick.  Measured by the second, when as many end as begin. */
static void churn(void)
{
	enum { A_LOOP = 64, A_SECOND = 2500000 / A_LOOP * A_LOOP, WARM = 6, ROUNDS = 11 };
	struct session_table *t = make();
	struct session_key k[A_LOOP];
	uint64_t clock = SECOND, next = 2 * SECOND, longest = 0, spent[ROUNDS];
	uint32_t n = 0;

	lifetime_s = 1;
	for (uint32_t r = 0; r < WARM + ROUNDS; r++) {
		uint64_t start = now();

		if (r == WARM)
			longest = 0;
		for (uint32_t i = 0; i < A_SECOND; i += A_LOOP) {
			for (uint32_t j = 0; j < A_LOOP; j++)
				k[j] = key_of(n++);
			seek(t, k, A_LOOP);
			for (uint32_t j = 0; j < A_LOOP; j++)
				add_key(t, &k[j], clock);
			clock += A_LOOP * SECOND / A_SECOND;
			if (clock >= next)
				next = tick(t, clock, &longest);
		}
		if (r >= WARM)
			spent[r - WARM] = now() - start;
	}
	qsort(spent, ROUNDS, sizeof(spent[0]), by_value);
	printf("bench=nat_table_churn live=%u adds_a_second_max=%.0f adds_a_second_median=%.0f "
	       "longest_tick_us=%.1f\n",
	       session_counts_all(t).sessions, A_SECOND * 1e9 / (double)spent[0],
	       A_SECOND * 1e9 / (double)spent[ROUNDS / 2], (double)longest / 1000);
}

/* All sessions expire in the same second. */
static void expire(uint32_t n)
{
	struct session_table *t = make();
	uint64_t clock = SECOND, start, longest = 0, ticks = 0;

	for (uint32_t i = 0; i < n; i++)
		add(t, i, clock);
	clock += 3600 * SECOND;
	start = now();
	for (; tick(t, clock, &longest) <= clock; ticks++)
		;
	printf("bench=nat_table_expire sessions=%u left=%u ticks=%lu ns_a_session=%.1f "
	       "longest_tick_us=%.1f\n",
	       n, session_counts_all(t).sessions, (unsigned long)ticks, (double)(now() - start) / n,
	       (double)longest / 1000);
}

static void restore(uint32_t n)
{
	void *region = make_region();
	struct session_table *t = session_table_create(region, true, SECOND, seed);
	uint64_t start;

	configure(t);
	for (uint32_t i = 0; i < n; i++)
		add(t, i, SECOND);
	session_table_destroy(t);
	start = now();
	t = session_table_create(region, false, SECOND, seed);
	printf("bench=nat_table_restore sessions=%u restored=%u ms=%.1f\n", n,
	       session_counts_all(t).sessions, (double)(now() - start) / 1e6);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000000;

	srandom(1);
	if (argc > 1 && strcmp(argv[1], "hit") == 0)
		hit(n);
	else if (argc > 1 && strcmp(argv[1], "memory") == 0)
		memory();
	else if (argc > 1 && strcmp(argv[1], "churn") == 0)
		churn();
	else if (argc > 1 && strcmp(argv[1], "expire") == 0)
		expire(n);
	else if (argc > 1 && strcmp(argv[1], "restore") == 0)
		restore(n);
	else
		return 2;
	return 0;
}
