/* :screenshot: the screen as text, then as a letter a cell for the role that painted it. */
#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "tui/console/act.h"
#include "tui/console/plane.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static void put_text(FILE *f, int rows, int cols)
{
	for (int y = 0; y < rows; y++) {
		char line[4096];
		size_t len = 0;

		for (int x = 0; x < cols;) {
			wchar_t w[CCHARW_MAX + 1] = L" ";
			cchar_t cc;
			attr_t attrs;
			short pair;
			int pair_long, width;

			if (mvin_wch(y, x, &cc) == OK)
				getcchar(&cc, w, &attrs, &pair, &pair_long);
			for (int i = 0; w[i] && i < CCHARW_MAX && len < sizeof(line) - 8; i++)
				len += (size_t)utf8_put(line + len, (uint32_t)w[i]);
			width = wcwidth(w[0]);
			x += max_of(width, 1);
		}
		while (len && line[len - 1] == ' ')
			len--;
		fprintf(f, "%.*s\n", (int)len, line);
	}
}

static void put_roles(FILE *f, const struct plane *p)
{
	char letter[ROLE__COUNT + 1] = "";
	int used = 0;

	letter[0] = ' ';
	for (int y = 0; y < p->rows; y++) {
		for (int x = 0; x < p->cols; x++) {
			int role = p->role[(size_t)y * (size_t)p->cols + (size_t)x];

			if (!letter[role])
				letter[role] = used < (int)strlen(LETTERS) ? LETTERS[used++] : '?';
			fputc(letter[role], f);
		}
		fputc('\n', f);
	}
	for (int i = 0; i < used; i++)
		for (int role = 1; role <= ROLE__COUNT; role++)
			if (letter[role] == LETTERS[i])
				fprintf(f, "%c %s\n", LETTERS[i], role_table[role - 1].name);
}

/* Draws the screen once more and notes who paints what. */
static int shoot(struct app *a, const char *path)
{
	struct plane p = {.rows = a->rows, .cols = a->cols};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r;
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	if (!f) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	p.role = xcalloc((size_t)p.rows * (size_t)p.cols, sizeof(*p.role));
	a->paint.plane = &p;
	draw_screen(a);
	a->paint.plane = NULL;
	fprintf(f, "%d x %d\n", p.cols, p.rows);
	put_text(f, p.rows, p.cols);
	fputs("---- roles\n", f);
	put_roles(f, &p);
	free(p.role);
	r = ferror(f) ? -EIO : 0;
	return fclose(f) == 0 ? r : -errno;
}

/* Also while a dialog has the keys, where no command can be typed. */
static void on_usr1(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)loop;
	(void)revents;
	(void)shoot(w->data, getenv("VMDECK_SCREENSHOT"));
}

void screenshot_init(struct app *a)
{
	ev_signal_init(&a->w.shot, on_usr1, SIGUSR1);
	a->w.shot.data = a;
	if (getenv("VMDECK_SCREENSHOT"))
		ev_signal_start(a->loop, &a->w.shot);
}

void act_SCREENSHOT(struct app *a, const char *arg)
{
	int r;

	if (!*arg) {
		app_notice(a, NOTICE_ERROR, "into which file? :screenshot FILE");
		return;
	}
	r = shoot(a, arg);
	if (r < 0)
		app_notice(a, NOTICE_ERROR, "cannot write '%.200s': %s", arg, strerror(-r));
	else
		app_notice(a, NOTICE_OK, "the screen is in '%.200s'", arg);
}
