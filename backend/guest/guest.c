#include "backend/guest/guest_impl.h"

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

#define LOG_BURST 40
#define LOG_RATE  2.0 /* events/s */

void guest_enter(struct guest *g)
{
	g->busy++;
}

void guest_leave(struct guest *g)
{
	if (--g->busy || !g->dead)
		return;
	input_fini(g);
	free(g);
}

void guest_log(struct guest *g, const char *name, const char *fields)
{
	if (g->cb.on_log && !g->dead)
		g->cb.on_log(g, name, fields);
}

void guest_log_limited(struct guest *g, const char *name, const char *fields)
{
	struct log_gate *gate = &g->gate;
	ev_tstamp now = ev_now(g->loop);
	char hidden[40];

	gate->tokens = min_of(gate->tokens + (now - gate->counted) * LOG_RATE, LOG_BURST);
	gate->counted = now;
	if (gate->tokens < 1) {
		gate->hidden++;
		return;
	}
	gate->tokens -= 1;
	if (gate->hidden) {
		snprintf(hidden, sizeof(hidden), "{\"events\":%u}", gate->hidden);
		gate->hidden = 0;
		guest_log(g, "agent.hidden", hidden);
	}
	guest_log(g, name, fields);
}

void guest_log_why(struct guest *g, const char *name, const char *conn, const char *why)
{
	autojson struct json_object *o = json_object_new_object();
	char safe[256];

	jsonx_add_str(o, "conn", conn);
	jsonx_add_str(o, "why", str_safe(safe, sizeof(safe), why));
	guest_log_limited(g, name, jsonx_line(o));
}

int guest_open(struct guest **ret, struct ev_loop *loop, const char *vsock_path,
	const struct guest_identity *id, struct outlog *out, const struct guest_callbacks *cb,
	void *user, struct err *e)
{
	autofree uint8_t *hello = xcalloc(1, WIRE_HEADER + WIRE_PAYLOAD_MAX);
	struct guest *g = xcalloc(1, sizeof(*g));
	int r;

	g->loop = loop;
	g->id = *id;
	g->cb = *cb;
	g->user = user;
	g->gate.tokens = LOG_BURST;
	g->gate.counted = ev_now(loop);
	listener_init(&g->control.listener);
	listener_init(&g->output.listener);
	framed_init(&g->control.conn);
	framed_init(&g->output.conn);
	input_init(g);
	/* Better now than when the guest asks. */
	r = control_make_hello(g, hello, WIRE_HEADER + WIRE_PAYLOAD_MAX, e);
	if (r >= 0)
		r = control_open(g, vsock_path, e);
	if (r >= 0)
		r = output_open(g, vsock_path, out, e);
	if (r < 0) {
		guest_close(g);
		return r;
	}
	*ret = g;
	return 0;
}

void guest_close(struct guest *g)
{
	if (!g || g->dead)
		return;
	guest_enter(g);
	g->dead = true;
	control_close(g);
	output_close(g);
	guest_leave(g);
}

void *guest_user(const struct guest *g)
{
	return g->user;
}

bool guest_connected(const struct guest *g)
{
	return g->control.state == CONTROL_SERVING;
}
