/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_wire: reads questions, checks answers, writes both.
 *
 * How it fits.  dns.c calls it; dns_local.c writes with it.
 *
 * Theory of operation.  A cursor with a sticky error walks a message once.  Names in records are not copied: walk_name() follows
 * them and says whether they are names; a pointer must point to before where the name, or the piece of it that was read last,
 * begins, so that it cannot go round.  An answer is passed on as it came: its records point to each other by their places, so
 * nothing before OPT moves; OPT, which speaks of the way between two neighbours only (RFC 6891 6.1.1), and what follows it are
 * cut off.
 *
 * Trust.  Every byte is a guest's or somebody's outside.  Nothing is read beyond n, no count is believed that the walk does
 * not confirm.
 */
#include "dhcp/dns_wire.h"

#include <string.h>

#include "dhcp/dns_hash.h"

enum {
	RECORD_TAIL = 10, /* type, class, TTL, length */
	META_FIRST = 128,
	META_LAST = 254, /* types of questions only, but for ANY */
	HOPS_MAX = 127,
	NEGATIVE_MAX_S = 3 * 3600, /* RFC 2308 5: one to three hours */
	SOA_NUMBERS = 20,
};

static uint16_t get_u16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}

static uint8_t lower(uint8_t c)
{
	return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c + 'a' - 'A') : c;
}

/* --- The cursor -------------------------------------------------------------------------- */

struct cursor {
	const uint8_t *bytes;
	size_t n, at;
	bool is_bad;
};

/* n bytes of the message; NULL: it has not as many left. */
static const uint8_t *take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->bytes + c->at;

	if (c->is_bad || c->n - c->at < n) {
		c->is_bad = true;
		return NULL;
	}
	c->at += n;
	return p;
}

/* A name in a record, whole or in pieces; the cursor goes behind what of it lies here. */
static void walk_name(struct cursor *c)
{
	size_t at = c->at, before = c->at, behind = 0, total = 1;
	unsigned hops = 0;

	while (!c->is_bad) {
		uint8_t b = at < c->n ? c->bytes[at] : DNS_POINTER - 1;

		if (b == 0) {
			c->at = behind ? behind : at + 1;
			return;
		}
		if (b <= DNS_LABEL_MAX) {
			at += 1 + b;
			total += 1 + b;
			c->is_bad = total > DNS_NAME_MAX;
		} else if (b >= DNS_POINTER && c->n - at >= 2 && hops++ < HOPS_MAX) {
			size_t to = get_u16(c->bytes + at) & 0x3fff;

			behind = behind ? behind : at + 2;
			c->is_bad = to < DNS_HEADER_BYTES || to >= before;
			at = before = to;
		} else {
			c->is_bad = true;
		}
	}
}

struct record {
	uint16_t type, class, len; /* len: of data */
	uint32_t ttl_s;
	size_t owner_at, ttl_at, data_at;
};

static bool take_record(struct cursor *c, struct record *r)
{
	const uint8_t *p;

	r->owner_at = c->at;
	walk_name(c);
	r->ttl_at = c->at + 4;
	p = take(c, RECORD_TAIL);
	if (!p)
		return false;
	r->type = get_u16(p);
	r->class = get_u16(p + 2);
	r->ttl_s = get_u32(p + 4);
	r->len = get_u16(p + 8);
	r->data_at = c->at;
	return take(c, r->len) != NULL;
}

/* --- Questions --------------------------------------------------------------------------- */

/* The name of a question: the first in the message, so there is nothing that a pointer could mean. */
static bool take_question_name(struct cursor *c, struct dns_question *q)
{
	size_t room = c->n - c->at < DNS_NAME_MAX ? c->n - c->at : DNS_NAME_MAX;
	const uint8_t *p = c->bytes + c->at;
	size_t at = 0;

	q->n_labels = 0;
	for (;;) {
		uint8_t b = at < room ? p[at] : DNS_POINTER;

		if (b > DNS_LABEL_MAX || at + b >= room)
			return false;
		q->label[q->n_labels] = (uint8_t)at;
		q->name[at++] = b;
		if (b == 0)
			break;
		q->n_labels++;
		for (; b > 0; b--, at++)
			q->name[at] = lower(p[at]);
	}
	q->len = (uint8_t)at;
	c->at += at;
	return true;
}

/* RFC 6891 6.1.2: pieces of a code and a length each. */
static bool has_good_options(const uint8_t *p, size_t n)
{
	struct cursor c = {.bytes = p, .n = n};
	const uint8_t *option;

	while (!c.is_bad && c.at < c.n) {
		option = take(&c, 4);
		if (option)
			take(&c, get_u16(option + 2));
	}
	return !c.is_bad;
}

/* OPT, at most one (RFC 6891 6.1.1); other records behind a question mean nothing here.  False: bad. */
static bool take_additional(struct cursor *c, struct dns_question *q, unsigned n, uint8_t *version)
{
	struct record r;

	for (unsigned i = 0; i < n; i++) {
		if (!take_record(c, &r))
			return false;
		if (r.type != DNS_OPT)
			continue;
		if (q->h.has_edns || c->bytes[r.owner_at] != 0 ||
		    !has_good_options(c->bytes + r.data_at, r.len))
			return false;
		q->h.has_edns = true;
		q->h.is_do = r.ttl_s & DNS_EDNS_DO;
		q->h.size = r.class;
		*version = (uint8_t)(r.ttl_s >> 16);
	}
	return c->at == c->n;
}

static void read_head(struct dns_question *q, const uint8_t *bytes)
{
	q->is_read = false;
	q->asked = NULL;
	q->h = (struct dns_head){
		.id = get_u16(bytes),
		.size = DNS_UDP_PLAIN,
		.opcode = (bytes[2] & DNS_OPCODE) >> 3,
		.is_rd = bytes[2] & DNS_FLAG_RD,
		.is_cd = bytes[3] & DNS_FLAG_CD,
		.is_ad = bytes[3] & DNS_FLAG_AD,
	};
}

/* What is asked for, once the message is well formed. */
static enum dns_rcode judge(const struct dns_question *q, uint16_t class)
{
	if (q->type == 0 || q->type == DNS_OPT)
		return DNS_FORMERR;
	if (class != DNS_CLASS_IN)
		return DNS_REFUSED;
	return q->type >= META_FIRST && q->type <= META_LAST ? DNS_NOTIMP : DNS_NOERROR;
}

int dns_read_question(struct dns_question *q, const uint8_t *bytes, size_t n, bool is_tcp)
{
	struct cursor c = {.bytes = bytes, .n = n, .at = DNS_HEADER_BYTES};
	uint8_t version = 0;
	uint16_t class;

	/* An answer to an answer would go round for ever. */
	if (n < DNS_HEADER_BYTES || bytes[2] & DNS_FLAG_QR)
		return -1;
	read_head(q, bytes);
	if (q->h.opcode != 0)
		return DNS_NOTIMP;
	/* RFC 9619: one question; and no records in front of it (RFC 1035 4.1.1). */
	if (n > DNS_QUESTION_BYTES || get_u16(bytes + 4) != 1 || get_u32(bytes + 6) != 0 ||
	    !take_question_name(&c, q) || !take(&c, DNS_QUESTION_TAIL))
		return DNS_FORMERR;
	q->asked = bytes + DNS_HEADER_BYTES;
	q->type = get_u16(q->asked + q->len);
	class = get_u16(q->asked + q->len + 2);
	q->is_read = true;
	if (!take_additional(&c, q, get_u16(bytes + 10), &version)) {
		q->h.has_edns = false;
		q->h.size = DNS_UDP_PLAIN;
		return DNS_FORMERR;
	}
	if (q->h.size < DNS_UDP_PLAIN)
		q->h.size = DNS_UDP_PLAIN;
	if (q->h.size > DNS_UDP_BYTES)
		q->h.size = DNS_UDP_BYTES;
	if (is_tcp)
		q->h.size = DNS_TCP_BYTES;
	return version ? DNS_BADVERS : (int)judge(q, class);
}

/* From the right, so that each hash is that of a zone which the name may be in. */
void dns_question_hash(struct dns_question *q, const uint64_t secret[2])
{
	uint64_t h = 0;

	q->hash[q->n_labels] = h;
	for (unsigned i = q->n_labels; i-- > 0;) {
		const uint8_t *label = q->name + q->label[i];

		h = q->hash[i] = dns_hash(secret, h, label, 1u + label[0]);
	}
}

void dns_question_key(const struct dns_question *q, struct dns_key *k, const uint64_t secret[2])
{
	const uint8_t more[4] = {(uint8_t)(q->type >> 8), (uint8_t)q->type, q->h.is_do, q->h.is_cd};

	*k = (struct dns_key){
		.name = q->name,
		.hash = dns_hash(secret, q->hash[0], more, sizeof(more)),
		.type = q->type,
		.len = q->len,
		.is_do = q->h.is_do,
		.is_cd = q->h.is_cd,
	};
}

void dns_question_text(const uint8_t *name, uint8_t len, char out[static DNS_NAME_MAX])
{
	size_t at = 0;

	while (at + 1 < len) {
		uint8_t b = name[at];

		if (at > 0)
			out[at - 1] = '.';
		for (at++; b > 0; b--, at++) {
			uint8_t c = name[at];
			bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
					c == '-' || c == '_';

			out[at - 1] = is_plain ? (char)c : '?';
		}
	}
	out[at ? at - 1 : 0] = '\0';
}

/* --- Answers from outside ---------------------------------------------------------------- */

/* Does it answer that question: one, the same name, type and class (RFC 5452 9.1)? */
static bool is_answer_to(struct cursor *c, const struct dns_key *k)
{
	const uint8_t *name = take(c, k->len), *tail = take(c, DNS_QUESTION_TAIL);

	if (!tail || get_u16(tail) != k->type || get_u16(tail + 2) != DNS_CLASS_IN)
		return false;
	for (unsigned i = 0; i < k->len; i++)
		if (lower(name[i]) != k->name[i])
			return false;
	return true;
}

/* Data of the types that hold names or have one size: RFC 1035 3.3, 3.4, RFC 2782, RFC 3596, RFC 6672. */
static bool has_good_data(const struct cursor *message, const struct record *r)
{
	struct cursor c = {.bytes = message->bytes, .n = r->data_at + r->len, .at = r->data_at};

	switch (r->type) {
	case DNS_A:
		return r->class != DNS_CLASS_IN || r->len == 4;
	case DNS_AAAA:
		return r->len == 16;
	case DNS_SRV:
	case DNS_MX:
	case DNS_NS:
	case DNS_CNAME:
	case DNS_PTR:
	case DNS_DNAME:
		take(&c, r->type == DNS_SRV ? 6 : r->type == DNS_MX ? 2 : 0);
		walk_name(&c);
		break;
	case DNS_SOA:
		walk_name(&c);
		walk_name(&c);
		take(&c, SOA_NUMBERS);
		break;
	default:
		return true;
	}
	return !c.is_bad && c.at == c.n;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* RFC 2308 5: for how long it is kept that something is not there. */
static uint32_t negative_ttl(const struct cursor *c, const struct record *soa)
{
	uint32_t minimum = get_u32(c->bytes + soa->data_at + soa->len - 4);

	return least(least(soa->ttl_s, minimum), NEGATIVE_MAX_S);
}

/* What a walk over all records finds. */
struct walk {
	uint32_t ttl_s, negative_ttl_s; /* negative: 0 without a SOA */
	bool has_wanted, has_opt;
};

/* One record of a section (0: answer).  False: bad. */
static bool walk_record(struct cursor *c, unsigned section, const struct dns_key *k, struct walk *w,
			struct dns_reply *r, uint16_t *ttl_at)
{
	struct record rr;

	if (!take_record(c, &rr) || !has_good_data(c, &rr))
		return false;
	if (rr.type == DNS_OPT) {
		if (section != 2 || w->has_opt || c->bytes[rr.owner_at] != 0)
			return false;
		w->has_opt = true;
		r->n = (uint16_t)rr.owner_at;
		r->rcode |= (uint16_t)(rr.ttl_s >> 24 << 4);
		return true;
	}
	if (w->has_opt)
		return true; /* cut off with it */
	if (section == 2)
		r->n_additional++;
	if (section == 0 && rr.type == k->type)
		w->has_wanted = true;
	if (section == 1 && rr.type == DNS_SOA)
		w->negative_ttl_s = negative_ttl(c, &rr);
	w->ttl_s = least(w->ttl_s, rr.ttl_s > INT32_MAX ? 0 : rr.ttl_s); /* RFC 2181 8 */
	ttl_at[r->n_ttls++] = (uint16_t)rr.ttl_at;
	return true;
}

bool dns_read_reply(struct dns_reply *r, const struct dns_key *k, const uint8_t *bytes, size_t n,
		    uint16_t *ttl_at)
{
	struct cursor c = {.bytes = bytes, .n = n, .at = DNS_HEADER_BYTES};
	struct walk w = {.ttl_s = DNS_TTL_MAX_S};

	if (n < DNS_HEADER_BYTES || n > DNS_TCP_BYTES || !(bytes[2] & DNS_FLAG_QR) ||
	    bytes[2] & DNS_OPCODE || get_u16(bytes + 4) != 1 || !is_answer_to(&c, k))
		return false;
	*r = (struct dns_reply){
		.bytes = bytes,
		.n = (uint16_t)n,
		.rcode = bytes[3] & DNS_RCODE,
		.len = k->len,
		.is_truncated = bytes[2] & DNS_FLAG_TC,
		.ttl_at = ttl_at,
	};
	/* A truncated one may end anywhere (RFC 2181 9): nothing of it is used. */
	if (r->is_truncated)
		return true;
	for (unsigned section = 0; section < 3; section++)
		for (unsigned i = get_u16(bytes + 6 + 2 * section); i > 0; i--)
			if (!walk_record(&c, section, k, &w, r, ttl_at))
				return false;
	if (c.at != n)
		return false;
	if (r->rcode == DNS_NOERROR && w.has_wanted)
		r->ttl_s = w.ttl_s;
	else if (r->rcode == DNS_NOERROR || r->rcode == DNS_NXDOMAIN)
		r->ttl_s = least(w.ttl_s, w.negative_ttl_s);
	return true;
}
