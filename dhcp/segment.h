/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segment: a TCP header as bytes, read and written (RFC 9293 3.1), for dhcp/stream.c.
 */
#ifndef VFAB_DHCP_SEGMENT_H
#define VFAB_DHCP_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEG_FIN = 1, SEG_SYN = 2, SEG_RST = 4, SEG_PSH = 8, SEG_ACK = 16 };

struct segment {
	uint32_t seq, ack;
	uint8_t flags;	      /* SEG_ */
	uint16_t window, mss; /* mss 0: not told */
	const uint8_t *data;
	size_t n;
};

/* False: there is no whole header.  g->data lies in b.  The mss is looked for with SYN only. */
bool segment_read(struct segment *g, const uint8_t *b, size_t n);
/* Into b, which has room for a header with an option and g->n bytes: how many it is.  Its checksum is 0. */
size_t segment_write(uint8_t *b, const struct segment *g, uint16_t sport, uint16_t dport);

#endif
