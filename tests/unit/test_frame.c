/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of switch/base/frame: M05 odd IP headers, M06 fragments, tag towers of M03, offload fields that lie, and the
 * bytes of a frame that is spread over many pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/csum.h"
#include "switch/base/frame.h"

enum { TCP = 6, UDP = 17 };

static uint8_t memory[FRAME_HEADROOM + SNAP_MAX];
static uint8_t *const snap = memory + FRAME_HEADROOM;
static unsigned fill; /* bytes of the frame in hand */

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

static void put_ipv4(unsigned header_bytes, uint8_t proto, uint16_t fragment)
{
	put(2, ETYPE_IPV4);
	put(1, 0x40 | header_bytes / 4);
	put(1, 0);
	put(4, 1000u << 16 | 7);
	put(2, fragment);
	put(1, 64);
	put(1, proto);
	put(2, 0);
	put(4, 0x0a000001);
	put(4, 0x0a000002);
	fill += header_bytes > 20 ? header_bytes - 20 : 0;
}

static void put_ipv6(uint8_t next)
{
	put(2, ETYPE_IPV6);
	put(4, 0x60000000);
	put(2, 1000);
	put(1, next);
	put(1, 64);
	for (unsigned i = 0; i < 32; i++)
		put(1, i);
}

static void put_tcp(unsigned header_bytes)
{
	put(4, 0x12345678);
	put(8, 1);
	put(1, header_bytes / 4 << 4);
	put(1, 0x18);
	put(6, 0);
	fill += header_bytes > 20 ? header_bytes - 20 : 0;
}

static struct frame frame_of(uint32_t len)
{
	return (struct frame){.snap = snap, .len = len, .snap_len = (uint16_t)fill};
}

static void find_ipv4(void **state)
{
	struct frame_l4 h;
	struct frame f;

	(void)state;
	for (unsigned header = 20; header <= 60; header += 4) {
		start();
		put_ipv4(header, TCP, 0x4000);
		put_tcp(20);
		f = frame_of(fill);
		assert_true(frame_find_l4(&f, &h));
		assert_int_equal(h.l3, 14);
		assert_int_equal(h.l4, 14 + header);
		assert_int_equal(h.proto, TCP);
		assert_false(h.is_ipv6 || h.is_fragment || h.is_routed);
		/* Cut anywhere before the L4 header there is none. */
		for (uint16_t len = 0; len <= 14 + header; len++) {
			f.snap_len = len;
			assert_false(frame_find_l4(&f, &h));
		}
	}
	for (unsigned ihl = 0; ihl < 5; ihl++) {
		start();
		put_ipv4(ihl * 4, TCP, 0);
		put_tcp(20);
		f = frame_of(fill);
		assert_false(frame_find_l4(&f, &h));
	}
	start();
	put_ipv4(20, TCP, 0);
	put_tcp(20);
	snap[14] = 0x55;
	f = frame_of(fill);
	assert_false(frame_find_l4(&f, &h));
}

static void find_fragments(void **state)
{
	struct frame_l4 h;
	struct frame f;

	(void)state;
	start();
	put_ipv4(20, UDP, 0x2000);
	put(8, 0);
	f = frame_of(fill);
	assert_true(frame_find_l4(&f, &h));
	assert_true(h.is_fragment);
	for (unsigned bit = 0; bit < 13; bit++) {
		snap[20] = (uint8_t)(1u << bit >> 8);
		snap[21] = (uint8_t)(1u << bit);
		assert_false(frame_find_l4(&f, &h));
	}
	start();
	put_ipv6(44);
	put(8, (uint64_t)UDP << 56 | 0x1ULL << 32); /* offset 0, more to come */
	put(8, 0);
	f = frame_of(fill);
	assert_true(frame_find_l4(&f, &h));
	assert_true(h.is_fragment);
	assert_int_equal(h.l4, 14 + 48);
	snap[14 + 40 + 3] = 8;
	assert_false(frame_find_l4(&f, &h));
}

static void find_tags(void **state)
{
	struct frame_l4 h;
	struct frame f;

	(void)state;
	for (unsigned tags = 0; tags <= 100; tags++) {
		start();
		for (unsigned i = 0; i < tags; i++)
			put(4, (i % 2 ? 0x88a8ULL : 0x8100ULL) << 16 | 5);
		put_ipv4(20, UDP, 0);
		put(8, 0);
		f = frame_of(fill);
		assert_int_equal(frame_find_l4(&f, &h), tags <= 2);
		if (tags <= 2)
			assert_int_equal(h.l4, 34 + 4 * tags);
	}
	start();
	put(4, 0x81000005);
	put(2, 0x8100);
	f = frame_of(fill);
	assert_false(frame_find_l4(&f, &h));
	start();
	put(2, ETYPE_ARP);
	put(8, 0);
	f = frame_of(fill);
	assert_false(frame_find_l4(&f, &h));
}

static void find_ipv6(void **state)
{
	static const uint8_t types[] = {0, 43, 60, 135, 139, 140};
	struct frame_l4 h;
	struct frame f;

	(void)state;
	for (unsigned n = 0; n <= 100; n++) {
		start();
		put_ipv6(n ? 60 : TCP);
		for (unsigned i = 0; i < n; i++)
			put(8, (i + 1 < n ? 60ULL : TCP) << 56);
		put_tcp(20);
		f = frame_of(fill);
		assert_int_equal(frame_find_l4(&f, &h), n <= 8);
		if (n <= 8)
			assert_int_equal(h.l4, 54 + 8 * n);
	}
	for (unsigned t = 0; t < sizeof(types); t++) {
		start();
		put_ipv6(types[t]);
		put(8, (uint64_t)UDP << 56 | 1ULL << 48);
		put(8, 0);
		put(8, 0);
		f = frame_of(fill);
		assert_true(frame_find_l4(&f, &h));
		assert_int_equal(h.l4, 54 + 16);
		assert_int_equal(h.proto, UDP);
		assert_int_equal(h.is_routed, types[t] == 43);
		for (uint16_t len = 0; len <= 54 + 16; len++) {
			f.snap_len = len;
			assert_false(frame_find_l4(&f, &h));
		}
	}
	start(); /* AH counts in fours */
	put_ipv6(51);
	put(8, (uint64_t)TCP << 56 | 1ULL << 48);
	put(4, 0);
	put_tcp(20);
	f = frame_of(fill);
	assert_true(frame_find_l4(&f, &h));
	assert_int_equal(h.l4, 54 + 12);
	start(); /* nothing follows */
	put_ipv6(59);
	put(8, 0);
	f = frame_of(fill);
	assert_false(frame_find_l4(&f, &h));
	start(); /* a length beyond the snapshot */
	put_ipv6(60);
	put(8, (uint64_t)TCP << 56 | 255ULL << 48);
	put_tcp(20);
	f = frame_of(fill);
	assert_false(frame_find_l4(&f, &h));
}

/* ---- offload fields ---- */

enum { PAYLOAD = 5000, GSO_SIZE = 1448 };

/* A good frame of that kind, to be spoiled; what lies behind the headers is in the body, which nobody reads. */
static struct frame gso_frame(uint8_t kind)
{
	struct frame f;

	start();
	if (kind == GSO_TCPV4)
		put_ipv4(24, TCP, 0x4000);
	else
		put_ipv6(kind == GSO_TCPV6 ? TCP : UDP);
	if (kind == GSO_UDP_L4)
		put(8, 0);
	else
		put_tcp(32);
	f = frame_of(fill + PAYLOAD);
	f.off = (struct offload){
		.flags = OFFLOAD_NEEDS_CSUM,
		.gso_type = kind,
		.hdr_len = 1,
		.gso_size = GSO_SIZE,
		.csum_start = kind == GSO_TCPV4 ? 38 : 54,
		.csum_offset = kind == GSO_UDP_L4 ? 6 : 16,
	};
	return f;
}

static const uint8_t kinds[] = {GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4};

static void gso_good(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct frame f = gso_frame(kinds[i]);

		assert_int_equal(frame_check_offload(&f), DROP_NONE);
		assert_int_equal(f.off.hdr_len, fill);
		assert_int_equal(f.off.gso_type, kinds[i]);
		assert_int_equal(f.off.gso_size, GSO_SIZE);
		assert_int_equal(f.off.flags, OFFLOAD_NEEDS_CSUM);

		f = gso_frame(kinds[i]);
		f.off.gso_type |= GSO_ECN;
		assert_int_equal(frame_check_offload(&f),
				 kinds[i] == GSO_UDP_L4 ? DROP_BAD_OFFLOAD : DROP_NONE);
	}
}

static void gso_type_lies(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned type = 1; type < 256; type++) {
			struct frame f = gso_frame(kinds[i]);
			bool is_right = type == kinds[i] ||
					(type == (kinds[i] | GSO_ECN) && kinds[i] != GSO_UDP_L4);

			f.off.gso_type = (uint8_t)type;
			assert_int_equal(frame_check_offload(&f),
					 is_right ? DROP_NONE : DROP_BAD_OFFLOAD);
		}
}

/* Headers that the snapshot does not hold to their end. */
static void gso_cut(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		gso_frame(kinds[i]);
		for (uint16_t len = ETH_HEADER; len < fill; len++) {
			struct frame f = gso_frame(kinds[i]);

			f.snap_len = len;
			assert_int_equal(frame_check_offload(&f), DROP_BAD_OFFLOAD);
		}
	}
}

static void gso_fields(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct frame f = gso_frame(kinds[i]);

		f.off.gso_size = 0;
		assert_int_equal(frame_check_offload(&f), DROP_BAD_OFFLOAD);
		for (unsigned wrong = 0; wrong < 100; wrong++) {
			struct frame g = gso_frame(kinds[i]);
			bool is_right = wrong == g.off.csum_start;

			g.off.csum_start = (uint16_t)wrong;
			assert_int_equal(frame_check_offload(&g),
					 is_right ? DROP_NONE : DROP_BAD_OFFLOAD);
			g = gso_frame(kinds[i]);
			is_right = wrong == g.off.csum_offset;
			g.off.csum_offset = (uint16_t)wrong;
			assert_int_equal(frame_check_offload(&g),
					 is_right ? DROP_NONE : DROP_BAD_OFFLOAD);
		}
	}
	for (unsigned doff = 0; doff < 16; doff++) {
		struct frame f = gso_frame(GSO_TCPV4);

		snap[38 + 12] = (uint8_t)(doff << 4);
		assert_int_equal(frame_check_offload(&f),
				 doff < 5 || doff > 8 ? DROP_BAD_OFFLOAD : DROP_NONE);
	}
	struct frame f = gso_frame(GSO_TCPV4); /* a fragment is not left whole */

	snap[20] |= 0x20;
	assert_int_equal(frame_check_offload(&f), DROP_BAD_OFFLOAD);
}

/* One segment is an ordinary frame. */
static void gso_small(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (int more = -2000; more <= 2; more++) {
			struct frame f = gso_frame(kinds[i]);

			if ((int)GSO_SIZE + more < 0)
				continue;
			f.len = fill + (uint32_t)(GSO_SIZE + more);
			assert_int_equal(frame_check_offload(&f), DROP_NONE);
			assert_int_equal(f.off.gso_type, more > 0 ? kinds[i] : GSO_NONE);
			assert_int_equal(f.off.flags, OFFLOAD_NEEDS_CSUM);
			if (more <= 0)
				assert_int_equal(f.off.gso_size + f.off.hdr_len, 0);
		}
}

/* Lengths that no IP header can hold. */
static void gso_huge(void **state)
{
	struct frame f;

	(void)state;
	f = gso_frame(GSO_TCPV4);
	f.len = fill + 65535;
	f.off.gso_size = 48; /* 1366 segments */
	assert_int_equal(frame_check_offload(&f), DROP_NONE);
	f = gso_frame(GSO_TCPV4);
	f.len = fill + 65535;
	f.off.gso_size = 47;
	assert_int_equal(frame_check_offload(&f), DROP_BAD_OFFLOAD);
	f = gso_frame(GSO_TCPV4);
	f.len = fill + 65536;
	assert_int_equal(frame_check_offload(&f), DROP_BAD_OFFLOAD);
	f = gso_frame(GSO_TCPV4);
	f.len = fill + 65535;
	f.off.gso_size = 65535 - 24 - 32;
	assert_int_equal(frame_check_offload(&f), DROP_NONE);
	f = gso_frame(GSO_TCPV4);
	f.len = fill + 65535;
	f.off.gso_size = 65535 - 24 - 32 + 1;
	assert_int_equal(frame_check_offload(&f), DROP_BAD_OFFLOAD);
	f = gso_frame(GSO_TCPV6);
	f.len = fill + 65535;
	f.off.gso_size = 65535 - 32;
	assert_int_equal(frame_check_offload(&f), DROP_NONE);
}

/* GSO without a partial checksum gets one, as it would have been sent with. */
static void gso_full_csum(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct frame f = gso_frame(kinds[i]);
		struct offload was = f.off;
		unsigned field = was.csum_start + was.csum_offset,
			 addr = kinds[i] == GSO_TCPV4 ? 26 : 22;
		size_t addr_bytes = kinds[i] == GSO_TCPV4 ? 4 : 16;
		uint64_t sum =
			csum_pseudo(snap + addr, snap + addr + addr_bytes, addr_bytes,
				    kinds[i] == GSO_UDP_L4 ? UDP : TCP, f.len - was.csum_start);

		f.off.flags = OFFLOAD_DATA_VALID;
		f.off.csum_start = 0xffff;
		f.off.csum_offset = 0xffff;
		snap[field] = 0xde;
		assert_int_equal(frame_check_offload(&f), DROP_NONE);
		assert_int_equal(f.off.flags, OFFLOAD_NEEDS_CSUM);
		assert_int_equal(f.off.csum_start, was.csum_start);
		assert_int_equal(f.off.csum_offset, was.csum_offset);
		assert_int_equal(snap[field] << 8 | snap[field + 1], (uint16_t)~csum_fold(sum));
	}
}

static void csum_fields(void **state)
{
	static const struct {
		uint32_t len;
		uint16_t start, offset;
		enum drop want;
	} t[] = {
		{64, 34, 16, DROP_NONE},
		{64, 14, 0, DROP_NONE},
		{64, 13, 16, DROP_BAD_OFFLOAD},
		{64, 0, 16, DROP_BAD_OFFLOAD},
		{64, 62, 0, DROP_NONE},
		{64, 63, 0, DROP_BAD_OFFLOAD},
		{64, 46, 16, DROP_NONE},
		{64, 47, 16, DROP_BAD_OFFLOAD},
		{64, 65535, 1, DROP_BAD_OFFLOAD},
		{64, 65535, 65535, DROP_BAD_OFFLOAD},
		{64, 14, 65535, DROP_BAD_OFFLOAD},
		{9000, 5000, 16, DROP_NONE},
		{65549, 65535, 12, DROP_NONE},
		{65549, 65535, 13, DROP_BAD_OFFLOAD},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct frame f;

		start();
		fill = 64;
		f = frame_of(t[i].len);
		f.off = (struct offload){.flags = 0xff,
					 .hdr_len = 77,
					 .gso_size = 88,
					 .csum_start = t[i].start,
					 .csum_offset = t[i].offset};
		assert_int_equal(frame_check_offload(&f), t[i].want);
		if (t[i].want)
			continue;
		assert_int_equal(f.off.flags, OFFLOAD_NEEDS_CSUM);
		assert_int_equal(f.off.hdr_len | f.off.gso_size, 0);
	}
	start();
	fill = 64;
	struct frame f = frame_of(64);

	f.off = (struct offload){
		.flags = OFFLOAD_DATA_VALID | 0xf0, .csum_start = 9999, .csum_offset = 1};
	assert_int_equal(frame_check_offload(&f), DROP_NONE);
	assert_int_equal(f.off.flags, OFFLOAD_DATA_VALID);
	assert_int_equal(f.off.csum_start | f.off.csum_offset, 0);
}

/* ---- reading ---- */

enum { BYTES = 3000, PIECES = 40 };

/* The bytes of whole[] as a snapshot and pieces, some of them empty. */
static struct frame spread(const uint8_t *whole, struct iovec *iov, unsigned len, unsigned in_snap)
{
	struct frame f = {.len = len, .snap_len = (uint16_t)in_snap, .body = iov};
	unsigned at = in_snap;

	f.snap = (uint8_t *)(uintptr_t)whole;
	while (at < len) {
		unsigned n = f.body_cnt + 1 == PIECES ? len - at : (unsigned)rand() % 200;

		if (n > len - at)
			n = len - at;
		iov[f.body_cnt++] = (struct iovec){(void *)(uintptr_t)(whole + at), n};
		at += n;
	}
	return f;
}

static void reading(void **state)
{
	static uint8_t whole[BYTES], out[BYTES + 100];
	struct iovec iov[PIECES], parts[PIECES + 1];

	(void)state;
	srand(1);
	for (unsigned i = 0; i < BYTES; i++)
		whole[i] = (uint8_t)rand();
	for (unsigned round = 0; round < 20000; round++) {
		unsigned len = (unsigned)rand() % BYTES, off = (unsigned)rand() % (BYTES + 50),
			 at = off;
		unsigned n = (unsigned)rand() % (BYTES + 50),
			 in_snap = len ? (unsigned)rand() % len : 0;
		unsigned left = off < len ? len - off : 0, want = n < left ? n : left;
		struct frame f = spread(whole, iov, len, in_snap);
		int used;

		memset(out, 0xee, sizeof(out));
		assert_int_equal(frame_copy(&f, off, out, n), want);
		assert_memory_equal(out, whole + (want ? off : 0), want);
		assert_int_equal(out[want], 0xee);

		used = frame_iov(&f, off, parts, PIECES + 1);
		assert_true(used >= 0);
		for (int i = 0; i < used; i++) {
			assert_true(parts[i].iov_len > 0);
			assert_ptr_equal(parts[i].iov_base, whole + at);
			at += (unsigned)parts[i].iov_len;
		}
		assert_int_equal(at - off, left);
		if (used > 0)
			assert_int_equal(frame_iov(&f, off, parts, used - 1), -1);
		assert_int_equal(frame_iov(&f, off, parts, used), used);
	}
}

/* Pieces that hold fewer bytes, or more, than the frame's length says. */
static void odd_bodies(void **state)
{
	uint8_t bytes[100] = {0}, out[200];
	struct iovec iov[2] = {{bytes, 10}, {bytes + 10, 30}}, parts[3];
	struct frame f = {
		.snap = bytes + 50, .snap_len = 50, .len = 60, .body = iov, .body_cnt = 2};

	(void)state;
	assert_int_equal(frame_copy(&f, 0, out, 200), 60);
	assert_int_equal(frame_iov(&f, 0, parts, 3), 2);
	f.len = 75;
	assert_int_equal(frame_iov(&f, 0, parts, 3), 3);
	assert_int_equal(parts[2].iov_len, 15);
	f.len = 1000;
	assert_int_equal(frame_copy(&f, 0, out, 200), 90);
	assert_int_equal(frame_copy(&f, 95, out, 200), 0);
	assert_int_equal(frame_iov(&f, 0, parts, 3), 3);
	assert_int_equal(parts[2].iov_len, 30);
}

static void reader_goes_on(void **state)
{
	static uint8_t whole[BYTES], out[BYTES];
	struct iovec iov[PIECES];

	(void)state;
	for (unsigned i = 0; i < BYTES; i++)
		whole[i] = (uint8_t)rand();
	for (unsigned round = 0; round < 2000; round++) {
		unsigned start_at = (unsigned)rand() % BYTES, at = start_at;
		struct frame f = spread(whole, iov, BYTES, 64);
		struct frame_reader r;
		uint32_t n;

		frame_reader_init(&r, &f, at);
		while ((n = frame_read(&r, out + at, 1 + (unsigned)rand() % 300)) > 0)
			at += n;
		assert_int_equal(at, BYTES);
		assert_memory_equal(out + start_at, whole + start_at, BYTES - start_at);
	}
}

/* The snapshot grows into another place; what it had is not read again, and the body goes on behind it. */
static void test_pull(void **state)
{
	uint8_t head[64], first[100], second[3000], to[FRAME_HEADROOM + SNAP_MAX], all[3164];
	struct iovec body[2] = {{first, sizeof(first)}, {second, sizeof(second)}};
	struct frame f = {.snap = head, .snap_len = sizeof(head), .body = body, .body_cnt = 2};
	uint8_t *long_head = to + FRAME_HEADROOM;

	(void)state;
	memset(head, 1, sizeof(head));
	memset(first, 2, sizeof(first));
	memset(second, 3, sizeof(second));
	f.len = sizeof(head) + sizeof(first) + sizeof(second);
	frame_pull(&f, long_head, 64);
	assert_ptr_equal(f.snap, head);
	frame_pull(&f, long_head, 150);
	assert_ptr_equal(f.snap, long_head);
	assert_int_equal(f.snap_len, 150);
	memset(first, 9, 86); /* too late: these bytes were read */
	assert_int_equal(frame_copy(&f, 0, all, sizeof(all)), f.len);
	assert_int_equal(all[63], 1);
	assert_int_equal(all[64], 2);
	assert_int_equal(all[163], 2);
	assert_int_equal(all[164], 3);
	frame_pull(&f, long_head, UINT16_MAX);
	assert_int_equal(f.snap_len, SNAP_MAX);
	assert_int_equal(f.body_cnt, 1);
	assert_int_equal(f.body->iov_len, f.len - SNAP_MAX);
	assert_int_equal(long_head[SNAP_MAX - 1], 3);
	f.len = 200;
	f.snap_len = 190;
	f.body->iov_len = 10;
	frame_pull(&f, long_head, SNAP_MAX);
	assert_int_equal(f.snap_len, 200);
	assert_int_equal(f.body_cnt, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pull),	  cmocka_unit_test(find_ipv4),
		cmocka_unit_test(find_fragments), cmocka_unit_test(find_tags),
		cmocka_unit_test(find_ipv6),	  cmocka_unit_test(gso_good),
		cmocka_unit_test(gso_type_lies),  cmocka_unit_test(gso_cut),
		cmocka_unit_test(gso_fields),	  cmocka_unit_test(gso_small),
		cmocka_unit_test(gso_huge),	  cmocka_unit_test(gso_full_csum),
		cmocka_unit_test(csum_fields),	  cmocka_unit_test(reading),
		cmocka_unit_test(odd_bodies),	  cmocka_unit_test(reader_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
