/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tc: gives what comes in by a link to an eBPF program, before the host's stack sees it. */
#ifndef VFAB_BRIDGE_TC_H
#define VFAB_BRIDGE_TC_H

#include "bridge/rtnl.h"

/* Puts a clsact qdisc with one filter on a link that is ours; both go with the link. prog: of bpf_redirect_into(). 0 or
 * -errno. */
int tc_ingress(struct rtnl *r, int ifindex, int prog);

#endif
