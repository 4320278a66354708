/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bench_forward: forwarding alone, in memory between fake ports: 64-byte frames, 1000 MACs on 8 ports, every frame
 * from and to a random one of them.  Prints key=value lines; asserts nothing.
 *
 *   bench_forward [ROUNDS]      cycles a frame: time stamp counter, minimum and median over the rounds
 *   under callgrind, with 1 round: instructions a frame = (Ir of forward) / frames printed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "switch/conf.h"
#include "switch/forward.h"
#include "tests/lib/fake_port.h"

enum {
	PORTS = 8,
	MACS = 1000,
	FRAME_BYTES = 60,
	VECTORS = 16,
	REPEATS = 32,
	STRIDE = FRAME_HEADROOM + 64
};

static struct fake *fake[PORTS];
static uint8_t *memory;

static void mac_of(unsigned i, uint8_t mac[6])
{
	uint8_t m[6] = {0x02, 0x10, 0, 0, (uint8_t)(i >> 8), (uint8_t)i};

	memcpy(mac, m, 6);
}

/* MAC i lives on port i % PORTS. */
static void fill_frame(uint8_t *frame, unsigned in)
{
	unsigned src = (unsigned)(random() % (MACS / PORTS)) * PORTS + in;
	unsigned dst = (unsigned)(random() % MACS);

	if (dst % PORTS == in)
		dst = (dst + 1) % MACS;
	memset(frame, 0, FRAME_BYTES);
	mac_of(dst, frame);
	mac_of(src, frame + 6);
	frame[12] = 0x08;
}

static struct fabric *make_fabric(struct fdb *fdb)
{
	struct conf *conf = conf_create();
	struct conf_error err;
	struct port *ports[PORTS];
	char text[2048] = "networks: {a: {mode: internal, vlan: 10}}\nports:\n";
	struct fabric *fab;

	for (unsigned i = 0; i < PORTS; i++) {
		char line[64], name[8];

		snprintf(name, sizeof(name), "p%u", i);
		snprintf(line, sizeof(line), "  p%u: {tap: t%u, network: a}\n", i, i);
		strcat(text, line);
		fake[i] = fake_create(name, (uint16_t)i);
		fake[i]->discards = true;
		ports[i] = &fake[i]->port;
	}
	if (conf_merge(conf, text, strlen(text), CONF_ADD, &err) < 0 ||
	    conf_validate(conf, NULL, &err) < 0) {
		fprintf(stderr, "bench_forward: %s\n", err.text);
		exit(1);
	}
	fab = fabric_create(conf, ports, PORTS, fdb, 1, 1);
	conf_destroy(conf);
	return fab;
}

/* Points the vector at prepared frames, as a receive would. */
static void fill_vec(struct vec *v, unsigned vector)
{
	for (unsigned i = 0; i < VEC_SIZE; i++) {
		struct frame *f = &v->f[i];

		f->snap = memory + ((size_t)vector * VEC_SIZE + i) * STRIDE + FRAME_HEADROOM;
		f->len = FRAME_BYTES;
		f->snap_len = FRAME_BYTES;
		f->body = NULL;
		f->body_cnt = 0;
		f->off = (struct offload){0};
	}
	v->n = VEC_SIZE;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 41;
	double *cycles = calloc(rounds + 1, sizeof(*cycles));
	struct fdb_table *table = aligned_alloc(64, sizeof(*table));
	uint64_t seed[2] = {0x9e3779b97f4a7c15, 0xd1b54a32d192ed03};
	struct fdb *fdb = fdb_create(table, true, seed);
	struct fabric *fab = make_fabric(fdb);
	struct forwarder *w = forwarder_create(0);

	if (!cycles || !fdb || !fab || !w || rounds == 0)
		return 1;
	memory = aligned_alloc(64, (size_t)VECTORS * VEC_SIZE * STRIDE);
	srandom(1);
	for (unsigned i = 0; i < VECTORS * VEC_SIZE; i++)
		fill_frame(memory + (size_t)i * STRIDE + FRAME_HEADROOM, i / VEC_SIZE % PORTS);
	for (unsigned i = 0; i < MACS; i++) {
		uint8_t mac[6];

		mac_of(i, mac);
		fdb_learn(fdb, fdb_key_of(mac, 10), (uint16_t)(i % PORTS), 1);
	}
	for (unsigned r = 0; r <= rounds; r++) { /* round 0 warms up */
		uint64_t spent = 0;

		for (unsigned k = 0; k < VECTORS * REPEATS; k++) {
			uint64_t start;

			w->now_ns = 1000000000;
			fill_vec(&w->vec, k % VECTORS);
			start = __rdtsc();
			forward(w, fab, (uint16_t)(k % PORTS));
			spent += __rdtsc() - start;
		}
		if (r > 0)
			cycles[r - 1] = (double)spent / (VECTORS * REPEATS * VEC_SIZE);
	}
	qsort(cycles, rounds, sizeof(*cycles), by_value);
	printf("bench=forward frame_bytes=64 macs=%d ports=%d frames=%u cycles_min=%.1f "
	       "cycles_median=%.1f\n",
	       MACS, PORTS, (rounds + 1) * VECTORS * REPEATS * VEC_SIZE, cycles[0],
	       cycles[rounds / 2]);
	return 0;
}
