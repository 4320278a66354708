/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab_conf: from containers to ports.
 *
 *   containers:                                      ports:
 *     web: {nics: [{network: office, mac: M},   =>     web:   {tap: eth0, netns: web, network: office, mac: M}
 *                  {network: lab}]}                    web-2: {tap: eth1, netns: web, network: lab}
 *
 * The file is parsed once more, its containers are taken out, the ports are merged in, and conf_print.c
 * prints the result: so the fragment is judged by the schema as any file is.
 */
#include "tools/lab_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/confile.h"
#include "tools/say.h"

void lab_port_name(const struct conf_container *node, size_t nic, char buf[static LAB_PORT_SIZE])
{
	if (!nic)
		snprintf(buf, LAB_PORT_SIZE, "%s", node->name);
	else
		snprintf(buf, LAB_PORT_SIZE, "%s-%zu", node->name, nic + 1);
}

static void ifname_of(const struct conf_nic *nic, size_t n, char buf[static CONF_IFNAME_SIZE])
{
	if (*nic->ifname)
		snprintf(buf, CONF_IFNAME_SIZE, "%s", nic->ifname);
	else
		snprintf(buf, CONF_IFNAME_SIZE, "eth%u", (unsigned)(n & 0xffff));
}

json_t *lab_node_ports(const struct conf_container *node)
{
	char name[LAB_PORT_SIZE], ifname[CONF_IFNAME_SIZE], prefix[PREFIX_TEXT];
	const struct conf_nic *nic;
	json_t *list, *port;
	size_t i;

	list = need(json_array());
	for (i = 0; i < node->n_nics; i++) {
		nic = &node->nics[i];
		lab_port_name(node, i, name);
		ifname_of(nic, i, ifname);
		port = need(json_pack("{s:s,s:s,s:s}", "name", name, "network", nic->network,
				      "ifname", ifname));
		if (nic->ipv4.is_set)
			json_object_set_new(port, "ipv4",
					    json_string(prefix_text(&nic->ipv4, prefix)));
		json_array_append_new(list, port);
	}
	return list;
}

/* By DHCP when it says so, or says nothing where the network serves it. */
static bool is_dhcp(const struct conf *conf, const struct conf_nic *nic)
{
	const struct conf_network *net = conf_find_network(conf, nic->network);
	struct ip first, last;

	return nic->dhcp || (!nic->ipv4.is_set && net && conf_network_dhcp(net, &first, &last));
}

/* The keys of the port of one nic. */
static json_t *port_keys(const struct conf *conf, const struct conf_container *node, size_t n)
{
	char ifname[CONF_IFNAME_SIZE], netns[CONF_NETNS_SIZE], text[PREFIX_TEXT];
	const struct conf_nic *nic = &node->nics[n];
	bool is_number;
	json_t *keys;

	ifname_of(nic, n, ifname);
	/* All digits would mean a pid. */
	is_number = strspn(node->name, "0123456789") == strlen(node->name);
	snprintf(netns, sizeof(netns), "%s%s", is_number ? "/run/netns/" : "", node->name);
	keys = need(
		json_pack("{s:s,s:s,s:s}", "tap", ifname, "netns", netns, "network", nic->network));
	if (!mac_is_zero(&nic->mac))
		json_object_set_new(keys, "mac", json_string(mac_text(&nic->mac, text)));
	if (nic->ipv4.is_set)
		json_object_set_new(keys, "ipv4", json_string(prefix_text(&nic->ipv4, text)));
	else if (is_dhcp(conf, nic))
		json_object_set_new(keys, "ipv4", json_string("dhcp"));
	if (nic->has_gateway)
		json_object_set_new(keys, "gateway", json_string(ip_text(&nic->gateway, text)));
	return keys;
}

/* Merges {section: members} into c; takes members. */
static int merge_section(struct conf *c, const char *section, json_t *members, enum conf_merge how,
			 struct conf_error *err)
{
	json_t *fragment;
	char *text;
	int rc;

	fragment = need(json_pack("{s:o}", section, members));
	text = need(json_dumps(fragment, JSON_COMPACT));
	json_decref(fragment);
	rc = conf_merge(c, text, strlen(text), how, err);
	free(text);
	return rc;
}

/* Containers out of c, the ports of their nics into it. */
static int exchange(struct conf *c, const struct conf *conf, struct conf_error *err)
{
	char name[LAB_PORT_SIZE];
	json_t *nodes, *ports;
	size_t i, j;
	int rc;

	nodes = need(json_object());
	ports = need(json_object());
	for (i = 0; i < conf->n_containers; i++) {
		json_object_set_new(nodes, conf->containers[i].name, json_null());
		for (j = 0; j < conf->containers[i].n_nics; j++) {
			lab_port_name(&conf->containers[i], j, name);
			json_object_set_new(ports, name, port_keys(conf, &conf->containers[i], j));
		}
	}
	rc = merge_section(c, "containers", nodes, CONF_DEL, err);
	if (rc)
		json_decref(ports);
	else
		rc = merge_section(c, "ports", ports, CONF_ADD, err);
	return rc;
}

char *lab_fragment(const char *file, const char *text, size_t bytes, const struct conf *conf,
		   bool with_settings, int *status)
{
	struct conf_error err = {0};
	struct conf *c;
	char *out;
	int rc;

	c = need(conf_create());
	rc = conf_merge(c, text, bytes, CONF_ADD, &err);
	if (!rc) {
		rc = exchange(c, conf, &err);
		/* What is wrong now has no place in the file, but an object. */
		err.line = 0;
	}
	if (!rc && !with_settings) {
		c->workers = (struct conf_workers){0};
		free(c->dns.domains);
		c->dns = (struct conf_dns){0};
	}
	out = rc ? NULL : need(conf_print(c));
	conf_destroy(c);
	if (rc)
		*status = confile_fail(rc == -EINVAL ? EXIT_DATA : EXIT_REFUSED, file, &err);
	return out;
}
