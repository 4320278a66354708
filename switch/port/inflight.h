/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inflight: the area that a front-end keeps for its back-end, so that another back-end knows where each ring was.
 *
 * QEMU docs/interop/vhost-user.rst, "Inflight I/O tracking".  A memfd of ours, sealed so that it cannot shrink under us:
 *
 *   | ring 0: head, then an entry for each descriptor | to the next 64 bytes | ring 1 ... |
 *
 * Frames are returned in the order in which they were taken, so the entries stay as they are made and the head alone is used.
 *
 * Trust.  The front-end has it mapped too and may write at any time: a head is a hint, each field is read once.
 */
#ifndef VFAB_PORT_INFLIGHT_H
#define VFAB_PORT_INFLIGHT_H

#include "switch/port/vhost.h"

/* An inflight description, as on the socket. */
struct inflight_area {
	uint64_t bytes, offset;
	uint16_t queues; /* rings */
	uint16_t size;	 /* descriptors of each */
};

struct inflight_head {
	uint64_t features; /* 0 */
	uint16_t version;  /* 1 */
	uint16_t desc_num;
	union {
		struct {
			uint16_t last_batch_head;
			_Atomic uint16_t used_idx;
		} split; /* entries follow at 16 */
		struct {
			uint16_t free_head, old_free_head;
			_Atomic uint16_t used_idx, old_used_idx;
			_Atomic uint8_t used_wrap_counter, old_used_wrap_counter;
			uint8_t padding[7];
		} packed; /* entries follow at 32 */
	};
};

/* A new area for queues rings of size descriptors, every ring at its start.  A descriptor and *area, or -errno. */
int inflight_create(uint16_t queues, uint16_t size, bool is_packed, struct inflight_area *area);

/* Maps an area in place of the one that vh has: vh->inflight and now.inflight_*.  Takes fd when it returns 0; else -errno with
 * the reason and the old one stands.  The rings are stopped. */
int inflight_take(struct vhost *vh, int fd, const struct inflight_area *area,
		  char why[static GUEST_WHY_SIZE]);
/* Unmaps it, closes the descriptor, clears now.inflight_*.  The rings are stopped. */
void inflight_drop(struct vhost *vh);

/* The head of a ring.  NULL: there is none, or it does not fit what was negotiated since. */
struct inflight_head *inflight_ring(const struct vhost *vh, unsigned ring);

#endif
