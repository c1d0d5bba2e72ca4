/* kill -9 at any moment: there is the whole old snapshot, or the whole new one, or none; what else
 * is there a sweep removes, and says of which VM it was as long as that VM may be paused. */
// LIBS: snapshot base
// OBJS: tests/support/snapshot_world.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "backend/base/file.h"
#include "tests/support/snapshot_world.h"

#define SEED  421
#define TIMED 150 /* kills at a random moment */

static struct snap_world world;
static char *disk_path;

static int setup(void **state)
{
	uint8_t block[65536];
	struct rng r = {SEED};

	(void)state;
	snap_world_init(&world);
	disk_path = snap_path(&world, "root.img");
	rng_fill(&r, block, sizeof(block));
	return file_write_atomic(disk_path, block, sizeof(block), 0600, NULL);
}

static int teardown(void **state)
{
	(void)state;
	free(disk_path);
	snap_world_fini(&world);
	return 0;
}

/* The child: takes a snapshot as a daemon does. */
static int take(uint64_t mark, bool replace)
{
	struct snapshot_disk_source src = {
		.layers = {disk_path}, .count = 1, .lowest = "raw", .size = 65536};
	struct snap_spec spec = {.name = "base",
		.seed = SEED, /* the same calls each time */
		.mark = mark,
		.mib = 2,
		.disk = &src,
		.durable = true,
		.replace = replace};
	struct err e = {0};

	return snap_make(&world, &spec, &e) < 0 ? 1 : 0;
}

static void told(void *user, const char *name, const char *source_id, bool running)
{
	int *n = user;

	++*n;
	assert_string_equal(name, "base");
	assert_string_equal(source_id, "0a1b2c3d");
	assert_true(running);
}

/* What a new daemon finds. *ret_mark: of the snapshot there, 0: none. */
static void check_after_kill(uint64_t *ret_mark)
{
	autofree char *trash = snap_path(&world, "trash");
	struct snapshot s;
	struct err e = {0};
	int n = 0;

	*ret_mark = 0;
	if (snapshot_load(&world.paths, "base", &s, &e) == 0) {
		*ret_mark = s.pause_us;
		snapshot_fini(&s);
		if (snap_good(&world, "base", &e) < 0)
			fail_msg("half a snapshot: %s", e.msg);
	} else {
		assert_non_null(strstr(e.msg, "there is no snapshot"));
	}
	if (snapshot_sweep(&world.paths, told, &n, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(n <= 1);
	assert_int_equal(snap_count(&world, "snapshots", NULL), *ret_mark != 0);
	assert_int_equal(tree_remove(trash, &e), 0);
}

static void start_empty(void)
{
	autofree char *store = snap_path(&world, "snapshots");

	assert_int_equal(tree_remove(store, NULL), 0);
}

/* ---- before each system call that changes the disk ------------------------------------------ */

static bool changes_disk(uint64_t nr, const uint64_t *args)
{
	static const long calls[] = {SYS_mkdir, SYS_rename, SYS_renameat2, SYS_link, SYS_unlink,
		SYS_unlinkat, SYS_rmdir, SYS_write, SYS_pwrite64, SYS_ftruncate, SYS_fsync,
		SYS_utimensat, SYS_copy_file_range, SYS_vfork, SYS_clone, SYS_clone3};

	for (size_t i = 0; i < countof(calls); i++)
		if ((uint64_t)calls[i] == nr)
			return true;
	return nr == SYS_openat && (args[2] & O_CREAT);
}

/* Kills a child before its nth such call; false: it had fewer, and has ended well. */
static bool kill_at_call(int n, uint64_t mark, bool replace, int *ret_calls)
{
	int status, calls = 0, sig = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		_exit(take(mark, replace));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		skip(); /* not allowed to trace */
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (;;) {
		struct __ptrace_syscall_info info;

		ptrace(PTRACE_SYSCALL, pid, NULL, sig);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			break;
		sig = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
		if (sig || ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
			info.op != PTRACE_SYSCALL_INFO_ENTRY ||
			!changes_disk(info.entry.nr, info.entry.args) || calls++ != n)
			continue;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		return true;
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	*ret_calls = calls;
	return false;
}

static void killed_at_each_call_from_nothing(void **state)
{
	int calls = 0, whole = 0;
	uint64_t mark;

	(void)state;
	for (int n = 0; kill_at_call(n, 100 + (uint64_t)n, false, &calls); n++) {
		check_after_kill(&mark);
		assert_true(mark == 0 || mark == 100 + (uint64_t)n);
		whole += mark != 0;
		start_empty();
	}
	print_message("%d calls, after %d of which the snapshot is there\n", calls, whole);
	assert_true(calls > 40 && whole > 0 && whole < calls / 2);
}

static void killed_at_each_call_over_an_old_one(void **state)
{
	uint64_t old = 1, mark;
	int calls = 0, fresh = 0;

	(void)state;
	assert_int_equal(take(old, false), 0);
	for (int n = 0; kill_at_call(n, 100 + (uint64_t)n, true, &calls); n++) {
		check_after_kill(&mark);
		assert_true(mark == old || mark == 100 + (uint64_t)n); /* never none */
		fresh += mark != old;
		old = mark;
	}
	print_message("%d calls, after %d of which it is the new one\n", calls, fresh);
	assert_true(calls > 40 && fresh > 0 && fresh < calls / 2);
}

/* ---- at random moments ---------------------------------------------------------------------- */

static void on_timer(int sig)
{
	(void)sig;
}

/* The child is killed `us` after it began; true: it was quicker. */
static bool kill_after(uint64_t us, uint64_t mark)
{
	struct timespec wait = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
	sigset_t child;
	siginfo_t info;
	int status;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		for (;;) /* one snapshot behind the other: each moment is one of some snapshot */
			if (take(mark, true) != 0)
				_exit(1);
	while (sigtimedwait(&child, &info, &wait) >= 0 && info.si_pid != pid)
		;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return !WIFSIGNALED(status);
}

static void killed_at_random_moments(void **state)
{
	struct rng r = {SEED};
	sigset_t child;
	uint64_t old = 1, mark;
	int fresh = 0;

	(void)state;
	signal(SIGCHLD, on_timer); /* not ignored: it must stay pending */
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	assert_int_equal(take(old, false), 0);
	for (int i = 0; i < TIMED; i++) {
		assert_false(kill_after(200 + rng_next(&r) % 60000, 100 + (uint64_t)i));
		check_after_kill(&mark);
		assert_true(mark == old || mark == 100 + (uint64_t)i);
		fresh += mark != old;
		old = mark;
	}
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	print_message("seed %d: %d kills, %d behind a new one\n", SEED, TIMED, fresh);
	assert_true(fresh > 0 && fresh < TIMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_each_call_from_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			killed_at_each_call_over_an_old_one, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_at_random_moments, setup, teardown),
	};

	return cmocka_run_group_tests_name("snapshot_kill", tests, NULL, NULL);
}
