/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost_msg_internal: what the files of vhost_msg share, and nobody else includes.
 *
 *   vhost_msg.c       THE table of messages, its checks, the answer; features, status, configuration space
 *   vhost_ring_msg.c  one ring: its size, addresses, position, descriptors
 *   vhost_mem_msg.c   memory regions and the inflight area
 */
#ifndef VFAB_PORT_VHOST_MSG_INTERNAL_H
#define VFAB_PORT_VHOST_MSG_INTERNAL_H

#include "switch/port/vhost_msg.h"

enum {
	TABLE_REGIONS_MAX = 8, /* of SET_MEM_TABLE */
	TABLE_HEAD = 8,	       /* bytes before its first region, and before that of ADD_MEM_REG */
	REGION_BYTES = 32,
	INFLIGHT_BYTES = 20, /* of an inflight description, which some pad to 24 */
};

/* One message while it is carried out.  What the table says of it was checked before its handler is called. */
struct vhost_call {
	struct vhost *vh;
	const struct vhost_msg *m;
	int *fds; /* a handler that takes one leaves -1 */
	unsigned n_fds;
	unsigned ring; /* that the message is about, where it is about one */
	uint32_t held; /* rings, by bit, that run again after the handler */
	struct vhost_answer *answer;
	char why[GUEST_WHY_SIZE];
};
_Static_assert(VHOST_RINGS_MAX <= 32, "vhost_call.held has a bit for each");

/*
 * Carries a message out.  A handler checks everything, then holds the rings that it touches, then commits.  0; -EPROTO: it is
 * wrong in form; another -errno: refused.  The reason is in c->why.
 */
typedef int vhost_handler(struct vhost_call *c);

vhost_handler vhost_set_vring_num, vhost_set_vring_addr, vhost_set_vring_base, vhost_get_vring_base,
	vhost_set_vring_enable, vhost_set_vring_kick, vhost_set_vring_call, vhost_set_vring_err;
vhost_handler vhost_set_mem_table, vhost_add_mem_reg, vhost_rem_mem_reg, vhost_get_inflight_fd,
	vhost_set_inflight_fd;

/* Writes the reason; returns err. */
int vhost_refuse(struct vhost_call *c, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Stops a ring, or all, until the handler returned. */
void vhost_hold_ring(struct vhost_call *c, unsigned ring);
void vhost_hold_rings(struct vhost_call *c);

/* Rings of this device; and whether they are packed, by what was negotiated. */
static inline unsigned vhost_rings(const struct vhost *vh)
{
	return 2u * vh->pairs;
}
static inline bool vhost_is_packed(const struct vhost *vh)
{
	return vh->now.features & FEATURE(VIRTIO_F_RING_PACKED);
}

/* A descriptor that came is kept at a place; only_kept: and closed here once it is.  What was there goes. */
void vhost_keep(struct vhost_call *c, unsigned place, int fd, bool only_kept);
void vhost_empty(struct vhost_call *c, unsigned place);

uint64_t vhost_payload_u64(const struct vhost_call *c);
void vhost_reply(struct vhost_call *c, const void *payload, uint32_t bytes);

/* A ring as before its first message, its kick closed.  It is held. */
void vhost_ring_reset(struct vhost_call *c, unsigned ring);

#endif
