/* Windows kept by name. */
#include <string.h>

#include "tui/console/act.h"
#include "tui/console/layouts.h"

bool windows_save(struct app *a, const char *name)
{
	struct windows kept;
	struct err e = {0};

	windows_keep(a, &kept);
	if (layout_save(&kept, name, &e) == 0)
		return true;
	app_notice(a, NOTICE_ERROR, "%s", e.msg);
	return false;
}

bool windows_load(struct app *a, const char *name)
{
	struct windows kept;
	struct err e = {0};

	if (layout_load(&kept, name, &e) < 0) {
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
		return false;
	}
	if (a->at != VIEW_VMS)
		app_show(a, VIEW_VMS);
	windows_take(a, &kept);
	return true;
}

static void layout_rm(struct app *a, const char *name)
{
	struct err e = {0};

	if (layout_remove(name, &e) < 0)
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
	else
		app_notice(a, NOTICE_OK, "layout %s is removed", name);
}

void act_LAYOUT(struct app *a, const char *arg)
{
	size_t n = strcspn(arg, " ");
	const char *name = arg + n + strspn(arg + n, " ");

	if (!*arg)
		command_open_with(a, "layout ");
	else if (n == 4 && strncmp(arg, "save", n) == 0 && *name) {
		if (windows_save(a, name))
			app_notice(a, NOTICE_OK, "layout %s is kept", name);
	} else if (n == 4 && strncmp(arg, "load", n) == 0 && *name)
		(void)windows_load(a, name);
	else if (n == 2 && strncmp(arg, "rm", n) == 0 && *name)
		layout_rm(a, name);
	else
		app_notice(a, NOTICE_ERROR,
			"layout: say save NAME, load NAME or rm NAME (:layouts lists them)");
}

void act_LAYOUTS(struct app *a, const char *arg)
{
	char names[300];
	struct err e = {0};
	int count = layout_list(names, sizeof(names), &e);

	(void)arg;
	if (count < 0)
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
	else if (count == 0)
		app_notice(a, NOTICE_INFO, "no layout is kept yet: :layout save NAME");
	else
		app_notice(a, NOTICE_INFO, "%d layout%s (:layout load NAME): %s", count,
			count == 1 ? "" : "s", names);
}

void act_WRITE_QUIT(struct app *a, const char *arg)
{
	(void)arg;
	if (windows_save(a, LAYOUT_LAST))
		app_quit(a, 0);
}
