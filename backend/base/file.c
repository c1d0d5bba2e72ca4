#include "backend/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "backend/base/str.h"

static int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len) {
		ssize_t r = write(fd, p, len);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		p += r;
		len -= (size_t)r;
	}
	return 0;
}

int path_fsync(const char *path, struct err *e)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_errno(e, "cannot sync '%s'", path);
	return 0;
}

static int parent_fsync(const char *path, struct err *e)
{
	autofree char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');

	if (!slash)
		return path_fsync(".", e);
	slash[slash == dir] = '\0';
	return path_fsync(dir, e);
}

static int write_temp(const char *tmp, const void *data, size_t len, mode_t mode, struct err *e)
{
	autofd int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	int r;

	if (fd < 0)
		return err_errno(e, "cannot create '%s'", tmp);
	r = write_all(fd, data, len);
	if (!r && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, -r, "cannot write '%s': %s", tmp, strerror(-r));
	return 0;
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode, struct err *e)
{
	uint32_t salt;
	autofree char *tmp = NULL;
	int r;

	random_bytes(&salt, sizeof(salt));
	tmp = xasprintf("%s.tmp-%08x", path, salt);
	r = write_temp(tmp, data, len, mode, e);
	if (!r && rename(tmp, path) < 0)
		r = err_errno(e, "cannot rename '%s' to '%s'", tmp, path);
	if (r < 0) {
		unlink(tmp);
		return r;
	}
	return parent_fsync(path, e);
}

int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *e)
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	autofree char *data = NULL;
	size_t len = 0, cap = 4096;

	if (fd < 0)
		return err_errno(e, "cannot read '%s'", path);
	data = xcalloc(1, cap + 1);
	for (;;) {
		ssize_t r = read(fd, data + len, cap - len);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_errno(e, "cannot read '%s'", path);
		if (!r)
			break;
		len += (size_t)r;
		if (len > max)
			return err_set(e, E2BIG, "'%s' has more than %zu bytes", path, max);
		if (len == cap) {
			char *more = realloc(data, cap * 2 + 1);

			if (!more)
				return err_set(e, ENOMEM, "cannot read '%s': out of memory", path);
			data = more;
			cap *= 2;
		}
	}
	data[len] = '\0';
	*ret = steal_ptr(&data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

static int make_one(const char *path, mode_t mode, struct err *e)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(e, "cannot create folder '%s'", path);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "'%s' is not a folder", path);
	return 0;
}

int dir_make(const char *path, mode_t mode, struct err *e)
{
	autofree char *p = xstrdup(path);
	int r;

	for (char *s = p + 1;; s++) {
		char c = *s;

		if (c && c != '/')
			continue;
		*s = '\0';
		r = make_one(p, mode, e);
		if (r < 0)
			return r;
		*s = c;
		if (!c)
			break;
	}
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path) < 0 && errno != ENOENT ? -1 : 0;
}

int tree_remove(const char *path, struct err *e)
{
	if (nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
		return err_errno(e, "cannot remove '%s'", path);
	return 0;
}

static pid_t lock_holder(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return (pid_t)strtol(text, NULL, 10);
}

int lock_take(const char *path, bool wait, int *ret_fd, pid_t *ret_holder, struct err *e)
{
	autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return err_errno(e, "cannot open lock '%s'", path);
	do
		r = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB));
	while (r < 0 && errno == EINTR);
	if (r < 0 && errno == EWOULDBLOCK) {
		pid_t holder = lock_holder(fd);

		if (ret_holder)
			*ret_holder = holder;
		return err_set(e, EAGAIN, "'%s' is locked by process %d", path, (int)holder);
	}
	if (r < 0)
		return err_errno(e, "cannot lock '%s'", path);
	/* The pid is for messages only: a failed write costs nothing but the hint. */
	if (ftruncate(fd, 0) == 0)
		(void)!dprintf(fd, "%d\n", (int)getpid());
	*ret_fd = steal_fd(&fd);
	return 0;
}

int dir_temp_beside(const char *path, char *out, size_t n, struct err *e)
{
	if ((size_t)snprintf(out, n, "%s.tmp-XXXXXX", path) >= n)
		return err_set(e, ENAMETOOLONG, "'%s' is too long", path);
	if (!mkdtemp(out))
		return err_errno(e, "cannot create folder '%s'", out);
	return 0;
}

int fs_free_bytes(const char *path, uint64_t *ret, struct err *e)
{
	struct statvfs v;

	if (statvfs(path, &v) < 0)
		return err_errno(e, "cannot look at the filesystem of '%s'", path);
	*ret = (uint64_t)v.f_bavail * v.f_frsize;
	return 0;
}
