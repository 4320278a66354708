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
	uint8_t promisc;  /* bridged networks: frames for other MACs too */
	uint8_t may_wait; /* there is none of that name, or it is not Ethernet: answer PORT_WAITING, say why in text, and send NOTICE_LINK later */
	uint8_t n_refused;
	uint8_t reserved;
	struct mac mac;		  /* frames for it come in too; zero: none */
	uint16_t reserved2;
	struct ip refused[LINK_REFUSED_MAX]; /* the host itself must hold none of them: -EADDRINUSE */
};

/* Its state now; an answer, or a notice.  Descriptors: the packet socket and the helper tap, if n_fds is 2. */
struct link_answer {
	char port[LINK_PORT_SIZE];
	int32_t error;	 /* 0, or errno: text says it in words */
	uint8_t state;	 /* enum port_state */
	uint8_t reserved;
	uint16_t n_fds;	 /* 0: those that the switch has stay; 2 */
	uint32_t can;	 /* enum offload_can */
	uint32_t serial; /* as in struct tap_answer */
	uint32_t mtu;
	int32_t ifindex;
	struct mac mac;
	char ifname[LINK_NAME_SIZE]; /* now; a rename is followed, and said in text */
	char text[LINK_TEXT_SIZE];
};

/*
 * The host's side of all host uplinks: what BROKER_HOST_SET carries in a memfd, uplinks first, then forwards.
 *
 * The broker checks that no socket of the host holds a port of a forward that it did not have before (-EADDRINUSE, text names port
 * and program), writes the table (nft.h), turns forwarding on while there is an uplink and it may (and off again when it was off),
 * and sets route_localnet on the taps while a forward is bound to 127.0.0.0/8.  All is taken back when n_uplinks is 0 and when vfabd ends,
 * also after a crash of the switch that is not started again.  It puts the table back when it is flushed, and looks at chains of others
 * that drop what is forwarded; what happens is NOTICE_HOST, text.
 */
struct host_set {
	uint32_t n_uplinks, n_forwards;
	uint8_t leaves_forwarding;
	uint8_t reserved[7];
};

/* The switch's side.  0 or -errno; text: why. */
int broker_link_open(const struct link_spec *spec, struct link_answer *answer, int fds[static 2]);
int broker_link_set(const struct link_spec *spec, struct link_answer *answer);
int broker_link_close(const char *port);
int broker_host_set(const struct host_set *set, const struct nft_uplink *uplinks, const struct nft_forward *forwards,
		    char text[static LINK_TEXT_SIZE]);

#endif
