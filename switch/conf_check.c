/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_check: what one key cannot know: conf_validate().
 *
 * Keys that need or exclude each other, references, and everything that two objects could both want: a VLAN, a
 * prefix, a device in a namespace, a socket, the name of a port.  The latter are gathered as claims and sorted, so that a
 * configuration of full size is checked in milliseconds.  Each error says where: the key of the object when the text merged last
 * has it, else the object alone.
 */
#include "switch/conf_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/frame.h"

enum { MTU_IPV6 = 1280 /* RFC 8200 5 */ };

/* Something that only one object may have. */
struct claim {
	char what[CONF_NETNS_SIZE + CONF_IFNAME_SIZE];
	const struct conf_kind *kind;
	const void *object;
	const char *key; /* by which it is claimed */
	size_t order;
};

int conf_wrong(struct check *k, const struct conf_kind *kind, const void *object, const char *key,
	       const char *fmt, ...)
{
	const struct conf_mark *marks = conf_field(object, kind->marks);
	const struct conf_key *found = key ? conf_key_find(kind->keys, key) : NULL;
	const int *line = conf_field(object, kind->line);
	const char *name = object;
	va_list ap;

	*k->err = (struct conf_error){.line = line[0], .column = line[1]};
	if (found && marks[found - kind->keys].line) {
		k->err->line = marks[found - kind->keys].line;
		k->err->column = marks[found - kind->keys].column;
	}
	snprintf(k->err->path, sizeof(k->err->path), "%s.%s%s%s", kind->section, name,
		 key ? "." : "", key ? key : "");
	snprintf(k->err->object, sizeof(k->err->object), "%s %s", kind->word, name);
	va_start(ap, fmt);
	vsnprintf(k->err->text, sizeof(k->err->text), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int conf_missing(struct check *k, int err)
{
	k->err->fault = CONF_MISSING;
	return err;
}

/* Fills the error for a key of a container's interface. */
static int fail_nic(struct check *k, const struct conf_container *c, size_t i, const char *key,
		    const char *text)
{
	const struct conf_nic *nic = &c->nics[i];
	const struct conf_mark *mark =
		&nic->at[conf_key_find(conf_nics.keys, key) - conf_nics.keys];

	conf_wrong(k, &conf_containers, c, NULL, "%s", text);
	snprintf(k->err->path, sizeof(k->err->path), "containers.%s.nics[%zu].%s", c->name, i, key);
	k->err->line = mark->line ? mark->line : nic->line;
	k->err->column = mark->line ? mark->column : nic->column;
	return -EINVAL;
}

bool conf_is_host_of(const struct prefix *net, const struct ip *ip)
{
	struct prefix host = {.ip = *ip, .len = net->len, .is_set = true};
	bool is_v4 = ip_is_v4(ip);

	if (ip_is_v4(&net->ip) != is_v4 || !prefix_holds(net, ip))
		return false;
	if (net->len >= (is_v4 ? 31 : 127))
		return true;
	return !conf_is_host_part(&host, 0) && !(is_v4 && conf_is_host_part(&host, 1));
}

static int check_network(struct check *k, const struct conf_network *n)
{
	bool has_gateway = n->mode == NET_HOST_ONLY || n->mode == NET_NAT;

	if (has_gateway && !n->ipv4.is_set && !n->ipv6.is_set)
		return conf_missing(k, conf_wrong(k, &conf_networks, n, "mode",
						  "a %s network needs ipv4 or ipv6",
						  n->mode == NET_NAT ? "nat" : "host-only"));
	if (n->ifname[0] && n->mode != NET_HOST_ONLY)
		return conf_wrong(k, &conf_networks, n, "ifname",
				  "only a host-only network has a device in the host");
	if (n->has_gateway && !n->ipv4.is_set)
		return conf_missing(
			k, conf_wrong(k, &conf_networks, n, "gateway", "a gateway needs ipv4"));
	if (n->has_gateway && !conf_is_host_of(&n->ipv4, &n->gateway))
		return conf_wrong(
			k, &conf_networks, n, "gateway",
			"the gateway is not an address of a host in the network's prefix");
	if (n->ipv6.is_set && n->mtu && n->mtu < MTU_IPV6)
		return conf_wrong(k, &conf_networks, n, "mtu", "IPv6 needs an mtu of at least %d",
				  MTU_IPV6);
	return conf_check_net_out(k, n);
}

/* network, vlan-mode, tag and trunks go together in few ways. */
static int check_port_vlan(struct check *k, const struct conf_port *p)
{
	bool is_native = p->vlan_mode == CONF_NATIVE_UNTAGGED || p->vlan_mode == CONF_NATIVE_TAGGED;
	bool has_network = p->network[0], is_trunk = p->has_vlan_mode && p->vlan_mode == CONF_TRUNK;

	if (!has_network && !p->has_vlan_mode)
		return conf_missing(
			k, conf_wrong(k, &conf_ports, p, NULL, "needs network or vlan-mode"));
	if (has_network && p->has_vlan_mode && p->vlan_mode != CONF_ACCESS)
		return conf_wrong(
			k, &conf_ports, p, "vlan-mode",
			"a port on a network is an access port: leave out network or vlan-mode");
	if (has_network && p->tag)
		return conf_wrong(k, &conf_ports, p, "tag",
				  "the network says the VLAN: leave out network or tag");
	if (p->has_trunks && !is_native && !is_trunk)
		return conf_wrong(
			k, &conf_ports, p, "trunks",
			"trunks go with vlan-mode trunk, native-untagged and native-tagged");
	if (is_trunk && p->tag)
		return conf_wrong(
			k, &conf_ports, p, "tag",
			"a trunk has no tag of its own: native-untagged and native-tagged have");
	if (!has_network && !is_trunk && !p->tag)
		return conf_missing(k, conf_wrong(k, &conf_ports, p, "vlan-mode",
						  "this vlan-mode needs a tag"));
	return 0;
}

static bool is_given(const struct conf_port *p, const char *key)
{
	return !conf_key_equal(conf_key_find(conf_ports.keys, key), p, conf_ports.initial);
}

static int check_port_addresses(struct check *k, const struct conf_port *p)
{
	const struct prefix *net;

	if (p->ipv6.is_set && p->mtu && p->mtu < MTU_IPV6)
		return conf_wrong(k, &conf_ports, p, "mtu", "IPv6 needs an mtu of at least %d",
				  MTU_IPV6);
	if (!p->has_gateway)
		return 0;
	if (p->dhcp && ip_is_v4(&p->gateway))
		return conf_wrong(k, &conf_ports, p, "gateway",
				  "dhcp brings the gateway: leave out gateway");
	net = ip_is_v4(&p->gateway) ? &p->ipv4 : &p->ipv6;
	if (!net->is_set)
		return conf_missing(k,
				    conf_wrong(k, &conf_ports, p, "gateway", "a gateway needs %s",
					       net == &p->ipv4 ? "ipv4" : "ipv6"));
	if (!conf_is_host_of(net, &p->gateway) || ip_equal(&net->ip, &p->gateway))
		return conf_wrong(k, &conf_ports, p, "gateway",
				  "the gateway is not another host in the port's prefix");
	return 0;
}

/* What the port is, and keys that only the other kind has. */
static int check_port_kind(struct check *k, const struct conf_port *p)
{
	static const char *const of_tap[] = {"netns", "ipv4", "ipv6", "gateway", NULL};
	static const char *const of_socket[] = {"client", "socket-owner", "socket-mode", NULL};
	bool is_tap = p->tap[0];

	if (!is_tap && !p->vhost_user[0])
		return conf_missing(k,
				    conf_wrong(k, &conf_ports, p, NULL, "needs tap or vhost-user"));
	if (is_tap && p->vhost_user[0])
		return conf_wrong(k, &conf_ports, p, "vhost-user",
				  "a port is one thing: leave out tap or vhost-user");
	for (const char *const *key = is_tap ? of_socket : of_tap; *key; key++)
		if (is_given(p, *key))
			return conf_wrong(k, &conf_ports, p, *key, "%s goes with %s alone", *key,
					  is_tap ? "vhost-user" : "tap");
	for (const char *const *key = of_socket + 1; p->client && *key; key++)
		if (is_given(p, *key))
			return conf_wrong(k, &conf_ports, p, *key,
					  "a client makes no socket: leave out client or %s", *key);
	if (is_tap || p->guard != GUARD_MAC || !mac_is_zero(&p->mac))
		return 0;
	conf_wrong(k, &conf_ports, p, "guard",
		   "guard mac on a vhost-user port needs mac: the address that it allows");
	k->err->fault = CONF_BAD_VALUE;
	return -EINVAL;
}

/* A network that is gone while a port is still on it: the one who took it away wants to hear of the network. */
static int fail_no_network(struct check *k, const struct conf_port *p)
{
	const struct conf_network *old = k->keep ? conf_find_network(k->keep, p->network) : NULL;
	char near[CONF_QUOTE];

	if (!old || p->line)
		return conf_wrong(k, &conf_ports, p, "network", "network \"%s\" does not exist%s",
				  p->network,
				  conf_nearest(p->network, k->c->index->networks.name, near));
	conf_wrong(k, &conf_networks, old, NULL, "port \"%s\" is still on it", p->name);
	k->err->line = k->err->column = 0;
	return -EINVAL;
}

/* Its address is to come as a lease, with a default route that is not for the host itself. */
static int check_port_lease(struct check *k, const struct conf_port *p)
{
	const struct conf_network *n = conf_find_network(k->c, p->network);
	struct ip first, last;

	if (!p->netns[0])
		return conf_missing(k,
				    conf_wrong(k, &conf_ports, p, "ipv4",
					       "ipv4 dhcp needs netns: it brings a default route"));
	if (!n)
		return conf_missing(
			k, conf_wrong(k, &conf_ports, p, "ipv4", "ipv4 dhcp needs network"));
	return conf_network_dhcp(n, &first, &last)
		       ? 0
		       : conf_wrong(k, &conf_ports, p, "ipv4",
				    "ipv4 dhcp: network \"%s\" does not serve it", n->name);
}

static int check_port(struct check *k, const struct conf_port *p)
{
	int err = check_port_kind(k, p);

	if (!err)
		err = check_port_vlan(k, p);
	if (!err)
		err = check_port_addresses(k, p);
	if (!err && p->network[0] && !conf_names_find(&k->c->index->networks, p->network))
		err = fail_no_network(k, p);
	return !err && p->dhcp ? check_port_lease(k, p) : err;
}

bool conf_port_carries(const struct conf_port *p, const struct conf_network *n)
{
	bool is_trunked = p->has_trunks ? conf_has_vid(p->trunks, n->vlan) : !n->vlan_auto;

	if (p->network[0])
		return !strcmp(p->network, n->name);
	switch (p->vlan_mode) {
	case CONF_TRUNK:
		return is_trunked;
	case CONF_NATIVE_UNTAGGED:
	case CONF_NATIVE_TAGGED:
		return is_trunked || p->tag == n->vlan;
	default:
		return p->tag == n->vlan;
	}
}

static int check_macs(struct check *k, const struct conf_network *n)
{
	char mac[MAC_TEXT], near[CONF_QUOTE];

	for (size_t i = 0; i < n->n_macs; i++) {
		const struct conf_static_mac *s = &n->macs[i];
		const struct conf_port *p = conf_names_find(&k->c->index->ports, s->port);

		if (p && conf_port_carries(p, n))
			continue;
		mac_text(&s->mac, mac);
		if (!p)
			conf_wrong(k, &conf_networks, n, "macs", "%s: port \"%s\" does not exist%s",
				   mac, s->port,
				   conf_nearest(s->port, k->c->index->ports.name, near));
		else
			conf_wrong(k, &conf_networks, n, "macs",
				   "%s: port \"%s\" is not on this network", mac, s->port);
		if (s->line && k->err->line) {
			k->err->line = s->line;
			k->err->column = s->column;
		}
		return -EINVAL;
	}
	return 0;
}

static int check_nic(struct check *k, const struct conf_container *c, size_t i)
{
	const struct conf_nic *nic = &c->nics[i];
	char text[CONF_WHY], near[CONF_QUOTE];
	struct ip first, last;

	if (!conf_names_find(&k->c->index->networks, nic->network)) {
		snprintf(text, sizeof(text), "network \"%s\" does not exist%s", nic->network,
			 conf_nearest(nic->network, k->c->index->networks.name, near));
		return fail_nic(k, c, i, "network", text);
	}
	if (nic->dhcp && !conf_network_dhcp(conf_find_network(k->c, nic->network), &first, &last)) {
		snprintf(text, sizeof(text), "ipv4 dhcp: network \"%s\" does not serve it",
			 nic->network);
		return fail_nic(k, c, i, "ipv4", text);
	}
	if (nic->has_gateway && nic->dhcp)
		return fail_nic(k, c, i, "gateway", "dhcp brings the gateway: leave out gateway");
	if (nic->has_gateway && !nic->ipv4.is_set)
		return fail_nic(k, c, i, "gateway", "a gateway needs ipv4");
	if (nic->has_gateway &&
	    (!conf_is_host_of(&nic->ipv4, &nic->gateway) || ip_equal(&nic->ipv4.ip, &nic->gateway)))
		return fail_nic(k, c, i, "gateway",
				"the gateway is not another host in the interface's prefix");
	if (i && strlen(c->name) + sizeof("-64") > CONF_NAME_SIZE)
		return conf_wrong(
			k, &conf_containers, c, NULL,
			"a name of more than %zu characters leaves no room for that of a port",
			CONF_NAME_SIZE - sizeof("-64"));
	return 0;
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->what, y->what);

	return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* Sorts n claims and finds the first in the order of the text that another object has made already. */
static int check_claims(struct check *k, struct claim *claims, size_t n, const char *noun)
{
	const struct claim *second = NULL, *first = NULL;
	const char *name, *netns;

	for (size_t i = 0; i < n; i++)
		claims[i].order = i;
	qsort(claims, n, sizeof(*claims), compare_claims);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(claims[i - 1].what, claims[i].what) ||
		    (second && second->order < claims[i].order))
			continue;
		first = &claims[i - 1];
		second = &claims[i];
	}
	if (!second)
		return 0;
	netns = strchr(second->what, '\n');
	name = netns ? netns + 1 : second->what;
	if (netns && netns != second->what)
		return conf_wrong(k, second->kind, second->object, second->key,
				  "%s \"%s\" in namespace \"%.*s\" is that of %s \"%s\" already",
				  noun, name, (int)(netns - second->what), second->what,
				  first->kind->word, (const char *)first->object);
	return conf_wrong(k, second->kind, second->object, second->key,
			  "%s \"%s\" is that of %s \"%s\" already", noun, name, first->kind->word,
			  (const char *)first->object);
}

/* A namespace and an interface, "NETNS\nIFNAME", the path of a socket, or the name of a port. */
__attribute__((format(printf, 5, 6))) static void claim(struct claim *c,
							const struct conf_kind *kind,
							const void *object, const char *key,
							const char *fmt, ...)
{
	va_list ap;

	c->kind = kind;
	c->object = object;
	c->key = key;
	va_start(ap, fmt);
	vsnprintf(c->what, sizeof(c->what), fmt, ap);
	va_end(ap);
}

/* The name of a namespace and its path are one. */
static const char *netns_name(const char *netns)
{
	static const char *const dirs[] = {"/run/netns/", "/var/run/netns/"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		if (!strncmp(netns, dirs[i], strlen(dirs[i])))
			return netns + strlen(dirs[i]);
	return netns;
}

static size_t claim_devices(const struct conf *c, struct claim *out)
{
	char buf[CONF_IFNAME_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < c->n_networks; i++) {
		const struct conf_network *net = &c->networks[i];

		if (net->mode == NET_HOST_ONLY)
			claim(&out[n++], &conf_networks, net, "ifname", "\n%s",
			      conf_network_ifname(net, buf));
	}
	for (size_t i = 0; i < c->n_ports; i++)
		if (c->ports[i].tap[0])
			claim(&out[n++], &conf_ports, &c->ports[i], "tap", "%s\n%s",
			      netns_name(c->ports[i].netns), c->ports[i].tap);
	for (size_t i = 0; i < c->n_uplinks; i++)
		claim(&out[n++], &conf_uplinks, &c->uplinks[i],
		      c->uplinks[i].kind == UPLINK_HOST ? "ifname" : "interface", "\n%s",
		      conf_uplink_ifname(&c->uplinks[i], buf));
	for (size_t i = 0; i < c->n_containers; i++)
		for (size_t j = 0; j < c->containers[i].n_nics; j++)
			claim(&out[n++], &conf_containers, &c->containers[i], "nics", "%s\n%s",
			      c->containers[i].name, conf_nic_ifname(&c->containers[i], j, buf));
	return n;
}

static size_t claim_sockets(const struct conf *c, struct claim *out)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_ports; i++)
		if (c->ports[i].vhost_user[0])
			claim(&out[n++], &conf_ports, &c->ports[i], "vhost-user", "%s",
			      c->ports[i].vhost_user);
	return n;
}

static size_t claim_port_names(const struct conf *c, struct claim *out)
{
	char ifname[CONF_IFNAME_SIZE], name[CONF_NAME_SIZE];
	size_t n = 0;

	for (size_t i = 0; i < c->n_networks; i++) {
		const struct conf_network *net = &c->networks[i];

		if (net->mode == NET_HOST_ONLY)
			claim(&out[n++], &conf_networks, net, "ifname", "%s",
			      conf_network_ifname(net, ifname));
	}
	for (size_t i = 0; i < c->n_uplinks; i++)
		claim(&out[n++], &conf_uplinks, &c->uplinks[i], NULL, "%s", c->uplinks[i].name);
	for (size_t i = 0; i < c->n_ports; i++)
		claim(&out[n++], &conf_ports, &c->ports[i], NULL, "%s", c->ports[i].name);
	for (size_t i = 0; i < c->n_containers; i++)
		for (size_t j = 0; j < c->containers[i].n_nics; j++)
			claim(&out[n++], &conf_containers, &c->containers[i], "nics", "%s",
			      conf_nic_port(&c->containers[i], j, name));
	return n;
}

static int check_shared(struct check *k)
{
	const struct conf *c = k->c;
	size_t n = c->n_networks + c->n_uplinks + c->n_ports;
	struct claim *claims;
	int err;

	for (size_t i = 0; i < c->n_containers; i++)
		n += c->containers[i].n_nics;
	claims = calloc(n + 1, sizeof(*claims));
	if (!claims)
		return -ENOMEM;
	err = check_claims(k, claims, claim_port_names(c, claims), "port name");
	if (!err)
		err = check_claims(k, claims, claim_devices(c, claims), "interface");
	if (!err)
		err = check_claims(k, claims, claim_sockets(c, claims), "socket");
	free(claims);
	return err;
}

/* Networks that reach the host share its routing table. */
static int check_overlap(struct check *k, const char *key)
{
	const struct conf_network **list = calloc(k->c->n_networks + 1, sizeof(*list));
	size_t n = 0;
	int err;

	for (size_t i = 0; list && i < k->c->n_networks; i++)
		if (k->c->networks[i].mode == NET_HOST_ONLY)
			list[n++] = &k->c->networks[i];
	err = list ? conf_check_apart(k, list, n, key) : -ENOMEM;
	free(list);
	return err;
}

static int check_totals(struct check *k)
{
	size_t devices = 0, macs = 0, forwards = 0;
	const char *what = NULL;

	for (size_t i = 0; i < k->c->n_networks; i++) {
		devices += k->c->networks[i].mode == NET_HOST_ONLY;
		macs += k->c->networks[i].n_macs;
		forwards += k->c->networks[i].n_forwards;
	}
	if (devices + k->c->n_ports + k->c->n_uplinks > SLOT_MAX)
		what = "too many ports, uplinks and devices of host-only networks";
	else if (macs > CONF_MACS_MAX)
		what = "too many static entries";
	else if (forwards > CONF_FORWARDS_MAX)
		what = "too many forwards";
	if (!what)
		return 0;
	*k->err = (struct conf_error){0};
	snprintf(k->err->text, sizeof(k->err->text), "%s", what);
	return -EINVAL;
}

static int check_all(struct check *k)
{
	const struct conf *c = k->c;
	int err = check_totals(k);

	for (size_t i = 0; i < c->n_networks && !err; i++)
		err = check_network(k, &c->networks[i]);
	for (size_t i = 0; i < c->n_uplinks && !err; i++)
		err = conf_check_uplink(k, &c->uplinks[i]);
	if (!err)
		err = conf_choose_vlans(k);
	if (!err)
		err = conf_choose_links(k);
	for (size_t i = 0; i < c->n_ports && !err; i++)
		err = check_port(k, &c->ports[i]);
	for (size_t i = 0; i < c->n_networks && !err; i++)
		err = check_macs(k, &c->networks[i]);
	for (size_t i = 0; i < c->n_containers; i++)
		for (size_t j = 0; j < c->containers[i].n_nics && !err; j++)
			err = check_nic(k, &c->containers[i], j);
	if (!err)
		err = check_shared(k);
	if (!err)
		err = check_overlap(k, "ipv4");
	if (!err)
		err = check_overlap(k, "ipv6");
	if (!err)
		err = conf_check_out(k);
	return err ? err : conf_check_dhcp(k);
}

int conf_validate(struct conf *c, const struct conf *keep, struct conf_error *err)
{
	struct check k = {.c = c, .keep = keep, .err = err};
	int status;

	*err = (struct conf_error){0};
	/* The uplink that this may make has its place in the index. */
	status = conf_choose_uplinks(&k);
	if (!status)
		status = conf_index_make(c);
	if (!status)
		status = check_all(&k);
	if (status == -ENOMEM)
		snprintf(err->text, sizeof(err->text), "out of memory");
	return status;
}
