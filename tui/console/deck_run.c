/* Commands and a shell of ours in a VM, each in a tab. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/deck_impl.h"

static void on_open(struct feed *f, struct json_object *result)
{
	(void)f;
	(void)result;
}

static void on_exit_frame(struct feed *f, uint8_t how, int value)
{
	struct deck_tab *t = f->user;

	t->have_exit = true;
	t->exit_how = how;
	t->exit_value = value;
}

static void exit_text(const struct deck_tab *t, int r, const struct err *e, char *out, size_t n)
{
	char took[32];

	str_duration(took, sizeof(took), mono_ns() - t->started_ns);
	if (t->have_exit && t->exit_how == 1)
		snprintf(out, n, "killed by signal %d after %s", t->exit_value, took);
	else if (t->have_exit)
		snprintf(out, n, "exit %d after %s", t->exit_value, took);
	else if (r < 0)
		snprintf(out, n, "%.250s", e->msg);
	else
		snprintf(out, n, "ended after %s", took);
}

static void on_end(struct feed *f, int r, const struct err *e)
{
	struct deck_tab *t = f->user;
	struct decks *ds = t->deck->decks;
	char text[300];

	exit_text(t, r, e, text, sizeof(text));
	t->started_ns = 0;
	t->source = SOURCE_NONE;
	pane_settle(t->pane);
	/* A lost connection is told by the link, once for all. */
	if (r == 0 || e->code != ECONNRESET)
		tab_rule(t, 0, "%s", text);
	if (!t->have_exit && r < 0)
		ds->h->notice(ds->user, NOTICE_ERROR, e->msg);
	ds->h->released(ds->user, t->deck, t->id);
}

const struct feed_ops run_ops = {.on_open = on_open, .on_exit = on_exit_frame, .on_end = on_end};

static struct json_object *argv_of(const char *const *argv)
{
	struct json_object *a = json_object_new_array();

	for (; *argv; argv++)
		json_object_array_add(a, json_object_new_string(*argv));
	return a;
}

static int start(struct deck_tab *t, const char *const *argv, const char *shown, struct err *e)
{
	struct decks *ds = t->deck->decks;
	struct json_object *o = json_object_new_object(), *env = json_object_new_object();
	bool tty = t->id == TAB_SHELL;
	int r;

	if (!ds->link->client) {
		json_object_put(o);
		json_object_put(env);
		return err_set(e, ENOTCONN, "no daemon at present: %s", ds->link->why);
	}
	tab_pane(t);
	/* What the pane understands. */
	jsonx_add_str(env, "TERM", "xterm-256color");
	jsonx_add_str(o, "vm", t->deck->vm.id);
	json_object_object_add(o, "argv", argv_of(argv));
	if (tty) {
		json_object_object_add(o, "env", env);
		jsonx_add_bool(o, "tty", true);
		jsonx_add_bool(o, "stdin", true);
		jsonx_add_int(o, "rows", t->rows);
		jsonx_add_int(o, "cols", t->cols);
	} else {
		json_object_put(env);
	}
	tab_rule(t, 0, "%s", shown);
	snprintf(t->command, sizeof(t->command), "%.190s", tty ? shown : argv[2]);
	t->have_exit = false;
	t->source = SOURCE_RUN;
	t->started_ns = mono_ns();
	r = feed_open(&t->feed, ds->link->client, "vm.exec", o, e);
	if (r < 0)
		t->started_ns = 0;
	return r;
}

int deck_exec(struct deck *d, const char *command, struct err *e)
{
	struct deck_tab *t = &d->tab[TAB_EXEC];
	const char *const argv[] = {"/bin/sh", "-c", command, NULL};
	char shown[256];

	if (t->started_ns)
		return err_set(e, EBUSY, "'%s' still runs in %s: C-c in its tab ends it",
			t->command, d->vm.name);
	snprintf(shown, sizeof(shown), "$ %.240s", command);
	deck_show(d, TAB_EXEC);
	return start(t, argv, shown, e);
}

int deck_shell(struct deck *d, struct err *e)
{
	static const char *const argv[] = {"/bin/sh", "-l", NULL};

	deck_show(d, TAB_SHELL);
	if (d->tab[TAB_SHELL].started_ns)
		return 0;
	return start(&d->tab[TAB_SHELL], argv, "shell", e);
}

bool deck_signal(struct deck *d, enum tab tab, int sig)
{
	struct deck_tab *t = &d->tab[tab];

	if (!t->started_ns || !t->feed.stream)
		return false;
	return api_stream_signal(t->feed.stream, sig) == 0;
}
