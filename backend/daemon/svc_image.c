/* image.* calls. A build is a worker process: it may take long, need the network, or be killed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/lines.h"
#include "backend/base/log.h"
#include "backend/base/str.h"
#include "backend/daemon/daemon.h"

#define BUILD_WAITERS 16
#define BUILD_LINE    4096

struct build {
	struct build *next;
	struct daemon *d;
	char name[64];
	struct proc proc;
	int out;
	ev_io watch;
	struct buf lines;
	char step[64];
	int64_t done, total;
	uint64_t since_ns; /* wall clock */
	bool ok;
	struct err err;
	struct rpc_call *calls[BUILD_WAITERS];
};

static struct build *find_build(struct daemon *d, const char *name)
{
	struct build *b = d->builds;

	while (b && strcmp(b->name, name) != 0)
		b = b->next;
	return b;
}

/* ---- listing -------------------------------------------------------------------------------- */

static struct json_object *build_json(const struct build *b)
{
	struct json_object *o;

	if (!b)
		return NULL;
	o = json_object_new_object();
	jsonx_add_str(o, "step", b->step);
	jsonx_add_int(o, "done", b->done);
	jsonx_add_int(o, "total", b->total);
	json_object_object_add(o, "since_ns", json_object_new_uint64(b->since_ns));
	return o;
}

static struct json_object *image_json(struct daemon *d, const struct image *im, const struct err *e)
{
	struct json_object *o = json_object_new_object();
	struct build *b = find_build(d, im->name);
	char why[256] = "";
	bool bad = e && e->code, stale = !bad && image_is_stale(im, why, sizeof(why));

	jsonx_add_str(o, "name", im->name);
	jsonx_add_str(o, "state", b ? "building" : bad ? "missing" : "ready");
	jsonx_add_str(o, "kernel", im->kernel_version);
	jsonx_add_str(o, "agent", im->agent_sha256);
	jsonx_add_int(o, "bytes", (int64_t)im->bytes);
	json_object_object_add(o, "created_ns", json_object_new_uint64(im->created_ns));
	jsonx_add_bool(o, "stale", stale);
	jsonx_add_str(o, "why", bad ? e->msg : why);
	json_object_object_add(o, "build", build_json(b));
	return o;
}

struct listing {
	struct daemon *d;
	struct json_object *array;
	bool have_mini;
};

static void list_one(void *user, const struct image *im, const struct err *e)
{
	struct listing *l = user;

	if (strcmp(im->name, "mini") == 0)
		l->have_mini = true;
	json_object_array_add(l->array, image_json(l->d, im, e));
}

static void handle_list(struct rpc_call *call, struct json_object *params)
{
	struct listing l = {rpc_user(call), json_object_new_array(), false};
	struct image mini = {.name = "mini"};
	struct err e = {0};

	(void)params;
	if (image_each(&l.d->paths, list_one, &l, &e) < 0) {
		json_object_put(l.array);
		rpc_fail(call, &e);
		return;
	}
	/* The default image is shown also when it has not been built: it can be. */
	if (!l.have_mini) {
		err_set(&e, ENOENT, "not built yet: 'vmdeck image build mini'");
		json_object_array_add(l.array, image_json(l.d, &mini, &e));
	}
	rpc_reply(call, l.array);
}

/* ---- building ------------------------------------------------------------------------------- */

static void build_event(struct build *b, const char *name, const char *key, const char *text)
{
	autojson struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "image", b->name);
	if (key)
		jsonx_add_str(o, key, text);
	jsonx_add_int(o, "done", b->done);
	jsonx_add_int(o, "total", b->total);
	daemon_event(b->d, "", "", name, jsonx_line(o));
}

static void unlink_build(struct build *b)
{
	struct build **at = &b->d->builds;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
}

static void answer_all(struct build *b, const struct image *im, const struct err *e)
{
	for (int i = 0; i < BUILD_WAITERS; i++) {
		if (!b->calls[i])
			continue;
		if (im)
			rpc_reply(b->calls[i], image_json(b->d, im, NULL));
		else
			rpc_fail(b->calls[i], e);
	}
}

static void build_free(struct build *b)
{
	if (b->out >= 0)
		ev_io_stop(b->d->loop, &b->watch);
	close_fd(&b->out);
	buf_fini(&b->lines);
	free(b);
}

/* The worker's last word counts; without one it died. */
static void build_end(struct build *b, int status)
{
	struct daemon *d = b->d;
	struct image im;
	char text[80];

	if (!b->ok && !b->err.code)
		err_set(&b->err, EIO, "the builder of image '%s' ended early: %s", b->name,
			proc_status_text(text, sizeof(text), status));
	if (b->ok)
		b->ok = image_load(&d->paths, b->name, &im, &b->err) == 0;
	unlink_build(b);
	if (b->ok)
		build_event(b, "asset.build.done", NULL, NULL);
	else
		build_event(b, "asset.build.failed", "reason", b->err.msg);
	answer_all(b, b->ok ? &im : NULL, &b->err);
	build_free(b);
	daemon_check_idle(d);
}

static void use_line(struct build *b, const char *line, size_t len)
{
	autojson struct json_object *o = NULL;
	const char *step;

	if (jsonx_parse(line, len, &o, NULL) < 0)
		return;
	if (jsonx_bool(o, "ok", false)) {
		b->ok = true;
	} else if (jsonx_str(o, "error")) {
		err_set(&b->err, EIO, "%s", jsonx_str(o, "error"));
	} else if ((step = jsonx_str(o, "step"))) {
		snprintf(b->step, sizeof(b->step), "%s", step);
		b->done = jsonx_int(o, "done", 0);
		b->total = jsonx_int(o, "total", 0);
		build_event(b, "asset.build.step", "step", b->step);
	}
}

static void drain(struct build *b)
{
	char *line;
	size_t len;
	ssize_t n;

	while ((n = buf_read(&b->lines, b->out, BUILD_LINE)) > 0)
		while (lines_next(&b->lines, BUILD_LINE, &line, &len) > 0)
			use_line(b, line, len);
	if (n == 0 || (n < 0 && n != -EAGAIN)) {
		ev_io_stop(b->d->loop, &b->watch);
		close_fd(&b->out);
	}
}

static void on_worker_output(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	drain(container_of(w, struct build, watch));
}

static void on_worker_exit(struct proc *p, int status)
{
	struct build *b = p->user;

	if (b->out >= 0)
		drain(b);
	build_end(b, status);
}

static int start_worker(struct build *b, bool force, struct err *e)
{
	char self[600];
	const char *argv[] = {
		self, "--worker", "image-build", b->name, force ? "--force" : NULL, NULL};
	int fds[2], r;
	struct proc_fd map = {.to = 1};
	struct proc_spec spec = {.argv = argv, .fds = &map, .fd_count = 1, .die_with_parent = true};

	r = path_helper("vmdeckd", self, sizeof(self), e);
	if (r < 0)
		return r;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_errno(e, "cannot start the image builder");
	map.from = fds[1];
	b->out = fds[0];
	r = proc_spawn(&b->proc, b->d->loop, &spec, on_worker_exit, b, e);
	close(fds[1]);
	if (r < 0)
		return r;
	ev_io_init(&b->watch, on_worker_output, b->out, EV_READ);
	ev_io_start(b->d->loop, &b->watch);
	return 0;
}

static int add_call(struct build *b, struct rpc_call *call, struct err *e)
{
	for (int i = 0; i < BUILD_WAITERS; i++)
		if (!b->calls[i]) {
			b->calls[i] = call;
			return 0;
		}
	return err_set(e, EBUSY, "too many callers wait for the build of '%s' already", b->name);
}

static int start_build(
	struct daemon *d, const char *name, bool force, struct build **ret, struct err *e)
{
	struct build *b = xcalloc(1, sizeof(*b));
	int r;

	b->d = d;
	b->out = -1;
	b->since_ns = wall_ns();
	buf_init(&b->lines, 2 * BUILD_LINE);
	snprintf(b->name, sizeof(b->name), "%s", name);
	r = start_worker(b, force, e);
	if (r < 0) {
		build_free(b);
		return r;
	}
	b->next = d->builds;
	d->builds = b;
	build_event(b, "asset.build.start", NULL, NULL);
	*ret = b;
	return 0;
}

static void handle_build(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	const char *name = jsonx_str(params, "name");
	struct build *b = find_build(d, name);
	struct err e = {0};
	int r = str_check_name("image name", name, &e);

	if (!r && !b)
		r = start_build(d, name, jsonx_bool(params, "force", false), &b, &e);
	if (!r)
		r = add_call(b, call, &e);
	if (r < 0)
		rpc_fail(call, &e);
	daemon_check_idle(d);
}

static void handle_rm(struct rpc_call *call, struct json_object *params)
{
	struct daemon *d = rpc_user(call);
	const char *name = jsonx_str(params, "name");
	struct json_object *o;
	struct err e = {0};
	struct vm *vm;

	vm_foreach(&d->vms, vm)
	{
		if (vm_alive(vm) && strcmp(vm->spec.image, name) == 0) {
			err_set(&e, EBUSY, "image '%s' is used by VM '%s' (%s)", name,
				vm->spec.name, vm_state_names[vm->state]);
			rpc_fail(call, &e);
			return;
		}
	}
	if (find_build(d, name))
		err_set(&e, EBUSY, "image '%s' is being built", name);
	else if (image_remove(&d->paths, name, &e) == 0)
		e.code = 0;
	if (e.code) {
		rpc_fail(call, &e);
		return;
	}
	o = json_object_new_object();
	jsonx_add_str(o, "name", name);
	rpc_reply(call, o);
}

void svc_image_close(struct daemon *d)
{
	while (d->builds) {
		struct build *b = d->builds;

		proc_signal(&b->proc, SIGTERM);
		proc_forget(&b->proc);
		d->builds = b->next;
		err_set(&b->err, ECANCELED, "the daemon ends");
		answer_all(b, NULL, &b->err);
		build_free(b);
	}
}

void svc_image_register(rpc_handler **handlers)
{
	handlers[PROTO_IMAGE_LIST] = handle_list;
	handlers[PROTO_IMAGE_BUILD] = handle_build;
	handlers[PROTO_IMAGE_RM] = handle_rm;
}
