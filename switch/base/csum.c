/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * csum: the Internet checksum (RFC 1071).
 *
 * Called by gso.c and everything that writes headers.  A one's-complement sum does not depend on
 * the byte order in which it is taken (RFC 1071 2(B)): words are added as the machine loads them,
 * 16 bytes a step, folded to 16 bits, and swapped once at the end.  It does not depend on the width
 * of the words either, as long as no carry is lost: halves of 32 bits go into sums of 64.
 */
#include "switch/base/csum.h"

#include <endian.h>
#include <string.h>

typedef uint64_t lanes __attribute__((vector_size(16)));

/* Folds to 16 bits and keeps the carries. */
static uint16_t fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t csum_add(uint64_t sum, const void *bytes, size_t n)
{
	lanes low = {0, 0}, high = {0, 0}, w;
	const uint8_t *p = bytes;
	uint64_t native = 0;
	uint32_t word;
	uint16_t half;

	/* No lane overflows below 2^32 words, 64 GiB. */
	for (; n >= sizeof(w); n -= sizeof(w), p += sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		low += w & 0xffffffff;
		high += w >> 32;
	}
	native = (uint64_t)fold(low[0]) + fold(low[1]) + fold(high[0]) + fold(high[1]);
	for (; n >= sizeof(word); n -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		native += word;
	}
	if (n >= sizeof(half)) {
		memcpy(&half, p, sizeof(half));
		native += half;
		n -= sizeof(half);
		p += sizeof(half);
	}
	/* The last odd byte is the upper half of a word whose lower half is zero. */
	if (n > 0)
		native += htobe16((uint16_t)(*p << 8));
	return sum + be16toh(fold(native));
}

uint16_t csum_fold(uint64_t sum)
{
	return (uint16_t)~fold(sum);
}

uint64_t csum_pseudo(const uint8_t *src, const uint8_t *dst, size_t addr_bytes, uint8_t proto,
		     uint32_t l4_bytes)
{
	uint64_t sum;

	/* RFC 9293 3.1 and RFC 8200 8.1 differ in the width of the last two fields, not in the sum. */
	sum = csum_add(0, src, addr_bytes);
	sum = csum_add(sum, dst, addr_bytes);
	return sum + proto + (l4_bytes >> 16) + (l4_bytes & 0xffff);
}
