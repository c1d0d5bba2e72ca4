#include "tests/support/rpcfake.h"

#include <dirent.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/wire.h"
#include "backend/base/jsonx.h"
#include "backend/rpc/rpc.h"

struct fake {
	struct ev_loop *loop;
	struct events *events;
	struct rpc_server *rpc;
	uint64_t skip; /* events not to publish */
};

static void on_event(void *user, const struct event *ev)
{
	struct fake *f = user;

	if (f->skip)
		f->skip--;
	else
		rpc_publish(f->rpc, ev);
}

/* ---- streams: blocking, in a child ----------------------------------------------------------- */

struct stream {
	int fd;
	struct wire_reader r;
	uint8_t buf[WIRE_HEADER + WIRE_PAYLOAD_MAX];
};

static void send_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t r = send(fd, p, n, MSG_NOSIGNAL);

		if (r <= 0)
			_exit(0);
		p += r;
		n -= (size_t)r;
	}
}

static void send_frame(struct stream *s, uint8_t type, const void *data, size_t n)
{
	uint8_t head[WIRE_HEADER];

	wire_header(head, type, (uint32_t)n);
	send_all(s->fd, head, sizeof(head));
	send_all(s->fd, data, n);
}

static void send_u32(struct stream *s, uint8_t type, uint32_t v)
{
	uint8_t out[32];
	int n = wire_put_u32(out, sizeof(out), type, v);

	send_all(s->fd, out, (size_t)n);
}

static void send_exit(struct stream *s, uint8_t type, uint8_t how, int32_t value)
{
	uint8_t out[32];
	int n = wire_put_exit(out, sizeof(out), type, how, value);

	send_all(s->fd, out, (size_t)n);
}

static struct wire_frame next_frame(struct stream *s)
{
	struct wire_frame f;

	for (;;) {
		int r = wire_next(&s->r, &f);
		size_t room;
		uint8_t *p;
		ssize_t n;

		if (r > 0)
			return f;
		if (r < 0)
			_exit(1);
		p = wire_room(&s->r, &room);
		n = read(s->fd, p, room);
		if (n <= 0)
			_exit(0);
		wire_commit(&s->r, (size_t)n);
	}
}

/* STDIN comes back by STDOUT, in small credits; RESIZE and SIGNAL come back as text. */
static void exec_echo(struct stream *s, uint8_t type)
{
	char text[64];

	send_u32(s, WIRE_STARTED, 7);
	send_u32(s, WIRE_CREDIT, 1000);
	for (;;) {
		struct wire_frame f = next_frame(s);
		uint16_t rows, cols;

		if (f.type == WIRE_STDIN) {
			uint32_t n = f.len;

			send_frame(s, type, f.payload, n);
			send_u32(s, WIRE_CREDIT, n);
		} else if (f.type == WIRE_RESIZE && wire_get_size(&f, &rows, &cols) == 0) {
			snprintf(text, sizeof(text), "[%ux%u]", rows, cols);
			send_frame(s, type, text, strlen(text));
		} else if (f.type == WIRE_SIGNAL) {
			snprintf(text, sizeof(text), "[signal %u]", f.payload[0]);
			send_frame(s, type, text, strlen(text));
			send_exit(s, WIRE_EXIT, WIRE_SIGNALED, f.payload[0]);
			return;
		} else if (f.type == WIRE_STDIN_EOF) {
			send_exit(s, WIRE_EXIT, WIRE_EXITED, 3);
			return;
		}
	}
}

/* Every byte of the flood is the low byte of its offset by 4096. */
static void exec_flood(struct stream *s, int mib)
{
	static uint8_t chunk[WIRE_CHUNK];

	for (uint64_t at = 0; at < (uint64_t)mib << 20; at += sizeof(chunk)) {
		for (size_t i = 0; i < sizeof(chunk); i++)
			chunk[i] = (uint8_t)((at + i) >> 12);
		send_frame(s, WIRE_STDOUT, chunk, sizeof(chunk));
	}
	send_exit(s, WIRE_EXIT, WIRE_EXITED, 0);
}

static void run_exec(struct stream *s, const char *what, int n)
{
	uint8_t out[100];
	int len;

	if (!strcmp(what, "echo")) {
		exec_echo(s, WIRE_STDOUT);
	} else if (!strcmp(what, "echo-err")) {
		exec_echo(s, WIRE_STDERR);
	} else if (!strcmp(what, "refuse")) {
		len = wire_put_refused(out, sizeof(out), 127, "\033[1mno such command");
		send_all(s->fd, out, (size_t)len);
	} else if (!strcmp(what, "garbage")) {
		send_all(s->fd, "this is no frame at all", 23);
		next_frame(s);
	} else if (!strcmp(what, "misplaced")) {
		send_u32(s, WIRE_OUT_CREDIT, 5);
		next_frame(s);
	} else if (!strcmp(what, "flood")) {
		exec_flood(s, n);
	} else if (!strcmp(what, "count")) {
		for (int i = 0; i < n; i++)
			send_frame(s, WIRE_STDOUT, "x", 1);
		send_exit(s, WIRE_EXIT, WIRE_NOT_STARTED, 126);
	} else if (!strcmp(what, "silent")) {
		next_frame(s);
	}
	/* "drop": just the end */
}

static void send_output(struct stream *s, uint64_t at, size_t n)
{
	uint8_t out[WIRE_HEADER + 8 + 4096], data[4096];

	while (n) {
		size_t k = min_of(n, sizeof(data));
		int len;

		memset(data, 'o', k);
		len = wire_put_out_data(out, sizeof(out), at, data, k);
		send_all(s->fd, out, (size_t)len);
		at += k;
		n -= k;
	}
}

static void run_attach(struct stream *s)
{
	uint8_t out[WIRE_HEADER + 8 + WIRE_CHUNK];
	uint64_t at = 100;

	send_output(s, 0, 100);
	for (;;) {
		struct wire_frame f = next_frame(s);
		int len;

		if (f.type != WIRE_OUT_INPUT)
			continue;
		if (f.len == 1 && f.payload[0] == 'q') {
			send_exit(s, WIRE_OUT_MAIN_EXIT, WIRE_EXITED, 9);
			return;
		}
		len = wire_put_out_data(out, sizeof(out), at, f.payload, f.len);
		send_all(s->fd, out, (size_t)len);
		at += f.len;
	}
}

/* The child keeps only its stream: the daemon's other connections end with the daemon. */
static void stream_child(int fd, enum proto_id method, const char *what, int n)
{
	struct stream s = {.fd = 3};

	dup2(fd, 3);
	close_range(4, ~0u, 0);
	fcntl(3, F_SETFL, 0);
	wire_reader_init(&s.r, s.buf, sizeof(s.buf));
	if (method == PROTO_VM_EXEC)
		run_exec(&s, what, n);
	else if (method == PROTO_VM_ATTACH)
		run_attach(&s);
	else
		send_output(&s, 0, (size_t)n);
	_exit(0);
}

static void on_stream(struct rpc_call *call, struct json_object *params)
{
	enum proto_id method = rpc_method(call);
	struct json_object *argv = jsonx_get(params, "argv");
	const char *what = "";
	int n = (int)jsonx_int(params, "tail", 0), fd;

	if (argv)
		what = json_object_get_string(json_object_array_get_idx(argv, 0));
	if (argv && json_object_array_length(argv) > 1)
		n = atoi(json_object_get_string(json_object_array_get_idx(argv, 1)));
	if (!strcmp(what, "error")) {
		struct err e;

		err_set(&e, EINVAL, "VM 'a' is paused");
		rpc_fail(call, &e);
		return;
	}
	if (rpc_upgrade(call, json_object_new_string("open"), &fd, NULL) < 0)
		return;
	if (fork() == 0)
		stream_child(fd, method, what, n);
	close(fd);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static void on_hello(struct rpc_call *call, struct json_object *params)
{
	const char *protocol = getenv("FAKE_PROTOCOL");
	struct json_object *o;
	struct err e;

	if (protocol && !strcmp(protocol, "refuse")) {
		err_set(&e, EPROTO, "vmdeckd 7.0 speaks protocol 7, the client %d",
			(int)jsonx_int(params, "protocol", 0));
		rpc_fail(call, &e);
		return;
	}
	o = json_object_new_object();
	jsonx_add_int(o, "protocol", protocol ? atoi(protocol) : PROTO_VERSION);
	jsonx_add_str(o, "version", "9.9");
	jsonx_add_int(o, "pid", getpid());
	rpc_reply(call, o);
}

static void on_list(struct rpc_call *call, struct json_object *params)
{
	(void)params;
	rpc_reply(call, json_object_new_array());
}

static void on_get(struct rpc_call *call, struct json_object *params)
{
	struct err e;

	err_set(&e, ENOENT, "there is no VM '%s'", jsonx_str(params, "vm"));
	rpc_fail(call, &e);
}

static void on_ping(struct rpc_call *call, struct json_object *params)
{
	(void)call; /* kept for ever: the process is short-lived */
	(void)params;
}

static void on_kill(struct rpc_call *call, struct json_object *params)
{
	(void)call;
	(void)params;
	_exit(0);
}

static void on_stop(struct rpc_call *call, struct json_object *params)
{
	struct fake *f = rpc_user(call);

	for (int64_t i = 0; i < jsonx_int(params, "timeout_s", 0); i++)
		events_add(f->events, "0badcafe", "web", "test", NULL);
	rpc_reply(call, NULL);
}

static void on_pause(struct rpc_call *call, struct json_object *params)
{
	struct fake *f = rpc_user(call);

	(void)params;
	f->skip = 3;
	for (int i = 0; i < 4; i++)
		events_add(f->events, "0badcafe", "web", "test", NULL);
	rpc_reply(call, NULL);
}

static void on_daemon_stop(struct rpc_call *call, struct json_object *params)
{
	struct fake *f = rpc_user(call);

	(void)params;
	rpc_reply(call, json_object_new_object());
	ev_break(f->loop, EVBREAK_ALL);
}

static int count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void on_images(struct rpc_call *call, struct json_object *params)
{
	struct json_object *o = json_object_new_object();

	(void)params;
	jsonx_add_int(o, "pid", getpid());
	jsonx_add_int(o, "fds", count_fds());
	jsonx_add_int(o, "session", getsid(0));
	rpc_reply(call, o);
}

/* A result that is no JSON inside: the whole line is none. */
static void on_resume(struct rpc_call *call, struct json_object *params)
{
	struct json_object *o = json_object_new_object();

	(void)params;
	json_object_set_serializer(
		o, json_object_userdata_to_json_string, strdup("}{"), json_object_free_userdata);
	rpc_reply(call, o);
}

/* ---- process --------------------------------------------------------------------------------- */

static int fake_open(struct fake *f, struct err *e)
{
	struct rpc_config c = {
		.listen_fd = -1,
		.handlers = {[PROTO_HELLO] = on_hello,
			[PROTO_VM_LIST] = on_list,
			[PROTO_VM_GET] = on_get,
			[PROTO_VM_PING] = on_ping,
			[PROTO_VM_KILL] = on_kill,
			[PROTO_VM_STOP] = on_stop,
			[PROTO_VM_PAUSE] = on_pause,
			[PROTO_VM_RESUME] = on_resume,
			[PROTO_IMAGE_LIST] = on_images,
			[PROTO_DAEMON_STOP] = on_daemon_stop,
			[PROTO_VM_EXEC] = on_stream,
			[PROTO_VM_ATTACH] = on_stream,
			[PROTO_VM_LOGS] = on_stream},
		.user = f,
	};
	autofree char *db = xasprintf("%s/vmdeck.db", getenv("VMDECK_HOME"));
	autofree char *sock = xasprintf("%s/daemon.sock", getenv("VMDECK_RUNTIME"));
	int r = events_open(&f->events, db, on_event, f, e);

	c.path = sock;
	c.events = f->events;
	return r < 0 ? r : rpc_open(&f->rpc, f->loop, &c, e);
}

int fake_main(int ready_fd)
{
	struct fake f = {.loop = ev_loop_new(EVFLAG_AUTO)};
	struct err e;

	signal(SIGCHLD, SIG_IGN);
	if (fake_open(&f, &e) < 0) {
		dprintf(ready_fd, "%s\n", e.msg);
		return 1;
	}
	dprintf(ready_fd, "ready\n");
	close(ready_fd);
	ev_run(f.loop, 0);
	rpc_close(f.rpc);
	f.rpc = NULL;
	events_close(f.events);
	ev_loop_destroy(f.loop);
	return 0;
}

pid_t fake_start(void)
{
	char line[300];
	int fds[2];
	pid_t pid;

	if (pipe(fds) < 0)
		abort();
	pid = fork();
	if (!pid) {
		dup2(fds[1], 3);
		close_range(4, ~0u, 0);
		_exit(fake_main(3));
	}
	close(fds[1]);
	if (read(fds[0], line, sizeof(line)) < 6 || memcmp(line, "ready\n", 6) != 0)
		abort();
	close(fds[0]);
	return pid;
}

void fake_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void fake_home(const char *dir)
{
	autofree char *home = xasprintf("%s/home", dir);
	autofree char *runtime = xasprintf("%s/run", dir);

	mkdir(home, 0700);
	mkdir(runtime, 0700);
	setenv("VMDECK_HOME", home, 1);
	setenv("VMDECK_RUNTIME", runtime, 1);
}
