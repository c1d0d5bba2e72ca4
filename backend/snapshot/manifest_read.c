#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/hash.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/snapshot/manifest_fields.h"
#include "backend/snapshot/store.h"

#define WORDS_MAX 8192 /* of a command or an environment */

static int bad(struct err *e, const char *key)
{
	return err_set(e, EBADMSG, "its manifest.json has no valid \"%s\"", key);
}

static bool take_hex(struct json_object *o, const char *key, void *out, size_t n)
{
	const char *s = jsonx_str(o, key);

	return s && strlen(s) == 2 * n && hex_decode(out, n, s) == 0;
}

static bool take_number(
	struct json_object *o, const char *key, uint64_t min, uint64_t max, uint64_t *ret)
{
	int64_t v = jsonx_int(o, key, -1);

	*ret = (uint64_t)v;
	return v >= 0 && *ret >= min && *ret <= max;
}

/* Text without control bytes that fits. */
static bool take_text(struct json_object *o, const struct field *f, char *out)
{
	struct json_object *v = jsonx_get(o, f->key);
	const char *s = jsonx_str(o, f->key);
	char safe[256], sum[32];
	size_t n;

	if (!s)
		return false;
	n = (size_t)json_object_get_string_len(v);
	if (strlen(s) != n || n >= f->max || n < f->min)
		return false;
	if (f->kind == LABEL && n && str_check_name(f->key, s, NULL) < 0)
		return false;
	if (f->kind == HEX && (n != 64 || hex_decode(sum, 32, s) < 0))
		return false;
	if (strcmp(str_safe(safe, sizeof(safe), s), s) != 0)
		return false;
	memcpy(out, s, n + 1);
	return true;
}

static bool take_words(struct json_object *o, const char *key, char ***ret)
{
	struct json_object *list = jsonx_get(o, key);
	size_t n;

	*ret = NULL;
	if (!list)
		return !json_object_object_get_ex(o, key, NULL);
	if (!json_object_is_type(list, json_type_array))
		return false;
	n = json_object_array_length(list);
	if (n > WORDS_MAX)
		return false;
	*ret = xcalloc(n + 1, sizeof(**ret));
	for (size_t i = 0; i < n; i++) {
		struct json_object *v = json_object_array_get_idx(list, i);
		const char *s;

		if (!json_object_is_type(v, json_type_string))
			return false;
		s = json_object_get_string(v);
		if (strlen(s) != (size_t)json_object_get_string_len(v))
			return false;
		(*ret)[i] = xstrdup(s);
	}
	return true;
}

static bool take_bits(struct json_object *o, const char *key, uint64_t *ret)
{
	const char *s = jsonx_str(o, key);
	uint8_t b[8];

	if (!s || strlen(s) != 16 || hex_decode(b, sizeof(b), s) < 0)
		return false;
	*ret = 0;
	for (size_t i = 0; i < sizeof(b); i++)
		*ret = *ret << 8 | b[i];
	return true;
}

static bool take_field(struct json_object *o, const struct field *f, struct snapshot *s)
{
	void *p = (uint8_t *)s + f->at;
	uint64_t v;

	switch (f->kind) {
	case TEXT:
	case LABEL:
	case HEX:
		return take_text(o, f, p);
	case ID:
		return take_hex(o, f->key, p, SNAPSHOT_ID);
	case U32:
		if (!take_number(o, f->key, f->min, f->max, &v))
			return false;
		*(uint32_t *)p = (uint32_t)v;
		return true;
	case U64:
		return take_number(o, f->key, f->min, f->max, p);
	case BITS:
		return take_bits(o, f->key, p);
	case BOOL:
		*(bool *)p = jsonx_bool(o, f->key, false);
		return json_object_is_type(jsonx_get(o, f->key), json_type_boolean);
	case WORDS:
		return take_words(o, f->key, p);
	}
	return false;
}

static bool take_file(struct json_object *o, struct snapshot_file *f)
{
	return take_number(o, "bytes", 1, INT64_MAX, &f->bytes) &&
	       take_hex(o, "sum", f->sum, sizeof(f->sum));
}

static bool take_disk(struct json_object *o, struct snapshot_disk *d)
{
	struct json_object *layers = jsonx_get(o, "layers");
	const char *lowest = jsonx_str(o, "lowest");
	size_t n;

	if (!lowest || (strcmp(lowest, "raw") != 0 && strcmp(lowest, "qcow2") != 0) ||
		!json_object_is_type(layers, json_type_array))
		return false;
	snprintf(d->lowest, sizeof(d->lowest), "%s", lowest);
	n = json_object_array_length(layers);
	if (n < 1 || n > SNAPSHOT_LAYERS_MAX)
		return false;
	d->layers = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		if (!take_file(json_object_array_get_idx(layers, i), &d->files[i]))
			return false;
	return take_number(o, "size", 1, INT64_MAX, &d->size) && d->size % 512 == 0 &&
	       take_number(o, "file_bytes", 0, INT64_MAX, &d->file_bytes) &&
	       take_file(jsonx_get(o, "fresh"), &d->fresh);
}

static bool take_disks(struct json_object *o, struct snapshot *s)
{
	struct json_object *list = jsonx_get(o, "disks");

	if (!json_object_is_type(list, json_type_array) ||
		json_object_array_length(list) > SNAPSHOT_DISKS_MAX)
		return false;
	s->disk_count = (int)json_object_array_length(list);
	for (int i = 0; i < s->disk_count; i++)
		if (!take_disk(json_object_array_get_idx(list, (size_t)i), &s->disks[i]))
			return false;
	return true;
}

static int check_sum(struct json_object *o, struct json_object **ret_inner, struct err *e)
{
	struct json_object *inner = jsonx_get(o, "manifest");
	const char *want = jsonx_str(o, "sha256"), *text;
	char sum[HASH_HEX];
	int r;

	if (!json_object_is_type(inner, json_type_object) || !want)
		return err_set(e, EBADMSG, "its manifest.json is not one");
	text = jsonx_line(inner);
	r = hash_bytes(text, strlen(text), sum, e);
	if (r < 0)
		return r;
	if (strcmp(sum, want) != 0)
		return err_set(e, EBADMSG,
			"its manifest.json was changed: its checksum is %.12s... instead of "
			"%.12s...",
			sum, want);
	*ret_inner = inner;
	return 0;
}

static int take_all(struct json_object *o, const char *name, struct snapshot *s, struct err *e)
{
	int64_t format = jsonx_int(o, "format", -1);

	if (format != SNAPSHOT_FORMAT)
		return err_set(e, EBADMSG,
			"its manifest.json has format %" PRId64 ", this vmdeck reads %d", format,
			SNAPSHOT_FORMAT);
	for (size_t i = 0; i < manifest_field_count; i++)
		if (!take_field(o, &manifest_fields[i], s))
			return bad(e, manifest_fields[i].key);
	if (!take_disks(o, s))
		return bad(e, "disks");
	if (name && strcmp(name, s->name) != 0)
		return err_set(e, EBADMSG, "its manifest.json is of snapshot '%s'", s->name);
	return 0;
}

int manifest_decode(
	const char *text, size_t len, const char *name, struct snapshot *ret, struct err *e)
{
	autojson struct json_object *o = NULL;
	struct json_object *inner = NULL;
	int r;

	*ret = (struct snapshot){0};
	if (jsonx_parse(text, len, &o, NULL) < 0)
		return err_set(e, EBADMSG, "its manifest.json is not JSON");
	r = check_sum(o, &inner, e);
	if (!r)
		r = take_all(inner, name, ret, e);
	if (r < 0)
		snapshot_fini(ret);
	return r;
}

int manifest_read(const char *dir, const char *name, struct snapshot *ret, struct err *e)
{
	autofree char *path = xasprintf("%s/" FILE_MANIFEST, dir), *text = NULL;
	size_t len;
	int r = file_read(path, MANIFEST_MAX, &text, &len, NULL);

	*ret = (struct snapshot){0};
	if (r < 0)
		return err_set(e, EBADMSG, "its manifest.json cannot be read: %s",
			r == -E2BIG ? "it is too large" : strerror(-r));
	return manifest_decode(text, len, name, ret, e);
}
