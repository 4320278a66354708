/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft: the nftables table `vfab` of host uplinks.
 *
 * How it fits.  broker_host.c calls it; nft_rule.c writes the messages, nft_look.c reads what others
 * have.
 *
 * Theory of operation.  The whole table is replaced in one transaction, deleted and made anew in the
 * same batch: the kernel swaps both at once, connections keep their translation, and there is no
 * state of ours to compare with.  Errors come back before sendmsg() returns.
 *
 *  - Redirection in prerouting takes place before the kernel decides whether an address may come in
 *    by that interface, so what it would refuse (127.0.0.1 from a wire) has to be let alone by the
 *    rules (which others have learned by CVE).
 *  - With route_localnet on a tap the kernel no longer refuses such addresses there either: chain raw
 *    does, before any translation; answers of forwards carry the tap's own address at that point.
 *  - The far end of a tap is an address like any other to this host, and a neighbour on the LAN may
 *    send packets for it here: chain forward lets in what was redirected, and answers.
 *  - What comes in for ::1 has to come in by lo, whatever the route: an answer that is translated back
 *    to it would not.  So clients of ::1 are let alone, and a forward cannot be bound to it.
 *  - A packet that connection tracking does not understand passes NAT as it is; it must not leave
 *    with an address of ours.
 *
 * After each transaction the handles of its rules are read back.  A handle is never used twice, so
 * the same ones mean that nobody touched it; that, and not the events, decides whether the table is
 * put back, so our own events and lost ones do no harm.
 */
#include "bridge/nft.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/nft_internal.h"
#include "bridge/nft_rule.h"

#define TABLE "vfab"

/* Of Linux 5.12. */
#ifndef NFT_TABLE_F_OWNER
#define NFT_TABLE_F_OWNER 2
#endif

enum {
	SEND_BYTES = 32 << 20, /* of the largest batch */
	MONITOR_BYTES = 1 << 20,
};

static int fail(char why[static NFT_TEXT], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(char why[static NFT_TEXT], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, NFT_TEXT, fmt, ap);
	va_end(ap);
	return err;
}

/* --- what the table holds --------------------------------------------------------------- */

static bool is_set(const struct ip *ip)
{
	static const struct ip none;

	return !ip_equal(ip, &none);
}

static bool is_loopback6(const struct ip *ip)
{
	static const struct ip one = {.b = {[15] = 1}};

	return ip_equal(ip, &one);
}

static void put_forward(struct nft_batch *b, const char *chain, const struct nft_forward *f)
{
	rule_begin(b, chain);
	if (is_set(&f->bind))
		match_address(b, SIDE_DESTINATION, &f->bind);
	else
		match_family(b, ip_is_v4(&f->to));
	match_ports(b, f->proto, f->first, f->last);
	then_dnat(b, &f->to);
	rule_end(b);
}

enum which { WHICH_LOOPBACK, WHICH_BOUND, WHICH_UNBOUND };

static void put_forwards(struct nft_batch *b, const char *chain, const struct nft_set *s,
			 enum which which)
{
	const struct nft_forward *f;
	enum which is;

	for (f = s->forwards; f < s->forwards + s->n_forwards; f++) {
		is = !is_set(&f->bind) ? WHICH_UNBOUND : WHICH_BOUND;
		if (is == WHICH_BOUND && ip_is_v4(&f->bind) && f->bind.b[12] == 127)
			is = WHICH_LOOPBACK;
		if (is == which)
			put_forward(b, chain, f);
	}
}

static void put_jump(struct nft_batch *b, const char *chain)
{
	rule_begin(b, chain);
	then_verdict(b, (uint32_t)NFT_JUMP, "forwards");
	rule_end(b);
}

/* The end of a rule: the packet is none of the rest's business. */
static void put_return(struct nft_batch *b)
{
	then_verdict(b, (uint32_t)NFT_RETURN, NULL);
	rule_end(b);
}

static void put_redirects(struct nft_batch *b, const struct nft_set *s)
{
	const struct nft_base prerouting = {"nat", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST};
	const struct nft_base output = {"nat", NF_INET_LOCAL_OUT, NF_IP_PRI_NAT_DST};

	batch_chain(b, "forwards", NULL);
	put_forwards(b, "forwards", s, WHICH_BOUND);
	put_forwards(b, "forwards", s, WHICH_UNBOUND);
	batch_chain(b, "prerouting", &prerouting);
	rule_begin(b, "prerouting");
	match_loopback(b, SIDE_DESTINATION, true);
	put_return(b);
	rule_begin(b, "prerouting");
	match_loopback(b, SIDE_DESTINATION, false);
	put_return(b);
	rule_begin(b, "prerouting");
	match_local(b, false);
	put_return(b);
	put_jump(b, "prerouting");
	batch_chain(b, "output", &output);
	rule_begin(b, "output");
	match_loopback(b, SIDE_DESTINATION, false);
	put_return(b);
	rule_begin(b, "output");
	match_local(b, false);
	put_return(b);
	put_forwards(b, "output", s, WHICH_LOOPBACK);
	put_jump(b, "output");
}

/* This host's own clients of 127.0.0.1 become the tap, which is the only address there that the switch can answer to. */
static void put_source(struct nft_batch *b, const struct nft_uplink *u)
{
	if (!is_set(&u->own4))
		return;
	rule_begin(b, "postrouting");
	match_out(b, u->ifname);
	match_loopback(b, SIDE_SOURCE, true);
	then_snat(b, &u->own4);
	rule_end(b);
}

static void put_masquerade(struct nft_batch *b, const struct nft_set *s)
{
	const struct nft_base postrouting = {"nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC};
	const struct nft_uplink *u;

	batch_chain(b, "postrouting", &postrouting);
	for (u = s->uplinks; u < s->uplinks + s->n_uplinks; u++) {
		put_source(b, u);
		rule_begin(b, "postrouting");
		match_in(b, u->ifname);
		then_masquerade(b);
		rule_end(b);
	}
}

static void put_guard(struct nft_batch *b, const char *ifname)
{
	rule_begin(b, "forward");
	match_in(b, ifname);
	match_state(b, CT_INVALID);
	then_verdict(b, NF_DROP, NULL);
	rule_end(b);
	rule_begin(b, "forward");
	match_out(b, ifname);
	match_state(b, CT_ESTABLISHED | CT_RELATED);
	then_verdict(b, NF_ACCEPT, NULL);
	rule_end(b);
	rule_begin(b, "forward");
	match_out(b, ifname);
	match_dnat(b);
	then_verdict(b, NF_ACCEPT, NULL);
	rule_end(b);
	rule_begin(b, "forward");
	match_out(b, ifname);
	then_verdict(b, NF_DROP, NULL);
	rule_end(b);
}

static void put_filters(struct nft_batch *b, const struct nft_set *s)
{
	const struct nft_base raw = {"filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW};
	const struct nft_base forward = {"filter", NF_INET_FORWARD, NF_IP_PRI_FILTER};
	const struct nft_uplink *u;
	int side;

	batch_chain(b, "raw", &raw);
	batch_chain(b, "forward", &forward);
	for (u = s->uplinks; u < s->uplinks + s->n_uplinks; u++) {
		for (side = SIDE_SOURCE; side <= SIDE_DESTINATION; side++) {
			rule_begin(b, "raw");
			match_in(b, u->ifname);
			match_loopback(b, (enum nft_side)side, true);
			then_verdict(b, NF_DROP, NULL);
			rule_end(b);
		}
		put_guard(b, u->ifname);
	}
}

/* --- the socket ------------------------------------------------------------------------- */

struct nlmsghdr *nft_begin(struct nft *n, uint16_t type, uint8_t family, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(n->request);
	struct nfgenmsg *m;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	h->nlmsg_seq = ++n->seq;
	m = mnl_nlmsg_put_extra_header(h, sizeof(*m));
	m->nfgen_family = family;
	m->version = NFNETLINK_V0;
	return h;
}

int nft_ask(struct nft *n, const struct nlmsghdr *h, mnl_cb_t see, void *arg)
{
	ssize_t got;
	int rc;

	if (mnl_socket_sendto(n->nl, h, h->nlmsg_len) < 0)
		return -errno;
	do {
		do {
			got = mnl_socket_recvfrom(n->nl, n->answer, sizeof(n->answer));
		} while (got < 0 && errno == EINTR);
		if (got < 0)
			return -errno;
		rc = mnl_cb_run(n->answer, (size_t)got, h->nlmsg_seq, n->portid, see, arg);
	} while (rc > MNL_CB_STOP);
	return rc < 0 ? -errno : 0;
}

/* --- the transaction -------------------------------------------------------------------- */

/* What the kernel said to a batch: the first error in it. */
static int drain(struct nft *n)
{
	int err = 0, one;
	ssize_t got;

	for (;;) {
		got = recv(mnl_socket_get_fd(n->nl), n->answer, sizeof(n->answer), MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err || errno == EAGAIN ? err : -errno;
		/* Sequence numbers of earlier messages than the last: each is looked at. */
		one = mnl_cb_run(n->answer, (size_t)got, 0, n->portid, NULL, NULL);
		if (one < 0 && !err)
			err = -errno;
	}
}

static int send_batch(struct nft *n, struct nft_batch *b)
{
	int err = b->is_failed ? -ENOMEM : 0;

	n->seq = b->seq;
	if (!err && mnl_socket_sendto(n->nl, b->bytes, b->n) < 0)
		err = -errno;
	if (!err)
		err = drain(n);
	batch_free(b);
	return err;
}

static int see_table(const struct nlmsghdr *h, void *arg)
{
	uint64_t *handle = arg;
	struct nftnl_table *t = nftnl_table_alloc();

	if (!t)
		return MNL_CB_ERROR;
	if (nftnl_table_nlmsg_parse(h, t) == 0)
		*handle = nftnl_table_get_u64(t, NFTNL_TABLE_HANDLE);
	nftnl_table_free(t);
	return MNL_CB_OK;
}

/* The handle of the table; 0: there is none. */
static int find_table(struct nft *n, uint64_t *handle)
{
	struct nlmsghdr *h = nft_begin(n, NFT_MSG_GETTABLE, NFPROTO_INET, NLM_F_ACK);
	int err;

	*handle = 0;
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, TABLE);
	err = nft_ask(n, h, see_table, handle);
	return err == -ENOENT ? 0 : err;
}

static int see_rule(const struct nlmsghdr *h, void *arg)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	uint64_t *print = arg;

	if (!r)
		return MNL_CB_ERROR;
	if (nftnl_rule_nlmsg_parse(h, r) == 0)
		*print = *print * 31 + nftnl_rule_get_u64(r, NFTNL_RULE_HANDLE);
	nftnl_rule_free(r);
	return MNL_CB_OK;
}

/* A number that stays the same as long as nobody touches the table; 0: there is none. */
static int take_print(struct nft *n, uint64_t *print)
{
	struct nlmsghdr *h;
	int err = find_table(n, print);

	if (err || *print == 0)
		return err;
	h = nft_begin(n, NFT_MSG_GETRULE, NFPROTO_INET, NLM_F_DUMP);
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, TABLE);
	return nft_ask(n, h, see_rule, print);
}

static int replace(struct nft *n, const struct nft_set *s)
{
	struct nft_batch b;
	uint64_t handle;
	int err = find_table(n, &handle);

	if (err || (handle == 0 && s->n_uplinks == 0))
		return err;
	batch_begin(&b, TABLE, n->seq);
	if (handle)
		batch_table(&b, NFT_MSG_DELTABLE, 0);
	if (s->n_uplinks > 0) {
		batch_table(&b, NFT_MSG_NEWTABLE, n->cannot_own ? 0 : NFT_TABLE_F_OWNER);
		put_filters(&b, s);
		put_redirects(&b, s);
		put_masquerade(&b, s);
	}
	batch_end(&b);
	return send_batch(n, &b);
}

static int write_table(struct nft *n, const struct nft_set *s)
{
	int err = replace(n, s);

	/* Somebody made or deleted it in between; or a kernel that knows no owners. */
	if (err == -ENOENT || err == -EEXIST)
		err = replace(n, s);
	if ((err == -EOPNOTSUPP || err == -EINVAL) && !n->cannot_own) {
		n->cannot_own = true;
		err = replace(n, s);
		n->cannot_own = !err;
	}
	return err;
}

/* --- the monitor ------------------------------------------------------------------------ */

static bool is_about_us(const struct nlmsghdr *h, unsigned portid)
{
	const struct nfgenmsg *m = mnl_nlmsg_get_payload(h);
	struct nlattr *a;

	if (h->nlmsg_pid == portid || mnl_nlmsg_get_payload_len(h) < sizeof(*m) ||
	    NFNL_SUBSYS_ID(h->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    m->nfgen_family != NFPROTO_INET)
		return false;
	/* The name of the table is attribute 1 of whatever lies in one. */
	mnl_attr_for_each(a, h, sizeof(*m))
	{
		if (mnl_attr_get_type(a) == NFTA_TABLE_NAME)
			return mnl_attr_get_payload_len(a) == sizeof(TABLE) &&
			       memcmp(mnl_attr_get_payload(a), TABLE, sizeof(TABLE)) == 0;
	}
	return false;
}

/* Reads what waits; true when the table may have been changed. */
static bool read_events(struct nft *n)
{
	const struct nlmsghdr *h;
	bool is_suspect = false;
	ssize_t got;
	int left;

	for (;;) {
		got = recv(mnl_socket_get_fd(n->monitor), n->answer, sizeof(n->answer),
			   MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno != ENOBUFS)
			return is_suspect;
		if (got < 0) {
			is_suspect = true;
			continue;
		}
		left = (int)got;
		for (h = (const struct nlmsghdr *)n->answer; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left))
			is_suspect |= is_about_us(h, n->portid);
	}
}

int nft_monitor_fd(const struct nft *n)
{
	return mnl_socket_get_fd(n->monitor);
}

int nft_check(struct nft *n, bool *again)
{
	bool is_suspect = read_events(n);
	uint64_t print;
	int err;

	*again = false;
	if (!is_suspect || n->now.n_uplinks == 0)
		return 0;
	err = take_print(n, &print);
	if (err || print == n->print)
		return err;
	err = write_table(n, &n->now);
	if (!err)
		err = take_print(n, &n->print);
	*again = !err;
	return err;
}

/* --- life ------------------------------------------------------------------------------- */

static struct mnl_socket *open_socket(unsigned groups, int flags)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | flags);
	int err;

	if (!nl || mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) == 0)
		return nl;
	err = errno;
	mnl_socket_close(nl);
	errno = err;
	return NULL;
}

struct nft *nft_create(void)
{
	struct nft *n = calloc(1, sizeof(*n));
	int send = SEND_BYTES, monitor = MONITOR_BYTES, one = 1, err;

	if (!n)
		return NULL;
	n->nl = open_socket(0, 0);
	n->monitor = n->nl ? open_socket(1U << (NFNLGRP_NFTABLES - 1), SOCK_NONBLOCK) : NULL;
	if (!n->monitor) {
		err = errno;
		if (n->nl)
			mnl_socket_close(n->nl);
		free(n);
		errno = err;
		return NULL;
	}
	n->portid = mnl_socket_get_portid(n->nl);
	/* Errors without the message that they are about, which would be too long. */
	mnl_socket_setsockopt(n->nl, NETLINK_CAP_ACK, &one, sizeof(one));
	/* A batch is one message.  In a namespace for users there is as much as anybody may have: some hundred forwards. */
	if (setsockopt(mnl_socket_get_fd(n->nl), SOL_SOCKET, SO_SNDBUFFORCE, &send, sizeof(send)) <
	    0)
		setsockopt(mnl_socket_get_fd(n->nl), SOL_SOCKET, SO_SNDBUF, &send, sizeof(send));
	setsockopt(mnl_socket_get_fd(n->monitor), SOL_SOCKET, SO_RCVBUFFORCE, &monitor,
		   sizeof(monitor));
	return n;
}

static void free_set(struct nft_set *s)
{
	free(s->uplinks);
	free(s->forwards);
	*s = (struct nft_set){0};
}

void nft_destroy(struct nft *n)
{
	char why[NFT_TEXT];

	if (!n)
		return;
	if (n->now.n_uplinks > 0)
		nft_set(n, NULL, 0, NULL, 0, why);
	free_set(&n->now);
	mnl_socket_close(n->monitor);
	mnl_socket_close(n->nl);
	free(n);
}

static void *copy(const void *array, unsigned n, size_t size, bool *is_failed)
{
	void *p = calloc(n + 1, size);

	*is_failed |= !p;
	if (p && n > 0)
		memcpy(p, array, n * size);
	return p;
}

static int check_binds(const struct nft_set *s)
{
	const struct nft_forward *f;

	for (f = s->forwards; f < s->forwards + s->n_forwards; f++) {
		if (is_loopback6(&f->bind))
			return -EAFNOSUPPORT;
	}
	return 0;
}

int nft_set(struct nft *n, const struct nft_uplink *uplinks, unsigned n_uplinks,
	    const struct nft_forward *forwards, unsigned n_forwards, char why[static NFT_TEXT])
{
	struct nft_set next = {.n_uplinks = n_uplinks, .n_forwards = n_forwards};
	bool is_failed = false;
	int err;

	next.uplinks = copy(uplinks, n_uplinks, sizeof(*uplinks), &is_failed);
	next.forwards = copy(forwards, n_forwards, sizeof(*forwards), &is_failed);
	err = is_failed ? -ENOMEM : check_binds(&next);
	if (!err)
		err = write_table(n, &next);
	if (err) {
		free_set(&next);
		return fail(why, err, "nftables table inet " TABLE ": %s",
			    err == -EPERM      ? "another process has it"
			    : err == -EMSGSIZE ? "too many forwards (net.core.wmem_max)"
			    : err == -EAFNOSUPPORT
				    ? "no forward can be bound to ::1 (127.0.0.1 can)"
				    : strerror(-err));
	}
	free_set(&n->now);
	n->now = next;
	/* Unknown, it is none that the table could have: the first event has it written again. */
	if (n_uplinks > 0 && take_print(n, &n->print) < 0)
		n->print = 0;
	return 0;
}
