/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of nat/frag, alone and under the NAT: PROMISES rows N16, N17, N33, M06, R04: any order, no overlap, bounded memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nat/frag.h"
#include "tests/lib/nat_lab.h"

static const char *const in1 = "10.0.0.5", *const us = "192.0.2.1", *const out1 = "198.51.100.10";

static struct lab whole;

/* A datagram with that identification, in `whole`. */
static void make_udp(const char *src, uint16_t sport, const char *dst, uint16_t dport, unsigned n,
		     uint16_t id)
{
	uint8_t l4[1400];
	struct ip from = nat_lab_ip(src), to = nat_lab_ip(dst);

	for (unsigned i = 0; i < n; i++)
		l4[i] = (uint8_t)(i * 11 + id);
	write_be16(l4, sport);
	write_be16(l4 + 2, dport);
	write_be16(l4 + 4, (uint16_t)n);
	nat_lab_ip_packet(&from, &to, PROTO_UDP, l4, n);
	if (!lab.k.is_v6) {
		write_be16(lab.f.snap + 18, id);
		nat_lab_fix_ipv4();
	}
	memcpy(&whole.memory, lab.memory, sizeof(lab.memory));
	whole.k = lab.k;
}

static void make_query(unsigned n)
{
	uint8_t l4[1400] = {8, 0, 0, 0, 0, 7, 0, 1};
	struct ip from = nat_lab_ip(in1), to = nat_lab_ip(out1);

	nat_lab_ip_packet(&from, &to, PROTO_ICMP, l4, n);
	memcpy(&whole.memory, lab.memory, sizeof(lab.memory));
	whole.k = lab.k;
}

/* What came out, put together again. */
static uint8_t joined[65536];
static unsigned n_joined, n_pieces;
static uint32_t joined_id;

static void join_start(void)
{
	memset(joined, 0, sizeof(joined));
	n_joined = n_pieces = 0;
}

static void join(void)
{
	unsigned header = lab.k.is_v6 ? lab.k.fragment_header + 8u : lab.k.l4;
	unsigned n = lab.k.l3 + lab.k.ip_bytes - header;

	assert_true(n_pieces == 0 || joined_id == lab.k.fragment_id);
	joined_id = lab.k.fragment_id;
	memcpy(joined + lab.k.fragment_at, lab.f.snap + header, n);
	n_joined += n;
	n_pieces++;
}

/* The checksum of the joined datagram, over its translated addresses, by the naive way. */
static void check_joined(unsigned n)
{
	assert_int_equal(n_joined, n);
	nat_lab_ip_packet(&lab.k.src, &lab.k.dst, lab.k.proto, joined, n);
	/* nat_lab_ip_packet() made it anew: the same, or the other zero. */
	{
		unsigned at = lab.k.proto == PROTO_UDP ? 6 : 2;

		assert_int_equal(read_be16(lab.f.snap + lab.k.l4 + at) % 0xffff,
				 read_be16(joined + at) % 0xffff);
	}
}

enum { PIECE = 400, LENGTH = 1200 };

static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
				     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

static const struct {
	const char *in, *us, *out;
} family[] = {{"10.0.0.5", "192.0.2.1", "198.51.100.10"},
	      {"fd00:a::5", "2001:db8::1", "2001:db8:f::1"}};

/* Sends one fragment and joins what comes out: nothing, itself, itself and those that waited.  Returns how many. */
static unsigned send_piece(bool is_out, unsigned v6, unsigned piece)
{
	unsigned n = 0;

	nat_lab_fragment(&whole, piece * PIECE, PIECE);
	assert_int_equal(is_out ? nat_lab_out(LAB_IN) : nat_lab_in(LAB_OUT), DROP_NONE);
	if (lab.held)
		return 0;
	do {
		assert_int_equal(lab.vid, is_out ? LAB_OUT : LAB_IN);
		if (is_out)
			assert_true(nat_lab_src_is(family[v6].us, lab.k.sport));
		else
			assert_true(nat_lab_dst_is(family[v6].in, lab.k.dport));
		join();
		n++;
	} while (nat_lab_held());
	return n;
}

/* N16: any order, both directions and families; all of them carry the outside address and one identification. */
static void any_order(void **state)
{
	struct nat_stats stats;

	(void)state;
	for (unsigned run = 0; run < 24; run++) {
		const uint8_t *order = orders[run / 4];
		bool is_out = run & 1;
		unsigned v6 = run >> 1 & 1, got = 0;
		uint16_t port;

		nat_lab_udp(family[v6].in, 4000, family[v6].out, 53);
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
		port = lab.k.sport;
		if (is_out)
			make_udp(family[v6].in, 4000, family[v6].out, 53, LENGTH, (uint16_t)run);
		else
			make_udp(family[v6].out, 53, family[v6].us, port, LENGTH, (uint16_t)run);
		join_start();
		for (unsigned i = 0; i < 3; i++)
			got += send_piece(is_out, v6, order[i]);
		assert_int_equal(got, 3);
		check_joined(LENGTH);
		nat_stats(lab.nat, &stats);
		assert_int_equal(stats.fragments, 0);
		assert_int_equal(stats.fragment_bytes, 0);
	}
}

static void query(void **state)
{
	(void)state;
	make_query(LENGTH);
	join_start();
	for (unsigned i = 3; i-- > 0;) {
		nat_lab_fragment(&whole, i * PIECE, PIECE);
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
		assert_int_equal(lab.held, i > 0);
	}
	do
		join();
	while (nat_lab_held());
	check_joined(LENGTH);
}

/* N33: guests use the same identification, and what leaves does not. */
static void identifications_differ(void **state)
{
	uint32_t id[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		make_udp(i ? in1 : "10.0.0.6", 4000, out1, 53, LENGTH, 99);
		join_start();
		for (unsigned p = 0; p < 3; p++) {
			nat_lab_fragment(&whole, p * PIECE, PIECE);
			assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
			join();
		}
		id[i] = joined_id;
	}
	assert_int_not_equal(id[0], id[1]);
}

/* M06: overlaps by one unit, duplicates, ends that disagree. */
static void overlaps(void **state)
{
	(void)state;
	make_udp(in1, 4000, out1, 53, LENGTH, 1);
	nat_lab_fragment(&whole, 0, 400);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	nat_lab_fragment(&whole, 0, 400);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_FRAGMENT);
	nat_lab_fragment(&whole, 392, 400);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_FRAGMENT);
	nat_lab_fragment(&whole, 8, 8); /* RFC 1858: over the flags of TCP, or the ports */
	assert_int_equal(nat_lab_out(LAB_IN), DROP_FRAGMENT);
	nat_lab_fragment(&whole, 800, 400);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	/* Behind the end; another end. */
	make_udp(in1, 4000, out1, 53, LENGTH + 80, 1);
	nat_lab_fragment(&whole, 1200, 40);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_FRAGMENT);
	nat_lab_fragment(&whole, 1200, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_FRAGMENT);
	make_udp(in1, 4000, out1, 53, 600, 1);
	nat_lab_fragment(&whole, 400, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_FRAGMENT);
	make_udp(in1, 4000, out1, 53, LENGTH, 1);
	nat_lab_fragment(&whole, 400, 400);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	/* It was whole, and is forgotten: one more of it waits for a first one that has been. */
	nat_lab_fragment(&whole, 400, 400);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(lab.held);
}

/* What its first fragment is refused for, the others are. */
static void refused(void **state)
{
	struct nat_stats stats;

	(void)state;
	make_udp(out1, 53, us, 5555, LENGTH, 1);
	nat_lab_fragment(&whole, 800, 400);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(lab.held);
	nat_lab_fragment(&whole, 0, 400);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	nat_lab_fragment(&whole, 400, 400);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	assert_false(nat_lab_held());
	nat_stats(lab.nat, &stats);
	assert_int_equal(stats.fragments_lost, 1);
}

/* What waits in vain goes after 15 s. */
static void lifetime(void **state)
{
	struct nat_stats stats;

	(void)state;
	make_udp(in1, 4000, out1, 53, LENGTH, 1);
	nat_lab_fragment(&whole, 400, 400);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	nat_lab_wait(14.9);
	nat_stats(lab.nat, &stats);
	assert_int_equal(stats.fragments, 1);
	nat_lab_wait(0.2);
	nat_stats(lab.nat, &stats);
	assert_int_equal(stats.fragments, 0);
	assert_int_equal(stats.fragments_lost, 1);
	nat_lab_fragment(&whole, 0, 400);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_false(nat_lab_held());
}

/* N17, R04: 200 000 first fragments of many sources, never completed; datagrams in order pass all the same. */
static void flood_of_first_ones(void **state)
{
	struct nat_stats stats;
	uint16_t port;

	(void)state;
	nat_lab_udp(in1, 4000, out1, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	port = lab.k.sport;
	for (unsigned i = 0; i < 200000; i++) {
		char source[32];

		snprintf(source, sizeof(source), "198.18.%u.%u", i >> 8 & 255, i & 255);
		make_udp(source, 53, us, port, 48, (uint16_t)(i >> 16));
		nat_lab_fragment(&whole, 0, 24);
		nat_lab_in(LAB_OUT);
		if (i % 1000)
			continue;
		make_udp(out1, 53, us, port, LENGTH, (uint16_t)i);
		for (unsigned p = 0; p < 3; p++) {
			nat_lab_fragment(&whole, p * PIECE, PIECE);
			assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
			assert_false(lab.held);
		}
	}
	/* And of later ones, which wait: memory stays within its bound. */
	for (unsigned i = 0; i < 20000; i++) {
		char source[32];

		snprintf(source, sizeof(source), "198.18.%u.%u", i >> 8 & 255, i & 255);
		make_udp(source, 53, us, port, LENGTH, (uint16_t)i);
		nat_lab_fragment(&whole, 800, 400);
		nat_lab_in(LAB_OUT);
	}
	nat_stats(lab.nat, &stats);
	assert_true(stats.fragment_bytes <= (uint64_t)FRAG_SLOTS * FRAG_SLOT_BYTES);
	assert_true(stats.fragments <= FRAG_DATAGRAMS);
	make_udp(out1, 53, us, port, LENGTH, 7);
	for (unsigned p = 3; p-- > 0;) {
		nat_lab_fragment(&whole, p * PIECE, PIECE);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	}
	assert_true(nat_lab_held());
	assert_true(nat_lab_held());
	assert_false(nat_lab_held());
}

/* R04: one source alone has its share and no more. */
static void share_of_a_source(void **state)
{
	struct nat_stats stats;
	unsigned refused_frames = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		make_udp(in1, 4000, out1, 53, LENGTH, (uint16_t)(i % 50));
		nat_lab_fragment(&whole, 8 + i / 50 * 8, 8);
		refused_frames += nat_lab_out(LAB_IN) == DROP_FRAGMENT;
	}
	nat_stats(lab.nat, &stats);
	assert_int_equal(stats.fragments, FRAG_SOURCE_SLOTS);
	assert_int_equal(refused_frames, 5000 - FRAG_SOURCE_SLOTS);
	make_udp("10.0.0.6", 4000, out1, 53, LENGTH, 1);
	nat_lab_fragment(&whole, 400, 400);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(lab.held);
	for (unsigned i = 0; i < 5000; i++) {
		make_udp(in1, 4000, out1, 53, LENGTH, (uint16_t)i);
		nat_lab_fragment(&whole, 400, 400);
		nat_lab_out(LAB_IN);
	}
	nat_stats(lab.nat, &stats);
	assert_true(stats.fragments <= FRAG_PER_SOURCE + 1);
}

/* A frame of many slots waits whole, with its body in pieces. */
static void large_frame(void **state)
{
	static uint8_t body[60000], got[60100];
	struct iovec iov[2] = {{body, 20000}, {body + 20000, 40000}};
	struct frame f;
	struct packet k;
	uint16_t vid;

	(void)state;
	for (unsigned i = 0; i < sizeof(body); i++)
		body[i] = (uint8_t)(i * 3 + (i >> 8));
	make_udp(in1, 4000, out1, 53, LENGTH, 1);
	nat_lab_fragment(&whole, 400, 16);
	write_be16(lab.f.snap + 16, 20 + 16 + 60000);
	write_be16(lab.f.snap + 20, 0x2000 | 2);
	lab.f.len = 14 + 20 + 16 + 60000;
	lab.f.body = iov;
	lab.f.body_cnt = 2;
	nat_lab_fix_ipv4();
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(lab.held);
	nat_lab_fragment(&whole, 0, 16);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_held(lab.nat, &k, &f, &vid, lab.now_ns));
	assert_int_equal(frame_copy(&f, 50, got, sizeof(got)), sizeof(body));
	assert_memory_equal(got, body, sizeof(body));
	assert_false(nat_held(lab.nat, &k, &f, &vid, lab.now_ns));
}

/* Routes have fragments too. */
static void routed(void **state)
{
	(void)state;
	make_udp(in1, 4000, "10.9.0.7", 53, LENGTH, 1);
	nat_lab_fragment(&whole, 400, 0);
	assert_int_equal(nat_lab_route(LAB_IN, LAB_ROUTED, true), DROP_NONE);
	assert_true(lab.held);
	nat_lab_fragment(&whole, 0, 400);
	assert_int_equal(nat_lab_route(LAB_IN, LAB_ROUTED, true), DROP_NONE);
	assert_true(nat_lab_held());
	assert_int_equal(lab.vid, LAB_ROUTED);
	assert_true(nat_lab_src_is(in1, 0) && nat_lab_dst_is("10.9.0.7", 0));
}

/* Random fragments of few datagrams against a bitmap of bytes: what passes never overlaps. */
static void twin(void **state)
{
	static bool seen[4][2048];
	unsigned bytes[4] = {0};

	(void)state;
	srandom(7);
	for (unsigned i = 0; i < 60000; i++) {
		unsigned d = (unsigned)random() % 4, at = (unsigned)random() % 175 * 8;
		unsigned n = 8 + (unsigned)random() % 20 * 8;

		if (i % 3000 == 0) {
			nat_lab_wait(16);
			memset(seen, 0, sizeof(seen));
			memset(bytes, 0, sizeof(bytes));
		}
		make_udp(in1, (uint16_t)(4000 + d), out1, 53, 1400, (uint16_t)d);
		if (n > 1400 - at)
			n = 1400 - at;
		nat_lab_fragment(&whole, at, n);
		if (nat_lab_out(LAB_IN) == DROP_NONE) {
			bytes[d] += n;
			for (unsigned b = at; b < at + n; b++) {
				assert_false(seen[d][b]);
				seen[d][b] = true;
			}
		}
		/* Whole: what comes now is of another one. */
		if (bytes[d] == 1400) {
			memset(seen[d], 0, sizeof(seen[d]));
			bytes[d] = 0;
		}
		while (nat_lab_held())
			continue;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nat_lab_setup, nat_lab_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(any_order),
		TEST(query),
		TEST(identifications_differ),
		TEST(overlaps),
		TEST(refused),
		TEST(lifetime),
		TEST(flood_of_first_ones),
		TEST(share_of_a_source),
		TEST(large_frame),
		TEST(routed),
		TEST(twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
