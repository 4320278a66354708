/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_conf: the verbs that change the configuration, and the way back of `apply --confirm`.
 *
 * While a confirmation is awaited, no verb changes single objects and nothing goes to a file: both would mix what stays with
 * what may go.  A whole configuration is a new decision: one that is to be confirmed too waits in the place of the first, with
 * the same way back; any other settles the wait.  The broker keeps the way back meanwhile: a switch that dies comes back
 * with it, early rather than never.
 */
#ifndef VFAB_SWITCH_CTL_CONF_H
#define VFAB_SWITCH_CTL_CONF_H

#include <stddef.h>

#include "switch/ctl.h"

void ctl_conf_merge(struct daemon *d, struct client *cl, const json_t *req);
void ctl_conf_apply(struct daemon *d, struct client *cl, const json_t *req);
void ctl_conf_diff(struct daemon *d, struct client *cl, const json_t *req);
void ctl_conf_show(struct daemon *d, struct client *cl, const json_t *req);
void ctl_conf_save(struct daemon *d, struct client *cl, const json_t *req);
void ctl_conf_confirm(struct daemon *d, struct client *cl, const json_t *req);

/* SIGHUP: replaces the configuration with text, or logs and records the error and leaves the fabric as it is.  Settles
 * the wait for a confirmation. */
void ctl_reload(struct daemon *d, const char *text, size_t bytes);

#endif
