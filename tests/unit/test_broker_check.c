/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_broker_check: what the broker takes from the switch of links and of the host's side; taps and guests are test_broker.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "switch/broker_check.h"

static char why[TAP_TEXT_SIZE];

static int check(const struct broker_request *q, struct broker_request *out)
{
	return broker_request_check(q, sizeof(*q), 0, out, why);
}

static struct broker_request good_link(void)
{
	struct broker_request q = {.op = BROKER_LINK_OPEN};

	strcpy(q.link.port, "wan");
	strcpy(q.link.interface, "eth0");
	q.link.promisc = q.link.may_wait = q.link.n_refused = 1;
	q.link.mac = (struct mac){{2, 0x76, 0x66, 0, 0, 1}};
	ip_parse("192.0.2.1", &q.link.refused[0]);
	return q;
}

static void test_link_specs(void **state)
{
	struct broker_request q = good_link(), out;

	(void)state;
	assert_int_equal(check(&q, &out), 0);
	assert_memory_equal(&q, &out, sizeof(q));
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), -EINVAL);
	q.op = BROKER_LINK_SET;
	assert_int_equal(check(&q, &out), 0);
	/* What is not counted is nobody's. */
	ip_parse("192.0.2.2", &q.link.refused[1]);
	assert_int_equal(check(&q, &out), 0);
	assert_int_equal(out.link.refused[1].b[15], 0);
#define BAD(change)                                                                                \
	do {                                                                                       \
		q = good_link();                                                                   \
		change;                                                                            \
		assert_int_equal(check(&q, &out), -EINVAL);                                        \
	} while (0)
	BAD(q.link.port[0] = '/');
	BAD(memset(q.link.interface, 'a', sizeof(q.link.interface)));
	BAD(strcpy(q.link.interface, "a/b"));
	BAD(q.link.interface[0] = '\0');
	BAD(q.link.promisc = 2);
	BAD(q.link.may_wait = 255);
	BAD(q.link.n_refused = LINK_REFUSED_MAX + 1);
	BAD(q.link.mac.b[0] |= 1);
#undef BAD
}

static void test_host_sets(void **state)
{
	struct broker_request q = {.op = BROKER_HOST_SET}, out;

	(void)state;
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), 0);
	assert_int_equal(broker_request_check(&q, sizeof(q), 0, &out, why), -EINVAL);
	q.host.n_uplinks = NFT_UPLINKS_MAX;
	q.host.n_forwards = NFT_FORWARDS_MAX;
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), 0);
	q.host.n_forwards++;
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), -EINVAL);
	q.host = (struct host_set){.n_uplinks = NFT_UPLINKS_MAX + 1};
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), -EINVAL);
	q.host = (struct host_set){.leaves_forwarding = 2};
	assert_int_equal(broker_request_check(&q, sizeof(q), 1, &out, why), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_specs),
		cmocka_unit_test(test_host_sets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
