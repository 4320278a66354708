/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mac: `vfab mac`, the forwarding table. */
#include <stdio.h>

#include "tools/client.h"
#include "tools/merge.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

const struct verb_option mac_options[] = {
	{"net", 0, "NETWORK", AS_LOCAL, NULL, "only of this network"},
	{"port", 0, "PORT", AS_LOCAL, NULL, "only behind this port"},
	{0},
};

static const struct column mac_columns[] = {
	{.head = "NETWORK", .path = "network"}, {.head = "VLAN", .path = "vlan", .is_right = true},
	{.head = "MAC", .path = "mac"},		{.head = "PORT", .path = "port"},
	{.head = "KIND", .path = "kind"},	{.head = "AGE", .path = "age_s", .is_right = true},
};

int mac_list(const struct call *c)
{
	json_t *request;

	request = merge_narrowed(c, "mac.ls");
	if (!request)
		return EXIT_USAGE;
	return table_answer(c, request, mac_columns, sizeof(mac_columns) / sizeof(mac_columns[0]));
}

int mac_change(const struct call *c)
{
	bool adds = verb_is(c->verb, "mac", "add");
	json_t *entry, *port, *keys;

	port = adds ? json_string(c->arg[2]) : json_null();
	if (!port)
		return fail(EXIT_USAGE, "a name is not text in UTF-8");
	/* Static entries are keys of their network: setting one leaves the others. */
	entry = merge_object("macs", c->arg[1], port);
	keys = entry ? merge_object("networks", c->arg[0], entry) : NULL;
	return merge_send(keys, "set", false);
}

int mac_flush(const struct call *c)
{
	json_t *request, *result;
	int rc;

	request = merge_narrowed(c, "mac.flush");
	if (!request)
		return EXIT_USAGE;
	rc = client_ask(request, NULL, &result);
	if (rc)
		return rc;
	printf("%" JSON_INTEGER_FORMAT " flushed\n",
	       json_integer_value(json_object_get(result, "flushed")));
	json_decref(result);
	return 0;
}
