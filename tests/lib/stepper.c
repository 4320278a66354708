/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * stepper: the trap flag of the processor, and pages that may not be touched; see stepper.h.
 *
 * With the flag set each instruction ends in SIGTRAP.  An access to a page without rights is SIGSEGV: it is noted, the page
 * opened, and the flag set for that one instruction, after which the page is shut again.
 */
#include "tests/lib/stepper.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)

enum { TRAP_FLAG = 1 << 8 };

static struct {
	void (*each)(void *);
	void *arg;
	volatile bool runs;
	uint8_t *mem;
	size_t bytes, n, max;
	uintptr_t *at;
} s;

bool stepper_works(void)
{
	return true;
}

static void set_trap(void *context, bool on)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

	*flags = on ? *flags | TRAP_FLAG : *flags & ~TRAP_FLAG;
}

static void on_step(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	if (s.runs && s.each)
		s.each(s.arg);
	else
		set_trap(context, false);
}

static void on_access(int signo, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;

	if (at - (uintptr_t)s.mem >= s.bytes) {
		signal(signo, SIG_DFL);
		return;
	}
	if (s.n < s.max)
		s.at[s.n] = at;
	s.n++;
	mprotect(s.mem, s.bytes, PROT_READ | PROT_WRITE);
	set_trap(context, true);
}

static void on_accessed(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	mprotect(s.mem, s.bytes, PROT_NONE);
	set_trap(context, false);
}

static struct sigaction catch_signal(int signo, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO}, old;

	sigemptyset(&act.sa_mask);
	if (sigaction(signo, &act, &old) < 0)
		abort();
	return old;
}

void stepper_run(void (*run)(void *), void (*each)(void *), void *arg)
{
	struct sigaction old = catch_signal(SIGTRAP, on_step);

	s.each = each;
	s.arg = arg;
	s.runs = true;
	/* Below the red zone, which a function that calls another has none of anyway. */
	__asm__ volatile(
		"lea -128(%%rsp), %%rsp; pushfq; orq %0, (%%rsp); popfq; lea 128(%%rsp), %%rsp"
		:
		: "i"(TRAP_FLAG)
		: "memory", "cc");
	run(arg);
	s.runs = false;
	/* The next step sees it and clears the flag. */
	__asm__ volatile("nop; nop" : : : "memory");
	sigaction(SIGTRAP, &old, NULL);
}

size_t stepper_accesses(void (*run)(void *), void *arg, void *mem, size_t bytes, uintptr_t at[],
			size_t max)
{
	struct sigaction old_step = catch_signal(SIGTRAP, on_accessed);
	struct sigaction old_access = catch_signal(SIGSEGV, on_access);

	s.mem = mem;
	s.bytes = bytes;
	s.at = at;
	s.n = 0;
	s.max = max;
	if (mprotect(mem, bytes, PROT_NONE) < 0)
		abort();
	run(arg);
	mprotect(mem, bytes, PROT_READ | PROT_WRITE);
	sigaction(SIGTRAP, &old_step, NULL);
	sigaction(SIGSEGV, &old_access, NULL);
	return s.n;
}

#else

bool stepper_works(void)
{
	return false;
}

void stepper_run(void (*run)(void *), void (*each)(void *), void *arg)
{
	(void)each;
	run(arg);
}

size_t stepper_accesses(void (*run)(void *), void *arg, void *mem, size_t bytes, uintptr_t at[],
			size_t max)
{
	(void)mem;
	(void)bytes;
	(void)at;
	(void)max;
	run(arg);
	return 0;
}

#endif
