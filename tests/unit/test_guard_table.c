/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guard strict, the table: who comes first, who is bound, limits, and a naive twin. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/guard_lab.h"

/* --- learned ----------------------------------------------------------------------------- */

static enum drop say6(uint16_t slot, const char *src)
{
	gl_ip6(slot == A ? &gl_mac_a : &gl_mac_b, src, PROTO_TCP, 0);
	gl_zeros(20);
	gl_seal6();
	return gl_ask(slot, slot == A ? &gl_mac_a : &gl_mac_b, SNAP);
}

static void test_first_come(void **state)
{
	(void)state;
	assert_int_equal(say6(A, "fe80::1:1"), DROP_NONE);
	assert_int_equal(say6(B, "fe80::1:1"), DROP_GUARD_IP);
	gl_nd(&gl_mac_b, "::", 135, "fe80::1:1", 0, NULL);
	assert_int_equal(gl_ask(B, &gl_mac_b, SNAP), DROP_GUARD_ND);
	gl_nd(&gl_mac_b, "fe80::b", 136, "fe80::1:1", 2, &gl_mac_b);
	assert_int_equal(gl_ask(B, &gl_mac_b, SNAP), DROP_GUARD_ND);
	gl_now_s += GUARD_IDLE_S - 1; /* still */
	assert_int_equal(say6(B, "fe80::1:1"), DROP_GUARD_IP);
	assert_int_equal(say6(A, "fe80::1:1"), DROP_NONE); /* used: again for as long */
	gl_now_s += GUARD_IDLE_S - 1;
	assert_int_equal(say6(B, "fe80::1:1"), DROP_GUARD_IP);
	gl_now_s++;
	assert_int_equal(say6(B, "fe80::1:1"), DROP_NONE); /* idle: it moves */
	assert_int_equal(say6(A, "fe80::1:1"), DROP_GUARD_IP);
	guard_forget(gl, B);
	assert_int_equal(say6(A, "fe80::1:1"), DROP_NONE);
	gl_vid = VID + 1; /* another VLAN is another link */
	assert_int_equal(say6(B, "fe80::1:1"), DROP_NONE);
}

static void test_learned_limit(void **state)
{
	char text[IP_TEXT];

	(void)state;
	for (unsigned i = 0; i < GUARD_LEARNED; i++) {
		snprintf(text, sizeof(text), "fd00::1:%u", i);
		gl_now_s++;
		assert_int_equal(say6(A, text), DROP_NONE);
	}
	assert_int_equal(say6(A, "fd00::2"), DROP_GUARD_IP);
	assert_int_equal(say6(B, "fd00::2"), DROP_NONE); /* nobody has it */
	gl_now_s = NOW_S + 1 + GUARD_IDLE_S; /* the first is idle, the second not quite */
	assert_int_equal(say6(A, "fd00::3"), DROP_NONE);
	assert_int_equal(say6(A, "fd00::4"), DROP_GUARD_IP);
	assert_int_equal(say6(B, "fd00::1:0"), DROP_NONE);
	assert_int_equal(say6(B, "fd00::1:1"), DROP_GUARD_IP);
}

static void test_net_changes(void **state)
{
	struct guard_net net = {.vid = VID, .gateway = gl_gateway_mac};

	(void)state;
	assert_int_equal(say6(A, "fd00::a"), DROP_NONE);
	assert_int_equal(say6(A, "fe80::a"), DROP_NONE);
	assert_int_equal(say6(A, "fe80::c"), DROP_NONE);
	assert_true(prefix_parse("fd05::1/64", &net.slaac));
	net.own6 = gl_ip_of("fe80::c");
	assert_int_equal(guard_net(gl, &net), 0);
	assert_int_equal(say6(A, "fe80::a"), DROP_NONE);
	assert_int_equal(say6(A, "fd00::a"), DROP_GUARD_IP); /* its prefix is gone */
	assert_int_equal(say6(A, "fe80::c"), DROP_GUARD_IP); /* it is the switch's own now */
	assert_int_equal(say6(A, "fd05::a"), DROP_NONE);
	assert_int_equal(guard_net(gl, &net), 0);
	assert_int_equal(say6(A, "fd05::a"), DROP_NONE);
}

/* --- bound ------------------------------------------------------------------------------- */

static enum drop say4(uint16_t slot, const char *src)
{
	gl_ip4(slot == A ? &gl_mac_a : &gl_mac_b, src, "10.10.0.1", PROTO_TCP, 0, 0);
	gl_zeros(20);
	return gl_ask(slot, slot == A ? &gl_mac_a : &gl_mac_b, SNAP);
}

static void test_bound_moves(void **state)
{
	struct ip ip = gl_ip_of("10.10.0.5");

	(void)state;
	assert_int_equal(gl_bind_at(A, "10.10.0.5", &gl_mac_a, UINT32_MAX, false), 0);
	assert_int_equal(say4(A, "10.10.0.5"), DROP_NONE);
	assert_int_equal(gl_bind_at(B, "10.10.0.5", &gl_mac_b, UINT32_MAX, false), 0);
	assert_int_equal(say4(A, "10.10.0.5"), DROP_GUARD_IP);
	assert_int_equal(say4(B, "10.10.0.5"), DROP_NONE);
	/* The same port with another MAC. */
	assert_int_equal(gl_bind_at(B, "10.10.0.5", &gl_mac_a, UINT32_MAX, false), 0);
	assert_int_equal(say4(B, "10.10.0.5"), DROP_GUARD_IP);
	guard_unbind(gl, VID + 1, &ip, false);
	guard_unbind(gl, VID, &ip, true); /* not of that kind */
	assert_int_equal(gl_bind_at(B, "10.10.0.5", &gl_mac_b, NOW_S + 5, false), 0);
	assert_int_equal(say4(B, "10.10.0.5"), DROP_NONE);
	guard_unbind(gl, VID, &ip, false);
	guard_unbind(gl, VID, &ip, false);
	assert_int_equal(say4(B, "10.10.0.5"), DROP_GUARD_IP);
}

/* What the configuration says stands, beside a lease of the same address and against one of another port. */
static void test_bound_fixed(void **state)
{
	struct ip ip = gl_ip_of("10.10.0.5");

	(void)state;
	gl_bind_fixed(A, "10.10.0.5");
	assert_int_equal(gl_bind_at(A, "10.10.0.5", &gl_mac_a, NOW_S + 5, false), 0);
	assert_int_equal(gl_bind_at(B, "10.10.0.5", &gl_mac_b, UINT32_MAX, false), -EADDRINUSE);
	guard_unbind(gl, VID, &ip, false);
	assert_int_equal(say4(A, "10.10.0.5"), DROP_NONE);
	assert_int_equal(gl_bind_at(A, "10.10.0.5", &gl_mac_a, NOW_S + 5, false), 0);
	guard_set_fixed(gl, A, NULL, 0);
	assert_int_equal(say4(A, "10.10.0.5"), DROP_NONE); /* by the lease */
	gl_now_s += 5;
	assert_int_equal(say4(A, "10.10.0.5"), DROP_GUARD_IP);
	assert_int_equal(gl_bind_at(B, "10.10.0.5", &gl_none, UINT32_MAX, true), 0);
	assert_int_equal(gl_bind_at(A, "10.10.0.5", &gl_none, UINT32_MAX, true), 0); /* said anew */
	assert_int_equal(say4(B, "10.10.0.5"), DROP_GUARD_IP);
	assert_int_equal(gl_bind_at(A, "10.10.0.1", &gl_none, UINT32_MAX, true), -EADDRINUSE);
	assert_int_equal(gl_bind_at(A, "fd00::1", &gl_none, UINT32_MAX, false), -EADDRINUSE);
	assert_int_equal(gl_bind_at(A, "fe80::76:66ff:fe00:a", &gl_none, UINT32_MAX, true),
			 -EADDRINUSE);
}

/* What somebody learned is not his any more when it is bound to another; nor learned while it is. */
static void test_bound_and_learned(void **state)
{
	struct ip ip = gl_ip_of("fd00::a");

	(void)state;
	assert_int_equal(say6(A, "fd00::a"), DROP_NONE);
	assert_int_equal(gl_bind_at(B, "fd00::a", &gl_mac_b, NOW_S + 5, false), 0);
	assert_int_equal(say6(A, "fd00::a"), DROP_GUARD_IP);
	assert_int_equal(say6(B, "fd00::a"), DROP_NONE);
	gl_now_s += 5;
	assert_int_equal(say6(A, "fd00::a"), DROP_NONE); /* the lease is over */
	assert_int_equal(say6(B, "fd00::a"), DROP_GUARD_IP);
	guard_unbind(gl, VID, &ip, false);
	assert_int_equal(say6(A, "fd00::a"), DROP_NONE);
}

struct seen {
	unsigned n, learned, fixed;
	struct guard_binding last;
};

static void see(void *arg, const struct guard_binding *b, bool is_learned)
{
	struct seen *s = arg;

	s->n++;
	s->learned += is_learned;
	s->fixed += b->is_fixed;
	s->last = *b;
}

static struct seen seen_at(uint16_t slot)
{
	struct seen s = {0};

	guard_each(gl, slot, see, &s);
	return s;
}

static void test_bound_limit(void **state)
{
	struct ip ip = gl_ip_of("10.10.1.3");
	char text[IP_TEXT];

	(void)state;
	for (unsigned i = 0; i < GUARD_BINDINGS; i++) {
		snprintf(text, sizeof(text), "10.10.1.%u", i);
		assert_int_equal(gl_bind_at(A, text, &gl_mac_a, UINT32_MAX, false), 0);
	}
	assert_int_equal(gl_bind_at(A, "10.10.2.1", &gl_mac_a, UINT32_MAX, false), -ENOSPC);
	assert_int_equal(gl_bind_at(A, "10.10.1.3", &gl_mac_a, NOW_S + 9, false), 0); /* renewed */
	assert_int_equal(seen_at(A).n, GUARD_BINDINGS);
	for (unsigned i = 0; i < GUARD_BINDINGS; i++) {
		snprintf(text, sizeof(text), "10.10.1.%u", i);
		assert_int_equal(say4(A, text), DROP_NONE);
	}
	guard_unbind(gl, VID, &ip, false);
	assert_int_equal(gl_bind_at(A, "10.10.2.1", &gl_mac_a, UINT32_MAX, false), 0);
	assert_int_equal(say4(A, "10.10.2.1"), DROP_NONE);
	assert_int_equal(say4(A, "10.10.1.3"), DROP_GUARD_IP);
	guard_forget(gl, A);
	assert_int_equal(seen_at(A).n, 0);
}

static void test_set_fixed(void **state)
{
	struct guard_binding b[3] = {
		{.vid = VID, .ip = gl_ip_of("10.10.0.5"), .end_s = UINT32_MAX, .is_fixed = true},
		{.vid = VID, .ip = gl_ip_of("10.10.0.1"), .end_s = UINT32_MAX, .is_fixed = true},
		{.vid = VID, .ip = gl_ip_of("fd00::5"), .end_s = UINT32_MAX, .is_fixed = true},
	};
	struct seen s;

	(void)state;
	gl_bind_fixed(A, "10.10.0.4");
	assert_int_equal(gl_bind_at(A, "10.10.0.9", &gl_mac_a, NOW_S + 9, false), 0);
	assert_int_equal(say6(A, "fe80::a"), DROP_NONE);
	assert_int_equal(guard_set_fixed(gl, A, b, 3), -EADDRINUSE); /* and the others are set */
	s = seen_at(A);
	assert_int_equal(s.n, 4);
	assert_int_equal(s.fixed, 2);
	assert_int_equal(s.learned, 1);
	assert_memory_equal(&s.last.mac, &gl_mac_a, sizeof(gl_mac_a));
	assert_true(ip_equal(&s.last.ip, &(struct ip){{0xfe, 0x80, [15] = 0xa}}));
	assert_int_equal(say4(A, "10.10.0.4"), DROP_GUARD_IP);
	assert_int_equal(say4(A, "10.10.0.5"), DROP_NONE);
	assert_int_equal(guard_set_fixed(gl, A, b + 2, 1), 0);
	assert_int_equal(say4(A, "10.10.0.5"), DROP_GUARD_IP);
	assert_int_equal(say6(A, "fd00::5"), DROP_NONE);
	guard_set_fixed(gl, A, NULL, 0);
	assert_int_equal(seen_at(A).n, 2);
}

/* --- a naive twin ------------------------------------------------------------------------ */

enum { PORTS = 6, HOSTS = 24, STEPS = 60000, KINDS = 3 };

/* Of each address and kind: who has it. */
struct twin {
	bool is_set;
	uint16_t slot;
	uint32_t time_s;
} twin[HOSTS][KINDS];

enum { FIXED, LEASED, LEARNED };

static struct ip host_ip(unsigned h)
{
	struct ip ip = {{0xfd, [15] = (uint8_t)(h + 2)}};

	return ip;
}

static struct mac port_mac(uint16_t slot)
{
	return (struct mac){{2, 0, 0, 0, 1, (uint8_t)slot}};
}

static bool twin_holds(const struct twin *t, unsigned kind)
{
	if (!t->is_set || kind == FIXED)
		return t->is_set;
	return kind == LEASED ? gl_now_s < t->time_s : gl_now_s - t->time_s < GUARD_IDLE_S;
}

static unsigned twin_learned(uint16_t slot)
{
	unsigned n = 0;

	for (unsigned h = 0; h < HOSTS; h++)
		n += twin[h][LEARNED].is_set && twin[h][LEARNED].slot == slot;
	return n;
}

/* The one that is idle for longest makes room; false: there is none. */
static bool twin_room(uint16_t slot)
{
	struct twin *oldest = NULL;

	if (twin_learned(slot) < GUARD_LEARNED)
		return true;
	for (unsigned h = 0; h < HOSTS; h++) {
		struct twin *t = &twin[h][LEARNED];

		if (t->is_set && t->slot == slot && !twin_holds(t, LEARNED) &&
		    (!oldest || t->time_s < oldest->time_s))
			oldest = t;
	}
	if (oldest)
		oldest->is_set = false;
	return oldest;
}

static enum drop twin_say(uint16_t slot, unsigned h)
{
	struct twin *t = twin[h];
	bool was_full = twin_learned(slot) == GUARD_LEARNED;

	for (unsigned k = 0; k < LEARNED; k++)
		if (t[k].slot == slot && twin_holds(&t[k], k))
			return DROP_NONE;
	if (t[LEARNED].is_set && t[LEARNED].slot == slot) {
		t[LEARNED].time_s = gl_now_s;
		return DROP_NONE;
	}
	if (was_full) {
		bool has_idle = false;

		for (unsigned i = 0; i < HOSTS; i++)
			has_idle |= twin[i][LEARNED].is_set && twin[i][LEARNED].slot == slot &&
				    !twin_holds(&twin[i][LEARNED], LEARNED);
		if (!has_idle)
			return DROP_GUARD_IP;
	}
	for (unsigned k = 0; k < KINDS; k++)
		if (t[k].is_set && t[k].slot != slot && twin_holds(&t[k], k))
			return DROP_GUARD_IP;
	for (unsigned k = 0; k < KINDS; k++)
		if (t[k].is_set && t[k].slot != slot)
			t[k].is_set = false;
	if (!twin_room(slot))
		return DROP_GUARD_IP;
	t[LEARNED] = (struct twin){true, slot, gl_now_s};
	return DROP_NONE;
}

static int twin_bind(uint16_t slot, unsigned h, unsigned kind, uint32_t end_s)
{
	struct twin *t = twin[h];

	if (kind == LEASED && t[FIXED].is_set && t[FIXED].slot != slot)
		return -EADDRINUSE;
	for (unsigned k = 0; k < KINDS; k++)
		if (k == LEARNED || t[k].slot != slot)
			t[k].is_set = false;
	t[kind] = (struct twin){true, slot, end_s};
	return 0;
}

static void step_control(uint16_t slot, unsigned h)
{
	struct guard_binding b = {.vid = VID, .ip = host_ip(h), .mac = port_mac(slot)};
	unsigned kind = (unsigned)random() % 2;

	switch (random() % 8) {
	default:
		b.is_fixed = kind == FIXED;
		b.end_s = b.is_fixed ? UINT32_MAX : gl_now_s + (uint32_t)random() % 400;
		assert_int_equal(guard_bind(gl, slot, &b), twin_bind(slot, h, kind, b.end_s));
		break;
	case 0:
	case 1:
	case 2:
	case 3:
		guard_unbind(gl, VID, &b.ip, kind == FIXED);
		twin[h][kind].is_set = false;
		break;
	case 4:
		guard_forget(gl, slot);
		for (unsigned i = 0; i < HOSTS * KINDS; i++)
			if (twin[i / KINDS][i % KINDS].slot == slot)
				twin[i / KINDS][i % KINDS].is_set = false;
		break;
	}
}

static unsigned twin_count(uint16_t slot)
{
	unsigned n = 0;

	for (unsigned i = 0; i < HOSTS * KINDS; i++)
		n += twin[i / KINDS][i % KINDS].is_set && twin[i / KINDS][i % KINDS].slot == slot;
	return n;
}

static void test_twin(void **state)
{
	(void)state;
	srandom(5);
	memset(twin, 0, sizeof(twin));
	for (unsigned i = 0; i < STEPS; i++) {
		uint16_t slot = (uint16_t)(random() % PORTS);
		unsigned h = (unsigned)random() % HOSTS;
		struct mac m = port_mac(slot);
		struct ip ip = host_ip(h);

		gl_now_s++; /* no two were used at the same time */
		if (random() % 64 == 0)
			gl_now_s += (uint32_t)random() % 90;
		if (random() % 5 == 0)
			step_control(slot, h);
		gl_ip6(&m, "::", PROTO_TCP, 0);
		gl_zeros(20);
		gl_seal6();
		memcpy(gl_buf + 22, &ip, 16);
		assert_int_equal(gl_ask(slot, &m, SNAP), twin_say(slot, h));
		assert_int_equal(seen_at(slot).n, twin_count(slot));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, gl_setup, gl_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_first_come),	TEST(test_learned_limit), TEST(test_net_changes),
		TEST(test_bound_moves), TEST(test_bound_fixed),	  TEST(test_bound_and_learned),
		TEST(test_bound_limit), TEST(test_set_fixed),	  TEST(test_twin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
