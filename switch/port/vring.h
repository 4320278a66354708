/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vring: one virtqueue of a guest, split or packed (virtio 1.2, 2.7 and 2.8), seen from the device.
 *
 * A transmit ring gives frames (vring_take, vring_return), a receive ring takes them (vring_put).  Frames stay in the
 * guest's memory but for their heads, which are copied into the worker's scratch.
 *
 * Trust.  Everything in the guest's memory changes at any time.  Each field of a descriptor is read once, into our memory;
 * every address is looked up in the guest's regions; chains are bounded.  What does not fit is a dropped frame; a ring
 * whose indexes make no sense is broken: it stops, and the control thread hears of it.
 *
 * Restart.  `place` outlives the process: which descriptors were taken and which are marked used, written before the guest
 * can see it.  A new process goes on there: what was taken and not returned is returned, and lost, never sent twice.
 *
 * Threads.  Take and return are one worker's.  Put may be any worker's: `lock` is held for a call.  Start and stop are the
 * control thread's, while the mode is RING_STOPPED and after a grace period.
 */
#ifndef VFAB_PORT_VRING_H
#define VFAB_PORT_VRING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/port/guest_mem.h"
#include "switch/port/port.h"
#include "switch/port/scratch.h"

struct inflight_head;

/* Chains that were fetched. */
struct window {
	unsigned n;
	uint8_t *at[VEC_SIZE];	  /* of the only descriptor; NULL: gathered into iovecs, or bad */
	uint32_t bytes[VEC_SIZE]; /* of the whole chain */
	uint16_t id[VEC_SIZE];	  /* split: head.  packed: buffer id */
	uint16_t span[VEC_SIZE];  /* packed: slots it takes */
	uint16_t iov[VEC_SIZE];	  /* the first of its iovecs in the scratch */
	uint16_t iovs[VEC_SIZE];  /* how many; 0 and no at: the chain is bad */
};

enum { VRING_SIZE_MAX = 32768, VRING_CHAIN_MAX = 1024 };

/* Why a ring broke whose guest is to be disconnected: a call did not return. */
#define VRING_STUCK "its interrupt descriptor blocks"

enum vring_mode {
	RING_STOPPED, /* the guest's memory is not touched */
	RING_DISCARD, /* started, not enabled: a transmit ring is emptied, a receive ring is left alone */
	RING_ON,
	RING_BROKEN, /* indexes or descriptors made no sense; until it is started again */
};

/*
 * What is known of a ring after the process died; in the state region.  One store changes all of `used`.
 *   used   split: 1 << 48 | index.  packed: 1 << 48 | next slot, wrap in bit 15; and where chains were about to be marked
 *          used, 1 << 49 | slot of the first, wrap in bit 15 << 16
 *   taken  split: index.            packed: slot, wrap bit 15
 */
struct vring_place {
	_Atomic uint64_t used; /* 0: nothing is known */
	_Atomic uint32_t taken;
	uint32_t reserved;
};

struct vring {
	_Atomic uint8_t mode; /* enum vring_mode */
	/* Constant while it is not stopped. */
	bool is_transmit; /* the guest sends by it */
	bool is_packed, has_event_idx, is_in_order, has_mrg, has_indirect;
	uint8_t header;	      /* bytes of the virtio-net header: 12, or 10 */
	uint8_t can;	      /* enum offload_can: receive: what the guest takes; transmit: what it may send */
	uint16_t size;	      /* descriptors; a power of 2 when split */
	uint8_t *desc;	      /* 16 bytes each */
	uint8_t *driver;      /* split: available ring.  packed: driver event suppression */
	uint8_t *device;      /* split: used ring.       packed: device event suppression */
	const struct guest_mem *mem;
	struct vring_place *place;
	struct inflight_head *inflight; /* the front-end's own memory of the place; NULL: it has none */
	_Atomic bool *trouble;	   /* set when the ring breaks; then guest_guard_tell() */
	_Atomic int *call;	   /* eventfd of the guest's interrupt, -1: none */
	_Atomic int *err;	   /* eventfd by which it hears that the ring broke, -1: none */
	_Atomic(const char *) why; /* it broke; constant text */

	/* The worker's. */
	atomic_flag lock;
	_Atomic bool owes_error; /* it broke, and the guest was not told */
	_Atomic bool owes_call; /* entries were marked used by a process that died: the guest may wait for its interrupt */
	bool is_quiet;	    /* the guest was told not to kick */
	bool taken_wrap, used_wrap; /* packed: of the next slots */
	uint16_t taken;	    /* split: next index to take.  packed: next slot */
	uint16_t used;	    /* likewise, to be marked used */
	unsigned hint;	    /* span of guest_mem */
	/* Transmit: the window in hand, and one that was fetched ahead; `turn` is the next. */
	struct window window[2];
	unsigned turn;
	/* Chains of the vector in hand. */
	unsigned n_held;
	uint16_t held_id[VEC_SIZE];   /* split: head.  packed: buffer id */
	uint16_t held_span[VEC_SIZE]; /* packed: descriptors of the ring */
	/* Packed: descriptors that wait for being marked used: slot, wrap in bit 15; length, id and flags. */
	uint16_t mark_slot[VEC_SIZE];
	uint64_t mark_word[VEC_SIZE];
};

/*
 * Says at which index (split) or slot (packed, wrap in bit 15) the ring goes on.  known: place holds what a former process
 * left, and what that took and did not return is returned; else a split ring goes by what the guest sees as used.
 * The mode is RING_STOPPED.
 */
void vring_start(struct vring *r, uint16_t base, bool known);
/* Where it would go on, in the form of VHOST_USER_GET_VRING_BASE. */
uint16_t vring_base(const struct vring *r);

/* Takes up to max frames of a transmit ring into v; they stay held until vring_return().  In mode RING_DISCARD each is a drop. */
unsigned vring_take(struct vring *r, struct scratch *s, struct vec *v, unsigned max);
void vring_return(struct vring *r, struct scratch *s);

/* Writes n frames into the buffers of a receive ring, as port_ops.tx. */
unsigned vring_put(struct vring *r, struct scratch *s, struct tx_frame *t, unsigned n);

/* Writes to the guest's interrupt descriptor, if it has one; to that for errors, once after the ring broke.  A guest can let
 * such a write hang: only a worker does it, under the eyes of the watchdog. */
void call_guest(struct vring *r, struct scratch *s);
void tell_guest(struct vring *r, struct scratch *s);

/* Asks for a kick.  False: frames are there already. */
bool vring_arm(struct vring *r);
/* Asks for none, while it is polled. */
void vring_hush(struct vring *r);

#endif
