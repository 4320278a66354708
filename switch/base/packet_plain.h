/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet_plain: short forms of packet.h for the packet that most are: IPv4 without options, no fragment, UDP or TCP but a SYN.
 * What they do is what the long forms would do; they are inline in the few places that see every packet.
 */
#ifndef VFAB_BASE_PACKET_PLAIN_H
#define VFAB_BASE_PACKET_PLAIN_H

#include <endian.h>
#include <string.h>

#include "switch/base/packet.h"

enum { PACKET_PLAIN_L4 = ETH_HEADER + 20 };

/* Half of an address: of IPv4 all that differs between two. */
static inline uint64_t packet_low(const struct ip *ip)
{
	uint64_t v;

	memcpy(&v, ip->b + 8, sizeof(v));
	return v;
}

/*
 * Does an IPv4 header without options sum to 0xffff?  Any grouping of its words will do (RFC 1071 2): they are added as they are
 * loaded, with the carry round each time.
 */
static inline bool packet_is_sum_right(const uint8_t ip[static 20])
{
	uint64_t a, b, sum;
	uint32_t c, low, half;
	bool carry;

	memcpy(&a, ip, sizeof(a));
	memcpy(&b, ip + 8, sizeof(b));
	memcpy(&c, ip + 16, sizeof(c));
	carry = __builtin_add_overflow(a, b, &sum);
	sum += carry;
	carry = __builtin_add_overflow(sum, c, &sum);
	sum += carry;
	low = (uint32_t)sum;
	carry = __builtin_add_overflow(low, (uint32_t)(sum >> 32), &half);
	half += carry;
	/* The upper half of this is both halves with their carry. */
	return half + (half << 16 | half >> 16) >= 0xffff0000;
}

/* Mapped (RFC 4291 2.5.5.2), in two stores. */
static inline void packet_set_ipv4(struct ip *ip, const uint8_t *b)
{
	uint64_t half[2] = {0, htobe64(0xffff00000000 | read_be32(b))};

	memcpy(ip, half, sizeof(half));
}

/*
 * The short form of packet_parse(), for the packet that most are: IPv4 without options, no fragment, UDP or TCP but a SYN, whose
 * options would have to be in the snapshot.  True: it is one, and *k is what packet_parse() would say.  False: that is to be asked.
 */
static inline bool packet_parse_plain(struct packet *k, struct frame *f)
{
	const uint8_t *ip = f->snap + ETH_HEADER, *l4 = ip + 20;
	uint32_t bytes, rest;
	uint64_t first;
	uint8_t proto;

	if (f->etype != ETYPE_IPV4 || f->snap_len < PACKET_PLAIN_L4 + 20)
		return false;
	memcpy(&first, ip, sizeof(first));
	/* Version and header length; more fragments, and the offset of this one. */
	if ((first & htobe64(0xff00000000003fff)) != htobe64(0x4500000000000000) ||
	    !packet_is_sum_right(ip))
		return false;
	bytes = read_be16(ip + 2);
	if (bytes > f->len - ETH_HEADER)
		return false;
	proto = ip[9];
	if (__builtin_expect(proto == PROTO_UDP, 1)) {
		rest = read_be16(l4 + 4);
		if (rest < 8 || f->off.gso_type != GSO_NONE)
			return false;
	} else {
		rest = (l4[12] >> 4) * 4u;
		if (rest < 20 || proto != PROTO_TCP || (l4[13] & 2))
			return false;
	}
	if (20 + rest > bytes)
		return false;
	k->f = f;
	packet_set_ipv4(&k->src, ip + 12);
	packet_set_ipv4(&k->dst, ip + 16);
	k->ip_bytes = bytes;
	k->l3 = ETH_HEADER;
	k->l4 = PACKET_PLAIN_L4;
	k->sport = read_be16(l4);
	k->dport = read_be16(l4 + 2);
	k->proto = proto;
	k->ttl = ip[8];
	k->fragment = FRAGMENT_NONE;
	k->is_v6 = false;
	k->has_options = false;
	k->is_source_routed = false;
	k->dont_fragment = ip[6] >> 6 & 1;
	k->fragment_more = false;
	k->fragment_at = 0;
	k->fragment_header = 0;
	k->fragment_id = read_be16(ip + 4);
	k->icmp_type = 0;
	k->icmp_code = 0;
	return true;
}

/* The short forms of packet_put_end() and packet_take_hop() for such a packet. */
static inline __attribute__((always_inline)) void
packet_put_end_plain(struct packet *k, bool is_udp, bool is_src, const struct ip *ip, uint16_t port,
		     uint16_t addresses, uint16_t all)
{
	const struct offload *off = &k->f->off;
	uint8_t *l3 = k->f->snap + ETH_HEADER, *l4 = l3 + 20;
	uint8_t *field = l4 + (is_udp ? 6 : 16);

	*(is_src ? &k->src : &k->dst) = *ip;
	*(is_src ? &k->sport : &k->dport) = port;
	memcpy(l3 + (is_src ? 12 : 16), ip->b + 12, 4);
	csum_shift(l3 + 10, addresses);
	write_be16(l4 + (is_src ? 0 : 2), port);
	if ((off->flags & OFFLOAD_NEEDS_CSUM) && off->csum_start == PACKET_PLAIN_L4) {
		/* The sum of the pseudo-header, not complemented. */
		uint32_t sum = (uint32_t)read_be16(field) + addresses;

		write_be16(field, (uint16_t)(sum + (sum >> 16)));
		return;
	}
	if (is_udp && read_be16(field) == 0)
		return;
	csum_shift(field, all);
	if (is_udp && read_be16(field) == 0)
		write_be16(field, 0xffff);
}

static inline void packet_take_hop_plain(struct packet *k)
{
	uint8_t *ip = k->f->snap + ETH_HEADER;

	ip[8] = --k->ttl;
	csum_shift(ip + 10, 0xfeff); /* its word is 0x0100 less */
}

#endif
