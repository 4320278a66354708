/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_print_dhcp: addresses and names as YAML, and their equality: what conf_print.c leaves to this file.
 *
 * Options are printed by the name or number by which they were given; the same bytes are the same option, however written.
 */
#include "switch/conf_names.h"

#include <string.h>

static void print_ips(FILE *out, const struct ip *list, unsigned n)
{
	char buf[IP_TEXT];

	fputc('[', out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, ip_is_v4(&list[i]) ? "%s%s" : "%s\"%s\"", i ? ", " : "",
			ip_text(&list[i], buf));
	fputc(']', out);
}

static void print_servers(FILE *out, const struct conf_server *list, unsigned n)
{
	char buf[CONF_SERVER_TEXT];

	fputc('[', out);
	for (unsigned i = 0; i < n; i++) {
		conf_server_text(&list[i], buf);
		fprintf(out, strchr(buf, ':') ? "%s\"%s\"" : "%s%s", i ? ", " : "", buf);
	}
	fputc(']', out);
}

static void print_range(FILE *out, const struct ip range[2])
{
	char first[IP_TEXT], last[IP_TEXT];

	fprintf(out, ip_is_v4(&range[0]) ? "%s-%s" : "\"%s-%s\"", ip_text(&range[0], first),
		ip_text(&range[1], last));
}

/* A number goes without quotes as a value; as a key it would be another key in some parsers. */
static void print_option(FILE *out, const struct conf_option *o)
{
	char key[CONF_OPTION_TEXT], text[CONF_OPTION_TEXT];
	bool is_number;

	conf_option_text(o, key, text);
	is_number = !text[strspn(text, "0123456789")] && (text[0] != '0' || !text[1]);
	conf_print_string(out, key);
	fputs(": ", out);
	if (is_number && text[0])
		fputs(text, out);
	else
		conf_print_string(out, text);
}

static bool has_next_server(const struct conf_options *o)
{
	static const struct ip none;

	return !ip_equal(&o->next_server, &none);
}

static void print_options(FILE *out, const struct conf_options *o)
{
	const char *comma = "";
	char buf[IP_TEXT];

	fputc('{', out);
	for (size_t i = 0; i < o->n; i++, comma = ", ") {
		fputs(comma, out);
		print_option(out, &o->list[i]);
	}
	if (has_next_server(o))
		fprintf(out, "%snext-server: %s", comma, ip_text(&o->next_server, buf));
	fputc('}', out);
}

/* A list of maps. */
static void print_objects(FILE *out, const struct conf_kind *kind, const void *objects, size_t n)
{
	fputc('[', out);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? ", " : "", out);
		conf_print_keys(out, kind, kind->keys, conf_field(objects, i * kind->size));
	}
	fputc(']', out);
}

static void print_archs(FILE *out, const uint16_t *list, unsigned n)
{
	fputc('[', out);
	for (unsigned i = 0; i < n; i++)
		fprintf(out, i ? ", %u" : "%u", list[i]);
	fputc(']', out);
}

static void print_domains(FILE *out, const struct conf_dns *d)
{
	fputc('{', out);
	for (size_t i = 0; i < d->n_domains; i++) {
		fputs(i ? ", " : "", out);
		conf_print_string(out, d->domains[i].name);
		fputs(": ", out);
		print_servers(out, d->domains[i].server, d->domains[i].n);
	}
	fputc('}', out);
}

static unsigned count_of(const struct conf_key *key, const void *object)
{
	return *(const uint8_t *)conf_field(object, key->count);
}

void conf_print_dhcp(FILE *out, const struct conf_key *key, const void *object)
{
	const struct conf_network *net = object;
	const void *field = conf_field(object, key->at);
	char text[3 * CONF_CLIENT_ID_SIZE + 1];

	switch (key->type) {
	case CONF_RANGE4:
	case CONF_RANGE6:
		print_range(out, field);
		break;
	case CONF_CLIENT_ID:
		conf_hex_print(((const struct conf_reservation *)object)->client_id,
			       ((const struct conf_reservation *)object)->client_id_len, text);
		fprintf(out, "\"%s\"", text);
		break;
	case CONF_IPS:
		print_ips(out, field, count_of(key, object));
		break;
	case CONF_SERVERS:
		print_servers(out, field, count_of(key, object));
		break;
	case CONF_ARCHS:
		print_archs(out, field, count_of(key, object));
		break;
	case CONF_OPTIONS:
		print_options(out, field);
		break;
	case CONF_CLASSES:
		print_objects(out, &conf_classes, net->dhcp.classes, net->dhcp.n_classes);
		break;
	case CONF_RESERVATIONS:
		print_objects(out, &conf_reservations, net->dhcp.reservations,
			      net->dhcp.n_reservations);
		break;
	default:
		print_domains(out, object);
	}
}

/* --- Equality --- */

static bool is_options_equal(const struct conf_options *a, const struct conf_options *b)
{
	if (a->n != b->n || !ip_equal(&a->next_server, &b->next_server))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (a->list[i].code != b->list[i].code || a->list[i].len != b->list[i].len ||
		    memcmp(a->list[i].bytes, b->list[i].bytes, a->list[i].len))
			return false;
	return true;
}

static bool is_objects_equal(const struct conf_kind *kind, const void *a, size_t n_a, const void *b,
			     size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!conf_object_equal(kind, conf_field(a, i * kind->size),
				       conf_field(b, i * kind->size)))
			return false;
	return true;
}

static bool is_servers_equal(const struct conf_server *a, const struct conf_server *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!ip_equal(&a[i].ip, &b[i].ip) || a[i].port != b[i].port)
			return false;
	return true;
}

static bool is_domains_equal(const struct conf_dns *a, const struct conf_dns *b)
{
	if (a->n_domains != b->n_domains)
		return false;
	for (size_t i = 0; i < a->n_domains; i++) {
		const struct conf_domain *x = &a->domains[i], *y = &b->domains[i];

		if (strcmp(x->name, y->name) || x->n != y->n ||
		    !is_servers_equal(x->server, y->server, x->n))
			return false;
	}
	return true;
}

bool conf_dhcp_equal(const struct conf_key *key, const void *a, const void *b)
{
	const void *x = conf_field(a, key->at), *y = conf_field(b, key->at);
	const struct conf_network *p = a, *q = b;
	bool is_as_many = !key->count || count_of(key, a) == count_of(key, b);

	switch (key->type) {
	case CONF_IPS:
		return is_as_many && !memcmp(x, y, count_of(key, a) * sizeof(struct ip));
	case CONF_ARCHS:
		return is_as_many && !memcmp(x, y, count_of(key, a) * sizeof(uint16_t));
	case CONF_SERVERS:
		return is_as_many && is_servers_equal(x, y, count_of(key, a));
	case CONF_OPTIONS:
		return is_options_equal(x, y);
	case CONF_CLASSES:
		return is_objects_equal(&conf_classes, p->dhcp.classes, p->dhcp.n_classes,
					q->dhcp.classes, q->dhcp.n_classes);
	case CONF_RESERVATIONS:
		return is_objects_equal(&conf_reservations, p->dhcp.reservations,
					p->dhcp.n_reservations, q->dhcp.reservations,
					q->dhcp.n_reservations);
	default:
		return is_domains_equal(a, b);
	}
}
