/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session_restore: a session table from nothing, or from the records that a former process left.
 *
 *   region:  header with the outside addresses | session[NAT_SESSIONS_MAX] | session_more[NAT_SESSIONS_MAX]
 *
 * All else - indexes, guests, mappings, ports, wheel, counters, checksums - is made again from the records: they go through
 * the same session_link() as new ones.
 *
 * Trust.  A crashed switch wrote the region.  Every field of a record that something relies on is checked, the rest is
 * put right or means no harm (counters, TCP windows, the rule: nat.c checks its bounds).  Of two records that cannot both
 * be, the later one is dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "nat/room.h"
#include "nat/session_internal.h"

static const uint64_t SECOND_NS = 1000000000;

enum { VID_LAST = 4094, BATCH = 16 };
/* Of the indexes that packets ask, and of the one that only new sessions ask. */
/* Bytes of records in small pages, of the first million; and bytes that are touched ahead behind them. */
enum { WIDE_FROM = 64 << 20, WIDE_AHEAD = 16 << 20 };
enum { HIT_FILL_X2 = 10, MAP_FILL_X2 = 11 };

static size_t ports_bytes(void)
{
	return sizeof(struct ports) * ADDRESSES * PROTOS;
}

size_t session_region_bytes(void)
{
	return sizeof(struct session_region) +
	       (sizeof(struct session) + sizeof(struct session_more)) * (size_t)NAT_SESSIONS_MAX;
}

static bool is_vid(unsigned vid)
{
	return vid >= 1 && vid <= VID_LAST;
}

/* Addresses are in order and no two are equal. */
static void check_addresses(struct session_region *r)
{
	static const struct session_pool none;

	for (unsigned i = 0; i < ADDRESSES; i++) {
		bool is_good = is_vid(r->address[i].vid);

		for (unsigned j = 0; j < i && is_good; j++)
			is_good = memcmp(&r->address[i], &r->address[j], sizeof(none)) != 0;
		if (!is_good)
			r->address[i] = none;
	}
}

static bool is_outside_good(const struct session_table *t, const struct session *s)
{
	const struct session_pool *a;

	if (is_routed(s))
		return s->kind == NAT_ROUTED && is_vid(s->outside & (uint16_t)~SESSION_ROUTED) &&
		       s->outside_port == s->inside_port;
	if ((s->kind != NAT_DYNAMIC && s->kind != NAT_FORWARD) || s->outside >= ADDRESSES)
		return false;
	a = &t->region->address[s->outside];
	return a->vid != 0 && ip_is_v4(&a->ip) == ip_is_v4(&s->inside);
}

static bool is_record_good(const struct session_table *t, const struct session *s)
{
	bool is_v4 = ip_is_v4(&s->inside);

	if (s->state == SESSION_FREE || s->state >= SESSION_STATES || !is_vid(s->vid))
		return false;
	if (is_v4 != ip_is_v4(&s->remote))
		return false;
	if (s->proto != PROTO_TCP && s->proto != PROTO_UDP &&
	    s->proto != (is_v4 ? PROTO_ICMP : PROTO_ICMPV6))
		return false;
	return is_outside_good(t, s);
}

/* The mapping of a dynamic one: as another record says it is, or the port is free and the inside end has no other. */
static bool claim_mapping(struct session_table *t, const struct session *s, const struct guest *g,
			  uint64_t hash)
{
	struct ports *ports = session_ready_ports(t, s->outside, s->proto);
	struct port *p = &ports->port[s->outside_port];
	struct session_key k = session_key_out(s);

	if (p->sessions > 0 && p->sessions != PORTS_RESTING)
		return p->guest == guest_place(&t->guests, g) && p->inside_port == s->inside_port;
	if (ports_class_of(ports, s->outside_port) != ports_class_of(ports, s->inside_port) ||
	    session_find_mapping(t, &k, hash, s->outside, 1) != INDEX_NONE ||
	    !ports_claim(ports, s->outside_port))
		return false;
	*p = (struct port){.guest = guest_place(&t->guests, g), .inside_port = s->inside_port};
	return true;
}

static bool is_alone(const struct session_table *t, const struct session *s,
		     const struct session_hashes *h)
{
	struct session_key out = session_key_out(s), in = session_key_in(t, s);

	return !session_search(t, NAT_OUT, &out, h->out, true, 0) &&
	       !session_search(t, NAT_IN, &in, h->in, true, 0);
}

static bool link_record(struct session_table *t, struct session *s, struct guest *g,
			const struct session_hashes *h)
{
	if (s->kind != NAT_DYNAMIC)
		return session_link(t, s, h, g);
	if (!claim_mapping(t, s, g, h->map))
		return false;
	if (g->address == GUEST_NO_ADDRESS)
		g->address = s->outside;
	if (session_link(t, s, h, g))
		return true;
	if (ports_at(t, s->outside, s->proto)->port[s->outside_port].sessions == 0)
		ports_give(ports_at(t, s->outside, s->proto), s->outside_port, s->seen_s);
	return false;
}

/* A record that is good in itself: with all others that are there already. */
static bool restore(struct session_table *t, struct session *s, const struct session_hashes *h,
		    uint32_t now_s)
{
	struct session_more *m = session_more(t, s);
	struct guest *g;
	bool is_linked;

	if (!is_alone(t, s, h))
		return false;
	g = guest_find(&t->guests, s->vid, &s->inside);
	if (!g)
		g = guest_make(&t->guests, s->vid, &s->inside);
	if (!g)
		return false;
	m->wheel = (struct wheel_link){WHEEL_NONE, WHEEL_NONE};
	if (m->slot < SLOT_MAX)
		g->slot = m->slot;
	else
		m->slot = SLOT_MAX;
	if (s->seen_s > now_s)
		s->seen_s = now_s;
	session_set_checksums(t, s);
	is_linked = link_record(t, s, g, h);
	if (g->sessions == 0)
		guest_forget(&t->guests, g);
	return is_linked;
}

static void restore_some(struct session_table *t, uint32_t first, uint32_t end, uint32_t now_s)
{
	struct session_hashes h[BATCH];
	bool is_good[BATCH];

	for (uint32_t i = first; i < end; i++) {
		is_good[i - first] = is_record_good(t, &t->session[i]);
		if (is_good[i - first])
			h[i - first] = session_hashes(t, &t->session[i]);
	}
	for (uint32_t i = first; i < end; i++) {
		struct session *s = &t->session[i];

		if (is_good[i - first] && restore(t, s, &h[i - first], now_s)) {
			places_claim(&t->places, i);
			t->region->places = i + 1;
		} else {
			s->state = SESSION_FREE;
			s->proto = 0;
		}
	}
}

static uint32_t count_used(const struct session_table *t, uint32_t places)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < places; i++)
		n += t->session[i].state != SESSION_FREE;
	return n;
}

static void restore_all(struct session_table *t, uint32_t now_s)
{
	uint32_t places = t->region->places, n;

	if (places > NAT_SESSIONS_MAX)
		places = NAT_SESSIONS_MAX;
	check_addresses(t->region);
	n = count_used(t, places);
	index_expect(&t->out, n);
	index_expect(&t->in, n);
	t->region->places = 0;
	/* Here every address is at the place of its number, for session_find_mapping(). */
	for (unsigned i = 0; i < ADDRESSES; i++)
		t->address[i].place = (int16_t)i;
	for (uint32_t i = 0; i < places; i += BATCH)
		restore_some(t, i, i + BATCH < places ? i + BATCH : places, now_s);
	for (unsigned i = 0; i < ADDRESSES; i++)
		t->address[i].place = -1;
}

static uint64_t rehash_out(const void *table, uint32_t place)
{
	const struct session_table *t = table;

	return session_hash_out(t, &t->session[place]);
}

static uint64_t rehash_in(const void *table, uint32_t place)
{
	const struct session_table *t = table;

	return session_hash_in(t, &t->session[place]);
}

static bool take_rooms(struct session_table *t, uint64_t seed[2])
{
	t->ports = room_take(ports_bytes());
	return t->ports && index_init(&t->out, NAT_SESSIONS_MAX, HIT_FILL_X2, rehash_out, t) &&
	       index_init(&t->in, NAT_SESSIONS_MAX, HIT_FILL_X2, rehash_in, t) &&
	       index_init(&t->map, NAT_SESSIONS_MAX, MAP_FILL_X2, session_rehash_mapping, t) &&
	       places_init(&t->places, NAT_SESSIONS_MAX) && guests_init(&t->guests, seed);
}

struct session_table *session_table_create(void *region, bool fresh, uint64_t now_ns,
					   const uint64_t seed[2])
{
	struct session_table *t = calloc(1, sizeof(*t));
	uint64_t key[2 + 2 + HASH_KEYS];

	if (!t)
		return NULL;
	for (unsigned i = 0; i < sizeof(key) / sizeof(key[0]); i++)
		key[i] = ports_sip(seed, i);
	memcpy(t->key, key + 4, sizeof(t->key));
	memcpy(t->random.key, key + 2, sizeof(t->random.key));
	if (!take_rooms(t, key)) {
		session_table_destroy(t);
		return NULL;
	}
	room_widen(region, WIDE_FROM,
		   sizeof(*t->region) + sizeof(*t->session) * (size_t)NAT_SESSIONS_MAX);
	t->region = region;
	t->session = (struct session *)(t->region + 1);
	t->more = (struct session_more *)(t->session + NAT_SESSIONS_MAX);
	wheel_init(&t->wheel, (uint32_t)(now_ns / SECOND_NS), &t->more->wheel, sizeof(*t->more));
	for (unsigned i = 0; i < ADDRESSES; i++)
		t->address[i].place = -1;
	if (fresh)
		memset(t->region, 0, sizeof(*t->region));
	else
		restore_all(t, (uint32_t)(now_ns / SECOND_NS));
	return t;
}

void session_table_touch(const struct session_table *t)
{
	size_t bytes = (size_t)__atomic_load_n(&t->region->places, __ATOMIC_RELAXED) *
		       sizeof(*t->session),
	       all = (size_t)NAT_SESSIONS_MAX * sizeof(*t->session);

	if (bytes > WIDE_FROM && bytes + WIDE_AHEAD < all)
		room_touch(t->session, bytes, bytes + WIDE_AHEAD);
	index_touch(&t->out);
	index_touch(&t->in);
	index_touch(&t->map);
}

void session_table_destroy(struct session_table *t)
{
	if (!t)
		return;
	room_put(t->ports, ports_bytes());
	index_fini(&t->out);
	index_fini(&t->in);
	index_fini(&t->map);
	places_fini(&t->places);
	guests_fini(&t->guests);
	free(t);
}
