/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apply: the way from one configuration to the next.  Verbs and files take the same: merge into a copy, validate, plan, open what
 * is new, hand the text to the broker, publish the fabric between two vectors, close what is gone.  On any error before
 * publication the old fabric stands untouched.
 */
#ifndef VFAB_SWITCH_APPLY_H
#define VFAB_SWITCH_APPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "switch/conf.h"
#include "switch/daemon.h"

enum change_kind { CHANGE_ADD, CHANGE_DEL, CHANGE_SET, CHANGE_REPLACE };

/* One line of a plan: `vfab diff` shows it. */
struct change {
	enum change_kind kind; /* SET: in place; REPLACE: the port is closed and opened again */
	const char *object;    /* "network", "port", "workers", "container" */
	char name[CONF_NAME_SIZE];
	char what[160]; /* keys that change, "tag, trunks"; "" for ADD and DEL */
};

struct plan {
	struct change *changes;
	size_t n;
};

/* Pure.  NULL without memory. */
struct plan *plan_create(const struct conf *from, const struct conf *to);
void plan_destroy(struct plan *p);
const char *change_word(enum change_kind kind); /* add del set replace */

/* Takes `to` (validated here) whether it succeeds or not.  may_wait: missing namespaces leave ports waiting instead of failing.
 * 0, or -errno with *err filled: -EINVAL for bad data (65), else 1. */
int apply_conf(struct daemon *d, struct conf *to, bool may_wait, struct conf_error *err);

/* A tap came, went or changed (broker notice). */
struct tap_answer;
void apply_tap_notice(struct daemon *d, const struct tap_answer *a, const int *fds, unsigned n_fds);

/* Publishes a new fabric of the running configuration (a port's state or queues changed). */
int apply_publish(struct daemon *d);

#endif
