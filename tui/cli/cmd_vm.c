/* Commands that do one thing to each of several VMs (images, snapshots): all are asked at once,
 * each one is reported, one that fails does not keep the others. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/cli.h"

#define AT_ONCE 32 /* the daemon takes 64 unanswered calls of a connection */

struct batch;
struct target;

/* What one command asks and how it says that it is done. */
struct deed {
	const char *method;
	const char *key;  /* parameter that names the thing */
	const char *done; /* "paused" */
	void (*add)(const struct cli *c, struct json_object *params);
	/* Words behind the name instead of done; may be NULL. */
	char *(*tell)(char *out, size_t n, const struct target *t);
	int at_once; /* 0: AT_ONCE */
};

struct target {
	struct batch *batch;
	const char *name;
	struct json_object *result; /* owned; NULL: not answered yet, or failed */
	int r;
	bool answered;
	uint64_t begin_ns;
	struct err err;
};

struct batch {
	struct cli *c;
	const struct deed *deed;
	struct target *targets;
	int count, sent, answered, failed;
	bool late;
};

static void report(const struct target *t)
{
	const struct deed *d = t->batch->deed;
	char words[120], safe[100];

	str_safe(safe, sizeof(safe), t->name);
	if (t->r < 0)
		cli_fail(&t->err, EXIT_FAILED);
	else if (!t->batch->c->json)
		printf("%s: %s\n", safe, d->tell ? d->tell(words, sizeof(words), t) : d->done);
}

static void send_more(struct batch *b);

static void on_reply(void *user, int r, struct json_object *result, const struct err *e)
{
	struct target *t = user;
	struct batch *b = t->batch;

	t->answered = true;
	t->r = r;
	t->result = r < 0 ? NULL : json_object_get(result);
	if (r < 0)
		t->err = *e;
	b->answered++;
	b->failed += r < 0;
	report(t);
	fflush(stdout);
	send_more(b);
	if (b->answered == b->count)
		ev_break(b->c->loop, EVBREAK_ONE);
}

static struct json_object *make_params(const struct batch *b, const char *name)
{
	struct json_object *params = json_object_new_object();

	jsonx_add_str(params, b->deed->key, name);
	if (b->deed->add)
		b->deed->add(b->c, params);
	return params;
}

static int at_once(const struct deed *d)
{
	return d->at_once ? d->at_once : AT_ONCE;
}

static void send_more(struct batch *b)
{
	while (b->sent < b->count && b->sent - b->answered < at_once(b->deed)) {
		struct target *t = &b->targets[b->sent++];

		t->begin_ns = mono_ns();
		if (api_call(b->c->api, b->deed->method, make_params(b, t->name), on_reply, t,
			    &t->err) < 0) {
			t->answered = true;
			t->r = -t->err.code;
			b->answered++;
			b->failed++;
			report(t);
		}
	}
}

static void on_late(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct batch *b = w->data;

	(void)revents;
	b->late = true;
	ev_break(loop, EVBREAK_ONE);
}

static void wait_all(struct batch *b, double limit)
{
	ev_timer timer;

	ev_timer_init(&timer, on_late, limit, 0);
	timer.data = b;
	ev_now_update(b->c->loop);
	ev_timer_start(b->c->loop, &timer);
	while (b->answered < b->count && !b->late)
		ev_run(b->c->loop, 0);
	ev_timer_stop(b->c->loop, &timer);
	for (int i = 0; i < b->count; i++) {
		struct target *t = &b->targets[i];

		if (t->answered)
			continue;
		t->r = err_set(&t->err, ETIMEDOUT, "%s: vmdeckd did not answer %s in %.0f s",
			t->name, b->deed->method, limit);
		b->failed++;
		report(t);
	}
}

static void print_results(const struct batch *b)
{
	autojson struct json_object *list = json_object_new_array();

	for (int i = 0; i < b->count; i++) {
		const struct target *t = &b->targets[i];
		struct json_object *o = json_object_get(t->result);

		if (t->r < 0) {
			o = json_object_new_object();
			jsonx_add_str(o, b->deed->key, t->name);
			jsonx_add_str(o, "error", t->err.msg);
		}
		json_object_array_add(list, o);
	}
	cli_print_json(list, false);
}

/* extra: s that the deed itself may take. */
static int run(struct cli *c, const struct deed *deed, double extra)
{
	struct batch b = {.c = c, .deed = deed, .count = c->opts.argc};
	struct err e = {0};

	if (cli_open(c, false, &e) < 0)
		return cli_fail(&e, EXIT_FAILED);
	b.targets = xcalloc((size_t)b.count, sizeof(*b.targets));
	for (int i = 0; i < b.count; i++) {
		b.targets[i].batch = &b;
		b.targets[i].name = c->opts.args[i];
	}
	send_more(&b);
	wait_all(&b, (CLI_CALL_S + extra) * (b.count / at_once(deed) + 1));
	/* Answers that are late must not find the targets gone. */
	api_close(c->api);
	c->api = NULL;
	if (c->json)
		print_results(&b);
	for (int i = 0; i < b.count; i++)
		json_object_put(b.targets[i].result);
	free(b.targets);
	return b.failed ? EXIT_FAILED : EXIT_OK;
}

int cmd_pause(struct cli *c)
{
	static const struct deed deed = {"vm.pause", "vm", "paused", NULL, NULL, 0};

	return run(c, &deed, 0);
}

int cmd_resume(struct cli *c)
{
	static const struct deed deed = {"vm.resume", "vm", "resumed", NULL, NULL, 0};

	return run(c, &deed, 0);
}

int cmd_kill(struct cli *c)
{
	static const struct deed deed = {"vm.kill", "vm", "killed", NULL, NULL, 0};

	return run(c, &deed, 0);
}

static void add_timeout(const struct cli *c, struct json_object *params)
{
	if (opt_given(&c->opts, "timeout"))
		jsonx_add_int(params, "timeout_s", opt_num(&c->opts, "timeout", 0));
}

/* A guest that had to be killed says so in its reason. */
static char *tell_stop(char *out, size_t n, const struct target *t)
{
	const char *reason = jsonx_str(t->result, "reason");
	char took[32], safe[80];

	str_duration(took, sizeof(took), mono_ns() - t->begin_ns);
	snprintf(out, n, "stopped in %s%s%s%s", took, reason && *reason ? " (" : "",
		str_safe(safe, sizeof(safe), reason ? reason : ""), reason && *reason ? ")" : "");
	return out;
}

int cmd_stop(struct cli *c)
{
	static const struct deed deed = {"vm.stop", "vm", "stopped", add_timeout, tell_stop, 0};

	return run(c, &deed, (double)opt_num(&c->opts, "timeout", 10));
}

static void add_force(const struct cli *c, struct json_object *params)
{
	if (opt_given(&c->opts, "force"))
		jsonx_add_bool(params, "force", true);
}

int cmd_rm(struct cli *c)
{
	static const struct deed vms = {"vm.rm", "vm", "removed", add_force, NULL, 0};
	struct err e;

	if (!opt_given(&c->opts, "snapshot"))
		return run(c, &vms, 0);
	if (opt_given(&c->opts, "force")) {
		err_set(&e, EINVAL,
			"--force does not go with --snapshot: remove the VMs that use it first");
		return cli_fail(&e, EXIT_USAGE);
	}
	return cmd_snapshot_rm(c);
}

int cmd_snapshot_rm(struct cli *c)
{
	static const struct deed deed = {"snapshot.rm", "name", "removed", NULL, NULL, 0};

	return run(c, &deed, 0);
}

static char *tell_verify(char *out, size_t n, const struct target *t)
{
	char size[32], took[32];

	snprintf(out, n, "whole, %s read in %s",
		str_bytes(
			size, sizeof(size), (uint64_t)max_of(jsonx_int(t->result, "bytes", 0), 0)),
		str_duration(took, sizeof(took), mono_ns() - t->begin_ns));
	return out;
}

int cmd_snapshot_verify(struct cli *c)
{
	static const struct deed deed = {"snapshot.verify", "name", "whole", NULL, tell_verify, 1};

	return run(c, &deed, CLI_VERIFY_S);
}

int cmd_image_rm(struct cli *c)
{
	static const struct deed deed = {"image.rm", "name", "removed", NULL, NULL, 0};

	return run(c, &deed, 0);
}

static char *tell_ping(char *out, size_t n, const struct target *t)
{
	int execs = (int)jsonx_int(t->result, "execs", 0);
	char rtt[32], up[32];

	snprintf(out, n, "answered in %s, up %s, %d command%s running",
		str_duration(rtt, sizeof(rtt), (uint64_t)jsonx_int(t->result, "rtt_ns", 0)),
		str_duration(up, sizeof(up), (uint64_t)jsonx_int(t->result, "uptime_ns", 0)), execs,
		execs == 1 ? "" : "s");
	return out;
}

int cmd_ping(struct cli *c)
{
	static const struct deed deed = {"vm.ping", "vm", "answered", NULL, tell_ping, 0};

	return run(c, &deed, 0);
}
