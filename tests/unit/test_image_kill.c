/* Builders that are killed, meet each other or run out of space: the image is whole or not there,
 * and the next builder leaves a good one and nothing else (fcvm's first bug). */
// LIBS: image base
// OBJS: tests/support/image_fake.c tests/support/image_world.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/base/file.h"
#include "tests/support/image_world.h"

static struct world world;

static int setup(void **state)
{
	(void)state;
	world_init(&world);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&world);
	return 0;
}

static void build_well(void)
{
	struct builder b;

	builder_start(&b, &world, false, false);
	assert_int_equal(builder_end(&b, NULL), 0);
	world_check_good(&world);
}

/* ---- kill -9 at each step ---------------------------------------------------------------------
 */

/* Kills a builder when it tells its nth step; false when it has fewer. */
static bool kill_at_line(int n, bool force, char *line, size_t size)
{
	struct builder b;

	builder_start(&b, &world, force, true);
	for (int i = 0; builder_line(&b, line, size); i++) {
		assert_int_not_equal(strncmp(line, "error", 5), 0);
		if (i == n) {
			builder_kill(&b);
			return true;
		}
		builder_go(&b);
	}
	assert_int_equal(builder_end(&b, NULL), 0);
	return false;
}

static void killed_at_each_step_from_nothing(void **state)
{
	static const char *const all[] = {"lock", "lookup", "download", "extract", "vmlinux",
		"modules", "initramfs", "publish"};
	unsigned seen = 0;
	char line[100];
	int n = 0;

	(void)state;
	for (;; n++) {
		world_empty(&world);
		if (!kill_at_line(n, false, line, sizeof(line)))
			break;
		for (size_t i = 0; i < countof(all); i++)
			if (strncmp(line, all[i], strlen(all[i])) == 0)
				seen |= 1u << i;
		/* Only the last line comes when the image is in its place. */
		assert_int_equal(world_check_whole(&world), strcmp(line, "publish 1 1") == 0);
		build_well();
	}
	assert_int_equal(seen, (1u << countof(all)) - 1);
	world_check_good(&world);
}

static void killed_at_each_step_over_an_old_image(void **state)
{
	char line[100], mark[32];

	(void)state;
	build_well();
	for (int n = 0;; n++) {
		snprintf(mark, sizeof(mark), "agent of round %d", n);
		fake_agent_file(world.dir, mark); /* what is there is stale now */
		if (!kill_at_line(n, true, line, sizeof(line)))
			break;
		assert_true(world_check_whole(&world));
		build_well();
	}
	world_check_good(&world);
}

/* ---- kill -9 before each system call that changes the disk ------------------------------------
 */

static bool changes_disk(uint64_t nr, const uint64_t *args)
{
	static const long calls[] = {SYS_mkdir, SYS_rename, SYS_renameat2, SYS_link, SYS_linkat,
		SYS_unlink, SYS_unlinkat, SYS_rmdir, SYS_fsync, SYS_flock};

	for (size_t i = 0; i < countof(calls); i++)
		if ((uint64_t)calls[i] == nr)
			return true;
	return nr == SYS_openat && (args[2] & O_CREAT);
}

static pid_t start_traced(bool force)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct err e = {0};

		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		raise(SIGSTOP);
		_exit(image_build(&world.paths, "mini", force, NULL, NULL, &e) < 0 ? 1 : 0);
	}
	return pid;
}

/* Runs a builder and kills it before its nth call that changes the disk. false: it had fewer and
 * has ended well. -1 as n never kills; *ret_calls counts. */
static bool kill_at_call(int n, bool force, int *ret_calls)
{
	pid_t pid = start_traced(force);
	int status, calls = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status))
		skip(); /* not allowed to trace */
	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	for (int sig = 0;;) {
		struct __ptrace_syscall_info info;

		ptrace(PTRACE_SYSCALL, pid, NULL, sig);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status))
			break;
		sig = WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status);
		if (sig || ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
			info.op != PTRACE_SYSCALL_INFO_ENTRY ||
			!changes_disk(info.entry.nr, info.entry.args))
			continue;
		if (calls++ != n)
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
	int calls = 0;

	(void)state;
	for (int n = 0;; n++) {
		world_empty(&world);
		if (!kill_at_call(n, false, &calls))
			break;
		(void)world_check_whole(&world);
		build_well();
	}
	assert_true(calls > 20);
}

static void killed_at_each_call_over_an_old_image(void **state)
{
	char mark[32];
	int calls = 0;

	(void)state;
	build_well();
	for (int n = 0;; n++) {
		snprintf(mark, sizeof(mark), "agent of call %d", n);
		fake_agent_file(world.dir, mark);
		if (!kill_at_call(n, true, &calls))
			break;
		assert_true(world_check_whole(&world));
		build_well();
	}
	assert_true(calls > 5);
	world_check_good(&world);
}

/* ---- several at once --------------------------------------------------------------------------
 */

static void many_at_once_make_one(void **state)
{
	struct builder b[4];
	int made = 0, waited = 0;
	char line[100];

	(void)state;
	/* The first holds the lock until the others have said that they wait. */
	builder_start(&b[0], &world, false, true);
	assert_true(builder_line(&b[0], line, sizeof(line)));
	assert_string_equal(line, "lock 1 1");
	for (int i = 1; i < 4; i++) {
		builder_start(&b[i], &world, false, false);
		assert_true(builder_line(&b[i], line, sizeof(line)));
		waited += strcmp(line, "lock 0 1") == 0;
	}
	assert_int_equal(waited, 3);
	builder_go(&b[0]);
	for (int i = 0; i < 4; i++) {
		int n = 0;

		assert_int_equal(builder_end(&b[i], &n), 0);
		made += n;
	}
	assert_int_equal(made, 1);
	world_check_good(&world);
}

static void waiter_takes_over_from_a_killed_one(void **state)
{
	struct builder first, second;
	char line[100];
	int made = 0;

	(void)state;
	builder_start(&first, &world, false, true);
	while (builder_line(&first, line, sizeof(line)) && strcmp(line, "publish 0 1") != 0)
		builder_go(&first);
	builder_start(&second, &world, false, false);
	assert_true(builder_line(&second, line, sizeof(line)));
	assert_string_equal(line, "lock 0 1");
	builder_kill(&first);
	assert_int_equal(builder_end(&second, &made), 0);
	assert_int_equal(made, 1);
	world_check_good(&world);
}

/* A reader sees a whole image at any moment of ten rebuilds. */
static void readers_never_see_a_half(void **state)
{
	struct image im;
	struct err e;
	int looks = 0;

	(void)state;
	build_well();
	for (int i = 0; i < 10; i++) {
		struct builder b;
		siginfo_t info = {0};

		builder_start(&b, &world, true, false);
		while (waitid(P_PID, (id_t)b.pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
			info.si_pid == 0) {
			assert_int_equal(image_load(&world.paths, "mini", &im, &e), 0);
			looks++;
		}
		assert_int_equal(builder_end(&b, NULL), 0);
	}
	assert_true(looks > 10);
	world_check_good(&world);
}

/* ---- no space ---------------------------------------------------------------------------------
 */

/* A filesystem of its own for the home, in a mount namespace of its own: false when not allowed. */
static bool mount_home(const char *options)
{
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return false;
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return mount("vmdeck-test", world.paths.home, "tmpfs", 0, options) == 0;
}

static void fill_up(void *user, const char *step, uint64_t done, uint64_t total)
{
	const char *at = user;
	char options[64];
	struct statvfs v;

	(void)done;
	(void)total;
	if (strcmp(step, at) != 0 || statvfs(world.paths.home, &v) < 0)
		return;
	snprintf(options, sizeof(options), "size=%llu",
		(unsigned long long)(v.f_blocks - v.f_bfree) * v.f_frsize);
	(void)mount("vmdeck-test", world.paths.home, "tmpfs", MS_REMOUNT, options);
}

/* Exit code of a child: 0 good, 77 not allowed, else the line of what went wrong. */
#define CHECK(x)                                                                                   \
	do {                                                                                       \
		if (!(x))                                                                          \
			return __LINE__ % 250;                                                     \
	} while (0)

static int no_space_child(void)
{
	static const char *const steps[] = {"download", "vmlinux", "modules", "initramfs"};
	struct err e = {0};

	if (!mount_home("size=8m"))
		return 77;
	CHECK(image_build(&world.paths, "mini", false, NULL, NULL, &e) == -ENOSPC);
	CHECK(strstr(e.msg, "needed") && strstr(e.msg, "free") && strstr(e.msg, world.paths.home));
	CHECK(world_temps(&world) == 0);
	for (size_t i = 0; i < countof(steps); i++) {
		char at[16];

		CHECK(mount("vmdeck-test", world.paths.home, "tmpfs", MS_REMOUNT, "size=400m") ==
			0);
		CHECK(tree_remove(world.paths.home, NULL) <
			0); /* it is a mount; its content goes */
		snprintf(at, sizeof(at), "%s", steps[i]);
		CHECK(image_build(&world.paths, "mini", true, fill_up, at, &e) == -ENOSPC);
		CHECK(strstr(e.msg, "No space left") && strstr(e.msg, "VMDECK_HOME"));
		CHECK(world_temps(&world) == 0);
		CHECK(image_load(&world.paths, "mini", &(struct image){0}, &e) == -ENOENT);
	}
	CHECK(mount("vmdeck-test", world.paths.home, "tmpfs", MS_REMOUNT, "size=400m") == 0);
	CHECK(image_build(&world.paths, "mini", false, NULL, NULL, &e) == 0);
	return 0;
}

static void no_space_leaves_nothing(void **state)
{
	int code;
	pid_t pid;

	(void)state;
	assert_int_equal(dir_make(world.paths.home, 0700, NULL), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(no_space_child());
	code = world_wait(pid, world_pidfd(pid));
	if (code == 77)
		skip();
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_each_step_from_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			killed_at_each_step_over_an_old_image, setup, teardown),
		cmocka_unit_test_setup_teardown(killed_at_each_call_from_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			killed_at_each_call_over_an_old_image, setup, teardown),
		cmocka_unit_test_setup_teardown(many_at_once_make_one, setup, teardown),
		cmocka_unit_test_setup_teardown(
			waiter_takes_over_from_a_killed_one, setup, teardown),
		cmocka_unit_test_setup_teardown(readers_never_see_a_half, setup, teardown),
		cmocka_unit_test_setup_teardown(no_space_leaves_nothing, setup, teardown),
	};

	return cmocka_run_group_tests_name("image_kill", tests, NULL, NULL);
}
