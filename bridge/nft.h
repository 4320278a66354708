/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft: the nftables table `vfab` of host uplinks: masquerade for what comes from their taps, DNAT to the switch for forwards,
 * and acceptance of both where the table itself can give it.  Over libnftnl and libmnl, one transaction for the whole table.
 *
 *   table inet vfab {
 *     chain prerouting  nat hook, dstnat:   iifname != taps, daddr local (fib), proto/port [bind] -> dnat to the tap's far end, same port
 *     chain output      nat hook, dstnat:   the same for this host's own clients
 *     chain postrouting nat hook, srcnat:   oifname of a host uplink, from 127.0.0.0/8 -> the tap's own address; iifname a tap -> masquerade
 *     chain forward     filter hook:        new from outside to a tap only if dnat'ed; a packet to the far end that did not come by dnat: dropped
 *   }
 *
 * A bind to 127.0.0.1 or ::1 matches in output alone.  A range is one rule.  What others' tables drop stays dropped
 * (an nftables accept ends only its own chain): nft_find_block() looks for who would.
 *
 * Privileged: the broker's.
 */
#ifndef VFAB_BRIDGE_NFT_H
#define VFAB_BRIDGE_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"

enum { NFT_UPLINKS_MAX = 64, NFT_FORWARDS_MAX = 8192, NFT_TEXT = 192 };

struct nft_uplink {
	char ifname[16];     /* of the tap in the host */
	struct ip own4, far4; /* its two ends; all zero: no such family */
	struct ip own6, far6;
};

struct nft_forward {
	uint16_t uplink; /* place in uplinks */
	uint8_t proto;	 /* 6 or 17 */
	uint8_t is_v6;	 /* of a forward without bind: the family of its guest */
	struct ip bind;	 /* all zero: every address of the host */
	uint16_t first, last;
};

struct nft;

struct nft *nft_create(void); /* in the current namespace; NULL with errno */
void nft_destroy(struct nft *n); /* removes the table; NULL is fine */
/* The table is this from now on: one transaction, whatever stood there is replaced.  n_uplinks 0 removes it.  0 or -errno with the reason. */
int nft_set(struct nft *n, const struct nft_uplink *uplinks, unsigned n_uplinks, const struct nft_forward *forwards,
	    unsigned n_forwards, char why[static NFT_TEXT]);
/* Readable when somebody changed the ruleset; nft_check() reads, and puts the table back if it is no longer as it was set (*again). */
int nft_monitor_fd(const struct nft *n);
int nft_check(struct nft *n, bool *again);
/* Looks for a chain of another table that drops what is forwarded by policy: its name and how to let us pass, in words.  False: none. */
bool nft_find_block(struct nft *n, char text[static NFT_TEXT]);

#endif
