// LIBS: base
// OBJS: tui/console/actions.c tui/console/keys.c tui/console/model.c tui/console/model_event.c
// OBJS: tui/console/model_index.c tui/console/keymap.c
// OBJS: tui/console/model_json.c tui/console/model_log.c tui/console/model_snapshot.c
// OBJS: tui/console/model_timing.c tui/console/edit.c tui/console/layout.c tui/console/list.c
// OBJS: tui/console/read_only.c tui/console/figures.c tui/console/model_usual.c tui/console/ring.c
/* The table of actions, names of keys, the line editor, the layout: the pure parts of the console.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "backend/base/util.h"
#include "tui/console/actions.h"
#include "tui/console/edit.h"
#include "tui/console/layout.h"
#include "tui/console/list.h"

#define CTRL(c) (KEY_MOD_CTRL | (c))

static void test_rows(void **state)
{
	(void)state;
	for (int i = 0; i < ACT__COUNT; i++) {
		const struct action_info *a = &action_table[i];
		const char *keys = a->keys;

		assert_true(a->name[0] && a->help[0]);
		assert_true(a->keys[0] || (a->contexts & CONTEXT_COMMANDS));
		assert_in_range(strlen(a->help), 1, 60);
		assert_in_range(strlen(a->label), a->flags & ACTION_HINT ? 1 : 0, 14);
		while (key_list_next(&keys) != K_NONE)
			;
		assert_string_equal(keys, ""); /* every name is a key */
		for (int j = 0; j < i; j++)
			assert_string_not_equal(a->name, action_table[j].name);
	}
}

static void test_no_collisions(void **state)
{
	(void)state;
	for (int i = 0; i < ACT__COUNT; i++) {
		const char *keys = action_table[i].keys;
		console_key k;

		while ((k = key_list_next(&keys)) != K_NONE)
			for (unsigned c = CONTEXT_LIST; c <= CONTEXT__LAST; c <<= 1)
				if (action_table[i].contexts & c)
					assert_int_equal(action_by_key(c, k), i);
		keys = action_table[i].keys;
		while ((k = key_list_next(&keys)) != K_NONE)
			if (action_table[i].contexts & CONTEXT_REPLAY)
				assert_int_equal(action_by_key(CONTEXT_REPLAY, k), i);
	}
}

/* The rules that the keys follow (no bare Ctrl letter and no small d does damage). */
static void test_rules(void **state)
{
	static const enum action changing[] = {ACT_STOP, ACT_KILL, ACT_DELETE, ACT_PAUSE, ACT_BOOT,
		ACT_SNAPSHOT, ACT_RESTORE, ACT_CLONE, ACT_POOL};

	(void)state;
	for (char c = 'a'; c <= 'z'; c++)
		for (size_t i = 0; i < countof(changing); i++)
			assert_int_not_equal(
				action_by_key(CONTEXT_ALL, CTRL((uint32_t)c)), changing[i]);
	assert_int_equal(action_by_key(CONTEXT_ALL, 'd'), ACT_DESCRIBE);
	assert_int_equal(action_by_key(CONTEXT_ALL, K_BACKSPACE), ACT_NONE);
	assert_int_equal(action_by_key(CONTEXT_ALL, K_DELETE), ACT_NONE);
	assert_true(action_table[ACT_KILL].flags & ACTION_DESTROYS);
	assert_true(action_table[ACT_DELETE].flags & ACTION_DESTROYS);
}

static void test_commands(void **state)
{
	char out[64];

	(void)state;
	assert_int_equal(action_by_name("boot", 4), ACT_BOOT);
	assert_int_equal(action_by_name("att", 3), ACT_ATTACH);
	assert_int_equal(action_by_name("page", 4), ACT_NONE); /* two of them */
	assert_int_equal(action_by_name("nope", 4), ACT_NONE);
	assert_int_equal(action_by_name("", 0), ACT_NONE);
	assert_int_equal(action_by_name("detach", 6), ACT_NONE); /* only behind the prefix */
	assert_int_equal(action_complete("pag", out, sizeof(out)), 2);
	assert_string_equal(out, "page-");
	assert_int_equal(action_complete("at", out, sizeof(out)), 1);
	assert_string_equal(out, "attach");
	assert_int_equal(action_complete("zzz", out, sizeof(out)), 0);
}

static void test_allowed(void **state)
{
	struct deck_vm vm = {.name = "web", .state = DECK_RUNNING, .agent = true};
	struct deck_snapshot s = {.name = "base", .state = SNAPSHOT_READY};
	struct action_on none = {.context = CONTEXT_DECK};
	struct action_on on = {.context = CONTEXT_DECK, .row = true, .vm = &vm};
	char why[300];

	(void)state;
	assert_true(action_allowed(ACT_BOOT, &none, why, sizeof(why)));
	assert_false(action_allowed(ACT_STOP, &none, why, sizeof(why)));
	assert_non_null(strstr(why, "no VM is selected"));
	assert_true(action_allowed(ACT_EXEC, &on, why, sizeof(why)));
	assert_false(action_allowed(ACT_DELETE, &on, why, sizeof(why)));
	vm.state = DECK_STARTING;
	assert_false(action_allowed(ACT_EXEC, &on, why, sizeof(why)));
	assert_non_null(strstr(why, "booting"));
	assert_true(action_allowed(ACT_ATTACH, &on, why, sizeof(why)));
	vm.state = DECK_STOPPED;
	assert_false(action_allowed(ACT_ATTACH, &on, why, sizeof(why)));
	assert_true(action_allowed(ACT_DELETE, &on, why, sizeof(why)));
	assert_false(action_allowed(ACT_CLONE, &on, why, sizeof(why)));
	vm.state = DECK_PAUSED;
	assert_true(action_allowed(ACT_CLONE, &on, why, sizeof(why)));
	assert_true(action_allowed(ACT_SNAPSHOT, &on, why, sizeof(why)));
	assert_false(action_allowed(ACT_RESTORE, &on, why, sizeof(why)));
	assert_non_null(strstr(why, "not in this view"));
	on = (struct action_on){.context = CONTEXT_SNAPSHOTS, .row = true, .snapshot = &s};
	assert_true(action_allowed(ACT_RESTORE, &on, why, sizeof(why)));
	assert_true(action_allowed(ACT_CLONE, &on, why, sizeof(why)));
	assert_true(action_allowed(ACT_DELETE, &on, why, sizeof(why)));
	assert_false(action_allowed(ACT_STOP, &on, why, sizeof(why)));
	s.state = SNAPSHOT_CREATING;
	assert_false(action_allowed(ACT_RESTORE, &on, why, sizeof(why)));
	assert_non_null(strstr(why, "still being made"));
	assert_false(action_allowed(ACT_DELETE, &on, why, sizeof(why)));
	s.state = SNAPSHOT_DAMAGED;
	assert_false(action_allowed(ACT_CLONE, &on, why, sizeof(why)));
	assert_true(action_allowed(ACT_DELETE, &on, why, sizeof(why)));
	none.context = CONTEXT_SNAPSHOTS;
	assert_false(action_allowed(ACT_RESTORE, &none, why, sizeof(why)));
	assert_non_null(strstr(why, "nothing is selected"));
}

static void test_keys(void **state)
{
	static const struct {
		const char *name;
		console_key key;
	} cases[] = {
		{"q", 'q'},
		{"C-]", CTRL(']')},
		{"M-x", KEY_MOD_ALT | 'x'},
		{"C-S-Up", KEY_MOD_CTRL | KEY_MOD_SHIFT | K_UP},
		{"F12", K_F12},
		{"F1", K_F0 + 1},
		{"PgDn", K_PAGE_DOWN},
		{"Space", ' '},
		{"-", '-'},
		{"C--", CTRL('-')},
		{"\u00e4", 0xe4},
	};
	char text[24];

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		assert_int_equal(key_parse(cases[i].name, strlen(cases[i].name)), cases[i].key);
		assert_string_equal(key_text(text, sizeof(text), cases[i].key), cases[i].name);
	}
	assert_int_equal(key_parse("F13", 3), K_NONE);
	assert_int_equal(key_parse("F0", 2), K_NONE);
	assert_int_equal(key_parse("C-C-a", 5), K_NONE);
	assert_int_equal(key_parse("Nope", 4), K_NONE);
	assert_int_equal(key_parse("\xff", 1), K_NONE);
	assert_int_equal(key_parse("", 0), K_NONE);
	assert_int_equal(key_from_char(0x1d), CTRL(']'));
	assert_int_equal(key_from_char(3), CTRL('c'));
	assert_int_equal(key_from_char(0), CTRL(' '));
	assert_int_equal(key_from_char(13), K_ENTER);
	assert_int_equal(key_from_char(127), K_BACKSPACE);
	assert_int_equal(key_from_char(0xe4), 0xe4);
}

static void type(struct edit *ed, const char *text)
{
	for (const char *s = text; *s;) {
		uint32_t cp;

		s += utf8_get(s, strlen(s), &cp);
		assert_true(edit_key(ed, cp));
	}
}

static void test_edit(void **state)
{
	struct edit ed;

	(void)state;
	edit_set(&ed, "");
	type(&ed, "uname -a \u00e4\u6f22");
	assert_string_equal(ed.text, "uname -a \u00e4\u6f22");
	edit_key(&ed, K_BACKSPACE);
	assert_string_equal(ed.text, "uname -a \u00e4");
	edit_key(&ed, K_LEFT);
	edit_key(&ed, CTRL('w'));
	assert_string_equal(ed.text, "uname \u00e4");
	edit_key(&ed, K_HOME);
	edit_key(&ed, K_DELETE);
	type(&ed, "U");
	assert_string_equal(ed.text, "Uname \u00e4");
	edit_key(&ed, CTRL('k'));
	assert_string_equal(ed.text, "U");
	edit_key(&ed, CTRL('u'));
	assert_string_equal(ed.text, "");
	edit_key(&ed, K_BACKSPACE);
	edit_key(&ed, K_DELETE);
	edit_key(&ed, K_LEFT);
	edit_key(&ed, K_RIGHT);
	assert_int_equal(ed.len, 0);
	assert_false(edit_key(&ed, K_F12));
	for (int i = 0; i < 2 * EDIT_MAX; i++)
		edit_key(&ed, 0x6f22);
	assert_true(ed.len < EDIT_MAX && ed.len % 3 == 0);
	assert_int_equal(strlen(ed.text), ed.len);
	edit_set(&ed, "ab\xff");
	assert_string_equal(ed.text, "ab");
}

static bool inside(struct rect r, int rows, int cols)
{
	return r.h >= 0 && r.w >= 0 &&
	       (r.h == 0 || (r.y >= 0 && r.x >= 0 && r.y + r.h <= rows && r.x + r.w <= cols));
}

static bool overlap(struct rect a, struct rect b)
{
	return a.h && b.h && a.w && b.w && a.y < b.y + b.h && b.y < a.y + a.h && a.x < b.x + b.w &&
	       b.x < a.x + a.w;
}

static void test_layout(void **state)
{
	(void)state;
	for (int rows = 1; rows <= 120; rows++)
		for (int cols = 1; cols <= 300; cols += 7)
			for (int vms = 0; vms < 200; vms += 33)
				for (int zoom = 0; zoom < 2; zoom++) {
					struct layout l;
					const struct rect *r[8] = {&l.head, &l.list_head, &l.list,
						&l.divider, &l.title, &l.pane, &l.hints, &l.status};

					layout_compute(&l, rows, cols, vms, zoom);
					if (vms == 66) {
						layout_stacked(&l, rows, cols, vms, zoom);
						layout_give(&l, vms, 6);
					}
					for (int i = 0; i < 8; i++) {
						assert_true(inside(*r[i], rows, cols));
						for (int j = 0; j < i; j++)
							assert_true(
								(i == 7 && j == 6 && l.shared) ||
								!overlap(*r[i], *r[j]));
					}
				}
}

/* At the size of a real terminal a guest keeps its 80 columns. */
static void test_layout_80(void **state)
{
	struct layout l;

	(void)state;
	layout_compute(&l, 24, 80, 2, false);
	assert_int_equal(l.pane.w, 80);
	assert_in_range(l.pane.h, 12, 20);
	layout_compute(&l, 50, 200, 2, false);
	assert_in_range(l.pane.w, 80, 150);
	assert_int_equal(l.pane.h, 46);
	layout_compute(&l, 10, 40, 5, false);
	assert_in_range(l.list.h, 2, 4);
	assert_in_range(l.pane.h, 3, 5);
	layout_stacked(&l, 40, 160, 30, false);
	layout_give(&l, 30, 6);
	assert_int_equal(l.list.w, 160);
	assert_int_equal(l.list.h, 29);
	assert_int_equal(l.pane.h, 6);
}

static void test_list(void **state)
{
	struct list l = {0};

	(void)state;
	list_resize(&l, 100, 10);
	list_select(&l, 25);
	assert_int_equal(l.sel, 25);
	assert_int_equal(l.top, 16);
	list_select(&l, -1000);
	assert_int_equal(l.sel, 0);
	assert_int_equal(l.top, 0);
	list_select(&l, 1000);
	assert_int_equal(l.sel, 99);
	assert_int_equal(l.top, 90);
	list_resize(&l, 5, 10);
	assert_int_equal(l.sel, 4);
	assert_int_equal(l.top, 0);
	list_resize(&l, 0, 10);
	assert_int_equal(l.sel, 0);
	assert_int_equal(l.top, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_no_collisions),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_edit),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_layout_80),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
