/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the NAT: mapping, filtering, timers, hairpin, ICMP queries, limits, routes, lists.
 * PROMISES rows N01-N07, N09-N12, N19, N22, N25, N27, N29, N31-N35, N38, R02; each test names its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/nat_lab.h"

static const char *const in1 = "10.0.0.5", *const in2 = "10.0.0.6", *const us = "192.0.2.1";
static const char *const out1 = "198.51.100.10", *const out2 = "198.51.100.20";

/* N01: one outside end for an inside end, whoever it speaks to. */
static void mapping_is_endpoint_independent(void **state)
{
	uint16_t port, id, tcp;

	(void)state;
	nat_lab_udp(in1, 4000, out1, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_equal(lab.vid, LAB_OUT);
	port = lab.k.sport;
	assert_true(nat_lab_src_is(us, port) && nat_lab_dst_is(out1, 53));
	nat_lab_udp(in1, 4000, out1, 54);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_lab_src_is(us, port));
	nat_lab_udp(in1, 4000, out2, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_lab_src_is(us, port));

	nat_lab_tcp(in1, 4000, out1, 80, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	tcp = lab.k.sport;
	nat_lab_tcp(in1, 4000, out2, 81, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_lab_src_is(us, tcp));

	nat_lab_query(in1, out1, true, 77);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	id = lab.k.sport;
	nat_lab_query(in1, out2, true, 77);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_equal(lab.k.sport, id);
}

/* N03: two guests with the same source port have two outside ports, and both get their answers.  VLANs may overlap in prefixes. */
static void nothing_is_overloaded(void **state)
{
	static const struct {
		uint16_t vid;
		const char *ip;
	} guest[] = {{LAB_IN, "10.0.0.5"}, {LAB_IN, "10.0.0.6"}, {LAB_IN2, "10.0.0.5"}};
	uint16_t port[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		nat_lab_udp(guest[i].ip, 4000, out1, 53);
		assert_int_equal(nat_lab_out(guest[i].vid), DROP_NONE);
		port[i] = lab.k.sport;
		for (unsigned j = 0; j < i; j++)
			assert_int_not_equal(port[i], port[j]);
	}
	for (unsigned i = 0; i < 3; i++) {
		nat_lab_udp(out1, 53, us, port[i]);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
		assert_int_equal(lab.vid, guest[i].vid);
		assert_true(nat_lab_dst_is(guest[i].ip, 4000) && nat_lab_src_is(out1, 53));
	}
}

/* N04, N05: the class of the port is kept; its parity is not (RFC 7857 4 makes it optional). */
static void ports_keep_their_class(void **state)
{
	unsigned odd = 0;

	(void)state;
	for (uint16_t i = 0; i < 200; i++) {
		uint16_t low = nat_lab_mapping(LAB_IN, in1, (uint16_t)(500 + i));
		uint16_t high = nat_lab_mapping(LAB_IN, in1, (uint16_t)(5000 + i * 2));

		assert_true(low >= 1 && low < 1024);
		assert_true(high >= 1024);
		odd += high & 1;
	}
	assert_in_range(odd, 60, 140);
}

/* N32: no run of consecutive ports. */
static void ports_are_random(void **state)
{
	uint16_t last = 0;
	unsigned runs = 0, buckets[16] = {0};
	double chi = 0;

	(void)state;
	for (unsigned i = 0; i < 8000; i++) {
		uint16_t port = nat_lab_mapping(LAB_IN, in1, (uint16_t)(2000 + i));

		assert_int_not_equal(port, 0);
		runs += port == last + 1;
		buckets[(port - 1024) / 4032]++;
		last = port;
	}
	assert_true(runs < 5);
	for (unsigned i = 0; i < 16; i++)
		chi += (buckets[i] - 500.0) * (buckets[i] - 500.0) / 500.0;
	assert_true(chi < 30.6); /* 15 degrees of freedom, p 0.01 */
}

/* N02: pooling is paired, and N30: all addresses are used. */
static void pooling_is_paired(void **state)
{
	struct ip own = {0};
	bool used[3] = {false};

	(void)state;
	lab.outsides[0].pool[2] = nat_lab_ip("192.0.2.7");
	lab.outsides[0].pool[3] = nat_lab_ip("192.0.2.99");
	lab.outsides[0].n_pool = 4;
	nat_lab_commit();
	for (unsigned guest = 0; guest < 60; guest++) {
		char text[16] = "10.0.0.100";

		text[8] = (char)('0' + guest / 10);
		text[9] = (char)('0' + guest % 10);
		for (uint16_t i = 0; i < 50; i++) {
			nat_lab_udp(text, (uint16_t)(4000 + i), out1, 53);
			assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
			assert_true(i == 0 || ip_equal(&own, &lab.k.src));
			own = lab.k.src;
		}
		used[0] |= own.b[15] == 1;
		used[1] |= own.b[15] == 7;
		used[2] |= own.b[15] == 99;
	}
	assert_true(used[0] && used[1] && used[2]);
}

/* N09: by default only the remote end that was spoken to gets in. */
static void filter_is_address_and_port_dependent(void **state)
{
	uint16_t port;

	(void)state;
	nat_lab_udp(in1, 4000, out1, 53);
	nat_lab_out(LAB_IN);
	port = lab.k.sport;
	nat_lab_udp(out1, 53, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_udp(out1, 54, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	nat_lab_udp(out2, 53, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	nat_lab_udp(out1, 53, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT2), DROP_NAT_NO_SESSION);
	nat_lab_tcp(out2, 53, us, port, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
}

/* N09: endpoint-independent filtering, when it is asked for; N28: its sessions count for the guest. */
static void filter_can_be_open(void **state)
{
	uint16_t port, tcp;

	(void)state;
	lab.nets[0].is_open = true;
	lab.nets[0].per_guest = 12;
	nat_lab_commit();
	port = nat_lab_mapping(LAB_IN, in1, 4000);
	nat_lab_udp(out2, 53, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(nat_lab_dst_is(in1, 4000) && nat_lab_src_is(out2, 53));
	nat_lab_udp(in1, 4000, out2, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_lab_src_is(us, port));
	nat_lab_tcp(in1, 4000, out1, 80, SYN, 1, 0, 0);
	nat_lab_out(LAB_IN);
	tcp = lab.k.sport;
	nat_lab_tcp(out2, 99, us, tcp, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_tcp(out2, 100, us, tcp, ACK, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_TCP);
	for (uint16_t i = 0; i < 8; i++) {
		nat_lab_udp(out2, (uint16_t)(1000 + i), us, port);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	}
	nat_lab_udp(out2, 2000, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_GUEST_FULL);
}

/* N06: a UDP mapping lives 300 s, and what the configuration says. */
static void udp_timer(void **state)
{
	uint16_t port;

	(void)state;
	nat_lab_udp(in1, 4000, out1, 53);
	nat_lab_out(LAB_IN);
	port = lab.k.sport;
	nat_lab_wait(119);
	nat_lab_udp(out1, 53, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_udp(in1, 4000, out1, 53);
	nat_lab_out(LAB_IN);
	nat_lab_wait(299);
	nat_lab_udp(out1, 53, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_wait(302);
	nat_lab_udp(out1, 53, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	assert_int_equal(nat_lab_stats(LAB_IN).sessions, 0);

	lab.nets[0].udp_s = 20;
	nat_lab_commit();
	port = nat_lab_mapping(LAB_IN, in1, 4001);
	nat_lab_wait(19);
	nat_lab_udp("198.51.100.9", 9, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_wait(22);
	nat_lab_udp("198.51.100.9", 9, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
}

/* N07: what goes out refreshes; what comes in does after an answer; neither does a forward's unanswered flood. */
static void refresh_directions(void **state)
{
	uint16_t port = nat_lab_mapping(LAB_IN, in1, 4000);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		nat_lab_wait(200);
		assert_int_equal(nat_lab_mapping(LAB_IN, in1, 4000), port);
	}
	for (unsigned i = 0; i < 4; i++) {
		nat_lab_wait(200);
		nat_lab_udp("198.51.100.9", 9, us, port);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	}
	nat_lab_add_rule("f", PROTO_UDP, us, 5353, 5353, in1, 53);
	nat_lab_commit();
	nat_lab_udp(out2, 7, us, 5353);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	for (unsigned i = 0; i < 3; i++) {
		nat_lab_wait(99);
		nat_lab_udp(out2, 7, us, 5353);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	}
	nat_lab_wait(10);
	nat_lab_udp(in1, 53, out2, 7);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_not_equal(lab.k.sport, 5353);
}

/* N31: a port is at rest for 120 s after its mapping. */
static void ports_rest(void **state)
{
	bool rested[65536] = {false};

	(void)state;
	lab.nets[0].udp_s = 10;
	lab.nets[0].is_open = true;
	lab.nets[1].is_open = true;
	nat_lab_commit();
	for (uint16_t i = 0; i < 500; i++)
		rested[nat_lab_mapping(LAB_IN, in1, (uint16_t)(1 + i))] = true;
	nat_lab_wait(15);
	assert_int_equal(nat_lab_stats(LAB_IN).mappings, 0);
	for (uint16_t i = 0; i < 400; i++) {
		uint16_t port = nat_lab_mapping(LAB_IN2, in2, (uint16_t)(1 + i));

		assert_int_not_equal(port, 0);
		assert_false(rested[port]);
	}
}

/* N10: hairpin; the source is the outside end, both ways. */
static void hairpin_udp(void **state)
{
	uint16_t a, b = nat_lab_mapping(LAB_IN, in2, 5000);

	(void)state;
	a = nat_lab_mapping(LAB_IN, in1, 4000);
	/* in2 has not spoken to in1's outside end yet. */
	nat_lab_udp(in1, 4000, us, b);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_NO_SESSION);
	nat_lab_udp(in2, 5000, us, a);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_equal(lab.vid, LAB_IN);
	assert_true(nat_lab_src_is(us, b) && nat_lab_dst_is(in1, 4000));
	nat_lab_udp(in1, 4000, us, b);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_lab_src_is(us, a) && nat_lab_dst_is(in2, 5000));
	/* Nobody has that port. */
	nat_lab_udp(in1, 4000, us, 999);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_NO_SESSION);
	assert_true(nat_lab_src_is(in1, 4000));
	nat_lab_query(in1, us, true, 5);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NO_SERVICE);
}

static void hairpin_forward(void **state)
{
	uint16_t a;

	(void)state;
	nat_lab_add_rule("web", PROTO_TCP, NULL, 8080, 8080, in2, 80);
	nat_lab_commit();
	/* Also a guest of another network, and one to itself. */
	for (unsigned i = 0; i < 3; i++) {
		uint16_t vid = i == 1 ? LAB_IN2 : LAB_IN;
		const char *who = i == 2 ? in2 : in1;

		nat_lab_tcp(who, 4000, us, 8080, SYN, 100, 0, 0);
		assert_int_equal(nat_lab_out(vid), DROP_NONE);
		assert_int_equal(lab.vid, LAB_IN);
		a = lab.k.sport;
		assert_true(nat_lab_src_is(us, a) && nat_lab_dst_is(in2, 80));
		nat_lab_tcp(in2, 80, us, a, SYN | ACK, 500, 101, 0);
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
		assert_int_equal(lab.vid, vid);
		assert_true(nat_lab_src_is(us, 8080) && nat_lab_dst_is(who, 4000));
		nat_lab_tcp(who, 4000, us, 8080, ACK, 101, 501, 10);
		assert_int_equal(nat_lab_out(vid), DROP_NONE);
		assert_true(nat_lab_dst_is(in2, 80));
	}
}

/* By an address of another uplink: with one of that uplink's own as source.  A rule for the outside alone is no way for guests. */
static void hairpin_elsewhere(void **state)
{
	struct nat_rule *web;
	uint16_t a;

	(void)state;
	lab.nets[1].outside = 1; /* LAB_IN2 leaves by 203.0.113.1 */
	web = nat_lab_add_rule("web", PROTO_TCP, NULL, 8080, 8080, in2, 80);
	nat_lab_commit();
	nat_lab_tcp(in1, 4000, us, 8080, SYN, 100, 0, 0);
	assert_int_equal(nat_lab_out(LAB_IN2), DROP_NONE);
	assert_int_equal(lab.vid, LAB_IN);
	a = lab.k.sport;
	assert_true(nat_lab_src_is(us, a) && nat_lab_dst_is(in2, 80));
	nat_lab_tcp(in2, 80, us, a, SYN | ACK, 500, 101, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_equal(lab.vid, LAB_IN2);
	assert_true(nat_lab_src_is(us, 8080) && nat_lab_dst_is(in1, 4000));
	/* What came by the wire from there goes back by the wire. */
	nat_lab_tcp("203.0.113.1", 7000, us, 8080, SYN, 100, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_tcp(in2, 80, "203.0.113.1", 7000, SYN | ACK, 500, 101, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_equal(lab.vid, LAB_OUT);
	web->is_outside_only = true;
	nat_lab_commit();
	nat_lab_tcp(in1, 4001, us, 8080, SYN, 100, 0, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_NO_SESSION);
	nat_lab_tcp(out1, 4001, us, 8080, SYN, 100, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
}

/* A flood of a forward leaves the guest what it may begin itself; one who takes all low ports leaves others the high ones. */
static void quotas_apart(void **state)
{
	unsigned low = 0;

	(void)state;
	nat_lab_add_rule("web", PROTO_UDP, NULL, 8080, 8080, in1, 80);
	lab.nets[0].per_guest = 1100;
	lab.nets[0].rate = 1;
	nat_lab_commit();
	for (uint16_t i = 0; i < 1100; i++) {
		nat_lab_udp(out1, (uint16_t)(1024 + i), us, 8080);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	}
	nat_lab_udp(out1, 9000, us, 8080);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_GUEST_FULL);
	lab.nets[0].rate = 0;
	nat_lab_commit();
	for (uint16_t i = 1; i <= 1023; i++) {
		nat_lab_udp(in1, i, out1, 53);
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
		low += lab.k.sport < 1024;
	}
	assert_in_range(low, 1000, 1023); /* but for those of services */
	nat_lab_udp(in2, 123, out1, 123);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(lab.k.sport >= 1024);
}

/* N22: queries by identifier, both families; a stranger's request never meets a guest's identifier. */
static void queries(void **state)
{
	uint16_t a, b;

	(void)state;
	nat_lab_query(in1, out1, true, 7);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	a = lab.k.sport;
	nat_lab_query(in2, out1, true, 7);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	b = lab.k.sport;
	assert_int_not_equal(a, b);
	nat_lab_wait(59);
	nat_lab_query(out1, us, false, a);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(nat_lab_dst_is(in1, 7));
	nat_lab_query(out1, us, false, b);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(nat_lab_dst_is(in2, 7));
	nat_lab_query(out1, us, true, a);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NO_SERVICE);
	nat_lab_query(out2, us, false, a);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	nat_lab_query(in1, out2, false, 9);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_NO_SESSION);
	nat_lab_wait(62);
	nat_lab_query(out1, us, false, a);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	/* Timestamp, RFC 792. */
	nat_lab_query(in1, out1, true, 7);
	lab.memory[FRAME_HEADROOM + 34] = 13;
	nat_lab_fix_ipv4();
	nat_lab_fix_l4();
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	a = lab.k.sport;
	nat_lab_query(out1, us, false, a);
	lab.memory[FRAME_HEADROOM + 34] = 14;
	nat_lab_fix_ipv4();
	nat_lab_fix_l4();
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
}

static void ipv6(void **state)
{
	uint16_t port;

	(void)state;
	nat_lab_udp("fd00:a::5", 4000, "2001:db8:f::1", 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	port = lab.k.sport;
	assert_true(nat_lab_src_is("2001:db8::1", port));
	nat_lab_udp("2001:db8:f::1", 53, "2001:db8::1", port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(nat_lab_dst_is("fd00:a::5", 4000));
	nat_lab_query("fd00:a::5", "2001:db8:f::1", true, 7);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	port = lab.k.sport;
	nat_lab_query("2001:db8:f::1", "2001:db8::1", false, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(nat_lab_dst_is("fd00:a::5", 7));
	nat_lab_tcp("fd00:a::5", 4000, "2001:db8:f::1", 80, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
}

static void other_protocols(void **state)
{
	struct ip a = nat_lab_ip(in1), b = nat_lab_ip(out1), own = nat_lab_ip(us);
	uint8_t l4[16] = {0};

	(void)state;
	nat_lab_ip_packet(&a, &b, 47, l4, sizeof(l4));
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_PROTOCOL);
	nat_lab_ip_packet(&b, &own, 47, l4, sizeof(l4));
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NO_SERVICE);
	l4[0] = 5; /* redirect */
	nat_lab_ip_packet(&a, &b, PROTO_ICMP, l4, sizeof(l4));
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_PROTOCOL);
	/* A checksum of 0 stays 0. */
	nat_lab_udp(in1, 4000, out1, 53);
	write_be16(lab.f.snap + 40, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_equal(read_be16(lab.f.snap + 40), 0);
	/* A network that is not ours. */
	nat_lab_udp(in1, 4000, out1, 53);
	assert_int_equal(nat_lab_out(77), DROP_NO_ROUTE);
	nat_lab_udp(in1, 4000, out1, 53);
	assert_int_equal(nat_lab_out(LAB_ROUTED), DROP_NO_ROUTE);
}

/* N29: destinations that are exempt keep the source, and only their answers come in. */
static void exempt(void **state)
{
	(void)state;
	prefix_parse("172.16.0.0/12", &lab.nets[0].exempt[0]);
	lab.nets[0].n_exempt = 1;
	nat_lab_commit();
	nat_lab_udp(in1, 4000, "172.16.0.9", 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_lab_src_is(in1, 4000));
	assert_int_equal(lab.vid, LAB_OUT);
	nat_lab_udp("172.16.0.9", 53, in1, 4000);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_int_equal(lab.vid, LAB_IN);
	assert_true(nat_lab_dst_is(in1, 4000));
	nat_lab_udp("172.16.0.9", 54, in1, 4000);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	/* No longer exempt. */
	lab.nets[0].n_exempt = 0;
	nat_lab_commit();
	nat_lab_udp("172.16.0.9", 53, in1, 4000);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	nat_lab_udp(in1, 4000, "172.16.0.9", 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_equal(lab.k.src.b[12], 192);
}

static void routes(void **state)
{
	(void)state;
	nat_lab_udp(in1, 4000, "10.9.0.7", 53);
	assert_int_equal(nat_lab_route(LAB_IN, LAB_ROUTED, false), DROP_NETWORKS_APART);
	assert_int_equal(nat_lab_route(LAB_IN, LAB_ROUTED, true), DROP_NONE);
	assert_int_equal(lab.vid, LAB_ROUTED);
	assert_true(nat_lab_src_is(in1, 4000) && nat_lab_dst_is("10.9.0.7", 53));
	nat_lab_udp("10.9.0.7", 53, in1, 4000);
	assert_int_equal(nat_lab_route(LAB_ROUTED, LAB_IN, false), DROP_NONE);
	assert_int_equal(lab.vid, LAB_IN);
	nat_lab_udp("10.9.0.7", 54, in1, 4000);
	assert_int_equal(nat_lab_route(LAB_ROUTED, LAB_IN, false), DROP_NETWORKS_APART);
	/* The route is gone: what began goes on no more. */
	nat_lab_udp(in1, 4000, "10.9.0.7", 53);
	assert_int_equal(nat_lab_route(LAB_IN, LAB_ROUTED, false), DROP_NETWORKS_APART);
	nat_lab_tcp(in1, 4000, "10.9.0.7", 80, ACK, 1, 1, 0);
	assert_int_equal(nat_lab_route(LAB_IN, LAB_ROUTED, true), DROP_NAT_TCP);
	nat_lab_query(in1, "10.9.0.7", true, 3);
	assert_int_equal(nat_lab_route(LAB_IN, LAB_ROUTED, true), DROP_NONE);
	nat_lab_query("10.9.0.7", in1, false, 3);
	assert_int_equal(nat_lab_route(LAB_ROUTED, LAB_IN, false), DROP_NONE);
	/* Errors, of either side. */
	nat_lab_udp(in1, 4000, "10.9.0.7", 53);
	nat_lab_error("10.9.0.7", 3, 3, 8);
	assert_int_equal(nat_lab_route(LAB_ROUTED, LAB_IN, false), DROP_NONE);
	assert_int_equal(lab.vid, LAB_IN);
	nat_lab_udp("10.9.0.7", 53, in1, 4000);
	nat_lab_error(in1, 3, 3, 8);
	assert_int_equal(nat_lab_route(LAB_IN, LAB_ROUTED, true), DROP_NONE);
	nat_lab_udp("10.9.0.7", 55, in1, 4000);
	nat_lab_error(in1, 3, 3, 8);
	assert_int_equal(nat_lab_route(LAB_IN, LAB_ROUTED, true), DROP_NAT_ERROR);
	/* A network goes, and its sessions with it. */
	lab.conf.n_nets = 2;
	nat_lab_commit();
	nat_lab_udp("10.9.0.7", 53, in1, 4000);
	assert_int_not_equal(nat_lab_route(LAB_ROUTED, LAB_IN, false), DROP_NONE);
}

/* N12, N25, N27, R02: at its limit a network refuses what is new, by a reason of its own, and keeps what lives. */
static void limits(void **state)
{
	uint16_t first[10];

	(void)state;
	lab.nets[0].per_guest = 100;
	lab.nets[0].sessions = 150;
	nat_lab_commit();
	for (uint16_t i = 0; i < 100; i++) {
		uint16_t port = nat_lab_mapping(LAB_IN, in1, (uint16_t)(3000 + i));

		assert_int_not_equal(port, 0);
		if (i < 10)
			first[i] = port;
	}
	nat_lab_udp(in1, 9000, out1, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_GUEST_FULL);
	for (uint16_t i = 0; i < 50; i++)
		assert_int_not_equal(nat_lab_mapping(LAB_IN2, in2, (uint16_t)(3000 + i)), 0);
	for (uint16_t i = 0; i < 10; i++) {
		assert_int_equal(nat_lab_mapping(LAB_IN, in1, (uint16_t)(3000 + i)), first[i]);
		nat_lab_udp(out2, 9, us, first[i]);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	}
	assert_int_equal(nat_lab_stats(LAB_IN).refused[DROP_NAT_GUEST_FULL], 1);
	assert_int_equal(nat_lab_stats(LAB_IN).sessions, 100);
	lab.nets[0].per_guest = 1000;
	nat_lab_commit();
	for (uint16_t i = 0; i < 50; i++) {
		nat_lab_udp(in2, (uint16_t)(3000 + i), out1, 53);
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	}
	nat_lab_udp(in2, 9000, out1, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_FULL);
	lab.nets[0].sessions = 10000;
	lab.nets[0].rate = 10;
	nat_lab_commit();
	nat_lab_wait(2);
	for (uint16_t i = 0; i < 10; i++) {
		nat_lab_udp(in2, (uint16_t)(7000 + i), out1, 53);
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	}
	nat_lab_udp(in2, 9000, out1, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_RATE);
}

/* N33: guests use the same identification, and to one destination none is seen twice; atomic packets are left alone. */
static void identifications(void **state)
{
	bool seen[65536] = {false};

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		nat_lab_udp(i & 1 ? in1 : in2, 4000, out1, 53);
		write_be16(lab.f.snap + 20, 0);
		nat_lab_fix_ipv4();
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
		assert_false(seen[lab.k.fragment_id]);
		seen[lab.k.fragment_id] = true;
	}
	nat_lab_udp(in1, 4000, out1, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_equal(lab.k.fragment_id, 0x1234);
}

/* N35: listing and ending by network, protocol and port. */
static void list_and_flush(void **state)
{
	struct nat_entry e[64];
	struct nat_filter filter = {.vid = LAB_IN, .proto = PROTO_TCP};
	uint64_t cursor = 0;
	uint16_t port = nat_lab_mapping(LAB_IN, in1, 4000);
	unsigned n;

	(void)state;
	nat_lab_mapping(LAB_IN2, in2, 4000);
	nat_lab_udp("198.51.100.9", 9, us, port);
	nat_lab_in(LAB_OUT);
	for (uint16_t i = 0; i < 5; i++) {
		nat_lab_tcp(in1, (uint16_t)(5000 + i), out1, 80, SYN, 1, 0, 0);
		nat_lab_out(LAB_IN);
	}
	nat_lab_wait(10);
	n = nat_lab_list(e, 64);
	assert_int_equal(n, 7);
	assert_int_equal(e[0].inside_port, 4000);
	assert_int_equal(e[0].outside_port, port);
	assert_int_equal(e[0].outside_vid, LAB_OUT);
	assert_int_equal(e[0].rx_frames, 1);
	assert_int_equal(e[0].tx_frames, 1);
	assert_int_equal(e[0].idle_s, 10);
	assert_int_equal(e[0].expires_s, 290);
	assert_string_equal(e[0].state, "answered");
	assert_string_equal(e[2].state, "syn_sent");
	assert_int_equal(nat_list(lab.nat, &filter, &cursor, e, 3, lab.now_ns), 3);
	assert_int_not_equal(cursor, UINT64_MAX);
	assert_int_equal(nat_list(lab.nat, &filter, &cursor, e, 64, lab.now_ns), 2);
	assert_int_equal(cursor, UINT64_MAX);
	cursor = 0;
	assert_int_equal(nat_flush(lab.nat, &filter, &cursor, lab.now_ns), 5);
	assert_int_equal(nat_lab_list(e, 64), 2);
	filter = (struct nat_filter){.slot_plus_1 = LAB_SLOT + 1};
	cursor = 0;
	assert_int_equal(nat_flush(lab.nat, &filter, &cursor, lab.now_ns), 2);
	nat_lab_udp("198.51.100.9", 9, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
}

/* N34: off; on: mappings, no destinations; with destinations: sessions. */
static void session_log(void **state)
{
	struct nat_log_record r;
	static const struct ip none;

	(void)state;
	nat_lab_mapping(LAB_IN, in1, 4000);
	assert_false(nat_log_read(lab.nat, &r));
	lab.nets[0].log = NAT_LOG_ON;
	nat_lab_commit();
	for (uint16_t i = 0; i < 5; i++) {
		nat_lab_udp(in1, 4001, out1, (uint16_t)(50 + i));
		nat_lab_out(LAB_IN);
	}
	assert_true(nat_log_read(lab.nat, &r));
	assert_false(r.is_end);
	assert_true(ip_equal(&r.e.remote_ip, &none) && r.e.remote_port == 0);
	assert_int_equal(r.e.inside_port, 4001);
	assert_false(nat_log_read(lab.nat, &r));
	nat_lab_wait(310);
	assert_true(nat_log_read(lab.nat, &r));
	assert_true(r.is_end);
	while (nat_log_read(lab.nat, &r))
		assert_true(r.is_end);
	lab.nets[0].log = NAT_LOG_DESTINATIONS;
	nat_lab_commit();
	for (uint16_t i = 0; i < 5; i++) {
		nat_lab_udp(in1, 4001, out1, (uint16_t)(50 + i));
		nat_lab_out(LAB_IN);
		assert_true(nat_log_read(lab.nat, &r));
		assert_int_equal(r.e.remote_port, 50 + i);
	}
}

/* Another uplink, or another address: sessions of the former one pass nothing. */
static void reconfigured(void **state)
{
	uint16_t port = nat_lab_mapping(LAB_IN, in1, 4000);

	(void)state;
	nat_lab_udp("198.51.100.9", 9, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_commit();
	nat_lab_udp("198.51.100.9", 9, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	lab.nets[0].outside = 1;
	nat_lab_commit();
	nat_lab_udp("198.51.100.9", 9, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	assert_int_not_equal(nat_lab_mapping(LAB_IN, in1, 4000), 0);
	assert_int_equal(lab.vid, LAB_OUT2);
	lab.outsides[1].pool[0] = nat_lab_ip("203.0.113.2");
	nat_lab_commit();
	nat_lab_wait(10);
	assert_int_equal(nat_lab_stats(LAB_IN).sessions, 0);
}

/* What a killed switch leaves, the next one goes on with. */
static void restarted(void **state)
{
	uint16_t port = nat_lab_mapping(LAB_IN, in1, 4000);
	uint32_t sessions = 0;
	uint64_t frames;
	struct nat_plan *plan;

	(void)state;
	nat_lab_add_rule("ssh", PROTO_TCP, us, 2222, 2222, in1, 22);
	nat_lab_commit();
	nat_lab_tcp(out1, 999, us, 2222, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_add_rule("aaa", PROTO_TCP, us, 1111, 1111, in1, 11);
	nat_lab_restart();
	nat_lab_udp("198.51.100.9", 9, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_int_equal(nat_lab_mapping(LAB_IN, in1, 4000), port);
	nat_lab_tcp(in1, 22, out1, 999, SYN | ACK, 1, 2, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_lab_src_is(us, 2222));
	plan = nat_commit(lab.nat, nat_plan_create(&lab.conf));
	assert_true(nat_rule_stats(plan, "ssh", &sessions, &frames));
	assert_int_equal(sessions, 1);
	nat_plan_destroy(plan);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nat_lab_setup, nat_lab_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(mapping_is_endpoint_independent),
		TEST(nothing_is_overloaded),
		TEST(ports_keep_their_class),
		TEST(ports_are_random),
		TEST(pooling_is_paired),
		TEST(filter_is_address_and_port_dependent),
		TEST(filter_can_be_open),
		TEST(udp_timer),
		TEST(refresh_directions),
		TEST(ports_rest),
		TEST(hairpin_udp),
		TEST(hairpin_forward),
		TEST(hairpin_elsewhere),
		TEST(quotas_apart),
		TEST(queries),
		TEST(ipv6),
		TEST(other_protocols),
		TEST(exempt),
		TEST(routes),
		TEST(limits),
		TEST(identifications),
		TEST(list_and_flush),
		TEST(session_log),
		TEST(reconfigured),
		TEST(restarted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
