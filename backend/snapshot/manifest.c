#include "backend/snapshot/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "backend/base/file.h"
#include "backend/base/hash.h"
#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/snapshot/manifest_fields.h"

#define AT(m)           offsetof(struct snapshot, m)
#define TEXT_OF(m, min) AT(m), sizeof(((struct snapshot *)0)->m), min

/* The manifest, but for "format" and "disks". */
const struct field manifest_fields[] = {
	{"name", LABEL, TEXT_OF(name, 1)},
	{"id", ID, AT(id), 0, 0},
	{"created_ns", U64, AT(created_ns), INT64_MAX, 0},
	{"temporary", BOOL, AT(temporary), 0, 0},
	{"source_id", TEXT, TEXT_OF(source_id, 1)},
	{"source_name", LABEL, TEXT_OF(source_name, 0)},
	{"parent", LABEL, TEXT_OF(parent, 0)},
	{"parent_id", ID, AT(parent_id), 0, 0},
	{"vmm", TEXT, TEXT_OF(vmm, 1)},
	{"vmm_version", TEXT, TEXT_OF(vmm_version, 1)},
	{"accel", TEXT, TEXT_OF(accel, 0)},
	{"machine", TEXT, TEXT_OF(machine, 0)},
	{"tsc_khz", U32, AT(tsc_khz), 100u * 1000 * 1000, 0},
	{"image", LABEL, TEXT_OF(image, 0)},
	{"image_build", TEXT, TEXT_OF(image_build, 0)},
	{"vcpus", U32, AT(vcpus), 1024, 1},
	{"mem_mib", U32, AT(mem_mib), 16u << 20, 1},
	{"tty", BOOL, AT(tty), 0, 0},
	{"argv", WORDS, AT(argv), 0, 0},
	{"env", WORDS, AT(env), 0, 0},
	{"network", WORDS, AT(network), 0, 0},
	{"health", WORDS, AT(health), 0, 0},
	{"state_bytes", U64, AT(state_bytes), 1u << 30, 1},
	{"memory_bytes", U64, AT(memory_bytes), INT64_MAX, 0},
	{"quiesce_us", U64, AT(quiesce_us), INT64_MAX, 0},
	{"pause_us", U64, AT(pause_us), INT64_MAX, 0},
	{"took_us", U64, AT(took_us), INT64_MAX, 0},
	{"drained", BOOL, AT(drained), 0, 0},
	{"state_sha256", HEX, TEXT_OF(state_sha256, 0)},
	{"memory_sha256", HEX, TEXT_OF(memory_sha256, 0)},
	{"memory_mtime_ns", U64, AT(memory_mtime_ns), INT64_MAX, 0},
	{"memory_ino", BITS, AT(memory_ino), 0, 0},
};
const size_t manifest_field_count = countof(manifest_fields);

static void put_hex(struct json_object *o, const char *key, const void *p, size_t n)
{
	char hex[2 * 32 + 1];

	hex_encode(hex, p, n);
	jsonx_add_str(o, key, hex);
}

static void put_words(struct json_object *o, const char *key, char *const *words)
{
	struct json_object *list;

	if (!words)
		return;
	list = json_object_new_array();
	for (; *words; words++)
		json_object_array_add(list, json_object_new_string(*words));
	json_object_object_add(o, key, list);
}

static void put_field(struct json_object *o, const struct field *f, const struct snapshot *s)
{
	const void *p = (const uint8_t *)s + f->at;
	char bits[20];

	switch (f->kind) {
	case TEXT:
	case LABEL:
	case HEX:
		jsonx_add_str(o, f->key, p);
		break;
	case ID:
		put_hex(o, f->key, p, SNAPSHOT_ID);
		break;
	case U32:
		jsonx_add_int(o, f->key, *(const uint32_t *)p);
		break;
	case U64:
		jsonx_add_int(o, f->key, (int64_t) * (const uint64_t *)p);
		break;
	case BITS:
		snprintf(bits, sizeof(bits), "%016" PRIx64, *(const uint64_t *)p);
		jsonx_add_str(o, f->key, bits);
		break;
	case BOOL:
		jsonx_add_bool(o, f->key, *(const bool *)p);
		break;
	case WORDS:
		put_words(o, f->key, *(char *const *const *)p);
		break;
	}
}

static void put_file(struct json_object *o, const struct snapshot_file *f)
{
	jsonx_add_int(o, "bytes", (int64_t)f->bytes);
	put_hex(o, "sum", f->sum, sizeof(f->sum));
}

static struct json_object *disk_object(const struct snapshot_disk *d)
{
	struct json_object *o = json_object_new_object(), *fresh = json_object_new_object();
	struct json_object *layers = json_object_new_array();

	jsonx_add_str(o, "lowest", d->lowest);
	jsonx_add_int(o, "size", (int64_t)d->size);
	jsonx_add_int(o, "file_bytes", (int64_t)d->file_bytes);
	for (uint32_t i = 0; i < d->layers; i++) {
		struct json_object *layer = json_object_new_object();

		put_file(layer, &d->files[i]);
		json_object_array_add(layers, layer);
	}
	json_object_object_add(o, "layers", layers);
	put_file(fresh, &d->fresh);
	json_object_object_add(o, "fresh", fresh);
	return o;
}

static char *text_of(const struct snapshot *s, struct err *e)
{
	autojson struct json_object *o = json_object_new_object();
	struct json_object *disks = json_object_new_array();
	const char *inner;
	char sum[HASH_HEX];

	jsonx_add_int(o, "format", SNAPSHOT_FORMAT);
	for (size_t i = 0; i < manifest_field_count; i++)
		put_field(o, &manifest_fields[i], s);
	for (int i = 0; i < s->disk_count; i++)
		json_object_array_add(disks, disk_object(&s->disks[i]));
	json_object_object_add(o, "disks", disks);
	inner = jsonx_line(o);
	if (hash_bytes(inner, strlen(inner), sum, e) < 0)
		return NULL;
	return xasprintf("{\"manifest\":%s,\"sha256\":\"%s\"}", inner, sum);
}

int manifest_encode(const struct snapshot *s, char **ret, struct err *e)
{
	autofree char *text = text_of(s, e);
	struct snapshot back;
	struct err why;

	if (!text)
		return -EIO;
	/* What cannot be read back must not be published: better an error now than a loss later. */
	if (manifest_decode(text, strlen(text), s->name, &back, &why) < 0)
		return err_set(e, EINVAL, "snapshot '%s' cannot be written: %s", s->name, why.msg);
	snapshot_fini(&back);
	*ret = steal_ptr(&text);
	return 0;
}
