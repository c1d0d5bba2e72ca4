/* Copy mode over the pane: keys from the table of actions, a search that leaves the loop turning.
 */
#include "tui/console/copy_mode.h"

#include <string.h>

#include "tui/console/app.h"
#include "tui/console/clip.h"

#define TEXT_MAX (64u << 20)

struct copy_mode {
	struct layer layer;
	struct copy *copy;
	ev_idle search;
	bool back; /* what the prompt asks for */
};

static void search_end(struct app *a, struct copy_mode *m)
{
	ev_idle_stop(a->loop, &m->search);
	copy_search_stop(m->copy);
}

static void on_search(struct ev_loop *loop, ev_idle *w, int revents)
{
	struct app *a = w->data;
	struct copy_mode *m = a->copy;
	int percent = copy_searched(m->copy);
	enum copy_found found;

	(void)loop;
	(void)revents;
	if (!copy_valid(m->copy)) {
		search_end(a, m);
		app_dirty(a);
		return;
	}
	found = copy_search_step(m->copy);
	if (found == COPY_SEARCHING && copy_searched(m->copy) == percent)
		return;
	app_dirty(a);
	if (found == COPY_SEARCHING)
		return;
	search_end(a, m);
	if (found == COPY_NOT_FOUND)
		app_notice(a, NOTICE_WARN, "not found in any line that is kept");
}

/* ---- what the actions do -----------------------------------------------------------------------
 */

void copy_mode_leave(struct app *a)
{
	/* Its layer is the top one: prompts over it take their keys themselves. */
	if (a->copy && a->top == &a->copy->layer)
		app_pop(a);
}

void copy_mode_move(struct app *a, enum copy_move move)
{
	if (a->copy)
		copy_move(a->copy->copy, move, window_inside(a, windows_current(a)).h);
}

void copy_mode_select(struct app *a, enum copy_select kind)
{
	if (a->copy)
		copy_select(a->copy->copy, kind);
}

void copy_mode_take(struct app *a)
{
	struct copy_mode *m = a->copy;
	autofree char *text = NULL;
	char what[80];
	size_t n, lines = 0;
	bool cut;

	if (!m)
		return;
	text = copy_text(m->copy, TEXT_MAX, &n, &cut);
	for (size_t i = 0; i < n; i++)
		lines += text[i] == '\n' || i == n - 1;
	snprintf(what, sizeof(what), "%zu line%s%s", lines, lines == 1 ? "" : "s",
		cut ? " (the rest is too much)" : "");
	copy_mode_leave(a);
	if (n == 0)
		app_notice(a, NOTICE_WARN, "nothing to copy: the selection has no text");
	else
		clip_copy(a, text, n, what);
}

static void search_begin(struct app *a, struct copy_mode *m)
{
	ev_idle_init(&m->search, on_search);
	m->search.data = a;
	ev_idle_start(a->loop, &m->search);
	app_dirty(a);
}

static void on_pattern(struct app *a, const char *text, bool accepted)
{
	struct copy_mode *m = a->copy;
	struct err e = {0};

	if (!accepted || !m)
		return;
	search_end(a, m);
	if (!*text)
		copy_mode_again(a, false);
	else if (copy_search(m->copy, text, m->back, &e) < 0)
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
	else
		search_begin(a, m);
}

static void on_line(struct app *a, const char *text, bool accepted)
{
	if (accepted && a->copy && *text && !text[strspn(text, "0123456789")])
		copy_goto(a->copy->copy, strtoull(text, NULL, 10));
	else if (accepted && *text)
		app_notice(a, NOTICE_ERROR, "'%.40s' is no line number", text);
}

void copy_mode_ask(struct app *a, bool back)
{
	static const struct prompt_ops ops = {.done = on_pattern};

	if (!a->copy)
		return;
	a->copy->back = back;
	prompt_open(a, back ? "?" : "/", "", &ops, &a->searches);
}

void copy_mode_goto(struct app *a)
{
	static const struct prompt_ops ops = {.done = on_line};

	if (a->copy)
		prompt_open(a, "line: ", "", &ops, NULL);
}

void copy_mode_again(struct app *a, bool turn)
{
	if (!a->copy)
		return;
	search_end(a, a->copy);
	if (copy_search_again(a->copy->copy, turn))
		search_begin(a, a->copy);
	else
		app_notice(a, NOTICE_WARN, "nothing was searched for yet: / does");
}

/* ---- the layer ---------------------------------------------------------------------------------
 */

static void key(struct app *a, struct layer *l, console_key k)
{
	struct copy_mode *m = container_of(l, struct copy_mode, layer);
	enum action act = action_by_key(CONTEXT_COPY, k);
	char name[24];

	if (!copy_valid(m->copy)) {
		copy_mode_leave(a);
		app_notice(a, NOTICE_WARN, "the pane was emptied: copy mode has ended");
	} else if (copy_searched(m->copy) >= 0 && (k == K_ESC || k == (KEY_MOD_CTRL | 'c'))) {
		search_end(a, m);
		app_notice(a, NOTICE_INFO, "search stopped");
	} else if (act != ACT_NONE) {
		action_run(a, act, "");
	} else {
		app_notice(a, NOTICE_INFO, "%s does nothing in copy mode; q leaves it",
			key_text(name, sizeof(name), k));
	}
}

static const char *select_word(enum copy_select s)
{
	return s == COPY_SELECT_CHARS   ? " SELECT"
	       : s == COPY_SELECT_LINES ? " SELECT LINES"
	       : s == COPY_SELECT_BLOCK ? " SELECT BLOCK"
					: "";
}

static void draw_bar(struct app *a, struct copy_mode *m)
{
	struct pen pen = pen_at(&a->paint, a->layout.hints);
	struct copy_status s = copy_status(m->copy);
	int percent = copy_searched(m->copy);

	pen_printf(&pen, ROLE_BORDER_ATTACHED, " COPY%s ", select_word(s.select));
	pen_printf(&pen, ROLE_MENU_TEXT, " line %llu of %llu", (unsigned long long)s.line,
		(unsigned long long)s.lines);
	if (s.below)
		pen_printf(&pen, ROLE_MENU_TEXT, ", %llu new below", (unsigned long long)s.below);
	if (s.dropped)
		pen_printf(&pen, ROLE_NOTICE_WARN, ", %llu older ones dropped",
			(unsigned long long)s.dropped);
	if (percent >= 0)
		pen_printf(&pen, ROLE_WAIT, "  searched %d %%, Esc stops", percent);
	else
		pen_put(&pen, ROLE_MENU_TEXT, "   v V C-v select  y copy  / ? search  q leave");
	pen_rest(&pen, ROLE_MENU_TEXT);
}

static void draw(struct app *a, struct layer *l)
{
	struct copy_mode *m = container_of(l, struct copy_mode, layer);
	int cy, cx;

	if (!copy_valid(m->copy))
		return;
	copy_draw(m->copy, &a->paint, window_inside(a, windows_current(a)), &cy, &cx);
	if (!a->layout.shared || !a->notice.text[0])
		draw_bar(a, m);
	app_cursor(a, cy, cx);
}

static void layer_free(struct layer *l)
{
	struct copy_mode *m = container_of(l, struct copy_mode, layer);
	struct app *a = m->search.data;

	search_end(a, m);
	a->copy = NULL;
	copy_free(m->copy);
	free(m);
}

static const struct layer_ops ops = {key, draw, layer_free};

void copy_mode_open(struct app *a)
{
	struct deck *d = app_deck(a);
	struct pane *p = d ? d->tab[d->shown].pane : NULL;
	struct copy_mode *m;

	if (!p) {
		app_notice(
			a, NOTICE_WARN, "copy: this tab is no terminal: there are no lines in it");
		return;
	}
	if (a->copy)
		return;
	m = xcalloc(1, sizeof(*m));
	m->layer.ops = &ops;
	m->copy = copy_new(p);
	ev_idle_init(&m->search, on_search);
	m->search.data = a;
	a->copy = m;
	app_push(a, &m->layer);
}
