/* Views: what each lists, in which columns, and the rows that its filter and order leave. Pure. */
#ifndef VMDECK_TUI_CONSOLE_TABLE_H
#define VMDECK_TUI_CONSOLE_TABLE_H

#include "tui/console/filter.h"
#include "tui/console/list.h"
#include "tui/console/marks.h"
#include "tui/console/model.h"
#include "tui/console/page.h"
#include "tui/console/paint.h"

enum view_id {
	VIEW_VMS,
	VIEW_SNAPSHOTS,
	VIEW_RESTORES,
	VIEW_IMAGES,
	VIEW_EVENTS,
	VIEW_HOST,
	VIEW__COUNT
};

/* What stands in one place of a row. */
struct cell {
	char text[200];
	enum role role;           /* ROLE_TEXT: nothing special */
	int glyph;                /* enum glyph before the text; -1: none */
	uint64_t done, total;     /* total > 0: a bar behind the text */
	const struct ring *spark; /* behind the text, up to the end of the cell; NULL: none */
	double top;               /* of the sparkline; 0: its largest value */
	int text_columns;         /* that the text gets before the sparkline */
};

struct column {
	const char *title;
	int width; /* with one column of space; at least, when it stretches */
	int max;   /* > 0: it stretches up to that */
	int from;  /* shown from this width of the list on */
	void (*cell)(const void *row, struct cell *c);
	double (*number)(const void *row); /* what it is sorted by; NULL: its text */
};

#define COLUMNS_MAX 14

/* What a filter finds beside the columns. */
struct row_field {
	const char *name;
	/* In the row, or written to buf. */
	const char *(*text)(const void *row, char *buf, size_t n);
};

struct view {
	const char *name, *title; /* "snapshots", "Snapshots" */
	const char *one;          /* "snapshot" */
	unsigned context;         /* enum action_context */
	unsigned changes;         /* enum model_change that concern it */
	bool newest_first;        /* the first row is followed while it is selected */
	const struct column *columns;
	int column_count;
	/* Row i of what there is, NULL: it belongs to another view; end: how many to ask for. */
	int (*end)(const struct model *m);
	void *(*row)(const struct model *m, int i);
	int (*count)(const struct model *m); /* for the top line */
	void (*key)(const void *row, char *out, size_t n);
	/* What a filter looks through; key=value knows these and the titles of the columns. */
	const struct row_field *fields;
	int field_count;
	size_t row_size; /* what a frozen list copies of a row */
	/* A copy lets go of what the row owns; may be NULL. */
	void (*let_go)(void *copy);
	/* A row that says something instead of its columns from the third on; may be NULL. */
	bool (*say)(const void *row, struct cell *c);
	bool (*stale)(const void *row); /* may be NULL */
	/* Title in the rule over the detail, and the detail itself. NULL: the panes of a VM. */
	void (*name_row)(const void *row, char *out, size_t n);
	void (*detail)(struct page *pg, const struct model *m, const void *row);
	int pane_rows; /* the detail needs no more of a screen where it stands below; 0: all */
	const char *empty, *more; /* what an empty list says */
};
extern const struct view *const views[VIEW__COUNT];

#define SORT_NATURAL (-1)

struct table {
	const struct view *view;
	void **row; /* owned array; rows belong to the model: valid until it changes */
	int count, cap;
	struct list list;
	char filter[FILTER_MAX]; /* as typed */
	struct filter *terms;    /* owned; NULL: all rows */
	struct marks marks;
	char selected[80]; /* key of the selected row; "" when there is none */
	int sort;          /* column, or SORT_NATURAL */
	bool reverse;
	bool late; /* rows that the model has still, but others or in another order by now */
	struct {
		char *rows; /* owned copies, row_size each; NULL: the list is live */
		int count;
		int shown; /* what the view counted */
		uint64_t since_ns;
		unsigned changes;
	} frozen;
};

void table_init(struct table *t, const struct view *v);
void table_fini(struct table *t);
/* Takes the rows anew from the model. */
void table_fill(struct table *t, const struct model *m);
/* Takes another filter for the next table_fill. -EINVAL: e says why, and the old one stays. */
int table_set_filter(struct table *t, const char *text, struct err *e);
/* Whether the rows may be in another order, or be others, since this one has changed. */
bool table_moved(const struct table *t, const void *row);
/* The rows stay as they are until table_thaw, whatever becomes of the model; now_ns: monotonic. */
void table_freeze(struct table *t, const struct model *m, uint64_t now_ns);
void table_thaw(struct table *t);
/* Rows without the filter. */
int table_all(const struct table *t, const struct model *m);
/* Index of the selected key, -1 when it went. */
int table_find(const struct table *t, const char *key);
void *table_selected(const struct table *t); /* selected, or NULL */
/* Widths of the columns at a list width, 0: not shown. */
void table_widths(const struct view *v, int cols, int widths[COLUMNS_MAX]);

/* ---- for the views */
void cell_printf(struct cell *c, const char *fmt, ...) printf_like(2, 3);
void cell_ms(struct cell *c, double ms); /* "-" for 0 */
void cell_time(struct cell *c, uint64_t wall_ns);
void cell_bytes(struct cell *c, uint64_t bytes);
/* "0.42 ms", "124 ms", "3.2 s" */
char *ms_text(char *out, size_t n, double ms);
char *time_text(char *out, size_t n, uint64_t wall_ns);

#endif
