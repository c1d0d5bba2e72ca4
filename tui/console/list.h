/* Selection and scrolling of a list: only numbers, no rows. Pure. */
#ifndef VMDECK_TUI_CONSOLE_LIST_H
#define VMDECK_TUI_CONSOLE_LIST_H

struct list {
	int n;      /* rows there are */
	int sel;    /* selected row; 0 when there is none */
	int top;    /* first row on the screen */
	int height; /* rows on the screen */
};

/* Takes new sizes; keeps the selected row inside and on the screen. */
void list_resize(struct list *l, int n, int height);
/* Selects a row, or the nearest there is. */
void list_select(struct list *l, int row);

#endif
