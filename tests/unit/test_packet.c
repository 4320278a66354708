/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of switch/base/packet: M05 odd headers, M06 fragments, M08 TCP offsets, N38 padding and trailers, and rewriting, whose
 * checksums are verified by a naive sum over the whole packet.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/csum.h"
#include "switch/base/packet.h"
#include "switch/base/packet_plain.h"

static uint8_t memory[FRAME_HEADROOM + SNAP_MAX];
static uint8_t *const snap = memory + FRAME_HEADROOM;
static unsigned fill; /* bytes of the frame in hand */
static struct frame frame;
static struct packet packet;
static unsigned n_plain; /* packets that the short form took */

static void put(unsigned n, uint64_t value)
{
	for (unsigned i = n; i-- > 0;)
		snap[fill++] = (uint8_t)(value >> (8 * i));
}

static void start(void)
{
	memset(memory, 0, sizeof(memory));
	fill = 12;
}

static void put_ipv4(unsigned header, uint8_t proto, uint16_t fragment, unsigned payload)
{
	put(2, ETYPE_IPV4);
	put(2, (0x40 | header / 4) << 8);
	put(2, header + payload);
	put(2, 0x1234);
	put(2, fragment);
	put(2, 64 << 8 | proto);
	put(2, 0);
	put(4, 0x0a000005);
	put(4, 0xc6336407);
	for (unsigned i = 20; i < header; i++)
		put(1, 1);
	write_be16(snap + 24, csum_fold(csum_add(0, snap + 14, header)));
}

static void put_ipv6(uint8_t next, unsigned payload)
{
	put(2, ETYPE_IPV6);
	put(4, 0x60000000);
	put(2, payload);
	put(2, next << 8 | 64);
	put(8, 0xfd00000000000000);
	put(8, 5);
	put(8, 0x20010db800000000);
	put(8, 7);
}

static void put_tcp(unsigned header, uint8_t flags)
{
	put(4, 4000u << 16 | 80);
	put(8, 1);
	put(2, header / 4 << 12 | flags);
	put(6, 0xffff00000000);
	for (unsigned i = 20; i < header; i++)
		put(1, 1);
}

static void put_udp(unsigned bytes)
{
	put(4, 4000u << 16 | 53);
	put(4, bytes << 16);
}

/* What the short form takes, the long one takes, and says the same of it. */
static enum drop parse_both(void)
{
	struct packet plain;
	bool is_plain = packet_parse_plain(&plain, &frame);
	enum drop drop = packet_parse(&packet, &frame);

	if (is_plain) {
		assert_int_equal(drop, DROP_NONE);
		assert_memory_equal(&plain, &packet, offsetof(struct packet, icmp_code) + 1);
	}
	n_plain += is_plain;
	return drop;
}

/* The frame ends where it was written up to, or is so long. */
static enum drop parse(uint32_t len)
{
	frame = (struct frame){.snap = snap, .len = len ? len : fill};
	frame.snap_len = (uint16_t)(frame.len < fill ? frame.len : fill);
	frame.etype = read_be16(snap + 12);
	return parse_both();
}

static void set_ipv4_sum(void)
{
	write_be16(snap + 24, 0);
	write_be16(snap + 24, csum_fold(csum_add(0, snap + 14, (snap[14] & 15) * 4u)));
}

static void ipv4_lengths(void **state)
{
	static const struct {
		unsigned header, total;
		bool is_good;
	} row[] = {{0, 28, false},  {4, 28, false},  {16, 28, false}, {20, 28, true},
		   {20, 0, false},  {20, 19, false}, {20, 20, false}, {20, 27, false},
		   {20, 29, false}, {60, 28, false}};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
		start();
		put_ipv4(20, PROTO_UDP, 0, 8);
		put_udp(8);
		snap[14] = (uint8_t)(0x40 | row[i].header / 4);
		write_be16(snap + 16, (uint16_t)row[i].total);
		set_ipv4_sum();
		assert_int_equal(parse(0), row[i].is_good ? DROP_NONE : DROP_BAD_IP);
	}
	start();
	put_ipv4(20, PROTO_UDP, 0, 8);
	put_udp(8);
	snap[14] = 0x55;
	set_ipv4_sum();
	assert_int_equal(parse(0), DROP_BAD_IP);
	for (unsigned header = 20; header <= 60; header += 4) {
		start();
		put_ipv4(header, PROTO_UDP, 0x4000, 8);
		put_udp(8);
		assert_int_equal(parse(0), DROP_NONE);
		assert_int_equal(packet.l4, 14 + header);
		assert_int_equal(packet.has_options, header > 20);
		assert_true(packet.dont_fragment && !packet.is_v6 && !packet.is_source_routed);
		assert_int_equal(packet.sport, 4000);
		assert_int_equal(packet.dport, 53);
		assert_int_equal(packet.fragment_id, 0x1234);
		for (uint16_t len = 14; len < fill; len++)
			assert_int_equal(parse(len), DROP_BAD_IP);
	}
}

static void ipv4_checksum(void **state)
{
	(void)state;
	for (unsigned header = 20; header <= 24; header += 4)
		for (unsigned bit = 0; bit < header * 8; bit++) {
			start();
			put_ipv4(header, PROTO_UDP, 0, 8);
			put_udp(8);
			snap[14 + bit / 8] ^= (uint8_t)(1 << bit % 8);
			assert_int_equal(parse(0), DROP_BAD_IP);
		}
}

static void ipv4_source_route(void **state)
{
	static const struct {
		uint8_t option[4];
		bool is_routed;
	} row[] = {
		{{1, 131, 3, 4}, true},	 {{137, 3, 4, 0}, true},  {{0, 131, 3, 4}, false},
		{{7, 4, 131, 3}, false}, {{7, 0, 131, 3}, false}, {{7, 255, 131, 3}, false},
		{{1, 1, 1, 7}, false},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
		start();
		put_ipv4(24, PROTO_UDP, 0, 8);
		put_udp(8);
		memcpy(snap + 34, row[i].option, 4);
		set_ipv4_sum();
		assert_int_equal(parse(0), DROP_NONE);
		assert_int_equal(packet.is_source_routed, row[i].is_routed);
	}
}

/* N38: what lies behind the packet does not count. */
static void trailers(void **state)
{
	(void)state;
	for (unsigned trailer = 0; trailer < 300; trailer += 18) {
		start();
		put_ipv4(20, PROTO_UDP, 0, 8);
		put_udp(8);
		fill += trailer;
		assert_int_equal(parse(0), DROP_NONE);
		assert_int_equal(packet.ip_bytes, 28);
		/* A UDP length that reaches into the trailer lies. */
		write_be16(snap + 38, 9);
		assert_int_equal(parse(0), DROP_BAD_IP);
	}
}

static void ipv4_fragments(void **state)
{
	static const struct {
		uint16_t field;
		unsigned payload;
		int fragment; /* -1: refused */
		unsigned at;
	} row[] = {
		{0x2000, 16, FRAGMENT_FIRST, 0},
		{0x2000, 17, -1, 0},
		{0x2000, 0, -1, 0},
		{0x0001, 8, FRAGMENT_LATER, 8},
		{0x2001, 8, FRAGMENT_LATER, 8},
		{0x0001, 1, FRAGMENT_LATER, 8},
		{0x2001, 7, -1, 0},
		{0x0001, 0, -1, 0},
		{0x1fff, 1, -1, 0},
		{0x1ffc, 11, FRAGMENT_LATER, 65504},
		{0x1ffc, 12, -1, 0},
		{0x4000, 8, FRAGMENT_NONE, 0},
		{0x2000, 4, -1, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
		start();
		put_ipv4(20, PROTO_UDP, row[i].field, row[i].payload);
		put_udp(1000);
		if (row[i].fragment == FRAGMENT_NONE)
			write_be16(snap + 38, 8);
		fill = 34 + row[i].payload;
		if (row[i].fragment < 0) {
			assert_int_equal(parse(0), DROP_BAD_IP);
			continue;
		}
		assert_int_equal(parse(0), DROP_NONE);
		assert_int_equal(packet.fragment, row[i].fragment);
		assert_int_equal(packet.fragment_at, row[i].at);
		assert_int_equal(packet.fragment_more, row[i].field >> 13 & 1);
		assert_int_equal(packet.sport, row[i].at ? 0 : 4000);
	}
	/* A tiny first fragment of TCP, RFC 1858. */
	start();
	put_ipv4(20, PROTO_TCP, 0x2000, 16);
	put_tcp(20, 2);
	assert_int_equal(parse(34 + 16), DROP_BAD_IP);
}

static void tcp_offsets(void **state)
{
	(void)state;
	for (unsigned doff = 0; doff < 16; doff++) {
		start();
		put_ipv4(20, PROTO_TCP, 0, 40);
		put_tcp(40, 0x18);
		snap[46] = (uint8_t)(doff << 4);
		assert_int_equal(parse(0), doff >= 5 && doff <= 10 ? DROP_NONE : DROP_BAD_IP);
	}
}

static void icmp_kinds(void **state)
{
	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned type = 0; type < 256; type++) {
			bool query = v6 ? type == 128 || type == 129
					: type == 0 || type == 8 || (type >= 13 && type <= 18);
			bool error = v6 ? type >= 1 && type <= 4
					: type == 3 || type == 4 || type == 11 || type == 12;

			start();
			if (v6)
				put_ipv6(PROTO_ICMPV6, 8);
			else
				put_ipv4(20, PROTO_ICMP, 0, 8);
			put(8, (uint64_t)type << 56 | 0x12340001);
			assert_int_equal(parse(0), DROP_NONE);
			assert_int_equal(packet.icmp_type, type);
			assert_int_equal(packet_is_query(&packet), query);
			assert_int_equal(packet_is_error(&packet), error);
			assert_int_equal(packet.sport, query ? 0x1234 : 0);
			assert_int_equal(packet.dport, packet.sport);
		}
	/* The ICMP of the other family is none. */
	start();
	put_ipv6(PROTO_ICMP, 8);
	put(8, 0);
	assert_int_equal(parse(0), DROP_NONE);
	assert_false(packet_is_query(&packet) || packet_is_error(&packet));
}

static void ipv6_extensions(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 12; n++) {
		start();
		put_ipv6(n ? 60 : PROTO_UDP, n * 8 + 8);
		for (unsigned i = 0; i < n; i++)
			put(8, (uint64_t)(i + 1 < n ? 60 : PROTO_UDP) << 56 | 0x010400000000);
		put_udp(8);
		assert_int_equal(parse(0), n <= 8 ? DROP_NONE : DROP_BAD_IP);
		for (uint16_t len = 14; n <= 8 && len < fill; len++)
			assert_int_equal(parse(len), DROP_BAD_IP);
	}
	/* Hop-by-hop: first or never. */
	start();
	put_ipv6(0, 24);
	put(8, (uint64_t)60 << 56);
	put(8, (uint64_t)PROTO_UDP << 56);
	put_udp(8);
	assert_int_equal(parse(0), DROP_NONE);
	assert_true(packet.has_options);
	snap[54] = 0;
	assert_int_equal(parse(0), DROP_BAD_IP);
	/* A routing header, with and without segments left; one whose length lies. */
	for (unsigned left = 0; left < 2; left++) {
		start();
		put_ipv6(43, 16);
		put(8, (uint64_t)PROTO_UDP << 56 | (uint64_t)left << 32);
		put_udp(8);
		assert_int_equal(parse(0), DROP_NONE);
		assert_int_equal(packet.is_source_routed, left);
		snap[55] = 1 + (uint8_t)left * 254;
		assert_int_equal(parse(0), DROP_BAD_IP);
	}
	/* A jumbogram, which only a GSO frame may be. */
	start();
	put_ipv6(PROTO_UDP, 0);
	put_udp(8);
	assert_int_equal(parse(0), DROP_BAD_IP);
	assert_int_equal(parse(65700), DROP_BAD_IP);
	frame.off = (struct offload){.gso_type = GSO_UDP_L4};
	assert_int_equal(packet_parse(&packet, &frame), DROP_NONE);
	assert_int_equal(packet.ip_bytes, 65686);
}

/* Good packets of which a few bytes are something else, with a checksum that is mostly right. */
static void plain_twin(void **state)
{
	(void)state;
	srandom(1);
	n_plain = 0;
	for (unsigned i = 0; i < 200000; i++) {
		bool is_tcp = random() & 1;

		start();
		put_ipv4(20, is_tcp ? PROTO_TCP : PROTO_UDP, random() % 8 ? 0x4000 : 0x2001,
			 20 + (unsigned)random() % 30);
		if (is_tcp)
			put_tcp(20, (uint8_t)(random() & 0x3f));
		else
			put_udp(8 + (unsigned)random() % 24);
		put(8, (uint64_t)random());
		put(8, (uint64_t)random());
		put(4, (uint64_t)random());
		for (unsigned k = (unsigned)random() % 3; k > 0; k--)
			snap[ETH_HEADER + random() % 34] = (uint8_t)random();
		if (random() % 8)
			set_ipv4_sum();
		parse((uint32_t)(random() % 4 ? 0 : fill + random() % 40));
		assert_int_equal(packet_is_sum_right(snap + ETH_HEADER),
				 csum_fold(csum_add(0, snap + ETH_HEADER, 20)) == 0);
	}
	assert_in_range(n_plain, 10000, 150000);
}

static void ipv6_fragments(void **state)
{
	static const struct {
		uint16_t field;
		unsigned payload;
		int fragment;
	} row[] = {
		{0x0000, 8, FRAGMENT_NONE},
		{0x0001, 8, FRAGMENT_FIRST},
		{0x0001, 9, -1},
		{0x0008, 1, FRAGMENT_LATER},
		{0x0009, 8, FRAGMENT_LATER},
		{0x0009, 9, -1},
		{0xfff8, 7, FRAGMENT_LATER},
		{0xfff8, 8, -1},
		{0x0001, 4, -1},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(*row); i++) {
		start();
		put_ipv6(44, 8 + row[i].payload);
		put(4, PROTO_UDP << 24 | row[i].field);
		put(4, 0xdeadbeef);
		put_udp(8);
		fill = 62 + row[i].payload;
		if (row[i].fragment < 0) {
			assert_int_equal(parse(0), DROP_BAD_IP);
			continue;
		}
		assert_int_equal(parse(0), DROP_NONE);
		assert_int_equal(packet.fragment, row[i].fragment);
		assert_int_equal(packet.fragment_at, row[i].field & 0xfff8);
		assert_int_equal(packet.fragment_header, 54);
		assert_int_equal(packet.fragment_id, 0xdeadbeef);
		assert_int_equal(packet.l4, 62);
	}
	/* Two fragment headers. */
	start();
	put_ipv6(44, 24);
	put(8, (uint64_t)44 << 56);
	put(8, (uint64_t)PROTO_UDP << 56);
	put_udp(8);
	assert_int_equal(parse(0), DROP_BAD_IP);
}

/* Word by word over header and payload, as RFC 1071 1 says it; 0 or 0xffff complemented is right. */
static bool is_l4_right(void)
{
	unsigned bytes = packet.is_v6 ? 16 : 4, n = packet.l3 + packet.ip_bytes - packet.l4;
	const uint8_t *addr = snap + packet.l3 + (packet.is_v6 ? 8 : 12), *p = snap + packet.l4;
	uint64_t sum = 0;

	for (unsigned i = 0; packet.proto != PROTO_ICMP && i < 2 * bytes; i += 2)
		sum += read_be16(addr + i);
	if (packet.proto != PROTO_ICMP)
		sum += n + packet.proto;
	for (unsigned i = 0; i < n; i++)
		sum += (uint64_t)p[i] << (i % 2 ? 0 : 8);
	return sum % 0xffff == 0;
}

static unsigned csum_at(void)
{
	return packet.l4 + (packet.proto == PROTO_TCP ? 16u : packet.proto == PROTO_UDP ? 6u : 2u);
}

/* Writes a right L4 checksum. */
static void complete(void)
{
	unsigned bytes = packet.is_v6 ? 16 : 4, n = packet.l3 + packet.ip_bytes - packet.l4;
	const uint8_t *addr = snap + packet.l3 + (packet.is_v6 ? 8 : 12);
	uint64_t sum = 0;

	if (packet.proto != PROTO_ICMP)
		sum = csum_pseudo(addr, addr + bytes, bytes, packet.proto, n);
	write_be16(snap + csum_at(), 0);
	write_be16(snap + csum_at(), csum_fold(csum_add(sum, snap + packet.l4, n)));
}

static void put_any(bool v6, uint8_t proto, unsigned payload)
{
	unsigned header = proto == PROTO_TCP ? 20 : 8;

	start();
	if (v6)
		put_ipv6(proto, header + payload);
	else
		put_ipv4(20, proto, 0, header + payload);
	if (proto == PROTO_TCP)
		put_tcp(20, 0x10);
	else if (proto == PROTO_UDP)
		put_udp(8 + payload);
	else
		put(8, (uint64_t)(v6 ? 128 : 8) << 56 | 0x12340001);
	for (unsigned i = 0; i < payload; i++)
		put(1, (uint8_t)random());
	assert_int_equal(parse(0), DROP_NONE);
	complete();
}

static struct ip random_ip(bool v6)
{
	struct ip ip = {{[10] = 0xff, 0xff}};

	for (unsigned i = v6 ? 0 : 12; i < 16; i++)
		ip.b[i] = (uint8_t)(random() % 4 ? random() : random() % 2 * 0xff);
	if (v6)
		ip.b[0] = 0xfd;
	return ip;
}

static void rewrite(void **state)
{
	static const uint8_t protos[] = {PROTO_TCP, PROTO_UDP, PROTO_ICMP};

	(void)state;
	srandom(1);
	for (unsigned i = 0; i < 60000; i++) {
		bool v6 = i & 1, is_src = i & 2;
		uint8_t proto = protos[i / 4 % 3];
		struct ip to = random_ip(v6), was_ip;
		uint16_t port = (uint16_t)(random() % 8 ? random() : random() % 2 * 0xffff), was;
		uint8_t before[256];

		if (v6 && proto == PROTO_ICMP)
			proto = PROTO_ICMPV6;
		put_any(v6, proto, (unsigned)random() % 40);
		memcpy(before, snap, fill);
		was_ip = is_src ? packet.src : packet.dst;
		was = is_src ? packet.sport : packet.dport;
		(is_src ? packet_set_src : packet_set_dst)(&packet, &to, port);
		assert_int_equal(parse(0), DROP_NONE);
		assert_true(is_l4_right());
		assert_true(ip_equal(is_src ? &packet.src : &packet.dst, &to));
		assert_int_equal(is_src ? packet.sport : packet.dport, port);
		assert_true(proto != PROTO_UDP || read_be16(snap + csum_at()) != 0);
		(is_src ? packet_set_src : packet_set_dst)(&packet, &was_ip, was);
		/* 0 and 0xffff are the same sum; nothing else may differ. */
		if (read_be16(before + csum_at()) % 0xffff == 0)
			memcpy(snap + csum_at(), before + csum_at(), 2);
		if (!v6 && read_be16(before + 24) % 0xffff == 0)
			memcpy(snap + 24, before + 24, 2);
		assert_memory_equal(before, snap, fill);
	}
}

/* A checksum of 0 says that there is none, and one that becomes 0 is written 0xffff. */
static void udp_zero(void **state)
{
	struct ip to = {{[10] = 0xff, 0xff, 192, 0, 2, 1}};
	unsigned ones = 0;

	(void)state;
	put_any(false, PROTO_UDP, 8);
	write_be16(snap + csum_at(), 0);
	packet_set_src(&packet, &to, 7);
	assert_int_equal(read_be16(snap + csum_at()), 0);
	put_any(false, PROTO_UDP, 8);
	for (unsigned port = 0; port < 65536; port++) {
		packet_set_src(&packet, &to, (uint16_t)port);
		assert_int_not_equal(read_be16(snap + csum_at()), 0);
		assert_true(is_l4_right());
		ones += read_be16(snap + csum_at()) == 0xffff;
	}
	assert_true(ones > 0);
}

/* A partial checksum is the sum of the pseudo-header, and ports are not in it. */
static void partial(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		bool v6 = i & 1;
		unsigned bytes = v6 ? 16 : 4;
		const uint8_t *addr = snap + 14 + (v6 ? 8 : 12);
		struct ip to = random_ip(v6);
		uint16_t sum;

		put_any(v6, i & 2 ? PROTO_TCP : PROTO_UDP, 20);
		frame.off.flags = OFFLOAD_NEEDS_CSUM;
		frame.off.csum_start = packet.l4;
		frame.off.csum_offset = (uint16_t)(csum_at() - packet.l4);
		sum = (uint16_t)~csum_fold(
			csum_pseudo(addr, addr + bytes, bytes, packet.proto, 28));
		write_be16(snap + csum_at(), sum);
		(i & 4 ? packet_set_src : packet_set_dst)(&packet, &to, (uint16_t)random());
		sum = (uint16_t)~csum_fold(
			csum_pseudo(addr, addr + bytes, bytes, packet.proto, 28));
		assert_int_equal(read_be16(snap + csum_at()) % 0xffff, sum % 0xffff);
	}
}

static void later_fragment(void **state)
{
	struct ip to = {{[10] = 0xff, 0xff, 192, 0, 2, 1}};
	uint8_t payload[16];

	(void)state;
	start();
	put_ipv4(20, PROTO_UDP, 0x2001, 16);
	put(8, 0x0102030405060708);
	put(8, 0x0102030405060708);
	memcpy(payload, snap + 34, 16);
	assert_int_equal(parse(0), DROP_NONE);
	packet_set_src(&packet, &to, 99);
	assert_memory_equal(payload, snap + 34, 16);
	assert_int_equal(parse(0), DROP_NONE);
	assert_true(ip_equal(&packet.src, &to));
	assert_int_equal(packet.sport, 0);
}

static void hops(void **state)
{
	(void)state;
	for (unsigned ttl = 255; ttl > 1; ttl--)
		for (unsigned v6 = 0; v6 < 2; v6++) {
			put_any(v6, PROTO_UDP, 0);
			snap[v6 ? 21 : 22] = (uint8_t)ttl;
			if (!v6)
				set_ipv4_sum();
			assert_int_equal(parse(0), DROP_NONE);
			packet_take_hop(&packet);
			assert_int_equal(parse(0), DROP_NONE);
			assert_int_equal(packet.ttl, ttl - 1);
			assert_true(is_l4_right());
		}
	put_any(false, PROTO_UDP, 0);
	packet_set_id(&packet, 0xabcd);
	assert_int_equal(parse(0), DROP_NONE);
	assert_int_equal(packet.fragment_id, 0xabcd);
}

static void clamp(void **state)
{
	static const struct {
		uint8_t option[8], flags;
		uint16_t mss; /* where it is afterwards; 0: untouched */
		unsigned at;
	} row[] = {
		{{2, 4, 0x05, 0xb4, 1, 1, 1, 1}, 2, 1360, 2},
		{{1, 2, 4, 0x05, 0xb4, 1, 1, 1}, 2, 1360, 3},
		{{2, 4, 0x05, 0xb4, 1, 1, 1, 1}, 0x12, 1360, 2},
		{{2, 4, 0x05, 0xb4, 1, 1, 1, 1}, 0x10, 0, 0},
		{{2, 4, 0x05, 0x50, 1, 1, 1, 1}, 2, 0, 0},
		{{0, 2, 4, 0x05, 0xb4, 1, 1, 1}, 2, 0, 0},
		{{3, 0, 2, 4, 0x05, 0xb4, 1, 1}, 2, 0, 0},
		{{3, 1, 2, 4, 0x05, 0xb4, 1, 1}, 2, 0, 0},
		{{3, 255, 2, 4, 0x05, 0xb4, 1, 1}, 2, 0, 0},
		{{1, 1, 1, 1, 1, 2, 4, 0x05}, 2, 0, 0},
		{{1, 1, 1, 1, 2, 4, 0x05, 0xb4}, 2, 1360, 6},
		{{2, 3, 0x05, 2, 4, 0x05, 0xb4, 0}, 2, 1360, 5},
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(row) / sizeof(*row); i++) {
		unsigned v6 = i & 1, r = i / 2;
		uint8_t before[256];

		start();
		if (v6)
			put_ipv6(PROTO_TCP, 28);
		else
			put_ipv4(20, PROTO_TCP, 0, 28);
		put_tcp(28, row[r].flags);
		memcpy(snap + fill - 8, row[r].option, 8);
		assert_int_equal(parse(0), DROP_NONE);
		complete();
		memcpy(before, snap, fill);
		packet_clamp_mss(&packet, 1360);
		assert_true(is_l4_right());
		if (row[r].mss)
			assert_int_equal(read_be16(snap + packet.l4 + 20 + row[r].at), row[r].mss);
		else
			assert_memory_equal(snap, before, fill);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_lengths),
		cmocka_unit_test(ipv4_checksum),
		cmocka_unit_test(ipv4_source_route),
		cmocka_unit_test(trailers),
		cmocka_unit_test(ipv4_fragments),
		cmocka_unit_test(tcp_offsets),
		cmocka_unit_test(icmp_kinds),
		cmocka_unit_test(ipv6_extensions),
		cmocka_unit_test(ipv6_fragments),
		cmocka_unit_test(rewrite),
		cmocka_unit_test(udp_zero),
		cmocka_unit_test(partial),
		cmocka_unit_test(later_fragment),
		cmocka_unit_test(plain_twin),
		cmocka_unit_test(hops),
		cmocka_unit_test(clamp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
