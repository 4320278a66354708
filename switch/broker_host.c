/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_host: the host's side of all host uplinks.
 *
 * How it fits.  broker_stock.c gives it each BROKER_HOST_SET; bridge/nft.c, bridge/sysctl.c,
 * bridge/sockets.c and bridge/conntrack.c do the talking.  A uplink's tap itself is an ordinary one (broker_taps.c).
 *
 * Theory of operation.  A set is the whole: it is checked, then the table is swapped in one
 * transaction, and only then are the switches of the stack set, which cannot fail halfway in a way
 * that matters: what is missing is said, and the rest works.  Events of nftables wake us; the table
 * is put back at once, and a second later, when whoever is at work there is done, others' chains are
 * looked at.  Without a host uplink nothing of this is open.
 *
 * Trust.  The set has passed broker_check.c, here and there; it lies in a sealed memfd and is copied
 * before it is checked.  A hostile switch can take ports of this host that no program holds, which is
 * what forwards are, and nothing else: rules match this host's own addresses only.
 */
#include "switch/broker_host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bridge/conntrack.h"
#include "bridge/sockets.h"
#include "bridge/sysctl.h"
#include "switch/base/log.h"
#include "switch/broker_check.h"
#include "switch/broker_file.h"
#include "switch/broker_taps.h"

enum { LOOK_MS = 1000, FORWARDING_MS = 5000, PROTO_TCP = 6, PROTO_UDP = 17 };

/* A set with its arrays. */
struct arrays {
	struct host_set set;
	struct nft_uplink *uplinks;
	struct nft_forward *forwards;
};

struct host {
	struct host_needs needs;
	struct nft *nft; /* NULL: there was no host uplink yet */
	struct arrays now;
	struct sysctl_forwarding forwarding;
	bool is_claimed;
	bool is_due;
	int look_timer, forwarding_timer;
	char text[TAP_TEXT_SIZE]; /* what is to be told */
	enum host_news news;
	char block
		[TAP_TEXT_SIZE]; /* who drops what is forwarded, as it was said last; "": nobody */
};

static void free_arrays(struct arrays *a)
{
	free(a->uplinks);
	free(a->forwards);
	*a = (struct arrays){0};
}

static void tell(struct host *h, enum host_news news, const char *text)
{
	log_debug("host uplinks: %s", text);
	snprintf(h->text, sizeof(h->text), "%s", text);
	h->news = news;
	if (!h->is_claimed)
		return;
	h->is_due = true;
	h->needs.due(h->needs.arg);
}

/* --- who holds a port ------------------------------------------------------------------- */

struct search {
	const struct arrays *was, *next;
	uint8_t proto;
	struct waiting_socket found;
	bool is_found;
};

static bool is_any(const struct ip *ip)
{
	static const struct ip none;

	return ip_equal(ip, &none);
}

/* The socket would lose clients to the forward. */
static bool would_take(const struct nft_forward *f, const struct waiting_socket *s)
{
	bool is_v4 = ip_is_v4(&f->to);

	if (s->port < f->first || s->port > f->last)
		return false;
	if (s->is_v6 == is_v4 && !(is_v4 && s->takes_v4))
		return false;
	return is_any(&f->bind) || s->is_any || ip_equal(&f->bind, &s->ip);
}

/* The set before had that port for itself, so whoever holds it now came later, and knows. */
static bool was_ours(const struct search *q, const struct nft_forward *f, uint16_t port)
{
	const struct nft_forward *o = q->was->forwards, *end = o + q->was->set.n_forwards;

	for (; o < end; o++) {
		if (o->proto == f->proto && ip_is_v4(&o->to) == ip_is_v4(&f->to) &&
		    ip_equal(&o->bind, &f->bind) && port >= o->first && port <= o->last)
			return true;
	}
	return false;
}

static bool see_socket(const struct waiting_socket *s, void *arg)
{
	struct search *q = arg;
	const struct nft_forward *f = q->next->forwards, *end = f + q->next->set.n_forwards;

	for (; f < end && !q->is_found; f++) {
		if (f->proto != q->proto || !would_take(f, s) || was_ours(q, f, s->port))
			continue;
		q->found = *s;
		q->is_found = true;
	}
	return !q->is_found;
}

static int check_ports(const struct arrays *was, const struct arrays *next, uint8_t proto,
		       char why[static TAP_TEXT_SIZE])
{
	struct search q = {.was = was, .next = next, .proto = proto};
	const char *word = proto == PROTO_TCP ? "tcp" : "udp";
	char name[SOCKETS_NAME];
	int err = sockets_each(proto, see_socket, &q);
	pid_t pid;

	/* A kernel without sock_diag: the forward takes what it is given. */
	if (err)
		log_warn("sockets of this host cannot be asked for: %s", strerror(-err));
	if (!q.is_found)
		return 0;
	pid = sockets_owner(q.found.inode, name);
	if (!pid)
		return broker_fail(why, -EADDRINUSE, "port %u/%s of this host is in use",
				   q.found.port, word);
	return broker_fail(why, -EADDRINUSE, "port %u/%s of this host is in use by %s (process %d)",
			   q.found.port, word, name, (int)pid);
}

/* --- the switches of the stack ---------------------------------------------------------- */

static bool has_family(const struct arrays *a, bool is_v4)
{
	unsigned i;

	for (i = 0; i < a->set.n_uplinks; i++) {
		if (!is_any(is_v4 ? &a->uplinks[i].own4 : &a->uplinks[i].own6))
			return true;
	}
	return false;
}

/* Turns forwarding of a family on or off as the set wants it; text says when it is off and stays so. */
static void set_forwarding(struct host *h, bool is_v4, char text[static TAP_TEXT_SIZE])
{
	bool is_needed = has_family(&h->now, is_v4);
	bool on = is_needed && !h->now.set.leaves_forwarding;
	int err = sysctl_forward(&h->forwarding, is_v4, on);

	if (!is_needed || sysctl_forwards(is_v4))
		return;
	broker_fail(text, 0, "this host does not forward %s (%s): sysctl -w %s=1",
		    is_v4 ? "IPv4" : "IPv6", err ? strerror(-err) : "forwarding: leave",
		    is_v4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding");
}

/* This host's own clients of 127.0.0.1 are redirected with that address, until postrouting. */
static bool needs_localnet(const struct arrays *a, unsigned uplink)
{
	const struct nft_forward *f = a->forwards, *end = f + a->set.n_forwards;

	for (; f < end; f++) {
		if (f->uplink == uplink && ip_is_v4(&f->to) &&
		    (is_any(&f->bind) || f->bind.b[12] == 127))
			return true;
	}
	return false;
}

static void tell_forwarding(struct host *h, bool is_new4, bool is_new6)
{
	char text[TAP_TEXT_SIZE];

	if (!is_new4 && !is_new6)
		return;
	broker_fail(text, 0, "IP forwarding of this host was turned on: %s",
		    !is_new6   ? "IPv4"
		    : !is_new4 ? "IPv6"
			       : "IPv4 and IPv6");
	tell(h, HOST_EVENT, text);
}

static void set_stack(struct host *h, char text[static TAP_TEXT_SIZE])
{
	bool was4, was6;
	const char *tap;
	unsigned i;
	int err;

	for (i = 0; i < h->now.set.n_uplinks; i++) {
		tap = h->now.uplinks[i].ifname;
		err = sysctl_route_localnet(tap, needs_localnet(&h->now, i));
		if (err && needs_localnet(&h->now, i))
			broker_fail(text, 0, "forwards do not answer on 127.0.0.1: %s: %s", tap,
				    strerror(-err));
	}
	was4 = sysctl_forwards(true);
	was6 = sysctl_forwards(false);
	set_forwarding(h, false, text);
	set_forwarding(h, true, text);
	tell_forwarding(h, !was4 && sysctl_forwards(true), !was6 && sysctl_forwards(false));
}

static bool is_missing(const struct host *h, bool is_v4)
{
	return has_family(&h->now, is_v4) && !sysctl_forwards(is_v4);
}

/* Somebody may turn it off again (sysctl --system), and nobody tells. */
static void on_forwarding(void *arg, uint32_t events)
{
	char ignored[TAP_TEXT_SIZE];
	struct host *h = arg;

	(void)events;
	h->forwarding_timer = loop_after(h->needs.loop, FORWARDING_MS, on_forwarding, h);
	if (h->now.set.leaves_forwarding || (!is_missing(h, true) && !is_missing(h, false)))
		return;
	h->forwarding.is_on4 &= sysctl_forwards(true);
	h->forwarding.is_on6 &= sysctl_forwards(false);
	set_stack(h, ignored);
}

static void watch_forwarding(struct host *h)
{
	loop_cancel(h->needs.loop, h->forwarding_timer);
	h->forwarding_timer = 0;
	if (h->now.set.n_uplinks > 0)
		h->forwarding_timer = loop_after(h->needs.loop, FORWARDING_MS, on_forwarding, h);
}

/* --- the ruleset of this host ----------------------------------------------------------- */

static void on_look(void *arg, uint32_t events)
{
	char text[NFT_TEXT];
	struct host *h = arg;

	(void)events;
	h->look_timer = 0;
	nft_find_block(h->nft, text);
	if (strcmp(text, h->block) == 0)
		return;
	snprintf(h->block, sizeof(h->block), "%s", text);
	tell(h, text[0] ? HOST_TROUBLE : HOST_CLEAR,
	     text[0] ? text : "no other table drops by policy what is forwarded any more");
}

static void on_ruleset(void *arg, uint32_t events)
{
	struct host *h = arg;
	bool again;
	int err;

	(void)events;
	err = nft_check(h->nft, &again);
	if (err)
		log_limited(LOG_LEVEL_ERR, "nftables table vfab was changed: %s", strerror(-err));
	if (again)
		tell(h, HOST_EVENT,
		     "nftables table vfab was changed by another program and is as it was again");
	if (h->look_timer <= 0 && h->now.set.n_uplinks > 0)
		h->look_timer = loop_after(h->needs.loop, LOOK_MS, on_look, h);
}

static int open_nft(struct host *h, char why[static TAP_TEXT_SIZE])
{
	int err;

	if (h->nft)
		return 0;
	h->nft = nft_create();
	if (!h->nft)
		return broker_fail(why, -errno, "nftables: %s", strerror(errno));
	err = loop_add(h->needs.loop, nft_monitor_fd(h->nft), EPOLLIN, on_ruleset, h);
	if (!err)
		return 0;
	nft_destroy(h->nft);
	h->nft = NULL;
	return broker_fail(why, err, "nftables: %s", strerror(-err));
}

static void close_nft(struct host *h)
{
	if (!h->nft)
		return;
	loop_cancel(h->needs.loop, h->look_timer);
	h->look_timer = 0;
	loop_del(h->needs.loop, nft_monitor_fd(h->nft));
	nft_destroy(h->nft);
	h->nft = NULL;
	h->block[0] = '\0';
}

/* --- connections that go on ------------------------------------------------------------- */

/* One that is in both sets goes where it went. */
static bool is_in(const struct arrays *a, const struct nft_forward *f)
{
	const struct nft_forward *o = a->forwards, *end = o + a->set.n_forwards;

	for (; o < end; o++) {
		if (o->proto == f->proto && o->first == f->first && o->last == f->last &&
		    ip_equal(&o->bind, &f->bind) && ip_equal(&o->to, &f->to))
			return true;
	}
	return false;
}

/* Ports of UDP that go elsewhere than before. */
struct changed {
	const struct nft_forward **list;
	unsigned n;
};

static void note_changed(struct changed *c, const struct arrays *of, const struct arrays *other)
{
	const struct nft_forward *f = of->forwards, *end = f + of->set.n_forwards;

	for (; f < end; f++) {
		if (f->proto == PROTO_UDP && !is_in(other, f))
			c->list[c->n++] = f;
	}
}

static bool is_changed(bool is_v4, uint16_t port, void *arg)
{
	const struct changed *c = arg;
	unsigned i;

	for (i = 0; i < c->n; i++) {
		if (ip_is_v4(&c->list[i]->to) == is_v4 && port >= c->list[i]->first &&
		    port <= c->list[i]->last)
			return true;
	}
	return false;
}

/* A client that keeps sending would not notice that its port goes elsewhere now. */
static void forget_connections(const struct arrays *was, const struct arrays *is)
{
	struct changed c = {calloc(was->set.n_forwards + is->set.n_forwards + 1, sizeof(*c.list)),
			    0};
	int err = 0;

	if (!c.list)
		return;
	note_changed(&c, was, is);
	note_changed(&c, is, was);
	if (c.n > 0)
		err = conntrack_forget_udp(is_changed, &c);
	if (err)
		log_debug("host uplinks: connections of UDP: %s", strerror(-err));
	free(c.list);
}

/* --- a set ------------------------------------------------------------------------------ */

static int read_arrays(struct arrays *a, int fd, char why[static TAP_TEXT_SIZE])
{
	size_t n = a->set.n_uplinks * sizeof(*a->uplinks);
	size_t m = a->set.n_forwards * sizeof(*a->forwards);

	if (text_check(fd) != (ssize_t)(n + m))
		return broker_fail(why, -EINVAL, "no arrays of uplinks and forwards");
	a->uplinks = malloc(n + 1);
	a->forwards = malloc(m + 1);
	if (!a->uplinks || !a->forwards)
		return broker_fail(why, -ENOMEM, "no memory");
	if (pread(fd, a->uplinks, n, 0) != (ssize_t)n ||
	    pread(fd, a->forwards, m, (off_t)n) != (ssize_t)m)
		return broker_fail(why, -EIO, "uplinks and forwards cannot be read");
	return broker_host_check(&a->set, a->uplinks, a->forwards, why);
}

static int check_taps(const struct host *h, const struct arrays *a, char why[static TAP_TEXT_SIZE])
{
	unsigned i;

	for (i = 0; i < a->set.n_uplinks; i++) {
		if (!taps_has(h->needs.taps, a->uplinks[i].ifname))
			return broker_fail(why, -ENODEV, "interface %s is no tap of the fabric",
					   a->uplinks[i].ifname);
	}
	return 0;
}

/* Makes `next` the running set; on error it is the caller's still. */
static int commit(struct host *h, struct arrays *next, char text[static TAP_TEXT_SIZE])
{
	int err = next->set.n_uplinks > 0 ? open_nft(h, text) : 0;

	if (!err && h->nft)
		err = nft_set(h->nft, next->uplinks, next->set.n_uplinks, next->forwards,
			      next->set.n_forwards, text);
	if (err) {
		if (h->now.set.n_uplinks == 0)
			close_nft(h);
		return err;
	}
	forget_connections(&h->now, next);
	free_arrays(&h->now);
	h->now = *next;
	*next = (struct arrays){0};
	if (h->now.set.n_uplinks == 0)
		close_nft(h);
	return 0;
}

int host_take(struct host *h, const struct host_set *set, int fd, char text[static TAP_TEXT_SIZE])
{
	struct arrays next = {.set = *set};
	char why[TAP_TEXT_SIZE] = "";
	int err;

	err = read_arrays(&next, fd, why);
	if (!err)
		err = check_taps(h, &next, why);
	if (!err)
		err = check_ports(&h->now, &next, PROTO_TCP, why);
	if (!err)
		err = check_ports(&h->now, &next, PROTO_UDP, why);
	if (!err)
		err = commit(h, &next, why);
	free_arrays(&next);
	if (!err) {
		h->is_claimed = true;
		if (h->nft && nft_find_block(h->nft, h->block))
			memcpy(why, h->block, sizeof(why));
		set_stack(h, why);
		watch_forwarding(h);
	}
	memcpy(text, why, sizeof(why));
	return err;
}

/* Nothing of us is left in the host. */
static void take_back(struct host *h)
{
	char ignored[TAP_TEXT_SIZE];
	struct arrays none = {0};

	if (commit(h, &none, ignored) < 0)
		log_err("nftables table vfab: %s", ignored);
	set_stack(h, ignored);
	watch_forwarding(h);
	h->is_due = false;
}

struct host *host_create(const struct host_needs *needs)
{
	struct host *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->needs = *needs;
	sysctl_recover(&h->forwarding, needs->record);
	return h;
}

void host_destroy(struct host *h)
{
	if (!h)
		return;
	take_back(h);
	close_nft(h);
	free_arrays(&h->now);
	free(h);
}

void host_tap_came(struct host *h, const char *ifname)
{
	char ignored[TAP_TEXT_SIZE];
	unsigned i;

	for (i = 0; i < h->now.set.n_uplinks; i++) {
		if (strcmp(h->now.uplinks[i].ifname, ifname) == 0)
			set_stack(h, ignored);
	}
}

void host_unclaim(struct host *h)
{
	h->is_claimed = h->is_due = false;
}

void host_sweep(struct host *h)
{
	if (!h->is_claimed)
		take_back(h);
}

int host_tell(struct host *h, host_send send, void *arg)
{
	int err;

	if (!h->is_due)
		return 0;
	err = send(h->text, h->news, arg);
	if (!err)
		h->is_due = false;
	return err;
}
