/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace: the recorder.  Each stage of the forwarding path notes in one line what it decided and by
 * which rule or entry; frames that match a watch are marked when they come in, and their story goes through a ring to the
 * control thread.
 *
 * The path is compiled twice from one source: with rec == NULL as a constant, where every note vanishes, and with a
 * recorder.  A worker runs the second only while somebody watches.  -DNO_RECORDER leaves only the first (the
 * benchmark measures the difference).
 *
 * Threads.  A struct recorder belongs to one worker; a struct watch is made by the control thread, published by
 * rcu_set() in recorders, and freed after a grace period.  Rings have one producer (that worker) and one consumer.
 */
#ifndef VFAB_SWITCH_TRACE_H
#define VFAB_SWITCH_TRACE_H

#include <sys/types.h>
#include <pcap/bpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "switch/base/frame.h"
#include "switch/base/ring.h"
#include "switch/fabric.h"

enum stage {
	STAGE_RX,      /* came in */
	STAGE_GUARD,   /* source, guard, reserved addresses */
	STAGE_VLAN,    /* ingress classification */
	STAGE_POLICE,  /* rate, storm, loop cap */
	STAGE_LEARN,
	STAGE_LOOKUP,
	STAGE_HOST,    /* the device of a host-only network */
	STAGE_TX,      /* each output: tag, and whether it took the frame */
	STAGE_COUNT,
};
const char *stage_word(enum stage s);

enum watch_dir { WATCH_RX = 1, WATCH_TX = 2 };

enum { WATCH_SLOT_ALL = 0xffff, WATCHES_MAX = 16, NOTE_BYTES = 1024, TRACE_SNAP = 128, OUTS_MAX = 64 };

/* Somebody who looks: one `vfab trace` or one `vfab capture`. */
struct watch {
	bool is_capture;          /* frames to pcapng; else the story of each */
	bool drops_only;
	bool sees_tag;            /* the filter says `vlan`: it sees the frame as on the wire */
	uint16_t slot;            /* port, or WATCH_SLOT_ALL */
	uint8_t dir;              /* captures: enum watch_dir; a trace is by the port it came in */
	uint32_t snaplen;         /* captures */
	_Atomic uint64_t left;    /* frames still wanted; UINT64_MAX: no end */
	struct bpf_insn *filter;  /* validated; NULL: everything */
	struct ring *ring[WORKERS_MAX]; /* one for each worker */
	int wake_fd;              /* eventfd of the consumer, written when a record is committed to a ring that was empty */
};

/* A record in a trace ring: one frame, its steps and its end. */
struct trace_record {
	uint64_t time_ns;         /* CLOCK_REALTIME */
	uint32_t len;             /* bytes of the frame as on the wire, tag included */
	uint16_t slot;            /* in by */
	uint16_t tci, rx_tpid, rx_tci;
	uint16_t snap_len;        /* bytes of data[], the frame without its outer tag */
	uint16_t n_outs;          /* outputs that took it, at most OUTS_MAX of them in outs[] */
	uint16_t notes_len;       /* bytes of notes: lines of STAGE byte, text, NUL */
	uint8_t verdict;          /* enum verdict */
	uint8_t drop;             /* enum drop */
	struct offload off;
	uint16_t outs[OUTS_MAX];
	uint8_t data[TRACE_SNAP];
	char notes[NOTE_BYTES];
};

enum verdict { VERDICT_FORWARD, VERDICT_FLOOD, VERDICT_LOCAL, VERDICT_DROP };
const char *verdict_word(enum verdict v);

/* A record in a capture ring; cap_len bytes of the frame, as on the wire of that port, follow it. */
struct capture_record {
	uint64_t time_ns;
	uint32_t len, cap_len;
	uint16_t slot;            /* the port it was seen at */
	uint16_t from_slot;       /* the port it came in by */
	uint8_t dir;              /* WATCH_RX or WATCH_TX */
	uint8_t verdict, drop;
	uint8_t reserved;
};

/* A worker's recorder. */
struct recorder;
struct recorder *recorder_create(unsigned worker); /* NULL without memory */
void recorder_destroy(struct recorder *r);

/* Control thread: the watches of a recorder from now on (n pointers, copied; 0 stops it).  The caller waits a grace
 * period before it frees a watch.  0 or -ENOMEM. */
int recorder_set(struct recorder *r, struct watch *const *watches, unsigned n);

/* Worker: NULL when nobody watches; called once a vector. */
struct recorder *recorder_get(struct recorder *r);

/* Worker, in this order for each vector.  begin: matches filters and marks frames (f->traced), before ingress takes the
 * tag off.  output: frame i left, or failed to, by a port with that tag.  end: verdicts are known; records are written. */
void recorder_begin(struct recorder *r, const struct fabric *fab, struct vec *v);
void recorder_output(struct recorder *r, const struct tx_frame *t, uint16_t slot);
void recorder_end(struct recorder *r, const struct vec *v);

void recorder_note(struct recorder *r, const struct frame *f, enum stage s, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#ifdef NO_RECORDER
#define note(rec, f, ...) ((void)(rec), (void)(f))
#define RECORDER_ON(rec) ((struct recorder *)NULL)
#else
#define note(rec, f, ...)                                                                          \
	do {                                                                                       \
		if ((rec) && (f)->traced)                                                          \
			recorder_note(rec, f, __VA_ARGS__);                                        \
	} while (0)
#define RECORDER_ON(rec) (rec)
#endif

#endif
