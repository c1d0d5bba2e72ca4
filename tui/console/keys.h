/* Keys of the console: one number a key, whatever sequence the terminal sends for it. Pure. */
#ifndef VMDECK_TUI_CONSOLE_KEYS_H
#define VMDECK_TUI_CONSOLE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A code point, or one of enum key_special; with modifiers. Control characters arrive as
 * KEY_MOD_CTRL with the lower case letter (C-] is KEY_MOD_CTRL | ']'), apart from those that have a
 * key of their own (Enter, Tab, Esc, Backspace). */
typedef uint32_t console_key;

#define KEY_MOD_SHIFT 0x10000000u
#define KEY_MOD_ALT   0x20000000u
#define KEY_MOD_CTRL  0x40000000u
#define KEY_MODS      0x70000000u
#define KEY_SPECIAL   0x110000u /* above all code points */

enum key_special {
	K_NONE = 0,
	K_UP = KEY_SPECIAL,
	K_DOWN,
	K_LEFT,
	K_RIGHT,
	K_HOME,
	K_END,
	K_PAGE_UP,
	K_PAGE_DOWN,
	K_INSERT,
	K_DELETE,
	K_ENTER,
	K_TAB,
	K_BACKTAB,
	K_ESC,
	K_BACKSPACE,
	K_PASTE_BEGIN,
	K_PASTE_END,
	K_UNKNOWN, /* a sequence without a name: term_unknown_key */
	K_MOUSE,   /* what it did: term_mouse_event */
	K_F0,
	K_F12 = K_F0 + 12,
	K__LIMIT,
};

static inline uint32_t key_base(console_key k)
{
	return k & ~KEY_MODS;
}

static inline bool key_is_char(console_key k)
{
	return k >= 0x20 && k != 0x7f && k < KEY_SPECIAL;
}

/* The key of one character that the terminal sent. */
console_key key_from_char(uint32_t cp);
/* "C-]", "M-x", "F12", "PgUp", "Space", "q". K_NONE when the text names no key. */
console_key key_parse(const char *text, size_t n);
/* The other way round, into out; returns out. */
char *key_text(char *out, size_t n, console_key k);
/* Takes the next word of a list of keys ("j Down"); K_NONE at its end or for an unknown name (then
 * *list points at it). */
console_key key_list_next(const char **list);
/* UTF-8 of a code point: bytes written into out[4]. */
int utf8_put(char *out, uint32_t cp);
/* The code point at s (n bytes left): its length, or 1 with U+FFFD for a wrong byte; 0 at the end.
 */
int utf8_get(const char *s, size_t n, uint32_t *ret_cp);

#endif
