/* Snapshots of VMs: the request, the one end, who uses which. The steps are in snapshot_steps.c. */
#include "backend/vm/snapshot.h"

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/base/str.h"
#include "backend/vm/birth.h"
#include "backend/vm/network.h"
#include "backend/vm/pool.h"
#include "backend/vm/snap.h"

#define PROGRESS_NS 100000000u /* between two events of progress */

/* ---- log --------------------------------------------------------------------------------------
 */

void snap_log(struct snap *s, const char *name, struct json_object *fields)
{
	jsonx_add_str(fields, "snapshot", s->name);
	s->host->cb.on_event(s->host->user, s->vm_id, s->vm_name, name, jsonx_line(fields));
	json_object_put(fields);
}

static void on_step(struct flow *f)
{
	struct snap *s = f->user;

	if (f->at >= f->count)
		return;
	trail_step(&s->trail, f->steps[f->at].name, flow_step_limit(f));
	snap_log(s, "flow.step", flow_step_json(f));
}

static void on_moved(struct ev_loop *loop, ev_async *w, int revents)
{
	struct snap *s = container_of(w, struct snap, moved);
	uint64_t now = mono_ns();
	struct json_object *o;

	(void)loop;
	(void)revents;
	if (now - s->moved_ns < PROGRESS_NS)
		return;
	s->moved_ns = now;
	o = json_object_new_object();
	jsonx_add_int(o, "done", (int64_t)atomic_load(&s->done_bytes));
	jsonx_add_int(o, "total", (int64_t)atomic_load(&s->total_bytes));
	snap_log(s, "snapshot.progress", o);
}

static void add_ms(struct json_object *o, const char *key, uint64_t us)
{
	json_object_object_add(o, key, json_object_new_double((double)us / 1e3));
}

static void log_end(struct snap *s, const struct err *why)
{
	struct json_object *o = json_object_new_object();
	const struct snapshot *d = &s->draft.s;

	add_ms(o, "ms", trail_ns(&s->trail) / 1000);
	if (why) {
		jsonx_add_str(o, "step", s->trail.phases[s->trail.count - 1].name);
		jsonx_add_str(o, "reason", why->msg);
		snap_log(s, "vm.snapshot.failed", o);
		return;
	}
	add_ms(o, "pause_ms", d->pause_us);
	add_ms(o, "quiesce_ms", d->quiesce_us);
	jsonx_add_bool(o, "drained", d->drained);
	jsonx_add_int(o, "memory_bytes", (int64_t)d->memory_bytes);
	jsonx_add_int(o, "state_bytes", (int64_t)d->state_bytes);
	snap_log(s, "vm.snapshot", o);
}

static void add_timing(struct snap *s, const struct err *why)
{
	char id[2 * SNAPSHOT_ID + 1], extra[160];
	struct timing t = {.kind = "snapshot",
		.id = id,
		.vm = s->vm_id,
		.vm_name = s->vm_name,
		.subject = s->name,
		.subject_id = s->vm_id,
		.vmm = s->vmm,
		.result = why ? "failed" : "ok",
		.why = why ? why->msg : NULL,
		.started_ns = s->trail.wall_ns,
		.total_ns = trail_ns(&s->trail),
		.extra = extra,
		.phase_count = s->trail.count};

	hex_encode(id, s->draft.s.id, SNAPSHOT_ID);
	snprintf(extra, sizeof(extra), "{\"pause_ms\":%.3f,\"memory_bytes\":%llu}",
		(double)s->draft.s.pause_us / 1e3, (unsigned long long)s->draft.s.memory_bytes);
	memcpy(t.phases, s->trail.phases, sizeof(t.phases));
	if (why)
		t.step = t.phases[t.phase_count - 1].name;
	if (s->host->cb.on_timing)
		s->host->cb.on_timing(s->host->user, &t);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

static void on_woken(struct vmm *v, int r, const struct err *e)
{
	struct vm *vm = v->user;

	if (r < 0)
		log_error("vm %s: could not be resumed: %s", vm->id, e->msg);
}

void snap_wake_vm(struct snap *s)
{
	struct err e = {0};

	if (!s->paused || !s->vm || !s->vm->vmm || s->vm->vmm->state == VMM_GONE)
		return;
	s->paused = false;
	if (s->vm->vmm->ops->resume(s->vm->vmm, on_woken, &e) < 0 && e.code != EALREADY)
		log_error("vm %s: %s: resume it with 'vmdeck resume %s'", s->vm_id, e.msg,
			s->vm_name);
}

static void snap_free(struct snap *s)
{
	struct snap **at = &s->host->snaps;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (s->vm)
		s->vm->snap = NULL;
	task_cancel(&s->task);
	ev_async_stop(s->host->loop, &s->moved);
	frozen_fini(&s->memory);
	free(s);
}

static void on_done(struct flow *f, int r)
{
	struct snap *s = f->user;
	struct vm_host *h = s->host;
	snap_done *done = s->done;
	void *user = s->user;
	struct err why = f->err;
	char name[64];

	snprintf(name, sizeof(name), "%s", s->name);
	trail_end(&s->trail);
	log_end(s, r < 0 ? &why : NULL);
	add_timing(s, r < 0 ? &why : NULL);
	queue_leave(&s->ticket);
	if (r == 0 && s->replaces)
		pool_drop(h->pool, s->replaced_id);
	if (s->draft.replaced)
		saver_remove(h->saver, s->draft.replaced);
	snapshot_draft_abandon(&s->draft); /* what is left of one that has its name now: nothing */
	snap_free(s);
	pool_kick(h->pool);
	done(user, name, r, r < 0 ? &why : NULL);
	if (h->cb.on_change)
		h->cb.on_change(h->user);
}

/* ---- the request ------------------------------------------------------------------------------
 */

int snap_describe(struct snap *s, struct err *e)
{
	struct vm *vm = s->vm;
	struct snapshot *d = &s->draft.s;

	if (!vm->machine.digest[0])
		return err_set(e, EINVAL,
			"VM '%s' was booted by another vmdeck, which noted less of it: boot it "
			"anew",
			vm->spec.name);
	d->created_ns = wall_ns();
	d->temporary = s->temporary;
	snprintf(d->source_id, sizeof(d->source_id), "%s", vm->id);
	snprintf(d->source_name, sizeof(d->source_name), "%s", vm->spec.name);
	snprintf(d->parent, sizeof(d->parent), "%s", vm->restored.snapshot);
	memcpy(d->parent_id, vm->restored.id, SNAPSHOT_ID);
	snprintf(d->vmm, sizeof(d->vmm), "%s", vm->spec.driver->name);
	snprintf(d->vmm_version, sizeof(d->vmm_version), "%s", vm->machine.version);
	snprintf(d->accel, sizeof(d->accel), "%s", vm->spec.accel);
	snprintf(d->machine, sizeof(d->machine), "%s", vm->machine.digest);
	d->tsc_khz = vm->machine.tsc_khz;
	snprintf(d->image, sizeof(d->image), "%s", vm->spec.image);
	snprintf(d->image_build, sizeof(d->image_build), "%s", vm->spec.image_build);
	d->vcpus = vm->spec.vcpus;
	d->mem_mib = vm->spec.mem_mib;
	d->tty = vm->spec.tty;
	d->argv = strv_copy(vm->spec.argv);
	d->env = strv_copy(vm->spec.env);
	d->network = vm_network_words(vm);
	d->health = health_spec_words(&vm->spec.health);
	return 0;
}

static int check_name(struct vm_host *h, const struct snap_request *req, struct err *e)
{
	const struct snap *s;
	struct snapshot old = {0};
	int r = str_check_name("snapshot name", req->name, e);

	for (s = h->snaps; r == 0 && s; s = s->next)
		if (strcmp(s->name, req->name) == 0)
			r = err_set(e, EBUSY, "a snapshot '%s' is being made already", req->name);
	if (r < 0)
		return r;
	r = snapshot_load(h->paths, req->name, &old, e);
	if (r == -ENOENT || (r < 0 && req->replace))
		return 0;
	if (!req->replace)
		r = err_set(e, EEXIST,
			"snapshot '%s' exists: choose another name, remove it with 'vmdeck rm "
			"--snapshot %s', or use --replace",
			req->name, req->name);
	else
		r = snap_check_unused(h, req->name, old.id, e);
	snapshot_fini(&old);
	return r;
}

int snap_take(
	struct vm *vm, const struct snap_request *req, snap_done *done, void *user, struct err *e)
{
	struct vm_host *h = vm->host;
	struct snap *s;
	int r = check_name(h, req, e);

	if (r < 0)
		return r;
	if (vm->snap)
		return err_set(e, EBUSY, "a snapshot of VM '%s' is being made already ('%s')",
			vm->spec.name, vm->snap->name);
	if ((vm->state != VM_RUNNING && vm->state != VM_PAUSED) || vm->op_waiter.done)
		return err_set(e, EINVAL,
			"VM '%s' is %s: only a running or paused one can be "
			"snapshotted",
			vm->spec.name,
			vm->op_waiter.done ? "being paused or resumed" : vm_state_names[vm->state]);
	s = xcalloc(1, sizeof(*s));
	s->host = h;
	s->next = h->snaps;
	h->snaps = s;
	s->vm = vm;
	vm->snap = s;
	snprintf(s->vm_id, sizeof(s->vm_id), "%s", vm->id);
	snprintf(s->vm_name, sizeof(s->vm_name), "%s", vm->spec.name);
	snprintf(s->vmm, sizeof(s->vmm), "%s", vm->spec.driver->name);
	snprintf(s->name, sizeof(s->name), "%s", req->name);
	s->replace = req->replace;
	s->temporary = req->temporary;
	s->memory = (struct frozen)FROZEN_NONE;
	s->done = done;
	s->user = user;
	ev_async_init(&s->moved, on_moved);
	ev_async_start(h->loop, &s->moved);
	trail_begin(&s->trail);
	flow_init(&s->flow, h->loop, "snapshot", snap_steps, snap_step_count, on_step, on_done, s);
	flow_start(&s->flow);
	return 0;
}

/* ---- what the VM's other parts ask and tell ----------------------------------------------------
 */

bool snap_holds(const struct vm *vm, struct err *e)
{
	if (!vm->snap || vm->snap->parted || vm->snap->flow.at < 1)
		return false;
	err_set(e, EBUSY,
		"snapshot '%s' of VM '%s' is being taken: wait, or end the VM with "
		"'vmdeck kill %s'",
		vm->snap->name, vm->spec.name, vm->spec.name);
	return true;
}

void snap_adopted(struct vm *vm)
{
	if (vm->snap)
		flow_event(&vm->snap->flow, VM_FE_OP_DONE, NULL);
}

bool snap_pauses(const struct vm *vm)
{
	return vm->snap && vm->snap->paused;
}

void snap_vmm_gone(struct vm *vm, const char *detail)
{
	if (vm->snap)
		flow_event(&vm->snap->flow, VM_FE_EXIT, (void *)(uintptr_t)detail);
}

void snap_forget_vm(struct vm *vm)
{
	struct snap *s = vm->snap;

	if (!s)
		return;
	if (!s->parted) {
		flow_cancel(&s->flow, "the VM goes"); /* frees s */
		return;
	}
	s->vm = NULL;
	vm->snap = NULL;
}

/* The VMM may be too busy to be resumed by this daemon: its draft tells the next one to. */
static void leave_to_next(struct snap *s)
{
	snap_wake_vm(s);
	free(s->draft.dir);
	s->draft.dir = NULL;
	snapshot_fini(&s->draft.s);
}

void snaps_close(struct vm_host *h)
{
	struct err e = {0};

	err_set(&e, ECANCELED, "the daemon ends; the snapshot was not made, its VM goes on");
	while (h->snaps) {
		struct snap *s = h->snaps;
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): each unlinks itself */
		snap_done *done = s->done;
		void *user = s->user;

		flow_drop(&s->flow);
		task_cancel(&s->task);
		if (s->paused)
			leave_to_next(s);
		queue_leave(&s->ticket);
		snapshot_draft_abandon(&s->draft);
		snap_free(s);
		done(user, "", -e.code, &e);
	}
}

const struct snap *snap_next(const struct vm_host *h, const struct snap *after)
{
	return after ? after->next : h->snaps;
}

const char *snap_name(const struct snap *s)
{
	return s->name;
}

struct json_object *snap_to_json(const struct snap *s)
{
	struct json_object *o = json_object_new_object(), *src = json_object_new_object();

	jsonx_add_str(o, "name", s->name);
	jsonx_add_str(o, "state", "creating");
	jsonx_add_str(src, "id", s->vm_id);
	jsonx_add_str(src, "name", s->vm_name);
	json_object_object_add(o, "source", src);
	jsonx_add_int(o, "created_ns", (int64_t)s->trail.wall_ns);
	json_object_object_add(o, "step", vm_step_json(&s->flow, queue_place(&s->ticket)));
	jsonx_add_int(o, "done", (int64_t)atomic_load(&s->done_bytes));
	jsonx_add_int(o, "total", (int64_t)atomic_load(&s->total_bytes));
	json_object_object_add(o, "timing", trail_json(&s->trail));
	return o;
}
