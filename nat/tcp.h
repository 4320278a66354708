/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcp: what the segments of a connection do to its session.  RFC 9293, RFC 5382 REQ-2, RFC 7857 2, the states of RFC 6146 3.5.2. */
#ifndef VFAB_NAT_TCP_H
#define VFAB_NAT_TCP_H

#include "nat/session.h"

/* A SYN, and nothing else that it could mean: it may begin a session. */
bool tcp_begins(const struct packet *k);

/*
 * One segment, before it is rewritten; from: FROM_INSIDE or FROM_OUTSIDE.  Changes s->state and m.  Returns what that means for the
 * time at which the session ends; each segment is translated, whatever it says.
 */
enum tcp_effect {
	TCP_NONE,	/* nothing: an RST, a segment out of the window, a SYN that is not answered yet */
	TCP_REFRESHES,	/* it was seen */
	TCP_SHORTENS,	/* it was seen, and the lifetime became shorter: file it anew */
};
enum tcp_effect tcp_track(struct session *s, struct session_more *m, const struct packet *k, unsigned from);

uint32_t tcp_lifetime(const struct session *s, const struct session_more *m, const struct nat_net *net);

#endif
