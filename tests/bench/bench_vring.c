/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_vring: a frame from one guest's memory into another's, all in one thread: take, forward, put, return.  What cache lines
 * cost that travel between processors is not in it; what the path itself costs is, and callgrind can count it.
 *
 *   bench_vring split|packed [BYTES [ROUNDS]]     prints key=value: cycles a frame, minimum and median of the rounds
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#include "switch/base/stage.h"
#include "switch/conf.h"
#include "switch/forward.h"
#include "switch/port/vhost.h"
#include "tests/lib/fake_port.h"

enum {
	GUESTS = 2,
	RING = 256,
	STRIDE = 2304, /* of buffers: lines, an odd number of them */
	HEADER = 12,
	RX_AREA = 0x200000,
	TX_AREA = 0x600000,
	MEMORY = 0xa00000,
	RING_AREA = 0x20000, /* of each ring: descriptors, 64 KiB further the two others */
	VECTORS = 512,
	AVAIL = 1 << 7,
	USED = 1 << 15,
	WRITE = 2,
};
#define UVA 0x7f0000000000ULL

struct guest_ring {
	uint8_t *desc;
	uint16_t *driver;
	unsigned next;
	bool wrap;
};

struct guest {
	struct port port;
	struct vring_place place[VHOST_RINGS_MAX];
	uint8_t *memory;
	struct guest_ring rx, tx;
};

static struct guest *guest[GUESTS];
static bool is_packed;
static unsigned bytes = 60;

static void die(const char *what)
{
	fprintf(stderr, "bench_vring: %s\n", what);
	exit(1);
}

static void mac_of(unsigned i, uint8_t mac[6])
{
	uint8_t m[6] = {0x02, 0x10, 0, 0, 0, (uint8_t)i};

	memcpy(mac, m, 6);
}

/* Descriptor i of a ring stands for buffer i, for ever; packed: it is made available with the wrap of this lap. */
static void offer(struct guest_ring *r, unsigned i, uint32_t len, uint16_t flags, uint64_t area)
{
	uint64_t addr = area + (uint64_t)i * STRIDE;
	uint64_t high = len | (uint64_t)(is_packed ? i : flags) << 32;

	if (is_packed)
		high |= (uint64_t)(flags | (r->wrap ? AVAIL : USED)) << 48;
	memcpy(r->desc + 16UL * i, &addr, 8);
	memcpy(r->desc + 16UL * i + 8, &high, 8);
}

/* n more buffers, in order. */
static void offer_more(struct guest_ring *r, unsigned n, uint32_t len, uint16_t flags, uint64_t area)
{
	for (; n > 0; n--) {
		unsigned slot = r->next % RING;

		if (is_packed) {
			offer(r, slot, len, flags, area);
			if (slot == RING - 1)
				r->wrap = !r->wrap;
		}
		r->next++;
	}
	if (!is_packed)
		__atomic_store_n(&r->driver[1], (uint16_t)r->next, __ATOMIC_RELEASE);
}

static void set_ring(struct guest *g, unsigned index, struct guest_ring *r)
{
	struct vhost *vh = vhost_of(&g->port);
	uint64_t at = (uint64_t)index * RING_AREA;
	char why[GUEST_WHY_SIZE];

	r->desc = g->memory + at;
	r->driver = (void *)(g->memory + at + 0x10000);
	r->wrap = true;
	vh->now.ring[index] = (struct vhost_ring){
		.size = RING,
		.base = is_packed ? 0x8000 : 0,
		.is_started = true,
		.is_enabled = true,
		.has_addr = true,
		.desc = UVA + at,
		.avail = UVA + at + 0x10000,
		.used = UVA + at + 0x18000,
	};
	if (vhost_ring_run(vh, index, why) < 0)
		die(why);
	r->driver[0] = 1; /* no interrupts; the packed form of it is at 2 */
	if (is_packed) {
		r->driver[0] = 0;
		r->driver[1] = 1;
	}
	for (unsigned i = 0; i < RING && !is_packed; i++) {
		r->driver[2 + i] = (uint16_t)i;
		offer(r, i, index & 1 ? HEADER + bytes : STRIDE, index & 1 ? 0 : WRITE,
		      index & 1 ? TX_AREA : RX_AREA);
	}
}

static void fill_frames(struct guest *g, unsigned who)
{
	for (unsigned i = 0; i < RING; i++) {
		uint8_t *frame = g->memory + TX_AREA + (size_t)i * STRIDE + HEADER;

		mac_of((who + 1) % GUESTS, frame);
		mac_of(who, frame + 6);
		frame[12] = 0x08;
	}
}

static struct guest *guest_create(unsigned who)
{
	struct guest *g = aligned_alloc(64, sizeof(*g));
	struct guest_region region = {.gpa = 0, .size = MEMORY, .uva = UVA};
	int fd = memfd_create("guest", 0);
	char why[GUEST_WHY_SIZE];
	struct vhost *vh;

	memset(g, 0, sizeof(*g));
	g->port.kind = PORT_VHOST_USER;
	g->port.slot = (uint16_t)who;
	g->port.queues = 1;
	g->port.state = PORT_UP;
	snprintf(g->port.name, sizeof(g->port.name), "p%u", who);
	if (ftruncate(fd, MEMORY) < 0 || vhost_open(&g->port, g->place) < 0)
		die("no memory");
	vh = vhost_of(&g->port);
	if (guest_mem_add(&vh->mem, 0, &region, fd, &vh->dead, why) < 0)
		die(why);
	g->memory = guest_mem_at_uva(&vh->mem, UVA, MEMORY);
	vh->now.features = FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_NET_F_MRG_RXBUF) |
			   FEATURE(VIRTIO_F_IN_ORDER) |
			   (is_packed ? FEATURE(VIRTIO_F_RING_PACKED) : 0);
	set_ring(g, 0, &g->rx);
	set_ring(g, 1, &g->tx);
	fill_frames(g, who);
	return g;
}

static struct fabric *make_fabric(struct fdb *fdb)
{
	static const char text[] = "{networks: {a: {mode: internal, vlan: 10}}, ports: {"
				   "p0: {tap: t0, network: a}, p1: {tap: t1, network: a}}}";
	struct port *ports[GUESTS] = {&guest[0]->port, &guest[1]->port};
	struct conf *conf = conf_create();
	struct conf_error err;
	struct fabric *fab;

	if (conf_merge(conf, text, sizeof(text) - 1, CONF_ADD, &err) < 0 ||
	    conf_validate(conf, NULL, &err) < 0)
		die(err.text);
	fab = fabric_create(conf, ports, GUESTS, fdb, 1, 1);
	conf_destroy(conf);
	return fab;
}

/* The part that callgrind counts. */
void bench_turn(struct forwarder *w, struct fabric *fab, unsigned in);
void __attribute__((noinline)) bench_turn(struct forwarder *w, struct fabric *fab, unsigned in)
{
	struct port *p = &guest[in]->port;

	if (p->ops->rx(p, 0, w->scratch, &w->vec, VEC_SIZE) != VEC_SIZE)
		die("a vector that is not full");
	forward(w, fab, (uint16_t)in);
	p->ops->rx_done(p, 0, w->scratch);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 41;
	double *cycles = calloc(rounds + 1, sizeof(*cycles));
	struct fdb_table *table = aligned_alloc(64, sizeof(*table));
	uint64_t seed[2] = {0x9e3779b97f4a7c15, 0xd1b54a32d192ed03};
	struct fdb *fdb = fdb_create(table, true, seed);
	struct forwarder *w = forwarder_create(0);
	struct fabric *fab;

	if (argc < 2 || !cycles || !fdb || !w || rounds == 0)
		die("split|packed [BYTES [ROUNDS]]");
	is_packed = strcmp(argv[1], "packed") == 0;
	if (argc > 2)
		bytes = (unsigned)strtoul(argv[2], NULL, 10);
	for (unsigned i = 0; i < GUESTS; i++)
		guest[i] = guest_create(i);
	fab = make_fabric(fdb);
	for (unsigned i = 0; i < GUESTS; i++) {
		uint8_t mac[6];

		mac_of(i, mac);
		fdb_learn(fdb, fdb_key_of(mac, 10), (uint16_t)i, 1);
	}
	w->now_ns = 1000000000;
	for (unsigned r = 0; r <= rounds; r++) { /* round 0 warms up */
		uint64_t spent = 0;

		if (r == 1) {
			STAGE(IDLE);
			STAGE_CLEAR();
		}
		for (unsigned k = 0; k < VECTORS; k++) {
			unsigned in = k % GUESTS;
			uint64_t start;

			offer_more(&guest[in]->tx, VEC_SIZE, HEADER + bytes, 0, TX_AREA);
			offer_more(&guest[!in]->rx, VEC_SIZE, STRIDE, WRITE, RX_AREA);
			start = __rdtsc();
			bench_turn(w, fab, in);
			spent += __rdtsc() - start;
		}
		if (r > 0)
			cycles[r - 1] = (double)spent / (VECTORS * VEC_SIZE);
	}
	if (port_sum(&guest[0]->port, &guest[0]->port.counters[0].tx_frames) !=
	    (uint64_t)(rounds + 1) * VECTORS / 2 * VEC_SIZE)
		die("frames were lost");
#ifdef VFAB_STAGES
	stage_print(stdout, (uint64_t)rounds * VECTORS * VEC_SIZE);
#endif
	qsort(cycles, rounds, sizeof(*cycles), by_value);
	printf("bench=vring ring=%s frame_bytes=%u frames=%u cycles_min=%.1f cycles_median=%.1f\n",
	       argv[1], bytes, (rounds + 1) * VECTORS * VEC_SIZE, cycles[0], cycles[rounds / 2]);
	return 0;
}
