/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_nat: the NAT in memory, between two fake ports, 64-byte UDP frames of random sessions.  Prints key=value lines;
 * asserts nothing.
 *
 *   bench_nat [hit] [new] [memory] [expire]      all of them without an argument
 *
 *   hit      cycles a frame through the NAT at 64 K, 1 M and 10 M sessions, and those of plain switching of such frames
 *   new      new sessions a second, while as many expire; also by the processor's time that it took, if others run
 *   memory   growth of resident memory over 1 M sessions, each with a mapping of its own
 *   expire   10 M sessions that end while others pass: the longest turn, and frames lost
 *
 * inside: 10.0.0.0/9 behind port in; outside: one next hop behind port wan, 16 addresses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "switch/base/csum.h"
#include "switch/base/loop.h"
#include "switch/conf.h"
#include "switch/forward.h"
#include "switch/legs.h"
#include "tests/lib/fake_port.h"

enum {
	IN,
	WAN,
	PORTS,
	FRAME_BYTES = 60,
	STRIDE = FRAME_HEADROOM + 64,
	HOST_PORTS = 63, /* inside ports of one guest */
	VECTORS = 36864, /* that are measured */
	IN_VID = 10,
};

static const uint8_t guest_mac[6] = {0x02, 0x10, 0, 0, 0, 1},
		     next_mac[6] = {0x02, 0x20, 0, 0, 0, 1};

struct lab {
	struct fake *fake[PORTS];
	struct port *port[SLOT_MAX];
	struct fabric *fab;
	struct gateway *gateway;
	struct nat_plan *plan;
	struct forwarder *w;
	uint8_t *memory; /* snapshots of a vector */
	uint64_t now_ns, random;
	uint16_t wan_vid;
};

static uint64_t next_random(struct lab *l)
{
	l->random ^= l->random << 13;
	l->random ^= l->random >> 7;
	l->random ^= l->random << 17;
	return l->random;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench_nat: %s\n", what);
	exit(1);
}

static const char text[] =
	"networks:\n"
	"  n: {mode: nat, vlan: 10, ipv4: 10.0.0.0/9, uplink: wan,\n"
	"      nat: {sessions: 16777216, per-guest: 16777216, rate: 0, timeouts: {udp: %us}}}\n"
	"uplinks:\n"
	"  wan: {kind: interface, interface: e, address: 192.0.2.1/24, gateway: 192.0.2.254, mac: "
	"\"02:30:00:00:00:01\",\n"
	"        addresses: [192.0.2.2/24, 192.0.2.3/24, 192.0.2.4/24, 192.0.2.5/24, 192.0.2.6/24, "
	"192.0.2.7/24,\n"
	"                    192.0.2.8/24, 192.0.2.9/24, 192.0.2.10/24, 192.0.2.11/24, "
	"192.0.2.12/24, 192.0.2.13/24,\n"
	"                    192.0.2.14/24, 192.0.2.15/24, 192.0.2.16/24]}\n"
	"ports:\n"
	"  in: {tap: t0, network: n}\n";

/* The gateway and its tables, over memory of our own. */
static void make_gateway(struct lab *l)
{
	static const uint64_t seed[2] = {0x9e3779b97f4a7c15, 0xd1b54a32d192ed03};
	struct neigh_table *neigh = calloc(1, sizeof(*neigh));
	void *region = mmap(NULL, nat_region_bytes(), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (!neigh || region == MAP_FAILED)
		fail("no memory");
	l->gateway = gateway_create(neigh, true, region, true, seed, l->now_ns);
	if (!l->gateway)
		fail("no gateway");
}

static void make_fabric(struct lab *l, unsigned udp_s)
{
	static const uint64_t seed[2] = {0x9e3779b97f4a7c15, 0xd1b54a32d192ed03};
	struct fdb_table *table = aligned_alloc(64, sizeof(*table));
	struct fdb *fdb = table ? fdb_create(table, true, seed) : NULL;
	struct conf *conf = conf_create();
	struct conf_error err = {0};
	char filled[2048];

	snprintf(filled, sizeof(filled), text, udp_s);
	if (!fdb || !conf || conf_merge(conf, filled, strlen(filled), CONF_ADD, &err) < 0 ||
	    conf_validate(conf, NULL, &err) < 0)
		fail(err.text);
	l->wan_vid = conf->uplinks[0].vlan;
	l->fab = fabric_create(conf, l->port, PORTS, fdb, 1, 1);
	if (l->fab)
		l->fab->legs = legs_create(conf, NULL, l->port);
	l->plan = l->fab && l->fab->legs ? legs_nat_plan(conf, l->fab->legs) : NULL;
	if (!l->plan)
		fail("no fabric");
	nat_commit(gateway_nat(l->gateway), l->plan);
	for (unsigned i = 1; i < l->fab->legs->n_legs; i++)
		fdb_add_static(fdb,
			       fdb_key_of(l->fab->legs->leg[i].mac.b, l->fab->legs->leg[i].vid),
			       OUT_LOCAL, FDB_LOCAL);
	fdb_learn(fdb, fdb_key_of(guest_mac, IN_VID), IN, 1);
	fdb_learn(fdb, fdb_key_of(next_mac, l->wan_vid), WAN, 1);
	conf_destroy(conf);
}

static void know_next_hop(struct lab *l)
{
	struct neigh_claim claim = {.vid = l->wan_vid, .is_answer = true, .may_make = true};

	ip_parse("192.0.2.254", &claim.ip);
	memcpy(claim.mac.b, next_mac, 6);
	neigh_learn(gateway_neigh(l->gateway), &claim, l->now_ns);
}

static struct lab *lab_create(unsigned udp_s)
{
	static const char *const names[PORTS] = {"in", "wan"};
	struct lab *l = calloc(1, sizeof(*l));

	if (!l)
		fail("no memory");
	l->now_ns = 1000000000000;
	l->random = 88172645463325252;
	for (unsigned i = 0; i < PORTS; i++) {
		l->fake[i] = fake_create(names[i], (uint16_t)i);
		l->fake[i]->discards = true;
		l->port[i] = &l->fake[i]->port;
	}
	make_gateway(l);
	make_fabric(l, udp_s);
	l->w = forwarder_create(0);
	l->memory = aligned_alloc(64, (size_t)VEC_SIZE * STRIDE);
	if (!l->w || !l->memory)
		fail("no memory");
	l->w->gateway = l->gateway;
	know_next_hop(l);
	return l;
}

/* Session k of n: 63 ports of each guest, then another remote. */
static void fill_frame(uint8_t *p, uint64_t k, uint64_t mappings, const uint8_t dst[6])
{
	uint64_t mapping = k % mappings, remote = k / mappings;
	uint32_t host = (uint32_t)(mapping / HOST_PORTS) + 2, far = (uint32_t)remote;
	uint16_t port = (uint16_t)(1024 + mapping % HOST_PORTS), sum;
	static const uint8_t head[] = {0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17};

	memset(p, 0, FRAME_BYTES);
	memcpy(p, dst, 6);
	memcpy(p + 6, guest_mac, 6);
	memcpy(p + 12, head, sizeof(head));
	p[26] = 10, p[27] = (uint8_t)(host >> 16 & 0x7f), p[28] = (uint8_t)(host >> 8),
	p[29] = (uint8_t)host;
	p[30] = 198, p[31] = 18, p[32] = (uint8_t)(far >> 8), p[33] = (uint8_t)(far + 1);
	sum = csum_fold(csum_add(0, p + 14, 20));
	p[24] = (uint8_t)(sum >> 8), p[25] = (uint8_t)sum;
	p[34] = (uint8_t)(port >> 8), p[35] = (uint8_t)port;
	p[37] = 53, p[39] = 26; /* ports, length; checksum 0: none */
}

static void take_frame(struct lab *l, unsigned i)
{
	struct frame *f = &l->w->vec.f[i];

	f->snap = l->memory + (size_t)i * STRIDE + FRAME_HEADROOM;
	f->len = FRAME_BYTES;
	f->snap_len = FRAME_BYTES;
	f->body = NULL;
	f->body_cnt = 0;
	f->off = (struct offload){0};
	f->drop = DROP_NONE;
}

/* One vector from the inside; returns its cycles. */
static uint64_t pass(struct lab *l)
{
	uint64_t start;

	l->w->vec.n = VEC_SIZE;
	l->w->now_ns = l->now_ns;
	start = __rdtsc();
	forward(l->w, l->fab, IN);
	return __rdtsc() - start;
}

static void fill_vec(struct lab *l, const uint64_t *session, uint64_t mappings,
		     const uint8_t dst[6])
{
	for (unsigned i = 0; i < VEC_SIZE; i++) {
		take_frame(l, i);
		fill_frame(l->w->vec.f[i].snap, session[i], mappings, dst);
	}
}

/* All that is due now, such as the sweep after a new plan: until then every hit asks whether its session still lives. */
static void settle(struct lab *l)
{
	l->w->now_ns = l->now_ns;
	while (forward_tick(l->w, l->fab) <= l->now_ns)
		;
}

static uint64_t wan_frames(struct lab *l)
{
	return port_sum(l->port[WAN], &l->port[WAN]->counters[0].tx_frames);
}

/* Sessions first to last are there afterwards; the frames that did not get out. */
static uint64_t make_sessions(struct lab *l, uint64_t first, uint64_t last, uint64_t mappings)
{
	struct mac gateway = fabric_gateway_mac(IN_VID);
	uint64_t session[VEC_SIZE], before = wan_frames(l), sent = 0;

	for (uint64_t k = first; k < last; k += VEC_SIZE) {
		for (unsigned i = 0; i < VEC_SIZE; i++)
			session[i] = k + i < last ? k + i : first;
		fill_vec(l, session, mappings, gateway.b);
		pass(l);
		sent += VEC_SIZE;
	}
	return sent - (wan_frames(l) - before);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Cycles a frame in one of VECTORS vectors of random sessions: of the middle one, and of the tenth part that met others on this
 * processor the least. */
struct cycles {
	double median, quiet;
};

static struct cycles measure(struct lab *l, uint64_t sessions, uint64_t mappings,
			     const uint8_t dst[6])
{
	static double cycles[VECTORS];

	for (unsigned v = 0; v < VECTORS; v++) {
		uint64_t session[VEC_SIZE];

		for (unsigned i = 0; i < VEC_SIZE; i++)
			session[i] = next_random(l) % sessions;
		fill_vec(l, session, mappings, dst);
		cycles[v] = (double)pass(l) / VEC_SIZE;
	}
	qsort(cycles, VECTORS, sizeof(cycles[0]), by_value);
	return (struct cycles){cycles[VECTORS / 2], cycles[VECTORS / 10]};
}

static void bench_hit(void)
{
	static const struct {
		const char *name;
		uint64_t hosts, remotes;
	} sizes[] = {{"64K", 1024, 1}, {"1M", 8192, 2}, {"10M", 8192, 20}};
	struct lab *l = lab_create(7200);
	struct mac gateway = fabric_gateway_mac(IN_VID);
	uint8_t neighbour[6] = {0x02, 0x10, 0, 0, 0, 2};
	struct cycles plain;

	/* Plain switching: the same frames to a station of the same VLAN behind the other port would need it there. */
	fdb_learn(l->fab->fdb, fdb_key_of(neighbour, IN_VID), WAN, 1);
	vlan_set_add(&l->fab->port[WAN].vlan.carries, IN_VID);
	plain = measure(l, 64512, 64512, neighbour);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t mappings = sizes[i].hosts * HOST_PORTS;
		uint64_t lost = make_sessions(l, 0, mappings * sizes[i].remotes, mappings);
		struct cycles hit;

		settle(l);
		hit = measure(l, mappings * sizes[i].remotes, mappings, gateway.b);
		printf("bench=nat what=hit sessions=%s lost=%llu cycles=%.1f plain=%.1f "
		       "on_top=%.1f quiet_on_top=%.1f\n",
		       sizes[i].name, (unsigned long long)lost, hit.median, plain.median,
		       hit.median - plain.median, hit.quiet - plain.quiet);
		fflush(stdout);
	}
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* New sessions all the time, which live 2 s; a tick after each vector, as a worker does. */
static void bench_new(void)
{
	struct lab *l = lab_create(2);
	uint64_t mappings = 8192ULL * HOST_PORTS, k = 0, start, lost = 0, before;
	const double seconds = 10;
	double spent, cpu;

	cpu = cpu_seconds();
	start = l->now_ns = clock_ns();
	know_next_hop(l);
	before = wan_frames(l);
	while (l->now_ns - start < (uint64_t)(seconds * 1e9)) {
		uint64_t session[VEC_SIZE];
		struct mac gateway = fabric_gateway_mac(IN_VID);

		for (unsigned i = 0; i < VEC_SIZE; i++)
			session[i] = k++ % (mappings * 60000);
		fill_vec(l, session, mappings, gateway.b);
		pass(l);
		l->w->now_ns = l->now_ns = clock_ns();
		forward_tick(l->w, l->fab);
	}
	spent = (double)(l->now_ns - start) / 1e9;
	cpu = cpu_seconds() - cpu;
	lost = k - (wan_frames(l) - before);
	printf("bench=nat what=new seconds=%.1f sessions_per_s=%.0f per_cpu_s=%.0f refused=%llu\n",
	       spent, (double)(k - lost) / spent, (double)(k - lost) / cpu,
	       (unsigned long long)lost);
}

static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long size, resident = 0;

	if (!f || fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static void bench_memory(void)
{
	struct lab *l = lab_create(7200);
	uint64_t mappings = 15872ULL * HOST_PORTS;
	double before = resident_bytes();
	uint64_t lost = make_sessions(l, 0, mappings, mappings);

	printf("bench=nat what=memory sessions=%llu refused=%llu bytes_per_session=%.1f\n",
	       (unsigned long long)(mappings - lost), (unsigned long long)lost,
	       (resident_bytes() - before) / (double)(mappings - lost));
}

/* Time that this thread had a CPU: what else runs here is no part of a turn. */
static uint64_t own_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* 10 M sessions reach their end while the frames of one that lives pass. */
static void bench_expire(void)
{
	struct lab *l = lab_create(300);
	uint64_t mappings = 8192ULL * HOST_PORTS, sessions = mappings * 20, lost, longest = 0;
	struct mac gateway = fabric_gateway_mac(IN_VID);
	uint64_t alive[VEC_SIZE] = {0}, before, sent = 0, turns = 0;
	struct nat_stats *stats = malloc(sizeof(*stats));

	if (!stats)
		fail("no memory");
	lost = make_sessions(l, 0, sessions, mappings);
	printf("bench=nat what=expire sessions=%llu refused=%llu ",
	       (unsigned long long)(sessions - lost), (unsigned long long)lost);
	l->now_ns += 200000000000;
	fill_vec(l, alive, mappings, gateway.b);
	pass(l);
	l->now_ns += 120000000000;
	before = wan_frames(l);
	do {
		uint64_t start, end;

		if (turns % 1024 == 0)
			know_next_hop(l);
		start = own_ns();
		fill_vec(l, alive, mappings, gateway.b);
		pass(l);
		forward_tick(l->w, l->fab);
		end = own_ns();
		longest = end - start > longest ? end - start : longest;
		l->now_ns += end - start;
		sent += VEC_SIZE;
		if (++turns % 1024 == 0)
			nat_stats(gateway_nat(l->gateway), stats);
	} while (turns < 1024 || (stats->sessions > 1 && turns < 400000));
	printf("turns=%llu left=%u longest_us=%.1f lost=%llu\n", (unsigned long long)turns,
	       stats->sessions, (double)longest / 1000,
	       (unsigned long long)(sent - (wan_frames(l) - before)));
	free(stats);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} all[] = {{"hit", bench_hit},
		   {"new", bench_new},
		   {"memory", bench_memory},
		   {"expire", bench_expire}};

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		bool is_wanted = argc < 2;

		for (int k = 1; k < argc; k++)
			is_wanted |= strcmp(argv[k], all[i].name) == 0;
		if (is_wanted)
			all[i].run();
	}
	return 0;
}
