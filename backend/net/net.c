/* The daemon's side of a VM's network: a keeper of its own does the work (keeper/). */
#include "backend/net/net.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "backend/base/jsonx.h"
#include "backend/base/path.h"
#include "backend/base/proc.h"
#include "backend/net/net_impl.h"
#include "backend/net/scm.h"

#define OPEN_LIMIT  12. /* s: the keeper's own limit is 10; normal: 0.03 */
#define ADOPT_LIMIT 5.  /* s; normal: 0.001 */
#define CLOSE_LIMIT 12. /* s; normal: 0.03 */

/* Networks that are being undone still hold their ports: what is opened waits for them. */
static struct net *all;

static bool any_closing(void)
{
	for (const struct net *n = all; n; n = n->next)
		if (n->phase == NET_CLOSING)
			return true;
	return false;
}

static void send_waiting(void)
{
	if (any_closing())
		return;
	for (struct net *n = all; n; n = n->next)
		if (n->phase == NET_WAITING)
			net_send_request(n);
}

static void close_given(struct net *n)
{
	close_fd(&n->tap);
	close_fd(&n->netns);
	close_fd(&n->userns);
}

static void free_net(struct net *n)
{
	struct net **at = &all;

	while (*at != n)
		at = &(*at)->next;
	*at = n->next;
	ev_io_stop(n->loop, &n->io);
	ev_timer_stop(n->loop, &n->limit);
	close_fd(&n->control);
	close_given(n);
	while (n->socket_count > 0)
		close(n->sockets[--n->socket_count]);
	proc_forget(&n->keeper);
	json_object_put(n->request);
	free(n);
	send_waiting();
}

/* ---- the end of the beginning ---------------------------------------------------------------- */

static void done(struct net *n, int r, const struct err *e)
{
	ev_timer_stop(n->loop, &n->limit);
	n->phase = r == 0 ? NET_MADE : NET_LOST;
	n->cb.on_done(n->user, r, e);
}

void net_lost(struct net *n, const struct err *e)
{
	bool begun = n->phase == NET_WAITING || n->phase == NET_ASKED;

	if (n->phase == NET_CLOSING) {
		free_net(n);
		return;
	}
	ev_io_stop(n->loop, &n->io);
	close_fd(&n->control);
	n->up = false;
	snprintf(n->why, sizeof(n->why), "its keeper (vmdeck-net) has ended");
	n->phase = NET_LOST;
	if (begun)
		done(n, -e->code, e);
	else if (n->cb.on_link)
		n->cb.on_link(n->user);
}

void net_ready(struct net *n)
{
	done(n, 0, NULL);
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct net *n = container_of(w, struct net, limit);
	struct err e = {0};

	(void)loop;
	(void)revents;
	err_set(&e, ETIMEDOUT, "the VM's network was not made in %g s", OPEN_LIMIT);
	if (n->keeper.pidfd >= 0)
		proc_signal(&n->keeper, SIGTERM);
	net_lost(n, &e);
}

/* ---- begin and end --------------------------------------------------------------------------- */

static struct net *new_net(struct ev_loop *loop, const struct net_request *rq,
	const struct net_callbacks *cb, void *user, double limit)
{
	struct net *n = xcalloc(1, sizeof(*n));

	n->loop = loop;
	n->cb = *cb;
	n->user = user;
	n->spec = *rq->spec;
	n->control = n->tap = n->netns = n->userns = -1;
	n->keeper.pidfd = -1;
	n->next = all;
	all = n;
	ev_init(&n->io, net_on_message);
	ev_timer_init(&n->limit, on_limit, limit, 0.);
	ev_now_update(loop);
	ev_timer_start(loop, &n->limit);
	return n;
}

static struct json_object *make_request(const struct net_request *rq)
{
	struct json_object *o = json_object_new_object();
	autofree char *sock = xasprintf("%s/" NET_SOCKET, rq->run_dir);

	jsonx_add_str(o, "home", rq->home);
	jsonx_add_str(o, "id", rq->id);
	jsonx_add_str(o, "socket", sock);
	jsonx_add_str(o, "pid_file", rq->pid_file);
	json_object_object_add(o, "network", net_spec_json(rq->spec));
	return o;
}

static int spawn_keeper(struct net *n, struct err *e)
{
	char program[512];
	const char *argv[] = {program, NULL};
	int sv[2], r = path_helper("vmdeck-net", program, sizeof(program), e);

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return err_errno(e, "cannot make a socket");
	n->control = sv[0];
	struct proc_fd fds[] = {{sv[1], 3}};
	struct proc_spec spec = {.argv = argv, .fds = fds, .fd_count = 1};

	r = proc_spawn(&n->keeper, n->loop, &spec, NULL, n, e);
	close(sv[1]);
	return r;
}

static void listen_to(struct net *n)
{
	ev_io_set(&n->io, n->control, EV_READ);
	ev_io_start(n->loop, &n->io);
}

int net_open(struct net **ret, struct ev_loop *loop, const struct net_request *rq,
	const struct net_callbacks *cb, void *user, struct err *e)
{
	struct net *n = new_net(loop, rq, cb, user, OPEN_LIMIT + CLOSE_LIMIT);
	int r = spawn_keeper(n, e);

	if (r < 0) {
		free_net(n);
		return r;
	}
	n->request = make_request(rq);
	n->phase = NET_WAITING;
	listen_to(n);
	send_waiting();
	*ret = n;
	return 0;
}

static int connect_to(const char *run_dir, int *ret_fd, struct err *e)
{
	autofd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int len = snprintf(a.sun_path, sizeof(a.sun_path), "%s/" NET_SOCKET, run_dir);

	if (fd < 0)
		return err_errno(e, "cannot make a socket");
	if (len >= (int)sizeof(a.sun_path))
		return err_set(e, ENAMETOOLONG, "'%s' is too long for a socket", run_dir);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_set(e, ESRCH, "the keeper of its network (vmdeck-net) is gone: %s",
			strerror(errno));
	*ret_fd = steal_fd(&fd);
	return 0;
}

int net_adopt(struct net **ret, struct ev_loop *loop, const struct net_request *rq,
	const struct net_callbacks *cb, void *user, struct err *e)
{
	struct net *n = new_net(loop, rq, cb, user, ADOPT_LIMIT);
	int r = connect_to(rq->run_dir, &n->control, e);

	if (r < 0) {
		free_net(n);
		return r;
	}
	n->phase = NET_ASKED;
	listen_to(n);
	*ret = n;
	return 0;
}

void net_leave(struct net *n)
{
	if (n)
		free_net(n);
}

void net_close(struct net *n)
{
	bool waiting;

	if (!n)
		return;
	waiting = n->phase == NET_WAITING;
	n->phase = NET_CLOSING;
	close_given(n);
	if (n->control < 0 || waiting || scm_send(n->control, "{\"op\":\"close\"}", NULL, 0) < 0) {
		free_net(n);
		return;
	}
	ev_timer_stop(n->loop, &n->limit);
	ev_timer_set(&n->limit, CLOSE_LIMIT, 0.);
	ev_timer_start(n->loop, &n->limit);
}

void net_given(struct net *n)
{
	close_given(n);
	net_say(n, "{\"op\":\"given\"}");
}
