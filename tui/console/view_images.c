/* The view of images. */
#include <string.h>

#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/actions.h"
#include "tui/console/views.h"

static const struct deck_image *image(const void *row)
{
	return row;
}

static bool is_building(const struct deck_image *im)
{
	return strcmp(im->state, "building") == 0;
}

static void cell_name(const void *row, struct cell *c)
{
	cell_printf(c, "%s", image(row)->name);
}

static void cell_state(const void *row, struct cell *c)
{
	const struct deck_image *im = row;
	bool ready = strcmp(im->state, "ready") == 0;

	c->role = im->stale         ? ROLE_HEALTH_WARN
		  : ready           ? ROLE_STATE_RUNNING
		  : is_building(im) ? ROLE_STATE_STARTING
				    : ROLE_STATE_STOPPED;
	c->glyph = ready ? GLYPH_RUNNING : is_building(im) ? GLYPH_STARTING : GLYPH_STOPPED;
	cell_printf(c, "%s", im->stale && ready ? "out of date" : im->state);
}

static void cell_size(const void *row, struct cell *c)
{
	if (image(row)->bytes)
		cell_bytes(c, image(row)->bytes);
	else
		cell_printf(c, "-");
}

static void cell_built(const void *row, struct cell *c)
{
	cell_time(c, image(row)->created_ns);
}

static void cell_kernel(const void *row, struct cell *c)
{
	cell_printf(c, "%s", image(row)->kernel);
}

static void cell_why(const void *row, struct cell *c)
{
	cell_printf(c, "%.190s", image(row)->why);
}

static double number_size(const void *row)
{
	return (double)image(row)->bytes;
}

static double number_built(const void *row)
{
	return (double)image(row)->created_ns;
}

static const struct column columns[] = {
	{"NAME", 13, 24, 0, cell_name, NULL},
	{"STATE", 14, 0, 0, cell_state, NULL},
	{"SIZE", 10, 0, 40, cell_size, number_size},
	{"BUILT", 9, 0, 50, cell_built, number_built},
	{"KERNEL", 16, 32, 70, cell_kernel, NULL},
	{"", 6, 400, 80, cell_why, NULL},
};

static bool say(const void *row, struct cell *c)
{
	const struct deck_image *im = row;

	if (!is_building(im) || !im->step[0])
		return false;
	c->role = ROLE_WAIT;
	c->done = im->done;
	c->total = im->total;
	cell_printf(c, "%s", im->step);
	return true;
}

static int images_end(const struct model *m)
{
	return m->images;
}

static void *images_row(const struct model *m, int i)
{
	return (void *)(uintptr_t)&m->image[i];
}

static void images_key(const void *row, char *out, size_t n)
{
	snprintf(out, n, "%s", image(row)->name);
}

static const char *field_name(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_image *)row)->name;
}

static const char *field_state(const void *row, char *buf, size_t n)
{
	(void)buf;
	(void)n;
	return ((const struct deck_image *)row)->state;
}

static const struct row_field fields[] = {
	{"name", field_name},
	{"state", field_state},
};

static void images_detail(struct page *pg, const struct model *m, const void *row)
{
	const struct deck_image *im = row;
	char text[160];
	int users = 0;

	page_field(
		pg, "state", "%s%s", im->state, im->stale ? ", out of date: i builds it anew" : "");
	page_field(pg, "why", "%s", im->why);
	if (is_building(im)) {
		page_field(pg, "step", "%s", im->step);
		return;
	}
	page_field(pg, "size", "%s", im->bytes ? str_bytes(text, sizeof(text), im->bytes) : "");
	page_field(pg, "built", "%s", time_text(text, sizeof(text), im->created_ns));
	page_field(pg, "kernel", "%s", im->kernel);
	page_field(pg, "agent", "%s", im->agent);
	for (int i = 0; i < m->count; i++)
		users += strcmp(m->vm[i]->image, im->name) == 0 && !m->vm[i]->gone;
	page_field(pg, "VMs of it", "%d", users);
}

const struct view view_images = {
	.name = "images",
	.title = "Images",
	.one = "image",
	.context = CONTEXT_IMAGES,
	.changes = MODEL_IMAGES,
	.columns = columns,
	.column_count = countof(columns),
	.end = images_end,
	.row = images_row,
	.count = images_end,
	.key = images_key,
	.fields = fields,
	.field_count = countof(fields),
	.row_size = sizeof(struct deck_image),
	.say = say,
	.name_row = images_key,
	.detail = images_detail,
	.pane_rows = 8,
	.empty = "No image yet. Press i: it builds the image 'mini'.",
	.more = "",
};
