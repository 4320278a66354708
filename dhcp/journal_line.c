/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal_line: the lines of the journal, as JSON and back.  Those of leases go by hand, all others, and those
 * that we did not write so, by jansson.
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

enum {
	HEX = 2 * LEASE_ID_MAX + 1,
	VERSION = 1,
	STATE_SIZE = 16,
	ESCAPED = 6,	 /* bytes of one that is written as \u00XX */
	LINE_REST = 512, /* keys, addresses, times */
};

/* Of seconds and milliseconds: what no sum of them overflows. */
static const int64_t TIME_MAX = 1LL << 52;

static const char hex_digit[] = "0123456789abcdef";

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

static char *put_hex(char *to, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		*to++ = hex_digit[bytes[i] >> 4];
		*to++ = hex_digit[bytes[i] & 15];
	}
	return to;
}

static char *put_number(char *to, int64_t number)
{
	char digits[20];
	uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
	size_t at = sizeof(digits);

	if (number < 0)
		*to++ = '-';
	do
		digits[--at] = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	memcpy(to, digits + at, sizeof(digits) - at);
	return to + sizeof(digits) - at;
}

/* A text of at most that size with its zero; key: all that stands before it.  What is no plain ASCII is written as \u00XX: names
 * are plain, but a line has to be JSON whatever they are. */
static char *put_text(char *to, const char *key, const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	to = stpcpy(to, key);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)text[i];

		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
			*to++ = (char)c;
			continue;
		}
		to = stpcpy(to, "\\u00");
		to = put_hex(to, &c, 1);
	}
	*to++ = '"';
	return to;
}

/* Wall clock; not before the lease ends, which a client was told in whole seconds. */
static int64_t wall_end_s(uint64_t end_ms, const struct journal_clock *now)
{
	return end_ms >= now->now_ms ? now->wall_s + (int64_t)(end_ms - now->now_ms) / 1000 + 1
				     : now->wall_s - (int64_t)(now->now_ms - end_ms) / 1000;
}

/* All behind the state. */
static char *put_lease(char *to, const struct lease *l, const struct journal_clock *now)
{
	bool is_endless = l->end_ms > (uint64_t)TIME_MAX;
	char mac[MAC_TEXT];

	if (!mac_is_zero(&l->mac))
		to = put_text(to, ",\"mac\":\"", mac_text(&l->mac, mac), sizeof(mac));
	if (l->id_len) {
		to = put_hex(stpcpy(to, ",\"id\":\""), l->id, l->id_len);
		*to++ = '"';
	}
	if (l->name[0])
		to = put_text(to, ",\"name\":\"", l->name, sizeof(l->name));
	if (l->port[0])
		to = put_text(to, ",\"port\":\"", l->port, sizeof(l->port));
	if (l->is_relayed)
		to = stpcpy(to, ",\"relayed\":true");
	to = put_number(stpcpy(to, ",\"end_ms\":"), is_endless ? -1 : (int64_t)l->end_ms);
	to = put_number(stpcpy(to, ",\"end_s\":"), is_endless ? -1 : wall_end_s(l->end_ms, now));
	return put_number(stpcpy(to, ",\"at_s\":"), now->wall_s);
}

bool journal_add_lease(struct journal_buffer *b, const char *network, const struct lease *l,
		       bool is_gone, const struct journal_clock *now)
{
	char ip[IP_TEXT], *to;

	_Static_assert(ESCAPED * (LEASE_NET_SIZE + LEASE_NAME_SIZE + PORT_NAME_SIZE) +
				       2 * LEASE_ID_MAX + LINE_REST <=
			       JOURNAL_LINE_MAX,
		       "each line has room");
	if (!reserve(b, JOURNAL_LINE_MAX))
		return false;
	to = put_text(b->bytes + b->n, "{\"ip\":\"", ip_text(&l->ip, ip), sizeof(ip));
	to = put_text(to, ",\"net\":\"", network, LEASE_NET_SIZE);
	to = put_text(to, ",\"state\":\"", is_gone ? "gone" : lease_state_word(l->state),
		      STATE_SIZE);
	if (!is_gone)
		to = put_lease(to, l, now);
	to = stpcpy(to, "}\n");
	b->n = (size_t)(to - b->bytes);
	return true;
}

/* --- Reading --- */

enum field {
	IP,
	NET,
	STATE,
	MAC,
	ID,
	NAME,
	PORT,
	RELAYED,
	END_MS,
	END_S,
	AT_S,
	LEASES,
	GENERATION,
	BOOT,
	COMPLETE,
	FIELDS,
};

static const char *const field_name[FIELDS] = {
	"ip",	  "net",   "state", "mac",	   "id",	 "name", "port",     "relayed",
	"end_ms", "end_s", "at_s",  "vfab-leases", "generation", "boot", "complete",
};

/* What a line says of each field; texts lie in the line, or in what jansson made of it. */
struct value {
	enum { ABSENT, TEXT, NUMBER, YES, OTHER } kind;
	size_t n;
	const char *text;
	int64_t number;
};

struct reading {
	const char *at, *end;
	unsigned next; /* the field that most likely comes now */
	struct value v[FIELDS];
};

/* Behind the quote that begins a text.  False: it does not end, or is not plain. */
static bool scan_text(struct reading *r, const char **text, size_t *n)
{
	*text = r->at;
	while (r->at < r->end && *r->at != '"') {
		if (*r->at < 0x20 || *r->at > 0x7e || *r->at == '\\')
			return false;
		r->at++;
	}
	*n = (size_t)(r->at - *text);
	return r->at++ < r->end;
}

static bool scan_number(struct reading *r, int64_t *number)
{
	enum { DIGITS_MOST = 18 }; /* no sum of them overflows */
	bool is_negative = *r->at == '-';
	const char *first = r->at += is_negative;

	*number = 0;
	while (r->at < r->end && *r->at >= '0' && *r->at <= '9' && r->at - first < DIGITS_MOST)
		*number = 10 * *number + (*r->at++ - '0');
	if (is_negative)
		*number = -*number;
	return r->at > first && (*first != '0' || (r->at == first + 1 && !is_negative));
}

static bool scan_word(struct reading *r, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(r->end - r->at) < n || memcmp(r->at, word, n) != 0)
		return false;
	r->at += n;
	return true;
}

static bool scan_value(struct reading *r, struct value *v)
{
	if (v->kind != ABSENT || r->at >= r->end)
		return false;
	if (scan_word(r, "\"")) {
		v->kind = TEXT;
		return scan_text(r, &v->text, &v->n);
	}
	v->kind = YES;
	if (scan_word(r, "true"))
		return true;
	v->kind = OTHER;
	if (scan_word(r, "false"))
		return true;
	v->kind = NUMBER;
	return scan_number(r, &v->number);
}

static struct value *find_field(struct reading *r, const char *name, size_t n)
{
	for (unsigned i = 0; i < FIELDS; i++) {
		unsigned f = (r->next + i) % FIELDS;

		if (strlen(field_name[f]) == n && memcmp(field_name[f], name, n) == 0) {
			r->next = f + 1;
			return &r->v[f];
		}
	}
	return NULL;
}

/* A line as we write them, and a start has hundreds of thousands of: one object of known fields, each once, plain ASCII, no spaces.
 * False: it is something else, which may be JSON all the same. */
static bool scan(struct reading *r, const char *text, size_t n)
{
	*r = (struct reading){.at = text, .end = text + n};
	if (!scan_word(r, "{"))
		return false;
	do {
		const char *name;
		struct value *v;

		if (!scan_word(r, "\"") || !scan_text(r, &name, &n) || !scan_word(r, ":"))
			return false;
		v = find_field(r, name, n);
		if (!v || !scan_value(r, v))
			return false;
	} while (scan_word(r, ","));
	return scan_word(r, "}") && r->at == r->end;
}

static void take_json(struct reading *r, const json_t *json)
{
	*r = (struct reading){0};
	for (unsigned i = 0; i < FIELDS; i++) {
		const json_t *from = json_object_get(json, field_name[i]);
		struct value *v = &r->v[i];

		v->kind = !from			  ? ABSENT
			  : json_is_string(from)  ? TEXT
			  : json_is_integer(from) ? NUMBER
			  : json_is_true(from)	  ? YES
						  : OTHER;
		v->text = json_string_value(from);
		v->n = json_string_length(from);
		v->number = json_integer_value(from);
	}
}

/* The text of that field; false: it is no text, or longer than there is room.  "" where there is no such field. */
static bool text_of(const struct value *v, char *out, size_t size)
{
	out[0] = '\0';
	if (v->kind == ABSENT)
		return true;
	if (v->kind != TEXT || v->n >= size || memchr(v->text, 0, v->n))
		return false;
	memcpy(out, v->text, v->n);
	out[v->n] = '\0';
	return true;
}

static bool time_of(const struct value *v, int64_t *out)
{
	*out = v->number;
	return v->kind == NUMBER && *out >= -TIME_MAX && *out <= TIME_MAX;
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

static bool read_lease(const struct reading *r, struct journal_line *out)
{
	char ip[IP_TEXT], state[STATE_SIZE], mac[MAC_TEXT], id[HEX];
	const struct value *v = r->v;
	struct lease *l = &out->l;

	if (!text_of(&v[IP], ip, sizeof(ip)) || !ip_parse(ip, &l->ip) ||
	    !text_of(&v[NET], out->network, sizeof(out->network)) ||
	    !text_of(&v[STATE], state, sizeof(state)) || !state_of(state, out))
		return false;
	if (out->kind == JOURNAL_GONE)
		return true;
	l->is_relayed = v[RELAYED].kind == YES;
	return text_of(&v[MAC], mac, sizeof(mac)) && (!mac[0] || mac_parse(mac, &l->mac)) &&
	       text_of(&v[ID], id, sizeof(id)) && id_of(id, &out->id) &&
	       text_of(&v[NAME], l->name, sizeof(l->name)) &&
	       text_of(&v[PORT], l->port, sizeof(l->port)) && time_of(&v[END_MS], &out->end_ms) &&
	       time_of(&v[END_S], &out->end_s) && time_of(&v[AT_S], &out->at_s) &&
	       out->end_ms >= -1;
}

static bool read_head(const struct reading *r, struct journal_line *out)
{
	const struct value *generation = &r->v[GENERATION];

	out->kind = JOURNAL_HEAD;
	if (r->v[LEASES].kind != NUMBER || r->v[LEASES].number != VERSION ||
	    generation->kind != NUMBER || generation->number < 1 || generation->number > TIME_MAX)
		return false;
	out->generation = (uint64_t)generation->number;
	return text_of(&r->v[BOOT], out->boot, sizeof(out->boot));
}

static bool read_fields(const struct reading *r, struct journal_line *out)
{
	if (r->v[IP].kind != ABSENT)
		return read_lease(r, out);
	if (r->v[LEASES].kind != ABSENT)
		return read_head(r, out);
	out->kind = JOURNAL_COMPLETE;
	if (r->v[COMPLETE].kind == YES)
		return true;
	out->kind = JOURNAL_BOOT;
	return r->v[BOOT].kind != ABSENT && text_of(&r->v[BOOT], out->boot, sizeof(out->boot));
}

void journal_read_line(const char *text, size_t n, struct journal_line *out)
{
	json_t *json = NULL;
	struct reading r;
	bool is_read = n < JOURNAL_LINE_MAX && scan(&r, text, n);

	*out = (struct journal_line){0};
	if (!is_read && n < JOURNAL_LINE_MAX && (json = json_loadb(text, n, 0, NULL))) {
		take_json(&r, json);
		is_read = true;
	}
	if (!is_read || !read_fields(&r, out))
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
