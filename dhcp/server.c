/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server: the state machine of the DHCPv4 server.
 *
 * How it fits.  switch/lessor.c hands datagrams in and sends answers; lease.c has the addresses, net.c what the network says,
 * reply.c composes what is told, wire.c knows the bytes.  server.h draws the states.
 *
 * Theory of operation.  A message is one exchange, `struct talk`: who asks, from where, in which network.  read_ask() checks what
 * is true of every message, find_net() which network it is about, know() who asks; a handler for each type decides, and answer(),
 * refuse() or silence follow.  give() is the one place where an address is chosen.
 *
 * Probes.  An offer goes out at once, and with it an ARP probe for what is new to its client.  Who uses that address answers
 * within a millisecond; where the client was faster, its lease ends all the same, and it moves when it renews.  Only the answer to
 * a probe that we sent lately counts, or any station could take addresses from others by ARP.  How much of a pool can be put
 * away by conflicts and DECLINE is the store's to bound.
 *
 * One machine, many identities: firmware, boot loader and system each send an option 61 of their own.  Each has a lease of its
 * own (RFC 4361), but a reserved address goes from one to the next of the same MAC, or of the same port where it is the port's.
 *
 * Relays.  A relay in the same network as its clients is one of its guests: the cap of its port counts what comes through it, and
 * what it says of a MAC proves nothing.  Where the network is another one, which the world allows and which names the relay, it has
 * many clients and no cap, and is believed.
 *
 * RFC 2131 3, 4.1, 4.3; RFC 3046 2; RFC 3527 3; RFC 5107 4; RFC 6842 3; RFC 4702 2, 3.3 (names).
 *
 * Trust.  Each byte of the datagram is a guest's, its source MAC and port are what the switch saw.  A client can say chaddr, client
 * id and giaddr as it likes: what has a lease is compared with the lease's port and MAC before it is ended or moved.
 */
#include "dhcp/server.h"

#include <stdlib.h>
#include <string.h>

#include "dhcp/reply.h"

enum {
	SECOND_MS = 1000,
	VIDS = 4096,
	PROBES_KEPT = 256,
	PROBE_MS = 3000,   /* in which its answer counts */
	RELAY_LINK = 5,	   /* RFC 3527 */
	RELAY_SERVER = 11, /* RFC 5107 */
	FQDN_FLAGS = 3,	   /* and two codes, before the name */
	FQDN_IS_WIRE = 4,
};

static const uint8_t everywhere[4] = {255, 255, 255, 255};
static const struct mac every_mac = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* How many probes a network has sent in this second. */
struct budget {
	uint32_t second, used;
};

struct probe {
	struct ip ip;
	uint64_t at_ms;
	uint16_t vid; /* 0: none */
};

struct dhcp_server {
	struct leases *leases;
	struct dhcp_world world;
	struct dhcp_counters count;
	struct budget budget[VIDS];
	struct probe probe[PROBES_KEPT]; /* the last ones, in a ring */
	unsigned next_probe;
};

/* One message, and what is known of it. */
struct talk {
	struct dhcp_server *v;
	const struct dhcp_net *from; /* of the VLAN that it came by */
	const struct dhcp_net *net;  /* that the client is in */
	const struct dhcp_ask *ask;
	const struct dhcp_message *m;
	uint64_t now_ms;
	struct ip server; /* that we are to this client: option 54 */
	struct lease_id id;
	const struct dhcp_reservation *reserved; /* of an IPv4 address; or NULL */
	struct dhcp_reply reply;
	struct lease_want want;
	char name[LEASE_NAME_SIZE];
	struct dhcp_answer *out;
};

static bool mac_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool is_live(const struct lease *l)
{
	return l->state == LEASE_OFFERED || l->state == LEASE_BOUND;
}

/* An option that is one address. */
static bool get_ip(const struct dhcp_message *m, uint8_t option, struct ip *out)
{
	uint16_t n;
	const uint8_t *p = dhcp_get(m, option, &n);

	if (!p || n != 4)
		return false;
	*out = dhcp_ip(p);
	return true;
}

/* A sub-option of option 82 that is one address (RFC 3046 2.0); one that reaches over the end is none, nor is what follows. */
static bool get_relay_ip(const struct dhcp_message *m, uint8_t sub, struct ip *out)
{
	uint16_t n;
	const uint8_t *p = dhcp_get(m, DHCP_OPT_RELAY, &n);

	if (!p)
		return false;
	for (unsigned at = 0; at + 2 <= n && at + 2 + p[at + 1] <= n; at += 2u + p[at + 1]) {
		if (p[at] != sub || p[at + 1] != 4)
			continue;
		*out = dhcp_ip(p + at + 2);
		return true;
	}
	return false;
}

/* --- Answers --- */

/* RFC 2131 4.1: where an answer goes. */
static struct dhcp_ends ends_of(const struct talk *t, enum dhcp_type type, const struct ip *client)
{
	const struct dhcp_header *h = &t->m->h;
	struct dhcp_ends e = {
		.src_mac = t->from->mac,
		.src = t->from->v4.ip,
		.sport = DHCP_SERVER_PORT,
		.dport = DHCP_CLIENT_PORT,
		.dst_mac = t->ask->src_mac,
	};

	if (!dhcp_ip_is_zero(&h->giaddr)) {
		e.dst = h->giaddr;
		e.dport = DHCP_SERVER_PORT;
	} else if (type == DHCP_NAK) { /* 4.3.2: its address, if it has one, is not right */
		e.dst = dhcp_ip(everywhere);
		e.dst_mac = every_mac;
	} else if (prefix_holds(&t->net->v4, &h->ciaddr)) {
		e.dst = h->ciaddr;
	} else if (h->flags & DHCP_BROADCAST && t->m->type != DHCP_INFORM) {
		e.dst = dhcp_ip(everywhere);
		e.dst_mac = every_mac;
	} else {
		e.dst = *client;
	}
	return e;
}

static void send_answer(struct talk *t, const struct dhcp_reply_head *head, const struct ip *client)
{
	struct dhcp_counters *c = &t->v->count;

	t->out->len = (uint16_t)dhcp_reply_write(&t->reply, head, t->out->payload);
	if (t->out->len == 0) { /* what the client wants back leaves no room for an answer */
		memset(t->out->payload, 0, sizeof(t->out->payload));
		c->malformed++;
		return;
	}
	t->out->ends = ends_of(t, head->type, client);
	++*(head->type == DHCP_OFFER ? &c->offer : head->type == DHCP_ACK ? &c->ack : &c->nak);
}

static void refuse(struct talk *t)
{
	const struct dhcp_reply_head head = {.type = DHCP_NAK, .server = t->server};

	send_answer(t, &head, &head.yiaddr);
}

/* OFFER or ACK of a lease. */
static void answer(struct talk *t, enum dhcp_type type, const struct lease *l)
{
	const struct dhcp_reply_head head = {
		.type = type,
		.server = t->server,
		.ciaddr = type == DHCP_ACK ? t->m->h.ciaddr : (struct ip){{0}},
		.yiaddr = l->ip,
		.has_lease = true,
	};

	send_answer(t, &head, &l->ip);
}

/* --- Leases --- */

static struct lease *his(const struct talk *t)
{
	return t->net->pool4 ? leases_find(t->v->leases, t->net->pool4, &t->id) : NULL;
}

static bool is_same_port(const struct talk *t, const struct lease *l)
{
	return strcmp(l->port, t->ask->port) == 0;
}

/* Is the MAC that has the lease that of who asks?  A relay in its own network, a guest by another port, could say any. */
static bool has_its_mac(const struct talk *t, const struct lease *l)
{
	return mac_equal(&l->mac, &t->m->h.chaddr) &&
	       (dhcp_ip_is_zero(&t->m->h.giaddr) || t->net != t->from || is_same_port(t, l));
}

/* Is a live lease that of another port, and not to be moved to this one? */
static bool is_anothers(const struct talk *t, const struct lease *l)
{
	const struct dhcp_world *w = &t->v->world;

	if (is_same_port(t, l))
		return false;
	return w->is_tied(w->arg, l->port) ||
	       (l->state == LEASE_BOUND && !has_its_mac(t, l) && w->is_there(w->arg, l->port));
}

/* Only who has it can end it: by the same port, from the same MAC (D07, D17). */
static bool is_owner(const struct talk *t, const struct lease *l)
{
	return is_same_port(t, l) && mac_equal(&l->mac, &t->m->h.chaddr);
}

/* Is a reserved address that is in use by another identity the same machine's, or the same port's? */
static bool is_same_machine(const struct talk *t, const struct lease *l)
{
	if (is_anothers(t, l))
		return false;
	return has_its_mac(t, l) || (t->reserved->port[0] && is_same_port(t, l));
}

static struct lease *offer(struct talk *t, enum lease_why *why)
{
	struct lease_pool *pool = t->net->pool4;
	struct lease *l = leases_offer(t->v->leases, pool, &t->want, t->now_ms, why);

	if (l || *why != LEASE_IN_USE)
		return l;
	l = leases_at(t->v->leases, pool, &t->want.fixed);
	if (l && is_live(l) && is_same_machine(t, l))
		leases_release(t->v->leases, l, t->now_ms);
	else /* one of the pool meanwhile */
		t->want.has_fixed = false;
	return leases_offer(t->v->leases, pool, &t->want, t->now_ms, why);
}

/* An address for who asks, that of hint if it can be; NULL: none, which was counted. */
static struct lease *give(struct talk *t, const struct ip *hint)
{
	enum lease_why why = LEASE_NONE_FREE;
	struct lease *l;

	if (!t->net->pool4) {
		t->v->count.none_free++;
		return NULL;
	}
	t->want.has_hint = hint && prefix_holds(&t->net->v4, hint);
	if (t->want.has_hint)
		t->want.hint = *hint;
	l = offer(t, &why);
	if (!l && why == LEASE_PORT_CAP)
		t->v->count.port_cap++;
	else if (!l)
		t->v->count.none_free++;
	return l;
}

/* ACK for exactly that address, or NAK. */
static void grant(struct talk *t, const struct ip *ip)
{
	struct lease *l = give(t, ip);
	uint32_t lease_s = dhcp_reply_lease_s(&t->reply);
	uint64_t end_ms =
		lease_s == UINT32_MAX ? UINT64_MAX : t->now_ms + (uint64_t)lease_s * SECOND_MS;

	if (!l || !ip_equal(&l->ip, ip)) {
		if (l && l->state == LEASE_OFFERED) /* it was not asked for */
			leases_release(t->v->leases, l, t->now_ms);
		refuse(t);
		return;
	}
	if (!t->name[0]) /* some say their name once only */
		memcpy(t->name, l->name, sizeof(t->name));
	if (leases_bind(t->v->leases, l, &t->want, end_ms)) {
		answer(t, DHCP_ACK, l);
	} else {
		t->v->count.port_cap++;
		refuse(t);
	}
}

/* As grant(), but what he has, or was offered, he can go on with, though another address is reserved for him since. */
static void grant_again(struct talk *t, const struct ip *ip)
{
	const struct lease *l = his(t);

	if (l && is_live(l) && ip_equal(&l->ip, ip) && !ip_equal(ip, &t->want.fixed))
		t->want.has_fixed = false;
	grant(t, ip);
}

/* --- Probes --- */

static bool may_probe(struct talk *t)
{
	struct budget *b = &t->v->budget[t->from->vid % VIDS];
	uint32_t second = (uint32_t)(t->now_ms / SECOND_MS);

	if (b->second != second)
		*b = (struct budget){.second = second};
	if (b->used >= t->from->probes)
		return false;
	b->used++;
	return true;
}

static void probe(struct talk *t, const struct ip *ip)
{
	struct dhcp_server *v = t->v;

	if (!may_probe(t))
		return;
	v->probe[v->next_probe++ % PROBES_KEPT] =
		(struct probe){.ip = *ip, .at_ms = t->now_ms, .vid = t->from->vid};
	t->out->has_probe = true;
	t->out->probe = *ip;
}

/* Did we ask for that address lately?  Forgets it: one answer is enough. */
static bool was_probed(struct dhcp_server *v, uint16_t vid, const struct ip *ip, uint64_t now_ms)
{
	bool found = false;

	for (unsigned i = 0; i < PROBES_KEPT; i++) {
		struct probe *p = &v->probe[i];

		if (p->vid != vid || !ip_equal(&p->ip, ip))
			continue;
		found |= now_ms - p->at_ms <= PROBE_MS;
		p->vid = 0;
	}
	return found;
}

void dhcp_server_conflict(struct dhcp_server *v, const struct dhcp_net *net, const struct ip *ip,
			  const struct mac *mac, uint64_t now_ms)
{
	const struct lease *l = net->pool4 ? leases_at(v->leases, net->pool4, ip) : NULL;

	if (!net->pool4 || (l && mac_equal(&l->mac, mac)) || !was_probed(v, net->vid, ip, now_ms))
		return;
	v->count.conflict++;
	leases_quarantine(v->leases, net->pool4, ip, now_ms);
}

/* --- One handler for each type --- */

/* RFC 2131 4.3.1 */
static void on_discover(struct talk *t)
{
	struct ip hint;
	bool has_hint = get_ip(t->m, DHCP_OPT_ADDRESS, &hint);
	const struct lease *l = give(t, has_hint ? &hint : NULL);

	if (!l)
		return;
	answer(t, DHCP_OFFER, l);
	if (t->out->len > 0 && l->state == LEASE_OFFERED && t->net == t->from)
		probe(t, &l->ip);
}

static bool is_ours(const struct talk *t, const struct ip *server)
{
	return ip_equal(server, &t->server) || ip_equal(server, &t->from->v4.ip) ||
	       ip_equal(server, &t->net->v4.ip);
}

/* RFC 2131 4.3.2: an offer was chosen, ours or another server's. */
static void on_selecting(struct talk *t, const struct ip *server)
{
	struct lease *l;
	struct ip ip;

	if (!is_ours(t, server)) {
		t->v->count.other_server++;
		l = his(t);
		if (l && l->state == LEASE_OFFERED && is_owner(t, l))
			leases_release(t->v->leases, l, t->now_ms);
	} else if (get_ip(t->m, DHCP_OPT_ADDRESS, &ip)) {
		grant_again(t, &ip);
	} else if (!dhcp_ip_is_zero(&t->m->h.ciaddr)) { /* renews, and names the server too */
		grant_again(t, &t->m->h.ciaddr);
	} else {
		t->v->count.malformed++;
	}
}

/*
 * INIT-REBOOT, RENEWING and REBINDING (RFC 2131 4.3.2): a client has an address, from wherever.  Of a client that nobody knows
 * nothing is said, since it may be another server's; but who speaks to us alone, or has what is another's, has to be told.
 */
static void on_known_address(struct talk *t, const struct ip *ip, bool is_renewal)
{
	const struct lease *l = his(t), *at;
	bool is_to_us = is_renewal && dhcp_ip_is_zero(&t->m->h.giaddr) &&
			ip_equal(&t->ask->dst, &t->from->v4.ip);

	if (!prefix_holds(&t->net->v4, ip)) {
		refuse(t);
		return;
	}
	at = is_renewal && t->net->pool4 ? leases_at(t->v->leases, t->net->pool4, ip) : NULL;
	if (!l && !t->want.has_fixed && !is_to_us && !(at && at->state == LEASE_BOUND))
		t->v->count.unknown++;
	else if (is_renewal)
		grant_again(t, ip);
	else
		grant(t, ip);
}

static void on_request(struct talk *t)
{
	const struct dhcp_header *h = &t->m->h;
	struct ip ip;

	if (get_ip(t->m, DHCP_OPT_SERVER, &ip))
		on_selecting(t, &ip);
	else if (!dhcp_ip_is_zero(&h->ciaddr))
		on_known_address(t, &h->ciaddr, true);
	else if (get_ip(t->m, DHCP_OPT_ADDRESS, &ip))
		on_known_address(t, &ip, false);
	else
		t->v->count.malformed++;
}

/* What RELEASE and DECLINE have in common: the lease of who asks, of that address, at our word; NULL: counted. */
static struct lease *owned(struct talk *t, const struct ip *ip)
{
	struct lease *l;
	struct ip server;

	if (!get_ip(t->m, DHCP_OPT_SERVER, &server)) {
		t->v->count.malformed++;
		return NULL;
	}
	if (!is_ours(t, &server)) {
		t->v->count.other_server++;
		return NULL;
	}
	l = his(t);
	if (!l || !is_live(l) || !ip_equal(&l->ip, ip)) {
		t->v->count.unknown++;
		return NULL;
	}
	if (!is_owner(t, l)) {
		t->v->count.spoofed++;
		return NULL;
	}
	return l;
}

/* RFC 2131 4.3.3 */
static void on_decline(struct talk *t)
{
	struct lease *l;
	struct ip ip;

	if (!get_ip(t->m, DHCP_OPT_ADDRESS, &ip)) {
		t->v->count.malformed++;
		return;
	}
	l = owned(t, &ip);
	if (l)
		leases_decline(t->v->leases, l, t->now_ms);
}

/* RFC 2131 4.3.4 */
static void on_release(struct talk *t)
{
	struct lease *l = owned(t, &t->m->h.ciaddr);

	if (l)
		leases_release(t->v->leases, l, t->now_ms);
}

/* RFC 2131 4.3.5: it has an address by other means. */
static void on_inform(struct talk *t)
{
	const struct ip *client = dhcp_ip_is_zero(&t->m->h.ciaddr) ? &t->ask->src : &t->m->h.ciaddr;
	const struct dhcp_reply_head head = {
		.type = DHCP_ACK, .server = t->server, .ciaddr = t->m->h.ciaddr};

	if (!prefix_holds(&t->net->v4, client)) {
		t->v->count.unknown++;
		return;
	}
	send_answer(t, &head, client);
}

/* --- Who asks, where --- */

/* A client behind a relay renews by unicast, which a router brings: its lease came by this port before, and through a relay. */
static bool is_routed(struct talk *t)
{
	const struct dhcp_header *h = &t->m->h;
	const struct dhcp_net *net;
	const struct lease *l;

	if (dhcp_ip_is_zero(&h->ciaddr) || !ip_equal(&t->ask->src, &h->ciaddr) ||
	    prefix_holds(&t->from->v4, &h->ciaddr))
		return false;
	net = t->v->world.net_of_link(t->v->world.arg, t->from, &h->ciaddr);
	l = net && net->pool4 ? leases_at(t->v->leases, net->pool4, &h->ciaddr) : NULL;
	if (!l || l->state != LEASE_BOUND || !l->is_relayed || !is_owner(t, l))
		return false;
	t->net = net;
	return true;
}

static bool is_named(const struct dhcp_net *net, const struct ip *relay)
{
	for (unsigned i = 0; i < net->n_relays; i++)
		if (ip_equal(relay, &net->relays[i]))
			return true;
	return false;
}

/*
 * May that relay ask for that network?  Where it is another one, only if that names it: giaddr, and the address that it sends from,
 * which is another one where giaddr is of the client's network (a source of another network than its port's never gets here).  In
 * its own network it is by giaddr who it is, or broadcasts what it has heard, and has that address for all that we know.
 */
static bool is_relay(const struct talk *t)
{
	const struct ip *ip = &t->m->h.giaddr;
	const struct lease *l;

	if (t->net != t->from)
		return is_named(t->net, ip) && is_named(t->net, &t->ask->src);
	if (ip_equal(ip, &t->ask->src))
		return true;
	if (!prefix_holds(&t->from->v4, ip) || ip_equal(ip, &t->from->v4.ip))
		return false;
	l = t->from->pool4 ? leases_at(t->v->leases, t->from->pool4, ip) : NULL;
	return !l || !is_live(l) || mac_equal(&l->mac, &t->ask->src_mac);
}

/* The network of the client; false: there is none, or it lies about itself. */
static bool find_net(struct talk *t)
{
	const struct dhcp_header *h = &t->m->h;
	struct ip link = h->giaddr;

	t->net = t->from;
	t->server = t->from->v4.ip;
	if (dhcp_ip_is_zero(&h->giaddr)) {
		if (!mac_equal(&h->chaddr, &t->ask->src_mac) && !is_routed(t)) {
			t->v->count.spoofed++;
			return false;
		}
	} else {
		t->v->count.relayed++;
		get_relay_ip(t->m, RELAY_LINK, &link);
		get_relay_ip(t->m, RELAY_SERVER, &t->server);
		t->net = t->v->world.net_of_link(t->v->world.arg, t->from, &link);
	}
	if (!t->net || !t->net->serves_v4 || !t->net->v4.is_set || !t->from->v4.is_set) {
		t->v->count.unknown++;
		return false;
	}
	if (!dhcp_ip_is_zero(&h->giaddr) && !is_relay(t)) {
		t->v->count.spoofed++;
		return false;
	}
	return true;
}

/* Option 12, else the first label of option 81, which is text or, flag E, as DNS writes it (RFC 4702 2.1, 3.3). */
static void read_name(const struct dhcp_message *m, char name[static LEASE_NAME_SIZE])
{
	uint16_t n;
	const uint8_t *p = dhcp_get(m, DHCP_OPT_HOST_NAME, &n);

	if (p && lease_name_clean(p, n, name))
		return;
	name[0] = '\0';
	p = dhcp_get(m, DHCP_OPT_FQDN, &n);
	if (!p || n <= FQDN_FLAGS)
		return;
	if (p[0] & FQDN_IS_WIRE) {
		n = (uint16_t)(n - FQDN_FLAGS - 1);
		n = p[FQDN_FLAGS] < n ? p[FQDN_FLAGS] : n;
		p += FQDN_FLAGS + 1;
	} else {
		n -= FQDN_FLAGS;
		p += FQDN_FLAGS;
	}
	if (!lease_name_clean(p, n, name))
		name[0] = '\0';
}

/* False: its client id cannot be one. */
static bool know(struct talk *t)
{
	const struct dhcp_header *h = &t->m->h;
	bool is_relayed = t->net != t->from;
	const struct dhcp_reservation *r;
	uint16_t n = 0;
	const uint8_t *id = dhcp_get(t->m, DHCP_OPT_CLIENT_ID, &n);

	if (n == 0)
		lease_id_of_mac(&t->id, &h->chaddr);
	else if (!lease_id_of_client(&t->id, id, n))
		return false;
	read_name(t->m, t->name);
	/* Behind a relay the port is the relay's. */
	r = dhcp_net_reservation(t->net, &t->id, &h->chaddr, is_relayed ? "" : t->ask->port);
	dhcp_reply_init(&t->reply, t->net, t->m, r);
	t->want = (struct lease_want){
		.id = &t->id,
		.mac = h->chaddr,
		.name = t->name,
		.port = t->ask->port,
		.is_relayed = is_relayed || t->ask->is_shared,
	};
	t->reserved = r && !dhcp_ip_is_zero(&r->ip) ? r : NULL;
	if (t->reserved) {
		t->want.has_fixed = true;
		t->want.fixed = r->ip;
	}
	return true;
}

/* What every message to a server must be. */
static bool read_ask(const struct dhcp_ask *ask, struct dhcp_message *m)
{
	return dhcp_read(m, ask->payload, ask->len) && m->h.op == DHCP_REQUEST_OP &&
	       !mac_is_zero(&m->h.chaddr) && !mac_is_group(&m->h.chaddr) &&
	       (dhcp_ip_is_zero(&m->h.giaddr) || dhcp_ip_is_unicast(&m->h.giaddr));
}

/* False: no client sends that. */
static bool count_type(struct dhcp_counters *c, uint8_t type)
{
	switch (type) {
	case DHCP_DISCOVER:
		c->discover++;
		return true;
	case DHCP_REQUEST:
		c->request++;
		return true;
	case DHCP_DECLINE:
		c->decline++;
		return true;
	case DHCP_RELEASE:
		c->release++;
		return true;
	case DHCP_INFORM:
		c->inform++;
		return true;
	default:
		return false;
	}
}

static void handle(struct talk *t)
{
	bool gives = t->m->type == DHCP_DISCOVER || t->m->type == DHCP_REQUEST;
	const struct lease *l = gives ? his(t) : NULL;

	if (l && is_live(l) && is_anothers(t, l)) {
		t->v->count.spoofed++;
		return;
	}
	switch (t->m->type) {
	case DHCP_DISCOVER:
		on_discover(t);
		return;
	case DHCP_REQUEST:
		on_request(t);
		return;
	case DHCP_DECLINE:
		on_decline(t);
		return;
	case DHCP_RELEASE:
		on_release(t);
		return;
	case DHCP_INFORM:
		on_inform(t);
		return;
	}
}

void dhcp_server_receive(struct dhcp_server *v, const struct dhcp_net *net,
			 const struct dhcp_ask *ask, uint64_t now_ms, struct dhcp_answer *out)
{
	struct dhcp_message m;
	struct talk t = {.v = v, .from = net, .ask = ask, .m = &m, .now_ms = now_ms, .out = out};

	memset(out, 0, sizeof(*out));
	if (!read_ask(ask, &m) || !count_type(&v->count, m.type)) {
		v->count.malformed++;
		return;
	}
	if (!find_net(&t))
		return;
	if (know(&t))
		handle(&t);
	else
		v->count.malformed++;
}

const struct dhcp_counters *dhcp_server_counters(const struct dhcp_server *v)
{
	return &v->count;
}

struct dhcp_server *dhcp_server_create(struct leases *s, const struct dhcp_world *world)
{
	struct dhcp_server *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->leases = s;
	v->world = *world;
	return v;
}

void dhcp_server_destroy(struct dhcp_server *v)
{
	free(v);
}
