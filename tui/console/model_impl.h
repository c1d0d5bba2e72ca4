/* Between the files of the model. */
#ifndef VMDECK_TUI_CONSOLE_MODEL_IMPL_H
#define VMDECK_TUI_CONSOLE_MODEL_IMPL_H

#include "tui/console/model.h"

#define MODEL_VMS_MAX 20000

/* A new row at the end, or NULL above the limit. */
struct deck_vm *model_add(struct model *m, const char *id);
/* Whether both would be drawn alike. */
bool deck_vm_same(const struct deck_vm *a, const struct deck_vm *b);
/* Oldest first again. */
void model_sort(struct model *m);

#endif
