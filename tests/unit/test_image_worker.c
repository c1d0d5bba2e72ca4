/* apt as the kernel's source, and the worker process: what they say, how they stop. */
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
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/base/jsonx.h"
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

/* ---- apt --------------------------------------------------------------------------------------
 */

#define APT_CACHE                                                                                  \
	"case \"$*\" in\n"                                                                         \
	"*linux-image-cloud-amd64) echo 'Package: x'; echo 'Depends: linux-image-" FAKE_RELEASE    \
	" (= 6.1.9-1)';;\n"                                                                        \
	"*) printf 'Version: 6.1.9-1\\nSize: %s\\nSHA256: %s\\n' $(stat -c %s \"$DEB\") abc;;\n"   \
	"esac"

static void use_apt(const char *cache, const char *get)
{
	unsetenv("VMDECK_KERNEL_DEB");
	setenv("DEB", world.deb, 1);
	world_script(&world, "apt-cache", cache);
	world_script(&world, "apt-get", get);
}

static void apt_without_lists_says_what_to_do(void **state)
{
	(void)state;
	use_apt("echo 'E: No packages found' >&2; exit 100", "exit 100");
	world_refused(&world, -ENOENT, "run 'apt-get update' as root, or set VMDECK_KERNEL_DEB");
	use_apt("echo 'Package: x'", "exit 100");
	world_refused(&world, -ENOENT, "depends on no kernel");
	use_apt("printf 'Depends: linux-image-../../x\\n'", "exit 100");
	world_refused(&world, -EINVAL, "kernel release");
	unlink(world.deb);
}

static void apt_downloads_and_fails(void **state)
{
	struct err e;

	(void)state;
	use_apt(APT_CACHE, "echo 'E: Failed to fetch: 404  Not Found' >&2; exit 100");
	world_refused(&world, -EIO, "404  Not Found; run 'apt-get update'");
	use_apt(APT_CACHE, "exit 0");
	world_refused(&world, -EIO, "apt-get did not leave");
	use_apt(APT_CACHE, "cp \"$DEB\" linux-image-" FAKE_RELEASE "_6.1.9-1_amd64.deb");
	assert_int_equal(world_build(&world, false, &e), 0);
	world_check_good(&world);
	/* The kernel is here: neither a download nor, without lists, apt is needed. */
	use_apt(APT_CACHE, "exit 100");
	assert_int_equal(world_build(&world, true, &e), 0);
	use_apt("exit 100", "exit 100");
	assert_int_equal(world_build(&world, true, &e), 0);
	world_check_good(&world);
}

struct growth {
	int between; /* reports of a part of the download */
	const char *told;
};

static void on_growth(void *user, const char *step, uint64_t done, uint64_t total)
{
	struct growth *g = user;

	if (strcmp(step, "download") == 0 && done > 0 && done < total) {
		g->between++;
		fake_text(g->told, "");
	}
}

/* apt-get writes small parts until one was told, then the rest. */
static void download_is_told_as_it_grows(void **state)
{
	autofree char *told = world_path(&world, "told"), *script = NULL;
	struct growth g = {0, told};
	struct err e = {0};

	(void)state;
	script =
		xasprintf("f=linux-image-" FAKE_RELEASE "_6.1.9-1_amd64.deb; n=0\n"
			  "while [ ! -e %s ] && [ $n -lt 100000 ]; do echo >>$f; n=$((n+1)); done\n"
			  "cp \"$DEB\" $f",
			told);
	use_apt(APT_CACHE, script);
	assert_int_equal(image_build(&world.paths, "mini", false, on_growth, &g, &e), 0);
	assert_true(g.between > 0);
	world_check_good(&world);
}

/* ---- worker -----------------------------------------------------------------------------------
 */

struct worker {
	pid_t pid;
	int pidfd;
	FILE *out;
};

static void worker_start(struct worker *w, const char *name, const char *option)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	fflush(NULL);
	w->pid = fork();
	if (w->pid == 0) {
		char *argv[] = {(char *)(uintptr_t) "vmdeckd", (char *)(uintptr_t) "--worker",
			(char *)(uintptr_t) "image-build", (char *)(uintptr_t)name,
			(char *)(uintptr_t)option, NULL};

		dup2(fds[1], 1);
		close(fds[0]);
		close(fds[1]);
		_exit(image_worker_main(name ? option ? 5 : 4 : 3, argv));
	}
	close(fds[1]);
	w->out = fdopen(fds[0], "r");
	w->pidfd = world_pidfd(w->pid);
}

/* The next line as JSON, or NULL at the end. */
static struct json_object *worker_line(struct worker *w)
{
	struct json_object *o = NULL;
	char line[600];

	if (!fgets(line, sizeof(line), w->out))
		return NULL;
	assert_int_equal(jsonx_parse(line, strlen(line), &o, NULL), 0);
	return o;
}

/* Reads to the end; *ret_last (caller's) is the last line. */
static int worker_end(struct worker *w, struct json_object **ret_last)
{
	struct json_object *o;

	*ret_last = NULL;
	while ((o = worker_line(w))) {
		json_object_put(*ret_last);
		*ret_last = o;
	}
	fclose(w->out);
	return world_wait(w->pid, w->pidfd);
}

static void worker_tells_json(void **state)
{
	autojson struct json_object *first = NULL, *last = NULL, *error = NULL, *use = NULL;
	struct worker w;

	(void)state;
	worker_start(&w, "mini", NULL);
	first = worker_line(&w);
	assert_string_equal(jsonx_str(first, "step"), "lock");
	assert_int_equal(jsonx_int(first, "total", -1), 1);
	assert_int_equal(worker_end(&w, &last), 0);
	assert_true(jsonx_bool(last, "ok", false));
	world_check_good(&world);
	worker_start(&w, "nonesuch", "--force");
	assert_int_equal(worker_end(&w, &error), 1);
	assert_non_null(strstr(jsonx_str(error, "error"), "cannot build image 'nonesuch'"));
	worker_start(&w, "mini", "--what");
	assert_int_equal(worker_end(&w, &use), 2);
	assert_non_null(strstr(jsonx_str(use, "error"), "usage"));
}

/* dpkg-deb says that it runs and then waits for ever when it is to unpack. */
static char *hold_unpack(void)
{
	char *fifo = world_path(&world, "held");
	autofree char *script = xasprintf("case $1 in\n--fsys-tarfile) echo held >%s; exec sleep "
					  "1000;;\n*) exec /usr/bin/dpkg-deb \"$@\";;\nesac",
		fifo);

	assert_int_equal(mkfifo(fifo, 0600), 0);
	world_script(&world, "dpkg-deb", script);
	return fifo;
}

static void wait_held(const char *fifo)
{
	autofd int fd = open(fifo, O_RDWR | O_CLOEXEC);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, WORLD_DEADLINE_MS), 1);
}

static void worker_stops_in_order_by_signal(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
	autofree char *fifo = hold_unpack();

	(void)state;
	for (size_t i = 0; i < countof(signals); i++) {
		autojson struct json_object *last = NULL;
		struct worker w;

		worker_start(&w, "mini", NULL);
		wait_held(fifo);
		assert_int_equal(world_temps(&world), 1);
		kill(w.pid, signals[i]);
		assert_int_equal(worker_end(&w, &last), 1);
		assert_non_null(strstr(jsonx_str(last, "error"), "stopped by a signal"));
		assert_int_equal(world_temps(&world), 0);
	}
}

/* The worker's parent is killed: the worker tidies up and ends, which closes its stdout. */
static void worker_stops_when_its_parent_dies(void **state)
{
	autofree char *fifo = hold_unpack();
	int out[2], status;
	struct pollfd p;
	char text[4096];
	pid_t parent;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	fflush(NULL);
	parent = fork();
	if (parent == 0) {
		char *argv[] = {
			(char *)(uintptr_t) "image-build", (char *)(uintptr_t) "mini", NULL};

		if (fork() == 0) {
			dup2(out[1], 1);
			close(out[1]);
			_exit(image_worker_main(2, argv));
		}
		close(out[1]);
		for (;;)
			pause();
	}
	close(out[1]);
	wait_held(fifo);
	assert_int_equal(world_temps(&world), 1);
	kill(parent, SIGKILL);
	assert_int_equal(waitpid(parent, &status, 0), parent);
	p = (struct pollfd){.fd = out[0], .events = POLLIN};
	while (poll(&p, 1, WORLD_DEADLINE_MS) == 1 && read(out[0], text, sizeof(text)) > 0)
		;
	close(out[0]);
	assert_int_equal(world_temps(&world), 0);
}

static void worker_stops_when_nobody_reads(void **state)
{
	autofree char *fifo = world_path(&world, "held"), *script = NULL;
	autofd int fd = -1;
	struct worker w;

	(void)state;
	/* dpkg-deb unpacks when the reader is gone. */
	assert_int_equal(mkfifo(fifo, 0600), 0);
	script = xasprintf("case $1 in --fsys-tarfile) read line <%s;; esac\n"
			   "exec /usr/bin/dpkg-deb \"$@\"",
		fifo);
	world_script(&world, "dpkg-deb", script);
	fd = open(fifo, O_RDWR | O_CLOEXEC);
	worker_start(&w, "mini", NULL);
	json_object_put(worker_line(&w));
	fclose(w.out);
	assert_int_equal(write(fd, "go\n", 3), 3);
	assert_int_equal(world_wait(w.pid, w.pidfd), 1);
	assert_int_equal(world_temps(&world), 0);
	assert_false(world_check_whole(&world));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(apt_without_lists_says_what_to_do),
		T(apt_downloads_and_fails),
		T(download_is_told_as_it_grows),
		T(worker_tells_json),
		T(worker_stops_in_order_by_signal),
		T(worker_stops_when_its_parent_dies),
		T(worker_stops_when_nobody_reads),
	};

	return cmocka_run_group_tests_name("image_worker", tests, NULL, NULL);
}
