/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conf_limits: how much of everything a configuration may have, how long its names are, and where a key of it stood. */
#ifndef VFAB_SWITCH_CONF_LIMITS_H
#define VFAB_SWITCH_CONF_LIMITS_H

enum {
	CONF_TEXT_MAX = 4 << 20,
	CONF_DEPTH_MAX = 16,
	CONF_NAME_SIZE = 64, /* 1-63 of A-Z a-z 0-9 . _ -, not starting with - or . */
	CONF_IFNAME_SIZE = 16,
	CONF_NETNS_SIZE = 108,	/* a name under /run/netns, a path with /, or a pid (all digits) */
	CONF_SOCKET_SIZE = 108, /* an absolute path, as in sockaddr_un */
	CONF_OWNER_SIZE = 72,
	CONF_PORTS_MAX = 4000,
	CONF_NETWORKS_MAX = 4094,
	CONF_CONTAINERS_MAX = 4000,
	CONF_QUEUES_MAX = 16,
	CONF_NICS_MAX = 64,    /* of one container */
	CONF_MACS_MAX = 32768, /* static entries, in all */
	CONF_RUN_MAX = 4096,   /* bytes of `run` */
	CONF_WORKERS_MAX = 16,
	CONF_KEYS_MAX = 24, /* keys that one kind of object may have */
	CONF_UPLINKS_MAX = 64,
	CONF_FORWARDS_MAX = 4096, /* in all */
	CONF_ROUTES_MAX = 1024,
	CONF_ALLOW_MAX = 16,	 /* of one forward */
	CONF_EXEMPT_MAX = 16,	 /* of one network */
	CONF_ADDRESSES_MAX = 15, /* further addresses of an uplink */
	CONF_BINDS_MAX = 12,	 /* different binds of forwards of one family on one host uplink */
	CONF_SPEC_SIZE = 160,	 /* text of a forward, and its id */
};

/* Where a key stands in the text merged last; line 0: not there.  For the errors of conf_validate() alone. */
struct conf_mark {
	int line, column;
};

#endif
