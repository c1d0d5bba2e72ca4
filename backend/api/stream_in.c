/* Frames from the daemon: which stream may get which, and what they mean. */
#include "backend/api/stream_impl.h"

#include <errno.h>

#include "backend/base/str.h"

static int got_data(struct api_stream *s, const struct wire_frame *f)
{
	const uint8_t *data = f->payload;
	uint64_t offset = 0;
	uint32_t n = f->len;

	if (f->type == WIRE_OUT_DATA && wire_get_out_data(f, &offset, &data, &n) < 0)
		return -EPROTO;
	if (s->h->on_data)
		s->h->on_data(s, f->type == WIRE_STDERR, offset, data, n);
	return 0;
}

static int got_credit(struct api_stream *s, const struct wire_frame *f)
{
	uint32_t n;

	if (wire_get_u32(f, &n) < 0)
		return -EPROTO;
	s->credit += n;
	return 0;
}

static int got_exit(struct api_stream *s, const struct wire_frame *f)
{
	uint8_t how;
	int32_t value;

	if (wire_get_exit(f, &how, &value) < 0)
		return -EPROTO;
	if (s->h->on_exit)
		s->h->on_exit(s, how, value);
	if (f->type == WIRE_EXIT && !s->closed)
		stream_end(s, 0, 0, NULL);
	return 0;
}

static int got_refused(struct api_stream *s, const struct wire_frame *f)
{
	char why[300], shown[300];
	struct wire_str text;
	struct err e;
	uint8_t code;

	if (wire_get_refused(f, &code, &text) < 0)
		return -EPROTO;
	snprintf(why, sizeof(why), "%.*s", (int)text.len, text.s);
	err_set(&e, EREMOTEIO, "%s", str_safe(shown, sizeof(shown), why));
	stream_end(s, -e.code, code, &e);
	return 0;
}

static int got_nothing(struct api_stream *s, const struct wire_frame *f)
{
	(void)s;
	(void)f;
	return 0;
}

#define ON(kind) (1u << STREAM_##kind)
static const struct frame_row {
	uint8_t type;
	unsigned kinds; /* of streams that may get it */
	int (*got)(struct api_stream *s, const struct wire_frame *f);
} frame_rows[] = {
	{WIRE_STDOUT, ON(EXEC), got_data},
	{WIRE_STDERR, ON(EXEC), got_data},
	{WIRE_OUT_DATA, ON(ATTACH) | ON(LOGS), got_data},
	{WIRE_CREDIT, ON(EXEC), got_credit},
	{WIRE_EXIT, ON(EXEC), got_exit},
	{WIRE_OUT_MAIN_EXIT, ON(ATTACH) | ON(LOGS), got_exit},
	{WIRE_REFUSED, ON(EXEC) | ON(ATTACH) | ON(LOGS), got_refused},
	{WIRE_ACK, ON(EXEC), got_nothing},
	{WIRE_STARTED, ON(EXEC), got_nothing},
};
#undef ON

static int got_frame(struct api_stream *s, const struct wire_frame *f)
{
	for (size_t i = 0; i < countof(frame_rows); i++)
		if (frame_rows[i].type == f->type && (frame_rows[i].kinds & (1u << s->kind)))
			return frame_rows[i].got(s, f);
	return -EPROTO;
}

void stream_decode(struct api_stream *s)
{
	struct wire_frame f;
	struct err e;
	int r = 1;

	while (!s->closed && !s->held && s->state == STREAM_OPEN && r > 0) {
		r = wire_next(&s->reader, &f);
		if (r > 0 && got_frame(s, &f) < 0)
			r = -EPROTO;
	}
	if (r < 0 && !s->closed) {
		err_set(&e, EPROTO, "vmdeckd sent a frame that does not belong here");
		stream_fail(s, &e);
	}
}
