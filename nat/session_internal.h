/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_internal: what session.c and session_*.c share. */
#ifndef VFAB_NAT_SESSION_INTERNAL_H
#define VFAB_NAT_SESSION_INTERNAL_H

#include <string.h>

#include "nat/guest.h"
#include "nat/index.h"
#include "nat/places.h"
#include "nat/ports.h"
#include "nat/session.h"

enum {
	VID_MAX = 4095,
	/* Those of the pool, and as many that left it and still have sessions to end. */
	ADDRESSES = 2 * NAT_POOL_MAX,
	PROTOS = 3, /* tcp, udp, icmp of both families */
	POOL_BUCKETS = 4 * NAT_POOL_MAX,
	HASH_KEYS = 8,
};

/* Before the records, in the region. */
struct session_region {
	uint32_t places; /* all records in use are below; behind it nothing was ever written by this table */
	uint32_t unused[15];
	struct session_pool address[ADDRESSES]; /* vid 0: none */
	uint8_t padding[16384 - 64 - ADDRESSES * sizeof(struct session_pool)];
};
_Static_assert(sizeof(struct session_region) == 16384, "records begin on a page");

struct address {
	int16_t place; /* in the pool; -1: none, it is gone */
	uint32_t sessions;
};

struct session_table {
	/* What a hit reads. */
	struct session *session;
	struct session_more *more;
	struct index out, in;
	uint64_t key[HASH_KEYS];
	uint32_t sure_s; /* until then nothing that is in the indexes is over */
	struct session_region *region;
	struct index map; /* its places: (address * PROTOS + proto) * PORTS + port */
	struct address address[ADDRESSES];
	struct ports *ports; /* [address * PROTOS + proto] */
	bool is_ready[ADDRESSES * PROTOS]; /* of ports: initialised */
	uint16_t address_at[NAT_POOL_MAX]; /* by place */
	unsigned n_pool;
	uint16_t pool_bucket[POOL_BUCKETS]; /* place plus 1, open addressing */
	struct places places;
	struct guests guests;
	struct wheel wheel;
	struct ports_random random;
	session_lifetime lifetime;
	session_ending ending;
	void *arg;
	uint32_t swept; /* the place up to which a sweep has come */
	bool is_sweeping, is_configured;
	struct session_counts all, net[VID_MAX + 1];
	uint32_t slot_sessions[SLOT_MAX], slot_forwards[SLOT_MAX];
};

static inline unsigned proto_index(uint8_t proto)
{
	return proto == PROTO_TCP ? 0 : proto == PROTO_UDP ? 1 : 2;
}

static inline bool is_routed(const struct session *s)
{
	return s->outside & SESSION_ROUTED;
}

static inline struct ports *ports_at(const struct session_table *t, unsigned address, uint8_t proto)
{
	return &t->ports[address * PROTOS + proto_index(proto)];
}

static inline uint32_t map_place(unsigned address, uint8_t proto, uint16_t port)
{
	return (address * PROTOS + proto_index(proto)) * PORTS + port;
}

static inline uint32_t session_place_of(const struct session_table *t, const struct session *s)
{
	return (uint32_t)(s - t->session);
}

static inline struct port *session_mapping(const struct session_table *t, const struct session *s)
{
	return &ports_at(t, s->outside, s->proto)->port[s->outside_port];
}

static inline const struct index *session_index(const struct session_table *t, enum nat_way way)
{
	return way == NAT_IN ? &t->in : &t->out;
}

/*
 * NH (Black et al., UMAC, CRYPTO 1999) on words of 64 bits: whatever the two keys, chosen without knowing the random words, they
 * have equal sums with a chance of 2^-64; then one multiplication mixes the sum.
 */
static inline uint64_t session_mix(const struct session_table *t, const struct ip *near,
				   const struct ip *far, uint64_t rest)
{
	uint64_t n[2], f[2];
	unsigned __int128 sum;

	memcpy(n, near, sizeof(n));
	memcpy(f, far, sizeof(f));
	sum = (unsigned __int128)(n[0] + t->key[0]) * (n[1] + t->key[1]);
	sum += (unsigned __int128)(f[0] + t->key[2]) * (f[1] + t->key[3]);
	sum += (unsigned __int128)(rest + t->key[4]) * t->key[5];
	sum = (unsigned __int128)((uint64_t)sum ^ t->key[6]) * ((uint64_t)(sum >> 64) ^ t->key[7]);
	return (uint64_t)sum ^ (uint64_t)(sum >> 64);
}

/* All else of a key in one word. */
static inline uint64_t session_rest(uint16_t near_port, uint16_t far_port, uint16_t side,
				    uint8_t proto)
{
	return near_port | (uint64_t)far_port << 16 | (uint64_t)side << 32 | (uint64_t)proto << 48;
}

static inline uint64_t session_key_hash(const struct session_table *t, const struct session_key *k)
{
	return session_mix(t, &k->near, &k->far,
			   session_rest(k->near_port, k->far_port, k->side, k->proto));
}

/* What the three indexes know a session by; map: of dynamic ones. */
struct session_hashes {
	uint64_t out, in, map;
};
struct session_key session_key_out(const struct session *s);
struct session_key session_key_in(const struct session_table *t, const struct session *s);
uint64_t session_hash_out(const struct session_table *t, const struct session *s);
uint64_t session_hash_in(const struct session_table *t, const struct session *s);
uint64_t session_hash_mapping(const struct session_table *t, const struct session_key *k); /* of its inside end */
/* Asks for their lines, and for the entry of the port, too. */
struct session_hashes session_hashes(const struct session_table *t, const struct session *s);

bool session_is_over(const struct session_table *t, const struct session *s, uint32_t now_s);
/* One with that key; with_over: whether it is over or not. */
struct session *session_search(const struct session_table *t, enum nat_way way, const struct session_key *k,
			       uint64_t hash, bool with_over, uint32_t now_s);
/* The mapping of the inside end in k that leaves by one of those places: its place in the map-index, or INDEX_NONE. */
uint32_t session_find_mapping(const struct session_table *t, const struct session_key *k, uint64_t hash, unsigned place,
			      unsigned n_places);
uint64_t session_rehash_mapping(const void *table, uint32_t place); /* for the map-index */
/* Into the indexes, the counters and the wheel: the record is whole, its place claimed, its port's entry filled but for the
 * count.  False: an index has no room, and nothing was done. */
bool session_link(struct session_table *t, struct session *s, const struct session_hashes *h, struct guest *g);

/* Those of an address, initialised on first use. */
struct ports *session_ready_ports(struct session_table *t, unsigned address, uint8_t proto);
void session_set_checksums(const struct session_table *t, struct session *s);

#endif
