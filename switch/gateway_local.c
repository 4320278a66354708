/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_local: packets for the gateway itself: echo is answered, services get their datagrams, the rest is refused.
 *
 * Inside, who knocks where nobody is hears of it: ICMP port or protocol unreachable, a TCP reset.  Outside there is silence, but
 * for echo: there is nothing of ours to be found.  Fragments to us are dropped: nothing that we serve needs them.
 *
 * RFC 792, RFC 1122 3.2.2.6, RFC 4443 4.2 (echo), RFC 1122 4.1.3.1; other questions stay without an answer (RFC 5508 REQ-11).
 *
 * Trust.  An echo's payload is not read and goes back from where it lies; its checksum is the sender's, changed by the type
 * alone, so that one which was wrong stays wrong.
 */
#include "switch/gateway_internal.h"

enum { ICMP_ECHO = 8, ICMP_ECHO_REPLY = 0, SNAP_COPIED = 1024 };

bool gateway_may_answer(struct gateway *g, const struct gateway_leg *leg)
{
	if (!rate_take(&g->state[leg->vid].answers, 1, g->call->now_ns))
		return false;
	g->stats.answered++;
	return true;
}

static enum drop answer_echo(struct gateway *g, const struct work *w)
{
	const struct packet *k = &w->k;
	uint8_t type = k->is_v6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY;
	uint32_t change = (uint16_t) ~(k->icmp_type << 8) + ((uint32_t)type << 8);
	struct gateway_ip ip = {
		.leg = w->from,
		.src = k->dst,
		.dst = k->src,
		.proto = k->proto,
		.hops = TTL_OURS,
		.l4 = k->ip_bytes - (k->l4 - k->l3),
	};
	uint32_t copied = ip.l4 < SNAP_COPIED ? ip.l4 : SNAP_COPIED;
	struct frame *f;
	uint8_t *l4;

	if (k->f->off.flags & OFFLOAD_NEEDS_CSUM) /* no stack leaves that of ICMP open */
		return DROP_NO_SERVICE;
	if (!gateway_may_answer(g, w->from)) {
		note(g->call->rec, k->f, STAGE_GATEWAY, "echo: too many questions");
		return DROP_RATE;
	}
	memcpy(ip.mac.b, k->f->snap + 6, 6);
	l4 = gateway_made_ip(g, &ip, &f);
	if (!l4)
		return DROP_NO_MEMORY;
	f->tci = k->f->tci;
	f->snap_len = (uint16_t)((size_t)(l4 - f->snap) + copied);
	f->len = f->snap_len;
	frame_copy(k->f, k->l4, l4, copied);
	l4[0] = type;
	csum_shift(l4 + 2, (uint16_t)(change + (change >> 16)));
	if (!gateway_made_body(g, f, k->f, k->l4 + copied, ip.l4 - copied)) {
		gateway_made_cancel(g, f);
		return DROP_NO_MEMORY;
	}
	note(g->call->rec, k->f, STAGE_GATEWAY, "echo: answered");
	k->f->out = OUT_LOCAL;
	return DROP_NONE;
}

static bool is_echo(const struct packet *k)
{
	return (k->proto == PROTO_ICMP && k->icmp_type == ICMP_ECHO && k->icmp_code == 0) ||
	       (k->proto == PROTO_ICMPV6 && k->icmp_type == ICMPV6_ECHO && k->icmp_code == 0);
}

enum drop gateway_local(struct gateway *g, struct work *w)
{
	const struct packet *k = &w->k;

	if (k->fragment != FRAGMENT_NONE) {
		note(g->call->rec, k->f, STAGE_GATEWAY, "a fragment for the gateway itself");
		return DROP_NO_SERVICE;
	}
	if (is_echo(k))
		return answer_echo(g, w);
	if ((k->proto == PROTO_UDP || k->proto == PROTO_TCP) &&
	    gateway_is_served(g, w->from, k->proto, k->dport))
		return gateway_serve_datagram(g, w);
	if (w->from->is_outside)
		return DROP_NAT_NO_SESSION;
	note(g->call->rec, k->f, STAGE_GATEWAY,
	     "for the gateway itself: nothing answers protocol %u, port %u", k->proto, k->dport);
	if (k->proto == PROTO_TCP)
		gateway_reset(g, w);
	else if (k->proto != PROTO_ICMP && k->proto != PROTO_ICMPV6)
		gateway_unreachable(g, w);
	return DROP_NO_SERVICE;
}
