/* The selection of copy mode, and its text. */
#include <string.h>

#include "backend/base/buf.h"
#include "tui/console/copy_impl.h"

void copy_select(struct copy *c, enum copy_select kind)
{
	if (c->select == COPY_SELECT_NONE) {
		c->mark_line = c->line;
		c->mark_col = c->col;
	}
	c->select = c->select == kind ? COPY_SELECT_NONE : kind;
}

bool copy_span(const struct copy *c, uint64_t number, int cols, struct copy_span *ret)
{
	bool down = c->mark_line < c->line || (c->mark_line == c->line && c->mark_col <= c->col);
	uint64_t from = down ? c->mark_line : c->line, to = down ? c->line : c->mark_line;
	int from_col = down ? c->mark_col : c->col, to_col = down ? c->col : c->mark_col;

	if (c->select == COPY_SELECT_NONE || number < from || number > to)
		return false;
	*ret = (struct copy_span){0, cols};
	if (c->select == COPY_SELECT_BLOCK)
		*ret = (struct copy_span){
			min_of(c->mark_col, c->col), max_of(c->mark_col, c->col) + 1};
	if (c->select == COPY_SELECT_CHARS && number == from)
		ret->from = from_col;
	if (c->select == COPY_SELECT_CHARS && number == to)
		ret->to = to_col + 1;
	return true;
}

/* Half of a wide character is the whole of it; the column that one left empty when it went to the
 * next line is no text. */
static void whole_cells(const struct grid_line *line, struct copy_span *s)
{
	const struct cell *last = line->cols ? &line->cells[line->cols - 1] : NULL;

	if (line->wraps && last && !last->chars[0] && last->width == 1)
		s->to = min_of(s->to, line->cols - 1);
	if (s->from > 0 && s->from < line->cols && line->cells[s->from].width == 0)
		s->from--;
}

static size_t trimmed(const struct copy_line_text *t)
{
	size_t n = t->len;

	while (n > 0 && t->text[n - 1] == ' ')
		n--;
	return n;
}

char *copy_text(struct copy *c, size_t max, size_t *ret_n, bool *cut)
{
	uint64_t from = min_of(c->mark_line, c->line), to = max_of(c->mark_line, c->line);
	struct buf b;
	char *text;

	buf_init(&b, max);
	*cut = false;
	if (c->select == COPY_SELECT_NONE)
		from = to = c->line;
	for (uint64_t n = max_of(from, copy_first(c)); n <= to && !*cut; n++) {
		const struct grid_line *line = copy_line(c, n);
		struct copy_span span = {0, line->cols};
		bool joins;

		(void)copy_span(c, n, line->cols, &span);
		whole_cells(line, &span);
		joins = line->wraps && c->select != COPY_SELECT_BLOCK && n < to;
		copy_fill_text(c, line, span.from, span.to);
		*cut = buf_append(&b, c->text.text, joins ? c->text.len : trimmed(&c->text)) < 0 ||
		       (!joins && (n < to || c->select == COPY_SELECT_LINES) &&
			       buf_append(&b, "\n", 1) < 0);
	}
	*ret_n = b.len;
	text = xcalloc(1, b.len + 1);
	if (b.len)
		memcpy(text, buf_peek(&b), b.len);
	buf_fini(&b);
	return text;
}
