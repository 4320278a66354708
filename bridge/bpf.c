/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bpf: the two eBPF programs of an interface uplink.
 *
 * How it fits.  broker_link.c hangs bpf_redirect_into() into the helper tap (tc.c); packet_socket.c puts
 * bpf_frames_filter() on its socket.  They are written out here instruction by instruction: that is less
 * than a compiler for them, a loader and an object file would be.
 *
 * Theory of operation.  bpf_redirect(2) into the ingress of a link asks eth_type_trans() anew whose
 * frame it is, so the NIC's address decides and not the helper's; tc's mirred does not, and the
 * stack would throw the frame away as somebody else's.
 */
#include "bridge/bpf.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MARK = 0x7666, PROGRAM_MAX = 24 };

struct program {
	struct bpf_insn insn[PROGRAM_MAX];
	unsigned n;
};

static void put(struct program *p, struct bpf_insn insn)
{
	p->insn[p->n++] = insn;
}

static void set(struct program *p, uint8_t reg, int32_t value)
{
	put(p, (struct bpf_insn){.code = BPF_ALU | BPF_MOV | BPF_K, .dst_reg = reg, .imm = value});
}

static void end(struct program *p, int32_t value)
{
	set(p, BPF_REG_0, value);
	put(p, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
}

/* r0 = the bytes of the frame at that offset, in host order; r6 is the context. */
static void load(struct program *p, uint8_t size, int32_t offset)
{
	put(p, (struct bpf_insn){.code = (uint8_t)(BPF_LD | BPF_ABS | size), .imm = offset});
}

/* Leaps over `skip` instructions when the test of r0 holds. */
static void leap(struct program *p, uint8_t test, uint32_t value, int16_t skip)
{
	put(p, (struct bpf_insn){.code = (uint8_t)(BPF_JMP32 | test | BPF_K),
				 .off = skip,
				 .imm = (int32_t)value});
}

/* No frame of which the kernel says this. */
static void refuse(struct program *p, size_t field, uint32_t value)
{
	put(p, (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
				 .dst_reg = BPF_REG_0,
				 .src_reg = BPF_REG_6,
				 .off = (int16_t)field});
	leap(p, BPF_JNE, value, 2);
	end(p, 0);
}

static int load_program(const struct program *p, enum bpf_prog_type type)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = type;
	attr.insns = (uintptr_t)p->insn;
	attr.insn_cnt = p->n;
	attr.license = (uintptr_t) "GPL";
	memcpy(attr.prog_name, "vfab", 5);
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	return fd < 0 ? -errno : fd;
}

int bpf_redirect_into(int ifindex)
{
	struct program p = {.n = 0};

	set(&p, BPF_REG_2, MARK);
	put(&p, (struct bpf_insn){.code = BPF_STX | BPF_MEM | BPF_W,
				  .dst_reg = BPF_REG_1,
				  .src_reg = BPF_REG_2,
				  .off = offsetof(struct __sk_buff, tc_index)});
	set(&p, BPF_REG_1, ifindex);
	set(&p, BPF_REG_2, BPF_F_INGRESS);
	put(&p, (struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect});
	put(&p, (struct bpf_insn){.code = BPF_JMP | BPF_EXIT});
	return load_program(&p, BPF_PROG_TYPE_SCHED_CLS);
}

/* The two halves of an address as load() gives them. */
static uint32_t mac_high(const struct mac *m)
{
	return (uint32_t)m->b[0] << 24 | (uint32_t)m->b[1] << 16 | (uint32_t)m->b[2] << 8 | m->b[3];
}

static uint32_t mac_low(const struct mac *m)
{
	return (uint32_t)m->b[4] << 8 | m->b[5];
}

int bpf_frames_filter(enum bpf_frames which, const struct mac *mac)
{
	const int32_t all = -1;
	struct program p = {.n = 0};

	/* 64-bit moves of a pointer: the context, which load() expects in r6. */
	put(&p, (struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X,
				  .dst_reg = BPF_REG_6,
				  .src_reg = BPF_REG_1});
	refuse(&p, offsetof(struct __sk_buff, tc_index), MARK);
	refuse(&p, offsetof(struct __sk_buff, priority), BPF_OWN_PRIORITY);
	if (which != BPF_FRAMES_ALL) {
		load(&p, BPF_B, 0);
		leap(&p, BPF_JSET, 1, 6);
		load(&p, BPF_W, 0);
		leap(&p, BPF_JNE, mac_high(mac), which == BPF_FRAMES_TO ? 2 : 4);
		load(&p, BPF_H, 4);
		leap(&p, which == BPF_FRAMES_TO ? BPF_JEQ : BPF_JNE, mac_low(mac), 2);
		end(&p, 0);
	}
	end(&p, all);
	return load_program(&p, BPF_PROG_TYPE_SOCKET_FILTER);
}
