/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lessor: see lessor.h; switch.c hands it what the gateway has for it.
 *
 * A turn: the datagrams that wait, each through its server; then the journal, in one write; then the answers; then a worker is
 * woken.  So nothing is promised that a crash forgets.  Answers of DNS promise nothing and go at once.
 *
 * Trust.  Datagrams are guests', and dhcp/ parses them; what the resolver sends was checked by it, and is checked again by dns.c.
 */
#include "switch/lessor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/lessor_internal.h"

enum {
	UDP_BYTES = 8,
	UDP_CSUM = 6,
	TCP_CSUM = 16,
	DHCP6_PORT = 547,
	ARP_FRAME = 60, /* padded */
	ENDED_AT_ONCE = 1024,
	EVENTS_PER_S = 20,
	EVENTS_BURST = 100,
	RESOLVED_AT_ONCE = 64,
	CLAIMS_MOST = 8, /* of an access port, in the time that an address is in quarantine */
};

/* So that addresses are the same after every start, the hash that chooses them has a key of ours. */
static const uint64_t address_seed[2] = {UINT64_C(0x7666616220616464),
					 UINT64_C(0x7265737365732e31)};

struct journal_clock lessor_clock(const struct lessor *l)
{
	struct journal_clock c = l->boot;

	c.now_ms = clock_ms();
	c.wall_s = (int64_t)time(NULL);
	return c;
}

static void write_be16_at(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* --- out --- */

static void send_packet(struct lessor *l, const struct gateway_packet *k, const uint8_t *l4,
			size_t n)
{
	if (gateway_send_ip(l->d->gateway, k, l4, (uint16_t)n) < 0)
		l->unsent++;
	l->has_sent = true;
}

/* Ends of a datagram of ours, and n bytes behind its header. */
static void write_udp(uint8_t *udp, uint16_t sport, uint16_t dport, size_t n)
{
	write_be16_at(udp, sport);
	write_be16_at(udp + 2, dport);
	write_be16_at(udp + 4, (unsigned)(UDP_BYTES + n));
	write_be16_at(udp + UDP_CSUM, 0);
}

static void hold(struct lessor *l, const struct gateway_packet *k, uint16_t sport, uint16_t dport,
		 const uint8_t *payload, size_t n)
{
	struct held *h;

	if (l->n_held == HELD_MAX)
		lessor_turn(l);
	h = &l->held[l->n_held++];
	h->k = *k;
	h->len = (uint16_t)(UDP_BYTES + n);
	write_udp(h->l4, sport, dport, n);
	memcpy(h->l4 + UDP_BYTES, payload, n);
}

/* An ARP probe (RFC 5227 2.1.1): who has that address?  From nobody's, so that no table learns it. */
static void send_probe(struct lessor *l, const struct dhcp_net *net, const struct ip *ip)
{
	uint8_t f[ARP_FRAME] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 8, 6,
				0,    1,    8,	  0,	6,    4,    0,	      1};

	memcpy(f + 6, &net->mac, 6);
	memcpy(f + 22, &net->mac, 6);
	memcpy(f + 38, ip->b + 12, 4);
	if (gateway_send(l->d->gateway, net->vid, f, sizeof(f)) < 0)
		l->unsent++;
	l->has_sent = true;
}

/* --- in --- */

static struct dhcp_ask ask_of(const struct lessor *l, const struct gateway_datagram *g)
{
	const struct lessor_port *p = &l->port[g->slot];

	return (struct dhcp_ask){
		.payload = g->payload,
		.len = g->len,
		.src_mac = g->src_mac,
		.src = g->src,
		.dst = g->dst,
		.port = p->name,
		.is_shared = p->is_shared,
	};
}

static void receive_dhcp(struct lessor *l, const struct dhcp_net *net,
			 const struct gateway_datagram *g)
{
	const struct dhcp_ask ask = ask_of(l, g);
	struct gateway_packet k = {.vid = net->vid, .csum_at = UDP_CSUM, .proto = PROTO_UDP};
	struct dhcp_answer a;

	dhcp_server_receive(l->v4, net, &ask, clock_ms(), &a);
	if (a.has_probe)
		send_probe(l, net, &a.probe);
	if (a.len == 0)
		return;
	k.mac = a.ends.dst_mac;
	k.src = a.ends.src;
	k.dst = a.ends.dst;
	hold(l, &k, a.ends.sport, a.ends.dport, a.payload, a.len);
}

static struct ip link_local(const struct mac *mac)
{
	const uint8_t *b = mac->b;

	return (struct ip){{0xfe, 0x80, [8] = b[0] ^ 2, b[1], b[2], 0xff, 0xfe, b[3], b[4], b[5]}};
}

static void receive_dhcp6(struct lessor *l, const struct dhcp_net *net,
			  const struct gateway_datagram *g)
{
	const struct dhcp_ask ask = ask_of(l, g);
	const struct gateway_packet k = {
		.vid = net->vid,
		.csum_at = UDP_CSUM,
		.proto = PROTO_UDP,
		.mac = g->src_mac,
		.src = link_local(&net->mac),
		.dst = g->src,
	};
	struct dhcp6_answer a;

	dhcp6_server_receive(l->v6, net, &ask, clock_ms(), &a);
	if (a.len > 0)
		hold(l, &k, DHCP6_SERVER_PORT, DHCP6_CLIENT_PORT, a.payload, a.len);
}

static struct stream_ends ends_of(const struct gateway_datagram *g)
{
	return (struct stream_ends){
		.vid = g->vid,
		.slot = g->slot,
		.mac = g->src_mac,
		.src = g->src,
		.dst = g->dst,
		.sport = g->sport,
		.dport = g->dport,
	};
}

static struct dns_asker asker_of(const struct stream_ends *e)
{
	return (struct dns_asker){
		.vid = e->vid,
		.slot = e->slot,
		.mac = e->mac,
		.src = e->src,
		.dst = e->dst,
		.sport = e->sport,
	};
}

static void receive_dns(struct lessor *l, const struct gateway_datagram *g)
{
	const struct stream_ends e = ends_of(g);
	const struct dns_asker from = asker_of(&e);

	dns_ask(l->dns, &from, g->payload, g->len, clock_ms());
}

static void receive_tcp(struct lessor *l, const struct gateway_datagram *g)
{
	const struct stream_ends e = ends_of(g);

	streams_receive(l->streams, &e, g->payload, g->len, clock_ms());
}

/* Somebody has an address that is being offered.  A port that says so of all of them would leave none for the others. */
static void receive_claim(struct lessor *l, const struct dhcp_net *net,
			  const struct gateway_datagram *g)
{
	struct lessor_port *p = &l->port[g->slot];
	uint64_t now_ms = clock_ms();

	if (p->n_claims == 0 || now_ms - p->claims_ms >= LEASE_QUARANTINE_MS) {
		p->n_claims = 0;
		p->claims_ms = now_ms;
	}
	if (p->is_shared || p->n_claims++ < CLAIMS_MOST)
		dhcp_server_conflict(l->v4, net, &g->src, &g->src_mac, now_ms);
}

void lessor_receive(struct lessor *l, const struct gateway_datagram *g)
{
	const struct dhcp_net *net = l->net[g->vid];

	if (!net || g->slot >= SLOT_MAX)
		return; /* it went while the datagram waited */
	l->asking = g->slot;
	if (g->proto == SERVICE_ARP)
		receive_claim(l, net, g);
	else if (g->proto == PROTO_TCP)
		receive_tcp(l, g);
	else if (g->dport == DHCP_SERVER_PORT)
		receive_dhcp(l, net, g);
	else if (g->dport == DHCP6_PORT)
		receive_dhcp6(l, net, g);
	else if (g->dport == DNS_UDP_PORT)
		receive_dns(l, g);
}

/* --- between DNS, its TCP connections and the resolver --- */

static void on_dns_answer(void *arg, const struct dns_asker *to, const uint8_t *bytes, size_t n)
{
	struct lessor *l = arg;
	const struct gateway_packet k = {
		.vid = to->vid,
		.csum_at = UDP_CSUM,
		.proto = PROTO_UDP,
		.mac = to->mac,
		.src = to->dst,
		.dst = to->src,
	};
	uint8_t udp[UDP_BYTES + DNS_UDP_BYTES];

	if (to->is_tcp) {
		streams_answer(l->streams, to->conn, bytes, n, clock_ms());
		return;
	}
	write_udp(udp, DNS_UDP_PORT, to->sport, n);
	memcpy(udp + UDP_BYTES, bytes, n);
	send_packet(l, &k, udp, UDP_BYTES + n);
}

static bool on_dns_forward(void *arg, uint32_t token, const char *domain, const uint8_t *query,
			   size_t n)
{
	struct lessor *l = arg;
	struct resolver_ask ask = {.token = token, .len = (uint16_t)n};

	if (l->resolver_fd < 0 || n > sizeof(ask.query))
		return false;
	snprintf(ask.domain, sizeof(ask.domain), "%s", domain);
	memcpy(ask.query, query, n);
	n += offsetof(struct resolver_ask, query);
	return write(l->resolver_fd, &ask, n) == (ssize_t)n;
}

static void on_stream_send(void *arg, const struct stream_ends *e, const uint8_t *segment, size_t n)
{
	const struct gateway_packet k = {
		.vid = e->vid,
		.csum_at = TCP_CSUM,
		.proto = PROTO_TCP,
		.mac = e->mac,
		.src = e->dst,
		.dst = e->src,
	};

	send_packet(arg, &k, segment, n);
}

static void on_stream_message(void *arg, uint64_t conn, const struct stream_ends *e,
			      const uint8_t *bytes, size_t n)
{
	struct lessor *l = arg;
	struct dns_asker from = asker_of(e);

	from.is_tcp = true;
	from.conn = conn;
	dns_ask(l->dns, &from, bytes, n, clock_ms());
}

static void on_stream_gone(void *arg, uint64_t conn)
{
	struct lessor *l = arg;

	dns_forget(l->dns, conn);
}

static void drop_resolver(struct lessor *l)
{
	if (l->resolver_fd < 0)
		return;
	loop_del(l->d->loop, l->resolver_fd);
	close(l->resolver_fd);
	l->resolver_fd = -1;
}

static void on_resolved(void *arg, uint32_t events)
{
	struct lessor *l = arg;
	struct resolver_answer a;
	const size_t header = offsetof(struct resolver_answer, bytes);
	ssize_t n = 0;

	(void)events;
	for (unsigned i = 0; i < RESOLVED_AT_ONCE; i++) {
		n = read(l->resolver_fd, &a, sizeof(a));
		if (n < (ssize_t)header || a.len != (size_t)n - header)
			break;
		dns_resolved(l->dns, a.token, a.bytes, a.error ? 0 : a.len, clock_ms());
	}
	/* Gone: the broker starts another one and tells. */
	if (n == 0 || (n < 0 && errno != EAGAIN))
		drop_resolver(l);
	lessor_turn(l);
}

void lessor_resolver(struct lessor *l, uint32_t news, int fd)
{
	if (news & RESOLVER_HAS_OTHERS)
		dns_cache_flush(l->dns);
	if (fd < 0)
		return;
	drop_resolver(l);
	if (loop_add(l->d->loop, fd, EPOLLIN, on_resolved, l) < 0)
		close(fd);
	else
		l->resolver_fd = fd;
}

/* --- turns and time --- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void on_timer(void *arg, uint32_t events)
{
	struct lessor *l = arg;

	(void)events;
	l->timer = 0;
	l->timer_ms = UINT64_MAX;
	lessor_turn(l);
}

static void arm(struct lessor *l, uint64_t due_ms, uint64_t now_ms)
{
	uint64_t wait_ms = due_ms > now_ms ? due_ms - now_ms : 1;

	if (due_ms >= l->timer_ms)
		return;
	loop_cancel(l->d->loop, l->timer);
	l->timer = loop_after(l->d->loop, wait_ms > 3600000 ? 3600000 : (uint32_t)wait_ms, on_timer,
			      l);
	l->timer_ms = due_ms;
}

static void tell_journal(struct lessor *l)
{
	struct journal_stats s;

	journal_stats(l->journal, &s);
	if (s.is_broken == l->is_broken)
		return;
	l->is_broken = s.is_broken;
	state_event(l->d->state, "lease_journal", "",
		    s.is_broken ? "leases cannot be written to the disk; they go on in memory"
				: "leases are written to the disk again");
}

void lessor_turn(struct lessor *l)
{
	uint64_t now_ms = clock_ms(), due_ms = leases_tick(l->leases, now_ms, ENDED_AT_ONCE);
	struct journal_clock now = lessor_clock(l);

	due_ms = earliest(due_ms, lessor_taps_tick(l, now_ms));
	due_ms = earliest(due_ms, dns_tick(l->dns, now_ms));
	due_ms = earliest(due_ms, streams_tick(l->streams, now_ms));
	due_ms = earliest(due_ms, journal_flush(l->journal, &now));
	tell_journal(l);
	for (unsigned i = 0; i < l->n_held; i++)
		send_packet(l, &l->held[i].k, l->held[i].l4, l->held[i].len);
	l->n_held = 0;
	if (l->has_sent && l->d->n_workers)
		worker_wake(l->d->worker[0]);
	l->has_sent = false;
	if (!l->is_stopping)
		arm(l, due_ms, now_ms);
}

/* --- life --- */

struct lessor *lessor_create(struct daemon *d, const int journal_fd[static 2], const char *boot)
{
	struct lessor *l = calloc(1, sizeof(*l));
	const struct dhcp_world world = {l, lessor_net_of_link, lessor_is_tied, lessor_is_there};
	const struct dns_ways ways = {l, on_dns_answer, on_dns_forward};
	const struct stream_ways stream = {l, on_stream_send, on_stream_message, on_stream_gone};
	struct journal_clock now;
	uint64_t secret[2];

	if (!l || getrandom(secret, sizeof(secret), 0) != sizeof(secret)) {
		free(l);
		return NULL;
	}
	l->d = d;
	l->resolver_fd = -1;
	l->timer_ms = UINT64_MAX;
	rate_init(&l->events, EVENTS_PER_S, EVENTS_BURST);
	snprintf(l->boot.boot, sizeof(l->boot.boot), "%s", boot);
	l->held = calloc(HELD_MAX, sizeof(*l->held));
	l->net = calloc(VLANS, sizeof(struct dhcp_net *));
	l->leases = leases_create(address_seed, secret);
	l->dns = dns_create(secret);
	l->streams = streams_create(&stream, secret);
	if (!l->held || !l->net || !l->leases || !l->dns || !l->streams)
		goto err;
	l->v4 = dhcp_server_create(l->leases, &world);
	l->v6 = dhcp6_server_create(l->leases, &world);
	if (!l->v4 || !l->v6)
		goto err;
	now = lessor_clock(l);
	l->journal = journal_open(journal_fd, l->leases, &now);
	if (!l->journal)
		goto err;
	dns_ways(l->dns, &ways);
	leases_listen(l->leases, lessor_news, l);
	return l;
err:
	lessor_destroy(l);
	return NULL;
}

void lessor_destroy(struct lessor *l)
{
	if (!l)
		return;
	l->is_stopping = true;
	if (l->journal)
		lessor_turn(l);
	loop_cancel(l->d->loop, l->timer);
	drop_resolver(l);
	journal_close(l->journal);
	streams_destroy(l->streams);
	dhcp6_server_destroy(l->v6);
	dhcp_server_destroy(l->v4);
	dns_destroy(l->dns);
	leases_destroy(l->leases);
	for (unsigned vid = 0; l->net && vid < VLANS; vid++)
		dhcp_net_destroy(l->net[vid]);
	free(l->net);
	free(l->held);
	free(l->names);
	free(l);
}

void lessor_apply(struct lessor *l)
{
	bool is_new = lessor_apply_ports(l);

	lessor_apply_nets(l);
	lessor_apply_ties(l, is_new);
	lessor_apply_resolver(l);
	l->taps_ms = 0;
	lessor_turn(l);
}

/* --- for verbs --- */

struct leases *lessor_leases(struct lessor *l)
{
	return l->leases;
}

const struct dhcp_net *lessor_net(const struct lessor *l, const char *name)
{
	const struct conf_network *net = conf_find_network(l->d->conf, name);

	return net ? l->net[net->vlan] : NULL;
}

/* The live lease of that address in a network, or NULL. */
static struct lease *live_at(struct lessor *l, const struct dhcp_net *net, const struct ip *ip)
{
	struct lease_pool *pool = ip_is_v4(ip) ? net->pool4 : net->pool6;
	struct lease *lease = pool ? leases_at(l->leases, pool, ip) : NULL;

	return lease && lease->state != LEASE_PAST ? lease : NULL;
}

int lessor_release(struct lessor *l, const char *network, const struct ip *ip)
{
	struct lease *found = NULL;

	for (size_t i = 0; i < l->d->conf->n_networks; i++) {
		const struct conf_network *cn = &l->d->conf->networks[i];
		const struct dhcp_net *net = l->net[cn->vlan];
		struct lease *lease = net && (!network || strcmp(network, cn->name) == 0)
					      ? live_at(l, net, ip)
					      : NULL;

		if (lease && found)
			return -EBUSY;
		found = lease ? lease : found;
	}
	if (!found)
		return -ENOENT;
	leases_release(l->leases, found, clock_ms());
	lessor_turn(l);
	return 0;
}

void lessor_stats(const struct lessor *l, struct lessor_stats *out)
{
	out->v4 = *dhcp_server_counters(l->v4);
	out->v6 = *dhcp6_server_counters(l->v6);
	out->dns = *dns_counters(l->dns);
	journal_stats(l->journal, &out->journal);
	out->unsent = l->unsent;
}
