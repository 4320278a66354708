/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * story: a record of the recorder as the JSON object that `vfab trace -o json` shows.
 *
 *   {"time": "2024-05-01T12:00:00.123456789Z",
 *    "frame": {"len": 102, "src": MAC, "dst": MAC, "type": "ipv4", "vlan": 10, "pcp": 0,
 *              "tag": {"tpid": "0x8100", "vid": 10, "pcp": 0},         tagged on the wire
 *              "gso": {"type": "tcpv4", "size": 1448},                 to be segmented
 *              "ip": {"proto": "tcp", "src": IP, "dst": IP, "sport": 1, "dport": 2},
 *              "arp": {"op": "request", "sender": IP, "target": IP}},
 *    "port": "c1", "steps": [{"stage": "rx", "what": TEXT}, ...],
 *    "verdict": "forward", "out": ["c2"], "reason": null}
 *
 * vlan is the VLAN of the fabric, null for a frame that was dropped before it had one.  reason is the word of
 * the drop, null for a frame that was not dropped.  type: ipv4, ipv6,
 * arp, or hexadecimal.  What the first TRACE_SNAP bytes do not hold is left out.
 */
#ifndef VFAB_SWITCH_STORY_H
#define VFAB_SWITCH_STORY_H

#include <jansson.h>

#include "switch/trace.h"

enum { STORY_TIME_TEXT = 48 };

/* The name of a slot now, or NULL. */
typedef const char *(*story_name)(void *arg, uint16_t slot);

/* NULL without memory. */
json_t *story_json(const struct trace_record *rec, story_name name, void *arg);

/* RFC 3339 with nanoseconds, UTC. */
const char *story_time(uint64_t time_ns, char buf[static STORY_TIME_TEXT]);

#endif
