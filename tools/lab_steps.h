/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_steps: a lab comes up (lab_up.c) and goes down (lab_down.c). */
#ifndef VFAB_TOOLS_LAB_STEPS_H
#define VFAB_TOOLS_LAB_STEPS_H

#include <jansson.h>
#include <stddef.h>

#include "switch/conf.h"
#include "tools/lab_state.h"

/* Every step of `up`, in order, until one fails; text is the file's, conf the same parsed.  0 or the exit status: then the
 * record says what is to be undone. */
int lab_bring_up(struct lab *l, const struct conf *conf, const char *text, size_t bytes);

/* Looks a moment at the commands: one that fails at once is worth a word; it undoes nothing. */
void lab_report_early_ends(const struct lab *l);

/* Removes all that is recorded.  0 or the exit status; the record stays when something else did. */
int lab_tear_down(struct lab *l);

/* The state of a port in an answer of port.ls; "gone" when it is not there. */
const char *lab_port_state(json_t *ports, const char *name);

#endif
