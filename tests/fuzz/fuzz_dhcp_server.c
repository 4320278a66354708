/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_dhcp_server: hostile clients and relays, in any order, at any time (F04).
 *
 * Input: steps.  Each is a byte, what it does, and more:
 *
 *    0 s  time passes: two bytes, seconds           1 f c n  a message of n bytes (two bytes) as it is, from client c
 *    2 f c n  ... with BOOTP's fields written over: a message of client c; where f has its bit 4, about the address that
 *             was last answered, by option 50, and in ciaddr with bit 5
 *    3 a m  an ARP answer for that address (its last byte a) from MAC m         4 f  the next port is tied, or none is
 *
 * f: bits 0-1 the network that it comes by, 2-3 the port, 4-5 above, 6 a trunk, 7 through a relay.  c: the last byte of a MAC.
 * tests/lib/dhcp_lab.c checks each answer, and that no address has two owners; two servers with different bytes in
 * their memory must answer the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/dhcp_lab.h"
#include "tests/lib/fuzz_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 5, CIADDR_AT = 12, GIADDR_AT = 24, MAC_AT = 28 };

/* The fields that every message has; *n grows by an option 50. */
static void write_over(uint8_t *p, size_t *n, uint8_t how, struct mac mac, const struct ip *last)
{
	static const uint8_t cookie[] = {99, 130, 83, 99}, relay[] = {10, 0, 20, 9};

	if (*n < DHCP_OPTIONS_AT)
		return;
	memcpy(p, "\1\1\6", 3);
	memcpy(p + MAC_AT, mac.b, sizeof(mac.b));
	memcpy(p + DHCP_FIXED_BYTES, cookie, sizeof(cookie));
	memset(p + CIADDR_AT, 0, GIADDR_AT + 4 - CIADDR_AT);
	if (how & 0x80)
		memcpy(p + GIADDR_AT, relay, sizeof(relay));
	if (how & 0x20)
		memcpy(p + CIADDR_AT, last->b + 12, 4);
	if (!(how & 0x10))
		return;
	memmove(p + DHCP_OPTIONS_AT + 6, p + DHCP_OPTIONS_AT, *n - DHCP_OPTIONS_AT);
	p[DHCP_OPTIONS_AT] = DHCP_OPT_ADDRESS;
	p[DHCP_OPTIONS_AT + 1] = 4;
	memcpy(p + DHCP_OPTIONS_AT + 2, last->b + 12, 4);
	*n += 6;
}

static const char *port_of(uint8_t how)
{
	static const char *const ports[] = {"c1", "c2", "c9", ""};

	return ports[how >> 2 & 3];
}

static void receive(struct dhcp_lab *lab, struct input *in, bool is_whole, struct ip *last)
{
	uint8_t how = take_u8(in), client = take_u8(in);
	struct input bytes = take_bytes(in);
	uint8_t *room = malloc(bytes.n + 6), *exact;
	struct dhcp_ask ask = {
		.src_mac = dhcp_lab_mac(client),
		.src = is_whole && how & 0x80 ? dhcp_lab_ip("10.0.10.9") : *last,
		.dst = lab->net[how % LAB_NETS]->v4.ip,
		.port = port_of(how),
		.is_shared = how & 0x40,
	};
	size_t n = bytes.n;

	assert(room);
	memcpy(room, bytes.bytes, n);
	if (is_whole)
		write_over(room, &n, how, ask.src_mac, last);
	/* Of the exact size, so that a sanitizer sees the first byte beyond. */
	exact = malloc(n ? n : 1);
	assert(exact);
	memcpy(exact, room, n);
	free(room);
	ask.payload = exact;
	ask.len = n;
	if (dhcp_lab_give(lab, (enum dhcp_lab_net)(how % LAB_NETS), &ask) &&
	    lab->said.type != DHCP_NAK)
		*last = lab->said.h.yiaddr;
	free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct dhcp_lab *lab = dhcp_lab_create();
	struct ip last = dhcp_lab_ip("10.0.10.100");

	while (in.n > 0) {
		unsigned step = take_u8(&in) % STEPS;

		if (step == 0) {
			dhcp_lab_pass(lab, take_u16(&in) * UINT64_C(1000));
		} else if (step <= 2) {
			receive(lab, &in, step == 2, &last);
		} else if (step == 3) {
			struct ip ip = last;
			uint8_t byte = take_u8(&in);
			struct mac mac = dhcp_lab_mac(take_u8(&in));

			if (byte)
				ip.b[15] = byte;
			dhcp_lab_conflict(lab, LAB_OFFICE, &ip, &mac);
		} else {
			uint8_t how = take_u8(&in);

			lab->tied = lab->twin->tied = how & 1 ? port_of(how) : NULL;
			lab->gone = lab->twin->gone = how & 2 ? port_of(how) : NULL;
		}
	}
	dhcp_lab_destroy(lab);
	return 0;
}
