/* State of a VM: one enum, one writer. */
#include <assert.h>
#include <stdarg.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/vm/vm.h"

const char *const vm_state_names[] = {
	[VM_STARTING] = "starting",
	[VM_RUNNING] = "running",
	[VM_PAUSED] = "paused",
	[VM_STOPPING] = "stopping",
	[VM_STOPPED] = "stopped",
	[VM_FAILED] = "failed",
};
_Static_assert(countof(vm_state_names) == VM__COUNT, "a name for each state");

#define TO(s) (1u << (s))
static const unsigned allowed[VM__COUNT] = {
	[VM_STARTING] = TO(VM_RUNNING) | TO(VM_FAILED) | TO(VM_STOPPED),
	[VM_RUNNING] = TO(VM_PAUSED) | TO(VM_STOPPING) | TO(VM_STOPPED) | TO(VM_FAILED),
	[VM_PAUSED] = TO(VM_RUNNING) | TO(VM_STOPPING) | TO(VM_STOPPED) | TO(VM_FAILED),
	[VM_STOPPING] = TO(VM_STOPPED) | TO(VM_FAILED),
	[VM_STOPPED] = 0,
	[VM_FAILED] = 0,
};

static void tell_watchers(struct vm *vm)
{
	struct vm_watch *w = vm->watches.next;

	while (w != &vm->watches) {
		struct vm_watch *next = w->next;

		w->on_change(w, false);
		w = next;
	}
}

void vm_set_state(struct vm *vm, enum vm_state to, const char *reason)
{
	enum vm_state from = vm->state;
	struct json_object *f = json_object_new_object();

	assert(allowed[from] & TO(to));
	vm->state = to;
	vm->state_since_ns = wall_ns();
	snprintf(vm->reason, sizeof(vm->reason), "%s", reason ? reason : "");
	(void)vm_save(vm, NULL); /* logged: what happened has happened */
	jsonx_add_str(f, "from", vm_state_names[from]);
	jsonx_add_str(f, "to", vm_state_names[to]);
	jsonx_add_str(f, "reason", vm->reason);
	vm_log_json(vm, "vm.state", f);
	vm_health_follow(vm);
	log_info("vm %s (%s): %s -> %s %s", vm->spec.name, vm->id, vm_state_names[from],
		vm_state_names[to], vm->reason);
	tell_watchers(vm);
	if (vm->host->cb.on_change)
		vm->host->cb.on_change(vm->host->user);
}

bool vm_alive(const struct vm *vm)
{
	return vm->state != VM_STOPPED && vm->state != VM_FAILED;
}

void vm_log_text(struct vm *vm, const char *name, const char *fields)
{
	snprintf(vm->last_event, sizeof(vm->last_event), "%s", name);
	vm->host->cb.on_event(vm->host->user, vm->id, vm->spec.name, name, fields);
}

void vm_log(struct vm *vm, const char *name, const char *fmt_json, ...)
{
	char fields[1024];
	va_list ap;

	va_start(ap, fmt_json);
	vsnprintf(fields, sizeof(fields), fmt_json, ap);
	va_end(ap);
	vm_log_text(vm, name, fields);
}

void vm_log_json(struct vm *vm, const char *name, struct json_object *fields)
{
	vm_log_text(vm, name, jsonx_line(fields));
	json_object_put(fields);
}

void vm_watch(struct vm *vm, struct vm_watch *w)
{
	w->vm = vm;
	w->prev = vm->watches.prev;
	w->next = &vm->watches;
	w->prev->next = w;
	w->next->prev = w;
}

void vm_unwatch(struct vm_watch *w)
{
	if (!w->vm)
		return;
	w->prev->next = w->next;
	w->next->prev = w->prev;
	w->vm = NULL;
}
