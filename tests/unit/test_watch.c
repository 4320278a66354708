/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/watch: requests, streams and their ends.  The control socket and the workers are doubles. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "switch/capture.h"
#include "switch/ctl.h"
#include "switch/watch.h"

enum { FRAME_BYTES = 60, PATIENCE_MS = 3000 };

/* A connection: what the switch said, and how it is to go on. */
struct client {
	struct daemon *d;
	int fd;		/* comes with the request */
	int status;	/* of a refusal, -1: none */
	char text[256]; /* of a refusal */
	void (*on_close)(void *arg);
	void *arg;
	bool has_ended, is_slow;
	unsigned objects;
	json_t *last;
};

struct worker {
	struct forwarder fw;
};

struct bench {
	struct daemon d;
	struct worker worker[2];
	struct fabric fab;
	struct fabric_port fport[4];
	struct port port[4];
	struct client cl;
	struct vec vec;
	uint8_t bytes[FRAME_HEADROOM + FRAME_BYTES];
};

struct forwarder *worker_forwarder(struct worker *w)
{
	return &w->fw;
}

void ctl_refuse(struct client *cl, int status, const char *fmt, ...)
{
	va_list ap;

	cl->status = status;
	va_start(ap, fmt);
	vsnprintf(cl->text, sizeof(cl->text), fmt, ap);
	va_end(ap);
}

void ctl_stream_begin(struct client *cl, void (*on_close)(void *arg), void *arg)
{
	cl->on_close = on_close;
	cl->arg = arg;
}

bool ctl_stream_send(struct client *cl, json_t *obj)
{
	assert_non_null(obj);
	if (cl->is_slow) {
		json_decref(obj);
		return false;
	}
	json_decref(cl->last);
	cl->last = obj;
	cl->objects++;
	return true;
}

void ctl_stream_end(struct client *cl)
{
	cl->has_ended = true;
}

int ctl_take_fd(struct client *cl)
{
	int fd = cl->fd;

	cl->fd = -1;
	return fd;
}

static int set_up(void **state)
{
	struct bench *b = NULL;

	if (posix_memalign((void **)&b, 64, sizeof(*b)) != 0)
		return -1;
	memset(b, 0, sizeof(*b));
	b->d.loop = loop_create();
	b->fab.generation = 1;
	b->fab.n_slots = 4;
	b->fab.port = b->fport;
	for (unsigned i = 1; i < 4; i++) {
		snprintf(b->port[i].name, sizeof(b->port[i].name), "web%u", i);
		b->d.port[i] = b->fport[i].port = &b->port[i];
	}
	for (unsigned i = 0; i < 2; i++) {
		b->worker[i].fw.recorder = recorder_create(i);
		b->d.worker[i] = &b->worker[i];
	}
	b->d.n_workers = 1;
	b->cl = (struct client){.d = &b->d, .fd = -1, .status = -1};
	*state = b;
	return 0;
}

/* The client leaves. */
static void leave(struct client *cl)
{
	void (*fn)(void *) = cl->on_close;

	cl->on_close = NULL;
	if (fn)
		fn(cl->arg);
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	leave(&b->cl);
	watch_shutdown(&b->d);
	assert_null(b->d.watchers);
	for (unsigned i = 0; i < 2; i++)
		recorder_destroy(b->worker[i].fw.recorder);
	loop_destroy(b->d.loop);
	json_decref(b->cl.last);
	free(b);
	return 0;
}

static void ask(struct bench *b, ctl_handler verb, const char *request)
{
	json_t *req = json_loads(request, 0, NULL);

	assert_non_null(req);
	b->cl.status = -1;
	verb(&b->d, &b->cl, req);
	json_decref(req);
}

/* n ARP frames from web1 to web2, by a worker. */
static void traffic(struct bench *b, unsigned worker, unsigned n)
{
	static const uint8_t head[ETH_HEADER] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x06};
	struct recorder *rec = recorder_get(b->worker[worker].fw.recorder);

	memcpy(b->bytes + FRAME_HEADROOM, head, sizeof(head));
	b->vec.n = n;
	for (unsigned i = 0; i < n; i++)
		b->vec.f[i] = (struct frame){.snap = b->bytes + FRAME_HEADROOM,
					     .len = FRAME_BYTES,
					     .snap_len = FRAME_BYTES,
					     .in = 1,
					     .out = 2};
	if (!rec)
		return;
	recorder_begin(rec, &b->fab, &b->vec);
	for (unsigned i = 0; i < n; i++)
		recorder_output(rec, &(struct tx_frame){.f = &b->vec.f[i]}, 2);
	recorder_end(rec, &b->vec);
}

static void stop_loop(void *loop, uint32_t events)
{
	(void)events;
	loop_stop(loop);
}

static void run(struct bench *b, uint32_t ms)
{
	loop_after(b->d.loop, ms, stop_loop, b->d.loop);
	loop_run(b->d.loop);
}

static json_int_t number(const struct client *cl, const char *key)
{
	return json_integer_value(json_object_get(cl->last, key));
}

static void traces(void **state)
{
	struct bench *b = *state;

	ask(b, watch_trace, "{\"port\": \"web1\"}");
	assert_non_null(b->cl.on_close);
	traffic(b, 0, 100);
	run(b, 20);
	assert_int_equal(b->cl.objects, 100);
	assert_string_equal(json_string_value(json_object_get(b->cl.last, "port")), "web1");
	leave(&b->cl);
	assert_null(b->d.watchers);
	assert_null(recorder_get(b->worker[0].fw.recorder));
}

static void traces_of_another_port(void **state)
{
	struct bench *b = *state;

	ask(b, watch_trace, "{\"port\": \"web2\"}");
	traffic(b, 0, 10);
	run(b, 5);
	assert_int_equal(b->cl.objects, 0);
}

static void trace_ends_with_count(void **state)
{
	struct bench *b = *state;

	ask(b, watch_trace, "{\"count\": 70}");
	traffic(b, 0, 100);
	run(b, 20);
	assert_int_equal(b->cl.objects, 70);
	assert_true(b->cl.has_ended);
	assert_null(recorder_get(b->worker[0].fw.recorder));
	leave(&b->cl);
	assert_null(b->d.watchers);
}

/* Only ARP: the filter of `arp`. */
static void trace_with_a_filter(void **state)
{
	struct bench *b = *state;

	ask(b, watch_trace, "{\"filter\": [[40,0,0,12],[21,0,1,2054],[6,0,0,65535],[6,0,0,0]]}");
	traffic(b, 0, 3);
	run(b, 5);
	assert_int_equal(b->cl.objects, 3);
	leave(&b->cl);
	ask(b, watch_trace, "{\"filter\": [[40,0,0,12],[21,0,1,2048],[6,0,0,65535],[6,0,0,0]]}");
	traffic(b, 0, 3);
	run(b, 5);
	assert_int_equal(b->cl.objects, 3);
}

static void slow_client(void **state)
{
	struct bench *b = *state;

	ask(b, watch_trace, "{}");
	b->cl.is_slow = true;
	traffic(b, 0, 10);
	run(b, 5);
	b->cl.is_slow = false;
	leave(&b->cl);
	assert_int_equal(number(&b->cl, "lost"), 10);
}

/* Workers that start later are watched too. */
static void more_workers(void **state)
{
	struct bench *b = *state;

	ask(b, watch_trace, "{}");
	traffic(b, 1, 10);
	b->d.n_workers = 2;
	watch_publish(&b->d);
	traffic(b, 1, 10);
	traffic(b, 0, 10);
	run(b, 10);
	assert_int_equal(b->cl.objects, 20);
}

static void refusals(void **state)
{
	static const struct {
		ctl_handler verb;
		const char *request;
		int status;
		const char *text;
	} row[] = {
		{watch_trace, "{\"port\": \"wob1\"}", 1,
		 "port \"wob1\" does not exist (did you mean \"web1\"?)"},
		{watch_trace, "{\"port\": \"all\"}", 1, "port \"all\" does not exist"},
		{watch_trace, "{\"filter\": []}", 65, "filter: no instructions"},
		{watch_trace, "{\"filter\": [[6,0,0]]}", 65,
		 "filter: instruction 0 is not [code, jt, jf, k]"},
		{watch_trace, "{\"filter\": [[6,0,0,1],[6,0,256,1]]}", 65,
		 "filter: instruction 1 is not [code, jt, jf, k]"},
		{watch_trace, "{\"filter\": [[6,0,0,-1]]}", 65,
		 "filter: instruction 0 is not [code, jt, jf, k]"},
		{watch_trace, "{\"filter\": [7]}", 65,
		 "filter: instruction 0 is not [code, jt, jf, k]"},
		{watch_trace, "{\"filter\": [[0,0,0,1]]}", 65, "filter: not a valid BPF program"},
		{watch_capture, "{\"port\": \"all\"}", 2,
		 "a capture needs a descriptor to write to"},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		ask(b, row[i].verb, row[i].request);
		assert_string_equal(b->cl.text, row[i].text);
		assert_int_equal(b->cl.status, row[i].status);
		assert_null(b->cl.on_close);
		assert_null(b->d.watchers);
	}
	b->cl.fd = open("/", O_RDONLY | O_DIRECTORY);
	ask(b, watch_capture, "{\"port\": \"all\"}");
	assert_int_equal(b->cl.status, 2);
	assert_null(b->d.watchers);
}

static void too_many(void **state)
{
	struct bench *b = *state;
	struct client many[WATCHES_MAX];

	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		json_t *req = json_object();

		many[i] = (struct client){.d = &b->d, .fd = -1, .status = -1};
		watch_trace(&b->d, &many[i], req);
		assert_int_equal(many[i].status, -1);
		json_decref(req);
	}
	ask(b, watch_trace, "{}");
	assert_int_equal(b->cl.status, 1);
	traffic(b, 0, 2);
	run(b, 10);
	for (unsigned i = 0; i < WATCHES_MAX; i++) {
		assert_int_equal(many[i].objects, 2);
		leave(&many[i]);
		json_decref(many[i].last);
	}
}

/* Both directions of each frame are in the file when the client has left, and the last counters say so. */
static void capture_to_a_file(void **state)
{
	struct bench *b = *state;
	FILE *file = tmpfile();

	b->cl.fd = dup(fileno(file));
	ask(b, watch_capture, "{\"port\": \"all\"}");
	assert_int_equal(b->cl.status, -1);
	traffic(b, 0, 100);
	leave(&b->cl);
	assert_int_equal(number(&b->cl, "frames"), 200);
	assert_int_equal(number(&b->cl, "lost"), 0);
	assert_null(json_object_get(b->cl.last, "error"));
	assert_null(b->d.watchers);
	assert_true(lseek(fileno(file), 0, SEEK_END) > 200 * FRAME_BYTES);
	fclose(file);
}

static void capture_ends_with_count(void **state)
{
	struct bench *b = *state;

	b->cl.fd = open("/dev/null", O_WRONLY);
	ask(b, watch_capture,
	    "{\"port\": \"web2\", \"dir\": \"tx\", \"count\": 50, \"snaplen\": 1}");
	traffic(b, 0, 100);
	for (unsigned i = 0; !b->cl.has_ended && i < PATIENCE_MS / 10; i++)
		run(b, 10);
	assert_true(b->cl.has_ended);
	assert_int_equal(number(&b->cl, "frames"), 50);
	assert_null(recorder_get(b->worker[0].fw.recorder));
	leave(&b->cl);
	assert_null(b->d.watchers);
}

static void capture_reader_leaves(void **state)
{
	struct bench *b = *state;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	b->cl.fd = fds[1];
	ask(b, watch_capture, "{\"port\": \"web1\"}");
	close(fds[0]);
	traffic(b, 0, 10);
	for (unsigned i = 0; !b->cl.has_ended && i < PATIENCE_MS / 10; i++)
		run(b, 10);
	assert_true(b->cl.has_ended);
	assert_string_equal(json_string_value(json_object_get(b->cl.last, "error")), "Broken pipe");
}

/* The reader sleeps on: the client's end costs the control thread no more than FAREWELL_MS, and all is freed soon. */
static void capture_reader_sleeps(void **state)
{
	struct bench *b = *state;
	uint64_t began;
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	b->cl.fd = fds[1];
	ask(b, watch_capture, "{\"port\": \"web1\"}");
	for (unsigned i = 0; i < 40; i++)
		traffic(b, 0, 128);
	run(b, 50);
	began = clock_ms();
	leave(&b->cl);
	assert_in_range(clock_ms() - began, 0, 100);
	assert_null(recorder_get(b->worker[0].fw.recorder));
	assert_non_null(b->d.watchers);
	while (b->d.watchers && clock_ms() - began < PATIENCE_MS)
		run(b, 10);
	assert_null(b->d.watchers);
	close(fds[0]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(traces),
		CASE(traces_of_another_port),
		CASE(trace_ends_with_count),
		CASE(trace_with_a_filter),
		CASE(slow_client),
		CASE(more_workers),
		CASE(refusals),
		CASE(too_many),
		CASE(capture_to_a_file),
		CASE(capture_ends_with_count),
		CASE(capture_reader_leaves),
		CASE(capture_reader_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
