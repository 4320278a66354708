/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_cache: answers from outside, kept while they may be.
 *
 * What.  A whole answer under its question (and DO, CD): what it says of other names is never looked at, so no answer can put in
 * another's.  At most DNS_CACHE_MAX answers and DNS_CACHE_BYTES of memory; beyond that the oldest goes.
 */
#ifndef VFAB_DHCP_DNS_CACHE_H
#define VFAB_DHCP_DNS_CACHE_H

#include "dhcp/dns_wire.h"

enum { DNS_CACHE_BYTES = 8 << 20 };

struct dns_cache;

struct dns_cache *dns_cache_create(void);    /* NULL without memory */
void dns_cache_destroy(struct dns_cache *c); /* NULL is fine */
void dns_cache_clear(struct dns_cache *c);

/* Copies it; one that was there goes.  Nothing where its TTL is 0 or there is no memory. */
void dns_cache_put(struct dns_cache *c, const struct dns_key *k, const struct dns_reply *r, uint64_t now_ms);
/* False: none that still holds.  r borrows of the cache, until it changes. */
bool dns_cache_get(struct dns_cache *c, const struct dns_key *k, uint64_t now_ms, struct dns_reply *r, uint32_t *age_s);
unsigned dns_cache_count(const struct dns_cache *c, size_t *bytes);

#endif
