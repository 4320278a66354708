/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * trace: the recorder.  Each stage of the forwarding path notes in one line what it decided and by
 * which rule or entry; frames that match a watch are marked when they come in, and their story
 * goes through a ring to the control thread, their bytes through one to the writer of a capture.
 *
 * The path is compiled twice from one source: with rec == NULL as a constant, where every note
 * vanishes, and with a recorder.  A worker runs the second only while somebody watches.
 * -DNO_RECORDER leaves only the first (the benchmark measures the difference).
 *
 * Threads.  A struct recorder belongs to one worker; a struct watch is made by the control thread,
 * published with recorder_set(), and freed after a grace period.  Rings have one producer (that
 * worker) and one consumer.
 *
 * Limits.  WATCHES_MAX watches at once.  A full ring loses records and counts them; forwarding
 * never waits.  A frame's notes end at NOTE_BYTES; how many were cut is in the record.
 */
#ifndef VFAB_SWITCH_TRACE_H
#define VFAB_SWITCH_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "switch/base/frame.h"
#include "switch/base/rcu.h"
#include "switch/base/ring.h"
#include "switch/fabric.h"

struct bpf_insn;
struct tx_frame;

enum stage {
	STAGE_RX,     /* came in */
	STAGE_GUARD,  /* source, guard, reserved addresses */
	STAGE_VLAN,   /* ingress classification */
	STAGE_POLICE, /* rate, storm, loop cap */
	STAGE_LEARN,
	STAGE_LOOKUP,
	STAGE_HOST,    /* the device of a host-only network */
	STAGE_GATEWAY, /* the switch's own addresses, routing */
	STAGE_NAT,
	STAGE_TX,   /* each output: tag, and whether it took the frame */
	STAGE_COUNT,
};
const char *stage_word(enum stage s);

enum verdict { VERDICT_FORWARD, VERDICT_FLOOD, VERDICT_LOCAL, VERDICT_DROP };
const char *verdict_word(enum verdict v);

/* CAPTURE_NAME: not a frame, the name of a port. */
enum watch_dir { CAPTURE_NAME = 0, WATCH_RX = 1, WATCH_TX = 2 };

enum {
	WATCH_SLOT_ALL = 0xffff,
	WATCHES_MAX = 16,
	NOTE_BYTES = 1024,
	TRACE_SNAP = 128,
	OUTS_MAX = 64,
};

/* Somebody who looks: one `vfab trace` or one `vfab capture`. */
struct watch {
	bool is_capture;	 /* frames to pcapng; else the story of each */
	bool drops_only;	 /* traces: only frames that are dropped */
	bool sees_tag;		 /* the filter says `vlan`: the frame as on the wire */
	uint8_t dir;		 /* captures: enum watch_dir; a trace is by the port it came in */
	uint16_t slot;		 /* port, or WATCH_SLOT_ALL */
	uint32_t snaplen;	 /* captures: bytes kept of a frame */
	_Atomic uint64_t left;	 /* frames still wanted; UINT64_MAX: no end */
	struct bpf_insn *filter; /* filter_check() passed it; NULL: everything */
	struct ring
		*ring[WORKERS_MAX]; /* one for each worker; set with rcu_set(), never taken back */
	_Atomic uint64_t *lost;	    /* captures: SLOT_MAX counters of frames that had no room */
	int wake_fd;		    /* eventfd of the consumer, written when its rings were empty */
};

/* A record in a trace ring: one frame, its steps and its end.  Cut after notes_len bytes of notes. */
struct trace_record {
	uint64_t time_ns;   /* CLOCK_REALTIME when the vector came in */
	uint32_t len;	    /* bytes of the frame as on the wire, tag included */
	uint16_t slot;	    /* in by */
	uint16_t tci;	    /* VLAN of the fabric and priority; 0: not classified */
	uint16_t snap_len;  /* bytes of data[] */
	uint16_t n_outs;    /* outputs that took it; the first OUTS_MAX are in outs[] */
	uint16_t notes_len; /* bytes of notes: lines of stage byte, text, NUL */
	uint16_t notes_cut; /* notes that found no room */
	uint8_t verdict;    /* enum verdict */
	uint8_t drop;	    /* enum drop */
	struct offload off;
	uint16_t outs[OUTS_MAX];
	uint8_t data[TRACE_SNAP]; /* first bytes, as they came in */
	char notes[NOTE_BYTES];
};

/* A record in a capture ring; cap_len bytes of the frame, as on the wire of that port, follow it.
 * With dir CAPTURE_NAME the bytes are the name of slot, which precedes every use of that slot. */
struct capture_record {
	uint64_t time_ns;
	uint32_t len, cap_len;
	uint16_t slot;	    /* the port it was seen at */
	uint16_t from_slot; /* the port it came in by */
	uint16_t out_slot;  /* WATCH_RX: the one output, or OUT_* */
	uint8_t dir;	    /* enum watch_dir */
	uint8_t verdict;    /* WATCH_RX: enum verdict */
	uint8_t drop;	    /* enum drop; WATCH_TX: why that output did not take it */
	uint8_t taken;	    /* WATCH_RX: outputs that took it, saturating */
};

/* A worker's recorder. */
struct recorder {
	const struct watch_list *list; /* published; NULL: nobody watches */
	struct recorder_work *work;    /* the vector in hand */
	unsigned worker;
};
struct recorder *recorder_create(unsigned worker); /* NULL without memory */
void recorder_destroy(struct recorder *r);

/* Control thread: the watches of a recorder from now on (n pointers, copied; 0 stops it).  The
 * caller waits a grace period before the next call and before it frees a watch. */
void recorder_set(struct recorder *r, struct watch *const *watches, unsigned n);

/* Worker: NULL when nobody watches; called once a vector. */
static inline struct recorder *recorder_get(struct recorder *r)
{
	return __builtin_expect(rcu_get(&r->list) != NULL, 0) ? r : NULL;
}

/* Worker, in this order for each vector.  begin: matches filters and marks frames (f->traced),
 * before ingress takes the tag off; f->in of every frame is set.  output: a frame left, or failed
 * to, by a port with that tag.  end: verdicts are known; records are written. */
void recorder_begin(struct recorder *r, const struct fabric *fab, struct vec *v);
void recorder_output(struct recorder *r, const struct tx_frame *t, uint16_t slot);
void recorder_end(struct recorder *r, const struct vec *v);

void recorder_note(struct recorder *r, const struct frame *f, enum stage s, const char *fmt, ...)
	__attribute__((format(printf, 4, 5), cold));

#ifdef NO_RECORDER
#define note(rec, f, ...)                                                                          \
	do {                                                                                       \
		(void)(rec);                                                                       \
		(void)(f);                                                                         \
	} while (0)
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
