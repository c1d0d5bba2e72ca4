/* What the VMM and the agent of a VM tell the daemon, turned into state, flow events and log. */
#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/vm/disks.h"
#include "backend/vm/network.h"
#include "backend/vm/pool.h"
#include "backend/vm/snapshot.h"

#define VITALS_EVERY_MS 10000

/* ---- agent ---------------------------------------------------------------------------------- */

static void on_ready(struct guest *g, const struct wire_hello_ack *ack)
{
	struct vm *vm = guest_user(g);

	vm->ack = *ack;
	vm->ack.network_why = (struct wire_str){0}; /* valid in this call only */
	vm->have_ack = true;
	vm->agent_since_ns = wall_ns();
	vm_health_agent(vm, true);
	flow_event(&vm->flow, VM_FE_READY, NULL);
}

static void on_dial(struct guest *g)
{
	struct vm *vm = guest_user(g);

	vm->seen.dial = true;
	flow_event(&vm->flow, VM_FE_DIAL, NULL);
}

static void on_serving(struct guest *g, const struct wire_serving *s)
{
	struct vm *vm = guest_user(g);

	(void)s;
	vm->seen.serving = true;
	flow_event(&vm->flow, VM_FE_SERVING, NULL);
}

static void on_output_open(struct guest *g)
{
	struct vm *vm = guest_user(g);

	vm->seen.output = true;
	flow_event(&vm->flow, VM_FE_OUTPUT, NULL);
}

/* Waiting for it to the limit would only hide the reason. */
static void on_incompatible(struct guest *g, const struct err *e)
{
	struct vm *vm = guest_user(g);

	if (vm->state == VM_STARTING)
		flow_fail(&vm->flow, e); /* vm is gone now */
}

static void on_lost(struct guest *g, const char *why)
{
	struct vm *vm = guest_user(g);
	struct json_object *f = json_object_new_object();

	vm->agent_since_ns = wall_ns();
	jsonx_add_str(f, "why", why);
	vm_log_json(vm, "agent.lost", f);
	vm_health_agent(vm, false);
}

static struct json_object *vitals_to_json(const struct vm *vm)
{
	struct json_object *o = json_object_new_object();

#define X(field, help)                                                                             \
	json_object_object_add(o, #field,                                                          \
		vm->vitals.field == WIRE_VITAL_UNKNOWN                                             \
			? NULL                                                                     \
			: json_object_new_uint64(vm->vitals.field));
	WIRE_VITALS(X)
#undef X
	json_object_object_add(o, "uptime_ns", json_object_new_uint64(vm->vitals.uptime_ns));
	jsonx_add_str(o, "why", vm->vitals_why);
	return o;
}

static void on_vitals(struct guest *g, const struct wire_vitals *v)
{
	struct vm *vm = guest_user(g);
	char why[sizeof(vm->vitals_why)];

	vm->vitals = *v;
	snprintf(why, sizeof(why), "%.*s", (int)v->why.len, v->why.len ? v->why.s : "");
	str_safe(vm->vitals_why, sizeof(vm->vitals_why), why);
	vm->vitals.why = (struct wire_str){0};
	vm->vitals_ns = wall_ns();
	vm->have_vitals = true;
	vm_log_json(vm, "vitals", vitals_to_json(vm));
}

static void on_output(struct guest *g)
{
	struct vm *vm = guest_user(g);
	struct vm_watch *w = vm->watches.next;

	while (w != &vm->watches) {
		struct vm_watch *next = w->next;

		if (w->on_output)
			w->on_output(w);
		w = next;
	}
}

static void on_main_exit(struct guest *g, uint8_t how, int32_t value)
{
	struct vm *vm = guest_user(g);

	if (vm->main_ended)
		return; /* told again after a reconnect; it ends once */
	vm->main_ended = true;
	vm->main_how = how;
	vm->main_value = value;
	vm_log(vm, "main.exit", "{\"how\":\"%s\",\"value\":%d}",
		how == WIRE_SIGNALED ? "signal" : "exit", value);
	(void)vm_save(vm, NULL);
}

static void on_bye(struct guest *g, uint8_t reason, int32_t main_status)
{
	struct vm *vm = guest_user(g);

	vm->got_bye = true;
	vm_log(vm, "agent.bye", "{\"reason\":%u,\"main_status\":%d}", reason, main_status);
}

static void on_guest_log(struct guest *g, const char *name, const char *fields_json)
{
	vm_log_text(guest_user(g), name, fields_json);
}

static const struct guest_callbacks guest_cb = {
	.on_dial = on_dial,
	.on_serving = on_serving,
	.on_incompatible = on_incompatible,
	.on_output_open = on_output_open,
	.on_ready = on_ready,
	.on_lost = on_lost,
	.on_vitals = on_vitals,
	.on_output = on_output,
	.on_main_exit = on_main_exit,
	.on_bye = on_bye,
	.on_log = on_guest_log,
};

int vm_open_session(struct vm *vm, struct err *e)
{
	struct guest_identity *id = &vm->identity;
	int r = outlog_open(&vm->out, vm->dir, e);

	if (r < 0)
		return r;
	memcpy(id->instance, vm->instance, WIRE_ID);
	memcpy(id->generation, vm->generation, WIRE_ID);
	id->hostname = vm->spec.name;
	id->argv = (const char *const *)vm->spec.argv;
	id->env = (const char *const *)vm->spec.env;
	id->tty = vm->spec.tty;
	id->rows = 24;
	id->cols = 80;
	id->vitals_ms = VITALS_EVERY_MS;
	if (!vm_alive(vm))
		return 0; /* its output can still be read */
	r = vm_network_for_guest(vm, &id->network, e);
	if (r < 0)
		return r;
	return guest_open(
		&vm->guest, vm->host->loop, vm->vsock_path, id, vm->out, &guest_cb, vm, e);
}

void vm_close_session(struct vm *vm)
{
	health_keep(&vm->health);
	guest_close(vm->guest);
	vm->guest = NULL;
	outlog_close(vm->out);
	vm->out = NULL;
}

/* ---- VMM ------------------------------------------------------------------------------------ */

static void end_after_exit(struct vm *vm, const char *detail)
{
	char why[420];

	if (vm->state == VM_STOPPING) {
		vm_end(vm, VM_STOPPED, vm->asked_poweroff ? "powered off" : "killed");
		return;
	}
	if (vm->main_ended) {
		snprintf(why, sizeof(why), "main process %s %d",
			vm->main_how == WIRE_SIGNALED ? "was killed by signal" : "exited with code",
			vm->main_value);
		vm_end(vm, VM_STOPPED, why);
	} else if (vm->got_bye) {
		vm_end(vm, VM_STOPPED, "the guest powered off");
	} else if (vm->asked_poweroff) {
		vm_end(vm, VM_STOPPED, "powered off"); /* by an earlier daemon's word */
	} else {
		snprintf(why, sizeof(why), "%s ended: %.300s", vm->spec.driver->name,
			detail ? detail : "gone");
		vm_end(vm, VM_FAILED, why);
	}
}

static void on_exit_event(struct vm *vm, const char *detail)
{
	struct json_object *f = json_object_new_object();

	jsonx_add_str(f, "detail", detail);
	vm_log_json(vm, "child.exit", f);
	snap_vmm_gone(vm, detail ? detail : "gone");
	if (vm->pooled && !vm->flow.running) {
		pool_lost(vm, detail ? detail : "gone");
		return;
	}
	if (vm->flow.running)
		flow_event(&vm->flow, VM_FE_EXIT, (void *)(uintptr_t)(detail ? detail : "gone"));
	else if (vm_alive(vm))
		end_after_exit(vm, detail);
}

static void on_vmm_event(struct vmm *v, enum vmm_event ev, const char *detail)
{
	struct vm *vm = v->user;

	switch (ev) {
	case VMM_EV_RUNNING:
		if (vm->state == VM_PAUSED)
			vm_set_state(vm, VM_RUNNING, NULL);
		break;
	case VMM_EV_PAUSED:
		if (vm->state == VM_RUNNING)
			vm_set_state(vm, VM_PAUSED, NULL);
		break;
	case VMM_EV_POWEROFF:
		vm->got_bye = true;
		vm_log(vm, "vmm.poweroff", "{}");
		break;
	case VMM_EV_PANIC:
		vm_log(vm, "guest.panic", "{}");
		break;
	case VMM_EV_EXIT:
		on_exit_event(vm, detail);
		break;
	}
}

static void on_vmm_log(struct vmm *v, const char *name, const char *fields_json)
{
	vm_log_text(v->user, name, fields_json);
}

static const struct vmm_callbacks vmm_cb = {.on_event = on_vmm_event, .on_log = on_vmm_log};

void vm_setup_config(struct vm *vm)
{
	bool restored = vm->origin == VM_RESTORED;

	vm->incoming =
		(struct vmm_incoming){.state = vm->restored.state, .memory = vm->restored.memory};
	vm_disks_config(vm);
	vm->config = (struct vmm_config){.id = vm->id,
		.dir = vm->dir,
		.run_dir = vm->run_dir,
		.vsock_path = vm->vsock_path,
		.kernel = restored ? NULL : vm->spec.kernel,
		.initrd = restored ? NULL : vm->spec.initrd,
		.disks = vm->vmm_disks,
		.disk_count = vm->disk_count,
		.incoming = restored ? &vm->incoming : NULL,
		.vcpus = vm->spec.vcpus,
		.mem_mib = vm->spec.mem_mib,
		.cid = VM_GUEST_CID,
		.net = vm_network_config(vm)};
}

void vm_setup_vmm(struct vm *vm)
{
	vm_setup_config(vm);
	vm->vmm = vm->spec.driver->create();
	vmm_setup(vm->vmm, vm->host->loop, &vm->config, &vmm_cb, vm);
}

/* The RAM file and the sockets have no use without the VMM; the logs stay until rm. */
static void drop_run_files(struct vm *vm)
{
	autofree char *ram = xasprintf("%s/ram", vm->dir);
	autofree char *pid = xasprintf("%s/vmm.pid", vm->dir);
	struct err e = {0};

	saver_remove(vm->host->saver, ram);
	saver_remove(vm->host->saver, pid);
	if (tree_remove(vm->run_dir, &e) < 0)
		vm_log(vm, "vm.leftover", "{}");
}

void vm_end(struct vm *vm, enum vm_state to, const char *reason)
{
	struct err e = {0};

	snap_vmm_gone(vm, reason);
	flow_drop(&vm->flow); /* the VMM may have ended by another way than the flow waits for */
	health_keep(&vm->health);
	guest_close(vm->guest);
	vm->guest = NULL;
	if (vm->vmm)
		vm->vmm->ops->destroy(vm->vmm);
	vm->vmm = NULL;
	net_close(vm->net);
	vm->net = NULL;
	drop_run_files(vm);
	vm_set_state(vm, to, reason);
	err_set(&e, ESRCH, "VM '%s' ended meanwhile: %.300s", vm->spec.name, reason);
	vm_answer_op(vm, -e.code, &e);
	if (vm->restored.temporary && vm->host->pool) /* while VMs are adopted: snap_sweep does */
		snap_drop_temporary(vm->host, vm->restored.snapshot, vm->restored.id);
	vm_wake_waiters(vm, 0, NULL);
}
