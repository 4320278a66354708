/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * front_end: a guest of a vhost-user port, in this process: its memory, its side of the socket, its driver.
 *
 * A scripted one: what it says and what it writes into its rings is up to the caller, word by word.  The helpers below do
 * what an honest driver does; a hostile test sends any message with any descriptors (fe_msg_send), and writes what it likes
 * through fe->mem and the pointers of struct fe_ring.  Nothing here reads the back-end's answers with trust: a length or an id
 * that cannot be is an error of the call that met it.
 *
 * Memory.  One memfd, mapped once; guest-physical addresses begin at FE_GPA, addresses of the front-end's process are
 * those of our mapping, so that a back-end which mixes them up is noticed.  fe_alloc() gives it out, never back.
 *
 * Rings.  Descriptors are used in ring order, always (so IN_ORDER holds when it was negotiated).  Descriptor i has a buffer of its
 * own, buffer_bytes long, which fe_send() and fe_post_rx() use.
 *
 * Errors.  0 or more, or -errno; -EPROTO: the back-end said or wrote what it must not; -ECONNRESET: it hung up;
 * -EREMOTEIO: it refused, where it was asked for a word.  Nothing waits longer than FE_WAIT_MS.
 */
#ifndef VFAB_TESTS_FRONT_END_H
#define VFAB_TESTS_FRONT_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/port/vhost.h" /* names of the feature bits */

enum {
	FE_RINGS_MAX = 32,
	FE_FDS_MAX = 32,
	FE_PARTS_MAX = 64,
	FE_PAYLOAD_MAX = 1024,
	FE_WAIT_MS = 5000,
	FE_HEADER = 12,	    /* bytes of the virtio-net header of VERSION_1 */
	FE_INSIDE = 0xffff, /* fe_ring.chain: of another chain */
};
#define FE_GPA	    0x40000000ULL
#define FE_FEATURES (FEATURE(VIRTIO_F_VERSION_1) | FEATURE(VHOST_USER_F_PROTOCOL_FEATURES))
/* Requests (QEMU docs/interop/vhost-user.rst, "Front-end message types"). */
enum fe_request {
	FE_GET_FEATURES = 1,
	FE_SET_FEATURES,
	FE_SET_OWNER,
	FE_RESET_OWNER,
	FE_SET_MEM_TABLE,
	FE_SET_LOG_BASE,
	FE_SET_LOG_FD,
	FE_SET_VRING_NUM,
	FE_SET_VRING_ADDR,
	FE_SET_VRING_BASE,
	FE_GET_VRING_BASE,
	FE_SET_VRING_KICK,
	FE_SET_VRING_CALL,
	FE_SET_VRING_ERR,
	FE_GET_PROTOCOL_FEATURES,
	FE_SET_PROTOCOL_FEATURES,
	FE_GET_QUEUE_NUM,
	FE_SET_VRING_ENABLE,
};
enum { FE_VERSION = 1, FE_REPLY = 1 << 2, FE_NEED_REPLY = 1 << 3, FE_NO_FD = 1 << 8 };

struct fe_msg {
	uint32_t request, flags, size;
	uint8_t payload[FE_PAYLOAD_MAX];
} __attribute__((packed, aligned(4)));
/* Rings, little-endian (virtio 1.2, 2.7 and 2.8). */
enum { FE_DESC_NEXT = 1, FE_DESC_WRITE = 2, FE_DESC_INDIRECT = 4 };
enum { FE_PACKED_AVAIL = 1 << 7, FE_PACKED_USED = 1 << 15 };
enum { FE_QUIET = 1 }; /* flags of avail and used ring, and of the packed events */
struct fe_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags, next;
};
struct fe_packed_desc {
	uint64_t addr;
	uint32_t len;
	uint16_t id, flags;
};
struct fe_avail {
	uint16_t flags, idx, ring[];
};
struct fe_used {
	uint16_t flags, idx;
	struct fe_used_elem {
		uint32_t id, len;
	} ring[];
};
struct fe_event {
	uint16_t where, flags;
};

struct fe_ring {
	struct fe *fe;
	unsigned index;
	uint16_t size;
	bool is_packed;
	uint64_t desc_gpa, driver_gpa, device_gpa;
	union {
		struct fe_desc *desc;
		struct fe_packed_desc *packed;
	};
	union {
		struct fe_avail *avail;
		struct fe_event *driver_event;
	};
	union {
		struct fe_used *used;
		struct fe_event *device_event;
	};
	int kick, call; /* eventfds; -1: poll mode, no interrupt */
	uint64_t buffers_gpa;
	uint32_t buffer_bytes;

	/* The driver's. */
	uint16_t next;		   /* slot of the next descriptor */
	uint16_t avail_idx;	   /* split */
	uint16_t used_next;	   /* split: index.  packed: slot */
	bool avail_wrap, used_wrap; /* packed */
	uint16_t added;	 /* split: chains, packed: descriptors, since fe_wants_kick() */
	uint16_t *chain; /* by slot: descriptors of the chain that begins there; FE_INSIDE; 0: free */
	uint16_t *order; /* IN_ORDER: heads as they were put, from order_first to order_end */
	uint32_t order_first, order_end;
	bool in_batch; /* IN_ORDER: batch_id and all before it are used */
	uint16_t batch_id;
	uint32_t batch_len;
};

struct fe {
	int fd, listener; /* -1: none */
	int mem_fd;
	uint8_t *mem;
	size_t mem_bytes, mem_used;
	uint64_t offered, features; /* of the device; accepted */
	uint64_t protocol;
	struct fe_ring *ring[FE_RINGS_MAX];
};

struct fe_part { /* one descriptor of a chain */
	uint64_t gpa;
	uint32_t len;
	bool is_writable;
};

/* Basics.  fe_create: NULL with errno. */
struct fe *fe_create(size_t mem_bytes);
void fe_destroy(struct fe *fe); /* NULL is fine; hangs up first */
/* Memory of the guest, zeroed, aligned (a power of 2): its guest-physical address, 0: none left. */
uint64_t fe_alloc(struct fe *fe, size_t bytes, size_t align);
static inline void *fe_at(const struct fe *fe, uint64_t gpa)
{
	return fe->mem + (gpa - FE_GPA);
}

/* Connection.  fe_connect tries until somebody listens. */
int fe_connect(struct fe *fe, const char *path);
int fe_listen(struct fe *fe, const char *path); /* and fe_accept() takes one back-end */
int fe_accept(struct fe *fe);
void fe_hangup(struct fe *fe); /* closes the connection and, of each ring, kick and call; memory stays */

/* Messages. */
int fe_bytes_send(struct fe *fe, const void *bytes, size_t n, const int *fds, unsigned n_fds);
int fe_msg_send(struct fe *fe, uint32_t request, uint32_t flags, const void *payload, uint32_t size,
		const int *fds, unsigned n_fds);
/* The next reply; *fd: a descriptor that came with it, -1: none; NULL: there must be none. */
int fe_msg_recv(struct fe *fe, struct fe_msg *m, int *fd);
/* Sends, and hears whether it was done, if REPLY_ACK was agreed upon. */
int fe_set(struct fe *fe, uint32_t request, const void *payload, uint32_t size, const int *fds,
	   unsigned n_fds);
int fe_get_u64(struct fe *fe, uint32_t request, uint64_t *value);

/* Set-up.  The bits are those wanted; what the device does not offer is left out (fe->features, fe->protocol say). */
int fe_negotiate(struct fe *fe, uint64_t features, uint64_t protocol);
int fe_mem_table(struct fe *fe); /* the whole memory, one region; fe_negotiate() did it */
/* Makes a ring in guest memory and tells nobody; NULL with errno.  Freed with fe. */
struct fe_ring *fe_ring_add(struct fe *fe, unsigned index, uint16_t size, bool is_packed,
			    uint32_t buffer_bytes);
/* NUM, BASE, ADDR, CALL, KICK, ENABLE.  The driver's side begins anew; is_polled: no kick descriptor. */
int fe_ring_start(struct fe_ring *r, bool is_polled);
int fe_ring_enable(struct fe_ring *r, bool is_enabled);
int fe_ring_stop(struct fe_ring *r, uint32_t *base);

/* Driver.  fe_put: the chain's id, or -ENOSPC.  The device sees it at once; fe_kick() wakes it, always. */
int fe_put(struct fe_ring *r, const struct fe_part *part, unsigned n);
void fe_kick(struct fe_ring *r);
bool fe_wants_kick(struct fe_ring *r); /* as its flags or EVENT_IDX say; once for what was added */
bool fe_was_called(struct fe_ring *r); /* since it was last asked */
/* The next used chain: 1, or 0 when there is none.  *len: bytes written; UINT32_MAX: not told (a batch in order). */
int fe_reap(struct fe_ring *r, uint16_t *id, uint32_t *len);

/* Frames, each with its virtio-net header in front.  layout: bytes of each descriptor, n of them, 0 is one without
 * bytes; the rest goes into one more.  None: as few as the buffers allow.  fe_send and fe_post_rx kick if the device asks. */
int fe_send(struct fe_ring *r, const void *frame, uint32_t bytes, const uint32_t *layout,
	    unsigned n);
unsigned fe_post_rx(struct fe_ring *r, unsigned n); /* buffers, one descriptor each; how many there was room for */
/* The next frame: its bytes with the header (those over `room` are cut), 0: none; its buffers are free then. */
int fe_receive(struct fe_ring *r, void *frame, uint32_t room);

#endif
