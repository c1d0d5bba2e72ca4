/* Event subscriptions: replay of what is kept after `since`, then live, without hole or repetition.
 *
 * A replay goes in steps that wait for the subscriber to read. Live events are queued at once; when
 * the queue is full they are passed over until half of it is read, so the hole is one and visible.
 */
#include "backend/rpc/rpc_impl.h"

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"

static uint64_t newest(const struct rpc_server *s)
{
	return s->config.events ? events_seq(s->config.events) : s->seq;
}

/* Number of the first event that will be sent to one that knows all up to `since`. */
static int first_after(struct rpc_server *s, uint64_t since, uint64_t *ret, struct err *e)
{
	autojson struct json_object *a = NULL;
	int r = events_next(s->config.events, since, 1, &a, e);

	if (r < 0)
		return r;
	*ret = json_object_array_length(a)
		       ? (uint64_t)jsonx_int(json_object_array_get_idx(a, 0), "seq", 0)
		       : newest(s) + 1;
	return 0;
}

static int check_start(const struct conn *c, bool replay, struct err *e)
{
	if (c->sub != SUB_NONE)
		return err_set(e, EALREADY, "this connection has subscribed to events already");
	if (replay && !c->server->config.events)
		return err_set(e, EOPNOTSUPP, "no events are kept here: subscribe without 'since'");
	return 0;
}

void sub_start(struct conn *c, struct rpc_call *call, struct json_object *params)
{
	int64_t since = jsonx_int(params, "since", -1);
	uint64_t seq = newest(c->server), first = seq + 1;
	struct json_object *result;
	struct err e;
	int r = check_start(c, since >= 0, &e);

	if (!r && since >= 0 && (uint64_t)since < seq)
		r = first_after(c->server, (uint64_t)since, &first, &e);
	if (r < 0) {
		rpc_fail(call, &e);
		return;
	}
	c->sub = first <= seq ? SUB_REPLAY : SUB_LIVE;
	c->cursor = first - 1;
	result = json_object_new_object();
	jsonx_add_int(result, "seq", (int64_t)seq);
	jsonx_add_int(result, "first", (int64_t)first);
	rpc_reply(call, result);
}

void sub_publish(struct conn *c, uint64_t seq, const char *line, size_t n)
{
	/* The last step of a replay may have sent it already. */
	if (seq <= c->cursor)
		return;
	c->cursor = seq;
	if (c->behind && c->out.len <= RPC_QUEUE_MAX / 2)
		c->behind = false;
	if (c->out.len + n > RPC_QUEUE_MAX)
		c->behind = true;
	if (!c->behind)
		(void)conn_put(c, line, n);
}

static void put_event(struct conn *c, struct json_object *event)
{
	autojson struct json_object *o = json_object_new_object();
	const char *line;

	jsonx_add_str(o, "jsonrpc", "2.0");
	jsonx_add_str(o, "method", "event");
	json_object_object_add(o, "params", json_object_get(event));
	line = jsonx_line(o);
	(void)conn_put(c, line, strlen(line));
	c->cursor = (uint64_t)jsonx_int(event, "seq", 0);
}

bool sub_wants_turn(const struct conn *c)
{
	return c->sub == SUB_REPLAY && c->out.len <= RPC_SEND_FIRST;
}

void sub_replay(struct conn *c)
{
	struct events *l = c->server->config.events;
	autojson struct json_object *a = NULL;
	size_t n;

	if (!sub_wants_turn(c))
		return;
	if (events_next(l, c->cursor, RPC_REPLAY, &a, NULL) < 0) {
		/* What cannot be read is a hole like any other. */
		c->cursor = newest(c->server);
		c->sub = SUB_LIVE;
		return;
	}
	n = json_object_array_length(a);
	for (size_t i = 0; i < n; i++)
		put_event(c, json_object_array_get_idx(a, i));
	if (!n || c->cursor >= newest(c->server)) {
		c->cursor = newest(c->server);
		c->sub = SUB_LIVE;
	}
}
