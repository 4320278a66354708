/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp_lab: networks with a DHCPv4 server, for its unit tests and its fuzz target: a message in, the answer looked at.
 *
 * What.  Each message goes to two labs that differ only in what lay in their memory before: buffer and stack are filled with
 * another pattern.  The answers must be the same, byte by byte: nothing of the heap or the stack gets out (M10).  Each answer is
 * checked for what is true of every answer; a check that fails aborts.
 *
 *   office   VLAN 10  10.0.10.0/24, ours .1, pool .100-.199, port cap 4, router, domain, options, classes, reservations
 *   storage  VLAN 20  10.0.20.0/24, ours .1, pool .100-.109; may be asked for by relays .10.9 and .20.9 in office
 *   quiet    VLAN 30  10.0.30.0/24, no DHCP
 */
#ifndef VFAB_TESTS_DHCP_LAB_H
#define VFAB_TESTS_DHCP_LAB_H

#include "dhcp/server.h"

enum dhcp_lab_net { LAB_OFFICE, LAB_STORAGE, LAB_QUIET, LAB_NETS };

/* Who has an address now, as the store tells its listener. */
struct dhcp_lab_owner {
	bool is_bound;
	uint16_t id_len;
	uint8_t id[LEASE_ID_MAX];
};

struct dhcp_lab {
	struct leases *leases;
	struct dhcp_net *net[LAB_NETS];
	struct dhcp_server *server;
	uint64_t now_ms;
	const char *tied;		   /* port that has its addresses tied to it; NULL: none */
	const char *gone;		   /* port that is not there; NULL: all are */
	struct dhcp_lab_owner owner[LAB_NETS][256]; /* by the last byte */
	struct dhcp_answer out;		   /* the last answer */
	struct dhcp_message said;	   /* and read; type 0: silence */
	struct dhcp_lab *twin;
};

/* What a client sends; what is zero is not sent. */
struct dhcp_lab_ask {
	uint8_t type;
	uint8_t mac;		  /* the last byte of 02:00:00:00:00:xx */
	uint8_t src_mac;	  /* of the frame; 0: the same */
	const char *id, *name;	  /* options 61, 12: text */
	const char *server, *address, *ciaddr, *giaddr; /* 54, 50 */
	const char *src, *dst;	  /* of the datagram; NULL: 0.0.0.0, 255.255.255.255 */
	uint16_t flags, max_size; /* 57 */
	uint32_t lease_s;	  /* 51 */
	const char *wants;	  /* 55, text of bytes */
	const uint8_t *more;	  /* options as they go on the wire */
	size_t n_more;
	const char *port;	  /* NULL: "c1" */
	bool is_shared;
};

struct dhcp_lab *dhcp_lab_create(void);
void dhcp_lab_destroy(struct dhcp_lab *lab);
void dhcp_lab_pass(struct dhcp_lab *lab, uint64_t ms);

/* True: there was an answer. */
bool dhcp_lab_send(struct dhcp_lab *lab, enum dhcp_lab_net net, const struct dhcp_lab_ask *a);
bool dhcp_lab_give(struct dhcp_lab *lab, enum dhcp_lab_net net, const struct dhcp_ask *ask);
void dhcp_lab_conflict(struct dhcp_lab *lab, enum dhcp_lab_net net, const struct ip *ip, const struct mac *mac);

/* The configuration of office is another one: that is its only reservation.  Of this lab alone, not of its twin. */
void dhcp_lab_reserve(struct dhcp_lab *lab, const struct dhcp_reservation *r);
/* In office.  Sends and wants an answer of that type, 0: none. */
void dhcp_lab_expect(struct dhcp_lab *lab, const struct dhcp_lab_ask *a, uint8_t type);
/* What who is offered, and what it gets in the end: text, which is buf. */
const char *dhcp_lab_offered(struct dhcp_lab *lab, const struct dhcp_lab_ask *who, char buf[static IP_TEXT]);
const char *dhcp_lab_bound(struct dhcp_lab *lab, const struct dhcp_lab_ask *who, char buf[static IP_TEXT]);
const struct lease *dhcp_lab_lease(const struct dhcp_lab *lab, const char *ip); /* NULL: none */
enum lease_state dhcp_lab_state(const struct dhcp_lab *lab, const char *ip);	/* PAST: or none */
const struct dhcp_counters *dhcp_lab_counted(const struct dhcp_lab *lab);

struct ip dhcp_lab_ip(const char *text);
struct mac dhcp_lab_mac(uint8_t last);
/* Codes of the option space of the last answer, in order, without PAD and END: how many. */
unsigned dhcp_lab_order(const struct dhcp_lab *lab, uint8_t codes[static 256]);

#endif
