/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc: gives what comes in by a link to an eBPF program.
 *
 * How it fits.  broker_link.c calls it for the helper tap of an interface uplink, with the program of
 * bpf.c.  The requests go over the socket of rtnl.c.
 *
 * Theory of operation.  A clsact qdisc (tc-bpf(8)) has no queue; it is the place where filters of a
 * link's ingress hang.  The one filter is of kind bpf in direct-action mode: what the program returns
 * is what becomes of the frame.
 */
#include "bridge/tc.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "bridge/rtnl_request.h"

enum { PRIORITY = 1 };

static struct nlmsghdr *begin(struct rtnl *r, uint16_t type, int ifindex, uint32_t parent)
{
	struct nlmsghdr *h = rtnl_begin(r, type, NLM_F_CREATE | NLM_F_EXCL);
	struct tcmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->tcm_family = AF_UNSPEC;
	m->tcm_ifindex = ifindex;
	m->tcm_parent = parent;
	if (type == RTM_NEWQDISC)
		m->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	else
		m->tcm_info = TC_H_MAKE(PRIORITY << 16, htons(ETH_P_ALL));
	return h;
}

static int add_clsact(struct rtnl *r, int ifindex)
{
	struct nlmsghdr *h = begin(r, RTM_NEWQDISC, ifindex, TC_H_CLSACT);

	mnl_attr_put_strz(h, TCA_KIND, "clsact");
	return rtnl_ask(r, h, NULL, NULL);
}

int tc_ingress(struct rtnl *r, int ifindex, int prog)
{
	int err = add_clsact(r, ifindex);
	struct nlattr *options;
	struct nlmsghdr *h;

	if (err)
		return err;
	h = begin(r, RTM_NEWTFILTER, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS));
	mnl_attr_put_strz(h, TCA_KIND, "bpf");
	options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put_u32(h, TCA_BPF_FD, (uint32_t)prog);
	mnl_attr_put_strz(h, TCA_BPF_NAME, "vfab");
	mnl_attr_put_u32(h, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
	mnl_attr_nest_end(h, options);
	return rtnl_ask(r, h, NULL, NULL);
}
