// cmocka first: its header wants these before it
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/support/vmm_snap.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/str.h"

void snap_init(struct snap *s)
{
	*s = (struct snap){.dir = "/tmp/vmdeck-test-XXXXXX", .frozen = FROZEN_NONE};
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->state, sizeof(s->state), "%s/state", s->dir);
	snprintf(s->memory, sizeof(s->memory), "%s/memory", s->dir);
	s->incoming = (struct vmm_incoming){s->state, s->memory};
}

void snap_forget(struct snap *s)
{
	frozen_fini(&s->frozen);
	assert_int_equal(tree_remove(s->dir, NULL), 0);
}

static double finished(struct qemu_vm *vm, int r, uint64_t begin)
{
	if (r < 0)
		fail_msg("%s", vm->why.msg);
	qemu_vm_wait(vm, qemu_vm_done);
	if (vm->result < 0)
		fail_msg("%s", vm->why.msg);
	return (double)(mono_ns() - begin) / 1e6;
}

static double operate(struct qemu_vm *vm, int (*op)(struct vmm *, vmm_done *, struct err *))
{
	uint64_t begin = mono_ns();

	vm->dones = 0;
	return finished(vm, op(vm->v, qemu_vm_on_done, &vm->why), begin);
}

double snap_load(struct qemu_vm *vm)
{
	double ms = operate(vm, vmm_qemu.load);

	assert_int_equal(vm->v->state, VMM_PAUSED);
	return ms;
}

double snap_pause(struct qemu_vm *vm)
{
	return operate(vm, vmm_qemu.pause);
}

double snap_resume(struct qemu_vm *vm)
{
	return operate(vm, vmm_qemu.resume);
}

void snap_save(struct snap *s, struct qemu_vm *vm)
{
	uint64_t begin = mono_ns();

	vm->dones = 0;
	s->save_ms = finished(
		vm, vmm_qemu.save(vm->v, s->state, &s->frozen, qemu_vm_on_done, &vm->why), begin);
	assert_int_equal(vm->v->state, VMM_PAUSED);
}

static void sum_of(const char *path, char out[65])
{
	autofd int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t sum[EVP_MAX_MD_SIZE];
	struct stat st;
	void *p;

	assert_int_equal(fstat(fd, &st), 0);
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_true(EVP_Digest(p, (size_t)st.st_size, sum, NULL, EVP_sha256(), NULL));
	munmap(p, (size_t)st.st_size);
	hex_encode(out, sum, 32);
}

static void copy_bytes(int from, uint64_t at, int to, uint64_t to_at, uint64_t n)
{
	static char chunk[1 << 20];

	while (n) {
		size_t len = min_of(n, (uint64_t)sizeof(chunk));

		assert_int_equal(pread(from, chunk, len, (off_t)at), len);
		assert_int_equal(pwrite(to, chunk, len, (off_t)to_at), len);
		n -= len;
		at += len;
		to_at += len;
	}
}

void snap_write(struct snap *s)
{
	autofd int fd = open(s->memory, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const struct frozen *f = &s->frozen;
	off_t data = 0, hole;
	uint64_t at = 0;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)f->size), 0);
	while ((data = lseek(f->base_fd, data, SEEK_DATA)) >= 0) {
		hole = lseek(f->base_fd, data, SEEK_HOLE);
		copy_bytes(f->base_fd, (uint64_t)data, fd, (uint64_t)data, (uint64_t)(hole - data));
		data = hole;
	}
	for (size_t i = 0; i < f->run_count; i++) {
		copy_bytes(f->pages_fd, at, fd, f->runs[i].offset, f->runs[i].len);
		at += f->runs[i].len;
	}
	sum_of(s->memory, s->sum);
}

void snap_take(struct snap *s, struct qemu_vm *vm)
{
	snap_pause(vm);
	snap_save(s, vm);
	snap_resume(vm);
	snap_write(s);
}

void snap_is_untouched(const struct snap *s)
{
	char sum[65];

	sum_of(s->memory, sum);
	assert_string_equal(sum, s->sum);
}

void snap_clone_setup(struct snap *s, struct qemu_vm *clone, const struct vmm_config *source)
{
	qemu_vm_setup(clone, PVH_IDLE);
	clone->config.vcpus = source->vcpus;
	clone->config.mem_mib = source->mem_mib;
	clone->config.kernel = NULL;
	clone->config.incoming = &s->incoming;
	clone->config.disks = source->disks;
	clone->config.disk_count = source->disk_count;
}

double snap_clone(struct snap *s, struct qemu_vm *clone, const struct vmm_config *source)
{
	uint64_t begin;
	double ms;

	snap_clone_setup(s, clone, source);
	begin = mono_ns();
	qemu_vm_start_well(clone);
	ms = (double)(mono_ns() - begin) / 1e6;
	assert_int_equal(clone->v->state, VMM_WAITING);
	snap_load(clone);
	return ms;
}
