/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device: what is behind a port, by its kind; see device.h.  A port without a kind of its own here is a tap. */
#include "switch/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/packet.h"
#include "switch/base/log.h"
#include "switch/base/rcu.h"
#include "switch/guest.h"
#include "switch/port/tap.h"
#include "switch/port/vhost.h"

enum { LOOP_CAP_PPS = 100 };

static bool is_guest(const struct port *p)
{
	return p->kind == PORT_VHOST_USER;
}

static bool is_link(const struct port *p)
{
	return p->kind == PORT_PACKET;
}

struct port *device_port(struct daemon *d, const char *name)
{
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (d->port[slot] && strcmp(d->port[slot]->name, name) == 0)
			return d->port[slot];
	return NULL;
}

void device_free(struct port *p)
{
	if (!p)
		return;
	if (p->ops)
		p->ops->close(p);
	free(p->police);
	free(p);
}

struct port *device_create(struct daemon *d, const struct want *w)
{
	struct port *p;
	int slot = state_slot_take(d->state, w->spec.port), rc;

	if (slot < 0)
		return NULL;
	if (posix_memalign((void **)&p, 64, sizeof(*p)) != 0) {
		state_slot_put(d->state, (uint16_t)slot);
		return NULL;
	}
	memset(p, 0, sizeof(*p));
	p->kind = w->kind;
	snprintf(p->name, sizeof(p->name), "%s", w->spec.port);
	p->slot = (uint16_t)slot;
	p->queues = w->spec.queues;
	rate_init(&p->loop_cap, LOOP_CAP_PPS, LOOP_CAP_PPS);
	rc = is_guest(p)  ? vhost_open(p, d->state->ring[slot])
	     : is_link(p) ? packet_open(p)
			  : tap_open(p);
	if (rc < 0) {
		state_slot_put(d->state, p->slot);
		free(p);
		return NULL;
	}
	return p;
}

static void forget_fds(struct daemon *d, const struct port *p)
{
	for (unsigned q = 0; q < PORT_QUEUES_MAX; q++) {
		int fd = atomic_load(&p->fd[q]);

		for (unsigned i = 0; fd >= 0 && i < d->n_workers; i++)
			worker_forget(d->worker[i], fd);
	}
}

/* Closes the descriptors of a tap. */
static void detach(struct daemon *d, struct port *p)
{
	int old[PORT_QUEUES_MAX];
	unsigned n;

	forget_fds(d, p);
	n = tap_detach(p, old);
	rcu_wait();
	while (n > 0)
		close(old[--n]);
}

void device_take_tap(struct daemon *d, struct port *p, const struct tap_answer *a, const int *fds)
{
	if (a->n_fds > 0 || a->state == PORT_WAITING)
		detach(d, p);
	if (a->n_fds > 0)
		tap_attach(p, fds, a->n_fds, a->can);
	p->mac = a->mac;
	p->first_mac = a->first_mac;
	snprintf(p->ifname, sizeof(p->ifname), "%s", a->ifname);
	p->tap_serial = a->serial;
	atomic_store(&p->state, a->state);
}

/* Closes the socket of an interface. */
static void detach_link(struct daemon *d, struct port *p)
{
	if (atomic_load(&p->fd[0]) < 0)
		return;
	forget_fds(d, p);
	packet_detach(p);
	rcu_wait();
	packet_release(p);
}

void device_take_link(struct daemon *d, struct port *p, const struct link_answer *a, const int *fds)
{
	int rc = 0;

	if (a->n_fds > 0 || a->state == PORT_WAITING)
		detach_link(d, p);
	if (a->n_fds > 0)
		rc = packet_attach(p, fds[0], a->n_fds > 1 ? fds[1] : -1, &a->mac, a->can);
	if (rc < 0)
		log_err("port %s: its ring cannot be mapped: %s", p->name, strerror(-rc));
	p->mac = a->mac;
	p->first_mac = a->mac;
	p->mtu = a->mtu;
	snprintf(p->ifname, sizeof(p->ifname), "%s", a->ifname);
	p->tap_serial = a->serial;
	atomic_store(&p->state, rc < 0 ? PORT_DOWN : a->state);
}

static void explain(char why[static TAP_TEXT_SIZE], const char *text, int rc)
{
	snprintf(why, TAP_TEXT_SIZE, "%s", *text ? text : strerror(-rc));
}

static int open_link(struct daemon *d, struct port *p, const struct want *w, bool may_wait,
		     char why[static TAP_TEXT_SIZE])
{
	struct link_spec spec = w->link;
	struct link_answer answer = {0};
	int fds[2], rc;

	spec.may_wait = may_wait;
	rc = broker_link_open(&spec, &answer, fds);
	if (rc == 0)
		device_take_link(d, p, &answer, fds);
	else
		explain(why, answer.text, rc);
	return rc;
}

static int set_link(const struct want *w, char why[static TAP_TEXT_SIZE])
{
	struct link_answer answer = {0};
	int rc = broker_link_set(&w->link, &answer);

	if (rc < 0)
		explain(why, answer.text, rc);
	return rc;
}

/* What a guest is told of its device; what it may do is in the fabric. */
static void set_guest(struct port *p, const struct want *w)
{
	p->mac = w->spec.mac;
	p->first_mac = w->spec.mac;
	vhost_of(p)->mtu = (uint16_t)(w->spec.mtu < UINT16_MAX ? w->spec.mtu : UINT16_MAX);
}

int device_open(struct daemon *d, struct port *p, const struct want *w, bool may_wait,
		char why[static TAP_TEXT_SIZE])
{
	struct tap_spec spec = w->spec;
	struct tap_answer answer = {0};
	int fds[PORT_QUEUES_MAX], rc;

	if (is_guest(p)) {
		set_guest(p, w);
		return guest_open(d, p, &w->guest, may_wait, why);
	}
	if (is_link(p))
		return open_link(d, p, w, may_wait, why);
	spec.may_wait = may_wait;
	rc = broker_tap_open(&spec, &answer, fds);
	if (rc == 0)
		device_take_tap(d, p, &answer, fds);
	else
		explain(why, answer.text, rc);
	return rc;
}

int device_set(struct port *p, const struct want *w, char why[static TAP_TEXT_SIZE])
{
	struct tap_answer answer = {0};
	int rc;

	if (is_guest(p)) {
		set_guest(p, w);
		return 0;
	}
	if (is_link(p))
		return set_link(w, why);
	rc = broker_tap_set(&w->spec, &answer);
	if (rc < 0) {
		explain(why, answer.text, rc);
		return rc;
	}
	p->mac = answer.mac;
	p->first_mac = answer.first_mac;
	p->tap_serial = answer.serial;
	return 0;
}

void device_close(struct daemon *d, struct port *p)
{
	if (is_guest(p)) {
		guest_close(d, p);
		return;
	}
	if (is_link(p)) {
		detach_link(d, p);
		broker_link_close(p->name);
		return;
	}
	detach(d, p);
	broker_tap_close(p->name);
}
