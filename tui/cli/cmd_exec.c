/* exec and shell: a command in a VM, as if it ran here. */
#include <errno.h>
#include <signal.h>

#include "backend/base/jsonx.h"
#include "tui/cli/session.h"
#include "tui/cli/tty.h"

struct plan {
	const char *vm;
	const char *const *argv;
	int argc;
	bool input, tty;
};

/* A program on a terminal asks which one; the guest's default knows less than ours can do. */
static void add_term(struct json_object **env)
{
	const char *term = getenv("TERM");

	if (!*env)
		*env = json_object_new_object();
	if (!jsonx_get(*env, "TERM"))
		jsonx_add_str(*env, "TERM", term && *term ? term : "xterm-256color");
}

static void add_terminal(struct json_object *params)
{
	uint16_t rows, cols;

	jsonx_add_bool(params, "tty", true);
	if (!tty_size(STDIN_FILENO, &rows, &cols) && !tty_size(STDOUT_FILENO, &rows, &cols))
		return;
	jsonx_add_int(params, "rows", rows);
	jsonx_add_int(params, "cols", cols);
}

static int make_params(
	const struct cli *c, const struct plan *p, struct json_object **ret, struct err *e)
{
	autojson struct json_object *params = cli_vm_params(p->vm);
	struct json_object *words, *env;
	const char *text;

	if (cli_words(p->argv, p->argc, &words, e) < 0)
		return -EINVAL;
	json_object_object_add(params, "argv", words);
	if (cli_env(&c->opts, &env, e) < 0)
		return -EINVAL;
	if (p->tty)
		add_term(&env);
	if (env)
		json_object_object_add(params, "env", env);
	text = opt_str(&c->opts, "workdir", NULL);
	if (text)
		jsonx_add_str(params, "cwd", text);
	text = opt_str(&c->opts, "user", NULL);
	if (text)
		jsonx_add_str(params, "user", text);
	if (p->input)
		jsonx_add_bool(params, "stdin", true);
	if (p->tty)
		add_terminal(params);
	*ret = steal_ptr(&params);
	return 0;
}

static int exit_code(const struct session_result *res, const struct err *e)
{
	switch (res->end) {
	case SESSION_DONE:
		if (res->exited)
			return session_exit_code(res->how, res->value);
		break;
	case SESSION_SIGNAL:
		return EXIT_SIGNAL + res->signal;
	case SESSION_OUTPUT:
		/* The reader has left: as a command that SIGPIPE ended. */
		return res->r == -EPIPE ? EXIT_SIGNAL + SIGPIPE : cli_fail(e, EXIT_OURS);
	case SESSION_REFUSED:
	case SESSION_LOST:
	case SESSION_DETACHED:
		return cli_fail(e, res->code ? res->code : EXIT_OURS);
	}
	return cli_fail(&(struct err){.msg = "the command ended, but how is not known"}, EXIT_OURS);
}

static int run(struct cli *c, const struct plan *p)
{
	bool terminal = p->tty && p->input && isatty(STDIN_FILENO);
	struct session_opts o = {
		.method = "vm.exec",
		.input = p->input,
		.raw = terminal,
		.forward = !terminal,
		.screen = c->plain               ? SCREEN_SAFE
			  : p->tty && c->tty_out ? SCREEN_LIVE
						 : SCREEN_PLAIN,
		.name = p->vm,
	};
	struct json_object *params = NULL;
	struct session_result res;
	struct err e = {0};

	if (make_params(c, p, &params, &e) < 0)
		return cli_fail(&e, EXIT_OURS);
	if (cli_open(c, false, &e) < 0) {
		json_object_put(params);
		return cli_fail(&e, EXIT_OURS);
	}
	if (session_run(c, params, &o, &res, &e) < 0)
		return cli_fail(&e, EXIT_OURS);
	return exit_code(&res, &e);
}

int cmd_exec(struct cli *c)
{
	bool tty = opt_given(&c->opts, "tty");
	struct plan p = {
		.vm = c->opts.args[0],
		.argv = (const char *const *)c->opts.rest,
		.argc = c->opts.restc,
		.tty = tty,
		/* A terminal without its keys is of no use; a pipe is only read when asked for. */
		.input = opt_given(&c->opts, "stdin") || (tty && isatty(STDIN_FILENO)),
	};

	return run(c, &p);
}

int cmd_shell(struct cli *c)
{
	static const char *const shell[] = {"/bin/sh", "-l"};
	struct plan p = {
		.vm = c->opts.args[0],
		.argv = shell,
		.argc = countof(shell),
		.tty = isatty(STDIN_FILENO),
		.input = true,
	};

	return run(c, &p);
}
