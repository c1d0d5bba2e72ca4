/* Commands that print a list of the daemon's: as a table, as names, or as JSON. */
#ifndef VMDECK_CLI_LISTS_H
#define VMDECK_CLI_LISTS_H

#include "tui/cli/cli.h"
#include "tui/cli/text.h"

typedef void list_print(const struct cli *c, struct json_object *list);

/* Calls (takes params) and prints; --quiet, where the command has it: names only. Exit code. */
int list_run(struct cli *c, const char *method, struct json_object *params, list_print *print);

/* A field's text, "" when it has none; a time or size, 0 when it has none. */
const char *list_text(struct json_object *o, const char *key);
uint64_t list_u64(struct json_object *o, const char *key);

#endif
