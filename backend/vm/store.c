/* vm.json: what a VM is, for a person and for the next daemon. */
#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/log.h"
#include "backend/base/str.h"
#include "backend/vm/disks.h"

#define VM_JSON_MAX (1024 * 1024)
#define FORMAT      1

static void add_strv(struct json_object *o, const char *key, char *const *v)
{
	struct json_object *a = v ? json_object_new_array() : NULL;

	for (size_t i = 0; v && v[i]; i++)
		json_object_array_add(a, json_object_new_string(v[i]));
	json_object_object_add(o, key, a);
}

static void add_hex(struct json_object *o, const char *key, const uint8_t id[WIRE_ID])
{
	char hex[2 * WIRE_ID + 1];

	hex_encode(hex, id, WIRE_ID);
	jsonx_add_str(o, key, hex);
}

/* Of a VM that was booted: nothing. */
static void add_restored(struct json_object *o, const struct vm_restored *r)
{
	struct json_object *from;

	if (!r->snapshot[0])
		return;
	from = json_object_new_object();
	jsonx_add_str(from, "name", r->snapshot);
	add_hex(from, "id", r->id);
	jsonx_add_bool(from, "temporary", r->temporary);
	json_object_object_add(o, "snapshot", from);
}

static void add_machine(struct json_object *o, const struct vmm_machine *m)
{
	struct json_object *machine = json_object_new_object();

	jsonx_add_str(machine, "version", m->version);
	jsonx_add_str(machine, "digest", m->digest);
	jsonx_add_int(machine, "tsc_khz", m->tsc_khz);
	json_object_object_add(o, "machine", machine);
}

int vm_save(struct vm *vm, struct err *e)
{
	autojson struct json_object *o = json_object_new_object();
	autofree char *path = xasprintf("%s/vm.json", vm->dir);
	const struct vm_spec *s = &vm->spec;
	struct err why = {0};
	int r;

	if (vm->gone_from_disk)
		return 0;
	jsonx_add_int(o, "format", FORMAT);
	jsonx_add_str(o, "id", vm->id);
	jsonx_add_str(o, "name", s->name);
	jsonx_add_str(o, "state", vm_state_names[vm->state]);
	jsonx_add_str(o, "reason", vm->reason);
	jsonx_add_str(o, "image", s->image);
	jsonx_add_str(o, "image_build", s->image_build);
	add_restored(o, &vm->restored);
	add_machine(o, &vm->machine);
	json_object_object_add(o, "disks", vm_disks_store(vm));
	jsonx_add_str(o, "vmm", s->driver->name);
	jsonx_add_str(o, "vmm_version", s->vmm_version);
	jsonx_add_str(o, "accel", s->accel);
	jsonx_add_str(o, "kernel", s->kernel);
	jsonx_add_str(o, "initrd", s->initrd);
	jsonx_add_int(o, "vcpus", s->vcpus);
	jsonx_add_int(o, "mem_mib", s->mem_mib);
	jsonx_add_bool(o, "tty", s->tty);
	json_object_object_add(o, "network", net_spec_json(&s->network));
	add_strv(o, "cmd", s->argv);
	add_strv(o, "env", s->env);
	json_object_object_add(o, "health", health_spec_to_json(&s->health));
	jsonx_add_bool(o, "seen_healthy", vm->seen.healthy);
	jsonx_add_int(o, "created_ns", (int64_t)vm->created_ns);
	jsonx_add_int(o, "started_ns", (int64_t)vm->started_ns);
	jsonx_add_int(o, "state_since_ns", (int64_t)vm->state_since_ns);
	jsonx_add_int(o, "boot_took_ns", (int64_t)vm->boot_took_ns);
	add_hex(o, "instance", vm->instance);
	add_hex(o, "generation", vm->generation);
	jsonx_add_bool(o, "main_ended", vm->main_ended);
	jsonx_add_int(o, "main_how", vm->main_how);
	jsonx_add_int(o, "main_value", vm->main_value);
	r = saver_write(vm->host->saver, path,
		json_object_to_json_string_ext(
			o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE),
		&why);
	if (r < 0)
		log_error("vm %s: %s", vm->id, why.msg);
	return r < 0 ? err_set(e, why.code, "%s", why.msg) : 0;
}

/* NULL when there is none, or null. */
static int get_strv(struct json_object *o, const char *key, char ***ret, struct err *e)
{
	struct json_object *a = jsonx_get(o, key);
	size_t n;

	*ret = NULL;
	if (!a)
		return 0;
	if (!json_object_is_type(a, json_type_array))
		return err_set(e, EINVAL, "%s is not a list", key);
	n = json_object_array_length(a);
	for (size_t i = 0; i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(a, i), json_type_string))
			return err_set(e, EINVAL, "%s holds something that is no text", key);
	*ret = xcalloc(n + 1, sizeof(**ret));
	for (size_t i = 0; i < n; i++)
		(*ret)[i] = xstrdup(json_object_get_string(json_object_array_get_idx(a, i)));
	return 0;
}

static int get_hex(struct json_object *o, const char *key, uint8_t id[WIRE_ID])
{
	const char *hex = jsonx_str(o, key);

	return hex ? hex_decode(id, WIRE_ID, hex) : -EINVAL;
}

static int find_state(const char *name)
{
	for (int i = 0; name && i < VM__COUNT; i++)
		if (strcmp(vm_state_names[i], name) == 0)
			return i;
	return -EINVAL;
}

static int load_spec(struct vm_spec *s, struct json_object *o, struct err *e)
{
	const char *name = jsonx_str(o, "name"), *image = jsonx_str(o, "image");
	const char *driver = jsonx_str(o, "vmm");
	int r;

	if (!name || str_check_name("VM name", name, e) < 0 || !image || !driver)
		return err_set(e, EINVAL, "name, image or vmm is missing or not valid");
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->image, sizeof(s->image), "%s", image);
	for (size_t i = 0; vmm_drivers[i]; i++)
		if (strcmp(vmm_drivers[i]->name, driver) == 0)
			s->driver = vmm_drivers[i];
	if (!s->driver)
		return err_set(e, EINVAL, "there is no VMM driver '%s'", driver);
	if (jsonx_str(o, "image_build"))
		snprintf(s->image_build, sizeof(s->image_build), "%s", jsonx_str(o, "image_build"));
	if (jsonx_str(o, "vmm_version"))
		snprintf(s->vmm_version, sizeof(s->vmm_version), "%s", jsonx_str(o, "vmm_version"));
	if (jsonx_str(o, "accel"))
		snprintf(s->accel, sizeof(s->accel), "%s", jsonx_str(o, "accel"));
	s->kernel = xstrdup(jsonx_str(o, "kernel") ? jsonx_str(o, "kernel") : "");
	s->initrd = xstrdup(jsonx_str(o, "initrd") ? jsonx_str(o, "initrd") : "");
	s->vcpus = (uint32_t)jsonx_int(o, "vcpus", 1);
	s->mem_mib = (uint32_t)jsonx_int(o, "mem_mib", 256);
	s->tty = jsonx_bool(o, "tty", false);
	r = net_spec_read(jsonx_get(o, "network"), &s->network, e);
	if (r == 0)
		r = get_strv(o, "cmd", &s->argv, e);
	if (r == 0)
		r = get_strv(o, "env", &s->env, e);
	return r < 0 ? r : health_spec_from_json(&s->health, jsonx_get(o, "health"), e);
}

static void copy_str(char *out, size_t n, struct json_object *o, const char *key)
{
	const char *text = jsonx_str(o, key);

	snprintf(out, n, "%s", text ? text : "");
}

static int load_origin(struct vm *vm, struct json_object *o, struct err *e)
{
	struct json_object *from = jsonx_get(o, "snapshot"), *m = jsonx_get(o, "machine");

	if (from) {
		vm->origin = VM_RESTORED;
		copy_str(vm->restored.snapshot, sizeof(vm->restored.snapshot), from, "name");
		vm->restored.temporary = jsonx_bool(from, "temporary", false);
		if (get_hex(from, "id", vm->restored.id) < 0)
			return err_set(e, EINVAL, "the snapshot's id is not valid");
	}
	copy_str(vm->machine.version, sizeof(vm->machine.version), m, "version");
	copy_str(vm->machine.digest, sizeof(vm->machine.digest), m, "digest");
	vm->machine.tsc_khz = (uint32_t)jsonx_int(m, "tsc_khz", 0);
	return vm_disks_load(vm, jsonx_get(o, "disks"), e);
}

int vm_load(struct vm *vm, struct err *e)
{
	autofree char *path = xasprintf("%s/vm.json", vm->dir), *text = NULL;
	autojson struct json_object *o = NULL;
	size_t len;
	int r = file_read(path, VM_JSON_MAX, &text, &len, e);

	if (!r)
		r = jsonx_parse(text, len, &o, e);
	if (!r && jsonx_int(o, "format", 0) != FORMAT)
		r = err_set(e, EINVAL, "its format is not %d: another version wrote it", FORMAT);
	if (!r)
		r = load_spec(&vm->spec, o, e);
	if (!r)
		r = load_origin(vm, o, e);
	if (r < 0)
		return err_wrap(e, r, "'%s'", path);
	r = find_state(jsonx_str(o, "state"));
	if (r < 0 || get_hex(o, "instance", vm->instance) < 0 ||
		get_hex(o, "generation", vm->generation) < 0)
		return err_set(
			e, EINVAL, "'%s' is not the state of a VM that this version knows", path);
	vm->state = (enum vm_state)r;
	snprintf(vm->reason, sizeof(vm->reason), "%s",
		jsonx_str(o, "reason") ? jsonx_str(o, "reason") : "");
	vm->created_ns = (uint64_t)jsonx_int(o, "created_ns", 0);
	vm->started_ns = (uint64_t)jsonx_int(o, "started_ns", 0);
	vm->state_since_ns = (uint64_t)jsonx_int(o, "state_since_ns", 0);
	vm->boot_took_ns = (uint64_t)jsonx_int(o, "boot_took_ns", 0);
	vm->seen.healthy = jsonx_bool(o, "seen_healthy", false);
	vm->main_ended = jsonx_bool(o, "main_ended", false);
	vm->main_how = (uint8_t)jsonx_int(o, "main_how", 0);
	vm->main_value = (int32_t)jsonx_int(o, "main_value", 0);
	return 0;
}

bool vm_folder_alive(const char *dir, struct proc_id *ret)
{
	autofree char *path = xasprintf("%s/vmm.pid", dir);

	return proc_read_pid_file(path, ret) == 0 && proc_id_alive(*ret);
}

bool vm_id_like(const char *name)
{
	uint8_t raw[VM_ID_BYTES];

	return hex_decode(raw, sizeof(raw), name) == 0;
}

int vm_folder_check(const char *dir, pid_t *ret_pid, struct err *e)
{
	struct vm *vm = xcalloc(1, sizeof(*vm));
	struct proc_id id;
	struct err why = {0};
	int r;

	vm->dir = xstrdup(dir);
	r = vm_load(vm, &why);
	vm_spec_fini(&vm->spec);
	vm_disks_fini(vm);
	free(vm->dir);
	free(vm);
	/* Looked at last: a VM that is just being removed has none any more. */
	if (r == 0 || !vm_folder_alive(dir, &id))
		return 0;
	*ret_pid = id.pid;
	return err_set(e, EBADMSG, "%s", why.msg);
}

void vm_files_remove(struct vm *vm)
{
	struct err e = {0};

	vm->gone_from_disk = true;
	saver_remove(vm->host->saver, vm->dir);
	/* Sockets only, and on another filesystem than the trash. */
	if (tree_remove(vm->run_dir, &e) < 0)
		log_error("%s", e.msg);
}
