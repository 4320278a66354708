/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reply: what an answer of the DHCPv4 server says: which options, in which order, and where they find room.
 *
 *      53 54 [51 58 59] 1 61 | what option 55 lists, in its order | what a class or HTTP boot wants told unasked | 52 | 82 END
 *
 * What.  The value of an option is the reservation's, else that of the first class that matches and has it, else the network's,
 * else made of what the network is (router, DNS, domain, MTU ...).  A client without option 55 gets all that there is.  The option
 * space is tried first; what does not fit there goes into `file` and `sname`, and what has no room there either is left out.
 *
 * Ownership.  Borrows all that it is given until the answer is written.
 */
#ifndef VFAB_DHCP_REPLY_H
#define VFAB_DHCP_REPLY_H

#include "dhcp/net.h"
#include "dhcp/wire.h"

/* Classes beyond are not looked at; the reservation and the network have a layer each. */
enum { DHCP_REPLY_CLASSES = 32, DHCP_REPLY_LAYERS = DHCP_REPLY_CLASSES + 2 };

/* What one client is told. */
struct dhcp_reply {
	const struct dhcp_net *net;			  /* of the client */
	const struct dhcp_message *ask;
	const struct dhcp_reservation *reserved;	  /* or NULL */
	const struct dhcp_opts *layer[DHCP_REPLY_LAYERS]; /* the narrowest first */
	uint8_t n_layers, first_class, n_classes;
};

void dhcp_reply_init(struct dhcp_reply *r, const struct dhcp_net *net, const struct dhcp_message *ask,
		     const struct dhcp_reservation *reserved);

/* Seconds of the lease: the configuration's, or fewer if the client asks for fewer; UINT32_MAX: for ever. */
uint32_t dhcp_reply_lease_s(const struct dhcp_reply *r);

/* What differs from answer to answer. */
struct dhcp_reply_head {
	enum dhcp_type type;   /* OFFER, ACK or NAK */
	struct ip server;      /* option 54 */
	struct ip ciaddr, yiaddr; /* zero: none */
	bool has_lease;	       /* the times are told: not to INFORM */
};
/* Bytes of the message; 0: what must be in it has no room (option 82, mostly). */
size_t dhcp_reply_write(const struct dhcp_reply *r, const struct dhcp_reply_head *head,
			uint8_t bytes[static DHCP_MAX_BYTES]);

#endif
