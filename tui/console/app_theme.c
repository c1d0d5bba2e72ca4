/* The theme that is shown: taken at the start, changed by the operator, and again whenever a theme
 * file changes on disk. */
#include <errno.h>
#include <string.h>
#include <sys/inotify.h>

#include "tui/console/app.h"
#include "tui/console/term.h"

static void tell(struct app *a, const struct theme_log *log)
{
	if (log->count > 1)
		app_notice(a, NOTICE_WARN, "%s (and %d more)", log->first, log->count - 1);
	else if (log->count)
		app_notice(a, NOTICE_WARN, "%s", log->first);
}

void app_paint_theme(struct app *a, const struct theme *t)
{
	a->theme = *t;
	paint_init(&a->paint, &a->theme, term_depth(!option_on(&a->options, OPTION_COLOR)),
		option_on(&a->options, OPTION_ASCII) || !term_utf8());
	a->urgent = true;
	app_dirty(a);
}

void app_take_theme(struct app *a, const char *name)
{
	struct theme_log log = {0};
	struct theme t;

	theme_load(&t, name, &log);
	app_paint_theme(a, &t);
	if (name && strcmp(name, option_text(&a->options, OPTION_THEME)) != 0)
		(void)option_set(&a->options, OPTION_THEME, name, OPTION_SET, NULL);
	tell(a, &log);
}

/* ---- changes on disk ------------------------------------------------------------------------- */

/* An editor that writes by renaming makes several of these: read them all, load once. */
static bool any_theme_changed(int fd)
{
	char buf[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	bool changed = false;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; p < buf + n;) {
			struct inotify_event *ev = (struct inotify_event *)p;
			size_t len = ev->len ? strlen(ev->name) : 0;

			changed = changed || (ev->mask & IN_Q_OVERFLOW) ||
				  (len > 6 && strcmp(ev->name + len - 6, ".theme") == 0);
			p += sizeof(*ev) + ev->len;
		}
	return changed;
}

static void on_themes(struct ev_loop *loop, ev_io *w, int revents)
{
	struct app *a = w->data;
	struct theme_log log = {0};
	struct theme t;

	(void)loop;
	(void)revents;
	if (!any_theme_changed(w->fd))
		return;
	theme_load(&t, a->theme.name, &log);
	if (theme_same(&t, &a->theme) && !log.count)
		return;
	app_paint_theme(a, &t);
	if (log.count)
		tell(a, &log);
	else
		app_notice(a, NOTICE_OK, "theme %s has changed on disk", t.name);
}

/* The folder of a theme that is named by its file. */
static void watch_own_folder(int fd, const char *name)
{
	const char *slash = strrchr(name, '/');
	autofree char *dir = slash ? xasprintf("%.*s", (int)(slash - name), name) : NULL;

	if (slash)
		(void)inotify_add_watch(fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO);
}

void theme_watch_start(struct app *a)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char dir[600];

	if (fd < 0)
		return; /* no watches left on this host: the themes are simply not read again */
	for (int i = 0; theme_folder(i, dir, sizeof(dir)); i++)
		(void)inotify_add_watch(fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO);
	watch_own_folder(fd, a->theme.name);
	ev_io_init(&a->w.themes, on_themes, fd, EV_READ);
	a->w.themes.data = a;
	ev_io_start(a->loop, &a->w.themes);
}

void theme_watch_stop(struct app *a)
{
	if (!ev_is_active(&a->w.themes))
		return;
	ev_io_stop(a->loop, &a->w.themes);
	close(a->w.themes.fd);
}
