/* Keys that go to the guest, and the prefix that does not: C-] or F12, unless keys.conf says so. */
#include <string.h>

#include "tui/console/act.h"
#include "tui/console/keymap.h"
#include "tui/console/term.h"

#define PREFIX_HINTS_AFTER 0.4 /* s */
#define TYPED_AHEAD_NS     500000000u

void attach_begin(struct app *a, enum tab tab)
{
	struct deck *d = app_deck(a);

	if (!d)
		return;
	a->keys.deck = d;
	a->keys.tab = tab;
	a->keys.prefix = a->keys.hints = false;
	a->keys.was_zoomed = a->zoom;
	deck_show(d, tab);
	deck_take_keys(d, tab, true);
	app_sync_deck(a);
}

void attach_end(struct app *a)
{
	struct deck *d = a->keys.deck;

	if (!d)
		return;
	a->keys.deck = NULL;
	a->keys.prefix = a->keys.hints = false;
	ev_timer_stop(a->loop, &a->w.prefix);
	if (a->zoom != a->keys.was_zoomed) {
		a->zoom = a->keys.was_zoomed;
		app_layout(a);
	}
	deck_take_keys(d, a->keys.tab, false);
	app_refresh(a, MODEL_VM);
}

void attach_released(void *user, struct deck *d, enum tab tab)
{
	struct app *a = user;

	app_dirty(a);
	if (a->keys.deck != d || a->keys.tab != tab)
		return;
	attach_end(a);
	a->keys.ended_ns = mono_ns();
	app_notice(a, NOTICE_INFO, "%s of %s has ended: the keys are the console's again",
		tab_names[tab], d->vm.name);
}

void attach_fini(struct app *a)
{
	a->keys.deck = NULL;
}

const char *attach_text(const struct app *a)
{
	const struct deck *d = a->keys.deck;
	const struct deck_tab *t = &d->tab[a->keys.tab];

	if (!a->link.client)
		return "KEYS: guest (daemon away)";
	if (d->vm.state == DECK_STARTING)
		return "KEYS: guest (when it has booted)";
	if (d->vm.state == DECK_PAUSED)
		return "KEYS: guest (paused)";
	return t->feed.open ? "KEYS: guest" : "KEYS: guest (connecting)";
}

void act_DETACH(struct app *a, const char *arg)
{
	(void)arg;
	attach_end(a);
}

void act_GUEST_ZOOM(struct app *a, const char *arg)
{
	(void)arg;
	a->zoom = !a->zoom;
	app_layout(a);
	app_sync_deck(a);
}

void act_GUEST_REDRAW(struct app *a, const char *arg)
{
	(void)a;
	(void)arg;
	term_redraw();
}

void act_GUEST_HINTS(struct app *a, const char *arg)
{
	(void)arg;
	a->keys.prefix = a->keys.hints = true;
}

static void prefix_key(struct app *a, console_key k)
{
	enum action act = action_by_key(CONTEXT_GUEST, k);
	char name[24], prefix[24], hints[24];

	ev_timer_stop(a->loop, &a->w.prefix);
	a->keys.prefix = a->keys.hints = false;
	if (keymap_is_prefix(k))
		pane_key(a->keys.deck->tab[a->keys.tab].pane, k);
	else if (act != ACT_NONE)
		action_run(a, act, "");
	else
		app_notice(a, NOTICE_WARN, "%s %s means nothing; %s %s tells what there is",
			keymap_prefix_text(prefix, sizeof(prefix)), key_text(name, sizeof(name), k),
			prefix, action_key_text(ACT_GUEST_HINTS, hints, sizeof(hints)));
}

bool attach_key(struct app *a, console_key k)
{
	if (a->keys.ended_ns) {
		bool ahead = mono_ns() - a->keys.ended_ns < TYPED_AHEAD_NS;

		a->keys.ended_ns = 0;
		if (ahead) {
			/* Typed for a guest that had gone: it must not act here. */
			a->keys.ended_ns = mono_ns();
			return true;
		}
	}
	if (!a->keys.deck)
		return false;
	if (a->keys.prefix) {
		prefix_key(a, k);
	} else if (keymap_is_prefix(k)) {
		a->keys.prefix = true;
		ev_timer_set(&a->w.prefix, PREFIX_HINTS_AFTER, 0);
		ev_now_update(a->loop);
		ev_timer_start(a->loop, &a->w.prefix);
	} else {
		pane_key(a->keys.deck->tab[a->keys.tab].pane, k);
	}
	return true;
}
