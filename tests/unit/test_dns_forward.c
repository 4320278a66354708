/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of dhcp/dns: what is forwarded, kept and waited for; M11: forged answers, 10 k questions at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dns_lab.h"

/* --- What is forwarded ------------------------------------------------------------------- */

/* An answer to the last question that went out: its head, then records in text. */
struct built {
	uint8_t bytes[DNS_TCP_BYTES + 64];
	size_t n;
};

static void build(struct dns_lab *f, struct built *b, unsigned rcode)
{
	memset(b, 0, sizeof(*b));
	b->n = f->query_n - 11; /* without OPT */
	memcpy(b->bytes, f->query, b->n);
	b->bytes[2] = 0x81;
	b->bytes[3] = (uint8_t)(0x80 | rcode);
	b->bytes[11] = 0;
}

/* section: 1 answer, 2 authority, 3 additional; owner: the name asked for. */
static void add(struct built *b, unsigned section, unsigned type, uint32_t ttl_s, const void *data,
		unsigned n)
{
	const uint8_t head[] = {0xc0,
				12,
				(uint8_t)(type >> 8),
				(uint8_t)type,
				0,
				1,
				(uint8_t)(ttl_s >> 24),
				(uint8_t)(ttl_s >> 16),
				(uint8_t)(ttl_s >> 8),
				(uint8_t)ttl_s,
				(uint8_t)(n >> 8),
				(uint8_t)n};

	memcpy(b->bytes + b->n, head, sizeof(head));
	memcpy(b->bytes + b->n + sizeof(head), data, n);
	b->n += sizeof(head) + n;
	if (++b->bytes[5 + 2 * section] == 0)
		b->bytes[4 + 2 * section]++;
}

static void add_soa(struct built *b, uint32_t ttl_s, uint8_t minimum)
{
	const uint8_t data[24] = {0xc0, 12, 0xc0, 12, [23] = minimum};

	add(b, 2, SOA, ttl_s, data, sizeof(data));
}

static void resolve(struct dns_lab *f, const struct built *b)
{
	uint8_t *exact = malloc(b->n);

	assert_non_null(exact);
	memcpy(exact, b->bytes, b->n);
	dns_resolved(f->d, f->token[(f->forwards - 1) % 16], exact, b->n, f->now_ms);
	free(exact);
}

static void ask_out(struct dns_lab *f, const char *name, unsigned type)
{
	unsigned forwards = f->forwards, answers = f->answers;
	uint8_t q[512];

	dns_lab_raw(f, OFFICE, q, dns_lab_question(q, name, type));
	assert_int_equal(f->forwards, forwards + 1);
	assert_int_equal(f->answers, answers);
}

static void forwards_and_keeps(void **state)
{
	struct dns_lab *f = *state;
	struct built b;
	uint8_t q[512];
	size_t n;

	ask_out(f, "WWW.Example.com", A);
	/* A clean question: id 0, RD, AD, one OPT of 1232 bytes, lower case. */
	n = dns_lab_edns(q, dns_lab_question(q, "www.example.com", A), 1232, 0, false);
	q[0] = q[1] = 0;
	q[3] = 0x20;
	assert_int_equal(f->query_n, n);
	assert_memory_equal(f->query, q, n);
	assert_string_equal(f->domain, "www.example.com");

	build(f, &b, NOERROR);
	b.bytes[2] |= 4;    /* AA is not ours to say */
	b.bytes[3] |= 0x20; /* AD, which he did not ask for */
	add(&b, 1, A, 300, "\1\2\3\4", 4);
	add(&b, 1, A, 200, "\1\2\3\5", 4);
	add(&b, 3, TXT, 1000, "\1x", 2);
	b.n = dns_lab_edns(b.bytes, b.n, 4096, 0, true);
	resolve(f, &b);
	assert_int_equal(f->answers, 1);
	assert_int_equal(dns_lab_u16(f->last.bytes), ID);
	assert_string_equal(f->last.question, "WWW.Example.com.");
	assert_string_equal(f->last.text,
			    "WWW.Example.com. 300 A 1.2.3.4\nWWW.Example.com. 200 A 1.2.3.5\n"
			    "WWW.Example.com. 1000 TYPE16\n");
	assert_false(f->last.is_ours || f->last.has_opt || f->last.is_ad);
	assert_int_equal(f->last.bytes[3] & 0x80, 0x80);

	/* Out of the cache, TTLs less, in another case, with OPT if he has it. */
	f->now_ms += 150 * 1000 + 999;
	n = dns_lab_edns(q, dns_lab_question(q, "www.EXAMPLE.com", A), 512, 0, false);
	q[3] |= 0x20;
	dns_lab_raw(f, OFFICE, q, n);
	assert_string_equal(f->last.text,
			    "www.EXAMPLE.com. 150 A 1.2.3.4\nwww.EXAMPLE.com. 50 A 1.2.3.5\n"
			    "www.EXAMPLE.com. 850 TYPE16\n");
	assert_true(f->last.has_opt && f->last.is_ad);
	assert_int_equal(dns_counters(f->d)->cached, 1);
	/* RD not set: only what is there. */
	n = dns_lab_question(q, "www.example.com", A);
	q[2] = 0;
	dns_lab_raw(f, OFFICE, q, n);
	assert_int_equal(f->last.rcode, NOERROR);
	n = dns_lab_question(q, "www.example.org", A);
	q[2] = 0;
	dns_lab_raw(f, OFFICE, q, n);
	assert_int_equal(f->last.rcode, REFUSED);
	/* Another type, DO and CD are other questions. */
	ask_out(f, "www.example.com", AAAA);
	n = dns_lab_edns(q, dns_lab_question(q, "www.example.com", A), 512, 0, true);
	dns_lab_raw(f, OFFICE, q, n);
	assert_int_equal(f->forwards, 3);
	assert_int_equal(f->query[f->query_n - 4], 0x80);
	n = dns_lab_question(q, "www.example.com", A);
	q[3] = 0x10;
	dns_lab_raw(f, OFFICE, q, n);
	assert_int_equal(f->forwards, 4);
	assert_int_equal(f->query[3], 0x30);
	/* The least TTL is over. */
	f->now_ms += 50 * 1000;
	ask_out(f, "www.example.com", A);
	resolve(f, &b);
	dns_cache_flush(f->d);
	ask_out(f, "www.example.com", A);
}

/* RFC 2308 5: what is not there is kept by the SOA, and not without one; errors are not kept. */
static void negative(void **state)
{
	static const struct {
		unsigned rcode;
		bool has_soa, has_cname;
		uint32_t ttl_s;
		uint8_t minimum;
		unsigned kept_s;
	} cases[] = {
		{NXDOMAIN, true, false, 100, 30, 30},
		{NXDOMAIN, true, false, 20, 30, 20},
		{NOERROR, true, false, 100, 30, 30},
		{NXDOMAIN, false, false, 0, 0, 0},
		{NOERROR, false, false, 0, 0, 0},
		{NOERROR, true, true, 100, 30, 10},
		{NOERROR, false, true, 0, 0, 0},
		{NXDOMAIN, true, true, 100, 5, 5},
		{NXDOMAIN, true, false, 0x80000000, 30, 0},
	};
	struct dns_lab *f = *state;
	struct built b;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "n%u.example.com", i);
		ask_out(f, name, A);
		build(f, &b, cases[i].rcode);
		if (cases[i].has_cname)
			add(&b, 1, CNAME, 10, "\xc0\14", 2);
		if (cases[i].has_soa)
			add_soa(&b, cases[i].ttl_s, cases[i].minimum);
		resolve(f, &b);
		assert_int_equal(f->last.rcode, cases[i].rcode);
		if (cases[i].kept_s) {
			f->now_ms += cases[i].kept_s * 1000 - 1;
			dns_lab_ask(f, OFFICE, name, A);
			assert_int_equal(f->last.rcode, cases[i].rcode);
			f->now_ms++;
		}
		ask_out(f, name, A);
	}
	/* An error outside is one for the guest, and is asked again. */
	for (unsigned rcode = FORMERR; rcode < 16; rcode++) {
		if (rcode == NXDOMAIN)
			continue;
		ask_out(f, "broken.example.com", A);
		build(f, &b, rcode);
		resolve(f, &b);
		assert_int_equal(f->last.rcode, SERVFAIL);
	}
	/* As is one whose whole code is in OPT. */
	ask_out(f, "broken.example.com", A);
	build(f, &b, NOERROR);
	b.n = dns_lab_edns(b.bytes, b.n, 4096, 0, false);
	b.bytes[b.n - 6] = 1;
	resolve(f, &b);
	assert_int_equal(f->last.rcode, SERVFAIL);
	/* The resolver has nothing, or cannot; and one by UDP that was cut off. */
	ask_out(f, "broken.example.com", A);
	dns_resolved(f->d, f->token[(f->forwards - 1) % 16], NULL, 0, f->now_ms);
	assert_int_equal(f->last.rcode, SERVFAIL);
	ask_out(f, "broken.example.com", A);
	build(f, &b, NOERROR);
	b.bytes[2] |= 2;
	resolve(f, &b);
	assert_int_equal(f->last.rcode, SERVFAIL);
	f->is_deaf = true;
	dns_lab_expect(f, OFFICE, "broken.example.com", A, SERVFAIL, "");
}

/* M11, RFC 5452: what does not answer the question that is out is not believed, nor does it end the wait. */
static void forged(void **state)
{
	struct dns_lab *f = *state;
	struct built good, b;
	uint32_t token;

	ask_out(f, "bank.example.com", A);
	token = f->token[0];
	build(f, &good, NOERROR);
	add(&good, 1, A, 300, "\6\6\6\6", 4);
	for (unsigned bit = 0; bit < 32; bit++) /* another token */
		dns_resolved(f->d, token ^ 1u << bit, good.bytes, good.n, f->now_ms);
	for (unsigned at = 2; at < good.n; at++) {
		/* Not TC and RCODE, which end it; nor AA, RD, RA, Z and AD, TTL and data, which are not judged. */
		static const uint8_t judged[] = {0xf8, 0};
		uint8_t mask = at < 4 ? judged[at - 2] : at < 12 + 18 + 4 ? 0xff : 0;

		for (unsigned bit = 0; bit < 8; bit++) {
			b = good;
			if (!(mask >> bit & 1))
				continue;
			b.bytes[at] ^= (uint8_t)(1 << bit);
			if (at >= 12 && at < 30 && (b.bytes[at] ^ good.bytes[at]) == 0x20 &&
			    good.bytes[at] >= 'a' && good.bytes[at] <= 'z')
				continue; /* only another case */
			resolve(f, &b);
			assert_int_equal(f->answers, 0);
		}
	}
	for (size_t n = 1; n < good.n; n++) { /* cut off, or with something behind it */
		b = good;
		b.n = n;
		resolve(f, &b);
	}
	b = good;
	b.n++;
	resolve(f, &b);
	assert_int_equal(f->answers, 0);
	assert_true(dns_counters(f->d)->bad_answers > 200);
	resolve(f, &good);
	assert_string_equal(f->last.text, "bank.example.com. 300 A 6.6.6.6\n");
	/* Its token is not good for a second time, and what else it said is nobody's answer. */
	resolve(f, &good);
	assert_int_equal(f->answers, 1);
	ask_out(f, "www.bank.example.com", A);
	assert_int_not_equal(f->token[1], token);
}

/* One question outside, an answer for each: in his own case, with his own id, by his own size. */
static void joined(void **state)
{
	struct dns_lab *f = *state;
	struct built b;
	uint8_t q[512];

	for (unsigned i = 0; i < 100; i++) {
		struct dns_asker from = dns_lab_asker(i % 2 ? OFFICE : LAB);
		size_t n = dns_lab_question(q, i % 3 ? "Same.example.com" : "sAME.example.COM", A);

		from.slot = (uint16_t)(i % 4);
		from.sport = (uint16_t)i;
		q[1] = (uint8_t)i;
		dns_ask(f->d, &from, q, n, f->now_ms);
		dns_ask(f->d, &from, q, n, f->now_ms); /* he asks again, and is told once */
	}
	assert_int_equal(f->forwards, 1);
	assert_int_equal(f->answers, 72); /* 64 wait, 36 do not, and ask twice */
	assert_int_equal(f->last.rcode, SERVFAIL);
	build(f, &b, NOERROR);
	for (unsigned i = 0; i < 40; i++)
		add(&b, 1, TXT, 60, "\3abc", 4);
	add(&b, 1, A, 60, "\1\1\1\1", 4);
	f->again_n = dns_lab_question(q, "same.example.com", A);
	f->again = q; /* from within an answer: the cache has it by now */
	resolve(f, &b);
	assert_int_equal(f->answers, 72 + 64 + 1);
	assert_true(f->last.is_truncated);
	assert_int_equal(f->last.to.sport, 63);
	assert_int_equal(f->last.bytes[1], 63);
	assert_string_equal(f->last.question, "sAME.example.COM.");
	assert_int_equal(f->forwards, 1);
}

/* One port does not take all places of a question that others have too. */
static void places_of_a_port(void **state)
{
	struct dns_lab *f = *state;
	struct dns_asker from = dns_lab_asker(OFFICE);
	uint8_t q[512];
	size_t n = dns_lab_question(q, "ntp.example.com", A);

	for (unsigned i = 0; i < 100; i++) {
		q[1] = (uint8_t)i;
		dns_ask(f->d, &from, q, n, f->now_ms);
	}
	assert_int_equal(f->answers, 52);
	from.slot = 4;
	dns_ask(f->d, &from, q, n, f->now_ms);
	assert_int_equal(f->answers, 52);
}

/* M11: 10 k questions that nobody answers: a quarter of the places for one port, SERVFAIL for the rest, and all end. */
static void outstanding(void **state)
{
	struct dns_lab *f = *state;
	struct dns_asker from = dns_lab_asker(OFFICE);
	uint8_t q[512];

	assert_true(dns_tick(f->d, f->now_ms) == UINT64_MAX);
	for (unsigned i = 0; i < 10000; i++) {
		char name[64];

		snprintf(name, sizeof(name), "q%u.example.com", i);
		from.slot = (uint16_t)(i < 5000 ? 1 : 2 + i % 8);
		dns_ask(f->d, &from, q, dns_lab_question(q, name, A), f->now_ms + i / 1000);
		if (i == 4999)
			assert_int_equal(f->forwards, DNS_OUT_MAX / 4);
	}
	assert_int_equal(f->forwards, DNS_OUT_MAX);
	assert_int_equal(f->answers, 10000 - DNS_OUT_MAX);
	assert_int_equal(dns_counters(f->d)->over_limit, 10000 - DNS_OUT_MAX);
	assert_int_equal(dns_tick(f->d, f->now_ms + DNS_PATIENCE_MS - 1),
			 f->now_ms + DNS_PATIENCE_MS);
	assert_int_equal(f->answers, 10000 - DNS_OUT_MAX);
	assert_true(dns_tick(f->d, f->now_ms + DNS_PATIENCE_MS + 10) == UINT64_MAX);
	assert_int_equal(f->answers, 10000);
	assert_int_equal(f->last.rcode, SERVFAIL);
	assert_int_equal(dns_counters(f->d)->timeouts, DNS_OUT_MAX);
	/* And again, with all places free. */
	from.slot = 1;
	for (unsigned i = 0; i < DNS_OUT_MAX; i++) {
		char name[64];

		snprintf(name, sizeof(name), "r%u.example.com", i);
		from.slot = (uint16_t)(i / 128);
		dns_ask(f->d, &from, q, dns_lab_question(q, name, A), f->now_ms);
	}
	assert_int_equal(f->forwards, 2 * DNS_OUT_MAX);
}

/* A TCP connection that is gone hears nothing more, also when it goes while answers are told. */
static void forgotten(void **state)
{
	struct dns_lab *f = *state;
	struct built b;
	uint8_t q[512];
	size_t n = dns_lab_question(q, "tcp.example.com", A);

	for (unsigned i = 0; i < 12; i++) {
		struct dns_asker from = dns_lab_asker(OFFICE);

		from.is_tcp = true;
		from.conn = 1 + i % 4 + (i % 2 ? (uint64_t)256 << 32 : 0);
		q[1] = (uint8_t)i;
		dns_ask(f->d, &from, q, n, f->now_ms);
	}
	dns_forget(f->d, 77);
	dns_forget(f->d, 1);
	build(f, &b, NOERROR);
	add(&b, 1, A, 60, "\1\1\1\1", 4);
	f->forget = 3;
	resolve(f, &b);
	assert_int_equal(f->answers, 6); /* of 12: 3 of conn 1, 3 of conn 3 are gone */
	assert_int_equal(f->last.bytes[1], 11);
}

/* A large answer: whole by TCP, cut off by UDP; longer than TCP's buffer: SERVFAIL. */
static void large(void **state)
{
	static uint8_t data[250];
	struct dns_lab *f = *state;
	struct dns_asker from = dns_lab_asker(OFFICE);
	struct built b;
	uint8_t q[512];
	size_t n;

	from.is_tcp = true;
	n = dns_lab_edns(q, dns_lab_question(q, "big.example.com", TXT), 512, 0, false);
	dns_ask(f->d, &from, q, n, f->now_ms);
	build(f, &b, NOERROR);
	while (b.n + 262 <= DNS_TCP_BYTES - 11)
		add(&b, 1, TXT, 60, data, sizeof(data));
	resolve(f, &b);
	assert_int_equal(f->last.n, b.n + 11);
	assert_true(f->last.has_opt && !f->last.is_truncated);
	dns_lab_raw(f, OFFICE, q, n);
	assert_true(f->last.is_truncated && f->last.has_opt);
	assert_int_equal(f->last.n, 12 + 17 + 4 + 11);
	n = dns_lab_question(q, "more.example.com", TXT);
	dns_ask(f->d, &from, q, n, f->now_ms);
	build(f, &b, NOERROR);
	while (b.n + 262 <= DNS_TCP_BYTES)
		add(&b, 1, TXT, 60, data, sizeof(data));
	add(&b, 1, TXT, 60, data, (unsigned)(DNS_TCP_BYTES - 12 - b.n));
	resolve(f, &b);
	assert_int_equal(f->last.rcode, SERVFAIL);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, dns_lab_setup, dns_lab_teardown)
	const struct CMUnitTest tests[] = {
		TEST(forwards_and_keeps), TEST(negative),    TEST(forged),    TEST(joined),
		TEST(places_of_a_port),	  TEST(outstanding), TEST(forgotten), TEST(large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
