// LIBS: base
// OBJS: tui/console/pane*.c tui/console/grid*.c tui/console/scroll_*.c tui/console/guard*.c
// OBJS: tui/console/paint*.c tui/console/glyphs.c tui/console/theme.c tui/console/theme_file.c
// OBJS: tui/console/colour.c tui/console/layout.c tui/console/keys.c tui/console/spots.c
/* Panes in a real curses screen that writes to /dev/null, read back cell by cell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <curses.h>
#include <locale.h>
#include <string.h>

#include "backend/base/util.h"
#include "tui/console/pane.h"

#define ROWS  12
#define COLS_ 60

struct env {
	SCREEN *screen;
	FILE *out, *in;
	struct theme theme;
	struct paint paint;
	char sent[4096]; /* to the guest */
	size_t sent_len;
};

static void on_guest(void *user, const char *bytes, size_t n)
{
	struct env *e = user;

	n = min_of(n, sizeof(e->sent) - e->sent_len);
	memcpy(e->sent + e->sent_len, bytes, n);
	e->sent_len += n;
}

static int setup(void **state)
{
	struct env *e = xcalloc(1, sizeof(*e));

	setlocale(LC_ALL, "C.UTF-8");
	setenv("LINES", "12", 1);
	setenv("COLUMNS", "60", 1);
	e->out = fopen("/dev/null", "w");
	e->in = fopen("/dev/null", "r");
	e->screen = newterm("xterm-256color", e->out, e->in);
	assert_non_null(e->screen);
	start_color();
	use_default_colors();
	theme_builtin(&e->theme);
	paint_init(&e->paint, &e->theme, DEPTH_256, false);
	*state = e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	endwin();
	delscreen(e->screen);
	fclose(e->out);
	fclose(e->in);
	free(e);
	return 0;
}

/* One row of the screen as UTF-8, without blanks at its end. */
static const char *row(int y)
{
	static char text[1024];
	wchar_t wide[COLS_ + 1];
	size_t n;

	mvinnwstr(y, 0, wide, COLS_);
	n = wcstombs(text, wide, sizeof(text) - 1);
	assert_true(n != (size_t)-1);
	while (n > 0 && text[n - 1] == ' ')
		n--;
	text[n] = '\0';
	return text;
}

static void draw(struct env *e, struct pane *p, int *cy, int *cx)
{
	int y, x;

	paint_clear(&e->paint);
	pane_draw(p, &e->paint, (struct rect){0, 0, ROWS, COLS_}, cy ? cy : &y, cx ? cx : &x);
	wnoutrefresh(stdscr);
	doupdate();
}

static void feed(struct pane *p, const char *s)
{
	pane_feed(p, s, strlen(s));
}

static void pair_of(int y, int x, int *fg, int *bg, attr_t *attr)
{
	wchar_t w[CCHARW_MAX];
	cchar_t c;
	short small;
	int pair = 0;

	mvin_wch(y, x, &c);
	getcchar(&c, w, attr, &small, &pair);
	extended_pair_content(pair, fg, bg);
}

static void test_text_and_colour(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);
	int cy, cx, fg, bg;
	attr_t attr;

	feed(p, "hello\r\n\x1b[31mred\x1b[0m \x1b[38;5;203mpalette\x1b[0m "
		"\x1b[38;2;255;95;95mtrue\x1b[0m "
		"\x1b[1;7mbold\x1b[0m");
	draw(e, p, &cy, &cx);
	assert_string_equal(row(0), "hello");
	assert_string_equal(row(1), "red palette true bold");
	assert_int_equal(cy, 1);
	assert_int_equal(cx, 21);
	pair_of(1, 0, &fg, &bg, &attr);
	assert_int_equal(fg, 1); /* an index stays an index */
	assert_int_equal(bg, -1);
	pair_of(1, 4, &fg, &bg, &attr);
	assert_int_equal(fg, 203);
	pair_of(1, 12, &fg, &bg, &attr);
	assert_int_equal(fg, 203); /* nearest of 16..255 */
	pair_of(1, 17, &fg, &bg, &attr);
	assert_true((attr & A_BOLD) && (attr & A_REVERSE));
	pane_free(p);
}

static void test_mono(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);
	int fg, bg;
	attr_t attr;

	paint_init(&e->paint, &e->theme, DEPTH_MONO, true);
	feed(p, "\x1b[31;42mx");
	draw(e, p, NULL, NULL);
	pair_of(0, 0, &fg, &bg, &attr);
	assert_int_equal(PAIR_NUMBER(attr), 0);
	paint_init(&e->paint, &e->theme, DEPTH_8, false);
	feed(p, "\x1b[H\x1b[0;91mx");
	draw(e, p, NULL, NULL);
	pair_of(0, 0, &fg, &bg, &attr);
	assert_int_equal(fg, 1); /* bright red of eight: red and bold */
	assert_true(attr & A_BOLD);
	paint_init(&e->paint, &e->theme, DEPTH_256, false);
	pane_free(p);
}

static void test_wide(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);

	feed(p, "\u6f22\u5b57|e\u0301|\u202e\u200b|");
	/* A wide character that does not fit at the edge of a narrower drawing. */
	feed(p, "\r\n\x1b[60G\u6f22");
	draw(e, p, NULL, NULL);
	assert_string_equal(row(0), "\u6f22\u5b57|e\u0301||");
	pane_resize(p, ROWS, 59);
	draw(e, p, NULL, NULL);
	pane_free(p);
}

/* Answers to questions of the guest, and keys, reach it only while the pane has the keys. */
static void test_replies(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);

	e->sent_len = 0;
	feed(p, "\x1b[c\x1b[6n\x1b[5n\x1bP$qm\x1b\\");
	pane_key(p, 'x');
	pane_key(p, KEY_MOD_CTRL | 'c');
	assert_int_equal(e->sent_len, 0);
	pane_set_keys(p, true);
	feed(p, "\x1b[6n");
	assert_int_equal(e->sent_len, 6);
	assert_memory_equal(e->sent, "\x1b[1;1R", 6);
	/* Titles, bells, clipboard writes end in the emulator. */
	feed(p, "\x1b]0;title\a\a\x1b]52;c;aGVsbG8=\a\x1b]2;t\x1b\\");
	assert_int_equal(e->sent_len, 6);
	pane_free(p);
}

static void test_keys(void **state)
{
	static const struct {
		console_key key;
		const char *bytes;
	} cases[] = {
		{'x', "x"},
		{0xe4, "\xc3\xa4"},
		{K_ENTER, "\r"},
		{K_ESC, "\x1b"},
		{K_BACKSPACE, "\x7f"},
		{K_TAB, "\t"},
		{K_BACKTAB, "\x1b[Z"},
		{K_UP, "\x1b[A"},
		{KEY_MOD_CTRL | K_RIGHT, "\x1b[1;5C"},
		{KEY_MOD_CTRL | 'c', "\x03"},
		{KEY_MOD_CTRL | ']', "\x1d"},
		{KEY_MOD_CTRL | 'z', "\x1a"},
		{K_PAGE_UP, "\x1b[5~"},
		{K_F0 + 1, "\x1bOP"},
		{K_F12, "\x1b[24~"},
	};
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);

	pane_set_keys(p, true);
	for (size_t i = 0; i < countof(cases); i++) {
		e->sent_len = 0;
		pane_key(p, cases[i].key);
		assert_int_equal(e->sent_len, strlen(cases[i].bytes));
		assert_memory_equal(e->sent, cases[i].bytes, e->sent_len);
	}
	/* Modes that the guest sets count. */
	feed(p, "\x1b[?1h\x1b[?2004h");
	e->sent_len = 0;
	pane_key(p, K_UP);
	pane_key(p, K_PASTE_BEGIN);
	assert_int_equal(e->sent_len, 9);
	assert_memory_equal(e->sent, "\x1bOA\x1b[200~", 9);
	pane_key(p, KEY_MOD_CTRL | ' ');
	assert_int_equal(e->sent_len, 10);
	pane_free(p);
}

/* A character that comes in pieces is one; one that is broken off is a wrong one. */
static void test_pieces(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);
	const char text[] = "a\xe4\xb8\xad\xc3\xa9\xf0\x9f\x98\x80z\r\nb\xe4\xb8\x1b[1mc\xe4";

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		pane_feed(p, text + i, 1);
	draw(e, p, NULL, NULL);
	assert_string_equal(row(0), "a\xe4\xb8\xad\xc3\xa9\xf0\x9f\x98\x80z");
	assert_int_equal(row(1)[0], 'b');
	assert_non_null(strchr(row(1), 'c'));
	pane_free(p);
}

static void test_scrollback(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);
	char line[32];
	int cy, cx;

	for (int i = 0; i < 3000; i++) {
		snprintf(line, sizeof(line), "line %d\r\n", i);
		feed(p, line);
	}
	draw(e, p, &cy, &cx);
	assert_string_equal(row(0), "line 2989");
	pane_scroll(p, -5);
	draw(e, p, &cy, &cx);
	assert_string_equal(row(0), "line 2984");
	assert_int_equal(cy, -1);
	/* New output does not move what is looked at. */
	feed(p, "line 3000\r\n");
	draw(e, p, &cy, &cx);
	assert_string_equal(row(0), "line 2984");
	pane_scroll(p, -100000);
	draw(e, p, &cy, &cx);
	assert_int_equal(pane_scrolled(p), 2990);
	pane_scroll_end(p);
	assert_int_equal(pane_scrolled(p), 0);
	/* Rows that come back at the top when the pane grows, and go when it shrinks. */
	pane_resize(p, ROWS - 4, COLS_);
	pane_resize(p, ROWS, COLS_);
	draw(e, p, &cy, &cx);
	assert_string_equal(row(ROWS - 2), "line 3000");
	pane_reset(p);
	draw(e, p, &cy, &cx);
	assert_string_equal(row(0), "");
	pane_free(p);
}

static void test_rules(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);
	int cy, cx;

	assert_int_equal(pane_rule(p, "12:00:00 boot"), 0);
	feed(p, "one\r\n/ # ");
	assert_int_equal(pane_rule(p, "daemon lost\x1b[31m"), 0);
	feed(p, "ls");
	draw(e, p, &cy, &cx);
	assert_memory_equal(row(0), "\u2500\u2500 12:00:00 boot \u2500\u2500", 26);
	assert_string_equal(row(1), "one");
	assert_non_null(strstr(row(2), " daemon lost?[31m \u2500"));
	/* The prompt stands below the rule, with the cursor where the guest left it. */
	assert_string_equal(row(3), "/ # ls");
	assert_int_equal(cy, 3);
	assert_int_equal(cx, 6);
	/* At the bottom everything else moves up. */
	for (int i = 0; i < 2 * ROWS; i++)
		feed(p, "\r\nfill");
	pane_rule(p, "end");
	draw(e, p, &cy, &cx);
	assert_string_equal(row(ROWS - 1), "fill");
	assert_non_null(strstr(row(ROWS - 2), " end "));
	assert_int_equal(cy, ROWS - 1);
	/* A half escape sequence does not swallow it. */
	feed(p, "\r\n\x1b[3");
	pane_rule(p, "cut");
	draw(e, p, &cy, &cx);
	assert_non_null(strstr(row(ROWS - 2), " cut "));
	/* A full-screen program is not disturbed; when it is gone the screen below is back. */
	feed(p, "\x1b[?1049h\x1b[2J\x1b[Hfull");
	assert_true(pane_rule(p, "no") < 0);
	pane_settle(p);
	assert_int_equal(pane_rule(p, "stopped"), 0);
	draw(e, p, &cy, &cx);
	assert_null(strstr(row(0), "full"));
	assert_non_null(strstr(row(ROWS - 2), " stopped "));
	/* Without one the last line stays where it is. */
	pane_reset(p);
	feed(p, "one\r\ntwo");
	pane_settle(p);
	pane_rule(p, "exit 0");
	draw(e, p, &cy, &cx);
	assert_string_equal(row(1), "two");
	assert_non_null(strstr(row(2), " exit 0 "));
	pane_free(p);
}

static void test_lines(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);

	pane_set_lines(p, true);
	feed(p, "a\nb\n" PANE_SGR_STDERR "err\n" PANE_SGR_PLAIN "c");
	draw(e, p, NULL, NULL);
	assert_string_equal(row(1), "b");
	assert_string_equal(row(2), "err");
	assert_string_equal(row(3), "c");
	pane_free(p);
}

/* REP and colours with colons, whole and in pieces: what libvterm can't take. */
static void test_guard(void **state)
{
	static const char bytes[] =
		"\x1b[5bx\x1b[3b\r\n\u6f22\x1b[2b\r\n\x1b[38:2::255:95:95mA\x1b[38:5:203mB"
		"\x1b[0;4:3mC\x1b[m\r\n\x1b]0;x\x1b[9b\x1b\\y\x1b[?2b\x1b[1;2b\x1b[2\rbz";
	struct env *e = *state;
	int fg, bg;
	attr_t attr;

	for (size_t step = 1; step <= sizeof(bytes); step++) {
		struct pane *p = pane_new(ROWS, COLS_, on_guest, e);

		for (size_t at = 0; at < sizeof(bytes) - 1; at += step)
			pane_feed(p, bytes + at, min_of(step, sizeof(bytes) - 1 - at));
		draw(e, p, NULL, NULL);
		assert_string_equal(row(0), "xxxx");
		assert_string_equal(row(1), "\u6f22\u6f22\u6f22");
		assert_string_equal(row(2), "ABC");
		pair_of(2, 0, &fg, &bg, &attr);
		assert_int_equal(fg, 203);
		pair_of(2, 1, &fg, &bg, &attr);
		assert_int_equal(fg, 203);
		pair_of(2, 2, &fg, &bg, &attr);
		assert_int_equal(fg, -1);
		assert_true(attr & A_UNDERLINE);
		pane_free(p);
	}
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* Bytes and escape sequences at random, between resizes, rules, scrolls and draws: nothing breaks,
 * the cursor stays inside. */
/* A guest that asks for the mouse gets it in its own encoding, and only while it has the keys. */
static void test_mouse(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);
	struct mouse_event press = {.button = MOUSE_LEFT, .pressed = true},
			   release = {.button = MOUSE_LEFT},
			   wheel = {.button = MOUSE_DOWN, .pressed = true};

	e->sent_len = 0;
	pane_set_keys(p, true);
	assert_false(pane_wants_mouse(p));
	feed(p, "\x1b[?1000h\x1b[?1006h");
	assert_true(pane_wants_mouse(p));
	pane_mouse(p, 2, 4, &press);
	pane_mouse(p, 2, 5, &release);
	pane_mouse(p, 1, 1, &wheel);
	assert_int_equal(e->sent_len, 9 + 9 + 10);
	assert_memory_equal(e->sent, "\x1b[<0;5;3M\x1b[<0;6;3m\x1b[<65;2;2M", e->sent_len);
	pane_set_keys(p, false);
	assert_false(pane_wants_mouse(p));
	pane_set_keys(p, true);
	pane_settle(p);
	assert_false(pane_wants_mouse(p));
	feed(p, "\x1b[?1002h");
	pane_reset(p);
	assert_false(pane_wants_mouse(p));
	/* Alt is an Esc before the character, whatever its number. */
	e->sent_len = 0;
	pane_key(p, KEY_MOD_ALT | 0x20ac);
	assert_int_equal(e->sent_len, 4);
	assert_memory_equal(e->sent, "\x1b\xe2\x82\xac", 4);
	pane_free(p);
}

/* More parameters than the emulator has room for: colours all count, of others the first ones. */
static void test_guard_params(void **state)
{
	struct env *e = *state;
	struct pane *p = pane_new(ROWS, COLS_, on_guest, e);
	int fg, bg;
	attr_t attr;

	feed(p, "\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;38;2;255;95;95;1;1;1;1;1;1;48;5;1mA\x1b[m");
	feed(p, "\x1b[2;3;4;5;6;7;8;9;1;2;3;4;5;6;7;8;9;9;9;9;9;9;9;9;9;9;9;9;9;9;9;9;9;9;9;9;9HB");
	feed(p, "\x1b[1;1:1;1;1;1;1;1;1;1:1;1;1;1;1;1;1;1;1;1;;mC\x1b[;;;;;;;;;;;;;;;;;;;;;;;;;;;;"
		"mD");
	draw(e, p, NULL, NULL);
	assert_string_equal(row(0), "A");
	pair_of(0, 0, &fg, &bg, &attr);
	assert_int_equal(fg, 203);
	assert_int_equal(bg, 1);
	assert_string_equal(row(1), "  BCD");
	pair_of(1, 4, &fg, &bg, &attr);
	assert_false(attr & A_BOLD);
	pane_free(p);
}

static void test_fuzz(void **state)
{
	static const char *const seqs[] = {"\x1b[", "\x1b]", "\x1bP", "\x1b#8", "\x1b[?1049h",
		"\x1b[?1049l", "\x1b[2;5r", "\x1b[r", "\x1b[999;999H", "\x1b[99L", "\x1b[99M",
		"\x1b[99@", "\x1b[99P", "\x1b[99X", "\x1b[99S", "\x1b[99T", "\x1b[?6h",
		"\x1b[?69h\x1b[3;7s", "\x1b#6", "\x1b#3", "\x1b[4h", "\x1b[99b", "\x1b[38;2;1;2;3m",
		"\x1b[38:2::1:2:3m", "\x1bM",
		"\x1b"
		"D",
		"\x1b"
		"c",
		"\x1b[!p", "\u6f22", "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301", "\xff\xfe",
		"\r\n", "\x1b[?3h", "\x1b[J", "\x1b[1J", "\x1b[2K", "\t\x1b[I\x1b[Z", "\x1b[99d",
		"\x1b[99e", "\x1b(0qqq\x1b(B", "\x0e\x0f", "\x1bN", "\x1b[19m"};
	struct env *e = *state;
	const char *rounds = getenv("PANE_FUZZ_ROUNDS");
	uint64_t seed = 20260101;

	for (int round = 0; round < (rounds ? atoi(rounds) : 40); round++) {
		struct pane *p = pane_new(2 + (int)(next_random(&seed) % 30),
			4 + (int)(next_random(&seed) % 90), on_guest, e);

		pane_set_keys(p, true);
		for (int i = 0; i < 400; i++) {
			char junk[64];
			size_t n = next_random(&seed) % sizeof(junk);
			int cy, cx;

			e->sent_len = 0;
			switch (next_random(&seed) % 12) {
			case 0:
				pane_resize(p, (int)(next_random(&seed) % 40),
					(int)(next_random(&seed) % 120));
				break;
			case 1:
				(void)pane_rule(p, "a rule \u6f22");
				break;
			case 2:
				pane_scroll(p, (int)(next_random(&seed) % 50) - 25);
				break;
			case 3:
				pane_settle(p);
				break;
			case 4:
				draw(e, p, &cy, &cx);
				assert_in_range(cy + 1, 0, ROWS);
				assert_in_range(cx + 1, 0, COLS_);
				break;
			case 5:
				pane_key(p, (console_key)next_random(&seed));
				break;
			case 6:
				for (size_t j = 0; j < n; j++)
					junk[j] = (char)next_random(&seed);
				pane_feed(p, junk, n);
				break;
			default:
				feed(p, seqs[next_random(&seed) % countof(seqs)]);
				feed(p, "abc");
			}
		}
		draw(e, p, NULL, NULL);
		pane_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_colour),
		cmocka_unit_test(test_mono),
		cmocka_unit_test(test_wide),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_scrollback),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_guard_params),
		cmocka_unit_test(test_mouse),
		cmocka_unit_test(test_fuzz),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
