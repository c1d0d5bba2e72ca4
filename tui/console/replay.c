/* Time of a replay: what the keys do to it, and what is on the screen after a jump. */
#include "tui/console/replay.h"

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "tui/console/act.h"
#include "tui/console/copy_mode.h"

#define STEP_MS   5000
#define MARKS_MAX 1000
#define NEAR_MS   1000 /* a mark just passed is not the one before */

struct replay {
	double ms; /* position at `at` */
	uint64_t at_ns;
	int64_t length_ms;
	int speed; /* thousandths */
	bool playing;
	int64_t mark[MARKS_MAX];
	int marks;
};

void replay_init(struct app *a)
{
	a->replay = xcalloc(1, sizeof(*a->replay));
	a->link.no_start = true;
}

void replay_fini(struct app *a)
{
	if (a->replay)
		clock_reset();
	free(a->replay);
	a->replay = NULL;
}

static double position(const struct replay *p)
{
	double ms = p->ms;

	if (p->playing)
		ms += (double)(mono_ns() - p->at_ns) / 1e6 * p->speed / 1000;
	return min_of(ms, (double)p->length_ms);
}

bool replay_playing(const struct app *a)
{
	return a->replay && a->replay->playing;
}

static void take(struct app *a, struct json_object *o)
{
	struct replay *p = a->replay;
	struct json_object *marks = jsonx_get(o, "marks");
	uint64_t wall = (uint64_t)jsonx_int(o, "wall_ns", 0);
	int64_t us = max_of(jsonx_int(o, "position_us", 0), 0);
	size_t n =
		json_object_is_type(marks, json_type_array) ? json_object_array_length(marks) : 0;

	p->ms = (double)us / 1000;
	p->at_ns = mono_ns();
	p->length_ms = max_of(jsonx_int(o, "length_ms", 0), 0);
	p->speed = (int)max_of(jsonx_int(o, "speed", 1000), 1);
	p->playing = jsonx_bool(o, "playing", false);
	p->marks = (int)min_of(n, (size_t)MARKS_MAX);
	for (int i = 0; i < p->marks; i++)
		p->mark[i] = jsonx_int(json_object_array_get_idx(marks, (size_t)i), "ms", 0);
	clock_set(wall + (uint64_t)us * 1000, p->playing ? p->speed : 0,
		wall + (uint64_t)p->length_ms * 1000000);
	app_dirty(a);
}

/* What is known is of another time. Rows that are there again stay selected. */
static void forget(struct app *a)
{
	char selected[VIEW__COUNT][sizeof(a->table[0].selected)];

	if (a->keys.deck)
		attach_end(a);
	if (a->copy)
		copy_mode_leave(a);
	facts_fini(a);
	for (int i = 0; i < VIEW__COUNT; i++) {
		table_thaw(&a->table[i]);
		memcpy(selected[i], a->table[i].selected, sizeof(selected[i]));
	}
	decks_fini(&a->decks);
	a->decks.count = 0;
	model_fini(&a->model);
	model_init(&a->model);
	for (int i = 0; i < VIEW__COUNT; i++) {
		table_fill(&a->table[i], &a->model);
		memcpy(a->table[i].selected, selected[i], sizeof(selected[i]));
	}
}

static void on_state(struct app *a, struct json_object *result)
{
	take(a, result);
	if (a->opts->quit_at_end && !a->replay->playing &&
		a->replay->ms >= (double)a->replay->length_ms)
		app_quit(a, 0);
}

static void on_sought(struct app *a, struct json_object *result)
{
	take(a, result);
	forget(a);
	app_load(a);
}

static void control(struct app *a, const char *action, const char *key, int64_t value)
{
	struct json_object *o = json_object_new_object();

	if (action)
		jsonx_add_str(o, "action", action);
	if (key)
		jsonx_add_int(o, key, value);
	app_call_for(a, "replay.control", o,
		action && strcmp(action, "seek") == 0 ? on_sought : on_state);
}

void replay_up(struct app *a)
{
	control(a, NULL, NULL, 0);
}

void replay_tick(struct app *a)
{
	/* The server stops there by itself: it says so. */
	if (replay_playing(a) && position(a->replay) >= (double)a->replay->length_ms) {
		a->replay->playing = false;
		control(a, "pause", NULL, 0);
	}
}

static char *time_of(char *out, size_t n, double ms)
{
	int tenths = (int)(ms / 100);

	snprintf(out, n, "%d:%02d.%d", tenths / 600, tenths / 10 % 60, tenths % 10);
	return out;
}

const char *replay_text(const struct app *a, char *out, size_t n)
{
	const struct replay *p = a->replay;
	char now[32], length[32], speed[24] = "";

	if (p->speed && p->speed != 1000)
		snprintf(speed, sizeof(speed), " x%g", p->speed / 1000.);
	if (!p->speed) {
		snprintf(out, n, " REPLAY ");
		return out;
	}
	snprintf(out, n, " REPLAY %s/%s%s%s ", time_of(now, sizeof(now), position(p)),
		time_of(length, sizeof(length), (double)p->length_ms), speed,
		p->playing                            ? ""
		: position(p) >= (double)p->length_ms ? " end"
						      : " paused");
	return out;
}

/* ---- actions --------------------------------------------------------------------------------- */

static void seek(struct app *a, double ms)
{
	struct replay *p = a->replay;

	/* The next key counts from there, also when it comes before the answer. */
	p->ms = max_of(0., min_of(ms, (double)p->length_ms));
	p->at_ns = mono_ns();
	control(a, "seek", "at_ms", (int64_t)p->ms);
}

void act_REPLAY_PAUSE(struct app *a, const char *arg)
{
	const struct replay *p = a->replay;

	(void)arg;
	if (!p->playing && position(p) >= (double)p->length_ms)
		app_notice(a, NOTICE_INFO, "the recording ends here: , goes back");
	else
		control(a, p->playing ? "pause" : "play", NULL, 0);
}

void act_REPLAY_BACK(struct app *a, const char *arg)
{
	(void)arg;
	seek(a, position(a->replay) - STEP_MS);
}

void act_REPLAY_FORWARD(struct app *a, const char *arg)
{
	(void)arg;
	seek(a, position(a->replay) + STEP_MS);
}

void act_REPLAY_MARK_BACK(struct app *a, const char *arg)
{
	const struct replay *p = a->replay;
	int64_t to = 0;

	(void)arg;
	for (int i = 0; i < p->marks; i++)
		if ((double)p->mark[i] < position(p) - (p->playing ? NEAR_MS : 0))
			to = p->mark[i];
	seek(a, (double)to);
}

void act_REPLAY_MARK(struct app *a, const char *arg)
{
	const struct replay *p = a->replay;
	int64_t to = p->length_ms;

	(void)arg;
	for (int i = p->marks; i-- > 0;)
		if (p->mark[i] > (int64_t)position(p))
			to = p->mark[i];
	seek(a, (double)to);
}

static void set_speed(struct app *a, double speed)
{
	if (speed >= 0.25 && speed <= 16)
		control(a, "speed", "speed", (int64_t)(speed * 1000 + 0.5));
	else
		app_notice(a, NOTICE_ERROR, "a replay's speed is 0.25 to 16");
}

void act_REPLAY_SLOWER(struct app *a, const char *arg)
{
	(void)arg;
	set_speed(a, a->replay->speed / 2000.);
}

void act_REPLAY_FASTER(struct app *a, const char *arg)
{
	(void)arg;
	set_speed(a, a->replay->speed / 500.);
}

void act_REPLAY_SPEED(struct app *a, const char *arg)
{
	set_speed(a, strtod(arg, NULL));
}

void act_REPLAY_SEEK(struct app *a, const char *arg)
{
	char *end = NULL;
	double s = strtod(arg, &end);

	if (end != arg && *end == ':') {
		arg = end + 1;
		s = s * 60 + strtod(arg, &end);
	}
	if (end == arg || *end || !(s >= 0 && s < 1e7))
		app_notice(a, NOTICE_ERROR, "where to? :replay-seek 12.5 or 1:30");
	else
		seek(a, s * 1000);
}
