/* Snapshots: from lists, and those under way from events. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/model_impl.h"

const char *const deck_snapshot_states[] = {
	[SNAPSHOT_READY] = "ready",
	[SNAPSHOT_CREATING] = "creating",
	[SNAPSHOT_DAMAGED] = "damaged",
};

/* One that is to take another's place stands beside it under the same name. */
static int find(const struct model *m, const char *name, bool creating)
{
	for (int i = 0; i < m->snapshots; i++)
		if ((m->snapshot[i]->state == SNAPSHOT_CREATING) == creating &&
			strcmp(m->snapshot[i]->name, name) == 0)
			return i;
	return -1;
}

struct deck_snapshot *model_snapshot(const struct model *m, const char *name)
{
	int i = find(m, name, false);

	i = i < 0 ? find(m, name, true) : i;
	return i < 0 ? NULL : m->snapshot[i];
}

static void drop(struct model *m, int i)
{
	free(m->snapshot[i]);
	memmove(&m->snapshot[i], &m->snapshot[i + 1],
		(size_t)(m->snapshots - i - 1) * sizeof(struct deck_snapshot *));
	m->snapshots--;
}

void model_snapshots_fini(struct model *m)
{
	while (m->snapshots)
		drop(m, m->snapshots - 1);
}

static struct deck_snapshot *find_or_add(struct model *m, const char *name, bool creating)
{
	struct deck_snapshot *s;
	int i = find(m, name, creating);

	if (i >= 0)
		return m->snapshot[i];
	if (m->snapshots == MODEL_SNAPSHOTS_MAX)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	str_safe(s->name, sizeof(s->name), name);
	s->state = creating ? SNAPSHOT_CREATING : SNAPSHOT_READY;
	m->snapshot[m->snapshots++] = s;
	return s;
}

static void decode_users(struct deck_snapshot *s, struct json_object *a)
{
	size_t n = json_object_is_type(a, json_type_array) ? json_object_array_length(a) : 0;
	size_t len = 0;

	s->users = (int)n;
	s->user_names[0] = '\0';
	for (size_t i = 0; i < n && len < sizeof(s->user_names); i++) {
		const char *name = json_object_get_string(json_object_array_get_idx(a, i));
		char safe[80];

		len += (size_t)snprintf(s->user_names + len, sizeof(s->user_names) - len, "%s%s",
			i ? ", " : "", str_safe(safe, sizeof(safe), name ? name : "?"));
	}
}

static void decode_disks(struct deck_snapshot *s, struct json_object *a)
{
	size_t n = json_object_is_type(a, json_type_array) ? json_object_array_length(a) : 0;

	s->disks = (int)n;
	s->disk_bytes = 0;
	for (size_t i = 0; i < n; i++)
		s->disk_bytes += take_u64(json_object_array_get_idx(a, i), "bytes", 0);
}

static void decode_origin(struct deck_snapshot *s, struct json_object *o)
{
	struct json_object *source = jsonx_get(o, "source");

	take_str(source, "id", s->source_id, sizeof(s->source_id));
	take_str(source, "name", s->source, sizeof(s->source));
	take_str(o, "parent", s->parent, sizeof(s->parent));
	take_str(o, "vmm", s->vmm, sizeof(s->vmm));
	take_str(o, "vmm_version", s->vmm_version, sizeof(s->vmm_version));
	take_str(o, "accel", s->accel, sizeof(s->accel));
	take_str(o, "image", s->image, sizeof(s->image));
	take_str(o, "dir", s->dir, sizeof(s->dir));
	s->vcpus = (int)jsonx_int(o, "vcpus", 0);
	s->mem_mib = jsonx_int(o, "mem_mib", 0);
}

void deck_snapshot_decode(struct deck_snapshot *s, struct json_object *o)
{
	const char *state = jsonx_str(o, "state");
	struct json_object *pool = jsonx_get(o, "pool");

	take_str(o, "name", s->name, sizeof(s->name));
	take_str(o, "id", s->id, sizeof(s->id));
	take_str(o, "why", s->why, sizeof(s->why));
	s->state = state && strcmp(state, "creating") == 0  ? SNAPSHOT_CREATING
		   : state && strcmp(state, "damaged") == 0 ? SNAPSHOT_DAMAGED
							    : SNAPSHOT_READY;
	s->created_ns = take_u64(o, "created_ns", 0);
	s->temporary = jsonx_bool(o, "temporary", false);
	s->drained = jsonx_bool(o, "drained", true);
	decode_origin(s, o);
	s->memory_bytes = take_u64(o, "memory_bytes", 0);
	s->state_bytes = take_u64(o, "state_bytes", 0);
	decode_disks(s, jsonx_get(o, "disks"));
	s->pause_ms = take_num(o, "pause_ms", 0);
	s->quiesce_ms = take_num(o, "quiesce_ms", 0);
	s->took_ms = take_num(o, "took_ms", 0);
	decode_users(s, jsonx_get(o, "users"));
	s->pool_wanted = (int)jsonx_int(pool, "wanted", 0);
	s->pool_ready = (int)jsonx_int(pool, "ready", 0);
	s->pool_idle_mib = take_num(pool, "idle_mib", 0);
	s->pool_why[0] = '\0';
	take_str(pool, "why", s->pool_why, sizeof(s->pool_why));
	take_restores(&s->restores, jsonx_get(o, "restores"));
	take_making(&s->making, s->state == SNAPSHOT_CREATING ? o : NULL);
}

static int by_age(const void *a, const void *b)
{
	const struct deck_snapshot *x = *(struct deck_snapshot *const *)a,
				   *y = *(struct deck_snapshot *const *)b;

	if (x->created_ns != y->created_ns)
		return x->created_ns < y->created_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

unsigned model_set_snapshots(struct model *m, struct json_object *list)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	m->lists++;
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *name = jsonx_str(o, "name"), *state = jsonx_str(o, "state");
		struct deck_snapshot *s;

		if (!name || !*name)
			continue;
		s = find_or_add(m, name, state && strcmp(state, "creating") == 0);
		if (!s)
			break;
		deck_snapshot_decode(s, o);
		s->seen = m->lists;
	}
	for (int i = m->snapshots - 1; i >= 0; i--)
		if (m->snapshot[i]->seen != m->lists)
			drop(m, i);
	qsort(m->snapshot, (size_t)m->snapshots, sizeof(struct deck_snapshot *), by_age);
	for (int i = 0; i < m->count; i++)
		model_name_source(m, m->vm[i]);
	return MODEL_SNAPSHOTS | MODEL_VM;
}

void model_name_source(const struct model *m, struct deck_vm *vm)
{
	const struct deck_snapshot *s =
		vm->snapshot[0] && !vm->source[0] ? model_snapshot(m, vm->snapshot) : NULL;

	if (s && s->temporary)
		snprintf(vm->source, sizeof(vm->source), "%s", s->source);
}

/* ---- events ---------------------------------------------------------------------------------- */

void making_step(struct deck_making *mk, const struct model_event *ev)
{
	take_str(ev->fields, "snapshot", mk->name, sizeof(mk->name));
	take_str(ev->fields, "step", mk->step, sizeof(mk->step));
	mk->n = (int)jsonx_int(ev->fields, "n", 0);
	mk->of = (int)jsonx_int(ev->fields, "of", 0);
	mk->since_ns = ev->wall_ns;
}

static bool is_snapshot_step(const char *name, const struct model_event *ev)
{
	const char *flow = jsonx_str(ev->fields, "flow");

	return strcmp(name, "flow.step") == 0 && flow && strcmp(flow, "snapshot") == 0;
}

static unsigned growing(struct model *m, const char *name, const struct model_event *ev)
{
	const char *snapshot = jsonx_str(ev->fields, "snapshot");
	struct deck_snapshot *s = snapshot && *snapshot ? find_or_add(m, snapshot, true) : NULL;

	if (!s)
		return 0;
	if (!s->created_ns) {
		s->created_ns = ev->wall_ns;
		str_safe(s->source_id, sizeof(s->source_id), ev->vm_id);
		str_safe(s->source, sizeof(s->source), ev->vm_name);
	}
	if (strcmp(name, "flow.step") == 0) {
		making_step(&s->making, ev);
	} else {
		s->making.done = take_u64(ev->fields, "done", 0);
		s->making.total = take_u64(ev->fields, "total", 0);
	}
	return MODEL_SNAPSHOTS;
}

unsigned snapshot_event(
	struct model *m, const char *name, const struct model_event *ev, struct model_todo *todo)
{
	static const char *const others[] = {"vm.restore", "vm.restore.failed", "pool.ready",
		"vm.remove", "vm.rollback", "vm.adopt"};
	const char *snapshot = jsonx_str(ev->fields, "snapshot"), *to;
	int i;

	if (is_snapshot_step(name, ev) || strcmp(name, "snapshot.progress") == 0)
		return growing(m, name, ev);
	if (strncmp(name, "vm.snapshot", 11) == 0 || strcmp(name, "snapshot.remove") == 0 ||
		strcmp(name, "snapshot.rollback") == 0) {
		todo->list_snapshots = true;
		i = snapshot && strncmp(name, "vm.", 3) == 0 ? find(m, snapshot, true) : -1;
		/* A row that is done stays until the list brings it whole. */
		if (i >= 0 && strcmp(name, "vm.snapshot") != 0)
			drop(m, i);
		return MODEL_SNAPSHOTS;
	}
	for (size_t k = 0; k < countof(others); k++)
		todo->ask_snapshots |= strcmp(name, others[k]) == 0;
	to = strcmp(name, "vm.state") == 0 ? jsonx_str(ev->fields, "to") : NULL;
	todo->ask_snapshots |= to && (strcmp(to, "stopped") == 0 || strcmp(to, "failed") == 0);
	todo->ask_snapshots &= m->snapshots > 0;
	return 0;
}
