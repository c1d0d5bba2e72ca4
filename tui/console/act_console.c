/* Actions on the console itself. */
#include "tui/console/act.h"
#include "tui/console/term.h"

void act_FILTER(struct app *a, const char *arg)
{
	if (*arg)
		app_filter(a, arg);
	else
		filter_open(a);
}

void act_COMMAND(struct app *a, const char *arg)
{
	(void)arg;
	command_open(a);
}

void act_MENU(struct app *a, const char *arg)
{
	(void)arg;
	action_menu_open(a);
}

void act_HELP(struct app *a, const char *arg)
{
	(void)arg;
	help_open(a);
}

void act_THEME(struct app *a, const char *arg)
{
	if (*arg)
		app_take_theme(a, arg);
	else
		theme_picker_open(a);
}

void act_RESYNC(struct app *a, const char *arg)
{
	(void)arg;
	if (link_wake(&a->link)) {
		app_notice(a, NOTICE_INFO, "connecting to the daemon");
		return;
	}
	app_load(a);
	app_notice(a, NOTICE_INFO, "asked the daemon for everything anew");
}

void act_REDRAW(struct app *a, const char *arg)
{
	(void)arg;
	term_redraw();
	app_dirty(a);
}

void act_SUSPEND(struct app *a, const char *arg)
{
	(void)arg;
	term_suspend();
	app_dirty(a);
}

void act_QUIT(struct app *a, const char *arg)
{
	(void)arg;
	app_quit(a, 0);
}

/* `:vms web state=running` also sets the filter. */
static void show(struct app *a, enum view_id view, const char *filter)
{
	app_show(a, view);
	if (*filter)
		app_filter(a, filter);
}

void act_VMS(struct app *a, const char *arg)
{
	show(a, VIEW_VMS, arg);
}

void act_SNAPSHOTS(struct app *a, const char *arg)
{
	show(a, VIEW_SNAPSHOTS, arg);
}

void act_RESTORES(struct app *a, const char *arg)
{
	show(a, VIEW_RESTORES, arg);
}

void act_IMAGES(struct app *a, const char *arg)
{
	show(a, VIEW_IMAGES, arg);
}

void act_EVENTS(struct app *a, const char *arg)
{
	show(a, VIEW_EVENTS, arg);
}

void act_HOST_VIEW(struct app *a, const char *arg)
{
	(void)arg;
	app_show(a, VIEW_HOST);
}

/* The next column on the screen that has a title, round by way of the natural order. */
static void sort_by(struct app *a, int step)
{
	struct table *t = app_table(a);
	int n = t->view->column_count, widths[COLUMNS_MAX];

	undo_push(&a->undo, t, a->at, "order");
	table_widths(t->view, a->layout.list.w, widths);
	do
		t->sort = (t->sort + 1 + step + n + 1) % (n + 1) - 1;
	while (t->sort != SORT_NATURAL &&
		(!widths[t->sort] || !t->view->columns[t->sort].title[0]));
	app_refill(a);
	if (t->sort == SORT_NATURAL)
		app_notice(a, NOTICE_INFO, "in the usual order");
	else
		app_notice(a, NOTICE_INFO, "sorted by %s; I turns it round",
			t->view->columns[t->sort].title);
}

void act_SORT_NEXT(struct app *a, const char *arg)
{
	(void)arg;
	sort_by(a, 1);
}

void act_SORT_PREVIOUS(struct app *a, const char *arg)
{
	(void)arg;
	sort_by(a, -1);
}

void act_SORT_TURN(struct app *a, const char *arg)
{
	(void)arg;
	undo_push(&a->undo, app_table(a), a->at, "order");
	app_table(a)->reverse = !app_table(a)->reverse;
	app_refill(a);
}
