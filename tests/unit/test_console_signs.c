// LIBS: base
// OBJS: tui/console/pane_signs.c tui/console/keys.c
/* Bells, titles and clipboards of guests, in whole and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <string.h>

#include "backend/base/util.h"
#include "tui/console/pane_signs.h"

#define ALL (SIGN_BELL | SIGN_TITLE | SIGN_CLIPBOARD)

static struct signs s;

static int setup(void **state)
{
	(void)state;
	s = (struct signs){.want = ALL};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	signs_fini(&s);
	return 0;
}

static void feed(const char *text)
{
	signs_feed(&s, text, strlen(text));
}

static void test_bell(void **state)
{
	(void)state;
	feed("a\ab\a\x1b[3\am");
	assert_int_equal(s.bells, 3);
	/* The end of a sequence is no bell, nor is one within a string for others. */
	feed("\x1b]0;t\a\x1bPq\a\x1b\\");
	assert_int_equal(s.bells, 3);
	s.want = SIGN_TITLE;
	feed("\a");
	assert_int_equal(s.bells, 3);
}

static void test_title(void **state)
{
	(void)state;
	feed("\x1b]0;one\a");
	assert_string_equal(s.title, "one");
	feed("\x1b]2;two\x1b\\");
	assert_string_equal(s.title, "two");
	/* Icon names, other numbers, what was broken off. */
	feed("\x1b]1;icon\a\x1b]22;x\a\x1b]2;half\x18\x1b]2;esc\x1b[0m");
	assert_string_equal(s.title, "two");
	/* No controls, no turned text, nothing invisible, no broken UTF-8. */
	feed("\x1b]2;a\tb\xe2\x80\xae"
	     "c\xe2\x80\x8b\xc2\x9b"
	     "d\xff"
	     "e\xc3\xa4\a");
	assert_string_equal(s.title, "abcde\xc3\xa4");
	feed("\x1b]2;0123456789012345678901234567890123456789012345678901234567890123456789\a");
	assert_true(strlen(s.title) < SIGNS_TITLE && strlen(s.title) > 50);
	feed("\x1b]2;\a");
	assert_string_equal(s.title, "");
	signs_reset(&s);
	assert_int_equal(s.want, ALL);
}

static void test_clipboard(void **state)
{
	(void)state;
	feed("\x1b]52;c;aGVsbG8=\a");
	assert_int_equal(s.clip_len, 5);
	assert_memory_equal(s.clip, "hello", 5);
	feed("\x1b]52;;aGk\x1b\\"); /* the last one counts */
	assert_int_equal(s.clip_len, 2);
	/* A question is no text, and changes nothing. */
	feed("\x1b]52;c;?\a");
	assert_int_equal(s.clip_len, 2);
	assert_false(s.clip_refused);
	feed("\x1b]52;c;not base64!\a");
	assert_null(s.clip);
	assert_true(s.clip_refused);
	s.want = SIGN_TITLE;
	feed("\x1b]52;c;aGVsbG8=\a");
	assert_null(s.clip);
}

static void test_long(void **state)
{
	size_t n = CLIP_MAX / 3 * 4;
	char *text = xcalloc(1, n + 200);

	(void)state;
	memset(text, 'A', n + 199);
	feed("\x1b]52;c;");
	signs_feed(&s, text, n);
	feed("\a");
	assert_int_equal(s.clip_len, CLIP_MAX / 3 * 3);
	feed("\x1b]52;c;");
	signs_feed(&s, text, n + 199);
	signs_feed(&s, text, n + 199);
	feed("\a");
	assert_true(s.clip_refused);
	free(text);
}

/* Every way to cut the bytes in two gives the same. */
static void test_pieces(void **state)
{
	static const char text[] = "x\a\x1b]2;t\xc3\xa4\x1b\\\x1b]52;c;aGVsbG8=\x1b\\\a";

	for (size_t cut = 0; cut < sizeof(text); cut++) {
		setup(state);
		signs_feed(&s, text, cut);
		signs_feed(&s, text + cut, sizeof(text) - 1 - min_of(cut, sizeof(text) - 1));
		assert_int_equal(s.bells, 2);
		assert_string_equal(s.title, "t\xc3\xa4");
		assert_int_equal(s.clip_len, 5);
		signs_fini(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bell, setup, teardown),
		cmocka_unit_test_setup_teardown(test_title, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clipboard, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
