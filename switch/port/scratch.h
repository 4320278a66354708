/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scratch: the memory that one worker lends to the ports it polls: receive buffers for kinds that
 * have none of their own (tap), iovecs of bodies, and a place to build segments and headers in.
 * Nothing in it outlives a vector.
 */
#ifndef VFAB_PORT_SCRATCH_H
#define VFAB_PORT_SCRATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "switch/base/frame.h"

enum {
	RX_BURST = 64, /* receive buffers */
	/* Bytes of each: pages, and three cache lines more so that the heads of frames fall into different cache sets. */
	RX_STRIDE = ((FRAME_HEADROOM + FRAME_MAX + 4095) & ~4095) + 192,
	SCRATCH_IOVS = 4096,
	SEGMENT_BYTES = 128 * 1024, /* room for a frame gathered or segmented */
	/* Bytes of a snapshot of a frame that stays in a guest's memory: most need the short one, and the fewer pages these
	 * fill the better; both are an odd number of cache lines apart. */
	HEAD_BYTES = 128,
	HEAD_STRIDE = FRAME_HEADROOM + HEAD_BYTES + 64,
	HEAD_LONG_STRIDE = FRAME_HEADROOM + SNAP_MAX + 192,
};

struct scratch {
	uint8_t *rx; /* RX_BURST buffers of RX_STRIDE; the kernel gives pages on first use */
	struct iovec
		iov[SCRATCH_IOVS]; /* bodies of the vector in hand; rx starts again at iov[0] */
	unsigned iovs;
	uint8_t *segment; /* SEGMENT_BYTES */
	uint8_t *head;	    /* VEC_SIZE of HEAD_STRIDE: snapshots of up to HEAD_BYTES */
	uint8_t *head_long; /* VEC_SIZE of HEAD_LONG_STRIDE: of up to SNAP_MAX */
	bool calls_guests; /* a worker's: whose scratch does not, leaves the call to the worker of the queue */
	/* While the worker calls a guest, which may hang it: the ring, and how many calls there were.  The control thread looks. */
	_Atomic uintptr_t calling;
	_Atomic uint32_t calls;
	void (*on_call)(void); /* before each of them; NULL: nobody wants to know */
};

int scratch_init(struct scratch *s); /* 0 or -ENOMEM */
void scratch_fini(struct scratch *s);

#endif
