/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap: a port over the queues of a kernel tap device, with virtio-net headers of 12 bytes.
 *
 * The port exists before its device and after it: without descriptors it waits, and drops what it is given.
 * Descriptors are non-blocking (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, vnet header size 12).
 */
#ifndef VFAB_PORT_TAP_H
#define VFAB_PORT_TAP_H

#include "switch/port/port.h"

/* Makes p a tap port without descriptors.  0 or -ENOMEM. */
int tap_open(struct port *p);

/* Gives it the n queues of its device; takes the descriptors.  can: offload_can of gso.h. */
void tap_attach(struct port *p, const int *fds, unsigned n, unsigned can);

/* Takes the descriptors back: workers no longer start to use them.  The caller waits a grace period
 * and closes them.  Returns how many. */
unsigned tap_detach(struct port *p, int fds[static PORT_QUEUES_MAX]);

#endif
