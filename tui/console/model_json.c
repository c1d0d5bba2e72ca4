/* VM and IMAGE of proto.def into the console's structs. */
#include <math.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/model_impl.h"

const char *const deck_state_names[] = {
	[DECK_STARTING] = "starting",
	[DECK_RUNNING] = "running",
	[DECK_PAUSED] = "paused",
	[DECK_STOPPING] = "stopping",
	[DECK_STOPPED] = "stopped",
	[DECK_FAILED] = "failed",
	[DECK_UNKNOWN] = "unknown",
};
_Static_assert(countof(deck_state_names) == DECK__COUNT, "a name for each state");

enum deck_state deck_state_parse(const char *name)
{
	for (int i = 0; name && i < DECK_UNKNOWN; i++)
		if (strcmp(name, deck_state_names[i]) == 0)
			return (enum deck_state)i;
	return DECK_UNKNOWN;
}

void take_str(struct json_object *o, const char *key, char *out, size_t n)
{
	const char *s = jsonx_str(o, key);

	if (s)
		str_safe(out, n, s);
}

double take_num(struct json_object *o, const char *key, double def)
{
	struct json_object *v = jsonx_get(o, key);
	double d;

	if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
		return def;
	d = json_object_get_double(v);
	return isfinite(d) && d >= 0 ? d : def;
}

uint64_t take_u64(struct json_object *o, const char *key, uint64_t def)
{
	int64_t v = jsonx_int(o, key, -1);

	return v < 0 ? def : (uint64_t)v;
}

void take_restores(struct deck_restores *r, struct json_object *o)
{
	r->count = max_of(jsonx_int(o, "count", 0), (int64_t)0);
	r->failed = max_of(jsonx_int(o, "failed", 0), (int64_t)0);
	r->p50_ms = take_num(o, "p50_ms", 0);
	r->p90_ms = take_num(o, "p90_ms", 0);
	r->p99_ms = take_num(o, "p99_ms", 0);
	r->max_ms = take_num(o, "max_ms", 0);
}

void take_making(struct deck_making *mk, struct json_object *o)
{
	struct json_object *step = jsonx_get(o, "step");

	memset(mk, 0, sizeof(*mk));
	if (!o)
		return;
	take_str(o, "name", mk->name, sizeof(mk->name));
	take_str(step, "name", mk->step, sizeof(mk->step));
	mk->n = (int)jsonx_int(step, "n", 0);
	mk->of = (int)jsonx_int(step, "of", 0);
	mk->since_ns = take_u64(step, "since_ns", 0);
	mk->done = take_u64(o, "done", 0);
	mk->total = take_u64(o, "total", 0);
}

static void decode_wait(struct deck_wait *w, struct json_object *o)
{
	memset(w, 0, sizeof(*w));
	if (!o)
		return;
	take_str(o, "name", w->name, sizeof(w->name));
	w->n = (int)jsonx_int(o, "n", 0);
	w->of = (int)jsonx_int(o, "of", 0);
	w->since_ns = take_u64(o, "since_ns", 0);
	w->limit_s = take_num(o, "limit_s", 0);
	w->place = (int)jsonx_int(o, "place", 0);
}

static void decode_vitals(struct deck_vm *vm, struct json_object *o)
{
	int64_t total = jsonx_int(o, "mem_total", 0),
		free_bytes = jsonx_int(o, "mem_available", -1);

	if (total > 0 && free_bytes >= 0 && free_bytes <= total) {
		vm->mem_total = total;
		vm->mem_used = total - free_bytes;
	}
}

void take_health(struct deck_vm *vm, struct json_object *o)
{
	struct deck_check *c = &vm->check;

	/* A word: of a daemon before there were checks, or a recording of one. */
	if (json_object_is_type(o, json_type_string))
		str_safe(vm->health, sizeof(vm->health), json_object_get_string(o));
	if (!json_object_is_type(o, json_type_object))
		return;
	take_str(o, "state", vm->health, sizeof(vm->health));
	take_str(o, "reason", c->why, sizeof(c->why));
	take_str(o, "probe", c->probe, sizeof(c->probe));
	take_str(o, "target", c->target, sizeof(c->target));
	c->at_ns = take_u64(o, "at_ns", 0);
	c->since_ns = take_u64(o, "since_ns", 0);
	c->took_ms = take_num(o, "took_ms", 0);
	c->interval_s = take_num(o, "interval_s", 0);
	c->timeout_s = take_num(o, "timeout_s", 0);
	c->failed = max_of(jsonx_int(o, "failed", 0), (int64_t)0);
}

void take_network(struct deck_vm *vm, struct json_object *o)
{
	struct deck_net *n = &vm->net;

	if (!json_object_is_type(o, json_type_object))
		return;
	take_str(o, "mode", n->mode, sizeof(n->mode));
	take_str(o, "address", n->address, sizeof(n->address));
	take_str(o, "why", n->why, sizeof(n->why));
	n->up = jsonx_bool(o, "up", false);
}

bool deck_vm_decode(struct deck_vm *vm, struct json_object *o)
{
	struct json_object *part;

	if (!jsonx_str(o, "id") || !*jsonx_str(o, "id"))
		return false;
	take_str(o, "id", vm->id, sizeof(vm->id));
	take_str(o, "name", vm->name, sizeof(vm->name));
	take_str(o, "reason", vm->reason, sizeof(vm->reason));
	take_str(o, "image", vm->image, sizeof(vm->image));
	take_str(o, "vmm", vm->vmm, sizeof(vm->vmm));
	take_str(o, "accel", vm->accel, sizeof(vm->accel));
	take_str(o, "generation", vm->generation, sizeof(vm->generation));
	vm->state = deck_state_parse(jsonx_str(o, "state"));
	vm->vcpus = (int)jsonx_int(o, "vcpus", vm->vcpus);
	vm->mem_mib = jsonx_int(o, "mem_mib", vm->mem_mib);
	vm->created_ns = take_u64(o, "created_ns", vm->created_ns);
	vm->started_ns = take_u64(o, "started_ns", vm->started_ns);
	vm->since_ns = take_u64(o, "state_since_ns", vm->since_ns);
	vm->boot_ms = take_num(o, "boot_ms", vm->boot_ms);
	decode_wait(&vm->wait, jsonx_get(o, "step"));
	take_health(vm, jsonx_get(o, "health"));
	take_network(vm, jsonx_get(o, "network"));
	take_str(o, "snapshot", vm->snapshot, sizeof(vm->snapshot));
	take_making(&vm->making, jsonx_get(o, "snapshotting"));
	vm->agent = jsonx_bool(jsonx_get(o, "agent"), "connected", false);
	vm->checked_ns =
		max_of(vm->checked_ns, max_of(take_u64(jsonx_get(o, "agent"), "since_ns", 0),
					       take_u64(jsonx_get(o, "vitals"), "at_ns", 0)));
	part = jsonx_get(o, "output");
	vm->out_first = take_u64(part, "first", vm->out_first);
	vm->out_end = take_u64(part, "end", vm->out_end);
	decode_vitals(vm, jsonx_get(o, "vitals"));
	part = jsonx_get(o, "exit");
	vm->exited = part != NULL;
	take_str(part, "how", vm->exit_how, sizeof(vm->exit_how));
	vm->exit_value = jsonx_int(part, "value", 0);
	vm->tty = jsonx_bool(o, "tty", true);
	vm->gone = vm->kept = false;
	return true;
}

void deck_image_decode(struct deck_image *im, struct json_object *o)
{
	struct json_object *build = jsonx_get(o, "build");

	memset(im, 0, sizeof(*im));
	take_str(o, "name", im->name, sizeof(im->name));
	take_str(o, "state", im->state, sizeof(im->state));
	take_str(o, "why", im->why, sizeof(im->why));
	take_str(o, "kernel", im->kernel, sizeof(im->kernel));
	take_str(o, "agent", im->agent, sizeof(im->agent));
	im->created_ns = take_u64(o, "created_ns", 0);
	im->stale = jsonx_bool(o, "stale", false);
	im->bytes = take_u64(o, "bytes", 0);
	take_str(build, "step", im->step, sizeof(im->step));
	im->done = take_u64(build, "done", 0);
	im->total = take_u64(build, "total", 0);
	im->since_ns = take_u64(build, "since_ns", 0);
}
