/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * room: address space, touched on use.
 *
 * Huge pages.  At ten million sessions the tables are a gigabyte, and with pages of 4 KiB each look-up waits for page tables
 * as well.  But the first touch of a huge page clears two megabytes: 0.1 ms on bare metal, more in a guest whose host has to find
 * them.  So small tables have none, and for large ones the control thread touches pages before a worker needs them.
 */
#include "nat/room.h"

#include <stdint.h>
#include <sys/mman.h>

enum { HUGE_BYTES = 2 << 20 };

#ifndef MADV_POPULATE_WRITE /* Linux 5.14; glibc of Debian 12 has it */
#define MADV_POPULATE_WRITE 23
#endif

void *room_take(size_t bytes)
{
	uint8_t *room = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return room == MAP_FAILED ? NULL : room;
}

void room_put(void *room, size_t bytes)
{
	if (room)
		munmap(room, bytes);
}

/* The first address at or behind p where a huge page may begin. */
static uintptr_t round_up(uintptr_t p)
{
	return (p + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
}

void room_widen(void *room, size_t from, size_t bytes)
{
	uintptr_t first = round_up((uintptr_t)room + from), end = (uintptr_t)room + bytes;

	/* Without it everything works, only slower. */
	if (first < end)
		madvise((void *)first, end - first, MADV_HUGEPAGE);
}

void room_touch(void *room, size_t from, size_t bytes)
{
	uintptr_t first = round_up((uintptr_t)room + from), end = (uintptr_t)room + bytes;

	/* Whole huge pages only.  Without it the worker finds the page itself. */
	if (first < end)
		madvise((void *)first, round_up(end) - first, MADV_POPULATE_WRITE);
}
