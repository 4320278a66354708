/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dns_wait: questions that are out at a resolver, and who waits for them.
 *
 * Limits.  DNS_OUT_MAX questions, DNS_OUT_PORT of one port; DNS_WAIT_MAX askers of one question, DNS_WAIT_PORT of one port, so that
 * no port takes all places of a question that others have too.
 *
 * Life.  begin, join..., then end: unlink (nobody joins any more), pop until there is none, free.  Between pops others may be
 * forgotten.
 */
#ifndef VFAB_DHCP_DNS_WAIT_H
#define VFAB_DHCP_DNS_WAIT_H

#include "dhcp/dns_wire.h"

enum { DNS_OUT_PORT = DNS_OUT_MAX / 4, DNS_WAIT_MAX = 64, DNS_WAIT_PORT = 48 };

struct dns_waits;

/* A question that is out. */
struct dns_out {
	struct dns_key key; /* its name is that below */
	uint64_t due_ms;    /* then nobody answers it any more */
	uint32_t token;
	uint16_t slot; /* the port that pays for it */
	bool is_linked;
	/* dns_wait.c's own */
	uint16_t place, chain, older, newer, n_waits;
	uint32_t first, last;
	uint8_t name[DNS_NAME_MAX];
};

/* Who waits, and how he wrote the name. */
struct dns_waiter {
	struct dns_asker asker;
	struct dns_head h;
	uint8_t upper[(DNS_NAME_MAX + 7) / 8]; /* a bit for each byte of the name that is a capital */
};

struct dns_waits *dns_waits_create(const uint64_t secret[2]); /* NULL without memory */
void dns_waits_destroy(struct dns_waits *w);		      /* NULL is fine */

struct dns_out *dns_wait_find(struct dns_waits *w, const struct dns_key *k); /* NULL: not out */
struct dns_out *dns_wait_of(struct dns_waits *w, uint32_t token);	     /* NULL: not awaited */
struct dns_out *dns_wait_oldest(struct dns_waits *w);			     /* NULL: none is out */

/* NULL: over the limit. */
struct dns_out *dns_wait_begin(struct dns_waits *w, const struct dns_key *k, uint16_t slot, uint64_t now_ms);
/* False: over the limit.  Who waits already, with the same id, has asked again: he still waits once. */
bool dns_wait_join(struct dns_waits *w, struct dns_out *o, const struct dns_asker *asker, const struct dns_question *q);

void dns_wait_unlink(struct dns_waits *w, struct dns_out *o);
/* The first who waits, who does no more.  False: nobody is left. */
bool dns_wait_pop(struct dns_waits *w, struct dns_out *o, struct dns_waiter *out);
void dns_wait_free(struct dns_waits *w, struct dns_out *o);

void dns_wait_forget(struct dns_waits *w, uint64_t conn);
/* The name as he wrote it. */
void dns_wait_asked(const struct dns_waiter *w, const struct dns_key *k, uint8_t name[static DNS_NAME_MAX]);

#endif
