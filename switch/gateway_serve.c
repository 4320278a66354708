/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway_serve: datagrams that the control thread answers (DHCP), and the frames that it sends.
 *
 * Two rings, each with one producer and one consumer at a time: workers write the first and read the second under the gateway's
 * lock; the control thread has the other ends, without it.
 *
 * Trust.  A datagram is the sender's; its checksum is verified here, what is in it is the service's to judge.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "switch/base/csum.h"
#include "switch/gateway_internal.h"

enum { FRAME_MOST = 1514, UDP_CSUM = 6 };

/* A frame of the control thread's. */
struct queued_frame {
	uint16_t vid, len;
	uint8_t bytes[];
};

bool gateway_is_served(const struct gateway *g, uint16_t vid, uint16_t port)
{
	for (unsigned i = 0; i < g->n_services; i++)
		if (g->service[i].port == port && g->service[i].vid == vid)
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
static bool is_sound(const struct packet *k, const uint8_t *udp, uint32_t n)
{
	unsigned skip = k->is_v6 ? 0 : 12;

	if (k->f->off.flags & OFFLOAD_NEEDS_CSUM)
		return true;
	if (!k->is_v6 && read_be16(udp + UDP_CSUM) == 0)
		return true;
	return csum_fold(csum_add(
		       csum_pseudo(k->src.b + skip, k->dst.b + skip, 16 - skip, PROTO_UDP, n), udp,
		       n)) == 0;
}

enum drop gateway_serve_datagram(struct gateway *g, const struct work *w)
{
	const struct packet *k = &w->k;
	uint8_t udp[UDP_BYTES + sizeof(((struct gateway_datagram *)NULL)->payload)];
	uint32_t n = read_be16(k->f->snap + k->l4 +
			       4); /* packet_parse(): 8 and more, within the packet */
	struct gateway_datagram *d;
	uint64_t one = 1;

	if (n > sizeof(udp) || frame_copy(k->f, k->l4, udp, n) != n || !is_sound(k, udp, n))
		return DROP_BAD_IP;
	d = ring_reserve(g->inbox, sizeof(*d));
	if (!d) {
		note(g->call->rec, k->f, STAGE_GATEWAY, "the service is behind: lost");
		return DROP_NO_MEMORY;
	}
	*d = (struct gateway_datagram){
		.vid = w->from->vid,
		.slot = g->call->in_slot,
		.src = k->src,
		.dst = k->dst,
		.sport = k->sport,
		.dport = k->dport,
		.len = (uint16_t)(n - UDP_BYTES),
	};
	memcpy(d->src_mac.b, k->f->snap + 6, 6);
	memcpy(d->payload, udp + UDP_BYTES, n - UDP_BYTES);
	ring_commit(g->inbox, sizeof(*d));
	if (write(g->service_fd, &one, sizeof(one)) < 0)
		note(g->call->rec, k->f, STAGE_GATEWAY, "the service has been called already");
	note(g->call->rec, k->f, STAGE_GATEWAY, "for the service at UDP port %u", k->dport);
	k->f->out = OUT_LOCAL;
	return DROP_NONE;
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
		d = ring_peek(g->inbox, &n);
		if (!d)
			return false;
	}
	memcpy(out, d, sizeof(*out));
	ring_pop(g->inbox);
	return true;
}

int gateway_service_fd(const struct gateway *g)
{
	return g->service_fd;
}

int gateway_send(struct gateway *g, uint16_t vid, const uint8_t *frame, uint16_t len)
{
	struct queued_frame *q;

	if (len < ETH_HEADER || len > FRAME_MOST)
		return -ENOBUFS;
	q = ring_reserve(g->outbox, sizeof(*q) + len);
	if (!q)
		return -ENOBUFS;
	q->vid = vid;
	q->len = len;
	memcpy(q->bytes, frame, len);
	ring_commit(g->outbox, sizeof(*q) + len);
	atomic_store_explicit(&g->has_queued, true, memory_order_release);
	return 0;
}

void gateway_send_queued(struct gateway *g)
{
	const struct queued_frame *q;
	struct frame *f;
	size_t n;

	while (gateway_made_room(g) > 0 && (q = ring_peek(g->outbox, &n)) != NULL) {
		const struct gateway_leg *leg = gateway_leg_of(g->call->conf, q->vid);

		f = leg->vid ? gateway_made_new(g, leg) : NULL; /* NULL: it is gone meanwhile */
		if (f) {
			memcpy(f->snap, q->bytes, q->len);
			f->len = q->len;
			f->snap_len = q->len;
			f->etype = frame_etype(f);
		}
		ring_pop(g->outbox);
	}
}
