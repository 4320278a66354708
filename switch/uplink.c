/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplink: the control thread's side of the ways out.
 *
 * apply.c opens their ports as it opens all others, and calls uplinks_apply() when a configuration stands.  What happens to them
 * later comes here: notices of the broker (an interface went, returned, got another MTU or name; somebody changed the host's
 * nftables), and the address that DHCP gave.  Each ends in a new fabric, when it changes a leg.
 */
#include "switch/uplink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/packet.h"
#include "switch/apply.h"
#include "switch/base/log.h"
#include "switch/device.h"
#include "switch/legs.h"

enum { MTU_DEFAULT = 1500, MTU_MIN = 68 };

struct uplinks {
	struct daemon *d;
	struct uplink_state state[CONF_UPLINKS_MAX];
	unsigned n;
};

struct mac uplink_leg_mac(const struct conf_uplink *cu, const struct port *p)
{
	struct mac mac = {{0x02, 0x76, 0x67}};

	if (cu->kind == UPLINK_HOST)
		return fabric_gateway_mac(cu->vlan);
	if (cu->mac_mode == UPLINK_MAC_GIVEN)
		return cu->mac;
	if (!p || mac_is_zero(&p->mac))
		return (struct mac){0};
	if (cu->mac_mode == UPLINK_MAC_INTERFACE)
		return p->mac;
	/* Of its own, yet the same each time, so that leases and neighbours' tables last: after the NIC's. */
	memcpy(mac.b + 3, p->mac.b + 3, 3);
	return mac;
}

uint32_t uplink_mtu(const struct port *p, const struct uplink_state *s)
{
	uint32_t mtu = p->mtu >= MTU_MIN ? p->mtu : MTU_DEFAULT;

	return s && s->mtu >= MTU_MIN && s->mtu < mtu ? s->mtu : mtu;
}

static struct uplink_state *find(struct uplinks *u, const char *name)
{
	for (unsigned i = 0; i < u->n; i++)
		if (strcmp(u->state[i].name, name) == 0)
			return &u->state[i];
	return NULL;
}

static void object_of(const char *name, char object[static EVENT_OBJECT_SIZE])
{
	snprintf(object, EVENT_OBJECT_SIZE, "uplink %s", name);
}

/* What the leg is now, for those who look. */
static void see_leg(struct uplinks *u, struct uplink_state *s, const struct conf_uplink *cu)
{
	const struct gateway_conf *legs = u->d->fabric ? u->d->fabric->legs : NULL;
	const struct gateway_leg *leg = legs ? &legs->leg[legs->leg_of[cu->vlan]] : NULL;
	struct port *p = device_port(u->d, cu->name);

	s->vid = cu->vlan;
	s->slot = p ? p->slot : SLOT_MAX;
	s->lost = p && p->kind == PORT_PACKET ? packet_lost(p) : 0;
	if (!leg || !leg->vid)
		return;
	s->mac = leg->mac;
	s->v4 = leg->v4;
	s->v6 = leg->v6;
	s->next4 = leg->next4;
	s->next6 = leg->next6;
	s->has_next4 = !ip_equal(&leg->next4, &(struct ip){0});
	s->has_next6 = !ip_equal(&leg->next6, &(struct ip){0});
}

void uplinks_apply(struct uplinks *u)
{
	const struct conf *c = u->d->conf;
	struct uplink_state next[CONF_UPLINKS_MAX] = {0};

	for (size_t i = 0; i < c->n_uplinks; i++) {
		struct uplink_state *old = find(u, c->uplinks[i].name);

		if (old)
			next[i] = *old;
		snprintf(next[i].name, sizeof(next[i].name), "%s", c->uplinks[i].name);
		see_leg(u, &next[i], &c->uplinks[i]);
	}
	memcpy(u->state, next, sizeof(next));
	u->n = (unsigned)c->n_uplinks;
}

/* Two sets are the same to the letter. */
static bool is_same_host(const struct conf *a, const struct conf *b)
{
	struct host_set x, y;
	struct nft_uplink *x_up, *y_up;
	struct nft_forward *x_fw, *y_fw;
	bool is_same = false;

	if (legs_host_set(a, &x, &x_up, &x_fw) < 0)
		return false;
	if (legs_host_set(b, &y, &y_up, &y_fw) == 0) {
		is_same = memcmp(&x, &y, sizeof(x)) == 0 &&
			  memcmp(x_up, y_up, x.n_uplinks * sizeof(*x_up)) == 0 &&
			  memcmp(x_fw, y_fw, x.n_forwards * sizeof(*x_fw)) == 0;
		free(y_up);
		free(y_fw);
	}
	free(x_up);
	free(x_fw);
	return is_same;
}

int uplinks_set_host(const struct conf *to, const struct conf *was, char why[static LINK_TEXT_SIZE])
{
	struct host_set set;
	struct nft_uplink *uplinks;
	struct nft_forward *forwards;
	int rc;

	*why = '\0';
	if (was && is_same_host(to, was))
		return 0;
	rc = legs_host_set(to, &set, &uplinks, &forwards);
	if (rc < 0)
		return rc;
	rc = broker_host_set(&set, uplinks, forwards, why);
	free(uplinks);
	free(forwards);
	return rc;
}

void uplink_link_notice(struct uplinks *u, const struct link_answer *a, const int *fds)
{
	struct daemon *d = u->d;
	struct port *p = device_port(d, a->port);
	char object[EVENT_OBJECT_SIZE];
	enum port_state was;

	/* No such uplink any more, or the answer to a later request overtook this notice. */
	if (!p || (int32_t)(a->serial - p->tap_serial) <= 0) {
		for (unsigned i = 0; i < a->n_fds; i++)
			if (fds[i] >= 0)
				close(fds[i]);
		return;
	}
	was = (enum port_state)atomic_load(&p->state);
	device_take_link(d, p, a, fds);
	if (a->state != PORT_UP)
		fdb_flush_slot(d->fdb, p->slot);
	object_of(p->name, object);
	state_event(d->state,
		    a->state == was	    ? "uplink_changed"
		    : a->state == PORT_UP   ? "uplink_up"
		    : a->state == PORT_DOWN ? "uplink_down"
					    : "uplink_waiting",
		    object, "%s", a->text);
	apply_publish(d);
}

void uplink_host_notice(struct uplinks *u, const char *text)
{
	const struct conf *c = u->d->conf;
	char object[EVENT_OBJECT_SIZE];

	for (size_t i = 0; i < c->n_uplinks && i < u->n; i++) {
		if (c->uplinks[i].kind != UPLINK_HOST)
			continue;
		object_of(c->uplinks[i].name, object);
		state_event(u->d->state, "uplink_host", object, "%s", text);
		snprintf(u->state[i].trouble, sizeof(u->state[i].trouble), "%s", text);
	}
}

const struct uplink_state *uplink_at(const struct uplinks *u, unsigned n)
{
	return u && n < u->n ? &u->state[n] : NULL;
}

struct uplinks *uplinks_create(struct daemon *d)
{
	struct uplinks *u = calloc(1, sizeof(*u));

	if (u)
		u->d = d;
	return u;
}

void uplinks_destroy(struct uplinks *u)
{
	free(u);
}
