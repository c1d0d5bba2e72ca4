/* Text to the clipboard of whoever sits at the terminal, near or far. */
#include "tui/console/clip.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/base/buf.h"
#include "backend/base/path.h"
#include "backend/base/proc.h"
#include "backend/base/str.h"
#include "tui/console/app.h"
#include "tui/console/term.h"

#define SCREEN_PART 240 /* bytes of one string that screen passes on */

enum clip_wrap clip_wrap_here(void)
{
	const char *tmux = getenv("TMUX"), *sty = getenv("STY"), *name = getenv("TERM");

	if (tmux && *tmux)
		return CLIP_TMUX;
	if ((sty && *sty) || (name && strncmp(name, "screen", 6) == 0))
		return CLIP_SCREEN;
	return name && strncmp(name, "tmux", 4) == 0 ? CLIP_TMUX : CLIP_PLAIN;
}

static size_t base64(char *out, const unsigned char *in, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *o = out;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		unsigned v = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) |
			     (left > 2 ? in[i + 2] : 0);

		*o++ = digits[v >> 18];
		*o++ = digits[v >> 12 & 63];
		*o++ = left > 1 ? digits[v >> 6 & 63] : '=';
		*o++ = left > 2 ? digits[v & 63] : '=';
	}
	*o = '\0';
	return (size_t)(o - out);
}

static void put(struct buf *b, const char *s, size_t n)
{
	/* No limit was set: it can't be passed. */
	if (buf_append(b, s, n) < 0)
		abort();
}

static void put_text(struct buf *b, const char *s)
{
	put(b, s, strlen(s));
}

char *clip_sequence(enum clip_wrap wrap, const void *text, size_t n, size_t *ret_n)
{
	autofree char *code = xcalloc(1, (n + 2) / 3 * 4 + 1);
	size_t len = base64(code, text, n);
	struct buf b;
	char *out;

	buf_init(&b, 0);
	if (wrap == CLIP_TMUX) {
		/* Passed on with each ESC doubled. */
		put_text(&b, "\x1bPtmux;\x1b\x1b]52;c;");
		put(&b, code, len);
		put_text(&b, "\x1b\x1b\\\x1b\\");
	} else if (wrap == CLIP_SCREEN) {
		/* Short strings; ESC \ would end one, so BEL ends the sequence. */
		put_text(&b, "\x1bP\x1b]52;c;\x1b\\");
		for (size_t at = 0; at < len; at += SCREEN_PART) {
			put_text(&b, "\x1bP");
			put(&b, code + at, min_of(len - at, (size_t)SCREEN_PART));
			put_text(&b, "\x1b\\");
		}
		put_text(&b, "\x1bP\a\x1b\\");
	} else {
		put_text(&b, "\x1b]52;c;");
		put(&b, code, len);
		put_text(&b, "\x1b\\");
	}
	*ret_n = b.len;
	out = xcalloc(1, b.len + 1);
	memcpy(out, buf_peek(&b), b.len);
	buf_fini(&b);
	return out;
}

static bool write_all(int fd, const char *text, size_t n)
{
	while (n > 0) {
		ssize_t r = write(fd, text, n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		text += r;
		n -= (size_t)r;
	}
	return true;
}

/* ---- tmux: also into its own buffer, whatever it lets through ----------------------------------
 */

#define TMUX_LIMIT 5. /* s */

struct tmux_load {
	struct proc proc;
	ev_timer limit;
};

static void on_tmux_exit(struct proc *p, int status)
{
	struct tmux_load *t = container_of(p, struct tmux_load, proc);

	(void)status; /* the terminal has been told too */
	ev_timer_stop(p->loop, &t->limit);
	free(t);
}

static void on_tmux_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct tmux_load *t = w->data;

	(void)loop;
	(void)revents;
	(void)proc_signal(&t->proc, SIGKILL);
}

static void load_tmux(struct app *a, const char *text, size_t n)
{
	char tmux[512];
	const char *const argv[] = {tmux, "load-buffer", "-", NULL};
	autofd int fd = memfd_create("vmdeck-copy", MFD_CLOEXEC);
	struct proc_fd in = {fd, STDIN_FILENO};
	struct proc_spec spec = {.argv = argv, .fds = &in, .fd_count = 1, .die_with_parent = true};
	struct tmux_load *t;
	struct err e = {0};

	if (fd < 0 || path_program("tmux", tmux, sizeof(tmux), &e) < 0 || !write_all(fd, text, n) ||
		lseek(fd, 0, SEEK_SET) != 0)
		return;
	t = xcalloc(1, sizeof(*t));
	if (proc_spawn(&t->proc, a->loop, &spec, on_tmux_exit, NULL, &e) < 0) {
		free(t);
		return;
	}
	ev_timer_init(&t->limit, on_tmux_limit, TMUX_LIMIT, 0);
	t->limit.data = t;
	ev_timer_start(a->loop, &t->limit);
}

/* ---- too long for a terminal ------------------------------------------------------------------
 */

static void copy_to_file(struct app *a, const char *text, size_t n, const char *what)
{
	struct paths paths;
	struct err e = {0};
	char name[600], size[32];
	autofd int fd = -1;

	if (paths_find(&paths, &e) < 0 || paths_make(&paths, &e) < 0) {
		app_notice(a, NOTICE_ERROR, "%s", e.msg);
		return;
	}
	snprintf(name, sizeof(name), "%s/copy-XXXXXX.txt", paths.home);
	fd = mkostemps(name, 4, O_CLOEXEC);
	if (fd < 0 || !write_all(fd, text, n)) {
		app_notice(a, NOTICE_ERROR, "%s: %s", name, strerror(errno));
		return;
	}
	app_notice(a, NOTICE_WARN,
		"%s (%s) are more than a terminal's clipboard takes: written to %s", what,
		str_bytes(size, sizeof(size), n), name);
}

void clip_copy(struct app *a, const char *text, size_t n, const char *what)
{
	enum clip_wrap wrap = clip_wrap_here();
	autofree char *seq = NULL;
	const char *tmux = getenv("TMUX");
	size_t len;

	if (tmux && *tmux && n > 0)
		load_tmux(a, text, n);
	if (n > CLIP_MAX) {
		copy_to_file(a, text, n, what);
		return;
	}
	seq = clip_sequence(wrap, text, n, &len);
	term_send(seq, len);
	app_notice(a, NOTICE_OK, "copied %s", what);
}
