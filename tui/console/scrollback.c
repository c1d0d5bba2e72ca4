/* Lines that left a pane at its top. */
#include "tui/console/scrollback.h"

#include <string.h>

#include "backend/base/util.h"

void scrollback_fini(struct scrollback *sb)
{
	for (int i = 0; i < sb->count; i++)
		free(sb->ring[(sb->first + i) % SCROLLBACK_LINES].cells);
	free(sb->ring);
	*sb = (struct scrollback){0};
}

static bool cell_is_blank(const VTermScreenCell *c)
{
	return (c->chars[0] == 0 || c->chars[0] == ' ') && !c->attrs.reverse && !c->attrs.underline &&
	       VTERM_COLOR_IS_DEFAULT_BG(&c->bg);
}

void scrollback_push(struct scrollback *sb, const VTermScreenCell *cells, int cols)
{
	struct sb_line *line;

	if (!sb->ring)
		sb->ring = xcalloc(SCROLLBACK_LINES, sizeof(*sb->ring));
	while (cols > 0 && cell_is_blank(&cells[cols - 1]))
		cols--;
	if (sb->count == SCROLLBACK_LINES) {
		line = &sb->ring[sb->first];
		free(line->cells);
		sb->first = (sb->first + 1) % SCROLLBACK_LINES;
		sb->dropped++;
	} else {
		line = &sb->ring[(sb->first + sb->count++) % SCROLLBACK_LINES];
	}
	line->cols = cols;
	line->cells = cols ? xcalloc((size_t)cols, sizeof(*cells)) : NULL;
	if (cols)
		memcpy(line->cells, cells, (size_t)cols * sizeof(*cells));
}

bool scrollback_pop(struct scrollback *sb, VTermScreenCell *cells, int cols, const VTermScreenCell *blank)
{
	struct sb_line *line;

	if (sb->count == 0)
		return false;
	line = &sb->ring[(sb->first + --sb->count) % SCROLLBACK_LINES];
	for (int i = 0; i < cols; i++)
		cells[i] = i < line->cols ? line->cells[i] : *blank;
	/* Half of a wide character does not fit. */
	if (cols > 0 && cols < line->cols && cells[cols - 1].width == 2)
		cells[cols - 1] = *blank;
	free(line->cells);
	*line = (struct sb_line){0};
	return true;
}

const struct sb_line *scrollback_line(const struct scrollback *sb, int back)
{
	if (back < 0 || back >= sb->count)
		return NULL;
	return &sb->ring[(sb->first + sb->count - 1 - back) % SCROLLBACK_LINES];
}
