/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of switch/port/gso: every field of every segment, and every checksum, against a second reading of the RFCs in
 * this file; payloads that lie in many odd pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/port/gso.h"

enum {
	TCP = 6,
	UDP = 17,
	WHOLE = FRAME_MAX,
	PIECES = 64,
	SEGMENTS = GSO_SEGMENTS_MAX - 1,
	CAPACITY = 70000,
	SEQ = 0xfffff000, /* so that it wraps */
	ID = 0xfffe,
};

/* What a frame is made of. */
struct shape {
	uint8_t kind;
	unsigned tags, options,
		extension; /* inner tags; bytes of IPv4 options; of an IPv6 extension header */
	uint8_t extension_type;
	unsigned tcp_options, payload, gso_size;
	uint8_t flags; /* of TCP */
};

static uint8_t whole[WHOLE], headroom[FRAME_HEADROOM + SNAP_MAX], buf[CAPACITY];
static struct iovec pieces[PIECES];
static unsigned l3, l4, hdr;

static void put16(unsigned at, unsigned v)
{
	whole[at] = (uint8_t)(v >> 8);
	whole[at + 1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* RFC 1071 word by word; the value a receiver computes over a field that is filled is 0 or 0xffff. */
static unsigned naive_sum(unsigned sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sum += (unsigned)p[i] << (i % 2 ? 0 : 8);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return sum;
}

static bool is_ipv6(const struct shape *s)
{
	return s->kind == GSO_TCPV6 || (s->kind == GSO_UDP_L4 && s->options == 0 && s->extension);
}

static uint8_t proto_of(const struct shape *s)
{
	return s->kind == GSO_UDP_L4 ? UDP : TCP;
}

static const uint8_t last_hop[16] = {0x20, 1, 0xd, 0xb8, [15] = 0x99};

static unsigned naive_pseudo(const uint8_t *ip, bool six, bool is_routed, uint8_t proto,
			     unsigned bytes)
{
	unsigned sum = proto + bytes;

	sum = (sum & 0xffff) + (sum >> 16);
	if (!six)
		return naive_sum(sum, ip + 12, 8);
	sum = naive_sum(sum, ip + 8, 16);
	return naive_sum(sum, is_routed ? last_hop : ip + 24, 16);
}

static void build_ip(const struct shape *s, unsigned l4_bytes)
{
	bool six = is_ipv6(s);

	put16(l3 - 2, six ? ETYPE_IPV6 : ETYPE_IPV4);
	for (unsigned i = l3; i < l4; i++)
		whole[i] = (uint8_t)(i * 7);
	if (!six) {
		whole[l3] = (uint8_t)(0x40 | (20 + s->options) / 4);
		put16(l3 + 2, (l4 - l3 + l4_bytes) & 0xffff);
		put16(l3 + 4, ID);
		put16(l3 + 6, 0x4000);
		whole[l3 + 9] = proto_of(s);
		return;
	}
	whole[l3] = 0x60;
	put16(l3 + 4, (l4 - l3 - 40 + l4_bytes) & 0xffff);
	whole[l3 + 6] = s->extension ? s->extension_type : TCP;
	if (s->extension) {
		whole[l3 + 40] = proto_of(s);
		whole[l3 + 41] = (uint8_t)(s->extension / 8 - 1);
	}
}

static void build_l4(const struct shape *s, unsigned l4_bytes)
{
	for (unsigned i = l4; i < hdr; i++)
		whole[i] = (uint8_t)(i * 3);
	if (s->kind == GSO_UDP_L4) {
		put16(l4 + 4, l4_bytes & 0xffff);
		return;
	}
	put16(l4 + 4, SEQ >> 16);
	put16(l4 + 6, SEQ & 0xffff);
	whole[l4 + 12] = (uint8_t)((20 + s->tcp_options) / 4 << 4);
	whole[l4 + 13] = s->flags;
}

/* Builds the bytes in whole[], then a frame of a snapshot and odd pieces. */
static struct frame build(const struct shape *s, unsigned in_snap)
{
	struct frame f = {.snap = headroom + FRAME_HEADROOM, .body = pieces};
	bool is_udp = s->kind == GSO_UDP_L4;
	unsigned l4_bytes, at;

	for (unsigned i = 0; i < 12; i++)
		whole[i] = (uint8_t)(2 + i);
	l3 = ETH_HEADER + 4 * s->tags;
	for (unsigned i = 0; i < s->tags; i++) {
		put16(12 + 4 * i, ETYPE_8021Q);
		put16(14 + 4 * i, 100 + i);
	}
	l4 = l3 + (is_ipv6(s) ? 40 + s->extension : 20 + s->options);
	hdr = l4 + (is_udp ? 8 : 20 + s->tcp_options);
	f.len = hdr + s->payload;
	l4_bytes = f.len - l4;
	build_ip(s, l4_bytes);
	build_l4(s, l4_bytes);
	for (unsigned i = hdr; i < f.len; i++)
		whole[i] = (uint8_t)rand();
	f.off = (struct offload){OFFLOAD_NEEDS_CSUM,	s->kind,      0,
				 (uint16_t)s->gso_size, (uint16_t)l4, is_udp ? 6 : 16};
	put16(l4 + f.off.csum_offset,
	      naive_pseudo(whole + l3, is_ipv6(s), s->extension_type == 43, proto_of(s), l4_bytes));

	if (in_snap > f.len)
		in_snap = f.len;
	f.snap_len = (uint16_t)in_snap;
	memcpy(f.snap, whole, in_snap);
	for (at = in_snap; at < f.len; at += (unsigned)pieces[f.body_cnt++].iov_len) {
		size_t n = f.body_cnt + 1 == PIECES ? f.len - at : (size_t)rand() % 3000;

		if (n > f.len - at)
			n = f.len - at;
		pieces[f.body_cnt] = (struct iovec){whole + at, n};
	}
	return f;
}

/* What emit has seen so far, checked against the shape as it comes. */
struct check {
	const struct shape *s;
	unsigned can, number, at, stop_after;
};

static void check_ip(const struct check *c, const struct segment *seg)
{
	const uint8_t *ip = seg->bytes + l3;

	if (is_ipv6(c->s)) {
		assert_int_equal(get16(ip + 4), seg->len - l3 - 40);
		assert_memory_equal(ip + 6, whole + l3 + 6, l4 - l3 - 6);
		return;
	}
	assert_int_equal(get16(ip + 2), seg->len - l3);
	assert_int_equal(get16(ip + 4), (ID + c->number) & 0xffff);
	assert_int_equal(naive_sum(0, ip, l4 - l3), 0xffff);
	assert_int_equal(get16(ip + 6), 0x4000);
	assert_memory_equal(ip + 12, whole + l3 + 12, l4 - l3 - 12);
}

static void check_l4(const struct check *c, const struct segment *seg, bool is_last)
{
	const uint8_t *p = seg->bytes + l4;
	uint8_t flags = c->s->flags;

	assert_memory_equal(p, whole + l4, 4);
	if (c->s->kind == GSO_UDP_L4) {
		assert_int_equal(get16(p + 4), seg->len - l4);
		return;
	}
	if (!is_last)
		flags &= (uint8_t)~0x09;
	if (c->number > 0)
		flags &= 0x7f;
	assert_int_equal(get32(p + 4), (uint32_t)(SEQ + c->at));
	assert_memory_equal(p + 8, whole + l4 + 8, 5);
	assert_int_equal(p[13], flags);
	assert_memory_equal(p + 14, whole + l4 + 14, 2);
	assert_memory_equal(p + 18, whole + l4 + 18, hdr - l4 - 18);
}

static void check_csum(const struct check *c, const struct segment *seg)
{
	unsigned field = c->s->kind == GSO_UDP_L4 ? 6 : 16;
	unsigned pseudo = naive_pseudo(seg->bytes + l3, is_ipv6(c->s), c->s->extension_type == 43,
				       proto_of(c->s), seg->len - l4);

	if (c->can & CAN_CSUM) {
		assert_int_equal(seg->off.flags, OFFLOAD_NEEDS_CSUM);
		assert_int_equal(seg->off.csum_start, l4);
		assert_int_equal(seg->off.csum_offset, field);
		assert_int_equal(get16(seg->bytes + l4 + field) % 0xffff, pseudo % 0xffff);
		return;
	}
	assert_int_equal(seg->off.flags, 0);
	assert_int_not_equal(get16(seg->bytes + l4 + field), 0);
	assert_int_equal(naive_sum(pseudo, seg->bytes + l4, seg->len - l4), 0xffff);
}

static bool see(const struct segment *seg, void *arg)
{
	struct check *c = arg;
	unsigned n =
		c->s->payload - c->at < c->s->gso_size ? c->s->payload - c->at : c->s->gso_size;

	assert_int_equal(seg->len, hdr + n);
	assert_int_equal(seg->off.gso_type, GSO_NONE);
	assert_memory_equal(seg->bytes, whole, l3);
	assert_memory_equal(seg->bytes + hdr, whole + hdr + c->at, n);
	check_ip(c, seg);
	check_l4(c, seg, c->at + n == c->s->payload);
	check_csum(c, seg);
	c->at += n;
	c->number++;
	return c->number != c->stop_after;
}

static void segment_shape(const struct shape *s)
{
	static const unsigned snaps[] = {0, 1, 33, 500, SNAP_MAX};
	static const unsigned abilities[] = {0, CAN_CSUM};

	for (unsigned i = 0; i < sizeof(snaps) / sizeof(snaps[0]); i++)
		for (unsigned k = 0; k < 2; k++) {
			struct check c = {.s = s, .can = abilities[k]};
			struct frame f;
			unsigned n;

			build(s, 0); /* for hdr */
			f = build(s, hdr + snaps[i] < SNAP_MAX ? hdr + snaps[i] : SNAP_MAX);
			assert_int_equal(frame_check_offload(&f), DROP_NONE);
			assert_int_equal(gso_mtu_bytes(&f), hdr + s->gso_size - ETH_HEADER);
			n = gso_segment(&f, c.can, buf, CAPACITY, see, &c);
			assert_int_equal(n, c.number);
			assert_int_equal(c.number, (s->payload + s->gso_size - 1) / s->gso_size);
			assert_int_equal(c.at, s->payload);
		}
}

static void shapes(void **state)
{
	static const struct shape t[] = {
		{GSO_TCPV4, 0, 0, 0, 0, 12, 64000, 1448, 0x18},
		{GSO_TCPV4, 0, 0, 0, 0, 0, 2921, 1460, 0x11},
		{GSO_TCPV4, 0, 40, 0, 0, 40, 10001, 999, 0xff},
		{GSO_TCPV4, 1, 4, 0, 0, 0, 1300, 1, 0x98},
		{GSO_TCPV4, 2, 0, 0, 0, 12, 65000, 8948, 0xd9},
		{GSO_TCPV4, 0, 0, 0, 0, 0, 1001, 1000, 0x82},
		{GSO_TCPV6, 0, 0, 0, 0, 12, 65000, 1428, 0x19},
		{GSO_TCPV6, 1, 0, 8, 0, 0, 5555, 777, 0x10},
		{GSO_TCPV6, 0, 0, 64, 60, 20, 30000, 1234, 0x09},
		{GSO_TCPV6, 0, 0, 24, 43, 0, 30000, 1233, 0x18},
		{GSO_UDP_L4, 0, 0, 0, 0, 0, 60000, 1472, 0},
		{GSO_UDP_L4, 2, 8, 0, 0, 0, 5001, 1001, 0},
		{GSO_UDP_L4, 0, 0, 8, 60, 0, 40000, 1111, 0},
		{GSO_UDP_L4, 0, 0, 24, 43, 0, 4000, 1111, 0},
		{GSO_UDP_L4, 0, 0, 16, 0, 0, 2, 1, 0},
	};

	(void)state;
	srand(1);
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		segment_shape(&t[i]);
}

static void random_shapes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		struct shape s = {
			.kind = (const uint8_t[]){GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4}[rand() % 3],
			.tags = (unsigned)rand() % 3,
			.tcp_options = (unsigned)rand() % 11 * 4,
			.gso_size = 1 + (unsigned)rand() % 9000,
			.flags = (uint8_t)rand(),
		};

		s.payload = s.gso_size + 1 + (unsigned)rand() % (60000 - s.gso_size);
		if (s.payload / s.gso_size > SEGMENTS)
			s.payload = s.gso_size * SEGMENTS;
		if (s.kind == GSO_TCPV4)
			s.options = (unsigned)rand() % 11 * 4;
		else if (rand() % 2) {
			s.extension = 8 + (unsigned)rand() % 10 * 8;
			s.extension_type = (const uint8_t[]){0, 43, 60}[rand() % 3];
		}
		segment_shape(&s);
	}
}

/* A sum of 0 is sent as 0xffff: the payload is chosen so that it comes out. */
static bool see_zero(const struct segment *seg, void *arg)
{
	*(unsigned *)arg += get16(seg->bytes + l4 + 6) == 0xffff;
	return true;
}

static void udp_zero(void **state)
{
	struct shape s = {.kind = GSO_UDP_L4, .payload = 8, .gso_size = 4};
	struct frame f = build(&s, 200);
	unsigned sum, hits = 0;
	uint8_t ip[20];

	(void)state;
	memcpy(ip, whole + l3, 20);
	sum = naive_pseudo(ip, false, false, UDP, 12);
	sum = naive_sum(sum, whole + l4, 4);
	sum = naive_sum(sum, (const uint8_t[]){0, 12}, 2);
	memset(f.snap + hdr, 0, 8);
	f.snap[hdr] = (uint8_t)((0xffff - sum) >> 8);
	f.snap[hdr + 1] = (uint8_t)(0xffff - sum);
	assert_int_equal(frame_check_offload(&f), DROP_NONE);
	assert_int_equal(gso_segment(&f, 0, buf, CAPACITY, see_zero, &hits), 2);
	assert_int_equal(hits, 1);
}

/* ---- frames in one piece ---- */

struct one {
	unsigned n;
	struct segment s;
};

static bool keep(const struct segment *seg, void *arg)
{
	struct one *o = arg;

	o->n++;
	o->s = *seg;
	return true;
}

static void whole_frames(void **state)
{
	(void)state;
	for (unsigned payload = 0; payload < 70; payload++) {
		struct shape s = {.kind = GSO_TCPV4, .payload = payload};
		struct frame f = build(&s, 54 + payload / 2);
		struct one o = {0};

		f.off.gso_type = GSO_NONE;
		assert_int_equal(frame_check_offload(&f), DROP_NONE);
		assert_int_equal(gso_mtu_bytes(&f), f.len - ETH_HEADER);
		assert_int_equal(gso_segment(&f, 0, buf, CAPACITY, keep, &o), 1);
		assert_int_equal(o.s.len, f.len);
		assert_int_equal(o.s.off.flags, 0);
		assert_int_equal(naive_sum(naive_pseudo(buf + l3, false, false, TCP, 20 + payload),
					   buf + l4, 20 + payload),
				 0xffff);
		assert_memory_equal(buf + hdr, whole + hdr, payload);
		/* With checksums, or without anything to do, it goes as it is. */
		assert_int_equal(gso_segment(&f, CAN_CSUM, buf, CAPACITY, keep, &o), 1);
		assert_int_equal(o.s.off.flags, OFFLOAD_NEEDS_CSUM);
		assert_memory_equal(buf, whole, f.len);
		f.off = (struct offload){.flags = OFFLOAD_DATA_VALID};
		assert_int_equal(gso_segment(&f, 0, buf, CAPACITY, keep, &o), 1);
		assert_int_equal(o.s.off.flags, OFFLOAD_DATA_VALID);
		assert_memory_equal(buf, whole, f.len);
	}
}

/* The checksum field of a plain frame may lie in the body. */
static void field_in_body(void **state)
{
	struct shape s = {.kind = GSO_TCPV4, .payload = 4000};
	struct frame f = build(&s, 60);
	struct one o = {0};

	(void)state;
	f.off = (struct offload){.flags = OFFLOAD_NEEDS_CSUM, .csum_start = 3001, .csum_offset = 7};
	assert_int_equal(frame_check_offload(&f), DROP_NONE);
	assert_int_equal(gso_segment(&f, 0, buf, CAPACITY, keep, &o), 1);
	memcpy(buf + 3008, whole + 3008, 2);
	assert_memory_equal(buf, whole, f.len);
	f.off.csum_offset = (uint16_t)(f.len - 3001 - 1);
	assert_int_equal(gso_segment(&f, 0, buf, CAPACITY, keep, &o), 0);
}

static void small_buffers(void **state)
{
	struct shape s = {.kind = GSO_TCPV4, .payload = 4000, .gso_size = 1000};
	struct check c = {.s = &s};
	struct frame f = build(&s, 60);
	struct one o = {0};

	(void)state;
	assert_int_equal(frame_check_offload(&f), DROP_NONE);
	assert_int_equal(gso_segment(&f, 0, buf, hdr + 999, see, &c), 0);
	assert_int_equal(gso_segment(&f, 0, buf, hdr + 1000, see, &c), 4);
	assert_int_equal(gso_segment(&f, CAN_CSUM | CAN_TSO4, buf, f.len - 1, keep, &o), 0);
	assert_int_equal(gso_segment(&f, CAN_CSUM | CAN_TSO4, buf, f.len, keep, &o), 1);
	assert_int_equal(o.s.off.gso_type, GSO_TCPV4);
	/* emit says stop; a body that ends early. */
	c = (struct check){.s = &s, .stop_after = 2};
	assert_int_equal(gso_segment(&f, 0, buf, CAPACITY, see, &c), 1);
	assert_int_equal(c.number, 2);
	c = (struct check){.s = &s};
	f.body_cnt = 0;
	f.snap_len = (uint16_t)(hdr + 1500);
	memcpy(f.snap, whole, f.snap_len);
	assert_int_equal(gso_segment(&f, 0, buf, CAPACITY, see, &c), 1);
	/* Fields that nobody checked. */
	f.off.hdr_len = 60000;
	assert_int_equal(gso_segment(&f, 0, buf, CAPACITY, see, &c), 0);
	f.off.hdr_len = (uint16_t)hdr;
	f.off.gso_size = 0;
	assert_int_equal(gso_segment(&f, 0, buf, CAPACITY, see, &c), 0);
}

static void abilities(void **state)
{
	static const struct {
		uint8_t flags, gso_type;
		unsigned can;
		bool want;
	} t[] = {
		{0, 0, 0, true},
		{1, 0, 0, false},
		{1, 0, CAN_CSUM, true},
		{2, 0, 0, true},
		{1, GSO_TCPV4, CAN_CSUM, false},
		{1, GSO_TCPV4, CAN_TSO4, false},
		{1, GSO_TCPV4, CAN_CSUM | CAN_TSO4, true},
		{1, GSO_TCPV4, CAN_CSUM | CAN_TSO6 | CAN_USO, false},
		{1, GSO_TCPV4 | GSO_ECN, CAN_CSUM | CAN_TSO4, false},
		{1, GSO_TCPV4 | GSO_ECN, CAN_CSUM | CAN_TSO4 | CAN_ECN, true},
		{1, GSO_TCPV6, CAN_CSUM | CAN_TSO4, false},
		{1, GSO_TCPV6, CAN_CSUM | CAN_TSO6, true},
		{1, GSO_TCPV6 | GSO_ECN, CAN_CSUM | CAN_TSO6 | CAN_ECN, true},
		{1, GSO_UDP_L4, CAN_CSUM | CAN_TSO4 | CAN_TSO6 | CAN_ECN, false},
		{1, GSO_UDP_L4, CAN_CSUM | CAN_USO, true},
		{1, 3, ~0u, false},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct frame f = {.off = {.flags = t[i].flags, .gso_type = t[i].gso_type}};

		assert_int_equal(gso_passes(&f, t[i].can), t[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),	 cmocka_unit_test(random_shapes),
		cmocka_unit_test(udp_zero),	 cmocka_unit_test(whole_frames),
		cmocka_unit_test(field_in_body), cmocka_unit_test(small_buffers),
		cmocka_unit_test(abilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
