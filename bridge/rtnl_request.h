/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnl_request: how a request of rtnetlink is made; for the files of bridge/ that speak to the socket of rtnl.h. */
#ifndef VFAB_BRIDGE_RTNL_REQUEST_H
#define VFAB_BRIDGE_RTNL_REQUEST_H

#include <libmnl/libmnl.h>

#include "bridge/rtnl.h"

/* Begins a request in the socket's buffer of 1 KiB; NLM_F_REQUEST and NLM_F_ACK are set. */
struct nlmsghdr *rtnl_begin(struct rtnl *r, uint16_t type, uint16_t flags);
/* Sends it, gives each message of the answer to see, and waits for the end.  0 or -errno, also the kernel's. */
int rtnl_ask(struct rtnl *r, const struct nlmsghdr *h, mnl_cb_t see, void *arg);

#endif
