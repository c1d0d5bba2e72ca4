/* The windows on the view of the VMs: which VM and which of its tabs each shows. Several may show
 * the same tab; its pane then has the size of the smallest of them. */
#ifndef VMDECK_TUI_CONSOLE_WINDOWS_H
#define VMDECK_TUI_CONSOLE_WINDOWS_H

#include "tui/console/deck.h"
#include "tui/console/splits.h"

struct app;

struct window {
	char vm[40], name[64]; /* whose it is; both "": it follows the selection of the list */
	enum tab tab;          /* of a pinned window, while its deck does not show it as its own */
	int top;               /* first line of its timeline, while it is not the current one */
	char timing[56];       /* that was asked for last for it */
};

struct windows {
	struct splits splits;
	/* What was selected when the layout was kept: to be selected again once. */
	char select_vm[40], select_name[64];
	struct window window[SPLIT_NODES_MAX]; /* by leaf */
	int at;                                /* that the focus is in when it is not in the list */
	int current;                           /* as of the last windows_settle */
	int lent;        /* pinned window whose tab is deck.shown at present, -1: none */
	enum tab before; /* what that deck showed, and shows again */
};

/* One window that follows the selection. */
void windows_init(struct windows *ws);
bool window_follows(const struct windows *ws, int leaf);
int windows_count(const struct windows *ws);

/* The window that actions are about: the focused one, else the one that follows the list. */
int windows_current(const struct app *a);
/* What a window shows; NULL: there is no such VM, or it was never seen. */
struct deck_vm *window_vm(struct app *a, int leaf);
struct deck *window_deck(struct app *a, int leaf);
enum tab window_tab(struct app *a, int leaf);
/* Its rectangle with the title; h or w 0: not on the screen. The title and the inside of it. */
struct rect window_rect(const struct app *a, int leaf);
struct rect window_title(const struct app *a, int leaf);
struct rect window_inside(const struct app *a, int leaf);

/* Makes deck.shown of the current window's VM the tab of that window. */
void windows_settle(struct app *a);
/* The reverse: every deck shows what it would without pinned windows. */
void windows_give_back(struct app *a);
/* Divides what the layout has for panes. */
void windows_place(struct app *a);
/* Gives the panes on the screen their sizes. */
void windows_fit(struct app *a);
/* Streams and sizes of everything that is on the screen. */
void windows_sync(struct app *a);
/* The timings that windows other than the current one show (app_ask_timing has that one). */
void windows_ask_timings(struct app *a);
void windows_forget_timings(struct app *a);
/* Once a loop turn: whether anything in a window has changed. */
bool windows_turn(struct app *a);
/* Takes over other windows, as a layout has them. */
void windows_take(struct app *a, const struct windows *from);
/* Selects what a layout wants to be, when the list has it by now. */
void windows_select(struct app *a);
/* Copies them as a layout keeps them. */
void windows_keep(struct app *a, struct windows *to);

/* ---- act_window.c, act_layout.c */
/* Focus to the list and the windows in turn. */
void windows_focus_step(struct app *a, int step);
void windows_focus(struct app *a, int leaf);
/* The window that follows the list becomes the focused one. */
void windows_focus_follower(struct app *a);
/* A key behind C-w; false: that was not pressed. */
bool window_key(struct app *a, console_key k);
/* Keeps the windows under a name; false: a notice says why not. */
bool windows_save(struct app *a, const char *name);
bool windows_load(struct app *a, const char *name);

/* ---- view_pane.c */
void draw_windows(struct app *a, int *cy, int *cx);

#endif
