#include "backend/api/client_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/base/lines.h"
#include "backend/base/str.h"

/* ---- lines ----------------------------------------------------------------------------------- */

int client_put_call(
	struct buf *out, int64_t id, const char *method, struct json_object *params, struct err *e)
{
	autojson struct json_object *o = json_object_new_object();
	const char *line;
	size_t n;

	jsonx_add_str(o, "jsonrpc", "2.0");
	jsonx_add_int(o, "id", id);
	jsonx_add_str(o, "method", method);
	if (params)
		json_object_object_add(o, "params", params);
	line = jsonx_line(o);
	n = strlen(line);
	if (n > PROTO_LINE_MAX)
		return err_set(e, E2BIG, "%s: the call has %zu bytes, at most %d are allowed",
			method, n, PROTO_LINE_MAX);
	if (buf_room(out) <= n || buf_append(out, line, n) < 0 || buf_append(out, "\n", 1) < 0)
		return err_set(
			e, ENOBUFS, "%s: too many calls are on their way to vmdeckd", method);
	return 0;
}

int client_take_error(struct json_object *error, struct err *e)
{
	int64_t code = jsonx_int(error, "code", -32603);
	const char *text = jsonx_str(error, "message");
	char shown[sizeof(e->msg)];
	int n = EPROTO;

	if (code == -32602)
		n = EINVAL;
	else if (code == -32601)
		n = ENOSYS;
	else if (code < -32000 && code > -32000 - 4096)
		n = (int)(-32000 - code);
	return err_set(
		e, n, "%s", str_safe(shown, sizeof(shown), text ? text : "vmdeckd gave no reason"));
}

void client_nonblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

/* ---- lifetime -------------------------------------------------------------------------------- */

static void client_free(struct api_client *c)
{
	struct pending *next;

	for (struct pending *p = c->first; p; p = next) {
		next = p->next;
		free(p);
	}
	buf_fini(&c->in);
	buf_fini(&c->out);
	json_object_put(c->hello);
	free(c->socket_path);
	free(c);
}

static void client_disconnect(struct api_client *c)
{
	ev_io_stop(c->loop, &c->rd);
	ev_io_stop(c->loop, &c->wr);
	close_fd(&c->fd);
}

static void client_enter(struct api_client *c)
{
	c->depth++;
}

static void client_leave(struct api_client *c)
{
	if (--c->depth == 0 && c->closed)
		client_free(c);
}

static struct pending *take_pending(struct api_client *c, int64_t id)
{
	for (struct pending **at = &c->first; *at; at = &(*at)->next) {
		struct pending *p = *at;

		if (p->id != id)
			continue;
		*at = p->next;
		if (c->last == &p->next)
			c->last = at;
		return p;
	}
	return NULL;
}

/* The connection is of no use any more: every call is answered, then the owner is told. */
static void client_lost(struct api_client *c, const struct err *e)
{
	if (c->state == CLIENT_LOST)
		return;
	c->state = CLIENT_LOST;
	client_disconnect(c);
	while (c->first && !c->closed) {
		struct pending *p = take_pending(c, c->first->id);

		if (p->fn)
			p->fn(p->user, -e->code, NULL, e);
		free(p);
	}
	if (c->on_lost && !c->closed)
		c->on_lost(c->lost_user, e);
}

/* ---- answers and events ---------------------------------------------------------------------- */

static void got_event(struct api_client *c, struct json_object *event)
{
	uint64_t seq = (uint64_t)jsonx_int(event, "seq", 0);
	bool gap = c->has_seq && seq != c->seq + 1;

	c->seq = seq;
	c->has_seq = true;
	if (c->on_event)
		c->on_event(c->event_user, event, gap);
}

static void got_answer(struct api_client *c, struct pending *p, struct json_object *o)
{
	struct json_object *error = jsonx_get(o, "error"), *result = jsonx_get(o, "result");
	struct err e = {0};
	int r = error ? client_take_error(error, &e) : 0;

	if (!r && p->subscribes) {
		c->seq = (uint64_t)(p->since >= 0 ? p->since : jsonx_int(result, "seq", 0));
		c->has_seq = true;
	}
	if (p->fn)
		p->fn(p->user, r, result, r < 0 ? &e : NULL);
	free(p);
}

/* An error without an id answers no call: the daemon says why it is about to close. */
static void got_complaint(struct api_client *c, struct json_object *error)
{
	struct err e;

	client_take_error(error, &e);
	client_lost(c, &e);
}

static void got_line(struct api_client *c, const char *line, size_t n)
{
	autojson struct json_object *o = NULL;
	const char *method;
	struct json_object *id;
	struct pending *p;
	struct err e;

	if (jsonx_parse(line, n, &o, &e) < 0) {
		err_wrap(&e, 0, "vmdeckd sent a bad line");
		e.code = EPROTO;
		client_lost(c, &e);
		return;
	}
	method = jsonx_str(o, "method");
	id = jsonx_get(o, "id");
	if (method && !strcmp(method, "event")) {
		got_event(c, jsonx_get(o, "params"));
	} else if (method && !strcmp(method, "host.stats")) {
		if (c->on_stats)
			c->on_stats(c->stats_user, jsonx_get(o, "params"));
	} else if (!id && jsonx_get(o, "error")) {
		got_complaint(c, jsonx_get(o, "error"));
	} else {
		p = take_pending(c, jsonx_int(o, "id", -1));
		if (p) {
			got_answer(c, p, o);
			return;
		}
		err_set(&e, EPROTO, "vmdeckd sent an answer to a call that was not made");
		client_lost(c, &e);
	}
}

/* ---- I/O ------------------------------------------------------------------------------------- */

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct api_client *c = container_of(w, struct api_client, rd);
	ssize_t n = buf_read(&c->in, c->fd, API_READ_MAX);
	char *line;
	size_t len;
	struct err e;
	int r = 0;

	(void)loop;
	(void)revents;
	if (n == -EAGAIN)
		return;
	client_enter(c);
	/* A callback may run the loop, which reads on: the line is parsed before anything is
	 * called, and the next one is looked for anew. */
	while (n > 0 && !c->closed && c->state == CLIENT_LIVE &&
		(r = lines_next(&c->in, API_ANSWER_MAX, &line, &len)) > 0)
		got_line(c, line, len);
	if (!c->closed && (n <= 0 || r < 0)) {
		if (n > 0)
			err_set(&e, EPROTO, "vmdeckd sent a line of more than %u bytes",
				API_ANSWER_MAX);
		else
			err_set(&e, EPIPE, "vmdeckd closed the connection");
		client_lost(c, &e);
	}
	client_leave(c);
}

static void flush_out(struct api_client *c)
{
	ssize_t r = 1;

	while (c->out.len && r > 0)
		r = buf_write(&c->out, c->fd);
	if (r < 0 && r != -EAGAIN) {
		/* Reading tells why: the daemon's last words may be waiting there. */
		buf_consume(&c->out, c->out.len);
		shutdown(c->fd, SHUT_WR);
	}
	if (c->out.len)
		ev_io_start(c->loop, &c->wr);
	else
		ev_io_stop(c->loop, &c->wr);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	(void)revents;
	flush_out(container_of(w, struct api_client, wr));
}

/* ---- public ---------------------------------------------------------------------------------- */

struct api_client *client_new(struct ev_loop *loop, const struct paths *p)
{
	struct api_client *c = xcalloc(1, sizeof(*c));

	c->loop = loop;
	c->paths = *p;
	c->socket_path = xasprintf("%s/daemon.sock", p->runtime);
	c->fd = -1;
	c->last = &c->first;
	c->next_id = 1;
	buf_init(&c->in, API_ANSWER_MAX + API_READ_MAX);
	buf_init(&c->out, API_CALLS_MAX);
	ev_init(&c->rd, on_readable);
	ev_init(&c->wr, on_writable);
	return c;
}

void client_live(struct api_client *c)
{
	c->state = CLIENT_LIVE;
	ev_io_set(&c->rd, c->fd, EV_READ);
	ev_io_set(&c->wr, c->fd, EV_WRITE);
	ev_io_start(c->loop, &c->rd);
}

struct json_object *api_hello(const struct api_client *c)
{
	return c->hello;
}

void api_set_event_handler(struct api_client *c, api_on_event *fn, void *user)
{
	c->on_event = fn;
	c->event_user = user;
}

void api_set_stats_handler(struct api_client *c, api_on_stats *fn, void *user)
{
	c->on_stats = fn;
	c->stats_user = user;
}

void api_set_lost_handler(struct api_client *c, api_on_lost *fn, void *user)
{
	c->on_lost = fn;
	c->lost_user = user;
}

void client_forget(struct api_client *c, const void *user)
{
	for (struct pending *p = c->first; p; p = p->next)
		if (p->user == user)
			p->fn = NULL;
}

int api_call(struct api_client *c, const char *method, struct json_object *params, api_reply *fn,
	void *user, struct err *e)
{
	struct pending *p;
	int64_t since = jsonx_int(params, "since", -1);
	int r;

	if (c->state != CLIENT_LIVE) {
		json_object_put(params);
		return err_set(e, EPIPE, "%s: the connection to vmdeckd is lost", method);
	}
	r = client_put_call(&c->out, c->next_id, method, params, e);
	if (r < 0)
		return r;
	p = xcalloc(1, sizeof(*p));
	p->id = c->next_id++;
	p->fn = fn;
	p->user = user;
	p->subscribes = !strcmp(method, "event.subscribe");
	p->since = since;
	*c->last = p;
	c->last = &p->next;
	flush_out(c);
	return 0;
}

void api_close(struct api_client *c)
{
	if (!c || c->closed)
		return;
	client_disconnect(c);
	c->state = CLIENT_LOST;
	c->closed = true;
	client_end_waits(c);
	stream_orphan(c);
	if (!c->depth)
		client_free(c);
}
