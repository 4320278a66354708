/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of dhcp/lease: D13, D18.  A naive twin, one list that is searched from end to end, under random operations of
 * clients, time, changes of the range and of the cap, and restarts: one entry an address, one lease an identity and pool, exact
 * counts, the address that each client must get, whose past lease is forgotten for it, and every piece of news.
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

enum { CLIENTS = 40, PORTS = 5, POOLS = 3, TWINS = 400, TAKEN = 4 };

static const uint64_t seed[2] = {1, 2}, secret[2] = {3, 4};
static uint64_t rng_state = 1;

static uint32_t rng(uint32_t below)
{
	rng_state = rng_state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((rng_state >> 32) * below >> 32);
}

static bool same_id(const struct lease *l, const struct lease_id *id)
{
	return l->id_len == id->len && memcmp(l->id, id->b, id->len) == 0;
}

/* --- The twin --- */

struct twin {
	bool is_used, is_relayed, was_past;
	unsigned pool, client, port; /* client: CLIENTS: nobody's; port: PORTS: none */
	struct ip ip;
	uint8_t state;
	uint64_t end_ms, order;
};

static struct twin twins[TWINS];
static uint64_t order, now_ms;
static struct leases *store;
static struct lease_pool *pools[POOLS];
static const char *const names[POOLS] = {"office", "lab", "office"};
static struct {
	uint32_t first, last;
	uint32_t taken[TAKEN]; /* addresses that are reserved */
	uint32_t cap;
} range[POOLS];
/* What the listener heard, and what it should have heard, as sums over (news, address, state). */
static uint64_t heard, expected;

static uint64_t news_of(const struct ip *ip, bool is_lab, uint8_t state, enum lease_news news)
{
	uint64_t h = 1 + news * 7 + state * 131 + is_lab * 1009;

	for (unsigned i = 0; i < 16; i++)
		h = h * 1099511628211 + ip->b[i];
	return h;
}

static void listener(void *arg, const struct lease *l, enum lease_news news)
{
	(void)arg;
	heard += news_of(&l->ip, lease_pool_range(l->pool)->network[0] == 'l',
			 news == LEASE_GONE ? 0 : l->state, news);
}

static void expect(const struct twin *t, enum lease_news news)
{
	expected += news_of(&t->ip, t->pool == 1, news == LEASE_GONE ? 0 : t->state, news);
}

static bool is_v6(unsigned pool)
{
	return pool == 2;
}

static bool is_taken(void *arg, const struct ip *ip)
{
	unsigned pool = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < TAKEN; i++) {
		struct ip a = ip_at(is_v6(pool), range[pool].taken[i]);

		if (ip_equal(&a, ip))
			return true;
	}
	return false;
}

static uint32_t place_of(const struct ip *ip)
{
	return (uint32_t)ip->b[13] << 16 | (uint32_t)ip->b[14] << 8 | ip->b[15];
}

static bool is_counted(unsigned pool, const struct ip *ip)
{
	return place_of(ip) >= range[pool].first && place_of(ip) <= range[pool].last &&
	       !is_taken((void *)(uintptr_t)pool, ip);
}

static struct twin *twin_at(unsigned pool, const struct ip *ip)
{
	for (unsigned i = 0; i < TWINS; i++)
		if (twins[i].is_used && twins[i].pool == pool && ip_equal(&twins[i].ip, ip))
			return &twins[i];
	return NULL;
}

static struct twin *twin_of(unsigned pool, unsigned client)
{
	for (unsigned i = 0; i < TWINS; i++)
		if (twins[i].is_used && twins[i].pool == pool && twins[i].client == client)
			return &twins[i];
	return NULL;
}

static void set(struct twin *t, uint8_t state, uint64_t end_ms)
{
	t->state = state;
	t->end_ms = end_ms;
	t->order = ++order;
}

static void drop(struct twin *t)
{
	if (t->state != LEASE_OFFERED || t->was_past)
		expect(t, LEASE_GONE);
	t->is_used = false;
}

static bool is_live(const struct twin *t)
{
	return t->state == LEASE_OFFERED || t->state == LEASE_BOUND;
}

static unsigned live_of_port(unsigned pool, unsigned port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TWINS; i++)
		n += twins[i].is_used && is_live(&twins[i]) && twins[i].pool == pool &&
		     twins[i].port == port && !twins[i].is_relayed;
	return n;
}

/* The oldest that is in that state; counted: one that another may get. */
static struct twin *oldest(unsigned pool, uint8_t state, bool counted)
{
	struct twin *first = NULL;

	for (unsigned i = 0; i < TWINS; i++) {
		struct twin *t = &twins[i];

		if (t->is_used && t->pool == pool && t->state == state &&
		    (!counted || is_counted(pool, &t->ip)) && (!first || t->order < first->order))
			first = t;
	}
	return first;
}

static unsigned count_of(unsigned pool, uint8_t state)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TWINS; i++)
		n += twins[i].is_used && twins[i].pool == pool && twins[i].state == state;
	return n;
}

/* PAST ones that another may get, of a port; PORTS: those that count to none. */
static unsigned past_of_port(unsigned pool, unsigned port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TWINS; i++) {
		const struct twin *t = &twins[i];

		n += t->is_used && t->pool == pool && t->state == LEASE_PAST &&
		     is_counted(pool, &t->ip) && (t->is_relayed ? PORTS : t->port) == port;
	}
	return n;
}

static struct twin *oldest_of_port(unsigned pool, unsigned port)
{
	struct twin *first = NULL;

	for (unsigned i = 0; i < TWINS; i++) {
		struct twin *t = &twins[i];

		if (t->is_used && t->pool == pool && t->state == LEASE_PAST &&
		    is_counted(pool, &t->ip) && !t->is_relayed && t->port == port &&
		    (!first || t->order < first->order))
			first = t;
	}
	return first;
}

/* Is it the one that goes?  Of ports that have equally many any may be chosen. */
static bool is_victim(unsigned pool, const struct twin *t)
{
	unsigned shares = 0, all = 0, most = 0;

	for (unsigned port = 0; port <= PORTS; port++) {
		unsigned n = past_of_port(pool, port);

		shares += n > 0;
		all += n;
		most = port < PORTS && n > most ? n : most;
	}
	if (most * shares <= all)
		return t == oldest(pool, LEASE_PAST, true);
	return !t->is_relayed && past_of_port(pool, t->port) == most &&
	       t == oldest_of_port(pool, t->port);
}

/* It becomes PAST: its port has room for that, or forgets. */
static void set_past(struct twin *t, uint64_t end_ms)
{
	uint32_t most = 2 * range[t->pool].cap;

	/* It is not one of them yet. */
	for (unsigned i = 0; i < 2 && most && !t->is_relayed && is_counted(t->pool, &t->ip) &&
			     past_of_port(t->pool, t->port) >= most;
	     i++)
		drop(oldest_of_port(t->pool, t->port));
	set(t, LEASE_PAST, end_ms);
}

/* Addresses nobody has or had. */
static unsigned untouched(unsigned pool)
{
	unsigned n = 0;

	for (uint32_t a = range[pool].first; a <= range[pool].last; a++) {
		struct ip ip = ip_at(is_v6(pool), a);

		n += is_counted(pool, &ip) && !twin_at(pool, &ip);
	}
	return n;
}

/* --- Operations --- */

static char port_name[PORTS + 1][8] = {"p0", "p1", "p2", "p3", "p4", ""};

struct ask {
	struct lease_id id;
	struct lease_want w;
	unsigned pool, client, port;
};

static void make_ask(struct ask *a)
{
	*a = (struct ask){.pool = rng(POOLS), .client = rng(CLIENTS), .port = rng(PORTS)};
	a->id = id_at(a->client);
	a->w = (struct lease_want){.id = &a->id,
				   .mac = {{2, 0, 0, 0, 0, (uint8_t)a->client}},
				   .name = "Web.office",
				   .port = port_name[a->port],
				   .is_relayed = rng(8) == 0,
				   .has_hint = rng(3) == 0,
				   .has_fixed = rng(10) == 0};
	a->w.hint = ip_at(is_v6(a->pool), range[a->pool].first + rng(30));
	a->w.fixed = ip_at(is_v6(a->pool), range[a->pool].taken[rng(TAKEN)]);
}

static bool port_is_full(const struct ask *a)
{
	return !a->w.is_relayed && range[a->pool].cap &&
	       live_of_port(a->pool, a->port) >= range[a->pool].cap;
}

/* Does the lease count to that port already? */
static bool is_held(const struct twin *t, const struct ask *a)
{
	return is_live(t) && !t->is_relayed && !a->w.is_relayed && t->port == a->port;
}

static void describe(struct twin *t, const struct ask *a)
{
	t->port = a->port;
	t->is_relayed = a->w.is_relayed;
}

/* He has, or had, an address that he keeps. */
static void expect_again(struct twin *t, const struct ask *a, const struct lease *l,
			 enum lease_why why)
{
	if (t->state == LEASE_BOUND) {
		assert_non_null(l);
		assert_true(ip_equal(&l->ip, &t->ip) && l->state == LEASE_BOUND);
		return;
	}
	if (!is_held(t, a) && is_counted(a->pool, &t->ip) && port_is_full(a)) {
		assert_null(l);
		assert_int_equal(why, LEASE_PORT_CAP);
		return;
	}
	assert_non_null(l);
	assert_true(ip_equal(&l->ip, &t->ip));
	t->was_past = t->state == LEASE_PAST || t->was_past;
	describe(t, a);
	set(t, LEASE_OFFERED, now_ms + LEASE_OFFER_MS);
}

/* The address of the first lease, or of another one, of that client; false: he gets none. */
static bool expect_address(const struct ask *a, const struct lease *l, enum lease_why why)
{
	struct twin *t = l ? twin_at(a->pool, &l->ip) : NULL;

	if (a->w.has_fixed) {
		struct twin *other = twin_at(a->pool, &a->w.fixed);

		if (other && other->state != LEASE_PAST) {
			assert_true(!l && why == LEASE_IN_USE);
			return false;
		}
		assert_true(l && ip_equal(&l->ip, &a->w.fixed));
		if (other)
			drop(other);
		return true;
	}
	if (port_is_full(a)) {
		assert_true(!l && why == LEASE_PORT_CAP);
		return false;
	}
	if (!l) {
		assert_int_equal(why, LEASE_NONE_FREE);
		assert_null(oldest(a->pool, LEASE_PAST, true));
		assert_true(untouched(a->pool) == 0);
		return false;
	}
	assert_true(is_counted(a->pool, &l->ip));
	if (a->w.has_hint && is_counted(a->pool, &a->w.hint) && !twin_at(a->pool, &a->w.hint))
		assert_true(ip_equal(&l->ip, &a->w.hint));
	if (t) {
		assert_true(untouched(a->pool) == 0);
		assert_true(is_victim(a->pool, t));
		drop(t);
	}
	return true;
}

static struct twin *fresh(void)
{
	for (unsigned i = 0; i < TWINS; i++)
		if (!twins[i].is_used)
			return &twins[i];
	fail();
	return NULL;
}

static void offer(void)
{
	struct ask a;
	struct twin *t;
	struct lease *l;
	enum lease_why why;
	bool keeps;

	make_ask(&a);
	t = twin_of(a.pool, a.client);
	keeps = t && (a.w.has_fixed ? ip_equal(&t->ip, &a.w.fixed)
				    : is_counted(a.pool, &t->ip) ||
					      (is_live(t) &&
					       !is_taken((void *)(uintptr_t)a.pool, &t->ip)));
	l = leases_offer(store, pools[a.pool], &a.w, now_ms, &why);
	assert_true((l != NULL) == (why == LEASE_OK));
	if (keeps) {
		expect_again(t, &a, l, why);
		return;
	}
	if (!expect_address(&a, l, why))
		return;
	if (t)
		drop(t);
	t = fresh();
	*t = (struct twin){.is_used = true, .pool = a.pool, .client = a.client, .ip = l->ip};
	describe(t, &a);
	set(t, LEASE_OFFERED, now_ms + LEASE_OFFER_MS);
	assert_string_equal(l->name, "web");
	assert_true(same_id(l, &a.id));
}

static struct lease *lease_of(const struct twin *t)
{
	struct lease *l = leases_at(store, pools[t->pool], &t->ip);

	assert_non_null(l);
	return l;
}

static void bind(void)
{
	uint64_t end_ms = rng(20) == 0 ? UINT64_MAX : now_ms + rng(100000);
	struct ask a;
	struct twin *t;
	bool was_bound;

	make_ask(&a);
	t = twin_of(a.pool, a.client);
	if (!t)
		return;
	if (!is_held(t, &a) && is_counted(a.pool, &t->ip) && port_is_full(&a)) {
		assert_false(leases_bind(store, lease_of(t), &a.w, end_ms));
		return;
	}
	assert_true(leases_bind(store, lease_of(t), &a.w, end_ms));
	was_bound = t->state == LEASE_BOUND;
	describe(t, &a);
	t->was_past = false;
	set(t, LEASE_BOUND, end_ms);
	expect(t, was_bound ? LEASE_RENEWED : LEASE_NEW);
}

static void withdraw(struct twin *t, uint64_t at_ms)
{
	if (t->was_past)
		set_past(t, at_ms);
	else
		t->is_used = false;
}

static void give_back(void)
{
	struct twin *t = twin_of(rng(POOLS), rng(CLIENTS));

	if (!t)
		return;
	leases_release(store, lease_of(t), now_ms);
	if (t->state == LEASE_OFFERED) {
		withdraw(t, now_ms);
	} else if (t->state == LEASE_BOUND) {
		set_past(t, now_ms);
		expect(t, LEASE_RELEASED);
	}
}

static void refuse(void)
{
	unsigned pool = rng(POOLS), max;
	struct ip ip = ip_at(is_v6(pool), range[pool].first + rng(30));
	struct twin *t = rng(2) ? twin_of(pool, rng(CLIENTS)) : NULL;

	max = (range[pool].last - range[pool].first + 1) / 4;
	if (t) {
		leases_decline(store, lease_of(t), now_ms);
	} else {
		leases_quarantine(store, pools[pool], &ip, now_ms);
		t = twin_at(pool, &ip) ? twin_at(pool, &ip) : fresh();
		*t = (struct twin){.is_used = true, .pool = pool, .ip = ip};
	}
	t->client = CLIENTS;
	t->port = PORTS;
	t->was_past = false;
	set(t, LEASE_DECLINED, now_ms + LEASE_QUARANTINE_MS);
	expect(t, LEASE_REFUSED);
	while (count_of(pool, LEASE_DECLINED) > max)
		drop(oldest(pool, LEASE_DECLINED, false));
}

static struct twin *next_end(void)
{
	struct twin *first = NULL;

	for (unsigned i = 0; i < TWINS; i++)
		if (twins[i].is_used && twins[i].state != LEASE_PAST &&
		    (!first || twins[i].end_ms < first->end_ms))
			first = &twins[i];
	return first;
}

static void tick(void)
{
	struct twin *t;
	uint64_t next;

	now_ms += rng(4) == 0 ? rng(700000) : rng(5000);
	next = leases_tick(store, now_ms, TWINS * POOLS);
	while ((t = next_end()) && t->end_ms <= now_ms) {
		if (t->state == LEASE_OFFERED) {
			withdraw(t, t->end_ms);
		} else if (t->state == LEASE_DECLINED) {
			drop(t);
		} else {
			set_past(t, t->end_ms);
			expect(t, LEASE_ENDED);
		}
	}
	assert_true(next == (t ? t->end_ms : UINT64_MAX));
}

static bool is_before(const struct twin *a, const struct twin *b)
{
	return a->end_ms != b->end_ms ? a->end_ms < b->end_ms : a->order < b->order;
}

/* Those of the pool come into the order of their ends: all after a restart, else the PAST ones. */
static void reorder(unsigned pool, bool is_restart)
{
	static bool is_done[TWINS];

	memset(is_done, 0, sizeof(is_done));
	for (;;) {
		struct twin *first = NULL;

		for (unsigned i = 0; i < TWINS; i++)
			if (twins[i].is_used && twins[i].pool == pool && !is_done[i] &&
			    (is_restart || twins[i].state == LEASE_PAST) &&
			    (!first || is_before(&twins[i], first)))
				first = &twins[i];
		if (!first)
			return;
		is_done[first - twins] = true;
		first->order = ++order;
	}
}

static void apply(unsigned pool)
{
	struct lease_range r = {.port_cap = range[pool].cap,
				.is_taken = is_taken,
				.arg = (void *)(uintptr_t)pool,
				.first = ip_at(is_v6(pool), range[pool].first),
				.last = ip_at(is_v6(pool), range[pool].last),
				.net = {.ip = ip_at(is_v6(pool), 0),
					.len = is_v6(pool) ? 120 : 24,
					.is_set = true}};

	strcpy(r.network, names[pool]);
	pools[pool] = leases_pool_apply(store, &r, now_ms);
	assert_non_null(pools[pool]);
	assert_ptr_equal(leases_pool_find(store, names[pool], is_v6(pool)), pools[pool]);
}

static void change_range(void)
{
	static const uint32_t caps[] = {0, 1, 2, 3, 9};
	unsigned pool = rng(POOLS);
	bool was_counted[TWINS], is_same = rng(3) == 0, is_mixed = false;

	for (unsigned i = 0; i < TWINS; i++)
		was_counted[i] = is_counted(pool, &twins[i].ip);
	if (!is_same) {
		range[pool].first = 10 + rng(20);
		range[pool].last = range[pool].first + 7 + rng(40);
		range[pool].cap = caps[rng(sizeof(caps) / sizeof(*caps))];
	}
	for (unsigned i = 0; i < TAKEN && (!is_same || rng(2)); i++)
		range[pool].taken[i] = 5 + rng(60);
	for (unsigned i = 0; i < TWINS; i++)
		is_mixed |= twins[i].is_used && twins[i].pool == pool &&
			    twins[i].state == LEASE_PAST &&
			    was_counted[i] != is_counted(pool, &twins[i].ip);
	apply(pool);
	if (is_mixed)
		reorder(pool, false);
}

struct restoring {
	struct leases *to;
	struct lease_id id;
};

static bool restore_one(void *arg, const char *network, const struct lease *l)
{
	struct restoring *r = arg;

	r->id.len = l->id_len;
	memcpy(r->id.b, l->id, l->id_len);
	assert_true(leases_restore(r->to, network, l, &r->id));
	return true;
}

/* Another store from what the first one tells: OFFERED ones are not there. */
static void restart(void)
{
	struct restoring r = {.to = leases_create(seed, secret)};

	assert_non_null(r.to);
	if (rng(2)) {
		leases_each(store, restore_one, &r);
	} else {
		uint32_t cursor = 0;

		while (leases_some(store, &cursor, restore_one, &r))
			;
	}
	leases_destroy(store);
	store = r.to;
	leases_listen(store, listener, NULL);
	for (unsigned i = 0; i < TWINS; i++)
		if (twins[i].is_used && twins[i].state == LEASE_OFFERED)
			twins[i].is_used = false;
	for (unsigned pool = 0; pool < POOLS; pool++) {
		assert_null(leases_pool_find(store, names[pool], is_v6(pool)));
		apply(pool);
		reorder(pool, true);
	}
}

static bool count_one(void *arg, const struct lease *l)
{
	(void)l;
	++*(unsigned *)arg;
	return true;
}

static void check(void)
{
	struct lease_count c;
	unsigned free_ones[POOLS], total = 0;

	assert_true(heard == expected);
	for (unsigned i = 0; i < TWINS; i++) {
		const struct twin *t = &twins[i];
		struct lease_id id = id_at(t->client);
		struct lease *l;

		if (!t->is_used)
			continue;
		l = lease_of(t);
		assert_true(l->state == t->state && l->end_ms == t->end_ms);
		assert_true(t->client == CLIENTS ? l->id_len == 0 : same_id(l, &id));
		if (t->client != CLIENTS)
			assert_ptr_equal(leases_find(store, pools[t->pool], &id), l);
		total += t->state != LEASE_OFFERED;
	}
	assert_int_equal(leases_total(store), total);
	for (unsigned p = 0; p < POOLS; p++) {
		unsigned n = 0;

		leases_count(store, pools[p], &c);
		assert_int_equal(c.past, count_of(p, LEASE_PAST));
		assert_int_equal(c.offered, count_of(p, LEASE_OFFERED));
		assert_int_equal(c.bound, count_of(p, LEASE_BOUND));
		assert_int_equal(c.declined, count_of(p, LEASE_DECLINED));
		free_ones[p] = untouched(p);
		for (unsigned i = 0; i < TWINS; i++)
			free_ones[p] += twins[i].is_used && twins[i].pool == p &&
					twins[i].state == LEASE_PAST && is_counted(p, &twins[i].ip);
		assert_int_equal(c.free, free_ones[p]);
		leases_each_of(store, pools[p], count_one, &n);
		assert_int_equal(n, c.past + c.offered + c.bound + c.declined);
		for (unsigned i = 0; i < PORTS; i++)
			assert_int_equal(leases_of_port(store, pools[p], port_name[i]),
					 live_of_port(p, i));
	}
}

static void begin(void)
{
	memset(twins, 0, sizeof(twins));
	heard = expected = 0;
	store = leases_create(seed, secret);
	assert_non_null(store);
	leases_listen(store, listener, NULL);
	for (unsigned pool = 0; pool < POOLS; pool++) {
		range[pool].first = 16;
		range[pool].last = 40;
		range[pool].cap = 9;
		for (unsigned i = 0; i < TAKEN; i++)
			range[pool].taken[i] = 14 + i;
		apply(pool);
	}
}

static void random_operations(void **state)
{
	static void (*const ops[])(void) = {offer, offer, offer, offer,	    bind,  bind,
					    bind,  tick,  tick,	 give_back, refuse};

	(void)state;
	for (unsigned round = 0; round < 4; round++) {
		begin();
		for (unsigned i = 0; i < 8000; i++) {
			now_ms++; /* no two quarantines end together: their order is lost by a restart */
			if (rng(150) == 0)
				change_range();
			else if (rng(400) == 0)
				restart();
			else
				ops[rng(sizeof(ops) / sizeof(*ops))]();
			check();
		}
		leases_destroy(store);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
