/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns: the way of a question, and of the answer that comes for it.
 *
 * How it fits.  switch/lessor.c feeds it; the picture is in dns.h:
 *
 *   dns_ask       dns_wire.c reads -> dns_local.c knows -> dns_cache.c has it -> dns_wait.c: out already, or now
 *   dns_resolved  dns_wait.c: whose -> dns_wire.c checks -> dns_cache.c keeps -> dns_relay() for each who waits
 *
 * Every answer is made in one buffer and goes out through say(), which counts it.
 *
 * Re-entrance.  answer() may lead to dns_ask() or dns_forget() before it returns (a TCP connection has room for its next
 * message, or is reset): it has taken the bytes by then, and a question whose answer is being told is unlinked, so nobody joins it.
 *
 * Trust.  Questions are a guest's, answers anybody's; both are read by dns_wire.c and nowhere else.
 */
#include "dhcp/dns.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/dns_cache.h"
#include "dhcp/dns_local.h"
#include "dhcp/dns_wait.h"

struct dns {
	uint64_t secret[2];
	struct dns_names *names;
	struct dns_scopes *scopes; /* NULL before the first apply */
	struct dns_cache *cache;
	struct dns_waits *waits;
	struct dns_ways ways;
	struct dns_counters counters;
	uint16_t ttl_at[DNS_RECORDS_MAX];
	uint8_t answer[DNS_TCP_BYTES];
};

/* --- Set up ------------------------------------------------------------------------------ */

struct dns *dns_create(const uint64_t secret[2])
{
	struct dns *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	memcpy(d->secret, secret, sizeof(d->secret));
	d->names = dns_names_create(secret);
	d->cache = dns_cache_create();
	d->waits = dns_waits_create(secret);
	if (d->names && d->cache && d->waits)
		return d;
	dns_destroy(d);
	return NULL;
}

void dns_destroy(struct dns *d)
{
	if (!d)
		return;
	dns_names_destroy(d->names);
	dns_scopes_destroy(d->scopes);
	dns_cache_destroy(d->cache);
	dns_waits_destroy(d->waits);
	free(d);
}

void dns_ways(struct dns *d, const struct dns_ways *w)
{
	d->ways = *w;
}

int dns_apply(struct dns *d, const struct dns_view *views, unsigned n)
{
	struct dns_scopes *s;
	int err = dns_scopes_create(&s, views, n, d->secret);

	if (err)
		return err;
	dns_scopes_destroy(d->scopes);
	d->scopes = s;
	return 0;
}

int dns_name_set(struct dns *d, uint16_t vid, enum dns_source source, const char *name,
		 const struct ip *ip)
{
	const struct dns_claim c = {.vid = vid, .source = source, .name = name, .ip = *ip};

	return dns_names_set(d->names, &c);
}

int dns_name_claim(struct dns *d, uint16_t vid, const char *name, const struct ip *ip,
		   uint64_t owner)
{
	const struct dns_claim c = {
		.vid = vid, .source = DNS_OF_LEASE, .name = name, .ip = *ip, .owner = owner};

	return dns_names_set(d->names, &c);
}

void dns_name_drop(struct dns *d, uint16_t vid, enum dns_source source, const struct ip *ip)
{
	dns_names_drop(d->names, vid, source, ip);
}

void dns_names_flush(struct dns *d, uint16_t vid, enum dns_source source)
{
	dns_names_clear(d->names, vid, source);
}

void dns_cache_flush(struct dns *d)
{
	dns_cache_clear(d->cache);
}

const struct dns_counters *dns_counters(const struct dns *d)
{
	return &d->counters;
}

/* --- Answers ----------------------------------------------------------------------------- */

/* What is in the buffer. */
static void say(struct dns *d, const struct dns_asker *to, size_t n)
{
	struct dns_counters *c = &d->counters;

	switch (d->answer[3] & 0xf) {
	case DNS_SERVFAIL:
		c->servfail++;
		break;
	case DNS_NXDOMAIN:
		c->nxdomain++;
		break;
	case DNS_REFUSED:
		c->refused++;
		break;
	}
	c->truncated += d->answer[2] >> 1 & 1;
	d->ways.answer(d->ways.arg, to, d->answer, n);
}

/* Without records. */
static void say_rcode(struct dns *d, const struct dns_asker *to, const struct dns_question *q,
		      enum dns_rcode rcode)
{
	struct dns_writer w;

	dns_write_begin(&w, d->answer, q);
	say(d, to, dns_write_end(&w, &q->h, false, rcode));
}

/* --- Questions --------------------------------------------------------------------------- */

/* Asks outside, or waits for who has. */
static void ask_outside(struct dns *d, const struct dns_asker *from, const struct dns_question *q,
			const struct dns_key *k, uint64_t now_ms)
{
	struct dns_out *o = dns_wait_find(d->waits, k);
	uint8_t query[DNS_QUESTION_BYTES];
	char domain[DNS_NAME_MAX];
	bool is_out = o != NULL;

	if (!o)
		o = dns_wait_begin(d->waits, k, from->slot, now_ms);
	if (!o || !dns_wait_join(d->waits, o, from, q)) {
		d->counters.over_limit++;
		say_rcode(d, from, q, DNS_SERVFAIL);
		return;
	}
	if (is_out) {
		d->counters.joined++;
		return;
	}
	d->counters.forwarded++;
	dns_question_text(q->name, q->len, domain);
	if (!d->ways.forward(d->ways.arg, o->token, domain, query, dns_write_query(query, q)))
		dns_resolved(d, o->token, NULL, 0, now_ms);
}

static void ask_foreign(struct dns *d, const struct dns_asker *from, const struct dns_question *q,
			uint64_t now_ms)
{
	struct dns_reply r;
	struct dns_key k;
	uint32_t age_s;

	dns_question_key(q, &k, d->secret);
	if (dns_cache_get(d->cache, &k, now_ms, &r, &age_s)) {
		d->counters.cached++;
		say(d, from, dns_relay(d->answer, &q->h, q->asked, &r, age_s));
	} else if (!q->h.is_rd) {
		/* He wants what we know, not that we ask (RFC 1034 4.3.1). */
		say_rcode(d, from, q, DNS_REFUSED);
	} else {
		ask_outside(d, from, q, &k, now_ms);
	}
}

void dns_ask(struct dns *d, const struct dns_asker *from, const uint8_t *bytes, size_t n,
	     uint64_t now_ms)
{
	struct dns_question q;
	struct dns_writer w;
	struct dns_local l = {d->scopes, d->names, dns_scope_of(d->scopes, from->vid), &q, &w};
	enum dns_rcode rcode = DNS_NOERROR;
	int bad = dns_read_question(&q, bytes, n, from->is_tcp);

	d->counters.queries++;
	d->counters.malformed += bad < 0 || bad == DNS_FORMERR;
	if (bad < 0)
		return;
	if (bad || !l.scope) {
		say_rcode(d, from, &q, bad ? (enum dns_rcode)bad : DNS_REFUSED);
		return;
	}
	dns_question_hash(&q, d->secret);
	dns_write_begin(&w, d->answer, &q);
	if (dns_local(&l, &rcode)) {
		d->counters.local++;
		say(d, from, dns_write_end(&w, &q.h, true, rcode));
	} else if (!l.scope->forwards) {
		say_rcode(d, from, &q, DNS_REFUSED);
	} else if (q.type == DNS_ANY) {
		d->counters.local++;
		dns_local_any(&w);
		say(d, from, dns_write_end(&w, &q.h, false, DNS_NOERROR));
	} else {
		ask_foreign(d, from, &q, now_ms);
	}
}

/* --- What comes back --------------------------------------------------------------------- */

/* Ends a question: r for all who wait, NULL: SERVFAIL. */
static void finish(struct dns *d, struct dns_out *o, const struct dns_reply *r)
{
	struct dns_question q = {.is_read = true, .type = o->key.type, .len = o->key.len};
	uint8_t asked[DNS_NAME_MAX + 4];
	struct dns_waiter who;

	asked[q.len] = (uint8_t)(q.type >> 8);
	asked[q.len + 1] = (uint8_t)q.type;
	asked[q.len + 2] = 0;
	asked[q.len + 3] = DNS_CLASS_IN;
	q.asked = asked;
	dns_wait_unlink(d->waits, o);
	while (dns_wait_pop(d->waits, o, &who)) {
		dns_wait_asked(&who, &o->key, asked);
		q.h = who.h;
		if (r) {
			d->counters.answered++;
			say(d, &who.asker, dns_relay(d->answer, &q.h, asked, r, 0));
		} else {
			say_rcode(d, &who.asker, &q, DNS_SERVFAIL);
		}
	}
	dns_wait_free(d->waits, o);
}

void dns_resolved(struct dns *d, uint32_t token, const uint8_t *bytes, size_t n, uint64_t now_ms)
{
	struct dns_out *o = dns_wait_of(d->waits, token);
	bool is_some = n > 0 && n <= DNS_TCP_BYTES - DNS_OPT_BYTES;
	struct dns_reply r;

	if (!o || (is_some && !dns_read_reply(&r, &o->key, bytes, n, d->ttl_at))) {
		d->counters.bad_answers++;
		return;
	}
	/* The resolver has tried TCP: one that is still cut off, or an error of whom it asked, is no answer. */
	if (!is_some || r.is_truncated || (r.rcode != DNS_NOERROR && r.rcode != DNS_NXDOMAIN)) {
		finish(d, o, NULL);
		return;
	}
	dns_cache_put(d->cache, &o->key, &r, now_ms);
	finish(d, o, &r);
}

void dns_forget(struct dns *d, uint64_t conn)
{
	dns_wait_forget(d->waits, conn);
}

uint64_t dns_tick(struct dns *d, uint64_t now_ms)
{
	struct dns_out *o;

	while ((o = dns_wait_oldest(d->waits)) && now_ms >= o->due_ms) {
		d->counters.timeouts++;
		finish(d, o, NULL);
	}
	return o ? o->due_ms : UINT64_MAX;
}
