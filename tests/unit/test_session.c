/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of nat/session: N01 one mapping for all remotes, N02 paired pooling, N03 no overloading, N04 classes, N12 the
 * same at any load, N27 and N28 quotas, N31 ports at rest, N32 random ports, N35 use of ports, R02 expiry in steps.
 * test_session_twin.c holds it against a naive twin.
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

enum { VID = 10, UP = 4000 };

static const uint64_t S = 1000000000;
static const uint64_t seed[2] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f};

static uint32_t lifetime_s = 60;
static unsigned n_ended, n_asked;
static struct nat_net net = {.vid = VID, .sessions = 1 << 24, .per_guest = 1 << 24};
static struct session_pool pool[NAT_POOL_MAX];

static struct ip ip4(uint32_t a)
{
	struct ip ip = {{[10] = 0xff, [11] = 0xff}};

	for (unsigned i = 0; i < 4; i++)
		ip.b[12 + i] = (uint8_t)(a >> (24 - 8 * i));
	return ip;
}

static uint32_t lifetime(const struct session *s, void *arg)
{
	(void)s;
	(void)arg;
	n_asked++;
	return lifetime_s;
}

static void ending(const struct session *s, void *arg)
{
	(void)s;
	(void)arg;
	n_ended++;
}

static void *make_region(void)
{
	void *r = mmap(NULL, session_region_bytes(), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_true(r != MAP_FAILED);
	return r;
}

static void unmake_region(void *region)
{
	munmap(region, session_region_bytes());
}

static void configure(struct session_table *t, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		pool[i] = (struct session_pool){ip4(0xcb007100 + i), UP};
	session_set_callbacks(t, lifetime, ending, NULL);
	session_set_pool(t, pool, n);
	session_commit(t);
}

static struct session_table *make(void *region, unsigned n_pool)
{
	struct session_table *t = session_table_create(region, true, S, seed);

	assert_non_null(t);
	lifetime_s = 60;
	n_ended = 0;
	configure(t, n_pool);
	session_tick(t, S);
	return t;
}

static void unmake(struct session_table *t, void *region)
{
	session_table_destroy(t);
	unmake_region(region);
}

/* Guest 10.0.0.guest:port to 198.51.100.remote:53. */
static struct session_wish wish(unsigned guest, uint16_t port, unsigned remote)
{
	return (struct session_wish){
		.vid = VID,
		.slot = SLOT_MAX,
		.proto = PROTO_UDP,
		.kind = NAT_DYNAMIC,
		.state = SESSION_NEW,
		.inside = ip4(0x0a000000 + guest),
		.remote = ip4(0xc6336400 + remote),
		.inside_port = port,
		.remote_port = 53,
		.net = &net,
		.n_places = 1,
	};
}

static struct session *add(struct session_table *t, const struct session_wish *w, uint64_t now_ns)
{
	struct session *s = NULL;

	assert_int_equal(session_add(t, w, now_ns, &s), DROP_NONE);
	assert_non_null(s);
	return s;
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

static struct session_key key_in(const struct session_table *t, const struct session *s)
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
		k.near = session_outside(t, s)->ip;
		k.side = session_outside(t, s)->vid;
	}
	return k;
}

static struct session *find(struct session_table *t, enum nat_way way, const struct session_key *k,
			    uint64_t now_ns)
{
	uint64_t hash = session_hash(t, k);
	uint32_t guess = session_guess(t, way, session_line(t, way, hash), hash);

	return session_find(t, way, k, hash, guess, (uint32_t)(now_ns / S));
}

static void mappings(void **state)
{
	void *region = make_region();
	struct session_table *t = make(region, 1);
	struct session_wish w1 = wish(1, 5000, 1), w2 = wish(1, 5000, 2), w3 = wish(2, 5000, 1);
	struct session_wish low = wish(1, 500, 1);
	struct session_key k = key_out(&w1), in;
	struct mapping m;
	struct session *a, *b, *c;

	(void)state;
	a = add(t, &w1, S);
	b = add(t, &w2, S);
	c = add(t, &w3, S);
	assert_int_equal(a->outside_port, b->outside_port);	/* N01 */
	assert_int_not_equal(a->outside_port, c->outside_port); /* N03 */
	assert_true(a->outside_port >= 1024);
	assert_true(add(t, &low, S)->outside_port < 1024); /* N04 */
	assert_ptr_equal(find(t, NAT_OUT, &k, S), a);
	in = key_in(t, b);
	assert_ptr_equal(find(t, NAT_IN, &in, S), b);
	in.far_port++;
	assert_null(find(t, NAT_IN, &in, S));
	in.far_port--;
	in.side++;
	assert_null(find(t, NAT_IN, &in, S));
	assert_true(mapping_find_inside(t, &k, 0, 1, &m));
	assert_int_equal(m.outside_port, a->outside_port);
	assert_int_equal(m.sessions, 2);
	assert_false(mapping_find_inside(t, &k, 1, 5, &m));
	assert_true(mapping_find_outside(t, 0, PROTO_UDP, a->outside_port, &m));
	assert_int_equal(m.inside_port, 5000);
	assert_memory_equal(&m.inside, &w1.inside, 16);
	assert_false(mapping_find_outside(t, 0, PROTO_TCP, a->outside_port, &m));
	assert_int_equal(session_add(t, &w1, S, &c), DROP_NAT_FULL); /* is there */
	assert_int_equal(session_counts_all(t).sessions, 4);
	assert_int_equal(session_counts_net(t, VID).mappings, 3);
	assert_int_equal(session_counts_all(t).guests, 2);
	assert_int_equal(session_ports(t, 0, PROTO_UDP), 3);
	session_end(t, a, S);
	assert_true(mapping_find_inside(t, &k, 0, 1, &m));
	session_end(t, b, S);
	assert_false(mapping_find_inside(t, &k, 0, 1, &m));
	assert_int_equal(session_counts_all(t).mappings, 2);
	assert_int_equal(n_ended, 2);
	unmake(t, region);
	session_table_destroy(NULL);
}

/* One's complement sums, as a packet would see them. */
static void checksums(void **state)
{
	void *region = make_region();
	struct session_table *t = make(region, 1);
	struct session_wish w = wish(1, 5000, 1);
	struct session *s = add(t, &w, S);
	uint32_t l3 = 0, l4;

	(void)state;
	for (unsigned i = 12; i < 16; i += 2) {
		l3 += (uint32_t)pool[0].ip.b[i] << 8 | pool[0].ip.b[i + 1];
		l3 += 0xffff ^ ((uint32_t)s->inside.b[i] << 8 | s->inside.b[i + 1]);
	}
	l4 = l3 + s->outside_port + (0xffff ^ s->inside_port);
	assert_int_equal(l3 % 0xffff, s->csum_l3 % 0xffff);
	assert_int_equal(l4 % 0xffff, s->csum_l4 % 0xffff);
	w.proto = PROTO_ICMP;
	s = add(t, &w, S);
	assert_int_equal((s->outside_port + (0xffff ^ s->inside_port)) % 0xffff,
			 s->csum_l4 % 0xffff);
	unmake(t, region);
}

/* A forward and a routed session have no mapping; two with the same ends outside cannot be. */
static void kinds(void **state)
{
	void *region = make_region();
	struct session_table *t = make(region, 2);
	struct session_wish f = wish(1, 80, 1), r = wish(1, 80, 2);
	struct session_key in;
	struct session *s, *other;

	(void)state;
	f.kind = NAT_FORWARD;
	f.place = 1;
	f.outside_port = 8080;
	s = add(t, &f, S);
	assert_int_equal(s->outside_port, 8080);
	in = key_in(t, s);
	assert_memory_equal(&in.near, &pool[1].ip, 16);
	assert_ptr_equal(find(t, NAT_IN, &in, S), s);
	f.inside_port = 81;
	assert_int_equal(session_add(t, &f, S, &other), DROP_NAT_PORTS);
	f.inside_port = 80;
	f.place = 2;
	f.remote_port = 54;
	assert_int_equal(session_add(t, &f, S, &other), DROP_NAT_PORTS);
	r.kind = NAT_ROUTED;
	r.other_vid = 20;
	s = add(t, &r, S);
	in = (struct session_key){r.inside, r.remote, 80, 53, 20, PROTO_UDP};
	assert_ptr_equal(find(t, NAT_IN, &in, S), s);
	assert_int_equal(s->csum_l3 % 0xffff, 0);
	assert_int_equal(s->csum_l4 % 0xffff, 0);
	assert_int_equal(session_counts_all(t).mappings, 0);
	assert_int_equal(session_counts_all(t).sessions, 2);
	unmake(t, region);
}

/* N27, N28, and the access port; rate with a burst of one second. */
static void quotas(void **state)
{
	void *region = make_region();
	struct session_table *t = make(region, 1);
	struct nat_net n = {.vid = VID, .sessions = 100, .per_guest = 40};
	struct session_wish w = wish(1, 1, 1);
	struct session *s, *first = NULL;

	(void)state;
	w.net = &n;
	for (unsigned i = 0; i < 40; i++) {
		w.inside_port = (uint16_t)(2000 + i);
		s = add(t, &w, S);
		first = first ? first : s;
	}
	w.inside_port = 3000;
	assert_int_equal(session_add(t, &w, S, &s), DROP_NAT_GUEST_FULL);
	w = wish(2, 3000, 1);
	w.net = &n;
	w.slot = 7;
	for (unsigned i = 0; i < 40; i++) {
		w.inside = ip4(0x0a000100 + i % 4);
		w.inside_port = (uint16_t)(2000 + i);
		add(t, &w, S);
	}
	w.inside = ip4(0x0a000200); /* another guest behind that port */
	assert_int_equal(session_add(t, &w, S, &s), DROP_NAT_GUEST_FULL);
	w.inside = ip4(0x0a000100); /* a packet from outside: the slot is known of its guest */
	w.slot = SLOT_MAX;
	w.inside_port = 4000;
	assert_int_equal(session_add(t, &w, S, &s), DROP_NAT_GUEST_FULL);
	w = wish(3, 0, 1);
	w.net = &n;
	for (unsigned i = 0; i < 20; i++) {
		w.inside_port = (uint16_t)(2000 + i);
		add(t, &w, S);
	}
	w.inside_port = 5000;
	assert_int_equal(session_add(t, &w, S, &s), DROP_NAT_FULL);
	session_end(t, first, S);
	add(t, &w, S);
	assert_int_equal(session_counts_net(t, VID).sessions, 100);
	unmake(t, region);

	region = make_region();
	t = make(region, 1);
	n = (struct nat_net){.vid = VID, .sessions = 1000, .per_guest = 1000, .rate = 10};
	w = wish(1, 0, 1);
	w.net = &n;
	for (unsigned i = 0; i < 30; i++) {
		w.inside_port = (uint16_t)(2000 + i);
		assert_int_equal(session_add(t, &w, 5 * S, &s), i < 10 ? DROP_NONE : DROP_NAT_RATE);
	}
	assert_int_equal(session_add(t, &w, 5 * S + S / 10, &s), DROP_NONE);
	w.inside_port++;
	assert_int_equal(session_add(t, &w, 5 * S + S / 10, &s), DROP_NAT_RATE);
	unmake(t, region);
}

/* N02, N30: a guest keeps its address, guests spread; an address that leaves and comes back. */
static void pairing(void **state)
{
	void *region = make_region();
	struct session_table *t = make(region, 8);
	unsigned guests_of[8] = {0};
	struct session_key in;
	struct session *s;
	struct ip kept;

	(void)state;
	for (unsigned g = 0; g < 80; g++) {
		struct session_wish w = wish(g, 2000, 1);
		const struct session_pool *first;

		w.n_places = 8;
		first = session_outside(t, add(t, &w, S));
		guests_of[first->ip.b[15]]++;
		for (unsigned i = 1; i < 50; i++) {
			w.inside_port = (uint16_t)(2000 + i);
			assert_ptr_equal(session_outside(t, add(t, &w, S)), first);
		}
	}
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(guests_of[i], 10);
	s = session_at(t, 0);
	kept = session_outside(t, s)->ip;
	in = key_in(t, s);
	/* In another order: nothing changes. */
	for (unsigned i = 0; i < 8; i++)
		pool[i].ip.b[15] = (uint8_t)(7 - i);
	session_set_pool(t, pool, 8);
	session_commit(t);
	assert_ptr_equal(find(t, NAT_IN, &in, S), s);
	assert_int_equal(session_place(t, &kept, UP), 7 - kept.b[15]);
	assert_int_equal(session_place(t, &kept, UP + 1), -1);
	/* Without it: its sessions pass nothing and end. */
	for (unsigned i = 0; i < 8; i++)
		pool[i].ip.b[15] = (uint8_t)(kept.b[15] + 1 + i);
	session_set_pool(t, pool, 8);
	session_commit(t);
	assert_null(find(t, NAT_IN, &in, S));
	while (session_tick(t, S) == S)
		;
	assert_int_equal(session_counts_all(t).sessions, 70 * 50);
	assert_int_equal(n_ended, 500);
	unmake(t, region);
}

/* N31: a port rests, unless no other is free and RFC 6888 REQ-8 allows; utilisation before refusal is 100 %. */
static void exhaustion(void **state)
{
	struct nat_net n = {.vid = VID, .sessions = 1 << 24, .per_guest = 1 << 24, .is_open = true};
	void *region = make_region();
	struct session_table *t = make(region, 1);
	uint16_t port = 0;
	struct session *s;

	(void)state;
	lifetime_s = 100000;
	for (uint32_t i = 0; i < 64512 - 100; i++) {
		struct session_wish w = wish(i / 60000, (uint16_t)(2000 + i % 60000), 1);

		w.net = &n;
		s = add(t, &w, S);
		if (i == 77)
			port = s->outside_port;
	}
	session_end(t, session_at(t, 77), 2 * S);
	for (uint32_t i = 0; i < 100; i++) {
		struct session_wish w = wish(3, (uint16_t)(2000 + i), 1);

		w.net = &n;
		assert_int_not_equal(add(t, &w, 2 * S)->outside_port, port);
	}
	struct session_wish w = wish(3, 9000, 1), low = wish(3, 9, 1), tcp = wish(3, 9000, 1);

	w.net = &n;
	low.net = &n;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(session_add(t, &w, 122 * S, &s), DROP_NAT_PORTS);
	for (uint16_t i = 1; i < 1024; i++) {
		low.inside_port = i;
		assert_true(add(t, &low, 2 * S)->outside_port < 1024);
	}
	low.inside_port = 0;
	low.remote_port++;
	assert_int_equal(session_add(t, &low, 3 * S, &s), DROP_NAT_PORTS);
	tcp.proto = PROTO_TCP;
	add(t, &tcp, 3 * S);
	assert_int_equal(add(t, &w, 123 * S)->outside_port, port);
	/* Filtering by address and port: at once, when it is the only one. */
	session_end(t, session_at(t, 78), 200 * S);
	w.inside_port++;
	assert_int_equal(session_add(t, &w, 201 * S, &s), DROP_NAT_PORTS);
	n.is_open = false;
	add(t, &w, 201 * S);
	unmake(t, region);
}

/* Reserved ports are never taken; those in use go on, and rest as others do. */
static void reserved(void **state)
{
	void *region = make_region();
	struct session_table *t = make(region, 1);
	struct session *s[1000];

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		session_set_pool(t, pool, 1);
		session_reserve(t, 0, PROTO_UDP, (uint16_t)(1024 + round), 60000);
		session_commit(t);
		for (unsigned i = 0; i < 500; i++) {
			struct session_wish w = wish(round, (uint16_t)(2000 + i), 1);

			s[round * 500 + i] = add(t, &w, S);
			assert_true(s[round * 500 + i]->outside_port > 60000 ||
				    (round == 1 && s[round * 500 + i]->outside_port == 1024));
		}
	}
	session_set_pool(t, pool, 1);
	session_reserve(t, 0, PROTO_UDP, 1, 65535);
	session_commit(t);
	struct session_wish w = wish(9, 3000, 1);

	assert_int_equal(session_add(t, &w, S, &s[0]), DROP_NAT_PORTS);
	while (session_tick(t, S) == S)
		;
	assert_int_equal(session_counts_all(t).sessions, 1000);
	session_end(t, session_at(t, 5), S);
	assert_int_equal(session_add(t, &w, 500 * S, &s[0]), DROP_NAT_PORTS);
	session_set_pool(t, pool, 1);
	session_commit(t);
	add(t, &w, 501 * S);
	unmake(t, region);
}

/* RFC 6056: ports of 60000 mappings fall evenly, and neighbours in time are no neighbours in number. */
static void randomness(void **state)
{
	void *region = make_region();
	struct session_table *t = make(region, 16);
	uint32_t cells[64] = {0}, runs = 0, last = 0;
	double chi = 0;
	enum { N = 64000 };

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		struct session_wish w = wish(i / 1000, (uint16_t)(2000 + i % 1000), 1);
		struct session *s;

		w.n_places = 16;
		s = add(t, &w, S);
		cells[(s->outside_port - 1024) / 1008]++;
		runs += s->outside_port == last + 1;
		last = s->outside_port;
	}
	for (unsigned i = 0; i < 64; i++)
		chi += ((double)cells[i] - N / 64.0) * ((double)cells[i] - N / 64.0) / (N / 64.0);
	assert_true(chi < 110); /* 63 degrees of freedom: p > 0.0002 */
	assert_true(runs < 10);
	unmake(t, region);
}

/* Expiry: on the second, in steps of NAT_TICK_VISITS, after a jump of hours; what is over is not found before it is swept. */
static void expiry(void **state)
{
	void *region = make_region();
	struct session_table *t = make(region, 16);
	struct session_wish w = wish(1, 2000, 1);
	struct session_key k = key_out(&w);
	unsigned calls = 0, most = 0;
	enum { N = 100000 };

	(void)state;
	assert_int_equal(session_tick(t, S), UINT64_MAX);
	add(t, &w, S);
	assert_true(session_tick(t, S) <= 2 * S);
	find(t, NAT_OUT, &k, 61 * S + S - 1)->seen_s = 30;
	session_tick(t, 62 * S);
	assert_non_null(find(t, NAT_OUT, &k, 90 * S));
	assert_null(find(t, NAT_OUT, &k, 91 * S)); /* not swept */
	assert_int_equal(n_ended, 0);
	add(t, &w, 91 * S); /* it is in the way, and ends */
	assert_int_equal(n_ended, 1);
	session_tick(t, 92 * S);
	n_asked = 0;
	assert_non_null(find(t, NAT_OUT, &k, 92 * S));
	assert_int_equal(n_asked, 0); /* a hit does not ask */
	session_end(t, session_at(t, 0), 92 * S);
	for (uint32_t i = 0; i < N; i++) {
		w = wish(i / 1000, (uint16_t)(2000 + i % 1000), 1);
		w.n_places = 16;
		add(t, &w, 100 * S);
	}
	for (uint64_t next = 0; next != UINT64_MAX; calls++) {
		unsigned before = n_ended;

		n_asked = 0;
		next = session_tick(t, 36000 * S);
		most = n_ended - before > most ? n_ended - before : most;
		assert_true(n_asked <= 2 * NAT_TICK_VISITS);
	}
	assert_int_equal(session_counts_all(t).sessions, 0);
	assert_int_equal(session_counts_all(t).mappings, 0);
	assert_int_equal(session_counts_all(t).guests, 0);
	assert_true(most <= NAT_TICK_VISITS);
	assert_true(calls <= 2 * N / (NAT_TICK_VISITS / 2) + 20);
	unmake(t, region);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mappings), cmocka_unit_test(checksums),
		cmocka_unit_test(kinds),    cmocka_unit_test(quotas),
		cmocka_unit_test(pairing),  cmocka_unit_test(exhaustion),
		cmocka_unit_test(reserved), cmocka_unit_test(randomness),
		cmocka_unit_test(expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
