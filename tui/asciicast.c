#include "tui/asciicast.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/wait.h>

#include "backend/base/jsonx.h"
#include "backend/record/record.h"

#define HELD_MAX 8 /* bytes of a character that a read cut in two */

struct cast {
	FILE *f;
	const struct asciicast_opts *co;
	struct recording rec;
	size_t mark; /* next entry that may be one */
	uint64_t start_ns;
	char held[HELD_MAX];
	size_t held_n;
};

static void put_line(struct cast *c, double t, const char *kind, const char *text, size_t n)
{
	autojson struct json_object *s = json_object_new_string_len(text, (int)n);

	fprintf(c->f, "[%.6f, \"%s\", %s]\n", t, kind, jsonx_line(s));
}

/* Markers up to t seconds since the start. */
static void put_marks(struct cast *c, double t)
{
	for (; c->mark < c->rec.count; c->mark++) {
		const struct record_entry *en = &c->rec.entry[c->mark];
		double at = ((double)en->ms / 1000 - c->co->from) / c->co->speed;
		autojson struct json_object *line = NULL;
		const char *text;

		if (at > t)
			return;
		if (en->kind != RECORD_MARK || at < 0)
			continue;
		line = recording_line(en);
		text = jsonx_str(line, "mark");
		if (text)
			put_line(c, at, "m", text, strlen(text));
	}
}

/* Bytes at the end of p that begin a character and do not end it. */
static size_t cut_off(const char *p, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char ch = (unsigned char)p[n - back];
		size_t len = ch >= 0xf0 ? 4 : ch >= 0xe0 ? 3 : ch >= 0xc0 ? 2 : 1;

		if (ch >= 0xc0)
			return len > back ? back : 0;
		if (ch < 0x80)
			return 0;
	}
	return 0;
}

static void put_output(struct cast *c, char *bytes, size_t n)
{
	double t = (double)(mono_ns() - c->start_ns) / 1e9;
	size_t keep = cut_off(bytes, n);

	put_marks(c, t);
	if (n > keep)
		put_line(c, t, "o", bytes, n - keep);
	memcpy(c->held, bytes + n - keep, keep);
	c->held_n = keep;
}

static void copy(struct cast *c, int fd)
{
	char bytes[HELD_MAX + 32768];

	for (;;) {
		ssize_t n;

		memcpy(bytes, c->held, c->held_n);
		n = read(fd, bytes + c->held_n, sizeof(bytes) - HELD_MAX);
		if (n < 0 && errno == EINTR)
			continue;
		/* The other end of a terminal that is gone reads as EIO. */
		if (n <= 0)
			return;
		put_output(c, bytes, c->held_n + (size_t)n);
	}
}

static void put_head(struct cast *c, const struct winsize *ws)
{
	autojson struct json_object *o = json_object_new_object();
	struct json_object *env = json_object_new_object();

	jsonx_add_int(o, "version", 2);
	jsonx_add_int(o, "width", ws->ws_col);
	jsonx_add_int(o, "height", ws->ws_row);
	jsonx_add_int(o, "timestamp", (int64_t)(c->rec.wall_ns / 1000000000));
	jsonx_add_str(o, "title", "vmdeck");
	jsonx_add_str(env, "TERM", "xterm-256color");
	json_object_object_add(o, "env", env);
	fprintf(c->f, "%s\n", jsonx_line(o));
}

static int run(
	struct cast *c, const struct console_opts *console, struct winsize *ws, struct err *e)
{
	int fd, status;
	pid_t pid = forkpty(&fd, NULL, NULL, ws);

	if (pid < 0)
		return err_errno(e, "cannot make a terminal");
	if (!pid) {
		setenv("TERM", "xterm-256color", 1);
		unsetenv("NO_COLOR");
		_exit(console_main(console));
	}
	put_head(c, ws);
	c->start_ns = mono_ns();
	copy(c, fd);
	put_marks(c, 1e12);
	close(fd);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status)
		       ? WEXITSTATUS(status)
		       : err_set(e, EIO, "the console ended by signal %d", WTERMSIG(status));
}

int asciicast_write(
	const struct asciicast_opts *co, const struct console_opts *console, struct err *e)
{
	struct cast c = {.co = co};
	unsigned cols, rows;
	struct winsize ws;
	char more;
	int r, fd;

	if (sscanf(co->size, "%ux%u%c", &cols, &rows, &more) != 2 || cols < 20 || cols > 1000 ||
		rows < 5 || rows > 500)
		return err_set(e, EINVAL, "--size is COLSxROWS, 20x5 to 1000x500: 100x30");
	ws = (struct winsize){.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};
	r = recording_load(&c.rec, co->recording, e);
	if (r < 0)
		return r;
	fd = open(co->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	c.f = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!c.f) {
		r = err_errno(e, "cannot make '%s'", co->path);
		if (fd >= 0)
			close(fd);
	} else {
		r = run(&c, console, &ws, e);
		if (fclose(c.f) != 0 && r >= 0)
			r = err_errno(e, "cannot write '%s'", co->path);
	}
	recording_fini(&c.rec);
	return r;
}
