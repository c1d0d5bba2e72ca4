// LIBS: record api base
// OBJS: tui/console/*.c tui/record/recorder.c tui/record/streams.c
/* Mouse, Alt keys, small screens: reports and keys in, screen and state out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/test_console_env.h"

#define TWO_VMS                                                                                    \
	"[{\"id\":\"a1\",\"name\":\"web\",\"state\":\"running\",\"agent\":{\"connected\":true},"   \
	"\"created_ns\":1,\"mem_mib\":256},{\"id\":\"b2\",\"name\":\"db\",\"state\":\"stopped\","  \
	"\"reason\":\"powered off\",\"created_ns\":2}]"

static enum mouse_fed report(const char *s, struct mouse_event *ret)
{
	enum mouse_fed fed = MOUSE_MORE;
	struct mouse_report r;

	for (mouse_report_begin(&r); *s && fed == MOUSE_MORE; s++)
		fed = mouse_report_feed(&r, (unsigned char)*s, ret);
	assert_true(r.open == (fed == MOUSE_MORE));
	return fed;
}

static void test_reports(void **state)
{
	static const char *const bad[] = {"M", "0;1M", "0;0;1M", "0;1;0M", "1;1;1;1M", "x",
		"0;1;99999M", "999;1;1M", "0;;1M", "-1;1;1M", "0;1;1 M",
		"00000000000000000000000000000000;1;1M", "\x1b"};
	struct mouse_event ev;

	(void)state;
	assert_int_equal(report("0;5;3M", &ev), MOUSE_DONE);
	assert_true(ev.button == MOUSE_LEFT && ev.pressed && !ev.moved && ev.x == 4 && ev.y == 2);
	assert_int_equal(report("2;1;1m", &ev), MOUSE_DONE);
	assert_true(ev.button == MOUSE_RIGHT && !ev.pressed);
	assert_int_equal(report("60;500;200M", &ev), MOUSE_DONE);
	assert_true(
		ev.moved && ev.mods == (KEY_MOD_SHIFT | KEY_MOD_ALT | KEY_MOD_CTRL) && ev.x == 499);
	assert_int_equal(report("64;1;1M", &ev), MOUSE_DONE);
	assert_int_equal(ev.button, MOUSE_UP);
	assert_int_equal(report("65;1;1M", &ev), MOUSE_DONE);
	assert_int_equal(ev.button, MOUSE_DOWN);
	assert_int_equal(report("66;1;1M", &ev), MOUSE_DONE);
	assert_int_equal(ev.button, MOUSE_NONE);
	assert_int_equal(report("35;1;1M", &ev), MOUSE_DONE);
	assert_int_equal(ev.button, MOUSE_NONE);
	assert_int_equal(report("0;5", &ev), MOUSE_MORE);
	for (size_t i = 0; i < countof(bad); i++)
		assert_int_equal(report(bad[i], &ev), MOUSE_BAD);
}

static void mouse(struct app *a, enum mouse_button b, int y, int x)
{
	struct mouse_event ev = {.button = b, .y = y, .x = x, .pressed = true};

	mouse_act(a, &ev);
	ev.pressed = false;
	if (b < MOUSE_UP)
		mouse_act(a, &ev);
	draw_screen(a);
	doupdate();
}

/* The column of a text in its row, both on the screen. */
static int column(struct app *a, const char *text, int *ret_y)
{
	int x = 0;

	*ret_y = find(a, text);
	assert_true(*ret_y >= 0);
	for (const char *line = row(*ret_y), *at = strstr(line, text); line < at; line++)
		x += ((unsigned char)*line & 0xc0) != 0x80;
	return x;
}

static void click(struct app *a, const char *text)
{
	int y, x = column(a, text, &y);

	mouse(a, MOUSE_LEFT, y, x);
}

static void test_clicks(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	click(a, "db");
	assert_string_equal(app_table(a)->selected, "b2");
	click(a, "NAME");
	assert_int_equal(app_table(a)->sort, 0);
	assert_string_equal(((struct deck_vm *)app_table(a)->row[0])->name, "db");
	click(a, "NAME");
	assert_string_equal(((struct deck_vm *)app_table(a)->row[0])->name, "web");
	mouse(a, MOUSE_LEFT, a->layout.pane.y + 2, 5);
	assert_int_equal(a->focus, FOCUS_PANE);
	click(a, "serial");
	assert_int_equal(app_deck(a)->shown, TAB_SERIAL);
	click(a, " 3");
	assert_int_equal(a->at, VIEW_RESTORES);
	keys(a, "1");
	click(a, "? help");
	assert_non_null(a->top);
	/* A layer takes no clicks; the wheel scrolls the help. */
	assert_true(find(a, ":boot") >= 0);
	for (int i = 0; i < 20; i++)
		mouse(a, MOUSE_DOWN, 5, 5);
	assert_int_equal(find(a, ":boot "), -1);
	mouse(a, MOUSE_LEFT, 0, 0);
	assert_non_null(a->top);
	app_key(a, K_ESC);
	/* The second click opens. */
	mouse(a, MOUSE_LEFT, a->layout.list.y, 3);
	assert_false(a->zoom);
	mouse(a, MOUSE_LEFT, a->layout.list.y, 3);
	assert_true(a->zoom);
	app_key(a, K_ESC);
	mouse(a, MOUSE_DOWN, a->layout.list.y, 3);
	assert_int_equal(app_table(a)->list.sel, 1);
	mouse(a, MOUSE_UP, a->layout.list.y, 3);
	assert_int_equal(app_table(a)->list.sel, 0);
	/* Rows that are not there, places that are nothing. */
	mouse(a, MOUSE_LEFT, a->layout.list.y + 2, 3);
	mouse(a, MOUSE_LEFT, 5000, 5000);
	mouse(a, MOUSE_NONE, 0, 0);
	assert_null(a->top);
}

/* Nothing of the list can be clicked away from under an attached guest. */
static void test_attached(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	keys(a, "a");
	assert_non_null(a->keys.deck);
	click(a, "db");
	click(a, " 3");
	assert_string_equal(app_table(a)->selected, "a1");
	assert_int_equal(a->at, VIEW_VMS);
	mouse(a, MOUSE_UP, a->layout.pane.y + 1, 5);
	app_key(a, KEY_MOD_CTRL | ']');
	keys(a, "?");
	click(a, "d detach");
	assert_null(a->keys.deck);
}

/* Esc with a key close behind it is both, unless Alt and that key mean something. */
static void test_alt(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	keys(a, ":zoom");
	app_key(a, KEY_MOD_ALT | 'j');
	assert_null(a->top);
	assert_string_equal(app_table(a)->selected, "b2");
	keys(a, "z");
	app_key(a, KEY_MOD_ALT | 'z');
	assert_true(a->zoom); /* Esc left it, z came back */
}

static void test_too_small(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	size(a, 10, 40);
	assert_true(find(a, "web") >= 0);
	size(a, 9, 80);
	assert_true(find(a, "vmdeck needs 40x10, this is 80x9") >= 0);
	size(a, 24, 39);
	assert_true(find(a, "vmdeck needs 40x10") >= 0);
	assert_int_equal(find(a, "web"), -1);
	keys(a, "Xyb:");
	mouse(a, MOUSE_LEFT, 2, 2);
	assert_null(a->top);
	for (int rows = 1; rows < 12; rows++)
		for (int cols = 1; cols < 50; cols += 3) {
			size(a, rows, cols);
			draw_screen(a);
		}
	size(a, 24, 80);
	assert_true(find(a, "web") >= 0);
}

static void stop_event(struct app *a, const char *name)
{
	char text[200];
	struct json_object *o;

	snprintf(text, sizeof(text),
		"{\"seq\":9,\"wall_ns\":1,\"vm\":\"\",\"vm_name\":\"\",\"name\":\"%s\","
		"\"fields\":{}}",
		name);
	o = json(text);
	link_event(&a->link, o, false);
	json_object_put(o);
}

/* A daemon that said that it stops is not started by us; a replay of an older stop counts nothing.
 */
static void test_daemon_stop(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	stop_event(a, "daemon.stop");
	stop_event(a, "daemon.start");
	assert_false(a->link.stopped);
	stop_event(a, "daemon.stop");
	assert_true(a->link.stopped);
	assert_true(find(a, "daemon stopped, R starts it") >= 0);
	keys(a, "p");
	assert_non_null(strstr(a->notice.text, "R starts it again"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports),
		cmocka_unit_test_setup_teardown(test_clicks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attached, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_small, setup, teardown),
		cmocka_unit_test_setup_teardown(test_daemon_stop, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
