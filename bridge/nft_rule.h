/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_rule: one transaction of nftables as it is written, and the rules in it, match by match.
 *
 * A batch is begun, filled and given to the kernel as a whole (nft.c).  What goes wrong meanwhile (memory) is kept in is_failed
 * and looked at once, at the end.  Between rule_begin() and rule_end() each call adds to that rule; the first that does not match
 * ends it, the last says what becomes of the packet.
 */
#ifndef VFAB_BRIDGE_NFT_RULE_H
#define VFAB_BRIDGE_NFT_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"

struct nftnl_rule;

struct nft_batch {
	char *bytes;
	size_t n, size;
	const char *table; /* inet; of everything in it */
	uint32_t seq;	   /* of the next message */
	struct nftnl_rule *rule;
	bool is_failed;
};

void batch_begin(struct nft_batch *b, const char *table, uint32_t seq);
void batch_end(struct nft_batch *b);
void batch_free(struct nft_batch *b);

void batch_table(struct nft_batch *b, uint16_t type, uint32_t flags); /* NFT_MSG_NEWTABLE, NFT_MSG_DELTABLE */

struct nft_base {
	const char *type; /* nat, filter */
	uint32_t hook;	  /* NF_INET_FORWARD ... */
	int32_t priority;
};
void batch_chain(struct nft_batch *b, const char *name, const struct nft_base *base); /* base NULL: only jumped to */

void rule_begin(struct nft_batch *b, const char *chain);
void rule_end(struct nft_batch *b);

/* Matches. */
enum nft_side { SIDE_SOURCE, SIDE_DESTINATION };
void match_in(struct nft_batch *b, const char *ifname);
void match_out(struct nft_batch *b, const char *ifname);
void match_family(struct nft_batch *b, bool is_v4);
void match_address(struct nft_batch *b, enum nft_side side, const struct ip *ip); /* and its family */
void match_loopback(struct nft_batch *b, enum nft_side side, bool is_v4);	  /* 127.0.0.0/8 or ::1 */
void match_local(struct nft_batch *b, bool is_local); /* the destination is, or is not, an address of this host */
void match_ports(struct nft_batch *b, uint8_t proto, uint16_t first, uint16_t last); /* of the destination */
enum { CT_INVALID = 1, CT_ESTABLISHED = 2, CT_RELATED = 4 };
void match_state(struct nft_batch *b, uint32_t any_of); /* CT_ */
void match_dnat(struct nft_batch *b);			/* its connection was redirected by some rule */

/* What becomes of it. */
void then_verdict(struct nft_batch *b, uint32_t verdict, const char *chain); /* NF_DROP, NFT_RETURN, NFT_JUMP ... */
void then_dnat(struct nft_batch *b, const struct ip *to);
void then_snat(struct nft_batch *b, const struct ip *to);
void then_masquerade(struct nft_batch *b);

#endif
