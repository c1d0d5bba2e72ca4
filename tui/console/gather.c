/* Streams of one command in many VMs, and their answers in groups. */
#include "tui/console/gather.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

#define FNV_START 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

/* ---- answers --------------------------------------------------------------------------------- */

static void text_add(struct gather *g, struct gather_text *t, const char *data, size_t n)
{
	size_t room = min_of(GATHER_TEXT_MAX - t->kept, GATHER_ALL_MAX - g->kept);
	size_t keep = min_of(n, room);

	t->hash = t->total ? t->hash : FNV_START;
	for (size_t i = 0; i < n; i++)
		t->hash = (t->hash ^ (unsigned char)data[i]) * FNV_PRIME;
	t->total += n;
	if (!keep)
		return;
	t->bytes = realloc(t->bytes, t->kept + keep);
	if (!t->bytes)
		abort();
	memcpy(t->bytes + t->kept, data, keep);
	t->kept += keep;
	g->kept += keep;
}

static void text_drop(struct gather *g, struct gather_text *t)
{
	g->kept -= t->kept;
	free(t->bytes);
	*t = (struct gather_text){0};
}

static bool text_same(const struct gather_text *a, const struct gather_text *b)
{
	size_t both = min_of(a->kept, b->kept);

	return a->total == b->total && a->hash == b->hash &&
	       (both == 0 || memcmp(a->bytes, b->bytes, both) == 0);
}

static bool same(const struct gather_group *a, const struct gather_group *b)
{
	return a->how == b->how && a->value == b->value && strcmp(a->why, b->why) == 0 &&
	       text_same(&a->out, &b->out) && text_same(&a->err, &b->err);
}

const char *gather_how_text(const struct gather_group *gr, char *out, size_t n)
{
	if (gr->how == GATHER_EXIT)
		snprintf(out, n, "exit %d", gr->value);
	else if (gr->how == GATHER_SIGNAL)
		snprintf(out, n, "killed by signal %d", gr->value);
	else
		snprintf(out, n, "%s", gr->how == GATHER_CANCELLED ? "cancelled" : gr->why);
	return out;
}

/* The biggest stay in front; of equal ones the older. */
static void move_up(struct gather *g, int i)
{
	for (; i > 0 && g->group[i - 1]->count < g->group[i]->count; i--) {
		struct gather_group *gr = g->group[i];

		g->group[i] = g->group[i - 1];
		g->group[i - 1] = gr;
	}
}

static void join(struct gather *g, struct gather_item *it)
{
	int i = 0;

	while (i < g->groups && !same(g->group[i], &it->answer))
		i++;
	if (i == g->groups) {
		g->group[i] = xcalloc(1, sizeof(*g->group[i]));
		*g->group[i] = it->answer;
		g->groups++;
	} else {
		text_drop(g, &it->answer.out);
		text_drop(g, &it->answer.err);
	}
	it->answer = (struct gather_group){0};
	it->group = g->group[i];
	it->group->count++;
	move_up(g, i);
	it->state = GATHER_DONE;
	g->done++;
}

/* ---- running --------------------------------------------------------------------------------- */

static void start_more(struct gather *g);

static void end(struct gather_item *it, enum gather_how how, const char *why)
{
	struct gather *g = it->gather;

	if (it->state == GATHER_RUNS)
		g->running--;
	if (!it->have_exit) {
		it->answer.how = how;
		str_safe(it->answer.why, sizeof(it->answer.why), why);
	}
	api_stream_close(it->stream);
	it->stream = NULL;
	join(g, it);
}

static void on_data(struct api_stream *s, bool err, uint64_t offset, const void *data, size_t n)
{
	struct gather_item *it = api_stream_user(s);

	(void)offset;
	text_add(it->gather, err ? &it->answer.err : &it->answer.out, data, n);
}

static void on_exit_frame(struct api_stream *s, uint8_t how, int value)
{
	struct gather_item *it = api_stream_user(s);

	/* 2: it was not started; the end of the stream says why. */
	if (how > 1)
		return;
	it->have_exit = true;
	it->answer.how = how ? GATHER_SIGNAL : GATHER_EXIT;
	it->answer.value = value;
}

static void on_end(struct api_stream *s, int r, int code, const struct err *e)
{
	struct gather_item *it = api_stream_user(s);
	struct gather *g = it->gather;

	(void)code;
	end(it, GATHER_ERROR, r < 0 ? e->msg : "it ended without an exit code");
	start_more(g);
	g->changed(g->user);
}

static const struct api_stream_handler handler = {
	.on_data = on_data,
	.on_exit = on_exit_frame,
	.on_end = on_end,
};

static void start_one(struct gather_item *it)
{
	struct gather *g = it->gather;
	struct json_object *o = json_object_new_object(), *argv = json_object_new_array();
	struct err e = {0};

	json_object_array_add(argv, json_object_new_string("/bin/sh"));
	json_object_array_add(argv, json_object_new_string("-c"));
	json_object_array_add(argv, json_object_new_string(g->command));
	jsonx_add_str(o, "vm", it->id);
	json_object_object_add(o, "argv", argv);
	it->state = GATHER_RUNS;
	g->running++;
	if (api_stream_open(&it->stream, g->client, "vm.exec", o, &handler, it, &e) < 0) {
		it->stream = NULL;
		end(it, GATHER_ERROR, e.msg);
	}
}

static void start_more(struct gather *g)
{
	while (!g->lost && !g->interrupted && g->next < g->count && g->running < GATHER_AT_ONCE)
		start_one(&g->item[g->next++]);
}

struct gather *gather_new(const char *command, int count, void (*changed)(void *user), void *user)
{
	struct gather *g = xcalloc(1, sizeof(*g));

	g->command = xstrdup(command);
	g->item = xcalloc((size_t)max_of(count, 1), sizeof(*g->item));
	g->group = xcalloc((size_t)max_of(count, 1), sizeof(struct gather_group *));
	g->changed = changed;
	g->user = user;
	return g;
}

void gather_add(struct gather *g, const char *id, const char *name)
{
	struct gather_item *it = &g->item[g->count++];

	it->gather = g;
	snprintf(it->id, sizeof(it->id), "%s", id);
	snprintf(it->name, sizeof(it->name), "%s", name);
}

void gather_start(struct gather *g, struct api_client *c)
{
	g->client = c;
	start_more(g);
}

void gather_free(struct gather *g)
{
	if (!g)
		return;
	for (int i = 0; i < g->count; i++) {
		api_stream_close(g->item[i].stream);
		text_drop(g, &g->item[i].answer.out);
		text_drop(g, &g->item[i].answer.err);
	}
	for (int i = 0; i < g->groups; i++) {
		text_drop(g, &g->group[i]->out);
		text_drop(g, &g->group[i]->err);
		free(g->group[i]);
	}
	free(g->group);
	free(g->item);
	free(g->command);
	free(g);
}

bool gather_busy(const struct gather *g)
{
	return g && g->done < g->count;
}

/* All that have not begun. */
static void end_waiting(struct gather *g, enum gather_how how, const char *why)
{
	while (g->next < g->count)
		end(&g->item[g->next++], how, why);
}

bool gather_cancel(struct gather *g)
{
	int sig = g && g->interrupted ? SIGKILL : SIGINT;

	if (!gather_busy(g))
		return false;
	g->interrupted = true;
	end_waiting(g, GATHER_CANCELLED, "");
	for (int i = 0; i < g->count; i++) {
		struct gather_item *it = &g->item[i];

		/* Not open yet: it has not begun either. */
		if (it->state == GATHER_RUNS && api_stream_signal(it->stream, sig) < 0)
			end(it, GATHER_CANCELLED, "");
	}
	g->changed(g->user);
	return true;
}

void gather_lost(struct gather *g, const struct err *why)
{
	if (!gather_busy(g))
		return;
	g->lost = true;
	for (int i = 0; i < g->count; i++)
		if (g->item[i].state == GATHER_RUNS)
			end(&g->item[i], GATHER_ERROR, why->msg);
	end_waiting(g, GATHER_CANCELLED, "");
	g->changed(g->user);
}
