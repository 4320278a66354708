/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_rule: one transaction of nftables as it is written.
 *
 * How it fits.  nft.c says what the table holds; here it becomes messages of libnftnl.
 *
 * Theory of operation.  A rule is a list of expressions over registers: load something into a
 * register, compare it, and so on; then act.  All values are in network order, save those that the
 * kernel makes itself (fib type, ct state): these are its own.
 */
#include "bridge/nft_rule.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

enum {
	MESSAGE_MAX = 4096, /* bytes of one message; the longest has some 600 */
	BATCH_MIN = 64 << 10,
	IP4_SOURCE =
		12, /* offsets in the headers, RFC 791, RFC 8200, and of the port in TCP and UDP */
	IP4_DESTINATION = 16,
	IP6_SOURCE = 8,
	IP6_DESTINATION = 24,
	PORT_DESTINATION = 2,
};

/* --- messages --------------------------------------------------------------------------- */

/* Room for one more message; NULL and is_failed without memory. */
static char *room(struct nft_batch *b)
{
	size_t size = b->size ? b->size : BATCH_MIN;
	char *bytes;

	if (b->is_failed)
		return NULL;
	while (size < b->n + MESSAGE_MAX)
		size *= 2;
	if (size > b->size) {
		bytes = realloc(b->bytes, size);
		b->is_failed = !bytes;
		if (!bytes)
			return NULL;
		b->bytes = bytes;
		b->size = size;
	}
	return b->bytes + b->n;
}

static struct nlmsghdr *message(struct nft_batch *b, uint16_t type, uint16_t flags)
{
	char *at = room(b);

	return at ? nftnl_nlmsg_build_hdr(at, type, NFPROTO_INET, flags, b->seq++) : NULL;
}

static void took(struct nft_batch *b, const struct nlmsghdr *h)
{
	b->n += MNL_ALIGN(h->nlmsg_len);
}

void batch_begin(struct nft_batch *b, const char *table, uint32_t seq)
{
	char *at;

	*b = (struct nft_batch){.table = table, .seq = seq};
	at = room(b);
	if (at)
		took(b, nftnl_batch_begin(at, b->seq++));
}

void batch_end(struct nft_batch *b)
{
	char *at = room(b);

	if (at)
		took(b, nftnl_batch_end(at, b->seq++));
}

void batch_free(struct nft_batch *b)
{
	free(b->bytes);
}

void batch_table(struct nft_batch *b, uint16_t type, uint32_t flags)
{
	struct nlmsghdr *h =
		message(b, type, NLM_F_ACK | (type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0));
	struct nftnl_table *t = h ? nftnl_table_alloc() : NULL;

	if (!t) {
		b->is_failed = true;
		return;
	}
	nftnl_table_set_str(t, NFTNL_TABLE_NAME, b->table);
	if (flags)
		nftnl_table_set_u32(t, NFTNL_TABLE_FLAGS, flags);
	nftnl_table_nlmsg_build_payload(h, t);
	nftnl_table_free(t);
	took(b, h);
}

void batch_chain(struct nft_batch *b, const char *name, const struct nft_base *base)
{
	struct nlmsghdr *h = message(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nftnl_chain *c = h ? nftnl_chain_alloc() : NULL;

	if (!c) {
		b->is_failed = true;
		return;
	}
	nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, b->table);
	nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
	if (base) {
		nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, base->type);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, base->hook);
		nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, base->priority);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	nftnl_chain_nlmsg_build_payload(h, c);
	nftnl_chain_free(c);
	took(b, h);
}

void rule_begin(struct nft_batch *b, const char *chain)
{
	b->rule = b->is_failed ? NULL : nftnl_rule_alloc();
	if (!b->rule) {
		b->is_failed = true;
		return;
	}
	nftnl_rule_set_str(b->rule, NFTNL_RULE_TABLE, b->table);
	nftnl_rule_set_str(b->rule, NFTNL_RULE_CHAIN, chain);
	nftnl_rule_set_u32(b->rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
}

void rule_end(struct nft_batch *b)
{
	struct nlmsghdr *h = message(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	if (h) {
		nftnl_rule_nlmsg_build_payload(h, b->rule);
		took(b, h);
	}
	if (b->rule)
		nftnl_rule_free(b->rule);
	b->rule = NULL;
}

/* --- expressions ------------------------------------------------------------------------ */

/* A new expression at the end of the rule; NULL: none can be had, or the batch has failed before. */
static struct nftnl_expr *expression(struct nft_batch *b, const char *name)
{
	struct nftnl_expr *e = b->is_failed ? NULL : nftnl_expr_alloc(name);

	if (e)
		nftnl_rule_add_expr(b->rule, e);
	else
		b->is_failed = true;
	return e;
}

static void load_meta(struct nft_batch *b, uint32_t key)
{
	struct nftnl_expr *e = expression(b, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_payload(struct nft_batch *b, uint32_t base, uint32_t offset, uint32_t bytes)
{
	struct nftnl_expr *e = expression(b, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, bytes);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

static void load_value(struct nft_batch *b, const void *data, uint32_t bytes)
{
	struct nftnl_expr *e = expression(b, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, data, bytes);
}

static void compare(struct nft_batch *b, uint32_t op, const void *data, uint32_t bytes)
{
	struct nftnl_expr *e = expression(b, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, bytes);
}

/* Some of the bits of what was loaded are set. */
static void match_bits(struct nft_batch *b, uint32_t bits)
{
	struct nftnl_expr *e = expression(b, "bitwise");
	const uint32_t zero = 0;

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, sizeof(bits));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, &bits, sizeof(bits));
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &zero, sizeof(zero));
	compare(b, NFT_CMP_NEQ, &zero, sizeof(zero));
}

static void match_name(struct nft_batch *b, uint32_t key, const char *ifname)
{
	char padded[IFNAMSIZ] = "";

	memcpy(padded, ifname, strnlen(ifname, sizeof(padded) - 1));
	load_meta(b, key);
	compare(b, NFT_CMP_EQ, padded, sizeof(padded));
}

void match_in(struct nft_batch *b, const char *ifname)
{
	match_name(b, NFT_META_IIFNAME, ifname);
}

void match_out(struct nft_batch *b, const char *ifname)
{
	match_name(b, NFT_META_OIFNAME, ifname);
}

void match_family(struct nft_batch *b, bool is_v4)
{
	uint8_t family = is_v4 ? NFPROTO_IPV4 : NFPROTO_IPV6;

	load_meta(b, NFT_META_NFPROTO);
	compare(b, NFT_CMP_EQ, &family, sizeof(family));
}

static void load_address(struct nft_batch *b, enum nft_side side, bool is_v4, uint32_t bytes)
{
	uint32_t source = is_v4 ? IP4_SOURCE : IP6_SOURCE;
	uint32_t destination = is_v4 ? IP4_DESTINATION : IP6_DESTINATION;

	match_family(b, is_v4);
	load_payload(b, NFT_PAYLOAD_NETWORK_HEADER, side == SIDE_SOURCE ? source : destination,
		     bytes);
}

/* An address as it is in the header. */
static const uint8_t *wire(const struct ip *ip, uint32_t *bytes)
{
	*bytes = ip_is_v4(ip) ? 4 : 16;
	return ip->b + sizeof(ip->b) - *bytes;
}

void match_address(struct nft_batch *b, enum nft_side side, const struct ip *ip)
{
	uint32_t bytes;
	const uint8_t *at = wire(ip, &bytes);

	load_address(b, side, bytes == 4, bytes);
	compare(b, NFT_CMP_EQ, at, bytes);
}

void match_loopback(struct nft_batch *b, enum nft_side side, bool is_v4)
{
	static const uint8_t loopback[16] = {[15] = 1}, net = 127;

	load_address(b, side, is_v4, is_v4 ? 1 : sizeof(loopback));
	compare(b, NFT_CMP_EQ, is_v4 ? &net : loopback, is_v4 ? 1 : sizeof(loopback));
}

void match_local(struct nft_batch *b, bool is_local)
{
	struct nftnl_expr *e = expression(b, "fib");
	const uint32_t type = RTN_LOCAL;

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	compare(b, is_local ? NFT_CMP_EQ : NFT_CMP_NEQ, &type, sizeof(type));
}

void match_ports(struct nft_batch *b, uint8_t proto, uint16_t first, uint16_t last)
{
	const uint16_t from = htons(first), to = htons(last);

	load_meta(b, NFT_META_L4PROTO);
	compare(b, NFT_CMP_EQ, &proto, sizeof(proto));
	load_payload(b, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_DESTINATION, sizeof(from));
	if (first == last) {
		compare(b, NFT_CMP_EQ, &from, sizeof(from));
		return;
	}
	compare(b, NFT_CMP_GTE, &from, sizeof(from));
	compare(b, NFT_CMP_LTE, &to, sizeof(to));
}

static void load_ct(struct nft_batch *b, uint32_t key)
{
	struct nftnl_expr *e = expression(b, "ct");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

void match_state(struct nft_batch *b, uint32_t any_of)
{
	load_ct(b, NFT_CT_STATE);
	match_bits(b, any_of);
}

void match_dnat(struct nft_batch *b)
{
	load_ct(b, NFT_CT_STATUS);
	match_bits(b, IPS_DST_NAT);
}

void then_verdict(struct nft_batch *b, uint32_t verdict, const char *chain)
{
	struct nftnl_expr *e = expression(b, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, verdict);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void then_nat(struct nft_batch *b, uint32_t type, const struct ip *to)
{
	uint32_t bytes;
	const uint8_t *at = wire(to, &bytes);
	struct nftnl_expr *e;

	load_value(b, at, bytes);
	e = expression(b, "nat");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, type);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, bytes == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
}

void then_dnat(struct nft_batch *b, const struct ip *to)
{
	then_nat(b, NFT_NAT_DNAT, to);
}

void then_snat(struct nft_batch *b, const struct ip *to)
{
	then_nat(b, NFT_NAT_SNAT, to);
}

void then_masquerade(struct nft_batch *b)
{
	expression(b, "masq");
}
