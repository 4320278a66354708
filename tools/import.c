/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * import: rules of VirtualBox and VMware, and our own, line by line.
 *
 *   ssh,tcp,,2222,10.0.0.5,22                      VirtualBox --natpf, also behind Forwarding(0)= as showvminfo prints it
 *   web:tcp:[]:8080:[10.0.0.5]:80                  VirtualBox natnetwork --port-forward-4 and -6
 *   VBoxManage ... --natpf1 "ssh,tcp,,2222,..."    the command line around it
 *   [incomingtcp] / [incomingudp]                  VMware nat.conf: a section, and in it
 *   8080 = 10.0.0.5:80                               one rule a line
 *   8080:10.0.0.5:80/tcp                           ours
 *
 * Empty lines, comments (# and ;) and the other sections of a nat.conf are nothing to us.  What comes out is a forward of
 * our grammar, which conf_forward.c judges.
 */
#include "tools/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "switch/base/units.h"
#include "switch/conf.h"
#include "tools/client.h"
#include "tools/say.h"

enum { FIELDS = 6, LINE_SIZE = 1024 };

/* A rule of VirtualBox in its parts. */
enum { RULE_NAME, RULE_PROTO, RULE_HOST, RULE_HOST_PORT, RULE_GUEST, RULE_GUEST_PORT };

static enum import_line bad(char spec[static IMPORT_TEXT], const char *why)
{
	snprintf(spec, IMPORT_TEXT, "%s", why);
	return IMPORT_BAD;
}

/* An address in our grammar: IPv6 in brackets, whether it came in some or not. */
static void put_address(const char *text, char out[static 80])
{
	size_t n = strlen(text);

	if (n >= 2 && text[0] == '[' && text[n - 1] == ']')
		snprintf(out, 80, strchr(text, ':') ? "[%.*s]" : "%.*s", (int)(n - 2), text + 1);
	else
		snprintf(out, 80, strchr(text, ':') ? "[%.60s]" : "%.60s", text);
}

static enum import_line put_rule(char *const field[static FIELDS], char spec[static IMPORT_TEXT])
{
	char host[80], guest[80];

	put_address(field[RULE_HOST], host);
	put_address(field[RULE_GUEST], guest);
	if (!guest[0])
		return bad(spec, "the rule names no guest address");
	if (strcmp(field[RULE_PROTO], "tcp") && strcmp(field[RULE_PROTO], "udp"))
		return bad(spec, "the protocol is neither tcp nor udp");
	snprintf(spec, IMPORT_TEXT, "%s%s%.16s:%s:%.16s/%s", host, host[0] ? ":" : "",
		 field[RULE_HOST_PORT], guest, field[RULE_GUEST_PORT], field[RULE_PROTO]);
	return IMPORT_SPEC;
}

/* Without blanks and a pair of quotes around it. */
static char *trim(char *text)
{
	size_t n;

	text += strspn(text, " \t\r");
	n = strlen(text);
	while (n && strchr(" \t\r\n", text[n - 1]))
		n--;
	if (n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n - 1] == text[0]) {
		text++;
		n -= 2;
	}
	text[n] = '\0';
	return text;
}

/* The rule in a line of VirtualBox, in place: the value of the option, or what Forwarding(n)= says. */
static char *find_rule(char *line)
{
	static const char *const options[] = {"--natpf", "--nat-pf", "--port-forward-"};
	char *at = NULL, end[2] = " ";

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && !at; i++)
		at = strstr(line, options[i]);
	if (at) {
		at += strcspn(at, " \t=");
		at += strspn(at, " \t=");
		end[0] = *at == '"' || *at == '\'' ? *at : ' ';
		at += *at == end[0];
		at[strcspn(at, end)] = '\0';
		return at;
	}
	if (!strncmp(line, "Forwarding(", 11) && strchr(line, '='))
		return trim(strchr(line, '=') + 1);
	return line;
}

/* "8080 = 10.0.0.5:80" */
static enum import_line put_vmware(char *line, const char *proto, char spec[static IMPORT_TEXT])
{
	char *equals = strchr(line, '='), guest[80], *colon;

	if (!equals)
		return bad(spec, "expected PORT = GUEST:PORT");
	*equals = '\0';
	line = trim(line);
	equals = trim(equals + 1);
	colon = strrchr(equals, ':');
	if (!colon)
		return bad(spec, "expected PORT = GUEST:PORT");
	*colon = '\0';
	put_address(equals, guest);
	snprintf(spec, IMPORT_TEXT, "%.16s:%s:%.16s/%s", line, guest, colon + 1, proto);
	return IMPORT_SPEC;
}

static bool is_section(const char *line)
{
	size_t n = strlen(line);

	/* A rule of ours that begins with [::1] goes on behind the bracket. */
	return line[0] == '[' && strcspn(line, "]") == n - 1;
}

enum import_line import_line(const char *line, char section[static 32],
			     char spec[static IMPORT_TEXT])
{
	char copy[LINE_SIZE], *text, *rule, *field[FIELDS];

	if (strlen(line) >= sizeof(copy))
		return bad(spec, "the line is too long");
	memcpy(copy, line, strlen(line) + 1);
	text = trim(copy);
	if (!text[0] || text[0] == '#' || text[0] == ';')
		return IMPORT_NONE;
	if (is_section(text)) {
		snprintf(section, 32, "%.31s", text);
		return IMPORT_NONE;
	}
	if (!strcmp(section, "[incomingtcp]") || !strcmp(section, "[incomingudp]"))
		return put_vmware(text, strcmp(section, "[incomingudp]") ? "tcp" : "udp", spec);
	if (section[0])
		return IMPORT_NONE;
	rule = find_rule(text);
	if (strchr(rule, ','))
		return units_split(rule, ',', field, FIELDS) == FIELDS
			       ? put_rule(field, spec)
			       : bad(spec, "expected NAME,PROTO,HOST,PORT,GUEST,PORT");
	snprintf(spec, IMPORT_TEXT, "%.250s", rule);
	if (units_split(rule, ':', field, FIELDS) == FIELDS)
		return put_rule(field, spec);
	return IMPORT_SPEC;
}

/* Takes one line of the file; 0 or the exit status. */
static int take_line(json_t *forwards, const char *path, int number, const char *line,
		     char section[static 32], json_t *keys)
{
	struct conf_forward f;
	char spec[IMPORT_TEXT], why[320];

	switch (import_line(line, section, spec)) {
	case IMPORT_NONE:
		return 0;
	case IMPORT_BAD:
		return fail(EXIT_DATA, "%s:%d: %s", path, number, spec);
	default:
		break;
	}
	if (!conf_forward_parse(spec, &f, why, sizeof(why)))
		return fail(EXIT_DATA, "%s:%d: %s", path, number, why);
	if (json_object_get(forwards, f.spec))
		return fail(EXIT_DATA, "%s:%d: forward \"%s\" is there twice", path, number,
			    f.spec);
	json_object_set(forwards, f.spec, keys);
	return 0;
}

json_t *import_file(const char *path, json_t *keys, int *status)
{
	json_t *forwards = need(json_object());
	char section[32] = "", *text, *line, *next;
	int number = 0;
	size_t n;

	text = client_read_file(path, &n, status);
	for (line = text; line && !*status; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		*status = take_line(forwards, path, ++number, line, section, keys);
	}
	free(text);
	if (!*status && !json_object_size(forwards))
		*status = fail(EXIT_DATA, "%s: there is no forward in it", path);
	if (!*status)
		return forwards;
	json_decref(forwards);
	return NULL;
}
