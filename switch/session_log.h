/* SPDX-License-Identifier: GPL-2.0-or-later */
/* session_log: what networks with `nat: {log: ...}` log of their sessions (RFC 6888 4), one line each. */
#ifndef VFAB_SWITCH_SESSION_LOG_H
#define VFAB_SWITCH_SESSION_LOG_H

#include "switch/daemon.h"

/* Control thread, at each tick: writes what workers noted since the last one, within a limit, and says how much that left out. */
void session_log_tick(struct daemon *d);

#endif
