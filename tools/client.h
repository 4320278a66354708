/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client: the near end of vfabd's control socket (the protocol is in switch/ctl.h).
 *
 * One connection a request.  Whatever goes wrong is one line on standard error, written here, and an exit status for the
 * caller to return.
 */
#ifndef VFAB_TOOLS_CLIENT_H
#define VFAB_TOOLS_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	CLIENT_WAIT_MS = 60000,      /* for a plain answer */
	CLIENT_END_MS = 3000,        /* for the end of a stream that was asked to stop */
	CLIENT_LINE_MAX = 256 << 20, /* an answer longer than this is no answer */
	CLIENT_FILE_MAX = 4 << 20,
};

/* The socket: this one, else $VFAB_SOCKET, else /run/vfab/vfab.sock. */
void client_use_socket(const char *path);
const char *client_socket(void);

/* A request with that verb; the caller adds members. */
json_t *client_request(const char *verb);

/* Asks, and gives the result, which becomes the caller's (result may be NULL).  Takes request.  file: the name to blame for bad
 * data, or NULL.  0 or the exit status. */
int client_ask(json_t *request, const char *file, json_t **result);

/* True when a vfabd answers; says nothing. */
bool client_is_answered(void);

/* Asks for a stream; each() gets every object (borrowed) and returns false to end.  Takes request; fd (-1: none) goes along and
 * stays the caller's.  Ctrl-C asks the other end to stop.  0 or the exit status. */
typedef bool (*client_each)(json_t *obj, void *arg);
int client_stream(json_t *request, int fd, client_each each, void *arg);

/* Set once SIGINT, SIGTERM or SIGHUP came, after client_catch_signals(). */
bool client_interrupted(void);
void client_catch_signals(void);

/* Reads a whole file, "-": standard input.  malloc'd and terminated; NULL with *status set and the error written. */
char *client_read_file(const char *path, size_t *bytes, int *status);

#endif
