/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_look: who else would drop what host uplinks forward?
 *
 * How it fits.  broker_host.c calls nft_find_block() after each set and after changes of the ruleset.
 *
 * Theory of operation.  Each table with a base chain at the forward hook has its own say, and a drop
 * anywhere is final.  The usual one is a policy: that of ufw, and of Docker, which both write by
 * iptables-nft into table filter, chain FORWARD, and that of many a hand-written inet filter.  Such
 * a chain is taken for open when some rule of its table names our tap, by its name or by a prefix of
 * it, and accepts, once as the interface that packets come in by and once as that they leave by.
 * To do more would be to run the ruleset.
 *
 * Trust.  What other programs wrote into the kernel; names go into messages only.
 */
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "bridge/nft_internal.h"

enum { CHAINS_MAX = 16, NAME_SIZE = 64 };

/* A chain that drops by policy. */
struct chain {
	uint32_t family;
	char table[NAME_SIZE], name[NAME_SIZE];
};

struct look {
	const struct nft_set *set;
	bool has_v4, has_v6; /* of the uplinks */
	bool has_ufw;
	struct chain chain[CHAINS_MAX];
	unsigned n;
};

static bool is_ours(const char *table, uint32_t family)
{
	return family == NFPROTO_INET && strcmp(table, "vfab") == 0;
}

static bool concerns_us(const struct look *l, uint32_t family)
{
	return (family == NFPROTO_INET) || (family == NFPROTO_IPV4 && l->has_v4) ||
	       (family == NFPROTO_IPV6 && l->has_v6);
}

static void note_chain(struct look *l, const struct nftnl_chain *c)
{
	const char *table = nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE);
	const char *name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);
	uint32_t family = nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY);

	if (!table || !name || is_ours(table, family))
		return;
	l->has_ufw |= strcmp(name, "ufw-user-forward") == 0;
	if (!nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM) ||
	    nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM) != NF_INET_FORWARD ||
	    !nftnl_chain_is_set(c, NFTNL_CHAIN_POLICY) ||
	    nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) != NF_DROP || !concerns_us(l, family) ||
	    l->n == CHAINS_MAX)
		return;
	l->chain[l->n].family = family;
	snprintf(l->chain[l->n].table, NAME_SIZE, "%s", table);
	snprintf(l->chain[l->n].name, NAME_SIZE, "%s", name);
	l->n++;
}

static int see_chain(const struct nlmsghdr *h, void *arg)
{
	struct nftnl_chain *c = nftnl_chain_alloc();

	if (!c)
		return MNL_CB_ERROR;
	if (nftnl_chain_nlmsg_parse(h, c) == 0)
		note_chain(arg, c);
	nftnl_chain_free(c);
	return MNL_CB_OK;
}

/* Which taps the rules of a table accept, by their place in the set. */
struct accepted {
	const struct nft_set *set;
	uint64_t in, out;
};

struct reading {
	const struct accepted *for_whom;
	uint32_t key; /* of the last meta */
	uint64_t in, out;
	bool accepts;
};

/* The taps that the compared name means. */
static uint64_t named(const struct nft_set *s, const struct nftnl_expr *e)
{
	uint64_t taps = 0;
	uint32_t size = 0;
	const void *data = nftnl_expr_get(e, NFTNL_EXPR_CMP_DATA, &size);
	unsigned i;

	if (!data || size == 0 || size > IFNAMSIZ ||
	    nftnl_expr_get_u32(e, NFTNL_EXPR_CMP_OP) != NFT_CMP_EQ)
		return 0;
	for (i = 0; i < s->n_uplinks; i++) {
		if (memcmp(s->uplinks[i].ifname, data, size) == 0)
			taps |= 1ULL << i;
	}
	return taps;
}

static int see_expression(struct nftnl_expr *e, void *arg)
{
	const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);
	struct reading *r = arg;

	if (strcmp(name, "meta") == 0) {
		r->key = nftnl_expr_get_u32(e, NFTNL_EXPR_META_KEY);
		return 0;
	}
	if (strcmp(name, "cmp") == 0 && r->key == NFT_META_IIFNAME)
		r->in |= named(r->for_whom->set, e);
	else if (strcmp(name, "cmp") == 0 && r->key == NFT_META_OIFNAME)
		r->out |= named(r->for_whom->set, e);
	else if (strcmp(name, "immediate") == 0 && nftnl_expr_is_set(e, NFTNL_EXPR_IMM_VERDICT) &&
		 nftnl_expr_get_u32(e, NFTNL_EXPR_IMM_VERDICT) == NF_ACCEPT)
		r->accepts = true;
	r->key = UINT32_MAX;
	return 0;
}

static int see_rule(const struct nlmsghdr *h, void *arg)
{
	struct accepted *a = arg;
	struct reading r = {.for_whom = a, .key = UINT32_MAX};
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		return MNL_CB_ERROR;
	if (nftnl_rule_nlmsg_parse(h, rule) == 0)
		nftnl_expr_foreach(rule, see_expression, &r);
	nftnl_rule_free(rule);
	if (r.accepts) {
		a->in |= r.in;
		a->out |= r.out;
	}
	return MNL_CB_OK;
}

/* The first tap that a chain's table has no rule for; NULL: it lets all pass. */
static const struct nft_uplink *blocked_by(struct nft *n, const struct chain *c)
{
	struct accepted a = {.set = &n->now};
	struct nlmsghdr *h = nft_begin(n, NFT_MSG_GETRULE, (uint8_t)c->family, NLM_F_DUMP);
	unsigned i;

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, c->table);
	if (nft_ask(n, h, see_rule, &a) < 0)
		return NULL;
	for (i = 0; i < n->now.n_uplinks; i++) {
		if (!(a.in & a.out & 1ULL << i))
			return &n->now.uplinks[i];
	}
	return NULL;
}

static const char *family_word(uint32_t family)
{
	return family == NFPROTO_IPV4 ? "ip" : family == NFPROTO_IPV6 ? "ip6" : "inet";
}

static void say(const struct look *l, const struct chain *c, const char *tap,
		char text[static NFT_TEXT])
{
	const char *family = family_word(c->family);
	int at = snprintf(text, NFT_TEXT, "%s %s %s drops what is forwarded: ", family, c->table,
			  c->name);

	if (at < 0 || at >= NFT_TEXT)
		return;
	text += at;
	if (c->family == NFPROTO_INET || strcmp(c->table, "filter") != 0 ||
	    strcmp(c->name, "FORWARD") != 0)
		snprintf(text, (size_t)(NFT_TEXT - at),
			 "nft insert rule %s %s %s iifname %s accept, and again with oifname",
			 family, c->table, c->name, tap);
	else if (l->has_ufw)
		snprintf(text, (size_t)(NFT_TEXT - at),
			 "ufw route allow in on %s; ufw route allow out on %s", tap, tap);
	else
		snprintf(text, (size_t)(NFT_TEXT - at),
			 "%s -I FORWARD -i %s -j ACCEPT, and again with -o",
			 c->family == NFPROTO_IPV4 ? "iptables" : "ip6tables", tap);
}

bool nft_find_block(struct nft *n, char text[static NFT_TEXT])
{
	struct look l = {.set = &n->now};
	const struct nft_uplink *tap;
	static const struct ip none;
	unsigned i;

	text[0] = '\0';
	if (n->now.n_uplinks == 0)
		return false;
	for (i = 0; i < n->now.n_uplinks; i++) {
		l.has_v4 |= !ip_equal(&n->now.uplinks[i].own4, &none);
		l.has_v6 |= !ip_equal(&n->now.uplinks[i].own6, &none);
	}
	if (nft_ask(n, nft_begin(n, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC, NLM_F_DUMP), see_chain, &l) <
	    0)
		return false;
	for (i = 0; i < l.n; i++) {
		tap = blocked_by(n, &l.chain[i]);
		if (!tap)
			continue;
		say(&l, &l.chain[i], tap->ifname, text);
		return true;
	}
	return false;
}
