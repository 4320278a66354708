/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv_conf: the name servers in the host's /etc/resolv.conf, and following it as it changes.
 *
 * How it fits.  broker_resolver.c follows it while the configuration names no servers.
 *
 * Theory of operation.  Those who write it (resolvconf, NetworkManager, systemd-resolved, DHCP clients, people) put a new file
 * into its place, write into it, or point a link elsewhere.  So the directory of the path and of what each link leads to is
 * watched, and the file itself, which may be mounted there from elsewhere, as in containers.  Whatever happens starts a timer;
 * when it fires everything is looked at anew, watches too.  A directory that is not there yet, or another file mounted over the
 * path, no watch would tell of: it is looked at every LOOK_MS as well.
 *
 * Trust.  The file is root's, its words may be those of a DHCP server of the host's network.
 */
#include "switch/resolv_conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	TEXT_MAX = 65536,
	LINKS_MAX = 8,
	DEBOUNCE_MS = 100,
	LOOK_MS = 10000,
	DNS_PORT = 53,
	DIRECTORY_EVENTS = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE |
			   IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
	FILE_EVENTS = IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF,
};

/* --- the text --------------------------------------------------------------------------- */

/* One host, which can be reached without saying by which interface. */
static bool can_ask(const struct ip *ip)
{
	static const struct ip none, none4 = {{[10] = 0xff, 0xff}};

	if (ip_is_v4(ip))
		return !ip_equal(ip, &none4) && ip->b[12] < 224;
	return !ip_equal(ip, &none) && ip->b[0] != 0xff &&
	       !(ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80);
}

/* The address of a line "nameserver ADDRESS"; what follows it is nobody's. */
static bool parse_line(const char *line, size_t n, struct ip *ip)
{
	static const char word[] = "nameserver";
	char text[IP_TEXT];
	size_t at = sizeof(word) - 1, end;

	if (n <= at || memcmp(line, word, at) != 0 || !isblank((unsigned char)line[at]))
		return false;
	while (at < n && isblank((unsigned char)line[at]))
		at++;
	for (end = at; end < n && !isspace((unsigned char)line[end]); end++)
		;
	if (end - at >= sizeof(text) || memchr(line + at, '\0', end - at))
		return false;
	memcpy(text, line + at, end - at);
	text[end - at] = '\0';
	/* A scope ("%eth0") is none of ip_parse()'s. */
	return ip_parse(text, ip) && can_ask(ip);
}

static bool has_server(const struct resolver_server *s, unsigned n, const struct ip *ip)
{
	unsigned i;

	for (i = 0; i < n; i++) {
		if (ip_equal(&s[i].ip, ip))
			return true;
	}
	return false;
}

unsigned resolv_conf_parse(const char *text, size_t n,
			   struct resolver_server out[static RESOLVER_SERVERS])
{
	const char *end;
	unsigned found = 0;
	struct ip ip;
	size_t line;

	while (n > 0 && found < RESOLVER_SERVERS) {
		end = memchr(text, '\n', n);
		line = end ? (size_t)(end - text) : n;
		if (parse_line(text, line, &ip) && !has_server(out, found, &ip))
			out[found++] = (struct resolver_server){.ip = ip, .port = DNS_PORT};
		line += end ? 1 : 0;
		text += line;
		n -= line;
	}
	return found;
}

/* --- following it ----------------------------------------------------------------------- */

struct resolv_conf {
	struct loop *loop;
	const char *path;
	void (*changed)(void *arg);
	void *arg;
	int inotify;
	unsigned n_names;
	char name[LINKS_MAX][NAME_MAX + 1]; /* that matter in the directories watched */
	int debounce_timer, look_timer;
	unsigned n;
	struct resolver_server server[RESOLVER_SERVERS];
};

/* No file, or none that can be read: no servers. */
static unsigned read_servers(const char *path, struct resolver_server out[static RESOLVER_SERVERS])
{
	static char text[TEXT_MAX];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	size_t n = 0;
	ssize_t got = 1;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		got = 0;
	while (got > 0 && n < sizeof(text)) {
		got = read(fd, text + n, sizeof(text) - n);
		n += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	return resolv_conf_parse(text, n, out);
}

/* The directory of path, for the sake of its last name. */
static void watch_name(struct resolv_conf *f, int inotify, const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	snprintf(f->name[f->n_names++], sizeof(f->name[0]), "%s", basename(copy));
	snprintf(copy, sizeof(copy), "%s", path);
	inotify_add_watch(inotify, dirname(copy), DIRECTORY_EVENTS);
}

/* What the link at path leads to, in its place; false: it is none. */
static bool follow_link(char path[static PATH_MAX])
{
	char target[PATH_MAX], directory[PATH_MAX], joined[2 * PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n <= 0)
		return false;
	target[n] = '\0';
	snprintf(directory, sizeof(directory), "%s", path);
	if (target[0] == '/')
		snprintf(joined, sizeof(joined), "%s", target);
	else
		snprintf(joined, sizeof(joined), "%s/%s", dirname(directory), target);
	if (strlen(joined) >= PATH_MAX)
		return false;
	memcpy(path, joined, strlen(joined) + 1);
	return true;
}

/* All watches anew: what a name leads to may be another directory than it was. */
static int watch(struct resolv_conf *f, loop_fn on_event)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), err, i;
	char path[PATH_MAX];

	if (fd < 0)
		return -errno;
	err = loop_add(f->loop, fd, EPOLLIN, on_event, f);
	if (err) {
		close(fd);
		return err;
	}
	snprintf(path, sizeof(path), "%s", f->path);
	f->n_names = 0;
	for (i = 0; i < LINKS_MAX; i++) {
		watch_name(f, fd, path);
		if (!follow_link(path))
			break;
	}
	inotify_add_watch(fd, f->path, FILE_EVENTS);
	loop_del(f->loop, f->inotify);
	if (f->inotify >= 0)
		close(f->inotify);
	f->inotify = fd;
	return 0;
}

static void look(struct resolv_conf *f)
{
	struct resolver_server server[RESOLVER_SERVERS] = {0};
	unsigned n = read_servers(f->path, server);

	if (n == f->n && memcmp(server, f->server, n * sizeof(server[0])) == 0)
		return;
	f->n = n;
	memcpy(f->server, server, sizeof(f->server));
	f->changed(f->arg);
}

static void on_look(void *arg, uint32_t events)
{
	struct resolv_conf *f = arg;

	(void)events;
	f->look_timer = loop_after(f->loop, LOOK_MS, on_look, f);
	look(f);
}

static void on_event(void *arg, uint32_t events);

static void on_quiet(void *arg, uint32_t events)
{
	struct resolv_conf *f = arg;

	(void)events;
	f->debounce_timer = 0;
	/* First the watches: what happens between is seen by one of both.  Without, there is the other timer. */
	watch(f, on_event);
	look(f);
}

/* Others' files come and go in these directories: only our names matter, and what has none. */
static bool is_ours(const struct resolv_conf *f, const struct inotify_event *e)
{
	unsigned i;

	for (i = 0; i < f->n_names && e->len > 0; i++) {
		if (strcmp(e->name, f->name[i]) == 0)
			return true;
	}
	return e->len == 0;
}

static void on_event(void *arg, uint32_t events)
{
	char buffer[4096] __attribute__((aligned(8)));
	struct resolv_conf *f = arg;
	const struct inotify_event *e;
	bool matters = false;
	ssize_t n, at;

	(void)events;
	while ((n = read(f->inotify, buffer, sizeof(buffer))) > 0) {
		for (at = 0; at < n; at += (ssize_t)(sizeof(*e) + e->len)) {
			e = (const struct inotify_event *)(const void *)(buffer + at);
			matters |= is_ours(f, e);
		}
	}
	if (matters && f->debounce_timer <= 0)
		f->debounce_timer = loop_after(f->loop, DEBOUNCE_MS, on_quiet, f);
}

struct resolv_conf *resolv_conf_create(struct loop *loop, const char *path,
				       void (*changed)(void *arg), void *arg)
{
	struct resolv_conf *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return NULL;
	*f = (struct resolv_conf){
		.loop = loop, .path = path, .changed = changed, .arg = arg, .inotify = -1};
	err = watch(f, on_event);
	if (err) {
		free(f);
		errno = -err;
		return NULL;
	}
	f->n = read_servers(path, f->server);
	f->look_timer = loop_after(loop, LOOK_MS, on_look, f);
	return f;
}

void resolv_conf_destroy(struct resolv_conf *f)
{
	if (!f)
		return;
	loop_cancel(f->loop, f->look_timer);
	loop_cancel(f->loop, f->debounce_timer);
	loop_del(f->loop, f->inotify);
	if (f->inotify >= 0)
		close(f->inotify);
	free(f);
}

unsigned resolv_conf_servers(const struct resolv_conf *f,
			     struct resolver_server out[static RESOLVER_SERVERS])
{
	memcpy(out, f->server, sizeof(f->server));
	return f->n;
}
