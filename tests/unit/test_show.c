/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_show: what the read verbs show of ports, networks, addresses, drops and events. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/lib/expect.h"

static void test_events(void **state)
{
	struct world *w = *state;
	json_t *rows;
	int i;

	for (i = 0; i < EVENTS_KEPT + 10; i++)
		state_event(w->d.state, "test", "", "event %d", i);
	rows = expect_result(w, "{\"verb\": \"events\"}");
	assert_int_equal(json_array_size(rows), EVENTS_KEPT);
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(rows, EVENTS_KEPT - 1), "text")),
		"event 1009");
	json_decref(rows);
	rows = expect_result(w, "{\"verb\": \"events\", \"since_ms\": 60000}");
	assert_int_equal(json_array_size(rows), EVENTS_KEPT);
	json_decref(rows);
}

static void test_shown(void **state)
{
	struct world *w = *state;
	struct port *p;
	json_t *rows;

	expect(w,
	       APPLY("networks: {office: {mode: internal, vlan: 10}, lab: {mode: host-only, vlan: "
		     "20, "
		     "ipv4: 10.9.0.0/24}}\\nports: {c10: {tap: eth0, netns: gone, network: "
		     "office}, "
		     "c2: {tap: t2, vlan-mode: native-untagged, tag: 10, trunks: [5, 20-29]}, "
		     "tr: {tap: t3, vlan-mode: trunk}}"),
	       "\"ok\":true");
	p = expect_port(w, "c2");
	atomic_store(&p->counters[0].rx_frames, 10);
	atomic_store(&p->counters[1].rx_frames, 5);
	atomic_store(&p->counters[1].drops[DROP_VLAN], 3);
	atomic_store(&p->counters[0].drops[DROP_STORM], 2);

	rows = expect_result(w, "{\"verb\":\"port.ls\"}");
	assert_int_equal(json_array_size(rows), 4);
	json_decref(rows);
	/* c2 before c10. */
	expect(w, "{\"verb\":\"port.ls\"}",
	       "{\"ok\":true,\"result\":[{\"name\":\"c2\",\"kind\":\"tap\","
	       "\"network\":null,\"vlan\":{\"mode\":\"native-untagged\","
	       "\"tag\":10,\"trunks\":[5,\"20-29\"]},\"netns\":null,");
	expect(w, "{\"verb\":\"port.ls\"}",
	       "\"state\":\"waiting\",\"rx\":{\"frames\":15,\"bytes\":0},"
	       "\"tx\":{\"frames\":0,\"bytes\":0,\"lost\":0},"
	       "\"forwarded\":0,\"local\":0,\"drops\":5}");
	expect(w, "{\"verb\":\"port.ls\"}", "\"netns\":\"gone\"");
	expect(w, "{\"verb\":\"port.ls\"}",
	       "{\"name\":\"vf-lab\",\"kind\":\"host\",\"network\":\"lab\"");
	expect(w, "{\"verb\":\"stats\"}",
	       "{\"port\":\"c2\",\"state\":\"waiting\",\"rx\":{\"frames\":15");
	expect(w, "{\"verb\":\"drops\"}",
	       "{\"port\":\"c2\",\"reason\":\"vlan\",\"frames\":3,\"text\":");
	expect(w, "{\"verb\":\"drops\",\"port\":\"c10\"}", "\"result\":[]");
	expect(w, "{\"verb\":\"drops\",\"port\":\"c1\"}", "(did you mean \\\"c");
	expect(w, "{\"verb\":\"net.ls\"}",
	       "{\"name\":\"lab\",\"mode\":\"host-only\",\"vlan\":20,"
	       "\"ipv4\":\"10.9.0.0/24\",\"ipv6\":null,"
	       "\"gateway\":\"10.9.0.1\",\"uplink\":null,");
	expect(w, "{\"verb\":\"net.ls\"}", "\"ports\":[\"vf-lab\"]");
	expect(w, "{\"verb\":\"net.ls\"}", "\"ports\":[\"c10\"]");
}

/* What was set comes back as the file says it; null is no limit. */
static void test_settings(void **state)
{
	struct world *w = *state;

	expect(w,
	       APPLY("networks: {n: {mode: internal, vlan: 10}, six: {mode: host-only, vlan: 20, "
		     "ipv6: 'fd00:20::/64'}}\\nports: {a: {tap: t1, network: n, guard: mac, "
		     "isolated: true, "
		     "rate: 10mbit, storm: {broadcast: 0, unknown: 7}, mac-limit: 5, "
		     "mac-limit-action: drop, "
		     "priority-tags: if-nonzero, ipv4: 10.0.0.5/24, gateway: 10.0.0.1}, b: {tap: "
		     "t2, network: n}}"),
	       "\"ok\":true");
	expect(w, "{\"verb\":\"port.ls\"}",
	       "\"isolated\":true,\"ipv4\":\"10.0.0.5/24\",\"ipv6\":null,\"gateway\":\"10.0.0.1\","
	       "\"guard\":\"mac\",\"priority_tags\":\"if-nonzero\",\"rate\":\"10mbit\","
	       "\"storm\":{\"broadcast\":0,\"multicast\":null,\"unknown\":7},"
	       "\"mac_limit\":5,\"mac_limit_action\":\"drop\"");
	expect(w, "{\"verb\":\"port.ls\"}",
	       "\"isolated\":false,\"ipv4\":null,\"ipv6\":null,\"gateway\":null,"
	       "\"guard\":\"off\",\"priority_tags\":\"never\",\"rate\":null,"
	       "\"storm\":{\"broadcast\":null,\"multicast\":null,\"unknown\":null},"
	       "\"mac_limit\":4096,\"mac_limit_action\":\"flood\"");
	expect(w, "{\"verb\":\"net.ls\"}",
	       "\"ipv4\":null,\"ipv6\":\"fd00:20::/64\",\"gateway\":\"fd00:20::1\"");
}

static void test_macs(void **state)
{
	static const uint8_t first[6] = {2, 0, 0, 0, 0, 1}, second[6] = {2, 0, 0, 0, 1, 0};
	struct world *w = *state;
	uint32_t now_s = (uint32_t)(clock_ms() / 1000);
	struct port *p;

	expect(w,
	       APPLY("networks: {office: {mode: internal, vlan: 10, macs: {'02:00:00:00:00:05': "
		     "c1}}}"
		     "\\nports: {c1: {tap: t1, network: office}, tr: {tap: t2, vlan-mode: trunk}}"),
	       "\"ok\":true");
	p = expect_port(w, "tr");
	assert_int_equal(fdb_learn(w->d.fdb, fdb_key_of(second, 10), p->slot, now_s), FDB_NEW);
	assert_int_equal(fdb_learn(w->d.fdb, fdb_key_of(first, 30), p->slot, now_s - 7), FDB_NEW);
	expect(w, "{\"verb\":\"mac.ls\"}",
	       "\"result\":[{\"network\":\"office\",\"vlan\":10,\"mac\":\"02:00:00:00:00:05\","
	       "\"port\":\"c1\",\"kind\":\"static\",\"age_s\":null},"
	       "{\"network\":\"office\",\"vlan\":10,\"mac\":\"02:00:00:00:01:00\",\"port\":\"tr\","
	       "\"kind\":\"learned\",\"age_s\":0},{\"network\":null,\"vlan\":30,");
	expect(w, "{\"verb\":\"mac.ls\",\"port\":\"c1\"}", "\"static\",\"age_s\":null}]}");
	expect(w, "{\"verb\":\"mac.ls\",\"network\":\"ofice\"}", "(did you mean \\\"office\\\"?)");
	expect(w, "{\"verb\":\"mac.flush\",\"network\":\"office\"}", "{\"flushed\":1}");
	expect(w, "{\"verb\":\"mac.ls\",\"network\":\"office\"}", "\"age_s\":null}]}");
	expect(w, "{\"verb\":\"mac.flush\"}", "{\"flushed\":1}");
}

/* A full table is one line, and quick. */
static void test_full_table(void **state)
{
	struct world *w = *state;
	uint8_t mac[6] = {2};
	struct port *p;
	uint64_t start;
	json_t *rows;
	unsigned i, learned = 0;

	expect(w, APPLY("ports: {tr: {tap: t2, vlan-mode: trunk, mac-limit: 65536}}"),
	       "\"ok\":true");
	p = expect_port(w, "tr");
	for (i = 0; i < FDB_LIMIT; i++) {
		mac[4] = (uint8_t)(i >> 8);
		mac[5] = (uint8_t)i;
		learned += fdb_learn(w->d.fdb, fdb_key_of(mac, (uint16_t)(i % 4000 + 1)), p->slot,
				     1) == FDB_NEW;
	}
	start = clock_ms();
	rows = expect_result(w, "{\"verb\":\"mac.ls\"}");
	print_message("%u addresses: %u ms\n", learned, (unsigned)(clock_ms() - start));
	assert_int_equal(json_array_size(rows), learned);
	assert_true(clock_ms() - start < 5000);
	json_decref(rows);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, expect_setup, expect_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_shown),      TEST(test_settings), TEST(test_macs),
		TEST(test_full_table), TEST(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
