/* The loop of the console: watchers, frames, where a key goes. */
#include "tui/console/app.h"

#include <curses.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "backend/base/str.h"
#include "tui/console/bulk.h"
#include "tui/console/gather.h"
#include "tui/console/guest_signs.h"
#include "tui/console/term.h"

#define FRAME_EVERY   (1. / 30) /* s between frames that only guest output asks for */
#define TICK_EVERY    0.2       /* s between ages of waits on the screen */
#define OPEN_TIMEOUT  10.
#define ROWS_MIN      10
#define COLS_MIN      40
#define KEYS_PER_TURN 256 /* of a paste: the screen follows */

void app_dirty(struct app *a)
{
	a->dirty = true;
}

void app_notice(struct app *a, enum notice_kind kind, const char *fmt, ...)
{
	char text[sizeof(a->notice.text)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	a->notice.kind = kind;
	str_safe(a->notice.text, sizeof(a->notice.text), text);
	app_dirty(a);
}

void app_push(struct app *a, struct layer *l)
{
	l->below = a->top;
	a->top = l;
	app_dirty(a);
}

void app_pop(struct app *a)
{
	struct layer *l = a->top;

	a->top = l->below;
	l->ops->free(l);
	app_dirty(a);
}

void app_quit(struct app *a, int code)
{
	a->exit_code = code;
	ev_break(a->loop, EVBREAK_ALL);
}

/* ---- keys ---------------------------------------------------------------------------------------
 */

/* Pasted text is text: it is typed into a prompt or the guest, and never acts on the list. True:
 * the key is dealt with. */
static bool paste_key(struct app *a, console_key k)
{
	bool mark = k == K_PASTE_BEGIN || k == K_PASTE_END;

	if (mark)
		a->pasting = k == K_PASTE_BEGIN;
	if (!a->pasting && !mark)
		return false;
	if (a->keys.deck && !a->top)
		return false;
	if (mark) {
		if (k == K_PASTE_BEGIN && !a->top)
			app_notice(a, NOTICE_WARN,
				"pasted text is only taken in a prompt or by the guest (a)");
		return true;
	}
	if (a->top && (k == K_ENTER || k == (KEY_MOD_CTRL | 'j') || k == K_TAB))
		k = ' '; /* several lines become one */
	if (a->top && key_is_char(k))
		a->top->ops->key(a, a->top, k);
	return true;
}

bool app_too_small(const struct app *a)
{
	return a->rows < ROWS_MIN || a->cols < COLS_MIN;
}

/* What can't be seen must not be acted on. */
static void small_key(struct app *a, console_key k)
{
	enum action act = action_by_key(CONTEXT_LIST, k);

	if (act == ACT_CLOSE || act == ACT_QUIT)
		app_quit(a, 0);
	else if (act == ACT_SUSPEND || act == ACT_REDRAW)
		action_run(a, act, "");
}

/* The context of keys that no layer and no guest takes. */
static unsigned key_context(const struct app *a)
{
	return a->at != VIEW_VMS        ? views[a->at]->context
	       : a->focus == FOCUS_PANE ? CONTEXT_PANE
					: CONTEXT_LIST;
}

/* Alt and a character that means nothing here is an Esc with a key typed close behind it: so it
 * arrives when this console, or the line to it, was slow. */
static bool is_two_keys(const struct app *a, console_key k)
{
	return (k & KEY_MODS) == KEY_MOD_ALT && key_is_char(key_base(k)) && !a->pasting &&
	       (a->top || (!a->keys.deck && action_by_key(key_context(a), k) == ACT_NONE));
}

void app_key(struct app *a, console_key k)
{
	enum action act;
	char name[24], help[24];

	a->urgent = true;
	app_dirty(a);
	app_settle_rows(a);
	if (is_two_keys(a, k)) {
		app_key(a, K_ESC);
		app_key(a, key_base(k));
		return;
	}
	if (paste_key(a, k) || k == K_NONE)
		return;
	if (app_too_small(a)) {
		small_key(a, k);
		return;
	}
	a->notice.text[0] = '\0';
	if (a->top) {
		a->top->ops->key(a, a->top, k);
		return;
	}
	if (window_key(a, k) || attach_key(a, k))
		return;
	act = a->replay ? action_by_key(CONTEXT_REPLAY, k) : ACT_NONE;
	if (act == ACT_NONE)
		act = action_by_key(key_context(a), k);
	if (act != ACT_NONE)
		action_run(a, act, "");
	else
		app_notice(a, NOTICE_INFO, "%s does nothing here; %s lists the keys",
			key_text(name, sizeof(name), k),
			*action_key_text(ACT_HELP, help, sizeof(help)) ? help : ":help");
}

/* A key that terminfo has no name for: the guest may know it, the console must not take it apart.
 */
static void on_unknown(struct app *a)
{
	const char *s = term_unknown_key();

	if (!a->keys.deck || a->top || a->pasting) {
		app_notice(a, NOTICE_INFO, "a key that is not known for this TERM: ESC %s", s);
		return;
	}
	for (app_key(a, K_ESC); *s; s++)
		app_key(a, key_from_char((unsigned char)*s));
}

static void on_mouse(struct app *a)
{
	struct mouse_event ev = term_mouse_event();

	mouse_act(a, &ev);
}

static void take_keys(struct app *a)
{
	for (int i = 0; i < KEYS_PER_TURN; i++) {
		console_key k;
		enum term_input in = term_key(&k);

		if (in == TERM_GONE)
			app_quit(a, 1);
		if (in != TERM_KEY)
			return;
		if (k == K_MOUSE)
			on_mouse(a);
		else if (k == K_UNKNOWN)
			on_unknown(a);
		else
			app_key(a, k);
	}
	/* What curses or term.c hold makes no descriptor readable. */
	if (ev_is_active(&a->w.more))
		return;
	ev_timer_set(&a->w.more, 0, 0);
	ev_timer_start(a->loop, &a->w.more);
}

static void on_input(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	take_keys(w->data);
}

static void on_more(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	take_keys(w->data);
}

/* ---- frames
 * -------------------------------------------------------------------------------------- */

static void draw_now(struct app *a)
{
	a->dirty = a->urgent = false;
	a->drawn = ev_now(a->loop);
	draw_screen(a);
	doupdate();
}

static void want_tick(struct app *a)
{
	bool wanted = app_has_waits(a) || replay_playing(a) || a->recorder;

	if (wanted == (bool)ev_is_active(&a->w.tick))
		return;
	if (ev_is_active(&a->w.tick)) {
		ev_timer_stop(a->loop, &a->w.tick);
	} else {
		ev_timer_set(&a->w.tick, TICK_EVERY, TICK_EVERY);
		ev_timer_start(a->loop, &a->w.tick);
	}
}

/* Before the loop waits: guest bytes into panes, then at most one frame. */
static void on_turn(struct ev_loop *loop, ev_prepare *w, int revents)
{
	struct app *a = w->data;
	double wait;

	(void)revents;
	feed_hub_turn(&a->hub);
	if (windows_turn(a) | guest_signs_turn(a))
		a->dirty = true;
	want_tick(a);
	app_watch(a);
	if (!a->dirty)
		return;
	wait = a->drawn + FRAME_EVERY - ev_now(loop);
	if (a->urgent || wait <= 0) {
		ev_timer_stop(loop, &a->w.frame);
		draw_now(a);
	} else if (!ev_is_active(&a->w.frame)) {
		ev_timer_set(&a->w.frame, wait, 0);
		ev_timer_start(loop, &a->w.frame);
	}
}

static void on_frame(struct ev_loop *loop, ev_timer *w, int revents)
{
	/* Only wakes the loop: on_turn draws. */
	(void)loop;
	(void)w;
	(void)revents;
}

static void on_tick(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	replay_tick(w->data);
	app_dirty(w->data);
}

static void on_prefix_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct app *a = w->data;

	(void)loop;
	(void)revents;
	a->keys.hints = true;
	app_dirty(a);
}

static void on_settle(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	app_sync_deck(w->data);
}

/* ---- signals
 * -------------------------------------------------------------------------------------- */

void app_take_size(struct app *a)
{
	getmaxyx(stdscr, a->rows, a->cols);
	app_layout(a);
	a->urgent = true;
}

static void on_winch(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	term_resized();
	app_take_size(w->data);
}

static void on_tstp(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	term_suspend();
	app_take_size(w->data);
}

static void on_cont(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	term_return();
	term_resized();
	app_take_size(w->data);
}

/* ---- start and end
 * --------------------------------------------------------------------------------- */

static void init_watchers(struct app *a)
{
	ev_io_init(&a->w.input, on_input, STDIN_FILENO, EV_READ);
	ev_prepare_init(&a->w.turn, on_turn);
	ev_init(&a->w.more, on_more);
	ev_init(&a->w.frame, on_frame);
	ev_init(&a->w.tick, on_tick);
	ev_init(&a->w.prefix, on_prefix_timer);
	ev_init(&a->w.settle, on_settle);
	ev_signal_init(&a->w.winch, on_winch, SIGWINCH);
	ev_signal_init(&a->w.tstp, on_tstp, SIGTSTP);
	ev_signal_init(&a->w.cont, on_cont, SIGCONT);
	a->w.more.data = a;
	a->w.input.data = a->w.turn.data = a->w.frame.data = a->w.tick.data = a;
	a->w.prefix.data = a->w.settle.data = a;
	a->w.winch.data = a->w.tstp.data = a->w.cont.data = a;
}

static void start_watchers(struct app *a)
{
	ev_io_start(a->loop, &a->w.input);
	ev_prepare_start(a->loop, &a->w.turn);
	ev_signal_start(a->loop, &a->w.winch);
	ev_signal_start(a->loop, &a->w.tstp);
	ev_signal_start(a->loop, &a->w.cont);
	screenshot_init(a);
}

void app_init(struct app *a, const struct console_opts *o)
{
	static const struct decks_handler decks_handler = {app_deck_notice, attach_released};

	memset(a, 0, sizeof(*a));
	a->opts = o;
	options_init(&a->options, o);
	/* Not the default loop: that one would reap the children of the client library. */
	a->loop = ev_loop_new(EVFLAG_AUTO);
	model_init(&a->model);
	for (int i = 0; i < VIEW__COUNT; i++)
		table_init(&a->table[i], views[i]);
	host_sort(&a->table[VIEW_HOST]);
	feed_hub_init(&a->hub, a->loop);
	link_init(&a->link, a->loop, &app_link_handler, a);
	windows_init(&a->windows);
	a->link.read_only = o->read_only;
	decks_init(&a->decks, &a->hub, &a->link, &decks_handler, a);
	init_watchers(a);
	if (o->replay)
		replay_init(a);
}

void app_fini(struct app *a)
{
	while (a->top)
		app_pop(a);
	record_fini(a);
	calls_fini(a);
	bulk_fini(a);
	gather_free(a->gather);
	facts_fini(a);
	attach_fini(a);
	theme_watch_stop(a);
	app_options_stop(a);
	decks_fini(&a->decks);
	link_fini(&a->link);
	feed_hub_fini(&a->hub);
	for (int i = 0; i < VIEW__COUNT; i++)
		table_fini(&a->table[i]);
	replay_fini(a);
	model_fini(&a->model);
	history_fini(&a->commands);
	history_fini(&a->execs);
	undo_fini(&a->undo);
	history_fini(&a->searches);
	ev_loop_destroy(a->loop);
}

static int app_run(struct app *a, struct err *e)
{
	int r = term_start(e);

	if (r < 0)
		return r;
	app_options_start(a);
	theme_watch_start(a);
	app_take_keys(a);
	start_watchers(a);
	app_take_size(a);
	if (a->opts->layout)
		(void)windows_load(a, a->opts->layout);
	/* Something to look at while a daemon is started. */
	draw_now(a);
	r = link_open(&a->link, OPEN_TIMEOUT, e);
	if (r == 0)
		ev_run(a->loop, 0);
	term_stop();
	return r;
}

int console_main(const struct console_opts *o)
{
	struct app *a = xcalloc(1, sizeof(*a));
	struct console_opts with = *o; /* what vmdeck.conf adds */
	struct err e = {0};
	int code;

	signal(SIGPIPE, SIG_IGN);
	app_init(a, &with);
	app_read_options(a, &with);
	if (!o->replay)
		history_open(&a->commands, "history");
	if (app_run(a, &e) < 0) {
		fprintf(stderr, "vmdeck: %s\n", e.msg);
		a->exit_code = 1;
	}
	code = a->exit_code;
	app_fini(a);
	free(a);
	return code;
}
