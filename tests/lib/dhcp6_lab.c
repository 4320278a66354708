/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp6_lab: see dhcp6_lab.h. */
#include "tests/lib/dhcp6_lab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/packet.h"

const uint8_t six_our_duid[SIX_OURS] = {0, 3, 0, 1, 2, 0x76, 0x66, 0, 0, 10};
const uint8_t six_his_duid[SIX_HIS] = {0, 1, 0, 1, 9, 9, 9, 9, 2, 0, 0, 0, 0, 5};

static bool is_tied(void *arg, const char *port)
{
	const struct six_lab *l = arg;

	return l->is_tied && strcmp(port, "vm1") == 0;
}

static bool is_there(void *arg, const char *port)
{
	const struct six_lab *l = arg;

	return !l->is_gone || strcmp(port, "vm1") != 0;
}

struct ip six_ip(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip;
}

void six_apply(struct six_lab *l, const char *first, const char *last, uint32_t cap)
{
	struct lease_range r = {.network = "lab", .net = l->net.v6, .port_cap = cap};

	dhcp_net_destroy(l->made);
	r.first = six_ip(first);
	r.last = six_ip(last);
	l->made = dhcp_net_create(&l->net);
	assert_non_null(l->made);
	r.is_taken = dhcp_net_is_taken;
	r.arg = l->made;
	l->made->pool6 = leases_pool_apply(l->leases, &r, l->now_ms);
	assert_non_null(l->made->pool6);
}

int six_setup(void **state)
{
	static const uint64_t seed[2] = {1, 2}, secret[2] = {3, 4};
	struct six_lab *l = calloc(1, sizeof(*l));
	struct dhcp_world world = {.arg = l, .is_tied = is_tied, .is_there = is_there};

	if (!l)
		return -1;
	*state = l;
	l->now_ms = 1000000;
	l->leases = leases_create(seed, secret);
	l->v = dhcp6_server_create(l->leases, &world);
	l->net = (struct dhcp_net){
		.name = "lab",
		.vid = 10,
		.v6_mode = DHCP6_STATEFUL,
		.mac = {{2, 0x76, 0x66, 0, 0, 10}},
		.lease_s = LEASE_S,
		.n_dns6 = 1,
		.n_ntp6 = 1,
		.domain = "lab.vfab",
		.reservations = l->reservation,
	};
	assert_true(prefix_parse("fd00:a::1/64", &l->net.v6));
	l->net.dns6[0] = six_ip("fd00:a::1");
	l->net.ntp6[0] = six_ip("fd00:a::7");
	l->ask = (struct dhcp_ask){.src_mac = {{2, 0, 0, 0, 0, 5}}, .port = "vm1"};
	l->ask.src = six_ip("fe80::5");
	l->ask.dst = six_ip("ff02::1:2");
	six_apply(l, "fd00:a::1000", "fd00:a::1fff", 0);
	return l->leases && l->v ? 0 : -1;
}

int six_teardown(void **state)
{
	struct six_lab *l = *state;

	dhcp6_server_destroy(l->v);
	dhcp_net_destroy(l->made);
	leases_destroy(l->leases);
	free(l);
	return 0;
}

const struct dhcp6_counters *six_count(const struct six_lab *l)
{
	return dhcp6_server_counters(l->v);
}

/* --- What he says ---------------------------------------------------------------------------------- */

/* A message with his DUID, and ours where the type needs it. */
void six_begin(struct six_lab *l, uint8_t type)
{
	static const uint8_t xid[3] = {0xab, 0xcd, 0xef};
	bool has_server = type == DHCP6_REQUEST || type == DHCP6_RENEW || type == DHCP6_RELEASE ||
			  type == DHCP6_DECLINE;

	dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), type, xid);
	dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, six_his_duid, sizeof(six_his_duid));
	if (has_server)
		dhcp6_write(&l->w, DHCP6_OPT_SERVER_ID, six_our_duid, sizeof(six_our_duid));
}

void six_add_ia(struct six_lab *l, uint16_t option, uint8_t iaid, const struct ip *ip)
{
	const struct dhcp6_ia ia = {.option = option, .iaid = {0, 0, 0, iaid}};
	size_t at = dhcp6_open_ia(&l->w, &ia, 0, 0);

	if (ip)
		dhcp6_write_address(&l->w, ip, 0, 0);
	dhcp6_close_ia(&l->w, at);
}

void six_add_asked(struct six_lab *l)
{
	static const uint8_t asked[] = {0, 23, 0, 24, 0, 56, 0xff, 0xff};

	dhcp6_write(&l->w, DHCP6_OPT_ASKED, asked, sizeof(asked));
}

/* Hands over n bytes of exactly that size, twice with a different answer below: no byte of it is left of before. */
size_t six_ask_bytes(struct six_lab *l, const uint8_t *bytes, size_t n)
{
	uint8_t *exact = malloc(n ? n : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, n);
	l->ask.payload = exact;
	l->ask.len = n;
	memset(&l->out, 0xa5, sizeof(l->out));
	dhcp6_server_receive(l->v, l->made, &l->ask, l->now_ms, &l->out);
	free(exact);
	assert_true(l->out.len <= DHCP6_MAX_BYTES);
	return l->out.len;
}

size_t six_ask(struct six_lab *l)
{
	size_t n = dhcp6_write_end(&l->w);

	assert_true(n > 0);
	return six_ask_bytes(l, l->bytes, n);
}

/* --- What comes back ------------------------------------------------------------------------------- */

/* The k-th of that code among those of p. */
static struct six_option find_in(const uint8_t *p, size_t n, uint16_t code, unsigned k)
{
	while (n > 0) {
		size_t len;

		assert_true(n >= 4);
		len = read_be16(p + 2);
		assert_true(len <= n - 4);
		if (read_be16(p) == code && k-- == 0)
			return (struct six_option){p + 4, len};
		p += 4 + len;
		n -= 4 + len;
	}
	return (struct six_option){NULL, 0};
}

struct six_option six_find(const struct six_lab *l, uint16_t code, unsigned k)
{
	return find_in(l->out.payload + 4, l->out.len - 4u, code, k);
}

void six_assert_answer(const struct six_lab *l, uint8_t type)
{
	struct six_option o;

	assert_true(l->out.len >= 4);
	assert_int_equal(l->out.payload[0], type);
	assert_memory_equal(l->out.payload + 1, l->bytes + 1, 3);
	o = six_find(l, DHCP6_OPT_SERVER_ID, 0);
	assert_int_equal(o.n, SIX_OURS);
	assert_memory_equal(o.b, six_our_duid, SIX_OURS);
	o = six_find(l, DHCP6_OPT_CLIENT_ID, 0);
	assert_int_equal(o.n, sizeof(six_his_duid));
	assert_memory_equal(o.b, six_his_duid, sizeof(six_his_duid));
}

static int status_in(const uint8_t *p, size_t n)
{
	struct six_option o = find_in(p, n, DHCP6_OPT_STATUS, 0);

	return o.b ? read_be16(o.b) : -1;
}

/* The status of the whole message; -1: none. */
int six_status(const struct six_lab *l)
{
	return status_in(l->out.payload + 4, l->out.len - 4u);
}

/* Of its k-th association. */
int six_ia_status(const struct six_lab *l, uint16_t option, unsigned k)
{
	struct six_option o = six_find(l, option, k);

	assert_true(o.n >= 12);
	return status_in(o.b + 12, o.n - 12);
}

/* The j-th address of the k-th association; its valid lifetime. */
uint32_t six_address(const struct six_lab *l, unsigned k, unsigned j, struct ip *ip)
{
	struct six_option ia = six_find(l, DHCP6_OPT_IA_NA, k), o;

	assert_true(ia.n >= 12);
	o = find_in(ia.b + 12, ia.n - 12, DHCP6_OPT_ADDRESS, j);
	assert_int_equal(o.n, 24);
	memcpy(ip, o.b, 16);
	assert_int_equal(read_be32(o.b + 16), read_be32(o.b + 20));
	return read_be32(o.b + 20);
}

struct ip six_got(const struct six_lab *l, unsigned k)
{
	struct six_option ia = six_find(l, DHCP6_OPT_IA_NA, k);
	struct ip ip;

	assert_int_equal(six_address(l, k, 0, &ip), LEASE_S);
	assert_int_equal(read_be32(ia.b + 4), LEASE_S / 2);
	assert_int_equal(read_be32(ia.b + 8), LEASE_S * 4 / 5);
	return ip;
}

/* SOLICIT, REQUEST: the address that he has then. */
struct ip six_lease(struct six_lab *l, uint8_t iaid)
{
	struct ip ip;

	six_begin(l, DHCP6_SOLICIT);
	six_add_ia(l, DHCP6_OPT_IA_NA, iaid, NULL);
	six_ask(l);
	six_assert_answer(l, DHCP6_ADVERTISE);
	ip = six_got(l, 0);
	six_begin(l, DHCP6_REQUEST);
	six_add_ia(l, DHCP6_OPT_IA_NA, iaid, &ip);
	six_ask(l);
	six_assert_answer(l, DHCP6_REPLY);
	assert_memory_equal(&ip, &(struct ip[]){six_got(l, 0)}[0], sizeof(ip));
	return ip;
}

struct lease *six_at(const struct six_lab *l, const struct ip *ip)
{
	return leases_at(l->leases, l->made->pool6, ip);
}
