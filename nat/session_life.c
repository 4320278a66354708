/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session_life: how sessions of the table begin and end.
 *
 *   session_add      out-index: is it there?  limits.  map-index: mapping of the inside end, or a new one: a port of the guest's
 *                    outside address.  Lowest free record, indexes, counters, wheel.
 *   session_tick     wheel: visits what is due; over: ends it, else files it anew.  A batch at a time in steps, so that
 *                    their cache misses overlap.  Then, after a change of configuration, the sweep: some records in order.
 *
 * Order of stores, for the next process: a record is whole before its state says that it is in use, and not in use before
 * anything else of it changes.
 *
 * Trust.  As session.c.
 */
#include "nat/session.h"

#include "nat/session_internal.h"

enum { BATCH = 32, AHEAD = 8, LIFETIME_MAX = 1 << 30 };

static const uint64_t SECOND_NS = 1000000000;

static uint32_t seconds(uint64_t ns)
{
	return (uint32_t)(ns / SECOND_NS);
}

/* --- Filing and ending --- */

static void file(struct session_table *t, struct session *s)
{
	uint32_t lifetime = t->lifetime ? t->lifetime(s, t->arg) : 0, due_s;

	if (lifetime > LIFETIME_MAX)
		lifetime = LIFETIME_MAX;
	due_s = lifetime > 0 ? s->seen_s + lifetime + 1 : 0;
	wheel_file(&t->wheel, session_place_of(t, s), due_s);
	if (due_s <= t->sure_s)
		t->sure_s = due_s > 0 ? due_s - 1 : 0;
}

void session_file(struct session_table *t, struct session *s, uint64_t now_ns)
{
	(void)now_ns;
	wheel_remove(&t->wheel, session_place_of(t, s));
	file(t, s);
}

static void count(struct session_table *t, const struct session *s, struct guest *g, uint32_t n)
{
	uint16_t slot = t->more[session_place_of(t, s)].slot;

	t->all.sessions += n;
	t->net[s->vid].sessions += n;
	g->sessions += n;
	if (slot < SLOT_MAX)
		t->slot_sessions[slot] += n;
	if (s->kind == NAT_FORWARD) {
		g->forwards += n;
		if (slot < SLOT_MAX)
			t->slot_forwards[slot] += n;
	}
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
	uint32_t place = session_place_of(t, s),
		 map_at = map_place(s->outside, s->proto, s->outside_port);
	struct port *p = s->kind == NAT_DYNAMIC ? session_mapping(t, s) : NULL;
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
	struct port *p = session_mapping(t, s);

	if (--p->sessions > 0)
		return;
	index_del(&t->map, hash, map_place(s->outside, s->proto, s->outside_port));
	ports_give(ports_at(t, s->outside, s->proto), s->outside_port, now_s);
	count_mapping(t, s, (uint32_t)-1);
}

static void end(struct session_table *t, struct session *s, const struct session_hashes *h,
		uint32_t now_s)
{
	uint32_t place = session_place_of(t, s);
	struct guest *g = s->kind == NAT_DYNAMIC ? &t->guests.guest[session_mapping(t, s)->guest]
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

		if (!session_is_over(t, s, now_s))
			return false;
		h = session_hashes(t, s);
		end(t, s, &h, now_s);
	}
	return true;
}

/* Those that the outside begins by a rule must not use up what the guest may begin itself, nor the other way round. */
static uint32_t used(const struct session_wish *w, uint32_t all, uint32_t forwards)
{
	return w->kind == NAT_FORWARD ? forwards : all - forwards;
}

static enum drop check_limits(const struct session_table *t, const struct session_wish *w,
			      const struct guest *g, uint16_t slot)
{
	const struct nat_net *net = w->net;

	if (t->all.sessions >= NAT_SESSIONS_MAX || t->net[w->vid].sessions >= net->sessions)
		return DROP_NAT_FULL;
	if (g && used(w, g->sessions, g->forwards) >= net->per_guest)
		return DROP_NAT_GUEST_FULL;
	if (slot < SLOT_MAX &&
	    used(w, t->slot_sessions[slot], t->slot_forwards[slot]) >= net->per_guest)
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
	if (best != ADDRESSES && !(w->flags & SESSION_HAIRPIN)) /* that may be by another uplink */
		g->address = (uint16_t)best;
	return best;
}

/* A new mapping: false: no port. */
static bool make_mapping(struct session_table *t, const struct session_wish *w, struct guest *g,
			 struct session *s)
{
	unsigned address = choose_address(t, w, g);
	bool may_rest_less = w->proto == PROTO_TCP || !w->net->is_open;
	enum ports_class class;
	struct ports *ports;
	int port;

	if (address == ADDRESSES)
		return false;
	ports = session_ready_ports(t, address, w->proto);
	class = ports_class_of(ports, w->inside_port);
	port = ports_take(ports, class, may_rest_less, s->seen_s, &t->random);
	/* Who takes all the low ones must not take NTP from others: RFC 4787 REQ-3a is a wish. */
	if (port < 0 && class == PORTS_LOW)
		port = ports_take(ports, PORTS_HIGH, may_rest_less, s->seen_s, &t->random);
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
	is_new = s->kind == NAT_DYNAMIC && session_mapping(t, s)->sessions == 0;
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

	if (w->kind != NAT_FORWARD && !guest_may_begin(g, w->net->rate, now_ns))
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
	struct session_hashes h = {.out = session_key_hash(t, &k),
				   .map = session_hash_mapping(t, &k)};
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
		ends[i] = session_is_over(t, &t->session[place[i]], now_s);
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
