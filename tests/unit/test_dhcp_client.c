/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dhcp_client: the DHCP client against answers that are made here, with time stepped by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dhcp/client.h"
#include "switch/base/csum.h"

enum { S = 1000, LEASE_S = 3600 };

static const struct mac our_mac = {{0x02, 0x76, 0x66, 0, 0, 1}};
static const struct mac server_mac = {{0x02, 0, 0, 0, 0, 9}};

/* A client, and what it did last. */
struct world {
	struct dhcp_client c;
	struct dhcp_out out;
	struct dhcp_message sent; /* out.payload */
	uint64_t now_ms;
};

/* What a server says; each field may be made wrong. */
struct answer {
	uint8_t type;
	const char *address, *server, *router;
	uint32_t mask, lease_s, t1_s, t2_s;
	const uint8_t *routes, *domain;
	uint16_t n_routes, n_domain, mtu;
	uint8_t n_dns;
	bool hides_mask;
};

static const struct answer good = {
	.type = DHCP_ACK,
	.address = "192.0.2.10",
	.server = "192.0.2.1",
	.router = "192.0.2.254",
	.mask = 0xffffff00,
	.lease_s = LEASE_S,
	.n_dns = 2,
};

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip;
}

static void check_ip(const struct ip *got, const char *want)
{
	char text[IP_TEXT];

	assert_string_equal(ip_text(got, text), want);
}

/* Reads what was sent; every message is whole, ours, and has what RFC 2131 table 5 wants of all. */
static void look(struct world *w)
{
	uint16_t n;

	memset(&w->sent, 0, sizeof(w->sent));
	if (w->out.len == 0)
		return;
	assert_true(w->out.len >= DHCP_MIN_BYTES);
	assert_true(dhcp_read(&w->sent, w->out.payload, w->out.len));
	assert_int_equal(w->sent.h.op, DHCP_REQUEST_OP);
	assert_int_equal(w->sent.h.xid, w->c.xid);
	assert_memory_equal(w->sent.h.chaddr.b, our_mac.b, 6);
	assert_non_null(dhcp_get(&w->sent, DHCP_OPT_CLIENT_ID, &n));
	assert_int_equal(n, 15);
}

static void tick(struct world *w)
{
	dhcp_client_tick(&w->c, w->now_ms, &w->out);
	look(w);
}

/* Steps to when the client is due. */
static void wait_for(struct world *w)
{
	assert_true(w->c.due_ms != UINT64_MAX);
	if (w->c.due_ms > w->now_ms)
		w->now_ms = w->c.due_ms;
	tick(w);
}

static size_t write_answer(const struct world *w, const struct answer *a, uint8_t *bytes)
{
	struct dhcp_header h = {
		.op = DHCP_REPLY_OP,
		.xid = w->c.xid,
		.ciaddr = ip_of("0.0.0.0"),
		.yiaddr = a->type == DHCP_NAK ? ip_of("0.0.0.0") : ip_of(a->address),
		.siaddr = ip_of("0.0.0.0"),
		.giaddr = ip_of("0.0.0.0"),
		.chaddr = our_mac,
	};
	static const uint8_t dns[] = {192, 0, 2, 53, 192, 0, 2, 54, 0, 0, 0, 0};
	struct dhcp_writer wr;
	struct ip ip;

	dhcp_write_begin(&wr, bytes, DHCP_MAX_BYTES, &h, (enum dhcp_type)a->type);
	if (a->server) {
		ip = ip_of(a->server);
		dhcp_write_ip(&wr, DHCP_OPT_SERVER, &ip);
	}
	if (!a->hides_mask)
		dhcp_write_u32(&wr, DHCP_OPT_MASK, a->mask);
	if (a->router) {
		ip = ip_of(a->router);
		dhcp_write_ip(&wr, DHCP_OPT_ROUTER, &ip);
	}
	if (a->lease_s)
		dhcp_write_u32(&wr, DHCP_OPT_LEASE, a->lease_s);
	if (a->t1_s)
		dhcp_write_u32(&wr, DHCP_OPT_T1, a->t1_s);
	if (a->t2_s)
		dhcp_write_u32(&wr, DHCP_OPT_T2, a->t2_s);
	if (a->n_routes)
		dhcp_write(&wr, DHCP_OPT_ROUTES, a->routes, a->n_routes);
	if (a->n_domain)
		dhcp_write(&wr, DHCP_OPT_DOMAIN, a->domain, a->n_domain);
	if (a->mtu)
		dhcp_write_u16(&wr, DHCP_OPT_MTU, a->mtu);
	if (a->n_dns)
		dhcp_write(&wr, DHCP_OPT_DNS, dns, a->n_dns * 4u);
	return dhcp_write_end(&wr);
}

static void give(struct world *w, const uint8_t *bytes, size_t n)
{
	/* Of the exact size, so that a sanitizer sees the first byte beyond. */
	uint8_t *copy = malloc(n ? n : 1);
	const struct dhcp_in in = {copy, n, server_mac};

	assert_non_null(copy);
	memcpy(copy, bytes, n);
	dhcp_client_receive(&w->c, &in, w->now_ms, &w->out);
	free(copy);
	look(w);
}

static void answer(struct world *w, const struct answer *a)
{
	uint8_t bytes[DHCP_MAX_BYTES];

	give(w, bytes, write_answer(w, a, bytes));
}

static struct world fresh(const struct dhcp_lease *known)
{
	struct world w = {.now_ms = 1000000};

	dhcp_client_init(&w.c, "wan", &our_mac, known, 42, w.now_ms);
	return w;
}

static struct world requesting(void)
{
	struct world w = fresh(NULL);
	struct answer a = good;

	wait_for(&w);
	assert_int_equal(w.c.state, DHCP_SELECTING);
	a.type = DHCP_OFFER;
	answer(&w, &a);
	assert_int_equal(w.c.state, DHCP_REQUESTING);
	return w;
}

static struct world bound_to(const struct answer *a)
{
	struct world w = requesting();

	answer(&w, a);
	assert_int_equal(w.c.state, DHCP_BOUND);
	assert_int_equal(w.out.event, DHCP_EVENT_BOUND);
	assert_true(w.c.has_address);
	return w;
}

static struct world bound(void)
{
	return bound_to(&good);
}

static bool has(const struct world *w, uint8_t option)
{
	uint16_t n;

	return dhcp_get(&w->sent, option, &n);
}

static void check_option_ip(const struct world *w, uint8_t option, const char *want)
{
	struct ip ip;

	assert_int_equal(dhcp_get_ips(&w->sent, option, &ip, 1), 1);
	check_ip(&ip, want);
}

/* --- The exchange --- */

static void asks_and_is_bound(void **state)
{
	struct world w = fresh(NULL);
	struct answer offer = good;

	(void)state;
	assert_in_range(w.c.due_ms, w.now_ms, w.now_ms + S);
	wait_for(&w);
	assert_int_equal(w.sent.type, DHCP_DISCOVER);
	assert_int_equal(w.sent.h.flags, DHCP_BROADCAST);
	assert_true(has(&w, DHCP_OPT_PARAMETERS) && has(&w, DHCP_OPT_MAX_SIZE));
	assert_false(has(&w, DHCP_OPT_SERVER) || has(&w, DHCP_OPT_ADDRESS));
	check_ip(&w.out.src, "0.0.0.0");
	check_ip(&w.out.dst, "255.255.255.255");

	offer.type = DHCP_OFFER;
	answer(&w, &offer);
	assert_int_equal(w.out.event, DHCP_EVENT_NONE);
	assert_int_equal(w.sent.type, DHCP_REQUEST);
	check_option_ip(&w, DHCP_OPT_ADDRESS, "192.0.2.10");
	check_option_ip(&w, DHCP_OPT_SERVER, "192.0.2.1");
	check_ip(&w.sent.h.ciaddr, "0.0.0.0");
	check_ip(&w.out.dst, "255.255.255.255");

	w.now_ms += S;
	answer(&w, &good);
	assert_int_equal(w.out.event, DHCP_EVENT_BOUND);
	assert_int_equal(w.out.len, 0);
	check_ip(&w.c.lease.address.ip, "192.0.2.10");
	assert_int_equal(w.c.lease.address.len, 24);
	check_ip(&w.c.lease.gateway, "192.0.2.254");
	assert_int_equal(w.c.lease.n_dns, 2);
	check_ip(&w.c.lease.dns[1], "192.0.2.54");
	/* From the request on, which was a second ago. */
	assert_int_equal(w.c.lease.end_ms, w.now_ms - S + LEASE_S * S);
	assert_int_equal(w.c.lease.rebind_ms, w.now_ms - S + LEASE_S * S / 8 * 7);
	assert_in_range(w.c.lease.renew_ms, w.now_ms - 11 * S + LEASE_S * S / 2,
			w.now_ms - S + LEASE_S * S / 2);
	assert_int_equal(w.c.due_ms, w.c.lease.renew_ms);
}

static void asks_again(void **state)
{
	static const unsigned wait_s[] = {4, 8, 16, 32, 64, 64, 64};
	struct world w = fresh(NULL);
	uint16_t secs = 0;

	(void)state;
	wait_for(&w);
	for (unsigned i = 0; i < 7; i++) {
		assert_in_range(w.c.due_ms - w.now_ms, (wait_s[i] - 1) * S, (wait_s[i] + 1) * S);
		tick(&w);
		assert_int_equal(w.out.len, 0); /* not due yet */
		wait_for(&w);
		assert_int_equal(w.sent.type, DHCP_DISCOVER);
		assert_true(w.sent.h.secs > secs);
		secs = w.sent.h.secs;
	}
}

static void tries_another_server(void **state)
{
	struct world w = requesting();
	unsigned requests = 1;

	(void)state;
	for (;; requests++) {
		wait_for(&w);
		if (w.c.state != DHCP_REQUESTING)
			break;
		assert_int_equal(w.sent.type, DHCP_REQUEST);
	}
	assert_int_equal(requests, 5);
	assert_int_equal(w.c.state, DHCP_INIT);
	wait_for(&w);
	assert_int_equal(w.sent.type, DHCP_DISCOVER);
}

static void renews(void **state)
{
	struct world w = bound();
	uint64_t end_ms = w.c.lease.end_ms;
	struct answer a = good;

	(void)state;
	wait_for(&w);
	assert_int_equal(w.c.state, DHCP_RENEWING);
	assert_int_equal(w.sent.type, DHCP_REQUEST);
	check_ip(&w.sent.h.ciaddr, "192.0.2.10");
	assert_int_equal(w.sent.h.flags, 0);
	assert_false(has(&w, DHCP_OPT_SERVER) || has(&w, DHCP_OPT_ADDRESS));
	check_ip(&w.out.src, "192.0.2.10");
	check_ip(&w.out.dst, "192.0.2.1");
	assert_memory_equal(w.out.dst_mac.b, server_mac.b, 6);
	answer(&w, &good);
	assert_int_equal(w.out.event, DHCP_EVENT_RENEWED);
	assert_true(w.c.lease.end_ms > end_ms);

	wait_for(&w);
	a.router = "192.0.2.253";
	answer(&w, &a);
	assert_int_equal(w.out.event, DHCP_EVENT_BOUND);
	check_ip(&w.c.lease.gateway, "192.0.2.253");
}

static void rebinds_and_expires(void **state)
{
	struct world w = bound();
	struct answer other = good;
	uint64_t end_ms = w.c.lease.end_ms, rebind_ms = w.c.lease.rebind_ms;
	unsigned renewals = 0, rebinds = 0;

	(void)state;
	other.server = "192.0.2.2";
	for (wait_for(&w); w.c.state == DHCP_RENEWING; wait_for(&w), renewals++) {
		assert_true(w.c.due_ms <= rebind_ms);
		answer(&w, &other); /* it is not our server */
		assert_int_equal(w.c.state, DHCP_RENEWING);
	}
	assert_in_range(renewals, 3, 8);
	assert_int_equal(w.now_ms, rebind_ms);
	for (; w.c.state == DHCP_REBINDING; wait_for(&w), rebinds++) {
		check_ip(&w.sent.h.ciaddr, "192.0.2.10");
		check_ip(&w.out.dst, "255.255.255.255");
		assert_int_equal(w.out.event, DHCP_EVENT_NONE);
	}
	assert_in_range(rebinds, 2, 6);
	assert_int_equal(w.now_ms, end_ms);
	assert_int_equal(w.out.event, DHCP_EVENT_LOST);
	assert_false(w.c.has_address);
	wait_for(&w);
	assert_int_equal(w.sent.type, DHCP_DISCOVER);
}

static void rebinds_to_anybody(void **state)
{
	struct world w = bound();
	struct answer other = good;

	(void)state;
	other.server = "192.0.2.2";
	while (w.c.state != DHCP_REBINDING)
		wait_for(&w);
	answer(&w, &other);
	assert_int_equal(w.c.state, DHCP_BOUND);
	assert_int_equal(w.out.event, DHCP_EVENT_RENEWED);
	check_ip(&w.c.lease.server, "192.0.2.2");
}

static void starts_again_when_refused(void **state)
{
	static const struct answer nak = {
		.type = DHCP_NAK, .server = "192.0.2.1", .hides_mask = true};
	struct answer stranger = nak;
	struct world w = bound();
	uint64_t last_ms = 0;

	(void)state;
	answer(&w, &nak); /* nobody asked */
	assert_int_equal(w.c.state, DHCP_BOUND);
	wait_for(&w);
	stranger.server = "192.0.2.66";
	answer(&w, &stranger);
	assert_int_equal(w.c.state, DHCP_RENEWING);
	stranger.server = NULL;
	answer(&w, &stranger);
	assert_int_equal(w.c.state, DHCP_RENEWING);
	answer(&w, &nak);
	assert_int_equal(w.out.event, DHCP_EVENT_LOST);
	assert_int_equal(w.c.state, DHCP_INIT);
	/* Each refusal is waited for longer. */
	for (unsigned i = 0; i < 8; i++) {
		struct answer offer = good;

		assert_true(i >= 6 || w.c.due_ms - w.now_ms > last_ms);
		last_ms = w.c.due_ms - w.now_ms;
		wait_for(&w);
		offer.type = DHCP_OFFER;
		answer(&w, &offer);
		answer(&w, &nak);
		assert_int_equal(w.out.event, DHCP_EVENT_NONE); /* nobody used it */
		assert_int_equal(w.c.state, DHCP_INIT);
	}
	assert_in_range(last_ms, 64 * S, 65 * S);
}

static void never_ends(void **state)
{
	struct answer a = good;
	struct world w;

	(void)state;
	a.lease_s = UINT32_MAX;
	w = bound_to(&a);
	assert_true(w.c.due_ms == UINT64_MAX && w.c.lease.end_ms == UINT64_MAX);
	w.now_ms += UINT64_C(1) << 50;
	tick(&w);
	assert_int_equal(w.c.state, DHCP_BOUND);
}

static void takes_times_that_make_sense(void **state)
{
	static const struct {
		uint32_t t1_s, t2_s, got1_s, got2_s;
	} time[] = {
		{100, 200, 100, 200},	     {0, 0, 1800, 3150},      {200, 100, 1800, 3150},
		{100, 3600, 1800, 3150},     {100, 9999, 1800, 3150}, {100, 0, 1800, 3150},
		{UINT32_MAX, 5, 1800, 3150},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(time) / sizeof(time[0]); i++) {
		struct answer a = good;
		struct world w;

		a.t1_s = time[i].t1_s;
		a.t2_s = time[i].t2_s;
		w = bound_to(&a);
		assert_in_range(w.c.lease.renew_ms, w.now_ms + time[i].got1_s * S - 10 * S,
				w.now_ms + time[i].got1_s * S);
		assert_int_equal(w.c.lease.rebind_ms, w.now_ms + time[i].got2_s * S);
	}
}

/* --- A lease from before --- */

static void uses_a_known_lease_at_once(void **state)
{
	struct world old = bound(), w = fresh(&old.c.lease);

	(void)state;
	tick(&w);
	assert_int_equal(w.out.event, DHCP_EVENT_BOUND);
	assert_int_equal(w.c.state, DHCP_REBOOTING);
	assert_int_equal(w.sent.type, DHCP_REQUEST);
	check_ip(&w.sent.h.ciaddr, "0.0.0.0");
	check_option_ip(&w, DHCP_OPT_ADDRESS, "192.0.2.10");
	assert_false(has(&w, DHCP_OPT_SERVER));
	answer(&w, &good);
	assert_int_equal(w.out.event, DHCP_EVENT_RENEWED);
	assert_int_equal(w.c.state, DHCP_BOUND);

	/* Nobody answers: it is used on, for as long as it lasts. */
	w = fresh(&old.c.lease);
	for (unsigned i = 0; i < 4; i++) {
		wait_for(&w);
		assert_int_equal(w.c.state, DHCP_REBOOTING);
	}
	wait_for(&w);
	assert_int_equal(w.c.state, DHCP_BOUND);
	assert_int_equal(w.c.lease.end_ms, old.c.lease.end_ms);

	/* It is another's. */
	w = fresh(&old.c.lease);
	tick(&w);
	answer(&w, &(struct answer){.type = DHCP_NAK, .server = "192.0.2.7", .hides_mask = true});
	assert_int_equal(w.out.event, DHCP_EVENT_LOST);
}

static void refuses_a_bad_known_lease(void **state)
{
	struct world old = bound(), w;
	struct dhcp_lease bad[9];

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		bad[i] = old.c.lease;
	bad[0].end_ms = 1000000;
	bad[1].address.is_set = false;
	bad[2].address.len = 33;
	bad[3].n_dns = 5;
	memset(bad[4].domain, 'a', sizeof(bad[4].domain));
	bad[5].rebind_ms = bad[5].renew_ms - 1;
	bad[6].server = ip_of("fd00::1");
	bad[7].gateway = ip_of("224.0.0.1");
	memset(&bad[8], 0xee, sizeof(bad[8]));
	for (unsigned i = 0; i < 9; i++) {
		w = fresh(&bad[i]);
		wait_for(&w);
		assert_int_equal(w.c.state, DHCP_SELECTING);
		assert_int_equal(w.out.event, DHCP_EVENT_NONE);
	}
}

/* --- The caller's words --- */

static void declines(void **state)
{
	struct world w = bound();

	(void)state;
	dhcp_client_conflict(&w.c, w.now_ms, &w.out);
	look(&w);
	assert_int_equal(w.out.event, DHCP_EVENT_LOST);
	assert_int_equal(w.sent.type, DHCP_DECLINE);
	check_ip(&w.sent.h.ciaddr, "0.0.0.0");
	check_option_ip(&w, DHCP_OPT_ADDRESS, "192.0.2.10");
	check_option_ip(&w, DHCP_OPT_SERVER, "192.0.2.1");
	assert_false(has(&w, DHCP_OPT_PARAMETERS));
	check_ip(&w.out.dst, "255.255.255.255");
	assert_in_range(w.c.due_ms, w.now_ms + 10 * S, w.now_ms + 11 * S);
	wait_for(&w);
	assert_int_equal(w.sent.type, DHCP_DISCOVER);
	dhcp_client_conflict(&w.c, w.now_ms, &w.out);
	assert_int_equal(w.out.len, 0);
}

static void asks_when_the_link_is_back(void **state)
{
	struct world w = bound();

	(void)state;
	dhcp_client_link(&w.c, w.now_ms, &w.out);
	look(&w);
	assert_int_equal(w.c.state, DHCP_REBOOTING);
	assert_int_equal(w.sent.type, DHCP_REQUEST);
	answer(&w, &good);
	assert_int_equal(w.out.event, DHCP_EVENT_RENEWED);

	w = fresh(NULL);
	wait_for(&w);
	dhcp_client_link(&w.c, w.now_ms, &w.out);
	tick(&w);
	assert_int_equal(w.sent.type, DHCP_DISCOVER);
}

static void releases(void **state)
{
	struct world w = bound();

	(void)state;
	dhcp_client_release(&w.c, w.now_ms, &w.out);
	look(&w);
	assert_int_equal(w.out.event, DHCP_EVENT_LOST);
	assert_int_equal(w.sent.type, DHCP_RELEASE);
	check_ip(&w.sent.h.ciaddr, "192.0.2.10");
	check_option_ip(&w, DHCP_OPT_SERVER, "192.0.2.1");
	assert_false(has(&w, DHCP_OPT_ADDRESS));
	check_ip(&w.out.dst, "192.0.2.1");
	assert_true(w.c.due_ms == UINT64_MAX);
	w.now_ms += S;
	tick(&w);
	answer(&w, &good);
	dhcp_client_link(&w.c, w.now_ms, &w.out);
	assert_int_equal(w.c.state, DHCP_STOPPED);
	assert_int_equal(w.out.len, 0);
}

/* --- What is not believed --- */

static void ignores_what_cannot_be(void **state)
{
	static const struct {
		const char *address, *server;
		uint32_t mask, lease_s;
	} bad[] = {
		{"0.0.0.0", "192.0.2.1", 0xffffff00, 100},
		{"127.0.0.1", "192.0.2.1", 0xffffff00, 100},
		{"224.0.0.1", "192.0.2.1", 0xffffff00, 100},
		{"255.255.255.255", "192.0.2.1", 0xffffff00, 100},
		{"192.0.2.0", "192.0.2.1", 0xffffff00, 100},
		{"192.0.2.255", "192.0.2.1", 0xffffff00, 100},
		{"192.0.2.10", "192.0.2.1", 0xff00ff00, 100},
		{"192.0.2.10", "192.0.2.1", 0, 100},
		{"192.0.2.10", "0.0.0.0", 0xffffff00, 100},
		{"192.0.2.10", "239.0.0.1", 0xffffff00, 100},
		{"192.0.2.10", NULL, 0xffffff00, 100},
		{"192.0.2.10", "192.0.2.1", 0xffffff00, 9},
		{"192.0.2.10", "192.0.2.1", 0xffffff00, 0},
	};
	struct world w = fresh(NULL);

	(void)state;
	wait_for(&w);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct answer a = good;

		a.type = DHCP_OFFER;
		a.address = bad[i].address;
		a.server = bad[i].server;
		a.mask = bad[i].mask;
		a.lease_s = bad[i].lease_s;
		answer(&w, &a);
		assert_int_equal(w.c.state, DHCP_SELECTING);
	}
	answer(&w, &good); /* an ACK that was not asked for */
	assert_int_equal(w.c.state, DHCP_SELECTING);
}

static void ignores_other_addresses(void **state)
{
	struct world w = requesting();
	struct answer a = good;

	(void)state;
	a.address = "192.0.2.11";
	answer(&w, &a);
	assert_int_equal(w.c.state, DHCP_REQUESTING);
	a = good;
	a.server = "192.0.2.2";
	answer(&w, &a);
	assert_int_equal(w.c.state, DHCP_REQUESTING);
}

/* Every byte of the header that must be as it is, and every length. */
static void ignores_what_is_not_for_it(void **state)
{
	static const size_t byte[] = {0, 1, 2, 4, 7, 28, 33, 236, 239};
	struct world w = requesting();
	uint8_t bytes[DHCP_MAX_BYTES];
	size_t n = write_answer(&w, &good, bytes), end = n;

	(void)state;
	for (unsigned i = 0; i < sizeof(byte) / sizeof(byte[0]); i++) {
		bytes[byte[i]] ^= 0x40;
		give(&w, bytes, n);
		assert_int_equal(w.c.state, DHCP_REQUESTING);
		bytes[byte[i]] ^= 0x40;
	}
	while (bytes[end - 1] == 0)
		end--;
	/* Without its end an option may be missing, but never half of one. */
	for (size_t cut = 0; cut < end - 12; cut++) {
		give(&w, bytes, cut);
		if (w.c.state == DHCP_REQUESTING)
			continue;
		assert_int_equal(w.c.lease.n_dns, 0);
		w = requesting();
	}
	n = write_answer(&w, &good, bytes);
	give(&w, bytes, n);
	assert_int_equal(w.c.state, DHCP_BOUND);
}

/* --- Options --- */

static void finds_the_gateway(void **state)
{
	static const uint8_t by_default[] = {24, 10, 1, 2, 192, 0, 2, 5, 0, 192, 0, 2, 6};
	static const uint8_t none[] = {8, 10, 192, 0, 2, 5};
	static const uint8_t far[] = {0, 198, 51, 100, 1};
	static const uint8_t wide[] = {33, 1, 2, 3, 4, 5, 192, 0, 2, 5};
	static const uint8_t cut[] = {0, 192, 0, 2};
	static const struct {
		const char *router;
		const uint8_t *routes;
		uint16_t n;
		uint32_t mask;
		const char *want;
	} table[] = {
		{"192.0.2.254", NULL, 0, 0xffffff00, "192.0.2.254"},
		{NULL, NULL, 0, 0xffffff00, "0.0.0.0"},
		{"198.51.100.1", NULL, 0, 0xffffff00, "0.0.0.0"},
		{"192.0.2.10", NULL, 0, 0xffffff00, "0.0.0.0"},
		{"192.0.2.254", by_default, sizeof(by_default), 0xffffff00, "192.0.2.6"},
		{"192.0.2.254", none, sizeof(none), 0xffffff00, "0.0.0.0"},
		{"192.0.2.254", far, sizeof(far), 0xffffff00, "0.0.0.0"},
		{NULL, far, sizeof(far), 0xffffffff, "198.51.100.1"},
		{"192.0.2.254", wide, sizeof(wide), 0xffffff00, "192.0.2.254"},
		{"192.0.2.254", cut, sizeof(cut), 0xffffff00, "192.0.2.254"},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct answer a = good;
		struct world w;

		a.router = table[i].router;
		a.routes = table[i].routes;
		a.n_routes = table[i].n;
		a.mask = table[i].mask;
		w = bound_to(&a);
		check_ip(&w.c.lease.gateway, table[i].want);
	}
}

static void keeps_what_helps(void **state)
{
	static const struct {
		const char *domain;
		uint16_t n;
		const char *want;
	} domain[] = {
		{"example.org", 11, "example.org"},
		{"example.org\0", 12, "example.org"},
		{"a b", 3, ""},
		{"\033[2J", 4, ""},
		{"a\0b", 3, ""},
		{"\0\0", 2, ""},
	};
	struct answer a = good;
	struct world w;

	(void)state;
	for (unsigned i = 0; i < sizeof(domain) / sizeof(domain[0]); i++) {
		a.domain = (const uint8_t *)domain[i].domain;
		a.n_domain = domain[i].n;
		w = bound_to(&a);
		assert_string_equal(w.c.lease.domain, domain[i].want);
	}
	a = good;
	a.mtu = 1400;
	a.n_dns = 3; /* the third is 0.0.0.0 */
	a.hides_mask = true;
	w = bound_to(&a);
	assert_int_equal(w.c.lease.mtu, 1400);
	assert_int_equal(w.c.lease.n_dns, 2);
	assert_int_equal(w.c.lease.address.len, 24);
	a.mtu = 575;
	w = bound_to(&a);
	assert_int_equal(w.c.lease.mtu, 0);
}

static void frames_are_whole(void **state)
{
	struct world w = fresh(NULL);
	uint8_t frame[DHCP_FRAME_MAX];
	uint64_t sum;
	size_t n;

	(void)state;
	wait_for(&w);
	n = dhcp_client_frame(&w.c, &w.out, frame);
	assert_int_equal(n, 14 + 28 + w.out.len);
	assert_memory_equal(frame, "\xff\xff\xff\xff\xff\xff", 6);
	assert_memory_equal(frame + 6, our_mac.b, 6);
	assert_int_equal(csum_fold(csum_add(0, frame + 14, 20)), 0);
	sum = csum_pseudo(frame + 26, frame + 30, 4, 17, (uint32_t)(n - 34));
	assert_int_equal(csum_fold(csum_add(sum, frame + 34, n - 34)), 0);
	assert_memory_equal(frame + 34, "\0\x44\0\x43", 4);
	assert_memory_equal(frame + 42, w.out.payload, w.out.len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asks_and_is_bound),
		cmocka_unit_test(asks_again),
		cmocka_unit_test(tries_another_server),
		cmocka_unit_test(renews),
		cmocka_unit_test(rebinds_and_expires),
		cmocka_unit_test(rebinds_to_anybody),
		cmocka_unit_test(starts_again_when_refused),
		cmocka_unit_test(never_ends),
		cmocka_unit_test(takes_times_that_make_sense),
		cmocka_unit_test(uses_a_known_lease_at_once),
		cmocka_unit_test(refuses_a_bad_known_lease),
		cmocka_unit_test(declines),
		cmocka_unit_test(asks_when_the_link_is_back),
		cmocka_unit_test(releases),
		cmocka_unit_test(ignores_what_cannot_be),
		cmocka_unit_test(ignores_other_addresses),
		cmocka_unit_test(ignores_what_is_not_for_it),
		cmocka_unit_test(finds_the_gateway),
		cmocka_unit_test(keeps_what_helps),
		cmocka_unit_test(frames_are_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
