/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter: a client's compiled pcap program: checked once, run on snapshots.
 *
 * watch.c checks the program that a request brings; trace.c makes the views and runs it, on the data
 * path.  The interpreter is libpcap's bpf_filter().
 *
 * Trust.  The program is a client's.  bpf_validate() checks memory indexes, divisors, and that jumps
 * stay inside; it was found to let pass what stops a worker, or the process:
 *
 *   an unconditional jump that wraps around and goes back (libpcap's own `protochain` loops that way)
 *   opcodes with bits that mean nothing, for which bpf_filter() calls abort()
 *
 * filter_check() refuses both; what is left runs each instruction at most once.  The bytes of the
 * frame are its sender's; the interpreter checks each load against the view.
 */
#include "switch/filter.h"

#include <string.h>

enum { ADDRESSES = 12 }; /* bytes in front of the outer tag */

/* Whether the interpreter knows an opcode, all 16 bits of it. */
static bool is_known(uint16_t code)
{
	switch (code) {
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MSH | BPF_B:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_JMP | BPF_JA:
	case BPF_ALU | BPF_NEG:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
		return true;
	}
	switch (code & ~BPF_X) {
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JSET:
	case BPF_ALU | BPF_ADD:
	case BPF_ALU | BPF_SUB:
	case BPF_ALU | BPF_MUL:
	case BPF_ALU | BPF_DIV:
	case BPF_ALU | BPF_MOD:
	case BPF_ALU | BPF_AND:
	case BPF_ALU | BPF_OR:
	case BPF_ALU | BPF_XOR:
	case BPF_ALU | BPF_LSH:
	case BPF_ALU | BPF_RSH:
		return true;
	}
	return false;
}

/* What bpf_validate() lets pass. */
static const char *check_insn(const struct bpf_insn *insn, unsigned at, unsigned n)
{
	unsigned op = BPF_OP(insn->code);

	if (!is_known(insn->code))
		return "an instruction that there is not";
	if (BPF_CLASS(insn->code) == BPF_JMP && op == BPF_JA && insn->k >= n - at - 1)
		return "a jump that leaves the program or goes back (protochain is not supported)";
	if (BPF_CLASS(insn->code) == BPF_ALU && BPF_SRC(insn->code) == BPF_K && insn->k > 31 &&
	    (op == BPF_LSH || op == BPF_RSH))
		return "a shift by more than 31 bits";
	return NULL;
}

const char *filter_check(const struct bpf_insn *prog, unsigned n)
{
	if (n == 0)
		return "no instructions";
	if (n > FILTER_INSNS_MAX)
		return "more than 4096 instructions";
	for (unsigned i = 0; i < n; i++) {
		const char *wrong = check_insn(&prog[i], i, n);

		if (wrong)
			return wrong;
	}
	return bpf_validate(prog, (int)n) ? NULL : "not a valid BPF program";
}

static bool is_tpid(const uint8_t *p)
{
	unsigned tpid = (unsigned)(p[0] << 8 | p[1]);

	return tpid == ETYPE_8021Q || tpid == ETYPE_8021AD;
}

/* The bytes of f with a tag more between source address and EtherType. */
static struct filter_view view_push(const struct frame *f, struct tag tag, uint8_t *room)
{
	memcpy(room, f->snap, ADDRESSES);
	tag_write(room + ADDRESSES, tag);
	memcpy(room + ADDRESSES + TAG_BYTES, f->snap + ADDRESSES, f->snap_len - ADDRESSES);
	return (struct filter_view){room, f->snap_len + (uint32_t)TAG_BYTES, f->len + TAG_BYTES};
}

/* The bytes of f with a tag less. */
static struct filter_view view_pop(const struct frame *f, uint8_t *room)
{
	uint32_t rest = f->snap_len - (uint32_t)(ADDRESSES + TAG_BYTES);

	memcpy(room, f->snap, ADDRESSES);
	memcpy(room + ADDRESSES, f->snap + ADDRESSES + TAG_BYTES, rest);
	return (struct filter_view){room, ADDRESSES + rest, f->len - TAG_BYTES};
}

struct filter_view filter_view(const struct frame *f, struct tag tag, bool with_tag, uint8_t *room)
{
	if (f->snap_len >= ETH_HEADER && f->snap_len <= SNAP_MAX) {
		if (tag.tpid && with_tag)
			return view_push(f, tag, room);
		if (!tag.tpid && !with_tag && is_tpid(f->snap + ADDRESSES) &&
		    f->snap_len >= ETH_HEADER + TAG_BYTES)
			return view_pop(f, room);
	}
	return (struct filter_view){f->snap, f->snap_len, f->len};
}

bool filter_match(const struct bpf_insn *prog, const struct filter_view *v)
{
	return !prog || bpf_filter(prog, v->bytes, v->len, v->held) != 0;
}
