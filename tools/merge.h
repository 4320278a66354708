/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * merge: verbs that change the fabric.  Their options are keys of the file, spelled alike; a verb makes a fragment of the file
 * of them and sends it.
 */
#ifndef VFAB_TOOLS_MERGE_H
#define VFAB_TOOLS_MERGE_H

#include <jansson.h>
#include <stdbool.h>

#include "tools/call.h"

/* The options of a call as {key: value}; a value "none" is null when how is "set".  NULL with *status. */
json_t *merge_keys(const struct call *c, const char *how, int *status);

/* {kind: {name: keys}}; takes keys (NULL: null).  NULL when name is not UTF-8. */
json_t *merge_object(const char *kind, const char *name, json_t *keys);

/* Sends a fragment; takes it.  how: add, set or del.  0 or the exit status. */
int merge_send(json_t *fragment, const char *how, bool may_wait);

/* A request with what the options --net, --uplink, --port and --proto say; NULL and a message when one is no text. */
json_t *merge_narrowed(const struct call *c, const char *verb);

/* The whole verb: `add NAME`, `set NAME`, `del NAME` of an object under kind ("ports"). */
int merge_call(const struct call *c, const char *kind);

/* The whole verb `show NAME`: the object of that name in the answer to list ("port.ls"), called word ("port"). */
int merge_show(const struct call *c, const char *list, const char *word);

#endif
