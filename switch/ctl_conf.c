/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctl_conf: the verbs that change the configuration.
 *
 * ctl.c calls each with a checked request.  All go one way: text -> conf (merged into a copy of the
 * running one, or alone) -> validated -> plan, which is the answer -> apply_conf(), which swaps it in or
 * leaves everything as it is.
 *
 *    settled --- conf.apply with confirm_s ---> waiting --- conf.confirm, conf.apply, reload ---> settled
 *       ^                                        |   ^
 *       +------- the time is up: back -----------+   +--- conf.apply with confirm_s: new time, same way back;
 *                                                         conf.merge, conf.save: refused
 *
 * Status of a file: 65 when its text does not do, 1 when the system refuses it.  Of a verb: 65 when a value does not parse, 2
 * when a new object lacks a key, 1 when the rest of the fabric or the system refuses it.
 *
 * Trust.  The texts are the client's; conf.h parses and bounds them.
 */
#include "switch/ctl_conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/apply.h"
#include "switch/base/log.h"
#include "switch/broker.h"
#include "switch/daemon.h"

enum { STATUS_REFUSED = 1, STATUS_USAGE = 2, STATUS_BAD_DATA = 65, RETRY_MS = 10000 };

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

/* Of a file's text. */
static int status_of(int rc)
{
	return rc == -EINVAL ? STATUS_BAD_DATA : STATUS_REFUSED;
}

/* Of a verb.  What lacks a key only after a change had it before: that is a refusal. */
static int status_of_verb(const struct conf_error *err, enum conf_merge how)
{
	if (err->fault == CONF_BAD_VALUE)
		return STATUS_BAD_DATA;
	return err->fault == CONF_MISSING && how == CONF_ADD ? STATUS_USAGE : STATUS_REFUSED;
}

static int no_memory(struct conf_error *err)
{
	*err = (struct conf_error){0};
	snprintf(err->text, sizeof(err->text), "no memory");
	return -ENOMEM;
}

/* Validates c, into which rc says that something was merged; takes it.  0 and *out, or -errno and *err. */
static int validate(const struct daemon *d, struct conf *c, int rc, struct conf **out,
		    struct conf_error *err)
{
	if (rc == 0)
		rc = conf_validate(c, d->conf, err);
	if (rc < 0) {
		conf_destroy(c);
		return rc;
	}
	*out = c;
	return 0;
}

/* The configuration of a fragment over the one that runs. */
static int build_merged(const struct daemon *d, struct text text, enum conf_merge how,
			struct conf **out, struct conf_error *err)
{
	struct conf *c = conf_copy(d->conf);

	return c ? validate(d, c, conf_merge(c, text.p, text.n, how, err), out, err)
		 : no_memory(err);
}

/* The configuration of a whole file. */
static int build_whole(const struct daemon *d, struct text text, struct conf **out,
		       struct conf_error *err)
{
	struct conf *c = conf_create();

	return c ? validate(d, c, conf_merge_file(c, text.p, text.n, err), out, err)
		 : no_memory(err);
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

/* True when a confirmation is awaited: the client is refused. */
static bool is_awaited(const struct daemon *d, struct client *cl)
{
	uint64_t now_ms = clock_ms();
	uint64_t left_ms = d->confirm_ms > now_ms ? d->confirm_ms - now_ms : 0;

	if (!d->confirm_conf)
		return false;
	ctl_refuse(cl, STATUS_REFUSED,
		   "an apply waits to be confirmed and goes back in %" PRIu64
		   " s: vfab config confirm",
		   (left_ms + 999) / 1000);
	return true;
}

static void settle(struct daemon *d)
{
	loop_cancel(d->loop, d->confirm_timer);
	d->confirm_timer = 0;
	conf_destroy(d->confirm_conf);
	d->confirm_conf = NULL;
}

/* Ends the wait for good: what runs now is what the broker keeps.  0, or -errno and *err, and the wait goes on. */
static int settle_for(struct daemon *d, const char *what, struct conf_error *err)
{
	int rc;

	if (!d->confirm_conf)
		return 0;
	rc = keep(d->conf);
	if (rc < 0) {
		*err = (struct conf_error){0};
		snprintf(err->text, sizeof(err->text),
			 "the broker did not take the configuration: %s", strerror(-rc));
		return rc;
	}
	settle(d);
	log_info("apply: %s", what);
	state_event(d->state, "confirm", "", "%s", what);
	return 0;
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
	d->confirm_ms = clock_ms() + RETRY_MS;
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
	}
	return rc;
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

	if (is_awaited(d, cl))
		return;
	rc = build_merged(d, text_of(req), how, &to, &err);
	if (rc == 0)
		rc = apply(d, to, may_wait, &plan, &err);
	if (rc < 0) {
		ctl_refuse_conf(cl, status_of_verb(&err, how), &err);
		return;
	}
	ctl_answer(cl, show_plan(plan));
	plan_destroy(plan);
}

/* Applies `to`, which it takes, until confirm_s are over. */
static int apply_for_now(struct daemon *d, struct conf *to, uint32_t confirm_s, struct plan **plan,
			 struct conf_error *err)
{
	bool was_settled = !d->confirm_conf;
	int rc, timer = 0;

	rc = prepare_wait(d, confirm_s, &timer, err);
	if (rc < 0)
		conf_destroy(to);
	else
		rc = apply(d, to, true, plan, err);
	if (rc < 0) {
		loop_cancel(d->loop, timer);
		if (was_settled)
			settle(d);
		return rc;
	}
	keep_way_back(d);
	loop_cancel(d->loop, d->confirm_timer);
	d->confirm_timer = timer;
	d->confirm_ms = clock_ms() + confirm_s * UINT64_C(1000);
	return 0;
}

/* Applies `to`, which it takes, for good; what waited is settled, in the words of what. */
static int apply_to_stay(struct daemon *d, struct conf *to, const char *what, struct plan **plan,
			 struct conf_error *err)
{
	int rc = apply(d, to, true, plan, err);

	if (rc < 0)
		return rc;
	rc = settle_for(d, what, err);
	if (rc < 0)
		plan_destroy(*plan);
	return rc;
}

void ctl_conf_apply(struct daemon *d, struct client *cl, const json_t *req)
{
	uint32_t confirm_s = (uint32_t)json_integer_value(json_object_get(req, "confirm_s"));
	struct conf_error err = {0};
	struct plan *plan;
	struct conf *to;
	int rc;

	rc = build_whole(d, text_of(req), &to, &err);
	if (rc < 0) {
		ctl_refuse_conf(cl, status_of(rc), &err);
		return;
	}
	if (confirm_s > 0)
		rc = apply_for_now(d, to, confirm_s, &plan, &err);
	else
		rc = apply_to_stay(d, to, "another apply settles what waited to be confirmed",
				   &plan, &err);
	if (rc < 0) {
		ctl_refuse_conf(cl, STATUS_REFUSED, &err);
		return;
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

	rc = build_whole(d, text_of(req), &to, &err);
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
	char *text;

	if (json_is_true(json_object_get(req, "to_save")) && is_awaited(d, cl))
		return;
	text = conf_print(d->conf);
	ctl_answer(cl, text ? json_pack("{s:o}", "text", ctl_text(text)) : NULL);
	free(text);
}

void ctl_conf_save(struct daemon *d, struct client *cl, const json_t *req)
{
	char *text;
	int rc;

	(void)req;
	if (is_awaited(d, cl))
		return;
	if (!d->conf_name) {
		ctl_refuse(cl, STATUS_REFUSED, "vfabd was started without -c: name a file");
		return;
	}
	text = conf_print(d->conf);
	rc = text ? broker_conf_save(text, strlen(text)) : -ENOMEM;
	free(text);
	if (rc < 0)
		ctl_refuse(cl, STATUS_REFUSED, "the file was not written: %s",
			   rc == -ESPIPE ? "is no regular file" : strerror(-rc));
	else
		ctl_answer(cl, json_object());
}

void ctl_conf_confirm(struct daemon *d, struct client *cl, const json_t *req)
{
	struct conf_error err = {0};

	(void)req;
	if (!d->confirm_conf)
		ctl_refuse(cl, STATUS_REFUSED, "nothing waits for a confirmation");
	else if (settle_for(d, "confirmed: the configuration stays", &err) < 0)
		ctl_refuse_conf(cl, STATUS_REFUSED, &err);
	else
		ctl_answer(cl, json_object());
}

void ctl_reload(struct daemon *d, const char *text, size_t bytes)
{
	const char *name = d->conf_name ? d->conf_name : "configuration";
	char line[CONF_ERROR_TEXT];
	struct conf_error err = {0};
	struct plan *plan;
	struct conf *to;
	int rc;

	rc = build_whole(d, (struct text){text, bytes}, &to, &err);
	if (rc == 0)
		rc = apply_to_stay(d, to, "a reload settles what waited to be confirmed", &plan,
				   &err);
	if (rc == 0) {
		log_info("reload: changes: %zu", plan->n);
		state_event(d->state, "reload", "", "changes: %zu", plan->n);
		plan_destroy(plan);
		return;
	}
	conf_error_line(&err, name, line);
	log_err("%s", line);
	state_event(d->state, "reload_failed", "", "%s", line);
}
