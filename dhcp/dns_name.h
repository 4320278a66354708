/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_name: which address has which name in which VLAN, and who says so.
 *
 * What.  A record is (VLAN, source, address) -> name; each address has at most one of each source.  A name is answered with the
 * records of its strongest source: all of them, where the operator gave the name.  Where leases did, clients only say that they are
 * called so: the first who said it has the name, with all addresses that are his, until he has none left.
 *
 * Limits.  DNS_RECORDS_ALL records in all VLANs, memory grows with them and is kept.  A name is answered with at most
 * DNS_ADDRESSES_MAX addresses, out of the first as many that have it.  Set, drop and find are a bounded number of steps.
 *
 * A lease cannot have the names gateway, localhost, wpad, isatap: programs trust these (CERT VU#598349).
 */
#ifndef VFAB_DHCP_DNS_NAME_H
#define VFAB_DHCP_DNS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dhcp/dns.h"

enum { DNS_RECORDS_ALL = 1 << 19, DNS_ADDRESSES_MAX = 64, DNS_LABEL_SIZE = 64 };

struct dns_names;

struct dns_names *dns_names_create(const uint64_t secret[2]); /* NULL without memory */
void dns_names_destroy(struct dns_names *t);		      /* NULL is fine */

struct dns_claim {
	uint16_t vid;
	enum dns_source source;
	const char *name; /* a label */
	struct ip ip;
	uint64_t owner; /* of a lease: tells clients apart; 0: not known, then the name has one address of each family */
};
/* 0, -ENOMEM, -EINVAL: that is no label. */
int dns_names_set(struct dns_names *t, const struct dns_claim *c);
void dns_names_drop(struct dns_names *t, uint16_t vid, enum dns_source source, const struct ip *ip);
void dns_names_clear(struct dns_names *t, uint16_t vid, enum dns_source source);

struct dns_addresses {
	unsigned n;
	const struct ip *ip[DNS_ADDRESSES_MAX]; /* the table's, until it changes */
};
/* label: its length, then as many bytes, lower case.  False: nobody has it. */
bool dns_names_find(const struct dns_names *t, uint16_t vid, const uint8_t *label, struct dns_addresses *out);
/* The name that is answered with that address, its length in front.  False: none. */
bool dns_names_of(const struct dns_names *t, uint16_t vid, const struct ip *ip, uint8_t label[static DNS_LABEL_SIZE]);

#endif
