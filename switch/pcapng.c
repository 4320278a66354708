/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcapng: the blocks of a capture file (draft-ietf-opsawg-pcapng), in this machine's byte order.
 *
 * Called by the writer thread of capture.c.  A block is type, length, body, options, length again;
 * everything is padded to 4 bytes:
 *
 *      type | length | fixed fields | code len value pad | ... | end of options | length
 *
 * Written: section header (4.1), interface description (4.2), enhanced packet (4.3), interface
 * statistics (4.6).  Readers swap bytes where they must, so the native order is the cheap one.
 */
#include "switch/pcapng.h"

#include <string.h>

enum block {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6
};

enum option {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	EPB_FLAGS = 2,
	ISB_STARTTIME = 2,
	ISB_ENDTIME = 3,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
};

enum { LINKTYPE_ETHERNET = 1, TSRESOL_NS = 9, BYTE_ORDER_MAGIC = 0x1a2b3c4d };

struct out {
	uint8_t *start, *at;
};

static void put(struct out *o, const void *bytes, size_t n)
{
	static const uint8_t zero[4];

	memcpy(o->at, bytes, n);
	o->at += n;
	memcpy(o->at, zero, -n & 3);
	o->at += -n & 3;
}

static void put16s(struct out *o, uint16_t a, uint16_t b)
{
	uint16_t both[2] = {a, b};

	put(o, both, sizeof(both));
}

static void put32(struct out *o, uint32_t v)
{
	put(o, &v, sizeof(v));
}

/* Times are two words, the upper one first, whatever the byte order (4.3). */
static void put_time(struct out *o, uint64_t ns)
{
	put32(o, (uint32_t)(ns >> 32));
	put32(o, (uint32_t)ns);
}

static void put_option(struct out *o, enum option code, const void *value, size_t n)
{
	put16s(o, (uint16_t)code, (uint16_t)n);
	put(o, value, n);
}

static void put_text(struct out *o, enum option code, const char *text)
{
	size_t n = strnlen(text, PCAPNG_TEXT_MAX);

	if (n > 0)
		put_option(o, code, text, n);
}

static void put_counter(struct out *o, enum option code, uint64_t value)
{
	put_option(o, code, &value, sizeof(value));
}

static struct out begin(uint8_t *buf, enum block type)
{
	struct out o = {.start = buf, .at = buf};

	put32(&o, (uint32_t)type);
	put32(&o, 0); /* the length, in end() */
	return o;
}

static size_t end(struct out *o)
{
	uint32_t length;

	put16s(o, OPT_END, 0);
	length = (uint32_t)(o->at - o->start) + (uint32_t)sizeof(length);
	put32(o, length);
	memcpy(o->start + sizeof(uint32_t), &length, sizeof(length));
	return length;
}

size_t pcapng_section(uint8_t *buf, const char *application)
{
	struct out o = begin(buf, BLOCK_SECTION);
	uint64_t unknown = UINT64_MAX; /* the section ends with the file */

	put32(&o, BYTE_ORDER_MAGIC);
	put16s(&o, 1, 0); /* version of the format */
	put(&o, &unknown, sizeof(unknown));
	put_text(&o, SHB_USERAPPL, application);
	return end(&o);
}

size_t pcapng_interface(uint8_t *buf, const char *name, uint32_t snaplen)
{
	struct out o = begin(buf, BLOCK_INTERFACE);
	uint8_t resolution = TSRESOL_NS;

	put16s(&o, LINKTYPE_ETHERNET, 0);
	put32(&o, snaplen);
	put_text(&o, IF_NAME, name);
	put_option(&o, IF_TSRESOL, &resolution, 1);
	return end(&o);
}

size_t pcapng_packet(uint8_t *buf, const struct pcapng_packet *p)
{
	struct out o = begin(buf, BLOCK_PACKET);
	uint32_t flags = (uint32_t)p->direction;

	put32(&o, p->interface);
	put_time(&o, p->time_ns);
	put32(&o, p->cap_len);
	put32(&o, p->len);
	put(&o, p->bytes, p->cap_len);
	put_text(&o, OPT_COMMENT, p->comment);
	put_option(&o, EPB_FLAGS, &flags, sizeof(flags));
	return end(&o);
}

size_t pcapng_statistics(uint8_t *buf, const struct pcapng_statistics *s)
{
	struct out o = begin(buf, BLOCK_STATISTICS);
	uint32_t start[2] = {(uint32_t)(s->start_ns >> 32), (uint32_t)s->start_ns};
	uint32_t stop[2] = {(uint32_t)(s->end_ns >> 32), (uint32_t)s->end_ns};

	put32(&o, s->interface);
	put_time(&o, s->end_ns);
	put_option(&o, ISB_STARTTIME, start, sizeof(start));
	put_option(&o, ISB_ENDTIME, stop, sizeof(stop));
	put_counter(&o, ISB_IFRECV, s->written + s->lost);
	put_counter(&o, ISB_IFDROP, s->lost);
	return end(&o);
}
