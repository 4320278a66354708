/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world: a control side in one process, for the tests and the fuzzer of the control socket.
 *
 * The same calls as in switch.c, without the sandbox and the broker.  Clients and switch share one thread:
 * whoever would wait turns the loop instead.
 */
#include "tests/lib/world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "switch/apply.h"
#include "switch/device.h"
#include "switch/gateway.h"
#include "switch/guard.h"
#include "switch/lessor.h"
#include "switch/uplink.h"

enum { BACKLOG = 4096, PATIENCE_MS = 1000 };

static void stop(void *loop, uint32_t events)
{
	(void)events;
	loop_stop(loop);
}

int world_run(struct world *w, uint32_t ms)
{
	int timer = loop_after(w->d.loop, ms, stop, w->d.loop);

	return timer < 0 ? timer : loop_run(w->d.loop);
}

void world_turn(struct world *w)
{
	world_run(w, 0);
}

static int open_listener(struct world *w)
{
	static unsigned number;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), n;

	w->address.sun_family = AF_UNIX;
	n = snprintf(w->address.sun_path + 1, sizeof(w->address.sun_path) - 1, "vfab-world-%d-%u",
		     (int)getpid(), number++);
	w->address_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&w->address, w->address_bytes) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

static struct state *open_state(void)
{
	int fd = memfd_create("state", MFD_CLOEXEC);
	struct state *s = NULL;
	bool fresh;

	if (fd >= 0 && ftruncate(fd, sizeof(struct state)) == 0)
		s = state_map(fd, &fresh);
	close(fd);
	return s;
}

/* As switch.c has it, in memory of its own. */
static bool open_gateway(struct world *w, const uint64_t seed[2])
{
	w->nat_region = mmap(NULL, nat_region_bytes(), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (w->nat_region == MAP_FAILED) {
		w->nat_region = NULL;
		return false;
	}
	w->d.gateway =
		gateway_create(&w->d.state->neigh, true, w->nat_region, true, seed, clock_ns());
	w->d.uplinks = uplinks_create(&w->d);
	w->d.guard = guard_create(seed);
	return w->d.gateway && w->d.uplinks && w->d.guard;
}

static bool open_services(struct world *w)
{
	const int journal[2] = {memfd_create("a", MFD_CLOEXEC), memfd_create("b", MFD_CLOEXEC)};

	w->d.lessor = lessor_create(&w->d, journal, "");
	return w->d.lessor != NULL;
}

struct world *world_create(void)
{
	const uint64_t seed[2] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9};
	struct world *w = calloc(1, sizeof(*w));
	struct conf_error err;
	int fd;

	if (!w)
		return NULL;
	w->d.loop = loop_create();
	w->d.state = open_state();
	w->d.conf = conf_create();
	if (!w->d.loop || !w->d.state || !w->d.conf)
		goto err_destroy;
	w->d.fdb = fdb_create(&w->d.state->fdb, true, seed);
	if (!w->d.fdb || !open_gateway(w, seed) || !open_services(w) ||
	    apply_conf(&w->d, conf_create(), true, &err) < 0)
		goto err_destroy;
	fd = open_listener(w);
	if (fd < 0)
		goto err_destroy;
	w->d.ctl = ctl_create(&w->d, fd);
	if (w->d.ctl)
		return w;
	close(fd);
err_destroy:
	world_destroy(w);
	return NULL;
}

void world_destroy(struct world *w)
{
	unsigned i;

	if (!w)
		return;
	ctl_destroy(w->d.ctl);
	lessor_destroy(w->d.lessor);
	for (i = 0; i < w->d.n_workers; i++)
		worker_stop(w->d.worker[i]);
	fabric_destroy(w->d.fabric);
	uplinks_destroy(w->d.uplinks);
	gateway_destroy(w->d.gateway);
	if (w->nat_region)
		munmap(w->nat_region, nat_region_bytes());
	for (i = 0; i < SLOT_MAX; i++)
		device_free(w->d.port[i]);
	conf_destroy(w->d.conf);
	conf_destroy(w->d.confirm_conf);
	fdb_destroy(w->d.fdb);
	guard_destroy(w->d.guard);
	state_unmap(w->d.state);
	loop_destroy(w->d.loop);
	free(w);
}

int world_connect(const struct world *w)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&w->address, w->address_bytes) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

bool world_send(struct world *w, int fd, const void *bytes, size_t n)
{
	const char *p = bytes;
	ssize_t r;

	while (n > 0) {
		r = send(fd, p, n, MSG_NOSIGNAL);
		if (r < 0 && errno != EAGAIN)
			return false;
		p += r > 0 ? r : 0;
		n -= r > 0 ? (size_t)r : 0;
		world_turn(w);
	}
	return true;
}

char *world_line(struct world *w, int fd)
{
	uint64_t end = clock_ms() + PATIENCE_MS;
	size_t size = 4096, n = 0;
	char *line = malloc(size), *bigger;
	ssize_t r = 1;

	/* Looks first: what follows the newline stays in the socket. */
	while (line && r != 0 && clock_ms() < end) {
		if (n + 1 == size) {
			bigger = realloc(line, size *= 2);
			if (!bigger)
				break;
			line = bigger;
		}
		r = recv(fd, line + n, size - n - 1, MSG_PEEK);
		if (r < 0 && errno != EAGAIN)
			break;
		if (r < 0) {
			world_turn(w);
			continue;
		}
		bigger = memchr(line + n, '\n', (size_t)r);
		if (bigger)
			r = bigger - (line + n) + 1;
		r = recv(fd, line + n, (size_t)r, 0);
		n += (size_t)r;
		if (bigger) {
			line[n - 1] = '\0';
			return line;
		}
		end = clock_ms() + PATIENCE_MS;
	}
	free(line);
	return NULL;
}

char *world_ask(struct world *w, const char *request)
{
	int fd = world_connect(w);
	char *line = NULL;

	if (fd < 0)
		return NULL;
	/* Refused in the middle of it: the answer says why. */
	if (world_send(w, fd, request, strlen(request)))
		world_send(w, fd, "\n", 1);
	line = world_line(w, fd);
	close(fd);
	/* The switch sees it go. */
	world_turn(w);
	return line;
}
