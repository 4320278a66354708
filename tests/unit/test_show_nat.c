/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * show_nat and show_out: what the control socket says of sessions, forwards, uplinks, routes and neighbours.
 * Sessions are made by packets that a worker hands to the NAT; many more of them than a reader's queue has room for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <assert.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/gateway.h"
#include "tests/lib/expect.h"

enum { BATCH = 500, MANY = 40000 };

#define FABRIC                                                                                     \
	APPLY("networks: {office: {mode: nat, vlan: 10, ipv4: 10.0.0.0/24, uplink: wan, "          \
	      "forwards: "                                                                         \
	      "['80:10.0.0.5:80', {spec: '127.0.0.1:81-90:10.0.0.6:81-90/both', allow-from: "      \
	      "[192.0.2.0/24]}], nat: {rate: 0, sessions: 100000, per-guest: 100000}}, dmz: "      \
	      "{mode: nat, vlan: 11, ipv6: 'fd00::/64', uplink: wan}}\\nuplinks: {wan: {kind: "    \
	      "host}}\\nroutes: [{from: office, to: dmz}]")

struct batch {
	struct gateway *gateway;
	unsigned first, n, made;
};

/* A UDP packet from 10.0.0.5:4000 to port 53 of the n-th remote, 198.51.0.1 and on. */
static void make_packet(uint8_t *p, unsigned n, struct frame *f, struct packet *k)
{
	static const uint8_t packet[] = {
		[12] = 0x08, 0x00,	0x45,	   0,		0,  28, 0, 0, 0x40, 0,
		64,	     PROTO_UDP, 0,	   0,		10, 0,	0, 5, 198,  51,
		0,	     0,		4000 >> 8, 4000 & 0xff, 0,  53, 0, 8, 0,    0};
	uint32_t sum = 0;

	memcpy(p, packet, sizeof(packet));
	p[32] = (uint8_t)(n / 250);
	p[33] = (uint8_t)(n % 250 + 1);
	for (unsigned i = 14; i < 34; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	write_be16(p + 24, (uint16_t) ~(sum + (sum >> 16)));
	*f = (struct frame){
		.snap = p, .len = sizeof(packet), .snap_len = sizeof(packet), .etype = 0x0800};
	/* No assertion of cmocka's in a worker. */
	assert(packet_parse(k, f) == DROP_NONE);
}

/* Run by a worker: as many sessions, each with a remote end of its own. */
static void make_batch(struct forwarder *fwd, void *arg)
{
	uint8_t memory[FRAME_HEADROOM + SNAP_MAX];
	struct batch *b = arg;
	struct packet k;
	struct frame f;
	bool held;

	(void)fwd;
	gateway_lock(b->gateway);
	for (unsigned i = b->first; i < b->first + b->n; i++) {
		struct nat_job job = {.k = &k, .vid = 10, .slot = SLOT_MAX};

		make_packet(memory + FRAME_HEADROOM, i, &f, &k);
		b->made += nat_out(gateway_nat(b->gateway), &job, clock_ns(), &held) == DROP_NONE;
	}
	gateway_unlock(b->gateway);
}

static void make_sessions(struct world *w, unsigned n)
{
	struct batch b = {.gateway = w->d.gateway};

	for (; b.first < n; b.first += b.n) {
		b.n = n - b.first < BATCH ? n - b.first : BATCH;
		worker_call(w->d.worker[0], make_batch, &b);
	}
	assert_int_equal(b.made, n);
}

static int begin(struct world *w, const char *request)
{
	int fd = world_connect(w);
	char *line;

	assert_true(fd >= 0);
	assert_true(world_send(w, fd, request, strlen(request)));
	assert_true(world_send(w, fd, "\n", 1));
	line = world_line(w, fd);
	assert_non_null(line);
	assert_string_equal(line, "{\"ok\":true,\"stream\":true}");
	free(line);
	return fd;
}

/* The rest of a list: how many rows, each remote end once; the last piece goes to *last. */
static unsigned read_rows(struct world *w, int fd, json_t **last)
{
	json_t *seen = json_object(), *piece, *row;
	unsigned n = 0;
	char *line;
	size_t i;

	*last = NULL;
	while (!*last) {
		line = world_line(w, fd);
		assert_non_null(line);
		piece = json_loads(line, 0, NULL);
		assert_non_null(piece);
		json_array_foreach(json_object_get(piece, "rows"), i, row)
		{
			const char *remote = json_string_value(json_object_get(row, "remote"));

			assert_non_null(remote);
			assert_null(json_object_get(seen, remote));
			json_object_set_new(seen, remote, json_true());
			n++;
		}
		if (json_is_true(json_object_get(piece, "end")))
			*last = json_incref(piece);
		json_decref(piece);
		free(line);
	}
	assert_null(world_line(w, fd));
	close(fd);
	world_turn(w);
	json_decref(seen);
	return n;
}

static unsigned rows_of(struct world *w, const char *request)
{
	json_t *last;
	unsigned n = read_rows(w, begin(w, request), &last);

	json_decref(last);
	return n;
}

static void lists(void **state)
{
	struct world *w = *state;
	json_t *last, *row;

	expect(w, FABRIC, "\"ok\":true");
	assert_int_equal(rows_of(w, "{\"verb\":\"nat.ls\"}"), 0);
	make_sessions(w, 1);
	assert_int_equal(read_rows(w, begin(w, "{\"verb\":\"nat.ls\"}"), &last), 1);
	row = json_array_get(json_object_get(last, "rows"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "network")), "office");
	assert_string_equal(json_string_value(json_object_get(row, "proto")), "udp");
	assert_string_equal(json_string_value(json_object_get(row, "inside")), "10.0.0.5:4000");
	assert_string_equal(json_string_value(json_object_get(row, "remote")), "198.51.0.1:53");
	assert_string_equal(json_string_value(json_object_get(row, "kind")), "dynamic");
	assert_int_equal(json_integer_value(json_object_get(row, "rx_frames")), 1);
	assert_int_equal(json_object_size(row), 11);
	json_decref(last);
	make_sessions(w, 3000);
	assert_int_equal(rows_of(w, "{\"verb\":\"nat.ls\"}"), 3000);
	assert_int_equal(
		rows_of(w, "{\"verb\":\"nat.ls\",\"network\":\"office\",\"proto\":\"udp\"}"), 3000);
	assert_int_equal(rows_of(w, "{\"verb\":\"nat.ls\",\"network\":\"dmz\"}"), 0);
	assert_int_equal(rows_of(w, "{\"verb\":\"nat.ls\",\"proto\":\"tcp\"}"), 0);
	expect(w, "{\"verb\":\"nat.ls\",\"proto\":\"sctp\"}", "\"status\":2");
	expect(w, "{\"verb\":\"nat.ls\",\"network\":\"ofice\"}", "did you mean \\\"office\\\"");
	expect(w, "{\"verb\":\"nat.ls\",\"port\":\"c1\"}", "port \\\"c1\\\" does not exist");
}

/* A reader that does not read holds nobody up, and misses nothing in the end. */
static void slow_reader(void **state)
{
	struct world *w = *state;
	json_t *last;
	int fd;

	expect(w, FABRIC, "\"ok\":true");
	make_sessions(w, MANY);
	fd = begin(w, "{\"verb\":\"nat.ls\"}");
	world_run(w, 300);
	expect(w, "{\"verb\":\"version\"}", "\"ok\":true");
	assert_int_equal(read_rows(w, fd, &last), MANY);
	json_decref(last);
	/* One that leaves in the middle. */
	fd = begin(w, "{\"verb\":\"nat.ls\"}");
	world_run(w, 20);
	close(fd);
	world_run(w, 50);
	assert_int_equal(
		read_rows(w, begin(w, "{\"verb\":\"nat.flush\",\"proto\":\"tcp\"}"), &last), 0);
	assert_int_equal(json_integer_value(json_object_get(last, "flushed")), 0);
	json_decref(last);
	assert_int_equal(
		read_rows(w, begin(w, "{\"verb\":\"nat.flush\",\"network\":\"office\"}"), &last),
		0);
	assert_int_equal(json_integer_value(json_object_get(last, "flushed")), MANY);
	json_decref(last);
	assert_int_equal(rows_of(w, "{\"verb\":\"nat.ls\"}"), 0);
}

/* Streams that are still going on when the switch ends. */
static void ends_with_the_switch(void **state)
{
	struct world *w = *state;

	expect(w, FABRIC, "\"ok\":true");
	make_sessions(w, MANY);
	begin(w, "{\"verb\":\"nat.ls\"}");
	begin(w, "{\"verb\":\"nat.flush\"}");
}

static void figures(void **state)
{
	struct world *w = *state;

	expect(w, FABRIC, "\"ok\":true");
	make_sessions(w, 7);
	expect(w, "{\"verb\":\"nat.stats\"}",
	       "{\"ok\":true,\"result\":{\"sessions\":7,\"mappings\":1,\"guests\":1,\"fragments\":"
	       "{");
	expect(w, "{\"verb\":\"nat.stats\"}",
	       "{\"network\":\"office\",\"sessions\":7,\"limit\":100000,\"mappings\":1,\"guests\":"
	       "1,"
	       "\"created\":7,\"expired\":0,\"refused\":{},\"refused_total\":0}");
	expect(w, "{\"verb\":\"nat.stats\"}", "{\"ip\":\"169.254.118.2\",\"tcp\":0,\"udp\":1,");
}

static void objects(void **state)
{
	struct world *w = *state;

	expect(w, FABRIC, "\"ok\":true");
	expect(w, "{\"verb\":\"uplink.ls\"}",
	       "[{\"name\":\"wan\",\"kind\":\"host\",\"interface\":null,\"driver\":null,\"ifname\":"
	       "\"vu-wan\",\"state\":\"");
	expect(w, "{\"verb\":\"uplink.ls\"}",
	       "\"address\":\"169.254.118.2/28\",\"address6\":\"fd76:6661:6200::2/"
	       "64\",\"addresses\":"
	       "[],");
	expect(w, "{\"verb\":\"uplink.ls\"}", "\"networks\":[\"office\",\"dmz\"]");
	expect(w, "{\"verb\":\"forward.ls\"}",
	       "[{\"id\":\"office/tcp/"
	       "0.0.0.0:80\",\"network\":\"office\",\"spec\":\"80:10.0.0.5:80\","
	       "\"bind\":\"0.0.0.0\",\"proto\":\"tcp\",\"ports\":\"80\",\"guest\":\"10.0.0.5:80\","
	       "\"allow_from\":[],\"sessions\":0,\"frames\":0},{\"id\":\"office/both/"
	       "127.0.0.1:81\","
	       "\"network\":\"office\",\"spec\":\"127.0.0.1:81-90:10.0.0.6:81-90/both\",\"bind\":"
	       "\"127.0.0.1\",\"proto\":\"both\",\"ports\":\"81-90\",\"guest\":\"10.0.0.6:81-90\","
	       "\"allow_from\":[\"192.0.2.0/24\"],\"sessions\":0,\"frames\":0}]");
	expect(w, "{\"verb\":\"forward.ls\",\"network\":\"dmz\"}", "\"result\":[]");
	expect(w, "{\"verb\":\"route.ls\"}", "\"result\":[{\"from\":\"office\",\"to\":\"dmz\"}]");
	expect(w, "{\"verb\":\"net.ls\"}", "\"uplink\":\"wan\"");
	expect(w, "{\"verb\":\"neigh.ls\"}", "\"ok\":true");
	expect(w, "{\"verb\":\"neigh.ls\",\"uplink\":\"lan\"}", "does not exist");
	expect(w, "{\"verb\":\"neigh.flush\",\"network\":\"office\"}", "\"ok\":true");
#ifdef VFAB_TEST_CLOCK
	expect(w, "{\"verb\":\"debug.clock\",\"advance_ms\":1000}", "\"ok\":true");
#else
	expect(w, "{\"verb\":\"debug.clock\",\"advance_ms\":1000}", "has no test clock");
#endif
	expect(w, "{\"verb\":\"debug.clock\",\"advance_ms\":0}", "\"status\":2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists, expect_setup, expect_teardown),
		cmocka_unit_test_setup_teardown(slow_reader, expect_setup, expect_teardown),
		cmocka_unit_test_setup_teardown(ends_with_the_switch, expect_setup,
						expect_teardown),
		cmocka_unit_test_setup_teardown(figures, expect_setup, expect_teardown),
		cmocka_unit_test_setup_teardown(objects, expect_setup, expect_teardown),
	};

	return cmocka_run_group_tests_name("show_nat", tests, NULL, NULL);
}
