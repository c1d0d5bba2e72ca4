/* The emulator behind a pane, and what goes in and out of it. */
#include "tui/console/pane.h"

#include <errno.h>
#include <string.h>

#include "tui/console/pane_impl.h"

static void on_output(const char *s, size_t len, void *user)
{
	struct pane *p = user;

	if (p->keys && p->to_guest)
		p->to_guest(p->user, s, len);
}

static int clamp_rows(int rows)
{
	return max_of(PANE_ROWS_MIN, min_of(rows, PANE_ROWS_MAX));
}

static int clamp_cols(int cols)
{
	return max_of(PANE_COLS_MIN, min_of(cols, PANE_COLS_MAX));
}

struct pane *pane_new(int rows, int cols, pane_to_guest *fn, void *user)
{
	struct pane *p = xcalloc(1, sizeof(*p));
	VTermState *state;

	rows = clamp_rows(rows);
	cols = clamp_cols(cols);
	p->to_guest = fn;
	p->user = user;
	p->vt = vterm_new(rows, cols);
	if (!p->vt)
		abort();
	grid_init(&p->term.grid, rows, cols);
	p->term.cursor_visible = true;
	vterm_set_utf8(p->vt, 1);
	vterm_output_set_callback(p->vt, on_output, p);
	state = vterm_obtain_state(p->vt);
	vterm_state_set_callbacks(state, &grid_callbacks, &p->term);
	vterm_state_reset(state, 1);
	return p;
}

void pane_free(struct pane *p)
{
	if (!p)
		return;
	vterm_free(p->vt);
	grid_fini(&p->term.grid);
	signs_fini(&p->signs);
	free(p);
}

struct signs *pane_signs(struct pane *p)
{
	return &p->signs;
}

void pane_set_scrollback(struct pane *p, int lines)
{
	p->term.grid.lines_max = (uint64_t)lines;
	if (p->term.grid.back)
		scroll_store_limit(p->term.grid.back, (uint64_t)lines);
	p->term.grid.view = min_of(p->term.grid.view, grid_kept(&p->term.grid));
}

void pane_set_keys(struct pane *p, bool on)
{
	p->keys = on;
}

static void pane_say(struct pane *p, const char *s)
{
	vterm_input_write(p->vt, s, strlen(s));
}

/* What the guest has written by half must not swallow what we say next. */
static void pane_cancel(struct pane *p)
{
	guard_reset(&p->guard);
	pane_say(p, "\x18");
}

static VTermPos cursor_of(const struct pane *p)
{
	VTermPos at;

	vterm_state_get_cursorpos(vterm_obtain_state(p->vt), &at);
	return at;
}

static void move_to(struct pane *p, int row, int col)
{
	char seq[32];

	snprintf(seq, sizeof(seq), "\x1b[%d;%dH", max_of(row, 0) + 1, max_of(col, 0) + 1);
	pane_say(p, seq);
}

void pane_resize(struct pane *p, int rows, int cols)
{
	struct grid *g = &p->term.grid;
	VTermPos at = cursor_of(p);

	rows = clamp_rows(rows);
	cols = clamp_cols(cols);
	if (rows == g->rows && cols == g->cols)
		return;
	/* Margins go, as in other terminals: libvterm would keep ones that lie outside. */
	if (rows < g->rows || cols < g->cols) {
		pane_say(p, "\x1b[?6l\x1b[r\x1b[?69l");
		move_to(p, at.row, at.col);
	}
	vterm_set_size(p->vt, rows, cols);
	p->term.cursor = cursor_of(p);
	p->term.changed = true;
}

static void on_guarded(void *user, const char *bytes, size_t n)
{
	struct pane *p = user;

	vterm_input_write(p->vt, bytes, n);
}

void pane_feed(struct pane *p, const void *bytes, size_t n)
{
	if (p->signs.want)
		signs_feed(&p->signs, bytes, n);
	guard_feed(&p->guard, bytes, n, p->term.grid.cols, on_guarded, p);
}

void pane_set_lines(struct pane *p, bool on)
{
	p->lines = on;
	pane_say(p, on ? "\x1b[20h" : "\x1b[20l");
}

/* Our text without controls, at most cols columns (two for everything outside of Latin: rather
 * cut early than wrap). out: 4 bytes a column and an end. */
static void rule_text(char *out, const char *text, int cols)
{
	size_t n = 0;

	for (int used = 0; *text && used < cols;) {
		uint32_t cp;

		text += utf8_get(text, strlen(text), &cp);
		n += (size_t)utf8_put(out + n, cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ? '?' : cp);
		used += cp < 0x300 ? 1 : 2;
	}
	out[n] = '\0';
}

int pane_rule(struct pane *p, const char *text)
{
	char line[PANE_COLS_MAX * 4 + 1], seq[32];
	int rows = p->term.grid.rows;
	VTermPos at;

	if (p->term.grid.alternate)
		return -EBUSY;
	pane_cancel(p);
	at = cursor_of(p);
	/* Make room: the line the cursor is in moves down by one, at the bottom everything else
	 * moves up, so nothing of what the guest wrote is lost and its cursor stays where it was
	 * in its line. */
	pane_say(p, at.row == rows - 1 ? "\r\n\x1b[A\x1b[L" : "\r\x1b[L");
	if (at.row == rows - 1)
		at.row--;
	rule_text(line, text, p->term.grid.cols - PANE_RULE_INDENT - 2);
	snprintf(seq, sizeof(seq), "%s\x1b[%dG", PANE_SGR_RULE, PANE_RULE_INDENT + 1);
	pane_say(p, seq);
	pane_say(p, line);
	pane_say(p, PANE_SGR_PLAIN);
	move_to(p, at.row + 1, at.col);
	return 0;
}

void pane_settle(struct pane *p)
{
	VTermPos at;

	pane_cancel(p);
	p->signs.title[0] = '\0';
	/* Back to where the full-screen program found the cursor; without one it stays. */
	if (p->term.grid.alternate)
		pane_say(p, "\x1b[?1049l");
	/* Margins and origin mode move the cursor home: it is put back. */
	at = cursor_of(p);
	pane_say(p, "\x1b[?1l\x1b>\x1b[?25h\x1b[?1000l\x1b[?2004l\x1b[?7h\x1b[4l\x1b(B\x0f\x1b[m"
		    "\x1b[?6l\x1b[?69l\x1b[r");
	move_to(p, at.row, at.col);
	if (at.col > 0)
		pane_say(p, "\r\n");
}

void pane_reset(struct pane *p)
{
	grid_reset(&p->term.grid);
	pane_cancel(p);
	signs_reset(&p->signs);
	vterm_state_reset(vterm_obtain_state(p->vt), 1);
	p->term.cursor = cursor_of(p);
	p->term.cursor_visible = true;
	p->term.mouse = VTERM_PROP_MOUSE_NONE;
	p->term.changed = true;
}

bool pane_take_changed(struct pane *p)
{
	bool changed = p->term.changed;

	p->term.changed = false;
	return changed;
}

const char *pane_trouble(struct pane *p)
{
	return scroll_store_trouble(p->term.grid.back);
}

int pane_scrolled(const struct pane *p)
{
	return p->term.grid.view;
}

void pane_scroll(struct pane *p, int lines)
{
	struct grid *g = &p->term.grid;
	int to = max_of(0, min_of(g->view - lines, g->alternate ? 0 : grid_kept(g)));

	p->term.changed = p->term.changed || to != g->view;
	g->view = to;
}

void pane_scroll_end(struct pane *p)
{
	pane_scroll(p, (int)SCROLL_LINES);
}
