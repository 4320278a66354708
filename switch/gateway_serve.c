/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_serve: what the control thread answers (DHCP, DNS), and the frames and packets that it sends.
 *
 * Two rings, each with one producer and one consumer at a time: workers write the first and read the second under the gateway's
 * lock; the control thread has the other ends, without it.  It is called, by an eventfd, once for all that comes until it has
 * emptied the inbox.
 *
 * Trust.  A datagram is the sender's; its checksum is verified here, what is in it is the service's to judge.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "switch/base/csum.h"
#include "switch/gateway_internal.h"

enum { FRAME_MOST = 1514, UDP_LENGTH = 4, UDP_CSUM = 6, ARP_SHA = 22, ARP_SPA = 28 };

/* What the control thread sends: a frame, or a packet that gets its headers here. */
struct queued {
	struct gateway_packet k; /* proto 0: bytes are a frame for k.vid */
	uint16_t len;
	uint8_t bytes[];
};

bool gateway_is_served(const struct gateway *g, const struct gateway_leg *leg, uint8_t proto,
		       uint16_t port)
{
	if (!leg->is_outside)
		return gateway_leg_serves(leg, proto, port);
	for (unsigned i = 0; i < g->n_services && proto == PROTO_UDP; i++)
		if (g->service[i].port == port && g->service[i].vid == leg->vid)
			return true;
	return false;
}

void gateway_serve(struct gateway *g, uint16_t vid, uint16_t udp_port, bool on)
{
	unsigned i = 0;

	while (i < g->n_services && !(g->service[i].port == udp_port && g->service[i].vid == vid))
		i++;
	if (on && i == g->n_services && i < SERVICES_MAX) {
		g->service[i].vid = vid;
		g->service[i].port = udp_port;
		g->n_services++;
	} else if (!on && i < g->n_services) {
		g->service[i] = g->service[--g->n_services];
	}
}

/* A whole checksum is right; one that the sender's hardware was to fill in is taken as right (RFC 768: 0 is none, but of IPv6). */
static bool is_sound(const struct packet *k, const uint8_t *l4, uint32_t n)
{
	unsigned skip = k->is_v6 ? 0 : 12;

	if (k->f->off.flags & OFFLOAD_NEEDS_CSUM)
		return true;
	if (k->proto == PROTO_UDP && !k->is_v6 && read_be16(l4 + UDP_CSUM) == 0)
		return true;
	return csum_fold(csum_add(
		       csum_pseudo(k->src.b + skip, k->dst.b + skip, 16 - skip, k->proto, n), l4,
		       n)) == 0;
}

/* Room in the inbox for n bytes of what that port says, or NULL. */
static struct gateway_datagram *reserve(struct gateway *g, uint32_t n)
{
	struct ring *r = g->inbox;
	uint16_t waiting =
		atomic_load_explicit(&g->waiting[g->call->in_slot], memory_order_relaxed);
	size_t used = atomic_load_explicit(&r->head, memory_order_relaxed) -
		      atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (waiting >= (used < r->size / 2 ? SERVICE_SHARE : SERVICE_SHARE_LEAST))
		return NULL;
	return ring_reserve(r, offsetof(struct gateway_datagram, payload) + n);
}

static void commit(struct gateway *g, const struct gateway_datagram *d)
{
	atomic_fetch_add_explicit(&g->waiting[g->call->in_slot], 1, memory_order_relaxed);
	ring_commit(g->inbox, offsetof(struct gateway_datagram, payload) + d->len);
	g->has_served = true;
}

void gateway_call_service(struct gateway *g)
{
	if (!atomic_exchange_explicit(&g->is_called, true, memory_order_acq_rel))
		eventfd_write(g->service_fd, 1); /* a counter that cannot be full */
}

enum drop gateway_serve_datagram(struct gateway *g, const struct work *w)
{
	const struct packet *k = &w->k;
	bool is_udp = k->proto == PROTO_UDP;
	uint8_t l4[UDP_BYTES + SERVICE_BYTES];
	/* Of UDP its own length: packet_parse(): 8 and more, within the packet. */
	uint32_t n = is_udp ? read_be16(k->f->snap + k->l4 + UDP_LENGTH)
			    : k->ip_bytes - (k->l4 - k->l3),
		 header = is_udp ? UDP_BYTES : 0;
	struct gateway_datagram *d;

	if (n > header + SERVICE_BYTES || frame_copy(k->f, k->l4, l4, n) != n ||
	    !is_sound(k, l4, n))
		return DROP_BAD_IP;
	d = reserve(g, n - header);
	if (!d) {
		note(g->call->rec, k->f, STAGE_GATEWAY,
		     "too much of this port waits for the service");
		return DROP_RATE;
	}
	memset(d, 0, offsetof(struct gateway_datagram, payload));
	d->vid = w->from->vid;
	d->slot = g->call->in_slot;
	d->proto = k->proto;
	d->is_inside = !w->from->is_outside;
	d->src = k->src;
	d->dst = k->dst;
	d->sport = k->sport;
	d->dport = k->dport;
	d->len = (uint16_t)(n - header);
	memcpy(d->src_mac.b, k->f->snap + 6, 6);
	memcpy(d->payload, l4 + header, n - header);
	commit(g, d);
	note(g->call->rec, k->f, STAGE_GATEWAY, "for the service at %s port %u",
	     is_udp ? "UDP" : "TCP", k->dport);
	k->f->out = OUT_LOCAL;
	return DROP_NONE;
}

void gateway_serve_arp(struct gateway *g, const struct gateway_leg *leg, const struct frame *f)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct gateway_datagram *d = leg->serves & SERVES_DHCP ? reserve(g, 0) : NULL;

	if (!d)
		return;
	memset(d, 0, offsetof(struct gateway_datagram, payload));
	d->vid = leg->vid;
	d->slot = g->call->in_slot;
	d->proto = SERVICE_ARP;
	d->is_inside = true;
	memcpy(d->src_mac.b, f->snap + ARP_SHA, 6);
	memcpy(d->src.b, mapped, sizeof(mapped));
	memcpy(d->src.b + 12, f->snap + ARP_SPA, 4);
	commit(g, d);
}

bool gateway_service_read(struct gateway *g, struct gateway_datagram *out)
{
	const void *d;
	uint64_t calls;
	size_t n;

	d = ring_peek(g->inbox, &n);
	if (!d) {
		/* Emptied before the second look, so that what comes after that calls again. */
		if (read(g->service_fd, &calls, sizeof(calls)) < 0)
			return false;
		/* An exchange: of the last call it sees all that was committed before that. */
		atomic_exchange_explicit(&g->is_called, false, memory_order_acq_rel);
		d = ring_peek(g->inbox, &n);
		if (!d)
			return false;
	}
	memcpy(out, d, n);
	ring_pop(g->inbox);
	atomic_fetch_sub_explicit(&g->waiting[out->slot], 1, memory_order_relaxed);
	return true;
}

int gateway_service_fd(const struct gateway *g)
{
	return g->service_fd;
}

static int queue(struct gateway *g, const struct gateway_packet *k, const uint8_t *bytes,
		 uint16_t len)
{
	struct queued *q = ring_reserve(g->outbox, sizeof(*q) + len);

	if (!q)
		return -ENOBUFS;
	q->k = *k;
	q->len = len;
	memcpy(q->bytes, bytes, len);
	ring_commit(g->outbox, sizeof(*q) + len);
	atomic_store_explicit(&g->has_queued, true, memory_order_release);
	return 0;
}

int gateway_send(struct gateway *g, uint16_t vid, const uint8_t *frame, uint16_t len)
{
	const struct gateway_packet k = {.vid = vid};

	return len < ETH_HEADER || len > FRAME_MOST ? -ENOBUFS : queue(g, &k, frame, len);
}

int gateway_send_ip(struct gateway *g, const struct gateway_packet *k, const uint8_t *l4,
		    uint16_t n)
{
	unsigned header = ip_is_v4(&k->src) ? IPV4_BYTES : IPV6_BYTES;

	return n > FRAME_MOST - ETH_HEADER - header ? -ENOBUFS : queue(g, k, l4, n);
}

/* Frame or packet, from the leg. */
static void send_one(struct gateway *g, const struct gateway_leg *leg, const struct queued *q)
{
	struct gateway_ip ip = {
		.leg = leg,
		.src = q->k.src,
		.dst = q->k.dst,
		.mac = q->k.mac,
		.proto = q->k.proto,
		.hops = TTL_OURS,
		.l4 = q->len,
	};
	struct frame *f;
	uint8_t *l4;

	if (q->k.proto) {
		l4 = gateway_made_ip(g, &ip, &f);
		if (!l4)
			return;
		memcpy(l4, q->bytes, q->len);
		gateway_seal(f, &ip, q->k.csum_at);
		return;
	}
	f = gateway_made_new(g, leg);
	if (!f)
		return;
	memcpy(f->snap, q->bytes, q->len);
	f->len = q->len;
	f->snap_len = q->len;
	f->etype = frame_etype(f);
}

void gateway_send_queued(struct gateway *g)
{
	const struct queued *q;
	size_t n;

	while (gateway_made_room(g) > 0 && (q = ring_peek(g->outbox, &n)) != NULL) {
		const struct gateway_leg *leg = gateway_leg_of(g->call->conf, q->k.vid);

		if (leg->vid) /* else it is gone meanwhile */
			send_one(g, leg, q);
		ring_pop(g->outbox);
	}
}
