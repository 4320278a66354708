/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_dns: questions of a guest and answers of a resolver, in any order (F08).
 *
 * Input: steps, each a byte and a length (little-endian, two bytes) and as many bytes, which are
 *
 *    0  a question of a guest         1  the same by TCP          2  of a guest whose network forwards nothing
 *    3  an answer to what went out last, as it is                 4  ... with its head and question put in front of them
 *    5  time passes: as many seconds as there are bytes           6  a connection is gone
 *
 * Two of them are fed the same, in buffers that held other things before: what they say must be equal to the byte, so nothing that
 * was not written goes out.  Each answer is read to its end by a reader of the target's own.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TWO = 2, STEPS = 64, SAID_MAX = 1 << 18, QUESTION_AT = 12, OPT_BYTES = 11, CONN = 9 };

struct side {
	struct dns *d;
	uint32_t token;
	uint8_t query[DNS_QUESTION_BYTES];
	size_t query_n, said_n;
	uint64_t hash; /* of all that was said */
	uint64_t answers;
};

static unsigned u16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* Behind the name at `at`. */
static size_t past_name(const uint8_t *b, size_t n, size_t at)
{
	for (;;) {
		assert(at < n);
		if (b[at] >= 0xc0) {
			assert(at + 2 <= n && (u16(b + at) & 0x3fff) < at);
			return at + 2;
		}
		assert(b[at] < 64);
		if (b[at] == 0)
			return at + 1;
		at += 1u + b[at];
	}
}

static void check(const uint8_t *b, size_t n)
{
	size_t at = QUESTION_AT;

	assert(n >= QUESTION_AT && b[2] & 0x80);
	assert(u16(b + 4) <= 1);
	if (u16(b + 4))
		at = past_name(b, n, at) + 4;
	for (unsigned i = u16(b + 6) + u16(b + 8) + u16(b + 10); i > 0; i--) {
		at = past_name(b, n, at) + 10;
		assert(at <= n);
		at += u16(b + at - 2);
	}
	assert(at == n);
}

static void say(void *arg, const struct dns_asker *to, const uint8_t *bytes, size_t n)
{
	struct side *s = arg;

	assert(n <= (to->is_tcp ? DNS_TCP_BYTES : DNS_UDP_BYTES));
	check(bytes, n);
	s->answers++;
	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ bytes[i]) * 0x100000001b3;
}

static bool ask(void *arg, uint32_t token, const char *domain, const uint8_t *query, size_t n)
{
	struct side *s = arg;

	assert(strlen(domain) < 255 && n <= sizeof(s->query));
	assert(past_name(query, n, QUESTION_AT) + 4 + OPT_BYTES == n);
	s->token = token;
	memcpy(s->query, query, n);
	s->query_n = n;
	for (size_t i = 0; i < n; i++)
		s->hash = (s->hash ^ query[i]) * 0x100000001b3;
	return true;
}

static struct side side_create(void)
{
	static const uint64_t secret[2] = {3, 5};
	struct side s = {.d = dns_create(secret)};
	struct dns_view v[2] = {
		{.vid = 1, .zone = "a.vfab", .forwards = true, .reaches = {2}, .n_reaches = 1},
		{.vid = 2, .zone = "b.example"}};
	struct ip ip;

	assert(s.d);
	prefix_parse("10.0.0.1/24", &v[0].v4);
	prefix_parse("fd00::1/64", &v[0].v6);
	v[0].gateway4 = v[0].host4 = v[0].v4.ip;
	prefix_parse("10.1.0.1/20", &v[1].v4);
	if (dns_apply(s.d, v, 2) < 0)
		abort();
	ip_parse("10.0.0.7", &ip);
	dns_name_set(s.d, 1, DNS_OF_PORT, "web", &ip);
	ip_parse("fd00::7", &ip);
	dns_name_set(s.d, 1, DNS_OF_PORT, "web", &ip);
	ip_parse("10.1.0.9", &ip);
	dns_name_set(s.d, 2, DNS_OF_LEASE, "db", &ip);
	for (unsigned i = 0; i < 50; i++) {
		ip.b[15] = (uint8_t)(100 + i);
		dns_name_set(s.d, 2, DNS_OF_PORT, "pool", &ip);
	}
	return s;
}

static void ignore(void *arg, const struct dns_asker *to, const uint8_t *bytes, size_t n)
{
	(void)arg, (void)to, (void)bytes, (void)n;
}

/* Fills its buffer with a large answer, so that what is left there is seen. */
static void poison(struct side *s, int with, uint64_t now_ms)
{
	static uint8_t answer[DNS_TCP_BYTES - OPT_BYTES];
	static const uint8_t question[] = {0, 1, 1,   0, 0,   1, 0, 0,	0, 0, 0,
					   0, 1, 'p', 1, 'q', 0, 0, 16, 0, 1};
	const struct dns_ways w = {s, ignore, ask};
	struct dns_asker from = {.vid = 1, .is_tcp = true};
	uint64_t answered = dns_counters(s->d)->answered;
	size_t n = sizeof(question);

	dns_ways(s->d, &w);
	dns_ask(s->d, &from, question, n, now_ms);
	memset(answer, with, sizeof(answer));
	memcpy(answer, question, n);
	answer[2] = 0x81;
	answer[7] = 1;
	memcpy(answer + n, "\xc0\14\0\20\0\1\0\0\0", 10);
	answer[n + 9] = 0; /* TTL 0: not kept */
	answer[n + 10] = (uint8_t)((sizeof(answer) - n - 12) >> 8);
	answer[n + 11] = (uint8_t)(sizeof(answer) - n - 12);
	dns_resolved(s->d, s->token, answer, sizeof(answer), now_ms);
	assert(dns_counters(s->d)->answered == answered + 1);
	s->query_n = 0;
	s->token = 0;
	s->hash = s->answers = 0;
}

static void resolve(struct side *s, const uint8_t *bytes, size_t n, bool has_head, uint64_t now_ms)
{
	size_t head = has_head && s->query_n ? s->query_n - OPT_BYTES : 0;
	uint8_t *all = malloc(head + n + 1);

	assert(all);
	/* Of the input: flags and counts, then records. */
	if (head && n >= 8) {
		memcpy(all, s->query, head);
		memcpy(all + 2, bytes, 2);
		memcpy(all + 6, bytes + 2, 6);
		all[2] |= 0x80;
		all[2] &= 0x87;
		bytes += 8;
		n -= 8;
	} else {
		head = 0;
	}
	memcpy(all + head, bytes, n);
	dns_resolved(s->d, s->token, all, head + n, now_ms);
	free(all);
}

static void step(struct side *s, unsigned what, const uint8_t *bytes, size_t n, uint64_t *now_ms)
{
	struct dns_asker from = {
		.vid = what == 2 ? 2 : 1, .slot = 1, .is_tcp = what == 1, .conn = CONN};
	uint8_t *exact = malloc(n + !n);

	assert(exact);
	memcpy(exact, bytes, n);
	if (what <= 2)
		dns_ask(s->d, &from, exact, n, *now_ms);
	else if (what <= 4)
		resolve(s, exact, n, what == 4, *now_ms);
	else if (what == 6)
		dns_forget(s->d, CONN);
	free(exact);
	if (what == 5)
		*now_ms += 1000 * n;
	dns_tick(s->d, *now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Made once, for they are large; begun anew for each input. */
	static struct side side[TWO];
	static uint64_t start_ms = 1000;
	uint64_t now_ms[TWO];

	start_ms += 1000000000;
	for (unsigned i = 0; i < TWO; i++) {
		const struct dns_ways w = {&side[i], say, ask}, quiet = {&side[i], ignore, ask};

		if (!side[i].d)
			side[i] = side_create();
		now_ms[i] = start_ms;
		dns_ways(side[i].d, &quiet);
		dns_tick(side[i].d, start_ms);
		dns_cache_flush(side[i].d);
		poison(&side[i], i ? 0xa5 : 0x5a, start_ms);
		dns_ways(side[i].d, &w);
	}
	for (unsigned k = 0; k < STEPS && size >= 3; k++) {
		size_t n = data[1] | (size_t)data[2] << 8;
		unsigned what = data[0] % 7;

		data += 3;
		size -= 3;
		n = n < size ? n : size;
		for (unsigned i = 0; i < TWO; i++)
			step(&side[i], what, data, n, &now_ms[i]);
		data += n;
		size -= n;
		assert(side[0].answers == side[1].answers && side[0].hash == side[1].hash);
	}
	return 0;
}
