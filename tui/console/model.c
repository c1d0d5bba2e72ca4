/* The rows of the model. */
#include "tui/console/model.h"

#include <string.h>
#include <strings.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/model_impl.h"

void model_init(struct model *m)
{
	memset(m, 0, sizeof(*m));
}

static void vm_free(struct deck_vm *vm)
{
	free(vm->figures);
	free(vm);
}

void model_fini(struct model *m)
{
	for (int i = 0; i < m->count; i++)
		vm_free(m->vm[i]);
	free(m->vm);
	index_fini(m);
	model_snapshots_fini(m);
	model_timings_fini(m);
	model_log_fini(m);
	memset(m, 0, sizeof(*m));
}

struct deck_image *model_image(struct model *m, const char *name)
{
	for (int i = 0; i < m->images; i++)
		if (strcmp(m->image[i].name, name) == 0)
			return &m->image[i];
	return NULL;
}

bool deck_vm_alive(const struct deck_vm *vm)
{
	return !vm->gone && vm->state != DECK_STOPPED && vm->state != DECK_FAILED;
}

static bool wait_same(const struct deck_wait *a, const struct deck_wait *b)
{
	return strcmp(a->name, b->name) == 0 && a->n == b->n && a->of == b->of &&
	       a->since_ns == b->since_ns && a->place == b->place && !(a->limit_s < b->limit_s) &&
	       !(a->limit_s > b->limit_s);
}

static bool making_same(const struct deck_making *a, const struct deck_making *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->step, b->step) == 0 && a->n == b->n &&
	       a->done == b->done && a->total == b->total;
}

/* Everything that is shown. The output's end is not: it grows all the time. */
bool deck_vm_same(const struct deck_vm *a, const struct deck_vm *b)
{
	return strcmp(a->name, b->name) == 0 && a->state == b->state &&
	       strcmp(a->reason, b->reason) == 0 && strcmp(a->image, b->image) == 0 &&
	       strcmp(a->vmm, b->vmm) == 0 && strcmp(a->accel, b->accel) == 0 &&
	       strcmp(a->generation, b->generation) == 0 && strcmp(a->health, b->health) == 0 &&
	       strcmp(a->check.why, b->check.why) == 0 && strcmp(a->snapshot, b->snapshot) == 0 &&
	       making_same(&a->making, &b->making) && a->vcpus == b->vcpus &&
	       a->mem_mib == b->mem_mib && a->created_ns == b->created_ns &&
	       a->started_ns == b->started_ns && a->since_ns == b->since_ns &&
	       (int64_t)a->boot_ms == (int64_t)b->boot_ms && wait_same(&a->wait, &b->wait) &&
	       a->agent == b->agent && a->tty == b->tty && a->mem_used == b->mem_used &&
	       a->mem_total == b->mem_total && a->exited == b->exited &&
	       strcmp(a->exit_how, b->exit_how) == 0 && a->exit_value == b->exit_value &&
	       a->gone == b->gone && a->kept == b->kept;
}

struct deck_vm *model_add(struct model *m, const char *id)
{
	struct deck_vm *vm;

	if (m->count == MODEL_VMS_MAX)
		return NULL;
	if (m->count == m->cap) {
		int cap = max_of(m->cap * 2, 16);
		struct deck_vm **grown = xcalloc((size_t)cap, sizeof(struct deck_vm *));

		if (m->count)
			memcpy(grown, m->vm, (size_t)m->count * sizeof(struct deck_vm *));
		free(m->vm);
		m->vm = grown;
		m->cap = cap;
	}
	vm = xcalloc(1, sizeof(*vm));
	str_safe(vm->id, sizeof(vm->id), id);
	/* Made harmless or cut, it may be the id of another. */
	if (model_find(m, vm->id)) {
		struct deck_vm *there = model_find(m, vm->id);

		free(vm);
		return there;
	}
	vm->state = DECK_UNKNOWN;
	m->vm[m->count++] = vm;
	index_add(m, vm);
	model_tally(m, vm, 1);
	return vm;
}

static int by_age(const void *a, const void *b)
{
	const struct deck_vm *x = *(struct deck_vm *const *)a, *y = *(struct deck_vm *const *)b;

	if (x->created_ns != y->created_ns)
		return x->created_ns < y->created_ns ? -1 : 1;
	return strcmp(x->id, y->id);
}

static void model_sort(struct model *m)
{
	if (m->count > 1)
		qsort(m->vm, (size_t)m->count, sizeof(struct deck_vm *), by_age);
}

static void swap_rows(struct model *m, int i, int j)
{
	struct deck_vm *vm = m->vm[i];

	m->vm[i] = m->vm[j];
	m->vm[j] = vm;
}

static int model_at(const struct model *m, const struct deck_vm *vm)
{
	int i = m->count - 1;

	while (i > 0 && m->vm[i] != vm)
		i--;
	return i;
}

void model_place(struct model *m, const struct deck_vm *vm)
{
	for (int i = model_at(m, vm); i > 0 && by_age(&m->vm[i - 1], &m->vm[i]) > 0; i--)
		swap_rows(m, i - 1, i);
	for (int i = model_at(m, vm); i + 1 < m->count && by_age(&m->vm[i], &m->vm[i + 1]) > 0; i++)
		swap_rows(m, i, i + 1);
}

/* A row that is in no list any more. */
static void forget(struct model *m, struct deck_vm *vm)
{
	index_remove(m, vm);
	model_tally(m, vm, -1);
	vm_free(vm);
}

unsigned model_drop(struct model *m, const char *id)
{
	struct deck_vm *vm = model_find(m, id);
	int i = vm ? model_at(m, vm) : -1;

	if (i < 0)
		return 0;
	memmove(&m->vm[i], &m->vm[i + 1], (size_t)(m->count - i - 1) * sizeof(struct deck_vm *));
	m->count--;
	forget(m, vm);
	return MODEL_VMS;
}

/* Applies a VM without sorting. */
static unsigned merge_vm(struct model *m, struct json_object *o)
{
	const char *id = jsonx_str(o, "id");
	struct deck_vm *vm, before;
	unsigned changed = 0;

	if (!id || !*id)
		return 0;
	vm = model_find(m, id);
	if (!vm) {
		vm = model_add(m, id);
		if (!vm)
			return 0;
		changed = MODEL_VMS;
	}
	vm->seen = m->lists;
	/* An answer that was on its way when the boot failed tells nothing new. */
	if (vm->kept)
		return changed;
	before = *vm;
	model_tally(m, vm, -1);
	deck_vm_decode(vm, o);
	model_tally(m, vm, 1);
	model_name_source(m, vm);
	changed |= model_time_vm(m, o);
	model_wait_usual(m, vm);
	if (!deck_vm_same(&before, vm))
		changed |= MODEL_VM;
	if (before.created_ns != vm->created_ns)
		changed |= MODEL_VMS;
	return changed;
}

unsigned model_set_vm(struct model *m, struct json_object *o)
{
	unsigned changed = merge_vm(m, o);
	const char *id = jsonx_str(o, "id");
	const struct deck_vm *vm = id ? model_find(m, id) : NULL;

	if (vm && (changed & MODEL_VMS))
		model_place(m, vm);
	return changed;
}

unsigned model_set_health(struct model *m, struct json_object *o)
{
	const char *id = jsonx_str(o, "id");
	struct deck_vm *vm = id ? model_find(m, id) : NULL, before;

	if (!vm)
		return 0;
	before = *vm;
	take_health(vm, o);
	return deck_vm_same(&before, vm) ? 0 : MODEL_VM;
}

static unsigned drop_unseen(struct model *m)
{
	struct deck_vm **gone = xcalloc((size_t)max_of(m->count, 1), sizeof(struct deck_vm *));
	int kept = 0, went = 0;

	for (int i = 0; i < m->count; i++) {
		if (m->vm[i]->seen != m->lists && !m->vm[i]->kept)
			gone[went++] = m->vm[i];
		else
			m->vm[kept++] = m->vm[i];
	}
	m->count = kept;
	for (int i = 0; i < went; i++)
		forget(m, gone[i]);
	free(gone);
	return went ? MODEL_VMS : 0;
}

unsigned model_set_vms(struct model *m, struct json_object *list)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	unsigned changed = m->loaded && !m->stale ? 0 : MODEL_VM;

	m->lists++;
	for (size_t i = 0; i < n; i++)
		changed |= merge_vm(m, json_object_array_get_idx(list, i));
	/* Rows that the list did not bring are gone; those of failed boots stay. */
	changed |= drop_unseen(m);
	model_sort(m);
	m->loaded = true;
	return changed;
}

unsigned model_set_images(struct model *m, struct json_object *list)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	m->images = (int)min_of(n, (size_t)MODEL_IMAGES_MAX);
	for (int i = 0; i < m->images; i++)
		deck_image_decode(&m->image[i], json_object_array_get_idx(list, (size_t)i));
	return MODEL_IMAGES;
}

unsigned model_set_stale(struct model *m, bool stale)
{
	bool changed = m->stale != stale;

	m->stale = stale;
	return changed ? MODEL_VM : 0;
}
