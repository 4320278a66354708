/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lab and proc: fragments of labs, their records, and the processes they end. */
#include "tools/lab_conf.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/call.h"
#include "tools/client.h"
#include "tools/confile.h"
#include "tools/lab_state.h"
#include "tools/say.h"

/* After ours: it has a macro fail(). */
#include <cmocka.h>

static char dir[] = "/tmp/vfab-test-lab.XXXXXX";

static void test_fragment(void **state)
{
	static const char text[] =
		"networks: {office: {mode: internal, vlan: 10}, way: {mode: nat, vlan: 11, "
		"ipv4: 10.0.0.0/24, forwards: ['80:10.0.0.5:80']}, "
		"other: {mode: nat, vlan: 12, ipv4: 10.0.1.0/24}}\n"
		"routes: [{from: way, to: other}]\n"
		"ports: {up: {tap: up0, network: office}}\n"
		"workers: {cpus: [0]}\n"
		"containers:\n"
		"  web: {run: 'true', nics: [{network: office, ipv4: 10.0.0.1/24},\n"
		"        {network: office, ifname: dmz, mac: '02:00:00:00:00:01'}]}\n"
		"  \"7\": {nics: [{network: office, gateway: 10.0.0.9, ipv4: 10.0.0.2/24}]}\n";
	const struct conf_port *p;
	struct conf *conf, *out;
	char *fragment;
	int status;

	(void)state;
	assert_int_equal(confile_parse("lab.yaml", text, sizeof(text) - 1, &conf), 0);
	fragment = lab_fragment("lab.yaml", text, sizeof(text) - 1, conf, false, &status);
	assert_non_null(fragment);
	assert_int_equal(confile_parse("fragment", fragment, strlen(fragment), &out), 0);
	assert_int_equal(out->n_containers, 0);
	assert_int_equal(out->n_networks, 3);
	assert_int_equal(out->networks[1].n_forwards, 1);
	assert_int_equal(out->n_routes, 1);
	/* Which uplink there is only vfabd knows. */
	assert_null(strstr(fragment, "uplink"));
	assert_int_equal(out->n_ports, 4);
	assert_int_equal(out->workers.n_cpus, 0);
	p = conf_find_port(out, "web");
	assert_string_equal(p->tap, "eth0");
	assert_string_equal(p->netns, "web");
	assert_int_equal(p->ipv4.len, 24);
	p = conf_find_port(out, "web-2");
	assert_string_equal(p->tap, "dmz");
	assert_int_equal(p->mac.b[5], 1);
	/* A name of digits alone would be taken for a pid. */
	p = conf_find_port(out, "7");
	assert_string_equal(p->netns, "/run/netns/7");
	assert_true(p->has_gateway);
	conf_destroy(out);
	free(fragment);

	fragment = lab_fragment("lab.yaml", text, sizeof(text) - 1, conf, true, &status);
	assert_int_equal(confile_parse("fragment", fragment, strlen(fragment), &out), 0);
	assert_int_equal(out->workers.n_cpus, 1);
	conf_destroy(out);
	free(fragment);
	conf_destroy(conf);
}

static void test_names(void **state)
{
	static const struct {
		const char *file, *name; /* NULL: refused */
	} cases[] = {
		{"first-lab.yaml", "first-lab"},
		{"/a/b/c.d.yml", "c.d"},
		{"plain", "plain"},
		{"x.json", "x.json"},
		{"-", NULL},
		{"", NULL},
		{"/a/", NULL},
		{"..", NULL},
		{".yaml", NULL},
		{"a b.yaml", NULL},
		{"a\n.yaml", NULL},
	};
	struct lab l;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(lab_open(cases[i].file, &l), cases[i].name ? 0 : EXIT_USAGE);
		if (cases[i].name)
			assert_string_equal(l.name, cases[i].name);
		lab_close(&l);
	}
}

static void test_record(void **state)
{
	struct proc p = {.pid = 77, .start = 1234567};
	struct lab l;
	json_t *all;
	FILE *f;

	(void)state;
	assert_int_equal(lab_open("one.yaml", &l), 0);
	assert_null(l.state);
	l.state = json_pack("{s:s,s:[]}", "lab", "one", "nodes");
	lab_set_proc(l.state, &p);
	assert_int_equal(lab_save(&l), 0);
	lab_close(&l);

	assert_int_equal(lab_open("one.yaml", &l), 0);
	assert_non_null(l.state);
	assert_int_equal(lab_proc(l.state).pid, 77);
	assert_int_equal(lab_proc(l.state).start, 1234567);
	all = lab_all();
	assert_int_equal(json_array_size(all), 1);
	json_decref(all);
	lab_forget(&l);
	lab_close(&l);

	/* Numbers that name no process of ours. */
	all = json_pack("{s:i,s:i}", "pid", 1, "start", 5);
	assert_int_equal(lab_proc(all).pid, 0);
	json_decref(all);
	all = json_pack("{s:i}", "pid", 500);
	assert_int_equal(lab_proc(all).pid, 0);
	json_decref(all);
	assert_int_equal(lab_proc(NULL).pid, 0);

	/* A record that is none. */
	assert_int_equal(lab_open("two.yaml", &l), 0);
	f = fopen(l.path, "w");
	assert_non_null(f);
	fputs("{\"lab\": ", f);
	fclose(f);
	lab_close(&l);
	assert_int_equal(lab_open("two.yaml", &l), EXIT_REFUSED);
	unlink(l.path);
	lab_close(&l);
}

static void test_run(void **state)
{
	const char *const echo[] = {"sh", "-c", "echo hello; echo no >&2; exit 3", NULL};
	const char *const none[] = {"vfab-no-such-program", NULL};
	char *out;

	(void)state;
	assert_int_equal(proc_run(echo, &out), 3);
	assert_string_equal(out, "hello\n");
	free(out);
	assert_int_equal(proc_run(none, &out), -ENOENT);
	assert_null(out);
}

static void test_end(void **state)
{
	/* A leader that ignores SIGTERM, and a child of its session. */
	const char *const argv[] = {"sh", "-c", "trap '' TERM; sleep 1000 & wait; sleep 1000",
				    NULL};
	struct proc p, stale;
	char log[64];

	(void)state;
	snprintf(log, sizeof(log), "%s/log", dir);
	assert_int_equal(proc_start(argv, log, &p), 0);
	assert_true(proc_lives(&p));
	/* Another start time: another process, which is let live. */
	stale = (struct proc){.pid = p.pid, .start = p.start + 1};
	assert_false(proc_lives(&stale));
	assert_true(proc_end(&stale, 0, 100));
	assert_true(proc_lives(&p));
	assert_true(proc_end(&p, proc_netns(getpid()), 200));
	assert_false(proc_lives(&p));
	/* Nobody of the session is left to be signalled. */
	assert_true(proc_end(&p, proc_netns(getpid()), 0));
	unlink(log);
}

static void test_replace(void **state)
{
	char name[64], link[64], *text;
	int status;
	size_t n;

	(void)state;
	snprintf(name, sizeof(name), "%s/conf", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(confile_replace(name, "one", 0644), 0);
	assert_return_code(symlink(name, link), 0);
	assert_int_equal(confile_replace(link, "two", 0644), 0);
	text = client_read_file(name, &n, &status);
	assert_string_equal(text, "two");
	free(text);
	assert_int_equal(confile_replace("/nowhere/at/all", "x", 0644), EXIT_REFUSED);
	unlink(link);
	unlink(name);
}

static int set_up(void **state)
{
	(void)state;
	return !mkdtemp(dir) || setenv("VFAB_RUN", dir, 1);
}

static int clean_up(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/lab/.lock", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lab", dir);
	return rmdir(path) || rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fragment), cmocka_unit_test(test_names),
		cmocka_unit_test(test_record),	 cmocka_unit_test(test_run),
		cmocka_unit_test(test_end),	 cmocka_unit_test(test_replace),
	};

	return cmocka_run_group_tests(tests, set_up, clean_up);
}
