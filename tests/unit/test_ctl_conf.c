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
	expect(w, MERGE("add", "{"), "\"status\":1");
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
	expect(w, MERGE("add", NET_B), "\"ok\":true");
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

static void test_reload(void **state)
{
	static const char bad[] = "networks:\n  a: {mode: internl}\n";
	struct world *w = *state;

	ctl_reload(&w->d, NET_A, strlen(NET_A));
	expect(w, "{\"verb\":\"conf.show\"}", "vlan: 10");
	expect(w, "{\"verb\":\"events\"}", "\"kind\":\"reload\"");
	ctl_reload(&w->d, bad, strlen(bad));
	expect(w, "{\"verb\":\"conf.show\"}", "vlan: 10");
	expect(w, "{\"verb\":\"events\"}", "\"text\":\"line 2, column ");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, expect_setup, expect_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_merge),	    TEST(test_apply_and_diff), TEST(test_confirm),
		TEST(test_confirm_timeout), TEST(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
