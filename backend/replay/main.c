/* vmdeck-replay FILE SOCKET FROM_MS SPEED PAUSED: serves a recording on SOCKET. Started by `vmdeck
 * replay`: fd 3 gets "ready" or a sentence, fd 4 ends when the console has ended, and this with it.
 */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/replay/replay.h"

#define READY_FD 3
#define LIFE_FD  4

static void handle_hello(struct rpc_call *call, struct json_object *params)
{
	struct replay *p = rpc_user(call);
	struct json_object *o = json_object_new_object();

	(void)params;
	jsonx_add_str(o, "version", VMDECK_VERSION);
	jsonx_add_int(o, "protocol", PROTO_VERSION);
	jsonx_add_int(o, "pid", getpid());
	jsonx_add_str(o, "replay", p->rec.host);
	jsonx_add_int(o, "seq", (int64_t)p->sent);
	rpc_reply(call, o);
}

static void handle_vms(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, state_vms(rpc_user(call)));
}

static void handle_images(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, state_list(rpc_user(call), RECORD_IMAGE_LIST));
}

static void handle_snapshots(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, state_list(rpc_user(call), RECORD_SNAPSHOT_LIST));
}

static void handle_timings(struct rpc_call *call, struct json_object *params)
{
	const char *kind = jsonx_str(params, "kind");

	rpc_reply(call, state_timings(rpc_user(call), kind ? kind : "restore",
				(int)jsonx_int(params, "limit", 100)));
}

static void handle_events(struct rpc_call *call, struct json_object *params)
{
	rpc_reply(call, state_events(rpc_user(call), jsonx_str(params, "vm"),
				(uint64_t)jsonx_int(params, "since", 0),
				(int)jsonx_int(params, "limit", 100)));
}

static bool is_it(struct json_object *vm, const char *name, const char *key)
{
	const char *s = jsonx_str(vm, key);

	return s && strcmp(s, name) == 0;
}

static void handle_doctor(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, state_list(rpc_user(call), RECORD_DOCTOR));
}

/* Figures come as they were recorded, so each is told, whatever the speed. */
static void handle_watch(struct rpc_call *call, struct json_object *params)
{
	bool on = jsonx_int(params, "interval_ms", 0) > 0;

	rpc_watch(call, on ? 1 : 0, false);
	if (on)
		player_tell_stats(rpc_user(call));
	rpc_reply(call, json_object_new_object());
}

static void handle_vm(struct rpc_call *call, struct json_object *params)
{
	autojson struct json_object *list = state_vms(rpc_user(call));
	const char *name = jsonx_str(params, "vm");
	struct err e;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *vm = json_object_array_get_idx(list, i);

		if (is_it(vm, name, "id") || is_it(vm, name, "name")) {
			rpc_reply(call, json_object_get(vm));
			return;
		}
	}
	err_set(&e, ENOENT, "there was no VM '%s' at this time", name);
	rpc_fail(call, &e);
}

static void handle_timing(struct rpc_call *call, struct json_object *params)
{
	struct json_object *o = state_timing(rpc_user(call), jsonx_str(params, "id"));
	struct err e;

	if (o) {
		rpc_reply(call, o);
		return;
	}
	err_set(&e, ENOENT, "no times of '%s' are in this recording", jsonx_str(params, "id"));
	rpc_fail(call, &e);
}

static void handle_refused(struct rpc_call *call, struct json_object *params)
{
	struct err e;

	(void)params;
	err_set(&e, EROFS, "this is a recording: %s does nothing here",
		proto_methods[rpc_method(call)].name);
	rpc_fail(call, &e);
}

static void on_life(struct ev_loop *loop, ev_io *w, int revents)
{
	char c;

	(void)revents;
	if (read(w->fd, &c, 1) == 0)
		ev_break(loop, EVBREAK_ALL);
}

static int serve(struct replay *p, char **argv, struct err *e)
{
	struct rpc_config c = {
		.path = argv[2],
		.listen_fd = -1,
		.handlers = {[PROTO_HELLO] = handle_hello,
			[PROTO_VM_LIST] = handle_vms,
			[PROTO_VM_GET] = handle_vm,
			[PROTO_VM_LOGS] = handle_stream,
			[PROTO_IMAGE_LIST] = handle_images,
			[PROTO_SNAPSHOT_LIST] = handle_snapshots,
			[PROTO_TIMING_LIST] = handle_timings,
			[PROTO_TIMING_GET] = handle_timing,
			[PROTO_HOST_WATCH] = handle_watch,
			[PROTO_DOCTOR] = handle_doctor,
			[PROTO_EVENT_LIST] = handle_events,
			[PROTO_REPLAY_CONTROL] = handle_control},
		.user = p,
	};
	int r = recording_load(&p->rec, argv[1], e);

	for (int i = 0; i < PROTO__COUNT; i++)
		if (!c.handlers[i] && i != PROTO_EVENT_SUBSCRIBE)
			c.handlers[i] = handle_refused;
	if (r == 0)
		r = rpc_open(&p->rpc, p->loop, &c, e);
	if (r == 0)
		player_init(p, atoll(argv[3]), atoi(argv[4]), atoi(argv[5]) != 0);
	return r;
}

int main(int argc, char **argv)
{
	struct replay p = {.loop = ev_loop_new(EVFLAG_AUTO)};
	struct err e = {0};
	ev_io life;

	if (argc != 6 || !p.loop) {
		fputs("vmdeck-replay is a part of vmdeck: use `vmdeck replay FILE`\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	/* The terminal's Ctrl-C is the console's. */
	signal(SIGINT, SIG_IGN);
	if (serve(&p, argv, &e) < 0) {
		dprintf(READY_FD, "%s\n", e.msg);
		return 1;
	}
	dprintf(READY_FD, "ready\n");
	close(READY_FD);
	ev_io_init(&life, on_life, LIFE_FD, EV_READ);
	ev_io_start(p.loop, &life);
	ev_run(p.loop, 0);
	streams_fini(&p);
	rpc_close(p.rpc);
	/* Also after a console that was killed nothing is left. */
	(void)rmdir(dirname(argv[2]));
	recording_fini(&p.rec);
	ev_loop_destroy(p.loop);
	return 0;
}
