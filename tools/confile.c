/* SPDX-License-Identifier: GPL-2.0-or-later */
/* confile: reading and replacing files; see the header. */
#include "tools/confile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/call.h"
#include "tools/table.h"

int confile_fail(int status, const char *path, const struct conf_error *err)
{
	char at[64] = " ";

	if (err->line > 0)
		snprintf(at, sizeof(at), "%d:%d: ", err->line, err->column);
	return fail(status, "%s:%s%s%s%s", path, at, err->path, *err->path ? ": " : "", err->text);
}

int confile_parse(const char *path, const char *text, size_t bytes, struct conf **conf)
{
	struct conf_error err = {0};
	int rc;

	*conf = need(conf_create());
	rc = conf_merge(*conf, text, bytes, CONF_ADD, &err);
	if (!rc)
		rc = conf_validate(*conf, NULL, &err);
	if (!rc)
		return 0;
	conf_destroy(*conf);
	*conf = NULL;
	return confile_fail(rc == -EINVAL ? EXIT_DATA : EXIT_REFUSED, path, &err);
}

static int write_all(int fd, const char *text, size_t bytes)
{
	ssize_t n;

	for (; bytes; text += n, bytes -= (size_t)n) {
		n = write(fd, text, bytes);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n < 0)
			n = 0;
	}
	return fsync(fd) ? -errno : 0;
}

/* The mode a new file at path is to have. */
static mode_t mode_for(const char *path, mode_t mode)
{
	struct stat st;
	mode_t mask;

	if (!stat(path, &st))
		return st.st_mode & 07777;
	mask = umask(0);
	umask(mask);
	return mode & ~mask;
}

int confile_replace(const char *path, const char *text, mode_t mode)
{
	char real[PATH_MAX], temp[PATH_MAX + 16];
	int fd, rc;

	if (!realpath(path, real)) {
		if (errno != ENOENT || strlen(path) >= sizeof(real))
			return fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
		memcpy(real, path, strlen(path) + 1);
	}
	snprintf(temp, sizeof(temp), "%s.XXXXXX", real);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	rc = write_all(fd, text, strlen(text));
	if (!rc && fchmod(fd, mode_for(real, mode)))
		rc = -errno;
	close(fd);
	if (!rc && rename(temp, real))
		rc = -errno;
	if (!rc)
		return 0;
	unlink(temp);
	return fail(EXIT_REFUSED, "%s: %s", path, strerror(-rc));
}
