/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_resolver: the text of a resolv.conf, and DNS messages at the resolver.
 *
 * The first byte says what the rest is: even, a text; odd, a byte for the length of a question of the switch, that question, and
 * behind it what came back.  A question that is taken must end where its bytes do, and what is sent must be the same but for
 * letters.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switch/resolv_conf.h"
#include "switch/resolver_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_text(const char *text, size_t n)
{
	struct resolver_server s[RESOLVER_SERVERS];
	unsigned found = resolv_conf_parse(text, n, s), i, k;
	char buf[IP_TEXT];
	struct ip ip;

	assert(found <= RESOLVER_SERVERS);
	for (i = 0; i < found; i++) {
		assert(s[i].port == 53 && ip_parse(ip_text(&s[i].ip, buf), &ip));
		for (k = 0; k < i; k++)
			assert(!ip_equal(&s[i].ip, &s[k].ip));
	}
}

/* Copies of just their size, so that a byte too far is noticed. */
static uint8_t *copy(const uint8_t *bytes, size_t n)
{
	uint8_t *p = malloc(n + !n);

	assert(p);
	if (n > 0)
		memcpy(p, bytes, n);
	return p;
}

static void try_messages(const uint8_t *data, size_t size)
{
	uint8_t *query, *answer, bits[RESOLVER_LETTERS];
	size_t n = data[0], question;

	data++;
	size--;
	if (n > size)
		n = size;
	query = copy(data, n);
	answer = copy(data + n, size - n);
	question = resolver_wire_question(query, n);
	if (question > 0) {
		assert(RESOLVER_HEAD + question <= n && question >= 5);
		memset(bits, 0x55, sizeof(bits));
		resolver_wire_letters(query, question, bits);
		assert(strncasecmp((char *)query, (const char *)data, n) == 0);
		assert(resolver_wire_question(query, n) == question);
		if (resolver_wire_match(query, question, answer, size - n) != RESOLVER_STRANGE) {
			assert(size - n >= RESOLVER_HEAD + question);
			assert(resolver_wire_rcode(answer) < 16);
			resolver_wire_is_cut(answer);
		}
		/* Its own echo with the bit of an answer is one. */
		query[2] |= 0x80;
		assert(resolver_wire_match(query, question, query, n) == RESOLVER_SAME);
	}
	free(query);
	free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (data[0] & 1)
		try_messages(data + 1, size - 1);
	else
		try_text((const char *)data + 1, size - 1);
	return 0;
}
