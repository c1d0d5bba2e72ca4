/* Which role painted each cell of the screen: for screenshots, which tests compare. */
#ifndef VMDECK_TUI_CONSOLE_PLANE_H
#define VMDECK_TUI_CONSOLE_PLANE_H

#include <stddef.h>
#include <stdint.h>

struct plane {
	int rows, cols;
	uint16_t *role; /* owned; rows x cols, role + 1; 0: nothing painted there */
};

/* p may be NULL; what is outside is left out. */
static inline void plane_put(struct plane *p, int y, int x, int role)
{
	if (p && y >= 0 && y < p->rows && x >= 0 && x < p->cols)
		p->role[(size_t)y * (size_t)p->cols + (size_t)x] = (uint16_t)(role + 1);
}

#endif
