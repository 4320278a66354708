/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of switch/plan: what changes between two configurations.
 *
 * The naive twin knows nothing of keys: it compares the printed line of each object.  Pairs of configurations are made at random
 * from few names and few values, so that adding, deleting and changing all happen often.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/apply.h"

enum { ROUNDS = 3000, LINES_MAX = 64 };

static uint32_t seed = 1;

static unsigned any(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void random_ports(FILE *f)
{
	static const char *const extra[] = {"",
					    ", guard: mac",
					    ", queues: 2",
					    ", netns: c1",
					    ", mtu: 9000, rate: 10mbit",
					    ", storm: {broadcast: 7}",
					    ", mac: 02:00:00:00:00:01",
					    ", ipv4: 10.0.0.2/24, gateway: 10.0.0.1"};
	static const char *const where[] = {"network: a", "network: b", "vlan-mode: trunk",
					    "vlan-mode: trunk, trunks: [5-7]",
					    "vlan-mode: access, tag: 9"};

	fprintf(f, "ports:\n");
	for (unsigned i = 0; i < 5; i++)
		if (any(3))
			fprintf(f, "  p%u: {tap: t%u%u, %s%s}\n", i, i, any(3) / 2, where[any(5)],
				extra[any(8)]);
}

static struct conf *random_conf(void)
{
	static const char *const modes[] = {"internal",
					    "internal, isolate: true",
					    "internal, macs: {}",
					    "internal, mac-ageing: 10m",
					    "host-only, ipv4: 10.1.0.0/24",
					    "host-only, ipv4: 10.1.0.0/24, ifname: dev"};
	struct conf *c = conf_create();
	struct conf_error err;
	char *text = NULL;
	size_t bytes;
	FILE *f = open_memstream(&text, &bytes);

	fprintf(f, "networks:\n  a: {mode: %s}\n  b: {mode: internal, vlan: %u}\n", modes[any(6)],
		20 + any(2));
	if (any(2))
		fprintf(f, "  c: {mode: internal, vlan: 30}\n");
	random_ports(f);
	if (any(2))
		fprintf(f, "containers: {node: {run: \"%u\", nics: [{network: a}]}}\n", any(3));
	if (any(2))
		fprintf(f, "workers: {cpus: [%u]}\n", any(2));
	fclose(f);
	assert_int_equal(conf_merge(c, text, bytes, CONF_ADD, &err), 0);
	if (conf_validate(c, NULL, &err))
		print_message("%s: %s\n%s", err.path, err.text, text);
	else
		err.text[0] = 0;
	assert_string_equal(err.text, "");
	free(text);
	return c;
}

/* The twin's view: each object is a section, a name and a line. */
struct line {
	const char *section, *name, *rest;
};

static size_t split(char *text, struct line *out)
{
	const char *section = "";
	size_t n = 0;
	char *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(l, ':');

		if (l[0] == '{')
			continue;
		assert_non_null(colon);
		assert_true(n < LINES_MAX);
		*colon = 0;
		if (l[0] != ' ')
			section = l;
		if (l[0] == ' ' || !strcmp(l, "workers"))
			out[n++] = (struct line){section, l[0] == ' ' ? l + 2 : "", colon + 1};
	}
	return n;
}

static const struct line *find(const struct line *lines, size_t n, const struct line *like)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(lines[i].section, like->section) && !strcmp(lines[i].name, like->name))
			return &lines[i];
	return NULL;
}

/* "networks" is of "network", "workers" of "workers". */
static const struct change *find_change(const struct plan *p, const struct line *l)
{
	const struct change *found = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct change *c = &p->changes[i];

		if (strncmp(l->section, c->object, strlen(c->object)) || strcmp(l->name, c->name))
			continue;
		assert_null(found);
		found = c;
	}
	return found;
}

/* The value of a key in a printed line, up to the next comma. */
static void value_of(const char *line, const char *key, char out[static 64])
{
	const char *at = strstr(line, key);

	snprintf(out, 64, "%.*s", at ? (int)strcspn(at, ",}") : 0, at ? at : "");
}

static bool is_reopened(const struct line *a, const struct line *b)
{
	static const char *const keys[] = {
		"tap: ", "netns: ", "queues: ", "mode: host", "mode: internal", "ifname: "};
	char x[64], y[64];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		bool is_mode = !strncmp(keys[i], "mode", 4);

		if (is_mode != !strcmp(a->section, "networks") && strcmp(keys[i], "ifname: "))
			continue;
		value_of(a->rest, keys[i], x);
		value_of(b->rest, keys[i], y);
		if (strcmp(x, y))
			return true;
	}
	return false;
}

static void compare(const struct plan *p, const struct line *a, size_t na, const struct line *b,
		    size_t nb)
{
	size_t expected = 0;

	for (size_t i = 0; i < nb; i++) {
		const struct line *old = find(a, na, &b[i]);
		const struct change *c = find_change(p, &b[i]);
		bool is_workers = !strcmp(b[i].section, "workers");

		if (old && !strcmp(old->rest, b[i].rest)) {
			assert_null(c);
			continue;
		}
		expected++;
		assert_non_null(c);
		if (!old && !is_workers)
			assert_int_equal(c->kind, CHANGE_ADD);
		else
			assert_int_equal(c->kind, old && is_reopened(old, &b[i]) ? CHANGE_REPLACE
										 : CHANGE_SET);
		assert_int_equal(!c->what[0], c->kind == CHANGE_ADD);
	}
	for (size_t i = 0; i < na; i++) {
		const struct change *c = find_change(p, &a[i]);

		if (find(b, nb, &a[i]))
			continue;
		expected++;
		assert_non_null(c);
		assert_int_equal(c->kind,
				 strcmp(a[i].section, "workers") ? CHANGE_DEL : CHANGE_SET);
	}
	assert_int_equal(p->n, expected);
}

static void twin(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct conf *from = random_conf(), *to = random_conf();
		struct line a[LINES_MAX], b[LINES_MAX];
		struct plan *p = plan_create(from, to), *none = plan_create(to, to);
		char *x = conf_print(from), *y = conf_print(to);
		size_t na = split(x, a), nb = split(y, b);

		assert_non_null(p);
		compare(p, a, na, b, nb);
		assert_int_equal(none->n, 0);
		plan_destroy(p);
		plan_destroy(none);
		free(x);
		free(y);
		conf_destroy(from);
		conf_destroy(to);
	}
	plan_destroy(NULL);
}

struct pair {
	const char *from, *to;
	const char *plan; /* one change a line: kind object name what */
};

static const struct pair pairs[] = {
	{"{}", "{}", ""},
	{"{}", "networks: {a: {mode: internal}}\nports: {p: {tap: t, network: a}}",
	 "add network a \nadd port p \n"},
	{"networks: {a: {mode: internal}}\nports: {p: {tap: t, network: a}}", "",
	 "del network a \ndel port p \n"},
	{"ports: {p: {tap: t, vlan-mode: access, tag: 5}}",
	 "ports: {p: {tap: t, vlan-mode: trunk, trunks: [5]}}",
	 "set port p vlan-mode, tag, trunks\n"},
	{"ports: {p: {tap: t, vlan-mode: access, tag: 5}}",
	 "ports: {p: {tap: u, vlan-mode: access, tag: 6}}", "replace port p tap, tag\n"},
	{"ports: {p: {tap: t, vlan-mode: trunk}}",
	 "ports: {p: {tap: t, vlan-mode: trunk, storm: {broadcast: 1}, queues: 2}}",
	 "replace port p queues, storm\n"},
	{"networks: {a: {mode: host-only, ipv4: 10.0.0.0/24}}",
	 "networks: {a: {mode: host-only, ipv4: 10.0.1.0/24}}", "set network a ipv4\n"},
	{"networks: {a: {mode: host-only, ipv4: 10.0.0.0/24}}",
	 "networks: {a: {mode: host-only, ipv4: 10.0.0.0/24, ifname: x}}",
	 "replace network a ifname\n"},
	{"workers: {cpus: [1]}", "workers: {idle: poll}", "set workers  cpus, idle\n"},
	{"containers: {n: {run: a}}", "containers: {m: {run: a}, n: {run: b}}",
	 "add container m \nset container n run\n"},
	{"{}", "networks: {a: {mode: nat, ipv4: 10.0.0.0/24}}",
	 "add network a \nadd uplink host \n"},
	{"networks: {a: {mode: nat, ipv4: 10.0.0.0/24}}",
	 "networks: {a: {mode: nat, ipv4: 10.0.0.0/24, forwards: ['80:10.0.0.5:80'], nat: {rate: "
	 "5}}}",
	 "set network a forwards, nat\n"},
	{"networks: {a: {mode: nat, ipv4: 10.0.0.0/24, forwards: ['80:10.0.0.5:80/tcp']}}",
	 "networks: {a: {mode: nat, ipv4: 10.0.0.0/24, forwards: [{spec: "
	 "'0.0.0.0:80:10.0.0.5:80'}]}}",
	 ""},
	{"networks: {a: {mode: nat, ipv4: 10.0.0.0/24, forwards: ['80:10.0.0.5:80']}}",
	 "networks: {a: {mode: nat, ipv4: 10.0.0.0/24, forwards: [{spec: '80:10.0.0.5:80', "
	 "allow-from: 192.0.2.1}]}}",
	 "set network a forwards\n"},
	{"uplinks: {u: {kind: host}}", "uplinks: {u: {kind: interface, interface: e}}",
	 "replace uplink u kind, interface, address, address6\n"},
	{"uplinks: {u: {kind: interface, interface: e}}",
	 "uplinks: {u: {kind: interface, interface: e, driver: auto, dhcp: true, mac: interface}}",
	 "set uplink u dhcp, mac\n"},
	{"uplinks: {u: {kind: interface, interface: e, address: 192.0.2.1/24}}",
	 "uplinks: {u: {kind: interface, interface: e, address: 192.0.2.1/24, gateway: 192.0.2.9, "
	 "addresses: [192.0.2.2/24]}}",
	 "set uplink u addresses, gateway\n"},
	{"networks: {a: {mode: nat, ipv4: 10.0.0.0/24}, b: {mode: nat, ipv4: 10.0.1.0/24}}\n"
	 "routes: [{from: a, to: b}]",
	 "networks: {a: {mode: nat, ipv4: 10.0.0.0/24}, b: {mode: nat, ipv4: 10.0.1.0/24}}\n"
	 "routes: [{from: b, to: a}]",
	 "add route b to a\ndel route a to b\n"},
	{"ports: {a: {tap: x, vlan-mode: trunk}, b: {tap: y, vlan-mode: trunk}}",
	 "ports: {b: {tap: y, vlan-mode: trunk}, a: {tap: x, vlan-mode: trunk}}", ""},
};

static struct conf *parse(const char *text)
{
	struct conf *c = conf_create();
	struct conf_error err;

	assert_int_equal(conf_merge(c, text, strlen(text), CONF_ADD, &err), 0);
	assert_int_equal(conf_validate(c, NULL, &err), 0);
	return c;
}

static void given(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct conf *from = parse(pairs[i].from), *to = parse(pairs[i].to);
		struct plan *p = plan_create(from, to);
		char text[1024] = "";
		size_t used = 0;

		assert_non_null(p);
		for (size_t k = 0; k < p->n; k++)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %s %s %s\n",
						 change_word(p->changes[k].kind),
						 p->changes[k].object, p->changes[k].name,
						 p->changes[k].what);
		assert_string_equal(text, pairs[i].plan);
		plan_destroy(p);
		conf_destroy(from);
		conf_destroy(to);
	}
}

/* More keys than the line has room for: it ends with a whole word. */
static void is_cut(void **state)
{
	struct conf *from = parse("ports: {p: {tap: t, vlan-mode: access, tag: 5}}");
	struct conf *to = parse(
		"ports: {p: {tap: u, netns: n, vlan-mode: native-tagged, tag: 6, trunks: [1], "
		"mac: 02:00:00:00:00:01, ipv4: 10.0.0.2/24, ipv6: \"fd00::2/64\", gateway: "
		"10.0.0.1,"
		" queues: 2, guard: mac, isolated: true, mtu: 2000, priority-tags: always, "
		"rate: 1mbit, storm: {unknown: 1}, mac-limit: 1, mac-limit-action: drop}}");
	struct plan *p = plan_create(from, to);

	(void)state;
	assert_int_equal(p->n, 1);
	assert_int_equal(p->changes[0].kind, CHANGE_REPLACE);
	assert_true(strlen(p->changes[0].what) < sizeof(p->changes[0].what));
	assert_non_null(strstr(p->changes[0].what, "tap, netns, vlan-mode, tag, trunks, mac, "));
	assert_null(strstr(p->changes[0].what, ",,"));
	plan_destroy(p);
	conf_destroy(from);
	conf_destroy(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given),
		cmocka_unit_test(is_cut),
		cmocka_unit_test(twin),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
