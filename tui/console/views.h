/* The views by name, and words they share. */
#ifndef VMDECK_TUI_CONSOLE_VIEWS_H
#define VMDECK_TUI_CONSOLE_VIEWS_H

#include "tui/console/table.h"

extern const struct view view_vms, view_snapshots, view_restores, view_images, view_events;

extern const struct view view_host;

/* Host, daemon, totals, and what doctor found (NULL: not there yet). */
void host_detail(struct page *pg, const struct model *m, struct json_object *doctor);
/* Its usual order: by CPU, most first. */
void host_sort(struct table *t);
/* A figure as number and sparkline. */
void cell_figure(struct cell *c, const struct deck_vm *vm, enum figure f);

#define VMS_CPU_FROM 100 /* columns of the list of VMs from which on it shows figures */

/* A copy of a VM owns none of its figures. */
void vm_let_go(void *copy);

enum role state_role(enum deck_state s);
enum glyph state_glyph(enum deck_state s);
/* "waiting for hello since 2.1 s, usually 0.1 s, place 3". now_ns: wall clock. */
char *wait_text(const struct deck_wait *w, uint64_t now_ns, char *out, size_t n);
/* "42 %, 31 MiB/s, 12 s left": of what has been under way since since_ns (wall clock). bytes: what
 * is counted is bytes. "" when nothing can be told. */
char *progress_text(uint64_t done, uint64_t total, uint64_t since_ns, uint64_t now_ns, bool bytes,
	char *out, size_t n);
/* "memory 40 %", "pause". */
void making_text(const struct deck_making *mk, char *out, size_t n);

/* view_health.c */
struct page;
void cell_health(const void *row, struct cell *c);
/* A check says that it is not well. */
bool health_is_bad(const struct deck_vm *vm);
void draw_health(struct page *pg, const struct deck_vm *vm);

#endif
