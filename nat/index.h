/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * index: from a 64-bit hash to the place of a record, for tables of up to 16 million.
 *
 * What.  Buckets of one cache line: ten tags of 16 bits and ten places.  A record may lie in two buckets, in the first while that
 * has room, and can be moved to its other one.  The index knows hashes only: who asks gets places whose tag fits, and
 * compares.
 *
 * Growth.  Linear hashing (Litwin, VLDB 1980): one bucket more for every `fill` records, which takes its share of one other. So
 * memory follows use, nothing is ever copied as a whole, and no call waits for more than one bucket.  It does not shrink.
 *
 * Trust.  The hash is keyed by whoever computes it; then nobody can choose what falls together.
 */
#ifndef VFAB_NAT_INDEX_H
#define VFAB_NAT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { INDEX_WAYS = 10, INDEX_BUCKETS_MIN = 512, INDEX_NONE = 0xffffffff };

struct index_line {
	uint16_t tag[INDEX_WAYS]; /* 0: empty */
	uint32_t place[INDEX_WAYS];
	uint32_t unused;
};
_Static_assert(sizeof(struct index_line) == 64, "a cache line");

/* The hash of the record at that place, which is in the index. */
typedef uint64_t (*index_rehash)(const void *arg, uint32_t place);

struct index {
	struct index_line *line;
	uint32_t lines, mask; /* mask: the next power of two, less one */
	uint32_t n, limit;    /* records */
	uint32_t fill_x2;     /* records for each bucket, twice */
	index_rehash rehash;
	const void *arg;
	uint64_t moved; /* records that went to their other bucket to make room */
};

/* fill_x2: twice the records for each bucket: 10 (more in their first bucket) to 14 (less memory). */
bool index_init(struct index *x, uint32_t limit, unsigned fill_x2, index_rehash rehash, const void *arg);
void index_fini(struct index *x);
/* Touches pages that it will soon need, if it is large.  Any thread. */
void index_touch(const struct index *x);
/* An empty one is made as large as it will be with n records, which saves it the growth. */
void index_expect(struct index *x, uint32_t n);

/* The number of a bucket, of 24 bits of the hash. */
static inline uint32_t index_number(const struct index *x, uint32_t bits)
{
	uint32_t i = bits & x->mask;

	return i < x->lines ? i : i & (x->mask >> 1);
}

static inline struct index_line *index_first(const struct index *x, uint64_t hash)
{
	return &x->line[index_number(x, (uint32_t)hash)];
}

static inline struct index_line *index_second(const struct index *x, uint64_t hash)
{
	return &x->line[index_number(x, (uint32_t)(hash >> 24))];
}

static inline uint16_t index_tag(uint64_t hash)
{
	uint16_t tag = (uint16_t)(hash >> 48);

	return tag ? tag : 1;
}

/* One bit for each way that has the tag. */
static inline unsigned index_ways(const struct index_line *l, uint16_t tag)
{
#ifdef __SSE2__
	__m128i want = _mm_set1_epi16((short)tag);
	__m128i low = _mm_loadu_si128((const __m128i *)(const void *)l->tag);
	__m128i high = _mm_cvtsi32_si128((int)(l->tag[8] | (uint32_t)l->tag[9] << 16));
	__m128i same = _mm_packs_epi16(_mm_cmpeq_epi16(low, want), _mm_cmpeq_epi16(high, want));

	return (unsigned)_mm_movemask_epi8(same) & 0x3ff;
#else
	unsigned ways = 0;

	for (unsigned i = 0; i < INDEX_WAYS; i++)
		ways |= (unsigned)(l->tag[i] == tag) << i;
	return ways;
#endif
}

/* A place that the hash may mean, without looking at records; INDEX_NONE: none has its tag. */
static inline uint32_t index_guess(const struct index *x, const struct index_line *first,
				   uint64_t hash)
{
	const struct index_line *l = first;
	unsigned ways = index_ways(l, index_tag(hash));

	if (__builtin_expect(!ways, 0)) {
		l = index_second(x, hash);
		ways = index_ways(l, index_tag(hash));
		if (!ways)
			return INDEX_NONE;
	}
	return l->place[__builtin_ctz(ways)];
}

/* All places that have the tag, in both buckets; returns how many.  Room for 2 * INDEX_WAYS. */
unsigned index_candidates(const struct index *x, uint64_t hash, uint32_t place[static 2 * INDEX_WAYS]);
/* False: at its limit, or no room, which takes more luck than there is. */
bool index_add(struct index *x, uint64_t hash, uint32_t place);
void index_del(struct index *x, uint64_t hash, uint32_t place);

#endif
