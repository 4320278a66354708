/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab_state: what a lab made, on disk: RUN/lab/LAB.json, RUN being $VFAB_RUN or /run/vfab.
 *
 * The record is written after each step of `lab up`, so that `lab down` removes exactly what is there, also when `lab up` was
 * killed half way:
 *
 *   {"lab", "file", "socket", "state": "starting" | "up",
 *    "daemon": {"pid", "start"} or null,             the vfabd it started
 *    "networks": [NAME...], "ports": [NAME...],      what it added to the fabric
 *    "uplinks": [NAME...], "routes": [{"from", "to"}],
 *    "nodes": [{"name", "netns": INODE, "pid", "start", "run", "log",
 *               "ports": [{"name", "network", "ifname", "ipv4"}]}]}
 *
 * Trust.  The directory is root's; still every member is type-checked, and numbers of processes count only with their start times.
 */
#ifndef VFAB_TOOLS_LAB_STATE_H
#define VFAB_TOOLS_LAB_STATE_H

#include <jansson.h>
#include <limits.h>

#include "switch/conf.h"
#include "tools/proc.h"

struct lab {
	char name[CONF_NAME_SIZE];
	char path[PATH_MAX]; /* of the record */
	char logs[PATH_MAX]; /* directory of the logs of its nodes */
	json_t *state;       /* the record; NULL: there is none */
	int lock;            /* held while labs change; -1: not */
};

/* RUN. */
const char *lab_run_dir(void);

/* Names the lab after its file, takes the lock, and loads the record if there is one.  0 or the exit status. */
int lab_open(const char *file, struct lab *l);
void lab_close(struct lab *l);

/* Writes l->state.  0 or the exit status. */
int lab_save(const struct lab *l);

/* Removes the record and the logs. */
void lab_forget(struct lab *l);

/* Every record there is, an array. */
json_t *lab_all(void);

/* A process of the record: members "pid" and "start". */
struct proc lab_proc(json_t *obj);
void lab_set_proc(json_t *obj, const struct proc *p);

#endif
