/* SPDX-License-Identifier: GPL-2.0-or-later */
/* load_frame: the frames of a load between guests; see load_frame.h. */
#include "tests/lib/load_frame.h"

#include <string.h>

#include "tests/lib/front_end.h"

enum { ETHERNET = 14, IPV4 = 20, UDP = 8, TCP = 20, PORT = 1024, ODD = 0x9e3779b9 };

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Looks random, and is the same each time for the same guest and flow (the mixing of splitmix64). */
static void put_mac(uint8_t *p, unsigned who, unsigned flow)
{
	uint64_t x = ((uint64_t)who << 32 | flow) + ODD;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	x ^= x >> 31;
	p[0] = 0x02;
	memcpy(p + 1, &x, 5);
}

static unsigned sum16(const uint8_t *p, unsigned bytes, unsigned sum)
{
	for (unsigned i = 0; i < bytes; i += 2)
		sum += (unsigned)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

unsigned load_frame_headers(const struct load_frame *l)
{
	return ETHERNET + (l->vid ? LOAD_TAG : 0) + IPV4 + (l->is_tso ? TCP : UDP);
}

void load_frame_make(const struct load_frame *l, uint8_t head[static LOAD_HEAD])
{
	const uint8_t ip[IPV4] = {0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, l->is_tso ? 6 : 17};
	unsigned ip_bytes = l->bytes - ETHERNET - (l->vid ? LOAD_TAG : 0);
	uint8_t *p = head;

	memset(head, 0, LOAD_HEAD);
	put_mac(p, l->to, l->flow);
	put_mac(p + 6, l->from, l->flow);
	p += 12;
	if (l->vid) {
		put16(p, 0x8100);
		put16(p + 2, l->vid);
		p += LOAD_TAG;
	}
	put16(p, 0x0800);
	p += 2;
	memcpy(p, ip, sizeof(ip));
	put16(p + 2, ip_bytes);
	p[12] = p[16] = 10;
	p[13] = (uint8_t)l->from;
	put16(p + 14, l->flow);
	p[17] = (uint8_t)l->to;
	put16(p + 18, l->flow);
	put16(p + 10, ~sum16(p, IPV4, 0));
	put16(p + IPV4, PORT);
	put16(p + IPV4 + 2, PORT);
	if (!l->is_tso) {
		put16(p + IPV4 + 4, ip_bytes - IPV4); /* and no checksum */
		return;
	}
	p[IPV4 + 12] = TCP / 4 << 4;
	p[IPV4 + 13] = 0x10; /* ACK */
	/* That of the pseudo-header: the checksum is partial. */
	put16(p + IPV4 + 16, sum16(p + 12, 8, 6 + ip_bytes - IPV4));
}

void load_frame_offload(const struct load_frame *l, uint8_t *header)
{
	unsigned headers = load_frame_headers(l);

	memset(header, 0, FE_HEADER);
	if (!l->is_tso)
		return;
	header[0] = 1; /* VIRTIO_NET_HDR_F_NEEDS_CSUM */
	header[1] = 1; /* VIRTIO_NET_HDR_GSO_TCPV4 */
	header[2] = (uint8_t)headers;
	header[4] = LOAD_MSS & 0xff;
	header[5] = LOAD_MSS >> 8;
	header[6] = (uint8_t)(headers - TCP);
	header[8] = 16;
}

static uint64_t word_at(uint64_t first, uint32_t i)
{
	return i == 0 ? first : (first + i) * 0x9e3779b97f4a7c15ULL;
}

void load_data_write(uint8_t *data, uint32_t bytes, uint64_t first)
{
	for (uint32_t at = 0; at < bytes; at += sizeof(first)) {
		uint64_t word = word_at(first, at / (uint32_t)sizeof(first));

		memcpy(data + at, &word, bytes - at < sizeof(word) ? bytes - at : sizeof(word));
	}
}

bool load_data_is(const uint8_t *data, uint32_t bytes, uint64_t first)
{
	for (uint32_t at = 0; at < bytes; at += sizeof(first)) {
		uint64_t word = word_at(first, at / (uint32_t)sizeof(first));

		if (memcmp(data + at, &word, bytes - at < sizeof(word) ? bytes - at : sizeof(word)))
			return false;
	}
	return true;
}
