/* Health of a VM: when its checks begin, stop and go on; the snapshot that is taken when it is
 * healthy first. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/vm/network.h"
#include "backend/vm/snapshot.h"

static struct vm *health_vm(struct health *h)
{
	return h->user;
}

int vm_health_check(const struct vm_host *h, const struct vm_spec *s, struct err *e)
{
	if (health_spec_needs_network(&s->health) && s->network.mode == NET_NONE &&
		!h->cb.open_socket)
		return err_set(e, EINVAL, "VM has no network: give it --net");
	return 0;
}

/* ---- events ---------------------------------------------------------------------------------- */

static void log_change(struct vm *vm, enum health_state from)
{
	struct json_object *o = json_object_new_object();
	const struct health *h = &vm->health;

	jsonx_add_str(o, "from", health_state_names[from]);
	jsonx_add_str(o, "to", health_state_names[h->state]);
	jsonx_add_str(o, "reason", h->reason);
	jsonx_add_str(o, "probe", probe_of(vm->spec.health.kind)->name);
	json_object_object_add(o, "ms", json_object_new_double((double)h->took_ns / 1e6));
	vm_log_json(vm, "health.change", o);
}

static void on_change(struct health *h, enum health_state from)
{
	struct vm *vm = health_vm(h);

	log_change(vm, from);
	if (h->state != HEALTH_HEALTHY)
		return;
	vm->seen.healthy = true;
	if (vm->state == VM_STARTING)
		flow_event(&vm->flow, VM_FE_HEALTHY, NULL);
}

/* ---- the startup snapshot -------------------------------------------------------------------- */

/* It may be taken after the VM has gone. */
struct startup {
	struct vm_host *host;
	char vm_id[VM_ID_CHARS + 1];
};

static void log_snapshot(struct vm *vm, const char *result, const char *why)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "snapshot", vm->spec.health.snapshot);
	jsonx_add_str(o, "result", result);
	jsonx_add_str(o, "why", why);
	vm_log_json(vm, "health.snapshot", o);
}

static void end_snapshot(struct vm *vm, const char *result, const char *why)
{
	log_snapshot(vm, result, why);
	vm->seen.healthy = true;
	(void)vm_save(vm, NULL); /* the next daemon must not take it again */
	health_release(&vm->health);
}

static void on_snapshot(void *user, const char *name, int r, const struct err *e)
{
	struct startup *s = user;
	struct vm *vm;

	(void)name;
	if (r != -ECANCELED && vm_find(s->host, s->vm_id, &vm, NULL) == 0 &&
		strcmp(vm->id, s->vm_id) == 0)
		end_snapshot(vm, r < 0 ? "failed" : "taken", r < 0 ? e->msg : "");
	free(s);
}

static void take_snapshot(struct vm *vm)
{
	struct snap_request req = {.name = vm->spec.health.snapshot};
	struct startup *s = xcalloc(1, sizeof(*s));
	struct err e = {0};
	int r;

	s->host = vm->host;
	snprintf(s->vm_id, sizeof(s->vm_id), "%s", vm->id);
	r = snap_take(vm, &req, on_snapshot, s, &e);
	if (r == 0)
		return;
	free(s);
	end_snapshot(vm, r == -EEXIST ? "skipped" : "failed", e.msg);
}

static void on_withheld(struct health *h)
{
	struct vm *vm = health_vm(h);

	if (vm->state == VM_STARTING)
		flow_event(&vm->flow, VM_FE_HEALTHY, NULL); /* it is RUNNING now */
	take_snapshot(vm);
}

/* ---- life ------------------------------------------------------------------------------------ */

void vm_health_init(struct vm *vm)
{
	static const struct health_callbacks cb = {on_change, on_withheld};
	struct probe_env env = {.loop = vm->host->loop,
		/* The spec comes later: without a network it says so. */
		.open_socket =
			vm->host->cb.open_socket ? vm->host->cb.open_socket : vm_network_socket,
		.net_user = vm};

	health_init(&vm->health, &vm->spec.health, &env, &cb, vm);
}

void vm_health_fini(struct vm *vm)
{
	health_fini(&vm->health);
}

static void begin(struct vm *vm)
{
	struct health *h = &vm->health;

	h->env.guest = vm->guest;
	h->env.vsock_path = vm->vsock_path;
	h->withholds = vm->spec.health.snapshot[0] && !vm->seen.healthy;
	health_start(h);
}

void vm_health_begin(struct vm *vm)
{
	begin(vm);
}

static void follow_running(struct vm *vm, bool adopted)
{
	if (vm->guest && guest_connected(vm->guest))
		begin(vm);
	else if (adopted)
		health_hold(&vm->health, HEALTH_UNKNOWN, "not checked yet by this daemon");
	else
		health_hold(&vm->health, HEALTH_UNREACHABLE, "agent connection lost");
}

static void follow(struct vm *vm, bool adopted)
{
	struct health *h = &vm->health;

	switch (vm->state) {
	case VM_RUNNING:
		follow_running(vm, adopted);
		break;
	case VM_PAUSED:
		if (snap_pauses(vm))
			health_keep(h);
		else
			health_hold(h, HEALTH_UNKNOWN, "paused");
		break;
	case VM_STOPPED:
		health_hold(h, HEALTH_STOPPED, vm->reason[0] ? vm->reason : "stopped");
		break;
	case VM_FAILED:
		health_hold(h, HEALTH_UNREACHABLE, vm->reason);
		break;
	case VM_STOPPING:
		if (adopted)
			health_hold(h, HEALTH_UNKNOWN, "not checked yet by this daemon");
		else
			health_keep(h);
		break;
	case VM_STARTING:
	case VM__COUNT:
		health_keep(h);
		break;
	}
}

void vm_health_follow(struct vm *vm)
{
	follow(vm, false);
}

void vm_health_adopt(struct vm *vm)
{
	static const struct health_callbacks silent = {0};
	struct health *h = &vm->health;
	const struct health_callbacks *cb = h->cb;

	h->cb = &silent; /* nothing has happened */
	follow(vm, true);
	h->cb = cb;
	h->since_ns = vm->state_since_ns;
	/* It has started in an earlier daemon's time. */
	h->seen_healthy =
		vm->state != VM_STARTING && (vm->seen.healthy || !vm->spec.health.snapshot[0]);
}

void vm_health_agent(struct vm *vm, bool there)
{
	bool checked = vm->state == VM_RUNNING ||
		       (vm->state == VM_STARTING && health_started(&vm->health));

	if (!checked)
		return;
	if (there)
		begin(vm);
	else if (!vm->got_bye) /* a guest that powers off says more by its end */
		health_hold(&vm->health, HEALTH_UNREACHABLE, "agent connection lost");
}

void vm_health_fit(struct vm *vm)
{
	struct json_object *o;
	struct err e = {0};

	if (vm_health_check(vm->host, &vm->spec, &e) == 0)
		return;
	o = json_object_new_object();
	jsonx_add_str(o, "probe", probe_of(HEALTH_AGENT)->name);
	jsonx_add_str(o, "why", e.msg);
	vm_log_json(vm, "health.default", o);
	health_spec_fini(&vm->spec.health);
}

void vm_health_restored(struct vm *vm, uint64_t rtt_ns)
{
	char reason[100], took[32];

	if (vm->spec.health.kind != HEALTH_AGENT)
		return; /* its own checks begin when it is RUNNING */
	vm->health.env.guest = vm->guest;
	snprintf(reason, sizeof(reason), "the agent answered in %s",
		str_duration(took, sizeof(took), rtt_ns));
	health_passed(&vm->health, rtt_ns, reason);
}
