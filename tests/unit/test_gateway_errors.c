/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway: time to live, MTU and fragments, echo, refusals, and what its errors say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/csum.h"
#include "switch/port/gso.h"
#include "tests/lib/gateway_lab.h"

enum {
	IP = ETH_HEADER,
	SRC = IP + 12,
	DST = IP + 16,
	L4 = IP + 20,
	L4_6 = IP + 40,
	INNER = IP + 28,
	DF = 0x4000,
	MF = 0x2000,
	SYN = 2,
	RST = 4,
	ACK = 16
};

static struct gate_frame in, out;
static const struct gate_say a_out = {.vid = VID_A, .src = "10.10.0.5", .dst = "198.51.100.7"};
static const struct gate_say a_out6 = {.vid = VID_A, .src = "fd00:a::5", .dst = "2001:db8:7::7"};
static const struct gate_say a_us = {.vid = VID_A, .src = "10.10.0.5", .dst = "10.10.0.1"};
static const struct gate_say back = {.vid = VID_U, .src = "198.51.100.7", .dst = "192.0.2.1"};

static int setup(void **state)
{
	struct lab *l = gate_create();

	l->snap = 128;
	gate_meet(l, VID_U, "192.0.2.254");
	gate_meet(l, VID_U, "2001:db8::fe");
	gate_meet(l, VID_A, "10.10.0.5");
	gate_meet(l, VID_A, "fd00:a::5");
	*state = l;
	return 0;
}

/* The one made frame is an ICMP error of IPv4 from `src` to 10.10.0.5 about what he sent. */
static void assert_error(const struct lab *l, uint8_t type, uint8_t code, const char *src)
{
	assert_int_equal(l->made.vec.n, 1);
	assert_int_equal(l->made.vec.f[0].tci & TCI_VID, VID_A);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[IP + 9], PROTO_ICMP);
	assert_int_equal(out.b[L4], type);
	assert_int_equal(out.b[L4 + 1], code);
	assert_true(gate_has_ip(&out, SRC, src));
	assert_true(gate_has_ip(&out, DST, "10.10.0.5"));
	assert_true(gate_has_ip(&out, INNER + 12, "10.10.0.5"));
	assert_true(out.len <= IP + 576);
}

static void test_ttl(void **state)
{
	struct gate_say say = a_out, six = a_out6;
	struct lab *l = *state;

	say.ttl = 1;
	gate_udp(&in, &say, 4000, 33434, 1000);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_TTL);
	assert_error(l, 11, 0, "10.10.0.1");
	assert_memory_equal(out.b + INNER, in.b + IP, 548);
	six.ttl = 1;
	gate_udp(&in, &six, 4000, 33434, 1400);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_TTL);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[L4_6], 3);
	assert_int_equal(out.len, IP + 1280);
	assert_memory_equal(out.b + L4_6 + 8, in.b + IP, 1232);
	/* never about an error, or a fragment that is not the first */
	say.proto = PROTO_ICMP;
	gate_ip(&in, &say,
		"\3\3\0\0\0\0\0\0\105\0\0\34\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 36);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_TTL);
	assert_int_equal(l->made.vec.n, 0);
	say.flags = 100;
	gate_udp(&in, &say, 4000, 33434, 1000);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_TTL);
	assert_int_equal(l->made.vec.n, 0);
}

/* From outside the time to live ends behind the NAT: the error leaves with the address that was asked. */
static void test_ttl_in(void **state)
{
	struct lab *l = *state;
	struct gate_say say = back;

	say.ttl = 1;
	gate_udp(&in, &say, 4000, 8080, 10);
	assert_int_equal(gate_pass(l, VID_U, &in)->drop, DROP_TTL);
	assert_int_equal(l->made.vec.n, 1);
	assert_int_equal(l->made.vec.f[0].tci, VID_U);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[L4], 11);
	assert_true(gate_has_ip(&out, SRC, "192.0.2.1"));
	assert_true(gate_has_ip(&out, DST, "198.51.100.7"));
	assert_true(gate_has_ip(&out, INNER + 16, "192.0.2.1"));
	assert_int_equal(read_be16(out.b + INNER + 22), 8080);
}

static void test_mtu_df(void **state)
{
	struct lab *l = *state;
	struct gate_say say = a_out;

	l->conf->leg[LAB_U].mtu = 1400;
	say.flags = DF;
	gate_udp(&in, &say, 4000, 53, 1400);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_MTU);
	assert_error(l, 3, 4, "10.10.0.1");
	assert_int_equal(read_be16(out.b + L4 + 6), 1400);
	assert_int_equal(read_be16(out.b + INNER + 20), 4000);
	gate_udp(&in, &a_out6, 4000, 53, 1400);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_MTU);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[L4_6], 2);
	assert_int_equal(read_be32(out.b + L4_6 + 4), 1400);
	/* exactly the MTU is not too large */
	gate_udp(&in, &say, 4000, 53, 1372);
	assert_int_equal(gate_pass(l, VID_A, &in)->out, OUT_NONE);
}

/* Collects the fragments: the payload in order, as if it had arrived. */
static uint32_t join(uint8_t *to, const struct gate_frame *f, uint32_t mtu)
{
	unsigned header = (f->b[IP] & 15) * 4u;
	uint32_t at = (read_be16(f->b + IP + 6) & 0x1fffu) * 8,
		 n = read_be16(f->b + IP + 2) - header;

	assert_true(header + n <= mtu);
	memcpy(to + at, f->b + IP + header, n);
	return n;
}

static void test_fragments(void **state)
{
	static uint8_t whole[LAB_FRAME];
	static const uint32_t sizes[] = {1400, 3000, 9000, 65000};
	struct lab *l = *state;
	struct frame *f;

	for (unsigned s = 0; s < 4; s++) {
		for (unsigned partial = 0; partial < 2; partial++) {
			uint32_t got;

			l->conf->leg[LAB_U].mtu = 1404;
			gate_udp(&in, &a_out, 4000, 53, sizes[s]);
			gate_clear(l);
			f = gate_give(l, VID_A, &in, 128);
			if (partial) {
				/* as a tap has it: the pseudo-header's sum, 10.10.0.5 198.51.100.7 17 n */
				uint32_t sum = 0x0a0a + 5 + 0xc633 + 0x6407 + 17 + 8 + sizes[s];

				sum = (sum & 0xffff) + (sum >> 16);
				write_be16(f->snap + L4 + 6, (uint16_t)sum);
				f->off = (struct offload){.flags = OFFLOAD_NEEDS_CSUM,
							  .csum_start = L4,
							  .csum_offset = 6};
			}
			gate_run(l);
			assert_int_equal(f->drop, DROP_NONE);
			gate_read(&out, f);
			assert_true(read_be16(out.b + IP + 6) & MF);
			got = join(whole, &out, 1404);
			for (unsigned i = 0; i < l->made.vec.n; i++) {
				gate_made(l, i, &out);
				assert_int_equal(!(read_be16(out.b + IP + 6) & MF),
						 i + 1 == l->made.vec.n);
				assert_int_equal(l->made.vec.f[i].tci, VID_U);
				got += join(whole, &out, 1404);
			}
			assert_int_equal(got, 8 + sizes[s]);
			for (uint32_t i = 0; i < sizes[s]; i++)
				assert_int_equal(whole[8 + i], (uint8_t)(i * 7));
			/* The checksum is that of the translated whole. */
			in.len = IP + 20 + got;
			memcpy(in.b + IP + 20, whole, got);
			memcpy(in.b + IP + 12, out.b + IP + 12, 8);
			write_be16(whole, read_be16(in.b + L4 + 6));
			gate_ip(&out,
				&(struct gate_say){.vid = VID_U,
						   .src = "192.0.2.1",
						   .dst = "198.51.100.7",
						   .proto = PROTO_UDP},
				in.b + L4, got);
			assert_int_equal(read_be16(out.b + L4 + 6), read_be16(whole));
		}
	}
}

static void test_fragment_again(void **state)
{
	struct lab *l = *state;
	struct gate_say say = a_out;
	struct frame *f;

	l->conf->leg[LAB_U].mtu = 600;
	say.flags = MF;
	say.id = 77;
	gate_udp(&in, &say, 4000, 53, 1192);
	f = gate_pass(l, VID_A, &in);
	assert_int_equal(f->drop, DROP_NONE);
	assert_int_equal(l->made.vec.n, 2);
	gate_made(l, 1, &out);
	assert_int_equal(read_be16(out.b + IP + 6), MF | 1152 / 8);
}

/* A frame of 64 KiB is judged by its segments. */
static void test_gso(void **state)
{
	struct lab *l = *state;
	struct gate_say say = a_out;
	struct frame *f;

	for (unsigned df = 0; df < 2; df++) {
		l->conf->leg[LAB_U].mtu = 1500;
		say.flags = df ? DF : 0;
		gate_tcp(&in, &say, 4000, 80, SYN); /* so that there is a session */
		gate_pass(l, VID_A, &in);
		gate_tcp(&in, &say, 4000, 80, ACK);
		memset(in.b + in.len, 1, 30000);
		in.len += 30000;
		write_be16(in.b + IP + 2, (uint16_t)(in.len - IP));
		write_be16(in.b + IP + 10, 0);
		write_be16(in.b + IP + 10, csum_fold(csum_add(0, in.b + IP, 20)));
		for (unsigned small = 0; small < 2; small++) {
			l->conf->leg[LAB_U].mtu = small ? 1400 : 1500;
			gate_clear(l);
			f = gate_give(l, VID_A, &in, 128);
			f->off = (struct offload){.flags = OFFLOAD_NEEDS_CSUM,
						  .gso_type = GSO_TCPV4,
						  .hdr_len = L4 + 24,
						  .gso_size = 1456,
						  .csum_start = L4,
						  .csum_offset = 16};
			gate_run(l);
			assert_int_equal(f->drop, small && df ? DROP_MTU : DROP_NONE);
			if (small && df)
				assert_error(l, 3, 4, "10.10.0.1");
			else
				assert_true(gso_mtu_bytes(f) <= l->conf->leg[LAB_U].mtu);
		}
	}
}

static void test_mss(void **state)
{
	struct lab *l = *state;
	struct frame *f;

	l->conf->leg[LAB_U].mtu = 1400;
	gate_tcp(&in, &a_out, 4000, 80, SYN);
	f = gate_pass(l, VID_A, &in);
	gate_read(&out, f);
	assert_int_equal(read_be16(out.b + L4 + 22), 1360);
	/* and the answer's, though it goes to the larger network */
	gate_tcp(&in, &back, 80, read_be16(out.b + L4), SYN | ACK);
	f = gate_pass(l, VID_U, &in);
	assert_int_equal(f->out, OUT_NONE);
	gate_read(&out, f);
	assert_int_equal(read_be16(out.b + L4 + 22), 1360);
}

/* --- for the gateway itself --- */

static void test_echo(void **state)
{
	static const uint32_t sizes[] = {0, 8, 56, 1000, 1016, 1017, 8000, 65000};
	struct lab *l = *state;
	unsigned snaps[] = {64, 128, 2048};

	for (unsigned i = 0; i < 8 * 3; i++) {
		uint32_t n = sizes[i / 3];

		gate_echo(&in, &a_us, 9, n);
		gate_clear(l);
		gate_give(l, VID_A, &in, snaps[i % 3]);
		gate_run(l);
		assert_int_equal(l->v.f[0].out, OUT_LOCAL);
		gate_made(l, 0, &out);
		assert_int_equal(out.len, in.len);
		assert_int_equal(out.b[L4], 0);
		assert_memory_equal(out.b + L4 + 4, in.b + L4 + 4, n + 4);
		assert_true(gate_has_ip(&out, DST, "10.10.0.5"));
		gate_echo(&in,
			  &(struct gate_say){.vid = VID_A, .src = "fd00:a::5", .dst = "fd00:a::1"},
			  9, n);
		gate_clear(l);
		gate_give(l, VID_A, &in, snaps[i % 3]);
		gate_run(l);
		gate_made(l, 0, &out);
		assert_int_equal(out.b[L4_6], 129);
		assert_memory_equal(out.b + L4_6 + 4, in.b + L4_6 + 4, n + 4);
	}
	/* from outside, and from inside to the outside address */
	gate_echo(&in, &back, 9, 56);
	assert_int_equal(gate_pass(l, VID_U, &in)->out, OUT_LOCAL);
	gate_made(l, 0, &out);
	assert_int_equal(l->made.vec.f[0].tci, VID_U);
	gate_echo(&in, &(struct gate_say){.vid = VID_A, .src = "10.10.0.5", .dst = "192.0.2.1"}, 9,
		  56);
	assert_int_equal(gate_pass(l, VID_A, &in)->out, OUT_LOCAL);
	gate_made(l, 0, &out);
	assert_true(gate_has_ip(&out, DST, "10.10.0.5"));
	/* a wrong checksum stays wrong; a fragment is not ours to join */
	gate_echo(&in, &a_us, 9, 56);
	in.b[L4 + 2] ^= 1;
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 1);
	gate_echo(&in,
		  &(struct gate_say){
			  .vid = VID_A, .src = "10.10.0.5", .dst = "10.10.0.1", .flags = MF},
		  9, 56);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_SERVICE);
}

static void test_refused(void **state)
{
	struct lab *l = *state;

	gate_udp(&in, &a_us, 4000, 53, 10);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_SERVICE);
	assert_error(l, 3, 3, "10.10.0.1");
	gate_tcp(&in, &a_us, 4000, 80, SYN);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_SERVICE);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[L4 + 13], RST | ACK);
	assert_int_equal(read_be32(out.b + L4 + 8), 101);
	assert_int_equal(read_be16(out.b + L4), 80);
	gate_tcp(&in, &a_us, 4000, 80, ACK);
	gate_pass(l, VID_A, &in);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[L4 + 13], RST);
	assert_int_equal(read_be32(out.b + L4 + 4), 77);
	gate_tcp(&in, &a_us, 4000, 80, RST);
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 0);
	gate_ip(&in,
		&(struct gate_say){
			.vid = VID_A, .src = "10.10.0.5", .dst = "10.10.0.1", .proto = 47},
		"12345678", 8);
	gate_pass(l, VID_A, &in);
	assert_error(l, 3, 2, "10.10.0.1");
	/* outside nothing is said */
	gate_udp(&in, &back, 4000, 53, 10);
	assert_int_equal(gate_pass(l, VID_U, &in)->drop, DROP_NAT_NO_SESSION);
	gate_tcp(&in, &back, 4000, 80, SYN);
	assert_int_not_equal(gate_pass(l, VID_U, &in)->drop, DROP_NONE);
	assert_int_equal(l->made.vec.n, 0);
}

/* More than the limit is not answered (R06); time brings it back. */
static void test_limits(void **state)
{
	struct lab *l = *state;
	struct gateway_stats s;
	unsigned answers = 0;

	for (unsigned i = 0; i < 500; i++) {
		gate_udp(&in, &a_us, 4000, 53, 10);
		gate_pass(l, VID_A, &in);
		answers += l->made.vec.n;
	}
	assert_in_range(answers, 1, 500);
	gateway_announce(l->g, l->conf, l->call.now_ns); /* the leg's own limit, from here on */
	gate_tick(l, 10);
	answers = 0;
	for (unsigned i = 0; i < 500; i++) {
		gate_pass(l, VID_A, &in);
		answers += l->made.vec.n;
	}
	assert_int_equal(answers, 50);
	l->call.now_ns += 1000000000;
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 1);
	gateway_stats(l->g, &s);
	assert_true(s.errors_held >= 450);
}

/* A guest that has no session left hears so (N25, N27). */
static void test_nat_full(void **state)
{
	struct lab *l = *state;
	struct frame *f = NULL;

	for (unsigned i = 0; i < 65; i++) {
		gate_udp(&in, &a_out, (uint16_t)(4000 + i), 53, 10);
		f = gate_pass(l, VID_A, &in);
	}
	assert_int_equal(f->drop, DROP_NAT_GUEST_FULL);
	assert_error(l, 3, 13, "10.10.0.1");
}

static void test_odd_frames(void **state)
{
	struct lab *l = *state;

	/* options: a source route is not followed */
	gate_udp(&in, &a_out, 4000, 53, 10);
	in.b[12] = 0x12;
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_SERVICE);
	gate_udp(&in, &a_out, 4000, 53, 10);
	in.b[IP + 10] ^= 1;
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_BAD_IP);
	gate_udp(&in, &a_out, 4000, 53, 10);
	in.len = IP + 12;
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_BAD_IP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ttl, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_ttl_in, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_mtu_df, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_fragments, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_fragment_again, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_gso, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_mss, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_echo, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_nat_full, setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_odd_frames, setup, gate_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
