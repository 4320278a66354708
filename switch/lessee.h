/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lessee: the DHCP client of one uplink at work: its timer, its datagrams through the gateway, and its lease in the state region,
 * so that a switch that starts again has the address at once.  dhcp/client.h is the protocol.  Control thread.
 */
#ifndef VFAB_SWITCH_LESSEE_H
#define VFAB_SWITCH_LESSEE_H

#include "dhcp/client.h"
#include "switch/daemon.h"
#include "switch/gateway.h"

struct lessee {
	struct daemon *d;
	struct dhcp_client client;
	struct kept_lease *kept; /* in the state region */
	uint16_t vid;
	int timer; /* 0: none */
	bool is_running;
	/* The lease came, changed or went. */
	void (*on_change)(void *arg, struct lessee *l);
	void *arg;
};

/* Asks for an address for that leg.  name: of the uplink. */
void lessee_start(struct lessee *l, const char *name, const struct mac *mac, uint16_t vid);
/* Gives the address back. */
void lessee_stop(struct lessee *l);
/* The interface has its carrier back. */
void lessee_link(struct lessee *l);
/* What came for it. */
void lessee_receive(struct lessee *l, const struct gateway_datagram *g);
/* The lease in use, or NULL. */
const struct dhcp_lease *lessee_lease(const struct lessee *l);

#endif
