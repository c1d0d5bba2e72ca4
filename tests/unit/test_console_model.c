// LIBS: base
// OBJS: tui/console/model.c tui/console/model_event.c tui/console/model_json.c
// OBJS: tui/console/model_index.c
// OBJS: tui/console/model_log.c tui/console/model_snapshot.c tui/console/model_timing.c
// OBJS: tui/console/figures.c tui/console/model_usual.c tui/console/ring.c
/* The console's mirror of the daemon, from the JSON that the daemon sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/console/model.h"

static struct json_object *json(const char *text)
{
	struct json_object *o = NULL;
	struct err e;

	assert_int_equal(jsonx_parse(text, strlen(text), &o, &e), 0);
	return o;
}

static unsigned event(struct model *m, struct model_todo *todo, const char *vm, const char *name,
	const char *fields)
{
	char text[1024];
	struct json_object *o;
	unsigned changed;

	snprintf(text, sizeof(text),
		"{\"seq\":1,\"mono_ns\":5,\"wall_ns\":1700000000000000000,\"vm\":\"%s\","
		"\"vm_name\":\"%s\",\"name\":\"%s\",\"fields\":%s}",
		vm, *vm ? "web" : "", name, fields);
	o = json(text);
	changed = model_event(m, o, todo);
	json_object_put(o);
	return changed;
}

static unsigned set_vms(struct model *m, const char *text)
{
	struct json_object *o = json(text);
	unsigned changed = model_set_vms(m, o);

	json_object_put(o);
	return changed;
}

#define VM_WEB                                                                                     \
	"{\"id\":\"aa\",\"name\":\"web\",\"state\":\"running\",\"image\":\"mini\",\"vmm\":"        \
	"\"qemu\","                                                                                \
	"\"vcpus\":2,\"mem_mib\":256,\"created_ns\":1700000000000000001,\"boot_ms\":1423.5,"       \
	"\"agent\":{\"connected\":true},\"output\":{\"first\":0,\"end\":77}}"
#define VM_DB                                                                                      \
	"{\"id\":\"bb\",\"name\":\"db\",\"state\":\"stopped\",\"reason\":\"powered off\","         \
	"\"created_ns\":1600000000000000000,\"exit\":{\"how\":\"exit\",\"value\":3}}"

static void test_list(void **state)
{
	struct model m;

	(void)state;
	model_init(&m);
	assert_true(set_vms(&m, "[" VM_WEB "," VM_DB "]") & MODEL_VMS);
	assert_int_equal(m.count, 2);
	/* Oldest first. */
	assert_string_equal(m.vm[0]->name, "db");
	assert_int_equal(m.vm[0]->state, DECK_STOPPED);
	assert_true(m.vm[0]->exited);
	assert_int_equal(m.vm[0]->exit_value, 3);
	assert_string_equal(m.vm[1]->name, "web");
	assert_true(m.vm[1]->agent);
	assert_int_equal((int)m.vm[1]->boot_ms, 1423);
	assert_int_equal(m.vm[1]->out_end, 77);
	/* The same again is no change: nothing is drawn. */
	assert_int_equal(set_vms(&m, "[" VM_WEB "," VM_DB "]"), 0);
	assert_true(set_vms(&m, "[" VM_WEB "]") & MODEL_VMS);
	assert_int_equal(m.count, 1);
	assert_null(model_find(&m, "bb"));
	model_fini(&m);
}

static void test_boot_by_events(void **state)
{
	struct model_todo todo;
	struct deck_vm *vm;
	struct model m;

	(void)state;
	model_init(&m);
	assert_true(event(&m, &todo, "aa", "vm.create",
			    "{\"image\":\"mini\",\"vmm\":\"qemu\",\"vcpus\":1,\"mem_mib\":256}") &
		    MODEL_VMS);
	assert_true(todo.get_vm);
	vm = model_find(&m, "aa");
	assert_non_null(vm);
	assert_string_equal(vm->name, "web");
	assert_string_equal(vm->image, "mini");
	assert_int_equal(vm->state, DECK_STARTING);
	assert_int_equal(
		event(&m, &todo, "aa", "flow.step",
			"{\"flow\":\"boot\",\"step\":\"hello\",\"n\":3,\"of\":3,\"limit_s\":60.0}"),
		MODEL_VM);
	assert_false(todo.get_vm);
	assert_string_equal(vm->wait.name, "hello");
	assert_int_equal((int)vm->wait.limit_s, 60);
	event(&m, &todo, "aa", "vm.boot", "{\"ms\":1400.0}");
	event(&m, &todo, "aa", "vm.state",
		"{\"from\":\"starting\",\"to\":\"running\",\"reason\":\"\"}");
	assert_int_equal(vm->state, DECK_RUNNING);
	assert_string_equal(vm->wait.name, "");
	assert_true(vm->agent);
	assert_int_equal(model_count(&m, DECK_RUNNING), 1);
	event(&m, &todo, "aa", "vitals", "{\"mem_total\":1000,\"mem_available\":400}");
	assert_int_equal(vm->mem_used, 600);
	assert_int_equal(
		event(&m, &todo, "aa", "vitals", "{\"mem_total\":1000,\"mem_available\":400}"), 0);
	event(&m, &todo, "aa", "agent.lost", "{\"why\":\"reset\"}");
	assert_false(vm->agent);
	event(&m, &todo, "aa", "vm.state", "{\"to\":\"stopped\",\"reason\":\"powered off\"}");
	assert_string_equal(vm->reason, "powered off");
	assert_true(event(&m, &todo, "aa", "vm.remove", "{}") & MODEL_VMS);
	assert_int_equal(m.count, 0);
	model_fini(&m);
}

/* The row of a failed boot stays with its reason until it is dismissed, also over a new list. */
static void test_failed_boot_stays(void **state)
{
	struct model_todo todo;
	struct json_object *o;
	struct deck_vm *vm;
	struct model m;

	(void)state;
	model_init(&m);
	event(&m, &todo, "aa", "vm.create", "{}");
	event(&m, &todo, "aa", "vm.boot.failed", "{\"reason\":\"hello: no answer in 60 s\"}");
	set_vms(&m, "[" VM_DB "]");
	vm = model_find(&m, "aa");
	assert_non_null(vm);
	assert_true(vm->gone);
	assert_int_equal(vm->state, DECK_FAILED);
	/* An answer that comes late does not bring it back. */
	o = json("{\"id\":\"aa\",\"name\":\"web\",\"state\":\"failed\"}");
	assert_int_equal(model_set_vm(&m, o), 0);
	json_object_put(o);
	assert_true(vm->gone);
	assert_string_equal(vm->reason, "hello: no answer in 60 s");
	assert_int_equal(model_count(&m, DECK_FAILED), 0);
	assert_false(deck_vm_alive(vm));
	model_drop(&m, "aa");
	assert_int_equal(m.count, 1);
	model_fini(&m);
}

static void test_images(void **state)
{
	struct json_object *o =
		json("[{\"name\":\"mini\",\"state\":\"missing\",\"why\":\"not built\"}]");
	struct model_todo todo;
	struct model m;

	(void)state;
	model_init(&m);
	assert_int_equal(model_set_images(&m, o), MODEL_IMAGES);
	json_object_put(o);
	assert_int_equal(
		event(&m, &todo, "", "asset.build.step",
			"{\"image\":\"mini\",\"step\":\"kernel\",\"done\":5,\"total\":10}"),
		MODEL_IMAGES);
	assert_string_equal(model_image(&m, "mini")->state, "building");
	assert_string_equal(model_image(&m, "mini")->step, "kernel");
	assert_int_equal(model_image(&m, "mini")->total, 10);
	event(&m, &todo, "", "asset.build.done", "{\"image\":\"mini\"}");
	assert_true(todo.list_images);
	model_fini(&m);
}

/* Nothing that a daemon of another version sends may break the console. */
static void test_odd_input(void **state)
{
	static const char *const odd[] = {"{}", "[]", "null", "3", "[1,\"x\",null,{}]",
		"[{\"id\":\"\"}]", "[{\"id\":7}]",
		"[{\"id\":\"x\",\"state\":\"dancing\",\"agent\":5,\"output\":[],\"step\":\"a\"}]"};
	struct model_todo todo;
	struct model m;

	(void)state;
	model_init(&m);
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct json_object *o = json(odd[i]);

		model_set_vms(&m, o);
		model_set_vm(&m, o);
		model_set_images(&m, o);
		model_event(&m, o, &todo);
		json_object_put(o);
	}
	assert_int_equal(m.count, 1);
	assert_int_equal(m.vm[0]->state, DECK_UNKNOWN);
	/* Control bytes in a name never reach the screen. */
	set_vms(&m, "[{\"id\":\"y\",\"name\":\"a\\u001b[31mb\",\"state\":\"running\"}]");
	assert_null(strchr(model_find(&m, "y")->name, 27));
	event(&m, &todo, "zz", "flow.step", "{}");
	assert_null(model_find(&m, "zz"));
	model_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_boot_by_events),
		cmocka_unit_test(test_failed_boot_stays),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_odd_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
