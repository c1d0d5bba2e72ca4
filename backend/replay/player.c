/* The clock of a replay, and the entries it passes. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/replay/replay.h"

#define MARKS_MAX 1000

static double position(const struct replay *p)
{
	double ms = p->base_ms;

	if (p->playing)
		ms += (double)(mono_ns() - p->base_ns) / 1e6 * p->speed / 1000;
	return min_of(ms, (double)p->rec.length_ms);
}

int64_t player_position(const struct replay *p)
{
	return (int64_t)position(p);
}

static void rebase(struct replay *p)
{
	p->base_ms = position(p);
	p->base_ns = mono_ns();
}

static void send_event(struct replay *p, const struct record_entry *en)
{
	autojson struct json_object *line = recording_line(en);
	struct json_object *o = jsonx_get(line, "event"), *fields = jsonx_get(o, "fields");
	const char *vm = jsonx_str(o, "vm"), *vm_name = jsonx_str(o, "vm_name");
	struct event ev = {
		.seq = max_of(en->seq + p->shift, p->sent + 1),
		.mono_ns = (uint64_t)max_of(jsonx_int(o, "mono_ns", 0), 0),
		.wall_ns = (uint64_t)max_of(jsonx_int(o, "wall_ns", 0), 0),
		.vm = vm ? vm : "",
		.vm_name = vm_name ? vm_name : "",
		.name = jsonx_str(o, "name"),
		.fields = fields ? jsonx_line(fields) : "{}",
	};

	p->sent = ev.seq;
	rpc_publish(p->rpc, &ev);
}

static void send_stats(struct replay *p, const struct record_entry *en)
{
	autojson struct json_object *line = recording_line(en);

	rpc_push(p->rpc, "host.stats", jsonx_get(line, "stats"), mono_ns(), true);
}

void player_tell_stats(struct replay *p)
{
	for (size_t i = p->next; i-- > 0;)
		if (p->rec.entry[i].kind == RECORD_STATS) {
			send_stats(p, &p->rec.entry[i]);
			return;
		}
}

static void arm(struct replay *p)
{
	double wait = p->next < p->rec.count ? (double)p->rec.entry[p->next].ms : 0;

	ev_timer_stop(p->loop, &p->due);
	if (!p->playing)
		return;
	if (p->next == p->rec.count)
		wait = (double)p->rec.length_ms;
	wait = (wait - position(p)) / p->speed;
	ev_now_update(p->loop);
	ev_timer_set(&p->due, max_of(wait, 0.), 0);
	ev_timer_start(p->loop, &p->due);
}

/* Everything up to the present position happens. */
static void happen(struct replay *p)
{
	double now = position(p);

	for (; p->next < p->rec.count && (double)p->rec.entry[p->next].ms <= now; p->next++)
		if (p->rec.entry[p->next].kind == RECORD_EVENT)
			send_event(p, &p->rec.entry[p->next]);
		else if (p->rec.entry[p->next].kind == RECORD_STATS)
			send_stats(p, &p->rec.entry[p->next]);
	streams_wake(p);
	if (p->playing && now >= (double)p->rec.length_ms)
		player_play(p, false);
	arm(p);
}

static void on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	happen(w->data);
}

void player_play(struct replay *p, bool on)
{
	rebase(p);
	p->playing = on && p->base_ms < (double)p->rec.length_ms;
	arm(p);
}

void player_speed(struct replay *p, int speed)
{
	rebase(p);
	p->speed = max_of(REPLAY_SPEED_MIN, min_of(speed, REPLAY_SPEED_MAX));
	arm(p);
}

void player_seek(struct replay *p, int64_t ms)
{
	uint64_t seq = 0;

	p->base_ms = (double)max_of((int64_t)0, min_of(ms, p->rec.length_ms));
	p->base_ns = mono_ns();
	p->next = 0;
	while (p->next < p->rec.count && (double)p->rec.entry[p->next].ms <= p->base_ms)
		p->next++;
	/* The next event gets a number above all that were sent. */
	for (size_t i = p->next; i < p->rec.count && !seq; i++)
		if (p->rec.entry[i].kind == RECORD_EVENT)
			seq = p->rec.entry[i].seq;
	if (seq && seq + p->shift <= p->sent)
		p->shift = p->sent + 1 - seq;
	streams_leave(p);
	arm(p);
}

void player_init(struct replay *p, int64_t from_ms, int speed, bool paused)
{
	struct event first = {.vm = "", .vm_name = "", .name = "replay", .fields = "{}"};

	ev_init(&p->due, on_due);
	p->due.data = p;
	p->speed = REPLAY_SPEED_MAX;
	player_speed(p, speed);
	player_seek(p, from_ms);
	p->waiting = !paused;
	/* Nobody listens yet: this only tells the server where the numbers are. */
	for (size_t i = 0; i < p->next; i++)
		if (p->rec.entry[i].kind == RECORD_EVENT)
			p->sent = p->rec.entry[i].seq;
	for (size_t i = p->next; i < p->rec.count && !p->sent; i++)
		if (p->rec.entry[i].kind == RECORD_EVENT)
			p->sent = max_of(p->rec.entry[i].seq, 1u) - 1;
	first.seq = p->sent;
	rpc_publish(p->rpc, &first);
}

/* ---- replay.control -------------------------------------------------------------------------- */

static struct json_object *marks_json(const struct replay *p)
{
	struct json_object *list = json_object_new_array();
	int count = 0;

	for (size_t i = 0; i < p->rec.count && count < MARKS_MAX; i++) {
		autojson struct json_object *line = NULL;
		struct json_object *o;

		if (p->rec.entry[i].kind != RECORD_MARK)
			continue;
		line = recording_line(&p->rec.entry[i]);
		o = json_object_new_object();
		jsonx_add_int(o, "ms", p->rec.entry[i].ms);
		jsonx_add_str(o, "text", jsonx_str(line, "mark"));
		json_object_array_add(list, o);
		count++;
	}
	return list;
}

static struct json_object *control_json(const struct replay *p)
{
	struct json_object *o = json_object_new_object();
	double now = position(p);

	jsonx_add_int(o, "position_us", (int64_t)(now * 1000));
	jsonx_add_int(o, "length_ms", p->rec.length_ms);
	jsonx_add_int(o, "wall_ns", (int64_t)p->rec.wall_ns);
	jsonx_add_int(o, "speed", p->speed);
	jsonx_add_bool(o, "playing", p->playing);
	json_object_object_add(o, "marks", marks_json(p));
	return o;
}

static int control(struct replay *p, const char *action, struct json_object *params, struct err *e)
{
	int64_t ms = jsonx_int(params, "at_ms", -1), speed = jsonx_int(params, "speed", 0);

	if (strcmp(action, "play") == 0)
		player_play(p, true);
	else if (strcmp(action, "pause") == 0)
		player_play(p, false);
	else if (strcmp(action, "speed") == 0 && speed)
		player_speed(p, (int)speed);
	else if (strcmp(action, "seek") == 0 && ms >= 0)
		player_seek(p, ms);
	else
		return err_set(e, EINVAL,
			"replay.control does play, pause, speed (with speed) and seek (with "
			"at_ms), "
			"not '%.20s'",
			action);
	return 0;
}

void handle_control(struct rpc_call *call, struct json_object *params)
{
	struct replay *p = rpc_user(call);
	const char *action = jsonx_str(params, "action");
	struct err e = {0};

	if (action && control(p, action, params, &e) < 0) {
		rpc_fail(call, &e);
		return;
	}
	if (p->waiting)
		player_play(p, true);
	p->waiting = false;
	/* What is due is known before the answer that says so. */
	happen(p);
	rpc_reply(call, control_json(p));
}
