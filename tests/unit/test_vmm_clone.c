// LIBS: vmm base
// OBJS: tests/support/mini_vm.c tests/support/agent_client.c
// OBJS: tests/support/vmm_snap.c tests/support/qemu_vm.c tests/support/pvh.c
/* Snapshots and clones of a real guest under the QEMU driver: what the guest finds again, and how
 * long each step took (printed). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>

#include "backend/base/file.h"
#include "tests/support/mini_vm.h"
#include "tests/support/vmm_snap.h"

/* A VM and its agent. */
struct guest_vm {
	struct qemu_vm vm;
	struct agent_proc agent;
};

static void boot(struct guest_vm *g, const struct mini_image *image, uint32_t mem_mib,
	const struct vmm_disk *disks, int disk_count)
{
	qemu_vm_setup(&g->vm, PVH_IDLE);
	g->vm.config.kernel = image->kernel;
	g->vm.config.initrd = image->initrd;
	g->vm.config.mem_mib = mem_mib;
	g->vm.config.disks = disks;
	g->vm.config.disk_count = disk_count;
	mini_listen(&g->agent, &g->vm);
	qemu_vm_start_well(&g->vm);
	mini_hello(&g->agent, 1);
}

/* The guest of s goes on in a VM of its own. disks NULL: as the source. */
static void clone_of(struct snap *s, struct guest_vm *g, const struct guest_vm *source,
	const struct vmm_disk *disks, uint8_t generation)
{
	double start, load, resume, hello;
	uint64_t begin;

	snap_clone_setup(s, &g->vm, &source->vm.config);
	if (disks)
		g->vm.config.disks = disks;
	mini_listen(&g->agent, &g->vm);
	begin = mono_ns();
	qemu_vm_start_well(&g->vm);
	start = (double)(mono_ns() - begin) / 1e6;
	load = snap_load(&g->vm);
	resume = snap_resume(&g->vm);
	hello = mini_hello(&g->agent, generation);
	print_message("%4u MiB clone: start %5.1f  load %4.1f  resume %4.1f  hello %5.1f ms\n",
		g->vm.config.mem_mib, start, load, resume, hello);
}

static void end(struct guest_vm *g)
{
	mini_close(&g->agent);
	qemu_vm_teardown(&g->vm);
}

static void take(struct snap *s, struct guest_vm *g, const char *what)
{
	double pause, resume;

	snap_init(s);
	pause = snap_pause(&g->vm);
	snap_save(s, &g->vm);
	resume = snap_resume(&g->vm);
	print_message("%4u MiB %s: pause %4.1f  save %5.1f  resume %4.1f ms, %zu runs\n",
		g->vm.config.mem_mib, what, pause, s->save_ms, resume, s->frozen.run_count);
	snap_write(s);
}

static void generations(uint32_t mem_mib)
{
	struct guest_vm source, one, two, child, grandchild;
	struct snap first, second, third, fourth;
	struct mini_image image;

	mini_need(&image);
	boot(&source, &image, mem_mib, NULL, 0);
	exec_expect(&source.agent, "echo source >/run/who; echo -n ok", "ok");
	take(&first, &source, "first save");
	/* The source goes on, with the same connections. */
	exec_expect(&source.agent, "cat /run/who; echo later >/run/who", "source\n");
	clone_of(&first, &one, &source, NULL, 2);
	clone_of(&first, &two, &source, NULL, 3);
	exec_expect(&one.agent, "cat /run/who; echo one >/run/who", "source\n");
	exec_expect(&two.agent, "cat /run/who; echo two >/run/who", "source\n");
	take(&fourth, &source, "second save");
	take(&second, &one, "save of a clone");
	clone_of(&second, &child, &source, NULL, 4);
	exec_expect(&child.agent, "cat /run/who; echo child >/run/who", "one\n");
	take(&third, &child, "save of its clone");
	clone_of(&third, &grandchild, &source, NULL, 5);
	exec_expect(&grandchild.agent, "cat /run/who", "child\n");
	exec_expect(&one.agent, "cat /run/who", "one\n");
	exec_expect(&two.agent, "cat /run/who", "two\n");
	end(&grandchild);
	end(&two);
	clone_of(&fourth, &two, &source, NULL, 6);
	exec_expect(&two.agent, "cat /run/who", "later\n");
	snap_is_untouched(&first);
	snap_is_untouched(&second);
	snap_is_untouched(&third);
	snap_is_untouched(&fourth);
	end(&two);
	end(&child);
	end(&one);
	end(&source);
	snap_forget(&first);
	snap_forget(&second);
	snap_forget(&third);
	snap_forget(&fourth);
}

static void clones_of_clones(void **state)
{
	(void)state;
	generations(256);
}

static void clones_of_a_larger_guest(void **state)
{
	(void)state;
	generations(1024);
}

/* ---- disks ---------------------------------------------------------------------------------- */

#define WAIT_FOR(dev)                                                                              \
	"i=0; while [ ! -b /dev/" dev " ] && [ $i -lt 300 ]; do i=$((i+1)); sleep 0.1; done; "

static void make_raw(const char *path, const char *text, off_t size)
{
	autofd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_equal(pwrite(fd, text, strlen(text), 0), strlen(text));
	assert_int_equal(ftruncate(fd, size), 0);
}

/* Two disks in their order; a clone's new layer over the frozen one. */
static void disks(void **state)
{
	char folder[] = "/tmp/vmdeck-test-XXXXXX", base[64], top[64], next[64], other[64];
	const struct vmm_disk before[] = {
		{.layers = {{top, "qcow2"}, {base, "raw"}}, .count = 2},
		{.layers = {{other, "raw"}}, .count = 1},
	};
	struct vmm_disk after[] = {
		{.layers = {{next, "qcow2"}, {top, "qcow2"}, {base, "raw"}}, .count = 3},
		{.layers = {{other, "raw"}}, .count = 1},
	};
	struct guest_vm source, clone;
	struct mini_image image;
	struct snap s;

	(void)state;
	mini_need(&image);
	assert_non_null(mkdtemp(folder));
	snprintf(base, sizeof(base), "%s/base", folder);
	snprintf(top, sizeof(top), "%s/top,1", folder);
	snprintf(next, sizeof(next), "%s/next", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	make_raw(base, "lowest\n", 8 << 20);
	make_raw(other, "second\n", 16 << 20);
	mini_qcow2(top, 8 << 20);
	mini_qcow2(next, 8 << 20);
	boot(&source, &image, 256, before, 2);
	exec_expect(&source.agent, WAIT_FOR("vdb") "head -n1 /dev/vda; head -n1 /dev/vdb",
		"lowest\nsecond\n");
	exec_expect(&source.agent,
		"echo middle | dd of=/dev/vda bs=4096 seek=1 conv=fsync,notrunc 2>/dev/null; "
		"echo -n ok",
		"ok");
	snap_init(&s);
	snap_pause(&source.vm);
	snap_save(&s, &source.vm);
	snap_write(&s);
	/* Its top layer is the clone's now. */
	end(&source);
	clone_of(&s, &clone, &source, after, 2);
	exec_expect(&clone.agent,
		"echo 3 >/proc/sys/vm/drop_caches; head -n1 /dev/vda; "
		"dd if=/dev/vda bs=4096 skip=1 count=1 2>/dev/null | head -n1; "
		"echo top | dd of=/dev/vda bs=4096 seek=2 conv=fsync,notrunc 2>/dev/null; "
		"head -n1 /dev/vdb",
		"lowest\nmiddle\nsecond\n");
	end(&clone);
	snap_forget(&s);
	assert_int_equal(tree_remove(folder, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clones_of_clones),
		cmocka_unit_test(clones_of_a_larger_guest),
		cmocka_unit_test(disks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
