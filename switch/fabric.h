/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fabric: the immutable snapshot by which workers forward.  Built by apply.c from a struct conf and the
 * open ports, published with rcu_set(), freed after a grace period.  The ports themselves (struct port) live on from one
 * fabric to the next and are not owned by it.
 */
#ifndef VFAB_SWITCH_FABRIC_H
#define VFAB_SWITCH_FABRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/base/addr.h"
#include "switch/base/fdb.h"
#include "switch/port/port.h"
#include "vlan/vlan.h"

/* What the fabric decides for one port. */
struct fabric_port {
	struct port *port;     /* NULL: no port in this slot */
	struct police *police; /* NULL: nothing is limited */
	uint32_t mtu;	       /* largest L2 payload that may leave */
	uint16_t only_vid;     /* the one VLAN that it carries; 0: several, or none */
	bool is_plain_in;      /* ingress: every frame has a VLAN, and no guard, no rate; not the host's */
	bool is_plain_out;     /* egress: there is a port; no rate, not isolated, not the host's */
	bool is_untagged;      /* every frame leaves without a tag */
	bool isolated;
	bool guard_mac; /* only frames from mac */
	bool guard_strict; /* and of addresses that are the port's: guard.h */
	bool mac_limit_drop;
	bool is_host;	/* the device of a host-only network: out only to its addresses */
	struct mac mac; /* guard: the one source, zero: guard strict knows none; host: the gateway's */
	struct vlan_port vlan;
	struct ip host_v4, host_v6; /* host: its addresses, zero when none */
};

/* Ports that carry a VLAN, for flooding. */
struct fabric_members {
	uint16_t n;
	uint16_t slot[];
};

/* A queue that a worker receives. */
struct fabric_rxq {
	uint16_t slot, queue;
};

struct gateway_conf;

struct fabric {
	uint64_t generation; /* 1, 2, ... */
	uint64_t loop_id;    /* what loop probes of this fabric carry */
	struct fdb *fdb;
	uint16_t n_slots;			    /* slots in use are below this */
	struct fabric_port *port;		    /* n_slots of them */
	struct vlan_set service;		    /* service VLANs */
	struct vlan_set isolated;		    /* VLANs of networks with `isolate` */
	bool has_isolated;			    /* there is such a VLAN */
	const struct fabric_members *members[4096]; /* of each VLAN; never NULL */
	void *members_memory;			    /* the lists, in one piece */
	uint32_t ageing_s[4096];		    /* of each VLAN; 0: never */
	unsigned n_workers;
	struct fabric_rxq *rxq[WORKERS_MAX]; /* of each worker */
	unsigned n_rxq[WORKERS_MAX];
	bool idle_poll;
	struct gateway_conf *legs; /* addresses of the switch's own; NULL: none.  Goes with the fabric */
};

struct conf;

/*
 * Builds the fabric of a validated configuration.  ports[slot] is the open port of each slot or NULL; every port of conf,
 * and the host port of every host-only network, is found there by its name.  NULL without memory.
 */
struct fabric *fabric_create(const struct conf *conf, struct port *const *ports, unsigned n_slots,
			     struct fdb *fdb, unsigned n_workers, uint64_t generation);
void fabric_destroy(struct fabric *fab);

/* The MAC of the gateway of a VLAN: 02:76:66:00:00:00 plus the id. */
struct mac fabric_gateway_mac(uint16_t vid);

#endif
