/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nat_lab: see the header.  Checksums are made and verified word by word here, with nothing of switch/base/csum.c. */
#include "tests/lib/nat_lab.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct lab lab;

static const uint64_t seed[2] = {0x0123456789abcdef, 0xfedcba9876543210};

struct ip nat_lab_ip(const char *text)
{
	struct ip ip;

	if (!ip_parse(text, &ip))
		abort();
	return ip;
}

void nat_lab_commit(void)
{
	struct nat_plan *plan = nat_plan_create(&lab.conf);

	assert(plan);
	nat_plan_destroy(nat_commit(lab.nat, plan));
}

static void add_net(uint16_t vid, uint16_t outside)
{
	lab.nets[lab.conf.n_nets++] = (struct nat_net){
		.vid = vid,
		.outside = outside,
		.udp_s = 300,
		.tcp_s = 7440,
		.tcp_transitory_s = 240,
		.icmp_s = 60,
		.sessions = 100000,
		.per_guest = 50000,
	};
}

int nat_lab_setup(void **state)
{
	(void)state;
	memset(&lab, 0, sizeof(lab));
	lab.now_ns = 1000 * LAB_S;
	lab.region = mmap(NULL, nat_region_bytes(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert(lab.region != MAP_FAILED);
	lab.conf = (struct nat_conf){
		.nets = lab.nets, .outsides = lab.outsides, .rules = lab.rules, .n_outsides = 2};
	add_net(LAB_IN, 0);
	add_net(LAB_IN2, 0);
	add_net(LAB_ROUTED, NAT_NO_OUTSIDE);
	lab.outsides[0] = (struct nat_outside){.vid = LAB_OUT, .n_pool = 2};
	lab.outsides[0].pool[0] = nat_lab_ip("192.0.2.1");
	lab.outsides[0].pool[1] = nat_lab_ip("2001:db8::1");
	lab.outsides[1] = (struct nat_outside){.vid = LAB_OUT2, .n_pool = 1};
	lab.outsides[1].pool[0] = nat_lab_ip("203.0.113.1");
	lab.nat = nat_create(lab.region, true, lab.now_ns, seed);
	assert(lab.nat);
	nat_lab_commit();
	return 0;
}

int nat_lab_teardown(void **state)
{
	(void)state;
	nat_destroy(lab.nat);
	munmap(lab.region, nat_region_bytes());
	return 0;
}

void nat_lab_restart(void)
{
	nat_destroy(lab.nat);
	lab.nat = nat_create(lab.region, false, lab.now_ns, seed);
	assert(lab.nat);
	nat_lab_commit();
}

void nat_lab_wait(double seconds)
{
	uint64_t until = lab.now_ns + (uint64_t)(seconds * 1e9), next;

	for (;;) {
		next = nat_tick(lab.nat, lab.now_ns);
		if (next > until)
			break;
		lab.now_ns = next > lab.now_ns ? next : lab.now_ns;
	}
	lab.now_ns = until;
}

struct nat_rule *nat_lab_add_rule(const char *id, uint8_t proto, const char *bind, uint16_t first,
				  uint16_t last, const char *guest, uint16_t guest_first)
{
	struct nat_rule *r = &lab.rules[lab.conf.n_rules++];

	*r = (struct nat_rule){
		.vid = LAB_IN,
		.proto = proto,
		.first = first,
		.last = last,
		.guest_first = guest_first,
		.guest = nat_lab_ip(guest),
	};
	snprintf(r->id, sizeof(r->id), "%s", id);
	if (bind)
		r->bind = nat_lab_ip(bind);
	return r;
}

/* --- Packets --- */

static uint64_t sum_of(uint64_t sum, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sum += (uint64_t)p[i] << (i % 2 ? 0 : 8);
	return sum;
}

static uint16_t finish(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint8_t *snap(void)
{
	return lab.memory + FRAME_HEADROOM;
}

static void parse(void)
{
	lab.f.etype = frame_etype(&lab.f);
	if (packet_parse(&lab.k, &lab.f) != DROP_NONE)
		lab.k.f = NULL;
}

void nat_lab_fix_ipv4(void)
{
	uint8_t *ip = snap() + 14;

	write_be16(ip + 10, 0);
	write_be16(ip + 10, finish(sum_of(0, ip, (ip[0] & 15) * 4u)));
	parse();
}

static unsigned csum_at(uint8_t proto)
{
	return proto == PROTO_TCP ? 16 : proto == PROTO_UDP ? 6 : 2;
}

static uint64_t l4_sum(const struct packet *k)
{
	uint32_t n = k->l3 + k->ip_bytes - k->l4;
	const uint8_t *ip = k->f->snap + k->l3;
	uint64_t sum = 0;

	if (k->proto != PROTO_ICMP)
		sum = sum_of(n + k->proto, ip + (k->is_v6 ? 8 : 12), k->is_v6 ? 32 : 8);
	return sum_of(sum, k->f->snap + k->l4, n);
}

void nat_lab_fix_l4(void)
{
	uint8_t *field = snap() + lab.k.l4 + csum_at(lab.k.proto);
	uint16_t sum;

	write_be16(field, 0);
	sum = finish(l4_sum(&lab.k));
	write_be16(field, sum == 0 && lab.k.proto == PROTO_UDP ? 0xffff : sum);
}

void nat_lab_ip_packet(const struct ip *src, const struct ip *dst, uint8_t proto, const void *l4,
		       uint32_t bytes)
{
	bool v6 = !ip_is_v4(src);
	unsigned header = v6 ? 40 : 20;
	uint8_t *ip = snap() + 14;

	memset(lab.memory, 0, sizeof(lab.memory));
	write_be16(ip - 2, v6 ? ETYPE_IPV6 : ETYPE_IPV4);
	if (v6) {
		ip[0] = 0x60;
		write_be16(ip + 4, (uint16_t)bytes);
		ip[6] = proto;
		ip[7] = 64;
		memcpy(ip + 8, src, 16);
		memcpy(ip + 24, dst, 16);
	} else {
		ip[0] = 0x45;
		write_be16(ip + 2, (uint16_t)(20 + bytes));
		write_be16(ip + 4, 0x1234);
		write_be16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = proto;
		memcpy(ip + 12, src->b + 12, 4);
		memcpy(ip + 16, dst->b + 12, 4);
	}
	memcpy(ip + header, l4, bytes);
	lab.f = (struct frame){.snap = snap(), .len = 14 + header + bytes};
	lab.f.snap_len = (uint16_t)lab.f.len;
	if (v6)
		parse();
	else
		nat_lab_fix_ipv4();
	if (lab.k.f)
		nat_lab_fix_l4();
}

static void fill_payload(uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + 1);
}

static void make(const char *src, const char *dst, uint8_t proto, const void *l4, uint32_t bytes)
{
	struct ip from = nat_lab_ip(src), to = nat_lab_ip(dst);

	nat_lab_ip_packet(&from, &to, proto, l4, bytes);
}

void nat_lab_udp(const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	uint8_t l4[20] = {0};

	write_be16(l4, sport);
	write_be16(l4 + 2, dport);
	write_be16(l4 + 4, sizeof(l4));
	fill_payload(l4 + 8, 12);
	make(src, dst, PROTO_UDP, l4, sizeof(l4));
}

void nat_lab_tcp(const char *src, uint16_t sport, const char *dst, uint16_t dport, uint8_t flags,
		 uint32_t seq, uint32_t ack, uint32_t payload)
{
	uint8_t l4[1600] = {0};

	write_be16(l4, sport);
	write_be16(l4 + 2, dport);
	write_be16(l4 + 4, (uint16_t)(seq >> 16));
	write_be16(l4 + 6, (uint16_t)seq);
	write_be16(l4 + 8, (uint16_t)(ack >> 16));
	write_be16(l4 + 10, (uint16_t)ack);
	l4[12] = 5 << 4;
	l4[13] = flags;
	write_be16(l4 + 14, 8192);
	fill_payload(l4 + 20, payload);
	make(src, dst, PROTO_TCP, l4, 20 + payload);
}

void nat_lab_query(const char *src, const char *dst, bool is_request, uint16_t id)
{
	bool v6 = strchr(src, ':');
	uint8_t l4[24] = {0};

	l4[0] = v6 ? (is_request ? 128 : 129) : (is_request ? 8 : 0);
	write_be16(l4 + 4, id);
	write_be16(l4 + 6, 1);
	fill_payload(l4 + 8, 16);
	make(src, dst, v6 ? PROTO_ICMPV6 : PROTO_ICMP, l4, sizeof(l4));
}

void nat_lab_error(const char *from, uint8_t type, uint8_t code, unsigned inner_l4)
{
	struct ip router = nat_lab_ip(from), to = lab.k.src;
	unsigned n = (unsigned)(lab.k.l4 - lab.k.l3) + inner_l4;
	uint8_t l4[8 + 1400] = {type, code};
	bool v6 = lab.k.is_v6;

	if (n > lab.k.ip_bytes)
		n = lab.k.ip_bytes;
	memcpy(l4 + 8, snap() + 14, n);
	nat_lab_ip_packet(&router, &to, v6 ? PROTO_ICMPV6 : PROTO_ICMP, l4, 8 + n);
}

void nat_lab_fragment(const struct lab *whole, unsigned at, unsigned n)
{
	unsigned header = (unsigned)(whole->k.l4 - whole->k.l3);
	unsigned all = whole->k.ip_bytes - header;
	uint8_t *ip = snap() + 14;
	bool more = n != 0 && at + n < all;

	if (n == 0)
		n = all - at;
	memcpy(lab.memory, whole->memory, sizeof(lab.memory));
	if (whole->k.is_v6) {
		ip[6] = 44;
		write_be16(ip + 4, (uint16_t)(8 + n));
		memset(ip + 40, 0, 8);
		ip[40] = whole->k.proto;
		write_be16(ip + 42, (uint16_t)(at | more));
		write_be16(ip + 46, 0x1234);
		memcpy(ip + 48, whole->memory + FRAME_HEADROOM + 54 + at, n);
		header += 8;
	} else {
		write_be16(ip + 2, (uint16_t)(header + n));
		write_be16(ip + 6, (uint16_t)((more ? 0x2000 : 0) | at / 8));
		memcpy(ip + header, whole->memory + FRAME_HEADROOM + 14 + header + at, n);
	}
	lab.f = (struct frame){.snap = snap(), .len = 14 + header + n};
	lab.f.snap_len = (uint16_t)lab.f.len;
	if (whole->k.is_v6)
		parse();
	else
		nat_lab_fix_ipv4();
}

/* --- Verbs --- */

/* The inner header of an error, as far as it is there. */
static bool does_inner_hold(void)
{
	const uint8_t *ip = snap() + lab.k.l4 + 8;

	if (lab.k.is_v6)
		return true;
	return finish(sum_of(0, ip, (ip[0] & 15) * 4u)) == 0;
}

bool nat_lab_checksums_hold(void)
{
	const struct packet *k = &lab.k;
	const uint8_t *ip = k->f->snap + k->l3;

	if (!k->is_v6 && finish(sum_of(0, ip, (ip[0] & 15) * 4u)) != 0)
		return false;
	if (k->fragment != FRAGMENT_NONE)
		return true;
	if (k->proto == PROTO_UDP && read_be16(k->f->snap + k->l4 + 6) == 0)
		return true;
	if (finish(l4_sum(k)) != 0)
		return false;
	return !packet_is_error(k) || does_inner_hold();
}

/* Parses what came out again: struct packet must say the same. */
static void check(enum drop drop)
{
	struct packet k = lab.k;

	if (drop != DROP_NONE || lab.held)
		return;
	parse();
	assert(lab.k.f);
	assert(ip_equal(&k.src, &lab.k.src) && ip_equal(&k.dst, &lab.k.dst));
	assert(k.sport == lab.k.sport && k.dport == lab.k.dport);
	assert(k.fragment_id == lab.k.fragment_id);
	assert(nat_lab_checksums_hold());
}

static struct nat_job job(uint16_t vid)
{
	return (struct nat_job){.k = &lab.k, .vid = vid, .slot = LAB_SLOT};
}

enum drop nat_lab_out(uint16_t vid)
{
	struct nat_job j = job(vid);
	enum drop drop;

	nat_seek(lab.nat, &j, NAT_OUT);
	nat_fetch(lab.nat, &j);
	drop = nat_out(lab.nat, &j, lab.now_ns, &lab.held);
	lab.vid = j.vid;
	check(drop);
	return drop;
}

enum drop nat_lab_in(uint16_t vid)
{
	struct nat_job j = job(vid);
	enum drop drop;

	nat_seek(lab.nat, &j, NAT_IN);
	nat_fetch(lab.nat, &j);
	drop = nat_in(lab.nat, &j, lab.now_ns, &lab.held);
	lab.vid = j.vid;
	check(drop);
	return drop;
}

enum drop nat_lab_route(uint16_t vid, uint16_t to_vid, bool may_begin)
{
	struct nat_job j = job(vid);
	enum drop drop;

	j.to_vid = to_vid;
	nat_seek(lab.nat, &j, NAT_ROUTE);
	nat_fetch(lab.nat, &j);
	drop = nat_route(lab.nat, &j, may_begin, lab.now_ns, &lab.held);
	lab.vid = j.vid;
	check(drop);
	return drop;
}

bool nat_lab_held(void)
{
	lab.held = false;
	if (!nat_held(lab.nat, &lab.k, &lab.f, &lab.vid, lab.now_ns))
		return false;
	/* Into our own memory, where the other functions look. */
	frame_copy(&lab.f, 0, snap(), sizeof(lab.memory) - FRAME_HEADROOM);
	lab.f.snap = snap();
	lab.f.snap_len = (uint16_t)lab.f.len;
	lab.f.body_cnt = 0;
	check(DROP_NONE);
	return true;
}

bool nat_lab_src_is(const char *ip, uint16_t port)
{
	struct ip want = nat_lab_ip(ip);

	return ip_equal(&lab.k.src, &want) && lab.k.sport == port;
}

bool nat_lab_dst_is(const char *ip, uint16_t port)
{
	struct ip want = nat_lab_ip(ip);

	return ip_equal(&lab.k.dst, &want) && lab.k.dport == port;
}

struct nat_net_stats nat_lab_stats(uint16_t vid)
{
	struct nat_net_stats s;

	if (!nat_net_stats(lab.nat, vid, &s))
		abort();
	return s;
}

uint16_t nat_lab_mapping(uint16_t vid, const char *src, uint16_t sport)
{
	bool v6 = strchr(src, ':');

	nat_lab_udp(src, sport, v6 ? "2001:db8:f::9" : "198.51.100.9", 9);
	return nat_lab_out(vid) == DROP_NONE ? lab.k.sport : 0;
}

unsigned nat_lab_list(struct nat_entry *out, unsigned max)
{
	const struct nat_filter all = {0};
	uint64_t cursor = 0;
	unsigned n = 0;

	while (cursor != UINT64_MAX && n < max)
		n += nat_list(lab.nat, &all, &cursor, out + n, max - n, lab.now_ns);
	return n;
}
