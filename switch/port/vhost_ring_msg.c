/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost_ring_msg: messages about one ring: its size, addresses, position, descriptors, whether it is enabled.
 *
 * Theory.  What a message says goes into now.ring[]; a ring that may run is stopped first and run again after, which looks
 * its addresses up.  Messages come in any order: a ring runs once it was started and all that it needs is there.
 *
 *    SET_VRING_NUM, ADDR, BASE ... SET_VRING_KICK  -> started, not enabled
 *    SET_VRING_ENABLE 1 / 0                        -> enabled / not        (virtio-net: frames flow / are discarded)
 *    GET_VRING_BASE                                -> stopped, says where it was
 *
 * Without VHOST_USER_F_PROTOCOL_FEATURES there is no SET_VRING_ENABLE, and a ring that starts is enabled.
 *
 * Trust.  The front-end wrote the numbers; vhost_msg.c checked that there is such a ring, by all bits of its index, and that
 * a descriptor came, an eventfd, unless the message says that none comes.
 */
#include "switch/port/vhost_msg_internal.h"

#include <errno.h>
#include <string.h>

enum { DESC_ALIGN = 16, AVAIL_ALIGN = 2, USED_ALIGN = 4 }; /* virtio 1.2, 2.7 */

struct state_payload {
	uint32_t index, num;
};

struct addr_payload {
	uint32_t index, flags; /* flags: bit 0 asks for a log of writes */
	uint64_t desc, used, avail, log;
};
_Static_assert(sizeof(struct addr_payload) == 40, "as on the socket");

static uint32_t payload_num(const struct vhost_call *c)
{
	struct state_payload state;

	memcpy(&state, c->m->payload, sizeof(state));
	return state.num;
}

int vhost_set_vring_num(struct vhost_call *c)
{
	uint32_t num = payload_num(c);

	if (num == 0 || num > VRING_SIZE_MAX)
		return vhost_refuse(c, -EINVAL, "%u descriptors, not 1 to %d", num, VRING_SIZE_MAX);
	if (!vhost_is_packed(c->vh) && (num & (num - 1)))
		return vhost_refuse(c, -EINVAL, "%u descriptors, not a power of 2", num);
	vhost_hold_ring(c, c->ring);
	c->vh->now.ring[c->ring].size = (uint16_t)num;
	return 0;
}

int vhost_set_vring_addr(struct vhost_call *c)
{
	struct vhost_ring *r = &c->vh->now.ring[c->ring];
	struct addr_payload a;

	memcpy(&a, c->m->payload, sizeof(a));
	if (a.flags)
		return vhost_refuse(c, -EOPNOTSUPP, "flags %#x: there is no log", a.flags);
	if (a.desc % DESC_ALIGN || a.avail % AVAIL_ALIGN || a.used % USED_ALIGN)
		return vhost_refuse(c, -EINVAL, "addresses are not aligned");
	vhost_hold_ring(c, c->ring);
	r->has_addr = 1;
	r->desc = a.desc;
	r->used = a.used;
	r->avail = a.avail;
	return 0;
}

/* Of a packed ring QEMU says where the driver was in bits 0-15 and where the device was in bits 16-31; a ring is drained when
 * it stops, so both are the same place, and others send the first alone. */
int vhost_set_vring_base(struct vhost_call *c)
{
	uint32_t num = payload_num(c);

	if (num > UINT16_MAX && !vhost_is_packed(c->vh))
		return vhost_refuse(c, -EINVAL, "index %u", num);
	vhost_hold_ring(c, c->ring);
	c->vh->now.ring[c->ring].base = (uint16_t)num;
	return 0;
}

/* The kick descriptor goes, as a start brings another: the front-end takes the guest's kicks itself now, and nobody here
 * wants to wake up for them. */
static void stop_ring(struct vhost_call *c, unsigned ring)
{
	struct vhost_ring *r = &c->vh->now.ring[ring];

	vhost_hold_ring(c, ring);
	r->is_started = 0;
	r->is_polled = 0;
	vhost_set_kick(c->vh, ring, -1);
	vhost_empty(c, VHOST_FD_KICK + ring);
}

int vhost_get_vring_base(struct vhost_call *c)
{
	struct state_payload state = {.index = c->ring};
	uint16_t base;

	stop_ring(c, c->ring);
	base = c->vh->now.ring[c->ring].base;
	state.num = vhost_is_packed(c->vh) ? (uint32_t)base << 16 | base : base;
	vhost_reply(c, &state, sizeof(state));
	return 0;
}

int vhost_set_vring_enable(struct vhost_call *c)
{
	struct vhost_ring *r = &c->vh->now.ring[c->ring];
	uint32_t num = payload_num(c);

	if (num > 1)
		return vhost_refuse(c, -EINVAL, "%u, not 0 or 1", num);
	if (r->is_enabled == num)
		return 0;
	vhost_hold_ring(c, c->ring);
	r->is_enabled = (uint8_t)num;
	return 0;
}

/* The descriptor that came, the device's from here on and kept at a place; -1 and an empty place: none came. */
static int take_fd(struct vhost_call *c, unsigned place)
{
	int fd;

	if (c->n_fds == 0) {
		vhost_empty(c, place);
		return -1;
	}
	fd = c->fds[0];
	c->fds[0] = -1;
	vhost_keep(c, place, fd, false);
	return fd;
}

int vhost_set_vring_kick(struct vhost_call *c)
{
	struct vhost_saved *now = &c->vh->now;
	struct vhost_ring *r = &now->ring[c->ring];
	bool is_polled = c->n_fds == 0;

	/* A ring that runs goes on over another descriptor. */
	if (!r->is_started || r->is_polled != is_polled)
		vhost_hold_ring(c, c->ring);
	if (!r->is_started && now->has_features &&
	    !(now->features & FEATURE(VHOST_USER_F_PROTOCOL_FEATURES)))
		r->is_enabled = 1;
	r->is_started = 1;
	r->is_polled = is_polled;
	vhost_set_kick(c->vh, c->ring, take_fd(c, VHOST_FD_KICK + c->ring));
	return 0;
}

int vhost_set_vring_call(struct vhost_call *c)
{
	vhost_set_call(c->vh, c->ring, take_fd(c, VHOST_FD_CALL + c->ring));
	return 0;
}

int vhost_set_vring_err(struct vhost_call *c)
{
	vhost_set_err(c->vh, c->ring, take_fd(c, VHOST_FD_ERR + c->ring));
	return 0;
}

void vhost_ring_reset(struct vhost_call *c, unsigned ring)
{
	struct vhost_saved *now = &c->vh->now;
	bool is_enabled =
		now->has_features && !(now->features & FEATURE(VHOST_USER_F_PROTOCOL_FEATURES));

	stop_ring(c, ring);
	now->ring[ring] = (struct vhost_ring){
		.size = VHOST_RING_SIZE_DEFAULT,
		.is_enabled = is_enabled,
	};
}
