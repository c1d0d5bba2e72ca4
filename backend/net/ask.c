/* The questions about networks that vmdeck-net answers at once: it is run to its end. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "backend/base/jsonx.h"
#include "backend/base/path.h"
#include "backend/base/proc.h"
#include "backend/base/str.h"
#include "backend/net/net.h"

#define ANSWER_LIMIT_MS 5000 /* normal: 30 */
#define ANSWER_MAX      (256u << 10)

extern char **environ;

static int text_fd(const char *text, struct err *e)
{
	autofd int fd = memfd_create("vmdeck-net", MFD_CLOEXEC);
	ssize_t len = (ssize_t)strlen(text);

	if (fd < 0 || write(fd, text, (size_t)len) != len || lseek(fd, 0, SEEK_SET) < 0)
		return err_errno(e, "cannot ask vmdeck-net");
	return steal_fd(&fd);
}

static int spawn(char *const *argv, int in, int out, pid_t *ret, struct err *e)
{
	posix_spawn_file_actions_t fa;
	int r;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, out, 2);
	r = posix_spawn(ret, argv[0], &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	return r ? err_set(e, r, "cannot run '%s': %s", argv[0], strerror(r)) : 0;
}

static int wait_for(pid_t pid, int *ret_status, struct err *e)
{
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	bool late = p.fd >= 0 && poll(&p, 1, ANSWER_LIMIT_MS) == 0;

	if (late)
		kill(pid, SIGKILL); /* a child that is not reaped yet: nobody else has its pid */
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	if (p.fd >= 0)
		close(p.fd);
	return late ? err_set(e, ETIMEDOUT, "vmdeck-net gave no answer in %d s",
			      ANSWER_LIMIT_MS / 1000)
		    : 0;
}

static int read_all(int fd, char **ret, struct err *e)
{
	off_t len = lseek(fd, 0, SEEK_END);
	size_t n = len > 0 ? min_of((size_t)len, ANSWER_MAX) : 0;

	*ret = xcalloc(n + 1, 1);
	return pread(fd, *ret, n, 0) == (ssize_t)n ? 0 : err_errno(e, "cannot read an answer");
}

/* What it writes to *ret (the caller's); its complaint is the error when it exits otherwise. */
static int ask(char *const *argv, const char *input, char **ret, struct err *e)
{
	autofd int in = text_fd(input, e), out = in < 0 ? -1 : text_fd("", e);
	autofree char *text = NULL;
	char safe[300], how[64];
	int status = 0, r;
	pid_t pid;

	if (out < 0)
		return -EIO;
	r = spawn(argv, in, out, &pid, e);
	if (r == 0)
		r = wait_for(pid, &status, e);
	if (r == 0)
		r = read_all(out, &text, e);
	if (r < 0)
		return r;
	if (status != 0) {
		text[strcspn(text, "\n")] = '\0';
		return err_set(e, EIO, "%s",
			text[0] ? str_safe(safe, sizeof(safe), text)
				: proc_status_text(how, sizeof(how), status));
	}
	*ret = steal_ptr(&text);
	return 0;
}

int net_check(enum net_mode mode, const struct paths *paths, struct err *e)
{
	autofree char *answer = NULL;
	char program[512];
	char *argv[] = {program, (char *)(uintptr_t) "check",
		(char *)(uintptr_t)net_mode_names[mode], (char *)(uintptr_t)paths->home,
		(char *)(uintptr_t)paths->runtime, NULL};
	int r = path_helper("vmdeck-net", program, sizeof(program), e);

	return r < 0 ? r : ask(argv, "", &answer, e);
}

static struct json_object *parse_lines(char *text)
{
	struct json_object *list = json_object_new_array(), *o;
	char *save = NULL;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (jsonx_parse(l, strlen(l), &o, NULL) == 0)
			json_object_array_add(list, o);
	return list;
}

int net_sweep(const struct paths *paths, const char *used, bool remove, struct json_object **ret,
	struct err *e)
{
	autofree char *answer = NULL;
	char program[512];
	char *argv[] = {program, (char *)(uintptr_t) "orphans", (char *)(uintptr_t)paths->home,
		(char *)(uintptr_t)paths->runtime, remove ? (char *)(uintptr_t) "remove" : NULL,
		NULL};
	int r = path_helper("vmdeck-net", program, sizeof(program), e);

	if (r == 0)
		r = ask(argv, used, &answer, e);
	if (r == 0)
		*ret = parse_lines(answer);
	return r;
}
