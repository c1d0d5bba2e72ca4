#include "tui/cli/text.h"

#include <assert.h>
#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "backend/base/str.h"

#define CELL_MAX 256
#define ELLIPSIS "…"

static const char *const sgr[] = {
	[TINT_NONE] = "",
	[TINT_HEAD] = "\033[1m",
	[TINT_GOOD] = "\033[32m",
	[TINT_WARN] = "\033[33m",
	[TINT_BAD] = "\033[31m",
	[TINT_BUSY] = "\033[36m",
	[TINT_DIM] = "\033[2m",
};
_Static_assert(countof(sgr) == TINT__COUNT, "every tint has a sequence");

static const struct {
	const char *state;
	enum tint tint;
} state_tints[] = {
	{"running", TINT_GOOD},
	{"ready", TINT_GOOD},
	{"found", TINT_GOOD},
	{"starting", TINT_BUSY},
	{"stopping", TINT_BUSY},
	{"creating", TINT_BUSY},
	{"building", TINT_BUSY},
	{"paused", TINT_WARN},
	{"warn", TINT_WARN},
	{"ok", TINT_GOOD},
	{"cancelled", TINT_WARN},
	{"damaged", TINT_BAD},
	{"healthy", TINT_GOOD},
	{"unhealthy", TINT_WARN},
	{"timeout", TINT_WARN},
	{"unreachable", TINT_WARN},
	{"unknown", TINT_DIM},
	{"failed", TINT_BAD},
	{"missing", TINT_BAD},
	{"stopped", TINT_DIM},
};

const char *tint_on(enum tint t, bool color)
{
	return color ? sgr[t] : "";
}

const char *tint_off(bool color)
{
	return color ? "\033[m" : "";
}

enum tint tint_of_state(const char *state)
{
	for (size_t i = 0; state && i < countof(state_tints); i++)
		if (strcmp(state_tints[i].state, state) == 0)
			return state_tints[i].tint;
	return TINT_NONE;
}

/* The user's own locale is not asked: terminals speak UTF-8 also where LANG is not set (ssh, cron).
 */
void text_init(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
}

bool text_ascii(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < countof(names); i++) {
		const char *v = getenv(names[i]);

		if (v && *v)
			return !strcasestr(v, "utf-8") && !strcasestr(v, "utf8");
	}
	return false;
}

/* Bytes of the next character and its columns. */
static size_t next_char(const char *s, int *ret_cols)
{
	mbstate_t state;
	wchar_t wc;
	size_t n;
	int cols;

	memset(&state, 0, sizeof(state));
	n = mbrtowc(&wc, s, strlen(s), &state);
	if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
		*ret_cols = 1;
		return 1;
	}
	cols = wcwidth(wc);
	*ret_cols = cols < 0 ? 1 : cols;
	return n;
}

int text_width(const char *s)
{
	int width = 0, cols;

	while (*s) {
		s += next_char(s, &cols);
		width += cols;
	}
	return width;
}

char *text_cut(char *out, size_t n, const char *s, int cols)
{
	bool fits = text_width(s) <= cols;
	size_t used = 0, room = n - (fits ? 1 : sizeof(ELLIPSIS));
	int left = fits ? cols : cols - 1;

	while (*s) {
		int w;
		size_t len = next_char(s, &w);

		if (w > left || used + len > room)
			break;
		memcpy(out + used, s, len);
		used += len;
		left -= w;
		s += len;
	}
	out[used] = '\0';
	if (!fits && cols > 0)
		strcpy(out + used, ELLIPSIS);
	return out;
}

char *text_age(char *out, size_t n, uint64_t since_wall_ns)
{
	uint64_t now = wall_ns();

	if (!since_wall_ns)
		snprintf(out, n, "-");
	else
		str_duration(out, n, now > since_wall_ns ? now - since_wall_ns : 0);
	return out;
}

char *text_time(char *out, size_t n, uint64_t wall)
{
	time_t s = (time_t)(wall / 1000000000u);
	struct tm tm;
	size_t len;

	if (!localtime_r(&s, &tm)) {
		snprintf(out, n, "%" PRIu64, wall);
		return out;
	}
	len = strftime(out, n, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out + len, n - len, ".%03u", (unsigned)(wall / 1000000u % 1000u));
	return out;
}

static bool is_bare(const char *s)
{
	return *s && !s[strcspn(s, " \"=\t\n")];
}

char *text_fields(char *out, size_t n, struct json_object *fields)
{
	size_t used = 0;

	out[0] = '\0';
	if (!json_object_is_type(fields, json_type_object))
		return out;
	json_object_object_foreach(fields, key, value)
	{
		char safe_key[64], safe[CELL_MAX], number[32];
		const char *text = json_object_to_json_string_ext(
			value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

		if (json_object_is_type(value, json_type_string) &&
			is_bare(json_object_get_string(value)))
			text = json_object_get_string(value);
		if (json_object_is_type(value, json_type_double)) {
			snprintf(number, sizeof(number), "%.7g", json_object_get_double(value));
			text = number;
		}
		str_safe(safe_key, sizeof(safe_key), key);
		str_safe(safe, sizeof(safe), text);
		used += (size_t)snprintf(
			out + used, n - used, "%s%s=%s", used ? " " : "", safe_key, safe);
		if (used >= n) {
			if (n > 4)
				strcpy(out + n - 4, "...");
			break;
		}
	}
	return out;
}

struct cell {
	char text[CELL_MAX];
	enum tint tint;
};

struct table {
	const char *const *heads;
	int cols, filled;
	struct cell *cells; /* rows * cols, owned */
	int rows, cap;
};

struct table *table_new(const char *const *heads, int cols)
{
	struct table *t = xcalloc(1, sizeof(*t));

	assert(cols <= TABLE_COLS_MAX);
	t->heads = heads;
	t->cols = cols;
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	free(t->cells);
	free(t);
}

static struct cell *cell_at(const struct table *t, int row, int col)
{
	return &t->cells[(size_t)row * (size_t)t->cols + (size_t)col];
}

void table_row(struct table *t)
{
	if (t->rows == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->cells =
			reallocarray(t->cells, (size_t)t->cap * (size_t)t->cols, sizeof(*t->cells));
		if (!t->cells)
			abort();
	}
	memset(cell_at(t, t->rows, 0), 0, (size_t)t->cols * sizeof(*t->cells));
	t->rows++;
	t->filled = 0;
}

void table_cell(struct table *t, enum tint tint, const char *fmt, ...)
{
	struct cell *c = cell_at(t, t->rows - 1, t->filled);
	char raw[CELL_MAX * 2];
	va_list ap;

	assert(t->filled < t->cols);
	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	str_safe(c->text, sizeof(c->text), raw);
	c->tint = tint;
	t->filled++;
}

static void measure(const struct table *t, int *widths)
{
	for (int col = 0; col < t->cols; col++) {
		widths[col] = text_width(t->heads[col]);
		for (int row = 0; row < t->rows; row++)
			widths[col] = max_of(widths[col], text_width(cell_at(t, row, col)->text));
	}
}

/* One cell; returns the columns left, < 0: never cut. */
static int print_cell(FILE *f, const struct cell *c, int pad, int left, bool color)
{
	char cut[CELL_MAX + 8];
	const char *text = c->text;
	int width = text_width(text);

	if (left >= 0 && width > left) {
		text = text_cut(cut, sizeof(cut), text, left);
		width = text_width(text);
	}
	if (*text && c->tint != TINT_NONE)
		fprintf(f, "%s%s%s", tint_on(c->tint, color), text, tint_off(color));
	else
		fputs(text, f);
	if (pad <= width)
		return left < 0 ? left : left - width;
	if (left >= 0)
		pad = min_of(pad, left);
	fprintf(f, "%*s", pad - width, "");
	return left < 0 ? left : left - pad;
}

static void print_row(const struct table *t, FILE *f, const struct cell *cells, const int *widths,
	int width, bool color)
{
	int left = width > 0 ? width : -1, last = t->cols - 1;

	while (last > 0 && !cells[last].text[0])
		last--;
	for (int col = 0; col <= last && left != 0; col++)
		left = print_cell(f, &cells[col], col < last ? widths[col] + 2 : 0, left, color);
	fputc('\n', f);
}

void table_print(const struct table *t, FILE *f, int width, bool color)
{
	struct cell heads[TABLE_COLS_MAX];
	int widths[TABLE_COLS_MAX];

	measure(t, widths);
	memset(heads, 0, sizeof(heads));
	for (int col = 0; col < t->cols; col++) {
		snprintf(heads[col].text, sizeof(heads[col].text), "%s", t->heads[col]);
		heads[col].tint = TINT_HEAD;
	}
	print_row(t, f, heads, widths, width, color);
	for (int row = 0; row < t->rows; row++)
		print_row(t, f, cell_at(t, row, 0), widths, width, color);
}
