/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft: the nftables table `vfab` of host uplinks: masquerade for what comes from their taps, DNAT to the switch for forwards,
 * and acceptance of both where the table itself can give it.  Over libnftnl and libmnl, one transaction for the whole table.
 *
 *   table inet vfab {                                                       [owned by our socket: see below]
 *     chain raw          filter hook prerouting, raw:   in tap, from or to 127.0.0.0/8: drop
 *     chain prerouting   nat hook, dstnat:   to 127.0.0.0/8 or ::1, or to no address of this host: return; jump forwards
 *     chain output       nat hook, dstnat:   to ::1, or to no address of this host: return; binds to 127.0.0.0/8; jump forwards
 *     chain forwards     [bind] proto ports -> dnat to the forward's `to`, same port; bound ones first
 *     chain postrouting  nat hook, srcnat:   out tap, from 127.0.0.0/8 -> snat to the tap's own address; in tap -> masquerade
 *     chain forward      filter hook, filter:   in tap, invalid: drop; out tap, neither established, related nor by dnat: drop
 *   }
 *
 * A bind answers where it is an address of this host, and on no other; one to 127.0.0.0/8, to this host's own clients alone.
 * Clients of ::1 cannot be redirected.  A range is one rule.  What comes from a tap for a forward of the host goes back in with
 * the tap's own address as its source, so a guest reaches forwards by the host's address too.
 *
 * The table is owned (NFT_TABLE_F_OWNER, Linux 5.12): nobody else can change it, a flush of the ruleset leaves it alone, and
 * the kernel removes it with our socket, even after SIGKILL.  An older kernel has an ordinary table: put back when it was
 * changed, and replaced by the next vfabd.  What others' tables drop stays dropped (an nftables accept ends only its own chain):
 * nft_find_block() looks for who would.  postrouting needs Linux 5.7 (the incoming interface).
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
	struct ip to;	 /* DNAT target: the far end, or for a bind one of its own, so that the switch can tell binds apart */
	uint16_t first, last;
};

struct nft;

struct nft *nft_create(void); /* in the current namespace; NULL with errno */
void nft_destroy(struct nft *n); /* removes the table; NULL is fine */
/* The table is this from now on: one transaction, whatever stood there is replaced.  n_uplinks 0 removes it.  0, or -errno with the
 * reason, and the table is as it was.  -EPERM: it is another process'; -EAFNOSUPPORT: a bind to ::1. */
int nft_set(struct nft *n, const struct nft_uplink *uplinks, unsigned n_uplinks, const struct nft_forward *forwards,
	    unsigned n_forwards, char why[static NFT_TEXT]);
/* Readable when somebody changed the ruleset; nft_check() reads, and puts the table back if it is no longer as it was set (*again).
 * 0 or -errno: it could not be. */
int nft_monitor_fd(const struct nft *n);
int nft_check(struct nft *n, bool *again);
/* Looks for a chain of another table that drops what is forwarded by policy, and has no rule that names our taps and accepts: its
 * name and how to let us pass, in words.  False: none.  iptables-legacy and rules that drop or reject are not seen. */
bool nft_find_block(struct nft *n, char text[static NFT_TEXT]);

#endif
