/* One connection: bytes in to lines, lines out to bytes, limits and deadlines.
 *
 * Theory of operation: each wakeup is one turn: at most one read and RPC_LINES_TURN lines, then
 * arm() sets every watcher from the connection's state. Lines left over get their turn by a timer
 * of 0 s, so they come after whatever else is ready. */
#include "backend/rpc/rpc_impl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/lines.h"

#define CONN_IN_MAX  (PROTO_LINE_MAX + RPC_READ_MAX)
#define CONN_OUT_MAX (2 * RPC_QUEUE_MAX) /* events leave the second half to answers */

/* ---- lifetime -------------------------------------------------------------------------------- */

static void conn_unwatch(struct conn *c)
{
	struct ev_loop *loop = c->server->loop;

	ev_io_stop(loop, &c->rd);
	ev_io_stop(loop, &c->wr);
	ev_timer_stop(loop, &c->more);
	ev_timer_stop(loop, &c->limit);
}

static void conn_dead(struct conn *c)
{
	conn_unwatch(c);
	c->state = CONN_DEAD;
	c->server->count--;
	server_reap_soon(c->server);
}

void conn_die(struct conn *c)
{
	if (c->state == CONN_DEAD)
		return;
	conn_dead(c);
	close_fd(&c->fd);
	calls_gone(c);
}

int conn_steal(struct conn *c)
{
	conn_dead(c);
	return steal_fd(&c->fd);
}

void conn_free(struct conn *c)
{
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

static void start_timer(struct conn *c, ev_timer *t, double after)
{
	struct ev_loop *loop = c->server->loop;

	if (ev_is_active(t))
		return;
	ev_timer_set(t, after, 0);
	ev_timer_start(loop, t);
}

/* ---- output ---------------------------------------------------------------------------------- */

static int flush(struct conn *c)
{
	ssize_t r = 1;

	while (c->out.len && r > 0)
		r = buf_write(&c->out, c->fd);
	return r < 0 && r != -EAGAIN ? (int)r : 0;
}

bool conn_put(struct conn *c, const char *line, size_t n)
{
	if (c->state != CONN_OPEN)
		return true; /* nobody reads it any more */
	if (buf_room(&c->out) <= n || buf_append(&c->out, line, n) < 0 ||
		buf_append(&c->out, "\n", 1) < 0)
		return false;
	/* An error shows again when the loop writes: only there may a connection die. */
	if (flush(c) < 0 || c->out.len)
		ev_io_start(c->server->loop, &c->wr);
	return true;
}

void conn_wake(struct conn *c)
{
	if (c->state != CONN_DEAD)
		start_timer(c, &c->more, 0);
}

void conn_finish(struct conn *c)
{
	if (c->state != CONN_OPEN)
		return;
	c->state = CONN_CLOSING;
	ev_io_stop(c->server->loop, &c->rd);
	ev_timer_stop(c->server->loop, &c->limit);
	start_timer(c, &c->limit, RPC_LAST_WORDS);
	conn_wake(c);
}

/* ---- turns ----------------------------------------------------------------------------------- */

/* Its answers must be read, or its upgrade be decided, before more is taken from it. */
static bool blocked(const struct conn *c)
{
	return c->out.len > RPC_SEND_FIRST || (c->upgrading && c->in.len);
}

static void take_lines(struct conn *c)
{
	char *line;
	size_t n;
	int r = 1;

	for (int i = 0; i < RPC_LINES_TURN && c->state == CONN_OPEN; i++) {
		if (c->upgrading || blocked(c) || (!c->lines && c->in.len <= PROTO_LINE_MAX))
			break;
		r = lines_next(&c->in, PROTO_LINE_MAX, &line, &n);
		if (r <= 0)
			break;
		c->lines--;
		ev_timer_stop(c->server->loop, &c->limit);
		call_line(c, line, n);
	}
	if (r < 0) {
		call_error(c, NULL, RPC_INVALID_REQUEST, "a line has more than 1 MiB");
		conn_finish(c);
	}
}

static void arm_open(struct conn *c)
{
	struct ev_loop *loop = c->server->loop;
	bool line = c->lines > 0, stop = blocked(c);

	if (c->eof && (!line || c->upgrading)) {
		conn_die(c);
		return;
	}
	if (stop || line || c->eof)
		ev_io_stop(loop, &c->rd);
	else
		ev_io_start(loop, &c->rd);
	if ((line && !stop && !c->upgrading) || sub_wants_turn(c))
		start_timer(c, &c->more, 0);
	if (c->in.len && !line && !stop)
		start_timer(c, &c->limit, RPC_LINE_TIMEOUT);
	else
		ev_timer_stop(loop, &c->limit);
}

static void arm(struct conn *c)
{
	if (c->state == CONN_OPEN)
		arm_open(c);
	if (c->state == CONN_DEAD)
		return;
	if (c->out.len)
		ev_io_start(c->server->loop, &c->wr);
	else
		ev_io_stop(c->server->loop, &c->wr);
	if (c->state == CONN_CLOSING && !c->out.len)
		conn_die(c);
}

static void turn(struct conn *c)
{
	take_lines(c);
	if (c->state == CONN_OPEN)
		sub_replay(c);
	arm(c);
}

/* Counted as they come: a peer that sends byte by byte is not searched from the start each time. */
static size_t count_lines(const uint8_t *p, size_t n)
{
	size_t lines = 0;

	for (const uint8_t *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))); p++)
		lines++;
	return lines;
}

/* ---- watchers -------------------------------------------------------------------------------- */

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = container_of(w, struct conn, rd);
	struct rpc_server *s = c->server;
	ssize_t n = buf_read(&c->in, c->fd, RPC_READ_MAX);

	(void)loop;
	(void)revents;
	if (n == -EAGAIN)
		return;
	server_enter(s);
	if (n > 0)
		c->lines += count_lines(buf_peek(&c->in) + c->in.len - n, (size_t)n);
	else
		c->eof = true; /* the whole lines that are here still count */
	turn(c);
	server_leave(s);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct conn *c = container_of(w, struct conn, wr);
	struct rpc_server *s = c->server;

	(void)loop;
	(void)revents;
	server_enter(s);
	if (flush(c) < 0)
		conn_die(c);
	else
		turn(c);
	server_leave(s);
}

static void on_more(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct conn *c = container_of(w, struct conn, more);
	struct rpc_server *s = c->server;

	(void)loop;
	(void)revents;
	server_enter(s);
	turn(c);
	server_leave(s);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct conn *c = container_of(w, struct conn, limit);
	struct rpc_server *s = c->server;

	(void)loop;
	(void)revents;
	server_enter(s);
	if (c->state == CONN_CLOSING) {
		conn_die(c);
	} else {
		call_error(c, NULL, RPC_INVALID_REQUEST, "a line was begun and not ended in time");
		conn_finish(c);
		arm(c);
	}
	server_leave(s);
}

void conn_open(struct rpc_server *s, int fd, uid_t uid)
{
	struct conn *c = xcalloc(1, sizeof(*c));

	c->state = CONN_OPEN;
	c->server = s;
	c->fd = fd;
	c->uid = uid;
	buf_init(&c->in, CONN_IN_MAX);
	buf_init(&c->out, CONN_OUT_MAX);
	ev_io_init(&c->rd, on_readable, fd, EV_READ);
	ev_io_init(&c->wr, on_writable, fd, EV_WRITE);
	ev_init(&c->more, on_more);
	ev_init(&c->limit, on_limit);
	c->next = s->conns;
	s->conns = c;
	s->count++;
	ev_io_start(s->loop, &c->rd);
}
