/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring_lab: one ring of a guest in this process, without a device or a socket around it, for cmocka tests of vring.
 *
 * The lab has both sides: struct vring as the device has it, and a driver that makes chains available and reaps what is used.
 * The driver is honest: what the device marks used has to be what was made available, in that order, or the test fails.  A
 * hostile guest is written over it, descriptor by descriptor (lab_desc, lab_at).
 *
 * Memory.  Three regions: two that touch and one behind a hole.  Each, and each part of the ring, is an allocation of its exact
 * size, so that a sanitizer sees the first byte outside.
 */
#ifndef VFAB_TESTS_RING_LAB_H
#define VFAB_TESTS_RING_LAB_H

#include "switch/port/vring.h"

enum { LAB_NEXT = 1, LAB_WRITE = 2, LAB_INDIRECT = 4 };
enum { LAB_AVAIL = 1 << 7, LAB_USED = 1 << 15, LAB_WRAP = 1 << 15 }; /* packed */
enum { LAB_SMALL_BYTES = 0x10000, LAB_HOLE_BYTES = 0x100000 };
#define LAB_GPA	      0x40000000ULL
#define LAB_BYTES     (8ULL << 20)
#define LAB_ADJACENT  (LAB_GPA + LAB_BYTES)		     /* LAB_SMALL_BYTES */
#define LAB_HOLE      (LAB_ADJACENT + LAB_SMALL_BYTES)	     /* LAB_HOLE_BYTES */
#define LAB_FAR	      (LAB_HOLE + LAB_HOLE_BYTES)	     /* LAB_SMALL_BYTES */
#define LAB_ALL_CAN   0x1f				     /* every enum offload_can */

struct lab_shape {
	bool is_packed, is_in_order, has_event_idx, has_mrg, has_indirect;
	uint8_t header, can;
	uint16_t size, base; /* descriptors; index (split) or slot at which it begins */
};

struct lab_part { /* one descriptor of a chain */
	uint64_t gpa;
	uint32_t len;
	uint16_t flags; /* NEXT is the lab's to add */
};

struct lab_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t third, last; /* split: flags, next.  packed: id, flags */
};

struct ring_lab {
	struct vring r;
	struct vring_place place; /* outlives r */
	struct inflight_head *inflight; /* likewise; NULL: the front-end keeps none */
	struct guest_mem mem;
	struct scratch scratch;
	struct vec vec;
	_Atomic bool trouble;
	_Atomic int call, err;
	struct lab_shape shape;
	bool is_transmit;
	/* The parts of the ring: descriptors, driver's, device's; and how long they are. */
	uint8_t *part[3];
	size_t part_bytes[3];
	uint64_t brk; /* guest memory is given out up to here */

	/* The driver's. */
	uint16_t *order;	 /* by place in the ring: descriptor (split), buffer id (packed) */
	uint16_t next, n_free;	 /* place of the next descriptor */
	uint16_t avail_idx;	 /* split */
	uint16_t used_next;	 /* split: index.  packed: slot */
	bool avail_wrap, used_wrap;
	struct lab_out { /* chains that are not used yet, oldest first, modulo size */
		uint16_t id, span;
	} *out;
	unsigned out_first, out_end;
	unsigned n_batch; /* in order: this many more are used */
	uint32_t batch_len;
};

struct ring_lab *lab_create(const struct lab_shape *shape, bool is_transmit);
void lab_destroy(struct ring_lab *l);
/* Another process takes the ring over: nothing of struct vring is left but what `place` and the guest's memory say. */
void lab_restart(struct ring_lab *l);

/* Guest memory: new, at any address; all of it again; where it is here. */
uint64_t lab_alloc(struct ring_lab *l, uint32_t bytes);
void lab_alloc_all(struct ring_lab *l);
void *lab_at(const struct ring_lab *l, uint64_t gpa);

/* Makes a chain available; its id, -1: the ring is full. */
int lab_put(struct ring_lab *l, const struct lab_part *part, unsigned n);
/* A table of descriptors in guest memory, and the one that refers to it. */
struct lab_part lab_table(struct ring_lab *l, const struct lab_part *part, unsigned n);
/* The next used chain.  *len: UINT32_MAX where one entry of a batch in order spoke for it. */
bool lab_used(struct ring_lab *l, uint16_t *id, uint32_t *len);
bool lab_has_used(struct ring_lab *l);
unsigned lab_used_all(struct ring_lab *l); /* how many */
struct lab_desc *lab_desc(const struct ring_lab *l, unsigned at);
/* What the driver writes for the device to be told: NULL where the shape has no such field. */
uint16_t *lab_used_event(const struct ring_lab *l);
uint16_t *lab_avail_event(const struct ring_lab *l);

/* The device. */
unsigned lab_take(struct ring_lab *l);
void lab_return(struct ring_lab *l);
unsigned lab_tx(struct ring_lab *l, struct tx_frame *t, unsigned n); /* vring_put() */
bool lab_is_broken(const struct ring_lab *l);

/* A frame of a number: its bytes are known by it. */
void lab_fill(uint8_t *bytes, uint32_t n, unsigned number);
/* The guest has it in its memory, behind an empty header: where.  The device took it, all of it. */
uint64_t lab_write_frame(struct ring_lab *l, unsigned number, uint32_t len);
void lab_expect_frame(const struct frame *f, unsigned number, uint32_t len);

#endif
