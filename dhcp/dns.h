/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns: names of guests answered, all others forwarded.  No sockets, no clocks: questions of guests in, answers out; what it does
 * not know goes through the caller to a resolver outside of the switch (switch/resolver.h) and comes back.
 *
 *   guest -- question --> view of its network --- a name of ours --> answer
 *                                  |--- in the cache -----------> answer, its TTLs less what has passed
 *                                  |--- the same is out already -> waits with the others
 *                                  '--- forward? --> resolver --> dns_resolved() --> cache, answers for all who wait
 *
 * A view is what the guests of one network see: its own zone and those of the networks that it may begin to speak to, and
 * whether anything else is forwarded at all (networks of mode nat; others get REFUSED, so that an internal network has no way
 * out through here).
 *
 *   web, web.office.vfab     A, AAAA of the guest; a bare label is of the asker's own network; any other type: no data
 *   gateway.office.vfab      ours there, unless the operator gave that name
 *   nobody                   a bare label that nobody has: NXDOMAIN for A, AAAA; other types are forwarded (DS of a TLD)
 *   10.0.10.10.in-addr.arpa, ...ip6.arpa     PTR of the name, for addresses in networks of the view: never forwarded
 *   host.internal            the host, where the view knows an address of it; gateway.internal: ours
 *   *.internal, *.vfab, localhost, zones of ours     never forwarded: NXDOMAIN (with the SOA, RFC 2308)
 *
 * A name may have several sources; the strongest one has it (DNS_OF_RESERVATION, DNS_OF_PORT, DNS_OF_LEASE; among equals the
 * first): a guest cannot take a name by saying that it is called so.
 *
 * Answers from outside are believed when they answer the question that is out under their token: one question, the same name, type
 * and class, QR set, well formed to the last record (RFC 5452); the resolver has matched id, port and address before.  They are
 * kept for the least of their TTLs (negative: RFC 2308 5), at most DNS_TTL_MAX_S.
 *
 * Limits.  Cache: DNS_CACHE_MAX answers, 8 MiB in all, the oldest goes.  Out: DNS_OUT_MAX questions in all, a quarter of them of
 * one port; beyond that SERVFAIL at once.  Waiting for one question: 64.  A name in an answer is followed for at most 128 labels
 * and never forwards (pointer loops).
 *
 * RFC 1034, 1035 (4.1, 4.2), 2181, 2308, 3225/6840 (DO and CD go into the key and through), 4343 (case), 5452, 6761, 6891 (EDNS,
 * ours is 1232 bytes), 7766 (TCP), 8020, 8482 (ANY: HINFO).  Not done: zone transfer, update, notify (NOTIMP), DNSSEC of our own
 * zone.
 *
 * Trust.  Questions are a guest's, answers anybody's.
 */
#ifndef VFAB_DHCP_DNS_H
#define VFAB_DHCP_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"

enum {
	DNS_UDP_PORT = 53,
	DNS_UDP_BYTES = 1232,	 /* of an answer by UDP, at most; else 512, or what the asker's EDNS says */
	DNS_TCP_BYTES = 16384,	 /* of an answer by TCP; a longer one is SERVFAIL */
	DNS_QUESTION_BYTES = 512, /* of a message from a guest */
	DNS_ZONE_SIZE = 256,
	DNS_CACHE_MAX = 8192,
	DNS_OUT_MAX = 512,
	DNS_TTL_S = 60,		 /* of our own names */
	DNS_TTL_MAX_S = 86400,
	DNS_PATIENCE_MS = 6000,	 /* then SERVFAIL */
	DNS_REACH_MAX = 32,
};

struct dns;

struct dns *dns_create(const uint64_t secret[2]); /* NULL without memory */
void dns_destroy(struct dns *d);		  /* NULL is fine */

/* --- What it knows --- */

struct dns_view {
	uint16_t vid;
	char zone[DNS_ZONE_SIZE];    /* "office.vfab", or the network's domain */
	struct prefix v4, v6;	     /* of the network: its reverse zones */
	struct ip gateway4, gateway6; /* ours there; zero: none */
	struct ip host4, host6;	     /* host.internal; zero: none */
	bool forwards;
	uint16_t reaches[DNS_REACH_MAX]; /* VLANs of other views */
	uint8_t n_reaches;
};
/* Replaces all views; names stay until they are dropped, with a view or without.  0, -ENOMEM, -EINVAL (a zone that is no name,
 * a VLAN twice): then the old ones stand. */
int dns_apply(struct dns *d, const struct dns_view *views, unsigned n);

enum dns_source { DNS_OF_LEASE, DNS_OF_PORT, DNS_OF_RESERVATION };
/* That address has that name (a clean label, see lease_name_clean()) in that VLAN; one name an address and source.  0, -ENOMEM,
 * -EINVAL: that is no label. */
int dns_name_set(struct dns *d, uint16_t vid, enum dns_source source, const char *name, const struct ip *ip);
/* The same for DNS_OF_LEASE, of a client: owner, not 0, tells clients apart (a hash of the MAC, of the identity).  The first has
 * the name, with all his addresses, and others no part of it; of leases without an owner the first of each family is answered. */
int dns_name_claim(struct dns *d, uint16_t vid, const char *name, const struct ip *ip, uint64_t owner);
void dns_name_drop(struct dns *d, uint16_t vid, enum dns_source source, const struct ip *ip);
/* All names of that source in a VLAN (before an apply sets them anew). */
void dns_names_flush(struct dns *d, uint16_t vid, enum dns_source source);
void dns_cache_flush(struct dns *d); /* other servers outside: what the old ones said is forgotten */

/* --- Questions --- */

/* Who asks; given back with the answer, nothing of it is looked at but vid, slot and is_tcp. */
struct dns_asker {
	uint16_t vid, slot;
	bool is_tcp;
	struct mac mac;
	struct ip src, dst;
	uint16_t sport;
	uint64_t conn; /* the caller's, of a TCP connection */
};

/* How dns gets rid of what it has to say; called from within dns_ask(), dns_resolved(), dns_tick(). */
struct dns_ways {
	void *arg;
	/* The bytes are to be taken before it returns; it may call dns_ask() and dns_forget() once it has them. */
	void (*answer)(void *arg, const struct dns_asker *to, const uint8_t *bytes, size_t n);
	/* domain: the name asked for, lower case with dots, no dot at the end, by which the resolver chooses its servers; what is
	 * no letter, digit, hyphen or underscore in it is '?'.  False: it cannot. */
	bool (*forward)(void *arg, uint32_t token, const char *domain, const uint8_t *query, size_t n);
};
void dns_ways(struct dns *d, const struct dns_ways *w);

/* A message of a guest.  What is no question is dropped without a word (counted), or FORMERR, NOTIMP. */
void dns_ask(struct dns *d, const struct dns_asker *from, const uint8_t *bytes, size_t n, uint64_t now_ms);
/* What came for a token; n 0: the resolver got none.  One that is not awaited, or answers something else, is counted and left. */
void dns_resolved(struct dns *d, uint32_t token, const uint8_t *bytes, size_t n, uint64_t now_ms);
/* A TCP connection is gone: nothing is to be answered there any more. */
void dns_forget(struct dns *d, uint64_t conn);
/* Questions that waited long enough.  Returns when it wants to be called again, UINT64_MAX: nothing is out. */
uint64_t dns_tick(struct dns *d, uint64_t now_ms);

#define DNS_COUNTERS(X)                                                                           \
	X(queries) X(local) X(cached) X(joined) X(forwarded) X(answered) X(servfail) X(refused)   \
	X(nxdomain) X(truncated) X(malformed) X(over_limit) X(bad_answers) X(timeouts)
struct dns_counters {
#define X(name) uint64_t name;
	DNS_COUNTERS(X)
#undef X
};
const struct dns_counters *dns_counters(const struct dns *d);

#endif
