/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease_internal: what lease.c (clients), lease_pool.c (ranges of addresses) and lease_store.c (tables, lists, times) share.
 *
 * An entry is in two tables (by identity unless it has none, by address), in one list of its pool, among the PAST ones of all pools
 * and of its port if it is one, and in the heap of times if it ends.  Entries do not move in memory.
 */
#ifndef VFAB_DHCP_LEASE_INTERNAL_H
#define VFAB_DHCP_LEASE_INTERNAL_H

#include "dhcp/lease.h"

enum {
	POOLS_MAX = 8192,	  /* both families of each VLAN */
	MAPPED_MAX = LEASES_MAX,  /* addresses of a range that has a bit for each */
	SEARCH_STEPS = 4096,	  /* words of bits, or addresses where there are no bits */
	QUARANTINE_MAX = 1024,	  /* of one pool, and a quarter of its range */
	LEASE_HEAP_NONE = 0xffffffff,
};
_Static_assert(MAPPED_MAX / 64 <= SEARCH_STEPS, "a search sees all bits");

/*
 * A table of chains that grows by one line for each record, which takes its share of one other line (linear hashing, Litwin, VLDB
 * 1980): no call waits for a copy of it all.  It does not shrink.  So who walks over its lines from the first to the last misses
 * nothing that stays, whatever comes meanwhile: a record moves only to a line behind all others.
 */
struct lease_node {
	struct lease_node *next;
	uint32_t hash;
};
struct lease_table {
	struct lease_node **line;
	uint32_t lines, mask, room, n; /* mask: the next power of two, less one */
};

/* A ring through its head, oldest first. */
struct lease_link {
	struct lease_link *older, *newer;
};
struct lease_list {
	struct lease_link head;
	uint32_t n;
};

/* The lists of a pool: one for each state; PAST ones whose address is not to be given to others have their own. */
enum { LEASE_APART = LEASE_DECLINED + 1, LEASE_LISTS };

/* What a port has in a pool: live leases, and PAST ones whose address another may get. */
struct lease_holder {
	struct lease_node node;
	struct lease_pool *pool;
	uint32_t refs; /* entries that name it */
	uint32_t n;    /* of them, live ones */
	uint32_t at;   /* its place in the pool's heap */
	struct lease_list past;
	char port[PORT_NAME_SIZE];
};

struct lease_entry {
	struct lease l; /* first: a lease is its entry */
	struct lease_node by_id, by_ip;
	struct lease_link in_pool, in_past, of_port;
	struct lease_holder *holder; /* that it counts to, or did; NULL: to none */
	uint32_t heap_at;
	uint8_t list;
	bool is_counted; /* its address is of the range and not taken */
	bool was_past;	 /* OFFERED: is PAST again when nobody takes it */
	uint8_t id[];
};

struct lease_due {
	uint64_t end_ms;
	struct lease_entry *e;
};

struct lease_pool {
	struct lease_node by_name;
	struct lease_range r; /* of one that is not applied yet: the name alone */
	bool is_v6, is_applied;
	uint32_t number; /* part of the hashes of its leases */
	unsigned __int128 first, size;
	/* A bit for each address: the configuration has it; that, or it has an entry.  One piece of memory; NULL: too many. */
	uint64_t *taken, *busy;
	uint32_t n_busy, n_taken;
	uint32_t n_held; /* entries that are counted and not PAST */
	struct lease_list list[LEASE_LISTS];
	struct lease_holder **port; /* a heap: who has most PAST ones is first */
	uint32_t n_ports, port_room;
	uint32_t n_past_ports; /* that have any */
	uint32_t n_ports_past; /* and what they have together; other PAST ones are relayed, or of no port */
};

struct leases {
	uint64_t seed[2], secret[2];
	struct lease_table by_id, by_ip, holders, pools;
	struct lease_due *heap; /* the next one first; with room for all */
	uint32_t n_heap, heap_room;
	struct lease_list past; /* of all pools */
	uint32_t n, n_offered, last_number;
	bool is_restored; /* lists are not in order of time yet */
	void (*listener)(void *arg, const struct lease *l, enum lease_news news);
	void *arg;
};

/* --- lease_store.c --- */

bool lease_table_reserve(struct lease_table *t); /* room for one more */
void lease_table_add(struct lease_table *t, struct lease_node *node, uint32_t hash);
void lease_table_del(struct lease_table *t, struct lease_node *node);
struct lease_node *lease_table_chain(const struct lease_table *t, uint32_t hash);

void lease_list_init(struct lease_list *list);
void lease_list_add(struct lease_list *list, struct lease_link *link); /* as the newest */
void lease_list_del(struct lease_list *list, struct lease_link *link);
/* By time, and as it was among equals. */
void lease_list_sort(struct lease_list *list, uint64_t (*end_ms)(const struct lease_link *link));
struct lease_entry *lease_of_pool_link(const struct lease_link *link);
struct lease_entry *lease_of_past_link(const struct lease_link *link);
uint64_t lease_pool_link_end(const struct lease_link *link);
uint64_t lease_past_link_end(const struct lease_link *link);

/* A new one, nobody's yet in state PAST, which no list has: lease_entry_move() follows.  Where LEASES_MAX is reached the oldest
 * PAST one is forgotten for it.  NULL without memory, or without room. */
struct lease_entry *lease_entry_create(struct leases *s, struct lease_pool *p, const struct ip *ip, const struct lease_id *id);
void lease_entry_remove(struct leases *s, struct lease_entry *e); /* no word to the listener */
void lease_entry_move(struct leases *s, struct lease_entry *e, enum lease_state state, uint64_t end_ms);
void lease_entry_list(struct lease_entry *e); /* into the list where it belongs now */
/* It counts to h, whose reference becomes its own, and to nobody else; NULL is fine. */
void lease_entry_hold(struct leases *s, struct lease_entry *e, struct lease_holder *h);
void lease_entry_disown(struct leases *s, struct lease_entry *e); /* it has no identity any more */
void lease_entry_forget(struct leases *s, struct lease_entry *e); /* removes and tells */
void lease_entry_tell(struct leases *s, const struct lease_entry *e, enum lease_news news);
struct lease_entry *lease_entry_by_id(const struct leases *s, const struct lease_pool *p, const struct lease_id *id);
struct lease_entry *lease_entry_by_ip(const struct leases *s, const struct lease_pool *p, const struct ip *ip);

/* A reference to what that port has; NULL without memory. */
struct lease_holder *lease_holder_take(struct leases *s, struct lease_pool *p, const char *port);
void lease_ports_sort(struct lease_pool *p); /* what each port of the pool has PAST, by time */
/* The PAST one that goes when the pool has no address left; NULL: none. */
struct lease_entry *lease_past_victim(const struct lease_pool *p);
struct lease_holder *lease_holder_find(const struct leases *s, const struct lease_pool *p, const char *port);

/* --- lease_pool.c --- */

/* Also one that waits to be applied; with `makes` a new one.  NULL: none, or no memory or room. */
struct lease_pool *lease_pool_get(struct leases *s, const char *network, bool is_v6, bool makes);
void lease_pool_free(struct leases *s, struct lease_pool *p); /* has no entries */
bool lease_pool_taken(const struct lease_pool *p, const struct ip *ip);
/* An entry has come to that address, or goes. */
void lease_pool_enter(struct lease_pool *p, struct lease_entry *e);
void lease_pool_leave(struct lease_pool *p, struct lease_entry *e);
/* An address without an entry for a client who has none that he can keep; a PAST one of another may be forgotten for it. */
bool lease_pool_choose(struct leases *s, struct lease_pool *p, const struct lease_want *w, struct ip *out);
uint32_t lease_pool_quarantine_max(const struct lease_pool *p);

#endif
