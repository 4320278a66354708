/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ring: records of any length from one producer thread to one consumer thread.
 *
 * The producer reserves, fills and commits; a record is contiguous and 8-byte aligned.  When there is no
 * room the reservation fails and ring->lost counts it: the producer never waits.
 *
 * Limits.  A record has at most size / 2 - 8 bytes, so that it fits into an empty ring wherever that begins.
 */
#ifndef VFAB_BASE_RING_H
#define VFAB_BASE_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	uint8_t *mem;            /* size bytes, a power of two */
	size_t size;
	_Alignas(64) _Atomic size_t head; /* producer: bytes written, ever */
	size_t reserved;         /* producer: bytes of the open reservation, padding included */
	_Atomic uint64_t lost;   /* records that had no room */
	_Alignas(64) _Atomic size_t tail; /* consumer: bytes read, ever */
};

struct ring *ring_create(size_t size); /* NULL without memory or when size is not a power of two >= 64 */
void ring_destroy(struct ring *ring);

void *ring_reserve(struct ring *ring, size_t bytes); /* NULL: no room, counted as lost */
void ring_commit(struct ring *ring, size_t bytes);   /* bytes <= reserved; makes it visible */

/* The oldest record and its length, or NULL.  It stays valid until ring_pop(). */
const void *ring_peek(struct ring *ring, size_t *bytes);
void ring_pop(struct ring *ring);

#endif
