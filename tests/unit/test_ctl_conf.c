/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ctl_conf: the verbs of the configuration, the way back of a confirmation that did not come, reload. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "switch/ctl_conf.h"
#include "tests/lib/expect.h"
#include "tests/lib/fake_broker.h"

static void test_merge(void **state)
{
	struct world *w = *state;

	expect(w, MERGE("add", "networks: {office: {mode: internal, vlan: 10}}"),
	       "{\"changes\":[{\"kind\":\"add\",\"object\":\"network\",\"name\":\"office\",");
	expect(w, MERGE("add", "networks: {office: {mode: internal}}"), "\"status\":1");
	expect(w, MERGE("add", "ports: {web: {tap: t0, network: ofice}}"),
	       "(did you mean \\\"office\\\"?)");
	expect(w, MERGE("add", "ports: {web: {tap: t0, netns: gone, network: office}}"),
	       "namespace \\\"gone\\\" does not exist");
	expect(w,
	       "{\"verb\":\"conf.merge\",\"how\":\"add\",\"may_wait\":true,\"text\":"
	       "\"ports: {web: {tap: t0, netns: gone, network: office}}\"}",
	       "\"name\":\"web\"");
	expect(w, MERGE("set", "networks: {office: {mtu: 9000}}"), "\"kind\":\"set\"");
	expect(w, "{\"verb\":\"conf.show\"}", "mtu: 9000");
	assert_non_null(strstr(fake_broker.kept, "mtu: 9000"));
	expect(w, MERGE("del", "networks: {office: null}"), "web");
	expect(w, MERGE("del", "ports: {web: null}"), "\"kind\":\"del\"");
	expect(w, MERGE("del", "networks: {office: null}"), "\"kind\":\"del\"");
}

/* 65: a value that does not parse; 2: something is left out; 1: refused. */
static void test_status(void **state)
{
	struct world *w = *state;

	expect(w, MERGE("add", "networks: {a: {mode: internal, vlan: 10}}"), "\"ok\":true");
	expect(w, MERGE("add", "{"), "\"status\":65");
	expect(w, MERGE("add", "networks: {x: {mode: internal, vlan: 4095}}"), "\"status\":65");
	expect(w, MERGE("add", "networks: {x: {mode: foo}}"), "\"status\":65");
	expect(w, MERGE("add", "networks: {x: {vlan: 5}}"), "\"status\":2");
	expect(w, MERGE("add", "networks: {x: {mode: nat}}"), "\"status\":2,");
	expect(w, MERGE("add", "networks: {x: {mode: internal, dns: 10.0.0}}"), "\"status\":65");
	expect(w, MERGE("add", "ports: {p: {tap: t0, network: b}}"), "\"status\":1,");
	expect(w, MERGE("add", "ports: {p: {network: a}}"), "\"status\":2");
	expect(w, MERGE("add", "ports: {p: {tap: t0, network: a}}"), "\"ok\":true");
	/* It had what it lacks then: that is not bad usage. */
	expect(w, MERGE("set", "ports: {p: {network: null}}"), "\"status\":1,");
	/* A file: each is bad data. */
	expect(w, APPLY("networks: {x: {vlan: 5}}"), "\"status\":65");
	expect(w, APPLY("networks: {x: {mode: nat}}"), "\"status\":65");
	expect(w, APPLY("ports: {p: {tap: t0, network: b}}"), "\"status\":65");
}

static void test_apply_and_diff(void **state)
{
	struct world *w = *state;

	expect(w, APPLY("networks: {a: {mode: internal, vlan: 10}}"), "\"name\":\"a\"");
	expect(w, "{\"verb\":\"conf.diff\",\"text\":\"networks: {a: {mode: internal, vlan: 10}}\"}",
	       "{\"changes\":[]}");
	expect(w, "{\"verb\":\"conf.diff\",\"text\":\"networks: {b: {mode: internal}}\"}",
	       "{\"kind\":\"add\",\"object\":\"network\",\"name\":\"b\"");
	expect(w, "{\"verb\":\"conf.diff\",\"text\":\"\\nnetworks: {b: {mode: internl}}\"}",
	       "\"line\":2");
	expect(w, APPLY("networks: {b: {mdoe: internal}}"), "\"status\":65");
	expect(w, "{\"verb\":\"conf.show\"}", "vlan: 10");
	expect(w, "{\"verb\":\"conf.save\"}", "vfabd was started without -c: name a file");
	w->d.conf_name = "fabric.yaml";
	expect(w, "{\"verb\":\"conf.save\"}", "{\"ok\":true,\"result\":{}}");
	fake_broker.save_error = -ENOENT;
	expect(w, "{\"verb\":\"conf.save\"}", "the file was not written: No such file");
}

#define NET_A "networks: {a: {mode: internal, vlan: 10}}"
#define NET_B "networks: {b: {mode: internal, vlan: 20}}"
#define NET_C "networks: {c: {mode: internal, vlan: 30}}"

static void test_confirm(void **state)
{
	struct world *w = *state;

	expect(w, "{\"verb\":\"conf.confirm\"}", "nothing waits for a confirmation");
	expect(w, APPLY(NET_A), "\"ok\":true");
	expect(w, APPLY_1S(NET_B), "\"ok\":true");
	/* A switch that dies now comes back with the old one. */
	assert_non_null(strstr(fake_broker.kept, "vlan: 10"));
	expect(w, "{\"verb\":\"conf.show\"}", "vlan: 20");
	expect(w, "{\"verb\":\"conf.confirm\"}", "{\"ok\":true,\"result\":{}}");
	assert_non_null(strstr(fake_broker.kept, "vlan: 20"));
	expect(w, "{\"verb\":\"conf.confirm\"}", "nothing waits");
	assert_int_equal(world_run(w, 1100), 0);
	expect(w, "{\"verb\":\"conf.show\"}", "vlan: 20");
}

static void test_confirm_timeout(void **state)
{
	struct world *w = *state;

	expect(w, APPLY(NET_A), "\"ok\":true");
	expect(w, APPLY_1S(NET_B), "\"ok\":true");
	/* A second one: its own time, the same way back.  A bad one changes nothing of that. */
	expect(w, APPLY_1S(NET_C), "\"ok\":true");
	expect(w, APPLY_1S("networks: 5"), "\"status\":65");
	expect(w, MERGE("add", NET_B),
	       "\"status\":1,\"error\":\"an apply waits to be confirmed and goes back in 1 s: vfab "
	       "config confirm\"");
	assert_non_null(strstr(fake_broker.kept, "vlan: 10"));
	assert_int_equal(world_run(w, 1200), 0);
	expect(w, "{\"verb\":\"conf.show\"}", "a: {");
	assert_non_null(strstr(fake_broker.kept, "vlan: 10"));
	assert_null(w->d.confirm_conf);
	expect(w, "{\"verb\":\"events\"}", "\"kind\":\"confirm_timeout\"");
	expect(w, "{\"verb\":\"conf.confirm\"}", "nothing waits");
	/* One that never stood leaves nothing to wait for. */
	expect(w, APPLY_1S("networks: 5"), "\"status\":65");
	expect(w, "{\"verb\":\"conf.confirm\"}", "nothing waits");
}

#define WAITS "an apply waits to be confirmed and goes back in "

/* While it waits: no small changes, nothing into a file.  A new decision about the whole settles it. */
static void test_confirm_settled(void **state)
{
	struct world *w = *state;

	w->d.conf_name = "fabric.yaml";
	expect(w, APPLY(NET_A), "\"ok\":true");
	expect(w, APPLY_1S(NET_B), "\"ok\":true");
	expect(w, MERGE("del", NET_B), WAITS);
	expect(w, "{\"verb\":\"conf.save\"}", WAITS);
	expect(w, "{\"verb\":\"conf.show\",\"to_save\":true}", WAITS);
	expect(w, "{\"verb\":\"conf.show\"}", "vlan: 20");
	expect(w, APPLY("networks: 5"), "\"status\":65");
	expect(w, MERGE("set", NET_B), WAITS);
	expect(w, APPLY(NET_C), "\"ok\":true");
	assert_null(w->d.confirm_conf);
	assert_non_null(strstr(fake_broker.kept, "vlan: 30"));
	expect(w, "{\"verb\":\"events\"}", "another apply settles what waited to be confirmed");
	expect(w, "{\"verb\":\"conf.confirm\"}", "nothing waits");
	expect(w, "{\"verb\":\"conf.save\"}", "\"ok\":true");
	/* The same once more is a decision too, though nothing changes. */
	expect(w, APPLY_1S(NET_B), "\"ok\":true");
	assert_non_null(strstr(fake_broker.kept, "vlan: 30"));
	expect(w, APPLY(NET_B), "{\"changes\":[]}");
	assert_non_null(strstr(fake_broker.kept, "vlan: 20"));
	/* And so is a reload, when it is a good one. */
	expect(w, APPLY_1S(NET_C), "\"ok\":true");
	ctl_reload(&w->d, "networks: 5", strlen("networks: 5"));
	assert_non_null(w->d.confirm_conf);
	ctl_reload(&w->d, NET_A, strlen(NET_A));
	assert_null(w->d.confirm_conf);
	expect(w, "{\"verb\":\"events\"}", "a reload settles what waited to be confirmed");
	assert_int_equal(world_run(w, 1200), 0);
	expect(w, "{\"verb\":\"conf.show\"}", "vlan: 10");
	expect(w, MERGE("add", NET_B), "\"ok\":true");
}

static void test_reload(void **state)
{
	static const char bad[] = "networks:\n  a: {mode: internl}\n";
	struct world *w = *state;

	w->d.conf_name = "fabric.yaml";
	ctl_reload(&w->d, NET_A, strlen(NET_A));
	expect(w, "{\"verb\":\"conf.show\"}", "vlan: 10");
	expect(w, "{\"verb\":\"events\"}", "\"kind\":\"reload\"");
	ctl_reload(&w->d, bad, strlen(bad));
	expect(w, "{\"verb\":\"conf.show\"}", "vlan: 10");
	expect(w, "{\"verb\":\"events\"}",
	       "\"text\":\"fabric.yaml:2:13: networks.a.mode: unknown mode \\\"internl\\\" (did "
	       "you mean \\\"internal\\\"?)\"");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, expect_setup, expect_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_merge),	    TEST(test_apply_and_diff), TEST(test_confirm),
		TEST(test_confirm_timeout), TEST(test_reload),	       TEST(test_confirm_settled),
		TEST(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
