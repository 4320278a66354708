/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Unit tests of switch/capture and switch/pcapng: files read back block by block, and readers that misbehave. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "switch/base/loop.h"
#include "switch/capture.h"
#include "switch/pcapng.h"

enum { RING = 1 << 20, FILE_MAX = 4 << 20, PACKET = 6, STATISTICS = 5, PATIENCE_MS = 5000 };

static const struct capture_port ports[] = {{1, "c1"}, {2, "c2"}};

static struct watch *make_watch(void)
{
	struct watch *w = calloc(1, sizeof(*w));

	w->is_capture = true;
	w->snaplen = 262144;
	w->lost = calloc(SLOT_MAX, sizeof(*w->lost));
	w->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	w->ring[0] = ring_create(RING);
	w->ring[3] = ring_create(RING);
	return w;
}

static void free_watch(struct watch *w)
{
	ring_destroy(w->ring[0]);
	ring_destroy(w->ring[3]);
	free(w->lost);
	close(w->wake_fd);
	free(w);
}

/* Writes a record as a worker does; false without room. */
static bool put(struct watch *w, unsigned worker, const struct capture_record *head,
		const void *bytes)
{
	struct capture_record *rec = ring_reserve(w->ring[worker], sizeof(*rec) + head->cap_len);
	uint64_t one = 1;

	if (!rec)
		return false;
	*rec = *head;
	memcpy(rec + 1, bytes, head->cap_len);
	ring_commit(w->ring[worker], sizeof(*rec) + head->cap_len);
	return write(w->wake_fd, &one, sizeof(one)) == sizeof(one);
}

static void put_name(struct watch *w, unsigned worker, uint16_t slot, const char *name)
{
	assert_true(put(w, worker,
			&(struct capture_record){.slot = slot, .cap_len = (uint32_t)strlen(name)},
			name));
}

static bool put_frame(struct watch *w, unsigned worker, struct capture_record head, uint32_t len)
{
	static const uint8_t bytes[65536] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5, 7};

	head.len = len;
	head.cap_len = len;
	return put(w, worker, &head, bytes);
}

/* Waits for the end, asking again and again when it is to be stopped; false when it does not come. */
static bool wait_done(struct capture *c, bool stop)
{
	struct pollfd p = {.fd = capture_done_fd(c), .events = POLLIN};
	uint64_t end = clock_ms() + PATIENCE_MS;

	while (!capture_is_done(c) && clock_ms() < end) {
		if (stop)
			capture_stop(c);
		poll(&p, 1, CAPTURE_KICK_MS);
	}
	return capture_is_done(c);
}

struct image {
	uint8_t *bytes;
	size_t n;
};

static struct image read_all(int fd)
{
	struct image i = {.bytes = malloc(FILE_MAX)};

	lseek(fd, 0, SEEK_SET);
	for (ssize_t got = 1; got > 0; i.n += got > 0 ? (size_t)got : 0)
		got = read(fd, i.bytes + i.n, FILE_MAX - i.n);
	return i;
}

static uint32_t word(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The nth block of a type, or NULL; every block on the way is checked. */
static const uint8_t *find_block(const struct image *i, uint32_t type, unsigned nth)
{
	const uint8_t *found = NULL;
	size_t at = 0;

	while (at < i->n) {
		uint32_t length;

		assert_true(at + 12 <= i->n);
		length = word(i->bytes + at + 4);
		assert_int_equal(length % 4, 0);
		assert_in_range(length, 12, i->n - at);
		assert_int_equal(word(i->bytes + at + length - 4), length);
		if (word(i->bytes + at) == type && nth-- == 0 && !found)
			found = i->bytes + at;
		at += length;
	}
	return found;
}

/* The value of an option of a block, whose options begin at `from`; NULL when it has none. */
static const uint8_t *find_option(const uint8_t *block, size_t from, uint16_t code, uint16_t *len)
{
	size_t end = word(block + 4) - 4;

	while (from + 4 <= end) {
		uint16_t c, n;

		memcpy(&c, block + from, 2);
		memcpy(&n, block + from + 2, 2);
		if (c == code) {
			*len = n;
			return block + from + 4;
		}
		from += 4 + (size_t)((n + 3) & ~3);
	}
	return NULL;
}

static uint64_t packet_time(const uint8_t *block)
{
	return (uint64_t)word(block + 12) << 32 | word(block + 16);
}

static void assert_comment(const uint8_t *block, const char *expect)
{
	size_t options = 28 + ((word(block + 20) + 3) & ~3u);
	uint16_t n = 0;
	const uint8_t *text = find_option(block, options, 1, &n);

	assert_non_null(text);
	assert_int_equal(n, strlen(expect));
	assert_memory_equal(text, expect, n);
}

/* Whatever the lengths of texts and frames, a block is whole and keeps its bytes. */
static void blocks_of_any_length(void **state)
{
	uint8_t *buf = malloc(70000 + PCAPNG_BLOCK_MAX), bytes[300];
	char text[400];

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	for (unsigned n = 0; n < 300; n++) {
		struct pcapng_packet p = {7,	 1ULL << 40 | n,  bytes, n,
					  n + 5, PCAPNG_OUTBOUND, text};
		struct image i = {.bytes = buf};

		memset(text, 'x', n);
		text[n] = '\0';
		i.n = pcapng_section(buf, text);
		i.n += pcapng_interface(buf + i.n, text, n);
		i.n += pcapng_packet(buf + i.n, &p);
		i.n += pcapng_statistics(buf + i.n, &(struct pcapng_statistics){.lost = n});
		assert_non_null(find_block(&i, 0x0a0d0d0a, 0));
		assert_non_null(find_block(&i, 1, 0));
		assert_non_null(find_block(&i, STATISTICS, 0));
		assert_int_equal(packet_time(find_block(&i, PACKET, 0)), p.time_ns);
		assert_memory_equal(find_block(&i, PACKET, 0) + 28, bytes, n);
		assert_true(i.n <= 4 * PCAPNG_BLOCK_MAX + n);
	}
	free(buf);
}

/* Two workers, records out of order, one of each end that a frame can come to. */
static void put_every_verdict(struct watch *w)
{
	const struct capture_record by_0[] = {
		{.time_ns = 1005, .slot = 2, .from_slot = 1, .dir = WATCH_TX},
		{.time_ns = 1006, .slot = 2, .from_slot = 1, .dir = WATCH_TX, .drop = DROP_TX_FULL},
		{.time_ns = 1002, .slot = 1, .dir = WATCH_RX, .out_slot = 2},
	};
	const struct capture_record by_3[] = {
		{.time_ns = 1001, .slot = 1, .dir = WATCH_RX, .verdict = VERDICT_FLOOD, .taken = 3},
		{.time_ns = 1003, .slot = 9, .dir = WATCH_RX, .verdict = VERDICT_LOCAL},
		{.time_ns = 1004,
		 .slot = 9,
		 .dir = WATCH_RX,
		 .verdict = VERDICT_DROP,
		 .drop = DROP_VLAN},
	};

	put_name(w, 0, 1, "c1");
	put_name(w, 0, 2, "c2");
	put_name(w, 3, 1, "c1");
	put_name(w, 3, 9, "c9");
	for (unsigned i = 0; i < 3; i++) {
		assert_true(put_frame(w, 0, by_0[i], 61 + i));
		assert_true(put_frame(w, 3, by_3[i], i == 2 ? 65535 : 64 + i));
	}
	w->lost[9] = 41;
}

static void check_every_verdict(const struct image *i)
{
	static const char *const comments[] = {
		"flood to 3 ports", "forward to c2", "local",
		"drop: vlan",	    "from c1",	     "from c1, drop: tx_full"};
	const uint8_t *block;
	uint16_t n;

	assert_memory_equal(find_option(find_block(i, 1, 2), 16, 2, &n), "c9", 2);
	assert_null(find_block(i, 1, 3));
	for (unsigned k = 0; k < 6; k++) {
		block = find_block(i, PACKET, k);
		assert_int_equal(packet_time(block), 1001 + k);
		assert_comment(block, comments[k]);
	}
	assert_int_equal(word(find_block(i, PACKET, 4) + 8), 1); /* by c2 */
	block = find_block(i, STATISTICS, 2);
	assert_int_equal(word(block + 8), 2);
	assert_int_equal(word(find_option(block, 20, 4, &n)), 43);
	assert_int_equal(word(find_option(block, 20, 5, &n)), 41);
}

/* Block by block, and as libpcap reads it. */
static void a_whole_file(void **state)
{
	char path[] = "/tmp/test_capture.XXXXXX", err[PCAP_ERRBUF_SIZE];
	int fd = mkstemp(path);
	struct watch *w = make_watch();
	struct capture *c;
	struct pcap_pkthdr *header;
	const uint8_t *bytes;
	struct image i;
	pcap_t *pcap;

	(void)state;
	put_every_verdict(w); /* all of it before the writer looks: their times are long ago */
	c = capture_start(w, dup(fd), 0, ports, 2);
	assert_non_null(c);
	assert_true(wait_done(c, true));
	assert_int_equal(capture_error(c), 0);
	assert_int_equal(capture_frames(c), 6);
	capture_destroy(c);
	i = read_all(fd);
	check_every_verdict(&i);
	pcap = pcap_open_offline(path, err);
	assert_non_null(pcap);
	for (unsigned k = 0; k < 6; k++)
		assert_int_equal(pcap_next_ex(pcap, &header, &bytes), 1);
	assert_int_equal(header->len, 62);
	assert_int_equal(pcap_next_ex(pcap, &header, &bytes), PCAP_ERROR_BREAK);
	pcap_close(pcap);
	free(i.bytes);
	close(fd);
	unlink(path);
	free_watch(w);
}

/* More than a batch; it ends by itself, and what came after the last frame stays out. */
static void ends_with_count(void **state)
{
	FILE *file = tmpfile();
	struct watch *w = make_watch();
	struct capture *c = capture_start(w, dup(fileno(file)), 40000, ports, 1);
	struct image i;

	(void)state;
	put_name(w, 0, 1, "c1");
	for (unsigned k = 0; k < 40010;)
		k += put_frame(w, 0,
			       (struct capture_record){
				       .time_ns = k, .slot = 1, .dir = WATCH_RX, .out_slot = 1},
			       14);
	assert_true(wait_done(c, false));
	assert_int_equal(capture_frames(c), 40000);
	capture_destroy(c);
	i = read_all(fileno(file));
	assert_non_null(find_block(&i, PACKET, 39999));
	assert_null(find_block(&i, PACKET, 40000));
	assert_non_null(find_block(&i, STATISTICS, 0));
	free(i.bytes);
	fclose(file);
	free_watch(w);
}

/* A slot that another port got: its frames are of another interface. */
static void slot_with_two_ports(void **state)
{
	FILE *file = tmpfile();
	struct watch *w = make_watch();
	struct capture *c = capture_start(w, dup(fileno(file)), 0, NULL, 0);
	struct image i;

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		put_name(w, 0, 5, k == 1 ? "new" : "old");
		put_frame(w, 0, (struct capture_record){.time_ns = k, .slot = 5, .dir = WATCH_RX},
			  60);
	}
	assert_true(wait_done(c, true));
	capture_destroy(c);
	i = read_all(fileno(file));
	for (unsigned k = 0; k < 3; k++)
		assert_int_equal(word(find_block(&i, PACKET, k) + 8), k == 1);
	assert_null(find_block(&i, 1, 2));
	free(i.bytes);
	fclose(file);
	free_watch(w);
}

static void fill_rings(struct watch *w)
{
	put_name(w, 0, 1, "c1");
	for (unsigned k = 0; k < 200; k++)
		put_frame(w, 0, (struct capture_record){.time_ns = k, .slot = 1, .dir = WATCH_RX},
			  4000);
}

/* Nobody reads the pipe: stopping returns at once, and the thread ends soon. */
static void reader_that_sleeps(void **state)
{
	struct watch *w = make_watch();
	struct capture *c;
	uint64_t began;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	c = capture_start(w, fds[1], 0, ports, 2);
	fill_rings(w);
	poll(NULL, 0, 100);
	assert_false(capture_is_done(c));
	began = clock_ms();
	capture_stop(c);
	assert_in_range(clock_ms() - began, 0, 50);
	assert_true(wait_done(c, true));
	assert_in_range(clock_ms() - began, 0, CAPTURE_LINGER_MS + 500);
	assert_int_equal(capture_error(c), ETIMEDOUT);
	capture_destroy(c);
	close(fds[0]);
	free_watch(w);
}

static void reader_that_leaves(void **state)
{
	struct watch *w = make_watch();
	struct capture *c;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	c = capture_start(w, fds[1], 0, ports, 2);
	close(fds[0]);
	fill_rings(w);
	assert_true(wait_done(c, false));
	assert_int_equal(capture_error(c), EPIPE);
	capture_destroy(c);
	free_watch(w);
}

/* A pipe that does not block, read a little at a time, loses nothing. */
static void reader_that_is_slow(void **state)
{
	struct image i = {.bytes = malloc(FILE_MAX)};
	struct watch *w = make_watch();
	struct capture *c;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	c = capture_start(w, fds[1], 200, ports, 1);
	fill_rings(w);
	for (uint64_t end = clock_ms() + PATIENCE_MS; clock_ms() < end;) {
		ssize_t got = read(fds[0], i.bytes + i.n, 3000);

		if (got == 0)
			break;
		if (got < 0)
			poll(NULL, 0, 1);
		i.n += got > 0 ? (size_t)got : 0;
	}
	assert_true(wait_done(c, false));
	assert_int_equal(capture_error(c), 0);
	assert_non_null(find_block(&i, PACKET, 199));
	assert_non_null(find_block(&i, STATISTICS, 0));
	capture_destroy(c);
	close(fds[0]);
	free(i.bytes);
	free_watch(w);
}

static void full_disk(void **state)
{
	struct watch *w = make_watch();
	struct capture *c = capture_start(w, open("/dev/full", O_WRONLY), 0, ports, 2);

	(void)state;
	assert_non_null(c);
	assert_true(wait_done(c, false));
	assert_int_equal(capture_error(c), ENOSPC);
	assert_int_equal(capture_frames(c), 0);
	capture_destroy(c);
	free_watch(w);
}

static void other_descriptors(void **state)
{
	struct watch *w = make_watch();
	int directory = open("/", O_RDONLY | O_DIRECTORY), event = eventfd(0, 0);

	(void)state;
	assert_null(capture_start(w, directory, 0, NULL, 0));
	assert_int_equal(errno, EINVAL);
	assert_null(capture_start(w, event, 0, NULL, 0));
	assert_int_equal(errno, EINVAL);
	assert_null(capture_start(w, -1, 0, NULL, 0));
	assert_int_equal(errno, EBADF);
	close(directory);
	close(event);
	free_watch(w);
	capture_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_of_any_length), cmocka_unit_test(a_whole_file),
		cmocka_unit_test(ends_with_count),	cmocka_unit_test(slot_with_two_ports),
		cmocka_unit_test(reader_that_sleeps),	cmocka_unit_test(reader_that_leaves),
		cmocka_unit_test(reader_that_is_slow),	cmocka_unit_test(full_disk),
		cmocka_unit_test(other_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
