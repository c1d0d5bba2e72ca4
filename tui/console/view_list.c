/* The list of VMs: one row each, state as glyph and word, the columns that fit. */
#include <string.h>
#include <time.h>

#include "backend/base/str.h"
#include "tui/console/app.h"

struct column {
	const char *title;
	int width;
	int from; /* shown from this list width on */
	void (*text)(const struct deck_vm *vm, char *out, size_t n);
};

static void text_image(const struct deck_vm *vm, char *out, size_t n)
{
	snprintf(out, n, "%s", vm->image);
}

static void text_vmm(const struct deck_vm *vm, char *out, size_t n)
{
	snprintf(out, n, "%s%s%s", vm->vmm, vm->accel[0] ? "/" : "", vm->accel);
}

static void text_cpus(const struct deck_vm *vm, char *out, size_t n)
{
	snprintf(out, n, "%4d", vm->vcpus);
}

static void text_mem(const struct deck_vm *vm, char *out, size_t n)
{
	bool gib = vm->mem_mib >= 10240;
	long long size = gib ? vm->mem_mib / 1024 : vm->mem_mib;
	long long used = gib ? vm->mem_used >> 30 : vm->mem_used >> 20;

	if (vm->mem_total && deck_vm_alive(vm))
		snprintf(out, n, "%4lld/%lld%s", used, size, gib ? "G" : "M");
	else
		snprintf(out, n, "     %lld%s", size, gib ? "G" : "M");
}

static void text_boot(const struct deck_vm *vm, char *out, size_t n)
{
	if (vm->boot_ms > 0)
		str_duration(out, n, (uint64_t)(vm->boot_ms * 1e6));
	else
		snprintf(out, n, "-");
}

static void text_since(const struct deck_vm *vm, char *out, size_t n)
{
	time_t when = (time_t)(vm->since_ns / 1000000000), now = time(NULL);
	struct tm tm;

	out[0] = '\0';
	if (when > 0 && localtime_r(&when, &tm))
		strftime(out, n, now - when < 20 * 3600 ? "%H:%M:%S" : "%b %d", &tm);
}

static void text_id(const struct deck_vm *vm, char *out, size_t n)
{
	snprintf(out, n, "%s", vm->id);
}

#define NAME_WIDTH_MIN 10
#define NAME_WIDTH_MAX 24
#define STATE_WIDTH    12

/* Behind name and state, in this order. */
static const struct column columns[] = {
	{"IMAGE", 9, 44, text_image},
	{"SINCE", 9, 36, text_since},
	{"BOOT", 9, 62, text_boot},
	{"MEMORY", 11, 56, text_mem},
	{"CPUS", 5, 68, text_cpus},
	{"VMM", 10, 76, text_vmm},
	{"ID", 9, 100, text_id},
};

enum role state_role(enum deck_state s)
{
	static const enum role roles[] = {
		[DECK_STARTING] = ROLE_STATE_STARTING,
		[DECK_RUNNING] = ROLE_STATE_RUNNING,
		[DECK_PAUSED] = ROLE_STATE_PAUSED,
		[DECK_STOPPING] = ROLE_STATE_STOPPING,
		[DECK_STOPPED] = ROLE_STATE_STOPPED,
		[DECK_FAILED] = ROLE_STATE_FAILED,
		[DECK_UNKNOWN] = ROLE_STATE_UNKNOWN,
	};
	_Static_assert(countof(roles) == DECK__COUNT, "a role for each state");

	return roles[s];
}

enum glyph state_glyph(enum deck_state s)
{
	static const enum glyph glyphs[] = {
		[DECK_STARTING] = GLYPH_STARTING,
		[DECK_RUNNING] = GLYPH_RUNNING,
		[DECK_PAUSED] = GLYPH_PAUSED,
		[DECK_STOPPING] = GLYPH_STOPPING,
		[DECK_STOPPED] = GLYPH_STOPPED,
		[DECK_FAILED] = GLYPH_FAILED,
		[DECK_UNKNOWN] = GLYPH_UNKNOWN,
	};
	_Static_assert(countof(glyphs) == DECK__COUNT, "a glyph for each state");

	return glyphs[s];
}

static int name_width(int width)
{
	int rest = width - 1 - STATE_WIDTH;

	for (size_t i = 0; i < countof(columns); i++)
		if (width >= columns[i].from)
			rest -= columns[i].width;
	return max_of(NAME_WIDTH_MIN, min_of(rest, NAME_WIDTH_MAX));
}

/* The whole row is of one role where the row itself says something. */
static enum role row_role(const struct app *a, const struct deck_vm *vm, bool selected)
{
	if (selected)
		return a->focus == FOCUS_LIST && !a->keys.deck ? ROLE_ROW_SELECTED
							       : ROLE_ROW_UNFOCUSED;
	if (a->model.stale || vm->gone)
		return ROLE_ROW_STALE;
	return ROLE_TEXT;
}

static void draw_row(struct app *a, struct rect r, const struct deck_vm *vm, bool selected)
{
	struct pen pen = pen_at(&a->paint, r);
	enum role role = row_role(a, vm, selected);
	enum role mark = role == ROLE_TEXT ? state_role(vm->state) : role;
	bool silent = vm->state == DECK_RUNNING && !vm->agent && !vm->gone;
	char text[64];

	pen_put(&pen, role, selected ? paint_glyph(&a->paint, GLYPH_POINTER) : " ");
	pen_column(&pen, role, name_width(r.w) - 1, vm->name);
	pen_put(&pen, role, " ");
	pen_put(&pen, mark, paint_glyph(&a->paint, state_glyph(vm->state)));
	pen_put(&pen, role, " ");
	/* A VM that runs without its agent is not what it seems. */
	pen_column(&pen, silent && role == ROLE_TEXT ? ROLE_HEALTH_WARN : mark, STATE_WIDTH - 3,
		silent     ? "no agent"
		: vm->gone ? "gone"
			   : deck_state_names[vm->state]);
	pen_put(&pen, role, " ");
	for (size_t i = 0; i < countof(columns); i++) {
		if (r.w < columns[i].from)
			continue;
		columns[i].text(vm, text, sizeof(text));
		pen_column(&pen, role, columns[i].width - 1, text);
		pen_put(&pen, role, " ");
	}
	pen_rest(&pen, role);
}

static void draw_header(struct app *a)
{
	struct rect r = a->layout.list_head;
	struct pen pen = pen_at(&a->paint, r);
	int more = a->view.count - a->list.height;
	char text[48];

	pen_put(&pen, ROLE_HEADER, " ");
	pen_column(&pen, ROLE_HEADER, name_width(r.w), "NAME");
	pen_column(&pen, ROLE_HEADER, STATE_WIDTH, "STATE");
	for (size_t i = 0; i < countof(columns); i++)
		if (r.w >= columns[i].from)
			pen_column(&pen, ROLE_HEADER, columns[i].width, columns[i].title);
	if (more > 0 || a->filter[0]) {
		snprintf(text, sizeof(text), "%d of %d%s", a->view.count ? a->list.sel + 1 : 0,
			a->view.count, a->filter[0] ? " (filter)" : "");
		pen.x = max_of(pen.x, pen.end - (int)strlen(text));
		pen_put(&pen, ROLE_TEXT_DIM, text);
	}
	pen_rest(&pen, ROLE_HEADER);
}

/* One line of an empty list. */
static void say(struct app *a, int line, enum role role, const char *text)
{
	struct rect r = a->layout.list;
	struct pen pen = pen_at(&a->paint, (struct rect){r.y + line, r.x, 1, r.w});

	if (line >= r.h)
		return;
	pen_put(&pen, role, "  ");
	pen_put(&pen, role, text);
}

/* Nothing to list: what to press. */
static void draw_empty(struct app *a)
{
	const struct deck_image *mini = model_image(&a->model, "mini");
	char text[200];

	if (!a->model.loaded) {
		say(a, 0, ROLE_TEXT_DIM,
			a->link.client ? "asking the daemon" : "starting the daemon");
		return;
	}
	if (a->filter[0]) {
		snprintf(text, sizeof(text), "No VM contains '%s'. Esc shows all.", a->filter);
		say(a, 0, ROLE_TEXT, text);
		return;
	}
	if (mini && strcmp(mini->state, "missing") == 0)
		say(a, 0, ROLE_TEXT,
			"No VM and no image yet. Press i: it builds the image 'mini'.");
	else if (mini && strcmp(mini->state, "building") == 0)
		say(a, 0, ROLE_TEXT, "The image is being built; then press b to boot a VM.");
	else
		say(a, 0, ROLE_TEXT, "No VM yet. Press b to boot one.");
	say(a, 1, ROLE_TEXT_DIM, "? shows all keys.");
}

void draw_list(struct app *a)
{
	struct rect r = a->layout.list;

	draw_header(a);
	if (a->view.count == 0) {
		draw_empty(a);
		return;
	}
	for (int i = 0; i < r.h && a->list.top + i < a->view.count; i++) {
		int row = a->list.top + i;

		draw_row(a, (struct rect){r.y + i, r.x, 1, r.w}, a->view.row[row],
			row == a->list.sel);
	}
}
