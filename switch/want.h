/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * want: what a configuration asks of its ports, as the broker and the path understand it.  Pure: out of a struct conf come
 * specs of devices, and policers; apply.c compares those of two configurations and acts.
 */
#ifndef VFAB_SWITCH_WANT_H
#define VFAB_SWITCH_WANT_H

#include <stdbool.h>
#include <stddef.h>

#include "switch/broker.h"
#include "switch/broker_uplink.h"
#include "switch/conf.h"
#include "switch/port/port.h"

/* A port that the next configuration wants: of a conf_port, or of a host-only network. */
struct want {
	struct tap_spec spec;	 /* the name of the port, whatever its kind */
	struct guest_spec guest; /* PORT_VHOST_USER: its socket */
	enum port_kind kind;
	struct link_spec link;	 /* PORT_PACKET: its interface */
	const struct conf_port *conf; /* NULL: the device of a host-only network, or an uplink */
	bool is_new;		      /* to be opened */
};

struct want want_of_port(const struct conf *c, const struct conf_port *cp);
/* Every port that a configuration has, malloc'd, *n of them; NULL without memory. */
struct want *wants_of(const struct conf *c, size_t *n);
const struct want *want_find(const struct want *wants, size_t n, const char *name);

/* The same device: the port can stay open.  Rivals: not before the one is closed can the other be opened.  The same
 * setting: nothing is to be done to it. */
bool want_is_same_device(const struct want *a, const struct want *b);
bool want_are_rivals(const struct want *a, const struct want *b);
bool want_is_same_setting(const struct want *a, const struct want *b);

/* The policer of a port, malloc'd, or NULL when nothing of it is limited; false without memory. */
bool want_police(const struct conf_port *cp, struct police **out);
bool want_is_same_police(const struct conf_port *a, const struct conf_port *b);

#endif
