/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_print: a configuration as YAML, by the schema, and equality of objects.
 *
 * One line for each object, keys in the order of the schema, defaults left out:
 *
 *   ports:
 *     c1: {tap: eth0, netns: c1, network: office, mac: "02:00:00:00:00:0c"}
 *
 * What is printed parses back to the same, here and in any YAML 1.1 parser: a string goes without quotes only when
 * no such parser could take it for a number, a date, a truth or nothing.
 */
#include "switch/conf_names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "switch/base/units.h"

/* Words that YAML 1.1 takes for something else than a string. */
static bool is_taken_word(const char *text)
{
	static const char *const words[] = {"y",  "n",	 "yes",	 "no",	"true", "false",
					    "on", "off", "null", "nan", "inf"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcasecmp(words[i], text))
			return true;
	return false;
}

static bool is_plain(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._/-";

	return text[0] && (strchr(letters, text[0]) || text[0] == '_' || text[0] == '/') &&
	       !text[strspn(text, chars)] && !is_taken_word(text);
}

void conf_print_string(FILE *out, const char *text)
{
	if (is_plain(text)) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p == '\n')
			fputs("\\n", out);
		else if (*p == '\t')
			fputs("\\t", out);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

/* 10, 20-29 */
static void print_vids(FILE *out, const uint64_t vids[4096 / 64])
{
	const char *comma = "";

	fputc('[', out);
	for (unsigned v = 1, last; v < 4095; v = last + 1) {
		last = v;
		if (!(vids[v >> 6] >> (v & 63) & 1))
			continue;
		while (last < 4094 && vids[(last + 1) >> 6] >> ((last + 1) & 63) & 1)
			last++;
		fprintf(out, last > v ? "%s%u-%u" : "%s%u", comma, v, last);
		comma = ", ";
	}
	fputc(']', out);
}

static void print_number(FILE *out, const struct conf_key *key, uint64_t v)
{
	char buf[UNITS_TEXT];

	switch (key->type) {
	case CONF_BOOL:
		fputs(v ? "true" : "false", out);
		break;
	case CONF_WORD:
		conf_print_string(out, key->words[v]);
		break;
	case CONF_DURATION:
	case CONF_TIMEOUT:
		fputs(units_duration_text(v, buf), out);
		break;
	case CONF_BITS:
		fputs(units_bits_text(v, buf), out);
		break;
	case CONF_OCTAL: /* as a number it would be another one in some parsers */
		fprintf(out, "\"%04" PRIo64 "\"", v);
		break;
	default:
		fprintf(out, "%" PRIu64, v);
	}
}

/* An IPv6 address has colons, and its text goes in quotes. */
static void print_address(FILE *out, const struct conf_key *key, const void *field)
{
	char buf[PREFIX_TEXT];
	bool is_ip = key->type == CONF_IPV4 || key->type == CONF_IPV6 || key->type == CONF_IP;
	const char *text = is_ip ? ip_text(field, buf) : prefix_text(field, buf);

	fprintf(out, strchr(text, ':') ? "\"%s\"" : "%s", text);
}

static void print_macs(FILE *out, const struct conf_network *n)
{
	char buf[MAC_TEXT];

	fputc('{', out);
	for (size_t i = 0; i < n->n_macs; i++) {
		fprintf(out, "%s\"%s\": ", i ? ", " : "", mac_text(&n->macs[i].mac, buf));
		conf_print_string(out, n->macs[i].port);
	}
	fputc('}', out);
}

static void print_cpus(FILE *out, const struct conf_workers *w)
{
	fputc('[', out);
	for (size_t i = 0; i < w->n_cpus; i++)
		fprintf(out, "%s%u", i ? ", " : "", (unsigned)w->cpus[i]);
	fputc(']', out);
}

static void print_prefixes(FILE *out, const struct conf_key *key, const void *object)
{
	const struct prefix *list = conf_field(object, key->at);
	unsigned n = *(const uint8_t *)conf_field(object, key->count);

	fputc('[', out);
	for (unsigned i = 0; i < n; i++) {
		fputs(i ? ", " : "", out);
		print_address(out, key, &list[i]);
	}
	fputc(']', out);
}

/* mac_mode and mac of an uplink. */
static void print_link_mac(FILE *out, const uint8_t *mode)
{
	char buf[MAC_TEXT];
	struct mac mac;

	memcpy(&mac, mode + 1, sizeof(mac));
	if (*mode == UPLINK_MAC_GIVEN)
		fprintf(out, "\"%s\"", mac_text(&mac, buf));
	else
		fputs(*mode == UPLINK_MAC_AUTO ? "auto" : "interface", out);
}

static void print_forwards(FILE *out, const struct conf_network *n)
{
	fputc('[', out);
	for (size_t i = 0; i < n->n_forwards; i++) {
		fputs(i ? ", " : "", out);
		if (n->forwards[i].n_allow)
			conf_print_keys(out, &conf_forwards, conf_forwards.keys, &n->forwards[i]);
		else
			conf_print_string(out, n->forwards[i].spec);
	}
	fputc(']', out);
}

static void print_nics(FILE *out, const struct conf_container *c)
{
	fputc('[', out);
	for (size_t i = 0; i < c->n_nics; i++) {
		fputs(i ? ", " : "", out);
		conf_print_keys(out, &conf_nics, conf_nics.keys, &c->nics[i]);
	}
	fputc(']', out);
}

static void print_value(FILE *out, const struct conf_kind *kind, const struct conf_key *key,
			const void *object)
{
	const void *field = conf_field(object, key->at);
	char mac[MAC_TEXT];

	if (key->dhcp && *(const bool *)conf_field(object, key->dhcp)) {
		fputs("dhcp", out);
		return;
	}
	switch (key->type) {
	case CONF_NAME:
	case CONF_IFNAME:
	case CONF_NETNS:
	case CONF_SOCKET:
	case CONF_OWNER:
	case CONF_LABEL:
	case CONF_DOMAIN:
	case CONF_VENDOR:
		conf_print_string(out, field);
		break;
	case CONF_STRING:
		conf_print_string(out, *(char *const *)field);
		break;
	case CONF_MAC:
		fprintf(out, "\"%s\"", mac_text(field, mac));
		break;
	case CONF_VIDS:
		print_vids(out, field);
		break;
	case CONF_CPUS:
		print_cpus(out, object);
		break;
	case CONF_MACS:
		print_macs(out, object);
		break;
	case CONF_NICS:
		print_nics(out, object);
		break;
	case CONF_NETS:
	case CONF_HOSTS:
		print_prefixes(out, key, object);
		break;
	case CONF_FORWARDS:
		print_forwards(out, object);
		break;
	case CONF_SPEC:
		conf_print_string(out, ((const struct conf_forward *)object)->spec);
		break;
	case CONF_LINK_MAC:
		print_link_mac(out, field);
		break;
	case CONF_MAP:
	case CONF_DHCP:
		conf_print_keys(out, kind, key->keys, object);
		break;
	case CONF_RANGE4:
	case CONF_RANGE6:
	case CONF_CLIENT_ID:
	case CONF_IPS:
	case CONF_SERVERS:
	case CONF_ARCHS:
	case CONF_OPTIONS:
	case CONF_CLASSES:
	case CONF_RESERVATIONS:
	case CONF_DOMAINS:
		conf_print_dhcp(out, key, object);
		break;
	default:
		if (conf_is_number(key))
			print_number(out, key, conf_number(key, object));
		else
			print_address(out, key, field);
	}
}

/* {key: value, ...} */
void conf_print_keys(FILE *out, const struct conf_kind *kind, const struct conf_key *keys,
		     const void *object)
{
	const char *comma = "";

	fputc('{', out);
	for (const struct conf_key *k = keys; k->name; k++) {
		if (!k->is_required && conf_key_equal(k, object, kind->initial))
			continue;
		fprintf(out, "%s%s: ", comma, k->name);
		print_value(out, kind, k, object);
		comma = ", ";
	}
	fputc('}', out);
}

static bool is_prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->is_set == b->is_set &&
	       (!a->is_set || (a->len == b->len && ip_equal(&a->ip, &b->ip)));
}

static bool is_macs_equal(const struct conf_network *a, const struct conf_network *b)
{
	if (a->n_macs != b->n_macs)
		return false;
	for (size_t i = 0; i < a->n_macs; i++)
		if (memcmp(&a->macs[i].mac, &b->macs[i].mac, sizeof(a->macs[i].mac)) ||
		    strcmp(a->macs[i].port, b->macs[i].port))
			return false;
	return true;
}

static bool is_nics_equal(const struct conf_container *a, const struct conf_container *b)
{
	if (a->n_nics != b->n_nics)
		return false;
	for (size_t i = 0; i < a->n_nics; i++)
		if (!conf_object_equal(&conf_nics, &a->nics[i], &b->nics[i]))
			return false;
	return true;
}

static bool is_prefixes_equal(const struct conf_key *key, const void *a, const void *b)
{
	const struct prefix *x = conf_field(a, key->at), *y = conf_field(b, key->at);
	unsigned n = *(const uint8_t *)conf_field(a, key->count);

	if (n != *(const uint8_t *)conf_field(b, key->count))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (!is_prefix_equal(&x[i], &y[i]))
			return false;
	return true;
}

static bool is_forwards_equal(const struct conf_network *a, const struct conf_network *b)
{
	if (a->n_forwards != b->n_forwards)
		return false;
	for (size_t i = 0; i < a->n_forwards; i++)
		if (!conf_object_equal(&conf_forwards, &a->forwards[i], &b->forwards[i]))
			return false;
	return true;
}

static bool is_string_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static bool is_cpus_equal(const struct conf_workers *a, const struct conf_workers *b)
{
	return a->n_cpus == b->n_cpus && !memcmp(a->cpus, b->cpus, a->n_cpus * sizeof(a->cpus[0]));
}

bool conf_key_equal(const struct conf_key *key, const void *a, const void *b)
{
	const void *x = conf_field(a, key->at), *y = conf_field(b, key->at);

	if (key->has) {
		bool is_in_a = *(const bool *)conf_field(a, key->has);
		bool is_in_b = *(const bool *)conf_field(b, key->has);

		if (is_in_a != is_in_b || !is_in_a)
			return is_in_a == is_in_b;
	}
	if (key->dhcp && memcmp(conf_field(a, key->dhcp), conf_field(b, key->dhcp), sizeof(bool)))
		return false;
	if (key->type >= CONF_IPS)
		return conf_dhcp_equal(key, a, b);
	switch (key->type) {
	case CONF_NAME:
	case CONF_IFNAME:
	case CONF_NETNS:
	case CONF_SOCKET:
	case CONF_OWNER:
		return !strcmp(x, y);
	case CONF_NET4:
	case CONF_NET6:
	case CONF_HOST4:
	case CONF_HOST6:
		return is_prefix_equal(x, y);
	case CONF_STRING:
		return is_string_equal(*(char *const *)x, *(char *const *)y);
	case CONF_CPUS:
		return is_cpus_equal(a, b);
	case CONF_MACS:
		return is_macs_equal(a, b);
	case CONF_NICS:
		return is_nics_equal(a, b);
	case CONF_NETS:
	case CONF_HOSTS:
		return is_prefixes_equal(key, a, b);
	case CONF_FORWARDS:
		return is_forwards_equal(a, b);
	case CONF_SPEC: /* of the shortest spelling */
		return !strcmp(((const struct conf_forward *)a)->spec,
			       ((const struct conf_forward *)b)->spec);
	case CONF_MAP:
	case CONF_DHCP:
		for (const struct conf_key *k = key->keys; k->name; k++)
			if (!conf_key_equal(k, a, b))
				return false;
		return true;
	default: /* numbers, addresses, bits, and texts that are filled up with zeros */
		return !memcmp(x, y, key->size);
	}
}

bool conf_object_equal(const struct conf_kind *kind, const void *a, const void *b)
{
	for (const struct conf_key *k = kind->keys; k->name; k++)
		if (!conf_key_equal(k, a, b))
			return false;
	return true;
}

bool conf_network_equal(const struct conf_network *a, const struct conf_network *b)
{
	return !strcmp(a->name, b->name) && conf_object_equal(&conf_networks, a, b);
}

bool conf_port_equal(const struct conf_port *a, const struct conf_port *b)
{
	return !strcmp(a->name, b->name) && conf_object_equal(&conf_ports, a, b);
}

bool conf_uplink_equal(const struct conf_uplink *a, const struct conf_uplink *b)
{
	return !strcmp(a->name, b->name) && conf_object_equal(&conf_uplinks, a, b);
}

static bool print_section(FILE *out, const struct conf *c, const struct conf_kind *kind)
{
	size_t n;
	const char *objects = conf_objects(c, kind, &n);

	if (!n)
		return false;
	fprintf(out, "%s:\n", kind->section);
	for (size_t i = 0; i < n; i++) {
		fputs("  ", out);
		conf_print_string(out, objects + i * kind->size);
		fputs(": ", out);
		conf_print_keys(out, kind, kind->keys, objects + i * kind->size);
		fputc('\n', out);
	}
	return true;
}

static bool print_routes(FILE *out, const struct conf *c)
{
	if (!c->n_routes)
		return false;
	fputs("routes:\n", out);
	for (size_t i = 0; i < c->n_routes; i++) {
		fputs("  - {from: ", out);
		conf_print_string(out, c->routes[i].from);
		fputs(", to: ", out);
		conf_print_string(out, c->routes[i].to);
		fputs("}\n", out);
	}
	return true;
}

char *conf_print(const struct conf *c)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	bool any = false, failed;

	if (!out)
		return NULL;
	for (const struct conf_kind *const *k = conf_kinds; *k; k++) {
		const void *single = conf_field(c, (*k)->array);

		if (!conf_is_single(*k)) {
			any = print_section(out, c, *k) || any;
		} else if (!conf_object_equal(*k, single, (*k)->initial)) {
			fprintf(out, "%s: ", (*k)->section);
			conf_print_keys(out, *k, (*k)->keys, single);
			fputc('\n', out);
			any = true;
		}
	}
	any = print_routes(out, c) || any;
	if (!any)
		fputs("{}\n", out); /* a text that says that nothing is there */
	failed = ferror(out);
	failed = fclose(out) || failed;
	if (!failed)
		return text;
	free(text);
	return NULL;
}
