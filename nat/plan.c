/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: the configuration of the NAT, in the form in which packets ask for it.
 *
 * The control thread makes one out of struct nat_conf; nat.c looks into the running one, and nat_commit() exchanges it.
 *
 *   net_of[vid] -> nets[]          outsides[] -> places in pool[]: its IPv4 addresses, then its IPv6 ones
 *   keys[]: (uplink, protocol, family, bind, first port) -> rule      sorted; two binary searches, for the address and for all
 *   by_slot[]: what a session remembers of its rule, by_id[]: what the user calls it
 *
 * A slot belongs to an id.  plan_succeed() gives a rule that was there before its old slot, and a new one a slot that no session
 * remembers, so that counters and live sessions stay with their rule however its place in the configuration changes.
 *
 * Nothing here reads foreign bytes; conf was checked by who made it.
 */
#include "nat/plan.h"

#include <stdlib.h>
#include <string.h>

#include "nat/nat_internal.h"

static const struct ip any;

/* Never 0 for two keys of one plan: their rules do not overlap. */
static int compare_keys(const void *left, const void *right)
{
	const struct plan_key *a = left, *b = right;
	int order;

	if (a->vid != b->vid)
		return a->vid < b->vid ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->is_v6 != b->is_v6)
		return a->is_v6 ? 1 : -1;
	order = memcmp(&a->bind, &b->bind, sizeof(a->bind));
	if (order)
		return order;
	return a->first < b->first ? -1 : a->first > b->first;
}

static int compare_ids(const void *left, const void *right, void *arg)
{
	const struct nat_plan *plan = arg;
	const uint16_t *a = left, *b = right;

	return strcmp(plan->rules[*a].conf.id, plan->rules[*b].conf.id);
}

static void add_pool(struct nat_plan *plan, struct plan_outside *o, const struct nat_outside *conf,
		     unsigned family)
{
	o->place[family] = (uint16_t)plan->n_pool;
	for (unsigned i = 0; i < conf->n_pool && plan->n_pool < NAT_POOL_MAX; i++) {
		const struct session_pool p = {conf->pool[i], conf->vid};
		bool is_known = false;

		for (unsigned at = o->place[family]; at < plan->n_pool; at++)
			is_known |= ip_equal(&plan->pool[at].ip, &p.ip);
		if (!is_known && ip_is_v4(&p.ip) == (family == 0))
			plan->pool[plan->n_pool++] = p;
	}
	o->n[family] = (uint16_t)(plan->n_pool - o->place[family]);
}

static void add_outsides(struct nat_plan *plan, const struct nat_conf *conf)
{
	for (unsigned i = 0; i < conf->n_outsides && i < NAT_OUTSIDE_MAX; i++) {
		struct plan_outside *o = &plan->outsides[plan->n_outsides++];

		o->vid = conf->outsides[i].vid;
		add_pool(plan, o, &conf->outsides[i], 0);
		add_pool(plan, o, &conf->outsides[i], 1);
	}
}

static void add_nets(struct nat_plan *plan, const struct nat_conf *conf)
{
	for (unsigned i = 0; i < conf->n_nets; i++) {
		struct plan_net *net = &plan->nets[plan->n_nets];

		if (conf->nets[i].vid >= VIDS || plan->net_of[conf->nets[i].vid])
			continue;
		net->conf = conf->nets[i];
		if (net->conf.outside < plan->n_outsides)
			net->outside = &plan->outsides[net->conf.outside];
		plan->net_of[net->conf.vid] = (uint16_t)++plan->n_nets;
	}
}

static void add_rules(struct nat_plan *plan, const struct nat_conf *conf)
{
	for (unsigned i = 0; i < conf->n_rules && plan->n_rules < NAT_RULES_MAX; i++) {
		struct plan_rule *r = &plan->rules[plan->n_rules];
		struct plan_key *key = &plan->keys[plan->n_rules];

		if (conf->rules[i].outside >= plan->n_outsides)
			continue;
		r->conf = conf->rules[i];
		r->outside_vid = plan->outsides[r->conf.outside].vid;
		*key = (struct plan_key){
			.vid = r->outside_vid,
			.proto = r->conf.proto,
			.is_v6 = !ip_is_v4(&r->conf.guest),
			.bind = r->conf.bind,
			.first = r->conf.first,
			.last = r->conf.last,
			.rule = plan->n_rules,
		};
		plan->by_id[plan->n_rules] = (uint16_t)plan->n_rules;
		plan->n_rules++;
	}
	qsort(plan->keys, plan->n_rules, sizeof(*plan->keys), compare_keys);
	qsort_r(plan->by_id, plan->n_rules, sizeof(*plan->by_id), compare_ids, plan);
}

void nat_plan_destroy(struct nat_plan *plan)
{
	if (!plan)
		return;
	free(plan->nets);
	free(plan->rules);
	free(plan->keys);
	free(plan->by_id);
	free(plan);
}

struct nat_plan *nat_plan_create(const struct nat_conf *conf)
{
	struct nat_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return NULL;
	plan->nets = calloc(conf->n_nets + 1, sizeof(*plan->nets));
	plan->rules = calloc(conf->n_rules + 1, sizeof(*plan->rules));
	plan->keys = calloc(conf->n_rules + 1, sizeof(*plan->keys));
	plan->by_id = calloc(conf->n_rules + 1, sizeof(*plan->by_id));
	if (!plan->nets || !plan->rules || !plan->keys || !plan->by_id) {
		nat_plan_destroy(plan);
		return NULL;
	}
	add_outsides(plan, conf);
	add_nets(plan, conf);
	add_rules(plan, conf);
	return plan;
}

/* The last key that is not behind the wanted one, if the port is in its range. */
static struct plan_rule *find_bound(const struct nat_plan *plan, const struct plan_key *want)
{
	unsigned low = 0, high = plan->n_rules;
	const struct plan_key *k;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (compare_keys(&plan->keys[middle], want) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return NULL;
	k = &plan->keys[low - 1];
	if (k->vid != want->vid || k->proto != want->proto || k->is_v6 != want->is_v6 ||
	    !ip_equal(&k->bind, &want->bind) || want->first > k->last)
		return NULL;
	return &plan->rules[k->rule];
}

struct plan_rule *plan_rule_find(const struct nat_plan *plan, uint16_t vid, uint8_t proto,
				 const struct ip *ip, uint16_t port)
{
	struct plan_key want = {
		.bind = *ip, .vid = vid, .proto = proto, .is_v6 = !ip_is_v4(ip), .first = port};
	struct plan_rule *r;

	if (plan->n_rules == 0)
		return NULL;
	r = find_bound(plan, &want);
	if (r)
		return r;
	want.bind = any;
	return find_bound(plan, &want);
}

bool plan_rule_allows(const struct plan_rule *r, const struct ip *client)
{
	for (unsigned i = 0; i < r->conf.n_allow; i++)
		if (prefix_holds(&r->conf.allow[i], client))
			return true;
	return r->conf.n_allow == 0;
}

static bool made_by(const struct plan_rule *r, const struct session *s)
{
	return r->conf.vid == s->vid && ip_equal(&r->conf.guest, &s->inside) &&
	       s->inside_port == r->conf.guest_first + (s->outside_port - r->conf.first) &&
	       plan_rule_allows(r, &s->remote);
}

struct plan_rule *plan_rule_of(const struct nat_plan *plan, const struct session *s,
			       const struct session_pool *outside)
{
	struct plan_rule *r;

	if (!outside)
		return NULL;
	r = plan_rule_find(plan, outside->vid, s->proto, &outside->ip, s->outside_port);
	return r && made_by(r, s) ? r : NULL;
}

bool plan_exempts(const struct plan_net *net, const struct ip *ip)
{
	for (unsigned i = 0; i < net->conf.n_exempt && i < NAT_EXEMPT_MAX; i++)
		if (prefix_holds(&net->conf.exempt[i], ip))
			return true;
	return false;
}

bool plan_side(const struct nat_plan *plan, const struct ip *ip, uint16_t prefer, uint16_t *vid)
{
	bool is_found = false;

	for (unsigned i = 0; i < plan->n_pool; i++) {
		if (!ip_equal(&plan->pool[i].ip, ip))
			continue;
		if (!is_found || plan->pool[i].vid == prefer)
			*vid = plan->pool[i].vid;
		is_found = true;
	}
	return is_found;
}

const struct plan_outside *plan_outside_of(const struct nat_plan *plan, uint16_t vid)
{
	unsigned i = 0;

	while (i + 1 < plan->n_outsides && plan->outsides[i].vid != vid)
		i++;
	return &plan->outsides[i];
}

static struct plan_rule *find_id(const struct nat_plan *plan, const char *id)
{
	unsigned low = 0, high = plan->n_rules;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		struct plan_rule *r = &plan->rules[plan->by_id[middle]];
		int order = strcmp(id, r->conf.id);

		if (order == 0)
			return r;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* What a rule that was there before has counted goes on. */
static void succeed_rule(struct plan_rule *r, const struct nat_plan *old)
{
	const struct plan_rule *was = old ? find_id(old, r->conf.id) : NULL;

	if (!was)
		return;
	r->slot = was->slot;
	atomic_store_explicit(&r->frames, atomic_load_explicit(&was->frames, memory_order_relaxed),
			      memory_order_relaxed);
}

static void succeed_net(struct plan_net *net, const struct nat_plan *old)
{
	const struct plan_net *was = old ? plan_net(old, net->conf.vid) : NULL;

	if (!was)
		return;
	net->created = was->created;
	net->expired = was->expired;
	memcpy(net->refused, was->refused, sizeof(net->refused));
}

void plan_succeed(struct nat_plan *plan, const struct nat_plan *old,
		  const uint32_t in_use[static RULE_SLOTS])
{
	uint16_t next = 1;

	for (unsigned i = 0; i < plan->n_nets; i++)
		succeed_net(&plan->nets[i], old);
	for (unsigned i = 0; i < plan->n_rules; i++) {
		succeed_rule(&plan->rules[i], old);
		plan->by_slot[plan->rules[i].slot] = (uint16_t)(i + 1);
	}
	for (unsigned i = 0; i < plan->n_rules; i++) {
		struct plan_rule *r = &plan->rules[i];

		while (r->slot == 0 && next < RULE_SLOTS && (plan->by_slot[next] || in_use[next]))
			next++;
		if (r->slot == 0 && next < RULE_SLOTS) {
			r->slot = next;
			plan->by_slot[next] = (uint16_t)(i + 1);
		}
		if (r->slot)
			atomic_store_explicit(&r->sessions, in_use[r->slot], memory_order_relaxed);
	}
	plan->by_slot[0] = 0;
}

bool nat_rule_stats(const struct nat_plan *plan, const char *id, uint32_t *sessions,
		    uint64_t *frames)
{
	const struct plan_rule *r = find_id(plan, id);

	if (!r)
		return false;
	*sessions = atomic_load_explicit(&r->sessions, memory_order_relaxed);
	*frames = atomic_load_explicit(&r->frames, memory_order_relaxed);
	return true;
}
