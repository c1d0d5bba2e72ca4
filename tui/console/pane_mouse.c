/* The mouse in a pane to what the guest's terminal would send for it. */
#include "tui/console/pane_impl.h"

bool pane_wants_mouse(const struct pane *p)
{
	return p->keys && p->term.mouse != VTERM_PROP_MOUSE_NONE;
}

void pane_mouse(struct pane *p, int row, int col, const struct mouse_event *ev)
{
	VTermModifier mods = pane_modifiers(ev->mods);

	/* The place first: the emulator reports a button where it believes the mouse to be. */
	vterm_mouse_move(p->vt, row, col, mods);
	if (!ev->moved && ev->button != MOUSE_NONE)
		vterm_mouse_button(p->vt, (int)ev->button, ev->pressed, mods);
}
