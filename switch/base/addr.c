/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr: MAC addresses, IP addresses and prefixes, and their text.
 *
 * Used by the configuration, the control protocol and the gateway.  IPv4 addresses are kept mapped
 * into IPv6 (RFC 4291 2.5.5.2), so that one comparison and one prefix match serve both families;
 * only text and the length of a prefix know the difference.
 *
 * Trust.  The text is an operator's, a file's or a client's: each parser takes a NUL-terminated
 * string of any length and content, and writes its result only when the whole of it is right.
 */
#include "switch/base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "switch/base/units.h"

/* What an IPv4 address starts with when it is mapped. */
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

enum { MAPPED_BITS = sizeof(mapped) * 8 };

/* The value of one hexadecimal digit, or -1. */
static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool mac_parse(const char *text, struct mac *mac)
{
	struct mac m;
	int hi, lo, i;

	/* Two digits each, as everything prints them: 2:0:0:... would be a second spelling. */
	for (i = 0; i < 6; i++, text += 3) {
		hi = hex_digit(text[0]);
		if (hi < 0)
			return false;
		lo = hex_digit(text[1]);
		if (lo < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return false;
		m.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*mac = m;
	return true;
}

const char *mac_text(const struct mac *mac, char buf[static MAC_TEXT])
{
	static const char digit[] = "0123456789abcdef";
	char *to = buf;

	for (unsigned i = 0; i < sizeof(mac->b); i++) {
		*to++ = digit[mac->b[i] >> 4];
		*to++ = digit[mac->b[i] & 15];
		*to++ = i + 1 < sizeof(mac->b) ? ':' : '\0';
	}
	return buf;
}

bool mac_is_zero(const struct mac *mac)
{
	static const struct mac zero;

	return memcmp(mac, &zero, sizeof(zero)) == 0;
}

bool mac_is_group(const struct mac *mac)
{
	return mac->b[0] & 1;
}

bool ip_parse(const char *text, struct ip *ip)
{
	struct ip a;

	memcpy(a.b, mapped, sizeof(mapped));
	if (inet_pton(AF_INET, text, a.b + sizeof(mapped)) == 1) {
		*ip = a;
		return true;
	}
	/* ::ffff:10.0.0.1 would be taken for IPv4 from here on: a second spelling, refused. */
	if (inet_pton(AF_INET6, text, a.b) != 1 || ip_is_v4(&a))
		return false;
	*ip = a;
	return true;
}

/* A byte in decimal; returns its end. */
static char *put_byte(char *to, unsigned byte)
{
	if (byte >= 100)
		*to++ = (char)('0' + byte / 100);
	if (byte >= 10)
		*to++ = (char)('0' + byte / 10 % 10);
	*to++ = (char)('0' + byte % 10);
	return to;
}

const char *ip_text(const struct ip *ip, char buf[static IP_TEXT])
{
	char *to = buf;

	/* By hand: each answer of DHCP has addresses in its line of the journal, and inet_ntop() prints them by printf(). */
	for (unsigned i = sizeof(mapped); i < sizeof(ip->b) && ip_is_v4(ip); i++) {
		to = put_byte(to, ip->b[i]);
		*to++ = i + 1 < sizeof(ip->b) ? '.' : '\0';
	}
	if (to == buf)
		inet_ntop(AF_INET6, ip->b, buf, IP_TEXT);
	return buf;
}

bool ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->b, mapped, sizeof(mapped)) == 0;
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* How many leading bits of the 128 belong to the network. */
static unsigned prefix_bits(const struct prefix *p)
{
	return ip_is_v4(&p->ip) ? MAPPED_BITS + p->len : p->len;
}

static bool same_bits(const struct ip *a, const struct ip *b, unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;

	if (memcmp(a->b, b->b, bytes) != 0)
		return false;
	return rest == 0 || (a->b[bytes] ^ b->b[bytes]) >> (8 - rest) == 0;
}

bool prefix_parse(const char *text, struct prefix *p)
{
	const char *slash = strchr(text, '/');
	char addr[IP_TEXT];
	struct ip ip;
	uint64_t len;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return false;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (!ip_parse(addr, &ip) || !units_number(slash + 1, 0, ip_is_v4(&ip) ? 32 : 128, &len))
		return false;
	*p = (struct prefix){.ip = ip, .len = (uint8_t)len, .is_set = true};
	return true;
}

const char *prefix_text(const struct prefix *p, char buf[static PREFIX_TEXT])
{
	char addr[IP_TEXT];

	snprintf(buf, PREFIX_TEXT, "%s/%u", ip_text(&p->ip, addr), p->len);
	return buf;
}

bool prefix_holds(const struct prefix *p, const struct ip *ip)
{
	/* ::/0 holds every IPv6 address and, though their mapped form matches, no IPv4 one. */
	if (!p->is_set || ip_is_v4(&p->ip) != ip_is_v4(ip))
		return false;
	return same_bits(&p->ip, ip, prefix_bits(p));
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	if (!a->is_set || !b->is_set)
		return false;
	return a->len < b->len ? prefix_holds(a, &b->ip) : prefix_holds(b, &a->ip);
}

struct ip prefix_first(const struct prefix *p)
{
	unsigned bits = prefix_bits(p), i;
	struct ip ip = p->ip;

	assert(bits <= 128);
	for (i = bits; i < 128; i++)
		ip.b[i / 8] &= (uint8_t) ~(0x80 >> i % 8);
	/* Two addresses or one: all of them are hosts (RFC 3021, RFC 6164). */
	if (bits < 127)
		ip.b[15] |= 1;
	return ip;
}
