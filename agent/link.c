#include "agent/link.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent/util.h"

#define BACKOFF_FIRST_MS 20
#define BACKOFF_MAX_MS   250
/* The host's first frame after ours; a connection that lost its bytes is replaced after it. */
#define ANSWER_MS 10000

static void on_event(void *user, uint32_t events);

void link_init(struct link *k, const struct link_ops *ops, const struct transport *t, uint32_t port,
	void *user)
{
	k->ops = ops;
	k->user = user;
	k->loop = k->conn.loop;
	k->transport = t;
	k->port = port;
	k->state = LINK_OFF;
	k->backoff_ms = 0;
}

static void on_no_answer(void *user)
{
	struct link *k = user;

	say_error("%s: no answer from the host in %d s; dialling again", k->ops->name,
		ANSWER_MS / 1000);
	link_lost(k, -ETIMEDOUT);
}

static void link_up(struct link *k)
{
	k->state = LINK_UP;
	timer_start(k->loop, &k->timer, ANSWER_MS, on_no_answer, k);
	k->ops->on_up(k->user);
}

static void on_backoff(void *user)
{
	link_start(user);
}

/* The next dial, after a failed one or a loss. Returns after how many ms. */
static uint32_t link_retry(struct link *k)
{
	uint32_t ms = k->backoff_ms;

	k->backoff_ms = ms ? min_of(ms * 2, (uint32_t)BACKOFF_MAX_MS) : BACKOFF_FIRST_MS;
	k->state = LINK_WAITING;
	timer_start(k->loop, &k->timer, ms, on_backoff, k);
	return ms;
}

void link_start(struct link *k)
{
	bool connecting = false;
	int fd, r;

	link_stop(k);
	fd = transport_dial(k->transport, k->port, &connecting);
	if (fd < 0) {
		say_step("%s: cannot dial: %s", k->ops->name, strerror(-fd));
		link_retry(k);
		return;
	}
	r = conn_open(&k->conn, fd, connecting ? EPOLLOUT : EPOLLIN, on_event, k);
	if (r < 0) {
		link_retry(k);
		return;
	}
	k->state = LINK_CONNECTING;
	if (!connecting)
		link_up(k);
}

void link_stop(struct link *k)
{
	timer_stop(&k->timer);
	conn_close(&k->conn);
	k->state = LINK_OFF;
}

void link_close(struct link *k, uint32_t ms)
{
	const struct linger on = {.l_onoff = 1, .l_linger = (int)(ms + 999) / 1000};

	/* Vsock's close with linger waits for the host's answer to its shutdown; a UNIX socket's
	 * bytes are with the peer when send returns. */
	if (k->state == LINK_UP && !k->transport->unix_path)
		setsockopt(k->conn.fd, SOL_SOCKET, SO_LINGER, &on, sizeof(on));
	link_stop(k);
}

void link_proved(struct link *k)
{
	timer_stop(&k->timer);
	k->backoff_ms = 0;
}

void link_lost(struct link *k, int r)
{
	bool was_up = k->state == LINK_UP;
	uint32_t ms;

	say_step("%s: connection lost: %s", k->ops->name, strerror(-r));
	link_stop(k);
	ms = link_retry(k);
	if (was_up)
		k->ops->on_lost(k->user);
	/* Before the other events of this turn: a restored guest has one for each connection. */
	if (!ms && k->state == LINK_WAITING)
		link_start(k);
}

void link_send(struct link *k)
{
	int r = k->state == LINK_UP ? k->ops->send(k->user) : 0;

	if (r < 0)
		link_lost(k, r);
}

static int link_connected(struct link *k, uint32_t events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (events & (EPOLLERR | EPOLLHUP)) {
		if (getsockopt(k->conn.fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			return -errno;
		return error ? -error : -ECONNRESET;
	}
	/* The first frame's flush asks for the events of a connection that is up. */
	link_up(k);
	return 0;
}

/* Frames already received, while their answers have room. A handler that replaces or drops the
 * connection leaves the reader empty, so the loop ends. */
static int link_frames(struct link *k)
{
	struct wire_frame f;
	int r = 0;

	while (k->state == LINK_UP && conn_room(&k->conn) >= k->ops->reserve) {
		r = wire_next(&k->conn.in, &f);
		if (r > 0)
			r = k->ops->on_frame(k->user, &f);
		else
			break;
		if (r < 0)
			break;
	}
	if (r == -EPROTO)
		say_error("%s: the host sent a frame that is not understood", k->ops->name);
	return r;
}

static void on_event(void *user, uint32_t events)
{
	struct link *k = user;
	int r = 0;

	if (k->state == LINK_CONNECTING) {
		r = link_connected(k, events);
		if (r < 0)
			link_lost(k, r);
		return;
	}
	if (events & EPOLLERR)
		r = -ECONNRESET;
	else if (events & (EPOLLIN | EPOLLHUP))
		r = conn_fill(&k->conn);
	/* Sending first makes room for the answers. */
	if (events & EPOLLOUT && (!r || r == -EAGAIN))
		link_send(k);
	if (!r || r == -EAGAIN)
		r = link_frames(k);
	/* A handler may have dropped this connection already; then there is nothing to lose. */
	if (r < 0 && k->state == LINK_UP)
		link_lost(k, r);
	else
		link_send(k);
}
