/* Events as sentences, lines as words. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "tui/cli/plain.h"

static const char *field(struct json_object *ev, const char *key)
{
	const char *s = jsonx_str(jsonx_get(ev, "fields"), key);

	return s ? s : "";
}

static double ms_of(struct json_object *ev)
{
	struct json_object *v = jsonx_get(jsonx_get(ev, "fields"), "ms");

	return v ? json_object_get_double(v) : 0;
}

static void say_state(struct json_object *ev, char *out, size_t n)
{
	const char *reason = field(ev, "reason");

	snprintf(out, n, "%s%s%s", field(ev, "to"), *reason ? ": " : "", reason);
}

static void say_ready(struct json_object *ev, char *out, size_t n)
{
	snprintf(out, n, "ready after %.1f s", ms_of(ev) / 1e3);
}

static void say_failed(struct json_object *ev, char *out, size_t n)
{
	snprintf(out, n, "failed: %s", field(ev, "reason"));
}

static void say_create(struct json_object *ev, char *out, size_t n)
{
	if (*field(ev, "snapshot"))
		snprintf(out, n, "is being restored from snapshot %s", field(ev, "snapshot"));
	else
		snprintf(out, n, "is being booted from image %s", field(ev, "image"));
}

static void say_health(struct json_object *ev, char *out, size_t n)
{
	const char *reason = field(ev, "reason");

	snprintf(out, n, "health is %s%s%s", field(ev, "to"), *reason ? ": " : "", reason);
}

static void say_startup(struct json_object *ev, char *out, size_t n)
{
	const char *why = field(ev, "why");

	snprintf(out, n, "startup snapshot %s: %s%s%s", field(ev, "snapshot"), field(ev, "result"),
		*why ? ": " : "", why);
}

static void say_snapshot(struct json_object *ev, char *out, size_t n)
{
	snprintf(out, n, "snapshot %s is taken", field(ev, "snapshot"));
}

static void say_snapshot_failed(struct json_object *ev, char *out, size_t n)
{
	snprintf(out, n, "snapshot %s failed: %s", field(ev, "snapshot"), field(ev, "reason"));
}

static void say_exit(struct json_object *ev, char *out, size_t n)
{
	snprintf(out, n, "its main process ended: %s %lld", field(ev, "how"),
		(long long)jsonx_int(jsonx_get(ev, "fields"), "value", 0));
}

static void say_build(struct json_object *ev, char *out, size_t n)
{
	snprintf(out, n, "image %s: %s", field(ev, "image"), field(ev, "step"));
}

static void say_built(struct json_object *ev, char *out, size_t n)
{
	snprintf(out, n, "image %s is built", field(ev, "image"));
}

/* text: where there is nothing to work out. */
static const struct {
	const char *name, *text;
	void (*say)(struct json_object *ev, char *out, size_t n);
} sentences[] = {
	{"vm.create", NULL, say_create},
	{"vm.state", NULL, say_state},
	{"vm.boot", NULL, say_ready},
	{"vm.restore", NULL, say_ready},
	{"vm.boot.failed", NULL, say_failed},
	{"vm.restore.failed", NULL, say_failed},
	{"vm.remove", "removed", NULL},
	{"vm.rollback", "was given up, nothing is left of it", NULL},
	{"vm.adopt", "goes on under a new daemon", NULL},
	{"vm.snapshot", NULL, say_snapshot},
	{"vm.snapshot.failed", NULL, say_snapshot_failed},
	{"health.change", NULL, say_health},
	{"health.state", NULL, say_health}, /* of recordings by earlier versions */
	{"health.snapshot", NULL, say_startup},
	{"agent.lost", "its agent is not connected any more", NULL},
	{"main.exit", NULL, say_exit},
	{"guest.panic", "its kernel panicked", NULL},
	{"asset.build.step", NULL, say_build},
	{"asset.build.done", NULL, say_built},
	{"daemon.stop", "the daemon ends", NULL},
};

bool plain_event(struct json_object *event, char *out, size_t n)
{
	const char *name = jsonx_str(event, "name"), *vm = jsonx_str(event, "vm_name");
	time_t when = (time_t)(max_of(jsonx_int(event, "wall_ns", 0), (int64_t)0) / 1000000000);
	char text[500] = "", line[600], clock[16] = "";
	struct tm tm;
	size_t i = 0;

	while (name && i < countof(sentences) && strcmp(sentences[i].name, name) != 0)
		i++;
	if (!name || i == countof(sentences))
		return false;
	if (sentences[i].say)
		sentences[i].say(event, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%s", sentences[i].text);
	if (localtime_r(&when, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	snprintf(line, sizeof(line), "%s %.64s%s%s", clock, vm ? vm : "", vm && *vm ? ": " : "",
		text);
	str_safe(out, n, line);
	return true;
}

int plain_words(char *line, char *words[PLAIN_WORDS_MAX], struct err *e)
{
	char *to = line, quote = '\0';
	int n = 0;

	while (*line) {
		line += strspn(line, " \t\r");
		if (!*line)
			break;
		if (n == PLAIN_WORDS_MAX - 1)
			return err_set(e, EINVAL, "more than %d words on a line", n);
		words[n++] = to;
		for (; *line && (quote || !strchr(" \t\r", *line)); line++) {
			if (quote ? *line == quote : *line == '\'' || *line == '"')
				quote = quote ? '\0' : *line;
			else
				*to++ = *line;
		}
		if (quote)
			return err_set(
				e, EINVAL, "a quote %c is open at the end of the line", quote);
		line += *line != '\0';
		*to++ = '\0';
	}
	words[n] = NULL;
	return n;
}
