/* Curses key codes to keys of the console. */
#include "tui/console/term_input.h"

#include <curses.h>
#include <string.h>
#include <term.h>

#include "backend/base/util.h"

/* Codes of our own, above those of curses. */
enum { CODE_PASTE_BEGIN = KEY_MAX + 200, CODE_PASTE_END, CODE_MOUSE };

static const struct {
	unsigned curses;
	console_key key;
} codes[] = {
	{KEY_UP, K_UP},
	{KEY_DOWN, K_DOWN},
	{KEY_LEFT, K_LEFT},
	{KEY_RIGHT, K_RIGHT},
	{KEY_HOME, K_HOME},
	{KEY_END, K_END},
	{KEY_PPAGE, K_PAGE_UP},
	{KEY_NPAGE, K_PAGE_DOWN},
	{KEY_IC, K_INSERT},
	{KEY_DC, K_DELETE},
	{KEY_ENTER, K_ENTER},
	{KEY_BTAB, K_BACKTAB},
	{KEY_BACKSPACE, K_BACKSPACE},
	{KEY_SR, KEY_MOD_SHIFT | K_UP},
	{KEY_SF, KEY_MOD_SHIFT | K_DOWN},
	{KEY_SLEFT, KEY_MOD_SHIFT | K_LEFT},
	{KEY_SRIGHT, KEY_MOD_SHIFT | K_RIGHT},
	{KEY_SHOME, KEY_MOD_SHIFT | K_HOME},
	{KEY_SEND, KEY_MOD_SHIFT | K_END},
	{KEY_SPREVIOUS, KEY_MOD_SHIFT | K_PAGE_UP},
	{KEY_SNEXT, KEY_MOD_SHIFT | K_PAGE_DOWN},
	{KEY_SDC, KEY_MOD_SHIFT | K_DELETE},
	{KEY_SIC, KEY_MOD_SHIFT | K_INSERT},
	{CODE_PASTE_BEGIN, K_PASTE_BEGIN},
	{CODE_PASTE_END, K_PASTE_END},
	{CODE_MOUSE, K_MOUSE},
};

/* Extended names of terminfo: "kUP5" is C-Up (1 + 1 shift + 2 alt + 4 control). */
static const struct {
	const char *name;
	console_key key;
} extended[] = {
	{"kUP", K_UP},
	{"kDN", K_DOWN},
	{"kLFT", K_LEFT},
	{"kRIT", K_RIGHT},
	{"kHOM", K_HOME},
	{"kEND", K_END},
	{"kPRV", K_PAGE_UP},
	{"kNXT", K_PAGE_DOWN},
	{"kIC", K_INSERT},
	{"kDC", K_DELETE},
};

static void define(const char *cap, const char *fallback, int code)
{
	const char *s = tigetstr(cap);

	define_key(s && s != (const char *)-1 ? s : fallback, code);
}

void term_input_setup(void)
{
	define("PS", "\x1b[200~", CODE_PASTE_BEGIN);
	define("PE", "\x1b[201~", CODE_PASTE_END);
	/* Only the beginning, also of what curses itself would take for its mouse. */
	define_key("\x1b[<", CODE_MOUSE);
}

static console_key extended_key(unsigned code)
{
	const char *name = keyname((int)code);

	for (size_t i = 0; name && i < countof(extended); i++) {
		size_t n = strlen(extended[i].name);

		if (strncmp(name, extended[i].name, n) == 0 && name[n] >= '2' && name[n] <= '8' &&
			name[n + 1] == '\0') {
			unsigned mods = (unsigned)(name[n] - '1');

			return extended[i].key | (mods & 1 ? KEY_MOD_SHIFT : 0) |
			       (mods & 2 ? KEY_MOD_ALT : 0) | (mods & 4 ? KEY_MOD_CTRL : 0);
		}
	}
	return K_NONE;
}

console_key term_input_key(bool special, unsigned code)
{
	if (!special)
		return key_from_char(code);
	for (size_t i = 0; i < countof(codes); i++)
		if (codes[i].curses == code)
			return codes[i].key;
	if (code >= (unsigned)KEY_F(1) && code <= (unsigned)KEY_F(12))
		return K_F0 + (code - (unsigned)KEY_F(0));
	/* xterm numbers shifted function keys on: F13 is S-F1. */
	if (code >= (unsigned)KEY_F(13) && code <= (unsigned)KEY_F(24))
		return KEY_MOD_SHIFT | (K_F0 + (code - (unsigned)KEY_F(12)));
	return extended_key(code);
}
