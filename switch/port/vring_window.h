/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vring_window: a window of chains, and how a guest's memory is read and written; for the files of vring alone. */
#ifndef VFAB_PORT_VRING_WINDOW_H
#define VFAB_PORT_VRING_WINDOW_H

#include <endian.h>

#include "switch/base/isa.h"
#include "switch/base/stage.h"
#include "switch/port/vring.h"

#define INLINE	    static inline __attribute__((always_inline))
#define unlikely(x) __builtin_expect(!!(x), 0)
#define likely(x)   __builtin_expect(!!(x), 1)

enum { DESC_BYTES = 16, DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };
enum { DESC_AVAIL = 1 << 7, DESC_USED = 1 << 15 }; /* packed */
enum { LINE = 64 };


/* A descriptor as it was read: nobody reads the guest's again. */
struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t id; /* split: next.  packed: of the buffer */
};

/* Stops the ring: what the guest wrote makes no sense.  why: a constant. */
void ring_break(struct vring *r, const char *why);

/* Gathers the chain of window place i, whose first descriptor is d, into iovecs of the scratch; a bad one has none.
 * Packed: it begins at that slot.  False: it does not end. */
void gather_split(struct vring *r, struct scratch *s, struct window *w, unsigned i, struct desc d);
bool gather_packed(struct vring *r, struct scratch *s, struct window *w, unsigned i, unsigned slot,
		   struct desc d);

INLINE uint16_t load16(const void *p)
{
	return le16toh(__atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED));
}

INLINE uint16_t load16_acquire(const void *p)
{
	return le16toh(__atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE));
}

INLINE void store16(void *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)p, htole16(v), __ATOMIC_RELAXED);
}

INLINE void store16_release(void *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)p, htole16(v), __ATOMIC_RELEASE);
}

INLINE void store32(void *p, uint32_t v)
{
	__atomic_store_n((uint32_t *)p, htole32(v), __ATOMIC_RELAXED);
}

INLINE void store64_release(void *p, uint64_t v)
{
	__atomic_store_n((uint64_t *)p, htole64(v), __ATOMIC_RELEASE);
}

INLINE void store64(void *p, uint64_t v)
{
	__atomic_store_n((uint64_t *)p, htole64(v), __ATOMIC_RELAXED);
}

/* Descriptors of both formats are 16 bytes: address, length, and two halves that trade places.  Packed: the flags, which make
 * the rest valid, come with the first load. */
INLINE struct desc load_desc(const uint8_t *p, bool packed)
{
	uint64_t high = le64toh(__atomic_load_n((const uint64_t *)p + 1, __ATOMIC_ACQUIRE));
	uint64_t low = le64toh(__atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED));
	uint16_t third = (uint16_t)(high >> 32), last = (uint16_t)(high >> 48);

	return (struct desc){.addr = low,
			     .len = (uint32_t)high,
			     .flags = packed ? last : third,
			     .id = packed ? third : last};
}

INLINE bool is_available(uint16_t flags, bool wrap)
{
	return !!(flags & DESC_AVAIL) == wrap && !!(flags & DESC_USED) != wrap;
}

INLINE uint8_t *slot_of(const struct vring *r, unsigned slot)
{
	return r->desc + (size_t)slot * DESC_BYTES;
}

#endif
