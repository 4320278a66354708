/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port: `vfab port`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/client.h"
#include "tools/merge.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

const struct verb_option port_options[] = {
	{"net", 0, "NETWORK", AS_TEXT, "network", "the network it is a member of"},
	{"tap", 0, "IFNAME", AS_TEXT, NULL, "a tap device of this name"},
	{"netns", 0, "NETNS|PID", AS_TEXT, NULL, "the namespace the tap is moved into"},
	{"vhost-user", 0, "PATH", AS_TEXT, NULL, "a socket for a virtual machine"},
	{"client", 0, NULL, AS_FLAG, NULL, "vfabd connects to PATH; else it makes it"},
	{"socket-owner", 0, "USER[:GROUP]", AS_TEXT, NULL, "owner of the socket it makes"},
	{"socket-mode", 0, "MODE", AS_TEXT, NULL, "permissions of the socket; default 0660"},
	{"vlan-mode", 0, "trunk|native-untagged|native-tagged|dot1q-tunnel|access", AS_TEXT, NULL,
	 "how it treats tags"},
	{"tag", 0, "VID", AS_NUMBER, NULL, "access, native or service VLAN"},
	{"trunks", 0, "VID,VID-VID", AS_LIST, NULL, "VLANs a trunk carries; default all"},
	{"ipv4", 0, "CIDR|dhcp", AS_TEXT, NULL, "address of the tap"},
	{"ipv6", 0, "CIDR", AS_TEXT, NULL, "address of the tap"},
	{"gateway", 0, "IP", AS_TEXT, NULL, "default route in the namespace"},
	{"mac", 0, "MAC", AS_TEXT, NULL, "hardware address of the tap, or of the guest for guard"},
	{"queues", 0, "N", AS_NUMBER, NULL, "queues, 1-16"},
	{"guard", 0, "off|mac|strict", AS_TEXT, NULL, "which sources it may use"},
	{"isolated", 0, NULL, AS_FLAG, NULL, "does not reach other isolated ports"},
	{"mtu", 0, "N", AS_NUMBER, NULL, "MTU of the port"},
	{"priority-tags", 0, "never|if-nonzero|always", AS_TEXT, NULL, "tag 0 on untagged output"},
	{"rate", 0, "BITS", AS_TEXT, NULL, "limit in each direction: 10mbit"},
	{"storm", 0, "broadcast=PPS,multicast=PPS,unknown=PPS", AS_MAP, NULL, "limits of flooding"},
	{"mac-limit", 0, "N", AS_NUMBER, NULL, "addresses it may have learned; default 4096"},
	{"mac-limit-action", 0, "flood|drop", AS_TEXT, NULL, "frames above that limit"},
	{0},
};

/* vlan{mode,tag,trunks}: "10", "trunk 10,20-29", "native-untagged 10 +20,30". */
static void write_vlan(json_t *v, char buf[static CELL_TEXT])
{
	const char *mode;
	char *tag, *trunks;
	json_t *list;

	mode = json_string_value(json_object_get(v, "mode"));
	list = json_object_get(v, "trunks");
	tag = table_value(json_object_get(v, "tag"));
	trunks = table_value(list);
	if (!mode)
		snprintf(buf, CELL_TEXT, "-");
	else if (!strcmp(mode, "access"))
		snprintf(buf, CELL_TEXT, "%s", tag);
	else if (!strcmp(mode, "trunk"))
		snprintf(buf, CELL_TEXT, "trunk %s", json_array_size(list) ? trunks : "all");
	else
		snprintf(buf, CELL_TEXT, "%s %s%s%s", mode, tag, json_array_size(list) ? " +" : "",
			 json_array_size(list) ? trunks : "");
	free(tag);
	free(trunks);
}

static const struct column port_columns[] = {
	{.head = "NAME", .path = "name"},
	{.head = "KIND", .path = "kind"},
	{.head = "NETWORK", .path = "network"},
	{.head = "VLAN", .path = "vlan", .write = write_vlan},
	{.head = "STATE", .path = "state"},
	{.head = "NETNS", .path = "netns"},
	{.head = "IFNAME", .path = "ifname"},
	{.head = "RX", .path = "rx.frames", .is_right = true},
	{.head = "TX", .path = "tx.frames", .is_right = true},
	{.head = "LOST", .path = "tx.lost", .is_right = true},
	{.head = "DROPS", .path = "drops", .is_right = true},
};

/* A path seen from where the user stands: vfabd stands elsewhere.  malloc'd; what is odd in it is for the schema to judge. */
static char *path_from_here(const char *path)
{
	char *dir, *cut, *out;
	size_t n;

	dir = getcwd(NULL, 0);
	if (!dir)
		return NULL;
	for (n = strcspn(path, "/"); path[n]; n = strcspn(path, "/")) {
		if (n > 2 || strncmp(path, "..", n))
			break;
		cut = n == 2 ? strrchr(dir, '/') : NULL;
		if (cut)
			*cut = '\0';
		path += n + strspn(path + n, "/");
	}
	if (asprintf(&out, "%s/%s", strcmp(dir, "/") ? dir : "", path) < 0)
		out = NULL;
	free(dir);
	return need(out);
}

int port_change(const struct call *c)
{
	struct call here = *c;
	const char **socket;
	char *path;
	int i, status;

	socket = NULL;
	path = NULL;
	for (i = 0; c->verb->options && c->verb->options[i].name; i++) {
		if (!strcmp(c->verb->options[i].name, "vhost-user"))
			socket = &here.option[i];
	}
	if (socket && *socket && **socket && **socket != '/' &&
	    (strcmp(c->verb->verb, "set") || strcmp(*socket, "none"))) {
		path = path_from_here(*socket);
		if (!path)
			return fail(EXIT_REFUSED, "port %s: the current directory: %s", c->arg[0],
				    strerror(errno));
		*socket = path;
	}
	status = merge_call(&here, "ports");
	free(path);
	return status;
}

int port_list(const struct call *c)
{
	return table_answer(c, client_request("port.ls"), port_columns,
			    sizeof(port_columns) / sizeof(port_columns[0]));
}

int port_show(const struct call *c)
{
	return merge_show(c, "port.ls", "port");
}
