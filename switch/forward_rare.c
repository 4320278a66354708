/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward_rare: questions of the packet path that few frames raise: group addresses that the switch keeps to itself, guards and
 * rates, the addresses of a host-only network's device.  Called by forward.c alone.
 *
 * Trust.  The bytes are the sender's: only the snapshot is read, after a look at snap_len.
 */
#include "switch/forward_internal.h"

#include <string.h>

enum {
	ARP_TPA = 38, /* target protocol address of an ARP for Ethernet and IPv4, RFC 826 */
	ARP_BYTES = 42,
	IPV4_DST = 30,
	IPV6_NEXT = 20,
	IPV6_DST = 38,
	ICMPV6_TYPE = 54, /* ND has no extension headers: RFC 4861 6.1, 7.1 */
	ND_SOLICIT = 135,
	ND_ADVERT = 136,
};

/* Group destinations that the switch keeps to itself: IEEE 802.1Q table 8-1, and our loop probe. */
enum drop forward_admit_group(struct pass *p, struct frame *f)
{
	static const uint8_t reserved[5] = {0x01, 0x80, 0xc2, 0x00, 0x00};
	struct forwarder *w = p->w;
	uint64_t nonce;
	uint16_t from;

	if (memcmp(f->snap, reserved, sizeof(reserved)) == 0 && f->snap[5] < 0x10)
		return DROP_RESERVED;
	if (memcmp(f->snap, loop_probe_mac, sizeof(loop_probe_mac)) != 0 || f->snap_len < ETH_MIN ||
	    frame_etype(f) != ETYPE_LOOP_PROBE ||
	    memcmp(f->snap + PROBE_ID, &p->fab->loop_id, sizeof(p->fab->loop_id)) != 0)
		return DROP_NONE; /* another fabric's goes its way */
	from = (uint16_t)(f->snap[PROBE_SLOT] << 8 | f->snap[PROBE_SLOT + 1]);
	memcpy(&nonce, f->snap + PROBE_NONCE, sizeof(nonce));
	__atomic_store_n(&w->loop_from[p->in_slot], from, __ATOMIC_RELAXED);
	__atomic_store_n(&w->loop_nonce[p->in_slot], nonce, __ATOMIC_RELAXED);
	__atomic_or_fetch(&w->loop_hits[p->in_slot >> 6], 1ULL << (p->in_slot & 63),
			  __ATOMIC_RELEASE);
	f->out = OUT_LOCAL;
	return DROP_NONE;
}

/* May a strict port say this?  Where the answer needs more of the frame, its snapshot grows in the worker's own memory. */
static enum drop ask_guard(struct pass *p, struct frame *f, struct recorder *rec)
{
	size_t i = (size_t)(f - p->w->vec.f);
	struct guard_ask ask = {
		.slot = p->in_slot,
		.mac = p->in->mac,
		.now_s = p->now_s,
		.rec = rec,
		.room = p->w->scratch->head_long + i * HEAD_LONG_STRIDE + FRAME_HEADROOM,
	};

	return guard_check(p->w->guard, &ask, f);
}

/* What some ports ask of a source, and of the rate at which frames come. */
enum drop forward_admit_limits(struct pass *p, struct frame *f, struct recorder *rec)
{
	enum drop drop;

	if (p->is_capped && !rate_take(&p->in->port->loop_cap, 1, p->w->now_ns)) {
		note(rec, f, STAGE_POLICE, "this port is in a loop: over the cap");
		return DROP_LOOP;
	}
	if (p->in->guard_mac && memcmp(f->snap + 6, p->in->mac.b, 6) != 0) {
		char allowed[MAC_TEXT];

		(void)allowed;
		note(rec, f, STAGE_GUARD, "guard mac: this port may use %s only",
		     mac_text(&p->in->mac, allowed));
		return DROP_GUARD_MAC;
	}
	if (p->in->guard_strict) {
		drop = ask_guard(p, f, rec);
		if (drop)
			return drop;
	}
	if (p->in->police && !rate_take(&p->in->police->rx, 8ULL * f->len, p->w->now_ns)) {
		note(rec, f, STAGE_POLICE, "over the rate of the port");
		return DROP_RATE;
	}
	return DROP_NONE;
}

/* Limits on what is copied to everybody. */
enum drop forward_police_flood(struct pass *p, const struct frame *f)
{
	struct police *police = p->in->police;

	if (police) {
		static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
		struct rate *r = !frame_is_group(f)		      ? &police->unknown
				 : memcmp(f->snap, broadcast, 6) == 0 ? &police->broadcast
								      : &police->multicast;

		if (!rate_take(r, 1, p->w->now_ns))
			return DROP_STORM;
	}
	return DROP_NONE;
}

/* The addresses of the host on a host-only network: only they are reached (IPv6: its link-local one too, RFC 4862 5.3,
 * and the solicited-node groups of both, RFC 4291 2.7.1). */
bool forward_is_for_host(const struct fabric_port *host, const struct frame *f)
{
	const uint8_t *s = f->snap, *mac = host->mac.b, *six;
	uint8_t local[8] = {mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
	static const uint8_t link_local[8] = {0xfe, 0x80};
	static const uint8_t solicited[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};

	if (f->etype == ETYPE_ARP)
		return f->snap_len >= ARP_BYTES &&
		       memcmp(s + ARP_TPA, host->host_v4.b + 12, 4) == 0;
	if (f->etype == ETYPE_IPV4)
		return f->snap_len >= IPV4_DST + 4 &&
		       memcmp(s + IPV4_DST, host->host_v4.b + 12, 4) == 0;
	if (f->etype != ETYPE_IPV6 || f->snap_len < IPV6_DST + 16)
		return false;
	six = s + IPV6_DST;
	if (memcmp(six, link_local, 8) == 0) /* for neighbour discovery alone */
		return memcmp(six + 8, local, 8) == 0 && s[IPV6_NEXT] == PROTO_ICMPV6 &&
		       f->snap_len > ICMPV6_TYPE &&
		       (s[ICMPV6_TYPE] == ND_SOLICIT || s[ICMPV6_TYPE] == ND_ADVERT);
	if (memcmp(six, solicited, 13) == 0)
		return memcmp(six + 13, local + 5, 3) == 0 ||
		       memcmp(six + 13, host->host_v6.b + 13, 3) == 0;
	return !memcmp(six, host->host_v6.b, 16);
}
