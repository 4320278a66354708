/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard: what a port with `guard: strict` may say of itself: which MAC, IPv4 and IPv6 addresses are its own, and that it is
 * neither a DHCP server nor a router.
 *
 * What.  A port has bindings: (VLAN, MAC, address, end) of its leases, its reservations and its static addresses; the control
 * thread sets them.  forward_rare.c asks for each frame of a strict port, before anything is learned from it:
 *
 *   source MAC      the port's `mac` (of a tap: its device's), else one of its bindings; without either, that of the
 *                   DHCP or ND exchange that makes the first one         -> guard_mac
 *   DHCP            from UDP ports 67 and 547, or to a client's, 68 and 546: a server   -> rogue_dhcp
 *   ICMPv6          router advertisement, redirect                        -> rogue_ra
 *   IPv4 source     bound to that MAC; 0.0.0.0 of a DHCP client          -> guard_ip
 *   ARP             sender MAC is the frame's, sender address bound; or a probe, 0.0.0.0, for an address that no other strict
 *                   port has (RFC 5227: it would keep whoever is about to use it from doing so)      -> guard_arp
 *   IPv6 source     bound; :: of DAD, router solicitation, MLD and DHCPv6; link-local, and with SLAAC of the network's
 *                   prefix: learned, first come first served (RFC 6620), at most GUARD_LEARNED a port    -> guard_ip
 *   ND              target of an advertisement, or of DAD, bound or learned; link-layer options are the frame's
 *                   source                                                -> guard_nd
 *   other types     ethertypes but IPv4, ARP, IPv6, 802.1X (0x888e) and LLDP    -> guard_ip
 *
 * Fragments and extension headers do not hide anything: an IPv6 packet whose chain does not reach its upper layer within the
 * packet and the first SNAP_MAX bytes is dropped (guard_ip), and ND in fragments (guard_nd; RFC 6980).  The ports of an IPv4 UDP
 * packet are looked at where they are: in a whole one, or in its first fragment.  A snapshot that is too short for all that is
 * made longer first: what is judged is what goes out, whatever the guest does to its memory.
 *
 * An address that was learned is forgotten when it was not used for GUARD_IDLE_S and somebody else wants it, or by guard_forget().
 * Nobody learns an address that is bound to, or learned by, another strict port of that VLAN, or that is the gateway's; nor one
 * that a guest without guard strict is known to have (guard_others: the gateway was answered by it of late, and its MAC is behind
 * another port).  A probe for such an address goes nowhere either.
 *
 * Threads.  guard_check(): workers, no lock unless something is learned or an ARP probe is judged (a spinlock of the guard's own,
 * never held for longer than one lookup; a worker that does not get it soon drops the frame).  guard_others is asked then without
 * that lock; it may take others, so guard_check() is called with none held that it wants.  The rest: the control thread.
 *
 * RFC 5227, RFC 6620, RFC 6980, RFC 7113 (RA guard), RFC 7610 (DHCPv6 shield), RFC 7039 (SAVI).
 *
 * Trust.  Each byte of a frame is the guest's; only the snapshot is read.
 */
#ifndef VFAB_SWITCH_GUARD_H
#define VFAB_SWITCH_GUARD_H

#include "switch/base/addr.h"
#include "switch/base/drop.h"
#include "switch/base/frame.h"
#include "switch/port/port.h"
#include "switch/trace.h"

enum { GUARD_BINDINGS = 64, GUARD_LEARNED = 8, GUARD_IDLE_S = 300 };

struct guard;

struct guard *guard_create(const uint64_t secret[2]); /* NULL without memory; small until ports are strict */
void guard_destroy(struct guard *g);		      /* NULL is fine */

/* Is that address somebody else's than that MAC's behind that slot, as far as can be known of those without a guard?  Asked by
 * workers, when something is about to be learned, or is probed for.  Set before there are any. */
typedef bool guard_others(void *arg, uint16_t vid, const struct ip *ip, const struct mac *mac, uint16_t slot);
void guard_ask_others(struct guard *g, guard_others *is_others, void *arg);

/* Worker: may this frame (VLAN in tci) of port `in` go on?  mac: the port's, zero: none is given.  now_s: monotonic. */
struct guard_ask {
	uint16_t slot;
	struct mac mac;
	uint32_t now_s;
	struct recorder *rec;
	uint8_t *room; /* of this frame, for a snapshot of SNAP_MAX bytes (frame_pull): used when its own is too short */
};
enum drop guard_check(struct guard *g, const struct guard_ask *a, struct frame *f);

/* --- Control --- */

/* What is true of a VLAN: is SLAAC announced for that prefix (is_set), and which addresses are the switch's own. */
struct guard_net {
	uint16_t vid;
	struct prefix slaac;
	struct mac gateway;
	struct ip own4, own6;
};
int guard_net(struct guard *g, const struct guard_net *n); /* 0, -ENOMEM */

struct guard_binding {
	uint16_t vid;
	struct mac mac;	 /* zero: the port's own, or any where it has none */
	struct ip ip;
	uint32_t end_s;	 /* monotonic; UINT32_MAX: never */
	bool is_fixed;	 /* of the configuration, not of a lease */
};
/*
 * Sets or replaces the binding of that address and kind (is_fixed or not; a port may have both); takes it from any other port of
 * the VLAN.  -ENOSPC: the port has GUARD_BINDINGS, or the table is full; -EADDRINUSE: it is the switch's own, or a lease is to
 * have what the configuration gives to another port.
 */
int guard_bind(struct guard *g, uint16_t slot, const struct guard_binding *b);
void guard_unbind(struct guard *g, uint16_t vid, const struct ip *ip, bool is_fixed);
/* These are the port's bindings of the configuration, and no others; one that stays is never away.  The first error, of
 * guard_bind(); the others are set all the same. */
int guard_set_fixed(struct guard *g, uint16_t slot, const struct guard_binding *b, unsigned n);
/* The port is gone, or another now: all of it. */
void guard_forget(struct guard *g, uint16_t slot);

/* What a port may use, for `port show`: calls fn for each; is_learned: by first come. */
void guard_each(const struct guard *g, uint16_t slot, void (*fn)(void *arg, const struct guard_binding *b, bool is_learned),
		void *arg);

#endif
