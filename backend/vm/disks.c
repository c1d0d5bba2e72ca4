#include "backend/vm/disks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

#define SECTOR       512u
#define SIZE_MAX_MIB (16u << 20) /* 16 TiB */

static struct vm *flow_vm(struct flow *f)
{
	return f->user;
}

/* ---- boot --------------------------------------------------------------------------------------
 */

int vm_disks_check(char *const *disks, struct err *e)
{
	int64_t mib;
	int r = 0;

	for (size_t i = 0; r == 0 && disks && disks[i]; i++) {
		if (i == VMM_DISKS_MAX)
			return err_set(e, EINVAL, "a VM has at most %d disks", VMM_DISKS_MAX);
		if (disks[i][0] == '/') {
			if (access(disks[i], R_OK) < 0)
				return err_errno(e, "disk image '%s' cannot be read", disks[i]);
			continue;
		}
		r = str_parse_mib("disk size", disks[i], &mib, e);
		if (r == 0 && (mib < 1 || mib > SIZE_MAX_MIB))
			r = err_set(e, ERANGE, "disk size '%s' is not in 1M..16T", disks[i]);
	}
	return r;
}

static int make_empty(const char *path, const char *size, struct err *e)
{
	autofd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int64_t mib;

	if (fd < 0)
		return err_errno(e, "cannot create '%s'", path);
	if (str_parse_mib("disk size", size, &mib, e) < 0)
		return -EINVAL;
	return ftruncate(fd, (off_t)mib << 20) < 0 ? err_errno(e, "cannot make '%s'", path) : 0;
}

/* The guest sees whole sectors. */
static int round_up(const char *path, uint64_t *ret_size, struct err *e)
{
	struct stat st;
	off_t size;

	if (stat(path, &st) < 0)
		return err_errno(e, "cannot look at '%s'", path);
	size = (st.st_size + SECTOR - 1) / SECTOR * SECTOR;
	if (size == 0)
		return err_set(e, EINVAL, "a disk image is empty");
	if (size != st.st_size && truncate(path, size) < 0)
		return err_errno(e, "cannot make '%s'", path);
	*ret_size = (uint64_t)size;
	return 0;
}

static int make_disk(struct task *t, const struct vm *vm, int n, uint64_t *ret_size, struct err *e)
{
	const char *from = vm->spec.disks[n], *to = vm->disks[n].layers[0];
	int r = from[0] == '/' ? snapshot_copy_file(t, from, to, e) : make_empty(to, from, e);

	return r < 0 ? r : round_up(to, ret_size, e);
}

/* On the thread; the loop looks at the disks again when it has ended. */
static int make_disks(struct task *t, void *arg, struct err *e)
{
	struct vm *vm = arg;
	int r = 0;

	for (int i = 0; r == 0 && i < vm->disk_count; i++)
		r = make_disk(t, vm, i, &vm->disks[i].size, e);
	return r;
}

static void on_made(struct task *t, int r, const struct err *e)
{
	struct vm *vm = t->user;
	struct vmm_result res = {r, e};

	flow_event(&vm->flow, VM_FE_TASK, &res);
}

enum flow_verdict vm_disks_enter(struct flow *f)
{
	struct vm *vm = flow_vm(f);
	int n = 0;

	while (vm->spec.disks && vm->spec.disks[n])
		n++;
	if (!n)
		return FLOW_NEXT;
	vm->disk_count = n;
	for (int i = 0; i < n; i++) {
		struct vm_disk *d = &vm->disks[i];

		d->layers[0] = xasprintf("%s/disk-%d.raw", vm->dir, i);
		d->count = 1;
		snprintf(d->lowest, sizeof(d->lowest), "raw");
	}
	return task_start(&vm->task, vm->host->loop, false, make_disks, vm, NULL, on_made, vm,
		       &f->err) < 0
		       ? FLOW_FAIL
		       : FLOW_WAIT;
}

enum flow_verdict vm_disks_event(struct flow *f, int ev, void *data)
{
	const struct vmm_result *res = data;

	if (ev != VM_FE_TASK)
		return FLOW_WAIT;
	if (res->r < 0) {
		f->err = *res->e;
		return FLOW_FAIL;
	}
	return vm_save(flow_vm(f), &f->err) < 0 ? FLOW_FAIL : FLOW_NEXT;
}

void vm_disks_undo(struct flow *f)
{
	task_cancel(&flow_vm(f)->task);
}

/* ---- snapshots ---------------------------------------------------------------------------------
 */

int vm_disks_clone(struct vm *vm, struct err *e)
{
	const struct snapshot *s = &vm->restored.from;
	int r = 0;

	for (int i = 0; r == 0 && vm->origin == VM_RESTORED && i < s->disk_count; i++) {
		struct vm_disk *d = &vm->disks[i];

		r = snapshot_clone_disk(s, i, vm->dir, d->layers, &d->count, e);
		memcpy(d->lowest, s->disks[i].lowest, sizeof(d->lowest));
		d->size = s->disks[i].size;
		vm->disk_count = i + 1;
	}
	return r;
}

int vm_disks_capture(
	const struct vm *vm, struct snapshot_draft *draft, struct task *t, struct err *e)
{
	int r = 0;

	for (int i = 0; r == 0 && i < vm->disk_count; i++) {
		const struct vm_disk *d = &vm->disks[i];
		struct snapshot_disk_source src = {.count = d->count, .size = d->size};

		memcpy(src.layers, d->layers, sizeof(src.layers));
		memcpy(src.lowest, d->lowest, sizeof(src.lowest));
		r = snapshot_draft_disk(draft, t, &src, e);
	}
	return r;
}

void vm_disks_config(struct vm *vm)
{
	for (int i = 0; i < vm->disk_count; i++) {
		const struct vm_disk *d = &vm->disks[i];

		vm->vmm_disks[i].count = d->count;
		for (int l = 0; l < d->count; l++)
			vm->vmm_disks[i].layers[l] = (struct vmm_layer){.path = d->layers[l],
				.format = l == d->count - 1 ? d->lowest : "qcow2"};
	}
}

/* ---- json ---------------------------------------------------------------------------------------
 */

struct json_object *vm_disks_json(const struct vm *vm)
{
	struct json_object *a = json_object_new_array();

	for (int i = 0; i < vm->disk_count; i++) {
		struct json_object *o = json_object_new_object();

		jsonx_add_int(o, "size", (int64_t)vm->disks[i].size);
		jsonx_add_int(o, "layers", vm->disks[i].count);
		json_object_array_add(a, o);
	}
	return a;
}

struct json_object *vm_disks_store(const struct vm *vm)
{
	struct json_object *a = json_object_new_array();

	for (int i = 0; i < vm->disk_count; i++) {
		const struct vm_disk *d = &vm->disks[i];
		struct json_object *o = json_object_new_object(), *l = json_object_new_array();

		jsonx_add_int(o, "size", (int64_t)d->size);
		jsonx_add_str(o, "lowest", d->lowest);
		for (int k = 0; k < d->count; k++)
			json_object_array_add(l, json_object_new_string(d->layers[k]));
		json_object_object_add(o, "layers", l);
		json_object_array_add(a, o);
	}
	return a;
}

static int load_disk(struct vm_disk *d, struct json_object *o)
{
	struct json_object *l = jsonx_get(o, "layers");
	const char *lowest = jsonx_str(o, "lowest");
	size_t n = json_object_is_type(l, json_type_array) ? json_object_array_length(l) : 0;

	if (!lowest || n < 1 || n > SNAPSHOT_LAYERS_MAX)
		return -EINVAL;
	snprintf(d->lowest, sizeof(d->lowest), "%s", lowest);
	d->size = (uint64_t)jsonx_int(o, "size", 0);
	for (size_t i = 0; i < n; i++) {
		const char *path = json_object_get_string(json_object_array_get_idx(l, i));

		if (!path)
			return -EINVAL;
		d->layers[d->count++] = xstrdup(path);
	}
	return 0;
}

int vm_disks_load(struct vm *vm, struct json_object *a, struct err *e)
{
	size_t n = json_object_is_type(a, json_type_array) ? json_object_array_length(a) : 0;

	if (n > VMM_DISKS_MAX)
		return err_set(e, EINVAL, "it has too many disks");
	for (size_t i = 0; i < n; i++, vm->disk_count++)
		if (load_disk(&vm->disks[i], json_object_array_get_idx(a, i)) < 0)
			return err_set(e, EINVAL, "its disk %zu is not valid", i);
	return 0;
}

void vm_disks_fini(struct vm *vm)
{
	for (int i = 0; i < VMM_DISKS_MAX; i++)
		for (int l = 0; l < vm->disks[i].count; l++)
			free(vm->disks[i].layers[l]);
	memset(vm->disks, 0, sizeof(vm->disks));
	vm->disk_count = 0;
}
