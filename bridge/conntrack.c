/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conntrack: connections of UDP that would go on as they are.
 *
 * How it fits.  broker_host.c calls it when forwards of UDP come or go.
 *
 * Theory of operation.  NAT is decided by the first packet of a connection.  A client that keeps
 * sending to a port before it is redirected keeps its entry alive, and would never reach the guest;
 * one that was redirected would never reach whoever has the port afterwards.  TCP begins anew by
 * itself.  The table is dumped once; what is to go is deleted by its own first tuple (ctnetlink).
 */
#include "bridge/conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_BYTES = 32 << 10, TUPLE_BYTES = 128, FORGET_MAX = 65536 };

/* An entry that is to go. */
struct doomed {
	struct doomed *next;
	uint8_t family;
	uint16_t n;
	char tuple[TUPLE_BYTES]; /* the attributes inside CTA_TUPLE_ORIG */
};

struct search {
	conntrack_fn fn;
	void *arg;
	struct doomed *first;
	unsigned n;
};

static struct nlmsghdr *begin(char *buf, uint16_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *m;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->nfgen_family = family;
	m->version = NFNETLINK_V0;
	return h;
}

/* The destination port of a tuple of UDP; 0: it is none. */
static uint16_t udp_port(const struct nlattr *tuple)
{
	struct nlattr *a, *p;
	uint16_t port = 0;
	bool is_udp = false;

	mnl_attr_for_each_nested(a, tuple)
	{
		if (mnl_attr_get_type(a) != CTA_TUPLE_PROTO)
			continue;
		mnl_attr_for_each_nested(p, a)
		{
			if (mnl_attr_get_type(p) == CTA_PROTO_NUM)
				is_udp = mnl_attr_validate(p, MNL_TYPE_U8) >= 0 &&
					 mnl_attr_get_u8(p) == IPPROTO_UDP;
			else if (mnl_attr_get_type(p) == CTA_PROTO_DST_PORT &&
				 mnl_attr_validate(p, MNL_TYPE_U16) >= 0)
				port = ntohs(mnl_attr_get_u16(p));
		}
	}
	return is_udp ? port : 0;
}

static void consider(struct search *s, uint8_t family, const struct nlattr *tuple)
{
	uint16_t port = udp_port(tuple), n = mnl_attr_get_payload_len(tuple);
	struct doomed *d;

	if (!port || n > TUPLE_BYTES || s->n == FORGET_MAX ||
	    !s->fn(family == AF_INET, port, s->arg))
		return;
	d = malloc(sizeof(*d));
	if (!d)
		return;
	*d = (struct doomed){.next = s->first, .family = family, .n = n};
	memcpy(d->tuple, mnl_attr_get_payload(tuple), n);
	s->first = d;
	s->n++;
}

static int see_entry(const struct nlmsghdr *h, void *arg)
{
	const struct nfgenmsg *m = mnl_nlmsg_get_payload(h);
	struct nlattr *a;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == CTA_TUPLE_ORIG)
			consider(arg, m->nfgen_family, a);
	}
	return MNL_CB_OK;
}

static int run(struct mnl_socket *nl, char *buf, const struct nlmsghdr *h, mnl_cb_t see, void *arg)
{
	ssize_t n;
	int rc;

	if (mnl_socket_sendto(nl, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		n = mnl_socket_recvfrom(nl, buf, ANSWER_BYTES);
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(nl), see, arg);
	} while (rc > MNL_CB_STOP);
	return rc < 0 ? -errno : 0;
}

int conntrack_forget_udp(conntrack_fn fn, void *arg)
{
	static char buf[ANSWER_BYTES] __attribute__((aligned(8))); /* one thread, never nested */
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	struct search s = {.fn = fn, .arg = arg};
	struct nlmsghdr *h;
	struct doomed *d;
	int err;

	if (!nl)
		return -errno;
	err = mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
	if (!err)
		err = run(nl, buf, begin(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC), see_entry,
			  &s);
	while ((d = s.first)) {
		s.first = d->next;
		h = begin(buf, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, d->family);
		mnl_attr_put(h, CTA_TUPLE_ORIG | NLA_F_NESTED, d->n, d->tuple);
		/* One that ended by itself meanwhile is as good. */
		run(nl, buf, h, NULL, NULL);
		free(d);
	}
	mnl_socket_close(nl);
	return err;
}
