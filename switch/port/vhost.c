/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost: the device of a vhost-user port: which rings run, with what, and the port that they make.
 *
 * switch/guest.c opens it and reads its socket; vhost_msg.c changes it; workers come in by vhost_ops.
 *
 * Theory of operation.  A ring runs when the front-end has started it (a kick descriptor, or the word that there will be
 * none), its size is known and its addresses lie in the guest's memory.  What the path reads of a running ring is
 * constant; to change any of it the ring is stopped: its mode says so, and after a grace period no worker is in it.
 *
 *                  run, not enabled            enabled
 *      RING_STOPPED ---------------> RING_DISCARD <-> RING_ON ---> RING_BROKEN
 *           ^---------------- stop ------------'---------'--------------'
 *
 * Trust.  What was saved is from a switch that a guest may have had in its hands: it is checked as a message would be.
 */
#include "switch/port/vhost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "switch/base/rcu.h"
#include "switch/port/gso.h"
#include "switch/port/inflight.h"

enum {
	POLL_NS = 1000000, /* how often a ring without a kick descriptor is looked at while idle */
	ETYPE_RARP = 0x8035,
	ANNOUNCE_BYTES = ETH_MIN,
};

static const uint64_t offered = FEATURE(VIRTIO_NET_F_CSUM) | FEATURE(VIRTIO_NET_F_GUEST_CSUM) |
				FEATURE(VIRTIO_NET_F_MTU) | FEATURE(VIRTIO_NET_F_GUEST_TSO4) |
				FEATURE(VIRTIO_NET_F_GUEST_TSO6) | FEATURE(VIRTIO_NET_F_GUEST_ECN) |
				FEATURE(VIRTIO_NET_F_HOST_TSO4) | FEATURE(VIRTIO_NET_F_HOST_TSO6) |
				FEATURE(VIRTIO_NET_F_HOST_ECN) | FEATURE(VIRTIO_NET_F_MRG_RXBUF) |
				FEATURE(VIRTIO_NET_F_STATUS) | FEATURE(VIRTIO_NET_F_CTRL_VQ) |
				FEATURE(VIRTIO_NET_F_CTRL_RX) | FEATURE(VIRTIO_NET_F_CTRL_VLAN) |
				FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) | FEATURE(VIRTIO_NET_F_MQ) |
				FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) | FEATURE(VIRTIO_F_ANY_LAYOUT) |
				FEATURE(VIRTIO_F_INDIRECT_DESC) | FEATURE(VIRTIO_F_EVENT_IDX) |
				FEATURE(VHOST_USER_F_PROTOCOL_FEATURES) |
				FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VIRTIO_F_RING_PACKED) |
				FEATURE(VIRTIO_F_IN_ORDER) | FEATURE(VIRTIO_NET_F_GUEST_USO4) |
				FEATURE(VIRTIO_NET_F_GUEST_USO6) | FEATURE(VIRTIO_NET_F_HOST_USO);

static const uint64_t protocol_offered =
	FEATURE(VHOST_PROTOCOL_MQ) | FEATURE(VHOST_PROTOCOL_RARP) |
	FEATURE(VHOST_PROTOCOL_REPLY_ACK) | FEATURE(VHOST_PROTOCOL_NET_MTU) |
	FEATURE(VHOST_PROTOCOL_CONFIG) | FEATURE(VHOST_PROTOCOL_INFLIGHT_SHMFD) |
	FEATURE(VHOST_PROTOCOL_RESET_DEVICE) | FEATURE(VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS) |
	FEATURE(VHOST_PROTOCOL_STATUS);

uint64_t vhost_features(const struct vhost *vh)
{
	return vh->pairs > 1 ? offered : offered & ~FEATURE(VIRTIO_NET_F_MQ);
}

uint64_t vhost_protocol_features(void)
{
	return protocol_offered;
}

static bool has(const struct vhost *vh, unsigned bit)
{
	return vh->now.features >> bit & 1;
}

static bool is_transmit(unsigned ring)
{
	return ring & 1;
}

/*
 * Wherever a kick or a call came from, it has to be an eventfd: adding 0 to one is legal, harmless, and never waits.  Before
 * that, it has to be of no file system: DONT_SYNC, because one that a guest serves would let us wait for the answer.
 */
bool vhost_is_eventfd(int fd)
{
	uint64_t zero = 0;
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0 &&
	       (st.stx_mode & S_IFMT) == 0 && write(fd, &zero, sizeof(zero)) == sizeof(zero);
}

/* --- the port ---------------------------------------------------------------------------- */

/* The RARP by which others learn where a guest is now (vhost-user, SEND_RARP; RFC 903). */
static unsigned take_announce(struct vhost *vh, struct scratch *s, struct vec *v)
{
	static const uint8_t fixed[] = {0, 1, 8, 0,
					6, 4, 0, 3}; /* Ethernet, IPv4, request reverse */
	uint64_t mac = atomic_exchange(&vh->announce, 0);
	struct frame *f = &v->f[0];
	uint8_t *b = s->head + FRAME_HEADROOM;

	memset(b, 0, ANNOUNCE_BYTES);
	memset(b, 0xff, 6);
	memcpy(b + 6, &mac, 6);
	b[12] = ETYPE_RARP >> 8;
	b[13] = ETYPE_RARP & 0xff;
	memcpy(b + ETH_HEADER, fixed, sizeof(fixed));
	memcpy(b + 22, &mac, 6); /* sender and target hardware address */
	memcpy(b + 32, &mac, 6);
	s->iovs = 0;
	*f = (struct frame){.snap = b, .len = ANNOUNCE_BYTES, .snap_len = ANNOUNCE_BYTES};
	v->n = 1;
	return 1;
}

static bool is_running(const struct vring *r)
{
	uint8_t mode = atomic_load_explicit(&r->mode, memory_order_acquire);

	return mode == RING_ON || mode == RING_DISCARD;
}

static bool is_broken(const struct vring *r)
{
	return atomic_load_explicit(&r->mode, memory_order_relaxed) == RING_BROKEN;
}

/* Calls that a process owed when it died, for both rings of a pair. */
static __attribute__((noinline, cold)) void settle_calls(struct vring *pair, struct scratch *s)
{
	for (unsigned i = 0; i < 2; i++)
		if (is_running(&pair[i]) && atomic_exchange(&pair[i].owes_call, false))
			call_guest(&pair[i], s);
}

static unsigned vhost_rx(struct port *p, unsigned q, struct scratch *s, struct vec *v, unsigned max)
{
	struct vhost *vh = vhost_of(p);
	struct vring *pair = &vh->ring[2 * q];
	unsigned n;

	v->n = 0;
	if (!is_running(&pair[1]))
		return 0;
	if (__builtin_expect(atomic_load_explicit(&vh->announce, memory_order_relaxed) != 0, 0))
		return take_announce(vh, s, v);
	if (__builtin_expect(atomic_load_explicit(&pair[0].owes_call, memory_order_relaxed) ||
				     atomic_load_explicit(&pair[1].owes_call, memory_order_relaxed),
			     0))
		settle_calls(pair, s);
	n = vring_take(&pair[1], s, v, max);
	if (__builtin_expect(is_broken(&pair[1]), 0)) /* now, or by what was fetched ahead */
		tell_guest(&pair[1], s);
	return n;
}

static void vhost_rx_done(struct port *p, unsigned q, struct scratch *s)
{
	vring_return(&vhost_of(p)->ring[2 * q + 1], s);
}

static unsigned vhost_tx(struct port *p, unsigned q, struct scratch *s, struct tx_frame *t,
			 unsigned n)
{
	struct vhost *vh = vhost_of(p);
	unsigned outs = atomic_load_explicit(&vh->n_out, memory_order_acquire);
	struct vring *r = NULL;

	if (outs)
		r = &vh->ring[atomic_load_explicit(&vh->out[q % outs], memory_order_relaxed)];
	if (r && atomic_load_explicit(&r->mode, memory_order_acquire) == RING_ON) {
		unsigned odd = vring_put(r, s, t, n);

		if (__builtin_expect(odd && is_broken(r), 0))
			tell_guest(r, s);
		return odd;
	}
	for (unsigned i = 0; i < n; i++)
		t[i].drop = DROP_PORT_DOWN;
	return n;
}

static bool vhost_arm(struct port *p, unsigned q)
{
	struct vhost *vh = vhost_of(p);
	struct vring *r = &vh->ring[2 * q + 1];
	struct itimerspec soon = {.it_value.tv_nsec = POLL_NS};

	if (!is_running(r))
		return true;
	if (!atomic_load_explicit(&vh->is_polled[q], memory_order_relaxed))
		return vring_arm(r);
	timerfd_settime(atomic_load(&p->fd[q]), 0, &soon, NULL);
	return true;
}

static void vhost_close(struct port *p)
{
	struct vhost *vh = vhost_of(p);

	vhost_reset(vh);
	free(vh);
	p->priv = NULL;
}

static const struct port_ops vhost_ops = {
	.kind = "vhost-user",
	.rx = vhost_rx,
	.rx_done = vhost_rx_done,
	.tx = vhost_tx,
	.arm = vhost_arm,
	.close = vhost_close,
};

/* --- rings ------------------------------------------------------------------------------- */

/* Queues to receive, rings to send to. */
void vhost_show(struct vhost *vh)
{
	uint8_t n = 0;

	for (unsigned q = 0; q < vh->pairs; q++) {
		int fd = is_running(&vh->ring[2 * q + 1]) ? vh->kick[2 * q + 1] : -1;

		if (atomic_load(&vh->ring[2 * q].mode) == RING_ON)
			atomic_store_explicit(&vh->out[n++], (uint8_t)(2 * q),
					      memory_order_relaxed);
		if (atomic_exchange(&vh->port->fd[q], fd) != fd)
			vh->is_moved = true;
	}
	if (atomic_exchange(&vh->n_out, n) != n)
		vh->is_moved = true;
}

bool vhost_is_ready(const struct vhost *vh)
{
	for (unsigned q = 0; q < vh->pairs; q++)
		if (atomic_load(&vh->ring[2 * q + 1].mode) == RING_ON && atomic_load(&vh->n_out))
			return true;
	return false;
}

static uint8_t ring_can(const struct vhost *vh, unsigned ring)
{
	bool tx = is_transmit(ring);
	unsigned can = 0;

	if (!has(vh, tx ? VIRTIO_NET_F_CSUM : VIRTIO_NET_F_GUEST_CSUM))
		return 0; /* 5.1.3.1: segmentation needs checksums */
	can |= CAN_CSUM;
	can |= has(vh, tx ? VIRTIO_NET_F_HOST_TSO4 : VIRTIO_NET_F_GUEST_TSO4) ? CAN_TSO4 : 0;
	can |= has(vh, tx ? VIRTIO_NET_F_HOST_TSO6 : VIRTIO_NET_F_GUEST_TSO6) ? CAN_TSO6 : 0;
	can |= has(vh, tx ? VIRTIO_NET_F_HOST_ECN : VIRTIO_NET_F_GUEST_ECN) ? CAN_ECN : 0;
	if (tx ? has(vh, VIRTIO_NET_F_HOST_USO)
	       : has(vh, VIRTIO_NET_F_GUEST_USO4) && has(vh, VIRTIO_NET_F_GUEST_USO6))
		can |= CAN_USO;
	return (uint8_t)can;
}

/* Finds the three parts of a ring in the memory; virtio 1.2, 2.7 and 2.8.10 say how long and how aligned they are. */
static int find_parts(struct vhost *vh, unsigned ring, char why[static GUEST_WHY_SIZE])
{
	const struct vhost_ring *c = &vh->now.ring[ring];
	struct vring *r = &vh->ring[ring];
	bool packed = has(vh, VIRTIO_F_RING_PACKED);
	uint64_t size = c->size;

	if (c->size > VRING_SIZE_MAX || (!packed && (c->size & (c->size - 1))))
		return guest_refuse(why, -EINVAL, "ring %u: a split ring's size is a power of 2",
				    ring);
	if ((c->desc & 15) || (c->avail & (packed ? 3 : 1)) || (c->used & 3))
		return guest_refuse(why, -EINVAL, "ring %u: its addresses are not aligned", ring);
	r->desc = guest_mem_at_uva(&vh->mem, c->desc, 16 * size);
	r->driver = guest_mem_at_uva(&vh->mem, c->avail, packed ? 4 : 6 + 2 * size);
	r->device = guest_mem_at_uva(&vh->mem, c->used, packed ? 4 : 6 + 8 * size);
	if (!r->desc || !r->driver || !r->device)
		return guest_refuse(why, -EINVAL,
				    "ring %u: its addresses are not in the guest's memory", ring);
	/* Where a file is mapped at an odd offset an aligned address may not be aligned here. */
	if (((uintptr_t)r->desc & 7) || ((uintptr_t)r->driver & 3) || ((uintptr_t)r->device & 3))
		return guest_refuse(why, -EINVAL, "ring %u: its addresses are not aligned", ring);
	return 0;
}

static void set_up(struct vhost *vh, unsigned ring)
{
	struct vring *r = &vh->ring[ring];

	r->is_transmit = is_transmit(ring);
	r->is_packed = has(vh, VIRTIO_F_RING_PACKED);
	r->has_event_idx = has(vh, VIRTIO_F_EVENT_IDX);
	r->is_in_order = has(vh, VIRTIO_F_IN_ORDER);
	r->has_mrg = has(vh, VIRTIO_NET_F_MRG_RXBUF);
	r->has_indirect = has(vh, VIRTIO_F_INDIRECT_DESC);
	r->header = r->has_mrg || has(vh, VIRTIO_F_VERSION_1) ? 12 : 10;
	r->can = ring_can(vh, ring);
	r->size = vh->now.ring[ring].size;
	r->mem = &vh->mem;
	r->place = &vh->place[ring];
	r->inflight = inflight_ring(vh, ring);
	r->trouble = &vh->trouble;
	r->call = &vh->call[ring];
	r->err = &vh->err[ring];
	atomic_store(&r->owes_error, false);
	atomic_store(&r->why, NULL);
}

static int ring_run(struct vhost *vh, unsigned ring, bool known, char why[static GUEST_WHY_SIZE])
{
	const struct vhost_ring *c = &vh->now.ring[ring];
	struct vring *r = &vh->ring[ring];
	uint8_t mode = c->is_enabled ? RING_ON : RING_DISCARD;
	int err;

	if (!c->is_started || !c->size || !c->has_addr || atomic_load(&r->mode) == RING_BROKEN)
		return 0;
	if (atomic_load(&r->mode) == RING_STOPPED) {
		err = find_parts(vh, ring, why);
		if (err)
			return err;
		set_up(vh, ring);
		vring_start(r, c->base, known);
	}
	atomic_store_explicit(&r->mode, mode, memory_order_release);
	vh->is_moved = true;
	vhost_show(vh);
	return 0;
}

int vhost_ring_run(struct vhost *vh, unsigned ring, char why[static GUEST_WHY_SIZE])
{
	return ring_run(vh, ring, false, why);
}

void vhost_ring_stop(struct vhost *vh, unsigned ring)
{
	struct vring *r = &vh->ring[ring];

	if (atomic_load(&r->mode) == RING_STOPPED)
		return;
	atomic_store(&r->mode, RING_STOPPED);
	vhost_show(vh);
	rcu_wait();
	atomic_store(&r->mode, RING_STOPPED); /* a worker may have broken it meanwhile */
	vh->now.ring[ring].base = vring_base(r);
}

/* --- descriptors ------------------------------------------------------------------------- */

/* Closes a kick descriptor that workers may be watching. */
static void drop_kick(struct vhost *vh, int fd)
{
	if (fd < 0)
		return;
	rcu_wait(); /* none is about to watch it */
	if (vh->forget)
		vh->forget(vh->forget_arg, fd);
	close(fd);
}

void vhost_set_kick(struct vhost *vh, unsigned ring, int fd)
{
	int old = vh->kick[ring];

	if (fd < 0 && vh->now.ring[ring].is_polled && is_transmit(ring))
		fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (is_transmit(ring))
		atomic_store(&vh->is_polled[ring / 2], vh->now.ring[ring].is_polled);
	vh->kick[ring] = fd;
	vhost_show(vh);
	drop_kick(vh, old);
}

/* A descriptor that workers write to is another; the old one is closed when none can be at it. */
static void swap_fd(_Atomic int *place, int fd)
{
	int old = atomic_exchange(place, fd);

	if (old < 0)
		return;
	rcu_wait();
	close(old);
}

void vhost_set_call(struct vhost *vh, unsigned ring, int fd)
{
	if (fd >= 0) {
		int flags = fcntl(fd, F_GETFL);

		/* The guest may take it back at any time; then the watchdog is what is left. */
		if (flags >= 0)
			fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	}
	swap_fd(&vh->call[ring], fd);
}

void vhost_set_err(struct vhost *vh, unsigned ring, int fd)
{
	swap_fd(&vh->err[ring], fd);
}

/* --- life -------------------------------------------------------------------------------- */

static void init_empty(struct vhost *vh)
{
	memset(&vh->now, 0, sizeof(vh->now));
	vh->now.version = VHOST_SAVED_VERSION;
	vh->now.bytes = sizeof(vh->now);
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		vh->now.ring[i].size = VHOST_RING_SIZE_DEFAULT;
	}
}

int vhost_open(struct port *p, struct vring_place *place)
{
	struct vhost *vh = calloc(1, sizeof(*vh));

	if (!vh)
		return -ENOMEM;
	vh->port = p;
	vh->pairs = p->queues;
	vh->place = place;
	vh->inflight_fd = -1;
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		vh->kick[i] = -1;
		atomic_store(&vh->err[i], -1);
		atomic_store(&vh->call[i], -1);
	}
	init_empty(vh);
	port_open(p, &vhost_ops, vh);
	return 0;
}

void vhost_stop(struct vhost *vh)
{
	uint32_t ran = 0; /* by ring */

	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++)
		if (atomic_exchange(&vh->ring[i].mode, RING_STOPPED) != RING_STOPPED)
			ran |= 1u << i;
	vhost_show(vh);
	if (!ran)
		return;
	rcu_wait();
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		atomic_store(&vh->ring[i].mode, RING_STOPPED);
		if (ran & 1u << i)
			vh->now.ring[i].base = vring_base(&vh->ring[i]);
	}
}

void vhost_reset(struct vhost *vh)
{
	vhost_stop(vh);
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		vh->now.ring[i].is_polled = false;
		vhost_set_kick(vh, i, -1);
		vhost_set_call(vh, i, -1);
		vhost_set_err(vh, i, -1);
		vh->ring[i].size = 0;
	}
	guest_mem_clear(&vh->mem);
	inflight_drop(vh);
	init_empty(vh);
	atomic_store(&vh->dead, false);
	atomic_store(&vh->trouble, false);
	atomic_store(&vh->announce, 0);
}

/* What was saved of the device as a whole. */
static bool is_sound(const struct vhost *vh, const struct vhost_saved *s)
{
	if (s->version != VHOST_SAVED_VERSION || s->bytes != sizeof(*s) ||
	    (s->features & ~vhost_features(vh)) || (s->protocol & ~protocol_offered))
		return false;
	for (unsigned i = 0; i < VHOST_RINGS_MAX; i++) {
		const struct vhost_ring *r = &s->ring[i];

		if (r->size > VRING_SIZE_MAX || r->is_started > 1 || r->is_enabled > 1 ||
		    r->is_polled > 1 || r->has_addr > 1 || (i >= 2U * vh->pairs && r->is_started))
			return false;
	}
	return true;
}

static int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static int restore_inflight(struct vhost *vh, int fd[static VHOST_FDS],
			    char why[static GUEST_WHY_SIZE])
{
	const struct vhost_saved *now = &vh->now;
	struct inflight_area area = {now->inflight_bytes, now->inflight_offset,
				     now->inflight_queues, now->inflight_size};
	int err;

	if (fd[VHOST_FD_INFLIGHT] < 0)
		return 0;
	err = inflight_take(vh, fd[VHOST_FD_INFLIGHT], &area, why);
	if (!err)
		take_fd(&fd[VHOST_FD_INFLIGHT]);
	return err;
}

static int restore_memory(struct vhost *vh, int fd[static VHOST_FDS],
			  char why[static GUEST_WHY_SIZE])
{
	for (unsigned i = 0; i < GUEST_REGIONS_MAX; i++) {
		const struct guest_region *r = &vh->now.region[i];
		int region = fd[VHOST_FD_REGION + i], err;

		if (!r->size)
			continue;
		if (region < 0) {
			snprintf(why, GUEST_WHY_SIZE, "a memory region was not kept");
			return -EINVAL;
		}
		err = guest_mem_add(&vh->mem, i, r, region, &vh->dead, why);
		if (err)
			return err;
	}
	return restore_inflight(vh, fd, why);
}

static int restore_rings(struct vhost *vh, int fd[static VHOST_FDS], bool trust_place,
			 char why[static GUEST_WHY_SIZE])
{
	for (unsigned i = 0; i < 2U * vh->pairs; i++) {
		struct vhost_ring *c = &vh->now.ring[i];
		int kick = fd[VHOST_FD_KICK + i], call = fd[VHOST_FD_CALL + i], err;
		bool known = trust_place && atomic_load(&vh->place[i].used) != 0;

		if ((kick >= 0 && !vhost_is_eventfd(kick)) ||
		    (call >= 0 && !vhost_is_eventfd(call)))
			return guest_refuse(why, -EINVAL,
					    "ring %u: what was kept for it is no eventfd", i);
		vhost_set_kick(vh, i, take_fd(&fd[VHOST_FD_KICK + i]));
		vhost_set_call(vh, i, take_fd(&fd[VHOST_FD_CALL + i]));
		vhost_set_err(vh, i, take_fd(&fd[VHOST_FD_ERR + i]));
		/* Where a packed ring was is written nowhere else. */
		if (c->is_started && has(vh, VIRTIO_F_RING_PACKED) && !known && !vh->inflight)
			return guest_refuse(why, -EINVAL, "ring %u: its position is not known", i);
		err = ring_run(vh, i, known, why);
		if (err)
			return err;
	}
	return 0;
}

int vhost_restore(struct vhost *vh, const struct vhost_saved *saved, int fd[static VHOST_FDS],
		  bool trust_place, char why[static GUEST_WHY_SIZE])
{
	int err = -EINVAL;

	snprintf(why, GUEST_WHY_SIZE, "what was kept of it makes no sense");
	if (is_sound(vh, saved)) {
		vh->now = *saved;
		err = restore_memory(vh, fd, why);
	}
	if (!err)
		err = restore_rings(vh, fd, trust_place, why);
	for (unsigned i = 0; i < VHOST_FDS; i++)
		if (fd[i] >= 0 && i != VHOST_FD_CONNECTION)
			close(take_fd(&fd[i]));
	if (err)
		vhost_reset(vh);
	return err;
}
