/* VM and IMAGE of proto.def into the console's structs. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/model.h"

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

/* Text of a key, made harmless; what is there stays when the key is missing. */
static void take_str(struct json_object *o, const char *key, char *out, size_t n)
{
	const char *s = jsonx_str(o, key);

	if (s)
		str_safe(out, n, s);
}

static double number(struct json_object *o, const char *key, double def)
{
	struct json_object *v = jsonx_get(o, key);

	if (json_object_is_type(v, json_type_double))
		return json_object_get_double(v);
	return (double)jsonx_int(o, key, (int64_t)def);
}

static uint64_t u64(struct json_object *o, const char *key, uint64_t def)
{
	int64_t v = jsonx_int(o, key, -1);

	return v < 0 ? def : (uint64_t)v;
}

static void decode_wait(struct deck_wait *w, struct json_object *o)
{
	memset(w, 0, sizeof(*w));
	if (!o)
		return;
	take_str(o, "name", w->name, sizeof(w->name));
	w->n = (int)jsonx_int(o, "n", 0);
	w->of = (int)jsonx_int(o, "of", 0);
	w->since_ns = u64(o, "since_ns", 0);
	w->limit_s = number(o, "limit_s", 0);
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
	vm->created_ns = u64(o, "created_ns", vm->created_ns);
	vm->started_ns = u64(o, "started_ns", vm->started_ns);
	vm->since_ns = u64(o, "state_since_ns", vm->since_ns);
	vm->boot_ms = number(o, "boot_ms", vm->boot_ms);
	decode_wait(&vm->wait, jsonx_get(o, "step"));
	vm->agent = jsonx_bool(jsonx_get(o, "agent"), "connected", false);
	part = jsonx_get(o, "output");
	vm->out_first = u64(part, "first", vm->out_first);
	vm->out_end = u64(part, "end", vm->out_end);
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
	im->stale = jsonx_bool(o, "stale", false);
	im->bytes = u64(o, "bytes", 0);
	take_str(build, "step", im->step, sizeof(im->step));
	im->done = u64(build, "done", 0);
	im->total = u64(build, "total", 0);
}
