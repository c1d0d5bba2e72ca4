/* Status line, hint line. */
#include <string.h>

#include "backend/base/str.h"
#include "tui/console/app.h"
#include "tui/console/clock.h"
#include "tui/console/keymap.h"

#define NOTICE_ROWS_MAX  4
#define CALL_SHOWN_AFTER 0.4 /* s */

/* ---- status: a build, a wait, or the last notice --------------------------------------------- */

static const struct deck_image *building(const struct app *a)
{
	for (int i = 0; i < a->model.images; i++)
		if (strcmp(a->model.image[i].state, "building") == 0)
			return &a->model.image[i];
	return NULL;
}

static bool waits(const struct deck_vm *vm)
{
	return vm->wait.name[0] || vm->making.name[0];
}

/* The wait to show: of the selected VM, else of any. */
static const struct deck_vm *waiting(struct app *a)
{
	const struct deck_vm *vm = app_selected(a);

	if (vm && waits(vm))
		return vm;
	for (int i = 0; a->model.waiting && i < a->model.count; i++)
		if (waits(a->model.vm[i]))
			return a->model.vm[i];
	return NULL;
}

bool app_has_waits(struct app *a)
{
	return (a->link.client && (waiting(a) != NULL || a->calls)) ||
	       app_table(a)->frozen.rows; /* its age is shown */
}

static void draw_build(struct pen *pen, const struct deck_image *im)
{
	int bar = max_of(min_of(30, (pen->end - pen->x) / 3), 4);
	char done[32], total[32], rest[80];

	pen_printf(pen, ROLE_WAIT, " building %s: %s ", im->name, im->step);
	pen_meter(pen, bar, im->done, im->total);
	if (im->total > 4096)
		pen_printf(pen, ROLE_TEXT, " %s of %s ", str_bytes(done, sizeof(done), im->done),
			str_bytes(total, sizeof(total), im->total));
	else if (im->total)
		pen_printf(pen, ROLE_TEXT, " %llu of %llu ", (unsigned long long)im->done,
			(unsigned long long)im->total);
	else if (im->done)
		pen_printf(pen, ROLE_TEXT, " %s ", str_bytes(done, sizeof(done), im->done));
	pen_put(pen, ROLE_TEXT,
		progress_text(im->done, im->total, im->since_ns, clock_wall_ns(), im->total > 4096,
			rest, sizeof(rest)));
}

static void draw_making(struct app *a, struct pen *pen, const struct deck_vm *vm)
{
	const struct deck_making *mk = &vm->making;
	char step[80], done[32], total[32], rest[80];

	making_text(mk, step, sizeof(step));
	pen_printf(pen, ROLE_WAIT, " %s %s: snapshot %s: %s ",
		paint_glyph(&a->paint, GLYPH_STARTING), vm->name, mk->name, step);
	if (mk->total) {
		pen_meter(pen, max_of(min_of(30, (pen->end - pen->x) / 3), 4), mk->done, mk->total);
		pen_printf(pen, ROLE_TEXT, " %s of %s ", str_bytes(done, sizeof(done), mk->done),
			str_bytes(total, sizeof(total), mk->total));
		pen_put(pen, ROLE_TEXT,
			progress_text(mk->done, mk->total, mk->since_ns, clock_wall_ns(), true,
				rest, sizeof(rest)));
	} else if (mk->of > 0) {
		pen_printf(pen, ROLE_TEXT_DIM, "(step %d of %d) ", mk->n, mk->of);
	}
}

static void draw_wait(struct app *a, struct pen *pen, const struct deck_vm *vm)
{
	char text[160];

	pen_printf(pen, ROLE_WAIT, " %s %s: %s", paint_glyph(&a->paint, GLYPH_STARTING), vm->name,
		wait_text(&vm->wait, clock_wall_ns(), text, sizeof(text)));
	if (vm->wait.limit_s > 0)
		pen_printf(pen, ROLE_WAIT, ", limit %g s", vm->wait.limit_s);
	if (vm->wait.of > 0)
		pen_printf(pen, ROLE_TEXT_DIM, " (step %d of %d)", vm->wait.n, vm->wait.of);
	pen_put(pen, ROLE_TEXT, " ");
}

/* A call that the daemon takes its time to answer, and that shows as no state of a VM. */
static void draw_call(struct app *a, struct pen *pen)
{
	uint64_t since;
	const char *method = app_oldest_call(a, &since);
	double age = method ? (double)(mono_ns() - since) / 1e9 : 0;

	if (age < CALL_SHOWN_AFTER)
		return;
	pen_printf(pen, ROLE_WAIT, " %s vmdeckd: %s since %.1f s ",
		paint_glyph(&a->paint, GLYPH_STARTING), method, age);
}

static enum role notice_role(enum notice_kind k)
{
	return k == NOTICE_OK      ? ROLE_NOTICE_OK
	       : k == NOTICE_WARN  ? ROLE_NOTICE_WARN
	       : k == NOTICE_ERROR ? ROLE_NOTICE_ERROR
				   : ROLE_NOTICE_INFO;
}

/* The kind as a word too: colour alone says nothing in mono. */
static const char *notice_word(enum notice_kind k)
{
	return k == NOTICE_ERROR ? "error: " : k == NOTICE_WARN ? "note: " : "";
}

/* A notice that is longer than the row grows upwards, over the pane, until the next key. */
static bool draw_long_notice(struct app *a)
{
	struct rect r = a->layout.status;
	char text[sizeof(a->notice.text) + 16];
	int rows;

	snprintf(text, sizeof(text), "%s%s", notice_word(a->notice.kind), a->notice.text);
	r.x++;
	r.w -= 2;
	r.h = NOTICE_ROWS_MAX;
	rows = paint_wrapped(&a->paint, r, ROLE_TEXT, text, false);
	if (rows < 2 || r.y < rows)
		return false;
	r.y -= rows - 1;
	r.h = rows;
	paint_fill(
		&a->paint, (struct rect){r.y, r.x - 1, rows, r.w + 2}, notice_role(a->notice.kind));
	paint_wrapped(&a->paint, r, notice_role(a->notice.kind), text, true);
	return true;
}

void draw_status(struct app *a)
{
	struct pen pen = pen_at(&a->paint, a->layout.status);
	const struct deck_image *im = building(a);
	const struct deck_vm *vm = a->link.client ? waiting(a) : NULL;

	if (a->layout.shared && !a->notice.text[0] && !im && !vm && !a->calls) {
		draw_hints(a);
		return;
	}
	if (a->notice.text[0] && draw_long_notice(a))
		return;
	if (a->notice.text[0])
		pen_printf(&pen, notice_role(a->notice.kind), " %s%s ", notice_word(a->notice.kind),
			a->notice.text);
	if (vm && !im && vm->wait.name[0])
		draw_wait(a, &pen, vm);
	else if (vm && !im)
		draw_making(a, &pen, vm);
	if (im)
		draw_build(&pen, im);
	if (!vm && !im)
		draw_call(a, &pen);
	pen_rest(&pen, ROLE_TEXT);
}

/* ---- hints ---------------------------------------------------------------------------------- */

static const char *hint_label(const struct app *a, enum action act, const struct deck_vm *vm)
{
	const struct deck *d = vm ? decks_find(&a->decks, vm->id) : NULL;

	if (act == ACT_PAUSE && vm && vm->state == DECK_PAUSED)
		return "resume";
	if ((act == ACT_LOGS && d && d->shown == TAB_SERIAL) ||
		(act == ACT_TIMELINE && d && d->shown == TAB_TIMELINE))
		return "output";
	return action_table[act].label;
}

static int hint_columns(enum action act, const char *label)
{
	char key[16];

	return text_columns(action_key_text(act, key, sizeof(key))) + text_columns(label) + 3;
}

static void draw_hint(
	struct pen *pen, enum role key_role, enum role role, enum action act, const char *label)
{
	char key[16];
	int x = pen->x;

	if (pen->x + hint_columns(act, label) > pen->end)
		return;
	pen_put(pen, role, " ");
	pen_put(pen, key_role, action_key_text(act, key, sizeof(key)));
	pen_put(pen, role, " ");
	pen_put(pen, role, label);
	pen_put(pen, role, " ");
	pen_spot(pen, x, SPOT_ACTION, act);
}

/* What follows C-w. */
static void draw_window_hints(struct app *a, struct pen *pen)
{
	enum role role = a->keys.deck ? ROLE_BORDER_ATTACHED : ROLE_MENU_TEXT;
	enum role key = a->keys.deck ? ROLE_BORDER_ATTACHED : ROLE_MENU_KEY;

	char prefix[24];

	pen_printf(pen, role, a->keys.hints ? " %s then: hjkl" : " %s ...",
		action_key_text(ACT_WINDOW, prefix, sizeof(prefix)));
	for (int i = 0; i < ACT__COUNT && a->keys.hints; i++)
		if ((action_table[i].contexts & CONTEXT_WINDOW) && action_table[i].label[0])
			draw_hint(pen, key, role, (enum action)i, action_table[i].label);
	pen_rest(pen, role);
}

/* In the colour of the pane's frame: the lower edge of it. */
static void draw_guest_hints(struct app *a, struct pen *pen)
{
	const enum role role = ROLE_BORDER_ATTACHED;

	char prefix[24], detach[24], more[24];

	keymap_prefix_text(prefix, sizeof(prefix));
	if (!a->keys.hints) {
		if (a->keys.prefix)
			pen_printf(pen, role, " %s ...", prefix);
		else
			pen_printf(pen, role,
				" All keys go to the guest.  %s %s detach  %s %s more", prefix,
				action_key_text(ACT_DETACH, detach, sizeof(detach)), prefix,
				action_key_text(ACT_GUEST_HINTS, more, sizeof(more)));
		pen_rest(pen, role);
		return;
	}
	pen_printf(pen, role, " %s then:", prefix);
	for (int i = 0; i < ACT__COUNT; i++)
		if ((action_table[i].contexts & CONTEXT_GUEST) &&
			(action_table[i].flags & ACTION_HINT))
			draw_hint(pen, role, role, (enum action)i, action_table[i].label);
	pen_printf(pen, role, " %s sends itself", prefix);
	pen_rest(pen, role);
}

/* Help and quit stand at the right end, whatever else there is room for. */
static void draw_last_hints(struct pen *pen)
{
	static const enum action last[] = {ACT_HELP, ACT_QUIT};
	struct pen right = *pen;
	int columns = 0;

	for (size_t i = 0; i < countof(last); i++)
		columns += hint_columns(last[i], action_table[last[i]].label);
	right.x = pen->end = max_of(pen->x, pen->end - columns);
	for (size_t i = 0; i < countof(last); i++)
		draw_hint(&right, ROLE_MENU_KEY, ROLE_MENU_TEXT, last[i],
			action_table[last[i]].label);
	pen_rest(&right, ROLE_MENU_TEXT);
}

static bool hint_wanted(struct app *a, enum action act, const struct action_on *on)
{
	const struct action_info *info = &action_table[act];
	const struct deck_image *mini = model_image(&a->model, "mini");
	bool build = act == ACT_BUILD && mini && strcmp(mini->state, "missing") == 0;
	char why[300];

	return (info->contexts & CONTEXT_ALL) && ((info->flags & ACTION_HINT) || build) &&
	       act != ACT_HELP && act != ACT_QUIT && action_allowed(act, on, why, sizeof(why));
}

void draw_hints(struct app *a)
{
	struct pen pen = pen_at(&a->paint, a->layout.hints);
	struct action_on on = app_on(a);

	if (a->keys.window) {
		draw_window_hints(a, &pen);
		return;
	}
	if (a->keys.deck) {
		draw_guest_hints(a, &pen);
		return;
	}
	draw_last_hints(&pen);
	for (int i = 0; i < ACT__COUNT; i++)
		if (hint_wanted(a, (enum action)i, &on))
			draw_hint(&pen, ROLE_MENU_KEY, ROLE_MENU_TEXT, (enum action)i,
				hint_label(a, (enum action)i, on.vm));
	pen_rest(&pen, ROLE_MENU_TEXT);
}
