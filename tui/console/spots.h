/* What on the screen can be clicked: each drawing of a tab, a hint or a title leaves its place.
 * Pure. */
#ifndef VMDECK_TUI_CONSOLE_SPOTS_H
#define VMDECK_TUI_CONSOLE_SPOTS_H

#define SPOTS_MAX 96 /* more are not clickable */

enum spot_kind { SPOT_NONE, SPOT_ACTION, SPOT_VIEW, SPOT_TAB, SPOT_COLUMN };

struct spot {
	enum spot_kind kind;
	int value; /* the action, view, tab or column */
	int y, x, end;
};

/* Those of the frame on the screen. */
struct spots {
	struct spot spot[SPOTS_MAX];
	int count;
};

/* Columns x..end-1 of row y. s NULL: nobody collects. */
void spots_add(struct spots *s, enum spot_kind kind, int value, int y, int x, int end);
/* The newest at that place; kind SPOT_NONE: nothing. */
struct spot spots_at(const struct spots *s, int y, int x);

#endif
