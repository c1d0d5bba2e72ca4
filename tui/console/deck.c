/* The panes of the VMs: which there are, which tab is shown, which streams are open. */
#include "tui/console/deck.h"

#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "tui/console/deck_impl.h"
#include "tui/console/pane_signs.h"

const char *const tab_names[] = {
	[TAB_OUTPUT] = "output",
	[TAB_SERIAL] = "serial",
	[TAB_TIMELINE] = "timeline",
	[TAB_DESCRIBE] = "describe",
	[TAB_HEALTH] = "health",
	[TAB_VITALS] = "vitals",
	[TAB_EXEC] = "exec",
	[TAB_SHELL] = "shell",
};
_Static_assert(countof(tab_names) == TAB__COUNT, "a name for each tab");

/* ---- tabs ----------------------------------------------------------------------------------- */

static void on_to_guest(void *user, const char *bytes, size_t n)
{
	struct deck_tab *t = user;
	struct decks *ds = t->deck->decks;

	/* While the guest is not there (boot, daemon away) keys go nowhere. */
	if (t->source != SOURCE_ATTACH && t->source != SOURCE_RUN)
		return;
	if (!feed_type(&t->feed, bytes, n))
		ds->h->notice(ds->user, NOTICE_WARN,
			"the guest takes no input at present: a key was dropped");
}

struct pane *tab_pane(struct deck_tab *t)
{
	struct decks *ds = t->deck->decks;

	if (!t->pane) {
		if (!t->rows) {
			t->rows = ds->rows;
			t->cols = ds->cols;
		}
		t->pane = pane_new(t->rows, t->cols, on_to_guest, t);
		pane_signs(t->pane)->want = ds->signs;
		pane_set_scrollback(t->pane, ds->scrollback);
		feed_init(&t->feed, ds->hub, t->id <= TAB_SERIAL ? &follow_ops : &run_ops, t->pane,
			t);
		pane_set_lines(t->pane, t->id != TAB_SHELL);
	}
	return t->pane;
}

void tab_rule(struct deck_tab *t, uint64_t wall, const char *fmt, ...)
{
	time_t when = (time_t)((wall ? wall : clock_wall_ns()) / 1000000000);
	char text[400], clock[16] = "";
	struct tm tm;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (localtime_r(&when, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S ", &tm);
	tab_pane(t);
	feed_settle(&t->feed);
	memmove(text + strlen(clock), text, sizeof(text) - strlen(clock));
	memcpy(text, clock, strlen(clock));
	text[sizeof(text) - 1] = '\0';
	(void)pane_rule(t->pane, text);
}

void tab_close(struct deck_tab *t)
{
	if (!t->pane || !t->feed.stream)
		return;
	if (t->source == SOURCE_OUTPUT || t->source == SOURCE_ATTACH)
		t->output_next = t->feed.next;
	else if (t->source == SOURCE_SERIAL && t->id == TAB_OUTPUT)
		t->serial_next = t->feed.next;
	feed_close(&t->feed);
	t->source = SOURCE_NONE;
}

static void tab_fini(struct deck_tab *t)
{
	if (t->pane)
		feed_fini(&t->feed);
	pane_free(t->pane);
}

/* ---- decks ---------------------------------------------------------------------------------- */

void decks_init(struct decks *ds, struct feed_hub *hub, struct link *link,
	const struct decks_handler *h, void *user)
{
	*ds = (struct decks){
		.hub = hub, .link = link, .h = h, .user = user, .rows = 24, .cols = 80};
}

static void deck_free(struct deck *d)
{
	for (int i = 0; i < TAB__COUNT; i++)
		tab_fini(&d->tab[i]);
	free(d);
}

void decks_fini(struct decks *ds)
{
	struct deck *next;

	for (struct deck *d = ds->first; d; d = next) {
		next = d->next;
		deck_free(d);
	}
	ds->first = NULL;
}

struct deck *decks_find(const struct decks *ds, const char *id)
{
	for (struct deck *d = ds->first; d; d = d->next)
		if (strcmp(d->vm.id, id) == 0)
			return d;
	return NULL;
}

bool deck_busy(const struct deck *d)
{
	return d->tab[TAB_EXEC].started_ns || d->tab[TAB_SHELL].started_ns;
}

/* The deck that was seen longest ago and that nothing of ours runs in. */
static void decks_evict(struct decks *ds)
{
	struct deck **victim = NULL, *d;

	for (struct deck **at = &ds->first->next; *at; at = &(*at)->next)
		if (!deck_busy(*at) && !(*at)->attached && !(*at)->visible)
			victim = at;
	if (!victim)
		return;
	d = *victim;
	*victim = d->next;
	ds->count--;
	deck_free(d);
}

struct deck *decks_see(struct decks *ds, const struct deck_vm *vm)
{
	struct deck **at = &ds->first, *d;

	while (*at && strcmp((*at)->vm.id, vm->id) != 0)
		at = &(*at)->next;
	d = *at;
	if (d) {
		*at = d->next;
	} else {
		d = xcalloc(1, sizeof(*d));
		d->decks = ds;
		d->vm = *vm;
		for (int i = 0; i < TAB__COUNT; i++) {
			d->tab[i].deck = d;
			d->tab[i].id = (enum tab)i;
		}
		ds->count++;
	}
	d->next = ds->first;
	ds->first = d;
	if (ds->count > DECKS_MAX)
		decks_evict(ds);
	return d;
}

void decks_resize(struct decks *ds, int rows, int cols)
{
	ds->rows = rows;
	ds->cols = cols;
}

void deck_resize_tab(struct deck *d, enum tab tab, int rows, int cols)
{
	struct deck_tab *t = &d->tab[tab];

	if (t->rows == rows && t->cols == cols)
		return;
	t->rows = rows;
	t->cols = cols;
	if (!t->pane)
		return;
	feed_settle(&t->feed);
	pane_resize(t->pane, rows, cols);
	if (t->source == SOURCE_ATTACH || t->source == SOURCE_RUN)
		feed_size(&t->feed, rows, cols);
}

static bool on_screen(const struct deck *d, enum tab tab)
{
	return d->visible && (d->tabs & 1u << tab);
}

void decks_link(struct decks *ds, const struct err *why)
{
	for (struct deck *d = ds->first; d; d = d->next)
		for (int i = 0; i < TAB__COUNT; i++) {
			struct deck_tab *t = &d->tab[i];
			bool ran = t->started_ns != 0;

			bool told =
				deck_vm_alive(&d->vm) &&
				(i == TAB_OUTPUT || (i == TAB_SERIAL && on_screen(d, TAB_SERIAL)));

			t->blocked = SOURCE_NONE;
			if (!t->pane)
				continue;
			if (!why) {
				if (told)
					tab_rule(t, 0, "the daemon is back");
				continue;
			}
			if (t->feed.stream || ran || told)
				tab_rule(t, 0,
					ran ? "daemon lost, and with it '%s'" : "daemon lost%s",
					ran ? t->command : "");
			if (i == TAB_SERIAL && t->feed.stream)
				t->serial_next = t->feed.next;
			tab_close(t);
			t->started_ns = 0;
			if (ran)
				ds->h->released(ds->user, d, (enum tab)i);
		}
}

/* What the output tab should be fed from. */
static enum source deck_wanted(const struct deck *d)
{
	const struct deck_vm *vm = &d->vm;

	if (vm->gone)
		return SOURCE_NONE;
	if (d->attached && deck_vm_alive(vm) && vm->state != DECK_STARTING)
		return SOURCE_ATTACH;
	if (!on_screen(d, TAB_OUTPUT))
		return SOURCE_NONE;
	return vm->state == DECK_STARTING ? SOURCE_SERIAL : SOURCE_OUTPUT;
}

static void sync_tab(struct deck_tab *t, enum source wanted)
{
	if (t->feed.stream && t->source == wanted)
		return;
	/* The stream of an ended VM ends by itself, behind its last byte. */
	if (t->feed.stream && wanted == SOURCE_OUTPUT && t->source == SOURCE_ATTACH &&
		!deck_vm_alive(&t->deck->vm))
		return;
	tab_close(t);
	if (wanted == SOURCE_NONE || t->blocked == wanted || !t->deck->decks->link->client)
		return;
	if (t->ended && (wanted == SOURCE_OUTPUT || wanted == t->source))
		return;
	tab_follow(t, wanted);
}

void deck_sync(struct deck *d, const struct deck_vm *vm)
{
	bool serial = on_screen(d, TAB_SERIAL) && vm && !vm->gone;

	if (vm) {
		if (vm->state != d->vm.state || vm->wait.n != d->vm.wait.n)
			d->tab[TAB_OUTPUT].blocked = d->tab[TAB_SERIAL].blocked = SOURCE_NONE;
		d->vm = *vm;
	}
	for (int i = 0; i < TAB__COUNT; i++)
		if (!tab_is_page((enum tab)i) && (d->tabs & 1u << i))
			tab_pane(&d->tab[i]);
	sync_tab(&d->tab[TAB_OUTPUT], deck_wanted(d));
	sync_tab(&d->tab[TAB_SERIAL], serial ? SOURCE_SERIAL : SOURCE_NONE);
}

void deck_show(struct deck *d, enum tab tab)
{
	d->shown = tab;
	if (!tab_is_page(tab))
		pane_scroll_end(tab_pane(&d->tab[tab]));
}

void deck_take_keys(struct deck *d, enum tab tab, bool on)
{
	struct deck_tab *t = &d->tab[tab];

	pane_set_keys(tab_pane(t), on);
	if (tab == TAB_OUTPUT)
		d->attached = on;
	if (on) {
		pane_scroll_end(t->pane);
		feed_size(&t->feed, t->rows, t->cols);
	}
	deck_sync(d, NULL);
}
