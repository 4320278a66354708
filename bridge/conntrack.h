/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntrack: connections of UDP that would go on as they are after a port was redirected, or no longer is. */
#ifndef VFAB_BRIDGE_CONNTRACK_H
#define VFAB_BRIDGE_CONNTRACK_H

#include <stdbool.h>
#include <stdint.h>

/* Forgets each one of which fn says so, by its first packet's destination port and family.  0 or -errno. */
typedef bool (*conntrack_fn)(bool is_v4, uint16_t port, void *arg);
int conntrack_forget_udp(conntrack_fn fn, void *arg);

#endif
