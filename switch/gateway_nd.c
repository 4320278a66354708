/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_nd: neighbour discovery of the legs (RFC 4861): solicitations and advertisements, for the legs' addresses and, on an
 * uplink, for networks behind us whose IPv6 is routed (a proxy as in RFC 4389, without its loops: we never ask for others there).
 *
 *      who asks          for                  is told
 *      a neighbour       our address          R S O, to him                 he is learned by the option with his MAC
 *      :: (DAD)          our address          R   O, to all nodes           a claim
 *      a neighbour       a network behind us  R S, to him                   without O: the host itself would win
 *
 * Trust.  Everything is the sender's, and RFC 4861 6.1 and 7.1 say what is checked first: hop limit 255, so that it was sent on
 * this link; checksum; code; length; options that are not empty; who may speak to whom.  Neighbours are learned within the
 * leg's network alone.
 */
#include "switch/base/csum.h"
#include "switch/gateway_internal.h"

enum {
	ND_TARGET = 8,
	ND_BYTES = 24,
	RS_BYTES = 8,
	RA_BYTES = 16,
	OPTION_SOURCE = 1,
	OPTION_TARGET = 2,
	OPTION_UNIT = 8,
	OPTION_MAC = 2, /* where it is in the option */
	FLAG_ROUTER = 0x80,
	FLAG_SOLICITED = 0x40,
	FLAG_OVERRIDE = 0x20,
};

static const struct ip all_nodes = {{0xff, 0x02, [15] = 1}};

bool gateway_is_nd(const struct packet *k)
{
	return k->proto == PROTO_ICMPV6 && k->fragment == FRAGMENT_NONE &&
	       k->icmp_type >= ND_ROUTER_SOLICIT && k->icmp_type <= ND_REDIRECT;
}

static bool is_unspecified(const struct ip *ip)
{
	static const struct ip zero;

	return ip_equal(ip, &zero);
}

static struct mac group_mac(const struct ip *group)
{
	return (struct mac){{0x33, 0x33, group->b[12], group->b[13], group->b[14], group->b[15]}};
}

static struct ip solicited_node(const struct ip *ip)
{
	return (struct ip){{0xff, 0x02, [11] = 1, 0xff, ip->b[13], ip->b[14], ip->b[15]}};
}

/* A message about target with one option, our MAC; from our address that fits the target. */
static void send_nd(struct gateway *g, struct gateway_ip *ip, uint8_t type, uint8_t flags,
		    const struct ip *target)
{
	struct frame *f;
	uint8_t *l4;

	ip->proto = PROTO_ICMPV6;
	ip->hops = ND_HOPS;
	ip->l4 = ND_BYTES + OPTION_UNIT;
	l4 = gateway_made_ip(g, ip, &f);
	if (!l4)
		return;
	memset(l4, 0, ip->l4);
	l4[0] = type;
	l4[4] = flags;
	memcpy(l4 + ND_TARGET, target, sizeof(*target));
	l4[ND_BYTES] = type == ND_SOLICIT ? OPTION_SOURCE : OPTION_TARGET;
	l4[ND_BYTES + 1] = 1;
	memcpy(l4 + ND_BYTES + OPTION_MAC, &ip->leg->mac, 6);
	gateway_seal(f, ip, 2);
}

void gateway_nd_ask(struct gateway *g, const struct gateway_leg *leg, const struct ip *target,
		    const struct mac *mac)
{
	struct gateway_ip ip = {.leg = leg, .src = leg->v6.ip};

	if (gateway_is_link_local(target))
		ip.src = gateway_link_local(&leg->mac);
	ip.dst = mac ? *target : solicited_node(target);
	ip.mac = mac ? *mac : group_mac(&ip.dst);
	send_nd(g, &ip, ND_SOLICIT, 0, target);
}

/* To the outside we are a host, unless networks behind us are routed. */
static uint8_t router_flag(const struct gateway_leg *leg)
{
	return leg->is_outside && !leg->routes_v6 ? 0 : FLAG_ROUTER;
}

static void advertise(struct gateway *g, const struct gateway_leg *leg, const struct ip *target)
{
	struct gateway_ip ip = {
		.leg = leg, .src = *target, .dst = all_nodes, .mac = group_mac(&all_nodes)};

	send_nd(g, &ip, ND_ADVERT, router_flag(leg) | FLAG_OVERRIDE, target);
}

void gateway_nd_announce(struct gateway *g, const struct gateway_leg *leg)
{
	if (leg->v6.is_set)
		advertise(g, leg, &leg->v6.ip);
	for (unsigned i = 0; i < leg->n_more; i++)
		if (!ip_is_v4(&leg->more[i].ip))
			advertise(g, leg, &leg->more[i].ip);
}

/* --- what comes -------------------------------------------------------------------------- */

struct message {
	const uint8_t *l4;
	uint32_t n;
	const uint8_t *source, *target; /* MACs of the options; NULL: there is none */
};

/* False: an option of length 0, or one that the message ends in (RFC 4861 4.6). */
static bool read_options(struct message *m, uint32_t at)
{
	while (at < m->n) {
		uint32_t len;

		if (m->n - at < OPTION_UNIT)
			return false;
		len = m->l4[at + 1] * (uint32_t)OPTION_UNIT;
		if (len == 0 || len > m->n - at)
			return false;
		if (m->l4[at] == OPTION_SOURCE)
			m->source = m->l4 + at + OPTION_MAC;
		if (m->l4[at] == OPTION_TARGET)
			m->target = m->l4 + at + OPTION_MAC;
		at += len;
	}
	return true;
}

static bool is_usable(const uint8_t *mac)
{
	struct mac m;

	if (!mac)
		return true;
	memcpy(&m, mac, sizeof(m));
	return !mac_is_group(&m) && !mac_is_zero(&m);
}

static bool is_whole(const struct packet *k, const struct message *m)
{
	uint64_t sum;

	if (k->ttl != ND_HOPS || k->icmp_code != 0 || k->l4 + m->n > k->f->snap_len)
		return false;
	if (k->f->off.flags & OFFLOAD_NEEDS_CSUM)
		return true;
	sum = csum_pseudo(k->src.b, k->dst.b, 16, PROTO_ICMPV6, m->n);
	return csum_fold(csum_add(sum, m->l4, m->n)) == 0;
}

/* RFC 4861 6.1 and 7.1. */
static bool is_sound(const struct packet *k, struct message *m)
{
	static const uint8_t solicited[13] = {0xff, 0x02, [11] = 1, 0xff};
	uint32_t fixed = k->icmp_type == ND_ROUTER_SOLICIT  ? RS_BYTES
			 : k->icmp_type == ND_ROUTER_ADVERT ? RA_BYTES
							    : ND_BYTES;
	struct ip target;

	*m = (struct message){.l4 = k->f->snap + k->l4, .n = k->ip_bytes - (k->l4 - k->l3)};
	if (m->n < fixed || !is_whole(k, m) || !read_options(m, fixed) || !is_usable(m->source) ||
	    !is_usable(m->target))
		return false;
	if (is_unspecified(&k->src) && m->source)
		return false;
	if (fixed != ND_BYTES)
		return true;
	memcpy(&target, m->l4 + ND_TARGET, sizeof(target));
	if (gateway_is_bad(&target, true))
		return false;
	if (k->icmp_type == ND_SOLICIT)
		return !is_unspecified(&k->src) || memcmp(k->dst.b, solicited, 13) == 0;
	return !gateway_is_group(&k->dst) || !(m->l4[4] & FLAG_SOLICITED);
}

static void claimed(struct gateway *g, const struct gateway_leg *leg, const struct packet *k,
		    const struct ip *target)
{
	struct mac mac;

	memcpy(&mac, k->f->snap + 6, sizeof(mac));
	note(g->call->rec, k->f, STAGE_GATEWAY, "a claim to an address of ours");
	if (gateway_claimed(g, leg, target, &mac))
		advertise(g, leg, target);
}

static void learn(struct gateway *g, const struct gateway_leg *leg, const struct ip *ip,
		  const uint8_t *mac, struct neigh_claim how)
{
	if (!gateway_is_on_link(leg, ip, true) || gateway_is_own(leg, ip))
		return;
	how.ip = *ip;
	how.vid = leg->vid;
	memcpy(&how.mac, mac, sizeof(how.mac));
	neigh_learn(g->neigh, &how, g->call->now_ns);
}

static enum drop solicited(struct gateway *g, const struct gateway_leg *leg, const struct packet *k,
			   const struct message *m)
{
	struct gateway_ip ip = {.leg = leg, .dst = k->src};
	bool is_own, is_dad = is_unspecified(&k->src);
	char text[IP_TEXT];
	struct ip target;

	(void)text;
	memcpy(&target, m->l4 + ND_TARGET, sizeof(target));
	memcpy(&ip.mac, k->f->snap + 6, sizeof(ip.mac));
	is_own = gateway_is_own(leg, &target);
	if (!is_own && (is_dad || !leg->is_outside || !gateway_routed6(leg, &target)))
		return DROP_NONE;
	if (m->source)
		learn(g, leg, &k->src, m->source, (struct neigh_claim){.may_make = true});
	if (leg->is_host_only)
		return DROP_NONE;
	if (!gateway_may_answer(g, leg)) {
		note(g->call->rec, k->f, STAGE_GATEWAY, "ND for %s: too many questions",
		     ip_text(&target, text));
		return DROP_RATE;
	}
	if (is_dad) { /* whoever hears it has to look for another address (RFC 4862 5.4.3) */
		g->stats.claims++;
		note(g->call->rec, k->f, STAGE_GATEWAY, "ND for %s: it is ours",
		     ip_text(&target, text));
		advertise(g, leg, &target);
		return DROP_NONE;
	}
	ip.src = is_own ? target : leg->v6.ip;
	send_nd(g, &ip, ND_ADVERT, router_flag(leg) | FLAG_SOLICITED | (is_own ? FLAG_OVERRIDE : 0),
		&target);
	note(g->call->rec, k->f, STAGE_GATEWAY, "ND for %s: answered%s", ip_text(&target, text),
	     is_own ? "" : ", it is behind us");
	return DROP_NONE;
}

static void advertised(struct gateway *g, const struct gateway_leg *leg, const struct packet *k,
		       const struct message *m)
{
	bool is_answer = (m->l4[4] & FLAG_SOLICITED) && !frame_is_group(k->f);
	struct ip target;

	memcpy(&target, m->l4 + ND_TARGET, sizeof(target));
	if (gateway_is_own(leg, &target)) {
		claimed(g, leg, k, &target);
		return;
	}
	/* An answer to one host may leave the option out (RFC 4861 4.4). */
	if (m->target || is_answer)
		learn(g, leg, &target, m->target ? m->target : k->f->snap + 6,
		      (struct neigh_claim){.is_answer = is_answer});
}

/* Of a frame that goes on to others. */
void gateway_nd_hear(struct gateway *g, const struct gateway_leg *leg, const struct packet *k)
{
	struct message m;
	struct ip target;

	if (!leg->v6.is_set || k->icmp_type != ND_ADVERT || !is_sound(k, &m) || !m.target)
		return;
	memcpy(&target, m.l4 + ND_TARGET, sizeof(target));
	learn(g, leg, &target, m.target,
	      (struct neigh_claim){.is_answer = (m.l4[4] & FLAG_SOLICITED) &&
						memcmp(k->f->snap, &leg->mac, 6) == 0});
}

enum drop gateway_nd(struct gateway *g, const struct gateway_leg *leg, const struct packet *k)
{
	struct message m;
	struct mac mac;

	if (!leg->v6.is_set || !is_sound(k, &m)) {
		note(g->call->rec, k->f, STAGE_GATEWAY,
		     "neighbour discovery that says what cannot be");
		return DROP_BAD_ARP;
	}
	k->f->out = OUT_LOCAL;
	switch (k->icmp_type) {
	case ND_SOLICIT:
		return solicited(g, leg, k, &m);
	case ND_ADVERT:
		advertised(g, leg, k, &m);
		return DROP_NONE;
	case ND_ROUTER_SOLICIT:
		if (!leg->advertises)
			break;
		if (m.source)
			learn(g, leg, &k->src, m.source, (struct neigh_claim){.may_make = true});
		memcpy(&mac, k->f->snap + 6, sizeof(mac));
		note(g->call->rec, k->f, STAGE_GATEWAY, "router solicitation");
		return gateway_ra_answer(g, leg, &k->src, &mac);
	default: /* other routers, redirects: we have our own configuration */
		break;
	}
	k->f->out = OUT_NONE;
	return DROP_NO_SERVICE;
}
