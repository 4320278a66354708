/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * index: from a hash to the place of a record.
 *
 * session.c keeps three of them.  Here is what a hit does not need: adding, deleting, and the growth by one bucket.
 *
 *   hash    63 ... 48 | 47 ... 24 | 23 ... 0
 *           tag         second      first
 *
 *   lines = 6:   0  1  2  3  4  5        mask = 7; numbers 6 and 7 are not there yet and mean 2 and 3
 *                ^--------------'        4 took its share of 0, 5 of 1; the next one, 6, will take its share of 2
 *
 * A bucket that is divided looks at its records for their hashes, since a tag does not say enough.  So does the search for one
 * that could move, which is rare while buckets are filled to seven tenths.
 */
#include "nat/index.h"

#include <stddef.h>

#include "nat/room.h"

/* With two steps some 400 buckets are looked at before a record is refused; one step fails about once in ten million. */
enum { DEPTH = 1 };

/* Bytes of lines that are in small pages, of the first million records or so; and bytes that are touched ahead behind them. */
enum { WIDE_FROM = 16 << 20, WIDE_AHEAD = 4 << 20 };

static size_t bytes_of(const struct index *x)
{
	return ((size_t)x->limit * 2 / x->fill_x2 + INDEX_BUCKETS_MIN + 1) * sizeof(*x->line);
}

bool index_init(struct index *x, uint32_t limit, unsigned fill_x2, index_rehash rehash,
		const void *arg)
{
	*x = (struct index){
		.lines = INDEX_BUCKETS_MIN,
		.mask = INDEX_BUCKETS_MIN - 1,
		.limit = limit,
		.fill_x2 = fill_x2,
		.rehash = rehash,
		.arg = arg,
	};
	x->line = room_take(bytes_of(x));
	if (x->line)
		room_widen(x->line, WIDE_FROM, bytes_of(x));
	return x->line;
}

void index_fini(struct index *x)
{
	room_put(x->line, bytes_of(x));
	x->line = NULL;
}

void index_expect(struct index *x, uint32_t n)
{
	uint32_t lines = (uint32_t)((uint64_t)(n < x->limit ? n : x->limit) * 2 / x->fill_x2);

	if (lines < INDEX_BUCKETS_MIN)
		lines = INDEX_BUCKETS_MIN;
	x->lines = lines;
	while (x->mask < lines - 1)
		x->mask = x->mask * 2 + 1;
}

void index_touch(const struct index *x)
{
	size_t bytes = (size_t)__atomic_load_n(&x->lines, __ATOMIC_RELAXED) * sizeof(*x->line);

	if (bytes > WIDE_FROM && bytes + WIDE_AHEAD < bytes_of(x))
		room_touch(x->line, bytes, bytes + WIDE_AHEAD);
}

static unsigned candidates_in(const struct index_line *l, uint64_t hash, uint32_t *place)
{
	unsigned n = 0;

	for (unsigned ways = index_ways(l, index_tag(hash)); ways; ways &= ways - 1)
		place[n++] = l->place[__builtin_ctz(ways)];
	return n;
}

unsigned index_candidates(const struct index *x, uint64_t hash,
			  uint32_t place[static 2 * INDEX_WAYS])
{
	const struct index_line *first = index_first(x, hash), *second = index_second(x, hash);
	unsigned n = candidates_in(first, hash, place);

	if (second != first)
		n += candidates_in(second, hash, place + n);
	return n;
}

/* Into that bucket, if it has room. */
static bool put(struct index_line *l, uint64_t hash, uint32_t place)
{
	unsigned ways = index_ways(l, 0);

	if (!ways)
		return false;
	l->tag[__builtin_ctz(ways)] = index_tag(hash);
	l->place[__builtin_ctz(ways)] = place;
	return true;
}

/* The new bucket takes its share of the one that stood for its number. */
static void grow(struct index *x)
{
	struct index_line *fresh = &x->line[x->lines], *old;
	uint32_t number = x->lines, from;

	if (number > x->mask)
		x->mask = x->mask * 2 + 1;
	from = number & (x->mask >> 1);
	old = &x->line[from];
	for (unsigned i = 0; i < INDEX_WAYS; i++) {
		uint64_t hash;

		if (!old->tag[i])
			continue;
		hash = x->rehash(x->arg, old->place[i]);
		/* It lies here by its first choice or, if that is elsewhere, by its second. */
		if (index_number(x, (uint32_t)hash) != from)
			hash >>= 24;
		if (((uint32_t)hash & x->mask) != number)
			continue;
		fresh->tag[i] = old->tag[i];
		fresh->place[i] = old->place[i];
		old->tag[i] = 0;
	}
	__atomic_store_n(&x->lines, x->lines + 1, __ATOMIC_RELAXED); /* index_touch() reads it */
}

/* The other one has room. */
static void move(struct index *x, struct index_line *l, unsigned way, struct index_line *to)
{
	unsigned free = (unsigned)__builtin_ctz(index_ways(to, 0));

	to->tag[free] = l->tag[way];
	to->place[free] = l->place[way];
	l->tag[way] = 0;
	x->moved++;
}

static struct index_line *other_line(const struct index *x, const struct index_line *l,
				     unsigned way)
{
	uint64_t hash = x->rehash(x->arg, l->place[way]);
	struct index_line *first = index_first(x, hash);

	return first == l ? index_second(x, hash) : first;
}

/* Sends a record of that full bucket to its other one; if those are all full as well, and depth is not 0, makes room in one of
 * them first. */
static bool make_room(struct index *x, struct index_line *l, unsigned depth)
{
	struct index_line *other[INDEX_WAYS];

	for (unsigned i = 0; i < INDEX_WAYS; i++) {
		other[i] = other_line(x, l, i);
		if (other[i] != l && index_ways(other[i], 0)) {
			move(x, l, i, other[i]);
			return true;
		}
	}
	for (unsigned i = 0; i < INDEX_WAYS && depth > 0; i++) {
		if (other[i] != l && make_room(x, other[i], depth - 1)) {
			move(x, l, i, other[i]);
			return true;
		}
	}
	return false;
}

bool index_add(struct index *x, uint64_t hash, uint32_t place)
{
	struct index_line *first, *second;

	if (x->n >= x->limit)
		return false;
	if (x->n * 2ULL >= (uint64_t)x->lines * x->fill_x2)
		grow(x);
	first = index_first(x, hash);
	second = index_second(x, hash);
	if (put(first, hash, place) || put(second, hash, place) ||
	    (make_room(x, first, DEPTH) && put(first, hash, place)) ||
	    (make_room(x, second, DEPTH) && put(second, hash, place))) {
		x->n++;
		return true;
	}
	return false;
}

static bool del_in(struct index_line *l, uint64_t hash, uint32_t place)
{
	for (unsigned ways = index_ways(l, index_tag(hash)); ways; ways &= ways - 1) {
		unsigned i = (unsigned)__builtin_ctz(ways);

		if (l->place[i] == place) {
			l->tag[i] = 0;
			return true;
		}
	}
	return false;
}

void index_del(struct index *x, uint64_t hash, uint32_t place)
{
	if (del_in(index_first(x, hash), hash, place) || del_in(index_second(x, hash), hash, place))
		x->n--;
}
