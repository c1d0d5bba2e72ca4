/* For tests of tui/cli/session.h: a session with pipes for a terminal, whose daemon is a script.
 * The linked program has this client library instead of backend/api/client.h's. */
#ifndef VMDECK_TESTS_FAKE_SESSION_H
#define VMDECK_TESTS_FAKE_SESSION_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "tui/cli/session.h"

#define FAKE_TEXT_MAX 4096

/* What the daemon does: called again and again while the stream is open, step counts from 0. */
typedef void fake_script(struct api_stream *st, int step);

/* The one stream of a session; opening it again keeps script, opens, take and broken. */
struct api_stream {
	fake_script *script;
	int opens;
	size_t take; /* bytes that a write takes, 0: all */
	bool broken; /* writes fail */
	struct ev_loop *loop;
	const struct api_stream_handler *h;
	void *user;
	ev_timer tick; /* runs the script */
	int step;
	bool held, was_held, eof, closed;
	char got[FAKE_TEXT_MAX];
	size_t got_n;
	int signals[8], signal_count;
	char params[300];
};

struct fake_session {
	struct cli c;
	struct api_stream st;
	struct session_result res;
	struct err e;
	int r;
	char out[FAKE_TEXT_MAX], err[FAKE_TEXT_MAX];
	int in[2], fds[2][2], saved[3]; /* pipes of stdin, of stdout and stderr */
	ev_timer deadline;
};

/* Between begin and end stdin, stdout and stderr of this process are x's pipes; end fills out and
 * err. A test that closes an end of a pipe itself sets it to -1. */
void fake_begin(struct fake_session *x);
void fake_end(struct fake_session *x);
/* session_run with the script; what it returns is in x->r, x->res and x->e. */
void fake_go(struct fake_session *x, const struct session_opts *o, fake_script *script);
/* Signals as a session of an operator finds them. Call it at the start of main. */
void fake_default_signals(void);

/* Words of scripts. */
void script_say(struct api_stream *st, bool err, const char *text);
void script_open(struct api_stream *st, int64_t start, int64_t end);
void script_finish(struct api_stream *st, int how, int value);

#endif
