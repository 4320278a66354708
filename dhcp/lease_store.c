/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease_store: the entries of all leases: their tables, lists and times.
 *
 *   by_id   hash of (pool, identity) -> entry     one live or PAST lease an identity and pool
 *   by_ip   hash of (pool, address)  -> entry     one entry an address and pool; leases_each() walks over its lines
 *   heap    what ends, the next one first         OFFERED, BOUND, DECLINED
 *   past    PAST ones, the oldest first           goes when LEASES_MAX are there
 *   port    heap of the ports of each pool        who has most PAST ones gives up its oldest when the pool has no address left
 *
 * An entry and its identity are one piece of memory.  Everything that a change of state needs is reserved when an entry is made: a
 * lease can always end.
 *
 * Trust.  Identities and addresses are clients'; the tables are keyed.
 */
#include "dhcp/lease_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/siphash.h"

enum { LINES_MIN = 64, PORTS_MIN = 8 };

/* --- Tables --- */

static uint32_t line_of(const struct lease_table *t, uint32_t hash)
{
	uint32_t i = hash & t->mask;

	return i < t->lines ? i : i & (t->mask >> 1);
}

bool lease_table_reserve(struct lease_table *t)
{
	uint32_t room = t->room ? 2 * t->room : LINES_MIN;
	struct lease_node **line;

	if (t->n < t->room)
		return true;
	line = realloc(t->line, room * sizeof(struct lease_node *));
	if (!line)
		return false;
	t->line = line;
	t->room = room;
	return true;
}

/* One line more, which takes its share of the one that stood for it. */
static void divide(struct lease_table *t)
{
	uint32_t number = t->lines++;
	struct lease_node **from, *node, *next;

	t->line[number] = NULL;
	if (number > t->mask)
		t->mask = 2 * t->mask + 1;
	if (number == 0)
		return;
	from = &t->line[number & (t->mask >> 1)];
	node = *from;
	*from = NULL;
	for (; node; node = next) {
		struct lease_node **to = &t->line[line_of(t, node->hash)];

		next = node->next;
		node->next = *to;
		*to = node;
	}
}

void lease_table_add(struct lease_table *t, struct lease_node *node, uint32_t hash)
{
	struct lease_node **line;

	assert(t->n < t->room);
	if (t->n >= t->lines)
		divide(t);
	line = &t->line[line_of(t, hash)];
	*node = (struct lease_node){.next = *line, .hash = hash};
	*line = node;
	t->n++;
}

void lease_table_del(struct lease_table *t, struct lease_node *node)
{
	struct lease_node **at = &t->line[line_of(t, node->hash)];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	t->n--;
}

struct lease_node *lease_table_chain(const struct lease_table *t, uint32_t hash)
{
	return t->lines ? t->line[line_of(t, hash)] : NULL;
}

/* --- Lists --- */

void lease_list_init(struct lease_list *list)
{
	list->head.older = list->head.newer = &list->head;
	list->n = 0;
}

void lease_list_add(struct lease_list *list, struct lease_link *link)
{
	link->newer = &list->head;
	link->older = list->head.older;
	link->older->newer = link;
	list->head.older = link;
	list->n++;
}

void lease_list_del(struct lease_list *list, struct lease_link *link)
{
	link->older->newer = link->newer;
	link->newer->older = link->older;
	list->n--;
}

/* Two chains in order become one; a is the older one. */
static struct lease_link *merge(struct lease_link *a, struct lease_link *b,
				uint64_t (*end_ms)(const struct lease_link *link))
{
	struct lease_link *first = NULL, **at = &first;

	while (a && b) {
		struct lease_link **from = end_ms(b) < end_ms(a) ? &b : &a;

		*at = *from;
		at = &(*from)->newer;
		*from = *at;
	}
	*at = a ? a : b;
	return first;
}

void lease_list_sort(struct lease_list *list, uint64_t (*end_ms)(const struct lease_link *link))
{
	struct lease_link *sorted[33] = {
		0}; /* sorted[i]: 2^i of them, or none; older ones than those of sorted[i - 1] */
	struct lease_link *link, *next, *all = NULL;
	unsigned i;

	if (list->n == 0)
		return;
	list->head.older->newer = NULL;
	for (link = list->head.newer; link; link = next) {
		next = link->newer;
		link->newer = NULL;
		for (i = 0; sorted[i]; i++) {
			link = merge(sorted[i], link, end_ms);
			sorted[i] = NULL;
		}
		sorted[i] = link;
	}
	for (i = 0; i < 33; i++)
		all = merge(sorted[i], all, end_ms);
	lease_list_init(list);
	for (link = all; link; link = next) {
		next = link->newer;
		lease_list_add(list, link);
	}
}

struct lease_entry *lease_of_pool_link(const struct lease_link *link)
{
	return (struct lease_entry *)((uintptr_t)link - offsetof(struct lease_entry, in_pool));
}

struct lease_entry *lease_of_past_link(const struct lease_link *link)
{
	return (struct lease_entry *)((uintptr_t)link - offsetof(struct lease_entry, in_past));
}

uint64_t lease_pool_link_end(const struct lease_link *link)
{
	return lease_of_pool_link(link)->l.end_ms;
}

uint64_t lease_past_link_end(const struct lease_link *link)
{
	return lease_of_past_link(link)->l.end_ms;
}

/* --- Times --- */

static void heap_put(struct leases *s, uint32_t at, struct lease_due due)
{
	s->heap[at] = due;
	due.e->heap_at = at;
}

/* The place `at` is free: due goes there or above. */
static void heap_rise(struct leases *s, uint32_t at, struct lease_due due)
{
	while (at > 0 && s->heap[(at - 1) / 2].end_ms > due.end_ms) {
		heap_put(s, at, s->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_put(s, at, due);
}

/* The same, there or below. */
static void heap_sink(struct leases *s, uint32_t at, struct lease_due due)
{
	for (uint32_t child = 2 * at + 1; child < s->n_heap; child = 2 * at + 1) {
		if (child + 1 < s->n_heap && s->heap[child + 1].end_ms < s->heap[child].end_ms)
			child++;
		if (s->heap[child].end_ms >= due.end_ms)
			break;
		heap_put(s, at, s->heap[child]);
		at = child;
	}
	heap_put(s, at, due);
}

static void heap_del(struct leases *s, struct lease_entry *e)
{
	uint32_t at = e->heap_at;
	struct lease_due last;

	if (at == LEASE_HEAP_NONE)
		return;
	e->heap_at = LEASE_HEAP_NONE;
	last = s->heap[--s->n_heap];
	if (at == s->n_heap)
		return;
	if (at > 0 && s->heap[(at - 1) / 2].end_ms > last.end_ms)
		heap_rise(s, at, last);
	else
		heap_sink(s, at, last);
}

static bool heap_reserve(struct leases *s)
{
	uint32_t room = s->heap_room ? 2 * s->heap_room : LINES_MIN;
	struct lease_due *heap;

	if (s->n < s->heap_room)
		return true;
	heap = realloc(s->heap, room * sizeof(*heap));
	if (!heap)
		return false;
	s->heap = heap;
	s->heap_room = room;
	return true;
}

/* --- Entries --- */

static uint32_t hash_in(const struct leases *s, const struct lease_pool *p, const void *bytes,
			size_t n)
{
	const uint64_t key[2] = {s->secret[0] ^ p->number, s->secret[1]};

	return (uint32_t)siphash(key, bytes, n);
}

static struct lease_entry *of_id_node(struct lease_node *node)
{
	return (struct lease_entry *)((char *)node - offsetof(struct lease_entry, by_id));
}

static struct lease_entry *of_ip_node(struct lease_node *node)
{
	return (struct lease_entry *)((char *)node - offsetof(struct lease_entry, by_ip));
}

struct lease_entry *lease_entry_by_id(const struct leases *s, const struct lease_pool *p,
				      const struct lease_id *id)
{
	uint32_t hash = hash_in(s, p, id->b, id->len);

	for (struct lease_node *n = lease_table_chain(&s->by_id, hash); n; n = n->next) {
		struct lease_entry *e = of_id_node(n);

		if (n->hash == hash && e->l.pool == p && e->l.id_len == id->len &&
		    memcmp(e->id, id->b, id->len) == 0)
			return e;
	}
	return NULL;
}

struct lease_entry *lease_entry_by_ip(const struct leases *s, const struct lease_pool *p,
				      const struct ip *ip)
{
	uint32_t hash = hash_in(s, p, ip, sizeof(*ip));

	for (struct lease_node *n = lease_table_chain(&s->by_ip, hash); n; n = n->next) {
		struct lease_entry *e = of_ip_node(n);

		if (n->hash == hash && e->l.pool == p && ip_equal(&e->l.ip, ip))
			return e;
	}
	return NULL;
}

/* --- Ports --- */

static uint32_t holder_hash(const struct leases *s, const struct lease_pool *p, const char *port)
{
	return hash_in(s, p, port, strlen(port));
}

static struct lease_entry *of_port_link(const struct lease_link *link)
{
	return (struct lease_entry *)((uintptr_t)link - offsetof(struct lease_entry, of_port));
}

static uint64_t port_link_end(const struct lease_link *link)
{
	return of_port_link(link)->l.end_ms;
}

static void port_set(struct lease_pool *p, uint32_t at, struct lease_holder *h)
{
	p->port[at] = h;
	h->at = at;
}

/* To where it belongs in the heap of its pool, after its count has changed. */
static void port_settle(struct lease_holder *h)
{
	struct lease_pool *p = h->pool;
	uint32_t at = h->at, child;

	for (; at > 0 && p->port[(at - 1) / 2]->past.n < h->past.n; at = (at - 1) / 2)
		port_set(p, at, p->port[(at - 1) / 2]);
	for (; (child = 2 * at + 1) < p->n_ports; at = child) {
		child += child + 1 < p->n_ports &&
			 p->port[child + 1]->past.n > p->port[child]->past.n;
		if (p->port[child]->past.n <= h->past.n)
			break;
		port_set(p, at, p->port[child]);
	}
	port_set(p, at, h);
}

/* A PAST lease comes to the port, or leaves it. */
static void port_past(struct lease_holder *h, struct lease_link *link, bool is_more)
{
	struct lease_pool *p = h->pool;

	p->n_past_ports -= h->past.n > 0;
	p->n_ports_past -= h->past.n;
	if (is_more)
		lease_list_add(&h->past, link);
	else
		lease_list_del(&h->past, link);
	p->n_past_ports += h->past.n > 0;
	p->n_ports_past += h->past.n;
	port_settle(h);
}

void lease_ports_sort(struct lease_pool *p)
{
	for (uint32_t i = 0; i < p->n_ports; i++)
		lease_list_sort(&p->port[i]->past, port_link_end);
}

/*
 * Who has more than its share of the memory gives it up first; where all have as much, the oldest goes.  Those that are of no port
 * have one share together.
 */
struct lease_entry *lease_past_victim(const struct lease_pool *p)
{
	const struct lease_list *all = &p->list[LEASE_PAST];
	uint64_t shares = (uint64_t)p->n_past_ports + (all->n > p->n_ports_past);

	if (all->n == 0)
		return NULL;
	if (p->n_ports > 0 && p->port[0]->past.n * shares > all->n)
		return of_port_link(p->port[0]->past.head.newer);
	return lease_of_pool_link(all->head.newer);
}

struct lease_holder *lease_holder_find(const struct leases *s, const struct lease_pool *p,
				       const char *port)
{
	uint32_t hash = holder_hash(s, p, port);

	for (struct lease_node *n = lease_table_chain(&s->holders, hash); n; n = n->next) {
		struct lease_holder *h = (struct lease_holder *)n;

		if (n->hash == hash && h->pool == p && strcmp(h->port, port) == 0)
			return h;
	}
	return NULL;
}

static bool ports_reserve(struct lease_pool *p)
{
	uint32_t room = p->port_room ? 2 * p->port_room : PORTS_MIN;
	struct lease_holder **port;

	if (p->n_ports < p->port_room)
		return true;
	port = realloc(p->port, room * sizeof(struct lease_holder *));
	if (!port)
		return false;
	p->port = port;
	p->port_room = room;
	return true;
}

struct lease_holder *lease_holder_take(struct leases *s, struct lease_pool *p, const char *port)
{
	struct lease_holder *h = lease_holder_find(s, p, port);

	if (!h) {
		if (!lease_table_reserve(&s->holders) || !ports_reserve(p))
			return NULL;
		h = calloc(1, sizeof(*h));
		if (!h)
			return NULL;
		h->pool = p;
		memcpy(h->port, port, strlen(port) + 1);
		lease_list_init(&h->past);
		lease_table_add(&s->holders, &h->node, holder_hash(s, p, port));
		port_set(p, p->n_ports++, h);
	}
	h->refs++;
	return h;
}

/* One reference less; NULL is fine. */
static void holder_put(struct leases *s, struct lease_holder *h)
{
	struct lease_pool *p;
	struct lease_holder *last;

	if (!h || --h->refs > 0)
		return;
	p = h->pool;
	last = p->port[--p->n_ports];
	if (last != h) {
		port_set(p, h->at, last);
		port_settle(last);
	}
	lease_table_del(&s->holders, &h->node);
	free(h);
}

/* --- States --- */

void lease_entry_tell(struct leases *s, const struct lease_entry *e, enum lease_news news)
{
	if (s->listener)
		s->listener(s->arg, &e->l, news);
}

struct lease_entry *lease_entry_create(struct leases *s, struct lease_pool *p, const struct ip *ip,
				       const struct lease_id *id)
{
	size_t id_len = id ? id->len : 0;
	struct lease_entry *e;

	if (s->n >= LEASES_MAX) {
		if (s->past.n == 0)
			return NULL;
		lease_entry_forget(s, lease_of_past_link(s->past.head.newer));
	}
	if (!lease_table_reserve(&s->by_id) || !lease_table_reserve(&s->by_ip) || !heap_reserve(s))
		return NULL;
	e = calloc(1, sizeof(*e) + id_len);
	if (!e)
		return NULL;
	e->l.ip = *ip;
	e->l.pool = p;
	e->l.id = e->id;
	e->l.id_len = (uint16_t)id_len;
	e->heap_at = LEASE_HEAP_NONE;
	e->list = LEASE_LISTS;
	if (id_len) {
		memcpy(e->id, id->b, id_len);
		lease_table_add(&s->by_id, &e->by_id, hash_in(s, p, e->id, id_len));
	}
	lease_table_add(&s->by_ip, &e->by_ip, hash_in(s, p, ip, sizeof(*ip)));
	lease_pool_enter(p, e);
	s->n++;
	return e;
}

static struct lease_pool *pool_of(const struct lease_entry *e)
{
	return (struct lease_pool *)(uintptr_t)e->l.pool;
}

static bool is_held(const struct lease_entry *e)
{
	return e->is_counted && e->l.state != LEASE_PAST;
}

/* One more that its port has, or one less, by the list that it is in. */
static void count_to_port(struct lease_entry *e, bool is_more)
{
	struct lease_holder *h = e->holder;

	if (!h)
		return;
	if (e->list == LEASE_PAST)
		port_past(h, &e->of_port, is_more);
	else if (e->list == LEASE_OFFERED || e->list == LEASE_BOUND)
		h->n += is_more ? 1u : -1u;
}

void lease_entry_hold(struct leases *s, struct lease_entry *e, struct lease_holder *h)
{
	count_to_port(e, false);
	holder_put(s, e->holder);
	e->holder = h;
	count_to_port(e, true);
}

/* Out of the list of its pool, and of its port. */
static void leave_list(struct lease_entry *e)
{
	count_to_port(e, false);
	lease_list_del(&pool_of(e)->list[e->list], &e->in_pool);
	e->list = LEASE_LISTS;
}

void lease_entry_list(struct lease_entry *e)
{
	if (e->list != LEASE_LISTS)
		leave_list(e);
	e->list = e->l.state == LEASE_PAST && !e->is_counted ? LEASE_APART : e->l.state;
	lease_list_add(&pool_of(e)->list[e->list], &e->in_pool);
	count_to_port(e, true);
}

/* Out of all that depends on its state. */
static void unlist(struct leases *s, struct lease_entry *e)
{
	if (e->list == LEASE_LISTS)
		return;
	heap_del(s, e);
	leave_list(e);
	pool_of(e)->n_held -= is_held(e);
	s->n_offered -= e->l.state == LEASE_OFFERED;
	if (e->l.state == LEASE_PAST)
		lease_list_del(&s->past, &e->in_past);
}

/* A port that makes ever new clients forgets its own.  Two at a time, so that it comes down to a cap that has become less. */
static void make_room_in_past(struct leases *s, const struct lease_entry *e)
{
	struct lease_holder *h = e->holder;
	uint64_t most = 2 * (uint64_t)pool_of(e)->r.port_cap;

	if (!h || !e->is_counted || most == 0)
		return;
	for (unsigned i = 0; i < 2 && h->past.n >= most; i++)
		lease_entry_forget(s, of_port_link(h->past.head.newer));
}

void lease_entry_move(struct leases *s, struct lease_entry *e, enum lease_state state,
		      uint64_t end_ms)
{
	unlist(s, e);
	if (state == LEASE_PAST)
		make_room_in_past(s, e);
	else if (state == LEASE_DECLINED)
		lease_entry_hold(s, e, NULL);
	e->l.state = (uint8_t)state;
	e->l.end_ms = end_ms;
	lease_entry_list(e);
	pool_of(e)->n_held += is_held(e);
	s->n_offered += state == LEASE_OFFERED;
	if (state == LEASE_PAST)
		lease_list_add(&s->past, &e->in_past);
	else if (end_ms != UINT64_MAX)
		heap_rise(s, s->n_heap++, (struct lease_due){end_ms, e});
}

void lease_entry_remove(struct leases *s, struct lease_entry *e)
{
	unlist(s, e);
	holder_put(s, e->holder);
	lease_pool_leave(pool_of(e), e);
	lease_table_del(&s->by_ip, &e->by_ip);
	if (e->l.id_len)
		lease_table_del(&s->by_id, &e->by_id);
	s->n--;
	free(e);
}

void lease_entry_disown(struct leases *s, struct lease_entry *e)
{
	if (e->l.id_len)
		lease_table_del(&s->by_id, &e->by_id);
	e->l.id_len = 0;
	e->l.mac = (struct mac){0};
	e->l.is_relayed = false;
	e->l.name[0] = '\0';
	e->l.port[0] = '\0';
}

void lease_entry_forget(struct leases *s, struct lease_entry *e)
{
	/* An offer was told to nobody, but the lease that it had been was. */
	if (e->l.state != LEASE_OFFERED || e->was_past)
		lease_entry_tell(s, e, LEASE_GONE);
	lease_entry_remove(s, e);
}

/* --- The store --- */

struct leases *leases_create(const uint64_t seed[2], const uint64_t secret[2])
{
	struct leases *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	memcpy(s->seed, seed, sizeof(s->seed));
	memcpy(s->secret, secret, sizeof(s->secret));
	lease_list_init(&s->past);
	return s;
}

void leases_destroy(struct leases *s)
{
	struct lease_node *n, *next;

	if (!s)
		return;
	for (uint32_t i = 0; i < s->by_ip.lines; i++)
		for (n = s->by_ip.line[i]; n; n = next) {
			next = n->next;
			lease_entry_remove(s, of_ip_node(n));
		}
	for (uint32_t i = 0; i < s->pools.lines; i++)
		for (n = s->pools.line[i]; n; n = next) {
			next = n->next;
			lease_pool_free(s, (struct lease_pool *)n);
		}
	free(s->by_id.line);
	free(s->by_ip.line);
	free(s->holders.line);
	free(s->pools.line);
	free(s->heap);
	free(s);
}

void leases_listen(struct leases *s, void (*fn)(void *arg, const struct lease *l, enum lease_news),
		   void *arg)
{
	s->listener = fn;
	s->arg = arg;
}

/* Those of one line that are not OFFERED; false: fn has had enough. */
static bool each_of_line(const struct leases *s, uint32_t line,
			 bool (*fn)(void *arg, const char *network, const struct lease *l),
			 void *arg)
{
	for (struct lease_node *n = s->by_ip.line[line]; n; n = n->next) {
		const struct lease *l = &of_ip_node(n)->l;

		if (l->state != LEASE_OFFERED && !fn(arg, l->pool->r.network, l))
			return false;
	}
	return true;
}

void leases_each(const struct leases *s,
		 bool (*fn)(void *arg, const char *network, const struct lease *l), void *arg)
{
	for (uint32_t i = 0; i < s->by_ip.lines && each_of_line(s, i, fn, arg); i++)
		;
}

bool leases_some(const struct leases *s, uint32_t *cursor,
		 bool (*fn)(void *arg, const char *network, const struct lease *l), void *arg)
{
	return *cursor < s->by_ip.lines && each_of_line(s, (*cursor)++, fn, arg);
}

uint32_t leases_total(const struct leases *s)
{
	return s->n - s->n_offered;
}
