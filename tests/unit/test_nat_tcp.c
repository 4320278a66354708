/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of nat/tcp: PROMISES rows N18 to N21, M08, R03: orders of segments, timers by state, RSTs that are forged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/nat_lab.h"

static const char *const in1 = "10.0.0.5", *const us = "192.0.2.1", *const out1 = "198.51.100.10";

static uint16_t port; /* the outside one of the connection in hand */

/* Inside counts from 1000, outside from 5000. */
static enum drop send_out(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t bytes)
{
	enum drop drop;

	nat_lab_tcp(in1, 4000, out1, 80, flags, 1000 + seq, ack ? 5000 + ack : 0, bytes);
	drop = nat_lab_out(LAB_IN);
	if (drop == DROP_NONE)
		port = lab.k.sport;
	return drop;
}

static enum drop send_in(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t bytes)
{
	nat_lab_tcp(out1, 80, us, port, flags, 5000 + seq, ack ? 1000 + ack : 0, bytes);
	return nat_lab_in(LAB_OUT);
}

static void is_state(const char *word)
{
	struct nat_entry e[4];

	assert_int_equal(nat_lab_list(e, 4), 1);
	assert_string_equal(e[0].state, word);
}

static void is_gone(void)
{
	struct nat_entry e;

	assert_int_equal(nat_lab_list(&e, 1), 0);
}

static void establish(void)
{
	assert_int_equal(send_out(SYN, 0, 0, 0), DROP_NONE);
	is_state("syn_sent");
	assert_int_equal(send_in(SYN | ACK, 0, 1, 0), DROP_NONE);
	is_state("syn_sent");
	assert_int_equal(send_out(ACK, 1, 1, 0), DROP_NONE);
	is_state("established");
}

/* N18 */
static void three_ways_and_four(void **state)
{
	(void)state;
	establish();
	assert_int_equal(send_out(ACK | PSH, 1, 1, 100), DROP_NONE);
	assert_int_equal(send_in(ACK | PSH, 1, 101, 1000), DROP_NONE);
	/* Half closed: the other direction goes on, for hours. */
	assert_int_equal(send_out(FIN | ACK, 101, 1001, 0), DROP_NONE);
	is_state("closing");
	nat_lab_wait(7000);
	assert_int_equal(send_in(ACK | PSH, 1001, 102, 1000), DROP_NONE);
	is_state("closing");
	assert_int_equal(send_in(FIN | ACK, 2001, 102, 0), DROP_NONE);
	is_state("closing");
	assert_int_equal(send_out(ACK, 102, 2002, 0), DROP_NONE);
	is_state("closed");
	nat_lab_wait(239);
	is_state("closed");
	nat_lab_wait(4);
	is_gone();
}

static void simultaneous_open(void **state)
{
	(void)state;
	assert_int_equal(send_out(SYN, 0, 0, 0), DROP_NONE);
	assert_int_equal(send_in(SYN, 0, 0, 0), DROP_NONE);
	is_state("syn_sent");
	assert_int_equal(send_out(SYN | ACK, 0, 1, 0), DROP_NONE);
	assert_int_equal(send_in(SYN | ACK, 0, 1, 0), DROP_NONE);
	is_state("established");
}

static void syn_ack_again(void **state)
{
	(void)state;
	assert_int_equal(send_out(SYN, 0, 0, 0), DROP_NONE);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(send_in(SYN | ACK, 0, 1, 0), DROP_NONE);
	is_state("syn_sent");
	assert_int_equal(send_out(ACK, 1, 1, 0), DROP_NONE);
	assert_int_equal(send_in(SYN | ACK, 0, 1, 0), DROP_NONE);
	is_state("established");
}

/* A stranger who cannot see the SYN does not establish anything. */
static void forged_syn_ack(void **state)
{
	(void)state;
	assert_int_equal(send_out(SYN, 0, 0, 0), DROP_NONE);
	nat_lab_wait(200);
	assert_int_equal(send_in(SYN | ACK, 0, 500000, 0), DROP_NONE);
	assert_int_equal(send_in(ACK, 0, 500000, 0), DROP_NONE);
	assert_int_equal(send_in(RST | ACK, 0, 500000, 0), DROP_NONE);
	is_state("syn_sent");
	nat_lab_wait(45);
	is_gone();
}

/* N18: closed, reset: the same ends begin anew, from either side. */
static void opens_again(void **state)
{
	uint16_t first;

	(void)state;
	establish();
	first = port;
	send_out(FIN | ACK, 1, 1, 0);
	send_in(FIN | ACK, 1, 2, 0);
	send_out(ACK, 2, 2, 0);
	is_state("closed");
	assert_int_equal(send_out(SYN, 900000, 0, 0), DROP_NONE);
	assert_int_equal(port, first);
	is_state("syn_sent");
	assert_int_equal(send_in(SYN | ACK, 700000, 900001, 0), DROP_NONE);
	assert_int_equal(send_out(ACK, 900001, 700001, 0), DROP_NONE);
	is_state("established");
	send_in(RST, 700001, 0, 0);
	is_state("reset");
	assert_int_equal(send_in(SYN, 10, 0, 0), DROP_NONE);
	is_state("syn_received");
	assert_int_equal(send_out(SYN | ACK, 0, 11, 0), DROP_NONE);
	assert_int_equal(send_in(ACK, 11, 1, 0), DROP_NONE);
	is_state("established");
}

/* N19: silence, and the SYN from inside is not hurt. */
static void unsolicited_syn(void **state)
{
	(void)state;
	nat_lab_tcp(out1, 80, us, 5555, SYN, 5000, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	nat_lab_tcp(out1, 80, us, 5555, SYN | ACK, 5000, 1, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_TCP);
	nat_lab_wait(3);
	establish();
}

/* N20 */
static void timers(void **state)
{
	(void)state;
	establish();
	nat_lab_wait(2 * 3600 + 3 * 60);
	assert_int_equal(send_in(ACK, 1, 1, 0), DROP_NONE);
	is_state("established");
	nat_lab_wait(7439);
	is_state("established");
	nat_lab_wait(4);
	is_gone();
	send_out(SYN, 0, 0, 0);
	nat_lab_wait(239);
	is_state("syn_sent");
	nat_lab_wait(4);
	is_gone();
	/* A SYN from outside is not kept alive by more of them (R03). */
	nat_lab_add_rule("web", PROTO_TCP, NULL, 80, 80, in1, 80);
	nat_lab_commit();
	for (unsigned i = 0; i < 3; i++) {
		nat_lab_tcp(out1, 9, us, 80, SYN, 1, 0, 0);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
		is_state("syn_received");
		nat_lab_wait(100);
	}
	is_gone();
	/* Settable. */
	lab.nets[0].tcp_s = 100;
	lab.nets[0].tcp_transitory_s = 10;
	nat_lab_commit();
	establish();
	nat_lab_wait(99);
	is_state("established");
	nat_lab_wait(4);
	is_gone();
	send_out(SYN, 0, 0, 0);
	nat_lab_wait(13);
	is_gone();
}

/* N21, RFC 7857 2.2 */
static void resets(void **state)
{
	(void)state;
	establish();
	send_out(ACK | PSH, 1, 1, 100);
	send_in(ACK, 1, 101, 0);
	/* Blind, on either side of the window, from outside and inside. */
	assert_int_equal(send_in(RST, 1 + 9000, 0, 0), DROP_NONE);
	assert_int_equal(send_in(RST, (uint32_t)-9000, 0, 0), DROP_NONE);
	assert_int_equal(send_out(RST, 1 + 70000, 0, 0), DROP_NONE);
	assert_int_equal(send_in(RST | ACK, 0x70000000, 101, 0), DROP_NONE);
	is_state("established");
	/* Within: four minutes more. */
	assert_int_equal(send_in(RST, 1, 0, 0), DROP_NONE);
	is_state("reset");
	nat_lab_wait(200);
	/* Traffic takes it back. */
	assert_int_equal(send_out(ACK | PSH, 101, 1, 10), DROP_NONE);
	is_state("established");
	assert_int_equal(send_in(ACK, 1, 111, 0), DROP_NONE);
	nat_lab_wait(1000);
	is_state("established");
	assert_int_equal(send_out(RST, 111, 0, 0), DROP_NONE);
	is_state("reset");
	nat_lab_wait(3);
	/* RSTs refresh nothing (N07). */
	for (unsigned i = 0; i < 5; i++) {
		send_out(RST, 111, 0, 0);
		send_in(RST, 1, 0, 0);
		nat_lab_wait(60);
	}
	is_gone();
}

static void refused(void **state)
{
	(void)state;
	send_out(SYN, 0, 0, 0);
	assert_int_equal(send_in(RST | ACK, 0, 1, 0), DROP_NONE);
	is_state("reset");
	assert_int_equal(send_out(SYN, 500, 0, 0), DROP_NONE);
	is_state("syn_sent");
}

/* The scale of the window counts once both sides have it (RFC 7323 2.2). */
static void scaled_window(void **state)
{
	static const uint8_t option[4] = {1, 3, 3, 8};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const uint32_t far = 100000;
		struct lab *l = &lab;

		nat_lab_tcp(in1, 4000, out1, 80, SYN, 1000, 0, 4);
		memcpy(l->f.snap + 54, option, 4);
		l->f.snap[46] = 6 << 4;
		nat_lab_fix_ipv4();
		nat_lab_fix_l4();
		assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
		port = lab.k.sport;
		nat_lab_tcp(out1, 80, us, port, SYN | ACK, 5000, 1001, 4);
		memcpy(l->f.snap + 54, option, 4);
		if (i == 1) /* this side knows of no scale */
			memset(l->f.snap + 54, 1, 4);
		l->f.snap[46] = 6 << 4;
		nat_lab_fix_ipv4();
		nat_lab_fix_l4();
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
		assert_int_equal(send_out(ACK, 1, 1, 0), DROP_NONE);
		is_state("established");
		assert_int_equal(send_in(RST, far, 0, 0), DROP_NONE);
		is_state(i == 0 ? "reset" : "established");
		assert_int_equal(send_in(RST, 1, 0, 0), DROP_NONE);
		is_state("reset");
	}
}

/* M08: all 64 sets of flags, with and without a session; only a bare SYN begins one. */
static void flags(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 64; f++) {
		enum drop drop;

		nat_lab_tcp(in1, (uint16_t)(6000 + f), out1, 80, (uint8_t)f, 1, 1, 0);
		drop = nat_lab_out(LAB_IN);
		assert_int_equal(drop,
				 (f & (FIN | SYN | RST | ACK)) == SYN ? DROP_NONE : DROP_NAT_TCP);
	}
	nat_lab_wait(250);
	establish();
	for (unsigned f = 0; f < 64; f++) {
		assert_int_equal(send_in((uint8_t)f, 50000000, 50000000, 0), DROP_NONE);
		assert_int_equal(send_out((uint8_t)f, 50000000, 50000000, 0), DROP_NONE);
	}
	send_out(ACK, 1, 1, 0);
}

/* Nothing that opens gets the long time: a FIN before the handshake is over. */
static void fin_before_open(void **state)
{
	(void)state;
	nat_lab_add_rule("web", PROTO_TCP, NULL, 80, 80, in1, 80);
	nat_lab_commit();
	nat_lab_tcp(out1, 9, us, 80, SYN, 1, 0, 0);
	nat_lab_in(LAB_OUT);
	nat_lab_tcp(out1, 9, us, 80, FIN, 2, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_tcp(out1, 9, us, 80, FIN | ACK, 2, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	is_state("syn_received");
	nat_lab_wait(245);
	is_gone();
}

/* A segment of 64 KiB, as TSO makes it, is one like others. */
static void large_segment(void **state)
{
	(void)state;
	establish();
	nat_lab_tcp(out1, 80, us, port, ACK, 5001, 1001, 100);
	lab.f.len = 14 + 40 + 8000;
	lab.k.ip_bytes = 40 + 8000;
	write_be16(lab.f.snap + 16, 40 + 8000);
	lab.f.off = (struct offload){
		.flags = OFFLOAD_NEEDS_CSUM, .gso_type = GSO_TCPV4, .gso_size = 1448};
	lab.f.off.csum_start = 34;
	lab.f.off.csum_offset = 16;
	nat_lab_fix_ipv4();
	{
		struct nat_job j = {.k = &lab.k, .vid = LAB_OUT, .slot = LAB_SLOT};

		assert_int_equal(nat_in(lab.nat, &j, lab.now_ns, &lab.held), DROP_NONE);
	}
	assert_true(nat_lab_dst_is(in1, 4000));
	send_out(ACK, 1, 8001, 0);
	/* The window moved on by it. */
	send_in(RST, 8001, 0, 0);
	is_state("reset");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nat_lab_setup, nat_lab_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(three_ways_and_four),
		TEST(simultaneous_open),
		TEST(syn_ack_again),
		TEST(forged_syn_ack),
		TEST(opens_again),
		TEST(unsolicited_syn),
		TEST(timers),
		TEST(resets),
		TEST(refused),
		TEST(scaled_window),
		TEST(flags),
		TEST(fin_before_open),
		TEST(large_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
