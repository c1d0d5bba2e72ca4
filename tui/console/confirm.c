/* Questions: one line answered by y for what can be undone or waited for, a dialog whose default is
 * No for what destroys. */
#include <string.h>

#include "tui/console/app.h"

struct confirm {
	struct layer layer;
	bool danger;
	bool on_yes; /* the focused button */
	char question[200], detail[200], subject[64];
	void (*yes)(struct app *a, const char *subject);
};

static void confirm_end(struct app *a, struct confirm *c, bool yes)
{
	void (*fn)(struct app * a, const char *subject) = c->yes;
	char subject[64];

	snprintf(subject, sizeof(subject), "%s", c->subject);
	app_pop(a);
	if (yes)
		fn(a, subject);
}

static void confirm_key(struct app *a, struct layer *l, console_key k)
{
	struct confirm *c = (struct confirm *)l;

	switch (k) {
	case 'y':
	case 'Y':
		confirm_end(a, c, true);
		break;
	case 'n':
	case 'N':
	case 'q':
	case K_ESC:
	case KEY_MOD_CTRL | 'c':
		confirm_end(a, c, false);
		break;
	case K_ENTER:
		confirm_end(a, c, c->danger && c->on_yes);
		break;
	case K_LEFT:
	case K_RIGHT:
	case K_TAB:
	case K_BACKTAB:
	case 'h':
	case 'l':
		c->on_yes = !c->on_yes;
		break;
	default:
		/* One line: any other key is a no. A dialog waits for an answer. */
		if (!c->danger)
			confirm_end(a, c, false);
	}
}

static void draw_line(struct app *a, struct confirm *c)
{
	struct pen pen = pen_at(&a->paint, a->layout.hints);

	pen_printf(&pen, ROLE_PROMPT, " %s ", c->question);
	pen_put(&pen, ROLE_MENU_KEY, " y");
	pen_put(&pen, ROLE_TEXT, " yes   any other key: no ");
	app_cursor(a, pen.y, min_of(pen.x, pen.end - 1));
	pen_rest(&pen, ROLE_TEXT);
}

static void draw_button(struct pen *pen, const char *text, bool focus)
{
	/* Brackets say which one Enter presses, also without colour. */
	pen_printf(pen, focus ? ROLE_BUTTON_FOCUS : ROLE_BUTTON, focus ? "[ %s ]" : "  %s  ", text);
	pen_put(pen, ROLE_DIALOG, "  ");
}

static void draw_box(struct app *a, struct confirm *c)
{
	int w = max_of(text_columns(c->question), text_columns(c->detail)) + 6;
	struct rect r = layout_center(a->rows, a->cols, 7, max_of(w, 34));
	struct rect in = {r.y + 2, r.x + 3, 1, max_of(r.w - 5, 0)};
	struct pen pen = pen_at(&a->paint, in);

	paint_box(&a->paint, r, ROLE_DIALOG_DANGER, ROLE_DIALOG);
	pen_put(&pen, ROLE_DIALOG, c->question);
	in.y++;
	pen = pen_at(&a->paint, in);
	pen_put(&pen, ROLE_DIALOG_HINT, c->detail);
	in.y = r.y + r.h - 2;
	pen = pen_at(&a->paint, in);
	draw_button(&pen, "No", !c->on_yes);
	app_cursor(a, in.y, min_of(in.x + (c->on_yes ? 10 : 2), in.x + in.w));
	draw_button(&pen, "Yes (y)", c->on_yes);
}

static void confirm_draw(struct app *a, struct layer *l)
{
	struct confirm *c = (struct confirm *)l;

	if (c->danger)
		draw_box(a, c);
	else
		draw_line(a, c);
}

static void confirm_free(struct layer *l)
{
	free(l);
}

static const struct layer_ops confirm_layer = {confirm_key, confirm_draw, confirm_free};

void confirm_open(struct app *a, bool danger, const char *question, const char *detail,
	const char *subject, void (*yes)(struct app *a, const char *subject))
{
	struct confirm *c = xcalloc(1, sizeof(*c));

	c->layer.ops = &confirm_layer;
	c->danger = danger;
	c->yes = yes;
	snprintf(c->question, sizeof(c->question), "%s", question);
	snprintf(c->detail, sizeof(c->detail), "%s", detail);
	snprintf(c->subject, sizeof(c->subject), "%s", subject);
	app_push(a, &c->layer);
}
