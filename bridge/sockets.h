/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets: which sockets of this host wait for strangers: TCP that listens, UDP without a peer.  sock_diag(7). */
#ifndef VFAB_BRIDGE_SOCKETS_H
#define VFAB_BRIDGE_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "switch/base/addr.h"

struct waiting_socket {
	struct ip ip; /* of :: and 0.0.0.0: is_any; an IPv4 address in the clothes of IPv6 is IPv4 */
	uint16_t port;
	bool is_v6, is_any;
	bool takes_v4; /* of IPv6, for every address: IPv4 clients too */
	uint32_t inode;
};

/* Calls fn for each of protocol 6 or 17 in our namespace; it returns false to end.  0 or -errno. */
typedef bool (*sockets_fn)(const struct waiting_socket *s, void *arg);
int sockets_each(uint8_t proto, sockets_fn fn, void *arg);

/* A process that has the socket, and what it is called; 0: none that we can see. */
enum { SOCKETS_NAME = 16 };
pid_t sockets_owner(uint32_t inode, char name[static SOCKETS_NAME]);

#endif
