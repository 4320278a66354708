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

#include "tools/say.h"

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
	rc = conf_merge_file(*conf, text, bytes, &err);
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

/* Owner and mode of the file that is replaced; of a new one the mode, less what umask takes. */
static int set_owner(int fd, const struct stat *old, mode_t mode)
{
	mode_t mask;

	if (old) {
		/* Who may not give files away owns the new one. */
		if (fchown(fd, old->st_uid, old->st_gid) && errno != EPERM)
			return -errno;
		return fchmod(fd, old->st_mode & 07777) ? -errno : 0;
	}
	mask = umask(0);
	umask(mask);
	return fchmod(fd, mode & ~mask) ? -errno : 0;
}

int confile_replace(const char *path, const char *text, mode_t mode)
{
	char real[PATH_MAX], temp[PATH_MAX + 16];
	struct stat old;
	bool is_there;
	int fd, rc;

	if (!realpath(path, real)) {
		if (errno != ENOENT || strlen(path) >= sizeof(real))
			return fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
		memcpy(real, path, strlen(path) + 1);
	}
	is_there = stat(real, &old) == 0;
	if (is_there && !S_ISREG(old.st_mode))
		return fail(EXIT_REFUSED, "%s: is no regular file", path);
	snprintf(temp, sizeof(temp), "%s.XXXXXX", real);
	fd = mkostemp(temp, O_CLOEXEC);
	if (fd < 0)
		return fail(EXIT_REFUSED, "%s: %s", path, strerror(errno));
	rc = write_all(fd, text, strlen(text));
	if (!rc)
		rc = set_owner(fd, is_there ? &old : NULL, mode);
	close(fd);
	if (!rc && rename(temp, real))
		rc = -errno;
	if (!rc)
		return 0;
	unlink(temp);
	return fail(EXIT_REFUSED, "%s: %s", path, strerror(-rc));
}
