/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of dhcp/dns_wire: answers checked to their last record (M11, DNSpooq: names in records, lengths
 * that lie), what is kept of them, and the text of names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dhcp/dns_wire.h"

static const uint64_t secret[2] = {1, 2};

struct message {
	uint8_t b[DNS_TCP_BYTES + 1];
	size_t n;
};

static void put(struct message *m, const void *bytes, size_t n)
{
	assert_true(m->n + n <= sizeof(m->b));
	memcpy(m->b + m->n, bytes, n);
	m->n += n;
}

/* A question for x.ab of that type, read; and the beginning of its answer, with as many records. */
static void begin(struct dns_question *q, struct message *m, uint8_t type, unsigned records)
{
	static uint8_t bytes[] = {0, 1, 1,   0, 0,   1,	  0, 0, 0, 0, 0,
				  0, 1, 'X', 2, 'a', 'B', 0, 0, 0, 0, 1};

	bytes[19] = type;
	assert_int_equal(dns_read_question(q, bytes, sizeof(bytes), false), 0);
	dns_question_hash(q, secret);
	m->n = 0;
	put(m, bytes, sizeof(bytes));
	m->b[2] = 0x81;
	m->b[3] = 0x80;
	m->b[6] = (uint8_t)(records >> 8);
	m->b[7] = (uint8_t)records;
}

static bool check(const struct dns_question *q, const struct message *m, struct dns_reply *r)
{
	static uint16_t ttl_at[DNS_RECORDS_MAX];
	uint8_t *exact = malloc(m->n);
	struct dns_key k;
	bool is_good;

	assert_non_null(exact);
	memcpy(exact, m->b, m->n);
	dns_question_key(q, &k, secret);
	is_good = dns_read_reply(r, &k, exact, m->n, ttl_at);
	free(exact);
	return is_good;
}

/* One record of that type, of the name asked for. */
static bool check_data(uint8_t type, const void *data, uint8_t n)
{
	const uint8_t head[] = {0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, n};
	struct dns_question q;
	struct dns_reply r;
	struct message m;

	begin(&q, &m, type, 1);
	put(&m, head, sizeof(head));
	put(&m, data, n);
	return check(&q, &m, &r) && r.n_ttls == 1 && r.ttl_s == 60;
}

static void data(void **state)
{
	/* Data begins at 34. */
	static const struct {
		uint8_t type, n;
		const char *bytes;
		bool is_good;
	} cases[] = {
		{DNS_A, 4, "\1\2\3\4", true},
		{DNS_A, 3, "\1\2\3", false},
		{DNS_A, 5, "\1\2\3\4\5", false},
		{DNS_AAAA, 16, "0123456789abcdef", true},
		{DNS_AAAA, 15, "0123456789abcde", false},
		{DNS_CNAME, 2, "\xc0\14", true},
		{DNS_CNAME, 4, "\1y\xc0\14", true},
		{DNS_CNAME, 4, "\1y\xc0\16", true},
		{DNS_CNAME, 1, "", true},
		{DNS_CNAME, 0, "", false},
		{DNS_CNAME, 1, "\xc0", false},	     /* half a pointer */
		{DNS_CNAME, 3, "\xc0\14x", false},   /* something behind it */
		{DNS_CNAME, 3, "\5yy", false},	     /* over its end */
		{DNS_CNAME, 2, "\xc0\42", false},    /* to itself */
		{DNS_CNAME, 4, "\1y\xc0\42", false}, /* round */
		{DNS_CNAME, 2, "\xc0\44", false},    /* forwards */
		{DNS_CNAME, 2, "\xc0\13", false},    /* into the header */
		{DNS_CNAME, 2, "\xff\xff", false},
		{DNS_CNAME, 2, "\x40\1", false},
		{DNS_CNAME, 2, "\x80\1", false},
		{DNS_CNAME, 4, "\xc0\42\xc0\42", false},
		{DNS_MX, 4, "\0\1\xc0\14", true},
		{DNS_MX, 2, "\0\1", false},
		{DNS_MX, 1, "", false},
		{DNS_SRV, 8, "\0\1\0\1\0\1\xc0\14", true},
		{DNS_SRV, 6, "\0\1\0\1\0\1", false},
		{DNS_SOA, 24, "\xc0\14\xc0\14 20 bytes of numbers...", true},
		{DNS_SOA, 23, "\xc0\14\xc0\14 19 bytes of numbers..", false},
		{DNS_SOA, 25, "\xc0\14\xc0\14 21 bytes of numbers....", false},
		{16, 3, "\377\377\377", true}, /* others may be anything */
		{16, 0, "", true},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (check_data(cases[i].type, cases[i].bytes, cases[i].n) != cases[i].is_good)
			fail_msg("case %u", i);
}

/* Owners: 127 labels are a name, and 255 bytes; a chain of pointers is followed for as long only. */
static void owners(void **state)
{
	static const uint8_t tail[] = {0, 16, 0, 1, 0, 0, 0, 60, 0, 0};
	struct dns_question q;
	struct dns_reply r;
	struct message m;

	(void)state;
	for (unsigned labels = 120; labels < 135; labels++) {
		begin(&q, &m, 16, 1);
		for (unsigned i = 0; i < labels; i++)
			put(&m, "\1z", 2);
		put(&m, "", 1);
		put(&m, tail, sizeof(tail));
		assert_int_equal(check(&q, &m, &r), labels <= 127);
	}
	/* As many by a pointer: 5 bytes of the name asked for are in it. */
	for (unsigned labels = 120; labels < 135; labels++) {
		begin(&q, &m, 16, 1);
		for (unsigned i = 0; i < labels; i++)
			put(&m, "\1z", 2);
		put(&m, "\xc0\14", 2);
		put(&m, tail, sizeof(tail));
		assert_int_equal(check(&q, &m, &r), 2 * labels + 6 <= 255);
	}
	/* Pointers to pointers, in the data of a record; then an owner that begins at the last of them. */
	for (unsigned hops = 100; hops < 160; hops++) {
		uint8_t pointer[2] = {0xc0, 12};

		begin(&q, &m, 16, 2);
		put(&m, "\xc0\14", 2);
		put(&m, tail, 8);
		put(&m, (const uint8_t[]){(uint8_t)(2 * hops >> 8), (uint8_t)(2 * hops)}, 2);
		for (unsigned i = 0; i < hops; i++) {
			put(&m, pointer, 2);
			pointer[0] = (uint8_t)(0xc0 | (m.n - 2) >> 8);
			pointer[1] = (uint8_t)(m.n - 2);
		}
		put(&m, pointer, 2);
		put(&m, tail, sizeof(tail));
		assert_int_equal(check(&q, &m, &r), hops + 1 <= 127);
	}
}

/* Counts that the records do not bear out; and a message full of the smallest records. */
static void counts(void **state)
{
	static const uint8_t small[] = {0, 0, 16, 0, 1, 0, 0, 0, 60, 0, 0};
	struct dns_question q;
	struct dns_reply r;
	struct message m;
	unsigned most = 0;

	(void)state;
	begin(&q, &m, 16, 0);
	for (; m.n + sizeof(small) <= DNS_TCP_BYTES; most++)
		put(&m, small, sizeof(small));
	for (unsigned d = 0; d < 3; d++) {
		m.b[6] = (uint8_t)((most - 1 + d) >> 8);
		m.b[7] = (uint8_t)(most - 1 + d);
		assert_int_equal(check(&q, &m, &r), d == 1);
	}
	m.b[6] = (uint8_t)(most >> 8);
	m.b[7] = (uint8_t)most;
	assert_true(check(&q, &m, &r));
	assert_int_equal(r.n_ttls, most);
	m.b[6] = m.b[7] = 0xff;
	assert_false(check(&q, &m, &r));
	/* M02: cut anywhere. */
	begin(&q, &m, DNS_A, 1);
	put(&m, "\xc0\14\0\1\0\1\0\0\0\74\0\4\1\2\3\4", 16);
	assert_true(check(&q, &m, &r));
	for (m.n--; m.n > 0; m.n--)
		assert_false(check(&q, &m, &r));
}

/* OPT is cut off, with what follows it; two, or one in another section, or of a name, is none. */
static void opt(void **state)
{
	static const uint8_t record[] = {0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 2, 'x', 'y'};
	static const uint8_t other[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 7, 0, 4, 1, 2, 3, 4};
	struct dns_question q;
	struct dns_reply r;
	struct message m;
	size_t before;

	(void)state;
	begin(&q, &m, DNS_A, 1);
	put(&m, other, sizeof(other));
	put(&m, other, sizeof(other));
	before = m.n;
	put(&m, record, sizeof(record));
	put(&m, other, sizeof(other));
	m.b[11] = 3;
	m.b[3] |= 7;
	assert_true(check(&q, &m, &r));
	assert_int_equal(r.n, before);
	assert_int_equal(r.n_additional, 1);
	assert_int_equal(r.n_ttls, 2);
	assert_int_equal(r.rcode, 1 << 4 | 7);
	m.b[11] = 4;
	put(&m, record, sizeof(record));
	assert_false(check(&q, &m, &r));
	begin(&q, &m, DNS_A, 1);
	put(&m, record, sizeof(record));
	assert_false(check(&q, &m, &r));
	begin(&q, &m, DNS_A, 0);
	m.b[11] = 1;
	put(&m, "\xc0\14", 2);
	put(&m, record + 1, sizeof(record) - 1);
	assert_false(check(&q, &m, &r));
}

static void text(void **state)
{
	static const struct {
		const char *name, *text;
		uint8_t n;
	} cases[] = {
		{"", "", 1},
		{"\3com", "com", 5},
		{"\1a\2b.\4c\\d/", "a.b?.c?d?", 11},
		{"\3_ab\2-9", "_ab.-9", 8},
		{"\3A\0\377", "???", 5},
	};
	char out[DNS_NAME_MAX];

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		dns_question_text((const uint8_t *)cases[i].name, cases[i].n, out);
		assert_string_equal(out, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data), cmocka_unit_test(owners), cmocka_unit_test(counts),
		cmocka_unit_test(opt),	cmocka_unit_test(text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
