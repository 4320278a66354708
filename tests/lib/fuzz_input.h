/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_input: what a fuzz target takes out of the bytes that it is given; when there are no more, zeros and nothing. */
#ifndef VFAB_TESTS_FUZZ_INPUT_H
#define VFAB_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

struct input {
	const uint8_t *bytes;
	size_t n;
};

uint8_t take_u8(struct input *in);
uint16_t take_u16(struct input *in);	     /* little end first */
struct input take_bytes(struct input *in);   /* as many as the next two bytes say, or the rest */

#endif
