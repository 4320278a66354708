/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_view: the views of dns.h, made ready for questions: which zones there are, and what the guests of a VLAN see of them.
 * Immutable; dns_apply() makes another one.
 *
 * Zones are those of networks, and the names that never leave the host: internal, vfab, localhost (RFC 6761 6.3), invalid (6.4),
 * onion (RFC 7686).
 */
#ifndef VFAB_DHCP_DNS_VIEW_H
#define VFAB_DHCP_DNS_VIEW_H

#include "dhcp/dns_wire.h"

enum dns_zone_kind { DNS_OF_NETWORKS, DNS_OF_HOST, DNS_OF_LOOPBACK, DNS_OF_NOBODY };

struct dns_zone {
	uint64_t hash; /* as of a question's name */
	uint16_t next; /* of the same place in head */
	uint8_t kind;
	uint8_t len;
	uint8_t name[DNS_NAME_MAX];
};

/* What the guests of one VLAN see. */
struct dns_scope {
	uint16_t vid, zone;
	bool forwards;
	uint8_t n_sees;
	uint16_t sees[1 + DNS_REACH_MAX]; /* places of scopes, its own first */
	struct prefix net[2];		  /* IPv4, IPv6 */
	struct ip gateway[2], host[2];	  /* zero: none */
};

enum { DNS_NO_ZONE = 0xffff };

struct dns_scopes {
	struct dns_scope *scope;
	struct dns_zone *zone;
	uint16_t *head; /* mask + 1 of them: place of a zone, DNS_NO_ZONE: none */
	uint32_t mask;
	uint16_t n, n_zones;
	uint16_t of_vid[4096]; /* place of the scope and 1; 0: none */
};

/* 0, -ENOMEM, -EINVAL: a zone that is no name, a VLAN that is none or comes twice. */
int dns_scopes_create(struct dns_scopes **out, const struct dns_view *views, unsigned n, const uint64_t secret[2]);
void dns_scopes_destroy(struct dns_scopes *s); /* NULL is fine */

const struct dns_scope *dns_scope_of(const struct dns_scopes *s, uint16_t vid); /* NULL: none */
/* The zone with the name that the question's has from that label on; DNS_NO_ZONE: none. */
uint16_t dns_zone_find(const struct dns_scopes *s, const struct dns_question *q, unsigned label);

bool dns_ip_is_zero(const struct ip *ip); /* of either family */

#endif
