/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp6_lab: a DHCPv6 server of one network, fd00:a::/64, a client on port vm1, what he says and what comes back.  For cmocka.
 */
#ifndef VFAB_TESTS_DHCP6_LAB_H
#define VFAB_TESTS_DHCP6_LAB_H

#include "dhcp/server6.h"
#include "dhcp/wire6.h"

enum { LEASE_S = 3600, SIX_OURS = 10, SIX_HIS = 14 };

extern const uint8_t six_our_duid[SIX_OURS], six_his_duid[SIX_HIS];

struct six_lab {
	struct leases *leases;
	struct dhcp6_server *v;
	struct dhcp_net net;   /* of which `made` is made by six_apply() */
	struct dhcp_net *made;
	struct dhcp_reservation reservation[3];
	uint64_t now_ms;
	bool is_tied; /* vm1 has its leases tied to it */
	bool is_gone; /* vm1 is not there */
	/* What he says, and the answer. */
	struct dhcp6_writer w;
	uint8_t bytes[2048];
	struct dhcp_ask ask;
	struct dhcp6_answer out;
};

int six_setup(void **state);
int six_teardown(void **state);
struct ip six_ip(const char *text);
/* Another network, or pool. */
void six_apply(struct six_lab *l, const char *first, const char *last, uint32_t cap);
const struct dhcp6_counters *six_count(const struct six_lab *l);
struct lease *six_at(const struct six_lab *l, const struct ip *ip);

/* --- What he says --- */

/* A message with his DUID, and ours where the type needs it. */
void six_begin(struct six_lab *l, uint8_t type);
void six_add_ia(struct six_lab *l, uint16_t option, uint8_t iaid, const struct ip *ip);
void six_add_asked(struct six_lab *l); /* DNS, search list, NTP, and one that is not known */
/* Hands it over, in memory of its exact size; returns the bytes of the answer. */
size_t six_ask(struct six_lab *l);
size_t six_ask_bytes(struct six_lab *l, const uint8_t *bytes, size_t n);
/* SOLICIT, REQUEST: the address that he has then. */
struct ip six_lease(struct six_lab *l, uint8_t iaid);

/* --- What came back --- */

struct six_option {
	const uint8_t *b; /* NULL: there is none */
	size_t n;
};
/* The k-th of that code. */
struct six_option six_find(const struct six_lab *l, uint16_t code, unsigned k);
/* It is an answer of that type to what he said, with both identifiers. */
void six_assert_answer(const struct six_lab *l, uint8_t type);
int six_status(const struct six_lab *l); /* of the whole message; -1: none */
int six_ia_status(const struct six_lab *l, uint16_t option, unsigned k); /* of its k-th association */
/* The j-th address of the k-th association: its valid lifetime. */
uint32_t six_address(const struct six_lab *l, unsigned k, unsigned j, struct ip *ip);
/* The first one, with the lifetime and times of the lab. */
struct ip six_got(const struct six_lab *l, unsigned k);

#endif
