/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_arp: ARP of the legs (RFC 826, RFC 5227).
 *
 * Questions for our addresses are answered, those of RFC 5227 (sender 0.0.0.0) too.  Who asks us, or answers, is learned
 * by the rules of neigh.h.  A claim to an address of ours changes nothing: it is counted, told once a minute, and
 * answered by an announcement at most every 10 s (RFC 5227 2.4(c)).
 *
 * Trust.  All fields are the sender's: hardware type and lengths have to be those of Ethernet and IPv4, addresses those of one
 * host, and only neighbours of the leg are learned.
 */
#include "switch/base/log.h"
#include "switch/gateway_internal.h"

enum {
	ARP_FIXED = 14, /* offsets in the frame */
	ARP_OP = 20,
	ARP_SHA = 22,
	ARP_SPA = 28,
	ARP_THA = 32,
	ARP_TPA = 38,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};

static const uint8_t arp_fixed[6] = {0, 1, 8, 0, 6, 4}; /* Ethernet, IPv4, lengths of addresses */
static const struct mac broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
static const uint64_t CLAIM_SAID_NS = 60000000000, CLAIM_DEFENDED_NS = 10000000000;

static struct ip ip_at(const uint8_t *p)
{
	return (struct ip){{[10] = 0xff, 0xff, p[0], p[1], p[2], p[3]}};
}

/* An ARP packet of ours; NULL targets are zero. */
static void send_arp(struct gateway *g, const struct gateway_leg *leg, uint8_t op,
		     const struct mac *to, const struct mac *target_mac, const struct ip *src,
		     const struct ip *target)
{
	struct frame *f = gateway_made_new(g, leg);

	if (!f)
		return;
	memset(f->snap, 0, ETH_MIN);
	gateway_write_eth(f->snap, to, &leg->mac, ETYPE_ARP);
	memcpy(f->snap + ARP_FIXED, arp_fixed, sizeof(arp_fixed));
	f->snap[ARP_OP + 1] = op;
	memcpy(f->snap + ARP_SHA, &leg->mac, 6);
	memcpy(f->snap + ARP_SPA, src->b + 12, 4);
	if (target_mac)
		memcpy(f->snap + ARP_THA, target_mac, 6);
	memcpy(f->snap + ARP_TPA, target->b + 12, 4);
	f->etype = ETYPE_ARP;
	f->len = ETH_MIN;
	f->snap_len = ETH_MIN;
}

void gateway_arp_ask(struct gateway *g, const struct gateway_leg *leg, const struct ip *ip,
		     const struct mac *mac)
{
	const struct ip *src = &leg->v4.ip;

	/* Of further addresses, that of the network in question: others may not answer to a stranger. */
	if (!prefix_holds(&leg->v4, ip))
		for (unsigned i = 0; i < leg->n_more; i++)
			if (prefix_holds(&leg->more[i], ip))
				src = &leg->more[i].ip;
	send_arp(g, leg, ARP_REQUEST, mac ? mac : &broadcast, NULL, src, ip);
}

void gateway_arp_announce(struct gateway *g, const struct gateway_leg *leg)
{
	if (leg->v4.is_set)
		send_arp(g, leg, ARP_REQUEST, &broadcast, NULL, &leg->v4.ip, &leg->v4.ip);
	for (unsigned i = 0; i < leg->n_more; i++)
		if (ip_is_v4(&leg->more[i].ip))
			send_arp(g, leg, ARP_REQUEST, &broadcast, NULL, &leg->more[i].ip,
				 &leg->more[i].ip);
}

bool gateway_claimed(struct gateway *g, const struct gateway_leg *leg, const struct ip *ip,
		     const struct mac *mac)
{
	struct leg_state *s = &g->state[leg->vid];
	uint64_t now_ns = g->call->now_ns;
	char ip_buf[IP_TEXT], mac_buf[MAC_TEXT];

	g->stats.claims++;
	if (s->claim_said_ns == 0 || now_ns - s->claim_said_ns >= CLAIM_SAID_NS) {
		s->claim_said_ns = now_ns;
		log_limited(LOG_LEVEL_WARN, "gateway: %s on VLAN %u is ours, and %s claims it",
			    ip_text(ip, ip_buf), leg->vid, mac_text(mac, mac_buf));
	}
	if (s->claim_defended_ns != 0 && now_ns - s->claim_defended_ns < CLAIM_DEFENDED_NS)
		return false;
	s->claim_defended_ns = now_ns;
	return true;
}

static bool is_sound(const struct frame *f)
{
	const uint8_t *p = f->snap;
	struct mac sha;
	struct ip spa;

	if (f->snap_len < ARP_BYTES || memcmp(p + ARP_FIXED, arp_fixed, sizeof(arp_fixed)) != 0 ||
	    p[ARP_OP] != 0 || (p[ARP_OP + 1] != ARP_REQUEST && p[ARP_OP + 1] != ARP_REPLY))
		return false;
	memcpy(&sha, p + ARP_SHA, sizeof(sha));
	spa = ip_at(p + ARP_SPA);
	if (mac_is_group(&sha) || mac_is_zero(&sha))
		return false;
	if (read_be32(p + ARP_SPA) == 0) /* a probe */
		return p[ARP_OP + 1] == ARP_REQUEST;
	return !gateway_is_bad(&spa, false);
}

static enum drop answer(struct gateway *g, const struct gateway_leg *leg, const struct frame *f,
			const struct ip *asked)
{
	struct ip asker = ip_at(f->snap + ARP_SPA);
	char text[IP_TEXT];
	struct mac sha;

	(void)text;
	memcpy(&sha, f->snap + ARP_SHA, sizeof(sha));
	if (!gateway_may_answer(g, leg)) {
		note(g->call->rec, f, STAGE_GATEWAY, "ARP for %s: too many questions",
		     ip_text(asked, text));
		return DROP_RATE;
	}
	send_arp(g, leg, ARP_REPLY, &sha, &sha, asked, &asker);
	note(g->call->rec, f, STAGE_GATEWAY, "ARP for %s: answered", ip_text(asked, text));
	return DROP_NONE;
}

static void learn(struct gateway *g, const struct gateway_leg *leg, const struct frame *f,
		  struct neigh_claim how)
{
	how.ip = ip_at(f->snap + ARP_SPA);
	how.vid = leg->vid;
	memcpy(&how.mac, f->snap + ARP_SHA, sizeof(how.mac));
	if (gateway_is_on_link(leg, &how.ip, false) && !gateway_is_own(leg, &how.ip))
		neigh_learn(g->neigh, &how, g->call->now_ns);
}

static bool is_probe(const struct frame *f)
{
	return read_be32(f->snap + ARP_SPA) == 0;
}

/* Of a frame that goes on to others. */
void gateway_arp_hear(struct gateway *g, const struct gateway_leg *leg, const struct frame *f)
{
	struct neigh_claim how = {0};

	if (!is_sound(f) || is_probe(f))
		return;
	how.is_answer = f->snap[ARP_OP + 1] == ARP_REPLY && memcmp(f->snap, &leg->mac, 6) == 0;
	learn(g, leg, f, how);
}

enum drop gateway_arp(struct gateway *g, const struct gateway_leg *leg, struct frame *f)
{
	struct ip source, target;
	bool is_request;
	struct mac sha;

	if (!is_sound(f)) {
		note(g->call->rec, f, STAGE_GATEWAY, "ARP that says what cannot be");
		return DROP_BAD_ARP;
	}
	is_request = f->snap[ARP_OP + 1] == ARP_REQUEST;
	source = ip_at(f->snap + ARP_SPA);
	target = ip_at(f->snap + ARP_TPA);
	f->out = OUT_LOCAL;
	if (gateway_is_own(leg, &source)) {
		memcpy(&sha, f->snap + ARP_SHA, sizeof(sha));
		note(g->call->rec, f, STAGE_GATEWAY, "a claim to an address of ours");
		if (gateway_claimed(g, leg, &source, &sha))
			gateway_arp_announce(g, leg);
		return DROP_NONE;
	}
	if (!is_request && read_be32(f->snap + ARP_TPA) == 0)
		gateway_serve_arp(g, leg, f);
	if (!is_probe(f) && !leg->is_host_only)
		learn(g, leg, f,
		      (struct neigh_claim){
			      .may_make = is_request && gateway_is_own(leg, &target),
			      .is_answer = !is_request && !frame_is_group(f),
		      });
	return is_request && gateway_is_own(leg, &target) ? answer(g, leg, f, &target) : DROP_NONE;
}
