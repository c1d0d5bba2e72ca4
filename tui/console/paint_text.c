/* Text that is longer than a row. */
#include "tui/console/paint.h"

#include <string.h>

size_t text_fitting(const char *text, int w)
{
	char word[256];
	size_t n = 0, good = 0;
	int columns = 0;

	while (text[n]) {
		size_t len = strcspn(text + n, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, text + n);
		columns += text_columns(word);
		if (columns > w)
			break;
		n += len;
		good = n;
		if (text[n] == ' ') {
			n++;
			columns++;
		}
	}
	/* A word that is longer than the row is cut by the pen. */
	return good ? good : strcspn(text, " ");
}

int paint_wrapped(const struct paint *p, struct rect r, enum role role, const char *text, bool draw)
{
	int rows = 0;

	text += strspn(text, " ");
	while (*text && rows < r.h) {
		size_t n = text_fitting(text, r.w);

		if (draw) {
			struct pen pen = pen_at(p, (struct rect){r.y + rows, r.x, 1, r.w});

			pen_printf(&pen, role, "%.*s", (int)n, text);
			pen_rest(&pen, role);
		}
		rows++;
		text += n;
		text += strspn(text, " ");
	}
	return rows;
}
