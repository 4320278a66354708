/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table: clean text, figures, aligned columns. */
#include "tools/say.h"
#include "tools/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_text_clean(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", ""},
		{"web-1", "web-1"},
		{"caf\xc3\xa9", "caf\xc3\xa9"},
		{"a\nb\tc", "a\\x0ab\\x09c"},
		{"\x1b[31mred", "\\x1b[31mred"},
		{"\x7f", "\\x7f"},
		{"\xc2\x9b"
		 "31m",
		 "\\xc2\\x9b31m"}, /* C1 control sequence introducer */
		{"\xe2\x80\xae"
		 "x",
		 "\\xe2\\x80\\xaex"},			      /* right-to-left override */
		{"\xff\xfe", "\\xff\\xfe"},		      /* no UTF-8 at all */
		{"\xc0\xaf", "\\xc0\\xaf"},		      /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},	      /* surrogate */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* beyond U+10FFFF */
		{"ok\xe2\x82", "ok\\xe2\\x82"},		      /* cut off */
	};
	char *out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		out = text_clean(cases[i].in);
		assert_string_equal(out, cases[i].out);
		free(out);
	}
}

static void test_text_figure(void **state)
{
	static const struct {
		double in;
		const char *out;
	} cases[] = {
		{0, "0"},	    {7, "7"},	      {999, "999"},	  {999.6, "1.00k"},
		{1234, "1.23k"},    {12345, "12.3k"}, {123456, "123k"},	  {999999, "1.00M"},
		{1234567, "1.23M"}, {15e9, "15.0G"},  {18.4e18, "18.4E"}, {-3, "0"},
	};
	char buf[FIGURE_TEXT];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(text_figure(cases[i].in, buf), cases[i].out);
}

static void test_table_value(void **state)
{
	static const struct {
		const char *json, *out;
	} cases[] = {
		{"null", "-"},	 {"\"\"", "-"},	       {"\"x\"", "x"},	{"12", "12"},
		{"true", "yes"}, {"false", "no"},      {"[]", "-"},	{"[1,\"b\"]", "1,b"},
		{"{}", "-"},	 {"{\"a\":1}", "a=1"}, {"1.25", "1.2"},
	};
	json_t *v;
	char *out;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		v = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		out = table_value(v);
		assert_string_equal(out, cases[i].out);
		free(out);
		json_decref(v);
	}
	out = table_value(NULL);
	assert_string_equal(out, "-");
	free(out);
}

static void shout(json_t *v, char buf[static CELL_TEXT])
{
	snprintf(buf, CELL_TEXT, "%s!", json_string_value(v) ? json_string_value(v) : "nothing");
}

static void test_table_print(void **state)
{
	static const struct column cols[] = {
		{.head = "NAME", .path = "name"},
		{.head = "RX", .path = "rx.frames", .is_right = true},
		{.head = "SAYS", .path = "says", .write = shout},
		{.head = "LAST", .path = "last"},
	};
	static const char want[] = "NAME          RX  SAYS      LAST\n"
				   "web      1234567  hi!       a\n"
				   "d\xc3\xbc             5  nothing!  -\n"
				   "bad\\x0a        -  nothing!  -\n";
	char *text;
	size_t size;
	json_t *rows;
	FILE *f;

	(void)state;
	rows = json_loads(
		"[{\"name\":\"web\",\"rx\":{\"frames\":1234567},\"says\":\"hi\",\"last\":"
		"\"a\"},{\"name\":\"d\xc3\xbc\",\"rx\":{\"frames\":5}},{\"name\":\"bad\\n\"}]",
		0, NULL);
	assert_non_null(rows);
	f = open_memstream(&text, &size);
	table_print(f, cols, 4, rows);
	fclose(f);
	assert_string_equal(text, want);
	free(text);
	json_decref(rows);
}

static void test_table_object(void **state)
{
	char *text;
	size_t size;
	json_t *obj;
	FILE *f;

	(void)state;
	obj = json_loads("{\"name\":\"web\",\"rx\":{\"frames\":5},\"ports\":[1,2]}", 0, NULL);
	f = open_memstream(&text, &size);
	table_object(f, obj);
	fclose(f);
	assert_string_equal(text, "name           web\n"
				  "rx.frames      5\n"
				  "ports          1,2\n");
	free(text);
	json_decref(obj);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_clean),   cmocka_unit_test(test_text_figure),
		cmocka_unit_test(test_table_value),  cmocka_unit_test(test_table_print),
		cmocka_unit_test(test_table_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
