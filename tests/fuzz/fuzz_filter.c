/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_filter: a client's BPF program, and the frame of somebody else that it is run on.
 *
 * Input: a byte with the number of instructions, a byte of flags (1: the frame leaves with a tag, 2: the program sees
 * tags), the instructions of 8 bytes each as in struct bpf_insn, then the frame.  A program that the check
 * lets pass must end and read nothing but the view; each view has exactly the bytes of its frame.
 */
#include <stdlib.h>
#include <string.h>

#include "switch/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a view must be: the frame with a tag more, a tag less, or as it is. */
static void check_view(const struct filter_view *v, const struct frame *f)
{
	uint32_t more = v->len - f->len + TAG_BYTES;

	if (v->held != f->snap_len + more - TAG_BYTES || more > 2 * TAG_BYTES ||
	    more % TAG_BYTES != 0)
		abort();
	if (f->snap_len >= ETH_HEADER && memcmp(v->bytes, f->snap, 12) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bpf_insn *prog;
	struct filter_view v;
	struct frame f = {0};
	struct tag tag = {0};
	uint8_t *room, *snap;
	size_t n;

	if (size < 2 || size < 2 + (n = data[0]) * sizeof(*prog))
		return 0;
	prog = malloc(n * sizeof(*prog) + 1);
	memcpy(prog, data + 2, n * sizeof(*prog));
	size -= 2 + n * sizeof(*prog);
	f.snap_len = size < SNAP_MAX ? (uint16_t)size : SNAP_MAX;
	f.len = (uint32_t)size;
	/* Copies of exact size, so that a sanitizer sees what is read past their end. */
	snap = malloc(f.snap_len + 1u);
	snap = realloc(snap, f.snap_len ? f.snap_len : 1u);
	memcpy(snap, data + 2 + n * sizeof(*prog), f.snap_len);
	f.snap = snap;
	room = malloc(f.snap_len + (unsigned)TAG_BYTES);
	if (data[1] & 1)
		tag = (struct tag){ETYPE_8021Q, 10};
	v = filter_view(&f, tag, data[1] & 2, room);
	check_view(&v, &f);
	if (!filter_check(prog, (unsigned)n))
		filter_match(prog, &v);
	free(prog);
	free(snap);
	free(room);
	return 0;
}
