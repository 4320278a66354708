/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease: which client has which address: all leases of all networks, both families, in memory.
 *
 *            offer             bind             end, release
 *   (free) ---------> OFFERED ------> BOUND ------------------> PAST --> (forgotten when somebody else needs the address)
 *      ^                 | end           | decline                 |
 *      '-----------------'               '------> DECLINED --------'  (quarantine over)
 *
 * What.  A client is its identity, opaque bytes (RFC 2131 4.2, RFC 4361, RFC 8415 11); an address is of one pool, which is a
 * network's range of one family.  A client without a lease gets: the address that it had last, else the one that its identity
 * hashes to, else, where others have that, the next free one by a fixed walk from there, so that it is offered the same again
 * though nobody remembers it; at the end the address whose lease is over the longest, of the port that has most such leases if that
 * is more than the mean of all ports, else of all.  Addresses that `is_taken` says are
 * somebody's (reservations, the gateway) are never chosen for another.  Finding an address is a bounded number of steps however
 * full a pool is.
 *
 * One live lease (OFFERED, BOUND) an identity and pool; OFFERED ones do not outlive their time, PAST ones are kept while there is
 * room: twice its cap for a port in a pool, LEASES_MAX in all; the oldest goes.  Every change is told to one
 * listener: the journal, names and guards hang there.
 *
 * Threads: one, the control thread.  Time is an argument, monotonic ms; UINT64_MAX: never.
 */
#ifndef VFAB_DHCP_LEASE_H
#define VFAB_DHCP_LEASE_H

#include "switch/base/addr.h"
#include "switch/port/port.h"

enum {
	LEASES_MAX = 1 << 18,
	LEASE_ID_MAX = 255 + 1,	 /* bytes of an identity, with its first that tells what it is */
	LEASE_NAME_SIZE = 64,	 /* a DNS label, terminated */
	LEASE_NET_SIZE = 64,
	LEASE_OFFER_MS = 30000,	 /* how long an offer stands */
	LEASE_QUARANTINE_MS = 600000, /* of a declined address */
};

/* The first byte of an identity. */
enum lease_id_kind {
	LEASE_BY_MAC,
	LEASE_BY_CLIENT_ID,
	LEASE_BY_DUID, /* and IAID, 4 bytes, in front of the DUID */
	LEASE_BY_PORT, /* a port that has its address from us without asking */
};

struct lease_id {
	uint16_t len;
	uint8_t b[LEASE_ID_MAX];
};

enum lease_state { LEASE_PAST, LEASE_OFFERED, LEASE_BOUND, LEASE_DECLINED };

struct lease {
	struct ip ip;
	uint64_t end_ms;
	struct mac mac;			/* zero: not known */
	uint8_t state;			/* enum lease_state */
	uint8_t is_relayed;
	char name[LEASE_NAME_SIZE];	/* that the client says it has, a clean label, lower case; "": none */
	char port[PORT_NAME_SIZE];	/* by which it was asked for last */
	const struct lease_pool *pool;
	/* The store's own from here. */
	uint16_t id_len;
	const uint8_t *id;
};

struct leases;
struct lease_pool;

/* seed: of the hash that chooses addresses: the same on every start, so that addresses stay (it is no secret); secret: of
 * tables. */
struct leases *leases_create(const uint64_t seed[2], const uint64_t secret[2]);
void leases_destroy(struct leases *s); /* NULL is fine */

/* --- Pools --- */

struct lease_range {
	char network[LEASE_NET_SIZE];
	struct ip first, last;	     /* inclusive, of one family; any size */
	struct prefix net;	     /* leases outside of it end when the pool is applied */
	/* Live leases of one port, beyond which it gets none but reserved ones, and half of its PAST ones that are kept (when it
	 * becomes less, a port comes down to it by one for each lease that ends); 0: no cap of either. */
	uint32_t port_cap;
	/* Is the address not to be given to whoever asks?  NULL: none is. */
	bool (*is_taken)(void *arg, const struct ip *ip);
	void *arg;
};
/* Makes or changes the pool of that network and family; what is live and still within `net` stays.  NULL without memory. */
struct lease_pool *leases_pool_apply(struct leases *s, const struct lease_range *r, uint64_t now_ms);
void leases_pool_remove(struct leases *s, struct lease_pool *p); /* with its leases */
struct lease_pool *leases_pool_find(struct leases *s, const char *network, bool is_v6); /* NULL: none */
const struct lease_range *lease_pool_range(const struct lease_pool *p);

/* --- One client --- */

struct lease_want {
	const struct lease_id *id;
	struct mac mac;
	const char *name; /* "" none; need not be clean: lease_name_clean() is applied */
	const char *port;
	bool is_relayed;  /* of many clients: the port's cap does not count it */
	bool has_fixed;   /* reservation: this and no other */
	struct ip fixed;
	bool has_hint;	  /* asked for: if it is free for him */
	struct ip hint;
};
enum lease_why { LEASE_OK, LEASE_NONE_FREE, LEASE_PORT_CAP, LEASE_NO_MEMORY, LEASE_IN_USE /* the fixed one, by another */ };

/* The live lease of an identity, or its PAST one, or NULL. */
struct lease *leases_find(struct leases *s, const struct lease_pool *p, const struct lease_id *id);
/* Who has, or had, that address; NULL: nobody. */
struct lease *leases_at(struct leases *s, const struct lease_pool *p, const struct ip *ip);
/* An address for him, OFFERED until now + LEASE_OFFER_MS unless it is BOUND already, which stays so.  NULL: *why. */
struct lease *leases_offer(struct leases *s, struct lease_pool *p, const struct lease_want *w, uint64_t now_ms,
			   enum lease_why *why);
/* He has taken it, or renews: BOUND until end_ms; mac, name, port are of w from now on.  Also a PAST one, which is his again.
 * False: it comes by another port now, which has its share of leases already: nothing is changed. */
bool leases_bind(struct leases *s, struct lease *l, const struct lease_want *w, uint64_t end_ms);
void leases_release(struct leases *s, struct lease *l, uint64_t now_ms);  /* -> PAST; an OFFERED one is forgotten */
void leases_decline(struct leases *s, struct lease *l, uint64_t now_ms);  /* -> DECLINED, nobody's, for the quarantine */
/* Somebody answers at that address, which nobody of ours has: as if declined. */
void leases_quarantine(struct leases *s, struct lease_pool *p, const struct ip *ip, uint64_t now_ms);

/* Ends what is over; returns when the next one is, UINT64_MAX: none.  At most `most` at once, then now_ms. */
uint64_t leases_tick(struct leases *s, uint64_t now_ms, unsigned most);

/* --- For others --- */

enum lease_news {
	LEASE_NEW,
	LEASE_RENEWED,
	LEASE_ENDED,
	LEASE_RELEASED,
	LEASE_REFUSED, /* declined, or in use */
	LEASE_GONE,    /* with its pool, or forgotten; the quarantine is over */
};
/* One listener.  Not told of OFFERED ones.  l is as it is after the change; it may not change the store. */
void leases_listen(struct leases *s, void (*fn)(void *arg, const struct lease *l, enum lease_news news), void *arg);

/* Out of the journal, at start, before anything else: a lease as it was (state BOUND, PAST or DECLINED), not told to the listener.
 * Pools may be made afterwards by leases_pool_apply(): what waits for them is theirs.  False: it makes no sense, or no room. */
bool leases_restore(struct leases *s, const char *network, const struct lease *l, const struct lease_id *id);

/* A later line of the journal: nobody has, or had, that address any more. */
void leases_restore_gone(struct leases *s, const char *network, const struct ip *ip);

/* All of them that are not OFFERED, for a new journal; and for `lease ls`, which wants all of one pool.  fn returns false
 * to stop. */
void leases_each(const struct leases *s, bool (*fn)(void *arg, const char *network, const struct lease *l), void *arg);
void leases_each_of(const struct leases *s, const struct lease_pool *p, bool (*fn)(void *arg, const struct lease *l), void *arg);
/* As leases_each(), in pieces, between which the store may change: a few of them behind *cursor, which is 0 at first.  What is not
 * changed meanwhile is told once at least.  False: that was all. */
bool leases_some(const struct leases *s, uint32_t *cursor, bool (*fn)(void *arg, const char *network, const struct lease *l),
		 void *arg);
uint32_t leases_total(const struct leases *s); /* that leases_each() tells */
struct lease_count {
	/* free: of the range, not reserved (of ranges beyond LEASES_MAX these are not looked for); UINT32_MAX: that or more */
	uint32_t offered, bound, past, declined, free;
};
void leases_count(const struct leases *s, const struct lease_pool *p, struct lease_count *out);
uint32_t leases_of_port(const struct leases *s, const struct lease_pool *p, const char *port); /* live ones */

/* What a client says of its name, made a DNS label: the part before the first dot, lower case, letters digits hyphens; false:
 * nothing is left. */
bool lease_name_clean(const uint8_t *text, size_t n, char out[static LEASE_NAME_SIZE]);
void lease_id_of_mac(struct lease_id *id, const struct mac *mac);
/* Each false: no bytes, or too many. */
bool lease_id_of_client(struct lease_id *id, const uint8_t *bytes, size_t n); /* option 61, opaque */
bool lease_id_of_duid(struct lease_id *id, const uint8_t iaid[static 4], const uint8_t *duid, size_t n);
const char *lease_state_word(enum lease_state state); /* past, offered, bound, declined */

#endif
