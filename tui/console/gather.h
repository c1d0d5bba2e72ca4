/* One command in many VMs: a few at a time, what they answer put together. Outputs that are alike
 * are kept once. */
#ifndef VMDECK_TUI_CONSOLE_GATHER_H
#define VMDECK_TUI_CONSOLE_GATHER_H

#include "backend/api/client.h"

#define GATHER_AT_ONCE  16                 /* commands that run at a time */
#define GATHER_TEXT_MAX (32 * 1024)        /* bytes kept of an output; the rest is only counted */
#define GATHER_ALL_MAX  (32 * 1024 * 1024) /* bytes kept in all */

/* Standard output or error of one. */
struct gather_text {
	char *bytes; /* owned; kept of them */
	size_t kept;
	uint64_t total, hash; /* of all */
};

enum gather_how {
	GATHER_EXIT,      /* value: exit code */
	GATHER_SIGNAL,    /* value: its number */
	GATHER_ERROR,     /* why: it did not run, or nobody knows how it ended */
	GATHER_CANCELLED, /* before it began */
};

/* VMs with the same answer. */
struct gather_group {
	enum gather_how how;
	int value, count;
	char why[200];
	struct gather_text out, err;
	bool open; /* its VMs and all of its output are shown */
};

enum gather_state { GATHER_WAITS, GATHER_RUNS, GATHER_DONE };

struct gather_item {
	struct gather *gather;
	char id[40], name[64];
	enum gather_state state;
	struct gather_group *group; /* once it is done */
	struct gather_group answer; /* until then */
	bool have_exit;
	struct api_stream *stream;
};

struct gather {
	char *command; /* owned */
	struct gather_item *item;
	int count, next, running, done;
	struct gather_group **group; /* owned; most VMs first */
	int groups;
	size_t kept;
	bool interrupted, lost;
	struct api_client *client; /* borrowed */
	void (*changed)(void *user);
	void *user;
};

/* For count VMs, given by gather_add. */
struct gather *gather_new(const char *command, int count, void (*changed)(void *user), void *user);
void gather_free(struct gather *g); /* closes what runs; NULL is fine */
void gather_add(struct gather *g, const char *id, const char *name);
/* Starts the first ones; the others follow as these end. */
void gather_start(struct gather *g, struct api_client *c);
bool gather_busy(const struct gather *g);
/* Those that wait do not begin; SIGINT for those that run, SIGKILL the second time. False: there
 * were none. */
bool gather_cancel(struct gather *g);
/* The connection is gone: nothing more is heard. */
void gather_lost(struct gather *g, const struct err *why);
/* "exit 0", "killed by signal 9", a sentence. */
const char *gather_how_text(const struct gather_group *gr, char *out, size_t n);

#endif
