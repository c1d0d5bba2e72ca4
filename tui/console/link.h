/* The console's connection to the daemon: opened, lost, opened again with back-off; events. */
#ifndef VMDECK_TUI_CONSOLE_LINK_H
#define VMDECK_TUI_CONSOLE_LINK_H

#include "backend/api/client.h"

#define LINK_STOPPED "vmdeckd was stopped on purpose: R starts it again"

struct link_handler {
	/* Connected and subscribed: ask for what may have changed meanwhile. */
	void (*on_up)(void *user);
	/* The connection is gone; streams must be closed before this returns. */
	void (*on_down)(void *user, const struct err *why);
	void (*on_event)(void *user, struct json_object *event, bool gap);
	/* HOST of proto.def, after host.watch. */
	void (*on_stats)(void *user, struct json_object *host);
};

struct link {
	struct ev_loop *loop;
	struct api_client *client; /* NULL: down */
	const struct link_handler *h;
	void *user;
	ev_timer retry;
	bool read_only; /* set after link_init */
	bool no_start;  /* set after link_init: no daemon is started when none is there */
	double delay;   /* s until the next try */
	uint64_t seq;   /* newest event seen */
	bool stopped;   /* it said that it ends on purpose: it is not started by us */
	char why[300];  /* why it is down */
};

void link_init(struct link *l, struct ev_loop *loop, const struct link_handler *h, void *user);
void link_fini(struct link *l);
/* Connects (blocking, at most timeout s); on failure nothing is scheduled. */
int link_open(struct link *l, double timeout, struct err *e);
/* What an event means to the link, then to the handler (also for tests without a daemon). */
void link_event(struct link *l, struct json_object *event, bool gap);
/* The operator wants the daemon that was stopped: the next try starts it, at once. False: there is
 * nothing to wake. */
bool link_wake(struct link *l);
/* As api_call; -ENOTCONN while the link is down. */
int link_call(struct link *l, const char *method, struct json_object *params, api_reply *fn,
	void *user, struct err *e);

#endif
