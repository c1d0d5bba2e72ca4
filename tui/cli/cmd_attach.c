/* attach: the output and the input of a VM's main process. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/cli/session.h"
#include "tui/cli/tty.h"

#define TAIL_DEFAULT 16384 /* bytes, as vm.attach */

/* Name, and whether the main process writes to a terminal of its own. */
static int look_up(struct cli *c, char *name, size_t n, bool *ret_tty, struct err *e)
{
	autojson struct json_object *vm = NULL;
	const char *text;
	int r = cli_call(c, "vm.get", cli_vm_params(c->opts.args[0]), CLI_CALL_S, &vm, e);

	if (r < 0)
		return r;
	text = jsonx_str(vm, "name");
	snprintf(name, n, "%s", text ? text : c->opts.args[0]);
	*ret_tty = jsonx_bool(vm, "tty", true);
	return 0;
}

static struct json_object *make_params(const struct cli *c, const char *name)
{
	struct json_object *params = cli_vm_params(name);
	uint16_t rows, cols;

	if (c->read_only)
		jsonx_add_bool(params, "follow", true);
	if (opt_given(&c->opts, "tail") || c->read_only)
		jsonx_add_int(params, "tail", opt_num(&c->opts, "tail", TAIL_DEFAULT));
	if (!c->read_only && tty_size(STDIN_FILENO, &rows, &cols)) {
		jsonx_add_int(params, "rows", rows);
		jsonx_add_int(params, "cols", cols);
	}
	return params;
}

static void say_end(const struct session_result *res, const char *name)
{
	if (res->end == SESSION_DETACHED)
		fprintf(stderr, "\n[detached from %s]\n", name);
	else if (res->exited && res->how == 1)
		fprintf(stderr, "\n[%s: its main process was ended by signal %d]\n", name,
			res->value);
	else if (res->exited)
		fprintf(stderr, "\n[%s: its main process ended with exit code %d]\n", name,
			res->value);
	else
		fprintf(stderr, "\n[%s has ended]\n", name);
}

int cmd_attach(struct cli *c)
{
	/* Who may only read looks at the same output without a way in. */
	bool watch = opt_given(&c->opts, "no-stdin") || c->read_only;
	bool terminal = isatty(STDIN_FILENO) && !watch;
	struct session_opts o = {
		.method = c->read_only ? "vm.logs" : "vm.attach",
		.input = terminal || (opt_given(&c->opts, "stdin") && !watch),
		.raw = terminal,
		.prefix = terminal,
		.screen = c->tty_out ? SCREEN_REPLAY : SCREEN_PLAIN,
	};
	struct session_result res;
	struct err e = {0};
	char name[64];
	bool guest_tty;

	if (look_up(c, name, sizeof(name), &guest_tty, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	o.name = name;
	o.keep_output = !guest_tty;
	if (terminal && c->tty_err)
		fprintf(stderr, "[attached to %s; C-] d detaches]\n", name);
	if (session_follow(c, make_params(c, name), &o, &res, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	if (res.end == SESSION_REFUSED || res.end == SESSION_LOST)
		return cli_fail(&e, EXIT_FAILED);
	if (res.end == SESSION_OUTPUT)
		return res.r == -EPIPE ? EXIT_SIGNAL + SIGPIPE : cli_fail(&e, EXIT_FAILED);
	if (res.end == SESSION_SIGNAL && (terminal || res.signal != SIGINT))
		return EXIT_SIGNAL + res.signal;
	if (res.end == SESSION_SIGNAL)
		res.end = SESSION_DETACHED; /* Ctrl-C is how a watcher leaves */
	if (c->tty_err)
		say_end(&res, name);
	return EXIT_OK;
}
