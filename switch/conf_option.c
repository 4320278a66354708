/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_option: an option of DHCPv4 between the text of a configuration and its bytes: by a name of the table below, or by its
 * number with "hex:", "text:" or "ip:" in front of the value.
 *
 * conf_merge_dhcp.c reads options by it and conf_print_dhcp.c prints them; the servers send the bytes as they are.  Names are
 * those that users of dnsmasq and of VirtualBox's server look for.  A value has one canonical text; a number keeps the form in
 * which it was given.  What the server itself has to say - identity, times, what it echoes - cannot be set; nor can more than
 * the 255 bytes of one option (RFC 3396 would allow more).
 *
 * RFC 2132, RFC 3397 (119), RFC 3442 (121), RFC 4833 (100, 101), RFC 5859 (150), RFC 8910 (114), RFC 8925 (108).
 *
 * Trust.  Key and text are anybody's, UTF-8 and terminated; each byte written is counted against the 255.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/units.h"
#include "switch/conf_names.h"

enum { MTU_MIN = 68, NODE_TYPE_MAX = 8, LABEL_MAX = 63, OPTION_MAX = 254, BYTES = 255 };

enum type { IP, IPS, U8, U16, U32, I32, TEXT, DOMAIN, DOMAINS, ROUTES, HEX };

static const struct row {
	const char *name;
	enum type type;
	uint8_t code;
	uint16_t min;
} rows[] = {
	{"router", IPS, 3, 0},
	{"dns", IPS, 6, 0},
	{"domain", DOMAIN, 15, 0},
	{"search", DOMAINS, 119, 0},
	{"ntp", IPS, 42, 0},
	{"mtu", U16, 26, MTU_MIN},
	{"broadcast", IP, 28, 0},
	{"routes", ROUTES, 121, 0},
	{"time-offset", I32, 2, 0},
	{"time-servers", IPS, 4, 0},
	{"posix-timezone", TEXT, 100, 0},
	{"timezone", TEXT, 101, 0},
	{"log-servers", IPS, 7, 0},
	{"lpr-servers", IPS, 9, 0},
	{"boot-file-size", U16, 13, 0},
	{"root-path", TEXT, 17, 0},
	{"default-ttl", U8, 23, 1},
	{"nis-domain", TEXT, 40, 0},
	{"nis-servers", IPS, 41, 0},
	{"vendor", HEX, 43, 0},
	{"netbios-name-servers", IPS, 44, 0},
	{"netbios-node-type", U8, 46, 1},
	{"netbios-scope", TEXT, 47, 0},
	{"vendor-class", TEXT, 60, 0},
	{"tftp-server", TEXT, 66, 0},
	{"boot-file", TEXT, 67, 0},
	{"smtp-servers", IPS, 69, 0},
	{"pop3-servers", IPS, 70, 0},
	{"ipv6-only", U32, 108, 0},
	{"captive-portal", TEXT, 114, 0},
	{"tftp-server-address", IPS, 150, 0},
	{"wpad", TEXT, 252, 0},
};
enum { N_ROWS = sizeof(rows) / sizeof(rows[0]) };

/* Identity, times, overload, and what the server echoes or decides for each answer. */
static const uint8_t owned[] = {0, 50, 51, 52, 53, 54, 55, 57, 58, 59, 61, 82, 255};

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

static bool too_long(const struct why *why, const char *key)
{
	return refuse(why, "option %s is longer than %d bytes", key, BYTES);
}

static bool put(struct conf_option *o, const void *bytes, size_t n)
{
	if (o->len + n > BYTES)
		return false;
	memcpy(o->bytes + o->len, bytes, n);
	o->len = (uint8_t)(o->len + n);
	return true;
}

static bool put_ip(struct conf_option *o, const struct ip *ip)
{
	return put(o, ip->b + 12, 4);
}

/* --- Text to bytes; each is told the word that it gets of a list, without blanks around it --- */

static bool take_ip(const char *key, const char *word, struct conf_option *o, const struct why *why)
{
	char quoted[CONF_QUOTE];
	struct ip ip;

	if (!ip_parse(word, &ip) || !ip_is_v4(&ip))
		return refuse(why, "option %s must be IPv4 addresses, not \"%s\"", key,
			      conf_quote(word, quoted));
	return put_ip(o, &ip) || too_long(why, key);
}

/* RFC 3397 2: as RFC 1035 3.1 has them; compression is not needed. */
static bool take_domain(const char *key, const char *word, struct conf_option *o,
			const struct why *why)
{
	char name[CONF_DOMAIN_SIZE], text[CONF_WHY];
	bool ok = true;

	if (!conf_domain_parse(word, name, text))
		return refuse(why, "option %s: %s", key, text);
	for (const char *p = name; *p && ok; p += strcspn(p, "."), p += *p == '.') {
		uint8_t n = (uint8_t)strcspn(p, ".");

		ok = put(o, &n, 1) && put(o, p, n);
	}
	return (ok && put(o, "", 1)) || too_long(why, key);
}

/* "10.9.0.0/16 10.10.0.7": RFC 3442: width, as many bytes of the network as it needs, router. */
static bool take_route(const char *key, const char *word, struct conf_option *o,
		       const struct why *why)
{
	char network[PREFIX_TEXT], quoted[CONF_QUOTE];
	size_t n = strcspn(word, " ");
	struct prefix p;
	struct ip router;

	snprintf(network, sizeof(network), "%.*s", (int)(n < sizeof(network) ? n : 0), word);
	if (!prefix_parse(network, &p) || !ip_is_v4(&p.ip) || !conf_is_host_part(&p, 0) ||
	    !ip_parse(word + n + strspn(word + n, " "), &router) || !ip_is_v4(&router))
		return refuse(why,
			      "option %s must be networks and their routers such as "
			      "\"10.9.0.0/16 10.10.0.7\", not \"%s\"",
			      key, conf_quote(word, quoted));
	return (put(o, &p.len, 1) && put(o, p.ip.b + 12, (p.len + 7u) / 8) && put_ip(o, &router)) ||
	       too_long(why, key);
}

typedef bool (*take_word)(const char *key, const char *word, struct conf_option *o,
			  const struct why *why);

/* Words with commas between them, at most `most`. */
static bool take_words(const char *key, const char *text, unsigned most, take_word take,
		       struct conf_option *o, const struct why *why)
{
	char word[CONF_DOMAIN_SIZE + 8];
	unsigned i = 0;

	for (const char *p = text, *end; p; p = *end ? end + 1 : NULL, i++) {
		size_t n;

		end = strchrnul(p, ',');
		p += strspn(p, " ");
		n = (size_t)(end > p ? end - p : 0);
		while (n && p[n - 1] == ' ')
			n--;
		if (n >= sizeof(word))
			return refuse(why, "option %s has a word that is too long", key);
		if (i == most)
			return refuse(why, "option %s has more than one value", key);
		memcpy(word, p, n);
		word[n] = 0;
		if (!take(key, word, o, why))
			return false;
	}
	return true;
}

static bool take_text(const char *key, const char *text, struct conf_option *o,
		      const struct why *why)
{
	uint32_t c;

	if (!text[0])
		return refuse(why, "option %s is empty", key);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return refuse(why, "option %s has a control character", key);
	if (conf_has_refused(text, &c))
		return refuse(why, "option %s has the character U+%04X", key, c);
	return put(o, text, strlen(text)) || too_long(why, key);
}

static bool take_hex(const char *key, const char *text, struct conf_option *o,
		     const struct why *why)
{
	char quoted[CONF_QUOTE];
	size_t n = conf_hex_parse(text, o->bytes, sizeof(o->bytes));

	o->len = (uint8_t)n;
	return n ||
	       refuse(why, "option %s must be 1 to %d bytes in hex such as 01:02:0a, not \"%s\"",
		      key, BYTES, conf_quote(text, quoted));
}

/* In network order; a negative one is its two's complement. */
static bool take_number(const struct row *row, const char *text, struct conf_option *o,
			const struct why *why)
{
	static const uint64_t most[] = {
		[U8] = UINT8_MAX, [U16] = UINT16_MAX, [U32] = UINT32_MAX, [I32] = INT32_MAX};
	unsigned size = row->type == U8 ? 1 : row->type == U16 ? 2 : 4;
	bool is_negative = row->type == I32 && text[0] == '-';
	char quoted[CONF_QUOTE];
	uint64_t v;
	uint8_t b[4];

	if (!units_number(text + is_negative, row->min, most[row->type] + is_negative, &v))
		return refuse(why,
			      "option %s must be a number from %s%" PRIu64 " to %" PRIu64
			      ", not \"%s\"",
			      row->name, row->type == I32 ? "-" : "",
			      row->type == I32 ? most[I32] + 1 : row->min, most[row->type],
			      conf_quote(text, quoted));
	if (is_negative)
		v = -v;
	for (unsigned i = 0; i < size; i++)
		b[i] = (uint8_t)(v >> 8 * (size - 1 - i));
	return put(o, b, size);
}

static bool take_named(const struct row *row, const char *text, struct conf_option *o,
		       const struct why *why)
{
	char name[CONF_DOMAIN_SIZE], words[CONF_WHY];

	o->code = row->code;
	switch (row->type) {
	case IP:
		return take_words(row->name, text, 1, take_ip, o, why);
	case IPS:
		return take_words(row->name, text, UINT16_MAX, take_ip, o, why);
	case DOMAINS:
		return take_words(row->name, text, UINT16_MAX, take_domain, o, why);
	case ROUTES:
		return take_words(row->name, text, UINT16_MAX, take_route, o, why);
	case TEXT:
		return take_text(row->name, text, o, why);
	case HEX:
		return take_hex(row->name, text, o, why);
	case DOMAIN: /* RFC 2132 3.17: as text */
		if (!conf_domain_parse(text, name, words))
			return refuse(why, "option %s: %s", row->name, words);
		return put(o, name, strlen(name));
	default:
		return take_number(row, text, o, why);
	}
}

static bool take_numbered(const char *key, const char *text, struct conf_option *o,
			  const struct why *why)
{
	for (size_t i = 0; i < sizeof(owned); i++)
		if (owned[i] == o->code)
			return refuse(why, "option %s is the server's own", key);
	if (!strncmp(text, "hex:", 4)) {
		o->form = CONF_OPTION_HEX;
		return take_hex(key, text + 4, o, why);
	}
	if (!strncmp(text, "text:", 5)) {
		o->form = CONF_OPTION_AS_TEXT;
		return take_text(key, text + 5, o, why);
	}
	if (!strncmp(text, "ip:", 3)) {
		o->form = CONF_OPTION_IP;
		return take_words(key, text + 3, UINT16_MAX, take_ip, o, why);
	}
	return refuse(why, "option %s, by its number, needs hex:, text: or ip: before its value",
		      key);
}

bool conf_option_parse(const char *key, const char *text, struct conf_option *out, char *why,
		       size_t why_size)
{
	const struct why to = {why, why_size};
	const char *names[N_ROWS + 2] = {[N_ROWS] = "next-server"};
	char quoted[CONF_QUOTE], near[CONF_QUOTE];
	uint64_t code;

	*out = (struct conf_option){0};
	for (size_t i = 0; i < N_ROWS; i++) {
		names[i] = rows[i].name;
		if (!strcmp(rows[i].name, key))
			return take_named(&rows[i], text, out, &to);
	}
	if (key[0] && !key[strspn(key, "0123456789")]) {
		if (!units_number(key, 0, OPTION_MAX + 1, &code))
			return refuse(&to, "option \"%s\" is not a number from 1 to %d",
				      conf_quote(key, quoted), OPTION_MAX);
		out->code = (uint8_t)code;
		return take_numbered(key, text, out, &to);
	}
	return refuse(&to, "unknown option \"%s\"%s", conf_quote(key, quoted),
		      conf_nearest(key, names, near));
}

/* --- Bytes to text --- */

static char *write_ips(const struct conf_option *o, char *out)
{
	struct ip ip = {.b = {[10] = 0xff, 0xff}};
	char text[IP_TEXT];

	for (unsigned i = 0; i + 4 <= o->len; i += 4) {
		memcpy(ip.b + 12, o->bytes + i, 4);
		out += sprintf(out, "%s%s", i ? "," : "", ip_text(&ip, text));
	}
	return out;
}

static void write_domains(const struct conf_option *o, char *out)
{
	bool is_first = true;

	for (unsigned i = 0; i < o->len; i += 1u + o->bytes[i]) {
		unsigned n = o->bytes[i];

		if (n && i)
			*out++ = is_first ? ',' : '.';
		memcpy(out, o->bytes + i + 1, n);
		out += n;
		is_first = !n;
	}
	*out = 0;
}

static void write_routes(const struct conf_option *o, char *out)
{
	struct ip router = {.b = {[10] = 0xff, 0xff}};
	char network[PREFIX_TEXT], text[IP_TEXT];

	for (unsigned i = 0, bytes; i < o->len; i += 1 + bytes + 4) {
		struct prefix p = {.ip = {.b = {[10] = 0xff, 0xff}}, .len = o->bytes[i]};

		bytes = (p.len + 7u) / 8;
		memcpy(p.ip.b + 12, o->bytes + i + 1, bytes);
		memcpy(router.b + 12, o->bytes + i + 1 + bytes, 4);
		out += sprintf(out, "%s%s %s", i ? "," : "", prefix_text(&p, network),
			       ip_text(&router, text));
	}
}

static void write_number(const struct row *row, const struct conf_option *o, char *out)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < o->len; i++)
		v = v << 8 | o->bytes[i];
	if (row->type == I32)
		sprintf(out, "%" PRId32, (int32_t)v);
	else
		sprintf(out, "%" PRIu32, v);
}

static void write_named(const struct row *row, const struct conf_option *o, char *out)
{
	switch (row->type) {
	case IP:
	case IPS:
		write_ips(o, out);
		break;
	case DOMAINS:
		write_domains(o, out);
		break;
	case ROUTES:
		write_routes(o, out);
		break;
	case TEXT:
	case DOMAIN:
		sprintf(out, "%.*s", o->len, (const char *)o->bytes);
		break;
	case HEX:
		conf_hex_print(o->bytes, o->len, out);
		break;
	default:
		write_number(row, o, out);
	}
}

void conf_option_text(const struct conf_option *o, char *key, char *text)
{
	sprintf(key, "%u", o->code);
	switch (o->form) {
	case CONF_OPTION_AS_TEXT:
		sprintf(text, "text:%.*s", o->len, (const char *)o->bytes);
		return;
	case CONF_OPTION_IP:
		memcpy(text, "ip:", 4);
		write_ips(o, text + 3);
		return;
	case CONF_OPTION_NAMED:
		for (size_t i = 0; i < N_ROWS; i++) {
			if (rows[i].code != o->code)
				continue;
			strcpy(key, rows[i].name);
			write_named(&rows[i], o, text);
			return;
		}
		break;
	default:
		break;
	}
	memcpy(text, "hex:", 5);
	conf_hex_print(o->bytes, o->len, text + 4);
}
