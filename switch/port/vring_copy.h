/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vring_copy: the copy of frames, inline for those of a few cache lines; for the files of vring alone. */
#ifndef VFAB_PORT_VRING_COPY_H
#define VFAB_PORT_VRING_COPY_H

#include <string.h>

#include "switch/port/vring_window.h"

enum { COPY_INLINE = 512 }; /* bytes; above it the C library copies */

/* struct virtio_net_hdr_mrg_rxbuf, virtio 1.2, 5.1.6; little-endian.  A legacy guest has no num_buffers. */
enum { HEADER_MAX = 12 };
struct vnet_header {
	struct offload off;
	uint16_t num_buffers;
};
_Static_assert(sizeof(struct vnet_header) == HEADER_MAX, "as in the guest's memory");

/* n bytes in pieces of fixed size, the last two of which may overlap. */
INLINE void copy_bytes(uint8_t *d, const uint8_t *s, uint32_t n)
{
	if (n >= LINE) {
		uint32_t i = 0;

		if (unlikely(n > COPY_INLINE)) {
			memcpy(d, s, n);
			return;
		}
		for (; i + LINE < n; i += LINE)
			__builtin_memcpy(d + i, s + i, LINE);
		__builtin_memcpy(d + n - LINE, s + n - LINE, LINE);
	} else if (n >= 32) {
		__builtin_memcpy(d, s, 32);
		__builtin_memcpy(d + n - 32, s + n - 32, 32);
	} else if (n >= 16) {
		__builtin_memcpy(d, s, 16);
		__builtin_memcpy(d + n - 16, s + n - 16, 16);
	} else {
		for (uint32_t i = 0; i < n; i++)
			d[i] = s[i];
	}
}

#endif
