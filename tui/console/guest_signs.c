#include "tui/console/guest_signs.h"

#include "backend/base/str.h"
#include "tui/console/app.h"
#include "tui/console/clip.h"
#include "tui/console/pane_signs.h"
#include "tui/console/term.h"

#define RING_EVERY_NS 200000000u /* a guest that rings all the time is one that rings at times */

void guest_signs_allow(struct app *a)
{
	const struct options *o = &a->options;

	a->decks.signs = (option_on(o, OPTION_GUEST_BELL) ? SIGN_BELL : 0) |
			 (option_on(o, OPTION_GUEST_TITLE) ? SIGN_TITLE : 0) |
			 (option_on(o, OPTION_GUEST_CLIPBOARD) ? SIGN_CLIPBOARD : 0);
	for (struct deck *d = a->decks.first; d; d = d->next)
		for (int i = 0; i < TAB__COUNT; i++)
			if (d->tab[i].pane)
				pane_signs(d->tab[i].pane)->want = a->decks.signs;
}

/* What was written before we looked rang then, and was copied then. */
static bool is_old(const struct deck_tab *t)
{
	return t->id == TAB_OUTPUT && t->source != SOURCE_SERIAL && t->known &&
	       t->feed.next <= t->caught_up;
}

static void ring(struct app *a)
{
	uint64_t now = mono_ns();

	if (now - a->rang_ns < RING_EVERY_NS)
		return;
	a->rang_ns = now;
	term_send("\a", 1);
}

static void take_clip(struct app *a, const struct deck_tab *t, struct signs *s)
{
	char what[160], size[32];

	if (a->keys.deck != t->deck || a->keys.tab != t->id)
		return;
	if (s->clip_refused) {
		app_notice(a, NOTICE_WARN,
			"%s wanted to set the clipboard: more than %s, or no base64: refused",
			t->deck->vm.name, str_bytes(size, sizeof(size), CLIP_MAX));
		return;
	}
	snprintf(what, sizeof(what), "%s by %s", str_bytes(size, sizeof(size), s->clip_len),
		t->deck->vm.name);
	clip_copy(a, s->clip, s->clip_len, what);
}

static bool take_signs(struct app *a, struct deck_tab *t)
{
	struct signs *s = pane_signs(t->pane);
	bool old = is_old(t), changed = s->title_changed;

	if (s->bells && !old)
		ring(a);
	if ((s->clip || s->clip_refused) && !old)
		take_clip(a, t, s);
	free(s->clip);
	s->clip = NULL;
	s->clip_refused = s->title_changed = false;
	s->bells = 0;
	return changed;
}

bool guest_signs_turn(struct app *a)
{
	bool changed = false;

	if (!a->decks.signs)
		return false;
	for (struct deck *d = a->decks.first; d; d = d->next)
		for (int i = 0; i < TAB__COUNT; i++)
			if (d->tab[i].pane)
				changed |= take_signs(a, &d->tab[i]);
	return changed;
}

const char *guest_title(const struct app *a, const struct deck_tab *t)
{
	if (!option_on(&a->options, OPTION_GUEST_TITLE) || !t->pane)
		return "";
	return pane_signs(t->pane)->title;
}
