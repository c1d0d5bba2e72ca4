// LIBS: vmm base
/* What the kernel tells of another process' memory: how a file is mapped, which pages of a private
 * mapping were written, and copies of them. The other process is a child of this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "backend/vmm/guest_pages.h"

#define PAGE  4096u
#define PAGES 40000u /* more than one read of pagemap */
#define SIZE  ((uint64_t)PAGE * PAGES)

/* Page n of the file holds n, every third one is a hole. */
static int make_file(void)
{
	int fd = memfd_create("vmdeck-test", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)SIZE), 0);
	for (uint32_t i = 0; i < PAGES; i++)
		if (i % 3)
			assert_int_equal(pwrite(fd, &i, sizeof(i), (off_t)i * PAGE), sizeof(i));
	return fd;
}

static bool is_changed(uint32_t page)
{
	return page == 0 || page == PAGES - 1 || (page >= 100 && page < 230) || page % 1000 < 3;
}

struct child {
	pid_t pid;
	char *at; /* of the mapping, the same in both */
	int fd;
};

/* The child maps the file, reads all of it, writes ~n to the changed pages, and waits. */
static void child_start(struct child *c, int flags)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	c->fd = make_file();
	c->at = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, flags, c->fd, 0);
	assert_ptr_not_equal(c->at, MAP_FAILED);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (c->pid == 0) {
		volatile uint32_t sum = 0;

		for (uint32_t i = 0; i < PAGES; i++) {
			uint32_t *word = (uint32_t *)(void *)(c->at + (size_t)i * PAGE);

			sum += *word;
			if (is_changed(i))
				*word = ~i;
		}
		(void)!write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	munmap(c->at, SIZE);
}

static void child_end(struct child *c)
{
	kill(c->pid, SIGKILL);
	assert_int_equal(waitpid(c->pid, NULL, 0), c->pid);
	close(c->fd);
}

static void find(const struct child *c, struct guest_ram *ret)
{
	struct err e;

	if (guest_ram_find(c->pid, c->fd, SIZE, ret, &e) < 0)
		fail_msg("%s", e.msg);
	assert_true(ret->start == (uintptr_t)c->at && ret->size == SIZE);
}

static void shared_and_private(void **state)
{
	struct guest_ram ram;
	struct child c;
	struct err e;
	int other = make_file();

	(void)state;
	child_start(&c, MAP_SHARED);
	find(&c, &ram);
	assert_true(ram.shared);
	child_end(&c);
	child_start(&c, MAP_PRIVATE);
	find(&c, &ram);
	assert_false(ram.shared);
	assert_int_equal(guest_ram_find(c.pid, other, SIZE, &ram, &e), -ENOENT);
	assert_int_equal(guest_ram_find(c.pid, c.fd, SIZE * 2, &ram, &e), -ENOENT);
	assert_int_equal(guest_ram_find(c.pid, c.fd, SIZE / 2, &ram, &e), -ENOENT);
	assert_int_equal(guest_ram_find(getpid(), c.fd, SIZE, &ram, &e), -ENOENT);
	child_end(&c);
	assert_true(guest_ram_find(c.pid, other, SIZE, &ram, &e) < 0);
	close(other);
}

/* The runs are exactly the changed pages, in order and joined. */
static void check_runs(const struct frozen *f)
{
	uint32_t page = 0;

	for (size_t i = 0; i < f->run_count; i++) {
		for (; page < f->runs[i].offset / PAGE; page++)
			assert_false(is_changed(page));
		assert_true(
			i == 0 || f->runs[i].offset > f->runs[i - 1].offset + f->runs[i - 1].len);
		for (uint64_t n = f->runs[i].len / PAGE; n; n--, page++)
			assert_true(is_changed(page));
	}
	for (; page < PAGES; page++)
		assert_false(is_changed(page));
}

static void changed_pages(void **state)
{
	struct frozen f = FROZEN_NONE;
	struct guest_ram ram;
	struct child c;
	uint32_t word;
	off_t at = 0;
	struct err e;
	int r;

	(void)state;
	child_start(&c, MAP_PRIVATE);
	find(&c, &ram);
	r = guest_pages_find_ioctl(c.pid, &ram, &f, &e);
	if (r == 0)
		check_runs(&f);
	else
		assert_int_equal(r, -ENOTTY); /* before Linux 6.7 */
	assert_int_equal(guest_pages_find_bits(c.pid, &ram, &f, &e), 0);
	check_runs(&f);
	assert_int_equal(guest_pages_find(c.pid, &ram, &f, &e), 0);
	check_runs(&f);
	assert_int_equal(guest_pages_copy(c.pid, &ram, &f, &e), 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		if (!is_changed(i))
			continue;
		assert_int_equal(pread(f.pages_fd, &word, sizeof(word), at), sizeof(word));
		assert_int_equal(word, ~i);
		at += PAGE;
	}
	assert_int_equal(lseek(f.pages_fd, 0, SEEK_END), at);
	frozen_fini(&f);
	child_end(&c);
}

static void nothing_changed(void **state)
{
	struct frozen f = FROZEN_NONE;
	struct guest_ram ram;
	struct child c;
	struct err e;

	(void)state;
	child_start(&c, MAP_SHARED);
	find(&c, &ram);
	/* Written, but into the file. */
	assert_int_equal(guest_pages_find(c.pid, &ram, &f, &e), 0);
	assert_int_equal(f.run_count, 0);
	assert_int_equal(guest_pages_copy(c.pid, &ram, &f, &e), 0);
	assert_int_equal(f.pages_fd, -1);
	frozen_fini(&f);
	child_end(&c);
	assert_true(guest_pages_find(c.pid, &ram, &f, &e) < 0);
}

static void whole_file(void **state)
{
	struct frozen f = FROZEN_NONE;
	int fd = make_file();
	uint32_t word;
	struct err e;

	(void)state;
	assert_int_equal(guest_pages_copy_file(fd, SIZE, &f, &e), 0);
	assert_int_equal(lseek(f.base_fd, 0, SEEK_END), SIZE);
	for (uint32_t i = 0; i < PAGES; i++) {
		assert_int_equal(
			pread(f.base_fd, &word, sizeof(word), (off_t)i * PAGE), sizeof(word));
		assert_int_equal(word, i % 3 ? i : 0);
	}
	assert_int_equal(lseek(f.base_fd, 0, SEEK_DATA), PAGE); /* holes stay holes */
	frozen_fini(&f);
	close(fd);
	/* Holes only. */
	fd = memfd_create("vmdeck-test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)SIZE), 0);
	assert_int_equal(guest_pages_copy_file(fd, SIZE, &f, &e), 0);
	assert_int_equal(lseek(f.base_fd, 0, SEEK_DATA), -1);
	frozen_fini(&f);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_and_private),
		cmocka_unit_test(changed_pages),
		cmocka_unit_test(nothing_changed),
		cmocka_unit_test(whole_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
