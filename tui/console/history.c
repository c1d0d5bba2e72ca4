#include "tui/console/history.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "backend/base/file.h"
#include "backend/base/str.h"
#include "backend/base/util.h"

#define FILE_MAX (256 * 1024)
#define FILE_CUT (64 * 1024) /* a longer file is made anew, with the newest lines */

static char *path_of(const char *name)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	autofree char *dir = NULL;

	/* A relative one is to be ignored, says the XDG specification. */
	if (state && state[0] == '/')
		dir = xasprintf("%s/vmdeck", state);
	else if (home && home[0] == '/')
		dir = xasprintf("%s/.local/state/vmdeck", home);
	if (!dir || dir_make(dir, 0700, NULL) < 0)
		return NULL;
	return xasprintf("%s/%s", dir, name);
}

static void remember(struct history *h, const char *line)
{
	if (!*line || (h->count && strcmp(h->line[h->count - 1], line) == 0))
		return;
	if (h->count == HISTORY_MAX) {
		free(h->line[0]);
		memmove(h->line, h->line + 1, (HISTORY_MAX - 1) * sizeof(h->line[0]));
		h->count--;
	}
	h->line[h->count++] = xstrdup(line);
}

/* No control character gets from the file to the screen. */
static bool is_text(const char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			return false;
	return true;
}

static void shorten(const struct history *h)
{
	autofree char *all = xstrdup("");

	for (int i = 0; i < h->count; i++) {
		char *more = xasprintf("%s%s\n", all, h->line[i]);

		free(all);
		all = more;
	}
	(void)file_write_atomic(h->path, all, strlen(all), 0600, NULL);
}

void history_open(struct history *h, const char *name)
{
	autofree char *text = NULL;
	char *at, *line;
	size_t n = 0;

	h->path = path_of(name);
	if (!h->path || file_read(h->path, FILE_MAX, &text, &n, NULL) < 0)
		return;
	at = text;
	while ((line = strsep(&at, "\n")))
		if (is_text(line))
			remember(h, line);
	if (n > FILE_CUT)
		shorten(h);
}

static void keep(const struct history *h, const char *line)
{
	autofree char *text = xasprintf("%s\n", line);
	autofd int fd = open(h->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

	/* A line that can't be kept is still in this console's history. */
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		return;
}

void history_add(struct history *h, const char *line)
{
	bool again = h->count && strcmp(h->line[h->count - 1], line) == 0;

	remember(h, line);
	if (h->path && *line && !again)
		keep(h, line);
}

void history_fini(struct history *h)
{
	while (h->count)
		free(h->line[--h->count]);
	free(h->path);
	h->path = NULL;
}
