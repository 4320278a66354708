/* SPDX-License-Identifier: GPL-2.0-or-later */
/* uplink: `vfab uplink`, the ways out, and `vfab neigh`, who answered on them and on the networks. */
#include <stdio.h>
#include <string.h>

#include "tools/client.h"
#include "tools/merge.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

const struct verb_option uplink_options[] = {
	{"host", 0, NULL, AS_LOCAL, NULL, "through this host's own IP stack"},
	{"interface", 0, "IFNAME", AS_TEXT, NULL, "through this interface, past the host's stack"},
	{"driver", 0, "auto|af_packet|af_xdp|dpdk", AS_TEXT, NULL,
	 "how; default auto, the best there is"},
	{"address", 0, "CIDR", AS_TEXT, NULL, "our address there, IPv4 or IPv6"},
	{"address6", 0, "CIDR", AS_TEXT, NULL, "our IPv6 address, beside an IPv4 one"},
	{"addresses", 0, "CIDR,...", AS_LIST, NULL, "further addresses for the NAT"},
	{"gateway", 0, "IP", AS_TEXT, NULL, "the next hop"},
	{"gateway6", 0, "IP", AS_TEXT, NULL, "the next hop of IPv6, beside one of IPv4"},
	{"dhcp", 0, NULL, AS_FLAG, NULL, "address and gateway by DHCP"},
	{"mac", 0, "auto|interface|MAC", AS_TEXT, NULL,
	 "the hardware address we use there; auto is one of our own"},
	{"forwarding", 0, "auto|leave", AS_TEXT, NULL, "host: turn ip_forward on while needed"},
	{"ifname", 0, "IFNAME", AS_TEXT, NULL, "host: the tap in the host; default vu-NAME"},
	{"vlan", 0, "VID", AS_NUMBER, NULL, "VLAN of the fabric that it stands in"},
	{0},
};

const struct verb_option neigh_options[] = {
	{"net", 0, "NETWORK", AS_LOCAL, NULL, "only of this network"},
	{"uplink", 0, "UPLINK", AS_LOCAL, NULL, "only of this uplink"},
	{0},
};

static const struct column uplink_columns[] = {
	{.head = "NAME", .path = "name"},	  {.head = "KIND", .path = "kind"},
	{.head = "DEVICE", .path = "ifname"},	  {.head = "STATE", .path = "state"},
	{.head = "ADDRESS", .path = "address"},	  {.head = "GATEWAY", .path = "gateway"},
	{.head = "DHCP", .path = "dhcp"},	  {.head = "MTU", .path = "mtu", .is_right = true},
	{.head = "NETWORKS", .path = "networks"}, {.head = "TROUBLE", .path = "trouble"},
};

static const struct column neigh_columns[] = {
	{.head = "NETWORK", .path = "network"},
	{.head = "UPLINK", .path = "uplink"},
	{.head = "VLAN", .path = "vlan", .is_right = true},
	{.head = "ADDRESS", .path = "ip"},
	{.head = "MAC", .path = "mac"},
	{.head = "STATE", .path = "state"},
	{.head = "AGE", .path = "age_s", .is_right = true},
};

/* One option serves both families: an IPv6 value goes under the key of IPv6. */
static void sort_family(json_t *keys, const char *key, const char *key6)
{
	json_t *v = json_object_get(keys, key);
	const char *text = json_string_value(v);

	if (!text || !strchr(text, ':') || json_object_get(keys, key6))
		return;
	json_object_set(keys, key6, v);
	json_object_del(keys, key);
}

int uplink_change(const struct call *c)
{
	const char *how = c->verb->verb;
	bool is_host = call_option(c, "host"), has_interface = call_option(c, "interface");
	int status = EXIT_DONE;
	json_t *keys;

	if (!strcmp(how, "del"))
		return merge_call(c, "uplinks");
	if (is_host && has_interface)
		return fail(EXIT_USAGE, "uplink %s: --host and --interface exclude each other",
			    how);
	if (!strcmp(how, "add") && !is_host && !has_interface)
		return fail(EXIT_USAGE, "uplink add: needs --host or --interface IFNAME");
	keys = merge_keys(c, how, &status);
	if (!keys)
		return status;
	if (is_host || (has_interface && !strcmp(how, "add")))
		json_object_set_new(keys, "kind", json_string(is_host ? "host" : "interface"));
	sort_family(keys, "address", "address6");
	sort_family(keys, "gateway", "gateway6");
	if (!json_object_size(keys)) {
		json_decref(keys);
		return fail(EXIT_USAGE, "uplink set: nothing to set (see vfab help uplink set)");
	}
	return merge_send(merge_object("uplinks", c->arg[0], keys), how, false);
}

int uplink_list(const struct call *c)
{
	return table_answer(c, client_request("uplink.ls"), uplink_columns,
			    sizeof(uplink_columns) / sizeof(uplink_columns[0]));
}

int uplink_show(const struct call *c)
{
	return merge_show(c, "uplink.ls", "uplink");
}

int see_neighbours(const struct call *c)
{
	json_t *request = merge_narrowed(c, "neigh.ls");

	if (!request)
		return EXIT_USAGE;
	return table_answer(c, request, neigh_columns,
			    sizeof(neigh_columns) / sizeof(neigh_columns[0]));
}

int flush_neighbours(const struct call *c)
{
	json_t *request = merge_narrowed(c, "neigh.flush");

	return request ? client_ask(request, NULL, NULL) : EXIT_USAGE;
}
