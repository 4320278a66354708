/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * session_log: from the ring of the NAT to the log.
 *
 *   nat: office tcp begin 10.10.0.5:4000 as 192.0.2.1:51734
 *   nat: office tcp end 10.10.0.5:4000 as 192.0.2.1:51734 to 198.51.100.7:443
 *
 * The second form is that of `log: destinations`.  A flood of sessions must not become a flood of log: at most LINES_MAX lines
 * a tick are written, and a line says how many were not.
 */
#include "switch/session_log.h"

#include <stdio.h>

#include "switch/base/log.h"
#include "switch/gateway.h"

enum { LINES_MAX = 250, END_TEXT = IP_TEXT + 8 };

static const char *end_text(const struct ip *ip, uint16_t port, char buf[static END_TEXT])
{
	char text[IP_TEXT];

	snprintf(buf, END_TEXT, ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", ip_text(ip, text), port);
	return buf;
}

static const char *network_name(const struct daemon *d, uint16_t vid)
{
	for (size_t i = 0; i < d->conf->n_networks; i++)
		if (d->conf->networks[i].vlan == vid)
			return d->conf->networks[i].name;
	return "?";
}

static void write_line(const struct daemon *d, const struct nat_log_record *r)
{
	char inside[END_TEXT], outside[END_TEXT], remote[END_TEXT];
	const struct nat_entry *e = &r->e;
	bool has_remote = !ip_equal(&e->remote_ip, &(struct ip){0});

	log_info("nat: %s %s %s %s as %s%s%s", network_name(d, e->vid),
		 e->proto == PROTO_TCP	 ? "tcp"
		 : e->proto == PROTO_UDP ? "udp"
					 : "icmp",
		 r->is_end ? "end" : "begin", end_text(&e->inside_ip, e->inside_port, inside),
		 end_text(&e->outside_ip, e->outside_port, outside), has_remote ? " to " : "",
		 has_remote ? end_text(&e->remote_ip, e->remote_port, remote) : "");
}

void session_log_tick(struct daemon *d)
{
	struct nat *nat = gateway_nat(d->gateway);
	struct nat_log_record r;
	uint64_t left_out = 0;
	unsigned n = 0;

	while (nat_log_read(nat, &r)) {
		if (n++ < LINES_MAX)
			write_line(d, &r);
		else
			left_out++;
	}
	if (left_out)
		log_info("nat: %llu sessions more, not logged one by one",
			 (unsigned long long)left_out);
}
