// LIBS: rpc events api base
// OBJS: tests/support/looptest.c tests/support/linetest.c tests/support/rpcfake.c
/* Starting the daemon on demand. Its program is a script that runs this test program as a daemon,
 * in the way that the environment variable FAKE_MODE asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/api/client.h"
#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "tests/support/linetest.h"
#include "tests/support/rpcfake.h"

static struct api_client *c;

static void make_program(const char *self)
{
	autofree char *text = xasprintf("#!/bin/sh\n"
					"echo \"$*\" >> '%s/starts'\n"
					"echo 'said on standard output'\n"
					"echo 'said on standard error' >&2\n"
					"exec '%s' --fake \"$@\"\n",
		t_dir, self);

	assert_int_equal(dir_make(t_path("libexec"), 0700, NULL), 0);
	assert_int_equal(
		file_write_atomic(t_path("libexec/vmdeckd"), text, strlen(text), 0700, NULL), 0);
	setenv("VMDECK_LIBEXEC", t_path("libexec"), 1);
}

static int setup(void **state)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	t_setup(state);
	self[n] = '\0';
	fake_home(t_dir);
	rmdir(t_path("home"));
	rmdir(t_path("run"));
	setenv("FAKE_MODE", "serve", 1);
	make_program(self);
	return 0;
}

static int teardown(void **state)
{
	api_close(c);
	c = NULL;
	return t_teardown(state);
}

static int starts(void)
{
	autofree char *text = NULL;
	int n = 0;

	if (file_read(t_path("starts"), 65536, &text, NULL, NULL) < 0)
		return 0;
	for (char *p = text; *p; p++)
		n += *p == '\n';
	return n;
}

static void log_has(const char *text)
{
	autofree char *log = NULL;

	assert_int_equal(file_read(t_path("home/daemon.log"), 65536, &log, NULL, NULL), 0);
	if (!strstr(log, text))
		fail_msg("the log has no '%s': %s", text, log);
}

/* A daemon that ends closes its connections first and its socket last: who dials in between waits
 * in its backlog, and meets the end of file once the socket file has gone (rpc.h). */
static void wait_for_end_of_socket(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte;

	strcpy(a.sun_path, t_path("run/daemon.sock"));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		assert_true(read(fd, &byte, 1) <= 0);
	assert_int_equal(access(a.sun_path, F_OK), -1);
}

static void stop(void)
{
	assert_int_equal(api_call_wait(c, "daemon.stop", NULL, 30, NULL, NULL), 0);
	assert_int_equal(api_call_wait(c, "vm.ping", NULL, 30, NULL, NULL), -EPIPE);
	api_close(c);
	c = NULL;
	wait_for_end_of_socket();
}

static void open_client(double timeout)
{
	struct api_opts opts = {.client = "test", .timeout = timeout};
	struct err e;

	if (api_open(&c, t_loop, &opts, &e) < 0)
		fail_msg("%s", e.msg);
}

static void test_start(void **state)
{
	struct json_object *o = NULL;
	struct stat st;

	(void)state;
	open_client(30);
	assert_int_equal(starts(), 1);
	assert_int_equal(stat(t_path("home"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	log_has("said on standard output");
	log_has("said on standard error");
	/* A session of its own, no descriptor of ours; not our child. */
	assert_int_equal(api_call_wait(c, "image.list", NULL, 30, &o, NULL), 0);
	assert_int_equal(jsonx_int(o, "session", 0), jsonx_int(o, "pid", 1));
	assert_in_range(jsonx_int(o, "fds", 0), 5, 16);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	json_object_put(o);
	/* The next one finds it. */
	api_close(c);
	open_client(30);
	assert_int_equal(starts(), 1);
	stop();
	/* After its end a new one is started; the old socket file may be there. */
	close(t_listen(t_path("run/daemon.sock")));
	open_client(30);
	assert_int_equal(starts(), 2);
	stop();
}

/* Eight at once, one daemon. */
static void test_many_starters(void **state)
{
	pid_t pids[8];
	int status;

	(void)state;
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
			struct api_opts opts = {.timeout = 60};
			struct api_client *mine;
			struct err e;

			if (api_open(&mine, loop, &opts, &e) < 0) {
				fprintf(stderr, "%s\n", e.msg);
				_exit(1);
			}
			_exit(api_call_wait(mine, "vm.list", NULL, 60, NULL, NULL) ? 2 : 0);
		}
	}
	for (int i = 0; i < 8; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(starts(), 1);
	open_client(30);
	stop();
}

static void fails(const char *mode, int code, const char *text)
{
	struct api_opts opts = {.timeout = strcmp(mode, "hang") ? 30 : 0.5};
	struct err e;

	setenv("FAKE_MODE", mode, 1);
	assert_int_equal(api_open(&c, t_loop, &opts, &e), code);
	if (!strstr(e.msg, text))
		fail_msg("'%s' has no '%s'", e.msg, text);
}

static void test_failures(void **state)
{
	struct err e;

	(void)state;
	fails("sentence", -EIO, "vmdeckd did not start: no space left for the database");
	fails("mute", -EIO, "ended before it was ready (exit 7)");
	fails("crash", -EIO, "killed by signal 6");
	fails("hang", -ETIMEDOUT, "was not ready within 0.5 s");
	assert_int_equal(starts(), 4);
	assert_int_equal(access(t_path("run/daemon.sock"), F_OK), -1);
	/* No program, or one that cannot be run. */
	assert_int_equal(chmod(t_path("libexec/vmdeckd"), 0600), 0);
	fails("serve", -EIO, "cannot run");
	unlink(t_path("libexec/vmdeckd"));
	assert_int_equal(api_open(&c, t_loop, NULL, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "cannot start vmdeckd"));
	assert_int_equal(
		api_open(&c, t_loop, &(struct api_opts){.no_start = true}, &e), -ECONNREFUSED);
}

static void test_bad_places(void **state)
{
	struct err e;

	(void)state;
	setenv("VMDECK_RUNTIME", "relative", 1);
	assert_int_equal(api_open(&c, t_loop, NULL, &e), -EINVAL);
	setenv("VMDECK_RUNTIME",
		"/tmp/"
		"a-folder-with-a-name-that-is-so-long-that-no-socket-in-it-could-ever-be-bound-"
		"because-of-the-limit",
		1);
	assert_int_equal(api_open(&c, t_loop, NULL, &e), -ENAMETOOLONG);
	setenv("VMDECK_RUNTIME", t_path("file"), 1);
	close(open(t_path("file"), O_CREAT | O_WRONLY, 0600));
	assert_true(api_open(&c, t_loop, NULL, &e) < 0);
	assert_int_equal(starts(), 0);
}

/* The log of a daemon that was started before is kept, but not for ever. */
static void test_log_rotation(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(dir_make(t_path("home"), 0700, NULL), 0);
	fd = open(t_path("home/daemon.log"), O_CREAT | O_WRONLY, 0600);
	assert_int_equal(ftruncate(fd, 5 << 20), 0);
	close(fd);
	open_client(30);
	stop();
	assert_int_equal(stat(t_path("home/daemon.log.1"), &st), 0);
	assert_int_equal(st.st_size, 5 << 20);
	log_has("said on");
}

/* ---- the daemon's side ----------------------------------------------------------------------- */

static int fake_daemon(int argc, char **argv)
{
	const char *mode = getenv("FAKE_MODE");
	int fd = argc == 4 && !strcmp(argv[2], "--ready-fd") ? atoi(argv[3]) : -1;

	if (fd < 0)
		return 64;
	if (!strcmp(mode, "sentence"))
		dprintf(fd, "no space left for the database\n");
	else if (!strcmp(mode, "mute"))
		return 7;
	else if (!strcmp(mode, "crash"))
		kill(getpid(), SIGABRT);
	else if (!strcmp(mode, "hang"))
		alarm(1); /* nobody waits for it: it ends by itself */
	else
		return fake_main(fd);
	if (!strcmp(mode, "hang"))
		pause();
	return 1;
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(test_start),
		T(test_many_starters),
		T(test_failures),
		T(test_bad_places),
		T(test_log_rotation),
	};

	if (argc > 1 && !strcmp(argv[1], "--fake"))
		return fake_daemon(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
