/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lessor: the services of all networks at work: DHCP servers and DNS (dhcp/) between the gateway, the journal, the guard and the
 * resolver.  Control thread.
 *
 *   gateway --- datagrams, TCP segments, ARP answers ---> lessor ---> server, server6, dns, streams
 *           <-- frames -------------------------------------'  |
 *                                                              '-- each change of a lease: journal, names, guard, event
 *
 * Answers go out when what they promise is written (journal_flush()), once for all datagrams of a turn.
 */
#ifndef VFAB_SWITCH_LESSOR_H
#define VFAB_SWITCH_LESSOR_H

#include "dhcp/dns.h"
#include "dhcp/journal.h"
#include "dhcp/server6.h"
#include "switch/daemon.h"
#include "switch/gateway.h"

struct lessor;

/* Reads the journal behind the two descriptors and starts its thread: after the sandbox.  boot: of struct journal_clock.
 * NULL: errno. */
struct lessor *lessor_create(struct daemon *d, const int journal_fd[static 2], const char *boot);
void lessor_destroy(struct lessor *l); /* NULL is fine */

/* d->conf is another one, or ports came and went. */
void lessor_apply(struct lessor *l);
/* A datagram of a service of a network; lessor_turn() follows when no more wait. */
void lessor_receive(struct lessor *l, const struct gateway_datagram *g);
void lessor_turn(struct lessor *l);
/* What the broker says of the resolver (bits of enum resolver_news); fd is the lessor's, below 0: none came. */
void lessor_resolver(struct lessor *l, uint32_t news, int fd);

/* --- For verbs --- */

struct leases *lessor_leases(struct lessor *l);
/* The network as its servers see it; NULL: it serves nothing. */
const struct dhcp_net *lessor_net(const struct lessor *l, const char *name);
/* Ends the lease of that address: 0, -ENOENT: there is none, -EBUSY: several networks have one, name one. */
int lessor_release(struct lessor *l, const char *network, const struct ip *ip);
struct lessor_stats {
	struct dhcp_counters v4;
	struct dhcp6_counters v6;
	struct dns_counters dns;
	struct journal_stats journal;
	uint64_t unsent; /* answers for which the gateway had no room */
};
void lessor_stats(const struct lessor *l, struct lessor_stats *out);

#endif
