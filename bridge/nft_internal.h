/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nft_internal: for the files of nft alone: the socket, and how it is asked. */
#ifndef VFAB_BRIDGE_NFT_INTERNAL_H
#define VFAB_BRIDGE_NFT_INTERNAL_H

#include <libmnl/libmnl.h>

#include "bridge/nft.h"

enum { NFT_ANSWER_BYTES = 64 << 10 };

/* What a table holds. */
struct nft_set {
	struct nft_uplink *uplinks;
	struct nft_forward *forwards;
	unsigned n_uplinks, n_forwards;
};

struct nft {
	struct mnl_socket *nl, *monitor;
	unsigned portid; /* of nl */
	uint32_t seq;
	bool cannot_own;    /* the kernel has no owned tables */
	uint64_t print;	    /* of the table as it was written */
	struct nft_set now; /* what it holds */
	char request[1024];
	char answer[NFT_ANSWER_BYTES];
};

/* Begins a request, family AF_INET ... or NFPROTO_INET, and sends it: see gets each message of the answer.  flags: NLM_F_DUMP or
 * NLM_F_ACK, by which the end of the answer is known. */
struct nlmsghdr *nft_begin(struct nft *n, uint16_t type, uint8_t family, uint16_t flags);
int nft_ask(struct nft *n, const struct nlmsghdr *h, mnl_cb_t see, void *arg);

#endif
