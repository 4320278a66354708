/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nat_internal: what the files of the NAT share: the NAT itself, and the plan as it is looked into. */
#ifndef VFAB_NAT_NAT_INTERNAL_H
#define VFAB_NAT_NAT_INTERNAL_H

#include <stdatomic.h>

#include "nat/nat.h"
#include "nat/session.h"
#include "switch/base/ring.h"

enum {
	RULE_SLOTS = 16384,  /* of rules, and of deleted ones that have sessions still */
	ID_COUNTERS = 4096,  /* of IPv4 identification */
	VIDS = 4096,
	FROM_INSIDE = 0,
	FROM_OUTSIDE = 1,
};

/* An inside network with its counters. */
struct plan_net {
	struct nat_net conf;
	const struct plan_outside *outside; /* NULL: it is only routed */
	uint64_t created, expired, refused[DROP_COUNT];
};

/* An outside: where its addresses are in the pool. */
struct plan_outside {
	uint16_t vid, place[2], n[2]; /* [0] IPv4, [1] IPv6 */
};

struct plan_rule {
	struct nat_rule conf;
	uint16_t slot;	   /* stays the same as long as its id is in the plan; 0: none was free, it is not counted */
	uint16_t outside_vid;
	_Atomic uint32_t sessions;
	_Atomic uint64_t frames;
};

/* What rules are sorted by.  bind is zero where they hold for every address of that family. */
struct plan_key {
	struct ip bind;
	uint16_t vid, first, last; /* vid: of the outside */
	uint8_t proto;
	bool is_v6;
	uint32_t rule;
};

struct nat_plan {
	unsigned n_nets, n_outsides, n_rules, n_pool;
	struct plan_net *nets;
	struct plan_rule *rules;
	struct plan_key *keys;	       /* sorted */
	uint16_t *by_id;	       /* rules, sorted by id */
	uint16_t by_slot[RULE_SLOTS];  /* place in rules plus 1 */
	uint16_t net_of[VIDS];	       /* place in nets plus 1 */
	struct plan_outside outsides[NAT_OUTSIDE_MAX];
	struct session_pool pool[NAT_POOL_MAX];
};

/* The network, or NULL. */
static inline struct plan_net *plan_net(const struct nat_plan *plan, uint16_t vid)
{
	unsigned place = vid < VIDS ? plan->net_of[vid] : 0;

	return place ? &plan->nets[place - 1] : NULL;
}

/* The rule for a packet to that address and port of that uplink, or NULL. */
struct plan_rule *plan_rule_find(const struct nat_plan *plan, uint16_t vid, uint8_t proto, const struct ip *ip,
				 uint16_t port);
/* May it use the rule? */
bool plan_rule_allows(const struct plan_rule *r, const struct ip *client);
/* The rule that made this session still says so; NULL: there is none. */
struct plan_rule *plan_rule_of(const struct nat_plan *plan, const struct session *s, const struct session_pool *outside);
bool plan_exempts(const struct plan_net *net, const struct ip *ip);
/* The uplink that has this address; prefer: if several do.  False: it is none of ours. */
bool plan_side(const struct nat_plan *plan, const struct ip *ip, uint16_t prefer, uint16_t *vid);
/* The outside on that VLAN, which plan_side() gave. */
const struct plan_outside *plan_outside_of(const struct nat_plan *plan, uint16_t vid);
/* Takes over what the former one counted; in_use: sessions by slot.  old may be NULL. */
void plan_succeed(struct nat_plan *plan, const struct nat_plan *old, const uint32_t in_use[static RULE_SLOTS]);

struct nat {
	struct session_table *table;
	struct nat_plan *plan; /* NULL before the first nat_commit() */
	struct frag *frag;
	struct ring *log;
	uint64_t now_ns; /* of the last call */
	uint32_t now_s;
	bool is_kept; /* the region is one of a former process, and its rules were not counted yet */
	uint64_t seed[2];
	uint32_t id6;
	uint16_t id[ID_COUNTERS];
	uint32_t rule_sessions[RULE_SLOTS];
};

/* Ports of DHCP, which the gateway itself may speak on an uplink; no mapping takes them. */
enum { SERVICES = 2 };
static const uint16_t service_ports[SERVICES][2] = {{67, 68}, {546, 547}};

static inline void nat_set_time(struct nat *n, uint64_t now_ns)
{
	if (now_ns == n->now_ns)
		return;
	n->now_ns = now_ns;
	n->now_s = (uint32_t)(now_ns / 1000000000);
}

static inline struct plan_rule *nat_rule_at(const struct nat *n, uint16_t slot)
{
	unsigned place = n->plan && slot < RULE_SLOTS ? n->plan->by_slot[slot] : 0;

	return place ? &n->plan->rules[place - 1] : NULL;
}

static inline bool is_icmp_proto(uint8_t proto)
{
	return proto == PROTO_ICMP || proto == PROTO_ICMPV6;
}

/* A request of an ICMP query, which its asker sends. */
static inline bool is_request(const struct packet *k)
{
	if (k->is_v6)
		return k->icmp_type == 128;
	return k->icmp_type == 8 || k->icmp_type == 13 || k->icmp_type == 15 || k->icmp_type == 17;
}

/* nat.c: the VLAN of the uplink or network where a packet of this session, from inside, goes on. */
uint16_t nat_far_vid(const struct nat *n, const struct session *s);
/* life.c: a session of that rule came (1) or went (-1). */
void nat_count_rule(struct nat *n, uint16_t slot, int change);
/* How long a session lives without a packet; 0 when the plan does not know it any more. */
uint32_t nat_lifetime(const struct session *s, const struct nat *n);
/* nat_list.c */
void nat_log_session(struct nat *n, const struct session *s, bool is_end);

#endif
