/* The panes of a VM: output (with the boot before it), serial console, execs, a shell. They outlive
 * reboots of the VM, restarts of the daemon and the VM itself; what happened in between stands in
 * them as ruled lines. */
#ifndef VMDECK_TUI_CONSOLE_DECK_H
#define VMDECK_TUI_CONSOLE_DECK_H

#include "tui/console/feed.h"
#include "tui/console/link.h"
#include "tui/console/model.h"
#include "tui/console/notice.h"

#define DECKS_MAX 24 /* VMs whose panes are kept; the longest unseen goes first */

/* Those up to TAB_PAGES_END are always there; from the timeline to it they are pages, which have no
 * pane. */
enum tab {
	TAB_OUTPUT,
	TAB_SERIAL,
	TAB_TIMELINE,
	TAB_DESCRIBE,
	TAB_HEALTH,
	TAB_VITALS,
	TAB_EXEC,
	TAB_SHELL,
	TAB__COUNT,
	TAB_PAGES_END = TAB_VITALS
};
static inline bool tab_is_page(enum tab tab)
{
	return tab >= TAB_TIMELINE && tab <= TAB_PAGES_END;
}
extern const char *const tab_names[TAB__COUNT];

enum source { SOURCE_NONE, SOURCE_SERIAL, SOURCE_OUTPUT, SOURCE_ATTACH, SOURCE_RUN };

struct deck;

struct deck_tab {
	struct deck *deck;
	enum tab id;
	struct pane *pane; /* owned; NULL until it is needed */
	int rows, cols;    /* its size; 0: not known yet */
	struct feed feed;
	enum source source;   /* of the open stream */
	bool ended;           /* all there is has been read */
	enum source blocked;  /* was refused: not asked again before something changes */
	bool known;           /* output_next says where to go on */
	uint64_t output_next; /* first output byte that is not in the pane */
	uint64_t serial_next; /* of the boot shown in the output tab, or of the serial tab when the
			       * daemon was lost: the same; 0: none yet */
	uint64_t caught_up;   /* end of the output when the stream was opened */
	char late[240];       /* ruled line that belongs behind bytes still to come */
	bool late_at_end;
	uint64_t late_wall;
	/* exec and shell: */
	char command[200];
	uint64_t started_ns; /* monotonic; 0: nothing runs */
	bool have_exit;
	uint8_t exit_how;
	int exit_value;
};

struct deck {
	struct decks *decks;
	struct deck *next;      /* most recently seen first */
	struct deck_vm vm;      /* as last seen */
	enum tab shown;         /* in the current window */
	unsigned tabs;          /* in any window: a bit each */
	bool visible, attached; /* attached: the main process gets the keys */
	struct deck_tab tab[TAB__COUNT];
};

struct decks_handler {
	void (*notice)(void *user, enum notice_kind kind, const char *text);
	/* A tab that had the keys has nobody behind it any more. */
	void (*released)(void *user, struct deck *d, enum tab tab);
};

struct decks {
	struct feed_hub *hub;
	struct link *link;
	const struct decks_handler *h;
	void *user;
	struct deck *first;
	int count;
	int rows, cols; /* of new panes */
	unsigned signs; /* of guests that are wanted, enum sign */
	int scrollback; /* lines a pane keeps at most; 0: its own limit */
};

void decks_init(struct decks *ds, struct feed_hub *hub, struct link *link,
	const struct decks_handler *h, void *user);
void decks_fini(struct decks *ds);
/* The panes of this VM, made when they are not there; the most recently seen one from now on. */
struct deck *decks_see(struct decks *ds, const struct deck_vm *vm);
struct deck *decks_find(const struct decks *ds, const char *id);
/* Size of panes that are made from now on. */
void decks_resize(struct decks *ds, int rows, int cols);
/* Size of the pane of a tab, also of one that is made later. */
void deck_resize_tab(struct deck *d, enum tab tab, int rows, int cols);
/* An event for the ruled lines. */
void decks_event(struct decks *ds, struct json_object *event);
/* The connection is gone (why) or back (NULL). Closes all streams. */
void decks_link(struct decks *ds, const struct err *why);

/* Opens and closes streams so that the tabs in windows are fed. vm: its state now. */
void deck_sync(struct deck *d, const struct deck_vm *vm);
/* Shows a tab; it gets a pane. */
void deck_show(struct deck *d, enum tab tab);
/* Whether the main process (output) or the shell gets the keys. */
void deck_take_keys(struct deck *d, enum tab tab, bool on);
/* Puts a late ruled line where it belongs by now. Once a loop turn for decks on the screen. */
void deck_turn(struct deck *d);
/* Runs sh -c COMMAND, output in the exec tab. */
int deck_exec(struct deck *d, const char *command, struct err *e);
/* Opens a shell (or goes on with the one that runs). */
int deck_shell(struct deck *d, struct err *e);
/* Sends a signal to what runs in the tab; false: nothing does. */
bool deck_signal(struct deck *d, enum tab tab, int sig);
/* Bytes of the tab that the daemon is known to have and the pane does not show yet. */
uint64_t deck_behind(const struct deck *d, enum tab tab);
/* Whether something of ours runs in it (exec, shell). */
bool deck_busy(const struct deck *d);

#endif
