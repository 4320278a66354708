/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_forward: a static forward as text: [BIND:]PORT[-END]:GUEST:PORT[-END][/tcp|/udp|/both].
 *
 * The grammar is Docker's, with brackets around IPv6.  conf_value.c reads one by it, conf_list.c makes lists of them, vfab's
 * import checks what it translates.  Many spellings are one forward, of which the shortest is kept, so that two
 * texts are equal when their forwards are.
 *
 * Trust.  The text is anybody's; nothing of it is kept but what was parsed and printed again.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "switch/base/units.h"
#include "switch/conf_internal.h"

enum { PARTS = 4, PORTS_TEXT = 12, BIND_TEXT = IP_TEXT + 2 };

struct why {
	char *text;
	size_t size;
};

__attribute__((format(printf, 2, 3))) static bool refuse(const struct why *why, const char *fmt,
							 ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, why->size, fmt, ap);
	va_end(ap);
	return false;
}

/* "8080" or "8080-8089". */
static bool parse_ports(char *text, uint16_t *first, uint16_t *last)
{
	char *dash = strchr(text, '-');
	uint64_t a, b;

	if (dash)
		*dash = '\0';
	if (!units_number(text, 1, UINT16_MAX, &a) ||
	    !units_number(dash ? dash + 1 : text, 1, UINT16_MAX, &b) || b < a)
		return false;
	*first = (uint16_t)a;
	*last = (uint16_t)b;
	return true;
}

/* 10.0.0.5 or [fd00::5]. */
static bool parse_address(char *text, struct ip *ip)
{
	size_t n = strlen(text);

	if (text[0] != '[')
		return ip_parse(text, ip) && ip_is_v4(ip);
	if (n < 2 || text[n - 1] != ']')
		return false;
	text[n - 1] = '\0';
	return ip_parse(text + 1, ip) && !ip_is_v4(ip);
}

static bool parse_word(const char *text, uint8_t *proto)
{
	static const char *const words[] = {
		[FORWARD_TCP] = "tcp", [FORWARD_UDP] = "udp", [FORWARD_TCP | FORWARD_UDP] = "both"};

	for (*proto = FORWARD_TCP; *proto <= (FORWARD_TCP | FORWARD_UDP); (*proto)++)
		if (!strcmp(text, words[*proto]))
			return true;
	return false;
}

/* Cuts the protocol off; tcp when there is none. */
static bool parse_proto(char *text, uint8_t *proto)
{
	char *slash = strrchr(text, '/');

	if (slash)
		*slash = '\0';
	return parse_word(slash ? slash + 1 : "tcp", proto);
}

static const char *proto_word(const struct conf_forward *f)
{
	return f->proto == FORWARD_TCP ? "tcp" : f->proto == FORWARD_UDP ? "udp" : "both";
}

static const char *address_text(const struct ip *ip, char buf[static BIND_TEXT])
{
	char text[IP_TEXT];

	snprintf(buf, BIND_TEXT, ip_is_v4(ip) ? "%s" : "[%s]", ip_text(ip, text));
	return buf;
}

static const char *ports_text(unsigned first, unsigned last, char buf[static PORTS_TEXT])
{
	snprintf(buf, PORTS_TEXT, first == last ? "%u" : "%u-%u", first & 0xffff, last & 0xffff);
	return buf;
}

static void put_spec(struct conf_forward *f)
{
	char bind[BIND_TEXT], guest[BIND_TEXT], ports[PORTS_TEXT], guest_ports[PORTS_TEXT];

	snprintf(f->spec, sizeof(f->spec), "%s%s%s:%s:%s%s%s",
		 f->has_bind ? address_text(&f->bind, bind) : "", f->has_bind ? ":" : "",
		 ports_text(f->first, f->last, ports), address_text(&f->guest, guest),
		 ports_text(f->guest_first, f->guest_first + (f->last - f->first), guest_ports),
		 f->proto == FORWARD_TCP ? "" : "/", f->proto == FORWARD_TCP ? "" : proto_word(f));
}

/* The unspecified address of a family, which binds to every address. */
static bool is_any(const struct ip *ip)
{
	static const struct ip any6, any4 = {.b = {[10] = 0xff, [11] = 0xff}};

	return ip_equal(ip, &any4) || ip_equal(ip, &any6);
}

/* A forward to a multicast or an unspecified address would be one to nobody; a bind may be loopback. */
static bool is_station(const struct ip *ip)
{
	return !is_any(ip) && (ip_is_v4(ip) ? ip->b[12] && ip->b[12] < 224 : ip->b[0] != 0xff);
}

static bool check(const struct conf_forward *f, const char *shown, uint16_t guest_last,
		  const struct why *why)
{
	if (f->has_bind && ip_is_v4(&f->bind) != ip_is_v4(&f->guest))
		return refuse(why, "forward \"%s\": one address is IPv4 and the other IPv6", shown);
	if (f->has_bind && !is_any(&f->bind) && !is_station(&f->bind))
		return refuse(why, "forward \"%s\": no host has the address that it is bound to",
			      shown);
	if (!is_station(&f->guest))
		return refuse(why, "forward \"%s\": the guest is not the address of a host", shown);
	if (f->last - f->first != guest_last - f->guest_first)
		return refuse(why, "forward \"%s\": %d ports outside and %d inside", shown,
			      f->last - f->first + 1, guest_last - f->guest_first + 1);
	return true;
}

bool conf_forward_parse(const char *text, struct conf_forward *out, char *why, size_t why_size)
{
	char copy[CONF_SPEC_SIZE], shown[CONF_QUOTE], *part[PARTS];
	struct why w = {why, why_size};
	struct conf_forward f = {0};
	uint16_t guest_last = 0;
	unsigned n;

	conf_quote(text, shown);
	if (strlen(text) >= sizeof(copy))
		return refuse(&w, "forward \"%s\" is longer than %d characters", shown,
			      CONF_SPEC_SIZE - 1);
	memcpy(copy, text, strlen(text) + 1);
	if (!parse_proto(copy, &f.proto))
		return refuse(&w, "forward \"%s\" ends in none of /tcp, /udp, /both", shown);
	n = units_split(copy, ':', part, PARTS);
	if (n < PARTS - 1 || n > PARTS)
		return refuse(&w,
			      "forward \"%s\" is not [BIND:]PORT[-END]:GUEST:PORT[-END][/tcp|/udp|"
			      "/both]%s",
			      shown, n > PARTS ? "; IPv6 goes in brackets" : "");
	f.has_bind = n == PARTS;
	if (f.has_bind && !parse_address(part[0], &f.bind))
		return refuse(&w, "forward \"%s\": BIND is no address such as 192.0.2.1 or [::1]",
			      shown);
	if (!parse_ports(part[n - 3], &f.first, &f.last) ||
	    !parse_ports(part[n - 1], &f.guest_first, &guest_last))
		return refuse(&w,
			      "forward \"%s\": ports are numbers from 1 to 65535, or ranges such "
			      "as 2200-2209",
			      shown);
	if (!parse_address(part[n - 2], &f.guest))
		return refuse(&w,
			      "forward \"%s\": GUEST is no address such as 10.0.0.5 or [fd00::5]",
			      shown);
	if (!check(&f, shown, guest_last, &w))
		return false;
	if (f.has_bind && is_any(&f.bind)) {
		f.has_bind = false;
		f.bind = (struct ip){0};
	}
	put_spec(&f);
	*out = f;
	return true;
}

const char *conf_forward_id(const char *network, const struct conf_forward *f,
			    char buf[static CONF_SPEC_SIZE])
{
	const char *any = ip_is_v4(&f->guest) ? "0.0.0.0" : "[::]";
	char bind[BIND_TEXT];

	snprintf(buf, CONF_SPEC_SIZE, "%.63s/%s/%s:%u", network, proto_word(f),
		 f->has_bind ? address_text(&f->bind, bind) : any, f->first);
	return buf;
}

bool conf_forward_parse_id(const char *text, struct conf_forward *out)
{
	char copy[CONF_SPEC_SIZE], *slash, *colon;
	struct conf_forward f = {.has_bind = true};

	if (strlen(text) >= sizeof(copy))
		return false;
	memcpy(copy, text, strlen(text) + 1);
	slash = strchr(copy, '/');
	colon = strrchr(copy, ':');
	if (!slash || !colon || colon < slash)
		return false;
	*slash = *colon = '\0';
	if (!parse_word(copy, &f.proto) || !parse_address(slash + 1, &f.bind) ||
	    !parse_ports(colon + 1, &f.first, &f.last))
		return false;
	f.guest = f.bind;
	if (is_any(&f.bind))
		f.has_bind = false;
	*out = f;
	return true;
}

bool conf_forward_is(const struct conf_forward *a, const struct conf_forward *b)
{
	return a->proto == b->proto && a->first == b->first && a->has_bind == b->has_bind &&
	       (a->has_bind ? ip_equal(&a->bind, &b->bind)
			    : ip_is_v4(&a->guest) == ip_is_v4(&b->guest));
}
