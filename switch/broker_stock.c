/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_stock: all that the broker keeps for a switch.
 *
 * How it fits.  broker.c, which minds the process, gives it each request that is not about a text,
 * and asks it what is to be told; broker_taps.c, broker_guests.c, broker_links.c, broker_host.c
 * and broker_resolver.c do the work.
 *
 * Order.  Links must not be taps of ours, and the host's side hangs on taps: taps come first and
 * go last.
 *
 * Trust.  Requests have passed broker_check.c.
 */
#include "switch/broker_stock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/broker_guests.h"
#include "switch/broker_host.h"
#include "switch/broker_links.h"
#include "switch/broker_resolver.h"
#include "switch/broker_taps.h"

struct stock {
	struct taps *taps;
	struct guests *guests;
	struct links *links;
	struct host *host;
	struct helper *helper;
};

static const char resolv_conf_path[] = "/etc/resolv.conf";

struct stock *stock_create(const struct stock_needs *needs, const char **what)
{
	struct host_needs host = {.loop = needs->loop,
				  .record = needs->host_record,
				  .due = needs->due,
				  .arg = needs->arg};
	struct helper_needs helper = {.loop = needs->loop,
				      .resolv_conf = resolv_conf_path,
				      .log_level = needs->log_level,
				      .due = needs->due,
				      .arg = needs->arg};
	struct stock *s = calloc(1, sizeof(*s));
	int err;

	*what = "memory";
	if (!s)
		return NULL;
	*what = "watching interfaces (vfabd needs to be root)";
	s->taps = taps_create(needs->loop, needs->due, needs->arg);
	if (s->taps)
		s->links = links_create(needs->loop, s->taps, needs->due, needs->arg);
	if (!s->links)
		goto err_destroy;
	errno = ENOMEM;
	*what = "memory";
	host.taps = s->taps;
	s->guests = guests_create(needs->loop, needs->due, needs->arg);
	s->host = host_create(&host);
	s->helper = helper_create(&helper);
	if (s->guests && s->host && s->helper)
		return s;

err_destroy:
	err = errno;
	stock_destroy(s);
	errno = err;
	return NULL;
}

void stock_destroy(struct stock *s)
{
	if (!s)
		return;
	helper_destroy(s->helper);
	host_destroy(s->host);
	guests_destroy(s->guests);
	links_destroy(s->links);
	taps_destroy(s->taps);
	free(s);
}

static void open_tap(struct stock *s, const struct tap_spec *spec, struct broker_reply *r,
		     struct attached *out)
{
	taps_open(s->taps, spec, &r->tap, out->fd);
	r->error = r->tap.error;
	out->n = r->tap.n_fds;
	memcpy(r->text, r->tap.text, sizeof(r->text));
}

static void set_tap(struct stock *s, const struct tap_spec *spec, struct broker_reply *r)
{
	taps_set(s->taps, spec, &r->tap);
	r->error = r->tap.error;
	memcpy(r->text, r->tap.text, sizeof(r->text));
}

static void open_guest(struct stock *s, const struct guest_spec *spec, struct broker_reply *r,
		       struct attached *out)
{
	r->error = -guests_open(s->guests, spec, &r->guest, out->fd, r->text);
	out->n = (unsigned)r->guest.has_listen + r->guest.n;
}

static void open_link(struct stock *s, const struct link_spec *spec, struct broker_reply *r,
		      struct attached *out)
{
	links_open(s->links, spec, &r->link, out->fd);
	r->error = r->link.error;
	out->n = r->link.n_fds;
	memcpy(r->text, r->link.text, sizeof(r->text));
}

static void set_link(struct stock *s, const struct link_spec *spec, struct broker_reply *r)
{
	links_set(s->links, spec, &r->link);
	r->error = r->link.error;
	memcpy(r->text, r->link.text, sizeof(r->text));
}

static void set_resolver(struct stock *s, int memfd, struct broker_reply *r, struct attached *out)
{
	r->error = -helper_take(s->helper, memfd, &out->fd[0], r->text);
	out->n = out->fd[0] >= 0;
}

static void refuse_port(struct broker_reply *r, int err)
{
	r->error = -err;
	if (err)
		snprintf(r->text, sizeof(r->text), "no such port is open");
}

bool stock_act(struct stock *s, const struct broker_request *q, int *fds, struct broker_reply *r,
	       struct attached *out)
{
	switch (q->op) {
	case BROKER_TAP_OPEN:
		open_tap(s, &q->tap, r, out);
		return true;
	case BROKER_TAP_SET:
		set_tap(s, &q->tap, r);
		return true;
	case BROKER_TAP_CLOSE:
		refuse_port(r, taps_close(s->taps, q->port));
		return true;
	case BROKER_GUEST_OPEN:
		open_guest(s, &q->guest, r, out);
		return true;
	case BROKER_GUEST_KEEP:
		refuse_port(r, guests_keep(s->guests, &q->keep, fds));
		return true;
	case BROKER_GUEST_CLOSE:
		refuse_port(r, guests_close(s->guests, q->port));
		return true;
	case BROKER_LINK_OPEN:
		open_link(s, &q->link, r, out);
		return true;
	case BROKER_LINK_SET:
		set_link(s, &q->link, r);
		return true;
	case BROKER_LINK_CLOSE:
		refuse_port(r, links_close(s->links, q->port));
		return true;
	case BROKER_HOST_SET:
		r->error = -host_take(s->host, &q->host, fds[0], r->text);
		return true;
	case BROKER_RESOLVER_SET:
		set_resolver(s, fds[0], r, out);
		return true;
	}
	return false;
}

void stock_answered(struct stock *s)
{
	helper_answered(s->helper);
}

void stock_reap(struct stock *s)
{
	helper_reap(s->helper);
}

void stock_unclaim(struct stock *s)
{
	taps_unclaim(s->taps);
	guests_unclaim(s->guests);
	links_unclaim(s->links);
	host_unclaim(s->host);
	helper_unclaim(s->helper);
}

void stock_sweep(struct stock *s)
{
	helper_sweep(s->helper);
	host_sweep(s->host);
	links_sweep(s->links);
	guests_sweep(s->guests);
	taps_sweep(s->taps);
}

/* --- notices ---------------------------------------------------------------------------- */

struct teller {
	struct stock *stock;
	stock_send send;
	void *arg;
};

static int tell_tap(const struct tap_answer *a, const int *fds, void *arg)
{
	const struct broker_notice n = {.kind = NOTICE_TAP, .tap = *a};
	const struct teller *t = arg;

	if (a->n_fds > 0)
		host_tap_came(t->stock->host, a->ifname);
	return t->send(&n, fds, a->n_fds, t->arg);
}

static int tell_guest(const struct guest_notice *g, int fd, void *arg)
{
	const struct broker_notice n = {.kind = NOTICE_GUEST, .guest = *g};
	const struct teller *t = arg;

	return t->send(&n, &fd, 1, t->arg);
}

static int tell_link(const struct link_answer *a, const int *fds, void *arg)
{
	const struct broker_notice n = {.kind = NOTICE_LINK, .link = *a};
	const struct teller *t = arg;

	return t->send(&n, fds, a->n_fds, t->arg);
}

static int tell_host(const char *text, enum host_news news, void *arg)
{
	struct broker_notice n = {.kind = NOTICE_HOST, .news = news};
	const struct teller *t = arg;

	snprintf(n.text, sizeof(n.text), "%s", text);
	return t->send(&n, NULL, 0, t->arg);
}

static int tell_resolver(uint32_t news, int fd, void *arg)
{
	const struct broker_notice n = {.kind = NOTICE_RESOLVER, .news = news};
	const struct teller *t = arg;

	return t->send(&n, &fd, fd >= 0, t->arg);
}

int stock_tell(struct stock *s, stock_send send, void *arg)
{
	struct teller t = {s, send, arg};
	int err = taps_tell(s->taps, tell_tap, &t);

	if (!err)
		err = guests_tell(s->guests, tell_guest, &t);
	if (!err)
		err = links_tell(s->links, tell_link, &t);
	if (!err)
		err = host_tell(s->host, tell_host, &t);
	if (!err)
		err = helper_tell(s->helper, tell_resolver, &t);
	return err;
}
