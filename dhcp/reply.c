/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reply: chooses the options of an answer and writes it.
 *
 * How it fits.  server.c decides what is answered, this what it says; wire.c knows the bytes.
 *
 * Theory of operation.  An answer is composed into the option space alone; only when something had no room there once more, with
 * `file` and `sname` for options (RFC 2132 9.3), since these fields then cannot hold the names of option 66 and 67.  In
 * that case both go first among the options.  Each code is told once, whoever wants it: `done` has a bit for each.
 *
 * Deviation: option 3 is told beside 121 even though RFC 3442 clients ignore it then, so that others find the router.  That is
 * why the default route is put into 121, which an operator gave to add a route, not to take that one away.
 *
 * RFC 2131 4.3.1, table 3; RFC 2132; RFC 3046 2.2; RFC 3397 2; RFC 3442; RFC 4578 2; RFC 6842 3.
 *
 * Trust.  Options of the client are anybody's bytes: option 55 may be long and name a code many times, 57 any number, 61 and 82 any
 * bytes, which go back as they came.  What the network says was checked with the configuration.
 */
#include "dhcp/reply.h"

#include <string.h>

enum {
	IP_UDP_BYTES = 28,
	SIZE_MIN = 576,	   /* of IP, that every client takes (RFC 2131 2) */
	LEASE_MIN_S = 120, /* that a client may ask for */
	ROUTE_BYTES = 5,   /* the default one in option 121 */
	LABEL_MAX = 63,
	SCRATCH = 264, /* of a value that is made here */
	CODES = 256,
};
_Static_assert(SCRATCH >= 255 + ROUTE_BYTES && SCRATCH >= DHCP_NET_DOMAIN + 2, "room for 121, 119");

static const char http[] = "HTTPClient"; /* option 60 of HTTP boot (UEFI 24.7) */
static const char refusal[] = "address not available";

struct value {
	const uint8_t *bytes; /* NULL: there is none */
	uint16_t n;
};

static bool has_bit(const uint8_t *bits, uint8_t i)
{
	return bits[i / 8] & 1 << i % 8;
}

static void set_bit(uint8_t *bits, uint8_t i)
{
	bits[i / 8] |= (uint8_t)(1 << i % 8);
}

/* --- Who asks --- */

static bool vendor_begins_with(const struct dhcp_message *ask, const char *vendor)
{
	size_t want = strlen(vendor);
	uint16_t n;
	const uint8_t *p = dhcp_get(ask, DHCP_OPT_VENDOR, &n);

	return want == 0 || (p && n >= want && memcmp(p, vendor, want) == 0);
}

/* RFC 4578 2.1: a list of 16-bit numbers. */
static bool has_arch(const struct dhcp_message *ask, const struct dhcp_class *c)
{
	uint16_t n;
	const uint8_t *p = dhcp_get(ask, DHCP_OPT_ARCH, &n);

	for (unsigned i = 0; p && i + 1 < n; i += 2)
		for (unsigned j = 0; j < c->n_arch; j++)
			if ((p[i] << 8 | p[i + 1]) == c->arch[j])
				return true;
	return c->n_arch == 0;
}

void dhcp_reply_init(struct dhcp_reply *r, const struct dhcp_net *net,
		     const struct dhcp_message *ask, const struct dhcp_reservation *reserved)
{
	*r = (struct dhcp_reply){.net = net, .ask = ask, .reserved = reserved};
	if (reserved)
		r->layer[r->n_layers++] = &reserved->opts;
	r->first_class = r->n_layers;
	for (unsigned i = 0; i < net->n_classes && r->n_classes < DHCP_REPLY_CLASSES; i++) {
		const struct dhcp_class *c = &net->classes[i];

		if (!vendor_begins_with(ask, c->vendor) || !has_arch(ask, c))
			continue;
		r->layer[r->n_layers++] = &c->opts;
		r->n_classes++;
	}
	r->layer[r->n_layers++] = &net->opts;
}

/* --- Values --- */

static const struct dhcp_opt *opt_in(const struct dhcp_opts *opts, uint8_t code)
{
	for (unsigned i = 0; i < opts->n && opts->opt[i].code <= code; i++)
		if (opts->opt[i].code == code)
			return &opts->opt[i];
	return NULL;
}

/* What was configured. */
static const struct dhcp_opt *opt_of(const struct dhcp_reply *r, uint8_t code)
{
	for (unsigned i = 0; i < r->n_layers; i++) {
		const struct dhcp_opt *o = opt_in(r->layer[i], code);

		if (o)
			return o;
	}
	return NULL;
}

/* A configured number; false: there is none of that size. */
static bool number_of(const struct dhcp_reply *r, uint8_t code, uint32_t *out)
{
	const struct dhcp_opt *o = opt_of(r, code);

	if (!o || o->len != 4)
		return false;
	*out = (uint32_t)o->bytes[0] << 24 | (uint32_t)o->bytes[1] << 16 |
	       (uint32_t)o->bytes[2] << 8 | o->bytes[3];
	return true;
}

static struct value ips(const struct ip *ip, unsigned n, uint8_t *out)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(out + (size_t)i * 4, ip[i].b + 12, 4);
	return (struct value){n ? out : NULL, (uint16_t)(n * 4)};
}

static struct value text(const char *s)
{
	size_t n = strlen(s);

	return (struct value){n ? (const uint8_t *)s : NULL, (uint16_t)n};
}

/* The mask of a prefix, or, is_host, its last address. */
static struct value mask(const struct prefix *p, bool is_host, uint8_t *out)
{
	for (unsigned i = 0; i < 4; i++) {
		unsigned bits = p->len <= 8 * i ? 0 : p->len - 8 * i;
		uint8_t m = bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);

		out[i] = is_host ? p->ip.b[12 + i] | (uint8_t)~m : m;
	}
	return (struct value){out, 4};
}

/* RFC 3397 2: names as DNS writes them (RFC 1035 3.1); there is one only, so nothing to compress. */
static struct value search_list(const char *domain, uint8_t *out)
{
	uint16_t n = 0;

	while (*domain) {
		size_t label = strcspn(domain, ".");

		if (label == 0 || label > LABEL_MAX)
			return (struct value){NULL, 0};
		out[n++] = (uint8_t)label;
		memcpy(out + n, domain, label);
		n = (uint16_t)(n + label);
		domain += label;
		if (*domain == '.')
			domain++;
	}
	if (n == 0)
		return (struct value){NULL, 0};
	out[n++] = 0;
	return (struct value){out, n};
}

/* What an option is where nothing was configured. */
static struct value made(const struct dhcp_reply *r, uint8_t code, bool is_asked, uint8_t *out)
{
	const struct dhcp_net *net = r->net;

	switch (code) {
	case DHCP_OPT_MASK:
		return mask(&net->v4, false, out);
	case DHCP_OPT_ROUTER:
		return ips(&net->v4.ip, net->is_router ? 1 : 0, out);
	case DHCP_OPT_DNS:
		return ips(net->dns, net->n_dns, out);
	case DHCP_OPT_HOST_NAME:
		return text(r->reserved ? r->reserved->name : "");
	case DHCP_OPT_DOMAIN:
		return text(net->domain);
	case DHCP_OPT_MTU:
		out[0] = (uint8_t)(net->mtu >> 8);
		out[1] = (uint8_t)net->mtu;
		return (struct value){net->mtu ? out : NULL, 2};
	case DHCP_OPT_BROADCAST: /* the smallest networks have none (RFC 3021) */
		return net->v4.len > 30 ? (struct value){NULL, 0} : mask(&net->v4, true, out);
	case DHCP_OPT_SEARCH:
		return search_list(is_asked ? net->domain : "", out);
	case DHCP_OPT_VENDOR:
		return text(vendor_begins_with(r->ask, http) ? http : "");
	default:
		return (struct value){NULL, 0};
	}
}

static bool has_default(const struct dhcp_opt *routes)
{
	for (unsigned at = 0; at < routes->len; at += 1u + (routes->bytes[at] + 7u) / 8 + 4)
		if (routes->bytes[at] == 0)
			return true;
	return false;
}

/* Configured routes, and the default one, which whoever takes these takes from nowhere else (RFC 3442). */
static struct value routes(const struct dhcp_reply *r, const struct dhcp_opt *o, uint8_t *out)
{
	const struct dhcp_opt *router = opt_of(r, DHCP_OPT_ROUTER);
	const uint8_t *way = r->net->is_router ? r->net->v4.ip.b + 12 : NULL;

	if (router)
		way = router->len >= 4 ? router->bytes : NULL;
	if (!way || has_default(o))
		return (struct value){o->bytes, o->len};
	memcpy(out, o->bytes, o->len);
	out[o->len] = 0;
	memcpy(out + o->len + 1, way, 4);
	return (struct value){out, (uint16_t)(o->len + ROUTE_BYTES)};
}

/* scratch: room for it, of SCRATCH bytes, and it may lie elsewhere. */
static struct value value_of(const struct dhcp_reply *r, uint8_t code, bool is_asked,
			     uint8_t *scratch)
{
	const struct dhcp_opt *o = opt_of(r, code);

	if (o && code == DHCP_OPT_ROUTES)
		return routes(r, o, scratch);
	return o ? (struct value){o->bytes, o->len} : made(r, code, is_asked, scratch);
}

uint32_t dhcp_reply_lease_s(const struct dhcp_reply *r)
{
	uint32_t s = r->net->lease_s, told, asked;

	if (number_of(r, DHCP_OPT_LEASE, &told) && told > 0)
		s = told;
	if (!dhcp_get_u32(r->ask, DHCP_OPT_LEASE, &asked) || asked == 0)
		return s;
	if (asked < LEASE_MIN_S)
		asked = LEASE_MIN_S;
	return asked < s ? asked : s;
}

/* --- Composing --- */

struct pen {
	const struct dhcp_reply *r;
	struct dhcp_writer w;
	size_t kept; /* bytes for what comes last */
	uint8_t done[CODES / 8];
	bool can_overload;
	bool is_short; /* something had no room */
};

static void tell(struct pen *p, uint8_t code, bool is_asked)
{
	uint8_t scratch[SCRATCH];
	struct value v;

	if (has_bit(p->done, code))
		return;
	set_bit(p->done, code);
	v = value_of(p->r, code, is_asked, scratch);
	if (!v.bytes)
		return;
	if (p->w.size - p->w.n >= p->kept + dhcp_option_bytes(v.n))
		dhcp_write(&p->w, code, v.bytes, v.n);
	else if (!p->can_overload || !dhcp_write_over(&p->w, code, v.bytes, v.n))
		p->is_short = true;
}

/* Before any option that a client may choose (RFC 2132 3.3: the mask is before the router). */
static void tell_head(struct pen *p, const struct dhcp_reply_head *head)
{
	uint32_t lease_s = dhcp_reply_lease_s(p->r), t1_s, t2_s;
	uint16_t n;
	const uint8_t *id;

	dhcp_write_ip(&p->w, DHCP_OPT_SERVER, &head->server);
	if (head->has_lease)
		dhcp_write_u32(&p->w, DHCP_OPT_LEASE, lease_s);
	if (head->has_lease && lease_s != UINT32_MAX) { /* for ever: it is never renewed */
		if (!number_of(p->r, DHCP_OPT_T1, &t1_s) || !number_of(p->r, DHCP_OPT_T2, &t2_s) ||
		    t1_s > t2_s || t2_s >= lease_s) {
			t1_s = lease_s / 2;
			t2_s = (uint32_t)((uint64_t)lease_s * 7 / 8);
		}
		dhcp_write_u32(&p->w, DHCP_OPT_T1, t1_s);
		dhcp_write_u32(&p->w, DHCP_OPT_T2, t2_s);
	}
	if (head->type == DHCP_NAK)
		dhcp_write(&p->w, DHCP_OPT_MESSAGE, refusal, sizeof(refusal) - 1);
	else
		tell(p, DHCP_OPT_MASK, true);
	id = dhcp_get(p->r->ask, DHCP_OPT_CLIENT_ID, &n);
	if (id)
		dhcp_write(&p->w, DHCP_OPT_CLIENT_ID, id, n); /* RFC 6842 3: as it is */
}

/* Firmware takes these whether it lists them or not, when they are of its class. */
static void tell_unasked(struct pen *p)
{
	static const uint8_t codes[] = {
		DHCP_OPT_VENDOR_INFO, DHCP_OPT_VENDOR,	     DHCP_OPT_TFTP_SERVER,
		DHCP_OPT_BOOT_FILE,   DHCP_OPT_TFTP_SERVERS,
	};
	const struct dhcp_reply *r = p->r;

	for (unsigned i = 0; i < r->n_classes; i++)
		for (unsigned j = 0; j < sizeof(codes); j++)
			if (opt_in(r->layer[r->first_class + i], codes[j]))
				tell(p, codes[j], false);
	if (vendor_begins_with(r->ask, http))
		tell(p, DHCP_OPT_VENDOR, false);
}

static void tell_wanted(struct pen *p)
{
	uint16_t n;
	const uint8_t *wanted = dhcp_get(p->r->ask, DHCP_OPT_PARAMETERS, &n);

	if (!wanted)
		for (unsigned code = 1; code < CODES - 1; code++)
			tell(p, (uint8_t)code, false);
	for (unsigned i = 0; wanted && i < n; i++)
		tell(p, wanted[i], true);
	tell_unasked(p);
}

/* The names that BOOTP has fields for (RFC 2132 9.4, 9.5). */
static void tell_names(struct pen *p)
{
	const struct dhcp_opt *server = opt_of(p->r, DHCP_OPT_TFTP_SERVER);
	const struct dhcp_opt *file = opt_of(p->r, DHCP_OPT_BOOT_FILE);

	if (p->can_overload) {
		tell(p, DHCP_OPT_TFTP_SERVER, false);
		tell(p, DHCP_OPT_BOOT_FILE, false);
		return;
	}
	if (server)
		dhcp_write_field(&p->w, DHCP_SNAME, server->bytes, server->len);
	if (file)
		dhcp_write_field(&p->w, DHCP_FILE, file->bytes, file->len);
}

static struct dhcp_header header_of(const struct dhcp_reply *r, const struct dhcp_reply_head *head)
{
	const struct dhcp_header *ask = &r->ask->h;
	struct dhcp_header h = {
		.op = DHCP_REPLY_OP,
		.xid = ask->xid,
		.flags = ask->flags & DHCP_BROADCAST,
		.ciaddr = head->ciaddr,
		.yiaddr = head->yiaddr,
		.giaddr = ask->giaddr,
		.chaddr = ask->chaddr,
	};

	/* RFC 2131 4.3.2: a relay is told to broadcast a NAK, since the client has no address that is right. */
	if (head->type == DHCP_NAK && !dhcp_ip_is_zero(&ask->giaddr))
		h.flags = DHCP_BROADCAST;
	for (unsigned i = 0; head->type != DHCP_NAK && i < r->n_layers; i++)
		if (dhcp_ip_is_zero(&h.siaddr))
			h.siaddr = r->layer[i]->next_server;
	return h;
}

/* How much of UDP the client takes (RFC 2132 9.10), and its network carries whole. */
static size_t limit_of(const struct dhcp_reply *r)
{
	uint16_t most = SIZE_MIN, asked;

	if (dhcp_get_u16(r->ask, DHCP_OPT_MAX_SIZE, &asked) && asked > most)
		most = asked;
	if (r->net->mtu >= SIZE_MIN && most > r->net->mtu)
		most = r->net->mtu;
	return most - IP_UDP_BYTES < DHCP_MAX_BYTES ? most - IP_UDP_BYTES : DHCP_MAX_BYTES;
}

/* 0: no room for what must be in it, or, without overload, for all of it. */
static size_t compose(const struct dhcp_reply *r, const struct dhcp_reply_head *head,
		      bool can_overload, uint8_t *bytes)
{
	static const uint8_t ours[] = {
		DHCP_OPT_PAD,	   DHCP_OPT_ADDRESS, DHCP_OPT_LEASE,	  DHCP_OPT_OVERLOAD,
		DHCP_OPT_TYPE,	   DHCP_OPT_SERVER,  DHCP_OPT_PARAMETERS, DHCP_OPT_MESSAGE,
		DHCP_OPT_MAX_SIZE, DHCP_OPT_T1,	     DHCP_OPT_T2,	  DHCP_OPT_CLIENT_ID,
		DHCP_OPT_RELAY,	   DHCP_OPT_END,
	};
	struct dhcp_header h = header_of(r, head);
	struct pen p = {.r = r, .can_overload = can_overload, .kept = 1};
	uint16_t n = 0;
	const uint8_t *relay = dhcp_get(r->ask, DHCP_OPT_RELAY, &n);

	p.kept += (relay ? dhcp_option_bytes(n) : 0) + (can_overload ? DHCP_OVERLOAD_BYTES : 0);
	for (unsigned i = 0; i < sizeof(ours); i++)
		set_bit(p.done, ours[i]);
	dhcp_write_begin(&p.w, bytes, limit_of(r), &h, head->type);
	tell_head(&p, head);
	if (head->type != DHCP_NAK) {
		tell_names(&p);
		tell_wanted(&p);
	}
	if (p.is_short && !can_overload)
		return 0;
	dhcp_write_overload(&p.w);
	if (relay)
		dhcp_write(&p.w, DHCP_OPT_RELAY, relay, n); /* RFC 3046 2.2: whole, the last */
	return dhcp_write_end(&p.w);
}

size_t dhcp_reply_write(const struct dhcp_reply *r, const struct dhcp_reply_head *head,
			uint8_t bytes[static DHCP_MAX_BYTES])
{
	size_t n = compose(r, head, false, bytes);

	return n ? n : compose(r, head, true, bytes);
}
