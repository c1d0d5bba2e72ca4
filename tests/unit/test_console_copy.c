// LIBS: record api base
// OBJS: tui/console/*.c tui/record/recorder.c tui/record/streams.c
/* Copy mode: what is selected is what is copied, what is searched for is found, and what the guest
 * writes meanwhile changes nothing of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>

#include "tests/unit/test_console_env.h"
#include "tui/console/clip.h"
#include "tui/console/copy.h"
#include "tui/console/copy_mode.h"

#define ONE_VM                                                                                     \
	"[{\"id\":\"a1\",\"name\":\"web\",\"state\":\"running\",\"agent\":{\"connected\":true}}]"

static struct pane *pane(const char *text)
{
	struct pane *p = pane_new(10, 20, NULL, NULL);

	pane_feed(p, text, strlen(text));
	return p;
}

static void feed_lines(struct pane *p, int from, int to)
{
	char line[64];

	for (int i = from; i < to; i++) {
		snprintf(line, sizeof(line), "row %d\r\n", i);
		pane_feed(p, line, strlen(line));
	}
}

static void expect_text(struct copy *c, const char *want)
{
	size_t n;
	bool cut;
	char *text = copy_text(c, 1 << 20, &n, &cut);

	assert_string_equal(text, want);
	assert_int_equal(n, strlen(want));
	assert_false(cut);
	free(text);
}

static void moves(struct copy *c, enum copy_move m, int times)
{
	while (times-- > 0)
		copy_move(c, m, 10);
}

static void test_selections(void **state)
{
	struct pane *p = pane("one two   \r\nthree\r\nfour five");
	struct copy *c = copy_new(p);

	(void)state;
	moves(c, COPY_TOP, 1);
	copy_select(c, COPY_SELECT_CHARS);
	moves(c, COPY_WORD, 1);
	expect_text(c, "one t");
	moves(c, COPY_DOWN, 1);
	expect_text(c, "one two\nthree");
	copy_select(c, COPY_SELECT_LINES);
	expect_text(c, "one two\nthree\n");
	moves(c, COPY_DOWN, 1);
	copy_select(c, COPY_SELECT_BLOCK);
	expect_text(c, "one t\nthree\nfour");
	/* Backwards is the same text. */
	copy_select(c, COPY_SELECT_BLOCK);
	moves(c, COPY_BOTTOM, 1);
	moves(c, COPY_LINE_END, 1);
	copy_select(c, COPY_SELECT_CHARS);
	moves(c, COPY_WORD_BACK, 1);
	expect_text(c, "five");
	moves(c, COPY_WORD_BACK, 2);
	expect_text(c, "three\nfour five");
	copy_free(c);
	pane_free(p);
}

/* What only the width had broken is one line; wide and combining characters are whole. */
static void test_wrapped_and_wide(void **state)
{
	struct pane *p = pane("0123456789012345678 abcdefgh\r\n"
			      "\xe4\xb8\xad\xe6\x96\x87 e\xcc\x81x\r\n"
			      "1234567890123456789\xe4\xb8\xad\xe6\x96\x87");
	struct copy *c;

	(void)state;
	for (int scrolled = 0; scrolled < 2; scrolled++) {
		c = copy_new(p);
		moves(c, COPY_TOP, 1);
		copy_select(c, COPY_SELECT_LINES);
		moves(c, COPY_DOWN, 4);
		expect_text(c, "0123456789012345678 abcdefgh\n\xe4\xb8\xad\xe6\x96\x87 e\xcc\x81x\n"
			       "1234567890123456789\xe4\xb8\xad\xe6\x96\x87\n");
		copy_select(c, COPY_SELECT_LINES);
		/* From the right half of a wide character on. */
		copy_goto(c, 3);
		moves(c, COPY_LINE_BEGIN, 1);
		copy_select(c, COPY_SELECT_CHARS);
		moves(c, COPY_RIGHT, 3);
		expect_text(c, "\xe4\xb8\xad\xe6\x96\x87 e\xcc\x81");
		copy_free(c);
		/* Once more from the scrollback. */
		pane_feed(p, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 26);
	}
	pane_free(p);
}

static void test_frozen(void **state)
{
	struct pane *p = pane("");
	struct copy *c;
	struct copy_status s;

	(void)state;
	feed_lines(p, 0, 50);
	c = copy_new(p);
	moves(c, COPY_BOTTOM, 1);
	moves(c, COPY_UP, 1);
	s = copy_status(c);
	assert_int_equal(s.lines, 51);
	assert_int_equal(s.line, 50);
	feed_lines(p, 50, 5000);
	pane_feed(p, "\x1b[2J", 4);
	/* The pane grows and shrinks behind it. */
	pane_resize(p, 30, 60);
	pane_resize(p, 5, 10);
	s = copy_status(c);
	assert_int_equal(s.lines, 51);
	assert_true(s.below > 4900);
	expect_text(c, "row 49");
	copy_goto(c, 12);
	expect_text(c, "row 11");
	assert_true(copy_valid(c));
	pane_reset(p);
	assert_false(copy_valid(c));
	copy_move(c, COPY_UP, 5);
	copy_free(c);
	pane_free(p);
}

static enum copy_found search(struct copy *c)
{
	enum copy_found f;

	while ((f = copy_search_step(c)) == COPY_SEARCHING)
		assert_in_range(copy_searched(c), 0, 100);
	return f;
}

static void test_search(void **state)
{
	struct pane *p = pane("");
	struct err e;
	struct copy *c;

	(void)state;
	feed_lines(p, 0, 200000);
	c = copy_new(p);
	assert_false(copy_search_again(c, false));
	assert_int_equal(copy_search(c, "row 777", true, &e), 0);
	assert_int_equal(search(c), COPY_FOUND);
	expect_text(c, "row 77799"); /* the newest that begins like it */
	assert_int_equal(copy_search(c, "^row 777$", true, &e), 0);
	assert_int_equal(search(c), COPY_FOUND);
	expect_text(c, "row 777");
	assert_int_equal(copy_status(c).line, 778);
	assert_int_equal(copy_search(c, "ROW 777", true, &e), 0);
	assert_int_equal(search(c), COPY_NOT_FOUND);
	assert_int_equal(copy_search(c, "row 1[23]$", false, &e), 0);
	assert_int_equal(search(c), COPY_FOUND); /* round by way of the end */
	expect_text(c, "row 12");
	assert_true(copy_search_again(c, false));
	assert_int_equal(search(c), COPY_FOUND);
	expect_text(c, "row 13");
	assert_true(copy_search_again(c, true));
	assert_int_equal(search(c), COPY_FOUND);
	expect_text(c, "row 12");
	assert_int_equal(copy_search(c, "no[such", false, &e), -EINVAL);
	assert_non_null(strstr(e.msg, "no[such"));
	copy_search_stop(c);
	assert_int_equal(copy_searched(c), -1);
	copy_free(c);
	pane_free(p);
}

static void test_sequences(void **state)
{
	size_t n;
	char *s = clip_sequence(CLIP_PLAIN, "hello", 5, &n);

	(void)state;
	assert_string_equal(s, "\x1b]52;c;aGVsbG8=\x1b\\");
	assert_int_equal(n, strlen(s));
	free(s);
	s = clip_sequence(CLIP_TMUX, "ab", 2, &n);
	assert_string_equal(s, "\x1bPtmux;\x1b\x1b]52;c;YWI=\x1b\x1b\\\x1b\\");
	free(s);
	s = clip_sequence(CLIP_SCREEN, "abc", 3, &n);
	assert_string_equal(s, "\x1bP\x1b]52;c;\x1b\\\x1bPYWJj\x1b\\\x1bP\a\x1b\\");
	free(s);
}

/* The whole console: keys of copy mode, its line, a search by the loop. */
static void test_console(void **state)
{
	struct env *e = *state;
	struct app *a = &e->app;

	vms(a, ONE_VM);
	app_sync_deck(a);
	feed_lines(app_deck(a)->tab[TAB_OUTPUT].pane, 0, 3000);
	keys(a, "c");
	assert_true(find(a, " COPY ") >= 0);
	assert_true(find(a, "line 3001 of 3001") >= 0);
	feed_lines(app_deck(a)->tab[TAB_OUTPUT].pane, 3000, 3007);
	assert_true(find(a, "7 new below") >= 0);
	keys(a, "?row 1777\r");
	while (a->copy && find(a, "line 1778 of") < 0)
		ev_run(a->loop, EVRUN_ONCE);
	keys(a, "n");
	while (!a->notice.text[0] && find(a, "searched") >= 0)
		ev_run(a->loop, EVRUN_ONCE);
	assert_true(find(a, "row 1777") >= 0);
	keys(a, "V");
	assert_true(find(a, "SELECT LINES") >= 0);
	keys(a, "jjy");
	assert_true(find(a, "copied 3 lines") >= 0);
	assert_null(a->copy);
	assert_true(find(a, "row 3006") >= 0);
	keys(a, "c:12\r");
	assert_true(find(a, "line 12 of") >= 0);
	keys(a, "/[\r");
	assert_true(find(a, "'['") >= 0);
	/* Any size, any key. */
	size(a, 5, 20);
	keys(a, "ggGG$0wwbbvVhjkl/x\rnN");
	(void)find(a, "x");
	size(a, 40, 200);
	(void)find(a, "x");
	keys(a, "q");
	assert_null(a->copy);
	keys(a, "y");
	assert_true(find(a, "copied web") >= 0);
	keys(a, "Y");
	assert_true(find(a, "copied a1") >= 0);
	/* What waits to be parsed is told. */
	assert_int_equal(find(a, "behind"), -1);
	assert_non_null(buf_reserve(&app_deck(a)->tab[TAB_OUTPUT].feed.pending, 200000));
	buf_commit(&app_deck(a)->tab[TAB_OUTPUT].feed.pending, 200000);
	assert_true(find(a, "behind 1") >= 0);
	buf_consume(&app_deck(a)->tab[TAB_OUTPUT].feed.pending, 200000);
	/* It ends with the console. */
	keys(a, "v/row");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_selections),
		cmocka_unit_test(test_wrapped_and_wide),
		cmocka_unit_test(test_frozen),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_sequences),
		cmocka_unit_test_setup_teardown(test_console, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
