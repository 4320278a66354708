/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports: the ports of one outside address for one protocol: which are in use by which mapping, at rest, free, or reserved
 * for rules.  The entry of a port in use is the mapping.
 *
 * A free port is drawn at random (RFC 6056 3.3.1) in its class, each with the same chance.  A port that is given back rests
 * NAT_QUIET_S.  Everything is O(1): ports at rest stand in a queue in the order in which their time comes, and a class without
 * a free port says so at once.
 */
#ifndef VFAB_NAT_PORTS_H
#define VFAB_NAT_PORTS_H

#include <stdbool.h>
#include <stdint.h>

enum { PORTS = 65536, PORTS_WORDS = PORTS / 64, PORTS_BLOCK = 1024, PORTS_RESTING = 0xffffffff };
/* Ports below 1024, the others; all, of identifiers (ICMP), are in the second. */
enum ports_class { PORTS_LOW, PORTS_HIGH, PORTS_CLASSES };

struct port {
	uint32_t sessions; /* 0: free, or reserved; PORTS_RESTING */
	union {
		struct {
			uint16_t guest; /* place of the guest */
			uint16_t inside_port;
		};
		struct {
			uint16_t next;	/* that rests, in its class */
			uint16_t since; /* s, the lower half */
		};
	};
};
_Static_assert(sizeof(struct port) == 8, "SPECIFICATION.md promises what a mapping costs");

struct ports {
	struct port port[PORTS];
	uint64_t open[PORTS_WORDS];	/* to be had at once */
	uint64_t reserved[PORTS_WORDS]; /* named by rules */
	uint64_t wanted[PORTS_WORDS];	/* reserved, from the next ports_reserve_commit() on */
	uint16_t n_open[PORTS / PORTS_BLOCK]; /* of each block */
	struct {
		uint32_t n_open, n_resting;
		uint16_t oldest, newest; /* at rest; undefined when none is */
	} class[PORTS_CLASSES];
	uint32_t n_used;
	bool is_ready, is_identifiers, has_reserved, has_wanted;
};

/* Random bits, a counter under a key (SipHash-2-4): whoever sees ports cannot tell the next one (RFC 6056 3.2). */
struct ports_random {
	uint64_t key[2], counter, bits;
	unsigned n_bits;
};

/* All free; p is zero or was in use before. */
void ports_init(struct ports *p, bool is_identifiers);
enum ports_class ports_class_of(const struct ports *p, uint16_t port);
/* A free port of that class, or -1.  It is out of the lottery: the caller fills its entry. */
int ports_take(struct ports *p, enum ports_class class, bool may_rest_less, uint32_t now_s,
	       struct ports_random *random);
bool ports_claim(struct ports *p, uint16_t port); /* that one, if it is free */
/* Its entry is not in use any more; it rests. */
void ports_give(struct ports *p, uint16_t port, uint32_t now_s);

/* What rules name: all that is wanted by ports_reserve() since the last commit is reserved then, nothing else. */
void ports_reserve(struct ports *p, uint16_t first, uint16_t last);
void ports_reserve_commit(struct ports *p);

/* SipHash-2-4 of one word (Aumasson, Bernstein, INDOCRYPT 2012). */
uint64_t ports_sip(const uint64_t key[2], uint64_t word);

#endif
