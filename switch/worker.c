/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * worker: the loop of one data thread.
 *
 *        .-> poll each hot queue: rx, forward, rx_done
 *        |     a queue that gave nothing for IDLE_NS is armed; when that finds nothing either it is cold
 *        |   ask epoll about cold queues, from time to time
 *        |   a turn that found nothing lets others run; when somebody did, no queue stays hot for long
 *        '---+ no queue is hot: offline for RCU, sleep in epoll
 *
 * A new fabric is seen by its address at the top of a turn; the queues are then listed anew.  The
 * control thread wakes a sleeping worker through an eventfd; one that is awake is only told to look again before it sleeps.
 */
#include "switch/worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "switch/base/log.h"
#include "switch/base/loop.h"
#include "switch/base/rcu.h"
#include "switch/base/stage.h"
#include "switch/watchdog.h"

enum {
	IDLE_NS = 50000,  /* a queue is polled this long after its last frame */
	LOOK_TURNS = 16,  /* turns between two looks at the cold queues */
	ASIDE_NS = 10000, /* a yield that took longer let somebody else run */
	EVENTS = 64,
	HOT_MAX = SLOT_MAX * PORT_QUEUES_MAX,
	SEAT_NS = 100000000, /* how often a worker thinks about its CPU */
};

#define WAKE_DATA UINT64_MAX

static const uint64_t REST_MAX_NS = 3600 * UINT64_C(1000000000);

struct hot {
	uint16_t slot, queue;
	uint64_t last_ns; /* when it last gave a frame */
};

/* Where a worker runs that was given no CPU. */
struct seat {
	cpu_set_t all; /* CPUs that it may run on */
	bool is_free;  /* there are several, and none was configured */
	bool is_kept;  /* bound to one of them for now */
	uint64_t start_ns, used_ns,
		slept_ns; /* of this period: its start, time on a CPU until then, sleep in it */
};

/* CALLED: somebody gave it something to do since it looked last. */
enum rest { AWAKE, ASLEEP, CALLED };

/* What the control thread wants done between two vectors. */
struct call {
	void (*fn)(struct forwarder *fwd, void *arg);
	void *arg;
	sem_t done;
};

struct worker {
	pthread_t thread;
	struct call *_Atomic call; /* NULL: none waits */
	int watchdog;		   /* its handle there */
	unsigned index;
	int cpu; /* -1: any */
	int epfd, wakefd;
	_Atomic(enum rest) rest;
	_Atomic bool go; /* it may receive */
	_Atomic bool stop;
	struct fabric *const *published;
	const struct fabric *fab;
	uint64_t generation;
	uint64_t due_ns; /* when the gateway wants its tick */
	struct forwarder *fwd;
	struct hot *hot; /* room for every queue; untouched pages cost nothing */
	unsigned n_hot;
	bool has_worked; /* a queue gave frames this turn */
	bool is_crowded; /* somebody else waited for this CPU, and no frame came since */
	struct seat seat;
};

struct forwarder *worker_forwarder(struct worker *w)
{
	return w->fwd;
}

static bool is_hot(const struct worker *w, uint16_t slot, uint16_t queue)
{
	for (unsigned i = 0; i < w->n_hot; i++)
		if (w->hot[i].slot == slot && w->hot[i].queue == queue)
			return true;
	return false;
}

static void heat(struct worker *w, uint16_t slot, uint16_t queue, uint64_t now_ns)
{
	if (w->n_hot < HOT_MAX && !is_hot(w, slot, queue))
		w->hot[w->n_hot++] = (struct hot){slot, queue, now_ns};
}

/* A new fabric: watch every queue of ours (again), and poll each once, since frames may have come before. */
static void take_fabric(struct worker *w, const struct fabric *fab)
{
	unsigned n = fab->n_rxq[w->index];

	w->fab = fab;
	w->generation = fab->generation;
	w->n_hot = 0;
	for (unsigned i = 0; i < n; i++) {
		const struct fabric_rxq *q = &fab->rxq[w->index][i];
		const struct port *p = fab->port[q->slot].port;
		int fd = atomic_load_explicit(&p->fd[q->queue], memory_order_acquire);
		struct epoll_event ev = {.events = p->ops->arm ? EPOLLIN | EPOLLET : EPOLLIN,
					 .data.u64 = (uint64_t)q->slot << 16 | q->queue};

		if (fd < 0)
			continue;
		if (epoll_ctl(w->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 && errno != EEXIST)
			log_limited(LOG_LEVEL_WARN, "port %s: cannot be watched: %s", p->name,
				    strerror(errno));
		heat(w, q->slot, q->queue, w->fwd->now_ns);
	}
}

/* Polls one hot queue; false when it has cooled down. */
static bool poll_queue(struct worker *w, struct hot *h)
{
	struct port *p = w->fab->port[h->slot].port;
	struct forwarder *fwd = w->fwd;

	fwd->vec.n_ahead = 0;
	if (p->ops->rx(p, h->queue, fwd->scratch, &fwd->vec, VEC_SIZE) > 0) {
		forward(fwd, w->fab, h->slot);
		if (p->ops->rx_done)
			p->ops->rx_done(p, h->queue, fwd->scratch);
		h->last_ns = fwd->now_ns;
		w->has_worked = true;
		w->is_crowded = false;
		return true;
	}
	if (w->fab->idle_poll || (!w->is_crowded && fwd->now_ns - h->last_ns < IDLE_NS))
		return true;
	return p->ops->arm && !p->ops->arm(p, h->queue);
}

/*
 * Polling must not be at the cost of who would make the next frame: the guests, on few CPUs.  When one of them
 * waited for ours, the queues go to epoll at once, and a frame wakes us with the priority of a sleeper.
 */
static void step_aside(struct worker *w)
{
	uint64_t start_ns = clock_ns();

	sched_yield();
	w->is_crowded = clock_ns() - start_ns > ASIDE_NS;
}

static void poll_hot(struct worker *w)
{
	unsigned kept = 0;

	w->has_worked = false;
	for (unsigned i = 0; i < w->n_hot; i++)
		if (poll_queue(w, &w->hot[i]))
			w->hot[kept++] = w->hot[i];
	w->n_hot = kept;
	if (kept > 0 && !w->has_worked && !w->fab->idle_poll)
		step_aside(w);
}

/* The queue that an event names, if this fabric still gives it to us. */
static void on_event(struct worker *w, const struct epoll_event *ev)
{
	uint16_t slot = (uint16_t)(ev->data.u64 >> 16), queue = (uint16_t)ev->data.u64;
	const struct port *p;
	int fd;

	if (ev->data.u64 == WAKE_DATA) {
		uint64_t n;

		if (read(w->wakefd, &n, sizeof(n)) < 0 && errno != EAGAIN)
			log_limited(LOG_LEVEL_ERR, "worker %u: wake: %s", w->index,
				    strerror(errno));
		return;
	}
	if (slot >= w->fab->n_slots || !w->fab->port[slot].port)
		return;
	p = w->fab->port[slot].port;
	fd = queue < PORT_QUEUES_MAX ? atomic_load_explicit(&p->fd[queue], memory_order_acquire)
				     : -1;
	/* A device that is gone would wake us for ever; the control thread hears of it from the broker. */
	if (ev->events & (EPOLLERR | EPOLLHUP) && fd >= 0 && !p->ops->arm)
		epoll_ctl(w->epfd, EPOLL_CTL_DEL, fd, NULL);
	heat(w, slot, queue, w->fwd->now_ns);
}

static uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void bind_cpu(const struct worker *w)
{
	cpu_set_t set;

	if (w->cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)w->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		log_warn("worker %u: cannot run on CPU %d; it runs on any", w->index, w->cpu);
}

static void seat_init(struct seat *s, bool has_cpu, uint64_t now_ns)
{
	s->is_free = !has_cpu && sched_getaffinity(0, sizeof(s->all), &s->all) == 0 &&
		     CPU_COUNT(&s->all) > 1;
	s->start_ns = now_ns;
	s->used_ns = thread_cpu_ns();
}

/*
 * A busy worker stays on the CPU where it is.  Left alone, the kernel wakes it each time beside the guest that
 * sent, on the theory that the sender is about to sleep; a sender of a stream is not, both then share one
 * CPU while another rests, and a TCP stream loses a quarter.  A worker that gets too little of its CPU, or
 * rests, is let go for a period: the kernel knows better where there is room.
 */
static void seat_think(struct seat *s, uint64_t now_ns)
{
	uint64_t span = now_ns - s->start_ns, awake = span - s->slept_ns;
	uint64_t used = thread_cpu_ns() - s->used_ns;
	bool is_starved = s->is_kept && used < awake / 2;
	bool keep = awake > span / 4 && !is_starved;
	int cpu = sched_getcpu();

	if (keep != s->is_kept && cpu >= 0) {
		cpu_set_t here;

		CPU_ZERO(&here);
		CPU_SET((unsigned)cpu, &here);
		if (sched_setaffinity(0, sizeof(here), keep ? &here : &s->all) == 0)
			s->is_kept = keep;
	}
	s->start_ns = now_ns;
	s->used_ns += used;
	s->slept_ns = 0;
}

/* How long a worker without a hot queue may sleep, in ms; -1: for ever. */
static int rest_ms(const struct worker *w)
{
	uint64_t now_ns = w->fwd->now_ns;

	if (w->due_ns == UINT64_MAX)
		return -1;
	if (w->due_ns <= now_ns)
		return 0;
	return w->due_ns - now_ns > REST_MAX_NS ? (int)(REST_MAX_NS / 1000000)
						: (int)((w->due_ns - now_ns + 999999) / 1000000);
}

/* Before it looks at what others gave it to do, so that a call after that is not lost. */
static void note_call(struct worker *w)
{
	if (atomic_load_explicit(&w->rest, memory_order_relaxed) != AWAKE)
		atomic_exchange_explicit(&w->rest, AWAKE, memory_order_acq_rel);
}

/* From here on a call writes to the eventfd.  False: one came since the top of this turn. */
static bool may_sleep(struct worker *w)
{
	enum rest awake = AWAKE;

	return atomic_compare_exchange_strong_explicit(&w->rest, &awake, ASLEEP,
						       memory_order_acq_rel, memory_order_relaxed);
}

/* Looks at cold queues; sleeps when nothing is hot. */
static void look(struct worker *w)
{
	struct epoll_event ev[EVENTS];
	uint64_t start_ns = w->fwd->now_ns;
	bool sleeps = w->n_hot == 0 && may_sleep(w);
	int n;

	if (sleeps)
		rcu_offline();
	n = epoll_wait(w->epfd, ev, EVENTS, sleeps ? rest_ms(w) : 0);
	if (sleeps)
		rcu_online();
	w->fwd->now_ns = clock_ns();
	if (sleeps)
		w->seat.slept_ns += w->fwd->now_ns - start_ns;
	/* While it slept the fabric may have been replaced and freed: its address is only compared after
	 * take_fabric() has seen the published one. */
	if (rcu_get(w->published) != w->fab)
		return;
	for (int i = 0; i < n; i++)
		on_event(w, &ev[i]);
}

#ifdef VFAB_STAGES
/* Frames that it received. */
static uint64_t frames_of(const struct worker *w)
{
	uint64_t n = 0;

	for (unsigned slot = 0; w->fab && slot < w->fab->n_slots; slot++)
		if (w->fab->port[slot].port)
			n += atomic_load(&w->fab->port[slot].port->counters[w->index].rx_frames);
	return n;
}
#endif

static void answer_call(struct worker *w)
{
	struct call *call = atomic_load_explicit(&w->call, memory_order_acquire);

	if (__builtin_expect(!call, 1))
		return;
	atomic_store_explicit(&w->call, NULL, memory_order_relaxed);
	call->fn(w->fwd, call->arg);
	w->due_ns = 0; /* it may have given the gateway something to do */
	sem_post(&call->done);
}

static bool is_over(struct worker *w)
{
	note_call(w);
	return atomic_load_explicit(&w->stop, memory_order_acquire);
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	unsigned turn = 0;
	char name[16];

	snprintf(name, sizeof(name), "worker %u", w->index);
	prctl(PR_SET_NAME, name); /* pthread_setname_np() would open a file for another thread */
	bind_cpu(w);
	seat_init(&w->seat, w->cpu >= 0, w->fwd->now_ns);
	rcu_thread_start();
	while (!is_over(w)) {
		const struct fabric *fab = NULL;

		if (atomic_load_explicit(&w->go, memory_order_acquire))
			fab = rcu_get(w->published);
		w->fwd->now_ns = clock_ns();
		if (fab && (fab != w->fab || fab->generation != w->generation))
			take_fabric(w, fab);
		if (fab) {
			poll_hot(w);
			w->due_ns = forward_tick(w->fwd, fab);
		}
		rcu_quiet();
		answer_call(w);
		if (w->n_hot == 0 || ++turn % LOOK_TURNS == 0)
			look(w);
		if (w->seat.is_free && w->fwd->now_ns - w->seat.start_ns > SEAT_NS)
			seat_think(&w->seat, w->fwd->now_ns);
	}
#ifdef VFAB_STAGES
	stage_print(stderr, frames_of(w));
#endif
	rcu_thread_stop();
	return NULL;
}

struct worker *worker_start(unsigned index, int cpu, struct fabric *const *fabric)
{
	struct worker *w = calloc(1, sizeof(*w));
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = WAKE_DATA};
	int error;

	if (!w)
		return NULL;
	w->index = index;
	w->cpu = cpu;
	w->published = fabric;
	w->wakefd = -1;
	w->due_ns = UINT64_MAX;
	w->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (w->epfd < 0)
		goto err;
	w->wakefd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->wakefd < 0 || epoll_ctl(w->epfd, EPOLL_CTL_ADD, w->wakefd, &ev) < 0)
		goto err;
	w->hot = malloc(HOT_MAX * sizeof(*w->hot));
	w->fwd = forwarder_create(index);
	if (!w->fwd || !w->hot)
		goto err;
	w->fwd->now_ns = clock_ns();
	error = pthread_create(&w->thread, NULL, worker_main, w);
	if (error) {
		errno = error;
		goto err;
	}
	w->watchdog = watchdog_add(w->thread, w->fwd->scratch);
	return w;
err:
	error = errno;
	forwarder_destroy(w->fwd);
	free(w->hot);
	if (w->wakefd >= 0)
		close(w->wakefd);
	if (w->epfd >= 0)
		close(w->epfd);
	free(w);
	errno = error ? error : ENOMEM;
	return NULL;
}

void worker_go(struct worker *w)
{
	atomic_store_explicit(&w->go, true, memory_order_release);
	worker_wake(w);
}

void worker_wake(struct worker *w)
{
	uint64_t one = 1;

	if (atomic_exchange_explicit(&w->rest, CALLED, memory_order_acq_rel) == ASLEEP &&
	    write(w->wakefd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_limited(LOG_LEVEL_ERR, "worker %u: wake: %s", w->index, strerror(errno));
}

void worker_call(struct worker *w, void (*fn)(struct forwarder *fwd, void *arg), void *arg)
{
	struct call call = {.fn = fn, .arg = arg};

	sem_init(&call.done, 0, 0);
	atomic_store_explicit(&w->call, &call, memory_order_release);
	worker_wake(w);
	while (sem_wait(&call.done) < 0)
		; /* a signal of the watchdog */
	sem_destroy(&call.done);
}

void worker_forget(struct worker *w, int fd)
{
	epoll_ctl(w->epfd, EPOLL_CTL_DEL, fd, NULL); /* ENOENT: it was another worker's */
}

void worker_stop(struct worker *w)
{
	if (!w)
		return;
	atomic_store_explicit(&w->stop, true, memory_order_release);
	worker_wake(w);
	pthread_join(w->thread, NULL);
	watchdog_del(w->watchdog);
	forwarder_destroy(w->fwd);
	close(w->wakefd);
	close(w->epfd);
	free(w->hot);
	free(w);
}
