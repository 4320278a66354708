/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of nat/plan: PROMISES rows N36, N37: rules found in any number, bound to what they name, changed under way; B of
 * issue 4: 4096 rules of 64 K ports each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nat/nat_internal.h"
#include "tests/lib/nat_lab.h"

static const char *const in1 = "10.0.0.5", *const us = "192.0.2.1", *const out1 = "198.51.100.10";

/* N36: the client's address is kept, answers leave by the forwarded port. */
static void forward(void **state)
{
	(void)state;
	nat_lab_add_rule("web", PROTO_TCP, us, 8080, 8089, in1, 80);
	nat_lab_commit();
	nat_lab_tcp(out1, 9999, us, 8083, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_int_equal(lab.vid, LAB_IN);
	assert_true(nat_lab_src_is(out1, 9999) && nat_lab_dst_is(in1, 83));
	nat_lab_tcp(in1, 83, out1, 9999, SYN | ACK, 1, 2, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_true(nat_lab_src_is(us, 8083) && nat_lab_dst_is(out1, 9999));
	/* What the guest itself starts from that port has a mapping of its own. */
	nat_lab_tcp(in1, 83, "198.51.100.77", 443, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	assert_false(lab.k.sport >= 8080 && lab.k.sport <= 8089);
	nat_lab_tcp(out1, 9999, us, 8090, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	nat_lab_tcp(out1, 9999, us, 8079, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	nat_lab_tcp(out1, 9998, us, 8083, ACK, 1, 1, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_TCP);
	nat_lab_udp(out1, 9999, us, 8083);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
}

/* N37: bound to one address of one uplink. */
static void bind_scope(void **state)
{
	static const struct {
		const char *dst;
		uint16_t vid;
		enum drop drop;
	} row[] = {
		{"192.0.2.2", LAB_OUT, DROP_NONE},
		{"192.0.2.1", LAB_OUT, DROP_NAT_NO_SESSION},
		{"192.0.2.2", LAB_OUT2, DROP_NAT_NO_SESSION},
		{"203.0.113.1", LAB_OUT2, DROP_NAT_NO_SESSION},
		{"127.0.0.1", LAB_OUT, DROP_NAT_NO_SESSION},
		{"10.0.0.5", LAB_OUT, DROP_NAT_NO_SESSION},
		{"192.0.2.3", LAB_OUT, DROP_NAT_NO_SESSION},
	};

	(void)state;
	lab.outsides[0].pool[2] = nat_lab_ip("192.0.2.2");
	lab.outsides[0].n_pool = 3;
	nat_lab_add_rule("web", PROTO_TCP, "192.0.2.2", 8080, 8080, in1, 80);
	nat_lab_commit();
	for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
		nat_lab_tcp(out1, 9999, row[i].dst, 8080, SYN, 1, 0, 0);
		assert_int_equal(nat_lab_in(row[i].vid), row[i].drop);
	}
	/* On all addresses of its uplink, and of its family only. */
	nat_lab_add_rule("all", PROTO_UDP, NULL, 53, 53, in1, 53);
	nat_lab_commit();
	nat_lab_udp(out1, 9, "192.0.2.1", 53);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_udp(out1, 9, "192.0.2.2", 53);
	/* The same ends inside: the client's address is kept, so there is no second one. */
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_FULL);
	nat_lab_udp(out1, 10, "192.0.2.2", 53);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_udp(out1, 9, "203.0.113.1", 53);
	assert_int_equal(nat_lab_in(LAB_OUT2), DROP_NAT_NO_SESSION);
	nat_lab_udp("2001:db8:f::1", 9, "2001:db8::1", 53);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
}

static void allow_from(void **state)
{
	struct nat_rule *r = nat_lab_add_rule("ssh", PROTO_TCP, us, 22, 22, in1, 22);

	(void)state;
	prefix_parse("198.51.100.0/28", &r->allow[0]);
	r->n_allow = 1;
	nat_lab_commit();
	nat_lab_tcp("198.51.100.15", 1, us, 22, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	nat_lab_tcp("198.51.100.16", 1, us, 22, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_DENIED);
	/* Narrowed: who is in goes. */
	prefix_parse("198.51.100.0/30", &r->allow[0]);
	nat_lab_commit();
	nat_lab_tcp("198.51.100.15", 1, us, 22, ACK, 2, 1, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_DENIED);
}

/* N36: no mapping takes a forwarded port, though few others are left. */
static void reserved(void **state)
{
	(void)state;
	nat_lab_add_rule("most", PROTO_UDP, us, 1024, 65000, in1, 1024);
	nat_lab_commit();
	for (uint16_t i = 0; i < 500; i++) {
		uint16_t port = nat_lab_mapping(LAB_IN, in1, (uint16_t)(2000 + i));

		assert_true(port > 65000);
	}
	for (unsigned i = 0; i < 40; i++)
		nat_lab_mapping(LAB_IN, in1, (uint16_t)(3000 + i));
	nat_lab_udp(in1, 4000, out1, 53);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_PORTS);
	/* DHCP's never are. */
	for (uint16_t i = 1; i < 1024; i++) {
		uint16_t port = nat_lab_mapping(LAB_IN2, in1, i);

		assert_true(port != 67 && port != 68 && port != 546 && port != 547);
	}
	nat_lab_udp(out1, 67, us, 68);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NO_SERVICE);
}

/* Deleted or changed: its sessions pass nothing at once, those of others go on. */
static void deleted(void **state)
{
	uint32_t sessions = 0;
	uint64_t frames = 0;
	struct nat_plan *plan;

	(void)state;
	nat_lab_add_rule("a", PROTO_TCP, us, 8080, 8080, in1, 80);
	nat_lab_add_rule("b", PROTO_TCP, us, 8081, 8081, in1, 81);
	nat_lab_commit();
	for (uint16_t p = 8080; p <= 8081; p++) {
		nat_lab_tcp(out1, 9, us, p, SYN, 1, 0, 0);
		assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	}
	/* In another order, and "a" is gone. */
	lab.rules[0] = lab.rules[1];
	lab.conf.n_rules = 1;
	nat_lab_add_rule("0", PROTO_TCP, us, 7000, 7000, in1, 70);
	nat_lab_commit();
	nat_lab_tcp(out1, 9, us, 8080, SYN, 1, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_NO_SESSION);
	nat_lab_tcp(in1, 80, out1, 9, SYN | ACK, 1, 2, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NAT_TCP);
	nat_lab_tcp(in1, 81, out1, 9, SYN | ACK, 1, 2, 0);
	assert_int_equal(nat_lab_out(LAB_IN), DROP_NONE);
	nat_lab_wait(10);
	assert_int_equal(nat_lab_stats(LAB_IN).sessions, 1);
	plan = nat_commit(lab.nat, nat_plan_create(&lab.conf));
	assert_true(nat_rule_stats(plan, "b", &sessions, &frames));
	assert_int_equal(sessions, 1);
	assert_int_equal(frames, 2);
	assert_true(nat_rule_stats(plan, "0", &sessions, &frames));
	assert_int_equal(sessions, 0);
	assert_false(nat_rule_stats(plan, "a", &sessions, &frames));
	nat_plan_destroy(plan);
	/* Another guest behind the same id. */
	lab.rules[0].guest = nat_lab_ip("10.0.0.6");
	nat_lab_commit();
	nat_lab_tcp(out1, 9, us, 8081, ACK, 2, 2, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NAT_TCP);
	nat_lab_tcp(out1, 9, us, 8081, SYN, 2, 0, 0);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(nat_lab_dst_is("10.0.0.6", 81));
}

/* Adding one does not touch a mapping that has its port, and takes what is new there. */
static void added_over_mapping(void **state)
{
	uint16_t port = nat_lab_mapping(LAB_IN, in1, 4000);

	(void)state;
	nat_lab_add_rule("r", PROTO_UDP, us, port, port, "10.0.0.6", 53);
	nat_lab_commit();
	nat_lab_udp("198.51.100.9", 9, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(nat_lab_dst_is(in1, 4000));
	nat_lab_udp(out1, 9, us, port);
	assert_int_equal(nat_lab_in(LAB_OUT), DROP_NONE);
	assert_true(nat_lab_dst_is("10.0.0.6", 53));
}

static struct plan_rule *find_naive(const struct nat_plan *plan, uint16_t vid, uint8_t proto,
				    const struct ip *ip, uint16_t port)
{
	static const struct ip any;

	for (unsigned i = 0; i < plan->n_rules; i++) {
		const struct nat_rule *r = &plan->rules[i].conf;

		if (plan->outsides[r->outside].vid == vid && r->proto == proto &&
		    ip_is_v4(&r->guest) == ip_is_v4(ip) && port >= r->first && port <= r->last &&
		    (ip_equal(&r->bind, ip) || ip_equal(&r->bind, &any)))
			return &plan->rules[i];
	}
	return NULL;
}

/* As many as there may be, against a search of all. */
static void twin(void **state)
{
	static const char *const binds[] = {"192.0.2.1", "192.0.2.2", "2001:db8::1", "203.0.113.1"};
	struct nat_plan *plan;

	(void)state;
	srandom(3);
	for (unsigned i = 0; i < NAT_RULES_MAX; i++) {
		unsigned bind = i % 4, first = i / 8 * 63;
		struct nat_rule *r;
		char id[16];

		snprintf(id, sizeof(id), "r%u", i);
		r = nat_lab_add_rule(id, i & 4 ? PROTO_TCP : PROTO_UDP, binds[bind],
				     (uint16_t)first, (uint16_t)(first + random() % 63),
				     bind == 2 ? "fd00:a::5" : in1, 1);
		r->outside = bind == 3;
	}
	plan = nat_plan_create(&lab.conf);
	assert_non_null(plan);
	for (unsigned i = 0; i < 30000; i++) {
		struct ip ip = nat_lab_ip(binds[random() % 4]);
		uint16_t vid = random() % 4 ? LAB_OUT : LAB_OUT2, port = (uint16_t)random();
		uint8_t proto = random() % 2 ? PROTO_TCP : PROTO_UDP;

		assert_ptr_equal(plan_rule_find(plan, vid, proto, &ip, port),
				 find_naive(plan, vid, proto, &ip, port));
	}
	nat_plan_destroy(plan);
}

/* Rules come and go; each keeps its own count of frames and sessions. */
static void counters_follow(void **state)
{
	uint64_t want[8] = {0};

	(void)state;
	srandom(4);
	for (unsigned round = 0; round < 200; round++) {
		unsigned present = (unsigned)random() & 255, order = (unsigned)random() % 8;
		struct nat_plan *plan;

		lab.conf.n_rules = 0;
		for (unsigned i = 0; i < 8; i++) {
			unsigned r = (i + order) % 8;
			char id[4] = {'r', (char)('0' + r)};

			if (present >> r & 1)
				nat_lab_add_rule(id, PROTO_UDP, us, (uint16_t)(100 + r),
						 (uint16_t)(100 + r), in1, (uint16_t)(10 + r));
			else
				want[r] = 0;
		}
		nat_lab_commit();
		for (unsigned i = 0; i < 20; i++) {
			unsigned r = (unsigned)random() % 8;

			nat_lab_udp(out1, (uint16_t)(1 + random() % 3), us, (uint16_t)(100 + r));
			if (nat_lab_in(LAB_OUT) == DROP_NONE)
				want[r]++;
		}
		plan = nat_commit(lab.nat, nat_plan_create(&lab.conf));
		for (unsigned r = 0; r < 8; r++) {
			char id[4] = {'r', (char)('0' + r)};
			uint32_t sessions = 0;
			uint64_t frames = 0;
			bool is_there = nat_rule_stats(plan, id, &sessions, &frames);

			assert_int_equal(is_there, present >> r & 1);
			assert_int_equal(frames, want[r]);
			assert_true(sessions <= 3);
		}
		nat_plan_destroy(plan);
		if (round % 10 == 9)
			nat_lab_wait(5);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, nat_lab_setup, nat_lab_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(forward), TEST(bind_scope),	 TEST(allow_from), TEST(reserved),
		TEST(deleted), TEST(added_over_mapping), TEST(twin),	   TEST(counters_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
