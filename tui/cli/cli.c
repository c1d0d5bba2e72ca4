#include "tui/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backend/api/proto.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/ansi.h"
#include "tui/cli/text.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
_Static_assert(countof(caught) == countof(((struct cli *)0)->catch), "a watcher for each");

static bool wants_color(int fd)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

void cli_init(struct cli *c)
{
	memset(c, 0, sizeof(*c));
	/* A handful of descriptors: poll needs no kernel object of its own, and takes files too. */
	c->loop = ev_loop_new(EVBACKEND_POLL | EVFLAG_NOENV);
	if (!c->loop)
		abort();
	c->tty_out = isatty(STDOUT_FILENO);
	c->tty_err = isatty(STDERR_FILENO);
	c->read_only = getenv("VMDECK_READ_ONLY") && *getenv("VMDECK_READ_ONLY");
	c->color = wants_color(STDOUT_FILENO);
	c->color_err = wants_color(STDERR_FILENO);
}

void cli_fini(struct cli *c)
{
	c->catching = c->catching ? 1 : 0;
	cli_uncatch(c);
	api_close(c->api);
	c->api = NULL;
	opts_fini(&c->opts);
	if (c->loop)
		ev_loop_destroy(c->loop);
	c->loop = NULL;
}

int cli_fail(const struct err *e, int code)
{
	char safe[800];

	fflush(stdout);
	fprintf(stderr, "vmdeck: %s\n", str_safe(safe, sizeof(safe), e->msg));
	return code;
}

static int usage(const struct command *cmd, const struct err *e)
{
	char safe[800];

	fprintf(stderr, "vmdeck%s%s: %s\nTry: vmdeck %s%s--help\n", cmd ? " " : "",
		cmd ? cmd->name : "", str_safe(safe, sizeof(safe), e->msg), cmd ? cmd->name : "",
		cmd ? " " : "");
	return EXIT_USAGE;
}

/* named: the command was typed, not supposed. */
static int run_command(struct cli *c, const struct command *cmd, bool named, int argc, char **argv)
{
	struct err e = {0};

	c->cmd = cmd;
	if (command_parse(cmd, argc, argv, &c->opts, &e) < 0)
		return usage(named ? cmd : NULL, &e);
	if (opt_given(&c->opts, "help")) {
		help_command(stdout, cmd);
		return EXIT_OK;
	}
	c->json = cmd->json && opt_given(&c->opts, "json");
	return cmd->run(c);
}

int cli_run(struct cli *c, int argc, char **argv)
{
	const struct command *cmd;
	struct err e = {0};
	int words;

	/* The one option that stands before a command. */
	while (argc > 1 && strcmp(argv[0], "--read-only") == 0) {
		c->read_only = true;
		argc--;
		argv++;
	}
	if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)) {
		help_print(stdout);
		return EXIT_OK;
	}
	if (argc > 0 && (strcmp(argv[0], "--version") == 0 || strcmp(argv[0], "-V") == 0)) {
		puts("vmdeck " VMDECK_VERSION);
		return EXIT_OK;
	}
	cmd = command_by_name("console");
	words = 0;
	/* Without a command: the console, whose options are then the only ones. */
	if (argc > 0 && !(argv[0][0] == '-' && argv[0][1])) {
		if (command_find(argc, argv, &cmd, &words, &e) < 0)
			return usage(NULL, &e);
	}
	return run_command(c, cmd, words > 0, argc - words, argv + words);
}

/* ---- calls --------------------------------------------------------------------------------- */

int cli_open(struct cli *c, bool no_start, struct err *e)
{
	struct api_opts opts = {.client = "vmdeck " VMDECK_VERSION,
		.no_start = no_start,
		.read_only = c->read_only};

	return c->api ? 0 : api_open(&c->api, c->loop, &opts, e);
}

struct wait {
	struct cli *c;
	bool done;
	int r;
	struct json_object *result;
	struct err *e;
	ev_timer timer;
	bool late;
};

static void on_reply(void *user, int r, struct json_object *result, const struct err *e)
{
	struct wait *w = user;

	w->done = true;
	w->r = r;
	w->result = r < 0 ? NULL : json_object_get(result);
	if (r < 0 && w->e && e)
		*w->e = *e;
	ev_break(w->c->loop, EVBREAK_ONE);
}

static void on_late(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct wait *w = t->data;

	(void)revents;
	w->late = true;
	ev_break(loop, EVBREAK_ONE);
}

static void on_signal(struct ev_loop *loop, ev_signal *s, int revents)
{
	struct cli *c = s->data;

	(void)revents;
	c->signal = s->signum;
	ev_break(loop, EVBREAK_ONE);
}

int cli_call(struct cli *c, const char *method, struct json_object *params, double limit,
	struct json_object **ret, struct err *e)
{
	struct wait w = {.c = c, .e = e};
	int r = cli_open(c, false, e);

	if (r < 0) {
		json_object_put(params);
		return r;
	}
	r = api_call(c->api, method, params, on_reply, &w, e);
	if (r < 0)
		return r;
	ev_timer_init(&w.timer, on_late, limit, 0);
	w.timer.data = &w;
	ev_now_update(c->loop);
	ev_timer_start(c->loop, &w.timer);
	while (!w.done && !w.late && !(c->catching && c->signal))
		ev_run(c->loop, 0);
	ev_timer_stop(c->loop, &w.timer);
	if (w.done) {
		if (ret)
			*ret = w.result;
		else
			json_object_put(w.result);
		return w.r;
	}
	/* Its answer must not find this frame gone. */
	api_close(c->api);
	c->api = NULL;
	if (w.late)
		return err_set(e, ETIMEDOUT, "vmdeckd did not answer %s in %.0f s", method, limit);
	return err_set(e, EINTR, "ended by signal %d (%s)", c->signal, strsignal(c->signal));
}

void cli_catch(struct cli *c)
{
	if (c->catching++)
		return;
	for (size_t i = 0; i < countof(caught); i++) {
		struct sigaction sa;

		/* Ignored by who started us (nohup, a background job): it stays ignored. */
		if (sigaction(caught[i], NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			continue;
		ev_signal_init(&c->catch[i], on_signal, caught[i]);
		c->catch[i].data = c;
		ev_signal_start(c->loop, &c->catch[i]);
		ev_unref(c->loop);
	}
}

void cli_uncatch(struct cli *c)
{
	if (!c->catching || --c->catching)
		return;
	for (size_t i = 0; i < countof(caught); i++)
		if (ev_is_active(&c->catch[i])) {
			ev_ref(c->loop);
			ev_signal_stop(c->loop, &c->catch[i]);
		}
}

/* ---- output -------------------------------------------------------------------------------- */

void cli_puts(const struct cli *c, const char *text)
{
	size_t n = strlen(text);
	autofree uint8_t *safe = NULL;
	struct ansi a;

	if (!c->tty_out && !c->plain) {
		fputs(text, stdout);
		return;
	}
	safe = xcalloc(ANSI_OUT_MAX(n), 1);
	ansi_init(&a, ANSI_SAFE);
	a.no_colour = c->plain;
	n = ansi_feed(&a, text, n, safe);
	fwrite(safe, 1, n, stdout);
}

void cli_print_json(struct json_object *o, bool one_line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	flags |= one_line ? JSON_C_TO_STRING_PLAIN
			  : JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	/* Control characters are escaped by JSON itself. */
	puts(json_object_to_json_string_ext(o, flags));
}

/* ---- parameters ---------------------------------------------------------------------------- */

struct json_object *cli_vm_params(const char *vm)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "vm", vm);
	return o;
}

static int check_utf8(struct json_object *o, const char *what, struct err *e)
{
	autojson struct json_object *again = NULL;
	const char *line = jsonx_line(o);

	if (jsonx_parse(line, strlen(line), &again, NULL) < 0)
		return err_set(e, EINVAL, "%s is not valid UTF-8: it cannot be sent", what);
	return 0;
}

void cli_network(const struct opts *o, struct json_object *params)
{
	struct json_object *list;
	int n;
	const char *const *ports = opt_list(o, "publish", &n);

	if (opt_given(o, "net"))
		jsonx_add_str(params, "network", opt_str(o, "net", NULL));
	if (!n)
		return;
	list = json_object_new_array();
	for (int i = 0; i < n; i++)
		json_object_array_add(list, json_object_new_string(ports[i]));
	json_object_object_add(params, "publish", list);
}

int cli_env(const struct opts *o, struct json_object **ret, struct err *e)
{
	autojson struct json_object *env = NULL;
	int n;
	const char *const *values = opt_list(o, "env", &n);

	*ret = NULL;
	if (!n)
		return 0;
	env = json_object_new_object();
	for (int i = 0; i < n; i++) {
		size_t len = strcspn(values[i], "=");
		autofree char *key = xasprintf("%.*s", (int)len, values[i]);
		const char *value = values[i][len] ? values[i] + len + 1 : getenv(values[i]);

		if (!len)
			return err_set(e, EINVAL, "--env '%s' has no name: write K=V", values[i]);
		if (!value)
			return err_set(e, EINVAL, "--env %s: there is no such variable here", key);
		jsonx_add_str(env, key, value);
	}
	if (check_utf8(env, "--env", e) < 0)
		return -EINVAL;
	*ret = steal_ptr(&env);
	return 0;
}

int cli_words(const char *const *words, int n, struct json_object **ret, struct err *e)
{
	autojson struct json_object *list = json_object_new_array();

	for (int i = 0; i < n; i++)
		json_object_array_add(list, json_object_new_string(words[i]));
	if (check_utf8(list, "the command", e) < 0)
		return -EINVAL;
	*ret = steal_ptr(&list);
	return 0;
}
