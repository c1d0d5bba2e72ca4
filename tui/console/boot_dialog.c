/* The boot dialog: four fields with defaults, Enter boots at once. */
#include <errno.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/console/app.h"

enum field { FIELD_IMAGE, FIELD_NAME, FIELD_MEMORY, FIELD_VCPUS, FIELD__COUNT };

static const struct {
	const char *title, *start, *empty;
} fields[] = {
	[FIELD_IMAGE] = {"image", "mini", "mini"},
	[FIELD_NAME] = {"name", "", "made up"},
	[FIELD_MEMORY] = {"memory", "256M", "256M"},
	[FIELD_VCPUS] = {"vcpus", "1", "1"},
};
_Static_assert(countof(fields) == FIELD__COUNT, "a row for each field");

#define MEM_MIN_MIB 64
#define MEM_MAX_MIB 1048576
#define VCPUS_MAX   32

struct boot_dialog {
	struct layer layer;
	enum field at;
	struct edit edit[FIELD__COUNT];
	char error[200];
};

static const char *value(const struct boot_dialog *b, enum field f)
{
	return b->edit[f].len ? b->edit[f].text : fields[f].start;
}

static int boot_params(struct boot_dialog *b, struct json_object *o, struct err *e)
{
	int64_t mib = 0, vcpus = 0;
	int r = str_check_name("image name", value(b, FIELD_IMAGE), e);

	b->at = r < 0 ? FIELD_IMAGE : b->at;
	if (r == 0 && b->edit[FIELD_NAME].len) {
		r = str_check_name("VM name", b->edit[FIELD_NAME].text, e);
		b->at = r < 0 ? FIELD_NAME : b->at;
	}
	if (r == 0) {
		r = str_parse_mib("memory", value(b, FIELD_MEMORY), &mib, e);
		if (r == 0 && (mib < MEM_MIN_MIB || mib > MEM_MAX_MIB))
			r = err_set(
				e, ERANGE, "memory: %d MiB to %d MiB", MEM_MIN_MIB, MEM_MAX_MIB);
		b->at = r < 0 ? FIELD_MEMORY : b->at;
	}
	if (r == 0) {
		r = str_parse_int("vcpus", value(b, FIELD_VCPUS), 1, VCPUS_MAX, &vcpus, e);
		b->at = r < 0 ? FIELD_VCPUS : b->at;
	}
	if (r < 0)
		return r;
	jsonx_add_str(o, "image", value(b, FIELD_IMAGE));
	if (b->edit[FIELD_NAME].len)
		jsonx_add_str(o, "name", b->edit[FIELD_NAME].text);
	jsonx_add_int(o, "mem_mib", mib);
	jsonx_add_int(o, "vcpus", vcpus);
	return 0;
}

static void boot_accept(struct app *a, struct boot_dialog *b)
{
	struct json_object *o = json_object_new_object();
	struct err e = {0};

	if (boot_params(b, o, &e) < 0) {
		snprintf(b->error, sizeof(b->error), "%.190s", e.msg);
		json_object_put(o);
		return;
	}
	app_pop(a);
	app_boot(a, o);
}

static void boot_key(struct app *a, struct layer *l, console_key k)
{
	struct boot_dialog *b = (struct boot_dialog *)l;

	b->error[0] = '\0';
	switch (k) {
	case K_ENTER:
		boot_accept(a, b);
		break;
	case K_ESC:
	case KEY_MOD_CTRL | 'c':
		app_pop(a);
		break;
	case K_TAB:
	case K_DOWN:
		b->at = (b->at + 1) % FIELD__COUNT;
		break;
	case K_BACKTAB:
	case K_UP:
		b->at = (b->at + FIELD__COUNT - 1) % FIELD__COUNT;
		break;
	default:
		edit_key(&b->edit[b->at], k);
	}
}

static void draw_field(struct app *a, const struct boot_dialog *b, enum field f, struct rect row)
{
	struct pen pen = pen_at(&a->paint, row);
	const struct edit *ed = &b->edit[f];
	bool focus = b->at == f;
	char before[EDIT_MAX];
	struct pen in;

	pen_put(&pen, focus ? ROLE_BUTTON_FOCUS : ROLE_DIALOG,
		focus ? paint_glyph(&a->paint, GLYPH_POINTER) : " ");
	pen_put(&pen, ROLE_DIALOG, " ");
	pen_column(&pen, ROLE_DIALOG, 8, fields[f].title);
	in = pen;
	if (ed->len)
		pen_put(&pen, focus ? ROLE_FIELD_FOCUS : ROLE_FIELD, ed->text);
	else
		pen_printf(&pen, focus ? ROLE_FIELD_FOCUS : ROLE_FIELD, "(%s)", fields[f].empty);
	pen_rest(&pen, focus ? ROLE_FIELD_FOCUS : ROLE_FIELD);
	snprintf(before, sizeof(before), "%.*s", (int)ed->at, ed->text);
	if (focus)
		app_cursor(a, row.y, min_of(in.x + text_columns(before), in.end - 1));
}

/* What is wrong with a field, or with the image. */
static void draw_remark(struct app *a, const struct boot_dialog *b, struct rect r)
{
	const struct deck_image *im = model_image(&a->model, value(b, FIELD_IMAGE));
	char text[200];

	if (b->error[0]) {
		paint_wrapped(&a->paint, r, ROLE_DIALOG_ERROR, b->error, true);
		return;
	}
	if (im && strcmp(im->state, "missing") == 0)
		snprintf(text, sizeof(text), "Image %s is not built yet: Esc, then i builds it.",
			im->name);
	else if (im && strcmp(im->state, "building") == 0)
		snprintf(text, sizeof(text), "Image %s is being built.", im->name);
	else
		return;
	paint_wrapped(&a->paint, r, ROLE_DIALOG_KEY, text, true);
}

static void boot_draw(struct app *a, struct layer *l)
{
	struct boot_dialog *b = (struct boot_dialog *)l;
	struct rect r = layout_center(a->rows, a->cols, FIELD__COUNT + 6, 58);
	struct rect row = {r.y, r.x + 2, 1, max_of(r.w - 4, 0)};
	struct pen pen;

	paint_box(&a->paint, r, ROLE_DIALOG_FRAME, ROLE_DIALOG);
	pen = pen_at(&a->paint, row);
	pen_put(&pen, ROLE_DIALOG_TITLE, " boot a VM ");
	for (int f = 0; f < FIELD__COUNT; f++) {
		row.y = r.y + 2 + f;
		if (row.y < r.y + r.h - 1)
			draw_field(a, b, (enum field)f, row);
	}
	row.y = r.y + r.h - 4;
	row.h = 2;
	draw_remark(a, b, row);
	row.y += 2;
	row.h = 1;
	pen = pen_at(&a->paint, row);
	pen_put(&pen, ROLE_DIALOG_KEY, "Enter");
	pen_put(&pen, ROLE_DIALOG, " boots   ");
	pen_put(&pen, ROLE_DIALOG_KEY, "Tab");
	pen_put(&pen, ROLE_DIALOG, " next field   ");
	pen_put(&pen, ROLE_DIALOG_KEY, "Esc");
	pen_put(&pen, ROLE_DIALOG, " not now");
}

static void boot_free(struct layer *l)
{
	free(l);
}

static const struct layer_ops boot_layer = {boot_key, boot_draw, boot_free};

void boot_dialog_open(struct app *a, const char *name)
{
	struct boot_dialog *b = xcalloc(1, sizeof(*b));

	b->layer.ops = &boot_layer;
	for (int f = 0; f < FIELD__COUNT; f++)
		edit_set(&b->edit[f], fields[f].start);
	edit_set(&b->edit[FIELD_NAME], name);
	b->at = FIELD_NAME;
	app_push(a, &b->layer);
}
