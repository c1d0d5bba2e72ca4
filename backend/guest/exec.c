/* Theory of operation
 *
 *	DIAL --OK--> WAIT_ACK --ACK, GO sent--> RUN --EXIT--> FLUSH --client has all--> DONE
 *	  ^             |                        |              ^
 *	  +--EOF, 3 s---+   deadline, REFUSED ---+--------------+
 *
 * REQ rides in the same write as the CONNECT line, so the handshake costs two round trips:
 * CONNECT and REQ for OK and ACK, then GO for STARTED. Up to ACK everything may be done again on
 * a new connection, since nothing runs before GO. From GO on nothing is ever sent twice: a lost
 * connection is the end.
 *
 * The client's frames are not read before GO; its hangup is noticed (framed_ops.hangup_ends). */
#include "backend/guest/exec_impl.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"

void exec_enter(struct exec_relay *x)
{
	x->busy++;
}

void exec_leave(struct exec_relay *x)
{
	if (--x->busy || x->state != EXEC_DONE)
		return;
	free(x->req);
	free(x);
}

void *exec_relay_user(const struct exec_relay *x)
{
	return x->user;
}

void exec_log(struct exec_relay *x, const char *name, const char *more)
{
	char fields[512];

	if (!x->cb.on_log)
		return;
	snprintf(fields, sizeof(fields), "{\"id\":\"%s\",\"ms\":%.3f%s}", x->id,
		(double)(mono_ns() - x->t.start) / 1e6, more);
	x->cb.on_log(x, name, fields);
}

/* The same with {"why"}. */
static void log_why(struct exec_relay *x, const char *name, const char *why)
{
	autojson struct json_object *s = NULL;
	char safe[160], more[420]; /* JSON escapes can double it */

	s = json_object_new_string(str_safe(safe, sizeof(safe), why));
	snprintf(more, sizeof(more), ",\"requests\":%d,\"why\":%s", x->requests, jsonx_line(s));
	exec_log(x, name, more);
}

static void stop_guest(struct exec_relay *x)
{
	dial_stop(&x->dial);
	ev_timer_stop(x->loop, &x->timer);
	framed_close(&x->guest);
}

void exec_done(struct exec_relay *x)
{
	if (x->state == EXEC_DONE)
		return;
	stop_guest(x);
	socket_finish(framed_release(&x->client));
	assert(x->busy > 0); /* who called it still uses x */
	x->state = EXEC_DONE;
	x->cb.on_done(x, x->result, &x->err, x->how, x->value, &x->t);
}

void exec_end(struct exec_relay *x, int r, const struct err *e)
{
	uint8_t b[WIRE_HEADER + 8 + sizeof(x->err.msg)];
	int n;

	if (x->state >= EXEC_FLUSH)
		return;
	x->result = r;
	if (r < 0) {
		x->err = *e;
		log_why(x, "exec.abort", e->msg);
	}
	if (r < 0 && x->state < EXEC_RUN && r != -EREMOTEIO) {
		n = wire_put_refused(b, sizeof(b), 125, e->msg);
		(void)framed_queue(&x->client, b, (size_t)n);
	}
	x->state = EXEC_FLUSH;
	stop_guest(x);
	framed_flush(&x->client);
	if (!framed_queued(&x->client)) {
		exec_done(x);
		return;
	}
	framed_unhold(&x->client); /* to see its end */
}

static void fail(struct exec_relay *x, int code, const char *why)
{
	struct err e = {0};

	err_set(&e, code, "%s", why);
	exec_end(x, -code, &e);
}

/* ---- handshake ---- */

static double remaining(const struct exec_relay *x)
{
	uint64_t now = mono_ns();

	return now < x->deadline_ns ? (double)(x->deadline_ns - now) / 1e9 : 0;
}

static void set_timer(struct exec_relay *x, double s)
{
	ev_now_update(x->loop);
	ev_timer_stop(x->loop, &x->timer);
	ev_timer_set(&x->timer, s, 0.);
	ev_timer_start(x->loop, &x->timer);
}

static void on_dialled(struct dial *d, int r, int fd, const struct err *e)
{
	struct exec_relay *x = d->user;
	char more[64];

	exec_enter(x);
	if (r < 0) {
		exec_end(x, r, e);
		exec_leave(x);
		return;
	}
	framed_open(&x->guest, x->loop, fd, &exec_guest_ops, false);
	if (d->rode < x->req_len)
		(void)framed_send(&x->guest, x->req + d->rode, x->req_len - d->rode);
	x->state = EXEC_WAIT_ACK;
	x->requests++;
	set_timer(x, min_of(EXEC_ACK_S, max_of(remaining(x), 0.001)));
	x->t.connected = mono_ns();
	snprintf(more, sizeof(more), ",\"tries\":%d", d->tries);
	exec_log(x, "exec.ok", more);
	snprintf(more, sizeof(more), ",\"bytes\":%zu", x->req_len);
	exec_log(x, "exec.req", more);
	exec_leave(x);
}

static void start_dial(struct exec_relay *x)
{
	struct dial_spec spec = {
		.path = x->path,
		.port = WIRE_PORT_EXEC,
		.timeout = remaining(x),
		.ride = x->req,
		.ride_len = x->req_len,
	};
	struct err e;
	int r;

	x->state = EXEC_DIAL;
	r = dial_start(&x->dial, x->loop, &spec, on_dialled, x, &e);
	if (r < 0) /* the path was checked at the start */
		exec_end(x, r, &e);
}

void exec_again(struct exec_relay *x, const char *why)
{
	stop_guest(x);
	if (remaining(x) <= 0) {
		fail(x, ETIMEDOUT,
			"the guest took the connection but its agent did not answer the request in "
			"time: it is busy, paused or waits for HELLO");
		return;
	}
	log_why(x, "exec.resend", why);
	x->state = EXEC_DIAL;
	set_timer(x, min_of(x->backoff, DIAL_BACKOFF_MAX_S));
	x->backoff *= 2;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct exec_relay *x = w->data;

	(void)loop;
	(void)revents;
	exec_enter(x);
	if (x->state == EXEC_DIAL)
		start_dial(x);
	else
		exec_again(x, "no ACK");
	exec_leave(x);
}

void exec_acked(struct exec_relay *x)
{
	uint8_t b[WIRE_HEADER];

	(void)framed_send(&x->guest, b, (size_t)wire_put_empty(b, sizeof(b), WIRE_GO));
	x->t.acked = x->t.go = mono_ns();
	x->state = EXEC_RUN;
	ev_timer_stop(x->loop, &x->timer);
	framed_unhold(&x->client);
	exec_log(x, "exec.ack", "");
	exec_log(x, "exec.go", "");
}

void exec_refused(struct exec_relay *x, const struct wire_frame *f)
{
	struct wire_str why;
	struct err e = {0};
	uint8_t code;
	char text[256], safe[300];

	if (wire_get_refused(f, &code, &why) < 0) {
		fail(x, EPROTO, "the agent sent a malformed REFUSED");
		return;
	}
	(void)exec_forward(&x->client, f);
	snprintf(text, sizeof(text), "%.*s", (int)min_of(why.len, sizeof(text) - 1), why.s);
	x->how = WIRE_NOT_STARTED;
	x->value = code;
	err_set(&e, EREMOTEIO, "%s", str_safe(safe, sizeof(safe), text));
	exec_end(x, -EREMOTEIO, &e);
}

/* ---- begin and end ---- */

/* Before there is a relay: says it to the client and closes. */
static void refuse_client(int fd, const struct err *e)
{
	uint8_t b[WIRE_HEADER + 8 + sizeof(e->msg)];
	int n = wire_put_refused(b, sizeof(b), 125, e->msg);

	(void)send(fd, b, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
	socket_finish(fd);
}

static int prepare(struct exec_relay *x, const char *vsock_path, const struct wire_exec_req *req,
	struct err *e)
{
	autofree uint8_t *b = xcalloc(1, WIRE_HEADER + WIRE_PAYLOAD_MAX);
	int n = wire_put_exec_req(b, WIRE_HEADER + WIRE_PAYLOAD_MAX, req);

	if (strlen(vsock_path) > SOCKET_PATH_MAX)
		return err_set(e, ENAMETOOLONG, "vsock path '%s' has more than %d bytes",
			vsock_path, SOCKET_PATH_MAX);
	if (n < 0)
		return err_set(e, E2BIG,
			"the command is too long for the agent: at most %d arguments, %d variables "
			"and %d bytes in all",
			WIRE_ARGS_MAX, WIRE_ENVS_MAX, WIRE_PAYLOAD_MAX);
	strcpy(x->path, vsock_path);
	x->req = xcalloc(1, (size_t)n);
	memcpy(x->req, b, (size_t)n);
	x->req_len = (size_t)n;
	x->flags = req->flags;
	hex_encode(x->id, req->id, WIRE_ID);
	return 0;
}

int exec_relay_start(struct exec_relay **ret, struct ev_loop *loop, const char *vsock_path,
	const struct wire_exec_req *req, int client_fd, double connect_timeout,
	const struct exec_callbacks *cb, void *user, struct err *e)
{
	struct exec_relay *x = xcalloc(1, sizeof(*x));
	struct err why = {0};
	int r = prepare(x, vsock_path, req, &why);

	if (r < 0) {
		refuse_client(client_fd, &why);
		free(x);
		return err_set(e, -r, "%s", why.msg);
	}
	x->loop = loop;
	x->cb = *cb;
	x->user = user;
	x->t.start = mono_ns();
	x->deadline_ns = x->t.start + (uint64_t)(connect_timeout * 1e9);
	x->backoff = DIAL_BACKOFF_S;
	framed_init(&x->guest);
	framed_open(&x->client, loop, client_fd, &exec_client_ops, true);
	ev_init(&x->timer, on_timer);
	x->timer.data = x;
	*ret = x;
	exec_enter(x);
	start_dial(x);
	exec_log(x, "exec.connect", "");
	exec_leave(x);
	return 0;
}

void exec_relay_abort(struct exec_relay *x, const char *why)
{
	exec_enter(x);
	fail(x, ECANCELED, why);
	exec_done(x);
	exec_leave(x);
}
