/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gateway hands to the control thread, and what it sends for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "switch/gateway_addr.h"
#include "tests/lib/gateway_lab.h"

enum { IP = 14, PROTO_AT = IP + 9, DHCP = 67, DHCP6 = 547, DNS = 53 };

static struct gate_frame in, out;
static struct gateway_datagram d;

static void serve(struct lab *l, unsigned leg, uint8_t what)
{
	l->conf->leg[leg].serves = what;
}

static void make_udp(uint16_t vid, const char *src, const char *dst, uint16_t dport)
{
	gate_udp(&in, &(struct gate_say){.vid = vid, .src = src, .dst = dst}, 9, dport, 33);
}

static bool is_wanted(struct lab *l, unsigned leg)
{
	gate_clear(l);
	return gateway_wants(&l->conf->leg[leg], gate_give(l, l->conf->leg[leg].vid, &in, 64));
}

/* Given alone; then read, if it was taken. */
static bool reaches(struct lab *l, uint16_t vid)
{
	const struct frame *f = gate_pass(l, vid, &in);

	if (f->out != OUT_LOCAL || f->drop)
		return false;
	return gateway_service_read(l->g, &d);
}

/* Inside: UDP to our address, only what is served; a wrong checksum. */
static void test_inside(void **state)
{
	struct lab *l = *state;

	make_udp(VID_A, "10.10.0.5", "10.10.0.1", DNS);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_SERVICE);
	serve(l, LAB_A, SERVES_DNS);
	assert_true(reaches(l, VID_A));
	assert_true(d.is_inside);
	assert_int_equal(d.proto, PROTO_UDP);
	assert_int_equal(d.len, 33);
	assert_int_equal(d.sport, 9);
	assert_memory_equal(d.payload, in.b + IP + 28, 33);
	in.b[IP + 26] ^= 1;
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_BAD_IP);
	make_udp(VID_A, "10.10.0.5", "10.10.0.1", DHCP);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NO_SERVICE);
	make_udp(VID_B, "10.20.0.5", "10.20.0.1", DNS);
	assert_int_equal(gate_pass(l, VID_B, &in)->drop, DROP_NO_SERVICE);
	assert_false(gateway_service_read(l->g, &d));
}

/* Never from outside: not an open resolver, not a DHCP server of the uplink's network. */
static void test_not_outside(void **state)
{
	struct lab *l = *state;

	serve(l, LAB_A, SERVES_DNS | SERVES_DHCP | SERVES_DHCP6);
	make_udp(VID_U, "192.0.2.254", "192.0.2.1", DNS);
	assert_false(reaches(l, VID_U));
	make_udp(VID_U, "192.0.2.254", "10.10.0.1", DNS);
	assert_false(reaches(l, VID_U));
	make_udp(VID_U, "0.0.0.0", "255.255.255.255", DHCP);
	assert_false(is_wanted(l, LAB_U));
	assert_false(reaches(l, VID_U));
	assert_false(gateway_service_read(l->g, &d));
}

/* DISCOVER from nobody's address to all: where DHCP is served, and only there. */
static void test_dhcp_to_all(void **state)
{
	struct lab *l = *state;

	make_udp(VID_A, "0.0.0.0", "255.255.255.255", DHCP);
	memset(in.b, 0xff, 6);
	assert_false(is_wanted(l, LAB_A));
	serve(l, LAB_A, SERVES_DHCP);
	assert_true(is_wanted(l, LAB_A));
	assert_true(reaches(l, VID_A));
	assert_int_equal(d.dport, DHCP);
	assert_int_equal(d.vid, VID_A);
	assert_memory_equal(d.src_mac.b, in.b + 6, 6);
	/* the address of another network is no reason to be silent: it gets a NAK */
	make_udp(VID_A, "172.16.0.9", "255.255.255.255", DHCP);
	assert_true(reaches(l, VID_A));
	/* what servers say to clients is nobody's question */
	make_udp(VID_A, "10.10.0.9", "255.255.255.255", 68);
	assert_false(is_wanted(l, LAB_A));
	/* a fragment */
	gate_udp(&in,
		 &(struct gate_say){
			 .vid = VID_A, .src = "0.0.0.0", .dst = "255.255.255.255", .flags = 0x2000},
		 68, DHCP, 64);
	assert_false(reaches(l, VID_A));
}

static void test_dhcp6(void **state)
{
	struct lab *l = *state;

	make_udp(VID_A, "fe80::5", "ff02::1:2", DHCP6);
	in.b[0] = 0x33;
	assert_false(is_wanted(l, LAB_A));
	serve(l, LAB_A, SERVES_DHCP6);
	assert_true(is_wanted(l, LAB_A));
	assert_true(reaches(l, VID_A));
	assert_int_equal(d.dport, DHCP6);
	make_udp(VID_A, "fd00:a::5", "ff02::1:2",
		 DHCP6); /* RFC 8415 7.1: from a link-local address */
	assert_false(reaches(l, VID_A));
	make_udp(VID_A, "fe80::5", "ff02::1:2", DNS);
	assert_false(is_wanted(l, LAB_A));
}

/* TCP to port 53: the segment, header and all. */
static void test_tcp(void **state)
{
	struct lab *l = *state;

	serve(l, LAB_A, SERVES_DNS);
	gate_tcp(&in, &(struct gate_say){.vid = VID_A, .src = "10.10.0.5", .dst = "10.10.0.1"},
		 4000, DNS, 2);
	assert_true(reaches(l, VID_A));
	assert_int_equal(d.proto, PROTO_TCP);
	assert_int_equal(d.len, 24);
	assert_int_equal(read_be16(d.payload), 4000);
	gate_tcp(&in, &(struct gate_say){.vid = VID_A, .src = "10.10.0.5", .dst = "10.10.0.1"},
		 4000, 80, 2);
	assert_false(reaches(l, VID_A));
}

/* The kernel has a host-only network's address: services are ours all the same, and nothing else is. */
static void test_host_only(void **state)
{
	const struct gateway_leg *leg;
	struct lab *l = *state;
	static const struct {
		uint16_t port;
		bool is_ours;
	} cases[] = {{DHCP, true}, {DNS, true}, {80, false}, {DHCP6, false}};

	leg = &l->conf->leg[LAB_H];
	serve(l, LAB_H, SERVES_DHCP | SERVES_DNS);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make_udp(VID_H, "10.30.0.5", "10.30.0.1", cases[i].port);
		gate_clear(l);
		assert_int_equal(gateway_routes(l->conf, leg, gate_give(l, VID_H, &in, 64)),
				 cases[i].is_ours);
		assert_int_equal(reaches(l, VID_H), cases[i].is_ours);
	}
	/* the host's neighbours are the kernel's, but for an answer to our probe */
	gate_arp(&in, VID_H, 2, gate_host(VID_H, 5), "10.30.0.5", "10.30.0.1", gate_leg(VID_H));
	gate_clear(l);
	assert_false(gateway_routes(l->conf, leg, gate_give(l, VID_H, &in, 64)));
	gate_arp(&in, VID_H, 2, gate_host(VID_H, 5), "10.30.0.5", "0.0.0.0", gate_leg(VID_H));
	gate_clear(l);
	assert_true(gateway_routes(l->conf, leg, gate_give(l, VID_H, &in, 64)));
	serve(l, LAB_H, 0);
	make_udp(VID_H, "10.30.0.5", "10.30.0.1", DNS);
	gate_clear(l);
	assert_false(gateway_routes(l->conf, leg, gate_give(l, VID_H, &in, 64)));
}

/* D14: who answers a probe, which asks on behalf of nobody. */
static void test_probe(void **state)
{
	struct mac mac = gate_host(VID_A, 9);
	struct lab *l = *state;

	serve(l, LAB_A, SERVES_DHCP);
	gate_arp(&in, VID_A, 2, mac, "10.10.0.9", "0.0.0.0", gate_leg(VID_A));
	assert_true(reaches(l, VID_A));
	assert_int_equal(d.proto, SERVICE_ARP);
	assert_memory_equal(&d.src_mac, &mac, 6);
	assert_memory_equal(d.src.b + 12, "\x0a\x0a\x00\x09", 4);
	gate_arp(&in, VID_A, 2, mac, "10.10.0.9", "10.10.0.1", gate_leg(VID_A));
	assert_false(reaches(l, VID_A));
}

/* Who floods fills his share, and another port still gets through. */
static void test_share(void **state)
{
	struct lab *l = *state;
	unsigned n = 0;

	serve(l, LAB_A, SERVES_DNS);
	make_udp(VID_A, "10.10.0.5", "10.10.0.1", DNS);
	l->call.in_slot = 3;
	while (gate_pass(l, VID_A, &in)->drop == DROP_NONE)
		assert_true(++n < 2000);
	assert_int_equal(l->v.f[0].drop, DROP_RATE);
	assert_int_equal(n, SERVICE_SHARE);
	l->call.in_slot = 4;
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NONE);
	for (unsigned i = 0; i < SERVICE_SHARE; i++) {
		assert_true(gateway_service_read(l->g, &d));
		assert_int_equal(d.slot, 3);
	}
	assert_true(gateway_service_read(l->g, &d));
	assert_int_equal(d.slot, 4);
	assert_false(gateway_service_read(l->g, &d));
	l->call.in_slot = 3;
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NONE);
}

/* Many ports at once: the second half of the ring is for those who have little in it. */
static void test_crowd(void **state)
{
	struct lab *l = *state;

	serve(l, LAB_A, SERVES_DNS);
	gate_udp(&in, &(struct gate_say){.vid = VID_A, .src = "10.10.0.5", .dst = "10.10.0.1"}, 9,
		 DNS, 1400);
	for (uint16_t slot = 10; slot < 40; slot++) {
		l->call.in_slot = slot;
		while (gate_pass(l, VID_A, &in)->drop == DROP_NONE)
			;
	}
	l->call.in_slot = 50;
	for (unsigned i = 0; i < SERVICE_SHARE_LEAST; i++)
		assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_NONE);
	assert_int_equal(gate_pass(l, VID_A, &in)->drop, DROP_RATE);
}

/* Packets of the control thread's get their headers and checksums here. */
static void test_send(void **state)
{
	struct gateway_packet k = {.vid = VID_A, .csum_at = 6, .proto = PROTO_UDP};
	static uint8_t udp[8 + 100], large[1480];
	struct lab *l = *state;

	gate_tick(l, 1000);
	udp[1] = 53, udp[3] = 99, udp[5] = sizeof(udp);
	memset(udp + 8, 'x', 100);
	assert_true(ip_parse("10.10.0.1", &k.src) && ip_parse("10.10.0.5", &k.dst));
	k.mac = gate_host(VID_A, 5);
	assert_int_equal(gateway_send_ip(l->g, &k, udp, sizeof(udp)), 0);
	k.vid = 7; /* nobody's */
	assert_int_equal(gateway_send_ip(l->g, &k, large, 1480), 0);
	assert_int_not_equal(gateway_send_ip(l->g, &k, large, 1481), 0);
	assert_int_equal(gateway_send_ip(l->g, &k, udp, sizeof(udp)), 0);
	assert_true(ip_parse("fd00:a::1", &k.src) && ip_parse("fd00:a::5", &k.dst));
	k.vid = VID_A;
	assert_int_equal(gateway_send_ip(l->g, &k, udp, sizeof(udp)), 0);
	gate_tick(l, 0);
	assert_int_equal(l->made.vec.n, 2);
	gate_made(l, 0, &out); /* asserts headers and checksums */
	assert_true(gate_has_ip(&out, IP + 16, "10.10.0.5"));
	assert_int_equal(out.b[PROTO_AT], PROTO_UDP);
	assert_memory_equal(out.b, &k.mac, 6);
	gate_made(l, 1, &out);
	assert_int_equal(out.b[IP + 6], PROTO_UDP);
	assert_int_not_equal(gateway_send_ip(l->g, &k, large, 1461), 0);
}

/* An outbox that is full says so, and what is in it goes out, a vector a tick. */
static void test_outbox(void **state)
{
	static uint8_t frame[1000] = {2};
	struct lab *l = *state;
	unsigned n = 0;

	gate_tick(l, 1000);
	while (gateway_send(l->g, VID_A, frame, sizeof(frame)) == 0)
		assert_true(++n < 20000);
	for (unsigned sent = 0; sent < n; sent += l->made.vec.n) {
		gate_tick(l, 0);
		assert_true(l->made.vec.n > 0);
	}
}

/* DHCP of an uplink. */
static void test_outside(void **state)
{
	struct gate_say offer = {.vid = VID_U, .src = "192.0.2.254", .dst = "255.255.255.255"};
	struct mac mac = gate_leg(VID_U);
	struct lab *l = *state;

	gate_udp(&in, &offer, 67, 68, 300);
	memset(in.b, 0xff, 6);
	memcpy(in.b + IP + 56, &mac, 6);
	write_be16(in.b + IP + 26, 0);
	assert_true(gateway_wants(&l->conf->leg[LAB_U], gate_give(l, VID_U, &in, 64)));
	assert_int_equal(gate_pass(l, VID_U, &in)->drop, DROP_MARTIAN);
	gateway_serve(l->g, VID_U, 68, true);
	assert_int_equal(gate_pass(l, VID_U, &in)->out, OUT_LOCAL);
	assert_true(gateway_service_read(l->g, &d));
	assert_int_equal(d.len, 300);
	assert_int_equal(d.vid, VID_U);
	assert_int_equal(d.dport, 68);
	assert_memory_equal(d.payload, in.b + IP + 28, 300);
	assert_false(gateway_service_read(l->g, &d));
	/* for another station: not ours to take */
	in.b[IP + 56 + 5] ^= 1;
	gate_clear(l);
	assert_false(gateway_wants(&l->conf->leg[LAB_U], gate_give(l, VID_U, &in, 64)));
	/* and a frame of the control thread's */
	gate_tick(l, 1000);
	assert_int_equal(gateway_send(l->g, VID_U, in.b, (uint16_t)in.len), 0);
	assert_int_equal(gateway_send(l->g, 7, in.b, (uint16_t)in.len), 0);
	gate_tick(l, 0);
	assert_int_equal(l->made.vec.n, 1);
	gate_made(l, 0, &out);
	assert_memory_equal(out.b, in.b, in.len);
	gate_tick(l, 0);
	assert_int_equal(l->made.vec.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_inside, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_not_outside, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_dhcp_to_all, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_dhcp6, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_tcp, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_host_only, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_probe, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_share, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_crowd, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_send, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_outbox, gate_setup, gate_teardown),
		cmocka_unit_test_setup_teardown(test_outside, gate_setup, gate_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
