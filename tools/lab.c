/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab: `vfab lab`: one file, all of it.
 *
 * The verbs.  lab_up.c has the steps of `up`, lab_down.c those of `down`, lab_state.c the record between the two,
 * lab_conf.c what the file asks of the fabric.  When a step of `up` fails, or the user interrupts, `down` undoes it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tools/client.h"
#include "tools/confile.h"
#include "tools/lab_steps.h"
#include "tools/nouns.h"
#include "tools/table.h"

static int needs_root(const char *what)
{
	if (!geteuid())
		return 0;
	return fail(EXIT_REFUSED, "lab %s needs root: it makes and removes network namespaces",
		    what);
}

static json_t *new_state(const struct lab *l, const char *file)
{
	char *real;
	json_t *state;

	real = realpath(file, NULL);
	state = json_pack("{s:s,s:s,s:s,s:s,s:n,s:[]}", "lab", l->name, "file", real ? real : file,
			  "socket", client_socket(), "state", "starting", "daemon", "nodes");
	free(real);
	return state;
}

static int up(struct lab *l, const char *file, const char *text, size_t bytes)
{
	struct conf *conf;
	int rc;

	rc = confile_parse(file, text, bytes, &conf);
	if (rc)
		return rc;
	l->state = new_state(l, file);
	if (!l->state) {
		conf_destroy(conf);
		return fail(EXIT_USAGE, "lab up: the name of the file is not text in UTF-8");
	}
	client_catch_signals();
	rc = lab_bring_up(l, conf, text, bytes);
	conf_destroy(conf);
	if (!rc) {
		json_object_set_new(l->state, "state", json_string("up"));
		rc = lab_save(l);
	}
	if (rc) {
		lab_tear_down(l);
		return rc;
	}
	lab_report_early_ends(l);
	printf("lab %s is up: %zu containers on %s\n", l->name,
	       json_array_size(json_object_get(l->state, "nodes")), client_socket());
	return 0;
}

int lab_up(const struct call *c)
{
	struct lab l;
	char *text;
	size_t n;
	int rc;

	rc = needs_root("up");
	if (rc)
		return rc;
	rc = lab_open(c->arg[0], &l);
	if (!rc && l.state)
		rc = fail(EXIT_REFUSED,
			  "lab %s: is up already, or was left half way: vfab lab down %s", l.name,
			  c->arg[0]);
	text = rc ? NULL : client_read_file(c->arg[0], &n, &rc);
	if (text)
		rc = up(&l, c->arg[0], text, n);
	free(text);
	lab_close(&l);
	return rc;
}

int lab_down(const struct call *c)
{
	struct lab l;
	int rc;

	rc = needs_root("down");
	if (rc)
		return rc;
	rc = lab_open(c->arg[0], &l);
	if (!rc && !l.state)
		rc = fail(EXIT_REFUSED, "lab %s: is not up", l.name);
	if (!rc)
		rc = lab_tear_down(&l);
	lab_close(&l);
	return rc;
}

/* "running", "exited" or "none" for the command of a node. */
static const char *command_state(json_t *node)
{
	struct proc p = lab_proc(node);

	if (!p.pid)
		return "none";
	return proc_lives(&p) ? "running" : "exited";
}

/* One row a nic: {lab, state, node, command, pid, log, port, network, ifname, ipv4, port_state}. */
static void add_rows(json_t *rows, json_t *lab, json_t *node, json_t *answer)
{
	static const char *const from_lab[] = {"lab", "state", "file"};
	static const char *const from_node[] = {"run", "pid", "log"};
	static const char *const from_port[] = {"network", "ifname", "ipv4"};
	const char *name;
	json_t *port, *row;
	size_t i, k;

	json_array_foreach(json_object_get(node, "ports"), i, port)
	{
		name = json_string_value(json_object_get(port, "name"));
		row = need(json_object());
		for (k = 0; k < 3; k++)
			json_object_set(row, from_lab[k], json_object_get(lab, from_lab[k]));
		json_object_set(row, "node", json_object_get(node, "name"));
		json_object_set_new(row, "command", json_string(command_state(node)));
		for (k = 0; k < 3; k++)
			json_object_set(row, from_node[k], json_object_get(node, from_node[k]));
		json_object_set(row, "port", json_object_get(port, "name"));
		json_object_set_new(row, "port_state",
				    answer && name ? json_string(lab_port_state(answer, name))
						   : json_null());
		for (k = 0; k < 3; k++)
			json_object_set(row, from_port[k], json_object_get(port, from_port[k]));
		json_array_append_new(rows, row);
	}
}

int lab_list(const struct call *c)
{
	static const struct column cols[] = {
		{.head = "LAB", .path = "lab"},
		{.head = "STATE", .path = "state"},
		{.head = "NODE", .path = "node"},
		{.head = "COMMAND", .path = "command"},
		{.head = "PID", .path = "pid", .is_right = true},
		{.head = "PORT", .path = "port"},
		{.head = "IS", .path = "port_state"},
		{.head = "NETWORK", .path = "network"},
		{.head = "DEVICE", .path = "ifname"},
		{.head = "ADDRESS", .path = "ipv4"},
	};
	json_t *all, *rows, *lab, *node, *answer;
	const char *socket;
	size_t i, j;

	all = lab_all();
	rows = need(json_array());
	json_array_foreach(all, i, lab)
	{
		socket = json_string_value(json_object_get(lab, "socket"));
		if (socket)
			client_use_socket(socket);
		answer = NULL;
		if (!client_is_answered() || client_ask(client_request("port.ls"), NULL, &answer))
			answer = NULL;
		json_array_foreach(json_object_get(lab, "nodes"), j, node)
			add_rows(rows, lab, node, answer);
		json_decref(answer);
	}
	if (c->json)
		json_out(rows, false);
	else
		table_print(stdout, cols, sizeof(cols) / sizeof(cols[0]), rows);
	json_decref(rows);
	json_decref(all);
	return 0;
}
