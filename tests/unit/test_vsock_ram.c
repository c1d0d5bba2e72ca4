// LIBS: vsock
// OBJS: tests/support/vsock_guest.c tests/support/vsock_vm.c
/* Guest memory without a VMM: the environment's text, which mappings are kept and how they are
 * made, the change to private ones on a real file, and the lines of a host peer that ask for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "backend/base/util.h"
#include "backend/vsock/env.h"
#include "backend/vsock/line.h"
#include "backend/vsock/ram.h"
#include "tests/support/vsock_vm.h"

#define PAGE ((size_t)4096)
#define RW   (PROT_READ | PROT_WRITE)

/* A file of n pages, kept. */
struct file {
	int fd;
	struct ram ram;
	char why[256];
};

static void file_init(struct file *f, size_t pages, bool privately)
{
	*f = (struct file){.fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
	assert_true(f->fd >= 0);
	assert_int_equal(ftruncate(f->fd, (off_t)(pages * PAGE)), 0);
	assert_int_equal(ram_init(&f->ram, f->fd, privately, f->why, sizeof(f->why)), 0);
}

static void file_fini(struct file *f)
{
	ram_fini(&f->ram);
	close(f->fd);
}

static char *file_map(struct file *f, size_t from, size_t pages)
{
	struct ram_call c = {NULL, pages * PAGE, RW, MAP_SHARED, f->fd, (off_t)(from * PAGE)};
	void *p = NULL;

	assert_int_equal(ram_mmap(&f->ram, &c, &p, f->why, sizeof(f->why)), 0);
	assert_true(p != MAP_FAILED);
	return p;
}

static char file_byte(const struct file *f, off_t at)
{
	char c = '?';

	assert_int_equal(pread(f->fd, &c, 1, at), 1);
	return c;
}

/* Whether the kernel knows of no mapping that could write the file. */
static bool sealed(const struct file *f)
{
	return fcntl(f->fd, F_ADD_SEALS, F_SEAL_WRITE) == 0;
}

static void test_env(void **state)
{
	static const struct {
		const char *text;
		bool good;
		struct env want;
	} cases[] = {
		{"fd=200 path=/a b=c", true, {200, -1, false, "/a b=c"}},
		{"fd=0 path=", true, {0, -1, false, ""}},
		{"fd=200 ram=4 path=ram=5", true, {200, 4, false, "ram=5"}},
		{"fd=200 ram=4 private=1 path=/x", true, {200, 4, true, "/x"}},
		{"fd=200 ram=4 private=0 path=/x", true, {200, 4, false, "/x"}},
		{.text = ""},
		{.text = "fd=200"},
		{.text = "fd=200 ram=4"},
		{.text = "ram=4 fd=200 path=/x"},
		{.text = "fd=200 private=1 path=/x"},
		{.text = "fd=200 private=1 ram=4 path=/x"},
		{.text = "fd=200 ram=4 private=2 path=/x"},
		{.text = "fd=200 ram=4 private= path=/x"},
		{.text = "fd=200 ram=-4 path=/x"},
		{.text = "fd=200 ram=+4 path=/x"},
		{.text = "fd=200 ram= 4 path=/x"},
		{.text = "fd=200 ram=4x path=/x"},
		{.text = "fd=200 ram=2147483648 path=/x"},
		{.text = "fd=200 ram=99999999999999999999 path=/x"},
		{.text = "fd=200  path=/x"},
		{.text = " fd=200 path=/x"},
		{.text = "fd=200 ram=4 ram=5 path=/x"},
	};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		const struct env *w = &cases[i].want;
		struct env e;

		if (env_parse(cases[i].text, &e) != cases[i].good)
			fail_msg("'%s'", cases[i].text);
		if (!cases[i].good)
			continue;
		assert_int_equal(e.fd, w->fd);
		assert_int_equal(e.ram, w->ram);
		assert_int_equal(e.privately, w->privately);
		assert_string_equal(e.path, w->path);
	}
}

static void test_lines(void **state)
{
	static const struct {
		const char *text;
		enum line want;
	} cases[] = {
		{"MEMORY private", LINE_MEMORY_PRIVATE},
		{"MEMORY state", LINE_MEMORY_STATE},
		{"MEMORY", LINE_BAD},
		{"MEMORY privat", LINE_BAD},
		{"MEMORY privatee", LINE_BAD},
		{"MEMORY State", LINE_BAD},
		{"CONNECT 7", LINE_CONNECT},
		{"", LINE_BAD},
	};
	uint32_t port = 0;

	(void)state;
	for (size_t i = 0; i < countof(cases); i++)
		assert_int_equal(
			line_parse(cases[i].text, strlen(cases[i].text), &port), cases[i].want);
	assert_int_equal(port, 7);
	assert_int_equal(line_parse("MEMORY private\0x", 16, &port), LINE_BAD);
}

/* What concerns the file, by device and inode and not by the descriptor's number. */
static void test_concerns(void **state)
{
	struct file f;
	char path[64];
	int again, other;

	(void)state;
	file_init(&f, 4, false);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f.fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	other = memfd_create("other", MFD_CLOEXEC);
	assert_true(again >= 0 && other >= 0);
	const struct {
		int flags, fd;
		bool want;
	} cases[] = {
		{MAP_SHARED, f.fd, true},
		{MAP_SHARED | MAP_FIXED, again, true},
		{MAP_SHARED_VALIDATE | MAP_POPULATE, again, true},
		{MAP_PRIVATE, f.fd, false},
		{MAP_SHARED | MAP_ANONYMOUS, f.fd, false},
		{MAP_SHARED | MAP_ANONYMOUS, -1, false},
		{MAP_SHARED, other, false},
		{MAP_SHARED, -1, false},
		{MAP_SHARED, 9999, false},
	};

	for (size_t i = 0; i < countof(cases); i++) {
		struct ram_call c = {NULL, 4 * PAGE, RW, cases[i].flags, cases[i].fd, 0};

		if (ram_concerns(&f.ram, &c) != cases[i].want)
			fail_msg("case %zu", i);
	}
	close(again);
	close(other);
	file_fini(&f);
}

static void test_flags(void **state)
{
	static const struct {
		int flags, privately;
	} cases[] = {
		{MAP_SHARED, MAP_PRIVATE},
		{MAP_SHARED | MAP_FIXED, MAP_PRIVATE | MAP_FIXED},
		{MAP_SHARED_VALIDATE | MAP_FIXED | MAP_NORESERVE,
			MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE},
		{MAP_PRIVATE | MAP_POPULATE, MAP_PRIVATE | MAP_POPULATE},
	};
	const struct ram shared = {.fd = -1}, privately = {.fd = -1, .privately = true};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		assert_int_equal(ram_flags(&shared, cases[i].flags), cases[i].flags);
		assert_int_equal(ram_flags(&privately, cases[i].flags), cases[i].privately);
	}
}

/* Two views of one byte, and more mappings than there is room for. */
static void test_note(void **state)
{
	static const struct {
		uint64_t from, n, at; /* pages; at: address */
		int want;
	} cases[] = {
		{10, 10, 1000, 0},
		{10, 10, 2000, -EEXIST}, /* the same bytes at another place */
		{10, 10, 1000, -EEXIST}, /* at the same place */
		{19, 1, 2000, -EEXIST},
		{9, 2, 2000, -EEXIST},
		{0, 100, 2000, -EEXIST},
		{30, 10, 1005, -EEXIST}, /* other bytes over it */
		{30, 10, 991, -EEXIST},
		{20, 10, 1010, 0}, /* beside it, both ways */
		{0, 10, 990, 0},
		{40, 1, 3000, 0},
		{50, 1, 4000, -EMFILE},
		{15, 1, 4000, -EEXIST},
	};
	struct ram r = {.fd = -1};

	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct ram_call c = {
			NULL, cases[i].n * PAGE, RW, MAP_SHARED, -1, (off_t)(cases[i].from * PAGE)};

		if (ram_note(&r, &c, (void *)(uintptr_t)(cases[i].at * PAGE)) != cases[i].want)
			fail_msg("case %zu", i);
	}
	assert_int_equal(r.n, RAM_MAPS_MAX);
}

static void test_make_private(void **state)
{
	struct file f;
	char *p, *q;

	(void)state;
	file_init(&f, 8, false);
	assert_int_equal(ram_state(&f.ram), RAM_NONE);
	assert_int_equal(ram_make_private(&f.ram, f.why, sizeof(f.why)), -ENXIO);
	p = file_map(&f, 0, 4);
	q = file_map(&f, 4, 4);
	assert_int_equal(ram_state(&f.ram), RAM_SHARED);
	p[0] = q[PAGE] = 'a';
	assert_int_equal(file_byte(&f, 5 * PAGE), 'a');
	assert_false(sealed(&f));
	assert_int_equal(ram_make_private(&f.ram, f.why, sizeof(f.why)), 0);
	assert_int_equal(ram_state(&f.ram), RAM_PRIVATE);
	/* What was there is there, what comes goes to a copy. */
	assert_int_equal(p[0], 'a');
	assert_int_equal(q[PAGE], 'a');
	p[0] = q[PAGE] = p[3 * PAGE] = 'b';
	assert_int_equal(file_byte(&f, 0), 'a');
	assert_int_equal(file_byte(&f, 5 * PAGE), 'a');
	assert_int_equal(file_byte(&f, 3 * PAGE), 0);
	assert_true(sealed(&f));
	/* Again: the copies stay. */
	assert_int_equal(ram_make_private(&f.ram, f.why, sizeof(f.why)), 0);
	assert_int_equal(p[0], 'b');
	assert_int_equal(q[PAGE], 'b');
	munmap(p, 4 * PAGE);
	munmap(q, 4 * PAGE);
	file_fini(&f);
}

/* A limit of the kernel that private memory counts to, and shared does not. */
static void limit_private(rlim_t bytes, struct rlimit *ret_old)
{
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_DATA, &r), 0);
	if (ret_old)
		*ret_old = r;
	r.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_DATA, &r), 0);
}

/* One mapping fails: it is what it was, what is private keeps its copies, and the next try does the
 * rest. */
static void test_failure_is_undone(void **state)
{
	struct rlimit old;
	struct file f;
	char *p, *q;
	int r;

	(void)state;
	file_init(&f, 8, false);
	p = file_map(&f, 0, 4);
	assert_int_equal(ram_make_private(&f.ram, f.why, sizeof(f.why)), 0);
	p[0] = 'b';
	f.ram.privately = false;
	q = file_map(&f, 4, 4);
	q[0] = 'a';
	limit_private(PAGE, &old);
	r = ram_make_private(&f.ram, f.why, sizeof(f.why));
	limit_private(old.rlim_cur, NULL);
	assert_int_equal(r, -ENOMEM);
	assert_non_null(strstr(f.why, "16384 bytes of guest memory cannot be made private"));
	assert_int_equal(ram_state(&f.ram), RAM_SHARED);
	assert_int_equal(p[0], 'b');
	assert_int_equal(q[0], 'a');
	q[1] = 'x';
	assert_int_equal(file_byte(&f, 4 * PAGE + 1), 'x');
	assert_int_equal(ram_make_private(&f.ram, f.why, sizeof(f.why)), 0);
	assert_int_equal(ram_state(&f.ram), RAM_PRIVATE);
	assert_int_equal(p[0], 'b');
	assert_int_equal(q[0], 'a');
	q[0] = 'c';
	assert_int_equal(file_byte(&f, 4 * PAGE), 'a');
	munmap(p, 4 * PAGE);
	munmap(q, 4 * PAGE);
	file_fini(&f);
}

static void test_private_from_the_start(void **state)
{
	struct file f;
	char *p;

	(void)state;
	file_init(&f, 4, true);
	assert_int_equal(pwrite(f.fd, "a", 1, PAGE), 1);
	p = file_map(&f, 0, 4);
	assert_int_equal(ram_state(&f.ram), RAM_PRIVATE);
	assert_int_equal(p[PAGE], 'a');
	p[PAGE] = 'b';
	assert_int_equal(file_byte(&f, PAGE), 'a');
	assert_int_equal(ram_make_private(&f.ram, f.why, sizeof(f.why)), 0);
	assert_int_equal(p[PAGE], 'b');
	assert_true(sealed(&f));
	munmap(p, 4 * PAGE);
	file_fini(&f);
}

static void test_bad_files(void **state)
{
	struct ram r;
	char why[256];
	int dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(ram_init(&r, 9999, false, why, sizeof(why)), -EBADF);
	assert_non_null(strstr(why, "descriptor 9999"));
	ram_fini(&r);
	assert_int_equal(ram_init(&r, dir, false, why, sizeof(why)), -EINVAL);
	ram_fini(&r);
	ram_fini(NULL);
	close(dir);
}

/* The answer to a line, up to the end. */
static const char *ask(struct vm *v, const char *line, size_t pieces)
{
	static char answer[300];
	int fd = vm_connect(v, NULL);
	size_t len = strlen(line), step = pieces > 1 ? 1 : len;
	ssize_t n;

	for (size_t i = 0; i < len; i += step)
		assert_int_equal(send(fd, line + i, step, MSG_NOSIGNAL), step);
	n = fd_read(fd, answer, sizeof(answer) - 1);
	assert_true(n >= 0);
	answer[n] = '\0';
	close(fd);
	return answer;
}

static void test_command(void **state)
{
	struct vm v;
	struct file f;
	uint32_t port;
	struct packet p;
	char *m;
	int fd;

	(void)state;
	vm_init(&v, 0);
	file_init(&f, 4, false);
	assert_string_equal(ask(&v, "MEMORY state\n", 1), "OK none\n");
	assert_string_equal(ask(&v, "MEMORY private\n", 1), "ERROR no guest memory is mapped\n");
	device_set_ram(v.dev, &f.ram);
	assert_string_equal(ask(&v, "MEMORY state\n", 1), "OK none\n");
	assert_string_equal(ask(&v, "MEMORY private\n", 1), "ERROR no guest memory is mapped\n");
	m = file_map(&f, 0, 4);
	m[0] = 'a';
	assert_string_equal(ask(&v, "MEMORY state\n", 2), "OK shared\n");
	/* While the device is stopped, with a connection that lives on. */
	fd = vm_open(&v, 52, &port);
	vm_stop(&v);
	assert_string_equal(ask(&v, "MEMORY state\n", 1), "OK shared\n");
	assert_string_equal(ask(&v, "MEMORY private\nand more", 1), "OK private\n");
	m[0] = 'b';
	assert_string_equal(ask(&v, "MEMORY private\n", 2), "OK private\n");
	assert_int_equal(m[0], 'b');
	assert_int_equal(file_byte(&f, 0), 'a');
	assert_int_equal(vm_start(&v), 0);
	assert_string_equal(ask(&v, "MEMORY state\n", 1), "OK private\n");
	assert_int_equal(send(fd, "ping", 4, MSG_NOSIGNAL), 4);
	p = vm_expect(&v, PACKET_RW);
	assert_int_equal(p.len, 4);
	close(fd);
	vm_expect(&v, PACKET_SHUTDOWN);
	vm_fini(&v);
	munmap(m, 4 * PAGE);
	file_fini(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_concerns),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_make_private),
		cmocka_unit_test(test_failure_is_undone),
		cmocka_unit_test(test_private_from_the_start),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests_name("vsock_ram", tests, NULL, NULL);
}
