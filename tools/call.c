/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call: the command line of one verb.
 *
 * vfab.c finds the verb; this file splits what follows.  Options may stand anywhere before "--", as
 * "--name value", "--name=value", "-w value" or "-wvalue"; -s and -h are every verb's, -o is every
 * reading verb's.  A flag takes no value, but "--isolated=false" says the contrary and
 * "--isolated=none" takes the key back.
 */
#include "tools/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/units.h"
#include "tools/client.h"
#include "tools/say.h"

bool verb_is(const struct verb *v, const char *noun, const char *verb)
{
	if (strcmp(v->noun, noun))
		return false;
	return !v->verb || (verb && !strcmp(v->verb, verb));
}

int verb_usage(const struct verb *v, char *buf, size_t size)
{
	return snprintf(buf, size, "vfab %s%s%s%s%s%s", v->noun, v->verb ? " " : "",
			v->verb ? v->verb : "", v->args ? " " : "", v->args ? v->args : "",
			v->options || v->reads ? " [OPTIONS]" : "");
}

/* How many arguments "NAME [FILE] [FILTER...]" takes. */
static void args_range(const char *args, int *min, int *max)
{
	const char *p;

	*min = *max = 0;
	for (p = args; p && *p; p += strcspn(p, " "), p += strspn(p, " ")) {
		*min += *p != '[';
		*max += 1;
		if (strstr(p, "...") && strstr(p, "...") < p + strcspn(p, " "))
			*max = 1 << 20;
	}
}

/* "port add", in a buffer that the next call uses again. */
static const char *verb_name(const struct verb *v)
{
	static char name[64];

	snprintf(name, sizeof(name), "%s%s%s", v->noun, v->verb ? " " : "", v->verb ? v->verb : "");
	return name;
}

static int unknown_option(const struct call *c, const char *word)
{
	const char *names[OPTIONS_MAX + 1];
	const struct verb_option *o;
	const char *near;
	char bare[64];
	size_t n;

	n = 0;
	for (o = c->verb->options; o && o->name && n < OPTIONS_MAX; o++)
		names[n++] = o->name;
	names[n] = NULL;
	snprintf(bare, sizeof(bare), "%.*s", (int)strcspn(word, "="), word);
	near = nearest_word(bare + strspn(bare, "-"), names);
	return fail(EXIT_USAGE, "%s: there is no option %s%s%s%s", verb_name(c->verb), bare,
		    near ? " (did you mean --" : "", near ? near : "", near ? "?)" : "");
}

static int set_format(struct call *c, const char *value)
{
	if (!c->verb->reads)
		return fail(EXIT_USAGE, "%s: takes no -o", verb_name(c->verb));
	if (!value || (strcmp(value, "json") && strcmp(value, "table") && strcmp(value, "text")))
		return fail(EXIT_USAGE, "-o takes table or json");
	c->json = !strcmp(value, "json");
	return 0;
}

/* Options every verb has.  True when it was one; *used: the next word was its value. */
static bool common_option(struct call *c, const char *word, const char *next, bool *used, int *rc)
{
	const char *value;

	*rc = 0;
	*used = false;
	if (!strcmp(word, "-h") || !strcmp(word, "--help")) {
		c->wants_help = true;
		return true;
	}
	if (strncmp(word, "-o", 2) && strncmp(word, "-s", 2))
		return false;
	value = word[2] ? word + 2 : next;
	*used = !word[2];
	if (word[1] == 'o')
		*rc = set_format(c, value);
	else if (!value)
		*rc = fail(EXIT_USAGE, "-s takes the path of a socket");
	else
		client_use_socket(value);
	return true;
}

/* The option that word names; *value: what stands in the same word, or NULL. */
static int find_option(const struct call *c, const char *word, const char **value)
{
	const struct verb_option *o;
	size_t n;
	int i;

	*value = NULL;
	for (i = 0, o = c->verb->options; o && o->name; i++, o++) {
		if (word[1] != '-') {
			if (word[1] != o->letter)
				continue;
			*value = word[2] ? word + 2 : NULL;
			return i;
		}
		n = strlen(o->name);
		if (strncmp(word + 2, o->name, n) || (word[2 + n] && word[2 + n] != '='))
			continue;
		*value = word[2 + n] ? word + 3 + n : NULL;
		return i;
	}
	return -1;
}

static int take_option(struct call *c, const char *word, const char *next, bool *used)
{
	const struct verb_option *o;
	const char *value;
	int i, rc;

	if (common_option(c, word, next, used, &rc))
		return rc;
	i = find_option(c, word, &value);
	if (i < 0)
		return unknown_option(c, word);
	o = &c->verb->options[i];
	if (c->option[i])
		return fail(EXIT_USAGE, "option --%s is given twice", o->name);
	if (!o->value) {
		if (value && o->as != AS_FLAG)
			return fail(EXIT_USAGE, "option --%s takes no value", o->name);
		c->option[i] = value ? value : "true";
		return 0;
	}
	*used = !value;
	value = value ? value : next;
	if (!value)
		return fail(EXIT_USAGE, "option --%s takes a value: %s", o->name, o->value);
	c->option[i] = value;
	return 0;
}

int call_parse(struct call *c, int argc, const char **argv)
{
	char usage[256];
	int i, rc, min, max;
	bool used;

	c->arg = argv;
	for (i = 0; i < argc; i++) {
		/* "-" alone is standard input or output: an argument. */
		if (argv[i][0] != '-' || !argv[i][1]) {
			argv[c->n_args++] = argv[i];
			continue;
		}
		if (!strcmp(argv[i], "--"))
			break;
		used = false;
		rc = take_option(c, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used);
		if (rc)
			return rc;
		i += used;
	}
	for (i++; i < argc; i++)
		argv[c->n_args++] = argv[i];
	args_range(c->verb->args, &min, &max);
	if (c->wants_help || (c->n_args >= min && c->n_args <= max))
		return 0;
	verb_usage(c->verb, usage, sizeof(usage));
	if (c->n_args > max)
		return fail(EXIT_USAGE, "\"%s\" is one argument too many; usage: %s", c->arg[max],
			    usage);
	return fail(EXIT_USAGE, "usage: %s", usage);
}

const char *call_option(const struct call *c, const char *name)
{
	int i;

	for (i = 0; c->verb->options && c->verb->options[i].name; i++) {
		if (!strcmp(c->verb->options[i].name, name))
			return c->option[i];
	}
	return NULL;
}
