/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_group: frames to groups, which L2 would send everywhere: which of them are a leg's alone, and which it only hears.
 *
 * forward.c asks for each group frame on a VLAN with a leg, without the lock.  A leg takes what asks for its addresses, and what
 * claims one of them: nobody else should believe that.  All other ARP and neighbour discovery goes on, and is heard: a neighbour
 * that moves to another MAC says so to everybody.  What it knows of neighbours the guard asks too (switch.c).
 *
 * Trust.  The bytes are the sender's.  They are copied by frame_copy(), which ends where the frame ends; what is taken is checked
 * in full later.
 */
#include "switch/gateway_internal.h"

enum {
	ARP_SPA = 28, /* offsets in the frame */
	ARP_TPA = 38,
	IPV4_PROTO = 23,
	IPV4_DST = 30,
	IPV6_NEXT = 20,
	IPV6_DST = 38,
	ND_TYPE = 54,
	ND_TARGET = 62,
	ND_END = 78,
	DHCP_CHADDR = 28, /* of the payload of UDP */
	DHCP_SERVER = 67, /* ports */
	DHCP_CLIENT = 68,
	DHCP6_SERVER = 547,
	HEARD_BYTES = 512,
	NEIGHBOUR_S = 300, /* how long an answer says who has an address */
};

static struct ip v4_at(const uint8_t *p)
{
	return (struct ip){{[10] = 0xff, 0xff, p[0], p[1], p[2], p[3]}};
}

static bool wants_arp(const struct gateway_leg *leg, const struct frame *f)
{
	struct ip spa, tpa;

	if (!leg->v4.is_set || f->snap_len < ARP_BYTES)
		return false;
	spa = v4_at(f->snap + ARP_SPA);
	tpa = v4_at(f->snap + ARP_TPA);
	return gateway_is_own(leg, &spa) || gateway_is_own(leg, &tpa);
}

/* Neighbour discovery has no extension headers before it from anybody who means well. */
static bool wants_nd(const struct gateway_leg *leg, const struct frame *f)
{
	static const uint8_t all_routers[16] = {0xff, 0x02, [15] = 2};
	uint8_t nd[ND_END];
	struct ip target;

	if (!leg->v6.is_set || f->snap_len <= ND_TYPE || f->snap[IPV6_NEXT] != PROTO_ICMPV6)
		return false;
	if (f->snap[ND_TYPE] == ND_ROUTER_SOLICIT)
		return leg->advertises && memcmp(f->snap + IPV6_DST, all_routers, 16) == 0;
	if (f->snap[ND_TYPE] != ND_SOLICIT && f->snap[ND_TYPE] != ND_ADVERT)
		return false;
	if (leg->is_host_only || frame_copy(f, 0, nd, ND_END) != ND_END)
		return false;
	memcpy(&target, nd + ND_TARGET, sizeof(target));
	if (gateway_is_own(leg, &target))
		return true;
	return nd[ND_TYPE] == ND_SOLICIT && leg->is_outside && gateway_routed6(leg, &target);
}

/* What clients ask everybody, where DHCP is served; and outside what a server says to everybody, but for the client on this leg
 * (RFC 2131 4.1): it has the leg's MAC in it. */
static bool wants_dhcp(const struct gateway_leg *leg, const struct frame *f)
{
	unsigned header = (f->snap[ETH_HEADER] & 15) * 4u, udp = ETH_HEADER + header;
	uint8_t mac[6], port[2];

	if (f->snap_len < ETH_HEADER + IPV4_BYTES || f->snap[IPV4_PROTO] != PROTO_UDP ||
	    frame_copy(f, udp + 2, port, 2) != 2)
		return false;
	if (!leg->is_outside)
		return (leg->serves & SERVES_DHCP) && read_be16(port) == DHCP_SERVER &&
		       read_be32(f->snap + IPV4_DST) == 0xffffffff;
	return read_be16(port) == DHCP_CLIENT &&
	       frame_copy(f, udp + UDP_BYTES + DHCP_CHADDR, mac, 6) == 6 &&
	       memcmp(mac, &leg->mac, 6) == 0;
}

/* RFC 8415 7.1: all relay agents and servers. */
static bool wants_dhcp6(const struct gateway_leg *leg, const struct frame *f)
{
	static const uint8_t all_agents[16] = {0xff, 0x02, [13] = 1, 0, 2};
	uint8_t port[2];

	return (leg->serves & SERVES_DHCP6) && f->snap_len > ND_TYPE &&
	       f->snap[IPV6_NEXT] == PROTO_UDP &&
	       memcmp(f->snap + IPV6_DST, all_agents, sizeof(all_agents)) == 0 &&
	       frame_copy(f, ETH_HEADER + IPV6_BYTES + 2, port, 2) == 2 &&
	       read_be16(port) == DHCP6_SERVER;
}

bool gateway_wants(const struct gateway_leg *leg, const struct frame *f)
{
	switch (f->etype) {
	case ETYPE_ARP:
		return !leg->is_host_only && wants_arp(leg, f);
	case ETYPE_IPV6:
		return wants_nd(leg, f) || wants_dhcp6(leg, f);
	case ETYPE_IPV4:
		return wants_dhcp(leg, f);
	default:
		return false;
	}
}

/* An advertisement, in memory of ours: the frame is somebody else's. */
static void hear_nd(struct gateway *g, const struct gateway_leg *leg, const struct frame *f)
{
	uint8_t mem[HEARD_BYTES];
	struct frame copy = *f;
	struct packet k;

	if (f->len > sizeof(mem) || frame_copy(f, 0, mem, f->len) != f->len)
		return;
	copy.snap = mem;
	copy.snap_len = (uint16_t)f->len;
	copy.body_cnt = 0;
	if (packet_parse(&k, &copy) == DROP_NONE && gateway_is_nd(&k))
		gateway_nd_hear(g, leg, &k);
}

void gateway_hear(struct gateway *g, const struct gateway_conf *c, const struct frame *f,
		  uint64_t now_ns)
{
	const struct gateway_leg *leg = gateway_leg_of(c, f->tci & TCI_VID);
	struct gateway_call call = {.conf = c, .now_ns = now_ns};
	bool is_nd = f->etype == ETYPE_IPV6 && f->snap_len > ND_TYPE &&
		     f->snap[IPV6_NEXT] == PROTO_ICMPV6 && f->snap[ND_TYPE] == ND_ADVERT;

	if (leg->vid == 0 || (f->etype != ETYPE_ARP && !is_nd))
		return;
	gateway_lock(g);
	g->call = &call;
	if (is_nd)
		hear_nd(g, leg, f);
	else
		gateway_arp_hear(g, leg, f);
	if (neigh_next_ns(g->neigh) <= now_ns)
		atomic_store_explicit(&g->next_ns, 0, memory_order_relaxed);
	g->call = NULL;
	gateway_unlock(g);
}

bool gateway_neighbour(struct gateway *g, uint16_t vid, const struct ip *ip, uint64_t now_ns,
		       struct mac *mac)
{
	bool is_known;

	gateway_lock(g);
	is_known = neigh_confirmed(g->neigh, vid, ip, NEIGHBOUR_S, now_ns, mac);
	gateway_unlock(g);
	return is_known;
}
