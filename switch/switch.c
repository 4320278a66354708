/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * switch: the life of the unprivileged process.
 *
 * main.c calls switch_run() after exec.  In order: map the state region, enter the sandbox, parse the text that the
 * broker gave, open its ports (the broker hands back what it kept), listen.  The control thread then serves clients,
 * notices of the broker and a tick; workers (worker.c) move the frames.
 */
#include "switch/switch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "switch/apply.h"
#include "switch/base/log.h"
#include "switch/broker.h"
#include "switch/ctl.h"
#include "switch/ctl_conf.h"
#include "switch/daemon.h"
#include "switch/device.h"
#include "switch/guard.h"
#include "switch/guard_loop.h"
#include "switch/guest.h"
#include "switch/lessor.h"
#include "switch/sandbox.h"
#include "switch/session_log.h"
#include "switch/uplink.h"
#include "switch/watch.h"

enum { TICK_MS = 250, AGE_MS = 1000, STATUS_BAD_DATA = 65, SERVED_AT_ONCE = 128 };

struct run {
	struct daemon d;
	void *nat_region;
	struct guard_loop *guard_loop;
	char boot[JOURNAL_BOOT_SIZE];
	uint64_t aged_ms;
	int status;
};

/* The whole text behind fd, NUL-terminated, malloc'd; *bytes its length.  NULL: errno says why, EFBIG when it is too long. */
static char *read_text(int fd, size_t *bytes)
{
	char *text = malloc(CONF_TEXT_MAX + 2);
	size_t n = 0;
	ssize_t got = 1;

	while (text && got > 0 && n <= CONF_TEXT_MAX) {
		got = pread(fd, text + n, CONF_TEXT_MAX + 1 - n, (off_t)n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (n > CONF_TEXT_MAX)
		errno = EFBIG;
	if (!text || got < 0 || n > CONF_TEXT_MAX) {
		free(text);
		return NULL;
	}
	text[n] = '\0';
	*bytes = n;
	return text;
}

/* MAC limits that workers met since the last tick: one event each, again only after the port was below it. */
static void tell_mac_limits(struct daemon *d)
{
	for (unsigned word = 0; word < SLOT_MAX / 64; word++) {
		uint64_t bits = 0;

		for (unsigned i = 0; i < d->n_workers; i++) {
			uint64_t *hits = &worker_forwarder(d->worker[i])->mac_limit_hits[word];

			if (__atomic_load_n(hits, __ATOMIC_RELAXED))
				bits |= __atomic_exchange_n(hits, 0, __ATOMIC_ACQUIRE);
		}
		for (uint64_t fresh = bits & ~d->mac_limited[word]; fresh; fresh &= fresh - 1) {
			unsigned slot = word * 64 + (unsigned)__builtin_ctzll(fresh);
			char object[EVENT_OBJECT_SIZE];

			if (!d->port[slot])
				continue;
			snprintf(object, sizeof(object), "port %s", d->port[slot]->name);
			state_event(d->state, "mac_limit", object,
				    "has learned %u addresses, its limit; more are not learned",
				    atomic_load(&d->fdb->port_count[slot]));
		}
		d->mac_limited[word] |= bits;
		for (uint64_t old = d->mac_limited[word] & ~bits; old; old &= old - 1) {
			unsigned slot = word * 64 + (unsigned)__builtin_ctzll(old);

			if (atomic_load(&d->fdb->port_count[slot]) <
			    atomic_load(&d->fdb->port_limit[slot]))
				d->mac_limited[word] &= ~(1ULL << (slot & 63));
		}
	}
}

static void on_tick(void *arg, uint32_t events)
{
	struct run *r = arg;
	uint64_t now_ms = clock_ms();

	(void)events;
	guard_loop_tick(r->guard_loop, &r->d, now_ms);
	tell_mac_limits(&r->d);
	session_log_tick(&r->d);
	if (now_ms - r->aged_ms >= AGE_MS && r->d.fabric) {
		fdb_age(r->d.fdb, r->d.fabric->ageing_s, (uint32_t)(now_ms / 1000));
		uplinks_tick(r->d.uplinks);
		r->aged_ms = now_ms;
	}
	loop_after(r->d.loop, TICK_MS, on_tick, r);
}

/* Datagrams of the gateway, some of them: the others call again. */
static void on_service(void *arg, uint32_t events)
{
	struct run *r = arg;
	struct gateway_datagram g;

	(void)events;
	for (unsigned i = 0; i < SERVED_AT_ONCE && gateway_service_read(r->d.gateway, &g); i++) {
		if (g.is_inside)
			lessor_receive(r->d.lessor, &g);
		else
			uplinks_receive(r->d.uplinks, &g);
	}
	lessor_turn(r->d.lessor);
}

/* fd: the text of the file; below 0 when the broker could not read it and has logged why. */
static void on_reload(struct run *r, int fd, const char *why)
{
	const char *name = r->d.conf_name ? r->d.conf_name : "configuration";
	size_t bytes;
	char *text;

	if (fd < 0) {
		state_event(r->d.state, "reload_failed", "", "%s: %s", name, why);
		broker_ready();
		return;
	}
	text = read_text(fd, &bytes);
	if (text)
		ctl_reload(&r->d, text, bytes);
	else
		log_err("reload: %s", strerror(errno));
	free(text);
	broker_ready(); /* good or bad, this reload is over: systemd waits for it */
}

static void on_notice(void *arg, uint32_t events)
{
	struct run *r = arg;
	struct broker_notice n;
	int fds[PORT_QUEUES_MAX];
	unsigned n_fds = 0;
	int rc;

	(void)events;
	while ((rc = broker_notice_read(&n, fds, &n_fds)) == 0) {
		if (n.kind == NOTICE_TAP) {
			apply_tap_notice(&r->d, &n.tap, fds, n_fds);
			continue;
		}
		if (n.kind == NOTICE_GUEST && n_fds == 1) {
			guest_notice(&r->d, &n.guest, fds[0]);
			continue;
		}
		if (n.kind == NOTICE_LINK && n_fds == n.link.n_fds) {
			uplink_link_notice(r->d.uplinks, &n.link, fds);
			continue;
		}
		if (n.kind == NOTICE_RESOLVER) {
			lessor_resolver(r->d.lessor, n.news, n_fds > 0 ? fds[0] : -1);
			continue;
		}
		if (n.kind == NOTICE_HOST)
			uplink_host_notice(r->d.uplinks, n.text, (enum host_news)n.news);
		if (n.kind == NOTICE_RELOAD)
			on_reload(r, n_fds > 0 ? fds[0] : -1, n.tap.text);
		else if (n.kind == NOTICE_STOP)
			loop_stop(r->d.loop);
		while (n_fds > 0)
			close(fds[--n_fds]);
	}
	if (rc != -EAGAIN) {
		log_err("the broker is gone: %s", strerror(-rc));
		r->status = 1;
		loop_stop(r->d.loop);
	}
}

/* The first configuration, and after a restart the last one. */
static int apply_first(struct daemon *d)
{
	char line[CONF_ERROR_TEXT];
	struct conf_error err = {0};
	struct conf *conf = conf_create();
	size_t bytes = 0;
	char *text = read_text(SWITCH_FD_CONF, &bytes);
	int rc = text ? -ENOMEM : -errno;

	if (text && conf)
		rc = conf_merge(conf, text, bytes, CONF_ADD, &err);
	else
		snprintf(err.text, sizeof(err.text), "%s", strerror(-rc));
	free(text);
	if (rc < 0)
		conf_destroy(conf);
	else
		rc = apply_conf(d, conf, true, &err);
	if (rc == 0)
		return 0;
	log_err("%s", conf_error_line(&err, d->conf_name ? d->conf_name : "configuration", line));
	return rc == -EINVAL || rc == -EFBIG ? STATUS_BAD_DATA : 1;
}

/* Learned entries whose port is not of this configuration went with apply's flush; slots of names that are gone follow. */
static void drop_old_slots(struct daemon *d)
{
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		if (*d->state->port_name[slot] && !d->port[slot])
			state_slot_put(d->state, (uint16_t)slot);
}

/* The NAT's sessions lie in a region of their own, which the broker keeps as well. */
static void *map_nat(bool *fresh)
{
	size_t bytes = nat_region_bytes();
	struct stat st;
	void *region;

	if (fstat(SWITCH_FD_NAT, &st) < 0)
		return NULL;
	if (st.st_size != (off_t)bytes) {
		errno = EINVAL;
		return NULL;
	}
	region = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
		      SWITCH_FD_NAT, 0);
	*fresh = st.st_blocks == 0;
	return region == MAP_FAILED ? NULL : region;
}

/* Of the machine, while there are files to be opened; "" when it does not tell. */
static void read_boot_id(char out[static JOURNAL_BOOT_SIZE])
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, JOURNAL_BOOT_SIZE - 1);

	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

/*
 * guard_others: of guests without a guard the gateway knows who answered for an address, and the forwarding table where that MAC
 * is.  Somebody whose MAC is nowhere any more, or behind the same port, is in nobody's way.
 */
static bool is_others(void *arg, uint16_t vid, const struct ip *ip, const struct mac *mac,
		      uint16_t slot)
{
	const struct daemon *d = arg;
	struct mac holder;
	uint16_t at;

	if (!gateway_neighbour(d->gateway, vid, ip, clock_ns(), &holder) ||
	    memcmp(&holder, mac, sizeof(holder)) == 0)
		return false;
	at = fdb_lookup(d->fdb, fdb_key_of(holder.b, vid), NULL);
	return at < SLOT_MAX && at != slot;
}

static int open_state(struct run *r)
{
	struct daemon *d = &r->d;
	bool fresh, fresh_nat;
	uint64_t seed[2];

	d->state = state_map(SWITCH_FD_STATE, &fresh);
	if (!d->state) {
		log_err("state region: %s", strerror(errno));
		return -1;
	}
	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed) ||
	    getrandom(&d->state->loop_id, sizeof(d->state->loop_id), 0) !=
		    sizeof(d->state->loop_id)) {
		log_err("no random numbers: %s", strerror(errno));
		return -1;
	}
	d->fdb = fdb_create(&d->state->fdb, fresh, seed);
	r->nat_region = map_nat(&fresh_nat);
	if (!r->nat_region) {
		log_err("sessions: %s", strerror(errno));
		return -1;
	}
	d->gateway =
		gateway_create(&d->state->neigh, fresh, r->nat_region, fresh_nat, seed, clock_ns());
	d->uplinks = uplinks_create(d);
	d->guard = guard_create(seed);
	read_boot_id(r->boot);
	if (!d->fdb || !d->gateway || !d->uplinks || !d->guard) {
		log_err("no memory");
		return -1;
	}
	guard_ask_others(d->guard, is_others, d);
	return 0;
}

static void close_all(struct run *r)
{
	struct daemon *d = &r->d;

	ctl_destroy(d->ctl);
	watch_shutdown(d);
	if (d->n_workers)
		uplinks_leave(d->uplinks, NULL);
	lessor_destroy(d->lessor);
	for (unsigned i = 0; i < d->n_workers; i++)
		worker_stop(d->worker[i]);
	d->n_workers = 0;
	fabric_destroy(d->fabric);
	uplinks_destroy(d->uplinks);
	gateway_destroy(d->gateway); /* with the NAT's plan */
	if (r->nat_region)
		munmap(r->nat_region, nat_region_bytes());
	for (unsigned slot = 0; slot < SLOT_MAX; slot++)
		device_free(d->port[slot]);
	guest_stop(d);
	conf_destroy(d->conf);
	conf_destroy(d->confirm_conf);
	guard_loop_destroy(r->guard_loop);
	fdb_destroy(d->fdb);
	guard_destroy(d->guard);
	state_unmap(d->state);
	loop_destroy(d->loop);
	free(r);
}

/* What needs threads, and is created behind the sandbox. */
static int open_services(struct run *r)
{
	const int journal[2] = {SWITCH_FD_LEASES_A, SWITCH_FD_LEASES_B};
	int rc;

	r->d.lessor = lessor_create(&r->d, journal, r->boot);
	if (!r->d.lessor) {
		log_err("leases: %s", strerror(errno));
		return -1;
	}
	rc = loop_add(r->d.loop, gateway_service_fd(r->d.gateway), EPOLLIN, on_service, r);
	if (rc < 0)
		log_err("services: %s", strerror(-rc));
	return rc;
}

int switch_run(const char *conf_name)
{
	struct run *r = calloc(1, sizeof(*r));
	const char *step = "";
	int status = 1, rc;

	if (!r) {
		log_err("no memory");
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	r->d.loop = loop_create();
	r->d.conf = conf_create();
	r->guard_loop = guard_loop_create();
	if (!r->d.loop || !r->d.conf || !r->guard_loop) {
		log_err("no memory");
		goto out;
	}
	if (open_state(r) < 0)
		goto out;
	rc = guest_start(&r->d);
	if (rc < 0) {
		log_err("guests: %s", strerror(-rc));
		goto out;
	}
	json_object_seed(0); /* it may want a random device, which the sandbox has not */
	rc = sandbox_enter(&step);
	if (rc < 0) {
		log_err("sandbox: %s: %s", step, strerror(-rc));
		goto out;
	}
	r->d.conf_name = *conf_name ? conf_name : NULL;
	if (open_services(r) < 0)
		goto out;
	status = apply_first(&r->d);
	if (status != 0)
		goto out;
	drop_old_slots(&r->d);
	r->d.ctl = ctl_create(&r->d, SWITCH_FD_LISTEN);
	if (!r->d.ctl || loop_add(r->d.loop, SWITCH_FD_NOTICE, EPOLLIN, on_notice, r) < 0 ||
	    broker_ready() < 0) {
		log_err("control socket: %s", strerror(errno));
		status = 1;
		goto out;
	}
	on_tick(r, 0);
	loop_run(r->d.loop);
	status = r->status;
out:
	close_all(r);
	return status;
}
