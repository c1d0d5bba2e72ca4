#include "backend/health/spec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#include "backend/base/jsonx.h"
#include "backend/base/str.h"
#include "backend/health/probe.h"

#define COMMAND_MAX 4096
#define URL_MAX     1024

void health_spec_fini(struct health_spec *s)
{
	free(s->command);
	free(s->url);
	free(s->host);
	*s = (struct health_spec){0};
}

/* ---- values ---------------------------------------------------------------------------------- */

static int set_kind(struct health_spec *s, enum health_kind kind, struct err *e)
{
	if (s->kind != HEALTH_AGENT)
		return err_set(e, EINVAL,
			"a VM has one health check: give one of a command, a URL and a TCP port");
	s->kind = kind;
	return 0;
}

static int set_exec(struct health_spec *s, const char *value, struct err *e)
{
	if (!*value || strlen(value) > COMMAND_MAX)
		return err_set(e, EINVAL, "health check: a command of 1 to %d bytes is needed",
			COMMAND_MAX);
	s->command = xstrdup(value);
	return set_kind(s, HEALTH_EXEC, e);
}

static int set_url(struct health_spec *s, const char *value, struct err *e)
{
	int r = strlen(value) > URL_MAX
			? err_set(e, EINVAL, "health check: the URL has more than %d bytes",
				  URL_MAX)
			: probe_http_check(value, e);

	if (r < 0)
		return r;
	s->url = xstrdup(value);
	return set_kind(s, HEALTH_HTTP, e);
}

static int set_tcp(struct health_spec *s, const char *value, struct err *e)
{
	const char *colon = strrchr(value, ':');
	struct in_addr in;
	int64_t port;
	int r;

	if (colon) {
		s->host = strndup(value, (size_t)(colon - value));
		if (!s->host || inet_pton(AF_INET, s->host, &in) != 1)
			return err_set(e, EINVAL,
				"health check: '%.100s' is not PORT or IPV4-ADDRESS:PORT", value);
	}
	r = str_parse_int(
		"port of the health check", colon ? colon + 1 : value, 1, 65535, &port, e);
	if (r < 0)
		return r;
	s->port = (uint16_t)port;
	return set_kind(s, HEALTH_TCP, e);
}

static int parse_seconds(
	const char *what, const char *value, double most, double *ret, struct err *e)
{
	char *end;
	double v = strtod(value, &end);

	if (end == value || *end || !isfinite(v) || v < 0.1 || v > most)
		return err_set(e, ERANGE, "%s of the health check: '%.40s' is not 0.1 to %.0f s",
			what, value, most);
	*ret = v;
	return 0;
}

static int set_interval(struct health_spec *s, const char *value, struct err *e)
{
	return parse_seconds("interval", value, 86400, &s->interval, e);
}

static int set_timeout(struct health_spec *s, const char *value, struct err *e)
{
	return parse_seconds("timeout", value, 600, &s->timeout, e);
}

static int set_limit(struct health_spec *s, const char *value, struct err *e)
{
	return parse_seconds("start limit", value, 86400, &s->start_limit, e);
}

static int set_snapshot(struct health_spec *s, const char *value, struct err *e)
{
	int r = str_check_name("snapshot name", value, e);

	if (r == 0)
		snprintf(s->snapshot, sizeof(s->snapshot), "%s", value);
	return r;
}

/* ---- the keys -------------------------------------------------------------------------------- */

static char *seconds_text(double v)
{
	return v > 0 ? xasprintf("%g", v) : NULL;
}

static char *get_exec(const struct health_spec *s)
{
	return s->command ? xstrdup(s->command) : NULL;
}

static char *get_url(const struct health_spec *s)
{
	return s->url ? xstrdup(s->url) : NULL;
}

static char *get_tcp(const struct health_spec *s)
{
	if (s->kind != HEALTH_TCP)
		return NULL;
	return xasprintf("%s%s%u", s->host ? s->host : "", s->host ? ":" : "", s->port);
}

static char *get_interval(const struct health_spec *s)
{
	return seconds_text(s->interval);
}

static char *get_timeout(const struct health_spec *s)
{
	return seconds_text(s->timeout);
}

static char *get_limit(const struct health_spec *s)
{
	return seconds_text(s->start_limit);
}

static char *get_snapshot(const struct health_spec *s)
{
	return s->snapshot[0] ? xstrdup(s->snapshot) : NULL;
}

static const struct {
	const char *key;
	int (*set)(struct health_spec *s, const char *value, struct err *e);
	char *(*get)(const struct health_spec *s); /* the caller's; NULL: not set */
	bool of_boot;                              /* not inherited by copies */
} keys[] = {
	{"exec", set_exec, get_exec, false},
	{"url", set_url, get_url, false},
	{"tcp", set_tcp, get_tcp, false},
	{"interval", set_interval, get_interval, false},
	{"timeout", set_timeout, get_timeout, false},
	{"start_limit", set_limit, get_limit, true},
	{"snapshot", set_snapshot, get_snapshot, true},
};

int health_spec_set(struct health_spec *s, const char *key, const char *value, struct err *e)
{
	for (size_t i = 0; i < countof(keys); i++) {
		autofree char *old = NULL;

		if (strcmp(keys[i].key, key) != 0)
			continue;
		old = keys[i].get(s);
		if (old)
			return err_set(e, EINVAL, "health check: %s is given twice", key);
		return keys[i].set(s, value, e);
	}
	return err_set(e, EINVAL, "health check: there is no '%.40s'", key);
}

int health_spec_from_json(struct health_spec *s, struct json_object *o, struct err *e)
{
	int r = 0;

	if (!o)
		return 0;
	if (!json_object_is_type(o, json_type_object))
		return err_set(e, EINVAL, "health check: not an object");
	json_object_object_foreach(o, key, value)
	{
		if (!json_object_is_type(value, json_type_string))
			return err_set(e, EINVAL, "health check: %.40s is no text", key);
		r = r < 0 ? r : health_spec_set(s, key, json_object_get_string(value), e);
	}
	return r;
}

struct json_object *health_spec_to_json(const struct health_spec *s)
{
	struct json_object *o = json_object_new_object();

	for (size_t i = 0; i < countof(keys); i++) {
		autofree char *value = keys[i].get(s);

		if (value)
			jsonx_add_str(o, keys[i].key, value);
	}
	return o;
}

char **health_spec_words(const struct health_spec *s)
{
	char **words = xcalloc(countof(keys) + 1, sizeof(*words));
	size_t n = 0;

	for (size_t i = 0; i < countof(keys); i++) {
		autofree char *value = keys[i].of_boot ? NULL : keys[i].get(s);

		if (value)
			words[n++] = xasprintf("%s=%s", keys[i].key, value);
	}
	if (n)
		return words;
	free(words);
	return NULL;
}

int health_spec_from_words(struct health_spec *s, char *const *words, struct err *e)
{
	int r = 0;

	for (; r == 0 && words && *words; words++) {
		autofree char *key = xstrdup(*words);
		char *value = strchr(key, '=');

		if (!value)
			return err_set(e, EINVAL, "health check: '%.40s' is not KEY=VALUE", key);
		*value++ = '\0';
		r = health_spec_set(s, key, value, e);
	}
	return r;
}

/* ---- for its users --------------------------------------------------------------------------- */

bool health_spec_needs_network(const struct health_spec *s)
{
	return s->kind == HEALTH_HTTP || s->kind == HEALTH_TCP;
}

double health_spec_interval(const struct health_spec *s)
{
	return s->interval > 0 ? s->interval : HEALTH_INTERVAL_S;
}

double health_spec_timeout(const struct health_spec *s)
{
	return s->timeout > 0 ? s->timeout : HEALTH_TIMEOUT_S;
}

char *health_spec_target(const struct health_spec *s, char *out, size_t n)
{
	if (s->kind == HEALTH_TCP)
		snprintf(out, n, "%s:%u", s->host ? s->host : HEALTH_GUEST_ADDRESS, s->port);
	else
		snprintf(out, n, "%s", s->command ? s->command : s->url ? s->url : "");
	return out;
}
