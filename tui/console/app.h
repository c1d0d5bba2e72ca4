/* The running console: what its parts share. One struct, hung from console_main. */
#ifndef VMDECK_TUI_CONSOLE_APP_H
#define VMDECK_TUI_CONSOLE_APP_H

#include <ev.h>

#include "tui/console/actions.h"
#include "tui/console/clock.h"
#include "tui/console/console.h"
#include "tui/console/deck.h"
#include "tui/console/edit.h"
#include "tui/console/feed.h"
#include "tui/console/layout.h"
#include "tui/console/history.h"
#include "tui/console/link.h"
#include "tui/console/list.h"
#include "tui/console/model.h"
#include "tui/console/mouse.h"
#include "tui/console/notice.h"
#include "tui/console/options.h"
#include "tui/console/paint.h"
#include "tui/console/undo.h"
#include "tui/console/replay.h"
#include "tui/console/views.h"
#include "tui/console/windows.h"

struct app;
struct layer;
struct gather;
struct bulk;
struct recorder;

/* What lies over the base view and gets the keys first: prompt, dialog, help. */
struct layer_ops {
	void (*key)(struct app *a, struct layer *l, console_key k);
	void (*draw)(struct app *a, struct layer *l);
	void (*free)(struct layer *l); /* also l itself */
};

/* Embedded first by each kind of layer. */
struct layer {
	const struct layer_ops *ops;
	struct layer *below;
};

enum focus { FOCUS_LIST, FOCUS_PANE };

/* What the daemon lists. */
enum listing { LIST_VMS, LIST_IMAGES, LIST_SNAPSHOTS, LIST_TIMINGS, LIST_EVENTS, LIST__COUNT };

/* What the console has host.watch send: for the sparklines of a list what changes of VMs, for all
 * that shows the host or ages every sample. */
enum watching { WATCH_NONE, WATCH_CHANGES, WATCH_ALL };

struct app {
	struct ev_loop *loop;
	const struct console_opts *opts;
	int exit_code;
	struct options options;
	int options_wrong; /* complaints about vmdeck.conf at the start */
	uint64_t rang_ns;  /* for a guest's bell (guest_signs.c) */

	struct theme theme;
	struct paint paint;
	struct layout layout;
	int rows, cols;

	struct link link;
	struct model model;
	struct feed_hub hub;
	struct decks decks;
	struct windows windows;
	struct {
		bool asking, again; /* a call is under way; one more is due behind it */
	} lists[LIST__COUNT];
	enum watching watching;
	int watching_ms;
	struct json_object *doctor; /* owned; of the host view, NULL: not there yet */
	bool doctor_asked;
	struct {
		char id[40];            /* that was asked for last */
		struct json_object *vm; /* owned VM of proto.def; NULL: not there yet */
	} described;
	bool snapshots_old; /* an event has changed what the list would say of them */
	char timing[56];    /* that was asked for last, and whether it had ended */

	struct table table[VIEW__COUNT];
	enum view_id at;
	int page_top; /* first line of the detail that is shown */
	enum focus focus;
	bool zoom;
	struct call *calls; /* under way, newest first (calls.c) */
	char expect[64];    /* name of the VM we boot (or "?"): it is selected when it appears */

	struct {
		struct deck *deck; /* NULL: the keys are the console's */
		enum tab tab;
		bool prefix;       /* the prefix key was pressed */
		bool window;       /* C-w was */
		bool hints;        /* and its hints are shown */
		bool was_zoomed;   /* before the attach */
		uint64_t ended_ns; /* the guest left by itself: keys typed ahead are dropped */
	} keys;
	struct mouse mouse;
	struct replay *replay;     /* NULL: what is shown is live */
	struct recorder *recorder; /* NULL: nothing is recorded */
	bool pasting;              /* between the marks of a paste that nobody takes */

	struct layer *top;
	struct history commands, execs, searches;
	struct undo undo;
	struct gather *gather;  /* the last command in many VMs; owned */
	struct bulk *bulks;     /* calls for many rows that are under way */
	bool scroll_trouble;    /* was told: older lines are not all on disk */
	struct copy_mode *copy; /* a layer of copy mode, or NULL */
	struct {
		enum notice_kind kind;
		char text[400];
	} notice;

	int cursor_y, cursor_x; /* where the frame wants it; -1: hidden */
	bool dirty;             /* something on the screen has changed */
	bool urgent;            /* because of a key: drawn at once */
	ev_tstamp drawn;
	struct {
		ev_io input;
		ev_io themes;       /* theme files that change */
		ev_io options;      /* vmdeck.conf that does */
		ev_periodic minute; /* of the clock in the top line, while that is on */
		ev_timer more;      /* keys that are read already wait for the next turn */
		ev_prepare turn;
		ev_timer frame;  /* next frame while output floods in */
		ev_timer tick;   /* ages of waits, only while there are any */
		ev_timer prefix; /* hints of the prefix key */
		ev_timer settle; /* streams open when the selection rests */
		ev_signal winch, tstp, cont;
		ev_signal shot; /* SIGUSR1: a screenshot into VMDECK_SCREENSHOT, if that is set */
	} w;
};

/* ---- app.c */
/* Everything but the terminal and the connection. */
void app_init(struct app *a, const struct console_opts *o);
void app_fini(struct app *a);
/* The size of the curses screen has changed. */
void app_take_size(struct app *a);
void app_dirty(struct app *a);
void app_notice(struct app *a, enum notice_kind kind, const char *fmt, ...) printf_like(3, 4);
void app_push(struct app *a, struct layer *l);
void app_pop(struct app *a); /* frees the top layer */
void app_quit(struct app *a, int code);
void app_key(struct app *a, console_key k);
/* Under 40x10 only a sentence is shown, and no key acts but those that leave. */
bool app_too_small(const struct app *a);

/* ---- act_keys.c */
void app_take_keys(struct app *a); /* those of keys.conf */

/* ---- app_theme.c */
/* Shows a theme by name (NULL: that of the environment, else the default); what is wrong in it is a
 * notice. */
void app_take_theme(struct app *a, const char *name);
void app_paint_theme(struct app *a, const struct theme *t);
/* Reads the theme again when a theme file changes, from now on. */
void theme_watch_start(struct app *a);
void theme_watch_stop(struct app *a);

/* ---- app_options.c */
/* Reads vmdeck.conf; what it says of the start goes into o. Before the screen is there. */
void app_read_options(struct app *a, struct console_opts *o);
/* All options take effect; from now on again when the file changes. */
void app_options_start(struct app *a);
void app_options_stop(struct app *a);
/* Those that differ from before take effect (NULL: all). */
void app_apply_options(struct app *a, const struct options *before);

/* ---- select.c: rows, selection, the shown deck */
struct table *app_table(struct app *a); /* of the view that is shown */
void app_show(struct app *a, enum view_id view);
/* The selected VM, snapshot, image; NULL in other views. */
struct deck_vm *app_selected(struct app *a);
struct deck_snapshot *app_snapshot(struct app *a);
struct deck_image *app_image(struct app *a);
struct action_on app_on(struct app *a);
/* The VM whose timing is on the screen, or NULL. */
const char *app_timing(struct app *a);
struct deck *app_deck(struct app *a); /* that is shown, or NULL */
void app_select_row(struct app *a, int row);
/* After a change of model, filter, or size: rows, selection, layout, streams. */
void app_refresh(struct app *a, unsigned changed);
/* Before rows are looked at by a key or a frame: makes those that are late. */
void app_settle_rows(struct app *a);
/* The same when nothing but this VM has changed. */
void app_refresh_vm(struct app *a, unsigned changed, const char *id);
/* After a change of filter, order or freeze of the shown view. */
void app_refill(struct app *a);
void app_sync_deck(struct app *a);
/* A filter that is wrong is told in the prompt, or as a notice, and the old one stays. */
void app_set_filter(struct app *a, const char *text);
/* The same as one step that can be undone. */
void app_filter(struct app *a, const char *text);
void app_layout(struct app *a);

/* ---- fetch.c: what the console asks by itself */
void app_load(struct app *a); /* everything anew */
void app_list(struct app *a, enum listing what);
void app_get_vm(struct app *a, const char *id);
/* The timing on the screen, with what is usual, unless it is known. */
void app_ask_timing(struct app *a);
/* Of another VM on the screen; asked (n bytes): what was asked for last. */
void app_ask_timing_of(struct app *a, const char *id, char *asked, size_t n);

/* ---- watch.c */
/* Has the daemon measure while, and only while, a figure is on the screen. Once a loop turn. */
void app_watch(struct app *a);
/* The answers that describe and the host view show; asked for when they are first seen. */
void app_ask_facts(struct app *a);
void app_ask_health(struct app *a);
/* Says what became of a startup snapshot. */
void app_health_notice(struct app *a, struct json_object *event);
/* An answer to vm.get, which describe may be waiting for. */
void facts_take_vm(struct app *a, struct json_object *vm);
void facts_fini(struct app *a);

/* ---- calls.c: what the operator asks for */
/* Calls; a failure is shown as a notice, success as done (NULL: nothing). Takes params. */
void app_call(struct app *a, const char *method, struct json_object *params, const char *done);
/* The same; a result goes to fn. */
typedef void call_result(struct app *a, struct json_object *result);
void app_call_for(struct app *a, const char *method, struct json_object *params, call_result *fn);
void app_boot(struct app *a, struct json_object *params);
/* The call that has been under way longest: its method and since when (monotonic), or NULL. */
const char *app_oldest_call(const struct app *a, uint64_t *ret_since_ns);
void calls_fini(struct app *a);
void app_deck_notice(void *user, enum notice_kind kind, const char *text);
extern const struct link_handler app_link_handler;

/* ---- attach.c: keys that go to the guest */
void attach_begin(struct app *a, enum tab tab);
void attach_end(struct app *a);
bool attach_key(struct app *a, console_key k); /* false: not attached */
void attach_released(void *user, struct deck *d, enum tab tab);
void attach_fini(struct app *a);
/* "KEYS: guest", with what it waits for. */
const char *attach_text(const struct app *a);

/* ---- act_record.c */
void record_fini(struct app *a);
/* " REC 1.2 MiB ", while one is made. */
const char *record_text(const struct app *a, char *out, size_t n);

/* ---- screenshot.c */
void screenshot_init(struct app *a); /* SIGUSR1 */

/* ---- dispatch.c */
void action_run(struct app *a, enum action act, const char *arg);

/* ---- views */
void draw_screen(struct app *a);                 /* screen.c: everything, one frame */
void app_cursor(struct app *a, int y, int x);    /* where a layer types */
void draw_list(struct app *a);                   /* view_list.c */
void draw_pane(struct app *a, int *cy, int *cx); /* view_pane.c */
void draw_detail(struct app *a);                 /* view_detail.c */
/* In a rectangle; *top: its first line, taken back to what there is. */
void draw_timeline(struct app *a, const char *vm_id, struct rect r, int *top);
/* Its description, health, vitals. */
void draw_vm_page(struct app *a, const char *vm_id, enum tab tab, struct rect r, int *top);
enum role frame_role(const struct app *a);
void draw_head(struct app *a); /* head.c */
void draw_status(struct app *a);
void draw_hints(struct app *a);
bool app_has_waits(struct app *a);

/* ---- layers */
void help_open(struct app *a);
void theme_picker_open(struct app *a);
void action_menu_open(struct app *a);
void options_page_open(struct app *a);
/* Scrolls the help, when that is what this layer is. */
void help_wheel(struct layer *l, int lines);
struct prompt_ops {
	void (*change)(struct app *a, const char *text); /* may be NULL */
	void (*done)(struct app *a, const char *text, bool accepted);
	/* Completes text in place; a hint to show in out. NULL: Tab does nothing. */
	void (*complete)(struct app *a, struct edit *ed, char *out, size_t n);
};
void prompt_open(struct app *a, const char *label, const char *text, const struct prompt_ops *ops,
	struct history *history);
/* What the prompt on top shows behind the text, until the next key; false: none is open. */
bool prompt_hint(struct app *a, const char *text);
/* Asks; yes gets the subject (a VM id). danger: a dialog whose default is No; else one line, y. */
void confirm_open(struct app *a, bool danger, const char *question, const char *detail,
	const char *subject, void (*yes)(struct app *a, const char *subject));
void boot_dialog_open(struct app *a, const char *name);
void snapshot_dialog_open(struct app *a, const struct deck_vm *vm, const char *name);
void restore_dialog_open(struct app *a, const char *snapshot);
/* from: a VM or snapshot; id: what the daemon is told. */
void clone_dialog_open(struct app *a, const char *name, const char *id, const char *count);
void pool_dialog_open(struct app *a, const struct deck_snapshot *s, const char *count);
void command_open(struct app *a);
/* With something typed already. */
void command_open_with(struct app *a, const char *text);
void filter_open(struct app *a);
void sort_menu_open(struct app *a);   /* sort_menu.c */
void gather_view_open(struct app *a); /* gather_view.c; there is a gather */
void exec_open(struct app *a);

#endif
