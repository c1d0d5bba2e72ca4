/* Bytes of a stream into a pane, and typed bytes back. */
#include "tui/console/feed.h"

#include <string.h>

#define HOLD_AT (FEED_QUEUE / 4)
#define CHUNK   (16 * 1024)

static void hub_idle(struct ev_loop *loop, ev_idle *w, int revents)
{
	/* The work is done before the next poll (feed_hub_turn); this only keeps poll from waiting.
	 */
	(void)loop;
	(void)w;
	(void)revents;
}

void feed_hub_init(struct feed_hub *hub, struct ev_loop *loop)
{
	hub->loop = loop;
	hub->busy = NULL;
	ev_idle_init(&hub->more, hub_idle);
}

void feed_hub_fini(struct feed_hub *hub)
{
	if (hub->loop)
		ev_idle_stop(hub->loop, &hub->more);
}

static void hub_add(struct feed *f)
{
	struct feed **at = &f->hub->busy;

	if (f->queued)
		return;
	while (*at)
		at = &(*at)->next_busy;
	*at = f;
	f->next_busy = NULL;
	f->queued = true;
}

static void hub_remove(struct feed *f)
{
	struct feed **at = &f->hub->busy;

	if (!f->queued)
		return;
	while (*at != f)
		at = &(*at)->next_busy;
	*at = f->next_busy;
	f->queued = false;
}

static void feed_parse(struct feed *f, size_t n)
{
	pane_feed(f->pane, buf_peek(&f->pending), n);
	buf_consume(&f->pending, n);
	if (f->held && f->stream && f->pending.len < HOLD_AT) {
		f->held = false;
		api_stream_hold(f->stream, false);
	}
}

void feed_hub_turn(struct feed_hub *hub)
{
	size_t left = FEED_TURN;

	while (hub->busy && left > 0) {
		struct feed *f = hub->busy;
		size_t n = min_of(min_of(f->pending.len, (size_t)CHUNK), left);

		/* One after the other: a flood in one pane does not keep the others waiting. */
		hub_remove(f);
		feed_parse(f, n);
		left -= n;
		if (f->pending.len)
			hub_add(f);
	}
	if (hub->busy)
		ev_idle_start(hub->loop, &hub->more);
	else
		ev_idle_stop(hub->loop, &hub->more);
}

void feed_settle(struct feed *f)
{
	hub_remove(f);
	if (f->pending.len)
		feed_parse(f, f->pending.len);
}

static void feed_add(struct feed *f, const void *data, size_t n)
{
	if (buf_append(&f->pending, data, n) < 0) {
		feed_settle(f);
		pane_feed(f->pane, data, n);
		return;
	}
	hub_add(f);
	if (!f->held && f->stream && f->pending.len >= HOLD_AT) {
		f->held = true;
		api_stream_hold(f->stream, true);
	}
}

static void on_open(struct api_stream *s, struct json_object *result)
{
	struct feed *f = api_stream_user(s);

	f->open = true;
	if (f->rows)
		api_stream_resize(s, f->rows, f->cols);
	/* May close or reopen the stream. */
	f->ops->on_open(f, result);
	if (f->stream == s && f->input.len)
		feed_type(f, "", 0);
}

static void on_data(struct api_stream *s, bool err, uint64_t offset, const void *data, size_t n)
{
	struct feed *f = api_stream_user(s);
	const char *bytes = data;

	f->next = offset + n;
	if (f->skip) {
		const char *nl = memchr(bytes, '\n', min_of(n, f->skip));
		size_t cut = nl ? (size_t)(nl - bytes) + 1 : 0;

		f->skip = nl || n >= f->skip ? 0 : f->skip - n;
		bytes += cut;
		n -= cut;
	}
	if (err)
		feed_add(f, PANE_SGR_STDERR, strlen(PANE_SGR_STDERR));
	feed_add(f, bytes, n);
	if (err)
		feed_add(f, PANE_SGR_PLAIN, strlen(PANE_SGR_PLAIN));
}

static void on_exit_frame(struct api_stream *s, uint8_t how, int value)
{
	struct feed *f = api_stream_user(s);

	if (f->ops->on_exit)
		f->ops->on_exit(f, how, value);
}

static void on_room(struct api_stream *s)
{
	feed_type(api_stream_user(s), "", 0);
}

static void on_end(struct api_stream *s, int r, int code, const struct err *e)
{
	struct feed *f = api_stream_user(s);

	(void)code;
	feed_settle(f);
	f->stream = NULL;
	f->open = f->held = false;
	api_stream_close(s);
	f->ops->on_end(f, r, e);
}

static const struct api_stream_handler stream_handler = {
	.on_open = on_open,
	.on_data = on_data,
	.on_exit = on_exit_frame,
	.on_room = on_room,
	.on_end = on_end,
};

void feed_init(struct feed *f, struct feed_hub *hub, const struct feed_ops *ops, struct pane *pane,
	void *user)
{
	*f = (struct feed){.hub = hub, .ops = ops, .pane = pane, .user = user};
	buf_init(&f->pending, FEED_QUEUE);
	buf_init(&f->input, FEED_INPUT);
}

void feed_close(struct feed *f)
{
	if (!f->hub)
		return;
	feed_settle(f);
	buf_consume(&f->input, f->input.len);
	api_stream_close(f->stream);
	f->stream = NULL;
	f->open = f->held = false;
}

void feed_fini(struct feed *f)
{
	if (!f->hub)
		return;
	hub_remove(f);
	api_stream_close(f->stream);
	buf_fini(&f->pending);
	buf_fini(&f->input);
	*f = (struct feed){0};
}

int feed_open(struct feed *f, struct api_client *c, const char *method, struct json_object *params,
	struct err *e)
{
	feed_close(f);
	f->skip = 0;
	return api_stream_open(&f->stream, c, method, params, &stream_handler, f, e);
}

bool feed_type(struct feed *f, const void *bytes, size_t n)
{
	ssize_t taken;

	if (n && buf_append(&f->input, bytes, n) < 0)
		return false;
	if (!f->open || !f->input.len)
		return true;
	taken = api_stream_write(f->stream, buf_peek(&f->input), f->input.len);
	buf_consume(&f->input, taken > 0 ? (size_t)taken : taken < 0 ? f->input.len : 0);
	return true;
}

void feed_size(struct feed *f, int rows, int cols)
{
	f->rows = (uint16_t)rows;
	f->cols = (uint16_t)cols;
	if (f->open)
		api_stream_resize(f->stream, f->rows, f->cols);
}
