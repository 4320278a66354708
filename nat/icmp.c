/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * icmp: errors about packets that passed the NAT.
 *
 * nat.c gives it every error, from either side.  The packet inside went the other way, so its ends are those of the session seen
 * from behind:
 *
 *      | IP: router -> outside address | ICMP error | IP: outside address:port -> remote | TCP, UDP, ICMP: 8 bytes or more | ...
 *                      ^ inside address                   ^ inside address:port
 *
 * Any router on the way may be the source (RFC 5508 REQ-4), and stays it; on the way out it is hidden behind the outside
 * address of the session (REQ-5).  What follows the inner L4 header, also extensions of RFC 4884, is not touched.
 * Checksums: the outer one must be right, also that of the inner IP header (REQ-3); that of inner L4, which routers cut
 * off, is adjusted where it is and never verified.  The session is neither refreshed nor ended, whatever its protocol
 * (RFC 4787 REQ-12, RFC 5382 REQ-9, REQ-10, RFC 5508 REQ-3, REQ-5, REQ-6).
 *
 * Trust.  packet_parse() has checked the outer headers; the packet inside is the word of a stranger, read here with bounds of its
 * own: the message, and the snapshot.
 */
#include "nat/icmp.h"

#include <string.h>

#include "switch/base/csum.h"

enum {
	ICMP_HEADER = 8,
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	L4_LEAST = 8, /* RFC 792: of the inner payload */
	EXTENSIONS_MAX = 8,
	EXTENSION_UNIT = 8,
	CHUNK = 512,
};

/* The packet that an error holds, as offsets in the snapshot. */
struct inner {
	unsigned l3, l4, end; /* end: of the message, or of the snapshot */
	struct session_key key;
};

/* Over the whole message, which may reach far beyond the snapshot. */
static bool is_checksum_right(const struct packet *k)
{
	uint32_t left = k->l3 + k->ip_bytes - k->l4, n;
	const uint8_t *addr = k->f->snap + k->l3 + 8;
	struct frame_reader r;
	uint8_t chunk[CHUNK];
	uint64_t sum = 0;

	if (k->f->off.flags & OFFLOAD_NEEDS_CSUM)
		return false;
	if (k->is_v6)
		sum = csum_pseudo(addr, addr + 16, 16, PROTO_ICMPV6, left);
	frame_reader_init(&r, k->f, k->l4);
	for (; left > 0; left -= n) {
		n = left < CHUNK ? left : CHUNK;
		if (frame_read(&r, chunk, n) != n)
			return false;
		sum = csum_add(sum, chunk, n);
	}
	return csum_fold(sum) == 0;
}

static struct ip read_ip(const uint8_t *p, bool is_v6)
{
	struct ip ip = {{[10] = 0xff, [11] = 0xff}};

	memcpy(ip.b + (is_v6 ? 0 : 12), p, is_v6 ? 16 : 4);
	return ip;
}

/* Sets l4; returns the protocol, 0 when there is no L4 header. */
static uint8_t find_l4_ipv4(struct inner *in, const uint8_t *snap)
{
	const uint8_t *ip = snap + in->l3;
	unsigned header;

	if (in->l3 + IPV4_BYTES > in->end || ip[0] >> 4 != 4)
		return 0;
	header = (ip[0] & 15) * 4u;
	if (header < IPV4_BYTES || in->l3 + header > in->end)
		return 0;
	if (csum_fold(csum_add(0, ip, header)) != 0 || (read_be16(ip + 6) & 0x1fff))
		return 0;
	in->l4 = in->l3 + header;
	return ip[9];
}

static uint8_t find_l4_ipv6(struct inner *in, const uint8_t *snap)
{
	uint8_t next;

	if (in->l3 + IPV6_BYTES > in->end || snap[in->l3] >> 4 != 6)
		return 0;
	next = snap[in->l3 + 6];
	in->l4 = in->l3 + IPV6_BYTES;
	for (unsigned n = 0; next == 0 || next == 43 || next == 44 || next == 60; n++) {
		const uint8_t *h = snap + in->l4;

		if (n == EXTENSIONS_MAX || in->l4 + EXTENSION_UNIT > in->end)
			return 0;
		if (next == 44 && (read_be16(h + 2) & 0xfff8))
			return 0;
		if (next == 43 &&
		    h[3]) /* segments left: its destination is not the one of the session */
			return 0;
		in->l4 += next == 44 ? EXTENSION_UNIT : (h[1] + 1u) * EXTENSION_UNIT;
		next = h[0];
	}
	return next;
}

/* Reads the ends of the inner packet: near is ours, its source on the way in and its destination on the way out. */
static bool parse_inner(struct inner *in, const struct packet *k, enum nat_way way, uint16_t vid)
{
	const uint8_t *snap = k->f->snap, *l3, *l4;
	struct session_key *key = &in->key;
	unsigned message = k->l3 + k->ip_bytes, src = k->is_v6 ? 8 : 12, dst = k->is_v6 ? 24 : 16;
	bool is_out = way == NAT_OUT;
	struct packet inner = {.is_v6 = k->is_v6};

	in->l3 = k->l4 + ICMP_HEADER;
	in->end = message < k->f->snap_len ? message : k->f->snap_len;
	inner.proto = k->is_v6 ? find_l4_ipv6(in, snap) : find_l4_ipv4(in, snap);
	if (inner.proto == 0 || in->l4 + L4_LEAST > in->end)
		return false;
	l3 = snap + in->l3;
	l4 = snap + in->l4;
	*key = (struct session_key){.side = vid, .proto = inner.proto};
	key->near = read_ip(l3 + (is_out ? dst : src), k->is_v6);
	key->far = read_ip(l3 + (is_out ? src : dst), k->is_v6);
	if (inner.proto == PROTO_TCP || inner.proto == PROTO_UDP) {
		key->near_port = read_be16(l4 + (is_out ? 2 : 0));
		key->far_port = read_be16(l4 + (is_out ? 0 : 2));
		return true;
	}
	/* Of ICMP queries only: no error is about an error (RFC 1122 3.2.2). */
	inner.icmp_type = l4[0];
	key->near_port = read_be16(l4 + 4);
	return packet_is_query(&inner);
}

/* Changes the inner end of ours, in place, and the outer checksum by what its bytes changed. */
static void put_inner(const struct packet *k, const struct inner *in, bool is_out,
		      const struct ip *ip, uint16_t port, uint16_t change_l3, uint16_t change_l4)
{
	uint8_t *l3 = k->f->snap + in->l3, *l4 = k->f->snap + in->l4, *field;
	uint32_t n = in->end - in->l3, before = csum_fold(csum_add(0, l3, n)), sum;
	unsigned csum_at = in->key.proto == PROTO_TCP ? 16 : in->key.proto == PROTO_UDP ? 6 : 2;

	if (k->is_v6) {
		memcpy(l3 + (is_out ? 24 : 8), ip->b, 16);
	} else {
		memcpy(l3 + (is_out ? 16 : 12), ip->b + 12, 4);
		csum_shift(l3 + 10, change_l3);
	}
	write_be16(l4 + (csum_at == 2 ? 4 : is_out ? 2 : 0), port);
	field = l4 + csum_at;
	if (in->l4 + csum_at + 2 <= in->end && !(csum_at == 6 && read_be16(field) == 0)) {
		csum_shift(field, change_l4);
		if (csum_at == 6 && read_be16(field) == 0)
			write_be16(field, 0xffff);
	}
	sum = before + (uint16_t)~csum_fold(csum_add(0, l3, n));
	csum_shift(k->f->snap + k->l4 + 2, (uint16_t)((sum & 0xffff) + (sum >> 16)));
}

enum drop icmp_error(struct nat *n, struct packet *k, enum nat_way way, uint16_t *vid)
{
	const struct session_pool *outside;
	struct inner in;
	struct session *s;

	if (k->fragment != FRAGMENT_NONE || k->is_source_routed || !is_checksum_right(k))
		return DROP_NAT_ERROR;
	if (!parse_inner(&in, k, way, *vid))
		return DROP_NAT_ERROR;
	/* It goes back to where the inner packet came from. */
	if (!ip_equal(&k->dst, way == NAT_OUT ? &in.key.far : &in.key.near))
		return DROP_NAT_ERROR;
	s = session_find(n->table, way, &in.key, session_hash(n->table, &in.key), SESSION_NONE,
			 n->now_s);
	if (!s)
		return DROP_NAT_ERROR;
	*vid = way == NAT_OUT ? nat_far_vid(n, s) : s->vid;
	if (s->kind == NAT_ROUTED)
		return DROP_NONE;
	if (way == NAT_OUT) {
		outside = session_outside(n->table, s);
		put_inner(k, &in, true, &outside->ip, s->outside_port, s->csum_l3, s->csum_l4);
		packet_set_src(k, &outside->ip, 0);
	} else {
		put_inner(k, &in, false, &s->inside, s->inside_port, (uint16_t)~s->csum_l3,
			  (uint16_t)~s->csum_l4);
		packet_set_dst(k, &s->inside, 0);
	}
	return DROP_NONE;
}
