/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdb: the forwarding table; forward.c learns and looks up, apply.c and the tick of switch.c manage.
 *
 *   key --hash--> bucket A: | k0 k1 k2 k3 | v0 v1 v2 v3 |      one cache line
 *             '-> bucket B: | k0 k1 k2 k3 | v0 v1 v2 v3 |      another
 *
 * A new key goes to the emptier of its two buckets; with 4 ways and at most half of the entries in use, both are full only
 * for keys that somebody looked for.  The hash is keyed and not linear, so nobody outside can look for them.
 *
 * Reading without a lock.  A slot changes from one key to another only through 0: the writer stores key 0, the value, the
 * new key, in this order.  A reader that sees its key before and after it read the value has the value of that
 * key: were it another's, the key would have been 0 or the other's in between.  (The key could have gone and come back between
 * the two reads; then the value is still one that this key had.)
 *
 * Trust.  After a crash the table was written by a process that may have been hostile: fdb_create() looks at each entry.
 */
#include "switch/base/fdb.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	SLOT_SHIFT = 48,
	FLAGS_SHIFT = 32,
	AGE_STEP = 64, /* buckets between two breaths of a control walk */
};

static uint64_t value_of(uint16_t slot, uint16_t flags, uint32_t seen_s)
{
	return (uint64_t)slot << SLOT_SHIFT | (uint64_t)flags << FLAGS_SHIFT | seen_s;
}

static uint16_t slot_of(uint64_t value)
{
	return (uint16_t)(value >> SLOT_SHIFT);
}

static uint16_t flags_of(uint64_t value)
{
	return (uint16_t)(value >> FLAGS_SHIFT);
}

/* Multiply and fold, keyed on both sides: 128 bits of product depend on every bit of key and seed. */
static inline uint64_t hash(const struct fdb_table *t, fdb_key key)
{
	unsigned __int128 m = (unsigned __int128)(key ^ t->seed[0]) * (t->seed[1] | 1);

	return (uint64_t)(m >> 64) ^ (uint64_t)m;
}

/* The two buckets of a key. */
struct pair {
	uint32_t a, b;
};

static inline struct pair buckets_of(const struct fdb_table *t, fdb_key key)
{
	uint64_t h = hash(t, key);
	struct pair p = {.a = h & (FDB_BUCKETS - 1), .b = h >> 32 & (FDB_BUCKETS - 1)};

	p.b += p.a == p.b; /* two different ones */
	p.b &= FDB_BUCKETS - 1;
	return p;
}

static inline uint64_t key_at(const struct fdb_bucket *b, unsigned way)
{
	return atomic_load_explicit(&b->key[way], memory_order_acquire);
}

static inline uint64_t value_at(const struct fdb_bucket *b, unsigned way)
{
	return atomic_load_explicit(&b->value[way], memory_order_acquire);
}

/* The way that holds the key, or -1.  Without a branch for each way: which one it is cannot be predicted. */
static inline int way_of(const struct fdb_bucket *b, fdb_key key)
{
	unsigned hit = (unsigned)(key_at(b, 0) == key) | (unsigned)(key_at(b, 1) == key) << 1 |
		       (unsigned)(key_at(b, 2) == key) << 2 | (unsigned)(key_at(b, 3) == key) << 3;

	return hit ? __builtin_ctz(hit) : -1;
}

/* Where a key is. */
struct place {
	struct fdb_bucket *bucket; /* NULL: nowhere */
	unsigned way;
};

static inline struct place find(struct fdb_table *t, fdb_key key)
{
	struct pair p = buckets_of(t, key);
	struct fdb_bucket *b = &t->bucket[p.a];
	int way = way_of(b, key);

	if (way < 0) {
		b = &t->bucket[p.b];
		way = way_of(b, key);
	}
	return way < 0 ? (struct place){NULL, 0} : (struct place){b, (unsigned)way};
}

/* Reads a value that certainly belongs to key; false when the entry changed meanwhile. */
static inline bool read_value(const struct place *at, fdb_key key, uint64_t *value)
{
	*value = value_at(at->bucket, at->way);
	return atomic_load_explicit(&at->bucket->key[at->way], memory_order_relaxed) == key;
}

uint16_t fdb_lookup(const struct fdb *fdb, fdb_key key, uint16_t *flags)
{
	struct place at = find(fdb->table, key);
	uint64_t value;

	if (!at.bucket || !read_value(&at, key, &value))
		return OUT_FLOOD;
	if (flags)
		*flags = flags_of(value);
	return slot_of(value);
}

void fdb_prefetch(const struct fdb *fdb, fdb_key key)
{
	__builtin_prefetch(&fdb->table->bucket[buckets_of(fdb->table, key).a]);
}

static bool try_lock(struct fdb *fdb)
{
	return !atomic_flag_test_and_set_explicit(&fdb->lock, memory_order_acquire);
}

static void lock(struct fdb *fdb)
{
	while (!try_lock(fdb))
		__builtin_ia32_pause();
}

static void unlock(struct fdb *fdb)
{
	atomic_flag_clear_explicit(&fdb->lock, memory_order_release);
}

static void bump(_Atomic uint32_t *n, uint32_t by)
{
	atomic_fetch_add_explicit(n, by, memory_order_relaxed);
}

static uint32_t get(const _Atomic uint32_t *n)
{
	return atomic_load_explicit(n, memory_order_relaxed);
}

static void count_in(struct fdb *fdb, uint16_t slot)
{
	bump(&fdb->count, 1);
	bump(&fdb->port_count[slot], 1);
}

static void count_out(struct fdb *fdb, uint16_t slot)
{
	bump(&fdb->count, (uint32_t)-1);
	bump(&fdb->port_count[slot], (uint32_t)-1);
}

/* A free way in the emptier bucket of the key.  Under the lock. */
static struct place find_room(struct fdb_table *t, fdb_key key)
{
	struct pair p = buckets_of(t, key);
	struct place best = {NULL, 0};
	unsigned best_free = 0;

	for (unsigned side = 0; side < 2; side++) {
		struct fdb_bucket *b = &t->bucket[side ? p.b : p.a];
		unsigned free_ways = 0, way = 0;

		for (unsigned i = 0; i < FDB_WAYS; i++) {
			if (key_at(b, i))
				continue;
			way = i;
			free_ways++;
		}
		if (free_ways > best_free) {
			best = (struct place){b, way};
			best_free = free_ways;
		}
	}
	return best;
}

static void put_entry(const struct place *at, fdb_key key, uint64_t value)
{
	atomic_store_explicit(&at->bucket->value[at->way], value, memory_order_release);
	atomic_store_explicit(&at->bucket->key[at->way], key, memory_order_release);
}

static void clear_entry(const struct place *at)
{
	atomic_store_explicit(&at->bucket->key[at->way], 0, memory_order_release);
}

static bool is_at_limit(const struct fdb *fdb, uint16_t slot)
{
	return get(&fdb->port_count[slot]) >= get(&fdb->port_limit[slot]);
}

static enum fdb_learned learn_new(struct fdb *fdb, fdb_key key, uint16_t slot, uint32_t now_s)
{
	struct place at;

	if (is_at_limit(fdb, slot) || get(&fdb->count) >= fdb->limit)
		return FDB_LIMITED;
	at = find_room(fdb->table, key);
	if (!at.bucket)
		return FDB_FULL;
	put_entry(&at, key, value_of(slot, 0, now_s));
	count_in(fdb, slot);
	return FDB_NEW;
}

static enum fdb_learned learn_moved(struct fdb *fdb, const struct place *at, uint64_t value,
				    uint16_t slot, uint32_t now_s)
{
	uint16_t from = slot_of(value);

	if (flags_of(value) & FDB_STATIC)
		return from == slot ? FDB_KNOWN : FDB_PINNED;
	if (is_at_limit(fdb, slot))
		return FDB_LIMITED;
	atomic_store_explicit(&at->bucket->value[at->way], value_of(slot, 0, now_s),
			      memory_order_release);
	count_out(fdb, from);
	count_in(fdb, slot);
	bump(&fdb->port_moves[from], 1);
	bump(&fdb->port_moves[slot], 1);
	return FDB_MOVED;
}

/* What the lock-free look did not settle. */
static enum fdb_learned learn_locked(struct fdb *fdb, fdb_key key, uint16_t slot, uint32_t now_s)
{
	enum fdb_learned what;
	struct place at;
	uint64_t value;

	if (!try_lock(fdb))
		return FDB_BUSY;
	at = find(fdb->table, key);
	value = at.bucket ? value_at(at.bucket, at.way) : 0;
	if (!at.bucket) {
		what = learn_new(fdb, key, slot, now_s);
	} else if (slot_of(value) != slot || flags_of(value) & FDB_STATIC) {
		what = learn_moved(fdb, &at, value, slot, now_s);
	} else {
		atomic_store_explicit(&at.bucket->value[at.way],
				      value_of(slot, flags_of(value), now_s), memory_order_release);
		what = FDB_KNOWN;
	}
	unlock(fdb);
	return what;
}

enum fdb_learned fdb_learn(struct fdb *fdb, fdb_key key, uint16_t slot, uint32_t now_s)
{
	struct place at = find(fdb->table, key);
	uint64_t value;

	if (at.bucket && read_value(&at, key, &value)) {
		if (value == value_of(slot, 0, now_s))
			return FDB_KNOWN;
		if (flags_of(value) & FDB_STATIC)
			return slot_of(value) == slot ? FDB_KNOWN : FDB_PINNED;
	} else if (is_at_limit(fdb, slot)) {
		return FDB_LIMITED; /* a flood of addresses does not fight for the lock */
	}
	return learn_locked(fdb, key, slot, now_s);
}

int fdb_add_static(struct fdb *fdb, fdb_key key, uint16_t slot, uint16_t flags)
{
	uint64_t value = value_of(slot, flags | FDB_STATIC, 0);
	struct place at;
	int rc = 0;

	lock(fdb);
	at = find(fdb->table, key);
	if (at.bucket) {
		uint64_t old = value_at(at.bucket, at.way);

		if (!(flags_of(old) & FDB_STATIC))
			count_out(fdb, slot_of(old));
		atomic_store_explicit(&at.bucket->value[at.way], value, memory_order_release);
	} else {
		at = find_room(fdb->table, key);
		if (at.bucket)
			put_entry(&at, key, value);
		else
			rc = -ENOSPC;
	}
	unlock(fdb);
	return rc;
}

/* Takes an entry out.  Under the lock. */
static void remove_entry(struct fdb *fdb, const struct place *at)
{
	uint64_t value = value_at(at->bucket, at->way);

	clear_entry(at);
	if (!(flags_of(value) & FDB_STATIC))
		count_out(fdb, slot_of(value));
}

int fdb_del(struct fdb *fdb, fdb_key key)
{
	struct place at;

	lock(fdb);
	at = find(fdb->table, key);
	if (at.bucket)
		remove_entry(fdb, &at);
	unlock(fdb);
	return at.bucket ? 0 : -ENOENT;
}

/* Removes the entries of AGE_STEP buckets for which match says so.  One hold of the lock. */
static uint32_t flush_step(struct fdb *fdb, unsigned first, fdb_match match, void *arg,
			   bool with_static)
{
	uint32_t removed = 0;

	lock(fdb);
	for (unsigned i = first; i < first + AGE_STEP; i++) {
		for (unsigned way = 0; way < FDB_WAYS; way++) {
			struct place at = {&fdb->table->bucket[i], way};
			fdb_key key = key_at(at.bucket, way);
			uint64_t value = value_at(at.bucket, way);
			struct fdb_entry e = {key, slot_of(value), flags_of(value),
					      (uint32_t)value};

			if (!key || (e.flags & FDB_STATIC && !with_static) || !match(&e, arg))
				continue;
			remove_entry(fdb, &at);
			removed++;
		}
	}
	unlock(fdb);
	return removed;
}

uint32_t fdb_flush(struct fdb *fdb, fdb_match match, void *arg, bool with_static)
{
	uint32_t removed = 0;

	for (unsigned i = 0; i < FDB_BUCKETS; i += AGE_STEP)
		removed += flush_step(fdb, i, match, arg, with_static);
	return removed;
}

void fdb_walk(const struct fdb *fdb, void (*see)(const struct fdb_entry *e, void *arg), void *arg)
{
	for (unsigned i = 0; i < FDB_BUCKETS; i++) {
		for (unsigned way = 0; way < FDB_WAYS; way++) {
			struct place at = {&fdb->table->bucket[i], way};
			fdb_key key = key_at(at.bucket, way);
			uint64_t value;

			if (key && read_value(&at, key, &value)) {
				struct fdb_entry e = {key, slot_of(value), flags_of(value),
						      (uint32_t)value};

				see(&e, arg);
			}
		}
	}
}

struct ageing {
	const uint32_t *ageing_s;
	uint32_t now_s;
};

static bool is_old(const struct fdb_entry *e, void *arg)
{
	const struct ageing *a = arg;
	uint32_t limit = a->ageing_s[e->key & TCI_VID];

	/* Signed: a worker's clock may be a little ahead of ours. */
	return limit && (int32_t)(a->now_s - e->seen_s) > (int32_t)limit;
}

uint32_t fdb_age(struct fdb *fdb, const uint32_t *ageing_s, uint32_t now_s)
{
	struct ageing a = {ageing_s, now_s};

	return fdb_flush(fdb, is_old, &a, false);
}

/* Could this entry have been written by fdb_learn() or fdb_add_static()? */
static bool is_sound(struct fdb_table *t, uint32_t bucket, unsigned way)
{
	struct fdb_bucket *b = &t->bucket[bucket];
	fdb_key key = key_at(b, way);
	uint64_t value = value_at(b, way);
	uint16_t vid = key & 0xffff;
	struct pair p = buckets_of(t, key);
	struct place first = find(t, key);

	if (bucket != p.a && bucket != p.b)
		return false;
	if (vid == 0 || vid >= TCI_VID || key >> 16 == 0 || key >> 16 & 1)
		return false;
	if (flags_of(value) & ~(FDB_STATIC | FDB_LOCAL) || slot_of(value) >= SLOT_MAX)
		return false;
	return first.bucket == b && first.way == way; /* else it stands twice */
}

static void check_table(struct fdb *fdb)
{
	for (uint32_t i = 0; i < FDB_BUCKETS; i++) {
		for (unsigned way = 0; way < FDB_WAYS; way++) {
			struct fdb_bucket *b = &fdb->table->bucket[i];
			uint64_t value = value_at(b, way);

			if (!key_at(b, way))
				continue;
			if (!is_sound(fdb->table, i, way))
				atomic_store_explicit(&b->key[way], 0, memory_order_release);
			else if (!(flags_of(value) & FDB_STATIC))
				count_in(fdb, slot_of(value));
		}
	}
}

struct fdb *fdb_create(struct fdb_table *table, bool fresh, const uint64_t seed[2])
{
	struct fdb *fdb = calloc(1, sizeof(*fdb));

	if (!fdb)
		return NULL;
	fdb->table = table;
	fdb->limit = FDB_LIMIT;
	atomic_flag_clear(&fdb->lock);
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		fdb->port_limit[slot] = FDB_PORT_LIMIT;
	if (fresh) {
		memset(table, 0, sizeof(*table));
		table->seed[0] = seed[0];
		table->seed[1] = seed[1];
	} else {
		check_table(fdb);
	}
	return fdb;
}

void fdb_destroy(struct fdb *fdb)
{
	free(fdb);
}
