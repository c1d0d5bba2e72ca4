/* A page of text lines in a rectangle, scrolled by lines: details of a row. */
#ifndef VMDECK_TUI_CONSOLE_PAGE_H
#define VMDECK_TUI_CONSOLE_PAGE_H

#include "tui/console/paint.h"

#define PAGE_LABEL 13 /* columns of a field's name */

struct page {
	const struct paint *paint;
	struct rect r;   /* h 0: lines are only counted */
	int top;         /* first line that is shown */
	int line;        /* of the next line; at the end: how many there are */
	uint64_t now_ns; /* wall clock */
};

/* The next line; outside of the rectangle a pen that writes nothing. */
struct pen page_line(struct page *pg);
/* A line "label   text", wrapped behind the label. Nothing for an empty text. */
void page_field(struct page *pg, const char *label, const char *fmt, ...) printf_like(3, 4);
/* Wrapped text. */
void page_text(struct page *pg, enum role role, const char *text);

#endif
