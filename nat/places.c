/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * places: which records of a table are in use.
 *
 * session.c and guest.c number their records with it.
 *
 *   level 3   1 word        bit i: all of word i of level 2 is set
 *   level 2   64 words
 *   level 1   4096 words
 *   level 0   262144 words  bit i: place i is in use
 */
#include "nat/places.h"

#include <stddef.h>

#include "nat/room.h"

enum { WORD_BITS = 64, WORDS_A_LOOK = 64 };

static size_t words_of(unsigned level)
{
	return (size_t)PLACES_MAX >> (6 * (level + 1));
}

static size_t words_all(void)
{
	size_t n = 0;

	for (unsigned i = 0; i < PLACES_LEVELS; i++)
		n += words_of(i);
	return n;
}

bool places_init(struct places *p, uint32_t limit)
{
	uint64_t *room = room_take(words_all() * sizeof(*room));

	*p = (struct places){.limit = limit};
	if (!room)
		return false;
	for (unsigned i = 0; i < PLACES_LEVELS; i++) {
		p->level[i] = room;
		room += words_of(i);
	}
	return true;
}

void places_fini(struct places *p)
{
	room_put(p->level[0], words_all() * sizeof(*p->level[0]));
	p->level[0] = NULL;
}

void places_claim(struct places *p, uint32_t place)
{
	p->n++;
	for (unsigned i = 0; i < PLACES_LEVELS; i++) {
		uint64_t *word = &p->level[i][place / WORD_BITS];

		*word |= 1ULL << place % WORD_BITS;
		if (~*word)
			break;
		place /= WORD_BITS;
	}
}

uint32_t places_take(struct places *p)
{
	uint32_t place = 0;

	if (p->n >= p->limit)
		return PLACES_NONE;
	/* Some word on each level has a free bit, since fewer than limit are in use. */
	for (unsigned i = PLACES_LEVELS; i-- > 0;)
		place = place * WORD_BITS + (uint32_t)__builtin_ctzll(~p->level[i][place]);
	places_claim(p, place);
	return place;
}

void places_give(struct places *p, uint32_t place)
{
	p->n--;
	for (unsigned i = 0; i < PLACES_LEVELS; i++) {
		uint64_t *word = &p->level[i][place / WORD_BITS];
		bool was_full = !~*word;

		*word &= ~(1ULL << place % WORD_BITS);
		if (!was_full)
			break;
		place /= WORD_BITS;
	}
}

uint32_t places_next(const struct places *p, uint32_t from, uint32_t *seen)
{
	uint32_t word = from / WORD_BITS, last = word + WORDS_A_LOOK;
	uint64_t bits;

	for (; word < last && word < PLACES_MAX / WORD_BITS; word++) {
		bits = p->level[0][word];
		if (word == from / WORD_BITS)
			bits &= ~0ULL << from % WORD_BITS;
		if (bits) {
			*seen = word * WORD_BITS + (uint32_t)__builtin_ctzll(bits);
			return *seen;
		}
	}
	*seen = word * WORD_BITS;
	return PLACES_NONE;
}
