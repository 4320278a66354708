/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl: the control socket.  ONE table of {verb, handler, help}.
 *
 * Protocol.  A client sends one JSON object on a line, {"verb": "port.ls", ...}, descriptors attached to it; the switch answers one
 * object on a line and closes unless the verb streams.  A half-closed client still gets its answer.
 *   answer     {"ok": true, "result": ...}
 *   refusal    {"ok": false, "status": 1|2|65, "error": TEXT, "object": O, "path": P, "line": L, "column": C}
 *              the last four only where they are known
 *   stream     {"ok": true, "stream": true}, then one object a line until either side closes; a client that half-closes
 *              a stream is leaving: it gets what is queued and a last object where the verb has one
 *
 * Verbs (arguments are members of the request beside "verb"; ? optional):
 *   help                             -> [{verb, help}]
 *   version                          -> {version, pid, generation, crashes, started_ms}
 *   conf.merge  how text may_wait?   -> {changes: [{kind, object, name, what}]}   how: add set del (conf.h); text is a
 *                                       fragment of the file, as JSON or YAML; may_wait: missing namespaces are waited for;
 *                                       refused while a confirmation is awaited
 *   conf.apply  text confirm_s?      -> {changes}      replaces the whole; goes back after confirm_s unless confirmed, without
 *                                       it settles what waits
 *   conf.diff   text                 -> {changes}
 *   conf.show   to_save?             -> {text}         to_save: for a file, refused while a confirmation is awaited
 *   conf.save                        -> {}             rewrites the -c file; refused likewise
 *   conf.confirm                     -> {}
 *   port.ls net.ls                   -> arrays of INTERFACE
 *   mac.ls      network? port?       -> array of INTERFACE
 *   mac.flush   network? port?       -> {flushed}      learned entries
 *   uplink.ls forward.ls route.ls    -> arrays of vfab(1); forward.ls: network?
 *   neigh.ls    network? uplink?     -> [{network, uplink, vlan, ip, mac, state, age_s}]
 *   neigh.flush network? uplink?     -> {}
 *   nat.ls      network? port? proto?   streams {rows: array of INTERFACE, end}: the last piece has end true
 *   nat.flush   network? port? proto?   streams {end, flushed}
 *   nat.stats                        -> {sessions, mappings, guests, fragments{}, log_lost, networks, outside}
 *   lease.ls    network?             -> [{network, ip, mac, hostname, state, expires_s, client_id, port}]
 *   lease.release ip network?        -> {}
 *   lease.stats                      -> {dhcp{}, dhcp6{}, dns{}, journal{}, pools[], unsent}
 *   debug.clock advance_ms           -> {}             only where VFAB_TEST_CLOCK is
 *   drops       port?                -> [{port, reason, frames, text}]
 *   stats                            -> [{port, state, rx{}, tx{}, forwarded, local, drops}]
 *   events      since_ms? follow?    -> [{time, kind, object, text}], or a stream of them; since_ms: no older than that, by
 *                                       default all that are kept, or with follow only new ones
 *   trace       filter? sees_tag? port? count? drops?         streams the objects of INTERFACE (story.h), and {lost} once a
 *                                                             second when stories were lost
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
#include <stddef.h>
#include <stdint.h>

#include "switch/conf.h"

enum {
	CTL_CLIENTS_MAX = 1280,		     /* above it the oldest without a whole request goes */
	CTL_STREAMS_MAX = 1024,		     /* of them: streams */
	CTL_REQUEST_MAX = 3 * CONF_TEXT_MAX, /* a file as a JSON string, escapes included */
	CTL_REQUEST_MS = 10000, /* for the whole request; for each piece of an answer to be read */
	CTL_QUEUE_MAX =
		32 << 20, /* bytes of one answer; 65536 MACs with the longest names need 15 MiB */
	CTL_STREAM_QUEUE_MAX = 512 << 10, /* bytes of a stream that wait for a slow reader */
	CTL_MEMORY_MAX =
		64 << 20, /* bytes of all requests and answers; above it the largest holder goes */
	CTL_STREAM_MEMORY_MAX = 64 << 20, /* bytes of all streams; above it objects are dropped */
	CTL_FDS_MAX = 4,
	CTL_TIME_TEXT = 48,
};

struct daemon; /* switch/daemon.h */
struct ctl;
struct client; /* one connection */

struct ctl *ctl_create(struct daemon *d, int listen_fd); /* takes listen_fd; NULL with errno */
void ctl_destroy(struct ctl *c);			 /* NULL is fine; closes every client */

/* For handlers.  A handler gives one answer, or begins a stream, before it returns; result is stolen (NULL: no memory). */
void ctl_answer(struct client *cl, json_t *result);
void ctl_refuse(struct client *cl, int status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ctl_refuse_conf(struct client *cl, int status, const struct conf_error *err);

/*
 * Streams; over CTL_STREAMS_MAX the client is refused and closed.  A client stays valid until
 * on_close, which is called exactly once: when the client goes or half-closes, after
 * ctl_stream_end(), or from ctl_destroy(); never from inside the functions here.  In on_close a
 * last object may still be sent.  ctl_stream_send steals obj, ctl_stream_line copies n bytes of one
 * JSON object without newline; false: the client was too slow and the object was dropped.
 */
void ctl_stream_begin(struct client *cl, void (*on_close)(void *arg), void *arg);
bool ctl_stream_send(struct client *cl, json_t *obj);
bool ctl_stream_line(struct client *cl, const char *line, size_t n);
void ctl_stream_end(struct client *cl); /* what is queued is sent, then it closes */

/* A JSON string of any bytes: what is not UTF-8 becomes "?".  NULL without memory. */
json_t *ctl_text(const char *text);
/* Milliseconds since 1970 as RFC 3339, UTC.  (gmtime_r would open /etc/localtime, which the sandbox kills for.) */
const char *ctl_time(uint64_t ms, char buf[static CTL_TIME_TEXT]);
uint64_t ctl_started_ms(const struct ctl *c); /* wall clock */

/* The verb's own entry points; req is borrowed, its members are of the types in the table. */
typedef void (*ctl_handler)(struct daemon *d, struct client *cl, const json_t *req);
/* show.c */
void show_ports(struct daemon *d, struct client *cl, const json_t *req);
void show_networks(struct daemon *d, struct client *cl, const json_t *req);
void show_drops(struct daemon *d, struct client *cl, const json_t *req);
void show_stats(struct daemon *d, struct client *cl, const json_t *req);
void show_version(struct daemon *d, struct client *cl, const json_t *req);
/* show_mac.c */
void show_macs(struct daemon *d, struct client *cl, const json_t *req);
void show_mac_flush(struct daemon *d, struct client *cl, const json_t *req);
/* show_out.c */
void show_uplinks(struct daemon *d, struct client *cl, const json_t *req);
void show_forwards(struct daemon *d, struct client *cl, const json_t *req);
void show_routes(struct daemon *d, struct client *cl, const json_t *req);
void show_neighs(struct daemon *d, struct client *cl, const json_t *req);
void show_neigh_flush(struct daemon *d, struct client *cl, const json_t *req);
void show_clock(struct daemon *d, struct client *cl, const json_t *req);
/* show_nat.c */
void show_sessions(struct daemon *d, struct client *cl, const json_t *req);
void show_session_flush(struct daemon *d, struct client *cl, const json_t *req);
void show_nat_stats(struct daemon *d, struct client *cl, const json_t *req);
void show_leases(struct daemon *d, struct client *cl, const json_t *req);
void show_lease_release(struct daemon *d, struct client *cl, const json_t *req);
void show_lease_stats(struct daemon *d, struct client *cl, const json_t *req);
/* show_event.c */
void show_events(struct daemon *d, struct client *cl, const json_t *req);
/* watch.c */
void watch_trace(struct daemon *d, struct client *cl, const json_t *req);
void watch_capture(struct daemon *d, struct client *cl, const json_t *req);

/* A descriptor that came with the request, or -1; it becomes the caller's. */
int ctl_take_fd(struct client *cl);

#endif
