/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_wire: DNS messages as bytes: the reader of questions, the checker of answers (dns_wire.c), and the writer (dns_write.c).
 *
 * What.  A name is kept as on the wire, labels with their length in front and 0 at the end, in lower case (RFC 4343).  What was
 * read points into the message: it lives as long as that.
 *
 * RFC 1035 3, 4.1; RFC 2181 8 (TTL), RFC 2308 5, RFC 6891.
 */
#ifndef VFAB_DHCP_DNS_WIRE_H
#define VFAB_DHCP_DNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dhcp/dns.h"

enum {
	DNS_HEADER_BYTES = 12,
	DNS_NAME_MAX = 255,  /* bytes, with the 0 at the end */
	DNS_LABEL_MAX = 63,
	DNS_LABELS_MAX = 127,
	DNS_UDP_PLAIN = 512, /* of an answer to who has no EDNS */
	DNS_OPT_BYTES = 11,
	DNS_RECORD_MIN = 11, /* bytes of one */
	DNS_RECORDS_MAX = DNS_TCP_BYTES / DNS_RECORD_MIN,
};

/* Bits of a message. */
enum {
	DNS_FLAG_QR = 0x80, /* third byte of a message */
	DNS_FLAG_AA = 0x04,
	DNS_FLAG_TC = 0x02,
	DNS_FLAG_RD = 0x01,
	DNS_FLAG_RA = 0x80, /* fourth byte */
	DNS_FLAG_Z = 0x40,
	DNS_FLAG_AD = 0x20,
	DNS_FLAG_CD = 0x10,
	DNS_OPCODE = 0x78,
	DNS_RCODE = 0x0f,
	DNS_POINTER = 0xc0,
	DNS_EDNS_DO = 0x8000,
	DNS_QUESTION_TAIL = 4, /* type and class */
};

enum dns_rcode {
	DNS_NOERROR,
	DNS_FORMERR,
	DNS_SERVFAIL,
	DNS_NXDOMAIN,
	DNS_NOTIMP,
	DNS_REFUSED,
	DNS_BADVERS = 16,
};
enum dns_type {
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_HINFO = 13,
	DNS_MX = 15,
	DNS_AAAA = 28,
	DNS_SRV = 33,
	DNS_DNAME = 39,
	DNS_OPT = 41,
	DNS_ANY = 255,
};
enum { DNS_CLASS_IN = 1 };

/* What of a question shapes its answer, beside the question itself. */
struct dns_head {
	uint16_t id;
	uint16_t size; /* of an answer, at most */
	uint8_t opcode;
	bool has_edns, is_do, is_rd, is_cd, is_ad;
};

struct dns_question {
	struct dns_head h;
	bool is_read;	      /* the question itself: it can be told back */
	uint16_t type;	      /* class IN */
	uint8_t len;	      /* of name */
	uint8_t n_labels;
	const uint8_t *asked; /* the question section as it came; name, type and class */
	uint8_t label[DNS_LABELS_MAX + 1]; /* where each begins in name; the last is the 0 at its end */
	uint8_t name[DNS_NAME_MAX];
	uint64_t hash[DNS_LABELS_MAX + 1]; /* of the name from each label on: dns_question_hash() */
};

/* Below 0: nothing is to be said; 0: a question of class IN; else the rcode to answer with. */
int dns_read_question(struct dns_question *q, const uint8_t *bytes, size_t n, bool is_tcp);
void dns_question_hash(struct dns_question *q, const uint64_t secret[2]);
/* The name as text, lower case with dots; what is no letter of a host name in it is '?'. */
void dns_question_text(const uint8_t *name, uint8_t len, char out[static DNS_NAME_MAX]);

/* --- Answers from outside --- */

/* What an answer is to be matched with. */
struct dns_key {
	const uint8_t *name;
	uint64_t hash; /* of all of it */
	uint16_t type;
	uint8_t len;
	bool is_do, is_cd;
};
void dns_question_key(const struct dns_question *q, struct dns_key *k, const uint64_t secret[2]);

/* An answer that was checked; without OPT and what came behind it. */
struct dns_reply {
	const uint8_t *bytes;
	uint16_t n;
	uint16_t n_additional;
	uint16_t rcode;	   /* with the bits of OPT */
	uint8_t len;	   /* of the name asked for */
	bool is_truncated;
	uint32_t ttl_s;	   /* for how long it may be kept; 0: not */
	uint16_t n_ttls;
	const uint16_t *ttl_at; /* places of TTLs */
};
/* False: not an answer to that question, or not well formed.  r borrows bytes and ttl_at, room for DNS_RECORDS_MAX. */
bool dns_read_reply(struct dns_reply *r, const struct dns_key *k, const uint8_t *bytes, size_t n, uint16_t *ttl_at);

/* The answer as that asker wants it, TTLs less age_s: its bytes in out, which has h->size.  asked: the name in his own case. */
size_t dns_relay(uint8_t *out, const struct dns_head *h, const uint8_t *asked, const struct dns_reply *r, uint32_t age_s);
/* A question to a resolver: its bytes in out. */
size_t dns_write_query(uint8_t out[static DNS_QUESTION_BYTES], const struct dns_question *q);

/* --- Answers of our own --- */

enum dns_section { DNS_ANSWER, DNS_AUTHORITY };

struct dns_writer {
	uint8_t *bytes;
	uint16_t n, size, n_question; /* n_question: with header and question only */
	uint16_t rdata_at;
	uint16_t count[2]; /* of each section */
	bool is_full;	   /* it did not fit: TC */
};

/* Header and question.  bytes: room for q->h.size.  The message is complete after dns_write_end(). */
void dns_write_begin(struct dns_writer *w, uint8_t *bytes, const struct dns_question *q);
size_t dns_write_end(struct dns_writer *w, const struct dns_head *h, bool is_ours, enum dns_rcode rcode);

/* A record whose owner stands at that place of the message; 0: the root.  Its data, then dns_put_end(). */
void dns_put_record(struct dns_writer *w, uint16_t owner_at, enum dns_type type, uint32_t ttl_s);
void dns_put_end(struct dns_writer *w, enum dns_section section);
void dns_put_u32(struct dns_writer *w, uint32_t v);
void dns_put_bytes(struct dns_writer *w, const void *bytes, size_t n);
void dns_put_pointer(struct dns_writer *w, uint16_t at);
/* A or AAAA, of the name asked for. */
void dns_put_address(struct dns_writer *w, const struct ip *ip, uint32_t ttl_s);

#endif
