/* SPDX-License-Identifier: GPL-2.0-or-later */
/* call and merge: command lines into arguments and options, options into fragments of the file. */
#include "tools/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/client.h"
#include "tools/merge.h"
#include "tools/nouns.h"
#include "tools/say.h"

/* After ours: it has a macro fail(). */
#include <cmocka.h>

enum { WORDS_MAX = 16 };

static const struct verb verbs[] = {
	{"port", "add", port_change, "NAME", port_options, false, "x"},
	{"port", "set", port_change, "NAME", port_options, false, "x"},
	{"port", "ls", port_list, NULL, NULL, true, "x"},
	{"net", "set", net_change, "NAME", net_options, false, "x"},
	{"capture", NULL, capture, "PORT|all [FILTER...]", capture_options, false, "x"},
	{0},
};

/* Splits "port set web --tag 10" at blanks and parses it; words stays the caller's memory. */
static int parse(struct call *c, char *line, const char **words)
{
	char *save, *word;
	int n, skip;

	n = 0;
	for (word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save))
		words[n++] = word;
	*c = (struct call){.verbs = verbs};
	for (c->verb = verbs; c->verb->noun; c->verb++) {
		if (verb_is(c->verb, words[0], n > 1 ? words[1] : NULL))
			break;
	}
	assert_non_null(c->verb->noun);
	skip = c->verb->verb ? 2 : 1;
	return call_parse(c, n - skip, words + skip);
}

static void test_parse(void **state)
{
	static const struct {
		const char *line;
		int rc, n_args;
		const char *arg0, *option, *value;
	} cases[] = {
		{"port add web --net office", 0, 1, "web", "net", "office"},
		{"port add --net office web", 0, 1, "web", "net", "office"},
		{"port add --net=office web", 0, 1, "web", "net", "office"},
		{"port add web --net=", 0, 1, "web", "net", ""},
		{"port add web --isolated", 0, 1, "web", "isolated", "true"},
		{"port add web --isolated=false", 0, 1, "web", "isolated", "false"},
		{"port add web", 0, 1, "web", "net", NULL},
		{"port add web --net -- ", 0, 1, "web", "net", "--"},
		{"port add -- --net", 0, 1, "--net", "net", NULL},
		{"port ls -o json", 0, 0, NULL, NULL, NULL},
		{"port ls -ojson", 0, 0, NULL, NULL, NULL},
		{"port add --help", 0, 0, NULL, NULL, NULL},
		{"capture all tcp port 80 -w -", 0, 4, "all", "write", "-"},
		{"capture all -wx.pcapng --count 5", 0, 1, "all", "write", "x.pcapng"},
		{"capture -", 0, 1, "-", NULL, NULL},
		/* and what is refused */
		{"port add", 2, 0, NULL, NULL, NULL},
		{"port add a b", 2, 0, NULL, NULL, NULL},
		{"port add web --net", 2, 0, NULL, NULL, NULL},
		{"port add web --net a --net b", 2, 0, NULL, NULL, NULL},
		{"port add web --nett a", 2, 0, NULL, NULL, NULL},
		{"port add web --ne a", 2, 0, NULL, NULL, NULL},
		{"port add web -x", 2, 0, NULL, NULL, NULL},
		{"port add web -o json", 2, 0, NULL, NULL, NULL},
		{"port ls -o xml", 2, 0, NULL, NULL, NULL},
		{"port ls -o", 2, 0, NULL, NULL, NULL},
		{"port ls -s", 2, 0, NULL, NULL, NULL},
	};
	const char *words[WORDS_MAX];
	struct call c;
	char line[128];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(line, cases[i].line);
		assert_int_equal(parse(&c, line, words), cases[i].rc);
		if (cases[i].rc)
			continue;
		assert_int_equal(c.n_args, cases[i].n_args);
		if (cases[i].arg0)
			assert_string_equal(c.arg[0], cases[i].arg0);
		if (cases[i].value)
			assert_string_equal(call_option(&c, cases[i].option), cases[i].value);
		else if (cases[i].option)
			assert_null(call_option(&c, cases[i].option));
	}
}

static void test_common_options(void **state)
{
	const char *words[WORDS_MAX];
	struct call c;
	char line[128] = "port ls -s /tmp/other.sock -o json";
	char help[] = "port ls -h";

	(void)state;
	assert_int_equal(parse(&c, line, words), 0);
	assert_true(c.json);
	assert_string_equal(client_socket(), "/tmp/other.sock");
	client_use_socket(NULL);
	assert_int_equal(parse(&c, help, words), 0);
	assert_true(c.wants_help);
}

static void test_keys(void **state)
{
	static const struct {
		const char *line, *json; /* NULL: refused */
	} cases[] = {
		{"port add web --net office --tap eth0",
		 "{\"network\":\"office\",\"tap\":\"eth0\"}"},
		{"port add web --tag 10 --trunks 10,20-29",
		 "{\"tag\":10,\"trunks\":[10,\"20-29\"]}"},
		{"port add web --tag ten", "{\"tag\":\"ten\"}"},
		{"port add web --netns 1234", "{\"netns\":\"1234\"}"},
		{"port add web --isolated", "{\"isolated\":true}"},
		{"port set web --isolated=false", "{\"isolated\":false}"},
		{"port set web --isolated=none", "{\"isolated\":null}"},
		{"port set web --mtu none", "{\"mtu\":null}"},
		{"port add web --mtu none", "{\"mtu\":\"none\"}"},
		{"port add web --storm broadcast=100,unknown=none",
		 "{\"storm\":{\"broadcast\":100,\"unknown\":null}}"},
		{"port add web --mtu 18446744073709551616", "{\"mtu\":\"18446744073709551616\"}"},
		{"port add web --tag 010", "{\"tag\":\"010\"}"},
		{"net set a --nat-rate 5 --uplink wan --nat-timeouts udp=5m,tcp=none --nat-log "
		 "none",
		 "{\"uplink\":\"wan\",\"nat\":{\"timeouts\":{\"udp\":\"5m\",\"tcp\":null},"
		 "\"rate\":5,\"log\":null}}"},
		{"net set a --nat-exempt 10.0.0.0/8,192.0.2.1 --tagged",
		 "{\"tagged\":true,\"nat\":{\"exempt\":[\"10.0.0.0/8\",\"192.0.2.1\"]}}"},
		{"port add web --storm broadcast", NULL},
		{"port add web --storm =5", NULL},
		{"port add web --isolated=maybe", NULL},
		{"port add web --tap \xff", NULL},
		{"port add web --trunks 1,\xff", NULL},
		{"port add web --storm \xff=1", NULL},
	};
	const char *words[WORDS_MAX];
	struct call c;
	char line[128], *text;
	json_t *keys;
	int status;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcpy(line, cases[i].line);
		assert_int_equal(parse(&c, line, words), 0);
		keys = merge_keys(&c, c.verb->verb, &status);
		if (!cases[i].json) {
			assert_null(keys);
			assert_int_equal(status, EXIT_DATA);
			continue;
		}
		assert_non_null(keys);
		text = json_dumps(keys, JSON_COMPACT);
		assert_string_equal(text, cases[i].json);
		free(text);
		json_decref(keys);
	}
}

static void test_object(void **state)
{
	json_t *obj;
	char *text;

	(void)state;
	obj = merge_object("ports", "web", NULL);
	text = json_dumps(obj, JSON_COMPACT);
	assert_string_equal(text, "{\"ports\":{\"web\":null}}");
	free(text);
	json_decref(obj);
	assert_null(merge_object("ports", "\xff", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_common_options),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
