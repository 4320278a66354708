/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost_msg: the messages of a vhost-user front-end, one table: what each may carry, and what carries it out.
 *
 * QEMU docs/interop/vhost-user.rst, "Message types".
 *
 * Trust.  Bytes and descriptors are the front-end's.  A message that is wrong in form ends the connection; one that asks for
 * what cannot be is refused where the front-end asked for a word (REPLY_ACK), and ends the connection where it did not.
 * Every descriptor that came is taken or closed.
 */
#ifndef VFAB_PORT_VHOST_MSG_H
#define VFAB_PORT_VHOST_MSG_H

#include "switch/port/vhost.h"

enum { VHOST_HEADER = 12, VHOST_PAYLOAD_MAX = 272, VHOST_MSG_FDS = GUEST_REGIONS_MAX };

enum vhost_user_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES,
	VHOST_USER_SET_OWNER,
	VHOST_USER_RESET_OWNER,
	VHOST_USER_SET_MEM_TABLE,
	VHOST_USER_SET_LOG_BASE,
	VHOST_USER_SET_LOG_FD,
	VHOST_USER_SET_VRING_NUM,
	VHOST_USER_SET_VRING_ADDR,
	VHOST_USER_SET_VRING_BASE,
	VHOST_USER_GET_VRING_BASE,
	VHOST_USER_SET_VRING_KICK,
	VHOST_USER_SET_VRING_CALL,
	VHOST_USER_SET_VRING_ERR,
	VHOST_USER_GET_PROTOCOL_FEATURES,
	VHOST_USER_SET_PROTOCOL_FEATURES,
	VHOST_USER_GET_QUEUE_NUM,
	VHOST_USER_SET_VRING_ENABLE,
	VHOST_USER_SEND_RARP,
	VHOST_USER_NET_SET_MTU,
	VHOST_USER_SET_BACKEND_REQ_FD,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG,
	VHOST_USER_GET_INFLIGHT_FD = 31,
	VHOST_USER_SET_INFLIGHT_FD,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_GET_MAX_MEM_SLOTS = 36,
	VHOST_USER_ADD_MEM_REG,
	VHOST_USER_REM_MEM_REG,
	VHOST_USER_SET_STATUS,
	VHOST_USER_GET_STATUS,
};

/* Of vhost_msg.flags. */
enum {
	VHOST_VERSION = 1,
	VHOST_VERSION_MASK = 3,
	VHOST_IS_REPLY = 4,
	VHOST_NEED_REPLY = 8,
};

/* As on the socket, host order. */
struct vhost_msg {
	uint32_t request;
	uint32_t flags; /* version 1 in bits 0-1, reply 4, need_reply 8 */
	uint32_t size;	/* bytes of payload */
	uint8_t payload[VHOST_PAYLOAD_MAX];
} __attribute__((packed, aligned(4)));

struct vhost_answer {
	bool has_reply;
	struct vhost_msg reply;
	int fd; /* goes with the reply (GET_INFLIGHT_FD), and stays the device's; -1: none */
	struct vhost_effect effect;
	char why[GUEST_WHY_SIZE]; /* what was refused; "" when nothing was */
};

/* Whether the rest of a message can be read: version, reply bit, a size that fits its request.  False with the reason. */
bool vhost_msg_header(const struct vhost_msg *m, char why[static GUEST_WHY_SIZE]);
/* How many descriptors a whole message comes with, by what it says; one that may have some and need not: 0. */
unsigned vhost_msg_fds(const struct vhost_msg *m);

/*
 * Carries out a whole message; checks its header too.  fds: n_fds of them, all taken or closed here (those in
 * answer->effect are open until vhost_effect_done()).  0: *answer says what is to be kept and replied, also when it
 * was refused; -errno with answer->why: the connection is to be closed, and nothing of it kept.  Carried out twice, a
 * message does what it does once; but a region that is removed twice is unknown, and refused.
 */
int vhost_msg_handle(struct vhost *vh, const struct vhost_msg *m, int *fds, unsigned n_fds,
		     struct vhost_answer *answer);

/* Closes what only the broker needs; after it has it. */
void vhost_effect_done(struct vhost_effect *e);

const char *vhost_msg_word(uint32_t request); /* "SET_MEM_TABLE", "?" */

#endif
