/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl: the switches of the host's stack that host uplinks need, in our namespace, and putting them back.
 *
 * Only what was off is turned on, and only what was turned on here is turned off again.  IPv6: a host that forwards forgets the
 * routes that routers advertise to it and listens to no more of them (accept_ra 1), so those interfaces are told to listen all
 * the same (2) before.
 *
 * What was done is noted in a file, so that the vfabd after a killed one can put it back: with the id of the boot, since a host
 * that was started again has begun anew.
 */
#ifndef VFAB_BRIDGE_SYSCTL_H
#define VFAB_BRIDGE_SYSCTL_H

#include <stdbool.h>

enum { SYSCTL_RA_MAX = 64 };

struct sysctl_forwarding {
	const char *record; /* path of that file, not copied; NULL: none */
	bool is_on4, is_on6; /* by us */
	char ra[SYSCTL_RA_MAX][16]; /* interfaces whose accept_ra we made 2 */
	unsigned n_ra;
};

/* As an earlier process left it, by its record. */
void sysctl_recover(struct sysctl_forwarding *f, const char *record);
/* 0, or -errno: it is off, and cannot be turned on. */
int sysctl_forward(struct sysctl_forwarding *f, bool is_v4, bool on);
/* Is it on, whoever did it? */
bool sysctl_forwards(bool is_v4);
/* Whether addresses of 127.0.0.0/8 may go over that interface; 0 or -errno. */
int sysctl_route_localnet(const char *ifname, bool on);

#endif
