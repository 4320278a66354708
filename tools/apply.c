/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * apply: `vfab check`, `diff`, `apply` and `config`.
 *
 * A file is parsed here first, by the same code as in vfabd, so that its mistakes are found without one and shown
 * with their place; what is wrong only in the fabric that runs, vfabd says.
 *
 * Trust.  The file is the user's, read with the user's rights; conf.h says what its parser bears.
 */
#include "switch/conf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/units.h"
#include "tools/client.h"
#include "tools/confile.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

const struct verb_option apply_options[] = {
	{"confirm", 0, "SECONDS", AS_LOCAL, NULL,
	 "go back after that, unless config confirm comes"},
	{0},
};

/* The text of a good file; malloc'd, or NULL with *status. */
static char *good_text(const char *path, int *status)
{
	struct conf *conf;
	char *text;
	size_t n;

	text = client_read_file(path, &n, status);
	if (!text)
		return NULL;
	*status = confile_parse(path, text, n, &conf);
	conf_destroy(conf);
	if (!*status)
		return text;
	free(text);
	return NULL;
}

int conf_check_file(const struct call *c)
{
	char *text;
	int status;

	text = good_text(c->arg[0], &status);
	if (!text)
		return status;
	free(text);
	printf("%s: good\n", c->arg[0]);
	return 0;
}

/* "+ port web", "- network lab", "~ port db: tag, trunks"; "!" for a port that is opened again. */
static void print_changes(json_t *changes)
{
	const char *kind;
	char *object, *name, *what;
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change)
	{
		kind = json_string_value(json_object_get(change, "kind"));
		kind = kind ? kind : "";
		object = table_member(change, "object");
		name = table_member(change, "name");
		what = table_member(change, "what");
		printf("%s %s%s%s%s%s\n",
		       !strcmp(kind, "add")   ? "+"
		       : !strcmp(kind, "del") ? "-"
		       : !strcmp(kind, "set") ? "~"
					      : "!",
		       object, strcmp(name, "-") ? " " : "", strcmp(name, "-") ? name : "",
		       strcmp(what, "-") ? ": " : "", strcmp(what, "-") ? what : "");
		free(object);
		free(name);
		free(what);
	}
}

/* Sends a file with a verb; *changes is the caller's. */
static int send_file(const struct call *c, json_t *request, json_t **changes)
{
	json_t *result;
	char *text;
	int status;

	text = good_text(c->arg[0], &status);
	if (!text) {
		json_decref(request);
		return status;
	}
	json_object_set_new(request, "text", json_string(text));
	free(text);
	status = client_ask(request, c->arg[0], &result);
	if (status)
		return status;
	*changes = json_incref(json_object_get(result, "changes"));
	json_decref(result);
	if (c->json)
		json_out(*changes ? *changes : need(json_array()), false);
	else
		print_changes(*changes);
	return 0;
}

int conf_diff(const struct call *c)
{
	json_t *changes;
	int rc;

	rc = send_file(c, client_request("conf.diff"), &changes);
	if (rc)
		return rc;
	rc = json_array_size(changes) ? EXIT_REFUSED : EXIT_DONE;
	json_decref(changes);
	return rc;
}

int conf_apply(const struct call *c)
{
	const char *confirm = call_option(c, "confirm");
	json_t *request, *changes;
	uint64_t ms;
	int rc;

	if (confirm && (!units_duration_ms(confirm, &ms) || ms < 1000 || ms > 86400000))
		return fail(EXIT_DATA, "--confirm \"%s\" is no time from 1 s to 1 day", confirm);
	request = client_request("conf.apply");
	if (confirm)
		json_object_set_new(request, "confirm_s", json_integer((json_int_t)(ms / 1000)));
	rc = send_file(c, request, &changes);
	if (rc)
		return rc;
	if (confirm)
		fprintf(stderr, "vfab: goes back in %" PRIu64 " s unless: vfab config confirm\n",
			ms / 1000);
	json_decref(changes);
	return 0;
}

int conf_confirm(const struct call *c)
{
	(void)c;
	return client_ask(client_request("conf.confirm"), NULL, NULL);
}

/* The running configuration, for a file when to_save; malloc'd, or NULL with *status. */
static char *running_text(bool to_save, int *status)
{
	json_t *request = client_request("conf.show"), *result;
	const char *text;
	char *copy;

	if (to_save)
		json_object_set_new(request, "to_save", json_true());
	*status = client_ask(request, NULL, &result);
	if (*status)
		return NULL;
	text = json_string_value(json_object_get(result, "text"));
	copy = text ? need(strdup(text)) : NULL;
	json_decref(result);
	if (!copy)
		*status = fail(EXIT_REFUSED, "vfabd shows no configuration");
	return copy;
}

int conf_show(const struct call *c)
{
	json_t *obj;
	char *text;
	int status;

	text = running_text(false, &status);
	if (!text)
		return status;
	if (c->json) {
		obj = need(json_pack("{s:s}", "text", text));
		json_out(obj, false);
		json_decref(obj);
	} else {
		fputs(text, stdout);
	}
	free(text);
	return 0;
}

int conf_save(const struct call *c)
{
	char *text;
	int status;

	if (!c->n_args)
		return client_ask(client_request("conf.save"), NULL, NULL);
	text = running_text(true, &status);
	if (!text)
		return status;
	if (!strcmp(c->arg[0], "-"))
		fputs(text, stdout);
	else
		status = confile_replace(c->arg[0], text, 0666);
	free(text);
	return status;
}
