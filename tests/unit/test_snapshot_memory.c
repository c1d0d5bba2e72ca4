/* Memory on disk: what the guest saw, byte for byte, and no block for zeros; by reflink where the
 * filesystem can; nothing left where there is no space. */
// LIBS: snapshot base
// OBJS: tests/support/snapshot_world.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/hash.h"
#include "tests/support/snapshot_world.h"

#define MIB (1u << 20)

static struct snap_world world;

static int setup(void **state)
{
	(void)state;
	snap_world_init(&world);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	snap_world_fini(&world);
	return 0;
}

static int begin(struct snap_world *w, struct snapshot_draft *d, uint32_t mib)
{
	struct err e = {0};

	SNAP_CHECK(snapshot_draft_begin(d, &w->paths, "base", "aa", true, &e) == 0);
	d->s.mem_mib = mib;
	return 0;
}

/* The file is the image, with 4 KiB blocks for pages that are not zero and no others; and
 * memory.sum is what anybody computes of it. exact: no block more than that (a reflink may share
 * some). */
static int same(const struct snapshot_draft *d, const uint8_t *image, bool exact)
{
	autofree char *path = snapshot_draft_path(d, "memory");
	autofree char *sum_path = snapshot_draft_path(d, "memory.sum");
	autofree uint8_t *data = NULL, *sums = NULL, *sealed = xcalloc(1, 32 + MIB);
	uint64_t used = 0, size = (uint64_t)d->s.mem_mib << 20;
	static const uint8_t zeros[MIB];
	struct stat st;
	size_t len;

	data = snap_slurp(path, &len);
	SNAP_CHECK(len == size && memcmp(data, image, len) == 0);
	for (uint64_t at = 0; at < size; at += 4096)
		used += memcmp(image + at, zeros, 4096) != 0 ? 4096 : 0;
	SNAP_CHECK(d->s.memory_bytes == used);
	SNAP_CHECK(stat(path, &st) == 0);
	if (exact)
		SNAP_CHECK((uint64_t)st.st_blocks * 512 <= used + 64 * 1024); /* its own tables */
	sums = snap_slurp(sum_path, &len);
	SNAP_CHECK(len == d->s.mem_mib * 32);
	for (uint32_t i = 0; i < d->s.mem_mib; i++) {
		uint8_t want[32] = {0};
		size_t n = 32;

		memset(sealed, 0, n);
		for (int page = 0; page < 256; page++) {
			const uint8_t *at = image + (size_t)i * MIB + (size_t)page * 4096;

			if (memcmp(at, zeros, 4096) == 0)
				continue;
			sealed[page / 8] |= (uint8_t)(1 << page % 8);
			memcpy(sealed + n, at, 4096);
			n += 4096;
		}
		if (n > 32)
			SNAP_CHECK(hash_raw(sealed, n, want, NULL) == 0);
		SNAP_CHECK(memcmp(want, sums + 32 * i, 32) == 0);
	}
	return 0;
}

/* Writes memory of this seed into a new draft and compares. */
static int round_trip(struct snap_world *w, uint64_t seed, uint32_t mib, unsigned pages,
	unsigned over, struct frozen *base)
{
	autofree uint8_t *image = xcalloc(mib, MIB);
	struct snapshot_draft d;
	struct frozen f;
	struct err e = {0};
	int r;

	if (begin(w, &d, mib))
		return 1;
	snap_frozen(&f, mib, pages, over, seed, image);
	r = snapshot_draft_memory(&d, NULL, &f, NULL, NULL, &e);
	if (r < 0)
		fprintf(stderr, "%s\n", e.msg);
	SNAP_CHECK(r == 0 && same(&d, image, true) == 0);
	if (base)
		*base = f;
	else
		frozen_fini(&f);
	snapshot_draft_abandon(&d);
	return 0;
}

static void random_memory_is_kept(void **state)
{
	struct rng r = {7};

	(void)state;
	for (int i = 0; i < 40; i++)
		assert_int_equal(round_trip(&world, rng_next(&r), 1 + rng_next(&r) % 6,
					 (unsigned)(rng_next(&r) % 500),
					 (unsigned)(rng_next(&r) % 80), NULL),
			0);
	assert_int_equal(round_trip(&world, 1, 2, 0, 0, NULL), 0);    /* nothing but a hole */
	assert_int_equal(round_trip(&world, 2, 2, 5000, 0, NULL), 0); /* nearly no hole */
}

/* The base of a clone is a file on disk; pages of zeros over its data become holes. */
static int over_a_file(struct snap_world *w, bool cloned)
{
	autofree char *path = xasprintf("%s/parent", w->paths.home);
	autofree uint8_t *image = xcalloc(8, MIB), *over = NULL;
	struct frozen_run runs[] = {{0, 4096}, {3 * MIB - 8192, 16384}, {8 * MIB - 4096, 4096}};
	struct frozen f = FROZEN_NONE;
	struct snapshot_draft d;
	struct rng r = {99};
	struct err e = {0};

	if (begin(w, &d, 8))
		return 1;
	rng_fill(&r, image, 8 * MIB);
	memset(image + 4 * MIB, 0, 3 * MIB);
	f.size = 8 * MIB;
	f.base_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	f.pages_fd = memfd_create("pages", MFD_CLOEXEC);
	SNAP_CHECK(ftruncate(f.base_fd, 8 * MIB) == 0);
	SNAP_CHECK(pwrite(f.base_fd, image, 4 * MIB, 0) == 4 * MIB);
	SNAP_CHECK(pwrite(f.base_fd, image + 7 * MIB, MIB, 7 * MIB) == MIB);
	over = xcalloc(1, 24576);
	rng_fill(&r, over + 4096, 8192); /* zeros, data, data, zeros, zeros, zeros */
	SNAP_CHECK(write(f.pages_fd, over, 24576) == 24576);
	f.runs = runs;
	f.run_count = countof(runs);
	memcpy(image, over, 4096);
	memcpy(image + 3 * MIB - 8192, over + 4096, 16384);
	memcpy(image + 8 * MIB - 4096, over + 20480, 4096);
	SNAP_CHECK(snapshot_draft_memory(&d, NULL, &f, NULL, NULL, &e) == 0);
	SNAP_CHECK(same(&d, image, !cloned) == 0);
	if (cloned) { /* holes even so */
		autofree char *memory = snapshot_draft_path(&d, "memory");
		autofd int fd = open(memory, O_RDONLY | O_CLOEXEC);

		SNAP_CHECK(lseek(fd, 0, SEEK_DATA) == 4096);
		SNAP_CHECK(lseek(fd, 4 * MIB, SEEK_DATA) == 7 * MIB);
		SNAP_CHECK(lseek(fd, 7 * MIB, SEEK_HOLE) == 8 * MIB - 4096);
	}
	f.runs = NULL;
	frozen_fini(&f);
	snapshot_draft_abandon(&d);
	return 0;
}

static void pages_over_a_file(void **state)
{
	(void)state;
	assert_int_equal(over_a_file(&world, false), 0);
}

static void large_and_sparse_is_quick(void **state)
{
	struct snapshot_draft d;
	struct frozen f;
	struct stat st;
	struct err e = {0};
	autofree char *path = NULL;
	uint64_t start;

	(void)state;
	assert_int_equal(begin(&world, &d, 8192), 0);
	snap_frozen(&f, 8192, 50, 20, 5, NULL);
	start = mono_ns();
	assert_int_equal(snapshot_draft_memory(&d, NULL, &f, NULL, NULL, &e), 0);
	print_message("8 GiB with some pages: %.1f ms\n", (double)(mono_ns() - start) / 1e6);
	assert_int_equal(fstat(f.base_fd, &st), 0);
	assert_true(st.st_blocks * 512 <= 50 * 4096); /* no hole of it was filled by reading */
	path = snapshot_draft_path(&d, "memory");
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size == INT64_C(8) << 30 && st.st_blocks * 512 < 2 << 20);
	assert_true(mono_ns() - start < UINT64_C(2000000000));
	frozen_fini(&f);
	snapshot_draft_abandon(&d);
}

/* ---- refused -------------------------------------------------------------------------------- */

static void what_is_no_memory_is_refused(void **state)
{
	struct frozen_run bad[][2] = {
		{{0, 4096}, {0, 4096}},       /* twice */
		{{8192, 4096}, {4096, 4096}}, /* backwards */
		{{0, 8192}, {4096, 4096}},    /* over one another */
		{{0, 4096}, {MIB, 4096}},     /* outside */
		{{0, 4096}, {4096, UINT64_MAX - 4095}}, {{UINT64_MAX - 4095, 8192}, {0, 4096}},
		{{0, 4096}, {5000, 4096}}, /* no page */
		{{0, 4096}, {8192, 100}}, {{0, 4096}, {8192, 0}},
		{{0, 4096}, {8192, 65536}}, /* more than there is in pages_fd */
	};
	struct snapshot_draft d;
	struct frozen f;
	struct err e = {0};

	(void)state;
	assert_int_equal(begin(&world, &d, 1), 0);
	snap_frozen(&f, 1, 5, 2, 3, NULL);
	assert_int_equal(ftruncate(f.pages_fd, 32768), 0);
	free(f.runs);
	for (size_t i = 0; i < countof(bad); i++) {
		f.runs = bad[i];
		f.run_count = 2;
		assert_int_equal(snapshot_draft_memory(&d, NULL, &f, NULL, NULL, &e), -EINVAL);
	}
	f.runs = NULL;
	f.run_count = 0;
	f.size += 4096;
	assert_int_equal(snapshot_draft_memory(&d, NULL, &f, NULL, NULL, &e), -EINVAL);
	f.size = 0;
	assert_int_equal(snapshot_draft_memory(&d, NULL, &f, NULL, NULL, &e), -EINVAL);
	frozen_fini(&f);
	assert_int_equal(snapshot_draft_memory(&d, NULL, &f, NULL, NULL, &e), -EINVAL);
	snapshot_draft_abandon(&d);
	assert_int_equal(snap_count(&world, "snapshots", NULL), 0);
}

/* ---- as a task ------------------------------------------------------------------------------ */

struct job {
	struct ev_loop *loop;
	struct task task;
	struct snapshot_draft draft;
	struct frozen memory;
	ev_async stop;
	uint64_t last, total;
	int result;
};

static void on_progress(void *user, uint64_t done, uint64_t total)
{
	struct job *j = user;

	assert_true(done >= j->last && done <= total);
	j->last = done;
	j->total = total;
	if (done >= 16 * MIB)
		ev_async_send(j->loop, &j->stop);
}

static int run_memory(struct task *t, void *arg, struct err *e)
{
	struct job *j = arg;

	for (;;) { /* until cancelled: each time a draft of its own */
		int r = snapshot_draft_memory(&j->draft, t, &j->memory, on_progress, j, e);

		if (r < 0)
			return r;
		snapshot_draft_abandon(&j->draft);
		j->last = 0;
		assert_int_equal(begin(&world, &j->draft, 64), 0);
	}
}

static void ended(void *arg)
{
	struct job *j = arg;

	snapshot_draft_abandon(&j->draft);
	j->result = 1;
}

static void on_stop(struct ev_loop *loop, ev_async *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void never(struct task *t, int r, const struct err *e)
{
	(void)t;
	fail_msg("cancelled work was told: %d %s", r, e ? e->msg : "");
}

static void cancelled_in_the_middle(void **state)
{
	struct job j = {.loop = ev_loop_new(EVFLAG_AUTO)};
	struct err e;

	(void)state;
	assert_int_equal(begin(&world, &j.draft, 64), 0);
	snap_frozen(&j.memory, 64, 8000, 0, 11, NULL);
	ev_async_init(&j.stop, on_stop);
	ev_async_start(j.loop, &j.stop);
	assert_int_equal(
		task_start(&j.task, j.loop, true, run_memory, &j, ended, never, &j, &e), 0);
	ev_run(j.loop, 0);
	task_cancel(&j.task);
	assert_int_equal(j.result, 1);
	assert_true(j.total == 64 * MIB);
	assert_int_equal(snap_count(&world, "snapshots", NULL), 0);
	frozen_fini(&j.memory);
	ev_async_stop(j.loop, &j.stop);
	ev_loop_destroy(j.loop);
}

/* ---- other filesystems ---------------------------------------------------------------------- */

static int on_btrfs(struct snap_world *w)
{
	struct snap_spec spec = {.name = "gen1", .seed = 3, .mib = 4, .durable = true};
	struct err e = {0};
	struct rng r = {17};

	if (!snap_mount_btrfs(w, w->paths.home))
		return 77;
	if (over_a_file(w, true)) /* by FICLONE */
		return 1;
	for (int i = 0; i < 10; i++)
		if (round_trip(w, rng_next(&r), 3, 200, 40, NULL))
			return 1;
	SNAP_CHECK(snap_make(w, &spec, &e) == 0 && snap_good(w, "gen1", &e) == 0);
	spec.replace = true;
	SNAP_CHECK(snap_make(w, &spec, &e) == 0 && snap_good(w, "gen1", &e) == 0);
	return umount(w->paths.home) == 0 ? 0 : 1;
}

static void reflink_where_the_filesystem_can(void **state)
{
	int code;

	(void)state;
	code = snap_child(on_btrfs, &world);
	if (code == 77) {
		print_message("no root, no loop device, or no mkfs.btrfs\n");
		skip();
	}
	assert_int_equal(code, 0);
}

static int on_small_tmpfs(struct snap_world *w)
{
	struct snap_spec small = {.name = "base", .seed = 3, .mib = 1, .replace = true};
	struct snap_spec large = {.name = "base", .seed = 4, .mib = 16, .replace = true};
	struct err e = {0};
	struct frozen f;
	struct snapshot_draft d;
	autofree char *trash = snap_path(w, "trash");
	int fails = 0;

	if (!snap_mount_tmpfs(w->paths.home, "size=3m"))
		return 77;
	SNAP_CHECK(snap_make(w, &small, &e) == 0 && snap_good(w, "base", &e) == 0);
	/* Memory that does not fit. */
	SNAP_CHECK(snapshot_draft_begin(&d, &w->paths, "base", "aa", true, &e) == 0);
	snap_frozen(&f, 16, 3000, 0, 1, NULL);
	SNAP_CHECK(snapshot_draft_memory(&d, NULL, &f, NULL, NULL, &e) == -ENOSPC);
	SNAP_CHECK(strstr(e.msg, "free some or set VMDECK_HOME") != NULL);
	snapshot_draft_abandon(&d);
	frozen_fini(&f);
	SNAP_CHECK(snap_count(w, "snapshots", NULL) == 1 && snap_good(w, "base", &e) == 0);
	/* And at each file in turn: with a page less of space every time. */
	for (int kib = 2900; kib > 600; kib -= 8) {
		char options[40];

		snprintf(options, sizeof(options), "size=%dk", kib);
		if (mount("vmdeck-test", w->paths.home, "tmpfs", MS_REMOUNT, options) < 0)
			break; /* less than is in use */
		if (snap_make(w, &large, &e) < 0)
			fails++;
		SNAP_CHECK(snap_count(w, "snapshots", NULL) == 1);
		SNAP_CHECK(snap_good(w, "base", &e) == 0);
		SNAP_CHECK(tree_remove(trash, &e) == 0);
	}
	SNAP_CHECK(fails > 5);
	return 0;
}

static void no_space_leaves_the_old_one(void **state)
{
	int code;

	(void)state;
	code = snap_child(on_small_tmpfs, &world);
	if (code == 77) {
		print_message("mounting is not allowed here\n");
		skip();
	}
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_memory_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_over_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(large_and_sparse_is_quick, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_memory_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(cancelled_in_the_middle, setup, teardown),
		cmocka_unit_test_setup_teardown(reflink_where_the_filesystem_can, setup, teardown),
		cmocka_unit_test_setup_teardown(no_space_leaves_the_old_one, setup, teardown),
	};

	return cmocka_run_group_tests_name("snapshot_memory", tests, NULL, NULL);
}
