/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab_names: see lab_names.h; lab_up.c writes, lab_down.c removes what its record says that was written. */
#include "tools/lab_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SERVERS_MOST = 3, PATH_SIZE = 128 + CONF_NAME_SIZE };

static const char dir_of_all[] = "/etc/netns";

static void path_of(char buf[static PATH_SIZE], const char *node, const char *file)
{
	snprintf(buf, PATH_SIZE, "%s/%s%s", dir_of_all, node, file);
}

/* The servers that the hosts of a network are told: those of its list, else its gateway.  How many lines. */
static unsigned put_servers(FILE *out, const struct conf_network *net, unsigned room)
{
	char text[IP_TEXT];
	struct ip gateway;
	unsigned n = 0;

	for (; n < net->n_dns && n < room; n++)
		fprintf(out, "nameserver %s\n", ip_text(&net->dns[n], text));
	if (n == 0 && room > 0 && conf_network_dns(net) && conf_network_gateway(net, &gateway)) {
		fprintf(out, "nameserver %s\n", ip_text(&gateway, text));
		n++;
	}
	return n;
}

static bool has_servers(const struct conf_network *net)
{
	struct ip gateway;

	return net &&
	       (net->n_dns || (conf_network_dns(net) && conf_network_gateway(net, &gateway)));
}

static int write_file(const struct conf *c, const struct conf_container *node, const char *path)
{
	char zone[CONF_DOMAIN_SIZE];
	unsigned room = SERVERS_MOST;
	FILE *out = fopen(path, "wxe");

	if (!out)
		return errno == EEXIST ? 0 : -errno;
	for (size_t i = 0; i < node->n_nics; i++) {
		const struct conf_network *net = conf_find_network(c, node->nics[i].network);

		if (has_servers(net))
			room -= put_servers(out, net, room);
	}
	fputs("search", out);
	for (size_t i = 0; i < node->n_nics; i++) {
		const struct conf_network *net = conf_find_network(c, node->nics[i].network);

		if (has_servers(net))
			fprintf(out, " %s", conf_network_zone(net, zone));
	}
	fputs("\n", out);
	return fclose(out) == 0 ? 1 : -errno;
}

int lab_names_write(const struct conf *c, const struct conf_container *node)
{
	char dir[PATH_SIZE], path[PATH_SIZE];
	bool is_wanted = false;

	for (size_t i = 0; i < node->n_nics; i++)
		is_wanted |= has_servers(conf_find_network(c, node->nics[i].network));
	if (!is_wanted)
		return 0;
	path_of(dir, node->name, "");
	path_of(path, node->name, "/resolv.conf");
	if ((mkdir(dir_of_all, 0755) < 0 && errno != EEXIST) ||
	    (mkdir(dir, 0755) < 0 && errno != EEXIST))
		return -errno;
	return write_file(c, node, path);
}

void lab_names_remove(const char *node)
{
	char path[PATH_SIZE];

	path_of(path, node, "/resolv.conf");
	unlink(path);
	path_of(path, node, "");
	rmdir(path); /* not when there is something else in it */
	rmdir(dir_of_all);
}
