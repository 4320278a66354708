/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/base/units and nearest: numbers with units, and misspelt words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/units.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

struct good {
	const char *in;
	uint64_t out;
};

static void check(bool (*parse)(const char *, uint64_t *), const struct good *good, size_t n_good,
		  const char *const *bad, size_t n_bad)
{
	uint64_t v;
	size_t i;

	for (i = 0; i < n_good; i++) {
		v = 77;
		assert_true(parse(good[i].in, &v));
		assert_int_equal(v, good[i].out);
	}
	for (i = 0; i < n_bad; i++) {
		v = 77;
		assert_false(parse(bad[i], &v));
		assert_int_equal(v, 77);
	}
}

static void numbers(void **state)
{
	static const char *const bad[] = {"",
					  " 1",
					  "1 ",
					  "+1",
					  "-1",
					  "0x1",
					  "1.0",
					  "a",
					  "101",
					  "010",
					  "0100",
					  "00",
					  "9",
					  "18446744073709551616",
					  "99999999999999999999999"};
	uint64_t v = 77;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(bad); i++)
		assert_false(units_number(bad[i], 10, 100, &v));
	assert_int_equal(v, 77);
	assert_true(units_number("10", 10, 100, &v));
	assert_int_equal(v, 10);
	assert_true(units_number("0", 0, 100, &v));
	assert_int_equal(v, 0);
	assert_true(units_number("18446744073709551615", 0, UINT64_MAX, &v));
	assert_true(v == UINT64_MAX);
}

static void truths(void **state)
{
	static const struct good good[] = {{"true", 1}, {"yes", 1}, {"on", 1},	 {"True", 1},
					   {"no", 0},	{"off", 0}, {"false", 0}};
	static const char *const bad[] = {"", "y", "n", "1", "0", "none", "true ", "tru"};

	(void)state;
	check(units_truth, good, COUNT_OF(good), bad, COUNT_OF(bad));
}

static void durations(void **state)
{
	static const struct good good[] = {
		{"500ms", 500},	 {"5s", 5000},	   {"5m", 300000},
		{"2h", 7200000}, {"1d", 86400000}, {"300", 300000},
		{"0", 0},	 {"0ms", 0},	   {"18446744073709551615ms", UINT64_MAX},
	};
	static const char *const bad[] = {"",
					  "s",
					  "5 s",
					  "-5s",
					  "5sec",
					  "1h30m",
					  "1.5s",
					  "05s",
					  "5s\n",
					  "18446744073709551615s",
					  "18446744073709551616ms"};

	(void)state;
	check(units_duration_ms, good, COUNT_OF(good), bad, COUNT_OF(bad));
}

static void bits(void **state)
{
	static const struct good good[] = {
		{"10mbit", 10000000},
		{"1gbit", 1000000000},
		{"512kbit", 512000},
		{"100bit", 100},
		{"10Mbit", 10000000},
		{"1000", 1000},
		{"0", 0},
	};
	static const char *const bad[] = {"",	 "mbit",	   "10m", "10mbits", "10 mbit",
					  "1e3", "18446744074gbit"};

	(void)state;
	check(units_bits, good, COUNT_OF(good), bad, COUNT_OF(bad));
}

static void bytes(void **state)
{
	static const struct good good[] = {
		{"64K", 65536},	    {"256M", 256 << 20}, {"1G", 1 << 30},
		{"1t", 1ULL << 40}, {"123", 123},	 {"16777215T", 16777215ULL << 40},
	};
	static const char *const bad[] = {"", "K", "64KB", "64 K", "16777216T", "-1K"};

	(void)state;
	check(units_bytes, good, COUNT_OF(good), bad, COUNT_OF(bad));
}

static void texts(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} t[] = {
		{0, "0s"},	{1, "1ms"},	  {1500, "1500ms"}, {90000, "90s"},
		{300000, "5m"}, {5400000, "90m"}, {7200000, "2h"},  {86400000, "1d"},
	};
	char buf[UNITS_TEXT];
	uint64_t v, back;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++)
		assert_string_equal(units_duration_text(t[i].ms, buf), t[i].text);
	assert_string_equal(units_bits_text(0, buf), "0bit");
	assert_string_equal(units_bits_text(1500000, buf), "1500kbit");
	srandom(1);
	for (i = 0; i < 10000; i++) {
		v = (uint64_t)random() << 33 ^ (uint64_t)random();
		v >>= random() % 64;
		v = i ? v : UINT64_MAX;
		assert_true(units_duration_ms(units_duration_text(v, buf), &back));
		assert_true(back == v);
		assert_true(units_bits(units_bits_text(v, buf), &back));
		assert_true(back == v);
	}
}

static void nearest(void **state)
{
	static const char *const words[] = {"office", "storage", "vlan",  "vlan-mode",
					    "mode",   "a",	 "ports", NULL};
	static const char *const nouns[] = {"net", "port", "top", "mac", "lab", NULL};
	static const char *const none[] = {NULL};
	static const struct {
		const char *in, *out;
	} t[] = {
		{"ofice", "office"},  {"offcie", "office"},
		{"office", "office"}, {"sotrage", "storage"},
		{"vlna", "vlan"},     {"vlanmode", "vlan-mode"},
		{"prots", "ports"},   {"port", "ports"},
		{"network", NULL},    {"x", NULL},
		{"", NULL},	      {"ab", "a"},
	};
	char *huge;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT_OF(t); i++) {
		if (t[i].out)
			assert_string_equal(nearest_word(t[i].in, words), t[i].out);
		else
			assert_null(nearest_word(t[i].in, words));
	}
	/* For three letters two steps are too many. */
	assert_null(nearest_word("foo", nouns));
	assert_string_equal(nearest_word("nat", nouns), "net");
	assert_string_equal(nearest_word("nte", nouns), "net");
	assert_string_equal(nearest_word("pot", nouns), "port");
	assert_null(nearest_word("office", none));
	huge = malloc(1 << 20);
	assert_non_null(huge);
	memset(huge, 'a', (1 << 20) - 1);
	huge[(1 << 20) - 1] = '\0';
	assert_null(nearest_word(huge, words));
	assert_null(nearest_word("aaaa", (const char *const[]){huge, NULL}));
	huge[64] = '\0';
	assert_ptr_equal(nearest_word(huge, (const char *const[]){huge, NULL}), huge);
	free(huge);
}

static void split(void **state)
{
	static const struct {
		const char *text, *part[3];
		unsigned n;
	} cases[] = {
		{"", {""}, 1},
		{"a", {"a"}, 1},
		{"a:b:", {"a", "b", ""}, 3},
		{"[::1]:80", {"[::1]", "80"}, 2},
		{"a:[b:c]:d", {"a", "[b:c]", "d"}, 3},
		{"[a:b:c:d", {"[a:b:c:d"}, 1},
		{"a:b:c:d", {"a", "b", "c:d"}, 4}, /* more than there is room for */
	};
	char copy[16], *part[3];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(copy, cases[i].text);
		assert_int_equal(units_split(copy, ':', part, 3), cases[i].n);
		for (unsigned k = 0; k < 3 && k < cases[i].n; k++)
			assert_string_equal(part[k], cases[i].part[k]);
	}
	strcpy(copy, "a,b:c");
	assert_int_equal(units_split(copy, ',', part, 3), 2);
	assert_string_equal(part[1], "b:c");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers),   cmocka_unit_test(truths),
		cmocka_unit_test(durations), cmocka_unit_test(bits),
		cmocka_unit_test(bytes),     cmocka_unit_test(texts),
		cmocka_unit_test(nearest),   cmocka_unit_test(split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
