/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vhost: a port over a vhost-user front-end (QEMU, virtio-user): the device, its rings and what survives of it.
 *
 * QEMU docs/interop/vhost-user.rst; virtio 1.2, 5.1.  Queue pair q of the guest is rings 2q (guest receives) and 2q + 1
 * (guest transmits).  The control queue is the front-end's: it never comes here.
 *
 * Parts.  vhost_msg.c carries out messages (control thread); vhost.c holds the device together and is the port;
 * vring.c moves frames (workers); guest_mem.c knows the memory.  Who reads the socket is switch/guest.c.
 *
 * Threads.  All but port_ops is the control thread's.  A ring that workers may use is in a mode other than
 * RING_STOPPED; vhost_ring_stop() returns when none does.
 */
#ifndef VFAB_PORT_VHOST_H
#define VFAB_PORT_VHOST_H

#include "switch/port/guest_mem.h"
#include "switch/port/port.h"
#include "switch/port/vring.h"

enum {
	VHOST_RINGS_MAX = 2 * PORT_QUEUES_MAX,
	VHOST_RING_SIZE_DEFAULT = 256, /* until SET_VRING_NUM */
	VHOST_SAVED_VERSION = 1,
};

/* Feature bits, virtio 1.2: 5.1.3, 6; and of the vhost-user protocol. */
enum virtio_feature {
	VIRTIO_NET_F_CSUM = 0,
	VIRTIO_NET_F_GUEST_CSUM = 1,
	VIRTIO_NET_F_MTU = 3,
	VIRTIO_NET_F_GUEST_TSO4 = 7,
	VIRTIO_NET_F_GUEST_TSO6 = 8,
	VIRTIO_NET_F_GUEST_ECN = 9,
	VIRTIO_NET_F_HOST_TSO4 = 11,
	VIRTIO_NET_F_HOST_TSO6 = 12,
	VIRTIO_NET_F_HOST_ECN = 13,
	VIRTIO_NET_F_MRG_RXBUF = 15,
	VIRTIO_NET_F_STATUS = 16,
	VIRTIO_NET_F_CTRL_VQ = 17,
	VIRTIO_NET_F_CTRL_RX = 18,
	VIRTIO_NET_F_CTRL_VLAN = 19,
	VIRTIO_NET_F_GUEST_ANNOUNCE = 21,
	VIRTIO_NET_F_MQ = 22,
	VIRTIO_NET_F_CTRL_MAC_ADDR = 23,
	VIRTIO_F_ANY_LAYOUT = 27,
	VIRTIO_F_INDIRECT_DESC = 28,
	VIRTIO_F_EVENT_IDX = 29,
	VHOST_USER_F_PROTOCOL_FEATURES = 30,
	VIRTIO_F_VERSION_1 = 32,
	VIRTIO_F_RING_PACKED = 34,
	VIRTIO_F_IN_ORDER = 35,
	VIRTIO_NET_F_GUEST_USO4 = 54,
	VIRTIO_NET_F_GUEST_USO6 = 55,
	VIRTIO_NET_F_HOST_USO = 56,
};
enum vhost_protocol {
	VHOST_PROTOCOL_MQ = 0,
	VHOST_PROTOCOL_RARP = 2,
	VHOST_PROTOCOL_REPLY_ACK = 3,
	VHOST_PROTOCOL_NET_MTU = 4,
	VHOST_PROTOCOL_CONFIG = 9,
	VHOST_PROTOCOL_INFLIGHT_SHMFD = 12,
	VHOST_PROTOCOL_RESET_DEVICE = 13,
	VHOST_PROTOCOL_CONFIGURE_MEM_SLOTS = 15,
	VHOST_PROTOCOL_STATUS = 16,
};
#define FEATURE(bit) (1ULL << (bit))

/* What the front-end said of a ring; saved for a restart. */
struct vhost_ring {
	uint16_t size;	     /* descriptors */
	uint16_t base;	     /* where it starts, while it is stopped */
	uint8_t is_started;  /* a kick descriptor was set, or that there will be none */
	uint8_t is_enabled;
	uint8_t is_polled;   /* no kick descriptor: the ring is looked at from time to time */
	uint8_t has_addr;
	uint8_t reserved[8];
	uint64_t desc, used, avail; /* addresses of the front-end's process */
};

/* Descriptors that outlive the process, and where each is kept. */
enum vhost_fd {
	VHOST_FD_CONNECTION,
	VHOST_FD_INFLIGHT,
	VHOST_FD_REGION, /* GUEST_REGIONS_MAX of them */
	VHOST_FD_KICK = VHOST_FD_REGION + GUEST_REGIONS_MAX, /* and of these VHOST_RINGS_MAX each */
	VHOST_FD_CALL = VHOST_FD_KICK + VHOST_RINGS_MAX,
	VHOST_FD_ERR = VHOST_FD_CALL + VHOST_RINGS_MAX,
	VHOST_FDS = VHOST_FD_ERR + VHOST_RINGS_MAX,
};

/* The device, without descriptors; what the broker keeps. */
struct vhost_saved {
	uint32_t version, bytes;
	uint64_t features; /* acknowledged by SET_FEATURES */
	uint64_t protocol; /* and by SET_PROTOCOL_FEATURES */
	uint8_t has_features, status, reserved[6];
	uint64_t inflight_bytes, inflight_offset;
	uint16_t inflight_queues, inflight_size, reserved2[2];
	struct guest_region region[GUEST_REGIONS_MAX];
	struct vhost_ring ring[VHOST_RINGS_MAX];
};

/* What is to be kept of a change: descriptors by place, and places that are empty now. */
struct vhost_effect {
	bool changed; /* the saved part is another */
	unsigned n;
	uint8_t place[GUEST_REGIONS_MAX + 2]; /* enum vhost_fd */
	int fd[GUEST_REGIONS_MAX + 2];
	bool is_only_kept[GUEST_REGIONS_MAX + 2]; /* nobody here needs it: closed once it is kept */
	uint64_t empty[(VHOST_FDS + 63) / 64];
};

struct vhost {
	struct port *port;
	uint16_t pairs;	    /* queue pairs offered */
	uint16_t mtu;	    /* in the configuration space */
	struct vhost_saved now;
	struct guest_mem mem;
	struct vring ring[VHOST_RINGS_MAX];
	int kick[VHOST_RINGS_MAX]; /* -1: none */
	_Atomic int call[VHOST_RINGS_MAX], err[VHOST_RINGS_MAX];
	_Atomic bool is_polled[PORT_QUEUES_MAX]; /* its kick is a timer of ours */
	struct vring_place *place; /* VHOST_RINGS_MAX, in the state region */
	int inflight_fd;	   /* -1: none */
	void *inflight;		   /* mapped; NULL: none */
	_Atomic bool dead;	   /* its memory was taken away */
	_Atomic bool trouble;	   /* a ring broke: see its mode */
	_Atomic uint64_t announce; /* address to be announced by RARP, 1 << 48 | MAC; 0: none */
	_Atomic uint8_t out[PORT_QUEUES_MAX]; /* ring for worker i % n_out */
	_Atomic uint8_t n_out;		      /* receive rings that are on */
	bool is_moved;			      /* what workers are to be shown is another; guest.c clears it */
	/* The workers no longer watch a descriptor that is about to be closed. */
	void (*forget)(void *arg, int fd);
	void *forget_arg;
};

/* Makes p a vhost-user port without a guest.  place: VHOST_RINGS_MAX of them.  0 or -ENOMEM. */
int vhost_open(struct port *p, struct vring_place *place);
static inline struct vhost *vhost_of(struct port *p)
{
	return p->priv;
}

/* Bits that this device offers: virtio features, and protocol features. */
uint64_t vhost_features(const struct vhost *vh);
uint64_t vhost_protocol_features(void);

/* Whether a descriptor is an eventfd, as kicks and calls have to be. */
bool vhost_is_eventfd(int fd);

/*
 * Changes.  The memory and the fields of now.ring may change only while the rings they concern are stopped.
 * stop: no worker uses the ring any more, and now.ring[i].base says where it was.  run: starts it if what it needs is
 * there (started, size, addresses that lie in the memory); -EINVAL with the reason: an address does not.
 */
void vhost_ring_stop(struct vhost *vh, unsigned ring);
int vhost_ring_run(struct vhost *vh, unsigned ring, char why[static GUEST_WHY_SIZE]);
/* A descriptor of a ring is another; takes fd (-1: none); the old one is closed when no worker uses it. */
void vhost_set_kick(struct vhost *vh, unsigned ring, int fd);
void vhost_set_call(struct vhost *vh, unsigned ring, int fd);
void vhost_set_err(struct vhost *vh, unsigned ring, int fd);

/* Workers are shown the queues and rings that run now; vhost_ring_run() and _stop() do it too. */
void vhost_show(struct vhost *vh);
/* Frames can pass: a ring of each direction is on. */
bool vhost_is_ready(const struct vhost *vh);
/* Stops every ring, in one grace period. */
void vhost_stop(struct vhost *vh);
/* As before the first message: rings stopped, memory unmapped, descriptors closed, nothing negotiated. */
void vhost_reset(struct vhost *vh);
/* Takes what was saved and the descriptors (-1: none), by place; one that is not taken is closed, but the connection, which is
 * the caller's.  trust_place: the ring places are of the process that ran it.  0, or -errno with the reason: the guest is
 * to connect again. */
int vhost_restore(struct vhost *vh, const struct vhost_saved *saved, int fd[static VHOST_FDS],
		  bool trust_place, char why[static GUEST_WHY_SIZE]);

#endif
