/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_dhcp: what a network serves, and the texts of addresses and names: ranges, client ids, names of hosts, domains, servers.
 *
 * conf_value.c comes here for the values, whoever serves a network for what follows from them: the range that it gives out
 * where none is named, its zone.  conf_merge_dhcp.c makes the lists, conf_check_dhcp.c judges them.
 *
 * RFC 1035 2.3.1 and RFC 1123 2.1 (names of hosts), RFC 2132 9.14 (client identifier), RFC 8415 11 (DUID).
 *
 * Trust.  Texts are anybody's; what is kept is what was parsed, in one spelling: names in lower case, no dot at the end.
 */
#include "switch/conf_dhcp.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/units.h"
#include "switch/conf_names.h"

enum { CLIENT_ID_MIN = 2 /* RFC 2132 9.14 */, DNS_PORT = 53, HALF = UINT8_MAX / 2 + 1 };

static_assert(offsetof(struct conf_dhcp, last) ==
			      offsetof(struct conf_dhcp, first) + sizeof(struct ip) &&
		      offsetof(struct conf_dhcp, last6) ==
			      offsetof(struct conf_dhcp, first6) + sizeof(struct ip),
	      "a range is two addresses, one after the other");

__attribute__((format(printf, 2, 3))) static bool refuse(char why[static CONF_WHY], const char *fmt,
							 ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, CONF_WHY, fmt, ap);
	va_end(ap);
	return false;
}

/* --- What a network serves --- */

static bool is_set(const struct ip *ip)
{
	static const struct ip none;

	return !ip_equal(ip, &none);
}

/* The bits of host of p, all as in `bits` from the first of them on and then as in fill. */
static struct ip host_bits(const struct prefix *p, bool first_bit, bool fill)
{
	unsigned from = ip_is_v4(&p->ip) ? 96u + p->len : p->len;
	struct ip ip = p->ip;

	for (unsigned i = from; i < 128; i++)
		if (i == from ? first_bit : fill)
			ip.b[i / 8] |= (uint8_t)(HALF >> i % 8);
	return ip;
}

/* The upper half without the broadcast address; of two hosts the one that is not the gateway. */
static void default_range(const struct conf_network *n, struct ip *first, struct ip *last)
{
	struct ip gateway;

	*first = host_bits(&n->ipv4, true, false);
	*last = host_bits(&n->ipv4, true, true);
	last->b[15] &= 0xfe;
	if (ip_equal(first, last) && conf_network_gateway(n, &gateway) &&
	    ip_equal(first, &gateway)) {
		*first = prefix_first(&n->ipv4);
		*last = *first;
	}
}

bool conf_network_dhcp(const struct conf_network *n, struct ip *first, struct ip *last)
{
	bool is_here = n->mode == NET_INTERNAL ? n->dhcp.is_asked : n->mode != NET_BRIDGED;

	if (!is_here || n->dhcp.is_off || !n->ipv4.is_set)
		return false;
	default_range(n, first, last);
	if (is_set(&n->dhcp.first)) {
		*first = n->dhcp.first;
		*last = n->dhcp.last;
	}
	return true;
}

enum conf_dhcp6 conf_network_dhcp6(const struct conf_network *n, struct ip *first, struct ip *last)
{
	/* In a host-only network it is the host's kernel that is the router, or is not. */
	bool is_here = n->mode == NET_NAT || (n->mode == NET_INTERNAL && n->dhcp.is_asked);

	if (!is_here || n->dhcp.is_off || !n->ipv6.is_set || n->dhcp.ipv6 == CONF_DHCP6_OFF)
		return CONF_DHCP6_OFF;
	if (is_set(&n->dhcp.first6)) {
		*first = n->dhcp.first6;
		*last = n->dhcp.last6;
	} else if (n->ipv6.len > 96) {
		*first = host_bits(&n->ipv6, true, false);
		*last = host_bits(&n->ipv6, true, true);
	} else {
		struct prefix low = {.ip = n->ipv6.ip, .len = 96};

		*first = n->ipv6.ip;
		first->b[12] = 0x10;
		*last = host_bits(&low, true, true);
	}
	return (enum conf_dhcp6)n->dhcp.ipv6;
}

bool conf_network_dns(const struct conf_network *n)
{
	struct ip first, last, gateway;

	if (!conf_network_dhcp(n, &first, &last) &&
	    conf_network_dhcp6(n, &first, &last) == CONF_DHCP6_OFF)
		return false;
	for (unsigned i = 0; i < n->n_dns; i++) {
		bool is_ours = conf_network_gateway(n, &gateway) && ip_equal(&gateway, &n->dns[i]);

		gateway = n->ipv6.is_set ? prefix_first(&n->ipv6) : gateway;
		if (is_ours || (n->ipv6.is_set && ip_equal(&gateway, &n->dns[i])))
			return true;
	}
	return !n->n_dns;
}

const char *conf_network_zone(const struct conf_network *n, char buf[static CONF_DOMAIN_SIZE])
{
	char label[CONF_LABEL_SIZE];
	size_t used = 0;

	if (n->domain[0]) {
		snprintf(buf, CONF_DOMAIN_SIZE, "%s", n->domain);
		return buf;
	}
	for (const char *p = n->name; *p && used < sizeof(label) - 1; p++) {
		unsigned char c = (unsigned char)*p;

		if (isalnum(c) || used)
			label[used++] = isalnum(c) ? (char)tolower(c) : '-';
	}
	while (used && label[used - 1] == '-')
		used--;
	label[used] = 0;
	snprintf(buf, CONF_DOMAIN_SIZE, "%s.vfab", used ? label : "net");
	return buf;
}

/* --- Values --- */

/* Letters, digits and hyphens, neither first nor last a hyphen; in lower case into out. */
static bool label_parse(const char *text, size_t n, char *out)
{
	if (!n || n >= CONF_LABEL_SIZE || text[0] == '-' || text[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x80 || (!isalnum(c) && c != '-'))
			return false;
		out[i] = (char)tolower(c);
	}
	return true;
}

bool conf_label_parse(const char *text, char out[static CONF_LABEL_SIZE], char why[static CONF_WHY])
{
	char label[CONF_LABEL_SIZE] = "", quoted[CONF_QUOTE];

	if (!label_parse(text, strlen(text), label))
		return refuse(why,
			      "name \"%s\" must be 1 to %d letters, digits and \"-\", with no "
			      "\"-\" at either end",
			      conf_quote(text, quoted), CONF_LABEL_SIZE - 1);
	memcpy(out, label, sizeof(label));
	return true;
}

bool conf_domain_parse(const char *text, char out[static CONF_DOMAIN_SIZE],
		       char why[static CONF_WHY])
{
	char name[CONF_DOMAIN_SIZE] = "", quoted[CONF_QUOTE];
	size_t n = strlen(text), part, at = 0;
	const char *last = text;

	if (n && text[n - 1] == '.')
		n--;
	if (!n || n >= CONF_DOMAIN_SIZE)
		return refuse(why, "domain \"%s\" must have 1 to %d characters",
			      conf_quote(text, quoted), CONF_DOMAIN_SIZE - 1);
	for (; at < n; at += part + 1) {
		last = text + at;
		part = strcspn(last, ".");
		part = part < n - at ? part : n - at;
		/* "a." has one label, "a.." has an empty one. */
		if (!label_parse(last, part, name + at) || (part < n - at && at + part + 1 == n))
			return refuse(why,
				      "domain \"%s\" must be labels of 1 to %d letters, digits and "
				      "\"-\", with dots between them",
				      conf_quote(text, quoted), CONF_LABEL_SIZE - 1);
		if (at + part < n)
			name[at + part] = '.';
	}
	part = (size_t)(text + n - last);
	if (strspn(last, "0123456789") >= part)
		return refuse(why, "domain \"%s\" ends with a number, as an address does",
			      conf_quote(text, quoted));
	memcpy(out, name, sizeof(name));
	return true;
}

static int hex_value(char c)
{
	const char *digits = "0123456789abcdef",
		   *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

size_t conf_hex_parse(const char *text, uint8_t *out, size_t max)
{
	bool has_colons = strlen(text) > 2 && text[2] == ':';
	size_t n = 0;

	for (; *text; n++) {
		int high = hex_value(text[0]), low = high < 0 ? -1 : hex_value(text[1]);

		if (low < 0 || n == max)
			return 0;
		out[n] = (uint8_t)(high << 4 | low);
		text += 2;
		if (has_colons && *text && (*text++ != ':' || !*text))
			return 0;
	}
	return n;
}

void conf_hex_print(const uint8_t *bytes, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		out += sprintf(out, i ? ":%02x" : "%02x", bytes[i]);
	*out = 0;
}

static bool client_id_parse(const char *text, struct conf_reservation *r, char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE];
	uint8_t id[CONF_CLIENT_ID_SIZE] = {0};
	size_t n = conf_hex_parse(text, id, sizeof(id));

	if (n < CLIENT_ID_MIN)
		return refuse(
			why,
			"client-id must be %d to %d bytes in hex such as 01:02:00:00:00:00:0a, "
			"not \"%s\"",
			CLIENT_ID_MIN, CONF_CLIENT_ID_SIZE, conf_quote(text, quoted));
	memcpy(r->client_id, id, sizeof(id));
	r->client_id_len = (uint8_t)n;
	return true;
}

/* FIRST-LAST, both of that family. */
static bool range_parse(const struct conf_key *key, const char *text, struct ip range[2],
			char why[static CONF_WHY])
{
	bool is_v4 = key->type == CONF_RANGE4;
	char first[IP_TEXT], quoted[CONF_QUOTE];
	size_t dash = strcspn(text, "-");
	struct ip ip[2];

	snprintf(first, sizeof(first), "%.*s", (int)(dash < IP_TEXT ? dash : 0), text);
	if (!text[dash] || !ip_parse(first, &ip[0]) || !ip_parse(text + dash + 1, &ip[1]) ||
	    ip_is_v4(&ip[0]) != is_v4 || ip_is_v4(&ip[1]) != is_v4)
		return refuse(why, "%s must be two addresses such as %s, not \"%s\"", key->name,
			      is_v4 ? "10.10.0.100-10.10.0.199" : "fd00::1000-fd00::1fff",
			      conf_quote(text, quoted));
	if (memcmp(&ip[1], &ip[0], sizeof(ip[0])) < 0)
		return refuse(why, "%s \"%s\" ends before it starts", key->name,
			      conf_quote(text, quoted));
	memcpy(range, ip, sizeof(ip));
	return true;
}

static bool vendor_parse(const char *text, char out[static CONF_VENDOR_SIZE],
			 char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE];
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			n = 0;
	if (!n || n >= CONF_VENDOR_SIZE)
		return refuse(why, "vendor \"%s\" must be 1 to %d printable ASCII characters",
			      conf_quote(text, quoted), CONF_VENDOR_SIZE - 1);
	memset(out, 0, CONF_VENDOR_SIZE);
	memcpy(out, text, n);
	return true;
}

bool conf_dhcp_value(const struct conf_key *key, const char *text, void *object,
		     char why[static CONF_WHY])
{
	void *field = conf_field(object, key->at);

	switch (key->type) {
	case CONF_LABEL:
		return conf_label_parse(text, field, why);
	case CONF_DOMAIN:
		return conf_domain_parse(text, field, why);
	case CONF_VENDOR:
		return vendor_parse(text, field, why);
	case CONF_CLIENT_ID:
		return client_id_parse(text, object, why);
	default:
		return range_parse(key, text, field, why);
	}
}

/* An address that a name server may have: the host's own resolver listens at 127.0.0.53. */
static bool is_server(const struct ip *ip)
{
	static const struct ip any6;

	if (ip_is_v4(ip))
		return ip->b[12] && ip->b[12] < 224;
	/* Link-local ones would need an interface. */
	return !ip_equal(ip, &any6) && ip->b[0] != 0xff &&
	       !(ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80);
}

bool conf_server_parse(const char *text, struct conf_server *out, char why[static CONF_WHY])
{
	char copy[PREFIX_TEXT + 8], quoted[CONF_QUOTE], *address = copy, *end = NULL;
	struct conf_server s = {.port = DNS_PORT};
	uint64_t port = DNS_PORT;
	bool ok = strlen(text) < sizeof(copy);

	snprintf(copy, sizeof(copy), "%s", text);
	if (ok && copy[0] == '[') {
		address = copy + 1;
		end = strchr(copy, ']');
		ok = end && (!end[1] || end[1] == ':');
	} else if (strchr(copy, ':') == strrchr(copy, ':')) {
		end = strchr(copy, ':');
	}
	if (ok && end) {
		char *colon = *end == ']' && end[1] ? end + 1 : end;

		ok = *colon != ':' || units_number(colon + 1, 1, UINT16_MAX, &port);
		*end = 0;
	}
	if (!ok || !ip_parse(address, &s.ip) || (copy[0] == '[' && ip_is_v4(&s.ip)))
		return refuse(why,
			      "a name server must be an address such as 192.0.2.53, "
			      "192.0.2.53:5353 or [2001:db8::53]:5353, not \"%s\"",
			      conf_quote(text, quoted));
	if (!is_server(&s.ip))
		return refuse(why, "\"%s\" is not the address of a name server",
			      conf_quote(text, quoted));
	s.port = (uint16_t)port;
	*out = s;
	return true;
}

const char *conf_server_text(const struct conf_server *s, char buf[static CONF_SERVER_TEXT])
{
	char ip[IP_TEXT];
	bool is_v4 = ip_is_v4(&s->ip);

	ip_text(&s->ip, ip);
	if (s->port == DNS_PORT)
		snprintf(buf, CONF_SERVER_TEXT, "%s", ip);
	else
		snprintf(buf, CONF_SERVER_TEXT, is_v4 ? "%s:%u" : "[%s]:%u", ip, s->port);
	return buf;
}

/* --- Life --- */

static void *copy_array(const void *from, size_t n, size_t size, bool *ok)
{
	void *to = *ok && n ? malloc(n * size) : NULL;

	if (to)
		memcpy(to, from, n * size);
	*ok = *ok && (to || !n);
	return to;
}

void conf_options_fini(struct conf_options *o)
{
	free(o->list);
	*o = (struct conf_options){0};
}

static void copy_options(struct conf_options *o, bool *ok)
{
	o->list = copy_array(o->list, o->n, sizeof(*o->list), ok);
	o->n = o->list ? o->n : 0;
}

void conf_dhcp_fini(struct conf_dhcp *d)
{
	for (size_t i = 0; i < d->n_classes; i++)
		conf_options_fini(&d->classes[i].options);
	for (size_t i = 0; i < d->n_reservations; i++)
		conf_options_fini(&d->reservations[i].options);
	conf_options_fini(&d->options);
	free(d->classes);
	free(d->reservations);
	d->classes = NULL;
	d->reservations = NULL;
	d->n_classes = d->n_reservations = 0;
}

bool conf_dhcp_copy(struct conf_dhcp *d, bool ok)
{
	d->classes = copy_array(d->classes, d->n_classes, sizeof(*d->classes), &ok);
	d->n_classes = d->classes ? d->n_classes : 0;
	d->reservations =
		copy_array(d->reservations, d->n_reservations, sizeof(*d->reservations), &ok);
	d->n_reservations = d->reservations ? d->n_reservations : 0;
	copy_options(&d->options, &ok);
	for (size_t i = 0; i < d->n_classes; i++)
		copy_options(&d->classes[i].options, &ok);
	for (size_t i = 0; i < d->n_reservations; i++)
		copy_options(&d->reservations[i].options, &ok);
	return ok;
}

bool conf_dns_copy(struct conf_dns *d)
{
	bool ok = true;

	d->domains = copy_array(d->domains, d->n_domains, sizeof(*d->domains), &ok);
	d->n_domains = d->domains ? d->n_domains : 0;
	return ok;
}
