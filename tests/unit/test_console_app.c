// LIBS: record api base
// OBJS: tui/console/*.c tui/record/recorder.c tui/record/streams.c
/* The whole console without a daemon and without a terminal: events and keys in, screen out. */
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

/* An empty console says what to press. */
static void test_empty(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, "[]");
	images(a, "missing");
	assert_true(find(a, "Press i: it builds the image") >= 0);
	assert_true(find(a, "build image") >= 0);
	images(a, "ready");
	assert_true(find(a, "Press b to boot one") >= 0);
	keys(a, "x");
	assert_true(find(a, "stop: no VM is selected") >= 0);
	keys(a, "~");
	assert_true(find(a, "~ does nothing here") >= 0);
}

static void test_list_and_selection(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	assert_int_equal(find(a, "web"), 2);
	assert_string_equal(app_table(a)->selected, "a1");
	keys(a, "j");
	assert_string_equal(app_table(a)->selected, "b2");
	keys(a, "G");
	keys(a, "k");
	assert_string_equal(app_table(a)->selected, "a1");
	/* The selection follows the VM, not the row. */
	vms(a, "[{\"id\":\"00\",\"name\":\"old\",\"state\":\"running\",\"created_ns\":0},"
	       "{\"id\":\"a1\",\"name\":\"web\",\"state\":\"running\",\"created_ns\":1}]");
	assert_string_equal(app_table(a)->selected, "a1");
	assert_int_equal(app_table(a)->list.sel, 1);
	/* When it goes, the nearest row is selected. */
	vms(a, "[{\"id\":\"00\",\"name\":\"old\",\"state\":\"running\",\"created_ns\":0}]");
	assert_string_equal(app_table(a)->selected, "00");
}

static void test_filter(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	keys(a, "/db");
	assert_int_equal(app_table(a)->count, 1);
	assert_true(find(a, "filter: db") >= 0);
	keys(a, "\r");
	assert_true(find(a, "/db: 1 of 2 VMs") >= 0);
	assert_string_equal(app_table(a)->selected, "b2");
	app_key(a, K_ESC);
	assert_int_equal(app_table(a)->count, 2);
}

/* What is typed finds it; what can't be done says why; Enter does it. */
static void test_menu(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	app_key(a, K_F0 + 9);
	assert_true(find(a, "attach") >= 0);
	keys(a, "end the VM");
	assert_true(find(a, "1 of 1") >= 0);
	keys(a, "\r");
	assert_true(find(a, "Kill web now?") >= 0);
	app_key(a, K_ESC);
	keys(a, "j");
	app_key(a, K_F0 + 9);
	keys(a, "pause");
	assert_true(find(a, "pause: db has ended already") >= 0);
	keys(a, "\r");
	assert_null(a->top);
	assert_non_null(strstr(a->notice.text, "has ended already"));
	app_key(a, K_F0 + 9);
	keys(a, "nothing like this");
	assert_true(find(a, "0 of 0") >= 0);
	keys(a, "\r");
	assert_null(a->top);
}

/* Nothing is destroyed without an explicit yes; Enter in a dialog means No. */
static void test_confirm(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	keys(a, "X");
	assert_true(find(a, "Kill web now?") >= 0);
	assert_true(find(a, "[ No ]") >= 0);
	keys(a, "\r");
	assert_null(a->top);
	assert_string_equal(a->notice.text, "");
	keys(a, "X\t");
	assert_true(find(a, "[ Yes (y) ]") >= 0);
	keys(a, "\r");
	/* There is no daemon here: the call was tried. */
	assert_non_null(strstr(a->notice.text, "no daemon"));
	keys(a, "x");
	assert_true(find(a, "Ask web to power off?") >= 0);
	keys(a, "z");
	assert_null(a->top);
	assert_string_equal(a->notice.text, "");
	/* What has ended can't be killed, what runs can't be deleted. */
	keys(a, "D");
	assert_non_null(strstr(a->notice.text, "stop it first"));
	keys(a, "jX");
	assert_non_null(strstr(a->notice.text, "has ended already"));
}

static void test_boot_dialog(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, "[]");
	keys(a, "b");
	assert_true(find(a, "boot a VM") >= 0);
	keys(a, "../x\r");
	assert_non_null(a->top);
	assert_true(find(a, "is not valid") >= 0);
	app_key(a, KEY_MOD_CTRL | 'u');
	keys(a, "ok\t");
	app_key(a, KEY_MOD_CTRL | 'u');
	keys(a, "7\r");
	assert_true(find(a, "64 MiB to") >= 0);
	app_key(a, KEY_MOD_CTRL | 'u');
	keys(a, "64\t\t");
	app_key(a, KEY_MOD_CTRL | 'u');
	keys(a, "slirp\r");
	assert_true(find(a, "network: none, bridged") >= 0);
	app_key(a, K_ESC);
	assert_null(a->top);
}

static void test_commands(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	keys(a, ":nonsense\r");
	assert_non_null(strstr(a->notice.text, "there is no command :nonsense"));
	keys(a, ":rsync\r");
	assert_non_null(strstr(a->notice.text, ":rsync: did you mean :resync?"));
	keys(a, ":pa\t");
	assert_true(find(a, "page-down page-up pause") >= 0);
	app_key(a, K_ESC);
	keys(a, ":fil\t");
	assert_true(find(a, "rows with: text") >= 0);
	keys(a, "web\r");
	assert_string_equal(app_table(a)->filter, "web");
	keys(a, ":zoom now\r");
	assert_non_null(strstr(a->notice.text, "takes nothing"));
	keys(a, "?");
	assert_true(find(a, "Do something") >= 0);
	keys(a, "q");
	assert_null(a->top);
}

/* A boot by events: row, wait, ruled lines; the failed one stays to be read. */
static void test_boot_events(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, "[]");
	event(a, "c3", "vm.create",
		"{\"image\":\"mini\",\"vmm\":\"qemu\",\"vcpus\":1,\"mem_mib\":64}");
	event(a, "c3", "flow.step",
		"{\"flow\":\"boot\",\"step\":\"hello\",\"n\":3,\"of\":3,\"limit_s\":60.0}");
	assert_true(find(a, "starting") >= 0);
	assert_true(find(a, "boot 3 of 3: hello (limit 60 s)") >= 0);
	event(a, "c3", "vm.boot.failed", "{\"reason\":\"hello: no answer in 60 s\"}");
	assert_true(find(a, "boot failed: hello: no answer in 60 s") >= 0);
	assert_true(find(a, "gone") >= 0);
	keys(a, "D");
	assert_int_equal(a->model.count, 0);
}

/* Pasted text never acts as keys of the console. */
static void test_paste(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	app_key(a, K_PASTE_BEGIN);
	keys(a, "Xy\rxyD");
	app_key(a, K_PASTE_END);
	assert_null(a->top);
	assert_non_null(strstr(a->notice.text, "pasted text"));
	keys(a, ":");
	app_key(a, K_PASTE_BEGIN);
	keys(a, "help\rquit");
	app_key(a, K_PASTE_END);
	assert_true(find(a, ":help quit") >= 0);
	app_key(a, K_ESC);
}

/* While the guest has the keys all but the prefix belongs to it, also when it is not there. */
static void test_attach(void **state)
{
	struct app *a = &((struct env *)*state)->app;

	vms(a, TWO_VMS);
	keys(a, "a");
	assert_non_null(a->keys.deck);
	assert_true(find(a, "KEYS: guest (daemon away)") >= 0);
	keys(a, "qQxXy:?\x03\x1a");
	assert_non_null(a->keys.deck);
	assert_null(a->top);
	app_key(a, KEY_MOD_CTRL | ']');
	assert_true(a->keys.prefix);
	keys(a, "?");
	assert_true(find(a, "C-] then:") >= 0);
	keys(a, "d");
	assert_null(a->keys.deck);
	keys(a, "a");
	app_key(a, K_F12);
	keys(a, ".");
	assert_null(a->keys.deck);
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* Any key at any size, between events: nothing breaks. */
static void test_random(void **state)
{
	static const console_key special[] = {K_ENTER, K_ESC, K_TAB, K_BACKTAB, K_UP, K_DOWN,
		K_LEFT, K_RIGHT, K_PAGE_UP, K_PAGE_DOWN, K_HOME, K_END, K_BACKSPACE, K_F12,
		K_PASTE_BEGIN, K_PASTE_END, KEY_MOD_CTRL | ']', KEY_MOD_CTRL | 'c',
		KEY_MOD_CTRL | 'l', 0x6f22};
	static const char *const names[] = {"vm.create", "vm.state", "flow.step", "vm.boot",
		"vm.boot.failed", "agent.lost", "vm.remove", "main.exit", "vitals", "output.gap",
		"vm.restore", "vm.restore.failed", "queue.wait", "health.change", "health.state",
		"snapshot.progress", "vm.snapshot", "vm.snapshot.failed", "snapshot.remove"};
	struct app *a = &((struct env *)*state)->app;
	uint64_t seed = 7;

	vms(a, TWO_VMS);
	for (int i = 0; i < 6000; i++) {
		char id[8];

		switch (next_random(&seed) % 16) {
		case 0:
			size(a, 1 + (int)(next_random(&seed) % 60),
				1 + (int)(next_random(&seed) % 200));
			break;
		case 1:
			snprintf(id, sizeof(id), "r%d", (int)(next_random(&seed) % 30));
			event(a, id, names[next_random(&seed) % countof(names)],
				next_random(&seed) % 2 ? "{\"to\":\"running\",\"from\":\"paused\","
							 "\"step\":\"x\",\"n\":1,\"flow\":"
							 "\"snapshot\",\"snapshot\":"
							 "\"s1\",\"done\":1,\"total\":3}"
						       : "{\"to\":\"stopped\",\"reason\":\"\\u001b["
							 "31m\",\"bytes\":5}");
			break;
		case 2:
		case 3:
		case 4:
			app_key(a, special[next_random(&seed) % countof(special)]);
			break;
		case 5:
			draw_screen(a);
			doupdate();
			break;
		default:
			app_key(a, 0x20 + (console_key)(next_random(&seed) % 95));
		}
	}
	size(a, 24, 80);
	draw_screen(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_list_and_selection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_menu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_confirm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boot_dialog, setup, teardown),
		cmocka_unit_test_setup_teardown(test_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_boot_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paste, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attach, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
