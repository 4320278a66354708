/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp_lab: networks with a DHCPv4 server (dhcp_lab.h). */
#include "tests/lib/dhcp_lab.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	START_MS = 1000000,
	SNAME_AT = 44,
	FILE_AT = 108,
	STACK_BYTES = 32768,
};

struct ip dhcp_lab_ip(const char *text)
{
	struct ip ip;
	bool is_good = ip_parse(text, &ip);

	assert(is_good);
	return ip;
}

struct mac dhcp_lab_mac(uint8_t last)
{
	return (struct mac){{2, 0, 0, 0, 0, last}};
}

/* --- The networks --- */

static struct dhcp_opt opt(uint8_t code, const char *bytes, uint8_t n)
{
	struct dhcp_opt o = {.code = code, .len = n};

	memcpy(o.bytes, bytes, n);
	return o;
}

static struct prefix net_of(const char *text)
{
	struct prefix p;
	bool is_good = prefix_parse(text, &p);

	assert(is_good);
	return p;
}

static void add(struct dhcp_lab *lab, enum dhcp_lab_net i, struct dhcp_net *n, uint8_t last,
		uint32_t cap)
{
	struct lease_range r = {.port_cap = cap, .net = n->v4, .is_taken = dhcp_net_is_taken};
	struct dhcp_net *net;

	n->mac = (struct mac){{2, 0x76, 0x66, 0, 0, (uint8_t)n->vid}};
	n->lease_s = 3600;
	net = dhcp_net_create(n);
	assert(net);
	memcpy(r.network, n->name, sizeof(r.network));
	r.first = r.last = n->v4.ip;
	r.first.b[15] = 100;
	r.last.b[15] = last;
	r.arg = net;
	if (n->serves_v4)
		net->pool4 = leases_pool_apply(lab->leases, &r, lab->now_ms);
	assert(!n->serves_v4 || net->pool4);
	lab->net[i] = net;
}

static void add_office(struct dhcp_lab *lab)
{
	struct dhcp_opt of_net[] = {
		opt(42, "\12\0\12\1", 4),			/* NTP */
		opt(DHCP_OPT_ROUTES, "\20\12\11\12\0\12\7", 7), /* 10.9.0.0/16 by 10.0.10.7 */
		opt(DHCP_OPT_TFTP_SERVERS, "\12\0\12\11", 4),
	};
	struct dhcp_opt of_bios[] = {
		opt(DHCP_OPT_TFTP_SERVER, "10.0.10.5", 9),
		opt(DHCP_OPT_BOOT_FILE, "pxelinux.0", 10),
	};
	struct dhcp_opt of_efi[] = {
		opt(DHCP_OPT_BOOT_FILE, "grubx64.efi", 11),
	};
	struct dhcp_opt of_web[] = {
		opt(DHCP_OPT_DNS, "\12\0\12\65", 4),  /* 10.0.10.53 */
		opt(DHCP_OPT_LEASE, "\0\0\2\130", 4), /* 600 s */
		opt(DHCP_OPT_BOOT_FILE, "web.img", 7),
	};
	struct dhcp_class classes[] = {
		{.vendor = "PXEClient", .arch = {0}, .n_arch = 1, .opts = {.opt = of_bios, .n = 2}},
		{.vendor = "PXEClient",
		 .arch = {7, 9},
		 .n_arch = 2,
		 .opts = {.opt = of_efi, .n = 1}},
	};
	struct dhcp_reservation reservations[] = {
		{.mac = dhcp_lab_mac(0xaa),
		 .ip = dhcp_lab_ip("10.0.10.10"),
		 .name = "web",
		 .opts = {.opt = of_web, .n = 3}},
		{.id_len = 3, .id = "dev", .ip = dhcp_lab_ip("10.0.10.110")},
		{.port = "c9", .ip = dhcp_lab_ip("10.0.10.19")},
	};
	struct dhcp_net n = {
		.name = "office",
		.vid = 10,
		.serves_v4 = true,
		.v4 = net_of("10.0.10.1/24"),
		.is_router = true,
		.mtu = 1500,
		.dns = {dhcp_lab_ip("10.0.10.1"), dhcp_lab_ip("10.0.10.2")},
		.n_dns = 2,
		.domain = "office.example",
		.probes = 3,
		.opts = {.opt = of_net, .n = 3, .next_server = dhcp_lab_ip("10.0.10.5")},
		.classes = classes,
		.n_classes = 2,
		.reservations = reservations,
		.n_reservations = 3,
	};

	add(lab, LAB_OFFICE, &n, 199, 4);
}

static const struct dhcp_net *net_of_link(void *arg, const struct dhcp_net *from,
					  const struct ip *link)
{
	struct dhcp_lab *lab = arg;

	if (prefix_holds(&from->v4, link))
		return from;
	return from == lab->net[LAB_OFFICE] && prefix_holds(&lab->net[LAB_STORAGE]->v4, link)
		       ? lab->net[LAB_STORAGE]
		       : NULL;
}

static bool is_tied(void *arg, const char *port)
{
	struct dhcp_lab *lab = arg;

	return lab->tied && strcmp(lab->tied, port) == 0;
}

static bool is_there(void *arg, const char *port)
{
	struct dhcp_lab *lab = arg;

	return !lab->gone || strcmp(lab->gone, port) != 0;
}

void dhcp_lab_reserve(struct dhcp_lab *lab, const struct dhcp_reservation *r)
{
	struct dhcp_net *old = lab->net[LAB_OFFICE], n = *old;
	struct lease_range range = *lease_pool_range(old->pool4);

	n.reservations = (struct dhcp_reservation[]){*r};
	n.n_reservations = 1;
	lab->net[LAB_OFFICE] = dhcp_net_create(&n);
	assert(lab->net[LAB_OFFICE]);
	range.arg = lab->net[LAB_OFFICE];
	leases_pool_apply(lab->leases, &range, lab->now_ms);
	dhcp_net_destroy(old);
}

/* No address is anybody's while it is another's. */
static void on_news(void *arg, const struct lease *l, enum lease_news news)
{
	struct dhcp_lab *lab = arg;
	struct dhcp_lab_owner *o;

	for (unsigned i = 0; i < LAB_NETS; i++) {
		if (!lab->net[i] || l->pool != lab->net[i]->pool4)
			continue;
		o = &lab->owner[i][l->ip.b[15]];
		if (news == LEASE_NEW)
			assert(!o->is_bound);
		if (news == LEASE_RENEWED)
			assert(o->is_bound && o->id_len == l->id_len &&
			       memcmp(o->id, l->id, l->id_len) == 0);
		o->is_bound = news == LEASE_NEW || news == LEASE_RENEWED;
		o->id_len = l->id_len;
		if (o->is_bound)
			memcpy(o->id, l->id, l->id_len);
	}
}

static struct dhcp_lab *create_one(void)
{
	static const uint64_t seed[2] = {1, 2}, secret[2] = {3, 4};
	struct dhcp_lab *lab = calloc(1, sizeof(*lab));
	struct dhcp_net storage = {.name = "storage",
				   .vid = 20,
				   .serves_v4 = true,
				   .v4 = net_of("10.0.20.1/24"),
				   .is_router = true,
				   .relays = {dhcp_lab_ip("10.0.10.9"), dhcp_lab_ip("10.0.20.9")},
				   .n_relays = 2};
	struct dhcp_net quiet = {.name = "quiet", .vid = 30, .v4 = net_of("10.0.30.1/24")};
	const struct dhcp_world world = {lab, net_of_link, is_tied, is_there};

	assert(lab);
	lab->now_ms = START_MS;
	lab->leases = leases_create(seed, secret);
	assert(lab->leases);
	add_office(lab);
	add(lab, LAB_STORAGE, &storage, 109, 4);
	add(lab, LAB_QUIET, &quiet, 199, 4);
	lab->server = dhcp_server_create(lab->leases, &world);
	assert(lab->server);
	leases_listen(lab->leases, on_news, lab);
	return lab;
}

struct dhcp_lab *dhcp_lab_create(void)
{
	struct dhcp_lab *lab = create_one();

	lab->twin = create_one();
	return lab;
}

void dhcp_lab_destroy(struct dhcp_lab *lab)
{
	if (!lab)
		return;
	dhcp_lab_destroy(lab->twin);
	dhcp_server_destroy(lab->server);
	leases_destroy(lab->leases);
	for (unsigned i = 0; i < LAB_NETS; i++)
		dhcp_net_destroy(lab->net[i]);
	free(lab);
}

void dhcp_lab_pass(struct dhcp_lab *lab, uint64_t ms)
{
	for (; lab; lab = lab->twin) {
		lab->now_ms += ms;
		while (leases_tick(lab->leases, lab->now_ms, 16) <= lab->now_ms)
			;
	}
}

/* --- What is true of every answer --- */

/* Walks an area to its END, behind which there is nothing but zeros; returns the place of the last option, n: there is none. */
static size_t check_area(const uint8_t *p, size_t n)
{
	size_t at = 0, last = n;

	while (at < n && p[at] != DHCP_OPT_END) {
		assert(p[at] != DHCP_OPT_PAD && at + 2 + p[at + 1] < n);
		last = at;
		at += 2u + p[at + 1];
	}
	assert(at < n);
	while (++at < n)
		assert(p[at] == 0);
	return last;
}

static void check_options(const struct dhcp_lab *lab, const struct dhcp_message *ask)
{
	const struct dhcp_answer *out = &lab->out;
	const uint8_t *got, *want, *options = out->payload + DHCP_OPTIONS_AT;
	uint16_t n, n_want, max = 0;
	size_t last = check_area(options, out->len - (size_t)DHCP_OPTIONS_AT);
	size_t least = DHCP_MAX_BYTES;

	assert(options[0] == DHCP_OPT_TYPE);
	if (!dhcp_get_u16(ask, DHCP_OPT_MAX_SIZE, &max) || max < 576)
		max = 576;
	least = max - 28u < least ? max - 28u : least;
	assert(out->len >= DHCP_MIN_BYTES && out->len <= least);
	got = dhcp_get(&lab->said, DHCP_OPT_OVERLOAD, &n);
	if (got && got[0] & 1)
		check_area(out->payload + FILE_AT, 128);
	if (got && got[0] & 2)
		check_area(out->payload + SNAME_AT, 64);
	/* D11: option 82 whole, last; of it, when it is one piece, nothing in a field. */
	want = dhcp_get(ask, DHCP_OPT_RELAY, &n_want);
	got = dhcp_get(&lab->said, DHCP_OPT_RELAY, &n);
	assert(!want == !got);
	if (want) {
		assert(n == n_want && memcmp(got, want, n) == 0);
		assert(options[last] == DHCP_OPT_RELAY);
		assert(n > 255 ||
		       (options[last + 1] == n && memcmp(options + last + 2, want, n) == 0));
	}
	/* D10 */
	want = dhcp_get(ask, DHCP_OPT_CLIENT_ID, &n_want);
	got = dhcp_get(&lab->said, DHCP_OPT_CLIENT_ID, &n);
	assert(!want == !got && (!want || (n == n_want && memcmp(got, want, n) == 0)));
}

static void check_address(const struct dhcp_lab *lab, const struct dhcp_message *ask)
{
	const struct ip *ip = &lab->said.h.yiaddr;
	uint16_t n = 0;
	const uint8_t *id = dhcp_get(ask, DHCP_OPT_CLIENT_ID, &n);
	const struct lease *l = NULL;
	struct lease_id want;

	if (lab->said.type == DHCP_NAK || ask->type == DHCP_INFORM) {
		assert(dhcp_ip_is_zero(ip));
		return;
	}
	if (n == 0 || !lease_id_of_client(&want, id, n))
		lease_id_of_mac(&want, &ask->h.chaddr);
	for (unsigned i = 0; i < LAB_NETS && !l; i++)
		if (lab->net[i]->pool4 && prefix_holds(&lab->net[i]->v4, ip))
			l = leases_at(lab->leases, lab->net[i]->pool4, ip);
	assert(l && l->id_len == want.len && memcmp(l->id, want.b, want.len) == 0);
	assert(l->state == LEASE_BOUND ||
	       (l->state == LEASE_OFFERED && lab->said.type == DHCP_OFFER));
	assert(l->end_ms > lab->now_ms);
}

static void check(struct dhcp_lab *lab, const struct dhcp_ask *in)
{
	static struct dhcp_message ask;
	bool is_good;

	lab->said.type = 0;
	if (lab->out.len == 0)
		return;
	is_good = dhcp_read(&ask, in->payload, in->len) &&
		  dhcp_read(&lab->said, lab->out.payload, lab->out.len);
	assert(is_good && lab->said.h.op == DHCP_REPLY_OP);
	assert(lab->said.type == DHCP_OFFER || lab->said.type == DHCP_ACK ||
	       lab->said.type == DHCP_NAK);
	assert(lab->said.h.xid == ask.h.xid && lab->said.h.hops == 0 && lab->said.h.secs == 0);
	assert(memcmp(&lab->said.h.chaddr, &ask.h.chaddr, sizeof(struct mac)) == 0);
	assert(ip_equal(&lab->said.h.giaddr, &ask.h.giaddr));
	check_options(lab, &ask);
	check_address(lab, &ask);
}

/* --- Messages --- */

static void __attribute__((noinline)) soil_stack(uint8_t pattern)
{
	uint8_t bytes[STACK_BYTES];

	memset(bytes, pattern, sizeof(bytes));
	__asm__ volatile("" : : "r"(bytes) : "memory");
}

bool dhcp_lab_give(struct dhcp_lab *lab, enum dhcp_lab_net net, const struct dhcp_ask *ask)
{
	uint8_t pattern = 0x55;

	for (struct dhcp_lab *i = lab; i; i = i->twin, pattern = 0xaa) {
		memset(&i->out, pattern, sizeof(i->out));
		soil_stack(pattern);
		dhcp_server_receive(i->server, i->net[net], ask, i->now_ms, &i->out);
	}
	assert(memcmp(&lab->out, &lab->twin->out, sizeof(lab->out)) == 0);
	check(lab, ask);
	return lab->out.len > 0;
}

void dhcp_lab_conflict(struct dhcp_lab *lab, enum dhcp_lab_net net, const struct ip *ip,
		       const struct mac *mac)
{
	for (; lab; lab = lab->twin)
		dhcp_server_conflict(lab->server, lab->net[net], ip, mac, lab->now_ms);
}

static void put_ip(struct dhcp_writer *w, uint8_t option, const char *text)
{
	struct ip ip;

	if (!text)
		return;
	ip = dhcp_lab_ip(text);
	dhcp_write_ip(w, option, &ip);
}

static void put_text(struct dhcp_writer *w, uint8_t option, const char *text)
{
	if (text)
		dhcp_write(w, option, text, strlen(text));
}

static size_t write_ask(const struct dhcp_lab_ask *a, uint8_t *bytes)
{
	const char *zero = "0.0.0.0";
	struct dhcp_header h = {
		.op = DHCP_REQUEST_OP,
		.xid = 0x12345678,
		.secs = 7,
		.flags = a->flags,
		.ciaddr = dhcp_lab_ip(a->ciaddr ? a->ciaddr : zero),
		.giaddr = dhcp_lab_ip(a->giaddr ? a->giaddr : zero),
		.chaddr = dhcp_lab_mac(a->mac),
	};
	struct dhcp_writer w;

	dhcp_write_begin(&w, bytes, DHCP_MAX_BYTES, &h, (enum dhcp_type)a->type);
	put_text(&w, DHCP_OPT_CLIENT_ID, a->id);
	put_text(&w, DHCP_OPT_HOST_NAME, a->name);
	put_ip(&w, DHCP_OPT_SERVER, a->server);
	put_ip(&w, DHCP_OPT_ADDRESS, a->address);
	if (a->max_size)
		dhcp_write_u16(&w, DHCP_OPT_MAX_SIZE, a->max_size);
	if (a->lease_s)
		dhcp_write_u32(&w, DHCP_OPT_LEASE, a->lease_s);
	put_text(&w, DHCP_OPT_PARAMETERS, a->wants);
	if (a->n_more) {
		memcpy(bytes + w.n, a->more, a->n_more);
		w.n += a->n_more;
	}
	return dhcp_write_end(&w);
}

bool dhcp_lab_send(struct dhcp_lab *lab, enum dhcp_lab_net net, const struct dhcp_lab_ask *a)
{
	uint8_t bytes[DHCP_MAX_BYTES];
	size_t n = write_ask(a, bytes);
	/* Of the exact size, so that a sanitizer sees the first byte beyond. */
	uint8_t *exact = malloc(n);
	struct dhcp_ask ask = {
		.payload = exact,
		.len = n,
		.src_mac = dhcp_lab_mac(a->src_mac ? a->src_mac : a->mac),
		.src = dhcp_lab_ip(a->src ? a->src : "0.0.0.0"),
		.dst = dhcp_lab_ip(a->dst ? a->dst : "255.255.255.255"),
		.port = a->port ? a->port : "c1",
		.is_shared = a->is_shared,
	};
	bool has_answer;

	assert(exact && n > 0);
	memcpy(exact, bytes, n);
	has_answer = dhcp_lab_give(lab, net, &ask);
	free(exact);
	return has_answer;
}

void dhcp_lab_expect(struct dhcp_lab *lab, const struct dhcp_lab_ask *a, uint8_t type)
{
	dhcp_lab_send(lab, LAB_OFFICE, a);
	assert(lab->said.type == type);
}

const char *dhcp_lab_offered(struct dhcp_lab *lab, const struct dhcp_lab_ask *who,
			     char buf[static IP_TEXT])
{
	struct dhcp_lab_ask a = *who;

	a.type = DHCP_DISCOVER;
	dhcp_lab_expect(lab, &a, DHCP_OFFER);
	return ip_text(&lab->said.h.yiaddr, buf);
}

const char *dhcp_lab_bound(struct dhcp_lab *lab, const struct dhcp_lab_ask *who,
			   char buf[static IP_TEXT])
{
	struct dhcp_lab_ask a = *who;
	struct ip offer;

	a.type = DHCP_REQUEST;
	a.address = dhcp_lab_offered(lab, who, buf);
	a.server = "10.0.10.1";
	offer = lab->said.h.yiaddr;
	dhcp_lab_expect(lab, &a, DHCP_ACK);
	assert(ip_equal(&lab->said.h.yiaddr, &offer));
	return buf;
}

const struct lease *dhcp_lab_lease(const struct dhcp_lab *lab, const char *ip)
{
	struct ip at = dhcp_lab_ip(ip);

	return leases_at(lab->leases, lab->net[LAB_OFFICE]->pool4, &at);
}

enum lease_state dhcp_lab_state(const struct dhcp_lab *lab, const char *ip)
{
	const struct lease *l = dhcp_lab_lease(lab, ip);

	return l ? (enum lease_state)l->state : LEASE_PAST;
}

const struct dhcp_counters *dhcp_lab_counted(const struct dhcp_lab *lab)
{
	return dhcp_server_counters(lab->server);
}

unsigned dhcp_lab_order(const struct dhcp_lab *lab, uint8_t codes[static 256])
{
	const uint8_t *p = lab->out.payload;
	unsigned n = 0;

	for (size_t at = DHCP_OPTIONS_AT; at < lab->out.len && p[at] != DHCP_OPT_END && n < 256;
	     at += 2u + p[at + 1])
		codes[n++] = p[at];
	return n;
}
