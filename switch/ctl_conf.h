/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_conf: the verbs that change the configuration, and the way back of `apply --confirm`.
 *
 * While a confirmation is awaited, every further change is part of what is to be confirmed; the way back stays
 * the configuration before the first.  The broker keeps that one meanwhile: a switch that dies
 * comes back with it, early rather than never.
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

/* SIGHUP: replaces the configuration with text, or logs and records the error and leaves the fabric as it is. */
void ctl_reload(struct daemon *d, const char *text, size_t bytes);

#endif
