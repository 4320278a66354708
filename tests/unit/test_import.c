/* SPDX-License-Identifier: GPL-2.0-or-later */
/* import: lines of VirtualBox, VMware and ours, and the forwards that they are. */
#include "tools/import.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* After ours: it has a macro fail(). */
#include <cmocka.h>

struct in_out {
	const char *line;
	enum import_line what;
	const char *spec; /* of IMPORT_BAD: a part of it */
};

static const struct in_out lines[] = {
	{"", IMPORT_NONE, NULL},
	{"  # a comment", IMPORT_NONE, NULL},
	{"; another", IMPORT_NONE, NULL},
	{"8080:10.0.0.5:80/tcp", IMPORT_SPEC, "8080:10.0.0.5:80/tcp"},
	{"  [::1]:8080:[fd00::5]:80 \r", IMPORT_SPEC, "[::1]:8080:[fd00::5]:80"},
	{"ssh,tcp,,2222,10.0.0.5,22", IMPORT_SPEC, "2222:10.0.0.5:22/tcp"},
	{"dns,udp,127.0.0.1,5353,10.0.0.5,53", IMPORT_SPEC, "127.0.0.1:5353:10.0.0.5:53/udp"},
	{"Forwarding(0)=\"ssh,tcp,,2222,10.0.0.5,22\"", IMPORT_SPEC, "2222:10.0.0.5:22/tcp"},
	{"six,tcp,::1,80,fd00::5,80", IMPORT_SPEC, "[::1]:80:[fd00::5]:80/tcp"},
	{"ssh:tcp:[]:1022:[192.168.15.5]:22", IMPORT_SPEC, "1022:192.168.15.5:22/tcp"},
	{"ssh:tcp:[127.0.0.1]:1022:[192.168.15.5]:22", IMPORT_SPEC,
	 "127.0.0.1:1022:192.168.15.5:22/tcp"},
	{"web:tcp:[2001:db8::1]:80:[fd17:625c:f037:2::5]:80", IMPORT_SPEC,
	 "[2001:db8::1]:80:[fd17:625c:f037:2::5]:80/tcp"},
	{"VBoxManage modifyvm box --natpf1 \"ssh,tcp,,2222,10.0.2.15,22\"", IMPORT_SPEC,
	 "2222:10.0.2.15:22/tcp"},
	{"VBoxManage natnetwork modify --netname n --port-forward-4 "
	 "'ssh:tcp:[]:1022:[10.0.0.5]:22' "
	 "--enable",
	 IMPORT_SPEC, "1022:10.0.0.5:22/tcp"},
	{"VBoxManage modifyvm box --nat-pf1=\"x,tcp,,1,10.0.2.15,2\"", IMPORT_SPEC,
	 "1:10.0.2.15:2/tcp"},
	{"VBoxManage modifyvm box --natpf1=x,tcp,,1,10.0.2.15,2", IMPORT_SPEC, "1:10.0.2.15:2/tcp"},
	{"ssh,tcp,,2222,,22", IMPORT_BAD, "no guest address"},
	{"ssh,sctp,,2222,10.0.0.5,22", IMPORT_BAD, "neither tcp nor udp"},
	{"ssh,tcp,2222,10.0.0.5,22", IMPORT_BAD, "expected NAME,PROTO"},
	{"a,b,c,d,e,f,g", IMPORT_BAD, "expected NAME,PROTO"},
};

static void test_lines(void **state)
{
	char section[32] = "", spec[IMPORT_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		enum import_line what = import_line(lines[i].line, section, spec);

		if (what != lines[i].what)
			print_message("%s: %s\n", lines[i].line, spec);
		assert_int_equal(what, lines[i].what);
		if (what == IMPORT_SPEC)
			assert_string_equal(spec, lines[i].spec);
		if (what == IMPORT_BAD)
			assert_non_null(strstr(spec, lines[i].spec));
	}
}

static void test_nat_conf(void **state)
{
	static const struct in_out conf[] = {
		{"# VMware NAT configuration file", IMPORT_NONE, NULL},
		{"[host]", IMPORT_NONE, NULL},
		{"ip = 192.168.1.2", IMPORT_NONE, NULL},
		{"[incomingtcp]", IMPORT_NONE, NULL},
		{"#8080 = 172.16.3.128:80", IMPORT_NONE, NULL},
		{"8080 = 172.16.3.128:80", IMPORT_SPEC, "8080:172.16.3.128:80/tcp"},
		{"nonsense", IMPORT_BAD, "expected PORT"},
		{"81 = 172.16.3.128", IMPORT_BAD, "expected PORT"},
		{"[incomingudp]", IMPORT_NONE, NULL},
		{"6000=172.16.3.0:6001", IMPORT_SPEC, "6000:172.16.3.0:6001/udp"},
		{"[dns]", IMPORT_NONE, NULL},
		{"policy = order", IMPORT_NONE, NULL},
	};
	char section[32] = "", spec[IMPORT_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof(conf) / sizeof(conf[0]); i++) {
		assert_int_equal(import_line(conf[i].line, section, spec), conf[i].what);
		if (conf[i].what == IMPORT_SPEC)
			assert_string_equal(spec, conf[i].spec);
	}
}

/* What import_file() makes of a text, and its status. */
static json_t *import(const char *text, int *status)
{
	char path[] = "/tmp/vfab-test-import.XXXXXX";
	json_t *keys = json_object(), *forwards;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	*status = 0;
	forwards = import_file(path, keys, status);
	unlink(path);
	json_decref(keys);
	return forwards;
}

static void test_files(void **state)
{
	json_t *forwards;
	int status;

	(void)state;
	forwards = import("a,tcp,,80,10.0.0.5,80\n\n81:10.0.0.5:81\n", &status);
	assert_int_equal(json_object_size(forwards), 2);
	assert_non_null(json_object_get(forwards, "80:10.0.0.5:80"));
	json_decref(forwards);
	assert_null(import("80:10.0.0.5:80\n80:10.0.0.5:80/tcp\n", &status));
	assert_int_equal(status, 65);
	assert_null(import("80:10.0.0.5:99999\n", &status));
	assert_int_equal(status, 65);
	assert_null(import("a,tcp,,80,,80\n", &status));
	assert_int_equal(status, 65);
	assert_null(import("# nothing\n", &status));
	assert_int_equal(status, 65);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_nat_conf),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
