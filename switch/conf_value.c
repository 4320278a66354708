/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_value: one value of each type of the schema: text -> field, with the error that says what would do.
 *
 * conf.c calls it for each scalar, with the line of the schema that the key has.
 *
 * Trust.  Values are text of anybody, but conf_yaml.c has seen them: UTF-8, terminated, without NUL.  All that
 * leaves here is within the limits of the schema; strings are filled with zeros, so that they compare as bytes.
 */
#include "switch/conf_names.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/units.h"

enum {
	PID_MAX = 1 << 22, /* the kernel's own limit, PID_MAX_LIMIT */
	NET4_MIN = 8, /* length of a network's IPv4 prefix; at most 30, for a gateway and a guest */
	NET4_MAX = 30,
	NET6_MIN = 16,
	NET6_MAX = 126,
	CPU_MAX = 4095,
};

const char *conf_quote(const char *text, char buf[static CONF_QUOTE])
{
	size_t n = strlen(text), cut = n;

	if (n >= CONF_QUOTE) {
		cut = CONF_QUOTE - 4;
		while (cut && (text[cut] & 0xc0) == 0x80)
			cut--; /* never inside a character */
	}
	for (size_t i = 0; i < cut; i++) {
		unsigned char b = (unsigned char)text[i];
		/* C1 controls are 0xc2 0x80 to 0xc2 0x9f; terminals obey them. */
		bool is_c1 = i && (unsigned char)text[i - 1] == 0xc2 && b < 0xa0;

		buf[i] = b < 0x20 || b == 0x7f ? '?' : text[i];
		if (is_c1)
			buf[i - 1] = buf[i] = '?';
	}
	snprintf(buf + cut, CONF_QUOTE - cut, "%s", cut < n ? "..." : "");
	return buf;
}

const char *conf_nearest(const char *word, const char *const *words, char buf[static CONF_QUOTE])
{
	const char *near = strlen(word) < CONF_NAME_SIZE ? nearest_word(word, words) : NULL;

	buf[0] = 0;
	if (near)
		snprintf(buf, CONF_QUOTE, " (did you mean \"%s\"?)", near);
	return buf;
}

/* Fills why and says no. */
__attribute__((format(printf, 2, 3))) static bool refuse(char why[static CONF_WHY], const char *fmt,
							 ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, CONF_WHY, fmt, ap);
	va_end(ap);
	return false;
}

bool conf_name_check(const char *name, char why[static CONF_WHY])
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	char quoted[CONF_QUOTE];

	if (!name[0])
		return refuse(why, "a name is empty");
	if (strlen(name) >= CONF_NAME_SIZE)
		return refuse(why, "name \"%s\" is longer than %d characters",
			      conf_quote(name, quoted), CONF_NAME_SIZE - 1);
	if (name[strspn(name, chars)])
		return refuse(why,
			      "name \"%s\" may have letters, digits, \".\", \"_\" and \"-\" only",
			      conf_quote(name, quoted));
	if (name[0] == '-' || name[0] == '.')
		return refuse(why, "name \"%s\" starts with \"%c\"", conf_quote(name, quoted),
			      name[0]);
	return true;
}

/* What the kernel takes (dev_valid_name), less '%', which it would replace, and less what a terminal cannot show. */
static bool ifname_check(const char *name, char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE];
	size_t n = strlen(name);

	if (!n)
		return refuse(why, "an interface name is empty");
	if (n >= CONF_IFNAME_SIZE)
		return refuse(why, "interface name \"%s\" is longer than %d characters",
			      conf_quote(name, quoted), CONF_IFNAME_SIZE - 1);
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return refuse(why, "\"%s\" is not an interface name", name);
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("/:%", name[i]))
			return refuse(why,
				      "interface name \"%s\" has a character that none may have",
				      conf_quote(name, quoted));
	return true;
}

static bool netns_check(const char *name, char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE];
	size_t n = strlen(name);
	uint64_t pid;

	if (!n)
		return refuse(why, "a network namespace has no name");
	if (n >= CONF_NETNS_SIZE)
		return refuse(why, "network namespace \"%s\" is longer than %d characters",
			      conf_quote(name, quoted), CONF_NETNS_SIZE - 1);
	for (size_t i = 0; i < n; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return refuse(why,
				      "network namespace \"%s\" has a blank or an odd character",
				      conf_quote(name, quoted));
	if (!name[strspn(name, "0123456789")] &&
	    (name[0] == '0' || !units_number(name, 1, PID_MAX, &pid)))
		return refuse(why,
			      "network namespace \"%s\" is no process id, though it is all digits",
			      conf_quote(name, quoted));
	if (name[0] != '/' && (strchr(name, '/') || name[0] == '.' || name[0] == '-'))
		return refuse(why,
			      "network namespace \"%s\" must be a name, a path that starts with /, "
			      "or a process id",
			      conf_quote(name, quoted));
	return true;
}

/*
 * A path that bind() and connect() take, and only one way to write it: two ports with one socket are then seen.
 * Links are nobody's business here; the broker opens the directory.
 */
static bool socket_check(const char *path, char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE];
	size_t n = strlen(path);

	if (path[0] != '/')
		return refuse(why, "socket \"%s\" is not a path that starts with /",
			      conf_quote(path, quoted));
	if (n >= CONF_SOCKET_SIZE)
		return refuse(why, "socket \"%s\" is longer than %d characters",
			      conf_quote(path, quoted), CONF_SOCKET_SIZE - 1);
	for (size_t i = 0; i < n; i++)
		if (path[i] < ' ' || path[i] > '~')
			return refuse(why,
				      "socket \"%s\" has a character that is not printable ASCII",
				      conf_quote(path, quoted));
	for (const char *p = path; *p;) {
		size_t part = strcspn(++p, "/");

		if (!part || (part <= 2 && !strncmp(p, "..", part)))
			return refuse(why, "socket \"%s\" has an empty, \".\" or \"..\" part",
				      conf_quote(path, quoted));
		p += part;
	}
	return true;
}

/* A name of a user or a group, or its number; (uid_t)-1 is no one's. */
static bool is_account(const char *name, size_t n)
{
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-";
	char text[CONF_OWNER_SIZE];
	uint64_t id;

	if (!n || n >= sizeof(text) || strspn(name, chars) < n || name[0] == '-')
		return false;
	memcpy(text, name, n);
	text[n] = 0;
	return text[strspn(text, "0123456789")] || units_number(text, 0, UINT32_MAX - 1, &id);
}

static bool owner_check(const char *text, char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE];
	size_t n = strcspn(text, ":");

	if (strlen(text) >= CONF_OWNER_SIZE)
		return refuse(why, "socket-owner \"%s\" is longer than %d characters",
			      conf_quote(text, quoted), CONF_OWNER_SIZE - 1);
	if (is_account(text, n) && (!text[n] || is_account(text + n + 1, strlen(text + n + 1))))
		return true;
	return refuse(
		why,
		"socket-owner must be a user, or a user and a group such as qemu:kvm, not \"%s\"",
		conf_quote(text, quoted));
}

/* Text for people, handed to a shell: anything printable, with tabs and line ends. */
static bool string_check(const struct conf_key *key, const char *text, char why[static CONF_WHY])
{
	uint32_t c;

	if (!text[0])
		return refuse(why, "%s is empty", key->name);
	if (strlen(text) > CONF_RUN_MAX)
		return refuse(why, "%s is longer than %d bytes", key->name, CONF_RUN_MAX);
	if (conf_has_refused(text, &c))
		return refuse(why, "%s has the character U+%04X", key->name, c);
	return true;
}

bool conf_mac_check(const char *text, struct mac *mac, char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE];

	if (!mac_parse(text, mac))
		return refuse(why, "\"%s\" is not a MAC address such as 02:00:00:00:00:0a",
			      conf_quote(text, quoted));
	if (mac_is_zero(mac) || mac_is_group(mac))
		return refuse(why, "MAC address \"%s\" is not that of one station", text);
	return true;
}

/* An address that a host may have: neither unspecified, nor loopback, nor multicast, nor 240/4. */
static bool is_unicast(const struct ip *ip)
{
	static const struct ip none, loop6 = {.b = {[15] = 1}};
	const uint8_t *v4 = ip->b + 12;

	if (ip_is_v4(ip))
		return v4[0] && v4[0] != 127 && v4[0] < 224;
	return !ip_equal(ip, &none) && !ip_equal(ip, &loop6) && ip->b[0] != 0xff;
}

/* 169.254.0.0/16 (RFC 3927) and fe80::/10 (RFC 4291 2.5.6): each link has these of its own. */
static bool is_link_local(const struct ip *ip)
{
	const uint8_t *v4 = ip->b + 12;

	if (ip_is_v4(ip))
		return v4[0] == 169 && v4[1] == 254;
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

bool conf_is_host_part(const struct prefix *p, bool bit)
{
	unsigned bits = ip_is_v4(&p->ip) ? 32 : 128, from = 128 - bits + p->len;

	for (unsigned i = from; i < 128; i++)
		if ((p->ip.b[i / 8] >> (7 - i % 8) & 1) != bit)
			return false;
	return true;
}

static bool prefix_check(const struct conf_key *key, const char *text, struct prefix *p,
			 char why[static CONF_WHY])
{
	bool is_v4 = key->type == CONF_NET4 || key->type == CONF_HOST4;
	bool is_net = key->type == CONF_NET4 || key->type == CONF_NET6;
	unsigned min = is_v4 ? NET4_MIN : NET6_MIN, max = is_v4 ? NET4_MAX : NET6_MAX;
	unsigned bits = is_v4 ? 32 : 128;
	char quoted[CONF_QUOTE];

	if (!prefix_parse(text, p) || ip_is_v4(&p->ip) != is_v4 || !strchr(text, '/'))
		return refuse(why, "%s must be an %s %s, not \"%s\"", key->name,
			      is_v4 ? "IPv4" : "IPv6",
			      is_net ? (is_v4 ? "prefix such as 10.10.0.0/24"
					      : "prefix such as fd00:10::/64")
				     : (is_v4 ? "address with its length such as 10.10.0.5/24"
					      : "address with its length such as fd00:10::5/64"),
			      conf_quote(text, quoted));
	if (!is_unicast(&p->ip))
		return refuse(why, "%s \"%s\" is not for hosts", key->name, text);
	if (is_net && is_link_local(&p->ip))
		return refuse(why, "%s \"%s\" is link-local", key->name, text);
	if (is_net && !conf_is_host_part(p, 0))
		return refuse(why, "%s \"%s\" has bits of a host behind the prefix", key->name,
			      text);
	if (is_net && (p->len < min || p->len > max))
		return refuse(why, "%s \"%s\" must have a length from %u to %u", key->name, text,
			      min, max);
	if (!is_net && (!p->len || (p->len < bits - 1 && conf_is_host_part(p, 0))))
		return refuse(why, "%s \"%s\" is the address of a network", key->name, text);
	if (!is_net && is_v4 && p->len < bits - 1 && conf_is_host_part(p, 1))
		return refuse(why, "%s \"%s\" is a broadcast address", key->name, text);
	p->is_set = true;
	return true;
}

/* An item of a list of prefixes.  Of networks: a bare address is a network of one host; of hosts: as in prefix_check(). */
bool conf_prefix_parse(const struct conf_key *key, const char *text, struct prefix *p,
		       char why[static CONF_WHY])
{
	struct conf_key host = {.name = key->name};
	char quoted[CONF_QUOTE];

	*p = (struct prefix){0};
	if (key->type == CONF_NETS && ip_parse(text, &p->ip))
		p->len = ip_is_v4(&p->ip) ? 32 : 128;
	else if (!prefix_parse(text, p))
		return refuse(why, "%s must be addresses%s, not \"%s\"", key->name,
			      key->type == CONF_NETS ? " or prefixes such as 192.0.2.0/24"
						     : " with their length such as 192.0.2.11/24",
			      conf_quote(text, quoted));
	host.type = ip_is_v4(&p->ip) ? CONF_HOST4 : CONF_HOST6;
	if (key->type == CONF_HOSTS)
		return prefix_check(&host, text, p, why);
	p->is_set = true;
	return conf_is_host_part(p, 0) ||
	       refuse(why, "%s \"%s\" has bits of a host behind the prefix", key->name, text);
}

static bool ip_check(const struct conf_key *key, const char *text, struct ip *ip,
		     char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE];

	if (!ip_parse(text, ip) || (key->type == CONF_IPV4 && !ip_is_v4(ip)) ||
	    (key->type == CONF_IPV6 && ip_is_v4(ip)))
		return refuse(why, "%s must be an %s address, not \"%s\"", key->name,
			      key->type == CONF_IPV4   ? "IPv4"
			      : key->type == CONF_IPV6 ? "IPv6"
						       : "IP",
			      conf_quote(text, quoted));
	if (!is_unicast(ip))
		return refuse(why, "%s \"%s\" is not the address of a host", key->name, text);
	return true;
}

static void put_number(const struct conf_key *key, void *object, uint64_t v)
{
	uint8_t v8 = (uint8_t)v;
	uint16_t v16 = (uint16_t)v;
	uint32_t v32 = (uint32_t)v;
	const void *from = key->size == 1   ? (void *)&v8
			   : key->size == 2 ? (void *)&v16
			   : key->size == 4 ? (void *)&v32
					    : (void *)&v;

	memcpy(conf_field(object, key->at), from, key->size);
}

uint64_t conf_number(const struct conf_key *key, const void *object)
{
	const void *field = conf_field(object, key->at);
	uint8_t v8;
	uint16_t v16;
	uint32_t v32;
	uint64_t v;

	switch (key->size) {
	case 1:
		memcpy(&v8, field, sizeof(v8));
		return v8;
	case 2:
		memcpy(&v16, field, sizeof(v16));
		return v16;
	case 4:
		memcpy(&v32, field, sizeof(v32));
		return v32;
	default:
		memcpy(&v, field, sizeof(v));
		return v;
	}
}

static bool word_parse(const struct conf_key *key, const char *text, uint64_t *out,
		       char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE], near[CONF_QUOTE];
	int used;

	for (size_t i = 0; key->words[i]; i++) {
		if (strcmp(key->words[i], text))
			continue;
		*out = i;
		return true;
	}
	conf_nearest(text, key->words, near);
	used = snprintf(why, CONF_WHY, "unknown %s \"%s\"%s", key->name, conf_quote(text, quoted),
			near);
	for (size_t i = 0; !near[0] && key->words[i] && used < CONF_WHY; i++)
		used += snprintf(why + used, (size_t)(CONF_WHY - used), "%s%s",
				 i ? ", " : "; expected one of ", key->words[i]);
	return false;
}

bool conf_is_number(const struct conf_key *key)
{
	return key->type == CONF_BOOL || key->type == CONF_NUMBER || key->type == CONF_WORD ||
	       key->type == CONF_DURATION || key->type == CONF_TIMEOUT || key->type == CONF_BITS ||
	       key->type == CONF_OCTAL;
}

/* 0660, with its zero: 432, which is what YAML 1.1 makes of it, must not pass for a mode. */
static bool octal_parse(const char *text, uint64_t *out)
{
	if (strlen(text) != strlen("0777") || text[0] != '0' || text[strspn(text, "01234567")])
		return false;
	*out = (uint64_t)(text[1] - '0') << 6 | (uint64_t)(text[2] - '0') << 3 |
	       (uint64_t)(text[3] - '0');
	return true;
}

static bool number_parse(const struct conf_key *key, const char *text, uint64_t *out,
			 char why[static CONF_WHY])
{
	switch (key->type) {
	case CONF_BOOL:
		return units_truth(text, out);
	case CONF_WORD:
		return word_parse(key, text, out, why);
	case CONF_DURATION: /* 0 is "never" */
		return units_duration_ms(text, out) &&
		       (!*out || (*out >= key->min && *out <= key->max));
	case CONF_TIMEOUT:
		return units_duration_ms(text, out) && *out >= key->min && *out <= key->max;
	case CONF_BITS:
		return units_bits(text, out) && *out <= key->max;
	case CONF_OCTAL:
		return octal_parse(text, out);
	default:
		return units_number(text, key->min, key->max, out);
	}
}

/* Without the limits of the key this says what the type takes. */
const char *conf_expects(const struct conf_key *key, char buf[static CONF_WHY])
{
	char least[UNITS_TEXT], most[UNITS_TEXT];
	const char *words = NULL;

	switch (key->type) {
	case CONF_BOOL:
		words = "true or false";
		break;
	case CONF_BITS:
		words = "bits a second such as 10mbit, at most 10000gbit";
		break;
	case CONF_OCTAL:
		words = "four octal digits from 0000 to 0777 such as 0660";
		break;
	case CONF_MAP:
	case CONF_MACS:
		words = "a map";
		break;
	case CONF_NICS:
		words = "a list of maps";
		break;
	case CONF_NETS:
		words = "a list of prefixes such as [192.0.2.0/24]";
		break;
	case CONF_HOSTS:
		words = "a list of addresses with their length such as [192.0.2.11/24]";
		break;
	case CONF_DHCP:
		words = "a map, or a range such as 10.10.0.100-10.10.0.199";
		break;
	case CONF_IPS:
		words = "a list of addresses such as [10.10.0.1]";
		break;
	case CONF_SERVERS:
		words = "a list of name servers such as [192.0.2.53]";
		break;
	case CONF_ARCHS:
		words = "a list of numbers such as [0, 7]";
		break;
	case CONF_OPTIONS:
		words = "a map such as {ntp: 10.10.0.1}";
		break;
	case CONF_CLASSES:
		words = "a list of maps such as [{vendor: PXEClient}]";
		break;
	case CONF_RESERVATIONS:
		words = "a list of maps such as [{mac: \"02:00:00:00:00:0a\", ip: 10.10.0.10}]";
		break;
	case CONF_DOMAINS:
		words = "a map such as {corp.example: [10.1.1.1]}";
		break;
	case CONF_FORWARDS:
		words = "a list of forwards such as [\"8080:10.10.0.10:80/tcp\"]";
		break;
	case CONF_VIDS:
		words = "a list of VLAN ids and ranges such as [10, 20-29]";
		break;
	case CONF_CPUS:
		words = "a list of CPU numbers such as [0, 1]";
		break;
	default:
		words = key->type == CONF_WORD ? "a word" : "a string";
	}
	if (key->type == CONF_NUMBER)
		snprintf(buf, CONF_WHY, "a number from %" PRIu64 " to %" PRIu64, key->min,
			 key->max);
	else if (key->type == CONF_DURATION || key->type == CONF_TIMEOUT)
		snprintf(buf, CONF_WHY, "a duration such as 300s or 5m, from %s to %s%s",
			 units_duration_text(key->min, least), units_duration_text(key->max, most),
			 key->type == CONF_DURATION ? ", or 0" : "");
	else
		snprintf(buf, CONF_WHY, "%s", words);
	return buf;
}

bool conf_is_later(const struct conf_key *key, const char *text)
{
	for (size_t i = 0; key->later_words && key->later_words[i]; i++)
		if (!strcmp(key->later_words[i], text))
			return true;
	return false;
}

static bool put_string(const struct conf_key *key, void *object, const char *text)
{
	char *field = conf_field(object, key->at);

	memset(field, 0, key->size);
	memcpy(field, text, strlen(text));
	return true;
}

/* A prefix, or where the key takes it the word dhcp. */
static bool host_parse(const struct conf_key *key, const char *text, void *object,
		       char why[static CONF_WHY])
{
	bool is_dhcp = key->dhcp && !strcmp(text, "dhcp");

	if (key->dhcp)
		*(bool *)conf_field(object, key->dhcp) = is_dhcp;
	if (!is_dhcp)
		return prefix_check(key, text, conf_field(object, key->at), why);
	memset(conf_field(object, key->at), 0, key->size);
	return true;
}

/* auto, interface or an address. */
static bool link_mac_parse(const char *text, void *field, char why[static CONF_WHY])
{
	uint8_t *mode = field;
	struct mac mac = {0};

	if (!strcmp(text, "auto")) {
		*mode = UPLINK_MAC_AUTO;
	} else if (!strcmp(text, "interface")) {
		*mode = UPLINK_MAC_INTERFACE;
	} else {
		if (!conf_mac_check(text, &mac, why))
			return false;
		*mode = UPLINK_MAC_GIVEN;
	}
	memcpy(mode + 1, &mac, sizeof(mac));
	return true;
}

/* Who may use a forward may stand before it in the text. */
static bool spec_parse(const char *text, struct conf_forward *f, char why[static CONF_WHY])
{
	struct conf_forward new;

	if (!conf_forward_parse(text, &new, why, CONF_WHY))
		return false;
	memcpy(new.allow, f->allow, sizeof(new.allow));
	new.n_allow = f->n_allow;
	new.line = f->line;
	new.column = f->column;
	*f = new;
	return true;
}

static bool text_parse(const struct conf_key *key, const char *text, void *object,
		       char why[static CONF_WHY])
{
	void *field = conf_field(object, key->at);
	char *copy;

	switch (key->type) {
	case CONF_NAME:
		return conf_name_check(text, why) && put_string(key, object, text);
	case CONF_IFNAME:
		return ifname_check(text, why) && put_string(key, object, text);
	case CONF_NETNS:
		return netns_check(text, why) && put_string(key, object, text);
	case CONF_SOCKET:
		return socket_check(text, why) && put_string(key, object, text);
	case CONF_OWNER:
		return owner_check(text, why) && put_string(key, object, text);
	case CONF_MAC:
		return conf_mac_check(text, field, why);
	case CONF_IPV4:
	case CONF_IPV6:
	case CONF_IP:
		return ip_check(key, text, field, why);
	case CONF_SPEC:
		return spec_parse(text, field, why);
	case CONF_LINK_MAC:
		return link_mac_parse(text, field, why);
	case CONF_STRING:
		if (!string_check(key, text, why))
			return false;
		copy = strdup(text);
		if (!copy)
			return false;
		free(*(char **)field);
		*(char **)field = copy;
		return true;
	case CONF_RANGE4:
	case CONF_RANGE6:
	case CONF_LABEL:
	case CONF_DOMAIN:
	case CONF_VENDOR:
	case CONF_CLIENT_ID:
		return conf_dhcp_value(key, text, object, why);
	default:
		return host_parse(key, text, object, why);
	}
}

bool conf_scalar_parse(const struct conf_key *key, const char *text, void *object,
		       char why[static CONF_WHY])
{
	char expects[CONF_WHY], quoted[CONF_QUOTE];
	uint64_t v = 0;

	why[0] = 0;
	if (!conf_is_number(key))
		return text_parse(key, text, object, why);
	if (number_parse(key, text, &v, why)) {
		put_number(key, object, v);
		return true;
	}
	return why[0] ? false
		      : refuse(why, "%s must be %s, not \"%s\"", key->name,
			       conf_expects(key, expects), conf_quote(text, quoted));
}

bool conf_vids_parse(const char *text, uint64_t vids[4096 / 64], char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE], first_text[8];
	size_t dash = strcspn(text, "-");
	uint64_t first, last;

	if (dash >= sizeof(first_text))
		return refuse(why, "VLAN id \"%s\" is not a number from 1 to 4094",
			      conf_quote(text, quoted));
	memcpy(first_text, text, dash);
	first_text[dash] = 0;
	if (!units_number(first_text, 1, 4094, &first) ||
	    !units_number(text[dash] ? text + dash + 1 : first_text, 1, 4094, &last))
		return refuse(why, "VLAN id \"%s\" is neither a number from 1 to 4094 nor a range",
			      conf_quote(text, quoted));
	if (last < first)
		return refuse(why, "VLAN range \"%s\" ends before it starts", text);
	/* Word by word: a text of nothing but 1-4094 stays cheap. */
	for (uint64_t w = first >> 6; w <= last >> 6; w++) {
		uint64_t from = w == first >> 6 ? first & 63 : 0;
		uint64_t to = w == last >> 6 ? last & 63 : 63;

		vids[w] |= UINT64_MAX >> (63 - to) & UINT64_MAX << from;
	}
	return true;
}

bool conf_cpu_parse(const char *text, struct conf_workers *w, char why[static CONF_WHY])
{
	char quoted[CONF_QUOTE];
	uint64_t cpu;

	if (!units_number(text, 0, CPU_MAX, &cpu))
		return refuse(why, "\"%s\" is not the number of a CPU", conf_quote(text, quoted));
	for (size_t i = 0; i < w->n_cpus; i++)
		if (w->cpus[i] == cpu)
			return refuse(why, "CPU %s is there twice", text);
	if (w->n_cpus == CONF_WORKERS_MAX)
		return refuse(why, "more than %d workers", CONF_WORKERS_MAX);
	w->cpus[w->n_cpus++] = (uint16_t)cpu;
	return true;
}
