/* The marked rows of a list, and their calls: a few at a time. */
#include "tui/console/bulk.h"

#include <string.h>

#include "backend/base/jsonx.h"

#define AT_ONCE 8

/* ---- which ----------------------------------------------------------------------------------- */

static void take_mark(void *user, const char *key)
{
	struct bulk *b = user;
	struct app *a = b->app;
	struct action_on on = {.context = views[a->at]->context, .row = true};
	struct bulk_item *it = &b->item[b->count];
	char why[300];

	if (a->at == VIEW_VMS)
		on.vm = model_find(&a->model, key);
	else if (a->at == VIEW_SNAPSHOTS)
		on.snapshot = model_snapshot(&a->model, key + (*key == '+'));
	if ((a->at == VIEW_VMS && !on.vm) || (a->at == VIEW_SNAPSHOTS && !on.snapshot))
		snprintf(why, sizeof(why), "%s is gone", key);
	else if (action_allowed(b->verb->action, &on, why, sizeof(why))) {
		snprintf(it->key, sizeof(it->key), "%s", key + (*key == '+'));
		snprintf(it->name, sizeof(it->name), "%.63s", on.vm ? on.vm->name : it->key);
		b->count++;
		return;
	}
	if (b->skips++ == 0)
		snprintf(b->skipped, sizeof(b->skipped), "%s", why);
}

bool bulk_run(struct app *a, enum action act, const char *arg)
{
	const struct marks *marks = &app_table(a)->marks;
	const struct bulk_verb *verb = bulk_verb_of(act);
	struct bulk *b;

	if (!verb || marks_count(marks) == 0 ||
		!(action_table[act].contexts & views[a->at]->context))
		return false;
	b = xcalloc(1, sizeof(*b));
	b->app = a;
	b->verb = verb;
	b->one = views[a->at]->one;
	b->item = xcalloc((size_t)marks_count(marks), sizeof(*b->item));
	marks_each(marks, take_mark, b);
	if (b->count == 0) {
		app_notice(a, NOTICE_WARN, "none of the %d marked: %s", b->skips, b->skipped);
		bulk_free(b);
	} else {
		verb->run(b, arg);
	}
	app_dirty(a);
	return true;
}

/* ---- calls ----------------------------------------------------------------------------------- */

void bulk_free(struct bulk *b)
{
	free(b->item);
	free(b);
}

void bulk_fini(struct app *a)
{
	while (a->bulks) {
		struct bulk *b = a->bulks;

		a->bulks = b->next;
		bulk_free(b);
	}
}

static void tell(const struct bulk *b)
{
	int ended = b->at - b->running;

	if (ended < b->count)
		app_notice(
			b->app, NOTICE_INFO, "%d of %d %s", ended - b->failed, b->count, b->done);
	else if (b->failed)
		app_notice(b->app, NOTICE_ERROR, "%d of %d %s; %s", ended - b->failed, b->count,
			b->done, b->why);
	else if (b->skips)
		app_notice(b->app, NOTICE_WARN, "%d %s, %d left out: %s", b->count, b->done,
			b->skips, b->skipped);
	else
		app_notice(b->app, NOTICE_OK, "%d %s%s %s", b->count, b->one,
			b->count == 1 ? "" : "s", b->done);
}

static void failed(struct bulk *b, const struct err *e)
{
	if (b->failed++ == 0)
		snprintf(b->why, sizeof(b->why), "%.290s", e->msg);
}

static void on_answer(void *user, int r, struct json_object *result, const struct err *e);

static void more(struct bulk *b)
{
	while (b->at < b->count && b->running < AT_ONCE) {
		const struct bulk_item *it = &b->item[b->at++];
		struct json_object *o = json_object_new_object();
		struct err e = {0};

		jsonx_add_str(o, strncmp(b->method, "vm.", 3) == 0 || it->other[0] ? "vm" : "name",
			it->key);
		if (it->other[0])
			jsonx_add_str(o, "name", it->other);
		if (link_call(&b->app->link, b->method, o, on_answer, b, &e) < 0)
			failed(b, &e);
		else
			b->running++;
	}
}

static void on_answer(void *user, int r, struct json_object *result, const struct err *e)
{
	struct bulk *b = user;
	struct bulk **at = &b->app->bulks;

	(void)result;
	b->running--;
	if (r < 0)
		failed(b, e);
	more(b);
	tell(b);
	if (b->running)
		return;
	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	bulk_free(b);
}

void bulk_start(struct bulk *b)
{
	b->next = b->app->bulks;
	b->app->bulks = b;
	more(b);
	tell(b);
	if (b->running)
		return;
	b->app->bulks = b->next;
	bulk_free(b);
}
