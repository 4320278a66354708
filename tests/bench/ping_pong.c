/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ping_pong: how far two CPUs are from each other: TSC cycles for one cache line to and fro.
 *
 *   ping_pong CPU CPU
 *
 * On virtual machines the distance changes by itself and all that passes between two CPUs costs more or less with it, so
 * figures are compared only while it is of one class: near (under 320), mid (under 600), far.  Prints one line:
 *   cycles (median over the windows)   low high (10th and 90th percentile)   class
 * class is `busy` when the windows differ so much that something else ran on these CPUs.
 */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

enum { WINDOWS = 201, TRIPS = 500, NEAR = 320, MID = 600, BUSY = 3 };

static _Alignas(128) _Atomic uint32_t line;
static int cpu[2];

static void pin(int to)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)to, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0) {
		perror("ping_pong");
		exit(1);
	}
}

/* Odd numbers are answered by the next even one. */
static void *answer(void *arg)
{
	(void)arg;
	pin(cpu[1]);
	for (uint32_t n = 1; n < 2 * WINDOWS * TRIPS; n += 2) {
		while (line != n)
			;
		line = n + 1;
	}
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
	static uint64_t window[WINDOWS];
	uint64_t median, low, high;
	pthread_t thread;
	uint32_t n = 1;

	if (argc != 3) {
		fputs("usage: ping_pong CPU CPU\n", stderr);
		return 2;
	}
	cpu[0] = atoi(argv[1]);
	cpu[1] = atoi(argv[2]);
	pin(cpu[0]);
	if (pthread_create(&thread, NULL, answer, NULL) != 0)
		return 1;
	for (unsigned w = 0; w < WINDOWS; w++) {
		uint64_t start = __rdtsc();

		for (unsigned i = 0; i < TRIPS; i++, n += 2) {
			line = n;
			while (line != n + 1)
				;
		}
		window[w] = (__rdtsc() - start) / TRIPS;
	}
	pthread_join(thread, NULL);
	qsort(window, WINDOWS, sizeof(*window), compare);
	median = window[WINDOWS / 2];
	low = window[WINDOWS / 10];
	high = window[WINDOWS * 9 / 10];
	printf("cycles=%llu low=%llu high=%llu class=%s\n", (unsigned long long)median,
	       (unsigned long long)low, (unsigned long long)high,
	       high > BUSY * low ? "busy"
	       : median < NEAR	 ? "near"
	       : median < MID	 ? "mid"
				 : "far");
	return 0;
}
