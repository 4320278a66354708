/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_wait: the tables of questions that are out.
 *
 * How it fits.  dns.c drives it.
 *
 * Theory of operation.  Questions lie in a table by place; all have the same patience, so the list in which they began is the
 * one in which they end.  Who waits lies in a pool:
 *
 *   head[hash] -> out -> out       out.first -> waiter -> waiter <- out.last
 *   oldest -> ... -> newest        conn_head[conn] -> waiter -> ...      those of TCP, to be forgotten with their connection
 *
 * A token is the place and a number that no question of that place had before, the first one drawn from the secret.
 *
 * Trust.  Names were read, tokens come back from the resolver and are compared whole.
 */
#include "dhcp/dns_wait.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/dns_hash.h"

enum {
	HEADS = 1024,
	CONN_HEADS = 256,
	POOL = DNS_OUT_MAX * DNS_WAIT_MAX,
	NIL = 0xffff, /* of places of questions */
	NOBODY = 0,   /* of the pool, whose place 0 is not used */
	PLACE_BITS = 9,
	SLOTS = 1 << 16,
};
_Static_assert(DNS_OUT_MAX == 1 << PLACE_BITS, "a place fits into a token");

struct waiting {
	struct dns_waiter w;
	uint32_t next; /* of its question; of a free one: the next free one */
	uint32_t conn_next, conn_prev;
	uint16_t place; /* of its question */
	uint32_t prev;
};

struct dns_waits {
	uint16_t head[HEADS];
	uint16_t oldest, newest, free; /* free: list by chain */
	uint32_t used, free_waiting;   /* of the pool: places that were ever taken; list */
	uint32_t conn_head[CONN_HEADS];
	uint16_t of_slot[SLOTS]; /* questions that it pays for */
	struct dns_out out[DNS_OUT_MAX];
	struct waiting pool[1 + POOL];
};

static uint32_t *conn_head(struct dns_waits *w, uint64_t conn)
{
	return &w->conn_head[(conn ^ conn >> 32) % CONN_HEADS];
}

struct dns_waits *dns_waits_create(const uint64_t secret[2])
{
	struct dns_waits *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	memset(w->head, 0xff, sizeof(w->head));
	w->oldest = w->newest = NIL;
	for (uint16_t i = 0; i < DNS_OUT_MAX; i++) {
		struct dns_out *o = &w->out[i];

		o->place = i;
		o->chain = i + 1 < DNS_OUT_MAX ? (uint16_t)(i + 1) : NIL;
		o->token = (uint32_t)dns_hash(secret, i, "token", 5) << PLACE_BITS | i;
	}
	return w;
}

void dns_waits_destroy(struct dns_waits *w)
{
	free(w);
}

/* --- Questions --------------------------------------------------------------------------- */

static bool is_same(const struct dns_key *a, const struct dns_key *b)
{
	return a->hash == b->hash && a->type == b->type && a->len == b->len &&
	       a->is_do == b->is_do && a->is_cd == b->is_cd &&
	       memcmp(a->name, b->name, a->len) == 0;
}

struct dns_out *dns_wait_find(struct dns_waits *w, const struct dns_key *k)
{
	uint16_t i = w->head[k->hash % HEADS];

	while (i != NIL && !is_same(&w->out[i].key, k))
		i = w->out[i].chain;
	return i == NIL ? NULL : &w->out[i];
}

struct dns_out *dns_wait_of(struct dns_waits *w, uint32_t token)
{
	struct dns_out *o = &w->out[token % DNS_OUT_MAX];

	return o->is_linked && o->token == token ? o : NULL;
}

struct dns_out *dns_wait_oldest(struct dns_waits *w)
{
	return w->oldest == NIL ? NULL : &w->out[w->oldest];
}

struct dns_out *dns_wait_begin(struct dns_waits *w, const struct dns_key *k, uint16_t slot,
			       uint64_t now_ms)
{
	uint16_t place = w->free, *head = &w->head[k->hash % HEADS];
	struct dns_out *o;

	if (place == NIL || w->of_slot[slot] >= DNS_OUT_PORT)
		return NULL;
	o = &w->out[place];
	w->free = o->chain;
	w->of_slot[slot]++;
	memcpy(o->name, k->name, k->len);
	o->key = *k;
	o->key.name = o->name;
	o->due_ms = now_ms + DNS_PATIENCE_MS;
	o->slot = slot;
	o->is_linked = true;
	o->n_waits = 0;
	o->first = o->last = NOBODY;
	o->chain = *head;
	*head = place;
	o->older = w->newest;
	o->newer = NIL;
	if (w->newest == NIL)
		w->oldest = place;
	else
		w->out[w->newest].newer = place;
	w->newest = place;
	return o;
}

void dns_wait_unlink(struct dns_waits *w, struct dns_out *o)
{
	uint16_t *at = &w->head[o->key.hash % HEADS];

	assert(o->is_linked);
	while (*at != o->place)
		at = &w->out[*at].chain;
	*at = o->chain;
	if (o->older == NIL)
		w->oldest = o->newer;
	else
		w->out[o->older].newer = o->newer;
	if (o->newer == NIL)
		w->newest = o->older;
	else
		w->out[o->newer].older = o->older;
	w->of_slot[o->slot]--;
	o->is_linked = false;
}

void dns_wait_free(struct dns_waits *w, struct dns_out *o)
{
	assert(!o->is_linked && o->n_waits == 0);
	o->token += DNS_OUT_MAX;
	o->chain = w->free;
	w->free = o->place;
}

/* --- Who waits --------------------------------------------------------------------------- */

static uint32_t take_waiting(struct dns_waits *w)
{
	uint32_t i = w->free_waiting;

	if (i == NOBODY)
		return ++w->used; /* POOL is what all questions can have */
	w->free_waiting = w->pool[i].next;
	return i;
}

static void leave_conn(struct dns_waits *w, uint32_t i)
{
	const struct waiting *p = &w->pool[i];

	if (!p->w.asker.is_tcp)
		return;
	if (p->conn_prev == NOBODY)
		*conn_head(w, p->w.asker.conn) = p->conn_next;
	else
		w->pool[p->conn_prev].conn_next = p->conn_next;
	if (p->conn_next != NOBODY)
		w->pool[p->conn_next].conn_prev = p->conn_prev;
}

static void leave(struct dns_waits *w, uint32_t i)
{
	struct waiting *p = &w->pool[i];
	struct dns_out *o = &w->out[p->place];

	leave_conn(w, i);
	if (p->prev == NOBODY)
		o->first = p->next;
	else
		w->pool[p->prev].next = p->next;
	if (p->next == NOBODY)
		o->last = p->prev;
	else
		w->pool[p->next].prev = p->prev;
	o->n_waits--;
	p->next = w->free_waiting;
	w->free_waiting = i;
}

static bool is_again(const struct dns_waiter *a, const struct dns_asker *b, uint16_t id)
{
	const struct dns_asker *x = &a->asker;

	return a->h.id == id && x->vid == b->vid && x->slot == b->slot && x->is_tcp == b->is_tcp &&
	       x->sport == b->sport && x->conn == b->conn && ip_equal(&x->src, &b->src) &&
	       ip_equal(&x->dst, &b->dst);
}

static void note_capitals(struct dns_waiter *p, const struct dns_question *q)
{
	memset(p->upper, 0, sizeof(p->upper));
	for (unsigned i = 0; i < q->len; i++)
		if (q->asked[i] != q->name[i])
			p->upper[i / 8] |= (uint8_t)(1 << i % 8);
}

bool dns_wait_join(struct dns_waits *w, struct dns_out *o, const struct dns_asker *asker,
		   const struct dns_question *q)
{
	unsigned of_port = 0;
	struct waiting *p;
	uint32_t i, *head;

	for (i = o->first; i != NOBODY; i = p->next) {
		p = &w->pool[i];
		if (is_again(&p->w, asker, q->h.id))
			return true;
		of_port += p->w.asker.slot == asker->slot;
	}
	if (o->n_waits >= DNS_WAIT_MAX || of_port >= DNS_WAIT_PORT)
		return false;
	i = take_waiting(w);
	assert(i <= POOL);
	p = &w->pool[i];
	*p = (struct waiting){
		.w = {.asker = *asker, .h = q->h}, .prev = o->last, .place = o->place};
	note_capitals(&p->w, q);
	if (o->last == NOBODY)
		o->first = i;
	else
		w->pool[o->last].next = i;
	o->last = i;
	o->n_waits++;
	if (!asker->is_tcp)
		return true;
	head = conn_head(w, asker->conn);
	p->conn_next = *head;
	if (*head != NOBODY)
		w->pool[*head].conn_prev = i;
	*head = i;
	return true;
}

bool dns_wait_pop(struct dns_waits *w, struct dns_out *o, struct dns_waiter *out)
{
	uint32_t i = o->first;

	if (i == NOBODY)
		return false;
	*out = w->pool[i].w;
	leave(w, i);
	return true;
}

void dns_wait_forget(struct dns_waits *w, uint64_t conn)
{
	uint32_t next;

	for (uint32_t i = *conn_head(w, conn); i != NOBODY; i = next) {
		next = w->pool[i].conn_next;
		if (w->pool[i].w.asker.conn == conn)
			leave(w, i);
	}
}

void dns_wait_asked(const struct dns_waiter *w, const struct dns_key *k,
		    uint8_t name[static DNS_NAME_MAX])
{
	for (unsigned i = 0; i < k->len; i++)
		name[i] = (uint8_t)(k->name[i] - (w->upper[i / 8] >> i % 8 & 1 ? 'a' - 'A' : 0));
}
