/* What VMs write, into the recording. */
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/record/impl.h"

#define TAIL (256 * 1024) /* of what was written before the recording began */

static void on_open(struct api_stream *s, struct json_object *result)
{
	struct recorded_stream *rs = api_stream_user(s);
	struct err e = {0};

	if (!rs->r->failed && record_open(&rs->r->out, rs->vm->id, rs->source, result, &e) < 0)
		recorder_failed(rs->r, &e);
}

static void on_data(struct api_stream *s, bool err, uint64_t offset, const void *data, size_t n)
{
	struct recorded_stream *rs = api_stream_user(s);
	struct err e = {0};

	(void)err;
	if (!rs->r->failed &&
		record_data(&rs->r->out, rs->vm->id, rs->source, offset, data, n, &e) < 0)
		recorder_failed(rs->r, &e);
}

static void on_end(struct api_stream *s, int r, int code, const struct err *why)
{
	struct recorded_stream *rs = api_stream_user(s);
	struct err e = {0};

	(void)code;
	(void)why;
	rs->stream = NULL;
	api_stream_close(s);
	/* Refused: there is no log yet; the VM's next event asks again. */
	rs->ended = r == 0;
	if (r == 0 && !rs->r->failed && record_end(&rs->r->out, rs->vm->id, rs->source, &e) < 0)
		recorder_failed(rs->r, &e);
}

static const struct api_stream_handler handler = {
	.on_open = on_open, .on_data = on_data, .on_end = on_end};

static void follow(struct recorded_stream *rs)
{
	struct json_object *o = json_object_new_object();
	struct err e = {0};

	jsonx_add_str(o, "vm", rs->vm->id);
	jsonx_add_bool(o, "follow", true);
	if (rs->source == RECORD_SERIAL)
		jsonx_add_bool(o, "serial", true);
	if (!rs->vm->fresh)
		jsonx_add_int(o, "tail", TAIL);
	if (api_stream_open(&rs->stream, rs->r->api, "vm.logs", o, &handler, rs, &e) < 0)
		rs->stream = NULL;
}

static bool is_wanted(const struct recorded_vm *vm)
{
	const struct recorder *r = vm->get.r;

	for (char **w = r->wanted; w && *w; w++)
		if (strcmp(*w, vm->id) == 0 || strcmp(*w, vm->name) == 0)
			return true;
	return !r->wanted;
}

void recorded_follow(struct recorded_vm *vm)
{
	struct recorder *r = vm->get.r;
	bool open = false;

	if (r->failed || vm->gone || !is_wanted(vm))
		return;
	for (int i = 0; i < RECORD_SOURCES; i++)
		open |= vm->stream[i].stream || vm->stream[i].ended;
	if (!open && r->followed >= FOLLOWED_MAX)
		return;
	r->followed += !open;
	for (int i = 0; i < RECORD_SOURCES; i++)
		if (!vm->stream[i].stream && !vm->stream[i].ended)
			follow(&vm->stream[i]);
}

void recorded_unfollow(struct recorded_vm *vm)
{
	for (int i = 0; i < RECORD_SOURCES; i++) {
		api_stream_close(vm->stream[i].stream);
		vm->stream[i].stream = NULL;
	}
}
