/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frag: fragments on their way through the NAT, in any order and without reassembly (RFC 4787 REQ-14).
 *
 * What.  The first fragment of a datagram has the ports; what it became is kept, and the others become the same.  Those that
 * come before it wait for it, copied.  No byte of a datagram passes twice: a fragment that overlaps is refused, whatever it
 * says (RFC 5722, teardrop).
 *
 * Limits.  FRAG_DATAGRAMS at once, FRAG_PER_SOURCE of one source, for FRAG_LIFETIME_S; one that is whole is forgotten at once.
 * When that is full the oldest one (of that source, or of all) goes: fragments in order need their datagram for microseconds, so
 * a flood that is never completed does them no harm.  Waiting frames have FRAG_SLOTS of FRAG_SLOT_BYTES, FRAG_SOURCE_SLOTS of
 * one source; then the oldest of all go, and a source that is over its share is refused.
 */
#ifndef VFAB_NAT_FRAG_H
#define VFAB_NAT_FRAG_H

#include "switch/base/packet.h"

enum {
	FRAG_DATAGRAMS = 2048,
	FRAG_PER_SOURCE = 64,
	FRAG_LIFETIME_S = 15,
	FRAG_SLOTS = 2048,
	FRAG_SLOT_BYTES = 2048,
	FRAG_SOURCE_SLOTS = 256,
};

struct frag;

struct frag *frag_create(const uint64_t seed[2]); /* NULL without memory */
void frag_destroy(struct frag *g);		  /* NULL is fine */

/* What the first fragment became, and with it all others; drop: why it went no further. */
struct frag_fate {
	struct ip src, dst;
	uint32_t id;
	uint16_t vid;
	enum drop drop;
};

/*
 * Takes note of a fragment that came in by VLAN vid, before it is translated.  DROP_FRAGMENT: it overlaps or reaches over the end.
 * A later one: *fate is what it becomes, or NULL when the first one is still to come: then frag_hold() it.  *ticket: for the two
 * functions below, until the next call of frag_note().
 */
enum drop frag_note(struct frag *g, const struct packet *k, uint16_t vid, uint64_t now_ns, unsigned *ticket,
		    const struct frag_fate **fate);
/* The first one has been judged; those that wait for it come out of frag_next(), or are lost with it. */
void frag_decide(struct frag *g, unsigned ticket, const struct frag_fate *fate);
/* Copies a later one.  DROP_NONE: it waits; DROP_FRAGMENT: there is no room. */
enum drop frag_hold(struct frag *g, unsigned ticket, const struct frame *f);
/* Writes its fate into a later fragment. */
void frag_apply(struct packet *k, const struct frag_fate *fate);
/* One that waited and whose fate is known now, parsed but not changed; f and its bytes live until the next call.  False: none. */
bool frag_next(struct frag *g, struct packet *k, struct frame *f, struct frag_fate *fate);

/* Forgets what is too old.  Returns when it wants to be called again; UINT64_MAX: nothing waits. */
uint64_t frag_tick(struct frag *g, uint64_t now_ns);

struct frag_stats {
	uint32_t waiting;	/* frames */
	uint64_t bytes, lost;	/* bytes of memory that they hold; frames that waited in vain, ever */
};
struct frag_stats frag_stats(const struct frag *g);

#endif
