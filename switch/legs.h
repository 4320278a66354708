/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * legs: from a configuration and what became of its uplinks to what the gateway and the NAT work by.  Pure: apply.c and uplink.c
 * call it before they publish.
 */
#ifndef VFAB_SWITCH_LEGS_H
#define VFAB_SWITCH_LEGS_H

#include "switch/conf.h"
#include "switch/gateway.h"
#include "switch/uplink.h"

/* The legs of a configuration over the open ports; NULL without memory. */
struct gateway_conf *legs_create(const struct conf *c, const struct uplinks *u,
				 struct port *const ports[static SLOT_MAX]);
/* And the plan of the NAT over those legs; NULL without memory. */
struct nat_plan *legs_nat_plan(const struct conf *c, const struct gateway_conf *g);

/* What the broker is to do in the host for it: uplinks and forwards of kind host, malloc'd; *set says how many.  0 or -ENOMEM. */
int legs_host_set(const struct conf *c, struct host_set *set, struct nft_uplink **uplinks,
		  struct nft_forward **forwards);

#endif
