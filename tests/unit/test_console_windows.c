// LIBS: record api base
// OBJS: tui/console/*.c tui/record/recorder.c tui/record/streams.c
/* Several windows on one screen: whose tab each shows, who gets keys, layouts from hostile files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "tests/unit/test_console_env.h"
#include "tui/console/layouts.h"

#define THREE_VMS                                                                                  \
	"[{\"id\":\"a1\",\"name\":\"web\",\"state\":\"running\",\"agent\":{\"connected\":true},"   \
	"\"created_ns\":1},{\"id\":\"b2\",\"name\":\"db\",\"state\":\"running\",\"agent\":{"       \
	"\"connected\":true},\"created_ns\":2},{\"id\":\"c3\",\"name\":\"old\",\"state\":"         \
	"\"stopped\",\"created_ns\":3}]"
#define CW (KEY_MOD_CTRL | 'w')
#define CB (KEY_MOD_CTRL | ']')

static char folder[] = "/tmp/vmdeck-layouts-XXXXXX";

static int group_setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	setenv("XDG_STATE_HOME", folder, 1);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	return tree_remove(folder, NULL);
}

static void window(struct app *a, console_key k)
{
	app_key(a, CW);
	app_key(a, k);
}

static void feed(struct app *a, const char *id, enum tab tab, const char *text)
{
	struct deck *d = decks_find(&a->decks, id);

	assert_non_null(d);
	assert_non_null(d->tab[tab].pane);
	pane_feed(d->tab[tab].pane, text, strlen(text));
}

static void test_two_vms(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, THREE_VMS);
	window(a, 'v');
	/* With the focus in the list the window that follows it goes on with the selection. */
	assert_int_equal(a->focus, FOCUS_LIST);
	keys(a, "j");
	app_sync_deck(a);
	feed(a, "a1", TAB_OUTPUT, "hello of web");
	feed(a, "b2", TAB_OUTPUT, "hello of db");
	assert_true(windows_turn(a));
	assert_int_equal(find(a, "hello of web"), find(a, "hello of db"));
	assert_true(find(a, "db") >= 0);
	assert_true(
		strstr(row(find(a, "[output]")), "db ") < strstr(row(find(a, "[output]")), "web "));
	assert_int_equal(windows_count(&a->windows), 2);
	/* Sizes: both halves and the line between fill the screen. */
	assert_int_equal(decks_find(&a->decks, "a1")->tab[TAB_OUTPUT].cols +
				 decks_find(&a->decks, "b2")->tab[TAB_OUTPUT].cols + 1,
		80);
	/* Actions are about the VM of the focused window. */
	window(a, 'j');
	assert_int_equal(a->focus, FOCUS_PANE);
	assert_string_equal(app_selected(a)->name, "web");
	assert_string_equal(app_table(a)->selected, "b2");
	window(a, 'h');
	assert_string_equal(app_selected(a)->name, "db");
	window(a, 'k');
	assert_int_equal(a->focus, FOCUS_LIST);
	/* Tab goes round. */
	app_key(a, K_TAB);
	assert_string_equal(app_selected(a)->name, "db");
	app_key(a, K_TAB);
	assert_string_equal(app_selected(a)->name, "web");
	app_key(a, K_TAB);
	assert_int_equal(a->focus, FOCUS_LIST);
	app_key(a, K_BACKTAB);
	assert_string_equal(app_selected(a)->name, "web");
	/* The only window left follows the list, which goes to its VM. */
	keys(a, ":only\r");
	assert_int_equal(windows_count(&a->windows), 1);
	assert_string_equal(app_table(a)->selected, "a1");
	app_key(a, K_ESC);
	keys(a, "j");
	assert_string_equal(app_selected(a)->name, "db");
}

/* Two windows on one VM have a tab each; on the same tab the smaller one says how large it is. */
static void test_tabs(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	struct deck *d;

	vms(a, THREE_VMS);
	window(a, 's');
	d = decks_find(&a->decks, "a1");
	window(a, '=');
	assert_int_equal(d->tab[TAB_OUTPUT].rows, 7); /* of 17 rows: 8 and 9, a title each */
	app_key(a, K_TAB);
	app_key(a, K_TAB);
	keys(a, "l");
	assert_int_equal(d->shown, TAB_SERIAL);
	assert_int_equal(d->tabs, 1u << TAB_SERIAL | 1u << TAB_OUTPUT);
	assert_int_equal(d->tab[TAB_SERIAL].rows + d->tab[TAB_OUTPUT].rows, 15);
	assert_true(find(a, "[serial]") > find(a, "[output]"));
	app_key(a, K_TAB);
	assert_int_equal(a->focus, FOCUS_LIST);
	assert_int_equal(app_deck(a)->shown, TAB_OUTPUT);
	keys(a, "t");
	assert_true(find(a, "[timeline]") >= 0 && find(a, "[serial]") >= 0);
	/* Zoomed, only the window of the row is there, as large as the screen. */
	keys(a, "z");
	assert_true(find(a, "[timeline]") == 0 && find(a, "[serial]") < 0);
	assert_int_equal(d->tabs, 1u << TAB_TIMELINE);
	keys(a, "z");
	window(a, 'c');
	assert_int_equal(windows_count(&a->windows), 1);
	assert_int_equal(app_deck(a)->shown, TAB_SERIAL);
	assert_int_equal(d->tab[TAB_SERIAL].rows, 16);
	window(a, 'c');
	assert_non_null(strstr(a->notice.text, "only window"));
}

static void test_keys_to_guest(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, THREE_VMS);
	window(a, 'v');
	keys(a, "j");
	app_sync_deck(a);
	keys(a, "a");
	assert_string_equal(a->keys.deck->vm.name, "db");
	assert_int_equal(find(a, "KEYS: guest"), find(a, "[output]"));
	/* C-w is the guest's. */
	window(a, 'c');
	assert_int_equal(windows_count(&a->windows), 2);
	app_key(a, CB);
	keys(a, "o");
	assert_string_equal(a->keys.deck->vm.name, "web");
	assert_false(decks_find(&a->decks, "b2")->attached);
	/* Behind the prefix it is ours: a split shows the same guest, which keeps the keys. */
	app_key(a, CB);
	window(a, 's');
	assert_int_equal(windows_count(&a->windows), 3);
	assert_string_equal(a->keys.deck->vm.name, "web");
	app_key(a, CB);
	app_key(a, CW);
	keys(a, "?");
	assert_true(find(a, "C-w then:") >= 0);
	keys(a, "c");
	assert_int_equal(windows_count(&a->windows), 2);
	assert_string_equal(a->keys.deck->vm.name, "web");
	app_key(a, CB);
	window(a, 'k');
	assert_null(a->keys.deck);
	assert_int_equal(a->focus, FOCUS_LIST);
	/* A window that takes none ends it with a sentence. */
	keys(a, "j");
	app_sync_deck(a);
	app_key(a, K_TAB);
	app_key(a, K_TAB);
	keys(a, "a");
	app_key(a, CB);
	keys(a, "o");
	assert_null(a->keys.deck);
	assert_non_null(strstr(a->notice.text, "nothing in this window takes keys"));
}

static void test_no_room(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, THREE_VMS);
	for (int i = 0; i < 6; i++)
		window(a, 's');
	assert_non_null(strstr(a->notice.text, "no room"));
	for (int i = 0; i < 20; i++) {
		window(a, '=');
		window(a, 'w');
		window(a, 'v');
	}
	/* Smaller and smaller down to nothing, and back. */
	for (int rows = 24; rows > 0; rows -= 3)
		for (int cols = 90; cols > 0; cols -= 11) {
			size(a, rows, cols);
			draw_screen(a);
		}
	size(a, 24, 80);
	draw_screen(a);
	window(a, 'x');
	assert_non_null(strstr(a->notice.text, "C-w x means nothing"));
}

static void test_layouts(void **state)
{
	struct app *a = &((struct env *)*state)->app;
	char path[200];
	struct stat st;

	vms(a, THREE_VMS);
	keys(a, ":layouts\r");
	assert_non_null(strstr(a->notice.text, "no layout is kept"));
	window(a, 'v');
	window(a, '>');
	app_key(a, K_TAB);
	app_key(a, K_TAB);
	keys(a, "l");
	keys(a, ":layout save two\r");
	assert_string_equal(a->notice.text, "layout two is kept");
	snprintf(path, sizeof(path), "%s/vmdeck/layouts/two.json", folder);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	keys(a, ":only\r:layouts\r");
	assert_non_null(strstr(a->notice.text, "1 layout (:layout load NAME): two"));
	/* The VM is another one of that name, and for now there is none. */
	vms(a, "[{\"id\":\"b2\",\"name\":\"db\",\"state\":\"running\",\"created_ns\":2}]");
	assert_string_equal(app_table(a)->selected, "b2");
	keys(a, ":layout load two\r");
	assert_int_equal(windows_count(&a->windows), 2);
	assert_true(find(a, "no VM web") >= 0);
	vms(a, "[{\"id\":\"b2\",\"name\":\"db\",\"state\":\"running\",\"created_ns\":2},"
	       "{\"id\":\"d4\",\"name\":\"web\",\"state\":\"running\",\"created_ns\":9}]");
	assert_true(find(a, "no VM web") < 0);
	assert_true(find(a, "[serial]") >= 0);
	assert_int_equal(decks_find(&a->decks, "d4")->tabs, 1u << TAB_SERIAL);
	/* What was selected then is selected again. */
	assert_string_equal(app_table(a)->selected, "b2");
	keys(a, ":layout load two\r");
	assert_string_equal(app_table(a)->selected, "d4");
	keys(a, ":layout rm two\r:layout load two\r");
	assert_non_null(strstr(a->notice.text, "there is no layout 'two'"));
	keys(a, ":layout save ../x\r");
	assert_non_null(strstr(a->notice.text, "layout name"));
	keys(a, ":layout burn x\r");
	assert_non_null(strstr(a->notice.text, "save NAME, load NAME or rm NAME"));
	keys(a, ":wq\r");
	snprintf(path, sizeof(path), "%s/vmdeck/layouts/last.json", folder);
	assert_int_equal(stat(path, &st), 0);
}

static int load_text(const char *text, size_t n, struct windows *ws, struct err *e)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/vmdeck/layouts", folder);
	assert_int_equal(dir_make(path, 0700, e), 0);
	snprintf(path, sizeof(path), "%s/vmdeck/layouts/bad.json", folder);
	assert_int_equal(file_write_atomic(path, text, n, 0600, e), 0);
	return layout_load(ws, "bad", e);
}

static void test_hostile(void **state)
{
	static const char *const bad[] = {"", "[]", "{}", "{\"format\":1}",
		"{\"format\":1,\"windows\":7}", "{\"format\":1,\"windows\":{}}",
		"{\"format\":2,\"windows\":{\"follows\":true}}",
		"{\"format\":1,\"windows\":{\"split\":\"side\"}}",
		"{\"format\":1,\"windows\":{\"split\":\"up\",\"first\":{\"follows\":true},"
		"\"second\":{\"name\":\"x\"}}}",
		"{\"format\":1,\"windows\":{\"split\":\"side\",\"share\":0,\"first\":{\"follows\":"
		"true},"
		"\"second\":{\"name\":\"x\"}}}",
		"{\"format\":1,\"windows\":{\"name\":\"\\u001b[31m\"}}",
		"{\"format\":1,\"windows\":{\"vm\":"
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}}",
		"{\"format\":1,\"windows\":{\"name\":[1]}}"};
	char text[80000] = "{\"format\":1,\"windows\":";
	struct windows ws, before;
	struct err e;
	size_t n = strlen(text);

	(void)state;
	windows_init(&ws);
	before = ws;
	for (size_t i = 0; i < countof(bad); i++) {
		assert_int_equal(load_text(bad[i], strlen(bad[i]), &ws, &e), -EINVAL);
		assert_non_null(strstr(e.msg, "layout 'bad' ("));
		assert_memory_equal(&ws, &before, sizeof(ws));
	}
	/* Too deep, too many, too large. */
	for (int i = 0; i < 2000; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"split\":\"side\",\"first\":");
	assert_int_equal(load_text(text, n, &ws, &e), -EINVAL);
	n = (size_t)snprintf(text, sizeof(text), "{\"format\":1,\"windows\":");
	for (int i = 0; i < 20; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
			"{\"split\":\"side\",\"second\":{\"name\":\"x\"},\"first\":");
	n += (size_t)snprintf(
		text + n, sizeof(text) - n, "{\"follows\":true}%.21s", "}}}}}}}}}}}}}}}}}}}}}");
	assert_int_equal(load_text(text, n, &ws, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "more than 16 windows"));
	memset(text, ' ', sizeof(text));
	assert_int_equal(load_text(text, sizeof(text), &ws, &e), -E2BIG);
	/* One window always follows; unknown words of a later format are no harm. */
	n = (size_t)snprintf(text, sizeof(text),
		"{\"format\":1,\"new\":[],\"windows\":{\"name\":\"web\",\"tab\":\"vitals\"}}");
	assert_int_equal(load_text(text, n, &ws, &e), 0);
	assert_true(window_follows(&ws, ws.at));
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* Any window key in any state, at any size, while VMs come and go: nothing breaks. */
static void test_random(void **state)
{
	static const char window_keys[] = "svhjklwWpcoqO=+-<>z?x";
	static const char list_keys[] = "jkgGltz\t[]aGszq1";
	struct app *a = &((struct env *)*state)->app;
	uint64_t seed = 11;

	vms(a, THREE_VMS);
	for (int i = 0; i < 8000; i++) {
		char id[8];

		snprintf(id, sizeof(id), "r%d", (int)(next_random(&seed) % 30));
		switch (next_random(&seed) % 12) {
		case 0:
			size(a, 1 + (int)(next_random(&seed) % 60),
				1 + (int)(next_random(&seed) % 200));
			break;
		case 1:
			event(a, id, next_random(&seed) % 3 ? "vm.create" : "vm.remove", "{}");
			break;
		case 2:
			draw_screen(a);
			break;
		case 3:
		case 4:
			app_key(a, CB);
			if (next_random(&seed) % 2)
				app_key(a, (console_key) "do[z?"[next_random(&seed) % 5]);
			break;
		case 5:
		case 6:
			app_key(a, (console_key)
					   list_keys[next_random(&seed) % (sizeof(list_keys) - 1)]);
			break;
		case 7:
			app_sync_deck(a);
			(void)windows_turn(a);
			break;
		case 8:
			keys(a, next_random(&seed) % 2 ? ":layout save r\r" : ":layout load r\r");
			break;
		default:
			window(a, (console_key)window_keys[next_random(&seed) %
							   (sizeof(window_keys) - 1)]);
		}
		assert_in_range(windows_count(&a->windows), 1, SPLIT_LEAVES_MAX);
		assert_true(splits_is_leaf(&a->windows.splits, a->windows.at));
	}
	size(a, 24, 80);
	draw_screen(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_vms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tabs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys_to_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_layouts, setup, teardown),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
