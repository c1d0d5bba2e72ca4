/* Lines of a page. */
#include "tui/console/page.h"

#include <stdarg.h>
#include <string.h>

struct pen page_line(struct page *pg)
{
	int y = pg->line++ - pg->top;
	struct rect row = {pg->r.y + y, pg->r.x + 1, 1, pg->r.w - 2};

	if (y < 0 || y >= pg->r.h || row.w < 0)
		row.h = 0;
	return pen_at(pg->paint, row);
}

static void wrapped(
	struct page *pg, const char *label, int indent, enum role role, const char *text)
{
	int w = max_of(pg->r.w - 2 - indent, 8);

	text += strspn(text, " ");
	while (*text) {
		size_t n = text_fitting(text, w);
		struct pen pen = page_line(pg);

		pen_column(&pen, ROLE_TEXT_DIM, indent, label);
		pen_printf(&pen, role, "%.*s", (int)n, text);
		text += n;
		text += strspn(text, " ");
		label = "";
	}
}

void page_field(struct page *pg, const char *label, const char *fmt, ...)
{
	char text[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	wrapped(pg, label, max_of(PAGE_LABEL, text_columns(label) + 1), ROLE_TEXT, text);
}

void page_text(struct page *pg, enum role role, const char *text)
{
	wrapped(pg, "", 0, role, text);
}
