/* Actions on the console itself. */
#include "tui/console/act.h"
#include "tui/console/term.h"

void act_FILTER(struct app *a, const char *arg)
{
	if (*arg)
		app_set_filter(a, arg);
	else
		filter_open(a);
}

void act_COMMAND(struct app *a, const char *arg)
{
	(void)arg;
	command_open(a);
}

void act_HELP(struct app *a, const char *arg)
{
	(void)arg;
	help_open(a);
}

void act_RESYNC(struct app *a, const char *arg)
{
	(void)arg;
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
