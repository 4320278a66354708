/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * uplink: the ways out, as the control thread knows them: what became of each uplink of the configuration, and its addresses,
 * static or by the DHCP client.
 */
#ifndef VFAB_SWITCH_UPLINK_H
#define VFAB_SWITCH_UPLINK_H

#include "switch/broker_uplink.h"
#include "switch/daemon.h"
#include "switch/gateway.h"

enum { UPLINK_STATE_TEXT = 192 };

/* What `uplink ls` shows beside its configuration. */
struct uplink_state {
	char name[64];
	uint16_t vid, slot; /* SLOT_MAX: its port is not open */
	struct mac mac;	    /* of our leg */
	uint32_t mtu;
	struct prefix v4, v6; /* of our leg, now; is_set */
	struct ip next4, next6;
	bool has_next4, has_next6;
	enum { UPLINK_STATIC, UPLINK_ASKING, UPLINK_BOUND } dhcp; /* ASKING and BOUND: by DHCP */
	uint32_t lease_s;		 /* BOUND: that the lease has still */
	uint64_t lost;			 /* frames that the kernel dropped before the port */
	char trouble[UPLINK_STATE_TEXT]; /* what stands in the way, in words, and how to mend it; "" */
};

/* NULL without memory. */
struct uplinks *uplinks_create(struct daemon *d);
void uplinks_destroy(struct uplinks *u); /* NULL is fine */
/* Brings what changes by itself up to date: lost, lease_s. */
void uplinks_look(struct uplinks *u);
/* The n-th uplink (from 0); NULL: no more. */
const struct uplink_state *uplink_at(const struct uplinks *u, unsigned n);

/* The MAC of an uplink's leg; p is its port, or NULL.  Zero: not known yet. */
struct mac uplink_leg_mac(const struct conf_uplink *cu, const struct port *p);
/* Bytes of the largest packet; s may be NULL. */
uint32_t uplink_mtu(const struct port *p, const struct uplink_state *s);

/* Before uplinks that `to` does not have (NULL: all) lose their ports: gives their leases back. */
void uplinks_leave(struct uplinks *u, const struct conf *to);
/* The running configuration is another: states come and go with its uplinks. */
void uplinks_apply(struct uplinks *u);
/* Has the broker do in the host what conf says.  was: the running one, NULL at the start.  0, or -errno with the reason. */
int uplinks_set_host(struct uplinks *u, const struct conf *to, const struct conf *was,
		     char why[static LINK_TEXT_SIZE]);
/* A datagram of the gateway's for a client of ours. */
void uplinks_receive(struct uplinks *u, const struct gateway_datagram *g);
/* From time to time: what no notice tells. */
void uplinks_tick(struct uplinks *u);

/* Notices of the broker.  fds: n_fds of the answer, taken. */
void uplink_link_notice(struct uplinks *u, const struct link_answer *a, const int *fds);
void uplink_host_notice(struct uplinks *u, const char *text, enum host_news news);

#endif
