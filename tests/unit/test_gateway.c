/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gateway: ARP, next hops that are not known yet, NAT both ways, networks apart, addresses that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/gateway_lab.h"

static struct gate_frame in, out;
static const struct mac nobody;

static void assert_icmp(const struct gate_frame *f, uint8_t type, uint8_t code)
{
	const uint8_t *ip = f->b + ETH_HEADER, *l4 = ip + (ip[0] >> 4 == 6 ? 40 : 20);

	assert_int_equal(ip[0] >> 4 == 6 ? ip[6] : ip[9],
			 ip[0] >> 4 == 6 ? PROTO_ICMPV6 : PROTO_ICMP);
	assert_int_equal(l4[0], type);
	assert_int_equal(l4[1], code);
}

static void assert_mac(const uint8_t *at, struct mac mac)
{
	assert_memory_equal(at, &mac, 6);
}

enum { SRC = ETH_HEADER + 12, DST = ETH_HEADER + 16 };

/* --- ARP: M04, R06 --- */

static void test_arp(void **state)
{
	static const uint8_t answer[] = {2,  0,	 0, 0, 10, 5, 2, 0x76, 0x66, 0,	   0,	 10, 8, 6,
					 0,  1,	 8, 0, 6,  4, 0, 2,    2,    0x76, 0x66, 0,  0, 10,
					 10, 10, 0, 1, 2,  0, 0, 0,    10,   5,	   10,	 10, 0, 5};
	struct lab *l = *state;

	gate_arp(&in, VID_A, 1, gate_host(VID_A, 5), "10.10.0.5", "10.10.0.1", nobody);
	assert_true(gateway_wants(&l->conf->leg[LAB_A], gate_give(l, VID_A, &in, 64)));
	assert_int_equal(gate_pass(l, VID_A, &in)->out, OUT_LOCAL);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_int_equal(out.len, ETH_MIN);
	assert_memory_equal(out.b, answer, sizeof(answer));
	assert_int_equal(l->made.vec.f[0].tci, VID_A);
	/* by unicast; and a probe of RFC 5227 */
	gate_arp(&in, VID_A, 1, gate_host(VID_A, 5), "10.10.0.5", "10.10.0.1", gate_leg(VID_A));
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 1);
	gate_arp(&in, VID_A, 1, gate_host(VID_A, 7), "0.0.0.0", "10.10.0.1", nobody);
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 1);
	/* for others: not ours */
	gate_arp(&in, VID_A, 1, gate_host(VID_A, 5), "10.10.0.5", "10.10.0.9", nobody);
	gate_clear(l);
	assert_false(gateway_wants(&l->conf->leg[LAB_A], gate_give(l, VID_A, &in, 64)));
}

static void test_arp_bad(void **state)
{
	/* offset and value of what is wrong */
	static const struct {
		unsigned at;
		uint8_t value;
	} odd[] = {{15, 6}, {16, 9}, {18, 8}, {19, 16},	 {21, 0},
		   {21, 3}, {20, 1}, {22, 1}, {28, 224}, {28, 127}};
	struct lab *l = *state;

	for (unsigned i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		gate_arp(&in, VID_A, 1, gate_host(VID_A, 5), "10.10.0.5", "10.10.0.1", nobody);
		in.b[odd[i].at] = odd[i].value;
		assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_BAD_ARP);
		assert_int_equal(l->made.vec.n, 0);
	}
	gate_arp(&in, VID_A, 2, gate_host(VID_A, 5), "0.0.0.0", "10.10.0.1", nobody);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_BAD_ARP);
	in.len = 41;
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_BAD_ARP);
}

static void test_arp_claim(void **state)
{
	struct lab *l = *state;
	struct gateway_stats s;

	gate_arp(&in, VID_A, 2, gate_host(VID_A, 66), "10.10.0.1", "10.10.0.1", nobody);
	assert_true(gateway_wants(&l->conf->leg[LAB_A], gate_give(l, VID_A, &in, 64)));
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 1); /* the defence */
	gate_made(l, 0, &out);
	assert_mac(out.b + 22, gate_leg(VID_A));
	for (unsigned i = 0; i < 100; i++) {
		gate_pass(l, VID_A, &in);
		assert_int_equal(l->made.vec.n, 0);
	}
	l->call.now_ns += 10000000000;
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 1);
	gateway_stats(l->g, &s);
	assert_int_equal(s.claims, 102);
}

/* --- on the way out --- */

static const struct gate_say a_out = {.vid = VID_A, .src = "10.10.0.5", .dst = "198.51.100.7"};

/* Teaches the next hop outside. */
static void know_outside(struct lab *l)
{
	gate_meet(l, VID_U, "192.0.2.254");
	gate_meet(l, VID_U, "2001:db8::fe");
}

static void test_waits_and_goes(void **state)
{
	struct lab *l = *state;
	struct frame *f;

	gate_udp(&in, &a_out, 4000, 53, 30000);
	f = gate_pass(l, VID_A, &in);
	assert_int_equal(f->drop, DROP_MTU == f->drop ? f->drop : DROP_NONE);
	gate_udp(&in, &a_out, 4000, 53, 300);
	f = gate_pass(l, VID_A, &in);
	assert_int_equal(f->drop, DROP_NONE);
	assert_int_equal(f->out, OUT_LOCAL);
	/* The question was asked with the first one. */
	gate_clear(l);
	gate_arp(&in, VID_U, 2, gate_host(VID_U, 254), "192.0.2.254", "192.0.2.1", gate_leg(VID_U));
	gate_give(l, VID_U, &in, 64);
	gate_run(l);
	assert_true(l->made.vec.n >= 2);
	gate_made(l, l->made.vec.n - 1, &out);
	assert_int_equal(l->made.vec.f[l->made.vec.n - 1].tci, VID_U);
	assert_mac(out.b, gate_host(VID_U, 254));
	assert_mac(out.b + 6, gate_leg(VID_U));
	assert_true(gate_has_ip(&out, SRC, "192.0.2.1"));
	assert_true(gate_has_ip(&out, DST, "198.51.100.7"));
	assert_int_equal(out.b[ETH_HEADER + 8], 63);
	/* And now at once. */
	gate_udp(&in, &a_out, 4000, 53, 300);
	f = gate_pass(l, VID_A, &in);
	assert_int_equal(f->drop, DROP_NONE);
	assert_int_equal(f->out, OUT_NONE);
	assert_int_equal(f->tci, VID_U);
	gate_read(&out, f);
	assert_mac(out.b, gate_host(VID_U, 254));
	assert_int_equal(l->made.vec.n, 0);
}

static void test_question(void **state)
{
	struct lab *l = *state;

	gate_udp(&in, &a_out, 4000, 53, 30);
	gate_pass(l, VID_A, &in);
	assert_int_equal(l->made.vec.n, 1);
	for (unsigned asked = 1; asked <= 3; asked++) {
		gate_made(l, 0, &out);
		assert_int_equal(l->made.vec.f[0].tci, VID_U);
		assert_int_equal(out.b[0], 0xff);
		assert_int_equal(out.b[21], 1);
		assert_true(gate_has_ip(&out, 28, "192.0.2.1"));
		assert_true(gate_has_ip(&out, 38, "192.0.2.254"));
		gate_tick(l, 1);
		assert_int_equal(l->made.vec.n, 1);
	}
	/* Nobody: the guest hears of it, about the packet that he sent. */
	assert_int_equal(l->made.vec.f[0].tci & TCI_VID, VID_A);
	gate_made(l, 0, &out);
	assert_int_equal(out.b[12],
			 8); /* his MAC is asked for, or known: he never said who he is */
	assert_int_equal(out.b[13], 6);
	gate_clear(l);
	gate_arp(&in, VID_A, 2, gate_host(VID_A, 5), "10.10.0.5", "10.10.0.1", gate_leg(VID_A));
	gate_give(l, VID_A, &in, 64);
	gate_run(l);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_icmp(&out, 3, 1);
	assert_true(gate_has_ip(&out, SRC, "10.10.0.1"));
	assert_true(gate_has_ip(&out, DST, "10.10.0.5"));
	assert_true(gate_has_ip(&out, SRC + 28, "10.10.0.5"));
	assert_true(gate_has_ip(&out, DST + 28, "198.51.100.7"));
	assert_int_equal(read_be16(out.b + ETH_HEADER + 48), 4000);
}

static void test_both_ways(void **state)
{
	struct lab *l = *state;
	struct gate_say back = {.vid = VID_U, .src = "198.51.100.7", .dst = "192.0.2.1"};
	struct frame *f;
	uint16_t port;

	know_outside(l);
	gate_meet(l, VID_A, "10.10.0.5");
	gate_udp(&in, &a_out, 4000, 53, 100);
	f = gate_pass(l, VID_A, &in);
	assert_int_equal(f->out, OUT_NONE);
	gate_read(&out, f);
	port = read_be16(out.b + ETH_HEADER + 20);
	gate_udp(&in, &back, 53, port, 1000);
	in.b[11] = 254;
	f = gate_pass(l, VID_U, &in);
	assert_int_equal(f->drop, DROP_NONE);
	assert_int_equal(f->out, OUT_NONE);
	assert_int_equal(f->tci, VID_A);
	gate_read(&out, f);
	assert_true(gate_has_ip(&out, DST, "10.10.0.5"));
	assert_int_equal(read_be16(out.b + ETH_HEADER + 22), 4000);
	assert_mac(out.b, gate_host(VID_A, 5));
	assert_mac(out.b + 6, gate_leg(VID_A));
	/* Nobody asked for this one: silence. */
	gate_udp(&in, &back, 54, port, 100);
	assert_int_equal(gate_pass(l, VID_U, &in)->drop, DROP_NAT_NO_SESSION);
	assert_int_equal(l->made.vec.n, 0);
	/* A forward. */
	gate_udp(&in, &back, 54, 8080, 100);
	f = gate_pass(l, VID_U, &in);
	assert_int_equal(f->out, OUT_NONE);
	gate_read(&out, f);
	assert_int_equal(read_be16(out.b + ETH_HEADER + 22), 80);
}

/* Padding is no payload, and is not handed on (N38). */
static void test_padding(void **state)
{
	struct lab *l = *state;
	struct frame *f;

	know_outside(l);
	gate_udp(&in, &a_out, 4000, 53, 4);
	memset(in.b + in.len, 0xee, 300);
	in.len = 60;
	f = gate_pass(l, VID_A, &in);
	gate_read(&out, f);
	assert_int_equal(out.len, 60);
	for (unsigned i = ETH_HEADER + 32; i < 60; i++)
		assert_int_equal(out.b[i], 0);
	gate_udp(&in, &a_out, 4000, 53, 400);
	memset(in.b + in.len, 0xee, 300);
	in.len += 300;
	f = gate_pass(l, VID_A, &in);
	gate_read(&out, f);
	assert_int_equal(out.len, ETH_HEADER + 28 + 400);
}

/* --- who may speak to whom --- */

static void test_networks(void **state)
{
	struct lab *l = *state;
	struct gate_say a_b = {.vid = VID_A, .src = "10.10.0.5", .dst = "10.20.0.9"};
	struct gate_say b_a = {.vid = VID_B, .src = "10.20.0.9", .dst = "10.10.0.5"};
	struct gate_say b_gw = {.vid = VID_B, .src = "10.20.0.9", .dst = "10.10.0.1"};
	struct frame *f;

	know_outside(l);
	gate_meet(l, VID_A, "10.10.0.5");
	gate_meet(l, VID_B, "10.20.0.9");
	/* b may not begin; the packet does not leave by the uplink either */
	gate_udp(&in, &b_a, 53, 4000, 10);
	f = gate_pass(l, VID_B, &in);
	assert_int_equal(f->drop, DROP_NETWORKS_APART);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_icmp(&out, 3, 13);
	assert_true(gate_has_ip(&out, SRC, "10.20.0.1"));
	assert_mac(out.b, gate_host(VID_B, 9));
	/* a may, and is answered */
	gate_udp(&in, &a_b, 4000, 53, 10);
	f = gate_pass(l, VID_A, &in);
	assert_int_equal(f->out, OUT_NONE);
	assert_int_equal(f->tci, VID_B);
	gate_read(&out, f);
	assert_true(gate_has_ip(&out, SRC, "10.10.0.5"));
	assert_mac(out.b, gate_host(VID_B, 9));
	gate_udp(&in, &b_a, 53, 4000, 10);
	f = gate_pass(l, VID_B, &in);
	assert_int_equal(f->out, OUT_NONE);
	assert_int_equal(f->tci, VID_A);
	gate_udp(&in, &b_a, 54, 4000, 10);
	assert_int_equal(gate_pass(l, VID_B, &in)->drop, DROP_NETWORKS_APART);
	/* the other gateway: from a yes, from b no */
	gate_echo(&in, &(struct gate_say){.vid = VID_A, .src = "10.10.0.5", .dst = "10.20.0.1"}, 1,
		  8);
	assert_int_equal(gate_pass(l, VID_A, &in)->out, OUT_LOCAL);
	gate_made(l, 0, &out);
	assert_true(gate_has_ip(&out, SRC, "10.20.0.1"));
	assert_int_equal(l->made.vec.f[0].tci, VID_A);
	gate_echo(&in, &b_gw, 1, 8);
	assert_int_equal(gate_pass(l, VID_B, &in)->drop, DROP_NETWORKS_APART);
	/* back into its own network: the gateway is no way around isolation */
	gate_udp(&in, &(struct gate_say){.vid = VID_A, .src = "10.10.0.5", .dst = "10.10.0.6"}, 1,
		 2, 3);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_ROUTE);
	assert_int_equal(l->made.vec.n, 0);
}

static void test_host_only(void **state)
{
	struct lab *l = *state;
	const struct gateway_leg *h = &l->conf->leg[LAB_H];
	struct gate_say to_b = {.vid = VID_H, .src = "10.30.0.5", .dst = "10.20.0.9"};
	struct gate_say away = {.vid = VID_H, .src = "10.30.0.5", .dst = "198.51.100.7"};
	struct gate_say host = {.vid = VID_H, .src = "10.30.0.5", .dst = "10.30.0.1"};
	struct frame *f;

	gate_meet(l, VID_B, "10.20.0.9");
	gate_udp(&in, &to_b, 1, 2, 3);
	assert_true(gateway_routes(l->conf, h, gate_give(l, VID_H, &in, 64)));
	f = gate_pass(l, VID_H, &in);
	assert_int_equal(f->tci, VID_B);
	gate_clear(l);
	gate_udp(&in, &away, 1, 2, 3);
	assert_false(gateway_routes(l->conf, h, gate_give(l, VID_H, &in, 64)));
	gate_udp(&in, &host, 1, 2, 3);
	assert_false(gateway_routes(l->conf, h, gate_give(l, VID_H, &in, 64)));
	/* The kernel answers ARP there; we hear what is said to our common MAC. */
	gate_arp(&in, VID_H, 1, gate_host(VID_H, 5), "10.30.0.5", "10.30.0.1", nobody);
	assert_false(gateway_wants(h, gate_give(l, VID_H, &in, 64)));
}

/* N37 and the like: nothing of these goes anywhere, and nobody hears of it. */
static void test_martians(void **state)
{
	static const struct gate_say martian[] = {
		{VID_A, "10.20.0.5", "198.51.100.7", 0, 0, 0, 0},
		{VID_A, "10.10.0.1", "198.51.100.7", 0, 0, 0, 0},
		{VID_A, "10.10.0.255", "198.51.100.7", 0, 0, 0, 0},
		{VID_A, "10.10.0.0", "198.51.100.7", 0, 0, 0, 0},
		{VID_A, "127.0.0.1", "198.51.100.7", 0, 0, 0, 0},
		{VID_A, "0.0.0.0", "198.51.100.7", 0, 0, 0, 0},
		{VID_A, "224.0.0.1", "198.51.100.7", 0, 0, 0, 0},
		{VID_A, "255.255.255.255", "198.51.100.7", 0, 0, 0, 0},
		{VID_A, "10.10.0.5", "127.0.0.1", 0, 0, 0, 0},
		{VID_A, "10.10.0.5", "0.0.0.0", 0, 0, 0, 0},
		{VID_A, "10.10.0.5", "224.0.0.9", 0, 0, 0, 0},
		{VID_A, "10.10.0.5", "240.0.0.9", 0, 0, 0, 0},
		{VID_A, "10.10.0.5", "255.255.255.255", 0, 0, 0, 0},
		{VID_A, "10.10.0.5", "169.254.1.1", 0, 0, 0, 0},
		{VID_A, "fd00:b::5", "2001:db8:7::7", 0, 0, 0, 0},
		{VID_A, "::", "2001:db8:7::7", 0, 0, 0, 0},
		{VID_A, "::1", "2001:db8:7::7", 0, 0, 0, 0},
		{VID_A, "ff02::1", "2001:db8:7::7", 0, 0, 0, 0},
		{VID_A, "fe80::5", "2001:db8:7::7", 0, 0, 0, 0},
		{VID_A, "fd00:a::5", "fe80::7", 0, 0, 0, 0},
		{VID_A, "fd00:a::5", "ff0e::7", 0, 0, 0, 0},
		{VID_A, "fd00:a::5", "::1", 0, 0, 0, 0},
		{VID_U, "198.51.100.7", "127.0.0.1", 0, 0, 0, 0},
		{VID_U, "198.51.100.7", "192.0.2.9", 0, 0, 0, 0},
		{VID_U, "198.51.100.7", "192.0.2.255", 0, 0, 0, 0},
		{VID_U, "127.0.0.1", "192.0.2.1", 0, 0, 0, 0},
		{VID_U, "192.0.2.1", "192.0.2.1", 0, 0, 0, 0},
		{VID_U, "10.10.0.7", "192.0.2.1", 0, 0, 0, 0},
		{VID_U, "2001:db8:40::9", "2001:db8:40::5", 0, 0, 0, 0},
		{VID_U, "2001:db8:7::7", "2001:db8:50::5", 0, 0, 0, 0},
	};
	struct lab *l = *state;

	for (unsigned i = 0; i < sizeof(martian) / sizeof(martian[0]); i++) {
		gate_udp(&in, &martian[i], 8080, 8080, 9);
		assert_int_equal(gate_pass(l, martian[i].vid, &in)->drop, DROP_MARTIAN);
		assert_int_equal(l->made.vec.n, 0);
	}
	/* A guest's own address, from outside: only a session's answer would pass. */
	gate_udp(&in, &(struct gate_say){.vid = VID_U, .src = "192.0.2.7", .dst = "10.10.0.5"},
		 8080, 80, 9);
	assert_int_not_equal(gate_pass(l, VID_U, &in)->drop, DROP_NONE);
	assert_int_equal(l->made.vec.n, 0);
}

static void test_no_way_out(void **state)
{
	struct lab *l = *state;
	struct gate_say six = {.vid = VID_A, .src = "fd00:a::5", .dst = "2001:db8:7::7"};

	l->conf->leg[LAB_A].outside = LEG_NONE;
	gate_udp(&in, &a_out, 1, 2, 3);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_ROUTE);
	gate_made(l, 0, &out);
	assert_icmp(&out, 3, 0);
	gate_udp(&in, &six, 1, 2, 3);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_ROUTE);
	gate_made(l, 0, &out);
	assert_icmp(&out, 1, 0);
	/* an uplink without a next hop */
	l->conf->leg[LAB_A].outside = LAB_U;
	memset(&l->conf->leg[LAB_U].next4, 0, sizeof(struct ip));
	gate_meet(l, VID_A, "10.10.0.5");
	gate_udp(&in, &a_out, 1, 2, 3);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_ROUTE);
	gate_made(l, 0, &out);
	assert_icmp(&out, 3, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_arp, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_arp_bad, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_arp_claim, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_waits_and_goes, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_question, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_both_ways, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_padding, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_networks, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_host_only, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_martians, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_no_way_out, gate_setup, gate_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
