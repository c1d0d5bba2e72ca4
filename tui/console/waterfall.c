/* The waterfall. One scale for all rows, from the request to the latest end on the screen, usual
 * ends included. A bar is solid up to its usual length and hatched beyond; a phase that was faster
 * than usual shows the rest of the usual length as a pale track: the ghost. */
#include "tui/console/waterfall.h"

#include <string.h>

#include "backend/base/str.h"
#include "backend/base/util.h"
#include "tui/console/table.h"

#define SLOW      2.0 /* times the usual */
#define SLOW_MS   5.0 /* and so much more, at least: small ones vary */
#define NAME_COLS 12
#define TIME_COLS 10
#define BAR_MIN   6
#define NOTE_COLS 11
#define LATE      1.5 /* a mark that came so many totals later has no bar: it would squash all */

struct frame {
	struct page *pg;
	const struct deck_timing *t;
	int name, bar;
	bool usual, limit, note;
	double scale; /* ms that the bar column spans, > 0 */
};

struct row {
	const struct deck_phase *p;
	double ms, usual; /* usual < 0: not known */
	bool now, late;
};

static struct row row_at(const struct frame *f, int i)
{
	const struct deck_timing *t = f->t;
	double total = deck_timing_ms(t, f->pg->now_ns);
	struct row r = {
		.p = &t->phase[i],
		.ms = deck_phase_ms(t, i, f->pg->now_ns),
		.usual = deck_usual_ms(t, t->phase[i].name),
		.now = t->result == RESULT_RUNNING && i == t->phases - 1,
	};

	r.late = t->result != RESULT_RUNNING && r.p->at_ms > total * LATE;
	return r;
}

static bool is_slow(const struct row *r)
{
	return r->usual >= 0 && r->ms > r->usual * SLOW && r->ms > r->usual + SLOW_MS;
}

static struct frame lay_out(struct page *pg, const struct deck_timing *t)
{
	struct frame f = {.pg = pg, .t = t, .name = 6};
	int w = pg->r.w - 2;

	f.scale = deck_timing_ms(t, pg->now_ns);
	for (int i = 0; i < t->phases; i++) {
		struct row r = row_at(&f, i);

		f.name = max_of(f.name, min_of(text_columns(r.p->name) + 1, NAME_COLS));
		if (!r.late)
			f.scale = max_of(f.scale, r.p->at_ms + max_of(r.ms, r.usual));
	}
	f.scale = f.scale > 0 ? f.scale : 1;
	f.usual = w >= 46;
	f.limit = w >= 60;
	f.note = w >= 68;
	f.bar = w - f.name - TIME_COLS * (1 + f.usual) - 7 * f.limit - NOTE_COLS * f.note;
	f.bar = max_of(f.bar, BAR_MIN);
	return f;
}

/* ---- bars ------------------------------------------------------------------------------------ */

/* Position of a time in eighths of a column. */
static int eighth(const struct frame *f, double ms)
{
	return (int)(min_of(ms / f->scale, 1.) * f->bar * 8 + 0.5);
}

static enum role phase_role(const struct row *r)
{
	static const char *const host[] = {
		"check", "reserve", "spawn", "api", "load", "resume", "disks"};

	if (r->now)
		return ROLE_WF_NOW;
	if (strcmp(r->p->name, "queue") == 0)
		return ROLE_WF_WAIT;
	for (size_t i = 0; i < countof(host); i++)
		if (strcmp(r->p->name, host[i]) == 0)
			return ROLE_WF_HOST;
	return ROLE_WF_GUEST;
}

static const char *part_of(const struct paint *p, int eighths)
{
	static const char *const blocks[] = {
		"", "\u258f", "\u258e", "\u258d", "\u258c", "\u258b", "\u258a", "\u2589", "\u2588"};

	return p->ascii ? (eighths >= 4 ? "#" : "|") : blocks[eighths];
}

static void put_bar(const struct frame *f, struct pen *pen, const struct row *r)
{
	int first = min_of(eighth(f, r->p->at_ms) / 8, f->bar - 1), from = pen->x;
	/* The least that is shown: something was there. */
	int end = max_of(eighth(f, r->p->at_ms + r->ms), first * 8 + 1);
	int usual = r->usual >= 0 ? eighth(f, r->p->at_ms + r->usual) : end;
	enum role role = phase_role(r);
	bool slow = is_slow(r);

	for (int i = 0; i < f->bar && !r->late; i++) {
		int part = min_of(end - i * 8, 8);
		bool beyond = slow && i * 8 >= usual;

		if (i < first)
			pen_put(pen, ROLE_TEXT, " ");
		else if (part >= 8 && beyond)
			pen_put(pen, ROLE_WF_OVER, paint_glyph(f->pg->paint, GLYPH_OVER));
		else if (part > 0)
			pen_put(pen, beyond ? ROLE_WF_OVER : role, part_of(f->pg->paint, part));
		else if (i * 8 + 4 <= usual)
			pen_put(pen, ROLE_WF_GHOST, paint_glyph(f->pg->paint, GLYPH_TRACK));
		else
			break;
	}
	pen_column(pen, ROLE_TEXT, max_of(from + f->bar - pen->x, 0), "");
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void put_right(struct pen *pen, enum role role, int w, const char *text)
{
	pen_column(pen, role, max_of(w - text_columns(text), 0), "");
	pen_put(pen, role, text);
}

static void put_note(struct pen *pen, const struct row *r)
{
	if (is_slow(r) && r->usual >= 0.01 && r->ms / r->usual < 1000)
		pen_printf(pen, ROLE_WF_OVER, " slow %.1fx", r->ms / r->usual);
	else if (is_slow(r))
		pen_put(pen, ROLE_WF_OVER, " slow");
	else if (r->now)
		pen_put(pen, ROLE_WF_NOW, " now");
	else if (r->late)
		pen_put(pen, ROLE_TEXT_DIM, " later");
}

static void put_row(const struct frame *f, const struct row *r)
{
	struct pen pen = page_line(f->pg);
	char text[40];

	pen_column(&pen, r->now ? ROLE_WF_NOW : ROLE_TEXT, f->name - 1, r->p->name);
	pen_put(&pen, ROLE_TEXT, " ");
	put_bar(f, &pen, r);
	put_right(&pen, ROLE_TEXT, TIME_COLS, ms_text(text, sizeof(text), r->ms));
	if (f->usual)
		put_right(&pen, ROLE_WF_GHOST, TIME_COLS,
			r->usual >= 0 ? ms_text(text, sizeof(text), r->usual) : "-");
	snprintf(text, sizeof(text), "%.4g s", r->p->limit_s);
	if (f->limit)
		put_right(&pen, ROLE_TEXT_DIM, 7, r->p->limit_s > 0 ? text : "-");
	if (f->note)
		put_note(&pen, r);
}

static void put_heads(const struct frame *f)
{
	struct pen pen = page_line(f->pg);
	char end[40];

	pen_column(&pen, ROLE_HEADER, f->name, "PHASE");
	pen_put(&pen, ROLE_HEADER, "0");
	put_right(&pen, ROLE_HEADER, f->bar - 1, ms_text(end, sizeof(end), f->scale));
	put_right(&pen, ROLE_HEADER, TIME_COLS, "TOOK");
	if (f->usual)
		put_right(&pen, ROLE_HEADER, TIME_COLS, "USUAL");
	if (f->limit)
		put_right(&pen, ROLE_HEADER, 7, "LIMIT");
}

/* ---- words ----------------------------------------------------------------------------------- */

char *waterfall_wait(const struct deck_timing *t, uint64_t now_ns, char *out, size_t n)
{
	const struct deck_phase *p = t->phases ? &t->phase[t->phases - 1] : NULL;
	double usual = p ? deck_usual_ms(t, p->name) : -1;
	char text[40];
	size_t len;

	out[0] = '\0';
	if (t->result != RESULT_RUNNING || !p)
		return out;
	snprintf(out, n, "%s: waiting since %s", p->name,
		ms_text(text, sizeof(text), deck_phase_ms(t, t->phases - 1, now_ns)));
	len = strlen(out);
	if (p->limit_s > 0)
		snprintf(out + len, n - len, ", limit %.4g s", p->limit_s);
	len = strlen(out);
	if (usual >= 0)
		snprintf(out + len, n - len, ", usually %s", ms_text(text, sizeof(text), usual));
	return out;
}

static enum role result_role(enum deck_result r)
{
	return r == RESULT_OK        ? ROLE_NOTICE_OK
	       : r == RESULT_RUNNING ? ROLE_WAIT
				     : ROLE_NOTICE_ERROR;
}

static void put_total(const struct frame *f)
{
	const struct deck_timing *t = f->t;
	const struct deck_restores *u = t->usual ? &t->usual->total : NULL;
	struct pen pen = page_line(f->pg);
	char a[40], b[40];

	pen_printf(&pen, result_role(t->result), "%s", deck_results[t->result]);
	pen_printf(&pen, ROLE_TITLE, " %s %s", t->result == RESULT_RUNNING ? "so far" : "in",
		ms_text(a, sizeof(a), deck_timing_ms(t, f->pg->now_ns)));
	if (!u || u->count == 0) {
		pen_put(&pen, ROLE_TEXT_DIM, u ? "; nothing to compare with yet" : "");
		return;
	}
	pen_printf(&pen, ROLE_TEXT, "; usually %s, p99 %s", ms_text(a, sizeof(a), u->p50_ms),
		ms_text(b, sizeof(b), u->p99_ms));
	pen_printf(&pen, ROLE_TEXT_DIM, " (%lld time%s", (long long)u->count,
		u->count == 1 ? "" : "s");
	if (u->failed)
		pen_printf(&pen, ROLE_TEXT_DIM, ", %lld failed", (long long)u->failed);
	pen_put(&pen, ROLE_TEXT_DIM, ")");
}

void waterfall_draw(struct page *pg, const struct deck_timing *t)
{
	struct frame f = lay_out(pg, t);
	char text[200];

	put_total(&f);
	if (waterfall_wait(t, pg->now_ns, text, sizeof(text))[0])
		page_text(pg, ROLE_WAIT, text);
	if (t->result != RESULT_RUNNING && t->result != RESULT_OK) {
		page_field(pg, "in step", "%s", t->step);
		page_field(pg, "last event", "%s", t->last_event);
		page_field(pg, "why", "%s", t->why);
	}
	if (!t->phases) {
		page_text(pg, ROLE_TEXT_DIM, "No phase has been timed.");
		return;
	}
	put_heads(&f);
	for (int i = 0; i < t->phases; i++) {
		struct row r = row_at(&f, i);

		put_row(&f, &r);
	}
}
