/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_state: the record of a lab; see the header. */
#include "tools/lab_state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/confile.h"
#include "tools/say.h"

const char *lab_run_dir(void)
{
	const char *env = getenv("VFAB_RUN");

	return env && *env ? env : "/run/vfab";
}

/* The base name of a file without .yaml, as a name: what names of objects may be.  False when it is none. */
static bool name_of(const char *file, char name[static CONF_NAME_SIZE])
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-";
	const char *base, *dot;
	size_t n;

	base = strrchr(file, '/');
	base = base ? base + 1 : file;
	dot = strrchr(base, '.');
	n = dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml")) ? (size_t)(dot - base)
								   : strlen(base);
	if (!n || n >= CONF_NAME_SIZE || *base == '-' || *base == '.' || strspn(base, good) < n)
		return false;
	memcpy(name, base, n);
	name[n] = '\0';
	return true;
}

/* Makes RUN and RUN/lab and takes the lock.  0 or -errno. */
static int take_lock(struct lab *l)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s", lab_run_dir());
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s/lab", lab_run_dir());
	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	snprintf(path, sizeof(path), "%s/lab/.lock", lab_run_dir());
	l->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (l->lock < 0)
		return -errno;
	return flock(l->lock, LOCK_EX) ? -errno : 0;
}

/* The record at path; NULL with *status 0 when there is none. */
static json_t *load(const char *path, int *status)
{
	json_error_t err;
	json_t *state;

	*status = 0;
	state = json_load_file(path, 0, &err);
	if (json_is_object(state))
		return state;
	json_decref(state);
	if (access(path, F_OK))
		return NULL;
	*status = fail(EXIT_REFUSED, "%s: not the record of a lab", path);
	return NULL;
}

int lab_open(const char *file, struct lab *l)
{
	int rc;

	*l = (struct lab){.lock = -1};
	if (!name_of(file, l->name))
		return fail(EXIT_USAGE,
			    "lab: \"%s\" does not name a lab: a file's name of A-Z a-z 0-9 . _ -, "
			    "and .yaml",
			    file);
	if (strlen(lab_run_dir()) > PATH_MAX / 2)
		return fail(EXIT_REFUSED, "VFAB_RUN: %s", strerror(ENAMETOOLONG));
	rc = take_lock(l);
	if (rc)
		return fail(EXIT_REFUSED, "%s/lab: %s", lab_run_dir(), strerror(-rc));
	snprintf(l->path, sizeof(l->path), "%s/lab/%s.json", lab_run_dir(), l->name);
	snprintf(l->logs, sizeof(l->logs), "%s/lab/%s", lab_run_dir(), l->name);
	l->state = load(l->path, &rc);
	return rc;
}

void lab_close(struct lab *l)
{
	json_decref(l->state);
	if (l->lock >= 0)
		close(l->lock);
}

int lab_save(const struct lab *l)
{
	char *text;
	int rc;

	text = need(json_dumps(l->state, JSON_INDENT(1)));
	rc = confile_replace(l->path, text, 0644);
	free(text);
	return rc;
}

/* What a `vfab lab` that was killed had begun to write in place of the record: its name and six characters. */
static void forget_halves(const struct lab *l)
{
	char prefix[CONF_NAME_SIZE + 8], path[PATH_MAX];
	struct dirent *entry;
	size_t n;
	DIR *dir;

	n = (size_t)snprintf(prefix, sizeof(prefix), "%s.json.", l->name);
	snprintf(path, sizeof(path), "%.2000s/lab", lab_run_dir());
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, prefix, n) && strlen(entry->d_name) == n + 6 &&
		    !strchr(entry->d_name + n, '.'))
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir)
		closedir(dir);
}

void lab_forget(struct lab *l)
{
	const char *log;
	json_t *node;
	size_t i;

	json_array_foreach(json_object_get(l->state, "nodes"), i, node)
	{
		log = json_string_value(json_object_get(node, "log"));
		if (log && !strncmp(log, l->logs, strlen(l->logs)))
			unlink(log);
	}
	rmdir(l->logs);
	forget_halves(l);
	unlink(l->path);
}

json_t *lab_all(void)
{
	char path[PATH_MAX];
	struct dirent **list;
	json_t *all, *state;
	const char *dot;
	int i, n, status;

	all = need(json_array());
	snprintf(path, sizeof(path), "%.2000s/lab", lab_run_dir());
	n = scandir(path, &list, NULL, alphasort);
	for (i = 0; i < n; i++) {
		dot = strrchr(list[i]->d_name, '.');
		if (dot && dot != list[i]->d_name && !strcmp(dot, ".json")) {
			snprintf(path, sizeof(path), "%.2000s/lab/%s", lab_run_dir(),
				 list[i]->d_name);
			state = load(path, &status);
			if (state)
				json_array_append_new(all, state);
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return all;
}

struct proc lab_proc(json_t *obj)
{
	json_int_t pid, start;

	pid = json_integer_value(json_object_get(obj, "pid"));
	start = json_integer_value(json_object_get(obj, "start"));
	if (pid <= 1 || pid > INT_MAX || start <= 0)
		return (struct proc){0};
	return (struct proc){.pid = (pid_t)pid, .start = (uint64_t)start};
}

void lab_set_proc(json_t *obj, const struct proc *p)
{
	json_object_set_new(obj, "pid", json_integer(p->pid));
	json_object_set_new(obj, "start", json_integer((json_int_t)p->start));
}
