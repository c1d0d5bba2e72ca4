/* The host's list of VMs: making, finding, naming, freeing. */
#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "backend/vm/disks.h"
#include "backend/vm/pool.h"
#include "backend/vm/proof.h"
#include "backend/vm/snapshot.h"

#define SNAPSHOTS_AT_ONCE 4 /* they share the disk */

int vm_host_open(struct vm_host *h, struct ev_loop *loop, const struct paths *p,
	const struct vm_host_callbacks *cb, void *user, struct err *e)
{
	autofree char *trash = xasprintf("%s/trash", p->home);
	autofree char *vms = xasprintf("%s/vms", p->home);
	autofree char *run = xasprintf("%s/vms", p->runtime);
	int r;

	*h = (struct vm_host){.loop = loop, .paths = p, .cb = *cb, .user = user};
	h->vms.next = h->vms.prev = &h->vms;
	r = dir_make(vms, 0700, e);
	if (!r)
		r = dir_make(run, 0700, e);
	if (!r)
		r = saver_open(&h->saver, trash, e);
	if (r < 0)
		return r;
	queue_init(&h->restores, max_of((int)sysconf(_SC_NPROCESSORS_ONLN), 1));
	queue_init(&h->snapshots, SNAPSHOTS_AT_ONCE);
	vm_adopt_all(h);
	snap_sweep(h);
	h->pool = pool_open(h);
	return 0;
}

void vm_host_close(struct vm_host *h)
{
	struct pool *pool = h->pool;

	h->pool = NULL;                             /* what ends now is not filled up again */
	h->restores.slots = h->snapshots.slots = 0; /* and none that waits begins */
	pool_close(pool);
	snaps_close(h);
	while (h->vms.next && h->vms.next != &h->vms)
		vm_free(h->vms.next); /* NOLINT(clang-analyzer-unix.Malloc): it unlinks itself */
	saver_close(h->saver);
	h->saver = NULL;
}

bool vm_host_busy(const struct vm_host *h)
{
	const struct vm *v;

	vm_foreach(h, v) if (vm_alive(v)) return true;
	return false;
}

struct vm *vm_new(struct vm_host *h, const char *id)
{
	struct vm *vm = xcalloc(1, sizeof(*vm));

	vm->host = h;
	vm->watches.next = vm->watches.prev = &vm->watches;
	vm_health_init(vm);
	if (id) {
		snprintf(vm->id, sizeof(vm->id), "%s", id);
	} else {
		uint8_t raw[VM_ID_BYTES];
		struct vm *other;

		do
			random_bytes(raw, sizeof(raw)), hex_encode(vm->id, raw, sizeof(raw));
		while (vm_find(h, vm->id, &other, NULL) == 0);
	}
	vm->prev = h->vms.prev;
	vm->next = &h->vms;
	vm->prev->next = vm;
	vm->next->prev = vm;
	h->count++;
	return vm;
}

static void drop_watchers(struct vm *vm)
{
	while (vm->watches.next != &vm->watches) {
		struct vm_watch *w = vm->watches.next;

		vm_unwatch(w);
		w->on_change(w, true);
	}
}

void vm_spec_fini(struct vm_spec *s)
{
	free(s->kernel);
	free(s->initrd);
	strv_free(s->argv);
	strv_free(s->env);
	strv_free(s->disks);
	health_spec_fini(&s->health);
	*s = (struct vm_spec){0};
}

/* The daemon ends while an operation is under way. */
static void answer_all(struct vm *vm)
{
	struct vm_waiter all[VM_WAITERS + 2];
	struct err e = {0};

	err_set(&e, ECANCELED, "the daemon ends, VM '%s' is left as it is", vm->spec.name);
	memcpy(all, vm->waiters, sizeof(vm->waiters));
	all[VM_WAITERS] = vm->op_waiter;
	all[VM_WAITERS + 1] = vm->boot_waiter;
	for (size_t i = 0; i < countof(all); i++)
		if (all[i].done)
			all[i].done(all[i].user, NULL, -e.code, &e);
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	snap_forget_vm(vm);
	queue_leave(&vm->ticket);
	task_cancel(&vm->task);
	drop_watchers(vm);
	vm_health_fini(vm);
	vm_close_session(vm);
	if (vm->vmm)
		vm->vmm->ops->destroy(vm->vmm);
	vm_proof_free(vm->proof);
	net_leave(vm->net);
	flow_drop(&vm->flow);
	answer_all(vm);
	vm->prev->next = vm->next;
	vm->next->prev = vm->prev;
	if (!vm->pooled)
		vm->host->count--;
	vm_spec_fini(&vm->spec);
	vm_disks_fini(vm);
	snapshot_fini(&vm->restored.from);
	free(vm->restored.state);
	free(vm->restored.memory);
	free(vm->dir);
	free(vm->run_dir);
	free(vm->vsock_path);
	free(vm->serial_path);
	free(vm);
}

int vm_make_paths(struct vm *vm, struct err *e)
{
	const struct paths *p = vm->host->paths;

	vm->dir = xasprintf("%s/vms/%s", p->home, vm->id);
	vm->run_dir = xasprintf("%s/vms/%s", p->runtime, vm->id);
	vm->vsock_path = xasprintf("%s/v.sock", vm->run_dir);
	vm->serial_path = xasprintf("%s/serial.log", vm->dir);
	if (strlen(vm->vsock_path) + SOCKET_PORT_ROOM > SOCKET_PATH_MAX)
		return err_set(e, ENAMETOOLONG, "socket path '%s' is too long", vm->vsock_path);
	return 0;
}

static bool starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

int vm_find(struct vm_host *h, const char *text, struct vm **ret, struct err *e)
{
	struct vm *v, *hit = NULL;
	char safe[80];
	int hits = 0;

	vm_foreach(h, v) if (strcmp(v->spec.name, text) == 0 || strcmp(v->id, text) == 0)
	{
		*ret = v;
		return 0;
	}
	vm_foreach(h, v) if (*text && (starts_with(v->spec.name, text) || starts_with(v->id, text)))
	{
		hit = v;
		hits++;
	}
	str_safe(safe, sizeof(safe), text);
	if (hits > 1)
		return err_set(e, EINVAL,
			"'%s' stands for %d VMs ('%s' is one): give more of the name", safe, hits,
			hit->spec.name);
	if (!hits)
		return err_set(e, ENOENT, "no VM is named '%s': see 'vmdeck ls'", safe);
	*ret = hit;
	return 0;
}

static bool name_in_use(struct vm_host *h, const char *name)
{
	struct vm *v;

	vm_foreach(h, v) if (strcmp(v->spec.name, name) == 0) return true;
	return false;
}

void vm_next_name(struct vm_host *h, const char *prefix, int *number, char *out, size_t n)
{
	do
		snprintf(out, n, "%.50s-%d", prefix, ++*number);
	while (name_in_use(h, out));
}

void vm_make_name(struct vm_host *h, const char *image, char *out, size_t n)
{
	int number = 0;

	vm_next_name(h, image, &number, out, n);
}

int vm_check_new_name(struct vm_host *h, const char *name, struct err *e)
{
	struct vm *v;
	int r = str_check_name("VM name", name, e);

	if (r < 0)
		return r;
	vm_foreach(h, v) if (strcmp(v->spec.name, name) == 0) return err_set(e, EEXIST,
		"a VM named '%s' exists (%s): choose another name or remove it with 'vmdeck "
		"rm %s'",
		name, vm_state_names[v->state], name);
	vm_foreach(h, v) if (strcmp(v->id, name) == 0) return err_set(
		e, EEXIST, "'%s' is the id of VM '%s': choose another name", name, v->spec.name);
	if (h->count >= VMS_MAX)
		return err_set(
			e, ENOSPC, "%d VMs exist, more are not allowed: remove some", h->count);
	return 0;
}
