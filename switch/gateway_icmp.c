/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_icmp: errors about packets that do not go on, and resets.
 *
 * The reason why a packet was dropped says which error its sender gets.  About a packet that was not translated it goes back to
 * where the frame came from.  About one that was, it is made on the far side of the NAT, as if the next router had sent it, and
 * goes through the NAT as any error would (RFC 5508 4):
 *
 *      guest --- [leg] NAT [leg] ---X        packet, translated, too large for the network outside
 *      guest <-- [leg] NAT [leg] <--'        error about it, to its outside address
 *
 * Which packets are never spoken of: RFC 1812 4.3.2.7, RFC 1122 3.2.2, RFC 4443 2.4(e).  Quote: as much as fits 576 bytes
 * (RFC 1812 4.3.2.3), 1280 of IPv6.  Limits: RFC 1812 4.3.2.8, RFC 4443 2.4(f), RFC 5508 REQ-9.  Which there are: RFC 5508 REQ-10,
 * a session that was refused among them (RFC 5508 REQ-8).
 *
 * Trust.  The packet is the sender's; its headers were parsed, its bytes are quoted as they are.
 */
#include "switch/gateway_internal.h"

enum {
	ICMP_UNREACHABLE = 3,
	ICMP_EXCEEDED = 11,
	ICMPV6_UNREACHABLE = 1,
	ICMPV6_TOO_BIG = 2,
	ICMPV6_EXCEEDED = 3,
	ICMPV6_PARAMETER = 4,
	QUOTE4_TOTAL = 576,
	QUOTE6_TOTAL = 1280,
	TCP_BYTES = 20,
	TCP_FLAGS = 13,
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,
	NEXT_HEADER = 6, /* where IPv6 says what follows */
};

struct message {
	uint8_t type, code;
	uint32_t info; /* the second word */
};

/* False: nobody is told. */
static bool message_of(const struct work *w, enum drop why, struct message *m)
{
	static const struct message refused4 = {ICMP_UNREACHABLE, 13, 0},
				    refused6 = {ICMPV6_UNREACHABLE, 1, 0};
	bool is_v6 = w->k.is_v6;

	switch (why) {
	case DROP_TTL:
		*m = (struct message){is_v6 ? ICMPV6_EXCEEDED : ICMP_EXCEEDED, 0, 0};
		return true;
	case DROP_NO_ROUTE:
		*m = (struct message){is_v6 ? ICMPV6_UNREACHABLE : ICMP_UNREACHABLE, 0, 0};
		return true;
	case DROP_NO_NEIGHBOUR:
		*m = is_v6 ? (struct message){ICMPV6_UNREACHABLE, 3, 0}
			   : (struct message){ICMP_UNREACHABLE, 1, 0};
		return true;
	case DROP_MTU:
		*m = is_v6 ? (struct message){ICMPV6_TOO_BIG, 0, w->to->mtu}
			   : (struct message){ICMP_UNREACHABLE, 4, w->to->mtu};
		return true;
	case DROP_NETWORKS_APART:
	case DROP_NAT_FULL:
	case DROP_NAT_GUEST_FULL:
	case DROP_NAT_RATE:
	case DROP_NAT_PORTS:
		*m = is_v6 ? refused6 : refused4;
		return true;
	default:
		return false;
	}
}

/* Errors, redirects, fragments without a beginning, groups and senders that are nobody. */
static bool is_unspeakable(const struct packet *k)
{
	if (k->fragment == FRAGMENT_LATER || frame_is_group(k->f) || gateway_is_group(&k->dst) ||
	    gateway_is_bad(&k->src, k->is_v6))
		return true;
	if (k->proto == PROTO_ICMPV6)
		return k->icmp_type < ICMPV6_ECHO || k->icmp_type == ND_REDIRECT;
	return k->proto == PROTO_ICMP &&
	       (k->icmp_type == 4 || k->icmp_type == 5 || packet_is_error(k));
}

/* Over the limits nothing is said; the leg's is asked first, so that one network does not take what is for all. */
static bool may_speak(struct gateway *g, const struct gateway_leg *leg)
{
	if (rate_take(&g->state[leg->vid].errors, 1, g->call->now_ns) &&
	    rate_take(&g->errors, 1, g->call->now_ns)) {
		g->stats.errors++;
		return true;
	}
	g->stats.errors_held++;
	return false;
}

/* The address that speaks to dst; false: the leg has none of its family. */
static bool address_of(const struct gateway_leg *leg, const struct ip *dst, struct ip *out)
{
	if (!ip_is_v4(dst)) {
		*out = gateway_is_link_local(dst) ? gateway_link_local(&leg->mac) : leg->v6.ip;
		return leg->v6.is_set;
	}
	*out = leg->v4.ip;
	return leg->v4.is_set;
}

static struct frame *make_error(struct gateway *g, const struct gateway_leg *leg,
				const struct packet *k, const struct message *m)
{
	uint32_t room = k->is_v6 ? QUOTE6_TOTAL - IPV6_BYTES : QUOTE4_TOTAL - IPV4_BYTES, quote;
	struct gateway_ip ip = {.leg = leg,
				.dst = k->src,
				.proto = k->is_v6 ? PROTO_ICMPV6 : PROTO_ICMP,
				.hops = TTL_OURS};
	struct frame *f;
	uint8_t *l4;

	if (!address_of(leg, &k->src, &ip.src))
		return NULL;
	quote = k->ip_bytes < room - ICMP_BYTES ? k->ip_bytes : room - ICMP_BYTES;
	ip.l4 = ICMP_BYTES + quote;
	memcpy(ip.mac.b, k->f->snap + 6, 6);
	l4 = gateway_made_ip(g, &ip, &f);
	if (!l4)
		return NULL;
	l4[0] = m->type;
	l4[1] = m->code;
	write_be16(l4 + 4, (uint16_t)(m->info >> 16));
	write_be16(l4 + 6, (uint16_t)m->info);
	frame_copy(k->f, k->l3, l4 + ICMP_BYTES, quote);
	gateway_seal(f, &ip, 2);
	return f;
}

/* Sends an error that was made on the far side of the NAT back through it. */
static void send_back(struct gateway *g, struct frame *f, const struct work *about)
{
	struct work w = {.from = about->to, .is_translated = true};
	bool is_out = about->way == WAY_OUT, held = false;
	enum drop drop = packet_parse(&w.k, f);
	struct ip own;

	w.way = is_out ? WAY_IN : WAY_OUT;
	w.j = (struct nat_job){.k = &w.k, .vid = about->to->vid, .slot = SLOT_MAX};
	if (!drop) {
		nat_seek(g->nat, &w.j, is_out ? NAT_IN : NAT_OUT);
		nat_fetch(g->nat, &w.j);
		drop = is_out ? nat_in(g->nat, &w.j, g->call->now_ns, &held)
			      : nat_out(g->nat, &w.j, g->call->now_ns, &held);
	}
	w.to = gateway_leg_of(g->call->conf, w.j.vid);
	if (!drop && !held && w.to->vid) {
		/* To the guest it is his gateway that speaks. */
		if (is_out && about->from && address_of(about->from, &w.k.dst, &own))
			packet_set_src(&w.k, &own, 0);
		drop = gateway_hop(g, &w);
		if (!drop && f->out == OUT_NONE)
			return;
	}
	gateway_made_cancel(g, f);
}

static void send_error(struct gateway *g, struct work *w, const struct message *m)
{
	const struct gateway_leg *leg = w->is_translated ? w->to : w->from;
	struct frame *f;

	if (!leg || is_unspeakable(&w->k) || !may_speak(g, w->from ? w->from : leg))
		return;
	f = make_error(g, leg, &w->k, m);
	if (!f)
		return;
	note(g->call->rec, w->k.f, STAGE_GATEWAY, "tells the sender: ICMP%s type %u code %u",
	     w->k.is_v6 ? "v6" : "", m->type, m->code);
	if (w->is_translated)
		send_back(g, f, w);
}

void gateway_error(struct gateway *g, struct work *w, enum drop why)
{
	struct message m;

	if (message_of(w, why, &m))
		send_error(g, w, &m);
}

void gateway_unreachable(struct gateway *g, struct work *w)
{
	const struct packet *k = &w->k;
	struct message m = {ICMP_UNREACHABLE, 2, 0};

	if (k->proto == PROTO_UDP) {
		m = k->is_v6 ? (struct message){ICMPV6_UNREACHABLE, 4, 0}
			     : (struct message){ICMP_UNREACHABLE, 3, 0};
	} else if (k->is_v6) {
		if (k->l4 - k->l3 !=
		    IPV6_BYTES) /* where the header says it would have to be sought */
			return;
		m = (struct message){ICMPV6_PARAMETER, 1, NEXT_HEADER};
	}
	send_error(g, w, &m);
}

/* RFC 9293 3.10.7.1: to a segment for a connection that does not exist. */
void gateway_reset(struct gateway *g, struct work *w)
{
	const struct packet *k = &w->k;
	const uint8_t *seg = k->f->snap + k->l4;
	uint8_t flags = seg[TCP_FLAGS];
	uint32_t header = (seg[12] >> 4) * 4u, text = k->ip_bytes - (k->l4 - k->l3) - header, ack;
	struct gateway_ip ip = {
		.leg = w->from,
		.src = k->dst,
		.dst = k->src,
		.proto = PROTO_TCP,
		.hops = TTL_OURS,
		.l4 = TCP_BYTES,
	};
	struct frame *f;
	uint8_t *l4;

	if ((flags & TCP_RST) || is_unspeakable(k) || !may_speak(g, w->from))
		return;
	memcpy(ip.mac.b, k->f->snap + 6, 6);
	l4 = gateway_made_ip(g, &ip, &f);
	if (!l4)
		return;
	memset(l4, 0, TCP_BYTES);
	write_be16(l4, k->dport);
	write_be16(l4 + 2, k->sport);
	l4[12] = TCP_BYTES / 4 << 4;
	if (flags & TCP_ACK) {
		memcpy(l4 + 4, seg + 8, 4);
		l4[TCP_FLAGS] = TCP_RST;
	} else {
		ack = read_be32(seg + 4) + text + !!(flags & TCP_SYN) + !!(flags & TCP_FIN);
		write_be16(l4 + 8, (uint16_t)(ack >> 16));
		write_be16(l4 + 10, (uint16_t)ack);
		l4[TCP_FLAGS] = TCP_RST | TCP_ACK;
	}
	gateway_seal(f, &ip, 16);
}
