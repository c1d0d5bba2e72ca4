/* The recorder: one connection, all events, and what they say has changed. */
#include "tui/record/recorder.h"

#include <errno.h>
#include <string.h>

#include "backend/api/proto.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/record/impl.h"

#define OPEN_TIMEOUT    5.
#define CONSOLE_TIMEOUT 0.5 /* s that the screen may stand still */
#define TIMINGS         200
#define EVENTS          300
#define STATS_MS        1000

void recorder_failed(struct recorder *r, const struct err *why)
{
	if (r->failed)
		return;
	r->failed = true;
	r->why = *why;
	ev_timer_start(r->loop, &r->fail);
}

static void on_fail(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct recorder *r = w->data;

	(void)loop;
	(void)revents;
	r->ended(r->user, &r->why);
}

/* ---- calls ----------------------------------------------------------------------------------- */

static uint64_t text_hash(const char *s)
{
	uint64_t h = 14695981039346656037ull;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 1099511628211ull;
	return h;
}

static void ask(struct recorded_ask *q);
static void take_vms(struct recorder *r, struct json_object *list);

static void on_answer(void *user, int r, struct json_object *result, const struct err *e)
{
	struct recorded_ask *q = user;
	struct recorder *rec = q->r;
	struct err why = {0};
	uint64_t hash;

	(void)e;
	q->asking = false;
	if (rec->failed)
		return;
	/* Refused: it is gone meanwhile, and the event that says so is on its way. */
	if (r == 0 && (hash = text_hash(jsonx_line(result))) != q->stored) {
		q->stored = hash;
		if (record_answer(&rec->out, record_calls[q->call], q->vm ? q->vm->id : NULL,
			    q->asked, result, &why) < 0) {
			recorder_failed(rec, &why);
			return;
		}
	}
	if (r == 0 && q->call == RECORD_VM_LIST)
		take_vms(rec, result);
	if (q->again)
		ask(q);
}

static void ask(struct recorded_ask *q)
{
	struct json_object *o;
	struct err e = {0};

	q->again = q->asking;
	if (q->asking || q->r->failed)
		return;
	o = json_object_new_object();
	if (q->vm)
		jsonx_add_str(o, q->call == RECORD_TIMING_GET ? "id" : "vm", q->vm->id);
	if (q->call == RECORD_TIMING_LIST)
		jsonx_add_int(o, "limit", TIMINGS);
	if (q->call == RECORD_EVENT_LIST)
		jsonx_add_int(o, "limit", EVENTS);
	q->asked = record_now(&q->r->out);
	q->asking = api_call(q->r->api, record_calls[q->call], o, on_answer, q, &e) == 0;
}

/* ---- VMs ------------------------------------------------------------------------------------- */

static struct recorded_vm *vm_find(struct recorder *r, const char *id)
{
	for (struct recorded_vm *vm = r->vms; vm; vm = vm->next)
		if (strcmp(vm->id, id) == 0)
			return vm;
	return NULL;
}

static struct recorded_vm *vm_add(struct recorder *r, const char *id, const char *name, bool fresh)
{
	struct recorded_vm *vm = xcalloc(1, sizeof(*vm));

	snprintf(vm->id, sizeof(vm->id), "%s", id);
	snprintf(vm->name, sizeof(vm->name), "%s", name ? name : "");
	vm->fresh = fresh;
	vm->get = (struct recorded_ask){.r = r, .vm = vm, .call = RECORD_VM_GET};
	vm->timing = (struct recorded_ask){.r = r, .vm = vm, .call = RECORD_TIMING_GET};
	for (int i = 0; i < RECORD_SOURCES; i++)
		vm->stream[i] =
			(struct recorded_stream){.r = r, .vm = vm, .source = (enum record_source)i};
	vm->next = r->vms;
	r->vms = vm;
	return vm;
}

static void take_vms(struct recorder *r, struct json_object *list)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *id = jsonx_str(o, "id");

		if (id && strlen(id) <= NAME_MAX_BYTES && !vm_find(r, id))
			recorded_follow(vm_add(r, id, jsonx_str(o, "name"), false));
	}
}

/* ---- events ---------------------------------------------------------------------------------- */

/* What an event is asked about, beside the VM itself. */
enum { ASK_VM = 1, ASK_TIMING = 2, ASK_SNAPSHOTS = 4, ASK_IMAGES = 8, GONE = 16 };

static const struct {
	const char *name; /* a dot at the end: all that begin so */
	unsigned what;
} event_asks[] = {
	{"vitals", 0},
	{"vsock.", 0},
	{"snapshot.progress", ASK_SNAPSHOTS},
	{"vm.create", ASK_VM | ASK_TIMING},
	{"flow.step", ASK_VM | ASK_TIMING | ASK_SNAPSHOTS},
	{"vm.boot", ASK_VM | ASK_TIMING},
	{"vm.boot.failed", ASK_TIMING},
	{"vm.restore", ASK_VM | ASK_TIMING | ASK_SNAPSHOTS},
	{"vm.restore.failed", ASK_TIMING | ASK_SNAPSHOTS},
	{"vm.remove", ASK_SNAPSHOTS | GONE},
	{"vm.rollback", ASK_TIMING | ASK_SNAPSHOTS | GONE},
	{"vm.snapshot", ASK_VM | ASK_SNAPSHOTS},
	{"vm.", ASK_VM | ASK_SNAPSHOTS},
	{"snapshot.", ASK_SNAPSHOTS},
	{"pool.", ASK_SNAPSHOTS},
	{"asset.", ASK_IMAGES},
	{"image.", ASK_IMAGES},
};

static unsigned asks_of(const char *name)
{
	for (size_t i = 0; i < countof(event_asks); i++) {
		size_t n = strlen(event_asks[i].name);

		if (event_asks[i].name[n - 1] == '.' ? !strncmp(name, event_asks[i].name, n)
						     : !strcmp(name, event_asks[i].name))
			return event_asks[i].what;
	}
	return ASK_VM;
}

static void ask_about(struct recorder *r, struct recorded_vm *vm, unsigned what)
{
	if (vm && (what & ASK_TIMING))
		ask(&vm->timing);
	if (vm && (what & GONE))
		vm->gone = true;
	if (vm && (what & ASK_VM) && !vm->gone)
		ask(&vm->get);
	if (vm && (what & ASK_VM))
		recorded_follow(vm);
	if (what & ASK_SNAPSHOTS)
		ask(&r->list[RECORD_SNAPSHOT_LIST]);
	if (what & ASK_IMAGES)
		ask(&r->list[RECORD_IMAGE_LIST]);
}

static void on_event(void *user, struct json_object *event, bool gap)
{
	struct recorder *r = user;
	const char *id = jsonx_str(event, "vm"), *name = jsonx_str(event, "name");
	struct recorded_vm *vm;
	struct err e = {0};

	if (r->failed || !name)
		return;
	if (record_event(&r->out, event, &e) < 0) {
		recorder_failed(r, &e);
		return;
	}
	vm = id && *id ? vm_find(r, id) : NULL;
	if (!vm && id && *id && strlen(id) <= NAME_MAX_BYTES && strcmp(name, "vm.create") == 0)
		vm = vm_add(r, id, jsonx_str(event, "vm_name"), true);
	ask_about(r, vm, asks_of(name));
	for (int i = 0; i < RECORD_CALLS && gap; i++)
		if (r->list[i].r)
			ask(&r->list[i]);
}

static void on_stats(void *user, struct json_object *host)
{
	struct recorder *r = user;
	struct err e = {0};

	if (!r->failed && record_stats(&r->out, host, &e) < 0)
		recorder_failed(r, &e);
}

static int watch_host(struct recorder *r, struct err *e)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_int(o, "interval_ms", STATS_MS);
	api_set_stats_handler(r->api, on_stats, r);
	return api_call(r->api, "host.watch", o, NULL, NULL, e);
}

static void on_lost(void *user, const struct err *e)
{
	recorder_failed(user, e);
}

/* ---- start and end --------------------------------------------------------------------------- */

static int connect_all(struct recorder *r, bool from_console, struct err *e)
{
	static const enum record_call lists[] = {RECORD_VM_LIST, RECORD_IMAGE_LIST,
		RECORD_SNAPSHOT_LIST, RECORD_TIMING_LIST, RECORD_EVENT_LIST, RECORD_DOCTOR};
	const struct api_opts opts = {.client = "vmdeck record " VMDECK_VERSION,
		.timeout = from_console ? CONSOLE_TIMEOUT : OPEN_TIMEOUT,
		.no_start = from_console};
	int n = api_open(&r->api, r->loop, &opts, e);

	if (n < 0)
		return n;
	api_set_event_handler(r->api, on_event, r);
	api_set_lost_handler(r->api, on_lost, r);
	n = api_call(r->api, "event.subscribe", NULL, NULL, NULL, e);
	if (n == 0)
		n = watch_host(r, e);
	if (n < 0)
		return n;
	for (size_t i = 0; i < countof(lists); i++) {
		r->list[lists[i]] = (struct recorded_ask){.r = r, .call = lists[i]};
		ask(&r->list[lists[i]]);
	}
	return 0;
}

int recorder_start(struct recorder **ret, struct ev_loop *loop, const struct recorder_opts *o,
	void (*ended)(void *user, const struct err *why), void *user, struct err *e)
{
	struct recorder *r = xcalloc(1, sizeof(*r));
	int n;

	r->loop = loop;
	r->ended = ended;
	r->user = user;
	r->out.fd = -1;
	r->path = xstrdup(o->path);
	ev_timer_init(&r->fail, on_fail, 0, 0);
	r->fail.data = r;
	if (o->vm_count) {
		r->wanted = xcalloc((size_t)o->vm_count + 1, sizeof(*r->wanted));
		for (int i = 0; i < o->vm_count; i++)
			r->wanted[i] = xstrdup(o->vms[i]);
	}
	n = record_create(&r->out, o->path, VMDECK_VERSION, o->max ? o->max : RECORD_MAX, e);
	if (n == 0) {
		n = connect_all(r, o->from_console, e);
		if (n < 0)
			(void)unlink(o->path);
	}
	if (n < 0) {
		recorder_stop(r, "");
		return n;
	}
	*ret = r;
	return 0;
}

void recorder_stop(struct recorder *r, const char *why)
{
	struct recorded_vm *next;

	if (!r)
		return;
	ev_timer_stop(r->loop, &r->fail);
	r->failed = true;
	for (struct recorded_vm *vm = r->vms; vm; vm = next) {
		next = vm->next;
		recorded_unfollow(vm);
		free(vm);
	}
	api_close(r->api);
	record_close(&r->out, why);
	strv_free(r->wanted);
	free(r->path);
	free(r);
}

int recorder_mark(struct recorder *r, const char *text, struct err *e)
{
	return record_mark(&r->out, text, e);
}

uint64_t recorder_bytes(const struct recorder *r)
{
	return r->out.bytes;
}

int64_t recorder_ms(const struct recorder *r)
{
	return record_now(&r->out);
}

const char *recorder_path(const struct recorder *r)
{
	return r->path;
}
