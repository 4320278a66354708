/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_route: where a packet that came to a leg goes.
 *
 *   from a network                                     from an uplink
 *   to us                      gateway_local.c         to an address of ours       nat_in, else gateway_local.c
 *   to its own network         dropped                 to a network behind us      IPv6 that is routed: plain;
 *   to another network         nat_route, if a route                               else only as the answer of a session
 *                              lets one of them begin                              (NAT exempt)
 *   else, by its way out       nat_out, or plain       else                        dropped without a word
 *
 * gateway_sort() says which, so that the look-ups of a whole vector overlap; gateway_carry() translates and goes on to
 * gateway_hop.c.  Networks are apart unless a route says otherwise, and a packet to another network never leaves by the uplink.
 * To its own network nothing is routed: the gateway is no way around isolation.
 *
 * Source addresses: RFC 2827 and RFC 1812 5.3.8; no source routes (RFC 1812 5.3.13.4, RFC 5095); no groups (RFC 2644).
 * IPv4 link-local addresses stay on their link (RFC 3927 7), which may be that of an uplink.
 *
 * Trust.  The headers were parsed; addresses are the sender's, and all of them are held against the leg.
 */
#include <stdio.h>

#include "switch/gateway_internal.h"

static enum drop refuse(struct gateway *g, const struct work *w, enum drop why, const char *text)
{
	(void)text;
	note(g->call->rec, w->k.f, STAGE_GATEWAY, "%s", text);
	return why;
}

/* To another network of ours, or to one that none may reach. */
static enum drop sort_networks(struct gateway *g, struct work *w, bool *goes)
{
	const struct gateway_leg *from = w->from, *to;
	struct packet *k = &w->k;
	bool is_ours;

	if (prefix_holds(k->is_v6 ? &from->v6 : &from->v4, &k->dst))
		return refuse(g, w, DROP_NO_ROUTE,
			      "to the network it came from: the gateway is no way around");
	to = gateway_other(from, &k->dst, &is_ours);
	if (!is_ours) {
		*goes = true; /* outside, as far as we know */
		return DROP_NONE;
	}
	if (to && gateway_is_own(to, &k->dst)) {
		if (!to->is_host_only && gateway_reaches(from, to))
			return gateway_local(g, w);
		to = NULL;
	}
	if (!to) {
		note(g->call->rec, k->f, STAGE_GATEWAY,
		     "no route lets this network reach that one");
		gateway_error(g, w, DROP_NETWORKS_APART);
		return DROP_NETWORKS_APART;
	}
	w->way = WAY_ROUTE;
	w->to = to;
	w->may_begin = gateway_reaches(from, to);
	w->j.to_vid = to->vid;
	*goes = true;
	return DROP_NONE;
}

/* Out by the network's uplink. */
static enum drop sort_out(struct gateway *g, struct work *w, bool *goes)
{
	const struct gateway_leg *from = w->from, *out = &from->conf->leg[from->outside];
	struct packet *k = &w->k;
	bool is_plain = k->is_v6 && from->routes_v6;

	*goes = false;
	if (!k->is_v6 && gateway_is_v4_link_local(&k->dst) && !prefix_holds(&out->v4, &k->dst))
		return refuse(g, w, DROP_MARTIAN, "a link-local address is not routed");
	if (from->outside == LEG_NONE || !(is_plain || from->is_nat) ||
	    !(k->is_v6 ? out->v6.is_set : out->v4.is_set)) {
		note(g->call->rec, k->f, STAGE_GATEWAY, "no way out of this network");
		gateway_error(g, w, DROP_NO_ROUTE);
		return DROP_NO_ROUTE;
	}
	/* A ping to the outside address is ours to answer; all else that goes there may be for a forward. */
	if ((k->proto == PROTO_ICMP || k->proto == PROTO_ICMPV6) && gateway_is_own(out, &k->dst) &&
	    !packet_is_error(k))
		return gateway_local(g, w);
	w->way = is_plain ? WAY_PLAIN : WAY_OUT;
	w->to = out;
	*goes = true;
	return DROP_NONE;
}

/* DHCP to all, from a host that has no address yet, or one of another network. */
static bool is_dhcp_to_all(const struct gateway_leg *leg, const struct packet *k)
{
	static const struct ip all_agents = {{0xff, 0x02, [13] = 1, 0, 2}};

	if (k->proto != PROTO_UDP || k->fragment != FRAGMENT_NONE ||
	    !gateway_leg_serves(leg, PROTO_UDP, k->dport))
		return false;
	if (k->is_v6)
		return k->dport == 547 && gateway_same(&k->dst, &all_agents) &&
		       gateway_is_link_local(&k->src);
	return k->dport == 67 && gateway_v4(&k->dst) == 0xffffffff;
}

static enum drop sort_inside(struct gateway *g, struct work *w, bool *goes)
{
	const struct gateway_leg *from = w->from;
	struct packet *k = &w->k;
	enum drop drop;

	if (from->serves && is_dhcp_to_all(from, k))
		return gateway_serve_datagram(g, w);
	if (!gateway_is_on_link(from, &k->src, k->is_v6) || gateway_is_own(from, &k->src))
		return refuse(g, w, DROP_MARTIAN, "its source address is not of this network");
	if (gateway_is_own(from, &k->dst))
		return from->is_host_only && !gateway_leg_serves(from, k->proto, k->dport)
			       ? DROP_HOST_ONLY
			       : gateway_local(g, w);
	if (gateway_is_bad(&k->dst, k->is_v6))
		return refuse(g, w, DROP_MARTIAN,
			      "its destination is a group, or nobody's address");
	if (k->is_v6 && (gateway_is_link_local(&k->src) || gateway_is_link_local(&k->dst)))
		return refuse(g, w, DROP_MARTIAN, "a link-local address is not routed");
	if (gateway_is_near(from->conf, &k->dst, k->is_v6)) {
		drop = sort_networks(g, w, goes);
		if (drop || !*goes || w->way == WAY_ROUTE)
			return drop;
	}
	return sort_out(g, w, goes);
}

static enum drop sort_outside(struct gateway *g, struct work *w, bool *goes)
{
	const struct gateway_leg *from = w->from;
	struct packet *k = &w->k;

	if (gateway_is_bad(&k->src, k->is_v6) || gateway_is_own(from, &k->src))
		return refuse(g, w, DROP_MARTIAN, "its source is nobody's address, or ours");
	if (gateway_is_near(from->conf, &k->src, k->is_v6) &&
	    !gateway_is_on_link(from, &k->src, k->is_v6) && gateway_behind(from, &k->src, k->is_v6))
		return refuse(g, w, DROP_MARTIAN, "its source is of a network behind us");
	if (k->is_v6 && (gateway_is_link_local(&k->src) || gateway_is_link_local(&k->dst)))
		return gateway_is_own(from, &k->dst)
			       ? gateway_local(g, w)
			       : refuse(g, w, DROP_MARTIAN, "a link-local address is not routed");
	if (k->is_v6) {
		w->to = gateway_routed6(from, &k->dst);
		if (w->to) {
			w->way = WAY_PLAIN;
			if (gateway_is_own(w->to, &k->dst))
				return gateway_local(g, w);
			*goes = true;
			return DROP_NONE;
		}
	}
	if (gateway_is_own(from, &k->dst) || gateway_behind(from, &k->dst, k->is_v6)) {
		w->way = WAY_IN;
		*goes = true;
		return DROP_NONE;
	}
	if (k->proto == PROTO_UDP && k->fragment == FRAGMENT_NONE &&
	    gateway_is_served(g, from, PROTO_UDP, k->dport))
		return gateway_serve_datagram(g, w);
	return refuse(g, w, DROP_MARTIAN, "its destination is none of our addresses here");
}

enum drop gateway_sort(struct gateway *g, struct work *w, bool *goes)
{
	enum drop drop;

	*goes = false;
	w->may_begin = false;
	w->is_translated = false;
	w->way = WAY_OUT;
	w->to = NULL;
	if (w->k.is_source_routed)
		return refuse(g, w, DROP_MARTIAN, "source routes are not followed");
	drop = w->from->is_outside ? sort_outside(g, w, goes) : sort_inside(g, w, goes);
	if (*goes && w->way != WAY_PLAIN) {
		w->j.k = &w->k;
		w->j.vid = w->from->vid;
		w->j.slot = g->call->in_slot;
		nat_seek(g->nat, &w->j, (enum nat_way)w->way);
	}
	return drop;
}

/* The line of a packet that the NAT let pass, or not. */
static __attribute__((noinline, cold)) void tell(struct gateway *g, const struct work *w,
						 const struct packet *before, enum drop drop)
{
	const struct packet *k = &w->k;
	char a[IP_TEXT], b[IP_TEXT], c[IP_TEXT], ports[3][8];
	const struct ip *changed = w->way == WAY_IN ? &k->dst : &k->src;

	snprintf(ports[0], sizeof(ports[0]), ":%u", before->sport);
	snprintf(ports[1], sizeof(ports[1]), ":%u", before->dport);
	snprintf(ports[2], sizeof(ports[2]), ":%u", w->way == WAY_IN ? k->dport : k->sport);
	if (drop)
		recorder_note(g->call->rec, k->f, STAGE_NAT, "%s%s -> %s%s: %s",
			      ip_text(&before->src, a), ports[0], ip_text(&before->dst, b),
			      ports[1], drop_text(drop));
	else if (w->is_translated)
		recorder_note(g->call->rec, k->f, STAGE_NAT, "%s%s -> %s%s %s %s%s",
			      ip_text(&before->src, a), ports[0], ip_text(&before->dst, b),
			      ports[1], w->way == WAY_IN ? "goes in to" : "leaves as",
			      ip_text(changed, c), ports[2]);
	else
		recorder_note(g->call->rec, k->f, STAGE_NAT, "%s%s -> %s%s passes as it is",
			      ip_text(&before->src, a), ports[0], ip_text(&before->dst, b),
			      ports[1]);
}

static enum drop translate(struct gateway *g, struct work *w, bool *held)
{
	uint64_t now_ns = g->call->now_ns;

	switch (w->way) {
	case WAY_OUT:
		return nat_out(g->nat, &w->j, now_ns, held);
	case WAY_IN:
		return nat_in(g->nat, &w->j, now_ns, held);
	default:
		return nat_route(g->nat, &w->j, w->may_begin, now_ns, held);
	}
}

/* What is not translated on its way in may be for us. */
enum drop gateway_carry_refused(struct gateway *g, struct work *w, enum drop drop)
{
	if (w->way == WAY_IN) {
		if (drop == DROP_NO_SERVICE)
			return gateway_is_own(w->from, &w->k.dst) ? gateway_local(g, w)
								  : DROP_MARTIAN;
		return drop;
	}
	if (w->way == WAY_ROUTE && drop == DROP_NAT_NO_SESSION)
		drop = DROP_NETWORKS_APART;
	gateway_error(g, w, drop);
	return drop;
}

enum drop gateway_carry(struct gateway *g, struct work *w)
{
	struct recorder *rec = g->call->rec;
	struct packet *k = &w->k, before;
	struct ip src = k->src, dst = k->dst;
	bool held = false;
	enum drop drop;

	if (w->way == WAY_PLAIN)
		return gateway_hop(g, w);
	/* Before a session begins for it. */
	if (w->way != WAY_IN && k->ttl <= 1) {
		note(rec, k->f, STAGE_GATEWAY, "its time to live ends here");
		gateway_error(g, w, DROP_TTL);
		return DROP_TTL;
	}
	if (RECORDER_ON(rec) && k->f->traced)
		before = *k;
	drop = translate(g, w, &held);
	w->is_translated = !gateway_same(&src, &k->src) || !gateway_same(&dst, &k->dst);
	if (RECORDER_ON(rec) && k->f->traced)
		tell(g, w, &before, drop);
	if (__builtin_expect(drop, 0))
		return gateway_carry_refused(g, w, drop);
	if (held) {
		note(rec, k->f, STAGE_NAT, "a fragment: waits for the first one");
		k->f->out = OUT_LOCAL;
		return DROP_NONE;
	}
	w->to = gateway_leg_of(g->call->conf, w->j.vid);
	if (__builtin_expect(w->to->vid == 0, 0))
		return DROP_NO_ROUTE;
	return gateway_hop(g, w);
}
