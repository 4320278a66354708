/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_broker: a broker that says yes, in place of switch/broker_client.c: every tap is opened and waits.
 * Only a namespace "gone" does not exist.  Interfaces are waited for, and the host's side is done at once.
 */
#ifndef VFAB_TESTS_FAKE_BROKER_H
#define VFAB_TESTS_FAKE_BROKER_H

#include "switch/broker_uplink.h"

struct fake_broker {
	char *kept;	/* the text it was given last */
	int save_error; /* what broker_conf_save() returns */
	struct host_set host; /* that it was given last */
	int host_error;	      /* what broker_host_set() returns */
};
extern struct fake_broker fake_broker;

void fake_broker_reset(void);

#endif
