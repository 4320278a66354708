/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_lab: see its header.  The decoder shares nothing with dhcp/dns_wire.c. */
#include "tests/lib/dns_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- The test's own decoder -------------------------------------------------------------- */

unsigned dns_lab_u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static size_t decode_name(const struct dns_lab_answer *a, size_t at, char *text)
{
	size_t behind = 0;

	*text = '\0';
	for (unsigned steps = 0;; steps++) {
		assert_true(steps < 130 && at < a->n);
		if (a->bytes[at] >= 0xc0) {
			behind = behind ? behind : at + 2;
			at = dns_lab_u16(a->bytes + at) & 0x3fff;
			continue;
		}
		if (a->bytes[at] == 0)
			break;
		assert_true(at + 1 + a->bytes[at] < a->n);
		strncat(text, (const char *)a->bytes + at + 1, a->bytes[at]);
		strcat(text, ".");
		at += 1u + a->bytes[at];
	}
	if (!*text)
		strcpy(text, ".");
	return behind ? behind : at + 1;
}

static void decode_data(const struct dns_lab_answer *a, unsigned type, size_t at, unsigned len,
			char *out)
{
	char name[NAME_TEXT], more[NAME_TEXT];
	struct ip ip = {{[10] = 0xff, [11] = 0xff}};
	char text[IP_TEXT];

	switch (type) {
	case A:
		assert_int_equal(len, 4);
		memcpy(ip.b + 12, a->bytes + at, 4);
		sprintf(out, "A %s", ip_text(&ip, text));
		break;
	case AAAA:
		assert_int_equal(len, 16);
		memcpy(ip.b, a->bytes + at, 16);
		sprintf(out, "AAAA %s", ip_text(&ip, text));
		break;
	case SOA:
		at = decode_name(a, decode_name(a, at, name), more);
		sprintf(out, "SOA %s %s %u", name, more, dns_lab_u16(a->bytes + at + 18));
		break;
	case HINFO:
		sprintf(out, "HINFO %.*s", a->bytes[at], (const char *)a->bytes + at + 1);
		break;
	case CNAME:
	case NS:
	case PTR:
		assert_int_equal(decode_name(a, at, name), at + len);
		sprintf(out, "%s %s", type == NS ? "NS" : type == PTR ? "PTR" : "CNAME", name);
		break;
	default:
		sprintf(out, "TYPE%u", type);
	}
}

static size_t decode_record(struct dns_lab_answer *a, size_t at)
{
	char name[NAME_TEXT], data[LINE], line[2 * LINE];
	unsigned type, len;

	at = decode_name(a, at, name);
	assert_true(at + 10 <= a->n);
	type = dns_lab_u16(a->bytes + at);
	len = dns_lab_u16(a->bytes + at + 8);
	assert_true(at + 10 + len <= a->n);
	if (type == 41) {
		assert_false(a->has_opt);
		a->has_opt = true;
		a->rcode |= (unsigned)a->bytes[at + 4] << 4;
		a->is_do = a->bytes[at + 6] & 0x80;
		return at + 10 + len;
	}
	decode_data(a, type, at + 10, len, data);
	sprintf(line, "%s %u %s\n", name, dns_lab_u16(a->bytes + at + 6), data);
	assert_true(strlen(a->text) + strlen(line) < sizeof(a->text));
	strcat(a->text, line);
	return at + 10 + len;
}

static void decode(struct dns_lab_answer *a)
{
	size_t at = 12;

	assert_true(a->n >= 12);
	assert_true(a->bytes[2] & 0x80);
	a->is_ours = a->bytes[2] & 4;
	a->is_truncated = a->bytes[2] & 2;
	a->is_ad = a->bytes[3] & 0x20;
	a->rcode = a->bytes[3] & 15;
	a->has_opt = a->is_do = false;
	a->text[0] = a->question[0] = '\0';
	for (unsigned i = 0; i < 4; i++)
		a->counts[i] = dns_lab_u16(a->bytes + 4 + 2 * i);
	if (a->counts[0])
		at = decode_name(a, at, a->question) + 4;
	for (unsigned i = 0; i < a->counts[1] + a->counts[2] + a->counts[3]; i++)
		at = decode_record(a, at);
	assert_int_equal(at, a->n);
}

/* --- Questions --------------------------------------------------------------------------- */

static size_t put_name(uint8_t *p, const char *name)
{
	size_t at = 0;

	while (*name) {
		size_t n = strcspn(name, ".");

		p[at++] = (uint8_t)n;
		memcpy(p + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	p[at++] = 0;
	return at;
}

size_t dns_lab_question(uint8_t *p, const char *name, unsigned type)
{
	size_t at = 12;

	memset(p, 0, 12);
	p[0] = ID >> 8;
	p[1] = ID & 0xff;
	p[2] = 1; /* RD */
	p[5] = 1;
	at += put_name(p + at, name);
	p[at++] = (uint8_t)(type >> 8);
	p[at++] = (uint8_t)type;
	p[at++] = 0;
	p[at++] = 1;
	return at;
}

size_t dns_lab_edns(uint8_t *p, size_t n, unsigned size, uint8_t version, bool is_do)
{
	const uint8_t opt[] = {
		0, 0, 41, (uint8_t)(size >> 8), (uint8_t)size, 0, version, is_do ? 0x80 : 0,
		0, 0, 0};

	memcpy(p + n, opt, sizeof(opt));
	p[11]++;
	return n + sizeof(opt);
}

static void on_answer(void *arg, const struct dns_asker *to, const uint8_t *bytes, size_t n)
{
	struct dns_lab *f = arg;
	const uint8_t *again = f->again;
	uint64_t conn = f->forget;

	f->answers++;
	f->last.to = *to;
	assert_true(n <= sizeof(f->last.bytes));
	memcpy(f->last.bytes, bytes, n);
	f->last.n = n;
	decode(&f->last);
	f->forget = 0;
	f->again = NULL;
	if (conn)
		dns_forget(f->d, conn);
	if (again)
		dns_ask(f->d, to, again, f->again_n, f->now_ms);
}

static bool on_forward(void *arg, uint32_t token, const char *domain, const uint8_t *query,
		       size_t n)
{
	struct dns_lab *f = arg;

	if (f->is_deaf)
		return false;
	f->token[f->forwards++ % 16] = token;
	snprintf(f->domain, sizeof(f->domain), "%s", domain);
	memcpy(f->query, query, n);
	f->query_n = n;
	return true;
}

struct dns_asker dns_lab_asker(uint16_t vid)
{
	struct dns_asker a = {.vid = vid, .slot = 3, .sport = 4000};

	assert_true(ip_parse("10.10.0.50", &a.src));
	return a;
}

void dns_lab_raw(struct dns_lab *f, uint16_t vid, const uint8_t *bytes, size_t n)
{
	struct dns_asker from = dns_lab_asker(vid);
	uint8_t *exact = malloc(n ? n : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, n);
	dns_ask(f->d, &from, exact, n, f->now_ms);
	free(exact);
}

/* One answer comes at once. */
const struct dns_lab_answer *dns_lab_ask(struct dns_lab *f, uint16_t vid, const char *name,
					 unsigned type)
{
	unsigned before = f->answers;
	uint8_t q[512];

	dns_lab_raw(f, vid, q, dns_lab_question(q, name, type));
	assert_int_equal(f->answers, before + 1);
	assert_int_equal(dns_lab_u16(f->last.bytes), ID);
	return &f->last;
}

void dns_lab_expect(struct dns_lab *f, uint16_t vid, const char *name, unsigned type,
		    unsigned rcode, const char *text)
{
	const struct dns_lab_answer *a = dns_lab_ask(f, vid, name, type);

	assert_int_equal(a->rcode, rcode);
	assert_string_equal(a->text, text);
}

struct ip dns_lab_ip(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip;
}

void dns_lab_set(struct dns_lab *f, uint16_t vid, enum dns_source source, const char *name,
		 const char *ip)
{
	struct ip a = dns_lab_ip(ip);

	assert_int_equal(dns_name_set(f->d, vid, source, name, &a), 0);
}

struct dns_view dns_lab_view(uint16_t vid, const char *zone, const char *v4, const char *v6)
{
	struct dns_view v = {.vid = vid};

	strcpy(v.zone, zone);
	assert_true(prefix_parse(v4, &v.v4));
	v.gateway4 = v.v4.ip;
	if (v6) {
		assert_true(prefix_parse(v6, &v.v6));
		v.gateway6 = v.v6.ip;
	}
	return v;
}

int dns_lab_setup(void **state)
{
	static const uint64_t secret[2] = {0x0123456789abcdef, 0xfedcba9876543210};
	struct dns_lab *f = calloc(1, sizeof(*f));
	const struct dns_ways w = {f, on_answer, on_forward};
	struct dns_view v[4];

	assert_non_null(f);
	f->now_ms = 1000000;
	f->d = dns_create(secret);
	assert_non_null(f->d);
	dns_ways(f->d, &w);
	v[0] = dns_lab_view(OFFICE, "office.vfab", "10.10.0.1/24", "fd00:10::1/64");
	v[0].forwards = true;
	v[0].host4 = dns_lab_ip("192.0.2.1");
	v[0].reaches[0] = LAB;
	v[0].reaches[1] = 99;
	v[0].n_reaches = 2;
	v[1] = dns_lab_view(LAB, "lab.Example", "10.20.0.1/16", NULL);
	v[1].forwards = true;
	v[2] = dns_lab_view(CLOSED, "closed.vfab", "10.30.0.1/24", NULL);
	v[3] = dns_lab_view(ALONE, "office.vfab", "10.40.0.1/25", NULL);
	v[3].forwards = true;
	/* One before, the others after the views. */
	dns_lab_set(f, OFFICE, DNS_OF_RESERVATION, "Web", "10.10.0.10");
	assert_int_equal(dns_apply(f->d, v, 4), 0);
	dns_lab_set(f, OFFICE, DNS_OF_RESERVATION, "web", "fd00:10::a");
	dns_lab_set(f, LAB, DNS_OF_PORT, "box", "10.20.3.4");
	dns_lab_set(f, CLOSED, DNS_OF_LEASE, "safe", "10.30.0.5");
	dns_lab_set(f, ALONE, DNS_OF_LEASE, "web", "10.40.0.5");
	*state = f;
	return 0;
}

int dns_lab_teardown(void **state)
{
	struct dns_lab *f = *state;

	dns_destroy(f->d);
	free(f);
	return 0;
}
