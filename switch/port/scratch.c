/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scratch: the memory that one worker lends to the ports it polls.
 *
 * Each worker makes one before its first turn.  The buffers are address space without reserve:
 * a page costs memory from its first byte on, and the tail of a buffer, which only 64 KiB frames
 * reach, often never does.  Huge pages would undo that, so they are declined.
 */
#include "switch/port/scratch.h"

#include <errno.h>
#include <sys/mman.h>

static uint8_t *map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Refused by kernels without huge pages, and then not needed. */
	madvise(p, bytes, MADV_NOHUGEPAGE);
	return p;
}

int scratch_init(struct scratch *s)
{
	/* iov[] needs no value, and writing one would cost its pages. */
	s->iovs = 0;
	s->rx = map((size_t)RX_BURST * RX_STRIDE);
	s->segment = map(SEGMENT_BYTES);
	s->head = map((size_t)VEC_SIZE * HEAD_STRIDE);
	s->head_long = map((size_t)VEC_SIZE * HEAD_LONG_STRIDE);
	if (s->rx && s->segment && s->head && s->head_long)
		return 0;
	scratch_fini(s);
	return -ENOMEM;
}

void scratch_fini(struct scratch *s)
{
	if (s->rx)
		munmap(s->rx, (size_t)RX_BURST * RX_STRIDE);
	if (s->segment)
		munmap(s->segment, SEGMENT_BYTES);
	if (s->head)
		munmap(s->head, (size_t)VEC_SIZE * HEAD_STRIDE);
	if (s->head_long)
		munmap(s->head_long, (size_t)VEC_SIZE * HEAD_LONG_STRIDE);
	s->rx = NULL;
	s->segment = NULL;
	s->head = NULL;
	s->head_long = NULL;
}
