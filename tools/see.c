/* SPDX-License-Identifier: GPL-2.0-or-later */
/* see: `vfab drops`, `vfab events`, `vfab version`. */
#include <stdio.h>
#include <stdlib.h>

#include "switch/base/units.h"
#include "tools/client.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

#ifndef VFAB_VERSION
#define VFAB_VERSION "unknown"
#endif

const struct verb_option drops_options[] = {
	{"port", 0, "PORT", AS_LOCAL, NULL, "only what came in by this port"},
	{0},
};

const struct verb_option events_options[] = {
	{"since", 0, "DURATION", AS_LOCAL, NULL, "only of the last 10m, 2h, ..."},
	{"follow", 'f', NULL, AS_LOCAL, NULL, "go on with what happens from now"},
	{0},
};

static const struct column drops_columns[] = {
	{.head = "PORT", .path = "port"},
	{.head = "REASON", .path = "reason"},
	{.head = "FRAMES", .path = "frames", .is_right = true},
	{.head = "MEANING", .path = "text"},
};

int see_drops(const struct call *c)
{
	const char *port = call_option(c, "port");
	json_t *request;

	request = client_request("drops");
	if (port && json_object_set_new(request, "port", json_string(port))) {
		json_decref(request);
		return fail(EXIT_USAGE, "a name is not text in UTF-8");
	}
	return table_answer(c, request, drops_columns,
			    sizeof(drops_columns) / sizeof(drops_columns[0]));
}

/* "TIME  port web: TEXT (KIND)" */
static void write_event(json_t *e)
{
	static const char *const member[] = {"time", "kind", "object", "text"};
	char *clean[4];
	size_t i;

	for (i = 0; i < 4; i++)
		clean[i] = table_member(e, member[i]);
	printf("%s  %-12s  %s%s%s\n", clean[0], clean[1], *clean[2] == '-' ? "" : clean[2],
	       *clean[2] == '-' ? "" : ": ", clean[3]);
	for (i = 0; i < 4; i++)
		free(clean[i]);
}

static bool see_event(json_t *e, void *arg)
{
	const struct call *c = arg;

	if (c->json)
		json_out(e, true);
	else
		write_event(e);
	/* Who follows wants to see it now, also through a pipe. */
	return !fflush(stdout);
}

int see_events(const struct call *c)
{
	const char *since = call_option(c, "since");
	json_t *request, *result, *e;
	struct call copy = *c;
	uint64_t ms;
	size_t i;
	int rc;

	if (since && !units_duration_ms(since, &ms))
		return fail(EXIT_DATA, "--since \"%s\" is no duration (5s, 10m, 2h, 1d)", since);
	request = client_request("events");
	if (since)
		json_object_set_new(request, "since_ms", json_integer((json_int_t)ms));
	if (call_option(c, "follow")) {
		json_object_set_new(request, "follow", json_true());
		return client_stream(request, -1, see_event, &copy);
	}
	rc = client_ask(request, NULL, &result);
	if (rc)
		return rc;
	if (c->json)
		json_out(result, false);
	else
		json_array_foreach(result, i, e) write_event(e);
	json_decref(result);
	return 0;
}

int see_version(const struct call *c)
{
	json_t *result, *both;
	int rc;

	/* Our own version needs no vfabd. */
	if (!client_is_answered()) {
		if (c->json)
			printf("{\"vfab\": \"%s\", \"vfabd\": null}\n", VFAB_VERSION);
		else
			printf("vfab %s\n", VFAB_VERSION);
		return 0;
	}
	rc = client_ask(client_request("version"), NULL, &result);
	if (rc)
		return rc;
	if (c->json) {
		both = need(json_pack("{s:s,s:O}", "vfab", VFAB_VERSION, "vfabd", result));
		json_out(both, false);
		json_decref(both);
	} else {
		printf("vfab %s\nvfabd ", VFAB_VERSION);
		puts(json_string_value(json_object_get(result, "version"))
			     ? json_string_value(json_object_get(result, "version"))
			     : "?");
		json_object_del(result, "version");
		table_object(stdout, result);
	}
	json_decref(result);
	return 0;
}
