#include "backend/snapshot/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

char *store_file(const struct snapshot *s, const char *file)
{
	return xasprintf("%s/%s", s->dir, file);
}

char *store_layer(const char *dir, int n, uint32_t layer)
{
	return xasprintf("%s/disk-%d.%" PRIu32, dir, n, layer);
}

char *store_fresh(const char *dir, int n)
{
	return xasprintf("%s/disk-%d.new", dir, n);
}

int store_damaged(struct err *e, const struct snapshot *s, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_set(e, EBADMSG,
		"snapshot '%s' is damaged: %s; remove it with vmdeck rm --snapshot %s and take it "
		"again",
		s->name, what, s->name);
}

int store_write_failed(struct err *e, int r, const char *path)
{
	return err_set(e, -r, "cannot write '%s': %s%s", path, strerror(-r),
		r == -ENOSPC || r == -EDQUOT ? "; " STORE_NO_SPACE : "");
}

int store_open(const struct snapshot *s, const char *file, uint64_t bytes, uint64_t *ret_ino,
	uint64_t *ret_mtime_ns, struct err *e)
{
	autofree char *path = store_file(s, file);
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return store_damaged(e, s, "its file '%s' is missing", file);
	if (fd < 0 || fstat(fd, &st) < 0)
		return store_damaged(
			e, s, "its file '%s' cannot be read: %s", file, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return store_damaged(e, s, "its '%s' is not a file", file);
	if ((uint64_t)st.st_size != bytes)
		return store_damaged(e, s,
			"its file '%s' has %" PRIu64 " bytes instead of %" PRIu64, file,
			(uint64_t)st.st_size, bytes);
	if (ret_ino && ret_mtime_ns && store_stamp(fd, ret_ino, ret_mtime_ns) < 0)
		return err_errno(e, "cannot look at '%s'", path);
	return steal_fd(&fd);
}

int store_stamp(int fd, uint64_t *ret_ino, uint64_t *ret_mtime_ns)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret_ino = st.st_ino;
	*ret_mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	return 0;
}

int meter_step(struct meter *m, uint64_t n, struct err *e)
{
	if (m->task && task_cancelled(m->task))
		return err_set(e, ECANCELED, "cancelled");
	m->done = min_of(m->done + n, m->total);
	if (m->fn)
		m->fn(m->user, m->done, m->total);
	return 0;
}
