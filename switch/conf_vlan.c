/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf_vlan: a VLAN for everything that has none: part of conf_validate().
 *
 * Networks and uplinks share the ids from 1 to 4094.  An uplink that an untagged bridged network is on stands in the
 * VLAN of that one; any other has a VLAN of its own, which nobody needs to know.  What the fabric chose stays as long as
 * it can: the text that it prints has it, and so has the running configuration when a text comes without it.
 *
 *   given ids -> those that the fabric chose before, while they are free -> new ones, from 4094 down
 */
#include <string.h>

#include "switch/conf_check.h"

enum { VLANS = 4096 };

struct choice {
	struct check *k;
	struct {
		const struct conf_kind *kind;
		const void *object; /* NULL: nobody's */
	} owner[VLANS];
	bool used[VLANS]; /* named by a port */
	unsigned next;
};

bool conf_has_vid(const uint64_t vids[VLANS / 64], unsigned vid)
{
	return vids[vid >> 6] >> (vid & 63) & 1;
}

/* Ids that nothing without one must get: those that a port names. */
static void note_port_vlans(struct choice *ch)
{
	const struct conf *c = ch->k->c;

	for (size_t i = 0; i < c->n_ports; i++) {
		const struct conf_port *p = &c->ports[i];

		ch->used[p->tag] = true;
		for (unsigned v = 0; p->has_trunks && v < VLANS; v++)
			ch->used[v] = ch->used[v] || conf_has_vid(p->trunks, v);
	}
}

static void own(struct choice *ch, const struct conf_kind *kind, const void *object, unsigned vid)
{
	ch->owner[vid].kind = kind;
	ch->owner[vid].object = object;
}

/* Takes an id that was given. */
static int take(struct choice *ch, const struct conf_kind *kind, const void *object, unsigned vid)
{
	if (ch->owner[vid].object)
		return conf_wrong(ch->k, kind, object, "vlan",
				  "vlan %u is that of %s \"%s\" already", vid,
				  ch->owner[vid].kind->word, (const char *)ch->owner[vid].object);
	own(ch, kind, object, vid);
	return 0;
}

static bool is_free(const struct choice *ch, unsigned vid)
{
	return vid && !ch->owner[vid].object;
}

/* The next id that nobody has; 0: there is none. */
static uint16_t next_free(struct choice *ch)
{
	while (ch->next && (ch->owner[ch->next].object || ch->used[ch->next]))
		ch->next--;
	return (uint16_t)ch->next;
}

/* The untagged bridged network on an uplink, or NULL. */
static const struct conf_network *lender_of(const struct conf *c, const struct conf_uplink *u)
{
	for (size_t i = 0; i < c->n_networks; i++)
		if (c->networks[i].mode == NET_BRIDGED && !c->networks[i].tagged &&
		    !strcmp(c->networks[i].uplink, u->name))
			return &c->networks[i];
	return NULL;
}

static int take_given(struct choice *ch)
{
	struct conf *c = ch->k->c;
	int err = 0;

	for (size_t i = 0; i < c->n_networks && !err; i++)
		if (c->networks[i].vlan)
			err = take(ch, &conf_networks, &c->networks[i], c->networks[i].vlan);
	for (size_t i = 0; i < c->n_uplinks && !err; i++) {
		struct conf_uplink *u = &c->uplinks[i];

		if (u->vlan && !u->vlan_auto && !lender_of(c, u))
			err = take(ch, &conf_uplinks, u, u->vlan);
	}
	return err;
}

/* What the running fabric chose for a network stays, unless the id is now somebody's by name. */
static void keep_networks(struct choice *ch)
{
	struct conf_names kept = {0};
	struct conf *c = ch->k->c;

	if (!ch->k->keep || conf_names_init(&kept, ch->k->keep, &conf_networks))
		return; /* without memory the choice is a new one, and that is all */
	for (size_t i = 0; i < c->n_networks; i++) {
		struct conf_network *n = &c->networks[i];
		const struct conf_network *old = conf_names_find(&kept, n->name);

		if (n->vlan || !old || !old->vlan_auto || !is_free(ch, old->vlan))
			continue;
		n->vlan = old->vlan;
		n->vlan_auto = true;
		own(ch, &conf_networks, n, n->vlan);
	}
	conf_names_fini(&kept);
}

/* The same of an uplink.  Nobody gave its id, so it moves where a network or a port has it now. */
static void keep_uplinks(struct choice *ch)
{
	struct conf *c = ch->k->c;

	for (size_t i = 0; i < c->n_uplinks; i++) {
		struct conf_uplink *u = &c->uplinks[i];
		const struct conf_uplink *old =
			ch->k->keep ? conf_find_uplink(ch->k->keep, u->name) : NULL;

		if (u->vlan && !u->vlan_auto)
			continue;
		if (!u->vlan && old && old->vlan_auto && !lender_of(ch->k->keep, old))
			u->vlan = old->vlan;
		if (lender_of(c, u) || !is_free(ch, u->vlan) || ch->used[u->vlan])
			u->vlan = 0;
		else
			own(ch, &conf_uplinks, u, u->vlan);
		u->vlan_auto = true;
	}
}

/* The next id that nobody names. */
static int choose(struct choice *ch, const struct conf_kind *kind, void *item, uint16_t *vlan)
{
	*vlan = next_free(ch);
	if (!*vlan)
		return conf_wrong(ch->k, kind, item, NULL,
				  "no VLAN id is left that neither a network nor a port names");
	own(ch, kind, item, *vlan);
	return 0;
}

static int choose_networks(struct choice *ch)
{
	struct conf *c = ch->k->c;
	int err;

	for (size_t i = 0; i < c->n_networks; i++) {
		struct conf_network *n = &c->networks[i];

		if (n->vlan)
			continue;
		n->vlan_auto = true;
		err = choose(ch, &conf_networks, n, &n->vlan);
		if (err)
			return err;
	}
	return 0;
}

static int choose_uplinks(struct choice *ch)
{
	struct conf *c = ch->k->c;
	int err;

	for (size_t i = 0; i < c->n_uplinks; i++) {
		struct conf_uplink *u = &c->uplinks[i];
		const struct conf_network *lender = lender_of(c, u);

		if (lender && u->vlan && u->vlan != lender->vlan)
			return conf_wrong(ch->k, &conf_uplinks, u, "vlan",
					  "the untagged network \"%s\" on it has vlan %u",
					  lender->name, lender->vlan);
		if (lender)
			u->vlan = lender->vlan;
		if (u->vlan)
			continue;
		err = choose(ch, &conf_uplinks, u, &u->vlan);
		if (err)
			return err;
	}
	return 0;
}

int conf_choose_vlans(struct check *k)
{
	struct choice ch = {.k = k, .next = VLANS - 2};
	int err = take_given(&ch);

	if (err)
		return err;
	note_port_vlans(&ch);
	keep_networks(&ch);
	keep_uplinks(&ch);
	err = choose_networks(&ch);
	return err ? err : choose_uplinks(&ch);
}

void conf_hidden_vlans(const struct conf *c, uint64_t vids[static VLANS / 64])
{
	memset(vids, 0, VLANS / 8);
	for (size_t i = 0; i < c->n_uplinks; i++)
		vids[c->uplinks[i].vlan >> 6] |= UINT64_C(1) << (c->uplinks[i].vlan & 63);
	/* A network in the VLAN of an uplink says whether it is hidden. */
	for (size_t i = 0; i < c->n_networks; i++) {
		const struct conf_network *n = &c->networks[i];
		uint64_t bit = UINT64_C(1) << (n->vlan & 63);

		vids[n->vlan >> 6] =
			n->vlan_auto ? vids[n->vlan >> 6] | bit : vids[n->vlan >> 6] & ~bit;
	}
}
