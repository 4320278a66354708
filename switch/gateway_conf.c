/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_conf: questions to the configuration of the gateway: what is ours, what is near, who reaches whom.
 *
 * Nearly every packet of a network of mode nat goes outside, and all of them have to be told from those to another network
 * of ours.  Networks may overlap, so that only a search among the legs says it; a bitmap in front of the search says of
 * nearly all others with one load that it need not be made.
 *
 * RFC 1122 3.2.1.3 and RFC 6890 (addresses of no host), RFC 4291 (link-local, multicast).
 */
#include <stdlib.h>

#include "switch/gateway_internal.h"

enum { ARP_TPA = 38 };

static const struct prefix *prefix_of(const struct gateway_leg *leg, bool is_v6)
{
	return is_v6 ? &leg->v6 : &leg->v4;
}

struct ip gateway_link_local(const struct mac *mac)
{
	const uint8_t *b = mac->b;

	return (struct ip){{0xfe, 0x80, [8] = b[0] ^ 2, b[1], b[2], 0xff, 0xfe, b[3], b[4], b[5]}};
}

bool gateway_is_group(const struct ip *ip)
{
	if (ip_is_v4(ip))
		return (ip->b[12] & 0xf0) == 0xe0 || gateway_v4(ip) == 0xffffffff;
	return ip->b[0] == 0xff;
}

bool gateway_search_own(const struct gateway_leg *leg, const struct ip *ip)
{
	struct ip local;

	if ((gateway_same(&leg->v4.ip, ip) && leg->v4.is_set) ||
	    (gateway_same(&leg->v6.ip, ip) && leg->v6.is_set))
		return true;
	for (unsigned i = 0; i < leg->n_more; i++)
		if (gateway_same(&leg->more[i].ip, ip))
			return true;
	if (!gateway_is_link_local(ip) || !leg->v6.is_set)
		return false;
	local = gateway_link_local(&leg->mac);
	return gateway_same(&local, ip);
}

/* Not on the network of its first addresses. */
bool gateway_search_link(const struct gateway_leg *leg, const struct ip *ip, bool is_v6)
{
	for (unsigned links = leg->more_links; links; links &= links - 1) {
		const struct prefix *more = &leg->more[__builtin_ctz(links)];

		if (prefix_holds(more, ip))
			return is_v6 || !gateway_is_edge(more, ip);
	}
	return is_v6 && leg->v6.is_set && gateway_is_link_local(ip);
}

/* --- near -------------------------------------------------------------------------------- */

static void set_near4(struct gateway_conf *c, const struct prefix *p)
{
	uint32_t mask = ~gateway_host_bits(p), first = gateway_v4(&p->ip) & mask;

	for (uint32_t bit = first >> 16; bit <= (first | ~mask) >> 16; bit++)
		c->near4[bit / 64] |= 1ULL << (bit & 63);
}

static void set_near6(struct gateway_conf *c, const struct prefix *p)
{
	unsigned bit = gateway_near_bit(&p->ip, true);

	if (p->len < 32) /* many hashes: all may be near */
		memset(c->near6, 0xff, sizeof(c->near6));
	else
		c->near6[bit / 64] |= 1ULL << (bit & 63);
}

static bool prefix_covers(const struct prefix *wide, const struct prefix *p)
{
	return wide->len <= p->len && prefix_holds(wide, &p->ip);
}

/* Networks of further addresses that are not those of the first ones. */
static uint16_t more_links(const struct gateway_leg *leg)
{
	uint16_t links = 0;

	for (unsigned i = 0; i < leg->n_more; i++) {
		const struct prefix *p = &leg->more[i];
		bool is_known = prefix_covers(&leg->v4, p) || prefix_covers(&leg->v6, p);

		for (unsigned k = 0; k < i; k++)
			is_known |= (links >> k & 1) && prefix_covers(&leg->more[k], p);
		if (!is_known)
			links |= (uint16_t)(1u << i);
	}
	return links;
}

static uint64_t own_filter(const struct gateway_leg *leg)
{
	uint64_t filter = 0;

	if (leg->v4.is_set)
		filter |= 1ULL << (leg->v4.ip.b[15] & 63);
	if (leg->v6.is_set)
		filter |= 1ULL << (leg->v6.ip.b[15] & 63) | 1ULL << (leg->mac.b[5] & 63);
	for (unsigned i = 0; i < leg->n_more; i++)
		filter |= 1ULL << (leg->more[i].ip.b[15] & 63);
	return filter;
}

/* All /16 that hold an address of which gateway_route.c has something to say. */
static void set_odd4(struct gateway_conf *c)
{
	for (unsigned bit = 0; bit < 65536; bit++) {
		struct ip ip = {{[10] = 0xff, 0xff, (uint8_t)(bit >> 8), (uint8_t)bit}};

		if (gateway_is_near(c, &ip, false) || gateway_is_bad(&ip, false) ||
		    gateway_is_v4_link_local(&ip))
			c->odd4[bit / 64] |= 1ULL << (bit & 63);
	}
}

/* An inside leg of which all is known that the short form asks for. */
static bool is_plain(const struct gateway_leg *leg)
{
	return leg->is_nat && leg->outside != LEG_NONE && leg->v4.is_set && leg->v4.len < 31 &&
	       leg->n_more == 0 && leg->conf->leg[leg->outside].v4.is_set;
}

void gateway_conf_seal(struct gateway_conf *c)
{
	for (unsigned i = 0; i < c->n_legs; i++) {
		struct gateway_leg *leg = &c->leg[i];

		leg->conf = c;
		leg->own_filter = own_filter(leg);
		leg->more_links = more_links(leg);
		leg->mask4 = ~gateway_host_bits(&leg->v4);
		leg->net4 = gateway_v4(&leg->v4.ip) & leg->mask4;
		if (leg->is_outside)
			continue;
		leg->is_plain = is_plain(leg);
		if (leg->v4.is_set)
			set_near4(c, &leg->v4);
		if (leg->v6.is_set)
			set_near6(c, &leg->v6);
	}
	set_odd4(c);
	c->is_sealed = true;
}

void gateway_conf_destroy(struct gateway_conf *c)
{
	if (!c)
		return;
	for (unsigned i = 0; c->leg && i < c->n_legs; i++) {
		free(c->leg[i].reaches);
		free(c->leg[i].dnssl);
	}
	free(c->leg);
	free(c);
}

/* --- who reaches whom -------------------------------------------------------------------- */

const struct gateway_leg *gateway_behind(const struct gateway_leg *outside, const struct ip *ip,
					 bool is_v6)
{
	const struct gateway_conf *c = outside->conf;

	if (!gateway_is_near(c, ip, is_v6))
		return NULL;
	for (unsigned i = 1; i < c->n_legs; i++) {
		const struct gateway_leg *leg = &c->leg[i];

		if (!leg->is_outside && &c->leg[leg->outside] == outside &&
		    gateway_holds(prefix_of(leg, is_v6), ip, is_v6))
			return leg;
	}
	return NULL;
}

const struct gateway_leg *gateway_routed6(const struct gateway_leg *outside, const struct ip *ip)
{
	const struct gateway_leg *leg;

	if (!outside->routes_v6)
		return NULL;
	leg = gateway_behind(outside, ip, true);
	return leg && leg->routes_v6 ? leg : NULL;
}

bool gateway_reaches(const struct gateway_leg *from, const struct gateway_leg *to)
{
	size_t place = (size_t)(to - to->conf->leg);

	return from->reaches && from->reaches[place / 64] >> (place & 63) & 1;
}

const struct gateway_leg *gateway_other(const struct gateway_leg *from, const struct ip *ip,
					bool *is_ours)
{
	const struct gateway_leg *answers = NULL;
	const struct gateway_conf *c = from->conf;
	bool is_v6 = !ip_is_v4(ip);

	*is_ours = false;
	if (!gateway_is_near(c, ip, is_v6))
		return NULL;
	for (unsigned i = 1; i < c->n_legs; i++) {
		const struct gateway_leg *leg = &c->leg[i];

		if (leg->is_outside || leg == from ||
		    !gateway_holds(prefix_of(leg, is_v6), ip, is_v6))
			continue;
		*is_ours = true;
		if (gateway_reaches(from, leg))
			return leg;
		if (gateway_reaches(leg, from))
			answers = leg;
	}
	return answers;
}

/* Is this, to the address that the kernel has there, for a service of the switch?  An answer to our ARP probe is, too. */
static bool is_for_service(const struct gateway_leg *leg, const struct frame *f)
{
	uint8_t ip[IPV6_BYTES], port[2], tpa[4];
	unsigned l4 = ETH_HEADER;

	if (f->etype == ETYPE_ARP)
		return (leg->serves & SERVES_DHCP) && frame_copy(f, ARP_TPA, tpa, 4) == 4 &&
		       read_be32(tpa) == 0;
	if (frame_copy(f, ETH_HEADER, ip, IPV4_BYTES) != IPV4_BYTES || f->etype != ETYPE_IPV4)
		return false;
	l4 += (ip[0] & 15) * 4u;
	return frame_copy(f, l4 + 2, port, 2) == 2 && (read_be16(ip + 6) & 0x1fff) == 0 &&
	       gateway_leg_serves(leg, ip[9], read_be16(port));
}

/* Unicast to a host-only leg's MAC: the kernel's, unless it is for a service, or a route says otherwise. */
bool gateway_routes(const struct gateway_conf *c, const struct gateway_leg *leg,
		    const struct frame *f)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_ours;
	struct ip dst;

	(void)c;
	if (!leg->is_host_only)
		return false;
	if (leg->serves && f->etype == ETYPE_ARP)
		return is_for_service(leg, f);
	if (f->etype == ETYPE_IPV4) {
		memcpy(dst.b, mapped, sizeof(mapped));
		if (frame_copy(f, ETH_HEADER + 16, dst.b + 12, 4) != 4)
			return false;
	} else if (f->etype != ETYPE_IPV6 || frame_copy(f, ETH_HEADER + 24, dst.b, 16) != 16) {
		return false;
	}
	if (gateway_is_own(leg, &dst))
		return leg->serves && is_for_service(leg, f);
	return gateway_other(leg, &dst, &is_ours) != NULL;
}
