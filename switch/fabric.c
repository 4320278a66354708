/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fabric: builds the snapshot.  apply.c calls it with a validated configuration; forward.c and worker.c read
 * the result.
 *
 * Flood lists.  Most VLANs are carried by nothing but the trunks that carry everything, and share one
 * list; a VLAN that some port names has its own.
 */
#include "switch/fabric.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "switch/conf.h"
#include "switch/gateway.h"

enum { VIDS = 4096 };

struct mac fabric_gateway_mac(uint16_t vid)
{
	return (struct mac){{0x02, 0x76, 0x66, 0x00, (uint8_t)(vid >> 8), (uint8_t)vid}};
}

/* The open port of that name, or NULL. */
static struct port *port_named(struct port *const *ports, unsigned n_slots, const char *name)
{
	for (unsigned i = 0; i < n_slots; i++)
		if (ports[i] && strcmp(ports[i]->name, name) == 0)
			return ports[i];
	return NULL;
}

/* A trunk without `trunks`: every VLAN but those the fabric chose for networks and uplinks. */
static void carry_all(struct vlan_set *set, const struct conf *conf)
{
	uint64_t hidden[VIDS / 64];

	vlan_set_add_range(set, 0, 4094);
	conf_hidden_vlans(conf, hidden);
	for (unsigned w = 0; w < VIDS / 64; w++)
		set->bits[w] &= ~hidden[w];
}

static void fill_vlan(struct vlan_port *v, const struct conf *conf, const struct conf_port *cp)
{
	const struct conf_network *net = *cp->network ? conf_find_network(conf, cp->network) : NULL;
	bool is_trunk;

	v->mode = cp->has_vlan_mode ? (enum vlan_mode)cp->vlan_mode : VLAN_ACCESS;
	v->prio_tags = (enum vlan_prio_tags)cp->prio_tags;
	v->tag = net ? net->vlan : cp->tag;
	is_trunk = v->mode == VLAN_TRUNK || v->mode == VLAN_NATIVE_TAGGED ||
		   v->mode == VLAN_NATIVE_UNTAGGED;
	if (is_trunk && cp->has_trunks)
		memcpy(v->carries.bits, cp->trunks, sizeof(v->carries.bits));
	else if (is_trunk)
		carry_all(&v->carries, conf);
	if (v->tag)
		vlan_set_add(&v->carries, v->tag);
}

static void fill_port(struct fabric *fab, const struct conf *conf, const struct conf_port *cp,
		      struct port *p)
{
	const struct conf_network *net = *cp->network ? conf_find_network(conf, cp->network) : NULL;
	struct fabric_port *fp = &fab->port[p->slot];

	fp->port = p;
	fp->police = p->police;
	fill_vlan(&fp->vlan, conf, cp);
	fp->vlan.service = &fab->service;
	fp->mtu = cp->mtu ? cp->mtu : net && net->mtu ? net->mtu : 1500;
	fp->isolated = cp->isolated;
	fp->guard_mac = cp->guard == GUARD_MAC;
	fp->guard_strict = cp->guard == GUARD_STRICT;
	fp->mac = mac_is_zero(&cp->mac) ? p->first_mac : cp->mac;
	fp->mac_limit_drop = cp->mac_limit_drop;
	if (fp->vlan.mode == VLAN_DOT1Q_TUNNEL)
		vlan_set_add(&fab->service, fp->vlan.tag);
}

/* The device of a host-only network is an access port whose output side lets only its own addresses through. */
static void fill_host(struct fabric *fab, const struct conf_network *net, struct port *p)
{
	struct fabric_port *fp = &fab->port[p->slot];

	fp->port = p;
	fp->vlan.mode = VLAN_ACCESS;
	fp->vlan.tag = net->vlan;
	fp->vlan.service = &fab->service;
	vlan_set_add(&fp->vlan.carries, net->vlan);
	fp->mtu = net->mtu ? net->mtu : 1500;
	fp->is_host = true;
	fp->mac = fabric_gateway_mac(net->vlan);
	if (!conf_network_gateway(net, &fp->host_v4))
		memset(&fp->host_v4, 0, sizeof(fp->host_v4));
	if (net->ipv6.is_set)
		fp->host_v6 = prefix_first(&net->ipv6);
}

/* An uplink carries its own VLAN untagged, and those of the bridged networks that are tagged on it. */
static void fill_uplink(struct fabric *fab, const struct conf *conf, const struct conf_uplink *cu,
			struct port *p)
{
	struct fabric_port *fp = &fab->port[p->slot];

	fp->port = p;
	fp->vlan.mode = VLAN_ACCESS;
	fp->vlan.tag = cu->vlan;
	fp->vlan.service = &fab->service;
	fp->mtu = p->mtu ? p->mtu : 1500;
	vlan_set_add(&fp->vlan.carries, cu->vlan);
	for (size_t i = 0; i < conf->n_networks; i++) {
		const struct conf_network *net = &conf->networks[i];

		if (net->mode != NET_BRIDGED || !net->tagged || strcmp(net->uplink, cu->name) != 0)
			continue;
		fp->vlan.mode = VLAN_NATIVE_UNTAGGED;
		vlan_set_add(&fp->vlan.carries, net->vlan);
	}
}

static void fill_networks(struct fabric *fab, const struct conf *conf, struct port *const *ports,
			  unsigned n_slots)
{
	for (unsigned vid = 0; vid < VIDS; vid++)
		fab->ageing_s[vid] = 300;
	for (size_t i = 0; i < conf->n_networks; i++) {
		const struct conf_network *net = &conf->networks[i];
		char ifname[CONF_IFNAME_SIZE];
		struct port *p;

		fab->ageing_s[net->vlan] = (uint32_t)((net->mac_ageing_ms + 999) / 1000);
		if (net->isolate)
			vlan_set_add(&fab->isolated, net->vlan);
		if (net->mode != NET_HOST_ONLY)
			continue;
		p = port_named(ports, n_slots, conf_network_ifname(net, ifname));
		if (p)
			fill_host(fab, net, p);
	}
}

/* Counts (lists == NULL) or fills the members of each VLAN. */
static void gather_members(const struct fabric *fab, const struct vlan_set *named, uint16_t *count,
			   struct fabric_members **lists)
{
	for (uint16_t slot = 0; slot < fab->n_slots; slot++) {
		const struct fabric_port *fp = &fab->port[slot];

		for (unsigned vid = 0; fp->port && vid < VIDS; vid++) {
			bool own = vlan_set_has(named, (uint16_t)vid);
			unsigned list =
				own ? vid : 0; /* list 0: what every VLAN that nobody names has */

			if (!own && vid != 0)
				continue;
			if (!vlan_set_has(&fp->vlan.carries, (uint16_t)vid))
				continue;
			if (lists)
				lists[list]->slot[lists[list]->n++] = slot;
			else
				count[list]++;
		}
	}
}

/*
 * VLANs that some port or network names have a list of their own.  In `carries` bit 0 marks the ports that
 * carry all the others; it is no VLAN, and ingress never looks at it.
 */
static int fill_members(struct fabric *fab, const struct conf *conf)
{
	struct vlan_set named = {{0}};
	uint16_t count[VIDS] = {0};
	struct fabric_members **lists = calloc(VIDS, sizeof(*lists));
	uint8_t *mem;
	size_t bytes = 0;

	if (!lists)
		return -1;
	for (size_t i = 0; i < conf->n_networks; i++)
		vlan_set_add(&named, conf->networks[i].vlan);
	for (size_t i = 0; i < conf->n_uplinks; i++)
		vlan_set_add(&named, conf->uplinks[i].vlan);
	for (size_t i = 0; i < conf->n_ports; i++) {
		const struct conf_port *cp = &conf->ports[i];

		for (unsigned w = 0; cp->has_trunks && w < VIDS / 64; w++)
			named.bits[w] |= cp->trunks[w];
		if (cp->tag)
			vlan_set_add(&named, cp->tag);
	}
	gather_members(fab, &named, count, NULL);
	for (unsigned vid = 0; vid < VIDS; vid++)
		bytes += sizeof(struct fabric_members) + 2 + 2 * (size_t)count[vid];
	mem = calloc(1, bytes);
	fab->members_memory = mem;
	for (unsigned vid = 0; mem && vid < VIDS; vid++) {
		if (vid != 0 && !vlan_set_has(&named, (uint16_t)vid)) {
			lists[vid] = lists[0];
		} else {
			lists[vid] = (struct fabric_members *)(void *)mem;
			mem += sizeof(struct fabric_members) + 2 * (size_t)count[vid];
		}
		fab->members[vid] = lists[vid];
	}
	if (mem)
		gather_members(fab, &named, NULL, lists);
	free(lists);
	return mem ? 0 : -1;
}

/* Queue q of slot s goes to worker (s + q) mod n: the queues of one port spread, and so do single queues. */
static int fill_rxq(struct fabric *fab)
{
	unsigned total = 0;

	assert(fab->n_workers > 0);
	for (unsigned slot = 0; slot < fab->n_slots; slot++)
		total += fab->port[slot].port ? fab->port[slot].port->queues : 0;
	for (unsigned w = 0; w < fab->n_workers; w++) {
		fab->rxq[w] = calloc(total + 1, sizeof(*fab->rxq[w]));
		if (!fab->rxq[w])
			return -1;
	}
	for (unsigned slot = 0; slot < fab->n_slots; slot++) {
		const struct port *p = fab->port[slot].port;

		for (unsigned q = 0; p && q < p->queues; q++) {
			unsigned w = (slot + q) % fab->n_workers;

			fab->rxq[w][fab->n_rxq[w]++] =
				(struct fabric_rxq){(uint16_t)slot, (uint16_t)q};
		}
	}
	return 0;
}

/* What the path need not look at, said in advance. */
static void fill_shortcuts(struct fabric *fab)
{
	fab->has_isolated = !vlan_set_is_empty(&fab->isolated);
	for (unsigned slot = 0; slot < fab->n_slots; slot++) {
		struct fabric_port *fp = &fab->port[slot];

		bool is_access = fp->vlan.mode == VLAN_ACCESS || fp->vlan.mode == VLAN_DOT1Q_TUNNEL;

		if (!fp->port)
			continue;
		fp->only_vid = is_access ? fp->vlan.tag : 0;
		fp->is_plain_in = !fp->guard_mac && !fp->guard_strict && !fp->police &&
				  !fp->is_host && fp->vlan.mode != VLAN_TRUNK;
		fp->is_plain_out =
			!fp->police && !fp->isolated && !fp->is_host && !fab->has_isolated;
		fp->is_untagged =
			fp->vlan.mode == VLAN_DOT1Q_TUNNEL ||
			(fp->vlan.mode == VLAN_ACCESS && fp->vlan.prio_tags == PRIO_TAGS_NEVER);
	}
}

struct fabric *fabric_create(const struct conf *conf, struct port *const *ports, unsigned n_slots,
			     struct fdb *fdb, unsigned n_workers, uint64_t generation)
{
	struct fabric *fab = calloc(1, sizeof(*fab));

	if (!fab)
		return NULL;
	fab->generation = generation;
	fab->fdb = fdb;
	fab->n_slots = (uint16_t)n_slots;
	fab->n_workers = n_workers;
	fab->idle_poll = conf->workers.idle_poll;
	fab->port = calloc(n_slots + 1, sizeof(*fab->port));
	if (!fab->port)
		goto err;
	for (unsigned slot = 0; slot < n_slots; slot++) {
		const struct conf_port *cp =
			ports[slot] ? conf_find_port(conf, ports[slot]->name) : NULL;

		if (cp)
			fill_port(fab, conf, cp, ports[slot]);
	}
	for (size_t i = 0; i < conf->n_uplinks; i++) {
		struct port *p = port_named(ports, n_slots, conf->uplinks[i].name);

		if (p)
			fill_uplink(fab, conf, &conf->uplinks[i], p);
	}
	fill_networks(fab, conf, ports, n_slots);
	fill_shortcuts(fab);
	if (fill_members(fab, conf) < 0 || fill_rxq(fab) < 0)
		goto err;
	return fab;
err:
	fabric_destroy(fab);
	return NULL;
}

void fabric_destroy(struct fabric *fab)
{
	if (!fab)
		return;
	for (unsigned w = 0; w < WORKERS_MAX; w++)
		free(fab->rxq[w]);
	gateway_conf_destroy(fab->legs);
	free(fab->members_memory);
	free(fab->port);
	free(fab);
}
