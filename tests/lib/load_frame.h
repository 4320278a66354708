/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load_frame: the frames of a load between guests: IPv4 with UDP, or with TCP in segments that are still to be cut.
 *
 * A frame is headers, 6 bytes of nothing, and data.  Data are words of 8 bytes that all follow from the first, which is
 * number << 16 | sender << 8 | receiver; the last word is cut where the frame ends.  So a frame says of itself
 * whose it is, and any byte of it that changed is found.
 */
#ifndef VFAB_TESTS_LOAD_FRAME_H
#define VFAB_TESTS_LOAD_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum {
	LOAD_HEAD = 64,	   /* bytes that the headers of a frame take at most */
	LOAD_HEAD_UDP = 48, /* the same, of UDP */
	LOAD_GAP = 6,	   /* between the headers and the data, which begin at 48 of an untagged UDP frame */
	LOAD_TAG = 4,
	LOAD_MSS = 1448,
};

struct load_frame {
	unsigned from, to; /* guests */
	unsigned flow;	   /* addresses are those of this flow of each */
	unsigned vid;	   /* of the tag; 0: none */
	bool is_tso;
	uint32_t bytes; /* of the frame, with the tag, without virtio-net header */
};

/* Bytes of the headers alone. */
unsigned load_frame_headers(const struct load_frame *l);
/* The headers, zeroes behind them; and the virtio-net header. */
void load_frame_make(const struct load_frame *l, uint8_t head[static LOAD_HEAD]);
void load_frame_offload(const struct load_frame *l, uint8_t *header);

void load_data_write(uint8_t *data, uint32_t bytes, uint64_t first);
bool load_data_is(const uint8_t *data, uint32_t bytes, uint64_t first);

#endif
