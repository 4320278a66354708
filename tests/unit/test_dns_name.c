/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of dhcp/dns_name and dhcp/dns_cache: a naive twin of the table of names under random operations, 262144 names with two
 * sources, a thousand guests of one name; the cache's limits.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dhcp/dns_cache.h"
#include "dhcp/dns_name.h"

enum { TWINS = 400, MANY = 1 << 18 };

static const uint64_t secret[2] = {0x243f6a8885a308d3, 0x13198a2e03707344};
static uint64_t rng_state = 1;

static uint32_t rng(uint32_t below)
{
	uint64_t x = rng_state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((x >> 32) * below >> 32);
}

static struct ip address(uint32_t v, bool is_v6)
{
	struct ip ip = {{0}};

	if (is_v6)
		ip.b[0] = 0xfd;
	else
		ip.b[10] = ip.b[11] = 0xff;
	for (unsigned i = 0; i < 4; i++)
		ip.b[12 + i] = (uint8_t)(v >> (24 - 8 * i));
	return ip;
}

static void label_of(const char *name, uint8_t label[static DNS_LABEL_SIZE])
{
	label[0] = (uint8_t)strlen(name);
	memcpy(label + 1, name, label[0]);
}

/* --- The twin: a list of all records ----------------------------------------------------- */

struct twin {
	struct dns_claim c;
	char name[8];
};

static struct twin twins[TWINS];
static unsigned n_twins;

static struct twin *twin_at(uint16_t vid, enum dns_source source, const struct ip *ip)
{
	for (unsigned i = 0; i < n_twins; i++)
		if (twins[i].c.vid == vid && twins[i].c.source == source &&
		    ip_equal(&twins[i].c.ip, ip))
			return &twins[i];
	return NULL;
}

static void twin_drop(struct twin *t)
{
	memmove(t, t + 1, sizeof(*t) * (size_t)(twins + --n_twins - t));
}

static void twin_clear(uint16_t vid, enum dns_source source)
{
	for (unsigned i = n_twins; i-- > 0;)
		if (twins[i].c.vid == vid && twins[i].c.source == source)
			twin_drop(&twins[i]);
}

/* The first of the strongest source, or of that one. */
static struct twin *twin_front(uint16_t vid, const char *name, int source)
{
	struct twin *front = NULL;

	for (unsigned i = 0; i < n_twins; i++) {
		struct twin *t = &twins[i];

		if (t->c.vid != vid || strcmp(t->name, name) != 0 ||
		    (source >= 0 && (int)t->c.source != source))
			continue;
		if (!front || t->c.source > front->c.source)
			front = t;
	}
	return front;
}

static void twin_set(const struct dns_claim *c)
{
	struct twin *t = twin_at(c->vid, c->source, &c->ip), *at;

	if (t && strcmp(t->name, c->name) == 0 && t->c.owner == c->owner)
		return;
	if (t)
		twin_drop(t);
	assert_true(n_twins < TWINS);
	/* At the end, but what is of who has the name right behind his first. */
	t = twin_front(c->vid, c->name, DNS_OF_LEASE);
	at = twins + n_twins;
	if (c->source == DNS_OF_LEASE && t && t->c.owner == c->owner)
		at = t + 1;
	memmove(at + 1, at, sizeof(*at) * (size_t)(twins + n_twins++ - at));
	at->c = *c;
	strcpy(at->name, c->name);
}

static bool twin_answers(const struct twin *front, const struct twin *t)
{
	if (t->c.vid != front->c.vid || strcmp(t->name, front->name) != 0 ||
	    t->c.source != front->c.source)
		return false;
	return front->c.source > DNS_OF_LEASE || t == front || t->c.owner == front->c.owner;
}

static void compare(const struct dns_names *t, uint16_t vid, const char *name)
{
	const struct twin *front = twin_front(vid, name, -1);
	uint8_t label[DNS_LABEL_SIZE], back[DNS_LABEL_SIZE];
	struct dns_addresses found;
	unsigned n = 0;

	label_of(name, label);
	assert_int_equal(dns_names_find(t, vid, label, &found), front != NULL);
	for (unsigned i = 0; front && i < n_twins; i++) {
		bool is_found = false;

		if (!twin_answers(front, &twins[i]))
			continue;
		n++;
		for (unsigned k = 0; k < found.n; k++)
			is_found |= ip_equal(found.ip[k], &twins[i].c.ip);
		assert_true(is_found);
		assert_true(dns_names_of(t, vid, &twins[i].c.ip, back));
	}
	assert_int_equal(found.n, n);
	if (front)
		assert_true(ip_equal(found.ip[0], &front->c.ip));
}

static void twin(void **state)
{
	struct dns_names *t = dns_names_create(secret);

	(void)state;
	assert_non_null(t);
	for (unsigned step = 0; step < 60000; step++) {
		char name[8];
		struct dns_claim c = {
			.vid = (uint16_t)(1 + rng(2)),
			.source = (enum dns_source)rng(3),
			.name = name,
			.ip = address(rng(20), rng(2)),
		};

		snprintf(name, sizeof(name), "n%u", rng(12));
		c.owner = c.source == DNS_OF_LEASE ? 1 + rng(4) : 0;
		if (rng(2)) {
			assert_int_equal(dns_names_set(t, &c), 0);
			twin_set(&c);
		} else if (rng(100)) {
			struct twin *at = twin_at(c.vid, c.source, &c.ip);

			dns_names_drop(t, c.vid, c.source, &c.ip);
			if (at)
				twin_drop(at);
		} else {
			dns_names_clear(t, c.vid, c.source);
			twin_clear(c.vid, c.source);
		}
		compare(t, c.vid, name);
	}
	dns_names_destroy(t);
}

static void many(void **state)
{
	struct dns_names *t = dns_names_create(secret);
	struct dns_addresses found;
	uint8_t label[DNS_LABEL_SIZE];
	char name[16];
	struct dns_claim c = {.vid = 1, .name = name};

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < 2 * MANY; i++) {
			snprintf(name, sizeof(name), "host%u", i % MANY);
			c.source = i < MANY ? DNS_OF_LEASE : DNS_OF_RESERVATION;
			c.ip = address(i % MANY, false);
			assert_int_equal(dns_names_set(t, &c), 0);
		}
		/* Full: the next one is refused, and one that changes its name is not. */
		c.ip = address(MANY, false);
		assert_int_equal(dns_names_set(t, &c), -ENOMEM);
		c.ip = address(7, false);
		strcpy(name, "other");
		assert_int_equal(dns_names_set(t, &c), 0);
		for (uint32_t i = 0; i < MANY; i += 97) {
			snprintf(name, sizeof(name), "host%u", i);
			label_of(name, label);
			assert_true(dns_names_find(t, 1, label, &found));
			assert_int_equal(found.n, 1);
			c.ip = address(i, false);
			assert_true(ip_equal(found.ip[0], &c.ip));
		}
		dns_names_clear(t, 1, DNS_OF_LEASE);
		dns_names_clear(t, 1, DNS_OF_RESERVATION);
		label_of("other", label);
		assert_false(dns_names_find(t, 1, label, &found));
	}
	dns_names_destroy(t);
	dns_names_destroy(NULL);
}

/* Guests that were made of one template: the first has the name, and both his addresses, at any number of others. */
static void one_name(void **state)
{
	struct dns_names *t = dns_names_create(secret);
	struct dns_claim c = {.vid = 1, .source = DNS_OF_LEASE, .name = "Ubuntu"};
	struct dns_addresses found;
	uint8_t label[DNS_LABEL_SIZE];

	(void)state;
	label_of("ubuntu", label);
	for (uint32_t i = 0; i < 20000; i++) {
		c.owner = i + 1;
		c.ip = address(i, false);
		assert_int_equal(dns_names_set(t, &c), 0);
		assert_true(dns_names_find(t, 1, label, &found));
		assert_int_equal(found.n, 1);
	}
	c.owner = 1;
	c.ip = address(0, true);
	assert_int_equal(dns_names_set(t, &c), 0);
	assert_true(dns_names_find(t, 1, label, &found));
	assert_int_equal(found.n, 2);
	dns_names_drop(t, 1, DNS_OF_LEASE, &c.ip);
	for (uint32_t i = 0; i < 20000; i++) {
		c.ip = address(i, false);
		assert_true(dns_names_find(t, 1, label, &found));
		assert_true(found.n == 1 && ip_equal(found.ip[0], &c.ip));
		dns_names_drop(t, 1, DNS_OF_LEASE, &c.ip);
	}
	assert_false(dns_names_find(t, 1, label, &found));
	/* Nobody says whose they are: one of each family. */
	c.owner = 0;
	for (uint32_t i = 0; i < 10; i++) {
		c.ip = address(i, i >= 5);
		assert_int_equal(dns_names_set(t, &c), 0);
	}
	assert_true(dns_names_find(t, 1, label, &found));
	assert_true(found.n == 2 && ip_is_v4(found.ip[0]) && !ip_is_v4(found.ip[1]));
	dns_names_destroy(t);
}

static void no_labels(void **state)
{
	static const char *const bad[] = {
		"", "a.b", ".", "0123456789012345678901234567890123456789012345678901234567890123"};
	struct dns_names *t = dns_names_create(secret);
	struct dns_claim c = {.vid = 4095, .source = DNS_OF_PORT, .ip = address(1, false)};
	uint8_t label[DNS_LABEL_SIZE];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		c.name = "good";
		assert_int_equal(dns_names_set(t, &c), 0);
		c.name = bad[i];
		assert_int_equal(dns_names_set(t, &c), -EINVAL);
		assert_false(
			dns_names_of(t, 4095, &c.ip, label)); /* it is not called so any more */
	}
	dns_names_destroy(t);
}

/* --- The cache --------------------------------------------------------------------------- */

struct kept {
	uint8_t name[16], message[DNS_TCP_BYTES];
	struct dns_key k;
	struct dns_reply r;
	uint16_t ttl_at[1];
};

static void kept_of(struct kept *s, unsigned i, uint16_t n)
{
	memset(s->message, 0, n);
	s->name[0] = 10;
	snprintf((char *)s->name + 1, 11, "%010u", i);
	s->name[11] = 0;
	memcpy(s->message + DNS_HEADER_BYTES, s->name, 12);
	s->k = (struct dns_key){.name = s->name, .hash = i % 3000, .type = 1, .len = 12};
	s->r = (struct dns_reply){
		.bytes = s->message, .ttl_at = s->ttl_at, .n = n, .len = 12, .ttl_s = 60};
}

static void cache(void **state)
{
	static const struct {
		uint16_t n;
		unsigned most;
	} sizes[] = {{100, DNS_CACHE_MAX}, {16000, DNS_CACHE_BYTES / 16000}};
	struct dns_cache *c = dns_cache_create();
	static struct kept s;
	struct dns_reply r;
	uint32_t age_s;
	size_t bytes;

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		for (unsigned i = 0; i < 20000; i++) {
			kept_of(&s, i, sizes[k].n);
			dns_cache_put(c, &s.k, &s.r, 0);
			dns_cache_put(c, &s.k, &s.r, 0); /* one takes the other's place */
			assert_true(dns_cache_count(c, &bytes) <= DNS_CACHE_MAX &&
				    bytes <= DNS_CACHE_BYTES);
		}
		assert_true(dns_cache_count(c, &bytes) >= sizes[k].most - sizes[k].most / 50);
		/* The newest are there, and go when they are over. */
		kept_of(&s, 19999, sizes[k].n);
		assert_true(dns_cache_get(c, &s.k, 59999, &r, &age_s));
		assert_int_equal(age_s, 59);
		assert_int_equal(r.n, sizes[k].n);
		assert_false(dns_cache_get(c, &s.k, 60000, &r, &age_s));
		assert_false(dns_cache_get(c, &s.k, 0, &r, &age_s));
		kept_of(&s, 10, sizes[k].n);
		assert_false(dns_cache_get(c, &s.k, 0, &r, &age_s));
		/* What may not be kept takes the place of what was. */
		kept_of(&s, 19998, sizes[k].n);
		s.r.ttl_s = 0;
		dns_cache_put(c, &s.k, &s.r, 0);
		assert_false(dns_cache_get(c, &s.k, 0, &r, &age_s));
		dns_cache_clear(c);
		assert_int_equal(dns_cache_count(c, &bytes), 0);
		assert_int_equal(bytes, 0);
	}
	dns_cache_destroy(c);
	dns_cache_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(twin),	     cmocka_unit_test(many),  cmocka_unit_test(one_name),
		cmocka_unit_test(no_labels), cmocka_unit_test(cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
