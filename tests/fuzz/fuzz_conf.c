/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fuzz target: the text of a configuration, taken as a file and as the fragment of a verb.
 *
 * Beside not crashing: what is taken prints, parses again and prints the same; a copy prints the same; nothing
 * changes between a configuration and itself; what is refused says why in one line.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "switch/apply.h"
#include "switch/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base[] =
	"networks: {office: {mode: internal, vlan: 10, macs: {02:00:00:00:00:01: web}}, "
	"host: {mode: host-only, ipv4: 10.9.0.0/24}, "
	"out: {mode: nat, ipv4: 10.2.0.0/24, uplink: wan, forwards: [\"80:10.2.0.5:80\"], "
	"nat: {timeouts: {udp: 2m}}, domain: out.example, dns: [10.2.0.1], dhcp: {range: "
	"10.2.0.9-10.2.0.20, options: {ntp: 10.2.0.1}, reservations: [{port: web2, ip: 10.2.0.6}, "
	"{mac: \"02:00:00:00:00:07\", ip: 10.2.0.7, name: x}]}}, "
	"dmz: {mode: nat, ipv6: \"fd00::/64\", uplink: wan}}\n"
	"uplinks: {wan: {kind: host}}\nroutes: [{from: out, to: dmz}]\n"
	"ports: {web: {tap: eth0, netns: c1, network: office, storm: {broadcast: 5}}, "
	"web2: {tap: eth1, netns: c1, network: out, ipv4: dhcp, guard: strict}, "
	"t: {tap: t, vlan-mode: native-tagged, tag: 3, trunks: [10, 20-29]}}\n"
	"containers: {n1: {run: x, nics: [{network: office}]}}\nworkers: {cpus: [1]}\n"
	"dns: {servers: [192.0.2.1]}\n";

static void must(int ok)
{
	if (!ok)
		abort();
}

/* One line, of the words that conf chose and of text that it made harmless. */
static void check_error(const struct conf_error *err)
{
	char line[CONF_ERROR_TEXT];

	must(err->text[0]);
	conf_error_line(err, "file", line);
	for (const char *p = line; *p; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f);
}

static void check_print(struct conf *c)
{
	char *text = conf_print(c), *again;
	struct conf *copy = conf_copy(c), *back = conf_create();
	struct conf_error err;
	struct plan *plan;

	must(text && copy && back);
	must(!conf_merge(back, text, strlen(text), CONF_ADD, &err));
	must(!conf_validate(back, NULL, &err));
	again = conf_print(back);
	must(again && !strcmp(text, again));
	free(again);
	again = conf_print(copy);
	must(again && !strcmp(text, again));
	free(again);
	plan = plan_create(c, back);
	must(plan && !plan->n);
	plan_destroy(plan);
	conf_destroy(copy);
	conf_destroy(back);
	free(text);
}

static void merge(struct conf *c, const uint8_t *data, size_t size, enum conf_merge how)
{
	struct conf *keep = conf_copy(c);
	struct conf_error err;

	must(c && keep);
	if (conf_merge(c, (const char *)data, size, how, &err) || conf_validate(c, keep, &err))
		check_error(&err);
	else
		check_print(c);
	conf_destroy(keep);
	conf_destroy(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_error err;
	struct conf *c;

	merge(conf_create(), data, size, CONF_ADD);
	for (int how = CONF_ADD; how <= CONF_DEL; how++) {
		c = conf_create();
		must(c && !conf_merge(c, base, sizeof(base) - 1, CONF_ADD, &err) &&
		     !conf_validate(c, NULL, &err));
		merge(c, data, size, (enum conf_merge)how);
	}
	return 0;
}
