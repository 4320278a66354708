/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lessee: see lessee.h; uplink.c has one for each uplink with `dhcp`.
 *
 * Trust.  Datagrams are from the uplink's segment, and dhcp/client.c checks them; the kept lease may be of a crashed switch, and is
 * checked there too.
 */
#include "switch/lessee.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "switch/base/log.h"
#include "switch/state.h"
#include "switch/worker.h"

enum { CLIENT_PORT = 68 };

struct service {
	struct gateway *gateway;
	uint16_t vid;
	bool on;
};

static void set_service(struct forwarder *fwd, void *arg)
{
	const struct service *s = arg;

	(void)fwd;
	gateway_lock(s->gateway);
	gateway_serve(s->gateway, s->vid, CLIENT_PORT, s->on);
	gateway_unlock(s->gateway);
}

static void serve(struct lessee *l, bool on)
{
	struct service s = {l->d->gateway, l->vid, on};

	worker_call(l->d->worker[0], set_service, &s);
}

/* The place of that uplink's lease in the state region: its own, else a free one, else NULL. */
static struct kept_lease *find_kept(struct state *s, const char *name)
{
	struct kept_lease *free_one = NULL;

	for (unsigned i = 0; i < sizeof(s->lease) / sizeof(s->lease[0]); i++) {
		if (strncmp(s->lease[i].name, name, sizeof(s->lease[i].name)) == 0)
			return &s->lease[i];
		if (!*s->lease[i].name)
			free_one = &s->lease[i];
	}
	return free_one;
}

static void act(struct lessee *l, const struct dhcp_out *out);

static void on_due(void *arg, uint32_t events)
{
	struct lessee *l = arg;
	struct dhcp_out out;

	(void)events;
	l->timer = 0;
	dhcp_client_tick(&l->client, clock_ms(), &out);
	act(l, &out);
}

static void set_timer(struct lessee *l)
{
	uint64_t now_ms = clock_ms(), wait_ms = 0;

	loop_cancel(l->d->loop, l->timer);
	l->timer = 0;
	if (l->client.due_ms == UINT64_MAX)
		return;
	if (l->client.due_ms > now_ms)
		wait_ms = l->client.due_ms - now_ms;
	l->timer = loop_after(l->d->loop, wait_ms < INT32_MAX ? (uint32_t)wait_ms : INT32_MAX,
			      on_due, l);
}

static void keep(struct lessee *l, bool has_lease)
{
	if (!l->kept)
		return;
	memset(l->kept, 0, sizeof(*l->kept));
	if (!has_lease)
		return;
	l->kept->lease = l->client.lease;
	snprintf(l->kept->name, sizeof(l->kept->name), "%s", l->client.name);
}

/* Sends what the client wants sent, and tells what became of its lease. */
static void act(struct lessee *l, const struct dhcp_out *out)
{
	uint8_t frame[DHCP_FRAME_MAX];

	if (out->len > 0) {
		size_t n = dhcp_client_frame(&l->client, out, frame);

		if (gateway_send(l->d->gateway, l->vid, frame, (uint16_t)n) == 0)
			worker_wake(l->d->worker[0]);
		/* No room: it asks again by itself. */
	}
	if (l->is_running)
		set_timer(l);
	if (out->event == DHCP_EVENT_NONE)
		return;
	keep(l, out->event != DHCP_EVENT_LOST);
	if (out->event != DHCP_EVENT_RENEWED && l->is_running)
		l->on_change(l->arg, l);
}

void lessee_start(struct lessee *l, const char *name, const struct mac *mac, uint16_t vid)
{
	const struct dhcp_lease *known = NULL;
	uint64_t seed = 0;

	l->kept = find_kept(l->d->state, name);
	if (l->kept && *l->kept->name)
		known = &l->kept->lease;
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		log_warn("uplink %s: no random numbers", name);
	l->vid = vid;
	l->is_running = true;
	dhcp_client_init(&l->client, name, mac, known, seed, clock_ms());
	serve(l, true);
	set_timer(l);
}

void lessee_stop(struct lessee *l)
{
	struct dhcp_out out;

	if (!l->is_running)
		return;
	l->is_running = false;
	dhcp_client_release(&l->client, clock_ms(), &out);
	act(l, &out);
	keep(l, false);
	loop_cancel(l->d->loop, l->timer);
	l->timer = 0;
	serve(l, false);
}

void lessee_link(struct lessee *l)
{
	struct dhcp_out out;

	if (!l->is_running)
		return;
	dhcp_client_link(&l->client, clock_ms(), &out);
	act(l, &out);
}

void lessee_receive(struct lessee *l, const struct gateway_datagram *g)
{
	struct dhcp_in in = {.payload = g->payload, .len = g->len, .src_mac = g->src_mac};
	struct dhcp_out out;

	if (!l->is_running)
		return;
	dhcp_client_receive(&l->client, &in, clock_ms(), &out);
	act(l, &out);
}

const struct dhcp_lease *lessee_lease(const struct lessee *l)
{
	return l->is_running && l->client.has_address ? &l->client.lease : NULL;
}
