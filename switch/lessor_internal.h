/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lessor_internal: what the files of the lessor share.
 *
 *   lessor.c       life, datagrams in, answers out, time, news of leases
 *   lessor_net.c   a configuration: networks, pools, views of DNS, servers outside
 *   lessor_ties.c  what follows from a lease: names, guard, events
 *   lessor_taps.c  ports with `ipv4: dhcp`: leases that the switch takes for them
 */
#ifndef VFAB_SWITCH_LESSOR_INTERNAL_H
#define VFAB_SWITCH_LESSOR_INTERNAL_H

#include "dhcp/stream.h"
#include "switch/base/rate.h"
#include "switch/guard.h"
#include "switch/lessor.h"
#include "switch/resolver.h"

enum { VLANS = 4096, HELD_MAX = 128 };

/* An answer that waits until what it promises is written. */
struct held {
	struct gateway_packet k;
	uint16_t len;
	uint8_t l4[8 + DHCP_MAX_BYTES];
};

/* What a port was when the configuration was applied last. */
struct lessor_port {
	char name[PORT_NAME_SIZE]; /* "": none */
	bool is_shared;		   /* trunk, uplink */
	bool is_strict;
	unsigned n_claims; /* addresses that it said it has, by answers to probes, since */
	uint64_t claims_ms;
	const struct port *device; /* to be compared only */
	struct ip leased;	   /* address put on its tap; zero: none */
	char leased_net[LEASE_NET_SIZE];
};

/* A name or a binding that an apply made out of a port's own address. */
struct static_name {
	uint16_t vid;
	struct ip ip;
};

struct lessor {
	struct daemon *d;
	struct leases *leases;
	struct journal *journal;
	struct journal_clock boot; /* boot id; the times are filled in anew */
	struct dhcp_server *v4;
	struct dhcp6_server *v6;
	struct dns *dns;
	struct streams *streams;
	struct dhcp_net **net; /* of each VLAN; NULL: it serves nothing */
	struct lessor_port port[SLOT_MAX];
	uint16_t asking; /* the port of the datagram in hand: whose leases change is most likely its own */
	struct static_name *names;
	size_t n_names;
	/* DNS outside. */
	struct resolver_servers servers; /* told to the broker last; n_sets 0: none yet */
	int resolver_fd;		 /* below 0: none */
	/* Answers of this turn. */
	struct held *held;
	unsigned n_held;
	bool has_sent;
	uint64_t unsent;
	int timer;
	uint64_t timer_ms; /* when it fires; UINT64_MAX: not armed */
	uint64_t taps_ms;  /* when lessor_taps_tick() is due */
	struct rate events;
	uint64_t untold; /* events that were too many */
	bool is_broken;	 /* the journal: told */
	bool is_stopping;
};

/* --- lessor.c --- */
struct journal_clock lessor_clock(const struct lessor *l);

/* --- lessor_net.c --- */
/* Networks, pools and views as the configuration has them; names of reservations. */
void lessor_apply_nets(struct lessor *l);
void lessor_apply_resolver(struct lessor *l);
const struct dhcp_net *lessor_net_of_link(void *lessor, const struct dhcp_net *from, const struct ip *link);

/* --- lessor_taps.c --- */
/* Gives addresses to ports that want one, and renews them.  Returns when it wants to be called again, UINT64_MAX: there are
 * none. */
uint64_t lessor_taps_tick(struct lessor *l, uint64_t now_ms);
/* The port of that slot goes, or wants none any more. */
void lessor_tap_leaves(struct lessor *l, unsigned slot);

/* --- lessor_ties.c --- */
/* Which ports there are; true: one is strict now that was not.  Before the networks. */
bool lessor_apply_ports(struct lessor *l);
/* Names and bindings of the configuration, after the networks. */
void lessor_apply_ties(struct lessor *l, bool is_new);
bool lessor_is_tied(void *lessor, const char *port);
bool lessor_is_there(void *lessor, const char *port);
/* The listener of the store. */
void lessor_news(void *lessor, const struct lease *lease, enum lease_news news);
/* Names and bindings of the leases of a network that comes, as they were before. */
void lessor_tie_again(struct lessor *l, const struct dhcp_net *net);

#endif
