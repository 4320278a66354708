/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * merge: from options to a fragment of the file.
 *
 *   vfab port set web --tag 10 --storm broadcast=100 --isolated=none
 *   {"ports": {"web": {"tag": 10, "storm": {"broadcast": 100}, "isolated": null}}}
 *
 * Only shapes are made here: what a key may say is the schema's business in vfabd, so that verbs and files
 * are judged alike.  `set` leaves the keys that are not named as they are; null takes one back to its default.
 */
#include "tools/merge.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/units.h"
#include "tools/client.h"
#include "tools/say.h"
#include "tools/table.h"

/* A number where it is one, so that "10" and "twenty" are both for the schema to judge. */
static json_t *number_or_text(const char *text, size_t n)
{
	char digits[24];
	uint64_t v;

	if (n < sizeof(digits)) {
		memcpy(digits, text, n);
		digits[n] = '\0';
		if (units_number(digits, 0, INT64_MAX, &v))
			return json_integer((json_int_t)v);
	}
	return json_stringn(text, n);
}

static json_t *list_value(const char *text)
{
	json_t *list;
	size_t n;

	list = need(json_array());
	for (;; text += n + 1) {
		n = strcspn(text, ",");
		if (json_array_append_new(list, number_or_text(text, n))) {
			json_decref(list);
			return NULL;
		}
		if (!text[n])
			return list;
	}
}

/* "a=1,b=none": null for none.  NULL when a part has no "=". */
static json_t *map_value(const char *text)
{
	json_t *map, *v;
	char key[64];
	size_t n, k;

	map = need(json_object());
	for (;; text += n + 1) {
		n = strcspn(text, ",");
		k = strcspn(text, "=,");
		if (!k || k >= n || k >= sizeof(key))
			goto bad;
		memcpy(key, text, k);
		key[k] = '\0';
		if (n - k == 5 && !strncmp(text + k + 1, "none", 4))
			v = json_null();
		else
			v = number_or_text(text + k + 1, n - k - 1);
		if (json_object_set_new(map, key, v))
			goto bad;
		if (!text[n])
			return map;
	}
bad:
	json_decref(map);
	return NULL;
}

static json_t *option_value(enum option_as as, const char *text)
{
	uint64_t truth;

	switch (as) {
	case AS_NUMBER:
		return number_or_text(text, strlen(text));
	case AS_LIST:
		return list_value(text);
	case AS_MAP:
		return map_value(text);
	case AS_FLAG:
		return units_truth(text, &truth) ? json_boolean(truth) : NULL;
	default:
		return json_string(text);
	}
}

/* Under "udp", or, for a key "nat.rate", under "rate" of a map "nat". */
static int put_key(json_t *keys, const char *key, json_t *v)
{
	size_t n = strcspn(key, ".");
	char outer[CELL_TEXT];
	json_t *map;

	if (!key[n])
		return json_object_set_new(keys, key, v);
	snprintf(outer, sizeof(outer), "%.*s", (int)n, key);
	map = json_object_get(keys, outer);
	/* --dhcp FIRST-LAST --dhcp-lease 8h: the short form of a map is its range. */
	if (json_is_string(map))
		map = need(json_pack("{s:O}", "range", map));
	else if (map)
		return put_key(map, key + n + 1, v);
	else
		map = need(json_object());
	json_object_set_new(keys, outer, map);
	return put_key(map, key + n + 1, v);
}

json_t *merge_keys(const struct call *c, const char *how, int *status)
{
	const struct verb_option *o;
	json_t *keys, *v;
	int i;

	keys = need(json_object());
	for (i = 0, o = c->verb->options; o && o->name; i++, o++) {
		if (!c->option[i] || o->as == AS_LOCAL)
			continue;
		if (!strcmp(how, "set") && !strcmp(c->option[i], "none"))
			v = json_null();
		else
			v = option_value(o->as, c->option[i]);
		if (put_key(keys, o->key ? o->key : o->name, v)) {
			json_decref(keys);
			*status = fail(EXIT_DATA, "option --%s does not take \"%s\"", o->name,
				       c->option[i]);
			return NULL;
		}
	}
	return keys;
}

json_t *merge_object(const char *kind, const char *name, json_t *keys)
{
	return json_pack("{s:{s:o}}", kind, name, keys ? keys : json_null());
}

int merge_send(json_t *fragment, const char *how, bool may_wait)
{
	json_t *request;
	char *text;

	if (!fragment)
		return fail(EXIT_USAGE, "a name is not text in UTF-8");
	text = need(json_dumps(fragment, JSON_COMPACT));
	json_decref(fragment);
	request = client_request("conf.merge");
	json_object_set_new(request, "how", json_string(how));
	json_object_set_new(request, "text", json_string(text));
	if (may_wait)
		json_object_set_new(request, "may_wait", json_true());
	free(text);
	return client_ask(request, NULL, NULL);
}

int merge_call(const struct call *c, const char *kind)
{
	const char *how = c->verb->verb;
	int status = EXIT_DONE;
	json_t *keys;

	if (!strcmp(how, "del"))
		return merge_send(merge_object(kind, c->arg[0], NULL), how, false);
	keys = merge_keys(c, how, &status);
	if (!keys)
		return status;
	if (!strcmp(how, "set") && !json_object_size(keys)) {
		json_decref(keys);
		return fail(EXIT_USAGE, "%s set: nothing to set (see vfab help %s set)",
			    c->verb->noun, c->verb->noun);
	}
	return merge_send(merge_object(kind, c->arg[0], keys), how, false);
}

json_t *merge_narrowed(const struct call *c, const char *verb)
{
	static const char *const members[][2] = {
		{"net", "network"}, {"uplink", "uplink"}, {"port", "port"}, {"proto", "proto"}};
	json_t *request = client_request(verb);
	const char *value;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		value = call_option(c, members[i][0]);
		if (!value || !json_object_set_new(request, members[i][1], json_string(value)))
			continue;
		json_decref(request);
		fail(EXIT_USAGE, "a name is not text in UTF-8");
		return NULL;
	}
	return request;
}

/* The object of that name, or NULL and in *near the nearest name there is (NULL: none). */
static json_t *find_named(json_t *all, const char *name, const char **near)
{
	const char **names, *text;
	json_t *o, *found;
	size_t i, n;

	found = NULL;
	n = 0;
	names = need(calloc(json_array_size(all) + 1, sizeof(*names)));
	json_array_foreach(all, i, o)
	{
		text = json_string_value(json_object_get(o, "name"));
		if (text && !strcmp(text, name))
			found = o;
		if (text)
			names[n++] = text;
	}
	*near = found ? NULL : nearest_word(name, names);
	free(names);
	return found;
}

int merge_show(const struct call *c, const char *list, const char *word)
{
	json_t *all, *obj;
	const char *near;
	int rc;

	rc = client_ask(client_request(list), NULL, &all);
	if (rc)
		return rc;
	obj = find_named(all, c->arg[0], &near);
	if (!obj)
		rc = fail(EXIT_REFUSED, "%s %s: does not exist%s%s%s", word, c->arg[0],
			  near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
	else if (c->json)
		json_out(obj, false);
	else
		table_object(stdout, obj);
	json_decref(all);
	return rc;
}
