/* Keys to what the guest's terminal would send for them. */
#include "tui/console/pane_impl.h"

static const struct {
	uint32_t key;
	VTermKey vterm;
} special_keys[] = {
	{K_UP, VTERM_KEY_UP},
	{K_DOWN, VTERM_KEY_DOWN},
	{K_LEFT, VTERM_KEY_LEFT},
	{K_RIGHT, VTERM_KEY_RIGHT},
	{K_HOME, VTERM_KEY_HOME},
	{K_END, VTERM_KEY_END},
	{K_PAGE_UP, VTERM_KEY_PAGEUP},
	{K_PAGE_DOWN, VTERM_KEY_PAGEDOWN},
	{K_INSERT, VTERM_KEY_INS},
	{K_DELETE, VTERM_KEY_DEL},
	{K_ENTER, VTERM_KEY_ENTER},
	{K_TAB, VTERM_KEY_TAB},
	{K_ESC, VTERM_KEY_ESCAPE},
	{K_BACKSPACE, VTERM_KEY_BACKSPACE},
};

VTermModifier pane_modifiers(console_key k)
{
	return (k & KEY_MOD_SHIFT ? VTERM_MOD_SHIFT : VTERM_MOD_NONE) |
	       (k & KEY_MOD_ALT ? VTERM_MOD_ALT : VTERM_MOD_NONE) |
	       (k & KEY_MOD_CTRL ? VTERM_MOD_CTRL : VTERM_MOD_NONE);
}

/* C-x as the control character itself: the emulator would encode some of them in ways that only
 * few programs read. */
static bool send_control(struct pane *p, uint32_t base)
{
	char c;

	if (base == '\n')
		c = '\n';
	else if (base == ' ')
		c = 0;
	else if (base >= 'a' && base <= 'z')
		c = (char)(base - 'a' + 1);
	else if (base >= '[' && base <= '_')
		c = (char)(base - '@');
	else
		return false;
	if (p->keys && p->to_guest)
		p->to_guest(p->user, &c, 1);
	return true;
}

void pane_key(struct pane *p, console_key k)
{
	uint32_t base = key_base(k);

	if (p->term.grid.view)
		pane_scroll_end(p);
	if ((k & KEY_MODS) == KEY_MOD_CTRL && send_control(p, base))
		return;
	/* Nobody turns a carriage return into a line end there. */
	if (k == K_ENTER && p->lines && send_control(p, '\n'))
		return;
	/* Esc and the character: the emulator would cut what is above 255. */
	if ((k & KEY_MODS) == KEY_MOD_ALT && key_is_char(base) && send_control(p, '[')) {
		vterm_keyboard_unichar(p->vt, base, VTERM_MOD_NONE);
		return;
	}
	if (key_is_char(base)) {
		vterm_keyboard_unichar(p->vt, base, pane_modifiers(k));
		return;
	}
	if (base == K_PASTE_BEGIN)
		vterm_keyboard_start_paste(p->vt);
	else if (base == K_PASTE_END)
		vterm_keyboard_end_paste(p->vt);
	else if (base == K_BACKTAB)
		vterm_keyboard_key(p->vt, VTERM_KEY_TAB, VTERM_MOD_SHIFT);
	else if (base > K_F0 && base <= K_F12)
		vterm_keyboard_key(p->vt, VTERM_KEY_FUNCTION(base - K_F0), pane_modifiers(k));
	for (size_t i = 0; i < sizeof(special_keys) / sizeof(special_keys[0]); i++)
		if (special_keys[i].key == base)
			vterm_keyboard_key(p->vt, special_keys[i].vterm, pane_modifiers(k));
}
