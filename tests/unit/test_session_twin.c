/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of nat/session: F02, N12.  A naive twin, lists that are searched from end to end, under random operations: new
 * sessions of every kind, packets, ends, time steps and jumps, changes of the pool, of reserved ports and lifetimes, and restarts
 * from the region; the table grown and emptied; a region that a former process left damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/mman.h>

#include "nat/session.h"

enum { UP = 4000, PLACES = 6, TWINS = 1024, LIMIT = 300, PER_GUEST = 60, ROUTED_VID = 30 };

static const uint64_t S = 1000000000;
static const uint64_t seed[2] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f};

/* One session as the twin has it. */
struct twin {
	bool is_used;
	struct session *s; /* and where the table has it */
	struct session_key out, in;
	uint8_t kind;
	uint32_t seen_s;
};

static struct twin twins[TWINS];
static struct session_table *table;
static void *region;
static uint64_t rng_state = 1, now_ns;
static struct nat_net net = {.vid = 10, .sessions = LIMIT, .per_guest = PER_GUEST};
static bool is_present[PLACES];	     /* in the pool */
static uint32_t lifetime_of[3];	     /* by protocol */
static struct session *expected_end; /* by session_end() */

static uint32_t rng(uint32_t below)
{
	rng_state = rng_state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((rng_state >> 32) * below >> 32);
}

static uint32_t now_s(void)
{
	return (uint32_t)(now_ns / S);
}

static struct ip ip4(uint32_t a)
{
	struct ip ip = {{[10] = 0xff, [11] = 0xff}};

	for (unsigned i = 0; i < 4; i++)
		ip.b[12 + i] = (uint8_t)(a >> (24 - 8 * i));
	return ip;
}

static struct session_pool address(unsigned i)
{
	return (struct session_pool){ip4(0xcb007100 + i), (uint16_t)(UP + i / 3)};
}

static unsigned proto_of(uint8_t proto)
{
	return proto == PROTO_TCP ? 0 : proto == PROTO_UDP ? 1 : 2;
}

static uint32_t lifetime(const struct session *s, void *arg)
{
	(void)arg;
	return lifetime_of[proto_of(s->proto)];
}

static bool is_gone(const struct twin *w)
{
	if (w->kind == NAT_ROUTED)
		return false;
	for (unsigned i = 0; i < PLACES; i++) {
		struct session_pool a = address(i);

		if (memcmp(&a.ip, &w->in.near, sizeof(a.ip)) == 0 && a.vid == w->in.side)
			return !is_present[i];
	}
	return true;
}

static bool is_over(const struct twin *w)
{
	uint32_t lives = lifetime_of[proto_of(w->out.proto)];

	return lives == 0 || is_gone(w) || now_s() - w->seen_s > lives;
}

static struct twin *twin_of(const struct session *s)
{
	for (unsigned i = 0; i < TWINS; i++)
		if (twins[i].is_used && twins[i].s == s)
			return &twins[i];
	return NULL;
}

static void ending(const struct session *s, void *arg)
{
	struct twin *w = twin_of(s);

	(void)arg;
	assert_non_null(w);
	assert_true(s == expected_end || is_over(w));
	w->is_used = false;
}

static bool is_key(const struct session_key *a, const struct session_key *b)
{
	return memcmp(&a->near, &b->near, 16) == 0 && memcmp(&a->far, &b->far, 16) == 0 &&
	       a->near_port == b->near_port && a->far_port == b->far_port && a->side == b->side &&
	       a->proto == b->proto;
}

static struct twin *twin_find(enum nat_way way, const struct session_key *k)
{
	for (unsigned i = 0; i < TWINS; i++) {
		struct twin *w = &twins[i];

		if (w->is_used && is_key(way == NAT_IN ? &w->in : &w->out, k) && !is_over(w))
			return w;
	}
	return NULL;
}

static struct session *find(enum nat_way way, const struct session_key *k)
{
	uint64_t hash = session_hash(table, k);
	uint32_t guess = session_guess(table, way, session_line(table, way, hash), hash);

	if (rng(8) == 0)
		guess = SESSION_NONE;
	return session_find(table, way, k, hash, guess, now_s());
}

static void configure(void)
{
	struct session_pool pool[PLACES];
	unsigned n = 0, shift = rng(PLACES);

	for (unsigned i = 0; i < PLACES; i++)
		if (is_present[(i + shift) % PLACES])
			pool[n++] = address((i + shift) % PLACES);
	session_set_callbacks(table, lifetime, ending, NULL);
	session_set_pool(table, pool, n);
	for (unsigned i = 0; i < n; i++)
		if (rng(2))
			session_reserve(table, i, rng(2) ? PROTO_TCP : PROTO_UDP, 2000, 60000);
	session_commit(table);
}

static struct session_wish random_wish(void)
{
	static const uint8_t protos[3] = {PROTO_TCP, PROTO_UDP, PROTO_ICMP};
	struct session_wish w = {
		.vid = (uint16_t)(10 + rng(2)),
		.slot = (uint16_t)(rng(4) ? rng(3) : SLOT_MAX),
		.proto = protos[rng(3)],
		.kind = (uint8_t)(rng(8) ? NAT_DYNAMIC : 1 + rng(2)),
		.state = SESSION_NEW,
		.inside = ip4(0x0a000000 + rng(6)),
		.remote = ip4(0xc6336400 + rng(5)),
		.inside_port = (uint16_t)(rng(6) ? 4000 + rng(8) : 100 + rng(3)),
		.remote_port = (uint16_t)(50 + rng(2)),
		.net = &net,
		.n_places = PLACES,
		.other_vid = ROUTED_VID,
	};

	if (w.kind == NAT_FORWARD) {
		w.place = rng(3);
		w.n_places = 1;
		w.outside_port = (uint16_t)(2000 + rng(4));
	}
	return w;
}

static struct session_key key_out(const struct session_wish *w)
{
	return (struct session_key){
		.near = w->inside,
		.far = w->remote,
		.near_port = w->inside_port,
		.far_port = w->remote_port,
		.side = w->vid,
		.proto = w->proto,
	};
}

static struct session_key key_in(const struct session *s)
{
	struct session_key k = {
		.near = s->inside,
		.far = s->remote,
		.near_port = s->outside_port,
		.far_port = s->remote_port,
		.side = s->outside & 0xfff,
		.proto = s->proto,
	};

	if (!(s->outside & SESSION_ROUTED)) {
		k.near = session_outside(table, s)->ip;
		k.side = session_outside(table, s)->vid;
	}
	return k;
}

/* All that a new session must agree with. */
static void check_new(const struct twin *n)
{
	bool is_low = n->out.near_port < 1024;

	if (n->kind != NAT_DYNAMIC)
		return;
	if (n->out.proto != PROTO_ICMP) {
		assert_true(n->in.near_port > 0);
		assert_int_equal(n->in.near_port < 1024, is_low);
	}
	assert_false(is_gone(n));
	for (unsigned i = 0; i < TWINS; i++) {
		const struct twin *w = &twins[i];
		bool is_guest, is_inside;

		if (!w->is_used || w == n || w->kind != NAT_DYNAMIC || is_gone(w))
			continue;
		is_guest =
			w->out.side == n->out.side && memcmp(&w->out.near, &n->out.near, 16) == 0;
		is_inside = is_guest && w->out.proto == n->out.proto &&
			    w->out.near_port == n->out.near_port;
		if (is_guest)
			assert_memory_equal(&w->in.near, &n->in.near, 16); /* paired */
		if (is_inside)
			assert_int_equal(w->in.near_port, n->in.near_port); /* one mapping */
		else if (w->out.proto == n->out.proto && memcmp(&w->in.near, &n->in.near, 16) == 0)
			assert_int_not_equal(w->in.near_port, n->in.near_port); /* no overloading */
	}
}

/* Those that are there, over or not, of the guest of k or of all. */
static unsigned twin_count(const struct session_key *guest)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TWINS; i++)
		n += twins[i].is_used &&
		     (!guest || (twins[i].out.side == guest->side &&
				 memcmp(&twins[i].out.near, &guest->near, 16) == 0));
	return n;
}

static unsigned twin_count_vid(uint16_t vid)
{
	unsigned n = 0;

	for (unsigned i = 0; i < TWINS; i++)
		n += twins[i].is_used && twins[i].out.side == vid;
	return n;
}

static void add(void)
{
	struct session_wish w = random_wish();
	struct session_key k = key_out(&w);
	bool is_there = twin_find(NAT_OUT, &k) != NULL;
	struct session *s = NULL;
	enum drop why = session_add(table, &w, now_ns, &s);
	struct twin *n = twins;

	if (is_there)
		assert_int_equal(why, DROP_NAT_FULL);
	if (why == DROP_NAT_GUEST_FULL)
		return; /* guest or slot */
	if (why != DROP_NONE) {
		assert_true(is_there || why == DROP_NAT_PORTS || twin_count_vid(w.vid) >= LIMIT);
		return;
	}
	assert_true(twin_count(&k) < PER_GUEST);
	while (n->is_used)
		n++;
	*n = (struct twin){.is_used = true, .s = s, .out = k, .kind = w.kind, .seen_s = now_s()};
	n->in = key_in(s);
	assert_ptr_equal(twin_find(NAT_IN, &n->in), is_over(n) ? NULL : n);
	check_new(n);
}

static void packet(void)
{
	struct session_wish w = random_wish();
	struct session_key k = key_out(&w);
	enum nat_way way = NAT_OUT;
	struct twin *twin;
	struct session *s;

	if (rng(2)) { /* one that may be there, from outside */
		twin = &twins[rng(TWINS)];
		if (!twin->is_used)
			return;
		way = NAT_IN;
		k = twin->in;
		k.far_port = (uint16_t)(k.far_port + (rng(4) == 0));
	}
	twin = twin_find(way, &k);
	s = find(way, &k);
	assert_ptr_equal(s, twin ? twin->s : NULL);
	if (s && rng(2))
		s->seen_s = twin->seen_s = now_s();
}

static void end(void)
{
	struct twin *w = &twins[rng(TWINS)];

	if (!w->is_used)
		return;
	expected_end = w->s;
	session_end(table, w->s, now_ns);
	expected_end = NULL;
	assert_false(w->is_used);
}

static void step(void)
{
	static const uint32_t jumps[] = {0, 0, 1, 1, 2, 30, 500, 520, 4000, 40000};

	now_ns += rng(1000000000) + jumps[rng(rng(10) ? 5 : 10)] * S;
	for (unsigned i = rng(3); i > 0; i--)
		session_tick(table, now_ns);
}

static void change(void)
{
	static const uint32_t lifetimes[] = {0, 1, 5, 60, 300, 7440, 100000};

	if (rng(4) == 0)
		is_present[rng(PLACES)] ^= true;
	if (rng(4) == 0)
		lifetime_of[rng(3)] = lifetimes[rng(7)];
	configure();
}

static void restart(void)
{
	session_table_destroy(table);
	table = session_table_create(region, false, now_ns, seed);
	assert_non_null(table);
	assert_int_equal(session_counts_all(table).sessions, twin_count(NULL));
	configure();
}

/* Counters, and that each is found where it should be. */
static void check_all(void)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < session_places(table); i++) {
		struct session *s = session_at(table, i);

		if (!s)
			continue;
		n++;
		assert_non_null(twin_of(s));
	}
	assert_int_equal(n, twin_count(NULL));
	assert_int_equal(session_counts_all(table).sessions, n);
	for (unsigned i = 0; i < TWINS; i++) {
		struct twin *w = &twins[i];

		if (!w->is_used || is_over(w))
			continue;
		assert_ptr_equal(find(NAT_OUT, &w->out), w->s);
		assert_ptr_equal(find(NAT_IN, &w->in), w->s);
	}
}

static void begin(void)
{
	region = mmap(NULL, session_region_bytes(), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(region != MAP_FAILED);
	now_ns = 100 * S;
	table = session_table_create(region, true, now_ns, seed);
	assert_non_null(table);
	for (unsigned i = 0; i < PLACES; i++)
		is_present[i] = true;
	lifetime_of[0] = 7440;
	lifetime_of[1] = 300;
	lifetime_of[2] = 60;
	memset(twins, 0, sizeof(twins));
	configure();
}

static void finish(void)
{
	session_table_destroy(table);
	munmap(region, session_region_bytes());
}

/* Everything ends at last, and nothing is left. */
static void drain(void)
{
	for (unsigned i = 0; i < 200000 && session_counts_all(table).sessions > 0; i++) {
		now_ns += 3600 * S;
		session_tick(table, now_ns);
	}
	assert_int_equal(session_counts_all(table).sessions, 0);
	assert_int_equal(session_counts_all(table).mappings, 0);
	assert_int_equal(session_counts_all(table).guests, 0);
	for (unsigned i = 0; i < PLACES; i++)
		for (unsigned p = 0; p < 3; p++)
			assert_int_equal(session_ports(table, i, p == 0 ? PROTO_TCP : PROTO_UDP),
					 0);
}

static void twin(void **state)
{
	(void)state;
	begin();
	for (unsigned i = 0; i < 400000; i++) {
		uint32_t what = rng(1000);

		if (what < 450)
			add();
		else if (what < 900)
			packet();
		else if (what < 950)
			end();
		else if (what < 995)
			step();
		else if (what < 998)
			change();
		else if (what < 999)
			check_all();
		else if (rng(20) == 0)
			restart();
	}
	check_all();
	drain();
	finish();
}

/* Many sessions, so that the indexes grow by every size; each is found at all times; a restart; then all end. */
static void growth(void **state)
{
	enum { N = 60000 };
	struct session **s = calloc(N, sizeof(*s));
	struct nat_net wide = {.vid = 10, .sessions = 1 << 24, .per_guest = 1 << 24};

	(void)state;
	assert_non_null(s);
	begin();
	session_set_callbacks(table, lifetime, NULL, NULL);
	session_set_pool(table, (struct session_pool[]){address(0), address(1)}, 2);
	session_commit(table);
	for (uint32_t i = 0; i < N; i++) {
		struct session_wish w = random_wish();
		struct session_key k;
		uint32_t other = rng(i + 1);

		w.kind = NAT_DYNAMIC;
		w.n_places = PLACES;
		w.place = 0;
		w.net = &wide;
		w.proto = PROTO_TCP;
		w.inside = ip4(0x0a000000 + i / 1000);
		w.inside_port = (uint16_t)(61000 + i % 1000);
		assert_int_equal(session_add(table, &w, now_ns, &s[i]), DROP_NONE);
		k = key_in(s[other]);
		assert_ptr_equal(find(NAT_IN, &k), s[other]);
	}
	session_table_destroy(table);
	table = session_table_create(region, false, now_ns, seed);
	assert_non_null(table);
	session_set_callbacks(table, lifetime, NULL, NULL);
	session_set_pool(table, (struct session_pool[]){address(1), address(0)}, 2);
	session_commit(table);
	assert_int_equal(session_counts_all(table).sessions, N);
	for (uint32_t i = 0; i < N; i++) {
		struct session_key k = key_in(s[i]);

		assert_ptr_equal(find(NAT_IN, &k), s[i]);
	}
	drain();
	finish();
	free(s);
}

/* What a crashed switch may leave: bytes, records and lists damaged. */
static void damage(void)
{
	uint8_t *bytes = region;
	uint32_t places = session_places(table);
	size_t first = session_region_bytes() - (size_t)NAT_SESSIONS_MAX * 96;
	struct session *s = (struct session *)(void *)(bytes + first);
	struct session_more *m =
		(struct session_more *)(void *)(bytes + first + (size_t)NAT_SESSIONS_MAX * 64);

	for (unsigned i = rng(40); i > 0; i--) {
		uint32_t at = rng(places + 2);

		switch (rng(8)) {
		case 0:
			bytes[rng((uint32_t)first)] = (uint8_t)rng(256);
			break;
		case 1:
			s[at] = s[rng(places + 2)];
			break;
		case 2:
			memset(&m[at], (int)rng(256), sizeof(*m));
			break;
		case 3:
			s[at].outside = (uint16_t)rng(65536);
			break;
		case 4:
			s[at].outside_port = (uint16_t)rng(65536);
			break;
		default:
			((uint8_t *)&s[at])[rng(sizeof(*s))] = (uint8_t)rng(256);
		}
	}
	if (rng(4)) /* seldom any number: a whole region is long to read */
		*(uint32_t *)region = places + rng(100);
}

static void damaged(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		unsigned n = 0;

		begin();
		for (unsigned i = 0; i < 2000; i++)
			add();
		damage();
		session_table_destroy(table);
		table = session_table_create(region, false, now_ns, seed);
		assert_non_null(table);
		session_set_callbacks(table, lifetime, NULL, NULL);
		memset(twins, 0, sizeof(twins));
		for (uint32_t i = 0; i < session_places(table) && n < TWINS; i++) {
			struct session *s = session_at(table, i);

			if (!s)
				continue;
			twins[n].s = s;
			twins[n].is_used = true;
			twins[n].kind = s->kind;
			twins[n].seen_s = s->seen_s;
			twins[n].out =
				(struct session_key){s->inside,	     s->remote, s->inside_port,
						     s->remote_port, s->vid,	s->proto};
			twins[n].in = key_in(s);
			n++;
		}
		configure();
		check_all();
		for (unsigned i = 0; i < 300; i++) {
			packet();
			end();
			if (rng(4) == 0)
				step();
		}
		drain();
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twin),
		cmocka_unit_test(growth),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
