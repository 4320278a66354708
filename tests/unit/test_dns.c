/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of dhcp/dns: names that it knows itself, views, sources; what is no question (M11: pointers, loops, 128 labels). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dns_lab.h"

static void expect(struct dns_lab *f, const char *name, unsigned type, unsigned rcode,
		   const char *text)
{
	dns_lab_expect(f, OFFICE, name, type, rcode, text);
}

/* --- Names of ours ----------------------------------------------------------------------- */

#define OFFICE_SOA "office.vfab. 5 SOA gateway.office.vfab. hostmaster.office.vfab. 5\n"
#define VFAB_SOA   "vfab. 5 SOA gateway.vfab. hostmaster.vfab. 5\n"

static void names(void **state)
{
	struct dns_lab *f = *state;

	expect(f, "web", A, NOERROR, "web. 60 A 10.10.0.10\n");
	expect(f, "WeB", AAAA, NOERROR, "WeB. 60 AAAA fd00:10::a\n");
	assert_true(f->last.is_ours);
	expect(f, "web.OFFICE.vfab", A, NOERROR, "web.OFFICE.vfab. 60 A 10.10.0.10\n");
	expect(f, "web.office.vfab", MX, NOERROR, OFFICE_SOA);
	expect(f, "nope.office.vfab", A, NXDOMAIN, OFFICE_SOA);
	expect(f, "a.web.office.vfab", A, NXDOMAIN, OFFICE_SOA);
	expect(f, "office.vfab", A, NOERROR, OFFICE_SOA);
	expect(f, "office.vfab", SOA, NOERROR, OFFICE_SOA);
	expect(f, "office.vfab", NS, NOERROR, "office.vfab. 60 NS gateway.office.vfab.\n");
	expect(f, "gateway.office.vfab", A, NOERROR, "gateway.office.vfab. 60 A 10.10.0.1\n");
	/* RFC 2308 2.2: it has A and no AAAA. */
	expect(f, "box.lab.example", AAAA, NOERROR,
	       "lab.example. 5 SOA gateway.lab.example. hostmaster.lab.example. 5\n");
	/* Bare names are of the asker's own network. */
	expect(f, "box", A, NXDOMAIN, ". 5 SOA gateway.office.vfab. hostmaster.office.vfab. 5\n");
	expect(f, "gateway", A, NXDOMAIN,
	       ". 5 SOA gateway.office.vfab. hostmaster.office.vfab. 5\n");
	dns_lab_expect(f, LAB, "box", A, NOERROR, "box. 60 A 10.20.3.4\n");
	assert_int_equal(f->forwards, 0);
}

/* What a view does not reach is not there, and is not asked for outside either. */
static void views(void **state)
{
	struct dns_lab *f = *state;

	expect(f, "box.lab.example", A, NOERROR, "box.lab.example. 60 A 10.20.3.4\n");
	dns_lab_expect(f, LAB, "web.office.vfab", A, NXDOMAIN, VFAB_SOA);
	expect(f, "safe.closed.vfab", A, NXDOMAIN, VFAB_SOA);
	expect(f, "vfab", A, NOERROR, VFAB_SOA);
	expect(f, "other.vfab", A, NXDOMAIN, VFAB_SOA);
	dns_lab_expect(f, CLOSED, "safe", A, NOERROR, "safe. 60 A 10.30.0.5\n");
	dns_lab_expect(f, CLOSED, "www.example.com", A, REFUSED, "");
	dns_lab_expect(f, CLOSED, "www.example.com", ANY, REFUSED, "");
	dns_lab_expect(f, 77, "web", A, REFUSED, "");
	/* Two networks with one zone, which do not reach each other. */
	dns_lab_expect(f, ALONE, "web.office.vfab", A, NOERROR,
		       "web.office.vfab. 60 A 10.40.0.5\n");
	assert_int_equal(f->forwards, 0);
	/* Another configuration: names of VLANs that stay, stay. */
	struct dns_view v = dns_lab_view(OFFICE, "new.vfab", "10.10.0.1/24", NULL);
	assert_int_equal(dns_apply(f->d, &v, 1), 0);
	expect(f, "web.new.vfab", A, NOERROR, "web.new.vfab. 60 A 10.10.0.10\n");
	expect(f, "web.office.vfab", A, NXDOMAIN, VFAB_SOA);
	strcpy(v.zone, "a..b");
	assert_int_not_equal(dns_apply(f->d, &v, 1), 0);
	expect(f, "web.new.vfab", A, NOERROR, "web.new.vfab. 60 A 10.10.0.10\n");
	assert_int_equal(dns_apply(f->d, NULL, 0), 0);
	expect(f, "web", A, REFUSED, "");
}

static void reverse(void **state)
{
	struct dns_lab *f = *state;

	expect(f, "10.0.10.10.in-addr.arpa", PTR, NOERROR,
	       "10.0.10.10.in-addr.arpa. 60 PTR web.office.vfab.\n");
	expect(f, "4.3.20.10.in-addr.ARPA", PTR, NOERROR,
	       "4.3.20.10.in-addr.ARPA. 60 PTR box.lab.example.\n");
	expect(f, "1.0.10.10.in-addr.arpa", PTR, NOERROR,
	       "1.0.10.10.in-addr.arpa. 60 PTR gateway.office.vfab.\n");
	expect(f, "99.0.10.10.in-addr.arpa", PTR, NXDOMAIN,
	       "0.10.10.in-addr.arpa. 5 SOA gateway.office.vfab. hostmaster.office.vfab. 5\n");
	expect(f, "0.10.10.in-addr.arpa", SOA, NOERROR,
	       "0.10.10.in-addr.arpa. 5 SOA gateway.office.vfab. hostmaster.office.vfab. 5\n");
	assert_int_equal(f->last.counts[1], 1);
	expect(f, "3.20.10.in-addr.arpa", PTR, NOERROR,
	       "20.10.in-addr.arpa. 5 SOA gateway.lab.example. hostmaster.lab.example. 5\n");
	expect(f, "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.d.f.ip6.arpa", PTR,
	       NOERROR,
	       "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.d.f.ip6.arpa. 60 PTR "
	       "web.office.vfab.\n");
	expect(f, "b.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.d.f.ip6.arpa", PTR,
	       NXDOMAIN,
	       "0.0.0.0.0.0.0.0.0.1.0.0.0.0.d.f.ip6.arpa. 5 SOA gateway.office.vfab. "
	       "hostmaster.office.vfab. 5\n");
	expect(f, "1.0.0.127.in-addr.arpa", PTR, NOERROR,
	       "1.0.0.127.in-addr.arpa. 60 PTR localhost.\n");
	assert_int_equal(f->forwards, 0);
	/* Not of networks that he sees, or no address at all. */
	static const char *const others[] = {"5.0.30.10.in-addr.arpa",	"010.0.10.10.in-addr.arpa",
					     "10.10.in-addr.arpa",	"300.0.10.10.in-addr.arpa",
					     "x.0.10.10.in-addr.arpa",	"1.10.0.10.10.in-addr.arpa",
					     "aa.0.ip6.arpa",		"in-addr.arpa",
					     "10.0.10.10.in-addr.arpb", "x.ip6"};
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		uint8_t q[512];

		dns_lab_raw(f, OFFICE, q, dns_lab_question(q, others[i], PTR));
		assert_int_equal(f->forwards, i + 1);
		assert_string_equal(f->domain, others[i]);
	}
}

static void specials(void **state)
{
	struct dns_lab *f = *state;

	expect(f, "host.internal", A, NOERROR, "host.internal. 60 A 192.0.2.1\n");
	expect(f, "host.internal", AAAA, NOERROR,
	       "internal. 5 SOA gateway.internal. hostmaster.internal. 5\n");
	dns_lab_expect(f, LAB, "host.internal", A, NXDOMAIN,
		       "internal. 5 SOA gateway.internal. hostmaster.internal. 5\n");
	expect(f, "Gateway.Internal", AAAA, NOERROR, "Gateway.Internal. 60 AAAA fd00:10::1\n");
	expect(f, "metadata.internal", A, NXDOMAIN,
	       "internal. 5 SOA gateway.internal. hostmaster.internal. 5\n");
	expect(f, "localhost", A, NOERROR, "localhost. 60 A 127.0.0.1\n");
	expect(f, "x.y.localhost", AAAA, NOERROR, "x.y.localhost. 60 AAAA ::1\n");
	expect(f, "localhost", TXT, NOERROR,
	       "localhost. 5 SOA gateway.localhost. hostmaster.localhost. 5\n");
	expect(f, "x.invalid", A, NXDOMAIN,
	       "invalid. 5 SOA gateway.invalid. hostmaster.invalid. 5\n");
	expect(f, "x.onion", AAAA, NXDOMAIN, "onion. 5 SOA gateway.onion. hostmaster.onion. 5\n");
	/* RFC 8482 */
	expect(f, "web", ANY, NOERROR, "web. 60 HINFO RFC8482\n");
	expect(f, "office.vfab", ANY, NOERROR, "office.vfab. 60 HINFO RFC8482\n");
	expect(f, "nope.office.vfab", ANY, NXDOMAIN, OFFICE_SOA);
	expect(f, "www.example.com", ANY, NOERROR, "www.example.com. 60 HINFO RFC8482\n");
	assert_int_equal(f->forwards, 0);
	/* A guest that validates asks for DS of top-level domains, and keys of the root. */
	uint8_t q[512];
	dns_lab_raw(f, OFFICE, q, dns_lab_question(q, "com", DS));
	assert_string_equal(f->domain, "com");
	dns_lab_raw(f, OFFICE, q, dns_lab_question(q, "", 48));
	assert_string_equal(f->domain, "");
	assert_int_equal(f->forwards, 2);
}

/* The strongest source has a name; of leases the first client, with all of his. */
static void sources(void **state)
{
	struct dns_lab *f = *state;
	struct ip ip;

	dns_lab_set(f, OFFICE, DNS_OF_LEASE, "web", "10.10.0.66");
	dns_lab_set(f, OFFICE, DNS_OF_PORT, "web", "10.10.0.67");
	expect(f, "web", A, NOERROR, "web. 60 A 10.10.0.10\n");
	expect(f, "66.0.10.10.in-addr.arpa", PTR, NXDOMAIN,
	       "0.10.10.in-addr.arpa. 5 SOA gateway.office.vfab. hostmaster.office.vfab. 5\n");
	dns_names_flush(f->d, OFFICE, DNS_OF_RESERVATION);
	expect(f, "web", A, NOERROR, "web. 60 A 10.10.0.67\n");
	expect(f, "web", AAAA, NOERROR, ". 5 SOA gateway.office.vfab. hostmaster.office.vfab. 5\n");
	dns_names_flush(f->d, OFFICE, DNS_OF_PORT);
	expect(f, "web", A, NOERROR, "web. 60 A 10.10.0.66\n");

	/* A second client of that name gets no part of it, not of the other family either. */
	ip = dns_lab_ip("10.10.0.70");
	assert_int_equal(dns_name_claim(f->d, OFFICE, "db", &ip, 1), 0);
	ip = dns_lab_ip("10.10.0.71");
	assert_int_equal(dns_name_claim(f->d, OFFICE, "db", &ip, 2), 0);
	ip = dns_lab_ip("fd00:10::71");
	assert_int_equal(dns_name_claim(f->d, OFFICE, "db", &ip, 2), 0);
	expect(f, "db", A, NOERROR, "db. 60 A 10.10.0.70\n");
	expect(f, "db", AAAA, NOERROR, ". 5 SOA gateway.office.vfab. hostmaster.office.vfab. 5\n");
	ip = dns_lab_ip("fd00:10::70");
	assert_int_equal(dns_name_claim(f->d, OFFICE, "db", &ip, 1), 0);
	expect(f, "db", AAAA, NOERROR, "db. 60 AAAA fd00:10::70\n");
	dns_name_drop(f->d, OFFICE, DNS_OF_LEASE, &ip);
	ip = dns_lab_ip("10.10.0.70");
	dns_name_drop(f->d, OFFICE, DNS_OF_LEASE, &ip);
	expect(f, "db", A, NOERROR, "db. 60 A 10.10.0.71\n");
	expect(f, "db", AAAA, NOERROR, "db. 60 AAAA fd00:10::71\n");

	/* Names that programs trust are not for those who only say so. */
	dns_lab_set(f, OFFICE, DNS_OF_LEASE, "wpad", "10.10.0.80");
	dns_lab_set(f, OFFICE, DNS_OF_LEASE, "gateway", "10.10.0.80");
	dns_lab_set(f, OFFICE, DNS_OF_LEASE, "localhost", "10.10.0.80");
	expect(f, "wpad.office.vfab", A, NXDOMAIN, OFFICE_SOA);
	expect(f, "gateway.office.vfab", A, NOERROR, "gateway.office.vfab. 60 A 10.10.0.1\n");
	dns_lab_set(f, OFFICE, DNS_OF_PORT, "wpad", "10.10.0.80");
	expect(f, "wpad", A, NOERROR, "wpad. 60 A 10.10.0.80\n");
}

/* Of a name that the operator gave, all; what does not fit is said by TCP. */
static void many_addresses(void **state)
{
	struct dns_asker from = dns_lab_asker(OFFICE);
	struct dns_lab *f = *state;
	uint8_t q[512];
	size_t n;

	for (unsigned i = 0; i < 60; i++) {
		char text[IP_TEXT];

		snprintf(text, sizeof(text), "10.10.0.%u", 100 + i);
		dns_lab_set(f, OFFICE, DNS_OF_PORT, "pool", text);
	}
	dns_lab_ask(f, OFFICE, "pool", A);
	assert_true(f->last.is_truncated);
	assert_int_equal(f->last.counts[1], 0);
	assert_int_equal(f->last.n, 12 + 6 + 4);
	n = dns_lab_edns(q, dns_lab_question(q, "pool", A), 4096, 0, true);
	dns_lab_raw(f, OFFICE, q, n);
	assert_false(f->last.is_truncated);
	assert_int_equal(f->last.counts[1], 60);
	assert_true(f->last.has_opt && f->last.is_do);
	n = dns_lab_edns(q, dns_lab_question(q, "pool", A), 100, 0, false);
	dns_lab_raw(f, OFFICE, q, n);
	assert_true(f->last.is_truncated && f->last.has_opt && !f->last.is_do);
	from.is_tcp = true;
	dns_ask(f->d, &from, q, dns_lab_question(q, "pool", A), f->now_ms);
	assert_int_equal(f->last.counts[1], 60);
	assert_int_equal(dns_counters(f->d)->truncated, 2);
}

/* --- What is no question ----------------------------------------------------------------- */

static void expect_rcode(struct dns_lab *f, const uint8_t *bytes, size_t n, unsigned rcode)
{
	unsigned before = f->answers;

	dns_lab_raw(f, OFFICE, bytes, n);
	assert_int_equal(f->answers, before + 1);
	assert_int_equal(f->last.rcode, rcode);
	assert_int_equal(dns_lab_u16(f->last.bytes), ID);
}

static void no_questions(void **state)
{
	struct dns_lab *f = *state;
	uint8_t q[600];
	size_t n = dns_lab_question(q, "web", A);

	/* Less than a header, or an answer: nothing is said. */
	for (size_t i = 0; i < 12; i++)
		dns_lab_raw(f, OFFICE, q, i);
	q[2] |= 0x80;
	dns_lab_raw(f, OFFICE, q, n);
	assert_int_equal(f->answers, 0);
	assert_int_equal(dns_counters(f->d)->malformed, 13);
	q[2] &= 0x7f;
	/* M02: cut anywhere. */
	for (size_t i = 12; i < n; i++)
		expect_rcode(f, q, i, FORMERR);
	expect_rcode(f, q, n + 1, FORMERR);
	for (unsigned at = 5; at <= 9; at += 2) { /* two questions, or an answer, or authority */
		q[at]++;
		expect_rcode(f, q, n, FORMERR);
		q[at]--;
	}
	q[5] = 0;
	expect_rcode(f, q, n, FORMERR);
	q[5] = 1;
	for (unsigned opcode = 1; opcode < 16; opcode++) {
		q[2] = (uint8_t)(opcode << 3 | 1);
		expect_rcode(f, q, n, NOTIMP);
		assert_int_equal(f->last.bytes[2], 0x80 | opcode << 3 | 1);
	}
	q[2] = 1;
	q[n - 1] = 3; /* CH */
	expect_rcode(f, q, n, REFUSED);
	expect_rcode(f, q, dns_lab_question(q, "web", 252), NOTIMP);
	expect_rcode(f, q, dns_lab_question(q, "web", 251), NOTIMP);
	expect_rcode(f, q, dns_lab_question(q, "web", 0), FORMERR);
	expect_rcode(f, q, dns_lab_question(q, "web", 41), FORMERR);
	/* RFC 6891 6.1.3: BADVERS; 6.1.1: one OPT. */
	n = dns_lab_edns(q, dns_lab_question(q, "web", A), 1232, 1, false);
	expect_rcode(f, q, n, 16);
	assert_true(f->last.has_opt);
	n = dns_lab_edns(q, dns_lab_edns(q, dns_lab_question(q, "web", A), 1232, 0, false), 1232, 0,
			 false);
	expect_rcode(f, q, n, FORMERR);
	/* An option that is longer than OPT. */
	n = dns_lab_edns(q, dns_lab_question(q, "web", A), 1232, 0, false);
	q[n - 1] = 4;
	memcpy(q + n, "\0\12\0\1", 4);
	expect_rcode(f, q, n + 4, FORMERR);
	q[n + 3] = 0;
	expect_rcode(f, q, n + 4, NOERROR);
	memset(q + n, 0, sizeof(q) - n);
	expect_rcode(f, q, 513, FORMERR);
	assert_int_equal(f->forwards, 0);
}

/* M11: pointers, loops, 128 labels and more in a question. */
static void odd_names(void **state)
{
	static const uint8_t pointers[][2] = {
		{0xc0, 12}, {0xc0, 0}, {0xff, 0xff}, {0x40, 1}, {0x80, 1}};
	struct dns_lab *f = *state;
	uint8_t q[512];
	char name[300];
	size_t n;

	for (unsigned i = 0; i < 5; i++) {
		n = dns_lab_question(q, "aa", A);
		memcpy(q + 12, pointers[i], 2);
		expect_rcode(f, q, n, FORMERR);
		n = dns_lab_question(q, "b.aa", A);
		memcpy(q + 14, pointers[i], 2);
		expect_rcode(f, q, n, FORMERR);
	}
	for (unsigned labels = 126; labels <= 129; labels++) {
		for (unsigned i = 0; i < labels; i++)
			memcpy(name + 2 * i, "x.", 3);
		n = dns_lab_question(q, name, A);
		dns_lab_raw(f, OFFICE, q, n);
		if (labels > 127)
			assert_int_equal(f->last.rcode, FORMERR);
	}
	assert_int_equal(f->forwards, 2);
	/* Dots and capitals within labels do not choose another server. */
	n = dns_lab_question(q, "x.corp-example.org", A);
	q[13 + 1 + 1 + 4] = '.';
	q[13] = 'X';
	dns_lab_raw(f, OFFICE, q, n);
	assert_string_equal(f->domain, "x.corp?example.org");
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, dns_lab_setup, dns_lab_teardown)
	const struct CMUnitTest tests[] = {
		TEST(names),   TEST(views),	     TEST(reverse),	 TEST(specials),
		TEST(sources), TEST(many_addresses), TEST(no_questions), TEST(odd_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
