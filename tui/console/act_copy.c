/* Actions of copy mode, and those that copy from a list. */
#include <string.h>

#include "tui/console/act.h"
#include "tui/console/clip.h"
#include "tui/console/copy_mode.h"

void act_COPY(struct app *a, const char *arg)
{
	(void)arg;
	copy_mode_open(a);
}

void act_GUEST_SCROLL(struct app *a, const char *arg)
{
	(void)arg;
	copy_mode_open(a);
}

/* An action that does one thing in copy mode. */
#define IN_COPY_MODE(id, call)                                                                     \
	void act_##id(struct app *a, const char *arg)                                              \
	{                                                                                          \
		(void)arg;                                                                         \
		call;                                                                              \
	}

IN_COPY_MODE(COPY_LEFT, copy_mode_move(a, COPY_LEFT))
IN_COPY_MODE(COPY_RIGHT, copy_mode_move(a, COPY_RIGHT))
IN_COPY_MODE(COPY_UP, copy_mode_move(a, COPY_UP))
IN_COPY_MODE(COPY_DOWN, copy_mode_move(a, COPY_DOWN))
IN_COPY_MODE(COPY_WORD, copy_mode_move(a, COPY_WORD))
IN_COPY_MODE(COPY_WORD_BACK, copy_mode_move(a, COPY_WORD_BACK))
IN_COPY_MODE(COPY_LINE_BEGIN, copy_mode_move(a, COPY_LINE_BEGIN))
IN_COPY_MODE(COPY_LINE_END, copy_mode_move(a, COPY_LINE_END))
IN_COPY_MODE(COPY_TOP, copy_mode_move(a, COPY_TOP))
IN_COPY_MODE(COPY_BOTTOM, copy_mode_move(a, COPY_BOTTOM))
IN_COPY_MODE(COPY_PAGE_UP, copy_mode_move(a, COPY_PAGE_UP))
IN_COPY_MODE(COPY_PAGE_DOWN, copy_mode_move(a, COPY_PAGE_DOWN))
IN_COPY_MODE(COPY_HALF_UP, copy_mode_move(a, COPY_HALF_UP))
IN_COPY_MODE(COPY_HALF_DOWN, copy_mode_move(a, COPY_HALF_DOWN))
IN_COPY_MODE(COPY_GOTO, copy_mode_goto(a))
IN_COPY_MODE(COPY_SELECT, copy_mode_select(a, COPY_SELECT_CHARS))
IN_COPY_MODE(COPY_LINES, copy_mode_select(a, COPY_SELECT_LINES))
IN_COPY_MODE(COPY_BLOCK, copy_mode_select(a, COPY_SELECT_BLOCK))
IN_COPY_MODE(COPY_TAKE, copy_mode_take(a))
IN_COPY_MODE(COPY_SEARCH, copy_mode_ask(a, false))
IN_COPY_MODE(COPY_SEARCH_BACK, copy_mode_ask(a, true))
IN_COPY_MODE(COPY_NEXT, copy_mode_again(a, false))
IN_COPY_MODE(COPY_PREVIOUS, copy_mode_again(a, true))
IN_COPY_MODE(COPY_LEAVE, copy_mode_leave(a))

static void copy_word(struct app *a, const char *word)
{
	clip_copy(a, word, strlen(word), word);
}

void act_COPY_NAME(struct app *a, const char *arg)
{
	const struct deck_vm *vm = app_selected(a);

	(void)arg;
	copy_word(a, vm ? vm->name : app_table(a)->selected);
}

void act_COPY_ID(struct app *a, const char *arg)
{
	(void)arg;
	copy_word(a, app_table(a)->selected);
}
