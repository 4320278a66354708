/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hit: a packet of a session that is there: the steps of session.h for it, inline in nat.c.
 *
 * hash -> line of the index -> place -> is it the session of this packet?  What is not found so is sought by session_find().
 */
#ifndef VFAB_NAT_HIT_H
#define VFAB_NAT_HIT_H

#include "nat/session_internal.h"
#include "switch/base/packet.h"

static inline bool hit_same(const struct ip *a, const struct ip *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* session_hash() of the key that nat.c makes of the packet. */
static inline uint64_t hit_hash(const struct session_table *t, const struct packet *k, bool is_in, uint16_t side)
{
	const struct ip *near = is_in ? &k->dst : &k->src, *far = is_in ? &k->src : &k->dst;
	uint16_t near_port = is_in ? k->dport : k->sport, far_port = is_in ? k->sport : k->dport;

	if (__builtin_expect(k->proto == PROTO_ICMP || k->proto == PROTO_ICMPV6, 0))
		far_port = 0;
	return session_mix(t, near, far, session_rest(near_port, far_port, side, k->proto));
}

static inline const struct index *hit_index(const struct session_table *t, bool is_in)
{
	return is_in ? &t->in : &t->out;
}

/* Is that the session of a packet out of network vid?  UDP and TCP only. */
static inline bool hit_is_out(const struct session *s, const struct packet *k, uint16_t vid)
{
	return s->inside_port == k->sport && s->remote_port == k->dport &&
	       s->proto == k->proto && s->vid == vid && hit_same(&s->inside, &k->src) &&
	       hit_same(&s->remote, &k->dst);
}

/* ... of a packet from uplink vid?  Translated ones only. */
static inline bool hit_is_in(const struct session_table *t, const struct session *s, const struct packet *k,
			     uint16_t vid)
{
	const struct session_pool *outside;

	if (s->outside_port != k->dport || s->remote_port != k->sport || s->proto != k->proto ||
	    is_routed(s))
		return false;
	outside = &t->region->address[s->outside];
	return hit_same(&s->remote, &k->src) && outside->vid == vid &&
	       hit_same(&outside->ip, &k->dst);
}

#endif
