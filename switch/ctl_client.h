/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_client: the connections of the control socket, for ctl.c alone: bytes in, bytes out, and every
 * limit that keeps one client from the others.  It knows nothing of JSON.
 *
 *            whole request              answer queued           all sent
 *   READING ---------------> BUSY --------------------> ENDING ----------> closed
 *                             | stream begun                ^
 *                             +------------> STREAM --------+ client leaves, or the verb ends it
 *
 * Ownership.  A client belongs to its struct clients.  While a handler runs (BUSY) it stays; a
 * stream stays until its on_close has returned.
 */
#ifndef VFAB_SWITCH_CTL_CLIENT_H
#define VFAB_SWITCH_CTL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "switch/base/loop.h"
#include "switch/ctl.h"

struct clients;

/* Called with each whole request, n bytes without the newline; must end with client_end() or
 * client_stream_begin().  text is the client's until it returns. */
typedef void (*client_request)(void *arg, struct client *cl, const char *text, size_t n);
/* What a client is told before it is dropped for a limit; ends with client_end(). */
typedef void (*client_refused)(struct client *cl, const char *why);

struct client_calls {
	client_request request;
	client_refused refused;
	void *arg;
	uint32_t patience_ms; /* for a whole request, and for each piece of an answer */
};

/* Takes listen_fd.  NULL with errno, and then it stays the caller's. */
struct clients *clients_create(struct loop *loop, int listen_fd, const struct client_calls *calls);
void clients_destroy(struct clients *all); /* NULL is fine */

/* A handler runs and has given no answer yet. */
bool client_is_busy(const struct client *cl);
pid_t client_pid(const struct client *cl);
uid_t client_uid(const struct client *cl);
int client_take_fd(struct client *cl); /* -1: none left */

/* Queues bytes for a client; false: over a limit or without memory, and nothing was queued. */
bool client_queue(struct client *cl, const void *bytes, size_t n);
/* Queues n bytes and a newline to a stream, all or nothing. */
bool client_queue_line(struct client *cl, const char *line, size_t n);
void client_unqueue(struct client *cl); /* forgets what is queued and not sent */

/* No more is queued: what is there is sent, then the client goes. */
void client_end(struct client *cl);
/* Makes the client a stream.  False: too many, it stays as it was; on_close is called in either case. */
bool client_stream_begin(struct client *cl, void (*on_close)(void *arg), void *arg);

#endif
