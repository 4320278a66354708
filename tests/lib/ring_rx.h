/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_rx: a receive ring (ring_lab), the guest's buffers in it, and frames to be put there, for cmocka tests.
 *
 * Every byte of a buffer, and some behind it, are canaries when it is posted.  Of each that comes back, what lies behind the
 * length that it came with has to be canaries still.
 */
#ifndef VFAB_TESTS_RING_RX_H
#define VFAB_TESTS_RING_RX_H

#include "tests/lib/ring_lab.h"

enum { RX_CANARY = 0xa5, RX_FRAMES = 64, RX_RING = 1024, RX_SHAPES = 6 };

struct rx_header {
	struct offload off;
	uint16_t num_buffers;
};

extern struct ring_lab *rx_lab;
extern bool rx_has_canaries; /* true; false where another wrote to the buffers before */
/* Frames of the vector in hand: what they are made of, and how they are sent. */
extern uint8_t rx_bytes[RX_FRAMES][FRAME_MAX];
extern struct frame rx_frames[RX_FRAMES];
extern struct tx_frame rx_tx[RX_FRAMES];
/* What rx_receive() found. */
extern uint8_t rx_got[2 * FRAME_MAX];
extern struct rx_header rx_header;

/* Rings of each kind; what is to hold for all. */
extern const struct lab_shape rx_shapes[RX_SHAPES];
void rx_for_shapes(void (*check)(void));

void rx_start(const struct lab_shape *shape);
void rx_stop(void);

/* The guest.  A part of a buffer; a chain of parts of those lengths, in a table if so; buffers of one part. */
struct lab_part rx_canary(uint32_t n);
void rx_post_chain(const uint32_t *len, unsigned n, bool in_table);
void rx_post(uint32_t len, unsigned times);
/* The guest's memory of what it posted is kept; is as it was then. */
void rx_keep(void);
void rx_go_back(void);
/* The next frame, its length: rx_got and rx_header.  0: a buffer without a byte, of those that do not merge. */
uint32_t rx_receive(void);

/* The switch.  Frame i is made of rx_bytes[i]: in_snap of them in the snapshot, the rest in pieces; plain: of its number. */
struct frame *rx_make(unsigned i, uint32_t len, uint32_t in_snap, uint32_t piece);
struct frame *rx_make_plain(unsigned i, uint32_t len);
/* The next frame is that one, and its header says nothing. */
void rx_expect_plain(unsigned i, uint32_t len);
void rx_expect_none(void);

#endif
