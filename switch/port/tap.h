/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap: a port over the queues of a kernel tap device, with virtio-net headers of 12 bytes. */
#ifndef VFAB_PORT_TAP_H
#define VFAB_PORT_TAP_H

#include "switch/port/port.h"

/*
 * Makes the port ready for frames over n non-blocking tap queue descriptors (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, vnet
 * header size 12); takes them.  can: what the kernel accepts of USO (gso.h).  0 or -errno, and then
 * the descriptors stay the caller's.
 */
int tap_open(struct port *p, const int *fds, unsigned n, unsigned can);

extern const struct port_ops tap_ops;

#endif
