/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_hop: the last part of a routed packet's way: time to live, next hop, MTU, neighbour.
 *
 * gateway_route.c comes here when it is known into which VLAN a packet goes; what leaves has both MACs and the VLAN of the next
 * hop, and L2 does the rest.  A packet whose neighbour is not known is copied and waits, with its old Ethernet header, by which an
 * error finds back to the sender.
 *
 * RFC 1812 5.2 and 5.3.1, RFC 8200 5, RFC 8201; RFC 879 and RFC 6691 (MSS).
 *
 * Trust.  packet_parse() checked the headers; what is compared with the MTU is the length by the IP header, not the frame's.
 */
#include "switch/gateway_internal.h"
#include "switch/port/gso.h"

enum { TCP_BYTES = 20, TCP_FLAGS = 13, TCP_SYN = 2, GSO_LEAST = 64 };

static bool is_zero(const struct ip *ip)
{
	static const struct ip zero;

	return gateway_same(ip, &zero);
}

/* Who has to get a packet to dst in that VLAN; NULL: nobody. */
static const struct ip *next_hop(const struct gateway_leg *to, const struct ip *dst, bool is_v6)
{
	const struct ip *next = is_v6 ? &to->next6 : &to->next4;

	if (gateway_is_on_link(to, dst, is_v6))
		return dst;
	return to->is_outside && !is_zero(next) ? next : NULL;
}

/* Both ends of a connection hear of the smaller MTU before they meet it. */
static void clamp(struct work *w)
{
	struct packet *k = &w->k;
	uint32_t mtu = w->to->mtu, headers = TCP_BYTES + (k->is_v6 ? IPV6_BYTES : IPV4_BYTES);

	if (k->fragment == FRAGMENT_LATER || !(k->f->snap[k->l4 + TCP_FLAGS] & TCP_SYN))
		return;
	if (w->from && w->from->mtu < mtu)
		mtu = w->from->mtu;
	if (mtu > headers)
		packet_clamp_mss(k, (uint16_t)(mtu - headers < 0xffff ? mtu - headers : 0xffff));
}

/* Larger than the MTU: true when it can be made to fit, by fragments or, of TCP in large segments, by smaller ones. */
static bool can_fit(struct packet *k, uint32_t mtu)
{
	struct offload *o = &k->f->off;
	uint32_t headers;

	if (k->dont_fragment)
		return false;
	if (o->gso_type == GSO_NONE)
		return true;
	headers = o->hdr_len - ETH_HEADER;
	if (gso_kind(k->f) != GSO_TCPV4 || mtu < headers + GSO_LEAST)
		return false;
	o->gso_size = (uint16_t)(mtu - headers);
	return true;
}

static inline uint32_t mtu_bytes(const struct packet *k)
{
	return k->f->off.gso_type == GSO_NONE ? k->ip_bytes : gso_mtu_bytes(k->f);
}

/* Padding and trailers of the Ethernet frame are no part of the packet, and nobody else's to see. */
void gateway_trim(const struct packet *k)
{
	struct frame *f = k->f;
	uint32_t end = k->l3 + k->ip_bytes;

	if (f->len == end || f->off.gso_type != GSO_NONE)
		return;
	if (end < ETH_MIN && f->len >= ETH_MIN && f->snap_len >= ETH_MIN) {
		memset(f->snap + end, 0, ETH_MIN - end);
		end = ETH_MIN;
	}
	gateway_shorten(f, end);
}

enum drop gateway_leave(struct gateway *g, struct work *w, const struct mac *mac)
{
	struct packet *k = &w->k;
	struct frame *f = k->f;

	memcpy(f->snap, mac, 6);
	memcpy(f->snap + 6, &w->to->mac, 6);
	f->tci = (uint16_t)((f->tci & ~TCI_VID) | w->to->vid);
	f->out = OUT_NONE;
	gateway_trim(k);
	if (f->off.gso_type == GSO_NONE && k->ip_bytes > w->to->mtu)
		return gateway_fragment(g, k, w->to->mtu);
	return DROP_NONE;
}

void gateway_ask(struct gateway *g, const struct gateway_leg *leg, const struct ip *ip,
		 const struct mac *mac)
{
	if (ip_is_v4(ip))
		gateway_arp_ask(g, leg, ip, mac);
	else
		gateway_nd_ask(g, leg, ip, mac);
}

/* For the short form, until the end of this vector: nobody learns before that. */
static void remember(struct gateway *g, const struct gateway_leg *to, const struct mac *next)
{
	g->hop_to = to;
	memcpy(g->hop_eth, next, 6);
	memcpy(g->hop_eth + 6, &to->mac, 6);
}

static enum drop find_neighbour(struct gateway *g, struct work *w, const struct ip *next)
{
	struct neigh_wish wish = {
		.ip = *next,
		.vid = w->to->vid,
		.from = {.vid = w->from ? w->from->vid : 0, .way = w->way},
		.f = w->k.f,
	};
	enum neigh_answer answer;
	char text[IP_TEXT];
	struct mac mac;
	bool ask;

	(void)text;
	answer = neigh_resolve(g->neigh, &wish, g->call->now_ns, &mac, &ask);
	if (__builtin_expect(ask, 0))
		gateway_ask(g, w->to, next, answer == NEIGH_KNOWN ? &mac : NULL);
	if (__builtin_expect(answer == NEIGH_KNOWN, 1)) {
		if (!ask && next == &w->to->next4)
			remember(g, w->to, &mac);
		return gateway_leave(g, w, &mac);
	}
	if (answer == NEIGH_WAITS) {
		note(g->call->rec, w->k.f, STAGE_GATEWAY, "waits until %s says where it is",
		     ip_text(next, text));
		w->k.f->out = OUT_LOCAL;
		g->stats.waited++;
		return DROP_NONE;
	}
	note(g->call->rec, w->k.f, STAGE_GATEWAY, "too many wait for %s or its network",
	     ip_text(next, text));
	gateway_error(g, w, DROP_NO_NEIGHBOUR);
	return DROP_NO_NEIGHBOUR;
}

enum drop gateway_hop(struct gateway *g, struct work *w)
{
	struct packet *k = &w->k;
	const struct ip *next;

	if (__builtin_expect(k->ttl <= 1, 0)) {
		note(g->call->rec, k->f, STAGE_GATEWAY, "its time to live ends here");
		gateway_error(g, w, DROP_TTL);
		return DROP_TTL;
	}
	next = next_hop(w->to, &k->dst, k->is_v6);
	if (__builtin_expect(!next, 0)) {
		note(g->call->rec, k->f, STAGE_GATEWAY, "VLAN %u has no next hop for it",
		     w->to->vid);
		gateway_error(g, w, DROP_NO_ROUTE);
		return DROP_NO_ROUTE;
	}
	if (__builtin_expect(mtu_bytes(k) > w->to->mtu, 0) && !can_fit(k, w->to->mtu)) {
		note(g->call->rec, k->f, STAGE_GATEWAY, "%u bytes, and the MTU there is %u",
		     mtu_bytes(k), w->to->mtu);
		gateway_error(g, w, DROP_MTU);
		return DROP_MTU;
	}
	packet_take_hop(k);
	if (k->proto == PROTO_TCP)
		clamp(w);
	return find_neighbour(g, w, next);
}
