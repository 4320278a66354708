/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device: what is behind a port, by its kind: a tap of the broker, or the socket of a guest.  apply.c opens and closes ports by
 * it and knows no kind.  Control thread.
 */
#ifndef VFAB_SWITCH_DEVICE_H
#define VFAB_SWITCH_DEVICE_H

#include "switch/daemon.h"
#include "switch/want.h"

/* The open port of that name, or NULL. */
struct port *device_port(struct daemon *d, const char *name);

/* A struct port with nothing behind it, in the slot that its name has; NULL: no memory, or no slot. */
struct port *device_create(struct daemon *d, const struct want *w);
/* Frees a port that no worker and no fabric shows; nobody is told.  NULL is fine. */
void device_free(struct port *p);

/* Opens what the want says and puts it behind p.  0, or -errno with the reason. */
int device_open(struct daemon *d, struct port *p, const struct want *w, bool may_wait,
		char why[static TAP_TEXT_SIZE]);
/* Changes a device that stays.  0, or -errno with the reason. */
int device_set(struct port *p, const struct want *w, char why[static TAP_TEXT_SIZE]);
/* Takes away what is behind p; workers no longer use it, and the broker closes it. */
void device_close(struct daemon *d, struct port *p);

/* What a tap is now: the answer to a request, or a notice.  Takes the descriptors. */
void device_take_tap(struct daemon *d, struct port *p, const struct tap_answer *a, const int *fds);
/* And what an interface of the host is. */
void device_take_link(struct daemon *d, struct port *p, const struct link_answer *a, const int *fds);

#endif
