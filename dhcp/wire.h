/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire: DHCP messages as bytes: a reader and a writer, shared by the client and the server.
 *
 * What.  A message is the payload of one UDP datagram: the fields of BOOTP, a cookie, and options.  The reader checks all of
 * it at once and copies; afterwards no getter can read beyond anything.  Options in the fields `file` and `sname` (overload),
 * and those that came in several pieces, are joined (RFC 3396).  RFC 2131 2 to 4.1, RFC 2132.
 *
 * Addresses are 0.0.0.0 in struct ip (mapped) where a field is empty.
 */
#ifndef VFAB_DHCP_WIRE_H
#define VFAB_DHCP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/addr.h"

enum {
	DHCP_SERVER_PORT = 67,
	DHCP_CLIENT_PORT = 68,
	DHCP_FIXED_BYTES = 236,				/* of BOOTP */
	DHCP_OPTIONS_AT = DHCP_FIXED_BYTES + 4,		/* behind the cookie */
	DHCP_MIN_BYTES = 300,				/* BOOTP's; what is written is padded to it */
	DHCP_MAX_BYTES = 1472,				/* of what is read or written: one Ethernet frame */
	DHCP_FRAME_MAX = 14 + 20 + 8 + DHCP_MAX_BYTES, /* with Ethernet, IPv4 and UDP */
};

enum dhcp_op { DHCP_REQUEST_OP = 1, DHCP_REPLY_OP = 2 };
enum { DHCP_BROADCAST = 0x8000 }; /* flags: the client cannot take unicast yet */

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
};

enum dhcp_option {
	DHCP_OPT_PAD = 0,
	DHCP_OPT_MASK = 1,
	DHCP_OPT_ROUTER = 3,
	DHCP_OPT_DNS = 6,
	DHCP_OPT_HOST_NAME = 12,
	DHCP_OPT_DOMAIN = 15,
	DHCP_OPT_MTU = 26,
	DHCP_OPT_BROADCAST = 28,
	DHCP_OPT_VENDOR_INFO = 43,
	DHCP_OPT_ADDRESS = 50, /* that the client asks for */
	DHCP_OPT_LEASE = 51,
	DHCP_OPT_OVERLOAD = 52,
	DHCP_OPT_TYPE = 53,
	DHCP_OPT_SERVER = 54,
	DHCP_OPT_PARAMETERS = 55,
	DHCP_OPT_MESSAGE = 56,
	DHCP_OPT_MAX_SIZE = 57,
	DHCP_OPT_T1 = 58,
	DHCP_OPT_T2 = 59,
	DHCP_OPT_VENDOR = 60, /* what the client is; RFC 2132 9.13 */
	DHCP_OPT_CLIENT_ID = 61,
	DHCP_OPT_TFTP_SERVER = 66,
	DHCP_OPT_BOOT_FILE = 67,
	DHCP_OPT_FQDN = 81,    /* RFC 4702 */
	DHCP_OPT_RELAY = 82,   /* RFC 3046 */
	DHCP_OPT_ARCH = 93,    /* RFC 4578 */
	DHCP_OPT_SEARCH = 119, /* RFC 3397 */
	DHCP_OPT_ROUTES = 121, /* RFC 3442 */
	DHCP_OPT_TFTP_SERVERS = 150, /* RFC 5859 */
	DHCP_OPT_END = 255,
};

/* The fields of BOOTP.  htype is Ethernet. */
struct dhcp_header {
	uint8_t op, hops;
	uint16_t secs, flags;
	uint32_t xid;
	struct ip ciaddr, yiaddr, siaddr, giaddr;
	struct mac chaddr;
};

/* A message that was read. */
struct dhcp_message {
	struct dhcp_header h;
	uint8_t type; /* enum dhcp_type; 0: BOOTP, without that option */
	uint16_t at[256], len[256];	/* of each option: its place in value, and its bytes */
	uint8_t has[256 / 8];		/* a bit for each: it is there, may it be empty */
	uint8_t value[DHCP_MAX_BYTES];
};

/* False: not a DHCP message of an Ethernet client, or something in it does not fit; m is of no use then. */
bool dhcp_read(struct dhcp_message *m, const uint8_t *bytes, size_t n);

/* The bytes of an option, NULL: there is none. */
const uint8_t *dhcp_get(const struct dhcp_message *m, uint8_t option, uint16_t *len);
/* False: there is none, or it is not of that size; *out stays. */
bool dhcp_get_u16(const struct dhcp_message *m, uint8_t option, uint16_t *out);
bool dhcp_get_u32(const struct dhcp_message *m, uint8_t option, uint32_t *out);
/* Up to max addresses of a list (RFC 2132: a multiple of four bytes); returns how many. */
unsigned dhcp_get_ips(const struct dhcp_message *m, uint8_t option, struct ip *out, unsigned max);

/* The two fields of BOOTP that hold a name, or options where there are more of them than room (RFC 2132 9.3). */
enum dhcp_field { DHCP_FILE, DHCP_SNAME };
enum { DHCP_FIELDS = 2 };

/* Writes a message into size bytes; what does not fit makes dhcp_write_end() return 0. */
struct dhcp_writer {
	uint8_t *bytes;
	size_t size, n;
	uint8_t over[DHCP_FIELDS]; /* bytes of options in each field */
	bool is_full;
};
void dhcp_write_begin(struct dhcp_writer *w, uint8_t *bytes, size_t size, const struct dhcp_header *h, enum dhcp_type type);
/* Options over 255 bytes go out in pieces (RFC 3396). */
void dhcp_write(struct dhcp_writer *w, uint8_t option, const void *bytes, size_t n);
void dhcp_write_u16(struct dhcp_writer *w, uint8_t option, uint16_t v);
void dhcp_write_u32(struct dhcp_writer *w, uint8_t option, uint32_t v);
void dhcp_write_ip(struct dhcp_writer *w, uint8_t option, const struct ip *ip);
/* What an option of n bytes takes with its code and length, in all its pieces. */
size_t dhcp_option_bytes(size_t n);
/* The text of a field; false: it does not fit, and the field stays empty. */
bool dhcp_write_field(struct dhcp_writer *w, enum dhcp_field field, const void *text, size_t n);
/* An option into a field, whole, and the field has no text; false: neither has room. */
bool dhcp_write_over(struct dhcp_writer *w, uint8_t option, const void *bytes, size_t n);
/* Option 52, if any option went into a field: DHCP_OVERLOAD_BYTES.  Once, after the last of them. */
enum { DHCP_OVERLOAD_BYTES = 3 };
void dhcp_write_overload(struct dhcp_writer *w);
size_t dhcp_write_end(struct dhcp_writer *w); /* bytes of the message */

/* The whole Ethernet frame around a payload of n bytes (IPv4, UDP, both checksums): its bytes.  n is at most DHCP_MAX_BYTES. */
struct dhcp_ends {
	struct mac src_mac, dst_mac;
	struct ip src, dst;
	uint16_t sport, dport;
};
size_t dhcp_frame(uint8_t frame[static DHCP_FRAME_MAX], const struct dhcp_ends *e, const uint8_t *payload, size_t n);

struct ip dhcp_ip(const uint8_t b[static 4]); /* mapped */
bool dhcp_ip_is_zero(const struct ip *ip);
/* Can one station have that address: not 0/8, 127/8, or from 224 on. */
bool dhcp_ip_is_unicast(const struct ip *ip);

#endif
