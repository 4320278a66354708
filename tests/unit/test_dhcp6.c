/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DHCPv6 server: each message and its answer, whose a lease is (D03, D07, D17), reservations, the cap of a port (D18). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "switch/base/packet.h"
#include "tests/lib/dhcp6_lab.h"

/* --- The way of a lease ---------------------------------------------------------------------------- */

static void test_exchange(void **state)
{
	static const uint8_t search[] = "\3lab\4vfab";
	static const uint8_t ntp[4] = {0, 1, 0, 16};
	struct six_lab *l = *state;
	struct six_option o;
	struct ip ip;

	six_begin(l, DHCP6_SOLICIT);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	six_add_asked(l);
	six_ask(l);
	six_assert_answer(l, DHCP6_ADVERTISE);
	ip = six_got(l, 0);
	assert_true(prefix_holds(&l->net.v6, &ip));
	o = six_find(l, DHCP6_OPT_DNS, 0);
	assert_int_equal(o.n, 16);
	assert_memory_equal(o.b, &l->net.dns6[0], 16);
	o = six_find(l, DHCP6_OPT_SEARCH, 0);
	assert_int_equal(o.n, sizeof(search));
	assert_memory_equal(o.b, search, sizeof(search));
	o = six_find(l, DHCP6_OPT_NTP, 0);
	assert_int_equal(o.n, 20);
	assert_memory_equal(o.b, ntp, 4);
	assert_memory_equal(o.b + 4, &l->net.ntp6[0], 16);
	assert_int_equal(six_at(l, &ip)->state, LEASE_OFFERED);
	six_begin(l, DHCP6_REQUEST);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
	six_ask(l);
	six_assert_answer(l, DHCP6_REPLY);
	assert_null(six_find(l, DHCP6_OPT_DNS, 0).b); /* not asked for */
	assert_int_equal(six_at(l, &ip)->state, LEASE_BOUND);
	assert_int_equal(six_at(l, &ip)->end_ms, l->now_ms + LEASE_S * 1000);
	assert_string_equal(six_at(l, &ip)->port, "vm1");
	assert_memory_equal(&six_at(l, &ip)->mac, &l->ask.src_mac, 6);
	/* Renewed. */
	l->now_ms += 1800000;
	six_begin(l, DHCP6_RENEW);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
	six_ask(l);
	six_assert_answer(l, DHCP6_REPLY);
	assert_memory_equal(&(struct ip[]){six_got(l, 0)}[0], &ip, 16);
	assert_int_equal(six_at(l, &ip)->end_ms, l->now_ms + LEASE_S * 1000);
	six_begin(l, DHCP6_REBIND);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
	six_ask(l);
	six_assert_answer(l, DHCP6_REPLY);
	six_got(l, 0);
	/* Given back, and the same again. */
	six_begin(l, DHCP6_RELEASE);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
	six_ask(l);
	six_assert_answer(l, DHCP6_REPLY);
	assert_int_equal(six_status(l), DHCP6_SUCCESS);
	assert_int_equal(six_at(l, &ip)->state, LEASE_PAST);
	assert_memory_equal(&(struct ip[]){six_lease(l, 1)}[0], &ip, 16);
	assert_int_equal(six_count(l)->solicit, 2);
	assert_int_equal(six_count(l)->advertise, 2);
	assert_int_equal(six_count(l)->reply, 5);
}

/* RFC 8415 18.3.1: rapid commit, where the client asks for it. */
static void test_rapid_commit(void **state)
{
	struct six_lab *l = *state;
	struct ip ip;

	six_begin(l, DHCP6_SOLICIT);
	dhcp6_write(&l->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	six_ask(l);
	six_assert_answer(l, DHCP6_REPLY);
	assert_non_null(six_find(l, DHCP6_OPT_RAPID_COMMIT, 0).b);
	ip = six_got(l, 0);
	assert_int_equal(six_at(l, &ip)->state, LEASE_BOUND);
	/* With nothing to commit it is an offer like others. */
	six_begin(l, DHCP6_SOLICIT);
	dhcp6_write(&l->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	six_add_ia(l, DHCP6_OPT_IA_PD, 1, NULL);
	six_ask(l);
	six_assert_answer(l, DHCP6_ADVERTISE);
	assert_null(six_find(l, DHCP6_OPT_RAPID_COMMIT, 0).b);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_PD, 0), DHCP6_NO_PREFIX_AVAIL);
}

/* Several associations: each its own address, in each message. */
static void test_many(void **state)
{
	struct six_lab *l = *state;
	struct ip ip[DHCP6_IAS];

	six_begin(l, DHCP6_SOLICIT);
	for (uint8_t i = 0; i < DHCP6_IAS; i++)
		six_add_ia(l, DHCP6_OPT_IA_NA, i, NULL);
	dhcp6_write(&l->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	six_add_asked(l);
	six_ask(l);
	six_assert_answer(l, DHCP6_REPLY);
	for (unsigned i = 0; i < DHCP6_IAS; i++) {
		ip[i] = six_got(l, i);
		for (unsigned k = 0; k < i; k++)
			assert_memory_not_equal(&ip[i], &ip[k], 16);
	}
	six_begin(l, DHCP6_RELEASE);
	for (uint8_t i = 0; i < 3; i++)
		six_add_ia(l, DHCP6_OPT_IA_NA, i, &ip[i]);
	six_add_ia(l, DHCP6_OPT_IA_NA, 99, &ip[7]);
	six_ask(l);
	assert_int_equal(six_status(l), DHCP6_SUCCESS);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_NA, 0), DHCP6_NO_BINDING);
	assert_null(six_find(l, DHCP6_OPT_IA_NA, 1).b);
	assert_int_equal(six_at(l, &ip[2])->state, LEASE_PAST);
	assert_int_equal(six_at(l, &ip[7])->state, LEASE_BOUND);
	/* One more than is read. */
	six_begin(l, DHCP6_SOLICIT);
	for (uint8_t i = 0; i <= DHCP6_IAS; i++)
		six_add_ia(l, DHCP6_OPT_IA_NA, i, NULL);
	assert_int_equal(six_ask(l), 0);
	assert_int_equal(six_count(l)->malformed, 1);
}

/* RFC 8415 18.3.2 to 18.3.5: what is not known, and what is not of this network. */
static void test_not_his(void **state)
{
	struct six_lab *l = *state;
	struct ip here = six_ip("fd00:a::1234"), there = six_ip("fd00:b::1"), ip, mine;

	six_begin(l, DHCP6_RENEW);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &here);
	six_add_ia(l, DHCP6_OPT_IA_PD, 2, NULL);
	six_ask(l);
	six_assert_answer(l, DHCP6_REPLY);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_NA, 0), DHCP6_NO_BINDING);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_PD, 0), DHCP6_NO_BINDING);
	six_begin(l, DHCP6_REBIND);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &here);
	six_add_ia(l, DHCP6_OPT_IA_NA, 2, &there);
	six_ask(l);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_NA, 0), DHCP6_NO_BINDING);
	assert_int_equal(six_address(l, 1, 0, &ip), 0);
	assert_memory_equal(&ip, &there, 16);
	six_begin(l, DHCP6_REQUEST);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &there);
	six_ask(l);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_NA, 0), DHCP6_NOT_ON_LINK);
	six_begin(l, DHCP6_CONFIRM);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &here);
	six_ask(l);
	assert_int_equal(six_status(l), DHCP6_SUCCESS);
	six_begin(l, DHCP6_CONFIRM);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &here);
	six_add_ia(l, DHCP6_OPT_IA_NA, 2, &there);
	six_ask(l);
	assert_int_equal(six_status(l), DHCP6_NOT_ON_LINK);
	six_begin(l, DHCP6_CONFIRM);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	assert_int_equal(six_ask(l), 0);
	/* His, and another that he has not got. */
	mine = six_lease(l, 1);
	six_begin(l, DHCP6_RENEW);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &there);
	six_ask(l);
	assert_memory_equal(&(struct ip[]){six_got(l, 0)}[0], &mine, 16);
	assert_int_equal(six_address(l, 0, 1, &ip), 0);
	assert_memory_equal(&ip, &there, 16);
	/* An address that is not his is not given back. */
	six_begin(l, DHCP6_RELEASE);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &here);
	six_ask(l);
	assert_int_equal(six_at(l, &mine)->state, LEASE_BOUND);
	six_begin(l, DHCP6_DECLINE);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &mine);
	six_ask(l);
	assert_int_equal(six_status(l), DHCP6_SUCCESS);
	assert_int_equal(six_at(l, &mine)->state, LEASE_DECLINED);
	assert_memory_not_equal(&(struct ip[]){six_lease(l, 1)}[0], &mine, 16);
}

/* --- Whose is it ----------------------------------------------------------------------------------- */

/* D07, D17: what another port or MAC says of a lease is not heard. */
static void test_spoofed(void **state)
{
	static const uint8_t ends[] = {DHCP6_RELEASE, DHCP6_DECLINE};
	struct six_lab *l = *state;
	struct ip ip = six_lease(l, 1);

	for (unsigned i = 0; i < 2; i++) {
		l->ask.port = "vm2";
		six_begin(l, ends[i]);
		six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
		assert_int_equal(six_ask(l), 0);
		l->ask.port = "vm1";
		l->ask.src_mac.b[5] = 6;
		six_begin(l, ends[i]);
		six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
		assert_int_equal(six_ask(l), 0);
		l->ask.src_mac.b[5] = 5;
	}
	assert_int_equal(six_count(l)->spoofed, 4);
	assert_int_equal(six_at(l, &ip)->state, LEASE_BOUND);
	/* Tied to its port: nobody else even renews it, nor gets anything beside it. */
	l->is_tied = true;
	l->ask.port = "vm2";
	for (uint8_t type = DHCP6_SOLICIT; type <= DHCP6_REBIND; type++) {
		if (type == DHCP6_ADVERTISE || type == DHCP6_CONFIRM)
			continue;
		six_begin(l, type);
		six_add_ia(l, DHCP6_OPT_IA_NA, 2, NULL);
		six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
		assert_int_equal(six_ask(l), 0);
	}
	assert_int_equal(six_count(l)->spoofed, 8);
	assert_string_equal(six_at(l, &ip)->port, "vm1");
	/* Not tied: the guest was moved. */
	l->is_tied = false;
	six_begin(l, DHCP6_RENEW);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
	six_ask(l);
	assert_memory_equal(&(struct ip[]){six_got(l, 0)}[0], &ip, 16);
	assert_string_equal(six_at(l, &ip)->port, "vm2");
}

/* D17: who has heard a DUID gets nothing by it while its owner is there, not even by a reservation of its port. */
static void test_duid_is_no_secret(void **state)
{
	struct six_lab *l = *state;
	struct ip ip, vm = six_ip("fd00:a::82");

	strcpy(l->reservation[0].port, "vm3");
	l->reservation[0].ip6 = vm;
	l->net.n_reservations = 1;
	six_apply(l, "fd00:a::1000", "fd00:a::1fff", 0);
	ip = six_lease(l, 1);
	l->ask.src_mac.b[5] = 6;
	for (unsigned i = 0; i < 2; i++) {
		l->ask.port = i ? "vm3" : "vm2";
		for (uint8_t type = DHCP6_SOLICIT; type <= DHCP6_REBIND; type++) {
			if (type == DHCP6_ADVERTISE || type == DHCP6_REPLY)
				continue;
			six_begin(l, type);
			six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
			assert_int_equal(six_ask(l), 0);
		}
		assert_int_equal(six_count(l)->spoofed, 5 * (i + 1));
		assert_int_equal(six_at(l, &ip)->state, LEASE_BOUND);
		assert_string_equal(six_at(l, &ip)->port, "vm1");
		assert_memory_equal(six_at(l, &ip)->mac.b, "\2\0\0\0\0\5", 6);
	}
	/* Another card of the same machine, when the port is gone. */
	l->is_gone = true;
	l->ask.port = "vm2";
	six_begin(l, DHCP6_RENEW);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
	six_ask(l);
	assert_memory_equal(&(struct ip[]){six_got(l, 0)}[0], &ip, 16);
	assert_string_equal(six_at(l, &ip)->port, "vm2");
}

/* RFC 8415 16 and 18.4: what a message must and must not have. */
static void test_rules(void **state)
{
	static const uint8_t other[] = {0, 3, 0, 1, 2, 2, 2, 2, 2, 2};
	struct six_lab *l = *state;
	struct ip ip = six_lease(l, 1), offered;
	unsigned malformed = 0;

	for (unsigned type = 0; type < 256; type++) {
		bool needs_server = type == DHCP6_REQUEST || type == DHCP6_RENEW ||
				    type == DHCP6_RELEASE || type == DHCP6_DECLINE;
		static const uint8_t xid[3];

		/* Without a client identifier. */
		dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), (uint8_t)type, xid);
		if (needs_server)
			dhcp6_write(&l->w, DHCP6_OPT_SERVER_ID, six_our_duid, SIX_OURS);
		assert_int_equal(six_ask(l) > 0, type == DHCP6_INFORMATION);
		/* With a server's where there must be none, and the other way round. */
		dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), (uint8_t)type, xid);
		dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, six_his_duid, sizeof(six_his_duid));
		if (!needs_server)
			dhcp6_write(&l->w, DHCP6_OPT_SERVER_ID, six_our_duid, SIX_OURS);
		assert_int_equal(six_ask(l) > 0, type == DHCP6_INFORMATION);
		malformed += type == DHCP6_INFORMATION ? 0 : 2;
		assert_int_equal(six_count(l)->malformed, malformed);
		/* Another server's. */
		dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), (uint8_t)type, xid);
		dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, six_his_duid, sizeof(six_his_duid));
		dhcp6_write(&l->w, DHCP6_OPT_SERVER_ID, other, sizeof(other));
		assert_int_equal(six_ask(l), 0);
		malformed += !needs_server && type != DHCP6_INFORMATION;
		assert_int_equal(six_count(l)->malformed, malformed);
		/* By unicast. */
		six_begin(l, (uint8_t)type);
		six_add_ia(l, DHCP6_OPT_IA_NA, 1, &ip);
		l->ask.dst = six_ip("fe80::1");
		assert_int_equal(six_ask(l) > 0, needs_server);
		if (needs_server)
			assert_int_equal(six_status(l), DHCP6_USE_MULTICAST);
		l->ask.dst = six_ip("ff02::1:2");
		malformed += !needs_server;
	}
	assert_int_equal(six_at(l, &ip)->state, LEASE_BOUND);
	assert_int_equal(six_count(l)->other_server, 5);
	/* INFORMATION-REQUEST with an association. */
	six_begin(l, DHCP6_INFORMATION);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	assert_int_equal(six_ask(l), 0);
	/* Not from a link-local address. */
	l->ask.src = six_ip("fd00:a::1000");
	six_begin(l, DHCP6_SOLICIT);
	assert_int_equal(six_ask(l), 0);
	l->ask.src = six_ip("fe80::5");
	/* He took another one's offer: ours is free (D03). */
	six_begin(l, DHCP6_SOLICIT);
	six_add_ia(l, DHCP6_OPT_IA_NA, 2, NULL);
	six_ask(l);
	offered = six_got(l, 0);
	dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), DHCP6_REQUEST, l->bytes + 1);
	dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, six_his_duid, sizeof(six_his_duid));
	dhcp6_write(&l->w, DHCP6_OPT_SERVER_ID, other, sizeof(other));
	six_add_ia(l, DHCP6_OPT_IA_NA, 2, &offered);
	assert_int_equal(six_ask(l), 0);
	assert_null(six_at(l, &offered));
}

/* --- Reservations, modes, limits ------------------------------------------------------------------- */

static void test_reserved(void **state)
{
	struct six_lab *l = *state;
	struct ip web = six_ip("fd00:a::80"), db = six_ip("fd00:a::81"), vm = six_ip("fd00:a::82");
	uint8_t other[sizeof(six_his_duid)];
	struct ip ip;

	l->reservation[0].mac = l->ask.src_mac;
	l->reservation[0].ip6 = web;
	l->reservation[1].id_len = sizeof(six_his_duid);
	memcpy(l->reservation[1].id, six_his_duid, sizeof(six_his_duid));
	l->reservation[1].id[3] = 7;
	l->reservation[1].ip6 = db;
	strcpy(l->reservation[2].port, "vm3");
	l->reservation[2].ip6 = vm;
	l->net.n_reservations = 3;
	six_apply(l, "fd00:a::80", "fd00:a::8f", 0);
	/* By MAC; the second association gets something else. */
	ip = six_lease(l, 1);
	assert_memory_equal(&ip, &web, 16);
	ip = six_lease(l, 2);
	/* Another IAID, and the old one is not in use any more: the machine is the same, so it moves. */
	assert_memory_equal(&ip, &web, 16);
	six_begin(l, DHCP6_SOLICIT);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	six_add_ia(l, DHCP6_OPT_IA_NA, 2, NULL);
	six_ask(l);
	ip = six_got(l, 1);
	assert_memory_equal(&ip, &web, 16);
	ip = six_got(l, 0);
	assert_memory_not_equal(&ip, &web, 16);
	assert_memory_not_equal(&ip, &db, 16);
	/* Firmware with another DUID had it: the system gets it. */
	memcpy(other, six_his_duid, sizeof(other));
	other[13] = 99;
	dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), DHCP6_SOLICIT, other);
	dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, other, sizeof(other));
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	assert_true(six_ask(l) > 0);
	ip = six_got(l, 0);
	assert_memory_equal(&ip, &web, 16);
	/* By DUID, from any card. */
	other[13] = six_his_duid[13];
	other[3] = 7;
	l->ask.src_mac.b[5] = 77;
	dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), DHCP6_SOLICIT, other);
	dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, other, sizeof(other));
	dhcp6_write(&l->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	assert_true(six_ask(l) > 0);
	ip = six_got(l, 0);
	assert_memory_equal(&ip, &db, 16);
	/* Who says that DUID with another card and port does not get it away from him. */
	l->ask.src_mac.b[5] = 78;
	l->ask.port = "vm2";
	dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), DHCP6_SOLICIT, other);
	dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, other, sizeof(other));
	six_add_ia(l, DHCP6_OPT_IA_NA, 9, NULL);
	assert_true(six_ask(l) > 0);
	ip = six_got(l, 0);
	assert_memory_not_equal(&ip, &db, 16);
	assert_int_equal(six_at(l, &db)->mac.b[5], 77);
	/* By port. */
	l->ask.port = "vm3";
	other[3] = 8;
	dhcp6_write_begin(&l->w, l->bytes, sizeof(l->bytes), DHCP6_SOLICIT, other);
	dhcp6_write(&l->w, DHCP6_OPT_CLIENT_ID, other, sizeof(other));
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	assert_true(six_ask(l) > 0);
	ip = six_got(l, 0);
	assert_memory_equal(&ip, &vm, 16);
}

/* An address that became somebody else's by a reservation: the renewal says that it is over. */
static void test_reserved_since(void **state)
{
	struct six_lab *l = *state;
	struct ip old = six_lease(l, 1), ip;

	l->reservation[0].ip6 = old;
	strcpy(l->reservation[0].port, "vm9");
	l->net.n_reservations = 1;
	six_apply(l, "fd00:a::1000", "fd00:a::1fff", 0);
	six_begin(l, DHCP6_RENEW);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, &old);
	six_ask(l);
	ip = six_got(l, 0);
	assert_memory_not_equal(&ip, &old, 16);
	assert_int_equal(six_address(l, 0, 1, &ip), 0);
	assert_memory_equal(&ip, &old, 16);
}

/* One that came later moves its client when that starts again; while somebody else has it there is another one. */
static void test_reserved_later(void **state)
{
	struct six_lab *l = *state;
	struct ip mine = six_lease(l, 1), web = six_ip("fd00:a::80"), ip;
	static const uint8_t renewals[] = {DHCP6_RENEW, DHCP6_REBIND, DHCP6_REQUEST};

	l->reservation[0].ip6 = web;
	l->reservation[0].mac = l->ask.src_mac;
	l->net.n_reservations = 1;
	six_apply(l, "fd00:a::1000", "fd00:a::1fff", 0);
	for (unsigned i = 0; i < sizeof(renewals); i++) {
		six_begin(l, renewals[i]);
		six_add_ia(l, DHCP6_OPT_IA_NA, 1, &mine);
		six_ask(l);
		assert_memory_equal(&(struct ip[]){six_got(l, 0)}[0], &mine, 16);
		assert_null(six_at(l, &web));
	}
	assert_memory_equal(&(struct ip[]){six_lease(l, 1)}[0], &web, 16);
	/* Another's, that is in use: its client gets a different one meanwhile. */
	l->ask.src_mac.b[5] = 6;
	l->ask.port = "vm2";
	l->reservation[0].mac = l->ask.src_mac;
	six_apply(l, "fd00:a::1000", "fd00:a::1fff", 0);
	ip = six_lease(l, 2);
	assert_memory_not_equal(&ip, &web, 16);
	assert_int_equal(six_count(l)->none_free, 0);
	assert_string_equal(six_at(l, &web)->port, "vm1");
	six_begin(l, DHCP6_RENEW);
	six_add_ia(l, DHCP6_OPT_IA_NA, 2, &ip);
	six_ask(l);
	assert_memory_equal(&(struct ip[]){six_got(l, 0)}[0], &ip, 16);
	leases_decline(l->leases, six_at(l, &web), l->now_ms);
	ip = six_lease(l, 3);
	assert_memory_not_equal(&ip, &web, 16);
	/* Free. */
	l->now_ms += LEASE_QUARANTINE_MS;
	leases_tick(l->leases, l->now_ms, 10);
	assert_memory_equal(&(struct ip[]){six_lease(l, 3)}[0], &web, 16);
}

static void test_modes(void **state)
{
	struct six_lab *l = *state;

	l->made->v6_mode = DHCP6_STATELESS;
	l->made->pool6 = NULL;
	six_begin(l, DHCP6_INFORMATION);
	six_add_asked(l);
	six_ask(l);
	six_assert_answer(l, DHCP6_REPLY);
	assert_non_null(six_find(l, DHCP6_OPT_DNS, 0).b);
	six_begin(l, DHCP6_SOLICIT);
	dhcp6_write(&l->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	six_ask(l);
	six_assert_answer(l, DHCP6_ADVERTISE);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_NA, 0), DHCP6_NO_ADDRS_AVAIL);
	six_begin(l, DHCP6_RENEW);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	six_ask(l);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_NA, 0), DHCP6_NO_BINDING);
	l->made->v6_mode = DHCP6_OFF;
	six_begin(l, DHCP6_INFORMATION);
	assert_int_equal(six_ask(l), 0);
	/* For ever. */
	l->net.lease_s = UINT32_MAX;
	six_apply(l, "fd00:a::1000", "fd00:a::1fff", 0);
	six_begin(l, DHCP6_SOLICIT);
	dhcp6_write(&l->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
	six_ask(l);
	assert_int_equal(read_be32(six_find(l, DHCP6_OPT_IA_NA, 0).b + 4), UINT32_MAX);
	assert_int_equal(six_address(l, 0, 0, &l->ask.dst), UINT32_MAX);
	assert_true(six_at(l, &l->ask.dst)->end_ms == UINT64_MAX);
}

/* D18: one port with many identities. */
static void test_cap(void **state)
{
	struct six_lab *l = *state;

	six_apply(l, "fd00:a::1000", "fd00:a::1003", 2);
	for (uint8_t iaid = 0; iaid < 5; iaid++) {
		six_begin(l, DHCP6_SOLICIT);
		dhcp6_write(&l->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
		six_add_ia(l, DHCP6_OPT_IA_NA, iaid, NULL);
		six_ask(l);
		six_assert_answer(l, iaid < 2 ? DHCP6_REPLY : DHCP6_ADVERTISE);
	}
	assert_int_equal(six_count(l)->port_cap, 3);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_NA, 0), DHCP6_NO_ADDRS_AVAIL);
	l->ask.port = "vm2";
	six_begin(l, DHCP6_SOLICIT);
	for (uint8_t iaid = 10; iaid < 13; iaid++)
		six_add_ia(l, DHCP6_OPT_IA_NA, iaid, NULL);
	six_ask(l);
	six_got(l, 1);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_NA, 2), DHCP6_NO_ADDRS_AVAIL);
	/* An uplink has many clients; here none is free. */
	l->ask.is_shared = true;
	l->ask.port = "up";
	six_begin(l, DHCP6_SOLICIT);
	six_add_ia(l, DHCP6_OPT_IA_NA, 20, NULL);
	six_ask(l);
	assert_int_equal(six_ia_status(l, DHCP6_OPT_IA_NA, 0), DHCP6_NO_ADDRS_AVAIL);
	assert_int_equal(six_count(l)->none_free, 1);
}

static void test_name(void **state)
{
	static const struct {
		uint8_t n;
		const char *option, *name;
	} table[] = {
		{6, "\0\4Web1", "web1"}, {14, "\0\3web\7example\0", "web"},
		{1, "\0", ""},		 {2, "\0\0", ""},
		{6, "\0\5Web1", ""},   /* past the end */
		{4, "\0\300\1\1", ""}, /* a pointer */
		{6, "\0\4-!_\n", ""},
	};
	struct six_lab *l = *state;

	for (unsigned i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct ip ip;

		six_begin(l, DHCP6_SOLICIT);
		six_add_ia(l, DHCP6_OPT_IA_NA, 1, NULL);
		dhcp6_write(&l->w, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
		dhcp6_write(&l->w, DHCP6_OPT_FQDN, table[i].option, table[i].n);
		six_ask(l);
		ip = six_got(l, 0);
		assert_string_equal(six_at(l, &ip)->name, table[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_exchange, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_rapid_commit, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_many, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_not_his, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_spoofed, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_duid_is_no_secret, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_rules, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_reserved, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_reserved_since, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_reserved_later, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_modes, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_cap, six_setup, six_teardown),
		cmocka_unit_test_setup_teardown(test_name, six_setup, six_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
