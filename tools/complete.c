/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete: what may come next on the command line.
 *
 * The script of a shell is a few lines: it calls `vfab complete -- WORD...`, the words after "vfab" up to the one under the
 * cursor, and takes the lines that come back.  So every shell offers what the table of verbs says, and the names are
 * those of the running vfabd.  A line "@files" tells the script to complete names of files.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/client.h"
#include "tools/nouns.h"
#include "tools/say.h"

enum { WORD_SIZE = 64 };

static const char bash_script[] =
	"# vfab: completion for bash\n"
	"_vfab() {\n"
	"\tlocal lines\n"
	"\tmapfile -t lines < <(vfab complete -- \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"\tif [ \"${lines[0]}\" = @files ]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\telse\n"
	"\t\tCOMPREPLY=(\"${lines[@]}\")\n"
	"\tfi\n"
	"}\n"
	"complete -F _vfab vfab\n";

static const char zsh_script[] =
	"#compdef vfab\n"
	"_vfab() {\n"
	"\tlocal -a lines\n"
	"\tlines=(\"${(@f)$(vfab complete -- \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tif [[ ${lines[1]} == @files ]]; then\n"
	"\t\t_files\n"
	"\telse\n"
	"\t\tcompadd -a lines\n"
	"\tfi\n"
	"}\n"
	"compdef _vfab vfab\n";

static const char fish_script[] = "# vfab: completion for fish\n"
				  "function __vfab_complete\n"
				  "\tset -l words (commandline -opc) (commandline -ct)\n"
				  "\tset -l lines (vfab complete -- $words[2..] 2>/dev/null)\n"
				  "\tif test \"$lines[1]\" = @files\n"
				  "\t\t__fish_complete_path (commandline -ct)\n"
				  "\telse\n"
				  "\t\tprintf '%s\\n' $lines\n"
				  "\tend\n"
				  "end\n"
				  "complete -c vfab -f -a '(__vfab_complete)'\n";

int completion(const struct call *c)
{
	if (!strcmp(c->arg[0], "bash"))
		fputs(bash_script, stdout);
	else if (!strcmp(c->arg[0], "zsh"))
		fputs(zsh_script, stdout);
	else if (!strcmp(c->arg[0], "fish"))
		fputs(fish_script, stdout);
	else
		return fail(EXIT_USAGE, "completion: there are bash, zsh and fish, not \"%s\"",
			    c->arg[0]);
	return 0;
}

static void offer(const char *word, const char *prefix)
{
	if (!strncmp(word, prefix, strlen(prefix)))
		puts(word);
}

/* What objects are called, asked for quietly: with no vfabd there is nothing to offer. */
static void offer_members(const char *list, const char *member, const char *prefix)
{
	const char *name;
	json_t *all, *o;
	size_t i;

	if (!client_is_answered() || client_ask(client_request(list), NULL, &all))
		return;
	json_array_foreach(all, i, o)
	{
		name = json_string_value(json_object_get(o, member));
		if (name)
			offer(name, prefix);
	}
	json_decref(all);
}

static void offer_names(const char *list, const char *prefix)
{
	offer_members(list, "name", prefix);
}

/* Offers what a place called "NETWORK", "PORT|all", "FILE", "PATH" or "rx|tx|both" may hold. */
static void offer_value(const char *value, const char *prefix)
{
	char word[WORD_SIZE];
	size_t n;

	for (value += *value == '['; *value; value += n + (value[n] == '|')) {
		n = strcspn(value, "|],");
		if (!n)
			return;
		snprintf(word, sizeof(word), "%.*s", (int)n, value);
		if (!strcmp(word, "NETWORK") || !strcmp(word, "FROM") || !strcmp(word, "TO"))
			offer_names("net.ls", prefix);
		else if (!strcmp(word, "UPLINK"))
			offer_names("uplink.ls", prefix);
		else if (!strncmp(word, "ID", 2))
			offer_members("forward.ls", "id", prefix);
		else if (!strcmp(word, "PORT"))
			offer_names("port.ls", prefix);
		else if (!strcmp(word, "FILE") || !strcmp(word, "PATH"))
			puts("@files");
		else if (*word >= 'a' && *word <= 'z' && !strchr(word, '='))
			offer(word, prefix);
	}
}

static void offer_nouns(const struct verb *verbs, const char *prefix)
{
	const struct verb *v;

	for (v = verbs; v->noun; v++) {
		if (v->help && (v == verbs || strcmp(v->noun, v[-1].noun)))
			offer(v->noun, prefix);
	}
}

static void offer_verbs(const struct verb *verbs, const char *noun, const char *prefix)
{
	const struct verb *v;

	for (v = verbs; v->noun; v++) {
		if (v->help && v->verb && !strcmp(v->noun, noun))
			offer(v->verb, prefix);
	}
}

static void offer_options(const struct verb *v, const char *prefix)
{
	const struct verb_option *o;
	char word[WORD_SIZE];

	for (o = v->options; o && o->name; o++) {
		snprintf(word, sizeof(word), "--%s", o->name);
		offer(word, prefix);
	}
	if (v->reads)
		offer("-o", prefix);
	offer("--help", prefix);
}

/* The option whose value stands after word, or NULL. */
static const struct verb_option *option_before(const struct verb *v, const char *word)
{
	const struct verb_option *o;

	for (o = v->options; o && o->name; o++) {
		if (!o->value || word[0] != '-')
			continue;
		if (word[1] == '-' ? !strcmp(word + 2, o->name)
				   : o->letter && word[1] == o->letter && !word[2])
			return o;
	}
	return NULL;
}

/* The n-th word of "NETWORK MAC PORT" into buf; the last again when it repeats. */
static void place_name(const char *args, int n, char buf[static WORD_SIZE])
{
	const char *p, *last;

	last = "";
	for (p = args ? args : ""; *p && n >= 0; p += strspn(p, " "), n--) {
		last = p;
		p += strcspn(p, " ");
	}
	if (n >= 0 && !strstr(last, "..."))
		last = "";
	snprintf(buf, WORD_SIZE, "%.*s", (int)strcspn(last, " "), last);
}

/* Words after noun and verb: the last of them is the one under the cursor. */
static void offer_rest(const struct verb *v, const char *const *word, int n)
{
	const struct verb_option *o;
	char place[WORD_SIZE];
	int i, place_n;

	o = n > 1 ? option_before(v, word[n - 2]) : NULL;
	if (o) {
		offer_value(o->value, word[n - 1]);
		return;
	}
	if (n > 1 && !strcmp(word[n - 2], "-o")) {
		offer("table", word[n - 1]);
		offer("json", word[n - 1]);
		return;
	}
	if (*word[n - 1] == '-') {
		offer_options(v, word[n - 1]);
		return;
	}
	for (place_n = 0, i = 0; i < n - 1; i++) {
		if (*word[i] != '-' && !(i && option_before(v, word[i - 1])))
			place_n++;
	}
	place_name(v->args, place_n, place);
	/* As an argument it is that of a lease; as a value of an option it is anybody's. */
	if (!strcmp(place, "IP"))
		offer_members("lease.ls", "ip", word[n - 1]);
	else
		offer_value(place, word[n - 1]);
}

/* "port set [NAME]" takes a name that exists, "port add NAME" one that does not. */
static bool offer_object(const struct verb *v, const char *const *word, int n)
{
	static const char *const nouns[] = {"net", "port", "uplink"};
	char list[16];

	if (n != 1 || !v->verb || !v->args || strncmp(v->args, "NAME", 4) || *word[0] == '-' ||
	    !strcmp(v->verb, "add"))
		return false;
	for (size_t i = 0; i < sizeof(nouns) / sizeof(nouns[0]); i++) {
		if (strcmp(v->noun, nouns[i]))
			continue;
		snprintf(list, sizeof(list), "%s.ls", nouns[i]);
		offer_names(list, word[0]);
		return true;
	}
	return false;
}

int complete(const struct call *c)
{
	const char *const *word = c->arg;
	const struct verb *v;
	int n = c->n_args, skip;

	while (n > 2 && !strcmp(word[0], "-s")) {
		client_use_socket(word[1]);
		word += 2;
		n -= 2;
	}
	if (n > 1 && !strcmp(word[0], "help")) {
		word++;
		n--;
	}
	if (n <= 1) {
		offer_nouns(c->verbs, n ? word[0] : "");
		return 0;
	}
	for (v = c->verbs; v->noun && !verb_is(v, word[0], word[1]); v++)
		continue;
	if (n == 2 && !(v->noun && !v->verb)) {
		offer_verbs(c->verbs, word[0], word[1]);
		return 0;
	}
	if (!v->noun)
		return 0;
	skip = v->verb ? 2 : 1;
	if (!offer_object(v, word + skip, n - skip))
		offer_rest(v, word + skip, n - skip);
	return 0;
}
