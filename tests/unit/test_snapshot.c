/* Snapshots as wholes: made, read back, refused where they do not fit, replaced, removed, swept. */
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
#include <sys/stat.h>

#include "backend/base/file.h"
#include "tests/support/snapshot_world.h"

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

static void make(const char *name, uint64_t seed)
{
	struct err e = {0};

	if (snap_make(&world, &(struct snap_spec){.name = name, .seed = seed, .mib = 4}, &e) < 0)
		fail_msg("%s", e.msg);
}

static void assert_said(const struct err *e, const char *const *words)
{
	for (; *words; words++)
		if (!strstr(e->msg, *words))
			fail_msg("\"%s\" does not say \"%s\"", e->msg, *words);
}
#define SAYS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- made and read back --------------------------------------------------------------------- */

static void assert_private(const char *rest, mode_t mode)
{
	autofree char *path = snap_path(&world, rest);
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
}

static void is_read_back_as_it_was_made(void **state)
{
	struct snapshot_draft d;
	struct snapshot s;
	struct err e = {0};
	bool verify = true;

	(void)state;
	assert_int_equal(
		snap_draft(&world, &d, &(struct snap_spec){.name = "base", .mib = 4}, &e), 0);
	assert_int_equal(d.s.id[6] >> 4, 4);
	assert_int_equal(d.s.id[8] >> 6, 2);
	d.s.temporary = d.s.tty = d.s.drained = true;
	snprintf(d.s.parent, sizeof(d.s.parent), "older");
	memset(d.s.parent_id, 0xab, sizeof(d.s.parent_id));
	d.s.quiesce_us = 1;
	d.s.took_us = INT64_MAX;
	assert_int_equal(snapshot_draft_publish(&d, NULL, true, false, &e), 0);
	assert_null(d.dir);
	assert_int_equal(snapshot_load(&world.paths, "base", &s, &e), 0);
	assert_string_equal(s.dir, d.s.dir);
	assert_memory_equal(s.id, d.s.id, sizeof(s.id));
	assert_memory_equal(s.parent_id, d.s.parent_id, sizeof(s.parent_id));
	assert_string_equal(s.parent, "older");
	assert_string_equal(s.source_id, "0a1b2c3d");
	assert_string_equal(s.argv[2], "echo \"ä\n\"");
	assert_null(s.argv[3]);
	assert_null(s.env);
	assert_true(s.temporary && s.tty && s.drained);
	assert_true(s.created_ns == d.s.created_ns && s.took_us == INT64_MAX);
	assert_true(s.memory_ino == d.s.memory_ino && s.memory_mtime_ns == d.s.memory_mtime_ns);
	assert_int_equal(s.state_bytes, WORLD_STATE_BYTES);
	assert_true(s.memory_bytes > 0 && s.memory_bytes < 4u << 20);
	assert_int_equal(snapshot_check(&s, &snap_host, &verify, &e), 0);
	assert_false(verify);
	assert_int_equal(snapshot_verify(NULL, &s, NULL, NULL, &e), 0);
	snapshot_fini(&s);
	snapshot_draft_abandon(&d);
	assert_int_equal(snap_count(&world, "snapshots", NULL), 1);
	assert_int_equal(snap_count(&world, "snapshots/base", NULL), 4); /* no source.json */
	assert_private("snapshots/base", 0700);
	assert_private("snapshots/base/manifest.json", 0600);
	assert_private("snapshots/base/memory", 0600);
	assert_private("snapshots/base/memory.sum", 0600);
	assert_private("snapshots/base/state", 0600);
}

static void what_cannot_be_read_back_is_not_published(void **state)
{
	struct snapshot_draft d;
	struct err e = {0};

	(void)state;
	assert_int_equal(snap_draft(&world, &d, &(struct snap_spec){.name = "x", .mib = 4}, &e), 0);
	d.s.env = xcalloc(2, sizeof(*d.s.env));
	d.s.env[0] = xstrdup("A=\xff");
	assert_int_equal(snapshot_draft_publish(&d, NULL, false, false, &e), -EINVAL);
	assert_said(&e, SAYS("'x'", "cannot be written"));
	d.s.env[0][2] = 'b';
	snprintf(d.s.source_name, sizeof(d.s.source_name), "../x");
	assert_int_equal(snapshot_draft_publish(&d, NULL, false, false, &e), -EINVAL);
	assert_said(&e, SAYS("source_name"));
	snapshot_draft_abandon(&d);
	assert_int_equal(snap_count(&world, "snapshots", NULL), 0);
	snapshot_draft_abandon(&d); /* again, and zeroed */
}

static void names_are_held_to_their_form(void **state)
{
	static const char *const bad[] = {"", ".", "..", "../x", "a/b", ".creating-x", "a b", "\n"};
	struct snapshot_draft d;
	struct snapshot s;
	char *trash = NULL;

	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		assert_int_equal(snapshot_load(&world.paths, bad[i], &s, NULL), -EINVAL);
		assert_int_equal(snapshot_remove(&world.paths, bad[i], &trash, NULL), -EINVAL);
		assert_int_equal(
			snapshot_draft_begin(&d, &world.paths, bad[i], "aa", true, NULL), -EINVAL);
		assert_int_equal(
			snapshot_draft_begin(&d, &world.paths, "x", bad[i], true, NULL), -EINVAL);
	}
	assert_null(trash);
	assert_int_equal(snap_count(&world, "snapshots", NULL), 0);
}

/* ---- each ----------------------------------------------------------------------------------- */

struct list {
	char text[400];
};

static void add(void *user, const struct snapshot *s, const struct err *e)
{
	struct list *l = user;
	size_t n = strlen(l->text);

	assert_non_null(s->dir);
	snprintf(l->text + n, sizeof(l->text) - n, "%s%s ", s->name, e ? "!" : "");
	if (e)
		assert_said(e, SAYS("damaged", s->name, "vmdeck rm --snapshot"));
}

static void each_in_order_and_broken_ones_too(void **state)
{
	autofree char *broken = snap_path(&world, "snapshots/m"), *odd = NULL, *hidden = NULL;
	struct list l = {""};
	struct err e = {0};

	(void)state;
	assert_int_equal(snapshot_each(&world.paths, add, &l, &e), 0); /* no folder yet */
	make("z", 1);
	make("a", 2);
	odd = snap_path(&world, "snapshots/odd name");
	hidden = snap_path(&world, "snapshots/.creating-b-abcdef");
	assert_int_equal(mkdir(broken, 0700), 0);
	assert_int_equal(mkdir(odd, 0700), 0);
	assert_int_equal(mkdir(hidden, 0700), 0);
	assert_int_equal(snapshot_each(&world.paths, add, &l, &e), 0);
	assert_string_equal(l.text, "a m! z ");
}

static void count(void *user, const struct snapshot *s, const struct err *e)
{
	(void)s;
	(void)e;
	++*(int *)user;
}

static void each_has_a_limit(void **state)
{
	struct err e = {0};
	int n = 0;

	(void)state;
	for (int i = 0; i < SNAPSHOTS_MAX + 3; i++) {
		char rest[40];
		autofree char *path = NULL;

		snprintf(rest, sizeof(rest), "snapshots/s%04d", i);
		path = snap_path(&world, rest);
		assert_int_equal(dir_make(path, 0700, NULL), 0);
	}
	assert_int_equal(snapshot_each(&world.paths, count, &n, &e), -E2BIG);
	assert_int_equal(n, SNAPSHOTS_MAX);
	assert_said(&e, SAYS("1027", "1024"));
}

/* ---- refused where they do not fit ---------------------------------------------------------- */

static void misfits_are_refused_with_both_values(void **state)
{
	const struct {
		struct snapshot_host host;
		const char *words[4];
	} cases[] = {
		{{"firecracker", "7.2.22", "4711", 2600000, "build-1"},
			{"'base'", "qemu", "firecracker", "--vmm qemu"}},
		{{"qemu", "8.0.1", "4711", 2600000, "build-1"},
			{"'base'", "7.2.22", "8.0.1", "take the snapshot again"}},
		{{"qemu", "7.2.22", "0815", 2600000, "build-1"},
			{"'base'", "4711", "0815", "take the snapshot again"}},
		{{"qemu", "7.2.22", "4711", 2602601, "build-1"},
			{"'base'", "2600000", "2602601", "on this host"}},
		{{"qemu", "7.2.22", "4711", 2597399, "build-1"},
			{"'base'", "2600000", "2597399", "drift"}},
		{{"qemu", "7.2.22", "4711", 2600000, "build-2"},
			{"'base'", "build-1", "build-2", "'mini'"}},
		{{"qemu", "7.2.22", "4711", 2600000, NULL},
			{"'base'", "'mini'", "not here", "vmdeck image build mini"}},
	};
	struct snapshot s;
	struct err e = {0};
	bool verify = true;

	(void)state;
	make("base", 1);
	assert_int_equal(snapshot_load(&world.paths, "base", &s, &e), 0);
	for (size_t i = 0; i < countof(cases); i++) {
		assert_int_equal(snapshot_check(&s, &cases[i].host, &verify, &e), -ESTALE);
		for (size_t k = 0; k < 4; k++)
			assert_said(&e, SAYS(cases[i].words[k]));
	}
	snapshot_fini(&s);
}

static void a_little_drift_is_no_misfit(void **state)
{
	static const uint32_t fine[] = {2600000, 2602600, 2597400, 0};
	struct snapshot_host host = snap_host;
	struct snapshot s;
	struct err e = {0};
	bool verify;

	(void)state;
	make("base", 1);
	assert_int_equal(snapshot_load(&world.paths, "base", &s, &e), 0);
	for (size_t i = 0; i < countof(fine); i++) {
		host.tsc_khz = fine[i];
		assert_int_equal(snapshot_check(&s, &host, &verify, &e), 0);
	}
	snapshot_fini(&s);
}

static void check_is_quick(void **state)
{
	struct snapshot s;
	struct err e = {0};
	uint64_t best = UINT64_MAX;
	bool verify;

	(void)state;
	make("base", 1);
	for (int i = 0; i < 50; i++) {
		uint64_t start = mono_ns();

		assert_int_equal(snapshot_load(&world.paths, "base", &s, &e), 0);
		assert_int_equal(snapshot_check(&s, &snap_host, &verify, &e), 0);
		best = min_of(best, mono_ns() - start);
		snapshot_fini(&s);
	}
	print_message("load and check: %.2f ms\n", (double)best / 1e6);
	assert_true(best < 20000000); /* ten times what it may take: hosts differ, and ASan */
}

/* ---- names taken, replaced, given up -------------------------------------------------------- */

static uint64_t seed_of(const char *name)
{
	struct snapshot s;
	uint64_t seed;

	assert_int_equal(snapshot_load(&world.paths, name, &s, NULL), 0);
	seed = s.pause_us;
	snapshot_fini(&s);
	return seed;
}

static void a_taken_name_is_refused_or_replaced(void **state)
{
	struct snap_spec again = {.name = "base", .seed = 2, .mib = 4};
	struct err e = {0};

	(void)state;
	make("base", 1);
	assert_int_equal(snap_make(&world, &again, &e), -EEXIST);
	assert_said(&e, SAYS("'base'", "another name", "vmdeck rm --snapshot base"));
	assert_int_equal(seed_of("base"), 1);
	assert_int_equal(snap_count(&world, "snapshots", NULL), 1);
	again.replace = true;
	assert_int_equal(snap_make(&world, &again, &e), 0);
	assert_int_equal(seed_of("base"), 2);
	assert_int_equal(snap_good(&world, "base", &e), 0);
	assert_int_equal(snap_count(&world, "snapshots", NULL), 1);
	assert_int_equal(snap_count(&world, "trash", "base-"), 1);
	again.name = "new"; /* replace what is not there */
	assert_int_equal(snap_make(&world, &again, &e), 0);
	assert_int_equal(snap_count(&world, "trash", NULL), 1);
}

static void removed_ones_lie_in_the_trash(void **state)
{
	autofree char *trash = NULL, *second = NULL, *none = NULL, *broken = NULL;
	struct snapshot s;
	struct err e = {0};
	struct stat st;

	(void)state;
	assert_int_equal(snapshot_remove(&world.paths, "base", &none, &e), -ENOENT);
	assert_said(&e, SAYS("no snapshot 'base'", "vmdeck snapshots"));
	make("base", 1);
	assert_int_equal(snapshot_remove(&world.paths, "base", &trash, &e), 0);
	assert_int_equal(stat(trash, &st), 0);
	assert_int_equal(snapshot_load(&world.paths, "base", &s, &e), -ENOENT);
	assert_said(&e, SAYS("no snapshot 'base'", "vmdeck snapshots"));
	broken = snap_path(&world, "snapshots/base");
	assert_int_equal(mkdir(broken, 0700), 0);
	assert_int_equal(snapshot_remove(&world.paths, "base", &second, &e), 0);
	assert_string_not_equal(trash, second);
	assert_int_equal(snap_count(&world, "snapshots", NULL), 0);
	assert_int_equal(snap_count(&world, "trash", NULL), 2);
	assert_null(none);
}

/* ---- swept ---------------------------------------------------------------------------------- */

static void tell(void *user, const char *name, const char *source_id, bool running)
{
	struct list *l = user;
	size_t n = strlen(l->text);

	snprintf(l->text + n, sizeof(l->text) - n, "%s of %s%s; ", name, source_id,
		running ? " ran" : "");
}

/* A folder of a killed daemon, with this source.json. */
static void left_over(const char *name, const char *source)
{
	autofree char *rest = xasprintf("snapshots/.creating-%s", name);
	autofree char *dir = snap_path(&world, rest), *path = xasprintf("%s/source.json", dir);
	struct err e;

	assert_int_equal(dir_make(dir, 0700, &e), 0);
	if (source)
		assert_int_equal(file_write_atomic(path, source, strlen(source), 0600, &e), 0);
}

static void sweep_tells_and_removes(void **state)
{
	struct snapshot_draft d;
	struct list l = {""};
	struct err e = {0};

	(void)state;
	assert_int_equal(snapshot_sweep(&world.paths, tell, &l, &e), 0); /* no folder */
	make("base", 1);
	assert_int_equal(snapshot_draft_begin(&d, &world.paths, "one", "77aa", true, &e), 0);
	free(d.dir); /* the daemon is killed here */
	d.dir = NULL;
	snapshot_draft_abandon(&d);
	assert_int_equal(snapshot_sweep(&world.paths, tell, &l, &e), 0);
	assert_string_equal(l.text, "one of 77aa ran; ");
	assert_int_equal(snapshot_draft_begin(&d, &world.paths, "two", "77ab", false, &e), 0);
	free(d.dir);
	d.dir = NULL;
	snapshot_draft_abandon(&d);
	left_over("a-xxxxxx", NULL);
	left_over("b-xxxxxx", "{\"name\":\"b\",\"source_id\":\"../../etc\",\"running\":true}");
	left_over("c-xxxxxx", "{\"name\":\"c\",\"source_id\":");
	left_over("d-xxxxxx", "{\"name\":7,\"source_id\":\"aa\"}");
	l.text[0] = '\0';
	assert_int_equal(snapshot_sweep(&world.paths, tell, &l, &e), 0);
	assert_string_equal(l.text, "two of 77ab; ");
	assert_int_equal(snap_count(&world, "snapshots", NULL), 1);
	assert_int_equal(snap_count(&world, "trash", NULL), 0);
	assert_int_equal(snap_good(&world, "base", &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_read_back_as_it_was_made, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_cannot_be_read_back_is_not_published, setup, teardown),
		cmocka_unit_test_setup_teardown(names_are_held_to_their_form, setup, teardown),
		cmocka_unit_test_setup_teardown(each_in_order_and_broken_ones_too, setup, teardown),
		cmocka_unit_test_setup_teardown(each_has_a_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(
			misfits_are_refused_with_both_values, setup, teardown),
		cmocka_unit_test_setup_teardown(a_little_drift_is_no_misfit, setup, teardown),
		cmocka_unit_test_setup_teardown(check_is_quick, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_taken_name_is_refused_or_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(removed_ones_lie_in_the_trash, setup, teardown),
		cmocka_unit_test_setup_teardown(sweep_tells_and_removes, setup, teardown),
	};

	return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}
