/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_hash: multiply and fold, eight bytes at a time, with a secret on each side.
 *
 * How it fits.  dns_view.c, dns_name.c hash labels with it; dns_cache.c and dns_wait.c use what dns_view.c found.
 *
 * Trust.  The bytes are anybody's; n was checked by the reader.
 */
#include "dhcp/dns_hash.h"

#include <string.h>

static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

/* Up to seven bytes; lengths are told apart by the caller. */
static uint64_t rest_of(const uint8_t *p, size_t n)
{
	uint32_t low, high;

	if (n >= 4) {
		memcpy(&low, p, 4);
		memcpy(&high, p + n - 4, 4);
		return (uint64_t)high << 32 | low;
	}
	return n ? (uint64_t)p[0] << 16 | (uint64_t)p[n / 2] << 8 | p[n - 1] : 0;
}

uint64_t dns_hash(const uint64_t secret[2], uint64_t h, const void *bytes, size_t n)
{
	const uint64_t key = secret[1] | 1;
	const uint8_t *p = bytes;
	uint64_t word;

	h = fold(h ^ secret[0] ^ n, key);
	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&word, p, 8);
		h = fold(h ^ word ^ secret[0], key);
	}
	return fold(h ^ rest_of(p, n) ^ secret[0], key);
}
