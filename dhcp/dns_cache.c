/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_cache: the cache of answers.
 *
 * How it fits.  dns.c puts and gets.
 *
 * Theory of operation.  An entry is one piece of memory: head, places of its TTLs, message.  It is in a chain by its hash and in
 * a list by its age.  It is looked for when asked for, and goes when it is found to be over, when another takes its place, or
 * when it is the oldest and there is no more room; nothing is swept, so that an idle switch sleeps.
 *
 * Trust.  The answers were checked by dns_read_reply().
 */
#include "dhcp/dns_cache.h"

#include <stdlib.h>
#include <string.h>

enum { HEADS = 8192, SECOND_MS = 1000 };

struct entry {
	struct entry *chain;
	struct entry *older, *newer;
	uint64_t hash;
	uint64_t put_ms, end_ms;
	uint32_t size; /* of all of it */
	uint16_t n, n_additional, n_ttls, type;
	uint8_t rcode, len;
	bool is_do, is_cd;
	uint16_t more[]; /* places of TTLs, then n bytes of message */
};

struct dns_cache {
	struct entry *oldest, *newest;
	size_t bytes;
	unsigned count;
	struct entry *head[HEADS];
};

static uint8_t *message_of(struct entry *e)
{
	return (uint8_t *)(e->more + e->n_ttls);
}

static struct entry **find(struct dns_cache *c, const struct dns_key *k)
{
	struct entry **at = &c->head[k->hash % HEADS], *e;

	for (; (e = *at) != NULL; at = &e->chain)
		if (e->hash == k->hash && e->len == k->len && e->type == k->type &&
		    e->is_do == k->is_do && e->is_cd == k->is_cd &&
		    memcmp(message_of(e) + DNS_HEADER_BYTES, k->name, k->len) == 0)
			break;
	return at;
}

static void drop(struct dns_cache *c, struct entry **at)
{
	struct entry *e = *at;

	*at = e->chain;
	if (e->older)
		e->older->newer = e->newer;
	else
		c->oldest = e->newer;
	if (e->newer)
		e->newer->older = e->older;
	else
		c->newest = e->older;
	c->bytes -= e->size;
	c->count--;
	free(e);
}

static void drop_oldest(struct dns_cache *c)
{
	struct entry **at = &c->head[c->oldest->hash % HEADS];

	while (*at != c->oldest)
		at = &(*at)->chain;
	drop(c, at);
}

struct dns_cache *dns_cache_create(void)
{
	return calloc(1, sizeof(struct dns_cache));
}

void dns_cache_destroy(struct dns_cache *c)
{
	if (c)
		dns_cache_clear(c);
	free(c);
}

void dns_cache_clear(struct dns_cache *c)
{
	while (c->oldest)
		drop_oldest(c);
}

static struct entry *entry_of(const struct dns_key *k, const struct dns_reply *r, uint64_t now_ms)
{
	size_t size = sizeof(struct entry) + r->n_ttls * sizeof(uint16_t) + r->n;
	struct entry *e = malloc(size);

	if (!e)
		return NULL;
	*e = (struct entry){
		.hash = k->hash,
		.put_ms = now_ms,
		.end_ms = now_ms + (uint64_t)r->ttl_s * SECOND_MS,
		.size = (uint32_t)size,
		.n = r->n,
		.n_additional = r->n_additional,
		.n_ttls = r->n_ttls,
		.type = k->type,
		.rcode = (uint8_t)r->rcode,
		.len = k->len,
		.is_do = k->is_do,
		.is_cd = k->is_cd,
	};
	memcpy(e->more, r->ttl_at, r->n_ttls * sizeof(uint16_t));
	memcpy(message_of(e), r->bytes, r->n);
	memcpy(message_of(e) + DNS_HEADER_BYTES, k->name, k->len); /* lower case, to be compared */
	return e;
}

void dns_cache_put(struct dns_cache *c, const struct dns_key *k, const struct dns_reply *r,
		   uint64_t now_ms)
{
	struct entry **at = find(c, k), *e;

	if (*at)
		drop(c, at);
	e = r->ttl_s ? entry_of(k, r, now_ms) : NULL;
	if (!e)
		return;
	while (c->oldest && (c->count >= DNS_CACHE_MAX || c->bytes + e->size > DNS_CACHE_BYTES))
		drop_oldest(c);
	at = &c->head[k->hash % HEADS];
	e->chain = *at;
	*at = e;
	e->older = c->newest;
	if (c->newest)
		c->newest->newer = e;
	else
		c->oldest = e;
	c->newest = e;
	c->bytes += e->size;
	c->count++;
}

bool dns_cache_get(struct dns_cache *c, const struct dns_key *k, uint64_t now_ms,
		   struct dns_reply *r, uint32_t *age_s)
{
	struct entry **at = find(c, k), *e = *at;

	if (!e)
		return false;
	if (now_ms >= e->end_ms) {
		drop(c, at);
		return false;
	}
	*r = (struct dns_reply){
		.bytes = message_of(e),
		.n = e->n,
		.n_additional = e->n_additional,
		.rcode = e->rcode,
		.len = e->len,
		.n_ttls = e->n_ttls,
		.ttl_at = e->more,
	};
	*age_s = (uint32_t)((now_ms - e->put_ms) / SECOND_MS);
	return true;
}

unsigned dns_cache_count(const struct dns_cache *c, size_t *bytes)
{
	*bytes = c->bytes;
	return c->count;
}
