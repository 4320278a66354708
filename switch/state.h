/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state: the region that outlives the switch process: a memfd that the broker keeps, with
 * versioned, pointer-free tables.
 *
 * Trust.  A crashed or hostile switch wrote it: each table is bounds-checked when it is opened, and
 * a region of another version or size starts fresh.
 */
#ifndef VFAB_SWITCH_STATE_H
#define VFAB_SWITCH_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "dhcp/client.h"
#include "switch/base/fdb.h"
#include "switch/neigh.h"
#include "switch/port/port.h"
#include "switch/port/vhost.h"

enum { EVENTS_KEPT = 1000, EVENT_KIND_SIZE = 24, EVENT_OBJECT_SIZE = 80, EVENT_TEXT_SIZE = 136 };

/* One event: what `vfab events` shows. */
struct event {
	uint64_t time_ms;  /* wall clock, since 1970 */
	uint64_t serial;   /* 1, 2, ...; 0: never written */
	char kind[EVENT_KIND_SIZE];     /* port_up, mac_limit, loop, restart, ... */
	char object[EVENT_OBJECT_SIZE]; /* port web; "" for the fabric */
	char text[EVENT_TEXT_SIZE];
};

/* The lease of an uplink. */
struct kept_lease {
	char name[64]; /* of the uplink; "": none */
	struct dhcp_lease lease;
};

struct state {
	uint64_t magic;
	uint32_t version, bytes;
	uint64_t event_serial;                      /* of the newest event */
	uint64_t loop_id;
	uint64_t crashes;                           /* restarts of the switch, ever */
	char port_name[SLOT_MAX][PORT_NAME_SIZE];   /* "": the slot is free */
	struct event event[EVENTS_KEPT];            /* serial % EVENTS_KEPT */
	struct vring_place ring[SLOT_MAX][VHOST_RINGS_MAX]; /* where each ring of each port was */
	uint8_t is_answering[SLOT_MAX]; /* a reply to this port's guest was under way: whether it got it is not known */
	struct kept_lease lease[64];
	struct neigh_table neigh;
	_Alignas(64) struct fdb_table fdb;
};

/* Maps the region behind fd, which has sizeof(struct state) bytes.  *fresh: nothing in it could be kept, and it was cleared.
 * NULL with errno. */
struct state *state_map(int fd, bool *fresh);
void state_unmap(struct state *s);

/* The slot of a port of that name, the old one where there was one; -ENOSPC when all are taken. */
int state_slot_take(struct state *s, const char *name);
void state_slot_put(struct state *s, uint16_t slot);

/* Adds an event and gives it to whoever follows (event_hook). */
void state_event(struct state *s, const char *kind, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Called with each new event; one hook. */
void state_event_hook(void (*fn)(const struct event *e, void *arg), void *arg);
/* Copies the event with that serial; false when it is no longer, or not yet, there. */
bool state_event_get(const struct state *s, uint64_t serial, struct event *out);

#endif
