/* The options at work: what each changes in the running console, `:set`, and vmdeck.conf read again
 * when it changes. */
#include <string.h>
#include <sys/inotify.h>

#include "tui/console/act.h"
#include "tui/console/guest_signs.h"
#include "tui/console/term.h"

/* ---- each option ------------------------------------------------------------------------------
 */

static void apply_theme(struct app *a)
{
	app_take_theme(a, option_text(&a->options, OPTION_THEME));
}

static void apply_paint(struct app *a)
{
	struct theme same = a->theme;

	app_paint_theme(a, &same);
}

static void apply_mouse(struct app *a)
{
	bool on = option_on(&a->options, OPTION_MOUSE);
	struct err e = {0};

	if (on == a->mouse.on)
		return;
	if (term_mouse(on, &e) < 0) {
		app_notice(a, NOTICE_WARN, "mouse: %s", e.msg);
		return;
	}
	a->mouse.on = on;
}

static void on_minute(struct ev_loop *loop, ev_periodic *w, int revents)
{
	(void)loop;
	(void)revents;
	app_dirty(w->data);
}

static void apply_clock(struct app *a)
{
	ev_periodic_stop(a->loop, &a->w.minute);
	ev_periodic_init(&a->w.minute, on_minute, 0, 60, NULL);
	a->w.minute.data = a;
	if (option_on(&a->options, OPTION_CLOCK))
		ev_periodic_start(a->loop, &a->w.minute);
}

static void apply_scrollback(struct app *a)
{
	a->decks.scrollback = option_num(&a->options, OPTION_SCROLLBACK);
	for (struct deck *d = a->decks.first; d; d = d->next)
		for (int i = 0; i < TAB__COUNT; i++)
			if (d->tab[i].pane)
				pane_set_scrollback(d->tab[i].pane, a->decks.scrollback);
}

/* The others are looked at where they matter. */
static void (*const apply[OPTION__COUNT])(struct app *a) = {
	[OPTION_THEME] = apply_theme,
	[OPTION_COLOR] = apply_paint,
	[OPTION_ASCII] = apply_paint,
	[OPTION_MOUSE] = apply_mouse,
	[OPTION_CLOCK] = apply_clock,
	[OPTION_SCROLLBACK] = apply_scrollback,
	[OPTION_GUEST_BELL] = guest_signs_allow,
	[OPTION_GUEST_TITLE] = guest_signs_allow,
	[OPTION_GUEST_CLIPBOARD] = guest_signs_allow,
};

void app_apply_options(struct app *a, const struct options *before)
{
	for (int i = 0; i < OPTION__COUNT; i++)
		if (apply[i] &&
			(!before || strcmp(before->value[i].text, a->options.value[i].text) != 0))
			apply[i](a);
	app_dirty(a);
}

/* ---- :set -------------------------------------------------------------------------------------
 */

static void set_option(struct app *a, enum option_id id, const char *text)
{
	struct options before = a->options;
	struct err e = {0};

	if (option_table[id].flags & OPTION_START) {
		app_notice(a, NOTICE_WARN,
			"%s is taken when the console starts: set it in vmdeck.conf",
			option_table[id].name);
		return;
	}
	if (option_set(&a->options, id, text, OPTION_SET, &e) < 0) {
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
		return;
	}
	app_apply_options(a, &before);
	if (!a->notice.text[0])
		app_notice(a, NOTICE_OK, "%s = %s; vmdeck.conf keeps it for the next time",
			option_table[id].name, option_text(&a->options, id));
}

static void tell_option(struct app *a, enum option_id id)
{
	char from[700], takes[80];

	app_notice(a, NOTICE_INFO, "%s = %s (%s): %s; takes %s", option_table[id].name,
		option_text(&a->options, id), option_from(&a->options, id, from, sizeof(from)),
		option_table[id].help, option_takes(id, takes, sizeof(takes)));
}

/* NAME=VALUE, NAME = VALUE, NAME VALUE, NAME. */
void act_SET(struct app *a, const char *arg)
{
	size_t n = strcspn(arg, "= ");
	const char *value = arg + n + strspn(arg + n, " ");
	char name[48];
	struct err e = {0};
	enum option_id id;
	bool given = *value;

	if (!*arg) {
		options_page_open(a);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)min_of(n, sizeof(name) - 1), arg);
	if (*value == '=')
		value += 1 + strspn(value + 1, " ");
	id = option_by_name(name, &e);
	if (id == OPTION_NONE)
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
	else if (given)
		set_option(a, id, value);
	else
		tell_option(a, id);
}

/* ---- vmdeck.conf ------------------------------------------------------------------------------
 */

static void first_complaint(void *user, const char *text)
{
	char *first = user;

	if (!*first)
		snprintf(first, 400, "%s", text);
}

static int read_file(struct app *a, char first[400])
{
	first[0] = '\0';
	return options_load(&a->options, NULL, first_complaint, first);
}

static void tell_wrong(struct app *a, const char *first, int n)
{
	if (n > 1)
		app_notice(a, NOTICE_WARN, "%.300s (and %d more: vmdeck config)", first, n - 1);
	else if (n)
		app_notice(a, NOTICE_WARN, "%s", first);
}

void app_read_options(struct app *a, struct console_opts *o)
{
	char first[400];

	a->options_wrong = read_file(a, first);
	/* A recording is shown as it is: in the windows it needs, and nothing can be changed. */
	if (o->replay)
		return;
	if (!o->layout && *option_text(&a->options, OPTION_LAYOUT))
		o->layout = option_text(&a->options, OPTION_LAYOUT);
	o->read_only = option_on(&a->options, OPTION_READ_ONLY);
	a->link.read_only = o->read_only;
}

/* An editor that writes by renaming makes several of these: read them all, load once. */
static bool file_changed(int fd)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool changed = false;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *ev = (struct inotify_event *)p;

			changed = changed || (ev->mask & IN_Q_OVERFLOW) ||
				  (ev->len && strcmp(ev->name, "vmdeck.conf") == 0);
			p += sizeof(*ev) + ev->len;
		}
	return changed;
}

static void on_file(struct ev_loop *loop, ev_io *w, int revents)
{
	struct app *a = w->data;
	struct options before = a->options;
	char first[400];
	int wrong;

	(void)loop;
	(void)revents;
	if (!file_changed(w->fd))
		return;
	wrong = read_file(a, first);
	a->notice.text[0] = '\0';
	app_apply_options(a, &before);
	if (wrong)
		tell_wrong(a, first, wrong);
	else if (!a->notice.text[0])
		app_notice(a, NOTICE_OK, "vmdeck.conf has changed on disk and was read again");
}

void app_options_start(struct app *a)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char folder[600], first[400];

	app_apply_options(a, NULL);
	if (a->options_wrong)
		tell_wrong(a, first, read_file(a, first));
	conf_path(folder, sizeof(folder), "");
	/* Without a watch, or without the folder, the file is simply not read again. */
	if (fd < 0)
		return;
	if (inotify_add_watch(fd, folder, IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
		close(fd);
		return;
	}
	ev_io_init(&a->w.options, on_file, fd, EV_READ);
	a->w.options.data = a;
	ev_io_start(a->loop, &a->w.options);
}

void app_options_stop(struct app *a)
{
	ev_periodic_stop(a->loop, &a->w.minute);
	if (!ev_is_active(&a->w.options))
		return;
	ev_io_stop(a->loop, &a->w.options);
	close(a->w.options.fd);
}
