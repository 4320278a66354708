/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_nat: packets, time and changes of configuration, against what must hold of any NAT (PROMISES row F02).
 *
 * Input: steps of eight bytes: what, who, port, whom, port, and three more of its own.  After each step:
 *   the answer to what went out comes in to who sent it: reverse(translate(p)) == p
 *   no two inside ends share an outside end, and an inside end has one outside end (of a network whose pool has one)
 *   no network and no guest has more sessions than it may
 *   what came in belongs to a session that was listed before, or to a rule, or to an open mapping
 *   all checksums hold (nat_lab)
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/nat_lab.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP = 8, STEPS_MAX = 400, SESSIONS = 40, PER_GUEST = 16, LISTED = 256 };

static const char *const guests[2][4] = {{"10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"},
					 {"fd00:a::5", "fd00:a::6", "fd00:a::7", "fd00:a::8"}};
static const char *const remotes[2][4] = {
	{"198.51.100.1", "198.51.100.2", "192.0.2.1", "172.16.0.1"},
	{"2001:db8:f::1", "2001:db8:f::2", "2001:db8::1", "2001:db8:e::1"}};
static const char *const own[2] = {"192.0.2.1", "2001:db8::1"};

static struct nat_entry listed[LISTED];
static unsigned n_listed;

struct step {
	uint8_t what, who, port, whom, far, a, b, c;
};

static uint16_t near_port(const struct step *s)
{
	return (uint16_t)(s->port & 0x80 ? 500 + s->port % 8 : 4000 + s->port % 8);
}

static uint16_t vid_of(const struct step *s)
{
	return s->who & 4 ? LAB_IN2 : LAB_IN;
}

static void make(const struct step *s, const char *src, uint16_t sport, const char *dst,
		 uint16_t dport, bool is_request)
{
	switch (s->what >> 4 & 3) {
	case 0:
		nat_lab_udp(src, sport, dst, dport);
		break;
	case 1:
		nat_lab_tcp(src, sport, dst, dport, s->a & 0x3f, (uint32_t)s->b << 8, s->c, s->c);
		break;
	case 2:
		nat_lab_query(src, dst, is_request, is_request ? sport : dport);
		break;
	default:
		nat_lab_tcp(src, sport, dst, dport, SYN, s->b, 0, 0);
	}
}

static void check_list(void)
{
	uint32_t per_net[2] = {0}, per_guest[2][16] = {0};

	n_listed = nat_lab_list(listed, LISTED);
	for (unsigned i = 0; i < n_listed; i++) {
		const struct nat_entry *a = &listed[i];
		unsigned net = a->vid == LAB_IN2, guest = a->inside_ip.b[15] % 16;

		assert(++per_net[net] <= SESSIONS);
		assert(++per_guest[net][guest] <= PER_GUEST);
		for (unsigned j = 0; a->kind == NAT_DYNAMIC && j < i; j++) {
			const struct nat_entry *b = &listed[j];
			bool same_in = a->vid == b->vid && a->inside_port == b->inside_port &&
				       ip_equal(&a->inside_ip, &b->inside_ip);
			bool same_out = a->outside_port == b->outside_port &&
					a->outside_vid == b->outside_vid &&
					ip_equal(&a->outside_ip, &b->outside_ip);

			if (b->kind == NAT_DYNAMIC && a->proto == b->proto)
				assert(same_in == same_out);
		}
	}
}

static bool was_listed(void)
{
	for (unsigned i = 0; i < n_listed; i++) {
		const struct nat_entry *e = &listed[i];
		bool is_icmp = e->proto == PROTO_ICMP || e->proto == PROTO_ICMPV6;

		if (e->proto == lab.k.proto && ip_equal(&e->remote_ip, &lab.k.src) &&
		    ip_equal(&e->outside_ip, &lab.k.dst) && e->outside_port == lab.k.dport &&
		    (is_icmp || e->remote_port == lab.k.sport))
			return true;
	}
	return false;
}

/* May a stranger come in there? */
static bool is_inviting(void)
{
	for (unsigned i = 0; i < lab.conf.n_rules; i++) {
		const struct nat_rule *r = &lab.rules[i];

		if (r->proto == lab.k.proto && lab.k.dport >= r->first && lab.k.dport <= r->last)
			return true;
	}
	for (unsigned i = 0; i < n_listed; i++)
		if (listed[i].proto == lab.k.proto && listed[i].outside_port == lab.k.dport)
			return lab.nets[listed[i].vid == LAB_IN2].is_open;
	return false;
}

static void send_out(const struct step *s)
{
	unsigned v6 = s->who >> 3 & 1;
	const char *guest = guests[v6][s->who & 3], *remote = remotes[v6][s->whom & 3];
	uint16_t port = near_port(s), far = (uint16_t)(s->far % 16 + 50);
	bool is_request = !(s->a & 0x40);
	bool is_exempt = (s->whom & 3) == 3 && !v6 && lab.nets[0].n_exempt && vid_of(s) == LAB_IN;
	uint16_t outside;

	/* To an outside end of ours, at times: hairpin. */
	if ((s->whom & 3) == 2 && n_listed)
		far = listed[s->far % n_listed].outside_port;
	make(s, guest, port, remote, far, is_request);
	if (nat_lab_out(vid_of(s)) != DROP_NONE || lab.vid != LAB_OUT)
		return;
	outside = lab.k.sport;
	if (s->b & 1)
		return;
	make(s, remote, far, is_exempt ? guest : own[v6], outside, false);
	assert(nat_lab_in(LAB_OUT) == DROP_NONE);
	assert(lab.vid == vid_of(s));
	assert(nat_lab_dst_is(guest, port));
}

static void send_in(const struct step *s)
{
	unsigned v6 = s->who >> 3 & 1;
	uint16_t port = (uint16_t)(s->port * 257);
	bool may_pass;

	if (n_listed && !(s->a & 0x80))
		port = listed[s->port % n_listed].outside_port;
	make(s, remotes[v6][s->whom & 1], (uint16_t)(s->far % 16 + 50), own[v6], port, s->b & 1);
	may_pass = was_listed() || is_inviting();
	if (nat_lab_in(LAB_OUT) == DROP_NONE)
		assert(may_pass);
}

/* An error about what the guest sent, or about what came in. */
static void send_error(const struct step *s)
{
	unsigned v6 = s->who >> 3 & 1;
	static const uint8_t types[2][4] = {{3, 4, 11, 12}, {1, 2, 3, 4}};
	bool is_in = s->a & 1;
	const struct nat_entry *e;

	if (n_listed == 0)
		return;
	e = &listed[s->port % n_listed];
	if (ip_is_v4(&e->inside_ip) == v6)
		return;
	nat_lab_ip_packet(is_in ? &e->outside_ip : &e->remote_ip,
			  is_in ? &e->remote_ip : &e->inside_ip, PROTO_UDP, "\0\0\0\0\0\14\0\0abcd",
			  12);
	write_be16(lab.f.snap + lab.k.l4, is_in ? e->outside_port : e->remote_port);
	write_be16(lab.f.snap + lab.k.l4 + 2, is_in ? e->remote_port : e->inside_port);
	if (s->a & 2)
		lab.f.snap[14 + s->b % 60] ^= s->c;
	nat_lab_error(remotes[v6][s->whom & 1], types[v6][s->far & 3], s->c, s->b % 16);
	if (is_in)
		nat_lab_in(LAB_OUT);
	else
		nat_lab_out(e->vid);
}

static void send_fragment(const struct step *s)
{
	static struct lab whole;
	uint8_t l4[128] = {0};
	struct ip src = nat_lab_ip(guests[0][s->who & 3]),
		  dst = nat_lab_ip(remotes[0][s->whom & 1]);

	write_be16(l4, near_port(s));
	write_be16(l4 + 2, 53);
	write_be16(l4 + 4, sizeof(l4));
	nat_lab_ip_packet(&src, &dst, PROTO_UDP, l4, sizeof(l4));
	write_be16(lab.f.snap + 18, s->c & 3);
	memcpy(whole.memory, lab.memory, sizeof(lab.memory));
	whole.k = lab.k;
	nat_lab_fragment(&whole, s->a % 16 * 8u, s->b % 5 * 8u);
	if (!lab.k.f)
		return;
	nat_lab_out(vid_of(s));
	while (nat_lab_held())
		assert(lab.vid == LAB_OUT);
}

static void reconfigure(const struct step *s)
{
	lab.nets[0].is_open = s->a & 1;
	lab.nets[1].is_open = s->a & 2;
	lab.nets[0].udp_s = s->b + 1u;
	lab.nets[0].n_exempt = s->a >> 2 & 1;
	prefix_parse("172.16.0.0/12", &lab.nets[0].exempt[0]);
	lab.conf.n_rules = 0;
	if (s->a & 8)
		nat_lab_add_rule("a", PROTO_TCP, own[0], (uint16_t)(s->c * 257),
				 (uint16_t)(s->c * 257), guests[0][0], 80);
	if (s->a & 16)
		nat_lab_add_rule("b", PROTO_UDP, NULL, 5000, 60000, guests[0][1], 5000);
	if (s->a & 32)
		nat_lab_restart();
	else
		nat_lab_commit();
}

/* Any bytes as a packet. */
static void send_raw(const uint8_t *data, size_t n, bool is_out)
{
	if (n > 200)
		n = 200;
	memset(lab.memory, 0, sizeof(lab.memory));
	lab.f = (struct frame){.snap = lab.memory + FRAME_HEADROOM, .len = (uint32_t)(14 + n)};
	lab.f.snap_len = (uint16_t)lab.f.len;
	memcpy(lab.f.snap + 14, data, n);
	lab.f.etype = data[0] >> 4 == 6 ? ETYPE_IPV6 : ETYPE_IPV4;
	write_be16(lab.f.snap + 12, lab.f.etype);
	if (packet_parse(&lab.k, &lab.f) != DROP_NONE && lab.f.etype == ETYPE_IPV4 &&
	    (data[0] & 15) >= 5)
		nat_lab_fix_ipv4();
	if (packet_parse(&lab.k, &lab.f) == DROP_NONE) {
		struct nat_job j = {
			.k = &lab.k, .vid = is_out ? LAB_IN : LAB_OUT, .slot = LAB_SLOT};

		if (is_out)
			nat_out(lab.nat, &j, lab.now_ns, &lab.held);
		else
			nat_in(lab.nat, &j, lab.now_ns, &lab.held);
	}
	while (nat_lab_held())
		continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	nat_lab_setup(NULL);
	n_listed = 0;
	for (unsigned i = 0; i < 2; i++) {
		lab.nets[i].sessions = SESSIONS;
		lab.nets[i].per_guest = PER_GUEST;
	}
	nat_lab_commit();
	for (unsigned n = 0; n < STEPS_MAX && (n + 1) * STEP <= size; n++) {
		struct step s;

		memcpy(&s, data + n * STEP, STEP);
		switch (s.what & 7) {
		case 0:
		case 1:
			send_out(&s);
			break;
		case 2:
			send_in(&s);
			break;
		case 3:
			nat_lab_wait(s.a * (s.b & 1 ? 60.0 : 1.0) + s.c / 256.0);
			break;
		case 4:
			send_error(&s);
			break;
		case 5:
			send_fragment(&s);
			break;
		case 6:
			reconfigure(&s);
			break;
		default:
			send_raw(data + n * STEP, size - n * STEP, s.who & 1);
		}
		check_list();
	}
	nat_lab_teardown(NULL);
	return 0;
}
