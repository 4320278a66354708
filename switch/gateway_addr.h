/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_addr: questions about addresses that every packet asks, inline: nearly all are answered by a few instructions, the
 * rest by gateway_conf.c.
 */
#ifndef VFAB_SWITCH_GATEWAY_ADDR_H
#define VFAB_SWITCH_GATEWAY_ADDR_H

#include <endian.h>
#include <string.h>

#include "switch/gateway.h"

static inline bool gateway_same(const struct ip *a, const struct ip *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	return x[0] == y[0] && x[1] == y[1];
}

static inline uint32_t gateway_v4(const struct ip *ip)
{
	uint32_t v;

	memcpy(&v, ip->b + 12, sizeof(v));
	return be32toh(v);
}

static inline uint64_t gateway_high6(const struct ip *ip)
{
	uint64_t v;

	memcpy(&v, ip->b, sizeof(v));
	return be64toh(v);
}

/* The bits of an IPv4 network that number its hosts. */
static inline uint32_t gateway_host_bits(const struct prefix *p)
{
	return p->len < 32 ? 0xffffffffu >> p->len : 0;
}

/* ip, of that family, is in the network. */
static inline bool gateway_holds(const struct prefix *p, const struct ip *ip, bool is_v6)
{
	if (!p->is_set)
		return false;
	if (!is_v6)
		return ((gateway_v4(&p->ip) ^ gateway_v4(ip)) & ~gateway_host_bits(p)) == 0;
	if (p->len == 64)
		return gateway_high6(&p->ip) == gateway_high6(ip);
	return prefix_holds(p, ip);
}

static inline unsigned gateway_near_bit(const struct ip *ip, bool is_v6)
{
	return is_v6 ? (uint32_t)(gateway_high6(ip) >> 32) * 2654435769u >> 16 : gateway_v4(ip) >> 16;
}

/* Perhaps in a network of ours. */
static inline bool gateway_is_near(const struct gateway_conf *c, const struct ip *ip, bool is_v6)
{
	unsigned bit = gateway_near_bit(ip, is_v6);

	return (is_v6 ? c->near6 : c->near4)[bit / 64] >> (bit & 63) & 1;
}

bool gateway_search_own(const struct gateway_leg *leg, const struct ip *ip);
bool gateway_search_link(const struct gateway_leg *leg, const struct ip *ip, bool is_v6);

/* An address of that leg; v6: also its link-local one. */
static inline bool gateway_is_own(const struct gateway_leg *leg, const struct ip *ip)
{
	return (leg->own_filter >> (ip->b[15] & 63) & 1) && gateway_search_own(leg, ip);
}

/* The first or the last address of an IPv4 network; of one with two addresses or one both are hosts (RFC 3021). */
static inline bool gateway_is_edge(const struct prefix *p, const struct ip *ip)
{
	uint32_t host = gateway_host_bits(p), at = gateway_v4(ip) & host;

	return p->len < 31 && (at == 0 || at == host);
}

/* The leg is where ip is a neighbour; not its network or broadcast address. */
static inline bool gateway_is_on_link(const struct gateway_leg *leg, const struct ip *ip, bool is_v6)
{
	if (gateway_holds(is_v6 ? &leg->v6 : &leg->v4, ip, is_v6))
		return is_v6 || !gateway_is_edge(&leg->v4, ip);
	return (is_v6 || leg->more_links) && gateway_search_link(leg, ip, is_v6);
}

/* Of no host at all: 0/8, 127/8, 240/4, groups; ::/96, which holds ::, ::1 and what was once IPv4-compatible, groups. */
static inline bool gateway_is_bad(const struct ip *ip, bool is_v6)
{
	static const uint8_t zero[12];

	if (!is_v6)
		return ip->b[12] == 0 || ip->b[12] == 127 || ip->b[12] >= 0xe0;
	return ip->b[0] == 0xff || memcmp(ip->b, zero, sizeof(zero)) == 0;
}

static inline bool gateway_is_v4_link_local(const struct ip *ip)
{
	return ip->b[12] == 169 && ip->b[13] == 254;
}

/* Of IPv6. */
static inline bool gateway_is_link_local(const struct ip *ip)
{
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

/* Does the control thread answer there?  Of a leg inside. */
static inline bool gateway_leg_serves(const struct gateway_leg *leg, uint8_t proto, uint16_t port)
{
	switch (port) {
	case 53:
		return (leg->serves & SERVES_DNS) && (proto == PROTO_UDP || proto == PROTO_TCP);
	case 67:
		return (leg->serves & SERVES_DHCP) && proto == PROTO_UDP;
	case 547:
		return (leg->serves & SERVES_DHCP6) && proto == PROTO_UDP;
	default:
		return false;
	}
}

#endif
