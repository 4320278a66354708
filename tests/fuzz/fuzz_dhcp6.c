/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_dhcp6: hostile messages to the DHCPv6 server (M10, D20).
 *
 * Input: steps.  Each is a byte, what it does, and perhaps more: a length (little-endian, two bytes) and as many bytes.
 *
 *    0 n    those n bytes arrive
 *    1 t n  a message of type t with both identifiers as they should be, and n bytes of options behind them
 *    2 t i  ... with one association i with the address that was given last
 *    3 s    time passes, seconds (two bytes)
 *    4 p    from now on by port p, with its MAC
 *    5 f    the network is another: stateless, off, small, tied, reserved, or other ports are gone, by bits
 *
 * Two servers hear the same, and their answers lie in memory of different content: they must be equal, byte for byte, or
 * something that was there before is told.  Each answer is well formed, for whom it says; each address that it gives for a time
 * is in the network, not reserved for others, and his in the store.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/server6.h"
#include "dhcp/wire6.h"
#include "switch/base/packet.h"
#include "tests/lib/fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	STEPS = 6,
	WORLDS = 2,
	SMALL = 1,
	STATELESS = 2,
	OFF = 4,
	TIED = 8,
	RESERVED = 16,
	NARROW = 32,
	GONE = 64
};

static const uint8_t our_duid[] = {0, 3, 0, 1, 2, 0x76, 0x66, 0, 0, 10};
static const uint8_t his_duid[] = {0, 1, 0, 1, 9, 9, 9, 9, 2, 0, 0, 0, 0, 5};

struct world {
	struct leases *leases;
	struct dhcp6_server *v;
	struct dhcp_net *net;
	struct dhcp6_answer out;
};

static struct {
	struct world w[WORLDS];
	uint64_t now_ms;
	uint8_t setting, port;
	struct ip last; /* that was given */
} f;

static bool is_tied(void *arg, const char *port)
{
	(void)arg;
	(void)port;
	return f.setting & TIED;
}

static bool is_there(void *arg, const char *port)
{
	(void)arg;
	(void)port;
	return !(f.setting & GONE);
}

static struct ip ip_of(const char *text)
{
	struct ip ip;

	if (!ip_parse(text, &ip))
		abort();
	return ip;
}

static const char *port_of(uint8_t p)
{
	static const char *const name[] = {"vm0", "vm1", "vm2", "up"};

	return name[p % 4];
}

static void apply(struct world *w)
{
	struct dhcp_reservation r[2] = {{.mac = {{2, 0, 0, 0, 0, 1}}, .ip6 = ip_of("fd00:a::1001")},
					{.port = "vm2", .ip6 = ip_of("fd00:a::9")}};
	static const uint8_t search[] = "\3lab\7example\3org\0\3web\300\4";
	struct dhcp_opt opt = {.code = 119, .len = sizeof(search) - 1};
	struct dhcp_net net = {
		.name = "lab",
		.vid = 10,
		.v6_mode = f.setting & OFF	   ? DHCP6_OFF
			   : f.setting & STATELESS ? DHCP6_STATELESS
						   : DHCP6_STATEFUL,
		.v6 = {.ip = ip_of("fd00:a::1"), .len = 64, .is_set = true},
		.mac = {{2, 0x76, 0x66, 0, 0, 10}},
		.lease_s = 3600,
		.dns6 = {ip_of("fd00:a::1"), ip_of("fd00:a::2")},
		.n_dns6 = 2,
		.ntp6 = {ip_of("fd00:a::3")},
		.n_ntp6 = 1,
		.domain = "lab.vfab",
		.reservations = r,
		.n_reservations = f.setting & RESERVED ? 2 : 0,
	};
	struct lease_range range = {
		.network = "lab",
		.first = ip_of("fd00:a::1000"),
		.last = ip_of(f.setting & SMALL ? "fd00:a::1003" : "fd00:a::ffff:ffff"),
		.net = net.v6,
		.port_cap = f.setting & NARROW ? 2 : 0,
		.is_taken = dhcp_net_is_taken,
	};
	struct dhcp_net *old = w->net;

	memcpy(opt.bytes, search, opt.len);
	net.opts = (struct dhcp_opts){.opt = &opt, .n = f.setting & RESERVED ? 1 : 0};
	w->net = dhcp_net_create(&net);
	assert(w->net);
	range.arg = w->net;
	w->net->pool6 = leases_pool_apply(w->leases, &range, f.now_ms);
	if (net.v6_mode != DHCP6_STATEFUL)
		w->net->pool6 = NULL;
	dhcp_net_destroy(old);
}

/* --- What comes back ------------------------------------------------------------------------------- */

/* An address with a lifetime: it is in the store, of this port, and nobody else's. */
static void check_address(const struct world *w, const uint8_t *p)
{
	struct lease *l;
	struct ip ip;

	memcpy(&ip, p, sizeof(ip));
	if (read_be32(p + 20) == 0)
		return;
	assert(w->net->pool6 && prefix_holds(&w->net->v6, &ip));
	l = leases_at(w->leases, w->net->pool6, &ip);
	assert(l && (l->state == LEASE_OFFERED || l->state == LEASE_BOUND));
	if (w->out.payload[0] == DHCP6_REPLY) /* an offer moves nothing */
		assert(l->state == LEASE_BOUND && strcmp(l->port, port_of(f.port)) == 0);
	f.last = ip;
}

/* Options, and those within associations; the whole is used up exactly. */
static void check_options(const struct world *w, const uint8_t *p, size_t n, bool is_inner)
{
	while (n > 0) {
		uint16_t code = read_be16(p), len = read_be16(p + 2);

		assert(n >= 4 && len <= n - 4);
		if (code == DHCP6_OPT_IA_NA || code == DHCP6_OPT_IA_PD) {
			assert(!is_inner && len >= 12);
			check_options(w, p + 16, len - 12u, true);
		} else if (code == DHCP6_OPT_ADDRESS) {
			assert(is_inner && len == 24);
			check_address(w, p + 4);
		} else if (code == DHCP6_OPT_SERVER_ID) {
			assert(len == sizeof(our_duid) && memcmp(p + 4, our_duid, len) == 0);
		} else {
			assert(code == DHCP6_OPT_CLIENT_ID || code == DHCP6_OPT_STATUS ||
			       code == DHCP6_OPT_RAPID_COMMIT || code == DHCP6_OPT_DNS ||
			       code == DHCP6_OPT_SEARCH || code == DHCP6_OPT_NTP);
		}
		p += 4 + len;
		n -= 4u + len;
	}
}

static void ask(const uint8_t *bytes, size_t n)
{
	/* Of the exact size, so that a sanitizer sees the first byte beyond. */
	uint8_t *exact = malloc(n ? n : 1);
	struct dhcp_ask what = {
		.payload = exact,
		.len = n,
		.src_mac = {{2, 0, 0, 0, 0, f.port % 4}},
		.src = ip_of("fe80::5"),
		.dst = ip_of(f.port & 0x80 ? "fe80::1" : "ff02::1:2"),
		.port = port_of(f.port),
		.is_shared = f.port % 4 == 3,
	};
	const struct dhcp6_answer *a = &f.w[0].out, *b = &f.w[1].out;

	assert(exact);
	memcpy(exact, bytes, n);
	for (unsigned i = 0; i < WORLDS; i++) {
		memset(&f.w[i].out, i ? 0x5a : 0xa5, sizeof(f.w[i].out));
		dhcp6_server_receive(f.w[i].v, f.w[i].net, &what, f.now_ms, &f.w[i].out);
	}
	assert(a->len == b->len && memcmp(a->payload, b->payload, a->len) == 0);
	if (a->len > 0) {
		assert(a->len <= DHCP6_MAX_BYTES && a->len >= 4 && n >= 4);
		assert(a->payload[0] == DHCP6_ADVERTISE || a->payload[0] == DHCP6_REPLY);
		assert(memcmp(a->payload + 1, exact + 1, 3) == 0);
		check_options(&f.w[0], a->payload + 4, a->len - 4u, false);
	}
	free(exact);
}

static void ask_right(uint8_t type, const struct input *more, const uint8_t *iaid)
{
	static uint8_t bytes[70000];
	static const uint8_t xid[3] = {1, 2, 3};
	struct dhcp6_writer w;
	size_t n;

	dhcp6_write_begin(&w, bytes, sizeof(bytes), type % 12, xid);
	dhcp6_write(&w, DHCP6_OPT_CLIENT_ID, his_duid, sizeof(his_duid));
	if (type % 12 == DHCP6_REQUEST || type % 12 == DHCP6_RENEW || type % 12 == DHCP6_RELEASE ||
	    type % 12 == DHCP6_DECLINE)
		dhcp6_write(&w, DHCP6_OPT_SERVER_ID, our_duid, sizeof(our_duid));
	if (iaid) {
		const struct dhcp6_ia ia = {.option = DHCP6_OPT_IA_NA, .iaid = {*iaid}};
		size_t at = dhcp6_open_ia(&w, &ia, 0, 0);

		dhcp6_write_address(&w, &f.last, 0, 0);
		dhcp6_close_ia(&w, at);
		if (type & 0x80)
			dhcp6_write(&w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	}
	n = dhcp6_write_end(&w);
	if (more) {
		memcpy(bytes + n, more->bytes, more->n);
		n += more->n;
	}
	ask(bytes, n);
}

static void step(struct input *in)
{
	unsigned what = take_u8(in) % STEPS;
	struct input some;
	uint8_t k;

	switch (what) {
	case 0:
		some = take_bytes(in);
		ask(some.bytes, some.n);
		break;
	case 1:
		k = take_u8(in);
		some = take_bytes(in);
		ask_right(k, &some, NULL);
		break;
	case 2:
		k = take_u8(in);
		ask_right(k, NULL, (const uint8_t[]){take_u8(in)});
		break;
	case 3:
		f.now_ms += take_u16(in) * UINT64_C(1000);
		for (unsigned i = 0; i < WORLDS; i++)
			leases_tick(f.w[i].leases, f.now_ms, 1000);
		break;
	case 4:
		f.port = take_u8(in);
		break;
	default:
		f.setting = take_u8(in);
		for (unsigned i = 0; i < WORLDS; i++)
			apply(&f.w[i]);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t seed[2] = {1, 2}, secret[2] = {3, 4};
	const struct dhcp_world world = {.is_tied = is_tied, .is_there = is_there};
	struct input in = {data, size};

	memset(&f, 0, sizeof(f));
	f.now_ms = 1000000;
	f.last = ip_of("fd00:a::1000");
	for (unsigned i = 0; i < WORLDS; i++) {
		f.w[i].leases = leases_create(seed, secret);
		f.w[i].v = dhcp6_server_create(f.w[i].leases, &world);
		assert(f.w[i].leases && f.w[i].v);
		apply(&f.w[i]);
	}
	while (in.n > 0)
		step(&in);
	for (unsigned i = 0; i < WORLDS; i++) {
		dhcp6_server_destroy(f.w[i].v);
		leases_destroy(f.w[i].leases);
		dhcp_net_destroy(f.w[i].net);
	}
	return 0;
}
