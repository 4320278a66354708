/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard: the table: which port has which address, set by the control thread and, for IPv6, learned from what guests show.
 *
 * guard_check.c asks it of each frame; lessor.c and apply.c say what is bound.  guard_internal.h draws the two halves: claims,
 * which are found by address, and the places of each port.  A claim and its place are made and removed together, under the
 * lock.
 *
 *   (VLAN, address)   fixed       by the configuration
 *                     leased      by a lease                    at most one of each, all on the same port
 *                     learned     by first come (RFC 6620 3.2)  alone
 *
 * What the configuration binds is taken by nobody else; a lease takes what another port leased or learned.
 *
 * Memory.  One piece that the kernel gives by the page: ports without a binding cost nothing.  When the claims are all in use
 * (GUARD_CLAIMS) nothing more is bound or learned; what is there stays.
 *
 * Deliberately missing: RFC 6620's question to the holder of an address (its TESTING states).  Who used it within
 * GUARD_IDLE_S has it; of guests without a guard, who the gateway knows to have it.
 *
 * Trust.  Workers come with addresses that a guest wrote; only whole IPv6 addresses, of a MAC that was checked.
 */
#include "switch/guard.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "switch/guard_internal.h"

enum { LOCK_TRIES = 2000 };

/* --- the lock ---------------------------------------------------------------------------- */

static void lock(struct guard *g)
{
	while (atomic_flag_test_and_set_explicit(&g->lock, memory_order_acquire))
		sched_yield();
}

/* A worker does not wait for one that was put to sleep while it had the lock. */
static bool try_lock(struct guard *g)
{
	for (unsigned i = 0; i < LOCK_TRIES; i++)
		if (!atomic_flag_test_and_set_explicit(&g->lock, memory_order_acquire))
			return true;
	return false;
}

static void unlock(struct guard *g)
{
	atomic_flag_clear_explicit(&g->lock, memory_order_release);
}

/* --- places ------------------------------------------------------------------------------ */

static struct guard_place *place_of(struct guard *g, const struct guard_claim *c)
{
	return &g->port[c->slot].place[c->at];
}

static bool is_learned(const struct guard_claim *c)
{
	return c->at >= GUARD_BINDINGS;
}

static uint64_t life_of(const struct guard_place *p)
{
	return atomic_load_explicit(&p->life, memory_order_relaxed);
}

static bool is_fixed(struct guard *g, const struct guard_claim *c)
{
	return !is_learned(c) && (life_of(place_of(g, c)) & PLACE_FIXED);
}

/* Dead from here on, and with another generation: before any word of it changes. */
static void place_kill(struct guard_place *p)
{
	uint32_t generation = (uint32_t)life_of(p) & PLACE_GENERATION;

	generation += 1u << 8;
	atomic_store_explicit(&p->life, generation & PLACE_GENERATION, memory_order_release);
}

/* Of a dead one.  The words are released after the generation, and life after the words: see guard_read(). */
static void place_set(struct guard_place *p, uint64_t who, const uint64_t ip[static 2],
		      uint32_t time_s, unsigned flags)
{
	uint64_t generation = life_of(p) & PLACE_GENERATION;

	atomic_store_explicit(&p->who, who, memory_order_release);
	atomic_store_explicit(&p->ip[0], ip[0], memory_order_release);
	atomic_store_explicit(&p->ip[1], ip[1], memory_order_release);
	atomic_store_explicit(&p->life, (uint64_t)time_s << PLACE_TIME_SHIFT | generation | flags,
			      memory_order_release);
}

/* How many places of that half are to be looked at. */
static void recount(struct guard_port *port, bool learned)
{
	unsigned first = learned ? GUARD_BINDINGS : 0;
	unsigned n = learned ? GUARD_LEARNED : GUARD_BINDINGS;

	while (n > 0 && !(life_of(&port->place[first + n - 1]) & PLACE_LIVE))
		n--;
	atomic_store_explicit(learned ? &port->n_learned : &port->n_bound, n, memory_order_release);
}

/* --- claims ------------------------------------------------------------------------------ */

/* Multiply and fold with a secret on each side, so that nobody can choose addresses that fall together. */
static uint32_t *head_of(struct guard *g, uint16_t vid, const uint64_t ip[static 2])
{
	unsigned __int128 m = ip[0] ^ g->secret[0] ^ vid;

	m *= ip[1] ^ g->secret[1];
	return &g->head[((uint64_t)m ^ (uint64_t)(m >> 64)) & (GUARD_HEADS - 1)];
}

static bool claim_is(const struct guard_claim *c, uint16_t vid, const uint64_t ip[static 2])
{
	return c->vid == vid && c->ip[0] == ip[0] && c->ip[1] == ip[1];
}

/* The next claim to that address, from number i of its chain on; 0: none. */
static uint32_t claim_from(const struct guard *g, uint32_t i, uint16_t vid,
			   const uint64_t ip[static 2])
{
	while (i && !claim_is(&g->claim[i], vid, ip))
		i = g->claim[i].next;
	return i;
}

static void claim_remove(struct guard *g, uint32_t i)
{
	struct guard_claim *c = &g->claim[i];
	uint32_t *link = head_of(g, c->vid, c->ip);

	place_kill(place_of(g, c));
	recount(&g->port[c->slot], is_learned(c));
	while (*link != i)
		link = &g->claim[*link].next;
	*link = c->next;
	*c = (struct guard_claim){.next = g->free};
	g->free = i;
}

static bool has_free_claim(const struct guard *g)
{
	return g->free || g->n_used < GUARD_CLAIMS;
}

/* One for that place, which is dead. */
static void claim_add(struct guard *g, uint16_t slot, unsigned at, uint16_t vid,
		      const uint64_t ip[static 2])
{
	uint32_t *head = head_of(g, vid, ip), i = g->free ? g->free : ++g->n_used;
	struct guard_claim *c = &g->claim[i];

	if (i == g->free)
		g->free = c->next;
	*c = (struct guard_claim){
		.ip = {ip[0], ip[1]}, .vid = vid, .slot = slot, .at = (uint8_t)at, .next = *head};
	*head = i;
}

/* The claim of a place; 0: it is dead. */
static uint32_t claim_of(struct guard *g, uint16_t slot, unsigned at)
{
	uint64_t life, who, ip[2];
	uint32_t i;

	if (!guard_read(&g->port[slot].place[at], &life, &who, ip))
		return 0;
	i = *head_of(g, who & TCI_VID, ip);
	while (i && (g->claim[i].slot != slot || g->claim[i].at != at))
		i = g->claim[i].next;
	assert(i);
	return i;
}

/* All claims to the address but what this port has bound. */
static void take_from_others(struct guard *g, uint16_t slot, uint16_t vid,
			     const uint64_t ip[static 2])
{
	uint32_t i = claim_from(g, *head_of(g, vid, ip), vid, ip), next;

	for (; i; i = next) {
		next = claim_from(g, g->claim[i].next, vid, ip);
		if (g->claim[i].slot != slot || is_learned(&g->claim[i]))
			claim_remove(g, i);
	}
}

/* --- what may be learned ----------------------------------------------------------------- */

static bool is_link_local(const struct ip *ip)
{
	static const uint8_t prefix[8] = {0xfe, 0x80}; /* RFC 4291 2.5.6 */

	return memcmp(ip->b, prefix, sizeof(prefix)) == 0;
}

/* Of the gateway: by its MAC (RFC 4291 appendix A). */
static bool is_own_link_local(const struct guard_net *n, const struct ip *ip)
{
	const uint8_t *m = n->gateway.b;
	uint8_t id[8] = {m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};

	return !mac_is_zero(&n->gateway) && is_link_local(ip) && memcmp(ip->b + 8, id, 8) == 0;
}

static bool is_own(const struct guard_net *n, const struct ip *ip)
{
	return n && (ip_equal(ip, &n->own4) || ip_equal(ip, &n->own6) || is_own_link_local(n, ip));
}

/* The anycast address of routers: the prefix, and zeros (RFC 4291 2.6.1). */
static bool is_anycast(const struct ip *ip, unsigned prefix_len)
{
	unsigned at = prefix_len / 8;

	if (prefix_len % 8 && (ip->b[at++] & (0xff >> prefix_len % 8)))
		return false;
	while (at < sizeof(ip->b) && ip->b[at] == 0)
		at++;
	return at == sizeof(ip->b);
}

static bool may_learn(const struct guard *g, uint16_t vid, const struct ip *ip)
{
	const struct guard_net *n = g->net[vid];

	if (is_own(n, ip))
		return false;
	if (is_link_local(ip))
		return !is_anycast(ip, 64);
	return n && n->slaac.is_set && prefix_holds(&n->slaac, ip) && !is_anycast(ip, n->slaac.len);
}

/* --- learning: workers ------------------------------------------------------------------- */

/* Does it keep the asker from the address?  Not what the port itself learned, or has bound for that MAC. */
static bool is_in_the_way(struct guard *g, const struct guard_claim *c, const struct guard_wish *w)
{
	const struct guard_place *p = place_of(g, c);
	uint64_t life = life_of(p), who = atomic_load_explicit(&p->who, memory_order_relaxed);

	if (is_learned(c))
		return c->slot != w->slot && !guard_is_idle(life, w->now_s);
	if (c->slot == w->slot && (who == w->who || who == (w->who & TCI_VID)))
		return false;
	return w->now_s < guard_time(life);
}

static bool is_free_for(struct guard *g, const struct guard_wish *w, const uint64_t ip[static 2])
{
	uint16_t vid = w->who & TCI_VID;
	uint32_t i = claim_from(g, *head_of(g, vid, ip), vid, ip);

	while (i && !is_in_the_way(g, &g->claim[i], w))
		i = claim_from(g, g->claim[i].next, vid, ip);
	return i == 0;
}

/*
 * A learned place of the port that may be taken, or -1: a dead one, else the one that is idle for longest, or that another MAC
 * of this VLAN made, since the port has the asker's now.
 */
static int spare_place(const struct guard_port *port, const struct guard_wish *w)
{
	uint32_t oldest = UINT32_MAX;
	int found = -1;

	for (int at = GUARD_BINDINGS; at < GUARD_PLACES; at++) {
		uint64_t life = life_of(&port->place[at]);
		uint64_t who = atomic_load_explicit(&port->place[at].who, memory_order_relaxed);
		bool is_stale = guard_is_idle(life, w->now_s) ||
				(who != w->who && !((who ^ w->who) & TCI_VID));

		if (!(life & PLACE_LIVE))
			return at;
		if (is_stale && guard_time(life) < oldest) {
			oldest = guard_time(life);
			found = at;
		}
	}
	return found;
}

static enum guard_answer learn_locked(struct guard *g, const struct guard_wish *w)
{
	struct guard_port *port = &g->port[w->slot];
	uint16_t vid = w->who & TCI_VID;
	uint64_t ip[2];
	int at;

	memcpy(ip, &w->ip, sizeof(ip));
	if (!may_learn(g, vid, &w->ip))
		return GUARD_NEVER;
	if (!is_free_for(g, w, ip))
		return GUARD_OTHER;
	take_from_others(g, w->slot, vid, ip);
	at = spare_place(port, w);
	if (at < 0)
		return GUARD_FULL;
	if (life_of(&port->place[at]) & PLACE_LIVE)
		claim_remove(g, claim_of(g, w->slot, (unsigned)at));
	if (!has_free_claim(g))
		return GUARD_FULL;
	claim_add(g, w->slot, (unsigned)at, vid, ip);
	place_set(&port->place[at], w->who, ip, w->now_s, PLACE_LIVE);
	recount(port, true);
	return GUARD_YES;
}

/* Could it be learned, as far as the table says?  That, or whether it is free, under the lock. */
static enum guard_answer ask_table(struct guard *g, const struct guard_wish *w, bool is_to_learn)
{
	enum guard_answer answer;
	uint64_t ip[2];

	memcpy(ip, &w->ip, sizeof(ip));
	if (!try_lock(g))
		return GUARD_BUSY;
	if (is_to_learn && !may_learn(g, w->who & TCI_VID, &w->ip))
		answer = GUARD_NEVER;
	else
		answer = is_free_for(g, w, ip) ? GUARD_YES : GUARD_OTHER;
	unlock(g);
	return answer;
}

/* Not with the lock held: who is asked takes others.  Last of all, since that is the dearest question. */
static enum guard_answer ask_others(const struct guard *g, const struct guard_wish *w)
{
	uint64_t bytes = htole64(w->who >> 16);
	struct mac mac;

	memcpy(&mac, &bytes, sizeof(mac));
	if (g->is_others && g->is_others(g->others_arg, w->who & TCI_VID, &w->ip, &mac, w->slot))
		return GUARD_OTHER;
	return GUARD_YES;
}

enum guard_answer guard_learn(struct guard *g, const struct guard_wish *w)
{
	enum guard_answer answer;

	/* A guest that shows ever new addresses does not take the lock for each. */
	if (spare_place(&g->port[w->slot], w) < 0)
		return GUARD_FULL;
	answer = ask_table(g, w, true);
	if (answer == GUARD_YES)
		answer = ask_others(g, w);
	if (answer != GUARD_YES)
		return answer;
	if (!try_lock(g))
		return GUARD_BUSY;
	answer = learn_locked(g, w);
	unlock(g);
	return answer;
}

enum guard_answer guard_free_for(struct guard *g, const struct guard_wish *w)
{
	enum guard_answer answer = ask_table(g, w, false);

	return answer == GUARD_YES ? ask_others(g, w) : answer;
}

/* --- control ----------------------------------------------------------------------------- */

/* The claims to an address before it is bound anew. */
struct holders {
	uint32_t same;	  /* of the port and of this kind */
	bool other_fixed; /* the configuration says another port */
};

static struct holders holders_of(struct guard *g, uint16_t slot, const struct guard_binding *b,
				 const uint64_t ip[static 2])
{
	struct holders h = {0};
	uint32_t i;

	for (i = claim_from(g, *head_of(g, b->vid, ip), b->vid, ip); i;
	     i = claim_from(g, g->claim[i].next, b->vid, ip)) {
		const struct guard_claim *c = &g->claim[i];
		bool fixed = is_fixed(g, c);

		if (c->slot == slot && !is_learned(c) && fixed == b->is_fixed)
			h.same = i;
		h.other_fixed |= c->slot != slot && fixed;
	}
	return h;
}

/* A place for a binding, or -1. */
static int free_place(const struct guard_port *port)
{
	for (int at = 0; at < GUARD_BINDINGS; at++)
		if (!(life_of(&port->place[at]) & PLACE_LIVE))
			return at;
	return -1;
}

static int bind_locked(struct guard *g, uint16_t slot, const struct guard_binding *b)
{
	struct guard_port *port = &g->port[slot];
	fdb_key who = fdb_key_of(b->mac.b, b->vid);
	struct holders h;
	uint64_t ip[2];
	int at;

	memcpy(ip, &b->ip, sizeof(ip));
	h = holders_of(g, slot, b, ip);
	if (is_own(g->net[b->vid], &b->ip) || (h.other_fixed && !b->is_fixed))
		return -EADDRINUSE;
	at = h.same ? g->claim[h.same].at : free_place(port);
	if (at < 0 || (!h.same && !has_free_claim(g)))
		return -ENOSPC;
	/* commit */
	take_from_others(g, slot, b->vid, ip);
	if (!h.same)
		claim_add(g, slot, (unsigned)at, b->vid, ip);
	else if (atomic_load_explicit(&port->place[at].who, memory_order_relaxed) != who)
		place_kill(&port->place[at]);
	place_set(&port->place[at], who, ip, b->end_s,
		  PLACE_LIVE | (b->is_fixed ? PLACE_FIXED : 0));
	recount(port, false);
	return 0;
}

int guard_bind(struct guard *g, uint16_t slot, const struct guard_binding *b)
{
	int err;

	assert(slot < SLOT_MAX && b->vid > 0 && b->vid < GUARD_VLANS);
	lock(g);
	err = bind_locked(g, slot, b);
	unlock(g);
	return err;
}

void guard_unbind(struct guard *g, uint16_t vid, const struct ip *ip, bool fixed)
{
	uint64_t half[2];
	uint32_t i;

	memcpy(half, ip, sizeof(half));
	lock(g);
	i = claim_from(g, *head_of(g, vid, half), vid, half);
	while (i && (is_learned(&g->claim[i]) || is_fixed(g, &g->claim[i]) != fixed))
		i = claim_from(g, g->claim[i].next, vid, half);
	if (i)
		claim_remove(g, i);
	unlock(g);
}

/* Is it among those? */
static bool is_listed(const struct guard_claim *c, const struct guard_binding *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t ip[2];

		memcpy(ip, &b[i].ip, sizeof(ip));
		if (claim_is(c, b[i].vid, ip))
			return true;
	}
	return false;
}

void guard_forget(struct guard *g, uint16_t slot)
{
	/* One place at a time, so that no worker waits for long. */
	for (unsigned at = 0; at < GUARD_PLACES; at++) {
		uint32_t i;

		lock(g);
		i = claim_of(g, slot, at);
		if (i)
			claim_remove(g, i);
		unlock(g);
	}
}

int guard_set_fixed(struct guard *g, uint16_t slot, const struct guard_binding *b, unsigned n)
{
	int err = 0;

	for (unsigned at = 0; at < GUARD_BINDINGS; at++) {
		uint32_t i;

		lock(g);
		i = claim_of(g, slot, at);
		if (i && is_fixed(g, &g->claim[i]) && !is_listed(&g->claim[i], b, n))
			claim_remove(g, i);
		unlock(g);
	}
	for (unsigned i = 0; i < n; i++) {
		int bad = guard_bind(g, slot, &b[i]);

		err = err ? err : bad;
	}
	return err;
}

/* What was learned of a prefix that is not announced any more, or is the switch's own now. */
static void forget_unlearnable(struct guard *g, uint32_t i, uint16_t vid)
{
	const struct guard_claim *c = &g->claim[i];
	struct ip ip;

	lock(g);
	memcpy(&ip, c->ip, sizeof(ip));
	if (c->vid == vid && is_learned(c) && !may_learn(g, vid, &ip))
		claim_remove(g, i);
	unlock(g);
}

static bool is_same_net(const struct guard_net *a, const struct guard_net *b)
{
	return a->slaac.is_set == b->slaac.is_set && a->slaac.len == b->slaac.len &&
	       ip_equal(&a->slaac.ip, &b->slaac.ip) && ip_equal(&a->own4, &b->own4) &&
	       ip_equal(&a->own6, &b->own6) && memcmp(&a->gateway, &b->gateway, 6) == 0;
}

int guard_net(struct guard *g, const struct guard_net *n)
{
	struct guard_net *fresh = calloc(1, sizeof(*fresh)), *old;
	uint32_t last;

	assert(n->vid > 0 && n->vid < GUARD_VLANS);
	if (!fresh)
		return -ENOMEM;
	*fresh = *n;
	lock(g);
	old = g->net[n->vid];
	g->net[n->vid] = fresh;
	last = old && is_same_net(old, n) ? 0 : g->n_used;
	unlock(g);
	free(old);
	for (uint32_t i = 1; i <= last; i++)
		forget_unlearnable(g, i, n->vid);
	return 0;
}

void guard_each(const struct guard *g, uint16_t slot,
		void (*fn)(void *arg, const struct guard_binding *b, bool is_learned), void *arg)
{
	for (unsigned at = 0; at < GUARD_PLACES; at++) {
		struct guard_binding b = {0};
		uint64_t life, who, ip[2], mac;

		if (!guard_read(&g->port[slot].place[at], &life, &who, ip))
			continue;
		b.vid = who & TCI_VID;
		mac = htole64(who >> 16);
		memcpy(&b.mac, &mac, sizeof(b.mac));
		memcpy(&b.ip, ip, sizeof(b.ip));
		b.end_s = at < GUARD_BINDINGS ? guard_time(life) : UINT32_MAX;
		b.is_fixed = life & PLACE_FIXED;
		fn(arg, &b, at >= GUARD_BINDINGS);
	}
}

/* --- life -------------------------------------------------------------------------------- */

struct guard *guard_create(const uint64_t secret[2])
{
	/* calloc: pages that nobody touched are not there. */
	uint8_t *memory = calloc(1, sizeof(struct guard) + _Alignof(struct guard));
	struct guard *g;

	if (!memory)
		return NULL;
	g = (struct guard *)(void *)(memory + _Alignof(struct guard) -
				     (uintptr_t)memory % _Alignof(struct guard));
	g->memory = memory;
	g->secret[0] = secret[0];
	g->secret[1] = secret[1];
	atomic_flag_clear(&g->lock);
	return g;
}

void guard_ask_others(struct guard *g, guard_others *is_others, void *arg)
{
	g->is_others = is_others;
	g->others_arg = arg;
}

void guard_destroy(struct guard *g)
{
	if (!g)
		return;
	for (unsigned vid = 0; vid < GUARD_VLANS; vid++)
		free(g->net[vid]);
	free(g->memory);
}
