/* Watchers: connections that get figures at an interval of their own while they last. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/rpc/rpc_impl.h"

#define EARLY_NS 5000000 /* timers of the loop may come so much before their time */

void rpc_watch(struct rpc_call *call, unsigned interval_ms, bool changes_only)
{
	struct conn *c = call->conn;

	if (!c)
		return;
	c->watch_ms = interval_ms;
	c->watch_due_ns = 0;
	c->watch_changes = changes_only;
	c->watch_first = true;
}

unsigned rpc_watch_interval(const struct rpc_server *s)
{
	unsigned least = 0;

	for (const struct conn *c = s ? s->conns : NULL; c; c = c->next)
		if (c->state == CONN_OPEN && c->watch_ms && (!least || c->watch_ms < least))
			least = c->watch_ms;
	return least;
}

void watch_tell(struct rpc_server *s)
{
	unsigned interval = rpc_watch_interval(s);

	if (interval == s->watch_told)
		return;
	s->watch_told = interval;
	if (s->config.on_watch_change)
		s->config.on_watch_change(s->config.user, interval);
}

void rpc_push(struct rpc_server *s, const char *method, struct json_object *params, uint64_t now_ns,
	bool changed)
{
	autojson struct json_object *o = NULL;
	const char *line = NULL;

	for (struct conn *c = s ? s->conns : NULL; c; c = c->next) {
		if (c->state != CONN_OPEN || !c->watch_ms || now_ns + EARLY_NS < c->watch_due_ns)
			continue;
		c->watch_due_ns = now_ns + (uint64_t)c->watch_ms * 1000000;
		if (c->out.len || (c->watch_changes && !changed && !c->watch_first))
			continue;
		c->watch_first = false;
		if (!line) {
			o = json_object_new_object();
			jsonx_add_str(o, "jsonrpc", "2.0");
			jsonx_add_str(o, "method", method);
			json_object_object_add(o, "params", json_object_get(params));
			line = jsonx_line(o);
		}
		(void)conn_put(c, line, strlen(line));
	}
}
