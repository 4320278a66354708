/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of nat/ports: every port of a class is given out before one is refused, at rest and reserved ports, the order in which
 * ports at rest come back, evenness of the draw when few are left (N31, N32, N35); SipHash against its published value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nat/nat.h"
#include "nat/ports.h"

static struct ports_random lottery = {.key = {1, 2}};

static struct ports *make(bool is_identifiers)
{
	struct ports *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	ports_init(p, is_identifiers);
	return p;
}

static int take(struct ports *p, enum ports_class class, bool may_rest_less, uint32_t now_s)
{
	int port = ports_take(p, class, may_rest_less, now_s, &lottery);

	if (port >= 0)
		p->port[port].sessions = 1;
	return port;
}

/* openssl mac -macopt hexkey:(32 zeros) -macopt size:8 siphash, of eight bytes of zero. */
static void sip(void **state)
{
	const uint64_t key[2] = {0, 0}, other[2] = {0, 1};

	(void)state;
	assert_true(ports_sip(key, 0) == 0xe849e8bb6ffe2567);
	assert_true(ports_sip(key, 0) != ports_sip(key, 1));
	assert_true(ports_sip(key, 0) != ports_sip(other, 0));
}

static void all(void **state)
{
	static const struct {
		bool is_identifiers;
		enum ports_class class;
		unsigned first, n;
	} cases[] = {
		{false, PORTS_LOW, 1, 1023},
		{false, PORTS_HIGH, 1024, 64512},
		{true, PORTS_HIGH, 0, 65536},
		{true, PORTS_LOW, 0, 0},
	};

	(void)state;
	for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct ports *p = make(cases[c].is_identifiers);
		bool *seen = calloc(PORTS, sizeof(*seen));

		assert_non_null(seen);
		for (unsigned i = 0; i < cases[c].n; i++) {
			int port = take(p, cases[c].class, false, 5);

			assert_in_range(port, cases[c].first, cases[c].first + cases[c].n - 1);
			assert_false(seen[port]);
			assert_int_equal(ports_class_of(p, (uint16_t)port), cases[c].class);
			seen[port] = true;
		}
		assert_int_equal(take(p, cases[c].class, true, 5), -1);
		assert_int_equal(p->n_used, cases[c].n);
		free(seen);
		free(p);
	}
}

/* The one that rests longest comes first, when its time has come, or at once for those who may. */
static void rest(void **state)
{
	struct ports *p = make(false);
	uint16_t given[10];

	(void)state;
	for (unsigned i = 0; i < 1023; i++)
		take(p, PORTS_LOW, false, 5);
	for (unsigned i = 0; i < 10; i++) {
		given[i] = (uint16_t)(100 - 3 * i);
		ports_give(p, given[i], 1000 + i);
	}
	assert_int_equal(take(p, PORTS_LOW, false, 1000 + NAT_QUIET_S), -1);
	assert_int_equal(take(p, PORTS_LOW, false, 1001 + NAT_QUIET_S), given[0]);
	assert_int_equal(take(p, PORTS_LOW, false, 1001 + NAT_QUIET_S), -1);
	assert_int_equal(take(p, PORTS_LOW, true, 1001 + NAT_QUIET_S), given[1]);
	assert_int_equal(take(p, PORTS_LOW, true, 1001 + NAT_QUIET_S), given[2]);
	for (unsigned i = 3; i < 10; i++)
		assert_true(take(p, PORTS_LOW, false, 3000) > 0);
	assert_int_equal(take(p, PORTS_LOW, true, 3000), -1);
	/* The clock may wrap. */
	ports_give(p, 7, UINT32_MAX - 10);
	assert_int_equal(take(p, PORTS_LOW, false, 100), -1);
	assert_int_equal(take(p, PORTS_LOW, false, 110), 7);
	ports_init(p, false); /* used again */
	assert_int_equal(p->n_used, 0);
	assert_true(take(p, PORTS_LOW, false, 5) > 0);
	free(p);
}

static void reserve(void **state)
{
	struct ports *p = make(false);

	(void)state;
	assert_true(ports_claim(p, 500));
	assert_false(ports_claim(p, 500));
	assert_false(ports_claim(p, 0));
	p->port[500].sessions = 1;
	ports_reserve(p, 0, 1000);
	ports_reserve(p, 900, 1010);
	ports_reserve_commit(p);
	for (unsigned i = 0; i < 13; i++)
		assert_in_range(take(p, PORTS_LOW, false, 5), 1011, 1023);
	assert_int_equal(take(p, PORTS_LOW, false, 5), -1);
	ports_give(p, 500, 5); /* was in use; nobody gets it even so */
	assert_int_equal(take(p, PORTS_LOW, true, 6), -1);
	assert_int_equal(take(p, PORTS_LOW, true, 600), -1);
	ports_reserve_commit(p);
	for (unsigned i = 0; i < 1010; i++)
		assert_in_range(take(p, PORTS_LOW, false, 600), 1, 1010);
	assert_int_equal(take(p, PORTS_LOW, false, 600), -1);
	free(p);
}

/* One free port of many: whoever frees any knows nothing of which is drawn next. */
static void few(void **state)
{
	struct ports *p = make(false);
	unsigned drawn[100] = {0};
	double chi = 0;

	(void)state;
	for (unsigned i = 0; i < 64512; i++)
		take(p, PORTS_HIGH, false, 5);
	for (unsigned i = 0; i < 100; i++)
		ports_give(p, (uint16_t)(1100 + 640 * i), 5);
	for (unsigned i = 0; i < 100000; i++) {
		int port = take(p, PORTS_HIGH, false, 1000 * (i + 1));

		assert_true(port > 0);
		drawn[(port - 1100) / 640]++;
		ports_give(p, (uint16_t)port, 1000 * (i + 1));
	}
	for (unsigned i = 0; i < 100; i++)
		chi += (drawn[i] - 1000.0) * (drawn[i] - 1000.0) / 1000;
	assert_true(chi < 170); /* 99 degrees of freedom: p > 0.00001 */
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sip),	   cmocka_unit_test(all), cmocka_unit_test(rest),
		cmocka_unit_test(reserve), cmocka_unit_test(few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
