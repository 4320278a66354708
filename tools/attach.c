/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach: `vfab attach`: a tap in a container, a namespace or beside a process.
 *
 * What the word means is found here, in this order: all digits are a pid; a name under /run/netns or a path; a running
 * container of LXC, Podman or Docker.  The engines are asked through their own programs, with the user's rights; those that are not
 * installed are passed over.  Two engines that run a container of one name are an error; a prefix
 * ("podman:web", also lxc: docker: netns: pid:) says which is meant.  The rest is `port add`.
 *
 * Trust.  What an engine prints is parsed as JSON or a number and used only as a pid or a path; vfabd checks both.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch/base/units.h"
#include "switch/conf.h"
#include "tools/merge.h"
#include "tools/nouns.h"
#include "tools/proc.h"
#include "tools/say.h"
#include "tools/table.h"

const struct verb_option attach_options[] = {
	{"net", 0, "NETWORK", AS_TEXT, "network", "the network it is put on"},
	{"ifname", 0, "IFNAME", AS_LOCAL, NULL, "name of the device inside; default eth0"},
	{"ipv4", 0, "CIDR|dhcp", AS_TEXT, NULL, "address of the device"},
	{"ipv6", 0, "CIDR", AS_TEXT, NULL, "address of the device"},
	{"gateway", 0, "IP", AS_TEXT, NULL, "default route inside"},
	{"mac", 0, "MAC", AS_TEXT, NULL, "hardware address of the device"},
	{"mtu", 0, "N", AS_NUMBER, NULL, "MTU of the device"},
	{"name", 0, "PORT", AS_LOCAL, NULL, "name of the port; default the container's"},
	{0},
};

/* What a word turned out to be. */
struct target {
	char name[CONF_NAME_SIZE];   /* of the port, unless --name says otherwise */
	char netns[CONF_NETNS_SIZE]; /* key `netns` of the port */
	const char *kind;	     /* "LXC", ...: for messages */
};

/* Fills t from a pid.  -ENOENT: not running. */
static int target_of_pid(const char *kind, const char *name, uint64_t pid, struct target *t)
{
	if (!pid || pid > INT32_MAX || !proc_started((pid_t)pid))
		return -ENOENT;
	snprintf(t->name, sizeof(t->name), "%.63s", name);
	snprintf(t->netns, sizeof(t->netns), "%llu", (unsigned long long)pid);
	t->kind = kind;
	return 0;
}

static int find_pid(const char *word, struct target *t)
{
	char name[CONF_NAME_SIZE];
	uint64_t pid;

	if (!units_number(word, 1, INT32_MAX, &pid))
		return -ENOENT;
	snprintf(name, sizeof(name), "pid-%.50s", word);
	return target_of_pid("process", name, pid, t);
}

static int find_netns(const char *word, struct target *t)
{
	static const char dir[] = "/run/netns/";
	char path[sizeof(dir) + CONF_NETNS_SIZE];
	const char *name;
	struct stat st;

	if (!strncmp(word, dir, strlen(dir)))
		word += strlen(dir);
	name = *word == '/' ? strrchr(word, '/') + 1 : word;
	if (!*name || strchr(name, '/') || strlen(word) >= CONF_NETNS_SIZE || !strcmp(name, ".") ||
	    !strcmp(name, ".."))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s%s", *word == '/' ? "" : dir, word);
	if (stat(path, &st))
		return -ENOENT;
	snprintf(t->name, sizeof(t->name), "%.63s", name);
	snprintf(t->netns, sizeof(t->netns), "%s", word);
	t->kind = "namespace";
	return 0;
}

static int find_lxc(const char *word, struct target *t)
{
	const char *const argv[] = {"lxc-info", "-n", word, "-p", "-H", NULL};
	uint64_t pid;
	char *out;
	int rc;

	rc = proc_run(argv, &out);
	if (rc < 0)
		return rc;
	out[strcspn(out, "\r\n")] = '\0';
	rc = rc || !units_number(out, 1, INT32_MAX, &pid) ? -ENOENT
							  : target_of_pid("LXC", word, pid, t);
	free(out);
	return rc;
}

/* What `podman inspect` and `docker inspect` print: a list of one container. */
static int read_inspect(const char *kind, const char *text, struct target *t)
{
	const char *name, *sandbox;
	struct stat st;
	json_t *list, *one;
	json_int_t pid;
	int rc;

	list = json_loads(text, 0, NULL);
	one = json_array_get(list, 0);
	name = json_string_value(json_object_get(one, "Name"));
	pid = json_integer_value(table_at(one, "State.Pid"));
	sandbox = json_string_value(table_at(one, "NetworkSettings.SandboxKey"));
	rc = -ENOENT;
	if (name && pid > 0)
		rc = target_of_pid(kind, name + (*name == '/'), (uint64_t)pid, t);
	/* Podman's own mount of the namespace outlives a restart of the container's process. */
	if (!rc && !strcmp(kind, "Podman") && sandbox && *sandbox == '/' &&
	    strlen(sandbox) < sizeof(t->netns) && !stat(sandbox, &st) &&
	    st.st_ino == proc_netns((pid_t)pid))
		snprintf(t->netns, sizeof(t->netns), "%s", sandbox);
	json_decref(list);
	return rc;
}

static int find_inspect(const char *kind, const char *program, const char *word, struct target *t)
{
	const char *const argv[] = {program, "inspect", "--type", "container", "--", word, NULL};
	char *out;
	int rc;

	rc = proc_run(argv, &out);
	if (rc < 0)
		return rc;
	rc = rc ? -ENOENT : read_inspect(kind, out, t);
	free(out);
	return rc;
}

static int find_podman(const char *word, struct target *t)
{
	return find_inspect("Podman", "podman", word, t);
}

static int find_docker(const char *word, struct target *t)
{
	return find_inspect("Docker", "docker", word, t);
}

static const struct place {
	const char *prefix;
	const char *what;    /* "a running Podman container" */
	const char *program; /* that is asked; NULL: none */
	int (*find)(const char *word, struct target *t);
} places[] = {
	{"pid:", "a process", NULL, find_pid},
	{"netns:", "a name under /run/netns or a path", NULL, find_netns},
	{"lxc:", "a running LXC container", "lxc-info", find_lxc},
	{"podman:", "a running Podman container", "podman", find_podman},
	{"docker:", "a running Docker container", "docker", find_docker},
};

enum { N_PLACES = sizeof(places) / sizeof(places[0]), FIRST_ENGINE = 2 };

static int none_found(const char *word, const int *rc, size_t first)
{
	char tried[512] = "";
	size_t i, n;

	for (i = first; i < N_PLACES; i++) {
		n = strlen(tried);
		if (rc[i] == -ENOENT)
			snprintf(tried + n, sizeof(tried) - n, "%s%s", n ? ", " : "",
				 places[i].what);
		else
			snprintf(tried + n, sizeof(tried) - n, "%s%s (%s: %s)", n ? ", " : "",
				 places[i].what, places[i].program, strerror(-rc[i]));
	}
	return fail(EXIT_REFUSED, "attach %s: there is none; tried: %s", word, tried);
}

/* Asks the engines; exactly one must know the word. */
static int find_engine(const char *word, struct target *t)
{
	struct target found[N_PLACES];
	size_t i, n, first;
	int rc[N_PLACES];

	n = 0;
	first = 0;
	rc[0] = rc[1] = -ENOENT;
	for (i = FIRST_ENGINE; i < N_PLACES; i++) {
		rc[i] = places[i].find(word, &found[i]);
		if (rc[i])
			continue;
		/* One process known to two engines is one container: a docker command that is Podman's. */
		if (n && !strcmp(found[i].netns, found[first].netns))
			continue;
		if (n)
			return fail(
				EXIT_REFUSED,
				"attach %s: both %s and %s run one of that name: say %s%s or %s%s",
				word, found[first].kind, found[i].kind, places[first].prefix, word,
				places[i].prefix, word);
		first = i;
		n = 1;
	}
	if (!n)
		return none_found(word, rc, 1);
	*t = found[first];
	return 0;
}

/* 0 and *t, or the exit status. */
static int find_target(const char *word, struct target *t)
{
	size_t i, n;
	int rc;

	if (!*word || *word == '-' || strlen(word) > 255)
		return fail(EXIT_USAGE, "attach: \"%s\" names nothing", word);
	for (i = 0; i < N_PLACES; i++) {
		n = strlen(places[i].prefix);
		if (strncmp(word, places[i].prefix, n))
			continue;
		rc = places[i].find(word + n, t);
		if (rc)
			return fail(EXIT_REFUSED, "attach %s: %s", word,
				    rc == -ENOENT ? "there is none" : strerror(-rc));
		return 0;
	}
	if (strspn(word, "0123456789") == strlen(word)) {
		if (!find_pid(word, t))
			return 0;
		return fail(EXIT_REFUSED, "attach %s: no process has this pid", word);
	}
	return find_netns(word, t) ? find_engine(word, t) : 0;
}

/* A container with --network=host has our own namespace: a tap there would be the host's. */
static bool shares_host(const struct target *t)
{
	uint64_t pid;
	ino_t netns;

	if (!strcmp(t->kind, "process") || !units_number(t->netns, 1, INT32_MAX, &pid))
		return false;
	netns = proc_netns((pid_t)pid);
	return netns && netns == proc_netns(getpid());
}

int attach(const struct call *c)
{
	const char *ifname = call_option(c, "ifname"), *name = call_option(c, "name");
	struct target t = {.kind = ""};
	json_t *keys;
	int status;

	if (!call_option(c, "net"))
		return fail(EXIT_USAGE, "attach: --net NETWORK says where it is put");
	keys = merge_keys(c, "add", &status);
	if (!keys)
		return status;
	status = find_target(c->arg[0], &t);
	if (!status && shares_host(&t))
		status = fail(EXIT_REFUSED, "attach %s: the container has no network of its own",
			      c->arg[0]);
	if (status) {
		json_decref(keys);
		return status;
	}
	json_object_set_new(keys, "tap", json_string(ifname ? ifname : "eth0"));
	json_object_set_new(keys, "netns", json_string(t.netns));
	return merge_send(merge_object("ports", name ? name : t.name, keys), "add", false);
}
