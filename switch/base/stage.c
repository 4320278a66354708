/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stage: the sums of a build with STAGES=1; see stage.h. */
#include "switch/base/stage.h"

#ifdef VFAB_STAGES
__thread struct stage_clock stage_clock;

void stage_print(FILE *f, uint64_t frames)
{
	static const char *const texts[] = {
#define X(symbol, text) text,
		STAGES_OF_PATH(X)
#undef X
	};

	for (unsigned i = 0; frames > 0 && i < STAGES_COUNT; i++)
		fprintf(f, "%8.1f cycles a frame  %s\n",
			(double)stage_clock.sum[i] / (double)frames, texts[i]);
}
#else
extern int stage_is_off; /* a file has to have something in it */
#endif
