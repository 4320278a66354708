/* SPDX-License-Identifier: GPL-2.0-or-later */
/* show: what the show*.c files share: the state of the switch as JSON, for the read verbs of ctl.h. */
#ifndef VFAB_SWITCH_SHOW_H
#define VFAB_SWITCH_SHOW_H

#include <jansson.h>

#include "switch/ctl.h"
#include "switch/daemon.h"

/* What the request's member `key` names.  False: there is none of that name, and the client is refused with the
 * nearest one; true with *out NULL: the request has no such member. */
bool show_find_port(const struct daemon *d, struct client *cl, const json_t *req,
		    const struct port **out);
bool show_find_network(const struct daemon *d, struct client *cl, const json_t *req,
		       const struct conf_network **out);

/* The addresses that a port with `guard: strict` may use: [{ip, mac, kind (fixed, lease, learned), expires_s}]. */
json_t *show_guarded(const struct daemon *d, const struct port *p);

#endif
