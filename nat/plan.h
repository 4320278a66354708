/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan: what the NAT is told: inside networks, outside addresses, static forwards.  The control thread prepares it and the NAT
 * makes it the running one (nat_commit()), so that nothing is sorted or allocated while packets wait.
 *
 * Limits.  Those of nat.h.  A rule is one entry however many ports it has, and is found in O(log n).
 */
#ifndef VFAB_NAT_PLAN_H
#define VFAB_NAT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/base/addr.h"

enum {
	NAT_OUTSIDE_MAX = 64, /* uplinks */
	NAT_POOL_MAX = 256,   /* outside addresses in all, both families */
	NAT_RULES_MAX = 8192,
	NAT_ALLOW_MAX = 16,  /* prefixes of one rule */
	NAT_EXEMPT_MAX = 16, /* prefixes of one network */
	NAT_ID_SIZE = 160,
	NAT_NO_OUTSIDE = 0xffff,
};

struct nat_plan;

enum nat_log { NAT_LOG_OFF, NAT_LOG_ON, NAT_LOG_DESTINATIONS };

/* An inside network. */
struct nat_net {
	uint16_t vid;		   /* its VLAN, 1-4094 */
	uint16_t outside;	   /* index of the outside that it leaves by; NAT_NO_OUTSIDE: it is only routed */
	bool is_open;		   /* filtering: endpoint-independent */
	bool routes_v6;		   /* its IPv6 passes untranslated, and the gateway does not give it to the NAT */
	uint32_t udp_s, tcp_s, tcp_transitory_s, icmp_s;
	uint32_t sessions, per_guest; /* limits; per_guest also holds for all guests behind one access port */
	uint32_t rate;		   /* new sessions a second of one guest, burst of one second; 0: no limit */
	uint8_t log;		   /* enum nat_log */
	struct prefix exempt[NAT_EXEMPT_MAX]; /* destinations that are not translated */
	unsigned n_exempt;
};

/* The outside of an uplink: its addresses, of which the first of each family is the gateway's own. */
struct nat_outside {
	uint16_t vid; /* its VLAN */
	struct ip pool[16];
	unsigned n_pool;
};

/* A static forward of one protocol.  first-last on bind go to guest_first... on guest. */
struct nat_rule {
	char id[NAT_ID_SIZE]; /* NETWORK/PROTO/BIND:PORT, of no two rules; the same rule in two configurations has the same */
	uint16_t vid;	      /* of the guest's network */
	uint16_t outside;
	struct ip bind; /* all zero: every address of the outside, of the guest's family */
	uint8_t proto;
	uint16_t first, last, guest_first;
	struct ip guest;
	bool is_outside_only; /* guests of ours do not come by it */
	struct prefix allow[NAT_ALLOW_MAX];
	unsigned n_allow; /* 0: everybody */
};

struct nat_conf {
	const struct nat_net *nets;
	const struct nat_outside *outsides;
	const struct nat_rule *rules; /* no two of them overlap */
	unsigned n_nets, n_outsides, n_rules;
};

/* Everything that a configuration needs, prepared by the control thread; conf is copied.  NULL without memory. */
struct nat_plan *nat_plan_create(const struct nat_conf *conf);
void nat_plan_destroy(struct nat_plan *plan); /* NULL is fine */

/* Of the rule with that id: sessions now, frames ever.  Any thread; false: no such rule. */
bool nat_rule_stats(const struct nat_plan *plan, const char *id, uint32_t *sessions, uint64_t *frames);

#endif
