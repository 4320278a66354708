/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab_names: which DNS server the containers of a lab ask: /etc/netns/NODE/resolv.conf, which `ip netns exec` puts over
 * /etc/resolv.conf, and netns_run() as well.
 */
#ifndef VFAB_TOOLS_LAB_NAMES_H
#define VFAB_TOOLS_LAB_NAMES_H

#include "switch/conf.h"

/* Writes that file where a network of the node has a DNS server, unless there is one already.  1: it did, 0, or -errno. */
int lab_names_write(const struct conf *c, const struct conf_container *node);
/* Takes it away, and its directory if nothing else is in it. */
void lab_names_remove(const char *node);

#endif
