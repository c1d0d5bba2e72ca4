/* The console's connection to the daemon: opened, lost, opened again with back-off; events. */
#ifndef VMDECK_TUI_CONSOLE_LINK_H
#define VMDECK_TUI_CONSOLE_LINK_H

#include "backend/api/client.h"

struct link_handler {
	/* Connected and subscribed: ask for what may have changed meanwhile. */
	void (*on_up)(void *user);
	/* The connection is gone; streams must be closed before this returns. */
	void (*on_down)(void *user, const struct err *why);
	void (*on_event)(void *user, struct json_object *event, bool gap);
};

struct link {
	struct ev_loop *loop;
	struct api_client *client; /* NULL: down */
	const struct link_handler *h;
	void *user;
	ev_timer retry;
	double delay;  /* s until the next try */
	uint64_t seq;  /* newest event seen */
	char why[300]; /* why it is down */
	bool no_start; /* no daemon is started when none is there */
};

void link_init(struct link *l, struct ev_loop *loop, const struct link_handler *h, void *user);
void link_fini(struct link *l);
/* Connects (blocking, at most timeout s); on failure nothing is scheduled. */
int link_open(struct link *l, double timeout, struct err *e);
/* As api_call; -ENOTCONN while the link is down. */
int link_call(struct link *l, const char *method, struct json_object *params, api_reply *fn,
	void *user, struct err *e);

#endif
