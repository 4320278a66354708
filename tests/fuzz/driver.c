/* SPDX-License-Identifier: GPL-2.0-or-later */
/* driver: replays files through a fuzz target, for compilers without a fuzzing engine and for the corpus in every test run. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { INPUT_MAX = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	/* Of the exact size of the input, so that a sanitizer sees the first byte past its end. */
	uint8_t *all = malloc(INPUT_MAX), *data = NULL;
	size_t size = 0;

	if (file && all) {
		size = fread(all, 1, INPUT_MAX, file);
		data = realloc(all, size ? size : 1);
	}
	if (file)
		fclose(file);
	if (!data) {
		fprintf(stderr, "driver: cannot read %s\n", path);
		free(all);
		return 1;
	}
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++) {
		printf("%s\n", argv[i]);
		fflush(stdout);
		bad |= replay(argv[i]);
	}
	return bad;
}
