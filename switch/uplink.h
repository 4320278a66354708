/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplink: the ways out, as the control thread knows them: what became of each uplink of the configuration, its addresses (static, or by
 * the DHCP client), and the legs and the NAT that follow from it.
 */
#ifndef VFAB_SWITCH_UPLINK_H
#define VFAB_SWITCH_UPLINK_H

#include "switch/broker_uplink.h"
#include "switch/daemon.h"
#include "switch/gateway.h"

enum { UPLINK_STATE_TEXT = 192 };

/* What `uplink ls` shows beside its configuration. */
struct uplink_state {
	char name[64];
	uint16_t vid, slot; /* SLOT_MAX: its port is not open */
	struct mac mac;	    /* of our leg */
	uint32_t mtu;
	struct prefix v4, v6; /* of our leg, now; is_set */
	struct ip next4, next6;
	bool has_next4, has_next6;
	enum { UPLINK_STATIC, UPLINK_ASKING, UPLINK_BOUND } dhcp; /* ASKING and BOUND: by DHCP */
	uint32_t lease_s;		 /* BOUND: that the lease has still */
	uint64_t lost;			 /* frames that the kernel dropped before the port */
	char trouble[UPLINK_STATE_TEXT]; /* what stands in the way, in words, and how to mend it; "" */
};

/* NULL without memory. */
struct uplinks *uplinks_create(struct daemon *d);
void uplinks_destroy(struct uplinks *u);
/* The n-th uplink (from 0); NULL: no more. */
const struct uplink_state *uplink_at(const struct uplinks *u, unsigned n);

#endif
