/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log: lines on standard error.
 *
 * Called from every thread of both processes.  A line is formatted on the caller's stack and leaves
 * in one write(2), so lines of two threads or processes never mix.  A reader of standard error that
 * stands still must not hold a data thread: a line for which there is no room is lost, and
 * the next one that passes says how many were.
 *
 * Trust.  A message may hold bytes of a guest, a client or a file.  Whatever is not printable ASCII
 * becomes '?': no line of ours can forge another or drive a terminal.
 */
#include "switch/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "switch/base/loop.h"

enum {
	LINE_SIZE = 1024, /* under PIPE_BUF, so a pipe that polls writable takes it whole */
	LINES_PER_S = 10,
};

static const char *const level_word[] = {
	[LOG_LEVEL_ERR] = "err",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static const char *log_name = "vfab";
static enum log_level log_level = LOG_LEVEL_INFO;
static _Atomic uint64_t log_lost; /* lines that standard error had no room for */

void log_init(const char *name, enum log_level level)
{
	log_name = name;
	log_level = level;
}

bool log_level_parse(const char *word, enum log_level *level)
{
	size_t i;

	for (i = 0; i < sizeof(level_word) / sizeof(level_word[0]); i++) {
		if (strcmp(word, level_word[i]) == 0) {
			*level = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* Writes the line if that does not block. */
static bool send_line(const char *line, size_t n)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT))
		return false;
	return write(STDERR_FILENO, line, n) == (ssize_t)n;
}

/* What each line starts with: our name, which is short, and the level. */
static int start_line(char *line, enum log_level level)
{
	return snprintf(line, LINE_SIZE, "%s: %s: ", log_name, level_word[level]);
}

static void report_lost(void)
{
	uint64_t lost = atomic_exchange_explicit(&log_lost, 0, memory_order_relaxed);
	char line[LINE_SIZE];
	int n;

	if (lost == 0)
		return;
	n = start_line(line, LOG_LEVEL_WARN);
	n += snprintf(line + n, LINE_SIZE - (size_t)n, "log: %llu lines lost\n",
		      (unsigned long long)lost);
	if (!send_line(line, (size_t)n))
		atomic_fetch_add_explicit(&log_lost, lost, memory_order_relaxed);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	int saved = errno, start, len;
	char line[LINE_SIZE];
	va_list ap;
	char *p;

	if (level > log_level)
		return;
	start = start_line(line, level);
	va_start(ap, fmt);
	len = vsnprintf(line + start, sizeof(line) - (size_t)start, fmt, ap);
	va_end(ap);
	if (len < 0)
		return;
	if (len > LINE_SIZE - 1 - start) {
		len = LINE_SIZE - 1 - start;
		memcpy(line + start + len - 3, "...", 3);
	}
	for (p = line + start; p < line + start + len; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
	*p = '\n'; /* where the NUL was */
	report_lost();
	if (!send_line(line, (size_t)(p + 1 - line)))
		atomic_fetch_add_explicit(&log_lost, 1, memory_order_relaxed);
	errno = saved;
}

bool log_allow(struct log_limit *limit)
{
	uint64_t now = clock_ms() / 1000 + 1; /* 0 is a limit that was never used */
	uint64_t was = atomic_load_explicit(&limit->second, memory_order_relaxed);

	/* Two threads at the turn of a second may let a few lines more through. */
	if (was != now && atomic_compare_exchange_strong(&limit->second, &was, now))
		atomic_store_explicit(&limit->lines, 0, memory_order_relaxed);
	return atomic_fetch_add_explicit(&limit->lines, 1, memory_order_relaxed) < LINES_PER_S;
}
