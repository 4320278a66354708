/* SPDX-License-Identifier: GPL-2.0-or-later */
/* expect: what cmocka tests of the control socket share: a world for each test, and answers that must hold something. */
#ifndef VFAB_TESTS_EXPECT_H
#define VFAB_TESTS_EXPECT_H

#include "tests/lib/world.h"

/* Setup and teardown: *state is a struct world.  Descriptors are allowed as many as the system lets us. */
int expect_setup(void **state);
int expect_teardown(void **state);

/* The answer to a request must contain part. */
void expect(struct world *w, const char *request, const char *part);
/* The result of a request that must be granted; the caller's. */
json_t *expect_result(struct world *w, const char *request);
struct port *expect_port(struct world *w, const char *name);

/* Requests; text is YAML, quoted for C and for JSON. */
#define MERGE(how, text) "{\"verb\":\"conf.merge\",\"how\":\"" how "\",\"text\":\"" text "\"}"
#define APPLY(text)	 "{\"verb\":\"conf.apply\",\"text\":\"" text "\"}"
#define APPLY_1S(text)	 "{\"verb\":\"conf.apply\",\"confirm_s\":1,\"text\":\"" text "\"}"

#endif
