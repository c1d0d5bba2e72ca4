/* GET by libcurl's multi interface on the loop, over a socket made inside the VM's network
 * namespace. 2xx and 3xx are healthy; redirects are not followed, the body is thrown away. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "backend/base/str.h"
#include "backend/health/probe.h"

#define BODY_MAX 65536 /* bytes; the status is known long before */

struct http_check;

/* A socket that curl wants watched. */
struct http_io {
	struct http_io *next;
	struct http_check *of;
	ev_io io;
};

struct http_check {
	struct probe base;
	struct probe_env env;
	CURL *easy;
	CURLM *multi;
	ev_timer timer;
	struct http_io *ios;
	size_t body;
	bool body_full;
	struct err socket_err;
	char why[CURL_ERROR_SIZE];
};

/* ---- the URL --------------------------------------------------------------------------------- */

static bool is_address(const char *host)
{
	struct in_addr in;
	struct in6_addr in6;
	char bare[64];
	size_t n = strlen(host);

	if (inet_pton(AF_INET, host, &in) == 1)
		return true;
	if (n < 2 || n >= sizeof(bare) || host[0] != '[' || host[n - 1] != ']')
		return false;
	snprintf(bare, sizeof(bare), "%.*s", (int)(n - 2), host + 1);
	return inet_pton(AF_INET6, bare, &in6) == 1;
}

int probe_http_check(const char *url, struct err *e)
{
	CURLU *u = curl_url();
	char *scheme = NULL, *host = NULL, safe[200];
	int r = 0;

	str_safe(safe, sizeof(safe), url);
	if (!u || curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
		curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		r = err_set(e, EINVAL, "health check: '%s' is no URL", safe);
	else if (strcmp(scheme, "http") != 0)
		r = err_set(e, EINVAL, "health check: '%s' is not http://", safe);
	else if (!is_address(host))
		r = err_set(e, EINVAL,
			"health check: the host of '%s' is no address: names are not looked up, "
			"the "
			"guest is " HEALTH_GUEST_ADDRESS,
			safe);
	curl_free(scheme);
	curl_free(host);
	curl_url_cleanup(u);
	return r;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void http_free(struct http_check *c)
{
	ev_timer_stop(c->env.loop, &c->timer);
	while (c->ios) {
		struct http_io *next = c->ios->next;

		ev_io_stop(c->env.loop, &c->ios->io);
		free(c->ios);
		c->ios = next;
	}
	if (c->multi) {
		(void)curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, NULL);
		(void)curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, NULL);
		if (c->easy)
			(void)curl_multi_remove_handle(c->multi, c->easy);
	}
	curl_easy_cleanup(c->easy);
	(void)curl_multi_cleanup(c->multi);
	free(c);
}

static enum health_state verdict_of(const struct http_check *c, CURLcode code, char *out, size_t n)
{
	long status = 0;

	(void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && c->body_full)) {
		snprintf(out, n, "HTTP %ld", status);
		return status >= 200 && status < 400 ? HEALTH_HEALTHY : HEALTH_UNHEALTHY;
	}
	if (c->socket_err.code)
		str_safe(out, n, c->socket_err.msg);
	else
		snprintf(out, n, "%s", c->why[0] ? c->why : curl_easy_strerror(code));
	return code == CURLE_OPERATION_TIMEDOUT ? HEALTH_TIMEOUT : HEALTH_UNHEALTHY;
}

static void act(struct http_check *c, curl_socket_t fd, int what)
{
	struct probe p = c->base;
	char reason[HEALTH_REASON];
	enum health_state verdict;
	int running, left;
	CURLMsg *msg;

	(void)curl_multi_socket_action(c->multi, fd, what, &running);
	msg = curl_multi_info_read(c->multi, &left);
	if (!msg || msg->msg != CURLMSG_DONE)
		return;
	verdict = verdict_of(c, msg->data.result, reason, sizeof(reason));
	http_free(c);
	p.done(p.user, verdict, reason);
}

/* ---- curl on the loop ------------------------------------------------------------------------ */

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct http_io *io = w->data;

	(void)loop;
	act(io->of, w->fd,
		(revents & EV_READ ? CURL_CSELECT_IN : 0) |
			(revents & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	act(w->data, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long ms, void *user)
{
	struct http_check *c = user;

	(void)multi;
	ev_timer_stop(c->env.loop, &c->timer);
	if (ms < 0)
		return 0;
	ev_now_update(c->env.loop);
	ev_timer_set(&c->timer, (double)ms / 1e3, 0.);
	ev_timer_start(c->env.loop, &c->timer);
	return 0;
}

static void drop_io(struct http_check *c, struct http_io *io)
{
	struct http_io **at = &c->ios;

	while (*at != io)
		at = &(*at)->next;
	*at = io->next;
	ev_io_stop(c->env.loop, &io->io);
	free(io);
}

static int set_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
	struct http_check *c = user;
	struct http_io *io = socket_user;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (io)
			drop_io(c, io);
		return 0;
	}
	if (!io) {
		io = xcalloc(1, sizeof(*io));
		io->of = c;
		io->next = c->ios;
		c->ios = io;
		(void)curl_multi_assign(c->multi, fd, io);
		ev_init(&io->io, on_io);
		io->io.data = io;
	}
	ev_io_stop(c->env.loop, &io->io);
	ev_io_set(&io->io, fd,
		(what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0));
	ev_io_start(c->env.loop, &io->io);
	return 0;
}

/* ---- begin ----------------------------------------------------------------------------------- */

static curl_socket_t open_inside(void *user, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct http_check *c = user;
	int fd;

	(void)purpose;
	fd = c->env.open_socket(c->env.net_user, to->family, to->socktype, &c->socket_err);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static size_t take_body(char *p, size_t size, size_t n, void *user)
{
	struct http_check *c = user;

	(void)p;
	c->body += size * n;
	c->body_full = c->body > BODY_MAX;
	return c->body_full ? 0 : size * n;
}

static void prepare(struct http_check *c, const struct health_spec *spec)
{
	CURL *h = c->easy;

	/* NOLINTBEGIN(bugprone-unused-return-value): options of this library's version */
	curl_easy_setopt(h, CURLOPT_URL, spec->url);
	curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(h, CURLOPT_PROXY, "");
	curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(h, CURLOPT_USERAGENT, "vmdeck-health");
	curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(health_spec_timeout(spec) * 1e3));
	curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)(health_spec_timeout(spec) * 1e3));
	curl_easy_setopt(h, CURLOPT_ERRORBUFFER, c->why);
	curl_easy_setopt(h, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, open_inside);
	curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, c);
	curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(h, CURLOPT_WRITEDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	/* NOLINTEND(bugprone-unused-return-value) */
}

static void init_curl(void)
{
	(void)curl_global_init(CURL_GLOBAL_NOTHING);
}

static struct probe *start(const struct probe_env *env, const struct health_spec *spec,
	probe_done *done, void *user, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct http_check *c;

	if (!env->open_socket) {
		err_set(e, ENETUNREACH, "the VM has no network");
		return NULL;
	}
	(void)pthread_once(&once, init_curl);
	c = xcalloc(1, sizeof(*c));
	c->base = (struct probe){&probe_http, done, user};
	c->env = *env;
	ev_init(&c->timer, on_timer);
	c->timer.data = c;
	c->easy = curl_easy_init();
	c->multi = curl_multi_init();
	if (c->easy && c->multi)
		prepare(c, spec);
	/* Asks for its first call by set_timer. */
	if (!c->easy || !c->multi || curl_multi_add_handle(c->multi, c->easy) != CURLM_OK) {
		err_set(e, ENOMEM, "libcurl could not be set up");
		http_free(c);
		return NULL;
	}
	return &c->base;
}

static void cancel(struct probe *p, char *doing, size_t n)
{
	struct http_check *c = container_of(p, struct http_check, base);

	if (doing)
		snprintf(doing, n, "%s", c->why);
	http_free(c);
}

const struct probe_ops probe_http = {
	.name = "http", .own_deadline = true, .start = start, .cancel = cancel};
