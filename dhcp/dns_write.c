/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_write: writes answers, ours and those that are passed on, and questions to a resolver.
 *
 * How it fits.  dns.c begins and ends an answer, dns_local.c puts the records between; dns_wire.h is its header.
 *
 * Theory of operation.  Bytes go straight into the caller's buffer.  Room for OPT is kept from the beginning, so that the end
 * always fits; records that do not fit make the answer one without any and with TC (RFC 2181 9).
 *
 * Trust.  What is copied was checked by dns_wire.c.
 */
#include "dhcp/dns_wire.h"

#include <assert.h>
#include <string.h>

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void set_u16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void set_u32(uint8_t *p, uint32_t v)
{
	set_u16(p, v >> 16);
	set_u16(p + 2, v);
}

static void set_flags(uint8_t *bytes, const struct dns_head *h, uint8_t high, uint8_t low)
{
	bytes[2] = (uint8_t)(DNS_FLAG_QR | h->opcode << 3 | high | (h->is_rd ? DNS_FLAG_RD : 0));
	bytes[3] = (uint8_t)(DNS_FLAG_RA | low | (h->is_cd ? DNS_FLAG_CD : 0));
}

/* RFC 6891 6.1.3.  Returns its bytes. */
static size_t put_opt(uint8_t *p, bool is_do, unsigned rcode)
{
	p[0] = 0;
	set_u16(p + 1, DNS_OPT);
	set_u16(p + 3, DNS_UDP_BYTES);
	set_u32(p + 5, rcode >> 4 << 24 | (is_do ? DNS_EDNS_DO : 0));
	set_u16(p + 9, 0);
	return DNS_OPT_BYTES;
}

size_t dns_relay(uint8_t *out, const struct dns_head *h, const uint8_t *asked,
		 const struct dns_reply *r, uint32_t age_s)
{
	const size_t opt = h->has_edns ? DNS_OPT_BYTES : 0;
	bool wants_ad = h->is_ad || h->is_do; /* RFC 6840 5.8 */
	bool is_whole = r->n + opt <= h->size;
	size_t n = is_whole ? r->n : DNS_HEADER_BYTES + r->len + DNS_QUESTION_TAIL;

	memcpy(out, r->bytes, n);
	set_u16(out, h->id);
	set_flags(out, h, is_whole ? 0 : DNS_FLAG_TC,
		  (uint8_t)((out[3] & (DNS_FLAG_Z | (wants_ad ? DNS_FLAG_AD : 0))) | r->rcode));
	if (!is_whole)
		memset(out + 6, 0, 4);
	set_u16(out + 10, (is_whole ? r->n_additional : 0u) + h->has_edns);
	memcpy(out + DNS_HEADER_BYTES, asked, r->len); /* as he wrote it, capitals and all */
	for (unsigned i = 0; is_whole && i < r->n_ttls; i++) {
		uint32_t ttl_s = get_u32(out + r->ttl_at[i]);

		set_u32(out + r->ttl_at[i], ttl_s > age_s ? ttl_s - age_s : 0);
	}
	if (opt)
		n += put_opt(out + n, h->is_do, DNS_NOERROR);
	return n;
}

size_t dns_write_query(uint8_t out[static DNS_QUESTION_BYTES], const struct dns_question *q)
{
	uint8_t *p = out + DNS_HEADER_BYTES;

	memset(out, 0, DNS_HEADER_BYTES);
	out[2] = DNS_FLAG_RD;
	/* AD: we know what it means in an answer (RFC 6840 5.7). */
	out[3] = (uint8_t)(DNS_FLAG_AD | (q->h.is_cd ? DNS_FLAG_CD : 0));
	set_u16(out + 4, 1);
	set_u16(out + 10, 1);
	memcpy(p, q->name, q->len);
	p += q->len;
	set_u16(p, q->type);
	set_u16(p + 2, DNS_CLASS_IN);
	p += DNS_QUESTION_TAIL;
	p += put_opt(p, q->h.is_do, DNS_NOERROR);
	return (size_t)(p - out);
}

void dns_write_begin(struct dns_writer *w, uint8_t *bytes, const struct dns_question *q)
{
	const struct dns_head *h = &q->h;
	size_t n = q->is_read ? q->len + DNS_QUESTION_TAIL : 0;

	w->bytes = bytes;
	w->size = (uint16_t)(h->size - (h->has_edns ? DNS_OPT_BYTES : 0));
	w->n = w->n_question = (uint16_t)(DNS_HEADER_BYTES + n);
	w->rdata_at = 0;
	w->count[0] = w->count[1] = 0;
	w->is_full = false;
	memset(bytes, 0, DNS_HEADER_BYTES);
	set_u16(bytes, h->id);
	bytes[5] = q->is_read;
	if (n)
		memcpy(bytes + DNS_HEADER_BYTES, q->asked, n);
}

size_t dns_write_end(struct dns_writer *w, const struct dns_head *h, bool is_ours,
		     enum dns_rcode rcode)
{
	uint8_t *b = w->bytes;

	set_flags(b, h, (uint8_t)((is_ours ? DNS_FLAG_AA : 0) | (w->is_full ? DNS_FLAG_TC : 0)),
		  (uint8_t)(rcode & DNS_RCODE));
	if (w->is_full)
		w->n = w->n_question;
	for (unsigned i = 0; i < 2 && !w->is_full; i++)
		set_u16(b + 6 + 2 * i, w->count[i]);
	if (h->has_edns) {
		b[11] = 1;
		w->n = (uint16_t)(w->n + put_opt(b + w->n, h->is_do, rcode));
	}
	return w->n;
}

static uint8_t *room(struct dns_writer *w, size_t n)
{
	uint8_t *p = w->bytes + w->n;

	if (w->is_full || (size_t)(w->size - w->n) < n) {
		w->is_full = true;
		return NULL;
	}
	w->n = (uint16_t)(w->n + n);
	return p;
}

void dns_put_bytes(struct dns_writer *w, const void *bytes, size_t n)
{
	uint8_t *p = room(w, n);

	if (p)
		memcpy(p, bytes, n);
}

static void put_u16(struct dns_writer *w, uint16_t v)
{
	uint8_t *p = room(w, 2);

	if (p)
		set_u16(p, v);
}

void dns_put_u32(struct dns_writer *w, uint32_t v)
{
	uint8_t *p = room(w, 4);

	if (p)
		set_u32(p, v);
}

void dns_put_pointer(struct dns_writer *w, uint16_t at)
{
	assert(at >= DNS_HEADER_BYTES && at < DNS_POINTER << 8);
	put_u16(w, (uint16_t)(DNS_POINTER << 8 | at));
}

void dns_put_record(struct dns_writer *w, uint16_t owner_at, enum dns_type type, uint32_t ttl_s)
{
	if (owner_at)
		dns_put_pointer(w, owner_at);
	else
		dns_put_bytes(w, "", 1);
	put_u16(w, (uint16_t)type);
	put_u16(w, DNS_CLASS_IN);
	dns_put_u32(w, ttl_s);
	put_u16(w, 0);
	w->rdata_at = w->n;
}

void dns_put_end(struct dns_writer *w, enum dns_section section)
{
	if (w->is_full)
		return;
	set_u16(w->bytes + w->rdata_at - 2, (uint32_t)(w->n - w->rdata_at));
	w->count[section]++;
}

void dns_put_address(struct dns_writer *w, const struct ip *ip, uint32_t ttl_s)
{
	bool is_v4 = ip_is_v4(ip);

	dns_put_record(w, DNS_HEADER_BYTES, is_v4 ? DNS_A : DNS_AAAA, ttl_s);
	dns_put_bytes(w, is_v4 ? ip->b + 12 : ip->b, is_v4 ? 4 : 16);
	dns_put_end(w, DNS_ANSWER);
}
