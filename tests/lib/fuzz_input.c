/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/lib/fuzz_input.h"

uint8_t take_u8(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->bytes++;
}

uint16_t take_u16(struct input *in)
{
	uint8_t low = take_u8(in);

	return (uint16_t)(low | take_u8(in) << 8);
}

struct input take_bytes(struct input *in)
{
	struct input out = {.n = take_u16(in)};

	if (out.n > in->n)
		out.n = in->n;
	out.bytes = in->bytes;
	in->bytes += out.n;
	in->n -= out.n;
	return out;
}
