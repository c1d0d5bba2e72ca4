/* The console's connection to the daemon. */
#include "tui/console/link.h"

#include <errno.h>
#include <string.h>

#include "backend/api/proto.h"
#include "backend/base/jsonx.h"

#define RETRY_FIRST   0.05
#define RETRY_MAX     5.
#define RETRY_TIMEOUT 2. /* one try; keys wait that long at most */

static void link_down(struct link *l, const struct err *why)
{
	struct api_client *c = l->client;

	snprintf(l->why, sizeof(l->why), "%.290s", why->msg);
	l->client = NULL;
	l->h->on_down(l->user, why);
	api_close(c);
	ev_timer_set(&l->retry, l->delay, 0);
	ev_timer_start(l->loop, &l->retry);
}

static void on_lost(void *user, const struct err *e)
{
	link_down(user, e);
}

void link_event(struct link *l, struct json_object *event, bool gap)
{
	const char *name = jsonx_str(event, "name");

	l->seq = (uint64_t)jsonx_int(event, "seq", (int64_t)l->seq);
	/* A replay may hold the stop of an earlier daemon: the start of this one is behind it. */
	if (name && strcmp(name, "daemon.stop") == 0)
		l->stopped = true;
	else if (name && strcmp(name, "daemon.start") == 0)
		l->stopped = false;
	l->h->on_event(l->user, event, gap);
}

static void on_stats(void *user, struct json_object *host)
{
	struct link *l = user;

	l->h->on_stats(l->user, host);
}

static void on_event(void *user, struct json_object *event, bool gap)
{
	link_event(user, event, gap);
}

static void on_subscribed(void *user, int r, struct json_object *result, const struct err *e)
{
	struct link *l = user;

	(void)e;
	if (r == 0 && l->seq == 0)
		l->seq = (uint64_t)jsonx_int(result, "seq", 0);
}

int link_open(struct link *l, double timeout, struct err *e)
{
	const struct api_opts opts = {.client = "vmdeck console " VMDECK_VERSION,
		.timeout = timeout,
		.read_only = l->read_only,
		.no_start = l->stopped || l->no_start};
	struct json_object *params = json_object_new_object();
	int r = api_open(&l->client, l->loop, &opts, e);

	if (r < 0) {
		json_object_put(params);
		l->client = NULL;
		return r;
	}
	api_set_event_handler(l->client, on_event, l);
	api_set_stats_handler(l->client, on_stats, l);
	api_set_lost_handler(l->client, on_lost, l);
	if (l->seq)
		jsonx_add_int(params, "since", (int64_t)l->seq);
	r = api_call(l->client, "event.subscribe", params, on_subscribed, l, e);
	if (r < 0) {
		api_close(l->client);
		l->client = NULL;
		return r;
	}
	l->delay = RETRY_FIRST;
	l->stopped = false;
	l->h->on_up(l->user);
	return 0;
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct link *l = w->data;
	struct err e = {0};

	(void)revents;
	if (link_open(l, RETRY_TIMEOUT, &e) == 0)
		return;
	snprintf(l->why, sizeof(l->why), "%.290s", e.msg);
	l->delay = min_of(l->delay * 2, RETRY_MAX);
	ev_now_update(loop);
	ev_timer_set(&l->retry, l->delay, 0);
	ev_timer_start(loop, &l->retry);
}

void link_init(struct link *l, struct ev_loop *loop, const struct link_handler *h, void *user)
{
	*l = (struct link){.loop = loop, .h = h, .user = user, .delay = RETRY_FIRST};
	ev_init(&l->retry, on_retry);
	l->retry.data = l;
}

void link_fini(struct link *l)
{
	if (!l->loop)
		return;
	ev_timer_stop(l->loop, &l->retry);
	api_close(l->client);
	l->client = NULL;
}

bool link_wake(struct link *l)
{
	if (l->client || !ev_is_active(&l->retry))
		return false;
	l->stopped = false;
	l->delay = RETRY_FIRST;
	ev_timer_stop(l->loop, &l->retry);
	ev_timer_set(&l->retry, 0, 0);
	ev_timer_start(l->loop, &l->retry);
	return true;
}

int link_call(struct link *l, const char *method, struct json_object *params, api_reply *fn,
	void *user, struct err *e)
{
	if (!l->client) {
		json_object_put(params);
		return l->stopped ? err_set(e, ENOTCONN, "%s", LINK_STOPPED)
				  : err_set(e, ENOTCONN, "no daemon at present: %s", l->why);
	}
	return api_call(l->client, method, params, fn, user, e);
}
