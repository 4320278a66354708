/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolver_wire: is this a question to be sent, and is that its answer?
 *
 * How it fits.  resolver.c asks it about each message of the switch, and resolver_query.c about each that comes from outside.  What
 * an answer says is dns.c's to judge, in the switch.
 *
 * RFC 1035 4.1 (message), RFC 5452 9.1 (what must match), RFC 6891 6.1 (OPT); the case of letters after draft-vixie-dnsext-dns0x20.
 *
 * Trust.  Answers are anybody's.  Questions are the switch's, which a guest may have taken over: what is sent to servers of the
 * host's networks is a question to the last byte, and nothing else.
 */
#include "switch/resolver_wire.h"

#include <string.h>

enum {
	FLAGS = 2,
	COUNTS = 4, /* QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT */
	OPT_BYTES = 11,
	OPT_TYPE = 41,
	NAME_MAX_BYTES = 255,
	LABEL_MAX = 63,
	QTYPE_QCLASS = 4,
	FLAG_QR = 0x80,
	FLAG_OPCODE = 0x78,
	FLAG_TC = 0x02,
	RCODE = 0x0f,
};

/* Bytes of the name at p with its root; 0: it is none, or compressed, for which there is no need in a question. */
static size_t name_bytes(const uint8_t *p, size_t n)
{
	size_t at = 0;

	if (n > NAME_MAX_BYTES)
		n = NAME_MAX_BYTES;
	while (at < n && p[at] != 0) {
		if (p[at] > LABEL_MAX)
			return 0;
		at += 1u + p[at];
	}
	return at < n ? at + 1 : 0;
}

/* A root name, type OPT, and its own bytes to the end of the message. */
static bool is_opt(const uint8_t *p, size_t n)
{
	return n >= OPT_BYTES && p[0] == 0 && p[1] == 0 && p[2] == OPT_TYPE &&
	       (size_t)(p[9] << 8 | p[10]) == n - OPT_BYTES;
}

size_t resolver_wire_question(const uint8_t *query, size_t n)
{
	static const uint8_t one_question[7] = {0, 1, 0, 0, 0, 0, 0};
	const uint8_t *p = query + RESOLVER_HEAD;
	size_t name;

	if (n < RESOLVER_HEAD || (query[FLAGS] & (FLAG_QR | FLAG_OPCODE)) != 0 ||
	    memcmp(query + COUNTS, one_question, sizeof(one_question)) != 0 || query[11] > 1)
		return 0;
	n -= RESOLVER_HEAD;
	name = name_bytes(p, n);
	if (name == 0 || n - name < QTYPE_QCLASS)
		return 0;
	name += QTYPE_QCLASS;
	if (query[11] == 0)
		return n == name ? name : 0;
	return is_opt(p + name, n - name) ? name : 0;
}

static bool is_letter(uint8_t c)
{
	c |= 0x20;
	return c >= 'a' && c <= 'z';
}

void resolver_wire_letters(uint8_t *query, size_t question,
			   const uint8_t bits[static RESOLVER_LETTERS])
{
	uint8_t *name = query + RESOLVER_HEAD;
	size_t i;

	/* A length is below 64, where there are no letters. */
	for (i = 0; i + QTYPE_QCLASS < question; i++) {
		if (is_letter(name[i]) && (bits[i / 8] >> (i % 8) & 1))
			name[i] ^= 0x20;
	}
}

enum resolver_match resolver_wire_match(const uint8_t *query, size_t question,
					const uint8_t *answer, size_t n)
{
	const uint8_t *q = query + RESOLVER_HEAD, *a = answer + RESOLVER_HEAD;
	size_t i;

	/* The id, an answer of the same kind, one question. */
	if (n < RESOLVER_HEAD + question || memcmp(answer, query, 2) != 0 ||
	    (answer[FLAGS] & (FLAG_QR | FLAG_OPCODE)) != FLAG_QR || answer[COUNTS] != 0 ||
	    answer[COUNTS + 1] != 1)
		return RESOLVER_STRANGE;
	if (memcmp(q, a, question) == 0)
		return RESOLVER_SAME;
	for (i = 0; i < question; i++) {
		bool is_name = i + QTYPE_QCLASS < question;

		if (q[i] != a[i] && !(is_name && is_letter(q[i]) && (q[i] ^ a[i]) == 0x20))
			return RESOLVER_STRANGE;
	}
	return RESOLVER_CASE;
}

unsigned resolver_wire_rcode(const uint8_t *answer)
{
	return answer[FLAGS + 1] & RCODE;
}

bool resolver_wire_is_cut(const uint8_t *answer)
{
	return answer[FLAGS] & FLAG_TC;
}
