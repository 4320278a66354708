/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of base/siphash: the vectors of the paper's reference implementation: key 00..0f, input 00 01 02 ... */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "switch/base/siphash.h"

static void vectors(void **state)
{
	static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	static const struct {
		size_t n;
		uint64_t want;
	} table[] = {
		{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd}, {2, 0x0d6c8009d9a94f5a},
		{7, 0xab0200f58b01d137}, {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5},
	};
	uint8_t in[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)i;
	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_true(siphash(key, in, table[i].n) == table[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(vectors)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
