/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gso: segments and completes checksums in software.
 *
 * A port's tx calls gso_passes() for a frame with offload fields, and gso_segment() when its peer cannot take them.  A
 * segment is built in the buffer that the worker lends: headers once, then for each segment its payload behind them and the
 * few fields that differ.  The payload is summed after it was copied: a guest that changes its memory meanwhile does not
 * get a wrong checksum out of us.
 *
 *      frame     | headers | payload ........ ........ .... |
 *      segments  | headers'| ........ |
 *                | headers'| ........ |          ' total length, id, header checksum; sequence number, flags
 *                | headers'| .... |                or UDP length; checksum
 *
 * Fields: RFC 791 3.1, RFC 8200 3, RFC 9293 3.1 (sequence; FIN and PSH on the last segment), RFC 3168 6.1.2 (CWR on the
 * first), RFC 768 (a sum of 0 is sent as 0xffff).
 *
 * Trust.  frame_check_offload() passed the offload fields and hdr_len; the headers are read again from the snapshot, which
 * nobody else can change.  The payload is the sender's and is only copied and summed.
 */
#include "switch/port/gso.h"

#include <string.h>

#include "switch/base/csum.h"

enum {
	PROTO_TCP = 6,
	TCP_FLAGS = 13,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_CWR = 0x80,
	IPV6_BYTES = 40,
};

/* A frame on its way into segments. */
struct split {
	struct frame_l4 h;
	struct offload off;
	uint8_t *buf;	  /* headers and payload of the segment in hand */
	uint64_t pseudo;  /* sum of the pseudo-header without its length */
	uint32_t seq;	  /* of the first segment */
	uint32_t payload; /* bytes in all */
	uint16_t id;	  /* of the first segment */
	uint8_t flags;	  /* of TCP, as they came */
};

/* One segment: its number, where its payload starts among all of it, and how much that is. */
struct part {
	uint32_t number, at, bytes;
};

static uint32_t read_be32(const uint8_t *p)
{
	return (uint32_t)read_be16(p) << 16 | read_be16(p + 2);
}

static void write_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void write_be32(uint8_t *p, uint32_t v)
{
	write_be16(p, v >> 16);
	write_be16(p + 2, v);
}

bool gso_passes(const struct frame *f, unsigned can)
{
	if ((f->off.flags & OFFLOAD_NEEDS_CSUM) && !(can & CAN_CSUM))
		return false;
	if ((f->off.gso_type & GSO_ECN) && !(can & CAN_ECN))
		return false;
	switch (gso_kind(f)) {
	case GSO_NONE:
		return true;
	case GSO_TCPV4:
		return can & CAN_TSO4;
	case GSO_TCPV6:
		return can & CAN_TSO6;
	case GSO_UDP_L4:
		return can & CAN_USO;
	default:
		return false;
	}
}

uint32_t gso_mtu_bytes(const struct frame *f)
{
	if (f->off.gso_type == GSO_NONE)
		return f->len - ETH_HEADER;
	return (uint32_t)f->off.hdr_len - ETH_HEADER + f->off.gso_size;
}

/* Fills a checksum field whose range starts at start; the field holds the pseudo-header's sum. */
static bool complete(uint8_t *bytes, uint32_t len, const struct offload *off)
{
	uint32_t field = (uint32_t)off->csum_start + off->csum_offset;
	uint16_t sum;

	if (field + 2 > len)
		return false;
	sum = csum_fold(csum_add(0, bytes + off->csum_start, len - off->csum_start));
	/* To UDP, 0 means that there is none; to the others both zeros are the same. */
	write_be16(bytes + field, sum ? sum : 0xffff);
	return true;
}

/* A frame that stays in one piece. */
static unsigned emit_whole(const struct frame *f, unsigned can, uint8_t *buf, size_t capacity,
			   gso_emit emit, void *arg)
{
	struct segment s = {.bytes = buf, .len = f->len, .off = f->off};

	if (f->len > capacity || frame_copy(f, 0, buf, f->len) != f->len)
		return 0;
	if ((s.off.flags & OFFLOAD_NEEDS_CSUM) && !(can & CAN_CSUM)) {
		if (!complete(buf, s.len, &s.off))
			return 0;
		s.off = (struct offload){0};
	}
	return emit(&s, arg) ? 1 : 0;
}

/* Sum of the pseudo-header without the length of L4. */
static uint64_t pseudo_sum(const struct frame *f, const struct frame_l4 *h)
{
	const uint8_t *src = f->snap + h->l3 + (h->is_ipv6 ? 8 : 12);
	size_t addr_bytes = h->is_ipv6 ? 16 : 4;
	uint32_t l4_bytes = f->len - h->l4;
	const uint8_t *field;

	if (!h->is_routed)
		return csum_pseudo(src, src + addr_bytes, addr_bytes, h->proto, 0);
	/* RFC 8200 8.1: it covers the last destination of the routing header.  The sender put that into its
	 * partial sum; only the length is taken out. */
	field = f->snap + f->off.csum_start + f->off.csum_offset;
	return (uint64_t)read_be16(field) + csum_fold((l4_bytes >> 16) + (l4_bytes & 0xffff));
}

/* False when the frame is not what its offload fields say. */
static bool split_init(struct split *s, const struct frame *f, uint8_t *buf, size_t capacity)
{
	const struct offload *o = &f->off;
	const uint8_t *l4;

	if (o->gso_size == 0 || !frame_find_l4(f, &s->h) || o->hdr_len > f->snap_len ||
	    o->hdr_len <= s->h.l4 || (size_t)o->hdr_len + o->gso_size > capacity ||
	    (uint32_t)o->csum_start + o->csum_offset + 2 > o->hdr_len)
		return false;
	l4 = f->snap + s->h.l4;
	s->off = *o;
	s->buf = buf;
	s->pseudo = pseudo_sum(f, &s->h);
	s->payload = f->len - o->hdr_len;
	s->id = s->h.is_ipv6 ? 0 : read_be16(f->snap + s->h.l3 + 4);
	s->seq = s->h.proto == PROTO_TCP ? read_be32(l4 + 4) : 0;
	s->flags = s->h.proto == PROTO_TCP ? l4[TCP_FLAGS] : 0;
	return true;
}

static void write_ip(const struct split *s, const struct part *p)
{
	uint8_t *ip = s->buf + s->h.l3;
	uint32_t bytes = s->off.hdr_len - s->h.l3 + p->bytes;

	if (s->h.is_ipv6) {
		write_be16(ip + 4, bytes - IPV6_BYTES);
		return;
	}
	write_be16(ip + 2, bytes);
	write_be16(ip + 4, s->id + p->number);
	write_be16(ip + 10, 0);
	write_be16(ip + 10, csum_fold(csum_add(0, ip, s->h.l4 - s->h.l3)));
}

static void write_l4(const struct split *s, const struct part *p)
{
	uint8_t *l4 = s->buf + s->h.l4;
	uint8_t flags = s->flags;

	if (s->h.proto != PROTO_TCP) {
		write_be16(l4 + 4, s->off.hdr_len - s->h.l4 + p->bytes);
		return;
	}
	if (p->number > 0)
		flags &= (uint8_t)~TCP_CWR;
	if (p->at + p->bytes < s->payload)
		flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
	l4[TCP_FLAGS] = flags;
	write_be32(l4 + 4, s->seq + p->at);
}

/* The segment's checksum, or what is left for the output to do. */
static struct offload write_csum(const struct split *s, const struct part *p, unsigned can)
{
	struct offload partial = {
		.flags = OFFLOAD_NEEDS_CSUM,
		.csum_start = s->off.csum_start,
		.csum_offset = s->off.csum_offset,
	};
	uint32_t len = s->off.hdr_len + p->bytes;

	write_be16(s->buf + partial.csum_start + partial.csum_offset,
		   (uint16_t)~csum_fold(s->pseudo + len - s->h.l4));
	if (can & CAN_CSUM)
		return partial;
	complete(s->buf, len, &partial);
	return (struct offload){0};
}

unsigned gso_segment(const struct frame *f, unsigned can, uint8_t *buf, size_t capacity,
		     gso_emit emit, void *arg)
{
	struct frame_reader r;
	struct part p = {0};
	struct split s;

	if (f->off.gso_type == GSO_NONE || gso_passes(f, can))
		return emit_whole(f, can, buf, capacity, emit, arg);
	if (!split_init(&s, f, buf, capacity))
		return 0;
	frame_reader_init(&r, f, 0);
	frame_read(&r, buf, s.off.hdr_len);
	for (; p.at < s.payload; p.at += p.bytes, p.number++) {
		struct segment out = {.bytes = buf};
		uint32_t left = s.payload - p.at;

		p.bytes = left < s.off.gso_size ? left : s.off.gso_size;
		if (frame_read(&r, buf + s.off.hdr_len, p.bytes) != p.bytes)
			break;
		write_ip(&s, &p);
		write_l4(&s, &p);
		out.len = s.off.hdr_len + p.bytes;
		out.off = write_csum(&s, &p, can);
		if (!emit(&out, arg))
			break;
	}
	return p.number;
}
