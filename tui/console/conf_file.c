/* What keys.conf and vmdeck.conf have in common. */
#include "tui/console/conf_file.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/base/file.h"
#include "backend/base/str.h"

void conf_path(char *out, size_t n, const char *name)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config && *config)
		snprintf(out, n, "%s/vmdeck/%s", config, name);
	else
		snprintf(out, n, "%s/.config/vmdeck/%s", home ? home : "", name);
}

void conf_complain(struct conf_file *c, int line, const char *fmt, ...)
{
	char what[300], text[800], safe[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%.400s:%d: %s", c->path, line, what);
	c->complaints++;
	if (c->fn)
		c->fn(c->user, str_safe(safe, sizeof(safe), text));
}

/* The library does not tell lines by itself: it asks for them here, one at a time. */
static char *next_line(char *out, int n, void *stream)
{
	struct conf_file *c = stream;
	size_t len = strcspn(c->at, "\n");

	if (!*c->at)
		return NULL;
	c->line++;
	if (len >= (size_t)n - 1)
		conf_complain(c, c->line, "line longer than %d bytes", n - 2);
	snprintf(out, (size_t)n, "%.*s\n", len >= (size_t)n - 1 ? 0 : (int)len, c->at);
	c->at += len + (c->at[len] == '\n');
	return out;
}

void conf_read(struct conf_file *c, size_t max,
	int (*pair)(void *user, const char *section, const char *name, const char *value),
	void *user, const char *expected)
{
	autofree char *text = NULL;
	struct err e = {0};
	int bad;

	if (access(c->path, F_OK) < 0 && errno == ENOENT)
		return;
	if (file_read(c->path, max, &text, NULL, &e) < 0) {
		conf_complain(c, 0, "%s", e.msg);
		return;
	}
	c->at = text;
	bad = ini_parse_stream(next_line, c, pair, user);
	c->at = NULL;
	if (bad > 0)
		conf_complain(c, bad, "expected %s", expected);
}
