// LIBS: vm net health snapshot guest image vmm base
// OBJS: tests/support/looptest.c tests/support/vmm_script.c tests/support/vm_world.c
/* What a new daemon makes of folders that an earlier one, or anybody else, left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "tests/support/vm_world.h"

#define ID "0badcafe"

static struct vm *found(const char *name)
{
	struct vm *vm;

	return vm_find(&w_host, name, &vm, NULL) < 0 ? NULL : vm;
}

static bool on_disk(void)
{
	autofree char *dir = xasprintf("%s/vms/" ID, w_host.paths->home);
	struct stat st;

	return lstat(dir, &st) == 0;
}

/* ---- vm.json -------------------------------------------------------------------------------- */

static void test_round_trip(void **state)
{
	struct vm_spec spec = {.name = "a",
		.image = "mini",
		.accel = "tcg",
		.vmm_version = "7.2",
		.driver = vmm_drivers[0],
		.vcpus = 3,
		.mem_mib = 512,
		.tty = true};
	const char *argv[] = {"sh", "-c", "echo \"quoted\"\n\xc3\xa9", ""};
	uint8_t instance[WIRE_ID];
	struct vm *vm;

	(void)state;
	spec.kernel = xstrdup("/k");
	spec.initrd = xstrdup("/i");
	spec.argv = xcalloc(countof(argv) + 1, sizeof(char *));
	for (size_t i = 0; i < countof(argv); i++)
		spec.argv[i] = xstrdup(argv[i]);
	assert_int_equal(vm_boot(&w_host, &spec, NULL, NULL, NULL), 0);
	vm = found("a");
	script_answer(0);
	w_ready(vm);
	memcpy(instance, vm->instance, WIRE_ID);
	vm->main_ended = true;
	vm->main_value = -7;
	script_exit("exit 0");
	w_close();
	w_open();
	vm = found("a");
	assert_non_null(vm);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_string_equal(vm->reason, "main process exited with code -7");
	assert_memory_equal(vm->instance, instance, WIRE_ID);
	assert_string_equal(vm->spec.kernel, "/k");
	assert_string_equal(vm->spec.accel, "tcg");
	assert_int_equal(vm->spec.vcpus, 3);
	assert_int_equal(vm->spec.mem_mib, 512);
	assert_true(vm->spec.tty && vm->main_ended && vm->main_value == -7);
	for (size_t i = 0; i < countof(argv); i++)
		assert_string_equal(vm->spec.argv[i], argv[i]);
	assert_null(vm->spec.argv[countof(argv)]);
	assert_null(vm->spec.env);
	assert_int_equal(vm_remove(vm, NULL), 0);
}

static void test_hostile_json(void **state)
{
	static const char id[] = "\"instance\":\"00000000000000000000000000000001\","
				 "\"generation\":\"00000000000000000000000000000002\"";
	static const char *const bad[] = {"", "{", "[]", "null", "7", "{}",
		"{\"format\":1,\"name\":7,\"state\":\"stopped\",\"image\":\"m\",\"vmm\":\"script\","
		"%s}",
		"{\"format\":1,\"name\":\"../x\",\"state\":\"stopped\",\"image\":\"m\",\"vmm\":"
		"\"script\",%s}",
		"{\"format\":1,\"name\":\"x\",\"state\":\"stopped\",\"image\":\"m\",\"vmm\":[],%s}",
		"{\"format\":1,\"name\":\"x\",\"state\":\"stopped\",\"image\":\"m\",\"vmm\":\"no\","
		"%s}",
		"{\"format\":1,\"name\":\"x\",\"state\":\"odd\",\"image\":\"m\",\"vmm\":\"script\","
		"%s}",
		"{\"format\":2,\"name\":\"x\",\"state\":\"stopped\",\"image\":\"m\",\"vmm\":"
		"\"script\","
		"%s}",
		"{\"format\":1,\"name\":\"x\",\"state\":\"stopped\",\"image\":\"m\",\"vmm\":"
		"\"script\","
		"\"cmd\":[null],%s}",
		"{\"format\":1,\"name\":\"x\",\"state\":\"stopped\",\"image\":\"m\",\"vmm\":"
		"\"script\","
		"\"cmd\":[\"a\"],\"env\":[\"b\",null],%s}",
		"{\"format\":1,\"name\":\"x\",\"state\":\"stopped\",\"image\":\"m\",\"vmm\":"
		"\"script\","
		"\"cmd\":{},%s}"};

	(void)state;
	for (size_t i = 0; i < countof(bad); i++) {
		const char *at = strstr(bad[i], "%s");
		autofree char *text =
			at ? xasprintf("%.*s%s}", (int)(at - bad[i]), bad[i], id) : xstrdup(bad[i]);

		w_close();
		w_leave(ID, text, 0);
		w_open();
		if (w_host.count || on_disk())
			fail_msg("kept: %s", text);
	}
}

static void test_not_a_folder(void **state)
{
	autofree char *path = xasprintf("%s/vms/" ID, w_host.paths->home);
	autofree char *pid = xasprintf("%s/vmm.pid", path);

	(void)state;
	w_close();
	assert_int_equal(file_write_atomic(path, "x", 1, 0600, NULL), 0);
	w_open();
	assert_false(on_disk());
	w_close();
	assert_int_equal(symlink(t_dir, path), 0);
	w_open();
	assert_false(on_disk());
	assert_int_equal(access(t_dir, F_OK), 0);
	/* A pid file that nobody ever writes. */
	w_close();
	w_leave(ID, w_json("a", "running"), 0);
	assert_int_equal(mkfifo(pid, 0600), 0);
	w_open();
	assert_int_equal(found("a")->state, VM_FAILED);
	assert_int_equal(vm_remove(found("a"), NULL), 0);
}

static void test_ended_meanwhile(void **state)
{
	static const struct {
		const char *was;
		int now; /* -1: rolled back */
	} rows[] = {{"starting", -1}, {"running", VM_FAILED}, {"paused", VM_FAILED},
		{"stopping", VM_STOPPED}, {"stopped", VM_STOPPED}, {"failed", VM_FAILED}};

	(void)state;
	for (size_t i = 0; i < countof(rows); i++) {
		w_close();
		w_leave(ID, w_json("a", rows[i].was), 0);
		w_open();
		if (rows[i].now < 0) {
			assert_null(found("a"));
			assert_false(on_disk());
			continue;
		}
		assert_int_equal(found("a")->state, rows[i].now);
		assert_int_equal(vm_remove(found("a"), NULL), 0);
	}
}

/* ---- a VMM that lives ----------------------------------------------------------------------- */

static struct vm *adopt(const char *was, pid_t pid)
{
	w_close();
	w_leave(ID, w_json("a", was), pid);
	w_open();
	assert_non_null(found("a"));
	assert_non_null(script_last()->done);
	return found("a");
}

static void test_adopt(void **state)
{
	pid_t pid = w_process();
	struct vm *vm = adopt("running", pid);

	(void)state;
	script_last()->to = VMM_PAUSED;
	script_answer(0);
	assert_int_equal(vm->state, VM_PAUSED);
	vm = adopt("stopping", pid);
	script_answer(0);
	assert_int_equal(vm->state, VM_RUNNING);
	script_exit("exit 0");
	assert_int_equal(vm->state, VM_STOPPED);
	assert_string_equal(vm->reason, "powered off");
	assert_int_equal(vm_remove(vm, NULL), 0);
	/* Its monitor may have gone already while its process has not. */
	vm = adopt("stopping", pid);
	script_answer(-EIO);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_int_equal(vm_remove(vm, NULL), 0);
	w_end_process(pid);
}

static void test_end_while_adopted(void **state)
{
	struct told stop = {0}, rm = {.remove = true};
	pid_t pid = w_process();
	struct vm *vm = adopt("running", pid);

	(void)state;
	assert_int_equal(vm_stop(vm, 100, w_tell, &stop, NULL), 0);
	assert_int_equal(vm_kill(vm, w_tell, &rm, NULL), 0);
	assert_true(script_last()->kills > 0);
	script_exit("killed");
	assert_int_equal(stop.times, 1);
	assert_int_equal(stop.r, 0);
	assert_int_equal(rm.times, 1);
	assert_int_equal(w_host.count, 0);
	/* Without an operator it is a failure, and its logs are kept. */
	vm = adopt("paused", pid);
	script_answer(-EIO);
	assert_int_equal(vm->state, VM_FAILED);
	assert_int_equal(vm_remove(vm, NULL), 0);
	w_end_process(pid);
}

/* Nothing that has ended may be ended again by a clock that was forgotten. */
static void test_no_clock_left(void **state)
{
	pid_t pid = w_process();
	struct vm *vm = adopt("running", pid);

	(void)state;
	assert_int_equal(vm_kill(vm, NULL, NULL, NULL), 0);
	script_exit("killed");
	assert_int_equal(vm->state, VM_STOPPED);
	assert_false(ev_is_active(&vm->flow.timer));
	assert_false(vm->flow.running);
	assert_int_equal(vm_remove(vm, NULL), 0);
	w_end_process(pid);
}

static void test_kill_half_booted(void **state)
{
	struct told t = {0};
	pid_t pid = w_process();
	struct vm *vm = adopt("starting", pid);

	(void)state;
	assert_int_equal(vm_kill(vm, w_tell, &t, NULL), 0);
	assert_int_equal(t.times, 1);
	assert_int_equal(w_host.count, 0);
	assert_false(on_disk());
	vm = adopt("starting", pid);
	script_answer(-EIO);
	assert_int_equal(w_host.count, 0);
	vm = adopt("starting", pid);
	w_ready(vm); /* sooner than the monitor */
	script_answer(0);
	assert_int_equal(vm->state, VM_RUNNING);
	script_exit("exit 0");
	assert_int_equal(vm_remove(vm, NULL), 0);
	w_end_process(pid);
}

/* The guest of an operator is not ended because a file is in the way of its agent. */
static void test_session_in_the_way(void **state)
{
	autofree char *block = xasprintf("%s/vms/" ID "/v.sock_4990/sub", w_host.paths->runtime);
	struct told t = {0};
	pid_t pid = w_process();
	struct vm *vm;

	(void)state;
	assert_int_equal(dir_make(block, 0700, NULL), 0);
	vm = adopt("running", pid);
	script_answer(0);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_non_null(strstr(vm->reason, "cannot be reached"));
	assert_int_equal(script_last()->kills, 0);
	json_object_put(vm_to_json(vm));
	assert_int_equal(vm_stop(vm, 0, w_tell, &t, NULL), 0);
	script_exit("killed");
	assert_int_equal(t.times, 1);
	assert_int_equal(vm_remove(vm, NULL), 0);
	w_end_process(pid);
}

/* A file that this version cannot read ends no guest, and the way back stays open. */
static void test_damaged_but_alive(void **state)
{
	static const char *const bad[] = {NULL, "", "{", "{\"format\":2}"};
	autofree char *json = xasprintf("%s/vms/" ID "/vm.json", w_host.paths->home);
	autofree char *run = xasprintf("%s/vms/" ID "/sub", w_host.paths->runtime);
	struct proc_id id;
	pid_t pid = w_process();

	(void)state;
	assert_int_equal(dir_make(run, 0700, NULL), 0);
	for (size_t i = 0; i < countof(bad); i++) {
		w_close();
		(void)unlink(json);
		w_leave(ID, bad[i], pid);
		w_open();
		assert_int_equal(w_host.count, 0);
		assert_true(on_disk());
		assert_int_equal(access(run, F_OK), 0);
		assert_int_equal(proc_identify(pid, &id), 0);
	}
	assert_int_equal(adopt("running", pid)->state, VM_RUNNING);
	script_answer(0);
	w_close();
	w_leave(ID, bad[2], 0);
	w_end_process(pid);
	w_open();
	assert_false(on_disk()); /* what nobody can use any more */
	assert_int_equal(access(run, F_OK), -1);
}

/* ---- the registry --------------------------------------------------------------------------- */

static void leave_named(const char *id, const char *name)
{
	w_leave(id, w_json(name, "stopped"), 0);
}

static void test_find(void **state)
{
	struct err e = {0};
	struct vm *vm;
	char name[64];

	(void)state;
	w_close();
	leave_named("aa000001", "mini-1");
	leave_named("aa000002", "mini-2");
	leave_named("ab000003", "mini-22");
	w_open();
	assert_int_equal(w_host.count, 3);
	assert_string_equal(found("aa000001")->spec.name, "mini-1");
	assert_string_equal(found("mini-2")->id, "aa000002"); /* exact wins over prefix */
	assert_string_equal(found("ab")->id, "ab000003");
	assert_int_equal(vm_find(&w_host, "mini", &vm, &e), -EINVAL);
	assert_int_equal(vm_find(&w_host, "aa", &vm, &e), -EINVAL);
	assert_int_equal(vm_find(&w_host, "", &vm, &e), -ENOENT);
	assert_int_equal(vm_find(&w_host, "x\x1b[31m", &vm, &e), -ENOENT);
	assert_null(strchr(e.msg, '\x1b'));
	vm_make_name(&w_host, "mini", name, sizeof(name));
	assert_string_equal(name, "mini-3");
	assert_int_equal(vm_check_new_name(&w_host, "mini-1", &e), -EEXIST);
	assert_int_equal(vm_check_new_name(&w_host, "ab000003", &e), -EEXIST);
	assert_int_equal(vm_check_new_name(&w_host, "a/b", &e), -EINVAL);
	assert_int_equal(vm_check_new_name(&w_host, "mini-3", &e), 0);
}

static void test_many(void **state)
{
	char id[9], name[16];

	(void)state;
	w_close();
	for (int i = 0; i <= VMS_MAX; i++) {
		snprintf(id, sizeof(id), "%08x", i);
		snprintf(name, sizeof(name), "n%d", i);
		leave_named(id, name);
	}
	w_open(); /* none is thrown away, but no more are made */
	assert_int_equal(w_host.count, VMS_MAX + 1);
	assert_int_equal(vm_check_new_name(&w_host, "one-more", NULL), -ENOSPC);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, w_setup, w_teardown)
	const struct CMUnitTest tests[] = {
		T(test_round_trip),
		T(test_hostile_json),
		T(test_not_a_folder),
		T(test_ended_meanwhile),
		T(test_adopt),
		T(test_end_while_adopted),
		T(test_no_clock_left),
		T(test_kill_half_booted),
		T(test_session_in_the_way),
		T(test_damaged_but_alive),
		T(test_find),
		T(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
