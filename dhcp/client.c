/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client: the DHCP client of an interface uplink.
 *
 * How it fits.  The control thread runs it beside an uplink (client.h shows how); wire.c reads and writes the messages.
 *
 * Theory of operation.  enter() is the one place where the state changes: it logs, sends what the new state begins with and
 * says when to look again.  dhcp_client_tick() does what the state wants when time has passed, dhcp_client_receive() what an
 * answer means.
 *
 * Times.  Retransmissions after 4, 8, 16, 32, 64 s, each a second more or less (RFC 2131 4.1).  T1 and T2 come from the
 * server, or are a half and seven eighths of the lease; between them, and from T2 to the end, half of what remains is waited,
 * at least a minute (4.4.5).  A lease counts from the request, not from the answer.
 *
 * Deviations: the first message waits up to one second, not ten (4.4.1): an uplink is wanted now.  A lease from before a restart
 * is used while it is asked for (4.4.2 would wait): no link was lost, and sessions live on it.  Nothing but a
 * refusal makes REBOOTING give the address up, as 3.2 allows.
 *
 * Trust.  Anybody on the segment may answer.  An answer must have our xid and MAC, and be from the server that was chosen,
 * where one was.  Each value is checked before it is used: a message whose address, mask, server or lease cannot be is ignored;
 * of a gateway, MTU, DNS or domain that cannot be only the option is.
 */
#include "dhcp/client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "switch/base/log.h"

enum {
	SECOND_MS = 1000,
	RETRY_MS = 4 * SECOND_MS, /* doubled each time */
	RETRY_DOUBLINGS = 4,
	REQUESTS = 4, /* retries before another server is asked: a minute in all (RFC 2131 3.1.5) */
	REBOOTS = 3,
	RENEW_MIN_MS = 60 * SECOND_MS,
	FUZZ_MAX_MS = 10 * SECOND_MS,
	DECLINE_WAIT_MS = 10 * SECOND_MS,
	REFUSALS_MAX = 6, /* doublings of the wait after one */
	MTU_MIN = 576,
	SIZE_MAX_BYTES = DHCP_MAX_BYTES + 28, /* option 57 counts the IP header */
};

static const char *const words[] = {
	[DHCP_INIT] = "init",
	[DHCP_SELECTING] = "selecting",
	[DHCP_REQUESTING] = "requesting",
	[DHCP_REBOOTING] = "rebooting",
	[DHCP_BOUND] = "bound",
	[DHCP_RENEWING] = "renewing",
	[DHCP_REBINDING] = "rebinding",
	[DHCP_STOPPED] = "stopped",
};
_Static_assert(sizeof(words) / sizeof(words[0]) == DHCP_STOPPED + 1, "a word for each state");

static const uint8_t everywhere[4] = {255, 255, 255, 255};
static const uint8_t nowhere[4];

const char *dhcp_state_word(enum dhcp_state state)
{
	return (size_t)state <= DHCP_STOPPED ? words[state] : "unknown";
}

/* splitmix64 */
static uint32_t draw(struct dhcp_client *c)
{
	uint64_t z = c->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(z >> 32);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* --- Messages out --- */

/* RFC 4361 6.1: 255, an identity of the interface, and a DUID; here one that is made of its MAC (RFC 8415 11.4). */
static void write_client_id(struct dhcp_writer *w, const struct mac *mac)
{
	uint8_t id[1 + 4 + 4 + 6] = {255, [5] = 0, 3, 0, 1};

	memcpy(id + 1, mac->b + 2, 4);
	memcpy(id + 9, mac->b, 6);
	dhcp_write(w, DHCP_OPT_CLIENT_ID, id, sizeof(id));
}

static void write_wishes(struct dhcp_writer *w)
{
	/* Routes before the router (RFC 3442). */
	static const uint8_t wishes[] = {
		DHCP_OPT_MASK,	 DHCP_OPT_ROUTES, DHCP_OPT_ROUTER,    DHCP_OPT_DNS,
		DHCP_OPT_DOMAIN, DHCP_OPT_MTU,	  DHCP_OPT_BROADCAST, DHCP_OPT_LEASE,
		DHCP_OPT_SERVER, DHCP_OPT_T1,	  DHCP_OPT_T2,
	};

	dhcp_write(w, DHCP_OPT_PARAMETERS, wishes, sizeof(wishes));
	dhcp_write_u16(w, DHCP_OPT_MAX_SIZE, SIZE_MAX_BYTES);
}

/* RFC 2131 table 5: which fields a message has in which state. */
static void send_message(struct dhcp_client *c, enum dhcp_type type, uint64_t now_ms,
			 struct dhcp_out *out)
{
	bool is_renewal =
		type == DHCP_RELEASE ||
		(type == DHCP_REQUEST && (c->state == DHCP_RENEWING || c->state == DHCP_REBINDING));
	bool is_unicast = is_renewal && c->state != DHCP_REBINDING;
	uint64_t secs = (now_ms - c->began_ms) / SECOND_MS;
	struct dhcp_header h = {
		.op = DHCP_REQUEST_OP,
		.xid = c->xid,
		.secs = (uint16_t)earlier(secs, UINT16_MAX),
		.flags = is_renewal || type == DHCP_DECLINE ? 0 : DHCP_BROADCAST,
		.ciaddr = is_renewal ? c->lease.address.ip : dhcp_ip(nowhere),
		.yiaddr = dhcp_ip(nowhere),
		.siaddr = dhcp_ip(nowhere),
		.giaddr = dhcp_ip(nowhere),
		.chaddr = c->mac,
	};
	struct dhcp_writer w;

	dhcp_write_begin(&w, out->payload, sizeof(out->payload), &h, type);
	write_client_id(&w, &c->mac);
	if (type != DHCP_DISCOVER && !is_renewal)
		dhcp_write_ip(&w, DHCP_OPT_ADDRESS, &c->lease.address.ip);
	if (type == DHCP_DECLINE || type == DHCP_RELEASE || c->state == DHCP_REQUESTING)
		dhcp_write_ip(&w, DHCP_OPT_SERVER, &c->lease.server);
	if (type == DHCP_DISCOVER || type == DHCP_REQUEST)
		write_wishes(&w);
	out->len = (uint16_t)dhcp_write_end(&w);
	assert(out->len > 0);
	out->src = h.ciaddr;
	out->dst = is_unicast ? c->lease.server : dhcp_ip(everywhere);
	if (is_unicast)
		out->dst_mac = c->lease.server_mac;
	else
		memset(out->dst_mac.b, 0xff, sizeof(out->dst_mac.b));
}

/* --- States --- */

/* When a message without an answer is sent again. */
static uint64_t retry_at(struct dhcp_client *c, uint64_t now_ms)
{
	unsigned doublings = c->tries < RETRY_DOUBLINGS ? c->tries : RETRY_DOUBLINGS;
	uint64_t wait_ms = (uint64_t)RETRY_MS << doublings;

	return now_ms + wait_ms - SECOND_MS + draw(c) % (2 * SECOND_MS + 1);
}

/* While a lease is renewed: half of what remains until `end`, but not too often. */
static uint64_t renew_at(uint64_t now_ms, uint64_t end_ms)
{
	uint64_t half_ms = (end_ms - now_ms) / 2;

	return half_ms < RENEW_MIN_MS ? earlier(now_ms + RENEW_MIN_MS, end_ms) : now_ms + half_ms;
}

static void begin_exchange(struct dhcp_client *c, uint64_t now_ms)
{
	c->xid = draw(c);
	c->began_ms = now_ms;
	c->asked_ms = now_ms;
}

static void send_of_state(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out)
{
	switch (c->state) {
	case DHCP_SELECTING:
		send_message(c, DHCP_DISCOVER, now_ms, out);
		c->due_ms = retry_at(c, now_ms);
		return;
	case DHCP_REQUESTING:
		send_message(c, DHCP_REQUEST, now_ms, out);
		c->due_ms = retry_at(c, now_ms);
		return;
	case DHCP_REBOOTING:
		send_message(c, DHCP_REQUEST, now_ms, out);
		c->due_ms = earlier(retry_at(c, now_ms), c->lease.end_ms);
		return;
	case DHCP_RENEWING: /* each request is an exchange of its own: they are minutes apart */
		begin_exchange(c, now_ms);
		send_message(c, DHCP_REQUEST, now_ms, out);
		c->due_ms = renew_at(now_ms, c->lease.rebind_ms);
		return;
	case DHCP_REBINDING:
		begin_exchange(c, now_ms);
		send_message(c, DHCP_REQUEST, now_ms, out);
		c->due_ms = renew_at(now_ms, c->lease.end_ms);
		return;
	case DHCP_INIT:
	case DHCP_BOUND:
	case DHCP_STOPPED:
		return;
	}
}

/* Longer after each refusal, so that a server that offers what it then refuses is not asked all the time. */
static uint64_t init_wait_ms(struct dhcp_client *c)
{
	unsigned doublings = c->refusals < REFUSALS_MAX ? c->refusals : REFUSALS_MAX;

	return c->refusals ? ((uint64_t)SECOND_MS << doublings) + draw(c) % SECOND_MS
			   : draw(c) % SECOND_MS;
}

/* The one place where the state changes. */
static void enter(struct dhcp_client *c, enum dhcp_state state, uint64_t now_ms,
		  struct dhcp_out *out)
{
	char text[PREFIX_TEXT];

	if (state == DHCP_BOUND && c->state != DHCP_RENEWING)
		log_limited(LOG_LEVEL_INFO, "uplink %s: dhcp: %s -> bound: %s", c->name,
			    words[c->state], prefix_text(&c->lease.address, text));
	else if (state != c->state)
		log_limited(LOG_LEVEL_DEBUG, "uplink %s: dhcp: %s -> %s", c->name, words[c->state],
			    words[state]);
	c->state = state;
	c->tries = 0;
	switch (state) {
	case DHCP_INIT:
		c->due_ms = now_ms + init_wait_ms(c);
		return;
	case DHCP_BOUND:
		c->due_ms = c->lease.renew_ms;
		return;
	case DHCP_STOPPED:
		c->due_ms = UINT64_MAX;
		return;
	case DHCP_REQUESTING: /* the xid of the offer (RFC 2131 4.4.1) */
		c->asked_ms = now_ms;
		break;
	case DHCP_SELECTING:
	case DHCP_REBOOTING:
		begin_exchange(c, now_ms);
		break;
	case DHCP_RENEWING:
	case DHCP_REBINDING:
		break;
	}
	send_of_state(c, now_ms, out);
}

/* Begins anew; who used the address is told. */
static void lose(struct dhcp_client *c, const char *why, uint64_t now_ms, struct dhcp_out *out)
{
	char text[PREFIX_TEXT];

	if (c->has_address && !c->is_known) {
		log_limited(LOG_LEVEL_WARN, "uplink %s: dhcp: %s: %s", c->name,
			    prefix_text(&c->lease.address, text), why);
		out->event = DHCP_EVENT_LOST;
	}
	c->has_address = false;
	c->is_known = false;
	enter(c, DHCP_INIT, now_ms, out);
}

/* --- Messages in --- */

/* Length of a netmask, or -1. */
static int mask_len(uint32_t mask)
{
	uint32_t rest = ~mask;

	return rest & (rest + 1) ? -1 : __builtin_popcount(mask);
}

/* Without a mask, that of the address' class (RFC 950). */
static unsigned class_len(const struct ip *ip)
{
	return ip->b[12] < 128 ? 8 : ip->b[12] < 192 ? 16 : 24;
}

/* Can a host have this address in its network: the first and the last of it are no hosts, but in the smallest (RFC 3021). */
static bool is_host(const struct prefix *p)
{
	uint32_t host = (uint32_t)p->ip.b[12] << 24 | (uint32_t)p->ip.b[13] << 16 |
			(uint32_t)p->ip.b[14] << 8 | p->ip.b[15];
	uint32_t bits = p->len >= 31 ? 0 : UINT32_MAX >> p->len;

	return p->len > 0 && p->len <= 32 && dhcp_ip_is_unicast(&p->ip) &&
	       (bits == 0 || ((host & bits) != 0 && (host & bits) != bits));
}

static bool take_address(const struct dhcp_message *m, struct prefix *out)
{
	uint16_t bytes;
	uint32_t mask;
	int len;

	*out = (struct prefix){.ip = m->h.yiaddr, .len = (uint8_t)class_len(&m->h.yiaddr)};
	if (dhcp_get_u32(m, DHCP_OPT_MASK, &mask)) {
		len = mask_len(mask);
		if (len < 0)
			return false;
		out->len = (uint8_t)len;
	} else if (dhcp_get(m, DHCP_OPT_MASK, &bytes)) {
		return false;
	}
	out->is_set = true;
	return is_host(out);
}

/* Finds the default route in RFC 3442's list; false: the list is not one. */
static bool find_default(const uint8_t *p, uint16_t n, struct ip *gateway)
{
	uint16_t at = 0;

	while (at < n) {
		unsigned bits = p[at], net_bytes = (bits + 7) / 8;

		if (bits > 32 || n - at < 1 + (int)net_bytes + 4)
			return false;
		if (bits == 0)
			*gateway = dhcp_ip(p + at + 1);
		at = (uint16_t)(at + 1 + net_bytes + 4);
	}
	return n > 0;
}

/* A list of routes makes the router of no meaning (RFC 3442), also one without a default. */
static struct ip take_gateway(const struct dhcp_message *m, const struct prefix *address)
{
	struct ip gateway = dhcp_ip(nowhere);
	const uint8_t *routes;
	uint16_t n;

	routes = dhcp_get(m, DHCP_OPT_ROUTES, &n);
	if (!routes || !find_default(routes, n, &gateway)) {
		gateway = dhcp_ip(nowhere);
		dhcp_get_ips(m, DHCP_OPT_ROUTER, &gateway, 1);
	}
	/* With a network of one address (clouds do that) every router is outside of it. */
	if (!dhcp_ip_is_unicast(&gateway) || ip_equal(&gateway, &address->ip) ||
	    (address->len < 32 && !prefix_holds(address, &gateway)))
		return dhcp_ip(nowhere);
	return gateway;
}

/* It ends up in files and on terminals: letters, digits, '-', '_' and '.' only (RFC 1123 2.1), or it is left out. */
static void take_domain(const struct dhcp_message *m, char domain[static DHCP_DOMAIN_SIZE])
{
	uint16_t n;
	const uint8_t *p = dhcp_get(m, DHCP_OPT_DOMAIN, &n);

	memset(domain, 0, DHCP_DOMAIN_SIZE);
	while (p && n > 0 && p[n - 1] == '\0') /* some servers send it */
		n--;
	if (!p || n >= DHCP_DOMAIN_SIZE)
		return;
	for (unsigned i = 0; i < n; i++)
		if (!((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z') &&
		    !(p[i] >= '0' && p[i] <= '9') && p[i] != '-' && p[i] != '_' && p[i] != '.')
			return;
	memcpy(domain, p, n);
}

static void take_dns(const struct dhcp_message *m, struct dhcp_lease *l)
{
	struct ip all[DHCP_DNS_MAX];
	unsigned n = dhcp_get_ips(m, DHCP_OPT_DNS, all, DHCP_DNS_MAX);

	for (unsigned i = 0; i < n; i++)
		if (dhcp_ip_is_unicast(&all[i]))
			l->dns[l->n_dns++] = all[i];
}

/*
 * T1 and T2 (RFC 2131 4.4.5), the first a little earlier by chance, so that all who started together do not ask together.
 * False: the lease is too short, or there is none.
 */
static bool take_times(struct dhcp_client *c, const struct dhcp_message *m, struct dhcp_lease *l)
{
	uint64_t lease_ms, t1_ms, t2_ms, fuzz_ms;
	uint32_t lease_s, t1_s, t2_s;

	if (!dhcp_get_u32(m, DHCP_OPT_LEASE, &lease_s) || lease_s < DHCP_LEASE_MIN_S)
		return false;
	l->renew_ms = UINT64_MAX;
	l->rebind_ms = UINT64_MAX;
	l->end_ms = UINT64_MAX;
	if (lease_s == UINT32_MAX)
		return true;
	lease_ms = (uint64_t)lease_s * SECOND_MS;
	t1_ms = lease_ms / 2;
	t2_ms = lease_ms / 8 * 7;
	if (dhcp_get_u32(m, DHCP_OPT_T1, &t1_s) && dhcp_get_u32(m, DHCP_OPT_T2, &t2_s) &&
	    t1_s > 0 && t1_s < t2_s && t2_s < lease_s) {
		t1_ms = (uint64_t)t1_s * SECOND_MS;
		t2_ms = (uint64_t)t2_s * SECOND_MS;
	}
	fuzz_ms = draw(c) % (earlier(t1_ms / 16, FUZZ_MAX_MS) + 1);
	l->renew_ms = c->asked_ms + t1_ms - fuzz_ms;
	l->rebind_ms = c->asked_ms + t2_ms;
	l->end_ms = c->asked_ms + lease_ms;
	return true;
}

/* What an OFFER or ACK says; false: that is no lease. */
static bool take_lease(struct dhcp_client *c, const struct dhcp_message *m,
		       const struct dhcp_in *in, struct dhcp_lease *l)
{
	memset(l, 0, sizeof(*l));
	if (dhcp_get_ips(m, DHCP_OPT_SERVER, &l->server, 1) != 1 ||
	    !dhcp_ip_is_unicast(&l->server) || mac_is_group(&in->src_mac) ||
	    !take_address(m, &l->address) || !take_times(c, m, l))
		return false;
	l->server_mac = in->src_mac;
	l->gateway = take_gateway(m, &l->address);
	if (dhcp_get_u16(m, DHCP_OPT_MTU, &l->mtu) && l->mtu < MTU_MIN)
		l->mtu = 0;
	take_dns(m, l);
	take_domain(m, l->domain);
	return true;
}

static void on_offer(struct dhcp_client *c, const struct dhcp_message *m, const struct dhcp_in *in,
		     uint64_t now_ms, struct dhcp_out *out)
{
	struct dhcp_lease offer;

	if (c->state != DHCP_SELECTING || !take_lease(c, m, in, &offer))
		return;
	c->lease = offer;
	enter(c, DHCP_REQUESTING, now_ms, out);
}

/* From whom may it be?  Who was chosen, or, when everybody was asked, everybody. */
static bool is_from_ours(const struct dhcp_client *c, const struct ip *server)
{
	switch (c->state) {
	case DHCP_REQUESTING:
	case DHCP_RENEWING:
		return ip_equal(server, &c->lease.server);
	case DHCP_REBOOTING:
	case DHCP_REBINDING:
		return true;
	case DHCP_INIT:
	case DHCP_SELECTING:
	case DHCP_BOUND:
	case DHCP_STOPPED:
		return false;
	}
	return false;
}

/* All but where it came from, and its times. */
static bool is_same_lease(const struct dhcp_lease *a, const struct dhcp_lease *b)
{
	return ip_equal(&a->address.ip, &b->address.ip) && a->address.len == b->address.len &&
	       ip_equal(&a->gateway, &b->gateway) && a->mtu == b->mtu && a->n_dns == b->n_dns &&
	       memcmp(a->dns, b->dns, sizeof(a->dns)) == 0 && strcmp(a->domain, b->domain) == 0;
}

static void on_ack(struct dhcp_client *c, const struct dhcp_message *m, const struct dhcp_in *in,
		   uint64_t now_ms, struct dhcp_out *out)
{
	struct dhcp_lease lease;

	/* Another address than was asked for is nobody's to give. */
	if (!take_lease(c, m, in, &lease) || !is_from_ours(c, &lease.server) ||
	    !ip_equal(&lease.address.ip, &c->lease.address.ip) || lease.end_ms <= now_ms)
		return;
	out->event = c->has_address && is_same_lease(&lease, &c->lease) ? DHCP_EVENT_RENEWED
									: DHCP_EVENT_BOUND;
	c->lease = lease;
	c->has_address = true;
	c->refusals = 0;
	enter(c, DHCP_BOUND, now_ms, out);
}

static void on_nak(struct dhcp_client *c, const struct dhcp_message *m, uint64_t now_ms,
		   struct dhcp_out *out)
{
	struct ip server;

	if (dhcp_get_ips(m, DHCP_OPT_SERVER, &server, 1) != 1 || !is_from_ours(c, &server))
		return;
	c->refusals++;
	lose(c, "the server refused it", now_ms, out);
}

/* --- What the caller calls --- */

/* Out of a state region: written by a switch that may have crashed meanwhile. */
static bool is_lease(const struct dhcp_lease *l, uint64_t now_ms)
{
	uint8_t is_set;

	memcpy(&is_set, &l->address.is_set, 1); /* may be no bool */
	return is_set == 1 && ip_is_v4(&l->address.ip) && is_host(&l->address) &&
	       ip_is_v4(&l->server) && dhcp_ip_is_unicast(&l->server) &&
	       !mac_is_group(&l->server_mac) && ip_is_v4(&l->gateway) &&
	       (dhcp_ip_is_zero(&l->gateway) || dhcp_ip_is_unicast(&l->gateway)) &&
	       (l->mtu == 0 || l->mtu >= MTU_MIN) && l->n_dns <= DHCP_DNS_MAX &&
	       memchr(l->domain, '\0', sizeof(l->domain)) && l->renew_ms <= l->rebind_ms &&
	       l->rebind_ms <= l->end_ms && l->end_ms > now_ms;
}

void dhcp_client_init(struct dhcp_client *c, const char *name, const struct mac *mac,
		      const struct dhcp_lease *known, uint64_t seed, uint64_t now_ms)
{
	*c = (struct dhcp_client){.mac = *mac, .random = seed, .due_ms = now_ms};
	snprintf(c->name, sizeof(c->name), "%s", name);
	if (known && is_lease(known, now_ms)) {
		c->lease = *known;
		c->has_address = true;
		c->is_known = true;
	} else {
		c->due_ms += init_wait_ms(c);
	}
}

static void tick_waiting(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out)
{
	c->tries++;
	if (c->state == DHCP_REQUESTING && c->tries > REQUESTS)
		enter(c, DHCP_INIT, now_ms, out);
	else if (c->state == DHCP_REBOOTING && c->tries > REBOOTS)
		enter(c, DHCP_BOUND, now_ms, out); /* nobody said no */
	else if (c->state == DHCP_RENEWING && now_ms >= c->lease.rebind_ms)
		enter(c, DHCP_REBINDING, now_ms, out);
	else
		send_of_state(c, now_ms, out);
}

void dhcp_client_tick(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out)
{
	memset(out, 0, sizeof(*out));
	if (now_ms < c->due_ms)
		return;
	if (c->has_address && now_ms >= c->lease.end_ms) {
		lose(c, "the lease ended, and nobody renewed it", now_ms, out);
		return;
	}
	switch (c->state) {
	case DHCP_INIT:
		if (c->is_known)
			out->event = DHCP_EVENT_BOUND;
		c->is_known = false;
		enter(c, c->has_address ? DHCP_REBOOTING : DHCP_SELECTING, now_ms, out);
		return;
	case DHCP_BOUND:
		enter(c, now_ms < c->lease.rebind_ms ? DHCP_RENEWING : DHCP_REBINDING, now_ms, out);
		return;
	case DHCP_SELECTING:
	case DHCP_REQUESTING:
	case DHCP_REBOOTING:
	case DHCP_RENEWING:
	case DHCP_REBINDING:
		tick_waiting(c, now_ms, out);
		return;
	case DHCP_STOPPED:
		return;
	}
}

void dhcp_client_receive(struct dhcp_client *c, const struct dhcp_in *in, uint64_t now_ms,
			 struct dhcp_out *out)
{
	struct dhcp_message m;

	memset(out, 0, sizeof(*out));
	if (!dhcp_read(&m, in->payload, in->len) || m.h.op != DHCP_REPLY_OP || m.h.xid != c->xid ||
	    memcmp(m.h.chaddr.b, c->mac.b, sizeof(c->mac.b)) != 0)
		return;
	if (m.type == DHCP_OFFER)
		on_offer(c, &m, in, now_ms, out);
	else if (m.type == DHCP_ACK)
		on_ack(c, &m, in, now_ms, out);
	else if (m.type == DHCP_NAK)
		on_nak(c, &m, now_ms, out);
}

void dhcp_client_conflict(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out)
{
	memset(out, 0, sizeof(*out));
	if (!c->has_address)
		return;
	begin_exchange(c, now_ms);
	send_message(c, DHCP_DECLINE, now_ms, out);
	lose(c, "somebody else has it", now_ms, out);
	c->due_ms = now_ms + DECLINE_WAIT_MS + draw(c) % SECOND_MS; /* RFC 2131 3.1.5 */
}

void dhcp_client_link(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out)
{
	memset(out, 0, sizeof(*out));
	if (c->state == DHCP_STOPPED)
		return;
	if (c->has_address && !c->is_known && now_ms < c->lease.end_ms)
		enter(c, DHCP_REBOOTING, now_ms, out);
	else
		c->due_ms = now_ms;
}

void dhcp_client_release(struct dhcp_client *c, uint64_t now_ms, struct dhcp_out *out)
{
	memset(out, 0, sizeof(*out));
	if (c->has_address) {
		begin_exchange(c, now_ms);
		send_message(c, DHCP_RELEASE, now_ms, out);
		out->event = DHCP_EVENT_LOST;
	}
	c->has_address = false;
	c->is_known = false;
	enter(c, DHCP_STOPPED, now_ms, out);
}

size_t dhcp_client_frame(const struct dhcp_client *c, const struct dhcp_out *out,
			 uint8_t frame[static DHCP_FRAME_MAX])
{
	const struct dhcp_ends ends = {
		.src_mac = c->mac,
		.dst_mac = out->dst_mac,
		.src = out->src,
		.dst = out->dst,
		.sport = DHCP_CLIENT_PORT,
		.dport = DHCP_SERVER_PORT,
	};

	return dhcp_frame(frame, &ends, out->payload, out->len);
}
