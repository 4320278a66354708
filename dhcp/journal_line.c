/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal_line: the lines of the journal, as JSON and back.
 *
 *   {"vfab-leases":1,"generation":7,"boot":"5f0c...","complete":false}                     the first one
 *   {"ip":"10.0.0.5","net":"office","state":"bound","mac":"02:...","id":"00020000...","name":"web","port":"c1","end_ms":...,
 *    "end_s":...,"at_s":...}                                    where known; "relayed":true, if so; times of -1: it does not end
 *   {"ip":"10.0.0.5","net":"office","state":"gone"}
 *   {"boot":"a1b2..."}                                          the machine was started anew: end_ms is of that boot from here on
 *   {"complete":true}
 *
 * end_ms counts in the boot in which it was written, end_s after another one.  Then a lease has no more time left than it had when
 * its line was written (at_s): a wall clock that was years ahead must not keep an address from everybody for years.
 *
 * Trust.  Lines may be anybody's: each value has its type, its length and its range checked here; what they mean for the store,
 * names above all, leases_restore() checks.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "dhcp/journal_internal.h"

enum { HEX = 2 * LEASE_ID_MAX + 1, VERSION = 1 };

/* Of seconds and milliseconds: what no sum of them overflows. */
static const int64_t TIME_MAX = 1LL << 52;

const char journal_complete[] = "{\"complete\":true}";

/* --- Writing --- */

static bool reserve(struct journal_buffer *b, size_t n)
{
	size_t room = b->room ? 2 * b->room : JOURNAL_LINE_MAX;
	char *bytes;

	if (b->room - b->n >= n)
		return true;
	while (room - b->n < n)
		room *= 2;
	bytes = realloc(b->bytes, room);
	if (!bytes)
		return false;
	b->bytes = bytes;
	b->room = room;
	return true;
}

bool journal_add(struct journal_buffer *b, const char *text)
{
	size_t n = strlen(text);

	if (!reserve(b, n + 1))
		return false;
	memcpy(b->bytes + b->n, text, n);
	b->bytes[b->n + n] = '\n';
	b->n += n + 1;
	return true;
}

/* Takes the reference. */
static bool add_json(struct journal_buffer *b, json_t *json)
{
	bool is_added = json && reserve(b, JOURNAL_LINE_MAX);
	size_t n;

	if (is_added) {
		n = json_dumpb(json, b->bytes + b->n, b->room - b->n - 1, JSON_COMPACT);
		is_added = n > 0 && n < b->room - b->n;
		if (is_added) {
			b->bytes[b->n + n] = '\n';
			b->n += n + 1;
		}
	}
	json_decref(json);
	return is_added;
}

bool journal_add_head(struct journal_buffer *b, uint64_t generation, const char *boot)
{
	return add_json(b, json_pack("{s:i,s:I,s:s,s:b}", "vfab-leases", VERSION, "generation",
				     (json_int_t)generation, "boot", boot, "complete", 0));
}

bool journal_add_boot(struct journal_buffer *b, const char *boot)
{
	return add_json(b, json_pack("{s:s}", "boot", boot));
}

static const char *hex_of(const uint8_t *bytes, size_t n, char out[static HEX])
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[bytes[i] >> 4];
		out[2 * i + 1] = digit[bytes[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

/* Wall clock; not before the lease ends, which a client was told in whole seconds. */
static int64_t wall_end_s(uint64_t end_ms, const struct journal_clock *now)
{
	return end_ms >= now->now_ms ? now->wall_s + (int64_t)(end_ms - now->now_ms) / 1000 + 1
				     : now->wall_s - (int64_t)(now->now_ms - end_ms) / 1000;
}

bool journal_add_lease(struct journal_buffer *b, const char *network, const struct lease *l,
		       bool is_gone, const struct journal_clock *now)
{
	bool is_endless = l->end_ms > (uint64_t)TIME_MAX;
	char ip[IP_TEXT], mac[MAC_TEXT], id[HEX];

	ip_text(&l->ip, ip);
	if (is_gone)
		return add_json(
			b, json_pack("{s:s,s:s,s:s}", "ip", ip, "net", network, "state", "gone"));
	return add_json(
		b, json_pack("{s:s,s:s,s:s,s:s*,s:s*,s:s*,s:s*,s:o*,s:I,s:I,s:I}", "ip", ip, "net",
			     network, "state", lease_state_word(l->state), "mac",
			     mac_is_zero(&l->mac) ? NULL : mac_text(&l->mac, mac), "id",
			     l->id_len ? hex_of(l->id, l->id_len, id) : NULL, "name",
			     l->name[0] ? l->name : NULL, "port", l->port[0] ? l->port : NULL,
			     "relayed", l->is_relayed ? json_true() : NULL, "end_ms",
			     is_endless ? (json_int_t)-1 : (json_int_t)l->end_ms, "end_s",
			     is_endless ? (json_int_t)-1 : (json_int_t)wall_end_s(l->end_ms, now),
			     "at_s", (json_int_t)now->wall_s));
}

/* --- Reading --- */

/* The text of that key; false: it is no text, or longer than there is room.  "" where there is no such key. */
static bool text_of(const json_t *json, const char *key, char *out, size_t size)
{
	const json_t *v = json_object_get(json, key);
	size_t n = json_string_length(v); /* 0 of what is no text */

	out[0] = '\0';
	if (!v)
		return true;
	if (!json_is_string(v) || n >= size || memchr(json_string_value(v), 0, n))
		return false;
	memcpy(out, json_string_value(v), n);
	out[n] = '\0';
	return true;
}

static bool time_of(const json_t *json, const char *key, int64_t *out)
{
	const json_t *v = json_object_get(json, key);

	if (!json_is_integer(v))
		return false;
	*out = json_integer_value(v);
	return *out >= -TIME_MAX && *out <= TIME_MAX;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool id_of(const char *hex, struct lease_id *id)
{
	size_t n = strlen(hex);

	if (n % 2)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		int high = digit_of(hex[i]), low = digit_of(hex[i + 1]);

		if (high < 0 || low < 0)
			return false;
		id->b[i / 2] = (uint8_t)(high << 4 | low);
	}
	id->len = (uint16_t)(n / 2);
	return true;
}

static bool state_of(const char *word, struct journal_line *out)
{
	static const enum lease_state states[] = {LEASE_BOUND, LEASE_PAST, LEASE_DECLINED};

	out->kind = JOURNAL_GONE;
	if (strcmp(word, "gone") == 0)
		return true;
	out->kind = JOURNAL_LEASE;
	for (unsigned i = 0; i < sizeof(states) / sizeof(*states); i++) {
		out->l.state = (uint8_t)states[i];
		if (strcmp(word, lease_state_word(states[i])) == 0)
			return true;
	}
	return false;
}

static bool read_lease(const json_t *json, struct journal_line *out)
{
	char ip[IP_TEXT], state[16], mac[MAC_TEXT], id[HEX] = "";
	struct lease *l = &out->l;

	if (!text_of(json, "ip", ip, sizeof(ip)) || !ip_parse(ip, &l->ip) ||
	    !text_of(json, "net", out->network, sizeof(out->network)) ||
	    !text_of(json, "state", state, sizeof(state)) || !state_of(state, out))
		return false;
	if (out->kind == JOURNAL_GONE)
		return true;
	l->is_relayed = json_is_true(json_object_get(json, "relayed"));
	return text_of(json, "mac", mac, sizeof(mac)) && (!mac[0] || mac_parse(mac, &l->mac)) &&
	       text_of(json, "id", id, sizeof(id)) && id_of(id, &out->id) &&
	       text_of(json, "name", l->name, sizeof(l->name)) &&
	       text_of(json, "port", l->port, sizeof(l->port)) &&
	       time_of(json, "end_ms", &out->end_ms) && time_of(json, "end_s", &out->end_s) &&
	       time_of(json, "at_s", &out->at_s) && out->end_ms >= -1;
}

static bool read_head(const json_t *json, struct journal_line *out)
{
	const json_t *generation = json_object_get(json, "generation");

	out->kind = JOURNAL_HEAD;
	if (json_integer_value(json_object_get(json, "vfab-leases")) != VERSION ||
	    !json_is_integer(generation) || json_integer_value(generation) < 1 ||
	    json_integer_value(generation) > TIME_MAX)
		return false;
	out->generation = (uint64_t)json_integer_value(generation);
	return text_of(json, "boot", out->boot, sizeof(out->boot));
}

static bool read_json(const json_t *json, struct journal_line *out)
{
	if (json_object_get(json, "ip"))
		return read_lease(json, out);
	if (json_object_get(json, "vfab-leases"))
		return read_head(json, out);
	out->kind = JOURNAL_COMPLETE;
	if (json_is_true(json_object_get(json, "complete")))
		return true;
	out->kind = JOURNAL_BOOT;
	return json_object_get(json, "boot") && text_of(json, "boot", out->boot, sizeof(out->boot));
}

void journal_read_line(const char *text, size_t n, struct journal_line *out)
{
	json_t *json = n < JOURNAL_LINE_MAX ? json_loadb(text, n, 0, NULL) : NULL;

	*out = (struct journal_line){0};
	if (!json || !read_json(json, out))
		out->kind = JOURNAL_BAD;
	json_decref(json);
}

uint64_t journal_end_ms(const struct journal_line *line, const char *boot,
			const struct journal_clock *now)
{
	int64_t left_s = line->end_s - now->wall_s, most_s = line->end_s - line->at_s;
	uint64_t ms;

	if (line->end_ms == -1)
		return UINT64_MAX;
	if (boot[0] && strcmp(boot, now->boot) == 0)
		return (uint64_t)line->end_ms;
	if (left_s > most_s)
		left_s = most_s;
	if (left_s > 0)
		return now->now_ms + (uint64_t)left_s * 1000;
	ms = (uint64_t)-left_s * 1000;
	return ms < now->now_ms ? now->now_ms - ms : 0;
}
