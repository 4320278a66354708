/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame: finding headers in a snapshot, checking offload fields, reading a frame's bytes.
 *
 * forward.c checks the offload fields of every frame that has any; port/gso.c and the outputs then rely on them.
 * Linux' tap is the measure of what is accepted (virtio_net_hdr_to_skb): what it refuses is refused here, so that a
 * frame does not pass or fail by the kind of its output.
 *
 *      | eth | tag tag | IPv4 or IPv6 | extension headers | TCP or UDP | payload
 *      0               l3                                 l4           hdr_len
 *
 * RFC 791, RFC 8200 4 (extension headers), RFC 9293 3.1, RFC 768.
 *
 * Trust.  Bytes, lengths inside them and offload fields are the sender's.  Headers are read from the snapshot only, and
 * each length is compared with snap_len before the bytes it spans are read; body[] is copied, never parsed.
 */
#include "switch/base/frame.h"

#include <string.h>

#include "switch/base/csum.h"

enum {
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	TCP_BYTES = 20,
	UDP_BYTES = 8,
	TCP_CSUM = 16, /* where the checksum is in the header */
	UDP_CSUM = 6,
	IP_MAX = 65535,
	TAGS_MAX = 2,
	EXTENSIONS_MAX = 8,
};

enum proto {
	PROTO_HOP_BY_HOP = 0,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_AH = 51,
	PROTO_NONE = 59,
	PROTO_OPTIONS = 60,
	PROTO_MOBILITY = 135,
	PROTO_HIP = 139,
	PROTO_SHIM6 = 140,
};

/* Finds the IP header behind the tags; 0 when there is none. */
static uint16_t find_l3(const struct frame *f)
{
	unsigned l3 = ETH_HEADER;
	uint16_t etype;

	for (unsigned tags = 0;; tags++) {
		if (l3 >= f->snap_len)
			return 0;
		etype = read_be16(f->snap + l3 - 2);
		if (tags == TAGS_MAX || (etype != ETYPE_8021Q && etype != ETYPE_8021AD))
			break;
		l3 += TAG_BYTES;
	}
	return etype == ETYPE_IPV4 || etype == ETYPE_IPV6 ? (uint16_t)l3 : 0;
}

static bool find_l4_ipv4(const struct frame *f, struct frame_l4 *out)
{
	const uint8_t *ip = f->snap + out->l3;
	unsigned header;
	uint16_t fragment;

	if (f->snap_len - out->l3 < IPV4_BYTES || ip[0] >> 4 != 4)
		return false;
	header = (ip[0] & 15) * 4u;
	fragment = read_be16(ip + 6);
	if (header < IPV4_BYTES || (fragment & 0x1fff))
		return false;
	out->is_fragment = fragment & 0x2000;
	out->proto = ip[9];
	out->l4 = (uint16_t)(out->l3 + header);
	return out->l4 < f->snap_len;
}

static bool is_extension(uint8_t proto)
{
	return proto == PROTO_HOP_BY_HOP || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
	       proto == PROTO_AH || proto == PROTO_OPTIONS || proto == PROTO_MOBILITY ||
	       proto == PROTO_HIP || proto == PROTO_SHIM6;
}

static bool find_l4_ipv6(const struct frame *f, struct frame_l4 *out)
{
	unsigned at = out->l3 + IPV6_BYTES;

	if (f->snap_len < at || f->snap[out->l3] >> 4 != 6)
		return false;
	out->proto = f->snap[out->l3 + 6];
	for (unsigned n = 0; is_extension(out->proto); n++) {
		const uint8_t *header = f->snap + at;

		if (n == EXTENSIONS_MAX || at + 8 > f->snap_len)
			return false;
		if (out->proto == PROTO_FRAGMENT) {
			if (read_be16(header + 2) & 0xfff8)
				return false;
			out->is_fragment = true;
			at += 8;
		} else if (out->proto == PROTO_AH) {
			at += (header[1] + 2u) * 4;
		} else {
			at += (header[1] + 1u) * 8;
		}
		out->is_routed |= out->proto == PROTO_ROUTING;
		out->proto = header[0];
	}
	out->l4 = (uint16_t)at;
	return at < f->snap_len && out->proto != PROTO_NONE;
}

bool frame_find_l4(const struct frame *f, struct frame_l4 *out)
{
	*out = (struct frame_l4){.l3 = find_l3(f)};
	if (out->l3 == 0)
		return false;
	out->is_ipv6 = read_be16(f->snap + out->l3 - 2) == ETYPE_IPV6;
	return out->is_ipv6 ? find_l4_ipv6(f, out) : find_l4_ipv4(f, out);
}

/* Does the GSO type say what the headers are?  ECN is a word about TCP. */
static bool agrees(const struct frame *f, const struct frame_l4 *h)
{
	if (h->is_fragment)
		return false;
	switch (gso_kind(f)) {
	case GSO_TCPV4:
		return !h->is_ipv6 && h->proto == PROTO_TCP;
	case GSO_TCPV6:
		return h->is_ipv6 && h->proto == PROTO_TCP;
	case GSO_UDP_L4:
		return h->proto == PROTO_UDP && !(f->off.gso_type & GSO_ECN);
	default:
		return false;
	}
}

/* Bytes of the L4 header, 0 when the snapshot does not hold all of it. */
static unsigned l4_bytes(const struct frame *f, const struct frame_l4 *h)
{
	unsigned room = f->snap_len - h->l4, n = UDP_BYTES;

	if (h->proto == PROTO_TCP) {
		if (room < TCP_BYTES)
			return 0;
		n = (f->snap[h->l4 + 12] >> 4) * 4u;
		if (n < TCP_BYTES)
			return 0;
	}
	return n <= room ? n : 0;
}

/* Gives a frame whose sender left a whole checksum, or none, the partial one that GSO works with. */
static bool make_partial(struct frame *f, const struct frame_l4 *h, uint16_t csum_offset)
{
	const uint8_t *src = f->snap + h->l3 + (h->is_ipv6 ? 8 : 12);
	size_t addr_bytes = h->is_ipv6 ? 16 : 4;
	uint16_t sum;

	if (h->is_routed) /* the destination that the checksum covers is in the routing header */
		return false;
	sum = (uint16_t)~csum_fold(
		csum_pseudo(src, src + addr_bytes, addr_bytes, h->proto, f->len - h->l4));
	f->snap[h->l4 + csum_offset] = (uint8_t)(sum >> 8);
	f->snap[h->l4 + csum_offset + 1] = (uint8_t)sum;
	f->off.flags = OFFLOAD_NEEDS_CSUM;
	f->off.csum_start = h->l4;
	f->off.csum_offset = csum_offset;
	return true;
}

static enum drop check_gso(struct frame *f)
{
	struct offload *o = &f->off;
	uint16_t csum_offset;
	struct frame_l4 h;
	unsigned n;

	if (o->gso_size == 0 || !frame_find_l4(f, &h) || !agrees(f, &h))
		return DROP_BAD_OFFLOAD;
	n = l4_bytes(f, &h);
	if (n == 0)
		return DROP_BAD_OFFLOAD;
	o->hdr_len = (uint16_t)(h.l4 + n);
	csum_offset = h.proto == PROTO_TCP ? TCP_CSUM : UDP_CSUM;
	if (!(o->flags & OFFLOAD_NEEDS_CSUM)) {
		if (!make_partial(f, &h, csum_offset))
			return DROP_BAD_OFFLOAD;
	} else if (o->csum_start != h.l4 || o->csum_offset != csum_offset) {
		return DROP_BAD_OFFLOAD;
	}
	if (f->len - o->hdr_len <=
	    o->gso_size) { /* one segment: Linux takes it as an ordinary frame */
		o->gso_type = GSO_NONE;
		o->gso_size = 0;
		o->hdr_len = 0;
		return DROP_NONE;
	}
	/* More than IP can carry is not one packet that was left whole. */
	if (f->len - o->hdr_len > IP_MAX)
		return DROP_BAD_OFFLOAD;
	/* Each segment may be a system call of ours: more of them than any stack makes is an attack. */
	if ((f->len - o->hdr_len) / o->gso_size >= GSO_SEGMENTS_MAX)
		return DROP_BAD_OFFLOAD;
	/* The length field of a segment must hold its length; that of IPv6 does not count the fixed header. */
	n = o->hdr_len - h.l3 - (h.is_ipv6 ? IPV6_BYTES : 0u) + o->gso_size;
	return n > IP_MAX ? DROP_BAD_OFFLOAD : DROP_NONE;
}

enum drop frame_check_offload(struct frame *f)
{
	struct offload *o = &f->off;

	o->flags &= OFFLOAD_NEEDS_CSUM | OFFLOAD_DATA_VALID;
	if (o->flags & OFFLOAD_NEEDS_CSUM) {
		o->flags = OFFLOAD_NEEDS_CSUM; /* it cannot be valid before it is there */
		if (o->csum_start < ETH_HEADER ||
		    (uint32_t)o->csum_start + o->csum_offset + 2 > f->len)
			return DROP_BAD_OFFLOAD;
	} else {
		o->csum_start = 0;
		o->csum_offset = 0;
	}
	if (o->gso_type != GSO_NONE)
		return check_gso(f);
	o->hdr_len = 0;
	o->gso_size = 0;
	return DROP_NONE;
}

void frame_reader_init(struct frame_reader *r, const struct frame *f, uint32_t off)
{
	size_t skip = off > f->snap_len ? off - f->snap_len : 0;

	*r = (struct frame_reader){.f = f, .off = off};
	while (r->piece < f->body_cnt && skip >= f->body[r->piece].iov_len)
		skip -= f->body[r->piece++].iov_len;
	r->inside = skip;
}

/* The bytes that lie in one piece from here on; at most n, 0 at the end. */
static size_t next_piece(const struct frame_reader *r, const uint8_t **from, size_t n)
{
	const struct frame *f = r->f;
	size_t there;

	if (r->off < f->snap_len) {
		*from = f->snap + r->off;
		there = f->snap_len - r->off;
	} else {
		if (r->piece >= f->body_cnt)
			return 0;
		*from = (const uint8_t *)f->body[r->piece].iov_base + r->inside;
		there = f->body[r->piece].iov_len - r->inside;
	}
	return there < n ? there : n;
}

static void advance(struct frame_reader *r, size_t n)
{
	const struct frame *f = r->f;

	if (r->off >= f->snap_len)
		r->inside += n;
	r->off += (uint32_t)n;
	while (r->off >= f->snap_len && r->piece < f->body_cnt &&
	       r->inside >= f->body[r->piece].iov_len) {
		r->inside = 0;
		r->piece++;
	}
}

uint32_t frame_read(struct frame_reader *r, void *dst, uint32_t n)
{
	uint32_t left = r->off < r->f->len ? r->f->len - r->off : 0, done = 0;
	const uint8_t *from = NULL;
	size_t now;

	if (n > left)
		n = left;
	while (done < n && (now = next_piece(r, &from, n - done)) > 0) {
		memcpy((uint8_t *)dst + done, from, now);
		advance(r, now);
		done += (uint32_t)now;
	}
	return done;
}

uint32_t frame_copy(const struct frame *f, uint32_t off, void *dst, uint32_t n)
{
	struct frame_reader r;

	frame_reader_init(&r, f, off);
	return frame_read(&r, dst, n);
}

void frame_pull(struct frame *f, uint8_t *to, uint16_t n)
{
	uint32_t want = n < SNAP_MAX ? n : SNAP_MAX, have = f->snap_len;

	if (want > f->len)
		want = f->len;
	if (want <= have)
		return;
	if (to != f->snap)
		memcpy(to, f->snap, have);
	while (have < want && f->body_cnt > 0) {
		struct iovec *v = f->body;
		size_t now = v->iov_len < want - have ? v->iov_len : want - have;

		memcpy(to + have, v->iov_base, now);
		have += (uint32_t)now;
		v->iov_base = (uint8_t *)v->iov_base + now;
		v->iov_len -= now;
		if (v->iov_len == 0) {
			f->body++;
			f->body_cnt--;
		}
	}
	f->snap = to;
	f->snap_len = (uint16_t)have;
}

int frame_iov(const struct frame *f, uint32_t off, struct iovec *iov, int max)
{
	uint32_t left = off < f->len ? f->len - off : 0;
	const uint8_t *from = NULL;
	struct frame_reader r;
	int used = 0;
	size_t now;

	frame_reader_init(&r, f, off);
	while (left > 0 && (now = next_piece(&r, &from, left)) > 0) {
		if (used == max)
			return -1;
		iov[used++] = (struct iovec){(void *)(uintptr_t)from, now};
		advance(&r, now);
		left -= (uint32_t)now;
	}
	return used;
}
