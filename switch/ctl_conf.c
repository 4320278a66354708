/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_conf: the verbs that change the configuration.
 *
 * ctl.c calls each with a checked request.  All go one way: text -> conf (merged into a copy of the
 * running one, or alone) -> validated -> plan, which is the answer -> apply_conf(), which swaps it in or
 * leaves everything as it is.
 *
 *    settled --- conf.apply with confirm_s ---> waiting --- conf.confirm ---> settled
 *       ^                                        |   ^
 *       +------- the time is up: back -----------+   +--- any change: part of what is to be confirmed
 *
 * Bad data has status 65 where it is a file's, 1 where a verb built it; everything else is 1.
 *
 * Trust.  The texts are the client's; conf.h parses and bounds them.
 */
#include "switch/ctl_conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/apply.h"
#include "switch/base/log.h"
#include "switch/broker.h"
#include "switch/daemon.h"

enum { STATUS_REFUSED = 1, STATUS_BAD_DATA = 65, RETRY_MS = 10000 };

/* Text of a request. */
struct text {
	const char *p;
	size_t n;
};

static struct text text_of(const json_t *req)
{
	const json_t *text = json_object_get(req, "text");

	return (struct text){json_string_value(text), json_string_length(text)};
}

static int status_of(int rc)
{
	return rc == -EINVAL ? STATUS_BAD_DATA : STATUS_REFUSED;
}

static int no_memory(struct conf_error *err)
{
	*err = (struct conf_error){0};
	snprintf(err->text, sizeof(err->text), "no memory");
	return -ENOMEM;
}

/* Merges text into c and validates the whole; takes c, which is NULL without memory.  0 and *out, or -errno and *err. */
static int build(const struct daemon *d, struct conf *c, struct text text, enum conf_merge how,
		 struct conf **out, struct conf_error *err)
{
	int rc;

	if (!c)
		return no_memory(err);
	rc = conf_merge(c, text.p, text.n, how, err);
	if (rc == 0)
		rc = conf_validate(c, d->conf, err);
	if (rc < 0) {
		conf_destroy(c);
		return rc;
	}
	*out = c;
	return 0;
}

/* {changes: [...]} */
static json_t *show_plan(const struct plan *p)
{
	json_t *rows = json_array();
	const struct change *c;
	size_t i;

	for (i = 0; rows && i < p->n; i++) {
		c = &p->changes[i];
		json_array_append_new(rows,
				      json_pack("{s:s,s:s,s:o,s:o}", "kind", change_word(c->kind),
						"object", c->object, "name", ctl_text(c->name),
						"what", ctl_text(c->what)));
	}
	return rows ? json_pack("{s:o}", "changes", rows) : NULL;
}

/* The broker's copy is what a new switch process starts with: while a confirmation is awaited, the way back. */
static int keep(const struct conf *c)
{
	char *text = conf_print(c);
	int rc = text ? broker_conf_keep(text, strlen(text)) : -ENOMEM;

	free(text);
	return rc;
}

static void keep_way_back(const struct daemon *d)
{
	int rc = d->confirm_conf ? keep(d->confirm_conf) : 0;

	if (rc < 0)
		log_warn("apply: the way back is not with the broker: %s", strerror(-rc));
}

static void on_confirm_timer(void *arg, uint32_t events);

static void settle(struct daemon *d)
{
	loop_cancel(d->loop, d->confirm_timer);
	d->confirm_timer = 0;
	conf_destroy(d->confirm_conf);
	d->confirm_conf = NULL;
}

/* Before an apply that is to be confirmed: everything that can fail.  0 and *timer, or -ENOMEM. */
static int prepare_wait(struct daemon *d, uint32_t seconds, int *timer, struct conf_error *err)
{
	*timer = loop_after(d->loop, seconds * 1000, on_confirm_timer, d);
	if (*timer < 0)
		return no_memory(err);
	if (!d->confirm_conf)
		d->confirm_conf = conf_copy(d->conf);
	return d->confirm_conf ? 0 : no_memory(err);
}

/* The time is up.  A way back that fails (a device is held by somebody else) is tried again until it works or somebody confirms. */
static void on_confirm_timer(void *arg, uint32_t events)
{
	struct daemon *d = arg;
	struct conf_error err = {0};
	struct conf *to = conf_copy(d->confirm_conf);
	int rc = to ? apply_conf(d, to, true, &err) : no_memory(&err);

	(void)events;
	d->confirm_timer = 0;
	if (rc == 0) {
		settle(d);
		log_warn("apply: nobody confirmed: back to the configuration before");
		state_event(d->state, "confirm_timeout", "",
			    "nobody confirmed: back to the configuration before");
		return;
	}
	d->confirm_timer = loop_after(d->loop, RETRY_MS, on_confirm_timer, d);
	log_err("apply: nobody confirmed, and the way back failed: %s%s%s", err.object,
		err.object[0] ? ": " : "", err.text);
	state_event(d->state, "confirm_timeout", err.object,
		    "nobody confirmed, and the way back failed: %s", err.text);
}

/* Applies `to`, which it takes; *plan is what changed. */
static int apply(struct daemon *d, struct conf *to, bool may_wait, struct plan **plan,
		 struct conf_error *err)
{
	int rc;

	*plan = plan_create(d->conf, to);
	if (!*plan) {
		conf_destroy(to);
		return no_memory(err);
	}
	rc = apply_conf(d, to, may_wait, err);
	if (rc < 0) {
		plan_destroy(*plan);
		*plan = NULL;
		return rc;
	}
	keep_way_back(d);
	return 0;
}

static enum conf_merge how_of(const char *word)
{
	if (strcmp(word, "add") == 0)
		return CONF_ADD;
	return strcmp(word, "set") == 0 ? CONF_SET : CONF_DEL;
}

void ctl_conf_merge(struct daemon *d, struct client *cl, const json_t *req)
{
	enum conf_merge how = how_of(json_string_value(json_object_get(req, "how")));
	bool may_wait = json_is_true(json_object_get(req, "may_wait"));
	struct conf_error err = {0};
	struct plan *plan;
	struct conf *to;
	int rc;

	rc = build(d, conf_copy(d->conf), text_of(req), how, &to, &err);
	if (rc == 0)
		rc = apply(d, to, may_wait, &plan, &err);
	if (rc < 0) {
		ctl_refuse_conf(cl, STATUS_REFUSED, &err);
		return;
	}
	ctl_answer(cl, show_plan(plan));
	plan_destroy(plan);
}

void ctl_conf_apply(struct daemon *d, struct client *cl, const json_t *req)
{
	uint32_t confirm_s = (uint32_t)json_integer_value(json_object_get(req, "confirm_s"));
	bool was_settled = !d->confirm_conf;
	struct conf_error err = {0};
	struct plan *plan;
	struct conf *to;
	int rc, timer = 0;

	rc = build(d, conf_create(), text_of(req), CONF_ADD, &to, &err);
	if (rc == 0 && confirm_s > 0) {
		rc = prepare_wait(d, confirm_s, &timer, &err);
		if (rc < 0)
			conf_destroy(to);
	}
	if (rc == 0)
		rc = apply(d, to, true, &plan, &err);
	if (rc < 0) {
		loop_cancel(d->loop, timer);
		if (was_settled)
			settle(d);
		ctl_refuse_conf(cl, status_of(rc), &err);
		return;
	}
	if (timer > 0) {
		loop_cancel(d->loop, d->confirm_timer);
		d->confirm_timer = timer;
	}
	ctl_answer(cl, show_plan(plan));
	plan_destroy(plan);
}

void ctl_conf_diff(struct daemon *d, struct client *cl, const json_t *req)
{
	struct conf_error err = {0};
	struct plan *plan = NULL;
	struct conf *to;
	int rc;

	rc = build(d, conf_create(), text_of(req), CONF_ADD, &to, &err);
	if (rc < 0) {
		ctl_refuse_conf(cl, status_of(rc), &err);
		return;
	}
	plan = plan_create(d->conf, to);
	ctl_answer(cl, plan ? show_plan(plan) : NULL);
	plan_destroy(plan);
	conf_destroy(to);
}

void ctl_conf_show(struct daemon *d, struct client *cl, const json_t *req)
{
	char *text = conf_print(d->conf);

	(void)req;
	ctl_answer(cl, text ? json_pack("{s:o}", "text", ctl_text(text)) : NULL);
	free(text);
}

void ctl_conf_save(struct daemon *d, struct client *cl, const json_t *req)
{
	char *text = conf_print(d->conf);
	int rc = text ? broker_conf_save(text, strlen(text)) : -ENOMEM;

	(void)req;
	free(text);
	if (rc < 0)
		ctl_refuse(cl, STATUS_REFUSED, "the file was not written: %s", strerror(-rc));
	else
		ctl_answer(cl, json_object());
}

void ctl_conf_confirm(struct daemon *d, struct client *cl, const json_t *req)
{
	int rc;

	(void)req;
	if (!d->confirm_conf) {
		ctl_refuse(cl, STATUS_REFUSED, "nothing waits for a confirmation");
		return;
	}
	rc = keep(d->conf);
	if (rc < 0) {
		ctl_refuse(cl, STATUS_REFUSED, "the broker did not take the configuration: %s",
			   strerror(-rc));
		return;
	}
	settle(d);
	ctl_answer(cl, json_object());
}

void ctl_reload(struct daemon *d, const char *text, size_t bytes)
{
	struct conf_error err = {0};
	struct plan *plan;
	struct conf *to;
	const char *what;
	char where[64] = "";
	int rc;

	rc = build(d, conf_create(), (struct text){text, bytes}, CONF_ADD, &to, &err);
	if (rc == 0)
		rc = apply(d, to, true, &plan, &err);
	if (rc == 0) {
		log_info("reload: changes: %zu", plan->n);
		state_event(d->state, "reload", "", "changes: %zu", plan->n);
		plan_destroy(plan);
		return;
	}
	if (err.line > 0)
		snprintf(where, sizeof(where), "line %d, column %d: ", err.line, err.column);
	what = err.line > 0 ? err.path : err.object;
	log_err("reload: %s%s%s%s", where, what, what[0] ? ": " : "", err.text);
	state_event(d->state, "reload_failed", what, "%s%s", where, err.text);
}
