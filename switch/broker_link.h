/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_link: one interface of the host that an uplink uses: looked at, its packet socket and its helper tap made.
 *
 * What.  The interface is the host's: nothing of it is set but what ends with the socket (promiscuous mode, one more MAC).  The
 * helper is a tap of our own, vfh-INTERFACE, or vfhN where that is too long or taken; whatever is written to it appears as received
 * by the interface.
 *
 * Ownership.  A struct link_device is the caller's memory; its descriptors are its own until link_device_close().
 */
#ifndef VFAB_SWITCH_BROKER_LINK_H
#define VFAB_SWITCH_BROKER_LINK_H

#include "bridge/rtnl.h"
#include "switch/broker.h"

struct link_device {
	int sock, helper;   /* -1: none; sock -1: not open */
	int helper_index;   /* of the helper's link; 0: there is none */
	bool is_promisc;
	struct mac more;    /* that the socket listens for beside the interface's own; zero: none */
	uint32_t can;	    /* enum offload_can */
	struct rtnl_link link; /* how it was last seen */
};

/* 0, or -errno with the reason in why: -ENODEV: there is none of that name; -EINVAL: it cannot be an uplink; -EBUSY: it is a port
 * of something; -EADDRINUSE: the host holds a refused address.  Text in why after 0: what is missing. */
int link_device_open(struct rtnl *r, const struct link_spec *spec, struct link_device *d,
		     char why[static TAP_TEXT_SIZE]);
/* Another socket in the place of the one that a dead switch had. */
int link_device_renew(struct link_device *d, const struct link_spec *spec, char why[static TAP_TEXT_SIZE]);
/* Promiscuous mode and MAC as the spec says, and for the interface's own MAC as it is now. */
int link_device_set(struct link_device *d, const struct link_spec *spec, char why[static TAP_TEXT_SIZE]);
/* Looks how it is; link is new then.  -ENODEV: it is gone; -EINVAL, -EBUSY: it can no longer be used, why says it. */
int link_device_look(struct rtnl *r, struct link_device *d, char why[static TAP_TEXT_SIZE]);
void link_device_close(struct rtnl *r, struct link_device *d);

/* -EADDRINUSE with the reason when the host holds an address that it must not. */
int link_check_addresses(struct rtnl *r, const struct link_spec *spec, char why[static TAP_TEXT_SIZE]);

#endif
