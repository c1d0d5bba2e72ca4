/* The life of a keeper once the network is made: a daemon at its socket (or none, until the next),
 * the links, the VMM's end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "backend/base/jsonx.h"
#include "backend/net/keeper/keeper.h"
#include "backend/net/keeper/link.h"
#include "backend/net/scm.h"

#define SOCKETS_MAX 4 /* handed over at once */

/* ---- to the daemon --------------------------------------------------------------------------- */

static void drop_daemon(struct keeper *k)
{
	ev_io_stop(k->loop, &k->control_io);
	close_fd(&k->control);
}

/* A daemon that does not read is none. */
static void say(struct keeper *k, struct json_object *o, const int *fds, int count)
{
	if (k->control >= 0 && scm_send(k->control, jsonx_line(o), fds, count) < 0)
		drop_daemon(k);
	json_object_put(o);
}

void keeper_send_error(struct keeper *k, const char *step, const struct err *e)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_str(o, "error", e->msg);
	jsonx_add_int(o, "code", e->code);
	jsonx_add_str(o, "step", step);
	say(k, o, NULL, 0);
}

static void look_at_links(struct keeper *k)
{
	static const char *const needed[] = {"tap0", "br0", "up0"};
	size_t i = 0;

	while (i < countof(needed) && link_is_up(k->links, needed[i]))
		i++;
	k->up = i == countof(needed);
	k->why[0] = '\0';
	if (!k->up)
		snprintf(k->why, sizeof(k->why), "link %s is down or gone%s", needed[i],
			i == 2 && k->spec.mode == NET_ROOTLESS && k->pasta_fd < 0
				? ": pasta has ended"
				: "");
}

static struct json_object *links_json(const struct keeper *k)
{
	struct json_object *o = json_object_new_object();

	jsonx_add_bool(o, "up", k->up);
	jsonx_add_str(o, "why", k->why);
	return o;
}

static void say_ready(struct keeper *k, bool with_fds)
{
	struct json_object *o = links_json(k);
	int fds[3] = {k->tap, k->netns, k->userns};
	char text[16];

	snprintf(text, sizeof(text), "%u.%u.%u.%u", k->address >> 24, k->address >> 16 & 255,
		k->address >> 8 & 255, k->address & 255);
	jsonx_add_str(o, "address", text);
	jsonx_add_str(o, "link", k->spec.mode == NET_BRIDGED ? k->link : "");
	say(k, o, fds, !with_fds ? 0 : k->userns >= 0 ? 3 : 2);
}

static void say_sockets(struct keeper *k, int64_t count)
{
	struct json_object *o = json_object_new_object();
	int fds[SOCKETS_MAX], n = 0;

	for (; n < count && n < SOCKETS_MAX; n++) {
		fds[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fds[n] < 0)
			break;
	}
	jsonx_add_int(o, "sockets", n);
	say(k, o, fds, n);
	while (n > 0)
		close(fds[--n]);
}

/* ---- the VMM --------------------------------------------------------------------------------- */

static void on_vmm_exit(struct proc *p, int status)
{
	struct keeper *k = container_of(p, struct keeper, vmm);

	(void)status;
	ev_break(k->loop, EVBREAK_ALL);
}

/* From its first moment on a VMM has its pid file: without one there is nobody to keep a network
 * for. */
static void follow_vmm(struct keeper *k)
{
	struct proc_id id;

	if (k->given)
		return;
	k->given = true;
	close_fd(&k->tap);
	if (proc_read_pid_file(k->pid_file, &id) < 0 ||
		proc_adopt(&k->vmm, k->loop, id, on_vmm_exit, k, NULL) < 0)
		ev_break(k->loop, EVBREAK_ALL);
}

/* ---- from the daemon ------------------------------------------------------------------------- */

static void obey(struct keeper *k, const char *text, size_t len)
{
	autojson struct json_object *o = NULL;
	const char *op;

	if (jsonx_parse(text, len, &o, NULL) < 0)
		return;
	op = jsonx_str(o, "op");
	if (op && strcmp(op, "given") == 0)
		follow_vmm(k);
	else if (op && strcmp(op, "sockets") == 0)
		say_sockets(k, jsonx_int(o, "count", 1));
	else if (op && strcmp(op, "close") == 0)
		ev_break(k->loop, EVBREAK_ALL);
}

static void on_control(struct ev_loop *loop, ev_io *w, int revents)
{
	struct keeper *k = container_of(w, struct keeper, control_io);
	char text[SCM_TEXT_MAX];
	int fds[SCM_FDS_MAX], count;
	ssize_t n = scm_recv(k->control, text, fds, &count);

	(void)loop;
	(void)revents;
	while (count > 0)
		close(fds[--count]);
	if (n == -EAGAIN)
		return;
	if (n > 0) {
		obey(k, text, (size_t)n);
		return;
	}
	drop_daemon(k);
	follow_vmm(k); /* the daemon may have gone between the VMM's start and its word */
}

static void take_daemon(struct keeper *k, int fd)
{
	if (k->control >= 0)
		drop_daemon(k);
	k->control = fd;
	ev_io_init(&k->control_io, on_control, fd, EV_READ);
	ev_io_start(k->loop, &k->control_io);
}

/* The newest daemon is the one. */
static void on_connect(struct ev_loop *loop, ev_io *w, int revents)
{
	struct keeper *k = container_of(w, struct keeper, listener_io);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(k->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)loop;
	(void)revents;
	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid()) {
		close(fd);
		return;
	}
	take_daemon(k, fd);
	say_ready(k, false);
}

/* ---- links ----------------------------------------------------------------------------------- */

static void tell_links(struct keeper *k)
{
	bool was = k->up;
	char why[sizeof(k->why)];

	memcpy(why, k->why, sizeof(why));
	look_at_links(k);
	if (was != k->up || strcmp(why, k->why) != 0)
		say(k, links_json(k), NULL, 0);
}

static void on_monitor(struct ev_loop *loop, ev_io *w, int revents)
{
	struct keeper *k = container_of(w, struct keeper, monitor_io);
	char trash[8192];

	(void)loop;
	(void)revents;
	while (recv(w->fd, trash, sizeof(trash), MSG_DONTWAIT) > 0)
		; /* what is there now counts, not what was said of it */
	tell_links(k);
}

static void on_pasta_exit(struct ev_loop *loop, ev_io *w, int revents)
{
	struct keeper *k = container_of(w, struct keeper, pasta_io);

	(void)revents;
	ev_io_stop(loop, w);
	pasta_end(k);
	tell_links(k);
}

static void on_signal(struct ev_loop *loop, ev_signal *w, int revents)
{
	(void)w;
	(void)revents;
	ev_break(loop, EVBREAK_ALL);
}

static void watch(struct keeper *k, ev_io *w, void (*fn)(struct ev_loop *, ev_io *, int), int fd)
{
	ev_io_init(w, fn, fd, EV_READ);
	if (fd >= 0)
		ev_io_start(k->loop, w);
}

void keeper_serve(struct keeper *k)
{
	ev_signal term, interrupt;

	ev_signal_init(&term, on_signal, SIGTERM);
	ev_signal_init(&interrupt, on_signal, SIGINT);
	ev_signal_start(k->loop, &term);
	ev_signal_start(k->loop, &interrupt);
	watch(k, &k->control_io, on_control, k->control);
	watch(k, &k->listener_io, on_connect, k->listener);
	watch(k, &k->monitor_io, on_monitor, nl_socket_get_fd(k->monitor));
	watch(k, &k->pasta_io, on_pasta_exit, k->pasta_fd);
	look_at_links(k);
	say_ready(k, true);
	ev_run(k->loop, 0);
	proc_forget(&k->vmm);
}
