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
#include "tools/say.h"
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

static void copy_members(json_t *row, json_t *from, const char *const names[3])
{
	json_t *v;

	for (size_t i = 0; i < 3; i++) {
		v = json_object_get(from, names[i]);
		json_object_set_new(row, names[i], v ? json_incref(v) : json_null());
	}
}

/* A row; a node without nics has one without a port, a lab without nodes one without a node.  answer: what port.ls says, NULL when
 * nobody answers. */
static void add_row(json_t *rows, json_t *lab, json_t *node, json_t *port, json_t *answer)
{
	static const char *const from_lab[] = {"lab", "state", "file"};
	static const char *const from_node[] = {"run", "pid", "log"};
	static const char *const from_port[] = {"network", "ifname", "ipv4"};
	const char *name = json_string_value(json_object_get(port, "name"));
	const char *node_name = json_string_value(json_object_get(node, "name"));
	const char *port_state = answer && name ? lab_port_state(answer, name) : NULL;
	json_t *row = need(json_object());

	copy_members(row, lab, from_lab);
	if (!answer)
		json_object_set_new(row, "state", json_string("no vfabd"));
	json_object_set_new(row, "node", node_name ? json_string(node_name) : json_null());
	json_object_set_new(row, "command", node ? json_string(command_state(node)) : json_null());
	copy_members(row, node, from_node);
	json_object_set_new(row, "port", name ? json_string(name) : json_null());
	json_object_set_new(row, "port_state", port_state ? json_string(port_state) : json_null());
	copy_members(row, port, from_port);
	json_array_append_new(rows, row);
}

static void add_rows(json_t *rows, json_t *lab, json_t *answer)
{
	json_t *nodes = json_object_get(lab, "nodes"), *node, *port;
	size_t i, k;

	if (json_array_size(nodes) == 0)
		add_row(rows, lab, NULL, NULL, answer);
	json_array_foreach(nodes, i, node)
	{
		if (json_array_size(json_object_get(node, "ports")) == 0)
			add_row(rows, lab, node, NULL, answer);
		json_array_foreach(json_object_get(node, "ports"), k, port)
		{
			add_row(rows, lab, node, port, answer);
		}
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
	json_t *all, *rows, *lab, *answer;
	const char *socket;
	size_t i;

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
		add_rows(rows, lab, answer);
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
