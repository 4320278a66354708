/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_ra: what legs say unasked: router advertisements (RFC 4861 6.2, RFC 4862), and, when they come or change, whose the
 * addresses are (RFC 5227 2.3, RFC 4861 7.2.6).
 *
 * Advertisements come every 200 to 600 s, the first three 16 s apart (RFC 4861 10), and when somebody asks: to him, or to
 * all but at most every 3 s.  They carry the network with the flags on-link and, of a /64 where hosts may make addresses,
 * autonomous; the MTU; our MAC; name servers and domains to search (RFC 8106); and what DHCPv6 has for hosts.  Router lifetime
 * is 1800 s where IPv6 leads anywhere, else 0, so that hosts do not take us for a way out.
 *
 * What changes is advertised three times anew.  A network that is not advertised any more, or whose addresses hosts are no
 * longer to make, is told in these with lifetimes of 0: they take other addresses at once and drop those of old within 2 h (RFC
 * 4862 5.5.3).  Of a leg that is gone nothing is told, nor after a restart.
 */
#include "dhcp/wire6.h"
#include "switch/base/siphash.h"
#include "switch/gateway_internal.h"

enum {
	RA_LIFETIME_S = 1800, /* 3 times the longest interval */
	RA_SOON = 3,
	ANNOUNCES = 2,
	PREFIX_ON_LINK = 0x80,
	PREFIX_AUTONOMOUS = 0x40,
	VALID_S = 86400,
	PREFERRED_S = 14400,
};

enum {
	OPTION_SOURCE = 1,
	OPTION_PREFIX = 3,
	OPTION_MTU = 5,
	OPTION_RDNSS = 25,
	OPTION_DNSSL = 31,
};

/* In bytes; all options are multiples of eight. */
enum {
	RA_BYTES = 16,
	SOURCE_BYTES = 8,
	MTU_BYTES = 8,
	PREFIX_BYTES = 32,
	NAMES_HEADER = 8, /* of RDNSS and DNSSL */
	RDNSS_MAX = NAMES_HEADER + 4 * 16,
	DNSSL_MAX = NAMES_HEADER + 256, /* names beyond are left out */
	RA_MAX = RA_BYTES + SOURCE_BYTES + MTU_BYTES + 2 * PREFIX_BYTES + RDNSS_MAX + DNSSL_MAX,
};
_Static_assert(sizeof(((struct gateway_leg *)0)->rdnss) == RDNSS_MAX - NAMES_HEADER,
	       "they have room");

static const uint64_t SECOND_NS = 1000000000, RA_SOON_NS = 16000000000, RA_LEAST_NS = 200000000000,
		      RA_SPAN_NS = 400000000000, RA_REST_NS = 3000000000;
static const struct ip all_nodes = {{0xff, 0x02, [15] = 1}};

/* Does IPv6 of that network lead anywhere? */
static bool is_way_out(const struct gateway_leg *leg)
{
	const struct gateway_conf *c = leg->conf;

	if (leg->outside && c->leg[leg->outside].v6.is_set && (leg->is_nat || leg->routes_v6))
		return true;
	for (unsigned i = 1; i < c->n_legs; i++)
		if (!c->leg[i].is_outside && c->leg[i].v6.is_set &&
		    (gateway_reaches(leg, &c->leg[i]) || gateway_reaches(&c->leg[i], leg)))
			return true;
	return false;
}

static void write_be32(uint8_t *p, uint32_t v)
{
	write_be16(p, (uint16_t)(v >> 16));
	write_be16(p + 2, (uint16_t)v);
}

static bool speaks(const struct gateway_leg *leg)
{
	return leg->advertises && leg->v6.is_set;
}

static uint8_t prefix_flags(const struct prefix *p, bool is_slaac)
{
	return p->len == 64 && is_slaac ? PREFIX_ON_LINK | PREFIX_AUTONOMOUS : PREFIX_ON_LINK;
}

/* Each option is written behind the ones before; b is zero there. */
struct advert {
	uint8_t b[RA_MAX];
	unsigned n;
};

static uint8_t *add_option(struct advert *a, uint8_t type, unsigned bytes)
{
	uint8_t *o = a->b + a->n;

	o[0] = type;
	o[1] = (uint8_t)(bytes / 8);
	a->n += bytes;
	return o;
}

static void add_prefix(struct advert *a, const struct prefix *p, uint8_t flags, bool is_over)
{
	uint8_t *o = add_option(a, OPTION_PREFIX, PREFIX_BYTES);

	o[2] = p->len;
	o[3] = flags;
	write_be32(o + 4, is_over ? 0 : VALID_S);
	write_be32(o + 8, is_over ? 0 : PREFERRED_S);
	for (unsigned bit = 0; bit < p->len; bit++)
		o[16 + bit / 8] |= (uint8_t)(p->ip.b[bit / 8] & 0x80 >> bit % 8);
}

/* RFC 8106 5.1, 5.2. */
static void add_names(struct advert *a, const struct gateway_leg *leg)
{
	uint8_t names[DNSSL_MAX - NAMES_HEADER] = {0}, *o;
	size_t used = 0, n;

	if (leg->n_rdnss > 0) {
		n = leg->n_rdnss * sizeof(leg->rdnss[0]);
		o = add_option(a, OPTION_RDNSS, (unsigned)(NAMES_HEADER + n));
		write_be32(o + 4, RA_LIFETIME_S);
		memcpy(o + NAMES_HEADER, leg->rdnss, n);
	}
	for (const char *name = leg->dnssl; name && *name; name += n + (name[n] == ' ')) {
		n = strcspn(name, " ");
		dhcp6_put_domain(names, sizeof(names), &used, name, n);
	}
	if (used > 0) {
		used = (used + 7) / 8 * 8;
		o = add_option(a, OPTION_DNSSL, (unsigned)(NAMES_HEADER + used));
		write_be32(o + 4, RA_LIFETIME_S);
		memcpy(o + NAMES_HEADER, names, used);
	}
}

/* What a leg advertises; of one that does not (any more), that it is no router. */
static void write_advert(struct advert *a, const struct gateway_leg *leg)
{
	uint8_t *o;

	*a = (struct advert){.n = RA_BYTES};
	a->b[0] = ND_ROUTER_ADVERT;
	a->b[4] = TTL_OURS;
	o = add_option(a, OPTION_SOURCE, SOURCE_BYTES);
	memcpy(o + 2, &leg->mac, 6);
	if (!speaks(leg))
		return;
	a->b[5] = leg->ra_flags;
	write_be16(a->b + 6, is_way_out(leg) ? RA_LIFETIME_S : 0);
	o = add_option(a, OPTION_MTU, MTU_BYTES);
	write_be32(o + 4, leg->told_mtu ? leg->told_mtu : leg->mtu);
	add_prefix(a, &leg->v6, prefix_flags(&leg->v6, leg->is_slaac), false);
	add_names(a, leg);
}

static void send_ra(struct gateway *g, const struct gateway_leg *leg, const struct ip *to,
		    const struct mac *mac)
{
	const struct leg_state *s = &g->state[leg->vid];
	struct gateway_ip ip = {
		.leg = leg,
		.src = gateway_link_local(&leg->mac),
		.dst = *to,
		.mac = *mac,
		.proto = PROTO_ICMPV6,
		.hops = ND_HOPS,
	};
	struct advert a;
	struct frame *f;
	uint8_t *l4;

	write_advert(&a, leg);
	if (s->old6.is_set)
		add_prefix(&a, &s->old6, s->old6_flags, true);
	ip.l4 = a.n;
	l4 = gateway_made_ip(g, &ip, &f);
	if (!l4)
		return;
	memcpy(l4, a.b, a.n);
	gateway_seal(f, &ip, 2);
}

static void send_to_all(struct gateway *g, const struct gateway_leg *leg)
{
	static const struct mac group = {{0x33, 0x33, 0, 0, 0, 1}};

	g->state[leg->vid].ra_last_ns = g->call->now_ns;
	send_ra(g, leg, &all_nodes, &group);
}

enum drop gateway_ra_answer(struct gateway *g, const struct gateway_leg *leg, const struct ip *to,
			    const struct mac *mac)
{
	struct leg_state *s = &g->state[leg->vid];

	if (!gateway_may_answer(g, leg))
		return DROP_RATE;
	if (gateway_is_link_local(to) || gateway_is_on_link(leg, to, true)) {
		send_ra(g, leg, to, mac);
	} else if (s->ra_last_ns == 0 || g->call->now_ns - s->ra_last_ns >= RA_REST_NS) {
		send_to_all(g, leg);
	} else if (s->ra_next_ns > s->ra_last_ns + RA_REST_NS) {
		s->ra_next_ns = s->ra_last_ns + RA_REST_NS;
		if (s->ra_next_ns < g->legs_due_ns)
			g->legs_due_ns = s->ra_next_ns;
	}
	return DROP_NONE;
}

static uint64_t next_ra(struct gateway *g, struct leg_state *s)
{
	uint64_t wait_ns = RA_LEAST_NS + gateway_random(g) % RA_SPAN_NS;

	if (s->ra_soon > 0 && --s->ra_soon > 0)
		wait_ns = RA_SOON_NS;
	else
		s->old6.is_set = false;
	if (s->advert == 0 && s->ra_soon == 0)
		return UINT64_MAX;
	return g->call->now_ns + wait_ns;
}

/* What one leg has to say by now; returns when it wants to go on. */
static uint64_t tick(struct gateway *g, const struct gateway_leg *leg)
{
	struct leg_state *s = &g->state[leg->vid];
	uint64_t now_ns = g->call->now_ns;

	if (s->announce_next_ns <= now_ns) {
		gateway_arp_announce(g, leg);
		gateway_nd_announce(g, leg);
		s->announce_next_ns = --s->announces > 0 ? now_ns + SECOND_NS : UINT64_MAX;
	}
	if (s->ra_next_ns <= now_ns) {
		send_to_all(g, leg);
		s->ra_next_ns = next_ra(g, s);
	}
	return s->announce_next_ns < s->ra_next_ns ? s->announce_next_ns : s->ra_next_ns;
}

void gateway_legs_tick(struct gateway *g)
{
	const struct gateway_conf *c = g->call->conf;
	uint64_t due_ns = UINT64_MAX, next_ns;
	enum { ROOM = 2 + 2 * 16 }; /* for all that one leg can say */

	if (g->legs_due_ns > g->call->now_ns)
		return;
	for (unsigned i = 1; i < c->n_legs; i++) {
		if (gateway_made_room(g) < ROOM) {
			due_ns = g->call->now_ns;
			break;
		}
		if (!g->state[c->leg[i].vid].is_known)
			continue;
		next_ns = tick(g, &c->leg[i]);
		if (next_ns < due_ns)
			due_ns = next_ns;
	}
	g->legs_due_ns = due_ns;
}

/* --- a new configuration ----------------------------------------------------------------- */

static bool same_prefix(const struct prefix *a, const struct prefix *b)
{
	return a->is_set == b->is_set &&
	       (!a->is_set || (a->len == b->len && ip_equal(&a->ip, &b->ip)));
}

static uint64_t hash_advert(const struct gateway_leg *leg)
{
	static const uint64_t no_secret[2];
	struct advert a;

	if (!speaks(leg))
		return 0;
	write_advert(&a, leg);
	return siphash(no_secret, a.b, a.n) | 1;
}

/* Has what was advertised to be taken back, now that the leg is so? */
static void take_back(struct leg_state *s, const struct gateway_leg *leg)
{
	uint8_t was = prefix_flags(&s->v6, s->is_slaac);
	uint8_t is = prefix_flags(&leg->v6, leg->is_slaac);
	bool stays = speaks(leg) && leg->v6.len == s->v6.len && prefix_holds(&leg->v6, &s->v6.ip);

	if (s->advert && (!stays || (was & ~is))) {
		s->old6 = s->v6;
		s->old6_flags = stays ? PREFIX_AUTONOMOUS : was;
	} else if (s->old6.is_set && prefix_holds(&s->old6, &leg->v6.ip)) { /* it is back */
		s->old6_flags &= (uint8_t)~is;
		s->old6.is_set = s->old6_flags;
	}
}

static void meet(struct gateway *g, const struct gateway_leg *leg, uint64_t now_ns)
{
	struct leg_state *s = &g->state[leg->vid];
	bool is_same = s->is_known && same_prefix(&s->v4, &leg->v4) &&
		       same_prefix(&s->v6, &leg->v6) && memcmp(&s->mac, &leg->mac, 6) == 0;
	uint64_t advert = hash_advert(leg);

	if (is_same && s->advert == advert)
		return;
	/* What survived a restart is kept: the leg is then not known yet. */
	if (s->is_known && !is_same)
		neigh_flush(g->neigh, leg->vid, NULL);
	if (!s->is_known) {
		*s = (struct leg_state){.ra_next_ns = UINT64_MAX, .announce_next_ns = UINT64_MAX};
		rate_init(&s->errors, 100, 50);
		rate_init(&s->answers, leg->is_outside ? 1000 : 20000,
			  leg->is_outside ? 200 : 4000);
	}
	take_back(s, leg);
	s->is_known = true;
	s->mac = leg->mac;
	s->v4 = leg->v4;
	s->v6 = leg->v6;
	s->is_slaac = leg->is_slaac;
	s->advert = advert;
	s->ra_next_ns = advert || s->old6.is_set ? now_ns : UINT64_MAX;
	s->ra_soon = RA_SOON;
	if (!leg->is_host_only && !is_same) {
		s->announce_next_ns = now_ns;
		s->announces = ANNOUNCES;
	}
	g->legs_due_ns = now_ns;
}

void gateway_announce(struct gateway *g, const struct gateway_conf *c, uint64_t now_ns)
{
	for (unsigned vid = 1; vid < VLANS; vid++) {
		if (c->leg_of[vid]) {
			meet(g, &c->leg[c->leg_of[vid]], now_ns);
		} else if (g->state[vid].is_known) {
			g->state[vid].is_known = false;
			neigh_flush(g->neigh, (uint16_t)vid, NULL);
		}
	}
	atomic_store_explicit(&g->next_ns, 0, memory_order_relaxed);
}
