/* Appending lines to a recording. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/record/record.h"

#define STOP_ROOM 512 /* bytes below the limit that are kept for the last line */

const char *const record_sources[RECORD_SOURCES] = {
	[RECORD_OUTPUT] = "output", [RECORD_SERIAL] = "serial"};

int64_t record_now(const struct record_writer *w)
{
	return (int64_t)((mono_ns() - w->start_ns) / 1000000);
}

static int put(struct record_writer *w, struct json_object *o, size_t keep, struct err *e)
{
	autofree char *line = xasprintf("%s\n", jsonx_line(o));
	size_t n = strlen(line);
	ssize_t r;

	if (w->fd < 0)
		return err_set(e, EBADF, "the recording has ended");
	if (n > RECORD_LINE_MAX || w->bytes + n + keep > w->max)
		return err_set(e, EFBIG, "the recording has reached its limit of %llu MiB",
			(unsigned long long)(w->max >> 20));
	do
		r = write(w->fd, line, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_errno(e, "cannot write the recording");
	w->bytes += (uint64_t)r;
	/* Half a line: no other may be put behind it. */
	return (size_t)r == n ? 0 : err_set(e, ENOSPC, "the disk is full");
}

static struct json_object *line_new(struct record_writer *w)
{
	struct json_object *o = json_object_new_object();

	w->ms = max_of(w->ms, record_now(w));
	jsonx_add_int(o, "ms", w->ms);
	return o;
}

static int put_line(struct record_writer *w, struct json_object *o, struct err *e)
{
	int r = put(w, o, STOP_ROOM, e);

	json_object_put(o);
	return r;
}

int record_create(
	struct record_writer *w, const char *path, const char *version, uint64_t max, struct err *e)
{
	autojson struct json_object *o = json_object_new_object();
	char host[128] = "";
	int r;

	*w = (struct record_writer){.max = min_of(max, RECORD_MAX), .start_ns = mono_ns()};
	w->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (w->fd < 0 && errno == EEXIST)
		return err_set(e, EEXIST, "'%s' is there already: choose another name", path);
	if (w->fd < 0)
		return err_errno(e, "cannot make '%s'", path);
	gethostname(host, sizeof(host) - 1);
	jsonx_add_int(o, "vmdeck_recording", RECORD_FORMAT);
	jsonx_add_str(o, "version", version);
	jsonx_add_str(o, "host", host);
	jsonx_add_int(o, "wall_ns", (int64_t)wall_ns());
	jsonx_add_int(o, "mono_ns", (int64_t)w->start_ns);
	r = put(w, o, STOP_ROOM, e);
	if (r < 0)
		close_fd(&w->fd);
	return r;
}

int record_answer(struct record_writer *w, const char *method, const char *of, int64_t asked,
	struct json_object *result, struct err *e)
{
	struct json_object *o = line_new(w);

	jsonx_add_str(o, "answer", method);
	if (of)
		jsonx_add_str(o, "of", of);
	jsonx_add_int(o, "asked", asked);
	json_object_object_add(o, "result", json_object_get(result));
	return put_line(w, o, e);
}

int record_event(struct record_writer *w, struct json_object *event, struct err *e)
{
	struct json_object *o = line_new(w);

	json_object_object_add(o, "event", json_object_get(event));
	return put_line(w, o, e);
}

static struct json_object *stream_line(
	struct record_writer *w, const char *kind, const char *vm, enum record_source s)
{
	struct json_object *o = line_new(w);

	jsonx_add_str(o, kind, record_sources[s]);
	jsonx_add_str(o, "vm", vm);
	return o;
}

int record_open(struct record_writer *w, const char *vm, enum record_source s,
	struct json_object *opened, struct err *e)
{
	static const char *const keys[] = {"first", "start", "end"};
	struct json_object *o = stream_line(w, "open", vm, s);

	for (size_t i = 0; i < countof(keys); i++)
		jsonx_add_int(o, keys[i], jsonx_int(opened, keys[i], 0));
	return put_line(w, o, e);
}

/* A character a byte: JSON cannot carry bytes, and text stays readable. */
static struct json_object *bytes_text(const uint8_t *data, size_t n)
{
	autofree char *out = xcalloc(2 * n + 1, 1);
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		if (data[i] < 0x80) {
			out[len++] = (char)data[i];
		} else {
			out[len++] = (char)(0xc0 | data[i] >> 6);
			out[len++] = (char)(0x80 | (data[i] & 0x3f));
		}
	return json_object_new_string_len(out, (int)len);
}

int record_data(struct record_writer *w, const char *vm, enum record_source s, uint64_t at,
	const void *data, size_t n, struct err *e)
{
	const uint8_t *p = data;
	int r = 0;

	while (n && !r) {
		size_t k = min_of(n, (size_t)RECORD_DATA_MAX);
		struct json_object *o = stream_line(w, "data", vm, s);

		jsonx_add_int(o, "at", (int64_t)at);
		json_object_object_add(o, "bytes", bytes_text(p, k));
		r = put_line(w, o, e);
		p += k;
		at += k;
		n -= k;
	}
	return r;
}

int record_end(struct record_writer *w, const char *vm, enum record_source s, struct err *e)
{
	return put_line(w, stream_line(w, "end", vm, s), e);
}

int record_stats(struct record_writer *w, struct json_object *stats, struct err *e)
{
	struct json_object *o = line_new(w);

	json_object_object_add(o, "stats", json_object_get(stats));
	return put_line(w, o, e);
}

int record_mark(struct record_writer *w, const char *text, struct err *e)
{
	struct json_object *o;

	/* Two marks at one time could not be told apart by who jumps from one to the next. */
	w->ms = max_of(w->ms, w->mark_ms + 1);
	o = line_new(w);
	w->mark_ms = w->ms;

	jsonx_add_str(o, "mark", text);
	return put_line(w, o, e);
}

void record_close(struct record_writer *w, const char *why)
{
	struct json_object *o;

	if (w->fd < 0)
		return;
	/* Nor could a mark be told from the end. */
	w->ms = max_of(w->ms, w->mark_ms + 1);
	o = line_new(w);
	jsonx_add_str(o, "stop", why);
	(void)put(w, o, 0, NULL);
	json_object_put(o);
	close_fd(&w->fd);
}
