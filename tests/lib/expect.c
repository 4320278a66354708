/* SPDX-License-Identifier: GPL-2.0-or-later */
/* expect: helpers of the cmocka tests of the control socket. */
#include "tests/lib/expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tests/lib/fake_broker.h"

int expect_setup(void **state)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	*state = world_create();
	return *state ? 0 : -1;
}

int expect_teardown(void **state)
{
	world_destroy(*state);
	fake_broker_reset();
	return 0;
}

void expect(struct world *w, const char *request, const char *part)
{
	char *line = world_ask(w, request);

	if (!line)
		fail_msg("no answer to %.200s", request);
	if (!strstr(line, part))
		fail_msg("%.200s\nanswered %.1000s\nnot %s", request, line, part);
	free(line);
}

json_t *expect_result(struct world *w, const char *request)
{
	char *line = world_ask(w, request);
	json_t *answer, *result;

	assert_non_null(line);
	answer = json_loads(line, 0, NULL);
	assert_non_null(answer);
	if (!json_is_true(json_object_get(answer, "ok")))
		fail_msg("%s answered %s", request, line);
	result = json_incref(json_object_get(answer, "result"));
	json_decref(answer);
	free(line);
	return result;
}

struct port *expect_port(struct world *w, const char *name)
{
	unsigned i;

	for (i = 0; i < SLOT_MAX; i++) {
		if (w->d.port[i] && strcmp(w->d.port[i]->name, name) == 0)
			return w->d.port[i];
	}
	fail_msg("no port %s", name);
	return NULL;
}
