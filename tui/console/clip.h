/* The operator's clipboard: text to the terminal (OSC 52), to tmux around it, or into a file. */
#ifndef VMDECK_TUI_CONSOLE_CLIP_H
#define VMDECK_TUI_CONSOLE_CLIP_H

#include <stdbool.h>
#include <stddef.h>

#define CLIP_MAX 74994 /* bytes that terminals take by OSC 52 */

struct app;

enum clip_wrap { CLIP_PLAIN, CLIP_TMUX, CLIP_SCREEN };

/* What stands around the terminal, by TMUX, STY and TERM. */
enum clip_wrap clip_wrap_here(void);
/* The sequence that sets the clipboard; the caller frees it. */
char *clip_sequence(enum clip_wrap wrap, const void *text, size_t n, size_t *ret_n);
/* Copies and says so in a notice; longer text goes into a file that the notice names. what: "3
 * lines" or a name. */
void clip_copy(struct app *a, const char *text, size_t n, const char *what);

#endif
