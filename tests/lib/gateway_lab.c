/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gateway_lab: legs as legs.c makes them, frames byte by byte, and checks of everything that leaves. */
#include "tests/lib/gateway_lab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "switch/base/csum.h"
#include "switch/port/scratch.h"

enum { ICMP_CSUM = 2, UDP_CSUM = 6, TCP_CSUM = 16, IP_HEADERS = 40 };

struct mac gate_host(uint16_t vid, uint8_t last)
{
	return (struct mac){{2, 0, 0, 0, (uint8_t)vid, last}};
}

struct mac gate_leg(uint16_t vid)
{
	return (struct mac){{2, 0x76, 0x66, 0, 0, (uint8_t)vid}};
}

static struct prefix prefix_of(const char *text)
{
	struct prefix p = {0};

	if (text && !prefix_parse(text, &p))
		abort();
	return p;
}

static struct ip ip_of(const char *text)
{
	struct ip ip;

	if (!ip_parse(text, &ip))
		abort();
	return ip;
}

static void add_leg(struct lab *l, unsigned place, uint16_t vid, const char *v4, const char *v6)
{
	struct gateway_leg *leg = &l->conf->leg[place];

	*leg = (struct gateway_leg){
		.vid = vid, .slot = SLOT_MAX, .mac = gate_leg(vid), .mtu = 1500};
	leg->v4 = prefix_of(v4);
	leg->v6 = prefix_of(v6);
	l->conf->leg_of[vid] = (uint16_t)place;
	if (vid == VID_U || vid == VID_H)
		return;
	leg->is_nat = true;
	leg->outside = LAB_U;
}

static void reach(struct lab *l, unsigned from, unsigned to)
{
	struct gateway_leg *leg = &l->conf->leg[from];

	if (!leg->reaches)
		leg->reaches = calloc(1, sizeof(*leg->reaches));
	if (!leg->reaches)
		abort();
	*leg->reaches |= 1ULL << to;
}

static void make_legs(struct lab *l)
{
	struct gateway_leg *u;

	l->conf = calloc(1, sizeof(*l->conf));
	if (l->conf)
		l->conf->leg = calloc(LAB_LEGS, sizeof(*l->conf->leg));
	if (!l->conf || !l->conf->leg)
		abort();
	l->conf->n_legs = LAB_LEGS;
	add_leg(l, LAB_A, VID_A, "10.10.0.1/24", "fd00:a::1/64");
	add_leg(l, LAB_B, VID_B, "10.20.0.1/24", "fd00:b::1/64");
	add_leg(l, LAB_H, VID_H, "10.30.0.1/24", NULL);
	add_leg(l, LAB_R, VID_R, "10.40.0.1/24", "2001:db8:40::1/64");
	add_leg(l, LAB_U, VID_U, "192.0.2.1/24", "2001:db8::1/64");
	l->conf->leg[LAB_A].advertises = true;
	l->conf->leg[LAB_A].is_slaac = true;
	l->conf->leg[LAB_H].is_host_only = true;
	l->conf->leg[LAB_R].routes_v6 = true;
	u = &l->conf->leg[LAB_U];
	u->is_outside = true;
	u->routes_v6 = true;
	u->next4 = ip_of("192.0.2.254");
	u->next6 = ip_of("2001:db8::fe");
	reach(l, LAB_A, LAB_B);
	reach(l, LAB_H, LAB_B);
	gateway_conf_seal(l->conf);
}

static struct nat_net net_of(uint16_t vid)
{
	return (struct nat_net){
		.vid = vid,
		.udp_s = 300,
		.tcp_s = 7440,
		.tcp_transitory_s = 240,
		.icmp_s = 60,
		.sessions = 4096,
		.per_guest = 64,
		.routes_v6 = vid == VID_R,
	};
}

static void make_nat(struct lab *l)
{
	struct nat_net nets[4] = {net_of(VID_A), net_of(VID_B), net_of(VID_H), net_of(VID_R)};
	struct nat_outside outside = {.vid = VID_U, .n_pool = 2};
	struct nat_rule rule = {
		.id = "a/udp/0.0.0.0:8080",
		.vid = VID_A,
		.proto = PROTO_UDP,
		.first = 8080,
		.last = 8080,
		.guest_first = 80,
		.guest = ip_of("10.10.0.5"),
	};
	struct nat_plan *plan;
	struct nat_conf conf = {.nets = nets,
				.outsides = &outside,
				.rules = &rule,
				.n_nets = 4,
				.n_outsides = 1,
				.n_rules = 1};

	outside.pool[0] = ip_of("192.0.2.1");
	outside.pool[1] = ip_of("2001:db8::1");
	plan = nat_plan_create(&conf);
	if (!plan)
		abort();
	nat_commit(gateway_nat(l->g), plan);
}

struct lab *gate_create(void)
{
	static const uint64_t seed[2] = {0x1234567, 0x89abcdef01};
	struct lab *l = aligned_alloc(64, sizeof(*l));

	if (!l)
		abort();
	memset(l, 0, sizeof(*l));
	l->table = calloc(1, sizeof(*l->table));
	l->region = mmap(NULL, nat_region_bytes(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	l->head_long = calloc(VEC_SIZE, HEAD_LONG_STRIDE);
	if (!l->table || l->region == MAP_FAILED || !l->head_long ||
	    gateway_made_init(&l->made) < 0)
		abort();
	l->snap = 64;
	l->call.now_ns = 5000000000;
	l->g = gateway_create(l->table, true, l->region, true, seed, l->call.now_ns);
	if (!l->g)
		abort();
	make_legs(l);
	make_nat(l);
	l->call.conf = l->conf;
	l->call.made = &l->made;
	l->call.head_long = l->head_long;
	return l;
}

void gate_clear(struct lab *l)
{
	for (unsigned i = 0; i < 2 * VEC_SIZE; i++) {
		free(l->mem[i]);
		l->mem[i] = NULL;
	}
	l->v.n = 0;
}

void gate_destroy(struct lab *l)
{
	gate_clear(l);
	gateway_destroy(l->g);
	gateway_conf_destroy(l->conf);
	gateway_made_fini(&l->made);
	munmap(l->region, nat_region_bytes());
	free(l->table);
	free(l->head_long);
	free(l);
}

/* --- frames ------------------------------------------------------------------------------ */

static unsigned csum_field(uint8_t proto)
{
	return proto == PROTO_TCP ? TCP_CSUM : proto == PROTO_UDP ? UDP_CSUM : ICMP_CSUM;
}

static bool has_csum(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_ICMP ||
	       proto == PROTO_ICMPV6;
}

static uint64_t pseudo(const uint8_t *ip, bool is_v6, uint8_t proto, uint32_t n)
{
	const uint8_t *src = ip + (is_v6 ? 8 : 12);

	if (proto == PROTO_ICMP)
		return 0;
	return csum_pseudo(src, src + (is_v6 ? 16 : 4), is_v6 ? 16 : 4, proto, n);
}

static void write_ip(uint8_t *p, const struct gate_say *say, uint32_t n)
{
	struct ip src = ip_of(say->src), dst = ip_of(say->dst);
	uint8_t ttl = say->ttl ? say->ttl : 64;

	if (!ip_is_v4(&src)) {
		p[0] = 0x60;
		write_be16(p + 4, (uint16_t)n);
		p[6] = say->proto;
		p[7] = ttl;
		memcpy(p + 8, src.b, 16);
		memcpy(p + 24, dst.b, 16);
		return;
	}
	p[0] = 0x45;
	write_be16(p + 2, (uint16_t)(20 + n));
	write_be16(p + 4, say->id);
	write_be16(p + 6, say->flags);
	p[8] = ttl;
	p[9] = say->proto;
	memcpy(p + 12, src.b + 12, 4);
	memcpy(p + 16, dst.b + 12, 4);
	write_be16(p + 10, csum_fold(csum_add(0, p, 20)));
}

void gate_ip(struct gate_frame *f, const struct gate_say *say, const void *l4, uint32_t n)
{
	struct ip src = ip_of(say->src);
	bool is_v6 = !ip_is_v4(&src);
	struct mac to = gate_leg(say->vid), from = gate_host(say->vid, src.b[15]);
	uint8_t *ip = f->b + ETH_HEADER, *p = ip + (is_v6 ? 40 : 20);
	unsigned field = csum_field(say->proto);

	memset(f->b, 0, ETH_HEADER + IP_HEADERS);
	memcpy(f->b, &to, 6);
	memcpy(f->b + 6, &from, 6);
	write_be16(f->b + 12, is_v6 ? ETYPE_IPV6 : ETYPE_IPV4);
	write_ip(ip, say, n);
	memcpy(p, l4, n);
	if (has_csum(say->proto) && field + 2 <= n && !(say->flags & 0x1fff)) {
		write_be16(p + field, 0);
		write_be16(p + field, csum_fold(csum_add(pseudo(ip, is_v6, say->proto, n), p, n)));
	}
	f->len = (uint32_t)(p - f->b) + n;
}

void gate_udp(struct gate_frame *f, const struct gate_say *say, uint16_t sport, uint16_t dport,
	      uint32_t payload)
{
	static _Thread_local uint8_t l4[LAB_FRAME];
	struct gate_say udp = *say;

	write_be16(l4, sport);
	write_be16(l4 + 2, dport);
	write_be16(l4 + 4, (uint16_t)(8 + payload));
	for (uint32_t i = 0; i < payload; i++)
		l4[8 + i] = (uint8_t)(i * 7);
	udp.proto = PROTO_UDP;
	gate_ip(f, &udp, l4, 8 + payload);
}

void gate_tcp(struct gate_frame *f, const struct gate_say *say, uint16_t sport, uint16_t dport,
	      uint8_t flags)
{
	/* With the option MSS 1460. */
	uint8_t l4[24] = {[7] = 100, [11] = 77, [12] = 6 << 4, [13] = flags, [20] = 2, 4, 5, 180};
	struct gate_say tcp = *say;

	write_be16(l4, sport);
	write_be16(l4 + 2, dport);
	tcp.proto = PROTO_TCP;
	gate_ip(f, &tcp, l4, sizeof(l4));
}

void gate_echo(struct gate_frame *f, const struct gate_say *say, uint16_t id, uint32_t payload)
{
	static _Thread_local uint8_t l4[LAB_FRAME];
	struct ip src = ip_of(say->src);
	struct gate_say echo = *say;

	echo.proto = ip_is_v4(&src) ? PROTO_ICMP : PROTO_ICMPV6;
	l4[0] = ip_is_v4(&src) ? 8 : 128;
	write_be16(l4 + 4, id);
	for (uint32_t i = 0; i < payload; i++)
		l4[8 + i] = (uint8_t)(i * 3);
	gate_ip(f, &echo, l4, 8 + payload);
}

void gate_arp(struct gate_frame *f, uint16_t vid, uint8_t op, struct mac sha, const char *spa,
	      const char *tpa, struct mac to)
{
	static const uint8_t fixed[] = {8, 6, 0, 1, 8, 0, 6, 4, 0};
	struct ip source = ip_of(spa), target = ip_of(tpa);

	(void)vid;
	memset(f->b, 0, ETH_MIN);
	if (mac_is_zero(&to))
		memset(f->b, 0xff, 6);
	else
		memcpy(f->b, &to, 6);
	memcpy(f->b + 6, &sha, 6);
	memcpy(f->b + 12, fixed, sizeof(fixed));
	f->b[21] = op;
	memcpy(f->b + 22, &sha, 6);
	memcpy(f->b + 28, source.b + 12, 4);
	memcpy(f->b + 38, target.b + 12, 4);
	f->len = ETH_MIN;
}

struct frame *gate_give(struct lab *l, uint16_t vid, const struct gate_frame *from, uint32_t snap)
{
	unsigned i = l->v.n++;
	struct frame *f = &l->v.f[i];
	uint8_t *head, *body = NULL;

	snap = snap < from->len ? snap : from->len;
	snap = snap < SNAP_MAX ? snap : SNAP_MAX;
	head = malloc(FRAME_HEADROOM + snap);
	if (from->len > snap)
		body = malloc(from->len - snap);
	if (!head || (from->len > snap && !body))
		abort();
	memcpy(head + FRAME_HEADROOM, from->b, snap);
	l->mem[2 * i] = head;
	l->mem[2 * i + 1] = body;
	*f = (struct frame){
		.snap = head + FRAME_HEADROOM,
		.len = from->len,
		.snap_len = (uint16_t)snap,
		.tci = vid,
		.out = OUT_LOCAL,
	};
	if (body) {
		memcpy(body, from->b + snap, from->len - snap);
		l->body[i] = (struct iovec){body, from->len - snap};
		f->body = &l->body[i];
		f->body_cnt = 1;
	}
	f->etype = frame_etype(f);
	return f;
}

/* --- what leaves ------------------------------------------------------------------------- */

/* Sums of the headers, and of L4 where all of it is there. */
static void check_ip(const struct gate_frame *f, const struct frame *of)
{
	const uint8_t *ip = f->b + ETH_HEADER;
	bool is_v6 = ip[0] >> 4 == 6;
	uint32_t header = is_v6 ? 40 : (ip[0] & 15) * 4u;
	uint32_t all = is_v6 ? 40u + read_be16(ip + 4) : read_be16(ip + 2);
	uint8_t proto = is_v6 ? ip[6] : ip[9];

	if (of->off.gso_type)
		return;
	assert(all + ETH_HEADER <= f->len && f->len <= (all < 46 ? 60 : all + ETH_HEADER));
	assert(is_v6 || csum_fold(csum_add(0, ip, header)) == 0);
	if (!is_v6 && read_be16(ip + 6) & 0x3fff)
		return;
	if (!has_csum(proto) || (of->off.flags & OFFLOAD_NEEDS_CSUM))
		return;
	if (proto == PROTO_UDP && read_be16(ip + header + UDP_CSUM) == 0)
		return;
	assert(csum_fold(csum_add(pseudo(ip, is_v6, proto, all - header), ip + header,
				  all - header)) == 0);
}

static void read_raw(struct gate_frame *to, const struct frame *f)
{
	uint32_t there = f->snap_len;

	assert(f->len <= LAB_FRAME && f->snap_len <= f->len);
	for (unsigned i = 0; i < f->body_cnt; i++)
		there += (uint32_t)f->body[i].iov_len;
	assert(there == f->len);
	to->len = frame_copy(f, 0, to->b, LAB_FRAME);
	assert(to->len == f->len);
}

void gate_read(struct gate_frame *to, const struct frame *f)
{
	read_raw(to, f);
	assert(f->etype == frame_etype(f));
	if (f->etype == ETYPE_IPV4 || f->etype == ETYPE_IPV6)
		check_ip(to, f);
}

bool gate_has_ip(const struct gate_frame *f, unsigned at, const char *text)
{
	struct ip ip = ip_of(text);

	if (ip_is_v4(&ip))
		return memcmp(f->b + at, ip.b + 12, 4) == 0;
	return memcmp(f->b + at, &ip, sizeof(ip)) == 0;
}

void gate_made(const struct lab *l, unsigned i, struct gate_frame *to)
{
	assert(i < l->made.vec.n);
	gate_read(to, &l->made.vec.f[i]);
}

/* What holds of every frame, however odd it was. */
static void check_all(const struct lab *l)
{
	static _Thread_local struct gate_frame f;

	for (unsigned i = 0; i < l->v.n; i++) {
		const struct frame *of = &l->v.f[i];

		assert(of->drop < DROP_COUNT);
		if (of->drop || of->out == OUT_LOCAL)
			continue;
		assert(of->out == OUT_NONE && l->conf->leg_of[of->tci & TCI_VID]);
		read_raw(&f, of);
	}
	for (unsigned i = 0; i < l->made.vec.n; i++) {
		assert(l->conf->leg_of[l->made.vec.f[i].tci & TCI_VID]);
		read_raw(&f, &l->made.vec.f[i]);
	}
}

void gate_run(struct lab *l)
{
	uint8_t index[VEC_SIZE];

	for (unsigned i = 0; i < l->v.n; i++)
		index[i] = (uint8_t)i;
	gateway_take(l->g, &l->call, &l->v, index, l->v.n);
	check_all(l);
}

struct frame *gate_pass(struct lab *l, uint16_t vid, const struct gate_frame *f)
{
	struct frame *of;

	gate_clear(l);
	of = gate_give(l, vid, f, l->snap);
	gate_run(l);
	return of;
}

uint64_t gate_tick(struct lab *l, uint64_t seconds)
{
	uint64_t next;

	gate_clear(l);
	l->call.now_ns += seconds * 1000000000;
	l->made.vec.n = 0; /* the worker has sent them */
	next = gateway_tick(l->g, &l->call);
	check_all(l);
	return next;
}

void gate_meet(struct lab *l, uint16_t vid, const char *text)
{
	struct ip ip = ip_of(text);
	struct neigh_claim c = {
		.ip = ip,
		.vid = vid,
		.mac = gate_host(vid, ip.b[15]),
		.may_make = true,
		.is_answer = true,
	};

	neigh_learn(gateway_neigh(l->g), &c, l->call.now_ns);
	neigh_learn(gateway_neigh(l->g), &c, l->call.now_ns);
}

int gate_setup(void **state)
{
	*state = gate_create();
	return 0;
}

int gate_teardown(void **state)
{
	gate_destroy(*state);
	return 0;
}
