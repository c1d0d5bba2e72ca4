#include "backend/image/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/str.h"

#define NEXT_STEP   "free some or set VMDECK_HOME to another filesystem"
#define TEMP_MARK   ".tmp-" /* as dir_temp_beside names them */
#define TEMP_RANDOM 6       /* characters that mkdtemp fills in */

static int too_long(const char *parent, const char *name, struct err *e)
{
	return err_set(e, ENAMETOOLONG, "the path '%s/%s' is too long", parent, name);
}

void publish_lock_path(const char *parent, const char *name, char out[PUBLISH_PATH_MAX])
{
	snprintf(out, PUBLISH_PATH_MAX, "%s/.%s.lock", parent, name);
}

int publish_space(const char *parent, uint64_t need, struct err *e)
{
	char need_text[32], have_text[32];
	uint64_t have;
	int r = fs_free_bytes(parent, &have, e);

	if (r < 0 || have >= need)
		return r;
	return err_set(e, ENOSPC, "no space left for '%s': %s needed, %s free; " NEXT_STEP, parent,
		str_bytes(need_text, sizeof(need_text), need),
		str_bytes(have_text, sizeof(have_text), have));
}

int publish_temp(const char *parent, const char *name, char out[PUBLISH_PATH_MAX], struct err *e)
{
	char base[PUBLISH_PATH_MAX];

	if ((size_t)snprintf(base, sizeof(base), "%s/.%s", parent, name) >= sizeof(base))
		return too_long(parent, name, e);
	return dir_temp_beside(base, out, PUBLISH_PATH_MAX, e);
}

/* Whether a folder's entry is a temporary folder of exactly this name (NULL: of any). */
static bool is_temp(const char *entry, const char *name)
{
	size_t n = strlen(entry), tail = strlen(TEMP_MARK) + TEMP_RANDOM;

	if (entry[0] != '.' || n < 1 + tail ||
		strncmp(entry + n - tail, TEMP_MARK, strlen(TEMP_MARK)) != 0)
		return false;
	return !name ||
	       (strlen(name) == n - tail - 1 && strncmp(entry + 1, name, n - tail - 1) == 0);
}

void publish_clean(const char *parent, const char *name)
{
	DIR *d = opendir(parent);
	struct dirent *en;

	while (d && (en = readdir(d))) {
		autofree char *path = NULL;

		if (!is_temp(en->d_name, name))
			continue;
		path = xasprintf("%s/%s", parent, en->d_name);
		(void)tree_remove(path, NULL);
	}
	if (d)
		closedir(d);
}

static int write_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

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

int publish_file(
	const char *dir, const char *name, const void *data, size_t len, bool sync, struct err *e)
{
	autofree char *path = xasprintf("%s/%s", dir, name);
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : write_all(fd, data, len);

	if (!r && sync && fsync(fd) < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, -r, "cannot write '%s': %s%s", path, strerror(-r),
			r == -ENOSPC || r == -EDQUOT ? "; " NEXT_STEP : "");
	return 0;
}

static int swap(const char *tmp, const char *path, struct err *e)
{
	if (renameat2(AT_FDCWD, tmp, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno == EINVAL || errno == ENOSYS || errno == EXDEV)
		return err_set(e, EOPNOTSUPP,
			"the filesystem of '%s' cannot exchange two folders: set VMDECK_HOME to a "
			"local "
			"one such as ext4, xfs, btrfs or tmpfs",
			path);
	return err_errno(e, "cannot exchange '%s' and '%s'", tmp, path);
}

int publish_dir(const char *tmp, const char *parent, const char *name, struct err *e)
{
	char path[PUBLISH_PATH_MAX];
	struct stat st;
	bool old;
	int r = path_fsync(tmp, e);

	if (r < 0)
		return r;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", parent, name) >= sizeof(path))
		return too_long(parent, name, e);
	old = lstat(path, &st) == 0;
	if (old)
		r = swap(tmp, path, e);
	else if (rename(tmp, path) < 0)
		r = err_errno(e, "cannot rename '%s' to '%s'", tmp, path);
	if (!r)
		r = path_fsync(parent, e);
	if (!r && old)
		(void)tree_remove(tmp, NULL); /* a rest goes with the next build */
	return r;
}

int publish_remove(const char *parent, const char *name, struct err *e)
{
	char path[PUBLISH_PATH_MAX], tmp[PUBLISH_PATH_MAX];
	int r = publish_temp(parent, name, tmp, e);

	if (r < 0)
		return r;
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", parent, name) >= sizeof(path))
		return too_long(parent, name, e);
	/* A folder replaces an empty one in a single step. */
	if (rename(path, tmp) < 0) {
		r = err_errno(e, "cannot remove '%s'", path);
		rmdir(tmp);
		return r;
	}
	return tree_remove(tmp, e);
}
