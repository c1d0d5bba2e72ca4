/* Events of the daemon, applied to the model: one row of the table an event name. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/model_impl.h"

static void on_create(struct deck_vm *vm, const struct model_event *ev)
{
	const char *s;

	vm->state = DECK_STARTING;
	vm->created_ns = vm->since_ns = ev->wall_ns;
	take_str(ev->fields, "snapshot", vm->snapshot, sizeof(vm->snapshot));
	if ((s = jsonx_str(ev->fields, "image")))
		str_safe(vm->image, sizeof(vm->image), s);
	if ((s = jsonx_str(ev->fields, "vmm")))
		str_safe(vm->vmm, sizeof(vm->vmm), s);
	if ((s = jsonx_str(ev->fields, "accel")))
		str_safe(vm->accel, sizeof(vm->accel), s);
	vm->vcpus = (int)jsonx_int(ev->fields, "vcpus", 0);
	vm->mem_mib = jsonx_int(ev->fields, "mem_mib", 0);
}

static void on_state(struct deck_vm *vm, const struct model_event *ev)
{
	const char *reason = jsonx_str(ev->fields, "reason");

	vm->state = deck_state_parse(jsonx_str(ev->fields, "to"));
	vm->since_ns = ev->wall_ns;
	str_safe(vm->reason, sizeof(vm->reason), reason ? reason : "");
	memset(&vm->wait, 0, sizeof(vm->wait));
	if (vm->state == DECK_RUNNING)
		vm->agent = true;
	if (!deck_vm_alive(vm))
		vm->agent = false;
}

static void on_step(struct deck_vm *vm, const struct model_event *ev)
{
	struct json_object *limit = jsonx_get(ev->fields, "limit_s");
	const char *step = jsonx_str(ev->fields, "step"), *flow = jsonx_str(ev->fields, "flow");

	if (flow && strcmp(flow, "snapshot") == 0) {
		making_step(&vm->making, ev);
		return;
	}
	memset(&vm->wait, 0, sizeof(vm->wait));
	str_safe(vm->wait.name, sizeof(vm->wait.name), step ? step : "");
	vm->wait.n = (int)jsonx_int(ev->fields, "n", 0);
	vm->wait.of = (int)jsonx_int(ev->fields, "of", 0);
	vm->wait.limit_s = limit ? json_object_get_double(limit) : 0;
	vm->wait.since_ns = ev->wall_ns;
}

static void on_queue(struct deck_vm *vm, const struct model_event *ev)
{
	vm->wait.place = (int)max_of(jsonx_int(ev->fields, "place", 0), (int64_t)0);
}

static void on_progress(struct deck_vm *vm, const struct model_event *ev)
{
	vm->making.done = take_u64(ev->fields, "done", 0);
	vm->making.total = take_u64(ev->fields, "total", 0);
}

static void on_snapshot_end(struct deck_vm *vm, const struct model_event *ev)
{
	(void)ev;
	memset(&vm->making, 0, sizeof(vm->making));
}

static void on_health(struct deck_vm *vm, const struct model_event *ev)
{
	struct deck_check *c = &vm->check;

	take_str(ev->fields, "to", vm->health, sizeof(vm->health));
	take_str(ev->fields, "reason", c->why, sizeof(c->why));
	take_str(ev->fields, "probe", c->probe, sizeof(c->probe));
	c->took_ms = take_num(ev->fields, "ms", c->took_ms);
	c->at_ns = c->since_ns = vm->checked_ns = ev->wall_ns;
}

static void on_network(struct deck_vm *vm, const struct model_event *ev)
{
	take_network(vm, ev->fields);
}

static void on_boot(struct deck_vm *vm, const struct model_event *ev)
{
	struct json_object *ms = jsonx_get(ev->fields, "ms");

	vm->boot_ms = ms ? json_object_get_double(ms) : 0;
	memset(&vm->wait, 0, sizeof(vm->wait));
}

static void on_boot_failed(struct deck_vm *vm, const struct model_event *ev)
{
	const char *reason = jsonx_str(ev->fields, "reason");

	vm->state = DECK_FAILED;
	vm->since_ns = ev->wall_ns;
	vm->gone = vm->kept = true;
	vm->agent = false;
	snprintf(vm->health, sizeof(vm->health), "stopped");
	memset(&vm->wait, 0, sizeof(vm->wait));
	str_safe(vm->reason, sizeof(vm->reason), reason ? reason : "it failed");
}

static void on_agent_lost(struct deck_vm *vm, const struct model_event *ev)
{
	(void)ev;
	vm->agent = false;
}

static void on_agent_ready(struct deck_vm *vm, const struct model_event *ev)
{
	vm->agent = true;
	vm->checked_ns = ev->wall_ns;
}

static void on_vitals(struct deck_vm *vm, const struct model_event *ev)
{
	int64_t total = jsonx_int(ev->fields, "mem_total", 0);
	int64_t free_bytes = jsonx_int(ev->fields, "mem_available", -1);

	vm->checked_ns = ev->wall_ns;
	if (total > 0 && free_bytes >= 0 && free_bytes <= total) {
		vm->mem_total = total;
		vm->mem_used = total - free_bytes;
	}
}

static void on_main_exit(struct deck_vm *vm, const struct model_event *ev)
{
	const char *how = jsonx_str(ev->fields, "how");

	vm->exited = true;
	str_safe(vm->exit_how, sizeof(vm->exit_how), how ? how : "");
	vm->exit_value = jsonx_int(ev->fields, "value", 0);
}

enum { MAKES = 1, ENDS = 2, GETS = 4 };

/* MAKES: a VM that isn't known yet comes with it. ENDS: the row goes. GETS: the whole VM is to be
 * asked for. */
static const struct {
	const char *name;
	unsigned flags;
	void (*apply)(struct deck_vm *vm, const struct model_event *ev);
} vm_events[] = {
	{"vm.create", MAKES | GETS, on_create},
	{"vm.state", MAKES | GETS, on_state},
	{"flow.step", 0, on_step},
	{"vm.boot", GETS, on_boot},
	{"vm.boot.failed", 0, on_boot_failed},
	{"vm.restore", GETS, on_boot},
	{"vm.restore.failed", 0, on_boot_failed},
	{"queue.wait", 0, on_queue},
	{"health.change", 0, on_health},
	{"net.ready", 0, on_network},
	{"net.up", 0, on_network},
	{"net.down", 0, on_network},
	{"health.state", 0, on_health}, /* of recordings by earlier versions */
	{"snapshot.progress", 0, on_progress},
	{"vm.snapshot", 0, on_snapshot_end},
	{"vm.snapshot.failed", 0, on_snapshot_end},
	{"vm.adopt", MAKES | GETS, NULL},
	{"vm.remove", ENDS, NULL},
	{"vm.rollback", ENDS, NULL},
	{"agent.lost", 0, on_agent_lost},
	{"epoch.ack", 0, on_agent_ready},
	{"vitals", 0, on_vitals},
	{"main.exit", 0, on_main_exit},
	{"guest.panic", GETS, NULL},
	{"child.exit", GETS, NULL},
};

/* One has left the queue: those behind it move up, which no event says for each. */
static void move_up(struct model *m, int place)
{
	for (int i = 0; i < m->count; i++)
		if (m->vm[i]->wait.place > place)
			m->vm[i]->wait.place--;
}

static unsigned vm_event(
	struct model *m, const char *name, const struct model_event *ev, struct model_todo *todo)
{
	size_t i = 0;
	struct deck_vm *vm = model_find(m, ev->vm_id), before;
	unsigned changed = 0;

	while (i < countof(vm_events) && strcmp(vm_events[i].name, name) != 0)
		i++;
	if (i == countof(vm_events) || (!vm && !(vm_events[i].flags & MAKES)))
		return 0;
	if (vm_events[i].flags & ENDS) {
		if (vm && vm->wait.place)
			move_up(m, vm->wait.place);
		return model_drop(m, ev->vm_id);
	}
	if (!vm) {
		vm = model_add(m, ev->vm_id);
		if (!vm)
			return 0;
		changed = MODEL_VMS;
	}
	before = *vm;
	model_tally(m, vm, -1);
	str_safe(vm->name, sizeof(vm->name), ev->vm_name);
	if (vm_events[i].apply)
		vm_events[i].apply(vm, ev);
	model_tally(m, vm, 1);
	model_wait_usual(m, vm);
	todo->get_vm = vm_events[i].flags & GETS;
	if (before.wait.place && !vm->wait.place)
		move_up(m, before.wait.place);
	if (!deck_vm_same(&before, vm))
		changed |= MODEL_VM;
	if (before.created_ns != vm->created_ns) {
		model_place(m, vm);
		changed |= MODEL_VMS;
	}
	return changed;
}

static unsigned image_event(
	struct model *m, const char *name, const struct model_event *ev, struct model_todo *todo)
{
	const char *image = jsonx_str(ev->fields, "image"), *step = jsonx_str(ev->fields, "step");
	struct deck_image *im = image ? model_image(m, image) : NULL;
	int64_t done = jsonx_int(ev->fields, "done", 0), total = jsonx_int(ev->fields, "total", 0);

	if (!im || strcmp(name, "asset.build.step") != 0) {
		todo->list_images = true;
		return 0;
	}
	snprintf(im->state, sizeof(im->state), "building");
	if (step && strcmp(im->step, step) != 0) {
		str_safe(im->step, sizeof(im->step), step);
		im->since_ns = ev->wall_ns;
	}
	im->done = done > 0 ? (uint64_t)done : 0;
	im->total = total > 0 ? (uint64_t)total : 0;
	return MODEL_IMAGES;
}

unsigned model_event(struct model *m, struct json_object *event, struct model_todo *ret_todo)
{
	const char *name = jsonx_str(event, "name"), *vm = jsonx_str(event, "vm");
	const char *vm_name = jsonx_str(event, "vm_name");
	struct model_event ev = {
		.fields = jsonx_get(event, "fields"),
		.vm_id = vm ? vm : "",
		.vm_name = vm_name ? vm_name : "",
		.wall_ns = (uint64_t)max_of(jsonx_int(event, "wall_ns", 0), 0),
	};

	unsigned changed;

	memset(ret_todo, 0, sizeof(*ret_todo));
	if (!name)
		return 0;
	changed = snapshot_event(m, name, &ev, ret_todo);
	if (*ev.vm_id)
		return changed | vm_event(m, name, &ev, ret_todo);
	if (strncmp(name, "asset.build.", 12) == 0)
		return image_event(m, name, &ev, ret_todo);
	return changed;
}
