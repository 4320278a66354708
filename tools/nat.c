/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat: `vfab nat`, the sessions of the NAT, and the test clock.
 *
 * There may be millions of sessions: vfabd sends them in pieces, between which it does its other work, and they are printed as
 * they come.  JSON is one array all the same; a table has columns of fixed width.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/units.h"
#include "tools/client.h"
#include "tools/merge.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

const struct verb_option nat_options[] = {
	{"net", 0, "NETWORK", AS_LOCAL, NULL, "only of this network"},
	{"port", 0, "PORT", AS_LOCAL, NULL, "only of guests behind this port"},
	{"proto", 0, "tcp|udp|icmp", AS_LOCAL, NULL, "only of this protocol"},
	{0},
};

struct listing {
	const struct call *call;
	size_t n;     /* printed */
	bool is_over; /* the last piece came */
	json_int_t flushed;
};

static const struct {
	const char *head, *member;
	int width; /* negative: to the left */
} columns[] = {
	{"NETWORK", "network", -12}, {"PROTO", "proto", -5},	{"INSIDE", "inside", -22},
	{"OUTSIDE", "outside", -22}, {"REMOTE", "remote", -22}, {"STATE", "state", -12},
	{"KIND", "kind", -8},	     {"IDLE", "idle_s", 6},	{"EXPIRES", "expires_s", 8},
	{"RX", "rx_frames", 10},     {"TX", "tx_frames", 10},
};

static void write_head(void)
{
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		printf("%s%*s", i ? "  " : "", columns[i].width, columns[i].head);
	putchar('\n');
}

static void write_row(json_t *row)
{
	char *text;

	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		text = table_member(row, columns[i].member);
		printf("%s%*s", i ? "  " : "", columns[i].width, text);
		free(text);
	}
	putchar('\n');
}

/* A piece: {rows: [...]}; the last one is {end: true}, with what a flush did. */
static bool see_piece(json_t *piece, void *arg)
{
	struct listing *l = arg;
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(piece, "rows"), i, row)
	{
		if (!l->call->json) {
			if (!l->n)
				write_head();
			write_row(row);
		} else {
			fputs(l->n ? ",\n  " : "[\n  ", stdout);
			json_dumpf(row, stdout, JSON_COMPACT);
		}
		l->n++;
	}
	l->is_over = json_is_true(json_object_get(piece, "end"));
	l->flushed = json_integer_value(json_object_get(piece, "flushed"));
	return !l->is_over && !ferror(stdout);
}

static int walk(const struct call *c, const char *verb, struct listing *l)
{
	json_t *request = merge_narrowed(c, verb);
	int rc = request ? client_stream(request, -1, see_piece, l) : EXIT_USAGE;

	if (!rc && !l->is_over && !client_interrupted())
		rc = fail(EXIT_REFUSED, "the answer ended early");
	return rc;
}

int see_sessions(const struct call *c)
{
	struct listing l = {.call = c};
	int rc = walk(c, "nat.ls", &l);

	if (c->json && (l.n || !rc))
		puts(l.n ? "\n]" : "[]");
	else if (!rc && !l.n)
		write_head();
	return rc;
}

int flush_sessions(const struct call *c)
{
	struct listing l = {.call = c};
	int rc = walk(c, "nat.flush", &l);

	if (!rc)
		printf("%" JSON_INTEGER_FORMAT " flushed\n", l.flushed);
	return rc;
}

static const struct column net_columns[] = {
	{.head = "NETWORK", .path = "network"},
	{.head = "SESSIONS", .path = "sessions", .is_right = true},
	{.head = "LIMIT", .path = "limit", .is_right = true},
	{.head = "MAPPINGS", .path = "mappings", .is_right = true},
	{.head = "GUESTS", .path = "guests", .is_right = true},
	{.head = "CREATED", .path = "created", .is_right = true},
	{.head = "EXPIRED", .path = "expired", .is_right = true},
	{.head = "REFUSED", .path = "refused_total", .is_right = true},
};

static const struct column outside_columns[] = {
	{.head = "OUTSIDE", .path = "ip"},
	{.head = "TCP", .path = "tcp", .is_right = true},
	{.head = "UDP", .path = "udp", .is_right = true},
	{.head = "ICMP", .path = "icmp", .is_right = true},
};

int see_nat(const struct call *c)
{
	json_t *result, *nets, *outside;
	int rc;

	rc = client_ask(client_request("nat.stats"), NULL, &result);
	if (rc)
		return rc;
	if (c->json) {
		json_out(result, false);
	} else {
		nets = json_incref(json_object_get(result, "networks"));
		outside = json_incref(json_object_get(result, "outside"));
		json_object_del(result, "networks");
		json_object_del(result, "outside");
		table_object(stdout, result);
		putchar('\n');
		table_print(stdout, net_columns, sizeof(net_columns) / sizeof(net_columns[0]),
			    nets);
		putchar('\n');
		table_print(stdout, outside_columns,
			    sizeof(outside_columns) / sizeof(outside_columns[0]), outside);
		json_decref(nets);
		json_decref(outside);
	}
	json_decref(result);
	return 0;
}

int debug_clock(const struct call *c)
{
	json_t *request;
	uint64_t ms;

	if (strcmp(c->arg[0], "advance"))
		return fail(EXIT_USAGE, "usage: vfab debug clock advance DURATION");
	if (!units_duration_ms(c->arg[1], &ms))
		return fail(EXIT_DATA, "\"%s\" is no duration (5s, 10m, 2h, 1d)", c->arg[1]);
	request = client_request("debug.clock");
	json_object_set_new(request, "advance_ms", json_integer((json_int_t)ms));
	return client_ask(request, NULL, NULL);
}
