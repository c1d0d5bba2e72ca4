/* Between the files of the model. */
#ifndef VMDECK_TUI_CONSOLE_MODEL_IMPL_H
#define VMDECK_TUI_CONSOLE_MODEL_IMPL_H

#include "tui/console/model.h"

#define MODEL_VMS_MAX 20000

/* A new row at the end, or NULL above the limit. */
struct deck_vm *model_add(struct model *m, const char *id);
/* Whether both would be drawn alike. */
bool deck_vm_same(const struct deck_vm *a, const struct deck_vm *b);
/* Oldest first again, when only this row is out of its place. */
void model_place(struct model *m, const struct deck_vm *vm);
/* Counts a row in or out (step 1, -1): around every change of one. */
void model_tally(struct model *m, const struct deck_vm *vm, int step);
/* The rows by their ids (model_index.c). */
void index_add(struct model *m, struct deck_vm *vm);
void index_remove(struct model *m, const struct deck_vm *vm);
void index_fini(struct model *m);

/* ---- json: nothing is coerced, hostile bytes become visible */
/* Text of a key, made harmless; what is there stays when the key is missing. */
void take_str(struct json_object *o, const char *key, char *out, size_t n);
/* Finite and >= 0, else def. */
double take_num(struct json_object *o, const char *key, double def);
uint64_t take_u64(struct json_object *o, const char *key, uint64_t def);
void take_restores(struct deck_restores *r, struct json_object *o);
/* A snapshot under way (snap_to_json of the daemon); none when o is NULL. */
void take_making(struct deck_making *mk, struct json_object *o);

/* An EVENT taken apart. */
struct model_event {
	struct json_object *fields;
	const char *vm_id, *vm_name; /* never NULL */
	uint64_t wall_ns;
};
/* Names what a VM is a clone of. */
void model_name_source(const struct model *m, struct deck_vm *vm);
/* HEALTH of a VM; what is there stays when o is none. */
void take_health(struct deck_vm *vm, struct json_object *o);
/* The object "network" of a VM, or the fields of net.ready, net.up and net.down. */
void take_network(struct deck_vm *vm, struct json_object *o);
/* A step of a snapshot's flow. */
void making_step(struct deck_making *mk, const struct model_event *ev);
/* What an event means for the snapshots. */
unsigned snapshot_event(
	struct model *m, const char *name, const struct model_event *ev, struct model_todo *todo);
void model_snapshots_fini(struct model *m);
void model_timings_fini(struct model *m);
void model_log_fini(struct model *m);
/* What the wait of a VM under way usually takes, as far as a timing tells. */
void model_wait_usual(const struct model *m, struct deck_vm *vm);
/* A VM that is listed while it starts brings the phases so far. */
unsigned model_time_vm(struct model *m, struct json_object *vm);

#endif
