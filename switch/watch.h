/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch: the control side of traces and captures.  The handlers of their verbs are in ctl.h.
 *
 * Limits.  WATCHES_MAX at once, captures that still wait for their reader included.
 */
#ifndef VFAB_SWITCH_WATCH_H
#define VFAB_SWITCH_WATCH_H

#include "switch/daemon.h"

/* Gives every worker the watches there are; to be called when workers were started anew. */
void watch_publish(struct daemon *d);

/* At the end, after ctl_destroy(): waits for captures that are still writing, at most CAPTURE_LINGER_MS. */
void watch_shutdown(struct daemon *d);

#endif
