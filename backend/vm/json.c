/* A VM as clients see it (VM of proto.def). */
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/vm/disks.h"
#include "backend/vm/network.h"
#include "backend/vm/snapshot.h"

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

struct json_object *vm_step_json(const struct flow *f, int place)
{
	struct json_object *o;

	if (!flow_step_name(f))
		return NULL;
	o = json_object_new_object();
	jsonx_add_str(o, "flow", f->name);
	jsonx_add_str(o, "name", flow_step_name(f));
	jsonx_add_int(o, "n", flow_place(f));
	jsonx_add_int(o, "of", flow_length(f));
	if (place)
		jsonx_add_int(o, "place", place);
	add_u64(o, "since_ns", wall_ns() - (mono_ns() - f->step_ns));
	json_object_object_add(o, "limit_s", json_object_new_double(flow_step_limit(f)));
	return o;
}

static struct json_object *agent_json(const struct vm *vm)
{
	struct json_object *o = json_object_new_object(), *t = NULL;

	jsonx_add_bool(o, "connected", vm->guest && guest_connected(vm->guest));
	add_u64(o, "since_ns", vm->agent_since_ns);
	if (vm->have_ack) {
		json_object_object_add(o, "clock_step_ms",
			json_object_new_double((double)vm->ack.clock_step_ns / 1e6));
		t = json_object_new_object();
		add_u64(t, "rng_us", vm->ack.rng_us);
		add_u64(t, "clock_us", vm->ack.clock_us);
		add_u64(t, "identity_us", vm->ack.identity_us);
		add_u64(t, "sockets_us", vm->ack.sockets_us);
		add_u64(t, "total_us", vm->ack.total_us);
	}
	json_object_object_add(o, "times", t);
	return o;
}

static struct json_object *output_json(const struct vm *vm)
{
	struct json_object *o = json_object_new_object();

	add_u64(o, "first", vm->out ? outlog_first(vm->out) : 0);
	add_u64(o, "end", vm->out ? outlog_end(vm->out) : 0);
	jsonx_add_int(o, "attached", vm->attached);
	return o;
}

static struct json_object *vitals_json(const struct vm *vm)
{
	struct json_object *o;

	if (!vm->have_vitals)
		return NULL;
	o = json_object_new_object();
#define X(field, help)                                                                             \
	json_object_object_add(o, #field,                                                          \
		vm->vitals.field == WIRE_VITAL_UNKNOWN                                             \
			? NULL                                                                     \
			: json_object_new_uint64(vm->vitals.field));
	WIRE_VITALS(X)
#undef X
	add_u64(o, "uptime_ns", vm->vitals.uptime_ns);
	add_u64(o, "at_ns", vm->vitals_ns);
	jsonx_add_str(o, "why", vm->vitals_why);
	return o;
}

static struct json_object *exit_json(const struct vm *vm)
{
	struct json_object *o;

	if (!vm->main_ended)
		return NULL;
	o = json_object_new_object();
	jsonx_add_str(o, "how", vm->main_how == WIRE_SIGNALED ? "signal" : "exit");
	jsonx_add_int(o, "value", vm->main_value);
	return o;
}

static void add_identity(struct json_object *o, const struct vm *vm)
{
	const struct vm_spec *s = &vm->spec;
	struct json_object *cmd = json_object_new_array();
	char hex[2 * WIRE_ID + 1];

	jsonx_add_str(o, "image", s->image);
	jsonx_add_str(o, "vmm", s->driver ? s->driver->name : NULL);
	jsonx_add_str(o, "accel", s->accel);
	jsonx_add_str(o, "version", s->vmm_version);
	jsonx_add_int(o, "vcpus", s->vcpus);
	jsonx_add_int(o, "mem_mib", s->mem_mib);
	for (size_t i = 0; s->argv && s->argv[i]; i++)
		json_object_array_add(cmd, json_object_new_string(s->argv[i]));
	json_object_object_add(o, "cmd", cmd);
	jsonx_add_bool(o, "tty", s->tty);
	jsonx_add_int(o, "pid", vm->vmm ? vm->vmm->proc.id.pid : 0);
	jsonx_add_int(o, "cid", VM_GUEST_CID);
	hex_encode(hex, vm->generation, WIRE_ID);
	jsonx_add_str(o, "generation", hex);
}

struct json_object *vm_to_json(struct vm *vm)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "id", vm->id);
	jsonx_add_str(o, "name", vm->spec.name);
	jsonx_add_str(o, "state", vm_state_names[vm->state]);
	jsonx_add_str(o, "reason", vm->reason);
	add_identity(o, vm);
	add_u64(o, "created_ns", vm->created_ns);
	add_u64(o, "started_ns", vm->started_ns);
	add_u64(o, "state_since_ns", vm->state_since_ns);
	json_object_object_add(
		o, "boot_ms", json_object_new_double((double)vm->boot_took_ns / 1e6));
	json_object_object_add(o, "step", vm_step_json(&vm->flow, queue_place(&vm->ticket)));
	json_object_object_add(
		o, "timing", vm->state == VM_STARTING ? trail_json(&vm->trail) : NULL);
	jsonx_add_str(o, "origin", vm->origin == VM_RESTORED ? "restore" : "boot");
	jsonx_add_str(o, "snapshot", vm->restored.snapshot);
	json_object_object_add(o, "health", health_to_json(&vm->health));
	json_object_object_add(o, "disks", vm_disks_json(vm));
	json_object_object_add(o, "network", vm_network_json(vm));
	json_object_object_add(o, "snapshotting", vm->snap ? snap_to_json(vm->snap) : NULL);
	json_object_object_add(o, "agent", agent_json(vm));
	json_object_object_add(o, "output", output_json(vm));
	json_object_object_add(o, "vitals", vitals_json(vm));
	jsonx_add_int(o, "execs", vm->execs);
	json_object_object_add(o, "exit", exit_json(vm));
	jsonx_add_str(o, "dir", vm->dir);
	jsonx_add_str(o, "vsock_path", vm->vsock_path);
	jsonx_add_str(o, "serial_path", vm->serial_path);
	return o;
}
