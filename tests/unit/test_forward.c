/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet path over fake ports: outputs, drops and counters to the frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/conf.h"
#include "switch/base/isa.h"
#include "switch/forward.h"
#include "tests/lib/fake_port.h"

enum { PORTS_MAX = 8, LEN = 60 };

struct lab {
	struct conf *conf;
	struct fdb_table *table;
	struct fdb *fdb;
	struct fake *port[PORTS_MAX];
	struct fabric *fab;
	struct forwarder *w;
	unsigned n;
};

/* A fabric of a configuration; fake ports take the places of its taps, in their order. */
static struct lab *lab_create(const char *text)
{
	static const uint64_t seed[2] = {11, 12};
	struct lab *l = calloc(1, sizeof(*l));
	struct port *ports[PORTS_MAX] = {0};
	struct conf_error err = {0};
	char ifname[CONF_IFNAME_SIZE];

	assert_non_null(l);
	l->conf = conf_create();
	if (conf_merge(l->conf, text, strlen(text), CONF_ADD, &err) < 0 ||
	    conf_validate(l->conf, NULL, &err) < 0)
		fail_msg("%s: %s", err.path, err.text);
	l->table = aligned_alloc(64, sizeof(*l->table));
	l->fdb = fdb_create(l->table, true, seed);
	for (size_t i = 0; i < l->conf->n_ports; i++, l->n++)
		l->port[l->n] = fake_create(l->conf->ports[i].name, (uint16_t)l->n);
	for (size_t i = 0; i < l->conf->n_networks; i++)
		if (l->conf->networks[i].mode == NET_HOST_ONLY) {
			conf_network_ifname(&l->conf->networks[i], ifname);
			l->port[l->n] = fake_create(ifname, (uint16_t)l->n);
			l->n++;
		}
	for (unsigned i = 0; i < l->n; i++)
		ports[i] = &l->port[i]->port;
	l->fab = fabric_create(l->conf, ports, l->n, l->fdb, 1, 1);
	l->w = forwarder_create(0);
	assert_non_null(l->fab);
	assert_non_null(l->w);
	l->w->now_ns = 5000000000;
	return l;
}

static void lab_destroy(struct lab *l)
{
	fabric_destroy(l->fab);
	forwarder_destroy(l->w);
	for (unsigned i = 0; i < l->n; i++)
		fake_destroy(l->port[i]);
	fdb_destroy(l->fdb);
	free(l->table);
	conf_destroy(l->conf);
	free(l);
}

/* Receives what was given to port i, forwards it, hands the buffers back. */
static void turn(struct lab *l, unsigned i)
{
	struct port *p = &l->port[i]->port;

	if (p->ops->rx(p, 0, l->w->scratch, &l->w->vec, VEC_SIZE) > 0)
		forward(l->w, l->fab, (uint16_t)i);
	p->ops->rx_done(p, 0, NULL);
}

/* An untagged frame from host src to host dst; 0xff is everybody. */
static void give(struct lab *l, unsigned port, uint8_t dst, uint8_t src, uint32_t len)
{
	uint8_t bytes[2048] = {0x02, 0, 0, 0, 1, dst, 0x02, 0, 0, 0, 1, src, 0x12, 0x34};

	if (dst == 0xff)
		memset(bytes, 0xff, 6);
	fake_give(l->port[port], bytes, len, NULL);
}

static uint64_t drops(const struct lab *l, unsigned port, enum drop reason)
{
	const struct port *p = &l->port[port]->port;

	return port_sum(p, &p->counters[0].drops[reason]);
}

static uint64_t counter(const struct lab *l, unsigned port, size_t offset)
{
	const struct port *p = &l->port[port]->port;

	return port_sum(p, (const _Atomic uint64_t *)((const char *)&p->counters[0] + offset));
}

#define COUNTER(l, port, member) counter(l, port, offsetof(struct port_counters, member))

/* rx = forwarded + local + drops, on every port, to the frame. */
static void assert_sums(const struct lab *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		uint64_t sum = COUNTER(l, i, forwarded) + COUNTER(l, i, local);

		for (unsigned r = 1; r < DROP_COUNT; r++)
			sum += drops(l, i, r);
		assert_int_equal(COUNTER(l, i, rx_frames), sum);
	}
}

#define THREE                                                                                      \
	"networks: {a: {mode: internal, vlan: 10}}\n"                                              \
	"ports: {p: {tap: p, network: a}, q: {tap: q, network: a}, r: {tap: r, network: a}}\n"

static void test_flood_then_unicast(void **state)
{
	struct lab *l = lab_create(THREE);

	(void)state;
	give(l, 0, 2, 1, LEN);
	turn(l, 0);
	assert_int_equal(l->port[0]->n_out, 0); /* no reflection */
	assert_int_equal(l->port[1]->n_out, 1);
	assert_int_equal(l->port[2]->n_out, 1);
	give(l, 1, 1, 2, LEN);
	turn(l, 1);
	assert_int_equal(l->port[0]->n_out, 1);
	assert_int_equal(l->port[2]->n_out, 1);
	give(l, 2, 9, 1, LEN); /* station 1 moved to r */
	turn(l, 2);
	assert_int_equal(drops(l, 2, DROP_SAME_PORT), 0);
	give(l, 1, 1, 2, LEN);
	turn(l, 1);
	assert_int_equal(l->port[2]->n_out, 2);
	assert_int_equal(l->port[0]->n_out, 2); /* the flood to 9 */
	give(l, 2, 1, 9, LEN);
	turn(l, 2);
	assert_int_equal(drops(l, 2, DROP_SAME_PORT), 1);
	assert_sums(l);
	lab_destroy(l);
}

static void test_bytes_and_frames(void **state)
{
	struct lab *l = lab_create(THREE);

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		give(l, 0, 0xff, 1, 60 + i);
	turn(l, 0);
	assert_int_equal(COUNTER(l, 0, rx_frames), 100);
	assert_int_equal(COUNTER(l, 0, rx_bytes), 100 * 60 + 99 * 50);
	assert_int_equal(COUNTER(l, 1, tx_bytes), 100 * 60 + 99 * 50);
	assert_int_equal(COUNTER(l, 2, tx_frames), 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(l->port[1]->out[i].len, 60 + i); /* order kept */
	assert_sums(l);
	lab_destroy(l);
}

/* A copy that one output did not take is lost there; a frame that none took is one drop, and nothing is lost. */
static void test_full_outputs(void **state)
{
	struct lab *l = lab_create(THREE);

	(void)state;
	l->port[1]->room = 3;
	for (unsigned i = 0; i < 5; i++)
		give(l, 0, 0xff, 1, LEN);
	turn(l, 0);
	assert_int_equal(COUNTER(l, 1, tx_lost), 2);
	assert_int_equal(COUNTER(l, 1, tx_frames), 3);
	assert_int_equal(COUNTER(l, 0, forwarded), 5);
	l->port[2]->room = 0;
	give(l, 0, 0xff, 1, LEN);
	turn(l, 0);
	assert_int_equal(drops(l, 0, DROP_TX_FULL), 1);
	assert_int_equal(COUNTER(l, 1, tx_lost), 2);
	assert_int_equal(COUNTER(l, 2, tx_lost), 0);
	give(l, 1, 0xff, 2, LEN); /* learn 2 behind q, which is full */
	turn(l, 1);
	give(l, 0, 2, 1, LEN);
	turn(l, 0);
	assert_int_equal(drops(l, 0, DROP_TX_FULL), 2);
	assert_sums(l);
	lab_destroy(l);
}

static void test_bad_frames(void **state)
{
	static const struct {
		uint8_t bytes[LEN];
		uint32_t len;
		enum drop drop;
	} cases[] = {
		{{2}, 1, DROP_RUNT},
		{{2}, 13, DROP_RUNT},
		{{2, 0, 0, 0, 1, 1, 0}, LEN, DROP_BAD_SOURCE},
		{{2, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6}, LEN, DROP_BAD_SOURCE},
		{{2, 0, 0, 0, 1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, LEN, DROP_BAD_SOURCE},
		{{2, 0, 0, 0, 1, 1, 2, 0x76, 0x66, 0, 0, 10}, LEN, DROP_BAD_SOURCE},
		{{1, 0x80, 0xc2, 0, 0, 0, 2, 0, 0, 0, 1, 1}, LEN, DROP_RESERVED},
		{{1, 0x80, 0xc2, 0, 0, 0xf, 2, 0, 0, 0, 1, 1}, LEN, DROP_RESERVED},
		{{1, 0x80, 0xc2, 0, 0, 0x10, 2, 0, 0, 0, 1, 1}, LEN, DROP_NONE},
		{{2, 0, 0, 0, 1, 50, 2, 0, 0, 0, 1, 2, 0x81, 0, 0, 10}, LEN, DROP_VLAN},
		{{2, 0, 0, 0, 1, 50, 2, 0, 0, 0, 1, 2, 0x81, 0, 0xa0, 0}, LEN, DROP_NONE},
		{{2, 0, 0, 0, 1, 50, 2, 0, 0, 0, 1, 2, 0x81, 0, 0x0f, 0xff},
		 LEN,
		 DROP_VLAN_RESERVED},
		{{2, 0, 0, 0, 1, 50, 2, 0, 0, 0, 1, 2, 0x81, 0}, 16, DROP_RUNT},
	};
	struct lab *l = lab_create(THREE);

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t before = drops(l, 0, cases[i].drop), sent = l->port[1]->n_out;

		fake_give(l->port[0], cases[i].bytes, cases[i].len, NULL);
		turn(l, 0);
		if (cases[i].drop)
			assert_int_equal(drops(l, 0, cases[i].drop), before + 1);
		assert_int_equal(l->port[1]->n_out, sent + !cases[i].drop);
	}
	assert_sums(l);
	lab_destroy(l);
}

static void test_isolation(void **state)
{
	struct lab *l = lab_create(
		"networks: {a: {mode: internal, vlan: 10}, b: {mode: internal, vlan: 20, isolate: "
		"true}}\n"
		"ports: {p: {tap: p, network: a, isolated: true}, q: {tap: q, network: a, "
		"isolated: true},\n"
		"  r: {tap: r, network: a}, s: {tap: s, network: b}, t: {tap: t, network: b}}\n");

	(void)state;
	give(l, 0, 0xff, 1, LEN);
	turn(l, 0);
	assert_int_equal(l->port[1]->n_out, 0);
	assert_int_equal(l->port[2]->n_out, 1);
	give(l, 1, 1, 2, LEN);
	turn(l, 1);
	assert_int_equal(drops(l, 1, DROP_ISOLATED), 1);
	give(l, 3, 0xff, 3, LEN);
	turn(l, 3);
	assert_int_equal(drops(l, 3, DROP_ISOLATED), 1);
	assert_int_equal(l->port[4]->n_out, 0);
	assert_sums(l);
	lab_destroy(l);
}

/* Out by the host's device only what is for its address. */
static void test_host_only(void **state)
{
	uint8_t ip[LEN] = {2, 0x76, 0x66, 0, 0, 30, 2, 0, 0, 0, 1, 1, 8, 0, 0x45};
	uint8_t arp[LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 1, 1, 8, 6};
	uint8_t mac[6] = {2, 0x76, 0x66, 0, 0, 30};
	struct lab *l = lab_create("networks: {h: {mode: host-only, vlan: 30, ipv4: 10.3.0.0/24}}\n"
				   "ports: {p: {tap: p, network: h}, q: {tap: q, network: h}}\n");

	(void)state;
	assert_int_equal(fdb_add_static(l->fdb, fdb_key_of(mac, 30), 2, FDB_LOCAL), 0);
	memcpy(ip + 30, (uint8_t[]){10, 3, 0, 1}, 4);
	fake_give(l->port[0], ip, LEN, NULL);
	turn(l, 0);
	assert_int_equal(l->port[2]->n_out, 1);
	ip[33] = 9;
	fake_give(l->port[0], ip, LEN, NULL);
	turn(l, 0);
	assert_int_equal(drops(l, 0, DROP_HOST_ONLY), 1);
	memcpy(arp + 38, (uint8_t[]){10, 3, 0, 1}, 4);
	fake_give(l->port[0], arp, LEN, NULL);
	turn(l, 0);
	assert_int_equal(l->port[2]->n_out, 2);
	assert_int_equal(l->port[1]->n_out, 1);
	arp[41] =
		77; /* for somebody else: the other guest sees it, the host does not, and nothing is lost */
	fake_give(l->port[0], arp, LEN, NULL);
	turn(l, 0);
	assert_int_equal(l->port[2]->n_out, 2);
	assert_int_equal(l->port[1]->n_out, 2);
	assert_int_equal(COUNTER(l, 2, tx_lost), 0);
	assert_sums(l);
	lab_destroy(l);
}

/* IVL: the same address in two VLANs behind two ports; a trunk's tags; no hop from one VLAN to another. */
static void test_vlans_apart(void **state)
{
	uint8_t tagged[LEN] = {2, 0, 0, 0, 1, 1, 2, 0, 0, 0, 1, 9, 0x81, 0, 0x60, 20, 0x12, 0x34};
	struct lab *l = lab_create(
		"networks: {a: {mode: internal, vlan: 10}, b: {mode: internal, vlan: 20}}\n"
		"ports: {p: {tap: p, network: a}, q: {tap: q, network: b}, t: {tap: t, vlan-mode: "
		"trunk}}\n");

	(void)state;
	give(l, 0, 0xff, 1, LEN);
	turn(l, 0);
	give(l, 1, 0xff, 1, LEN);
	turn(l, 1);
	assert_int_equal(l->port[0]->n_out + l->port[1]->n_out, 0);
	assert_int_equal(l->port[2]->n_out, 2);
	assert_int_equal(l->port[2]->out[0].len, LEN + 4);
	assert_memory_equal(l->port[2]->out[0].bytes + 12,
			    ((uint8_t[]){0x81, 0, 0, 10, 0x12, 0x34}), 6);
	fake_give(l->port[2], tagged, LEN, NULL);
	turn(l, 2);
	assert_int_equal(l->port[0]->n_out, 0);
	assert_int_equal(l->port[1]->n_out, 1);
	assert_int_equal(l->port[1]->out[0].len, LEN - 4);
	assert_int_equal(COUNTER(l, 2, rx_bytes), LEN);
	assert_sums(l);
	lab_destroy(l);
}

static void test_too_big(void **state)
{
	struct lab *l = lab_create(THREE);

	(void)state;
	give(l, 0, 0xff, 1, 1514);
	give(l, 0, 0xff, 1, 1515);
	turn(l, 0);
	assert_int_equal(l->port[1]->n_out, 1);
	assert_int_equal(drops(l, 0, DROP_TOO_BIG), 1);
	assert_sums(l);
	lab_destroy(l);
}

static void test_storm_and_rate(void **state)
{
	struct lab *l = lab_create(THREE);
	struct police *police = calloc(1, sizeof(*police));

	(void)state;
	rate_init(&police->broadcast, 100, 10);
	rate_init(&police->rx, 8000000, 8 * LEN * 20);
	l->port[0]->port.police = police;
	l->fab->port[0].police = police;
	l->fab->port[0].is_plain_in = false;
	for (unsigned i = 0; i < 15; i++)
		give(l, 0, 0xff, 1, LEN);
	turn(l, 0);
	assert_int_equal(drops(l, 0, DROP_STORM), 5);
	for (unsigned i = 0; i < 15; i++)
		give(l, 0, 7, 1, LEN);
	turn(l, 0);
	assert_int_equal(drops(l, 0, DROP_RATE), 10);
	assert_sums(l);
	lab_destroy(l);
}

/* Only a probe of this fabric is ours, and it names the port that sent it. */
static void test_loop_probe(void **state)
{
	uint8_t probe[ETH_MIN];
	struct lab *l = lab_create(THREE);

	(void)state;
	l->fab->loop_id = 77;
	forward_loop_probe(probe, 77, 0, 99);
	fake_give(l->port[1], probe, sizeof(probe), NULL);
	turn(l, 1);
	assert_int_equal(COUNTER(l, 1, local), 1);
	assert_int_equal(l->w->loop_hits[0], 2);
	assert_int_equal(l->w->loop_from[1], 0);
	assert_int_equal(l->w->loop_nonce[1], 99);
	forward_loop_probe(probe, 78, 0, 99);
	fake_give(l->port[2], probe, sizeof(probe), NULL);
	turn(l, 2);
	assert_int_equal(COUNTER(l, 2, local), 0);
	assert_int_equal(drops(l, 2, DROP_BAD_SOURCE), 1);
	assert_sums(l);
	lab_destroy(l);
}

static void test_down_ports(void **state)
{
	struct lab *l = lab_create(THREE);

	(void)state;
	l->port[1]->port.state = PORT_DOWN;
	give(l, 0, 0xff, 1, LEN);
	turn(l, 0);
	assert_int_equal(l->port[2]->n_out, 1);
	assert_int_equal(COUNTER(l, 1, tx_lost), 0);
	l->port[2]->port.state = PORT_WAITING;
	give(l, 0, 0xff, 1, LEN);
	turn(l, 0);
	assert_int_equal(drops(l, 0, DROP_PORT_DOWN), 1);
	assert_sums(l);
	lab_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_then_unicast), cmocka_unit_test(test_bytes_and_frames),
		cmocka_unit_test(test_full_outputs),	   cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_isolation),	   cmocka_unit_test(test_host_only),
		cmocka_unit_test(test_vlans_apart),	   cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_storm_and_rate),	   cmocka_unit_test(test_loop_probe),
		cmocka_unit_test(test_down_ports),
	};

	/* The version of this processor, and the one for any. */
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	isa_wide = false;
	return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
