/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * broker_uplink: what the switch asks of the broker for its ways out: interfaces of the host, and the host's own stack.
 *
 * A host uplink's tap is an ordinary tap (BROKER_TAP_OPEN); the table in nftables, the sysctls and the look at who holds a port
 * are BROKER_HOST_SET.  An interface uplink is a link: a packet socket with its ring, and a helper tap towards the host.
 */
#ifndef VFAB_SWITCH_BROKER_UPLINK_H
#define VFAB_SWITCH_BROKER_UPLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "bridge/nft.h"
#include "switch/base/addr.h"

enum { LINK_TEXT_SIZE = 192, LINK_PORT_SIZE = 64, LINK_NAME_SIZE = 16, LINK_REFUSED_MAX = 18 };

/* An interface that an uplink wants. */
struct link_spec {
	char port[LINK_PORT_SIZE];
	char interface[LINK_NAME_SIZE]; /* vfabd's namespace; never renamed, moved or set: it is the host's */
	uint8_t promisc; /* bridged networks: frames for other MACs too */
	/* Where what is in the way is the host's: there is none of that name, it is not Ethernet, it is a port of a bridge or
	 * of another uplink, the host holds a refused address.  Answer PORT_WAITING, text says why; NOTICE_LINK when that ends. */
	uint8_t may_wait;
	uint8_t n_refused;
	uint8_t reserved;
	struct mac mac; /* frames for it come in too; zero: none; the interface's own: shared with the host */
	uint16_t reserved2;
	struct ip refused[LINK_REFUSED_MAX]; /* the host itself must hold none of them: -EADDRINUSE */
};

/* Its state now; an answer, or a notice.  Descriptors: the packet socket, and the helper tap if n_fds is 2. */
struct link_answer {
	char port[LINK_PORT_SIZE];
	int32_t error; /* 0, or errno: text says it in words */
	uint8_t state; /* enum port_state */
	uint8_t reserved;
	uint16_t n_fds;	 /* 0: those that the switch has stay, unless the state is PORT_WAITING; 1: no helper, text says why; 2 */
	uint32_t can;	 /* enum offload_can of the kernel */
	uint32_t serial; /* as in struct tap_answer */
	uint32_t mtu;
	int32_t ifindex;
	struct mac mac; /* of the interface, now */
	char ifname[LINK_NAME_SIZE]; /* now; a rename is followed, and said in text */
	char text[LINK_TEXT_SIZE];   /* what happened, or what is in the way; "": nothing */
};

/*
 * The host's side of all host uplinks: what BROKER_HOST_SET carries in a memfd, uplinks first, then forwards.
 *
 * In this order: an uplink's interface must be a tap of ours.  No socket of the host may hold a port of a forward that the set
 * before did not have (-EADDRINUSE, text names port, program and process).  The table is written (nft.h), in one transaction;
 * when that fails nothing has changed.  Connections of UDP to ports that go elsewhere now are forgotten.  Forwarding is turned
 * on where it was off: IPv4 while an uplink has IPv4, IPv6 while one has IPv6, unless leaves_forwarding.  route_localnet is set
 * on a tap while a forward of IPv4 leads there that is not bound, or is bound to 127.0.0.0/8.
 *
 * All is taken back when n_uplinks is 0, when a switch is ready that did not ask for it, and when vfabd ends.  A vfabd that is
 * killed leaves the switches of the stack as they are, and a note beside its control socket (SOCKET.host) by which the next one
 * puts them back at its own end.  The table is put back when it was changed, and when chains of others begin or cease to drop
 * what is forwarded that is said: NOTICE_HOST; the same in the text of an answer without error.
 */
struct host_set {
	uint32_t n_uplinks, n_forwards;
	uint8_t leaves_forwarding;
	uint8_t reserved[7];
};

/* What a text about the host's side is. */
enum host_news {
	HOST_EVENT,   /* something happened */
	HOST_TROUBLE, /* something stands in the way from now on */
	HOST_CLEAR,   /* it does no longer */
};

/* The switch's side.  0 or -errno; text, also that of the answer: why.  fds[1] is -1 without helper; both are -1 while it waits. */
int broker_link_open(const struct link_spec *spec, struct link_answer *answer, int fds[static 2]);
int broker_link_set(const struct link_spec *spec, struct link_answer *answer);
int broker_link_close(const char *port);
/* text after 0: what stands in the way, or "". */
int broker_host_set(const struct host_set *set, const struct nft_uplink *uplinks, const struct nft_forward *forwards,
		    char text[static LINK_TEXT_SIZE]);

#endif
