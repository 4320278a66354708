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
#include <sys/epoll.h>
#include <unistd.h>

#include "bridge/packet.h"
#include "switch/apply.h"
#include "switch/base/log.h"
#include "switch/device.h"
#include "switch/legs.h"
#include "switch/lessee.h"
#include "switch/want.h"

enum { MTU_DEFAULT = 1500, MTU_MIN = 68 };

struct uplinks {
	struct daemon *d;
	struct uplink_state state[CONF_UPLINKS_MAX];
	unsigned n;
	char host_trouble[UPLINK_STATE_TEXT];	/* of all host uplinks */
	struct lessee lessee[CONF_UPLINKS_MAX]; /* by name, not by place */
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
	if (!leg || !leg->vid)
		return;
	if (cu->kind == UPLINK_HOST)
		snprintf(s->trouble, sizeof(s->trouble), "%s", u->host_trouble);
	s->mac = leg->mac;
	s->v4 = leg->v4;
	s->v6 = leg->v6;
	s->next4 = leg->next4;
	s->next6 = leg->next6;
	if (!cu->dhcp)
		s->dhcp = UPLINK_STATIC;
	s->has_next4 = !ip_equal(&leg->next4, &(struct ip){0});
	s->has_next6 = !ip_equal(&leg->next6, &(struct ip){0});
}

/* --- addresses by DHCP ------------------------------------------------------------------ */

static struct lessee *lessee_of(struct uplinks *u, const char *name)
{
	for (unsigned i = 0; i < CONF_UPLINKS_MAX; i++)
		if (u->lessee[i].is_running && strcmp(u->lessee[i].client.name, name) == 0)
			return &u->lessee[i];
	return NULL;
}

/* The network behind that uplink in whose prefix the address lies, or NULL. */
static const struct conf_network *inside_of(const struct conf *c, const char *uplink,
					    const struct prefix *address)
{
	for (size_t i = 0; i < c->n_networks; i++)
		if (c->networks[i].mode == NET_NAT && strcmp(c->networks[i].uplink, uplink) == 0 &&
		    c->networks[i].ipv4.is_set && prefix_overlaps(&c->networks[i].ipv4, address))
			return &c->networks[i];
	return NULL;
}

/* A gateway of zeros, in either clothes, is none. */
static void take_lease(struct uplink_state *s, const struct dhcp_lease *lease)
{
	static const struct ip any4 = {{[10] = 0xff, [11] = 0xff}};

	s->dhcp = UPLINK_BOUND;
	s->v4 = (struct prefix){lease->address.ip, lease->address.len, true};
	s->next4 = lease->gateway;
	s->has_next4 = ip_is_v4(&lease->gateway) && !ip_equal(&lease->gateway, &any4);
	s->mtu = lease->mtu;
}

static void set_lease(struct uplinks *u, struct uplink_state *s, const struct dhcp_lease *lease)
{
	char object[EVENT_OBJECT_SIZE], address[PREFIX_TEXT], gateway[IP_TEXT];
	const struct conf_network *net =
		lease ? inside_of(u->d->conf, s->name, &lease->address) : NULL;

	object_of(s->name, object);
	*s->trouble = '\0';
	if (!lease || net) {
		s->dhcp = UPLINK_ASKING;
		s->mtu = 0;
	}
	if (net) {
		snprintf(s->trouble, sizeof(s->trouble),
			 "DHCP gave %s, which is in the prefix of network %s: give one of them "
			 "another",
			 prefix_text(&lease->address, address), net->name);
		state_event(u->d->state, "uplink_conflict", object, "%s", s->trouble);
	} else if (!lease) {
		state_event(u->d->state, "uplink_lease", object, "the lease ended");
	} else {
		take_lease(s, lease);
		state_event(u->d->state, "uplink_lease", object, "%s, gateway %s",
			    prefix_text(&lease->address, address),
			    s->has_next4 ? ip_text(&lease->gateway, gateway) : "none");
	}
}

static void on_lease(void *arg, struct lessee *l)
{
	struct uplinks *u = arg;
	struct uplink_state *s = find(u, l->client.name);

	if (!s)
		return;
	set_lease(u, s, lessee_lease(l));
	if (apply_publish(u->d) < 0)
		log_err("uplink %s: no memory", s->name);
}

void uplinks_receive(struct uplinks *u, const struct gateway_datagram *g)
{
	for (unsigned i = 0; i < CONF_UPLINKS_MAX; i++)
		if (u->lessee[i].is_running && u->lessee[i].vid == g->vid)
			lessee_receive(&u->lessee[i], g);
}

/* Clients of uplinks that are gone, or are others now, stop; new ones begin once their MAC is known. */
static void settle_lessees(struct uplinks *u)
{
	const struct conf *c = u->d->conf;

	for (unsigned i = 0; i < CONF_UPLINKS_MAX; i++) {
		struct lessee *l = &u->lessee[i];
		const struct conf_uplink *cu =
			l->is_running ? conf_find_uplink(c, l->client.name) : NULL;
		const struct uplink_state *s = cu ? find(u, cu->name) : NULL;

		if (l->is_running &&
		    (!s || !cu->dhcp || cu->vlan != l->vid ||
		     (!mac_is_zero(&s->mac) && memcmp(&s->mac, &l->client.mac, sizeof(s->mac)))))
			lessee_stop(l);
	}
	for (size_t i = 0; i < c->n_uplinks; i++) {
		struct uplink_state *s = find(u, c->uplinks[i].name);
		unsigned place = 0;

		if (!c->uplinks[i].dhcp || !s || mac_is_zero(&s->mac) ||
		    lessee_of(u, c->uplinks[i].name))
			continue;
		while (u->lessee[place].is_running)
			place++;
		u->lessee[place] = (struct lessee){.d = u->d, .on_change = on_lease, .arg = u};
		if (s->dhcp != UPLINK_BOUND)
			s->dhcp = UPLINK_ASKING;
		lessee_start(&u->lessee[place], s->name, &s->mac, s->vid);
	}
}

static void rest(struct forwarder *fwd, void *arg)
{
	(void)fwd;
	(void)arg;
}

void uplinks_leave(struct uplinks *u, const struct conf *to)
{
	bool has_left = false;

	for (unsigned i = 0; i < CONF_UPLINKS_MAX; i++) {
		struct lessee *l = &u->lessee[i];
		const struct conf_uplink *cu = to ? conf_find_uplink(to, l->client.name) : NULL;

		if (!l->is_running || (cu && cu->dhcp))
			continue;
		lessee_stop(l);
		has_left = true;
	}
	/* Between two calls a worker takes a turn, in which it sends what waits. */
	if (has_left)
		worker_call(u->d->worker[0], rest, NULL);
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
	settle_lessees(u);
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

int uplinks_set_host(struct uplinks *u, const struct conf *to, const struct conf *was,
		     char why[static LINK_TEXT_SIZE])
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
	if (rc == 0)
		snprintf(u->host_trouble, sizeof(u->host_trouble), "%s", why);
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
	if (a->state == PORT_UP && was != PORT_UP && lessee_of(u, p->name))
		lessee_link(lessee_of(u, p->name));
}

void uplink_host_notice(struct uplinks *u, const char *text, enum host_news news)
{
	const struct conf *c = u->d->conf;
	char object[EVENT_OBJECT_SIZE];

	if (news != HOST_EVENT)
		snprintf(u->host_trouble, sizeof(u->host_trouble), "%s",
			 news == HOST_TROUBLE ? text : "");
	for (size_t i = 0; i < c->n_uplinks && i < u->n; i++) {
		if (c->uplinks[i].kind != UPLINK_HOST)
			continue;
		object_of(c->uplinks[i].name, object);
		state_event(u->d->state, "uplink_host", object, "%s", text);
		if (news != HOST_EVENT)
			snprintf(u->state[i].trouble, sizeof(u->state[i].trouble), "%s",
				 u->host_trouble);
	}
}

struct forgetting {
	struct gateway *gateway;
	uint16_t vid;
};

static void forget(struct forwarder *fwd, void *arg)
{
	const struct forgetting *f = arg;

	(void)fwd;
	gateway_lock(f->gateway);
	neigh_flush(gateway_neigh(f->gateway), f->vid, NULL);
	gateway_unlock(f->gateway);
}

/* A tap of ours that somebody deleted is made again; its address is another. */
static void mend_tap(struct uplinks *u, struct port *p)
{
	char why[LINK_TEXT_SIZE], object[EVENT_OBJECT_SIZE];
	struct forgetting forgetting = {.gateway = u->d->gateway};
	size_t n = 0;
	struct want *wants = wants_of(u->d->conf, &n);
	const struct want *w = wants ? want_find(wants, n, p->name) : NULL;

	/* The broker leaves one that somebody deleted alone, until it is asked anew. */
	if (w)
		device_close(u->d, p);
	if (w && device_open(u->d, p, w, true, why) == 0 &&
	    atomic_load(&p->state) != PORT_WAITING) {
		object_of(p->name, object);
		state_event(u->d->state, "uplink_up", object, "interface %s was made again",
			    p->ifname);
		forgetting.vid = find(u, p->name)->vid;
		worker_call(u->d->worker[0], forget, &forgetting);
		if (uplinks_set_host(u, u->d->conf, NULL, why) < 0) /* what was set on it */
			log_err("uplink %s: %s", p->name, why);
		apply_publish(u->d);
	}
	free(wants);
}

void uplinks_tick(struct uplinks *u)
{
	const struct conf *c = u->d->conf;

	for (size_t i = 0; i < c->n_uplinks; i++) {
		struct port *p = device_port(u->d, c->uplinks[i].name);

		if (p && p->kind == PORT_UPLINK && atomic_load(&p->state) == PORT_WAITING)
			mend_tap(u, p);
	}
}

void uplinks_look(struct uplinks *u)
{
	uint64_t now_ms = clock_ms();

	for (unsigned i = 0; i < u->n; i++) {
		struct uplink_state *s = &u->state[i];
		const struct lessee *l = lessee_of(u, s->name);
		const struct dhcp_lease *lease = l ? lessee_lease(l) : NULL;
		struct port *p = device_port(u->d, s->name);

		if (p && p->kind == PORT_PACKET)
			s->lost = packet_lost(p);
		s->lease_s = lease && lease->end_ms > now_ms
				     ? (uint32_t)((lease->end_ms - now_ms) / 1000)
				     : 0;
	}
}

const struct uplink_state *uplink_at(const struct uplinks *u, unsigned n)
{
	return u && n < u->n ? &u->state[n] : NULL;
}

struct uplinks *uplinks_create(struct daemon *d)
{
	struct uplinks *u = calloc(1, sizeof(*u));
	uint64_t now_ms = clock_ms();

	if (!u)
		return NULL;
	u->d = d;
	/* A switch that starts again has its addresses at once, and with them its sessions; the client asks whether they hold. */
	for (unsigned i = 0; i < CONF_UPLINKS_MAX; i++) {
		const struct kept_lease *k = &d->state->lease[i];
		struct uplink_state *s = &u->state[u->n];

		if (!k->name[0] || !memchr(k->name, 0, sizeof(k->name)) ||
		    k->lease.end_ms <= now_ms || k->lease.address.len > 32 ||
		    !ip_is_v4(&k->lease.address.ip))
			continue;
		snprintf(s->name, sizeof(s->name), "%s", k->name);
		take_lease(s, &k->lease);
		u->n++;
	}
	return u;
}

void uplinks_destroy(struct uplinks *u)
{
	free(u);
}
