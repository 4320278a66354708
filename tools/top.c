/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top: `vfab stats` and `vfab top`: counters, and their rates.
 *
 * Rates are differences of two answers over the time between them.  `top` sorts the ports by traffic and
 * redraws every second on the terminal's other screen; with no terminal it prints one round
 * after a second.
 *
 *   stats t0 ---- 1 s ---- stats t1     (t1 - t0) / elapsed = one row a port
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "switch/base/loop.h"
#include "tools/client.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

enum { ROUND_MS = 1000, SCREEN_ROWS = 24, HEAD_ROWS = 3, DROP_ROWS = 6 };

const struct verb_option stats_options[] = {
	{"watch", 0, NULL, AS_LOCAL, NULL, "rates, again every second"},
	{0},
};

static const struct column stats_columns[] = {
	{.head = "PORT", .path = "port"},
	{.head = "STATE", .path = "state"},
	{.head = "RX-FRAMES", .path = "rx.frames", .is_right = true},
	{.head = "RX-BYTES", .path = "rx.bytes", .is_right = true},
	{.head = "TX-FRAMES", .path = "tx.frames", .is_right = true},
	{.head = "TX-BYTES", .path = "tx.bytes", .is_right = true},
	{.head = "LOST", .path = "tx.lost", .is_right = true},
	{.head = "FORWARDED", .path = "forwarded", .is_right = true},
	{.head = "LOCAL", .path = "local", .is_right = true},
	{.head = "DROPS", .path = "drops", .is_right = true},
};

static void write_rate(json_t *v, char buf[static CELL_TEXT])
{
	char figure[FIGURE_TEXT];

	snprintf(buf, CELL_TEXT, "%s", text_figure(json_number_value(v), figure));
}

static const struct column rate_columns[] = {
	{.head = "PORT", .path = "port"},
	{.head = "STATE", .path = "state"},
	{.head = "RX-FRAME/S", .path = "rx.frames_s", .is_right = true, .write = write_rate},
	{.head = "RX-BIT/S", .path = "rx.bits_s", .is_right = true, .write = write_rate},
	{.head = "TX-FRAME/S", .path = "tx.frames_s", .is_right = true, .write = write_rate},
	{.head = "TX-BIT/S", .path = "tx.bits_s", .is_right = true, .write = write_rate},
	{.head = "LOST/S", .path = "tx.lost_s", .is_right = true, .write = write_rate},
	{.head = "DROPS/S", .path = "drops_s", .is_right = true, .write = write_rate},
};

enum { N_STATS = sizeof(stats_columns) / sizeof(stats_columns[0]) };
enum { N_RATES = sizeof(rate_columns) / sizeof(rate_columns[0]) };

/* One look at the counters. */
struct look {
	json_t *ports; /* {name: row of stats} */
	uint64_t at_ms;
};

static int look_take(struct look *l)
{
	json_t *rows, *row;
	const char *name;
	size_t i;
	int rc;

	rc = client_ask(client_request("stats"), NULL, &rows);
	if (rc)
		return rc;
	l->at_ms = clock_ms();
	l->ports = need(json_object());
	json_array_foreach(rows, i, row)
	{
		name = json_string_value(json_object_get(row, "port"));
		if (name)
			json_object_set(l->ports, name, row);
	}
	json_decref(rows);
	return 0;
}

/* How much the counter at path grew, in a second.  A counter that shrank was begun anew: it counts whole. */
static double rate_of(json_t *was, json_t *is, const char *path, double seconds)
{
	double a, b;

	a = json_number_value(table_at(was, path));
	b = json_number_value(table_at(is, path));
	return (b < a ? b : b - a) / seconds;
}

static json_t *rate_row(const char *name, json_t *was, json_t *is, double s)
{
	json_t *state;

	state = json_object_get(is, "state");
	state = json_is_string(state) ? json_incref(state) : json_null();
	return need(json_pack(
		"{s:s,s:o,s:{s:f,s:f},s:{s:f,s:f,s:f},s:f}", "port", name, "state", state, "rx",
		"frames_s", rate_of(was, is, "rx.frames", s), "bits_s",
		8 * rate_of(was, is, "rx.bytes", s), "tx", "frames_s",
		rate_of(was, is, "tx.frames", s), "bits_s", 8 * rate_of(was, is, "tx.bytes", s),
		"lost_s", rate_of(was, is, "tx.lost", s), "drops_s", rate_of(was, is, "drops", s)));
}

static double traffic_of(json_t *row)
{
	return json_number_value(table_at(row, "rx.bits_s")) +
	       json_number_value(table_at(row, "tx.bits_s"));
}

static int by_traffic(const void *a, const void *b)
{
	double x, y;

	x = traffic_of(*(json_t *const *)a);
	y = traffic_of(*(json_t *const *)b);
	return x < y ? 1 : x > y ? -1 : 0;
}

/* The rates between two looks, at most limit rows, the busiest port first when sorted. */
static json_t *rates(const struct look *was, const struct look *is, bool sorted, size_t limit)
{
	json_t *row, *old, *array, **rows;
	const char *name;
	double seconds;
	size_t i, n;

	seconds = (double)(is->at_ms - was->at_ms + !(is->at_ms - was->at_ms)) / 1000;
	rows = need(calloc(json_object_size(is->ports) + 1, sizeof(*rows)));
	n = 0;
	json_object_foreach(is->ports, name, row)
	{
		old = json_object_get(was->ports, name);
		if (old)
			rows[n++] = rate_row(name, old, row, seconds);
	}
	if (sorted)
		qsort(rows, n, sizeof(*rows), by_traffic);
	array = need(json_array());
	for (i = 0; i < n; i++) {
		if (i < limit)
			json_array_append(array, rows[i]);
		json_decref(rows[i]);
	}
	free(rows);
	return array;
}

/* Waits a round; false when q was typed or the user interrupted. */
static bool wait_round(bool with_keys)
{
	struct pollfd p = {.fd = with_keys ? STDIN_FILENO : -1, .events = POLLIN};
	uint64_t until, now;
	char key;

	until = clock_ms() + ROUND_MS;
	for (now = clock_ms(); now < until; now = clock_ms()) {
		if (client_interrupted())
			return false;
		if (poll(&p, 1, (int)(until - now)) <= 0)
			continue;
		if (read(STDIN_FILENO, &key, 1) != 1)
			p.fd = -1;
		else if (key == 'q' || key == 'Q' || key == 3)
			return false;
	}
	return !client_interrupted();
}

typedef int (*round_fn)(const struct look *was, const struct look *is, const struct call *c);

/* Looks, waits, looks, shows: once, or until somebody stops it. */
static int run_rounds(const struct call *c, round_fn show, bool once, bool with_keys)
{
	struct look was, is;
	int rc;

	client_catch_signals();
	rc = look_take(&was);
	if (rc)
		return rc;
	while (wait_round(with_keys)) {
		rc = look_take(&is);
		if (rc)
			break;
		rc = show(&was, &is, c);
		json_decref(was.ports);
		was = is;
		if (rc || once)
			break;
	}
	json_decref(was.ports);
	return rc;
}

static int show_watch(const struct look *was, const struct look *is, const struct call *c)
{
	struct timespec now;
	json_t *array, *row;

	array = rates(was, is, false, SIZE_MAX);
	clock_gettime(CLOCK_REALTIME, &now);
	if (c->json) {
		row = need(json_pack("{s:I,s:O}", "time_ms",
				     (json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, "ports",
				     array));
		json_out(row, true);
		json_decref(row);
	} else {
		table_print(stdout, rate_columns, N_RATES, array);
		putchar('\n');
	}
	json_decref(array);
	return fflush(stdout) ? EXIT_REFUSED : 0;
}

int see_stats(const struct call *c)
{
	if (call_option(c, "watch"))
		return run_rounds(c, show_watch, false, false);
	return table_answer(c, client_request("stats"), stats_columns, N_STATS);
}

static size_t screen_rows(void)
{
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) || !w.ws_row)
		return SCREEN_ROWS;
	return w.ws_row;
}

static void cut(json_t *array, size_t limit)
{
	while (json_array_size(array) > limit)
		json_array_remove(array, json_array_size(array) - 1);
}

static int by_frames(const void *a, const void *b)
{
	json_int_t x, y;

	x = json_integer_value(json_object_get(*(json_t *const *)a, "frames"));
	y = json_integer_value(json_object_get(*(json_t *const *)b, "frames"));
	return x < y ? 1 : x > y ? -1 : 0;
}

/* The rows of `drops` with the most frames. */
static int top_drops(json_t **out)
{
	json_t *all, **rows;
	size_t i, n;
	int rc;

	rc = client_ask(client_request("drops"), NULL, &all);
	if (rc)
		return rc;
	n = json_array_size(all);
	rows = need(calloc(n + 1, sizeof(*rows)));
	for (i = 0; i < n; i++)
		rows[i] = json_array_get(all, i);
	qsort(rows, n, sizeof(*rows), by_frames);
	*out = need(json_array());
	for (i = 0; i < n; i++)
		json_array_append(*out, rows[i]);
	cut(*out, DROP_ROWS);
	free(rows);
	json_decref(all);
	return 0;
}

static int show_top(const struct look *was, const struct look *is, const struct call *c)
{
	static const struct column drop_columns[] = {
		{.head = "DROPPED ON", .path = "port"},
		{.head = "REASON", .path = "reason"},
		{.head = "FRAMES", .path = "frames", .is_right = true},
	};
	json_t *ports, *drops, *both;
	bool is_screen;
	size_t limit, rows;
	int rc;

	is_screen = isatty(STDOUT_FILENO) && !c->json;
	rows = screen_rows();
	limit = is_screen
			? (rows > HEAD_ROWS + DROP_ROWS + 4 ? rows - HEAD_ROWS - DROP_ROWS - 4 : 1)
			: SIZE_MAX;
	rc = top_drops(&drops);
	if (rc)
		return rc;
	ports = rates(was, is, true, limit);
	if (c->json) {
		both = need(json_pack("{s:O,s:O}", "ports", ports, "drops", drops));
		json_out(both, !isatty(STDOUT_FILENO));
		json_decref(both);
	} else {
		/* Home, then clear to the end: no flicker. */
		if (is_screen)
			printf("\033[H\033[J%s, %zu ports; q ends\n\n", client_socket(),
			       json_object_size(is->ports));
		table_print(stdout, rate_columns, N_RATES, ports);
		if (json_array_size(drops))
			putchar('\n');
		if (json_array_size(drops))
			table_print(stdout, drop_columns, 3, drops);
	}
	json_decref(ports);
	json_decref(drops);
	return fflush(stdout) ? EXIT_REFUSED : 0;
}

int see_top(const struct call *c)
{
	struct termios saved, raw;
	bool is_screen, has_keys;
	int rc;

	is_screen = isatty(STDOUT_FILENO) && !c->json;
	has_keys = is_screen && !tcgetattr(STDIN_FILENO, &saved);
	if (has_keys) {
		raw = saved;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		raw.c_cc[VMIN] = 0;
		raw.c_cc[VTIME] = 0;
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	if (is_screen)
		fputs("\033[?1049h\033[?25l", stdout);
	rc = run_rounds(c, show_top, !is_screen, has_keys);
	if (is_screen)
		fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	return rc;
}
