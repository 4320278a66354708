/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_name: the table of names and addresses.
 *
 * How it fits.  dns.c sets and drops, dns_local.c finds.
 *
 * Theory of operation.  Two pools, of names and of records, whose members know each other by their places:
 *
 *   by_name  hash(vid, label)   -> chain of names --.  first[source] -> record -> record -> ...   as they came
 *   by_ip    hash(vid, address) -> chain of records |  last[source] -----------------------^
 *   of       [vid][source]      -> all records of it, to clear them
 *
 * A record that belongs to who has the name of leases goes right behind his first one, so that the few that are looked at hold
 * all of his, however many others of that name there are (a template of which a thousand guests were made).
 *
 * Trust.  Names of leases are what guests say; the caller has made labels of them.
 */
#include "dhcp/dns_name.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/dns_hash.h"

enum {
	NIL = 0, /* place 0 of a pool is never used: tables begin as zeros */
	SOURCES = DNS_OF_RESERVATION + 1,
	VLANS = 4096,
	HEADS = 1 << 18,
	CHUNK = 4096, /* members of a pool that are allocated together */
	CHUNKS = DNS_RECORDS_ALL / CHUNK + 1,
};

struct record {
	struct ip ip;
	uint64_t owner;
	uint32_t name;
	uint32_t next, prev;	   /* of that name and source */
	uint32_t chain;		   /* by_ip; of a free one: the next free one */
	uint32_t of_next, of_prev; /* of that VLAN and source */
	uint16_t vid;
	uint8_t source;
};

struct name {
	uint32_t chain; /* by_name; of a free one: the next free one */
	uint32_t first[SOURCES], last[SOURCES];
	uint16_t vid;
	uint8_t label[DNS_LABEL_SIZE]; /* its length, then its bytes */
};

struct dns_names {
	uint64_t secret[2];
	struct record *records[CHUNKS];
	struct name *names[CHUNKS];
	uint32_t records_used, names_used; /* places that were ever taken */
	uint32_t records_free, names_free; /* lists of those that were given back */
	uint32_t of[VLANS][SOURCES];
	uint32_t by_name[HEADS], by_ip[HEADS];
};

/* --- Pools ------------------------------------------------------------------------------- */

static struct record *record_at(const struct dns_names *t, uint32_t i)
{
	return &t->records[i / CHUNK][i % CHUNK];
}

static struct name *name_at(const struct dns_names *t, uint32_t i)
{
	return &t->names[i / CHUNK][i % CHUNK];
}

/* The next place that was never taken; NIL: no memory, or DNS_RECORDS_ALL are. */
static uint32_t grow(uint32_t *used, void **chunk, size_t size)
{
	uint32_t i = *used ? *used : 1;

	if (i > DNS_RECORDS_ALL)
		return NIL;
	if (!*chunk)
		*chunk = calloc(CHUNK, size);
	if (!*chunk)
		return NIL;
	*used = i + 1;
	return i;
}

static uint32_t take_record(struct dns_names *t)
{
	uint32_t i = t->records_free, k = t->records_used / CHUNK;
	void *chunk;

	if (i != NIL) {
		t->records_free = record_at(t, i)->chain;
		return i;
	}
	chunk = t->records[k];
	i = grow(&t->records_used, &chunk, sizeof(struct record));
	t->records[k] = chunk;
	return i;
}

static uint32_t take_name(struct dns_names *t)
{
	uint32_t i = t->names_free, k = t->names_used / CHUNK;
	void *chunk;

	if (i != NIL) {
		t->names_free = name_at(t, i)->chain;
		return i;
	}
	chunk = t->names[k];
	i = grow(&t->names_used, &chunk, sizeof(struct name));
	t->names[k] = chunk;
	return i;
}

/* --- Chains ------------------------------------------------------------------------------ */

static uint32_t head_of_name(const struct dns_names *t, uint16_t vid, const uint8_t *label)
{
	return (uint32_t)dns_hash(t->secret, vid, label, 1u + label[0]) % HEADS;
}

static uint32_t head_of_ip(const struct dns_names *t, uint16_t vid, const struct ip *ip)
{
	return (uint32_t)dns_hash(t->secret, vid, ip->b, sizeof(ip->b)) % HEADS;
}

static uint32_t find_name(const struct dns_names *t, uint16_t vid, const uint8_t *label)
{
	uint32_t i = t->by_name[head_of_name(t, vid, label)];
	const struct name *n;

	for (; i != NIL; i = n->chain) {
		n = name_at(t, i);
		if (n->vid == vid && memcmp(n->label, label, 1u + label[0]) == 0)
			break;
	}
	return i;
}

static uint32_t find_record(const struct dns_names *t, uint16_t vid, int source,
			    const struct ip *ip)
{
	uint32_t i = t->by_ip[head_of_ip(t, vid, ip)];
	const struct record *r;

	for (; i != NIL; i = r->chain) {
		r = record_at(t, i);
		if (r->vid == vid && r->source == source && ip_equal(&r->ip, ip))
			break;
	}
	return i;
}

static void unchain_record(struct dns_names *t, uint32_t i)
{
	const struct record *r = record_at(t, i);
	uint32_t *at = &t->by_ip[head_of_ip(t, r->vid, &r->ip)];

	while (*at != i)
		at = &record_at(t, *at)->chain;
	*at = r->chain;
}

static void unchain_name(struct dns_names *t, uint32_t i)
{
	const struct name *n = name_at(t, i);
	uint32_t *at = &t->by_name[head_of_name(t, n->vid, n->label)];

	while (*at != i)
		at = &name_at(t, *at)->chain;
	*at = n->chain;
}

/* --- A record and its name --------------------------------------------------------------- */

/* The name of that label, made if there is none. */
static uint32_t name_of(struct dns_names *t, uint16_t vid, const uint8_t *label)
{
	uint32_t i = find_name(t, vid, label), *head;
	struct name *n;

	if (i != NIL)
		return i;
	i = take_name(t);
	if (i == NIL)
		return NIL;
	n = name_at(t, i);
	head = &t->by_name[head_of_name(t, vid, label)];
	*n = (struct name){.chain = *head, .vid = vid};
	memcpy(n->label, label, 1u + label[0]);
	*head = i;
	return i;
}

static void join(struct dns_names *t, uint32_t i, uint32_t name)
{
	struct record *r = record_at(t, i);
	struct name *n = name_at(t, name);
	uint32_t *first = &n->first[r->source], *last = &n->last[r->source];
	const struct record *front = *first == NIL ? NULL : record_at(t, *first);
	bool is_holders =
		r->source == DNS_OF_LEASE && front && r->owner && r->owner == front->owner;

	r->name = name;
	r->prev = is_holders ? *first : *last;
	r->next = is_holders ? front->next : NIL;
	if (r->prev == NIL)
		*first = i;
	else
		record_at(t, r->prev)->next = i;
	if (r->next == NIL)
		*last = i;
	else
		record_at(t, r->next)->prev = i;
}

static bool is_unused(const struct name *n)
{
	for (unsigned s = 0; s < SOURCES; s++)
		if (n->first[s] != NIL)
			return false;
	return true;
}

static void release_name(struct dns_names *t, uint32_t i)
{
	struct name *n = name_at(t, i);

	if (!is_unused(n))
		return;
	unchain_name(t, i);
	n->chain = t->names_free;
	t->names_free = i;
}

static void leave(struct dns_names *t, uint32_t i)
{
	const struct record *r = record_at(t, i);
	struct name *n = name_at(t, r->name);

	if (r->prev == NIL)
		n->first[r->source] = r->next;
	else
		record_at(t, r->prev)->next = r->next;
	if (r->next == NIL)
		n->last[r->source] = r->prev;
	else
		record_at(t, r->next)->prev = r->prev;
	release_name(t, r->name);
}

static uint32_t add_record(struct dns_names *t, const struct dns_claim *c)
{
	uint32_t i = take_record(t), *head, *of = &t->of[c->vid][c->source];
	struct record *r;

	if (i == NIL)
		return NIL;
	r = record_at(t, i);
	head = &t->by_ip[head_of_ip(t, c->vid, &c->ip)];
	*r = (struct record){.ip = c->ip,
			     .owner = c->owner,
			     .chain = *head,
			     .of_next = *of,
			     .vid = c->vid,
			     .source = (uint8_t)c->source};
	if (*of != NIL)
		record_at(t, *of)->of_prev = i;
	*of = *head = i;
	return i;
}

static void drop_record(struct dns_names *t, uint32_t i)
{
	struct record *r = record_at(t, i);

	leave(t, i);
	unchain_record(t, i);
	if (r->of_prev == NIL)
		t->of[r->vid][r->source] = r->of_next;
	else
		record_at(t, r->of_prev)->of_next = r->of_next;
	if (r->of_next != NIL)
		record_at(t, r->of_next)->of_prev = r->of_prev;
	r->chain = t->records_free;
	t->records_free = i;
}

/* --- Who is answered --------------------------------------------------------------------- */

/* The records of the strongest source that are answered, among the first DNS_ADDRESSES_MAX. */
static unsigned answered(const struct dns_names *t, const struct name *n,
			 const struct record *out[static DNS_ADDRESSES_MAX])
{
	int source = DNS_OF_RESERVATION;
	const struct record *front, *r;
	unsigned found = 0, seen = 0;
	bool has_other_family = false;

	while (source > DNS_OF_LEASE && n->first[source] == NIL)
		source--;
	front = record_at(t, n->first[source]);
	for (uint32_t i = n->first[source]; i != NIL && seen < DNS_ADDRESSES_MAX; i = r->next) {
		bool is_other, is_holders = source != DNS_OF_LEASE || seen == 0;

		r = record_at(t, i);
		is_other = ip_is_v4(&r->ip) != ip_is_v4(&front->ip);
		if (!is_holders && r->owner == front->owner)
			is_holders = front->owner || (is_other && !has_other_family);
		has_other_family |= is_holders && is_other;
		if (is_holders)
			out[found++] = r;
		seen++;
	}
	return found;
}

/* --- Exported ---------------------------------------------------------------------------- */

struct dns_names *dns_names_create(const uint64_t secret[2])
{
	struct dns_names *t = calloc(1, sizeof(*t));

	if (t)
		memcpy(t->secret, secret, sizeof(t->secret));
	return t;
}

void dns_names_destroy(struct dns_names *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < CHUNKS; i++) {
		free(t->records[i]);
		free(t->names[i]);
	}
	free(t);
}

static bool read_label(const char *name, uint8_t label[static DNS_LABEL_SIZE])
{
	size_t n = strlen(name);

	if (n == 0 || n >= DNS_LABEL_SIZE)
		return false;
	label[0] = (uint8_t)n;
	for (size_t i = 0; i < n; i++) {
		char c = name[i];

		if (c == '.')
			return false;
		label[1 + i] = (uint8_t)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	return true;
}

static bool is_trusted_word(const uint8_t *label)
{
	static const char *const words[] = {"gateway", "localhost", "wpad", "isatap"};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (label[0] == strlen(words[i]) && memcmp(label + 1, words[i], label[0]) == 0)
			return true;
	return false;
}

int dns_names_set(struct dns_names *t, const struct dns_claim *c)
{
	uint32_t i = find_record(t, c->vid, c->source, &c->ip), name;
	uint8_t label[DNS_LABEL_SIZE];
	bool is_label = read_label(c->name, label);

	assert(c->vid < VLANS && (int)c->source < SOURCES);
	if (!is_label || (c->source == DNS_OF_LEASE && is_trusted_word(label))) {
		if (i != NIL)
			drop_record(t, i);
		return is_label ? 0 : -EINVAL;
	}
	if (i != NIL && record_at(t, i)->owner == c->owner &&
	    find_name(t, c->vid, label) == record_at(t, i)->name)
		return 0; /* keeps its place among equals */
	if (i != NIL)
		drop_record(t, i);
	name = name_of(t, c->vid, label);
	if (name == NIL)
		return -ENOMEM;
	i = add_record(t, c);
	if (i == NIL) {
		release_name(t, name);
		return -ENOMEM;
	}
	join(t, i, name);
	return 0;
}

void dns_names_drop(struct dns_names *t, uint16_t vid, enum dns_source source, const struct ip *ip)
{
	uint32_t i = find_record(t, vid, (int)source, ip);

	if (i != NIL)
		drop_record(t, i);
}

void dns_names_clear(struct dns_names *t, uint16_t vid, enum dns_source source)
{
	assert(vid < VLANS && (int)source < SOURCES);
	while (t->of[vid][source] != NIL)
		drop_record(t, t->of[vid][source]);
}

bool dns_names_find(const struct dns_names *t, uint16_t vid, const uint8_t *label,
		    struct dns_addresses *out)
{
	const struct record *found[DNS_ADDRESSES_MAX];
	uint32_t i = find_name(t, vid, label);

	out->n = i == NIL ? 0 : answered(t, name_at(t, i), found);
	for (unsigned k = 0; k < out->n; k++)
		out->ip[k] = &found[k]->ip;
	return out->n > 0;
}

bool dns_names_of(const struct dns_names *t, uint16_t vid, const struct ip *ip,
		  uint8_t label[static DNS_LABEL_SIZE])
{
	const struct record *found[DNS_ADDRESSES_MAX];

	for (int source = DNS_OF_RESERVATION; source >= DNS_OF_LEASE; source--) {
		uint32_t i = find_record(t, vid, source, ip);
		const struct name *name = i == NIL ? NULL : name_at(t, record_at(t, i)->name);
		unsigned n = name ? answered(t, name, found) : 0;

		for (unsigned k = 0; k < n; k++) {
			if (found[k] != record_at(t, i))
				continue;
			memcpy(label, name->label, 1u + name->label[0]);
			return true;
		}
	}
	return false;
}
