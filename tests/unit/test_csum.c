/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/base/csum: a known header, and a naive twin over random bytes and lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/csum.h"

/* RFC 1071 1, word by word, as it is written. */
static uint16_t naive(uint64_t sum, const uint8_t *p, size_t n)
{
	size_t i;

	sum %= 0xffff;
	for (i = 0; i < n; i++)
		sum += (uint64_t)p[i] << (i % 2 ? 0 : 8);
	return (uint16_t) ~(sum % 0xffff);
}

/* 0x0000 and 0xffff are the same sum; what csum_fold() makes of it must still verify as 0. */
static void same(uint16_t a, uint16_t b)
{
	assert_int_equal(a % 0xffff, b % 0xffff);
}

static void known_header(void **state)
{
	static const uint8_t h[] = {
		0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
		0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7,
	};
	uint8_t full[sizeof(h)];

	(void)state;
	assert_int_equal(csum_fold(csum_add(0, h, sizeof(h))), 0xb861);
	memcpy(full, h, sizeof(h));
	full[10] = 0xb8;
	full[11] = 0x61;
	assert_int_equal(csum_fold(csum_add(0, full, sizeof(full))), 0);
}

/* RFC 1071 3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2. */
static void known_sum(void **state)
{
	static const uint8_t b[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	(void)state;
	assert_int_equal(csum_fold(csum_add(0, b, sizeof(b))), (uint16_t)~0xddf2);
	assert_int_equal(csum_fold(csum_add(0, b, 3)), (uint16_t) ~(0x0001 + 0xf200));
	assert_int_equal(csum_fold(0), 0xffff);
	assert_int_equal(csum_fold(csum_add(0, b, 0)), 0xffff);
}

static void twin(void **state)
{
	static uint8_t buf[70000];
	size_t n, off, cut;
	uint64_t start;
	unsigned i;

	(void)state;
	srandom(1);
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)random();
	for (i = 0; i < 4000; i++) {
		off = (size_t)random() % 64;
		n = (size_t)random() % (i % 16 ? 200 : sizeof(buf) - 64);
		start = i % 3 ? 0 : (uint64_t)random() << 16 | (uint64_t)random();
		same(csum_fold(csum_add(start, buf + off, n)), naive(start, buf + off, n));
		cut = ((size_t)random() % (n + 1)) & ~(size_t)1;
		same(csum_fold(csum_add(csum_add(start, buf + off, cut), buf + off + cut, n - cut)),
		     naive(start, buf + off, n));
	}
}

static void extremes(void **state)
{
	static uint8_t ones[70000];
	size_t n;

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	for (n = 2; n < 100; n += 2)
		assert_int_equal(csum_fold(csum_add(0, ones, n)), 0);
	assert_int_equal(csum_fold(csum_add(0, ones, sizeof(ones))), 0);
	assert_int_equal(csum_fold(UINT64_MAX), 0);
	assert_int_equal(csum_fold(0xffff0000ffff0000), 0);
	same(csum_fold(0xfffffffffffffffe), naive(0xfffffffffffffffe, NULL, 0));
}

static void pseudo(void **state)
{
	static const uint8_t src[16] = {0xfd, 0, [15] = 1}, dst[16] = {0xfd, 0, [15] = 2};
	static const uint8_t v4[12] = {0xfd, 0, 0, 0, 0xfd, 0, 0, 0, 0, 17, 0x12, 0x34};
	uint8_t v6[40] = {[32] = 0, 1, 0, 9, 0, 0, 0, 6};

	(void)state;
	same(csum_fold(csum_pseudo(src, dst, 4, 17, 0x1234)), naive(0, v4, sizeof(v4)));
	memcpy(v6, src, 16);
	memcpy(v6 + 16, dst, 16);
	same(csum_fold(csum_pseudo(src, dst, 16, 6, 0x10009)), naive(0, v6, sizeof(v6)));
}

/* RFC 1624 4: the example whose result the older equation got wrong. */
static void by_difference(void **state)
{
	uint64_t sum = (uint16_t)~0xdd2f;

	(void)state;
	sum += (uint16_t)~0x5555 + 0x3285;
	assert_int_equal(csum_fold(sum), 0x0000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_header), cmocka_unit_test(known_sum),
		cmocka_unit_test(twin),		cmocka_unit_test(extremes),
		cmocka_unit_test(pseudo),	cmocka_unit_test(by_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
