/* SPDX-License-Identifier: GPL-2.0-or-later */
/* begin: the first packet of a session, by nat.c, when there is none. */
#ifndef VFAB_NAT_BEGIN_H
#define VFAB_NAT_BEGIN_H

#include "nat/nat_internal.h"

/* DROP_NONE and the new session, or why there is none; the packet is not changed. */
enum drop begin_out(struct nat *n, const struct nat_job *j, struct session **s);
/* From uplink `side`: a rule, or a mapping that any remote end may use. */
enum drop begin_in(struct nat *n, const struct packet *k, uint16_t side, struct session **s);
enum drop begin_route(struct nat *n, const struct nat_job *j, struct session **s);

#endif
