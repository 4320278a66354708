/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_dhcp_client: hostile answers, at any time, and a hostile lease from before.
 *
 * Input: steps.  Each is a byte, what it does, and perhaps more: a length (little-endian, two bytes) and as many bytes.
 *
 *    0  time passes until the client is due          1 s  ... or for s seconds (two bytes)
 *    2 n  those n bytes arrive                       3 n  ... with the client's xid, MAC, op and cookie written over theirs
 *    4  somebody else has the address                5  the link is back
 *    6  the address is released                      7 n  it starts again; the n bytes are a lease from before
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/client.h"
#include "switch/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 8, XID_AT = 4, MAC_AT = 28, START_MS = 1000000 };

static const struct mac our_mac = {{2, 0, 0, 0, 0, 1}};

struct input {
	const uint8_t *bytes;
	size_t n;
};

static uint16_t take_u16(struct input *in)
{
	uint16_t v = 0;

	if (in->n >= 2) {
		v = (uint16_t)(in->bytes[0] | in->bytes[1] << 8);
		in->bytes += 2;
		in->n -= 2;
	} else {
		in->n = 0;
	}
	return v;
}

static struct input take_bytes(struct input *in)
{
	struct input out = {.n = take_u16(in)};

	if (out.n > in->n)
		out.n = in->n;
	out.bytes = in->bytes;
	in->bytes += out.n;
	in->n -= out.n;
	return out;
}

static void write_over(uint8_t *p, size_t n, const struct dhcp_client *c)
{
	static const uint8_t cookie[] = {99, 130, 83, 99};

	if (n < DHCP_OPTIONS_AT)
		return;
	memcpy(p, "\2\1\6", 3);
	for (unsigned i = 0; i < 4; i++)
		p[XID_AT + i] = (uint8_t)(c->xid >> (24 - 8 * i));
	memcpy(p + MAC_AT, our_mac.b, 6);
	memcpy(p + DHCP_FIXED_BYTES, cookie, sizeof(cookie));
}

static void receive(struct dhcp_client *c, struct input in, bool is_for_us, uint64_t now_ms,
		    struct dhcp_out *out)
{
	/* Of the exact size, so that a sanitizer sees the first byte beyond. */
	uint8_t *exact = malloc(in.n ? in.n : 1);
	const struct dhcp_in arrived = {exact, in.n, {{2, 0, 0, 0, 0, 9}}};

	assert(exact);
	memcpy(exact, in.bytes, in.n);
	if (is_for_us)
		write_over(exact, in.n, c);
	dhcp_client_receive(c, &arrived, now_ms, out);
	free(exact);
}

static void start(struct dhcp_client *c, struct input in, uint64_t now_ms)
{
	struct dhcp_lease lease;

	memset(&lease, 0, sizeof(lease));
	memcpy(&lease, in.bytes, in.n < sizeof(lease) ? in.n : sizeof(lease));
	dhcp_client_init(c, "fuzz", &our_mac, in.n ? &lease : NULL, now_ms, now_ms);
}

static void check(const struct dhcp_client *c, const struct dhcp_out *out, uint64_t now_ms)
{
	const struct dhcp_lease *l = &c->lease;
	uint8_t frame[DHCP_FRAME_MAX];
	struct dhcp_message m;

	assert(c->state <= DHCP_STOPPED);
	assert((c->state == DHCP_STOPPED) <= (c->due_ms == UINT64_MAX));
	if (c->has_address) {
		assert(l->address.is_set && ip_is_v4(&l->address.ip) && l->address.len <= 32);
		assert(dhcp_ip_is_unicast(&l->address.ip) && dhcp_ip_is_unicast(&l->server));
		assert(l->n_dns <= DHCP_DNS_MAX && memchr(l->domain, 0, sizeof(l->domain)));
		assert(l->renew_ms <= l->rebind_ms && l->rebind_ms <= l->end_ms);
		assert(c->due_ms <= l->end_ms || c->is_known);
	} else {
		assert(c->state != DHCP_BOUND && c->state != DHCP_RENEWING &&
		       c->state != DHCP_REBINDING && c->state != DHCP_REBOOTING);
	}
	assert(out->event != DHCP_EVENT_LOST || !c->has_address);
	if (out->len == 0)
		return;
	assert(dhcp_read(&m, out->payload, out->len) && m.h.op == DHCP_REQUEST_OP);
	assert(dhcp_client_frame(c, out, frame) == 42u + out->len);
	/* Never a storm: after a message it waits. */
	assert(c->due_ms > now_ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct dhcp_out out = {0};
	uint64_t now_ms = START_MS;
	struct dhcp_client c;

	log_init("fuzz", LOG_LEVEL_ERR);
	start(&c, (struct input){data, 0}, now_ms);
	while (in.n > 0) {
		unsigned step = *in.bytes++ % STEPS;

		in.n--;
		memset(&out, 0, sizeof(out));
		if (step == 0 && c.due_ms != UINT64_MAX && c.due_ms > now_ms)
			now_ms = c.due_ms;
		else if (step == 1)
			now_ms += take_u16(&in) * UINT64_C(1000);
		if (step <= 1)
			dhcp_client_tick(&c, now_ms, &out);
		else if (step <= 3)
			receive(&c, take_bytes(&in), step == 3, now_ms, &out);
		else if (step == 4)
			dhcp_client_conflict(&c, now_ms, &out);
		else if (step == 5)
			dhcp_client_link(&c, now_ms, &out);
		else if (step == 6)
			dhcp_client_release(&c, now_ms, &out);
		else
			start(&c, take_bytes(&in), now_ms);
		check(&c, &out, now_ms);
	}
	return 0;
}
