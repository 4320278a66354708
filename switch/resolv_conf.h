/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv_conf: the name servers in the host's /etc/resolv.conf (resolv.conf(5)), and following it as it changes.
 *
 * Ownership.  The follower holds an inotify descriptor and a watch on the directory of the path, of each link behind it, and on
 * the file.
 * Limits.  64 KiB of text, RESOLVER_SERVERS servers, LINKS_MAX links.
 */
#ifndef VFAB_SWITCH_RESOLV_CONF_H
#define VFAB_SWITCH_RESOLV_CONF_H

#include <stddef.h>

#include "switch/base/loop.h"
#include "switch/resolver.h"

/* The first servers that can be asked, each once; how many. */
unsigned resolv_conf_parse(const char *text, size_t n, struct resolver_server out[static RESOLVER_SERVERS]);

struct resolv_conf;

/* changed: they are others than before, as resolv_conf_servers() tells; not called from within create.  path: not copied.
 * NULL: errno. */
struct resolv_conf *resolv_conf_create(struct loop *loop, const char *path, void (*changed)(void *arg), void *arg);
void resolv_conf_destroy(struct resolv_conf *f); /* NULL is fine */
unsigned resolv_conf_servers(const struct resolv_conf *f, struct resolver_server out[static RESOLVER_SERVERS]);

#endif
