/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward: `vfab forward`, the ways in, and `vfab route`, the ways between networks.
 *
 * Forwards are a list of their network in the file.  Verbs send a map of single changes instead, by spec or id, as conf_list.c
 * takes it: what others add meanwhile stays.
 */
#include <stdio.h>
#include <string.h>

#include "switch/conf.h"
#include "tools/client.h"
#include "tools/import.h"
#include "tools/merge.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

const struct verb_option forward_options[] = {
	{"allow-from", 0, "CIDR,...", AS_LIST, NULL, "only clients from there"},
	{0},
};

const struct verb_option forward_list_options[] = {
	{"net", 0, "NETWORK", AS_LOCAL, NULL, "only of this network"},
	{0},
};

const struct verb_option import_options[] = {
	{"net", 0, "NETWORK", AS_LOCAL, NULL, "the network of the guests; must be given"},
	{"allow-from", 0, "CIDR,...", AS_LIST, NULL, "only clients from there"},
	{0},
};

static const struct column forward_columns[] = {
	{.head = "ID", .path = "id"},
	{.head = "PORTS", .path = "ports", .is_right = true},
	{.head = "GUEST", .path = "guest"},
	{.head = "ALLOW-FROM", .path = "allow_from"},
	{.head = "SESSIONS", .path = "sessions", .is_right = true},
	{.head = "FRAMES", .path = "frames", .is_right = true},
};

static const struct column route_columns[] = {
	{.head = "FROM", .path = "from"},
	{.head = "TO", .path = "to"},
};

static int not_text(json_t *forwards)
{
	json_decref(forwards);
	return fail(EXIT_USAGE, "a name is not text in UTF-8");
}

/* {networks: {NETWORK: {forwards: {...}}}} */
static int send(const char *network, json_t *forwards)
{
	json_t *keys = need(json_pack("{s:o}", "forwards", forwards));

	return merge_send(merge_object("networks", network, keys), "set", false);
}

int forward_add(const struct call *c)
{
	json_t *forwards = need(json_object()), *keys;
	int i, status = EXIT_DONE;

	keys = merge_keys(c, "add", &status);
	if (!keys) {
		json_decref(forwards);
		return status;
	}
	for (i = 1; i < c->n_args; i++)
		if (json_object_set(forwards, c->arg[i], keys))
			break;
	json_decref(keys);
	return i < c->n_args ? not_text(forwards) : send(c->arg[0], forwards);
}

/* NETWORK/PROTO/BIND:PORT: the network is what stands before the first slash. */
int forward_del(const struct call *c)
{
	json_t *networks = need(json_object()), *keys;
	char name[CONF_NAME_SIZE];
	size_t n;

	for (int i = 0; i < c->n_args; i++) {
		n = strcspn(c->arg[i], "/");
		if (!c->arg[i][n] || !n || n >= sizeof(name)) {
			json_decref(networks);
			return fail(EXIT_DATA,
				    "\"%s\" is no id of a forward such as "
				    "office/tcp/0.0.0.0:8080: see vfab forward ls",
				    c->arg[i]);
		}
		snprintf(name, sizeof(name), "%.*s", (int)n, c->arg[i]);
		keys = json_object_get(networks, name);
		if (!keys && json_object_set_new(networks, name, json_pack("{s:{}}", "forwards")))
			return not_text(networks);
		keys = json_object_get(json_object_get(networks, name), "forwards");
		if (json_object_set_new(keys, c->arg[i] + n + 1, json_null()))
			return not_text(networks);
	}
	return merge_send(need(json_pack("{s:o}", "networks", networks)), "set", false);
}

int forward_list(const struct call *c)
{
	json_t *request = merge_narrowed(c, "forward.ls");

	if (!request)
		return EXIT_USAGE;
	return table_answer(c, request, forward_columns,
			    sizeof(forward_columns) / sizeof(forward_columns[0]));
}

int forward_import(const struct call *c)
{
	const char *network = call_option(c, "net");
	json_t *forwards, *keys;
	int status = EXIT_DONE;
	size_t n;

	if (!network)
		return fail(EXIT_USAGE, "forward import: needs --net NETWORK");
	keys = merge_keys(c, "add", &status);
	forwards = keys ? import_file(c->arg[0], keys, &status) : NULL;
	json_decref(keys);
	if (!forwards)
		return status;
	n = json_object_size(forwards);
	status = send(network, forwards);
	if (!status)
		printf("%zu forwards added to %s\n", n, network);
	return status;
}

int route_change(const struct call *c)
{
	json_t *fragment =
		json_pack("{s:[{s:s,s:s}]}", "routes", "from", c->arg[0], "to", c->arg[1]);

	return merge_send(fragment, c->verb->verb, false);
}

int route_list(const struct call *c)
{
	return table_answer(c, client_request("route.ls"), route_columns,
			    sizeof(route_columns) / sizeof(route_columns[0]));
}
