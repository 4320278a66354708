/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main: arguments of vfabd, and which of its processes this is.
 *
 * A user starts the broker.  The broker executes the same file with BROKER_SWITCH_MARK as its first
 * argument and the descriptors of broker.h open: that is the switch; with RESOLVER_MARK it is the resolver.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "switch/base/log.h"
#include "switch/broker.h"
#include "switch/resolver.h"
#include "switch/switch.h"

enum { STATUS_USAGE = 2, OPTION_STATE = 256, OPTION_LOG_LEVEL, OPTION_VERSION };

static const char usage[] =
	"usage: vfabd [-c FILE] [-s SOCKET] [--state DIR] [--log-level err|warn|info|debug]\n"
	"\n"
	"The switch: one daemon for one host or network namespace, in the foreground.\n"
	"\n"
	"  -c FILE            the configuration; SIGHUP applies it again; without it: an empty "
	"fabric\n"
	"  -s SOCKET          the control socket; else $VFAB_SOCKET, else /run/vfab/vfab.sock\n"
	"  --state DIR        where state is kept, /var/lib/vfab by default\n"
	"  --log-level LEVEL  what is logged to standard error, info by default\n"
	"  --help, --version\n";

static const struct option options[] = {
	{"state", required_argument, NULL, OPTION_STATE},
	{"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, OPTION_VERSION},
	{NULL, 0, NULL, 0},
};

#ifdef VFAB_SANITIZED
const char *__asan_default_options(void);

/* Leaks are looked for in the unit tests: here it would take ptrace, which the sandbox forbids. */
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif

static int run_switch(int argc, char **argv)
{
	const char *conf_name;

	if (!broker_client_init(argc, argv, &conf_name)) {
		fprintf(stderr, "vfabd: %s is for vfabd itself\n", BROKER_SWITCH_MARK);
		return STATUS_USAGE;
	}
	prctl(PR_SET_NAME, "vfabd-switch");
	return switch_run(conf_name);
}

/* -1: go on; else the status with which to end. */
static int take_option(int option, struct broker_options *o, enum log_level *level)
{
	switch (option) {
	case 'c':
		o->conf_file = optarg;
		return -1;
	case 's':
		o->socket_path = optarg;
		return -1;
	case OPTION_STATE:
		o->state_dir = optarg;
		o->state_dir_given = true;
		return -1;
	case OPTION_LOG_LEVEL:
		o->log_level = optarg;
		if (log_level_parse(optarg, level))
			return -1;
		fprintf(stderr, "vfabd: --log-level is err, warn, info or debug\n");
		return STATUS_USAGE;
	case 'h':
		fputs(usage, stdout);
		return 0;
	case OPTION_VERSION:
		puts("vfabd " VFAB_VERSION);
		return 0;
	}
	/* getopt has named the option. */
	fputs("vfabd: try --help\n", stderr);
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	const char *from_environment = getenv("VFAB_SOCKET");
	struct broker_options o = {
		.socket_path = from_environment && *from_environment ? from_environment
								     : "/run/vfab/vfab.sock",
		.state_dir = "/var/lib/vfab",
		.log_level = "info",
	};
	enum log_level level = LOG_LEVEL_INFO;
	int option, status;

	if (argc > 1 && strcmp(argv[1], BROKER_SWITCH_MARK) == 0)
		return run_switch(argc, argv);
	if (argc > 1 && strcmp(argv[1], RESOLVER_MARK) == 0)
		return resolver_run(argc, argv);
	while ((option = getopt_long(argc, argv, "c:s:h", options, NULL)) != -1) {
		status = take_option(option, &o, &level);
		if (status >= 0)
			return status;
	}
	if (optind < argc) {
		fprintf(stderr, "vfabd: \"%s\": there are options only, try --help\n",
			argv[optind]);
		return STATUS_USAGE;
	}
	log_init("vfabd", level);
	return broker_run(&o);
}
