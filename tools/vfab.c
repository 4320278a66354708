/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vfab: the one command for people.  This file is the table of verbs: {noun, verb, handler, arguments, options, help}; each noun
 * has a file beside it.  Help, usage and shell completion are read off the table.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/units.h"
#include "tools/client.h"
#include "tools/nouns.h"
#include "tools/say.h"

enum { USAGE_SIZE = 256, NOUNS_MAX = 96 };

static int help(const struct call *c);

static const struct verb verbs[] = {
	{"net", "add", net_change, "NAME", net_options, false, "make a network"},
	{"net", "ls", net_list, NULL, NULL, true, "list the networks"},
	{"net", "show", net_show, "NAME", NULL, true, "show one network"},
	{"net", "set", net_change, "NAME", net_options, false,
	 "change a network; `none` takes a key back"},
	{"net", "del", net_change, "NAME", NULL, false, "remove a network"},
	{"port", "add", port_change, "NAME", port_options, false, "make a port"},
	{"port", "ls", port_list, NULL, NULL, true, "list the ports"},
	{"port", "show", port_show, "NAME", NULL, true, "show one port"},
	{"port", "set", port_change, "NAME", port_options, false,
	 "change a port; `none` takes a key back"},
	{"port", "del", port_change, "NAME", NULL, false, "remove a port"},
	{"attach", NULL, attach, "CONTAINER|NETNS|PID", attach_options, false,
	 "put a container, a namespace or a process on a network"},
	{"uplink", "add", uplink_change, "NAME", uplink_options, false, "make a way out"},
	{"uplink", "ls", uplink_list, NULL, NULL, true, "list the uplinks"},
	{"uplink", "show", uplink_show, "NAME", NULL, true, "show one uplink"},
	{"uplink", "set", uplink_change, "NAME", uplink_options, false,
	 "change an uplink; `none` takes a key back"},
	{"uplink", "del", uplink_change, "NAME", NULL, false, "remove an uplink"},
	{"forward", "add", forward_add, "NETWORK SPEC...", forward_options, false,
	 "let the outside reach a guest: [BIND:]PORT[-END]:GUEST:PORT[-END][/tcp|/udp|/both]"},
	{"forward", "ls", forward_list, NULL, forward_list_options, true, "list the forwards"},
	{"forward", "del", forward_del, "ID...", NULL, false, "remove forwards"},
	{"forward", "import", forward_import, "FILE", import_options, false,
	 "add the rules of a file of VirtualBox, VMware or our own grammar"},
	{"nat", "ls", see_sessions, NULL, nat_options, true, "list the sessions of the NAT"},
	{"nat", "flush", flush_sessions, NULL, nat_options, false, "end sessions"},
	{"nat", "stats", see_nat, NULL, NULL, true, "how full the NAT is, and what it refused"},
	{"route", "add", route_change, "FROM TO", NULL, false,
	 "let network FROM begin to speak to network TO"},
	{"route", "ls", route_list, NULL, NULL, true, "list the routes between networks"},
	{"route", "del", route_change, "FROM TO", NULL, false, "remove a route"},
	{"lease", "ls", lease_list, NULL, lease_options, true,
	 "list the leases and the reservations"},
	{"lease", "reserve", lease_reserve, "NETWORK", reserve_options, false,
	 "keep an address, and a name, for one client"},
	{"lease", "unreserve", lease_unreserve, "NETWORK IP", NULL, false,
	 "give a reserved address back"},
	{"lease", "release", lease_release, "IP", lease_options, false, "end a lease"},
	{"lease", "stats", lease_stats, NULL, NULL, true,
	 "what the servers of addresses and names did, and how full they are"},
	{"neigh", "ls", see_neighbours, NULL, neigh_options, true,
	 "which station has which address, as the gateway knows it"},
	{"neigh", "flush", flush_neighbours, NULL, neigh_options, false, "forget it"},
	{"mac", "ls", mac_list, NULL, mac_options, true, "list the forwarding table"},
	{"mac", "add", mac_change, "NETWORK MAC PORT", NULL, false, "pin an address to a port"},
	{"mac", "del", mac_change, "NETWORK MAC", NULL, false, "remove a pinned address"},
	{"mac", "flush", mac_flush, NULL, mac_options, false, "forget learned addresses"},
	{"trace", NULL, trace, "[FILTER...]", trace_options, true,
	 "what the switch does with real frames, step by step"},
	{"capture", NULL, capture, "PORT|all [FILTER...]", capture_options, false,
	 "write frames to a pcapng file"},
	{"drops", NULL, see_drops, NULL, drops_options, true, "dropped frames by port and reason"},
	{"stats", NULL, see_stats, NULL, stats_options, true, "counters of the ports"},
	{"top", NULL, see_top, NULL, NULL, true, "the busiest ports, live"},
	{"events", NULL, see_events, NULL, events_options, true,
	 "what happened: the last 1000 events"},
	{"check", NULL, conf_check_file, "FILE", NULL, false, "is this file good? needs no vfabd"},
	{"diff", NULL, conf_diff, "FILE", NULL, true, "what applying the file would change"},
	{"apply", NULL, conf_apply, "FILE", apply_options, true,
	 "replace the configuration by the file"},
	{"config", "show", conf_show, NULL, NULL, true, "print the running configuration"},
	{"config", "confirm", conf_confirm, NULL, NULL, false, "keep what apply --confirm brought"},
	{"config", "save", conf_save, "[FILE]", NULL, false,
	 "write it to FILE or to the file of vfabd -c"},
	{"lab", "up", lab_up, "FILE", NULL, false,
	 "start a lab: its containers, ports and networks"},
	{"lab", "down", lab_down, "FILE", NULL, false, "remove exactly what lab up made"},
	{"lab", "ls", lab_list, NULL, NULL, true, "list the labs and their containers"},
	{"version", NULL, see_version, NULL, NULL, true, "versions of vfab and vfabd"},
	{"help", NULL, help, "[NOUN] [VERB]", NULL, false, "this list, or one noun or verb"},
	{"completion", NULL, completion, "bash|zsh|fish", NULL, false, "print a completion script"},
	{"complete", NULL, complete, "[WORD...]", NULL, false, NULL},
	{"debug", "clock", debug_clock, "advance DURATION", NULL, false, NULL},
	{"tunnel", NULL, NULL, "[...]", NULL, false, NULL},
	{"vm", NULL, NULL, "[...]", NULL, false, NULL},
	{"explain", NULL, NULL, "[...]", NULL, false, NULL},
	{0},
};

static void print_verb(const struct verb *v)
{
	const struct verb_option *o;
	char usage[USAGE_SIZE], left[80];

	verb_usage(v, usage, sizeof(usage));
	printf("%s\n    %s\n", usage, v->help);
	if (v->reads)
		printf("      %-30s %s\n", "-o table|json", "how to print");
	for (o = v->options; o && o->name; o++) {
		if (o->letter)
			snprintf(left, sizeof(left), "-%c, --%s %s", o->letter, o->name,
				 o->value ? o->value : "");
		else
			snprintf(left, sizeof(left), "--%s %s", o->name, o->value ? o->value : "");
		if (strlen(left) > 30)
			printf("      %s\n      %-30s %s\n", left, "", o->help);
		else
			printf("      %-30s %s\n", left, o->help);
	}
}

static void print_all(FILE *f)
{
	const struct verb *v;
	char left[128];

	fputs("usage: vfab [-s SOCKET] NOUN VERB [ARGUMENTS] [OPTIONS]\n\n", f);
	for (v = verbs; v->noun; v++) {
		if (!v->help)
			continue;
		snprintf(left, sizeof(left), "%s%s%s%s%s", v->noun, v->verb ? " " : "",
			 v->verb ? v->verb : "", v->args ? " " : "", v->args ? v->args : "");
		fprintf(f, "  %-30s %s\n", left, v->help);
	}
	fputs("\nvfab help NOUN VERB says more; the manual is vfab(1), the file's vfab.yaml(5).\n",
	      f);
}

static int unknown_noun(const char *noun)
{
	const char *names[NOUNS_MAX + 1], *near;
	const struct verb *v;
	size_t n;

	n = 0;
	for (v = verbs; v->noun && n < NOUNS_MAX; v++) {
		if (v->help)
			names[n++] = v->noun;
	}
	names[n] = NULL;
	near = nearest_word(noun, names);
	if (near)
		return fail(EXIT_USAGE, "there is no \"%s\" (did you mean \"%s\"?)", noun, near);
	return fail(EXIT_USAGE, "there is no \"%s\"; see vfab help", noun);
}

/* The verbs of a noun in one line: what is missing, or what word might have been. */
static int unknown_verb(const char *noun, const char *verb)
{
	const char *names[NOUNS_MAX + 1], *near;
	const struct verb *v;
	char list[256] = "";
	size_t n;

	n = 0;
	for (v = verbs; v->noun && n < NOUNS_MAX; v++) {
		if (strcmp(v->noun, noun))
			continue;
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", n ? "|" : "",
			 v->verb);
		names[n++] = v->verb;
	}
	names[n] = NULL;
	if (!verb)
		return fail(EXIT_USAGE, "usage: vfab %s %s", noun, list);
	near = nearest_word(verb, names);
	if (near)
		return fail(EXIT_USAGE, "there is no \"%s %s\" (did you mean \"%s\"?)", noun, verb,
			    near);
	return fail(EXIT_USAGE, "there is no \"%s %s\"; usage: vfab %s %s", noun, verb, noun, list);
}

/* The line of the table, or NULL; *noun_known says which word was wrong. */
static const struct verb *find_verb(const char *noun, const char *verb, bool *noun_known)
{
	const struct verb *v;

	*noun_known = false;
	for (v = verbs; v->noun; v++) {
		if (strcmp(v->noun, noun))
			continue;
		*noun_known = true;
		if (verb_is(v, noun, verb))
			return v;
	}
	return NULL;
}

static int help(const struct call *c)
{
	const struct verb *v, *wanted;
	const char *noun, *verb;
	bool noun_known;

	if (!c->n_args) {
		print_all(stdout);
		return 0;
	}
	noun = c->arg[0];
	verb = c->n_args > 1 ? c->arg[1] : NULL;
	wanted = find_verb(noun, verb, &noun_known);
	if (!noun_known || (wanted && wanted->run && !wanted->help))
		return unknown_noun(noun);
	if (wanted && !wanted->run)
		return fail(EXIT_REFUSED, "%s: not yet", noun);
	if (!wanted && verb)
		return unknown_verb(noun, verb);
	for (v = verbs; v->noun; v++) {
		if (!strcmp(v->noun, noun) && v->help && (!verb || v == wanted))
			print_verb(v);
	}
	return 0;
}

/* What was printed must have arrived: a full disk is a failure. */
static int finish(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	return status ? status : fail(EXIT_REFUSED, "standard output: %s", strerror(errno));
}

static int run(int argc, const char **argv)
{
	struct call call = {.verbs = verbs};
	bool noun_known;
	int rc;

	call.verb = find_verb(argv[0], argc > 1 ? argv[1] : NULL, &noun_known);
	if (!call.verb && !noun_known)
		return unknown_noun(argv[0]);
	if (!call.verb && argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		call.arg = argv;
		call.n_args = 1;
		return help(&call);
	}
	if (!call.verb)
		return unknown_verb(argv[0], argc > 1 ? argv[1] : NULL);
	if (!call.verb->run)
		return fail(EXIT_REFUSED, "%s: not yet", call.verb->noun);
	rc = call_parse(&call, argc - (call.verb->verb ? 2 : 1), argv + (call.verb->verb ? 2 : 1));
	if (rc)
		return rc;
	if (call.wants_help) {
		print_verb(call.verb);
		return 0;
	}
	return call.verb->run(&call);
}

/* What stands before the noun; the number of words that it is, or -1 with *rc. */
static int take_options(int argc, const char **words, int *rc)
{
	int i;

	for (i = 0; i < argc && words[i][0] == '-'; i++) {
		if (!strcmp(words[i], "--version") || !strcmp(words[i], "-V")) {
			words[i] = "version";
			return i;
		}
		if (!strcmp(words[i], "--help") || !strcmp(words[i], "-h")) {
			words[i] = "help";
			return i;
		}
		if (strncmp(words[i], "-s", 2)) {
			*rc = fail(EXIT_USAGE, "there is no option %s before the noun", words[i]);
			return -1;
		}
		if (!words[i][2] && i + 1 == argc) {
			*rc = fail(EXIT_USAGE, "-s takes the path of a socket");
			return -1;
		}
		client_use_socket(words[i][2] ? words[i] + 2 : words[i + 1]);
		i += !words[i][2];
	}
	return i;
}

int main(int argc, char **argv)
{
	const char **words;
	int i, rc = 0;

	/* A copy, because arguments are sorted in place. */
	words = calloc((size_t)argc + 1, sizeof(*words));
	if (!words)
		return fail(EXIT_REFUSED, "out of memory");
	for (i = 1; i < argc; i++)
		words[i - 1] = argv[i];
	argc -= argc > 0;
	i = take_options(argc, words, &rc);
	if (i >= 0 && i < argc) {
		rc = run(argc - i, words + i);
	} else if (i >= 0) {
		print_all(stderr);
		rc = EXIT_USAGE;
	}
	free(words);
	return finish(rc);
}
