/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet: the port of an interface uplink: rx out of the ring, tx by writev(2) (vnet.c).
 *
 * How it fits.  The broker makes the socket (packet_socket.c) and the helper tap; the control thread attaches them, workers
 * call port_ops.
 *
 * Theory of operation.  The kernel fills the slots of the ring in turn and then says so in tp_status; a slot is ours from then on
 * until rx_done() gives it back.  Nobody else can write to it meanwhile, so the snapshot is the frame itself, and there
 * is room in front of it for the tag that the kernel took off.
 *
 *      slot | struct tpacket2_hdr | ...     | virtio-net header, 10 bytes | frame ...                    |
 *           0                     32                                     tp_mac                       PACKET_SLOT_BYTES
 *
 * Of a frame that does not fit, the slot says TP_STATUS_COPY: all of it, with its header, is the next one in the socket's
 * queue, and is read into a buffer of the worker.  What is said of it there is believed (PACKET_AUXDATA), not what the slot
 * says, so that no frame gets the tag of another, whatever happens between ring and queue.
 *
 * Where the kernel is in the ring cannot be asked.  A ring that is attached is therefore emptied, and the first slot that
 * is then filled is where we begin.
 *
 * RFC 894; packet(7); virtio 1.2, 5.1.6.
 *
 * Trust.  The kernel wrote all that is said about a frame; sizes and offsets are checked all the same, since one look is cheap.
 * The bytes of the frame are anybody's: but for the destination on the way out, nothing here reads them.
 */
#include "bridge/packet.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/port/scratch.h"
#include "switch/port/vnet.h"

enum {
	MAC_PAIR = 12,
	VNET_BYTES = VNET_SOCKET_BYTES,
	LONG_SNAP = SNAP_MAX - TAG_BYTES, /* a tag that is put back makes the snapshot longer */
	RING_BYTES = PACKET_SLOTS * PACKET_SLOT_BYTES,
};
_Static_assert(PACKET_SLOT_BYTES % TPACKET_ALIGNMENT == 0, "packet_set_ring()");
_Static_assert(PACKET_SLOT_BYTES + 0 <= SNAP_MAX + 0, "a frame in a slot is all snapshot");

struct packet {
	uint8_t *ring;	/* NULL: not attached */
	unsigned head;	/* slot that is filled next, or is filled */
	unsigned taken; /* slots before it that the vector in hand holds */
	bool is_lost;	/* head means nothing: the next slot that is filled is the head */
	_Atomic int helper;
	_Atomic unsigned can; /* enum offload_can */
	struct mac mac;
	int old_sock, old_helper; /* detached, until they are closed */
	uint64_t lost;
};

/* What is known of a frame before its bytes are looked at. */
struct arrival {
	uint32_t status; /* TP_STATUS_VLAN_* */
	struct tag tag;
};

/* --- rx --- */

static struct tpacket2_hdr *slot_at(const struct packet *k, unsigned n)
{
	return (void *)(k->ring + (size_t)n * PACKET_SLOT_BYTES);
}

static uint32_t slot_status(const struct tpacket2_hdr *h)
{
	/* After it has said so, what the kernel wrote before is seen. */
	return __atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE);
}

static void slot_return(struct tpacket2_hdr *h)
{
	__atomic_store_n(&h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

/* Slots first: a frame that comes meanwhile then at worst misses its copy, and no copy is left over that has no slot. */
static void empty(struct packet *k, int sock)
{
	uint8_t vnet[VNET_BYTES]; /* for less, the kernel would say EINVAL */
	struct iovec iov = {vnet, sizeof(vnet)};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	unsigned errors = 0;

	for (unsigned i = 0; i < PACKET_SLOTS; i++)
		if (slot_status(slot_at(k, i)) & TP_STATUS_USER)
			slot_return(slot_at(k, i));
	/* An error that waits is told first, and once. */
	for (unsigned i = 0; i < PACKET_SLOTS && errors < 2; i++)
		if (recvmsg(sock, &m, MSG_DONTWAIT) < 0)
			errors += errno == EAGAIN ? 2 : 1;
	k->is_lost = true;
}

/* Finds the head of a ring that was emptied; false: no frame has come since. */
static bool find_head(struct packet *k, int sock)
{
	bool is_filled = true,
	     was_filled = slot_status(slot_at(k, PACKET_SLOTS - 1)) & TP_STATUS_USER;

	for (unsigned i = 0; i < PACKET_SLOTS; i++, was_filled = is_filled) {
		is_filled = slot_status(slot_at(k, i)) & TP_STATUS_USER;
		if (!is_filled || was_filled)
			continue;
		k->head = i;
		k->is_lost = false;
		return true;
	}
	if (is_filled) /* all are: nothing tells which is the first */
		empty(k, sock);
	return false;
}

static void set_dropped(struct frame *f, enum drop why)
{
	f->snap_len = 0;
	f->off = (struct offload){0};
	f->drop = (uint8_t)why;
}

static struct arrival arrival_of(uint32_t status, uint16_t tci, uint16_t tpid)
{
	struct arrival a = {.status = status};

	if (!(status & TP_STATUS_VLAN_VALID))
		return a;
	a.tag.tci = tci;
	a.tag.tpid = status & TP_STATUS_VLAN_TPID_VALID ? tpid : ETYPE_8021Q;
	return a;
}

/* Offload fields count from the frame as it is in the bytes, until ingress takes the tag off. */
static void put_tag_back(struct frame *f, struct tag tag)
{
	memmove(f->snap - TAG_BYTES, f->snap, MAC_PAIR);
	f->snap -= TAG_BYTES;
	f->snap_len += TAG_BYTES;
	f->len += TAG_BYTES;
	tag_write(f->snap + MAC_PAIR, tag);
	if (f->off.flags & OFFLOAD_NEEDS_CSUM)
		f->off.csum_start += TAG_BYTES;
	if (f->off.hdr_len)
		f->off.hdr_len += TAG_BYTES;
}

static void take_slot(struct tpacket2_hdr *h, uint32_t status, struct frame *f)
{
	uint8_t *bytes = (uint8_t *)h + h->tp_mac;
	struct arrival a = arrival_of(status, h->tp_vlan_tci, h->tp_vlan_tpid);

	f->len = h->tp_len;
	if (h->tp_mac < sizeof(*h) + FRAME_HEADROOM || h->tp_snaplen > PACKET_SLOT_BYTES ||
	    h->tp_mac + h->tp_snaplen > PACKET_SLOT_BYTES || h->tp_len < MAC_PAIR) {
		set_dropped(f, DROP_BAD_DESCRIPTOR);
		return;
	}
	if (h->tp_snaplen < h->tp_len) { /* longer than a slot, and its queue was full */
		set_dropped(f, DROP_NO_MEMORY);
		return;
	}
	memcpy(&f->off, bytes - VNET_BYTES, VNET_BYTES);
	f->snap = bytes;
	f->snap_len = (uint16_t)h->tp_len;
	if (a.tag.tpid)
		put_tag_back(f, a.tag);
}

/* What came along with a long frame; the tag of none if nothing did. */
static struct arrival read_auxdata(struct msghdr *m)
{
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(aux)))
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		return arrival_of(aux.tp_status, aux.tp_vlan_tci, aux.tp_vlan_tpid);
	}
	return (struct arrival){0};
}

/* Reads the next long frame out of the socket's queue into buf, which has FRAME_HEADROOM bytes before it. */
static void take_long(int sock, uint8_t *buf, struct scratch *s, struct frame *f)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct iovec iov = {buf - VNET_BYTES, VNET_BYTES + FRAME_MAX};
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t got = recvmsg(sock, &m, MSG_DONTWAIT);
	struct arrival a;

	if (got < 0 && errno != EAGAIN) /* that an interface was set down is told first, and once */
		got = recvmsg(sock, &m, MSG_DONTWAIT);
	if (got < VNET_BYTES + ETH_HEADER) {
		set_dropped(f, DROP_NO_MEMORY);
		return;
	}
	f->len = (uint32_t)got - VNET_BYTES;
	if (m.msg_flags & MSG_TRUNC) {
		set_dropped(f, DROP_TOO_BIG);
		return;
	}
	a = read_auxdata(&m);
	memcpy(&f->off, buf - VNET_BYTES, VNET_BYTES);
	f->snap = buf;
	f->snap_len = f->len < LONG_SNAP ? (uint16_t)f->len : LONG_SNAP;
	if (f->len > LONG_SNAP) {
		f->body = &s->iov[s->iovs++];
		*f->body = (struct iovec){buf + LONG_SNAP, f->len - LONG_SNAP};
		f->body_cnt = 1;
	}
	if (a.tag.tpid)
		put_tag_back(f, a.tag);
}

static unsigned packet_rx(struct port *p, unsigned q, struct scratch *s, struct vec *v,
			  unsigned max)
{
	struct packet *k = p->priv;
	int sock = atomic_load_explicit(&p->fd[q], memory_order_acquire);
	unsigned n = 0, n_long = 0;

	v->n = 0;
	s->iovs = 0;
	if (sock < 0 || (k->is_lost && !find_head(k, sock)))
		return 0;
	while (n < max && n_long < RX_BURST) {
		struct tpacket2_hdr *h = slot_at(k, k->head);
		uint32_t status = slot_status(h);
		struct frame *f = &v->f[n];

		if (!(status & TP_STATUS_USER))
			break;
		f->body = NULL;
		f->body_cnt = 0;
		f->drop = DROP_NONE;
		if (status & TP_STATUS_COPY) {
			f->len = h->tp_len;
			take_long(sock, s->rx + (size_t)n_long++ * RX_STRIDE + FRAME_HEADROOM, s,
				  f);
		} else {
			take_slot(h, status, f);
		}
		k->head = (k->head + 1) % PACKET_SLOTS;
		n++;
	}
	k->taken = n;
	v->n = n;
	return n;
}

static void packet_rx_done(struct port *p, unsigned q, struct scratch *s)
{
	struct packet *k = p->priv;

	(void)q;
	(void)s;
	for (; k->taken > 0; k->taken--)
		slot_return(slot_at(k, (k->head + PACKET_SLOTS - k->taken) % PACKET_SLOTS));
}

/*
 * Each frame that comes wakes who waits, so sleep is fine when there is none now.  An interface that is set down leaves an
 * error on the socket, which would keep it readable; the socket receives again when the interface is up.
 */
static bool packet_arm(struct port *p, unsigned q)
{
	struct packet *k = p->priv;
	int sock = atomic_load_explicit(&p->fd[q], memory_order_acquire), error;
	socklen_t size = sizeof(error);

	if (sock < 0)
		return true;
	getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &size);
	if (k->is_lost)
		return !find_head(k, sock);
	return !(slot_status(slot_at(k, k->head)) & TP_STATUS_USER);
}

/* --- tx --- */

static unsigned packet_tx(struct port *p, unsigned q, struct scratch *s, struct tx_frame *t,
			  unsigned n)
{
	const struct packet *k = p->priv;
	int sock = atomic_load_explicit(&p->fd[q % p->queues], memory_order_acquire);
	int helper = atomic_load_explicit(&k->helper, memory_order_acquire);
	unsigned can = atomic_load_explicit(&k->can, memory_order_relaxed);
	unsigned odd = 0;

	for (unsigned i = 0; i < n; i++) {
		bool is_host = helper >= 0 && memcmp(t[i].f->snap, k->mac.b, sizeof(k->mac)) == 0;
		struct vnet_way wire = {.fd = sock, .vnet_bytes = VNET_BYTES};
		struct vnet_way host = {.fd = helper, .vnet_bytes = VNET_TAP_BYTES};

		if (!is_host)
			vnet_send(&wire, s, &t[i], can);
		if (is_host || (helper >= 0 && frame_is_group(t[i].f)))
			vnet_send(&host, s, &t[i], can);
		/* Of a frame to both, the wire's word counts: the host is one more station there. */
		odd += vnet_answer(is_host ? &host : &wire, &t[i]);
	}
	return odd;
}

/* --- Control --- */

static void packet_close(struct port *p)
{
	packet_detach(p);
	packet_release(p);
	free(p->priv);
	p->priv = NULL;
}

static const struct port_ops packet_ops = {
	.kind = "interface",
	.rx = packet_rx,
	.rx_done = packet_rx_done,
	.tx = packet_tx,
	.arm = packet_arm,
	.close = packet_close,
};

int packet_open(struct port *p)
{
	struct packet *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	atomic_store_explicit(&k->helper, -1, memory_order_relaxed);
	k->old_sock = -1;
	k->old_helper = -1;
	port_open(p, &packet_ops, k);
	return 0;
}

int packet_attach(struct port *p, int sock, int helper, const struct mac *mac, unsigned can)
{
	struct packet *k = p->priv;
	void *ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, sock, 0);
	int error = errno;

	if (ring == MAP_FAILED) {
		close(sock);
		if (helper >= 0)
			close(helper);
		return -error;
	}
	k->ring = ring;
	k->taken = 0;
	k->mac = *mac;
	empty(k, sock);
	atomic_store_explicit(&k->can, can, memory_order_relaxed);
	atomic_store_explicit(&k->helper, helper, memory_order_release);
	atomic_store_explicit(&p->fd[0], sock, memory_order_release);
	return 0;
}

void packet_detach(struct port *p)
{
	struct packet *k = p->priv;

	if (atomic_load_explicit(&p->fd[0], memory_order_relaxed) < 0)
		return;
	k->old_sock = atomic_exchange_explicit(&p->fd[0], -1, memory_order_acq_rel);
	k->old_helper = atomic_exchange_explicit(&k->helper, -1, memory_order_acq_rel);
}

void packet_release(struct port *p)
{
	struct packet *k = p->priv;

	if (k->old_sock < 0)
		return;
	munmap(k->ring, RING_BYTES);
	close(k->old_sock);
	if (k->old_helper >= 0)
		close(k->old_helper);
	k->ring = NULL;
	k->old_sock = -1;
	k->old_helper = -1;
}

uint64_t packet_lost(struct port *p)
{
	struct packet *k = p->priv;
	int sock = atomic_load_explicit(&p->fd[0], memory_order_relaxed);
	struct tpacket_stats stats = {0};
	socklen_t size = sizeof(stats);

	/* Reading them sets them back to 0. */
	if (sock >= 0 && getsockopt(sock, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0)
		k->lost += stats.tp_drops;
	return k->lost;
}
