/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * neigh: the neighbour table.
 *
 * gateway_hop.c asks for the MAC of each next hop; gateway_arp.c and gateway_nd.c say what they heard and send the questions.
 *
 * Theory of operation.  Entries lie in the region; beside each one, in private memory, are its links:
 *
 *   index    keyed hash -> chain of entries                    (found anew when the process starts)
 *   due      entries with a question open, in the order in which their second ends
 *   asking   of each VLAN: its INCOMPLETE entries, the oldest first, to make room
 *   ready    queue of frames whose MAC is known now            failed   queue of those that nobody answered for
 *
 * Nothing is swept: an entry that was not used for long is passed over by neigh_list() and taken when its room is needed, so
 * that an idle switch sleeps.  In front of the index is a small cache of confirmed entries, good for a second, which is what a
 * packet on a busy path meets.
 *
 * RFC 826, RFC 1122 2.3.2, RFC 4861 7.3.
 *
 * Trust.  The region may have been written by a crashed switch: an entry is kept only if every field of it is within
 * bounds and no other has its key.  What is learned is what a neighbour says; the header says how far it is believed.
 */
#include "switch/neigh.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	NIL = 0xffff,
	HEADS = 16384, /* chains of the index */
	CACHE = 512,
	VLANS = 4096,
	HAND_STEPS = 64, /* entries that are looked at to find one that may go */
	CLAIM_REST_S = 1,
};

static const uint64_t SECOND_NS = 1000000000;

/* What is private of an entry. */
struct extra {
	uint64_t due_ns; /* the next question, or the end */
	uint16_t next;	 /* of its chain in the index */
	uint16_t due_next, due_prev;
	uint16_t asking_next, asking_prev;
	bool is_due; /* in the list */
	uint8_t n_wait;
	uint16_t wait[NEIGH_WAIT]; /* places in the hold, the oldest first */
};

struct vlan_state {
	uint16_t entries, asking, waits; /* counts */
	uint16_t first, last;		 /* INCOMPLETE ones */
};

struct cached {
	struct ip ip;
	uint64_t until_ns; /* 0: none */
	uint16_t vid;
	struct mac mac;
};

struct queued {
	struct ip ip;
	uint16_t vid, place;
	struct mac mac;
};

struct queue { /* never more than there are places */
	struct queued q[HOLD_PLACES];
	unsigned head, n;
};

struct neigh {
	struct neigh_entry *entry; /* NEIGH_MAX of the region */
	struct hold *hold;
	uint64_t seed[2];
	uint64_t lost;
	uint32_t now_s;
	uint16_t due_first, due_last, hand;
	unsigned n_free;
	struct queue ready, failed;
	uint16_t free[NEIGH_MAX], head[HEADS];
	struct vlan_state vlan[VLANS];
	struct cached cache[CACHE];
	struct extra extra[NEIGH_MAX];
};

/* --- links ------------------------------------------------------------------------------- */

/* Multiply and fold with a secret on each side, so that nobody can choose addresses that fall together. */
static uint64_t hash_of(const struct neigh *n, uint16_t vid, const struct ip *ip)
{
	unsigned __int128 m;
	uint64_t half[2];

	memcpy(half, ip, sizeof(half));
	m = (unsigned __int128)(half[0] ^ n->seed[0] ^ vid) * (half[1] ^ n->seed[1]);
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static uint16_t *head_of(struct neigh *n, uint16_t vid, const struct ip *ip)
{
	return &n->head[hash_of(n, vid, ip) & (HEADS - 1)];
}

static uint16_t find(struct neigh *n, uint16_t vid, const struct ip *ip)
{
	uint16_t i = *head_of(n, vid, ip);

	while (i != NIL && !(n->entry[i].vid == vid && ip_equal(&n->entry[i].ip, ip)))
		i = n->extra[i].next;
	return i;
}

static bool is_cached(const struct cached *c, uint16_t vid, const struct ip *ip)
{
	uint64_t x[2], y[2];

	memcpy(x, &c->ip, sizeof(x));
	memcpy(y, ip, sizeof(y));
	return x[0] == y[0] && x[1] == y[1] && c->vid == vid;
}

static struct cached *cached_of(struct neigh *n, uint16_t vid, const struct ip *ip)
{
	return &n->cache[(ip->b[15] ^ ip->b[14] << 3 ^ vid * 37u) & (CACHE - 1)];
}

static void cache_forget(struct neigh *n, uint16_t vid, const struct ip *ip)
{
	struct cached *c = cached_of(n, vid, ip);

	if (is_cached(c, vid, ip))
		c->until_ns = 0;
}

static void due_remove(struct neigh *n, uint16_t i)
{
	struct extra *x = &n->extra[i];

	if (!x->is_due)
		return;
	*(x->due_prev == NIL ? &n->due_first : &n->extra[x->due_prev].due_next) = x->due_next;
	*(x->due_next == NIL ? &n->due_last : &n->extra[x->due_next].due_prev) = x->due_prev;
	x->is_due = false;
}

/* At the end: all wait equally long, so that the list stays in order of time. */
static void due_add(struct neigh *n, uint16_t i, uint64_t due_ns)
{
	struct extra *x = &n->extra[i];

	due_remove(n, i);
	x->is_due = true;
	x->due_ns = due_ns;
	x->due_next = NIL;
	x->due_prev = n->due_last;
	*(n->due_last == NIL ? &n->due_first : &n->extra[n->due_last].due_next) = i;
	n->due_last = i;
}

/* In front: it is due at once. */
static void due_first(struct neigh *n, uint16_t i, uint64_t now_ns)
{
	struct extra *x = &n->extra[i];

	due_remove(n, i);
	x->is_due = true;
	x->due_ns = now_ns;
	x->due_prev = NIL;
	x->due_next = n->due_first;
	*(n->due_first == NIL ? &n->due_last : &n->extra[n->due_first].due_prev) = i;
	n->due_first = i;
}

static void asking_add(struct neigh *n, uint16_t i)
{
	struct vlan_state *v = &n->vlan[n->entry[i].vid];
	struct extra *x = &n->extra[i];

	x->asking_next = NIL;
	x->asking_prev = v->last;
	*(v->last == NIL ? &v->first : &n->extra[v->last].asking_next) = i;
	v->last = i;
	v->asking++;
}

static void asking_remove(struct neigh *n, uint16_t i)
{
	struct vlan_state *v = &n->vlan[n->entry[i].vid];
	struct extra *x = &n->extra[i];

	*(x->asking_prev == NIL ? &v->first : &n->extra[x->asking_prev].asking_next) =
		x->asking_next;
	*(x->asking_next == NIL ? &v->last : &n->extra[x->asking_next].asking_prev) =
		x->asking_prev;
	v->asking--;
}

static void queue_push(struct queue *q, const struct queued *what)
{
	assert(q->n < HOLD_PLACES);
	q->q[(q->head + q->n++) % HOLD_PLACES] = *what;
}

static bool queue_pop(struct queue *q, struct queued *what)
{
	if (q->n == 0)
		return false;
	*what = q->q[q->head];
	q->head = (q->head + 1) % HOLD_PLACES;
	q->n--;
	return true;
}

/* --- entries ----------------------------------------------------------------------------- */

/* What waits for it goes to a queue, or is lost when that is NULL. */
static void drain(struct neigh *n, uint16_t i, struct queue *to)
{
	const struct neigh_entry *e = &n->entry[i];
	struct extra *x = &n->extra[i];

	for (unsigned k = 0; k < x->n_wait; k++) {
		struct queued q = {e->ip, e->vid, x->wait[k], e->mac};

		if (to) {
			queue_push(to, &q);
			continue;
		}
		hold_free(n->hold, x->wait[k]);
		n->lost++;
	}
	n->vlan[e->vid].waits -= x->n_wait;
	x->n_wait = 0;
}

static void set_state(struct neigh *n, uint16_t i, enum neigh_state state)
{
	struct neigh_entry *e = &n->entry[i];

	if (e->state == NEIGH_INCOMPLETE && state != NEIGH_INCOMPLETE)
		asking_remove(n, i);
	if (e->state != NEIGH_INCOMPLETE && state == NEIGH_INCOMPLETE)
		asking_add(n, i);
	if (state != NEIGH_INCOMPLETE && state != NEIGH_PROBE)
		due_remove(n, i);
	e->state = (uint8_t)state;
}

static void remove_entry(struct neigh *n, uint16_t i)
{
	struct neigh_entry *e = &n->entry[i];
	uint16_t *link = head_of(n, e->vid, &e->ip);

	drain(n, i, NULL);
	set_state(n, i, NEIGH_NONE);
	while (*link != i)
		link = &n->extra[*link].next;
	*link = n->extra[i].next;
	cache_forget(n, e->vid, &e->ip);
	n->vlan[e->vid].entries--;
	*e = (struct neigh_entry){0};
	n->free[n->n_free++] = i;
}

static bool is_forgotten(const struct neigh *n, const struct neigh_entry *e)
{
	return e->state == NEIGH_STALE &&
	       (e->used_s > n->now_s + 1 || n->now_s > e->used_s + NEIGH_STALE_S);
}

/* Makes room for one more on that VLAN. */
static void make_room(struct neigh *n, uint16_t vid)
{
	struct vlan_state *v = &n->vlan[vid];
	bool is_full = v->entries >= NEIGH_VLAN_MAX;

	if (v->first != NIL) {
		remove_entry(n, v->first);
		return;
	}
	if (!is_full && n->due_first != NIL && n->entry[n->due_first].state == NEIGH_INCOMPLETE) {
		remove_entry(n, n->due_first);
		return;
	}
	for (unsigned k = 0; k < HAND_STEPS; k++) {
		uint16_t i = n->hand;
		const struct neigh_entry *e = &n->entry[i];

		n->hand = (uint16_t)((i + 1) % NEIGH_MAX);
		/* One that nobody ever confirmed is as good as forgotten: made by whoever spoke. */
		if (e->state == NEIGH_STALE && (!is_full || e->vid == vid) &&
		    (e->seen_s == 0 || is_forgotten(n, e))) {
			remove_entry(n, i);
			return;
		}
	}
}

/* A new entry, STALE; NIL: no room. */
static uint16_t make_entry(struct neigh *n, uint16_t vid, const struct ip *ip)
{
	struct vlan_state *v = &n->vlan[vid];
	uint16_t i, *head;

	if (n->n_free == 0 || v->entries >= NEIGH_VLAN_MAX)
		make_room(n, vid);
	if (n->n_free == 0 || v->entries >= NEIGH_VLAN_MAX)
		return NIL;
	i = n->free[--n->n_free];
	n->entry[i] = (struct neigh_entry){
		.ip = *ip, .vid = vid, .state = NEIGH_STALE, .used_s = n->now_s};
	n->extra[i] = (struct extra){0};
	head = head_of(n, vid, ip);
	n->extra[i].next = *head;
	*head = i;
	v->entries++;
	return i;
}

static void see(struct neigh *n, uint64_t now_ns)
{
	uint32_t now_s = (uint32_t)(now_ns / (uint64_t)SECOND_NS);

	if (now_s > n->now_s)
		n->now_s = now_s;
}

/* --- looking up -------------------------------------------------------------------------- */

static bool keep_waiting(struct neigh *n, uint16_t i, const struct neigh_wish *w)
{
	struct vlan_state *v = &n->vlan[w->vid];
	struct extra *x = &n->extra[i];
	uint16_t place;

	if (x->n_wait == NEIGH_WAIT) {
		hold_free(n->hold, x->wait[0]);
		memmove(x->wait, x->wait + 1, (NEIGH_WAIT - 1) * sizeof(x->wait[0]));
		x->n_wait--;
		v->waits--;
		n->lost++;
	}
	if (v->waits >= NEIGH_WAIT_VLAN)
		return false;
	place = hold_put(n->hold, w->f, w->from);
	if (place == HOLD_NONE)
		return false;
	x->wait[x->n_wait++] = place;
	v->waits++;
	return true;
}

/* A new question: this one, by the caller. */
static void begin(struct neigh *n, uint16_t i, enum neigh_state state, uint64_t now_ns)
{
	set_state(n, i, state);
	n->entry[i].asked = 1;
	due_add(n, i, now_ns + NEIGH_ASK_S * SECOND_NS);
}

static enum neigh_answer resolve_unknown(struct neigh *n, uint16_t i, const struct neigh_wish *w,
					 uint64_t now_ns, bool *ask)
{
	if (i == NIL) {
		if (n->vlan[w->vid].asking >= NEIGH_ASKING_VLAN)
			remove_entry(n, n->vlan[w->vid].first);
		i = make_entry(n, w->vid, &w->ip);
		if (i == NIL)
			return NEIGH_FULL;
		begin(n, i, NEIGH_INCOMPLETE, now_ns);
		*ask = true;
	}
	return !w->f || keep_waiting(n, i, w) ? NEIGH_WAITS : NEIGH_FULL;
}

static __attribute__((noinline)) enum neigh_answer resolve(struct neigh *n,
							   const struct neigh_wish *w,
							   uint64_t now_ns, struct mac *mac,
							   bool *ask)
{
	struct neigh_entry *e;
	uint16_t i;

	see(n, now_ns);
	i = find(n, w->vid, &w->ip);
	if (i == NIL || n->entry[i].state == NEIGH_INCOMPLETE)
		return resolve_unknown(n, i, w, now_ns, ask);
	e = &n->entry[i];
	e->used_s = n->now_s;
	*mac = e->mac;
	if (e->state == NEIGH_REACHABLE && n->now_s < e->seen_s + NEIGH_REACHABLE_S) {
		*cached_of(n, w->vid, &w->ip) =
			(struct cached){w->ip, now_ns + SECOND_NS, w->vid, e->mac};
	} else if (e->state != NEIGH_PROBE) {
		begin(n, i, NEIGH_PROBE, now_ns);
		*ask = true;
	}
	return NEIGH_KNOWN;
}

enum neigh_answer neigh_resolve(struct neigh *n, const struct neigh_wish *w, uint64_t now_ns,
				struct mac *mac, bool *ask)
{
	const struct cached *c = cached_of(n, w->vid, &w->ip);

	*ask = false;
	if (c->until_ns > now_ns && is_cached(c, w->vid, &w->ip)) {
		*mac = c->mac;
		return NEIGH_KNOWN;
	}
	return resolve(n, w, now_ns, mac, ask);
}

/* --- learning ---------------------------------------------------------------------------- */

/* The address is there, as far as we are concerned. */
static void accept(struct neigh *n, uint16_t i, const struct neigh_claim *c)
{
	struct neigh_entry *e = &n->entry[i];

	e->mac = c->mac;
	e->asked = 0;
	if (c->is_answer)
		e->seen_s = n->now_s ? n->now_s : 1;
	set_state(n, i, c->is_answer ? NEIGH_REACHABLE : NEIGH_STALE);
	cache_forget(n, e->vid, &e->ip);
	drain(n, i, &n->ready);
}

bool neigh_confirmed(struct neigh *n, uint16_t vid, const struct ip *ip, uint32_t within_s,
		     uint64_t now_ns, struct mac *mac)
{
	uint16_t i = find(n, vid, ip);
	const struct neigh_entry *e = &n->entry[i == NIL ? 0 : i];

	if (i == NIL || e->state == NEIGH_INCOMPLETE || e->seen_s == 0 ||
	    (uint32_t)(now_ns / SECOND_NS) - e->seen_s > within_s)
		return false;
	*mac = e->mac;
	return true;
}

/* Somebody else claims what is known: the one we know is asked, and keeps it if it answers. */
static void doubt(struct neigh *n, uint16_t i, uint64_t now_ns)
{
	struct neigh_entry *e = &n->entry[i];

	if (n->now_s < e->seen_s + CLAIM_REST_S)
		return;
	set_state(n, i, NEIGH_PROBE);
	e->asked = 0;
	due_first(n, i, now_ns);
}

void neigh_learn(struct neigh *n, const struct neigh_claim *c, uint64_t now_ns)
{
	struct neigh_entry *e;
	uint16_t i;

	see(n, now_ns);
	i = find(n, c->vid, &c->ip);
	if (i == NIL && c->may_make) {
		i = make_entry(n, c->vid, &c->ip);
		if (i != NIL)
			n->entry[i].mac = c->mac;
	}
	if (i == NIL)
		return;
	e = &n->entry[i];
	if (e->state == NEIGH_INCOMPLETE) {
		accept(n, i, c);
	} else if (memcmp(&e->mac, &c->mac, sizeof(e->mac)) == 0) {
		if (c->is_answer)
			accept(n, i, c);
	} else if (e->state == NEIGH_PROBE) {
		if (c->is_answer && e->asked > 1) /* everybody was asked */
			accept(n, i, c);
	} else {
		doubt(n, i, now_ns);
	}
}

bool neigh_released(struct neigh *n, struct neigh_ready *out)
{
	struct queued q;

	if (!queue_pop(&n->ready, &q))
		return false;
	*out = (struct neigh_ready){.vid = q.vid, .place = q.place, .mac = q.mac};
	return true;
}

/* --- time -------------------------------------------------------------------------------- */

/* Asks once more, or gives up: false. */
static bool ask_again(struct neigh *n, uint16_t i, struct neigh_due *out, uint64_t now_ns)
{
	struct neigh_entry *e = &n->entry[i];

	if (e->asked >= NEIGH_ASK_MAX) {
		drain(n, i, &n->failed);
		remove_entry(n, i);
		return false;
	}
	e->asked++;
	due_add(n, i, now_ns + NEIGH_ASK_S * SECOND_NS);
	*out = (struct neigh_due){.ip = e->ip, .vid = e->vid, .place = HOLD_NONE};
	if (e->state == NEIGH_PROBE && e->asked == 1)
		out->mac = e->mac;
	return true;
}

bool neigh_due(struct neigh *n, struct neigh_due *out, uint64_t now_ns)
{
	struct queued q;

	see(n, now_ns);
	for (;;) {
		uint16_t i = n->due_first;

		if (queue_pop(&n->failed, &q)) {
			*out = (struct neigh_due){
				.ip = q.ip, .vid = q.vid, .failed = true, .place = q.place};
			return true;
		}
		if (i == NIL || n->extra[i].due_ns > now_ns)
			return false;
		if (ask_again(n, i, out, now_ns))
			return true;
	}
}

uint64_t neigh_next_ns(const struct neigh *n)
{
	if (n->failed.n || n->ready.n)
		return 0;
	return n->due_first == NIL ? UINT64_MAX : n->extra[n->due_first].due_ns;
}

/* --- life -------------------------------------------------------------------------------- */

/* An entry of the region that may stay. */
static bool is_sound(struct neigh *n, const struct neigh_entry *e)
{
	static const struct ip zero;

	return e->state >= NEIGH_REACHABLE && e->state <= NEIGH_PROBE && e->vid > 0 &&
	       e->vid < VLANS - 1 && !mac_is_zero(&e->mac) && !mac_is_group(&e->mac) &&
	       !ip_equal(&e->ip, &zero) && e->ip.b[0] != 0xff &&
	       n->vlan[e->vid].entries < NEIGH_VLAN_MAX && find(n, e->vid, &e->ip) == NIL;
}

static void take_over(struct neigh *n)
{
	for (unsigned i = NEIGH_MAX; i-- > 0;) {
		struct neigh_entry *e = &n->entry[i];
		uint16_t *head;

		if (!is_sound(n, e)) {
			*e = (struct neigh_entry){0};
			n->free[n->n_free++] = (uint16_t)i;
			continue;
		}
		e->state = NEIGH_STALE;
		e->asked = 0;
		head = head_of(n, e->vid, &e->ip);
		n->extra[i].next = *head;
		*head = (uint16_t)i;
		n->vlan[e->vid].entries++;
	}
}

struct neigh *neigh_create(struct neigh_table *table, bool fresh, const uint64_t seed[2],
			   struct hold *h, uint64_t now_ns)
{
	struct neigh *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	if (fresh)
		memset(table, 0, sizeof(*table));
	n->entry = table->entry;
	n->hold = h;
	memcpy(n->seed, seed, sizeof(n->seed));
	n->due_first = NIL;
	n->due_last = NIL;
	memset(n->head, 0xff, sizeof(n->head));
	for (unsigned v = 0; v < VLANS; v++)
		n->vlan[v] = (struct vlan_state){.first = NIL, .last = NIL};
	see(n, now_ns);
	take_over(n);
	return n;
}

void neigh_destroy(struct neigh *n)
{
	free(n);
}

uint64_t neigh_lost(const struct neigh *n)
{
	return n->lost;
}

void neigh_flush(struct neigh *n, uint16_t vid, const struct ip *ip)
{
	for (unsigned i = 0; i < NEIGH_MAX && !(vid && n->vlan[vid].entries == 0); i++) {
		const struct neigh_entry *e = &n->entry[i];

		if (e->state != NEIGH_NONE && (!vid || e->vid == vid) &&
		    (!ip || ip_equal(&e->ip, ip)))
			remove_entry(n, (uint16_t)i);
	}
}

unsigned neigh_list(const struct neigh *n, uint64_t *cursor, struct neigh_entry *out, unsigned max)
{
	unsigned copied = 0;

	for (; *cursor < NEIGH_MAX && copied < max; ++*cursor) {
		const struct neigh_entry *e = &n->entry[*cursor];
		struct neigh_entry *to = &out[copied];

		if (e->state == NEIGH_NONE || is_forgotten(n, e))
			continue;
		*to = *e;
		if (to->state == NEIGH_REACHABLE && n->now_s >= to->seen_s + NEIGH_REACHABLE_S)
			to->state = NEIGH_STALE;
		copied++;
	}
	if (*cursor >= NEIGH_MAX)
		*cursor = UINT64_MAX;
	return copied;
}
