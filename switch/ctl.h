/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl: the control socket.  ONE table of {verb, handler, help}.
 *
 * Protocol.  A client sends one JSON object on a line, {"verb": "port.ls", ...}, descriptors attached to it; the switch answers one
 * object on a line and closes unless the verb streams.
 *   answer     {"ok": true, "result": ...}
 *   refusal    {"ok": false, "status": 1|2|65, "error": TEXT, "object": O, "path": P, "line": L, "column": C}
 *   stream     {"ok": true, "stream": true}, then one object a line until either side closes
 *
 * Verbs (arguments are members of the request beside "verb"; ? optional):
 *   version                          -> {version, pid, generation, crashes, started_ms}
 *   conf.merge  how text             -> {changes: [{kind, object, name, what}]}   how: add set del (conf.h); text is a
 *                                       fragment of the file, as JSON or YAML
 *   conf.apply  text confirm_s?      -> {changes}      replaces the whole; goes back after confirm_s unless confirmed
 *   conf.diff   text                 -> {changes}
 *   conf.show                        -> {text}
 *   conf.save                        -> {}             rewrites the -c file
 *   conf.confirm                     -> {}
 *   port.ls net.ls                   -> arrays of INTERFACE
 *   mac.ls      network? port?       -> array of INTERFACE
 *   mac.flush   network? port?       -> {flushed}      learned entries
 *   drops       port?                -> [{port, reason, frames, text}]
 *   stats                            -> [{port, state, rx{}, tx{}, forwarded, local, drops}]
 *   events      since_ms? follow?    -> [{time, kind, object, text}], or a stream of them
 *   trace       filter? sees_tag? port? count? drops?         streams the objects of INTERFACE
 *   capture     port dir? filter? sees_tag? count? snaplen?   with a descriptor; streams {frames, lost} once a second and
 *                                                             at the end, which comes with count or when the client leaves
 *   filter is a compiled pcap program: [[code, jt, jf, k], ...]
 *
 * Trust.  Whoever can open the socket is an operator, but clients are slow, broken or many: CTL_CLIENTS_MAX of them, a request
 * of at most CTL_REQUEST_MAX bytes within CTL_REQUEST_MS, answers queued without waiting, and a client
 * that does not read is dropped.
 */
#ifndef VFAB_SWITCH_CTL_H
#define VFAB_SWITCH_CTL_H

#include <jansson.h>
#include <stdbool.h>

#include "switch/conf.h"

enum {
	CTL_CLIENTS_MAX = 1024,
	CTL_REQUEST_MAX = 3 * CONF_TEXT_MAX, /* a file as a JSON string, escapes included */
	CTL_REQUEST_MS = 10000,
	CTL_QUEUE_MAX = 8 << 20,            /* bytes of answer that wait for a slow reader */
	CTL_FDS_MAX = 4,
};

struct daemon;   /* switch/daemon.h */
struct ctl;
struct client;   /* one connection */

struct ctl *ctl_create(struct daemon *d, int listen_fd); /* takes listen_fd; NULL with errno */
void ctl_destroy(struct ctl *c);

/* For handlers.  Each answer is given once; result is stolen. */
void ctl_answer(struct client *cl, json_t *result);
void ctl_refuse(struct client *cl, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void ctl_refuse_conf(struct client *cl, int status, const struct conf_error *err);

/* Streams.  on_close is called once when the client goes.  ctl_stream_send steals obj; false: the client was too slow
 * and the object was dropped. */
void ctl_stream_begin(struct client *cl, void (*on_close)(void *arg), void *arg);
bool ctl_stream_send(struct client *cl, json_t *obj);
void ctl_stream_end(struct client *cl); /* flushes and closes */

/* The verb's own entry points, in show.c and capture.c; req is borrowed. */
typedef void (*ctl_handler)(struct daemon *d, struct client *cl, const json_t *req);
void show_ports(struct daemon *d, struct client *cl, const json_t *req);
void show_networks(struct daemon *d, struct client *cl, const json_t *req);
void show_macs(struct daemon *d, struct client *cl, const json_t *req);
void show_drops(struct daemon *d, struct client *cl, const json_t *req);
void show_stats(struct daemon *d, struct client *cl, const json_t *req);
void show_events(struct daemon *d, struct client *cl, const json_t *req);
void show_version(struct daemon *d, struct client *cl, const json_t *req);
void watch_trace(struct daemon *d, struct client *cl, const json_t *req);
void watch_capture(struct daemon *d, struct client *cl, const json_t *req);

/* A descriptor that came with the request, or -1; it becomes the caller's. */
int ctl_take_fd(struct client *cl);

#endif
