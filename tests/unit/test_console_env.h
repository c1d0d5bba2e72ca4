/* The whole console without a daemon and without a terminal, for unit tests: events and keys in,
 * screen out. */
#ifndef VMDECK_TESTS_CONSOLE_ENV_H
#define VMDECK_TESTS_CONSOLE_ENV_H

#include <curses.h>
#include <locale.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/util.h"
#include "tui/console/app.h"

struct env {
	SCREEN *screen;
	FILE *out, *in;
	struct console_opts opts;
	struct app app;
};

static inline void size(struct app *a, int rows, int cols)
{
	resizeterm(rows, cols);
	app_take_size(a);
}

static inline int setup(void **state)
{
	struct env *e = xcalloc(1, sizeof(*e));

	setlocale(LC_ALL, "C.UTF-8");
	unsetenv("LINES");
	unsetenv("COLUMNS");
	e->out = fopen("/dev/null", "w");
	e->in = fopen("/dev/null", "r");
	e->screen = newterm("xterm-256color", e->out, e->in);
	assert_non_null(e->screen);
	start_color();
	use_default_colors();
	app_init(&e->app, &e->opts);
	theme_builtin(&e->app.theme);
	paint_init(&e->app.paint, &e->app.theme, DEPTH_256, false);
	size(&e->app, 24, 80);
	*state = e;
	return 0;
}

static inline int teardown(void **state)
{
	struct env *e = *state;

	app_fini(&e->app);
	endwin();
	delscreen(e->screen);
	fclose(e->out);
	fclose(e->in);
	free(e);
	return 0;
}

static inline const char *row(int y)
{
	static char text[4096];
	wchar_t wide[400];
	size_t n;

	mvinnwstr(y, 0, wide, 399);
	n = wcstombs(text, wide, sizeof(text) - 1);
	assert_true(n != (size_t)-1);
	while (n > 0 && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	return text;
}

/* The row that contains the text, or -1. */
static inline int find(struct app *a, const char *text)
{
	draw_screen(a);
	doupdate();
	for (int y = 0; y < a->rows; y++)
		if (strstr(row(y), text))
			return y;
	return -1;
}

static inline struct json_object *json(const char *text)
{
	struct json_object *o = NULL;
	struct err e;

	assert_int_equal(jsonx_parse(text, strlen(text), &o, &e), 0);
	return o;
}

static inline void event(struct app *a, const char *vm, const char *name, const char *fields)
{
	char text[1024];
	struct json_object *o;

	snprintf(text, sizeof(text),
		"{\"seq\":1,\"wall_ns\":1700000000000000000,\"vm\":\"%s\",\"vm_name\":\"%s\","
		"\"name\":\"%s\",\"fields\":%s}",
		vm, vm, name, fields);
	o = json(text);
	app_link_handler.on_event(a, o, false);
	json_object_put(o);
}

static inline void vms(struct app *a, const char *text)
{
	struct json_object *o = json(text);

	app_refresh(a, model_set_vms(&a->model, o) | MODEL_VM);
	json_object_put(o);
}

static inline void images(struct app *a, const char *state)
{
	char text[200];
	struct json_object *o;

	snprintf(text, sizeof(text), "[{\"name\":\"mini\",\"state\":\"%s\"}]", state);
	o = json(text);
	app_refresh(a, model_set_images(&a->model, o));
	json_object_put(o);
}

static inline void keys(struct app *a, const char *text)
{
	for (; *text; text++)
		app_key(a, key_from_char((unsigned char)*text));
}

#endif
