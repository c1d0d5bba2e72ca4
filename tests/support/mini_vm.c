// cmocka first: its header wants these before it
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/mini_vm.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>

#include "backend/base/file.h"
#include "backend/base/util.h"

/* The daemon's own worker; it leaves a good image as it is. */
static void build_image(const char *build, const char *home)
{
	autofree char *daemon = xasprintf("%s/vmdeckd", build);
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		dup2(null, 1);
		setenv("VMDECK_HOME", home, 1);
		execl(daemon, "vmdeckd", "--worker", "image-build", "mini", (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0) {
		print_message("image mini cannot be made here\n");
		skip();
	}
}

void mini_need(struct mini_image *ret)
{
	autofree char *build = NULL, *home = NULL;

	qemu_vm_need();
	build = realpath(getenv("VMDECK_LIBEXEC"), NULL);
	assert_non_null(build);
	home = xasprintf("%s/../test-home", build);
	build_image(build, home);
	snprintf(ret->kernel, sizeof(ret->kernel), "%s/images/mini/vmlinux", home);
	snprintf(ret->initrd, sizeof(ret->initrd), "%s/images/mini/initrd.cpio", home);
}

void mini_listen(struct agent_proc *a, const struct qemu_vm *vm)
{
	memset(a, 0, sizeof(*a));
	peer_init(&a->control, -1);
	peer_init(&a->output, -1);
	assert_true(strlen(vm->vsock) < sizeof(a->path));
	strcpy(a->path, vm->vsock);
	a->control_fd = listen_at(a->path, "_4990");
	a->output_fd = listen_at(a->path, "_4991");
}

double mini_hello(struct agent_proc *a, uint8_t generation)
{
	static const char *const quiet[] = {"sleep", "100000", NULL};
	uint64_t begin = mono_ns();
	struct wire_hello_ack ack;

	agent_hello(a, generation, quiet, false, &ack);
	return (double)(mono_ns() - begin) / 1e6;
}

void mini_close(struct agent_proc *a)
{
	peer_close(&a->control);
	peer_close(&a->output);
	close(a->control_fd);
	close(a->output_fd);
}

#define CLUSTER (64u * 1024)

static void put_word(uint8_t *at, uint32_t v)
{
	v = htonl(v);
	memcpy(at, &v, sizeof(v));
}

/* docs/interop/qcow2.txt of QEMU: version 3; clusters: header, refcount table, its first block, the
 * L1 table. */
void mini_qcow2(const char *path, uint64_t size)
{
	uint8_t *file = calloc(4, CLUSTER);

	assert_non_null(file);
	put_word(file, 0x514649fb);
	put_word(file + 4, 3);
	put_word(file + 20, 16); /* cluster bits */
	put_word(file + 24, (uint32_t)(size >> 32));
	put_word(file + 28, (uint32_t)size);
	put_word(file + 36, 1); /* L1 entries: 512 MiB each */
	put_word(file + 44, 3 * CLUSTER);
	put_word(file + 52, CLUSTER);
	put_word(file + 56, 1);
	put_word(file + 96, 4); /* 16 bits a refcount */
	put_word(file + 100, 104);
	put_word(file + CLUSTER + 4, 2 * CLUSTER);
	for (unsigned i = 0; i < 4; i++)
		file[2 * CLUSTER + 2 * i + 1] = 1;
	assert_int_equal(file_write_atomic(path, file, (size_t)4 * CLUSTER, 0600, NULL), 0);
	free(file);
}
