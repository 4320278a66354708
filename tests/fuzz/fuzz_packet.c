/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_packet: a hostile IP packet is parsed within its bounds and rewritten, after which its checksums are as right as they were.
 *
 * Input: bit 0 of the first byte: IPv6; the others: how much of the frame is in the snapshot, in fours from 14 on; second byte:
 * bit 0 GSO, bit 1 a partial checksum, bits 2-7 trailing bytes; third: what is done; then what follows the Ethernet header.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KNOBS = 3, BYTES_MAX = 4096 };

static uint64_t sum_of(uint64_t sum, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sum += (uint64_t)p[i] << (i % 2 ? 0 : 8);
	return sum;
}

static void check_bounds(const struct packet *k, const struct frame *f)
{
	unsigned end = k->l3 + k->ip_bytes;

	assert(k->l3 == ETH_HEADER && k->l4 >= k->l3 + (k->is_v6 ? 40 : 20));
	assert(k->l4 <= end && end <= f->len && k->l4 <= f->snap_len);
	assert(ip_is_v4(&k->src) != k->is_v6 || k->is_v6);
	if (k->fragment == FRAGMENT_LATER) {
		assert(k->sport == 0 && k->dport == 0);
		return;
	}
	if (k->proto == PROTO_TCP)
		assert(k->l4 + 20u <= end && k->l4 + 20u <= f->snap_len);
	if (k->proto == PROTO_UDP || packet_is_query(k) || packet_is_error(k))
		assert(k->l4 + 8u <= end && k->l4 + 8u <= f->snap_len);
}

/* The sum that a checksum makes right: over the pseudo-header, where there is one, and what of L4 is in the snapshot. */
static uint64_t l4_sum(const struct packet *k)
{
	const uint8_t *ip = k->f->snap + k->l3;
	uint32_t end = k->l3 + k->ip_bytes, n;
	uint64_t sum = 0;

	n = (end < k->f->snap_len ? end : k->f->snap_len) - k->l4;
	if (k->proto != PROTO_ICMP)
		sum = sum_of(0, ip + (k->is_v6 ? 8 : 12), k->is_v6 ? 32 : 8);
	return sum_of(sum, k->f->snap + k->l4, n) % 0xffff;
}

static bool has_sum(const struct packet *k)
{
	bool is_partial = k->f->off.flags & OFFLOAD_NEEDS_CSUM;

	if (k->fragment == FRAGMENT_LATER || is_partial)
		return false;
	if (k->proto == PROTO_UDP)
		return read_be16(k->f->snap + k->l4 + 6) != 0;
	return k->proto == PROTO_TCP || packet_is_query(k) || packet_is_error(k);
}

static void rewrite(struct packet *k, unsigned what)
{
	struct ip ip = {{[10] = 0xff, 0xff, (uint8_t)what, 2, 3, 4}};
	struct packet before = *k, again;
	bool is_summed = has_sum(k);
	uint64_t sum = is_summed ? l4_sum(k) : 0;

	if (k->is_v6)
		ip.b[0] = 0xfd;
	if (what & 1)
		packet_set_src(k, &ip, (uint16_t)(what * 257));
	if (what & 2)
		packet_set_dst(k, &ip, (uint16_t)(what * 509));
	if ((what & 4) && k->ttl > 1)
		packet_take_hop(k);
	if ((what & 8) && !k->is_v6)
		packet_set_id(k, (uint16_t)what);
	if (what & 16)
		packet_clamp_mss(k, 536);
	if (is_summed)
		assert(l4_sum(k) == sum);
	assert(packet_parse(&again, k->f) == DROP_NONE);
	assert(ip_equal(&again.src, &k->src) && ip_equal(&again.dst, &k->dst));
	assert(again.sport == k->sport && again.dport == k->dport && again.ttl == k->ttl);
	assert(again.l4 == before.l4 && again.ip_bytes == before.ip_bytes);
	assert(k->fragment_id == again.fragment_id && again.proto == before.proto);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f = {0};
	struct packet k;
	uint8_t *memory;
	uint32_t n;

	if (size < KNOBS || size > BYTES_MAX)
		return 0;
	n = (uint32_t)(size - KNOBS);
	f.len = ETH_HEADER + n + (data[1] >> 2);
	f.snap_len = (uint16_t)(ETH_HEADER + (data[0] >> 1) * 4u);
	if (f.snap_len > ETH_HEADER + n)
		f.snap_len = (uint16_t)(ETH_HEADER + n);
	f.etype = data[0] & 1 ? ETYPE_IPV6 : ETYPE_IPV4;
	/* Of the exact size, so that a sanitizer sees the first byte beyond. */
	memory = malloc(f.snap_len);
	assert(memory);
	memset(memory, 0, ETH_HEADER);
	memcpy(memory + ETH_HEADER, data + KNOBS, f.snap_len - ETH_HEADER);
	f.snap = memory;
	if (data[1] & 1)
		f.off.gso_type = GSO_UDP_L4;
	if (packet_parse(&k, &f) == DROP_NONE) {
		check_bounds(&k, &f);
		if (data[1] & 2) {
			f.off.flags = OFFLOAD_NEEDS_CSUM;
			f.off.csum_start = k.l4;
		}
		rewrite(&k, data[2]);
	}
	free(memory);
	return 0;
}
