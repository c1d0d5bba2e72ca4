#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "tests/support/vm_world.h"

struct vm_host w_host;
static struct paths paths;

static void on_event(
	void *user, const char *vm, const char *vm_name, const char *name, const char *fields_json)
{
	struct json_object *o = json_tokener_parse(fields_json);

	(void)user;
	(void)vm;
	(void)vm_name;
	(void)name;
	assert_non_null(o);
	json_object_put(o);
}

void w_open(void)
{
	static const struct vm_host_callbacks cb = {.on_event = on_event};

	assert_int_equal(vm_host_open(&w_host, t_loop, &paths, &cb, NULL, NULL), 0);
}

void w_close(void)
{
	vm_host_close(&w_host);
}

int w_setup(void **state)
{
	if (t_setup(state) < 0)
		return -1;
	snprintf(paths.home, sizeof(paths.home), "%s/h", t_dir);
	snprintf(paths.runtime, sizeof(paths.runtime), "%s/r", t_dir);
	w_open();
	return 0;
}

int w_teardown(void **state)
{
	w_close();
	return t_teardown(state);
}

void w_tell(void *user, struct vm *vm, int r, const struct err *e)
{
	struct told *t = user;

	t->times++;
	t->r = r;
	t->with_vm = vm != NULL;
	snprintf(t->text, sizeof(t->text), "%s", r < 0 ? e->msg : vm ? vm->reason : "");
	if (r == 0 && vm)
		json_object_put(vm_to_json(vm)); /* a caller looks at it */
	if (t->remove && vm && !vm->gone_from_disk)
		assert_int_equal(vm_remove(vm, NULL), 0);
}

struct vm *w_boot(const char *name, struct told *t)
{
	struct vm_spec spec = {.driver = vmm_drivers[0], .vcpus = 1, .mem_mib = 64};
	struct vm *vm;

	snprintf(spec.name, sizeof(spec.name), "%s", name);
	snprintf(spec.image, sizeof(spec.image), "mini");
	spec.kernel = xstrdup("/kernel");
	spec.initrd = xstrdup("/initrd");
	assert_int_equal(vm_boot(&w_host, &spec, t ? w_tell : NULL, t, NULL), 0);
	assert_int_equal(vm_find(&w_host, name, &vm, NULL), 0);
	return vm;
}

void w_ready(struct vm *vm)
{
	vm->have_ack = true;
	flow_event(&vm->flow, VM_FE_READY, NULL);
}

struct vm *w_running(const char *name)
{
	struct vm *vm = w_boot(name, NULL);

	script_answer(0);
	w_ready(vm);
	assert_int_equal(vm->state, VM_RUNNING);
	return vm;
}

struct vm *w_paused(const char *name)
{
	struct vm *vm = w_running(name);

	script_state(VMM_PAUSED);
	assert_int_equal(vm->state, VM_PAUSED);
	return vm;
}

const char *w_json(const char *name, const char *state)
{
	static char text[1000];

	snprintf(text, sizeof(text),
		"{\"format\":1,\"name\":\"%s\",\"state\":\"%s\",\"image\":\"mini\",\"vmm\":"
		"\"script\",\"instance\":\"%032d\",\"generation\":\"%032d\"}",
		name, state, 1, 2);
	return text;
}

void w_leave(const char *id, const char *vm_json, pid_t pid)
{
	autofree char *dir = xasprintf("%s/vms/%s", paths.home, id);
	autofree char *json = xasprintf("%s/vm.json", dir);
	autofree char *pid_file = xasprintf("%s/vmm.pid", dir);
	struct proc_id proc = {0};
	char text[64];

	assert_int_equal(dir_make(dir, 0700, NULL), 0);
	if (vm_json)
		assert_int_equal(file_write_atomic(json, vm_json, strlen(vm_json), 0600, NULL), 0);
	if (!pid)
		return;
	assert_int_equal(proc_identify(pid, &proc), 0);
	snprintf(text, sizeof(text), "%d %llu\n", (int)pid, (unsigned long long)proc.start);
	assert_int_equal(file_write_atomic(pid_file, text, strlen(text), 0600, NULL), 0);
}

pid_t w_process(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	assert_true(pid > 0);
	return pid;
}

void w_end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}
