/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease_pool: the ranges, and which address of one a client gets.
 *
 *   hash of the identity
 *        |
 *   .x.xxxv.xx..x.    a range of up to MAPPED_MAX addresses has a bit for each: somebody has or had it, or it is reserved;
 *         ->          the next one that is not set, 64 at a step, around the end
 *
 * In a larger range there are no bits: since a store has no more than LEASES_MAX leases, some addresses are free there, and of
 * addresses that the identity hashes to one after the other the first free one is taken; after SEARCH_STEPS it is given up.
 *
 * What the configuration reserves is asked once for each address of a mapped range, when it is applied.
 */
#include "dhcp/lease_internal.h"

#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/siphash.h"

/* --- Addresses as numbers --- */

static unsigned __int128 number_of(const struct ip *ip)
{
	uint64_t half[2];

	memcpy(half, ip, sizeof(half));
	return (unsigned __int128)be64toh(half[0]) << 64 | be64toh(half[1]);
}

static struct ip ip_of(unsigned __int128 number)
{
	const uint64_t half[2] = {htobe64((uint64_t)(number >> 64)), htobe64((uint64_t)number)};
	struct ip ip;

	memcpy(&ip, half, sizeof(ip));
	return ip;
}

/* Its place in the range; false: it is not there. */
static bool place_of(const struct lease_pool *p, const struct ip *ip, unsigned __int128 *place)
{
	*place = number_of(ip) - p->first;
	return p->is_applied && *place < p->size;
}

bool lease_pool_taken(const struct lease_pool *p, const struct ip *ip)
{
	return p->is_applied && p->r.is_taken && p->r.is_taken(p->r.arg, ip);
}

/* --- Bits --- */

static bool has_bit(const uint64_t *bits, unsigned __int128 place)
{
	return bits[(size_t)place / 64] >> (size_t)place % 64 & 1;
}

static void set_bit(uint64_t *bits, unsigned __int128 place)
{
	bits[(size_t)place / 64] |= 1ULL << (size_t)place % 64;
}

static void clear_bit(uint64_t *bits, unsigned __int128 place)
{
	bits[(size_t)place / 64] &= ~(1ULL << (size_t)place % 64);
}

void lease_pool_enter(struct lease_pool *p, struct lease_entry *e)
{
	unsigned __int128 place;
	bool is_in = place_of(p, &e->l.ip, &place);

	if (!is_in || !p->busy) {
		e->is_counted = is_in && !lease_pool_taken(p, &e->l.ip);
		return;
	}
	e->is_counted = !has_bit(p->taken, place);
	p->n_busy += !has_bit(p->busy, place);
	set_bit(p->busy, place);
}

void lease_pool_leave(struct lease_pool *p, struct lease_entry *e)
{
	unsigned __int128 place;

	if (!e->is_counted || !p->busy || !place_of(p, &e->l.ip, &place))
		return;
	clear_bit(p->busy, place);
	p->n_busy--;
}

/* --- Pools by name --- */

static uint32_t name_hash(const struct leases *s, const char *network)
{
	return (uint32_t)siphash(s->secret, network, strlen(network));
}

struct lease_pool *lease_pool_get(struct leases *s, const char *network, bool is_v6, bool makes)
{
	uint32_t hash = name_hash(s, network);
	struct lease_pool *p;

	for (struct lease_node *n = lease_table_chain(&s->pools, hash); n; n = n->next) {
		p = (struct lease_pool *)n;
		if (n->hash == hash && p->is_v6 == is_v6 && strcmp(p->r.network, network) == 0)
			return p;
	}
	if (!makes || s->pools.n >= POOLS_MAX || !lease_table_reserve(&s->pools))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	memcpy(p->r.network, network, strlen(network) + 1);
	p->is_v6 = is_v6;
	p->number = ++s->last_number;
	for (unsigned i = 0; i < LEASE_LISTS; i++)
		lease_list_init(&p->list[i]);
	lease_table_add(&s->pools, &p->by_name, hash);
	return p;
}

void lease_pool_free(struct leases *s, struct lease_pool *p)
{
	lease_table_del(&s->pools, &p->by_name);
	free(p->taken);
	free(p->port);
	free(p);
}

struct lease_pool *leases_pool_find(struct leases *s, const char *network, bool is_v6)
{
	struct lease_pool *p = lease_pool_get(s, network, is_v6, false);

	return p && p->is_applied ? p : NULL;
}

const struct lease_range *lease_pool_range(const struct lease_pool *p)
{
	return &p->r;
}

void leases_pool_remove(struct leases *s, struct lease_pool *p)
{
	for (unsigned i = 0; i < LEASE_LISTS; i++)
		while (p->list[i].n > 0)
			lease_entry_forget(s, lease_of_pool_link(p->list[i].head.newer));
	lease_pool_free(s, p);
}

/* --- Ranges --- */

static unsigned __int128 size_of(const struct lease_range *r)
{
	unsigned __int128 less_one = number_of(&r->last) - number_of(&r->first);

	return less_one == (unsigned __int128)-1 ? less_one : less_one + 1;
}

static void forget_outside(struct leases *s, struct lease_pool *p)
{
	struct lease_link *link, *next;

	if (!p->r.net.is_set)
		return;
	for (unsigned i = 0; i < LEASE_LISTS; i++) {
		for (link = p->list[i].head.newer; link != &p->list[i].head; link = next) {
			struct lease_entry *e = lease_of_pool_link(link);

			next = link->newer;
			if (!prefix_holds(&p->r.net, &e->l.ip))
				lease_entry_forget(s, e);
		}
	}
}

/* All entries of the pool come to their places in the range anew. */
static void enter_all(struct lease_pool *p)
{
	struct lease_link *link, *next;
	bool is_mixed = false;

	p->n_held = 0;
	for (unsigned i = 0; i < LEASE_LISTS; i++) {
		for (link = p->list[i].head.newer; link != &p->list[i].head; link = next) {
			struct lease_entry *e = lease_of_pool_link(link);
			bool was_counted = e->is_counted;

			next = link->newer;
			lease_pool_enter(p, e);
			p->n_held += e->is_counted && e->l.state != LEASE_PAST;
			if (e->l.state != LEASE_PAST || e->is_counted == was_counted)
				continue;
			lease_entry_list(e);
			is_mixed = true;
		}
	}
	if (is_mixed) {
		lease_list_sort(&p->list[LEASE_PAST], lease_pool_link_end);
		lease_list_sort(&p->list[LEASE_APART], lease_pool_link_end);
		lease_ports_sort(p);
	}
}

/* The bits of what is taken, and as many of what is busy. */
static uint64_t *taken_of(const struct lease_range *r, unsigned __int128 size, uint32_t *n)
{
	size_t words = ((size_t)size + 63) / 64;
	uint64_t *taken = calloc(2 * words, sizeof(*taken));

	*n = 0;
	for (size_t i = 0; taken && r->is_taken && i < (size_t)size; i++) {
		struct ip ip = ip_of(number_of(&r->first) + i);

		if (!r->is_taken(r->arg, &ip))
			continue;
		set_bit(taken, i);
		++*n;
	}
	if (taken)
		memcpy(taken + words, taken, words * sizeof(*taken));
	return taken;
}

/* What the journal left is in no order yet. */
static void sort_restored(struct leases *s)
{
	if (!s->is_restored)
		return;
	s->is_restored = false;
	lease_list_sort(&s->past, lease_past_link_end);
	for (uint32_t i = 0; i < s->pools.lines; i++) {
		for (struct lease_node *n = s->pools.line[i]; n; n = n->next) {
			struct lease_pool *p = (struct lease_pool *)n;

			lease_list_sort(&p->list[LEASE_PAST], lease_pool_link_end);
			lease_list_sort(&p->list[LEASE_APART], lease_pool_link_end);
			lease_list_sort(&p->list[LEASE_DECLINED], lease_pool_link_end);
			lease_ports_sort(p);
		}
	}
}

/* Are the addresses, and what is taken of them, those that the pool has already? */
static bool is_known(const struct lease_pool *p, const struct lease_range *r, const uint64_t *taken)
{
	return taken && p->taken && ip_equal(&p->r.first, &r->first) &&
	       ip_equal(&p->r.last, &r->last) &&
	       memcmp(taken, p->taken, ((size_t)p->size + 63) / 64 * sizeof(*taken)) == 0;
}

static bool same_prefix(const struct prefix *a, const struct prefix *b)
{
	return a->is_set == b->is_set && a->len == b->len && ip_equal(&a->ip, &b->ip);
}

struct lease_pool *leases_pool_apply(struct leases *s, const struct lease_range *r, uint64_t now_ms)
{
	unsigned __int128 size = size_of(r);
	uint64_t *taken = NULL;
	struct lease_pool *p;
	uint32_t n_taken = 0;
	bool is_moved;

	assert(ip_is_v4(&r->first) == ip_is_v4(&r->last));
	assert(number_of(&r->first) <= number_of(&r->last));
	(void)now_ms;
	sort_restored(s);
	p = lease_pool_get(s, r->network, !ip_is_v4(&r->first), true);
	if (!p)
		return NULL;
	if (size <= MAPPED_MAX) {
		taken = taken_of(r, size, &n_taken);
		if (!taken)
			return NULL;
	}
	is_moved = !p->is_applied || !same_prefix(&p->r.net, &r->net);
	if (is_known(p, r, taken)) {
		free(taken);
		p->r = *r;
	} else {
		free(p->taken);
		p->r = *r;
		p->taken = taken;
		p->busy = taken ? taken + ((size_t)size + 63) / 64 : NULL;
		p->n_taken = p->n_busy = n_taken;
		p->first = number_of(&r->first);
		p->size = size;
		p->is_applied = true;
		enter_all(p);
	}
	if (is_moved)
		forget_outside(s, p);
	return p;
}

/* --- The choice --- */

/* The first place from there on, around the end, whose bit is not set. */
static bool find_mapped(const struct lease_pool *p, uint64_t from, uint64_t *place)
{
	uint64_t size = (uint64_t)p->size, words = (size + 63) / 64, word = from / 64;
	uint64_t mask = ~0ULL << from % 64;

	if (p->n_busy >= size)
		return false;
	/* One step more than words: the first one is seen in two parts. */
	for (uint64_t i = 0; i <= words;
	     i++, word = word + 1 < words ? word + 1 : 0, mask = ~0ULL) {
		uint64_t open = ~p->busy[word] & mask;

		if (!open)
			continue;
		*place = word * 64 + (unsigned)__builtin_ctzll(open);
		if (*place < size)
			return true;
	}
	return false;
}

static bool is_open(const struct leases *s, const struct lease_pool *p, const struct ip *ip)
{
	return !lease_entry_by_ip(s, p, ip) && !lease_pool_taken(p, ip);
}

/* Of a range without bits. */
static bool find_hashed(const struct leases *s, const struct lease_pool *p, uint64_t hash,
			struct ip *out)
{
	for (uint64_t i = 0; i < SEARCH_STEPS; i++) {
		const uint64_t word[2] = {htole64(hash), htole64(i)};
		uint64_t at = i == 0 ? hash : siphash(s->seed, word, sizeof(word));

		*out = ip_of(p->first + at % p->size);
		if (is_open(s, p, out))
			return true;
	}
	return false;
}

bool lease_pool_choose(struct leases *s, struct lease_pool *p, const struct lease_want *w,
		       struct ip *out)
{
	uint64_t hash = siphash(s->seed, w->id->b, w->id->len), place;
	unsigned __int128 hint;
	struct lease_entry *victim;

	if (w->has_hint && place_of(p, &w->hint, &hint) && is_open(s, p, &w->hint)) {
		*out = w->hint;
		return true;
	}
	if (p->busy && find_mapped(p, hash % (uint64_t)p->size, &place)) {
		*out = ip_of(p->first + place);
		return true;
	}
	if (!p->busy && find_hashed(s, p, hash, out))
		return true;
	victim = lease_past_victim(p);
	if (!victim)
		return false;
	*out = victim->l.ip;
	lease_entry_forget(s, victim);
	return true;
}

uint32_t lease_pool_quarantine_max(const struct lease_pool *p)
{
	unsigned __int128 quarter = p->size / 4;

	return quarter == 0 ? 1 : quarter < QUARANTINE_MAX ? (uint32_t)quarter : QUARANTINE_MAX;
}

/* --- For others --- */

void leases_each_of(const struct leases *s, const struct lease_pool *p,
		    bool (*fn)(void *arg, const struct lease *l), void *arg)
{
	(void)s;
	for (unsigned i = 0; i < LEASE_LISTS; i++)
		for (struct lease_link *l = p->list[i].head.newer; l != &p->list[i].head;
		     l = l->newer)
			if (!fn(arg, &lease_of_pool_link(l)->l))
				return;
}

void leases_count(const struct leases *s, const struct lease_pool *p, struct lease_count *out)
{
	unsigned __int128 given = (unsigned __int128)p->n_taken + p->n_held, left = p->size - given;

	(void)s;
	*out = (struct lease_count){
		.offered = p->list[LEASE_OFFERED].n,
		.bound = p->list[LEASE_BOUND].n,
		.past = p->list[LEASE_PAST].n + p->list[LEASE_APART].n,
		.declined = p->list[LEASE_DECLINED].n,
		.free = left < UINT32_MAX ? (uint32_t)left : UINT32_MAX,
	};
}

uint32_t leases_of_port(const struct leases *s, const struct lease_pool *p, const char *port)
{
	const struct lease_holder *h = lease_holder_find(s, p, port);

	return h ? h->n : 0;
}
