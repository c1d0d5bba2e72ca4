#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backend/snapshot/sparse.h"

int snapshot_copy_file(struct task *t, const char *from, const char *to, struct err *e)
{
	autofd int fd = open(from, O_RDONLY | O_CLOEXEC);
	struct meter m = {.task = t};
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno(e, "cannot open '%s'", from);
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "'%s' is not an ordinary file", from);
	m.total = (uint64_t)st.st_size;
	r = sparse_copy(fd, to, &m, e);
	if (r < 0 && r != -EEXIST)
		unlink(to);
	return r;
}
