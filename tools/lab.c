/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab: `vfab lab`: one file, all of it.
 *
 *   up:    vfabd, if none answers -> a namespace for each container -> networks and ports into the fabric ->
 *          wait until they are up -> the containers' commands
 *   down:  commands -> what was added to the fabric, or that vfabd -> namespaces -> the record
 *
 * Each step is recorded (lab_state.c) once it is done; when one fails, or the user interrupts, what is recorded is
 * undone by the code of `down`.  A namespace is known by its inode, a process by its start time: what somebody else put
 * in their place is left alone.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "switch/base/loop.h"
#include "tools/client.h"
#include "tools/confile.h"
#include "tools/lab_conf.h"
#include "tools/lab_state.h"
#include "tools/merge.h"
#include "tools/netns.h"
#include "tools/nouns.h"
#include "tools/table.h"

enum { START_MS = 10000, PORTS_MS = 10000, END_MS = 3000, DAEMON_END_MS = 10000, LOOK_MS = 25 };
enum { EARLY_MS = 150 };

/* vfabd beside this program, or where `make install` puts it, or in PATH. */
static const char *find_vfabd(char buf[static PATH_MAX])
{
	static const char *const beside[] = {"/vfabd", "/../sbin/vfabd"};
	char self[PATH_MAX - 32];
	ssize_t n;
	char *slash;
	size_t i;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	for (i = 0; slash && i < 2; i++) {
		*slash = '\0';
		snprintf(buf, PATH_MAX, "%s%s", self, beside[i]);
		if (!access(buf, X_OK))
			return buf;
	}
	return "vfabd";
}

/* Waits until vfabd answers or has ended.  0 or the exit status. */
static int wait_daemon(const struct proc *p, const char *log)
{
	uint64_t deadline;

	for (deadline = clock_ms() + START_MS; clock_ms() < deadline;) {
		if (client_is_answered())
			return 0;
		if (waitpid(p->pid, NULL, WNOHANG) == p->pid || !proc_lives(p))
			return fail(EXIT_REFUSED, "vfabd ended as it started: see %s", log);
		if (client_interrupted())
			return fail(EXIT_REFUSED, "interrupted");
		poll(NULL, 0, LOOK_MS);
	}
	return fail(EXIT_REFUSED, "vfabd was started but does not answer: see %s", log);
}

/* Starts a vfabd when none answers. */
static int start_daemon(struct lab *l)
{
	char program[PATH_MAX], log[PATH_MAX], state[PATH_MAX];
	const char *const argv[] = {find_vfabd(program), "-s",	client_socket(),
				    "--state",		 state, NULL};
	struct proc p;
	json_t *obj;
	int rc;

	if (client_is_answered())
		return 0;
	snprintf(log, sizeof(log), "%.2000s/vfabd.log", lab_run_dir());
	snprintf(state, sizeof(state), "%.2000s/state", lab_run_dir());
	rc = proc_start(argv, log, &p);
	if (rc)
		return fail(EXIT_REFUSED, "%s: %s", argv[0], strerror(-rc));
	obj = need(json_object());
	lab_set_proc(obj, &p);
	json_object_set_new(l->state, "daemon", obj);
	rc = lab_save(l);
	return rc ? rc : wait_daemon(&p, log);
}

static int add_namespace(struct lab *l, const struct conf_container *node)
{
	json_t *obj;
	ino_t inode;
	int rc;

	rc = netns_add(node->name, &inode);
	if (rc == -EEXIST)
		return fail(EXIT_REFUSED, "container %s: there is a namespace of that name already",
			    node->name);
	if (rc)
		return fail(EXIT_REFUSED, "container %s: no namespace: %s", node->name,
			    strerror(-rc));
	obj = need(json_pack("{s:s,s:I,s:o}", "name", node->name, "netns", (json_int_t)inode,
			     "ports", lab_node_ports(node)));
	json_array_append_new(json_object_get(l->state, "nodes"), obj);
	return lab_save(l);
}

/* The names of what the fragment adds, for the record. */
static void record_objects(struct lab *l, const struct conf *conf)
{
	json_t *networks, *ports;
	char name[LAB_PORT_SIZE];
	size_t i, j;

	networks = need(json_array());
	ports = need(json_array());
	for (i = 0; i < conf->n_networks; i++)
		json_array_append_new(networks, json_string(conf->networks[i].name));
	for (i = 0; i < conf->n_ports; i++)
		json_array_append_new(ports, json_string(conf->ports[i].name));
	for (i = 0; i < conf->n_containers; i++) {
		for (j = 0; j < conf->containers[i].n_nics; j++) {
			lab_port_name(&conf->containers[i], j, name);
			json_array_append_new(ports, json_string(name));
		}
	}
	json_object_set_new(l->state, "networks", networks);
	json_object_set_new(l->state, "ports", ports);
}

static int add_objects(struct lab *l, const struct conf *conf, const char *fragment)
{
	json_t *request;
	int rc;

	request = client_request("conf.merge");
	json_object_set_new(request, "how", json_string("add"));
	json_object_set_new(request, "text", json_string(fragment));
	/* As for a file: a namespace that is missing may come later. */
	json_object_set_new(request, "may_wait", json_true());
	rc = client_ask(request, NULL, NULL);
	if (rc)
		return rc;
	record_objects(l, conf);
	return lab_save(l);
}

/* The state of a port in an answer of port.ls; "gone" when it is not there. */
static const char *port_state(json_t *ports, const char *name)
{
	const char *text;
	json_t *p;
	size_t i;

	json_array_foreach(ports, i, p)
	{
		text = json_string_value(json_object_get(p, "name"));
		if (!text || strcmp(text, name))
			continue;
		text = json_string_value(json_object_get(p, "state"));
		return text ? text : "?";
	}
	return "gone";
}

/* The first port of a container that is not up, or NULL. */
static const char *port_not_up(const struct lab *l, json_t *answer)
{
	json_t *node, *port;
	const char *name;
	size_t i, j;

	json_array_foreach(json_object_get(l->state, "nodes"), i, node)
	{
		json_array_foreach(json_object_get(node, "ports"), j, port)
		{
			name = json_string_value(json_object_get(port, "name"));
			if (name && strcmp(port_state(answer, name), "up"))
				return name;
		}
	}
	return NULL;
}

static int wait_ports(const struct lab *l)
{
	const char *name;
	uint64_t deadline;
	json_t *answer;
	int rc;

	deadline = clock_ms() + PORTS_MS;
	for (;;) {
		rc = client_ask(client_request("port.ls"), NULL, &answer);
		if (rc)
			return rc;
		name = port_not_up(l, answer);
		if (name && client_interrupted())
			rc = fail(EXIT_REFUSED, "interrupted");
		else if (name && clock_ms() > deadline)
			rc = fail(EXIT_REFUSED, "port %s: does not come up: it is %s", name,
				  port_state(answer, name));
		json_decref(answer);
		if (rc || !name)
			return rc;
		poll(NULL, 0, LOOK_MS);
	}
}

static int run_node(struct lab *l, json_t *node, const struct conf_container *c)
{
	char log[PATH_MAX + CONF_NAME_SIZE + 8];
	struct proc p;
	int rc;

	if (!c->run)
		return 0;
	if (mkdir(l->logs, 0755) && errno != EEXIST)
		return fail(EXIT_REFUSED, "%s: %s", l->logs, strerror(errno));
	snprintf(log, sizeof(log), "%s/%s.log", l->logs, c->name);
	rc = netns_run(c->name, c->run, log, &p);
	if (rc)
		return fail(EXIT_REFUSED, "container %s: run: %s", c->name, strerror(-rc));
	lab_set_proc(node, &p);
	json_object_set_new(node, "run", json_string(c->run));
	json_object_set_new(node, "log", json_string(log));
	return lab_save(l);
}

/* A command that fails at once is worth a word now; it undoes nothing. */
static void report_early_ends(const struct lab *l)
{
	uint64_t deadline;
	const char *name;
	struct proc p;
	json_t *node;
	int status;
	size_t i;

	for (deadline = clock_ms() + EARLY_MS; clock_ms() < deadline;) {
		json_array_foreach(json_object_get(l->state, "nodes"), i, node)
		{
			p = lab_proc(node);
			name = json_string_value(json_object_get(node, "name"));
			if (!p.pid || waitpid(p.pid, &status, WNOHANG) != p.pid || !status)
				continue;
			fail(0, "container %s: run ended with status %d: see %s/%s.log", name,
			     WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
			     l->logs, name);
		}
		poll(NULL, 0, LOOK_MS);
	}
}

static int interrupted(void)
{
	return client_interrupted() ? fail(EXIT_REFUSED, "interrupted") : 0;
}

/* Every step of `up`, in order, until one fails. */
static int bring_up(struct lab *l, const struct conf *conf, const char *text, size_t bytes)
{
	const char *file = json_string_value(json_object_get(l->state, "file"));
	char *fragment;
	size_t i;
	int rc;

	rc = start_daemon(l);
	fragment = rc ? NULL
		      : lab_fragment(file, text, bytes, conf,
				     json_is_object(json_object_get(l->state, "daemon")), &rc);
	for (i = 0; !rc && i < conf->n_containers; i++) {
		rc = interrupted();
		if (!rc)
			rc = add_namespace(l, &conf->containers[i]);
	}
	if (!rc)
		rc = add_objects(l, conf, fragment);
	free(fragment);
	if (!rc)
		rc = wait_ports(l);
	for (i = 0; !rc && i < conf->n_containers; i++) {
		rc = interrupted();
		if (!rc)
			rc = run_node(l, json_array_get(json_object_get(l->state, "nodes"), i),
				      &conf->containers[i]);
	}
	return rc ? rc : interrupted();
}

static void end_commands(const struct lab *l)
{
	struct proc p;
	json_t *node;
	ino_t netns;
	size_t i;

	json_array_foreach(json_object_get(l->state, "nodes"), i, node)
	{
		p = lab_proc(node);
		netns = (ino_t)json_integer_value(json_object_get(node, "netns"));
		if (p.pid && !proc_end(&p, netns, END_MS))
			fail(0, "container %s: process %d does not end",
			     json_string_value(json_object_get(node, "name")), (int)p.pid);
	}
}

/* {name: null} of the recorded names that list ("port.ls") still has. */
static int still_there(const struct lab *l, const char *member, const char *list, json_t **out)
{
	const char *name;
	json_t *answer, *item;
	size_t i;
	int rc;

	rc = client_ask(client_request(list), NULL, &answer);
	if (rc)
		return rc;
	*out = need(json_object());
	json_array_foreach(json_object_get(l->state, member), i, item)
	{
		name = json_string_value(item);
		if (name && strcmp(port_state(answer, name), "gone"))
			json_object_set_new(*out, name, json_null());
	}
	json_decref(answer);
	return 0;
}

/* Takes what the lab added out of the fabric. */
static int remove_objects(const struct lab *l)
{
	json_t *ports, *networks;
	int rc;

	if (!json_object_get(l->state, "ports") || !client_is_answered())
		return 0;
	rc = still_there(l, "ports", "port.ls", &ports);
	if (rc)
		return rc;
	rc = still_there(l, "networks", "net.ls", &networks);
	if (rc) {
		json_decref(ports);
		return rc;
	}
	return merge_send(need(json_pack("{s:o,s:o}", "ports", ports, "networks", networks)), "del",
			  false);
}

static int remove_namespaces(const struct lab *l)
{
	const char *name;
	json_t *node;
	ino_t inode;
	int rc, one;
	size_t i;

	rc = 0;
	json_array_foreach(json_object_get(l->state, "nodes"), i, node)
	{
		name = json_string_value(json_object_get(node, "name"));
		inode = (ino_t)json_integer_value(json_object_get(node, "netns"));
		one = name ? netns_del(name, inode) : 0;
		if (one == -ESTALE)
			fail(0, "container %s: its namespace is another's by now, and stays", name);
		else if (one)
			rc = fail(EXIT_REFUSED, "container %s: namespace: %s", name,
				  strerror(-one));
	}
	return rc;
}

/* Another lab that uses the same socket: it becomes the owner of the vfabd.  True when there is one. */
static bool hand_over(const struct lab *l, json_t *daemon)
{
	const char *socket, *name;
	struct lab other;
	json_t *all, *state;
	bool done;
	size_t i;

	socket = json_string_value(json_object_get(l->state, "socket"));
	done = false;
	all = lab_all();
	json_array_foreach(all, i, state)
	{
		const char *theirs = json_string_value(json_object_get(state, "socket"));

		name = json_string_value(json_object_get(state, "lab"));
		if (done || !name || !socket || !theirs || strcmp(socket, theirs) ||
		    !strcmp(name, l->name))
			continue;
		other = (struct lab){.state = state, .lock = -1};
		snprintf(other.path, sizeof(other.path), "%.2000s/lab/%.63s.json", lab_run_dir(),
			 name);
		json_object_set(state, "daemon", daemon);
		done = !lab_save(&other);
	}
	json_decref(all);
	return done;
}

/* Removes all that is recorded.  0 or the exit status; the record stays when something else did. */
static int tear_down(struct lab *l)
{
	const char *socket;
	json_t *daemon;
	struct proc p;
	int rc, other;

	socket = json_string_value(json_object_get(l->state, "socket"));
	if (socket)
		client_use_socket(socket);
	end_commands(l);
	daemon = json_object_get(l->state, "daemon");
	p = lab_proc(daemon);
	rc = 0;
	if (!proc_lives(&p) || hand_over(l, daemon))
		rc = remove_objects(l);
	else if (!proc_end(&p, 0, DAEMON_END_MS))
		rc = fail(EXIT_REFUSED, "vfabd (process %d) does not end", (int)p.pid);
	other = remove_namespaces(l);
	rc = rc ? rc : other;
	if (!rc)
		lab_forget(l);
	return rc;
}

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
	rc = bring_up(l, conf, text, bytes);
	conf_destroy(conf);
	if (!rc) {
		json_object_set_new(l->state, "state", json_string("up"));
		rc = lab_save(l);
	}
	if (rc) {
		tear_down(l);
		return rc;
	}
	report_early_ends(l);
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
		rc = tear_down(&l);
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
				    answer && name ? json_string(port_state(answer, name))
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
