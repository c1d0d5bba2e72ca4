/* Between the files of the tables. */
#ifndef VMDECK_TUI_CONSOLE_TABLE_IMPL_H
#define VMDECK_TUI_CONSOLE_TABLE_IMPL_H

#include "tui/console/table.h"

/* As filter_score; 0 without a filter. */
int table_score(const struct table *t, const void *row);
/* Rows of the model, or of the frozen copy; NULL: it belongs to another view. */
int table_source_end(const struct table *t, const struct model *m);
void *table_source_row(const struct table *t, const struct model *m, int i);
#endif
