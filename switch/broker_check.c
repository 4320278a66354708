/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_check: is this a request?
 *
 * How it fits.  broker.c gives it each message of the switch before anything else looks at it.
 * Pure: no system call, no global state; the fuzzer runs it alone.
 *
 * Trust.  The switch wrote the bytes, and a guest may have taken the switch over.  Nothing has been
 * checked before but that the message fits the buffer.  A bool is read as a byte first: one that is
 * neither 0 nor 1 would be undefined behaviour as a bool.
 */
#include "switch/broker_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "switch/base/units.h"

enum { MTU_MIN = 68, MTU_MAX = 65520, PID_MAX = 4194304, PROTO_TCP = 6, PROTO_UDP = 17 };

_Static_assert((int)LINK_PORT_SIZE == PORT_NAME_SIZE && (int)LINK_NAME_SIZE == CONF_IFNAME_SIZE &&
		       (int)LINK_TEXT_SIZE == TAP_TEXT_SIZE,
	       "broker_uplink.h, which knows neither");
_Static_assert((int)RESOLVER_TEXT_SIZE == TAP_TEXT_SIZE, "resolver.h, which does not know it");

int broker_fail(char why[static TAP_TEXT_SIZE], int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, TAP_TEXT_SIZE, fmt, ap);
	va_end(ap);
	return err;
}

/* Terminated within size bytes; what follows is cleared. */
static bool is_string(char *s, size_t size)
{
	size_t n = strnlen(s, size);

	memset(s + n, 0, size - n);
	return n < size;
}

static bool is_graph(const char *s)
{
	for (; *s; s++) {
		if (*s <= ' ' || *s > '~')
			return false;
	}
	return true;
}

static bool is_port_name(const char *s)
{
	static const char bytes[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789._-";

	return s[0] != '\0' && s[0] != '-' && s[0] != '.' && s[strspn(s, bytes)] == '\0';
}

/* What the kernel takes, less %, by which it would choose a name of its own. */
static bool is_ifname(const char *s)
{
	return s[0] != '\0' && strcmp(s, ".") != 0 && strcmp(s, "..") != 0 && is_graph(s) &&
	       s[strcspn(s, "/:%")] == '\0';
}

static bool is_netns(const char *s)
{
	uint64_t pid;

	if (!is_graph(s))
		return false;
	if (s[strspn(s, "0123456789")] == '\0')
		return s[0] == '\0' || (s[0] != '0' && units_number(s, 1, PID_MAX, &pid));
	return s[0] == '/' || (!strchr(s, '/') && s[0] != '.' && s[0] != '-');
}

/* An address with its length, for the family that the field is for; or nothing, and then it is cleared. */
static bool is_prefix(struct prefix *p, bool is_v4)
{
	uint8_t is_set;

	memcpy(&is_set, (const uint8_t *)p + offsetof(struct prefix, is_set), 1);
	if (is_set == 0)
		memset(p, 0, sizeof(*p));
	return is_set == 0 ||
	       (is_set == 1 && ip_is_v4(&p->ip) == is_v4 && p->len <= (is_v4 ? 32 : 128));
}

static int check_tap(struct tap_spec *t, char why[static TAP_TEXT_SIZE])
{
	if (!is_string(t->port, sizeof(t->port)) || !is_port_name(t->port))
		return broker_fail(why, -EINVAL, "bad name of a port");
	if (!is_string(t->ifname, sizeof(t->ifname)) || !is_ifname(t->ifname))
		return broker_fail(why, -EINVAL, "bad name of an interface");
	if (!is_string(t->netns, sizeof(t->netns)) || !is_netns(t->netns))
		return broker_fail(why, -EINVAL, "bad name of a network namespace");
	if (mac_is_group(&t->mac))
		return broker_fail(why, -EINVAL, "the address of an interface cannot be a group's");
	if (t->mtu != 0 && (t->mtu < MTU_MIN || t->mtu > MTU_MAX))
		return broker_fail(why, -EINVAL, "MTU %u is not in %d-%d", t->mtu, MTU_MIN,
				   MTU_MAX);
	if (t->queues < 1 || t->queues > PORT_QUEUES_MAX)
		return broker_fail(why, -EINVAL, "%u queues are not in 1-%d", t->queues,
				   PORT_QUEUES_MAX);
	if (t->may_wait > 1 || t->has_gateway > 1)
		return broker_fail(why, -EINVAL, "a flag is neither 0 nor 1");
	if (!is_prefix(&t->ipv4, true) || !is_prefix(&t->ipv6, false))
		return broker_fail(why, -EINVAL, "bad address");
	if (!t->has_gateway)
		memset(&t->gateway, 0, sizeof(t->gateway));
	return 0;
}

/* From the root, of any bytes but those that would move a cursor: it goes into messages. */
static bool is_path(const char *s)
{
	if (*s != '/')
		return false;
	for (; *s; s++) {
		if ((uint8_t)*s < ' ' || *s == 0x7f)
			return false;
	}
	return true;
}

static int check_guest(struct guest_spec *g, char why[static TAP_TEXT_SIZE])
{
	if (!is_string(g->port, sizeof(g->port)) || !is_port_name(g->port))
		return broker_fail(why, -EINVAL, "bad name of a port");
	if (!is_string(g->path, sizeof(g->path)) || !is_path(g->path))
		return broker_fail(why, -EINVAL, "bad path of a socket");
	if (g->is_client > 1 || g->may_wait > 1)
		return broker_fail(why, -EINVAL, "a flag is neither 0 nor 1");
	/* The socket of a client is somebody else's. */
	if (g->is_client) {
		memset(g->owner, 0, sizeof(g->owner));
		g->mode = 0;
	}
	if (!is_string(g->owner, sizeof(g->owner)) || !is_graph(g->owner))
		return broker_fail(why, -EINVAL, "bad owner of a socket");
	if (g->mode > 0777)
		return broker_fail(why, -EINVAL, "mode %o is not in 0-0777", g->mode);
	return 0;
}

/* n_fds came with it. */
static int check_keep(struct guest_keep *k, unsigned n_fds, char why[static TAP_TEXT_SIZE])
{
	unsigned i;

	if (!is_string(k->port, sizeof(k->port)) || !is_port_name(k->port))
		return broker_fail(why, -EINVAL, "bad name of a port");
	if (k->n > GUEST_KEEP_FDS || n_fds != k->n)
		return broker_fail(why, -EINVAL, "%u descriptors to keep, %u came, at most %d",
				   k->n, n_fds, GUEST_KEEP_FDS);
	for (i = 0; i < k->n; i++) {
		if (k->place[i] >= GUEST_PLACES)
			return broker_fail(why, -EINVAL, "place %u is not in 0-%d", k->place[i],
					   GUEST_PLACES - 1);
	}
	memset(k->place + k->n, 0, sizeof(k->place) - k->n);
	if (k->empty[GUEST_PLACES / 64] >> (GUEST_PLACES % 64))
		return broker_fail(why, -EINVAL, "a place to empty is not in 0-%d",
				   GUEST_PLACES - 1);
	if (k->n_saved > sizeof(k->saved))
		return broker_fail(why, -EINVAL, "%u bytes to keep are more than %zu", k->n_saved,
				   sizeof(k->saved));
	memset(k->saved + k->n_saved, 0, sizeof(k->saved) - k->n_saved);
	if (k->forget > 1 || (k->forget && (k->n > 0 || k->n_saved > 0)))
		return broker_fail(why, -EINVAL, "what is to be forgotten comes alone");
	return 0;
}

static int check_link(struct link_spec *l, char why[static TAP_TEXT_SIZE])
{
	if (!is_string(l->port, sizeof(l->port)) || !is_port_name(l->port))
		return broker_fail(why, -EINVAL, "bad name of a port");
	if (!is_string(l->interface, sizeof(l->interface)) || !is_ifname(l->interface))
		return broker_fail(why, -EINVAL, "bad name of an interface");
	if (l->promisc > 1 || l->may_wait > 1)
		return broker_fail(why, -EINVAL, "a flag is neither 0 nor 1");
	if (mac_is_group(&l->mac))
		return broker_fail(why, -EINVAL, "the address of an uplink cannot be a group's");
	if (l->n_refused > LINK_REFUSED_MAX)
		return broker_fail(why, -EINVAL, "%u addresses are more than %d", l->n_refused,
				   LINK_REFUSED_MAX);
	memset(l->refused + l->n_refused, 0,
	       sizeof(l->refused) - l->n_refused * sizeof(l->refused[0]));
	return 0;
}

static int check_host(const struct host_set *h, char why[static TAP_TEXT_SIZE])
{
	if (h->n_uplinks > NFT_UPLINKS_MAX || h->n_forwards > NFT_FORWARDS_MAX)
		return broker_fail(why, -EINVAL,
				   "%u uplinks and %u forwards are more than %d and %d",
				   h->n_uplinks, h->n_forwards, NFT_UPLINKS_MAX, NFT_FORWARDS_MAX);
	if (h->leaves_forwarding > 1)
		return broker_fail(why, -EINVAL, "a flag is neither 0 nor 1");
	return 0;
}

static bool is_zero(const struct ip *ip)
{
	static const struct ip none;

	return ip_equal(ip, &none);
}

/* Both ends of a family, or neither. */
static bool are_ends(const struct ip *own, const struct ip *far, bool is_v4)
{
	if (is_zero(own) && is_zero(far))
		return true;
	return !is_zero(own) && !is_zero(far) && ip_is_v4(own) == is_v4 && ip_is_v4(far) == is_v4 &&
	       !ip_equal(own, far);
}

static bool is_uplink(struct nft_uplink *u, const struct nft_uplink *before, unsigned n_before)
{
	unsigned i;

	if (!is_string(u->ifname, sizeof(u->ifname)) || !is_ifname(u->ifname) ||
	    !are_ends(&u->own4, &u->far4, true) || !are_ends(&u->own6, &u->far6, false) ||
	    (is_zero(&u->own4) && is_zero(&u->own6)))
		return false;
	for (i = 0; i < n_before; i++) {
		if (strcmp(before[i].ifname, u->ifname) == 0)
			return false;
	}
	return true;
}

static bool is_forward(const struct nft_forward *f, const struct nft_uplink *uplinks,
		       unsigned n_uplinks)
{
	const struct nft_uplink *u;
	bool is_v4 = ip_is_v4(&f->to);

	if (f->uplink >= n_uplinks || (f->proto != PROTO_TCP && f->proto != PROTO_UDP) ||
	    f->first == 0 || f->first > f->last || is_zero(&f->to))
		return false;
	u = &uplinks[f->uplink];
	if (is_zero(is_v4 ? &u->far4 : &u->far6))
		return false;
	return is_zero(&f->bind) ? f->is_v6 == !is_v4 : ip_is_v4(&f->bind) == is_v4;
}

int broker_host_check(const struct host_set *set, struct nft_uplink *uplinks,
		      struct nft_forward *forwards, char why[static TAP_TEXT_SIZE])
{
	unsigned i;

	for (i = 0; i < set->n_uplinks; i++) {
		if (!is_uplink(&uplinks[i], uplinks, i))
			return broker_fail(why, -EINVAL, "host uplink %u is none", i);
	}
	for (i = 0; i < set->n_forwards; i++) {
		if (!is_forward(&forwards[i], uplinks, set->n_uplinks))
			return broker_fail(why, -EINVAL, "forward %u is none", i);
	}
	return 0;
}

/* In lower case, labels of 1-63 characters between dots; "" is for the first set alone. */
static bool is_domain(const char *s)
{
	static const char bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t n;

	do {
		n = strspn(s, bytes);
		if (n == 0 || n > 63)
			return false;
		s += n;
	} while (*s++ == '.');
	return s[-1] == '\0';
}

/* One host: no group, no broadcast, and not "any", which would be this one. */
static bool is_server(const struct resolver_server *r)
{
	static const struct ip none4 = {{[10] = 0xff, 0xff}};

	if (r->port == 0 || is_zero(&r->ip) || ip_equal(&r->ip, &none4))
		return false;
	return ip_is_v4(&r->ip) ? r->ip.b[12] < 224 : r->ip.b[0] != 0xff;
}

int broker_resolver_check(struct resolver_servers *s, char why[static TAP_TEXT_SIZE])
{
	struct resolver_set *set;
	unsigned i, k;

	if (s->n_sets < 1 || s->n_sets > 1 + RESOLVER_DOMAINS)
		return broker_fail(why, -EINVAL, "%u sets of servers are not in 1-%d", s->n_sets,
				   1 + RESOLVER_DOMAINS);
	for (i = 0; i < s->n_sets; i++) {
		set = &s->set[i];
		if (!is_string(set->domain, sizeof(set->domain)) ||
		    !(i == 0 ? set->domain[0] == '\0' : is_domain(set->domain)))
			return broker_fail(why, -EINVAL, "bad domain");
		if (set->n > RESOLVER_SERVERS || (i > 0 && set->n == 0))
			return broker_fail(why, -EINVAL, "%u servers, at most %d", set->n,
					   RESOLVER_SERVERS);
		for (k = 0; k < set->n; k++) {
			if (!is_server(&set->server[k]))
				return broker_fail(why, -EINVAL, "bad address of a server");
		}
	}
	return 0;
}

/* How many descriptors go with a request; those of a KEEP are counted with the rest of it. */
static unsigned fds_of(const struct broker_request *q, unsigned n_fds)
{
	if (q->op == BROKER_GUEST_KEEP)
		return n_fds;
	return q->op == BROKER_CONF_KEEP || q->op == BROKER_CONF_SAVE || q->op == BROKER_HOST_SET ||
	       q->op == BROKER_RESOLVER_SET;
}

int broker_request_check(const void *bytes, size_t n, unsigned n_fds, struct broker_request *out,
			 char why[static TAP_TEXT_SIZE])
{
	unsigned want_fds;

	if (n != sizeof(*out))
		return broker_fail(why, -EINVAL, "a request of %zu bytes, not %zu", n,
				   sizeof(*out));
	memcpy(out, bytes, sizeof(*out));
	want_fds = fds_of(out, n_fds);
	if (n_fds != want_fds)
		return broker_fail(why, -EINVAL, "a request with %u descriptors, not %u", n_fds,
				   want_fds);
	switch (out->op) {
	case BROKER_TAP_OPEN:
	case BROKER_TAP_SET:
		return check_tap(&out->tap, why);
	case BROKER_GUEST_OPEN:
		return check_guest(&out->guest, why);
	case BROKER_GUEST_KEEP:
		return check_keep(&out->keep, n_fds, why);
	case BROKER_LINK_OPEN:
	case BROKER_LINK_SET:
		return check_link(&out->link, why);
	case BROKER_HOST_SET:
		return check_host(&out->host, why);
	case BROKER_TAP_CLOSE:
	case BROKER_GUEST_CLOSE:
	case BROKER_LINK_CLOSE:
		if (!is_string(out->port, sizeof(out->port)) || !is_port_name(out->port))
			return broker_fail(why, -EINVAL, "bad name of a port");
		return 0;
	case BROKER_CONF_KEEP:
	case BROKER_CONF_SAVE:
	case BROKER_RESOLVER_SET:
	case BROKER_READY:
		return 0;
	}
	return broker_fail(why, -EINVAL, "there is no request %u", out->op);
}

bool tap_spec_same_device(const struct tap_spec *a, const struct tap_spec *b)
{
	return strcmp(a->ifname, b->ifname) == 0 && strcmp(a->netns, b->netns) == 0 &&
	       a->queues == b->queues;
}

bool guest_spec_same_socket(const struct guest_spec *a, const struct guest_spec *b)
{
	return strcmp(a->path, b->path) == 0 && strcmp(a->owner, b->owner) == 0 &&
	       a->mode == b->mode && a->is_client == b->is_client;
}
