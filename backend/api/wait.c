/* The blocking form of a call, for command lines. */
#include "backend/api/client_impl.h"

#include <errno.h>

/* On the stack of api_call_wait. A client closed meanwhile has answered it first. */
struct wait {
	struct api_client *client; /* valid until done */
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
	ev_break(w->loop, EVBREAK_ONE);
}

void client_wait_reply(void *user, int r, struct json_object *result, const struct err *e)
{
	struct wait *w = user;

	w->result = json_object_get(result);
	if (r < 0 && w->e)
		*w->e = *e;
	wait_end(w, r);
}

static void on_wait_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct wait *w = container_of(t, struct wait, timer);

	(void)loop;
	(void)revents;
	client_forget(w->client, w);
	wait_end(w, err_set(w->e, ETIMEDOUT, "%s: vmdeckd has not answered within %.3g s",
			    w->method, w->timeout));
}

int api_call_wait(struct api_client *c, const char *method, struct json_object *params,
	double timeout, struct json_object **ret_result, struct err *e)
{
	struct wait w = {
		.client = c, .loop = c->loop, .method = method, .timeout = timeout, .e = e};
	int r = api_call(c, method, params, client_wait_reply, &w, e);

	if (r < 0)
		return r;
	ev_timer_init(&w.timer, on_wait_timer, timeout, 0);
	ev_now_update(w.loop);
	if (timeout > 0)
		ev_timer_start(w.loop, &w.timer);
	ev_run(w.loop, 0);
	ev_timer_stop(w.loop, &w.timer);
	if (!w.done) {
		client_forget(c, &w);
		w.r = err_set(e, EINTR, "%s: interrupted", method);
	}
	if (w.r == 0 && ret_result)
		*ret_result = w.result;
	else
		json_object_put(w.result);
	return w.r;
}
