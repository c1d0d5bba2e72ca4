/* A dialog of a few fields: text typed in place, or a switch. Enter accepts with what is there. */
#ifndef VMDECK_TUI_CONSOLE_FORM_H
#define VMDECK_TUI_CONSOLE_FORM_H

#include "tui/console/app.h"

#define FORM_FIELDS_MAX 6

struct form;

struct form_field {
	const char *title;
	const char *start; /* NULL: a switch, off at first */
	const char *empty; /* what an empty field means */
};

struct form_spec {
	const struct form_field *fields;
	int count;
	const char *verb; /* "Enter boots" */
	/* Checks and starts; an error stays in the dialog, with the focus where form_at put it. */
	int (*accept)(struct app *a, struct form *f, struct err *e);
	/* Something to know before Enter; may be NULL. */
	void (*remark)(struct app *a, const struct form *f, char *out, size_t n);
};

/* A dialog with this title, about this subject (a name or id; copied), the focus on a field. The
 * form belongs to the console; values may be set before this turn ends. */
struct form *form_open(struct app *a, const struct form_spec *spec, const char *title,
	const char *subject, int at);
void form_set(struct form *f, int field, const char *text);
const char *form_subject(const struct form *f);
/* What was typed; "" when nothing was. */
const char *form_text(const struct form *f, int field);
bool form_on(const struct form *f, int field);
/* Puts the focus where r says that something is wrong; returns r. */
int form_at(struct form *f, int field, int r);

#endif
