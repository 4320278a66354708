/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of switch/base/fdb: B02 learning, ageing, moves and pins, B03 a table entry belongs to one VLAN, B14 limits;
 * a naive twin under a million random operations, a table of a former process, and readers beside a writer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>

#include "switch/base/fdb.h"

static const uint64_t seed[2] = {0x9e3779b97f4a7c15, 0xc2b2ae3d27d4eb4f};

static uint32_t rng_state = 1;

static uint32_t rng(uint32_t below)
{
	rng_state = rng_state * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)rng_state * below) >> 32);
}

static fdb_key key_of(uint32_t n, uint16_t vid)
{
	uint8_t mac[6] = {2,	     0, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
			  (uint8_t)n};

	return fdb_key_of(mac, vid);
}

static struct fdb *make(void)
{
	struct fdb_table *t = aligned_alloc(64, sizeof(*t));
	struct fdb *fdb;

	assert_non_null(t);
	memset(t, 0xa5, sizeof(*t));
	fdb = fdb_create(t, true, seed);
	assert_non_null(fdb);
	return fdb;
}

static void unmake(struct fdb *fdb)
{
	free(fdb->table);
	fdb_destroy(fdb);
}

static void learning(void **state)
{
	struct fdb *fdb = make();
	fdb_key a = key_of(1, 10), b = key_of(1, 20);
	uint16_t flags = 99;

	(void)state;
	assert_int_equal(fdb_lookup(fdb, a, NULL), OUT_FLOOD);
	assert_int_equal(fdb_learn(fdb, a, 3, 100), FDB_NEW);
	assert_int_equal(fdb_lookup(fdb, a, &flags), 3);
	assert_int_equal(flags, 0);
	assert_int_equal(fdb_lookup(fdb, b, NULL), OUT_FLOOD);
	assert_int_equal(fdb_learn(fdb, b, 4, 100), FDB_NEW);
	assert_int_equal(fdb_lookup(fdb, a, NULL), 3);
	assert_int_equal(fdb_learn(fdb, a, 3, 100), FDB_KNOWN);
	assert_int_equal(fdb_learn(fdb, a, 3, 101), FDB_KNOWN);
	assert_int_equal(fdb_learn(fdb, a, 5, 101), FDB_MOVED);
	assert_int_equal(fdb_lookup(fdb, a, NULL), 5);
	assert_int_equal(fdb->port_count[3], 0);
	assert_int_equal(fdb->port_count[5], 1);
	assert_int_equal(fdb->port_moves[3], 1);
	assert_int_equal(fdb->port_moves[5], 1);
	assert_int_equal(fdb->count, 2);
	assert_int_equal(fdb_del(fdb, a), 0);
	assert_int_equal(fdb_del(fdb, a), -ENOENT);
	assert_int_equal(fdb->count, 1);
	unmake(fdb);
	fdb_destroy(NULL);
}

/* In the steady state nothing is written: the table may as well be read-only. */
static void steady(void **state)
{
	struct fdb *fdb = make();
	struct fdb_table *copy = malloc(sizeof(*copy));

	(void)state;
	assert_non_null(copy);
	for (uint32_t i = 0; i < 1000; i++)
		fdb_learn(fdb, key_of(i, 10), (uint16_t)(i % 7), 5);
	memcpy(copy, fdb->table, sizeof(*copy));
	for (uint32_t i = 0; i < 1000; i++)
		assert_int_equal(fdb_learn(fdb, key_of(i, 10), (uint16_t)(i % 7), 5), FDB_KNOWN);
	assert_memory_equal(copy, fdb->table, sizeof(*copy));
	free(copy);
	unmake(fdb);
}

static void ageing(void **state)
{
	static uint32_t ageing_s[4096];
	struct fdb *fdb = make();

	(void)state;
	ageing_s[10] = 300;
	ageing_s[20] = 0;
	ageing_s[30] = 10;
	fdb_learn(fdb, key_of(1, 10), 1, 1000);
	fdb_learn(fdb, key_of(2, 10), 1, 1000);
	fdb_learn(fdb, key_of(3, 20), 1, 1000);
	fdb_learn(fdb, key_of(4, 30), 1, 1000);
	fdb_add_static(fdb, key_of(5, 10), 1, FDB_STATIC);
	fdb_learn(fdb, key_of(2, 10), 1, 1200);
	assert_int_equal(fdb_age(fdb, ageing_s, 1010), 0);
	assert_int_equal(fdb_age(fdb, ageing_s, 1011), 1);
	assert_int_equal(fdb_age(fdb, ageing_s, 1300), 0);
	assert_int_equal(fdb_age(fdb, ageing_s, 1301), 1);
	assert_int_equal(fdb_lookup(fdb, key_of(1, 10), NULL), OUT_FLOOD);
	assert_int_equal(fdb_lookup(fdb, key_of(2, 10), NULL), 1);
	assert_int_equal(fdb_age(fdb, ageing_s, 1501), 1);
	assert_int_equal(fdb_age(fdb, ageing_s, 900000), 0);
	assert_int_equal(fdb_lookup(fdb, key_of(3, 20), NULL), 1);
	assert_int_equal(fdb_lookup(fdb, key_of(5, 10), NULL), 1);
	/* A stamp from the future counts from now on. */
	fdb_learn(fdb, key_of(6, 10), 1, 2000000);
	assert_int_equal(fdb_age(fdb, ageing_s, 900000), 0);
	assert_int_equal(fdb_age(fdb, ageing_s, 900300), 0);
	assert_int_equal(fdb_age(fdb, ageing_s, 900301), 1);
	/* The clock may wrap. */
	fdb_learn(fdb, key_of(7, 10), 1, UINT32_MAX - 10);
	assert_int_equal(fdb_learn(fdb, key_of(7, 10), 1, 5), FDB_KNOWN);
	assert_int_equal(fdb_age(fdb, ageing_s, 305), 0);
	assert_int_equal(fdb_age(fdb, ageing_s, 306), 1);
	unmake(fdb);
}

static void pins(void **state)
{
	struct fdb *fdb = make();
	fdb_key k = key_of(1, 10);
	uint16_t flags;

	(void)state;
	fdb_learn(fdb, k, 1, 0);
	assert_int_equal(fdb_add_static(fdb, k, 2, FDB_LOCAL), 0);
	assert_int_equal(fdb->count, 0);
	assert_int_equal(fdb->port_count[1], 0);
	assert_int_equal(fdb_lookup(fdb, k, &flags), 2);
	assert_int_equal(flags, FDB_STATIC | FDB_LOCAL);
	assert_int_equal(fdb_learn(fdb, k, 1, 1), FDB_PINNED);
	assert_int_equal(fdb_learn(fdb, k, 2, 1), FDB_KNOWN);
	assert_int_equal(fdb_lookup(fdb, k, NULL), 2);
	assert_int_equal(fdb->count, 0);
	assert_int_equal(fdb_del(fdb, k), 0);
	assert_int_equal(fdb->port_count[2], 0);
	unmake(fdb);
}

static void limits(void **state)
{
	struct fdb *fdb = make();

	(void)state;
	fdb->limit = 8;
	fdb->port_limit[1] = 5;
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(fdb_learn(fdb, key_of(i, 10), 1, 0), FDB_NEW);
	assert_int_equal(fdb_learn(fdb, key_of(5, 10), 1, 0), FDB_LIMITED);
	for (uint32_t i = 10; i < 13; i++)
		assert_int_equal(fdb_learn(fdb, key_of(i, 10), 2, 0), FDB_NEW);
	assert_int_equal(fdb_learn(fdb, key_of(13, 10), 2, 0), FDB_LIMITED);
	/* A move needs room at the port that gets it, none in the table. */
	assert_int_equal(fdb_learn(fdb, key_of(10, 10), 1, 0), FDB_LIMITED);
	assert_int_equal(fdb_lookup(fdb, key_of(10, 10), NULL), 2);
	assert_int_equal(fdb_learn(fdb, key_of(0, 10), 2, 0), FDB_MOVED);
	assert_int_equal(fdb_learn(fdb, key_of(10, 10), 1, 0), FDB_MOVED);
	/* Static entries are beside the limits. */
	assert_int_equal(fdb_add_static(fdb, key_of(20, 10), 1, FDB_STATIC), 0);
	assert_int_equal(fdb->count, 8);
	/* What the port had stays known. */
	assert_int_equal(fdb_learn(fdb, key_of(1, 10), 1, 7), FDB_KNOWN);
	unmake(fdb);
}

/* While a writer has the lock the data path goes on without learning. */
static void busy(void **state)
{
	struct fdb *fdb = make();

	(void)state;
	fdb_learn(fdb, key_of(1, 10), 1, 0);
	atomic_flag_test_and_set(&fdb->lock);
	assert_int_equal(fdb_learn(fdb, key_of(2, 10), 1, 0), FDB_BUSY);
	assert_int_equal(fdb_learn(fdb, key_of(1, 10), 2, 0), FDB_BUSY);
	assert_int_equal(fdb_learn(fdb, key_of(1, 10), 1, 1), FDB_KNOWN);
	atomic_flag_clear(&fdb->lock);
	assert_int_equal(fdb_learn(fdb, key_of(2, 10), 1, 0), FDB_NEW);
	unmake(fdb);
}

/* Up to the limit: hardly a key finds both of its buckets full, whatever pattern the addresses have. */
static void room(void **state)
{
	static const struct {
		uint32_t step;
		unsigned vids;
	} pattern[] = {{1, 1}, {256, 1}, {65536, 1}, {0x01000100, 1}, {1, 4094}, {0x10000, 16}};

	(void)state;
	for (unsigned p = 0; p < sizeof(pattern) / sizeof(pattern[0]); p++) {
		struct fdb *fdb = make();
		unsigned full = 0;

		for (uint32_t i = 0; i < FDB_LIMIT; i++) {
			fdb_key k = key_of(i / pattern[p].vids * pattern[p].step + (i >> 16),
					   (uint16_t)(1 + i % pattern[p].vids));
			enum fdb_learned what = fdb_learn(fdb, k, (uint16_t)(i % 32), 0);

			assert_true(what == FDB_NEW || what == FDB_FULL || what == FDB_KNOWN ||
				    what == FDB_MOVED);
			full += what == FDB_FULL;
		}
		assert_in_range(full, 0, FDB_LIMIT / 500);
		unmake(fdb);
	}
}

/* ---- the naive twin ---- */

enum { TWIN_KEYS = 3000, TWIN_SLOTS = 12, TWIN_VIDS = 4, TWIN_OPS = 1000000 };

struct twin {
	struct fdb_entry e[TWIN_KEYS];
	bool is_there[TWIN_KEYS];
	uint32_t count, port_count[TWIN_SLOTS], limit, port_limit[TWIN_SLOTS];
	uint32_t ageing_s[4096];
	bool seen[TWIN_KEYS];
	uint32_t walked;
};

static struct twin twin;

static fdb_key twin_key(uint32_t n)
{
	return key_of(n / TWIN_VIDS, (uint16_t)(1 + n % TWIN_VIDS));
}

static void twin_forget(uint32_t n)
{
	if (!twin.is_there[n])
		return;
	if (!twin.e[n].flags) {
		twin.count--;
		twin.port_count[twin.e[n].slot]--;
	}
	twin.is_there[n] = false;
}

static enum fdb_learned twin_learn(uint32_t n, uint16_t slot, uint32_t now_s)
{
	struct fdb_entry *e = &twin.e[n];
	bool is_full = twin.port_count[slot] >= twin.port_limit[slot];

	if (!twin.is_there[n]) {
		if (is_full || twin.count >= twin.limit)
			return FDB_LIMITED;
		*e = (struct fdb_entry){twin_key(n), slot, 0, now_s};
		twin.is_there[n] = true;
		twin.count++;
		twin.port_count[slot]++;
		return FDB_NEW;
	}
	if (e->slot == slot) {
		if (!e->flags)
			e->seen_s = now_s;
		return FDB_KNOWN;
	}
	if (e->flags)
		return FDB_PINNED;
	if (is_full)
		return FDB_LIMITED;
	twin.port_count[e->slot]--;
	twin.port_count[slot]++;
	e->slot = slot;
	e->seen_s = now_s;
	return FDB_MOVED;
}

static void twin_add_static(uint32_t n, uint16_t slot)
{
	twin_forget(n);
	twin.e[n] = (struct fdb_entry){twin_key(n), slot, FDB_STATIC, 0};
	twin.is_there[n] = true;
}

static bool is_of_slot(const struct fdb_entry *e, void *arg)
{
	return e->slot == *(uint16_t *)arg;
}

static uint32_t twin_flush(uint16_t slot, bool with_static)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < TWIN_KEYS; i++)
		if (twin.is_there[i] && twin.e[i].slot == slot &&
		    (with_static || !twin.e[i].flags)) {
			twin_forget(i);
			n++;
		}
	return n;
}

static uint32_t twin_age(uint32_t now_s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < TWIN_KEYS; i++) {
		uint32_t limit = twin.ageing_s[twin.e[i].key & 0xfff];

		if (twin.is_there[i] && !twin.e[i].flags && limit &&
		    now_s - twin.e[i].seen_s > limit) {
			twin_forget(i);
			n++;
		}
	}
	return n;
}

static void see(const struct fdb_entry *e, void *arg)
{
	uint32_t n = 0;

	(void)arg;
	while (n < TWIN_KEYS && twin_key(n) != e->key)
		n++;
	assert_in_range(n, 0, TWIN_KEYS - 1);
	assert_true(twin.is_there[n]);
	assert_false(twin.seen[n]);
	assert_int_equal(e->slot, twin.e[n].slot);
	assert_int_equal(e->flags, twin.e[n].flags);
	assert_int_equal(e->seen_s, twin.e[n].seen_s);
	twin.seen[n] = true;
	twin.walked++;
}

static void compare_all(const struct fdb *fdb)
{
	uint32_t there = 0;

	memset(twin.seen, 0, sizeof(twin.seen));
	twin.walked = 0;
	fdb_walk(fdb, see, NULL);
	for (uint32_t i = 0; i < TWIN_KEYS; i++)
		there += twin.is_there[i];
	assert_int_equal(there, twin.walked);
	assert_int_equal(fdb->count, twin.count);
	for (unsigned i = 0; i < TWIN_SLOTS; i++)
		assert_int_equal(fdb->port_count[i], twin.port_count[i]);
}

static void set_limits(struct fdb *fdb)
{
	twin.limit = 500 + rng(2500);
	fdb->limit = twin.limit;
	for (unsigned i = 0; i < TWIN_SLOTS; i++) {
		twin.port_limit[i] = rng(600);
		fdb->port_limit[i] = twin.port_limit[i];
	}
}

/* The slow half of the operations; returns false when op is not one of them. */
static bool rare_op(struct fdb *fdb, uint32_t op, uint32_t now_s)
{
	uint16_t slot = (uint16_t)rng(TWIN_SLOTS);
	bool with_static = rng(2);

	if (op == 0)
		assert_int_equal(fdb_flush(fdb, is_of_slot, &slot, with_static),
				 twin_flush(slot, with_static));
	else if (op == 1)
		assert_int_equal(fdb_age(fdb, twin.ageing_s, now_s), twin_age(now_s));
	else if (op == 2)
		set_limits(fdb);
	else if (op == 3)
		compare_all(fdb);
	else
		return false;
	return true;
}

static void random_operations(void **state)
{
	struct fdb *fdb = make();
	uint32_t now_s = 100000;

	(void)state;
	memset(&twin, 0, sizeof(twin));
	for (unsigned vid = 1; vid < TWIN_VIDS; vid++)
		twin.ageing_s[vid] = 20 * vid; /* the last VLAN never ages */
	set_limits(fdb);
	for (uint32_t i = 0; i < TWIN_OPS; i++) {
		uint32_t n = rng(TWIN_KEYS), op = rng(20000);
		uint16_t slot = (uint16_t)rng(TWIN_SLOTS);

		now_s += rng(2000) == 0;
		if (rare_op(fdb, op, now_s))
			continue;
		if (op < 12000)
			assert_int_equal(fdb_learn(fdb, twin_key(n), slot, now_s),
					 twin_learn(n, slot, now_s));
		else if (op < 12200) {
			assert_int_equal(fdb_add_static(fdb, twin_key(n), slot, FDB_STATIC), 0);
			twin_add_static(n, slot);
		} else if (op < 12800) {
			assert_int_equal(fdb_del(fdb, twin_key(n)), twin.is_there[n] ? 0 : -ENOENT);
			twin_forget(n);
		} else
			assert_int_equal(fdb_lookup(fdb, twin_key(n), NULL),
					 twin.is_there[n] ? twin.e[n].slot : OUT_FLOOD);
	}
	compare_all(fdb);
	unmake(fdb);
}

/* ---- a table of a former process ---- */

static void count_entry(const struct fdb_entry *e, void *arg)
{
	(void)e;
	++*(uint32_t *)arg;
}

/* An entry of value at the first place of a bucket that is free. */
static void plant(struct fdb_table *t, uint32_t bucket, fdb_key key, uint64_t value)
{
	struct fdb_bucket *b = &t->bucket[bucket & (FDB_BUCKETS - 1)];

	for (unsigned i = 0; i < FDB_WAYS; i++)
		if (b->key[i] == 0) {
			b->key[i] = key;
			b->value[i] = value;
			return;
		}
	fail();
}

static void inherited(void **state)
{
	struct fdb *fdb = make();
	struct fdb_table *t = fdb->table;
	fdb_key good = key_of(1, 10), k = key_of(2, 10);
	uint64_t slot3 = 3ULL << FDB_SLOT_SHIFT | 77;
	uint32_t here = fdb_first(fdb_hash(t, k)), n = 0;
	fdb_key bad[] = {
		k & ~0xfffULL, /* VID 0 */
		k | 0xfff,     /* VID 4095 */
		k | 0x1000,    /* bits between */
		k | 0x10000,   /* a group address */
		10,	       /* the zero address */
	};

	(void)state;
	fdb_learn(fdb, good, 1, 50);
	fdb_learn(fdb, key_of(7, 4094), 2, 50);
	fdb_add_static(fdb, key_of(8, 10), 2, FDB_STATIC | FDB_LOCAL);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		plant(t, fdb_first(fdb_hash(t, bad[i])), bad[i], slot3);
	plant(t, here + 1, k, slot3);				 /* another's bucket */
	plant(t, here, k, (uint64_t)SLOT_MAX << FDB_SLOT_SHIFT); /* no such slot */
	k = key_of(3, 10);
	plant(t, fdb_first(fdb_hash(t, k)), k, slot3 | 4ULL << FDB_FLAGS_SHIFT); /* no such flag */
	k = key_of(4, 10);
	plant(t, fdb_first(fdb_hash(t, k)), k, slot3 | (uint64_t)FDB_LOCAL << FDB_FLAGS_SHIFT);
	plant(t, fdb_second(fdb_hash(t, good)), good, slot3); /* a second one */
	plant(t, fdb_first(fdb_hash(t, good)), good, slot3);  /* and a third */
	fdb_destroy(fdb);

	fdb = fdb_create(t, false, seed);
	assert_non_null(fdb);
	fdb_walk(fdb, count_entry, &n);
	assert_int_equal(n, 3);
	assert_int_equal(fdb->count, 2);
	assert_int_equal(fdb->port_count[1], 1);
	assert_int_equal(fdb->port_count[2], 1);
	assert_int_equal(fdb->port_count[3], 0);
	assert_int_equal(fdb_lookup(fdb, good, NULL), 1);
	assert_int_equal(fdb_lookup(fdb, key_of(7, 4094), NULL), 2);
	assert_int_equal(fdb_lookup(fdb, key_of(8, 10), NULL), 2);
	unmake(fdb);
}

/* Random bytes for a table: whatever is kept is sound, and everything works on it. */
static void inherited_noise(void **state)
{
	static uint32_t ageing_s[4096];
	struct fdb_table *t = aligned_alloc(64, sizeof(*t));
	struct fdb *fdb;
	uint32_t n = 0;
	uint16_t slot = 1;

	(void)state;
	assert_non_null(t);
	for (unsigned round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(*t) / 4; i++)
			((uint32_t *)t)[i] = rng_state = rng_state * 1664525 + 1013904223;
		/* Half of the keys lie where they belong. */
		for (unsigned i = 0; i < FDB_BUCKETS; i++) {
			fdb_key k = key_of(i, (uint16_t)rng(4096));

			t->bucket[fdb_first(fdb_hash(t, k))].key[rng(4)] = k;
		}
		fdb = fdb_create(t, false, seed);
		n = 0;
		fdb_walk(fdb, count_entry, &n);
		assert_true(n >= fdb->count);
		for (uint32_t i = 0; i < 50000; i++)
			fdb_learn(fdb, key_of(i, 10), (uint16_t)rng(SLOT_MAX), i);
		fdb_flush(fdb, is_of_slot, &slot, true);
		fdb_age(fdb, ageing_s, 1);
		fdb_destroy(fdb);
	}
	free(t);
}

/* ---- a reader beside a writer ---- */

enum { HAMMER_KEYS = 24, HAMMER_ROUNDS = 1500000 };

struct hammer {
	struct fdb *fdb;
	atomic_bool is_over;
	_Atomic uint64_t hits, wrong;
	fdb_key key[HAMMER_KEYS];
};

/* Key i is only ever behind slots i and i + 100. */
static void *reader(void *arg)
{
	struct hammer *h = arg;
	uint64_t hits = 0, wrong = 0;

	while (!atomic_load(&h->is_over))
		for (unsigned i = 0; i < HAMMER_KEYS; i++) {
			uint16_t slot = fdb_lookup(h->fdb, h->key[i], NULL);

			hits += slot != OUT_FLOOD;
			wrong += slot != OUT_FLOOD && slot != i && slot != i + 100;
			fdb_learn(h->fdb, h->key[i], (uint16_t)i, (uint32_t)hits);
		}
	atomic_store(&h->hits, hits);
	atomic_store(&h->wrong, wrong);
	return NULL;
}

/* Keys that share one first bucket, so that its places change owners all the time. */
static void collide(struct hammer *h)
{
	const struct fdb_table *t = h->fdb->table;
	uint32_t bucket = fdb_first(fdb_hash(t, key_of(0, 10)));
	unsigned n = 0;

	for (uint32_t i = 0; n < HAMMER_KEYS; i++)
		if (fdb_first(fdb_hash(t, key_of(i, 10))) == bucket)
			h->key[n++] = key_of(i, 10);
}

static void hammered(void **state)
{
	struct hammer *h = calloc(1, sizeof(*h));
	pthread_t thread;

	(void)state;
	assert_non_null(h);
	h->fdb = make();
	collide(h);
	assert_int_equal(pthread_create(&thread, NULL, reader, h), 0);
	for (unsigned i = 0; i < HAMMER_ROUNDS; i++) {
		unsigned n = rng(HAMMER_KEYS), op = rng(8);

		if (op < 4)
			fdb_del(h->fdb, h->key[n]);
		else if (op < 5)
			fdb_add_static(h->fdb, h->key[n], (uint16_t)n, FDB_STATIC);
		else
			fdb_learn(h->fdb, h->key[n], (uint16_t)(n + 100), i);
	}
	atomic_store(&h->is_over, true);
	pthread_join(thread, NULL);
	assert_true(h->hits > 0);
	assert_int_equal(h->wrong, 0);
	for (unsigned i = 0; i < HAMMER_KEYS; i++)
		fdb_del(h->fdb, h->key[i]);
	assert_int_equal(h->fdb->count, 0);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(h->fdb->port_count[i], 0);
	unmake(h->fdb);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(learning),  cmocka_unit_test(steady),
		cmocka_unit_test(ageing),    cmocka_unit_test(pins),
		cmocka_unit_test(limits),    cmocka_unit_test(busy),
		cmocka_unit_test(room),	     cmocka_unit_test(random_operations),
		cmocka_unit_test(inherited), cmocka_unit_test(inherited_noise),
		cmocka_unit_test(hammered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
