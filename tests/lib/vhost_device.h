/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost_device: one device of two queue pairs and the messages of its front-end, without a socket: for cmocka tests.
 *
 * Each message goes to vhost_msg_handle(); the answer is in vd_answer, what only the broker needs is closed.  An answer that
 * breaks a rule which holds for all fails the test.
 */
#ifndef VFAB_TESTS_VHOST_DEVICE_H
#define VFAB_TESTS_VHOST_DEVICE_H

#include "switch/port/vhost_msg.h"

enum {
	VD_PAIRS = 2,
	VD_RINGS = 2 * VD_PAIRS,
	VD_NEED = VHOST_VERSION | VHOST_NEED_REPLY,
	VD_NO_FD = 0x100,
	VD_RING_SIZE = 256,
	VD_PART = 0x10000, /* bytes from one part of a ring to the next */
};
#define VD_GPA	 0x40000000ULL
#define VD_UVA	 0x7f0000000000ULL
#define VD_BYTES (4ULL << 20)
#define VD_BASIC (FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VHOST_USER_F_PROTOCOL_FEATURES))

struct vd_state {
	uint32_t index, num;
};

extern struct vhost *vd;
extern struct port vd_port;
extern struct vhost_answer vd_answer;

int vd_setup(void **state);
int vd_teardown(void **state);

/* Descriptors: how many are open; new ones. */
unsigned vd_count_fds(void);
int vd_memory(uint64_t bytes);
int vd_eventfd(void);

/* Messages; what vhost_msg_handle() returned.  Descriptors are gone after. */
int vd_send_fds(uint32_t request, uint32_t flags, const void *payload, uint32_t size, int *fds,
		unsigned n_fds);
int vd_send(uint32_t request, uint32_t flags, const void *payload, uint32_t size);
int vd_send_u64(uint32_t request, uint64_t v);
int vd_send_state(uint32_t request, uint32_t index, uint32_t num);
int vd_send_ring_fd(uint32_t request, unsigned ring, int fd); /* -1: says that none comes */
int vd_send_addr(unsigned ring, uint64_t desc, uint64_t avail, uint64_t used);
int vd_send_good_addr(unsigned ring); /* its part of vd_send_memory() */
int vd_send_table(const struct guest_region *r, unsigned n, int *fds, unsigned n_fds);

/* Messages that have to succeed. */
uint64_t vd_reply_u64(void);
uint64_t vd_get_u64(uint32_t request);
struct vd_state vd_stop_ring(unsigned ring);
void vd_send_memory(void); /* VD_BYTES of it */
void vd_negotiate(uint64_t features, uint64_t protocol);
void vd_start_ring(unsigned ring); /* not enabled */

/* State.  The mode of a ring; whether the last answer empties a place. */
int vd_mode(unsigned ring);
bool vd_is_empty(unsigned at);

#endif
