/* One byte stream of the daemon (exec, attach, logs) joined to this process' terminal or pipes. */
#ifndef VMDECK_CLI_SESSION_H
#define VMDECK_CLI_SESSION_H

#include "tui/cli/cli.h"

enum session_screen {
	SCREEN_PLAIN,  /* bytes as they come */
	SCREEN_LIVE,   /* the same, and what the guest switched on is switched off at the end */
	SCREEN_REPLAY, /* history without the queries in it, then LIVE */
	SCREEN_SAFE,   /* ANSI_SAFE */
};

struct session_opts {
	const char *method;
	bool input;       /* copy stdin */
	bool raw;         /* stdin is a terminal: raw mode, its size is followed */
	bool keep_output; /* raw: the guest sends bare line feeds */
	bool prefix;      /* C-] detaches */
	bool forward;     /* signals go to the command instead of ending us */
	enum session_screen screen;
	const char *name; /* VM, for remarks */
};

enum session_end {
	SESSION_DONE,     /* the stream's end; exited says whether the exit below is known */
	SESSION_REFUSED,  /* code is podman's */
	SESSION_LOST,     /* the connection broke */
	SESSION_DETACHED, /* the operator left */
	SESSION_SIGNAL,   /* signal ended us */
	SESSION_OUTPUT,   /* our output failed; r says how */
};

struct session_result {
	enum session_end end;
	int r, code, signal;
	bool exited;
	uint8_t how; /* 0 exited, 1 signalled, 2 not started */
	int value;
	uint64_t next; /* offset behind the last output byte */
};

/* Runs a stream to its end on c's connection; takes params. The terminal is as before when it
 * returns. 0 with *ret filled, or -errno when it could not be opened at all; e also has the
 * sentence for REFUSED, LOST and OUTPUT. */
int session_run(struct cli *c, struct json_object *params, const struct session_opts *o,
	struct session_result *ret, struct err *e);

/* The same for attach and logs, connecting first: a daemon that dies has lost no output, so its
 * successor is asked to go on where this one stopped. */
int session_follow(struct cli *c, struct json_object *params, const struct session_opts *o,
	struct session_result *ret, struct err *e);

/* Exit code of a command that ended by (how, value). */
int session_exit_code(uint8_t how, int value);

#endif
