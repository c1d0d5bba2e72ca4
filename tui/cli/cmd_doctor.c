/* doctor: what this host has and lacks. Also where no daemon can be started: then the daemon's
 * program is asked directly. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#include "backend/base/buf.h"
#include "backend/base/jsonx.h"
#include "backend/base/path.h"
#include "backend/base/proc.h"
#include "backend/base/str.h"
#include "tui/cli/cli.h"
#include "tui/cli/text.h"

#define ANSWER_MAX (1u << 20)

extern char **environ;

static int read_all(int fd, struct buf *b, struct err *e)
{
	ssize_t n;

	do
		n = buf_read(b, fd, 65536);
	while (n > 0 || n == -EINTR);
	return n < 0 ? err_set(e, (int)-n, "cannot read what vmdeckd --doctor says: %s",
			       strerror((int)-n))
		     : 0;
}

static int spawn_doctor(const char *program, pid_t *ret_pid, int *ret_fd, struct err *e)
{
	char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "--doctor", NULL};
	posix_spawn_file_actions_t actions;
	int fds[2], r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(e, "cannot run vmdeckd --doctor");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	r = posix_spawn(ret_pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	if (r != 0) {
		close(fds[0]);
		return err_set(e, r, "cannot run '%s': %s", program, strerror(r));
	}
	*ret_fd = fds[0];
	return 0;
}

/* `vmdeckd --doctor` prints the same array as the call gives. */
static int ask_program(struct json_object **ret, struct err *e)
{
	char program[4096], how[80];
	struct buf b;
	autofd int fd = -1;
	int status = 0, r;
	pid_t pid = -1;

	r = path_helper("vmdeckd", program, sizeof(program), e);
	if (r < 0)
		return r;
	r = spawn_doctor(program, &pid, &fd, e);
	if (r < 0)
		return r;
	buf_init(&b, ANSWER_MAX);
	r = read_all(fd, &b, e);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		r = err_set(
			e, EIO, "vmdeckd --doctor: %s", proc_status_text(how, sizeof(how), status));
	if (r == 0)
		r = jsonx_parse((const char *)buf_peek(&b), b.len, ret, e);
	buf_fini(&b);
	return r;
}

static void add_check(struct json_object *list, const char *name, const char *status,
	const char *detail, const char *fix)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "name", name);
	jsonx_add_str(o, "status", status);
	jsonx_add_str(o, "detail", detail);
	jsonx_add_str(o, "fix", fix);
	json_object_array_add(list, o);
}

static int get_checks(struct cli *c, struct json_object **ret, struct err *e)
{
	struct err why = {0};

	if (cli_open(c, false, &why) == 0)
		return cli_call(c, "doctor", NULL, CLI_CALL_S, ret, e);
	if (ask_program(ret, e) < 0) {
		/* The first sentence is the one to act on. */
		*e = why;
		return -why.code;
	}
	if (json_object_is_type(*ret, json_type_array))
		add_check(*ret, "vmdeckd", "missing", why.msg, "");
	return 0;
}

static void print_check(const struct cli *c, struct json_object *check, int width)
{
	const char *name = jsonx_str(check, "name"), *status = jsonx_str(check, "status");
	const char *detail = jsonx_str(check, "detail"), *fix = jsonx_str(check, "fix");
	char line[1200];

	snprintf(line, sizeof(line), "%s%-7s%s  %-*s  %s\n",
		tint_on(tint_of_state(status), c->color), status ? status : "?", tint_off(c->color),
		width, name ? name : "?", detail ? detail : "");
	cli_puts(c, line);
	if (!fix || !*fix || (status && strcmp(status, "found") == 0))
		return;
	snprintf(line, sizeof(line), "%-7s  %-*s  -> %s\n", "", width, "", fix);
	cli_puts(c, line);
}

/* Told before the checks, on stderr: those show what is left then. */
static int fix(struct cli *c, struct err *e)
{
	autojson struct json_object *list = NULL;
	char safe[200];
	int r = cli_open(c, false, e);

	if (r == 0)
		r = cli_call(c, "net.sweep", NULL, CLI_CALL_S, &list, e);
	for (size_t i = 0; r == 0 && json_object_is_type(list, json_type_array) &&
			   i < json_object_array_length(list);
		i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *what = jsonx_str(o, "what"), *name = jsonx_str(o, "name");

		fprintf(stderr, "removed: %s ", what ? what : "?");
		fprintf(stderr, "%s\n", str_safe(safe, sizeof(safe), name ? name : "?"));
	}
	return r;
}

int cmd_doctor(struct cli *c)
{
	autojson struct json_object *checks = NULL;
	bool missing = false;
	struct err e = {0};
	int width = 0;

	if (opt_given(&c->opts, "fix") && fix(c, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (get_checks(c, &checks, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (!json_object_is_type(checks, json_type_array)) {
		err_set(&e, EPROTO, "vmdeckd's answer to doctor is no list");
		return cli_fail(&e, EXIT_FAILED);
	}
	for (size_t i = 0; i < json_object_array_length(checks); i++) {
		struct json_object *check = json_object_array_get_idx(checks, i);
		const char *name = jsonx_str(check, "name"), *status = jsonx_str(check, "status");

		width = max_of(width, (int)(name ? strlen(name) : 0));
		missing = missing || (status && strcmp(status, "missing") == 0);
	}
	if (c->json)
		cli_print_json(checks, false);
	for (size_t i = 0; !c->json && i < json_object_array_length(checks); i++)
		print_check(c, json_object_array_get_idx(checks, i), width);
	return missing ? EXIT_FAILED : EXIT_OK;
}
