/* Input for the main process: a bounded queue, sent within the credit that the guest gives, and
 * those who wait for room in it. */
#include "backend/guest/guest_impl.h"

#include <errno.h>
#include <string.h>

void input_init(struct guest *g)
{
	buf_init(&g->input.queue, GUEST_INPUT_MAX);
}

void input_fini(struct guest *g)
{
	buf_fini(&g->input.queue);
	free(g->input.waiters);
	g->input.waiters = NULL;
	g->input.waiter_count = 0;
}

void input_reset(struct guest *g, bool drop)
{
	struct input *in = &g->input;

	in->credit = 0;
	if (drop)
		buf_consume(&in->queue, in->queue.len);
}

void input_credit(struct guest *g, uint32_t n)
{
	struct input *in = &g->input;

	in->credit = n > UINT32_MAX - in->credit ? UINT32_MAX : in->credit + n;
	input_pump(g);
}

static void send_queued(struct guest *g)
{
	struct input *in = &g->input;
	struct framed *c = &g->output.conn;
	uint8_t b[WIRE_HEADER + WIRE_CHUNK];

	while (in->queue.len && in->credit && g->output.open && !framed_queued(c)) {
		size_t n = min_of(min_of(in->queue.len, in->credit), WIRE_CHUNK);

		wire_header(b, WIRE_OUT_INPUT, (uint32_t)n);
		memcpy(b + WIRE_HEADER, buf_peek(&in->queue), n);
		if (framed_send(c, b, WIRE_HEADER + n) < 0)
			return;
		buf_consume(&in->queue, n);
		in->credit -= (uint32_t)n;
	}
}

void input_pump(struct guest *g)
{
	struct input *in = &g->input;

	send_queued(g);
	/* One call each at most: who gets nothing asks again. A call may add and remove others. */
	for (size_t n = in->waiter_count; n && in->waiter_count && buf_room(&in->queue); n--) {
		struct input_waiter w = in->waiters[0];

		memmove(in->waiters, in->waiters + 1, --in->waiter_count * sizeof(w));
		w.fn(w.user);
	}
}

ssize_t guest_input(struct guest *g, const void *data, size_t n)
{
	struct input *in = &g->input;

	if (!g->output.open)
		return -ENOTCONN;
	n = min_of(n, buf_room(&in->queue));
	if (n && buf_append(&in->queue, data, n) < 0)
		return 0;
	send_queued(g);
	return (ssize_t)n;
}

void guest_want_input(struct guest *g, guest_input_room *fn, void *user)
{
	struct input *in = &g->input;

	for (size_t i = 0; i < in->waiter_count; i++) {
		if (in->waiters[i].user != user)
			continue;
		memmove(in->waiters + i, in->waiters + i + 1,
			(--in->waiter_count - i) * sizeof(*in->waiters));
		break;
	}
	if (!fn)
		return;
	if (in->waiter_count == in->waiter_cap) {
		size_t cap = max_of(4, in->waiter_cap * 2);
		struct input_waiter *more = xcalloc(cap, sizeof(*more));

		if (in->waiter_count)
			memcpy(more, in->waiters, in->waiter_count * sizeof(*more));
		free(in->waiters);
		in->waiters = more;
		in->waiter_cap = cap;
	}
	in->waiters[in->waiter_count++] = (struct input_waiter){.fn = fn, .user = user};
}

void guest_resize(struct guest *g, uint16_t rows, uint16_t cols)
{
	uint8_t b[WIRE_HEADER + 4];
	int n;

	g->id.rows = rows; /* for the next HELLO */
	g->id.cols = cols;
	if (!g->output.open)
		return;
	n = wire_put_size(b, sizeof(b), WIRE_OUT_RESIZE, rows, cols);
	(void)framed_send(
		&g->output.conn, b, (size_t)n); /* a guest that reads nothing has no screen */
}
