/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_lab: a dns with four networks, what it says read by a decoder of its own, and what it asks outside.
 *
 *   office  10  office.vfab  10.10.0.0/24 fd00:10::/64   forwards, reaches lab; web: 10.10.0.10 and fd00:10::a (reservation)
 *   lab     20  lab.example  10.20.0.0/16                forwards; box: 10.20.3.4 (port)
 *   closed  30  closed.vfab  10.30.0.0/24                safe: 10.30.0.5 (lease)
 *   alone   40  office.vfab  10.40.0.0/25                forwards; web: 10.40.0.5 (lease)
 */
#ifndef VFAB_TESTS_DNS_LAB_H
#define VFAB_TESTS_DNS_LAB_H

#include "dhcp/dns.h"

enum {
	A = 1,
	NS = 2,
	CNAME = 5,
	SOA = 6,
	PTR = 12,
	HINFO = 13,
	MX = 15,
	TXT = 16,
	AAAA = 28,
	DS = 43,
	ANY = 255
};
enum { NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED };
enum { OFFICE = 10, LAB = 20, CLOSED = 30, ALONE = 40 };
enum { ID = 0xbeef, NAME_TEXT = 1024, LINE = 3 * NAME_TEXT };

struct dns_lab_answer {
	struct dns_asker to;
	uint8_t bytes[DNS_TCP_BYTES];
	size_t n;
	/* Decoded. */
	unsigned rcode, counts[4];
	bool is_ours, is_truncated, has_opt, is_do, is_ad;
	char question[NAME_TEXT], text[64 * NAME_TEXT]; /* records, "owner TTL TYPE data", a line each */
};

struct dns_lab {
	struct dns *d;
	struct dns_lab_answer last;
	unsigned answers, forwards;
	uint32_t token[16];
	char domain[256];
	uint8_t query[512];
	size_t query_n;
	bool is_deaf;	      /* the resolver takes nothing */
	uint64_t forget;      /* this connection goes with the next answer */
	const uint8_t *again; /* a question that comes from within the next answer */
	size_t again_n;
	uint64_t now_ms;
};

int dns_lab_setup(void **state);
int dns_lab_teardown(void **state);

/* --- Set up --- */

struct ip dns_lab_ip(const char *text);
struct dns_view dns_lab_view(uint16_t vid, const char *zone, const char *v4, const char *v6);
void dns_lab_set(struct dns_lab *f, uint16_t vid, enum dns_source source, const char *name, const char *ip);

/* --- Questions --- */

unsigned dns_lab_u16(const uint8_t *p);
struct dns_asker dns_lab_asker(uint16_t vid);
/* Both return the bytes of the whole. */
size_t dns_lab_question(uint8_t *p, const char *name, unsigned type);
size_t dns_lab_edns(uint8_t *p, size_t n, unsigned size, uint8_t version, bool is_do);

void dns_lab_raw(struct dns_lab *f, uint16_t vid, const uint8_t *bytes, size_t n);
/* One answer comes at once. */
const struct dns_lab_answer *dns_lab_ask(struct dns_lab *f, uint16_t vid, const char *name, unsigned type);
void dns_lab_expect(struct dns_lab *f, uint16_t vid, const char *name, unsigned type, unsigned rcode, const char *text);

#endif
