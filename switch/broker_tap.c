/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_tap: one tap device.
 *
 * How it fits.  broker_taps.c keeps one of these for each port and decides when; bridge/rtnl.c and
 * bridge/netns.c do the talking.
 *
 * Theory of operation.  A device is made in our own namespace under a name that nobody uses, and
 * then moved and renamed in one request, because the descriptor of a tap keeps alive the namespace
 * in which /dev/net/tun was opened.
 *
 *   /dev/net/tun, TUNSETIFF vftmp0      RTM_SETLINK: netns, name, up       addresses, route
 *   [ our namespace ] ----------------> [ namespace c1: eth0 ] ----------> [ set from inside ]
 *
 * One that exists is adopted: in another namespace the descriptor is then opened there and does pin
 * it, which is_pinning says.  What it is now is always asked of the kernel, by the descriptor
 * (TUNGETDEVNETNS, TUNGETIFF) and then by rtnetlink, so a device that was renamed or moved by hand
 * is found where it went.
 *
 * Trust.  Specs have passed broker_check.c.  Names of devices that exist are anybody's: one is
 * adopted only when the kernel says that it is a tap and that no process holds it.
 */
#include "switch/broker_tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bridge/netns.h"
#include "switch/broker_check.h"
#include "switch/port/gso.h"

/* Of Linux 6.2; older kernels refuse them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum {
	VNET_HEADER = sizeof(struct virtio_net_hdr_mrg_rxbuf),
	TX_QUEUE_LEN = 1000,
	LOOKS = 5, /* tries to see a device that is being renamed meanwhile */
};

int tap_home_init(struct tap_home *h)
{
	int err;

	h->netns_fd = netns_open_own();
	if (h->netns_fd < 0)
		return h->netns_fd;
	h->rtnl = rtnl_create();
	if (h->rtnl)
		return 0;
	err = -errno;
	close(h->netns_fd);
	return err;
}

void tap_home_fini(struct tap_home *h)
{
	rtnl_destroy(h->rtnl);
	close(h->netns_fd);
}

/* Opens one more queue of the tap `name`; a pattern such as vftmp%d becomes the name that it got. */
static int open_queue(char name[static IFNAMSIZ], int flags)
{
	struct ifreq ifr = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	memcpy(name, ifr.ifr_name, IFNAMSIZ);
	return fd;
}

static int open_queues(struct tap_device *d, char name[static IFNAMSIZ], unsigned n, int flags)
{
	int fd;

	for (d->queues = 0; d->queues < n; d->queues++) {
		fd = open_queue(name, flags);
		if (fd < 0) {
			tap_device_drop(d);
			return fd;
		}
		d->fd[d->queues] = fd;
		flags &= ~IFF_TUN_EXCL;
	}
	return 0;
}

/* Header size and offloads: of the device, so one queue is enough. */
static int set_offloads(struct tap_device *d)
{
	unsigned base = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	int size = VNET_HEADER;

	if (ioctl(d->fd[0], TUNSETVNETHDRSZ, &size) < 0)
		return -errno;
	d->can = CAN_CSUM | CAN_TSO4 | CAN_TSO6 | CAN_ECN;
	if (ioctl(d->fd[0], TUNSETOFFLOAD, base | TUN_F_USO4 | TUN_F_USO6) == 0)
		d->can |= CAN_USO;
	else if (ioctl(d->fd[0], TUNSETOFFLOAD, base) < 0)
		return -errno;
	return 0;
}

static bool prefix_same(const struct prefix *a, const struct prefix *b)
{
	return a->is_set == b->is_set &&
	       (!a->is_set || (a->len == b->len && ip_equal(&a->ip, &b->ip)));
}

/* was may be NULL: nothing is set yet.  spec may be NULL: nothing is wanted. */
static int change_address(struct rtnl *r, int ifindex, const struct prefix *was,
			  const struct prefix *want, char why[static TAP_TEXT_SIZE])
{
	static const struct prefix none;
	char text[PREFIX_TEXT];
	int err = 0;

	was = was ? was : &none;
	want = want ? want : &none;
	if (prefix_same(was, want))
		return 0;
	if (was->is_set)
		err = rtnl_addr_del(r, ifindex, was);
	if (!err && want->is_set)
		err = rtnl_addr_add(r, ifindex, want);
	if (err)
		return broker_fail(why, err, "address %s: %s",
				   prefix_text(want->is_set ? want : was, text),
				   /* what the kernel says where the sysctl disable_ipv6 is set */
				   err == -EACCES ? "IPv6 is disabled there" : strerror(-err));
	return 0;
}

static int change_route(struct rtnl *r, int ifindex, const struct tap_spec *was,
			const struct tap_spec *want, char why[static TAP_TEXT_SIZE])
{
	char text[IP_TEXT];
	int err;

	/* The kernel takes the route away with the address through which its gateway is reached. */
	if (was && was->has_gateway)
		rtnl_route_del(r, ifindex, &was->gateway);
	if (!want || !want->has_gateway)
		return 0;
	err = rtnl_route_add(r, ifindex, &want->gateway);
	if (err == -EEXIST)
		return broker_fail(why, err, "gateway %s: there is another default route",
				   ip_text(&want->gateway, text));
	if (err)
		return broker_fail(why, err, "gateway %s: %s", ip_text(&want->gateway, text),
				   strerror(-err));
	return 0;
}

static int change_addresses(struct rtnl *r, int ifindex, const struct tap_spec *was,
			    const struct tap_spec *want, char why[static TAP_TEXT_SIZE])
{
	int err;

	err = change_address(r, ifindex, was ? &was->ipv4 : NULL, want ? &want->ipv4 : NULL, why);
	if (!err)
		err = change_address(r, ifindex, was ? &was->ipv6 : NULL, want ? &want->ipv6 : NULL,
				     why);
	if (!err)
		err = change_route(r, ifindex, was, want, why);
	return err;
}

static bool has_addresses(const struct tap_spec *s)
{
	return s && (s->ipv4.is_set || s->ipv6.is_set || s->has_gateway);
}

static bool same_addresses(const struct tap_spec *a, const struct tap_spec *b)
{
	return a && b && prefix_same(&a->ipv4, &b->ipv4) && prefix_same(&a->ipv6, &b->ipv6) &&
	       a->has_gateway == b->has_gateway && ip_equal(&a->gateway, &b->gateway);
}

/* change_addresses() in the namespace ns_fd, or in ours when that is -1. */
static int set_addresses(const struct tap_home *h, int ns_fd, int ifindex,
			 const struct tap_spec *was, const struct tap_spec *want,
			 char why[static TAP_TEXT_SIZE])
{
	struct rtnl *r;
	int err;

	if (same_addresses(was, want) || (!has_addresses(was) && !has_addresses(want)))
		return 0;
	if (ns_fd < 0)
		return change_addresses(h->rtnl, ifindex, was, want, why);
	err = netns_enter(ns_fd);
	if (err)
		return broker_fail(why, err, "cannot enter its namespace: %s", strerror(-err));
	r = rtnl_create();
	if (r)
		err = change_addresses(r, ifindex, was, want, why);
	else
		err = broker_fail(why, -ENOMEM, "rtnetlink: %s", strerror(errno));
	rtnl_destroy(r);
	netns_return(h->netns_fd);
	return err;
}

/* A new device in our namespace, ready but for its place: down, under its own name or a passing one. */
static int make(const struct tap_home *h, const struct tap_spec *spec, bool is_here,
		struct tap_device *d, char why[static TAP_TEXT_SIZE])
{
	char name[IFNAMSIZ] = "vftmp%d";
	int err;

	if (is_here)
		memcpy(name, spec->ifname, IFNAMSIZ);
	err = open_queues(d, name, spec->queues,
			  IFF_TUN_EXCL | (spec->queues > 1 ? IFF_MULTI_QUEUE : 0));
	if (err)
		return broker_fail(why, err, "tap %s: /dev/net/tun: %s", spec->ifname,
				   strerror(-err));
	err = rtnl_link_get(h->rtnl, RTNL_OWN, name, &d->link);
	if (err)
		return broker_fail(why, err, "tap %s: %s", spec->ifname, strerror(-err));
	return 0;
}

static int adopt(const struct tap_home *h, const struct tap_spec *spec, int ns_fd,
		 struct tap_device *d, char why[static TAP_TEXT_SIZE])
{
	char name[IFNAMSIZ];
	int err = 0;

	memcpy(name, spec->ifname, IFNAMSIZ);
	if (!d->link.is_tap)
		return broker_fail(why, -EEXIST, "interface %s exists and is no tap (%s)", name,
				   d->link.kind[0] ? d->link.kind : "hardware");
	if (spec->queues > 1 && !d->link.is_multi_queue)
		return broker_fail(why, -EINVAL, "tap %s exists and has a single queue", name);
	/* Of a single queue the kernel says so itself, below. */
	if (d->link.queues > 0)
		return broker_fail(why, -EBUSY, "tap %s: in use by another program or port", name);
	if (ns_fd >= 0)
		err = netns_enter(ns_fd);
	if (err)
		return broker_fail(why, err, "tap %s: cannot enter its namespace: %s", name,
				   strerror(-err));
	err = open_queues(d, name, spec->queues, d->link.is_multi_queue ? IFF_MULTI_QUEUE : 0);
	if (ns_fd >= 0)
		netns_return(h->netns_fd);
	if (err)
		return broker_fail(why, err, "tap %s: %s", name,
				   err == -EBUSY ? "in use by another program or port"
						 : strerror(-err));
	d->is_adopted = true;
	d->is_pinning = ns_fd >= 0;
	return 0;
}

/* MTU, address, queue length; of a device that is adopted elsewhere, from inside. */
static int set_link(const struct tap_home *h, int ns_fd, int ifindex, const struct rtnl_change *c)
{
	struct rtnl *r;
	int err;

	if (ns_fd < 0)
		return rtnl_link_set(h->rtnl, ifindex, c);
	err = netns_enter(ns_fd);
	if (err)
		return err;
	r = rtnl_create();
	err = r ? rtnl_link_set(r, ifindex, c) : -errno;
	rtnl_destroy(r);
	netns_return(h->netns_fd);
	return err;
}

static int set_properties(const struct tap_home *h, int ns_fd, const struct tap_device *d,
			  const struct tap_spec *spec, char why[static TAP_TEXT_SIZE])
{
	struct rtnl_change c = {.netns_fd = -1};
	int err;

	if (spec->mtu && spec->mtu != d->link.mtu)
		c.mtu = spec->mtu;
	if (d->link.txqlen != TX_QUEUE_LEN)
		c.txqlen = TX_QUEUE_LEN;
	if (!mac_is_zero(&spec->mac) && memcmp(&spec->mac, &d->link.mac, sizeof(spec->mac)) != 0)
		c.mac = &spec->mac;
	if (!c.mtu && !c.txqlen && !c.mac)
		return 0;
	err = set_link(h, ns_fd, d->link.ifindex, &c);
	if (err)
		return broker_fail(why, err, "tap %s: MTU, address or queue length: %s",
				   spec->ifname, strerror(-err));
	return 0;
}

/* The last step of a device that was made or adopted: where it belongs, and up. */
static int put_in_place(const struct tap_home *h, int ns_fd, struct tap_device *d,
			const struct tap_spec *spec, char why[static TAP_TEXT_SIZE])
{
	struct rtnl_change c = {.netns_fd = -1, .up = true};
	bool moves = ns_fd >= 0 && !d->is_adopted;
	int err;

	if (moves) {
		c.netns_fd = ns_fd;
		c.name = spec->ifname;
	}
	err = set_link(h, moves ? -1 : ns_fd, d->link.ifindex, &c);
	if (err)
		return broker_fail(why, err, "tap %s: %s: %s", spec->ifname,
				   moves ? "cannot be moved into its namespace"
					 : "cannot be set up",
				   strerror(-err));
	/* Moved, it may have another index. */
	err = tap_device_look(h, d);
	if (err)
		return broker_fail(why, err, "tap %s: cannot be found again: %s", spec->ifname,
				   strerror(-err));
	return set_addresses(h, ns_fd, d->link.ifindex, NULL, spec, why);
}

/* All of tap_device_open() but the namespace: ns_fd, known to ours as nsid, or -1 for ours. */
static int open_at(const struct tap_home *h, const struct tap_spec *spec, bool may_make, int ns_fd,
		   struct tap_device *d, char why[static TAP_TEXT_SIZE])
{
	int err;

	err = rtnl_link_get(h->rtnl, d->nsid, spec->ifname, &d->link);
	if (err == 0)
		err = adopt(h, spec, ns_fd, d, why);
	else if (err != -ENODEV)
		return broker_fail(why, err, "tap %s: %s", spec->ifname, strerror(-err));
	else if (!may_make)
		return broker_fail(why, err, "interface %s does not exist", spec->ifname);
	else
		err = make(h, spec, ns_fd < 0, d, why);
	if (err)
		return err;
	err = set_offloads(d);
	if (err)
		return broker_fail(why, err, "tap %s: offloads: %s", spec->ifname, strerror(-err));
	err = set_properties(h, d->is_adopted ? ns_fd : -1, d, spec, why);
	if (err)
		return err;
	return put_in_place(h, ns_fd, d, spec, why);
}

int tap_device_open(const struct tap_home *h, const struct tap_spec *spec, bool may_make,
		    struct tap_device *d, char why[static TAP_TEXT_SIZE])
{
	char words[NETNS_PATH_SIZE];
	int ns_fd = -1, err = 0;

	memset(d, 0, sizeof(*d));
	d->nsid = RTNL_OWN;
	if (spec->netns[0] != '\0') {
		netns_words(spec->netns, words);
		ns_fd = netns_open(spec->netns);
		if (ns_fd == -ENOENT)
			return broker_fail(why, ns_fd, "%s does not exist", words);
		if (ns_fd == -EINVAL)
			return broker_fail(why, ns_fd, "%s is no network namespace", words);
		if (ns_fd < 0)
			return broker_fail(why, ns_fd, "%s: %s", words, strerror(-ns_fd));
		if (netns_is_same(ns_fd, h->netns_fd)) {
			close(ns_fd);
			ns_fd = -1;
		} else {
			err = rtnl_nsid_make(h->rtnl, ns_fd, &d->nsid);
		}
	}
	if (err)
		broker_fail(why, err, "%s: %s", words, strerror(-err));
	else
		err = open_at(h, spec, may_make, ns_fd, d, why);
	if (err && !d->is_adopted)
		tap_device_drop(d);
	else if (err)
		tap_device_close(h, d, spec);
	if (ns_fd >= 0)
		close(ns_fd);
	return err;
}

/* The namespace of the device: -1 in *ns_fd when it is ours.  -ENODEV, -ESTALE as tap_device_look(). */
static int where_is(const struct tap_home *h, const struct tap_device *d, int *ns_fd)
{
	int fd = ioctl(d->fd[0], TUNGETDEVNETNS);

	/* Short of descriptors or memory we know nothing of the namespace. */
	if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
		return -errno;
	if (fd < 0)
		return errno == EBADFD ? -ENODEV : -ESTALE;
	*ns_fd = fd;
	if (netns_is_same(fd, h->netns_fd)) {
		close(fd);
		*ns_fd = -1;
	}
	return 0;
}

static int look_once(const struct tap_home *h, struct tap_device *d, int ns_fd)
{
	struct ifreq ifr = {0};
	int nsid = RTNL_OWN, err = 0;

	if (ns_fd >= 0)
		err = rtnl_nsid_make(h->rtnl, ns_fd, &nsid);
	if (err)
		return err;
	if (ioctl(d->fd[0], TUNGETIFF, &ifr) < 0)
		return errno == EBADFD ? -ENODEV : -errno;
	ifr.ifr_name[IFNAMSIZ - 1] = '\0';
	err = rtnl_link_get(h->rtnl, nsid, ifr.ifr_name, &d->link);
	if (!err)
		d->nsid = nsid;
	return err == -ENODEV ? -EAGAIN : err;
}

int tap_device_look(const struct tap_home *h, struct tap_device *d)
{
	int err = -EAGAIN, ns_fd = -1, i;

	/* Between the question for its name and the one for the link of that name it may be renamed or moved. */
	for (i = 0; i < LOOKS && err == -EAGAIN; i++) {
		err = where_is(h, d, &ns_fd);
		if (err)
			return err;
		err = look_once(h, d, ns_fd);
		if (ns_fd >= 0)
			close(ns_fd);
	}
	return err;
}

bool tap_device_is_at(const struct tap_device *d, const struct tap_spec *spec)
{
	int is = ioctl(d->fd[0], TUNGETDEVNETNS), want = netns_open(spec->netns);
	bool same = is >= 0 && want >= 0 && netns_is_same(is, want);

	if (is >= 0)
		close(is);
	if (want >= 0)
		close(want);
	return same;
}

int tap_device_set(const struct tap_home *h, struct tap_device *d, const struct tap_spec *was,
		   const struct tap_spec *spec, char why[static TAP_TEXT_SIZE])
{
	int err = tap_device_look(h, d), ns_fd = -1;

	if (!err)
		err = where_is(h, d, &ns_fd);
	if (err)
		return broker_fail(why, err, "tap %s is gone", spec->ifname);
	err = set_properties(h, ns_fd, d, spec, why);
	if (!err)
		err = set_addresses(h, ns_fd, d->link.ifindex, was, spec, why);
	if (ns_fd >= 0)
		close(ns_fd);
	if (!err)
		err = tap_device_look(h, d);
	return err;
}

void tap_device_join(const struct tap_home *h, struct tap_device *d, uint32_t group)
{
	const struct rtnl_change c = {.netns_fd = -1, .group = group};

	if (d->queues > 0 && !d->is_adopted && tap_device_look(h, d) == 0 && d->nsid == RTNL_OWN)
		rtnl_link_set(h->rtnl, d->link.ifindex, &c);
}

void tap_device_drop(struct tap_device *d)
{
	while (d->queues > 0)
		close(d->fd[--d->queues]);
}

void tap_device_close(const struct tap_home *h, struct tap_device *d, const struct tap_spec *spec)
{
	char why[TAP_TEXT_SIZE];
	int ns_fd = -1;

	if (d->queues == 0)
		return;
	/* The switch holds descriptors of a device that we made: it goes at once, not with the last of them. */
	if (tap_device_look(h, d) == 0 && where_is(h, d, &ns_fd) == 0) {
		if (d->is_adopted)
			set_addresses(h, ns_fd, d->link.ifindex, spec, NULL, why);
		else
			rtnl_link_del(h->rtnl, d->nsid, d->link.ifindex);
		if (ns_fd >= 0)
			close(ns_fd);
	}
	tap_device_drop(d);
}
