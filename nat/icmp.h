/* SPDX-License-Identifier: GPL-2.0-or-later */
/* icmp: errors about packets of sessions, translated with the packet that they hold.  RFC 5508 4, RFC 4443 2.4, RFC 4884. */
#ifndef VFAB_NAT_ICMP_H
#define VFAB_NAT_ICMP_H

#include "nat/nat_internal.h"

/*
 * k is an error (packet_is_error).  NAT_OUT: from inside network *vid, about a packet that came in; NAT_IN: from uplink *vid, or
 * the far network of a routed session, about one that went out.  Rewrites both headers, and *vid is where it goes on.  DROP_NONE;
 * DROP_NAT_ERROR: its checksum is wrong, what it holds is no packet of a session, or is not in the snapshot.
 */
enum drop icmp_error(struct nat *n, struct packet *k, enum nat_way way, uint16_t *vid);

#endif
