/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl: the control socket: the table of verbs, the check of a request against it, answers.
 *
 *   ctl_client.c --- whole line ---> ctl.c --- checked request ---> show*.c  ctl_conf.c  watch.c
 *        ^                                                                |
 *        +------------------- one line, or a stream of them --------------+
 *
 * switch.c creates it.  A request is looked at three times: how many values and how deep (before
 * anything is allocated for it: twelve megabytes of "[],[],..." would become a gigabyte of
 * values), as JSON without duplicate keys, and against the row of its verb: every member known and of its type.
 * A handler finds what the table says and nothing else.
 *
 * Trust.  The bytes are a client's.  What passes here has types and ranges; names, texts and filters
 * are still the client's words, and the handlers check them.
 */
#include "switch/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "switch/base/log.h"
#include "switch/base/units.h"
#include "switch/ctl_client.h"
#include "switch/ctl_conf.h"
#include "switch/daemon.h"

enum {
	VALUES_MAX = 65536, /* of a request: a pcap filter has 4096 instructions of 5 values */
	DEPTH_MAX = 8,
	ARGS_MAX = 6,
	ERROR_SIZE = 512,
};

struct ctl {
	struct daemon *d;
	struct clients *clients;
	uint64_t started_ms;
};

enum arg_kind { ARG_TEXT, ARG_FLAG, ARG_NUMBER, ARG_WORD, ARG_ARRAY };

/* A member of a request. */
struct arg {
	const char *name;
	enum arg_kind kind;
	bool is_required;
	json_int_t min, max;  /* NUMBER; TEXT: max is its bytes, 0: any */
	const char *words[4]; /* WORD */
};

struct verb {
	const char *name;
	ctl_handler handler;
	const char *help;
	struct arg args[ARGS_MAX];
};

static void show_help(struct daemon *d, struct client *cl, const json_t *req);

#define NAME_MAX_ARG .max = CONF_NAME_SIZE - 1

static const struct verb verbs[] = {
	{"help", show_help, "the verbs of the control protocol", {{0}}},
	{"version", show_version, "the switch: version, process, restarts", {{0}}},
	{"conf.merge",
	 ctl_conf_merge,
	 "adds, changes or removes objects",
	 {{.name = "how", .kind = ARG_WORD, .is_required = true, .words = {"add", "set", "del"}},
	  {.name = "text", .kind = ARG_TEXT, .is_required = true},
	  {.name = "may_wait", .kind = ARG_FLAG}}},
	{"conf.apply",
	 ctl_conf_apply,
	 "replaces the configuration",
	 {{.name = "text", .kind = ARG_TEXT, .is_required = true},
	  {.name = "confirm_s", .kind = ARG_NUMBER, .min = 1, .max = 86400}}},
	{"conf.diff",
	 ctl_conf_diff,
	 "what conf.apply would change",
	 {{.name = "text", .kind = ARG_TEXT, .is_required = true}}},
	{"conf.show",
	 ctl_conf_show,
	 "the running configuration as YAML",
	 {{.name = "to_save", .kind = ARG_FLAG}}},
	{"conf.save", ctl_conf_save, "rewrites the file given with -c", {{0}}},
	{"conf.confirm", ctl_conf_confirm, "keeps what conf.apply with confirm_s brought", {{0}}},
	{"port.ls", show_ports, "ports", {{0}}},
	{"net.ls", show_networks, "networks", {{0}}},
	{"mac.ls",
	 show_macs,
	 "addresses and the ports they are behind",
	 {{.name = "network", .kind = ARG_TEXT, NAME_MAX_ARG},
	  {.name = "port", .kind = ARG_TEXT, NAME_MAX_ARG}}},
	{"mac.flush",
	 show_mac_flush,
	 "forgets learned addresses",
	 {{.name = "network", .kind = ARG_TEXT, NAME_MAX_ARG},
	  {.name = "port", .kind = ARG_TEXT, NAME_MAX_ARG}}},
	{"uplink.ls", show_uplinks, "ways out", {{0}}},
	{"forward.ls",
	 show_forwards,
	 "static forwards",
	 {{.name = "network", .kind = ARG_TEXT, NAME_MAX_ARG}}},
	{"route.ls", show_routes, "which network may begin to speak to which", {{0}}},
	{"neigh.ls",
	 show_neighs,
	 "addresses and the stations that have them, as the gateway knows them",
	 {{.name = "network", .kind = ARG_TEXT, NAME_MAX_ARG},
	  {.name = "uplink", .kind = ARG_TEXT, NAME_MAX_ARG}}},
	{"neigh.flush",
	 show_neigh_flush,
	 "forgets them",
	 {{.name = "network", .kind = ARG_TEXT, NAME_MAX_ARG},
	  {.name = "uplink", .kind = ARG_TEXT, NAME_MAX_ARG}}},
	{"nat.ls",
	 show_sessions,
	 "sessions of the NAT",
	 {{.name = "network", .kind = ARG_TEXT, NAME_MAX_ARG},
	  {.name = "port", .kind = ARG_TEXT, NAME_MAX_ARG},
	  {.name = "proto", .kind = ARG_WORD, .words = {"tcp", "udp", "icmp"}}}},
	{"nat.flush",
	 show_session_flush,
	 "ends sessions of the NAT",
	 {{.name = "network", .kind = ARG_TEXT, NAME_MAX_ARG},
	  {.name = "port", .kind = ARG_TEXT, NAME_MAX_ARG},
	  {.name = "proto", .kind = ARG_WORD, .words = {"tcp", "udp", "icmp"}}}},
	{"nat.stats", show_nat_stats, "how full the NAT is, and what it refused", {{0}}},
	{"lease.ls",
	 show_leases,
	 "addresses and who has them",
	 {{.name = "network", .kind = ARG_TEXT, NAME_MAX_ARG}}},
	{"lease.release",
	 show_lease_release,
	 "ends a lease",
	 {{.name = "ip", .kind = ARG_TEXT, .is_required = true, .max = IP_TEXT},
	  {.name = "network", .kind = ARG_TEXT, NAME_MAX_ARG}}},
	{"lease.stats", show_lease_stats, "what the servers of addresses and names did", {{0}}},
	{"debug.clock",
	 show_clock,
	 "puts the clock of a test build ahead",
	 {{.name = "advance_ms",
	   .kind = ARG_NUMBER,
	   .is_required = true,
	   .min = 1,
	   .max = INT64_C(100) * 86400000}}},
	{"drops",
	 show_drops,
	 "frames that reached no output, by port and reason",
	 {{.name = "port", .kind = ARG_TEXT, NAME_MAX_ARG}}},
	{"stats", show_stats, "counters of every port", {{0}}},
	{"events",
	 show_events,
	 "what happened",
	 {{.name = "since_ms", .kind = ARG_NUMBER, .max = INT64_MAX},
	  {.name = "follow", .kind = ARG_FLAG}}},
	{"trace",
	 watch_trace,
	 "what the switch does with frames",
	 {{.name = "filter", .kind = ARG_ARRAY},
	  {.name = "sees_tag", .kind = ARG_FLAG},
	  {.name = "port", .kind = ARG_TEXT, NAME_MAX_ARG},
	  {.name = "count", .kind = ARG_NUMBER, .min = 1, .max = INT64_MAX},
	  {.name = "drops", .kind = ARG_FLAG}}},
	{"capture",
	 watch_capture,
	 "frames as pcapng into the descriptor that comes along",
	 {{.name = "port", .kind = ARG_TEXT, .is_required = true, NAME_MAX_ARG},
	  {.name = "dir", .kind = ARG_WORD, .words = {"rx", "tx", "both"}},
	  {.name = "filter", .kind = ARG_ARRAY},
	  {.name = "sees_tag", .kind = ARG_FLAG},
	  {.name = "count", .kind = ARG_NUMBER, .min = 1, .max = INT64_MAX},
	  {.name = "snaplen", .kind = ARG_NUMBER, .min = 0, .max = 262144}}},
};

enum { VERBS = sizeof(verbs) / sizeof(*verbs) };

static void show_help(struct daemon *d, struct client *cl, const json_t *req)
{
	json_t *rows = json_array();
	size_t i;

	(void)d;
	(void)req;
	for (i = 0; rows && i < VERBS; i++)
		json_array_append_new(
			rows, json_pack("{s:s,s:s}", "verb", verbs[i].name, "help", verbs[i].help));
	ctl_answer(cl, rows);
}

/* Memory */

/*
 * What jansson gets, in the control thread, which alone uses it.
 *
 * Without memory it builds on: an array lacks a row, an object a member, and nobody says so; `lacked` does.
 * Its parser is worse: a string of which a byte could not be kept fails an assertion.  So a request is parsed in a piece
 * that is large enough and taken before.
 */
static struct {
	bool lacked;
	bool is_parsing;
	char *piece; /* holds a request until it is answered */
	size_t size, used;
} memory;

enum {
	PIECE_FIXED = 4096,
	PIECE_OF_BYTE = 8,    /* a buffer that doubles as it grows, and each string once or twice */
	PIECE_OF_VALUE = 384, /* with a table of its own, and a place in another */
};

static void *json_memory(size_t n)
{
	size_t room = memory.size - memory.used, rounded = (n + 15) & ~(size_t)15;
	void *p;

	if (memory.is_parsing && n <= rounded && rounded <= room) {
		memory.used += rounded;
		return memory.piece + memory.used - rounded;
	}
	p = malloc(n);
	if (!p)
		memory.lacked = true;
	return p;
}

static void json_release(void *p)
{
	if ((uintptr_t)p - (uintptr_t)memory.piece >= memory.size)
		free(p);
}

/* Whether what was built since the last call is incomplete. */
static bool take_lack(void)
{
	bool lacked = memory.lacked;

	memory.lacked = false;
	return lacked;
}

/* Answers */

static int dump_chunk(const char *bytes, size_t n, void *cl)
{
	return client_queue(cl, bytes, n) ? 0 : -1;
}

/* Queues one object as a line; steals it. */
static bool queue_line(struct client *cl, json_t *obj)
{
	bool ok = obj && json_dump_callback(obj, dump_chunk, cl, JSON_COMPACT) == 0 &&
		  client_queue(cl, "\n", 1);

	json_decref(obj);
	return ok;
}

static void refuse(struct client *cl, json_t *refusal)
{
	if (client_is_busy(cl)) {
		client_unqueue(cl);
		queue_line(cl, refusal);
	} else {
		json_decref(refusal);
	}
	client_end(cl);
}

void ctl_answer(struct client *cl, json_t *result)
{
	json_t *obj = result ? json_pack("{s:b,s:o}", "ok", 1, "result", result) : NULL;

	if (take_lack() || !obj) {
		json_decref(obj);
		ctl_refuse(cl, 1, "no memory for the answer");
		return;
	}
	if (!queue_line(cl, obj))
		ctl_refuse(cl, 1, "the answer is too large");
	else
		client_end(cl);
}

void ctl_refuse(struct client *cl, int status, const char *fmt, ...)
{
	char text[ERROR_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	refuse(cl, json_pack("{s:b,s:i,s:o}", "ok", 0, "status", status, "error", ctl_text(text)));
}

void ctl_refuse_conf(struct client *cl, int status, const struct conf_error *err)
{
	json_t *obj =
		json_pack("{s:b,s:i,s:o}", "ok", 0, "status", status, "error", ctl_text(err->text));

	if (err->object[0])
		json_object_set_new(obj, "object", ctl_text(err->object));
	if (err->path[0])
		json_object_set_new(obj, "path", ctl_text(err->path));
	if (err->line > 0)
		json_object_set_new(obj, "line", json_integer(err->line));
	if (err->column > 0)
		json_object_set_new(obj, "column", json_integer(err->column));
	refuse(cl, obj);
}

/* Streams */

void ctl_stream_begin(struct client *cl, void (*on_close)(void *arg), void *arg)
{
	if (!client_stream_begin(cl, on_close, arg))
		ctl_refuse(cl, 1, "%d streams are open already", CTL_STREAMS_MAX);
	else if (!queue_line(cl, json_pack("{s:b,s:b}", "ok", 1, "stream", 1)))
		client_end(cl);
}

bool ctl_stream_line(struct client *cl, const char *line, size_t n)
{
	return client_queue_line(cl, line, n);
}

bool ctl_stream_send(struct client *cl, json_t *obj)
{
	char *line = obj ? json_dumps(obj, JSON_COMPACT) : NULL;
	bool ok = !take_lack() && line && client_queue_line(cl, line, strlen(line));

	free(line);
	json_decref(obj);
	return ok;
}

void ctl_stream_end(struct client *cl)
{
	client_end(cl);
}

/* Requests */

/*
 * Counts the values and the depth of what may be JSON: commas and brackets outside of strings.  Anything
 * goes otherwise; the parser will say.
 */
static bool is_modest(const char *text, size_t n, size_t *n_values)
{
	size_t i, values = 1;
	unsigned depth = 0;
	bool in_string = false;

	for (i = 0; i < n; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
			continue;
		}
		in_string = text[i] == '"';
		if (text[i] == '[' || text[i] == '{') {
			if (++depth > DEPTH_MAX)
				return false;
		} else if ((text[i] == ']' || text[i] == '}') && depth > 0) {
			depth--;
		} else if (text[i] != ',') {
			continue;
		}
		if (++values > VALUES_MAX)
			return false;
	}
	*n_values = values;
	return true;
}

static const struct verb *find_verb(const char *name)
{
	size_t i;

	for (i = 0; i < VERBS; i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

static const struct arg *find_arg(const struct verb *v, const char *name)
{
	size_t i;

	for (i = 0; i < ARGS_MAX && v->args[i].name; i++) {
		if (strcmp(v->args[i].name, name) == 0)
			return &v->args[i];
	}
	return NULL;
}

/* " (did you mean "word"?)" or "". */
static const char *hint(const char *word, const char *const *words, char *buf, size_t size)
{
	const char *near = nearest_word(word, words);

	buf[0] = '\0';
	if (near)
		snprintf(buf, size, " (did you mean \"%s\"?)", near);
	return buf;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++) {
		if (strcmp(*words, word) == 0)
			return true;
	}
	return false;
}

/* Says in want what the member should be when it is not. */
static bool check_arg(const struct arg *a, const json_t *value, char *want, size_t size)
{
	json_int_t n = json_integer_value(value);

	switch (a->kind) {
	case ARG_TEXT:
		if (a->max > 0)
			snprintf(want, size, "a string of 1 to %lld bytes", (long long)a->max);
		else
			snprintf(want, size, "a string");
		return json_is_string(value) &&
		       (a->max == 0 || (json_string_length(value) > 0 &&
					json_string_length(value) <= (size_t)a->max));
	case ARG_FLAG:
		snprintf(want, size, "true or false");
		return json_is_boolean(value);
	case ARG_NUMBER:
		snprintf(want, size, "a number from %lld to %lld", (long long)a->min,
			 (long long)a->max);
		return json_is_integer(value) && n >= a->min && n <= a->max;
	case ARG_WORD:
		snprintf(want, size, "%s, %s or %s", a->words[0], a->words[1], a->words[2]);
		return json_is_string(value) && is_one_of(json_string_value(value), a->words);
	case ARG_ARRAY:
		snprintf(want, size, "an array");
		return json_is_array(value);
	}
	return false;
}

/* Every member known and of its type, none missing.  False: refused. */
static bool check_request(struct client *cl, const struct verb *v, json_t *req)
{
	const char *names[ARGS_MAX + 1] = {0}, *key;
	char buf[128];
	const struct arg *a;
	json_t *value;
	size_t i;

	for (i = 0; i < ARGS_MAX && v->args[i].name; i++)
		names[i] = v->args[i].name;
	json_object_foreach(req, key, value)
	{
		if (strcmp(key, "verb") == 0)
			continue;
		a = find_arg(v, key);
		if (!a) {
			ctl_refuse(cl, 2, "verb %s: unknown member \"%.64s\"%s", v->name, key,
				   hint(key, names, buf, sizeof(buf)));
			return false;
		}
		if (!check_arg(a, value, buf, sizeof(buf))) {
			ctl_refuse(cl, 2, "verb %s: \"%s\" must be %s", v->name, key, buf);
			return false;
		}
	}
	for (i = 0; i < ARGS_MAX && v->args[i].name; i++) {
		if (v->args[i].is_required && !json_object_get(req, v->args[i].name)) {
			ctl_refuse(cl, 2, "verb %s: \"%s\" is missing", v->name, v->args[i].name);
			return false;
		}
	}
	return true;
}

static void refuse_verb(struct client *cl, const char *name)
{
	const char *names[VERBS + 1] = {0};
	char buf[64];
	size_t i;

	for (i = 0; i < VERBS; i++)
		names[i] = verbs[i].name;
	ctl_refuse(cl, 2, "unknown verb \"%.64s\"%s", name, hint(name, names, buf, sizeof(buf)));
}

static void dispatch(struct ctl *c, struct client *cl, json_t *req)
{
	const char *name = json_string_value(json_object_get(req, "verb"));
	const struct verb *v = name ? find_verb(name) : NULL;

	if (!name) {
		ctl_refuse(cl, 2, "a request is an object with a \"verb\"");
		return;
	}
	if (!v) {
		refuse_verb(cl, name);
		return;
	}
	if (!check_request(cl, v, req))
		return;
	log_debug("control: %s from process %d of user %u", name, (int)client_pid(cl),
		  (unsigned)client_uid(cl));
	v->handler(c->d, cl, req);
	if (client_is_busy(cl)) {
		log_err("control: %s gave no answer", name);
		ctl_refuse(cl, 1, "verb %s gave no answer", name);
	}
}

static json_t *parse(const char *text, size_t n, size_t n_values, json_error_t *err)
{
	json_t *req;

	memory.size = PIECE_FIXED + PIECE_OF_BYTE * n + PIECE_OF_VALUE * n_values;
	memory.used = 0;
	memory.piece = malloc(memory.size);
	if (!memory.piece) {
		memory.size = 0;
		memory.lacked = true;
		return NULL;
	}
	memory.is_parsing = true;
	req = json_loadb(text, n, JSON_REJECT_DUPLICATES, err);
	memory.is_parsing = false;
	return req;
}

static void on_request(void *arg, struct client *cl, const char *text, size_t n)
{
	json_error_t err = {0};
	size_t n_values;
	json_t *req;

	if (!is_modest(text, n, &n_values)) {
		ctl_refuse(cl, 2, "the request has too many values, or is nested too deeply");
		return;
	}
	take_lack();
	req = parse(text, n, n_values, &err);
	if (take_lack())
		ctl_refuse(cl, 1, "no memory for the request");
	else if (!req)
		ctl_refuse(cl, 2, "the request is not JSON: column %d: %s", err.column, err.text);
	else
		dispatch(arg, cl, req);
	json_decref(req);
	free(memory.piece);
	memory.piece = NULL;
	memory.size = memory.used = 0;
}

static void on_refused(struct client *cl, const char *why)
{
	ctl_refuse(cl, 1, "%s", why);
}

/* Exported */

/* Gives jansson its hash seed: it would open /dev/urandom, which the sandbox kills for. */
static int seed_jansson(void)
{
	uint32_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		return -1;
	json_object_seed(seed | 1);
	return 0;
}

struct ctl *ctl_create(struct daemon *d, int listen_fd)
{
	struct client_calls calls = {
		.request = on_request, .refused = on_refused, .patience_ms = CTL_REQUEST_MS};
	struct ctl *c = calloc(1, sizeof(*c));
	struct timespec now;

	if (!c)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	json_set_alloc_funcs(json_memory, json_release);
	c->d = d;
	c->started_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	calls.arg = c;
	if (!seed_jansson())
		c->clients = clients_create(d->loop, listen_fd, &calls);
	if (c->clients)
		return c;
	free(c);
	return NULL;
}

void ctl_destroy(struct ctl *c)
{
	if (!c)
		return;
	clients_destroy(c->clients);
	free(c);
}

int ctl_take_fd(struct client *cl)
{
	return client_take_fd(cl);
}

uint64_t ctl_started_ms(const struct ctl *c)
{
	return c->started_ms;
}

json_t *ctl_text(const char *text)
{
	json_t *value = json_string(text);
	char *copy;
	size_t i;

	if (value)
		return value;
	copy = strdup(text);
	if (!copy)
		return NULL;
	for (i = 0; copy[i]; i++) {
		if (copy[i] & 0x80)
			copy[i] = '?';
	}
	value = json_string(copy);
	free(copy);
	return value;
}

/* Civil date from days: years begin in March, so that the leap day is the last; 146097 days are 400 years. */
const char *ctl_time(uint64_t ms, char buf[static CTL_TIME_TEXT])
{
	uint64_t s = ms / 1000, days = s / 86400 + 719468; /* since 0000-03-01 */
	unsigned of_day = (unsigned)(s % 86400), doe, yoe, doy, month, year;

	doe = (unsigned)(days % 146097);
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	month = (5 * doy + 2) / 153; /* 0: March */
	year = (unsigned)(days / 146097 % 25) * 400 + yoe + (month >= 10);
	snprintf(buf, CTL_TIME_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year,
		 month < 10 ? month + 3 : month - 9, doy - (153 * month + 2) / 5 + 1, of_day / 3600,
		 of_day / 60 % 60, of_day % 60, (unsigned)(ms % 1000));
	return buf;
}
