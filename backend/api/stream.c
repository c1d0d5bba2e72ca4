/* Byte streams: a connection of its own, one call, then frames of agent/wire.h both ways.
 *
 * Theory of operation: bytes in go through a line buffer until the answer is there, then through a
 * wire reader; bytes out wait in one bounded queue, stdin within the guest's credit. A held stream
 * neither reads nor decodes, so the socket fills and the daemon stops. vm.exec ends with EXIT, the
 * other streams with EOF. A dying daemon makes EOF too: hello on the client's own connection tells
 * the two apart. */
#include "backend/api/stream_impl.h"

#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/lines.h"

#define LINE_READ      4096u /* while the answer is read: what is behind it fits the reader */
#define ANSWER_TIMEOUT 60.0
#define CHECK_TIMEOUT  10.0
#define DIAL_NS        5000000000u

/* ---- lifetime -------------------------------------------------------------------------------- */

static void stream_disconnect(struct api_stream *s)
{
	ev_io_stop(s->loop, &s->rd);
	ev_io_stop(s->loop, &s->wr);
	ev_timer_stop(s->loop, &s->timer);
	close_fd(&s->fd);
}

static void stream_free(struct api_stream *s)
{
	for (struct api_stream **at = s->client ? &s->client->streams : NULL; at && *at;
		at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			break;
		}
	buf_fini(&s->line);
	buf_fini(&s->out);
	free(s);
}

static void stream_enter(struct api_stream *s)
{
	s->depth++;
}

static void stream_leave(struct api_stream *s)
{
	if (--s->depth == 0 && s->closed)
		stream_free(s);
}

void stream_end(struct api_stream *s, int r, int code, const struct err *e)
{
	if (s->state == STREAM_ENDED)
		return;
	s->state = STREAM_ENDED;
	stream_disconnect(s);
	if (s->h->on_end)
		s->h->on_end(s, r, code, e);
}

void stream_fail(struct api_stream *s, const struct err *e)
{
	stream_end(s, -e->code, STREAM_CODE_OURS, e);
}

/* daemon: whether vmdeckd is known to live on. */
static void stream_lost(struct api_stream *s, bool daemon)
{
	struct err e;

	if (s->state == STREAM_CALLING)
		err_set(&e, ECONNRESET, "vmdeckd closed the connection before it answered");
	else if (s->kind == STREAM_EXEC && daemon)
		err_set(&e, ECONNRESET,
			"the VM ended, or was reset, before the command's end was known");
	else if (s->kind == STREAM_EXEC)
		err_set(&e, ECONNRESET, "vmdeckd ended before the command's end was known");
	else
		err_set(&e, ECONNRESET, "vmdeckd ended: try again");
	stream_fail(s, &e);
}

static void stream_arm(struct api_stream *s, double seconds)
{
	ev_now_update(s->loop);
	ev_timer_stop(s->loop, &s->timer);
	ev_timer_set(&s->timer, seconds, 0);
	ev_timer_start(s->loop, &s->timer);
}

/* ---- the answer ------------------------------------------------------------------------------ */

static void got_answer(struct api_stream *s, struct json_object *o)
{
	struct json_object *error = jsonx_get(o, "error");
	uint8_t *room;
	size_t n;
	struct err e;

	if (error) {
		client_take_error(error, &e);
		stream_fail(s, &e);
		return;
	}
	ev_timer_stop(s->loop, &s->timer);
	s->state = STREAM_OPEN;
	/* At most LINE_READ bytes are behind the line, which the empty reader has room for. */
	room = wire_room(&s->reader, &n);
	memcpy(room, buf_peek(&s->line), s->line.len);
	wire_commit(&s->reader, s->line.len);
	buf_fini(&s->line);
	if (s->h->on_open)
		s->h->on_open(s, jsonx_get(o, "result"));
}

/* One line of what was read: 1 when there was one, 0 when it is not whole yet. */
static int take_answer(struct api_stream *s)
{
	autojson struct json_object *o = NULL;
	struct err e;
	char *line;
	size_t len;
	int r = lines_next(&s->line, PROTO_LINE_MAX, &line, &len);

	if (r > 0)
		r = jsonx_parse(line, len, &o, &e) < 0 || !o ? -EPROTO : 1;
	if (r < 0) {
		err_set(&e, EPROTO, "vmdeckd sent a bad answer");
		stream_fail(s, &e);
	} else if (r > 0 && s->hello_due && !jsonx_get(o, "error")) {
		s->hello_due = false;
	} else if (r > 0) {
		got_answer(s, o);
	}
	return r;
}

static ssize_t read_answer(struct api_stream *s)
{
	ssize_t n = buf_read(&s->line, s->fd, LINE_READ);

	if (n <= 0)
		return n;
	while (s->state == STREAM_CALLING && take_answer(s) > 0)
		continue;
	return n;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void on_checked(void *user, int r, struct json_object *result, const struct err *e)
{
	struct api_stream *s = user;

	(void)r;
	(void)result;
	(void)e;
	stream_enter(s);
	if (s->client->state != CLIENT_LIVE || s->kind == STREAM_EXEC)
		stream_lost(s, s->client->state == CLIENT_LIVE);
	else
		stream_end(s, 0, 0, NULL);
	stream_leave(s);
}

/* EOF without a frame that says why: whoever answers hello on the other connection has not died. */
static void check_end(struct api_stream *s)
{
	struct json_object *params = json_object_new_object();

	jsonx_add_int(params, "protocol", PROTO_VERSION);
	stream_disconnect(s);
	if (!s->client) {
		json_object_put(params);
		stream_lost(s, false);
		return;
	}
	if (api_call(s->client, "hello", params, on_checked, s, NULL) < 0) {
		stream_lost(s, false);
		return;
	}
	s->state = STREAM_CHECKING;
	stream_arm(s, CHECK_TIMEOUT);
}

void stream_orphan(struct api_client *c)
{
	for (struct api_stream *s = c->streams; s; s = s->next) {
		s->client = NULL;
		/* The answer that it waits for will not come. */
		if (s->state == STREAM_CHECKING)
			stream_arm(s, 0);
	}
	c->streams = NULL;
}

static void got_eof(struct api_stream *s)
{
	if (s->state == STREAM_OPEN)
		check_end(s);
	else
		stream_lost(s, false);
}

/* ---- watchers -------------------------------------------------------------------------------- */

static ssize_t read_frames(struct api_stream *s)
{
	size_t room;
	uint8_t *p = wire_room(&s->reader, &room);
	ssize_t n;

	do
		n = read(s->fd, p, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	wire_commit(&s->reader, (size_t)n);
	return n;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct api_stream *s = container_of(w, struct api_stream, rd);
	ssize_t n = 1;

	(void)loop;
	stream_enter(s);
	/* Frames that a hold left behind come first; only then has the reader room. */
	stream_decode(s);
	if ((revents & EV_READ) && !s->closed && !s->held) {
		if (s->state == STREAM_CALLING)
			n = read_answer(s);
		else if (s->state == STREAM_OPEN)
			n = read_frames(s);
		if (!s->closed)
			stream_decode(s);
		if (!s->closed && n <= 0 && n != -EAGAIN && s->state != STREAM_ENDED)
			got_eof(s);
	}
	if (!s->closed)
		stream_flush(s);
	stream_tell_room(s);
	stream_leave(s);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct api_stream *s = container_of(w, struct api_stream, wr);

	(void)loop;
	(void)revents;
	stream_enter(s);
	stream_flush(s);
	stream_tell_room(s);
	stream_leave(s);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct api_stream *s = container_of(w, struct api_stream, timer);
	struct err e;

	(void)loop;
	(void)revents;
	stream_enter(s);
	if (!s->client) {
		stream_lost(s, false);
		stream_leave(s);
		return;
	}
	if (s->state == STREAM_CHECKING)
		client_forget(s->client, s);
	err_set(&e, ETIMEDOUT, "vmdeckd has not answered within %g s",
		s->state == STREAM_CHECKING ? CHECK_TIMEOUT : ANSWER_TIMEOUT);
	stream_fail(s, &e);
	stream_leave(s);
}

/* ---- public ---------------------------------------------------------------------------------- */

static int kind_of(const char *method, struct err *e)
{
	switch (proto_find(method)) {
	case PROTO_VM_EXEC:
		return STREAM_EXEC;
	case PROTO_VM_ATTACH:
		return STREAM_ATTACH;
	case PROTO_VM_LOGS:
		return STREAM_LOGS;
	default:
		return err_set(e, EINVAL, "%s does not open a stream", method);
	}
}

static struct api_stream *stream_new(
	struct api_client *c, enum stream_kind kind, const struct api_stream_handler *h, void *user)
{
	struct api_stream *s = xcalloc(1, sizeof(*s));

	s->state = STREAM_CALLING;
	s->kind = kind;
	s->client = c;
	s->next = c->streams;
	c->streams = s;
	s->loop = c->loop;
	s->h = h;
	s->user = user;
	s->fd = -1;
	/* Only vm.exec has a credit; the other streams are stopped by the socket alone. */
	s->credit = kind == STREAM_EXEC ? 0 : UINT64_MAX;
	buf_init(&s->line, PROTO_LINE_MAX + LINE_READ);
	buf_init(&s->out, PROTO_LINE_MAX + STREAM_QUEUE_MAX + STREAM_QUEUE_CONTROL);
	wire_reader_init(&s->reader, s->reader_buf, sizeof(s->reader_buf));
	ev_init(&s->rd, on_readable);
	ev_init(&s->wr, on_writable);
	ev_init(&s->timer, on_timer);
	return s;
}

int api_stream_open(struct api_stream **ret, struct api_client *c, const char *method,
	struct json_object *params, const struct api_stream_handler *h, void *user, struct err *e)
{
	int kind = kind_of(method, e), r;
	struct api_stream *s;

	if (kind < 0) {
		json_object_put(params);
		return kind;
	}
	s = stream_new(c, (enum stream_kind)kind, h, user);
	/* A connection of its own has to be told anew that it may only read. */
	s->hello_due = c->read_only;
	r = c->read_only ? client_put_hello(c, &s->out, 0, NULL, e) : 0;
	if (r < 0)
		json_object_put(params);
	else
		r = client_put_call(&s->out, 1, method, params, e);
	if (!r)
		r = client_dial(c->socket_path, mono_ns() + DIAL_NS, &s->fd, e);
	if (r < 0) {
		api_stream_close(s);
		return r;
	}
	client_nonblock(s->fd);
	ev_io_set(&s->rd, s->fd, EV_READ);
	ev_io_set(&s->wr, s->fd, EV_WRITE);
	ev_io_start(s->loop, &s->rd);
	stream_arm(s, ANSWER_TIMEOUT);
	stream_flush(s);
	*ret = s;
	return 0;
}

void api_stream_close(struct api_stream *s)
{
	if (!s || s->closed)
		return;
	if (s->state == STREAM_CHECKING && s->client)
		client_forget(s->client, s);
	stream_disconnect(s);
	s->state = STREAM_ENDED;
	s->closed = true;
	if (!s->depth)
		stream_free(s);
}

void *api_stream_user(const struct api_stream *s)
{
	return s->user;
}

void api_stream_hold(struct api_stream *s, bool hold)
{
	if (s->held == hold || s->closed)
		return;
	s->held = hold;
	if (s->state > STREAM_OPEN)
		return;
	if (hold) {
		ev_io_stop(s->loop, &s->rd);
	} else {
		ev_io_start(s->loop, &s->rd);
		/* Decoded frames may wait without a new byte to come. */
		ev_feed_event(s->loop, &s->rd, EV_CUSTOM);
	}
}
