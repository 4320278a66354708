/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab_down: what a record names, removed.
 *
 *   commands -> what was added to the fabric, or the vfabd that was started -> namespaces -> the record
 *
 * A namespace is known by its inode, a process by its start time: what somebody else put in their place is left
 * alone.  A vfabd that another lab uses by now becomes that lab's.
 */
#include "tools/lab_steps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/client.h"
#include "tools/lab_names.h"
#include "tools/merge.h"
#include "tools/netns.h"
#include "tools/say.h"

enum { END_MS = 3000, DAEMON_END_MS = 10000 };

const char *lab_port_state(json_t *ports, const char *name)
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
		if (name && strcmp(lab_port_state(answer, name), "gone"))
			json_object_set_new(*out, name, json_null());
	}
	json_decref(answer);
	return 0;
}

/* The recorded routes that are still there. */
static int routes_still_there(const struct lab *l, json_t **out)
{
	json_t *answer, *route, *item;
	size_t i, j;
	int rc;

	*out = NULL;
	if (!json_array_size(json_object_get(l->state, "routes")))
		return 0;
	rc = client_ask(client_request("route.ls"), NULL, &answer);
	if (rc)
		return rc;
	*out = need(json_array());
	json_array_foreach(json_object_get(l->state, "routes"), i, item)
	{
		json_array_foreach(answer, j, route)
		{
			if (json_equal(route, item))
				json_array_append(*out, item);
		}
	}
	json_decref(answer);
	return 0;
}

/* A network that is not ours is on the uplink. */
static bool is_used_by_others(json_t *uplink, json_t *networks)
{
	const char *name;
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(uplink, "networks"), i, item)
	{
		name = json_string_value(item);
		if (name && !json_object_get(networks, name))
			return true;
	}
	return false;
}

/* Uplinks that others use by now are theirs. */
static int uplinks_still_there(const struct lab *l, json_t *networks, json_t **out)
{
	json_t *answer, *uplink, *item;
	size_t i, j;
	int rc;

	*out = need(json_object());
	if (!json_array_size(json_object_get(l->state, "uplinks")))
		return 0;
	rc = client_ask(client_request("uplink.ls"), NULL, &answer);
	if (rc)
		return rc;
	json_array_foreach(json_object_get(l->state, "uplinks"), i, item)
	{
		json_array_foreach(answer, j, uplink)
		{
			if (json_equal(json_object_get(uplink, "name"), item) &&
			    !is_used_by_others(uplink, networks))
				json_object_set_new(*out, json_string_value(item), json_null());
		}
	}
	json_decref(answer);
	return 0;
}

/* Takes what the lab added out of the fabric. */
static int remove_objects(const struct lab *l)
{
	json_t *ports, *networks = NULL, *uplinks = NULL, *routes = NULL, *all;
	int rc;

	if (!json_object_get(l->state, "ports") || !client_is_answered())
		return 0;
	rc = still_there(l, "ports", "port.ls", &ports);
	if (rc)
		return rc;
	rc = still_there(l, "networks", "net.ls", &networks);
	if (!rc)
		rc = uplinks_still_there(l, networks, &uplinks);
	if (!rc)
		rc = routes_still_there(l, &routes);
	all = json_pack("{s:o,s:o*,s:o*,s:o*}", "ports", ports, "networks", networks, "uplinks",
			uplinks, "routes", routes);
	if (!rc)
		return merge_send(need(all), "del", false);
	json_decref(all);
	return rc;
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
		if (name && json_is_true(json_object_get(node, "resolv_conf")))
			lab_names_remove(name);
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

int lab_tear_down(struct lab *l)
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
