/* Line mode. Events come from a connection of its own; a command runs as it would from a shell, on
 * another one, while the loop goes on telling events. */
#include "tui/cli/plain.h"

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/lines.h"
#include "backend/base/buf.h"
#include "backend/base/str.h"

#define TYPED_MAX  4096
#define HELP_WIDTH 10

/* What makes sense without a screen; question: asked first, with the line's names in it. */
static const struct {
	const char *name, *question;
} allowed[] = {
	{"ls", NULL},
	{"images", NULL},
	{"snapshots", NULL},
	{"restores", NULL},
	{"events", NULL},
	{"top", NULL},
	{"boot", NULL},
	{"exec", NULL},
	{"logs", NULL},
	{"snapshot", NULL},
	{"restore", NULL},
	{"clone", NULL},
	{"timeline", NULL},
	{"ping", NULL},
	{"pause", NULL},
	{"resume", NULL},
	{"stop", "Ask the guest to power off"},
	{"kill", "End the VMM at once"},
	{"rm", "Remove it for good"},
	{"pool", NULL},
	{"image", NULL},
	{"doctor", NULL},
	{"version", NULL},
};

struct plain {
	struct cli *c;
	ev_io in;
	struct buf typed;
	bool eof, had_lines, quit, lost;
	char asked[TYPED_MAX]; /* line that waits for a yes; "" when none does */
};

/* ---- events ---------------------------------------------------------------------------------- */

static void on_event(void *user, struct json_object *event, bool gap)
{
	char line[700];

	(void)user;
	if (gap)
		puts("some events were missed: ls tells what is now");
	if (plain_event(event, line, sizeof(line)))
		puts(line);
	fflush(stdout);
}

static void on_lost(void *user, const struct err *e)
{
	struct plain *p = user;

	(void)e;
	p->lost = true;
	ev_break(p->c->loop, EVBREAK_ONE);
}

static void say_vm(struct json_object *vm)
{
	const char *name = jsonx_str(vm, "name"), *state = jsonx_str(vm, "state");
	const char *image = jsonx_str(vm, "image"), *reason = jsonx_str(vm, "reason");
	char line[700], safe[700];

	snprintf(line, sizeof(line), "%s: %s%s%.300s, image %s", name ? name : "?",
		state ? state : "?", reason && *reason ? ", " : "", reason ? reason : "",
		image ? image : "?");
	puts(str_safe(safe, sizeof(safe), line));
}

static int begin(struct plain *p, struct err *e)
{
	autojson struct json_object *vms = NULL;
	int r = cli_call(p->c, "event.subscribe", NULL, CLI_CALL_S, NULL, e);
	size_t n;

	if (r == 0)
		r = cli_call(p->c, "vm.list", NULL, CLI_CALL_S, &vms, e);
	if (r < 0)
		return r;
	p->lost = false;
	api_set_event_handler(p->c->api, on_event, p);
	api_set_lost_handler(p->c->api, on_lost, p);
	n = json_object_is_type(vms, json_type_array) ? json_object_array_length(vms) : 0;
	printf("vmdeck: %zu VM%s.%s Type help for the commands.\n", n, n == 1 ? "" : "s",
		p->c->read_only ? " This connection is read-only." : "");
	for (size_t i = 0; i < n; i++)
		say_vm(json_object_array_get_idx(vms, i));
	fflush(stdout);
	return 0;
}

/* ---- commands -------------------------------------------------------------------------------- */

static void print_help(void)
{
	for (size_t i = 0; i < countof(allowed); i++) {
		const struct command *cmd = command_by_name(allowed[i].name);

		printf("%-*s  %s\n", HELP_WIDTH, allowed[i].name,
			cmd ? cmd->summary : "image build NAME: build an image");
	}
	printf("%-*s  %s\n", HELP_WIDTH, "quit", "leave; VMs go on");
	puts("help COMMAND tells more about one.");
}

/* As from a shell, but on our loop: events are told meanwhile. */
static void run(struct plain *p, int argc, char **argv)
{
	struct cli sub = *p->c;
	int code;

	sub.api = NULL;
	memset(&sub.opts, 0, sizeof(sub.opts));
	memset(sub.catch, 0, sizeof(sub.catch));
	sub.catching = sub.signal = 0;
	sub.color = sub.color_err = sub.tty_err = sub.json = false;
	ev_io_stop(p->c->loop, &p->in); /* what is typed meanwhile is the next line */
	cli_catch(&sub);
	code = cli_run(&sub, argc, argv);
	sub.catching = min_of(sub.catching, 1);
	cli_uncatch(&sub);
	api_close(sub.api);
	opts_fini(&sub.opts);
	/* Ctrl-C has ended the command, and that is all. */
	if (sub.signal == p->c->signal)
		p->c->signal = 0;
	if (code)
		printf("%s: exit code %d\n", argv[0], code);
	fflush(stdout);
}

static int find_allowed(const char *name)
{
	for (size_t i = 0; i < countof(allowed); i++)
		if (strcmp(allowed[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void ask(struct plain *p, const char *line, int which, int argc, char **argv)
{
	printf("%s:", allowed[which].question);
	for (int i = 1; i < argc; i++)
		printf(" %s", argv[i]);
	puts("? Type yes, or anything else to leave it.");
	snprintf(p->asked, sizeof(p->asked), "%s", line);
}

/* sure: the question has been answered with yes. */
static void obey(struct plain *p, const char *line, bool sure)
{
	autofree char *text = xstrdup(line);
	char *argv[PLAIN_WORDS_MAX], shown[80];
	struct err e = {0};
	int argc = plain_words(text + (*text == ':'), argv, &e), which;

	if (argc < 0) {
		puts(e.msg);
		return;
	}
	if (argc == 0)
		return;
	which = find_allowed(argv[0]);
	if (strcmp(argv[0], "quit") == 0 || strcmp(argv[0], "q") == 0)
		p->quit = true;
	else if (strcmp(argv[0], "help") == 0 && argc == 1)
		print_help();
	else if (which < 0 && strcmp(argv[0], "help") != 0)
		printf("there is no command '%s' here: help lists them\n",
			str_safe(shown, sizeof(shown), argv[0]));
	else if (which >= 0 && allowed[which].question && argc > 1 && !sure)
		ask(p, line, which, argc, argv);
	else
		run(p, argc, argv);
}

static void take_line(struct plain *p, const char *line)
{
	char asked[sizeof(p->asked)];

	p->had_lines = true;
	if (!p->asked[0]) {
		obey(p, line, false);
	} else {
		snprintf(asked, sizeof(asked), "%s", p->asked);
		p->asked[0] = '\0';
		if (strcmp(line, "yes") == 0)
			obey(p, asked, true);
		else
			puts("left as it is");
	}
	fflush(stdout);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void on_input(struct ev_loop *loop, ev_io *w, int revents)
{
	struct plain *p = w->data;
	ssize_t n = buf_read(&p->typed, STDIN_FILENO, TYPED_MAX);

	(void)revents;
	if (n == -EAGAIN)
		return;
	p->eof = n <= 0;
	if (p->eof)
		ev_io_stop(loop, w);
	ev_break(loop, EVBREAK_ONE);
}

/* True: there was a line. */
static bool next_line(struct plain *p)
{
	char *line;
	size_t n;
	int r = lines_next(&p->typed, TYPED_MAX - 1, &line, &n);

	if (r < 0) {
		puts("that line is too long");
		buf_consume(&p->typed, p->typed.len);
		return true;
	}
	if (r > 0) {
		autofree char *text = xasprintf("%.*s", (int)n, line);

		take_line(p, text);
	}
	return r > 0;
}

static int go_on(struct plain *p, struct err *e)
{
	int r = 0;

	while (r == 0 && !p->quit && !p->c->signal) {
		if (p->lost) {
			puts("the daemon is lost; connecting again");
			api_close(p->c->api);
			p->c->api = NULL;
			r = begin(p, e);
		} else if (!next_line(p)) {
			if (p->eof && p->had_lines)
				break;
			if (!p->eof)
				ev_io_start(p->c->loop, &p->in);
			ev_run(p->c->loop, 0);
		}
	}
	return r;
}

int plain_main(struct cli *c)
{
	struct plain p = {.c = c};
	struct err e = {0};
	int r;

	c->plain = true;
	c->color = c->color_err = c->tty_err = false;
	buf_init(&p.typed, 4 * TYPED_MAX);
	ev_io_init(&p.in, on_input, STDIN_FILENO, EV_READ);
	p.in.data = &p;
	cli_catch(c);
	r = begin(&p, &e);
	if (r == 0)
		r = go_on(&p, &e);
	ev_io_stop(c->loop, &p.in);
	cli_uncatch(c);
	buf_fini(&p.typed);
	if (c->api)
		api_set_lost_handler(c->api, NULL, NULL);
	return r < 0 && r != -EINTR ? cli_fail(&e, EXIT_FAILED) : EXIT_OK;
}
