/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_lab: what tests of the broker need in the namespaces of net_lab: a loop, the broker's taps, and waiting for what it tells.
 */
#ifndef VFAB_TESTS_BROKER_LAB_H
#define VFAB_TESTS_BROKER_LAB_H

#include "switch/base/loop.h"
#include "switch/broker_taps.h"
#include "tests/lib/net_lab.h"

struct broker_lab {
	struct net_lab net;
	struct loop *loop;
	struct taps *taps;
	bool is_open;
};

/* False: no namespaces or no taps can be had, and the tests are skipped.  Closed in any case. */
bool broker_lab_open(struct broker_lab *l);
void broker_lab_close(struct broker_lab *l);

/* The due() of what the broker keeps, with the lab as its argument. */
void broker_lab_due(void *lab);
/* Runs the loop until ask() says that something was told, at most ms; whether it was. */
bool broker_lab_wait(struct broker_lab *l, unsigned ms, bool (*ask)(void));

#endif
