/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_journal: two files, as anybody may have left them, against dhcp/journal and the store (PROMISES row D15).
 *
 * Input: the first file, a byte 0x1e, the second one; or the first one alone.  What was taken of it must be right as a store: one
 * lease an address and one an identity.  It is written down, and the next start finds the same.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dhcp/journal.h"
#include "switch/base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEPARATOR = 0x1e };

static const struct journal_clock now = {.boot = "b", .now_ms = 5000000, .wall_s = 1700000000};
static const uint64_t seed[2] = {1, 2}, secret[2] = {3, 4};

static int file_of(const uint8_t *bytes, size_t n)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	assert(fd >= 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n);
	return fd;
}

struct looking {
	struct leases *s, *copy;
	struct journal *to; /* NULL: nothing is written */
	unsigned n;
};

static bool look(void *arg, const char *network, const struct lease *l)
{
	struct looking *k = arg;
	struct lease_id id = {.len = l->id_len};

	memcpy(id.b, l->id, l->id_len);
	assert(l->state != LEASE_OFFERED && network[0] && strlen(network) < LEASE_NET_SIZE);
	assert(strlen(l->name) < LEASE_NAME_SIZE && strlen(l->port) < PORT_NAME_SIZE);
	assert(leases_at(k->s, l->pool, &l->ip) == l);
	assert((l->state == LEASE_DECLINED) == (id.len == 0));
	assert(id.len == 0 || leases_find(k->s, l->pool, &id) == l);
	assert(leases_restore(k->copy, network, l, &id));
	if (k->to)
		journal_note(k->to, l, LEASE_RENEWED, &now);
	k->n++;
	return true;
}

/* Takes the descriptors; returns how many leases there are.  again: writes all of them, and gives the files for the next start. */
static unsigned start(int a, int b, int *again)
{
	struct looking k = {.s = leases_create(seed, secret), .copy = leases_create(seed, secret)};
	struct lease_range r = {.network = "office"};
	struct journal *j = journal_open((const int[2]){a, b}, k.s, &now);

	assert(j && ip_parse("10.0.0.1", &r.first) && ip_parse("10.0.3.200", &r.last));
	k.to = again ? j : NULL;
	leases_each(k.s, look, &k);
	assert(k.n == leases_total(k.s) && k.n == leases_total(k.copy));
	journal_flush(j, &now);
	if (again) {
		again[0] = dup(a);
		again[1] = dup(b);
	}
	journal_close(j);
	leases_pool_apply(k.s, &r, now.now_ms);
	leases_tick(k.s, now.now_ms, 1000000);
	leases_pool_remove(k.s, leases_pool_find(k.s, "office", false));
	leases_destroy(k.s);
	leases_destroy(k.copy);
	return k.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, SEPARATOR, size);
	size_t n = end ? (size_t)(end - data) : size;
	int fd[2];
	unsigned first;

	log_init("fuzz", LOG_LEVEL_ERR);
	first = start(file_of(data, n), file_of(data + n, end ? size - n : 0), fd);
	assert(start(fd[0], fd[1], NULL) == first);
	return 0;
}
