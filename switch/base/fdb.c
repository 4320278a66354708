/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdb: the forwarding table.
 *
 * forward.c looks up and learns with the inline functions of fdb.h; here is what they do not do on most frames, and the
 * control side: static entries, flushing, ageing, walking, and the check of a table that a former process left.
 *
 *   key --hash--> first bucket, second bucket          bucket: key key key key | value value value value
 *
 * An entry goes into the first bucket while that is less than half full, else into the emptier of the two, and stays
 * there.  So a small table is read in one cache line a key, and at FDB_LIMIT entries, half of the places, a key for
 * which both buckets are full is one in some thousands.
 *
 * Order of stores, by the one writer that holds the lock:
 *   new     value with the next generation, then key        both release: who sees the key sees the value
 *   gone    key 0                                            the value's slot and generation stay
 *   moved   value, generation as it was                      either slot is one that the key had
 * A stamp is refreshed without the lock, by compare-and-exchange against the whole value: if the place went to another
 * key meanwhile its generation is another, and nothing is written.
 *
 * Trust.  Keys are guests' addresses; the seed keeps them from being chosen to collide, limits from filling the table.  A
 * table of a former process may hold anything: fdb_create() checks it before the first lookup.
 */
#include "switch/base/fdb.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
	FIRST_FILL =
		2, /* entries up to which the first bucket is taken without a look at the second */
	VID_LAST = 4094,
	SPINS = 100,
};

static const fdb_key vid_bits = 0xfff, gap_bits = 0xf000, group_bit = 0x10000;

/* Where an entry is. */
struct place {
	struct fdb_bucket *bucket; /* NULL: nowhere */
	unsigned way;
};

uint32_t fdb_second(uint64_t hash)
{
	return fdb_first(hash) ^ (((uint32_t)(hash >> 32) & (FDB_BUCKETS - 1)) | 1);
}

static fdb_key key_at(struct place p)
{
	return atomic_load_explicit(&p.bucket->key[p.way], memory_order_acquire);
}

static uint64_t value_at(struct place p)
{
	return atomic_load_explicit(&p.bucket->value[p.way], memory_order_acquire);
}

static uint16_t slot_of(uint64_t value)
{
	return (uint16_t)(value >> FDB_SLOT_SHIFT);
}

static uint8_t flags_of(uint64_t value)
{
	return (uint8_t)(value >> FDB_FLAGS_SHIFT);
}

static uint64_t value_of(uint16_t slot, uint16_t flags, uint32_t seen_s)
{
	return (uint64_t)slot << FDB_SLOT_SHIFT | (uint64_t)(flags & 0xff) << FDB_FLAGS_SHIFT |
	       seen_s;
}

/* Sets all but the generation. */
static void set_value(struct place p, uint64_t value)
{
	value |= value_at(p) & FDB_GENERATION;
	atomic_store_explicit(&p.bucket->value[p.way], value, memory_order_release);
}

static void insert(struct place p, fdb_key key, uint64_t value)
{
	uint64_t generation = value_at(p) + (FDB_GENERATION & -FDB_GENERATION);

	value |= generation & FDB_GENERATION;
	atomic_store_explicit(&p.bucket->value[p.way], value, memory_order_release);
	atomic_store_explicit(&p.bucket->key[p.way], key, memory_order_release);
}

static struct place find(struct fdb_table *t, fdb_key key)
{
	uint64_t hash = fdb_hash(t, key);
	struct place p = {&t->bucket[fdb_first(hash)], 0};

	p.way = fdb_way(p.bucket, key);
	if (key_at(p) == key)
		return p;
	p.bucket = &t->bucket[fdb_second(hash)];
	p.way = fdb_way(p.bucket, key);
	if (key_at(p) != key)
		p.bucket = NULL;
	return p;
}

static unsigned fill_of(const struct fdb_bucket *b)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FDB_WAYS; i++)
		n += atomic_load_explicit(&b->key[i], memory_order_relaxed) != 0;
	return n;
}

/* A free place for a key, if there is one. */
static struct place find_free(struct fdb_table *t, fdb_key key)
{
	uint64_t hash = fdb_hash(t, key);
	struct place p = {&t->bucket[fdb_first(hash)], 0};
	struct fdb_bucket *second = &t->bucket[fdb_second(hash)];
	unsigned fill = fill_of(p.bucket);

	if (fill >= FIRST_FILL && fill_of(second) < fill)
		p.bucket = second;
	while (p.way < FDB_WAYS && key_at(p) != 0)
		p.way++;
	if (p.way == FDB_WAYS)
		p.bucket = NULL;
	return p;
}

static void lock(struct fdb *fdb)
{
	for (unsigned n = 1; atomic_flag_test_and_set_explicit(&fdb->lock, memory_order_acquire);
	     n++)
		if (n % SPINS == 0) /* its holder may wait for this CPU */
			sched_yield();
}

static void unlock(struct fdb *fdb)
{
	atomic_flag_clear_explicit(&fdb->lock, memory_order_release);
}

/* Counters change under the lock only; others read them. */
static void add(_Atomic uint32_t *counter, uint32_t n)
{
	n += atomic_load_explicit(counter, memory_order_relaxed);
	atomic_store_explicit(counter, n, memory_order_relaxed);
}

static void count_learned(struct fdb *fdb, uint64_t value, uint32_t n)
{
	if (flags_of(value) & FDB_STATIC)
		return;
	add(&fdb->count, n);
	add(&fdb->port_count[slot_of(value)], n);
}

static void erase(struct fdb *fdb, struct place p)
{
	count_learned(fdb, value_at(p), (uint32_t)-1);
	atomic_store_explicit(&p.bucket->key[p.way], 0, memory_order_release);
}

static bool is_port_full(const struct fdb *fdb, uint16_t slot)
{
	return atomic_load_explicit(&fdb->port_count[slot], memory_order_relaxed) >=
	       atomic_load_explicit(&fdb->port_limit[slot], memory_order_relaxed);
}

static bool is_full(const struct fdb *fdb)
{
	return atomic_load_explicit(&fdb->count, memory_order_relaxed) >= fdb->limit;
}

uint16_t fdb_lookup_second(const struct fdb *fdb, fdb_key key, uint16_t *flags)
{
	uint64_t value;

	if (!fdb_read(&fdb->table->bucket[fdb_second(fdb_hash(fdb->table, key))], key, &value))
		return OUT_FLOOD;
	if (flags)
		*flags = flags_of(value);
	return slot_of(value);
}

uint16_t fdb_lookup(const struct fdb *fdb, fdb_key key, uint16_t *flags)
{
	return fdb_lookup_in(fdb, fdb_bucket_of(fdb, key), key, flags);
}

enum fdb_learned fdb_learn(struct fdb *fdb, fdb_key key, uint16_t slot, uint32_t now_s)
{
	return fdb_learn_in(fdb, fdb_bucket_of(fdb, key), key, slot, now_s);
}

/* What can be said of a source without the lock; FDB_NEW and FDB_MOVED: the table is to be changed. */
static enum fdb_learned judge(const struct fdb *fdb, struct place p, uint16_t slot)
{
	uint64_t value;

	if (!p.bucket)
		return is_port_full(fdb, slot) || is_full(fdb) ? FDB_LIMITED : FDB_NEW;
	value = value_at(p);
	if (slot_of(value) == slot)
		return FDB_KNOWN;
	if (flags_of(value) & FDB_STATIC)
		return FDB_PINNED;
	return is_port_full(fdb, slot) ? FDB_LIMITED : FDB_MOVED;
}

static void refresh(struct place p, uint32_t now_s)
{
	uint64_t old = value_at(p), new = (old & ~(uint64_t)UINT32_MAX) | now_s;

	if ((flags_of(old) & FDB_STATIC) || (int32_t)(now_s - (uint32_t)old) <= 0)
		return;
	/* When it fails somebody else was here, and the next frame will do. */
	atomic_compare_exchange_strong_explicit(&p.bucket->value[p.way], &old, new,
						memory_order_relaxed, memory_order_relaxed);
}

static void move(struct fdb *fdb, struct place p, uint64_t value)
{
	uint16_t from = slot_of(value_at(p)), to = slot_of(value);

	add(&fdb->port_count[from], (uint32_t)-1);
	add(&fdb->port_count[to], 1);
	add(&fdb->port_moves[from], 1);
	add(&fdb->port_moves[to], 1);
	set_value(p, value);
}

static enum fdb_learned learn_locked(struct fdb *fdb, fdb_key key, uint64_t value)
{
	struct place p = find(fdb->table, key);
	enum fdb_learned what = judge(fdb, p, slot_of(value));

	if (what == FDB_MOVED)
		move(fdb, p, value);
	if (what != FDB_NEW)
		return what;
	p = find_free(fdb->table, key);
	if (!p.bucket)
		return FDB_FULL;
	insert(p, key, value);
	count_learned(fdb, value, 1);
	return FDB_NEW;
}

enum fdb_learned fdb_learn_slow(struct fdb *fdb, fdb_key key, uint16_t slot, uint32_t now_s)
{
	struct place p = find(fdb->table, key);
	enum fdb_learned what = judge(fdb, p, slot);

	if (what == FDB_KNOWN)
		refresh(p, now_s);
	if (what != FDB_NEW && what != FDB_MOVED)
		return what;
	if (atomic_flag_test_and_set_explicit(&fdb->lock, memory_order_acquire))
		return FDB_BUSY;
	what = learn_locked(fdb, key, value_of(slot, 0, now_s));
	unlock(fdb);
	return what;
}

int fdb_add_static(struct fdb *fdb, fdb_key key, uint16_t slot, uint16_t flags)
{
	uint64_t value = value_of(slot, flags | FDB_STATIC, 0);
	struct place p;
	int ret = 0;

	lock(fdb);
	p = find(fdb->table, key);
	if (p.bucket) {
		count_learned(fdb, value_at(p), (uint32_t)-1);
		set_value(p, value);
	} else {
		p = find_free(fdb->table, key);
		if (p.bucket)
			insert(p, key, value);
		else
			ret = -ENOSPC;
	}
	unlock(fdb);
	return ret;
}

int fdb_del(struct fdb *fdb, fdb_key key)
{
	struct place p;

	lock(fdb);
	p = find(fdb->table, key);
	if (p.bucket)
		erase(fdb, p);
	unlock(fdb);
	return p.bucket ? 0 : -ENOENT;
}

static struct fdb_entry entry_of(fdb_key key, uint64_t value)
{
	return (struct fdb_entry){
		.key = key,
		.slot = slot_of(value),
		.flags = flags_of(value),
		.seen_s = (uint32_t)value,
	};
}

typedef bool (*is_condemned)(struct place p, void *arg);

/* Erases what is condemned.  It is looked for without the lock, so that learning seldom finds the lock taken, and asked
 * again under it. */
static uint32_t sweep(struct fdb *fdb, is_condemned ask, void *arg)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < FDB_BUCKETS * FDB_WAYS; i++) {
		struct place p = {&fdb->table->bucket[i / FDB_WAYS], i % FDB_WAYS};

		if (key_at(p) == 0 || !ask(p, arg))
			continue;
		lock(fdb);
		if (key_at(p) != 0 && ask(p, arg)) {
			erase(fdb, p);
			n++;
		}
		unlock(fdb);
	}
	return n;
}

struct flush {
	fdb_match match;
	void *arg;
	bool with_static;
};

static bool is_flushed(struct place p, void *arg)
{
	const struct flush *f = arg;
	struct fdb_entry e = entry_of(key_at(p), value_at(p));

	return (f->with_static || !(e.flags & FDB_STATIC)) && f->match(&e, f->arg);
}

uint32_t fdb_flush(struct fdb *fdb, fdb_match match, void *arg, bool with_static)
{
	struct flush f = {match, arg, with_static};

	return sweep(fdb, is_flushed, &f);
}

struct age {
	const uint32_t *ageing_s;
	uint32_t now_s;
};

static bool is_old(struct place p, void *arg)
{
	const struct age *a = arg;
	uint64_t value = value_at(p);
	uint32_t limit = a->ageing_s[key_at(p) & vid_bits], unseen = a->now_s - (uint32_t)value;

	if (flags_of(value) & FDB_STATIC)
		return false;
	/* A stamp of the future: of a worker that is ahead by a moment, or of a table that was damaged and
	 * whose entry would never age.  It counts from now. */
	if ((int32_t)unseen < 0) {
		atomic_compare_exchange_strong_explicit(&p.bucket->value[p.way], &value,
							value_of(slot_of(value), 0, a->now_s) |
								(value & FDB_GENERATION),
							memory_order_relaxed, memory_order_relaxed);
		return false;
	}
	return limit != 0 && unseen > limit;
}

uint32_t fdb_age(struct fdb *fdb, const uint32_t *ageing_s, uint32_t now_s)
{
	struct age a = {ageing_s, now_s};

	return sweep(fdb, is_old, &a);
}

void fdb_walk(const struct fdb *fdb, void (*see)(const struct fdb_entry *e, void *arg), void *arg)
{
	for (unsigned i = 0; i < FDB_BUCKETS * FDB_WAYS; i++) {
		struct place p = {&fdb->table->bucket[i / FDB_WAYS], i % FDB_WAYS};
		struct fdb_entry e;
		uint64_t value;

		do {
			value = value_at(p);
			e = entry_of(key_at(p), value);
		} while ((value_at(p) ^ value) & FDB_GENERATION);
		if (e.key != 0)
			see(&e, arg);
	}
}

/* Is there the same key at a place that counts before p? */
static bool is_second(const struct fdb_table *t, struct place p, fdb_key key)
{
	const struct fdb_bucket *first = &t->bucket[fdb_first(fdb_hash(t, key))];

	for (unsigned i = 0; i < p.way; i++)
		if (atomic_load_explicit(&p.bucket->key[i], memory_order_relaxed) == key)
			return true;
	if (p.bucket == first)
		return false;
	for (unsigned i = 0; i < FDB_WAYS; i++)
		if (atomic_load_explicit(&first->key[i], memory_order_relaxed) == key)
			return true;
	return false;
}

static bool is_in_order(const struct fdb_table *t, struct place p)
{
	fdb_key key = key_at(p);
	uint64_t value = value_at(p), hash = fdb_hash(t, key);
	uint16_t vid = key & vid_bits;
	uint32_t index = (uint32_t)(p.bucket - t->bucket);
	bool is_unicast = !(key & group_bit) && key >> 16 != 0;

	if (vid == 0 || vid > VID_LAST || (key & gap_bits) || !is_unicast)
		return false;
	if (slot_of(value) >= SLOT_MAX ||
	    (flags_of(value) != 0 && (flags_of(value) | FDB_LOCAL) != (FDB_STATIC | FDB_LOCAL)))
		return false;
	return (index == fdb_first(hash) || index == fdb_second(hash)) && !is_second(t, p, key);
}

static void check(struct fdb *fdb)
{
	for (unsigned i = 0; i < FDB_BUCKETS * FDB_WAYS; i++) {
		struct place p = {&fdb->table->bucket[i / FDB_WAYS], i % FDB_WAYS};

		if (key_at(p) == 0)
			continue;
		if (is_in_order(fdb->table, p))
			count_learned(fdb, value_at(p), 1);
		else
			atomic_store_explicit(&p.bucket->key[p.way], 0, memory_order_relaxed);
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
	for (unsigned i = 0; i < SLOT_MAX; i++)
		atomic_store_explicit(&fdb->port_limit[i], FDB_PORT_LIMIT, memory_order_relaxed);
	if (fresh) {
		memset(table, 0, sizeof(*table));
		memcpy(table->seed, seed, sizeof(table->seed));
	} else {
		check(fdb);
	}
	return fdb;
}

void fdb_destroy(struct fdb *fdb)
{
	free(fdb);
}

static bool is_of_slot(const struct fdb_entry *e, void *arg)
{
	const uint16_t *slot = arg;

	return e->slot == *slot;
}

uint32_t fdb_flush_slot(struct fdb *fdb, uint16_t slot)
{
	return fdb_flush(fdb, is_of_slot, &slot, false);
}
