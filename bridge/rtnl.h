/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl: what the broker asks of rtnetlink, and what it hears from it.
 *
 * What.  Links, addresses, the default route and the ids of network namespaces, as one call each
 * over libmnl; each waits for the kernel's answer.  A socket works in the namespace in which it was
 * made, and keeps that namespace alive; links of another namespace are reached from ours by the id
 * (nsid) that ours has for it, which pins nothing.
 *
 * Trust.  The kernel wrote every byte, yet attributes are checked for their length all the same.
 */
#ifndef VFAB_BRIDGE_RTNL_H
#define VFAB_BRIDGE_RTNL_H

#include <stdbool.h>
#include <stdint.h>

#include "switch/base/addr.h"

enum { RTNL_NAME_SIZE = 16, RTNL_OWN = -1 /* nsid: the namespace of the socket */ };

struct rtnl;

struct rtnl *rtnl_create(void); /* in the current namespace; NULL with errno */
void rtnl_destroy(struct rtnl *r);

/* What a link is. */
struct rtnl_link {
	int ifindex;
	uint32_t flags; /* IFF_UP ... */
	uint32_t mtu, txqlen;
	struct mac mac;
	char name[RTNL_NAME_SIZE];
	char kind[RTNL_NAME_SIZE]; /* veth, tun, ...; "" for hardware */
	bool is_tap;		   /* kind tun, and carries Ethernet */
	bool is_multi_queue;
	uint32_t queues; /* of a tap: attached by some process */
	uint16_t type;	 /* ARPHRD_ETHER ... */
	int master;	 /* index of the bridge, bond ... that it is a port of; 0: of none */
};

/* What a link becomes; 0, NULL, -1 and false leave a property alone. */
struct rtnl_change {
	const char *name;
	int netns_fd; /* -1: stays */
	uint32_t mtu, txqlen, group;
	const struct mac *mac;
	bool up;
};

/* Links.  Each is 0 or -errno; -ENODEV: no such link, -EINVAL: no such nsid. */
int rtnl_link_get(struct rtnl *r, int nsid, const char *name, struct rtnl_link *out);
int rtnl_link_get_index(struct rtnl *r, int nsid, int ifindex, struct rtnl_link *out);
/* In one request: the kernel moves first and then renames, so nobody sees a half-way name that stays. */
int rtnl_link_set(struct rtnl *r, int ifindex, const struct rtnl_change *c);
/* For a link through which the kernel shall say nothing by itself: no ARP, no IPv6 address of its own making.  Before it is up. */
int rtnl_link_mute(struct rtnl *r, int ifindex);
int rtnl_link_del(struct rtnl *r, int nsid, int ifindex);
/* Every link of that group in our namespace at once: the kernel waits for its readers once and not for each. */
int rtnl_group_del(struct rtnl *r, uint32_t group);

/* Addresses and the default route.  add of what is there and del of what is not there succeed;
 * rtnl_route_add is -EEXIST when another default route stands. */
int rtnl_addr_add(struct rtnl *r, int ifindex, const struct prefix *p);
int rtnl_addr_del(struct rtnl *r, int ifindex, const struct prefix *p);
/* Every address of our namespace. */
typedef void (*rtnl_addr_fn)(int ifindex, const struct ip *ip, void *arg);
int rtnl_addr_each(struct rtnl *r, rtnl_addr_fn fn, void *arg);
int rtnl_route_add(struct rtnl *r, int ifindex, const struct ip *gateway);
int rtnl_route_del(struct rtnl *r, int ifindex, const struct ip *gateway);

/* The id that our namespace has for the one behind ns_fd: get is -ENOENT where there is none yet, make gives it one. */
int rtnl_nsid_get(struct rtnl *r, int ns_fd, int *nsid);
int rtnl_nsid_make(struct rtnl *r, int ns_fd, int *nsid);

/* Changes of links in our namespace and in every one that has an nsid, without pinning any. */
enum rtnl_event_kind {
	RTNL_LINK_CHANGED,
	RTNL_LINK_GONE,
	RTNL_NSID_NEW,
	RTNL_NSID_GONE,
	RTNL_ADDR_CHANGED, /* an address of that link came, went or changed; without a name */
};

struct rtnl_event {
	enum rtnl_event_kind kind;
	int nsid;    /* RTNL_OWN: none was said, ours */
	int ifindex; /* 0 for RTNL_NSID_* */
	char name[RTNL_NAME_SIZE];
};

typedef void (*rtnl_event_fn)(const struct rtnl_event *e, void *arg);

int rtnl_monitor_open(void); /* a non-blocking descriptor, or -errno */
int rtnl_monitor_open_own(void); /* likewise, of our namespace alone, with its addresses */
/* Calls fn for each event that waits.  0; -ENOBUFS: some were lost, look at everything; else -errno. */
int rtnl_monitor_read(int fd, rtnl_event_fn fn, void *arg);

#endif
