/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session: the table of the NAT.
 *
 * nat.c asks it for the session of each packet, for new ones, and to end what is over; session_pool.c keeps the outside
 * addresses, session_restore.c makes a table again from the records that a former process left.
 *
 *   packet --hash--> line of the out-index or in-index --tag--> place --> record (one line)       found: 2 cache misses
 *
 *   session_add      out-index: is it there?  limits.  map-index: mapping of the inside end, or a new one: a port of the guest's
 *                    outside address.  Lowest free record, indexes, counters, wheel.
 *   session_tick     wheel: visits what is due; over: ends it, else files it anew.  A batch at a time in steps, so that
 *                    their cache misses overlap.  Then, after a change of configuration, the sweep: some records in order.
 *
 * sure_s.  Until that second nothing in the indexes is over, so a hit need not ask.  It is the second before the next visit
 * that is due; a session that is filed for an earlier one lowers it, and while a sweep runs it is 0.  After it session_find() asks
 * for the lifetime of each.
 *
 * Order of stores, for the next process: a record is whole before its state says that it is in use, and not in use before
 * anything else of it changes.
 *
 * Trust.  Ends of sessions are chosen by guests and by the outside; the hashes are keyed, and what one can take is limited by
 * guest, access port and network.
 */
#include "nat/session.h"

#include <stdlib.h>
#include <string.h>

#include "nat/session_internal.h"

enum { BATCH = 32, AHEAD = 8, LIFETIME_MAX = 1 << 30 };

static const uint64_t SECOND_NS = 1000000000;

static uint32_t seconds(uint64_t ns)
{
	return (uint32_t)(ns / SECOND_NS);
}

static bool is_same(const struct ip *a, const struct ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static uint32_t place_of(const struct session_table *t, const struct session *s)
{
	return (uint32_t)(s - t->session);
}

static struct port *mapping_of(const struct session_table *t, const struct session *s)
{
	return &ports_at(t, s->outside, s->proto)->port[s->outside_port];
}

static uint64_t hash_map(const struct session_table *t, const struct ip *inside, uint16_t port,
			 uint16_t vid, unsigned proto)
{
	static const struct ip none;

	return session_mix(t, inside, &none, session_rest(port, 0, vid, (uint8_t)proto));
}

static uint64_t hash_map_key(const struct session_table *t, const struct session_key *k)
{
	return hash_map(t, &k->near, k->near_port, k->side, proto_index(k->proto));
}

struct session_key session_key_out(const struct session *s)
{
	return (struct session_key){
		.near = s->inside,
		.far = s->remote,
		.near_port = s->inside_port,
		.far_port = s->remote_port,
		.side = s->vid,
		.proto = s->proto,
	};
}

struct session_key session_key_in(const struct session_table *t, const struct session *s)
{
	struct session_key k = session_key_out(s);

	k.near_port = s->outside_port;
	if (is_routed(s)) {
		k.side = s->outside & (uint16_t)~SESSION_ROUTED;
	} else {
		k.near = t->region->address[s->outside].ip;
		k.side = t->region->address[s->outside].vid;
	}
	return k;
}

/*
 * Hashes come straight from a record's fields: a key made of them first would be written in small pieces and read in large ones,
 * which the processor can only do when all older stores are done.
 */
uint64_t session_hash_out(const struct session_table *t, const struct session *s)
{
	return session_mix(t, &s->inside, &s->remote,
			   session_rest(s->inside_port, s->remote_port, s->vid, s->proto));
}

uint64_t session_hash_in(const struct session_table *t, const struct session *s)
{
	const struct ip *near = &s->inside;
	uint16_t side = s->outside & (uint16_t)~SESSION_ROUTED;

	if (!is_routed(s)) {
		near = &t->region->address[s->outside].ip;
		side = t->region->address[s->outside].vid;
	}
	return session_mix(t, near, &s->remote,
			   session_rest(s->outside_port, s->remote_port, side, s->proto));
}

struct session_hashes session_hashes(const struct session_table *t, const struct session *s)
{
	struct session_hashes h = {
		.out = session_hash_out(t, s),
		.in = session_hash_in(t, s),
	};

	__builtin_prefetch(index_first(&t->out, h.out), 1);
	__builtin_prefetch(index_first(&t->in, h.in), 1);
	if (s->kind != NAT_DYNAMIC)
		return h;
	h.map = hash_map(t, &s->inside, s->inside_port, s->vid, proto_index(s->proto));
	__builtin_prefetch(index_first(&t->map, h.map), 1);
	__builtin_prefetch(mapping_of(t, s), 1);
	return h;
}

static bool is_over(const struct session_table *t, const struct session *s, uint32_t now_s)
{
	uint32_t lifetime = t->lifetime ? t->lifetime(s, t->arg) : 0;

	if (lifetime == 0 || (!is_routed(s) && t->address[s->outside].place < 0))
		return true;
	return now_s > s->seen_s && now_s - s->seen_s > lifetime;
}

void session_set_callbacks(struct session_table *t, session_lifetime lifetime,
			   session_ending ending, void *arg)
{
	t->lifetime = lifetime;
	t->ending = ending;
	t->arg = arg;
}

/* --- Looking up --- */

uint64_t session_hash(const struct session_table *t, const struct session_key *k)
{
	return session_key_hash(t, k);
}

static const struct index *index_of(const struct session_table *t, enum nat_way way)
{
	return way == NAT_IN ? &t->in : &t->out;
}

const void *session_line(const struct session_table *t, enum nat_way way, uint64_t hash)
{
	const struct index_line *line = index_first(index_of(t, way), hash);

	__builtin_prefetch(line);
	return line;
}

uint32_t session_guess(const struct session_table *t, enum nat_way way, const void *line,
		       uint64_t hash)
{
	uint32_t place = index_guess(index_of(t, way), line, hash);

	if (place != INDEX_NONE)
		__builtin_prefetch(&t->session[place], 1);
	return place;
}

/* Is that the session of the key?  A record that is free has protocol 0, as no key has. */
static inline bool has_key(const struct session_table *t, const struct session *s, enum nat_way way,
			   const struct session_key *k)
{
	const struct session_pool *outside;

	if (s->proto != k->proto || s->remote_port != k->far_port || !is_same(&s->remote, &k->far))
		return false;
	if (way != NAT_IN)
		return s->vid == k->side && s->inside_port == k->near_port &&
		       is_same(&s->inside, &k->near);
	if (s->outside_port != k->near_port)
		return false;
	if (is_routed(s))
		return (s->outside & ~SESSION_ROUTED) == k->side && is_same(&s->inside, &k->near);
	outside = &t->region->address[s->outside];
	return outside->vid == k->side && is_same(&outside->ip, &k->near);
}

struct session *session_search(const struct session_table *t, enum nat_way way,
			       const struct session_key *k, uint64_t hash, bool with_over,
			       uint32_t now_s)
{
	uint32_t place[2 * INDEX_WAYS];
	unsigned n = index_candidates(index_of(t, way), hash, place);

	for (unsigned i = 0; i < n; i++) {
		struct session *s = &t->session[place[i]];

		if (has_key(t, s, way, k) && (with_over || !is_over(t, s, now_s)))
			return s;
	}
	return NULL;
}

struct session *session_find(struct session_table *t, enum nat_way way, const struct session_key *k,
			     uint64_t hash, uint32_t guess, uint32_t now_s)
{
	if (guess != SESSION_NONE && now_s <= t->sure_s && has_key(t, &t->session[guess], way, k))
		return &t->session[guess];
	return session_search(t, way, k, hash, false, now_s);
}

void session_expect(const struct session_table *t, const struct session_key *k)
{
	uint64_t hash = hash_map_key(t, k);

	__builtin_prefetch(index_first(&t->map, hash), 1);
	__builtin_prefetch(index_second(&t->map, hash));
}

struct session_more *session_more(const struct session_table *t, const struct session *s)
{
	return &t->more[place_of(t, s)];
}

uint32_t session_find_mapping(const struct session_table *t, const struct session_key *k,
			      uint64_t hash, unsigned place, unsigned n_places)
{
	uint32_t found[2 * INDEX_WAYS];
	unsigned n = index_candidates(&t->map, hash, found);

	for (unsigned i = 0; i < n; i++) {
		unsigned table = found[i] / PORTS;
		const struct port *p = &t->ports[table].port[found[i] % PORTS];
		const struct guest *g = &t->guests.guest[p->guest];
		int at = t->address[table / PROTOS].place;

		if (table % PROTOS == proto_index(k->proto) && p->inside_port == k->near_port &&
		    g->vid == k->side && is_same(&g->ip, &k->near) && at >= (int)place &&
		    at < (int)(place + n_places))
			return found[i];
	}
	return INDEX_NONE;
}

uint64_t session_rehash_mapping(const void *table, uint32_t place)
{
	const struct session_table *t = table;
	const struct port *p = &t->ports[place / PORTS].port[place % PORTS];
	const struct guest *g = &t->guests.guest[p->guest];

	return hash_map(t, &g->ip, p->inside_port, g->vid, place / PORTS % PROTOS);
}

static void copy_mapping(const struct session_table *t, uint32_t at, uint8_t proto,
			 struct mapping *out)
{
	const struct port *p = &t->ports[at / PORTS].port[at % PORTS];
	const struct guest *g = &t->guests.guest[p->guest];

	*out = (struct mapping){
		.inside = g->ip,
		.inside_port = p->inside_port,
		.outside_port = (uint16_t)(at % PORTS),
		.vid = g->vid,
		.place = (uint16_t)t->address[at / PORTS / PROTOS].place,
		.slot = g->slot,
		.proto = proto,
		.sessions = p->sessions,
	};
}

bool mapping_find_inside(const struct session_table *t, const struct session_key *k, unsigned place,
			 unsigned n_places, struct mapping *out)
{
	uint32_t at = session_find_mapping(t, k, hash_map_key(t, k), place, n_places);

	if (at == INDEX_NONE)
		return false;
	copy_mapping(t, at, k->proto, out);
	return true;
}

bool mapping_find_outside(const struct session_table *t, unsigned place, uint8_t proto,
			  uint16_t port, struct mapping *out)
{
	unsigned address = place < t->n_pool ? t->address_at[place] : ADDRESSES;
	uint32_t sessions;

	if (address == ADDRESSES || !t->is_ready[address * PROTOS + proto_index(proto)])
		return false;
	sessions = ports_at(t, address, proto)->port[port].sessions;
	if (sessions == 0 || sessions == PORTS_RESTING)
		return false;
	copy_mapping(t, map_place(address, proto, port), proto, out);
	return true;
}

/* --- Filing and ending --- */

static void file(struct session_table *t, struct session *s)
{
	uint32_t lifetime = t->lifetime ? t->lifetime(s, t->arg) : 0, due_s;

	if (lifetime > LIFETIME_MAX)
		lifetime = LIFETIME_MAX;
	due_s = lifetime > 0 ? s->seen_s + lifetime + 1 : 0;
	wheel_file(&t->wheel, place_of(t, s), due_s);
	if (due_s <= t->sure_s)
		t->sure_s = due_s > 0 ? due_s - 1 : 0;
}

void session_file(struct session_table *t, struct session *s, uint64_t now_ns)
{
	(void)now_ns;
	wheel_remove(&t->wheel, place_of(t, s));
	file(t, s);
}

static void count(struct session_table *t, const struct session *s, struct guest *g, uint32_t n)
{
	uint16_t slot = t->more[place_of(t, s)].slot;

	t->all.sessions += n;
	t->net[s->vid].sessions += n;
	g->sessions += n;
	if (slot < SLOT_MAX)
		t->slot_sessions[slot] += n;
	if (!is_routed(s))
		t->address[s->outside].sessions += n;
}

static void count_mapping(struct session_table *t, const struct session *s, uint32_t n)
{
	t->all.mappings += n;
	t->net[s->vid].mappings += n;
}

static void count_guest(struct session_table *t, uint16_t vid, uint32_t n)
{
	t->all.guests += n;
	t->net[vid].guests += n;
}

bool session_link(struct session_table *t, struct session *s, const struct session_hashes *h,
		  struct guest *g)
{
	uint32_t place = place_of(t, s), map_at = map_place(s->outside, s->proto, s->outside_port);
	struct port *p = s->kind == NAT_DYNAMIC ? mapping_of(t, s) : NULL;
	bool is_new = p && p->sessions == 0;

	if (!index_add(&t->out, h->out, place))
		return false;
	if (is_new && !index_add(&t->map, h->map, map_at))
		goto err_out;
	/* The line of the in-index comes last: its hash was known last. */
	file(t, s);
	if (!index_add(&t->in, h->in, place))
		goto err_map;
	if (p)
		p->sessions++;
	if (is_new)
		count_mapping(t, s, 1);
	if (g->sessions == 0)
		count_guest(t, s->vid, 1);
	count(t, s, g, 1);
	return true;
err_map:
	wheel_remove(&t->wheel, place);
	if (is_new)
		index_del(&t->map, h->map, map_at);
err_out:
	index_del(&t->out, h->out, place);
	return false;
}

static void leave_mapping(struct session_table *t, const struct session *s, uint64_t hash,
			  uint32_t now_s)
{
	struct port *p = mapping_of(t, s);

	if (--p->sessions > 0)
		return;
	index_del(&t->map, hash, map_place(s->outside, s->proto, s->outside_port));
	ports_give(ports_at(t, s->outside, s->proto), s->outside_port, now_s);
	count_mapping(t, s, (uint32_t)-1);
}

static void end(struct session_table *t, struct session *s, const struct session_hashes *h,
		uint32_t now_s)
{
	uint32_t place = place_of(t, s);
	struct guest *g = s->kind == NAT_DYNAMIC ? &t->guests.guest[mapping_of(t, s)->guest]
						 : guest_find(&t->guests, s->vid, &s->inside);

	if (t->ending)
		t->ending(s, t->arg);
	index_del(&t->out, h->out, place);
	index_del(&t->in, h->in, place);
	wheel_remove(&t->wheel, place);
	count(t, s, g, (uint32_t)-1);
	if (s->kind == NAT_DYNAMIC)
		leave_mapping(t, s, h->map, now_s);
	if (g->sessions == 0) {
		count_guest(t, s->vid, (uint32_t)-1);
		guest_forget(&t->guests, g);
	}
	__atomic_store_n(&s->state, SESSION_FREE, __ATOMIC_RELEASE);
	s->proto = 0;
	places_give(&t->places, place);
}

void session_end(struct session_table *t, struct session *s, uint64_t now_ns)
{
	struct session_hashes h = session_hashes(t, s);

	end(t, s, &h, seconds(now_ns));
}

/* --- Adding --- */

/* What has that key and is over ends.  False: one is not. */
static bool make_way(struct session_table *t, enum nat_way way, const struct session_key *k,
		     uint64_t hash, uint32_t now_s)
{
	struct session *s;

	while ((s = session_search(t, way, k, hash, true, 0)) != NULL) {
		struct session_hashes h;

		if (!is_over(t, s, now_s))
			return false;
		h = session_hashes(t, s);
		end(t, s, &h, now_s);
	}
	return true;
}

static enum drop check_limits(const struct session_table *t, const struct session_wish *w,
			      const struct guest *g, uint16_t slot)
{
	const struct nat_net *net = w->net;

	if (t->all.sessions >= NAT_SESSIONS_MAX || t->net[w->vid].sessions >= net->sessions)
		return DROP_NAT_FULL;
	if (g && g->sessions >= net->per_guest)
		return DROP_NAT_GUEST_FULL;
	if (slot < SLOT_MAX && t->slot_sessions[slot] >= net->per_guest)
		return DROP_NAT_GUEST_FULL;
	return net->per_guest > 0 ? DROP_NONE : DROP_NAT_GUEST_FULL;
}

/* The outside address of a guest: the one that it has while that is among the places, else the one of them with the fewest
 * ports in use. */
static unsigned choose_address(struct session_table *t, const struct session_wish *w,
			       struct guest *g)
{
	unsigned best = ADDRESSES;
	uint32_t fewest = UINT32_MAX;

	if (g->address != GUEST_NO_ADDRESS) {
		int place = t->address[g->address].place;

		if (place >= (int)w->place && place < (int)(w->place + w->n_places))
			return g->address;
	}
	for (unsigned i = w->place; i < w->place + w->n_places && i < t->n_pool; i++) {
		unsigned address = t->address_at[i];
		uint32_t used;

		if (address == ADDRESSES)
			continue;
		used = session_ready_ports(t, address, w->proto)->n_used;
		if (used < fewest) {
			fewest = used;
			best = address;
		}
	}
	if (best != ADDRESSES)
		g->address = (uint16_t)best;
	return best;
}

/* A new mapping: false: no port. */
static bool make_mapping(struct session_table *t, const struct session_wish *w, struct guest *g,
			 struct session *s)
{
	unsigned address = choose_address(t, w, g);
	bool may_rest_less = w->proto == PROTO_TCP || !w->net->is_open;
	struct ports *ports;
	int port;

	if (address == ADDRESSES)
		return false;
	ports = session_ready_ports(t, address, w->proto);
	port = ports_take(ports, ports_class_of(ports, w->inside_port), may_rest_less, s->seen_s,
			  &t->random);
	if (port < 0)
		return false;
	ports->port[port] = (struct port){
		.guest = guest_place(&t->guests, g),
		.inside_port = w->inside_port,
	};
	s->outside = (uint16_t)address;
	s->outside_port = (uint16_t)port;
	return true;
}

/* The outside end, by kind; k is the key of the way out.  False: there is none to be had. */
static bool choose_outside(struct session_table *t, const struct session_wish *w,
			   const struct session_key *k, uint64_t map_hash, struct guest *g,
			   struct session *s)
{
	uint32_t mapping;

	if (w->kind == NAT_ROUTED) {
		s->outside = SESSION_ROUTED | w->other_vid;
		s->outside_port = w->inside_port;
		return true;
	}
	if (w->kind == NAT_FORWARD) {
		if (w->place >= t->n_pool || t->address_at[w->place] == ADDRESSES)
			return false;
		s->outside = t->address_at[w->place];
		s->outside_port = w->outside_port;
		return true;
	}
	mapping = session_find_mapping(t, k, map_hash, w->place, w->n_places);
	if (mapping == INDEX_NONE)
		return make_mapping(t, w, g, s);
	s->outside = (uint16_t)(mapping / PORTS / PROTOS);
	s->outside_port = (uint16_t)(mapping % PORTS);
	return true;
}

/* What the keys of the record are made of, but for its outside end; it is still free. */
static void draft(struct session *s, const struct session_wish *w, uint32_t now_s)
{
	s->inside = w->inside;
	s->remote = w->remote;
	s->inside_port = w->inside_port;
	s->remote_port = w->remote_port;
	s->proto = w->proto;
	s->vid = w->vid;
	s->kind = w->kind;
	s->seen_s = now_s;
}

static void complete(struct session_table *t, struct session *s, const struct session_wish *w,
		     uint16_t slot)
{
	struct session_more *m = session_more(t, s);

	/* The next ones will be taken soon. */
	__builtin_prefetch(s + AHEAD, 1);
	__builtin_prefetch(m + AHEAD, 1);
	s->rx_frames = 0;
	s->tx_frames = 0;
	s->rule = w->rule;
	s->flags = w->flags;
	*m = (struct session_more){
		.wheel = {WHEEL_NONE, WHEEL_NONE},
		.slot = slot,
		.generation = (uint16_t)(m->generation + 1),
	};
	session_set_checksums(t, s);
}

/* The outside end, and then all that knows of the session. */
static enum drop settle(struct session_table *t, const struct session_wish *w,
			const struct session_key *k, struct session_hashes *h, struct guest *g,
			struct session *s)
{
	bool is_new; /* its mapping: then nothing outside can have these ends */

	if (!choose_outside(t, w, k, h->map, g, s))
		return DROP_NAT_PORTS;
	h->in = session_hash_in(t, s);
	__builtin_prefetch(index_first(&t->in, h->in), 1);
	is_new = s->kind == NAT_DYNAMIC && mapping_of(t, s)->sessions == 0;
	if (!is_new) {
		struct session_key in = session_key_in(t, s);

		if (!make_way(t, NAT_IN, &in, h->in, s->seen_s))
			return DROP_NAT_PORTS;
	}
	complete(t, s, w, g->slot);
	if (session_link(t, s, h, g))
		return DROP_NONE;
	if (is_new)
		ports_give(ports_at(t, s->outside, s->proto), s->outside_port, s->seen_s);
	return DROP_NAT_FULL;
}

static enum drop begin(struct session_table *t, const struct session_wish *w,
		       const struct session_key *k, struct session_hashes *h, struct guest *g,
		       uint64_t now_ns, struct session **out)
{
	struct session *s;
	uint32_t place;
	enum drop why;

	if (!guest_may_begin(g, w->net->rate, now_ns))
		return DROP_NAT_RATE;
	place = places_take(&t->places);
	if (place == PLACES_NONE)
		return DROP_NAT_FULL;
	s = &t->session[place];
	draft(s, w, seconds(now_ns));
	why = settle(t, w, k, h, g, s);
	if (why != DROP_NONE) {
		s->proto = 0;
		places_give(&t->places, place);
		return why;
	}
	if (place >= t->region->places)
		__atomic_store_n(&t->region->places, place + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&s->state, w->state, __ATOMIC_RELEASE);
	*out = s;
	return DROP_NONE;
}

enum drop session_add(struct session_table *t, const struct session_wish *w, uint64_t now_ns,
		      struct session **out)
{
	struct session_key k = {
		.near = w->inside,
		.far = w->remote,
		.near_port = w->inside_port,
		.far_port = w->remote_port,
		.side = w->vid,
		.proto = w->proto,
	};
	struct session_hashes h = {.out = session_key_hash(t, &k), .map = hash_map_key(t, &k)};
	struct guest *g;
	uint16_t slot;
	enum drop why;

	if (!make_way(t, NAT_OUT, &k, h.out, seconds(now_ns)))
		return DROP_NAT_FULL;
	g = guest_find(&t->guests, w->vid, &w->inside);
	slot = w->slot < SLOT_MAX || !g ? w->slot : g->slot;
	why = check_limits(t, w, g, slot);
	if (why != DROP_NONE)
		return why;
	if (!g)
		g = guest_make(&t->guests, w->vid, &w->inside);
	if (!g)
		return DROP_NAT_FULL;
	g->slot = slot;
	why = begin(t, w, &k, &h, g, now_ns, out);
	if (g->sessions == 0)
		guest_forget(&t->guests, g);
	return why;
}

/* --- Time --- */

/* Those of a batch that are over end, the others are filed anew.  Returns how many visits that counts for: an end is two. */
static unsigned judge(struct session_table *t, const uint32_t *place, unsigned n, uint32_t now_s)
{
	struct session_hashes h[BATCH];
	unsigned visits = n;
	bool ends[BATCH];

	for (unsigned i = 0; i < n; i++) {
		ends[i] = is_over(t, &t->session[place[i]], now_s);
		if (ends[i])
			h[i] = session_hashes(t, &t->session[place[i]]);
	}
	for (unsigned i = 0; i < n; i++) {
		if (ends[i])
			end(t, &t->session[place[i]], &h[i], now_s);
		else
			file(t, &t->session[place[i]]);
		visits += ends[i];
	}
	return visits;
}

/* 0: nothing is due. */
static unsigned visit_due(struct session_table *t, uint32_t now_s, unsigned *steps)
{
	uint32_t place[BATCH];
	unsigned n = 0;

	for (; n < BATCH; n++) {
		place[n] = wheel_next(&t->wheel, now_s, steps);
		if (place[n] == WHEEL_NONE)
			break;
		__builtin_prefetch(&t->session[place[n]], 1);
	}
	return judge(t, place, n, now_s);
}

/* A part of a sweep: the next records in order.  A look that finds none counts as well. */
static unsigned sweep_some(struct session_table *t, uint32_t now_s)
{
	uint32_t place[BATCH];
	unsigned n = 0, looks = 1;

	for (; n < BATCH && looks < BATCH && t->swept < t->region->places; looks++) {
		place[n] = places_next(&t->places, t->swept, &t->swept);
		if (place[n] == PLACES_NONE)
			continue;
		__builtin_prefetch(&t->session[place[n]], 1);
		wheel_remove(&t->wheel, place[n++]);
		t->swept++;
	}
	if (t->swept >= t->region->places)
		t->is_sweeping = false;
	return looks + judge(t, place, n, now_s);
}

uint64_t session_tick(struct session_table *t, uint64_t now_ns)
{
	uint32_t now_s = seconds(now_ns), due_s;
	unsigned visits = 0, steps = WHEEL_STEPS, n;

	if (!t->is_configured)
		return UINT64_MAX;
	do {
		n = visit_due(t, now_s, &steps);
		visits += n;
	} while (n > 0 && visits < NAT_TICK_VISITS);
	while (t->is_sweeping && visits < NAT_TICK_VISITS)
		visits += sweep_some(t, now_s);
	due_s = wheel_due(&t->wheel);
	t->sure_s = t->is_sweeping ? 0 : due_s - 1;
	if (t->is_sweeping || due_s <= now_s)
		return now_ns;
	if (t->all.sessions == 0)
		return UINT64_MAX;
	/* A session may come that ends sooner than those that are there. */
	return due_s == now_s + 1 ? due_s * SECOND_NS : now_ns + SECOND_NS;
}

/* --- Seeing --- */

struct session *session_at(const struct session_table *t, uint32_t place)
{
	if (place >= t->region->places || t->session[place].state == SESSION_FREE)
		return NULL;
	return &t->session[place];
}

uint32_t session_places(const struct session_table *t)
{
	return t->region->places;
}

struct session_counts session_counts_all(const struct session_table *t)
{
	return t->all;
}

struct session_counts session_counts_net(const struct session_table *t, uint16_t vid)
{
	return t->net[vid];
}
