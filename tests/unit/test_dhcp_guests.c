/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_dhcp_guests: the DHCPv4 server and guests that lie, take too much, or send rubbish: rows D16-D18, D20 and M10. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/dhcp_lab.h"

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

/* --- Guests that are not what they say --- */

/* D16 */
static void d16_other_networks_are_not_served(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1};

	assert_false(dhcp_lab_send(lab, LAB_QUIET, &a));
	a.giaddr = "10.0.10.9"; /* nor is any other from there */
	assert_false(dhcp_lab_send(lab, LAB_QUIET, &a));
	a.giaddr = NULL;
	assert_true(dhcp_lab_send(lab, LAB_STORAGE, &a));
	assert_true(prefix_holds(&lab->net[LAB_STORAGE]->v4, &lab->said.h.yiaddr));
	check_ip(&lab->out.ends.src, "10.0.20.1");
}

/* D17 */
static void d17_who_lies_about_itself_is_ignored(void **state)
{
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 1, .src_mac = 2};
	char ip[IP_TEXT], again[IP_TEXT];

	dhcp_lab_expect(lab, &a, 0);
	assert_int_equal(dhcp_lab_counted(lab)->spoofed, 1);
	/* A port that is tied keeps what it has; else a lease moves with its guest. */
	a = (struct dhcp_lab_ask){.mac = 1};
	dhcp_lab_bound(lab, &a, ip);
	lab->tied = lab->twin->tied = "c1";
	a.port = "c2";
	a.type = DHCP_DISCOVER;
	dhcp_lab_expect(lab, &a, 0);
	a.type = DHCP_REQUEST;
	a.ciaddr = ip;
	dhcp_lab_expect(lab, &a, 0);
	assert_int_equal(dhcp_lab_counted(lab)->spoofed, 3);
	assert_string_equal(dhcp_lab_lease(lab, ip)->port, "c1");
	lab->tied = lab->twin->tied = NULL;
	a.ciaddr = NULL;
	assert_string_equal(dhcp_lab_bound(lab, &a, again), ip);
	assert_string_equal(dhcp_lab_lease(lab, ip)->port, "c2");
}

/* D17: who has heard a client id does not get the lease, nor ends it, while its owner is there. */
static void d17_a_client_id_is_no_secret(void **state)
{
	static const char *const ports[] = {"c2", "c9" /* has a reservation */};
	struct dhcp_lab *lab = *state;
	struct dhcp_lab_ask a = {.mac = 1, .id = "one"}, thief;
	char ip[IP_TEXT];
	unsigned spoofed = 0;

	dhcp_lab_bound(lab, &a, ip);
	for (unsigned i = 0; i < 4; i++) {
		thief = (struct dhcp_lab_ask){.mac = 2, .id = "one", .port = ports[i / 2]};
		if (i % 2) { /* as a relay it can say any MAC */
			thief.mac = 1;
			thief.src_mac = 2;
			thief.giaddr = thief.src = "10.0.10.9";
		}
		thief.type = DHCP_DISCOVER;
		dhcp_lab_expect(lab, &thief, 0);
		thief.type = DHCP_REQUEST;
		thief.address = ip; /* INIT-REBOOT */
		dhcp_lab_expect(lab, &thief, 0);
		thief.server = "10.0.10.1"; /* SELECTING */
		dhcp_lab_expect(lab, &thief, 0);
		thief.server = "10.0.10.2";
		dhcp_lab_expect(lab, &thief, 0);
		thief.address = thief.server = NULL;
		thief.ciaddr = ip; /* REBINDING, RENEWING */
		dhcp_lab_expect(lab, &thief, 0);
		thief.dst = "10.0.10.1";
		dhcp_lab_expect(lab, &thief, 0);
		spoofed += 6;
		assert_int_equal(dhcp_lab_counted(lab)->spoofed, spoofed);
		assert_int_equal(dhcp_lab_state(lab, ip), LEASE_BOUND);
		assert_string_equal(dhcp_lab_lease(lab, ip)->port, "c1");
		assert_int_equal(dhcp_lab_lease(lab, ip)->mac.b[5], 1);
	}
	/* Its port is down: who has that id may be the same machine with another card. */
	lab->gone = lab->twin->gone = "c1";
	dhcp_lab_expect(lab, &thief, DHCP_ACK);
	assert_string_equal(dhcp_lab_lease(lab, ip)->port, "c9");
}

/* D18 */
static void d18_one_port_does_not_starve_the_others(void **state)
{
	struct dhcp_lab *lab = *state;
	const struct lease_pool *pool = lab->net[LAB_OFFICE]->pool4;
	struct dhcp_lab_ask other = {.mac = 1, .port = "c2"};
	unsigned answers = 0;
	char ip[IP_TEXT], id[16];

	for (unsigned i = 0; i < 10000; i++) {
		struct dhcp_lab_ask a = {.type = DHCP_DISCOVER, .mac = 2, .id = id};

		snprintf(id, sizeof(id), "%u", i);
		if (i % 2) { /* nor by the way of a relay of its own */
			a.giaddr = a.src = "10.0.10.9";
			a.src_mac = 3;
		}
		answers += dhcp_lab_send(lab, LAB_OFFICE, &a);
	}
	assert_int_equal(answers, 4);
	assert_int_equal(leases_of_port(lab->leases, pool, "c1"), 4);
	assert_int_equal(dhcp_lab_counted(lab)->port_cap, 10000 - 4);
	dhcp_lab_bound(lab, &other, ip);
	/* A lease that moves there finds no room either. */
	other.port = "c1";
	other.type = DHCP_REQUEST;
	other.ciaddr = ip;
	dhcp_lab_expect(lab, &other, DHCP_NAK);
	assert_string_equal(dhcp_lab_lease(lab, ip)->port, "c2");
	/* Behind a trunk there are many. */
	for (uint8_t i = 10; i < 30; i++) {
		other = (struct dhcp_lab_ask){.mac = i, .port = "trunk", .is_shared = true};
		dhcp_lab_bound(lab, &other, ip);
	}
}

/* --- Malformed --- */

/* D20 and M10: every length of a message, and every option of a length that it cannot have. */
static void d20_malformed_messages_do_no_harm(void **state)
{
	struct dhcp_lab *lab = *state;
	static const uint8_t odd[] = {DHCP_OPT_HOST_NAME, DHCP_OPT_ADDRESS, DHCP_OPT_LEASE,
				      DHCP_OPT_OVERLOAD,  DHCP_OPT_SERVER,  DHCP_OPT_PARAMETERS,
				      DHCP_OPT_MAX_SIZE,  DHCP_OPT_VENDOR,  DHCP_OPT_CLIENT_ID,
				      DHCP_OPT_FQDN,	  DHCP_OPT_RELAY,   DHCP_OPT_ARCH};
	uint8_t more[600];

	for (unsigned type = DHCP_DISCOVER; type <= DHCP_INFORM; type++) {
		for (unsigned i = 0; i < sizeof(odd); i++) {
			for (unsigned n = 0; n <= 300; n = n < 8 ? n + 1 : n + 73) {
				struct dhcp_lab_ask a = {.type = (uint8_t)type, .mac = 1};
				unsigned first = n < 255 ? n : 255;

				memset(more, 0xe7, sizeof(more));
				more[0] = more[first + 2] = odd[i];
				more[1] = (uint8_t)first;
				more[first + 3] = (uint8_t)(n - first);
				a.more = more;
				a.n_more = n <= 255 ? n + 2 : n + 4;
				a.giaddr = n % 2 ? "10.0.10.9" : NULL;
				dhcp_lab_send(lab, LAB_OFFICE, &a);
			}
		}
	}
	assert_true(dhcp_lab_counted(lab)->malformed > 0);
	/* A REQUEST of nothing. */
	dhcp_lab_expect(lab, &(struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 1}, 0);
	dhcp_lab_expect(
		lab, &(struct dhcp_lab_ask){.type = DHCP_REQUEST, .mac = 1, .server = "10.0.10.1"},
		0);
}

static void m10_messages_of_any_length(void **state)
{
	struct dhcp_lab *lab = *state;
	uint8_t whole[DHCP_MAX_BYTES], *bytes;
	struct dhcp_writer w;
	struct dhcp_header h = {.op = DHCP_REQUEST_OP, .chaddr = dhcp_lab_mac(1)};
	struct dhcp_ask ask_of = {.src_mac = dhcp_lab_mac(1), .port = "c1"};

	dhcp_write_begin(&w, whole, sizeof(whole), &h, DHCP_DISCOVER);
	dhcp_write(&w, DHCP_OPT_HOST_NAME, "web", 3);
	dhcp_write_end(&w);
	for (size_t n = 0; n <= DHCP_MIN_BYTES; n++) {
		bytes = malloc(n ? n : 1);
		assert_non_null(bytes);
		memcpy(bytes, whole, n);
		ask_of.payload = bytes;
		ask_of.len = n;
		dhcp_lab_give(lab, LAB_OFFICE, &ask_of);
		free(bytes);
	}
	assert_int_equal(lab->said.type, DHCP_OFFER);
	ask_of.payload = whole;
	ask_of.len = DHCP_MIN_BYTES;
	whole[2] = 255; /* hlen */
	assert_false(dhcp_lab_give(lab, LAB_OFFICE, &ask_of));
	whole[2] = 6;
	whole[0] = DHCP_REPLY_OP;
	assert_false(dhcp_lab_give(lab, LAB_OFFICE, &ask_of));
	whole[0] = DHCP_REQUEST_OP;
	memset(whole + 28, 0xff, 6); /* chaddr is a group's */
	memset(&ask_of.src_mac, 0xff, 6);
	assert_false(dhcp_lab_give(lab, LAB_OFFICE, &ask_of));
}

/* Nobody's answer is a question: a server's messages are not taken. */
static void takes_what_clients_send(void **state)
{
	struct dhcp_lab *lab = *state;

	for (unsigned type = 0; type < 256; type++) {
		struct dhcp_lab_ask a = {.type = (uint8_t)type, .mac = 1, .src = "10.0.10.50"};

		dhcp_lab_send(lab, LAB_OFFICE, &a);
		assert_int_equal(lab->said.type, type == DHCP_DISCOVER ? DHCP_OFFER
						 : type == DHCP_INFORM ? DHCP_ACK
								       : 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(d16_other_networks_are_not_served),
		TEST(d17_who_lies_about_itself_is_ignored),
		TEST(d17_a_client_id_is_no_secret),
		TEST(d18_one_port_does_not_starve_the_others),
		TEST(d20_malformed_messages_do_no_harm),
		TEST(m10_messages_of_any_length),
		TEST(takes_what_clients_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
