// LIBS: vm net health snapshot guest image vmm base
// OBJS: backend/daemon/doctor*.c backend/daemon/sweep.c
/* Doctor on homes in several conditions: what it finds is in a home, not on this host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/proc.h"
#include "backend/daemon/doctor.h"

static char folder[] = "/tmp/vmdeck-test-XXXXXX";

static struct paths paths_in(const char *home)
{
	struct paths p;

	snprintf(p.home, sizeof(p.home), "%s/%s", folder, home);
	snprintf(p.runtime, sizeof(p.runtime), "%s/run", folder);
	return p;
}

static struct json_object *find(struct json_object *checks, const char *name)
{
	for (size_t i = 0; i < json_object_array_length(checks); i++) {
		struct json_object *c = json_object_array_get_idx(checks, i);

		if (strcmp(jsonx_str(c, "name"), name) == 0)
			return c;
	}
	fail_msg("no check '%s'", name);
	return NULL;
}

static void assert_status(struct json_object *checks, const char *name, const char *status)
{
	struct json_object *c = find(checks, name);

	if (strcmp(jsonx_str(c, "status"), status) != 0)
		fail_msg("%s", jsonx_line(c));
}

static void every_check_is_whole(void **state)
{
	static const char *const names[] = {"qemu", "vmdeck-vsock.so", "vmdeck-agent", "image mini",
		"kernel", "busybox", "apt", "home", "runtime folder", "memory", "open files",
		"processes", "orphans", "vmdeck-net", "reflink", "/dev/net/tun", "user namespaces",
		"pasta", "forwarding", "network bridged", "network rootless", "DNS for guests",
		"network leftovers", "firecracker", "/dev/kvm", "/dev/vhost-vsock"};
	struct paths p = paths_in("new");
	autojson struct json_object *checks = doctor_run(&p);

	(void)state;
	assert_int_equal(json_object_array_length(checks), countof(names));
	for (size_t i = 0; i < countof(names); i++) {
		struct json_object *c = find(checks, names[i]);
		const char *status = jsonx_str(c, "status");

		assert_true(strcmp(status, "found") == 0 || strcmp(status, "missing") == 0 ||
			    strcmp(status, "warn") == 0);
		assert_true(jsonx_str(c, "detail")[0]);
		assert_non_null(jsonx_str(c, "fix"));
	}
	assert_status(checks, "home", "found");
	assert_status(checks, "runtime folder", "found");
	assert_status(checks, "image mini", "missing");
	assert_status(checks, "kernel", "warn");
	assert_non_null(strstr(jsonx_str(find(checks, "image mini"), "fix"), "image build mini"));
}

static void no_programs(void **state)
{
	autofree char *path = xstrdup(getenv("PATH"));
	struct paths p = paths_in("new");
	struct json_object *checks;

	(void)state;
	setenv("PATH", "/nonexistent", 1);
	setenv("VMDECK_LIBEXEC", "/nonexistent", 1);
	checks = doctor_run(&p);
	setenv("PATH", path, 1);
	unsetenv("VMDECK_LIBEXEC");
	assert_status(checks, "qemu", "missing");
	assert_string_equal(jsonx_str(find(checks, "qemu"), "fix"), "apt install qemu-system-x86");
	assert_status(checks, "busybox", "warn");
	assert_status(checks, "apt", "warn");
	assert_status(checks, "firecracker", "warn");
	json_object_put(checks);
}

static void busybox_with_libraries(void **state)
{
	autofree char *path = xstrdup(getenv("PATH")), *file = NULL;
	static const char elf[] = "\x7f"
				  "ELF...\0/lib64/ld-linux-x86-64.so.2\0";
	struct paths p = paths_in("new");
	struct json_object *checks;

	(void)state;
	file = xasprintf("%s/busybox", folder);
	assert_int_equal(file_write_atomic(file, elf, sizeof(elf), 0700, NULL), 0);
	setenv("PATH", folder, 1);
	checks = doctor_run(&p);
	setenv("PATH", path, 1);
	assert_status(checks, "busybox", "warn");
	assert_non_null(strstr(jsonx_str(find(checks, "busybox"), "detail"), "shared libraries"));
	json_object_put(checks);
}

static void kernel_and_broken_image(void **state)
{
	struct paths p = paths_in("used");
	autofree char *kernel = xasprintf("%s/kernels/6.1.0-1-cloud-amd64", p.home);
	autofree char *half = xasprintf("%s/kernels/.half", p.home);
	autofree char *image = xasprintf("%s/images/mini", p.home);
	autofree char *manifest = xasprintf("%s/manifest.json", kernel);
	autofree char *broken = xasprintf("%s/manifest.json", image);
	struct json_object *checks;

	(void)state;
	assert_int_equal(dir_make(kernel, 0700, NULL), 0);
	assert_int_equal(dir_make(half, 0700, NULL), 0);
	assert_int_equal(dir_make(image, 0700, NULL), 0);
	assert_int_equal(file_write_atomic(manifest, "{}", 2, 0600, NULL), 0);
	assert_int_equal(file_write_atomic(broken, "\033{", 2, 0600, NULL), 0);
	checks = doctor_run(&p);
	assert_status(checks, "kernel", "found");
	assert_string_equal(jsonx_str(find(checks, "kernel"), "detail"), "6.1.0-1-cloud-amd64");
	assert_status(checks, "image mini", "missing");
	json_object_put(checks);
}

static void home_is_a_file(void **state)
{
	struct paths p = paths_in("file");
	struct json_object *checks;

	(void)state;
	assert_int_equal(file_write_atomic(p.home, "x", 1, 0600, NULL), 0);
	checks = doctor_run(&p);
	assert_status(checks, "home", "missing");
	assert_non_null(strstr(jsonx_str(find(checks, "home"), "detail"), "is not a folder"));
	json_object_put(checks);
}

/* vmm.pid of this very process. */
static void vm_left_alone(void **state)
{
	struct paths p = paths_in("orphans");
	autofree char *vm = xasprintf("%s/vms/0badcafe", p.home);
	autofree char *json = xasprintf("%s/vm.json", vm), *pid = xasprintf("%s/vmm.pid", vm);
	autojson struct json_object *none = NULL, *one = NULL;
	struct proc_id id;
	char text[64];

	(void)state;
	assert_int_equal(dir_make(vm, 0700, NULL), 0);
	assert_int_equal(file_write_atomic(json, "{}", 2, 0600, NULL), 0);
	assert_int_equal(proc_identify(getpid(), &id), 0);
	snprintf(text, sizeof(text), "%d %llu\n", id.pid, (unsigned long long)id.start + 1);
	assert_int_equal(file_write_atomic(pid, text, strlen(text), 0600, NULL), 0);
	none = doctor_run(&p);
	assert_status(none, "orphans", "found"); /* another process has the number now */
	snprintf(text, sizeof(text), "%d %llu\n", id.pid, (unsigned long long)id.start);
	assert_int_equal(file_write_atomic(pid, text, strlen(text), 0600, NULL), 0);
	one = doctor_run(&p);
	assert_status(one, "orphans", "warn");
	snprintf(text, sizeof(text), "0badcafe (pid %d: ", id.pid);
	assert_non_null(strstr(jsonx_str(find(one, "orphans"), "detail"), text));
	assert_non_null(strstr(jsonx_str(find(one, "orphans"), "fix"), "kill PID"));
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return tree_remove(folder, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_check_is_whole),
		cmocka_unit_test(no_programs),
		cmocka_unit_test(busybox_with_libraries),
		cmocka_unit_test(kernel_and_broken_image),
		cmocka_unit_test(home_is_a_file),
		cmocka_unit_test(vm_left_alone),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
