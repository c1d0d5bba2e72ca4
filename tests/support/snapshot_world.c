#include "tests/support/snapshot_world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "backend/base/file.h"

#define PAGE 4096u

const struct snapshot_host snap_host = {"qemu", "7.2.22", "4711", 2600000, "build-1"};

/* Only for what a broken test setup would show. */
static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "snapshot_world: %s: %s\n", what, strerror(errno));
	abort();
}

void snap_world_init(struct snap_world *w)
{
	const char *tmp = getenv("TMPDIR");

	*w = (struct snap_world){0};
	snprintf(w->dir, sizeof(w->dir), "%s/vmdeck-snap-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	must(mkdtemp(w->dir) != NULL, w->dir);
	snprintf(w->paths.home, sizeof(w->paths.home), "%s/home", w->dir);
	must(mkdir(w->paths.home, 0700) == 0, w->paths.home);
}

void snap_world_fini(struct snap_world *w)
{
	if (w->dir[0])
		(void)tree_remove(w->dir, NULL);
	*w = (struct snap_world){0};
}

char *snap_path(const struct snap_world *w, const char *rest)
{
	return xasprintf("%s/%s", w->paths.home, rest);
}

int snap_count(const struct snap_world *w, const char *folder, const char *mark)
{
	autofree char *path = snap_path(w, folder);
	DIR *d = opendir(path);
	struct dirent *en;
	int n = 0;

	while (d && (en = readdir(d)))
		n += strcmp(en->d_name, ".") != 0 && strcmp(en->d_name, "..") != 0 &&
		     (!mark || strstr(en->d_name, mark));
	if (d)
		closedir(d);
	return n;
}

uint64_t rng_next(struct rng *r)
{
	uint64_t z = (r->x += UINT64_C(0x9e3779b97f4a7c15)); /* splitmix64 */

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

void rng_fill(struct rng *r, void *p, size_t n)
{
	uint8_t *b = p;

	for (size_t i = 0; i < n; i += 8) {
		uint64_t v = rng_next(r);

		memcpy(b + i, &v, min_of(n - i, sizeof(v)));
	}
}

/* ---- memory --------------------------------------------------------------------------------- */

static void one_page(struct rng *r, uint8_t *page)
{
	memset(page, 0, PAGE);
	if (rng_next(r) % 4 != 0)
		rng_fill(r, page, PAGE);
	else if (rng_next(r) % 2)
		page[rng_next(r) % PAGE] = 1; /* nearly zero is not zero */
}

static void add_runs(struct frozen *f, struct rng *r, unsigned over, uint8_t *image)
{
	uint64_t pages = f->size / PAGE, at = 0;
	uint8_t page[PAGE];

	f->runs = xcalloc(over, sizeof(*f->runs));
	f->pages_fd = memfd_create("pages", MFD_CLOEXEC);
	must(f->pages_fd >= 0, "memfd");
	for (unsigned i = 0; i < over; i++) {
		uint64_t len = 1 + rng_next(r) % 5;

		at += rng_next(r) % (2 * pages / over);
		if (at + len > pages)
			break;
		f->runs[f->run_count++] = (struct frozen_run){at * PAGE, len * PAGE};
		for (uint64_t k = at; k < at + len; k++) {
			one_page(r, page);
			must(write(f->pages_fd, page, PAGE) == PAGE, "pages");
			if (image)
				memcpy(image + k * PAGE, page, PAGE);
		}
		at += len;
	}
}

void snap_frozen(struct frozen *f, uint32_t mib, unsigned pages, unsigned over, uint64_t seed,
	uint8_t *image)
{
	struct rng r = {seed};
	uint8_t page[PAGE];

	*f = (struct frozen)FROZEN_NONE;
	f->size = (uint64_t)mib << 20;
	f->base_fd = memfd_create("ram", MFD_CLOEXEC);
	must(f->base_fd >= 0 && ftruncate(f->base_fd, (off_t)f->size) == 0, "memfd");
	if (image)
		memset(image, 0, f->size);
	for (unsigned i = 0; i < pages; i++) {
		uint64_t at = rng_next(&r) % (f->size / PAGE) * PAGE;

		one_page(&r, page);
		must(pwrite(f->base_fd, page, PAGE, (off_t)at) == PAGE, "memfd");
		if (image)
			memcpy(image + at, page, PAGE);
	}
	if (over)
		add_runs(f, &r, over, image);
}

/* ---- snapshots ------------------------------------------------------------------------------ */

static void write_state(const struct snapshot_draft *d, uint64_t seed)
{
	autofree char *path = snapshot_draft_path(d, "state");
	static uint8_t state[WORLD_STATE_BYTES];
	struct rng r = {seed ^ 1};
	FILE *f = fopen(path, "we");

	must(f != NULL, path);
	rng_fill(&r, state, sizeof(state));
	must(fwrite(state, 1, sizeof(state), f) == sizeof(state) && fclose(f) == 0, path);
}

static void fill(struct snapshot *s, const struct snap_spec *spec)
{
	static const char *const argv[] = {"/bin/sh", "-c", "echo \"ä\n\"", NULL};

	snprintf(s->source_name, sizeof(s->source_name), "web");
	snprintf(s->vmm, sizeof(s->vmm), "%s", snap_host.vmm);
	snprintf(s->vmm_version, sizeof(s->vmm_version), "%s", snap_host.vmm_version);
	snprintf(s->accel, sizeof(s->accel), "tcg");
	snprintf(s->machine, sizeof(s->machine), "%s", snap_host.machine);
	snprintf(s->image, sizeof(s->image), "mini");
	snprintf(s->image_build, sizeof(s->image_build), "%s", snap_host.image_build);
	s->tsc_khz = snap_host.tsc_khz;
	s->vcpus = 1;
	s->mem_mib = spec->mib;
	s->argv = xcalloc(countof(argv), sizeof(*s->argv));
	for (size_t i = 0; argv[i]; i++)
		s->argv[i] = xstrdup(argv[i]);
	s->pause_us = spec->mark ? spec->mark : spec->seed;
}

int snap_draft(
	struct snap_world *w, struct snapshot_draft *d, const struct snap_spec *spec, struct err *e)
{
	struct frozen f;
	int r = snapshot_draft_begin(d, &w->paths, spec->name, "0a1b2c3d", true, e);

	if (r < 0)
		return r;
	fill(&d->s, spec);
	write_state(d, spec->seed);
	if (spec->disk)
		r = snapshot_draft_disk(d, NULL, spec->disk, e);
	snap_frozen(&f, spec->mib, 60, 10, spec->seed, NULL);
	if (!r)
		r = snapshot_draft_memory(d, NULL, &f, NULL, NULL, e);
	frozen_fini(&f);
	if (r < 0)
		snapshot_draft_abandon(d);
	return r;
}

int snap_make(struct snap_world *w, const struct snap_spec *spec, struct err *e)
{
	struct snapshot_draft d;
	int r = snap_draft(w, &d, spec, e);

	if (r < 0)
		return r;
	r = snapshot_draft_publish(&d, NULL, spec->durable, spec->replace, e);
	snapshot_draft_abandon(&d);
	return r;
}

int snap_good(const struct snap_world *w, const char *name, struct err *e)
{
	struct snapshot s;
	bool verify;
	int r = snapshot_load(&w->paths, name, &s, e);

	if (r < 0)
		return r;
	r = snapshot_check(&s, &snap_host, &verify, e);
	if (!r)
		r = snapshot_verify(NULL, &s, NULL, NULL, e);
	snapshot_fini(&s);
	return r;
}

void snap_flip(const char *path, uint64_t offset, uint8_t mask)
{
	autofd int fd = open(path, O_RDWR | O_CLOEXEC);
	uint8_t b;

	must(fd >= 0 && pread(fd, &b, 1, (off_t)offset) == 1, path);
	b ^= mask;
	must(pwrite(fd, &b, 1, (off_t)offset) == 1, path);
}

uint8_t *snap_slurp(const char *path, size_t *ret_len)
{
	char *data = NULL;

	must(file_read(path, 64u << 20, &data, ret_len, NULL) == 0, path);
	return (uint8_t *)data;
}

/* ---- filesystems ---------------------------------------------------------------------------- */

static bool own_mounts(void)
{
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

bool snap_mount_tmpfs(const char *dir, const char *options)
{
	return own_mounts() && mount("vmdeck-test", dir, "tmpfs", 0, options) == 0;
}

static bool make_btrfs(const char *file)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (truncate(file, 512 << 20) == 0 && dup2(null, 1) >= 0 && dup2(null, 2) >= 0)
			execlp("mkfs.btrfs", "mkfs.btrfs", "-q", file, (char *)NULL);
		_exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* LO_FLAGS_AUTOCLEAR: the kernel detaches the device with its last user, also when we are killed.
 */
static bool attach(const char *file, char *dev, size_t n, int *ret_dev)
{
	autofd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	autofd int fd = open(file, O_RDWR | O_CLOEXEC);

	for (int i = 0; control >= 0 && fd >= 0 && i < 8; i++) {
		struct loop_config c = {.fd = (uint32_t)fd, .info.lo_flags = LO_FLAGS_AUTOCLEAR};
		int number = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(dev, n, "/dev/loop%d", number);
		*ret_dev = number < 0 ? -1 : open(dev, O_RDWR | O_CLOEXEC);
		if (*ret_dev < 0)
			return false;
		if (ioctl(*ret_dev, LOOP_CONFIGURE, &c) == 0)
			return true;
		close_fd(ret_dev); /* another has taken it meanwhile */
	}
	return false;
}

bool snap_mount_btrfs(const struct snap_world *w, const char *dir)
{
	autofree char *file = xasprintf("%s/btrfs.img", w->dir);
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	autofd int dev = -1;
	char name[32];

	if (fd < 0)
		return false;
	close(fd);
	return own_mounts() && make_btrfs(file) && attach(file, name, sizeof(name), &dev) &&
	       mount(name, dir, "btrfs", 0, NULL) == 0;
}

int snap_child(int (*fn)(struct snap_world *w), struct snap_world *w)
{
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(fn(w));
	must(pid > 0 && waitpid(pid, &status, 0) == pid, "fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 250;
}
