// LIBS: base
/* backend/base: strings, buffers, lines, JSON, files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/base/buf.h"
#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/lines.h"
#include "backend/base/path.h"
#include "backend/base/str.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/deck-base-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	(void)state;
	return tree_remove(dir, NULL);
}

static void names(void **state)
{
	static const char *const good[] = {
		"a", "web-1", "A.b_c", "0", "x23456789012345678901234567890"};
	static const char *const bad[] = {"", "-a", ".", "../x", "a/b", "a b", "a\n", "\x1b[31m",
		"ä", "0123456789012345678901234567890123456789012345678901234567890123"};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < countof(good); i++)
		assert_int_equal(str_check_name("VM name", good[i], &e), 0);
	for (size_t i = 0; i < countof(bad); i++) {
		assert_int_equal(str_check_name("VM name", bad[i], &e), -EINVAL);
		assert_non_null(strstr(e.msg, "VM name"));
		assert_null(strchr(e.msg, '\x1b'));
		assert_null(strchr(e.msg, '\n'));
	}
}

static void numbers(void **state)
{
	int64_t v;

	(void)state;
	assert_int_equal(str_parse_int("n", "42", 0, 100, &v, NULL), 0);
	assert_int_equal(v, 42);
	assert_int_equal(str_parse_int("n", "101", 0, 100, &v, NULL), -ERANGE);
	assert_int_equal(str_parse_int("n", "99999999999999999999", 0, 100, &v, NULL), -ERANGE);
	assert_int_equal(str_parse_int("n", "4x", 0, 100, &v, NULL), -EINVAL);
	assert_int_equal(str_parse_int("n", " 4", 0, 100, &v, NULL), -EINVAL);
	assert_int_equal(str_parse_int("n", "", 0, 100, &v, NULL), -EINVAL);
	assert_int_equal(str_parse_mib("mem", "2G", &v, NULL), 0);
	assert_int_equal(v, 2048);
	assert_int_equal(str_parse_mib("mem", "512m", &v, NULL), 0);
	assert_int_equal(v, 512);
	assert_int_equal(str_parse_mib("mem", "G", &v, NULL), -EINVAL);
}

static void safe_text(void **state)
{
	char out[64], small[8];

	(void)state;
	assert_string_equal(str_safe(out, sizeof(out), "plain ä€😀"), "plain ä€😀");
	assert_string_equal(str_safe(out, sizeof(out), "a\x1b[1mb\n"), "a\\x1b[1mb\\x0a");
	assert_string_equal(str_safe(out, sizeof(out), "\xc0\xaf\xff"), "\\xc0\\xaf\\xff");
	assert_string_equal(str_safe(out, sizeof(out), "\xc2\x9b"), "\\xc2\\x9b");
	assert_string_equal(str_safe(small, sizeof(small), "0123456789"), "0123...");
	assert_string_equal(str_duration(out, sizeof(out), 35000000), "35 ms");
	assert_string_equal(str_duration(out, sizeof(out), 1400000000), "1.4 s");
	assert_string_equal(str_bytes(out, sizeof(out), 1 << 20), "1.0 MiB");
}

static void hex(void **state)
{
	uint8_t b[3] = {0, 0xab, 0xff}, back[3];
	char text[7];

	(void)state;
	hex_encode(text, b, sizeof(b));
	assert_string_equal(text, "00abff");
	assert_int_equal(hex_decode(back, 3, text), 0);
	assert_memory_equal(b, back, 3);
	assert_int_equal(hex_decode(back, 3, "00abf"), -EINVAL);
	assert_int_equal(hex_decode(back, 3, "00abfg"), -EINVAL);
}

/* A queue of bytes under a seeded storm of appends and consumes keeps order and its limit. */
static void buffer_storm(void **state)
{
	struct buf b;
	uint8_t in = 0, out = 0;
	unsigned seed = 7;

	(void)state;
	buf_init(&b, 5000);
	for (int i = 0; i < 20000; i++) {
		size_t n = (size_t)rand_r(&seed) % 300;
		uint8_t chunk[300];

		for (size_t k = 0; k < n; k++)
			chunk[k] = (uint8_t)(in + k);
		if (buf_append(&b, chunk, n) == 0)
			in = (uint8_t)(in + n);
		else
			assert_true(b.len + n > 5000);
		n = (size_t)rand_r(&seed) % 310;
		n = min_of(n, b.len);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(buf_peek(&b)[k], (uint8_t)(out + k));
		out = (uint8_t)(out + n);
		buf_consume(&b, n);
		assert_true(b.len <= 5000);
	}
	buf_fini(&b);
}

static void lines_of_pieces(void **state)
{
	static const char text[] = "one\ntwo\r\n\n{\"a\":\"b\"}\nrest";
	static const char *const want[] = {"one", "two", "", "{\"a\":\"b\"}"};
	struct buf b;
	size_t got = 0, len;
	char *line;

	(void)state;
	buf_init(&b, 100);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(buf_append(&b, text + i, 1), 0);
		while (lines_next(&b, 20, &line, &len) == 1) {
			assert_string_equal(line, want[got]);
			assert_int_equal(len, strlen(want[got++]));
		}
	}
	assert_int_equal(got, countof(want));
	assert_int_equal(buf_append(&b, "aaaaaaaaaaaaaaaaaaaaaaaaa", 25), 0);
	assert_int_equal(lines_next(&b, 20, &line, &len), -E2BIG);
	buf_fini(&b);
}

static void json_is_strict(void **state)
{
	static const char *const bad[] = {"", "{", "{} x", "[1,]", "nul", "{\"a\":\xff}",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"};
	struct json_object *o;
	struct err e;

	(void)state;
	for (size_t i = 0; i < countof(bad); i++)
		assert_int_equal(jsonx_parse(bad[i], strlen(bad[i]), &o, &e), -EINVAL);
	assert_int_equal(jsonx_parse("{\"n\":", 5, &o, &e), -EINVAL);
	assert_string_equal(e.msg, "not valid JSON: it ends too early");
	assert_int_equal(jsonx_parse(" {\"n\": 5, \"s\": \"x\"} \n", 21, &o, &e), 0);
	assert_int_equal(jsonx_int(o, "n", 0), 5);
	assert_int_equal(jsonx_int(o, "s", -1), -1);
	assert_null(jsonx_str(o, "n"));
	assert_string_equal(jsonx_str(o, "s"), "x");
	json_object_put(o);
	assert_int_equal(jsonx_parse("12", 2, &o, &e), 0);
	json_object_put(o);
}

static void files(void **state)
{
	char path[128], *text;
	struct err e = {0};
	size_t len;

	(void)state;
	snprintf(path, sizeof(path), "%s/a/b/c", dir);
	assert_int_equal(dir_make(path, 0700, &e), 0);
	assert_int_equal(dir_make(path, 0700, &e), 0);
	snprintf(path, sizeof(path), "%s/a/file", dir);
	assert_int_equal(file_write_atomic(path, "hello", 5, 0600, &e), 0);
	assert_int_equal(file_write_atomic(path, "hello world", 11, 0600, &e), 0);
	assert_int_equal(file_read(path, 100, &text, &len, &e), 0);
	assert_string_equal(text, "hello world");
	free(text);
	assert_int_equal(file_read(path, 5, &text, &len, &e), -E2BIG);
	assert_int_equal(dir_make(path, 0700, &e), -ENOTDIR); /* a file is in the way */
	snprintf(path, sizeof(path), "%s/nowhere/file", dir);
	assert_int_equal(file_write_atomic(path, "x", 1, 0600, &e), -ENOENT);
	assert_non_null(strstr(e.msg, "nowhere"));
	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink("/etc", path), 0);
	assert_int_equal(tree_remove(path, &e), 0);
	assert_int_equal(access("/etc/passwd", R_OK), 0);
	assert_int_equal(tree_remove("/nonexistent/x", &e), 0);
}

static void locks(void **state)
{
	char path[128];
	struct err e = {0};
	pid_t holder = 0, pid;
	int fd, status, pipe_fds[2];
	char byte;

	(void)state;
	snprintf(path, sizeof(path), "%s/lock", dir);
	assert_int_equal(pipe(pipe_fds), 0);
	pid = fork();
	if (pid == 0) {
		int mine = -1;

		if (lock_take(path, false, &mine, NULL, NULL) < 0 ||
			write(pipe_fds[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	assert_int_equal(lock_take(path, false, &fd, &holder, &e), -EAGAIN);
	assert_int_equal(holder, pid);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(lock_take(path, true, &fd, NULL, &e), 0);
	close(fd);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

static void paths_are_checked(void **state)
{
	struct paths p;
	struct err e;
	char out[300];

	(void)state;
	setenv("VMDECK_HOME", "/tmp/h", 1);
	unsetenv("VMDECK_RUNTIME");
	assert_int_equal(paths_find(&p, &e), 0);
	assert_string_equal(p.home, "/tmp/h");
	assert_non_null(strstr(p.runtime, "/vmdeck-"));
	setenv("VMDECK_HOME", "relative", 1);
	assert_int_equal(paths_find(&p, &e), -EINVAL);
	setenv("VMDECK_HOME", "/tmp/h", 1);
	memset(out, 'r', sizeof(out));
	out[0] = '/';
	out[120] = '\0';
	setenv("VMDECK_RUNTIME", out, 1);
	assert_int_equal(paths_find(&p, &e), -ENAMETOOLONG);
	assert_non_null(strstr(e.msg, "VMDECK_RUNTIME"));
	unsetenv("VMDECK_RUNTIME");
	unsetenv("VMDECK_HOME");
	assert_int_equal(path_program("no-such-program-here", out, sizeof(out), &e), -ENOENT);
	assert_int_equal(path_program("sh", out, sizeof(out), &e), 0);
	assert_int_equal(path_helper("no-such-helper", out, sizeof(out), &e), -ENOENT);
}

static void paths_go_when_empty(void **state)
{
	autofree char *vm = xasprintf("%s/run/vms/01234567", dir);
	autofree char *run = xasprintf("%s/run", dir), *sock = xasprintf("%s/v.sock", vm);
	struct paths p = {0};

	(void)state;
	snprintf(p.home, sizeof(p.home), "%s/home", dir);
	snprintf(p.runtime, sizeof(p.runtime), "%s", run);
	assert_int_equal(paths_make(&p, NULL), 0);
	assert_int_equal(dir_make(vm, 0700, NULL), 0);
	assert_int_equal(file_write_atomic(sock, "", 0, 0600, NULL), 0);
	paths_unmake(&p);
	assert_int_equal(access(sock, F_OK), 0);
	assert_int_equal(tree_remove(vm, NULL), 0);
	p.runtime_given = true;
	paths_unmake(&p);
	assert_int_equal(access(run, F_OK), 0);
	p.runtime_given = false;
	paths_unmake(&p);
	assert_int_equal(access(run, F_OK), -1);
	assert_int_equal(access(p.home, F_OK), 0);
	paths_unmake(&p); /* gone is fine */
}

static void errors_carry_sentences(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(err_set(&e, ENOSPC, "disk '%s' is full", "d"), -ENOSPC);
	assert_int_equal(err_wrap(&e, -ENOSPC, "boot vm '%s'", "web"), -ENOSPC);
	assert_string_equal(e.msg, "boot vm 'web': disk 'd' is full");
	errno = ENOENT;
	assert_int_equal(err_errno(&e, "open"), -ENOENT);
	assert_string_equal(e.msg, "open: No such file or directory");
	assert_int_equal(err_set(NULL, EIO, "x"), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(numbers),
		cmocka_unit_test(safe_text),
		cmocka_unit_test(hex),
		cmocka_unit_test(buffer_storm),
		cmocka_unit_test(lines_of_pieces),
		cmocka_unit_test(json_is_strict),
		cmocka_unit_test_setup_teardown(files, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(locks, make_dir, drop_dir),
		cmocka_unit_test(paths_are_checked),
		cmocka_unit_test_setup_teardown(paths_go_when_empty, make_dir, drop_dir),
		cmocka_unit_test(errors_carry_sentences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
