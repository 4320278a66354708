/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/base/log: the line, hostile text, limits, a reader that stands still. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/base/log.h"

/* Standard error while a test runs: a pipe that the test reads. */
static int reader = -1, saved = -1;
static char text[1 << 17];

static int setup(void **state)
{
	int fds[2];

	(void)state;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -1;
	reader = fds[0];
	if (fcntl(reader, F_SETFL, O_NONBLOCK) != 0)
		return -1;
	saved = dup(STDERR_FILENO);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	log_init("vfabd", LOG_LEVEL_INFO);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(reader);
	return 0;
}

static const char *read_log(void)
{
	ssize_t n, have = 0;

	while ((n = read(reader, text + have, sizeof(text) - 1 - (size_t)have)) > 0)
		have += n;
	text[have] = '\0';
	return text;
}

static void lines(void **state)
{
	(void)state;
	log_err("port %s: gone", "vm3");
	log_warn("two");
	log_info("three");
	log_debug("not at this level");
	assert_string_equal(read_log(), "vfabd: err: port vm3: gone\nvfabd: warn: two\n"
					"vfabd: info: three\n");
	log_init("vfabd", LOG_LEVEL_ERR);
	log_warn("nor this");
	assert_string_equal(read_log(), "");
}

static void hostile(void **state)
{
	char big[5000];
	const char *line;

	(void)state;
	log_warn("%s", "a\nvfabd: err: forged\r\x1b[2J\x7f\x80\xff~ z");
	assert_string_equal(read_log(), "vfabd: warn: a?vfabd: err: forged??[2J???~ z\n");
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	log_warn("%s", big);
	line = read_log();
	assert_int_equal(strlen(line), 1024);
	assert_string_equal(line + 1020, "...\n");
	log_warn("%s", "");
	assert_string_equal(read_log(), "vfabd: warn: \n");
}

static void levels(void **state)
{
	enum log_level l = LOG_LEVEL_DEBUG;

	(void)state;
	assert_true(log_level_parse("err", &l) && l == LOG_LEVEL_ERR);
	assert_true(log_level_parse("warn", &l) && l == LOG_LEVEL_WARN);
	assert_true(log_level_parse("info", &l) && l == LOG_LEVEL_INFO);
	assert_true(log_level_parse("debug", &l) && l == LOG_LEVEL_DEBUG);
	assert_false(log_level_parse("error", &l));
	assert_false(log_level_parse("", &l));
	assert_int_equal(l, LOG_LEVEL_DEBUG);
}

static void limited(void **state)
{
	const char *p;
	unsigned i, n = 0;

	(void)state;
	for (i = 0; i < 1000; i++)
		log_limited(LOG_LEVEL_WARN, "flood");
	for (p = read_log(); (p = strchr(p, '\n')); p++)
		n++;
	/* Ten, or twenty when the second turned meanwhile. */
	assert_true(n == 10 || n == 20);
}

/* Nobody reads: lines are lost and counted, and the caller goes on. */
static void stuck(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 10000; i++)
		log_info("line %u", i);
	assert_non_null(strstr(read_log(), "vfabd: info: line 0\n"));
	log_info("again");
	read_log();
	assert_non_null(strstr(text, "vfabd: warn: log: "));
	assert_non_null(strstr(text, " lines lost\nvfabd: info: again\n"));
	log_info("last");
	assert_string_equal(read_log(), "vfabd: info: last\n");
}

#define LOG_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LOG_TEST(lines),   LOG_TEST(hostile), cmocka_unit_test(levels),
		LOG_TEST(limited), LOG_TEST(stuck),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
