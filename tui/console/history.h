/* Lines typed before, kept from one console to the next when a file is named. */
#ifndef VMDECK_TUI_CONSOLE_HISTORY_H
#define VMDECK_TUI_CONSOLE_HISTORY_H

#define HISTORY_MAX 200

struct history {
	char *line[HISTORY_MAX]; /* oldest first; owned */
	int count;
	char *path; /* owned; NULL: they end with the console */
};

/* Reads what other consoles kept in XDG_STATE_HOME/vmdeck/NAME (0600), and keeps new lines there.
 * Without such a place, or with a file that can't be read, nothing is kept. */
void history_open(struct history *h, const char *name);
/* The newest line from now on; one that repeats the one before is left out. Appended to the file
 * with one write, so that consoles at the same time lose nothing of each other's. */
void history_add(struct history *h, const char *line);
void history_fini(struct history *h);

#endif
