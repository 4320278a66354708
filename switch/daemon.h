/* SPDX-License-Identifier: GPL-2.0-or-later */
/* daemon: what the control thread of the switch owns.  Handlers of verbs get it. */
#ifndef VFAB_SWITCH_DAEMON_H
#define VFAB_SWITCH_DAEMON_H

#include "switch/base/loop.h"
#include "switch/conf.h"
#include "switch/fabric.h"
#include "switch/state.h"
#include "switch/worker.h"

struct ctl;
struct follower;
struct gateway;
struct guard;
struct guest_table;
struct lessor;
struct nat_plan;
struct uplinks;

struct daemon {
	struct loop *loop;
	struct state *state;
	struct fdb *fdb;
	struct conf *conf;	     /* running */
	const char *conf_name;	     /* of the -c file; NULL: none */
	struct fabric *fabric;	     /* published; rcu_set only */
	struct port *port[SLOT_MAX]; /* every open or waiting port by slot */
	struct worker *worker[WORKERS_MAX];
	unsigned n_workers;
	uint64_t mac_limited[SLOT_MAX / 64]; /* slots whose mac_limit event was told */
	struct ctl *ctl;
	/* apply --confirm: what to go back to, and when. */
	struct conf *confirm_conf;
	int confirm_timer;
	uint64_t confirm_ms; /* when its time is up, by clock_ms() */
	struct follower *followers; /* show_event.c: streams of events */
	struct guest_table *guests; /* guest.c: connections of vhost-user ports */
	struct watcher *watchers;   /* watch.c: traces and captures */
	struct gateway *gateway;    /* the workers' own: see worker_call() */
	struct nat_plan *nat_plan;  /* committed to its NAT */
	struct guard *guard;	    /* what strict ports may use; workers ask it */
	struct lessor *lessor;	    /* DHCP and DNS of the networks */
	struct uplinks *uplinks;    /* uplink.c: what became of the uplinks of conf */
};

#endif
