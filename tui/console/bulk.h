/* Actions on all marked rows of a list. */
#ifndef VMDECK_TUI_CONSOLE_BULK_H
#define VMDECK_TUI_CONSOLE_BULK_H

#include "tui/console/app.h"

/* One call for each of the marked rows; freed when the last one is answered. */
struct bulk {
	struct bulk *next; /* of the app's */
	struct app *app;
	const struct bulk_verb *verb;
	const char *one;           /* "VM" */
	const char *method, *done; /* constants; "stopped" */
	struct bulk_item {
		char key[80]; /* what the daemon is told */
		char name[64], other[64];
	} * item; /* owned */
	int count, at, running, failed;
	char skipped[300]; /* why the first of those is not taken */
	int skips;
	char why[300]; /* the first failure */
};

struct bulk_verb {
	enum action action;
	const char *before, *behind; /* of the question: "Kill" 3 VMs " now?" */
	bool word;                   /* it destroys: a word is typed */
	/* Begins; takes b. */
	void (*run)(struct bulk *b, const char *arg);
	/* What hangs on it, for the dialog; may be NULL. */
	void (*detail)(const struct bulk *b, char *out, size_t n);
};

/* Does the action for the marked rows; false: none is marked, or it is for one row only. */
bool bulk_run(struct app *a, enum action act, const char *arg);
/* Starts the calls; takes b. */
void bulk_start(struct bulk *b);
void bulk_free(struct bulk *b);
/* Frees those under way; nothing is answered any more. */
void bulk_fini(struct app *a);
/* Asks: one key for what can be waited for, a typed word for what destroys; a no frees b.
 * (bulk_ask.c) */
void bulk_ask(struct bulk *b);

/* bulk_verbs.c */
const struct bulk_verb *bulk_verb_of(enum action act);

#endif
