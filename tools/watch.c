/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch: `vfab trace` and `vfab capture`.
 *
 * The filter expression is compiled here, with libpcap, and sent as a program that the switch checks before it runs it.
 * The file of a capture is opened here too, with the user's rights, and its descriptor goes along: the switch
 * opens no file for anybody.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "switch/base/units.h"
#include "tools/client.h"
#include "tools/nouns.h"
#include "tools/say.h"
#include "tools/table.h"

enum { SNAPLEN_MAX = 262144 };

const struct verb_option trace_options[] = {
	{"port", 0, "PORT", AS_LOCAL, NULL, "only frames that came in by this port"},
	{"count", 0, "N", AS_LOCAL, NULL, "end after N frames"},
	{"drops", 0, NULL, AS_LOCAL, NULL, "only frames that are dropped"},
	{0},
};

const struct verb_option capture_options[] = {
	{"write", 'w', "FILE|-", AS_LOCAL, NULL, "where to; without it standard output"},
	{"dir", 0, "rx|tx|both", AS_LOCAL, NULL, "into the switch, out of it, or both (default)"},
	{"count", 0, "N", AS_LOCAL, NULL, "end after N frames"},
	{"snaplen", 0, "N", AS_LOCAL, NULL, "bytes of each frame to keep; default all"},
	{0},
};

/* The words of a filter as one expression; malloc'd. */
static char *join(const char *const *word, int n)
{
	size_t size;
	char *text;
	FILE *f;
	int i;

	f = need(open_memstream(&text, &size));
	for (i = 0; i < n; i++)
		fprintf(f, "%s%s", i ? " " : "", word[i]);
	fclose(f);
	return need(text);
}

/* True when an expression uses the word `vlan`: its filter then sees the outer tag. */
static bool has_vlan_word(const char *text)
{
	const char *p;
	bool starts, ends;

	for (p = text; (p = strstr(p, "vlan")); p += 4) {
		starts = p == text || !(isalnum((unsigned char)p[-1]) || strchr("_.-", p[-1]));
		ends = !p[4] || !(isalnum((unsigned char)p[4]) || strchr("_.-", p[4]));
		if (starts && ends)
			return true;
	}
	return false;
}

static json_t *program_json(const struct bpf_program *p)
{
	const struct bpf_insn *i;
	json_t *list;

	list = need(json_array());
	for (i = p->bf_insns; i < p->bf_insns + p->bf_len; i++)
		json_array_append_new(list, need(json_pack("[i,i,i,I]", i->code, i->jt, i->jf,
							   (json_int_t)i->k)));
	return list;
}

/* Compiles the words that follow argument `first` into the request.  0 or the exit status. */
static int add_filter(json_t *request, const struct call *c, int first)
{
	struct bpf_program program;
	pcap_t *pcap;
	char *text;
	int rc;

	if (c->n_args <= first)
		return 0;
	text = join(c->arg + first, c->n_args - first);
	pcap = need(pcap_open_dead(DLT_EN10MB, SNAPLEN_MAX));
	rc = 0;
	if (pcap_compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN)) {
		rc = fail(EXIT_DATA, "filter \"%s\": %s", text, pcap_geterr(pcap));
	} else {
		json_object_set_new(request, "filter", program_json(&program));
		json_object_set_new(request, "sees_tag", json_boolean(has_vlan_word(text)));
		pcap_freecode(&program);
	}
	pcap_close(pcap);
	free(text);
	return rc;
}

/* --count and --snaplen.  0 or the exit status. */
static int add_number(json_t *request, const struct call *c, const char *name, uint64_t max)
{
	const char *text = call_option(c, name);
	uint64_t v;

	if (!text)
		return 0;
	if (!units_number(text, 1, max, &v))
		return fail(EXIT_DATA, "--%s \"%s\" is no number from 1 to %llu", name, text,
			    (unsigned long long)max);
	json_object_set_new(request, name, json_integer((json_int_t)v));
	return 0;
}

static int add_text(json_t *request, const char *name, const char *text)
{
	if (!text || !json_object_set_new(request, name, json_string(text)))
		return 0;
	return fail(EXIT_USAGE, "--%s is not text in UTF-8", name);
}

static void print_member(const char *before, json_t *obj, const char *path, const char *after)
{
	char *text;

	if (!table_at(obj, path) || json_is_null(table_at(obj, path)))
		return;
	text = table_member(obj, path);
	printf("%s%s%s", before, text, after);
	free(text);
}

/*
 * 02:..:0a > 02:..:0b, ipv4, vlan 10, 66 bytes
 *     tcp 10.0.0.5:443 > 10.0.0.6:51000
 */
static void print_frame(json_t *frame)
{
	print_member("", frame, "src", "");
	print_member(" > ", frame, "dst", "");
	print_member(", ", frame, "type", "");
	print_member(", vlan ", frame, "vlan", "");
	print_member(", tagged ", frame, "tag.vid", "");
	if (json_integer_value(json_object_get(frame, "pcp")))
		print_member(", priority ", frame, "pcp", "");
	print_member(", ", frame, "len", " bytes");
	print_member(", in segments of ", frame, "gso.size", "");
	print_member("\n    arp ", frame, "arp.op", "");
	print_member(" from ", frame, "arp.sender", "");
	print_member(" for ", frame, "arp.target", "");
	print_member("\n    ", frame, "ip.proto", "");
	print_member(" type ", frame, "ip.type", "");
	print_member(" code ", frame, "ip.code", "");
	print_member(" ", frame, "ip.src", "");
	print_member(" port ", frame, "ip.sport", "");
	print_member(" > ", frame, "ip.dst", "");
	print_member(" port ", frame, "ip.dport", "");
	putchar('\n');
}

/* A block a frame: when and where, what it is, what each stage said, how it ended. */
static void print_trace(json_t *t)
{
	const char *reason = json_string_value(json_object_get(t, "reason"));
	char *stage, *what;
	json_t *step;
	size_t i;

	print_member("", t, "time", "");
	print_member("  ", t, "port", "  ");
	print_frame(json_object_get(t, "frame"));
	json_array_foreach(json_object_get(t, "steps"), i, step)
	{
		stage = table_member(step, "stage");
		what = table_member(step, "what");
		printf("    %-8s %s\n", stage, what);
		free(stage);
		free(what);
	}
	print_member("    => ", t, "verdict", "");
	if (json_array_size(json_object_get(t, "out")))
		print_member(" to ", t, "out", "");
	if (strcmp(reason ? reason : "none", "none"))
		print_member(": ", t, "reason", "");
	fputs("\n\n", stdout);
}

static bool see_trace(json_t *obj, void *arg)
{
	const struct call *c = arg;

	if (c->json)
		json_out(obj, true);
	else if (json_object_get(obj, "error"))
		print_member("vfabd: ", obj, "error", "\n");
	else
		print_trace(obj);
	return !fflush(stdout);
}

int trace(const struct call *c)
{
	struct call copy = *c;
	json_t *request;
	int rc;

	request = client_request("trace");
	rc = add_filter(request, c, 0);
	if (!rc)
		rc = add_number(request, c, "count", INT64_MAX);
	if (!rc)
		rc = add_text(request, "port", call_option(c, "port"));
	if (rc) {
		json_decref(request);
		return rc;
	}
	if (call_option(c, "drops"))
		json_object_set_new(request, "drops", json_true());
	return client_stream(request, -1, see_trace, &copy);
}

/* What the switch says of a capture once a second. */
struct tally {
	json_int_t frames, lost;
	char *error; /* malloc'd: why it ended, or NULL */
};

static bool see_capture(json_t *obj, void *arg)
{
	struct tally *t = arg;

	if (json_is_integer(json_object_get(obj, "frames")))
		t->frames = json_integer_value(json_object_get(obj, "frames"));
	if (json_is_integer(json_object_get(obj, "lost")))
		t->lost = json_integer_value(json_object_get(obj, "lost"));
	if (json_object_get(obj, "error") && !t->error)
		t->error = table_member(obj, "error");
	return true;
}

/* The descriptor to write to, or -1 with *status.  A link is followed: it is the user's own choice and rights. */
static int open_output(const char *path, int *status)
{
	int fd;

	if (path && strcmp(path, "-")) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0600);
		if (fd < 0)
			*status = fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
		return fd;
	}
	if (!path && isatty(STDOUT_FILENO)) {
		*status = fail(EXIT_USAGE, "capture: frames are not written to a terminal; "
					   "say -w FILE, or -w - if you mean it");
		return -1;
	}
	fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		*status = fail(EXIT_REFUSED, "standard output: %s", strerror(errno));
	return fd;
}

static int capture_request(json_t *request, const struct call *c)
{
	const char *dir = call_option(c, "dir");
	int rc;

	if (dir && strcmp(dir, "rx") && strcmp(dir, "tx") && strcmp(dir, "both"))
		return fail(EXIT_USAGE, "--dir takes rx, tx or both");
	rc = add_filter(request, c, 1);
	if (!rc)
		rc = add_number(request, c, "count", INT64_MAX);
	if (!rc)
		rc = add_number(request, c, "snaplen", SNAPLEN_MAX);
	if (!rc)
		rc = add_text(request, "port", c->arg[0]);
	if (!rc)
		rc = add_text(request, "dir", dir);
	return rc;
}

/* Asks for the port's drops, to hear of a wrong name before a file is cut to nothing for it. */
static int check_port(const char *name)
{
	json_t *request;

	request = client_request("drops");
	if (strcmp(name, "all"))
		json_object_set_new(request, "port", json_string(name));
	return client_ask(request, NULL, NULL);
}

int capture(const struct call *c)
{
	struct tally tally = {0};
	json_t *request;
	int fd, rc;

	request = client_request("capture");
	rc = capture_request(request, c);
	if (!rc)
		rc = check_port(c->arg[0]);
	fd = rc ? -1 : open_output(call_option(c, "write"), &rc);
	if (fd < 0) {
		json_decref(request);
		return rc;
	}
	rc = client_stream(request, fd, see_capture, &tally);
	close(fd);
	if (!rc)
		fprintf(stderr,
			"%" JSON_INTEGER_FORMAT " frames captured, %" JSON_INTEGER_FORMAT " lost\n",
			tally.frames, tally.lost);
	if (!rc && tally.error)
		rc = fail(EXIT_REFUSED, "capture: %s", tally.error);
	free(tally.error);
	return rc;
}
