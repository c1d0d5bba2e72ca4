/* Reading a recording: whoever wrote it, each line is checked. */
#include <errno.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/record/record.h"

const char *const record_calls[RECORD_CALLS] = {
	[RECORD_VM_LIST] = "vm.list",
	[RECORD_VM_GET] = "vm.get",
	[RECORD_IMAGE_LIST] = "image.list",
	[RECORD_SNAPSHOT_LIST] = "snapshot.list",
	[RECORD_TIMING_LIST] = "timing.list",
	[RECORD_TIMING_GET] = "timing.get",
	[RECORD_EVENT_LIST] = "event.list",
	[RECORD_DOCTOR] = "doctor",
};

struct reader {
	struct recording *rec;
	struct json_object *numbers; /* id of a VM -> its number */
	const char *name;            /* of the file */
	size_t line, cap;
	int64_t ms;
	struct err *e;
};

static int bad(const struct reader *rd, const char *what)
{
	return err_set(rd->e, EINVAL, "'%s' line %zu: %s", rd->name, rd->line, what);
}

static int number_of(struct reader *rd, const char *id)
{
	struct recording *rec = rd->rec;
	int64_t n = jsonx_int(rd->numbers, id, -1);

	if (n >= 0)
		return (int)n;
	if (rec->vms == RECORD_VMS_MAX || strlen(id) > NAME_MAX_BYTES)
		return -1;
	if (!(rec->vms & (rec->vms - 1))) {
		char **more = realloc(rec->vm, sizeof(*more) * (size_t)max_of(rec->vms * 2, 1));

		if (!more)
			return -1;
		rec->vm = more;
	}
	rec->vm[rec->vms] = xstrdup(id);
	jsonx_add_int(rd->numbers, id, rec->vms);
	return rec->vms++;
}

/* ---- one line -------------------------------------------------------------------------------- */

static int take_bytes(struct reader *rd, struct json_object *o, struct record_entry *en)
{
	struct json_object *v = jsonx_get(o, "bytes");
	const uint8_t *s;
	size_t n;

	if (!json_object_is_type(v, json_type_string))
		return bad(rd, "no bytes");
	s = (const uint8_t *)json_object_get_string(v);
	n = (size_t)json_object_get_string_len(v);
	en->data = xcalloc(n, 1);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = s[i];

		if (c >= 0xc2 && c <= 0xc3 && i + 1 < n)
			c = (uint8_t)(c << 6 | (s[++i] & 0x3f));
		else if (c >= 0x80)
			return bad(rd, "a byte is over 255");
		en->data[en->size++] = c;
	}
	return en->size <= RECORD_DATA_MAX ? 0 : bad(rd, "too many bytes");
}

static int take_stream(
	struct reader *rd, struct json_object *o, struct record_entry *en, const char *kind)
{
	const char *source = jsonx_str(o, kind), *vm = jsonx_str(o, "vm");
	int64_t at = jsonx_int(o, en->kind == RECORD_OPEN ? "first" : "at", 0);

	for (int i = 0; i < RECORD_SOURCES; i++)
		if (source && strcmp(source, record_sources[i]) == 0) {
			en->source = (enum record_source)i;
			en->vm = vm ? number_of(rd, vm) : -1;
		}
	if (en->vm < 0 || at < 0)
		return bad(rd, "a stream of no VM");
	en->at = (uint64_t)at;
	return en->kind == RECORD_DATA ? take_bytes(rd, o, en) : 0;
}

static int take_event(struct reader *rd, struct json_object *o, struct record_entry *en)
{
	struct json_object *event = jsonx_get(o, "event");
	const char *vm = jsonx_str(event, "vm"), *name = jsonx_str(event, "name");

	if (!name)
		return bad(rd, "an event without a name");
	en->vm = vm && *vm ? number_of(rd, vm) : -1;
	en->removes = strcmp(name, "vm.remove") == 0 || strcmp(name, "vm.rollback") == 0;
	en->seq = (uint64_t)max_of(jsonx_int(event, "seq", 0), 0);
	return 0;
}

static int take_answer(struct reader *rd, struct json_object *o, struct record_entry *en)
{
	const char *call = jsonx_str(o, "answer"), *of = jsonx_str(o, "of");
	int64_t asked = jsonx_int(o, "asked", en->ms);

	for (int i = 0; i < RECORD_CALLS; i++)
		if (call && strcmp(call, record_calls[i]) == 0) {
			bool one = i == RECORD_VM_GET || i == RECORD_TIMING_GET;

			en->call = (enum record_call)i;
			en->vm = one && of ? number_of(rd, of) : -1;
			if (one && en->vm < 0)
				return bad(rd, "an answer about no VM");
			if (asked >= 0 && asked < en->ms)
				en->ms = asked;
			return 0;
		}
	return -ENOENT;
}

/* 0: en is filled; -ENOENT: a kind of line that is not known here. */
static int take_line(struct reader *rd, struct json_object *o, struct record_entry *en)
{
	static const struct {
		const char *key;
		enum record_kind kind;
	} kinds[] = {{"event", RECORD_EVENT}, {"answer", RECORD_ANSWER}, {"data", RECORD_DATA},
		{"open", RECORD_OPEN}, {"end", RECORD_END}, {"mark", RECORD_MARK},
		{"stats", RECORD_STATS}};
	size_t i = 0;

	while (i < countof(kinds) && !jsonx_get(o, kinds[i].key))
		i++;
	if (i == countof(kinds))
		return -ENOENT;
	en->kind = kinds[i].kind;
	switch (en->kind) {
	case RECORD_EVENT:
		return take_event(rd, o, en);
	case RECORD_ANSWER:
		return take_answer(rd, o, en);
	case RECORD_MARK:
	case RECORD_STATS:
		return 0;
	default:
		return take_stream(rd, o, en, kinds[i].key);
	}
}

static int take_head(struct reader *rd, struct json_object *o)
{
	const char *version = jsonx_str(o, "version"), *host = jsonx_str(o, "host");
	int64_t format = jsonx_int(o, "vmdeck_recording", 0), wall = jsonx_int(o, "wall_ns", 0);

	if (format == 0)
		return err_set(rd->e, EINVAL, "'%s' is no recording of vmdeck", rd->name);
	if (format != RECORD_FORMAT)
		return err_set(rd->e, EINVAL,
			"'%s' is a recording of format %lld; this vmdeck reads format %d", rd->name,
			(long long)format, RECORD_FORMAT);
	rd->rec->wall_ns = (uint64_t)max_of(wall, 0);
	snprintf(rd->rec->version, sizeof(rd->rec->version), "%s", version ? version : "");
	snprintf(rd->rec->host, sizeof(rd->rec->host), "%s", host ? host : "");
	return 0;
}

static void add_entry(struct reader *rd, const struct record_entry *en)
{
	struct recording *rec = rd->rec;

	if (rec->count == rd->cap) {
		rd->cap = max_of(rd->cap * 2, (size_t)256);
		rec->entry = realloc(rec->entry, rd->cap * sizeof(*rec->entry));
		if (!rec->entry)
			abort();
	}
	rec->entry[rec->count++] = *en;
}

static int read_line(struct reader *rd, const char *line, size_t n)
{
	struct record_entry en = {.number = rd->line, .line = line, .len = n, .vm = -1};
	autojson struct json_object *o = NULL;
	int64_t ms;
	int r;

	if (n > RECORD_LINE_MAX)
		return bad(rd, "it is too long");
	if (jsonx_parse(line, n, &o, NULL) < 0 || !json_object_is_type(o, json_type_object))
		return rd->line == 1 ? take_head(rd, NULL) : bad(rd, "no JSON object");
	if (rd->line == 1)
		return take_head(rd, o);
	ms = en.ms = jsonx_int(o, "ms", -1);
	if (ms < rd->ms)
		return bad(rd, ms < 0 ? "no time" : "its time is before that of the line above");
	if (ms > RECORD_DAYS_MAX * 86400000ll)
		return bad(rd, "its time is too far from the start");
	rd->ms = rd->rec->length_ms = ms;
	r = take_line(rd, o, &en);
	if (r == 0)
		add_entry(rd, &en);
	else
		free(en.data);
	return r == -ENOENT ? 0 : r;
}

/* ---- all ------------------------------------------------------------------------------------- */

/* By time; answers went to where they were asked for, behind what made them be asked. */
static int by_time(const void *a, const void *b)
{
	const struct record_entry *x = a, *y = b;

	if (x->ms != y->ms)
		return x->ms < y->ms ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

int recording_parse(struct recording *rec, const char *name, char *text, size_t n, struct err *e)
{
	struct reader rd = {.rec = rec, .name = name, .e = e};
	size_t at = 0;
	int r = 0;

	*rec = (struct recording){.text = text};
	rd.numbers = json_object_new_object();
	while (at < n && r == 0) {
		const char *end = memchr(text + at, '\n', n - at);

		rd.line++;
		if (!end) {
			rec->cut = true;
			break;
		}
		r = read_line(&rd, text + at, (size_t)(end - (text + at)));
		at = (size_t)(end - text) + 1;
	}
	json_object_put(rd.numbers);
	if (r == 0 && (rd.line == 0 || (rd.line == 1 && rec->cut)))
		r = err_set(
			e, EINVAL, "'%s' is no recording of vmdeck: it has no whole line", name);
	if (r < 0)
		recording_fini(rec);
	else if (rec->count)
		qsort(rec->entry, rec->count, sizeof(*rec->entry), by_time);
	return r;
}

int recording_load(struct recording *rec, const char *path, struct err *e)
{
	char *text = NULL;
	size_t n;
	int r = file_read(path, RECORD_MAX, &text, &n, e);

	*rec = (struct recording){0};
	return r < 0 ? r : recording_parse(rec, path, text, n, e);
}

void recording_fini(struct recording *rec)
{
	for (size_t i = 0; i < rec->count; i++)
		free(rec->entry[i].data);
	for (int i = 0; i < rec->vms; i++)
		free(rec->vm[i]);
	free(rec->entry);
	free(rec->vm);
	free(rec->text);
	*rec = (struct recording){0};
}

struct json_object *recording_line(const struct record_entry *en)
{
	struct json_object *o = NULL;

	(void)jsonx_parse(en->line, en->len, &o, NULL);
	return o;
}

int recording_vm(const struct recording *rec, const char *id)
{
	for (int i = 0; i < rec->vms; i++)
		if (strcmp(rec->vm[i], id) == 0)
			return i;
	return -1;
}
