/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr: MAC and IP addresses, and their text.  One type serves IPv4 and IPv6. */
#ifndef VFAB_BASE_ADDR_H
#define VFAB_BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mac {
	uint8_t b[6];
};

enum { MAC_TEXT = 18, IP_TEXT = 46, PREFIX_TEXT = 50 };

/* IPv4 is kept mapped (::ffff:a.b.c.d, RFC 4291 2.5.5.2), so one comparison serves both. */
struct ip {
	uint8_t b[16];
};

/* An address with the length of its network, counted in its own family (0-32 or 0-128). */
struct prefix {
	struct ip ip;
	uint8_t len;
	bool is_set;
};

bool mac_parse(const char *text, struct mac *mac);               /* aa:bb:cc:dd:ee:ff */
const char *mac_text(const struct mac *mac, char buf[static MAC_TEXT]);
bool mac_is_zero(const struct mac *mac);
bool mac_is_group(const struct mac *mac);

/* 10.0.0.1 or fd00::1; an IPv4 address in the clothes of IPv6 (::ffff:10.0.0.1) is refused. */
bool ip_parse(const char *text, struct ip *ip);
const char *ip_text(const struct ip *ip, char buf[static IP_TEXT]);
bool ip_is_v4(const struct ip *ip);
bool ip_equal(const struct ip *a, const struct ip *b);

/* "10.0.0.5/24": the address keeps its host bits.  False on bad text or length. */
bool prefix_parse(const char *text, struct prefix *p);
const char *prefix_text(const struct prefix *p, char buf[static PREFIX_TEXT]);
bool prefix_holds(const struct prefix *p, const struct ip *ip);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
/* The network's first host address: 10.0.0.0/24 -> 10.0.0.1; its lowest one when it has two or one (RFC 3021). */
struct ip prefix_first(const struct prefix *p);

#endif
