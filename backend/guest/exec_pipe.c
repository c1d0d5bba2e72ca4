/* The frames of a command, both ways. Each is looked at for its type, and forwarded unchanged; a
 * side that has EXEC_QUEUE_HIGH unsent bytes stops the reading of the other. */
#include "backend/guest/exec_impl.h"

#include <errno.h>
#include <inttypes.h>

#define SIGNAL_MAX 64

int exec_forward(struct framed *to, const struct wire_frame *f)
{
	uint8_t h[WIRE_HEADER];

	wire_header(h, f->type, f->len);
	if (framed_queue(to, h, sizeof(h)) < 0)
		return -EPIPE;
	return framed_queue(to, f->payload, f->len);
}

/* Whether `to` has so much to do that what is for it must wait. */
static bool is_full(struct framed *to)
{
	if (framed_queued(to) < EXEC_QUEUE_HIGH)
		return false;
	framed_flush(to);
	return framed_queued(to) >= EXEC_QUEUE_HIGH;
}

/* Sends what the frames of `from` queued for `to`. */
static void pass_on(struct framed *to, struct framed *from)
{
	framed_flush(to);
	if (!framed_queued(to))
		framed_unhold(from);
}

/* ---- guest to client ---- */

static struct exec_relay *of_guest(struct framed *c)
{
	return container_of(c, struct exec_relay, guest);
}

static int on_exit_frame(struct exec_relay *x, const struct wire_frame *f, struct err *e)
{
	char more[64];

	if (wire_get_exit(f, &x->how, &x->value) < 0)
		return err_set(e, EPROTO, "the agent sent a malformed EXIT");
	x->t.exit = mono_ns();
	(void)exec_forward(&x->client, f);
	framed_flush(&x->client);
	snprintf(more, sizeof(more), ",\"how\":%d,\"value\":%" PRId32, x->how, x->value);
	exec_log(x, "exec.exit", more);
	exec_end(x, 0, NULL);
	return 0;
}

static int on_credit_frame(struct exec_relay *x, const struct wire_frame *f, struct err *e)
{
	uint32_t n;

	if (wire_get_u32(f, &n) < 0)
		return err_set(e, EPROTO, "the agent sent a malformed CREDIT");
	x->credit = n > UINT32_MAX - x->credit ? UINT32_MAX : x->credit + n;
	(void)exec_forward(&x->client, f);
	return 0;
}

static int on_run_frame(struct exec_relay *x, const struct wire_frame *f, struct err *e)
{
	uint32_t pid;

	if (is_full(&x->client))
		return FRAMED_HOLD;
	switch (f->type) {
	case WIRE_STDOUT:
	case WIRE_STDERR:
		(void)exec_forward(&x->client, f);
		if (!x->t.first) {
			x->t.first = mono_ns();
			exec_log(x, "exec.first", "");
		}
		return 0;
	case WIRE_STARTED:
		if (wire_get_u32(f, &pid) < 0)
			return err_set(e, EPROTO, "the agent sent a malformed STARTED");
		(void)exec_forward(&x->client, f);
		return 0;
	case WIRE_CREDIT:
		return on_credit_frame(x, f, e);
	case WIRE_EXIT:
		return on_exit_frame(x, f, e);
	default:
		return err_set(e, EPROTO, "the agent sent %s on an exec connection",
			wire_type_name(f->type));
	}
}

static int guest_frame(struct framed *c, const struct wire_frame *f, struct err *e)
{
	struct exec_relay *x = of_guest(c);

	if (x->state == EXEC_RUN)
		return on_run_frame(x, f, e);
	if (f->type == WIRE_ACK && !f->len)
		exec_acked(x);
	else if (f->type == WIRE_REFUSED)
		exec_refused(x, f);
	else
		return err_set(e, EPROTO, "the agent answered the request with %s",
			wire_type_name(f->type));
	return 0;
}

static void guest_batch(struct framed *c)
{
	pass_on(&of_guest(c)->client, c);
}

static void guest_drained(struct framed *c)
{
	framed_unhold(&of_guest(c)->client);
}

static void guest_end(struct framed *c, int r, const struct err *e)
{
	struct exec_relay *x = of_guest(c);
	struct err why = {0};

	if (r == -EPROTO) {
		err_set(&why, EPROTO, "%s", e->msg);
		exec_end(x, -EPROTO, &why);
	} else if (x->state == EXEC_WAIT_ACK) {
		exec_again(x, e->msg);
	} else {
		err_set(&why, ECONNRESET,
			"the connection to the guest broke before the command ended (%s)", e->msg);
		exec_end(x, -ECONNRESET, &why);
	}
}

static void guest_enter_(struct framed *c)
{
	exec_enter(of_guest(c));
}

static void guest_leave_(struct framed *c)
{
	exec_leave(of_guest(c));
}

const struct framed_ops exec_guest_ops = {
	.priority = 1,
	.queue_max = EXEC_QUEUE_HIGH + WIRE_HEADER + WIRE_PAYLOAD_MAX,
	.on_frame = guest_frame,
	.on_batch = guest_batch,
	.on_drained = guest_drained,
	.on_end = guest_end,
	.enter = guest_enter_,
	.leave = guest_leave_,
};

/* ---- client to guest ---- */

static struct exec_relay *of_client(struct framed *c)
{
	return container_of(c, struct exec_relay, client);
}

static int check_stdin(struct exec_relay *x, const struct wire_frame *f, struct err *e)
{
	if (!(x->flags & WIRE_REQ_STDIN) || x->stdin_eof)
		return err_set(e, EPROTO, "the client sent %s, but stdin is %s",
			wire_type_name(f->type), x->stdin_eof ? "closed" : "not open");
	if (f->type == WIRE_STDIN_EOF) {
		x->stdin_eof = true;
		return f->len ? err_set(e, EPROTO, "the client sent a malformed STDIN_EOF") : 0;
	}
	if (!f->len || f->len > x->credit)
		return err_set(e, EPROTO,
			"the client sent %" PRIu32 " bytes of stdin with credit for %" PRIu32,
			f->len, x->credit);
	x->credit -= f->len;
	return 0;
}

/* 0: forward; 1: leave out. */
static int check_client(struct exec_relay *x, const struct wire_frame *f, struct err *e)
{
	uint16_t rows, cols;
	uint8_t sig;

	switch (f->type) {
	case WIRE_STDIN:
	case WIRE_STDIN_EOF:
		return check_stdin(x, f, e);
	case WIRE_RESIZE:
		if (wire_get_size(f, &rows, &cols) < 0)
			return err_set(e, EPROTO, "the client sent a malformed RESIZE");
		return x->flags & WIRE_REQ_TTY ? 0 : 1;
	case WIRE_SIGNAL:
		if (wire_get_u8(f, &sig) < 0 || sig < 1 || sig > SIGNAL_MAX)
			return err_set(e, EPROTO, "the client sent a malformed SIGNAL");
		return 0;
	default:
		return err_set(e, EPROTO, "the client sent %s on an exec connection",
			wire_type_name(f->type));
	}
}

static int client_frame(struct framed *c, const struct wire_frame *f, struct err *e)
{
	struct exec_relay *x = of_client(c);
	int r;

	if (x->state != EXEC_RUN)
		return 0; /* it is over; the client has not read so far yet */
	if (is_full(&x->guest))
		return FRAMED_HOLD;
	r = check_client(x, f, e);
	if (r < 0)
		return r;
	if (r == 0)
		(void)exec_forward(&x->guest, f);
	return 0;
}

static void client_batch(struct framed *c)
{
	pass_on(&of_client(c)->guest, c);
}

static void client_drained(struct framed *c)
{
	struct exec_relay *x = of_client(c);

	if (x->state == EXEC_FLUSH)
		exec_done(x);
	else
		framed_unhold(&x->guest);
}

static void client_end(struct framed *c, int r, const struct err *e)
{
	struct exec_relay *x = of_client(c);
	struct err why = {0};

	if (r == -EPROTO)
		err_set(&why, EPROTO, "%s", e->msg);
	else
		err_set(&why, EPIPE, "the client went away");
	exec_end(x, -why.code, &why); /* nothing, when it was over already */
	exec_done(x);
}

static void client_enter_(struct framed *c)
{
	exec_enter(of_client(c));
}

static void client_leave_(struct framed *c)
{
	exec_leave(of_client(c));
}

const struct framed_ops exec_client_ops = {
	.priority = 1,
	.hangup_ends = true,
	.queue_max = EXEC_QUEUE_HIGH + WIRE_HEADER + WIRE_PAYLOAD_MAX,
	.on_frame = client_frame,
	.on_batch = client_batch,
	.on_drained = client_drained,
	.on_end = client_end,
	.enter = client_enter_,
	.leave = client_leave_,
};
