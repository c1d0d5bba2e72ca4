// LIBS: record api base
// OBJS: tui/console/*.c tui/record/recorder.c tui/record/streams.c
/* Marks, filters, order, freeze and steps back in the whole console; what is asked before something
 * is done to many. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/test_console_env.h"
#include "tui/console/gather.h"

#define VM(id, name, state, created)                                                               \
	"{\"id\":\"" id "\",\"name\":\"" name "\",\"state\":\"" state                              \
	"\",\"agent\":{\"connected\":true},\"created_ns\":" created ",\"image\":\"mini\"}"
#define THREE_VMS                                                                                  \
	"[" VM("a1", "web-1", "running", "1") "," VM("b2", "web-2", "stopped", "2") "," VM(        \
		"c3", "db", "running", "3") "]"

static struct app *start(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, THREE_VMS);
	return a;
}

static void command(struct app *a, const char *text)
{
	keys(a, ":");
	keys(a, text);
	app_key(a, K_ENTER);
}

static int marked(struct app *a)
{
	return marks_count(&app_table(a)->marks);
}

static void test_filter(void **state)
{
	struct app *a = start(state);

	keys(a, "/web");
	assert_int_equal(app_table(a)->count, 2);
	assert_true(find(a, "/web: 2 of 3 VMs") >= 0);
	/* A pattern that is not whole says so, and the rows stay. */
	keys(a, "[");
	assert_int_equal(app_table(a)->count, 2);
	assert_true(find(a, "filter: web[   'web['") >= 0);
	keys(a, "-]1");
	assert_int_equal(app_table(a)->count, 1);
	app_key(a, K_ESC);
	assert_int_equal(app_table(a)->count, 3);
	command(a, "filter state=running !^d");
	assert_int_equal(app_table(a)->count, 1);
	command(a, "filter nosuch=1");
	assert_true(find(a, "there is no column 'nosuch' here: name, id, state") >= 0);
	assert_int_equal(app_table(a)->count, 1);
	app_key(a, K_ESC);
	assert_int_equal(app_table(a)->count, 3);
	command(a, "vms ~w2");
	assert_int_equal(app_table(a)->count, 1);
	/* What is there is edited. */
	keys(a, "/");
	assert_true(find(a, "filter: ~w2") >= 0);
	app_key(a, K_ENTER);
	command(a, "snapshots nothing");
	assert_int_equal(a->at, VIEW_SNAPSHOTS);
	assert_string_equal(app_table(a)->filter, "nothing");
}

static void test_filter_follows_events(void **state)
{
	struct app *a = start(state);

	command(a, "filter state=stopped");
	assert_int_equal(app_table(a)->count, 1);
	event(a, "c3", "vm.state", "{\"to\":\"stopped\",\"reason\":\"x\"}");
	assert_int_equal(app_table(a)->count, 2);
	event(a, "c3", "vm.state", "{\"to\":\"running\"}");
	assert_int_equal(app_table(a)->count, 1);
	command(a, "filter ");
	keys(a, "/");
	app_key(a, K_ESC);
	command(a, "sort state");
	assert_string_equal(((struct deck_vm *)app_table(a)->row[2])->id, "b2");
	event(a, "a1", "vm.state", "{\"to\":\"stopped\",\"reason\":\"x\"}");
	assert_string_equal(((struct deck_vm *)app_table(a)->row[0])->id, "c3");
}

static void test_marks(void **state)
{
	struct app *a = start(state);

	keys(a, " ");
	assert_int_equal(marked(a), 1);
	assert_string_equal(app_table(a)->selected, "b2");
	assert_true(find(a, "1 marked") >= 0);
	keys(a, "GV");
	assert_int_equal(marked(a), 3);
	keys(a, "g *");
	assert_int_equal(marked(a), 1);
	assert_true(marks_has(&app_table(a)->marks, "a1"));
	/* It is the row that is marked, not the place. */
	vms(a, "[" VM("z9", "first", "running", "0") "," VM("a1", "web-1", "running", "1") "]");
	assert_int_equal(marked(a), 1);
	assert_true(marks_has(&app_table(a)->marks, "a1"));
	/* One that is gone is not marked any more. */
	vms(a, "[" VM("z9", "first", "running", "0") "]");
	assert_int_equal(marked(a), 0);
	keys(a, "*U");
	assert_int_equal(marked(a), 0);
}

static void test_undo(void **state)
{
	struct app *a = start(state);

	keys(a, "u");
	assert_true(find(a, "nothing to undo") >= 0);
	keys(a, "*");
	command(a, "filter web");
	keys(a, "U");
	keys(a, "u");
	assert_int_equal(marked(a), 3);
	assert_int_equal(app_table(a)->count, 2);
	command(a, "undo");
	assert_int_equal(app_table(a)->count, 3);
	keys(a, "u");
	assert_int_equal(marked(a), 0);
	/* A prompt that changed nothing is no step. */
	keys(a, "/");
	app_key(a, K_ENTER);
	keys(a, "u");
	assert_true(find(a, "nothing to undo") >= 0);
	for (int i = 0; i < UNDO_MAX * 2; i++)
		keys(a, "I");
	for (int i = 0; i < UNDO_MAX; i++)
		keys(a, "u");
	keys(a, "u");
	assert_true(find(a, "nothing to undo") >= 0);
}

static void test_freeze(void **state)
{
	struct app *a = start(state);

	keys(a, "Z");
	assert_true(find(a, "FROZEN 0 s, 0 changes") >= 0);
	event(a, "a1", "vm.remove", "{}");
	event(a, "d4", "vm.create", "{}");
	event(a, "c3", "vm.state", "{\"to\":\"stopped\",\"reason\":\"x\"}");
	assert_true(find(a, "3 changes") >= 0);
	assert_int_equal(app_table(a)->count, 3);
	assert_true(find(a, "web-1") >= 0);
	/* Keys work on what is seen; what is gone has no actions. */
	command(a, "filter web");
	assert_int_equal(app_table(a)->count, 2);
	keys(a, "gx");
	assert_true(find(a, "stop: no VM is selected") >= 0);
	keys(a, "j/");
	app_key(a, K_ESC);
	keys(a, "2");
	keys(a, "1");
	assert_true(find(a, "FROZEN") >= 0);
	keys(a, "Z");
	assert_true(find(a, "FROZEN") < 0);
	assert_int_equal(app_table(a)->count, 3);
	assert_true(find(a, "d4") >= 0);
}

static void test_sort_menu(void **state)
{
	struct app *a = start(state);

	keys(a, "o");
	assert_true(find(a, "sort by") >= 0);
	keys(a, "j");
	app_key(a, K_ENTER);
	assert_int_equal(app_table(a)->sort, 0);
	assert_string_equal(((struct deck_vm *)app_table(a)->row[0])->name, "db");
	keys(a, "o");
	app_key(a, K_ENTER);
	assert_true(app_table(a)->reverse);
	assert_string_equal(((struct deck_vm *)app_table(a)->row[0])->name, "web-2");
	command(a, "sort nosuch");
	assert_true(find(a, "there is no column 'nosuch'") >= 0);
	command(a, "sort -name");
	assert_true(app_table(a)->reverse);
}

/* Enter does nothing before the word is typed, and what can't be done is left out. */
static void test_ask(void **state)
{
	struct app *a = start(state);

	keys(a, "*x");
	assert_true(find(a, "Ask 2 VMs to power off?") >= 0);
	app_key(a, K_ENTER);
	assert_null(a->top);
	keys(a, "X");
	assert_true(find(a, "Kill 2 VMs now?") >= 0);
	assert_true(find(a, "web-1, db (1 left out: kill: web-2") >= 0);
	app_key(a, K_ENTER);
	assert_true(find(a, "nothing is done before that is typed") >= 0);
	keys(a, "y");
	app_key(a, K_ENTER);
	assert_non_null(a->top);
	app_key(a, K_BACKSPACE);
	keys(a, "2");
	app_key(a, K_ENTER);
	assert_null(a->top);
	/* There is no daemon here. */
	assert_true(find(a, "0 of 2 killed") >= 0);
	keys(a, "D");
	assert_true(find(a, "Delete 1 VM?") >= 0);
	app_key(a, K_ESC);
	assert_null(a->top);
	keys(a, "S");
	assert_true(find(a, "names of 2 snapshots") >= 0);
	app_key(a, KEY_MOD_CTRL | 'u');
	keys(a, "same");
	app_key(a, K_ENTER);
	assert_true(find(a, "2 snapshots can't all be 'same'") >= 0);
	keys(a, "e");
	assert_true(find(a, "exec in 2 marked VMs:") >= 0);
	app_key(a, K_ESC);
	keys(a, "E");
	assert_true(find(a, "no command was run") >= 0);
}

/* A long list is made once a frame; rows that went are out of it at once. */
static void test_long_list(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	char id[16];

	vms(a, "[]");
	command(a, "sort name");
	for (int i = 0; i < 500; i++) {
		snprintf(id, sizeof(id), "vm%03d", 499 - i);
		event(a, id, "vm.create", "{}");
	}
	assert_true(find(a, "500 of 500") >= 0);
	assert_string_equal(((struct deck_vm *)app_table(a)->row[0])->id, "vm000");
	assert_int_equal(app_table(a)->count, 500);
	assert_string_equal(app_table(a)->selected, "vm499");
	/* An event of one row moves no other. */
	event(a, "vm250", "vitals", "{\"mem_total\":100,\"mem_available\":50}");
	assert_false(app_table(a)->late);
	event(a, "zz", "vm.create", "{}");
	assert_true(app_table(a)->late);
	event(a, "vm000", "vm.remove", "{}");
	assert_false(app_table(a)->late);
	assert_int_equal(app_table(a)->count, 500);
	keys(a, "G");
	assert_string_equal(app_table(a)->selected, "zz");
	for (int i = 0; i < 500; i++) {
		snprintf(id, sizeof(id), "vm%03d", i);
		event(a, id, "vm.remove", "{}");
		assert_null(model_find(&a->model, id));
	}
	assert_int_equal(app_table(a)->count, 1);
	assert_int_equal(model_vms(&a->model), 1);
	assert_int_equal(a->model.waiting, 0);
}

/* Ids that become the same once they are harmless are one row. */
static void test_hostile_ids(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, "[" VM("x\\u0001", "a", "running", "1") "," VM("x\\u0002", "b", "running",
		       "2") "," VM("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx1", "c",
		       "running", "3") "," VM("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx2",
		       "d", "running", "4") "]");
	draw_screen(a);
	assert_true(a->model.count < 4);
	vms(a, "[]");
	assert_int_equal(a->model.count, 0);
	assert_int_equal(model_vms(&a->model), 0);
}

static void nothing(void *user)
{
	(void)user;
}

/* Answers of many, at every size of the screen. */
static void test_gather_view(void **state)
{
	struct app *a = start(state);
	struct err why = {EPIPE, "the daemon is gone"};

	a->gather = gather_new("uname -a", 3, nothing, a);
	for (int i = 0; i < 3; i++)
		gather_add(a->gather, "a1", i ? "web-1" : "a-name-\x1b[31m");
	keys(a, "E");
	assert_true(find(a, "$ uname -a  0 of 3 done") >= 0);
	gather_lost(a->gather, &why);
	assert_true(find(a, "3 VMs, cancelled") >= 0);
	assert_false(gather_busy(a->gather));
	app_key(a, K_ENTER);
	for (int h = 1; h < 30; h++) {
		size(a, h, 1 + h * 5);
		draw_screen(a);
		keys(a, "jkGg");
	}
	size(a, 24, 80);
	assert_true(find(a, "web-1, web-1") >= 0);
	app_key(a, KEY_MOD_CTRL | 'c');
	assert_true(find(a, "nothing runs any more") >= 0);
	app_key(a, K_ESC);
	assert_null(a->top);
	/* What is asked before many, at every size too. */
	keys(a, "*X");
	for (int h = 1; h < 30; h++) {
		size(a, h, 1 + h * 5);
		draw_screen(a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_filter_follows_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_marks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_undo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freeze, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sort_menu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ask, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_ids, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gather_view, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
