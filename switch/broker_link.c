/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_link: one interface of the host that an uplink uses.
 *
 * How it fits.  broker_links.c keeps one of these for each interface uplink and decides when;
 * bridge/packet_socket.c, bridge/bpf.c, bridge/tc.c and bridge/rtnl.c do the talking.
 *
 * Theory of operation.
 *
 *     wire <==> NIC <==> packet socket <--> switch
 *                ^                            |
 *                '-- ingress -- helper tap <--'    frames for this host
 *
 * The host's own frames come over the socket as outgoing ones.  The way back has to be a device that
 * the stack receives from: a tap without an address, a name of its own or a word of IPv6, whose
 * ingress an eBPF program redirects.  Without eBPF there is no helper: the segment is reached all
 * the same, this host is not.
 *
 * The filter keeps the host's own traffic out of the ring, which may be the bulk of what the NIC sees.
 *
 * Trust.  Specs have passed broker_check.c.  The interface is looked at by its index from the first
 * look on, so a rename in between changes nothing.
 */
#include "switch/broker_link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bridge/bpf.h"
#include "bridge/packet_socket.h"
#include "bridge/tc.h"
#include "switch/broker_check.h"
#include "switch/port/gso.h"

/* Of Linux 6.2; older kernels refuse them. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- may it be an uplink? --------------------------------------------------------------- */

static int check_link(struct rtnl *r, const struct rtnl_link *l, char why[static TAP_TEXT_SIZE])
{
	struct rtnl_link master;

	if (l->flags & IFF_LOOPBACK)
		return broker_fail(why, -EINVAL, "interface %s is the loopback", l->name);
	if (l->type != ARPHRD_ETHER)
		return broker_fail(why, -EINVAL, "interface %s is not Ethernet", l->name);
	/* A VRF is a matter of routing: its members carry their own frames. */
	if (l->master == 0 || rtnl_link_get_index(r, RTNL_OWN, l->master, &master) < 0 ||
	    strcmp(master.kind, "vrf") == 0)
		return 0;
	return broker_fail(why, -EBUSY,
			   "interface %s is a port of %s %s: use that as the uplink, or free it "
			   "(ip link set %s nomaster)",
			   l->name, master.kind, master.name, l->name);
}

struct search {
	const struct link_spec *spec;
	struct ip found;
	int ifindex; /* 0: none was found */
};

static void see_address(int ifindex, const struct ip *ip, void *arg)
{
	struct search *s = arg;
	unsigned i;

	for (i = 0; i < s->spec->n_refused; i++) {
		if (!ip_equal(&s->spec->refused[i], ip))
			continue;
		s->found = *ip;
		s->ifindex = ifindex;
	}
}

int link_check_addresses(struct rtnl *r, const struct link_spec *spec,
			 char why[static TAP_TEXT_SIZE])
{
	struct search s = {.spec = spec};
	struct rtnl_link l = {.name = "?"};
	char text[IP_TEXT];
	int err;

	if (spec->n_refused == 0)
		return 0;
	err = rtnl_addr_each(r, see_address, &s);
	if (err)
		return broker_fail(why, err, "addresses of this host: %s", strerror(-err));
	if (s.ifindex == 0)
		return 0;
	rtnl_link_get_index(r, RTNL_OWN, s.ifindex, &l);
	return broker_fail(why, -EADDRINUSE,
			   "this host itself has address %s (%s): an uplink needs one of its own",
			   ip_text(&s.found, text), l.name);
}

/* --- the helper tap --------------------------------------------------------------------- */

/* A tap of that name, or by a pattern such as vfh%d, whose name is in *name then. */
static int open_tap(char name[static IFNAMSIZ])
{
	struct ifreq ifr = {.ifr_flags =
				    (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL)};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	int size = sizeof(struct virtio_net_hdr_mrg_rxbuf), err;

	if (fd < 0)
		return -errno;
	memcpy(ifr.ifr_name, name, IFNAMSIZ);
	if (ioctl(fd, TUNSETIFF, &ifr) == 0 && ioctl(fd, TUNSETVNETHDRSZ, &size) == 0) {
		memcpy(name, ifr.ifr_name, IFNAMSIZ);
		return fd;
	}
	err = -errno;
	close(fd);
	return err;
}

static int open_helper_tap(const char *interface, char name[static IFNAMSIZ])
{
	char full[IFNAMSIZ + 4];
	int fd = -EBUSY;

	memset(name, 0, IFNAMSIZ);
	if (snprintf(full, sizeof(full), "vfh-%s", interface) < IFNAMSIZ) {
		memcpy(name, full, strlen(full));
		fd = open_tap(name);
	}
	if (fd >= 0)
		return fd;
	memset(name, 0, IFNAMSIZ);
	memcpy(name, "vfh%d", sizeof("vfh%d"));
	return open_tap(name);
}

/* From the tap to the ingress of the interface; then up. */
static int connect_helper(struct rtnl *r, int ifindex, int helper_index)
{
	const struct rtnl_change up = {.netns_fd = -1, .up = true};
	int prog = bpf_redirect_into(ifindex), err;

	if (prog < 0)
		return prog;
	/* Best effort, for a kernel without IPv6. */
	rtnl_link_mute(r, helper_index);
	err = tc_ingress(r, helper_index, prog);
	close(prog);
	if (err)
		return err;
	return rtnl_link_set(r, helper_index, &up);
}

static int open_helper(struct rtnl *r, struct link_device *d)
{
	struct rtnl_link tap;
	char name[IFNAMSIZ];
	int fd = open_helper_tap(d->link.name, name), err;

	if (fd < 0)
		return fd;
	err = rtnl_link_get(r, RTNL_OWN, name, &tap);
	if (!err)
		err = connect_helper(r, d->link.ifindex, tap.ifindex);
	if (err) {
		close(fd);
		return err;
	}
	/* What the kernel takes on a tap it takes on a packet socket: both came with the same release. */
	d->can = CAN_CSUM | CAN_TSO4 | CAN_TSO6 | CAN_ECN;
	if (ioctl(fd, TUNSETOFFLOAD,
		  TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6) ==
	    0)
		d->can |= CAN_USO;
	d->helper = fd;
	d->helper_index = tap.ifindex;
	return 0;
}

/* --- the socket ------------------------------------------------------------------------- */

/* The filter for a spec: -1 where there is no eBPF, and then no helper either whose frames could come back. */
static int make_filter(const struct link_device *d, const struct link_spec *spec)
{
	const struct mac *nic = &d->link.mac;
	bool is_shared = memcmp(&spec->mac, nic, sizeof(*nic)) == 0; /* with the host */
	int fd;

	if (spec->promisc)
		fd = bpf_frames_filter(is_shared ? BPF_FRAMES_ALL : BPF_FRAMES_NOT, nic);
	else
		fd = bpf_frames_filter(BPF_FRAMES_TO, mac_is_zero(&spec->mac) ? nic : &spec->mac);
	return fd < 0 ? -1 : fd;
}

static int set_promisc(struct link_device *d, bool on)
{
	int err = 0;

	if (d->is_promisc != on)
		err = packet_promisc(d->sock, d->link.ifindex, on);
	if (!err)
		d->is_promisc = on;
	return err;
}

static int set_more(struct link_device *d, const struct mac *mac)
{
	static const struct mac none;
	int err = 0;

	if (memcmp(mac, &d->link.mac, sizeof(*mac)) == 0)
		mac = &none;
	if (memcmp(mac, &d->more, sizeof(*mac)) == 0)
		return 0;
	if (!mac_is_zero(mac))
		err = packet_listen_mac(d->sock, d->link.ifindex, mac, true);
	if (err)
		return err;
	if (!mac_is_zero(&d->more))
		packet_listen_mac(d->sock, d->link.ifindex, &d->more, false);
	d->more = *mac;
	return 0;
}

static int open_socket(struct link_device *d, const struct link_spec *spec,
		       char why[static TAP_TEXT_SIZE])
{
	int filter = make_filter(d, spec), err = 0;

	d->sock = packet_socket(d->link.ifindex, d->helper >= 0, filter);
	if (d->sock < 0)
		err = d->sock;
	close_fd(&filter);
	d->is_promisc = false;
	d->more = (struct mac){{0}};
	if (!err)
		err = set_promisc(d, spec->promisc);
	if (!err)
		err = set_more(d, &spec->mac);
	if (!err)
		return 0;
	close_fd(&d->sock);
	return broker_fail(why, err, "interface %s: packet socket: %s", d->link.name,
			   strerror(-err));
}

/* --- the device ------------------------------------------------------------------------- */

int link_device_open(struct rtnl *r, const struct link_spec *spec, struct link_device *d,
		     char why[static TAP_TEXT_SIZE])
{
	int err, trouble;

	*d = (struct link_device){.sock = -1, .helper = -1};
	why[0] = '\0';
	err = rtnl_link_get(r, RTNL_OWN, spec->interface, &d->link);
	if (err)
		return broker_fail(why, err, "interface %s %s", spec->interface,
				   err == -ENODEV ? "does not exist" : strerror(-err));
	err = check_link(r, &d->link, why);
	if (!err)
		err = link_check_addresses(r, spec, why);
	if (err)
		return err;
	d->can = CAN_CSUM | CAN_TSO4 | CAN_TSO6 | CAN_ECN;
	trouble = open_helper(r, d);
	err = open_socket(d, spec, why);
	if (err)
		link_device_close(r, d);
	else if (trouble)
		broker_fail(why, 0, "interface %s: no way from the fabric to this host itself (%s)",
			    d->link.name, strerror(-trouble));
	return err;
}

int link_device_renew(struct link_device *d, const struct link_spec *spec,
		      char why[static TAP_TEXT_SIZE])
{
	struct link_device new = *d;
	int err = open_socket(&new, spec, why);

	if (err)
		return err;
	/* The new one is in promiscuous mode already, so the interface does not leave it meanwhile. */
	set_promisc(d, false);
	set_more(d, &(struct mac){{0}});
	close(d->sock);
	*d = new;
	return 0;
}

int link_device_set(struct link_device *d, const struct link_spec *spec,
		    char why[static TAP_TEXT_SIZE])
{
	int filter = make_filter(d, spec), err = 0;

	if (filter >= 0)
		err = packet_filter(d->sock, filter);
	close_fd(&filter);
	if (!err)
		err = set_promisc(d, spec->promisc);
	if (!err)
		err = set_more(d, &spec->mac);
	if (err)
		return broker_fail(why, err, "interface %s: promiscuous mode or address: %s",
				   d->link.name, strerror(-err));
	return 0;
}

int link_device_look(struct rtnl *r, struct link_device *d, char why[static TAP_TEXT_SIZE])
{
	struct rtnl_link now;
	int err = rtnl_link_get_index(r, RTNL_OWN, d->link.ifindex, &now);

	if (err == -ENODEV)
		return broker_fail(why, err, "interface %s is gone", d->link.name);
	if (err)
		return broker_fail(why, err, "interface %s: %s", d->link.name, strerror(-err));
	d->link = now;
	return check_link(r, &now, why);
}

void link_device_close(struct rtnl *r, struct link_device *d)
{
	/* The switch holds descriptors too: what others notice ends now, and not with the last of them. */
	if (d->sock >= 0) {
		set_promisc(d, false);
		set_more(d, &(struct mac){{0}});
	}
	if (d->helper_index)
		rtnl_link_del(r, RTNL_OWN, d->helper_index);
	close_fd(&d->sock);
	close_fd(&d->helper);
	d->helper_index = 0;
}
