/* daemon status, start and stop; version. */
#include <curses.h>
#include <errno.h>
#include <string.h>
#include <vterm.h>

#include "backend/api/proto.h"
#include "backend/base/jsonx.h"
#include "backend/base/proc.h"
#include "tui/cli/cli.h"
#include "tui/cli/text.h"

/* {"running": bool, ...hello} */
static struct json_object *status_json(struct json_object *hello)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_bool(o, "running", hello != NULL);
	if (hello) {
		json_object_object_foreach(hello, key, value)
		{
			json_object_object_add(o, key, json_object_get(value));
		}
	}
	return o;
}

static void print_status(const struct cli *c, struct json_object *hello)
{
	autojson struct json_object *o = NULL;
	char age[32], line[1200];
	int64_t started = jsonx_int(hello, "started_ns", 0);

	if (c->json) {
		o = status_json(hello);
		cli_print_json(o, false);
		return;
	}
	snprintf(line, sizeof(line),
		"vmdeckd %s runs: pid %d, for %s, home %s, socket %s/daemon.sock\n",
		jsonx_str(hello, "version"), (int)jsonx_int(hello, "pid", 0),
		text_age(age, sizeof(age), (uint64_t)max_of(started, 0)), jsonx_str(hello, "home"),
		jsonx_str(hello, "runtime"));
	cli_puts(c, line);
}

static int open_or_print(struct cli *c, bool no_start)
{
	autojson struct json_object *none = NULL;
	struct err e = {0};
	int r = cli_open(c, no_start, &e);

	if (r == 0) {
		print_status(c, api_hello(c->api));
		return EXIT_OK;
	}
	if (r == -ECONNREFUSED && c->json) {
		none = status_json(NULL);
		cli_print_json(none, false);
		return EXIT_FAILED;
	}
	return cli_fail(&e, EXIT_FAILED);
}

int cmd_daemon_status(struct cli *c)
{
	return open_or_print(c, true);
}

int cmd_daemon_start(struct cli *c)
{
	return open_or_print(c, false);
}

/* Waits for the end of the process, not of the connection: only then can another one start. */
struct ending {
	struct cli *c;
	struct proc proc;
	bool gone, late;
};

static void on_process_end(struct proc *p, int status)
{
	struct ending *w = p->user;

	(void)status;
	w->gone = true;
	ev_break(w->c->loop, EVBREAK_ONE);
}

/* Of a daemon that refused to say its pid, the end of the connection is all there is. */
static void on_lost(void *user, const struct err *e)
{
	struct ending *w = user;

	(void)e;
	w->gone = w->gone || w->proc.pidfd < 0;
	ev_break(w->c->loop, EVBREAK_ONE);
}

static void on_late(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct ending *w = t->data;

	(void)revents;
	w->late = true;
	ev_break(loop, EVBREAK_ONE);
}

static int stop_and_wait(struct ending *w, struct err *e)
{
	struct cli *c = w->c;
	struct proc_id id;
	ev_timer t;
	int r;

	w->proc.pidfd = -1;
	if (proc_identify((pid_t)jsonx_int(api_hello(c->api), "pid", 0), &id) == 0)
		(void)proc_adopt(&w->proc, c->loop, id, on_process_end, w, NULL);
	api_set_lost_handler(c->api, on_lost, w);
	r = cli_call(c, "daemon.stop", NULL, CLI_CALL_S, NULL, e);
	ev_timer_init(&t, on_late, CLI_CALL_S, 0);
	t.data = w;
	ev_now_update(c->loop);
	ev_timer_start(c->loop, &t);
	while (r == 0 && !w->gone && !w->late)
		ev_run(c->loop, 0);
	ev_timer_stop(c->loop, &t);
	if (w->proc.pidfd >= 0)
		proc_forget(&w->proc);
	if (r == 0 && !w->gone)
		r = err_set(e, ETIMEDOUT, "vmdeckd did not end in %d s", CLI_CALL_S);
	return r;
}

int cmd_daemon_stop(struct cli *c)
{
	struct api_opts opts = {.client = "vmdeck " VMDECK_VERSION,
		.no_start = true,
		.any_version = true,
		.read_only = c->read_only};
	struct ending w = {.c = c};
	struct err e = {0};
	int r = api_open(&c->api, c->loop, &opts, &e);
	bool none = r == -ECONNREFUSED;

	if (r == 0)
		r = stop_and_wait(&w, &e);
	if (r < 0 && !none)
		return cli_fail(&e, EXIT_FAILED);
	if (c->json)
		printf("{\n  \"stopped\": %s\n}\n", none ? "false" : "true");
	else
		puts(none ? "no vmdeckd runs" : "vmdeckd has ended; the VMs go on");
	return EXIT_OK;
}

static struct json_object *libraries(void)
{
	struct json_object *o = json_object_new_object();
	char text[40];

	jsonx_add_str(o, "json-c", json_c_version());
	snprintf(text, sizeof(text), "%d.%d", ev_version_major(), ev_version_minor());
	jsonx_add_str(o, "libev", text);
	jsonx_add_str(o, "ncurses", curses_version() + strcspn(curses_version(), "0123456789"));
	snprintf(text, sizeof(text), "%d.%d", VTERM_VERSION_MAJOR, VTERM_VERSION_MINOR);
	jsonx_add_str(o, "libvterm", text);
	return o;
}

int cmd_version(struct cli *c)
{
	autojson struct json_object *o = json_object_new_object();
	struct json_object *libs = libraries(), *hello;
	struct err e = {0};
	bool running = cli_open(c, true, &e) == 0;

	hello = running ? api_hello(c->api) : NULL;
	jsonx_add_str(o, "version", VMDECK_VERSION);
	jsonx_add_int(o, "protocol", PROTO_VERSION);
	json_object_object_add(o, "daemon", status_json(hello));
	json_object_object_add(o, "libraries", libs);
	if (c->json) {
		cli_print_json(o, false);
		return EXIT_OK;
	}
	printf("vmdeck %s, protocol %d\n", VMDECK_VERSION, PROTO_VERSION);
	if (running)
		print_status(c, hello);
	else
		printf("vmdeckd: %s\n", e.code == ECONNREFUSED ? "not running" : e.msg);
	json_object_object_foreach(libs, name, value)
	{
		printf("%s %s\n", name, json_object_get_string(value));
	}
	return EXIT_OK;
}
