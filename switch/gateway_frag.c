/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_frag: a packet of IPv4 that is too large for the next network becomes fragments (RFC 791 2.3, 3.2, RFC 4787 REQ-13).
 *
 *      frame   | eth | IP, options | payload ................................ |
 *      in place| eth | IP', options| payload ...... |
 *      made                   | eth | IP'', copied options | ...... | each: headers of its own, payload from where it lies
 *
 * The first fragment stays in the frame, the others are made frames whose payload is not copied but for what fills up
 * their snapshot.  A fragment can be fragmented again.  A checksum that the sender left to hardware is completed first, because
 * only the whole packet has it.  The identification is the packet's: the NAT made it one that no other guest uses (RFC 6864 5.2).
 *
 * Trust.  packet_parse() checked header length and total length against the frame; options are walked within the header.
 */
#include "switch/base/csum.h"
#include "switch/gateway_internal.h"

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_COPIED = 0x80,
	IPV4_MF = 0x2000,
	UNIT = 8, /* of fragment offsets */
	CHUNK = 2048,
};

void gateway_shorten(struct frame *f, uint32_t len)
{
	uint32_t left;

	if (len >= f->len)
		return;
	f->len = len;
	if (len <= f->snap_len) {
		f->snap_len = (uint16_t)len;
		f->body_cnt = 0;
		return;
	}
	left = len - f->snap_len;
	for (unsigned i = 0; i < f->body_cnt; i++) {
		struct iovec *v = &f->body[i];

		if (v->iov_len < left) {
			left -= (uint32_t)v->iov_len;
			continue;
		}
		v->iov_len = left;
		f->body_cnt = (uint16_t)(i + 1);
		return;
	}
}

/* The checksum of a packet that came without one, over all of it. */
static void complete(struct packet *k)
{
	struct frame *f = k->f;
	uint32_t end = k->l3 + k->ip_bytes, at = f->off.csum_start, field = at + f->off.csum_offset;
	struct frame_reader r;
	uint8_t chunk[CHUNK];
	uint64_t sum = 0;
	uint16_t value;

	if (!(f->off.flags & OFFLOAD_NEEDS_CSUM))
		return;
	frame_reader_init(&r, f, at);
	while (at < end) {
		uint32_t n = end - at < CHUNK ? end - at : CHUNK;

		n = frame_read(&r, chunk, n);
		if (n == 0)
			break;
		sum = csum_add(sum, chunk, n); /* only the last one is odd */
		at += n;
	}
	value = csum_fold(sum);
	if (field + 2 <= f->snap_len)
		write_be16(f->snap + field, value ? value : 0xffff);
	f->off = (struct offload){0};
}

/* The header of all fragments but the first: of the options only those that say so (RFC 791 3.1).  Returns its length. */
static unsigned later_header(uint8_t to[static 60], const uint8_t *ip, unsigned header)
{
	unsigned at = IPV4_BYTES, n = IPV4_BYTES;

	memcpy(to, ip, IPV4_BYTES);
	while (at < header && ip[at] != OPTION_END) {
		unsigned len = ip[at] == OPTION_NOP ? 1 : at + 1 < header ? ip[at + 1] : 0;

		if (len == 0 || (len == 1 && ip[at] != OPTION_NOP) || at + len > header)
			break;
		if (ip[at] & OPTION_COPIED) {
			memcpy(to + n, ip + at, len);
			n += len;
		}
		at += len;
	}
	while (n % 4)
		to[n++] = OPTION_END;
	to[0] = (uint8_t)(0x40 | n / 4);
	return n;
}

/* Bytes `at` to at + n of the payload: length, place, and checksum of the header. */
static void write_place(const struct packet *k, uint8_t *ip, uint32_t at, uint32_t n, bool more)
{
	unsigned header = (ip[0] & 15) * 4u;

	write_be16(ip + 2, (uint16_t)(header + n));
	write_be16(ip + 6, (uint16_t)((k->fragment_at + at) / UNIT | (more ? IPV4_MF : 0)));
	write_be16(ip + 10, 0);
	write_be16(ip + 10, csum_fold(csum_add(0, ip, header)));
}

static bool make_later(struct gateway *g, const struct packet *k, const uint8_t *header,
		       uint32_t at, uint32_t n, bool more)
{
	const struct gateway_leg *leg = gateway_leg_of(g->call->conf, k->f->tci & TCI_VID);
	struct frame *f = gateway_made_new(g, leg);
	unsigned head = ETH_HEADER + (header[0] & 15) * 4u, copied = PACKET_SNAP - ETH_HEADER - 60;

	if (!f)
		return false;
	copied = n < copied ? n : copied;
	memcpy(f->snap, k->f->snap, ETH_HEADER);
	memcpy(f->snap + ETH_HEADER, header, head - ETH_HEADER);
	write_place(k, f->snap + ETH_HEADER, at, n, more);
	frame_copy(k->f, k->l4 + at, f->snap + head, copied);
	f->etype = ETYPE_IPV4;
	f->tci = k->f->tci;
	f->snap_len = (uint16_t)(head + copied);
	f->len = f->snap_len;
	if (gateway_made_body(g, f, k->f, k->l4 + at + copied, n - copied))
		return true;
	gateway_made_cancel(g, f);
	return false;
}

/* MACs and VLAN are written already.  The frame is the first fragment afterwards. */
enum drop gateway_fragment(struct gateway *g, struct packet *k, uint32_t mtu)
{
	uint8_t *ip = k->f->snap + k->l3, header[60];
	uint32_t all = k->ip_bytes - (k->l4 - k->l3), each;
	bool more = k->fragment_more;

	if (mtu < (uint32_t)(k->l4 - k->l3) + UNIT)
		return DROP_MTU;
	each = (mtu - (k->l4 - k->l3)) & ~(uint32_t)(UNIT - 1);
	if ((all - 1) / each > gateway_made_room(g)) {
		g->stats.made_lost++;
		return DROP_NO_MEMORY;
	}
	complete(k);
	later_header(header, ip, k->l4 - k->l3);
	for (uint32_t at = each; at < all; at += each) {
		uint32_t n = all - at < each ? all - at : each;

		if (!make_later(g, k, header, at, n, more || at + n < all))
			return DROP_NO_MEMORY;
	}
	write_place(k, ip, 0, each, true);
	gateway_shorten(k->f, k->l4 + each);
	return DROP_NONE;
}
