/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of nat/icmp: PROMISES rows N07 (errors), N10 (hairpin of errors), N13, N14, N23, N24, M09. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/nat_lab.h"

static const char *const in1 = "10.0.0.5", *const in2 = "10.0.0.6", *const us = "192.0.2.1";
static const char *const out1 = "198.51.100.10", *const router = "203.0.113.77";
static const char *const in6 = "fd00:a::5", *const us6 = "2001:db8::1",
			 *const out6 = "2001:db8:f::1";

enum { INNER4 = 14 + 20 + 8, INNER6 = 14 + 40 + 8 };

/* What the inner header says, at offset `at` of its addresses or ports. */
static bool inner_has(unsigned at, const char *ip)
{
	struct ip want = nat_lab_ip(ip);
	unsigned n = lab.k.is_v6 ? 16 : 4;

	return memcmp(lab.f.snap + at, want.b + 16 - n, n) == 0;
}

static uint16_t inner16(unsigned at)
{
	return read_be16(lab.f.snap + at);
}

/* A packet that went out, as it is on the outside, in hand. */
static uint16_t send_udp(void)
{
	nat_lab_udp(in1, 4000, out1, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	return lab.k.sport;
}

/* N14, N24: whoever sends it; type and code stay, both headers are what the guest sent. */
static void from_outside(void **state)
{
	static const struct {
		uint8_t type, code;
	} row[] = {{3, 0}, {3, 1},  {3, 3},  {3, 4},  {3, 13},
		   {4, 0}, {11, 0}, {11, 1}, {12, 0}, {3, 255}};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++)
		for (unsigned bytes = 8; bytes <= 20; bytes += 4) {
			send_udp();
			nat_lab_error(i & 1 ? router : out1, row[i].type, row[i].code, bytes);
			assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
			assert_int_equal(lab.vid, LAB_IN);
			assert_true(nat_lab_dst_is(in1, 0) &&
				    nat_lab_src_is(i & 1 ? router : out1, 0));
			assert_int_equal(lab.k.icmp_type, row[i].type);
			assert_int_equal(lab.k.icmp_code, row[i].code);
			assert_true(inner_has(INNER4 + 12, in1) && inner_has(INNER4 + 16, out1));
			assert_int_equal(inner16(INNER4 + 20), 4000);
			assert_int_equal(inner16(INNER4 + 22), 53);
		}
}

/* The packet inside is bit for bit what the guest sent. */
static void inner_is_restored(void **state)
{
	uint8_t sent[64];

	(void)state;
	nat_lab_udp(in1, 4000, out1, 53);
	memcpy(sent, lab.f.snap + 14, 40);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	nat_lab_error(router, 11, 0, 20);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_memory_equal(lab.f.snap + INNER4, sent, 40);
}

/* N23: TCP of which only 8 bytes are there, and whole. */
static void inner_tcp(void **state)
{
	uint8_t sent[40];

	(void)state;
	for (unsigned bytes = 8; bytes <= 20; bytes++) {
		nat_lab_tcp(in1, 4000, out1, 80, SYN, 77, 0, 0);
		memcpy(sent, lab.f.snap + 14, 40);
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
		nat_lab_error(router, 3, 1, bytes);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
		if (bytes < 16 || bytes >= 18)
			assert_memory_equal(lab.f.snap + INNER4, sent, 20 + bytes);
	}
}

static void inner_query(void **state)
{
	uint16_t id;

	(void)state;
	nat_lab_query(in1, out1, true, 7);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	id = lab.k.sport;
	nat_lab_error(router, 11, 0, 8);
	assert_int_equal(inner16(INNER4 + 24), id);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_int_equal(inner16(INNER4 + 24), 7);
	assert_true(nat_lab_dst_is(in1, 0));
	nat_lab_query(in6, out6, true, 7);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	nat_lab_error(out6, 3, 0, 24);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_int_equal(inner16(INNER6 + 44), 7);
}

/* N23: what is dropped, and what is translated all the same. */
static void validation(void **state)
{
	(void)state;
	send_udp();
	nat_lab_error(router, 3, 1, 20);
	lab.f.snap[36] ^= 1; /* outer checksum */
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
	send_udp();
	lab.f.snap[24] ^= 1; /* inner header checksum */
	nat_lab_error(router, 3, 1, 20);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
	send_udp();
	lab.f.snap[40] ^= 1; /* inner UDP checksum */
	nat_lab_error(router, 3, 1, 20);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(nat_lab_dst_is(in1, 0));
	/* Inner IP options: three times nothing and the end. */
	send_udp();
	memmove(lab.f.snap + 38, lab.f.snap + 34, 20);
	memcpy(lab.f.snap + 34, "\1\1\1\0", 4);
	lab.f.snap[14] = 0x46;
	write_be16(lab.f.snap + 16, 44);
	lab.f.len = lab.f.snap_len = 58;
	nat_lab_fix_ipv4();
	nat_lab_error(router, 3, 1, 20);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_int_equal(inner16(INNER4 + 24), 4000);
}

/* N23: an extension structure (RFC 4884) behind the packet stays as it is. */
static void extensions(void **state)
{
	static const uint8_t extension[12] = {0x20, 0, 0, 0, 0, 8, 1, 1, 0xde, 0xad, 0xbe, 0xef};
	uint8_t l4[8 + 128 + 12] = {11, 0, 0, 0, 0, 32};
	struct ip from = nat_lab_ip(router), to = nat_lab_ip(us);

	(void)state;
	send_udp();
	memcpy(l4 + 8, lab.f.snap + 14, 40);
	memcpy(l4 + 136, extension, 12);
	nat_lab_ip_packet(&from, &to, PROTO_ICMP, l4, sizeof(l4));
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_memory_equal(lab.f.snap + 34 + 136, extension, 12);
	assert_int_equal(lab.f.snap[39], 32);
}

/* N24: from the guest, and from a router inside: both get the outside address. */
static void from_inside(void **state)
{
	uint16_t port = send_udp();
	const char *const who[] = {in1, "10.0.0.254", "172.20.1.1"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		uint8_t sent[40];

		nat_lab_udp(out1, 53, us, port);
		memcpy(sent, lab.f.snap + 14, 40);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
		nat_lab_error(who[i], 3, 3, 20);
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
		assert_int_equal(lab.vid, LAB_OUT);
		assert_true(nat_lab_src_is(us, 0) && nat_lab_dst_is(out1, 0));
		assert_memory_equal(lab.f.snap + INNER4, sent, 40);
	}
}

static void ipv6(void **state)
{
	uint16_t port;
	uint8_t sent[60];

	(void)state;
	for (uint8_t type = 1; type <= 4; type++) {
		nat_lab_udp(in6, 4000, out6, 53);
		memcpy(sent, lab.f.snap + 14, 60);
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
		port = lab.k.sport;
		nat_lab_error("2001:db8:77::1", type, 0, 20);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
		assert_true(nat_lab_dst_is(in6, 0));
		assert_memory_equal(lab.f.snap + INNER6, sent, 60);
	}
	nat_lab_udp(out6, 53, us6, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_error(in6, 1, 4, 20);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_lab_src_is(us6, 0) && nat_lab_dst_is(out6, 0));
	assert_int_equal(inner16(INNER6 + 42), port);
}

/* N10, RFC 5508 REQ-7: in2 refuses what in1 sent to its outside end. */
static void hairpin(void **state)
{
	uint16_t a, b = nat_lab_mapping(LAB_IN, in2, 5000);

	(void)state;
	a = nat_lab_mapping(LAB_IN, in1, 4000);
	nat_lab_udp(in1, 4000, us, b);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_NO_SESSION);
	nat_lab_udp(in2, 5000, us, a);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	nat_lab_udp(in1, 4000, us, b);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	nat_lab_error(in2, 3, 3, 20);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_int_equal(lab.vid, LAB_IN);
	assert_true(nat_lab_src_is(us, 0) && nat_lab_dst_is(in1, 0));
	assert_true(inner_has(INNER4 + 12, in1) && inner_has(INNER4 + 16, us));
	assert_int_equal(inner16(INNER4 + 20), 4000);
	assert_int_equal(inner16(INNER4 + 22), b);
}

/* N24, M09: nothing that did not pass, nothing nested, nothing that lies. */
static void strangers(void **state)
{
	uint16_t port = send_udp();
	struct ip from = nat_lab_ip(router), to = nat_lab_ip(us);

	(void)state;
	/* Another remote end. */
	nat_lab_udp(us, port, out1, 54);
	nat_lab_error(router, 3, 1, 8);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
	/* Another outside port. */
	nat_lab_udp(us, (uint16_t)(port ^ 1), out1, 53);
	nat_lab_error(router, 3, 1, 8);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
	/* By the wrong uplink. */
	nat_lab_udp(us, port, out1, 53);
	nat_lab_error(router, 3, 1, 8);
	assert_int_equal(nat_lab_in(LAB_OUT2), DROP_NAT_ERROR);
	/* To somebody else than the one who sent. */
	send_udp();
	lab.k.src = nat_lab_ip("192.0.2.55");
	nat_lab_error(router, 3, 1, 8);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
	/* Inner packets of 0 to 27 bytes. */
	for (unsigned n = 0; n < 28; n++) {
		uint8_t l4[8 + 40] = {3, 1};

		send_udp();
		memcpy(l4 + 8, lab.f.snap + 14, n);
		nat_lab_ip_packet(&from, &to, PROTO_ICMP, l4, 8 + n);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
	}
	/* An inner header length that lies, an inner fragment without ports. */
	for (unsigned i = 0; i < 2; i++) {
		send_udp();
		if (i == 0)
			lab.f.snap[14] = 0x4f;
		else
			write_be16(lab.f.snap + 20, 0x0010);
		nat_lab_fix_ipv4();
		lab.k = (struct packet){.f = &lab.f, .l3 = 14, .l4 = 34, .ip_bytes = 40, .src = to};
		nat_lab_error(router, 3, 1, 20);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
	}
	/* An error about an error. */
	send_udp();
	nat_lab_error(router, 3, 1, 8);
	lab.k.src = to;
	nat_lab_error(router, 3, 1, 40);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
	/* The inner packet is of the other family. */
	send_udp();
	lab.f.snap[14] = 0x65;
	nat_lab_error(router, 3, 1, 20);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
}

/* N13, N07: no type and code changes what a session is, or how long it lives. */
static void nothing_kills(void **state)
{
	uint16_t port;

	(void)state;
	nat_lab_tcp(in1, 4000, out1, 80, SYN, 77, 0, 0);
	nat_lab_out(LAB_IN);
	port = send_udp();
	nat_lab_wait(290);
	for (unsigned type = 0; type < 256; type++)
		for (unsigned code = 0; code < 256; code += type == 3 ? 1 : 51) {
			nat_lab_udp(us, port, out1, 53);
			nat_lab_error(router, (uint8_t)type, (uint8_t)code, 20);
			nat_lab_in(LAB_OUT);
		}
	nat_lab_udp(out1, 53, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	port = nat_lab_mapping(LAB_IN, in2, 5000);
	nat_lab_wait(290);
	nat_lab_udp(us, port, "198.51.100.9", 9);
	nat_lab_error(router, 3, 3, 8);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_wait(15);
	nat_lab_udp(us, port, "198.51.100.9", 9);
	nat_lab_error(router, 3, 3, 8);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_ERROR);
}

/* A message that is longer than the snapshot: its checksum is verified and kept over the body. */
static void long_message(void **state)
{
	static uint8_t body[600];
	struct iovec iov[2] = {{body, 300}, {body + 300, 300}};
	uint8_t l4[8 + 640] = {3, 1};
	struct ip from = nat_lab_ip(router), to = nat_lab_ip(us);

	(void)state;
	for (unsigned bad = 0; bad < 2; bad++) {
		send_udp();
		memcpy(l4 + 8, lab.f.snap + 14, 40);
		for (unsigned i = 48; i < sizeof(l4); i++)
			l4[i] = (uint8_t)(i * 5);
		nat_lab_ip_packet(&from, &to, PROTO_ICMP, l4, sizeof(l4));
		memcpy(body, lab.f.snap + 82, 600);
		body[599] ^= (uint8_t)bad;
		lab.f.snap_len = 82;
		lab.f.body = iov;
		lab.f.body_cnt = 2;
		{
			struct nat_job j = {.k = &lab.k, .vid = LAB_OUT, .slot = LAB_SLOT};
			enum drop drop = nat_in(lab.nat, &j, lab.now_ns, &lab.held);

			assert_int_equal(drop, bad ? DROP_NAT_ERROR : DROP_NONE);
		}
		lab.f.snap_len = (uint16_t)lab.f.len;
		if (!bad)
			assert_true(nat_lab_checksums_hold());
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nat_lab_setup, nat_lab_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(from_outside),  TEST(inner_is_restored),
		TEST(inner_tcp),     TEST(inner_query),
		TEST(validation),    TEST(extensions),
		TEST(from_inside),   TEST(ipv6),
		TEST(hairpin),	     TEST(strangers),
		TEST(nothing_kills), TEST(long_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
