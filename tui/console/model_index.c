/* The VMs of the model by id, and how many are in which state. */
#include <json-c/linkhash.h>
#include <string.h>

#include "backend/base/util.h"
#include "tui/console/model_impl.h"

/* Entries taken out slow look-ups: after so many the table is made anew. */
#define LEFTOVER_MAX 1024
#define FIRST_SIZE   64

static void make(struct model *m, int size)
{
	m->by_id = lh_kchar_table_new(size, NULL);
	m->unindexed = 0;
	if (!m->by_id)
		abort();
}

void index_add(struct model *m, struct deck_vm *vm)
{
	if (!m->by_id)
		make(m, FIRST_SIZE);
	if (lh_table_insert(m->by_id, vm->id, vm) < 0)
		abort();
}

static void make_anew(struct model *m)
{
	lh_table_free(m->by_id);
	make(m, max_of(m->count * 2, FIRST_SIZE));
	for (int i = 0; i < m->count; i++)
		index_add(m, m->vm[i]);
}

void index_remove(struct model *m, const struct deck_vm *vm)
{
	lh_table_delete(m->by_id, vm->id);
	if (++m->unindexed > max_of(LEFTOVER_MAX, m->count / 2))
		make_anew(m);
}

void index_fini(struct model *m)
{
	if (m->by_id)
		lh_table_free(m->by_id);
	m->by_id = NULL;
}

struct deck_vm *model_find(const struct model *m, const char *id)
{
	struct lh_entry *e = m->by_id ? lh_table_lookup_entry(m->by_id, id) : NULL;

	return e ? (struct deck_vm *)(uintptr_t)lh_entry_v(e) : NULL;
}

/* ---- counts ---------------------------------------------------------------------------------- */

void model_tally(struct model *m, const struct deck_vm *vm, int step)
{
	if (!vm->gone)
		m->in_state[vm->state] += step;
	if (vm->wait.name[0] || vm->making.name[0])
		m->waiting += step;
}

int model_count(const struct model *m, enum deck_state state)
{
	return m->in_state[state];
}

int model_vms(const struct model *m)
{
	int n = 0;

	for (int i = 0; i < DECK__COUNT; i++)
		n += m->in_state[i];
	return n;
}
