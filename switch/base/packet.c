/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet: the IP packet in a frame.
 *
 * gateway.c parses each packet once; it and the NAT then read struct packet and rewrite the snapshot through it.
 *
 *      | eth | IPv4, options                      | TCP, UDP, ICMP | payload | padding, trailer
 *      | eth | IPv6 | extensions | fragment header | ...
 *      0     l3                                     l4             l3 + ip_bytes    len
 *
 * Every length of the packet is compared with ip_bytes, which is compared with the frame's; every header is compared
 * with the snapshot before it is read.  Checksums of L4 are not verified: who rewrites them adds a difference, so that one which
 * was wrong stays wrong, and the receiver finds out.
 *
 * RFC 791, RFC 1071, RFC 1624, RFC 1858 (tiny fragments), RFC 6946 (atomic ones), RFC 8200 4, RFC 7112.
 *
 * Trust.  All bytes are the sender's, a guest's or the outside's; vlan_ingress() saw the Ethernet header, and
 * frame_check_offload() the offload fields.
 */
#include "switch/base/packet.h"

#include <assert.h>
#include <string.h>

#include "switch/base/csum.h"
#include "switch/base/packet_plain.h"

enum {
	IPV4_BYTES = 20,
	IPV6_BYTES = 40,
	TCP_BYTES = 20,
	UDP_BYTES = 8,
	ICMP_BYTES = 8,
	IP_MAX = 65535,
	EXTENSIONS_MAX = 8,
	EXTENSION_UNIT = 8,
	IPV4_DF = 0x4000,
	IPV4_MF = 0x2000,
	IPV4_OFFSET = 0x1fff,
	TCP_FLAGS = 13,
	TCP_SYN = 2,
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_LSRR = 131, /* RFC 791 3.1: loose and strict source route */
	OPTION_SSRR = 137,
	TCP_OPTION_MSS = 2,
};

enum extension {
	EXT_HOP_BY_HOP = 0,
	EXT_ROUTING = 43,
	EXT_FRAGMENT = 44,
	EXT_OPTIONS = 60,
};

static bool is_sum_right(const uint8_t *ip, unsigned header)
{
	if (header == IPV4_BYTES)
		return packet_is_sum_right(ip);
	return csum_fold(csum_add(0, ip, header)) == 0;
}

/* Options of at most 40 bytes: is there a source route?  A length that lies ends the search. */
static bool has_source_route(const uint8_t *option, unsigned n)
{
	unsigned at = 0;

	while (at < n && option[at] != OPTION_END) {
		if (option[at] == OPTION_LSRR || option[at] == OPTION_SSRR)
			return true;
		if (option[at] == OPTION_NOP)
			at++;
		else if (at + 1 < n && option[at + 1] >= 2)
			at += option[at + 1];
		else
			return false;
	}
	return false;
}

/* The bytes by the header, or by the frame where the header cannot say it: BIG TCP, whose length field is 0. */
static uint32_t total_bytes(const struct frame *f, unsigned in_header, bool is_zero)
{
	uint32_t room = f->len - ETH_HEADER;

	return is_zero && room > IP_MAX && f->off.gso_type != GSO_NONE ? room : in_header;
}

/* A fragment of n bytes; before: what of the whole packet lies in front of its payload. */
static bool set_fragment(struct packet *k, unsigned at, bool more, uint32_t n, unsigned before)
{
	k->fragment_at = (uint16_t)at;
	k->fragment_more = more;
	k->fragment = at ? FRAGMENT_LATER : more ? FRAGMENT_FIRST : FRAGMENT_NONE;
	if (k->fragment == FRAGMENT_NONE)
		return true;
	return n > 0 && !(more && n % 8) && before + at + n <= IP_MAX;
}

static bool parse_ipv4(struct packet *k, const struct frame *f)
{
	const uint8_t *ip = f->snap + ETH_HEADER;
	unsigned header, flags;

	if (f->snap_len < ETH_HEADER + IPV4_BYTES)
		return false;
	header = (ip[0] & 15) * 4u;
	if (ip[0] >> 4 != 4 || header < IPV4_BYTES || f->snap_len < ETH_HEADER + header)
		return false;
	k->ip_bytes = read_be16(ip + 2);
	if (k->ip_bytes == 0)
		k->ip_bytes = total_bytes(f, 0, true);
	if (k->ip_bytes < header || k->ip_bytes > f->len - ETH_HEADER || !is_sum_right(ip, header))
		return false;
	k->l4 = (uint16_t)(ETH_HEADER + header);
	k->ttl = ip[8];
	k->proto = ip[9];
	packet_set_ipv4(&k->src, ip + 12);
	packet_set_ipv4(&k->dst, ip + 16);
	k->fragment_id = read_be16(ip + 4);
	flags = read_be16(ip + 6);
	k->dont_fragment = flags & IPV4_DF;
	if (header > IPV4_BYTES) {
		k->has_options = true;
		k->is_source_routed = has_source_route(ip + IPV4_BYTES, header - IPV4_BYTES);
	}
	if (!(flags & (IPV4_MF | IPV4_OFFSET)))
		return true;
	return set_fragment(k, (flags & IPV4_OFFSET) * 8, flags & IPV4_MF, k->ip_bytes - header,
			    header);
}

static bool is_extension(uint8_t next)
{
	return next == EXT_HOP_BY_HOP || next == EXT_ROUTING || next == EXT_FRAGMENT ||
	       next == EXT_OPTIONS;
}

/* One extension header at `at`.  Returns its length, 0 when it cannot be. */
static unsigned parse_extension(struct packet *k, const uint8_t *h, unsigned at, bool is_first)
{
	unsigned field;

	switch (k->proto) {
	case EXT_HOP_BY_HOP:
		if (!is_first) /* RFC 8200 4.1: directly behind the IPv6 header, or nowhere */
			return 0;
		k->has_options = true;
		break;
	case EXT_ROUTING:
		k->has_options = true;
		k->is_source_routed |= h[3] > 0; /* segments left */
		break;
	case EXT_FRAGMENT:
		if (k->fragment_header)
			return 0;
		k->fragment_header = (uint16_t)at;
		k->fragment_id = read_be32(h + 4);
		field = read_be16(h + 2);
		if (!set_fragment(
			    k, field & 0xfff8, field & 1, k->l3 + k->ip_bytes - at - EXTENSION_UNIT,
			    at - k->l3 - IPV6_BYTES)) /* the fragment header goes when they join */
			return 0;
		return EXTENSION_UNIT;
	}
	return (h[1] + 1u) * EXTENSION_UNIT;
}

static bool parse_ipv6(struct packet *k, const struct frame *f)
{
	const uint8_t *ip = f->snap + ETH_HEADER;
	unsigned at = ETH_HEADER + IPV6_BYTES, end, n;

	if (f->snap_len < at || ip[0] >> 4 != 6)
		return false;
	k->is_v6 = true;
	k->dont_fragment = true;
	n = read_be16(ip + 4);
	k->ip_bytes = total_bytes(f, IPV6_BYTES + n, n == 0);
	if (k->ip_bytes > f->len - ETH_HEADER)
		return false;
	end = ETH_HEADER + k->ip_bytes;
	k->proto = ip[6];
	k->ttl = ip[7];
	memcpy(&k->src, ip + 8, sizeof(k->src));
	memcpy(&k->dst, ip + 24, sizeof(k->dst));
	for (n = 0; is_extension(k->proto) && k->fragment != FRAGMENT_LATER; n++) {
		const uint8_t *h = f->snap + at;
		unsigned bytes;

		if (n == EXTENSIONS_MAX || at + EXTENSION_UNIT > end ||
		    at + EXTENSION_UNIT > f->snap_len)
			return false;
		bytes = parse_extension(k, h, at, n == 0);
		at += bytes;
		if (bytes == 0 || at > end || at > f->snap_len)
			return false;
		k->proto = h[0];
	}
	k->l4 = (uint16_t)at;
	return true;
}

/* Each family has its own ICMP; that of the other one is a protocol that we do not know. */
static bool is_icmp(const struct packet *k)
{
	return k->proto == (k->is_v6 ? PROTO_ICMPV6 : PROTO_ICMP) && k->fragment != FRAGMENT_LATER;
}

bool packet_is_query(const struct packet *k)
{
	if (!is_icmp(k))
		return false;
	if (k->is_v6)
		return k->icmp_type == 128 || k->icmp_type == 129;
	return k->icmp_type == 0 || k->icmp_type == 8 || (k->icmp_type >= 13 && k->icmp_type <= 18);
}

bool packet_is_error(const struct packet *k)
{
	if (!is_icmp(k))
		return false;
	if (k->is_v6)
		return k->icmp_type >= 1 && k->icmp_type <= 4;
	return k->icmp_type == 3 || k->icmp_type == 4 || k->icmp_type == 11 || k->icmp_type == 12;
}

/* Bytes of L4 and, of them, those in the snapshot are over n. */
static bool has_l4(const struct packet *k, unsigned n)
{
	return k->l4 + n <= k->l3 + k->ip_bytes && k->l4 + n <= k->f->snap_len;
}

static bool parse_icmp(struct packet *k, const uint8_t *l4)
{
	if (!has_l4(k, ICMP_BYTES))
		return false;
	k->icmp_type = l4[0];
	k->icmp_code = l4[1];
	if (packet_is_query(k))
		k->sport = k->dport = read_be16(l4 + 4);
	return true;
}

static bool parse_tcp(struct packet *k, const uint8_t *l4)
{
	unsigned header;

	if (!has_l4(k, TCP_BYTES))
		return false;
	header = (l4[12] >> 4) * 4u;
	k->sport = read_be16(l4);
	k->dport = read_be16(l4 + 2);
	return header >= TCP_BYTES && k->l4 + header <= k->l3 + k->ip_bytes;
}

static bool parse_udp(struct packet *k, const uint8_t *l4)
{
	unsigned n;

	if (!has_l4(k, UDP_BYTES))
		return false;
	n = read_be16(l4 + 4);
	k->sport = read_be16(l4);
	k->dport = read_be16(l4 + 2);
	/* Of a first fragment and of GSO it is the length of something else. */
	if (k->fragment == FRAGMENT_FIRST || k->f->off.gso_type != GSO_NONE)
		return true;
	return n >= UDP_BYTES && k->l4 + n <= k->l3 + k->ip_bytes;
}

enum drop packet_parse(struct packet *k, struct frame *f)
{
	bool is_good;

	*k = (struct packet){.f = f, .l3 = ETH_HEADER};
	is_good = f->etype == ETYPE_IPV4 ? parse_ipv4(k, f) : parse_ipv6(k, f);
	if (!is_good)
		return DROP_BAD_IP;
	if (k->fragment == FRAGMENT_LATER)
		return DROP_NONE;
	if (k->proto == PROTO_UDP)
		is_good = parse_udp(k, f->snap + k->l4);
	else if (k->proto == PROTO_TCP)
		is_good = parse_tcp(k, f->snap + k->l4);
	else if (is_icmp(k))
		is_good = parse_icmp(k, f->snap + k->l4);
	return is_good ? DROP_NONE : DROP_BAD_IP;
}

/* Where the checksum is in the L4 header; 0: there is none that we know. */
static unsigned csum_place(const struct packet *k)
{
	switch (k->proto) {
	case PROTO_TCP:
		return 16;
	case PROTO_UDP:
		return 6;
	default:
		return is_icmp(k) ? 2 : 0;
	}
}

/* What the words of the pseudo-header change by, and all words that the checksum covers. */
static void fix_l4(struct packet *k, uint16_t pseudo, uint16_t all)
{
	const struct offload *off = &k->f->off;
	unsigned place = csum_place(k);
	uint8_t *field = k->f->snap + k->l4 + place;
	uint32_t sum;

	if (place == 0)
		return;
	if ((off->flags & OFFLOAD_NEEDS_CSUM) && off->csum_start == k->l4) {
		/* The field is the sum of the pseudo-header, not complemented; the rest is summed by who completes it. */
		sum = (uint32_t)read_be16(field) + (k->proto == PROTO_ICMP ? 0 : pseudo);
		write_be16(field, (uint16_t)(sum + (sum >> 16)));
		return;
	}
	if (k->proto != PROTO_UDP) {
		csum_shift(field, all);
		return;
	}
	/* RFC 768: 0 says that there is none, so none becomes 0. */
	if (read_be16(field) == 0)
		return;
	csum_shift(field, all);
	if (read_be16(field) == 0)
		write_be16(field, 0xffff);
}

/* What a checksum over n bytes at p changes by when they become `to`. */
static uint16_t change_of(const uint8_t *p, const uint8_t *to, size_t n)
{
	uint64_t sum = csum_fold(csum_add(0, p, n));

	return (uint16_t)~csum_fold(sum + (uint16_t)~csum_fold(csum_add(0, to, n)));
}

void packet_put_end(struct packet *k, bool is_src, const struct ip *ip, uint16_t port,
		    uint16_t addresses, uint16_t all)
{
	uint8_t *l3 = k->f->snap + k->l3, *l4 = k->f->snap + k->l4;

	*(is_src ? &k->src : &k->dst) = *ip;
	if (k->is_v6) {
		memcpy(l3 + (is_src ? 8 : 24), ip->b, 16);
	} else {
		memcpy(l3 + (is_src ? 12 : 16), ip->b + 12, 4);
		csum_shift(l3 + 10, addresses);
	}
	if (k->fragment == FRAGMENT_LATER)
		return;
	if (k->proto == PROTO_UDP || k->proto == PROTO_TCP) {
		write_be16(l4 + (is_src ? 0 : 2), port);
		*(is_src ? &k->sport : &k->dport) = port;
	} else if (packet_is_query(k)) {
		write_be16(l4 + 4, port);
		k->sport = k->dport = port;
	}
	fix_l4(k, addresses, all);
}

static void set_end(struct packet *k, bool is_src, const struct ip *ip, uint16_t port)
{
	const struct ip *was = is_src ? &k->src : &k->dst;
	size_t n = k->is_v6 ? 16 : 4;
	uint16_t addresses = change_of(was->b + 16 - n, ip->b + 16 - n, n), all = addresses;
	uint8_t old[2], new[2];

	if (k->proto == PROTO_ICMP) /* no pseudo-header */
		all = 0;
	if (k->proto == PROTO_TCP || k->proto == PROTO_UDP || packet_is_query(k)) {
		write_be16(old, is_src ? k->sport : k->dport);
		write_be16(new, port);
		all = (uint16_t)~csum_fold((uint64_t)all + change_of(old, new, 2));
	}
	packet_put_end(k, is_src, ip, port, addresses, all);
}

void packet_set_src(struct packet *k, const struct ip *ip, uint16_t port)
{
	set_end(k, true, ip, port);
}

void packet_set_dst(struct packet *k, const struct ip *ip, uint16_t port)
{
	set_end(k, false, ip, port);
}

void packet_set_id(struct packet *k, uint16_t id)
{
	uint8_t *ip = k->f->snap + k->l3;
	uint32_t change = (uint16_t)~k->fragment_id + (uint32_t)id;

	write_be16(ip + 4, id);
	csum_shift(ip + 10, (uint16_t)(change + (change >> 16)));
	k->fragment_id = id;
}

void packet_take_hop(struct packet *k)
{
	uint8_t *ip = k->f->snap + k->l3;

	assert(k->ttl > 1);
	k->ttl--;
	if (k->is_v6) {
		ip[7] = k->ttl;
		return;
	}
	ip[8] = k->ttl;
	csum_shift(ip + 10, 0xfeff); /* its word is 0x0100 less */
}

/* The option, or NULL: within the header, and whole in the snapshot. */
static uint8_t *find_mss(const struct packet *k)
{
	uint8_t *tcp = k->f->snap + k->l4;
	unsigned end = (tcp[12] >> 4) * 4u, at = TCP_BYTES;

	if (k->l4 + end > k->f->snap_len)
		end = k->f->snap_len - k->l4;
	while (at + 4 <= end && tcp[at] != OPTION_END) {
		if (tcp[at] == OPTION_NOP) {
			at++;
			continue;
		}
		if (tcp[at] == TCP_OPTION_MSS && tcp[at + 1] == 4)
			return tcp + at;
		if (tcp[at + 1] < 2)
			return NULL;
		at += tcp[at + 1];
	}
	return NULL;
}

void packet_clamp_mss(struct packet *k, uint16_t mss)
{
	uint8_t *option, be[2];
	uint16_t change;

	if (k->proto != PROTO_TCP || k->fragment == FRAGMENT_LATER ||
	    !(k->f->snap[k->l4 + TCP_FLAGS] & TCP_SYN))
		return;
	option = find_mss(k);
	if (!option || read_be16(option + 2) <= mss)
		return;
	write_be16(be, mss);
	change = change_of(option + 2, be, 2);
	/* An option may begin at an odd byte: then its bytes lie in the other halves of the words. */
	if ((option - (k->f->snap + k->l4)) & 1)
		change = (uint16_t)(change << 8 | change >> 8);
	memcpy(option + 2, be, 2);
	fix_l4(k, 0, change);
}
