/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_check: what the files of conf_validate() share: conf_check.c, conf_vlan.c, conf_check_out.c, conf_check_ways.c,
 * conf_check_dhcp.c. */
#ifndef VFAB_SWITCH_CONF_CHECK_H
#define VFAB_SWITCH_CONF_CHECK_H

#include "switch/conf_internal.h"

struct check {
	struct conf *c;
	const struct conf *keep;
	struct conf_error *err;
};

/* Fills the error for a key of an object; key NULL: the object as a whole.  -EINVAL. */
int conf_wrong(struct check *k, const struct conf_kind *kind, const void *object, const char *key,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The error just made is that of something left out. */
int conf_missing(struct check *k, int err);
/* A host of that network may have the address. */
bool conf_is_host_of(const struct prefix *net, const struct ip *ip);

/* A frame of that network may leave by the port. */
bool conf_port_carries(const struct conf_port *p, const struct conf_network *n);

/* conf_vlan.c: a VLAN for each network and uplink that has none. */
int conf_choose_vlans(struct check *k);
bool conf_has_vid(const uint64_t vids[4096 / 64], unsigned vid);

/* conf_check_out.c.  In this order: an uplink for each nat network; one network, one uplink; the links of host uplinks; all
 * that two networks, uplinks or forwards could both want. */
int conf_choose_uplinks(struct check *k);
int conf_check_net_out(struct check *k, const struct conf_network *n);
int conf_check_uplink(struct check *k, const struct conf_uplink *u);
int conf_choose_links(struct check *k);
int conf_check_out(struct check *k);
/* conf_check_ways.c */
int conf_check_forwards(struct check *k);
int conf_check_routes(struct check *k);
/* conf_check_dhcp.c */
int conf_check_dhcp(struct check *k);
/* No two of n networks have prefixes under that key that overlap. */
int conf_check_apart(struct check *k, const struct conf_network *const *nets, size_t n,
		     const char *key);

#endif
