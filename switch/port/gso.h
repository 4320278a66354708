/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gso: does in software what an output cannot: segments TCP (v4, v6) and UDP, completes checksums.
 *
 * RFC 9293 (sequence numbers, FIN and PSH on the last segment only, CWR on the first only, RFC 3168
 * 6.1.2), RFC 768, IPv4 total length, identification and header checksum, IPv6 payload length.
 */
#ifndef VFAB_PORT_GSO_H
#define VFAB_PORT_GSO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/frame.h"

/* What an output takes as it is. */
enum offload_can { CAN_CSUM = 1, CAN_TSO4 = 2, CAN_TSO6 = 4, CAN_ECN = 8, CAN_USO = 16 };

/* True when an output with these abilities takes f unchanged. */
bool gso_passes(const struct frame *f, unsigned can);

/*
 * Gives each frame that f becomes to emit, headers and payload contiguous in buf (capacity bytes; at
 * least one segment must fit), checksums complete unless can says CAN_CSUM, in which case segments keep
 * partial checksums.  off of a segment: what is still to be done.  A frame without GSO gives one.
 * emit returns false when it did not take one, which ends it; the bytes are its own only for that call.  Returns how
 * many were taken; 0 also when buf is too small or f does not hold what its offload fields say.
 */
struct segment {
	const uint8_t *bytes;
	uint32_t len;
	struct offload off;
};
typedef bool (*gso_emit)(const struct segment *s, void *arg);
unsigned gso_segment(const struct frame *f, unsigned can, uint8_t *buf, size_t capacity,
		     gso_emit emit, void *arg);

/* The largest L2 payload (bytes after the Ethernet header) a receiver will see of f: the frame's, or a
 * segment's.  Compared with the MTU of the output. */
uint32_t gso_mtu_bytes(const struct frame *f);

#endif
