/* The keys in force: those of the table of actions, changed by keys.conf and by :bind. One map, as
 * there is one console. No curses here. */
#ifndef VMDECK_TUI_CONSOLE_KEYMAP_H
#define VMDECK_TUI_CONSOLE_KEYMAP_H

#include "backend/base/err.h"
#include "tui/console/actions.h"

#define KEYMAP_KEYS 8 /* keys an action has at most in one context */

/* The keys of the table, nothing changed. */
void keymap_reset(void);

/* "list", "all", ... as bits of action_context; 0: there is no such section. */
unsigned keymap_section(const char *name);
/* The sections' names with spaces between. */
extern const char keymap_sections[];

/* Keys of an action in the first of these contexts it has, as text ("j Down"; "" when there is
 * none), into out; returns out. */
char *keymap_keys(enum action a, unsigned contexts, char *out, size_t n);

/* The key means this action in those of the contexts that the action has, and nothing else.
 * -EINVAL: it has none of them, or too many keys. */
int keymap_bind(enum action a, unsigned contexts, console_key k, struct err *e);
/* The key means nothing there; returns in how many contexts it did. */
int keymap_unbind(unsigned contexts, console_key k);
/* Takes all keys of an action there. */
void keymap_clear(enum action a, unsigned contexts);

/* What takes the keys back from a guest, C-] and F12 at first. */
bool keymap_is_prefix(console_key k);
/* The first of them, as text. */
char *keymap_prefix_text(char *out, size_t n);
/* From a list of keys; -EINVAL when there is none in it, or a word that is no key. */
int keymap_set_prefix(const char *keys, struct err *e);

/* ---- keys.conf (keys_file.c) */

/* Called for each thing that is wrong, with "FILE:LINE: sentence". */
typedef void keys_complain(void *user, const char *text);
/* Where the file is: $XDG_CONFIG_HOME/vmdeck/keys.conf, else below ~/.config. */
void keys_path(char *out, size_t n);
/* Starts anew from the table and applies the file; none there is fine. What is wrong is left out,
 * the rest counts. Returns the number of complaints. */
int keys_load(const char *path, keys_complain *fn, void *user);

#endif
