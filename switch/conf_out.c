/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_out: what follows from an uplink of the configuration: its device, and the two ends of a host uplink's link. */
#include "switch/conf_out.h"

#include <stdio.h>
#include <string.h>

#include "switch/conf_internal.h"

const struct conf_uplink *conf_find_uplink(const struct conf *c, const char *name)
{
	return conf_find(c, &conf_uplinks, c->index ? &c->index->uplinks : NULL, name);
}

const char *conf_uplink_ifname(const struct conf_uplink *u, char buf[static CONF_IFNAME_SIZE])
{
	if (u->kind == UPLINK_INTERFACE)
		snprintf(buf, CONF_IFNAME_SIZE, "%s", u->interface);
	else if (u->ifname[0])
		snprintf(buf, CONF_IFNAME_SIZE, "%s", u->ifname);
	else
		snprintf(buf, CONF_IFNAME_SIZE, "vu-%.*s", CONF_IFNAME_SIZE - 4, u->name);
	return buf;
}

/* The next address; within a prefix, since callers never ask for one behind its last host. */
static struct ip after(struct ip ip)
{
	for (unsigned i = 16; i-- > 0 && !++ip.b[i];)
		continue;
	return ip;
}

/* Some network on the uplink has that family.  IPv4 goes without saying; IPv6 may be off in the host. */
static bool has_family(const struct conf *c, const struct conf_uplink *u, bool is_v6)
{
	for (size_t i = 0; is_v6 && i < c->n_networks; i++)
		if (c->networks[i].ipv6.is_set && strcmp(c->networks[i].uplink, u->name) == 0)
			return true;
	return !is_v6;
}

bool conf_uplink_ends(const struct conf *c, const struct conf_uplink *u, bool is_v6,
		      struct prefix *own, struct prefix *far)
{
	const struct prefix *at = is_v6 ? &u->address6 : &u->address;

	if (u->kind != UPLINK_HOST || !at->is_set || !has_family(c, u, is_v6))
		return false;
	*own = *far = *at;
	own->ip = prefix_first(at);
	if (ip_equal(&own->ip, &far->ip))
		own->ip = after(own->ip);
	return true;
}
