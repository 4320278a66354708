/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * begin: the first packet of a session: whether there may be one, and what it is asked for.
 *
 * nat.c comes here when a packet belongs to none.
 *
 *   from inside    exempt: routed.  To an outside address of ours: only if a rule or a mapping takes it.  Else a mapping.
 *   from outside   a rule; a mapping of a network whose filter is open; else nothing, in silence
 *   routed         what the gateway's routes let begin
 *
 * A TCP session begins with a SYN, one of ICMP with a request.  Limits are session_add()'s.
 *
 * RFC 4787 4, 5, 6; RFC 5382 4; RFC 5508 3; RFC 6888 REQ-1, REQ-6 (exempt destinations).
 *
 * Trust.  The packet was parsed; its ends are anybody's.
 */
#include "nat/begin.h"

#include "nat/tcp.h"

static enum drop add_session(struct nat *n, struct plan_net *net, const struct session_wish *w,
			     struct session **s)
{
	enum drop drop = session_add(n->table, w, n->now_ns, s);

	if (drop != DROP_NONE) {
		net->refused[drop]++;
		return drop;
	}
	net->created++;
	nat_count_rule(n, (*s)->rule, 1);
	if (net->conf.log != NAT_LOG_OFF)
		nat_log_session(n, *s, false);
	return DROP_NONE;
}

static uint8_t state_of(uint8_t proto, unsigned from)
{
	if (proto != PROTO_TCP)
		return SESSION_NEW;
	return from == FROM_INSIDE ? SESSION_SYN_SENT : SESSION_SYN_RECEIVED;
}

/* May this packet be the first of a session? */
static enum drop judge_first(const struct packet *k)
{
	if (k->proto == PROTO_TCP)
		return tcp_begins(k) ? DROP_NONE : DROP_NAT_TCP;
	if (is_icmp_proto(k->proto))
		return is_request(k) ? DROP_NONE : DROP_NAT_NO_SESSION;
	return DROP_NONE;
}

static bool is_service(const struct packet *k)
{
	if (is_icmp_proto(k->proto))
		return is_request(k);
	for (unsigned i = 0; k->proto == PROTO_UDP && i < SERVICES; i++)
		if (k->dport >= service_ports[i][0] && k->dport <= service_ports[i][1])
			return true;
	return false;
}

/* Why a packet to an outside address of ours, which nothing translates, goes no further. */
static enum drop judge_unknown(const struct packet *k)
{
	if (is_service(k))
		return DROP_NO_SERVICE;
	return k->proto == PROTO_TCP && !tcp_begins(k) ? DROP_NAT_TCP : DROP_NAT_NO_SESSION;
}

/* Of an outside address of ours on that uplink: could anything inside take this packet? */
static bool is_taken(const struct nat *n, const struct packet *k, uint16_t side)
{
	int place = session_place(n->table, &k->dst, side);
	const struct plan_rule *r;
	struct mapping m;

	if (place < 0 || is_icmp_proto(k->proto))
		return false;
	r = plan_rule_find(n->plan, side, k->proto, &k->dst, k->dport);
	if (r)
		return !r->conf.is_outside_only;
	return mapping_find_outside(n->table, (unsigned)place, k->proto, k->dport, &m);
}

enum drop begin_out(struct nat *n, const struct nat_job *j, struct session **s)
{
	const struct packet *k = j->k;
	struct plan_net *net = plan_net(n->plan, j->vid);
	const struct plan_outside *o = net ? net->outside : NULL;
	enum drop drop = judge_first(k);
	struct session_wish w = {
		.vid = j->vid,
		.slot = j->slot,
		.proto = k->proto,
		.state = state_of(k->proto, FROM_INSIDE),
		.inside = k->src,
		.remote = k->dst,
		.inside_port = k->sport,
		.remote_port = is_icmp_proto(k->proto) ? 0 : k->dport,
	};
	uint16_t side;

	if (!o)
		return DROP_NO_ROUTE;
	w.net = &net->conf;
	w.place = o->place[k->is_v6];
	w.n_places = o->n[k->is_v6];
	w.other_vid = o->vid;
	if (plan_exempts(net, &k->dst)) {
		w.kind = NAT_ROUTED;
	} else {
		w.kind = NAT_DYNAMIC;
		w.flags = net->conf.is_open ? SESSION_OPEN : 0;
		if (plan_side(n->plan, &k->dst, o->vid, &side)) {
			if (!is_taken(n, k, side))
				return judge_unknown(k);
			w.flags |= SESSION_HAIRPIN;
			/* By the address of another uplink: with one of its own, which is known there. */
			o = plan_outside_of(n->plan, side);
			w.place = o->place[k->is_v6];
			w.n_places = o->n[k->is_v6];
		}
		if (w.n_places == 0)
			return DROP_NO_ROUTE;
	}
	if (drop != DROP_NONE) {
		net->refused[drop]++;
		return drop;
	}
	return add_session(n, net, &w, s);
}

enum drop begin_in(struct nat *n, const struct packet *k, uint16_t side, struct session **s)
{
	int place = session_place(n->table, &k->dst, side);
	struct plan_rule *r = plan_rule_find(n->plan, side, k->proto, &k->dst, k->dport);
	struct session_wish w = {
		.slot = SLOT_MAX,
		.proto = k->proto,
		.state = state_of(k->proto, FROM_OUTSIDE),
		.remote = k->src,
		.remote_port = k->sport,
		.place = (unsigned)place,
		.n_places = 1,
	};
	struct plan_net *net;
	struct mapping m;
	uint16_t turn;

	if (place < 0)
		return DROP_NAT_NO_SESSION;
	if (is_icmp_proto(k->proto))
		return judge_unknown(k);
	if (r) {
		w.kind = NAT_FORWARD;
		w.vid = r->conf.vid;
		w.inside = r->conf.guest;
		w.inside_port = (uint16_t)(r->conf.guest_first + (k->dport - r->conf.first));
		w.outside_port = k->dport;
		w.rule = r->slot;
		if (!plan_rule_allows(r, &k->src))
			return DROP_NAT_DENIED;
	} else {
		if (!mapping_find_outside(n->table, (unsigned)place, k->proto, k->dport, &m))
			return judge_unknown(k);
		w.kind = NAT_DYNAMIC;
		w.flags = SESSION_OPEN;
		w.vid = m.vid;
		w.slot = m.slot;
		w.inside = m.inside;
		w.inside_port = m.inside_port;
	}
	net = plan_net(n->plan, w.vid);
	if (!net || (!r && !net->conf.is_open))
		return judge_unknown(k);
	w.net = &net->conf;
	/* A guest behind an address of ours here: the answers turn, too.  Behind one of another uplink it came by the wire. */
	if (plan_side(n->plan, &k->src, side, &turn) && turn == side)
		w.flags |= SESSION_HAIRPIN;
	if (judge_first(k) != DROP_NONE)
		return judge_first(k);
	return add_session(n, net, &w, s);
}

enum drop begin_route(struct nat *n, const struct nat_job *j, struct session **s)
{
	const struct packet *k = j->k;
	struct plan_net *net = plan_net(n->plan, j->vid);
	enum drop drop = judge_first(k);
	struct session_wish w = {
		.vid = j->vid,
		.slot = j->slot,
		.proto = k->proto,
		.kind = NAT_ROUTED,
		.state = state_of(k->proto, FROM_INSIDE),
		.inside = k->src,
		.remote = k->dst,
		.inside_port = k->sport,
		.remote_port = is_icmp_proto(k->proto) ? 0 : k->dport,
		.other_vid = j->to_vid,
	};

	if (!net || !plan_net(n->plan, j->to_vid))
		return DROP_NO_ROUTE;
	w.net = &net->conf;
	if (drop != DROP_NONE) {
		net->refused[drop]++;
		return drop;
	}
	return add_session(n, net, &w, s);
}
