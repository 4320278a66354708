/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session: the table of the NAT: looking up.
 *
 * nat.c asks it for the session of each packet; session_life.c begins and ends sessions, session_pool.c keeps the outside
 * addresses, session_restore.c makes a table again from the records that a former process left.
 *
 *   packet --hash--> line of the out-index or in-index --tag--> place --> record (one line)       found: 2 cache misses
 *
 * sure_s.  Until that second nothing in the indexes is over, so a hit need not ask.  It is the second before the next visit
 * that is due; a session that is filed for an earlier one lowers it, and while a sweep runs it is 0.  After it session_find() asks
 * for the lifetime of each.
 *
 * Trust.  Ends of sessions are chosen by guests and by the outside; the hashes are keyed, and what one can take is limited by
 * guest, access port and network.
 */
#include "nat/session.h"

#include <string.h>

#include "nat/session_internal.h"

static bool is_same(const struct ip *a, const struct ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static uint64_t hash_map(const struct session_table *t, const struct ip *inside, uint16_t port,
			 uint16_t vid, unsigned proto)
{
	static const struct ip none;

	return session_mix(t, inside, &none, session_rest(port, 0, vid, (uint8_t)proto));
}

uint64_t session_hash_mapping(const struct session_table *t, const struct session_key *k)
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
	__builtin_prefetch(session_mapping(t, s), 1);
	return h;
}

bool session_is_over(const struct session_table *t, const struct session *s, uint32_t now_s)
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

const void *session_line(const struct session_table *t, enum nat_way way, uint64_t hash)
{
	const struct index_line *line = index_first(session_index(t, way), hash);

	__builtin_prefetch(line);
	return line;
}

uint32_t session_guess(const struct session_table *t, enum nat_way way, const void *line,
		       uint64_t hash)
{
	uint32_t place = index_guess(session_index(t, way), line, hash);

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
	unsigned n = index_candidates(session_index(t, way), hash, place);

	for (unsigned i = 0; i < n; i++) {
		struct session *s = &t->session[place[i]];

		if (has_key(t, s, way, k) && (with_over || !session_is_over(t, s, now_s)))
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
	uint64_t hash = session_hash_mapping(t, k);

	__builtin_prefetch(index_first(&t->map, hash), 1);
	__builtin_prefetch(index_second(&t->map, hash));
}

struct session_more *session_more(const struct session_table *t, const struct session *s)
{
	return &t->more[session_place_of(t, s)];
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
	uint32_t at = session_find_mapping(t, k, session_hash_mapping(t, k), place, n_places);

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
