/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of dhcp/lease: D13, D18: the promises one by one, ranges of every size, a store that is full, a network that moves,
 * what a journal may say, names and identities.  Random operations are in test_lease_twin.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dhcp/lease.h"
#include "tests/lib/lease_ids.h"

static const uint64_t seed[2] = {1, 2}, secret[2] = {3, 4};

static struct lease_pool *pool_of(struct leases *s, struct ip first, struct ip last, uint32_t cap)
{
	struct lease_range r = {.network = "n", .first = first, .last = last, .port_cap = cap};
	struct lease_pool *p = leases_pool_apply(s, &r, 0);

	assert_non_null(p);
	return p;
}

static struct lease *get(struct leases *s, struct lease_pool *p, uint32_t client, const char *port,
			 uint64_t at_ms, enum lease_why *why)
{
	struct lease_id id = id_at(client);

	return leases_offer(s, p, &(struct lease_want){.id = &id, .port = port}, at_ms, why);
}

static void take(struct leases *s, struct lease *l, const char *port, uint64_t end_ms)
{
	assert_true(leases_bind(s, l, &(struct lease_want){.port = port}, end_ms));
}

/* D13: the same client gets the same address: after its end, after the store forgot, while there are others to give. */
static void d13_same_address(void **state)
{
	struct leases *s = leases_create(seed, secret);
	struct lease_pool *p = pool_of(s, ip_at(false, 1), ip_at(false, 200), 0);
	struct ip first[100];
	enum lease_why why;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		struct lease *l = get(s, p, i, "a", 0, &why);

		first[i] = l->ip;
		take(s, l, "a", 1000);
	}
	assert_true(leases_tick(s, 1000, 1000) == UINT64_MAX);
	/* Others come; there is room besides the addresses of before. */
	for (unsigned i = 100; i < 200; i++)
		take(s, get(s, p, i, "a", 2000, &why), "a", 3000 + i);
	leases_tick(s, 3999, 1000);
	for (unsigned i = 0; i < 100; i++) {
		struct lease *l = get(s, p, i, "a", 4000, &why);

		assert_true(ip_equal(&l->ip, &first[i]));
		leases_release(s, l, 4000);
	}
	/* One client more than addresses: the one whose lease is over the longest, which nobody asked for since. */
	for (unsigned i = 0; i < 2; i++) {
		struct lease_id id = id_at(100 + i);
		struct ip ip = leases_find(s, p, &id)->ip;

		assert_true(ip_equal(&get(s, p, 200 + i, "a", 4000, &why)->ip, &ip));
	}
	leases_destroy(s);
	/* A store that knows nothing: the hash of an identity leads to the same address again. */
	for (unsigned i = 0; i < 100; i += 9) {
		struct ip ip[2];

		for (unsigned k = 0; k < 2; k++) {
			s = leases_create(seed, (const uint64_t[2]){k, 5});
			/* Nor does it matter which pools were before. */
			if (k)
				pool_of(s, ip_at(true, 1), ip_at(true, 200), 0);
			p = pool_of(s, ip_at(false, 1), ip_at(false, 200), 0);
			ip[k] = get(s, p, i, "a", 0, &why)->ip;
			leases_destroy(s);
		}
		assert_true(ip_equal(&ip[0], &ip[1]));
	}
}

/* D18: a port that invents clients has its cap, and the others their addresses. */
static void d18_starvation(void **state)
{
	struct leases *s = leases_create(seed, secret);
	struct lease_pool *p = pool_of(s, ip_at(false, 1), ip_at(false, 100), 4);
	enum lease_why why;
	unsigned n = 0;

	(void)state;
	for (uint32_t i = 0; i < 10000; i++) {
		struct lease *l = get(s, p, i, "bad", i, &why);

		n += l != NULL;
		assert_true(l || why == LEASE_PORT_CAP);
		if (l)
			take(s, l, "bad", UINT64_MAX);
	}
	assert_int_equal(n, 4);
	assert_non_null(get(s, p, 20000, "good", 10000, &why));
	/* Nor does it help to have a second port, and to move leases there. */
	for (uint32_t i = 0; i < 4; i++)
		take(s, get(s, p, 30000 + i, "worse", 0, &why), "worse", UINT64_MAX);
	assert_false(leases_bind(s, get(s, p, 0, "bad", 0, &why),
				 &(struct lease_want){.port = "worse"}, UINT64_MAX));
	assert_int_equal(leases_of_port(s, p, "worse"), 4);
	/* Relayed clients are many behind one port. */
	for (uint32_t i = 0; i < 20; i++) {
		struct lease_id id = id_at(40000 + i);
		struct lease_want w = {.id = &id, .port = "bad", .is_relayed = true};

		assert_non_null(leases_offer(s, p, &w, 0, &why));
	}
	leases_destroy(s);
}

/* The client takes what it is offered, and gives it back. */
static void cycle(struct leases *s, struct lease_pool *p, uint32_t client, const char *port,
		  uint64_t at_ms)
{
	enum lease_why why;
	struct lease *l = get(s, p, client, port, at_ms, &why);

	assert_non_null(l);
	take(s, l, port, at_ms + 1000);
	leases_release(s, l, at_ms);
}

/* D13: a port that takes and gives back addresses for ever new clients makes the store forget its own, not those of others: with
 * a cap that is the whole range, with a small one, and with none. */
static void d13_memory_of_others(void **state)
{
	static const uint32_t caps[] = {50, 4, 0};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct leases *s = leases_create(seed, secret);
		struct lease_pool *p = pool_of(s, ip_at(false, 1), ip_at(false, 100), caps[i]);
		struct lease_count c;
		struct ip had[20];
		enum lease_why why;

		for (unsigned k = 0; k < 20; k++) {
			char port[8];

			snprintf(port, sizeof(port), "p%u", k / 2);
			had[k] = get(s, p, k, port, 0, &why)->ip;
			cycle(s, p, k, port, 0);
		}
		for (uint32_t k = 0; k < 1000; k++)
			cycle(s, p, 1000 + k, "bad", 1 + k);
		leases_count(s, p, &c);
		assert_int_equal(c.past, 20 + (caps[i] == 4 ? 8 : 80));
		assert_int_equal(leases_of_port(s, p, "bad"), 0);
		for (unsigned k = 0; k < 20; k++) {
			struct lease *l = get(s, p, k, "elsewhere", 2000, &why);

			assert_true(l && ip_equal(&l->ip, &had[k]));
			leases_release(s, l, 2000);
		}
		leases_destroy(s);
	}
}

static unsigned n_gone;
static void count_gone(void *arg, const struct lease *l, enum lease_news news)
{
	(void)arg;
	(void)l;
	n_gone += news == LEASE_GONE;
}

/* A cap that becomes less, and a restart: a port comes down to twice of it, two a time, and each is told. */
static void past_cap(void **state)
{
	struct leases *s = leases_create(seed, secret);
	struct lease_pool *p = pool_of(s, ip_at(false, 1), ip_at(false, 100), 0);
	struct lease old = {.state = LEASE_PAST, .port = "a"};
	struct lease_count c;

	(void)state;
	n_gone = 0;
	leases_listen(s, count_gone, NULL);
	for (uint32_t k = 0; k < 10; k++)
		cycle(s, p, k, "a", k);
	for (uint32_t k = 10; k < 20; k++) {
		struct lease_id id = id_at(k);

		old.ip = ip_at(false, 200 + k);
		old.end_ms = k;
		assert_true(leases_restore(s, "n", &old, &id));
	}
	p = pool_of(s, ip_at(false, 1), ip_at(false, 255), 2);
	leases_count(s, p, &c);
	assert_true(c.past == 20 && n_gone == 0);
	cycle(s, p, 100, "a", 100);
	leases_count(s, p, &c);
	assert_true(c.past == 19 && n_gone == 2);
	for (uint32_t k = 0; k < 100; k++)
		cycle(s, p, 100 + k, "a", 101 + k);
	leases_count(s, p, &c);
	assert_int_equal(c.past, 4);
	cycle(s, p, 300, "b", 300);
	leases_count(s, p, &c);
	assert_int_equal(c.past, 5);
	leases_pool_remove(s, p);
	leases_destroy(s);
}

/* A guest that declines whatever it is offered: a quarter of the range is in quarantine, no more, and it ends. */
static void quarantine(void **state)
{
	struct leases *s = leases_create(seed, secret);
	struct lease_pool *p = pool_of(s, ip_at(false, 1), ip_at(false, 100), 0);
	struct lease_count c;
	enum lease_why why;
	struct lease *l;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct ip ip;

		l = get(s, p, i, "a", i, &why);
		assert_non_null(l);
		ip = l->ip;
		leases_decline(s, l, i);
		l = get(s, p, i, "a", i, &why);
		assert_false(ip_equal(&l->ip, &ip));
		leases_release(s, l, i);
	}
	leases_count(s, p, &c);
	assert_int_equal(c.declined, 25);
	assert_int_equal(c.free, 75);
	leases_tick(s, 1000 + LEASE_QUARANTINE_MS, 1000);
	leases_count(s, p, &c);
	assert_int_equal(c.declined, 0);
	assert_int_equal(c.free, 100);
	leases_destroy(s);
}

/* Each of many clients has its own address until there is none, at any size of range, and then who was first is out. */
static void fills(void **state)
{
	static const struct {
		struct ip first, last;
		uint32_t n;
	} table[] = {
		{{{[10] = 0xff, [11] = 0xff, 10, 0, 0, 5}},
		 {{[10] = 0xff, [11] = 0xff, 10, 0, 0, 5}},
		 1},
		{{{[10] = 0xff, [11] = 0xff, 10, 0, 0, 5}},
		 {{[10] = 0xff, [11] = 0xff, 10, 0, 0, 68}},
		 64},
		{{{[10] = 0xff, [11] = 0xff, 10, 0, 0, 5}},
		 {{[10] = 0xff, [11] = 0xff, 10, 0, 20, 3}},
		 5119},
		{{{0xfd, [15] = 1}}, {{0xfd, [15] = 0x41}}, 65},
		{{{0}},
		 {{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}},
		 20000},
		{{{[10] = 0xff, [11] = 0xff, 0}},
		 {{[10] = 0xff, [11] = 0xff, 255, 255, 255, 255}},
		 20000},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct leases *s = leases_create(seed, secret);
		struct lease_pool *p = pool_of(s, table[i].first, table[i].last, 0);
		struct lease_count c;
		struct lease *l;
		enum lease_why why;

		for (uint32_t k = 0; k < table[i].n; k++) {
			l = get(s, p, k, "a", 0, &why);
			assert_non_null(l);
			take(s, l, "a", 10 + k);
		}
		leases_count(s, p, &c);
		if (i < 4) {
			struct ip first = leases_find(s, p, &(struct lease_id[]){id_at(0)}[0])->ip;

			assert_int_equal(c.free, 0);
			assert_null(get(s, p, 1 << 20, "a", 0, &why));
			assert_int_equal(why, LEASE_NONE_FREE);
			leases_tick(s, 1 << 20, 1 << 20);
			l = get(s, p, 1 << 20, "a", 0, &why);
			assert_true(l && ip_equal(&l->ip, &first));
		} else {
			assert_true(c.free == (i == 4 ? UINT32_MAX : UINT32_MAX - 19999));
		}
		leases_destroy(s);
	}
}

/* As many as there may be: who is over the longest is forgotten; when all live there is no room, and time still passes in steps. */
static void full_store(void **state)
{
	struct leases *s = leases_create(seed, secret);
	struct lease_pool *p = pool_of(s, ip_at(false, 1), ip_at(false, 1 << 20), 0);
	enum lease_why why;

	(void)state;
	for (uint32_t k = 0; k < LEASES_MAX; k++)
		take(s, get(s, p, k, "a", 0, &why), "a", 1000 + k);
	assert_null(get(s, p, LEASES_MAX, "a", 0, &why));
	assert_int_equal(why, LEASE_NO_MEMORY);
	assert_true(leases_tick(s, 1009, 4) == 1009);
	assert_true(leases_tick(s, 1009, 100) == 1010);
	for (uint32_t k = 0; k < 10; k++) {
		struct lease_id gone = id_at(k), id = id_at(LEASES_MAX + k);

		assert_non_null(leases_find(s, p, &gone));
		assert_non_null(leases_offer(s, p, &(struct lease_want){.id = &id}, 2000, &why));
		assert_null(leases_find(s, p, &gone));
	}
	assert_null(get(s, p, LEASES_MAX + 10, "a", 0, &why));
	leases_pool_remove(s, p);
	assert_int_equal(leases_total(s), 0);
	assert_null(leases_pool_find(s, "n", false));
	leases_destroy(s);
}

/* A network that has another prefix: what is outside of it ends, what is outside of the range alone stays. */
static void moved_network(void **state)
{
	struct leases *s = leases_create(seed, secret);
	struct lease_range r = {
		.network = "n", .first = ip_at(false, 10), .last = ip_at(false, 19)};
	struct lease_pool *p = leases_pool_apply(s, &r, 0);
	struct lease_count c;
	enum lease_why why;

	(void)state;
	n_gone = 0;
	leases_listen(s, count_gone, NULL);
	for (uint32_t k = 0; k < 10; k++)
		take(s, get(s, p, k, "a", 0, &why), "a", 1000);
	r.first = ip_at(false, 100);
	r.last = ip_at(false, 109);
	r.net = (struct prefix){.ip = ip_at(false, 0), .len = 24, .is_set = true};
	assert_ptr_equal(leases_pool_apply(s, &r, 0), p);
	leases_count(s, p, &c);
	assert_true(c.bound == 10 && c.free == 10 && n_gone == 0);
	r.net.len = 28;
	r.first = ip_at(false, 1);
	r.last = ip_at(false, 11);
	leases_pool_apply(s, &r, 0);
	leases_count(s, p, &c);
	assert_true(c.bound == 6 && c.free == 9 && n_gone == 4);
	leases_destroy(s);
}

static void restores_sense_only(void **state)
{
	struct leases *s = leases_create(seed, secret);
	struct lease good = {.ip = ip_at(false, 5), .state = LEASE_BOUND, .end_ms = 7}, bad;
	struct lease_id id = id_at(1), none = {0};

	(void)state;
	assert_true(leases_restore(s, "a", &good, &id));
	assert_false(leases_restore(s, "", &good, &id));
	assert_false(leases_restore(s, "a b", &good, &id));
	assert_false(leases_restore(s, "a", &good, &none));
	bad = good;
	bad.state = LEASE_OFFERED;
	assert_false(leases_restore(s, "a", &bad, &id));
	bad = good;
	strcpy(bad.name, "Web");
	assert_false(leases_restore(s, "a", &bad, &id));
	bad = good;
	strcpy(bad.port, "a\nb");
	assert_false(leases_restore(s, "a", &bad, &id));
	bad = good;
	bad.ip.b[12] = 224;
	assert_false(leases_restore(s, "a", &bad, &id));
	memset(bad.port, 'a', sizeof(bad.port));
	assert_false(leases_restore(s, "a", &bad, &id));
	/* Later lines win. */
	bad = good;
	bad.ip = ip_at(false, 6);
	assert_true(leases_restore(s, "a", &bad, &id));
	assert_int_equal(leases_total(s), 1);
	leases_restore_gone(s, "a", &good.ip);
	leases_restore_gone(s, "b", &bad.ip);
	assert_int_equal(leases_total(s), 1);
	leases_restore_gone(s, "a", &bad.ip);
	assert_int_equal(leases_total(s), 0);
	leases_destroy(s);
}

static void names_and_identities(void **state)
{
	static const struct {
		const char *in, *out;
	} table[] = {
		{"web", "web"},	    {"Web.Office.vfab", "web"}, {"", ""},	  {"...", ""},
		{"--a-b--", "a-b"}, {"Joe's PC", "joespc"},	{"\xc3\xa9", ""}, {"-", ""},
		{"a_b", "ab"},
	};
	uint8_t bytes[256] = {0};
	char out[LEASE_NAME_SIZE], longest[100];
	struct lease_id id;

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		bool is_left =
			lease_name_clean((const uint8_t *)table[i].in, strlen(table[i].in), out);

		assert_true(is_left == (table[i].out[0] != '\0'));
		assert_string_equal(out, table[i].out);
	}
	memset(longest, 'x', sizeof(longest));
	assert_true(lease_name_clean((const uint8_t *)longest, sizeof(longest), out));
	assert_int_equal(strlen(out), 63);
	assert_false(lease_id_of_client(&id, bytes, 0));
	assert_true(lease_id_of_client(&id, bytes, 255) && id.len == 256);
	assert_false(lease_id_of_client(&id, bytes, 256));
	assert_true(lease_id_of_duid(&id, bytes, bytes, 251) && id.len == 256);
	assert_false(lease_id_of_duid(&id, bytes, bytes, 252));
	assert_false(lease_id_of_duid(&id, bytes, bytes, 0));
	assert_string_equal(lease_state_word(LEASE_DECLINED), "declined");
}

int main(void)
{
	const struct CMUnitTest tests[] = {

		cmocka_unit_test(d13_same_address),	cmocka_unit_test(d18_starvation),
		cmocka_unit_test(quarantine),		cmocka_unit_test(fills),
		cmocka_unit_test(full_store),		cmocka_unit_test(moved_network),
		cmocka_unit_test(d13_memory_of_others), cmocka_unit_test(past_cap),
		cmocka_unit_test(restores_sense_only),	cmocka_unit_test(names_and_identities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
