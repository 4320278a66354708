/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire: reads and writes DHCP messages.
 *
 * How it fits.  dhcp/client.c calls it, and of the server server.c (reader) and reply.c (writer).
 *
 * Theory of operation.  Options may lie in three areas, in this order (RFC 3396 5), and the pieces of one anywhere among them:
 *
 *      | BOOTP fields ... sname (64) | file (128) | cookie | options ... END |
 *                         '- third    '- second             '- first
 *
 * The areas are walked twice with the same steps: the first walk adds up how long each option is, which tells where it goes in
 * value[]; the second copies.  All options together are shorter than the message, so they fit.
 *
 * RFC 2131 2, 4.1; RFC 2132; RFC 3396; RFC 768, RFC 791.
 *
 * Trust.  Bytes and lengths are anybody's on that segment.  An option that reaches over the end of its area makes the whole message
 * one that is not read: what follows would be guesswork.
 */
#include "dhcp/wire.h"

#include <assert.h>
#include <string.h>

#include "switch/base/csum.h"

enum {
	ETHERNET = 1,
	MAC_BYTES = 6,
	HTYPE_AT = 1,
	HLEN_AT = 2,
	CHADDR_AT = 28,
	SNAME_AT = 44,
	SNAME_BYTES = 64,
	FILE_AT = 108,
	FILE_BYTES = 128,
	AREAS = 3,
	OPTION_MAX = 255,
	OVERLOAD_FILE = 1,
	OVERLOAD_SNAME = 2,
};

static const struct {
	uint8_t at, bytes, bit;
} fields[DHCP_FIELDS] = {
	[DHCP_FILE] = {FILE_AT, FILE_BYTES, OVERLOAD_FILE},
	[DHCP_SNAME] = {SNAME_AT, SNAME_BYTES, OVERLOAD_SNAME},
};

static const uint8_t cookie[4] = {99, 130, 83, 99};

static uint16_t read_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t read_u32(const uint8_t *p)
{
	return (uint32_t)read_u16(p) << 16 | read_u16(p + 2);
}

static void write_u16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void write_u32(uint8_t *p, uint32_t v)
{
	write_u16(p, v >> 16);
	write_u16(p + 2, v);
}

struct ip dhcp_ip(const uint8_t b[static 4])
{
	return (struct ip){{[10] = 0xff, [11] = 0xff, b[0], b[1], b[2], b[3]}};
}

static const uint8_t *four(const struct ip *ip)
{
	return ip->b + 12;
}

bool dhcp_ip_is_zero(const struct ip *ip)
{
	return read_u32(four(ip)) == 0;
}

bool dhcp_ip_is_unicast(const struct ip *ip)
{
	return four(ip)[0] != 0 && four(ip)[0] != 127 && four(ip)[0] < 224;
}

/* --- Reader --- */

struct area {
	const uint8_t *bytes;
	size_t n;
};

/* One option after another; false at the end, which is bad when the area ended within one. */
static bool next_option(struct area *a, uint8_t *option, struct area *value, bool *is_bad)
{
	while (a->n > 0 && a->bytes[0] == DHCP_OPT_PAD) {
		a->bytes++;
		a->n--;
	}
	if (a->n == 0 || a->bytes[0] == DHCP_OPT_END)
		return false;
	if (a->n < 2 || a->n - 2 < a->bytes[1]) {
		*is_bad = true;
		return false;
	}
	*option = a->bytes[0];
	*value = (struct area){a->bytes + 2, a->bytes[1]};
	a->bytes += 2 + value->n;
	a->n -= 2 + value->n;
	return true;
}

/* Which areas hold options; overload itself is only looked for in the first (RFC 2132 9.3). */
static unsigned find_areas(const uint8_t *bytes, size_t n, struct area area[static AREAS])
{
	struct area walk, value;
	unsigned overload = 0, areas = 0;
	bool is_bad = false;
	uint8_t option;

	area[areas++] = (struct area){bytes + DHCP_OPTIONS_AT, n - DHCP_OPTIONS_AT};
	walk = area[0];
	while (next_option(&walk, &option, &value, &is_bad))
		if (option == DHCP_OPT_OVERLOAD && value.n == 1)
			overload = value.bytes[0];
	if (overload & OVERLOAD_FILE)
		area[areas++] = (struct area){bytes + FILE_AT, FILE_BYTES};
	if (overload & OVERLOAD_SNAME)
		area[areas++] = (struct area){bytes + SNAME_AT, SNAME_BYTES};
	return areas;
}

static bool measure(struct dhcp_message *m, const struct area *area, unsigned areas)
{
	bool is_bad = false;
	uint16_t at = 0;

	memset(m->len, 0, sizeof(m->len));
	memset(m->has, 0, sizeof(m->has));
	for (unsigned i = 0; i < areas; i++) {
		struct area walk = area[i], value;
		uint8_t option;

		while (next_option(&walk, &option, &value, &is_bad)) {
			m->len[option] = (uint16_t)(m->len[option] + value.n);
			m->has[option / 8] |= (uint8_t)(1 << option % 8);
		}
	}
	for (unsigned i = 0; i < 256; i++) {
		m->at[i] = at;
		at = (uint16_t)(at + m->len[i]);
	}
	return !is_bad;
}

static void collect(struct dhcp_message *m, const struct area *area, unsigned areas)
{
	uint16_t done[256] = {0};
	bool is_bad = false;

	for (unsigned i = 0; i < areas; i++) {
		struct area walk = area[i], value;
		uint8_t option;

		while (next_option(&walk, &option, &value, &is_bad)) {
			memcpy(m->value + m->at[option] + done[option], value.bytes, value.n);
			done[option] = (uint16_t)(done[option] + value.n);
		}
	}
}

static void read_header(struct dhcp_header *h, const uint8_t *p)
{
	h->op = p[0];
	h->hops = p[3];
	h->xid = read_u32(p + 4);
	h->secs = read_u16(p + 8);
	h->flags = read_u16(p + 10);
	h->ciaddr = dhcp_ip(p + 12);
	h->yiaddr = dhcp_ip(p + 16);
	h->siaddr = dhcp_ip(p + 20);
	h->giaddr = dhcp_ip(p + 24);
	memcpy(h->chaddr.b, p + CHADDR_AT, sizeof(h->chaddr.b));
}

bool dhcp_read(struct dhcp_message *m, const uint8_t *bytes, size_t n)
{
	struct area area[AREAS];
	const uint8_t *type;
	unsigned areas;
	uint16_t len;

	if (n < DHCP_OPTIONS_AT || n > DHCP_MAX_BYTES || bytes[HTYPE_AT] != ETHERNET ||
	    bytes[HLEN_AT] != MAC_BYTES ||
	    memcmp(bytes + DHCP_FIXED_BYTES, cookie, sizeof(cookie)) != 0)
		return false;
	areas = find_areas(bytes, n, area);
	if (!measure(m, area, areas))
		return false;
	collect(m, area, areas);
	read_header(&m->h, bytes);
	type = dhcp_get(m, DHCP_OPT_TYPE, &len);
	if (type && len != 1)
		return false;
	m->type = type ? type[0] : 0;
	return true;
}

const uint8_t *dhcp_get(const struct dhcp_message *m, uint8_t option, uint16_t *len)
{
	if (!(m->has[option / 8] & 1 << option % 8))
		return NULL;
	*len = m->len[option];
	return m->value + m->at[option];
}

bool dhcp_get_u16(const struct dhcp_message *m, uint8_t option, uint16_t *out)
{
	uint16_t len;
	const uint8_t *p = dhcp_get(m, option, &len);

	if (!p || len != 2)
		return false;
	*out = read_u16(p);
	return true;
}

bool dhcp_get_u32(const struct dhcp_message *m, uint8_t option, uint32_t *out)
{
	uint16_t len;
	const uint8_t *p = dhcp_get(m, option, &len);

	if (!p || len != 4)
		return false;
	*out = read_u32(p);
	return true;
}

unsigned dhcp_get_ips(const struct dhcp_message *m, uint8_t option, struct ip *out, unsigned max)
{
	uint16_t len;
	const uint8_t *p = dhcp_get(m, option, &len);
	unsigned n = 0;

	if (!p || len % 4)
		return 0;
	for (; n < max && n < len / 4u; n++)
		out[n] = dhcp_ip(p + (size_t)n * 4);
	return n;
}

/* --- Writer --- */

static uint8_t *take(struct dhcp_writer *w, size_t n)
{
	if (w->is_full || w->size - w->n < n) {
		w->is_full = true;
		return NULL;
	}
	w->n += n;
	return w->bytes + w->n - n;
}

void dhcp_write_begin(struct dhcp_writer *w, uint8_t *bytes, size_t size,
		      const struct dhcp_header *h, enum dhcp_type type)
{
	uint8_t *p, word = (uint8_t)type;

	*w = (struct dhcp_writer){.bytes = bytes, .size = size};
	p = take(w, DHCP_OPTIONS_AT);
	if (!p)
		return;
	memset(p, 0, DHCP_OPTIONS_AT);
	p[0] = h->op;
	p[HTYPE_AT] = ETHERNET;
	p[HLEN_AT] = MAC_BYTES;
	p[3] = h->hops;
	write_u32(p + 4, h->xid);
	write_u16(p + 8, h->secs);
	write_u16(p + 10, h->flags);
	memcpy(p + 12, four(&h->ciaddr), 4);
	memcpy(p + 16, four(&h->yiaddr), 4);
	memcpy(p + 20, four(&h->siaddr), 4);
	memcpy(p + 24, four(&h->giaddr), 4);
	memcpy(p + CHADDR_AT, h->chaddr.b, sizeof(h->chaddr.b));
	memcpy(p + DHCP_FIXED_BYTES, cookie, sizeof(cookie));
	dhcp_write(w, DHCP_OPT_TYPE, &word, 1);
}

void dhcp_write(struct dhcp_writer *w, uint8_t option, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;

	do {
		size_t now = n < OPTION_MAX ? n : OPTION_MAX;
		uint8_t *p = take(w, 2 + now);

		if (!p)
			return;
		p[0] = option;
		p[1] = (uint8_t)now;
		memcpy(p + 2, from, now);
		from += now;
		n -= now;
	} while (n > 0);
}

void dhcp_write_u16(struct dhcp_writer *w, uint8_t option, uint16_t v)
{
	uint8_t b[2];

	write_u16(b, v);
	dhcp_write(w, option, b, sizeof(b));
}

void dhcp_write_u32(struct dhcp_writer *w, uint8_t option, uint32_t v)
{
	uint8_t b[4];

	write_u32(b, v);
	dhcp_write(w, option, b, sizeof(b));
}

void dhcp_write_ip(struct dhcp_writer *w, uint8_t option, const struct ip *ip)
{
	dhcp_write(w, option, four(ip), 4);
}

size_t dhcp_option_bytes(size_t n)
{
	size_t pieces = n ? (n + OPTION_MAX - 1) / OPTION_MAX : 1;

	return n + 2 * pieces;
}

bool dhcp_write_field(struct dhcp_writer *w, enum dhcp_field field, const void *text, size_t n)
{
	assert(w->over[field] == 0);
	if (w->size < DHCP_OPTIONS_AT || n >= fields[field].bytes) /* it ends with a zero */
		return false;
	memcpy(w->bytes + fields[field].at, text, n);
	return true;
}

bool dhcp_write_over(struct dhcp_writer *w, uint8_t option, const void *bytes, size_t n)
{
	if (w->size < DHCP_OPTIONS_AT || n > OPTION_MAX)
		return false;
	for (unsigned i = 0; i < DHCP_FIELDS; i++) {
		uint8_t *p = w->bytes + fields[i].at + w->over[i];

		if (2 + n + 1 + w->over[i] > fields[i].bytes) /* END goes behind the last */
			continue;
		p[0] = option;
		p[1] = (uint8_t)n;
		memcpy(p + 2, bytes, n);
		w->over[i] = (uint8_t)(w->over[i] + 2 + n);
		return true;
	}
	return false;
}

void dhcp_write_overload(struct dhcp_writer *w)
{
	uint8_t bits = 0;

	for (unsigned i = 0; i < DHCP_FIELDS; i++) {
		if (w->over[i] == 0)
			continue;
		bits |= fields[i].bit;
		w->bytes[fields[i].at + w->over[i]] = DHCP_OPT_END;
	}
	if (bits)
		dhcp_write(w, DHCP_OPT_OVERLOAD, &bits, 1);
}

size_t dhcp_write_end(struct dhcp_writer *w)
{
	uint8_t *p = take(w, 1);

	if (p)
		*p = DHCP_OPT_END;
	if (p && w->n < DHCP_MIN_BYTES) {
		size_t more = DHCP_MIN_BYTES - w->n;

		p = take(w, more);
		if (p)
			memset(p, DHCP_OPT_PAD, more);
	}
	return w->is_full ? 0 : w->n;
}

size_t dhcp_frame(uint8_t frame[static DHCP_FRAME_MAX], const struct dhcp_ends *e,
		  const uint8_t *payload, size_t n)
{
	uint8_t *ip = frame + 14, *udp = ip + 20;
	uint64_t sum;
	uint16_t csum;

	assert(n <= DHCP_MAX_BYTES);
	memcpy(frame, e->dst_mac.b, MAC_BYTES);
	memcpy(frame + 6, e->src_mac.b, MAC_BYTES);
	write_u16(frame + 12, 0x0800);
	memset(ip, 0, 28);
	ip[0] = 0x45;
	write_u16(ip + 2, (uint32_t)(28 + n));
	ip[6] = 0x40; /* never a fragment, so its identification may be 0 (RFC 6864 4.1) */
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, four(&e->src), 4);
	memcpy(ip + 16, four(&e->dst), 4);
	write_u16(ip + 10, csum_fold(csum_add(0, ip, 20)));
	write_u16(udp, e->sport);
	write_u16(udp + 2, e->dport);
	write_u16(udp + 4, (uint32_t)(8 + n));
	memcpy(udp + 8, payload, n);
	sum = csum_pseudo(ip + 12, ip + 16, 4, 17, (uint32_t)(8 + n));
	csum = csum_fold(csum_add(sum, udp, 8 + n));
	write_u16(udp + 6, csum ? csum : 0xffff); /* 0 says that there is none */
	return 14 + 28 + n;
}
