/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drop reasons: why a frame reached no output.
 *
 * Every frame received is forwarded, local, or exactly one of these, counted on the port
 * it came in by.  The words are shown to users (`vfab drops`) and are stable.  A new
 * reason is one line here; every table of names and counters follows.
 */
#ifndef VFAB_BASE_DROP_H
#define VFAB_BASE_DROP_H

/*        symbol         word             what it means, for `vfab drops` and the manual */
#define DROP_REASONS(X)                                                                            \
	X(RUNT, "runt", "shorter than an Ethernet header")                                 \
	X(BAD_DESCRIPTOR, "bad_descriptor", "the descriptors do not describe a frame")     \
	X(BAD_SOURCE, "bad_source", "source address is a group, zero or the switch's own") \
	X(BAD_OFFLOAD, "bad_offload", "offload header does not fit the frame")             \
	X(RESERVED, "reserved", "destination 01:80:c2:00:00:00-0f is never forwarded")     \
	X(VLAN, "vlan", "the port does not take frames of this VLAN")                      \
	X(VLAN_RESERVED, "vlan_reserved", "VLAN id 4095")                                  \
	X(GUARD_MAC, "guard_mac", "source is not the address this port may use")           \
	X(GUARD_IP, "guard_ip", "source address, or protocol, is not one this port may use") \
	X(GUARD_ARP, "guard_arp", "ARP that speaks of an address which is not this port's") \
	X(GUARD_ND, "guard_nd", "neighbour discovery of an address which is not this port's") \
	X(ROGUE_DHCP, "rogue_dhcp", "a DHCP server's message, from a port that is none")   \
	X(ROGUE_RA, "rogue_ra", "a router's advertisement or redirect, from a port that is none") \
	X(MAC_LIMIT, "mac_limit", "the port has learned as many addresses as it may")      \
	X(RATE, "rate", "over the port's rate, or that of gateway answers")                \
	X(STORM, "storm", "over the port's broadcast, multicast or unknown limit")         \
	X(LOOP, "loop", "the port is in a loop, and this is over its cap")                 \
	X(SAME_PORT, "same_port", "destination is behind the port it came from")           \
	X(ISOLATED, "isolated", "both ports are isolated")                                 \
	X(HOST_ONLY, "host_only", "for the host, but not for its address on this network") \
	X(NO_OUTPUT, "no_output", "no other port carries this VLAN")                       \
	X(TOO_BIG, "too_big", "larger than the MTU of the output")                         \
	X(TX_FULL, "tx_full", "the output had no room")                                    \
	X(PORT_DOWN, "port_down", "the output is down or has no peer")                     \
	X(TX_ERROR, "tx_error", "the output refused the frame")                            \
	X(NO_MEMORY, "no_memory", "the worker had no buffer to segment, gather or keep it in") \
	X(BAD_ARP, "bad_arp", "ARP or neighbour discovery that says what cannot be")       \
	X(BAD_IP, "bad_ip", "the IP or L4 headers do not describe a packet")               \
	X(MARTIAN, "martian", "source or destination address cannot be on this network")   \
	X(TTL, "ttl", "its time to live ended at the gateway")                             \
	X(NO_ROUTE, "no_route", "the gateway knows no way to that destination")            \
	X(NETWORKS_APART, "networks_apart", "no route lets this network reach that one")   \
	X(NO_NEIGHBOUR, "no_neighbour", "nobody answers for the next hop, or too many wait") \
	X(MTU, "mtu", "larger than the way out allows, and not to be fragmented")          \
	X(FRAGMENT, "fragment", "a fragment that overlaps, or came too early for too long") \
	X(NO_SERVICE, "no_service", "for the gateway itself, which does not serve that")   \
	X(NAT_NO_SESSION, "nat_no_session", "from outside, and nobody inside asked for it") \
	X(NAT_DENIED, "nat_denied", "the forward does not allow this client")              \
	X(NAT_PROTOCOL, "nat_protocol", "NAT translates TCP, UDP and ICMP")                \
	X(NAT_TCP, "nat_tcp", "a TCP segment that starts no connection and belongs to none") \
	X(NAT_ERROR, "nat_error", "an ICMP error about a packet that never passed")        \
	X(NAT_FULL, "nat_full", "the network has as many sessions as it may")              \
	X(NAT_GUEST_FULL, "nat_guest_full", "the guest has as many sessions as it may")    \
	X(NAT_RATE, "nat_rate", "the guest opens sessions faster than it may")             \
	X(NAT_PORTS, "nat_ports", "no port of the outside address is free")

enum drop {
	DROP_NONE, /* go on */
#define X(symbol, word, text) DROP_##symbol,
	DROP_REASONS(X)
#undef X
		DROP_COUNT,
};

/* The stable word of a reason, "none" for DROP_NONE. */
const char *drop_word(enum drop reason);

/* One line for people. */
const char *drop_text(enum drop reason);

#endif
