/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of switch/conf: texts and what becomes of them.
 *
 * tests/unit/conf/NAME.in is parsed and checked as a file.  With NAME.ok it is printed as that says, and
 * NAME.ok, parsed again, is printed the same.  With NAME.err it is refused with that one line.  The
 * rest is what a file alone cannot show: verbs, copies, a full-size configuration, and random texts.
 *
 * Rows: M13 (configuration: huge, negative, Unicode, twice, a 10 MB line, NUL, deep nesting, half-written).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "switch/apply.h"
#include "switch/broker.h"
#include "switch/conf.h"
#include "switch/conf_internal.h"
#include "vlan/vlan.h"

static_assert((int)CONF_ACCESS == VLAN_ACCESS && (int)CONF_TRUNK == VLAN_TRUNK &&
		      (int)CONF_NATIVE_UNTAGGED == VLAN_NATIVE_UNTAGGED &&
		      (int)CONF_NATIVE_TAGGED == VLAN_NATIVE_TAGGED &&
		      (int)CONF_DOT1Q_TUNNEL == VLAN_DOT1Q_TUNNEL,
	      "the fabric takes vlan_mode for enum vlan_mode");
static_assert((int)CONF_PRIO_NEVER == PRIO_TAGS_NEVER &&
		      (int)CONF_PRIO_IF_NONZERO == PRIO_TAGS_IF_NONZERO &&
		      (int)CONF_PRIO_ALWAYS == PRIO_TAGS_ALWAYS,
	      "the fabric takes prio_tags for enum vlan_prio_tags");
static_assert((int)CONF_QUEUES_MAX == PORT_QUEUES_MAX && (int)CONF_WORKERS_MAX == WORKERS_MAX,
	      "what conf lets through fits");
static_assert((int)CONF_SOCKET_SIZE == GUEST_PATH_SIZE && (int)CONF_OWNER_SIZE == GUEST_OWNER_SIZE,
	      "what conf lets through fits");

static char *read_all(const char *path, size_t *bytes)
{
	FILE *f = fopen(path, "rb");
	char *text = malloc(1 << 20);

	assert_non_null(text);
	if (!f) {
		free(text);
		return NULL;
	}
	*bytes = fread(text, 1, (1 << 20) - 1, f);
	text[*bytes] = 0;
	fclose(f);
	return text;
}

/* The configuration of a text, or NULL with line saying why, as for a file of no name. */
static struct conf *parse(const char *text, size_t bytes, char line[static CONF_ERROR_TEXT])
{
	struct conf *c = conf_create();
	char buf[CONF_ERROR_TEXT];
	struct conf_error err;
	int status;

	assert_non_null(c);
	status = conf_merge(c, text, bytes, CONF_ADD, &err);
	if (!status)
		status = conf_validate(c, NULL, &err);
	if (!status)
		return c;
	assert_int_equal(status, -EINVAL);
	assert_true(err.text[0]);
	conf_error_line(&err, "", buf);
	snprintf(line, CONF_ERROR_TEXT, "%s\n", buf + (err.line ? 1 : 2));
	assert_null(strchr(strchr(line, '\n') + 1, '\n'));
	conf_destroy(c);
	return NULL;
}

static char *print(const char *text, size_t bytes, char line[static CONF_ERROR_TEXT])
{
	struct conf *c = parse(text, bytes, line);
	char *out = c ? conf_print(c) : NULL;

	assert_true(!c == !out);
	conf_destroy(c);
	return out;
}

/* True when path has what `in` gives. */
static bool replay(const char *in)
{
	char line[CONF_ERROR_TEXT] = "", path[512];
	size_t bytes, want_bytes, stem = strlen(in) - strlen(".in");
	char *text = read_all(in, &bytes), *want, *got, *again = NULL;
	bool ok;

	assert_non_null(text);
	got = print(text, bytes, line);
	snprintf(path, sizeof(path), "%.*s.%s", (int)stem, in, got ? "ok" : "err");
	want = read_all(path, &want_bytes);
	ok = want && !strcmp(want, got ? got : line);
	if (got)
		again = print(got, strlen(got), line);
	ok = ok && (!got || (again && !strcmp(got, again)));
	if (!ok)
		print_message("%s gives\n%s", in, got ? got : line);
	free(text);
	free(want);
	free(got);
	free(again);
	return ok;
}

static void files(void **state)
{
	size_t bad = 0;
	glob_t g;

	(void)state;
	assert_int_equal(glob("tests/unit/conf/*.in", 0, NULL, &g), 0);
	assert_true(g.gl_pathc > 250);
	for (size_t i = 0; i < g.gl_pathc; i++)
		bad += !replay(g.gl_pathv[i]);
	globfree(&g);
	assert_int_equal(bad, 0);
}

/* Merges a fragment and checks the whole; the line of a verb on error, else "". */
static const char *verb(struct conf *c, enum conf_merge how, const char *text)
{
	static char line[CONF_ERROR_TEXT];
	struct conf *old = conf_copy(c);
	struct conf_error err;

	line[0] = 0;
	if (conf_merge(c, text, strlen(text), how, &err) || conf_validate(c, old, &err))
		conf_error_line(&err, NULL, line);
	conf_destroy(old);
	return line;
}

static struct conf *base(void)
{
	struct conf *c = conf_create();

	assert_string_equal(
		verb(c, CONF_ADD,
		     "{\"networks\":{\"office\":{\"mode\":\"internal\",\"vlan\":10},\"lab\":{"
		     "\"mode\":"
		     "\"internal\"}},\"ports\":{\"web\":{\"tap\":\"eth0\",\"netns\":\"c1\","
		     "\"network\":"
		     "\"office\",\"storm\":{\"broadcast\":5,\"unknown\":6},\"queues\":2}}}"),
		"");
	return c;
}

static void expect_print(const struct conf *c, const char *want)
{
	char *got = conf_print(c);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

struct step {
	enum conf_merge how;
	const char *text, *error; /* error NULL: it works */
	const char *print;	  /* what the last line says then */
};

/* Each from the base: one fragment, and the error or a piece of what is printed. */
static const struct step steps[] = {
	{CONF_SET, "{ports: {web: {queues: 4}}}", NULL,
	 "queues: 4, storm: {broadcast: 5, unknown: 6}}"},
	{CONF_SET, "{ports: {web: {queues: null}}}", NULL, "network: office, storm"},
	{CONF_SET, "{ports: {web: {storm: {broadcast: null}}}}", NULL, "storm: {unknown: 6}}"},
	{CONF_SET, "{ports: {web: {storm: {multicast: 0}}}}", NULL,
	 "storm: {broadcast: 5, multicast: 0, unknown: 6}}"},
	{CONF_SET, "{ports: {web: {storm: null}}}", NULL, "network: office, queues: 2}"},
	{CONF_SET, "{ports: {web: {network: lab}}}", NULL, "network: lab"},
	{CONF_SET, "{ports: {web: {network: null, vlan-mode: trunk, trunks: [1, 2]}}}", NULL,
	 "vlan-mode: trunk, trunks: [1-2]"},
	{CONF_SET, "{networks: {office: {mac-ageing: 0}}}", NULL, "mac-ageing: 0"},
	{CONF_SET, "{networks: {office: {macs: {\"02:00:00:00:00:01\": web}}}}", NULL,
	 "macs: {\"02:00:00:00:00:01\": web}"},
	{CONF_SET, "{networks: {lab: {vlan: 77}}}", NULL, "lab: {mode: internal, vlan: 77}\n"},
	{CONF_SET, "{networks: {office: {vlan: null}}}", NULL,
	 "office: {mode: internal, vlan: 4093, vlan-auto: true}"},
	{CONF_SET, "{workers: {cpus: [0, 1]}}", NULL, "workers: {cpus: [0, 1]}"},
	{CONF_SET, "{}", NULL, "queues: 2"},
	{CONF_SET, "{ports: {web: null}}", NULL, "queues: 2"},
	{CONF_SET, "{ports: {wep: {queues: 4}}}",
	 "port wep: does not exist (did you mean \"web\"?)", NULL},
	{CONF_SET, "{networks: {office: {mode: null}}}",
	 "network office: mode cannot be taken back", NULL},
	{CONF_SET, "{networks: {office: {macs: {\"02:00:00:00:00:01\": null}}}}",
	 "network office: 02:00:00:00:00:01 has no static entry", NULL},
	{CONF_SET, "{ports: {web: {network: ofice}}}",
	 "port web: network \"ofice\" does not exist (did you mean \"office\"?)", NULL},
	{CONF_SET, "{ports: {web: {vhost-user: /x}}}",
	 "port web: a port is one thing: leave out tap or vhost-user", NULL},
	{CONF_SET, "{ports: {web: {tap: null, netns: null, vhost-user: /x, socket-mode: '0600'}}}",
	 NULL, "web: {vhost-user: /x, socket-mode: \"0600\", network: office, queues: 2"},
	{CONF_SET, "{ports: {web: {tap: null, vhost-user: /x}}}",
	 "port web: netns goes with tap alone", NULL},
	{CONF_SET, "{ports: {web: {tap: null}}}", "port web: needs tap or vhost-user", NULL},
	{CONF_SET, "{ports: {web: {client: true}}}", "port web: client goes with vhost-user alone",
	 NULL},
	{CONF_ADD, "{ports: {p: {vhost-user: /a, client: true, vlan-mode: trunk}}}", NULL,
	 "p: {vhost-user: /a, client: true, vlan-mode: trunk}\n"},
	{CONF_ADD,
	 "{ports: {p: {vhost-user: /a, network: lab}, q: {vhost-user: /a, network: lab}}}",
	 "port q: socket \"/a\" is that of port \"p\" already", NULL},
	{CONF_ADD, "{ports: {p: {vhost-user: /a, network: lab, guard: mac}}}",
	 "port p: guard mac on a vhost-user port needs mac: the address that it allows", NULL},
	{CONF_ADD,
	 "{ports: {p: {vhost-user: /a, network: lab, guard: mac, mac: '02:00:00:00:00:01'}}}", NULL,
	 "mac: \"02:00:00:00:00:01\", guard: mac}"},
	{CONF_SET, "{ports: {web: {tag: x}}}",
	 "port web: tag must be a number from 1 to 4094, not \"x\"", NULL},
	{CONF_ADD, "{ports: {web: {tap: eth1}}}", "port web: exists already", NULL},
	{CONF_ADD, "{ports: {a b: {tap: eth1}}}",
	 "name \"a b\" may have letters, digits, \".\", \"_\" and \"-\" only", NULL},
	{CONF_ADD, "{ports: {db: {tap: eth0, netns: c1, network: lab}}}",
	 "port db: interface \"eth0\" in namespace \"c1\" is that of port \"web\" already", NULL},
	{CONF_ADD, "{networks: {x: {mode: internal, vlan: 4094}}}",
	 "network x: vlan 4094 is that of network \"lab\" already", NULL},
	{CONF_ADD, "{networks: {x: {mode: internal}}}", NULL,
	 "x: {mode: internal, vlan: 4093, vlan-auto: true}"},
	{CONF_ADD, "{workers: {cpus: [3]}}", NULL, "workers: {cpus: [3]}"},
	{CONF_ADD, "{containers: {n1: {nics: [{network: lab}]}}}", NULL,
	 "n1: {nics: [{network: lab}]}"},
	{CONF_DEL, "{ports: {web: null}, networks: {office: null}}", NULL, "lab: {"},
	{CONF_DEL, "{networks: {lab: null}}", NULL, "office: {mode: internal, vlan: 10}"},
	{CONF_DEL, "{networks: {office: null}}", "network office: port \"web\" is still on it",
	 NULL},
	{CONF_DEL, "{networks: {labb: null}}",
	 "network labb: does not exist (did you mean \"lab\"?)", NULL},
	{CONF_DEL, "{ports: {web: {any: [thing]}}}", NULL, "lab: {"},
	{CONF_SET, "{networks: {lab: {mode: nat, ipv4: 10.0.0.0/24}}}", NULL,
	 "lab: {mode: nat, vlan: 4094, vlan-auto: true, ipv4: 10.0.0.0/24, uplink: "
	 "host}\nuplinks:\n"
	 "  host: {kind: host, address: 169.254.118.2/28, address6: \"fd76:6661:6200::2/64\", "
	 "vlan: "
	 "4093, vlan-auto: true}\n"},
	{CONF_ADD, "{uplinks: {w: {kind: host}, x: {kind: interface, interface: e}}}", NULL,
	 "  x: {kind: interface, interface: e, vlan: 4092, vlan-auto: true}\n"},
	{CONF_ADD, "{uplinks: {web: {kind: host}}}",
	 "port web: port name \"web\" is that of uplink \"web\" already", NULL},
};

/* Each after the one before, from a fabric with a way out. */
static const struct step ways[] = {
	{CONF_SET, "{networks: {out: {forwards: {'80:10.0.0.5:80': {}}}}}", NULL,
	 "forwards: [\"80:10.0.0.5:80\"]"},
	{CONF_SET,
	 "{networks: {out: {forwards: {'90-99:10.0.0.5:90-99/udp': {allow-from: [192.0.2.0/24]}, "
	 "'127.0.0.1:81:10.0.0.5:80': {}}}}}",
	 NULL,
	 "[\"80:10.0.0.5:80\", {spec: \"90-99:10.0.0.5:90-99/udp\", allow-from: [192.0.2.0/24]}, "
	 "\"127.0.0.1:81:10.0.0.5:80\"]"},
	{CONF_SET, "{networks: {out: {forwards: {'80:10.0.0.6:81/tcp': {}}}}}",
	 "network out: forward \"80:10.0.0.6:81/tcp\" exists already", NULL},
	{CONF_SET, "{networks: {out: {forwards: {'95:10.0.0.6:81/both': {}}}}}",
	 "network out: forward \"95:10.0.0.6:81/both\": overlaps out/udp/0.0.0.0:90, which is on "
	 "uplink \"host\" too",
	 NULL},
	{CONF_SET, "{networks: {out: {forwards: {'80:10.1.0.6:81': {}}}}}",
	 "network out: forward \"80:10.1.0.6:81\" exists already", NULL},
	{CONF_SET,
	 "{networks: {out: {forwards: {'tcp/0.0.0.0:80': null, '81:10.0.1.5:5/udp': {}}}}}",
	 "network out: forward \"81:10.0.1.5:5/udp\": the guest is not a host in the network's "
	 "prefix",
	 NULL},
	{CONF_SET, "{networks: {out: {forwards: {'udp/0.0.0.0:90': null}}}}", NULL,
	 "[\"80:10.0.0.5:80\", \"127.0.0.1:81:10.0.0.5:80\"]"},
	{CONF_SET, "{networks: {out: {forwards: {'tcp/0.0.0.0:81': null}}}}",
	 "network out: forward \"tcp/0.0.0.0:81\" does not exist", NULL},
	{CONF_SET, "{networks: {out: {forwards: {'127.0.0.1:81:10.0.0.5:80': null}}}}", NULL,
	 "[\"80:10.0.0.5:80\"]"},
	{CONF_SET, "{networks: {out: {forwards: ['1:10.0.0.5:1']}}}", NULL,
	 "forwards: [\"1:10.0.0.5:1\"]"},
	{CONF_SET, "{networks: {out: {nat: {timeouts: {udp: 2m}}}}}", NULL,
	 "nat: {timeouts: {udp: 2m}}"},
	{CONF_SET, "{networks: {out: {nat: {rate: 5, exempt: '10.0.0.0/8,192.0.2.1'}}}}", NULL,
	 "nat: {timeouts: {udp: 2m}, rate: 5, exempt: [10.0.0.0/8, 192.0.2.1/32]}"},
	{CONF_SET, "{networks: {out: {nat: {timeouts: null}}}}", NULL, "nat: {rate: 5, exempt"},
	{CONF_SET, "{networks: {out: {nat: null}}}", NULL, "forwards: [\"1:10.0.0.5:1\"]}"},
	{CONF_SET, "{networks: {out: {mode: internal}}}",
	 "network out: forwards goes with mode nat alone", NULL},
	{CONF_SET, "{networks: {out: {mode: internal, forwards: null}}}", NULL,
	 "out: {mode: internal, vlan: 7, ipv4: 10.0.0.0/24}"},
	{CONF_DEL, "{uplinks: {host: null}}", NULL, "networks:"},
	{CONF_SET, "{networks: {out: {mode: nat}}}", NULL, "uplink: host"},
	{CONF_DEL, "{uplinks: {host: null}}", "uplink host: network \"out\" is still on it", NULL},
	{CONF_ADD, "{networks: {dmz: {mode: nat, vlan: 8, ipv4: 10.0.1.0/24}}}", NULL,
	 "dmz: {mode: nat, vlan: 8, ipv4: 10.0.1.0/24, uplink: host}"},
	{CONF_ADD, "{routes: [{from: out, to: dmz}]}", NULL, "routes:\n  - {from: out, to: dmz}\n"},
	{CONF_ADD, "{routes: [{from: out, to: dmz}]}", "route from out to dmz: exists already",
	 NULL},
	{CONF_DEL, "{networks: {dmz: null}}",
	 "network dmz: the route from out to dmz is still there", NULL},
	{CONF_SET, "{networks: {dmz: {ipv4: 10.0.0.0/16}}}",
	 "network dmz: ipv4 overlaps the prefix of network \"out\"", NULL},
	{CONF_SET, "{routes: [{from: dmz, to: out}]}", NULL, "routes:\n  - {from: dmz, to: out}\n"},
	{CONF_DEL, "{routes: [{from: dmz, to: out}]}", NULL, "vlan-auto: true}\n"},
	{CONF_SET, "{uplinks: {host: {vlan: 9}}}", NULL, "vlan: 9}\n"},
	{CONF_ADD, "{networks: {x: {mode: internal, vlan: 9}}}",
	 "uplink host: vlan 9 is that of network \"x\" already", NULL},
	{CONF_SET, "{uplinks: {host: {address: 169.254.1.2/28}}}", NULL, "169.254.1.2/28"},
	{CONF_SET, "{uplinks: {host: {address: null}}}", NULL, "169.254.1.2/28"},
};

static void run_step(struct conf *c, const struct step *s)
{
	const char *line = verb(c, s->how, s->text);
	char *text = NULL;

	assert_string_equal(line, s->error ? s->error : "");
	if (s->print) {
		text = conf_print(c);
		if (!strstr(text, s->print))
			print_message("%s: %s", s->text, text);
		assert_non_null(strstr(text, s->print));
	}
	free(text);
}

static void ways_out(void **state)
{
	static const char out[] = "networks: {out: {mode: nat, vlan: 7, ipv4: 10.0.0.0/24}}";
	struct conf *c = conf_create(), *next;

	(void)state;
	assert_string_equal(verb(c, CONF_ADD, out), "");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		next = conf_copy(c);
		run_step(next, &ways[i]);
		conf_destroy(ways[i].error ? next : c);
		c = ways[i].error ? c : next;
	}
	conf_destroy(c);
}

/* What was chosen for an uplink stays when the file comes again without it. */
static void uplinks_stay(void **state)
{
	static const char text[] =
		"networks: {new: {mode: internal},\n"
		"           a: {mode: nat, ipv4: 10.0.0.0/24, ipv6: 'fd00::/64'}}\n"
		"uplinks: {y: {kind: host}, z: {kind: host}, host: {kind: host}}";
	struct conf *run = base(), *c = conf_create();
	uint64_t hidden[64];
	struct conf_error err;
	struct prefix own, far;
	char ip[PREFIX_TEXT], buf[CONF_IFNAME_SIZE];
	const struct conf_uplink *u;

	(void)state;
	assert_string_equal(
		verb(run, CONF_ADD, "{networks: {a: {mode: nat, vlan: 6, ipv4: 10.0.0.0/24}}}"),
		"");
	assert_int_equal(run->uplinks[0].vlan, 4093);
	assert_int_equal(conf_merge(c, text, strlen(text), CONF_ADD, &err), 0);
	assert_int_equal(conf_validate(c, run, &err), 0);
	u = conf_find_uplink(c, "host");
	assert_int_equal(u->vlan, 4093);
	assert_true(conf_uplink_ends(c, u, false, &own, &far));
	assert_string_equal(prefix_text(&own, ip), "169.254.118.1/28");
	assert_string_equal(prefix_text(&far, ip), "169.254.118.2/28");
	assert_true(conf_uplink_ends(c, u, true, &own, &far));
	assert_string_equal(prefix_text(&own, ip), "fd76:6661:6200::1/64");
	assert_string_equal(conf_uplink_ifname(u, buf), "vu-host");
	/* Where no network has IPv6 the host's may be off. */
	assert_false(conf_uplink_ends(c, conf_find_uplink(c, "z"), true, &own, &far));
	assert_true(conf_uplink_ends(c, conf_find_uplink(c, "z"), false, &own, &far));
	assert_string_equal(prefix_text(&far, ip), "169.254.118.34/28");
	conf_hidden_vlans(c, hidden);
	assert_true(hidden[4093 / 64] >> 4093 % 64 & 1);
	assert_true(hidden[conf_find_network(c, "new")->vlan / 64] >>
			    conf_find_network(c, "new")->vlan % 64 &
		    1);
	assert_false(hidden[0] >> 6 & 1);
	conf_destroy(c);
	conf_destroy(run);
}

static void verbs(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct conf *c = base();

		run_step(c, &steps[i]);
		conf_destroy(c);
	}
}

/* Each from the base: a fragment that is refused, and what it says of whose fault that is. */
static const struct {
	enum conf_merge how;
	const char *text;
	enum conf_fault fault;
} wrongs[] = {
	{CONF_ADD, "{", CONF_BAD_VALUE},
	{CONF_ADD, "{ports: 5}", CONF_BAD_VALUE},
	{CONF_ADD, "{prots: {}}", CONF_BAD_VALUE},
	{CONF_ADD, "{networks: {x: {mode: internal, vlan: 4095}}}", CONF_BAD_VALUE},
	{CONF_ADD, "{networks: {x: {mode: foo}}}", CONF_BAD_VALUE},
	{CONF_ADD, "{networks: {a b: {mode: internal}}}", CONF_BAD_VALUE},
	{CONF_ADD, "{ports: {p: {tap: t, mac: zz}}}", CONF_BAD_VALUE},
	{CONF_ADD, "{ports: {p: {tap: t, vlan-mode: trunk, trunks: 5-3}}}", CONF_BAD_VALUE},
	{CONF_SET, "{networks: {office: {macs: {zz: web}}}}", CONF_BAD_VALUE},
	{CONF_SET, "{networks: {office: {mode: null}}}", CONF_BAD_VALUE},
	{CONF_ADD, "{networks: {x: {vlan: 7}}}", CONF_MISSING},
	{CONF_ADD, "{networks: {x: {mode: host-only}}}", CONF_MISSING},
	{CONF_ADD, "{ports: {p: {network: office}}}", CONF_MISSING},
	{CONF_ADD, "{ports: {p: {tap: t}}}", CONF_MISSING},
	{CONF_ADD, "{ports: {p: {tap: t, vlan-mode: access}}}", CONF_MISSING},
	{CONF_ADD, "{ports: {web: {tap: t}}}", CONF_REFUSED},
	{CONF_SET, "{ports: {wep: {queues: 2}}}", CONF_REFUSED},
	{CONF_DEL, "{networks: {office: null}}", CONF_REFUSED},
	{CONF_SET, "{networks: {office: {macs: {02:00:00:00:00:01: null}}}}", CONF_REFUSED},
	{CONF_ADD, "{ports: {p: {tap: t, network: ofice}}}", CONF_REFUSED},
	{CONF_ADD, "{ports: {p: {network: office, vhost-user: p}}}", CONF_BAD_VALUE},
	{CONF_ADD, "{ports: {p: {network: office, vhost-user: /p, guard: mac}}}", CONF_BAD_VALUE},
	{CONF_ADD, "{ports: {p: {network: office, vhost-user: /p, socket-mode: 432}}}",
	 CONF_BAD_VALUE},
	{CONF_ADD, "{ports: {p: {network: office, vhost-user: /p, tap: t}}}", CONF_REFUSED},
	{CONF_ADD, "{ports: {p: {network: office, vhost-user: /p, netns: c}}}", CONF_REFUSED},
	{CONF_ADD, "{networks: {x: {mode: nat}}}", CONF_MISSING},
	{CONF_ADD, "{networks: {x: {mode: bridged}}}", CONF_MISSING},
	{CONF_ADD, "{vms: {}}", CONF_BAD_VALUE},
	{CONF_ADD, "{networks: {x: {mode: nat, ipv4: 10.0.0.0/24, dns: 10.0.0}}}", CONF_BAD_VALUE},
	{CONF_ADD, "{uplinks: {u: {kind: interface, interface: e, driver: dpdk}}}", CONF_BAD_VALUE},
	{CONF_ADD, "{uplinks: {u: {interface: e}}}", CONF_MISSING},
	{CONF_ADD, "{uplinks: {u: {kind: interface}}}", CONF_MISSING},
	{CONF_ADD, "{uplinks: {web: {kind: host}}}", CONF_REFUSED},
	{CONF_SET, "{networks: {office: {forwards: {'x': {}}}}}", CONF_BAD_VALUE},
	{CONF_SET, "{networks: {office: {forwards: {'tcp/0.0.0.0:1': null}}}}", CONF_REFUSED},
	{CONF_SET, "{networks: {office: {forwards: {'1:10.0.0.5:1': {}}}}}", CONF_REFUSED},
	{CONF_DEL, "{routes: [{from: a, to: b}]}", CONF_REFUSED},
	{CONF_ADD, "{routes: [{from: office, to: lab}]}", CONF_REFUSED},
	{CONF_ADD, "{networks: {x: {mode: internal, vlan: 10}}}", CONF_REFUSED},
};

static void faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
		struct conf *c = base(), *old = conf_copy(c);
		const char *text = wrongs[i].text;
		struct conf_error err;
		int status = conf_merge(c, text, strlen(text), wrongs[i].how, &err);

		if (!status)
			status = conf_validate(c, old, &err);
		assert_int_equal(status, -EINVAL);
		if (err.fault != wrongs[i].fault)
			print_message("%s: %s\n", text, err.text);
		assert_int_equal(err.fault, wrongs[i].fault);
		conf_destroy(old);
		conf_destroy(c);
	}
}

static void static_macs(void **state)
{
	struct conf *c = base();

	(void)state;
	assert_string_equal(
		verb(c, CONF_SET, "{networks: {office: {macs: {02:00:00:00:00:02: web}}}}"), "");
	assert_string_equal(verb(c, CONF_SET,
				 "{networks: {office: {macs: {02:00:00:00:00:03: web, "
				 "02:00:00:00:00:01: web}}}}"),
			    "");
	assert_int_equal(c->networks[0].n_macs, 3);
	assert_string_equal(verb(c, CONF_SET,
				 "{networks: {office: {macs: {02:00:00:00:00:02: null, "
				 "02:00:00:00:00:01: web}}}}"),
			    "");
	assert_int_equal(c->networks[0].n_macs, 2);
	assert_int_equal(c->networks[0].macs[0].mac.b[5], 1);
	assert_int_equal(c->networks[0].macs[1].mac.b[5], 3);
	assert_string_equal(verb(c, CONF_DEL, "{ports: {web: null}}"),
			    "network office: 02:00:00:00:00:01: port \"web\" does not exist");
	conf_destroy(c);
	c = base();
	assert_string_equal(verb(c, CONF_SET, "{networks: {office: {macs: null}}}"), "");
	assert_int_equal(c->networks[0].n_macs, 0);
	conf_destroy(c);
}

/* What the fabric chose for a network stays when the file comes again, whatever came before it in the file. */
static void vlans_stay(void **state)
{
	static const char text[] = "networks: {new: {mode: internal}, lab: {mode: internal}, "
				   "old: {mode: internal}}";
	static const char clash[] = "networks: {lab: {mode: internal}, fix: {mode: internal, "
				    "vlan: 4094}}";
	struct conf *run = base(), *c = conf_create();
	struct conf_error err;

	(void)state;
	assert_int_equal(conf_find_network(run, "lab")->vlan, 4094);
	assert_int_equal(conf_merge(c, text, strlen(text), CONF_ADD, &err), 0);
	assert_int_equal(conf_validate(c, run, &err), 0);
	assert_int_equal(conf_find_network(c, "lab")->vlan, 4094);
	assert_int_equal(conf_find_network(c, "new")->vlan, 4093);
	assert_int_equal(conf_find_network(c, "old")->vlan, 4092);
	conf_destroy(c);
	c = conf_create();
	assert_int_equal(conf_merge(c, clash, strlen(clash), CONF_ADD, &err), 0);
	assert_int_equal(conf_validate(c, run, &err), 0);
	assert_int_equal(conf_find_network(c, "lab")->vlan, 4093);
	conf_destroy(c);
	conf_destroy(run);
}

static void copies(void **state)
{
	static const char text[] =
		"networks: {a: {mode: internal, vlan: 1, macs: {02:00:00:00:00:01: p}}}\n"
		"ports: {p: {tap: t, network: a}}\n"
		"containers: {c: {run: x, nics: [{network: a}]}}\nworkers: {idle: poll}\n";
	char line[CONF_ERROR_TEXT];
	struct conf *c = parse(text, strlen(text), line), *copy;
	char *before;

	(void)state;
	assert_non_null(c);
	before = conf_print(c);
	copy = conf_copy(c);
	assert_true(conf_network_equal(&c->networks[0], &copy->networks[0]));
	assert_true(conf_port_equal(&c->ports[0], &copy->ports[0]));
	assert_string_equal(verb(copy, CONF_SET,
				 "{networks: {a: {macs: null}}, ports: {p: {guard: mac}}, "
				 "containers: {c: {run: y, nics: []}}, workers: {idle: null}}"),
			    "");
	assert_false(conf_network_equal(&c->networks[0], &copy->networks[0]));
	assert_false(conf_port_equal(&c->ports[0], &copy->ports[0]));
	expect_print(c, before);
	conf_destroy(c);
	expect_print(copy,
		     "networks:\n  a: {mode: internal, vlan: 1}\nports:\n"
		     "  p: {tap: t, network: a, guard: mac}\ncontainers:\n  c: {run: \"y\"}\n");
	conf_destroy(copy);
	free(before);
	conf_destroy(NULL);
}

static void helpers(void **state)
{
	static const char text[] =
		"networks:\n"
		"  averylongnetwork: {mode: host-only, vlan: 1, ipv4: 10.0.0.0/24}\n"
		"  b: {mode: host-only, vlan: 2, ipv4: 10.0.1.0/24, gateway: 10.0.1.9, ifname: "
		"x0}\n"
		"  c: {mode: internal, vlan: 3}\n"
		"containers: {n: {nics: [{network: c}, {network: c, ifname: lan}]}}\n";
	char line[CONF_ERROR_TEXT], ifname[CONF_IFNAME_SIZE], name[CONF_NAME_SIZE], ip[IP_TEXT];
	struct conf *c = parse(text, strlen(text), line);
	struct ip gateway;

	(void)state;
	assert_non_null(c);
	assert_string_equal(conf_network_ifname(&c->networks[0], ifname), "vf-averylongnet");
	assert_string_equal(conf_network_ifname(&c->networks[1], ifname), "x0");
	assert_true(conf_network_gateway(&c->networks[0], &gateway));
	assert_string_equal(ip_text(&gateway, ip), "10.0.0.1");
	assert_true(conf_network_gateway(&c->networks[1], &gateway));
	assert_string_equal(ip_text(&gateway, ip), "10.0.1.9");
	assert_false(conf_network_gateway(&c->networks[2], &gateway));
	assert_string_equal(conf_nic_port(&c->containers[0], 0, name), "n");
	assert_string_equal(conf_nic_port(&c->containers[0], 1, name), "n-2");
	assert_string_equal(conf_nic_ifname(&c->containers[0], 0, ifname), "eth0");
	assert_string_equal(conf_nic_ifname(&c->containers[0], 1, ifname), "lan");
	assert_null(conf_find_port(c, "n"));
	conf_destroy(c);
}

/* Which keys of a vhost-user port close its socket and open it again, and what is in the struct. */
static void vhost_user_ports(void **state)
{
	static const char port[] = "ports: {p: {vhost-user: /a, network: office}}";
	static const struct {
		const char *text;
		enum change_kind kind;
	} changes[] = {
		{"{vhost-user: /b}", CHANGE_REPLACE},
		{"{client: true}", CHANGE_REPLACE},
		{"{socket-owner: root}", CHANGE_REPLACE},
		{"{socket-mode: 0606}", CHANGE_REPLACE},
		{"{queues: 16}", CHANGE_REPLACE},
		{"{mac: 02:00:00:00:00:01}", CHANGE_SET},
		{"{mtu: 9000}", CHANGE_SET},
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct conf *from = base(), *to;
		struct plan *plan;

		assert_string_equal(verb(from, CONF_ADD, port), "");
		assert_int_equal(from->ports[1].socket_mode, 0660);
		to = conf_copy(from);
		snprintf(text, sizeof(text), "ports: {p: %s}", changes[i].text);
		assert_string_equal(verb(to, CONF_SET, text), "");
		plan = plan_create(from, to);
		assert_int_equal(plan->n, 1);
		assert_int_equal(plan->changes[0].kind, changes[i].kind);
		plan_destroy(plan);
		conf_destroy(from);
		conf_destroy(to);
	}
}

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Every network and every port there can be. */
static char *full_size(size_t *bytes)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, bytes);

	fprintf(f, "networks:\n");
	for (int i = 1; i <= CONF_NETWORKS_MAX; i++)
		fprintf(f, "  net%d: {mode: internal}\n", i);
	fprintf(f, "ports:\n");
	for (int i = 0; i < CONF_PORTS_MAX; i++)
		fprintf(f, "  port%d: {tap: eth0, netns: ns%d, network: net%d, guard: mac}\n", i, i,
			i + 1);
	fclose(f);
	return text;
}

static void is_quick(void **state)
{
	char line[CONF_ERROR_TEXT] = "";
	size_t bytes;
	char *text = full_size(&bytes);
	double start = cpu_ms(), used;
	struct conf *c = parse(text, bytes, line);

	(void)state;
	used = cpu_ms() - start;
	assert_string_equal(line, "");
	assert_non_null(c);
	assert_int_equal(c->networks[4093].vlan, 1);
#ifndef VFAB_SANITIZED
	assert_true(used < 200);
#else
	(void)used;
#endif
	assert_string_equal(verb(c, CONF_ADD, "{ports: {more: {tap: a, network: net1}}}"),
			    "more than 4000 ports");
	conf_destroy(c);
	free(text);
}

/* Texts that cost much in a careless parser: refused at once, whatever they are. */
static void is_bounded(void **state)
{
	static const char *const pieces[] = {"a",   "[",       "{a: ", "- ",	 "? ",
					     ": ",  "!",       "#\n",  "%TAG\n", "&a ",
					     "\n ", "1-4094,", "{",    "\"",	 "|\n "};
	enum { BYTES = 10 << 20 };
	char line[CONF_ERROR_TEXT], *text = malloc(BYTES);
	struct conf *c;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t piece = strlen(pieces[i]);
		double start = cpu_ms();

		for (size_t at = 0; at < BYTES; at++)
			text[at] = pieces[i][at % piece];
		assert_null(parse(text, BYTES, line));
		c = parse(text, CONF_TEXT_MAX, line);
		conf_destroy(c);
#ifndef VFAB_SANITIZED
		assert_true(cpu_ms() - start < 1000);
#else
		(void)start;
#endif
	}
	memset(text, 'a', BYTES);
	assert_null(parse(text, BYTES, line));
	assert_string_equal(line, "1:4194305: the text is longer than 4 MiB\n");
	free(text);
}

/* Every file, cut anywhere and with any byte changed: an answer, and what is taken prints and parses again. */
static void broken_files(void **state)
{
	char line[CONF_ERROR_TEXT];
	uint32_t random = 1;
	glob_t g;

	(void)state;
	assert_int_equal(glob("tests/unit/conf/*.in", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc * 20; i++) {
		size_t bytes, cut;
		char *text = read_all(g.gl_pathv[i % g.gl_pathc], &bytes), *exact, *out, *again;

		random = random * 1664525 + 1013904223;
		cut = bytes ? (random >> 8) % bytes : 0;
		exact = malloc(bytes + 1); /* of its own size, for the sanitizer */
		memcpy(exact, text, bytes);
		if (bytes && i % 2)
			exact[cut] = (char)(random >> 24);
		out = print(exact, i % 2 ? bytes : cut, line);
		if (out) {
			again = print(out, strlen(out), line);
			assert_non_null(again);
			assert_string_equal(out, again);
			free(again);
		}
		free(out);
		free(exact);
		free(text);
	}
	globfree(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files),
		cmocka_unit_test(verbs),
		cmocka_unit_test(ways_out),
		cmocka_unit_test(uplinks_stay),
		cmocka_unit_test(static_macs),
		cmocka_unit_test(vlans_stay),
		cmocka_unit_test(copies),
		cmocka_unit_test(helpers),
		cmocka_unit_test(is_quick),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(broken_files),
		cmocka_unit_test(faults),
		cmocka_unit_test(vhost_user_ports),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
