/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment: see segment.h.
 *
 * How it fits.  dhcp/stream.c calls it.
 *
 * RFC 9293 3.1, 3.2 (MSS is the one option that is read or written).
 *
 * Trust.  Header and options are a guest's: the length of the header and of each option is compared before it is stepped over.
 * The urgent pointer is not read.
 */
#include "dhcp/segment.h"

#include <string.h>

#include "switch/base/packet.h"

enum { HEADER = 20, OPTION_END = 0, OPTION_NOP = 1, OPTION_MSS = 2, MSS_BYTES = 4 };

/* What is wrong ends the search. */
static uint16_t find_mss(const uint8_t *o, size_t n)
{
	while (n > 0 && *o != OPTION_END) {
		size_t step = 1;

		if (*o != OPTION_NOP) {
			if (n < 2 || o[1] < 2 || o[1] > n)
				return 0;
			step = o[1];
		}
		if (*o == OPTION_MSS && step == MSS_BYTES)
			return read_be16(o + 2);
		o += step;
		n -= step;
	}
	return 0;
}

bool segment_read(struct segment *g, const uint8_t *b, size_t n)
{
	size_t header;

	if (n < HEADER)
		return false;
	header = (size_t)(b[12] >> 4) * 4;
	if (header < HEADER || header > n)
		return false;
	*g = (struct segment){
		.seq = read_be32(b + 4),
		.ack = read_be32(b + 8),
		.flags = b[13],
		.window = read_be16(b + 14),
		.data = b + header,
		.n = n - header,
	};
	if (g->flags & SEG_SYN)
		g->mss = find_mss(b + HEADER, header - HEADER);
	return true;
}

static void write_u32(uint8_t *p, uint32_t v)
{
	write_be16(p, (uint16_t)(v >> 16));
	write_be16(p + 2, (uint16_t)v);
}

size_t segment_write(uint8_t *b, const struct segment *g, uint16_t sport, uint16_t dport)
{
	size_t header = g->mss ? HEADER + MSS_BYTES : HEADER;

	memset(b, 0, header);
	write_be16(b, sport);
	write_be16(b + 2, dport);
	write_u32(b + 4, g->seq);
	write_u32(b + 8, g->ack);
	b[12] = (uint8_t)(header / 4 << 4);
	b[13] = g->flags;
	write_be16(b + 14, g->window);
	if (g->mss) {
		b[HEADER] = OPTION_MSS;
		b[HEADER + 1] = MSS_BYTES;
		write_be16(b + HEADER + 2, g->mss);
	}
	if (g->n > 0)
		memcpy(b + header, g->data, g->n);
	return header + g->n;
}
