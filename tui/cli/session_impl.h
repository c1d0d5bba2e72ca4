/* Private to session.c and session_input.c. */
#ifndef VMDECK_CLI_SESSION_IMPL_H
#define VMDECK_CLI_SESSION_IMPL_H

#include "tui/cli/ansi.h"
#include "tui/cli/prefix.h"
#include "tui/cli/session.h"
#include "tui/cli/sink.h"

#define SESSION_INPUT    32768 /* bytes read from stdin at once */
#define SESSION_AGAIN_S  2.0   /* a second Ctrl-C within this time ends us */
#define SESSION_ENDING   6     /* signals that end us or go to the command */
#define SESSION_TERMINAL 3     /* signals about the terminal */

struct session {
	struct cli *c;
	const struct session_opts *o;
	struct session_result *ret;
	struct err *e;
	struct api_stream *stream;
	struct sink out, err;
	struct ansi ansi;
	uint8_t *filtered; /* room for one filtered chunk, owned; NULL: no filter */
	uint64_t history_end;
	bool opened, heard, ended;
	ev_io in;
	struct buf typed; /* read, not taken by the stream yet */
	bool typed_eof;
	struct prefix prefix;
	ev_signal ending[SESSION_ENDING], terminal[SESSION_TERMINAL];
	int waiting_signal; /* for the stream to be open */
	double last_int;
};

/* session.c: notes the end, once. By a signal: at once, whatever is queued. */
void session_stop(struct session *s, enum session_end how);
void session_stop_signal(struct session *s, int sig);

/* session_input.c */
void session_on_input(struct ev_loop *loop, ev_io *w, int revents);
void session_on_room(struct api_stream *st);
/* Gives the stream what was read; reads on when it took all. */
void session_pump(struct session *s);
void session_enter_raw(struct session *s);
void session_send_size(struct session *s);
void session_watch_signals(struct session *s);
void session_unwatch_signals(struct session *s);

#endif
