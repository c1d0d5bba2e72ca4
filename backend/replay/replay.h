/* vmdeck-replay: a daemon that only has a recording. It speaks the console protocol, holds the
 * clock, sends the recorded events and output as time passes, answers calls with what was known at
 * that time, and refuses all that would change anything. */
#ifndef VMDECK_REPLAY_REPLAY_H
#define VMDECK_REPLAY_REPLAY_H

#include <ev.h>

#include "backend/base/buf.h"
#include "backend/record/record.h"
#include "backend/rpc/rpc.h"

#define REPLAY_SPEED_MIN 250 /* thousandths */
#define REPLAY_SPEED_MAX 16000

struct replay_stream;

struct replay {
	struct ev_loop *loop;
	struct recording rec;
	struct rpc_server *rpc;
	struct replay_stream *streams;
	size_t next;    /* first entry that has not happened yet */
	uint64_t sent;  /* number of the newest event that was sent */
	uint64_t shift; /* added to recorded numbers: sent ones never fall, wherever one looks */

	double base_ms; /* position at base_ns (monotonic) */
	uint64_t base_ns;
	int speed; /* thousandths */
	bool playing;
	bool waiting; /* plays as soon as somebody asks for the first time */
	ev_timer due; /* the next entry */
};

/* ---- player.c: the clock, and what happens when */
void player_init(struct replay *p, int64_t from_ms, int speed, bool paused);
int64_t player_position(const struct replay *p);
void player_play(struct replay *p, bool on);
void player_speed(struct replay *p, int speed);
/* Takes the state to where it was at ms. What subscribers and streams know is then another time's:
 * who asked for this opens them anew. */
void player_seek(struct replay *p, int64_t ms);
/* Sends the newest figures again, to those that watch. */
void player_tell_stats(struct replay *p);
void handle_control(struct rpc_call *call, struct json_object *params);

/* ---- state.c: what was known at the present position (caller's) */
struct json_object *state_vms(const struct replay *p);
struct json_object *state_list(const struct replay *p, enum record_call call);
struct json_object *state_timings(const struct replay *p, const char *kind, int limit);
/* NULL: none is known. */
struct json_object *state_timing(const struct replay *p, const char *id);
struct json_object *state_events(const struct replay *p, const char *vm, uint64_t since, int limit);

/* ---- stream.c: recorded output as the frames of vm.logs */
void handle_stream(struct rpc_call *call, struct json_object *params);
/* More entries have happened. */
void streams_wake(struct replay *p);
/* The position was set: streams are of another time and say no more. */
void streams_leave(struct replay *p);
void streams_fini(struct replay *p);

#endif
