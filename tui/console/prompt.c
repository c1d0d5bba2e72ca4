/* One line at the bottom that is typed into: filter, command, exec. With history. */
#include <string.h>

#include "tui/console/app.h"

struct prompt {
	struct layer layer;
	char label[96];
	char hint[200];
	struct edit edit;
	const struct prompt_ops *ops;
	struct history *history; /* NULL: none */
	int back;                /* 0: the line typed; n: the n-th newest */
	char typed[EDIT_MAX];
};

static void prompt_recall(struct prompt *p, int step)
{
	int to = p->back + step;

	if (!p->history || to < 0 || to > p->history->count)
		return;
	if (p->back == 0)
		snprintf(p->typed, sizeof(p->typed), "%s", p->edit.text);
	p->back = to;
	edit_set(&p->edit, to ? p->history->line[p->history->count - to] : p->typed);
}

static void prompt_end(struct app *a, struct prompt *p, bool accepted)
{
	const struct prompt_ops *ops = p->ops;
	char text[EDIT_MAX];

	snprintf(text, sizeof(text), "%s", p->edit.text);
	if (accepted && p->history)
		history_add(p->history, text);
	app_pop(a);
	ops->done(a, text, accepted);
}

static void prompt_key(struct app *a, struct layer *l, console_key k)
{
	struct prompt *p = (struct prompt *)l;

	p->hint[0] = '\0';
	switch (k) {
	case K_ENTER:
		prompt_end(a, p, true);
		return;
	case K_ESC:
	case KEY_MOD_CTRL | 'c':
	case KEY_MOD_CTRL | 'g':
		prompt_end(a, p, false);
		return;
	case K_UP:
	case KEY_MOD_CTRL | 'p':
		prompt_recall(p, 1);
		break;
	case K_DOWN:
	case KEY_MOD_CTRL | 'n':
		prompt_recall(p, -1);
		break;
	case K_TAB:
		if (p->ops->complete)
			p->ops->complete(a, &p->edit, p->hint, sizeof(p->hint));
		break;
	case K_BACKSPACE:
		/* Deleting the prompt itself leaves it, as in vi. */
		if (p->edit.len == 0) {
			prompt_end(a, p, false);
			return;
		}
		/* fallthrough */
	default:
		edit_key(&p->edit, k);
	}
	if (p->ops->change)
		p->ops->change(a, p->edit.text);
}

static void prompt_draw(struct app *a, struct layer *l)
{
	struct prompt *p = (struct prompt *)l;
	struct pen pen = pen_at(&a->paint, a->layout.hints);
	char before[EDIT_MAX];
	const char *shown = p->edit.text;
	size_t at = p->edit.at;
	int room;

	pen_printf(&pen, ROLE_PROMPT, "%s", p->label);
	room = pen.end - pen.x - 1;
	/* A line longer than the room shows the part around the cursor. */
	snprintf(before, sizeof(before), "%.*s", (int)at, shown);
	while (text_columns(before) > room && *shown) {
		uint32_t cp;
		int n = utf8_get(shown, strlen(shown), &cp);

		shown += n;
		at -= (size_t)n;
		snprintf(before, sizeof(before), "%.*s", (int)at, shown);
	}
	app_cursor(a, pen.y, min_of(pen.x + text_columns(before), pen.end - 1));
	pen_put(&pen, ROLE_TEXT, shown);
	if (p->hint[0])
		pen_printf(&pen, ROLE_PROMPT_HINT, "   %s", p->hint);
	pen_rest(&pen, ROLE_TEXT);
}

static void prompt_free(struct layer *l)
{
	free(l);
}

static const struct layer_ops prompt_layer = {prompt_key, prompt_draw, prompt_free};

bool prompt_hint(struct app *a, const char *text)
{
	if (!a->top || a->top->ops != &prompt_layer)
		return false;
	snprintf(((struct prompt *)a->top)->hint, sizeof(((struct prompt *)a->top)->hint), "%s",
		text);
	return true;
}

void prompt_open(struct app *a, const char *label, const char *text, const struct prompt_ops *ops,
	struct history *history)
{
	struct prompt *p = xcalloc(1, sizeof(*p));

	p->layer.ops = &prompt_layer;
	p->ops = ops;
	p->history = history;
	snprintf(p->label, sizeof(p->label), "%s", label);
	edit_set(&p->edit, text);
	app_push(a, &p->layer);
}
