/* `?`: every key with what it does, from the table of actions. */
#include <string.h>

#include "tui/console/app.h"
#include "tui/console/keymap.h"

struct help_line {
	enum { HELP_BLANK, HELP_TITLE, HELP_ACTION, HELP_TEXT } kind;
	enum action action;
	const char *text;
};

#define HELP_LINES_MAX (ACT__COUNT + 40)

struct help {
	struct layer layer;
	struct help_line line[HELP_LINES_MAX];
	int count;
	struct list scroll;
	char windows[64], guest[80], literal[120]; /* texts that name keys */
};

static void add(struct help *h, int kind, enum action act, const char *text)
{
	if (h->count < HELP_LINES_MAX)
		h->line[h->count++] = (struct help_line){kind, act, text};
}

static void add_actions(struct help *h, const char *title, unsigned contexts, unsigned flags)
{
	add(h, HELP_TITLE, ACT_NONE, title);
	for (int i = 0; i < ACT__COUNT; i++) {
		bool wanted = action_table[i].flags & (ACTION_HINT | ACTION_ARG | ACTION_DESTROYS);

		if ((action_table[i].contexts & contexts) && wanted == (flags != 0))
			add(h, HELP_ACTION, (enum action)i, NULL);
	}
	add(h, HELP_BLANK, ACT_NONE, NULL);
}

static void add_windows(struct help *h)
{
	add(h, HELP_TITLE, ACT_NONE, h->windows);
	for (int i = 0; i < ACT__COUNT; i++)
		if (action_table[i].contexts & CONTEXT_WINDOW)
			add(h, HELP_ACTION, (enum action)i, NULL);
	add(h, HELP_BLANK, ACT_NONE, NULL);
}

static void name_keys(struct help *h)
{
	char key[24];

	snprintf(h->windows, sizeof(h->windows), "Windows (%s, then)",
		action_key_text(ACT_WINDOW, key, sizeof(key)));
	keymap_prefix_text(key, sizeof(key));
	snprintf(h->guest, sizeof(h->guest), "While the guest has the keys (%s, then)", key);
	snprintf(h->literal, sizeof(h->literal), "%s %s  sends %s itself to the guest", key, key,
		key);
}

static void help_fill(struct help *h)
{
	name_keys(h);
	add_actions(h, "Do something", CONTEXT_ALL, 1);
	add_actions(h, "Move and look", CONTEXT_ALL, 0);
	add_windows(h);
	add(h, HELP_TITLE, ACT_NONE, h->guest);
	for (int i = 0; i < ACT__COUNT; i++)
		if (action_table[i].contexts & CONTEXT_GUEST)
			add(h, HELP_ACTION, (enum action)i, NULL);
	add(h, HELP_TEXT, ACT_NONE, h->literal);
	add(h, HELP_BLANK, ACT_NONE, NULL);
	add_actions(h, "In copy mode (v, or C-] [ while the guest has the keys)", CONTEXT_COPY, 0);
	add(h, HELP_TITLE, ACT_NONE, "In a replay (vmdeck replay FILE)");
	for (int i = 0; i < ACT__COUNT; i++)
		if (action_table[i].contexts == CONTEXT_REPLAY)
			add(h, HELP_ACTION, (enum action)i, NULL);
	add(h, HELP_BLANK, ACT_NONE, NULL);
	add(h, HELP_TITLE, ACT_NONE, "Good to know");
	add(h, HELP_TEXT, ACT_NONE,
		"Every action is a command too: :boot, :stop, :exec uname -a, ...");
	add(h, HELP_TEXT, ACT_NONE,
		"Filters: web  /^w.*1$  !web  ~wb1  state=running  image!=mini*");
	add(h, HELP_TEXT, ACT_NONE,
		"Terms with spaces between: all of them. :vms state=running sets one.");
	add(h, HELP_TEXT, ACT_NONE,
		"Marked rows: e S p x X D are for all of them; X D ask for a typed word.");
	add(h, HELP_TEXT, ACT_NONE,
		"Leaving the console changes nothing: the VMs belong to the daemon.");
	add(h, HELP_TEXT, ACT_NONE, "Shift with the mouse selects text in most terminals.");
}

static void help_key(struct app *a, struct layer *l, console_key k)
{
	struct help *h = (struct help *)l;
	int page = max_of(h->scroll.height - 1, 1);

	switch (action_by_key(CONTEXT_LIST, k)) {
	case ACT_DOWN:
		h->scroll.top++;
		break;
	case ACT_UP:
		h->scroll.top--;
		break;
	case ACT_PAGE_DOWN:
	case ACT_HALF_DOWN:
		h->scroll.top += page;
		break;
	case ACT_PAGE_UP:
	case ACT_HALF_UP:
		h->scroll.top -= page;
		break;
	case ACT_TOP:
		h->scroll.top = 0;
		break;
	case ACT_BOTTOM:
		h->scroll.top = h->count;
		break;
	default:
		if (k == ' ')
			h->scroll.top += page;
		else
			app_pop(a);
	}
}

static void draw_action(struct app *a, struct pen *pen, enum action act)
{
	const struct action_info *info = &action_table[act];
	char name[48], keys[80];

	pen_put(pen, ROLE_DIALOG, "  ");
	pen_column(pen, ROLE_DIALOG_KEY, 14, keymap_keys(act, ~0u, keys, sizeof(keys)));
	pen_put(pen, ROLE_DIALOG, " ");
	snprintf(name, sizeof(name), "%s%s", info->contexts & CONTEXT_COMMANDS ? ":" : "",
		info->name);
	if (a->cols >= 76)
		pen_column(pen, ROLE_DIALOG_HINT, 15, name);
	pen_put(pen, ROLE_DIALOG, info->help);
}

static void help_draw(struct app *a, struct layer *l)
{
	struct help *h = (struct help *)l;
	struct rect r = layout_center(
		a->rows, a->cols, min_of(h->count + 4, a->rows), a->cols < 112 ? a->cols : 96);
	struct pen pen;

	paint_box(&a->paint, r, ROLE_DIALOG_FRAME, ROLE_DIALOG);
	h->scroll.height = max_of(r.h - 3, 1);
	h->scroll.top = max_of(0, min_of(h->scroll.top, h->count - h->scroll.height));
	pen = pen_at(&a->paint, (struct rect){r.y, r.x + 2, 1, max_of(r.w - 4, 0)});
	pen_put(&pen, ROLE_DIALOG_TITLE, " keys ");
	for (int y = 0; y < h->scroll.height && h->scroll.top + y < h->count; y++) {
		const struct help_line *line = &h->line[h->scroll.top + y];

		pen = pen_at(&a->paint, (struct rect){r.y + 1 + y, r.x + 2, 1, max_of(r.w - 4, 0)});
		if (line->kind == HELP_TITLE)
			pen_put(&pen, ROLE_DIALOG_TITLE, line->text);
		else if (line->kind == HELP_TEXT)
			pen_printf(&pen, ROLE_DIALOG, "  %s", line->text);
		else if (line->kind == HELP_ACTION)
			draw_action(a, &pen, line->action);
	}
	pen = pen_at(&a->paint, (struct rect){r.y + r.h - 2, r.x + 2, 1, max_of(r.w - 4, 0)});
	if (h->scroll.top + h->scroll.height < h->count)
		pen_printf(&pen, ROLE_DIALOG_HINT, "%s more: j k Space   any other key closes",
			paint_glyph(&a->paint, GLYPH_MORE_DOWN));
	else
		pen_put(&pen, ROLE_DIALOG_HINT, "any other key closes");
}

static void help_free(struct layer *l)
{
	free(l);
}

static const struct layer_ops help_layer = {help_key, help_draw, help_free};

void help_wheel(struct layer *l, int lines)
{
	if (l->ops == &help_layer)
		((struct help *)l)->scroll.top += lines;
}

void help_open(struct app *a)
{
	struct help *h = xcalloc(1, sizeof(*h));

	h->layer.ops = &help_layer;
	help_fill(h);
	app_push(a, &h->layer);
}
