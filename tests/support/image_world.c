#include "tests/support/image_world.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backend/base/file.h"

void world_init(struct world *w)
{
	struct fake_package p = {.dir = w->dir};
	autofree char *libexec = NULL;

	memset(w, 0, sizeof(*w));
	snprintf(w->dir, sizeof(w->dir), "/tmp/vmdeck-image-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->path = xstrdup(getenv("PATH"));
	snprintf(w->paths.home, sizeof(w->paths.home), "%s/home", w->dir);
	fake_agent_file(w->dir, "agent 1");
	w->deb = fake_deb(&p);
	libexec = xasprintf("%s/libexec", w->dir);
	setenv("VMDECK_HOME", w->paths.home, 1);
	setenv("VMDECK_LIBEXEC", libexec, 1);
	setenv("VMDECK_KERNEL_DEB", w->deb, 1);
}

void world_fini(struct world *w)
{
	setenv("PATH", w->path, 1);
	assert_int_equal(tree_remove(w->dir, NULL), 0);
	free(w->deb);
	free(w->path);
}

char *world_path(const struct world *w, const char *tail)
{
	return xasprintf("%s/%s", w->dir, tail);
}

void world_script(const struct world *w, const char *name, const char *script)
{
	autofree char *path = xasprintf("%s/bin/%s", w->dir, name);
	autofree char *text = xasprintf("#!/bin/sh\n%s\n", script);
	autofree char *all = xasprintf("%s/bin:%s", w->dir, w->path);

	fake_text(path, text);
	setenv("PATH", all, 1);
}

void world_empty(struct world *w)
{
	assert_int_equal(tree_remove(w->paths.home, NULL), 0);
}

static int temps_in(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *en;
	int n = 0;

	while (d && (en = readdir(d)))
		n += strstr(en->d_name, ".tmp-") != NULL;
	if (d)
		closedir(d);
	return n;
}

int world_temps(const struct world *w)
{
	autofree char *images = xasprintf("%s/images", w->paths.home);
	autofree char *kernels = xasprintf("%s/kernels", w->paths.home);

	return temps_in(images) + temps_in(kernels);
}

static void check_content(const struct world *w, const struct image *im)
{
	autofree uint8_t *elf = fake_elf(FAKE_VMLINUX, 62, true);
	autofree char *vmlinux = NULL, *initrd = NULL, *agent = NULL;
	autofree char *agent_path = xasprintf("%s/libexec/vmdeck-agent", w->dir);
	size_t len, agent_len;

	assert_int_equal(file_read(im->kernel, 64u << 20, &vmlinux, &len, NULL), 0);
	assert_int_equal(len, FAKE_VMLINUX);
	assert_memory_equal(vmlinux, elf, len);
	assert_int_equal(file_read(agent_path, 1 << 20, &agent, &agent_len, NULL), 0);
	assert_int_equal(file_read(im->initrd, 64u << 20, &initrd, &len, NULL), 0);
	assert_memory_equal(initrd, "070701", 6);
	assert_non_null(memmem(initrd, len, "TRAILER!!!", 11));
	assert_non_null(memmem(initrd, len, "vmw_vsock_virtio_transport.ko", 29));
}

bool world_check_whole(const struct world *w)
{
	struct image im;
	struct err e = {0};
	int r = image_load(&w->paths, "mini", &im, &e);

	if (r < 0) {
		if (r != -ENOENT)
			print_error("%s\n", e.msg);
		assert_int_equal(r, -ENOENT);
		return false;
	}
	check_content(w, &im);
	return true;
}

void world_check_good(const struct world *w)
{
	struct image im;
	char why[160];

	assert_true(world_check_whole(w));
	assert_int_equal(image_load(&w->paths, "mini", &im, NULL), 0);
	assert_false(image_is_stale(&im, why, sizeof(why)));
	assert_string_equal(im.kernel_version, FAKE_RELEASE);
	assert_int_equal(world_temps(w), 0);
}

int world_build(const struct world *w, bool force, struct err *e)
{
	memset(e, 0, sizeof(*e));
	return image_build(&w->paths, "mini", force, NULL, NULL, e);
}

void world_says(const struct err *e, const char *part)
{
	if (!strstr(e->msg, part))
		fail_msg("'%s' does not say '%s'", e->msg, part);
	assert_null(strchr(e->msg, '\n'));
}

void world_refused(const struct world *w, int code, const char *part)
{
	struct err e;

	assert_int_equal(world_build(w, false, &e), code);
	world_says(&e, part);
	assert_int_equal(world_temps(w), 0);
	assert_false(world_check_whole(w));
}

/* ---- builders ---------------------------------------------------------------------------------
 */

int world_pidfd(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	assert_true(fd >= 0);
	return fd;
}

int world_wait(pid_t pid, int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	int status = 0;

	if (poll(&p, 1, WORLD_DEADLINE_MS) != 1) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		fail_msg("process %d did not end", (int)pid);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pidfd);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

struct child {
	int lines, go;
	bool stepwise;
};

static void on_step(void *user, const char *step, uint64_t done, uint64_t total)
{
	struct child *c = user;
	char byte;

	dprintf(c->lines, "%s %d %d\n", step, (int)done, (int)total);
	if (c->stepwise && read(c->go, &byte, 1) != 1)
		_exit(99);
}

void builder_start(struct builder *b, const struct world *w, bool force, bool stepwise)
{
	int lines[2], go[2];

	assert_int_equal(pipe2(lines, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	fflush(NULL);
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0) {
		struct child c = {lines[1], go[0], stepwise};
		struct err e = {0};
		int r;

		close(lines[0]);
		close(go[1]);
		r = image_build(&w->paths, "mini", force, on_step, &c, &e);
		if (r < 0)
			dprintf(lines[1], "error: %s\n", e.msg);
		_exit(r < 0 ? 1 : 0);
	}
	close(lines[1]);
	close(go[0]);
	b->lines = lines[0];
	b->go = go[1];
	b->stepwise = stepwise;
	b->pidfd = world_pidfd(b->pid);
}

bool builder_line(struct builder *b, char *out, size_t n)
{
	size_t len = 0;

	for (;;) {
		struct pollfd p = {.fd = b->lines, .events = POLLIN};
		char c;

		if (poll(&p, 1, WORLD_DEADLINE_MS) != 1)
			fail_msg("builder %d said nothing", (int)b->pid);
		if (read(b->lines, &c, 1) != 1)
			return false;
		if (c == '\n')
			break;
		if (len + 1 < n)
			out[len++] = c;
	}
	out[len] = '\0';
	return true;
}

void builder_go(struct builder *b)
{
	assert_int_equal(write(b->go, "", 1), 1);
}

static int end(struct builder *b)
{
	close(b->lines);
	close(b->go);
	return world_wait(b->pid, b->pidfd);
}

void builder_kill(struct builder *b)
{
	kill(b->pid, SIGKILL);
	assert_int_equal(end(b), -SIGKILL);
}

int builder_end(struct builder *b, int *ret_made)
{
	char line[500];
	int made = 0;

	while (builder_line(b, line, sizeof(line))) {
		made += strcmp(line, "publish 1 1") == 0;
		if (strncmp(line, "error", 5) == 0)
			print_message("%s\n", line);
		else if (b->stepwise)
			builder_go(b);
	}
	if (ret_made)
		*ret_made = made;
	return end(b);
}
