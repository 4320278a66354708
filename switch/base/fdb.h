/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fdb: the forwarding table.  (VLAN, MAC) -> port slot, learned or static.
 *
 * What.  Buckets of one cache line, four entries each; a key may lie in two buckets, chosen by
 * a hash keyed with a random seed.  The table lives in memory that the caller gives (the state
 * region), holds no pointers, and survives the process.
 *
 * Threads.  Any number of readers without a lock: key, value, key again; a writer clears the key
 * before it changes to another.  Writers take one spinlock that lies outside the table;
 * fdb_learn() only tries it and, when another holds it, leaves the learning to the next frame,
 * so the data path never waits.
 *
 * Limits.  fdb->limit entries in all and limit[slot] for each port.  At either limit a new
 * address is not learned; nothing is ever evicted for it.  A static entry never ages and is not
 * counted.  A port may have its own entries moved (station move) at once.
 */
#ifndef VFAB_BASE_FDB_H
#define VFAB_BASE_FDB_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/frame.h"

enum { FDB_WAYS = 4, FDB_BUCKETS = 32768, FDB_LIMIT = 65536, FDB_PORT_LIMIT = 4096 };

/* Key: MAC in the upper 48 bits, VLAN id in the lower 12; 0 is an empty entry. */
typedef uint64_t fdb_key;

enum fdb_flag { FDB_STATIC = 1, FDB_LOCAL = 2 };

/* One cache line.  value: slot 16 bits | flags 16 bits | last seen, in s, 32 bits. */
struct fdb_bucket {
	_Atomic uint64_t key[FDB_WAYS];
	_Atomic uint64_t value[FDB_WAYS];
};

/* What lies in the state region. */
struct fdb_table {
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
	_Atomic uint32_t port_moves
		[SLOT_MAX]; /* addresses that moved to or from the port, ever: the loop guard reads it */
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
	uint64_t m;

	m = 0;
	__builtin_memcpy(&m, mac, 6);
	return m << 16 | vid;
}

/* Life.  fresh: the table is empty and gets a random seed from seed[]; else it is checked entry by
 * entry (bucket, slot) and what is out of place is dropped.  fdb_create returns NULL without memory. */
struct fdb *fdb_create(struct fdb_table *table, bool fresh, const uint64_t seed[2]);
void fdb_destroy(struct fdb *fdb); /* the table stays */

/* Data.  slot of the port that has the key, or OUT_FLOOD; *flags may be NULL. */
uint16_t fdb_lookup(const struct fdb *fdb, fdb_key key, uint16_t *flags);
enum fdb_learned fdb_learn(struct fdb *fdb, fdb_key key, uint16_t slot, uint32_t now_s);
void fdb_prefetch(const struct fdb *fdb, fdb_key key);

/* Control: each takes the lock for a few buckets at a time. */
int fdb_add_static(struct fdb *fdb, fdb_key key, uint16_t slot, uint16_t flags); /* 0, -ENOSPC */
int fdb_del(struct fdb *fdb, fdb_key key);					 /* 0, -ENOENT */
/* Removes learned entries for which match says so; returns how many. */
typedef bool (*fdb_match)(const struct fdb_entry *e, void *arg);
uint32_t fdb_flush(struct fdb *fdb, fdb_match match, void *arg, bool with_static);
/* Calls see for each entry; not a snapshot, but no entry that stays is missed or seen twice. */
void fdb_walk(const struct fdb *fdb, void (*see)(const struct fdb_entry *e, void *arg), void *arg);
/* Removes learned entries older than ageing_s[vid] seconds (array of 4096; 0: never). */
uint32_t fdb_age(struct fdb *fdb, const uint32_t *ageing_s, uint32_t now_s);

#endif
