/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_local: the answers that we know ourselves: names and addresses of guests, of the host, of ours, and what must not leave. */
#ifndef VFAB_DHCP_DNS_LOCAL_H
#define VFAB_DHCP_DNS_LOCAL_H

#include "dhcp/dns_name.h"
#include "dhcp/dns_view.h"

struct dns_local {
	const struct dns_scopes *scopes;
	const struct dns_names *names;
	const struct dns_scope *scope; /* the asker's */
	const struct dns_question *q;  /* with hashes */
	struct dns_writer *w;	       /* begun */
};

/* True: answered, *rcode says how, the writer holds the records.  False: not ours to say. */
bool dns_local(const struct dns_local *l, enum dns_rcode *rcode);
/* RFC 8482 4.2: what is said to who asks for any type. */
void dns_local_any(struct dns_writer *w);

#endif
