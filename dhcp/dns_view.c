/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_view: compiles views.
 *
 * How it fits.  dns.c calls it, dns_local.c reads the result.
 *
 * Theory of operation.  All zones lie in one table by the hash of their name.  Several networks may have one zone (the same
 * `domain`): which of them somebody sees is said by the scopes that his own scope lists.
 *
 * Trust.  Views are made of the configuration, which was checked; a zone is checked once more, since it is written into answers.
 */
#include "dhcp/dns_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/dns_hash.h"

enum { VLANS = 4096 };

static const struct {
	const char *name;
	enum dns_zone_kind kind;
} specials[] = {
	{"internal", DNS_OF_HOST},  {"vfab", DNS_OF_NOBODY},  {"localhost", DNS_OF_LOOPBACK},
	{"invalid", DNS_OF_NOBODY}, {"onion", DNS_OF_NOBODY},
};

enum { SPECIALS = sizeof(specials) / sizeof(specials[0]) };

bool dns_ip_is_zero(const struct ip *ip)
{
	static const struct ip zero, zero4 = {{[10] = 0xff, [11] = 0xff}};

	return ip_equal(ip, &zero) || ip_equal(ip, &zero4);
}

/* Text with dots, perhaps one at the end, as if it were asked for.  False: it is no name, or the root. */
static bool read_text(struct dns_question *q, const char *text)
{
	unsigned at = 0;

	q->n_labels = 0;
	while (*text) {
		size_t n = strcspn(text, ".");

		if (n == 0 || n > DNS_LABEL_MAX || at + 1 + n + 1 > DNS_NAME_MAX)
			return false;
		q->label[q->n_labels++] = (uint8_t)at;
		q->name[at++] = (uint8_t)n;
		for (; n > 0; n--, text++)
			q->name[at++] =
				(uint8_t)(*text >= 'A' && *text <= 'Z' ? *text - 'A' + 'a' : *text);
		text += *text == '.';
	}
	q->label[q->n_labels] = (uint8_t)at;
	q->name[at++] = 0;
	q->len = (uint8_t)at;
	return at > 1;
}

uint16_t dns_zone_find(const struct dns_scopes *s, const struct dns_question *q, unsigned label)
{
	const uint8_t *name = q->name + q->label[label];
	uint8_t len = (uint8_t)(q->len - q->label[label]);
	uint16_t i = s->head[q->hash[label] & s->mask];

	while (i != DNS_NO_ZONE) {
		const struct dns_zone *z = &s->zone[i];

		if (z->hash == q->hash[label] && z->len == len && memcmp(z->name, name, len) == 0)
			break;
		i = z->next;
	}
	return i;
}

/* The zone of that name, made if there is none.  DNS_NO_ZONE: it is no name. */
static uint16_t add_zone(struct dns_scopes *s, const char *text, enum dns_zone_kind kind,
			 const uint64_t secret[2])
{
	struct dns_question q;
	struct dns_zone *z;
	uint16_t i, *head;

	if (!read_text(&q, text))
		return DNS_NO_ZONE;
	dns_question_hash(&q, secret);
	i = dns_zone_find(s, &q, 0);
	if (i != DNS_NO_ZONE)
		return i;
	i = s->n_zones++;
	head = &s->head[q.hash[0] & s->mask];
	z = &s->zone[i];
	*z = (struct dns_zone){
		.hash = q.hash[0], .next = *head, .kind = (uint8_t)kind, .len = q.len};
	memcpy(z->name, q.name, q.len);
	*head = i;
	return i;
}

static bool add_scope(struct dns_scopes *s, const struct dns_view *v, const uint64_t secret[2])
{
	uint16_t zone = add_zone(s, v->zone, DNS_OF_NETWORKS, secret);

	if (zone == DNS_NO_ZONE || v->vid >= VLANS || s->of_vid[v->vid])
		return false;
	s->scope[s->n] = (struct dns_scope){
		.vid = v->vid,
		.zone = zone,
		.forwards = v->forwards,
		.net = {v->v4, v->v6},
		.gateway = {v->gateway4, v->gateway6},
		.host = {v->host4, v->host6},
	};
	s->of_vid[v->vid] = ++s->n;
	return true;
}

/* Itself, and the others that it reaches, each once. */
static void link_scope(struct dns_scopes *s, struct dns_scope *o, const struct dns_view *v)
{
	o->sees[o->n_sees++] = (uint16_t)(s->of_vid[v->vid] - 1);
	for (unsigned i = 0; i < v->n_reaches && i < DNS_REACH_MAX; i++) {
		uint16_t vid = v->reaches[i], place = vid < VLANS ? s->of_vid[vid] : 0;
		bool is_new = place > 0;

		for (unsigned k = 0; k < o->n_sees; k++)
			is_new &= o->sees[k] != place - 1;
		if (is_new)
			o->sees[o->n_sees++] = (uint16_t)(place - 1);
	}
}

int dns_scopes_create(struct dns_scopes **out, const struct dns_view *views, unsigned n,
		      const uint64_t secret[2])
{
	struct dns_scopes *s = calloc(1, sizeof(*s));
	size_t heads = 16;
	int err = -ENOMEM;

	if (!s)
		return -ENOMEM;
	while (heads < 2 * (n + SPECIALS))
		heads *= 2;
	s->mask = (uint32_t)heads - 1;
	s->scope = calloc(n + 1, sizeof(*s->scope));
	s->zone = calloc(n + SPECIALS, sizeof(*s->zone));
	s->head = malloc(heads * sizeof(*s->head));
	if (!s->scope || !s->zone || !s->head)
		goto err_destroy;
	memset(s->head, 0xff, heads * sizeof(*s->head));
	for (unsigned i = 0; i < SPECIALS; i++)
		add_zone(s, specials[i].name, specials[i].kind, secret);
	err = -EINVAL;
	for (unsigned i = 0; i < n; i++)
		if (i >= VLANS || !add_scope(s, &views[i], secret))
			goto err_destroy;
	for (unsigned i = 0; i < n; i++)
		link_scope(s, &s->scope[i], &views[i]);
	*out = s;
	return 0;

err_destroy:
	dns_scopes_destroy(s);
	return err;
}

void dns_scopes_destroy(struct dns_scopes *s)
{
	if (!s)
		return;
	free(s->scope);
	free(s->zone);
	free(s->head);
	free(s);
}

const struct dns_scope *dns_scope_of(const struct dns_scopes *s, uint16_t vid)
{
	return s && vid < VLANS && s->of_vid[vid] ? &s->scope[s->of_vid[vid] - 1] : NULL;
}
