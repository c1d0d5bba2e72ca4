/* The emulator behind a pane, and what goes in and out of it. */
#include "tui/console/pane.h"

#include <errno.h>
#include <string.h>

#include "tui/console/pane_impl.h"

static int on_damage(VTermRect rect, void *user)
{
	struct pane *p = user;

	(void)rect;
	p->changed = true;
	return 1;
}

static int on_moverect(VTermRect dest, VTermRect src, void *user)
{
	(void)src;
	return on_damage(dest, user);
}

static int on_movecursor(VTermPos pos, VTermPos old, int visible, void *user)
{
	struct pane *p = user;

	(void)old;
	(void)visible;
	p->cursor = pos;
	p->changed = true;
	return 1;
}

/* Titles and icon names are ignored: they are the guest's, not this console's. */
static int on_settermprop(VTermProp prop, VTermValue *val, void *user)
{
	struct pane *p = user;

	if (prop == VTERM_PROP_CURSORVISIBLE)
		p->cursor_visible = val->boolean;
	else if (prop == VTERM_PROP_ALTSCREEN)
		p->altscreen = val->boolean;
	p->changed = true;
	return 1;
}

static int on_pushline(int cols, const VTermScreenCell *cells, void *user)
{
	struct pane *p = user;

	scrollback_push(&p->sb, cells, cols);
	/* A view that is scrolled back stays on the text it shows. */
	if (p->scrolled > 0)
		p->scrolled = min_of(p->scrolled + 1, p->sb.count);
	return 1;
}

static int on_popline(int cols, VTermScreenCell *cells, void *user)
{
	struct pane *p = user;
	VTermScreenCell blank = {.width = 1};

	vterm_state_get_default_colors(vterm_obtain_state(p->vt), &blank.fg, &blank.bg);
	if (!scrollback_pop(&p->sb, cells, cols, &blank))
		return 0;
	p->scrolled = min_of(p->scrolled, p->sb.count);
	return 1;
}

static const VTermScreenCallbacks screen_callbacks = {
	.damage = on_damage,
	.moverect = on_moverect,
	.movecursor = on_movecursor,
	.settermprop = on_settermprop,
	.sb_pushline = on_pushline,
	.sb_popline = on_popline,
};

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

	p->to_guest = fn;
	p->user = user;
	p->cursor_visible = true;
	p->vt = vterm_new(clamp_rows(rows), clamp_cols(cols));
	if (!p->vt)
		abort();
	p->screen = vterm_obtain_screen(p->vt);
	vterm_set_utf8(p->vt, 1);
	vterm_output_set_callback(p->vt, on_output, p);
	vterm_screen_set_callbacks(p->screen, &screen_callbacks, p);
	vterm_screen_set_damage_merge(p->screen, VTERM_DAMAGE_SCREEN);
	vterm_screen_enable_altscreen(p->screen, 1);
	vterm_screen_reset(p->screen, 1);
	return p;
}

void pane_free(struct pane *p)
{
	if (!p)
		return;
	vterm_free(p->vt);
	scrollback_fini(&p->sb);
	free(p);
}

void pane_set_keys(struct pane *p, bool on)
{
	p->keys = on;
}

void pane_size(const struct pane *p, int *rows, int *cols)
{
	vterm_get_size(p->vt, rows, cols);
}

void pane_resize(struct pane *p, int rows, int cols)
{
	int old_rows, old_cols;

	rows = clamp_rows(rows);
	cols = clamp_cols(cols);
	vterm_get_size(p->vt, &old_rows, &old_cols);
	if (rows == old_rows && cols == old_cols)
		return;
	vterm_set_size(p->vt, rows, cols);
	vterm_screen_flush_damage(p->screen);
	vterm_state_get_cursorpos(vterm_obtain_state(p->vt), &p->cursor);
	p->changed = true;
}

void pane_feed(struct pane *p, const void *bytes, size_t n)
{
	vterm_input_write(p->vt, bytes, n);
	vterm_screen_flush_damage(p->screen);
}

static void pane_say(struct pane *p, const char *s)
{
	vterm_input_write(p->vt, s, strlen(s));
}

void pane_set_lines(struct pane *p, bool on)
{
	pane_say(p, on ? "\x1b[20h" : "\x1b[20l");
}

int pane_rule(struct pane *p, const char *text)
{
	char seq[64], line[PANE_COLS_MAX * 4 + 1];
	VTermPos at;
	int rows, cols;
	size_t n = 0;

	if (p->altscreen)
		return -EBUSY;
	pane_say(p, PANE_CANCEL);
	vterm_get_size(p->vt, &rows, &cols);
	vterm_state_get_cursorpos(vterm_obtain_state(p->vt), &at);
	/* Make room: the line the cursor is in moves down by one, at the bottom everything else
	 * moves up, so nothing of what the guest wrote is lost and its cursor stays where it was
	 * in its line. */
	pane_say(p, at.row == rows - 1 ? "\r\n\x1b[A\x1b[L" : "\r\x1b[L");
	if (at.row == rows - 1)
		at.row--;
	for (int used = 0; *text && used < cols - 4;) {
		uint32_t cp;
		int len = utf8_get(text, strlen(text), &cp);

		n += (size_t)utf8_put(line + n, cp < 0x20 || (cp >= 0x7f && cp < 0xa0) ? '?' : cp);
		text += len;
		/* Two columns for everything outside of Latin: cut early rather than wrap. */
		used += cp < 0x300 ? 1 : 2;
	}
	line[n] = '\0';
	snprintf(seq, sizeof(seq), "%s\x1b[%dG", PANE_SGR_RULE, PANE_RULE_INDENT + 1);
	pane_say(p, seq);
	pane_say(p, line);
	snprintf(seq, sizeof(seq), "%s\x1b[%d;%dH", PANE_SGR_PLAIN, at.row + 2, at.col + 1);
	pane_say(p, seq);
	vterm_screen_flush_damage(p->screen);
	p->changed = true;
	return 0;
}

void pane_settle(struct pane *p)
{
	pane_say(p, PANE_CANCEL "\x1b[?1049l\x1b[?1l\x1b>\x1b[?25h\x1b[?2004l\x1b[?6l\x1b[?7h\x1b[4l"
				"\x1b(B\x0f\x1b[m");
	if (!p->altscreen) {
		int rows, cols;
		char seq[32];
		VTermPos at;

		/* Setting the margins moves the cursor home: put it back. */
		vterm_get_size(p->vt, &rows, &cols);
		vterm_state_get_cursorpos(vterm_obtain_state(p->vt), &at);
		snprintf(seq, sizeof(seq), "\x1b[r\x1b[%d;%dH", at.row + 1, at.col + 1);
		pane_say(p, seq);
		if (at.col > 0)
			pane_say(p, "\r\n");
	}
	vterm_screen_flush_damage(p->screen);
	p->changed = true;
}

void pane_reset(struct pane *p)
{
	scrollback_fini(&p->sb);
	p->scrolled = 0;
	vterm_screen_reset(p->screen, 1);
	p->altscreen = false;
	p->cursor = (VTermPos){0, 0};
	p->cursor_visible = true;
	p->changed = true;
}

bool pane_take_changed(struct pane *p)
{
	bool changed = p->changed;

	p->changed = false;
	return changed;
}

int pane_scrolled(const struct pane *p)
{
	return p->scrolled;
}

void pane_scroll(struct pane *p, int lines)
{
	int to = max_of(0, min_of(p->scrolled - lines, p->altscreen ? 0 : p->sb.count));

	p->changed = p->changed || to != p->scrolled;
	p->scrolled = to;
}

void pane_scroll_top(struct pane *p)
{
	pane_scroll(p, -SCROLLBACK_LINES);
}

void pane_scroll_end(struct pane *p)
{
	pane_scroll(p, SCROLLBACK_LINES);
}
