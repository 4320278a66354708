/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_conf: what a lab's file asks of the fabric: its networks and ports, and a port for each nic of its containers. */
#ifndef VFAB_TOOLS_LAB_CONF_H
#define VFAB_TOOLS_LAB_CONF_H

#include <jansson.h>
#include <stdbool.h>

#include "switch/conf.h"

enum { LAB_PORT_SIZE = CONF_NAME_SIZE + 24 };

/* The name of the n-th nic's port (from 0): NODE, NODE-2, ... */
void lab_port_name(const struct conf_container *node, size_t nic, char buf[static LAB_PORT_SIZE]);

/* The ports of a node as the record keeps them. */
json_t *lab_node_ports(const struct conf_container *node);

/* The fragment for conf.merge: the file's text without containers, and the ports of their nics.  `conf` is the same text, parsed;
 * workers and dns, which are the whole fabric's, stay in only when with_settings.  malloc'd, or NULL with the exit
 * status in *status and the message written. */
char *lab_fragment(const char *file, const char *text, size_t bytes, const struct conf *conf,
		   bool with_settings, int *status);

#endif
