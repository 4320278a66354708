/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcapng: the blocks of a capture file (draft-ietf-opsawg-pcapng), in this machine's byte order.
 *
 * Each function writes one whole block to buf, which has PCAPNG_BLOCK_MAX bytes (for a frame:
 * its bytes more), and returns its length, a multiple of 4.  Pure.
 */
#ifndef VFAB_SWITCH_PCAPNG_H
#define VFAB_SWITCH_PCAPNG_H

#include <stddef.h>
#include <stdint.h>

enum {
	PCAPNG_TEXT_MAX = 255,	/* bytes of a name or comment; what is longer is cut */
	PCAPNG_BLOCK_MAX = 512, /* bytes of a block without frame bytes */
};

enum pcapng_direction { PCAPNG_INBOUND = 1, PCAPNG_OUTBOUND = 2 };

/* Section header: who wrote it. */
size_t pcapng_section(uint8_t *buf, const char *application);

/* Interface of type Ethernet, nanoseconds.  Interfaces are numbered from 0 in the order of their blocks. */
size_t pcapng_interface(uint8_t *buf, const char *name, uint32_t snaplen);

struct pcapng_packet {
	uint32_t interface;
	uint64_t time_ns;      /* since 1970 */
	const void *bytes;     /* cap_len of them */
	uint32_t cap_len, len; /* bytes kept, and of the frame */
	enum pcapng_direction direction;
	const char *comment; /* "": none */
};
size_t pcapng_packet(uint8_t *buf, const struct pcapng_packet *p);

/* Interface statistics, at the end: frames that were written and frames that were lost before. */
struct pcapng_statistics {
	uint32_t interface;
	uint64_t start_ns, end_ns;
	uint64_t written, lost;
};
size_t pcapng_statistics(uint8_t *buf, const struct pcapng_statistics *s);

#endif
