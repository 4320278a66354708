/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease: `vfab lease`: who has which address, and who is to have it.
 *
 * Reservations are a list of their network in the file.  The verbs send a map of single changes instead, by address, as
 * conf_merge_dhcp.c takes it: what others add meanwhile stays.  Leases are the servers' own: they are asked for, and ended.
 */
#include <stdio.h>
#include <string.h>

#include "tools/client.h"
#include "tools/merge.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

const struct verb_option lease_options[] = {
	{"net", 0, "NETWORK", AS_LOCAL, NULL, "only of this network"},
	{0},
};

const struct verb_option reserve_options[] = {
	{"mac", 0, "MAC", AS_TEXT, NULL, "for the client with this hardware address"},
	{"client-id", 0, "HEX", AS_TEXT, NULL,
	 "for the client with this identifier (DHCPv6: DUID), as 01:02:0a"},
	{"port", 0, "PORT", AS_TEXT, NULL, "for whoever asks by this port"},
	{"ip", 0, "IP", AS_LOCAL, NULL, "IPv4 address"},
	{"ip6", 0, "IP", AS_TEXT, NULL, "IPv6 address"},
	{"name", 0, "HOST", AS_TEXT, NULL, "name of the host in DNS, without its domain"},
	{0},
};

static const struct column lease_columns[] = {
	{.head = "NETWORK", .path = "network"},
	{.head = "IP", .path = "ip"},
	{.head = "MAC", .path = "mac"},
	{.head = "HOSTNAME", .path = "hostname"},
	{.head = "STATE", .path = "state"},
	{.head = "EXPIRES", .path = "expires_s", .is_right = true},
	{.head = "PORT", .path = "port"},
};

static const struct column pool_columns[] = {
	{.head = "NETWORK", .path = "network"},
	{.head = "FIRST", .path = "first"},
	{.head = "LAST", .path = "last"},
	{.head = "OFFERED", .path = "offered", .is_right = true},
	{.head = "BOUND", .path = "bound", .is_right = true},
	{.head = "PAST", .path = "past", .is_right = true},
	{.head = "DECLINED", .path = "declined", .is_right = true},
	{.head = "FREE", .path = "free", .is_right = true},
	{.head = "PER-PORT", .path = "per_port", .is_right = true},
};

int lease_list(const struct call *c)
{
	json_t *request = merge_narrowed(c, "lease.ls");

	if (!request)
		return EXIT_USAGE;
	return table_answer(c, request, lease_columns,
			    sizeof(lease_columns) / sizeof(lease_columns[0]));
}

int lease_release(const struct call *c)
{
	json_t *request = merge_narrowed(c, "lease.release");

	if (!request)
		return EXIT_USAGE;
	if (json_object_set_new(request, "ip", json_string(c->arg[0]))) {
		json_decref(request);
		return fail(EXIT_USAGE, "an address is not text in UTF-8");
	}
	return client_ask(request, NULL, NULL);
}

int lease_stats(const struct call *c)
{
	json_t *result, *pools;
	int rc;

	rc = client_ask(client_request("lease.stats"), NULL, &result);
	if (rc)
		return rc;
	if (c->json) {
		json_out(result, false);
	} else {
		pools = json_incref(json_object_get(result, "pools"));
		json_object_del(result, "pools");
		table_object(stdout, result);
		putchar('\n');
		table_print(stdout, pool_columns, sizeof(pool_columns) / sizeof(pool_columns[0]),
			    pools);
		json_decref(pools);
	}
	json_decref(result);
	return 0;
}

/* {networks: {NETWORK: {dhcp: {reservations: {IP: entry}}}}}; takes entry. */
static int send(const char *network, const char *ip, json_t *entry)
{
	json_t *list = merge_object("reservations", ip, entry);
	json_t *dhcp = list ? json_pack("{s:o}", "dhcp", list) : NULL;

	return merge_send(dhcp ? merge_object("networks", network, dhcp) : NULL, "set", false);
}

int lease_reserve(const struct call *c)
{
	const char *ip = call_option(c, "ip"), *ip6 = call_option(c, "ip6");
	int ways =
		!!call_option(c, "mac") + !!call_option(c, "client-id") + !!call_option(c, "port");
	int status = EXIT_DONE;
	json_t *entry;

	if (ways != 1)
		return fail(EXIT_USAGE,
			    "lease reserve: needs one of --mac, --client-id and --port");
	if (!ip && !ip6)
		return fail(EXIT_USAGE, "lease reserve: needs --ip or --ip6");
	entry = merge_keys(c, "add", &status);
	return entry ? send(c->arg[0], ip ? ip : ip6, entry) : status;
}

int lease_unreserve(const struct call *c)
{
	return send(c->arg[0], c->arg[1], json_null());
}
