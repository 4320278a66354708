/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * capture: writes the frames of one watch to a client's descriptor, as pcapng, in a thread of its own.
 *
 * Ownership.  The descriptor becomes the capture's.  The watch stays the caller's, who takes it from the
 * recorders before capture_stop(), waits a grace period, and frees it after capture_destroy().
 *
 * Limits.  What does not fit the rings is lost and counted, by port in the interface statistics of the
 * file.  Whatever the descriptor does (a reader that stopped, a full disk), the thread alone waits
 * for it; it is interrupted by a signal, CAPTURE_SIGNAL, whose handler does nothing.
 */
#ifndef VFAB_SWITCH_CAPTURE_H
#define VFAB_SWITCH_CAPTURE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/trace.h"

enum {
	CAPTURE_SIGNAL = SIGUSR2,
	CAPTURE_KICK_MS = 20, /* how often capture_stop() is to be called again */
	CAPTURE_LINGER_MS =
		500, /* a reader that takes nothing may keep a stopped capture so long */
};

struct capture;

/* What the file knows of a port from the start. */
struct capture_port {
	uint16_t slot;
	char name[PORT_NAME_SIZE];
};

/* Starts the thread.  The n ports, which are copied, are in the file even when they have no frame; others
 * follow when they have one.  count: it ends by itself after so many frames, 0: not.  fd is a regular
 * file, a pipe, a socket or a character device.  NULL with errno (EINVAL: another kind); fd stays the
 * caller's then. */
struct capture *capture_start(struct watch *w, int fd, uint64_t count,
			      const struct capture_port *ports, unsigned n);

/* Readable when the thread has ended, by itself or stopped: watch it in a loop. */
int capture_done_fd(const struct capture *c);
bool capture_is_done(const struct capture *c);

/* Asks it to write what is in the rings and to end; never waits.  A write that hangs is interrupted: call
 * again each CAPTURE_KICK_MS until it is done. */
void capture_stop(struct capture *c);

uint64_t capture_frames(const struct capture *c); /* written so far */
int capture_error(const struct capture *c); /* errno that ended it, 0: none; once it is done */

void capture_destroy(struct capture *c); /* stops it if need be, and joins it; NULL is fine */

#endif
