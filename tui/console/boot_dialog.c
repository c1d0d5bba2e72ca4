/* The boot dialog: six fields with defaults, Enter boots at once. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/form.h"

enum field {
	FIELD_IMAGE,
	FIELD_NAME,
	FIELD_MEMORY,
	FIELD_VCPUS,
	FIELD_NETWORK,
	FIELD_PORTS,
	FIELD__COUNT
};

static const struct form_field fields[] = {
	[FIELD_IMAGE] = {"image", "mini", "mini"},
	[FIELD_NAME] = {"name", "", "made up"},
	[FIELD_MEMORY] = {"memory", "256M", "256M"},
	[FIELD_VCPUS] = {"vcpus", "1", "1"},
	[FIELD_NETWORK] = {"network", "none", "none, bridged, rootless or auto"},
	[FIELD_PORTS] = {"ports", "", "8080:80 127.0.0.1:53:53/udp ..."},
};
_Static_assert(countof(fields) == FIELD__COUNT, "a row for each field");

#define MEM_MIN_MIB 64
#define MEM_MAX_MIB 1048576
#define VCPUS_MAX   32

static const char *value(const struct form *f, enum field i)
{
	return form_text(f, i)[0] ? form_text(f, i) : fields[i].start;
}

static int check_memory(struct form *f, int64_t *ret, struct err *e)
{
	int r = str_parse_mib("memory", value(f, FIELD_MEMORY), ret, e);

	if (r == 0 && (*ret < MEM_MIN_MIB || *ret > MEM_MAX_MIB))
		r = err_set(e, ERANGE, "memory: %d MiB to %d MiB", MEM_MIN_MIB, MEM_MAX_MIB);
	return form_at(f, FIELD_MEMORY, r);
}

static int check_network(struct form *f, struct err *e)
{
	static const char *const words[] = {"none", "bridged", "rootless", "auto"};
	const char *text = value(f, FIELD_NETWORK);

	for (size_t i = 0; i < countof(words); i++)
		if (strcmp(words[i], text) == 0)
			return 0;
	return form_at(
		f, FIELD_NETWORK, err_set(e, EINVAL, "network: none, bridged, rootless or auto"));
}

/* Ports without a word about the network: the daemon takes the one that goes here. */
static void add_network(struct json_object *o, const struct form *f)
{
	autofree char *text = xstrdup(form_text(f, FIELD_PORTS));
	struct json_object *list = json_object_new_array();
	const char *mode = value(f, FIELD_NETWORK);
	char *save = NULL;

	for (char *w = strtok_r(text, " ,", &save); w; w = strtok_r(NULL, " ,", &save))
		json_object_array_add(list, json_object_new_string(w));
	if (strcmp(mode, "none") != 0 || json_object_array_length(list) == 0)
		jsonx_add_str(o, "network", mode);
	if (json_object_array_length(list) > 0)
		json_object_object_add(o, "publish", list);
	else
		json_object_put(list);
}

static int boot_accept(struct app *a, struct form *f, struct err *e)
{
	int64_t mib = 0, vcpus = 0;
	const char *name = form_text(f, FIELD_NAME);
	struct json_object *o;
	int r = form_at(f, FIELD_IMAGE, str_check_name("image name", value(f, FIELD_IMAGE), e));

	if (r == 0 && *name)
		r = form_at(f, FIELD_NAME, str_check_name("VM name", name, e));
	if (r == 0)
		r = check_memory(f, &mib, e);
	if (r == 0)
		r = form_at(f, FIELD_VCPUS,
			str_parse_int("vcpus", value(f, FIELD_VCPUS), 1, VCPUS_MAX, &vcpus, e));
	if (r == 0)
		r = check_network(f, e);
	if (r < 0)
		return r;
	o = json_object_new_object();
	jsonx_add_str(o, "image", value(f, FIELD_IMAGE));
	if (*name)
		jsonx_add_str(o, "name", name);
	jsonx_add_int(o, "mem_mib", mib);
	jsonx_add_int(o, "vcpus", vcpus);
	add_network(o, f);
	app_boot(a, o);
	return 0;
}

/* What is wrong with the image. */
static void boot_remark(struct app *a, const struct form *f, char *out, size_t n)
{
	const struct deck_image *im = model_image(&a->model, value(f, FIELD_IMAGE));

	if (im && strcmp(im->state, "missing") == 0)
		snprintf(out, n, "Image %s is not built yet: Esc, then i builds it.", im->name);
	else if (im && strcmp(im->state, "building") == 0)
		snprintf(out, n, "Image %s is being built.", im->name);
}

void boot_dialog_open(struct app *a, const char *name)
{
	static const struct form_spec spec = {
		fields, FIELD__COUNT, "boots", boot_accept, boot_remark};
	const struct deck_image *im = app_image(a);
	struct form *f = form_open(a, &spec, "boot a VM", "", FIELD_NAME);

	form_set(f, FIELD_NAME, name);
	if (im)
		form_set(f, FIELD_IMAGE, im->name);
}
