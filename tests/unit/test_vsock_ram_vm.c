// LIBS: guest base
// OBJS: tests/support/looptest.c tests/support/exec_job.c tests/support/fake_agent.c
// OBJS: tests/support/vsock_qemu.c backend/vmm/tsc.c
/* Guest memory under a real QEMU: made private in a pause, nothing is lost and the file is frozen;
 * clones of the file, and a snapshot of a clone, go on with what they had. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "backend/base/util.h"
#include "tests/support/exec_job.h"
#include "tests/support/fake_agent.h"
#include "tests/support/vsock_qemu.h"

#define STATE_MAX ((size_t)1 << 20) /* a device state without RAM has 0.1 MB */

/* A VM with the host's side of its agent. */
struct guest_vm {
	struct vq q;
	struct seen seen;
};

/* A command that echoes: bytes go through the whole of vsock, both ways. */
struct echo {
	struct job job;
	size_t sent, got, credit;
};

static struct guest_vm vms[4];
static struct echo echo;
static char base_dir[48];
static int ram; /* of the source */

static int setup(void **state)
{
	int r = t_setup(state);

	snprintf(base_dir, sizeof(base_dir), "%.47s", t_dir);
	memset(vms, 0, sizeof(vms));
	ram = memfd_create("vmdeck-test-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return ftruncate(ram, (off_t)VQ_SIZE) < 0 ? -1 : r;
}

static int teardown(void **state)
{
	close(ram);
	for (size_t i = 0; i < countof(vms); i++) {
		vq_end(&vms[i].q);
		if (vms[i].seen.g)
			fake_close(&vms[i].seen);
	}
	strcpy(t_dir, base_dir);
	return t_teardown(state);
}

/* The host's side listens before the guest dials. */
static const char *enter(struct guest_vm *vm)
{
	static const char *const main_argv[] = {"sleep", "1000000", NULL};

	snprintf(t_dir, sizeof(t_dir), "%s/%u", base_dir, (unsigned)(vm - vms));
	assert_int_equal(mkdir(t_dir, 0700), 0);
	fake_open_main(&vm->seen, main_argv, false);
	return t_dir;
}

static void boot(struct guest_vm *vm)
{
	vq_boot(&vm->q, enter(vm), ram);
	t_until(&vm->seen.ready, "HELLO_ACK of the booted guest");
}

static void clone_vm(struct guest_vm *vm, int memory, int state)
{
	vq_clone(&vm->q, enter(vm), memory, state);
	t_until(&vm->seen.ready, "HELLO_ACK of the clone");
}

/* What a shell in the guest prints. */
static const char *sh(const struct guest_vm *vm, const char *script)
{
	static struct job j;
	static char text[1024];

	assert_int_equal(
		job_start(&j, vm->q.vsock, (const char *const[]){"sh", "-c", script, NULL}, 0, 20),
		0);
	job_finish(&j, text, sizeof(text));
	if (j.r != 0 || j.how != WIRE_EXITED || j.value != 0)
		fail_msg("'%s': %s %d, '%s'", script, j.e.msg, j.value, text);
	return text;
}

static void dirty(const struct guest_vm *vm)
{
	sh(vm, "dd if=/dev/urandom of=/tmp/dirty bs=1M count=6 2>/dev/null && sha1sum /tmp/dirty");
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 2654435761u >> 13);
}

static void echo_send(struct echo *e, size_t total)
{
	uint8_t b[WIRE_CHUNK], h[WIRE_HEADER];

	while (e->credit > 0 && e->sent < total) {
		size_t n = min_of(min_of(e->credit, total - e->sent), sizeof(b));

		for (size_t i = 0; i < n; i++)
			b[i] = pattern(e->sent + i);
		wire_header(h, WIRE_STDIN, (uint32_t)n);
		assert_true(peer_send(&e->job.client, h, sizeof(h)));
		assert_true(peer_send(&e->job.client, b, n));
		e->sent += n;
		e->credit -= n;
	}
}

/* Takes a frame; every byte that comes back is the one that went. */
static void echo_take(struct echo *e)
{
	const struct wire_frame *f = &e->job.client.f;
	uint32_t n;

	assert_true(peer_next(&e->job.client));
	if (f->type == WIRE_CREDIT) {
		assert_int_equal(wire_get_u32(f, &n), 0);
		e->credit += n;
	} else if (f->type == WIRE_STDOUT) {
		for (size_t i = 0; i < f->len; i++)
			assert_int_equal(f->payload[i], pattern(e->got + i));
		e->got += f->len;
	}
}

static void echo_until(struct echo *e, size_t total)
{
	while (e->got < total) {
		echo_send(e, total);
		echo_take(e);
	}
}

static void echo_open(struct echo *e, const struct guest_vm *vm)
{
	memset(e, 0, sizeof(*e));
	assert_int_equal(job_start(&e->job, vm->q.vsock, (const char *const[]){"cat", NULL},
				 WIRE_REQ_STDIN, 20),
		0);
}

static void echo_close(struct echo *e)
{
	uint8_t h[WIRE_HEADER];

	wire_header(h, WIRE_STDIN_EOF, 0);
	assert_true(peer_send(&e->job.client, h, sizeof(h)));
	job_finish(&e->job, NULL, 0);
	assert_int_equal(e->job.r, 0);
}

/* Stopped -> private, and what it cost. */
static void make_private(struct guest_vm *vm)
{
	uint64_t before = mono_ns();
	char perms[5];

	assert_string_equal(vq_line(&vm->q, "MEMORY private\n"), "OK private\n");
	print_message("%d MiB made private in %.3f ms (the line's way included)\n", VQ_MIB,
		(double)(mono_ns() - before) / 1e6);
	vq_map(&vm->q, perms);
	assert_string_equal(perms, "rw-p");
}

static void test_private_in_a_pause(void **state)
{
	struct guest_vm *vm = &vms[0];
	uint64_t hash, address;
	char perms[5];

	(void)state;
	vq_need();
	boot(vm);
	echo_open(&echo, vm);
	echo_until(&echo, 300000);
	assert_string_equal(vq_line(&vm->q, "MEMORY state\n"), "OK shared\n");
	address = vq_map(&vm->q, perms);
	assert_string_equal(perms, "rw-s");
	assert_true(fcntl(ram, F_ADD_SEALS, F_SEAL_WRITE) < 0);
	/* Bytes are on their way when it stops. */
	echo_send(&echo, 1000000);
	vq_call(&vm->q, "stop", NULL);
	make_private(vm);
	assert_int_equal(vq_map(&vm->q, perms), address);
	hash = file_hash(ram);
	vq_call(&vm->q, "cont", NULL);
	echo_until(&echo, 1000000);
	/* Once more, while it runs: nothing happens. */
	assert_string_equal(vq_line(&vm->q, "MEMORY private\n"), "OK private\n");
	dirty(vm);
	echo_until(&echo, 1500000);
	echo_close(&echo);
	assert_true(file_hash(ram) == hash);
	/* The kernel agrees, and lets nobody write from now on. */
	assert_int_equal(fcntl(ram, F_ADD_SEALS, F_SEAL_WRITE), 0);
	dirty(vm);
	assert_int_equal(vm->seen.lost, 0);
}

/* The whole life: a source, two clones of its snapshot, a snapshot of a clone, a clone of that. */
static void test_snapshots_and_clones(void **state)
{
	struct guest_vm *source = &vms[0], *a = &vms[1], *b = &vms[2], *c = &vms[3];
	uint8_t *memory, *private;
	uint64_t hash;
	size_t size, n;
	int dev, file, merged;

	(void)state;
	vq_need();
	boot(source);
	sh(source, "echo source >/tmp/name");
	vq_call(&source->q, "stop", NULL);
	dev = vq_save(&source->q, &size);
	assert_in_range(size, 1, STATE_MAX);
	make_private(source);
	vq_call(&source->q, "cont", NULL);
	dirty(source);
	file = file_copy(ram);
	hash = file_hash(file);
	assert_true(hash == file_hash(ram));

	clone_vm(a, file, dev);
	clone_vm(b, file, dev);
	assert_string_equal(vq_line(&a->q, "MEMORY state\n"), "OK private\n");
	assert_string_equal(sh(a, "cat /tmp/name; echo a >/tmp/name"), "source\n");
	assert_string_equal(sh(b, "cat /tmp/name; echo b >/tmp/name"), "source\n");
	dirty(a);
	dirty(b);
	assert_string_equal(sh(b, "cat /tmp/name"), "b\n");
	assert_string_equal(sh(source, "cat /tmp/name"), "source\n");
	close(dev);

	/* QEMU still leaves memory out: it believes it shared. */
	vq_call(&a->q, "stop", NULL);
	dev = vq_save(&a->q, &size);
	assert_in_range(size, 1, STATE_MAX);
	n = vq_memory(&a->q, &memory, &private);
	vq_call(&a->q, "cont", NULL);
	print_message(
		"clone: state %zu bytes, %zu of %zu pages private\n", size, n, VQ_SIZE / VQ_PAGE);
	merged = file_copy(file);
	for (size_t i = 0; i < VQ_SIZE / VQ_PAGE; i++)
		if (private[i])
			assert_int_equal(
				pwrite(merged, memory + i * VQ_PAGE, VQ_PAGE, (off_t)(i * VQ_PAGE)),
				VQ_PAGE);
	/* The file and the private pages are all of it. */
	for (size_t i = 0; i < VQ_SIZE / VQ_PAGE; i++) {
		uint8_t page[VQ_PAGE];

		assert_int_equal(pread(merged, page, VQ_PAGE, (off_t)(i * VQ_PAGE)), VQ_PAGE);
		if (memcmp(page, memory + i * VQ_PAGE, VQ_PAGE) != 0)
			fail_msg("page %zu is not what the clone had", i);
	}
	free(memory);
	free(private);
	clone_vm(c, merged, dev);
	assert_string_equal(sh(c, "cat /tmp/name"), "a\n");
	dirty(c);
	assert_string_equal(sh(a, "cat /tmp/name"), "a\n");
	assert_true(file_hash(file) == hash);
	close(dev);
	close(file);
	close(merged);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_private_in_a_pause, setup, teardown),
		cmocka_unit_test_setup_teardown(test_snapshots_and_clones, setup, teardown),
	};

	return cmocka_run_group_tests_name("vsock_ram_vm", tests, NULL, NULL);
}
