/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl: rtnetlink over libmnl.
 *
 * How it fits.  The broker (switch/broker_tap.c, switch/broker_taps.c, switch/broker_link.c,
 * switch/broker_links.c) calls it; it knows nothing of ports.  tc.c makes requests of its own with
 * rtnl_request.h.
 *
 * Theory of operation.  A request is built in the socket's buffer, always with NLM_F_ACK, so that
 * each call ends with exactly one acknowledgement and a failed one with the kernel's errno.  The
 * monitor is a socket of its own: it lies in our namespace and hears the others by
 * NETLINK_LISTEN_ALL_NSID, which says the nsid of the sender beside each message (namespaces(7),
 * netlink(7)); a socket opened inside a namespace would keep that namespace alive after its last
 * process.
 *
 * Trust.  The kernel wrote the bytes; attributes are checked for their length before they are read.
 */
#include "bridge/rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/rtnl_request.h"

enum {
	REQUEST_MAX = 1024,    /* bytes of the largest request; ours have a handful of attributes */
	ANSWER_MAX = 64 << 10, /* a link with all that a driver may add */
	MONITOR_BYTES = 1 << 20,
};

struct rtnl {
	struct mnl_socket *nl;
	unsigned seq;
	char request[REQUEST_MAX];
	char answer[ANSWER_MAX];
};

struct rtnl *rtnl_create(void)
{
	struct rtnl *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return NULL;
	r->nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->nl)
		goto err_free;
	if (mnl_socket_bind(r->nl, 0, MNL_SOCKET_AUTOPID) < 0)
		goto err_close;
	return r;

err_close:
	err = errno;
	mnl_socket_close(r->nl);
	errno = err;
err_free:
	free(r);
	return NULL;
}

void rtnl_destroy(struct rtnl *r)
{
	if (!r)
		return;
	mnl_socket_close(r->nl);
	free(r);
}

struct nlmsghdr *rtnl_begin(struct rtnl *r, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(r->request);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	h->nlmsg_seq = ++r->seq;
	return h;
}

int rtnl_ask(struct rtnl *r, const struct nlmsghdr *h, mnl_cb_t see, void *arg)
{
	unsigned portid = mnl_socket_get_portid(r->nl);
	ssize_t n;
	int rc;

	if (mnl_socket_sendto(r->nl, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		do {
			n = mnl_socket_recvfrom(r->nl, r->answer, sizeof(r->answer));
		} while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		rc = mnl_cb_run(r->answer, (size_t)n, h->nlmsg_seq, portid, see, arg);
	} while (rc > MNL_CB_STOP);
	return rc < 0 ? -errno : 0;
}

/* Copies a string attribute; what is longer than size - 1 is cut. */
static void copy_text(const struct nlattr *a, char *dst, size_t size)
{
	size_t n = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

	if (n > size - 1)
		n = size - 1;
	memcpy(dst, mnl_attr_get_payload(a), n);
	dst[n] = '\0';
}

static uint32_t u32_of(const struct nlattr *a)
{
	return mnl_attr_validate(a, MNL_TYPE_U32) < 0 ? 0 : mnl_attr_get_u32(a);
}

static uint8_t u8_of(const struct nlattr *a)
{
	return mnl_attr_validate(a, MNL_TYPE_U8) < 0 ? 0 : mnl_attr_get_u8(a);
}

static void read_tun(const struct nlattr *data, struct rtnl_link *l)
{
	struct nlattr *a;

	mnl_attr_for_each_nested(a, data)
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_TUN_TYPE:
			l->is_tap = u8_of(a) == IFF_TAP;
			break;
		case IFLA_TUN_MULTI_QUEUE:
			l->is_multi_queue = u8_of(a);
			break;
		case IFLA_TUN_NUM_QUEUES:
			l->queues += u32_of(a);
			break;
		case IFLA_TUN_NUM_DISABLED_QUEUES:
			l->queues += u32_of(a);
			break;
		}
	}
}

static void read_info(const struct nlattr *info, struct rtnl_link *l)
{
	struct nlattr *a, *data = NULL;

	mnl_attr_for_each_nested(a, info)
	{
		if (mnl_attr_get_type(a) == IFLA_INFO_KIND)
			copy_text(a, l->kind, sizeof(l->kind));
		else if (mnl_attr_get_type(a) == IFLA_INFO_DATA)
			data = a;
	}
	if (data && strcmp(l->kind, "tun") == 0)
		read_tun(data, l);
}

static int see_link(const struct nlmsghdr *h, void *arg)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	struct rtnl_link *l = arg;
	struct nlattr *a;

	if (h->nlmsg_type != RTM_NEWLINK || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	memset(l, 0, sizeof(*l));
	l->ifindex = m->ifi_index;
	l->flags = m->ifi_flags;
	l->type = m->ifi_type;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			copy_text(a, l->name, sizeof(l->name));
			break;
		case IFLA_MTU:
			l->mtu = u32_of(a);
			break;
		case IFLA_TXQLEN:
			l->txqlen = u32_of(a);
			break;
		case IFLA_MASTER:
			l->master = (int)u32_of(a);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(a) == sizeof(l->mac))
				memcpy(&l->mac, mnl_attr_get_payload(a), sizeof(l->mac));
			break;
		case IFLA_LINKINFO:
			read_info(a, l);
			break;
		}
	}
	return MNL_CB_OK;
}

static int link_get(struct rtnl *r, int nsid, int ifindex, const char *name, struct rtnl_link *out)
{
	struct nlmsghdr *h = rtnl_begin(r, RTM_GETLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	int err;

	m->ifi_index = ifindex;
	if (name)
		mnl_attr_put_strz(h, IFLA_IFNAME, name);
	if (nsid != RTNL_OWN)
		mnl_attr_put_u32(h, IFLA_TARGET_NETNSID, (uint32_t)nsid);
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	out->ifindex = 0;
	err = rtnl_ask(r, h, see_link, out);
	if (err)
		return err;
	return out->ifindex ? 0 : -ENODEV;
}

int rtnl_link_get(struct rtnl *r, int nsid, const char *name, struct rtnl_link *out)
{
	return link_get(r, nsid, 0, name, out);
}

int rtnl_link_get_index(struct rtnl *r, int nsid, int ifindex, struct rtnl_link *out)
{
	return link_get(r, nsid, ifindex, NULL, out);
}

int rtnl_link_set(struct rtnl *r, int ifindex, const struct rtnl_change *c)
{
	struct nlmsghdr *h = rtnl_begin(r, RTM_SETLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_index = ifindex;
	if (c->up) {
		m->ifi_flags = IFF_UP;
		m->ifi_change = IFF_UP;
	}
	if (c->netns_fd >= 0)
		mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)c->netns_fd);
	if (c->name)
		mnl_attr_put_strz(h, IFLA_IFNAME, c->name);
	if (c->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, c->mtu);
	if (c->txqlen)
		mnl_attr_put_u32(h, IFLA_TXQLEN, c->txqlen);
	if (c->group)
		mnl_attr_put_u32(h, IFLA_GROUP, c->group);
	if (c->mac)
		mnl_attr_put(h, IFLA_ADDRESS, sizeof(*c->mac), c->mac);
	return rtnl_ask(r, h, NULL, NULL);
}

int rtnl_link_mute(struct rtnl *r, int ifindex)
{
	struct nlmsghdr *h = rtnl_begin(r, RTM_SETLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	struct nlattr *families, *family;

	m->ifi_index = ifindex;
	m->ifi_flags = IFF_NOARP;
	m->ifi_change = IFF_NOARP;
	families = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	family = mnl_attr_nest_start(h, AF_INET6);
	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, family);
	mnl_attr_nest_end(h, families);
	return rtnl_ask(r, h, NULL, NULL);
}

int rtnl_link_del(struct rtnl *r, int nsid, int ifindex)
{
	struct nlmsghdr *h = rtnl_begin(r, RTM_DELLINK, 0);
	struct ifinfomsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));

	m->ifi_index = ifindex;
	if (nsid != RTNL_OWN)
		mnl_attr_put_u32(h, IFLA_TARGET_NETNSID, (uint32_t)nsid);
	return rtnl_ask(r, h, NULL, NULL);
}

int rtnl_group_del(struct rtnl *r, uint32_t group)
{
	struct nlmsghdr *h = rtnl_begin(r, RTM_DELLINK, 0);

	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_u32(h, IFLA_GROUP, group);
	return rtnl_ask(r, h, NULL, NULL);
}

/* The bytes of an address in its own family: IPv4 is kept mapped, its four bytes are the last. */
static const void *ip_bytes(const struct ip *ip, size_t *size)
{
	*size = ip_is_v4(ip) ? 4 : 16;
	return ip->b + 16 - *size;
}

static int addr_change(struct rtnl *r, uint16_t type, uint16_t flags, int ifindex,
		       const struct prefix *p)
{
	struct nlmsghdr *h = rtnl_begin(r, type, flags);
	struct ifaddrmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	bool is_v4 = ip_is_v4(&p->ip);
	size_t size;
	const uint8_t *bytes = ip_bytes(&p->ip, &size);
	uint32_t addr;

	m->ifa_family = is_v4 ? AF_INET : AF_INET6;
	m->ifa_prefixlen = p->len;
	m->ifa_index = (uint32_t)ifindex;
	/* No duplicate detection: the address was given by hand, and is wanted from the first packet. */
	m->ifa_flags = is_v4 ? 0 : IFA_F_NODAD;
	mnl_attr_put(h, IFA_LOCAL, size, bytes);
	mnl_attr_put(h, IFA_ADDRESS, size, bytes);
	if (is_v4 && p->len < 31) {
		memcpy(&addr, bytes, sizeof(addr));
		addr |= htobe32((uint32_t)(0xffffffffull >> p->len));
		mnl_attr_put_u32(h, IFA_BROADCAST, addr);
	}
	return rtnl_ask(r, h, NULL, NULL);
}

int rtnl_addr_add(struct rtnl *r, int ifindex, const struct prefix *p)
{
	return addr_change(r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, ifindex, p);
}

int rtnl_addr_del(struct rtnl *r, int ifindex, const struct prefix *p)
{
	int err = addr_change(r, RTM_DELADDR, 0, ifindex, p);

	return err == -EADDRNOTAVAIL ? 0 : err;
}

struct addr_seen {
	rtnl_addr_fn fn;
	void *arg;
};

/* IFA_LOCAL is ours where both are there: IFA_ADDRESS is then the other end's. */
static int see_addr(const struct nlmsghdr *h, void *arg)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *address = NULL, *local = NULL;
	struct nlattr *a;
	const struct addr_seen *seen = arg;
	struct ip ip = {{0}};
	size_t size;

	if (h->nlmsg_type != RTM_NEWADDR || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == IFA_LOCAL)
			local = a;
		else if (mnl_attr_get_type(a) == IFA_ADDRESS)
			address = a;
	}
	address = local ? local : address;
	size = m->ifa_family == AF_INET ? 4 : 16;
	if (!address || mnl_attr_get_payload_len(address) != size ||
	    (m->ifa_family != AF_INET && m->ifa_family != AF_INET6))
		return MNL_CB_OK;
	if (size == 4)
		memset(ip.b + 10, 0xff, 2);
	memcpy(ip.b + 16 - size, mnl_attr_get_payload(address), size);
	seen->fn((int)m->ifa_index, &ip, seen->arg);
	return MNL_CB_OK;
}

int rtnl_addr_each(struct rtnl *r, rtnl_addr_fn fn, void *arg)
{
	struct nlmsghdr *h = rtnl_begin(r, RTM_GETADDR, NLM_F_DUMP);
	struct addr_seen seen = {fn, arg};

	mnl_nlmsg_put_extra_header(h, sizeof(struct ifaddrmsg));
	return rtnl_ask(r, h, see_addr, &seen);
}

static int route_change(struct rtnl *r, uint16_t type, uint16_t flags, int ifindex,
			const struct ip *gateway)
{
	struct nlmsghdr *h = rtnl_begin(r, type, flags);
	struct rtmsg *m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	size_t size;
	const void *bytes = ip_bytes(gateway, &size);

	m->rtm_family = size == 4 ? AF_INET : AF_INET6;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	mnl_attr_put(h, RTA_GATEWAY, size, bytes);
	mnl_attr_put_u32(h, RTA_OIF, (uint32_t)ifindex);
	return rtnl_ask(r, h, NULL, NULL);
}

int rtnl_route_add(struct rtnl *r, int ifindex, const struct ip *gateway)
{
	int err = route_change(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, gateway);

	if (err != -EEXIST)
		return err;
	/* Ours from an earlier life of an adopted device?  Then it can be taken away by its
	 * exact form; a route of somebody else cannot, and stays. */
	if (route_change(r, RTM_DELROUTE, 0, ifindex, gateway) < 0)
		return -EEXIST;
	return route_change(r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, gateway);
}

int rtnl_route_del(struct rtnl *r, int ifindex, const struct ip *gateway)
{
	int err = route_change(r, RTM_DELROUTE, 0, ifindex, gateway);

	return err == -ESRCH ? 0 : err;
}

static int see_nsid(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *a;
	int *nsid = arg;

	if (h->nlmsg_type != RTM_NEWNSID || mnl_nlmsg_get_payload_len(h) < sizeof(struct rtgenmsg))
		return MNL_CB_OK;
	mnl_attr_for_each(a, h, sizeof(struct rtgenmsg))
	{
		if (mnl_attr_get_type(a) == NETNSA_NSID && mnl_attr_validate(a, MNL_TYPE_U32) >= 0)
			*nsid = (int)mnl_attr_get_u32(a);
	}
	return MNL_CB_OK;
}

int rtnl_nsid_get(struct rtnl *r, int ns_fd, int *nsid)
{
	struct nlmsghdr *h = rtnl_begin(r, RTM_GETNSID, 0);
	int err;

	mnl_nlmsg_put_extra_header(h, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(h, NETNSA_FD, (uint32_t)ns_fd);
	*nsid = NETNSA_NSID_NOT_ASSIGNED;
	err = rtnl_ask(r, h, see_nsid, nsid);
	if (err)
		return err;
	return *nsid < 0 ? -ENOENT : 0;
}

int rtnl_nsid_make(struct rtnl *r, int ns_fd, int *nsid)
{
	struct nlmsghdr *h;
	int err = rtnl_nsid_get(r, ns_fd, nsid);

	if (err != -ENOENT)
		return err;
	h = rtnl_begin(r, RTM_NEWNSID, 0);
	mnl_nlmsg_put_extra_header(h, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(h, NETNSA_FD, (uint32_t)ns_fd);
	mnl_attr_put_u32(h, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED);
	err = rtnl_ask(r, h, NULL, NULL);
	/* -EEXIST: somebody was faster. */
	if (err && err != -EEXIST)
		return err;
	return rtnl_nsid_get(r, ns_fd, nsid);
}

static int monitor_socket(unsigned groups)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int bytes = MONITOR_BYTES, err;

	if (fd < 0)
		return -errno;
	/* Best effort: with a small buffer events are lost sooner, which is noticed and made good. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int rtnl_monitor_open(void)
{
	int fd = monitor_socket(RTMGRP_LINK), group = RTNLGRP_NSID, one = 1, err;

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, &one, sizeof(one)) == 0 &&
	    setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int rtnl_monitor_open_own(void)
{
	return monitor_socket(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
}

/* Fills *e from a message of the monitor; false when it is none that we tell. */
static bool read_event(const struct nlmsghdr *h, int nsid, struct rtnl_event *e)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	const struct ifaddrmsg *addr = mnl_nlmsg_get_payload(h);
	struct nlattr *a;

	memset(e, 0, sizeof(*e));
	e->nsid = nsid;
	switch (h->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_DELADDR:
		if (mnl_nlmsg_get_payload_len(h) < sizeof(*addr))
			return false;
		e->kind = RTNL_ADDR_CHANGED;
		e->ifindex = (int)addr->ifa_index;
		return true;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (mnl_nlmsg_get_payload_len(h) < sizeof(*m) || m->ifi_family != AF_UNSPEC)
			return false;
		e->kind = h->nlmsg_type == RTM_NEWLINK ? RTNL_LINK_CHANGED : RTNL_LINK_GONE;
		e->ifindex = m->ifi_index;
		mnl_attr_for_each(a, h, sizeof(*m))
		{
			if (mnl_attr_get_type(a) == IFLA_IFNAME)
				copy_text(a, e->name, sizeof(e->name));
		}
		return true;
	case RTM_NEWNSID:
	case RTM_DELNSID:
		if (mnl_nlmsg_get_payload_len(h) < sizeof(struct rtgenmsg))
			return false;
		e->kind = h->nlmsg_type == RTM_NEWNSID ? RTNL_NSID_NEW : RTNL_NSID_GONE;
		mnl_attr_for_each(a, h, sizeof(struct rtgenmsg))
		{
			if (mnl_attr_get_type(a) == NETNSA_NSID)
				e->nsid = (int)u32_of(a);
		}
		return true;
	}
	return false;
}

/* The nsid that the kernel says beside a datagram. */
static int nsid_beside(struct msghdr *m)
{
	struct cmsghdr *c;
	int nsid = RTNL_OWN;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_NETLINK && c->cmsg_type == NETLINK_LISTEN_ALL_NSID &&
		    c->cmsg_len >= CMSG_LEN(sizeof(nsid)))
			memcpy(&nsid, CMSG_DATA(c), sizeof(nsid));
	}
	return nsid;
}

int rtnl_monitor_read(int fd, rtnl_event_fn fn, void *arg)
{
	static char buf[ANSWER_MAX] __attribute__((aligned(8))); /* one thread, never nested */
	char control[CMSG_SPACE(sizeof(int)) * 2];
	struct sockaddr_nl from;
	struct iovec iov = {.iov_base = buf, .iov_len = sizeof(buf)};
	struct msghdr m;
	struct nlmsghdr *h;
	struct rtnl_event e;
	ssize_t n;
	int left;

	for (;;) {
		m = (struct msghdr){.msg_name = &from,
				    .msg_namelen = sizeof(from),
				    .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control)};
		n = recvmsg(fd, &m, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		/* Any process may send to a netlink socket; only the kernel is port 0. */
		if (from.nl_pid != 0)
			continue;
		left = (int)n;
		for (h = (struct nlmsghdr *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			if (read_event(h, nsid_beside(&m), &e))
				fn(&e, arg);
		}
	}
}
