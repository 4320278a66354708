/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_tap: one tap device: made or adopted, moved, set, looked at, taken away.
 *
 * Ownership.  A struct tap_device is the caller's memory; its descriptors are its own until
 * tap_device_close().
 */
#ifndef VFAB_SWITCH_BROKER_TAP_H
#define VFAB_SWITCH_BROKER_TAP_H

#include <stdbool.h>

#include "bridge/rtnl.h"
#include "switch/broker.h"

/* Where the broker lives: its rtnetlink socket and the way back from other namespaces. */
struct tap_home {
	struct rtnl *rtnl;
	int netns_fd;
};

struct tap_device {
	unsigned queues; /* 0: there is no device */
	int fd[PORT_QUEUES_MAX];
	bool is_adopted;
	bool is_pinning;       /* its descriptors keep another namespace alive */
	uint32_t can;	       /* enum offload_can */
	int nsid;	       /* where it was last seen, RTNL_OWN: in ours */
	struct rtnl_link link; /* how it was last seen */
};

int tap_home_init(struct tap_home *h); /* 0 or -errno */
void tap_home_fini(struct tap_home *h);

/*
 * Makes the device of the spec, or adopts it when it exists; sets it up.  When !may_make it only
 * adopts, and -ENODEV means that there is none. -ENOENT: the namespace is missing.  0, or -errno
 * with the reason in why and nothing left behind.
 */
int tap_device_open(const struct tap_home *h, const struct tap_spec *spec, bool may_make,
		    struct tap_device *d, char why[static TAP_TEXT_SIZE]);
/* Changes MTU, MAC, addresses and gateway from those of `was` to those of `spec`.  0, or -errno with the reason. */
int tap_device_set(const struct tap_home *h, struct tap_device *d, const struct tap_spec *was,
		   const struct tap_spec *spec, char why[static TAP_TEXT_SIZE]);
/* Looks where it is and how: nsid and link are new then.  -ENODEV: it was deleted; -ESTALE: its namespace is gone; else -errno. */
int tap_device_look(const struct tap_home *h, struct tap_device *d);
/* Whether the spec still leads to the namespace that the device is in. */
bool tap_device_is_at(const struct tap_device *d, const struct tap_spec *spec);
/* Takes back what was set on an adopted device, deletes one that was made. */
void tap_device_close(const struct tap_home *h, struct tap_device *d, const struct tap_spec *spec);
/* Puts one that was made, and is in our namespace, into a group of links that is about to be deleted as a whole. */
void tap_device_join(const struct tap_home *h, struct tap_device *d, uint32_t group);
/* Closes the descriptors and nothing else. */
void tap_device_drop(struct tap_device *d);

#endif
