/* The blocking form of a call, for command lines.
 *
 * A callback may wait again while another wait is on the stack, so waits form a stack of their own:
 * only the innermost one breaks the loop, and when it returns it breaks the next when that has its
 * answer already. */
#include "backend/api/client_impl.h"

#include <errno.h>

/* On the stack of api_call_wait. */
struct wait {
	struct wait *outer;
	struct api_client *client; /* NULL once it was closed */
	struct ev_loop *loop;
	ev_timer timer;
	const char *method;
	double timeout;
	bool done;
	int r;
	struct json_object *result; /* owned until the caller takes it */
	struct err *e;
};

static void wait_end(struct wait *w, int r)
{
	w->done = true;
	w->r = r;
	if (w->client->waits == w)
		ev_break(w->loop, EVBREAK_ONE);
}

static void on_reply(void *user, int r, struct json_object *result, const struct err *e)
{
	struct wait *w = user;

	w->result = json_object_get(result);
	if (r < 0 && w->e)
		*w->e = *e;
	wait_end(w, r);
}

static void on_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct wait *w = container_of(t, struct wait, timer);

	(void)loop;
	(void)revents;
	client_forget(w->client, w);
	wait_end(w, err_set(w->e, ETIMEDOUT, "%s: vmdeckd has not answered within %.3g s",
			    w->method, w->timeout));
}

void client_end_waits(struct api_client *c)
{
	for (struct wait *w = c->waits; w; w = w->outer) {
		ev_timer_stop(w->loop, &w->timer);
		if (!w->done)
			wait_end(w,
				err_set(w->e, ECANCELED, "%s: the client was closed", w->method));
		w->client = NULL;
	}
}

/* The loop runs until w is done, or somebody else breaks it. */
static void wait_run(struct wait *w)
{
	ev_timer_init(&w->timer, on_timer, w->timeout, 0);
	ev_now_update(w->loop);
	if (w->timeout > 0)
		ev_timer_start(w->loop, &w->timer);
	ev_run(w->loop, 0);
	ev_timer_stop(w->loop, &w->timer);
}

int api_call_wait(struct api_client *c, const char *method, struct json_object *params,
	double timeout, struct json_object **ret_result, struct err *e)
{
	struct wait w = {.outer = c->waits,
		.client = c,
		.loop = c->loop,
		.method = method,
		.timeout = timeout,
		.e = e};
	int r = api_call(c, method, params, on_reply, &w, e);

	if (r < 0)
		return r;
	/* Taken out again below, before w ends. */
	// cppcheck-suppress autoVariables
	c->waits = &w;
	wait_run(&w);
	if (!w.done) {
		client_forget(c, &w);
		w.r = err_set(e, EINTR, "%s: interrupted", method);
	}
	if (w.client)
		c->waits = w.outer;
	if (w.outer && w.outer->done)
		ev_break(w.loop, EVBREAK_ONE);
	if (w.r == 0 && ret_result)
		*ret_result = w.result;
	else
		json_object_put(w.result);
	return w.r;
}
