/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire6: reads and writes DHCPv6 messages.
 *
 * How it fits.  dhcp/server6.c calls it; switch/gateway_ra.c its lists of names.
 *
 * RFC 8415 8 (format), 11.1 (DUID), 21.1 to 21.22 (options); RFC 3646; RFC 4704 4; RFC 1035 3.1, 4.1.4; RFC 3397 2.
 *
 * Trust.  Every byte is a guest's.  Options are stepped over by one function, which compares their length with what is left; of
 * each the value is looked at only within its length.  What is unknown is skipped (RFC 8415 16).
 */
#include "dhcp/wire6.h"

#include <string.h>

#include "switch/base/packet.h"

enum {
	HEADER = 4,
	OPTION_HEADER = 4,
	IA_FIXED = 12,
	IA_TA_FIXED = 4,
	IAADDR_FIXED = 24,
	DUID_MIN = 3,
	POINTER = 0xc0,
};

static bool is_between(uint64_t v, uint64_t least, uint64_t most)
{
	return v >= least && v <= most;
}

static void write_u32(uint8_t *p, uint32_t v)
{
	write_be16(p, (uint16_t)(v >> 16));
	write_be16(p + 2, (uint16_t)v);
}

/* --- Reader --- */

struct area {
	const uint8_t *bytes;
	size_t n;
};

/* One option after another; false at the end, which is bad when the area ended within one. */
static bool next_option(struct area *a, uint16_t *option, struct area *value, bool *is_bad)
{
	if (a->n == 0)
		return false;
	if (a->n < OPTION_HEADER || a->n - OPTION_HEADER < read_be16(a->bytes + 2)) {
		*is_bad = true;
		return false;
	}
	*option = read_be16(a->bytes);
	*value = (struct area){a->bytes + OPTION_HEADER, read_be16(a->bytes + 2)};
	a->bytes += OPTION_HEADER + value->n;
	a->n -= OPTION_HEADER + value->n;
	return true;
}

static bool is_ia(uint16_t option)
{
	return option == DHCP6_OPT_IA_NA || option == DHCP6_OPT_IA_TA || option == DHCP6_OPT_IA_PD;
}

/* What lies in an option must be options, and none that belongs further out. */
static bool is_well_formed(struct area walk, bool may_have_address)
{
	bool is_bad = false;
	struct area value;
	uint16_t option;

	while (next_option(&walk, &option, &value, &is_bad))
		if (is_ia(option) || (option == DHCP6_OPT_ADDRESS && !may_have_address))
			return false;
	return !is_bad;
}

static bool read_duid(struct dhcp6_duid *d, struct area value)
{
	if (d->len || !is_between(value.n, DUID_MIN, DHCP6_DUID_MAX))
		return false;
	d->len = (uint8_t)value.n;
	memcpy(d->b, value.bytes, value.n);
	return true;
}

static bool read_addresses(struct dhcp6_ia *ia, struct area walk, unsigned *left)
{
	bool is_bad = false;
	struct area value;
	uint16_t option;

	while (next_option(&walk, &option, &value, &is_bad)) {
		if (option != DHCP6_OPT_ADDRESS)
			continue;
		if (*left == 0 || value.n < IAADDR_FIXED ||
		    !is_well_formed(
			    (struct area){value.bytes + IAADDR_FIXED, value.n - IAADDR_FIXED},
			    false))
			return false;
		--*left;
		memcpy(&ia->addr[ia->n++], value.bytes, sizeof(struct ip));
	}
	return true;
}

/* RFC 8415 21.4, 21.5, 21.21. */
static bool read_ia(struct dhcp6_message *m, uint16_t option, struct area value, unsigned *left)
{
	size_t fixed = option == DHCP6_OPT_IA_TA ? IA_TA_FIXED : IA_FIXED;
	struct area inner = {value.bytes + fixed, value.n - fixed};
	struct dhcp6_ia *ia;

	if (value.n < fixed || !is_well_formed(inner, option != DHCP6_OPT_IA_PD))
		return false;
	m->has_ia = true;
	if (option == DHCP6_OPT_IA_TA)
		return true;
	if (m->n_ias == DHCP6_IAS)
		return false;
	ia = &m->ia[m->n_ias++];
	*ia = (struct dhcp6_ia){.option = option};
	memcpy(ia->iaid, value.bytes, sizeof(ia->iaid));
	return option == DHCP6_OPT_IA_PD || read_addresses(ia, inner, left);
}

static bool read_asked(struct dhcp6_message *m, struct area value)
{
	if (value.n % 2)
		return false;
	for (size_t i = 0; i < value.n; i += 2) {
		uint16_t option = read_be16(value.bytes + i);

		if (option < DHCP6_OPTS)
			m->asked |= UINT64_C(1) << option;
	}
	return true;
}

/* RFC 4704 4: flags, and a name that need not be whole.  One that makes no sense is no name, and no reason to give no address. */
static bool read_name(struct dhcp6_message *m, struct area value)
{
	if (value.n < 1)
		return false;
	m->name_len = 0;
	if (value.n > 1 && is_between(value.bytes[1], 1, DHCP6_LABEL_MAX) &&
	    value.bytes[1] <= value.n - 2) {
		m->name_len = value.bytes[1];
		memcpy(m->name, value.bytes + 2, m->name_len);
	}
	return true;
}

bool dhcp6_read(struct dhcp6_message *m, const uint8_t *bytes, size_t n)
{
	struct area walk, value;
	unsigned left = DHCP6_ADDRS;
	bool is_bad = false, is_good = true;
	uint16_t option;

	memset(m, 0, sizeof(*m));
	if (n < HEADER)
		return false;
	m->type = bytes[0];
	memcpy(m->xid, bytes + 1, sizeof(m->xid));
	walk = (struct area){bytes + HEADER, n - HEADER};
	while (is_good && next_option(&walk, &option, &value, &is_bad)) {
		if (option == DHCP6_OPT_CLIENT_ID)
			is_good = read_duid(&m->client, value);
		else if (option == DHCP6_OPT_SERVER_ID)
			is_good = read_duid(&m->server, value);
		else if (is_ia(option))
			is_good = read_ia(m, option, value, &left);
		else if (option == DHCP6_OPT_ASKED)
			is_good = read_asked(m, value);
		else if (option == DHCP6_OPT_RAPID_COMMIT)
			m->is_rapid = is_good = value.n == 0;
		else if (option == DHCP6_OPT_FQDN)
			is_good = read_name(m, value);
	}
	return is_good && !is_bad;
}

bool dhcp6_is_asked(const struct dhcp6_message *m, enum dhcp6_option option)
{
	return m->asked >> option & 1;
}

/* --- Writer --- */

static uint8_t *take(struct dhcp6_writer *w, size_t n)
{
	if (w->is_full || w->size - w->n < n) {
		w->is_full = true;
		return NULL;
	}
	w->n += n;
	return w->bytes + w->n - n;
}

void dhcp6_write_begin(struct dhcp6_writer *w, uint8_t *bytes, size_t size, uint8_t type,
		       const uint8_t xid[static 3])
{
	uint8_t *p;

	*w = (struct dhcp6_writer){.bytes = bytes, .size = size};
	p = take(w, HEADER);
	if (!p)
		return;
	p[0] = type;
	memcpy(p + 1, xid, 3);
}

/* The header of an option, and its n bytes to be filled in. */
static uint8_t *take_option(struct dhcp6_writer *w, uint16_t option, size_t n)
{
	uint8_t *p = take(w, OPTION_HEADER + n);

	if (!p)
		return NULL;
	write_be16(p, option);
	write_be16(p + 2, (uint16_t)n);
	return p + OPTION_HEADER;
}

void dhcp6_write(struct dhcp6_writer *w, uint16_t option, const void *bytes, size_t n)
{
	uint8_t *p = take_option(w, option, n);

	if (p && n > 0)
		memcpy(p, bytes, n);
}

void dhcp6_write_if_fits(struct dhcp6_writer *w, uint16_t option, const void *bytes, size_t n)
{
	if (w->size - w->n >= OPTION_HEADER + n)
		dhcp6_write(w, option, bytes, n);
}

void dhcp6_write_status(struct dhcp6_writer *w, enum dhcp6_status status)
{
	static const char *const text[] = {
		[DHCP6_SUCCESS] = "",
		[DHCP6_UNSPEC_FAIL] = "",
		[DHCP6_NO_ADDRS_AVAIL] = "no address for you",
		[DHCP6_NO_BINDING] = "not known here",
		[DHCP6_NOT_ON_LINK] = "not of this network",
		[DHCP6_USE_MULTICAST] = "ask ff02::1:2",
		[DHCP6_NO_PREFIX_AVAIL] = "no prefixes here",
	};
	size_t n = strlen(text[status]);
	uint8_t *p = take_option(w, DHCP6_OPT_STATUS, 2 + n);

	if (!p)
		return;
	write_be16(p, (uint16_t)status);
	memcpy(p + 2, text[status], n);
}

void dhcp6_write_address(struct dhcp6_writer *w, const struct ip *ip, uint32_t preferred_s,
			 uint32_t valid_s)
{
	uint8_t *p = take_option(w, DHCP6_OPT_ADDRESS, IAADDR_FIXED);

	if (!p)
		return;
	memcpy(p, ip->b, sizeof(ip->b));
	write_u32(p + 16, preferred_s);
	write_u32(p + 20, valid_s);
}

size_t dhcp6_open_ia(struct dhcp6_writer *w, const struct dhcp6_ia *ia, uint32_t t1_s,
		     uint32_t t2_s)
{
	size_t at = w->n;
	uint8_t *p = take_option(w, ia->option, IA_FIXED);

	if (!p)
		return at;
	memcpy(p, ia->iaid, sizeof(ia->iaid));
	write_u32(p + 4, t1_s);
	write_u32(p + 8, t2_s);
	return at;
}

void dhcp6_close_ia(struct dhcp6_writer *w, size_t at)
{
	if (!w->is_full)
		write_be16(w->bytes + at + 2, (uint16_t)(w->n - at - OPTION_HEADER));
}

size_t dhcp6_write_end(const struct dhcp6_writer *w)
{
	return w->is_full ? 0 : w->n;
}

/* --- Lists of names --- */

enum { NAME_MAX_BYTES = 255 };

static bool put(uint8_t *out, size_t size, size_t *used, const void *bytes, size_t n)
{
	if (size - *used < 1 + n)
		return false;
	out[(*used)++] = (uint8_t)n;
	memcpy(out + *used, bytes, n);
	*used += n;
	return true;
}

bool dhcp6_put_domain(uint8_t *out, size_t size, size_t *used, const char *text, size_t n)
{
	size_t at = *used, label;

	if (n > 0 && text[n - 1] == '.')
		n--;
	for (size_t i = 0; i < n; i += label + 1) {
		const char *dot = memchr(text + i, '.', n - i);

		label = dot ? (size_t)(dot - text) - i : n - i;
		if (!is_between(label, 1, DHCP6_LABEL_MAX) || i + label + 1 == n ||
		    !put(out, size, &at, text + i, label))
			return false;
	}
	if (n == 0 || !put(out, size, &at, text, 0) || at - *used > NAME_MAX_BYTES)
		return false;
	*used = at;
	return true;
}

/* The name at `at`, its labels behind the *used ones of out; returns where the next one begins, 0: it is none. */
static size_t expand_name(struct area from, size_t at, uint8_t *out, size_t size, size_t *used)
{
	size_t begin = *used, end = 0, limit = at;

	for (;;) {
		uint8_t label;

		if (at >= from.n)
			return 0;
		label = from.bytes[at];
		if (label >= POINTER) {
			if (at + 1 >= from.n)
				return 0;
			if (!end)
				end = at + 2;
			at = (size_t)(label & ~POINTER) << 8 | from.bytes[at + 1];
			if (at >= limit) /* always further to the front: it ends */
				return 0;
			limit = at;
			continue;
		}
		if (label > DHCP6_LABEL_MAX || label > from.n - at - 1 ||
		    !put(out, size, used, from.bytes + at + 1, label) ||
		    *used - begin > NAME_MAX_BYTES)
			return 0;
		at += 1u + label;
		if (label == 0)
			return end ? end : at;
	}
}

size_t dhcp6_expand_search(const uint8_t *from, size_t n, uint8_t *out, size_t size)
{
	const struct area all = {from, n};
	size_t used = 0, at = 0;

	while (at < n) {
		at = expand_name(all, at, out, size, &used);
		if (at == 0)
			return 0;
	}
	return used;
}
