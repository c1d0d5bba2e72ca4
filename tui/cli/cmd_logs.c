/* logs: a VM's stored output. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/cli/session.h"

#define LINE_GUESS 200 /* bytes a line, for the first look at the end of the log */

/* Where the last `lines` lines of a window at the end of the log begin. */
struct tail {
	struct cli *c;
	uint64_t *starts; /* ring of the offsets behind the newest line ends, owned */
	int64_t lines, seen;
	uint64_t first, from;
	bool ended, line_end; /* the byte before the next one ends a line */
	int r;
	struct err *e;
};

static void tail_open(struct api_stream *st, struct json_object *result)
{
	struct tail *t = api_stream_user(st);

	t->first = (uint64_t)jsonx_int(result, "first", 0);
	t->from = (uint64_t)jsonx_int(result, "start", 0);
}

static void tail_data(struct api_stream *st, bool err, uint64_t offset, const void *data, size_t n)
{
	struct tail *t = api_stream_user(st);
	const uint8_t *p = data;

	(void)err;
	for (size_t i = 0; i < n; i++) {
		/* A line end only separates when something follows it. */
		if (t->line_end)
			t->starts[t->seen++ % t->lines] = offset + i;
		t->line_end = p[i] == '\n';
	}
}

static void tail_end(struct api_stream *st, int r, int code, const struct err *e)
{
	struct tail *t = api_stream_user(st);

	(void)code;
	t->ended = true;
	t->r = r;
	if (r < 0)
		*t->e = *e;
	ev_break(t->c->loop, EVBREAK_ONE);
}

static int look(struct tail *t, const char *vm, bool serial, int64_t window)
{
	static const struct api_stream_handler handler = {
		.on_open = tail_open, .on_data = tail_data, .on_end = tail_end};
	struct json_object *params = cli_vm_params(vm);
	struct api_stream *st;
	int r;

	jsonx_add_int(params, "tail", window);
	if (serial)
		jsonx_add_bool(params, "serial", true);
	t->seen = 0;
	t->ended = t->line_end = false;
	r = api_stream_open(&st, t->c->api, "vm.logs", params, &handler, t, t->e);
	if (r < 0)
		return r;
	while (!t->ended)
		ev_run(t->c->loop, 0);
	api_stream_close(st);
	return t->r;
}

/* Offset where the last `lines` lines begin: looks at larger and larger ends of the log. */
static int find_lines(struct cli *c, const char *vm, int64_t lines, uint64_t *ret, struct err *e)
{
	struct tail t = {.c = c, .lines = lines, .e = e};
	int64_t window = lines * LINE_GUESS + 4096;
	bool serial = opt_given(&c->opts, "serial");
	int r;

	t.starts = xcalloc((size_t)lines, sizeof(*t.starts));
	for (;;) {
		window = min_of(window, (int64_t)1 << 30);
		r = look(&t, vm, serial, window);
		if (r < 0 || t.seen >= lines || t.from <= t.first || window == (int64_t)1 << 30)
			break;
		window *= 8;
	}
	if (r == 0)
		*ret = t.seen >= lines ? t.starts[t.seen % lines] : t.from;
	free(t.starts);
	return r;
}

static struct json_object *make_params(const struct cli *c, const char *vm, int64_t since)
{
	struct json_object *params = cli_vm_params(vm);

	if (opt_given(&c->opts, "serial"))
		jsonx_add_bool(params, "serial", true);
	if (opt_given(&c->opts, "follow"))
		jsonx_add_bool(params, "follow", true);
	if (since >= 0)
		jsonx_add_int(params, "since", since);
	else if (opt_num(&c->opts, "lines", -1) == 0)
		jsonx_add_int(params, "tail", 0);
	else if (opt_given(&c->opts, "bytes"))
		jsonx_add_int(params, "tail", opt_num(&c->opts, "bytes", 0));
	return params;
}

static int exit_code(const struct session_result *res, const struct err *e)
{
	switch (res->end) {
	case SESSION_DONE:
	case SESSION_DETACHED:
		return EXIT_OK;
	case SESSION_SIGNAL:
		return EXIT_SIGNAL + res->signal;
	case SESSION_OUTPUT:
		if (res->r == -EPIPE)
			return EXIT_SIGNAL + SIGPIPE;
		break;
	case SESSION_REFUSED:
	case SESSION_LOST:
		break;
	}
	return cli_fail(e, EXIT_FAILED);
}

int cmd_logs(struct cli *c)
{
	const char *vm = c->opts.args[0];
	bool safe = c->plain || (c->tty_out && !opt_given(&c->opts, "raw"));
	struct session_opts o = {.method = "vm.logs", .name = vm};
	int64_t lines = opt_num(&c->opts, "lines", -1), since = -1;
	struct session_result res;
	struct err e = {0};
	uint64_t at = 0;

	o.screen = safe ? SCREEN_SAFE : SCREEN_PLAIN;
	if (lines > 0) {
		if (cli_open(c, false, &e) < 0 || find_lines(c, vm, lines, &at, &e) < 0)
			return cli_fail(&e, EXIT_FAILED);
		since = (int64_t)at;
	}
	if (session_follow(c, make_params(c, vm, since), &o, &res, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	return exit_code(&res, &e);
}
