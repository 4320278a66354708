/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_ra: what legs say unasked: router advertisements (RFC 4861 6.2, RFC 4862), and, when they come or change, whose the
 * addresses are (RFC 5227 2.3, RFC 4861 7.2.6).
 *
 * Advertisements come every 200 to 600 s, the first three 16 s apart (RFC 4861 10), and when somebody asks: to him, or to
 * all but at most every 3 s.  They carry the network with the flags on-link and, of a /64, autonomous; the MTU; our
 * MAC.  Router lifetime is 1800 s where IPv6 leads anywhere, else 0, so that hosts do not take us for a way out.
 */
#include "switch/gateway_internal.h"

enum {
	RA_BYTES = 16,
	RA_LIFETIME_S = 1800,
	RA_SOON = 3,
	ANNOUNCES = 2,
	OPTION_SOURCE = 1,
	OPTION_PREFIX = 3,
	OPTION_MTU = 5,
	OPTIONS_BYTES = 8 + 8 + 32,
	PREFIX_ON_LINK = 0x80,
	PREFIX_AUTONOMOUS = 0x40,
	VALID_S = 86400,
	PREFERRED_S = 14400,
};

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

static void write_prefix(uint8_t *o, const struct prefix *p)
{
	o[0] = OPTION_PREFIX;
	o[1] = 4;
	o[2] = p->len;
	o[3] = p->len == 64 ? PREFIX_ON_LINK | PREFIX_AUTONOMOUS : PREFIX_ON_LINK;
	write_be32(o + 4, VALID_S);
	write_be32(o + 8, PREFERRED_S);
	for (unsigned bit = 0; bit < p->len; bit++)
		o[16 + bit / 8] |= (uint8_t)(p->ip.b[bit / 8] & 0x80 >> bit % 8);
}

static void send_ra(struct gateway *g, const struct gateway_leg *leg, const struct ip *to,
		    const struct mac *mac)
{
	struct gateway_ip ip = {
		.leg = leg,
		.src = gateway_link_local(&leg->mac),
		.dst = *to,
		.mac = *mac,
		.proto = PROTO_ICMPV6,
		.hops = ND_HOPS,
		.l4 = RA_BYTES + OPTIONS_BYTES,
	};
	struct frame *f;
	uint8_t *l4 = gateway_made_ip(g, &ip, &f), *o;

	if (!l4)
		return;
	memset(l4, 0, ip.l4);
	l4[0] = ND_ROUTER_ADVERT;
	l4[4] = TTL_OURS;
	write_be16(l4 + 6, is_way_out(leg) ? RA_LIFETIME_S : 0);
	o = l4 + RA_BYTES;
	o[0] = OPTION_SOURCE;
	o[1] = 1;
	memcpy(o + 2, &leg->mac, 6);
	o[8] = OPTION_MTU;
	o[9] = 1;
	write_be32(o + 12, leg->mtu);
	write_prefix(o + 16, &leg->v6);
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

static void meet(struct gateway *g, const struct gateway_leg *leg, uint64_t now_ns)
{
	struct leg_state *s = &g->state[leg->vid];
	bool is_same = s->is_known && same_prefix(&s->v4, &leg->v4) &&
		       same_prefix(&s->v6, &leg->v6) && memcmp(&s->mac, &leg->mac, 6) == 0;

	if (is_same && s->advertises == leg->advertises && s->mtu == leg->mtu &&
	    s->is_way_out == is_way_out(leg))
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
	s->is_known = true;
	s->mac = leg->mac;
	s->v4 = leg->v4;
	s->v6 = leg->v6;
	s->advertises = leg->advertises;
	s->is_way_out = is_way_out(leg);
	s->mtu = leg->mtu;
	s->ra_next_ns = leg->advertises && leg->v6.is_set ? now_ns : UINT64_MAX;
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
