#include "backend/image/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/base/file.h"
#include "backend/base/jsonx.h"

#define FORMAT       1
#define MANIFEST_MAX 65536

char *manifest_text(const struct image *im, uint64_t kernel_bytes, uint64_t initrd_bytes)
{
	autojson struct json_object *o = json_object_new_object();
	struct json_object *sizes = json_object_new_object();

	jsonx_add_int(o, "format", FORMAT);
	jsonx_add_str(o, "name", im->name);
	jsonx_add_str(o, "kernel_version", im->kernel_version);
	jsonx_add_str(o, "agent_sha256", im->agent_sha256);
	jsonx_add_str(o, "config", im->config);
	jsonx_add_str(o, "build_id", im->build_id);
	jsonx_add_int(o, "created_ns", (int64_t)im->created_ns);
	jsonx_add_int(sizes, MANIFEST_KERNEL, (int64_t)kernel_bytes);
	jsonx_add_int(sizes, MANIFEST_INITRD, (int64_t)initrd_bytes);
	json_object_object_add(o, "files", sizes);
	return xstrdup(jsonx_line(o));
}

static int damaged(struct err *e, const char *name, const char *what)
{
	return err_set(e, EBADMSG,
		"image '%s' is damaged: %s; build it again with vmdeck image build %s", name, what,
		name);
}

static bool take(struct json_object *o, const char *key, char *out, size_t n)
{
	const char *s = jsonx_str(o, key);

	if (!s || strlen(s) >= n)
		return false;
	snprintf(out, n, "%s", s);
	return true;
}

static int check_file(const char *path, const char *file, struct json_object *sizes,
	struct image *im, struct err *e)
{
	int64_t want = jsonx_int(sizes, file, -1);
	char what[160];
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		snprintf(what, sizeof(what), "%s is missing", file);
		return damaged(e, im->name, what);
	}
	if (want < 0 || st.st_size != want) {
		snprintf(what, sizeof(what), "%s has %" PRId64 " bytes instead of %" PRId64, file,
			(int64_t)st.st_size, want);
		return damaged(e, im->name, what);
	}
	im->bytes += (uint64_t)st.st_size;
	return 0;
}

int image_manifest_read(const char *folder, const char *name, struct image *im, struct err *e)
{
	autofree char *path = xasprintf("%s/manifest.json", folder), *text = NULL;
	autojson struct json_object *o = NULL;
	struct json_object *sizes;
	struct stat st;
	size_t len;
	int r;

	*im = (struct image){0};
	snprintf(im->name, sizeof(im->name), "%s", name);
	if (stat(folder, &st) < 0)
		return err_errno(e, "image '%s'", name);
	if (file_read(path, MANIFEST_MAX, &text, &len, NULL) < 0 ||
		jsonx_parse(text, len, &o, NULL) < 0)
		return damaged(e, name, "its manifest.json cannot be read");
	if (jsonx_int(o, "format", 0) != FORMAT)
		return damaged(e, name, "its manifest.json is of another version of vmdeck");
	if (!take(o, "kernel_version", im->kernel_version, sizeof(im->kernel_version)) ||
		!take(o, "agent_sha256", im->agent_sha256, sizeof(im->agent_sha256)) ||
		!take(o, "config", im->config, sizeof(im->config)) ||
		!take(o, "build_id", im->build_id, sizeof(im->build_id)))
		return damaged(e, name, "its manifest.json is incomplete");
	im->created_ns = (uint64_t)jsonx_int(o, "created_ns", 0);
	snprintf(im->kernel, sizeof(im->kernel), "%s/" MANIFEST_KERNEL, folder);
	snprintf(im->initrd, sizeof(im->initrd), "%s/" MANIFEST_INITRD, folder);
	sizes = jsonx_get(o, "files");
	r = check_file(im->kernel, MANIFEST_KERNEL, sizes, im, e);
	return r < 0 ? r : check_file(im->initrd, MANIFEST_INITRD, sizes, im, e);
}
