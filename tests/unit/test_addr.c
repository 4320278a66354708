/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/base/addr: text to address and back, and what prefixes hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/addr.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p;

	assert_true(prefix_parse(text, &p));
	return p;
}

static void mac_good(void **state)
{
	static const struct {
		const char *in, *out;
	} t[] = {
		{"02:00:00:00:00:0a", "02:00:00:00:00:0a"},
		{"AA:bb:Cc:dD:EE:ff", "aa:bb:cc:dd:ee:ff"},
		{"00:00:00:00:00:00", "00:00:00:00:00:00"},
	};
	char buf[MAC_TEXT];
	struct mac mac;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++) {
		assert_true(mac_parse(t[i].in, &mac));
		assert_string_equal(mac_text(&mac, buf), t[i].out);
	}
}

static void mac_bad(void **state)
{
	static const char *const t[] = {
		"",
		":",
		"0",
		"02",
		"02:00:00:00:00",
		"02:00:00:00:00:",
		"02:00:00:00:00:0",
		"2:0:0:0:0:a",
		"02:00:00:00:00:0a ",
		"02:00:00:00:00:0a:0b",
		"02-00-00-00-00-0a",
		" 02:00:00:00:00:0a",
		"02:00:00:00:00:0g",
		"02:00:00:00:00:-1",
		"02:00:00:00::00:0a",
		"0x:00:00:00:00:00",
	};
	struct mac mac = {{1, 2, 3, 4, 5, 6}}, was = mac;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++) {
		assert_false(mac_parse(t[i], &mac));
		assert_memory_equal(&mac, &was, sizeof(mac));
	}
}

static void mac_kinds(void **state)
{
	struct mac zero = {{0}}, group = {{1, 0, 0x5e}}, one = {{2, 0, 0, 0, 0, 1}};

	(void)state;
	assert_true(mac_is_zero(&zero));
	assert_false(mac_is_zero(&one));
	assert_true(mac_is_group(&group));
	assert_false(mac_is_group(&one));
}

static void ip_good(void **state)
{
	static const struct {
		const char *in, *out;
		bool is_v4;
	} t[] = {
		{"10.0.0.1", "10.0.0.1", true},
		{"0.0.0.0", "0.0.0.0", true},
		{"255.255.255.255", "255.255.255.255", true},
		{"::", "::", false},
		{"::1", "::1", false},
		{"FD00:0:0:0::1", "fd00::1", false},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", false},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
	};
	char buf[IP_TEXT];
	struct ip ip;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++) {
		assert_true(ip_parse(t[i].in, &ip));
		assert_string_equal(ip_text(&ip, buf), t[i].out);
		assert_int_equal(ip_is_v4(&ip), t[i].is_v4);
	}
}

static void ip_bad(void **state)
{
	static const char *const t[] = {
		"",	     "10",	   "10.0.0",	      "10.0.0.256",   "10.0.0.1.2",
		"10.0.0.1 ", " 10.0.0.1",  "010.0.0.1",	      "0x0a.0.0.1",   "10.0.0.-1",
		":::",	     "1:2:3",	   "1::2::3",	      "fe80::1%eth0", "[::1]",
		"12345::",   "10.0.0.1/8", "::ffff:10.0.0.1", "::ffff:a00:1",
	};
	struct ip ip, was;
	size_t i;

	(void)state;
	memset(&ip, 0x5a, sizeof(ip));
	was = ip;
	for (i = 0; i < COUNT_OF(t); i++) {
		assert_false(ip_parse(t[i], &ip));
		assert_true(ip_equal(&ip, &was));
	}
}

static void prefix_good(void **state)
{
	static const struct {
		const char *in, *out, *first;
	} t[] = {
		{"10.0.0.0/24", "10.0.0.0/24", "10.0.0.1"},
		{"10.0.0.77/24", "10.0.0.77/24", "10.0.0.1"},
		{"10.0.0.77/28", "10.0.0.77/28", "10.0.0.65"},
		{"10.1.2.3/0", "10.1.2.3/0", "0.0.0.1"},
		{"10.0.0.77/30", "10.0.0.77/30", "10.0.0.77"},
		{"10.0.0.77/31", "10.0.0.77/31", "10.0.0.76"},
		{"10.0.0.77/32", "10.0.0.77/32", "10.0.0.77"},
		{"fd00::8:9/64", "fd00::8:9/64", "fd00::1"},
		{"fd00::f/127", "fd00::f/127", "fd00::e"},
		{"fd00::f/128", "fd00::f/128", "fd00::f"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	};
	char buf[PREFIX_TEXT], addr[IP_TEXT];
	struct prefix p;
	struct ip first;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++) {
		p = prefix_of(t[i].in);
		assert_true(p.is_set);
		assert_string_equal(prefix_text(&p, buf), t[i].out);
		first = prefix_first(&p);
		assert_string_equal(ip_text(&first, addr), t[i].first);
	}
}

static void prefix_bad(void **state)
{
	static const char *const t[] = {
		"",
		"/",
		"/24",
		"10.0.0.0",
		"10.0.0.0/",
		"10.0.0.0/33",
		"10.0.0.0/-1",
		"10.0.0.0/+1",
		"10.0.0.0/24x",
		"10.0.0.0/24/8",
		"10.0.0/24",
		"fd00::/129",
		"fd00::/ 64",
		"10.0.0.0/99999999999999999999",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/24",
	};
	struct prefix p = {.len = 7};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++) {
		assert_false(prefix_parse(t[i], &p));
		assert_int_equal(p.len, 7);
		assert_false(p.is_set);
	}
}

static void prefix_matches(void **state)
{
	static const struct {
		const char *prefix, *ip;
		bool holds;
	} t[] = {
		{"10.0.0.0/24", "10.0.0.255", true},
		{"10.0.0.0/24", "10.0.1.0", false},
		{"10.0.0.9/25", "10.0.0.127", true},
		{"10.0.0.9/25", "10.0.0.128", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "fd00::1", true},
		{"::/0", "10.0.0.1", false},
		{"fd00::/63", "fd00:0:0:1::", true},
		{"fd00::/63", "fd00:0:0:2::", false},
		{"10.0.0.1/32", "10.0.0.1", true},
		{"10.0.0.1/32", "10.0.0.0", false},
	};
	struct prefix p, none = {.ip = ip_of("10.0.0.0"), .len = 8};
	struct ip ip;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++) {
		p = prefix_of(t[i].prefix);
		ip = ip_of(t[i].ip);
		assert_int_equal(prefix_holds(&p, &ip), t[i].holds);
	}
	ip = ip_of("10.0.0.1");
	assert_false(prefix_holds(&none, &ip));
}

static void prefix_overlap(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlaps;
	} t[] = {
		{"10.0.0.0/8", "10.9.0.0/16", true},	{"10.0.0.0/24", "10.0.1.0/24", false},
		{"10.0.0.5/24", "10.0.0.200/25", true}, {"0.0.0.0/0", "fd00::/8", false},
		{"fd00::/8", "fd12:3456::/64", true},	{"::/0", "10.0.0.0/8", false},
		{"10.0.0.0/31", "10.0.0.2/31", false},
	};
	struct prefix a, b, none = {.is_set = false};
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++) {
		a = prefix_of(t[i].a);
		b = prefix_of(t[i].b);
		assert_int_equal(prefix_overlaps(&a, &b), t[i].overlaps);
		assert_int_equal(prefix_overlaps(&b, &a), t[i].overlaps);
		assert_false(prefix_overlaps(&a, &none));
		assert_false(prefix_overlaps(&none, &a));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(mac_good),	  cmocka_unit_test(mac_bad),
		cmocka_unit_test(mac_kinds),	  cmocka_unit_test(ip_good),
		cmocka_unit_test(ip_bad),	  cmocka_unit_test(prefix_good),
		cmocka_unit_test(prefix_bad),	  cmocka_unit_test(prefix_matches),
		cmocka_unit_test(prefix_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
