/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire6: DHCPv6 messages as bytes: a reader of what clients say, and a writer of what a server answers.
 *
 * What.  The reader checks all of a message at once and copies what the server looks at; an option of which there must be one only
 * and that comes twice, that is shorter than its fields, that reaches over the end of where it lies, or an identity association
 * within another one makes the whole a message that is not read.  RFC 8415 8, 11, 21.
 *
 * Limits.  DHCP6_IAS identity associations, DHCP6_ADDRS addresses in all of them together, a DUID of 3 to DHCP6_DUID_MAX bytes;
 * with more it is not read.
 */
#ifndef VFAB_DHCP_WIRE6_H
#define VFAB_DHCP_WIRE6_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"

enum { DHCP6_IAS = 8, DHCP6_ADDRS = 16, DHCP6_DUID_MAX = 130, DHCP6_LABEL_MAX = 63 };

enum dhcp6_type {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE,
	DHCP6_REQUEST,
	DHCP6_CONFIRM,
	DHCP6_RENEW,
	DHCP6_REBIND,
	DHCP6_REPLY,
	DHCP6_RELEASE,
	DHCP6_DECLINE,
	DHCP6_RECONFIGURE,
	DHCP6_INFORMATION,
};

enum dhcp6_option {
	DHCP6_OPT_CLIENT_ID = 1,
	DHCP6_OPT_SERVER_ID = 2,
	DHCP6_OPT_IA_NA = 3,
	DHCP6_OPT_IA_TA = 4,
	DHCP6_OPT_ADDRESS = 5,
	DHCP6_OPT_ASKED = 6, /* option request */
	DHCP6_OPT_STATUS = 13,
	DHCP6_OPT_RAPID_COMMIT = 14,
	DHCP6_OPT_DNS = 23,
	DHCP6_OPT_SEARCH = 24,
	DHCP6_OPT_IA_PD = 25,
	DHCP6_OPT_FQDN = 39,
	DHCP6_OPT_NTP = 56,
	DHCP6_OPTS = 64, /* what is asked for beyond nobody here has */
};

/* RFC 8415 21.13. */
enum dhcp6_status {
	DHCP6_SUCCESS,
	DHCP6_UNSPEC_FAIL,
	DHCP6_NO_ADDRS_AVAIL,
	DHCP6_NO_BINDING,
	DHCP6_NOT_ON_LINK,
	DHCP6_USE_MULTICAST,
	DHCP6_NO_PREFIX_AVAIL,
};

struct dhcp6_duid {
	uint8_t len; /* 0: none was there */
	uint8_t b[DHCP6_DUID_MAX];
};

/* IA_NA or IA_PD. */
struct dhcp6_ia {
	uint16_t option;
	uint8_t iaid[4];
	uint8_t n; /* addresses; of IA_PD none is read */
	struct ip addr[DHCP6_ADDRS];
};

struct dhcp6_message {
	uint8_t type, xid[3];
	struct dhcp6_duid client, server;
	uint8_t n_ias;
	struct dhcp6_ia ia[DHCP6_IAS];
	bool has_ia; /* of any kind, IA_TA too */
	bool is_rapid;
	uint64_t asked;	  /* a bit for each option below DHCP6_OPTS */
	uint8_t name_len; /* first label of the name that he says he has; 0: none */
	uint8_t name[DHCP6_LABEL_MAX];
};

/* False: it is none, or something in it does not fit; m is of no use then. */
bool dhcp6_read(struct dhcp6_message *m, const uint8_t *bytes, size_t n);
bool dhcp6_is_asked(const struct dhcp6_message *m, enum dhcp6_option option);

/* Writes a message into size bytes; what does not fit makes dhcp6_write_end() return 0. */
struct dhcp6_writer {
	uint8_t *bytes;
	size_t size, n;
	bool is_full;
};
void dhcp6_write_begin(struct dhcp6_writer *w, uint8_t *bytes, size_t size, uint8_t type, const uint8_t xid[static 3]);
void dhcp6_write(struct dhcp6_writer *w, uint16_t option, const void *bytes, size_t n);
/* The same, but left out where there is no room. */
void dhcp6_write_if_fits(struct dhcp6_writer *w, uint16_t option, const void *bytes, size_t n);
void dhcp6_write_status(struct dhcp6_writer *w, enum dhcp6_status status);
void dhcp6_write_address(struct dhcp6_writer *w, const struct ip *ip, uint32_t preferred_s, uint32_t valid_s);
/* Options between these two lie in the identity association; returns where it began. */
size_t dhcp6_open_ia(struct dhcp6_writer *w, const struct dhcp6_ia *ia, uint32_t t1_s, uint32_t t2_s);
void dhcp6_close_ia(struct dhcp6_writer *w, size_t at);
size_t dhcp6_write_end(const struct dhcp6_writer *w); /* bytes of the message */

/* --- Lists of names (RFC 1035 3.1, never compressed: RFC 8415 10) --- */

/* The n characters of text, a domain, as bytes behind the *used ones of out; false: it is none, or there is no room. */
bool dhcp6_put_domain(uint8_t *out, size_t size, size_t *used, const char *text, size_t n);
/* The value of DHCPv4's search option, which may be compressed (RFC 3397), as such a list: its bytes; 0: it is none, or there is
 * no room. */
size_t dhcp6_expand_search(const uint8_t *from, size_t n, uint8_t *out, size_t size);

#endif
