/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdb: the forwarding table.  (VLAN, MAC) -> port slot, learned or static.
 *
 * What.  Buckets of one cache line, four entries each; a key may lie in two buckets, chosen by
 * a hash keyed with a random seed.  The table lives in memory that the caller gives (the state
 * region), holds no pointers, and survives the process.
 *
 * Threads.  Any number of readers without a lock.  A place changes its key only through 0, and its value's
 * generation with each new key; a reader that finds the generation unchanged around the key has
 * a value that belongs to that key.  Writers take one spinlock that lies outside the table;
 * fdb_learn() only tries it and, when another holds it, leaves the learning to the next frame, so the
 * data path never waits.  In the steady state it writes nothing but, once a second, a stamp.
 *
 * Limits.  fdb->limit entries in all and limit[slot] for each port.  At either limit a new
 * address is not learned, and an address does not move to a port that is at its limit; nothing is ever
 * evicted.  A static entry never ages, never moves and is not counted.  A station move is at once.
 */
#ifndef VFAB_BASE_FDB_H
#define VFAB_BASE_FDB_H

#include <endian.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/frame.h"

#ifdef __AVX2__
#include <immintrin.h>
#endif

enum { FDB_WAYS = 4, FDB_BUCKETS = 32768, FDB_LIMIT = 65536, FDB_PORT_LIMIT = 4096 };

/* Key: MAC in the upper 48 bits, VLAN id in the lower 12; 0 is an empty entry. */
typedef uint64_t fdb_key;

enum fdb_flag { FDB_STATIC = 1, FDB_LOCAL = 2 };

/* One cache line.  value: slot 16 bits | generation 8 bits | flags 8 bits | last seen, in s, 32 bits. */
struct fdb_bucket {
	_Atomic uint64_t key[FDB_WAYS];
	_Atomic uint64_t value[FDB_WAYS];
};

struct fdb_table { /* in the state region */
	uint64_t seed[2];
	uint64_t reserved[6];
	struct fdb_bucket bucket[FDB_BUCKETS];
};

struct fdb {
	struct fdb_table *table;
	atomic_flag lock;
	_Atomic uint32_t count;		       /* learned entries */
	uint32_t limit;			       /* learned entries allowed */
	_Atomic uint32_t port_count[SLOT_MAX]; /* learned entries of each port */
	_Atomic uint32_t port_limit[SLOT_MAX]; /* and how many it may have */
	_Atomic uint32_t port_moves[SLOT_MAX]; /* addresses that moved to or from it, ever */
};

struct fdb_entry {
	fdb_key key;
	uint16_t slot;
	uint16_t flags; /* enum fdb_flag */
	uint32_t seen_s;
};

enum fdb_learned {
	FDB_KNOWN,   /* as it was */
	FDB_NEW,     /* learned */
	FDB_MOVED,   /* was behind another port */
	FDB_LIMITED, /* not learned: the port's or the table's limit */
	FDB_FULL,    /* not learned: both buckets are full */
	FDB_BUSY,    /* not learned: a writer holds the lock; the next frame will do */
	FDB_PINNED,  /* a static entry says another port: it stands */
};

static inline fdb_key fdb_key_of(const uint8_t mac[6], uint16_t vid)
{
	uint64_t m = 0;

	__builtin_memcpy(&m, mac, 6);
	return le64toh(m) << 16 | vid;
}

#define FDB_SLOT_SHIFT	48
#define FDB_FLAGS_SHIFT 32
#define FDB_GENERATION	(0xffULL << 40)
/* Multiply and fold: each of the two factors hides the key behind 64 random bits, so that without them nobody can choose keys
 * that fall together.  Both bucket choices come from the one result. */
static inline uint64_t fdb_hash(const struct fdb_table *t, fdb_key key)
{
	unsigned __int128 m = (unsigned __int128)(key ^ t->seed[0]) * (key ^ t->seed[1]);

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint32_t fdb_first(uint64_t hash)
{
	return (uint32_t)hash & (FDB_BUCKETS - 1);
}

uint32_t fdb_second(uint64_t hash); /* never the first one */
static inline bool fdb_has(const struct fdb_bucket *b, unsigned way, fdb_key key)
{
	return atomic_load_explicit(&b->key[way], memory_order_acquire) == key;
}

/* The way that holds the key, which is not 0, without a branch to mispredict; any when none does: who uses it looks again. */
static inline unsigned fdb_way(const struct fdb_bucket *b, fdb_key key)
{
	_Static_assert(FDB_WAYS == 4, "written out for four");
#if defined(__AVX2__) && !defined(__SANITIZE_THREAD__)
	__m256i keys = _mm256_load_si256((const __m256i *)(uintptr_t)b->key);
	__m256i same = _mm256_cmpeq_epi64(keys, _mm256_set1_epi64x((long long)key));

	return (unsigned)__builtin_ctz((unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(same)) | 8);
#else
	return fdb_has(b, 1, key) + 2u * fdb_has(b, 2, key) + 3u * fdb_has(b, 3, key);
#endif
}

/* The value of the key in that bucket, if it is there. */
static inline bool fdb_read(const struct fdb_bucket *b, fdb_key key, uint64_t *value)
{
	unsigned way = fdb_way(b, key);
	uint64_t first = atomic_load_explicit(&b->value[way], memory_order_acquire);
	bool is_there = fdb_has(b, way, key);
	uint64_t again = atomic_load_explicit(&b->value[way], memory_order_relaxed);

	*value = first;
	return is_there && !((again ^ first) & FDB_GENERATION);
}

/* fresh: the table is cleared and takes seed[], which is random; else it keeps its own, and every entry is checked (key, flags,
 * slot, bucket, no second one) and dropped if out of place.  NULL without memory. */
struct fdb *fdb_create(struct fdb_table *table, bool fresh, const uint64_t seed[2]);
void fdb_destroy(struct fdb *fdb); /* the table stays */

/* Data: the path finds the first bucket of a key once, prefetches it, and uses it later.  Most keys lie there. */
static inline const struct fdb_bucket *fdb_bucket_of(const struct fdb *fdb, fdb_key key)
{
	return &fdb->table->bucket[fdb_first(fdb_hash(fdb->table, key))];
}

uint16_t fdb_lookup_second(const struct fdb *fdb, fdb_key key, uint16_t *flags);
/* Slot of the port that has the key, or OUT_FLOOD; flags may be NULL. */
static inline uint16_t fdb_lookup_in(const struct fdb *fdb, const struct fdb_bucket *b, fdb_key key,
				     uint16_t *flags)
{
	uint64_t value;

	if (__builtin_expect(!fdb_read(b, key, &value), 0))
		return fdb_lookup_second(fdb, key, flags);
	if (flags)
		*flags = (uint8_t)(value >> FDB_FLAGS_SHIFT);
	return (uint16_t)(value >> FDB_SLOT_SHIFT);
}

/* The entry lies in that bucket, just as learning would write it. */
static inline bool fdb_is_known(const struct fdb_bucket *b, fdb_key key, uint16_t slot,
				uint32_t now_s)
{
	unsigned way = fdb_way(b, key);
	uint64_t value = atomic_load_explicit(&b->value[way], memory_order_relaxed);

	return fdb_has(b, way, key) &&
	       (value & ~FDB_GENERATION) == ((uint64_t)slot << FDB_SLOT_SHIFT | now_s);
}

/* What fdb_learn() does when the entry is not in its first bucket just as it would be written. */
enum fdb_learned fdb_learn_slow(struct fdb *fdb, fdb_key key, uint16_t slot, uint32_t now_s);

static inline enum fdb_learned fdb_learn_in(struct fdb *fdb, const struct fdb_bucket *b,
					    fdb_key key, uint16_t slot, uint32_t now_s)
{
	if (__builtin_expect(fdb_is_known(b, key, slot, now_s), 1))
		return FDB_KNOWN;
	return fdb_learn_slow(fdb, key, slot, now_s);
}

/* For those who have no bucket yet. */
enum fdb_learned fdb_learn(struct fdb *fdb, fdb_key key, uint16_t slot, uint32_t now_s);
uint16_t fdb_lookup(const struct fdb *fdb, fdb_key key, uint16_t *flags);

/* Control; never called with the lock held.  Each takes the lock for one entry at a time. */
int fdb_add_static(struct fdb *fdb, fdb_key key, uint16_t slot, uint16_t flags); /* 0, -ENOSPC */
int fdb_del(struct fdb *fdb, fdb_key key);					 /* 0, -ENOENT */
/* Removes learned entries for which match says so; returns how many. */
typedef bool (*fdb_match)(const struct fdb_entry *e, void *arg);
uint32_t fdb_flush(struct fdb *fdb, fdb_match match, void *arg, bool with_static);
uint32_t fdb_flush_slot(struct fdb *fdb, uint16_t slot); /* of that port */
/* Calls see for each entry; not a snapshot, but no entry that stays is missed or seen twice. */
void fdb_walk(const struct fdb *fdb, void (*see)(const struct fdb_entry *e, void *arg), void *arg);
/* Removes learned entries older than ageing_s[vid] seconds (array of 4096; 0: never). */
uint32_t fdb_age(struct fdb *fdb, const uint32_t *ageing_s, uint32_t now_s);

#endif
