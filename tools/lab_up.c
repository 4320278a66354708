/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab_up: a lab comes up, step by step.
 *
 *   vfabd, if none answers -> a namespace for each container -> networks and ports into the fabric -> wait until they
 *   are up -> the containers' commands
 *
 * Each step is recorded (lab_state.c) once it is done, a namespace before it has its name, so that lab_down.c can undo a lab
 * that came up half way.
 */
#include "tools/lab_steps.h"

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
#include "tools/lab_conf.h"
#include "tools/lab_names.h"
#include "tools/netns.h"
#include "tools/say.h"

enum { START_MS = 10000, PORTS_MS = 10000, LOOK_MS = 25, EARLY_MS = 150 };

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

struct new_node {
	struct lab *lab;
	const struct conf_container *conf;
};

static int record_node(ino_t inode, void *arg)
{
	const struct new_node *n = arg;
	json_t *obj;

	obj = need(json_pack("{s:s,s:I,s:o}", "name", n->conf->name, "netns", (json_int_t)inode,
			     "ports", lab_node_ports(n->conf)));
	json_array_append_new(json_object_get(n->lab->state, "nodes"), obj);
	return lab_save(n->lab);
}

/* What was there before is not recorded, and stays when the lab goes. */
static int add_names(struct lab *l, const struct conf *conf, const struct conf_container *node)
{
	json_t *nodes = json_object_get(l->state, "nodes");
	int rc = lab_names_write(conf, node);

	if (rc < 0)
		return fail(EXIT_REFUSED, "container %s: resolv.conf: %s", node->name,
			    strerror(-rc));
	if (rc == 0)
		return 0;
	json_object_set_new(json_array_get(nodes, json_array_size(nodes) - 1), "resolv_conf",
			    json_true());
	rc = lab_save(l);
	if (rc)
		lab_names_remove(node->name);
	return rc;
}

static int add_namespace(struct lab *l, const struct conf *conf, const struct conf_container *node)
{
	struct new_node new_node = {l, node};
	int rc;

	rc = netns_add(node->name, record_node, &new_node);
	if (!rc)
		return add_names(l, conf, node);
	if (rc == -EEXIST)
		return fail(EXIT_REFUSED, "container %s: there is a namespace of that name already",
			    node->name);
	if (rc < 0)
		return fail(EXIT_REFUSED, "container %s: no namespace: %s", node->name,
			    strerror(-rc));
	return rc;
}

static void record_routes(struct lab *l, const struct conf *conf)
{
	json_t *routes = need(json_array());
	size_t i;

	for (i = 0; i < conf->n_routes; i++)
		json_array_append_new(routes, json_pack("{s:s,s:s}", "from", conf->routes[i].from,
							"to", conf->routes[i].to));
	json_object_set_new(l->state, "routes", routes);
}

/* Those that vfabd says it added: one that it made for a network without is among them, one that was there is not. */
static void record_uplinks(struct lab *l, json_t *answer)
{
	json_t *uplinks = need(json_array()), *change;
	const char *kind, *object;
	size_t i;

	json_array_foreach(json_object_get(answer, "changes"), i, change)
	{
		kind = json_string_value(json_object_get(change, "kind"));
		object = json_string_value(json_object_get(change, "object"));
		if (kind && object && !strcmp(kind, "add") && !strcmp(object, "uplink"))
			json_array_append(uplinks, json_object_get(change, "name"));
	}
	json_object_set_new(l->state, "uplinks", uplinks);
}

/* The names of what the fragment added, for the record; answer: what vfabd said. */
static void record_objects(struct lab *l, const struct conf *conf, json_t *answer)
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
	record_routes(l, conf);
	record_uplinks(l, answer);
}

static int add_objects(struct lab *l, const struct conf *conf, const char *fragment)
{
	json_t *request, *answer;
	int rc;

	request = client_request("conf.merge");
	json_object_set_new(request, "how", json_string("add"));
	json_object_set_new(request, "text", json_string(fragment));
	/* As for a file: a namespace that is missing may come later. */
	json_object_set_new(request, "may_wait", json_true());
	rc = client_ask(request, NULL, &answer);
	if (rc)
		return rc;
	record_objects(l, conf, answer);
	json_decref(answer);
	return lab_save(l);
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
			if (name && strcmp(lab_port_state(answer, name), "up"))
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
				  lab_port_state(answer, name));
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

void lab_report_early_ends(const struct lab *l)
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

int lab_bring_up(struct lab *l, const struct conf *conf, const char *text, size_t bytes)
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
			rc = add_namespace(l, conf, &conf->containers[i]);
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
