/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * port: where frames enter and leave.  Every kind (tap, vhost-user, uplink, tunnel, the fake one of
 * the tests) is a struct port with port_ops; the forwarding path knows nothing else of it.
 *
 * Threads.  A queue is received (rx, rx_done, arm) by one worker only.  tx may be called by any
 * worker; a kind whose queues two workers may use locks that queue once per call.  open and close
 * are the control thread's; close is called after no worker can hold the port.
 */
#ifndef VFAB_PORT_PORT_H
#define VFAB_PORT_PORT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/base/addr.h"
#include "switch/base/frame.h"
#include "switch/base/rate.h"

enum { PORT_NAME_SIZE = 64, PORT_QUEUES_MAX = 16, WORKERS_MAX = 16 };

/* HOST: the device of a host-only network; UPLINK: the tap of a host uplink; PACKET: an interface of the host. */
enum port_kind { PORT_TAP, PORT_HOST, PORT_VHOST_USER, PORT_UPLINK, PORT_PACKET, PORT_FAKE };

enum port_state {
	PORT_WAITING, /* no namespace, device, guest or socket peer yet */
	PORT_DOWN,    /* exists without carrier, or is set down */
	PORT_UP,      /* passes frames */
};

/* One 802.1Q or 802.1ad tag to be written. */
struct tag {
	uint16_t tpid; /* host order; 0: no tag */
	uint16_t tci;  /* host order */
};

/* Writes the TAG_BYTES bytes of a tag. */
static inline void tag_write(uint8_t *p, struct tag t)
{
	p[0] = (uint8_t)(t.tpid >> 8);
	p[1] = (uint8_t)t.tpid;
	p[2] = (uint8_t)(t.tci >> 8);
	p[3] = (uint8_t)t.tci;
}

/* A frame to be sent, and what became of it. */
struct tx_frame {
	const struct frame *f;
	struct tag tag;	 /* goes between the source address and the EtherType */
	uint16_t frames; /* in: 1; out: frames it became when tx segmented it */
	uint8_t drop;	 /* in: DROP_NONE; out: why tx did not take it */
	uint32_t bytes;	 /* out, only where frames is not 1: bytes of all segments, tags included */
};

struct port;

/* The memory that a worker lends to rx and tx: one for each worker, never shared. */
struct scratch;

struct port_ops {
	const char *kind; /* the word that `port ls` shows */
	/* Fills v (n, and of each frame snap, snap_len, body, body_cnt, len, off, drop) with up to max frames from
	 * queue q.  The bytes stay valid until rx_done().  drop: DROP_NONE, or why this is no frame; snap_len is 0 then.
	 * Returns v->n; 0 also when the peer is gone. */
	unsigned (*rx)(struct port *p, unsigned q, struct scratch *s, struct vec *v, unsigned max);
	/* Returns the memory of the last rx() to the source.  NULL when there is nothing to do. */
	void (*rx_done)(struct port *p, unsigned q, struct scratch *s);
	/* Sends n frames over queue q % p->queues, in order.  Never blocks.  Returns how many of them were not simply
	 * taken as one frame: drop or frames is changed there. */
	unsigned (*tx)(struct port *p, unsigned q, struct scratch *s, struct tx_frame *t,
		       unsigned n);
	/* Asks for a wake-up of queue q through its descriptor, which is watched edge-triggered and never read.  True: sleep
	 * is fine; false: frames came meanwhile, poll again.  NULL: the descriptor is level-triggered and always tells. */
	bool (*arm)(struct port *p, unsigned q);
	/* Frees what the kind holds; the descriptors go with it. */
	void (*close)(struct port *p);
};

/* Counters of one port on one worker.  Written by that worker alone, read by anybody. */
struct port_counters {
	_Atomic uint64_t rx_frames, rx_bytes;
	_Atomic uint64_t tx_frames, tx_bytes, tx_lost;
	_Atomic uint64_t forwarded, local;
	_Atomic uint64_t drops[DROP_COUNT];
} __attribute__((aligned(64)));

/* The policers of a port, shared by the workers; a rate of 0 limits nothing. */
struct police {
	struct rate rx, tx;			   /* bits */
	struct rate broadcast, multicast, unknown; /* frames */
};

struct port {
	const struct port_ops *ops;
	enum port_kind kind;
	char name[PORT_NAME_SIZE];
	uint16_t slot; /* index in the fabric; the same over a restart */
	uint16_t queues;
	_Atomic uint8_t state;		 /* enum port_state */
	_Atomic uint32_t loop_until_s;	 /* frames are capped until this second, 0: not */
	char ifname[16];		 /* of the device behind it, now; "": there was none yet */
	struct mac mac;			 /* and its address; zero: unknown */
	uint32_t mtu;			 /* PACKET: of the interface; else 0 */
	struct mac first_mac;		 /* that it had at first, which guard mac holds it to */
	_Atomic int fd[PORT_QUEUES_MAX]; /* what a worker polls for each queue, -1: none */
	uint32_t tap_serial;		 /* of the broker's last word on its device */
	void *priv;			 /* the kind's own */
	struct police *
		police; /* what the running configuration limits, or NULL; the fabric shows it to workers */
	struct rate loop_cap; /* frames while in a loop */
	struct port_counters counters[WORKERS_MAX];
};

/* Adds without an atomic read-modify-write: only the owning worker writes. */
static inline void count(_Atomic uint64_t *c, uint64_t n)
{
	n += atomic_load_explicit(c, memory_order_relaxed);
	atomic_store_explicit(c, n, memory_order_relaxed);
}

/* For the open of a kind: p is one of it, without descriptors. */
void port_open(struct port *p, const struct port_ops *ops, void *priv);

/* The sum over all workers of the counter at the same place as *first, which lies in counters[0]. */
uint64_t port_sum(const struct port *p, const _Atomic uint64_t *first);

const char *port_state_word(enum port_state state);

#endif
