/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * life: the NAT as a whole: its beginning and end, the exchange of plans, time.
 *
 * A new plan is judged lazily: session.c asks lifetime() for each session that a packet meets until its sweep has seen all of
 * them; 0 means that the plan does not want it any more.  So nothing that the old plan allowed passes under the new one, and
 * nat_commit() itself looks at no session.  Only the first plan after a restart looks at all, to count those of each rule.
 */
#include <stdlib.h>
#include <string.h>

#include "nat/frag.h"
#include "nat/nat_internal.h"
#include "nat/tcp.h"

enum { LOG_BYTES = 1 << 18 };

size_t nat_region_bytes(void)
{
	return session_region_bytes();
}

uint32_t nat_lifetime(const struct session *s, const struct nat *n)
{
	const struct plan_net *net = n->plan ? plan_net(n->plan, s->vid) : NULL;
	const struct session_pool *outside;

	if (!net)
		return 0;
	if (s->kind == NAT_ROUTED) {
		uint16_t other = s->outside & (uint16_t)~SESSION_ROUTED;

		if (net->outside && net->outside->vid == other ? !plan_exempts(net, &s->remote)
							       : !plan_net(n->plan, other))
			return 0;
	} else {
		outside = session_outside(n->table, s);
		if (s->kind == NAT_FORWARD && !plan_rule_of(n->plan, s, outside))
			return 0;
		/* A hairpin by the address of another uplink has one of its own there. */
		if (s->kind == NAT_DYNAMIC &&
		    (!net->outside || plan_exempts(net, &s->remote) ||
		     (net->outside->vid != outside->vid && !(s->flags & SESSION_HAIRPIN))))
			return 0;
	}
	if (s->proto == PROTO_TCP)
		return tcp_lifetime(s, session_more(n->table, s), &net->conf);
	return s->proto == PROTO_UDP ? net->conf.udp_s : net->conf.icmp_s;
}

void nat_count_rule(struct nat *n, uint16_t slot, int change)
{
	struct plan_rule *r = nat_rule_at(n, slot);

	if (slot == 0 || slot >= RULE_SLOTS)
		return;
	n->rule_sessions[slot] += (uint32_t)change;
	if (r)
		atomic_store_explicit(&r->sessions, n->rule_sessions[slot], memory_order_relaxed);
}

static uint32_t lifetime(const struct session *s, void *arg)
{
	return nat_lifetime(s, arg);
}

static void ending(const struct session *s, void *arg)
{
	struct nat *n = arg;
	struct plan_net *net = n->plan ? plan_net(n->plan, s->vid) : NULL;

	nat_count_rule(n, s->rule, -1);
	if (!net)
		return;
	net->expired++;
	if (net->conf.log != NAT_LOG_OFF)
		nat_log_session(n, s, true);
}

struct nat *nat_create(void *region, bool fresh, uint64_t now_ns, const uint64_t seed[2])
{
	struct nat *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	memcpy(n->seed, seed, sizeof(n->seed));
	n->is_kept = !fresh;
	nat_set_time(n, now_ns);
	for (unsigned i = 0; i < ID_COUNTERS; i++)
		n->id[i] = (uint16_t)((seed[0] ^ i * seed[1]) * 0x9e3779b97f4a7c15 >> 48);
	n->id6 = (uint32_t)(seed[0] >> 32 ^ seed[1]);
	n->table = session_table_create(region, fresh, now_ns, seed);
	n->frag = frag_create(seed);
	n->log = ring_create(LOG_BYTES);
	if (!n->table || !n->frag || !n->log) {
		nat_destroy(n);
		return NULL;
	}
	session_set_callbacks(n->table, lifetime, ending, n);
	return n;
}

void nat_destroy(struct nat *n)
{
	if (!n)
		return;
	if (n->table)
		session_table_destroy(n->table);
	frag_destroy(n->frag);
	ring_destroy(n->log);
	nat_plan_destroy(n->plan);
	free(n);
}

/* Ports that rules name, on each address for which they hold, and the gateway's own. */
static void reserve(struct nat *n)
{
	const struct nat_plan *plan = n->plan;

	for (unsigned i = 0; i < plan->n_rules; i++) {
		const struct nat_rule *r = &plan->rules[i].conf;
		const struct plan_outside *o = &plan->outsides[r->outside];
		unsigned family = !ip_is_v4(&r->guest);
		int place = session_place(n->table, &r->bind, o->vid);

		if (place >= 0) {
			session_reserve(n->table, (unsigned)place, r->proto, r->first, r->last);
			continue;
		}
		for (unsigned p = 0; p < o->n[family]; p++)
			session_reserve(n->table, o->place[family] + p, r->proto, r->first,
					r->last);
	}
	for (unsigned p = 0; p < plan->n_pool; p++)
		for (unsigned i = 0; i < SERVICES; i++)
			session_reserve(n->table, p, PROTO_UDP, service_ports[i][0],
					service_ports[i][1]);
}

/* Sessions of a former process remember slots of a plan that is gone: each is told its rule of today. */
static void recount_rules(struct nat *n)
{
	uint32_t places = session_places(n->table);

	for (uint32_t i = 0; i < places; i++) {
		struct session *s = session_at(n->table, i);
		struct plan_rule *r = NULL;

		if (!s || s->kind != NAT_FORWARD)
			continue;
		r = plan_rule_of(n->plan, s, session_outside(n->table, s));
		s->rule = r ? r->slot : 0;
		nat_count_rule(n, s->rule, 1);
	}
	n->is_kept = false;
}

struct nat_plan *nat_commit(struct nat *n, struct nat_plan *plan)
{
	struct nat_plan *old = n->plan;

	plan_succeed(plan, old, n->rule_sessions);
	n->plan = plan;
	session_set_pool(n->table, plan->pool, plan->n_pool);
	reserve(n);
	if (n->is_kept)
		recount_rules(n);
	session_commit(n->table);
	return old;
}

uint64_t nat_tick(struct nat *n, uint64_t now_ns)
{
	uint64_t next, frag;

	nat_set_time(n, now_ns);
	/* Without a plan no session has a lifetime, and those of a former process shall see one. */
	if (!n->plan)
		return UINT64_MAX;
	next = session_tick(n->table, now_ns);
	frag = frag_tick(n->frag, now_ns);
	return next < frag ? next : frag;
}
