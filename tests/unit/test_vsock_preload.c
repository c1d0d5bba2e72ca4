// LIBS: vsock
// OBJS: backend/vsock/preload.c
/* The preload layer: this program runs itself with VMDECK_VSOCK set (the layer is linked in, so
 * that it works under sanitizers too) and looks at what ioctl does there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FD     200
#define RAM_FD 201

/* The second life of the guest's memory: what this process maps of its descriptor RAM_FD is shared
 * or private as the environment said; a second view of it ends the process. */
static int map_child(bool privately, bool twice)
{
	/* As QEMU does: a reservation, and in it the file by another descriptor. */
	int fd = open("/proc/self/fd/201", O_RDWR | O_CLOEXEC);
	char *at = mmap(NULL, 8 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), c = 0;
	char *p = mmap(at, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);

	if (fd < 0 || at == MAP_FAILED || p != at)
		return 20;
	p[5000] = 'x';
	if (pread(fd, &c, 1, 5000) != 1 || c != (privately ? 0 : 'x'))
		return 21;
	if (mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		return 22;
	if (twice)
		mmap64(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	return 0;
}

/* Runs in the child; each failed step has its own exit code. */
static int child(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	uint64_t features = 0;
	int pipes[2], n = -1, s;
	struct stat st;

	if (getenv("VMDECK_VSOCK") || getenv("LD_PRELOAD"))
		return 10;
	if (ioctl(FD, VHOST_GET_FEATURES, &features) != 0 || features == 0)
		return 11;
	if (ioctl(FD, VHOST_SET_OWNER) != 0)
		return 12;
	errno = 0;
	if (ioctl(FD, VHOST_GET_BACKEND_FEATURES, &features) != -1 || errno != ENOTTY)
		return 13;
	/* Another descriptor, another type: the kernel's. */
	if (ioctl(FD + 1, VHOST_GET_FEATURES, &features) != -1)
		return 14;
	if (pipe(pipes) < 0 || write(pipes[1], "abc", 3) != 3)
		return 15;
	if (ioctl(pipes[0], FIONREAD, &n) != 0 || n != 3)
		return 16;
	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return 17;
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(sa.sun_path, path);
	if (connect(s, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return 18;
	return 0;
}

/* The exit code of a child with that environment; what it wrote to stderr goes to text. */
static int run(const char *env, const char *path, bool with_fd, char *text, size_t text_n)
{
	int out[2], status = 0;
	size_t at = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(out[1], STDERR_FILENO);
		close(out[0]);
		close(out[1]);
		if (with_fd)
			dup2(null, FD);
		if (env)
			setenv("VMDECK_VSOCK", env, 1);
		if (strncmp(path, "map", 3) == 0) {
			int ram = memfd_create("ram", MFD_CLOEXEC);

			if (ftruncate(ram, 4 * 4096) < 0 || dup2(ram, RAM_FD) < 0)
				_exit(98);
		}
		execl("/proc/self/exe", "test_vsock_preload", "child", path, (char *)NULL);
		_exit(99);
	}
	close(out[1]);
	while (at + 1 < text_n && (n = read(out[0], text + at, text_n - 1 - at)) > 0)
		at += (size_t)n;
	text[at] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_answers_ioctls(void **state)
{
	char dir[] = "/tmp/vmdeck-preload-XXXXXX", path[80], env[128], text[1024];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a path.sock", dir);
	snprintf(env, sizeof(env), "fd=%d path=%s", FD, path);
	assert_int_equal(run(env, path, true, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	/* The name of the one that has ended is taken over. */
	assert_int_equal(run(env, path, true, text, sizeof(text)), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

static void test_nothing_without_environment(void **state)
{
	char text[1024];

	(void)state;
	/* Exit 11: the ioctl reached /dev/null. */
	assert_int_equal(run(NULL, "/nonexistent", true, text, sizeof(text)), 11);
}

static void test_errors_are_one_sentence(void **state)
{
	static const struct {
		const char *env;
		bool with_fd;
		const char *want;
	} cases[] = {
		{"", true, "must be 'fd=N [ram=N] [private=0|1] path=PATH'"},
		{"path=/tmp/x fd=200", true, "must be 'fd=N [ram=N] [private=0|1] path=PATH'"},
		{"fd=-1 path=/tmp/x", true, "must be 'fd=N [ram=N] [private=0|1] path=PATH'"},
		{"fd=x path=/tmp/x", true, "must be 'fd=N [ram=N] [private=0|1] path=PATH'"},
		{"fd=99999999999999999999 path=/tmp/x", true,
			"must be 'fd=N [ram=N] [private=0|1] path=PATH'"},
		{"fd=200 ram=x path=/tmp/x", true, "must be"},
		{"fd=200 private=1 path=/tmp/x", true, "must be"},
		{"fd=200 path=", true, "allowed are 1 to"},
		{"fd=200 ram=77 path=/tmp/vmdeck-preload-x", true, "descriptor 77: Bad file"},
		{"fd=200 ram=200 path=/tmp/vmdeck-preload-x", true, "is not a regular file"},
		{"fd=200 path=/tmp/x", false, "descriptor 200 of VMDECK_VSOCK is not open"},
		{"fd=200 path=/nonexistent/x", true, "cannot bind: No such file or directory"},
		{"fd=200 path=/tmp", true, "is no socket"},
		{"fd=200 path=/tmp/"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaa"
		 "aaaaaaaaaa",
			true, "use a shorter"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[1024], *end;

		assert_int_equal(run(cases[i].env, "x", cases[i].with_fd, text, sizeof(text)), 1);
		if (!strstr(text, cases[i].want))
			fail_msg("'%s' says: %s", cases[i].env, text);
		end = strchr(text, '\n');
		assert_non_null(end);
		assert_string_equal(end, "\n"); /* one line */
	}
}

static void test_maps_memory(void **state)
{
	static const struct {
		const char *keys, *child;
		int code;
		const char *says;
	} cases[] = {
		{"", "map-shared", 0, ""},
		{"", "map-shared-twice", 0, ""},
		{"ram=201 ", "map-shared", 0, ""},
		{"ram=201 private=0 ", "map-shared", 0, ""},
		{"ram=201 private=1 ", "map-private", 0, ""},
		{"ram=201 ", "map-shared-twice", 1, "are mapped a second time"},
		{"ram=201 private=1 ", "map-private-twice", 1, "are mapped a second time"},
	};
	char dir[] = "/tmp/vmdeck-preload-XXXXXX", path[80], env[160], text[1024];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/v.sock", dir);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(env, sizeof(env), "fd=%d %spath=%s", FD, cases[i].keys, path);
		assert_int_equal(run(env, cases[i].child, true, text, sizeof(text)), cases[i].code);
		if (!strstr(text, cases[i].says))
			fail_msg("'%s' says: %s", env, text);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_ioctls),
		cmocka_unit_test(test_nothing_without_environment),
		cmocka_unit_test(test_errors_are_one_sentence),
		cmocka_unit_test(test_maps_memory),
	};

	if (argc == 3 && strncmp(argv[2], "map", 3) == 0)
		return map_child(
			strstr(argv[2], "private") != NULL, strstr(argv[2], "twice") != NULL);
	if (argc == 3 && strcmp(argv[1], "child") == 0)
		return child(argv[2]);
	return cmocka_run_group_tests_name("vsock_preload", tests, NULL, NULL);
}
