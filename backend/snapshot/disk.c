#include "backend/snapshot/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/base/path.h"
#include "backend/base/proc.h"
#include "backend/base/str.h"
#include "backend/snapshot/sparse.h"
#include "backend/snapshot/store.h"

#define QEMU_IMG       "qemu-img"
#define QEMU_IMG_LIMIT 20000 /* ms; it takes 20 */

extern char **environ;

/* ---- qemu-img ------------------------------------------------------------------------------- */

/* With signals as a program expects them (a task's thread has all blocked), and no fd of ours. */
static int spawn(const char *program, const char *const *argv, int complaints, pid_t *ret)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&files);
	r = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&files, 0, 1);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&files, complaints, 2);
	if (!r)
		r = posix_spawn_file_actions_addclosefrom_np(&files, 3);
	if (!r)
		r = posix_spawn(ret, program, &files, &attr, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return -r;
}

/* Its status, or -ETIMEDOUT (then it was killed). The child is reaped in any case. */
static int wait_for(pid_t pid, int *ret_status)
{
	autofd int fd = pidfd_open(pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t end = mono_ns() + (uint64_t)QEMU_IMG_LIMIT * 1000000u;
	int n;

	do {
		uint64_t now = mono_ns();

		n = poll(&p, 1, fd < 0 || now >= end ? 0 : (int)((end - now) / 1000000u) + 1);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		kill(pid, SIGKILL); /* not yet waited for: the pid is still its */
	while (waitpid(pid, ret_status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return n <= 0 ? -ETIMEDOUT : 0;
}

/* First line of what it said. */
static void read_complaint(int fd, char *out, size_t n)
{
	char raw[200];
	ssize_t len = pread(fd, raw, sizeof(raw) - 1, 0);

	raw[len > 0 ? len : 0] = '\0';
	raw[strcspn(raw, "\n")] = '\0';
	str_safe(out, n, raw);
}

static int run(const char *program, const char *const *argv, const char *path, struct err *e)
{
	autofd int complaints = memfd_create("complaints", MFD_CLOEXEC);
	char text[256], what[64];
	int status = 0, r;
	pid_t pid = 0;

	if (complaints < 0)
		return err_errno(e, "cannot run " QEMU_IMG);
	r = spawn(program, argv, complaints, &pid);
	if (r < 0)
		return err_set(e, -r, "cannot run '%s': %s", program, strerror(-r));
	r = wait_for(pid, &status);
	if (r < 0)
		return err_set(e, -r, QEMU_IMG " did not end within %d s while it made '%s'",
			QEMU_IMG_LIMIT / 1000, path);
	if (status == 0)
		return 0;
	read_complaint(complaints, text, sizeof(text));
	return err_set(e, strstr(text, strerror(ENOSPC)) ? ENOSPC : EIO,
		QEMU_IMG " could not make '%s': %s, %s", path,
		proc_status_text(what, sizeof(what), status), text);
}

int disk_make_empty(const char *path, uint64_t size, struct err *e)
{
	char program[512], bytes[24];
	const char *const argv[] = {QEMU_IMG, "create", "-q", "-f", "qcow2", path, bytes, NULL};
	int r = path_program(QEMU_IMG, program, sizeof(program), e);

	if (r < 0)
		return err_wrap(e, r, "disks need the package qemu-utils");
	snprintf(bytes, sizeof(bytes), "%" PRIu64, size);
	r = run(program, argv, path, e);
	if (!r && chmod(path, 0600) < 0)
		r = err_errno(e, "cannot make '%s' private", path);
	return r;
}

/* ---- clones --------------------------------------------------------------------------------- */

int snapshot_clone_disk(const struct snapshot *s, int n, const char *dir,
	char *layers[SNAPSHOT_LAYERS_MAX], int *ret_count, struct err *e)
{
	const struct snapshot_disk *d = &s->disks[n];
	autofree char *top = xasprintf("%s/disk-%d.qcow2", dir, n);
	autofd int fd = -1;
	char file[32];
	int r;

	if (d->layers >= SNAPSHOT_LAYERS_MAX)
		return err_set(e, E2BIG,
			"snapshot '%s': disk %d has %" PRIu32
			" layers and takes no more: boot its image and take a new one",
			s->name, n, d->layers);
	snprintf(file, sizeof(file), "disk-%d.new", n);
	fd = store_open(s, file, d->fresh.bytes, NULL, NULL, e);
	if (fd < 0)
		return fd;
	r = sparse_copy(fd, top, NULL, e);
	if (r < 0) {
		if (r != -EEXIST)
			unlink(top);
		return r;
	}
	layers[0] = steal_ptr(&top);
	for (uint32_t i = 0; i < d->layers; i++)
		layers[1 + i] = store_layer(s->dir, n, d->layers - 1 - i);
	*ret_count = (int)d->layers + 1;
	return 0;
}
