/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dhcp_server: who is answered what, and where to: rows D02-D09, D11, D13 and D14. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dhcp_lab.h"

enum { S = 1000, LEASE_S = 3600 };

static const char office[] = "10.0.10.1";

static int setup(void **state)
{
	*state = dhcp_lab_create();
	return 0;
}

static int teardown(void **state)
{
	dhcp_lab_destroy(*state);
	return 0;
}

static void check_ip(const struct ip *got, const char *want)
{
	char text[IP_TEXT];

	assert_string_equal(ip_text(got, text), want);
}

static void check_mac(const struct mac *got, uint8_t last)
{
	struct mac want =
		last == 0xff ? (struct mac){{255, 255, 255, 255, 255, 255}} : dhcp_lab_mac(last);

	assert_memory_equal(got, &want, sizeof(want));
}

/* --- The exchange --- */

static void gives_an_address(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1, .name = "Web-1.example"};
	const struct lease *l;
	char ip[IP_TEXT];
	uint32_t v;

	dhcp_lab_bound(lab, &a, ip);
	l = dhcp_lab_lease(lab, ip);
	assert_int_equal(l->state, LEASE_BOUND);
	assert_string_equal(l->name, "web-1");
	assert_string_equal(l->port, "c1");
	assert_int_equal(l->end_ms, lab->now_ms + LEASE_S * S);
	assert_true(dhcp_get_u32(&lab->said, DHCP_OPT_LEASE, &v) && v == LEASE_S);
	assert_int_equal(dhcp_lab_counted(lab)->discover, 1);
	assert_int_equal(dhcp_lab_counted(lab)->request, 1);
	assert_int_equal(dhcp_lab_counted(lab)->offer, 1);
	assert_int_equal(dhcp_lab_counted(lab)->ack, 1);
}

/* D02: RFC 2131 4.1. */
static void d02_answers_go_where_they_can_be_heard(void **state)
{
	struct dhcp_lab *lab = *state;
	const struct dhcp_ends *e = &lab->out.ends;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1};
	struct dhcp_lab_ask renewal = {.type = DHCP_REQUEST, .mac = 1, .dst = office};
	char ip[IP_TEXT];

	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	check_mac(&e->dst_mac, 1);
	assert_true(ip_equal(&e->dst, &lab->said.h.yiaddr));
	check_ip(&e->src, office);
	assert_memory_equal(&e->src_mac, &lab->net[LAB_OFFICE]->mac, 6);
	assert_int_equal(e->sport, 67);
	assert_int_equal(e->dport, 68);

	a.flags = DHCP_BROADCAST;
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	check_mac(&e->dst_mac, 0xff);
	check_ip(&e->dst, "255.255.255.255");
	assert_int_equal(lab->said.h.flags, DHCP_BROADCAST);

	renewal.src = renewal.ciaddr = dhcp_lab_bound(lab, &a, ip);
	renewal.flags = DHCP_BROADCAST;
	dhcp_lab_expect(lab, &renewal, DHCP_ACK);
	check_mac(&e->dst_mac, 1);
	check_ip(&e->dst, ip);
	check_ip(&lab->said.h.ciaddr, ip);

	a.giaddr = "10.0.10.9";
	a.src_mac = 9;
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	check_mac(&e->dst_mac, 9);
	check_ip(&e->dst, "10.0.10.9");
	assert_int_equal(e->dport, 67);
}

/* D03 */
static void d03_another_server_is_chosen(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_REQUEST, .mac = 1, .server = "10.0.10.2"};
	struct dhcp_lab_ask other = {.mac = 2};
	char ip[IP_TEXT];

	a.address = dhcp_lab_offered(lab, &(struct dhcp_lab_ask){.mac = 1}, ip);
	assert_int_equal(dhcp_lab_state(lab, ip), LEASE_OFFERED);
	dhcp_lab_expect(lab, &a, 0);
	assert_null(dhcp_lab_lease(lab, ip));
	assert_int_equal(dhcp_lab_counted(lab)->other_server, 1);
	/* What is bound stays. */
	dhcp_lab_bound(lab, &other, ip);
	other.type = DHCP_REQUEST;
	other.server = "10.0.10.2";
	other.address = ip;
	dhcp_lab_expect(lab, &other, 0);
	assert_int_equal(dhcp_lab_state(lab, ip), LEASE_BOUND);
}

/* D04: RFC 2131 4.3.2, INIT-REBOOT. */
static void d04_a_client_that_was_here_before(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1};
	char ip[IP_TEXT];

	dhcp_lab_bound(lab, &a, ip);
	a.type = DHCP_REQUEST;
	a.address = ip;
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	dhcp_lab_pass(lab, (LEASE_S + 1) * S); /* it is over, but known */
	assert_int_equal(dhcp_lab_state(lab, ip), LEASE_PAST);
	dhcp_lab_expect(lab, &a, DHCP_ACK);

	a.address = strcmp(ip, "10.0.10.150") == 0 ? "10.0.10.151" : "10.0.10.150";
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	assert_int_equal(dhcp_lab_state(lab, ip), LEASE_BOUND); /* it can have that one again */

	a.mac = 2;
	dhcp_lab_expect(lab, &a, 0);
	assert_int_equal(dhcp_lab_counted(lab)->unknown, 1);
	a.address = "192.0.2.7";
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	check_mac(&lab->out.ends.dst_mac, 0xff);
	check_ip(&lab->out.ends.dst, "255.255.255.255");
	check_ip(&lab->said.h.yiaddr, "0.0.0.0");
}

/* D05 */
static void d05_renews_and_rebinds(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1, .name = "web"};
	char ip[IP_TEXT];

	dhcp_lab_bound(lab, &a, ip);
	a = (struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 1, .ciaddr = ip, .src = ip};
	a.dst = office;
	dhcp_lab_pass(lab, LEASE_S / 2 * S);
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	assert_int_equal(dhcp_lab_lease(lab, ip)->end_ms, lab->now_ms + LEASE_S * S);
	assert_string_equal(dhcp_lab_lease(lab, ip)->name, "web"); /* said once */
	a.dst = NULL;
	dhcp_lab_pass(lab, LEASE_S / 8 * 7 * S);
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	assert_int_equal(dhcp_lab_lease(lab, ip)->end_ms, lab->now_ms + LEASE_S * S);

	a.ciaddr = "10.0.10.150";
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	a.mac = 2;
	a.ciaddr = ip; /* another's */
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	assert_int_equal(dhcp_lab_state(lab, ip), LEASE_BOUND);
	a.ciaddr = "10.0.10.151";
	dhcp_lab_expect(lab, &a, 0); /* it may be another server's */
	a.dst = office;
	dhcp_lab_expect(lab, &a,
			DHCP_ACK); /* it says it is ours, and nobody has it: our records are lost */
	a.ciaddr = "10.0.10.7";
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	a.ciaddr = "192.0.2.7";
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	/* Some name the server when they renew. */
	a.ciaddr = "10.0.10.151";
	a.server = office;
	dhcp_lab_expect(lab, &a, DHCP_ACK);
}

/* D06 */
static void d06_refuses_what_is_anothers(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_REQUEST, .mac = 2, .server = office};
	static const char *const foreign[] = {"10.0.10.1",  "10.0.10.0",      "10.0.10.255",
					      "10.0.10.10", "10.0.10.50",     "192.0.2.1",
					      "0.0.0.0",    "255.255.255.255"};
	char ip[IP_TEXT];

	a.address = dhcp_lab_bound(lab, &(struct dhcp_lab_ask){.mac = 1}, ip);
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	check_ip(&lab->out.ends.dst, "255.255.255.255");
	for (unsigned i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++) {
		a.address = foreign[i];
		dhcp_lab_expect(lab, &a, DHCP_NAK);
	}
	a.giaddr = "10.0.10.9"; /* a relay is told to broadcast it */
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	check_ip(&lab->out.ends.dst, "10.0.10.9");
	assert_int_equal(lab->said.h.flags, DHCP_BROADCAST);
	assert_int_equal(leases_of_port(lab->leases, lab->net[LAB_OFFICE]->pool4, "c1"), 1);
}

/* D07 and D17: RELEASE and DECLINE. */
static void d07_only_the_owner_ends_a_lease(void **state)
{
	static const uint8_t types[] = {DHCP_RELEASE, DHCP_DECLINE};
	struct dhcp_lab *lab = *state;

	for (unsigned i = 0; i < 2; i++) {
		struct dhcp_lab_ask a = {.mac = 1, .id = "one"}, good;
		char ip[IP_TEXT];

		dhcp_lab_bound(lab, &a, ip);
		good = a;
		good.type = types[i];
		good.server = office;
		if (types[i] == DHCP_RELEASE)
			good.ciaddr = good.src = ip;
		else
			good.address = ip;
		a = good;
		a.mac = 2;
		dhcp_lab_expect(lab, &a, 0);
		a.mac = 1;
		a.id = "two";
		dhcp_lab_expect(lab, &a, 0);
		a.id = NULL;
		dhcp_lab_expect(lab, &a, 0);
		a = good;
		a.port = "c2";
		dhcp_lab_expect(lab, &a, 0);
		a = good;
		a.src_mac = 3;
		dhcp_lab_expect(lab, &a, 0);
		a = good;
		a.server = NULL;
		dhcp_lab_expect(lab, &a, 0);
		a.server = "10.0.10.2";
		dhcp_lab_expect(lab, &a, 0);
		a = good;
		a.address = a.ciaddr = NULL;
		dhcp_lab_expect(lab, &a, 0);
		assert_int_equal(dhcp_lab_state(lab, ip), LEASE_BOUND);
		assert_int_equal(dhcp_lab_counted(lab)->spoofed, 3 * (i + 1));

		dhcp_lab_expect(lab, &good, 0);
		assert_int_equal(dhcp_lab_state(lab, ip),
				 types[i] == DHCP_RELEASE ? LEASE_PAST : LEASE_DECLINED);
	}
	assert_int_equal(dhcp_lab_counted(lab)->release, 9);
	assert_int_equal(dhcp_lab_counted(lab)->decline, 9);
}

/* D07: what was declined is given to nobody for a while. */
static void d07_a_declined_address_rests(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1};
	struct dhcp_lab_ask decline = {.type = DHCP_DECLINE, .mac = 1, .server = office};
	char ip[IP_TEXT], next[IP_TEXT];

	decline.address = dhcp_lab_bound(lab, &a, ip);
	dhcp_lab_expect(lab, &decline, 0);
	a.address = ip;
	assert_string_not_equal(dhcp_lab_offered(lab, &a, next), ip);
	a.mac = 2;
	assert_string_not_equal(dhcp_lab_offered(lab, &a, next), ip);
	dhcp_lab_pass(lab, LEASE_QUARANTINE_MS + S);
	assert_string_equal(dhcp_lab_offered(lab, &a, next), ip);
}

/* D08 */
static void d08_informs(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_INFORM, .mac = 1, .ciaddr = "10.0.10.50"};
	uint16_t n;

	a.src = a.ciaddr;
	a.flags = DHCP_BROADCAST;
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	check_ip(&lab->out.ends.dst, "10.0.10.50");
	check_mac(&lab->out.ends.dst_mac, 1);
	check_ip(&lab->said.h.ciaddr, "10.0.10.50");
	check_ip(&lab->said.h.yiaddr, "0.0.0.0");
	assert_null(dhcp_get(&lab->said, DHCP_OPT_LEASE, &n));
	assert_null(dhcp_get(&lab->said, DHCP_OPT_T1, &n));
	assert_null(dhcp_get(&lab->said, DHCP_OPT_T2, &n));
	assert_non_null(dhcp_get(&lab->said, DHCP_OPT_DNS, &n));
	assert_null(dhcp_lab_lease(lab, "10.0.10.50"));
	a.ciaddr = NULL; /* then who sent it */
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	check_ip(&lab->out.ends.dst, "10.0.10.50");
	a.src = NULL;
	dhcp_lab_expect(lab, &a, 0);
	a.ciaddr = "192.0.2.1";
	dhcp_lab_expect(lab, &a, 0);
}

/* D09: RFC 4361: 255, IAID and DUID; opaque. */
static void d09_a_client_is_its_client_id(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1, .id = "\377iaid\1\3\1\1\2\3\4\5\6"};
	struct dhcp_lab_ask b = {.mac = 1, .id = "\377iaid\1\3\1\1\2\3\4\5\7"};
	char ip[IP_TEXT], other[IP_TEXT];

	dhcp_lab_bound(lab, &a, ip);
	assert_string_not_equal(dhcp_lab_bound(lab, &b, other), ip);
	a.mac = 2; /* another card of the same machine, or the same one in another */
	assert_string_equal(dhcp_lab_bound(lab, &a, other), ip);
	a.id = NULL;
	assert_string_not_equal(dhcp_lab_bound(lab, &a, other), ip);
	/* The guest has moved: nobody is where it was. */
	a = (struct dhcp_lab_ask){.mac = 3, .id = b.id, .port = "c2"};
	lab->gone = lab->twin->gone = "c1";
	dhcp_lab_bound(lab, &b, ip);
	assert_string_equal(dhcp_lab_bound(lab, &a, other), ip);
	assert_string_equal(dhcp_lab_lease(lab, ip)->port, "c2");
}

/* --- Relays --- */

/* D11: the network is that of giaddr or of the link that is named (RFC 3527); RFC 5107. */
static void d11_relayed_clients_get_an_address_of_their_network(void **state)
{
	static const uint8_t link[] = {82, 11, 1, 3, 'e', 't', 'h', 5, 4, 10, 0, 20, 0};
	static const uint8_t server[] = {82, 6, 11, 4, 10, 0, 20, 9};
	static const uint8_t broken[] = {82, 7, 1, 9, 5, 4, 10, 0, 20};
	static const uint8_t cut[] = {82, 3, 5, 4, 10};
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {
		.type = DHCP_DISCOVER, .mac = 1, .src_mac = 9, .giaddr = "10.0.20.9"};
	struct ip ip;
	char text[IP_TEXT];

	a.src = "10.0.10.9";
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	assert_true(prefix_holds(&lab->net[LAB_STORAGE]->v4, &lab->said.h.yiaddr));
	check_ip(&lab->out.ends.src, office);
	assert_int_equal(dhcp_get_ips(&lab->said, DHCP_OPT_SERVER, &ip, 1), 1);
	check_ip(&ip, office);
	assert_false(lab->out.has_probe); /* nobody there would hear it */

	a.src = a.giaddr = "10.0.10.9";
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	assert_true(prefix_holds(&lab->net[LAB_OFFICE]->v4, &lab->said.h.yiaddr));
	a.more = link;
	a.n_more = sizeof(link);
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	assert_true(prefix_holds(&lab->net[LAB_STORAGE]->v4, &lab->said.h.yiaddr));
	a.more = broken;
	a.n_more = sizeof(broken);
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	a.more = cut;
	a.n_more = sizeof(cut);
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	assert_true(prefix_holds(&lab->net[LAB_OFFICE]->v4, &lab->said.h.yiaddr));

	a.src = "10.0.10.9";
	a.giaddr = "10.0.20.9";
	a.more = server;
	a.n_more = sizeof(server);
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	assert_int_equal(dhcp_get_ips(&lab->said, DHCP_OPT_SERVER, &ip, 1), 1);
	check_ip(&ip, "10.0.20.9");
	a.type = DHCP_REQUEST;
	a.server = "10.0.20.9";
	a.address = ip_text(&lab->said.h.yiaddr, text);
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	assert_int_equal(dhcp_lab_counted(lab)->relayed, 7);

	a.giaddr = "10.0.30.9"; /* not from here */
	dhcp_lab_expect(lab, &a, 0);
	a.giaddr = "224.0.0.1";
	dhcp_lab_expect(lab, &a, 0);
	/* Sub-options count only from a relay. */
	a = (struct dhcp_lab_ask){
		.type = DHCP_DISCOVER, .mac = 3, .more = link, .n_more = sizeof(link)};
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	assert_true(prefix_holds(&lab->net[LAB_OFFICE]->v4, &lab->said.h.yiaddr));
}

/* D11: no guest takes the addresses of another network, nor is it somebody else that answers go to. */
static void d11_only_named_relays_ask_for_another_network(void **state)
{
	static const uint8_t link[] = {82, 6, 5, 4, 10, 0, 20, 0};
	struct dhcp_lab *lab = *state;
	static const struct {
		const char *giaddr, *src;
		bool has_link, is_good;
	} table[] = {
		{"10.0.20.9", "10.0.10.9", false, true},  {"10.0.10.9", "10.0.10.9", true, true},
		{"10.0.20.8", "10.0.10.9", false, false}, /* not named */
		{"10.0.10.8", "10.0.10.8", true, false},  {"10.0.20.9", "10.0.10.8", false, false},
		{"10.0.20.9", NULL, false, false},	  {"10.0.10.9", NULL, true, false},
		{"10.0.10.9", "10.0.10.9", false, true}, /* its own network */
		{"10.0.10.8", "10.0.10.8", false, true},  {"10.0.10.8", NULL, false, true},
		{"10.0.10.1", NULL, false, false}, /* ours */
	};
	unsigned spoofed = 0;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .src_mac = 9};

		a.giaddr = table[i].giaddr;
		a.src = table[i].src;
		a.more = link;
		a.n_more = table[i].has_link ? sizeof(link) : 0;
		dhcp_lab_expect(lab, &a, table[i].is_good ? DHCP_OFFER : 0);
		spoofed += !table[i].is_good;
		assert_int_equal(dhcp_lab_counted(lab)->spoofed, spoofed);
	}
	for (uint16_t i = 0; i < 256; i++) {
		struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = (uint8_t)i, .src_mac = 9};

		a.src = "10.0.10.50";
		a.giaddr = "10.0.20.50";
		dhcp_lab_expect(lab, &a, 0);
	}
	assert_int_equal(leases_of_port(lab->leases, lab->net[LAB_OFFICE]->pool4, "c1"), 1);
	assert_true(dhcp_lab_send(lab, LAB_STORAGE,
				  &(struct dhcp_lab_ask){.type = DHCP_DISCOVER, .mac = 5}));
}

/* D11: a relay that broadcasts what it hears has the address that it says. */
static void d11_a_relay_is_who_it_says(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .src_mac = 9};
	char ip[IP_TEXT];

	a.giaddr = dhcp_lab_bound(lab, &(struct dhcp_lab_ask){.mac = 8}, ip);
	dhcp_lab_expect(lab, &a, 0);
	assert_int_equal(dhcp_lab_counted(lab)->spoofed, 1);
	a.src_mac = 8;
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
}

/* D11: what a relayed client sends by itself comes through a router, from that router's MAC. */
static void d11_relayed_clients_renew_through_a_router(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .src_mac = 9};
	struct dhcp_lab_ask renewal = {.type = DHCP_REQUEST, .mac = 1, .src_mac = 8, .dst = office};
	char ip[IP_TEXT];

	a.src = "10.0.10.9";
	a.giaddr = "10.0.20.9";
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	a.type = DHCP_REQUEST;
	a.server = office;
	a.address = ip_text(&lab->said.h.yiaddr, ip);
	dhcp_lab_expect(lab, &a, DHCP_ACK);

	renewal.ciaddr = renewal.src = ip;
	dhcp_lab_expect(lab, &renewal, DHCP_ACK);
	check_ip(&lab->out.ends.dst, ip);
	check_mac(&lab->out.ends.dst_mac, 8);
	renewal.port = "c2";
	dhcp_lab_expect(lab, &renewal, 0);
	renewal.port = NULL;
	renewal.src = "10.0.20.50";
	dhcp_lab_expect(lab, &renewal, 0);
	assert_int_equal(dhcp_lab_counted(lab)->spoofed, 2);
}

/* --- Which address --- */

/* D13 */
static void d13_the_same_client_gets_the_same_address(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1};
	char ip[IP_TEXT], again[IP_TEXT];

	dhcp_lab_bound(lab, &a, ip);
	dhcp_lab_pass(lab, (LEASE_S + 1) * S);
	assert_string_equal(dhcp_lab_offered(lab, &a, again), ip);
	dhcp_lab_pass(lab, LEASE_OFFER_MS + S);
	a.address = "10.0.10.150"; /* what it asks for comes after what it had */
	assert_string_equal(dhcp_lab_offered(lab, &a, again), ip);
	a.mac = 2;
	assert_string_equal(dhcp_lab_offered(lab, &a, again), "10.0.10.150");
}

static void reservations_are_kept(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask web = {.mac = 0xaa}, dev = {.mac = 1, .id = "dev"};
	struct dhcp_lab_ask port = {.mac = 3, .port = "c9"};
	char ip[IP_TEXT];

	assert_string_equal(dhcp_lab_bound(lab, &web, ip), "10.0.10.10");
	/* Firmware and system are two clients on one card. */
	web.id = "firmware";
	assert_string_equal(dhcp_lab_bound(lab, &web, ip), "10.0.10.10");
	/* Who has that MAC by another port, while its port has it tied, does not. */
	lab->tied = lab->twin->tied = "c1";
	web.id = "thief";
	web.port = "c2";
	assert_string_not_equal(dhcp_lab_offered(lab, &web, ip), "10.0.10.10");
	assert_int_equal(dhcp_lab_state(lab, "10.0.10.10"), LEASE_BOUND);
	lab->tied = lab->twin->tied = NULL;
	/* Nor does who says it as a relay, unless it is its own client's. */
	web = (struct dhcp_lab_ask){.mac = 0xaa, .id = "relay", .port = "c2", .src_mac = 2};
	web.giaddr = web.src = "10.0.10.9";
	assert_string_not_equal(dhcp_lab_offered(lab, &web, ip), "10.0.10.10");
	assert_int_equal(dhcp_lab_state(lab, "10.0.10.10"), LEASE_BOUND);
	web.port = "c1";
	web.id = "relay2";
	assert_string_equal(dhcp_lab_offered(lab, &web, ip), "10.0.10.10");

	assert_string_equal(dhcp_lab_bound(lab, &dev, ip), "10.0.10.110");
	assert_string_equal(dhcp_lab_bound(lab, &port, ip), "10.0.10.19");
	port.mac = 4; /* another guest behind that port now */
	assert_string_equal(dhcp_lab_bound(lab, &port, ip), "10.0.10.19");
	port.type = DHCP_REQUEST; /* a reservation is known without a lease */
	port.address = "10.0.10.150";
	port.mac = 5;
	dhcp_lab_expect(lab, &port, DHCP_NAK);
	/* Nobody else gets what is reserved, not even when it is free. */
	dev = (struct dhcp_lab_ask){.type = DHCP_DISCOVER, .mac = 6, .port = "c3"};
	dev.address = "10.0.10.10";
	assert_string_not_equal(dhcp_lab_offered(lab, &dev, ip), "10.0.10.10");
}

/* D05: a reservation that came later moves its client when that starts again, not before. */
static void reservations_come_with_the_next_start(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1}, other = {.mac = 2, .port = "c2"};
	struct dhcp_reservation r = {.mac = dhcp_lab_mac(1), .ip = dhcp_lab_ip("10.0.10.21")};
	char ip[IP_TEXT], text[IP_TEXT];

	dhcp_lab_bound(lab, &a, ip);
	for (struct dhcp_lab *i = lab; i; i = i->twin)
		dhcp_lab_reserve(i, &r);
	a = (struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 1, .ciaddr = ip, .src = ip};
	dhcp_lab_expect(lab, &a, DHCP_ACK); /* REBINDING */
	a.dst = office;
	dhcp_lab_expect(lab, &a, DHCP_ACK); /* RENEWING */
	a.server = office;
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	assert_int_equal(dhcp_lab_state(lab, "10.0.10.21"), LEASE_PAST);
	a = (struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 1, .ciaddr = "10.0.10.151"};
	dhcp_lab_expect(lab, &a, DHCP_NAK); /* not what it has */
	a = (struct dhcp_lab_ask){.mac = 1};
	assert_string_equal(dhcp_lab_bound(lab, &a, text), "10.0.10.21");
	/* INIT-REBOOT too. */
	r.ip = dhcp_lab_ip("10.0.10.22");
	for (struct dhcp_lab *i = lab; i; i = i->twin)
		dhcp_lab_reserve(i, &r);
	a = (struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 1, .address = "10.0.10.21"};
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	a = (struct dhcp_lab_ask){.mac = 1};
	assert_string_equal(dhcp_lab_bound(lab, &a, text), "10.0.10.22");
	/* What became another's is over when it is renewed. */
	dhcp_lab_bound(lab, &other, ip);
	r.ip = dhcp_lab_ip(ip);
	for (struct dhcp_lab *i = lab; i; i = i->twin)
		dhcp_lab_reserve(i, &r);
	other = (struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 2, .port = "c2", .ciaddr = ip};
	dhcp_lab_expect(lab, &other, DHCP_NAK);
}

/* D13: while somebody else has the reserved address, or nobody can, there is another one. */
static void a_reserved_address_in_use_is_waited_for(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1}, old = {.mac = 2, .port = "c2"};
	struct dhcp_reservation r = {.mac = dhcp_lab_mac(1)};
	char ip[IP_TEXT], mine[IP_TEXT], text[IP_TEXT];

	dhcp_lab_bound(lab, &old, ip);
	r.ip = dhcp_lab_ip(ip);
	for (struct dhcp_lab *i = lab; i; i = i->twin)
		dhcp_lab_reserve(i, &r);
	assert_string_not_equal(dhcp_lab_bound(lab, &a, mine), ip);
	assert_int_equal(dhcp_lab_counted(lab)->none_free, 0);
	assert_string_equal(dhcp_lab_lease(lab, ip)->port, "c2");
	a = (struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 1, .address = mine};
	dhcp_lab_expect(lab, &a, DHCP_ACK); /* INIT-REBOOT */
	/* It comes free between an offer and its request. */
	a = (struct dhcp_lab_ask){.mac = 1, .id = "new", .type = DHCP_REQUEST, .server = office};
	a.address = dhcp_lab_offered(lab, &(struct dhcp_lab_ask){.mac = 1, .id = "new"}, mine);
	dhcp_lab_pass(lab, 10 * S);
	old.type = DHCP_RELEASE;
	old.server = office;
	old.ciaddr = ip;
	dhcp_lab_expect(lab, &old, 0);
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	assert_string_equal(dhcp_lab_bound(lab, &(struct dhcp_lab_ask){.mac = 1}, text), ip);
	/* Declined: somebody whom we do not know uses it. */
	a = (struct dhcp_lab_ask){.type = DHCP_DECLINE, .mac = 1, .server = office, .address = ip};
	dhcp_lab_expect(lab, &a, 0);
	assert_int_equal(dhcp_lab_state(lab, ip), LEASE_DECLINED);
	a = (struct dhcp_lab_ask){.mac = 1};
	assert_string_not_equal(dhcp_lab_bound(lab, &a, text), ip);
}

/* D14: of what is new to a client it is asked whether somebody uses it. */
static void d14_an_address_in_use_is_not_given(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1, .type = DHCP_REQUEST, .server = office};
	struct mac own = dhcp_lab_mac(1), other = dhcp_lab_mac(0x77);
	char text[IP_TEXT], next[IP_TEXT];
	struct ip ip;

	a.address = dhcp_lab_offered(lab, &a, text);
	assert_true(lab->out.has_probe);
	assert_true(ip_equal(&lab->out.probe, &lab->said.h.yiaddr));
	ip = lab->out.probe;
	dhcp_lab_conflict(lab, LAB_OFFICE, &ip, &own); /* the client itself */
	assert_int_equal(dhcp_lab_state(lab, text), LEASE_OFFERED);
	dhcp_lab_conflict(lab, LAB_OFFICE, &ip, &other);
	assert_int_equal(dhcp_lab_state(lab, text), LEASE_DECLINED);
	dhcp_lab_conflict(lab, LAB_OFFICE, &ip, &other); /* a probe has one answer */
	assert_int_equal(dhcp_lab_counted(lab)->conflict, 1);
	dhcp_lab_expect(lab, &a, DHCP_NAK);
	a.address = text; /* nor is it when asked for */
	assert_string_not_equal(dhcp_lab_offered(lab, &a, next), text);

	/* The answer may come a little after the client's. */
	ip = lab->out.probe;
	a.type = DHCP_REQUEST;
	a.address = next;
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	dhcp_lab_conflict(lab, LAB_OFFICE, &ip, &other);
	assert_int_equal(dhcp_lab_state(lab, next), LEASE_DECLINED);
	a = (struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 1, .ciaddr = next, .dst = office};
	dhcp_lab_expect(lab, &a, DHCP_NAK); /* it has to move */
}

/* D14: nobody takes an address from others by an answer that was not asked for. */
static void d14_only_the_answer_to_a_probe_counts(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1};
	struct mac other = dhcp_lab_mac(0x77);
	char text[IP_TEXT];
	struct ip ip;

	dhcp_lab_bound(lab, &a, text);
	ip = dhcp_lab_ip(text);
	dhcp_lab_pass(lab, 5 * S);
	dhcp_lab_conflict(lab, LAB_OFFICE, &ip, &other);
	assert_int_equal(dhcp_lab_state(lab, text), LEASE_BOUND);
	dhcp_lab_offered(lab, &a, text); /* it is bound: nothing is asked */
	assert_false(lab->out.has_probe);
	dhcp_lab_conflict(lab, LAB_OFFICE, &ip, &other);
	dhcp_lab_conflict(lab, LAB_STORAGE, &ip, &other);
	dhcp_lab_conflict(lab, LAB_QUIET, &ip, &other);
	assert_int_equal(dhcp_lab_state(lab, text), LEASE_BOUND);
	assert_int_equal(dhcp_lab_counted(lab)->conflict, 0);
}

static void d14_probes_are_few(void **state)
{
	struct dhcp_lab *lab = *state;
	unsigned probes = 0;

	for (uint8_t i = 1; i <= 10; i++) {
		struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = i, .is_shared = true};

		dhcp_lab_expect(lab, &a, DHCP_OFFER);
		probes += lab->out.has_probe;
	}
	assert_int_equal(probes, 3);
	dhcp_lab_pass(lab, S);
	dhcp_lab_expect(lab, &(struct dhcp_lab_ask){.type = DHCP_DISCOVER, .mac = 1}, DHCP_OFFER);
	assert_true(lab->out.has_probe);
}

static void names_come_from_either_option(void **state)
{
	static const struct {
		const char *more;
		uint8_t n;
		const char *want;
	} table[] = {
		{"\x51\x0a\0\0\0web.lan", 12, "web"},
		{"\x51\x0c\4\0\0\3Web\3lan\0", 14, "web"},
		{"\x51\x05\4\0\0\377w", 7, "w"},
		{"\x51\x04\4\0\0\5", 6, ""},
		{"\x51\x03\0\0\0", 5, ""},
		{"\x0c\x03"
		 "db1"
		 "\x51\x06\0\0\0web",
		 13, "db1"},
		{"\x0c\x03"
		 "..."
		 "\x51\x06\0\0\0web",
		 13, "web"},
	};
	struct dhcp_lab *lab = *state;
	char ip[IP_TEXT];

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct dhcp_lab_ask a = {.mac = (uint8_t)(i + 1), .is_shared = true};

		a.more = (const uint8_t *)table[i].more;
		a.n_more = table[i].n;
		assert_string_equal(dhcp_lab_lease(lab, dhcp_lab_bound(lab, &a, ip))->name,
				    table[i].want);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_an_address),
		TEST(d02_answers_go_where_they_can_be_heard),
		TEST(d03_another_server_is_chosen),
		TEST(d04_a_client_that_was_here_before),
		TEST(d05_renews_and_rebinds),
		TEST(d06_refuses_what_is_anothers),
		TEST(d07_only_the_owner_ends_a_lease),
		TEST(d07_a_declined_address_rests),
		TEST(d08_informs),
		TEST(d09_a_client_is_its_client_id),
		TEST(d11_relayed_clients_get_an_address_of_their_network),
		TEST(d11_only_named_relays_ask_for_another_network),
		TEST(d11_a_relay_is_who_it_says),
		TEST(d11_relayed_clients_renew_through_a_router),
		TEST(d13_the_same_client_gets_the_same_address),
		TEST(reservations_are_kept),
		TEST(reservations_come_with_the_next_start),
		TEST(a_reserved_address_in_use_is_waited_for),
		TEST(d14_an_address_in_use_is_not_given),
		TEST(d14_only_the_answer_to_a_probe_counts),
		TEST(d14_probes_are_few),
		TEST(names_come_from_either_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
