/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net_lab: two network namespaces of a test, this host and a neighbour on its LAN:
 *
 *   "lan"  lan0 192.0.2.9, 2001:db8::9  ---- veth ----  eth0 192.0.2.1, 192.0.2.7, 2001:db8::1  "host"
 *
 * The process is in "host".  Needs root, or user namespaces, and the program ip: else net_lab_open() says false, and the test is
 * skipped.
 */
#ifndef VFAB_TESTS_NET_LAB_H
#define VFAB_TESTS_NET_LAB_H

#include <stdbool.h>

struct net_lab {
	int own, host, lan; /* namespaces; own: where the test came from */
};

bool net_lab_open(struct net_lab *lab);
void net_lab_close(struct net_lab *lab); /* back where we came from */
void net_lab_enter(const struct net_lab *lab, int ns);
/* A command in "host"; it must succeed. */
void net_lab_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
