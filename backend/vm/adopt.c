/* What a new daemon finds of an earlier one's VMs: alive ones are taken over, half-made ones are
 * undone, ended ones are kept for their logs. A process is ours only by (pid, start time). */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/base/str.h"
#include "backend/vm/network.h"
#include "backend/vm/snapshot.h"
#include "backend/vm/vm.h"

static void kill_by_id(struct vm_host *h, struct proc_id id)
{
	struct proc p;

	if (proc_adopt(&p, h->loop, id, NULL, NULL, NULL) < 0)
		return;
	proc_signal(&p, SIGKILL);
	proc_forget(&p);
}

static void roll_back(struct vm *vm, const char *why)
{
	struct json_object *f = json_object_new_object();
	struct proc_id id;

	if (vm_folder_alive(vm->dir, &id))
		kill_by_id(vm->host, id);
	log_warn("vm %s: %s: removed", vm->id, why);
	jsonx_add_str(f, "why", why);
	vm_log_json(vm, "vm.rollback", f);
	vm_files_remove(vm);
	vm_free(vm);
}

/* The guest may matter more than a file that this version cannot read: it and the folder are left
 * for a person, or for the vmdeck that wrote it. */
static void leave_alone(struct vm *vm, struct proc_id id, const char *why)
{
	struct json_object *f = json_object_new_object();

	log_error("vm %s: %s: not taken over, its VMM (pid %d) goes on: see 'vmdeck doctor'",
		vm->id, why, (int)id.pid);
	jsonx_add_str(f, "id", vm->id);
	jsonx_add_str(f, "why", why);
	jsonx_add_int(f, "pid", id.pid);
	vm_log_json(vm, "vm.damaged", f);
	vm_free(vm);
}

static void not_adopted(struct vm *vm, const struct err *e)
{
	char why[420];

	snprintf(why, sizeof(why), "could not be taken over: %.380s", e->msg);
	vm->vmm->ops->kill(vm->vmm);
	if (vm->state == VM_STARTING)
		flow_fail(&vm->flow, e); /* vm is gone now */
	else if (vm->state == VM_STOPPING)
		vm_end(vm, VM_STOPPED, "killed"); /* the operator was quicker */
	else if (vm->asked_poweroff)
		vm_end(vm, VM_STOPPED, "powered off"); /* it was going already: see take_over() */
	else
		vm_end(vm, VM_FAILED, why);
}

static void end_takeover(struct vm *vm)
{
	vm->adopting = false;
	vm_begin_held_op(vm);
	snap_adopted(vm);
	if (vm->state == VM_STOPPING)
		flow_event(&vm->flow, VM_FE_OP_DONE, NULL);
}

static void on_woken(struct vmm *v, int r, const struct err *e)
{
	struct vm *vm = v->user;

	if (r < 0)
		log_error("vm %s: could not be resumed: %s", vm->id, e->msg);
	else if (vm->state == VM_PAUSED)
		vm_set_state(vm, VM_RUNNING, NULL);
	end_takeover(vm);
}

/* The last daemon went while it took a snapshot: the VM goes on. */
static void wake(struct vm *vm)
{
	struct err e = {0};

	if (vm->state == VM_RUNNING)
		vm_set_state(vm, VM_PAUSED, "by a snapshot that was cut off");
	if (vm->vmm->ops->resume(vm->vmm, on_woken, &e) < 0) {
		log_error("vm %s: %s", vm->id, e.msg);
		end_takeover(vm);
	}
}

static void match_state(struct vm *vm)
{
	enum vmm_state is = vm->vmm->state;

	if (is == VMM_PAUSED && vm->state == VM_RUNNING)
		vm_set_state(vm, VM_PAUSED, NULL);
	else if (is == VMM_RUNNING && vm->state == VM_PAUSED)
		vm_set_state(vm, VM_RUNNING, NULL);
}

static void on_adopted(struct vmm *v, int r, const struct err *e)
{
	struct vm *vm = v->user;

	if (r < 0) {
		vm->adopting = false;
		not_adopted(vm, e);
		return;
	}
	vm_log(vm, "vm.adopt", "{\"state\":\"%s\"}", vm_state_names[vm->state]);
	if (v->state == VMM_PAUSED && vm->wake_adopted) {
		wake(vm);
		return;
	}
	match_state(vm);
	end_takeover(vm);
}

static void take_over(struct vm *vm)
{
	struct err e = {0};

	if (vm->state == VM_STOPPING) {
		vm->state = VM_RUNNING; /* by a daemon that is gone: it ends, or is asked again */
		vm->asked_poweroff = true;
	}
	if (dir_make(vm->run_dir, 0700, &e) < 0 || vm_open_session(vm, &e) < 0) {
		if (vm->state == VM_STARTING) {
			roll_back(vm, e.msg);
			return;
		}
		/* The guest goes on: it may matter more than what this host lacks just now. */
		log_error("vm %s: its agent and output cannot be reached: %s", vm->id, e.msg);
		vm_close_session(vm);
		snprintf(vm->reason, sizeof(vm->reason),
			"agent and output cannot be reached: %.350s", e.msg);
	}
	vm_network_adopt(vm);
	vm_setup_vmm(vm);
	if (vm->state == VM_STARTING)
		vm_boot_continue(vm);
	vm->adopting = vm->vmm->ops->adopt(vm->vmm, on_adopted, &e) == 0;
	if (!vm->adopting)
		not_adopted(vm, &e);
}

/* A VM whose VMM ended while no daemon looked. */
static void note_end(struct vm *vm)
{
	vm->guest = NULL;
	if (vm->state == VM_STARTING) {
		roll_back(vm, "its boot was cut off");
		return;
	}
	if (vm_alive(vm))
		vm_end(vm, vm->state == VM_STOPPING || vm->main_ended ? VM_STOPPED : VM_FAILED,
			vm->state == VM_STOPPING ? "stopped while no daemon ran"
						 : "ended while no daemon ran");
	if (vm_open_session(vm, NULL) < 0)
		log_warn("vm %s: its output cannot be read", vm->id);
}

static void adopt_one(struct vm_host *h, const char *id)
{
	struct vm *vm = vm_new(h, id);
	struct err e = {0};
	struct proc_id proc;

	snprintf(vm->spec.name, sizeof(vm->spec.name), "%s", id);
	if (vm_make_paths(vm, &e) < 0 || vm_load(vm, &e) < 0) {
		if (vm_folder_alive(vm->dir, &proc))
			leave_alone(vm, proc, e.msg);
		else
			roll_back(vm, e.msg);
		return;
	}
	vm_health_adopt(vm);
	if (vm->state == VM_STARTING && vm->origin == VM_RESTORED)
		roll_back(vm, "its restore was cut off");
	else if (vm_alive(vm) && vm_folder_alive(vm->dir, &proc))
		take_over(vm);
	else
		note_end(vm);
}

static int compare_created(const void *a, const void *b)
{
	const struct vm *x = *(struct vm *const *)a, *y = *(struct vm *const *)b;

	return x->created_ns < y->created_ns ? -1 : x->created_ns > y->created_ns;
}

static void sort_by_age(struct vm_host *h)
{
	autofree struct vm **all = xcalloc((size_t)h->count + 1, sizeof(struct vm *));
	struct vm *v, *last = &h->vms;
	int n = 0;

	vm_foreach(h, v) all[n++] = v;
	qsort(all, (size_t)n, sizeof(struct vm *), compare_created);
	for (int i = 0; i < n; i++) {
		last->next = all[i];
		all[i]->prev = last;
		last = all[i];
	}
	last->next = &h->vms;
	h->vms.prev = last;
}

/* In the registry, or left alone. */
static bool still_used(struct vm_host *h, const char *id)
{
	autofree char *dir = xasprintf("%s/vms/%s", h->paths->home, id);
	struct proc_id proc;
	struct vm *vm;

	return vm_find(h, id, &vm, NULL) == 0 || vm_folder_alive(dir, &proc);
}

/* Sockets of VMs that are not there any more. */
static void sweep_runtime(struct vm_host *h)
{
	autofree char *run = xasprintf("%s/vms", h->paths->runtime);
	DIR *d = opendir(run);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		autofree char *path = xasprintf("%s/%s", run, de->d_name);

		if (vm_id_like(de->d_name) && !still_used(h, de->d_name))
			(void)tree_remove(path, NULL);
	}
	if (d)
		closedir(d);
}

void vm_adopt_all(struct vm_host *h)
{
	autofree char *vms = xasprintf("%s/vms", h->paths->home);
	DIR *d = opendir(vms);
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (vm_id_like(de->d_name))
			adopt_one(h, de->d_name);
	if (d)
		closedir(d);
	sort_by_age(h);
	sweep_runtime(h);
}
