// LIBS: vmm base
// OBJS: tests/support/qemu_vm.c tests/support/pvh.c
/* Starts that fail under the QEMU driver: one clear sentence, nothing left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "backend/base/file.h"
#include "tests/support/qemu_vm.h"

static void failure_of_qemu_is_told_and_cleaned_up(void **state)
{
	struct qemu_vm vm;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	vm.config.vcpus = 100000;
	vm.destroy_in_done = true;
	assert_int_equal(qemu_vm_start(&vm), 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, -EIO);
	print_message("%s\n", vm.why.msg);
	assert_non_null(
		strstr(vm.why.msg, "QEMU ended: exit 1: qemu-system-x86_64: Invalid SMP CPUs"));
	assert_int_equal(vm.events[VMM_EV_EXIT], 0);
	qemu_vm_nothing_left(&vm);
	qemu_vm_teardown(&vm);
}

static void not_a_kernel(void **state)
{
	struct qemu_vm vm;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	assert_int_equal(file_write_atomic(vm.kernel, "garbage", 7, 0600, NULL), 0);
	assert_int_equal(qemu_vm_start(&vm), 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, -EIO);
	print_message("%s\n", vm.why.msg);
	qemu_vm_nothing_left(&vm);
	qemu_vm_teardown(&vm);
}

static void missing_files(void **state)
{
	struct qemu_vm vm;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	vm.config.initrd = "/nonexistent/initrd";
	assert_int_equal(qemu_vm_start(&vm), -ENOENT);
	assert_string_equal(vm.why.msg, "the guest's initrd '/nonexistent/initrd' cannot be read: "
					"No such file or directory");
	vm.config.initrd = NULL;
	vm.config.kernel = "/nonexistent/kernel";
	assert_int_equal(qemu_vm_start(&vm), -ENOENT);
	qemu_vm_nothing_left(&vm);
	qemu_vm_teardown(&vm);
}

static void guest_larger_than_the_host(void **state)
{
	struct qemu_vm vm;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	vm.config.mem_mib = 1u << 30;
	assert_int_equal(qemu_vm_start(&vm), -ENOMEM);
	assert_non_null(strstr(vm.why.msg, "a guest of 1.0 PiB does not fit"));
	qemu_vm_nothing_left(&vm);
	qemu_vm_teardown(&vm);
}

static void program_missing(void **state)
{
	autofree char *path = xstrdup(getenv("PATH"));
	struct vmm_detect d;
	struct qemu_vm vm;

	(void)state;
	qemu_vm_setup(&vm, PVH_IDLE);
	setenv("PATH", "/nonexistent", 1);
	vmm_qemu.detect(&d);
	assert_false(d.found);
	assert_string_equal(d.why,
		"qemu-system-x86_64 was not found in PATH: install the package qemu-system-x86");
	assert_string_equal(d.program, "");
	assert_int_equal(qemu_vm_start(&vm), -ENOENT);
	qemu_vm_nothing_left(&vm);
	setenv("PATH", path, 1);
	qemu_vm_teardown(&vm);
}

/* A program of that name which is not QEMU: it talks and ends. */
static void program_is_something_else(void **state)
{
	static const char script[] =
		"#!/bin/sh\necho 'first line'; printf 'no \\033[31mQEMU\\n\\n' >&2\n"
		"exit 3\n";
	autofree char *path = NULL;
	struct vmm_detect d;
	struct qemu_vm vm;
	char file[128];

	(void)state;
	qemu_vm_need();
	path = xstrdup(getenv("PATH"));
	qemu_vm_setup(&vm, PVH_IDLE);
	snprintf(file, sizeof(file), "%s/qemu-system-x86_64", vm.base);
	assert_int_equal(file_write_atomic(file, script, sizeof(script) - 1, 0700, NULL), 0);
	setenv("PATH", vm.base, 1);
	vmm_qemu.detect(&d);
	assert_false(d.found);
	assert_non_null(strstr(d.why, "exit 3"));
	assert_int_equal(qemu_vm_start(&vm), 0);
	setenv("PATH", path, 1);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, -EIO);
	assert_string_equal(vm.why.msg, "QEMU ended: exit 3: no \\x1b[31mQEMU");
	qemu_vm_nothing_left(&vm);
	qemu_vm_teardown(&vm);
}

/* One that connects, but speaks no QMP: the start fails and the process is ended. */
static void monitor_speaks_garbage(void **state)
{
	static const char script[] = "#!/usr/bin/env python3\n"
				     "import socket\n"
				     "c, _ = socket.socket(fileno=3).accept()\n"
				     "c.sendall(b'hello\\n')\n"
				     "c.recv(1)\n"
				     "import signal; signal.pause()\n";
	autofree char *path = NULL, *both = NULL;
	struct qemu_vm vm;
	char file[128];
	struct proc_id id;

	(void)state;
	qemu_vm_need();
	path = xstrdup(getenv("PATH"));
	qemu_vm_setup(&vm, PVH_IDLE);
	snprintf(file, sizeof(file), "%s/qemu-system-x86_64", vm.base);
	assert_int_equal(file_write_atomic(file, script, sizeof(script) - 1, 0700, NULL), 0);
	both = xasprintf("%s:%s", vm.base, path);
	setenv("PATH", both, 1);
	assert_int_equal(qemu_vm_start(&vm), 0);
	setenv("PATH", path, 1);
	id = vm.v->proc.id;
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, -EPROTO);
	assert_non_null(strstr(vm.why.msg, "not valid JSON"));
	assert_false(proc_id_alive(id));
	qemu_vm_nothing_left(&vm);
	qemu_vm_teardown(&vm);
}

/* The guest's memory file cannot have its size: the limit stands in for a full disk. */
static void no_room_for_memory(void **state)
{
	struct rlimit old, small = {1 << 20, RLIM_INFINITY};
	struct qemu_vm vm;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(qemu_vm_start(&vm), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	qemu_vm_wait(&vm, qemu_vm_done);
	assert_int_equal(vm.result, -EIO);
	print_message("%s\n", vm.why.msg);
	qemu_vm_nothing_left(&vm);
	qemu_vm_teardown(&vm);
}

/* A small filesystem of our own, in a mount namespace that ends with this process: so it is the
 * last test. */
static int mount_small(const char *path)
{
	if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("small", path, "tmpfs", 0, "size=8m") < 0)
		return -errno;
	return 0;
}

static void no_space(void **state)
{
	struct qemu_vm vm;

	(void)state;
	qemu_vm_need();
	qemu_vm_setup(&vm, PVH_IDLE);
	if (mount_small(vm.dir) == 0) {
		assert_int_equal(qemu_vm_start(&vm), -ENOSPC);
		assert_non_null(strstr(vm.why.msg, "no space left for a VM's logs"));
		assert_non_null(strstr(vm.why.msg, "8.0 MiB are free"));
		assert_non_null(strstr(vm.why.msg, "16 MiB are needed"));
		qemu_vm_nothing_left(&vm);
		assert_int_equal(umount(vm.dir), 0);
	} else {
		print_message("no mount namespace here: not tested\n");
	}
	qemu_vm_teardown(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failure_of_qemu_is_told_and_cleaned_up),
		cmocka_unit_test(not_a_kernel),
		cmocka_unit_test(missing_files),
		cmocka_unit_test(guest_larger_than_the_host),
		cmocka_unit_test(program_missing),
		cmocka_unit_test(program_is_something_else),
		cmocka_unit_test(monitor_speaks_garbage),
		cmocka_unit_test(no_room_for_memory),
		cmocka_unit_test(no_space),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
