/* The text waterfall.
 *
 * One scale for all rows: from the request to the last end that is shown, usual ones included. In a
 * row: the bar, from the cell in which the phase began, its end in eighths of a cell; and the
 * ghost, a mark where the phase would have ended if it had taken as long as usual. */
#include "tui/cli/waterfall.h"

#include <math.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/text.h"

#define SLOW        2.0 /* times the usual */
#define SLOW_MS     5.0 /* and so much more, at least: small ones vary */
#define NAME_COLS   16
#define REMARK_COLS 11
#define BAR_MIN     8
#define BAR_MAX     160
#define CELL_MAX    8 /* bytes */
#define ROWS_MAX    64

/* Which columns a width has room for. */
struct columns {
	int name, bar;
	bool usual, limit, remark;
};

struct view {
	FILE *f;
	const struct waterfall *w;
	struct json_object *timing, *usual;
	struct columns col;
	double scale; /* ms that the bar column spans, > 0 */
	bool running;
};

struct row {
	const char *name;
	double at, ms, limit; /* ms, ms, s */
	double usual;         /* ms, < 0: not known */
	bool now;             /* under way */
};

double waterfall_num(struct json_object *o, const char *key)
{
	struct json_object *v = jsonx_get(o, key);
	double d;

	if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
		return 0;
	d = json_object_get_double(v);
	return isfinite(d) && d > 0 ? d : 0;
}

static const char *text_of(struct json_object *o, const char *key)
{
	const char *s = jsonx_str(o, key);

	return s ? s : "";
}

/* A number of ms in at most 6 columns. */
static char *short_ms(char *out, size_t n, double ms)
{
	if (ms < 9.995)
		snprintf(out, n, "%.2f", ms);
	else if (ms < 99.95)
		snprintf(out, n, "%.1f", ms);
	else if (ms < 99999.5)
		snprintf(out, n, "%.0f", ms);
	else
		snprintf(out, n, "%.2g", ms);
	return out;
}

char *waterfall_ms(char *out, size_t n, double ms)
{
	if (ms < 9.995)
		snprintf(out, n, "%.2f ms", ms);
	else if (ms < 999.5)
		snprintf(out, n, "%.0f ms", ms);
	else if (ms < 6e4)
		snprintf(out, n, "%.1f s", ms / 1e3);
	else if (ms < 1e9)
		str_duration(out, n, (uint64_t)(ms * 1e6));
	else
		snprintf(out, n, "%.3g s", ms / 1e3);
	return out;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static double usual_of(const struct view *v, const char *name)
{
	struct json_object *list = jsonx_get(v->usual, "phases");

	if (!json_object_is_type(list, json_type_array))
		return -1;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (strcmp(text_of(o, "name"), name) == 0)
			return waterfall_num(o, "ms");
	}
	return -1;
}

static size_t row_count(const struct view *v)
{
	struct json_object *list = jsonx_get(v->timing, "phases");

	if (!json_object_is_type(list, json_type_array))
		return 0;
	return min_of(json_object_array_length(list), (size_t)ROWS_MAX);
}

static struct row row_at(const struct view *v, size_t i)
{
	struct json_object *list = jsonx_get(v->timing, "phases");
	struct json_object *o = json_object_array_get_idx(list, i);
	struct row r = {
		.name = text_of(o, "name"),
		.at = waterfall_num(o, "at_ms"),
		.ms = waterfall_num(o, "ms"),
		.limit = waterfall_num(o, "limit_s"),
		.now = v->running && i + 1 == row_count(v),
	};

	r.usual = usual_of(v, r.name);
	return r;
}

static bool is_slow(const struct row *r)
{
	return r->usual >= 0 && r->ms > r->usual * SLOW && r->ms > r->usual + SLOW_MS;
}

static double scale_of(const struct view *v)
{
	double end = waterfall_num(v->timing, "total_ms");

	for (size_t i = 0; i < row_count(v); i++) {
		struct row r = row_at(v, i);

		end = max_of(end, r.at + max_of(r.ms, r.usual));
	}
	return end > 0 ? end : 1;
}

/* ---- layout ---------------------------------------------------------------------------------- */

/* Columns: name, bar, "     ms", "  usual", "  limit", "  remark". */
static struct columns lay_out(const struct view *v)
{
	struct columns c = {.name = 5};
	int left;

	for (size_t i = 0; i < row_count(v); i++) {
		struct row r = row_at(v, i);

		c.name = max_of(c.name, min_of(text_width(r.name), NAME_COLS));
		c.remark |= r.now || is_slow(&r);
	}
	c.limit = v->w->cols >= 60;
	c.usual = v->w->cols >= 48;
	left = v->w->cols - c.name - 2 - 8 - (c.usual ? 8 : 0) - (c.limit ? 8 : 0) -
	       (c.remark ? REMARK_COLS : 0);
	if (left < BAR_MIN && c.remark) {
		c.remark = false;
		left += REMARK_COLS;
	}
	c.bar = min_of(max_of(left, BAR_MIN), BAR_MAX);
	return c;
}

static const char *eighths(const struct waterfall *w, int n)
{
	static const char *const blocks[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};

	return w->ascii ? (n >= 4 ? "=" : "-") : blocks[n];
}

/* Position of a time in eighths of a cell. */
static int eighth_of(const struct view *v, double ms)
{
	double at = ms / v->scale * v->col.bar * 8;

	return (int)min_of(at + 0.5, (double)v->col.bar * 8);
}

static void put_bar(const struct view *v, const struct row *r)
{
	static const char *const ghosts[] = {"┊", ":"};
	const struct waterfall *w = v->w;
	char cells[BAR_MAX][CELL_MAX];
	int bar = v->col.bar, first = min_of(eighth_of(v, r->at) / 8, bar - 1);
	int end = eighth_of(v, r->at + r->ms), ghost = -1;
	enum tint tint = r->now ? TINT_BUSY : is_slow(r) ? TINT_WARN : TINT_GOOD;

	/* The least that is shown: something was there. */
	end = max_of(end, first * 8 + 1);
	if (r->usual >= 0)
		ghost = min_of(eighth_of(v, r->at + r->usual) / 8, bar - 1);
	for (int i = 0; i < bar; i++) {
		int part = min_of(max_of(end - i * 8, 0), 8);
		bool inside = i >= first && part > 0;

		snprintf(cells[i], CELL_MAX, "%s", inside ? eighths(w, part) : " ");
		/* Where the bar itself ends, it would only hide that. */
		if (i == ghost && !(inside && i == (end - 1) / 8))
			snprintf(cells[i], CELL_MAX, "%s", ghosts[w->ascii]);
	}
	fputs(tint_on(tint, w->color), v->f);
	for (int i = 0; i < bar; i++)
		fputs(cells[i], v->f);
	fputs(tint_off(w->color), v->f);
}

static void put_padded(FILE *f, const char *text, int cols)
{
	char safe[200], cut[200];

	str_safe(safe, sizeof(safe), text);
	text_cut(cut, sizeof(cut), safe, cols);
	fprintf(f, "%s%*s", cut, cols - text_width(cut), "");
}

static char *remark(char *out, size_t n, const struct row *r)
{
	out[0] = '\0';
	if (is_slow(r) && r->usual >= 0.01 && r->ms / r->usual < 1000)
		snprintf(out, n, "slow %.1fx", r->ms / r->usual);
	else if (is_slow(r))
		snprintf(out, n, "slow");
	else if (r->now)
		snprintf(out, n, "now");
	return out;
}

static void put_row(const struct view *v, const struct row *r)
{
	char ms[24], usual[24] = "-", limit[24] = "-", note[24];
	const struct columns *c = &v->col;

	put_padded(v->f, r->name, c->name);
	fputs("  ", v->f);
	put_bar(v, r);
	fprintf(v->f, "%8s", short_ms(ms, sizeof(ms), r->ms));
	if (r->usual >= 0)
		short_ms(usual, sizeof(usual), r->usual);
	if (c->usual)
		fprintf(v->f, "%8s", usual);
	if (r->limit > 0)
		snprintf(limit, sizeof(limit), "%.4g s", r->limit);
	remark(note, sizeof(note), r);
	if (c->limit)
		fprintf(v->f, "%8s", limit);
	if (c->remark && note[0])
		fprintf(v->f, " %s%s%s", tint_on(is_slow(r) ? TINT_WARN : TINT_BUSY, v->w->color),
			note, tint_off(v->w->color));
	fputc('\n', v->f);
}

static void put_heads(const struct view *v)
{
	const struct columns *c = &v->col;
	char end[40], shown[40];
	int pad;

	waterfall_ms(end, sizeof(end), v->scale);
	text_cut(shown, sizeof(shown), end, c->bar - 2);
	pad = c->bar - 1 - text_width(shown);
	fprintf(v->f, "%s%-*s  0%*s%s%8s%s%s%s\n", tint_on(TINT_HEAD, v->w->color), c->name,
		"PHASE", pad, "", shown, "MS", c->usual ? "     p50" : "",
		c->limit ? "   LIMIT" : "", tint_off(v->w->color));
}

/* ---- words ----------------------------------------------------------------------------------- */

static const char *name_of(struct json_object *t, const char *kind)
{
	const char *name = text_of(t, strcmp(kind, "snapshot") == 0 ? "subject" : "vm_name");

	return *name ? name : text_of(t, "id");
}

/* "restore of web from snapshot base (qemu): ok" */
static void put_title(const struct view *v)
{
	struct json_object *t = v->timing;
	const char *kind = text_of(t, "kind"), *result = text_of(t, "result");
	bool snapshot = strcmp(kind, "snapshot") == 0;
	const char *from = snapshot ? text_of(t, "vm_name") : text_of(t, "subject");
	const char *what = strcmp(kind, "restore") == 0 ? "snapshot " : snapshot ? "" : "image ";
	bool ok = strcmp(result, "ok") == 0;
	char line[400], safe[400];

	snprintf(line, sizeof(line), "%s of %s%s%s%s%s%s%s: ", *kind ? kind : "operation",
		name_of(t, kind), *from ? snapshot ? " of VM " : " from " : "", *from ? what : "",
		from, *text_of(t, "vmm") ? " (" : "", text_of(t, "vmm"),
		*text_of(t, "vmm") ? ")" : "");
	fputs(str_safe(safe, sizeof(safe), line), v->f);
	fprintf(v->f, "%s%s%s",
		tint_on(ok           ? TINT_GOOD
			: v->running ? TINT_BUSY
				     : TINT_BAD,
			v->w->color),
		str_safe(safe, sizeof(safe), *result ? result : "?"), tint_off(v->w->color));
	if (!v->w->no_time && waterfall_num(t, "started_ns") > 0)
		fprintf(v->f, ", %s",
			text_time(line, sizeof(line), (uint64_t)jsonx_int(t, "started_ns", 0)));
	fputc('\n', v->f);
}

/* "total 124 ms; usually 118 ms, p90 131 ms (57 times)" */
static void put_total(const struct view *v)
{
	double total = waterfall_num(v->timing, "total_ms"),
	       p50 = waterfall_num(v->usual, "p50_ms");
	int64_t count = jsonx_int(v->usual, "count", 0), failed = jsonx_int(v->usual, "failed", 0);
	char took[40], usual[40], p90[40];

	fprintf(v->f, "%s %s", v->running ? "so far" : "total",
		waterfall_ms(took, sizeof(took), total));
	if (count > 0)
		fprintf(v->f, "; usually %s, p90 %s (%lld time%s",
			waterfall_ms(usual, sizeof(usual), p50),
			waterfall_ms(p90, sizeof(p90), waterfall_num(v->usual, "p90_ms")),
			(long long)count, count == 1 ? "" : "s");
	if (count > 0 && failed > 0)
		fprintf(v->f, ", %lld failed", (long long)failed);
	fputs(count > 0 ? ")" : "; nothing to compare with yet", v->f);
	if (count > 0 && total > p50 * SLOW && total > p50 + SLOW_MS)
		fprintf(v->f, ", %sslow%s", tint_on(TINT_WARN, v->w->color), tint_off(v->w->color));
	fputc('\n', v->f);
}

static double seconds(double ms)
{
	return ms / 1e3;
}

/* "waits for hello since 0.4 s, limit 5 s, usually 0.03 s" */
static void put_now(const struct view *v)
{
	char safe[80];
	struct row r;

	if (!v->running || !row_count(v))
		return;
	r = row_at(v, row_count(v) - 1);
	fprintf(v->f, "now: %s since %.2g s", str_safe(safe, sizeof(safe), r.name), seconds(r.ms));
	if (r.limit > 0)
		fprintf(v->f, ", limit %.4g s", r.limit);
	if (r.usual >= 0)
		fprintf(v->f, ", usually %.2g s", seconds(r.usual));
	fputc('\n', v->f);
}

static void put_failure(const struct view *v)
{
	const char *step = text_of(v->timing, "step"), *why = text_of(v->timing, "why");
	const char *last = text_of(v->timing, "last_event");
	char safe[600];

	if (*step)
		fprintf(v->f, "in step: %s\n", str_safe(safe, sizeof(safe), step));
	if (*last)
		fprintf(v->f, "last event: %s\n", str_safe(safe, sizeof(safe), last));
	if (*why)
		fprintf(v->f, "why: %s%s%s\n", tint_on(TINT_BAD, v->w->color),
			str_safe(safe, sizeof(safe), why), tint_off(v->w->color));
}

void waterfall_print(FILE *f, struct json_object *timing, const struct waterfall *w)
{
	struct view v = {.f = f, .w = w, .timing = timing, .usual = jsonx_get(timing, "usual")};

	v.running = strcmp(text_of(timing, "result"), "running") == 0;
	v.scale = scale_of(&v);
	v.col = lay_out(&v);
	put_title(&v);
	put_total(&v);
	put_now(&v);
	if (row_count(&v))
		put_heads(&v);
	else
		fputs("no phase has been timed\n", f);
	for (size_t i = 0; i < row_count(&v); i++) {
		struct row r = row_at(&v, i);

		put_row(&v, &r);
	}
	put_failure(&v);
}
